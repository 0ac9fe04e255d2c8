#!/usr/bin/perl

# make soak: clients of every dialect in front of every vendor, at once, with
# faults and reloads.
#
#   perl -It/lib t/soak/soak.pl [seconds]    default 600
#
# Two nginx with two workers each: one is reloaded every 20 seconds, the other
# never. Each client makes a group and takes it through its life; what every
# request is to be answered with is known before it is sent. One request in 20
# has a fault on its way: an upstream that resets, stalls, says nonsense; a
# client that sends nonsense, has no credentials, or goes away. A fault
# changes nothing: its answer is known, too.
#
# It passes when
#
#   - no answer was wrong, and no log has an alert;
#   - memory is flat: the most that the workers had (resident, all of them) in
#     the last third of the time after the first minute is at most 5 % and
#     1 MB above that of the first third; so for the master process that is
#     reloaded;
#   - descriptors are flat: the median of the last third is at most 4 above
#     that of the first.

use strict;
use warnings;

use JSON::PP qw(decode_json encode_json);
use List::Util qw(max sum0);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Gateway;
use Test::Gateway::Samples qw(error_text);
use Test::Gateway::Vendors qw(
    @VENDORS collection gateway_server item path_segment sign_in
);
use Test::Gateway::Words qw(
    $OK %PEOPLE %STATUS %DEFAULT client_body inline listed members_uri
    seed_group shown
);

my $SECONDS = $ARGV[0] || 600;
my $WARM    = $SECONDS > 180 ? 60 : $SECONDS / 3;
my $RELOAD  = 20;
my $CLIENTS = 4;
my $FAULTS  = 0.05;
my $MB      = 1024;

my @CLIENTS = (@VENDORS, 'scim');

# an upstream's fault, and what the client is told
my %UPSTREAM_FAULT = (
    reset   => [502, ''],
    garbage => [502, "garbage\r\n\r\n"],
    half    => [502, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            . "Content-Length: 100\r\n\r\n{\"id\":"],
    html    => [502, [200, ['Content-Type' => 'text/html'], '<p>hello']],
    busy    => [503, [503, ['Content-Type' => 'text/plain'], 'later']],
    broken  => [500, [500, ['Content-Type' => 'text/plain'], 'oops']],
    refuse  => [502],
    stall   => [504, {status => 200, delay => 2, body => '{}'}],
);

# a client's own; undef: there is nobody to tell
my %CLIENT_FAULT = (
    stranger  => 401,
    malformed => 400,
    type      => 415,
    large     => 413,
    leaves    => undef,
);

# a hook that works and changes nothing
my $POLICY = <<'END';
local policy = {}

local function work(ctx)
    local t = {}
    for i = 1, 100 do
        t[i] = { ctx.operation .. i, tostring(ctx.group and ctx.group.name) }
    end
    if t[1][1]:find("nothing") then
        return ctx:deny("forbidden", "never")
    end
end

policy.request, policy.response = work, work

return policy
END

my @gateways = map { Test::Gateway->new(workers => 2) } 1, 2;
my ($reloaded, $steady) = @gateways;

my %emulator = map {
    ($_ => $reloaded->emulator($_, 'no-unknown-fields' => undef,
        journal => 10,
        $_ eq 'vinyldns'   ? (domain       => 'example.com') : (),
        $_ eq 'signalwire' ? ('any-number' => undef)         : ()))
} @VENDORS;

my %fault_url;
for my $fault (keys %UPSTREAM_FAULT) {
    my $answer = $UPSTREAM_FAULT{$fault}[1];
    $fault_url{$fault} = 'http://127.0.0.1:' . (defined $answer
        ? $reloaded->upstream(sub { $answer })->port
        : $reloaded->refused_port);
}

for my $t (@gateways) {
    my $policy  = $t->write_file('work.lua', $POLICY);
    my $servers = '';

    for my $client (@CLIENTS) {
        for my $upstream (@VENDORS) {
            my %server = (client => $client, upstream => $upstream,
                more => $DEFAULT{$upstream} . ($client lt $upstream
                    ? "group_policy $policy;" : ''));

            $servers .= gateway_server($t, %server,
                url => $emulator{$upstream}->url);
            $servers .= gateway_server($t, %server,
                name => "$_.$client.$upstream", url => $fault_url{$_},
                more => $DEFAULT{$upstream} . 'proxy_read_timeout 1s;')
                for keys %fault_url;
        }
    }

    $t->nginx(
        events => 'worker_connections 1024;',
        http   => <<'END',
access_log           off;
error_log            %%DIR%%/requests.log error;
server_names_hash_bucket_size 128;
server_names_hash_max_size    2048;
client_max_body_size 100k;
proxy_http_version   1.1;
proxy_set_header     Connection "";
END
        servers => $servers,
    );
}

