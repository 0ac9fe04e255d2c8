# A group made through each vendor's API in each vendor's product, end to end:
# the client's own bytes and authentication, what the upstream got, and what
# the client was told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_decode json_encode);
use Test::Gateway::Vendors qw(
    @VENDORS answer_is client_secrets collection gateway_server group_body
    item json_is sign_in upstream_auth xml_is
);

my $OK   = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';
my $UUID = qr/[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}
    -[0-9a-f]{12}/x;
my $TIME = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my $t = Test::Gateway->new;

# strict: a field that the vendor's documents do not have is refused
my %emulator = (
    signalwire => $t->emulator('signalwire', 'no-unknown-fields' => undef),
    vinyldns   => $t->emulator('vinyldns', 'no-unknown-fields' => undef,
        domain => 'example.com'),
    faxfinder => $t->emulator('faxfinder', 'no-unknown-fields' => undef),
    portsip   => $t->emulator('portsip', 'no-unknown-fields' => undef),
);

# what an upstream requires and clients of other vendors cannot say
my %default = (
    signalwire => '',
    vinyldns   => "group_default email ops\@example.com;
        group_default members $OK dummy001;
        group_default admins $OK;",
    faxfinder => 'group_default owner alice;',
    portsip   => '',
);

my $servers = '';

for my $client (@VENDORS) {
    for my $upstream (@VENDORS) {
        my %server = (
            client   => $client,
            upstream => $upstream,
            url      => $emulator{$upstream}->url,
        );
        my $name = "$client.$upstream";
        my $default = $default{$upstream};

        $servers .= gateway_server($t, %server, more => $default)
            . gateway_server($t, %server, name => "$name.bare")
            . gateway_server($t, %server, name => "$name.reject",
                more => "$default group_loss reject;")
            . gateway_server($t, %server, name => "$name.ignore",
                more => "$default group_loss ignore;");
    }
}

$servers .= gateway_server($t, name => 'hook', client => 'signalwire',
    upstream => 'vinyldns', url => $emulator{vinyldns}->url,
    more => 'group_policy ' . $t->write_file('hook.lua', <<"END") . ';');
local policy = {}
function policy.request(ctx)
    ctx.group.email = "hook\@example.com"
    ctx.group.members = { { id = "dummy005" } }
    ctx.group.admins = { { id = "dummy005" } }
end
return policy
END

$t->nginx(
    http => <<'END',
server_names_hash_bucket_size 128;
proxy_http_version 1.1;
proxy_set_header Connection "";
END
    servers => $servers,
);

my $calls = 0;

