#!/usr/bin/perl

# examples/policy-in-front: VinylDNS in front of VinylDNS, and rules between.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Example;
use Test::Gateway::Vendors qw(groups_at json_is);

BEGIN {
    eval { require Mojolicious; 1 }
        or plan skip_all => 'Mojolicious is not installed';
}

my $t      = Test::Gateway->new(variables => 0);
my $vendor = $t->emulator('vinyldns', 'no-unknown-fields' => undef);
my $port   = $t->port('clients');
my $lookup = $t->port('lookup');

my $e = Test::Gateway::Example->new($t, 'policy-in-front',
    9321 => $vendor->port, 9421 => $port, 9422 => $lookup);
$t->nginx(conf => $e->conf('nginx.conf'));

my $OK = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';

# A call of a client, signed with its key.
sub call {
    my ($who, $method, $uri, $group, %more) = @_;
    return $t->request(port => $port, method => $method, uri => $uri,
        sigv4 => {access_key => "${who}Key", secret_key => "${who}Secret"},
        $group ? (json => {email => 'a@test.com', members => [{id => $OK}],
                admins => [{id => $OK}], %$group}) : (),
        headers => [Host => "127.0.0.1:$port"], %more);
}

# A refusal: its status, the sentence as JSON, and that VinylDNS was asked for
# nothing but a name.
sub refused {
    my ($status, $text, $name, @call) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $vendor->clear;
    my $r = call(@call);
    is($r->status, $status, "$name: status");
    json_is($r->body, $text, "$name: what is said");
    is_deeply([grep { $_->{method} ne 'GET' } $vendor->journal], [],
        "$name: nothing is changed");
    return $r;
}

subtest 'what the README shows' => sub { $e->readme_holds };

subtest 'a client uses VinylDNS as it always did' => sub {
    $vendor->reset;

    my $r = call('web', 'POST', '/groups',
        {name => 'web-dns', description => 'names of the web'});
    is($r->status, 200, 'create') or diag($r->body);
    my $group = $r->json;
    is($group->{description}, 'names of the web', 'a description stays');

    my ($sent) = $vendor->journal;
    like($sent->{headers}{authorization}, qr/Credential=okAccessKey/,
        'signed by the gateway');
    unlike($sent->{headers}{authorization}, qr/webKey/, 'not by the client');

    is_deeply(call('web', 'GET', "/groups/$group->{id}")->json, $group,
        'get');
    my $list = call('web', 'GET', '/groups?groupNameFilter=dns')->json;
    is_deeply($list->{groups}, [$group], 'list');
    is($list->{groupNameFilter}, 'dns', 'with what only VinylDNS tells');

    $r = call('web', 'PUT', "/groups/$group->{id}",
        {id => $group->{id}, name => 'web-zones'});
    is($r->status, 200, 'replace') or diag($r->body);
    is($r->json->{description}, 'written by web', 'a hook fills it');
    is_deeply([keys %{groups_at($t, $vendor, 'vinyldns')}], ['web-zones'],
        'it is called so');

    $r = call('ops', 'DELETE', "/groups/$group->{id}");
    is($r->status, 200, 'delete');
};

subtest 'scopes' => sub {
    my $id = call('web', 'POST', '/groups', {name => 'web-a'})->json->{id};

    is(call('auditor', 'GET', "/groups/$id")->status, 200, 'may read');
    refused(403, 'Not authorized', 'may not write', 'auditor', 'POST',
        '/groups', {name => 'auditor-a'});
    refused(403, 'Not authorized', 'may write and not delete', 'web',
        'DELETE', "/groups/$id");
    my $r = call('web', 'GET', '/groups', undef,
        sigv4 => {access_key => 'webKey', secret_key => 'wrong'});
    isnt($r->status, 200, 'a wrong key');
    is(call('ops', 'DELETE', "/groups/$id")->status, 200, 'may delete');
};

subtest 'names' => sub {
    refused(400, 'name must be lower case letters, digits and -', $_,
        'web', 'POST', '/groups', {name => $_})
        for 'Web-DNS', 'web dns', '7web', "web-\xe4";
    refused(400, 'name has the reserved word "admin"', 'a reserved word',
        'web', 'POST', '/groups', {name => 'web-admin'});
    refused(400, 'name is too long, at most 40 characters', 'a long one',
        'web', 'POST', '/groups', {name => 'web-' . 'x' x 37});

    is(call('web', 'POST', '/groups', {name => 'web-' . 'x' x 36})->status,
        200, 'one that just will do');
};

subtest 'whose a group is' => sub {
    my $id = call('web', 'POST', '/groups', {name => 'web-b'})->json->{id};

    refused(403, 'name must begin with web-', 'in the name of another',
        'web', 'POST', '/groups', {name => 'mail-b'});
    refused(403, 'name must begin with web-', 'given away', 'web', 'PUT',
        "/groups/$id", {id => $id, name => 'mail-b'});
    refused(403, q{this group is somebody else's}, 'taken', 'mail', 'PUT',
        "/groups/$id", {id => $id, name => 'mail-b'});

    is(call('web', 'PUT', "/groups/$id", {id => $id, name => 'web-c'})
        ->status, 200, 'its own');
    is(call('ops', 'PUT', "/groups/$id", {id => $id, name => 'web-d'})
        ->status, 200, 'ops may');
    is(call('web', 'PUT', "/groups/$OK", {id => $OK, name => 'web-e'})
        ->status, 404, 'one that is not there');
};

subtest 'a hook of one\'s own' => sub {
    refused(400, 'email must end with @test.com', $_, 'web', 'POST',
        '/groups', {name => 'web-f', email => $_})
        for 'a@example.com', 'a@not-test.com';

    my $conf = $e->conf('nginx.conf') =~ s/email\.lua domain=\S+;/email.lua;/r;
    my ($exit, $output) = $t->test_config(conf => $conf);
    isnt($exit, 0, 'without its parameter nginx -t fails');
    like($output, qr/domain is missing/, 'and tells why');
};

subtest 'what is for owner.lua is for nobody else' => sub {
    my $id = call('web', 'POST', '/groups', {name => 'web-g'})->json->{id};

    is($t->get("/lookup/$id", port => $port)->status, 404,
        'clients do not find it');
    is($t->get("/groups/$id", port => $lookup)->status, 200,
        'this machine reads');
    $vendor->clear;
    for my $call (['PUT', "/groups/$id"], ['DELETE', "/groups/$id"],
        ['POST', '/groups'])
    {
        is($t->request(method => $call->[0], uri => $call->[1],
            port => $lookup, json => {})->status, 403, "and no $call->[0]");
    }
    is_deeply([$vendor->journal], [], 'none of it goes on');
};

subtest 'the log tells what refused it' => sub {
    my $log = $t->read_file('access.log');
    like($log, qr/^web group\.create 400 invalid "web-admin" .*reserved/m,
        'a name');
    like($log, qr/^auditor group\.create 403 forbidden /m, 'a scope');
};

$t->stop;
done_testing;
