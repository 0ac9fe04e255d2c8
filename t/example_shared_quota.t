#!/usr/bin/perl

# examples/shared-quota: what two nodes count in one Redis.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use POSIX ();
use Test::Gateway;
use Test::Gateway::Example;
use Test::Gateway::Message qw(json_encode);

my ($redis_server) = grep { -x }
    map {"$_/redis-server"} split(/:/, $ENV{PATH}), '/usr/bin';

BEGIN {
    eval { require Mojolicious; 1 }
        or plan skip_all => 'Mojolicious is not installed';
}

plan skip_all => 'redis-server is not installed' if !$redis_server;

my @NEW = (variables => 0, workers => 2);

my $t   = Test::Gateway->new(@NEW);
my $two = Test::Gateway->new(@NEW);

my $vendor = $t->emulator('portsip', 'duplicate-name' => 'allow');
my %port   = (9361 => $vendor->port, 9362 => $t->port('redis'),
    9461 => $t->port('one'), 9462 => $t->port('two'));
my $e      = Test::Gateway::Example->new($t, 'shared-quota', %port);
$e->install($two);

my $conf = "worker_processes 2;\n" . $e->conf('node.conf');

# a machine that has much to do is no Redis that hangs
$conf =~ s/(\$redis_timeout) +200;/$1 10000;/ or die "no timeout\n";
$conf =~ s/(groups=3)/$1 timeout=20000/ or die "no quota\n";

# the nginx that is tested need not be the one of these packages
my ($lua) = $conf =~ /^load_module (\S*ngx_http_lua_module\.so);/m;
plan skip_all => 'libnginx-mod-http-lua is not installed' if !-f $lua;

my ($bad, $why) = $t->test_config(conf => $conf);
plan skip_all => "libnginx-mod-http-lua does not fit this nginx: $1"
    if $bad && $why =~ /(is not binary compatible|version \d+ instead of \d+)/;

my $redis;

# Redis stops when the test does, whatever ends it.
sub start_redis {
    my (@option) = @_;

    my $parent = $$;
    $redis = fork // die "fork: $!\n";

    if (!$redis) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $t->dir . '/redis.out';
        open STDERR, '>&', \*STDOUT;
        { no warnings 'exec'; exec $redis_server, '--bind', '127.0.0.1',
            '--port', $port{9362}, '--save', '', '--appendonly', 'no',
            '--dir', $t->dir, @option; }
        POSIX::_exit(127);
    }

    my $deadline = time + 10 * $t->patience;
    while (time < $deadline) {
        return if eval { redis('PING'); 1 };
        die 'redis-server: ' . $t->read_file('redis.out')
            if waitpid($redis, POSIX::WNOHANG()) != 0;
        sleep 0.02;
    }
    die 'redis-server did not start: ' . $t->read_file('redis.out');
}

sub stop_redis {
    my $pid = $redis // return;
    undef $redis;
    kill CONT => $pid;
    kill TERM => $pid;
    waitpid $pid, 0;
    return;
}

END { my $exit = $?; stop_redis(); $? = $exit }

# One command, in one line; its answer as it comes.
sub redis {
    my (@words) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port{9362}, Proto => 'tcp', Timeout => 2)
        or die "redis: $!\n";
    print {$sock} join(' ', @words) . "\r\n";
    my $line = <$sock> // die "redis: no answer\n";
    $line = <$sock> if $line =~ /^\$\d/;
    return $line =~ s/\r\n\z//r;
}

my $GROUPS = '/api/relay/rest/number_groups';
my @NODES  = @port{9461, 9462};

my $made = 0;
sub create {
    my ($node, %more) = @_;
    return $t->post($GROUPS, port => $node, auth => ['demo', 'secret'],
        json => {name => 'group ' . ++$made}, %more);
}

# Both nodes with another configuration.
sub nodes_with {
    my ($change) = @_;
    local $_ = $conf;
    $change->();
    $t->conf(conf => $_);
    $two->conf(conf => s/\b$NODES[0]\b/$NODES[1]/r);
    ok($_->reload, 'reload') for $t, $two;
    return;
}

start_redis();
$t->nginx(conf => $conf);
$two->nginx(conf => $conf =~ s/\b$NODES[0]\b/$NODES[1]/r);

subtest 'what the README shows' => sub { $e->readme_holds };

subtest 'one quota for both nodes' => sub {
    redis('FLUSHALL');
    $vendor->clear;

    my @status = map { create($NODES[$_ % 2])->status } 0 .. 5;
    is_deeply(\@status, [200, 200, 200, 429, 429, 429], 'three in all');
    is(scalar(grep { $_->{method} eq 'POST' } $vendor->journal), 3,
        'the vendor got no more');

    my $r = create($NODES[1]);
    is($r->body, '{"error":"Too Many Requests"}', 'in the client\'s words');
    is($t->get($GROUPS, port => $_, auth => ['demo', 'secret'])->status, 200,
        'reading is free') for @NODES;

    is(redis('GET quota:groups:=demo'), 7, 'each that was asked is counted');
    my ($ttl) = redis('TTL quota:groups:=demo') =~ /:(\d+)/;
    ok($ttl > 0 && $ttl <= 60, "and forgotten in $ttl seconds");
};

