#!/usr/bin/env perl

# No memory: each allocation of a request fails in turn, those that the module
# asks nginx for one by one, and those of nginx, yajl, expat, OpenSSL and
# LuaJIT where they come to libc. The worker lives; the client gets the answer
# that it would have got, an error of 500 and more in its dialect, or a closed
# connection; and the next request is well. t/unit/test_nomem.c is the same
# for each of the pure layers.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::JWT;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Preload;
use Test::Gateway::Samples qw(create created error_text location);

plan skip_all => 'valgrind has a malloc() of its own'
    if $ENV{TEST_GROUP_VALGRIND};

# it is one worker whose allocations fail
$ENV{TEST_GROUP_RELOAD} = 0;

# at most so many allocations of each kind fail in one scenario
my $MOST = $ENV{TEST_GROUP_ALL} ? 1e9 : 400;

my $UUID = '0a59b2d8-9d41-4b7a-9b5c-6a3d1e2f4c5b';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';
my $JSON = ['Content-Type' => 'application/json'];
my $XML  = ['Content-Type' => 'application/xml'];

# what is answered is the same at all times
my $TIME = qr/"\d{4}-\d\d-\d\dT[^"]+"/;

my $dir = File::Temp->newdir('preload-XXXXXX', TMPDIR => 1);
chmod 0755, "$dir";
my $bad = Test::Gateway::Preload->new("$dir");
my $t   = Test::Gateway->new(workers => 1, wrapper => [$bad->wrapper]);

my $group = created('vinyldns')->[2];

# for what is half done: one group with one member
my $v = $t->upstream(sub {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};

    return created('portsip') if $uri eq '/api/groups';
    return [204, [], ''] if $uri =~ m{/destroy$};
    return [200, $JSON, '{"items":[{"id":"1","extension_number":"101"}]}']
        if $uri =~ m{/members$};
    return [200, $JSON, '{"id":"MQ==","name":"before"}'] if $method eq 'GET';

    # in chunks, and more than what is kept for it
    return {status => 200, headers => $JSON, chunked => 1,
        body => [(' ' x 3000) x 4]};
});

my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};

    return [503, [], ''] if $request->header('X-Down');
    return [200, $JSON, '{"items":[{"id":"1","extension_number":"101"}]}']
        if $uri =~ m{/members$};
    return [200, $JSON, ''] if $uri =~ m{/members/};
    return [204, [], '']    if $uri =~ m{/destroy$};
    return [200, $JSON, '{"count":2,"items":[{"id":"MQ==","name":"sales"},'
        . '{"id":"Mg==","name":"support"}]}']
        if $method eq 'GET' && $uri =~ m{^/api/groups\b};
    return created('portsip') if $uri eq '/api/groups';
    return created('signalwire') if $uri =~ m{^/api/relay/};

    if ($uri =~ m{^/ffws/}) {
        return [200, $XML,
            '<response><message>Modified</message></response>']
            if $method eq 'PUT';

        # with the member that is added: it is as if it had been there
        return [200, $XML, '<response><message>Success</message>'
            . '<contact_group><contact_group_url>http://a/ffws/v1/'
            . 'contact_groups/alice/4</contact_group_url><name>n</name>'
            . '<contact>http://a/ffws/v1/contacts/alice/7</contact>'
            . '<contact>http://a/ffws/v1/contacts/alice/8</contact>'
            . '</contact_group></response>'];
    }

    return [200, $JSON, '{"groups":['
        . join(',', ($group) x ($uri =~ /maxItems=99/ ? 300 : 2))
        . '],"maxItems":100,"ignoreAccess":false}'] if $method eq 'GET'
        && $uri =~ m{^/groups(?:\?|$)};
    return [200, $JSON, $request->{body}] if $method eq 'PUT';

    # with what is added to it, as if it had been there
    return [200, $JSON, $group =~ s/"members":\[/"members":[{"id":"n"},/r]
        if $uri =~ m{^/groups/};
    return [200, $JSON, $group];
});

$t->write_file('policy.lua', <<'END');
local policy = {}
function policy.request(ctx)
  ctx.group.name = ctx.group.name .. ctx.params.suffix
  ctx.group.description = ("x"):rep(100)
  if ctx.group.name:find("no", 1, true) then
    return ctx:deny("invalid", "not this name", "name")
  end
end
function policy.response(ctx)
  ctx.group.name = ctx.group.name:gsub("%-s$", "")
end
return policy
END

