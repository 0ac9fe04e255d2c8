#!/usr/bin/env perl

# What went wrong once, and must not again: one subtest for each mistake that
# no other file of these tests had found.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

# the process that answers is a part of what is tested
local $ENV{TEST_GROUP_RELOAD} = 0;

my $t = Test::Gateway->new(workers => 1, variables => [qw(outcome error)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';
my @XML  = ('Content-Type' => 'application/xml');

my @people = ({id => 'm1', person => '17'}, {id => 'm2'}, {},
    {id => 'm3', person => '18'});

my %vinyldns = (id => $UUID, name => 'a', email => 'a@test.com',
    created => '2023-01-15T10:30:00Z', status => 'Active',
    members => [{id => '17'}], admins => [{id => '17'}]);

my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};
    my ($path) = $uri =~ /^([^?]*)/;

    # the vendor below
    return [200, [], {people => \@people}]
        if $path =~ m{^/thin/teams/\w+/people$} && $method eq 'GET';
    return [204, []] if $path =~ m{^/thin/teams/\w+/people/};
    return [200, [], {all => 5,
            teams => [map { {number => "$_", title => "t$_"} } 1 .. 5]}]
        if $path eq '/thin/teams';
    return [200, [], {number => "4", title => 'a'}]
        if $path =~ m{^/thin/teams/};

    return [200, [], {count => 5,
            items => [map { {id => $ID, name => "g$_"} } 1 .. 5]}]
        if $path eq '/api/groups';
    return [200, [], {items => []}] if $path =~ m{^/api/groups/.*/members$};
    return [200, [], {id => $ID, name => 'a'}] if $path =~ m{^/api/groups/};

    return [200, [@XML], '<response><message>Success</message>'
            . join('', map { '<contact_group><contact_group_url>http://a'
                    . "/ffws/v1/contact_groups/alice/$_</contact_group_url>"
                    . "<name>g$_</name></contact_group>" } 1 .. 5)
            . '</response>']
        if $path =~ m{^/ffws/};

    # SCIM leaves out what is empty
    return [200, ['Content-Type' => 'application/scim+json'],
        {id => 'g1', displayName => 'a'}]
        if $path =~ m{^/scim/v2/Groups/};
    return [200, ['Content-Type' => 'application/scim+json'],
        {totalResults => 1, Resources => [{id => 'g1', displayName => 'a'}]}]
        if $path =~ m{^/scim/v2/Groups};

    return [200, [], {links => {self => '/a', first => '/a'}, data => []}]
        if $path =~ m{^/api/relay/};

    return [200, [], {groups => [map { {%vinyldns, name => "g$_"} } 1 .. 5],
            maxItems => 100, ignoreAccess => \0}]
        if $path eq '/groups';
    return [200, [], {members => [{id => '17'}], maxItems => 100}]
        if $path =~ m{^/groups/[^/]+/members$};
    return [200, [], \%vinyldns] if $path =~ m{^/groups/};

    return [404, [], {error => "no $path"}];
});

# A vendor of the user's own that promises little: a membership may lack its
# member, and what is added may be nobody.
$t->write_file('dialects/thin.lua', <<'END');
local team = {
    field "number" { from = "id", type = "id" },
    field "title" { from = "name" },
}
local membership = {
    field "id" { type = "id" },
    field "person" { from = "member.id", type = "member_id" },
}

return dialect "thin" {
    media_type = "application/json",
    base_path = "/thin",

    operations = {
        ["group.list"] = {
            "GET", "/teams", search = "/teams/find",
            query = {
                field "size" { from = "limit", type = "integer", max = 9 },
                field "like" { from = "name_contains" },
                field "any" { from = "all", type = "boolean" },
            },
            response = {
                field "teams" { from = "items", type = "array", items = team },
                field "all" { from = "total", type = "integer" },
            },
        },
        ["group.get"] = { "GET", "/teams/{id}", response = team },
        ["group.replace"] = { "PUT", "/teams/{id}", request = { team[2] },
                              response = team },
        ["group.modify"] = { "PATCH", "/teams/{id}", patch = true,
                             response = team },
        ["member.list"] = {
            "GET", "/teams/{group_id}/people",
            response = { field "people" { from = "items", type = "array",
                                          items = membership } },
        },
        ["member.add"] = {
            "POST", "/teams/{group_id}/people", request = { membership[2] },
            response = membership,
        },
        ["member.remove"] = {
            "DELETE", "/teams/{group_id}/people/{member.id}", status = 204,
        },
    },

    problems = { ["*"] = { detail = "$field was $value" } },
    errors = { ["*"] = { body = { why = "$details" } } },
}
END

