#!/usr/bin/env perl

# What else nginx does with a request: before it comes to us, beside us, and
# where we have no business.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Samples
    qw(create created dialects error_text location vendor_of);

my $t = Test::Gateway->new;

sub vendor {
    my ($request) = @_;

    my $name = vendor_of($request->{uri});

    return [200, [], {count => 0, items => []}]
        if $name eq 'portsip' && $request->{method} eq 'GET';
    return [204, [], ''] if $request->{uri} =~ m{/destroy$};
    return created($name);
}

# the one that is meant, the one that must not be asked, and what else is there
my $u     = $t->upstream(\&vendor);
my $decoy = $t->upstream(\&vendor);
my $other = $t->upstream(sub {
    my ($request) = @_;
    return [403, [], ''] if $request->{header}{'x-deny'};
    return [200, ['X-Accel-Redirect' => '/inner/api/groups'], 'no']
        if $request->{uri} =~ /accel/;
    return [200, ['X-Other' => 'yes', 'Content-Type' => 'text/html',
            ETag => '"1"'],
        '<html><!--#include virtual="/api/groups" -->other</html>'];
});

$t->write_file('htpasswd', "user:{PLAIN}pass\n");
$t->write_file('html/page.html',
    '<html>[<!--#include virtual="/api/groups" -->]</html>');
$t->write_file('html/plain.txt', 'a file');
my $clients = $t->credentials('clients.json',
    {type => 'bearer', token => 'tok', principal => 'me',
        scopes => ['groups:read', 'groups:write']});

my $portsip = 'group_dialect portsip;';
my $pass    = 'proxy_pass http://' . $u->address . ';';
my $elsewhere = 'proxy_pass http://' . $other->address . ';';

# of a location that has a path of its own before the API's
sub group {
    my ($base, $more) = @_;
    $more //= '';
    return "location $base/ { group_dialect portsip; "
        . "group_base_path $base/api; $more\n$pass\n}\n";
}

$t->nginx(
    http => <<"END",
limit_req_zone \$binary_remote_addr zone=req:1m rate=1r/m;
limit_req_zone \$binary_remote_addr zone=burst:1m rate=1r/m;
limit_req_zone \$binary_remote_addr zone=often:1m rate=1r/m;
limit_conn_zone \$binary_remote_addr zone=conn:1m;
proxy_http_version 1.1;
proxy_set_header Connection "";
END
    server => <<"END",
root %%DIR%%/html;

location /api/ { $portsip $pass }
location /groups { group_dialect vinyldns; $pass }
location /api/relay/ { group_dialect signalwire; $pass }
location /ffws/ { group_dialect faxfinder; $pass }

# who may come in
@{[group('/all', 'satisfy all; allow 127.0.0.1; deny all; '
    . 'auth_basic x; auth_basic_user_file %%DIR%%/htpasswd;')]}
@{[group('/denied', 'deny all;')]}
@{[group('/any', 'satisfy any; deny all; '
    . 'auth_basic x; auth_basic_user_file %%DIR%%/htpasswd;')]}
@{[group('/anyours', "satisfy any; allow 127.0.0.1; group_credentials "
    . "$clients;")]}
@{[group('/allours', "satisfy all; deny all; group_credentials $clients;")]}
@{[group('/asked', 'auth_request /auth;')]}
@{[group('/askedours', "auth_request /auth; group_credentials $clients;")]}
location = /auth {
    internal;
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    $elsewhere
}

# how often
@{[group('/limited', 'limit_req zone=req;')]}
@{[group('/burst', 'limit_req zone=burst burst=1 nodelay;')]}
@{[group('/conn', 'limit_conn conn 1;')]}

# and what is said then
@{[group('/often', 'limit_req zone=often; limit_req_status 429;')]}
@{[group('/page', 'deny all; error_page 403 /page403;')]}
location = /page403 { return 403 "a page of one's own"; }
@{[group('/returned', 'if ($arg_no) { return 403; } '
    . 'if ($arg_text) { return 403 "a text of one\'s own"; }')]}

# with what method
@{[group('/except', 'limit_except GET { deny all; }')]}
@{[group('/exceptok', 'limit_except GET { allow 127.0.0.1; deny all; }')]}
location /exceptdel/ {
    group_dialect signalwire;
    group_upstream_dialect portsip;
    group_base_path /exceptdel/api/relay/rest;
    limit_except DELETE { deny all; }
    $pass
}

# by which way
location = /tried { try_files /nothing /api/groups; }
location /named/ { try_files /nothing \@named; }
location \@named { $portsip group_base_path /named/api; $pass }
location = /tea { error_page 418 = /api/groups; return 418; }
location /teanamed/ { error_page 418 = \@tea; return 418; }
location \@tea { $portsip group_base_path /teanamed/api; $pass }

rewrite ^/last/(.*)\$ /\$1 last;
location /break/ {
    $portsip
    rewrite ^/break(/.*)\$ /decoyed\$1 break;
    group_base_path /decoyed/api;
    $pass
}
location /decoyed/ {
    $portsip
    group_base_path /decoyed/api;
    proxy_pass @{['http://' . $decoy->address]};
}
location /set/ {
    $portsip
    group_base_path /set/api;
    set \$backend @{[$u->address]};
    proxy_pass http://\$backend;
}
location /if/ {
    $portsip
    group_base_path /if/api;
    proxy_pass @{['http://' . $decoy->address]};
    if (\$http_x_alternative) { $pass }
}
location /ifset/ {
    $portsip
    group_base_path /ifset/api;
    set \$seen "";
    if (\$request_method = POST) { set \$seen "\${seen}post"; }
    proxy_set_header X-Seen \$seen;
    $pass
}
location /memo/ {
    set \$memcached_key \$uri;
    memcached_pass 127.0.0.1:@{[$t->refused_port]};
    error_page 405 502 = \@memo;
}
location \@memo { $portsip group_base_path /memo/api; $pass }
location /handover { $elsewhere }
location /inner/ { internal; $portsip group_base_path /inner/api; $pass }

# not by subrequests
location = /page.html { ssi on; }
location = /guarded { auth_request /api/groups; $elsewhere }
location = /mirrored { mirror /api/groups; mirror_request_body on;
                       $elsewhere }
location = /added.html { add_after_body /api/groups; $elsewhere }

# not our business
location = /return { return 200 "told"; }
location = /redirect { return 302 /elsewhere; }
location = /teapot { return 418; }
location /plain/ { $elsewhere }
location = /ssi { ssi on; $elsewhere }
location /off/ {
    $portsip
    group_base_path /off/api;
    $pass
    location /off/here/ { group_dialect off; $elsewhere }
}

location /logged/ {
    $portsip
    group_base_path /logged/api;
    log_subrequest on;
    $pass
}
END
    servers => <<"END",
server {
    listen 127.0.0.1:%%PORT:global%%;
    group_dialect portsip;
    location / { $pass }
    location = /return { return 200 "told"; }
    location = /plain.txt { group_dialect off; root %%DIR%%/html; }
}
END
);

