#!/usr/bin/env perl

# A new configuration under load: no request is lost or done twice, and
# neither requests nor configurations leave anything behind.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Samples
    qw(create created dialects error_text location vendor_of);

my $SLOW     = $ENV{TEST_GROUP_VALGRIND};
my $CLIENTS  = 3;
my $REQUESTS = $SLOW ? 20 : 150;
my $RELOADS  = $SLOW ? 2 : 6;

# a reload of its own before each request is another test
$ENV{TEST_GROUP_RELOAD} = 0;

my $t = Test::Gateway->new(workers => 2, variables => [qw(calls)]);

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $uri = $request->{uri};

    # members that are added one by one
    my $id   = '0a59b2d8-9d41-4b7a-9b5c-6a3d1e2f4c5b';
    my $time = '2024-01-02T03:04:05Z';
    return [200, [], {id => $id, number_group_id => $id,
        phone_number => {id => $id}, created_at => $time,
        updated_at => $time}] if $uri =~ /memberships/;
    return [200, [], ''] if $uri =~ m{/members/};

    my $answer = created(vendor_of($uri));
    my ($number) = $request->{body} =~ /-n-(\d+)/;

    # some are always under way
    return {status => $answer->[0], headers => $answer->[1],
        body => $answer->[2], delay => 0.2} if ($number // 0) % 20 == 7;
    return $answer;
});

$t->write_file('policy.lua', <<'END');
local policy = {}
function policy.request(ctx)
  if ctx.group and ctx.group.name and ctx.group.name:find("^no%-") then
    return ctx:deny("forbidden", "not this one")
  end
  if ctx.group and ctx.group.name then
    ctx.group.name = ctx.group.name .. ctx.params.suffix
  end
end
function policy.response(ctx) end
return policy
END
my $clients = $t->credentials('clients.json',
    {type => 'sigv4', access_key => 'AK', secret_key => 'SK',
        principal => 'me', scopes => ['groups:read', 'groups:write']});
$t->write_file('upstream.json',
    '{"type":"basic","id":"u","secret":"p"}', 0600);

my $generation = 0;

sub config {
    my $suffix = $generation++;
    my $pass   = 'http://up';

    return (
        http => 'upstream up { server ' . $u->address . '; keepalive 4; }',
        server => join('', <<'END',
proxy_http_version 1.1;
proxy_set_header Connection "";
keepalive_timeout 5;
END
            map({ my $client = $_;
                map { location($client, $_, $pass, base => "/$client-$_") }
                    dialects() } dialects()),
            map({ location($_, $_, $pass, base => "/same$_",
                more => "group_policy %%DIR%%/policy.lua suffix=-$suffix;") }
                grep { $_ ne 'vinyldns' } dialects()),
            location('vinyldns', 'vinyldns', $pass, base => '/samevinyldns',
                more => "group_credentials $clients;"),
            location('portsip', 'signalwire', $pass, base => '/signed',
                more => 'group_upstream_credentials %%DIR%%/upstream.json;'),
        ),
    );
}

$t->nginx(config());

# The options of a request of any kind, and what it is answered with.
sub any_request {
    my ($number, $client, $n) = @_;

    my @dialects = dialects();
    my $dialect  = $dialects[$number % 4];
    my $kind     = int($number / 4) % 7;
    my $base     = $kind < 4 ? "/$dialect-$dialects[$kind]" : "/same$dialect";
    my $name     = "c$client-n-$n";

    # what a policy does not let through, or an API has no signature of
    $name = "no-$name" if $kind == 5 && $dialect ne 'vinyldns';
    my %call = create($dialect, name => $name);
    $call{uri} = "$base$call{uri}";
    my $status = created($dialect)->[0];
    $status = 403 if $name =~ /^no-/;

    # what is not well-formed
    if ($kind == 6) {
        $call{body} =~ s/[>}]$//;
        $status = 400;
    }

    $call{sigv4} = {access_key => 'AK', secret_key => 'SK'}
        if $call{uri} =~ /^.samevinyldns/;
    $call{body} = [$call{body} =~ /(.{1,9})/sg]
        if $number % 3 == 0 && !$call{sigv4};

    return (\%call, $status, $dialect, $name);
}

