#!/usr/bin/env perl

# Upstreams that fail at every stage of an answer, and in the middle of a plan
# of several calls: the client gets a whole answer in its own dialect, one line
# of the log says why, no call is made twice, what was made in part is undone,
# and the next request is well. t/faults.t has more faults of single calls.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Faults qw(asked faulty sized);
use Test::Gateway::Samples
    qw(create created dialects error_text group_name location);

my $t    = Test::Gateway->new;
my $slow = $t->patience;

my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

my $JSON = ['Content-Type' => 'application/json'];
my $XML  = ['Content-Type' => 'application/xml'];

# decimal, as base64: 1 to 4
my @group = qw(MQ== Mg== Mw== NA==);

sub contact_group {
    my ($message, $number) = @_;
    return '<response><message>' . $message . '</message><contact_group>'
        . '<contact_group_url>http://a/ffws/v1/contact_groups/alice/'
        . $number
        . '</contact_group_url><name>sales</name>'
        . '<contact>http://a/ffws/v1/contacts/alice/7</contact>'
        . '</contact_group></response>';
}

# What each vendor answers, and what the test calls that.
sub vendor {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};

    if ($uri =~ m{^/ffws/v1/contact_groups/alice$}) {
        return ['group.create', @{created('faxfinder')}];
    }
    if ($uri =~ m{^/ffws/}) {
        my $case = $request->{header}{'x-case'} // '';
        return ['group.replace', 200, $XML,
            '<response><message>Modified</message></response>']
            if $method eq 'PUT';

        # what was written is there when it is read again
        my $body = contact_group('Success', $uri =~ m{(\d+)$});
        my $kind = $case =~ /^xml/ && -e $t->dir . "/got.$case"
            ? 'group.verify' : 'group.get';
        $t->write_file("got.$case", '');
        my $added = '<contact>http://a/ffws/v1/contacts/alice/8</contact>';
        $body =~ s{(?=</contact_group></response>)}{$added}
            if $kind eq 'group.verify';
        return [$kind, 200, $XML, $body];
    }
    if ($uri =~ m{^/api/groups/(\w+)[^/]*/members$}) {
        my ($n) = grep { $group[$_ - 1] =~ /^$1/ } 1 .. @group;
        return ['member.list:' . ($n // ''), 200, $JSON,
            '{"items":[{"id":"1","extension_number":"101"}]}'];
    }
    return ['member.add',   200, $JSON, ''] if $uri =~ m{/members/};
    return ['group.delete', 204, $JSON, ''] if $uri =~ m{/destroy$};
    return ['group.list', 200, $JSON, '{"count":4,"items":['
        . join(',', map { qq({"id":"$_","name":"n$_"}) } @group) . ']}']
        if $method eq 'GET' && $uri =~ m{^/api/groups(?:\?|$)};
    return ['group.create', @{created('portsip')}] if $uri eq '/api/groups';
    return ['group.create', @{created(
        $uri =~ m{^/api/relay/} ? 'signalwire' : 'vinyldns')}];
}

my $u  = faulty($t, \&vendor);
my $to = 'http://' . $u->address;

my $refused = 'http://127.0.0.1:' . $t->refused_port;

# client and upstream, by the base of the location
my @pair = (
    ['signalwire', 'vinyldns'], ['portsip', 'signalwire'],
    ['vinyldns',   'faxfinder'], ['faxfinder', 'faxfinder'],
    ['vinyldns',   'portsip'],  ['faxfinder', 'portsip'],
    ['signalwire', 'portsip'],  ['signalwire', 'faxfinder'],
    ['portsip', 'faxfinder'],
);

my $cached = 'proxy_cache c; proxy_cache_valid any 1m; '
    . 'proxy_cache_methods POST; '
    . 'proxy_cache_key "$uri$request_method$http_x_case";';

my %setting = (
    ''      => '',
    cached  => $cached,
    stored  => 'proxy_store %%DIR%%/stored$uri.file;',
    written => "$cached aio threads; aio_write on;",
    threads => 'aio threads; aio_write on;',
    small   => 'proxy_buffer_size 1k; proxy_buffers 2 1k; '
        . 'proxy_busy_buffers_size 1k; proxy_max_temp_file_size 0;',
    hasty   => "proxy_read_timeout @{[700 * $slow]}ms;",
    http11  => 'proxy_http_version 1.1; proxy_set_header Connection "";',
);

my $locations = '';
for my $pair (@pair) {
    for my $how (sort keys %setting) {
        $locations .= location(@$pair, $to, base => "/$pair->[0]-$pair->[1]"
            . ($how ? "-$how" : ''), more => $setting{$how}
            . ($pair->[1] eq 'portsip' ? ' group_default email a@test.com;'
                : ''));
    }
}