sub post {
    my ($base, %option) = @_;
    my %call = create('portsip');
    push @{$call{headers}}, @{delete $option{headers} // []};
    $call{uri} = "$base$call{uri}" if defined $base;
    return $t->request(%call, %option);
}

# What came to the upstream that is meant, and that it is all that came.
sub upstream_got {
    my ($n, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @got = $u->requests($n, 2);
    is(scalar(@got), $n, "$what: $n to the upstream")
        || diag(map { "$_->{method} $_->{uri}\n" } @got);
    is(scalar($decoy->requests), 0, "$what: none to another");
    $decoy->clear;
    $u->clear;

    return $got[0];
}

sub works {
    my ($name, $r) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->status, 201, "$name: status") || diag($r->raw);
    is_deeply($r->json, {id => 'NzAwNTUxOTA5NzczMTQ4MTYw'}, "$name: body");
    my $got = upstream_got(1, $name);
    is($got && "$got->{method} $got->{uri} $got->{body}",
        'POST /api/groups {"name":"sales"}', "$name: call");

    return;
}

sub refused {
    my ($name, $r, $status) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->status, $status, "$name: status") || diag($r->raw);
    ok(defined error_text('portsip', $r), "$name: in the dialect")
        || diag($r->raw);
    is($r->header('Content-Length'), length $r->body, "$name: length");
    upstream_got(0, $name);

    return;
}


subtest 'satisfy all' => sub {
    works('with a password', post('/all', auth => ['user', 'pass']));
    refused('without', post('/all'), 401);
    refused('with a wrong one', post('/all', auth => ['user', 'x']), 401);
    refused('denied', post('/denied'), 403);

    refused('ours is right, the address is not',
        post('/allours', bearer => 'tok'), 403);

    my $r = post('/all');
    like($r->header('WWW-Authenticate'), qr/^Basic realm="x"/,
        'the challenge is kept');
};

subtest 'satisfy any' => sub {
    works('with a password', post('/any', auth => ['user', 'pass']));
    refused('without', post('/any'), 401);

    # a gateway's credentials are not one of several ways in
    works('with ours', post('/anyours', bearer => 'tok'));
    refused('without ours', post('/anyours'), 401);
    refused('with a wrong one', post('/anyours', bearer => 'x'), 401);
};