# One client, until all reloads are done: a line for each request, what was
# wrong or "ok", and the name.
sub client {
    my ($client, $file) = @_;

    open my $out, '>', $file or die;
    my $c;

    for (my $n = 1; $n <= $REQUESTS || !-e $t->dir . '/done'; $n++) {
        my ($call, $status, $dialect, $name)
            = any_request($n + $client, $client, $n);

        # of three, two on a connection that is kept
        my $kept = $n % 3 && $c;
        $c = $t->client if !$kept;
        my $r = $t->request(%$call, client => $c, http1 => 1);

        # an idle connection may be closed just then, and nothing was sent
        if ($kept && ($r->error // '') =~ /^(?:closed|reset)$/) {
            $c = $t->client;
            $r = $t->request(%$call, client => $c, http1 => 1);
        }

        my $ok = !$r->error && $r->status == $status
            && (($r->header('Content-Length') // '') eq length $r->body)
            && ($status < 400 || defined error_text($dialect, $r));
        print {$out} $ok ? "ok $status $name\n"
            : "not ok $status $name: " . ($r->error // '') . ' '
                . $r->raw =~ s/\s+/ /gr . "\n";

        undef $c if ($r->header('Connection') // '') eq 'close' || !$ok;
    }

    close $out;

    return;
}


subtest 'a reload under load loses nothing' => sub {
    my %pid;
    for my $client (1 .. $CLIENTS) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            eval { client($client, $t->dir . "/client.$client"); 1 }
                or print STDERR "# client: $@";
            POSIX::_exit(0);
        }
        $pid{$pid} = 1;
    }

    my $reloads = 0;
    for (1 .. $RELOADS) {
        sleep 0.05 * $t->patience;
        $t->conf(config());
        $reloads += $t->reload;
    }
    is($reloads, $RELOADS, 'reloads');

    $t->write_file('done', '');
    waitpid $_, 0 for keys %pid;

    my @lines = map { split /\n/, $t->read_file("client.$_") } 1 .. $CLIENTS;
    my @bad   = grep { !/^ok / } @lines;
    cmp_ok(scalar(@lines), '>=', $CLIENTS * $REQUESTS, 'all were answered');
    is(scalar(@bad), 0, 'and well') || diag(join "\n", @bad[0 .. 4]);

    # each name was sent once, or never; a member has none
    my %sent;
    for my $request ($u->requests) {
        next if $request->{uri} =~ /members/;
        my ($name) = $request->{body} =~ /((?:no-)?c\d+-n-\d+)/;
        $sent{$name // '?'}++;
    }
    my @want  = map { /^ok 20\d (\S+)/ ? $1 : () } @lines;
    my @twice = grep { $sent{$_} > 1 } keys %sent;
    is_deeply([sort keys %sent], [sort @want], 'what was answered was done');
    is(scalar(@twice), 0, 'once') || diag("@twice");
    cmp_ok(scalar(@want), '>', @lines / 2, 'most of them');

    # each configuration adds its own number
    my %suffix = map { $_->{body} =~ /-n-\d+-(\d+)/ ? ($1 => 1) : () }
        $u->requests;
    cmp_ok(scalar(keys %suffix), '>', 1, 'in several configurations');
    $u->clear;

    is(scalar($t->access(scalar @lines)), scalar @lines,
        'a line of the log each');
};

subtest 'a reload is what it says' => sub {
    $t->conf(config());
    ok($t->reload, 'reload');

    my $r = $t->request(create('signalwire', name => 'x'), http1 => 1,
        uri => '/samesignalwire/api/relay/rest/number_groups');
    is($r->status, 200, 'status');
    my $last = $generation - 1;
    like($u->last->{body}, qr/"name":"x-$last"/, 'the new parameter');
    $u->clear;

    # a mistake leaves it as it is
    my $good = $t->read_file('nginx.conf');
    $t->write_file('nginx.conf',
        $good =~ s/group_dialect \Kportsip/nobody/r);
    $t->expect_log(qr/"nobody"/);
    ok(!$t->reload, 'a mistake');
    $t->write_file('nginx.conf', $good);

    $r = $t->request(create('portsip'), uri => '/portsip-signalwire/api/groups',
        http1 => 1);
    is($r->status, 201, 'changes nothing');
    $u->clear;
};

subtest 'a worker that is told not to wait' => sub {
    my %config = config();
    $config{globals} = 'worker_shutdown_timeout 100ms;';
    $t->conf(%config);
    ok($t->reload, 'reload');

    # one that takes longer than that, and a body that does not come
    my %call = create('signalwire', name => 'c0-n-7');
    my $c = $t->client;
    my $n = length $call{body};
    $c->send("POST /signalwire-vinyldns$call{uri} HTTP/1.1\r\nHost: a\r\n"
        . "Content-Type: application/json\r\nContent-Length: $n\r\n\r\n"
        . $call{body});
    my $half = $t->client;
    $half->send("POST /signalwire-vinyldns$call{uri} HTTP/1.1\r\nHost: a\r\n"
        . "Content-Type: application/json\r\nContent-Length: $n\r\n\r\n{");
    is(scalar($u->requests(1)), 1, 'under way');

    $t->reload;
    ok($_->closed(5 * $t->patience), 'hung up') for $c, $half;
    $_->close for $c, $half;
    $u->clear;

    is($t->request(create('portsip'), uri => '/portsip-signalwire/api/groups',
        http1 => 1)->status, 201, 'the new one is well');
    $u->clear;
};

sub processes {
    my %parent;
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my ($pid, $rest) = (<$fh> // '') =~ /^(\d+) \(.*\) \S (\d+)/ or next;
        push @{$parent{$rest}}, $pid;
    }
    return @{$parent{$t->{nginx}} // []};
}

sub rss {
    my ($pid) = @_;
    my ($rss) = $t->read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    return $rss;
}

subtest 'memory' => sub {
    my $why = 'what is freed is kept';
    Test::Gateway->not_in(valgrind => $why, asan => $why);
    plan skip_all => 'no /proc' if !-r "/proc/$$/status";

    # one worker, so that all is done by it
    my @config = config();
    $t->{workers} = 1;
    $t->conf(@config);
    $t->reload;

    my $deadline = time + 5;
    sleep 0.05 while processes() > 1 && time < $deadline;
    my ($worker) = processes();

    my $n     = 0;
    my $batch = sub {
        for (1 .. 200) {
            my ($call) = any_request($n, 0, $n * 20);
            $t->request(%$call, http1 => 1);
            $n++;

            # and some that leave in the middle
            next if $n % 10;
            my $c = $t->client;
            $c->send("POST $call->{uri} HTTP/1.1\r\nHost: a\r\n"
                . "Content-Type: application/json\r\n"
                . "Content-Length: 20\r\n\r\n{\"name\"");
            $n % 20 ? $c->reset : $c->close;
        }
        return rss($worker);
    };

    $batch->();
    my $before = $batch->();
    my @after  = map { $batch->() } 1 .. 3;
    my $grown  = $after[-1] - $before;

    # of 600 requests, a leak of 512 bytes each would be this
    cmp_ok($grown, '<', 300, 'requests leave nothing behind')
        || diag("KiB: $before @after");
    note("KiB: $before @after");

    # nor do configurations
    $t->reload for 1 .. 3;
    $before = rss($t->{nginx});
    $t->reload for 1 .. 8;
    $grown = rss($t->{nginx}) - $before;
    cmp_ok($grown, '<', 500, 'configurations leave nothing behind')
        || diag("KiB: $before + $grown");
    note("KiB: $before + $grown");
};

$t->stop;
done_testing;