# the same, but people are added and removed by their numbers
my $by_number = $t->read_file('dialects/thin.lua');
$by_number =~ s/dialect "thin"/dialect "number"/;
$by_number =~ s{"POST", "/teams/\{group_id\}/people", .*?response = \w+}
    {"PUT", "/teams/{group_id}/people/{member.id}", status = 204}s
    or die "no POST\n";
$t->write_file('dialects/number.lua', $by_number);

$t->write_file('nothing.lua', <<'END');
return {
    request = function(ctx) ctx.query = nil end,
    response = function(ctx) ctx.query = nil end,
}
END

# a type that no query string can have
$t->write_file('types.lua', <<'END');
return { request = function(ctx)
    local value = ({true, {}, {1}, {{}}, {a = 1}, null, 1e308, 0.5})
        [tonumber(ctx:var("arg_value"))]
    ctx.query.limit, ctx.query.name_contains, ctx.query.all
        = value, value, value
end }
END

$t->credentials('clients.json',
    {type => 'basic', id => 'p', secret => 'x', scopes => ['numbers']});

my $locations = '';

sub at {
    my ($path, $client, $upstream, @more) = @_;

    my $more = join "\n", map { "$_;" } @more;
    $locations .= <<"END";
location $path/ {
    group_dialect $client;
    group_upstream_dialect $upstream;
    group_base_path $path;
    group_default owner alice;
    group_default email a\@test.com;
    group_default members 17;
    group_default admins 17;
    $more
    proxy_pass http://@{[$u->address]};
}
END

    return $path;
}

my @clients   = qw(signalwire vinyldns faxfinder portsip scim);
my @upstreams = qw(signalwire vinyldns faxfinder portsip thin);

for my $client (@clients) {
    for my $upstream (@upstreams) {
        at("/$client-$upstream", $client, $upstream);
        at("/nothing-$client-$upstream", $client, $upstream,
            'group_policy nothing.lua');
    }
}

at('/thin-vinyldns', 'thin', 'vinyldns');
at("/types-$_", $_, $_, 'group_policy types.lua') for qw(thin vinyldns);
at('/thin-thin', 'thin', 'thin');
at("/$_-number", $_, 'number') for qw(scim thin vinyldns portsip);
at("/$_-scim", $_, 'scim') for qw(signalwire faxfinder portsip);
at('/scoped', 'signalwire', 'signalwire', 'group_scope group.list nobody',
    'group_credentials clients.json');

# who had the request before us did not read all of its body
my $refused = $t->refused_port;
$locations .= <<"END";
location /small/ {
    group_dialect signalwire;
    group_base_path /small;
    client_max_body_size 100;
    error_page 413 = \@rest;
    proxy_pass http://@{[$u->address]};
}
location /unbuffered/ {
    proxy_request_buffering off;
    proxy_http_version 1.1;
    error_page 502 = \@unbuffered;
    proxy_pass http://127.0.0.1:$refused;
}
location \@unbuffered {
    group_dialect signalwire;
    group_base_path /unbuffered;
    proxy_pass http://@{[$u->address]};
}
location \@rest {
    group_dialect signalwire;
    group_base_path /small;
    proxy_pass http://@{[$u->address]};
}
END

$t->nginx(
    http => 'group_dialect_path dialects %%ROOT%%/lua/dialects;'
        . 'add_header X-Pid $pid always;',
    server => $locations,
);

my $pid = $t->get('/thin-thin/teams')->header('X-Pid');

# a worker that crashed is another one afterwards, and nginx tells
sub alive {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $r = $t->get('/thin-thin/teams');
    return is($r->status, 200, "$name: the next request")
        & is($r->header('X-Pid'), $pid, "$name: the same worker");
}

