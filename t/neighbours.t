#!/usr/bin/perl

# Beside Debian's Lua and njs modules in one process, in front of, around and
# behind the gateway: three virtual machines, two of them LuaJIT from one
# library, and nobody finds anything of another's.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

# loaded before the gateway's module: what it is sent is its own to filter
my $t = Test::Gateway->new(workers => 1, neighbours => 1,
    variables => [qw(outcome error)]);

my %file = map { ($_ => $t->neighbour($_)) } qw(ndk_http http_lua http_js);
my @missing = grep { !$file{$_} } sort keys %file;

plan skip_all => "not installed, or not for this nginx: @missing" if @missing;

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my $u = $t->upstream(sub {
    my ($request) = @_;
    return [200, [], {id => $UUID, name => $request->json->{name},
        sticky_sender => \0, phone_number_count => 3}];
});

# does what it can to disturb others: what it may, and what is refused
my $policy = $t->write_file('policy.lua', <<'END');
local policy = {}

function policy.request(ctx)
    pcall(function() string.format = nil end)
    pcall(function() getmetatable("").__index = nil end)
    pcall(function() ngx = { ours = true } end)
    pcall(function() table.insert = nil end)
    ours = "leaked"

    local seen = {}
    if ngx ~= nil and ngx.say then seen[#seen + 1] = "ngx" end
    if theirs then seen[#seen + 1] = "theirs" end
    if package and package.loaded and package.loaded["resty.core"] then
        seen[#seen + 1] = "resty"
    end

    if ctx.group.name == "bomb" then
        local t = {}
        while true do t[#t + 1] = ("x"):rep(10000) .. #t end
    elseif ctx.group.name == "loop" then
        while true do end
    elseif ctx.group.name == "ask" then
        ctx.group.name = ctx:fetch{ uri = "/lua/name" }.body
            .. ctx:fetch{ uri = "/js/name" }.body
    end

    if #seen > 0 then ctx.group.name = table.concat(seen, " ") end
end

return policy
END

$t->write_file('main.js', <<'END');
var theirs = 'theirs';

function name(r) { r.return(200, 'js'); }

function look(r) {
    r.return(200, [typeof ours, typeof ngx.say, typeof theirs].join(' '));
}

async function ask(r) {
    var answer = await r.subrequest('/plain/api/relay/rest/number_groups');
    r.return(200, 'status ' + answer.status);
}

function upper(r, data, flags) {
    r.sendBuffer(data.toUpperCase(), flags);
}

function header(r) {
    r.headersOut['X-Neighbour'] = 'js';
    delete r.headersOut['Content-Length'];
}

export default {name, look, ask, upper, header};
END

my $group = 'group_dialect signalwire; proxy_pass http://' . $u->address . ';';

sub base { return "group_base_path /$_[0]/api/relay/rest;" }

my $server = <<"END";
location /plain/ { @{[base('plain')]} $group }
location /policy/ {
    @{[base('policy')]} $group
    group_policy $policy;
    group_policy_memory 4m;
}
location /both/ {
    @{[base('both')]} $group
    group_policy $policy;
    rewrite_by_lua_block { ngx.req.set_header("X-Lua", "rewrite") }
    access_by_lua_block {
        if ngx.var.arg_stop then return ngx.exit(418) end
        ngx.ctx.at = "access"
    }
    header_filter_by_lua_block {
        ngx.header["X-Neighbour"] = tostring(ngx.ctx.at)
    }
    body_filter_by_lua_block {
        ngx.ctx.size = (ngx.ctx.size or 0) + #ngx.arg[1]
        if ngx.arg[2] then
            ngx.shared.sizes:set("size", ngx.ctx.size)
        end
    }
}
location /filtered/ {
    @{[base('filtered')]} $group
    js_header_filter main.header;
    js_body_filter main.upper;
}
location /lua/name { content_by_lua_block { ngx.print("lua") } }
location /lua/size {
    content_by_lua_block { ngx.print(ngx.shared.sizes:get("size")) }
}
location /lua/look {
    content_by_lua_block {
        theirs = "theirs"
        string.theirs = true
        ngx.print(table.concat({ tostring(ours), type(string.format),
            type(("x").rep), type(table.insert), type(ngx.say),
            tostring(jit.status()), tostring(debug.gethook()) }, " "))
    }
}
location /lua/run {
    content_by_lua_block {
        local t = {}
        for i = 1, 200000 do t[i % 100] = ("%d"):format(i) end
        ngx.print(#t)
    }
}
location /lua/ask {
    content_by_lua_block {
        local r = ngx.location.capture("/plain/api/relay/rest/number_groups",
            { method = ngx.HTTP_POST, body = '{"name":"a"}' })
        ngx.print("status ", r.status)
    }
}
location /js/name { js_content main.name; }
location /js/look { js_content main.look; }
location /js/ask  { js_content main.ask; }
END

$t->nginx(
    http   => 'js_path %%DIR%%; js_import main from main.js;
        lua_shared_dict sizes 100k;',
    server => $server,
);

sub create {
    my ($path, $name, $query) = @_;
    return $t->post("/$path/api/relay/rest/number_groups" . ($query // ''),
        json => {name => $name});
}

# what each of the three finds, before and after the others were at work
sub pristine {
    my ($when) = @_;

    is($t->get('/lua/look')->body,
        'nil function function function function true nil',
        "$when: Lua has its libraries, its compiler and no hook");
    is($t->get('/js/look')->body, 'undefined undefined string',
        "$when: njs has what it had");
    is($t->get('/lua/run')->body, '99', "$when: Lua runs as long as it likes");

    my $r = create('policy', 'sales');
    is($r->status, 200, "$when: a policy is run");
    is($r->json->{name}, 'sales', "$when: and finds nothing of theirs");

    return;
}

subtest 'each has what is its own' => sub {
    pristine('at first');
    pristine('again');
};

subtest 'what stops a hook stops nobody else' => sub {
    for my $name (qw(bomb loop)) {
        my $r = create('policy', $name);
        is($r->status, 500, "$name: stopped");
        $t->like_log(qr/policy/, "$name: logged");
        pristine("after a $name");
    }
};

subtest 'in one location' => sub {
    my $r = create('both', 'sales');
    is($r->status, 200, 'answered');
    is($r->json->{name}, 'sales', 'with the group');
    is($r->header('X-Neighbour'), 'access', 'their context is kept');
    is($t->get('/lua/size')->body, length $r->body,
        'their filter has seen the answer, and that only');
    is($u->last->{header}{'x-lua'}, 'rewrite', 'so has the upstream theirs');

    $u->clear;
    $r = create('both', 'sales', '?stop=1');
    is($r->status, 418, 'what they refuse is refused');
    is(scalar($u->requests), 0, 'and nothing went upstream');

    $r = create('filtered', 'sales');
    is($r->status, 200, 'njs filters the answer');
    is($r->header('X-Neighbour'), 'js', 'its head');
    like($r->body, qr/"NAME":"SALES"/, 'and its body');
    is($u->last->json->{name}, 'sales', 'and nothing else');
};

subtest 'one asks the other' => sub {
    my $r = create('policy', 'ask');
    is($r->status, 200, 'a hook asks both');
    is($r->json->{name}, 'luajs', 'and has their answers');

    # A gateway is not reached by a subrequest of others; and Lua's module
    # makes none for HTTP/2.
    $u->clear;
    for my $who (qw(lua js)) {
        $r = $t->get("/$who/ask", http1 => 1,
            port => $t->port($t->http2 ? 'http1' : undef));
        is($r->status, 200, "$who asks the gateway");
        unlike($r->body, qr/status 2/, "$who: and is told that it may not");
    }
    is(scalar($u->requests), 0, 'nothing went upstream');
    pristine('after that');
};

subtest 'across a reload' => sub {
    ok($t->reload, 'reloaded') or return;
    pristine('then');
};

done_testing;
