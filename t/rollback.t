#!/usr/bin/env perl

# A replacement or a PATCH whose members go upstream in calls of their own, and
# that fails in the middle: what was changed is put back, whichever call it is
# that fails and however; the client gets the error of that call.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Prometheus;
use Test::Gateway::Vendors qw(
    collection gateway_server group_body groups_at item path_segment sign_in
);

my @UPSTREAMS = qw(signalwire portsip);
my @CLIENTS   = qw(scim vinyldns faxfinder);

my $t    = Test::Gateway->new;
my $slow = $t->patience;
my $true = JSON::PP::true();

my %emulator = (
    signalwire => $t->emulator('signalwire', 'no-unknown-fields' => undef,
        'any-number' => undef),
    portsip => $t->emulator('portsip', 'no-unknown-fields' => undef),
);

my $servers = 'server { listen ' . $t->listen . '; server_name metrics;
    location / { group_metrics; } }';

# "all": calls of one round at the same time
for my $upstream (@UPSTREAMS) {
    for my $client (@CLIENTS, 'portsip') {
        for my $how ('one', 'all') {
            my $n = $how eq 'one' ? 1 : 8;
            $servers .= gateway_server($t, client => $client,
                name => "$client.$upstream.$how", upstream => $upstream,
                url  => $emulator{$upstream}->url, more =>
                    "group_plan_concurrency $n; group_default owner alice;
                    group_default email o\@example.com;
                    proxy_read_timeout ${\ (700 * $slow)}ms;");
        }
    }
}

$servers .= gateway_server($t, client => 'scim', name => 'few',
    upstream => 'portsip', url => $emulator{portsip}->url,
    more => 'group_plan_max_calls 6;');

$t->nginx(servers => $servers);

# The id of a member that is known by a number here.
sub member_id {
    my ($upstream, $n) = @_;
    return $n if $upstream eq 'portsip';
    return sprintf '6e677267-0100-8000-8000-%012x', $n;
}

# A group as the client says it.
sub group_of {
    my ($client, $upstream, $name, @n) = @_;
    my @ids = map { member_id($upstream, $_) } @n;

    return group_body('faxfinder', [[name => $name], map {
        [contact => "http://x/ffws/v1/contacts/alice/$_"] } @ids])
        if $client eq 'faxfinder';
    return (json => {name => $name, email => 'o@example.com', admins => [],
        members => [map { {id => "$_"} } @ids]}) if $client eq 'vinyldns';
    return (headers => ['Content-Type' => 'application/scim+json'],
        body => json_encode({displayName => $name,
            schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
            members => [map { {value => "$_"} } @ids]}));
}

sub call {
    my ($host, %request) = @_;
    my ($client) = $host =~ /^(\w+)/;
    return $t->request(sign_in($client eq 'few' ? 'scim' : $client), %request,
        headers => [Host => $host, @{$request{headers} // []}]);
}

sub calls {
    my ($upstream) = @_;
    return map { "$_->{method} $_->{path}" } $emulator{$upstream}->journal;
}

sub metrics {
    my $r = $t->request(uri => '/', headers => [Host => 'metrics']);
    my $p = Test::Gateway::Prometheus->parse($r->body);
    return map { $p->sum("nginx_group_plan_${_}_total") }
        qw(undos undo_failures);
}

# what the upstream has, and how a test begins
sub state_of { return groups_at($t, $emulator{$_[0]}, $_[0]) }

sub begin {
    my ($client, $upstream) = @_;

    $emulator{$upstream}->reset;
    my $r = call("scim.$upstream.all", method => 'POST',
        uri => collection('scim'),
        group_of('scim', $upstream, 'before', 101 .. 103));
    is($r->status, 201, 'a group') or diag($r->raw);
    my $id = $r->json->{id};

    return $id;
}

# name => the request that changes it: another name, two members more, two less
sub change {
    my ($client, $upstream, $id, $patch) = @_;

    my $uri = item($client, path_segment($id));
    if ($patch) {
        my %is = map { $_ => member_id($upstream, $_) } 101 .. 105;
        return (method => 'PATCH', uri => $uri,
            headers => ['Content-Type' => 'application/scim+json'],
            body => json_encode({
                schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
                Operations => [
                    $patch eq 'members' ? () : {op => 'replace',
                        value => {displayName => 'after'}},
                    {op => 'add', path => 'members',
                        value => [map { {value => "$is{$_}"} } 104, 105]},
                    map { {op => 'remove',
                        path => qq(members[value eq "$is{$_}"])} } 101, 103,
                ],
            }));
    }

    my %body = group_of($client, $upstream, 'after', 102, 104, 105);
    $body{json}{id} = $id if $client eq 'vinyldns';
    return (method => 'PUT', uri => $uri, %body);
}

my @cases = map {
    my $upstream = $_;
    (map { [$_, $upstream, ''] } @CLIENTS),
        map { ['scim', $upstream, $_] } 'all', 'members';
} @UPSTREAMS;

my @hows = (
    ['is refused'            => 503, {status => 503}],
    ['is made, and denied'   => 500, {status => 500, processed => $true}],
    ['is made, and hangs up' => 502, {close  => $true, processed => $true}],
);

for my $case (@cases) {
    my ($client, $upstream, $patch) = @$case;
    my $what = "$client, $upstream: " . ($patch ? "PATCH, $patch" : 'PUT');

    subtest $what => sub {
        my $id = begin($client, $upstream);
        my $before = state_of($upstream);
        my %request = change($client, $upstream, $id, $patch);

        $emulator{$upstream}->clear;
        my $r = call("$client.$upstream.one", %request);
        ok($r->status < 300, 'it can be done') or diag($r->raw);
        my @calls = calls($upstream);
        my ($writes) = grep { $calls[$_] !~ /^GET/ } 0 .. $#calls;
        my $last = (grep { $calls[$_] !~ /^GET/ } 0 .. $#calls)[-1];
        note("$_: $calls[$_]") for 0 .. $#calls;
        is($last - $writes, $patch eq 'members' ? 3 : 4, 'the calls of it');
        isnt(json_encode(state_of($upstream)), json_encode($before),
            'and it is another');

        $id = begin($client, $upstream);
        $before = state_of($upstream);
        %request = change($client, $upstream, $id, $patch);

        for my $how (@hows) {
            my ($name, $status, $fault) = @$how;

            for my $n (0 .. $last) {
                my ($undos, $failures) = metrics();
                $emulator{$upstream}->clear;
                $emulator{$upstream}->fault({%$fault, after => $n,
                    times => 1});
                my $r = call("$client.$upstream.one", %request);
                $emulator{$upstream}->fault;

                is($r->status, $status, "call $n $name: the client is told")
                    or diag($r->raw, join "\n", calls($upstream));
                unlike($r->body, qr/could not/, 'that error alone');
                is_deeply(state_of($upstream), $before, 'all is as it was')
                    or diag(join "\n", calls($upstream));

                # a first call that was refused has changed nothing
                my $begun = $n > $writes
                    || ($n == $writes && ($fault->{processed}
                        || $patch eq 'members'));
                my ($now, $failed) = metrics();
                is($now - $undos, $begun ? 1 : 0, 'undos');
                is($failed - $failures, 0, 'no undo failed');
            }
        }

        # all of a round, some of which are made
        my $r2;
        for my $n ($writes .. $last) {
            $emulator{$upstream}->fault({after => $n, times => 1,
                status => 503});
            $r2 = call("$client.$upstream.all", %request);
            $emulator{$upstream}->fault;
            is($r2->status, 503, "call $n of rounds fails");
            is_deeply(state_of($upstream), $before, 'all is as it was');
        }

        $emulator{$upstream}->clear;
        $r2 = call("$client.$upstream.all", %request);
        ok($r2->status < 300, 'and it can be done after all of that');
    };
}

subtest 'a failure is left alone when the undo has nothing to do' => sub {
    my $id = begin('portsip', 'signalwire');
    my $before = state_of('signalwire');
    my $uri = '/api/groups/' . path_segment(
        MIME::Base64::encode_base64($id, ''));

    # members are no part of a PortSIP group: one write, as a whole
    my ($undos) = metrics();
    $emulator{signalwire}->fault({method => 'PUT', status => 503});
    my $r = call('portsip.signalwire.one', method => 'POST', uri => $uri,
        json => {name => 'after'});
    is($r->status, 503, 'told');
    is_deeply(state_of('signalwire'), $before, 'nothing is changed');
    is((metrics())[0], $undos, 'and nothing undone');
};

for my $upstream (@UPSTREAMS) {
    subtest "$upstream: fields that the client cannot say" => sub {
        my $id = begin('scim', $upstream);
        my ($path, %more) = $upstream eq 'portsip'
            ? (item('portsip', $id), description => 'kept',
                outbound_caller_ids => [{provider_id => 'p',
                    caller_id => '1'}])
            : (item('signalwire', $id), sticky_sender => $true);
        my $ask = sub {
            return $t->request(
                Test::Gateway::Vendors::upstream_sign_in($upstream), http1 => 1,
                port => $emulator{$upstream}->port, uri => $path, @_,
                headers => [Host => $emulator{$upstream}->address]);
        };
        $ask->(method => $upstream eq 'portsip' ? 'POST' : 'PUT',
            json => {name => 'before', %more});
        my $was = $ask->()->json;
        is($was->{$_} ? 1 : 0, 1, "$_ is set") for keys %more;

        for my $patch ('', 'all') {
            $emulator{$upstream}->fault({path => 'members', after => 2,
                times => 1, status => 503});
            my $r = call("scim.$upstream.one",
                change('scim', $upstream, $id, $patch));
            $emulator{$upstream}->fault;
            is($r->status, 503, 'fails in the middle');
            is_deeply($ask->()->json, $was, 'and they are as they were');
        }
    };

    subtest "$upstream: an undo that fails" => sub {
        my %left;
        for my $n (0 .. 5) {
            my $id = begin('vinyldns', $upstream);
            my %request = change('vinyldns', $upstream, $id, '');
            my ($undos, $failures) = metrics();

            # the third member fails, and after that the n-th call of the undo
            $emulator{$upstream}->clear;
            $emulator{$upstream}->fault({after => 5, times => 1,
                status => 503});
            $emulator{$upstream}->fault({after => 5 + $n, times => 1,
                status => 500});
            $t->mark;
            my $r = call("vinyldns.$upstream.one", %request);
            $emulator{$upstream}->fault;
            is($r->status, 503, "call $n of the undo fails: the first error")
                or diag($r->raw);

            # get, list, put, two added, one not removed; list, two removed,
            # put: the fifth call of the undo is not made
            my $fails = $n <= 3;
            my ($now, $failed) = metrics();
            is($now - $undos, 1, 'one undo');
            is($failed - $failures, $fails ? 1 : 0, 'that failed');

            my @lines = grep { /could not be put back/ && !/refused with/ }
                split /\n/, $t->log;
            is(scalar @lines, $fails ? 1 : 0, 'is logged once');
            like($r->body, qr/\Q$id\E\\?" was changed upstream and could not/,
                'and told') if $fails;
            $left{$n} = $1
                if @lines && $lines[0] =~ /put back: (.*?)(?: while|, client)/;
            next if $n > 3;

            my ($name) = keys %{state_of($upstream)};
            is($name, $n == 3 ? 'after' : 'before', 'all else is put back');
        }
        my ($d, $e) = map { member_id($upstream, $_) } 104, 105;
        is_deeply(\%left, {0 => 'members perhaps changed',
            1 => qq("$d" added), 2 => qq("$e" added),
            3 => 'fields perhaps changed'}, 'and says what is left');

        # all of it
        my $id = begin('vinyldns', $upstream);
        $emulator{$upstream}->fault({after => 6, times => 1, status => 503});
        $emulator{$upstream}->fault({after => 6, times => 0, status => 503});
        $t->mark;
        my $r = call("vinyldns.$upstream.one",
            change('vinyldns', $upstream, $id, ''));
        $emulator{$upstream}->fault;
        is($r->status, 503, 'the upstream is down for good');
        $t->like_log(qr/: members perhaps changed, fields perhaps changed/,
            'which is told, too');
    };

    subtest "$upstream: a call that takes too long" => sub {
        my $id = begin('scim', $upstream);
        my $before = state_of($upstream);
        for my $n (2 .. 5) {
            $emulator{$upstream}->fault({after => $n, times => 1,
                delay => 1500 * $slow, status => 503});
            my $r = call("scim.$upstream.one",
                change('scim', $upstream, $id, ''));
            $emulator{$upstream}->fault;
            is($r->status, 504, "call $n");
            is_deeply(state_of($upstream), $before, 'all is as it was');
        }
    };

    subtest "$upstream: the client goes away" => sub {
        my $id = begin('vinyldns', $upstream);
        my $before = state_of($upstream);
        my %request = change('scim', $upstream, $id, '');
        my ($undos) = metrics();
        $emulator{$upstream}->clear;
        $emulator{$upstream}->fault({after => 4, times => 1,
            delay => 300 * $slow, status => 503});

        my $client = $t->client;
        $client->send("PUT $request{uri} HTTP/1.1\r\n"
            . "Host: scim.$upstream.one\r\n"
            . 'Authorization: Bearer ' . {sign_in('scim')}->{bearer} . "\r\n"
            . "Content-Type: application/scim+json\r\n"
            . 'Content-Length: ' . length($request{body}) . "\r\n\r\n"
            . $request{body});

        my $deadline = time + 20 * $slow;
        sleep 0.02 until calls($upstream) >= 5 || time > $deadline;
        $client->reset;
        sleep 0.02 until (metrics())[0] > $undos || time > $deadline;
        $emulator{$upstream}->fault;

        is_deeply(state_of($upstream), $before, 'all is put back');
        is((metrics())[0] - $undos, 1, 'once');
    };
}

subtest 'somebody else takes part' => sub {

    # the group goes while it is changed
    my $id = begin('scim', 'portsip');
    my ($undos, $failures) = metrics();
    $emulator{portsip}->fault({path => '/members', after => 1, times => 0,
        status => 404});
    my $r = call('scim.portsip.one', change('scim', 'portsip', $id, ''));
    $emulator{portsip}->fault;
    is($r->status, 404, 'a group that has gone');
    my ($now, $failed) = metrics();
    is($failed - $failures, 0, 'has nothing left to undo');
};

subtest 'more calls than allowed are not begun' => sub {
    my $id = begin('scim', 'portsip');
    my $before = state_of('portsip');

    # get, list, put, four members
    for my $patch ('', 'all') {
        $emulator{portsip}->clear;
        my $r = call('few', change('scim', 'portsip', $id, $patch));
        is($r->status, 501, 'not supported');
        is(scalar(grep { !/^GET/ } calls('portsip')), 0, 'nothing is written');
        is_deeply(state_of('portsip'), $before, 'all is as it was');
    }

    my $r = call('few', change('scim', 'portsip', $id, 'members'));
    is($r->status, 204, 'and what just fits is done');
};

done_testing;