# asks another location, and keeps something
$t->write_file('asks.lua', <<'END');
local policy = {}
function policy.request(ctx)
  local res = ctx:fetch{ uri = "/asked?a=b", json = { name = ctx.group.name },
                         method = "POST", headers = { ["X-A"] = "b" } }
  if not res or res.status ~= 200 then
    return ctx:deny("unavailable", "nobody to ask")
  end
  local both = ctx:fetch_all{ { uri = "/asked" }, { uri = "/asked?c" } }
  if both[1].error or both[2].error or not both[2].json then
    return ctx:deny("unavailable", "nobody to ask")
  end
  if not ctx.shared.kept:set("name", ctx.group.name .. both[1].json.id, 60) then
    return ctx:deny("unavailable", "no room")
  end
  ctx.group.description = ctx.shared.kept:get("name")
end
return policy
END

my $keys = Test::Gateway::JWT->new("$dir");
$keys->make(es => 'EC')->make(rs => 'RSA');
$t->write_file('keys.json', json_encode({keys => [
    map { $keys->jwk($_, kid => $_) } qw(es rs)]}));
my %token = map { ($_ => $keys->token($_, {sub => 'me', exp => time + 3600,
    scope => 'groups:read groups:write'}, header => {kid => $_})) } qw(es rs);

my $clients = $t->credentials('clients.json',
    {type => 'sigv4', access_key => 'AK', secret_key => 'SK',
        scopes => ['groups:read', 'groups:write']},
    {type => 'bearer', token => 'T', principal => 'me',
        scopes => ['groups:read',
        'groups:write']},
    {type => 'basic', id => 'u', secret => 'p', scopes => ['numbers']});
$t->write_file('up.json', '{"type":"sigv4","access_key":"AK",'
    . '"secret_key":"SK"}', 0600);

my $to   = 'http://' . $u->address;
my $auth = "group_credentials $clients;";

$t->nginx(http => 'group_shared_zone kept 1m; '
        . 'proxy_cache_path %%DIR%%/cache keys_zone=c:1m;',
    server => join '',
    location('signalwire', 'signalwire', $to, base => '/same',
        more => $auth),
    location('signalwire', 'vinyldns', $to, base => '/policy',
        more => "$auth group_policy %%DIR%%/policy.lua suffix=-s; "
            . 'group_upstream_credentials %%DIR%%/up.json;'),
    location('vinyldns', 'portsip', $to, base => '/plan',
        more => "$auth group_sigv4_replay_zone r 1m; "
            . 'group_default email a@test.com;'),
    location('signalwire', 'portsip', $to, base => '/list'),
    location('portsip', 'faxfinder', $to, base => '/xml',
        more => $auth),
    location('faxfinder', 'vinyldns', $to, base => '/fax'),
    location('signalwire', 'vinyldns', $to, base => '/asks',
        more => 'group_policy %%DIR%%/asks.lua;'),
    location('signalwire', 'vinyldns', $to, base => '/dry',
        more => 'group_explain on; group_policy %%DIR%%/policy.lua '
            . 'suffix=-s;'),
    location('signalwire', 'signalwire', $to, base => '/let',
        more => 'group_mode log_only;'),
    location('signalwire', 'vinyldns', $to, base => '/cached',
        more => 'proxy_cache c; proxy_cache_valid any 1h; '
            . 'proxy_cache_key $uri;'),
    location('signalwire', 'vinyldns', $to, base => '/large',
        more => 'client_body_in_file_only clean; '
            . 'client_body_buffer_size 16;'),
    <<"END");
location = /asked {
    internal;
    default_type application/json;
    return 200 '{"id":"x"}';
}
location /jwt/ {
    group_dialect portsip;
    group_upstream_dialect portsip;
    group_base_path /jwt;
    group_jwt_keys %%DIR%%/keys.json;
    proxy_pass $to;
}
location /scim/ {
    group_dialect scim;
    group_upstream_dialect vinyldns;
    group_base_path /scim;
    $auth
    proxy_pass $to;
}
location /half/ {
    group_dialect scim;
    group_upstream_dialect portsip;
    group_base_path /half;
    group_plan_concurrency 2;
    proxy_pass http://${\ $v->address};
}
location = /metrics { group_metrics; }
END

# name => what the client speaks, and the request
my %members = (json => {name => 'sales', email => 'a@test.com', admins => [],
    members => [map { {id => "$_"} } 101 .. 103]});
my @scim = (bearer => 'T', headers =>
    ['Content-Type' => 'application/scim+json']);

