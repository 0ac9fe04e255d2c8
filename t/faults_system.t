#!/usr/bin/env perl

# A system that fails: no room on the disk, or in shared memory, a worker that
# is killed, a reload and another binary while requests are under way, and a
# wall clock that jumps. What can be answered is answered in the client's
# dialect, and what follows is well.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Faults qw(asked faulty);
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Preload;
use Test::Gateway::Samples
    qw(create created dialects error_text group_name location);

# they are about one nginx and its signals
$ENV{TEST_GROUP_RELOAD} = 0;

my $JSON = ['Content-Type' => 'application/json'];
my $BIG  = 'x' x 300_000;

my $temp = File::Temp->newdir('system-XXXXXX', TMPDIR => 1);
chmod 0755, "$temp";

# One vendor for all: what was written to a group is there when it is read.
sub vendor {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};

    return ['group.create', @{created('signalwire')}]
        if $uri =~ m{^/api/relay/};
    return ['group.create', @{created('faxfinder')}] if $uri =~ m{^/ffws/};
    return ['group.create', @{created('portsip')}]   if $uri =~ m{^/api/};
    return ['group.create', @{created('vinyldns')}]  if $uri eq '/groups';
    return ['group.list', 200, $JSON, '{"groups":[' . join(',',
        (created('vinyldns')->[2]) x 2000) . '],"maxItems":100,'
        . '"ignoreAccess":false}'] if $uri =~ m{^/groups\?} || $method eq 'X';

    my ($id) = $uri =~ m{([^/]+)$};
    if ($method eq 'PUT') {
        open my $fh, '>', "$temp/group.$id" or die;
        print {$fh} $request->{body};
        close $fh;
        return ['group.replace', 200, $JSON, $request->{body}];
    }

    my $body = "";
    if (open my $fh, '<', "$temp/group.$id") {
        local $/;
        $body = <$fh>;
    }
    return ['group.get', 200, $JSON, $body || qq({"id":"$id","name":"sales",)
        . '"email":"a@b.test","members":[{"id":"m"}],"admins":[{"id":"m"}]}'];
}

# the change of a group, in three calls
sub member {
    my ($group, $member) = @_;
    return (method => 'POST', uri => '/member/api/groups/'
        . encode_base64($group, '') =~ s/=/%3D/gr . "/members/$member");
}

sub group {
    my ($name) = @_;
    open my $fh, '<', "$temp/group.$name" or return '';
    local $/;
    return <$fh>;
}