subtest 'auth_request is asked once, and no more is told than before' => sub {
    works('let in', post('/asked'));
    my @asked = $other->requests;
    is(scalar(@asked), 1, 'asked once');
    is($asked[0]{uri}, '/auth', 'of what is its own');
    is($asked[0]{body}, '', 'without the body');

    refused('kept out', post('/asked', headers => ['X-Deny' => 1]), 403);

    works('let in by both', post('/askedours', bearer => 'tok'));
    refused('only by the other', post('/askedours'), 401);
    refused('only by us',
        post('/askedours', bearer => 'tok', headers => ['X-Deny' => 1]), 403);
    $other->clear;
};

subtest 'limits count a request once' => sub {
    works('the first', post('/limited'));
    refused('the second', post('/limited'), 503);

    works('the first of two', post('/burst'));
    works('the second of two', post('/burst'));
    refused('the third of two', post('/burst'), 503);

    works('the only connection', post('/conn')) for 1, 2;
};

subtest 'what nginx refuses is told in the dialect' => sub {
    works('not yet', post('/often'));
    refused('too often', post('/often'), 429);

    refused('return', post(undef, uri => '/returned/api/groups?no=1'), 403);

    my $r = $t->request(method => 'HEAD', uri => '/limited/api/groups');
    is($r->status, 503, 'HEAD');
    is($r->body, '', 'has no body');

    # but for what somebody wrote
    is(post(undef, uri => '/returned/api/groups?text=1')->body,
        "a text of one's own", 'return with a text');
    is(post('/page')->body, "a page of one's own", 'error_page');
    upstream_got(0, 'none of them');

    my %outcome = map { $_->{request_uri} => $_->{outcome} } $t->access;
    is($outcome{'/denied/api/groups'}, 'forbidden', 'logged: forbidden');
    is($outcome{'/often/api/groups'}, 'rate_limited', 'logged: rate_limited');
    is($outcome{'/limited/api/groups'}, 'unavailable', 'logged: unavailable');
    is($outcome{'/all/api/groups'}, 'unauthorized', 'logged: unauthorized');
    ok(!$outcome{'/page/api/groups'}, 'of what is not ours, nothing');
};

subtest 'limit_except' => sub {
    refused('a method that is not allowed', post('/except'), 403);

    my $r = $t->get('/except/api/groups');
    is($r->status, 200, 'one that is') || diag($r->raw);
    upstream_got(1, 'one that is');

    works('one that is allowed inside', post('/exceptok'));

    # upstream it is another method
    $r = $t->del('/exceptdel/api/relay/rest/number_groups/'
            . '6e677267-0200-80c0-80f1-e8f5a1a3a000');
    is($r->status, 204, 'the client\'s method counts') || diag($r->raw);
    my $got = upstream_got(1, 'DELETE');
    is($got && $got->{method}, 'POST', 'not the upstream\'s');

    $r = $t->post('/exceptdel/api/relay/rest/number_groups',
        json => {name => 'a'});
    is($r->status, 403, 'nor is another let in');
    upstream_got(0, 'POST');
};

subtest 'a request may come by an internal redirect' => sub {
    works('try_files', post(undef, uri => '/tried'));
    works('try_files to a named location', post('/named'));
    works('error_page to a named location', post('/teanamed'));
    works('rewrite last', post('/last'));

    my $r = $t->get('/tea');
    is($r->status, 200, 'error_page to a path');
    is_deeply($r->json, {count => 0, items => []}, 'its body');
    upstream_got(1, 'error_page to a path');

    # it makes a GET of it, and the body is no longer of use
    $r = post(undef, uri => '/tea');
    is($r->status, 200, 'error_page to a path, POST') || diag($r->raw);
    my $got = upstream_got(1, 'error_page to a path, POST');
    is($got && "$got->{method} $got->{body}", 'GET ', 'is a GET');

    # somebody has begun to discard the body
    works('error_page of a cache', post('/memo'));
    my $c = $t->client;
    $c->send("GET /memo/api/groups HTTP/1.1\r\nHost: a\r\n"
        . "Content-Length: 5000\r\n\r\nnull");
    $r = $c->response(timeout => 5);
    is($r->status, 200, 'error_page of a cache, GET with a body')
        || diag($r->raw);
    upstream_got(1, 'error_page of a cache, GET with a body');
    $c->send('x' x 4996);
    $r = $t->request(create('portsip'), client => $c);
    is($r->status, 201, 'and the connection is good');
    upstream_got(1, 'the next one');
    $c->close;

    $r = $t->get('/handover/accel');
    is($r->status, 200, 'X-Accel-Redirect of an application');
    is_deeply($r->json, {count => 0, items => []}, 'its body');
    upstream_got(1, 'X-Accel-Redirect of an application');

    is($t->get('/inner/api/groups')->status, 404, 'an internal location');
    $other->clear;
};

