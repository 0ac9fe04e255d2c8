#!/usr/bin/perl

# group_console: the page, what it has to know, and, where "make test-console"
# runs it, what it does in Chromium.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_decode json_encode);

my $UUID = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';

my $t = Test::Gateway->new(variables => 0);

my %secret = (
    signalwire => {user => 'my-project', secret => "PT secret\x{e9}"},
    vinyldns   => {user => 'accessKey',  secret => 'secretKey'},
    faxfinder  => {user => 'fax',        secret => 'secret'},
    portsip    => {secret => 'a-bearer-token'},
);

my $bytes = $secret{signalwire}{secret};
utf8::encode($bytes);

my $clients = $t->credentials('clients.json',
    {type => 'basic', id => 'my-project', secret => $bytes,
        principal => 'voice-team', scopes => ['numbers']},
    {type => 'basic', id => 'fax', secret => 'secret', principal => 'fax',
        scopes => []},
    {type => 'sigv4', access_key => 'accessKey', secret_key => 'secretKey',
        principal => 'dns', scopes => ['groups:read', 'groups:write']},
    {type => 'bearer', token => 'a-bearer-token', principal => 'pbx',
        scopes => ['groups:read', 'groups:write']});
my $account = $t->write_file('account.json',
    json_encode({type => 'bearer', token => 'of-the-gateway'}), 0600);

$t->write_file('name.lua', <<'END');
return {
    request = function(ctx)
        if ctx.group and ctx.group.name == "sales" then
            ctx.group.name = ctx.group.name .. "-eu"
        end
    end,
}
END

my $raw   = $t->raw_upstream(['request', 'close']);
my $proxy = 'proxy_pass http://127.0.0.1:' . $raw->port . ';';

$t->nginx(server => <<"END", servers => <<"END2");
location = /console { group_console; }

group_credentials          $clients;
group_upstream_credentials $account;

location /sw.vd/ {
    group_dialect          signalwire;
    group_upstream_dialect vinyldns;
    group_base_path        /sw.vd;
    group_explain          on;
    group_policy           name.lua;
    group_default          email voice-ops\@test.com;
    group_default          members $UUID;
    group_default          admins $UUID;
    $proxy
}

location /vd.ps/ {
    group_dialect          vinyldns;
    group_upstream_dialect portsip;
    group_base_path        /vd.ps;
    group_default          admins 101;
    group_explain          on;
    $proxy
}

location /vd.sw/ {
    group_dialect          vinyldns;
    group_upstream_dialect signalwire;
    group_base_path        /vd.sw;
    group_explain          on;
    $proxy
}

location /ff.sw/ {
    group_dialect          faxfinder;
    group_upstream_dialect signalwire;
    group_base_path        /ff.sw;
    group_explain          on;
    $proxy
}

location /ps.ff/ {
    group_dialect          portsip;
    group_upstream_dialect faxfinder;
    group_base_path        /ps.ff;
    group_default          owner alice;
    group_explain          on;
    $proxy
}

location /scim.ps/ {
    group_dialect          scim;
    group_upstream_dialect portsip;
    group_base_path        /scim.ps;
    group_credentials      off;
    group_explain          on;
    $proxy
}

# without the base path that it needs: its requests come to the next one
location /lost/ {
    group_dialect signalwire;
    group_explain on;
    $proxy
}

location /api/ {
    group_dialect     signalwire;
    group_credentials off;
    $proxy
}
END
server {
    listen @{[$t->listen]};
    server_name other;
    group_dialect signalwire;
    location / { $proxy }
    location /dry/ { group_explain on; $proxy }
    location = /console { group_console; }
}
END2