# what members are called in each client's words, as it is told itself
my %member;
for my $upstream (@VENDORS) {
    my @people = @{$PEOPLE{$upstream}};
    seed_group($steady, $emulator{$upstream}, $upstream, "only-$_",
        $people[$_]) for 0, 1;

    for my $client (@CLIENTS) {
        my $server = "$client.$upstream";
        my $ids = listed($client, $steady->request(sign_in($client),
            uri => collection($client), headers => [Host => $server]));
        for my $i (0, 1) {
            my @shown = shown($client, $steady->request(sign_in($client),
                uri => members_uri($client, $ids->{"only-$i"}),
                headers => [Host => $server]));
            ($member{$server}[$i]) = grep { $_ ne $OK } @shown;
            $member{$server}[$i] //= $people[$i];
        }
    }
}


## what a client does

# of the process that it runs in
my (%count, @wrong, $now, %kept);

sub wrong {
    my ($what, $r) = @_;

    $count{wrong}++;
    push @wrong, "$now->{server}: $what: " . substr(join(' ',
        $r->error // '', $r->raw, $r->body), 0, 500) if @wrong < 10;

    return 0;
}

# Half of the requests are on a connection that is kept. nginx may close that
# while the request is on its way, when it is reloaded: such a request was not
# read and is sent again.
sub exchange {
    my ($server, %request) = @_;

    my $t = $now->{gateway};
    my @request = (sign_in($now->{client}), timeout => 30, %request,
        headers => [Host => $server, @{$request{headers} // []}]);

    return $t->request(@request) if rand() < 0.5;

    my $reused = $kept{$t};
    my $c = $kept{$t} //= $t->client;
    my $r = $t->request(@request, client => $c);

    if ($r->error || ($r->header('Connection') // '') eq 'close') {
        $c->close;
        delete $kept{$t};
    }

    if ($reused && !length $r->raw && ($r->error // '') =~ /closed|reset/) {
        $count{again}++;
        return $t->request(@request);
    }

    return $r;
}

sub fault {
    my (%request) = @_;

    my $body = $request{json} || defined $request{body};
    # where nothing is to be said, what is said instead is not looked at
    my @kinds = grep { $request{method} ? $_ ne 'html' : 1 }
        grep { $body || !/malformed|type|large/ }
        (keys %UPSTREAM_FAULT) x 2, keys %CLIENT_FAULT;
    my $kind = $kinds[rand @kinds];
    my $server = $now->{server};
    my ($status, $r);

    $count{faults}++;
    $count{"fault $kind"}++;

    if ($UPSTREAM_FAULT{$kind}) {
        $status = $UPSTREAM_FAULT{$kind}[0];
        $r = exchange("$kind.$server", %request);

    } elsif ($kind eq 'leaves') {
        my $c = $now->{gateway}->client;
        $c->send("POST @{[collection($now->{client})]} HTTP/1.1\r\n"
            . "Host: $server\r\nContent-Type: application/json\r\n"
            . "Content-Length: 100\r\n\r\n{\"name\":");
        rand() < 0.5 ? $c->reset : $c->close;
        return;

    } else {
        $status = $CLIENT_FAULT{$kind};
        delete $request{json};
        my @type = ('Content-Type' => $now->{client} eq 'faxfinder'
            ? 'application/xml' : 'application/json');

        $r = $kind eq 'stranger' ? $now->{gateway}->request(%request,
                auth => ['nobody', 'x'], headers => [Host => $server])
            : exchange($server, %request,
                $kind eq 'large' ? (headers => [@type],
                    body => 'x' x 200_000)
                : $kind eq 'type' ? (headers => ['Content-Type',
                    'image/png'], body => '{}')
                : (headers => [@type], body => '{"<'));
    }

    return wrong("$kind: status " . $r->status . ", not $status", $r)
        if $r->status != $status;

    # in the client's words, and nobody else's
    my $text = $now->{client} eq 'scim'
        ? eval { $r->json->{detail} } : error_text($now->{client}, $r);
    wrong("$kind: not in the dialect", $r) if !defined $text || ref $text;

    return;
}

# One request: its status, and what a check finds wrong in its answer.
sub step {
    my ($name, $status, $request, $check) = @_;

    fault(@$request) if rand() < $FAULTS;

    $count{requests}++;
    my $r = exchange($now->{server}, @$request);

    return wrong("$name: status " . $r->status . ", not $status", $r)
        if $r->status != $status || $r->error;
    return 1 if !$check;

    my $found = eval { $check->($r) // '' } // "check: $@";
    return $found eq '' ? 1 : wrong("$name: $found", $r);
}

sub members_are {
    my ($client, @expected) = @_;
    my $expected = join ' ', sort @expected;

    return sub {
        my $got = join ' ', sort grep { $_ ne $OK } shown($client, $_[0]);
        return $got eq $expected ? '' : "members $got, not $expected";
    };
}

sub name_is {
    my ($client, $name) = @_;

    return sub {
        my ($r) = @_;
        my $got = $client eq 'faxfinder'
            ? $r->xml->findvalue('//contact_group/name')
            : $r->json->{name} // $r->json->{displayName};
        return $got eq $name ? '' : "name $got, not $name";
    };
}

sub both {
    my @checks = @_;
    return sub {
        my ($r) = @_;
        return join '', map { $_->($r) } @checks;
    };
}

# the life of a group
sub life {
    my ($client, $upstream, $name) = @_;

    my $server = "$client.$upstream";
    my ($m0, $m1) = @{$member{$server}};
    my $inline = inline($client);
    my @members = $inline ? ($m0) : ();
    my $status = sub { $STATUS{$_[0]}{$client} // 200 };
    my $id;

    step('create', $status->('group.create'), [method => 'POST',
        uri => collection($client),
        client_body($client, $upstream, $name, undef, @members)], sub {
        my ($r) = @_;
        $id = $client eq 'faxfinder'
            ? $r->xml->findvalue('//contact_group_url') =~ s{.*/}{}r
            : $r->json->{id};
        return length $id ? '' : 'no id';
    }) or return;

    my $item = item($client, path_segment($id));
    my $uri  = members_uri($client, $id);

    step('get', 200, [uri => $item], both(name_is($client, $name),
        $inline ? members_are($client, @members) : ())) or return;

    step('list', 200, [uri => collection($client)], sub {
        my $got = listed($client, $_[0])->{$name};
        return ($got // '') eq $id ? '' : 'not there';
    }) or return if rand() < 0.3 && $client ne 'signalwire';

    step('replace', $status->('group.replace'), [
        method => $client eq 'portsip' ? 'POST' : 'PUT', uri => $item,
        client_body($client, $upstream, "$name-new", $id, @members)])
        or return;
    step('get replaced', 200, [uri => $item],
        both(name_is($client, "$name-new"),
            $inline ? members_are($client, @members) : ())) or return;

    if ($client eq 'scim') {
        step('modify', 204, [method => 'PATCH', uri => $item, json => {
            schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
            Operations => [{op => 'add', path => 'members',
                value => [{value => $m1}]}]}]) or return;
        step('get modified', 200, [uri => $item],
            members_are($client, $m0, $m1)) or return;
    }

    if (!$inline) {
        my $owned = $client eq 'portsip';
        my $membership;

        step('add', 200, [method => 'POST', $owned
            ? (uri => "$uri/" . path_segment($m1))
            : (uri => $uri, json => {phone_number_id => $m1})], sub {
            $membership = $_[0]->json->{id} if !$owned;
            return '';
        }) or return;

        my $one = $owned ? "$uri/" . path_segment($m1)
            : '/api/relay/rest/number_group_memberships/'
                . path_segment($membership);

        step('members', 200, [uri => $uri], members_are($client, $m1))
            or return;
        step('member', 200, [uri => $one], sub {
            $_[0]->body =~ /"\Q$m1\E"/ ? '' : 'another';
        }) or return;
        step('remove', $status->('member.remove'), $owned
            ? [method => 'POST', uri => "$one/destroy"]
            : [method => 'DELETE', uri => $one]) or return;
        step('no members', 200, [uri => $uri], members_are($client))
            or return;
    }

    step('delete', $status->('group.delete'), $client eq 'portsip'
        ? [method => 'POST', uri => "$item/destroy"]
        : [method => 'DELETE', uri => $item]) or return;
    step('gone', 404, [uri => $item]);

    return;
}

sub client {
    my ($number, $file, $end) = @_;

    srand $number;

    for (my $n = 0; time < $end; $n++) {
        my $client   = $CLIENTS[rand @CLIENTS];
        my $upstream = $VENDORS[rand @VENDORS];

        $now = {
            client  => $client,
            server  => "$client.$upstream",
            gateway => $gateways[rand() < 0.7 ? 0 : 1],
        };
        eval { life($client, $upstream, "g$number-$n"); 1 } or do {
            $count{wrong}++;
            push @wrong, "$now->{server}: $@" if @wrong < 10;
        };
    }

    $steady->write_file($file, encode_json({count => \%count,
        wrong => \@wrong}));

    return;
}


## what is measured

sub status_of {
    my ($pid) = @_;
    my ($rss) = $steady->read_file("/proc/$pid/status")
        =~ /^VmRSS:\s+(\d+)/m;
    my @fds = glob "/proc/$pid/fd/*";
    return ($rss // 0, scalar @fds);
}

# The workers that take connections: those that go are in no measure.
sub workers {
    my ($t) = @_;
    my $master = $t->{nginx};
    return grep {
        $t->read_file("/proc/$_/cmdline") =~ /worker process(?! is)/
    } split ' ', $t->read_file("/proc/$master/task/$master/children");
}

my (%memory, %descriptors);

sub measure {
    my ($at, $who, @pids) = @_;
    my ($rss, $fds) = (0, 0);

    for my $pid (@pids) {
        my ($r, $f) = status_of($pid);
        $rss += $r;
        $fds += $f;
    }

    push @{$memory{$who}},      [$at, $rss];
    push @{$descriptors{$who}}, [$at, $fds];

    return;
}

# what there was in the first and in the last third after the first minute
sub thirds {
    my ($samples) = @_;
    my $third = ($SECONDS - $WARM) / 3;

    return ([map { $_->[1] } grep { $_->[0] >= $WARM
            && $_->[0] < $WARM + $third } @$samples],
        [map { $_->[1] } grep { $_->[0] >= $SECONDS - $third } @$samples]);
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return $sorted[@sorted / 2] // 0;
}


my $start = time;
my $end   = $start + $SECONDS;
my @pids;

for my $number (1 .. $CLIENTS) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        client($number, "client$number", $end);
        POSIX::_exit(0);
    }
    push @pids, $pid;
}

my $reloads = 0;
my $failed  = 0;
my $next    = $start + $RELOAD;

while (time < $end) {
    sleep 1;
    my $at = time - $start;

    measure($at, 'steady', workers($steady));

    # Just before they go: these workers have done the most. The first ones
    # were made by a master that had read the configuration only once.
    if (time >= $next) {
        measure($at, 'reloaded', workers($reloaded)) if $reloads;
        $reloaded->reload ? $reloads++ : $failed++;
        measure($at, 'master', $reloaded->{nginx});
        $next += $RELOAD;
    }
}

my %all;
my @all_wrong;

for my $number (1 .. $CLIENTS) {
    waitpid $pids[$number - 1], 0;
    my $told = decode_json($steady->read_file("client$number") || '{}');
    $all{$_} += $told->{count}{$_} for keys %{$told->{count}};
    push @all_wrong, @{$told->{wrong} // ["client $number did not end"]};
}

is($all{wrong} // 0, 0, 'no wrong answer');
diag($_) for @all_wrong;
is($failed, 0, "each of $reloads reloads");

my @told;

for my $who (qw(steady reloaded master)) {
    my ($first, $last) = thirds($memory{$who});
    my ($from, $to) = (max(@$first) // 0, max(@$last) // 0);
    my $limit = $from * 1.05 + $MB;
    ok($to <= $limit || !@$first, "memory, $who: from $from kB to $to kB");
    push @told, sprintf 'memory %s %.1f to %.1f MB', $who, $from / $MB,
        $to / $MB;

    ($first, $last) = thirds($descriptors{$who});
    ($from, $to) = (median(@$first), median(@$last));
    cmp_ok($to, '<=', $from + 4, "descriptors, $who: from $from to $to");
    push @told, "descriptors $from to $to";
}

for my $t (@gateways) {
    my @bad = grep { /\[(?:alert|crit|emerg)\]/ }
        split /\n/, $t->read_file('requests.log');
    is(scalar(@bad), 0, 'no alert in the log') or diag(@bad[0 .. 9]);
    $t->stop;
}

note("$_: $all{$_}") for sort grep { /^fault / } keys %all;
done_testing;

printf "soak: %d s, %d requests, %d faults, %d reloads, %d wrong, "
    . "%d sent again; %s\n", $SECONDS, $all{requests} + $all{faults},
    $all{faults}, $reloads, $all{wrong} // 0, $all{again} // 0,
    join ', ', @told;