sub groups_uri {
    my ($client) = @_;
    return {signalwire => '/number_groups', vinyldns => '/groups',
        faxfinder => '/contact_groups/alice', portsip => '/groups',
        scim => '/Groups'}->{$client};
}


subtest 'a hook that takes the query away' => sub {
    my %query = (signalwire => 'page_size=3&filter_name=g',
        vinyldns => 'maxItems=3&groupNameFilter=g',
        faxfinder => 'limit=3&name=g&order=name',
        portsip => 'top=3&orderby=name', scim => 'count=3&sortBy=displayName');

    for my $client (@clients) {
        for my $upstream (@upstreams) {
            my $uri  = groups_uri($client);
            my $name = "$client in front of $upstream";

            my $r = $t->get("/nothing-$client-$upstream$uri?$query{$client}");
            ok(!$r->error, "$name: an answer") or diag($r->error);

            $r = $t->get("/nothing-$client-$upstream$uri/4/members");
            ok(!$r->error, "$name: members") or diag($r->error);

            $r = $t->get("/nothing-$client-$upstream$uri/$UUID"
                    . '/number_group_memberships') if $client eq 'signalwire';
            ok(!$r->error, "$name: memberships") or diag($r->error);
        }
    }

    alive('whatever is behind it');

    # nothing is asked for: neither of the vendor nor of us
    $u->clear;
    my $r = $t->get('/nothing-signalwire-signalwire/number_groups'
            . '?page_size=3&filter_name=x');
    is($r->status, 200, 'the same vendor') or diag($r->body);
    unlike(($u->last // {uri => 'filter_name'})->{uri},
        qr/filter_name|page_size=3\b/, 'is asked for all');

    $r = $t->get('/nothing-portsip-thin/groups?top=3&search=t1');
    is($r->status, 200, 'another vendor') or diag($r->body);
    is(scalar @{($r->json // {})->{items} // []}, 5, 'all are answered');
};

subtest 'pages far behind the last one' => sub {
    my $max = '9' x 18;

    for my $case (
        ['vinyldns', 'groups', map { "maxItems=100&startFrom=$_" }
                'o9223372036854775800', 'o9223372036854775807',
            'o9223372036854775707', 'o9223372036854775708', "o$max",
            'o5', 'o6'],
        ['signalwire', 'data', map { "page_size=1000&page_number=$_" }
                $max, '9223372036854775', '9223372036854776',
            '18446744073709552', '5'],
        ['signalwire', 'data', map { "page_size=1000&page_token=$_" }
                'o9223372036854775800', 'o9223372036854774807'],
        ['portsip', 'items', map { "top=100&orderby=name&skip=$_" } $max, 5],
        ['scim', 'Resources', map { "count=1000&startIndex=$_" } $max, 6],
    ) {
        my ($client, $items, @queries) = @$case;

        for my $query (@queries) {
            my $name = "$client $query";

            # a vendor that has no pages at all
            my $r = $t->get("/$client-thin" . groups_uri($client)
                    . "?$query");
            is($r->status, 200, $name) or diag($r->body);

            my $json = $r->json;
            $json = {} if ref $json ne 'HASH';
            is_deeply($json->{$items} // [], [], "$name: an empty page");
            is($json->{nextId} // ($json->{links} // {})->{next}, undef,
                "$name: no next one");
            is($json->{totalResults} // $json->{count} // 5, 5,
                "$name: the total is what it is");
        }
    }

    # behind those that are numbers at all
    for my $cursor ('o9223372036854775808', 'o18446744073709551616',
        'o' . '9' x 100, 'o', 'x5', 'o-1', 'oo1', 'o5x', 'o1e1')
    {
        my $r = $t->get("/vinyldns-thin/groups?startFrom=$cursor");
        is($r->status, 400, "$cursor is no cursor of ours") or diag($r->body);
        $r = $t->get("/signalwire-thin/number_groups?page_token=$cursor");
        is($r->status, 422, 'for no client') or diag($r->body);
    }

    # one after the other, each group is seen once
    my ($cursor, @seen) = ('');
    for (1 .. 5) {
        my $r = $t->get("/vinyldns-thin/groups?maxItems=2$cursor");
        my $json = $r->json // {};
        push @seen, map { $_->{name} } @{$json->{groups} // []};
        last if !defined $json->{nextId};
        $cursor = "&startFrom=$json->{nextId}";
    }
    is_deeply(\@seen, [map { "t$_" } 1 .. 5], 'and those that are there');

    alive('far behind');
};

# the operations of a PATCH that look at the members that are there
my %patch = (
    add    => {op => 'add', path => 'members', value => [{value => '19'}]},
    remove => {op => 'remove', path => 'members[value eq "17"]'},
    all    => {op => 'remove', path => 'members'},
    replace => {op => 'replace', path => 'members',
        value => [{value => '18'}]},
    absent => {op => 'remove', path => 'members[value eq "no"]'},
);

sub change {
    my ($path, $operation) = @_;

    $u->clear;
    my $r = $t->request(method => 'PATCH', uri => $path, json => {
            schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
            Operations => [$operation]});

    return ($r, map { "$_->{method} $_->{uri}" }
            grep { $_->{method} ne 'GET' } $u->requests);
}

subtest 'a membership without its member' => sub {
    my $people = '/thin/teams/4/people';

    for my $at ('/scim-number/Groups/4', '/scim-thin/Groups/4',
        '/thin-number/teams/4')
    {
        for my $name (sort keys %patch) {
            my ($r) = change($at, $patch{$name});
            ok($r->status >= 200 && !$r->error, "$at: $name")
                or diag($r->raw);
        }
    }

    alive('PATCH');

    # who is known is changed, and who is not is left alone
    my ($r, @calls) = change('/scim-number/Groups/4', $patch{remove});
    is($r->status, 204, 'a member that is known') or diag($r->body);
    is_deeply(\@calls, ["DELETE $people/17"], 'is removed');

    ($r, @calls) = change('/scim-number/Groups/4', $patch{add});
    is($r->status, 204, 'a new one') or diag($r->body);
    is_deeply(\@calls, ["PUT $people/19"], 'is added');

    ($r, @calls) = change('/scim-number/Groups/4', $patch{replace});
    is_deeply(\@calls, ["DELETE $people/17"], 'all but one');

    # the other plans that read memberships
    for my $call (
        ['GET', '/scim-number/Groups/4'], ['GET', '/scim-number/Groups'],
        ['GET', '/vinyldns-number/groups/4'],
        ['GET', '/vinyldns-number/groups/4/members'],
        ['GET', '/portsip-number/groups/NA==/members'],
        ['GET', '/portsip-number/groups/NA==/members/17'],
        ['POST', '/portsip-number/groups/NA==/members/17/destroy'],
        ['POST', '/portsip-number/groups/NA==/members/99/destroy'],
        ['DELETE', '/thin-number/teams/4/people/17'],
        ['GET', '/thin-number/teams/4/people'],
        ['PUT', '/scim-number/Groups/4',
            {schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
                displayName => 'a', members => [{value => '18'}]}],
        ['PUT', '/vinyldns-number/groups/4',
            {id => '4', name => 'a', email => 'a@test.com',
                members => [{id => '18'}], admins => []}],
        ['DELETE', '/vinyldns-number/groups/4'],
    ) {
        my ($method, $uri, $json) = @$call;
        my $answer = $t->request(method => $method, uri => $uri,
            $json ? (json => $json) : ());
        ok($answer->status >= 200 && !$answer->error, "$method $uri")
            or diag($answer->raw);
    }

    alive('other plans');
};

subtest 'nobody is added' => sub {
    for my $upstream (qw(vinyldns thin number)) {
        for my $body ('{}', '{"person":null}', '{"other":"17"}',
            '{"person":""}')
        {
            $u->clear;
            my $r = $t->post("/thin-$upstream/teams/$UUID/people",
                body => $body,
                headers => ['Content-Type' => 'application/json']);
            my $name = "$upstream $body";

            ok(!$r->error, "$name: an answer") or diag($r->error);
            my @writes = grep { $_->{method} ne 'GET' } $u->requests;

            # the same vendor judges for itself
            next if $upstream eq 'thin';

            is($r->status, 400, "$name: refused") or diag($r->body);
            like(($r->json // {})->{why} // '', qr/member\.id|person/,
                "$name: and why");
            is(scalar(@writes), 0, "$name: nothing is written");
        }
    }

    alive('nobody');

    $u->clear;
    my $r = $t->post("/thin-vinyldns/teams/$UUID/people",
        json => {person => '18'});
    my ($put) = grep { $_->{method} eq 'PUT' } $u->requests;
    is_deeply([map { $_->{id} } @{($put ? $put->json : {})->{members} // []}],
        ['17', '18'], 'somebody is');
};

# What was wrong was told as the text that it is not.
subtest 'types that a query does not have' => sub {
    for my $value (1 .. 8) {
        for my $at ('thin/teams', 'vinyldns/groups') {
            my $r = $t->get("/types-$at?value=$value");
            ok(!$r->error, "by a hook: $at $value") or diag($r->error);
            unlike($r->body, qr/[^ -~\n]/, 'nothing else is told');
        }
    }

    for my $value ('true', '{}', '[1]', '[{}]', '{"a":1}', '[[true]]') {
        for my $name (qw(size like any)) {
            my $r = $t->post('/thin-thin/teams/find',
                body => "{\"$name\":$value}",
                headers => ['Content-Type' => 'application/json']);
            ok(!$r->error, "by a client: $name $value") or diag($r->error);
            unlike($r->body, qr/[^ -~\n]/, 'nothing else is told');
        }
    }

    alive('types');
};

# RFC 7643, 2.5: it was taken for an answer that does not tell.
subtest 'SCIM groups without the attribute members' => sub {
    my $r = $t->get('/signalwire-scim/number_groups/' . $UUID);
    is($r->status, 200, 'a group') or diag($r->body);
    is($r->json->{phone_number_count}, 0, 'has none');

    $r = $t->get('/signalwire-scim/number_groups');
    is($r->status, 200, 'a list') or diag($r->body);
    is($r->json->{data}[0]{phone_number_count}, 0, 'of groups that have none');

    $r = $t->get('/portsip-scim/groups/ZzE=/members');
    is_deeply($r->json, {items => []}, 'its members') or diag($r->body);

    $r = $t->get('/faxfinder-scim/contact_groups/alice/g1');
    is($r->status, 200, 'another client') or diag($r->body);
};

# PortSIP answers what is blank as null; members had no "id" at all.
subtest 'ids of members that only PortSIP has' => sub {
    my $r = $t->get('/portsip-vinyldns/groups/ZzE=/members');
    is_deeply([sort keys %{$r->json->{items}[0] // {}}],
        [qw(display_name extension_number id name)], 'all keys')
        or diag($r->body);
    is($r->json->{items}[0]{id}, undef, 'null');
};

# RFC 9110, 15.5.2
subtest 'each 401 tells how to sign in' => sub {
    my $r = $t->request(uri => '/scoped/number_groups', auth => ['p', 'x']);
    is($r->status, 401, 'a scope is missing') or diag($r->body);
    is($r->header('WWW-Authenticate'), 'Basic realm="SignalWire"', 'how');
};

subtest 'a body of which a part was read' => sub {
    for my $case (
        ['/small', sprintf("%x\r\n", 200) . 'x' x 200 . "\r\n0\r\n\r\n"],
        ['/unbuffered', ''],
    ) {
        my ($path, $rest) = @$case;
        my $body = '{"name":"a"}';
        my $c    = $t->client;

        $u->clear;
        $c->send("POST $path/number_groups HTTP/1.1\r\nHost: a\r\n"
                . "Content-Type: application/json\r\n"
                . "Transfer-Encoding: chunked\r\n\r\n");
        select undef, undef, undef, 0.1;
        $c->send(sprintf "%x\r\n%s\r\n", length $body, $body);
        select undef, undef, undef, 0.1;
        $c->send($rest);

        my $r = $c->response;
        is($r->status, 400, "$path: is refused") or diag($r->raw);
        is($r->header('Connection'), 'close', 'with the connection');
        is(scalar($u->requests), 0, 'no call');
        $c->close;
    }

    alive('a part of a body');
};

$t->stop;
done_testing;
