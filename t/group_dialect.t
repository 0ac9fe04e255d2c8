#!/usr/bin/perl

# group_dialect, group_upstream_dialect and group_dialect_path: which API is
# spoken where, and in which file it is found.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my $t = Test::Gateway->new(variables => [qw(dialect upstream_dialect)]);

# answers in the API that it is called in
my $u = $t->upstream(sub {
    my ($request) = @_;

    return [200, [], {id => $UUID, name => 'a', sticky_sender => \0,
            phone_number_count => 0}]
        if $request->{uri} eq '/api/relay/rest/number_groups';
    return [201, [], {id => 'NzAwNTUxOTA5NzczMTQ4MTYw'}]
        if $request->{uri} eq '/api/groups';
    return [200, [], {id => $UUID, name => 'a', email => 'a@test.com',
            created => '2023-01-15T10:30:00Z', status => 'Active',
            members => [], admins => []}]
        if $request->{uri} eq '/groups';
    return [200, [], {id => 7}] if $request->{uri} eq '/mine/groups';

    return [418, ['Content-Type' => 'text/plain'], "raw $request->{uri}"];
});

my $proxy = 'proxy_pass http://' . $u->address . ';';

# a dialect of one operation; what tells two of a name apart is its path
sub mine {
    my ($name, $path) = @_;

    return <<"END";
return dialect "$name" {
    media_type = "application/json",
    base_path = "/mine",
    id = "decimal",
    operations = {
        ["group.create"] = {
            "POST", "$path",
            request = { field "name" { required = true } },
            response = { field "id" { type = "any" } },
        },
    },
    errors = { ["*"] = { body = { oops = "\$outcome" } } },
}
END
}

$t->write_file("dialects/one/mine.lua", mine('mine', '/groups'));
$t->write_file("dialects/two/mine.lua", mine('mine', '/other'));
$t->write_file("dialects/two/second.lua", mine('second', '/groups'));

# one that has the name of a vendor's, and comes before it
$t->write_file("dialects/two/faxfinder.lua", mine('faxfinder', '/groups'));

$t->nginx(
    http => <<"END",
group_dialect signalwire;
# relative to nginx.conf; a directory that is not there is no mistake
group_dialect_path none dialects/one %%DIR%%/dialects/two
                   %%ROOT%%/lua/dialects;
END
    server => <<"END",
location / { $proxy }

location /portsip/ {
    group_base_path /portsip;
    group_upstream_dialect portsip;
    $proxy

    # a location in a location has what is around it
    location /portsip/deep/ {
        group_base_path /portsip/deep;
        $proxy
    }

    location /portsip/back/ {
        group_base_path /portsip/back;
        group_upstream_dialect signalwire;
        $proxy
    }
}

location /off/ { group_dialect off; $proxy }
location /off/again/ {
    group_dialect vinyldns;
    group_base_path /off/again;
    $proxy
}

location /one/ { group_dialect mine; group_base_path /one; $proxy }
location /two/ { group_dialect second; group_base_path /two; $proxy }
location /fax/ { group_dialect faxfinder; group_base_path /fax; $proxy }
END
    servers => <<"END",
server {
    listen @{[$t->listen('other')]};
    group_dialect vinyldns;

    location / { $proxy }
    location /api/ { group_dialect portsip; $proxy }
}

server {
    listen @{[$t->listen('off')]};
    group_dialect off;
    location / { $proxy }
}
END
);


