#!/usr/bin/perl

# group_shared_zone and ctx.shared: values that all workers see, that expire,
# and that a reload keeps.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);

my $t = Test::Gateway->new(workers => 2, variables => [qw(outcome)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

# the vendor answers with what it was sent
my $u = $t->upstream(sub {
    my ($request) = @_;
    my $sent = eval { JSON::PP::decode_json($request->{body}) } // {};
    return [200, [], {id => $UUID, name => $sent->{name} // 'kept',
            sticky_sender => \0, phone_number_count => 3}];
});

# Does what the header says: "zone method key argument ...; ..." with arguments
# n:number, s:text, x:length of a text, b:true, t:table, -:nil; its results are
# the name that is sent.
$t->write_file('do.lua', <<'END');
local function value(word)
    local kind, text = word:match("^(.):(.*)$")
    if kind == "n" then return tonumber(text) end
    if kind == "x" then return ("v"):rep(tonumber(text)) end
    if kind == "b" then return text == "true" end
    if kind == "t" then return {} end
    if kind == "s" then return text end
end

local function show(...)
    local told = {}
    for i = 1, math.max(select("#", ...), 1) do
        local got = select(i, ...)
        told[i] = type(got) == "string" and #got > 50 and "#" .. #got
            or tostring(got)
    end
    return table.concat(told, " ")
end

return { request = function(ctx)
    local told = {}
    for line in ctx:var("http_x_do"):gmatch("[^;]+") do
        local words, n = {}, 0
        for word in line:gmatch("%S+") do
            n = n + 1
            words[n] = n < 4 and word or value(word)
        end
        local key = words[3]
        if key and key:find("^%a:") then key = value(key) end
        if key == "-" then key = nil end
        local zone = ctx.shared[words[1]]
        told[#told + 1] = show(zone[words[2]](zone, key,
            unpack(words, 4, n)))
    end
    ctx.group.name = table.concat(told, ", ")
end }
END

my %odd = (
    none        => 'ctx.group.name = tostring(ctx.shared.nothing)',
    'no zone'   => 'ctx.shared.nothing:get("x")',
    'by a dot'  => 'ctx.shared.one.get("x")',
    'of a text' => 'ctx.shared.one.get("x", "x")',
    'of ctx'    => 'ctx.shared.one.get(ctx, "x")',
    'of null'   => 'ctx.shared.one.get(null, "x")',
    'unknown'   => 'ctx.shared.one:expire("x")',
    'assigned'  => 'ctx.shared = {}',
    'written'   => 'ctx.shared.one.get = nil',
    'metatable' => 'ctx.group.name = tostring(getmetatable(ctx.shared.one))',
    'much'      => 'for i = 1, 1e6 do ctx.shared.one:get("long") end',
    'late'      => '',
);
$t->write_file("$_.lua" =~ s/ /_/gr, 'return { request = function(ctx) '
    . "$odd{$_} end }") for keys %odd;
$t->write_file('late.lua', <<'END');
local zone
return {
    request = function(ctx)
        zone = ctx.shared.one
        ctx:fetch{uri = "/text"}
        zone:set("late", "kept")
    end,
    response = function(ctx) ctx.group.name = zone:get("late") end,
}
END
$t->write_file('seed.lua', 'return { request = function(ctx)'
    . ' ctx.shared.one:set("long", ("v"):rep(65536)) end }');

my $proxy = 'proxy_pass http://' . $u->address . ';';
my %more = (much => 'group_policy_memory 1m; group_policy_timeout 5s;'
    . ' group_policy seed.lua;');

sub location {
    my ($path, $file, $more) = @_;
    return <<"END";
location /$path/ {
    group_base_path /$path;
    $more
    group_policy $file;
    $proxy
}
END
}

# connections are spread over the workers
my %conf = (
    http => <<'END',
group_shared_zone one 1m;
group_shared_zone two 1m;
group_shared_zone small 32k;
END
    servers => <<"END",
server {
    listen @{[$t->listen('spread')]} reuseport;
    group_dialect signalwire;
    group_policy_timeout @{[1000 * $t->patience]}ms;
    add_header X-Pid \$pid always;
    location = /text { group_dialect off; return 200 hello; }
@{[location('do', 'do.lua', '')]}
@{[map { my $name = s/ /_/gr; location($name, "$name.lua",
    $more{$_} // '') } sort keys %odd]}
}
END
);
$t->nginx(%conf);

sub create {
    my ($path, %option) = @_;
    return $t->post("/$path/number_groups", port => $t->port('spread'),
        json => {name => 'a'}, %option);
}

# what the operations told, and which worker did them
sub both {
    my ($do) = @_;
    my $r = create('do', headers => ['X-Do' => $do]);
    my $told = $r->status == 200 ? $r->json->{name} : $r->status;
    return ($told, $r->header('X-Pid'));
}

sub does { return (both(@_))[0] }

sub fails {
    my ($do, $like, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->mark;
    is(does($do), 500, $name // $do);
    return $t->like_log(qr/failed in its request hook: .*$like/, 'log');
}


subtest 'values' => sub {
    is(does('one get k'), 'nil', 'none');
    is(does('one set k s:text; one get k'), 'true, text', 'a text');
    is(does('one get k'), 'text', 'is there for the next one');
    is(does('one set k n:1.5; one get k'), 'true, 1.5', 'a number');
    is(does('one set k n:-0; one get k'), 'true, -0', 'another');
    is(does('one set k b:false; one get k'), 'true, false', 'a boolean');
    is(does('one set k b:true; one get k'), 'true, true', 'true');
    is(does('one set k s:; one get k'), 'true, ', 'an empty text');
    is(does('one set k x:65536; one get k'), 'true, #65536', 'a long text');
    is(does('one set k x:9; one get k'), 'true, vvvvvvvvv', 'a short one');
    is(does('one set k -; one get k'), 'true, nil', 'nil takes it away');
    is(does('one delete k; one get k'), 'nil, nil', 'what is not there');
    is(does('one set k n:1; one delete k; one get k'), 'true, nil, nil',
        'delete');
    is(does('one set a n:1; one set b n:2; one get a; one get b'),
        'true, true, 1, 2', 'two keys');
};

subtest 'add' => sub {
    is(does('one add new n:1'), 'true', 'what is not there');
    is(does('one add new n:2; one get new'), 'nil exists, 1', 'what is there');
    is(does('one add brief n:1 n:0.05'), 'true', 'for a while');
    sleep 0.1;
    is(does('one add brief n:2; one get brief'), 'true, 2', 'and then anew');
};

subtest 'incr' => sub {
    is(does('one incr n'), '1', 'from nothing');
    is(does('one incr n; one incr n n:5; one incr n n:-0.5'), '2, 7, 6.5',
        'by a number');
    is(does('one incr m n:1 n:10; one incr m n:1 n:10'), '11, 12',
        'from another beginning');
    is(does('one set t s:text; one incr t'), 'true, nil not a number',
        'a text');
    is(does('one set t b:true; one incr t; one get t'),
        'true, nil not a number, true', 'a boolean');
};

subtest 'time' => sub {
    is(does('one set e n:1 n:0.1; one get e'), 'true, 1', 'is there');
    sleep 0.2;
    is(does('one get e'), 'nil', 'is gone');

    # a window begins with the first, and the others do not move its end
    is(does('one incr w n:1 n:0 n:0.4'), '1', 'the first one');
    my $start = time;
    sleep 0.2;
    my $second = does('one incr w n:1 n:0 n:0.4');
    is($second, '2', 'the second one') if time - $start < 0.4;
    sleep 0.05 while time - $start < 0.5;
    is(does('one incr w n:1 n:0 n:0.4'), '1', 'the first of the next window');

    is(does('one set f n:1 n:0.1; one set f n:2'), 'true, true',
        'one that was to go');
    sleep 0.2;
    is(does('one get f'), '2', 'stays when it is set for good');
};

subtest 'zones' => sub {
    is(does('one set z n:1; two set z n:2; one get z; two get z'),
        'true, true, 1, 2', 'have keys of their own');

    is(create('none')->json->{name}, 'nil', 'a name that is none');
    for my $name ('no zone', 'by a dot', 'of a text', 'of ctx', 'of null',
        'unknown', 'assigned', 'written')
    {
        $t->mark;
        is(create($name =~ s/ /_/gr)->status, 500, $name);
        $t->like_log(qr/failed in its request hook/, 'log');
    }
    is(create('metatable')->json->{name}, 'locked', 'no metatable');
    is(create('late')->json->{name}, 'kept', 'a zone that is kept by a hook');
};

subtest 'what is refused' => sub {
    fails("one get @{['k' x 257]}", 'at most 256 bytes', 'a long key');
    is(does("one set @{['k' x 256]} n:1; one get @{['k' x 256]}"), 'true, 1',
        'a key that just fits');
    fails('one get n:5', 'must be a string, not a number', 'a number as key');
    fails('one get -', 'must be a string, not a nil', 'nil as key');
    fails('one get t:', 'must be a string, not a table', 'a table as key');
    fails('one set k x:65537', 'at most 65536 bytes', 'a long text');
    fails('one set k t:', 'not a table', 'a table');
    fails('one add k -', 'not a nil', 'nil');
    fails("one set k n:1 $_", 'more than 0 and at most', "ttl $_")
        for qw(n:0 n:-1 s:5 n:1e9);
    fails('one incr k s:x', 'number expected', 'incr by a text');

    $t->mark;
    is(create('much')->status, 500, 'texts count as memory of the hook');
    $t->like_log(qr/memory limit/, 'log');
};

subtest 'a full zone' => sub {
    my $full = 0;
    my ($told, $stored);
    for my $i (1 .. 200) {
        $told = does("small set f$i x:1000");
        $stored = $i - 1 if $told ne 'true';
        last if $told ne 'true';
    }
    is($told, 'nil full', 'says so');
    ok($stored, 'after some');
    is(does('small get f1'), '#1000', 'what has not expired stays');
    is(does("small set f1 x:2000; small get f1"), 'nil full, #1000',
        'what does not fit leaves what is there');
    is(does('small set f1 x:1000'), 'true', 'what fits in its place');
    is(does('small set f2 n:1'), 'true', 'or in less');

    my $n = 0;
    while (does("small incr c$n") =~ /^1/) { $n++ }
    is(does("small incr c$n; small add c$n n:1"), 'nil full, nil full',
        'incr and add, too');
    is(does('small incr c0'), '2', 'a counter that is there counts on');
    is(does("small delete f1; small set g x:900"), 'nil, true',
        'room is made by hand');

    is(does("small set g x:900 n:0.05"), 'true', 'or by time');
    sleep 0.1;
    is(does('small set h x:950; small get h'), 'true, #950',
        'what has expired is given up');
    $t->unlike_log(qr/ngx_slab_alloc\(\) failed/, 'the log is not full');
};

subtest 'all workers' => sub {
    my %seen;
    my (undef, $writer) = both('one set seen s:by-all');
    for (1 .. 200) {
        my ($told, $pid) = both('one get seen');
        $seen{$pid} = $told;
        last if keys %seen == 2;
    }
    is(scalar(keys %seen), 2, 'were both asked');
    is_deeply([values %seen], ['by-all', 'by-all'], 'both see it');
};

subtest 'two hundred at once' => sub {
    my ($CLIENTS, $EACH) = (4, 50);
    my (@pids, @files);

    for my $client (1 .. $CLIENTS) {
        push @files, $t->dir . "/hits$client";
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            open my $fh, '>', $files[-1] or POSIX::_exit(1);
            for (1 .. $EACH) {
                my ($told, $worker) = both('one incr hits n:1 n:0 n:60');
                syswrite $fh, "$told $worker\n";
            }
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    waitpid $_, 0 for @pids;

    my @lines = map { [split] } map { split /\n/, $t->read_file($_) } @files;
    my @hits = sort { $a <=> $b } map { $_->[0] } @lines;
    my %workers = map { $_->[1] => 1 } @lines;
    is_deeply(\@hits, [1 .. $CLIENTS * $EACH], 'each number once');
    is(does('one get hits'), $CLIENTS * $EACH, 'exactly');
    is(scalar(keys %workers), 2, 'by two workers')
        if !$ENV{TEST_GROUP_RELOAD};
};

subtest 'a reload' => sub {
    local $ENV{TEST_GROUP_RELOAD} = 0;

    is(does('one set stays s:here; one set goes n:1 n:0.3; two incr r n:5'),
        'true, true, 5', 'before');
    ok($t->reload, 'reload');
    is(does('one get stays; two incr r n:5'), 'here, 10', 'keeps all');
    sleep 0.4;
    is(does('one get goes'), 'nil', 'and when it goes');

    my $size = $conf{http} =~ s/two 1m/two 2m/r;
    $t->conf(%conf, http => $size);
    ok($t->reload, 'reload with another size');
    is(does('one get stays; two incr r n:5'), 'here, 5',
        'that zone begins anew');
};

subtest 'the directive' => sub {
    $t->config_ok({http => 'group_shared_zone a_1 1m;'}, 'a zone');
    for my $name (qw(1a a-b a.b ä), '""') {
        $t->config_fails({http => "group_shared_zone $name 1m;"},
            qr/invalid zone name/, "name $name");
    }
    for my $size (qw(x 1 16k -1)) {
        $t->config_fails({http => "group_shared_zone a $size;"},
            qr/invalid zone size "$size"/, "size $size");
    }
    $t->config_fails({http => 'group_shared_zone a 1m;'
            . ' group_shared_zone a 1m;'}, qr/zone "a" is already there/,
        'twice');
    $t->config_fails({http => 'limit_req_zone $uri zone=a:1m rate=1r/s;'
            . ' group_shared_zone a 1m;'},
        qr/"a" is already (?:declared|bound)/, 'another module\'s');
    $t->config_fails('group_shared_zone a 1m;',
        qr/directive is not allowed here/, 'in a server');
    $t->config_fails({http => 'group_shared_zone a;'},
        qr/invalid number of arguments/, 'no size');
};

$t->stop;
done_testing;
