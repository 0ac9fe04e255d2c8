#!/usr/bin/perl

# group_sigv4_replay_zone: a signature is good for one request, in all workers
# and after a reload, until its date is too old anyway.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::SigV4 qw(sign);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

my %group = (id => $UUID, name => 'a', email => 'a@test.com',
    created => '2023-01-15T10:30:00Z', status => 'Active', members => [],
    admins => []);

my $t = Test::Gateway->new(workers => 2,
    variables => [qw(principal outcome error calls)]);

my $u = $t->upstream(sub {
    my ($request) = @_;

    return [200, [], {id => $UUID, name => 'a', sticky_sender => \0,
        phone_number_count => 0}] if $request->{uri} =~ m{^/api/relay/};

    # PortSIP's, which takes two calls
    return [200, [], {items => []}] if $request->{uri} =~ m{/members$};
    return [200, [], {id => $ID, name => 'a'}]
        if $request->{uri} =~ m{^/api/};

    return [200, [], {groups => [], maxItems => 100, ignoreAccess => \0}]
        if $request->{method} eq 'GET' && $request->{uri} !~ m{/groups/};
    return [200, [], {%group}];
});

my $proxy = 'proxy_pass http://' . $u->address . ';';

my %key = (access_key => 'AKIDEXAMPLE', secret_key => 'S3cret');

my $clients = $t->credentials('clients.json',
    {type => 'sigv4', %key, principal => 'me',
        scopes => ['groups:read', 'groups:write']},
    {type => 'sigv4', access_key => 'AKOTHER', secret_key => 'S3cret',
        scopes => ['groups:read', 'groups:write']},
    {type => 'sigv4', access_key => 'AKNONE', secret_key => 'S3cret'},
    {type => 'basic', id => 'project', secret => 'x', scopes => ['numbers']},
);