sub create {
    my ($path, $json, %option) = @_;
    $u->clear;
    return $t->post($path, json => $json // {name => 'a'}, %option);
}

sub uri { my $got = $u->last; return $got && $got->uri }

my $SIGNALWIRE = '/api/relay/rest/number_groups';
my %VINYLDNS   = (name => 'a', email => 'a@test.com', members => [],
    admins => []);


subtest 'http is inherited by server and location' => sub {
    my $r = create($SIGNALWIRE);
    is($r->status, 200, 'status');
    is($r->json->{id}, $UUID, 'answer');
    is(uri(), $SIGNALWIRE, 'the upstream speaks the same by default');
};

subtest 'a server has its own' => sub {
    my $r = create('/groups', \%VINYLDNS, port => $t->port('other'));
    is($r->status, 200, 'status');
    is(uri(), '/groups', 'upstream');

    $r = create('/number_groups', undef, port => $t->port('other'));
    is($r->status, 404, 'and not the one of http');
    is($r->body, 'The requested path [/number_groups] does not exist.',
        'in its words');
};

subtest 'a location has its own' => sub {
    my $r = create('/api/groups', undef, port => $t->port('other'));
    is($r->status, 201, 'status');
    is_deeply($r->json, {id => 'NzAwNTUxOTA5NzczMTQ4MTYw'}, 'answer');
    is(uri(), '/api/groups', 'upstream');
};

subtest 'off passes requests by' => sub {
    my $r = create('/off/x?a=%20b');
    is($r->status, 418, 'status');
    is($r->body, 'raw /off/x?a=%20b', 'the upstream has its URI');
    is($u->last->body, '{"name":"a"}', 'and its bytes');

    $r = create('/x', undef, port => $t->port('off'));
    is($r->body, 'raw /x', 'of a server');

    $r = create('/off/again/groups', \%VINYLDNS);
    is($r->status, 200, 'and on again below it');
};

subtest 'the upstream dialect is inherited and overridden' => sub {
    for my $path (qw(/portsip/number_groups /portsip/deep/number_groups)) {
        my $r = create($path);
        is($r->status, 200, "$path: status");
        is(uri(), '/api/groups', 'upstream');
        like($r->json->{id}, qr/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/,
            'a PortSIP id is a UUID for the client');
    }

    create('/portsip/back/number_groups');
    is(uri(), $SIGNALWIRE, 'overridden');
};

subtest 'the first directory that has it wins' => sub {
    my $r = create('/one/groups');
    is($r->status, 200, 'the first one');
    is(uri(), '/mine/groups', 'upstream');

    $r = create('/two/groups');
    is($r->status, 200, 'one that only the second has');

    $r = create('/fax/groups');
    is($r->status, 200, 'a vendor\'s name may be taken');
};

subtest 'variables tell' => sub {
    my @access = map { [@$_{qw(request_uri dialect
        upstream_dialect)}] } $t->access(12);

    my ($got) = grep { $_->[0] eq '/portsip/deep/number_groups' } @access;
    is_deeply($got, ['/portsip/deep/number_groups', qw(signalwire portsip)],
        'of two');

    ($got) = grep { $_->[0] eq '/x' } @access;
    is_deeply($got, ['/x', '', ''], 'of none');
};

subtest 'a changed file is read again with the configuration' => sub {
    my $path = '/one/other';
    is(create($path)->status, 404, 'before');

    $t->write_file("dialects/one/mine.lua", mine('mine', '/other'));
    is(create($path)->status, 404, 'the file is not read for a request')
        if !$ENV{TEST_GROUP_RELOAD};

    ok($t->reload, 'reload');
    isnt(create($path)->status, 404, 'after');

    $t->write_file("dialects/one/mine.lua", 'return 1');
    $t->expect_log(qr/dialect "mine"/);
    ok(!$t->reload, 'a broken one is refused');

    local $ENV{TEST_GROUP_RELOAD} = 0;
    isnt(create($path)->status, 404, 'and the old one stays');
};


subtest 'each vendor loads' => sub {
    $t->config_ok("group_dialect $_;", $_)
        for qw(signalwire vinyldns faxfinder portsip);
};

subtest 'a name that is none' => sub {
    my $lua = Test::Gateway::root() . '/lua/dialects';

    $t->config_fails('group_dialect acme;',
        qr/unknown dialect "acme": there is no "acme\.lua" in "\Q$lua\E", "/,
        'unknown: where it was looked for is told');
    $t->config_fails('group_dialect signalwire; group_upstream_dialect acme;',
        qr/unknown dialect "acme"/, 'of the upstream');
    $t->config_fails({http => 'group_dialect acme;'}, qr/unknown dialect/,
        'in http');

    for my $name (qw(../signalwire /etc/passwd SignalWire signal.wire),
        '""')
    {
        $t->config_fails("group_dialect $name;", qr/dialect name|unknown/,
            "$name");
    }

    $t->config_fails({
        http   => 'group_dialect_path %%DIR%%/dialects/two;',
        server => 'group_dialect mine; group_upstream_dialect signalwire;',
    }, qr{there is no "signalwire\.lua" in "\S+/dialects/two", "},
        'group_dialect_path replaces where this test finds the vendors');
};

subtest 'where the directives may stand' => sub {
    $t->config_fails('group_dialect signalwire; group_dialect portsip;',
        qr/"group_dialect" directive is duplicate/, 'group_dialect twice');
    $t->config_fails('group_upstream_dialect portsip;'
            . 'group_upstream_dialect portsip;',
        qr/"group_upstream_dialect" directive is duplicate/,
        'group_upstream_dialect twice');
    $t->config_fails({http => 'group_dialect_path a; group_dialect_path b;'},
        qr/"group_dialect_path" directive is duplicate/,
        'group_dialect_path twice');

    $t->config_fails("location / { $_; }",
        qr/"group_dialect_path" directive is not allowed here/, $_)
        for 'group_dialect_path a';
    $t->config_fails("location / { if (\$arg_a) { $_; } }",
        qr/directive is not allowed here/, "$_ in if")
        for 'group_dialect portsip', 'group_upstream_dialect portsip';

    $t->config_fails("$_;", qr/invalid number of arguments/, $_)
        for 'group_dialect', 'group_dialect a b', 'group_upstream_dialect a b';
    $t->config_fails({http => 'group_dialect_path;'},
        qr/invalid number of arguments/, 'group_dialect_path');

    # the path is read whole before any dialect is looked for
    $t->config_ok({http => "group_dialect second;\n"
            . 'group_dialect_path %%DIR%%/dialects/two;'},
        'group_dialect_path may come after group_dialect');
};

$t->stop;
done_testing;
