#!/usr/bin/perl

# ctx:fetch() and ctx:fetch_all(): hooks that ask other locations of the
# server, wait for what they answer and hold nobody up meanwhile.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);

# requests that are under way at the same time are of one worker
my $t = Test::Gateway->new(workers => 1, variables => [
    qw(principal outcome error policy_time)]);

my $UUID  = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $quick = 0.25 * $t->patience;

# the vendor answers with what it was sent
my $u = $t->upstream(sub {
    my ($request) = @_;
    my $sent = eval { JSON::PP::decode_json($request->{body}) } // {};

    return [204, [], ''] if $request->{method} eq 'DELETE';
    return [200, [], {links => {self => '/a', first => '/a'}, data => []}]
        if $request->{uri} =~ /number_groups(?:\?|\z)/
        && $request->{method} eq 'GET';
    return [200, [], {id => $UUID, name => $sent->{name} // 'kept',
            sticky_sender => \0, phone_number_count => 3}];
});

# who is asked tells what it was asked
my $asked = $t->upstream(sub {
    my ($request) = @_;
    my ($path, $args) = split /\?/, $request->{uri}, 2;
    my %arg = map { /(.*?)=(.*)/ ? ($1, $2) : () } split /&/, $args // '';
    my $delay = $arg{delay} // 0;

    return {status => 200, delay => $delay, body => {%$request{qw(
            method uri body header)}}} if $path =~ m{/echo};
    return {status => 200, delay => $delay, chunked => 1,
        headers => ['Content-Type' => 'text/plain'],
        body => [map { 'y' x 1000 } 1 .. $arg{size} / 1000]}
        if $path =~ m{/chunks};
    return {status => 200, delay => $delay,
        headers => ['Content-Type' => 'text/plain'],
        body => 'y' x $arg{size}} if $path =~ m{/size};
    return [$1, ['Content-Type' => 'text/plain', 'X-Answer' => 'one',
            'X-ANSWER-TWO' => 'two'], 'said so'] if $path =~ m{/status/(\d+)};
    return [200, ['Content-Type' => $arg{type}], $arg{text}]
        if $path =~ m{/type};
    return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"
        if $path =~ m{/short};
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"
        if $path =~ m{/broken};
    return 'no HTTP at all' if $path =~ m{/none};
    return [200, [], {path => $path, args => $args // 'none'}];
});

# who begins to answer, and no more
my $stalls = $t->raw_upstream(['request',
    [send => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegins"],
    'drain']);

my $proxy = 'proxy_pass http://' . $u->address . ';';

my ($n, $locations) = (0, '');

# A location of its own; hooks are Lua statements, more directives may follow.
sub at {
    my (%how) = @_;

    my $path = '/l' . ++$n;
    my $file = "p$n.lua";
    $t->write_file($file, ($how{top} // '') . "\nreturn {\n"
            . join('', map { exists $how{$_}
                    ? "$_ = function(ctx)\n$how{$_}\nend,\n" : () }
                qw(request response)) . "}\n");

    my $more = $how{more} // '';
    my $ms   = ($how{ms} // 1000) * $t->patience;

    $locations .= <<"END";
location $path/ {
    group_base_path $path;
    group_policy_timeout ${ms}ms;
    group_policy $file;
    $more
    $proxy
}
END

    return $path;
}

# Statements that set "found", or leave it to tell what fetch() returned.
my $TELL = <<'END';
local function tell(res, why)
    if not res then return tostring(res) .. " " .. tostring(why) end
    local body = res.body
    return res.status .. " " .. #body .. " " .. body:sub(1, 40)
end
END

sub tells {
    my ($statements, %more) = @_;
    return at(%more, top => $TELL . ($more{top} // ''),
        request => "local found\n$statements\nctx.group.name = found");
}

# what is asked with these options of fetch()
sub asks {
    my ($options, %more) = @_;
    return tells("found = tell(ctx:fetch{$options})", %more);
}

my %at;

$at{both} = at(top => 'local before', request => <<'END', response => <<'END2');
local res = ctx:fetch{uri = "/ask/echo/one"}
before = res.json.uri
ctx.group.name = res.status .. " " .. before
END
local res = ctx:fetch{uri = "/ask/echo/two"}
ctx.group.name = before .. " then " .. res.json.uri
END2

for my $method (qw(GET POST PUT PATCH DELETE)) {
    $at{$method} = asks("uri = '/ask/echo', method = '$method'");
    $at{"$method-json"} = asks("uri = '/ask/echo', method = '$method',"
        . ' json = {input = {list = {1, 2}, empty = {}, no = null,'
        . ' text = "\xc3\xa4\"", yes = true, group = ctx.group}}');
    $at{"$method-body"} = asks("uri = '/ask/echo', method = '$method',"
        . ' body = "a\0b\r\n" .. ("x"):rep(3000)');
}
$at{empty} = asks('uri = "/ask/echo", method = "POST", body = ""');
$at{typed} = asks('uri = "/ask/echo", method = "POST", body = "a=1",'
    . ' headers = {["content-type"] = "application/x-www-form-urlencoded"}');
$at{headers} = asks('uri = "/ask/echo", headers = {["X-One"] = "1",'
    . ' Authorization = "Bearer hook", Accept = "text/plain", Cookie = "h=1",'
    . ' ["X-Empty"] = "", traceparent = "00-own"}');
$at{plain} = asks('uri = "/ask/echo"');
$at{plain_signed} = asks('uri = "/ask/echo"',
    more => 'group_credentials clients.json;');

# that is not a hook's to say, or said wrongly: each fails its hook
my %wrong = (
    'no table'           => 'ctx:fetch("/ask/echo")',
    'nothing'            => 'ctx:fetch()',
    'no uri'             => 'ctx:fetch{}',
    'a number as uri'    => 'ctx:fetch{uri = 5}',
    'an empty uri'       => 'ctx:fetch{uri = ""}',
    'a relative uri'     => 'ctx:fetch{uri = "ask/echo"}',
    'another server'     => 'ctx:fetch{uri = "http://127.0.0.1/"}',
    'a named location'   => 'ctx:fetch{uri = "@ask"}',
    'CR LF in the uri'   => 'ctx:fetch{uri = "/ask/echo\r\nX: 1"}',
    'LF in the uri'      => 'ctx:fetch{uri = "/ask/echo\n"}',
    'NUL in the uri'     => 'ctx:fetch{uri = "/ask/echo\0a"}',
    'a space in the uri' => 'ctx:fetch{uri = "/ask/echo?a b HTTP/1.1"}',
    'a long uri'         => 'ctx:fetch{uri = "/" .. ("x"):rep(8192)}',
    'an unknown method'  => 'ctx:fetch{uri = "/a", method = "TRACE"}',
    'a method with more' => 'ctx:fetch{uri = "/a", method = "GET /b"}',
    'a small method'     => 'ctx:fetch{uri = "/a", method = "get"}',
    'both bodies'        => 'ctx:fetch{uri = "/a", json = {}, body = ""}',
    'json that is none'  => 'ctx:fetch{uri = "/a", json = "x"}',
    'json with a cycle'  => 'local t = {} t.t = t'
        . ' ctx:fetch{uri = "/a", json = t}',
    'json with a function' => 'ctx:fetch{uri = "/a", json = {a = type}}',
    'json that is no text' => 'ctx:fetch{uri = "/a", json = {a = "\xff"}}',
    'a body that is none'  => 'ctx:fetch{uri = "/a", body = {}}',
    'an unknown option'    => 'ctx:fetch{uri = "/a", retries = 3}',
    'an index'             => 'ctx:fetch{"/a", uri = "/a"}',
    'no timeout'           => 'ctx:fetch{uri = "/a", timeout = 0}',
    'a long timeout'       => 'ctx:fetch{uri = "/a", timeout = 60001}',
    'a timeout as text'    => 'ctx:fetch{uri = "/a", timeout = "5"}',
    'a timeout that is NaN' => 'ctx:fetch{uri = "/a", timeout = 0/0}',
    'a large max_size'  => 'ctx:fetch{uri = "/a", max_size = 8388609}',
    'no max_size'       => 'ctx:fetch{uri = "/a", max_size = -1}',
    'headers as text'   => 'ctx:fetch{uri = "/a", headers = "X: 1"}',
    'headers as a list' => 'ctx:fetch{uri = "/a", headers = {"X: 1"}}',
    'no name'           => 'ctx:fetch{uri = "/a", headers = {[""] = "1"}}',
    'a name with a space' => 'ctx:fetch{uri = "/a", headers = {["X Y"] = ""}}',
    'a name with a colon' => 'ctx:fetch{uri = "/a", headers = {["X:"] = ""}}',
    'CR LF in a name'  => 'ctx:fetch{uri = "/a", headers = {["X\r\nY"] = ""}}',
    'CR LF in a value' => 'ctx:fetch{uri = "/a", headers = {X = "1\r\nY: 2"}}',
    'NUL in a value'   => 'ctx:fetch{uri = "/a", headers = {X = "1\0"}}',
    'a number as value' => 'ctx:fetch{uri = "/a", headers = {X = 1}}',
    'a list as value'   => 'ctx:fetch{uri = "/a", headers = {X = {"1"}}}',
    'many headers' => 'local h = {} for i = 1, 33 do h["X" .. i] = "" end'
        . ' ctx:fetch{uri = "/a", headers = h}',
    'a list with text in it' => 'ctx:fetch_all{"/a"}',
    'a list with a wrong one' => 'ctx:fetch_all{{uri = "/a"}, {}}',
    'no list'                => 'ctx:fetch_all()',
    (map { ("the header $_" => "ctx:fetch{uri = '/a', headers = {['$_'] ="
            . " '1'}}") } qw(Connection content-length CONTENT-LENGTH Expect
            Host Keep-Alive TE Trailer Transfer-Encoding Upgrade)),
);
$at{"wrong $_"} = at(request => $wrong{$_}) for keys %wrong;

$at{late}   = asks('uri = "/ask/echo?delay=1", timeout = 50');
$at{stalls} = asks('uri = "/stalls/", timeout = 50');
$at{size}   = tells('found = tell(ctx:fetch{uri = "/ask/" ..'
    . ' ctx:var("http_x_size"), max_size = tonumber(ctx:var("http_x_max"))})');
$at{down}   = asks('uri = "/down/"');
$at{status} = tells('local res = ctx:fetch{uri = "/ask/status/" ..'
    . ' ctx:var("http_x_status")} found = tell(res) .. " " .. tostring('
    . 'res.headers["x-answer"]) .. " " .. tostring(res.headers["x-answer-two"])'
    . ' .. " " .. tostring(res.headers["content-type"])'
    . ' .. " " .. tostring(res.json)');
$at{type} = tells('local res = ctx:fetch{uri = "/ask/type?type=" ..'
    . ' ctx:var("http_x_type") .. "&text=" .. ctx:var("http_x_text")}'
    . ' local json = res.json found = type(json) == "table"'
    . ' and tostring(json.a) .. " " .. type(json.a) or tostring(json)');
$at{$_} = asks("uri = '/ask/$_'") for qw(short broken none);
$at{text}     = asks('uri = "/text"');
$at{no_content} = asks('uri = "/nocontent"');
$at{moved}    = asks('uri = "/moved"');
$at{absent}   = asks('uri = "/absent"');
$at{forbidden} = asks('uri = "/forbidden"');
$at{file}     = asks('uri = "/files/some.txt"');
$at{rewritten} = asks('uri = "/rewritten/x?y=1"');
$at{tried}    = asks('uri = "/tried"');
$at{cached}   = asks('uri = "/cached/echo"');
$at{itself}   = asks('uri = "/l1/number_groups"');
$at{itself_post} = asks('uri = "/l1/number_groups", method = "POST",'
    . ' json = {name = "by a hook"}');
$at{uri}      = tells('local res, why = ctx:fetch{uri = ctx:var("http_x_uri")}'
    . ' found = res and res.json and res.json.path .. " " .. res.json.args'
    . ' or tell(res, why)');

$at{all} = tells(<<'END');
local list = {}
for i = 1, 8 do
    list[i] = {uri = "/ask/echo/" .. i .. "?delay=" .. (i % 2 == 0 and 0.4
        or 0.3)}
end
local got = {}
for i, res in ipairs(ctx:fetch_all(list)) do
    got[i] = res.json.uri:match("echo/(%d)")
end
found = table.concat(got, " ")
END
$at{mixed} = tells(<<'END');
local got = {}
for i, res in ipairs(ctx:fetch_all{
    {uri = "/ask/echo"}, {uri = "/ask/echo?delay=1", timeout = 50},
    {uri = "/down/"}, {uri = "/a/../../b"}, {uri = "/ask/size?size=9",
    max_size = 8}, {uri = "/ask/short"}, {uri = "/ask/status/404"}})
do
    got[i] = tostring(res.status) .. ":" .. tostring(res.error)
end
found = table.concat(got, " ")
END
$at{no_one}  = tells('found = "n" .. #ctx:fetch_all{}');
$at{no_good} = tells('found = ctx:fetch_all{{uri = "/.."}, {uri = "/.."}}'
    . '[2].error');
$at{many} = tells('local list = {} for i = 1, tonumber('
    . 'ctx:var("http_x_n")) do list[i] = {uri = "/ask/echo"} end'
    . ' found = "n" .. #ctx:fetch_all(list)');
$at{in_a_row} = tells('for i = 1, tonumber(ctx:var("http_x_n")) do'
    . ' found = "n" .. i ctx:fetch{uri = "/ask/echo"} end');

my %nested = (
    pcall => 'local ok, res = pcall(ctx.fetch, ctx, {uri = "/ask/echo"})'
        . ' found = tostring(ok) .. " " .. res.status',
    'pcall of a function' => 'local ok, why = pcall(function()'
        . ' local res = ctx:fetch{uri = "/ask/echo"} error(res.status, 0) end)'
        . ' found = tostring(ok) .. " " .. why',
    'pcall in pcall' => 'local ok, a, b = pcall(pcall, function()'
        . ' return ctx:fetch{uri = "/ask/echo"}.status end)'
        . ' found = tostring(a) .. " " .. tostring(b)',
    '__index' => 'local x = setmetatable({}, {__index = function(_, uri)'
        . ' return ctx:fetch{uri = uri}.status end})'
        . ' found = "true " .. x["/ask/echo"]',
    'a loop' => 'for res in function() return not found'
        . ' and ctx:fetch{uri = "/ask/echo"} or nil end do'
        . ' found = "true " .. res.status end',
);
$at{"nested $_"} = tells($nested{$_}) for keys %nested;

# where Lua cannot wait
my %stuck = (
    sort => 'table.sort({2, 1}, function() ctx:fetch{uri = "/ask/echo"} end)',
    'gsub by a function' => '("x"):gsub(".", function()'
        . ' ctx:fetch{uri = "/ask/echo"} end)',
    'gsub by a table' => '("x"):gsub(".", setmetatable({}, {__index ='
        . ' function() return ctx:fetch{uri = "/ask/echo"}.body end}))',
    tostring => 'tostring(setmetatable({}, {__tostring = function()'
        . ' return ctx:fetch{uri = "/ask/echo"}.body end}))',
    'fetch_all in sort' => 'table.sort({2, 1}, function()'
        . ' ctx:fetch_all{{uri = "/ask/echo"}, {uri = "/ask/echo"}} end)',
);
$at{"stuck $_"} = at(request => $stuck{$_}) for keys %stuck;
$at{"caught $_"} = tells('local ok, why = pcall(function() '
    . "$stuck{$_} end) local res = ctx:fetch{uri = '/ask/echo'}"
    . 'found = tostring(ok) .. " " .. res.status') for keys %stuck;

# a request that asks, too, while it is looked at
my %asking = (
    'with a mistake'   => 'ctx:fetch{mistake = true}',
    'where it cannot wait' => 'ctx:fetch{uri = "/ask/echo/inner"}',
    'for many'         => 'ctx:fetch_all{{uri = "/ask/echo"}, {mistake = 1}}',
    'for many that are right' => 'ctx:fetch_all{{uri = "/ask/echo/inner"},'
        . ' {uri = "/ask/echo/inner"}}',
);
for my $name (keys %asking) {
    my $asking = 'local function asking(uri) return setmetatable({}, {__index ='
        . ' function(_, key) if key ~= "uri" then return nil end'
        . " pcall(function() $asking{$name} end) return uri end}) end ";
    $at{"asking $name"} = tells($asking
        . 'found = ctx:fetch(asking("/ask/echo/outer")).json.uri');
    $at{"all asking $name"} = tells($asking
        . 'local all = ctx:fetch_all{asking("/ask/echo/1"),'
        . ' asking("/ask/echo/2")}'
        . ' found = #all .. all[1].json.uri .. all[2].json.uri');
}

# what limit_req holds up
$at{delayed} = asks('uri = "/quick/echo"');
$at{held} = tells('local all = ctx:fetch_all{{uri = "/slow/echo",'
    . ' timeout = tonumber(ctx:var("http_x_ms"))}, {uri = "/ask/echo"},'
    . ' {uri = "/slow/echo"}, {uri = "/threads/much.txt", max_size = 1e6}}'
    . ' found = ""'
    . ' for i = 1, 4 do found = found .. (i == 1 and "" or " ")'
    . ' .. (all[i].error or all[i].status) end');

$at{waits} = at(ms => 100, request => <<'END');
ctx:fetch{uri = "/ask/echo?delay=" .. 0.4}
ctx.group.name = "waited"
END
$at{counts} = at(ms => 2000, request => <<"END");
for part = 1, 9 do
    local till = os.clock() + @{[0.3 * $t->patience]}
    while os.clock() < till do end
    ctx:log("info", "part " .. part)
    ctx:fetch{uri = "/ask/echo"}
end
END
$at{loops} = at(ms => 50, request => 'ctx:fetch{uri = "/ask/echo"}'
    . ' while true do pcall(function() while true do end end) end');
$at{grows} = at(more => 'group_policy_memory 1m;', ms => 5000,
    request => 'ctx:fetch{uri = "/ask/echo"}'
    . ' local t = {} for i = 1, 1e7 do t[i] = {i} end');
$at{hoards} = at(more => 'group_policy_memory 1m;', ms => 5000,
    request => 'local all = {} for i = 1, 30 do'
    . ' all[i] = (tostring(i) .. "x"):rep(100000)'
    . ' ctx:fetch{uri = "/ask/echo"} end ctx.group.name = "n" .. #all');
$at{fetches_much} = tells('local all = {} for i = 1, 30 do'
    . ' all[i] = ctx:fetch{uri = "/ask/size?size=200000", max_size = 2e5}.body'
    . ' .. i end found = "n" .. #all',
    more => 'group_policy_memory 1m;', ms => 5000);
$at{garbage} = tells('for i = 1, 30 do'
    . ' local x = (tostring(i) .. "x"):rep(30000)'
    . ' ctx:fetch{uri = "/ask/echo"} end found = "fine"',
    more => 'group_policy_memory 1m;', ms => 5000);

# what was before the fetch is there after it, whoever ran meanwhile
$at{apart} = at(top => 'local kept', request => <<'END', response => <<'END2');
kept = ctx.group.name
shown = kept
local here, group = kept, ctx.group
group.name = nil
for i = 1, 3 do
    local res = ctx:fetch{uri = "/ask/echo/" .. kept .. "?delay="
        .. ctx:var("http_x_delay")}
    if kept ~= here or shown ~= here or res.json.uri:find(here, 1, true) == nil
        or ctx.group ~= group or ctx:var("http_x_name") ~= here
        or ctx.operation ~= "group.create"
    then
        error("mixed up: " .. here)
    end
end
ctx.group.name = here
END
ctx:fetch{uri = "/ask/echo?delay=" .. ctx:var("http_x_delay")}
ctx.group.name = ctx.group.name .. " " .. kept .. " " .. shown
END2
$at{denies} = at(request => <<'END');
local res = ctx:fetch{uri = "/ask/echo?delay=" .. ctx:var("http_x_delay")}
ctx:deny("conflict", "no " .. ctx.group.name)
END
$at{stale} = at(top => 'local old', request => 'old = ctx'
    . ' ctx:fetch{uri = "/ask/echo"}',
    response => 'old:fetch{uri = "/ask/echo"} local x = old.group');
$at{returned} = at(top => 'local later',
    request => 'later = function() return ctx.group.name end',
    response => 'ctx:fetch{uri = "/ask/echo"} later()');

$t->write_file('add.lua', <<'END');
local function add(ctx)
    local res = ctx:fetch{uri = "/ask/echo/" .. ctx.params.text}
    ctx.group.name = ctx.group.name .. res.json.uri:match("echo/(%d)")
end
return { request = add, response = add }
END
$t->write_file('quiet.lua', <<'END');
return { request = function(ctx)
    ctx.group.name = ctx.group.name .. "q"
end }
END
$t->write_file('refuse.lua', <<'END');
return { request = function(ctx)
    local res = ctx:fetch{uri = "/ask/status/403"}
    if res.status == 403 then return ctx:deny("forbidden") end
end }
END
$at{several} = at(request => '', more => <<'END');
group_policy add.lua text=1;
group_policy quiet.lua;
group_policy add.lua text=2;
group_policy add.lua text=3;
END
$at{refused} = at(request => '', more => <<'END');
group_policy add.lua text=1;
group_policy refuse.lua;
group_policy add.lua text=2;
END

$at{reload} = at(request => 'ctx:fetch{uri = "/ask/echo?delay=0.5"}'
    . ' ctx.group.name = ctx.group.name .. " old"',
    response => 'ctx:fetch{uri = "/ask/echo"}');
$at{slow} = at(request => 'ctx:fetch{uri = "/ask/echo?delay=" ..'
    . ' ctx:var("http_x_delay")}');
$at{slow_answer} = at(response => 'ctx:fetch{uri = "/ask/echo?delay=" ..'
    . ' ctx:var("http_x_delay")}');
$at{all_ops} = at(
    request => 'ctx:log("info", ctx.operation .. " asks "'
    . ' .. ctx:fetch{uri = "/ask/echo"}.status)',
    response => 'ctx:log("info", ctx.operation .. " asked "'
    . ' .. ctx:fetch{uri = "/ask/echo"}.status)');
$at{load} = at(request => <<'END', response => <<'END2');
local got = ctx:fetch_all{{uri = "/ask/echo", method = "POST",
    json = {group = ctx.group}}, {uri = "/text"}, {uri = "/down/"}}
ctx.group.name = got[1].json.method .. got[2].body .. got[3].status
END
ctx:fetch{uri = "/text"}
END2

$t->credentials('clients.json', {type => 'basic', id => 'a', secret => 'b',
    principal => 'acme', scopes => ['numbers']});
$t->write_file('files/some.txt', 'in a file');
$t->write_file('files/much.txt', 'much' x 50_000);

$t->nginx(
    http => <<'END',
proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
limit_req_zone $server_name zone=quick:1m rate=200r/m;
limit_req_zone $server_name zone=slow:1m rate=2r/m;
upstream asked { server 127.0.0.1:%%PORT:asked%%; keepalive 4; }
END
    server => <<"END" =~ s/%%ASKED%%/$asked->address/ger,
group_dialect signalwire;
add_header X-Pid \$pid always;
keepalive_requests 10000;
location /ask/ {
    internal;
    group_dialect off;
    proxy_pass http://%%ASKED%%/;
}
location /quick/ {
    group_dialect off;
    limit_req zone=quick burst=9;
    proxy_pass http://%%ASKED%%/;
}
location /slow/ {
    group_dialect off;
    limit_req zone=slow burst=9;
    proxy_pass http://%%ASKED%%/;
}
location /cached/ {
    internal;
    group_dialect off;
    proxy_cache cache;
    proxy_cache_valid any 1m;
    proxy_pass http://%%ASKED%%/;
}
location /down/ {
    group_dialect off;
    proxy_pass http://127.0.0.1:@{[$t->refused_port]};
}
location /stalls/ {
    group_dialect off;
    proxy_pass http://@{[$stalls->address]};
}
location = /text { group_dialect off; return 200 hello; }
location = /nocontent { group_dialect off; return 204; }
location = /moved { group_dialect off; return 302 /text; }
location = /forbidden { group_dialect off; return 403; }
location /files/ { group_dialect off; alias %%DIR%%/files/; }
location /threads/ {
    group_dialect off;
    aio threads;
    sendfile off;
    output_buffers 2 4k;
    alias %%DIR%%/files/;
}
location /rewritten/ { group_dialect off; rewrite ^ /ask/echo/done last; }
location = /tried {
    group_dialect off;
    root %%DIR%%;
    try_files /none /files/some.txt =404;
}
location /absent { group_dialect off; root %%DIR%%/nothing; log_not_found off; }
$locations
END
);


# the response, and what the upstream was sent
sub create {
    my ($path, %option) = @_;

    $u->clear;
    $asked->clear;
    my $json = delete $option{json} // {name => 'a'};
    my $r = $t->post("$path/number_groups", json => $json, %option);
    my $got = $u->last;

    return ($r, $got && $got->json);
}

# what a hook found
sub told {
    my ($r, $got) = create(@_);
    diag($r->status . ' ' . $r->body . "\n" . $t->log) if $r->status != 200;
    return $got && $got->{name};
}

# A request that is under way.
sub start {
    my ($path, $name, @headers) = @_;

    my $client = $t->client;
    my $body   = json_encode({name => $name});
    my $more   = '';
    while (my ($header, $value) = splice @headers, 0, 2) {
        $more .= "$header: $value\r\n";
    }
    $client->send("POST $path/number_groups HTTP/1.1\r\nHost: a\r\n"
            . "Content-Type: application/json\r\n$more"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

    return $client;
}

sub in_time {
    my ($start, $seconds, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return cmp_ok(time - $start, '<', $seconds + 1.5 * ($t->patience - 1),
        $name // 'in time');
}


subtest 'both kinds of hooks' => sub {
    my ($r, $got) = create($at{both});
    is($r->status, 200, 'status') or diag($t->log);
    is($got->{name}, '200 /echo/one', 'a request hook asks');
    is($r->json->{name}, '/echo/one then /echo/two',
        'and so does a response hook');
    is_deeply([map { $_->{uri} } $asked->requests],
        ['/echo/one', '/echo/two'], 'each of them once');
    is($t->last_access->{upstream_status}, 200,
        'what was asked is no upstream of the request');

    $t->mark;
    $r = $t->get("$at{all_ops}/number_groups");
    is($r->status, 200, 'list');
    $r = $t->get("$at{all_ops}/number_groups/$UUID");
    is($r->status, 200, 'get');
    $r = $t->put("$at{all_ops}/number_groups/$UUID", json => {name => 'b'});
    is($r->status, 200, 'replace');
    $r = $t->del("$at{all_ops}/number_groups/$UUID");
    is($r->status, 204, 'delete');
    for my $operation (qw(list get replace delete)) {
        $t->like_log(qr/group\.$operation $_ 200/, "$operation: $_")
            for qw(asks asked);
    }
};

subtest 'methods and bodies' => sub {
    for my $method (qw(GET POST PUT PATCH DELETE)) {
        like(told($at{$method}), qr/^200 /, $method);
        my $got = $asked->last;
        is($got->{method}, $method, 'is sent');
        is($got->body, '', 'with no body');

        like(told($at{"$method-json"}), qr/^200 /, "$method with JSON");
        $got = $asked->last;
        is($got->{method}, $method, 'method');
        is($got->{header}{'content-type'}, 'application/json', 'media type');
        is($got->{header}{'content-length'}, length $got->body, 'length');
        is_deeply($got->json, {input => {list => [1, 2], empty => {},
            no => undef, text => "\x{e4}\"", yes => JSON::PP::true(),
            group => {name => 'a'}}}, 'value');

        like(told($at{"$method-body"}), qr/^200 /, "$method with a text");
        $got = $asked->last;
        is($got->body, "a\0b\r\n" . 'x' x 3000, 'bytes');
        is($got->{header}{'content-type'}, 'application/octet-stream', 'type');
    }

    like(told($at{empty}), qr/^200 /, 'an empty body');
    is($asked->last->{header}{'content-length'}, 0, 'has a length');

    like(told($at{typed}), qr/^200 /, 'a media type of the hook\'s own');
    is_deeply([map { $_->[1] } grep { lc $_->[0] eq 'content-type' }
        @{$asked->last->{headers}}], ['application/x-www-form-urlencoded'],
        'stands once');
};

subtest 'headers' => sub {
    like(told($at{headers}, headers => [Cookie => 'client=1',
        traceparent => '00-client', Accept => 'image/png']), qr/^200 /,
        'of the hook');
    my $header = $asked->last->{header};
    is($header->{'x-one'}, '1', 'its own');
    is($header->{'x-empty'} // '', '', 'an empty one');
    is($header->{authorization}, 'Bearer hook', 'a credential');
    is($header->{accept}, 'text/plain', 'what it accepts');
    is($header->{cookie}, 'h=1', 'a cookie, and not the client\'s');
    is($header->{traceparent}, '00-own', 'another trace');

    my %client = (Cookie => 'client=1', 'X-Amz-Security-Token' => 'client',
        'Proxy-Authorization' => 'Basic client', 'X-Api-Key' => 'client',
        'X-Auth-Token' => 'client', 'Content-Encoding' => 'identity',
        'If-None-Match' => '"client"', Range => 'bytes=0-1',
        Accept => 'client/x', 'X-HTTP-Method-Override' => 'DELETE',
        'X-Original-URL' => '/client', Referer => 'http://client/',
        TE => 'trailers');
    my %kept = (traceparent => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f0-01',
        tracestate => 'a=b', 'x-request-id' => 'r1', 'user-agent' => 'me/1');

    delete @client{qw(Content-Encoding TE)};
    like(told($at{plain_signed}, headers => [%client, %kept],
        auth => ['a', 'b']), qr/^200 /, 'of the client');
    my $got = $asked->last;
    $header = $got->{header};
    is($header->{lc $_}, undef, "$_ is not told")
        for 'Authorization', grep { $_ ne 'Referer' } sort keys %client;
    is($header->{$_}, $kept{$_}, "$_ is") for sort keys %kept;
    unlike($got->{raw}, qr/client=1|YTpi|Basic/, 'nor is any credential');
    is($got->{body}, '', 'nor its body');
};

subtest 'what is wrong fails the hook' => sub {
    for my $name (sort keys %wrong) {
        $t->mark;
        my ($r, $got) = create($at{"wrong $name"});
        is($r->status, 500, "$name: status");
        is($got, undef, 'nothing is sent');
        is(scalar($asked->requests), 0, 'nothing is asked');
        $t->like_log(qr/\[error\].*failed in its request hook: p\d+\.lua:\d+/,
            'the log tells where');
    }

    $t->mark;
    create($at{'wrong the header Host'});
    $t->like_log(qr/the header "Host" is not a hook's to set/, 'and why');
};

subtest 'what comes back' => sub {
    is(told($at{text}), '200 5 hello', 'a page of nginx itself');
    is(told($at{no_content}), '204 0 ', 'no content');
    is(told($at{moved}), '302 0 ', 'is not followed');
    is(told($at{absent}), '404 0 ', 'a location that has no such file');
    is(told($at{forbidden}), '403 0 ', 'one that refuses');
    is(told($at{file}), '200 9 in a file', 'a file');
    like(told($at{rewritten}), qr{^200 .*}, 'a rewritten URI');
    is($asked->last->{uri} =~ s/\?.*//r, '/echo/done', 'leads elsewhere');
    is(told($at{tried}), '200 9 in a file', 'try_files');
    like(told($at{cached}), qr/^200 /, 'proxy_cache');
    like(told($at{cached}), qr/^200 /, 'a second time');
    is(scalar($asked->requests), 0, 'out of the cache');

    is(told($at{status}, headers => ['X-Status' => $_]),
        "$_ 7 said so one two text/plain nil", "status $_")
        for 200, 201, 400, 401, 403, 404, 409, 500, 503;
};

subtest 'JSON' => sub {
    my $json = sub {
        my ($type, $text) = @_;
        return told($at{type}, headers => ['X-Type' => $type,
            'X-Text' => $text]);
    };

    is($json->('application/json', '{"a":1}'), '1 number', 'is read');
    is($json->('application/json;charset=utf-8', '{"a":"b"}'), 'b string',
        'with a parameter');
    is($json->('Application/JSON', '{"a":true}'), 'true boolean', 'any case');
    is($json->('application/problem+json', '{"a":null}'), 'null userdata',
        'by its suffix');
    is($json->('text/plain', '{"a":1}'), 'nil', 'another type is not');
    is($json->('application/json', '{"a":'), 'nil', 'what is none is not');
    is($json->('application/json', ''), 'nil', 'nothing is not');
    is($json->('application/json', '[' x 100 . ']' x 100), 'nil',
        'nor what is too deep');
    is($json->('json', '1'), 'nil', 'a type that is none');
};

subtest 'an answer that is late' => sub {
    my $start = time;
    is(told($at{late}), 'nil timeout', 'is not waited for');
    in_time($start, 0.9);

    # HTTP/1.1 answers in turns: what is late must not hold up the next one
    my $bytes = join '', map { "POST $at{$_}/number_groups HTTP/1.1\r\n"
            . "Host: a\r\nContent-Type: application/json\r\n"
            . "Content-Length: 12\r\n\r\n{\"name\":\"a\"}" }
        qw(late stalls late);
    my $client = $t->client;
    $start = time;
    $client->send($bytes);
    is($client->response->json->{name}, 'nil timeout', "on one connection: $_")
        for qw(late stalls late);
    in_time($start, 0.9);
    $client->close;
};

subtest 'limit_req' => sub {
    like(told($at{delayed}), qr/^200 /, "held up: $_") for 1 .. 4;

    # nginx counts a request once, whatever it asks for
    is(told($at{held}, headers => ['X-Ms' => 9000]), '200 200 200 200',
        'not held up');

    my $start = time;
    my @open  = map { $t->client } 1 .. 3;
    $_->send("POST $at{held}/number_groups HTTP/1.1\r\n"
            . "Host: a\r\nX-Ms: 100\r\n"
            . "Content-Type: application/json\r\n"
            . "Content-Length: 12\r\n\r\n{\"name\":\"a\"}") for @open;
    pop(@open)->reset;
    is($_->response->json->{name}, 'timeout 200 200 200', 'for too long')
        for @open;
    cmp_ok(time - $start, '<', 20, 'the client does not wait for that');
    $_->close for @open;
};

subtest 'an answer that is too large' => sub {
    my $size = sub {
        my ($what, $max) = @_;
        return told($at{size}, headers => ['X-Size' => $what,
            defined $max ? ('X-Max' => $max) : ()]) =~ s/ y*$//r;
    };

    for my $kind (qw(size chunks)) {
        is($size->("$kind?size=65000"), '200 65000', "$kind: what fits");
        is($size->("$kind?size=66000"), 'nil too large', 'what does not');
        is($size->("$kind?size=2000", 2000), '200 2000', 'just so');
        is($size->("$kind?size=3000", 2999), 'nil too large', 'one more');
        is($size->("$kind?size=1000000", 1000000), '200 1000000', 'much');
    }
};

subtest 'an upstream that is down, or breaks off' => sub {
    is(told($at{down}), '502 0 ', 'down: nginx\'s own answer');
    is(told($at{none}), 'nil incomplete', 'no HTTP');
    is(told($at{short}), 'nil incomplete', 'a short answer');
    is(told($at{broken}), 'nil incomplete', 'chunks that end');
};

subtest 'several at once' => sub {
    my $start = time;
    is(told($at{all}), '1 2 3 4 5 6 7 8', 'answers in the order of questions');
    in_time($start, 1.2, 'in the time of the slowest');

    is(told($at{mixed}), '200:nil nil:timeout 502:nil nil:uri nil:too large'
        . ' nil:incomplete 404:nil', 'each tells of itself');
    is(told($at{no_one}), 'n0', 'none');
    is(told($at{no_good}), 'uri', 'none that can be asked');

    is(told($at{many}, headers => ['X-N' => 32]), 'n32', 'as many as may be');
    $t->mark;
    my ($r) = create($at{many}, headers => ['X-N' => 33]);
    is($r->status, 500, 'and one more');
    is(scalar($asked->requests), 0, 'none of which is asked');
    $t->like_log(qr/takes at most 32 requests/, 'log');

    is(told($at{in_a_row}, headers => ['X-N' => 32]), 'n32',
        'one after the other');
    $t->mark;
    ($r) = create($at{in_a_row}, headers => ['X-N' => 33]);
    is($r->status, 500, 'one more');
    $t->like_log(qr/a hook may fetch at most 32 times/, 'log');
};

subtest 'where a hook waits' => sub {
    like(told($at{"nested $_"}), qr/^(?:true|false) 200$/, $_)
        for sort keys %nested;

    for my $name (sort keys %stuck) {
        $t->mark;
        my ($r) = create($at{"stuck $name"});
        is($r->status, 500, "$name: cannot wait");
        $t->like_log(qr/failed in its request hook:.*yield across/, 'log');

        is(told($at{"caught $name"}), 'false 200', 'which can be caught');
        is(scalar($asked->requests), 1, 'and nothing was asked');
    }
};

subtest 'a request that asks while it is looked at' => sub {
    for my $name (sort keys %asking) {
        is(told($at{"asking $name"}), '/echo/outer', "$name: one");
        is(told($at{"all asking $name"}), '2/echo/1/echo/2', 'two');
        unlike($_->{uri}, qr/inner/, 'what it asked is not asked')
            for $asked->requests;
    }
};

subtest 'where a URI leads' => sub {
    my $uri = sub { return told($at{uri}, headers => ['X-Uri' => $_[0]]) };

    is($uri->('/ask/a?b=c&d'), '/a b=c&d', 'arguments');
    is($uri->('/ask/a?b=%20%26'), '/a b=%20%26', 'which stay as they are');
    is($uri->('/ask/a%20b'), '/a%20b none', 'what is encoded stays so');
    is($uri->('/ask/a%0d%0aX'), '/a%0D%0AX none', 'whatever it is');
    is($uri->('/ask/a?'), '/a none', 'nothing behind ?')
        or diag('or an empty one');

    for my $bad ('/ask/../down/', '/ask/..', '/../etc/passwd',
        '/ask/%2e%2e/down/', '/ask/%2e./x', '/ask/a/../../..//x')
    {
        is($uri->($bad), 'nil uri', $bad);
        is(scalar($asked->requests), 0, 'is not asked');
    }

    $t->mark;
    is(told($at{$_}), '403 0 ', "a group location is not for hooks: $_")
        for qw(itself itself_post);
    is(scalar(() = $u->requests), 1, 'its upstream was asked nothing more');
    $t->like_log(qr/group location reached by a subrequest/, 'log');
};

subtest 'time' => sub {
    my ($r, $got) = create($at{waits});
    is($r->status, 200, 'waiting is not the hook\'s time') or diag($t->log);
    is($got->{name}, 'waited', 'it went on');
    cmp_ok($t->last_access->{policy_time}, '<', 0.1 * $t->patience,
        '$group_policy_time');

    $t->mark;
    ($r) = create($at{counts});
    is($r->status, 500, 'what it does before and after is, in all');
    $t->like_log(qr/exceeded the time limit of \d+ ms in its request/, 'log');
    $t->like_log(qr/part 1\b/, 'not before it waited');
    $t->unlike_log(qr/part 9/, 'and not at its end');

    $t->mark;
    ($r) = create($at{loops});
    is($r->status, 500, 'a loop after a fetch');
    $t->like_log(qr/exceeded the time limit/, 'log');
    is(told($at{text}), '200 5 hello', 'the next one');
};

subtest 'memory' => sub {
    for my $name (qw(grows hoards fetches_much)) {
        $t->mark;
        my ($r) = create($at{$name});
        is($r->status, 500, $name);
        $t->like_log(qr/exceeded the memory limit of \d+ bytes/, 'log');
    }

    is(told($at{garbage}), 'fine', 'what nobody has any more is free');
};

subtest 'several policies' => sub {
    my ($r, $got) = create($at{several});
    is($got->{name}, 'a1q23', 'each asks in its turn');
    is($r->json->{name}, 'a1q23123', 'response hooks, too');

    ($r, $got) = create($at{refused});
    is($r->status, 403, 'one that refuses after it asked');
    is($got, undef, 'is the last');
    is(scalar($asked->requests), 2, 'to ask');
};

subtest 'requests at the same time' => sub {
    # each waits four times, in turns
    my $start = time;
    my @names = map { "n-$_-e" } 1 .. 12;
    my @clients = map { start($at{apart}, $names[$_], 'X-Name' => $names[$_],
        'X-Delay' => 0.1 + 0.01 * ($_ % 5)) } 0 .. $#names;

    for my $i (0 .. $#names) {
        my $r = $clients[$i]->response;
        is($r->status, 200, "$names[$i]: status") or diag($t->log);
        is($r->json->{name}, join(' ', ($names[$i]) x 3), 'has its own state')
            if $r->status == 200;
        $clients[$i]->close;
    }

    in_time($start, 3, 'none waits for the others');

    # refusals do not meet others' requests
    my @deny = map { start($_ % 2 ? $at{denies} : $at{slow}, "d$_",
        'X-Delay' => 0.05 * (4 - $_ % 4)) } 1 .. 8;
    for my $i (1 .. 8) {
        my $r = $deny[$i - 1]->response;
        is($r->status, $i % 2 ? 422 : 200, "d$i");
        like($r->body, $i % 2 ? qr/no d$i"/ : qr/"name":"d$i"/, 'its own');
        $deny[$i - 1]->close;
    }

    $start = time;
    my $slow = start($at{slow}, 'slow', 'X-Delay' => 1);
    is(told($at{text}), '200 5 hello', 'who need not wait');
    in_time($start, 0.9, 'does not');
    is($slow->response->status, 200, 'the other one is answered later');
};

subtest 'ctx is that of its hook' => sub {
    for my $name (qw(stale returned)) {
        $t->mark;
        my ($r) = create($at{$name});
        is($r->status, 500, $name);
        $t->like_log(qr/ctx is of no use after its hook has returned/, 'log');
    }
};

subtest 'a client that goes away' => sub {
    for my $name (qw(slow slow_answer)) {
        for my $how (qw(close reset)) {
            $asked->clear;
            my $client = start($at{$name}, 'gone', 'X-Delay' => 0.3);
            $asked->requests(1);
            $client->$how;
            is(told($at{text}), '200 5 hello', "$name, $how: the next one");
        }
    }

    $asked->clear;
    my @clients = map { start($at{all}, 'gone') } 1 .. 4;
    $asked->requests(32);
    $_->reset for @clients;
    is(told($at{text}), '200 5 hello', 'many at once');
};

subtest 'a reload during a fetch' => sub {
    local $ENV{TEST_GROUP_RELOAD} = 0;

    $asked->clear;
    my $client = start($at{reload}, 'under way');
    $asked->requests(1);
    my ($file) = $at{reload} =~ /(\d+)/;
    $t->write_file("p$file.lua", 'return { request = function(ctx)'
            . ' ctx.group.name = "new" end }');
    ok($t->reload, 'reload');

    # by its own answer: clients that went away before may be asked for still
    my ($later) = create($at{reload});
    is($later->json->{name}, 'new', 'who comes later meets the new hooks');

    my $r = $client->response;
    is($r->status, 200, 'who was there is answered');
    is($r->json->{name}, 'under way old', 'by the old ones');
    $client->close;
};

subtest 'nothing is left behind' => sub {
    plan skip_all => 'not under tools that keep memory'
        if $ENV{TEST_GROUP_VALGRIND} || $ENV{TEST_GROUP_ASAN};
    local $ENV{TEST_GROUP_RELOAD} = 0;

    my $bytes = do {
        my $body = json_encode({name => 'a'});
        "POST $at{load}/number_groups HTTP/1.1\r\nHost: a\r\n"
            . "Content-Type: application/json\r\nContent-Length: "
            . length($body) . "\r\n\r\n$body";
    };
    my $pid;
    my $client = $t->client;
    my $run = sub {
        my ($times) = @_;
        my $bad = 0;
        for (1 .. $times) {
            $client->send($bytes);
            my $r = $client->response;
            $pid = $r->header('X-Pid');
            $bad++ if $r->status != 200
                || $r->json->{name} ne 'POSThello502';
        }
        return $bad;
    };
    my $size = sub {
        my ($kb) = $t->read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
        return $kb;
    };
    my $sockets = sub {
        return scalar grep { (readlink($_) // '') =~ /^socket/ }
            glob "/proc/$pid/fd/*";
    };

    is($run->(300), 0, 'at first');
    my ($kb, $open) = ($size->(), $sockets->());
    is($run->(1000), 0, 'a thousand requests, each with four fetches');
    cmp_ok($size->() - $kb, '<', 64, 'take no memory');
    is($sockets->(), $open, 'and no connection');
    $client->close;
};

$t->stop;
done_testing;