subtest 'a request stays in the location that it came to' => sub {
    works('rewrite break', post('/break'));
    works('proxy_pass with a variable', post('/set'));
    works('if', post('/if', headers => ['X-Alternative' => 1]));

    my $r = post('/ifset');
    is($r->status, 201, 'rewriting is done once');
    my $got = upstream_got(1, 'rewriting is done once');
    is($got && $got->header('X-Seen'), 'post', 'with what it set');
};

subtest 'a subrequest is not let in' => sub {
    $t->mark;

    my $r = $t->get('/page.html');
    is($r->status, 200, 'SSI');
    unlike($r->body, qr/items/, 'shows no groups');
    upstream_got(0, 'SSI');

    $r = $t->get('/guarded');
    isnt($r->status, 200, 'auth_request');
    is(scalar($other->requests), 0, 'does not let in');
    upstream_got(0, 'auth_request');

    $r = post(undef, uri => '/mirrored');
    is($r->status, 200, 'mirror');
    is($r->header('X-Other'), 'yes', 'does not disturb the other');

    $r = $t->get('/added.html');
    is($r->status, 200, 'addition');
    unlike($r->body, qr/items/, 'shows no groups');

    $r = $t->get('/ssi');
    is($r->status, 200, 'SSI of an application');
    unlike($r->body, qr/items/, 'shows no groups');

    upstream_got(0, 'none of them');
    $t->like_log(qr/group location reached by a subrequest/, 'it is logged');
    $other->clear;
};

subtest 'locations do not share anything' => sub {
    my $c = $t->client;

    for my $round (1, 2) {
        for my $name (dialects(), reverse dialects()) {
            my $r = $t->request(create($name), client => $c);
            is($r->status, created($name)->[0], "$name: $round");
            my ($got) = upstream_got(1, $name);
            is(vendor_of($got->{uri}), $name, 'to its upstream');

            my %bad = create($name);
            $r = $t->request(%bad, body => '}', client => $c);
            ok(defined error_text($name, $r), "$name: a refusal");
            upstream_got(0, "$name: a refusal");
        }
    }

    $c->close;
};

subtest 'other locations are as they were' => sub {
    is($t->get('/return')->body, 'told', 'return');
    is($t->get('/redirect')->status, 302, 'redirect');
    like($t->get('/plain.txt')->body, qr/^a file$/, 'a file');
    is($t->get('/nothing')->status, 404, 'nothing');
    like($t->get('/nothing')->body, qr/<html>/, 'in nginx\'s words');

    for my $uri ('/plain/x', '/off/here/x') {
        my $r = $t->post($uri, body => '}{', headers => [
            Authorization => 'Basic eDp5', Cookie => 'a=b',
            'X-HTTP-Method-Override' => 'PUT']);
        is($r->status, 200, "$uri: status");
        is($r->header('X-Other'), 'yes', "$uri: headers");
        is($r->header('ETag'), '"1"', "$uri: ETag");

        my $got = $other->last;
        is($got->{body}, '}{', "$uri: body");
        is($got->header('Authorization'), 'Basic eDp5', "$uri: signed in");
        is($got->header('Cookie'), 'a=b', "$uri: cookie");
        is($t->request(method => 'HEAD', uri => $uri)->status, 200, 'HEAD');
        is($t->get($uri, headers => ['If-None-Match' => '"1"'])->status,
            200, 'a condition is the upstream\'s to judge');
    }

    is($t->get('/teapot')->status, 418, 'a status of its own');

    my $port = $t->port('global');
    is($t->get('/return', port => $port)->body, 'told',
        'return where a dialect is spoken');
    is($t->get('/plain.txt', port => $port)->body, 'a file', 'off');
    upstream_got(0, 'other locations');
};

subtest 'one line in the access log' => sub {
    my $before = $t->settled_access;

    post('/off');
    post('/off', body => '}');
    $t->get('/return');
    upstream_got(1, 'three requests');

    my @lines = $t->access($before + 3);
    is(scalar(@lines), $before + 3, 'a line each');

    my ($good, $bad, $return) = @lines[-3 .. -1];
    is_deeply([@$good{qw(request_method request_uri status operation
        outcome)}], ['POST', '/off/api/groups', 201, 'group.create',
        'done'], 'of what was done');
    is($good->{upstream_status}, 201, 'the upstream\'s status');
    is($good->{upstream_addr}, $u->address, 'the upstream\'s address');
    is_deeply([@$bad{qw(status outcome upstream_status)}],
        [400, 'malformed', ''], 'of what was refused');
    is_deeply([@$return{qw(status operation dialect)}],
        [200, '', ''], 'of what is not ours');

    # what is asked for is got: a line of the call, too
    post('/logged');
    upstream_got(1, 'log_subrequest');
    @lines = $t->access($before + 5);
    is(scalar(@lines), $before + 5, 'with log_subrequest, two');
    is(scalar(grep { $_->{malformed} } @lines), 0, 'all of them lines');
};

$t->stop;
done_testing;