# Sends a request and returns its client; the answer is for later.
sub begin {
    my ($t, %call) = @_;

    my $c    = $t->client;
    my $head = "$call{method} $call{uri} HTTP/1.1\r\nHost: a\r\n"
        . "Connection: close\r\n";
    my @headers = @{$call{headers} // []};
    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }
    $head .= 'Content-Length: ' . length($call{body}) . "\r\n"
        if defined $call{body};
    $c->send("$head\r\n" . ($call{body} // ''));

    return $c;
}

sub wait_for {
    my ($what, $seconds) = @_;
    my $deadline = time + ($seconds // 10);
    while (time < $deadline) {
        my $got = $what->();
        return $got if $got;
        sleep 0.02;
    }
    return;
}

sub children {
    my ($master) = @_;
    my @pids;
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my ($pid, $state, $parent) = (<$fh> // '')
            =~ /^(\d+) \(.*\) (\S) (\d+)/ or next;
        push @pids, $pid if $parent == $master && $state ne 'Z';
    }
    return @pids;
}

sub alive {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/stat" or return 0;
    return (<$fh> // '') =~ /^\d+ \(.*\) Z/ ? 0 : 1;
}

sub refused_ok {
    my ($client, $r, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $length = $r->header('Content-Length') // '';
    return ok(!$r->error && $r->status =~ $status
            && $length eq length $r->body
            && defined error_text($client, $r), $name)
        || diag(($r->error // '') . "\n" . $r->raw);
}


subtest 'a disk that is full' => sub {

    # A limit to what a file can have is as good as no room on the disk, and
    # does not take root; a directory that is none cannot be written to by
    # root either.
    my $t = Test::Gateway->new(wrapper => ['sh', '-c',
        'trap "" XFSZ; ulimit -f 200; exec "$@"', 'sh'], variables => 0);
    my $u  = faulty($t, \&vendor);
    my $to = 'http://' . $u->address;

    my @ways = (full => '%%DIR%%/client_body', none => '%%DIR%%/none/x');
    my %way  = @ways;
    $t->write_file('none', '');

    my $locations = '';
    for my $client (dialects()) {
        for my $way (sort keys %way) {
            $locations .= location($client, $client, $to,
                base => "/$way-$client", more => 'client_body_temp_path '
                    . ($way eq 'full' ? $way{full} : '%%DIR%%/gone')
                    . '; client_body_buffer_size 16k; '
                    . 'client_body_in_file_only off;');
        }
    }

    $t->nginx(
        http => 'proxy_cache_path %%DIR%%/cache keys_zone=c:1m; ',
        server => $locations
            . location('vinyldns', 'vinyldns', $to, base => '/cached',
                more => 'proxy_cache c; proxy_cache_valid any 1m;')
            . location('vinyldns', 'vinyldns', $to, base => '/plain'),
    );

    # a limit of 100 KB is one of the log as well
    rmdir $t->dir . '/gone';
    $t->write_file('gone', '');
    $t->expect_log(qr/ \[crit\].* (?:pwrite|open|write|mkdir|rename)
        (?:v|64)?\(\)/x);

    for my $client (dialects()) {
        for my $way (sort keys %way) {
            $t->mark;
            my %call = create($client);
            my $name = "$way, $client";
            $call{body} =~ s/(sales)/$1$BIG/;

            my $r = $t->request(%call, http1 => 1,
                uri => "/$way-$client$call{uri}");
            refused_ok($client, $r, qr/^500$/, "$name: an error");
            $t->like_log(qr/\[crit\].*(?:File too large|Not a directory)/,
                'the log says why');
            $t->unlike_log(qr/no memory/, 'and nothing else');

            %call = create($client);
            $r = $t->request(%call, http1 => 1,
                uri => "/$way-$client$call{uri}");
            is($r->status, created($client)->[0], 'a small one is well');
        }
    }

    # an answer that is to be kept in a file
    $t->mark;
    my $r = $t->get('/cached/groups?maxItems=3', http1 => 1);
    ok($r->status == 200 || !!refused_ok('vinyldns', $r, qr/^50[02]$/,
        'an answer for the cache'), 'answered');
    $t->like_log(qr/\[crit\].*(?:File too large|has written only)/,
        'the log says why');
    $r = $t->request(create('vinyldns'), uri => '/cached/groups',
        http1 => 1);
    is($r->status, 200, 'the next one is well');

    # one that is not
    $r = $t->get('/plain/groups?maxItems=3', http1 => 1);
    is($r->status, 200, 'an answer that nobody keeps needs no disk');
    is(scalar(@{($r->json // {})->{groups} // []}), 2000, 'all of it');

    $t->stop;
};

subtest 'a disk that is full, for the log' => sub {
    my $t = Test::Gateway->new(variables => 0);
    my $u = faulty($t, \&vendor);
    $t->nginx(server => 'access_log /dev/full combined; error_log /dev/full;'
        . location('vinyldns', 'vinyldns', 'http://' . $u->address));

    is($t->request(create('vinyldns'), http1 => 1)->status, 200,
        'an answer all the same') for 1 .. 3;
    $t->expect_log(qr/\[alert\].*(?:write|No space)/);
    $t->stop;
};

subtest 'shared memory that is full' => sub {
    my $t = Test::Gateway->new(workers => 2, variables => 0);
    my $u = faulty($t, \&vendor);
    $t->write_file('fill.lua', <<'END');
local policy = {}
function policy.request(ctx)
  for i = 1, 100 do
    local ok, why = ctx.shared.small:set("k" .. i, ("x"):rep(4000))
    if not ok then
      return ctx:deny("unavailable", "it is " .. why)
    end
  end
end
return policy
END
    my $clients = $t->credentials('clients.json', {type => 'sigv4',
        access_key => 'AK', secret_key => 'SK',
        scopes => ['groups:read', 'groups:write']});

    $t->nginx(http => 'group_shared_zone small 64k;',
        server => location('vinyldns', 'vinyldns', 'http://' . $u->address,
            base => '/shared', more => 'group_policy %%DIR%%/fill.lua;')
        . location('vinyldns', 'vinyldns', 'http://' . $u->address,
            base => '/signed', more => "group_credentials $clients;"
                . 'group_sigv4_replay_zone r 64k;')
        . location('portsip', 'vinyldns', 'http://' . $u->address,
            base => '/member'));

    my $r = $t->request(create('vinyldns'), uri => '/shared/groups',
        http1 => 1);
    refused_ok('vinyldns', $r, qr/^503$/, 'of a hook: it is told');
    like($r->body, qr/full/, 'and decides');

    my %seen;
    for my $n (1 .. 600) {
        my $r = $t->request(method => 'GET', uri => "/signed/groups/g?n=$n",
            http1 => 1, sigv4 => {access_key => 'AK', secret_key => 'SK'});
        $seen{$r->status}++;
        refused_ok('vinyldns', $r, qr/^503$/, 'of signatures')
            if $r->status != 200 && $seen{$r->status} == 1;
    }
    is_deeply([sort keys %seen], [200, 503], 'some are taken, some refused')
        || diag(explain(\%seen));
    $t->like_log(qr/replay_zone/, 'the log says why');

    # there is a place for 1024 groups under change, and more are no harm
    my @clients = map { begin($t, member("many$_", 'y')) } 1 .. 100;
    my @status  = map { $_->response->status } @clients;
    is(scalar(grep { $_ == 200 } @status), 100, 'many groups at once')
        || diag("@status");
    is(scalar(grep { group("many$_") =~ /"y"/ } 1 .. 100), 100,
        'each is changed');
    $t->stop;
};

subtest 'a worker that is killed' => sub {
    my $t    = Test::Gateway->new(workers => 2, variables => 0);
    my $slow = $t->patience;
    my $u    = faulty($t, \&vendor);
    $t->nginx(server => location('portsip', 'vinyldns',
        'http://' . $u->address, base => '/member'));
    $t->expect_log(qr/\[alert\].*worker process \d+ exited on signal 9/);

    for my $round (1 .. 3) {
        my $group = "killed$round";
        my $late  = 5000 * $slow;

        # one worker holds the group, and another one waits for it
        my %call = member($group, 'x');
        my $holds = begin($t, %call, headers => ['X-Case' => $group,
            'X-Fault' => "group.get=late$late"]);
        ok(wait_for(sub { asked($u, $group) }), 'under change');
        my @waits = map { begin($t, member($group, "y$_")) } 1 .. 4;
        sleep 0.05;

        my @workers = children($t->{nginx});
        my $socket  = $holds->{socket};
        my $worker  = owner_of($socket->sockport, $socket->peerport,
            @workers);
        ok($worker, 'by a worker') || return diag("@workers");

        my $start = time;
        kill KILL => $worker;
        ok($holds->closed(5 * $slow), 'the client is hung up on');
        $_->close for $holds;

        my @status = map { $_->response->status || 'closed' } @waits;
        is(scalar(grep { !/^(?:200|closed)$/ } @status), 0,
            'who waited goes on, or was with that worker')
            || diag("@status");

        my $r = $t->request(member($group, 'z'), http1 => 1);
        is($r->status, 200, 'the next change has its turn');
        cmp_ok(time - $start, '<', 4 * $slow, 'soon');
        like(group($group), qr/"z"/, 'it is done');

        my @done = grep { $status[$_ - 1] eq '200' } 1 .. 4;
        is(scalar(grep { group($group) =~ /"y$_"/ } @done), scalar @done,
            'and nothing is lost');
        ok(wait_for(sub { children($t->{nginx}) == 2 }), 'a new worker');
    }
    $t->stop;
};

# The process that has this connection.
sub owner_of {
    my ($from, $to, @pids) = @_;

    my $want = sprintf '0100007F:%04X 0100007F:%04X', $to, $from;
    open my $fh, '<', '/proc/net/tcp' or return;
    my ($inode) = map { (split)[9] } grep { /\Q$want\E/ } <$fh>;
    return if !$inode;

    for my $pid (@pids) {
        return $pid if grep { (readlink($_) // '') eq "socket:[$inode]" }
            glob "/proc/$pid/fd/*";
    }
    return;
}

subtest 'a reload while a group is changed' => sub {
    my $t    = Test::Gateway->new(workers => 1, variables => 0);
    my $slow = $t->patience;
    my $u    = faulty($t, \&vendor);
    $t->nginx(server => location('portsip', 'vinyldns',
        'http://' . $u->address, base => '/member'));

    my $old = begin($t, member('reload', 'old'), headers =>
        ['X-Case' => 'reload', 'X-Fault' => 'group.get=late'
            . 800 * ($slow > 3 ? 3 : $slow)]);
    ok(wait_for(sub { asked($u, 'reload') }), 'under change');
    ok($t->reload, 'reload');

    # the new worker waits for the old one
    my $r = $t->request(member('reload', 'new'), http1 => 1);
    is($r->status, 200, 'a change after it');
    is($old->response->status, 200, 'and the one before');
    like(group('reload'), qr/"$_"/, "$_ is there") for qw(old new);

    $t->stop;
};

subtest 'another binary while requests are under way' => sub {
    plan skip_all => 'valgrind does not start another nginx'
        if $ENV{TEST_GROUP_VALGRIND};

    # nginx looks whether its parent is the one that it was started by: it is
    # started by one that goes away, and somebody else waits for its end
    my $t = Test::Gateway->new(workers => 1, variables => 0,
        wrapper => ['perl', '-e', <<'END', 'wait']);
use strict;
use POSIX ();
shift;
my ($dir) = map { m{^(.*)/nginx\.conf$} ? $1 : () } @ARGV;
sub content {
    open my $fh, '<', $_[0] or return '';
    return scalar(<$fh>) // '';
}
sub pids {
    return grep { content("/proc/$_/stat") =~ /^\d+ \(.*\) [^Z]/ }
        map { content("$dir/$_") =~ /(\d+)/ } 'nginx.pid', 'nginx.pid.oldbin';
}
for my $signal (qw(QUIT TERM)) {
    $SIG{$signal} = sub { kill $signal => pids() };
}
my $starter = fork;
if (!$starter) {
    if (!fork) { exec @ARGV; POSIX::_exit(127) }
    for (1 .. 1000) { last if pids(); select undef, undef, undef, 0.02 }
    POSIX::_exit(0);
}
waitpid $starter, 0;
select undef, undef, undef, 0.05 while pids();
END
    my $slow = $t->patience;
    my $u    = faulty($t, \&vendor);
    $t->nginx(globals => 'env LD_PRELOAD; env ASAN_OPTIONS;',
        server => location('portsip', 'vinyldns',
            'http://' . $u->address, base => '/member')
        . location('vinyldns', 'vinyldns', 'http://' . $u->address,
            base => '/plain'));

    my $old;
    wait_for(sub {
        ($old) = $t->read_file('nginx.pid') =~ /(\d+)/;
        return $old && children($old) == 1;
    });
    my ($worker) = children($old);
    my $late = 1200 * $slow;

    my @under = map { begin($t, create('vinyldns', name => "under$_"),
        uri => '/plain/groups', headers => ['Content-Type' =>
            'application/json', 'X-Case' => "under$_",
            'X-Fault' => "all=late$late"]) } 1 .. 3;
    push @under, begin($t, member('upgrade', 'old'), headers =>
        ['X-Case' => 'upgrade', 'X-Fault' => "group.get=late$late"]);
    ok(wait_for(sub { asked($u, 'upgrade') && asked($u, 'under3') }),
        'under way');

    kill USR2 => $old;
    my $new = wait_for(sub {
        my ($pid) = $t->read_file('nginx.pid') =~ /(\d+)/;
        return $pid && $pid != $old && children($pid) ? $pid : 0;
    });
    ok($new, 'another master') or do { $t->stop; return };

    kill WINCH => $old;
    my $r = $t->request(create('vinyldns'), uri => '/plain/groups',
        http1 => 1);
    is($r->status, 200, 'a request meanwhile');

    is($_->response->status, 200, 'one of those before') for @under;
    for my $case (map { "under$_" } 1 .. 3) {
        is(scalar(asked($u, $case)), 1, 'done once');
    }
    is(scalar(asked($u, 'upgrade')), 3, 'the change in its three calls');
    like(group('upgrade'), qr/"old"/, 'and made');

    kill QUIT => $old;
    ok(wait_for(sub { !alive($old) }), 'the old one ends');
    ok(!alive($worker), 'with its worker');

    $r = $t->request(member('upgrade', 'new'), http1 => 1);
    is($r->status, 200, 'the new one is well');
    like(group('upgrade'), qr/"old".*"new"/, 'nothing is lost');

    $t->stop;
};

subtest 'a wall clock that jumps' => sub {
    plan skip_all => 'valgrind has its own clocks'
        if $ENV{TEST_GROUP_VALGRIND};

    my $bad = Test::Gateway::Preload->new("$temp");
    my $t = Test::Gateway->new(workers => 1, wrapper => [$bad->wrapper],
        variables => 0);
    my $slow = $t->patience;
    my $u    = faulty($t, \&vendor);

    my $clients = $t->credentials('clients.json', {type => 'sigv4',
        access_key => 'AK', secret_key => 'SK',
        scopes => ['groups:read', 'groups:write']});
    $t->write_file('up.json', json_encode({type => 'sigv4',
        access_key => 'AK', secret_key => 'SK'}), 0600);
    $t->write_file('slow.lua', <<'END');
local policy = {}
function policy.request(ctx)
  local n = 0
  for i = 1, 3e5 do n = n + i end
end
return policy
END

    my $to = 'http://' . $u->address;
    my @jumps = (2, -2, 24 * 400, -24 * 400);
    $t->nginx(server => join('', map { location('vinyldns', 'vinyldns', $to,
            base => "/signed$_", more => "group_credentials $clients; "
                . "group_sigv4_replay_zone r$_ 1m; "
                . 'group_upstream_credentials %%DIR%%/up.json;') }
            0 .. $#jumps)
        . location('portsip', 'vinyldns', $to, base => '/member')
        . location('vinyldns', 'vinyldns', $to, base => '/hook', more =>
            'group_policy %%DIR%%/slow.lua; group_policy_timeout '
            . 5 * $slow . 's;')
        . location('vinyldns', 'vinyldns', $to, base => '/plain',
            more => 'proxy_read_timeout ' . 5 * $slow . 's;'));

    my $at = sub {
        my ($seconds) = @_;
        $bad->clock($seconds);

        # nginx's own clock is that of its last event
        $t->request(create('vinyldns'), uri => '/plain/groups', http1 => 1)
            for 1 .. 2;
    };
    my $signed = sub {
        my ($zone, $time) = @_;
        return $t->request(method => 'GET', uri => "/signed$zone/groups/g",
            http1 => 1, sigv4 => {access_key => 'AK', secret_key => 'SK',
                time => $time});
    };

    for my $zone (0 .. $#jumps) {
        my $hours = $jumps[$zone];
        my $now   = int time;

        is($signed->($zone, $now)->status, 200, "$hours hours: before it");
        is($signed->($zone, $now)->status, 401, 'not twice');

        $at->($hours * 3600);
        $t->mark;
        refused_ok('vinyldns', $signed->($zone, $now + 1), qr/^40[13]$/,
            'one of another time is refused');
        $t->like_log(qr/expired/, 'the log says why');

        my $then = $now + 1 + $hours * 3600;
        is($signed->($zone, $then)->status, 200, 'one of that time is not');
        my ($last) = (asked($u, ''))[-1];
        like($last->{header}{'x-amz-date'} // '',
            qr/^@{[POSIX::strftime('%Y%m%d', gmtime $then)]}/,
            'what goes upstream has the same time');
        is($signed->($zone, $then)->status, 401, 'and not twice');

        # what would be too old has been forgotten meanwhile
        $at->(0);
        is($signed->($zone, $now)->status, 401,
            'what was used before it still is');
        is($signed->($zone, $now + 1)->status, 200, 'a new one is taken');
        is($signed->($zone, $now + 1)->status, 401, 'but not twice');
    }

    # what waits does so for as long as it was to
    for my $hours (5, -5) {
        my $name = "$hours hours";
        my $late = 300 * $slow;
        my $start = time;
        my $c = begin($t, create('vinyldns'), uri => '/plain/groups',
            headers => [@$JSON, 'X-Case' => "clock$hours",
                'X-Fault' => "all=late$late"]);
        my $first = begin($t, member("clock$hours", 'a'), headers =>
            ['X-Case' => "turn$hours", 'X-Fault' => "group.get=late$late"]);
        ok(wait_for(sub { asked($u, "turn$hours") }), "$name: under way");
        my $second = begin($t, member("clock$hours", 'b'));
        $bad->clock($hours * 3600);

        is($c->response->status, 200, 'a call is waited for');
        is($first->response->status, 200, 'a turn is kept');
        is($second->response->status, 200, 'and waited for');
        like(group("clock$hours"), qr/"a".*"b"/, 'nothing is lost');
        cmp_ok(time - $start, '<', 4 * $slow, 'nobody waits for hours');

        is($t->request(create('vinyldns'), uri => '/hook/groups',
            http1 => 1)->status, 200, 'a hook has its time');
        $at->(0);
    }

    $t->stop;
};

done_testing;
