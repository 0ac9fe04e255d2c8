#!/usr/bin/perl

# Scopes: what each operation of a dialect requires, what group_scope makes of
# it, and how the vendor tells that one is missing.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $t = Test::Gateway->new(variables => [qw(principal scopes outcome)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

# Nothing here is about answers: what matters is that a request arrives.
my $u = $t->upstream(sub { [503, [], ''] });

my $proxy = 'proxy_pass http://' . $u->address . ';';

my %scopes = (
    none    => [],
    numbers => ['numbers'],
    read    => ['groups:read'],
    write   => ['groups:write'],
    both    => ['groups:read', 'groups:write'],
    extra   => ['a', 'numbers', 'groups:read', 'groups:write', 'b'],
    near    => ['number', 'numbers2', 'Numbers', 'groups', 'groups:',
        'groups:rea', 'groups:read2', '*'],
    list    => ['a', 'b', 'c'],
    ab      => ['a', 'b'],
);

$t->credentials('clients.json', map { (
    {type => 'basic', id => $_, secret => 'x', scopes => $scopes{$_}},
    {type => 'bearer', token => $_, principal => $_, scopes => $scopes{$_}},
    {type => 'sigv4', access_key => $_, secret_key => 'x',
        scopes => $scopes{$_}},
) } sort keys %scopes);

# one who has no list of scopes at all
$t->credentials('listless.json', {type => 'basic', id => 'listless',
    secret => 'x'});

$t->nginx(http => 'group_credentials clients.json;', server => <<"END");
location /api/relay/rest/ { group_dialect signalwire; $proxy }
location /groups { group_dialect vinyldns; $proxy }
location /ffws/ { group_dialect faxfinder; $proxy }
location /api/ { group_dialect portsip; $proxy }

location /listless/ {
    group_dialect signalwire;
    group_base_path /listless;
    group_credentials listless.json;
    $proxy
}

location /set/ {
    group_dialect portsip;
    group_base_path /set;
    group_scope group.create a b c;
    group_scope group.list b;
    group_scope group.get off;
    $proxy

    location /set/in/ {
        group_base_path /set/in;
        $proxy
    }

    # as other lists in nginx: one of its own is in the place of all of it
    location /set/own/ {
        group_base_path /set/own;
        group_scope group.get a;
        $proxy
    }
}

location /fax/ {
    group_dialect faxfinder;
    group_base_path /fax;
    group_scope group.create a;
    $proxy
}

location /nobody/ {
    group_dialect portsip;
    group_base_path /nobody;
    group_credentials off;
    group_scope group.list a;
    $proxy
}
END

my %BODY = (
    signalwire => {name => 'a'},
    vinyldns   => {id => $UUID, name => 'a', email => 'a@test.com',
        members => [{id => 'm'}], admins => [{id => 'm'}]},
    portsip    => {name => 'a'},
);

my $XML = '<contact_group><name>a</name></contact_group>';

# What became of a request: whether it arrived at the upstream, or the answer.
sub call {
    my ($dialect, $method, $path, $who) = @_;

    my @auth
        = $dialect eq 'portsip'  ? (bearer => $who)
        : $dialect eq 'vinyldns' ? (sigv4 => {access_key => $who,
                secret_key => 'x'})
        :                          (auth => [$who, 'x']);

    my @body
        = $method !~ /^P/        ? ()
        : $path   =~ /memberships?$/ ? (json => {phone_number_id => $UUID})
        : $BODY{$dialect}        ? (json => $BODY{$dialect})
        :                          (body => $XML, headers => [
            'Content-Type' => 'application/xml']);

    $u->clear;
    my $r = $t->request(method => $method, uri => $path, @auth, @body);

    return $u->requests ? 'upstream' : $r->status;
}

my $SW = '/api/relay/rest';
my %operation = (
    signalwire => [
        ['POST',   "$SW/number_groups",         'numbers'],
        ['GET',    "$SW/number_groups",         'numbers'],
        ['GET',    "$SW/number_groups/$UUID",   'numbers'],
        ['PUT',    "$SW/number_groups/$UUID",   'numbers'],
        ['DELETE', "$SW/number_groups/$UUID",   'numbers'],
        ['POST',   "$SW/number_groups/$UUID/number_group_memberships",
            'numbers'],
        ['GET',    "$SW/number_groups/$UUID/number_group_memberships",
            'numbers'],
        ['GET',    "$SW/number_group_memberships/$UUID", 'numbers'],
        ['DELETE', "$SW/number_group_memberships/$UUID", 'numbers'],
    ],
    vinyldns => [
        ['POST',   '/groups',               'write'],
        ['GET',    '/groups',               'read'],
        ['GET',    "/groups/$UUID",         'read'],
        ['PUT',    "/groups/$UUID",         'write'],
        ['DELETE', "/groups/$UUID",         'write'],
        ['GET',    "/groups/$UUID/members", 'read'],
    ],
    portsip => [
        ['POST', '/api/groups',                         'write'],
        ['GET',  '/api/groups',                         'read'],
        ['GET',  "/api/groups/$ID",                     'read'],
        ['POST', "/api/groups/$ID",                     'write'],
        ['POST', "/api/groups/$ID/destroy",             'write'],
        ['GET',  "/api/groups/$ID/members",             'read'],
        ['GET',  "/api/groups/$ID/members/101",         'read'],
        ['POST', "/api/groups/$ID/members/101",         'write'],
        ['POST', "/api/groups/$ID/members/101/destroy", 'write'],
    ],
    faxfinder => [
        ['POST',   '/ffws/v1/contact_groups/alice',   'none'],
        ['GET',    '/ffws/v1/contact_groups/alice',   'none'],
        ['GET',    '/ffws/v1/contact_groups/alice/4', 'none'],
        ['PUT',    '/ffws/v1/contact_groups/alice/4', 'none'],
        ['DELETE', '/ffws/v1/contact_groups/alice/4', 'none'],
    ],
);

