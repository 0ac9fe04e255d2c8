#!/usr/bin/env perl

# proxy_cache: what nginx does of itself, beside the calls that the gateway
# makes. An entry that is out of date is updated by one call, in the background
# or not, which is the same as before; all others have the old one meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Gateway;
use Test::Gateway::Samples qw(location);

# servers that are told apart by their names are asked in HTTP/1.1
delete $ENV{TEST_GROUP_HTTP2};

my $t    = Test::Gateway->new;
my $slow = $t->patience;
my $JSON = ['Content-Type' => 'application/json'];

# one group, whose name is another each time
my $u = $t->upstream(sub {
    my ($request) = @_;
    my $name = "name $request->{number}";
    sleep($request->header('X-Slow') // 0);
    return [200, $JSON, qq({"items":[{"id":"1","extension_number":"101"}]})]
        if $request->{uri} =~ m{/members$};
    return [200, $JSON, qq({"id":"NDI0","name":"$name"})]
        if $request->{uri} =~ m{/api/groups/};
    return [200, $JSON, qq({"groups":[],"maxItems":100,"ignoreAccess":false})]
        if $request->{uri} =~ m{/groups$};
    return [200, $JSON, qq({"id":"a/b c","name":"$name","email":"a\@b.test",)
        . '"created":"2024-01-02T03:04:05Z","status":"Active",'
        . '"members":[],"admins":[]}'];
});

# two groups: the members of the first one are too many, and come slowly
my $raw = $t->raw_upstream(['request', [code => sub {
    my ($socket, $read) = @_;

    my $say = sub {
        my ($text) = @_;
        local $SIG{PIPE} = 'IGNORE';
        return syswrite $socket, $text;
    };
    my $head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        . "Connection: close\r\n\r\n";

    if ($read =~ m{^GET /api/groups\?}) {
        $say->($head . '{"count":2,"items":[{"id":"MQ==","name":"one"},'
            . '{"id":"Mg==","name":"two"}]}');

    } elsif ($read =~ m{^GET /api/groups/MQ}) {
        $say->($head . '{"items":[' . ' ' x 60_000);
        for (1 .. 8) {
            sleep 0.1 * $slow;
            $say->(' ' x 1000);
        }
        $say->(']}');

    } else {
        sleep 0.3 * $slow;
        $say->("$head" . '{"items":[]}');
    }
}], 'close']);

my $cache = 'proxy_cache c; proxy_cache_valid any 1s; proxy_cache_key '
    . '"$server_name$request_method$uri"; proxy_cache_use_stale updating;';

my $up = $t->write_file('up.json', '{"type":"basic","id":"me",'
    . '"secret":"gateway"}', 0600);

my $to = 'http://' . $u->address;
my $locations = location('vinyldns', 'vinyldns', $to, base => '/same',
        more => "group_upstream_credentials $up;")
    . location('vinyldns', 'vinyldns', "$to/below", base => '/path')
    . location('vinyldns', 'vinyldns', 'http://$to', base => '/variables',
        more => "set \$to ${\ $u->address}; uninitialized_variable_warn off;
            set \$seen \"\${seen}x\"; proxy_set_header X-Seen \$seen;")
    . "rewrite ^/old/(.*) /new/\$1;"
    . location('vinyldns', 'vinyldns', $to, base => '/new')
    . "location /plan/ {
        group_dialect scim;
        group_upstream_dialect portsip;
        group_base_path /plan;
        proxy_pass $to;
    }";

$t->nginx(http => 'proxy_cache_path %%DIR%%/cache keys_zone=c:1m inactive=1h;',
    servers => (join '', map { "server {
        listen ${\ $t->listen};
        server_name $_->[0];
        group_response_buffer_size 16k;
        location / {
            group_dialect scim;
            group_upstream_dialect portsip;
            $_->[1]
            proxy_pass http://${\ $raw->address};
        }
    }" } ['cached', $cache], ['buffered', $cache
        . 'proxy_buffers 2 4k; proxy_busy_buffers_size 4k;'],
        ['plain', ''])
    . join '', map { "server {
        listen ${\ $t->listen};
        server_name $_;
        proxy_cache_background_update @{[$_ eq 'background' ? 'on' : 'off']};
        $cache
        $locations
    }" } 'foreground', 'background');

# what a client is told, until it is something else than before
sub names {
    my ($host, $uri, $key) = @_;

    my $ask = sub {
        my $r = $t->get($uri, http1 => 1, headers => [Host => $host]);
        is($r->status, 200, "$uri: is answered") or diag($r->raw);
        return $r->json->{$key};
    };

    $u->clear;
    my $first = $ask->();
    my @calls = map { "$_->{method} $_->{uri}" } $u->requests;
    my @sent  = map { $_->{header}{authorization} } $u->requests;

    is($ask->(), $first, 'from the cache');
    is(scalar(my @again = $u->requests), scalar @calls, 'without a call');

    # its time is over, in whole seconds
    sleep 2.1;
    $u->clear;

    my $waits = $t->client;
    $waits->send("GET $uri HTTP/1.1\r\nHost: $host\r\n"
        . "X-Slow: ${\ (0.5 * $slow)}\r\nConnection: close\r\n\r\n");
    my $deadline = time + 10 * $slow;
    sleep 0.02 until (my @some = $u->requests) || time > $deadline;
    is($ask->(), $first, 'another client has what there was');

    my $r = $waits->response;
    is($r->status, 200, 'who asked for it is answered');
    (($host eq 'background') ? \&is : \&isnt)->($r->json->{$key}, $first,
        $host eq 'background' ? 'with that, too' : 'with what there is');

    my $now;
    sleep 0.05 until ($now = $ask->()) ne $first || time > $deadline;
    isnt($now, $first, 'and then all have what there is');

    # the calls of a plan are updated as they come
    my @updates = $u->requests;
    is_deeply([map { "$_->{method} $_->{uri}" } @updates], \@calls,
        'that was asked for in the same way');
    is_deeply([map { $_->{header}{authorization} } @updates], \@sent,
        'by the same one');
    is_deeply([grep { $_ ne 'x' } map { $_->{header}{'x-seen'} // 'x' }
        @updates], [], 'without another way through the phases');

    return;
}

for my $host ('foreground', 'background') {
    subtest "$host: one call" =>
        sub { names($host, '/same/groups/one', 'name') };
    subtest "$host: an id that is encoded" =>
        sub { names($host, '/same/groups/a%2Fb%20c', 'name') };
    subtest "$host: below a path of proxy_pass" =>
        sub { names($host, '/path/groups/a%2Fb%20c', 'name') };
    subtest "$host: where proxy_pass has variables" =>
        sub { names($host, '/variables/groups/a%2Fb%20c', 'name') };
    subtest "$host: where the path was rewritten" =>
        sub { names($host, '/old/groups/one', 'name') };
    subtest "$host: the calls of a plan" =>
        sub { names($host, '/plan/Groups/NDI0', 'displayName') };
}

subtest 'an answer that is too large, and another meanwhile' => sub {
    for my $how ('cached', 'buffered', 'plain') {
        $t->mark;
        my $before = () = $raw->connections;
        my $r = $t->get('/scim/v2/Groups', http1 => 1,
            headers => [Host => $how]);
        is($r->error, undef, "$how: the answer is whole") or diag($r->raw);
        is($r->status, 502, 'the client is told') or diag($r->raw);
        like($r->body, qr/larger than group_response_buffer_size/, 'what');
        is(scalar(my @all = $raw->connections) - $before, 3, 'of three calls');
        $t->like_log(qr/refused with 502: bad_gateway too_large/, 'logged');
    }
};

$t->unlike_log(qr/reached by a subrequest/, 'nothing else was asked for');

done_testing;
