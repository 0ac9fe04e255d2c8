#!/usr/bin/env perl

# Clients that go away, at every stage of a request. What the README promises
# is: calls that were begun are completed, and so are the plans that they are
# a part of, whatever proxy_ignore_client_abort says; a request of which not
# all has come does nothing upstream. The worker serves others, and keeps
# neither a connection nor the turn of a group that was under change.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Faults qw(asked faulty);
use Test::Gateway::HTTP2 qw(exchange);
use Test::Gateway::Samples qw(create created location);

# it is one worker that is looked at
$ENV{TEST_GROUP_RELOAD} = 0;

my $t    = Test::Gateway->new(workers => 1);
my $slow = $t->patience;

my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';
my $JSON = ['Content-Type' => 'application/json'];
my @LATE = map { $_ * $slow } 150, 300;

my $big = join ',', map { qq({"id":"g$_","name":"n$_","email":"a\@b.test",)
    . '"members":[],"admins":[]}' } 1 .. 9000;

# what each group of VinylDNS's is, once it was written
sub vinyldns {
    my ($request) = @_;
    my ($id) = $request->{uri} =~ m{([^/]+)$};

    if ($request->{method} eq 'PUT') {
        $t->write_file("group.$id", $request->{body});
        return ['group.replace', 200, $JSON, $request->{body}];
    }

    my $body = $t->read_file("group.$id") || qq({"id":"$id","name":"sales",)
        . '"email":"a@b.test","members":[{"id":"m"}],"admins":[{"id":"m"}]}';
    return ['group.get', 200, $JSON, $body];
}

sub vendor {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};

    return ['member.add',   200, $JSON, ''] if $uri =~ m{/members/};
    return ['group.delete', 204, $JSON, ''] if $uri =~ m{/destroy$};
    return ['group.create', @{created('portsip')}] if $uri eq '/api/groups';
    return ['group.list', 200, $JSON,
        qq({"groups":[$big],"maxItems":100,"ignoreAccess":false})]
        if $method eq 'GET' && $uri =~ m{^/groups(?:\?|$)};
    return ['group.create', @{created('vinyldns')}] if $uri eq '/groups';
    return vinyldns($request);
}

my $u  = faulty($t, \&vendor);
my $to = 'http://' . $u->address;

my $locations = '';
for my $abort (qw(off on)) {
    my %more = (more => "proxy_ignore_client_abort $abort; "
        . 'group_response_buffer_size 4m;');
    $locations .= location(@$_, $to, base => "/$abort-$_->[1]", %more)
        for ['vinyldns', 'vinyldns'], ['vinyldns', 'portsip'];
    $locations .= location('portsip', 'vinyldns', $to,
        base => "/$abort-member", %more);
}

$t->nginx(server => $locations, servers => <<"END");
server {
    listen 127.0.0.1:%%PORT:slow%% sndbuf=8k;
    output_buffers 1 4k;
    send_timeout 60;
    $locations
}
server {
    listen 127.0.0.1:%%PORT:file%%;
    client_body_in_file_only clean;
    client_body_buffer_size 16;
    $locations
}
server {
    listen 127.0.0.1:%%PORT:h2%% http2;
    $locations
}
server {
    listen 127.0.0.1:%%PORT:status%%;
    location = /status { stub_status; }
}
END

my $count = 0;

sub request_bytes {
    my ($base, %option) = @_;

    my $case = 'case-' . ++$count;
    my %call = (create('vinyldns'), %option);
    my $type = {@{$call{headers} // []}}->{'Content-Type'} // '';

    my $head = "$call{method} $base$call{uri} HTTP/1.1\r\nHost: a\r\n"
        . "X-Case: $case\r\n"
        . ($option{fault} ? "X-Fault: $option{fault}\r\n" : '');
    return ($case, "$head\r\n", '') if !length($call{body} // '');

    return ($case, $option{chunked}
        ? ("${head}Content-Type: $type\r\nTransfer-Encoding: chunked\r\n\r\n",
            join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
                $call{body} =~ /(.{1,20})/gs, '')
        : ("${head}Content-Type: $type\r\n"
            . 'Content-Length: ' . length($call{body}) . "\r\n\r\n",
            $call{body}));
}

# method and path of what is upstream, once there are so many
sub calls {
    my ($case, $at_least) = @_;

    my $deadline = time + 5 * $slow;
    my @calls;
    while (1) {
        @calls = map { "$_->{method} $_->{uri}" } asked($u, $case);
        return @calls if @calls >= ($at_least // 0) || time > $deadline;
        sleep 0.01;
    }
}

sub worker {
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my ($pid, $parent) = (<$fh> // '') =~ /^(\d+) \(.*\) \S (\d+)/
            or next;
        return $pid if $parent == $t->{nginx};
    }
    return;
}

sub descriptors {
    my ($pid) = @_;
    my @open = grep { defined } map { readlink } glob "/proc/$pid/fd/*";
    return scalar @open;
}

sub connections {
    my $r = $t->get('/status', port => $t->port('status'), http1 => 1);
    my ($n) = $r->body =~ /Active connections: (\d+)/;
    return $n;
}

# Everything that a worker has is back when it has nobody to serve.
my ($pid, $before);

sub nothing_left {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $deadline = time + 5 * $slow;
    my ($connections, $descriptors);
    while (1) {
        $connections = connections();
        sleep 0.01;
        $descriptors = descriptors($pid);
        last if $connections == 1 && $descriptors <= $before;
        last if time > $deadline;
        sleep 0.05;
    }

    is($connections, 1, "$name: no connection is left");
    cmp_ok($descriptors, '<=', $before, "$name: nor a descriptor");

    my ($case, @bytes) = request_bytes('/off-vinyldns');
    my $c = $t->client;
    $c->send(join '', @bytes);
    is($c->response->status, 200, "$name: the next one is well");
    $c->close;
    is(scalar(calls($case, 1)), 1, 'and done once');
    is(worker(), $pid, 'by the same worker');

    return;
}

sub leave {
    my ($c, $how) = @_;
    $how eq 'reset' ? $c->reset : $c->close;
    return;
}


$t->request(create('vinyldns'), uri => '/off-vinyldns/groups', http1 => 1);
connections();
$pid = worker();
$before = descriptors($pid);

subtest 'in the headers' => sub {
    for my $how (qw(close reset)) {
        my @cases;
        my (undef, $head) = request_bytes('/off-vinyldns');

        for my $n (grep { $_ % 5 == 0 || $_ == length($head) - 1 }
            1 .. length($head) - 1)
        {
            my ($case, $head) = request_bytes('/off-vinyldns');
            my $c = $t->client;
            $c->send(substr $head, 0, $n);
            leave($c, $how);
            push @cases, $case;
        }

        sleep 0.1;
        is(scalar(map { calls($_) } @cases), 0, "$how: nothing upstream");
    }
    nothing_left('headers');
};

subtest 'in the body' => sub {
    for my $port (undef, 'file') {
        my @cases;

        for my $chunked (0, 1) {
            my (undef, undef, $body) = request_bytes('/off-vinyldns',
                chunked => $chunked);

            for my $n (grep { $_ % 7 == 0 || $_ == length($body) - 1 }
                0 .. length($body) - 1)
            {
                my ($case, $head, $body) = request_bytes('/off-vinyldns',
                    chunked => $chunked);
                my $c = $t->client(port => $t->port($port));
                $c->send($head);
                sleep 0.002 if $n % 2;
                $c->send(substr $body, 0, $n) if $n;
                sleep 0.002 if $n % 3;
                leave($c, $n % 4 ? 'reset' : 'close');
                push @cases, $case;
            }
        }

        sleep 0.1;
        is(scalar(map { calls($_) } @cases), 0, 'nothing upstream');
    }
    nothing_left('body');
};

subtest 'while the upstream is asked' => sub {
    for my $abort (qw(off on)) {
        for my $how (qw(close reset)) {
            my $lines = $t->access;
            my ($case, @bytes) = request_bytes("/$abort-vinyldns",
                fault => "all=late$LATE[0]");
            my $c = $t->client;
            $c->send(join '', @bytes);
            calls($case, 1);
            leave($c, $how);

            # the call is completed: its answer was read
            my $line = ($t->access($lines + 1))[-1];
            is($line->{upstream_status}, 200, "$abort, $how: it is answered");
            is_deeply([calls($case)], ['POST /groups'], 'once');
        }

        # one that says no more, but listens
        my ($case, @bytes) = request_bytes("/$abort-vinyldns",
            fault => "all=late$LATE[0]");
        my $c = $t->client;
        $c->send(join '', @bytes);
        $c->shutdown;
        my $r = $c->response;
        ok($r->status == 200 || $r->error eq 'closed',
            "$abort, half closed: answered or hung up") || diag($r->raw);
        is_deeply([calls($case)], ['POST /groups'], 'and done once');
        $c->close;
    }
    nothing_left('upstream');
};

# An upstream that does not answer either.
subtest 'while the upstream hangs' => sub {
    my ($case, @bytes) = request_bytes('/off-vinyldns',
        fault => "all=late@{[2000 * $slow]}");
    my $c = $t->client;
    $c->send(join '', @bytes);
    calls($case, 1);
    leave($c, 'reset');
    nothing_left('a slow upstream');
};

my %members = (body => '{"name":"sales","email":"a@test.com","admins":[],'
    . '"members":[{"id":"101"},{"id":"102"},{"id":"103"}]}');
my @add = map { "POST /api/groups/$ID/members/$_" } 101 .. 103;

subtest 'in the middle of a plan: it is finished' => sub {
    for my $abort (qw(off on)) {
        for my $at (1, 2) {

            # after the creation, and while members are added
            my ($case, @bytes) = request_bytes("/$abort-portsip", %members,
                fault => $at == 1 ? "group.create=late$LATE[0]"
                    : "member.add:102=late$LATE[0],member.add:103="
                        . "late$LATE[1]");
            my $c = $t->client;
            $c->send(join '', @bytes);
            calls($case, $at);
            leave($c, $at == 1 ? 'close' : 'reset');

            is_deeply([sort(calls($case, 4))], ['POST /api/groups', @add],
                "$abort, after call $at: all of it is made, once");
        }
    }
    nothing_left('plan');
};

subtest 'in the middle of a plan that fails: it is undone' => sub {
    for my $abort (qw(off on)) {
        my ($case, @bytes) = request_bytes("/$abort-portsip", %members,
            fault => "member.add:102=is_503,member.add:103=late$LATE[0]");
        my $c = $t->client;
        $c->send(join '', @bytes);
        calls($case, 2);
        leave($c, 'reset');

        my @calls = calls($case, 5);
        is($calls[-1], "POST /api/groups/$ID/destroy",
            "$abort: the group is removed");
        is(scalar @calls, 5, 'once');
    }

    # and while it is undone
    my ($case, @bytes) = request_bytes('/off-portsip', %members,
        fault => "member.add:102=is_503,group.delete=late$LATE[0]");
    my $lines = $t->access;
    my $c = $t->client;
    $c->send(join '', @bytes);
    calls($case, 5);
    leave($c, 'reset');
    my $line = ($t->access($lines + 1))[-1];
    like($line->{upstream_status}, qr/204\z/, 'the removal is completed');
    is($line->{outcome}, 'unavailable', 'and told in the log');
    is(scalar(calls($case)), 5, 'once');

    nothing_left('undo');
};

# Changes of one group take turns: who has gone does not keep its turn.
sub member {
    my ($group, $member) = @_;
    return (method => 'POST', body => '', uri => '/api/groups/'
        . encode_base64($group, '') =~ s/=/%3D/gr . "/members/$member");
}

subtest 'while a group is changed' => sub {
    my $n = 0;

    for my $abort (qw(off on)) {
        for my $at (1 .. 3) {
            my $group = 'group' . ++$n;
            my $kind  = $at == 2 ? 'group.replace' : 'group.get';
            my ($case, @bytes) = request_bytes("/$abort-member",
                member($group, 'x'), fault => "$kind=late$LATE[0]");
            my $c = $t->client;
            $c->send(join '', @bytes);
            calls($case, $at);
            leave($c, $at % 2 ? 'reset' : 'close');

            my $start = time;
            ($case, @bytes) = request_bytes("/$abort-member",
                member($group, 'y'));
            $c = $t->client;
            $c->send(join '', @bytes);
            my $r = $c->response;
            is($r->status, 200, "$abort, after call $at: the next change")
                || diag($r->raw);
            cmp_ok(time - $start, '<', 3 * $slow, 'does not wait long');
            $c->close;

            my $now = $t->read_file("group.$group");
            like($now, qr/"id":"y"/, 'it is there');
            like($now, qr/"id":"x"/, 'and the one before it');
        }
    }
    nothing_left('change');
};

subtest 'while it waits for its turn' => sub {
    my ($case, @bytes) = request_bytes('/off-member', member('busy', 'first'),
        fault => "group.get=late$LATE[1]");
    my $first = $t->client;
    $first->send(join '', @bytes);
    calls($case, 1);

    my @waiting;
    for my $name (qw(a b c)) {
        my ($other, @bytes) = request_bytes('/off-member',
            member('busy', $name));
        my $c = $t->client;
        $c->send(join '', @bytes);
        push @waiting, [$c, $other];
    }
    sleep 0.03;
    leave($_->[0], 'reset') for @waiting;

    is($first->response->status, 200, 'who was first has its answer');
    $first->close;

    # each of the others was done, or not begun
    for my $other (@waiting) {
        my $n = calls($other->[1]);
        $n = calls($other->[1], 3) if $n;
        like($n, qr/^[03]$/, 'all or nothing');
    }

    my ($last, @last) = request_bytes('/off-member', member('busy', 'last'));
    my $c = $t->client;
    $c->send(join '', @last);
    is($c->response->status, 200, 'and the next one its turn');
    $c->close;
    like($t->read_file('group.busy'), qr/"first".*"last"/, 'none is lost');

    nothing_left('turn');
};

subtest 'during the answer' => sub {
    for my $how (qw(close reset)) {
        for my $take (0, 100, 100_000) {
            my ($case, @bytes) = request_bytes('/off-vinyldns',
                method => 'GET', body => '');
            my $c = $t->client(port => $t->port('slow'));
            $c->send($bytes[0]);
            calls($case, 1);

            my $got = 0;
            while ($got < $take) {
                my $n = sysread $c->{socket}, my $bytes, 1000;
                $got += $n || last;
            }
            cmp_ok($got, '>=', $take, "$how after $take bytes");
            leave($c, $how);
        }
    }

    # several, one after the other on one connection
    my ($case, $bytes) = request_bytes('/off-vinyldns', method => 'GET',
        body => '');
    my $c = $t->client(port => $t->port('slow'));
    $c->send($bytes x 3);
    calls($case, 1);
    leave($c, 'reset');

    nothing_left('answer');
};

subtest 'in HTTP/2' => sub {
    my %call = create('vinyldns');

    for my $fault ("all=late$LATE[0]", "member.add=late$LATE[0]") {
        my $plan = $fault =~ /member/;
        my $case = 'case-' . ++$count;
        my $c    = $t->client(port => $t->port('h2'));

        exchange($c, method => 'POST', timeout => 0.05 * $slow,
            uri  => $plan ? '/off-portsip/groups' : '/off-vinyldns/groups',
            body => $plan ? $members{body} : $call{body},
            headers => [[Host => 'a'], ['x-case' => $case],
                ['x-fault' => $fault],
                ['content-type' => 'application/json']]);
        calls($case, 1);
        leave($c, 'reset');

        is(scalar(calls($case, $plan ? 4 : 1)), $plan ? 4 : 1,
            $plan ? 'a plan is finished' : 'a call is completed');
    }
    nothing_left('HTTP/2');
};

subtest 'many at once' => sub {
    my @cases;
    for my $n (1 .. 40) {
        my ($case, @bytes) = request_bytes(
            $n % 2 ? '/off-portsip' : '/on-portsip', %members,
            fault => 'member.add:102=late' . 5 * $n);
        my $c = $t->client;
        $c->send(join '', @bytes);
        push @cases, [$case, $c];
    }
    for (@cases) {
        calls($_->[0], 1);
        leave($_->[1], 'reset');
    }

    my @wrong = grep { calls($_->[0], 4) != 4 } @cases;
    is(scalar @wrong, 0, 'each is finished') || diag(explain(
        map { [calls($_->[0])] } @wrong));
    nothing_left('many');
};

$t->stop;
done_testing;