$t->nginx(
    http   => 'proxy_cache_path %%DIR%%/cache keys_zone=c:1m;',
    server => <<"END");
proxy_read_timeout @{[20 * $slow]}s;
group_response_buffer_size 16k;
keepalive_timeout 60;
$locations
@{[location('vinyldns', 'vinyldns', $refused, base => '/refused')]}
END

my $count = 0;

# A request of a client's dialect. Options: base, fault, and what replaces
# the creation of a group: method, uri, headers, body.
sub call_of {
    my ($client, %option) = @_;

    my %call = (create($client),
        map { exists $option{$_} ? ($_ => $option{$_}) : () }
            qw(method uri headers body));
    my $case = ($option{case} // 'case') . '-' . ++$count;
    $call{body} =~ s/%BASE%/$option{base}/g;

    my $bytes = "$call{method} $option{base}$call{uri} HTTP/1.1\r\n"
        . "Host: a\r\nX-Case: $case\r\n"
        . ($option{fault} ? "X-Fault: $option{fault}\r\n" : '');
    $bytes .= "Content-Type: $call{headers}[1]\r\n"
        . 'Content-Length: ' . length($call{body}) . "\r\n" if $call{body};

    return ($case, "$bytes\r\n" . ($call{body} // ''));
}

sub log_lines {
    return scalar grep { /group operation \S+ refused with \d+: \w+/ }
        split /\n/, $t->log;
}

# Some requests at once. A case is {client, base, fault, status (or pattern),
# name, calls (those that are to be seen upstream)}; status 0 is any success.
sub cases_are {
    my (@cases) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # what is waited for in vain is waited for at once, and where nothing else
    # makes an upstream late
    my $patient = 0;
    my @batches;
    for my $case (@cases) {
        my $is = ($case->{fault} // '') =~ /hang/;
        $case->{base} .= '-hasty' if $is;
        push @{$batches[$is ? 0 : 1 + int($patient++ / 20)]}, $case;
    }

    for my $some (grep { defined } @batches) {
        my @some = @$some;
        $t->mark;
        my $refused = 0;

        for my $case (@some) {
            my ($id, $bytes) = call_of($case->{client}, %$case);
            $case->{id} = $id;
            $case->{on} = $t->client;
            $case->{on}->send($bytes);
        }

        for my $case (@some) {
            my $r = $case->{on}->response;
            my @wrong = wrong_with($case, $r);
            $refused++ if $r->status >= 400;

            my @calls = map { "$_->{method} $_->{uri}" } asked($u,
                $case->{id});
            push @wrong, "calls: @calls"
                if $case->{calls} && "@{[sort @calls]}" ne "@{[sort
                    ref $case->{calls} eq 'CODE' ? $case->{calls}->($r)
                    : @{$case->{calls}}]}";
            push @wrong, "last call: $calls[-1]"
                if $case->{last} && $calls[-1] !~ $case->{last};

            # on the same connection
            my (undef, $bytes) = call_of($case->{client},
                %$case, fault => '');
            $case->{on}->send($bytes);
            my $next = $case->{on}->response;
            push @wrong, 'the next one: ' . $next->raw
                if $next->error || $next->status >= 300;
            $case->{on}->close;

            ok(!@wrong, $case->{name})
                || diag(join "\n", @wrong, $r->raw);
        }

        is(log_lines(), $refused, 'one line each says why')
            || diag(join "\n", grep { /refused with/ } split /\n/, $t->log);
    }

    return;
}

sub wrong_with {
    my ($case, $r) = @_;

    my @wrong;
    my $want = $case->{status};
    my $ok   = $want ? ref $want ? $r->status =~ $want : $r->status == $want
        : $r->status =~ /^20/;

    push @wrong, 'error ' . $r->error if $r->error;
    push @wrong, 'status ' . $r->status if !$ok;
    push @wrong, 'length ' . ($r->header('Content-Length') // 'none')
        if $r->status != 204
        && ($r->header('Content-Length') // '') ne length $r->body;
    push @wrong, 'not in the dialect'
        if $r->status >= 400 && !defined error_text($case->{client}, $r);
    push @wrong, "no $case->{like} in it"
        if $case->{like} && $r->body !~ $case->{like};

    return @wrong;
}


# The client's answer is either as if nothing was wrong, or an error: never
# half of it. The last bytes may be missing where nobody needs them.
subtest 'an answer that ends after each of its bytes' => sub {
    for my $pair (@pair[0, 2]) {
        my ($client, $upstream) = @$pair;
        my $whole = length sized(@{created($upstream)});

        my @cases = map { {client => $client, base => "/$client-$upstream",
            status => 502, fault => "all=cut$_",
            name => "$client-$upstream: $_ bytes",
            calls => undef} } grep { $_ < 3 || $_ % 8 == 0
                || $_ > $whole - 5 } 0 .. $whole - 1;
        push @cases, {client => $client, base => "/$client-$upstream",
            status => 0, fault => "all=cut$whole", name => 'all of them'};
        push @cases, map { {client => $client, status => 502,
            base => "/$client-$upstream", fault => "all=rst$_",
            name => "$client-$upstream: a reset after $_ bytes"} }
            grep { $_ % 31 == 0 || $_ > $whole - 3 } 0 .. $whole - 1;

        $_->{calls} = [$upstream eq 'faxfinder'
            ? 'POST /ffws/v1/contact_groups/alice' : 'POST /groups']
            for @cases;
        cases_are(@cases);
    }
};

# whether a fault of a call that has a body to read leaves it readable
my %fine  = map { $_ => 0 } qw(good drip drip_chunks reset_after);
my %maybe = map { $_ => qr/^(?:20[01]|502)$/ }
    qw(two_lengths same_lengths two_framings long hang_in_body minus_length
        odd_length);
$maybe{hang_in_body} = qr/^50[24]$/;
my %late = map { $_ => 504 } qw(hang_at_once hang_in_head);
my %said = (is_500 => 500, is_503 => 503, is_404 => 404);

sub status_of {
    my ($fault) = @_;
    return $fine{$fault} // $maybe{$fault} // $late{$fault} // $said{$fault}
        // 502;
}

my @faults = sort keys %Test::Gateway::Faults::FAULT;

# in the middle of a plan, where these are no other than those that are left
my @some = grep { !/^(?:close_in_(?:line|head)|reset_in_line|hang_in_head
    |minus_chunk|huge_chunk|odd_length|same_lengths|other_protocol|is_404
    |drip_chunks|empty|endless_head|hang_in_body)$/x } @faults;

subtest 'a single call' => sub {
    for my $pair (@pair[0 .. 3]) {
        my ($client, $upstream) = @$pair;
        my @cases;
        for my $how ('', $pair == $pair[0] ? ('http11', 'small') : ()) {
            my $base = "/$client-$upstream" . ($how ? "-$how" : '');
            push @cases, map { {client => $client, base => $base,
                fault => "all=$_", status => status_of($_),
                name => "$base: $_", calls => undef} }
                grep { !$how || !/hang/ } @faults;
        }
        cases_are(@cases);
    }
};

subtest 'nobody is there' => sub {
    $t->mark;
    my $r = $t->post('/refused/groups', json => {name => 'n',
        email => 'a@test.com', members => [], admins => []});
    is($r->status, 502, 'refused');
    is($r->error, undef, 'whole');
    is(log_lines(), 1, 'one line says why');
};

# A plan of one creation and three members, and its undo.
my %members = (
    vinyldns => {body => '{"name":"sales","email":"a@test.com","admins":[],'
        . '"members":[{"id":"101"},{"id":"102"},{"id":"103"}]}'},
    faxfinder => {body => '<contact_group><name>sales</name>' . join('', map {
        "<contact>http://a%BASE%/ffws/v1/contacts/alice/$_</contact>"
        } 101 .. 103) . '</contact_group>'},
);

my @add = map { "POST /api/groups/$ID/members/$_" } 101 .. 103;

# of an operation that has no body to read, an odd one does not matter; but a
# call that may have been made is not made again, and its group is removed
my %bodiless = map { $_ => 1 } qw(gzip html not_well_formed empty);

subtest 'a creation that fails leaves nothing to undo' => sub {
    for my $client (qw(vinyldns faxfinder)) {
        cases_are(map { my $fault = $_; {
            client => $client, base => "/$client-portsip",
            %{$members{$client}}, fault => "group.create=$fault",
            status => status_of($fault), name => "$client: $fault",
            calls  => sub { ('POST /api/groups',
                $_[0]->status < 300 ? @add : ()) },
        } } @some);
    }
};

subtest 'a member that fails undoes the group, once' => sub {
    for my $client (qw(vinyldns faxfinder)) {
        cases_are(map { my $fault = $_; {
            client => $client, base => "/$client-portsip",
            %{$members{$client}}, fault => "member.add:102=$fault",
            status => $bodiless{$fault} || $fault =~ /^no_content$/
                ? qr/^(?:20[01]|502)$/
                : $fault =~ /(?:length|long|body|chunk|framing)/
                ? qr/^(?:20[01]|50[24])$/ : status_of($fault),
            name   => "$client: $fault",
            calls  => sub { ('POST /api/groups', @add,
                $_[0]->status < 300 ? ()
                    : "POST /api/groups/$ID/destroy") },
        } } @some);
    }
};

subtest 'an undo that fails is told, and not tried again' => sub {
    for my $client (qw(vinyldns faxfinder)) {
        for my $fault (qw(reset_at_once hang_at_once close_in_line garbage
            is_500 moved)) {
            cases_are({client => $client, base => "/$client-portsip",
                %{$members{$client}}, name => "$client: $fault",
                fault => "member.add:102=is_503,group.delete=$fault",
                status => 503,
                like   => qr/could not be removed/,
                calls  => ['POST /api/groups', @add,
                    "POST /api/groups/$ID/destroy"]});
            $t->like_log(qr/group "$ID" was made upstream only in part and/,
                'the log names it');
        }
    }
};

subtest 'each of three members fails in its own way' => sub {
    cases_are({client => 'vinyldns', base => '/vinyldns-portsip',
        %{$members{vinyldns}}, name => 'three faults', status => qr/^50[234]$/,
        fault => 'member.add:101=hang_at_once,member.add:102=reset_at_once,'
            . 'member.add:103=is_503',
        calls => ['POST /api/groups', @add, "POST /api/groups/$ID/destroy"],
        last  => qr/destroy/});
};

# What reads a group, writes it and reads it again, in XML.
# Changes of one group take turns, so these are all of others.
my $number = 1000;

sub one_more {
    my ($client) = @_;

    my $path = '/ffws/v1/contact_groups/alice/' . ++$number;
    my $uuid = sprintf '6e677267-0100-8000-8000-%012x', $number;
    my %call = $client eq 'signalwire'
        ? (uri => "/api/relay/rest/number_groups/$uuid/"
                . 'number_group_memberships',
            body => '{"phone_number_id":'
                . '"6e677267-0100-8000-8000-000000000008"}')
        : (uri => '/api/groups/' . encode_base64($number, '')
                . '/members/8', body => '');

    return ($path, %call);
}

sub xml_cases {
    my ($kind, @calls) = @_;
    my @cases;

    for my $client (qw(signalwire portsip)) {
        for my $fault (@some) {
            my ($path, %call) = one_more($client);
            push @cases, {
                client => $client, base => "/$client-faxfinder",
                case => "xml-$kind", %call,
                fault  => "group.$kind=$fault",
                status => status_of($fault), name => "$client $kind: $fault",
                calls  => sub { map { "$_ $path" }
                    $_[0]->status < 300 ? qw(GET PUT GET) : @calls },
            };
        }
    }

    return @cases;
}

subtest 'a group that cannot be read is not written' => sub {
    cases_are(xml_cases('get', 'GET'));
};

subtest 'a write that fails is not done again' => sub {
    cases_are(xml_cases('replace', 'GET', 'PUT'));
};

subtest 'a group that cannot be read again was written once' => sub {
    cases_are(xml_cases('verify', 'GET', 'PUT', 'GET'));
};

# A page of groups, and the members of each at the same time.
my @list = (client => 'signalwire', method => 'GET', body => '',
    uri => '/api/relay/rest/number_groups');
my @page = map { "GET /api/groups/$_/members" } map { s/=/%3D/gr } @group;

subtest 'one of four reads fails' => sub {
    for my $how (grep { $_ ne 'hasty' } sort keys %setting) {
        my $base = '/signalwire-portsip' . ($how ? "-$how" : '');
        cases_are(map { {@list, base => $base, name => "$base: $_",
            fault => "member.list:3=$_", status => status_of($_),
            calls => ['GET /api/groups?top=100', @page]} }
            $how ? qw(reset_in_head close_in_body large moved)
            : @some);
    }
};

# The answer of one is too large while others are waited for: with them the
# client's request goes on.
subtest 'a large answer does not disturb other calls' => sub {
    for my $how (sort keys %setting) {
        my $start = time;

        cases_are(map { {client => 'vinyldns', %{$members{vinyldns}},
            base => '/vinyldns-portsip' . ($how ? "-$how" : ''),
            name => "$how: $_", status => 502, like => qr/102/,
            fault => "member.add:101=late50,member.add:102=$_,"
                . 'member.add:103=late250',
            calls => ['POST /api/groups', @add,
                "POST /api/groups/$ID/destroy"]} }
            'large', $how =~ /cached|stored|written/ ? () : 'endless');
        $t->like_log(qr/larger than group_response_buffer_size/, 'log');
        cmp_ok(time - $start, '<', 2 * $slow, 'it does not take long');
    }
};

$t->stop;
done_testing;