subtest 'the page' => sub {
    my $r = $t->get('/console');
    is($r->status, 200, 'is there');
    is($r->header('Content-Type'), 'text/html; charset=utf-8', 'as HTML');
    is($r->header('Cache-Control'), 'no-store', 'not kept');
    is($r->header('X-Content-Type-Options'), 'nosniff', 'as it says');
    is($r->header('Referrer-Policy'), 'no-referrer', 'tells nobody');
    is($r->header('Content-Length'), length $r->body, 'is whole');
    is($r->body, $t->read_file($t->root . '/src/console/console.html'),
        'is its source, byte for byte');

    cmp_ok(length $r->body, '<', 40_000, 'is small');
    unlike($r->body, qr{https?://|src=|url\(|\@import}, 'has all it needs');
    unlike($r->body, qr/ on\w+=| style=/, 'has nothing inline');
    unlike($r->body, qr/innerHTML|insertAdjacentHTML|document\.write|eval/,
        'makes no HTML of texts');
    unlike($r->body, qr/(?:local|session)Storage|document\.cookie|indexedDB/,
        'stores nothing');
    like($r->body, qr/\A[\x20-\x7e\n]*\z/, 'is plain text');

    my %csp = map { my ($name, @values) = split / /; ($name => "@values") }
        split /; /, $r->header('Content-Security-Policy');
    my %hash = map {
        my ($text) = $r->body =~ m{<$_>(.*?)</$_>}s;
        ($_ => "'sha256-" . sha256_base64($text) . "='")
    } qw(script style);
    is_deeply(\%csp, {
        'default-src'     => "'none'",
        'script-src'      => $hash{script},
        'style-src'       => $hash{style},
        'connect-src'     => "'self'",
        'base-uri'        => "'none'",
        'form-action'     => "'none'",
        'frame-ancestors' => "'none'",
    }, 'may do what it does, and nothing else');

    is($t->request(method => 'HEAD', uri => '/console')->status, 200, 'HEAD');
    is($t->post('/console', body => 'x')->status, 405, 'it takes nothing');
};

subtest 'what it knows' => sub {
    my $r = $t->get('/console?config');
    is($r->status, 200, 'is told');
    is($r->header('Content-Type'), 'application/json', 'in JSON');
    is($r->header('Cache-Control'), 'no-store', 'not kept');
    unlike($r->body, qr/PT secret|secretKey|of-the-gateway|\.json/,
        'without a secret');

    my @locations = @{$r->json->{locations}};
    is_deeply([sort map { $_->{location} } @locations],
        [qw(/ff.sw/ /lost/ /ps.ff/ /scim.ps/ /sw.vd/ /vd.ps/ /vd.sw/)],
        'of locations that explain, and no others');

    my ($sw) = grep { $_->{location} eq '/sw.vd/' } @locations;
    is_deeply([@$sw{qw(dialect upstream_dialect base_path auth media_type)}],
        [qw(signalwire vinyldns /sw.vd basic application/json)],
        'what a location is');
    my %op = map { ($_->{operation} => $_) } @{$sw->{operations}};
    is_deeply($op{'group.create'}, {
        operation => 'group.create', method => 'POST',
        path => '/sw.vd/number_groups', scopes => ['numbers'],
        body => '{"name":"sales","sticky_sender":true}',
        supported => JSON::PP::true(),
    }, 'an operation and its example');

    my ($open) = grep { $_->{location} eq '/scim.ps/' } @locations;
    is($open->{auth}, 'none', 'nobody is asked there');

    my ($vd) = grep { $_->{location} eq '/vd.sw/' } @locations;
    my ($get) = grep { $_->{operation} eq 'group.get' }
        @{$vd->{operations}};
    ok(!$get->{supported}, 'what is not supported');
    like($get->{reason}, qr/does not tell "email"/, 'and why');

    my $other = $t->get('/console?config', headers => [Host => 'other']);
    is_deeply([map { $_->{location} } @{$other->json->{locations}}],
        ['/dry/'], 'another server has others');
};

subtest 'examples do what they say' => sub {
    for my $l (@{$t->get('/console?config')->json->{locations}}) {
        next if $l->{location} eq '/lost/';
        for my $o (@{$l->{operations}}) {
            my %sign
                = $l->{auth} eq 'basic'
                ? (auth => $l->{dialect} eq 'signalwire'
                    ? ['my-project', $bytes] : ['fax', 'secret'])
                : $l->{auth} eq 'bearer' ? (bearer => 'a-bearer-token')
                : $l->{auth} eq 'sigv4'
                ? (sigv4 => {access_key => 'accessKey',
                    secret_key => 'secretKey'})
                : ();
            my $r = $t->request(method => $o->{method}, uri => $o->{path},
                %sign, defined $o->{body} ? (body => $o->{body},
                    headers => ['Content-Type' => $l->{media_type}]) : ());
            my $told = $r->status == 200 ? $r->json : {};
            my $name = "$l->{location} $o->{operation}";
            is($told->{operation}, $o->{operation}, $name)
                or diag($r->body);
            my $how = $told->{refused} ? $told->{refused}{outcome} : 'done';
            is($how, $o->{supported} ? 'done' : 'not_supported',
                "$name: $how") or diag($r->body);
        }
    }
};

subtest 'configuration' => sub {
    $t->config_ok('location /c { group_console; }');
    $t->config_ok("group_dialect signalwire;
        location /c { group_console; } location / { $proxy }");
    $t->config_fails('group_console;', qr/directive is not allowed here/);
    $t->config_fails('location /c { group_console on; }',
        qr/invalid number of arguments/);
    $t->config_fails("location /c { group_dialect signalwire;
        group_console; $proxy }",
        qr/is not for a location with "group_dialect"/);
    $t->config_fails("location /c { group_console;
        group_dialect signalwire; $proxy }", qr/is duplicate/);
};

subtest 'in Chromium' => sub {
    my $modules = $ENV{TEST_GROUP_PLAYWRIGHT};
    plan skip_all => 'make test-console runs it' if !$modules;

    local $ENV{NODE_PATH} = abs_path($modules) // $modules;
    my $page = 'http://127.0.0.1:' . $t->port('http1') . '/console';
    $page = 'http://127.0.0.1:' . $t->port . '/console' if !$t->http2;

    open my $out, '-|', 'node', "$FindBin::Bin/console/browser.js",
        json_encode({page => $page, %secret}) or die "node: $!\n";

    my $n = 0;
    while (my $line = <$out>) {
        my $result = eval { json_decode($line) } // {name => $line};
        ok($result->{ok}, $result->{name}) or diag($result->{why});
        $n++;
    }
    ok(close($out), 'the browser came to the end');
    cmp_ok($n, '>', 30, 'and saw it all');

};

is(scalar($raw->connections), 0, 'nothing was sent upstream');

done_testing;