# A request of a client of one vendor to the gateway in front of another.
sub call {
    my ($client, $upstream, %option) = @_;

    $calls++;
    my @headers = @{delete $option{headers} // []};
    unshift @headers, Host => "$client.$upstream"
        if !grep { $_ eq 'Host' } @headers;

    return $t->request(
        sign_in($client), %option,
        headers => [
            Cookie                => 'client-cookie=1',
            'Proxy-Authorization' => 'Basic client-proxy',
            'Accept-Encoding'     => 'gzip',
            @headers,
        ],
    );
}

sub create {
    my ($client, $upstream, $group, %option) = @_;

    $emulator{$upstream =~ s/\..*//r}->clear;
    return call($client, $upstream, method => 'POST',
        uri => collection($client), group_body($client, $group), %option);
}

# The one call that a vendor's emulator got, looked at as bytes.
sub sent_is {
    my ($client, $upstream, $owner, $expected) = @_;

    my @journal = $emulator{$upstream}->journal;
    is(scalar(@journal), 1, 'one call upstream') or return;

    my $got     = $journal[0];
    my $headers = $got->{headers};
    my $body    = $got->{body};
    utf8::encode($body);

    is("$got->{method} $got->{target}",
        'POST ' . collection($upstream, $owner), 'method and path');
    is($got->{version}, '1.1', 'version');

    # nothing of the client's: each header is one that the gateway made
    is_deeply([sort keys %$headers], [
        qw(accept authorization content-length content-type host),
        $upstream eq 'vinyldns' ? 'x-amz-date' : ()
    ], 'headers');

    my $type = $upstream eq 'faxfinder' ? 'application/xml'
        : 'application/json';
    is($headers->{'content-type'}, $type, 'media type');
    is($headers->{accept}, $type, 'and the one that is asked for');
    is($headers->{host}, $emulator{$upstream}->address, 'host');
    is($headers->{'content-length'}, length $body, 'length');

    my $auth = upstream_auth($t, $upstream);
    ref $auth
        ? like($headers->{authorization}, $auth, "the gateway's own sign-in")
        : is($headers->{authorization}, $auth, "the gateway's own sign-in");

    my $all   = json_encode($got);
    my @seen = grep { index($all, $_) >= 0 } client_secrets($t),
        'client-cookie', 'client-proxy';
    is_deeply(\@seen, [], "nothing of the client's credentials");

    return $upstream eq 'faxfinder' ? xml_is($body, $expected, 'body')
        : json_is($body, $expected, 'body');
}

# The id in an answer to a create, as the client would use it in a path.
sub id_of {
    my ($client, $r) = @_;
    return $r->json->{id} if $client ne 'faxfinder';
    return $r->xpath('//contact_group_url') =~ s{.*/}{}r;
}


# What each client sends, with all that its vendor's API can say but members,
# which not all upstreams take together with the group.

my %group = (
    signalwire => {name => "Caf\x{e9} \x{260e}", sticky_sender => $true},
    vinyldns   => {
        name        => 'some-group',
        email       => 'test@example.com',
        description => 'an "example" & <group>',
        members     => [],
        admins      => [],
    },
    faxfinder => {
        name        => 'New Group from API & co',
        description => 'Can I create <one> from the API',
    },
    portsip => {
        name                => 'text',
        outbound_caller_ids => [{
            provider_id => 'NzAwNTUxOTA5NzczMTQ4MTYw',
            caller_id   => 'text',
            description => 'caller',
        }],
        description => 'text of the group',
    },
);

# what of it an upstream cannot carry
my %lost = (
    signalwire => {
        vinyldns  => ['sticky_sender'],
        faxfinder => ['sticky_sender'],
        portsip   => ['sticky_sender'],
    },
    vinyldns => {
        signalwire => [qw(description email)],
        faxfinder  => ['email'],
        portsip    => ['email'],
    },
    faxfinder => {
        signalwire => ['description'],
        vinyldns   => [],
        portsip    => [],
    },
    portsip => {
        signalwire => [qw(description outbound_caller_ids)],
        vinyldns   => ['outbound_caller_ids'],
        faxfinder  => ['outbound_caller_ids'],
    },
);

# The body that the upstream is to get.
sub upstream_body {
    my ($client, $upstream) = @_;

    my $group = $group{$client};
    my ($name, $description) = @$group{qw(name description)};

    if ($upstream eq 'faxfinder') {
        return [contact_group => [
            [name => $name],
            defined $description ? [description => $description] : (),
        ]];
    }

    return $group if $client eq $upstream;
    return {name => $name} if $upstream eq 'signalwire';

    my @description = defined $description
        ? (description => $description) : ();

    return {name => $name, @description} if $upstream eq 'portsip';

    return {
        name    => $name,
        email   => 'ops@example.com',
        members => [{id => $OK}, {id => 'dummy001'}],
        admins  => [{id => $OK}],
        @description,
    };
}

# The answer that the client is to get; $id and $created stand for what the
# upstream made up.
sub client_answer {
    my ($client, $upstream, $id, $created) = @_;

    my $group   = $group{$client};
    my @members = $upstream eq 'vinyldns' ? ($OK, 'dummy001') : ();

    return {
        id                 => $id,
        name               => $group->{name},
        sticky_sender      => $true,
        phone_number_count => scalar @members,
    } if $client eq 'signalwire';

    return {id => $id} if $client eq 'portsip';

    # the description is lost in SignalWire; email and admins are, too, but an
    # answer of VinylDNS has to have them
    my @description = $upstream eq 'signalwire'
        ? () : ($group->{description});

    return {
        id      => $id,
        name    => $group->{name},
        email   => $group->{email},
        created => $created,
        status  => 'Active',
        members => [],
        admins  => [],
        @description ? (description => $description[0]) : (),
    } if $client eq 'vinyldns';

    my $at = "http://$client.$upstream/ffws/v1";
    return [response => [
        [message => 'Created'],
        [contact_group => [
            [contact_group_url => "$at/contact_groups/alice/$id"],
            [name              => $group->{name}],
            (map { [description => $_] } @description),
            (map { [contact => "$at/contacts/alice/$_"] } @members),
        ]],
    ]];
}

for my $client (@VENDORS) {
    for my $upstream (grep { $_ ne $client } @VENDORS) {

        subtest "a group of $client is made in $upstream" => sub {
            my $r = create($client, $upstream, $group{$client});

            sent_is($client, $upstream, 'alice',
                upstream_body($client, $upstream));

            my $id = id_of($client, $r) // '';

            my $form
                = $client eq 'signalwire' || $client eq 'faxfinder'
                    && $upstream =~ /^(?:signalwire|vinyldns)$/
                ? qr/\A$UUID\z/
                : $client eq 'faxfinder' ? qr/\A\d+\z/
                : $client eq 'portsip'   ? qr/\A[A-Za-z0-9+\/]+=*\z/
                :                          qr/\A[\w=+-]+\z/;
            like($id, $form, 'the id has the form that the client expects');

            my $created = ($r->json // {})->{created};
            like($created, $TIME, 'the time is as VinylDNS writes it')
                if $client eq 'vinyldns';

            answer_is($r, $client, $client eq 'portsip' ? 201 : 200,
                client_answer($client, $upstream, $id, $created), 'answer');

            my @lost = @{$lost{$client}{$upstream}};
            is_deeply(
                [sort split /, /, $r->header('Group-Lost') // ''],
                \@lost, 'Group-Lost'
            );

            my $log = ($t->access($calls))[-1];
            is($log->{lost}, ($r->header('Group-Lost') // '') =~ tr/,//dr,
                '$group_lost');
        };
    }
}

subtest 'a group of each vendor is made in its own product' => sub {
    for my $vendor (@VENDORS) {
        my $group = $vendor eq 'vinyldns'
            ? {%{$group{vinyldns}}, members => [{id => 'dummy002'}],
                admins => [{id => $OK}]}
            : $group{$vendor};

        my $r = create($vendor, "$vendor.bare", $group);

        local $group{$vendor} = $group;
        sent_is($vendor, $vendor, 'alice', upstream_body($vendor, $vendor));

        is($r->status, $vendor eq 'portsip' ? 201 : 200, "$vendor: status");
        is($r->header('Group-Lost'), undef, "$vendor: nothing is lost");
    }
};

# A second client that signs in rightly, but not to this vendor.
subtest 'each vendor has its own sign-in' => sub {
    for my $client (@VENDORS) {
        for my $other (grep { $_ ne $client } @VENDORS) {
            my ($one, $two) = map { my %o = sign_in($_); (keys %o)[0] }
                $client, $other;
            next if $one eq $two;

            $emulator{$client}->clear;
            my $r = $t->request(
                method => 'POST', uri => collection($client),
                group_body($client, $group{$client}), sign_in($other),
                headers => [
                    Host => "$client.$client",
                    'Content-Type' => $client eq 'faxfinder'
                    ? 'application/xml' : 'application/json',
                ],
            );
            is($r->status, 401, "$other\'s at $client");
            is(scalar($emulator{$client}->journal), 0, 'nothing upstream');
        }
    }
};


subtest 'members go along where the upstream takes them' => sub {
    my $r = create('vinyldns', 'faxfinder', {
        name    => 'with-members',
        email   => 'test@example.com',
        members => [{id => 3}, {id => 'global_contact_list/4'}],
        admins  => [{id => 3}],
    });
    is($r->status, 400, 'an id that is no string: refused');

    $r = create('vinyldns', 'faxfinder', {
        name        => 'with-members',
        email       => 'test@example.com',
        description => 'members',
        members     => [{id => '3'}, {id => 'global_contact_list/4'}],
        admins      => [{id => '3'}],
    });

    my $at = $emulator{faxfinder}->url . '/ffws/v1/contacts';
    sent_is('vinyldns', 'faxfinder', 'alice', [contact_group => [
        [name        => 'with-members'],
        [description => 'members'],
        [contact     => "$at/alice/3"],
        [contact     => "$at/global_contact_list/4"],
    ]]);

    my $data = $r->json // {};
    answer_is($r, 'vinyldns', 200, {
        id          => $data->{id},
        name        => 'with-members',
        email       => 'test@example.com',
        description => 'members',
        created     => $data->{created},
        status      => 'Active',
        members     => [{id => '3'}, {id => 'global_contact_list/4'}],
        admins      => [{id => '3'}],
    }, 'VinylDNS in FaxFinder');
    is($r->header('Group-Lost'), 'email, admins', 'admins are lost');

    $at = 'https://pbx.example/ffws/v1/contacts';
    $r  = create('faxfinder', 'vinyldns', {
        name    => 'with-contacts',
        contact => ["$at/alice/dummy003", "$at/alice/dummy004"],
    });

    # the members of the request, and not the default ones
    sent_is('faxfinder', 'vinyldns', undef, {
        name    => 'with-contacts',
        email   => 'ops@example.com',
        members => [{id => 'dummy003'}, {id => 'dummy004'}],
        admins  => [{id => $OK}],
    });

    # VinylDNS makes members of administrators
    $at = 'http://faxfinder.vinyldns/ffws/v1';
    answer_is($r, 'faxfinder', 200, [response => [
        [message       => 'Created'],
        [contact_group => [
            [contact_group_url => "$at/contact_groups/alice/"
                    . id_of('faxfinder', $r)],
            [name => 'with-contacts'],
            map { [contact => "$at/contacts/alice/$_"] }
                qw(dummy003 dummy004), $OK
        ]],
    ]], 'FaxFinder in VinylDNS');
    is($r->header('Group-Lost'), undef, 'nothing is lost');
};

subtest 'a hook says what the client cannot' => sub {
    $emulator{vinyldns}->clear;
    my $r = call('signalwire', '', headers => [Host => 'hook'],
        method => 'POST', uri => collection('signalwire'),
        json => {name => 'hooked'});

    sent_is('signalwire', 'vinyldns', undef, {
        name    => 'hooked',
        email   => 'hook@example.com',
        members => [{id => 'dummy005'}],
        admins  => [{id => 'dummy005'}],
    });
    is($r->status, 200, 'status');
    is($r->json->{phone_number_count}, 2, 'the hook\'s and the caller');
};

# Nothing may be half done: a group without its members is not the one that
# was asked for. What works is in plans.t.
subtest 'members that the upstream does not know leave nothing behind' => sub {
    my %with = (
        vinyldns => {
            name    => 'half',
            email   => 'test@example.com',
            members => [{id => 'dummy001'}],
            admins  => [],
        },
        faxfinder => {
            name    => 'half',
            contact => ['https://dot3/ffws/v1/contacts/alice/23'],
        },
    );
    my %member = (vinyldns => 'dummy001', faxfinder => '23');

    for my $upstream (qw(signalwire portsip)) {
        for my $client (qw(vinyldns faxfinder)) {
            my $r = create($client, $upstream, $with{$client});
            like($r->status, qr/\A4\d\d\z/, "$client in $upstream");
            like($r->body, qr/\b$member{$client}\b/, 'the member is named');

            my @calls = $emulator{$upstream}->journal;
            is(scalar(@calls), 3, 'made, tried, undone');
            like("$calls[2]{method} $calls[2]{path}",
                qr{DELETE|POST .*/destroy\z}, 'undone');
        }
    }
};

subtest 'administrators are lost where there are none' => sub {
    my $r = create('vinyldns', 'portsip', {
        name    => 'admins',
        email   => 'test@example.com',
        members => [],
        admins  => [{id => 'dummy001'}],
    });
    is($r->status, 200, 'status');
    is($r->header('Group-Lost'), 'email, admins', 'Group-Lost');
    json_is(($emulator{portsip}->journal)[0]{body}, {name => 'admins'},
        'upstream');
};

subtest 'empty values are not lost, and null is absent' => sub {
    my $r = create('vinyldns', 'signalwire', {
        name    => 'empty',  email => 'test@example.com',
        members => [], admins => [], description => '',
    });
    is($r->header('Group-Lost'), 'email', 'an empty description');

    $r = create('portsip', 'signalwire', {
        name => 'null', description => undef, outbound_caller_ids => undef,
    });
    is($r->status, 201, 'null');
    is($r->header('Group-Lost'), undef, 'nothing is lost');
    json_is(($emulator{signalwire}->journal)[0]{body}, {name => 'null'},
        'nor sent');

    $r = create('portsip', 'signalwire', {
        name => 'none', outbound_caller_ids => [],
    });
    is($r->header('Group-Lost'), undef, 'an empty list');
};

subtest 'group_loss' => sub {
    my $r = create('signalwire', 'faxfinder.reject', {
        name => 'x', sticky_sender => $true,
    });
    answer_is($r, 'signalwire', 422, {errors => [{
        detail => $r->json->{errors}[0]{detail},
        status => '422',
        title  => 'Invalid Attribute',
        code   => 'invalid_parameter',
    }]}, 'reject');
    like($r->json->{errors}[0]{detail}, qr/sticky_sender/, 'naming it');
    is(scalar($emulator{faxfinder}->journal), 0, 'nothing upstream');

    is(create('signalwire', 'faxfinder.reject', {name => 'x'})->status, 200,
        'reject, and nothing to lose');

    $r = create('portsip', 'signalwire.ignore', $group{portsip});
    is($r->status, 201, 'ignore');
    is($r->header('Group-Lost'), undef, 'without a word');
};


# What an upstream requires and nothing fills.

sub refused_is {
    my ($client, $upstream, $group, @fields) = @_;

    my $r = create($client, "$upstream.bare", $group);

    if ($client eq 'signalwire') {
        answers($r, $client, 422, {errors => [map { {
            detail => ucfirst($_) . q{ can't be blank},
            status => '422',
            title  => 'Invalid Attribute',
            code   => 'missing_required_parameter',
        } } @fields]});
    }
    elsif ($client eq 'vinyldns') {
        answers($r, $client, 400, {errors => [map { "Missing Group.$_" }
            @fields]});
    }
    elsif ($client eq 'faxfinder') {
        is($r->status, 400, "$client in $upstream: status");
        my $text = $r->xpath('/response/message');
        like($text, qr/\b$_\b/, "$client in $upstream: $_ is named")
            for @fields;
    }
    else {
        answers($r, $client, 400, {errors => [{
            code    => 'VALIDATE_FAILED',
            message => 'field validation failed',
            detail  => [map { {
                field   => $_,
                code    => 'missing',
                message => "$_ is required",
            } } @fields],
        }]});
    }

    is(scalar($emulator{$upstream}->journal), 0, 'nothing upstream');
    return;
}

sub answers {
    my ($r, $client, $status, $expected) = @_;
    return answer_is($r, $client, $status, $expected,
        "$client, what is missing");
}

subtest 'what the upstream requires and nobody says is invalid' => sub {
    for my $client (qw(signalwire faxfinder portsip)) {
        refused_is($client, 'vinyldns', $group{$client},
            qw(email members admins));
    }

    for my $client (qw(signalwire vinyldns portsip)) {
        refused_is($client, 'faxfinder', $group{$client}, 'owner');
    }

    # PortSIP's schema requires nothing, the others' do
    my $nameless = {description => 'no name'};
    refused_is('portsip', 'signalwire', $nameless, 'name');
    refused_is('portsip', 'vinyldns', $nameless,
        qw(name email members admins));
    refused_is('portsip', 'faxfinder', $nameless, qw(owner name));
};

# One vendor's limits are checked when another's client is served.
subtest 'what breaks the rules of the upstream is invalid' => sub {
    my $r = create('signalwire', 'portsip', {name => 'n' x 65});
    is($r->status, 422, 'a name longer than PortSIP takes');
    is($r->json->{errors}[0]{detail},
        'Name is too long (maximum is 64 characters)', 'and why');
    is(scalar($emulator{portsip}->journal), 0, 'nothing upstream');

    is(create('signalwire', 'portsip', {name => "\x{e9}" x 64})->status, 200,
        'characters are counted, not bytes');

    $r = create('portsip', 'vinyldns', {name => '   '});
    is($r->status, 400, 'a blank name for VinylDNS');
    is($r->json->{errors}[0]{detail}[0]{field}, 'name', 'and which field');
    is(scalar($emulator{vinyldns}->journal), 0, 'nothing upstream');

    $r = create('portsip', 'faxfinder', {name => "bell\x07"});
    is($r->status, 400, 'a character that XML cannot carry');
    is($r->json->{errors}[0]{detail}[0]{field}, 'name', 'and which field');
    is(scalar($emulator{faxfinder}->journal), 0, 'nothing upstream');
};


# What an upstream refuses, in its own words, and what that is to a client.

# status => [body as the vendor has it, the text in it]
my %error = (
    signalwire => {
        400 => ['{"error":"Bad Request"}'],
        403 => ['{"error":"Forbidden"}'],
        404 => ['{"error":"Not Found"}'],
        409 => ['{"error":"Conflict"}'],
        422 => [json_encode({errors => [{
            detail => 'Name has already been taken',
            status => '422',
            title  => 'Invalid Attribute',
            code   => 'value_not_unique',
        }]}), 'Name has already been taken'],
        500 => ['{"error":"Internal Server Error"}'],
    },
    vinyldns => {
        400 => ['"Please enter a valid Email."',
            'Please enter a valid Email.'],
        403 => ['"Not authorized"', 'Not authorized'],
        404 => ['"Users [ x ] were not found"', 'Users [ x ] were not found'],
        409 => ['"Group with name n already exists."',
            'Group with name n already exists.'],
        422 => ['{"errors":["One","Two"]}', 'One; Two'],
        500 => ['There was an internal server error.', undef, 'text/plain'],
    },
    faxfinder => {map {
        my ($status, $text) = @$_;
        ($status => ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                . "<response><message>$text</message></response>\n", $text]);
    } [400, 'Not valid'], [403, 'Not yours'], [404, 'No such user'],
        [409, 'Taken'], [422, 'Not good'], [500, 'Broken']},
    portsip => {map {
        my ($status, $text) = @$_;
        ($status => [json_encode({errors => [{
            code => 'UNKNOWN', message => $text}]}), $text]);
    } [400, 'not valid'], [403, 'not yours'], [404, 'unknown id'],
        [409, 'in use'], [422, 'not good'], [500, 'broken']},
);

# [status, media type unless its own, body] in the client's dialect
my %told = (
    signalwire => sub {
        my ($status, $text, $malformed) = @_;

        my $item = sub {
            my ($code) = @_;
            return [422, {errors => [{
                detail => $text // 'Unprocessable Entity',
                status => '422',
                title  => 'Invalid Attribute',
                code   => $code,
            }]}];
        };

        return [400, {error => 'Bad Request'}] if $malformed;
        return $item->('value_not_unique')  if $status == 409;
        return $item->('invalid_parameter') if $status =~ /^4[02][02]$/;
        return [$status, {error => {
            403 => 'Forbidden',
            404 => 'Not Found',
            500 => 'Internal Server Error',
        }->{$status}}];
    },
    vinyldns => sub {
        my ($status, $text, $malformed) = @_;

        return [500, 'There was an internal server error.', 'text']
            if $status == 500;
        return [400, "The request content was malformed:\nBad Request",
            'text'] if $malformed;

        # the vendor's clients know this sentence
        return [409, 'Group with name err already exists. '
                . 'Please try a different name.'] if $status == 409;
        return [$status == 422 ? 400 : $status, $text // {
            403 => 'Forbidden', 404 => 'Not Found'}->{$status}];
    },
    faxfinder => sub {
        my ($status, $text) = @_;

        $status = 400               if $status == 422;
        $text   = undef             if $status == 403 || $status == 500;
        $text //= {
            400 => 'Bad Request', 403 => 'Forbidden', 404 => 'Not Found',
            409 => 'Conflict', 500 => 'Internal Server Error',
        }->{$status};
        return [$status, [response => [[message => $text]]]];
    },
    portsip => sub {
        my ($status, $text, $malformed) = @_;

        my %reason = (
            400 => 'Bad Request', 403 => 'Forbidden', 404 => 'Not Found',
            409 => 'Conflict',    500 => 'Internal Server Error',
        );
        my $error = sub { {errors => [{code => $_[0], message => $_[1]}]} };

        return [400, $error->('VALIDATE_FAILED', $reason{400})]
            if $malformed;
        return [400, undef, $text // $reason{400}]
            if $status == 400 || $status == 422;
        return [403, $error->('UNAUTHORIZED', $text // $reason{403})]
            if $status == 403;
        return [500, $error->('UNKNOWN', $reason{500})] if $status == 500;
        return [$status, $error->('UNKNOWN', $text // $reason{$status})];
    },
);

for my $upstream (@VENDORS) {
    subtest "errors of $upstream in the words of the others" => sub {
        for my $status (sort keys %{$error{$upstream}}) {
            my ($body, $text, $type) = @{$error{$upstream}{$status}};
            my $malformed = $upstream eq 'signalwire' && $status == 400;

            $type //= $upstream eq 'faxfinder' ? 'application/xml'
                : 'application/json';

            for my $client (grep { $_ ne $upstream } @VENDORS) {
                $emulator{$upstream}->fault({
                    status       => $status,
                    body         => $body,
                    content_type => $type,
                });

                my $r = create($client, $upstream,
                    {%{$group{$client}}, name => 'err'});
                my $name = "$status in $client";
                is(scalar($emulator{$upstream}->journal), 1,
                    "$name: one call");

                my ($told, $expected, $more)
                    = @{$told{$client}->($status, $text, $malformed)};

                if (($more // '') eq 'text') {
                    is($r->status, $told, "$name: status");
                    is($r->header('Content-Type'),
                        'text/plain; charset=UTF-8', "$name: family C");
                    is($r->body, $expected, "$name: body");
                }
                elsif (!defined $expected) {

                    # PortSIP's detail may be any JSON, or absent
                    is($r->status, $told, "$name: status");
                    my $error = ($r->json // {})->{errors}[0];
                    is($error->{code}, 'VALIDATE_FAILED', "$name: code");
                    like(json_encode([@$error{qw(message detail)}]),
                        qr/"\Q$more\E"/, "$name: the upstream's words");
                }
                else { answer_is($r, $client, $told, $expected, $name) }

                is($r->header('Content-Length'), length $r->body,
                    "$name: length");
            }
        }
    };
}

subtest "a vendor's own errors come back as they are" => sub {
    for my $vendor (@VENDORS) {
        for my $status (grep { $_ < 500 } sort keys %{$error{$vendor}}) {
            my ($body) = @{$error{$vendor}{$status}};
            my $type = $vendor eq 'faxfinder' ? 'application/xml'
                : 'application/json; charset=utf-8';

            $emulator{$vendor}->fault({status => $status, body => $body,
                content_type => $type});

            my $r = create($vendor, "$vendor.bare", $group{$vendor});
            is_deeply(
                [$r->status, $r->header('Content-Type'), $r->body],
                [$status, $type, $body], "$vendor, $status"
            );
        }
    }
};

# What the emulators refuse of their own accord.
subtest 'real refusals' => sub {
    my $name = 'taken';
    is(create('signalwire', 'vinyldns', {name => $name})->status, 200,
        'a group in VinylDNS');

    my $text = "Group with name $name already exists. Please try a different "
        . 'name or contact ops@example.com to be added to the group.';

    answer_is(create('signalwire', 'vinyldns', {name => $name}), 'signalwire',
        422, {errors => [{
            detail => $text,
            status => '422',
            title  => 'Invalid Attribute',
            code   => 'value_not_unique',
        }]}, 'a name that is taken, SignalWire');
    answer_is(create('portsip', 'vinyldns', {name => $name}), 'portsip', 409,
        {errors => [{code => 'UNKNOWN', message => $text}]},
        'a name that is taken, PortSIP');
    answer_is(create('faxfinder', 'vinyldns', {name => $name}), 'faxfinder',
        409, [response => [[message => $text]]],
        'a name that is taken, FaxFinder');

    my $at = 'https://dot3/ffws/v1/contacts/alice';
    answer_is(
        create('faxfinder', 'vinyldns',
            {name => 'unknown', contact => ["$at/nobody"]}),
        'faxfinder', 404,
        [response => [[message => 'Users [ nobody ] were not found']]],
        'a member that VinylDNS does not know'
    );
};

# Only the gateway is to blame when the upstream does not let it in.
subtest "the gateway's own sign-in is refused" => sub {
    for my $client (@VENDORS) {
        my ($upstream) = grep { $_ ne $client } @VENDORS;
        $emulator{$upstream}->fault({
            status => 401, body => '{"error":"Unauthorized"}',
            content_type => 'application/json',
        });

        my $r = create($client, $upstream, $group{$client});
        is($r->status, 502, "$client: 502 and not 401");
        is($r->header('WWW-Authenticate'), undef, 'no challenge');
    }
};


# Reading needs one call only where the upstream's answer has all that the
# client's requires.

subtest 'made through SignalWire in VinylDNS, read by all' => sub {
    $emulator{vinyldns}->reset;

    my $r  = create('signalwire', 'vinyldns', {name => 'Read me'});
    my $id = id_of('signalwire', $r);

    my $get = sub {
        my ($client, $path_id) = @_;
        $emulator{vinyldns}->clear;
        my $r = call($client, 'vinyldns', uri => item($client, $path_id));
        my ($call) = $emulator{vinyldns}->journal;
        is("$call->{method} $call->{target}", "GET /groups/$id",
            "$client: the same group");
        is($call->{body}, '', "$client: no body");
        return $r;
    };

    answer_is($get->('signalwire', $id), 'signalwire', 200, {
        id                 => $id,
        name               => 'Read me',
        sticky_sender      => $false,
        phone_number_count => 2,
    }, 'SignalWire');

    my $base64 = MIME::Base64::encode_base64($id, '');
    answer_is($get->('portsip', $base64 =~ s/=/%3D/gr), 'portsip', 200, {
        id                  => $base64,
        name                => 'Read me',
        description         => undef,
        outbound_caller_ids => undef,
    }, 'PortSIP');

    my $at = 'http://faxfinder.vinyldns/ffws/v1';
    answer_is($get->('faxfinder', $id), 'faxfinder', 200, [response => [
        [message       => 'Success'],
        [contact_group => [
            [contact_group_url => "$at/contact_groups/alice/$id"],
            [name              => 'Read me'],
            [contact           => "$at/contacts/alice/$OK"],
            [contact           => "$at/contacts/alice/dummy001"],
        ]],
    ]], 'FaxFinder');

    $r = $get->('vinyldns', $id);
    answer_is($r, 'vinyldns', 200, {
        id      => $id,
        name    => 'Read me',
        email   => 'ops@example.com',
        status  => 'Active',
        created => $r->json->{created},
        members => [{id => $OK}, {id => 'dummy001'}],
        admins  => [{id => $OK}],
    }, 'VinylDNS');
};

subtest 'made through PortSIP in FaxFinder, read by all' => sub {
    $emulator{faxfinder}->reset;

    my $r = create('portsip', 'faxfinder',
        {name => 'Fax', description => 'A & B'});
    answer_is($r, 'portsip', 201, {id => 'MQ=='}, 'made');

    answer_is(call('portsip', 'faxfinder', uri => item('portsip', 'MQ%3D%3D')),
        'portsip', 200, {
            id                  => 'MQ==',
            name                => 'Fax',
            description         => 'A & B',
            outbound_caller_ids => undef,
        }, 'PortSIP');

    $r = call('signalwire', 'faxfinder',
        uri => item('signalwire', '6e677267-0100-8000-8000-000000000001'));
    answer_is($r, 'signalwire', 200, {
        id                 => '6e677267-0100-8000-8000-000000000001',
        name               => 'Fax',
        sticky_sender      => $false,
        phone_number_count => 0,
    }, 'SignalWire');

    answer_is(call('faxfinder', 'faxfinder', uri => item('faxfinder', 1)),
        'faxfinder', 200, [response => [
            [message       => 'Success'],
            [contact_group => [
                [contact_group_url =>
                        'https://dot3/ffws/v1/contact_groups/alice/1'],
                [name        => 'Fax'],
                [description => 'A & B'],
            ]],
        ]], 'FaxFinder');
};

subtest 'made through VinylDNS in PortSIP, read by all' => sub {
    $emulator{portsip}->reset;

    my $r = create('vinyldns', 'portsip', $group{vinyldns});
    is($r->json->{id}, 'NzAwNTUxOTA5NzczMTQ4MTYw', 'made');

    $r = call('portsip', 'portsip',
        uri => item('portsip', 'NzAwNTUxOTA5NzczMTQ4MTYw'));
    answer_is($r, 'portsip', 200, {
        id                  => 'NzAwNTUxOTA5NzczMTQ4MTYw',
        name                => 'some-group',
        description         => $group{vinyldns}{description},
        outbound_caller_ids => [],
    }, 'PortSIP');

    my $at = 'http://faxfinder.portsip/ffws/v1';
    $r = call('faxfinder', 'portsip',
        uri => item('faxfinder', '700551909773148160'));
    answer_is($r, 'faxfinder', 200, [response => [
        [message       => 'Success'],
        [contact_group => [
            [contact_group_url =>
                    "$at/contact_groups/alice/700551909773148160"],
            [name        => 'some-group'],
            [description => $group{vinyldns}{description}],
        ]],
    ]], 'FaxFinder');
};

$t->stop;
done_testing;
