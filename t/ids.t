# Identifiers: what an upstream calls a group or a member comes to the client
# in the client's own form, and comes back to the upstream as it was, without
# a table anywhere.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Vendors qw(
    @VENDORS answer_is collection gateway_server group_body item json_is
    path_segment sign_in xml_is
);

my $t = Test::Gateway->new;

my $UUID  = '6f8afcda-7529-4cad-9f2d-76903f4b1aca';
my $USER  = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';
my $V8    = qr/\A[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}
    -[0-9a-f]{12}\z/x;

# Upstreams that call a group what the client's X-Answer header says (it is no
# header that the gateway knows, and goes through), in the path of a FaxFinder
# with its container. They say yes to everything.
sub answer {
    my ($vendor, $request) = @_;

    my $id    = $request->header('X-Answer') // 'none';
    utf8::decode($id);
    my @json  = ('Content-Type' => 'application/json');
    my $write = $request->method ne 'GET';

    return [204, [], ''] if $request->uri =~ m{/destroy$};

    if ($vendor eq 'signalwire') {
        return [204, [], ''] if $request->method eq 'DELETE';
        return [200, \@json, {links => {}, data => []}]
            if $request->uri =~ /memberships/ && !$write;
        return [200, \@json, {
            id => $id, number_group_id => $UUID,
            phone_number => {id => $USER}, created_at =>
                '2023-01-15T10:30:00Z', updated_at => '2023-01-15T10:30:00Z',
        }] if $request->uri =~ /memberships/;
        return [200, \@json, {id => $id, name => 'n',
            sticky_sender => JSON::PP::false, phone_number_count => 0}];
    }

    if ($vendor eq 'vinyldns') {
        my @members = map { {id => $_} } split / /,
            $request->header('X-Members') // $USER;
        return [200, \@json, {id => $id, name => 'n', email => 'a@test.com',
            members => \@members, admins => [{id => $USER}]}];
    }

    if ($vendor eq 'faxfinder') {
        my $at   = 'https://dot3/ffws/v1';
        my $root = join '', '<response><message>Success</message>',
            '<contact_group><contact_group_url>', $at,
            "/contact_groups/$id</contact_group_url><name>n</name>",
            (map { "<contact>$at/contacts/$_</contact>" }
                split / /, $request->header('X-Members') // ''),
            '</contact_group></response>';
        return [200, ['Content-Type' => 'application/xml'], $root];
    }

    return [201, \@json, {id => $id}]
        if $write && $request->uri eq '/api/groups';
    return [200, [], ''] if $write;
    return [200, \@json, {items => []}] if $request->uri =~ m{/members$};
    return [200, \@json, {id => $id, name => 'n', description => undef,
        outbound_caller_ids => []}];
}

my %upstream = map {
    my $vendor = $_;
    ($vendor => $t->upstream(sub { answer($vendor, @_) }));
} @VENDORS;

# so that one call is enough for each
my %default = (
    vinyldns => "group_default email a\@test.com;
        group_default members $USER; group_default admins $USER;",
    faxfinder => 'group_default owner alice;',
);

sub url_of { return 'http://' . $upstream{$_[0]}->address }

my $servers = '';
for my $client (@VENDORS) {
    for my $upstream (@VENDORS) {
        my $more = $default{$upstream} // '';
        $more .= $default{vinyldns}
            if $client eq 'vinyldns' && $upstream ne 'vinyldns';

        $servers .= gateway_server($t, client => $client, open => 1,
            upstream => $upstream, url => url_of($upstream),
            more => $more);
    }
}

$servers .= gateway_server($t, name => 'prefixed', client => 'faxfinder',
    upstream => 'vinyldns', open => 1, url => url_of('vinyldns'),
    more => "group_base_path /fax/v2; $default{vinyldns}");
$servers .= gateway_server($t, name => 'elsewhere', client => 'vinyldns',
    upstream => 'faxfinder', open => 1, url => url_of('faxfinder'),
    more => 'group_upstream_base_path /box/7; group_default owner $http_who;');

$t->nginx(
    http => <<'END',
server_names_hash_bucket_size 128;
large_client_header_buffers 4 16k;
proxy_http_version 1.1;
proxy_set_header Connection "";
END
    servers => $servers,
);

sub call {
    my ($client, $upstream, %option) = @_;
    my @headers = @{delete $option{headers} // []};
    return $t->request(%option, headers => [
        Host => "$client.$upstream", @headers]);
}

# The first call since this was last asked: others that complete the answer
# may follow. $first is it, as a request.
my $first;

sub first_call {
    my ($upstream, $method) = @_;

    ($first) = grep { !$method || $_->{method} eq $method }
        $upstream{$upstream}->requests;
    $upstream{$upstream}->clear;

    return $first ? "$first->{method} $first->{uri}" : 'no call';
}

# What the client is given for this id of the upstream's.
sub client_id {
    my ($client, $upstream, $id) = @_;

    my $answer = $upstream eq 'faxfinder' ? 'alice/' . path_segment($id) : $id;
    utf8::encode($answer) if utf8::is_utf8($answer);

    my %body = group_body($client, {
        name => 'n',
        $client eq 'vinyldns'
        ? (email => 'a@test.com', members => [], admins => []) : (),
    });
    my $r = call($client, $upstream, method => 'POST',
        uri => collection($client), %body,
        headers => [@{$body{headers} // []}, 'X-Answer' => $answer]);

    return 'status ' . $r->status if $r->status !~ /^20[01]$/;
    return ($r->json // {})->{id} // $r->body if $client ne 'faxfinder';

    my $url = $r->xpath('//contact_group_url');
    my ($segment) = $url =~ m{/contact_groups/alice/([^/]+)\z}
        or return "url $url";
    $segment =~ s/%([0-9A-F]{2})/chr hex $1/ge;
    utf8::decode($segment);
    return $segment;
}

# The client's id in a path; what the upstream is called with.
sub back {
    my ($client, $upstream, $segment) = @_;

    $upstream{$upstream}->clear;

    # with one call upstream, whichever vendors these are
    my %option
        = $client eq 'portsip'
        ? (method => 'POST', uri => item($client, "$segment/destroy"))
        : $client eq 'vinyldns'
        ? (uri => item($client, $segment))
        : (method => 'DELETE', uri => item($client, $segment));

    my $answer = $upstream eq 'faxfinder' ? 'alice/1' : 'x';
    my $r = call($client, $upstream, %option,
        headers => ['X-Answer' => $answer]);
    diag('answer: ' . $r->status . ' ' . $r->body) if $r->status !~ /^20/;

    return first_call($upstream);
}

sub call_for {
    my ($client, $upstream, $id) = @_;

    my $get  = $client eq 'vinyldns';
    my $path = item($upstream, path_segment($id));

    return "GET $path" if $get;
    return "POST $path/destroy" if $upstream eq 'portsip';
    return "DELETE $path";
}


subtest "the seeds' PortSIP id is a UUID of version 8 in SignalWire" => sub {
    my $id = 'NzAwNTUxOTA5NzczMTQ4MTYw';

    my $uuid = client_id('signalwire', 'portsip', $id);
    like($uuid, $V8, 'valid, version 8, the right variant');
    is(client_id('signalwire', 'portsip', $id), $uuid, 'the same each time');
    is(back('signalwire', 'portsip', $uuid), "POST /api/groups/$id/destroy",
        'and comes back');
    is(back('signalwire', 'portsip', uc $uuid),
        "POST /api/groups/$id/destroy", 'whatever the case');

    isnt(client_id('signalwire', 'portsip', 'NzAwNTUxOTA5NzczMTUyMjU2'),
        $uuid, 'another id is another UUID');

    # every node says the same: nothing is kept
    $t->reload;
    is(client_id('signalwire', 'portsip', $id), $uuid, 'after a reload');
    is(back('signalwire', 'portsip', $uuid), "POST /api/groups/$id/destroy",
        'and back');
};

subtest 'a PortSIP id with padding is percent-encoded in the path' => sub {

    # 19 digits, 20 digits (the largest of 64 bits), one digit
    for (['1234567890123456789', '=='], ['18446744073709551615', '='],
        ['1', '=='])
    {
        my ($number, $padding) = @$_;
        my $id   = encode_base64($number, '');
        my $uuid = client_id('signalwire', 'portsip', $id);

        like($id,   qr/[^=]$padding\z/, "$id: padded");
        like($uuid, $V8, "$id: a UUID");
        my $encoded = $id =~ s/=/%3D/gr;
        is(back('signalwire', 'portsip', $uuid),
            "POST /api/groups/$encoded/destroy", "$id: comes back");
    }
};

subtest 'a VinylDNS UUID comes back from FaxFinder and PortSIP' => sub {
    my $url = "http://faxfinder.vinyldns/ffws/v1/contact_groups/alice/$UUID";

    my %body = group_body('faxfinder', {name => 'n'});
    my $r = call('faxfinder', 'vinyldns', method => 'POST',
        uri => collection('faxfinder'), %body,
        headers => [@{$body{headers}}, 'X-Answer' => $UUID]);
    is(first_call('vinyldns'), 'POST /groups', 'made');
    is($r->xpath('//contact_group_url'), $url, 'in a contact group URL');

    my ($path) = $url =~ m{^http://[^/]+(/.*)};
    $r = call('faxfinder', 'vinyldns', uri => $path,
        headers => ['X-Answer' => $UUID]);
    is(first_call('vinyldns'), "GET /groups/$UUID", 'that URL, read');
    is($r->xpath('//contact_group_url'), $url, 'is the same URL');

    # VinylDNS goes by the id in the body of an update
    $r = call('faxfinder', 'vinyldns', method => 'PUT', uri => $path,
        group_body('faxfinder', {name => 'new'}));
    is($r->status, 200, 'written');
    is(first_call('vinyldns', 'PUT'), "PUT /groups/$UUID",
        'the same group');
    json_is($first->body, {
        id      => $UUID,
        name    => 'new',
        email   => 'a@test.com',
        members => [{id => $USER}],
        admins  => [{id => $USER}],
    }, 'in the body, too');

    my $id = client_id('portsip', 'vinyldns', $UUID);
    is($id, encode_base64($UUID, ''), 'the base64 of its text in PortSIP');
    is(back('portsip', 'vinyldns', $id), "DELETE /groups/$UUID",
        'and comes back');
};


# All that an upstream may call a group, for each client. "own": it is in the
# client's own form; "any": it just has to come back.

my %ids = (
    signalwire => [$UUID, '6e677267-0100-8000-8000-000000000001',
        '00000000-0000-0000-0000-000000000000'],
    vinyldns => [$UUID, 'history-id', 'global', '1', '007', 'MQ==',
        '18446744073709551615', '18446744073709551616', 'a b', 'a/b', '~x',
        '~', 'äöü', '100%', '%2F', 'a+b=c', '..x', 'x.', '?#', 'a;b:c@d&e$f',
        '6e677267-0100-8000-8000-000000000001',
        '6e677267-0304-8061-8062-630000000000', 'x' x 200],
    faxfinder => ['1', '14', '4294967296', '18446744073709551615'],
    portsip   => ['NzAwNTUxOTA5NzczMTQ4MTYw', 'MQ==', 'MTI=', 'MTIz', 'YWJj',
        'ab+/cd==', '//8=', '++++', 'MR==', 'plain', '123', '~MQ=='],
);

for my $upstream (@VENDORS) {
    for my $client (grep { $_ ne $upstream } @VENDORS) {
        subtest "ids of $upstream in $client and back" => sub {
            my %seen;

            for my $id (@{$ids{$upstream}}) {
                my $show = $id;
                utf8::encode($show);
                $show = substr($show, 0, 40) . '...' if length $show > 43;

                my $ours = client_id($client, $upstream, $id);
                $seen{$ours}++;

                is(back($client, $upstream, path_segment($ours)),
                    call_for($client, $upstream, $id), "id '$show'");

                # other ways to write the same path
                next if $ours !~ /[=+~]/ || $ours =~ m{[^\w=+~-]};
                is(back($client, $upstream, $ours),
                    call_for($client, $upstream, $id),
                    "$show: what need not be encoded");
                my $all = join '', map { sprintf '%%%02x', ord }
                    split //, $ours;
                is(back($client, $upstream, $all),
                    call_for($client, $upstream, $id),
                    "$show: all of it encoded");
            }

            is(scalar(keys %seen), scalar(@{$ids{$upstream}}),
                'each has one of its own');
        };
    }
}

subtest 'the form that a client expects' => sub {
    my $uuid = qr/\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/;

    like(client_id('signalwire', 'faxfinder', '14'), $V8,
        'FaxFinder in SignalWire');
    is(client_id('signalwire', 'vinyldns', $UUID), $UUID,
        'VinylDNS in SignalWire, which is one already');
    like(client_id('signalwire', 'vinyldns', 'global'), $V8,
        'a short word in SignalWire');

    is(client_id('portsip', 'faxfinder', '14'), encode_base64('14', ''),
        'FaxFinder in PortSIP');
    is(client_id('portsip', 'signalwire', $UUID), encode_base64($UUID, ''),
        'SignalWire in PortSIP');

    is(client_id('faxfinder', 'portsip', 'NzAwNTUxOTA5NzczMTQ4MTYw'),
        '700551909773148160', 'PortSIP in FaxFinder, the number inside');
    is(client_id('vinyldns', 'portsip', 'NzAwNTUxOTA5NzczMTQ4MTYw'),
        'NzAwNTUxOTA5NzczMTQ4MTYw', 'PortSIP in VinylDNS, as it is');
    is(client_id('vinyldns', 'faxfinder', '14'), '14',
        'FaxFinder in VinylDNS, as it is');
};

subtest 'the same vendor: an id is nothing to look into' => sub {
    for (
        ['signalwire', uc $UUID],
        ['signalwire', 'not-a-uuid'],
        ['signalwire', '6e677267-0100-8000-8000-000000000001'],
        ['vinyldns',   'history-id'],
        ['vinyldns',   '~a'],
        ['faxfinder',  '4'],
        ['faxfinder',  'x'],
        ['portsip',    'ab+/cd=='],
        ['portsip',    'no base64'],
    ) {
        my ($vendor, $id) = @$_;
        is(back($vendor, $vendor, path_segment($id)),
            call_for($vendor, $vendor, $id), "$vendor: $id");
    }
};


subtest 'slashes' => sub {
    $upstream{vinyldns}->clear;

    is(back('portsip', 'portsip', 'ab%2Fcd'),
        'POST /api/groups/ab%2Fcd/destroy', 'an encoded one is of the id');
    is(back('portsip', 'portsip', 'ab%2fcd'),
        'POST /api/groups/ab%2Fcd/destroy', 'in lower case, too');

    my $r = call('portsip', 'portsip', uri => '/api/groups/ab/cd');
    is($r->status, 404, 'another one is not');

    $upstream{vinyldns}->clear;
    for my $path ('/groups/', '/groups/x/', '/groups/%2E%2E', '/groups/x%00y',
        '/groups/..%2F%2E%2E/x', '/groups%2Fx', '/groups/x%0Ay',
        '/groups/%2E%2E%2F..')
    {
        $r = call('vinyldns', 'vinyldns', uri => $path);
        cmp_ok($r->status, '>=', 400, "$path: refused");
    }
    is(first_call('vinyldns'), 'no call', 'nothing of it upstream');
};

subtest 'contact URLs are taken apart' => sub {
    my $create = sub {
        my ($url, $host) = @_;
        my %body = group_body('faxfinder', {name => 'n', contact => $url});
        $upstream{vinyldns}->clear;
        return $t->request(method => 'POST', %body,
            uri => $host ? '/fax/v2/contact_groups/alice'
                : collection('faxfinder'),
            headers => [@{$body{headers}}, 'X-Answer' => $UUID,
                Host => $host // 'faxfinder.vinyldns']);
    };
    my $member = sub {
        return first_call('vinyldns') eq 'no call' ? 'no call'
            : $first->json->{members}[0]{id};
    };

    for (
        ["https://dot3/ffws/v1/contacts/alice/$USER", $USER],
        ['https://dot3/ffws/v1/contacts/alice/23', '23'],
        ['http://dot3:8080/ffws/v1/contacts/alice/23', '23'],
        ['https://[::1]:8443/ffws/v1/contacts/alice/23', '23'],
        ['https://dot3/ffws/v1/contacts/global_contact_list/3',
            'global_contact_list/3'],
        ['https://dot3/ffws/v1/contacts/bob/3', 'bob/3'],
        ['https://dot3/ffws/v1/contacts/al%69ce/23', '23'],
        ['https://dot3/ffws/v1/contacts/alice/a%20b', 'a b'],
        ['https://dot3/ffws/v1/contacts/alice/a%2Fb', 'alice/a/b'],
    ) {
        my ($url, $id) = @$_;
        is($create->($url)->status, 200, $url);
        is($member->(), $id, 'its id');
    }

    for my $url ('', '23', 'dot3/ffws/v1/contacts/alice/23',
        '/ffws/v1/contacts/alice/23',
        'https://dot3/ffws/v1/contacts/alice/',
        'https://dot3/ffws/v1/contacts/alice',
        'https://dot3/ffws/v1/contacts//23',
        'https://dot3/ffws/v1/contacts/alice/23/',
        'https://dot3/ffws/v1/contacts/alice/23/4',
        'https://dot3/ffws/v1/contacts/alice/23?x=1',
        'https://dot3/ffws/v1/contacts/alice/23#x',
        'https://dot3/ffws/v1/contact_groups/alice/23',
        'https://dot3/ffws/v2/contacts/alice/23',
        'https://dot3/contacts/alice/23',
        'https://dot3/ffws/v1/contacts/alice/%zz',
        'https://dot3/ffws/v1/contacts/alice/%00',
        'https://dot3/ffws/v1/contacts/alice/%0A',
        'https://dot3/ffws/v1/contacts/alice/%FF',
        'https://dot3/ffws/v1/contacts/alice/%2E%2E',
        'https://dot3/ffws/v1/contacts/../23',
        'https://dot3/ffws/v1/contacts/a%2Fb/23')
    {
        my $r = $create->($url);
        is($r->status, 400, "'$url': refused");
        like($r->xpath('/response/message'), qr/contact\[0\]|members\[0\]/,
            'naming the field');
        is($member->(), 'no call', 'nothing upstream');
    }

    my $r = $create->('https://dot3/fax/v2/contacts/alice/9', 'prefixed');
    is($r->status,  200, 'below another base path');
    is($member->(), '9', 'its id');
    xml_is($r->body, [response => [
        [message       => 'Created'],
        [contact_group => [
            [contact_group_url =>
                    "http://prefixed/fax/v2/contact_groups/alice/$UUID"],
            [name    => 'n'],
            [contact => "http://prefixed/fax/v2/contacts/alice/$USER"],
        ]],
    ]], 'and what is answered is below it');
};

subtest 'contact URLs are built' => sub {
    my $create = sub {
        my ($host, $members, @headers) = @_;
        $upstream{faxfinder}->clear;
        return $t->request(method => 'POST', uri => '/groups',
            headers => [Host => $host, @headers], json => {
                name    => 'n',
                email   => 'a@test.com',
                members => [map { {id => $_} } @$members],
                admins  => [],
            });
    };

    my $origin = url_of('faxfinder');

    my $r = $create->('vinyldns.faxfinder',
        ['23', 'global_contact_list/3', 'bob/4', 'a b', 'x?y'],
        'X-Answer'  => 'alice/14',
        'X-Members' => 'alice/23 global_contact_list/3 bob/4 alice/a%20b');

    is($upstream{faxfinder}->last->uri, '/ffws/v1/contact_groups/alice',
        'path');
    xml_is($upstream{faxfinder}->last->body, [contact_group => [
        [name => 'n'],
        map { [contact => "$origin/ffws/v1/contacts/$_"] }
            qw(alice/23 global_contact_list/3 bob/4 alice/a%20b alice/x%3Fy)
    ]], 'of the upstream that they go to');

    is($r->json->{id}, '14', 'the id from the URL that came back');
    is_deeply($r->json->{members},
        [map { {id => $_} } '23', 'global_contact_list/3', 'bob/4', 'a b'],
        'those of other containers have their name before them');

    $r = $create->('elsewhere', ['23'], Who => 'al ice',
        'X-Answer' => 'al%20ice/14');
    is($upstream{faxfinder}->last->uri, '/box/7/contact_groups/al%20ice',
        'another base path, an odd container');
    xml_is($upstream{faxfinder}->last->body, [contact_group => [
        [name => 'n'], [contact => "$origin/box/7/contacts/al%20ice/23"],
    ]], 'in the body, too');
};

subtest 'containers' => sub {
    $upstream{faxfinder}->clear;

    for (['bob', 'bob'], ['global_contact_list', 'global_contact_list'],
        ['a%20b', 'a%20b'], ['a%2Fb', 'a%2Fb'], ['%C3%A4', '%C3%A4'])
    {
        my ($sent, $path) = @$_;
        my $r = call('faxfinder', 'faxfinder', uri => item('faxfinder', 7,
                $sent), headers => ['X-Answer' => "$sent/7"]);
        is(first_call('faxfinder'), "GET /ffws/v1/contact_groups/$path/7",
            $sent);
    }

    # who says nothing gets the one that is configured; who says one, that one
    my $r = $t->request(method => 'POST', uri => '/groups', headers => [
        Host => 'elsewhere', Who => 'carol', 'X-Answer' => 'carol/14',
    ], json => {name => 'n', email => 'a@test.com', members => [],
        admins => []});
    is(first_call('faxfinder'), 'POST /box/7/contact_groups/carol',
        'from a variable');

    $upstream{faxfinder}->clear;
    $r = $t->request(method => 'POST', uri => '/groups', headers => [
        Host => 'elsewhere'], json => {name => 'n', email => 'a@test.com',
        members => [], admins => []});
    is($r->status, 400, 'none');
    json_is($r->body, {errors => ['Missing Group.owner']}, 'is named');

    for my $who ('..', '.') {
        $r = $t->request(method => 'POST', uri => '/groups', headers => [
            Host => 'elsewhere', Who => $who], json => {name => 'n',
            email => 'a@test.com', members => [], admins => []});
        is($r->status, 400, "'$who' is not one");
    }
    is(first_call('faxfinder'), 'no call', 'nothing upstream');
};


# Members have ids of their own: a phone number of SignalWire is a UUID, an
# extension of PortSIP is digits.

subtest 'a phone number of SignalWire is a member of PortSIP' => sub {
    my $group = encode_base64($UUID, '');
    my $path  = '/api/groups/' . path_segment($group) . "/members/$USER";

    $upstream{signalwire}->clear;
    my $r = call('portsip', 'signalwire', method => 'POST', uri => $path,
        headers => ['X-Answer' => $UUID]);
    is($r->status, 200, 'added');
    is($r->body, '', 'and no more');
    is(first_call('signalwire'), 'POST /api/relay/rest/number_groups/'
            . "$UUID/number_group_memberships", 'the group');
    json_is($first->body, {phone_number_id => $USER},
        'the number');
};

# Whether one call is enough is the gateway's to know, but nothing else than
# this must be sent.
subtest 'an extension of PortSIP is a phone number of SignalWire' => sub {
    $upstream{portsip}->clear;

    my $group = client_id('signalwire', 'portsip', 'MQ==');
    my $r = call('signalwire', 'portsip', method => 'POST',
        uri  => item('signalwire', $group) . '/number_group_memberships',
        json => {phone_number_id => '6e677267-0100-8000-8000-000000000065'});

    my @calls = map { "$_->{method} $_->{uri}" } grep {
        $_->uri ne '/api/groups'
    } $upstream{portsip}->requests;

    if ($r->status == 501) { is_deeply(\@calls, [], 'no call') }
    else {
        is($r->status, 200, 'added');
        is($calls[0], 'POST /api/groups/MQ%3D%3D/members/101',
            'the extension inside');
    }

    # a text of one byte, which is no character; and NUL
    for ('6e677267-0301-80ff-8000-000000000000',
        '6e677267-0301-8000-8000-000000000000')
    {
        $upstream{portsip}->clear;
        $r = call('signalwire', 'portsip', method => 'POST',
            uri  => item('signalwire', $group) . '/number_group_memberships',
            json => {phone_number_id => $_});
        is($r->status, 422, "$_: refused");
        is(first_call('portsip'), 'no call', 'nothing upstream');
    }
};

$t->stop;
done_testing;
