#!/usr/bin/perl

# group_mode log_only: what would be refused is logged, and goes through where
# the upstream speaks the same dialect.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Message qw(json_decode);

my $t = Test::Gateway->new(variables => [qw(outcome error principal)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my $ANSWER = '{"id": "' . $UUID . '",  "name": "as it is", '
    . '"sticky_sender": false, "phone_number_count": 1}';

my $u = $t->upstream(sub {
    my ($request) = @_;

    return [404, ['Content-Type', 'text/html'], '<p>none']
        if $request->{uri} =~ /nothing/;
    return [200, ['Content-Type', 'application/json'], $ANSWER];
});

my $proxy = 'proxy_pass http://' . $u->address . ';';

my $clients = $t->credentials('clients.json', {
    type => 'basic', id => 'full', secret => 'secret', principal => 'full',
    scopes => ['numbers'],
}, {
    type => 'basic', id => 'poor', secret => 'secret', principal => 'poor',
    scopes => ['other'],
});

$t->write_file('ours.json',
    '{"type": "basic", "id": "gateway", "secret": "s"}', 0600);

$t->write_file('deny.lua', <<'END');
return {
    request = function(ctx)
        if ctx.group and ctx.group.name == "broken" then error("oops") end
        if ctx.group and ctx.group.name == "denied" then
            return ctx:deny("forbidden", "not that name", "name")
        end
    end,
    response = function(ctx)
        if ctx.operation == "group.get" then
            return ctx:deny("not_found", "not to be seen")
        end
    end,
}
END

my $group = '/api/relay/rest/number_groups';

$t->nginx(server => <<"END");
    group_mode log_only;
    group_credentials $clients;
    group_upstream_credentials ours.json;
    group_policy deny.lua;

    location / {
        group_dialect signalwire;
        $proxy
    }

    location /v1/ {
        group_dialect signalwire;
        group_base_path /v1;
        $proxy
    }

    location /other/ {
        group_dialect signalwire;
        group_upstream_dialect portsip;
        group_base_path /other;
        $proxy
    }

    location /root {
        group_dialect signalwire;
        group_base_path /root;
        group_upstream_base_path /;
        $proxy
    }

    location /path {
        group_dialect signalwire;
        group_base_path /path;
        group_upstream_base_path /;
        proxy_pass http://@{[$u->address]}/;
    }

    location /moved/ {
        rewrite ^/moved/(.*) /path/\$1;
    }

    location /strict/ {
        group_dialect signalwire;
        group_base_path /strict;
        group_mode enforce;
        $proxy
    }

    location /small/ {
        group_dialect signalwire;
        group_base_path /small;
        client_max_body_size 10;
        $proxy
    }
END

my @good = (headers => ['Authorization', $t->basic('full', 'secret')]);

# What went upstream for a request, and the answer.
sub ask {
    my (%how) = @_;

    $u->clear;
    my $mark     = $t->mark;
    my $response = $t->request(@good, %how);
    my @sent     = $u->requests;

    return ($response, $sent[0], scalar @sent);
}

my %refused = (
    'no credentials' => [
        {headers => [], method => 'POST', uri => $group,
            json => {name => 'a'}}, 'unauthorized'],
    'a wrong password' => [
        {headers => ['Authorization', $t->basic('full', 'x')],
            method => 'POST', uri => $group, json => {name => 'a'}},
        'unauthorized'],
    'a scope that is missing' => [
        {headers => ['Authorization', $t->basic('poor', 'secret')],
            method => 'POST', uri => $group, json => {name => 'a'}},
        'forbidden'],
    'a field of a wrong type' => [
        {method => 'POST', uri => $group, json => {name => 1}}, 'invalid'],
    'a body that is no JSON' => [
        {method => 'POST', uri => $group, body => '{"name": "a",}',
            headers => [@{$good[1]}, 'Content-Type', 'application/json']},
        'malformed'],
    'a path that is none' => [
        {method => 'GET', uri => '/elsewhere?a=%2F&b'}, 'not_found'],
    'a method that is none' => [
        {method => 'DELETE', uri => $group}, 'method_not_allowed'],
    'a hook that refuses' => [
        {method => 'POST', uri => $group, json => {name => 'denied'}},
        'forbidden'],
    'a hook that fails' => [
        {method => 'POST', uri => $group, json => {name => 'broken'}},
        'internal'],
);

for my $what (sort keys %refused) {
    subtest "$what goes through, and the log says so" => sub {
        my ($how, $outcome) = @{$refused{$what}};
        my $mark = $t->mark;
        my ($response, $sent, $n) = ask(%$how);

        is($response->status, 200, 'status');
        is($response->body, $ANSWER, 'the upstream\'s bytes');
        is($n, 1, 'one call');
        is($sent->{method}, $how->{method}, 'method');
        is($sent->{uri}, $how->{uri}, 'URI as it came');
        is($sent->{body}, $how->{body}, 'body as it came')
            if exists $how->{body};
        is_deeply(json_decode($sent->{body}), $how->{json}, 'body')
            if $how->{json};
        is($sent->header('Authorization'), $t->basic('gateway', 's'),
            'signed in as the gateway');

        $t->like_log(qr/let through, not refused with \d+: $outcome/,
            'logged', $mark);
        is($t->last_access->{outcome}, $outcome, '$group_outcome');
    };
}

$t->expect_log(qr/oops/);

subtest 'another base path is put in its place' => sub {
    my ($response, $sent) = ask(method => 'PUT', uri => "/v1/x%2Fy?z=1",
        json => {});

    is($response->status, 200, 'status');
    is($sent->{uri}, '/api/relay/rest/x%2Fy?z=1', 'URI');
};

subtest 'paths that a base path leaves little of' => sub {
    for (
        ['/root', '/'],           ['/root?a=1', '/?a=1'],
        ['/root/', '/'],          ['/root/a%20b', '/a%20b'],
        ['/roots/a', '/roots/a'], ['/path', '/'],
        ['/path?a=1', '/?a=1'],   ['/path/', '/'],
        ['/path/a%2Fb?c', '/a%2Fb?c'], ['/paths', '/paths'],
        ['/moved/a%20%3Fb?c', '/a%20%3Fb?c'],
    ) {
        my ($uri, $expected) = @$_;
        my ($response, $sent) = ask(method => 'GET', uri => $uri);

        is($response->status, 200, "$uri: status");
        is($sent->{uri}, $expected, 'URI');
    }

    # no path at all
    for my $uri ('http://localhost', 'http://localhost?a=1') {
        my ($response, $sent) = ask(method => 'GET', uri => $uri, http1 => 1);

        is($response->status, 200, "$uri: status");
        is($sent->{uri}, $uri =~ /a=1/ ? '/?a=1' : '/', 'URI');
    }
};

subtest 'what the upstream refuses is its own answer' => sub {
    my ($response) = ask(method => 'GET', uri => '/nothing');

    is($response->status, 404, 'status');
    is($response->body, '<p>none', 'body');
    is($response->header('Content-Type'), 'text/html', 'media type');
};

subtest 'an answer that a hook refuses comes nevertheless' => sub {
    my $mark = $t->mark;
    my ($response, undef, $n) = ask(method => 'GET', uri => "$group/$UUID");

    is($response->status, 200, 'status');
    is($n, 1, 'one call');
    is(json_decode($response->body)->{name}, 'as it is', 'body');
    $t->like_log(qr/let through, not refused with 404/, 'logged', $mark);
};

subtest 'what is right is handled as ever' => sub {
    my $mark = $t->mark;
    my ($response, $sent) = ask(method => 'POST', uri => $group,
        json => {name => 'fine'});

    is($response->status, 200, 'status');
    $t->unlike_log(qr/let through/, 'nothing to say', $mark);
};

subtest 'another dialect cannot be spoken to, so it is refused' => sub {
    my ($response, undef, $n) = ask(method => 'POST',
        uri => '/other/number_groups', json => {name => 1});

    is($response->status, 422, 'status');
    is($n, 0, 'no call');
};

subtest 'enforce is the default, and can be set again' => sub {
    my ($response, undef, $n) = ask(method => 'POST',
        uri => '/strict/number_groups', json => {name => 1});

    is($response->status, 422, 'status');
    is($n, 0, 'no call');
};

subtest 'a body that nginx does not take is refused' => sub {
    my ($response, undef, $n) = ask(method => 'POST',
        uri => '/small/number_groups', json => {name => 'x' x 100});

    is($response->status, 413, 'status');
    is($n, 0, 'no call');
};

subtest 'a body that nginx cannot read is not sent in part' => sub {
    my $auth = $t->basic('full', 'secret');

    for my $chunks ("8\r\n{\"a\":1}\r\nzz\r\n", "2\r\n{}\r\n-1\r\n",
        "2\r\n{}x\r\n0\r\n\r\n")
    {
        for my $more ("Authorization: $auth\r\n", '') {
            $u->clear;
            my $response = $t->raw("POST $group HTTP/1.1\r\nHost: a\r\n"
                    . "Content-Type: application/json\r\n$more"
                    . "Transfer-Encoding: chunked\r\n\r\n$chunks");

            is($response->status, 400, substr $chunks, 0, 12);
            is($response->header('Connection'), 'close', 'the last one');
            is(scalar($u->requests), 0, 'no call');
        }
    }
};

subtest 'an upstream that is not there is told of' => sub {
    $u->stop;
    my $response = $t->request(@good, method => 'POST', uri => $group,
        json => {name => 1});

    is($response->status, 502, 'status');
    is($response->header('Content-Type'), 'application/json', 'in JSON');
};

done_testing();
