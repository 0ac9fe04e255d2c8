#!/usr/bin/perl

# group_policy: hooks that look at requests and answers, change them or refuse
# them. Their limits are in group_policy_limits.t.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Locations;
use Test::Gateway::Message qw(json_encode);

my $t = Test::Gateway->new(
    variables => [qw(principal outcome error name lost policy_time)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

# SignalWire answers with what it was sent, the others always alike
my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($path) = $request->{uri} =~ /^([^?]*)/;

    my $sent = eval { JSON::PP::decode_json($request->{body}) } // {};

    return [200, [], {id => $UUID, number_group_id => $UUID,
            phone_number => {id => $sent->{phone_number_id}},
            created_at => '2023-01-15T10:30:00Z',
            updated_at => '2023-01-15T10:30:00Z'}]
        if $path =~ /memberships$/;
    return [200, [], {links => {self => '/a', first => '/a'}, data => []}]
        if $path =~ /number_groups$/ && $request->{method} eq 'GET';
    return [200, [], {id => $UUID, name => $sent->{name} // 'kept',
            sticky_sender => $sent->{sticky_sender} // \0,
            phone_number_count => 3}]
        if $path =~ /number_groups/;
    return [200, [], {id => $UUID, name => 'a', email => 'a@test.com',
            created => '2023-01-15T10:30:00Z', status => 'Active',
            members => [{id => 'm'}], admins => [{id => 'm'}]}]
        if $path =~ m{^/groups};
    return [200, [], {count => 0, items => []}]
        if $path eq '/api/groups' && $request->{method} eq 'GET';
    return [201, [], {id => $ID}] if $path eq '/api/groups';
    return [404, [], {error => 'Not Found'}];
});

my $locations = Test::Gateway::Locations->new($u);
my $proxy = $locations->proxy;

my $n = 0;

