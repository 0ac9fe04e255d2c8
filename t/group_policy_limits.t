#!/usr/bin/perl

# group_policy_timeout and group_policy_memory: whatever a hook does, it ends,
# its client gets an answer, and the worker goes on.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Time::HiRes qw(time);

# the process that answers is a part of what is tested
local $ENV{TEST_GROUP_RELOAD} = 0;

my $t = Test::Gateway->new(workers => 1, variables => [qw(outcome)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my $u = $t->upstream(sub {
    return [200, [], {id => $UUID, name => 'a', sticky_sender => \0,
            phone_number_count => 0}];
});

my $proxy = 'proxy_pass http://' . $u->address . ';';
my $ms    = 30 * $t->patience;

# nor is a request to fail only because the machine is slow
my $long = 5000 * $t->patience;

# name => [which limit ends it, statements of a request hook]; "any" where
# either may come first, "error" where it is the script's own mistake
my %bomb = (
    'an endless loop' => ['time', 'while true do end'],
    'repeat' => ['time', 'repeat until false'],
    'a long for' => ['time', 'for i = 1, 1e15 do end'],
    'goto' => ['time', '::again:: goto again'],
    'tail calls' => ['time', 'local function f() return f() end f()'],
    'pcall in a loop' => ['time',
        'while true do pcall(function() while true do end end) end'],
    'a loop in pcall, and another one behind it' => ['time', <<'END'],
        pcall(function() while true do end end)
        while true do end
END
    'pcall of pcall' => ['time',
        'while true do pcall(pcall, pcall, function() while true do end end)'
        . ' end'],
    'pcall that swallows and returns' => ['time',
        'pcall(function() while true do end end)'],
    'deep pcall' => ['any', <<'END'],
        local function f() pcall(f) while true do end end
        f()
END
    'recursion in pcall' => ['any', <<'END'],
        local function f() return 1 + f() end
        while true do pcall(f) end
END
    'recursion' => ['error', 'local function f() return 1 + f() end f()'],
    'xpcall' => ['any', <<'END'],
        local try = xpcall or function(f, h) pcall(f) h() end
        while true do
            try(function() while true do end end,
                function() while true do end end)
        end
END
    'a metamethod' => ['time',
        'local t = setmetatable({}, {__index = function(t, k)'
        . ' while true do end end}) local x = t.x'],
    '__tostring' => ['time', 'tostring(setmetatable({}, {__tostring ='
        . ' function() while true do end end}))'],
    '__tostring of tostring' => ['any',
        'tostring(setmetatable({}, {__tostring = tostring}))'],
    'an error object that loops' => ['any', 'error(setmetatable({},'
        . ' {__tostring = function() while true do end end}))'],
    'an error with a long message' => ['any', 'error(("x"):rep(1e6))'],
    'after deny' => ['time', 'ctx:deny("conflict") while true do end'],
    'a lot of lines to log' => ['time',
        'while true do ctx:log("info", "x") end'],
    'variables' => ['any', 'while true do local x = ctx.var("uri") end'],

    'rep' => ['any', 'local s = ("x"):rep(1e10)'],
    'rep in pcall' => ['any',
        'while true do pcall(string.rep, "x", 1e10) end'],
    'rep with a separator' => ['any',
        'local s = ("x"):rep(1e5, ("y"):rep(1e5))'],
    'rep of nothing' => ['fine', 'local s = (""):rep(1e9)'],
    'rep of a count that is none' => ['any', 'local s = ("x"):rep(2^53)'],
    'doubling' => ['memory', 'local s = "x" while true do s = s .. s end'],
    'doubling in pcall' => ['any', <<'END'],
        local s = "x"
        while true do pcall(function() while true do s = s .. s end end) end
END
    'a table' => ['memory', 'local t = {} for i = 1, 1e9 do t[i] = i end'],
    'a table of tables' => ['memory',
        'local t = {} while true do t = {t, {}, {}} end'],
    'names' => ['memory', 'local t = {} for i = 1, 1e9 do t["k" .. i] = 1 end'],
    'closures' => ['memory', 'local t = {} for i = 1, 1e9 do'
        . ' t[i] = function() return i end end'],
    'a table in pcall' => ['any', <<'END'],
        local t = {}
        while true do
            pcall(function() while true do t[#t + 1] = {} end end)
        end
END
    'the group' => ['memory',
        'for i = 1, 1e9 do ctx.group["k" .. i] = ("x"):rep(1000) end'],
    'globals' => ['memory', 'kept = {} for i = 1, 1e9 do kept[i] = {} end'],
    'garbage' => ['time', 'while true do local t = {1, 2, 3} end'],
    'arguments' => ['any', 'local t = {} for i = 1, 1e5 do t[i] = i end'
        . ' while true do local x = select("#", unpack(t, 1, 7000)) end'],
    'too many arguments' => ['error', 'local x = {unpack({}, 1, 1e8)}'],
    'bytes' => ['any', 'local s = ("x"):rep(1e6)'
        . ' while true do pcall(string.byte, s, 1, -1) end'],

    'sort with a comparator that never ends' => ['time',
        'table.sort({3, 1, 2}, function() while true do end end)'],
    'sort with a comparator that lies' => ['any', <<'END'],
        local t = {}
        for i = 1, 20000 do t[i] = i end
        while true do table.sort(t, function() return true end) end
END
    'sort of a lot' => ['any', <<'END'],
        local t = {}
        for i = 1, 200000 do t[i] = -i end
        while true do table.sort(t) end
END
    'sort in sort' => ['any', <<'END'],
        local function sort() table.sort({2, 1}, sort) end
        sort()
END
    'insert at the front' => ['any', <<'END'],
        local t = {}
        for i = 1, 200000 do t[i] = i end
        while true do table.insert(t, 1, 0) end
END
    'remove at the front' => ['any', <<'END'],
        local t = {}
        for i = 1, 200000 do t[i] = i end
        while true do table.remove(t, 1) t[#t + 1] = 1 end
END
    'insert far away' => ['any',
        'while true do pcall(table.insert, {}, -2^31, 1) end'],
    'move' => ['any', 'table.move({}, 1, 2^31 - 2, 2)'],
    'move in pcall' => ['any',
        'while true do pcall(table.move, {}, 1, 1e8, 2) end'],
    'concat' => ['any', <<'END'],
        local t = {}
        for i = 1, 1000 do t[i] = ("x"):rep(1000) end
        while true do local s = table.concat(t) end
END
    'maxn' => ['any', <<'END'],
        local t = {}
        for i = 1, 200000 do t[i] = i end
        while true do local n = table.maxn(t) end
END

    'gsub with a callback that never ends' => ['time',
        '("x"):gsub(".", function() while true do end end)'],
    'gsub that grows' => ['memory',
        'local s = ("x"):rep(1e4):gsub(".", ("y"):rep(1e4))'],
    'gsub of captures' => ['any', <<'END'],
        local s = ("x"):rep(1e4)
        while true do s = s:gsub("(.+)", "%1%1%1%1") end
END
    'gmatch' => ['any', 'for x in ("x"):rep(1e6):gmatch("()") do'
        . ' for y in ("y"):rep(1e6):gmatch("()") do end end'],
    'a pattern of many repetitions' => ['time',
        'local x = ("a"):rep(200):find((".-"):rep(20) .. "b")'],
    'a greedy one' => ['time',
        'local x = ("a"):rep(200):match((".*"):rep(20) .. "b")'],
    'optional characters' => ['time',
        'local x = ("a"):rep(40):find(("a?"):rep(40) .. ("a"):rep(41))'],
    'a pattern over a long text' => ['any',
        'local s = ("a"):rep(1e6) local x = s:find("a-a-a-a-b")'],
    'a balance' => ['any', 'local s = ("("):rep(1e6)'
        . ' while true do local x = s:find("%b()") end'],
    'a plain text over a long text' => ['any', <<'END'],
        local s, x = ("a"):rep(2e6), ("a"):rep(1e6) .. "b"
        while true do local y = s:find(x, 1, true) end
END
    'a pattern in pcall' => ['time', <<'END'],
        while true do
            pcall(string.find, ("a"):rep(200), (".-"):rep(20) .. "b")
        end
END
    'a deep pattern' => ['error',
        'local x = ("a"):rep(1e6):find(("(a"):rep(40) .. (")"):rep(40))'],
    'format' => ['any', 'local s = ("x"):rep(1e5)'
        . ' while true do local y = ("%s%s%s%q"):format(s, s, s, s) end'],
    'reverse, upper and lower' => ['any', 'local s = ("x"):rep(2e6)'
        . ' while true do local y = s:reverse():upper():lower() end'],
    'comparison' => ['any', <<'END'],
        local s = ("x"):rep(3e6)
        local a, b = s .. "a", s .. "b"
        while true do local y = a < b end
END
    'tonumber' => ['any', 'local s = ("9"):rep(3e6)'
        . ' while true do local y = tonumber(s) end'],
    'date' => ['any', 'local s = ("%c"):rep(1e5)'
        . ' while true do pcall(os.date, s) end'],
);

my ($n, $locations, %path) = (0, '');

for my $name (sort keys %bomb) {
    $n++;
    $path{$name} = "/b$n";
    $t->write_file("b$n.lua",
        "return {\nrequest = function(ctx)\n$bomb{$name}[1]\nend,\n}\n");

    # what is to be ended by the memory limit has the time for it
    my $time = $bomb{$name}[0] eq 'memory' ? $long : $ms;

    $locations .= <<"END";
location /b$n/ {
    group_base_path /b$n;
    group_policy_timeout ${time}ms;
    group_policy b$n.lua;
    $proxy
}
END
}

$t->write_file('answer.lua', <<'END');
return { response = function(ctx) while true do end end }
END
$t->write_file('fine.lua', <<'END');
return { request = function(ctx)
    ctx.group.name = ctx.group.name .. "-fine"
end }
END
$t->write_file('busy.lua', <<'END');
return { request = function(ctx)
    local until_ms = tonumber(ctx.params.ms)
    local start = os.clock()
    while (os.clock() - start) * 1000 < until_ms do end
end }
END
$t->write_file('hold.lua', <<'END');
return { request = function(ctx)
    local s = ("x"):rep(tonumber(ctx.params.bytes))
end }
END

$t->nginx(http => <<"END", server => <<"END2");
group_dialect signalwire;
group_policy_timeout ${ms}ms;
add_header X-Pid \$pid always;
END
$locations

location /fine/ {
    group_base_path /fine;
    group_policy_timeout ${long}ms;
    group_policy fine.lua;
    $proxy
}
location /answer/ { group_base_path /answer; group_policy answer.lua; $proxy }
location /second/ {
    group_base_path /second;
    group_policy fine.lua;
    group_policy b1.lua;
    $proxy
}

location /time/ {
    group_base_path /time;
    group_policy_timeout ${long}ms;
    group_policy busy.lua ms=@{[2 * $ms]};
    $proxy
    location /time/short/ { group_base_path /time/short;
        group_policy_timeout ${ms}ms; $proxy }
}
location /memory/ {
    group_base_path /memory;
    group_policy_timeout ${long}ms;
    group_policy_memory 1m;
    group_policy hold.lua bytes=2000000;
    $proxy
    location /memory/more/ { group_base_path /memory/more;
        group_policy_memory 4m; $proxy }
}
END2

sub create {
    my ($path) = @_;
    $u->clear;
    my $start = time;
    my $r = $t->post("$path/number_groups", json => {name => 'a'});
    return ($r, time - $start, scalar(() = $u->requests));
}

my ($first) = create('/fine');
is($first->status, 200, 'a hook that is fine');
my $pid = $first->header('X-Pid');
ok($pid, 'and the worker that ran it');

my %log = (
    time   => qr/exceeded the time limit of $ms ms in its request hook/,
    memory => qr/exceeded the memory limit of 16777216 bytes in its request/,
);
my $any = qr/exceeded the (?:time|memory) limit|failed in its request hook/;

sub rss {
    my ($kb) = ($t->read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m);
    return $kb // 0;
}

my $before = rss();

for my $name (sort keys %bomb) {
    subtest $name => sub {
        my ($limit) = @{$bomb{$name}};

        $t->mark;
        my ($r, $took, $sent) = create($path{$name});

        if ($limit eq 'fine') {
            is($r->status, 200, 'passes');

        } else {
            is($r->status, 500, 'status');
            is($r->body, '{"error":"Internal Server Error"}', 'body');
            is($sent, 0, 'nothing is sent');
            $t->like_log($log{$limit} // $any, 'log');
        }

        # far more than the limit, far less than without
        cmp_ok($took, '<', 20 * $t->patience, 'in time');

        my ($next) = create('/fine');
        is($next->status, 200, 'the next request');
        is($next->header('X-Pid'), $pid, 'is answered by the same worker');
    };
}

subtest 'memory is given back' => sub {
    my $why = 'what is freed is kept';
    Test::Gateway->not_in(valgrind => $why, asan => $why);

    create($path{$_}) for ('a table', 'globals') x 3;
    create('/fine');

    cmp_ok(rss() - $before, '<', 64 * 1024, 'not kept in the worker');
};

subtest 'response hooks' => sub {
    my ($r, $took, $sent) = create('/answer');
    is($r->status, 500, 'status');
    is($sent, 1, 'the upstream was asked');
    $t->like_log(qr/exceeded the time limit of $ms ms in its response hook/,
        'log');
};

subtest 'a limit is of one hook' => sub {
    $t->mark;
    my ($r) = create('/second');
    is($r->status, 500, 'the second one is over it');
    $t->like_log(qr/policy "\S+b1\.lua" exceeded|policy "\S+b1\.lua" failed/,
        'log');
};

subtest 'the limits are as they are set' => sub {
    is((create('/time'))[0]->status, 200, 'a longer time');
    is((create('/time/short'))[0]->status, 500, 'a shorter one');
    is((create('/memory'))[0]->status, 500, 'less memory');
    is((create('/memory/more'))[0]->status, 200, 'more memory');
};

subtest 'under load' => sub {
    my @loops = ('an endless loop', 'pcall in a loop', 'a table in pcall');
    my @clients;

    for my $i (1 .. 12) {
        my $path = $i % 2 ? '/fine' : $path{$loops[$i % 3]};
        my $c = $t->client;
        $c->send("POST $path/number_groups HTTP/1.1\r\nHost: a\r\n"
                . "Content-Type: application/json\r\n"
                . "Content-Length: 12\r\nConnection: close\r\n\r\n"
                . '{"name":"a"}');
        push @clients, [$c, $i % 2 ? 200 : 500];
    }

    for (@clients) {
        my ($c, $status) = @$_;
        my $r = $c->response;
        is($r->status, $status, "status $status");
        is($r->header('X-Pid'), $pid, 'the same worker');
        $c->close;
    }
};

subtest 'the directives' => sub {
    for my $d (qw(group_policy_timeout group_policy_memory)) {
        $t->config_fails("$d x;", qr/"$d" directive invalid value/, "$d x");
        $t->config_fails("$d -1;", qr/"$d" directive invalid value/, "$d -1");
        $t->config_fails("$d 1; $d 1;", qr/"$d" directive is duplicate/,
            "$d twice");
        $t->config_fails("location / { if (\$arg_a) { $d 1; } }",
            qr/directive is not allowed here/, "$d in if");
    }

    $t->config_ok("group_policy_timeout $_;", "group_policy_timeout $_")
        for qw(10ms 1s 1m);
    $t->config_ok("group_policy_memory $_;", "group_policy_memory $_")
        for qw(65536 100k 1m);
};

$t->stop;
done_testing;
