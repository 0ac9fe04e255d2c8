#!/usr/bin/perl

# group_upstream_credentials: how the gateway signs in to the upstream. Its
# signatures are computed again from what the upstream got.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use POSIX qw(strftime);
use Test::Gateway;
use Test::Gateway::Message qw(header_values json_encode);
use Test::Gateway::SigV4 qw(sign);

my $t = Test::Gateway->new(variables => [qw(outcome)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my %vinyldns = (id => $UUID, name => 'a', email => 'a@test.com',
    created => '2023-01-15T10:30:00Z', status => 'Active', members => [],
    admins => []);

my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($method, $path) = ($request->{method}, $request->{uri} =~ /^([^?]*)/);

    return [200, [], {%vinyldns}]
        if $path =~ m{^(?:/v2)?/groups(?:/|$)} && $method ne 'GET'
        || $path =~ m{^/groups/};
    return [200, [], {groups => [], maxItems => 100, ignoreAccess => \0}]
        if $path =~ m{^/groups$};
    return [201, [], {id => 'x'}] if $path eq '/api/groups';
    return [200, ['Content-Type' => 'application/xml'],
        '<response><message>Created</message><contact_group>'
            . '<contact_group_url>http://a/ffws/v1/contact_groups/admin/4'
            . '</contact_group_url><name>a</name></contact_group></response>']
        if $path =~ m{^/ffws/};
    return [404, [], ''];
});

my $address = $u->address;
my $proxy   = "proxy_pass http://$address;";

my %key = (access_key => 'UpKey', secret_key => 'S3cret/Up+Key');

sub file { return $t->write_file($_[0], json_encode($_[1]), 0600) }

file('basic.json', {type => 'basic', id => 'up', secret => 'S3cret:Up'});
file('nothing.json', {type => 'basic', id => 'up', secret => ''});
file('bearer.json', {type => 'bearer', token => 'S3cret.Up=='});
file('sigv4.json', {type => 'sigv4', %key});
file('region.json', {type => 'sigv4', %key, region => 'eu-west-1',
    service => 'Other'});
file('empty.json', {type => 'sigv4', %key, region => '', service => ''});
$t->credentials('clients.json', {type => 'basic', id => 'client',
    secret => 'S3cret-Client', scopes => ['numbers']});

