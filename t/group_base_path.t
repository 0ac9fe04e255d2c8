#!/usr/bin/perl

# group_base_path and group_upstream_base_path, and what becomes of the path
# in each form of proxy_pass.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $t = Test::Gateway->new(variables => 0);

my %group = (id => 'x', name => 'a', description => undef,
    outbound_caller_ids => []);

# PortSIP, whose ids may have characters that a path has to escape
my $u = $t->upstream(sub {
    my ($request) = @_;
    return [200, [], ''] if $request->{uri} =~ m{/members/};
    return [201, [], {id => 'x'}] if $request->{method} eq 'POST';
    return [200, [], {count => 0, items => []}]
        if $request->{uri} =~ m{/groups(?:\?|$)};
    return [200, [], {%group}];
});

my $address = $u->address;
my $host    = 'http://' . $address;

# each server with a form of its own, the path of its clients is /api
my %form = (
    plain     => "proxy_pass $host;",
    slash     => "proxy_pass $host/;",
    path      => "proxy_pass $host/deep/er/;",
    word      => "proxy_pass $host/deep/er;",
    name      => 'proxy_pass http://backend;',
    variable  => "set \$backend $address; proxy_pass http://\$backend;",
    uri       => "set \$backend $address;"
        . ' proxy_pass http://$backend$uri$is_args$args;',
    prefix    => "set \$backend $address;"
        . ' proxy_pass http://$backend/deep$uri$is_args$args;',
);

my $servers = join '', map { <<"END" } sort keys %form;
server {
    listen @{[$t->listen($_)]};
    group_dialect portsip;
    location / { $form{$_} }
    location /api/groups { $form{$_} }
    location ~ ^/regex/ {
        group_base_path /regex;
        @{[$form{$_} =~ m{:\d+/} ? "proxy_pass $host;" : $form{$_}]}
    }
}
END

$t->nginx(
    http => <<"END",
upstream backend { server $address; keepalive 4; }
group_base_path /http;
END
    server => <<"END",
group_dialect portsip;
location / { proxy_pass $host; }
location /groups { group_base_path /; proxy_pass $host; }
location /v1/ { group_base_path /v1; proxy_pass $host; }
location /v2/ { group_base_path /v2/x/; proxy_pass $host; }

location /up/ {
    group_base_path /up;
    group_upstream_base_path /pbx/v9/;
    proxy_pass $host;

    location /up/1/ { group_base_path /up/1; proxy_pass $host; }
    location /up/2/ {
        group_base_path /up/2;
        group_upstream_base_path /;
        proxy_pass $host;
    }
    location /up/3/ { group_base_path /up/3; proxy_pass $host/more/; }
}

location /sw/ {
    group_dialect signalwire;
    group_upstream_dialect portsip;
    group_base_path /sw;
    group_upstream_base_path /pbx;
    proxy_pass $host;
}
END
    servers => $servers =~ s/group_dialect/group_base_path \/api;\n$&/gr,
);

sub sent {
    my ($method, $path, %option) = @_;

    $u->clear;
    my $r = $t->request(method => $method, uri => $path,
        $method eq 'POST' ? (json => {name => 'a'}) : (), %option);

    my $got = $u->last;
    return $got ? $got->uri : 'status ' . $r->status;
}


subtest 'where the client\'s API is rooted' => sub {
    is(sent('POST', '/http/groups'), '/api/groups', 'inherited from http');
    is(sent('POST', '/api/groups'), 'status 404',
        'the vendor\'s own is not there besides');
    is(sent('POST', '/v1/groups'), '/api/groups', 'of a location');
    is(sent('POST', '/v2/x/groups'), '/api/groups', 'a slash at its end');
    is(sent('POST', '/groups'), '/api/groups', 'the root');

    is(sent('POST', $_), 'status 404', "not $_")
        for '/v1groups', '/v1/', '/v1/groups/', '/v1/x/groups', '/v2/groups',
        '/V1/groups';
};