my @scenarios = (
    ['one call' => 'signalwire', create('signalwire'), auth => [qw(u p)],
        uri => '/same/api/relay/rest/number_groups'],
    ['chunks' => 'signalwire', create('signalwire'), auth => [qw(u p)],
        uri => '/same/api/relay/rest/number_groups',
        body => ['{"name":', '"sales"', '}']],
    ['policies' => 'signalwire', create('signalwire'), auth => [qw(u p)],
        uri => '/policy/api/relay/rest/number_groups'],
    ['a plan' => 'vinyldns', method => 'POST', uri => '/plan/groups',
        %members, sigv4 => {access_key => 'AK', secret_key => 'SK'}],
    ['a list' => 'signalwire', method => 'GET',
        uri => '/list/api/relay/rest/number_groups?filter_name=s'],
    ['XML upstream, in turn' => 'portsip', method => 'POST',
        bearer => 'T',
        uri => '/xml/api/groups/NA==/members/8'],
    ['XML client' => 'faxfinder', create('faxfinder'),
        uri => '/fax/ffws/v1/contact_groups/alice'],
    ['a patch' => 'scim', method => 'PATCH', uri => "/scim/Groups/$UUID",
        @scim, body => '{"schemas":["urn:ietf:params:scim:api:messages:2.0:'
            . 'PatchOp"],"Operations":[{"op":"add","path":"members",'
            . '"value":[{"value":"n"}]}]}'],
    ['a filter' => 'scim', method => 'GET', @scim,
        uri => '/scim/Groups?filter=displayName%20sw%20%22s%22&count=1'],
    ['hooks that ask' => 'signalwire', create('signalwire'),
        uri => '/asks/api/relay/rest/number_groups'],
    (map { ["a token, $_" => 'portsip', create('portsip'),
        uri => '/jwt/groups', bearer => $token{$_}] } qw(es rs)),
    ['a dry run' => 'dry', create('signalwire'),
        uri => '/dry/api/relay/rest/number_groups'],
    ['let through' => 'signalwire', create('signalwire', name => ''),
        uri => '/let/api/relay/rest/number_groups'],
    ['from the cache' => 'signalwire', method => 'GET',
        uri => "/cached/api/relay/rest/number_groups/$UUID"],
    ['a large body' => 'signalwire', create('signalwire',
            name => 'n' x 100), body => json_encode({name => 'n' x 100,
            more => ['x' x 100] x 500}),
        uri => '/large/api/relay/rest/number_groups'],
    ['a large answer' => 'signalwire', method => 'GET',
        uri => '/large/api/relay/rest/number_groups?page_size=99'],
    ['a document' => 'scim', method => 'GET', @scim, uri => '/scim/Schemas'],
    ['counters' => '', method => 'GET', uri => '/metrics'],

    # what is refused
    ['no body' => 'signalwire', method => 'POST', auth => [qw(u p)],
        uri => '/same/api/relay/rest/number_groups'],
    ['wrong fields' => 'vinyldns', method => 'POST', uri => '/plan/groups',
        json => {name => '', members => 1, admins => [{}]},
        sigv4 => {access_key => 'AK', secret_key => 'SK'}],
    ['nobody' => 'portsip', method => 'GET', uri => '/xml/api/groups'],
    ['no path' => 'faxfinder', method => 'GET', uri => '/fax/nowhere'],
    ['an upstream that is down' => 'faxfinder', create('faxfinder'),
        uri => '/fax/ffws/v1/contact_groups/alice',
        headers => ['X-Down' => 1, @$XML]],
    ['a denial' => 'signalwire', create('signalwire', name => 'no'),
        auth => [qw(u p)], uri => '/policy/api/relay/rest/number_groups'],
);

sub worker {
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my ($pid, $parent) = (<$fh> // '') =~ /^(\d+) \(.*\) \S (\d+)/
            or next;
        return $pid if $parent == $t->{nginx}
            && $t->read_file("/proc/$pid/cmdline") =~ /worker process/;
    }
    return 0;
}

my $second = 0;

sub ask {
    my ($client, %call) = @_;

    # no two of the same second are the same
    $call{sigv4} = {%{$call{sigv4}}} if $call{sigv4};
    $call{uri} .= ($call{uri} =~ /\?/ ? '&' : '?') . 'n=' . ++$second
        if $call{sigv4};

    return $t->request(%call, http1 => 1);
}

sub shape {
    my ($r) = @_;
    return $r->status . ' ' . $r->body =~ s/$TIME/time/gr
        =~ s/\d+/0/gr;
}