$t->nginx(
    http => <<"END",
upstream backend { server $address; }
group_upstream_credentials sigv4.json;
group_default email a\@test.com;
group_default members m1;
group_default admins m1;
END
    server => <<"END",
group_dialect vinyldns;

location / { $proxy }
location /region/ {
    group_base_path /region;
    group_upstream_credentials region.json;
    $proxy
}
location /empty/ {
    group_base_path /empty;
    group_upstream_credentials empty.json;
    $proxy
}
location /off/ {
    group_base_path /off;
    group_upstream_credentials off;
    $proxy
}
location /base/ {
    group_base_path /base;
    group_upstream_base_path /v2;
    $proxy
}
location /name/ { group_base_path /name; proxy_pass http://backend; }
location /slash/ { group_base_path /slash; proxy_pass http://backend/; }
location /variable/ {
    group_base_path /variable;
    set \$up $address;
    # the name is not known when the request is signed: the client's is
    proxy_set_header Host \$http_host;
    proxy_pass http://\$up;
}
location /api/relay/rest/ {
    group_dialect signalwire;
    group_upstream_dialect vinyldns;
    group_credentials clients.json;
    $proxy
}
location /portsip/ {
    group_dialect portsip;
    group_base_path /portsip;
    group_upstream_credentials bearer.json;
    $proxy
}
location /ffws/ {
    group_dialect faxfinder;
    group_upstream_credentials basic.json;
    $proxy

    location /ffws/v1/contact_groups/nothing {
        group_upstream_credentials nothing.json;
        $proxy
    }
}
END
);

# what went upstream; the answer is looked at on the way
sub sent {
    my ($method, $path, %option) = @_;

    $u->clear;
    my $r = $t->request(method => $method, uri => $path, %option);
    like($r->status, qr/^20/, "$method $path is answered")
        or diag($r->body);

    return $u->last;
}

# The Authorization header that belongs to a request, computed from it.
sub signature {
    my ($got, %how) = @_;

    my ($date) = $got->header('X-Amz-Date') // '';
    my ($signed) = ($got->header('Authorization') // '')
        =~ /SignedHeaders=([^,]*)/;

    my $headers = sign(
        method      => $got->method,
        uri         => $got->uri,
        headers     => $got->{headers},
        body        => $got->body,
        date        => $date,
        date_header => undef,
        scope_date  => substr($date, 0, 8),
        signed      => [split /;/, $signed // ''],
        %key,
        %how
    );

    return $headers->[-1][1];
}

sub signed_ok {
    my ($got, $name, %how) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is($got->header('Authorization'), signature($got, %how), $name);
}


subtest 'basic' => sub {
    my $got = sent('POST', '/ffws/v1/contact_groups/admin',
        headers => ['Content-Type' => 'application/xml'],
        body => '<contact_group><name>a</name></contact_group>');
    is_deeply([$got->header_all('Authorization')],
        ['Basic ' . encode_base64('up:S3cret:Up', '')], 'Authorization');

    $got = sent('POST', '/ffws/v1/contact_groups/nothing',
        headers => ['Content-Type' => 'application/xml'],
        body => '<contact_group><name>a</name></contact_group>');
    is($got->header('Authorization'), 'Basic ' . encode_base64('up:', ''),
        'no secret');
};

subtest 'bearer' => sub {
    my $got = sent('POST', '/portsip/groups', json => {name => 'a'},
        bearer => 'client');
    is_deeply([$got->header_all('Authorization')], ['Bearer S3cret.Up=='],
        'Authorization, and not the client\'s');
};

subtest 'sigv4' => sub {
    my $got = sent('POST', '/groups', json => {name => 'a',
            email => 'a@test.com', members => [], admins => []});
    my $header = $got->header('Authorization');

    signed_ok($got, 'a body');
    like($header, qr{^AWS4-HMAC-SHA256[ ]Credential=UpKey/\d{8}/us-east-1/
        VinylDNS/aws4_request,[ ]SignedHeaders=content-type;host;x-amz-date,
        [ ]Signature=[0-9a-f]{64}$}x, 'as the clients of VinylDNS do');
    is($got->header('Host'), $address, 'Host with its port');
    is($got->header('Content-Type'), 'application/json', 'Content-Type');

    my $now = strftime('%Y%m%dT%H%M', gmtime);
    my $was = strftime('%Y%m%dT%H%M', gmtime time - 60);
    like($got->header('X-Amz-Date'), qr/^(?:$now|$was)\d\dZ$/, 'date is now');

    $got = sent('GET', "/groups/$UUID");
    signed_ok($got, 'no body');
    like($got->header('Authorization'), qr/SignedHeaders=host;x-amz-date,/,
        'and no Content-Type');

    $got = sent('DELETE', "/groups/$UUID");
    signed_ok($got, 'DELETE');

    $got = sent('PUT', "/groups/$UUID", json => {id => $UUID, name => 'a',
            email => 'a@test.com', members => [], admins => []});
    signed_ok($got, 'PUT');

    $got = sent('GET', '/groups?maxItems=3&groupNameFilter=a%20b*~%2F'
            . '&abridged=true');
    like($got->uri, qr/maxItems=3/, 'has its query');
    signed_ok($got, 'a query that is not in order');

    $got = sent('GET', '/groups?groupNameFilter=%C3%A9+%2B&maxItems=3');
    signed_ok($got, 'a query that needs escapes');
};

subtest 'sigv4: what the file says' => sub {
    my $got = sent('GET', '/region/groups');
    like($got->header('Authorization'), qr{/\d{8}/eu-west-1/Other/aws4_},
        'the scope');
    signed_ok($got, 'region and service', region => 'eu-west-1',
        service => 'Other');

    $got = sent('GET', '/empty/groups');
    like($got->header('Authorization'), qr{/\d{8}///aws4_request,},
        'the scope');
    signed_ok($got, 'empty ones', region => '', service => '');
};

subtest 'sigv4: where it goes' => sub {
    my $got = sent('GET', '/name/groups');
    is($got->header('Host'), 'backend', 'the name of an upstream block');
    signed_ok($got, 'is signed');

    $got = sent('GET', '/slash/groups?maxItems=1');
    is($got->uri, '/groups?maxItems=1', 'proxy_pass with a path');
    signed_ok($got, 'is signed');

    $got = sent('DELETE', "/base/groups/$UUID");
    is($got->uri, "/v2/groups/$UUID", 'group_upstream_base_path');
    signed_ok($got, 'is signed');

    $got = sent('GET', '/variable/groups', headers => [Host => 'front:81']);
    is($got->header('Host'), 'front:81', 'proxy_pass with variables');
    signed_ok($got, 'is signed for the client\'s Host');
};

subtest 'sigv4: of what was made of another vendor\'s request' => sub {
    my $got = sent('POST', '/api/relay/rest/number_groups',
        json => {name => 'a'}, auth => ['client', 'S3cret-Client'],
        headers => ['X-Amz-Date' => '20200101T000000Z',
            'Date' => 'Wed, 01 Jan 2020 00:00:00 GMT']);
    is($got->uri, '/groups', 'translated');
    is_deeply($got->json, {name => 'a', email => 'a@test.com',
            members => [{id => 'm1'}], admins => [{id => 'm1'}]}, 'body');
    is(scalar($got->header_all('X-Amz-Date')), 1, 'one date');
    is(scalar($got->header_all('Authorization')), 1, 'one Authorization');
    is($got->header('Date'), undef, 'not the client\'s date');
    signed_ok($got, 'is signed');
};

subtest 'off' => sub {
    my $got = sent('GET', '/off/groups',
        headers => [Authorization => 'Basic eDp5']);
    is($got->header('Authorization'), undef, 'nothing');
    is($got->header('X-Amz-Date'), undef, 'at all');
};

# The client is not told to sign in: it did, or did not have to.
subtest 'refused by the upstream' => sub {
    for my $status (401, 403) {
        $u->answer([$status, ['Content-Type' => 'text/plain',
                'WWW-Authenticate' => 'Basic realm="upstream"'],
            'Authentication Failed']);
        my $r = $t->post('/api/relay/rest/number_groups',
            json => {name => 'a'}, auth => ['client', 'S3cret-Client']);

        is($r->status, $status == 401 ? 502 : 403, "with $status");
        is($r->header('WWW-Authenticate'), undef,
            'its challenge is not passed on');
    }
};

subtest 'secrets are in no log' => sub {
    Test::Gateway->not_in(debug => 'nginx logs headers there');

    $t->unlike_log(qr/S3cret|@{[encode_base64('up:S3cret:Up', '')]}/,
        'error.log');
    unlike($t->read_file('access.log'), qr/S3cret/, 'access.log');
};

$t->stop;

# The emulator checks signatures by its own means.
subtest 'with an emulator that verifies' => sub {
    my $e = $t->emulator('vinyldns');
    my $n = Test::Gateway->new;

    $n->write_file('ok.json', json_encode({type => 'sigv4',
            access_key => 'okAccessKey', secret_key => 'okSecretKey'}), 0600);
    $n->nginx(server => <<"END");
group_dialect vinyldns;
group_upstream_credentials ok.json;
location / { proxy_pass http://@{[$e->address]}; }
END

    my $r = $n->post('/groups', json => {name => 'signed',
            email => 'a@test.com', members => [], admins => []});
    is($r->status, 200, 'create') or diag($r->body);
    my $id = $r->json->{id};

    is($n->get("/groups/$id")->status, 200, 'get');
    is($n->get('/groups?maxItems=5&groupNameFilter=si%20g')->status, 200,
        'list');
    is($n->get('/groups/a%20b')->status, 404,
        'an id with a space is signed right, and unknown');
    is($n->get('/groups/a=b:c@d')->status, 404, 'an id of other characters');
    is($n->del("/groups/$id")->status, 200, 'delete');

    $n->stop;
};


sub fails {
    my ($name, $content, $like) = @_;

    my $file = $t->write_file('bad.json',
        ref $content ? json_encode($content) : $content, 0600);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->config_fails('group_upstream_credentials bad.json;',
        qr/\[emerg\][^\n]*credentials file "\Q$file\E": [^\n]*$like/, $name);

    return;
}

subtest 'mistakes in the file' => sub {
    $t->config_fails('group_upstream_credentials none.json;',
        qr/"\S+\/none\.json" failed \(2: No such file/, 'no file');

    fails('no JSON', '{', '');
    fails('a list', [], 'expected an object');
    fails('the file of group_credentials', {credentials => []},
        'type: expected "basic", "bearer" or "sigv4"');
    fails('no type', {id => 'a', secret => 'b'}, 'type: expected "basic"');
    fails('another type', {type => 'none'}, 'type: expected "basic"');

    my @basic = (type => 'basic', id => 'a', secret => 'b');
    my @sigv4 = (type => 'sigv4', access_key => 'a', secret_key => 'b');

    fails("basic: $_->[0]", {@basic, @{$_->[1]}}, $_->[2])
        for ['no id', [id => undef], 'id: expected a string'],
        ['an empty id', [id => ''], 'id: expected a string that is not empty'],
        ['a colon', [id => 'a:b'], 'id: expected a string without ":"'],
        ['a number', [secret => 1], 'secret: expected a string'],
        ['a line', [secret => "a\n"],
            'secret: expected a string without control characters'],
        ['a digest', [secret_sha256 => 'x'],
            'unknown key "secret_sha256", expected one of: type id secret'];

    fails("bearer: $_->[0]", {type => 'bearer', @{$_->[1]}}, $_->[2])
        for ['no token', [], 'token: expected a string'],
        ['an empty one', [token => ''],
            'token: expected a string that is not empty'],
        ['with a space', [token => 'a b'],
            'token: expected a string without spaces'],
        ['a secret', [secret => 'a'],
            'unknown key "secret", expected one of: type token'];

    fails("sigv4: $_->[0]", {@sigv4, @{$_->[1]}}, $_->[2])
        for ['no key', [access_key => undef], 'access_key: expected a string'],
        ['a slash', [access_key => 'a/b'],
            'access_key: expected a string without "/"'],
        ['no secret', [secret_key => ''],
            'secret_key: expected a string that is not empty'],
        ['a slash in the region', [region => 'a/b'],
            'region: expected a string without "/"'],
        ['a slash in the service', [service => 'a/b'],
            'service: expected a string without "/"'],
        ['scopes', [scopes => []], 'unknown key "scopes"'];
};

subtest 'the directive' => sub {
    $t->config_fails('group_upstream_credentials off;'
            . 'group_upstream_credentials off;',
        qr/"group_upstream_credentials" directive is duplicate/, 'twice');
    $t->config_fails('group_upstream_credentials;',
        qr/invalid number of arguments/, 'no file');
    $t->config_fails(
        'location / { if ($arg_a) { group_upstream_credentials off; } }',
        qr/directive is not allowed here/, 'in if');
};

done_testing;