subtest 'where the upstream\'s API is rooted' => sub {
    is(sent('POST', '/up/groups'), '/pbx/v9/groups', 'a location');
    is(sent('POST', '/up/1/groups'), '/pbx/v9/groups', 'inherited');
    is(sent('POST', '/up/2/groups'), '/groups', 'the root');
    is(sent('POST', '/up/3/groups'), '/more/pbx/v9/groups',
        'behind the path of proxy_pass');
    is(sent('POST', '/sw/number_groups'), '/pbx/groups', 'another dialect');
    is(sent('GET', '/up/groups?top=3&skip=0'), '/pbx/v9/groups?top=3&skip=0',
        'with arguments');
};


# what the upstream gets in each form
my %prefix = (
    plain => '', slash => '', path => '/deep/er', name => '', variable => '',
    uri => '', prefix => '/deep',
);

for my $form (sort keys %prefix) {
    subtest "proxy_pass: $form" => sub {
        my @to = (port => $t->port($form));

        is(sent('POST', '/api/groups', @to), "$prefix{$form}/api/groups",
            'an operation');
        is(sent('GET', '/api/groups?top=3', @to),
            "$prefix{$form}/api/groups?top=3", 'with arguments');
        is(sent('GET', '/api/groups?search=a%20b%26c', @to),
            "$prefix{$form}/api/groups?search=a%20b%26c", 'that are escaped');
        is(sent('GET', '/api/groups/NzAw', @to),
            "$prefix{$form}/api/groups/NzAw", 'an id');
        like(sent('GET', '/api/groups/NzA=', @to),
            qr{^$prefix{$form}/api/groups/NzA(?:=|%3D)$}, 'with padding');
        is(sent('POST', '/api/groups/NzAw/members/101', @to),
            "$prefix{$form}/api/groups/NzAw/members/101", 'a member');
    };
}

# An id is opaque: whatever it is made of, it is one segment on the way to the
# upstream too.
for my $form (qw(plain slash path name variable)) {
    subtest "proxy_pass: $form: ids that need escapes" => sub {
        my @to = (port => $t->port($form));
        my $at = "$prefix{$form}/api/groups";

        for my $id ('a%2Fb', 'a%20b', 'a%3Fb', 'a%23b', 'a%25b', 'a%252Fb',
            '%C3%A9')
        {
            my $got = sent('GET', "/api/groups/$id", @to);
            $got =~ s/(%[0-9a-f]{2})/uc $1/ge;
            is($got, "$at/$id", $id);
        }
    };
}

# as nginx puts it, without a slash between the two
is(sent('GET', '/api/groups/NzAw', port => $t->port('word')),
    '/deep/erapi/groups/NzAw', 'proxy_pass: a path without a slash at its end');

subtest 'a location by a regular expression' => sub {
    is(sent('GET', '/regex/groups?top=1', port => $t->port($_)),
        '/api/groups?top=1', $_)
        for qw(plain name variable);
};

subtest 'no way up' => sub {
    is(sent('GET', '/api/groups/..%2F..%2Fsecret',
            port => $t->port('plain')),
        'status 404', 'nor for an upstream that takes %2F for a slash');
    is(sent('GET', '/api/groups/%2E%2E', port => $t->port('plain')),
        'status 404', 'nginx takes it for a way up');
};


subtest 'a path that is none' => sub {
    for my $d (qw(group_base_path group_upstream_base_path)) {
        $t->config_fails("$d api;", qr/"$d".*begin with "\/"/, "$d api");
        $t->config_fails("$d \"\";", qr/"$d".*begin with "\/"/, "$d \"\"");
        $t->config_fails("$d /a; $d /b;",
            qr/"$d" directive is duplicate/, "$d twice");
        $t->config_fails("$d /; $d /;",
            qr/"$d" directive is duplicate/, "$d twice, the root");
        $t->config_fails("$d;", qr/invalid number of arguments/, $d);
        $t->config_fails("location / { if (\$arg_a) { $d /a; } }",
            qr/directive is not allowed here/, "$d in if");
        $t->config_ok({http => "$d /a/;", server => "$d /;"}, "$d");
    }
};

$t->stop;
done_testing;