subtest 'requests at the same time' => sub {
    for my $round (1 .. 3) {
        redis('FLUSHALL');

        my $body = json_encode({name => "parallel $round"});
        my @client = map { $t->client(port => $NODES[$_ % 2]) } 1 .. 20;
        $_->send("POST $GROUPS HTTP/1.1\r\nHost: localhost\r\n"
                . 'Authorization: ' . $t->basic('demo', 'secret') . "\r\n"
                . "Content-Type: application/json\r\nConnection: close\r\n"
                . 'Content-Length: ' . length($body) . "\r\n\r\n$body")
            for @client;

        my %n;
        $n{$_->response->status}++ for @client;
        is_deeply(\%n, {200 => 3, 429 => 17}, "20 of them, round $round");
    }
};

subtest 'the window ends' => sub {
    redis('FLUSHALL');
    create($_) for @NODES, @NODES;
    is(create($NODES[0])->status, 429, 'too many');
    redis('PEXPIRE quota:groups:=demo 1');
    sleep 0.05;
    is(create($NODES[0])->status, 200, 'begins anew');
    is(redis('GET quota:groups:=demo'), 1, 'from one');
};

subtest 'only the hook asks it' => sub {
    redis('FLUSHALL');
    my $r = $t->get('/quota?key=quota:groups:=demo&window=60',
        port => $NODES[0]);
    is($r->status, 404, 'there is no such location for a client');
    is(redis('DBSIZE'), ':0', 'nothing is counted');
};

subtest 'principals of any name' => sub {
    redis('FLUSHALL');
    my $name = qq{a&window=1#?/ \xc3\xa4%"};
    $_->credentials('clients.json', {type => 'basic', id => 'demo',
        secret => 'secret', principal => $name, scopes => ['numbers']})
        for $t, $two;
    ok($_->reload, 'reload') for $t, $two;

    is_deeply([map { create($NODES[$_ % 2])->status } 0 .. 3],
        [200, 200, 200, 429], 'have their own');
    is(redis('DBSIZE'), ':1', 'one counter');
};

subtest 'Redis is down, and comes back' => sub {
    stop_redis();
    $_->mark for $t, $two;

    my $r = create($NODES[0]);
    is($r->status, 503, 'no quota, no group') or diag($r->body);
    is($r->body, '{"error":"Service Unavailable"}', 'in the client\'s words');
    $t->like_log(qr/\[error\].*quotas are not counted: status 503/,
        'it is logged');
    is($t->get($GROUPS, port => $NODES[0], auth => ['demo', 'secret'])
        ->status, 200, 'reading goes on');

    start_redis();
    is(create($_)->status, 200, 'counts again') for @NODES;

    nodes_with(sub { s/down=deny/down=pass/ });
    stop_redis();
    is_deeply([map { create($NODES[$_ % 2])->status } 0 .. 5],
        [(200) x 6], 'with down=pass there is no limit');
    $two->like_log(qr/\[error\].*quotas are not counted/, 'and it is logged');

    start_redis();
    is_deeply([map { create($NODES[$_ % 2])->status } 0 .. 3],
        [200, 200, 200, 429], 'until it is back');
};

subtest 'a Redis that hangs holds up nobody else' => sub {
    nodes_with(sub { s/(\$redis_timeout) 10000/$1 1000/ });
    redis('FLUSHALL');
    kill STOP => $redis;

    # both workers of one node have some of these
    my $start  = time;
    my $body   = json_encode({name => 'waits'});
    my @client = map { $t->client(port => $NODES[0]) } 1 .. 8;
    $_->send("POST $GROUPS HTTP/1.1\r\nHost: localhost\r\n"
            . 'Authorization: ' . $t->basic('demo', 'secret') . "\r\n"
            . "Content-Type: application/json\r\nConnection: close\r\n"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body")
        for @client;

    is($t->get($GROUPS, port => $NODES[0], auth => ['demo', 'secret'])
        ->status, 200, 'another request is answered');
    is_deeply([map { $_->response->status } @client], [(503) x 8],
        'those that wait are refused');
    cmp_ok(time - $start, '<', 4 * $t->patience, 'all at the same time');

    # what was sent meanwhile is done now
    kill CONT => $redis;
    redis('PING');
    redis('FLUSHALL');
    is_deeply([map { create($NODES[$_ % 2])->status } 0 .. 3],
        [200, 200, 200, 429], 'no answer of then is taken for one of now');
};

subtest 'a password' => sub {
    redis('FLUSHALL');
    is(redis('CONFIG SET requirepass s3cret'), '+OK', 'is set');

    nodes_with(sub { s/\$redis_password ""/\$redis_password s3cret/ });
    is_deeply([map { create($NODES[$_ % 2])->status } 0 .. 3],
        [200, 200, 200, 429], 'and known');

    nodes_with(sub { s/\$redis_password ""/\$redis_password wrong/ });
    is(create($NODES[0])->status, 503, 'a wrong one');
    $t->like_log(qr/redis: WRONGPASS/, 'is logged, with Redis\' reason');
    unlike($t->read_file('error.log'), qr/s3cret/, 'and itself is not');
};

subtest 'parameters' => sub {
    for my $case (
        ['',                      'groups is missing'],
        ['groups=x',              'groups must be a whole number'],
        ['groups=1 window=0',     'window must be a whole number'],
        ['groups=1 down=maybe',   'down must be deny or pass'],
        ['groups=1 colour=red',   'unknown parameter "colour"'],
    ) {
        my ($given, $told) = @$case;
        $t->config_fails({conf => $conf
                    =~ s/quota\.lua [^;]*;/quota.lua $given;/r},
            qr/\Q$told\E/, "nginx -t: $given: $told");
    }
};

$_->stop for $t, $two;
stop_redis();
done_testing;
