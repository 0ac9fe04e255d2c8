#!/usr/bin/perl

# group_response_buffer_size, group_max_depth and group_max_members: of
# requests and of answers.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Locations;
use Test::Gateway::Message qw(json_encode);

my $t = Test::Gateway->new(variables => [qw(outcome error)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my %group = (id => $UUID, name => 'a', email => 'a@test.com',
    created => '2023-01-15T10:30:00Z', status => 'Active', members => [],
    admins => []);

my @JSON = ('Content-Type' => 'application/json');

# answers as it is told, with as many bytes as it is asked for, or with a group
my $u = $t->upstream(sub {
    my ($request) = @_;
    my $bytes = $request->{header}{'x-bytes'};
    return [200, [@JSON], of_bytes($bytes)] if $bytes;
    return [200, ['Content-Type' => 'application/xml'],
        '<response><message>Created</message><contact_group>'
            . '<contact_group_url>http://a/ffws/v1/contact_groups/alice/4'
            . '</contact_group_url><name>a</name></contact_group></response>']
        if $request->{uri} =~ m{^/ffws/};
    return [200, [], {%group}];
});

my $locations = Test::Gateway::Locations->new($u);
my $proxy = $locations->proxy;

sub at { return $locations->at(@_) }

my @given = ('group_default email a@test.com', 'group_default members m',
    'group_default admins m');

my %at = (
    default => at('vinyldns', 'vinyldns'),
    depth   => at('vinyldns', 'vinyldns', 'group_max_depth 3'),
    flat    => at('signalwire', 'vinyldns', @given, 'group_max_depth 1'),
    xml_depth => at('faxfinder', 'faxfinder', 'group_max_depth 3'),
    members => at('vinyldns', 'vinyldns', 'group_max_members 3'),
    other   => at('signalwire', 'vinyldns', @given, 'group_max_members 3'),
    xml     => at('faxfinder', 'faxfinder', 'group_max_members 300'),
    buffer  => at('vinyldns', 'vinyldns', 'group_response_buffer_size 1k'),
    small   => at('signalwire', 'vinyldns', @given,
        'group_response_buffer_size 1k'),
    large   => at('signalwire', 'vinyldns', @given),
);

$locations->add(<<"END");
location /levels/ {
    group_dialect vinyldns;
    group_base_path /levels;
    group_max_members 1;
    group_max_depth 3;
    group_response_buffer_size 1k;
    $proxy
    location /levels/in/ { group_base_path /levels/in; $proxy }
    location /levels/own/ {
        group_base_path /levels/own;
        group_max_members 2;
        group_max_depth 4;
        group_response_buffer_size 2k;
        $proxy
    }
}
END

$t->nginx(
    http   => 'client_max_body_size 20m;',
    server => $locations->text,
);


my %new = (name => 'a', email => 'a@test.com', members => [], admins => []);

# the status, and whether something was sent
sub create {
    my ($path, %more) = @_;

    $u->clear;
    my $r = $t->post("$path/groups", json => {%new, %more});

    return $r->status . ' ' . scalar(() = $u->requests);
}

sub nested {
    my ($depth) = @_;
    my $value = [];
    $value = [$value] for 2 .. $depth;
    return $value;
}

sub people { return [map { {id => "m$_"} } 1 .. $_[0]] }


subtest 'group_max_depth' => sub {
    is(create($at{depth}, members => people(1)), '200 1', 'the limit');
    is(create($at{depth}, unknown => nested(2)), '200 1',
        'fields that nobody knows count');
    is(create($at{depth}, unknown => nested(3)), '400 0', 'one more');
    is(create($at{depth}, unknown => nested(400)), '400 0', 'a lot more');
    is(create($at{depth}, members => [{id => 'm', x => {}}]), '400 0',
        'objects and arrays alike');

    $u->clear;
    my $r = $t->post("$at{depth}/groups", json => {%new, x => nested(3)});
    is($r->header('Content-Type'), 'text/plain; charset=UTF-8',
        'refused as malformed');
    like($r->body, qr/^The request content was malformed:\n.+/, 'and why');

    $r = $t->post("$at{depth}/groups", body => '[' x 1000000,
        headers => ['Content-Type' => 'application/json']);
    is($r->status, 400, 'more than anybody should go down');

    $r = $t->post("$at{flat}/number_groups", json => {name => 'a', x => []});
    is($r->status, 400, 'a SignalWire client');
    is($r->body, '{"error":"Bad Request"}', 'in its words');

    is(create($at{default}, unknown => nested(31)), '200 1',
        'the limit is 32 unless it is set');
    is(create($at{default}, unknown => nested(32)), '400 0', 'one more');
};

subtest 'group_max_depth of XML' => sub {
    my $depth = sub {
        my ($n) = @_;
        my $xml = '<contact_group><name>a</name>'
            . '<x>' x $n . '</x>' x $n . '</contact_group>';
        $u->clear;
        my $r = $t->post("$at{xml_depth}/contact_groups/alice", body => $xml,
            headers => ['Content-Type' => 'application/xml']);
        return $r->status . ' ' . scalar(() = $u->requests);
    };

    is($depth->(2), '200 1', 'the limit');
    is($depth->(3), '400 0', 'one more');
    is($depth->(20000), '400 0', 'a lot more');
};

subtest 'group_max_depth of an answer' => sub {
    $u->answer([200, [], {%group, unknown => nested(2)}]);
    my $r = $t->get("$at{depth}/groups/$UUID");
    is($r->status, 200, 'the limit');

    for my $at (qw(depth flat)) {
        $u->answer([200, [], {%group, unknown => nested(5)}]);
        $r = $at eq 'flat'
            ? $t->post("$at{$at}/number_groups", json => {name => 'a'})
            : $t->get("$at{$at}/groups/$UUID");
        is($r->status, 502, "$at: more");
        is($r->header('Content-Length'), length $r->body, 'length');
    }
};

subtest 'group_max_members' => sub {
    is(create($at{members}, members => people(3), admins => people(3)),
        '200 1', 'the limit, of each list');
    is(create($at{members}, members => people(4)), '400 0', 'one more');
    is(create($at{members}, admins => people(4)), '400 0', 'of admins');
    is(create($at{members}, unknown => people(4)), '400 0',
        'of a list that nobody knows');
    is(create($at{members}, members => people(5000)), '400 0', 'a lot more');

    my $r = $t->post("$at{members}/groups",
        json => {%new, members => people(4)});
    like($r->body, qr/^The request content was malformed:\n.*\b3\b/,
        'the limit is told');

    is(create($at{default}, members => people(10000)), '200 1',
        'the limit is 10000 unless it is set');
    is(create($at{default}, members => people(10001)), '400 0', 'one more');
};

subtest 'group_max_members of XML' => sub {
    my $contacts = sub {
        my ($n) = @_;
        my $xml = '<contact_group><name>a</name><description>d</description>'
            . join('', map {
            "<contact>http://a$at{xml}/contacts/alice/$_</contact>"
            } 1 .. $n) . '</contact_group>';
        $u->clear;
        my $r = $t->post("$at{xml}/contact_groups/alice", body => $xml,
            headers => ['Content-Type' => 'application/xml']);
        return $r->status . ' ' . scalar(() = $u->requests);
    };

    # an element has its members beside its other fields: there is some room
    is($contacts->(300), '200 1', 'the limit');
    is($contacts->(600), '400 0', 'more');
};

subtest 'group_max_members of an answer' => sub {
    $u->answer([200, [], {%group, members => people(3)}]);
    is($t->get("$at{members}/groups/$UUID")->status, 200, 'the limit');

    $u->answer([200, [], {%group, members => people(4)}]);
    is($t->get("$at{members}/groups/$UUID")->status, 502, 'one more');

    $u->answer([200, [], {%group, members => people(4)}]);
    my $r = $t->post("$at{other}/number_groups", json => {name => 'a'});
    is($r->status, 502, 'for another client');
    is($r->header('Content-Type'), 'application/json', 'in its words');
};

# a group that takes so many bytes
sub of_bytes {
    my ($bytes) = @_;
    my %of = (%group, description => '');
    return json_encode({%of,
        description => 'x' x ($bytes - length json_encode(\%of))});
}

subtest 'group_response_buffer_size' => sub {
    for (['with a length', {}], ['in chunks', {chunked => 1}],
        ['until the end of the connection', {without_length => 1}])
    {
        my ($name, $how) = @$_;

        for my $at (qw(buffer small)) {
            my $get = sub {
                my ($bytes) = @_;
                my $body = of_bytes($bytes);
                $body = [unpack '(a100)*', $body] if $how->{chunked};
                $u->answer({status => 200, headers => [@JSON],
                    body => $body, %$how});
                return $at eq 'small'
                    ? $t->post("$at{$at}/number_groups",
                    json => {name => 'a'})
                    : $t->get("$at{$at}/groups/$UUID");
            };

            my $r = $get->(1024);
            is($r->status, 200, "$at, $name: the limit");

            $t->mark;
            for my $bytes (1025, 200000) {
                $r = $get->($bytes);
                is($r->status, 502, "$at, $name: $bytes bytes");
                is($r->error, undef, 'an answer all the same');
                is($r->header('Content-Length'), length $r->body, 'length');
                unlike($r->body, qr/xxxx/, 'without what came');
            }
            $t->like_log(qr/larger than group_response_buffer_size/, 'log');
        }
    }

    is($t->get("$at{buffer}/groups/$UUID")->status, 200,
        'the next one is fine');

    $u->answer([404, [@JSON], '"' . 'x' x 5000 . '"']);
    my $r = $t->get("$at{buffer}/groups/$UUID");
    like($r->status, qr/^(?:404|502)$/, 'a large error');
    cmp_ok(length $r->body, '<', 2048, 'is not passed on');
};

subtest '8 megabytes unless it is set' => sub {
    my $limit = 8 * 1024 * 1024;

    for ([$limit, 200], [$limit + 1, 502]) {
        my ($bytes, $status) = @$_;
        my $r = $t->post("$at{large}/number_groups", json => {name => 'a'},
            headers => ['X-Bytes' => $bytes]);
        is($r->status, $status, "$bytes bytes");
    }
};

subtest 'levels' => sub {
    for my $at (qw(/levels /levels/in)) {
        is(create($at, members => people(1)), '200 1', "$at: members");
        is(create($at, members => people(2)), '400 0', 'more');
        is(create($at, x => nested(2)), '200 1', 'depth');
        is(create($at, x => nested(3)), '400 0', 'more');

        $u->answer([200, [@JSON], of_bytes(1025)]);
        is($t->get("$at/groups/$UUID")->status, 502, 'more bytes');
    }

    my $at = '/levels/own';
    is(create($at, members => people(2)), '200 1', 'own: members');
    is(create($at, x => nested(3)), '200 1', 'own: depth');
    $u->answer([200, [@JSON], of_bytes(1025)]);
    is($t->get("$at/groups/$UUID")->status, 200, 'own: bytes');
};

subtest 'the directives' => sub {
    $t->config_ok("group_max_depth $_;", "group_max_depth $_") for 1, 32, 256;
    $t->config_fails("group_max_depth $_;",
        qr/value must be between 1 and 256/, "group_max_depth $_")
        for 0, 257, 1000000;
    $t->config_ok("group_max_members $_;", "group_max_members $_")
        for 1, 1000000;
    $t->config_ok("group_response_buffer_size $_;",
        "group_response_buffer_size $_") for qw(1k 4096 64m);

    $t->config_fails('group_max_members 0;',
        qr/value must be equal to or greater than 1/, 'group_max_members 0');
    $t->config_fails("$_ 0;", qr/"$_" directive must not be 0 in .*:\d+/,
        "$_ 0")
        for qw(group_response_buffer_size group_policy_timeout
        group_policy_memory);

    for my $d (qw(group_max_depth group_max_members
        group_response_buffer_size))
    {
        $t->config_fails("$d x;", qr/"$d" directive invalid|invalid number/,
            "$d x");
        $t->config_fails("$d -1;", qr/"$d" directive|invalid number/,
            "$d -1");
        $t->config_fails("$d 9; $d 9;", qr/"$d" directive is duplicate/,
            "$d twice");
        $t->config_fails("$d;", qr/invalid number of arguments/, $d);
        $t->config_fails("location / { if (\$arg_a) { $d 9; } }",
            qr/directive is not allowed here/, "$d in if");
    }
};

$t->stop;
done_testing;
