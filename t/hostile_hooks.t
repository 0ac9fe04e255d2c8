#!/usr/bin/env perl

# Hooks that mean harm, and hooks that are merely wrong: they get nowhere, and
# neither the worker nor the next request nor another tenant notices. What is
# about the two limits alone is in group_policy_limits.t.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);

# the process that answers is a part of what is tested
local $ENV{TEST_GROUP_RELOAD} = 0;

my $t = Test::Gateway->new(workers => 1, variables => [qw(outcome principal)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my @ids  = ({id => 'm1', name => 'one'}, {id => 'm2'});

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $sent = eval { JSON::PP::decode_json($request->{body}) } // {};
    my %group = (id => $UUID, email => 'a@test.com', name => 'kept',
        created => '2023-01-15T10:30:00Z', status => 'Active',
        members => \@ids, admins => \@ids, %$sent);

    return [200, [], {groups => [\%group, \%group], maxItems => 100,
            ignoreAccess => \0}]
        if $request->{uri} =~ m{^/groups(?:\?|\z)}
        && $request->{method} eq 'GET';
    return [200, [], {members => [{id => 'm1'}], maxItems => 100}]
        if $request->{uri} =~ m{/members};
    return [200, [], \%group];
});

my $proxy = 'proxy_pass http://' . $u->address . ';';
my $ms    = 20 * $t->patience;
my $long  = 5000 * $t->patience;

my ($n, $locations) = (0, '');

# A location of its own: a file as it is, or statements of hooks.
sub at {
    my (%how) = @_;

    my $path = '/h' . ++$n;
    my $file = "h$n.lua";
    my $source = $how{file} // ($how{top} // '') . "\nreturn {\n"
        . join('', map { exists $how{$_}
            ? "$_ = function(ctx)\n$how{$_}\nend,\n" : () }
            qw(request response)) . "}\n";
    $t->write_file($file, $source);

    my $time = $how{time} // $long;
    my $more = $how{more} // '';

    $locations .= <<"END";
location $path/ {
    group_base_path $path;
    group_policy_timeout ${time}ms;
    group_policy $file;
    $more
    $proxy
}
END

    return $path;
}