# A location of its own; hooks are Lua statements, more directives may follow.
sub at {
    my ($client, $upstream, %how) = @_;

    my @directives;

    if (exists $how{request} || exists $how{response} || exists $how{top}) {
        my $file = 'p' . ++$n . '.lua';
        my ($request, $response, $top)
            = map { $_ // '' } @how{qw(request response top)};
        $t->write_file($file, "$top\nreturn {\n"
                . "request = function(ctx) $request end,\n"
                . "response = function(ctx) $response end,\n}\n");
        push @directives, "group_policy $file " . ($how{params} // '');
    }

    return $locations->at($client, $upstream, @directives,
        $how{more} // ());
}

sub signalwire { return at('signalwire', 'signalwire', @_) }

# what a hook finds out it gives as the name that is sent
sub names {
    my ($expression, @more) = @_;
    return signalwire(request => "ctx.group.name = $expression", @more);
}

my %at;

$at{design} = at('signalwire', 'vinyldns',
    request => <<'END', more => <<'CONF');
    if ctx.operation == "group.create"
        and not ctx.group.name:find("^%l+%-")
    then
        return ctx:deny("invalid", "name must start with a team prefix",
                        "name")
    end
    ctx.group.email = ctx.group.email or "voice-ops@example.com"
END
group_default members m;
group_default admins m;
CONF

$t->write_file("add.lua", <<'END');
local add = function(ctx)
    ctx.group.name = ctx.group.name .. ctx.params.text
end
return { request = add, response = add }
END
$at{order} = signalwire(more => <<'END');
group_policy add.lua text=1;
group_policy add.lua text=2;
group_policy add.lua text=3;
END

$at{stop} = signalwire(request => 'ctx:deny("conflict", "enough")',
    more => 'group_policy add.lua text=1;');
$at{outcome} = {};
my @OUTCOMES = qw(malformed unauthorized forbidden not_found
    method_not_allowed conflict too_large unsupported_media_type invalid
    rate_limited internal not_supported bad_gateway unavailable timeout);
for my $dialect (qw(signalwire vinyldns faxfinder portsip)) {
    $at{outcome}{$dialect} = at($dialect, 'signalwire',
        request => 'return ctx:deny(ctx.var("http_x_outcome"), "Said so.")');
}
$at{field} = {map { $_ => at($_, 'signalwire',
        request => 'return ctx:deny("invalid", "No such name here.", "name")')
    } qw(signalwire vinyldns faxfinder portsip)};
$at{bare}    = signalwire(request => 'return ctx:deny("invalid")');
$at{first}   = signalwire(request => 'ctx:deny("conflict", "one")'
        . ' ctx:deny("timeout", "two")');
$at{caught}  = signalwire(request => 'ctx:deny("conflict", "one")'
        . ' error("late")');
$at{unknown} = signalwire(request => 'ctx:deny("done", "x")');
$at{answer_deny} = signalwire(response => 'ctx:deny("not_found", "x")');

my %change = (
    long    => 'ctx.group.name = ("x"):rep(256)',
    blank   => 'ctx.group.name = " "',
    none    => 'ctx.group.name = nil',
    null    => 'ctx.group.name = null',
    number  => 'ctx.group.name = 5',
    flag    => 'ctx.group.sticky_sender = "yes"',
    table   => 'ctx.group.name = {}',
    list    => 'ctx.group = {"a"}',
    nothing => 'ctx.group = nil',
);
$at{"change_$_"} = signalwire(request => $change{$_}) for keys %change;
$at{change_email} = at('signalwire', 'vinyldns',
    request => 'ctx.group.email = "no address"'
        . ' ctx.group.members = {{id = "m"}} ctx.group.admins = {}');

my %broken = (
    error    => 'error("boom-text")',
    table    => 'error({code = 1})',
    none     => 'error()',
    index    => 'local x = ctx.nothing.at_all',
    call     => 'ctx:nothing()',
    assign   => 'ctx.operation = "x"',
    var      => 'ctx.var()',
    type     => 'ctx.group = 5',
    function => 'ctx.group.name = print or function() end',
    utf8     => 'ctx.group.name = "\xff"',
    nul      => 'ctx.group.name = "a\0b"',
    nan      => 'ctx.group.member_count = 0/0',
    cycle    => 'ctx.group.self = ctx.group',
    holes    => 'ctx.group.members = {[1] = {}, [3] = {}}',
    mixed    => 'ctx.group.members = {{id = "a"}, id = "b"}',
    deep     => 'local t = {} ctx.group.x = t'
        . ' for i = 1, 10000 do t.x = {} t = t.x end',
);
$at{"broken_$_"} = signalwire(request => $broken{$_}) for keys %broken;
$at{broken_answer} = signalwire(response => 'error("boom-text")');
$at{traceback} = signalwire(top => <<'END', request => 'outer(ctx)');
local function inner() error("boom-text") end
function outer(ctx)
    inner()
    return 1
end
END

$at{fields} = at('signalwire', 'vinyldns', request => <<'END');
    local group = {}
    for k, v in pairs(ctx.group) do group[#group + 1] = k end
    table.sort(group)
    ctx:log("info", ("operation=%s dialect=%s upstream=%s principal=%s"
        .. " group=%s member=%s"):format(ctx.operation, ctx.dialect,
        ctx.upstream_dialect, tostring(ctx.principal),
        table.concat(group, ","), tostring(ctx.member)))
    ctx:deny("conflict")
END
$at{principal} = signalwire(request => <<'END', more => <<'CONF');
    ctx.group.name = ctx.principal.id .. ":"
        .. table.concat(ctx.principal.scopes, ",")
    ctx.principal.id = "somebody else"
END
group_credentials clients.json;
CONF
$at{var} = names(<<'END');
    table.concat({ctx.var("remote_addr"), ctx:var("http_x_one"),
        ctx.var("arg_two"), tostring(ctx.var("http_x_none")),
        tostring(ctx.var("no_such_variable")), ctx.var("Request_Method"),
        ctx.var("group_operation")}, " ")
END
$at{params} = names(<<'END', params => '"a=one two" b= c=x=y');
    ctx.params.a .. "|" .. ctx.params.b .. "|" .. ctx.params.c .. "|"
        .. tostring(ctx.params.d)
END
$at{params_changed} = names(
    '(ctx.params.a .. tostring(ctx.params.b)) ctx.params.b = "left"',
    params => 'a=1');

$at{params_at_once} = names('prefix .. tostring(ctx.params.prefix)',
    top => 'local params = ... prefix = params.prefix params.prefix = "x"'
    . ' if params.other then error("no other", 0) end', params => 'prefix=p');

$at{query} = at('signalwire', 'signalwire', request => <<'END');
    if ctx.query.name_contains == "change" then
        ctx.query.name_contains = "a b"
        ctx.query.limit = 7
    elseif ctx.query.name_contains == "replace" then
        ctx.query = { limit = 3 }
    elseif ctx.query.name_contains == "wrong" then
        ctx.query.limit = 5000
    else
        ctx:log("info", "limit is a " .. type(ctx.query.limit))
    end
END
$at{member} = signalwire(request => <<'END', response => <<'END2');
    ctx:log("info", "group=" .. tostring(ctx.group) .. " member="
        .. ctx.member.id)
    ctx.member.id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
END
    ctx.member.name = "named"
END2

$at{answer} = signalwire(response => <<'END');
    if ctx.var("arg_keep") then return end
    ctx.group.name = ctx.group.name .. " of " .. ctx.group.member_count
    ctx.group.sticky_sender = true
END
$at{answer_wrong} = signalwire(response => 'ctx.group.name = nil');
$at{both} = signalwire(top => 'local seen = {}',
    request => 'seen.name = ctx.group.name ctx.group.name = "sent"'
        . ' kept = (kept or 0) + 1',
    response => 'ctx.group.name = seen.name .. " was " .. ctx.group.name'
        . ' .. tostring(kept)');
$at{stale} = signalwire(top => 'local old', request => 'old = ctx',
    response => 'local x = old.group');

$at{isolation} = names(<<'END');
    tostring(counter) .. tostring(string.extra) .. tostring(_G)
    counter = (counter or 0) + 1
    pcall(function() string.extra = 1 end)
    pcall(function() table.insert = nil end)
    pcall(function() getmetatable("").__index = {} end)
    pcall(function() setmetatable(ctx, nil) end)
    pcall(function() tostring = nil end)
END
$at{local} = names('(function() count = count + 1 return "n" .. count end)()',
    top => 'local count = 0');

my @ABSENT = qw(io os.execute os.exit os.getenv os.remove os.rename os.tmpname
    os.setlocale require package module load loadstring loadfile dofile debug
    ffi jit setfenv getfenv collectgarbage newproxy print string.dump
    rawset rawget coroutine gcinfo math.randomseed ngx);
$at{absent} = names('absent(ctx)', top => <<'END' =~ s/NAMES/@ABSENT/r);
local function find(name)
    local value
    for part in name:gmatch("[^.]+") do
        if value == nil then value = VALUES[part] else value = value[part] end
        if value == nil then return end
    end
    return value
end
function absent(ctx)
    local names = "NAMES"
    local found = {}
    VALUES = { io = io, os = os, require = require, package = package,
        module = module, load = load, loadstring = loadstring,
        loadfile = loadfile, dofile = dofile, debug = debug, ffi = ffi,
        jit = jit, setfenv = setfenv, getfenv = getfenv,
        collectgarbage = collectgarbage, newproxy = newproxy, print = print,
        string = string, rawset = rawset, rawget = rawget,
        coroutine = coroutine, gcinfo = gcinfo, math = math, ngx = ngx }
    for name in names:gmatch("%S+") do
        if find(name) ~= nil then found[#found + 1] = name end
    end
    return "found: " .. table.concat(found, " ")
end
END
$at{present} = names('table.concat({string.format("%s", 1), ("a"):upper(),'
    . ' ("x-1"):match("%d"), math.floor(1.5), type(os.time()),'
    . ' bit.bor(1, 2), select("#", 1, 2), tostring(null)}, " ")');

# nested tables are made when a hook asks for them, which it shall not notice
my %nested = (
    pairs    => ['local n = {} for k, v in pairs(ctx.group) do'
        . ' n[#n + 1] = k .. ":" .. type(v) end table.sort(n)'
        . ' ctx.group.description = table.concat(n, " ")'],
    next     => ['local n, k = {}, next(ctx.group) while k do n[#n + 1] = k'
        . ' k = next(ctx.group, k) end table.sort(n)'
        . ' ctx.group.description = table.concat(n, " ")'],
    removed  => ['ctx.group.members = nil'],
    replaced => ['ctx.group.members = {{id = "other"}}'],
    moved    => ['ctx.group.admins = ctx.group.members'
        . ' ctx.group.members = {{id = "new"}}'],
    moved_up => ['local g = ctx.group ctx.group = {name = g.name,'
        . ' email = g.email, admins = g.members, members = g.admins}'],
    whole    => ['local g = ctx.group ctx.group = nil ctx.group = g'],
    one      => ['ctx.group.members[1].id = "changed"'],
    kept     => ['kept = ctx.group', 'ctx.group.description ='
        . ' kept.members[1].id .. #kept.admins .. ctx.group.members[1].id'],
    kept_read => ['kept = ctx.group.members',
        'ctx.group.description = kept[1].id'],
    kept_used => ['kept = ctx.group', 'ctx.group.members = kept.members'
        . ' ctx.group.admins = {}'],
    metatable => ['setmetatable(ctx.group, {})'],
    get_metatable => ['ctx.group.description = getmetatable(ctx.group)'],
);
$at{"nested_$_"} = at('vinyldns', 'vinyldns', request => $nested{$_}[0],
    response => $nested{$_}[1]) for keys %nested;

$at{log} = signalwire(request => <<'END');
    for _, level in ipairs({"error", "warn", "notice", "info"}) do
        ctx:log(level, "says " .. level)
    end
    ctx:log("info", "a\nline\r\27[31m" .. ("y"):rep(5000))
END
$at{log_many} = signalwire(request =>
    'for i = 1, 100000 do ctx:log("info", "many " .. i) end');
$at{log_level} = signalwire(request => 'ctx:log("emerg", "x")');

$t->write_file('reload.lua', 'return { request = function(ctx)'
    . ' ctx.group.name = "old" end }');
$at{reload} = signalwire(more => 'group_policy reload.lua;');

$t->write_file('one.lua', 'return { request = function(ctx)'
    . ' ctx.group.name = "one" end }');
$t->write_file('two.lua', 'return { request = function(ctx)'
    . ' ctx.group.name = ctx.group.name .. "two" end }');
$locations->add(<<"END");
location /levels/ {
    group_dialect signalwire;
    group_base_path /levels;
    group_policy one.lua;
    $proxy
    location /levels/in/ { group_base_path /levels/in; $proxy }
    location /levels/own/ {
        group_base_path /levels/own;
        group_policy two.lua;
        $proxy
    }
    location /levels/off/ {
        group_base_path /levels/off;
        group_policy off;
        $proxy
    }
}
END

$t->credentials('clients.json', {type => 'basic', id => 'a', secret => 'b',
    principal => 'acme', scopes => [qw(numbers other)]});

$t->nginx(server => $locations->text);


# the response, and what the upstream was sent
sub create {
    my ($path, %option) = @_;

    $u->clear;
    my $r = $t->post($path . '/number_groups' . ($option{query} // ''),
        json => $option{json} // {name => 'a'},
        map { $_ => $option{$_} } grep { /^(?:headers|auth)$/ } keys %option);
    my $got = $u->last;

    return ($r, $got && $got->json);
}

# what a hook told
sub told {
    my ($r, $got) = create(@_);
    diag($r->status . ' ' . $r->body) if $r->status != 200;
    return $got && $got->{name};
}


subtest 'the hook of the design' => sub {
    my ($r, $got) = create($at{design}, json => {name => 'red-team'});
    is($r->status, 200, 'status') or diag($r->body);
    is($got->{email}, 'voice-ops@example.com', 'a field was added');

    ($r, $got) = create($at{design});
    is($r->status, 422, 'refused');
    is($got, undef, 'nothing is sent');
    is_deeply($r->json, {errors => [{
            detail => 'name must start with a team prefix', status => '422',
            title => 'Invalid Attribute',
            code => $r->json->{errors}[0]{code}}]}, 'in SignalWire\'s words');

    my $line = $t->last_access;
    is($line->{outcome}, 'invalid', '$group_outcome');
    like($line->{policy_time}, qr/^0\.\d{6}$/, '$group_policy_time');
};

subtest 'several files' => sub {
    my ($r, $got) = create($at{order});
    is($got->{name}, 'a123', 'request hooks in their order');
    is($r->json->{name}, 'a123123', 'response hooks, too');

    $u->clear;
    ($r, $got) = create($at{stop});
    is($r->status, 422, 'one that refuses');
    is($got, undef, 'is the last');
};

# what the outcomes are for each vendor
my %usual = (malformed => 400, unauthorized => 401, forbidden => 403,
    not_found => 404, method_not_allowed => 405, conflict => 409,
    too_large => 413, unsupported_media_type => 415, invalid => 400,
    rate_limited => 429, internal => 500, not_supported => 501,
    bad_gateway => 502, unavailable => 503, timeout => 504);
my %status = (signalwire => {%usual, conflict => 422, invalid => 422},
    map { $_ => \%usual } qw(vinyldns faxfinder portsip));

sub refused {
    my ($dialect, $path, @headers) = @_;

    $u->clear;
    return $t->post("$path/contact_groups/alice", body => '<contact_group>'
            . '<name>a</name></contact_group>',
        headers => ['Content-Type' => 'application/xml', @headers])
        if $dialect eq 'faxfinder';

    return $t->post($path
            . ($dialect eq 'signalwire' ? '/number_groups' : '/groups'),
        json => {name => 'a', $dialect eq 'vinyldns'
                ? (email => 'a@test.com', members => [], admins => []) : ()},
        headers => [@headers]);
}

for my $dialect (sort keys %status) {
    subtest "deny for a client of $dialect" => sub {
        for my $outcome (@OUTCOMES) {
            my $r = refused($dialect, $at{outcome}{$dialect},
                'X-Outcome' => $outcome);
            is($r->status, $status{$dialect}{$outcome}, "$outcome: status");
            is(scalar($u->requests), 0, 'nothing is sent');
            is($r->header('Content-Length'), length $r->body, 'length');

            my $type = $r->header('Content-Type');
            my $text
                = $dialect eq 'faxfinder' ? $r->xpath('/response/message')
                : $dialect eq 'portsip'   ? $r->json->{errors}[0]{message}
                : $dialect eq 'signalwire' ? ($r->json->{error}
                        // $r->json->{errors}[0]{detail})
                : $type =~ /^text/ ? $r->body : $r->json;
            $text = $text->{errors}[0] if ref $text;

            ok(length $text, 'in the vendor\'s shape') or diag($r->body);
            like($r->body, qr/Said so\./, 'with the detail')
                if $outcome eq 'invalid' || $dialect eq 'portsip'
                && $outcome ne 'invalid';
        }

        my $r = refused($dialect, $at{field}{$dialect});
        is($r->status, $status{$dialect}{invalid}, 'a field: status');
        like($r->body, qr/No such name here\./, 'the detail');
    };
}

subtest 'how deny is called' => sub {
    my ($r) = create($at{bare});
    is($r->status, 422, 'without a detail');
    ok(length $r->json->{errors}[0]{detail}, 'there is one');

    ($r) = create($at{first});
    is($r->json->{errors}[0]{detail}, 'one', 'the first one counts');

    ($r) = create($at{unknown});
    is($r->status, 500, 'an outcome that is none');

    ($r) = create($at{caught});
    is($r->status, 500, 'an error after it');

    $u->clear;
    ($r) = create($at{answer_deny});
    is($r->status, 404, 'in a response hook');
    is($r->body, '{"error":"Not Found"}', 'body');
    is(scalar($u->requests), 1, 'the upstream was asked');

    $r = refused('portsip', $at{field}{portsip});
    is($r->json->{errors}[0]{detail}[0]{field}, 'name',
        'the field, where the vendor has a place for it');
};

subtest 'changes are validated again' => sub {
    my %code = (
        long => 'is too long', blank => 'can\'t be blank',
        none => 'can\'t be blank', null => 'can\'t be blank',
        nothing => '', number => '', flag => '', table => '',
    );

    for my $name (sort keys %code) {
        my ($r, $got) = create($at{"change_$name"});
        next if $name eq 'nothing';

        is($r->status, 422, "$name: status") or diag($r->body);
        is($got, undef, 'nothing is sent');
        is(scalar(@{$r->json->{errors} // []}), 1, 'one problem');
        my $field = $name eq 'flag' ? 'sticky.sender' : 'name';
        like($r->json->{errors}[0]{detail}, qr/$field.*$code{$name}/i,
            'which is told');
    }

    my ($r, $got) = create($at{change_list});
    is($r->status, 500, 'a list is no group');
    is($got, undef, 'nothing is sent');

    ($r, $got) = create($at{change_email});
    is($r->status, 422, 'by the upstream\'s rules');
    like($r->json->{errors}[0]{detail}, qr/email/i, 'which are told');
    is($got, undef, 'nothing is sent');
};

subtest 'a hook that fails' => sub {
    Test::Gateway->not_in(valgrind => 'some take longer than they may');

    for my $name (sort keys %broken) {
        $t->mark;
        my ($r, $got) = create($at{"broken_$name"});
        is($r->status, 500, "$name: status");
        is($r->body, '{"error":"Internal Server Error"}',
            'the client is told nothing');
        is($got, undef, 'nothing is sent');
        $t->like_log(qr/\[error\].*policy "\S+\.lua" failed in its request/,
            'log');
    }

    $t->mark;
    my ($r) = create($at{broken_answer});
    is($r->status, 500, 'in a response hook');
    unlike($r->raw . $r->body, qr/boom/, 'the client is told nothing');
    $t->like_log(qr/failed in its response hook: p\d+\.lua:\d+: boom-text/,
        'log');

    $t->mark;
    create($at{traceback});
    $t->like_log(qr/failed[ ]in[ ]its[ ]request[ ]hook:[ ]
        (p\d+\.lua):1:[ ]boom-text,[ ]at.*
        \1:1:[ ]in.*inner.*\1:3:[ ]in.*outer/x,
        'the log has a traceback');
    $t->like_log(qr/\[error\][^\n]*boom-text[^\n]*request: "POST/,
        'in one line that tells the request');

    my $line = $t->last_access;
    is($line->{outcome}, 'internal', '$group_outcome');
};

subtest 'ctx' => sub {
    $t->mark;
    create($at{fields}, json => {name => 'a', sticky_sender => \1});
    $t->like_log(qr/operation=group\.create[ ]dialect=signalwire
        [ ]upstream=vinyldns[ ]principal=nil[ ]group=name,sticky_sender
        [ ]member=nil/x, 'fields');

    is(told($at{principal}, auth => ['a', 'b']), 'acme:numbers,other',
        'principal');
    is($t->last_access->{principal}, 'acme', 'which a hook cannot become');

    is(told($at{var}, headers => ['X-One' => 'h1'], query => '?two=q2'),
        '127.0.0.1 h1 q2 nil nil POST group.create', 'var');

    is(told($at{params}), 'one two||x=y|nil', 'params');
    is(told($at{params_changed}), '1nil', 'params are new');
    is(told($at{params_changed}), '1nil', 'for each request');
    is(told($at{params_at_once}), 'pp', 'the file has them, too')
        for 1 .. 2;
};

subtest 'ctx.query' => sub {
    my $list = sub {
        $u->clear;
        my $r = $t->get("$at{query}/number_groups?$_[0]");
        my $got = $u->last;
        return $got ? $got->uri =~ s/.*\?//r : $r->status;
    };

    is($list->('page_size=20&page_number=0'), 'page_size=20&page_number=0',
        'left alone');
    $t->like_log(qr/limit is a number/, 'types are the field\'s');

    is_deeply([sort split /&/, $list->('filter_name=change&page_size=20')],
        ['filter_name=a%20b', 'page_size=7'], 'changed');
    is($list->('filter_name=replace&page_size=20'), 'page_size=3', 'replaced');
    is($list->('filter_name=wrong'), 422, 'checked');
};

subtest 'ctx.member' => sub {
    $t->mark;
    $u->clear;
    my $path = "$at{member}/number_groups/$UUID/number_group_memberships";
    my $r = $t->post($path, json => {phone_number_id => $UUID});

    is($r->status, 200, 'status') or diag($r->body);
    is($u->last->json->{phone_number_id},
        '3fa85f64-5717-4562-b3fc-2c963f66afa6', 'changed');
    $t->like_log(qr/group=nil member=$UUID/, 'and there is no group');
    is($r->json->{phone_number}{name}, 'named', 'changed in the answer');
};

subtest 'response hooks' => sub {
    my ($r) = create($at{answer});
    is($r->status, 200, 'status');
    is_deeply([@{$r->json}{qw(id name phone_number_count)}],
        [$UUID, 'a of 3', 3], 'changed');
    ok($r->json->{sticky_sender}, 'of any type');
    is($r->header('Content-Length'), length $r->body, 'length');

    ($r) = create($at{answer}, query => '?keep=1');
    is($r->json->{name}, 'a', 'left alone');

    $r = $t->get("$at{answer}/number_groups/$UUID");
    is($r->json->{name}, 'kept of 3', 'of get');

    $r = $t->get("$at{answer}/nothing/$UUID");
    is($r->status, 404, 'no operation, no hook');

    ($r) = create($at{answer_wrong});
    is($r->status, 502, 'what the client\'s API requires is missing');

    my $got;
    ($r, $got) = create($at{both}, json => {name => 'asked'});
    is($got->{name}, 'sent', 'a request hook\'s');
    is($r->json->{name}, 'asked was sent1', 'is seen by the response hook');

    ($r) = create($at{stale});
    is($r->status, 500, 'ctx is of its hook');
    $t->like_log(qr/ctx is of no use after its hook has returned/, 'log');

    $u->answer([404, [], {error => 'Not Found'}]);
    $r = $t->get("$at{broken_answer}/number_groups/$UUID");
    is($r->status, 404, 'an error of the upstream has no hooks');
};

subtest 'tables in the group' => sub {
    my %group = (name => 'g', email => 'a\@test.com',
        members => [{id => 'm1'}, {id => 'm2'}], admins => [{id => 'a1'}]);
    my $nested = sub {
        my ($name) = @_;
        $u->clear;
        my $r = $t->post($at{"nested_$name"} . '/groups', json => {%group});
        my $got = $u->last;
        return ($r, $got && $got->json);
    };
    my $ids = sub { return join ' ', map { $_->{id} } @{$_[0]} };

    my (undef, $got) = $nested->('pairs');
    is($got->{description}, 'admins:table email:string members:table'
        . ' name:string', 'pairs sees them');
    is_deeply($got->{members}, $group{members}, 'and leaves them');
    (undef, $got) = $nested->('next');
    is($got->{description}, 'admins email members name', 'and so does next');

    (my $r, $got) = $nested->('removed');
    is($r->status, 400, 'one that was not read is removed');
    like($r->body, qr/members/i, 'which is missing then');
    is($got, undef, 'nothing is sent');
    (undef, $got) = $nested->('replaced');
    is($ids->($got->{members}), 'other', 'or replaced');
    is($ids->($got->{admins}), 'a1', 'and the other one stays');

    (undef, $got) = $nested->('moved');
    is($ids->($got->{admins}), 'm1 m2', 'one that is moved');
    is($ids->($got->{members}), 'new', 'leaves its place');
    (undef, $got) = $nested->('moved_up');
    is($ids->($got->{admins}) . ' ' . $ids->($got->{members}), 'm1 m2 a1',
        'into another table');
    (undef, $got) = $nested->('whole');
    is_deeply($got, \%group, 'the whole group is put back');
    (undef, $got) = $nested->('one');
    is($ids->($got->{members}), 'changed m2', 'one is changed');

    ($r) = $nested->('kept');
    is($r->json->{description}, 'm11m', 'read by the response hook at first')
        or diag($r->body);
    ($r) = $nested->('kept_read');
    is($r->json->{description}, 'm1', 'or kept for it');
    ($r) = $nested->('kept_used');
    is($ids->($r->json->{members}), 'm1 m2', 'or put into the answer');
    is_deeply($r->json->{admins}, [], 'beside what is empty');

    $t->mark;
    ($r) = $nested->('metatable');
    is($r->status, 500, 'a metatable cannot be set');
    $t->like_log(qr/cannot change a protected metatable/, 'log');
    (undef, $got) = $nested->('get_metatable');
    is($got->{description}, 'locked', 'nor be had');
};

subtest 'requests that are refused have no hooks' => sub {
    $t->mark;
    my ($r) = create($at{broken_error}, json => {name => ''});
    is($r->status, 422, 'what is invalid');
    ($r) = create($at{principal});
    is($r->status, 401, 'who is nobody');
    $t->unlike_log(qr/failed in its/, 'no hook was run');
};

subtest 'requests do not see each other' => sub {
    is(told($at{isolation}), 'nilnilnil', "request $_") for 1 .. 3;
    is(told($at{local}), 'n1', "a local, request $_") for 1 .. 3;
    is(told($at{both}), 'sent', 'and others work');
    is(told($at{present}), '1 A 1 1 number 3 2 null', 'with what they need');
};

subtest 'the sandbox' => sub {
    is(told($at{absent}), 'found: ', 'what must not be there');
};

subtest 'ctx.log' => sub {
    $t->mark;
    create($at{log});
    $t->like_log(qr/\[$_\][^\n]*policy "\S+": says $_/, $_)
        for qw(error warn notice info);
    $t->like_log(qr/: a\\x0Aline\\x0D\\x1B\[31my+/, 'in one line');
    unlike($t->log, qr/y{4000}/, 'not too long');

    $t->mark;
    my ($r) = create($at{log_many});
    my $lines = () = $t->log =~ /many \d/g;
    cmp_ok($lines, '<', 1000, 'not too many');

    ($r) = create($at{log_level});
    is($r->status, 500, 'a level that is not for hooks');
};

subtest 'levels' => sub {
    is(told('/levels'), 'one', 'outside');
    is(told('/levels/in'), 'one', 'inherited');
    is(told('/levels/own'), 'atwo', 'own, in the place of those outside');
    is(told('/levels/off'), 'a', 'off');
};

subtest 'a changed file is read with the configuration' => sub {
    is(told($at{reload}), 'old', 'before');
    $t->write_file('reload.lua', 'return { request = function(ctx)'
            . ' ctx.group.name = "new" end }');
    is(told($at{reload}), 'old', 'the file is not read for a request')
        if !$ENV{TEST_GROUP_RELOAD};

    ok($t->reload, 'reload');
    is(told($at{reload}), 'new', 'after');

    $t->write_file('reload.lua', 'return {');
    $t->expect_log(qr/policy "/);
    ok(!$t->reload, 'a broken one is refused');

    local $ENV{TEST_GROUP_RELOAD} = 0;
    is(told($at{reload}), 'new', 'and the old one stays');
};


## files

sub fails {
    my ($name, $content, $like) = @_;

    my $file = $t->write_file('bad.lua', $content);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $t->config_fails('group_policy bad.lua;',
        qr/\[emerg\][^\n]*policy "\Q$file\E"[^\n]*$like/, $name);
}

subtest 'files that are wrong' => sub {
    $t->config_fails('group_policy none.lua;',
        qr/"\S+\/none\.lua" failed \(2: No such file/, 'no file');
    $t->config_fails('group_policy %%DIR%%;', qr/policy "\S+" is not a file/,
        'a directory');

    my ($exit, $output) = $t->test_config('group_policy none.lua;');
    like($output, qr{policy "none\.lua" is not in "/\S+/policies", and open},
        'where installed ones are looked for');
    my ($dir) = $output =~ /is not in "(.*?)"/;
    for my $name ('./none.lua', 'policies/none.lua') {
        ($exit, $output) = $t->test_config("group_policy $name;");
        unlike($output, qr/is not in/, "$name is a place of its own");
    }
    SKIP: {
        skip 'no policies are installed', 1 if !-f "$dir/naming.lua";
        $t->config_ok('group_policy naming.lua min=1;', 'an installed one');
    }

    $t->write_file('wants.lua', 'local params = ...'
            . ' if not params.a then error("a is missing", 0) end return {}');
    $t->config_fails('group_policy wants.lua;',
        qr/policy "\S+wants\.lua": a is missing/, 'a parameter is missing');
    $t->config_ok('group_policy wants.lua a=;', 'a parameter is there');

    fails('a syntax error', "local x = 1\nif x then\n",
        'bad\.lua:\d+: .*\'end\' expected');
    fails('in its second line', "return {\n  request = = 1\n}",
        'bad\.lua:2: ');
    fails('no Lua', '{"request": 1}', 'bad\.lua:1: ');
    fails('nothing', '', 'a table of hooks must be returned, not a nil');
    fails('a function', 'return function() end',
        'a table of hooks must be returned, not a function');
    fails('another hook', 'return { requst = function() end }',
        'there is no hook "requst", only "request" and "response"');
    fails('a list', 'return { function() end }', 'there is no hook "');
    fails('no function', 'return { request = "x" }',
        'the hook "request" must be a function, not a string');
    fails('an error when it is read', "\nlocal x = nothing.at_all\nreturn {}",
        'bad\.lua:2: ');
    fails('what the sandbox has not', 'os.execute("true") return {}',
        'bad\.lua:1: ');
    fails('what the sandbox has not', 'local f = require("ffi") return {}',
        'bad\.lua:1: ');
    fails('a loop', 'while true do end', 'takes more than \d+ ms to load');
    fails('a loop in pcall',
        'while true do pcall(function() while true do end end) end',
        'takes more than \d+ ms to load');
    fails('a lot of memory', <<'END', 'takes more than \d+ bytes to load');
local t = {}
for i = 1, 1e9 do t[i] = {i} end
return {}
END
    fails('a large file', '-' x (1024 * 1024 + 1), 'larger than');

    # bytecode of LuaJIT and of Lua 5.1, by their first bytes and whole
    fails('bytecode', "\eLJ\2\2\n\0\0\1\0\0\0\2K\0\1\0\0",
        'is bytecode, expected Lua source');
    fails('bytecode of another Lua', "\eLua\x51\0\1\4\4\4\x08\0",
        'is bytecode, expected Lua source');

    SKIP: {
        my $bytes = `luajit -be 'return {}' - 2>/dev/null` || '';
        skip 'luajit is not installed', 1 if $bytes !~ /^\eLJ/;
        fails('bytecode that luajit made', $bytes, 'is bytecode');
    }
};

subtest 'the directive' => sub {
    $t->config_fails("group_policy one.lua $_;",
        qr/invalid parameter "$_" in "group_policy", expected key=value/, $_)
        for qw(a =a);
    $t->config_fails('group_policy off; group_policy off;',
        qr/"group_policy" directive is duplicate/, 'off twice');
    $t->config_fails('group_policy off; group_policy one.lua;',
        qr/"group_policy" directive is off already/, 'off, and a file');
    $t->config_fails('group_policy one.lua; group_policy off;',
        qr/"group_policy" directive is duplicate/, 'a file, and off');
    $t->config_fails('group_policy;', qr/invalid number of arguments/,
        'no file');
    $t->config_fails('location / { if ($arg_a) { group_policy one.lua; } }',
        qr/directive is not allowed here/, 'in if');
    $t->config_ok('group_policy one.lua; group_policy one.lua a=b c=;',
        'a file twice');
};

$t->stop;
done_testing;