ask('signalwire', @{$scenarios[0]}[2 .. $#{$scenarios[0]}]);
my $pid = worker();

for my $scenario (@scenarios) {
    my ($name, $client, @call) = @$scenario;

    subtest $name => sub {
        my $good = ask($client, @call) for 1 .. 2;
        my $want = shape(ask($client, @call));
        note(substr $want, 0, 100);

        for my $what (qw(module libc)) {
            $bad->fail($pid, 1e15, $what);
            ask($client, @call);
            my $all  = $bad->count;
            my $step = 1 + int($all / $MOST);
            my (%wrong, %how);

            for (my $n = 1; $n <= $all; $n += $step) {
                $bad->fail($pid, $n, $what);
                my $r = ask($client, @call);
                my $failed = $bad->failed;
                $bad->stop;

                $t->expect_log(qr/worker process $pid exited/)
                    if worker() != $pid;

                # OpenSSL does not say of each failure that it was memory:
                # then nobody is let in
                my $refused = $what eq 'libc' && $name =~ /^a token/
                    && $r->status == 401;
                my $wrong = $refused ? '' : wrong_with($client, $r, $want);
                $how{$r->error // $r->status}++;
                $wrong{"$wrong, at " . $bad->where($t->{module})} //= $n
                    if $wrong;

                my $now = worker();
                if ($now != $pid) {
                    $wrong{'the worker died, at '
                        . $bad->where($t->{module})} //= $n;
                    sleep 0.1 while !($pid = worker());
                }
            }

            is(scalar(keys %wrong), 0, "$what: $all allocations, each "
                . "$step. fails: " . join ', ', map { "$_: $how{$_}" }
                    sort keys %how)
                || diag(map { "$wrong{$_}: $_\n" } sort keys %wrong);

            is(shape(ask($client, @call)), $want, 'the next one is well');
        }
    };
}

sub wrong_with {
    my ($client, $r, $want) = @_;

    return $r->error =~ /^(?:closed|reset)$/ ? '' : 'error ' . $r->error
        if $r->error;
    return '' if shape($r) eq $want;

    # a dry run tells what would have been answered
    return '' if $client eq 'dry' && $r->status == 200 && ref $r->json;

    # an error may name fewer problems than there are
    my ($status) = $want =~ /^(\d+)/;
    return 'status ' . $r->status . ': ' . substr $r->body, 0, 60
        if $r->status < 500 && ($r->status != $status || $status < 400);
    return 'length' if ($r->header('Content-Length') // '') ne length $r->body;

    my $known = $client eq 'scim'
        ? ref $r->json && ($r->json->{status} // '') eq $r->status
        : !$client
        || defined error_text($client eq 'dry' ? 'signalwire' : $client, $r);
    return $known ? '' : 'another shape: ' . substr $r->body, 0, 60;
}

# Calls of a creation and of a replacement, with three more members and one
# less, and whether something is half done after them.
my %half = (
    POST => ['/half/Groups', sub {
        my @calls = @_;
        return if !@calls || (grep { m{/members/} } @calls) == 3;
        return $calls[-1] !~ m{/api/groups/\w+/destroy };
    }],
    PUT => ['/half/Groups/MQ%3D%3D', sub {
        my @calls = @_;
        return if !grep { !/^GET/ } @calls;
        return if (grep { m{/members/} } @calls) == 4;
        return $calls[-1] !~ m{POST /api/groups/MQ%3D%3D .*"before"};
    }],
);

for my $method (sort keys %half) {
    my ($uri, $left) = @{$half{$method}};

    subtest "what is half done is undone: $method" => sub {
        my %call = (method => $method, uri => $uri, body => json_encode({
            displayName => 'after', schemas => [],
            members => [map { {value => "$_"} } 102 .. 104]}),
            headers => ['Content-Type' => 'application/scim+json']);
        my $calls = sub { map { "$_->{method} $_->{uri} $_->{body}" }
            $v->requests };

        my $r = ask('scim', %call) for 1 .. 2;
        $bad->fail($pid, 1e15, 'module');
        is(ask('scim', %call)->status, $method eq 'POST' ? 201 : 200, 'well');
        my $all = $bad->count;

        my (%wrong, $undone);
        for my $n (1 .. $all) {
            $v->clear;
            $bad->fail($pid, $n, 'module');
            my $r = ask('scim', %call);
            $bad->stop;

            # who gets no answer does not wait for the undo either
            my $deadline = time + 5 * $t->patience;
            sleep 0.02 while $left->($calls->()) && time < $deadline;

            $wrong{$bad->where($t->{module})} = join "\n", $r->status,
                $calls->() if $left->($calls->());
            $undone++ if ($r->status // 0) >= 500
                && grep { !/^GET/ } $calls->();
        }

        is_deeply(\%wrong, {}, "each of $all allocations fails");
        ok($undone, 'after something was done: ' . ($undone // 0));
    };
}

# what could not be logged, or was
$t->expect_log(qr/memory/);

$t->stop;
done_testing;