# Statements that write what they find in the group's description.
sub telling {
    my ($statements, %more) = @_;
    return at(%more, request => <<"END");
local found = {}
local function tell(...)
    for i = 1, select("#", ...) do
        found[#found + 1] = tostring((select(i, ...)))
    end
end
$statements
ctx.group.description = table.concat(found, " ")
END
}


## hooks that do not end

# "ms": the time limit; what a loop is behind, it does not hold it up
my %loop = (
    '__newindex' => 'setmetatable({}, {__newindex = LOOP}).x = 1',
    '__call'     => 'setmetatable({}, {__call = LOOP})()',
    '__concat'   => 'local x = setmetatable({}, {__concat = LOOP}) .. "x"',
    '__add'      => 'local x = setmetatable({}, {__add = LOOP}) + 1',
    '__unm'      => 'local x = -setmetatable({}, {__unm = LOOP})',
    '__eq' => 'local mt = {__eq = LOOP}'
        . ' local x = setmetatable({}, mt) == setmetatable({}, mt)',
    '__lt' => 'local x = setmetatable({}, {__lt = LOOP}) < {}',
    '__le' => 'local x = setmetatable({}, {__le = LOOP}) <= {}',
    '__len on a proxy of ctx' => 'local p = setmetatable({},'
        . ' {__index = ctx, __newindex = ctx}) p.group = {} LOOP()',
    '__index of __index' => 'local t = {} for i = 1, 90 do'
        . ' t = setmetatable({}, {__index = t}) end'
        . ' while true do local x = t.x end',
    'format that asks' => '("%s"):format(setmetatable({},'
        . ' {__tostring = LOOP}))',
    'format of itself' => 'local t = setmetatable({}, {__tostring ='
        . ' function(t) return ("%s"):format(t) end})'
        . ' while true do pcall(tostring, t) end',
    'gsub in gsub' => 'local function f(s) return (s:gsub(".", f)) end'
        . ' while true do pcall(f, "ab") end',
    'gsub by a table that asks' => '("x"):gsub(".", setmetatable({},'
        . ' {__index = LOOP}))',
    'gmatch in a comparator' => 'table.sort({3, 2, 1}, function()'
        . ' for x in ("a"):rep(1e6):gmatch("a-a-a-b") do end end)',
    'sort of what compares' => 'local mt = {__lt = LOOP}'
        . ' table.sort({setmetatable({}, mt), setmetatable({}, mt)})',
    'pcall of tostring' => 'while true do pcall(tostring,'
        . ' setmetatable({}, {__tostring = LOOP})) end',
    'pcall of error' => 'while true do pcall(error, {}) end',
    'pcall of pcall of pcall' => 'local function p(...)'
        . ' return pcall(p, ...) end while true do p(p) end',
    'pcall that calls itself' => 'local t = setmetatable({}, {__call ='
        . ' pcall}) while true do t(t, t) end',
    'assert with what loops' => 'while true do pcall(assert, false,'
        . ' setmetatable({}, {__tostring = LOOP})) end',
    'error in an error' => 'local function f() local ok, e = pcall(f)'
        . ' error(e) end while true do pcall(f) end',
    'vararg' => 'local function f(...) return f(1, ...) end'
        . ' while true do pcall(f) end',
    'select' => 'local t = {} for i = 1, 7000 do t[i] = i end'
        . ' while true do for i = 1, 7000 do'
        . ' local x = select(-i, unpack(t)) end end',
    'next' => 'local t = {} for i = 1, 1e5 do t[i] = i end'
        . ' while true do for k in next, t do end end',
    'pairs while it grows' => 'while true do local t = {1} pcall(function()'
        . ' for k in pairs(t) do t[#t + 1] = 1 t["k" .. #t] = 1 end end) end',
    'ipairs of a table that has all' => 'local t = setmetatable({},'
        . ' {__index = function() return 1 end}) while true do'
        . ' for i in ipairs(t) do local x = t[i] end for i = 1, 1e9 do'
        . ' local x = t[i] end end',
    'unpack of a table that has none' => 'while true do'
        . ' pcall(unpack, {}, 1, 7e3) pcall(unpack, {}, -1e9, 1e9) end',
    'concat of nothing' => 'while true do'
        . ' pcall(table.concat, {}, "", 1, 1e9) end',
    'date and time' => 'while true do os.time(os.date("*t"))'
        . ' pcall(os.date, "%") pcall(os.date, "%Ez", 1e18)'
        . ' pcall(os.time, {year = 1e9, month = 1e9, day = 1e9}) end',
    'numbers' => 'while true do pcall(math.random, 0)'
        . ' pcall(math.random, -2^63, 2^63) local x = math.fmod(1, 0)'
        . ' x = math.huge - math.huge x = bit.lshift(1, 99) end',
    'formats' => 'while true do for _, f in ipairs({"%99d", "%.99f", "%q",'
        . ' "%s", "%c", "%a", "%i", "%n", "%*d", "%", "%%", "%5$s"}) do'
        . ' pcall(string.format, f, 1e308) pcall(string.format, f, {}) end end',
    'patterns that are none' => 'while true do for _, p in ipairs({"[",'
        . ' "[]", "[^]", "%", "(", ")", "%1", "%b", "%bx", "%f", "%f[", "(()",'
        . ' "[a-", "[%", "^^", "$$", "*", "-", "[z-a]", "%z", "\\0",'
        . ' ("("):rep(40), ("(.)"):rep(33), "[%a-z]", "[a-%%]", "()()%2"})'
        . ' do pcall(string.find, "abc\\0[]()", p)'
        . ' pcall(string.gsub, "abc", p, "%1%0%2%9%") end end',
    'positions' => 'while true do for _, i in ipairs({0, -1, 2^31, -2^31,'
        . ' 2^53, -2^53, 2^63, 1/0, -1/0, 0/0}) do local s = "abc"'
        . ' s:sub(i, i) pcall(s.byte, s, i, i) pcall(s.find, s, "b", i)'
        . ' pcall(s.find, s, "b", i, true) pcall(s.rep, s, i)'
        . ' pcall(table.insert, {}, i, 1) pcall(table.remove, {1}, i)'
        . ' pcall(table.concat, {1}, "", i, i) pcall(select, i, 1)'
        . ' pcall(string.char, i) pcall(unpack, {1}, i, i)'
        . ' pcall(table.move, {1}, i, i, i) pcall(s.gsub, s, ".", "", i)'
        . ' pcall(tonumber, s, i) end end',
    'deny again and again' => 'while true do ctx:deny("invalid",'
        . ' ("x"):rep(1024), ("y"):rep(1024)) end',
    'deny in pcall' => 'while true do pcall(ctx.deny, ctx, "none")'
        . ' pcall(ctx.deny, ctx, nil) pcall(ctx.deny, ctx, "invalid", {}) end',
    'variables that are long' => 'while true do'
        . ' ctx:var("proxy_add_x_forwarded_for") end',
    'variables in pcall' => 'while true do'
        . ' pcall(ctx.var, ctx, "proxy_add_x_forwarded_for") end',
    'variables that are not there' => 'local i = 0 while true do i = i + 1'
        . ' ctx:var("http_x_" .. i) ctx:var("arg_" .. i)'
        . ' ctx:var("cookie_" .. i) end',
    'the log' => 'while true do ctx:log("info", ("x"):rep(1e5)) end',
    'pairs of the group' => 'while true do for k, v in pairs(ctx.group) do'
        . ' ctx.group[k] = v end end',
    'the group anew' => 'while true do ctx.group = {name = "a"}'
        . ' ctx.query = {} ctx.member = {} end',
    'a tree that is wide' => 'local t = {} for i = 1, 30 do t = {t, t, t, t}'
        . ' end ctx.group.x = t',
    'a tree that is deep' => 'local t = {} for i = 1, 60 do t = {a = t, b = t}'
        . ' end ctx.group.x = t',
);

my %loop_at = map {
    my $statements = $loop{$_}
        =~ s/LOOP/(function() while true do end end)/gr;
    $_ => at(request => $statements, time => $ms);
} keys %loop;

# what is taken from the request and not from the VM, with time to do it
my %taken = map { $_ => at(request => $loop{$_}, time => 10 * $ms,
    more => 'group_policy_memory 4m;') } (
    'deny again and again', 'deny in pcall', 'variables that are long',
    'variables in pcall', 'variables that are not there', 'the group anew',
    'a tree that is wide', 'a tree that is deep', 'the log');

# members that no hook has looked at, in many places
my $copies = at(time => 10 * $ms, more => 'group_policy_memory 4m;',
    request => 'local g, list = ctx.group, {} for i = 1, 500 do list[i] = g end'
        . ' ctx.group = {name = "a", list = list}');

# a file that does not end when it is run for a request, though it did when
# the configuration was read
my $late = at(time => $ms, file => <<'END');
local f = function() end
if os.time() % 1 == 0 and null ~= nil then
    f = function() while true do end end
end
return { request = f, response = f }
END


## the rest of the locations

# every name that Lua 5.1 to 5.4, LuaJIT and the Luas of nginx have
my @NAMES = qw(
    _G _ENV _VERSION _LOADED _PRELOAD arg
    assert collectgarbage dofile error gcinfo getfenv getmetatable ipairs
    load loadfile loadstring module ndk newproxy next ngx pairs pcall print
    rawequal rawget rawlen rawset require select setfenv setmetatable tonumber
    tostring type unpack warn xpcall
    bit bit32 buffer coroutine debug ffi io jit math os package profile string
    table thread utf8 vmdef null ctx policy group cjson resty process
);
my %MEMBERS = (
    string => [qw(byte char dump find format gfind gmatch gsub len lower
        match pack packsize rep reverse split sub unpack upper buffer)],
    table => [qw(clear clone concat foreach foreachi getn insert isarray
        isempty maxn move new nkeys pack remove setn sort unpack)],
    math => [qw(abs acos asin atan atan2 ceil cos cosh deg exp floor fmod
        frexp huge ldexp log log10 max maxinteger min mininteger mod modf pi
        pow rad random randomseed sin sinh sqrt tan tanh tointeger type ult)],
    os => [qw(clock date difftime execute exit getenv remove rename setlocale
        time tmpname)],
    bit => [qw(arshift band bnot bor bswap bxor lshift rol ror rshift tobit
        tohex)],
);

# what the README allows
my %ALLOWED = map { $_ => 1 } qw(
    assert error getmetatable ipairs next pairs pcall select setmetatable
    tonumber tostring type unpack null string table math os bit
    string.byte string.char string.find string.format string.gmatch
    string.gsub string.len string.lower string.match string.rep
    string.reverse string.sub string.upper
    table.concat table.insert table.maxn table.move table.remove table.sort
    os.clock os.date os.time
), (map { "math.$_" } qw(abs acos asin atan atan2 ceil cos cosh deg exp floor
    fmod frexp huge ldexp log log10 max min modf pi pow rad random sin
    sinh sqrt tan tanh)), map { "bit.$_" } @{$MEMBERS{bit}};

# "ctx" as well: what it is, and what can be had of it
my $walk = do {
    my $globals = join ', ', map { "{\"$_\", $_}" }
        grep { $_ ne 'ctx' } @NAMES;
    my $members = join ', ', map {
        "$_ = {" . join(', ', map { "\"$_\"" } @{$MEMBERS{$_}}) . '}'
    } sort keys %MEMBERS;

    telling(<<"END");
local seen = {}

-- each value that can be reached from this one, by keys or by a metatable
local function walk(path, value)
    local kind = type(value)
    if kind == "thread" or kind == "cdata" then tell("!" .. path) end
    if kind == "table" and not seen[value] then
        seen[value] = true
        for k, v in pairs(value) do walk(path .. "." .. tostring(k), v) end
    end
    local ok, mt = pcall(getmetatable, value)
    if type(mt) == "table" or ok and mt ~= nil and mt ~= "locked" then
        tell("metatable:" .. path)
    end
end

local members = { $members }
for _, pair in ipairs({$globals}) do
    local name, value = pair[1], pair[2]
    if value ~= nil then
        tell(name)
        if type(value) == "table" then tell("table:" .. name) end
        walk(name, value)
        for _, member in ipairs(members[name] or {}) do
            local ok, found = pcall(function() return value[member] end)
            if ok and found ~= nil then
                tell(name .. "." .. member)
                walk(name .. "." .. member, found)
            end
        end
    end
end

for _, value in ipairs({"", 0, true, print or type, function() end, ctx,
    ctx.group, ctx.query, ctx.params, null, ("x"):gmatch(".")})
do
    walk("value", value)
    walk("value", (function() local ok, x = pcall(function()
        return value._G or value.__index or value.__metatable end)
        if ok then return x end end)())
end
END
};

# each tries to leave something behind, and to find what another left
my @MARKS = (
    'mark = "M"', 'string.mark = "M"', 'table.mark = "M"', 'math.mark = "M"',
    'os.mark = "M"', 'bit.mark = "M"', 'null.mark = "M"', 'type = "M"',
    'tostring = function() return "M" end', 'pairs = nil',
    'string = {sub = function() return "M" end}',
    '("").mark = "M"', '("x").sub = function() return "M" end',
    'getmetatable("").__index = function() return "M" end',
    'getmetatable("").__add = function() return "M" end',
    'setmetatable("", {__index = {mark = "M"}})',
    'setmetatable(string, {})', 'setmetatable(ctx, {})',
    'setmetatable(null, {__tostring = function() return "M" end})',
    'setmetatable(0, {__index = {mark = "M"}})',
    'setmetatable(print or type, {__index = {mark = "M"}})',
    'getmetatable(ctx).mark = "M"', 'getmetatable(ctx.group).mark = "M"',
    'getmetatable(null).__tostring = function() return "M" end',
    'setmetatable(ctx.group, {__index = function() return "M" end})',
    'ctx.mark = "M"', 'ctx.params.mark = "M"', 'ctx.principal.id = "M"',
    'ctx.principal.scopes[1] = "M"', 'ctx.principal.mark = "M"',
    'ctx.operation = "M"', 'ctx.principal = {id = "M"}', 'ctx.var = "M"',
    'ctx.params = {mark = "M"}', 'ctx.deny = nil', 'ctx.log = type',
    'ctx.group.mark = "M"', 'ctx.query.mark = "M"', 'count = count + 1',
    'upvalue = "M"', 'shared.mark = "M"', 'shared[1] = ctx',
);
my $marks = telling(<<"END" . <<'END2', top => <<'TOP', more => <<'CONF');
local tries = {
@{[join ",\n", map { "function() $_ end" } @MARKS]}
}
END
tell(mark, string.mark, table.mark, math.mark, os.mark, bit.mark)
tell(pcall(function() return ("").mark end))
tell(pcall(function() return (0).mark end))
tell(pcall(function() return null.mark end))
tell(tostring(null), ("abc"):sub(1, 1), type(1), type(pairs), type(string))
tell(getmetatable(""), getmetatable(ctx), getmetatable(null))
tell(ctx.mark, ctx.params.mark, ctx.operation, ctx.principal.id)
tell(ctx.principal.mark, ctx.principal.scopes[1], type(ctx.var))
tell(ctx.group.mark, (ctx.query or {}).mark, count, upvalue, shared.mark)
tell(#shared)
for _, try in ipairs(tries) do pcall(try) end
ctx.group = {name = "a", email = "a@test.com", members = {{id = "m"}},
    admins = {{id = "m"}}}
ctx.query = nil
END2
count = 0
local upvalue = "u"
local shared = {}
TOP
group_credentials clients.json;
group_dialect portsip;
group_upstream_dialect vinyldns;
CONF

my $watch = telling('tell(ctx.principal.id, ctx.params.a, kept, ctx.group.name)'
    . ' kept = ctx.principal.id ctx.principal.id = "x" ctx.params.a = "x"',
    more => "group_credentials clients.json;\ngroup_dialect portsip;\n"
    . "group_upstream_dialect vinyldns;\ngroup_default email a\@test.com;\n"
    . 'group_default members m; group_default admins m;');

# what a hook may leave in the trees; all of it is refused, or harmless
my @VALUES = (
    'nil', 'null', 'true', 'false', '0', '-0', '1e308', '1/0', '-1/0', '0/0',
    '2^53', '2^63', '-2^63', '1e-320', '""', '"a"', '" "', '"1"', '"true"',
    '"\0"', '"\xff"', '"\xed\xa0\x80"', '"\xc0\xaf"', '"\r\n"',
    '("x"):rep(1e6)', '{}', '{1}', '{"a"}', '{{}}', '{{{}}}', '{{id = "m"}}',
    '{{id = 1}}', '{{id = {}}}', '{{id = "m", id2 = function() end}}',
    '{a = 1}', '{[0] = 1}', '{[-1] = 1}', '{[1.5] = 1}', '{[2] = 1}',
    '{[2^53] = 1}', '{[true] = 1}', '{[{}] = 1}', '{[ctx] = 1}',
    '{[null] = 1}', '{1, a = 1}', '{1, nil, 3}', '{[""] = 1}',
    '{["a\0"] = 1}', '{["\xff"] = 1}', '{["a.b"] = 1}', '{["__index"] = 1}',
    'function() end', 'type', 'ctx', 'ctx.group', 'ctx.query', 'ctx.params',
    'ctx.principal', 'string', '("x"):gmatch(".")',
    'setmetatable({}, {__index = function() return "a" end})',
    'setmetatable({}, {__len = function() return 1e9 end})',
    'setmetatable({}, {__pairs = function() return type end})',
    'setmetatable({}, {__metatable = {}})', 'setmetatable({name = "a"}, {})',
    'setmetatable({}, {__tostring = function() return "a" end})',
    '(function() local t = {} t.t = t return t end)()',
    '(function() local t = {} t[1] = t return t end)()',
    '(function() local t = {} for i = 1, 300 do t["k" .. i] = i end'
        . ' return t end)()',
    '(function() local t = {} for i = 1, 20000 do t[i] = i end'
        . ' return t end)()',
    '(function() local t = {} for i = 1, 63 do t = {t} end return t end)()',
    '(function() local t = {} for i = 1, 64 do t = {a = t} end return t end)()',
    'setmetatable({}, {__mode = "kv"})', 'setmetatable({}, {__gc = error})',
);
my $values = do {
    my $list = join ",\n", map { "function(ctx) return $_ end" } @VALUES;
    my $set = 'set(ctx)';
    at(top => <<"END", request => $set, response => $set);
local values = {
$list
}
local function set(ctx)
    local value = values[tonumber(ctx:var("http_x_value"))](ctx)
    local at = ctx:var("http_x_at")
    if at == "group" or at == "member" or at == "query" then
        ctx[at] = value
    elseif at == "any" then
        ctx[value] = value
    elseif at == "item" then
        ctx.group.items = value
    elseif at == "first" then
        local items = ctx.group.items or ctx.group.members or {{}}
        items[1] = value
    elseif at == "return" then
        return value
    elseif at == "error" then
        error(value)
    elseif at == "error2" then
        error(value, value)
    elseif at == "assert" then
        assert(false, value)
    elseif at == "deny" then
        ctx:deny(value, value, value)
    elseif at == "deny2" then
        ctx:deny("invalid", value)
    elseif at == "deny3" then
        ctx:deny("invalid", "no", value)
    elseif at == "log" then
        ctx:log(value, value)
    elseif at == "log2" then
        ctx:log("info", value)
    elseif at == "var" then
        ctx:var(value)
    elseif at == "method" then
        ctx.var(value, "uri") ctx.deny(value, value)
    elseif at == "query_limit" then
        if ctx.query then ctx.query.limit = value end
    elseif at == "query_filter" then
        if ctx.query then ctx.query.name_contains = value end
    elseif ctx.group then
        ctx.group[at] = value
    end
end
END
};
# the function is made in the chunk: the hooks see it as an upvalue
my @AT = qw(group member query any item first return error error2 assert deny
    deny2 deny3 log log2 var method query_limit query_filter name email
    members admins status id unknown created_at);

# error objects that do harm when they are looked at
my %thrown = map { $_ => at(request => "error($_)", time => $ms) } (
    'setmetatable({}, {__tostring = function() error("again") end})',
    'setmetatable({}, {__tostring = function() while true do end end})',
    'setmetatable({}, {__tostring = function() return {} end})',
    'setmetatable({}, {__tostring = tostring})',
    'setmetatable({}, {__tostring = error})',
    'setmetatable({}, {__index = error, __concat = error, __len = error})',
    'setmetatable({}, {__gc = error})', 'ctx', 'ctx.group', 'null', 'nil',
    'function() end', '0/0', '("\0\r\n\27%n"):rep(1000)', '"%s%n%p", 1e9',
    '"x", -1', '"x", 1/0', 'string', '{pcall(error, error)}',
);

# the tables of ctx.group are made when they are asked for
my %lazy = (
    'members, then all' => ['tell(#ctx.group.members) local n = 0'
        . ' for k in pairs(ctx.group) do n = n + 1 end tell(n)', '2 4'],
    'all, by next' => ['local n = 0 for k in next, ctx.group do n = n + 1 end'
        . ' tell(n, next({}), next(ctx.group) ~= nil)', '4 nil true'],
    'twice the same' => ['tell(ctx.group.members == ctx.group.members,'
        . ' ctx.group == ctx.group)', 'true true'],
    'taken away' => ['ctx.group.members = nil tell(ctx.group.members)'
        . ' ctx.group.members = {{id = "n"}} tell(#ctx.group.members)',
        'nil 1'],
    'through another' => ['local p = setmetatable({}, {__index = ctx.group})'
        . ' tell(#p.members, p.name) p.members = 1'
        . ' tell(#ctx.group.members)', '2 a 2'],
    'written through another' => ['local p = setmetatable({},'
        . ' {__newindex = ctx.group}) p.members = {{id = "n"}}'
        . ' tell(rawget, p.members, ctx.group.members[1].id)', 'nil nil n'],
    'by what is no name' => ['local g = ctx.group tell(g[1], g[true], g[g],'
        . ' g[0/0], g[ctx], g[""], g[null]) g[0.5] = nil tell(pcall(function()'
        . ' g[nil] = 1 end))', 'nil nil nil nil nil nil nil false'],
    'with a metatable of its own' => ['tell((pcall(setmetatable, ctx.group,'
        . ' {__index = error})), getmetatable(ctx.group), #ctx.group.members)',
        undef],
    'while it is changed' => ['for k in pairs(ctx.group) do'
        . ' if k ~= "name" then ctx.group[k] = ctx.group[k] end end'
        . ' tell(#ctx.group.members, #ctx.group.admins)', '2 2'],
    'as its own part' => ['local g = ctx.group ctx.group = {name = g.name,'
        . ' email = g.email, members = g.members, admins = g.members}'
        . ' tell(#ctx.group.admins)', '2'],
    'lists of lists' => ['local m = ctx.group.members m[#m + 1] = m[1]'
        . ' table.remove(m) table.sort(m, function(a, b) return a.id > b.id'
        . ' end) tell(m[1].id, #m)', 'm2 2'],
    'where there is no room' => ['local t = {} local ok = pcall(function()'
        . ' while true do t[#t + 1] = ("x"):rep(1e5) .. #t end end)'
        . ' t = nil tell(ok)', undef],
);
my %lazy_at = map { $_ => telling($lazy{$_}[0], more => <<'END') } keys %lazy;
group_dialect vinyldns;
END

# a table of one request, kept for the next one
my $kept = at(top => <<'END', request => 'see(ctx)', response => 'see(ctx)');
local old = {}
function see(ctx)
    for i, value in ipairs(old) do
        pcall(function() return value.group end)
        pcall(function() return value:var("uri") end)
        pcall(function() for k, v in pairs(value) do end end)
        pcall(function() return value.members[1].id end)
        pcall(function() value.members = nil end)
        pcall(function() return value() end)
    end
    old = {ctx, ctx.group, ctx.query, ctx.params, ctx.var, ctx.deny,
        ctx.principal, ("x"):gmatch("."), ctx.group and ctx.group.items}
end
END

$t->write_file('fine.lua', <<'END');
return { request = function(ctx)
    ctx.group.name = ctx.group.name .. "-fine"
end }
END

$t->credentials('clients.json', map { {type => 'bearer', token => $_,
    principal => $_, scopes => ['groups:read', 'groups:write']} } qw(one two));

$t->nginx(http => <<"END", server => <<"END2");
group_dialect vinyldns;
group_policy_timeout ${ms}ms;
add_header X-Pid \$pid always;
large_client_header_buffers 4 64k;
END
$locations
location /fine/ {
    group_base_path /fine;
    group_policy_timeout ${long}ms;
    group_policy fine.lua;
    $proxy
}
END2

my %group = (name => 'a', email => 'a@test.com', members => \@ids,
    admins => \@ids);

# the response, and what the upstream was sent
sub create {
    my ($path, %option) = @_;

    $u->clear;
    my $json = delete $option{json} // {%group};
    my $r = $t->post("$path/groups", json => $json, %option);
    my $got = $u->last;

    return ($r, $got && $got->json);
}

my $pid = (create('/fine'))[0]->header('X-Pid');

# the next request is answered by the same worker
sub well {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($r, $got) = create('/fine');
    return is($r->status . ' ' . ($r->header('X-Pid') // '') . ' '
            . ($got // {name => ''})->{name}, "200 $pid a-fine",
        "$name: the next one");
}

sub peak {
    my ($kb) = ($t->read_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m);
    return $kb // 0;
}


for my $name (sort keys %loop) {
    subtest $name => sub {
        my $start = time;
        my ($r, $got) = create($loop_at{$name},
            headers => ['X-Forwarded-For' => 'y' x 8000]);

        is($r->status, 500, 'is ended');
        is($r->body, 'There was an internal server error.',
            'the client is told no more');
        is($got, undef, 'nothing is sent');
        cmp_ok(time - $start, '<', 3 * $t->patience, 'in time');
        well($name);
    };
}

subtest 'a file that ends only once' => sub {
    my ($r) = create($late);
    is($r->status, 500, 'is ended');
    well('a file');
};

subtest 'memory that is not of the VM has a limit, too' => sub {
    plan skip_all => 'not under tools that keep it'
        if $ENV{TEST_GROUP_VALGRIND} || $ENV{TEST_GROUP_ASAN};

    my $before = peak();

    for my $name (sort keys %taken) {
        my ($r) = create($taken{$name},
            headers => ['X-Forwarded-For' => 'y' x 8000]);
        is($r->status, 500, $name);
        cmp_ok(peak() - $before, '<', 24 * 1024, 'takes little more');
    }

    # what the request itself takes comes on top
    my @many = map { {id => "m$_"} } 1 .. 3000;
    my ($r) = create($copies, json => {%group, members => \@many});
    is($r->status, 500, 'a group in many places');
    cmp_ok(peak() - $before, '<', 32 * 1024, 'takes little more');
};

subtest 'what can be reached' => sub {
    my ($r, $got) = create($walk);
    is($r->status, 200, 'status') or diag($r->body);
    my @found = split / /, ($got // {})->{description} // '';
    my @more = grep { !$ALLOWED{$_} } @found;
    is_deeply(\@more, [], 'no more than the README says');

    my %found = map { $_ => 1 } @found;
    is_deeply([grep { !$found{$_} } sort keys %ALLOWED], [],
        'and no less');
};

subtest 'nothing is left behind' => sub {
    my @told;
    for my $who (qw(one two one two one)) {
        $u->clear;
        my $r = $t->post("$marks/groups", bearer => $who,
            json => {name => 'a', description => 'd'});
        is($r->status, 201, "status for $who") or diag($r->body);
        my ($got) = map { $_->json } grep { $_->{method} eq 'POST' }
            $u->requests;
        push @told, $got->{description} // '';
        is($t->last_access->{principal}, $who, 'the principal is the same');
    }

    unlike($_, qr/\bM\b/, 'no mark of another request') for @told;
    is($told[0] =~ s/\bone\b/two/r, $told[1], 'each finds the same');
    is($told[$_], $told[$_ - 2], 'each time') for 2 .. 4;
    well('marks');

    for my $who (qw(one two one)) {
        my $r = $t->post("$watch/groups", bearer => $who,
            json => {name => "of-$who"});
        my ($got) = map { $_->json } ($u->requests)[-1];
        is($got->{description}, "$who nil nil of-$who",
            "another hook sees $who alone");
    }
};

subtest 'objects of another request' => sub {
    for my $i (1 .. 5) {
        my $r = $t->get("$kept/groups");
        is($r->status, 200, "list $i") or diag($r->body);
        ($r) = create($kept);
        is($r->status, 200, "create $i") or diag($r->body);
        create($loop_at{'the group anew'}) if $i == 3;
    }
    well('kept');
};

subtest 'values that are none' => sub {
    my ($bad, $sent) = (0, 0);

    for my $at (@AT) {
        for my $i (1 .. @VALUES) {
            my @headers = ('X-Value' => $i, 'X-At' => $at);
            my $path = "$values/groups";
            my @how = $at =~ /^(?:query|item)/ || $i % 3 == 0
                ? [GET => $path]
                : $i % 3 == 1 ? [POST => $path] : [GET => "$path/$UUID"];
            push @how, [POST => $path] if $at =~ /^(?:group|name|members)$/;

            for (@how) {
                my ($method, $uri) = @$_;
                my $r = $t->request(method => $method, uri => $uri,
                    headers => \@headers,
                    $method eq 'POST' ? (json => \%group) : ());
                next if !$r->error && ($r->header('X-Pid') // '') eq $pid
                    && $r->status =~ /^(?:200|4\d\d|50[0-4])$/;
                $bad++;
                diag("$at = $VALUES[$i - 1]: ", $r->error // $r->raw);
            }
        }
    }

    is($bad, 0, 'all have an answer of the same worker');
    well('values');
};

subtest 'objects that are thrown' => sub {
    for my $object (sort keys %thrown) {
        $t->mark;
        my ($r, $got) = create($thrown{$object});
        is($r->status, 500, $object);
        is($got, undef, 'nothing is sent');
        $t->like_log(qr/failed in its request hook|exceeded the time limit/,
            'is told of');
        my @wrong = grep { $_ !~ m{^\d{4}/\d\d/\d\d } || /[\x00-\x1f]/ }
            split /\n/, $t->log;
        is_deeply(\@wrong, [], 'in lines of the log');
    }
    well('objects');
};

subtest 'tables that are made when they are asked for' => sub {
    for my $name (sort keys %lazy) {
        my ($r, $got) = create($lazy_at{$name});
        if (!defined $lazy{$name}[1]) {
            like($r->status, qr/^(?:200|500)$/, $name);
            next;
        }
        is($r->status, 200, $name) or diag($r->body);
        like(($got // {})->{description}, qr/^\Q$lazy{$name}[1]\E/,
            "$name: found");
    }

    # what is not asked for is as it was
    my %more = (%group, more => {a => [1, {b => undef}], c => []});
    my ($r, $got) = create('/fine', json => \%more);
    is_deeply($got->{more}, $more{more}, 'nobody looked');
    is_deeply([map { $_->{id} } @{$got->{members}}], ['m1', 'm2'], 'members');
    well('tables');
};

subtest 'one tenant in the middle of many' => sub {
    my @bad = map { $loop_at{$_} } ('__call', 'pcall of pcall of pcall',
        'gsub in gsub', 'the group anew');
    my @clients;

    for my $i (0 .. 15) {
        my $path = $i % 2 ? '/fine' : $bad[$i / 2 % @bad];
        my $body = json_encode(\%group);
        my $c = $t->client;
        $c->send("POST $path/groups HTTP/1.1\r\nHost: a\r\nConnection: close"
                . "\r\nContent-Type: application/json\r\nContent-Length: "
                . length($body) . "\r\n\r\n$body");
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

$t->stop;
done_testing;
