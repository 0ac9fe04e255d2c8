#!/usr/bin/perl

# lua/policies/opa.lua: decisions of a policy engine, in Open Policy Agent's
# JSON.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway::Policy;

my $p = Test::Gateway::Policy->new('opa');

# the engine says what the group is called, or a rule of its own
my $json = 'application/json';
my %said = (
    yes       => [200, [], {result => JSON::PP::true()}],
    no        => [200, [], {result => JSON::PP::false()}],
    allow     => [200, [], {result => {allow => JSON::PP::true()}}],
    refuse    => [200, [], {result => {allow => JSON::PP::false()}}],
    why       => [200, [], {result => {allow => JSON::PP::false(),
        reason => 'Not on a Sunday.', field => 'name'}}],
    undefined => [200, [], {}],
    null      => [200, [], {result => undef}],
    text      => [200, [], {result => 'true'}],
    one       => [200, [], {result => 1}],
    list      => [200, [], {result => [JSON::PP::true()]}],
    empty     => [200, [], {result => {}}],
    odd_allow => [200, [], {result => {allow => 'yes'}}],
    long      => [200, [], {result => {allow => JSON::PP::false(),
        reason => 'x' x 600, field => {}}}],
    bare      => [200, [], JSON::PP::true()],
    broken    => [200, ['Content-Type' => $json], '{"result": tr'],
    plain     => [200, ['Content-Type' => 'text/plain'], '{"result": true}'],
    error     => [500, [], {code => 'internal_error', message => 'm'}],
    bad       => [400, [], {code => 'invalid_parameter', message => 'm'}],
    none      => [404, [], {}],
    late      => {status => 200, delay => 1, body => {result =>
        JSON::PP::true()}},
    huge      => [200, ['Content-Type' => $json],
        '{"result": true, "x": "' . 'x' x 70000 . '"}'],
    short     => "HTTP/1.1 200 OK\r\nContent-Type: $json\r\n"
        . "Content-Length: 100\r\n\r\n{\"result\": true}",
);
my $engine = $p->t->upstream(sub {
    my ($request) = @_;
    my $input = eval { JSON::PP::decode_json($request->{body})->{input} };
    my ($name) = ($input->{group}{name} // 'yes') =~ /([a-z_]+)/;
    return $said{$name} // [500, [], 'what?'];
});

my %at = (
    change => $p->at('portsip', 'uri=/opa/v1/data/groups/allow timeout=300',
        signed => 1),
    vinyl  => $p->at('vinyldns', 'uri=/opa/v1/data/x', more =>
        'group_default description kept;'),
    all    => $p->at('portsip', 'uri=/opa/x operations=all'),
    some   => $p->at('portsip', 'uri=/opa/x operations=group.list,member.add'),
    field  => $p->at('signalwire', 'uri=/opa/x outcome=invalid'),
    pass   => $p->at('signalwire', 'uri=/opa/x on_error=pass timeout=300'),
    down   => $p->at('signalwire', 'uri=/down/'),
);

$p->start(server => <<"END");
location /opa/ {
    internal;
    group_dialect off;
    proxy_pass http://@{[$engine->address]}/;
}
location /down/ {
    internal;
    group_dialect off;
    proxy_pass http://127.0.0.1:@{[$p->t->refused_port]};
}
END

sub create {
    my ($at, $name, %option) = @_;
    $engine->clear;
    $option{bearer} //= 'one' if $at eq 'change';
    return $p->create($at{$at}, name => $name, -with => \%option);
}

sub input {
    my $last = $engine->last;
    return $last && $last->json->{input};
}


subtest 'what is asked' => sub {
    $p->passed(create('change', 'yes'), 'create');
    is($engine->last->{uri}, '/v1/data/groups/allow', 'uri');
    is($engine->last->{method}, 'POST', 'method');
    is($engine->last->{header}{'content-type'}, 'application/json', 'type');
    is($engine->last->{header}{authorization}, undef, 'no credential');
    is_deeply($engine->last->json, {input => {
        operation => 'group.create', dialect => 'portsip',
        upstream_dialect => 'portsip', id => undef, query => {},
        principal => {id => 'one', scopes => [qw(groups:read groups:write)]},
        group => {name => 'yes'},
        request => {method => 'POST', path => "$at{change}/groups",
            addr => '127.0.0.1'},
    }}, 'input') or diag(explain(input()));

    $p->passed($p->remove($at{change}, bearer => 'one'), 'delete');
    my $id = input()->{id};
    ok(length $id, 'the id of a group that is there');
    is(input()->{group}{id}, $id, 'in the group, too');

    $p->passed($p->create($at{vinyl}, name => 'yes',
        members => [{id => 'm1'}, {id => 'm2'}]), 'another dialect');
    is(input()->{principal}, undef, 'nobody');
    is_deeply(input()->{group}, {name => 'yes', email => 'a@example.com',
        description => 'kept', members => [{id => 'm1'}, {id => 'm2'}],
        admins => [{id => 'm1'}]}, 'the whole group, with group_default');
};

subtest 'which operations' => sub {
    my $asks = sub {
        my ($at, $method, $rest, $json) = @_;
        $engine->clear;
        $p->ask($method, $at{$at}, $rest, $json,
            $at eq 'change' ? (bearer => 'one') : ());
        my $input = input();
        return $input && $input->{operation};
    };
    my $id = $Test::Gateway::Policy::ID;

    is($asks->('change', GET => '/groups'), undef, 'no list');
    is($asks->('change', POST => "/groups/$id/members/5"), 'member.add',
        'all that changes');
    is(input()->{member}{id}, '5', 'with the member');
    is($asks->('all', GET => '/groups'), 'group.list', 'all: list');
    is($asks->('some', GET => '/groups'), 'group.list', 'some: list');
    is($asks->('some', GET => "/groups/$id"), undef, 'but no get');
    is($asks->('some', POST => "/groups/$id/members/5"), 'member.add',
        'and member.add');
};

subtest 'decisions' => sub {
    $p->passed(create('change', $_), "yes: $_") for qw(yes allow);
    $p->refused(create('change', $_), 403, undef, "no: $_")
        for qw(no refuse why undefined null text one list empty odd_allow
            long);

    $p->refused(create('field', 'why'), 422, qr/Not on a Sunday\./,
        'a reason, in another outcome');
    $p->refused(create('field', 'no'), 422, qr/not allowed by policy/,
        'no reason');
    $p->refused(create('field', 'long'), 422, qr/not allowed by policy/,
        'one that is too long');
};

subtest 'no decision' => sub {
    for my $name (qw(bare broken plain error bad none late huge short)) {
        $p->t->mark;
        $p->refused(create('change', $name), 503, undef, $name);
        $p->t->like_log(qr/\[error\].*no decision from \/opa/, 'log');
    }
    $p->refused(create('down', 'yes'), 503, undef, 'an engine that is down');
    $p->passed(create('pass', $_), "on_error=pass: $_")
        for qw(error late broken);
    is(create('pass', 'undefined')->status, 403, 'undefined is a decision');
};

subtest 'parameters' => sub {
    $p->bad('', 'uri is missing');
    $p->bad('uri=http://127.0.0.1:8181/', 'uri must begin with "/"');
    $p->bad('uri=/x operations=group.make', 'operations has the unknown');
    $p->bad('uri=/x timeout=1s', 'timeout must be 1 to 60000 ms');
    $p->bad('uri=/x outcome=done', 'outcome cannot be "done"');
    $p->bad('uri=/x on_error=fail', 'on_error must be deny or pass');
    $p->bad('uri=/x url=/y', 'unknown parameter "url"');
};

$p->t->stop;
done_testing;