# the same paths and the same Host on each of them
sub servers {
    my (%skew) = @_;

    my $server = sub {
        my ($name, $zone, $more) = @_;
        my $listen = $name eq '' ? '' : 'listen ' . $t->listen($name) . ';';
        my $skew = $skew{$name} // '15m';

        return <<"END";
$listen
group_sigv4_max_skew $skew;
$zone
location / { $proxy $more }
END
    };

    my $main = 'group_sigv4_replay_zone main 1m;';
    my $again = <<"END";
location /again/ {
    group_base_path /again;
    deny all;
    error_page 403 = \@again;
    $proxy
}
location \@again { group_base_path /again; $proxy }
location /plan/ {
    group_base_path /plan;
    group_upstream_dialect portsip;
    group_default email a\@test.com;
    group_default admins 1;
    $proxy
}
location /api/relay/rest/ {
    group_dialect signalwire;
    $proxy
}
END

    my %servers = (
        same  => [$main],
        other => ['group_sigv4_replay_zone other 1m;'],
        off   => ['group_sigv4_replay_zone off;'],
        none  => [''],
        small => ['group_sigv4_replay_zone small 32k;'],
        both  => [$main, 'limit_except GET { deny all; }'],
    );

    return (
        http => <<"END",
group_dialect vinyldns;
group_credentials $clients;
add_header X-Pid \$pid always;
END
        server  => $server->('', $main, '') . $again,
        servers => join('', map {
            "server {\n" . $server->($_, $servers{$_}[0],
                $servers{$_}[1] // '') . "}\n"
        } sort keys %servers),
    );
}

$t->nginx(servers());

my $n = 0;

# A signed request that can be sent again; each is another one, by its query.
sub signed {
    my (%option) = @_;

    my %request = (
        method => $option{method} // 'GET',
        uri    => ($option{base} // '') . ($option{uri}
            // '/groups?groupNameFilter=' . ++$n),
    );
    $request{body} = $option{body} if defined $option{body};

    return {%request, headers => sign(%key, %option, %request,
        headers => [Host => 'localhost:9000',
            defined $option{body} ? ('Content-Type' => 'application/json')
            : ()])};
}

# "ok", or the status and the code of the refusal
sub send_it {
    my ($request, $where, @headers) = @_;

    $u->clear;
    $t->mark;
    my $r = $t->request(%$request,
        headers => [@{$request->{headers}}, map { [@$_] } @headers],
        defined $where ? (port => $t->port($where)) : ());
    my $sent = $u->requests;

    return 'ok' if $r->status == 200 && $sent >= 1;
    return "sent $sent and answered " . $r->status
        if $r->status == 200 || $sent;

    $t->like_log(qr/refused with \d+: /, 'there is a line')
        if $r->status == 401 || $r->status == 503;
    my ($code) = $t->log =~ /refused with \d+: \w+ (\w+):/;
    return $r->status . ' ' . ($code // '');
}

my $BODY = json_encode({name => 'a', email => 'a@test.com', members => [],
    admins => []});


subtest 'once' => sub {
    my $get = signed();
    is(send_it($get), 'ok', 'a request');
    is($t->last_access->{principal}, 'me', 'of somebody');

    is(send_it($get), '401 replayed', 'again');
    is(send_it($get), '401 replayed', 'and again');
    is($t->last_access->{outcome}, 'unauthorized', 'the outcome');
    is($t->last_access->{error}, 'the signature was used before',
        'the sentence');
    is($t->last_access->{principal}, '', 'nobody knows who that is');
    $t->like_log(qr/\[info\].*group\.list\ refused\ with\ 401:
        \ unauthorized\ replayed:\ the\ signature\ was\ used\ before/x,
        'a line in the log');

    my $r = $t->request(%$get);
    is($r->body, 'Authentication Failed: '
            . 'Request signature could not be validated',
        'in VinylDNS\' words');

    my $post = signed(method => 'POST', uri => '/groups', body => $BODY);
    is(send_it($post), 'ok', 'a create');
    is(send_it($post), '401 replayed', 'again');
};

subtest 'others pass' => sub {
    my @same = (uri => '/groups?groupNameFilter=others');
    my $now = time;

    is(send_it(signed(@same, time => $now)), 'ok', 'a request');
    is(send_it(signed(@same, time => $now - 1)), 'ok', 'another second');
    is(send_it(signed(@same, time => $now, access_key => 'AKOTHER')), 'ok',
        'another key');
    is(send_it(signed(@same, time => $now, region => 'x')), 'ok',
        'another scope');
    is(send_it(signed(uri => '/groups?groupNameFilter=other', time => $now)),
        'ok', 'another query');

    # no signer can make two of them
    is(send_it(signed(@same, time => $now)), '401 replayed',
        'the same again in the same second');

    my $future = signed(time => $now + 800);
    is(send_it($future), 'ok', 'of a time to come');
    is(send_it($future), '401 replayed', 'again');

    my $past = signed(time => $now - 800);
    is(send_it($past), 'ok', 'of some time ago');
    is(send_it($past), '401 replayed', 'again');
};

subtest 'written in another way' => sub {
    my $get = signed();
    is(send_it($get), 'ok', 'a request');

    my $bent = sub {
        my ($bend) = @_;
        return {%$get, headers => [map {
            [$_->[0], $_->[0] eq 'Authorization' ? $bend->($_->[1]) : $_->[1]]
        } @{$get->{headers}}]};
    };

    is(send_it($bent->(sub { $_[0] =~ s/, /,/gr })), '401 replayed',
        'without spaces');
    is(send_it($bent->(sub { $_[0] =~ s/, /,   /gr })), '401 replayed',
        'with more');
    is(send_it($get, undef, ['X-Request-Id', 'x']), '401 replayed',
        'with a header that is not signed');
    is(send_it($get, undef, [Accept => 'text/html']), '401 replayed',
        'with another one');
    is(send_it({%$get, uri => "$get->{uri}"
        =~ s/groupNameFilter/group%4eameFilter/r}), '401 replayed',
        'a query that is escaped');
};

subtest 'only what was checked counts' => sub {
    my $good = signed();

    my $bad = {%$good, headers => [map {
        [$_->[0], $_->[1] =~ s/(Signature=)(.)/$1
            . ($2 eq '0' ? '1' : '0')/er]
    } @{$good->{headers}}]};
    is(send_it($bad), '401 signature', 'a wrong signature');
    is(send_it($bad), '401 signature', 'again');
    is(send_it({%$good, uri => '/groups?groupNameFilter=x'}),
        '401 signature', 'the signature of another request');
    is(send_it($good), 'ok', 'the right one is still good');

    my $old = signed(time => time - 1000);
    is(send_it($old), '401 expired', 'one that is too old') for 1, 2;

    my $small = signed();
    send_it($bad, 'small') for 1 .. 5;
    is(send_it($small, 'small'), 'ok', 'they take no room');
};

subtest 'whatever the answer is' => sub {
    my $none = signed(access_key => 'AKNONE');
    is(send_it($none), '403 scope', 'no scope');
    is(send_it($none), '401 replayed', 'again');

    my $bad = signed(method => 'POST', uri => '/groups', body => '{');
    is(send_it($bad), '400 body', 'a body that is broken');
    is(send_it($bad), '401 replayed', 'again');
};

subtest 'one request is one' => sub {
    my $plan = signed(base => '/plan', uri => "/groups/$ID");
    is(send_it($plan), 'ok', 'a plan');
    is($t->last_access->{calls}, 2, 'of two calls');
    is(send_it($plan), '401 replayed', 'again');

    # ACCESS is run for both of the locations
    for (['GET'], ['POST', '/groups', $BODY]) {
        my ($method, $uri, $body) = @$_;
        my $redirected = signed(base => '/again', method => $method,
            uri => $uri, body => $body);
        is(send_it($redirected), 'ok', "$method, redirected");
        is(send_it($redirected), '401 replayed', 'again');
    }
};

subtest 'zones' => sub {
    my $get = signed();
    is(send_it($get), 'ok', 'a request');
    is(send_it($get, 'same'), '401 replayed', 'another place, the same zone');
    is(send_it($get, 'other'), 'ok', 'another zone');
    is(send_it($get, 'other'), '401 replayed', 'which has its own');
    is(send_it($get, 'off'), 'ok', 'off') for 1, 2;
    is(send_it($get, 'none'), 'ok', 'none') for 1, 2;

    $get = signed();
    is(send_it($get, 'same'), 'ok', 'first in another place');
    is(send_it($get), '401 replayed', 'then here');

    is($t->get("/api/relay/rest/number_groups/$UUID", auth => ['project',
        'x'])->status, 200, 'a dialect without signatures') for 1, 2;
};

subtest 'workers' => sub {
    my $get = signed();
    my (%pid, %status);

    for (1 .. 40) {
        my $r = $t->request(%$get);
        $pid{$r->header('X-Pid')}++;
        $status{$r->status}++;
        last if keys %pid > 1 && $_ > 5;
    }

    is($status{200}, 1, 'good once');
    note(scalar(keys %pid), ' workers');

    # all at the same time
    for my $round (1 .. 5) {
        $get = signed();
        $u->clear;

        my $bytes = join '', "GET $get->{uri} HTTP/1.1\r\n", (map {
            "$_->[0]: $_->[1]\r\n" } @{$get->{headers}}),
            "Connection: close\r\n\r\n";
        my @client = map { $t->client } 1 .. 8;
        $_->send($bytes) for @client;
        my @status = map { $_->response->status } @client;
        $_->close for @client;

        is("@{[sort @status]}", '200' . ' 401' x 7, 'good for one of eight');
        is(scalar($u->requests), 1, 'one was sent');
    }
};

subtest 'a reload' => sub {
    my $get = signed();
    is(send_it($get), 'ok', 'a request');

    ok($t->reload, 'reload');
    is(send_it($get), '401 replayed', 'again');
    is(send_it(signed()), 'ok', 'another one');
    ok($t->reload, 'reload');
    is(send_it($get), '401 replayed', 'and again');
};

# Nothing that is still good is forgotten: what finds no room is refused.
subtest 'a zone that is full' => sub {
    my $then = time - 60;
    my $first = signed(time => $then);
    is(send_it($first, 'small'), 'ok', 'the first');

    my ($got, $taken) = ('ok', 1);
    local $ENV{TEST_GROUP_RELOAD} = 0;
    for (1 .. 1000) {
        my $next = signed(time => $then);
        my $r = $t->request(%$next, port => $t->port('small'));
        $got = $r->status;
        last if $got != 200;
        $taken++;
    }

    is($got, 503, 'there is an end');
    cmp_ok($taken, '>', 50, "after $taken of them");

    my $late = signed(time => $then);
    is(send_it($late, 'small'), '503 replay_zone', 'no more');
    $t->like_log(qr/\[error\].*refused\ with\ 503:\ unavailable\ replay_zone:
        \ there\ is\ no\ room\ in\ group_sigv4_replay_zone/x, 'an error');
    is($t->last_access->{outcome}, 'unavailable', 'outcome');
    is($t->request(%$late, port => $t->port('small'))->json,
        'there is no room in group_sigv4_replay_zone',
        'in VinylDNS\' shape');

    is(send_it($first, 'small'), '401 replayed', 'the first is remembered');
    is(send_it($late), 'ok', 'another zone has room');

    # what is there is now too old
    $t->conf(servers(small => '30s'));
    ok($t->reload, 'a reload with a smaller window');
    is(send_it(signed(), 'small'), 'ok', 'there is room again');
    is(send_it($first, 'small'), '401 expired', 'the first is too old');

    my $more = grep { send_it(signed(), 'small') ne 'ok' } 1 .. $taken - 1;
    is($more, 0, 'for as many as before');
};

subtest 'the window of all who share a zone' => sub {
    my $old = signed(time => time - 60);

    $t->conf(servers('' => '30s', same => '15m'));
    ok($t->reload, 'reload');
    is(send_it($old), '401 expired', 'too old in one place');
    is(send_it($old, 'same'), 'ok', 'good in another');

    # each one that comes makes old ones go
    is(send_it(signed()), 'ok', 'another one') for 1 .. 20;
    is(send_it($old, 'same'), '401 replayed', 'it is not forgotten');
};

$t->stop;

subtest 'the directive' => sub {
    $t->config_ok("group_sigv4_replay_zone $_;", "\"$_\"")
        for 'off', 'a 32k', 'a 1m', 'a 1048576';
    $t->config_fails("group_sigv4_replay_zone $_->[0];", $_->[1],
        "\"$_->[0]\"")
        for ['a', qr/"group_sigv4_replay_zone" directive needs a name and a/],
        ['a 31k', qr/invalid zone "a" of size "31k" in/],
        ['a x', qr/invalid zone "a" of size "x" in/],
        ['a -1', qr/invalid zone "a" of size "-1" in/],
        ['"" 1m', qr/invalid zone "" of size "1m" in/],
        ['a 1m b', qr/invalid number of arguments/],
        ['', qr/invalid number of arguments/];

    $t->config_fails('group_sigv4_replay_zone a 1m;'
        . ' group_sigv4_replay_zone a 1m;',
        qr/"group_sigv4_replay_zone" directive is duplicate/, 'twice');
    $t->config_fails('group_sigv4_replay_zone a 1m;'
        . 'location /x/ { group_sigv4_replay_zone a 2m; }',
        qr/size 2097152 of shared memory zone "a" conflicts/, 'two sizes');
    $t->config_ok('group_sigv4_replay_zone a 1m;'
        . 'location /x/ { group_sigv4_replay_zone a 1m; }', 'one size');

    $t->config_fails({
        http   => 'limit_req_zone $remote_addr zone=a:1m rate=1r/s;',
        server => 'group_sigv4_replay_zone a 1m;',
    }, qr/zone "a" is already declared for a different use/,
        'somebody else\'s');
    $t->config_fails("group_dialect vinyldns; group_sigv4_replay_zone $_ 64k;"
        . ' location /metrics { group_metrics; }',
        qr/zone "$_" is already declared for a different use/, $_)
        for qw(group_locks group_metrics);

    $t->config_fails('group_dialect vinyldns; group_sigv4_max_skew 0;'
        . ' group_sigv4_replay_zone a 1m;',
        qr/"group_sigv4_replay_zone" cannot keep signatures for ever/,
        'no end');
    $t->config_ok('group_dialect portsip; group_sigv4_max_skew 0;'
        . ' group_sigv4_replay_zone a 1m;', 'where nothing is signed');
    $t->config_fails('location / { if ($arg_a) { group_sigv4_replay_zone off;'
        . ' } }', qr/directive is not allowed here/, 'in if');
};

done_testing;