# The authorization page of SignalWire says 401; VinylDNS has a 403; the other
# two do not say.
my %missing = (signalwire => 401, vinyldns => 403, portsip => 403);

for my $dialect (sort keys %operation) {
    subtest "what $dialect requires" => sub {
        for (@{$operation{$dialect}}) {
            my ($method, $path, $needs) = @$_;

            is(call($dialect, $method, $path, $_), 'upstream',
                "$method $path: $_")
                for $needs, 'extra';

            next if $needs eq 'none';

            my @others = grep { $_ ne $needs } qw(none read write near);
            is(call($dialect, $method, $path, $_), $missing{$dialect},
                "$method $path: $_") for @others;
        }
    };
}

subtest 'what the vendor answers' => sub {
    my $r = $t->get("$SW/number_groups", auth => ['none', 'x']);
    is($r->body, '{"error":"Unauthorized"}', 'SignalWire');

    $r = $t->get('/groups', sigv4 => {access_key => 'none',
            secret_key => 'x'});
    is($r->body, '"Not authorized"', 'VinylDNS');
    is($r->header('Content-Type'), 'application/json', 'as its services do');

    $r = $t->get('/api/groups', bearer => 'none');
    is(scalar(@{$r->json->{errors}}), 1, 'PortSIP');
    is($r->header('WWW-Authenticate'), undef,
        'nobody is asked to sign in again');

    $r = $t->post('/fax/contact_groups/alice', auth => ['none', 'x'],
        body => $XML, headers => ['Content-Type' => 'application/xml']);
    is($r->status, 403, 'FaxFinder');
    is($r->xpath('/response/message'), 'Forbidden', 'in XML');
};

subtest 'group_scope' => sub {
    is(call('portsip', 'POST', '/set/groups', 'list'), 'upstream',
        'all of several');
    is(call('portsip', 'POST', '/set/groups', 'ab'), 403, 'one is missing');
    is(call('portsip', 'POST', '/set/groups', 'write'), 403,
        'the dialect\'s are replaced');

    is(call('portsip', 'GET', '/set/groups', 'ab'), 'upstream', 'one');
    is(call('portsip', 'GET', '/set/groups', 'read'), 403,
        'and not the dialect\'s');

    is(call('portsip', 'GET', "/set/groups/$ID", 'none'), 'upstream', 'off');

    is(call('portsip', 'POST', "/set/groups/$ID", 'write'), 'upstream',
        'other operations are left alone');
    is(call('portsip', 'POST', "/set/groups/$ID", 'list'), 403,
        'and require what they did');

    is(call('faxfinder', 'POST', '/fax/contact_groups/a', 'ab'), 'upstream',
        'where the dialect has none');
    is(call('faxfinder', 'GET', '/fax/contact_groups/a', 'none'), 'upstream',
        'and has none still');
};

subtest 'levels' => sub {
    is(call('portsip', 'GET', '/set/in/groups', 'ab'), 'upstream',
        'inherited');
    is(call('portsip', 'GET', '/set/in/groups', 'read'), 403, 'inherited');

    is(call('portsip', 'GET', "/set/own/groups/$ID", 'none'), 403, 'own');
    is(call('portsip', 'GET', "/set/own/groups/$ID", 'ab'), 'upstream', 'own');
    is(call('portsip', 'GET', '/set/own/groups', 'read'), 'upstream',
        'and the rest is the dialect\'s');
};

subtest 'who has scopes' => sub {
    my $r = $t->get('/listless/number_groups', auth => ['listless', 'x']);
    is($r->status, 401, 'without a list there are none');

    is(call('portsip', 'GET', '/nobody/groups', 'none'), 'upstream',
        'without credentials nothing is looked at');
};

subtest 'logged' => sub {
    $t->mark;
    call('vinyldns', 'GET', '/groups', 'write');
    $t->like_log(qr/group\.list refused with 403: forbidden scope/, 'why');

    is_deeply([@{$t->last_access}{qw(principal scopes outcome)}],
        ['write', 'groups:write', 'forbidden'], 'who');
};

subtest 'the directive' => sub {
    $t->config_fails('group_scope group.destroy a;',
        qr/unknown operation "group\.destroy" in "group_scope"/,
        'an unknown operation');
    $t->config_fails('group_scope group.get a; group_scope group.get b;',
        qr/"group_scope" directive is duplicate/, 'one operation twice');
    $t->config_fails("group_scope $_;", qr/invalid number of arguments/,
        "group_scope $_") for '', 'group.get';
    $t->config_fails('location / { if ($arg_a) { group_scope group.get a; } }',
        qr/directive is not allowed here/, 'in if');

    $t->config_ok({
        http => join(' ', map { "group_scope $_ a;" } qw(
            group.create group.list group.get group.replace group.modify
            group.delete member.add member.list member.get member.remove)),
        server => 'group_scope group.get a;',
    }, 'each operation');
};

$t->stop;
done_testing;
