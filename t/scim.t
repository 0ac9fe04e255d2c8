# SCIM 2.0 in front of each of the vendors: what Okta and Microsoft Entra ID
# say in the life of a group, and what the RFCs say of the answers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Vendors qw(
    gateway_server groups_at json_is path_segment sign_in
);

my $CORE     = 'urn:ietf:params:scim:schemas:core:2.0:';
my $MESSAGES = 'urn:ietf:params:scim:api:messages:2.0:';
my $ENTRA_GROUP
    = 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM'
    . '/2.0/Group';

my $OK     = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';
my $NUMBER = '3fa85f64-5717-4562-b3fc-0000000000';

# The vendors behind it. "members": whom each knows; "always": who is in a
# group whether the client says so or not (VinylDNS adds the caller); "more":
# what the vendor requires and SCIM does not have; "pages": groups that take
# the upstream more than one page.
my %upstream = (
    portsip => {
        members => [101 .. 106], always => [], pages => 120,
        more    => '',
    },
    vinyldns => {
        members => [map { sprintf 'dummy%03d', $_ } 1 .. 6],
        always  => [$OK], pages => 3005,
        more    => "group_default email o\@example.com;
            group_default members $OK; group_default admins $OK;",
        options => {domain => 'example.com'},
    },
    signalwire => {
        members => [map { sprintf '%s%02d', $NUMBER, $_ } 1 .. 6],
        always  => [], pages => 1005, more => '',
        options => {'any-number' => undef},
    },
    faxfinder => {
        members => [1 .. 6], always => [], pages => 40,
        more    => 'group_default owner alice;',
    },
);

my @upstreams = sort keys %upstream;

my $t = Test::Gateway->new;

my %emulator = map {
    ($_ => $t->emulator($_, 'no-unknown-fields' => undef,
        %{$upstream{$_}{options} // {}}))
} @upstreams;

# SCIM as an upstream: this gateway's own, behind PortSIP's API
my $token = $t->write_file('scim.json',
    json_encode({type => 'bearer', token => {sign_in('scim')}->{bearer}}),
    0600);

$t->nginx(servers => join '', map {
    gateway_server($t, client => 'scim', upstream => $_,
        url => $emulator{$_}->url, more => $upstream{$_}{more}),
    gateway_server($t, name => "behind.$_", client => 'portsip',
        upstream => 'scim', open => 1, url => 'http://127.0.0.1:%%PORT%%',
        more => "group_upstream_credentials $token;
            proxy_set_header Host scim.$_;")
} @upstreams);

# A call of a client; a body that is there is JSON in SCIM's media type.
sub scim {
    my ($upstream, $method, $path, $data, %more) = @_;

    my $r = $t->request(sign_in('scim'), method => $method,
        uri => "/scim/v2$path",
        $data ? (body => json_encode($data)) : (), %more,
        headers => [Host => "scim.$upstream",
            $data ? ('Content-Type' => 'application/scim+json') : (),
            @{$more{headers} // []}]);

    is($r->header('Content-Type'), 'application/scim+json',
        "$method $path: media type")
        if length $r->body;

    return $r;
}

sub patch {
    my ($upstream, $id, @operations) = @_;
    return scim($upstream, 'PATCH', "/Groups/$id",
        {schemas => ["${MESSAGES}PatchOp"], Operations => \@operations});
}

sub by_name {
    my ($name) = @_;
    return 'filter=' . path_segment(qq{displayName eq "$name"});
}

sub url {
    my ($upstream, $id) = @_;
    return "http://scim.$upstream/scim/v2/Groups/$id";
}

# RFC 7644, 3.12: the status is a text, scimType stands with 400 and 409 only
sub is_error {
    my ($r, $status, $type, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->status, $status, "$name: status");
    my $error = $r->json;
    like($error->{detail}, qr/\S/, "$name: detail");
    json_is($r->body, {
        schemas => ["${MESSAGES}Error"],
        status  => "$status",
        detail  => $error->{detail},
        defined $type ? (scimType => $type) : (),
    }, "$name: body");
    return;
}

# a ListResponse with whole numbers; the resources
sub is_list {
    my ($r, $total, $start, $n, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->status, 200, "$name: status") or diag($r->body);
    my $list = $r->json // {};
    my @resources = @{$list->{Resources} // []};
    delete $list->{Resources};
    is(json_encode($list), json_encode({
        schemas      => ["${MESSAGES}ListResponse"],
        totalResults => $total,
        startIndex   => $start,
        itemsPerPage => $n,
    }), "$name: envelope") or diag($r->body);
    is(scalar @resources, $n, "$name: resources");
    return @resources;
}

# members as SCIM shows them, their ids in order
sub ids {
    my ($group) = @_;
    return [sort map { $_->{value} } @{$group->{members} // []}];
}

# what the vendor itself has, by the group's name
sub kept {
    my ($upstream, $name) = @_;
    my $group = groups_at($t, $emulator{$upstream}, $upstream)->{$name};
    return $group && $group->{members};
}

sub with_always {
    my ($upstream, @members) = @_;
    my %seen;
    return [sort grep { !$seen{$_}++ }
        @{$upstream{$upstream}{always}}, map {"$_"} @members];
}

sub has_members {
    my ($upstream, $id, $name, $members, $test) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $expected = with_always($upstream, @$members);
    is_deeply(kept($upstream, $name), $expected, "$test: upstream");
    my $r = scim($upstream, 'GET', "/Groups/$id");
    is_deeply(ids($r->json), $expected, "$test: read back");
    is($r->json->{displayName}, $name, "$test: the name");
    return;
}

for my $u (@upstreams) {
    my @m = map {"$_"} @{$upstream{$u}{members}};

    subtest "Okta provisions groups of $u" => sub {
        is_list(scim($u, 'GET', '/Groups?startIndex=1&count=100'),
            0, 1, 0, 'test of the connection');
        is_list(scim($u, 'GET',
            '/Groups?' . by_name('Okta Team') . '&startIndex=1&count=100'),
            0, 1, 0, 'is there one?');

        my $r = scim($u, 'POST', '/Groups', {
            schemas => ["${CORE}Group"], displayName => 'Okta Team',
            members => []
        });
        is($r->status, 201, 'created') or return diag($r->body);
        my $id = $r->json->{id};
        is(ref \$id, 'SCALAR', 'with an id');
        is($r->header('Location'), url($u, $id), 'Location');
        is($r->json->{meta}{location}, url($u, $id), 'and in meta');
        is($r->json->{meta}{resourceType}, 'Group', 'resourceType');
        is_deeply($r->json->{schemas}, ["${CORE}Group"], 'schemas');
        is($r->json->{displayName}, 'Okta Team', 'displayName');
        is_deeply(kept($u, 'Okta Team'), with_always($u), 'kept upstream');

        my ($found) = is_list(scim($u, 'GET',
            '/Groups?' . by_name('Okta Team') . '&startIndex=1&count=100'),
            1, 1, 1, 'it is found');
        is($found->{id}, $id, 'by its name');

        $r = scim($u, 'GET', "/Groups/$id");
        is($r->status, 200, 'read');
        is($r->json->{id}, $id, 'itself');

        # an integration of the network: sent along with memberships
        $r = patch($u, $id, {op => 'replace',
            value => {id => $id, displayName => 'Okta Crew'}});
        is($r->status, 204, 'renamed') or diag($r->body);
        is($r->body, '', 'without a body');
        has_members($u, $id, 'Okta Crew', [], 'renamed');

        $r = patch($u, $id, {op => 'add', path => 'members',
            value => [map { {value => $_, display => "Who $_"} } @m[0, 1]]});
        is($r->status, 204, 'two are added') or diag($r->body);
        has_members($u, $id, 'Okta Crew', [@m[0, 1]], 'two');

        $r = patch($u, $id,
            {op => 'remove', path => qq{members[value eq "$m[0]"]}},
            {op => 'add', path => 'members',
                value => [{value => $m[2], display => 'Third'}]});
        is($r->status, 204, 'one goes, one comes') or diag($r->body);
        has_members($u, $id, 'Okta Crew', [@m[1, 2]], 'one of each');

        $r = patch($u, $id, {op => 'replace', path => 'members',
            value => [map { {value => $_} } @m[3, 4, 1]]});
        is($r->status, 204, 'full push') or diag($r->body);
        has_members($u, $id, 'Okta Crew', [@m[1, 3, 4]], 'full push');

        # an integration of the app wizard
        $r = scim($u, 'PUT', "/Groups/$id", {
            schemas => ["${CORE}Group"], id => $id,
            displayName => 'Okta Wizards',
            members => [map { {value => $_, display => 'x'} } @m[0, 5]]
        });
        is($r->status, 200, 'replaced') or diag($r->body);
        is($r->json->{displayName}, 'Okta Wizards', 'renamed by it');
        is_deeply(ids($r->json), with_always($u, @m[0, 5]), 'its members');
        has_members($u, $id, 'Okta Wizards', [@m[0, 5]], 'replaced');

        $r = scim($u, 'DELETE', "/Groups/$id");
        is($r->status, 204, 'deleted');
        is($r->body, '', 'without a body');
        is(kept($u, 'Okta Wizards'), undef, 'gone upstream');
        is_error(scim($u, 'GET', "/Groups/$id"), 404, undef, 'read again');
        is_error(scim($u, 'DELETE', "/Groups/$id"), 404, undef,
            'deleted again');
    };

    subtest "Entra ID provisions groups of $u" => sub {
        my $filter = '/Groups?excludedAttributes=members&'
            . by_name('Entra Team');
        is_list(scim($u, 'GET', $filter), 0, 1, 0, 'is there one?');

        my $r = scim($u, 'POST', '/Groups', {
            schemas     => ["${CORE}Group", $ENTRA_GROUP],
            externalId  => '8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159',
            displayName => 'Entra Team',
            meta        => {resourceType => 'Group'},
        });
        is($r->status, 201, 'created') or return diag($r->body);
        my $id = $r->json->{id};
        is($r->header('Location'), url($u, $id), 'Location');
        is_deeply(kept($u, 'Entra Team'), with_always($u), 'kept upstream');

        my ($found) = is_list(scim($u, 'GET', $filter), 1, 1, 1, 'found');
        is($found->{id}, $id, 'it is');
        ok(!exists $found->{members}, 'without members');

        $r = scim($u, 'GET', "/Groups/$id?excludedAttributes=members");
        is($r->status, 200, 'read');
        ok(!exists $r->json->{members}, 'without members');
        is($r->json->{displayName}, 'Entra Team', 'but with a name');

        $r = patch($u, $id, {op => 'Replace', path => 'displayName',
            value => 'Entra Crew'});
        is($r->status, 204, 'renamed') or diag($r->body);
        has_members($u, $id, 'Entra Crew', [], 'renamed');

        my $null = undef;
        $r = patch($u, $id, {op => 'Add', path => 'members',
            value => [map { {'$ref' => $null, value => $_} } @m[0 .. 3]]});
        is($r->status, 204, 'four are added') or diag($r->body);
        has_members($u, $id, 'Entra Crew', [@m[0 .. 3]], 'four');

        $r = patch($u, $id, {op => 'Add', path => 'members',
            value => [{'$ref' => $null, value => $m[0]}]});
        is($r->status, 204, 'who is there is added') or diag($r->body);
        has_members($u, $id, 'Entra Crew', [@m[0 .. 3]], 'no change');

        # by the RFC it would be all of them
        $r = patch($u, $id, {op => 'Remove', path => 'members',
            value => [{'$ref' => $null, value => $m[1]}]});
        is($r->status, 204, 'only one is removed') or diag($r->body);
        has_members($u, $id, 'Entra Crew', [@m[0, 2, 3]], 'three');

        $r = patch($u, $id,
            {op => 'remove', path => qq{members[value eq "$m[2]"]}});
        is($r->status, 204, 'one by a filter') or diag($r->body);
        has_members($u, $id, 'Entra Crew', [@m[0, 3]], 'two');

        # values that are texts
        $r = patch($u, $id, {op => 'Remove', path => 'members',
            value => [$m[3]]});
        is($r->status, 204, 'one by a text') or diag($r->body);
        has_members($u, $id, 'Entra Crew', [$m[0]], 'one');

        is_list(scim($u, 'GET', '/Groups?filter=' . path_segment(
            qq{displayName eq "Entra Crew" and id eq "$id"})),
            1, 1, 1, 'found with "and"');

        $r = scim($u, 'DELETE', "/Groups/$id");
        is($r->status, 204, 'deleted');
        is(kept($u, 'Entra Crew'), undef, 'gone upstream');
    };
}

# Groups that the API cannot make so many of; members each vendor knows.
sub seed {
    my ($u, @names) = @_;
    my %more
        = $u eq 'vinyldns'
        ? (email => 'o@example.com', members => [$OK], admins => [$OK])
        : $u eq 'faxfinder' ? (container => 'alice')
        :                     ();
    $emulator{$u}->seed({groups => [map { {name => $_, %more} } @names]});
    return;
}

sub names {
    return join ' ', map { $_->{displayName} } @_;
}

for my $u (@upstreams) {
    subtest "lists of $u" => sub {
        $emulator{$u}->reset;
        seed($u, qw(delta Alpha charlie bravo echo));
        my $list = sub {
            my ($query) = @_;
            return '/Groups?excludedAttributes=members&' . $query =~
                s{(filter=)(.*?)(?=&|\z)}{$1 . path_segment($2)}er;
        };

        for my $case (
            ['displayName eq "alpha"',            'Alpha'],
            ['displayName Eq "delta"',            'delta'],
            ['DISPLAYNAME ne "delta"',            'Alpha bravo charlie echo'],
            ['displayName co "A"',                'Alpha bravo charlie delta'],
            ['displayName sw "c"',                'charlie'],
            ['displayName ew "o"',                'bravo echo'],
            ['displayName pr',                    'Alpha bravo charlie delta '
                . 'echo'],
            ['displayName gt "charlie"',          'delta echo'],
            ['displayName ge "charlie"',          'charlie delta echo'],
            ['displayName lt "bravo"',            'Alpha'],
            ['displayName le "bravo"',            'Alpha bravo'],
            ['displayName eq "echo" or displayName eq "delta"',
                'delta echo'],
            ['not (displayName co "a")',          'echo'],
            ['displayName co "a" and (displayName sw "b" or '
                . 'displayName sw "d")',          'bravo delta'],
            ['displayName eq "nobody"',           ''],
            ['urn:ietf:params:scim:schemas:core:2.0:Group:displayName '
                . 'eq "echo"',                    'echo'],
        ) {
            my ($filter, $expected) = @$case;
            my @n = split / /, $expected;
            my @found = is_list(scim($u, 'GET',
                $list->("filter=$filter&sortBy=displayName")),
                scalar @n, 1, scalar @n, $filter);
            is(names(@found), $expected, "$filter: found, in order");
        }

        my @all = is_list(scim($u, 'GET',
            $list->('sortBy=displayName&sortOrder=descending')),
            5, 1, 5, 'descending');
        is(names(@all), 'echo delta charlie bravo Alpha', 'in that order');

        my ($one) = is_list(scim($u, 'GET',
            $list->('sortBy=displayName&startIndex=3&count=2')),
            5, 3, 2, 'a part');
        is($one->{displayName}, 'charlie', 'the third is the first of it');

        is_list(scim($u, 'GET', $list->('startIndex=0&count=1')), 5, 1, 1,
            'less than 1 is 1');
        is_list(scim($u, 'GET', $list->('startIndex=-5&count=1')), 5, 1, 1,
            'much less than 1 is 1');
        is_list(scim($u, 'GET', $list->('count=0')), 5, 1, 0,
            'only the total');
        is_list(scim($u, 'GET', $list->('count=-1')), 5, 1, 0,
            'less than 0 is 0');
        is_list(scim($u, 'GET', $list->('startIndex=6&count=3')), 5, 6, 0,
            'beyond the end');

        for my $bad ('displayName', 'displayName eq', 'displayName xx "a"',
            '(displayName eq "a"', 'displayName eq "a" and', 'nothing eq "a"',
            'displayName eq "a') {
            is_error(scim($u, 'GET', '/Groups?filter=' . path_segment($bad)),
                400, 'invalidFilter', $bad);
        }

        my $r = scim($u, 'GET', '/Groups?attributes=displayName&count=1');
        is_deeply([sort keys %{$r->json->{Resources}[0]}],
            [qw(displayName id meta schemas)], 'attributes: of a list');
        my $id = $r->json->{Resources}[0]{id};
        $r = scim($u, 'GET', "/Groups/$id?attributes=displayName");
        is_deeply([sort keys %{$r->json}], [qw(displayName id meta schemas)],
            'attributes: of a group');
        $r = scim($u, 'GET',
            "/Groups/$id?excludedAttributes=displayName,id,members");
        is_deeply([sort keys %{$r->json}], [qw(id meta schemas)],
            'excludedAttributes: what is always returned is');
    };

    subtest "an import of many groups of $u" => sub {
        $emulator{$u}->reset;
        my $n = $upstream{$u}{pages};
        my @names = map { sprintf 'team-%04d', $_ } 1 .. $n;
        seed($u, @names);

        is_list(scim($u, 'GET', '/Groups?count=0'), $n, 1, 0, 'the total');

        my $size = $n > 1000 ? 1000 : int($n / 3);
        my (%seen, $start);
        for ($start = 1; $start <= $n; $start += $size) {
            my $expected = $n - $start + 1 < $size ? $n - $start + 1 : $size;
            $seen{$_->{displayName}}++ for is_list(scim($u, 'GET',
                "/Groups?excludedAttributes=members&startIndex=$start"
                    . "&count=$size"), $n, $start, $expected, "from $start");
        }
        is_deeply([sort keys %seen], \@names, 'each');
        is(scalar(grep { $_ > 1 } values %seen), 0, 'none twice');

        my ($last) = is_list(scim($u, 'GET', '/Groups?excludedAttributes='
            . 'members&' . by_name($names[-1])), 1, 1, 1, 'the last');
        is($last->{displayName}, $names[-1], 'is found among them');
        $emulator{$u}->reset;
    };

    subtest "an import with members of $u" => sub {
        $emulator{$u}->reset;
        my @names = map { sprintf 'crew-%03d', $_ } 1 .. 104;
        seed($u, @names);
        my @m = map {"$_"} @{$upstream{$u}{members}};

        my @first = is_list(scim($u, 'GET', '/Groups?startIndex=1&count=1'),
            104, 1, 1, 'one of them');
        my $r = patch($u, $first[0]{id}, {op => 'add', path => 'members',
            value => [map { {value => $_} } @m[0 .. 2]]});
        is($r->status, 204, 'has three members') or diag($r->body);

        my %seen;
        for my $start (1, 101) {
            $seen{$_->{displayName}} = $_ for is_list(scim($u, 'GET',
                "/Groups?startIndex=$start&count=100"), 104, $start,
                $start == 1 ? 100 : 4, "from $start");
        }
        is_deeply([sort keys %seen], \@names, 'each');
        my $group = $seen{$first[0]{displayName}};
        is_deeply(ids($group), with_always($u, @m[0 .. 2]), 'its members');
        is_deeply([sort keys %{$group->{members}[0]}], [qw($ref value)],
            'what is known of one')
            if $u eq 'vinyldns' || $u eq 'faxfinder';
        $emulator{$u}->reset;
    };

    subtest "what goes wrong in front of $u" => sub {
        my $call = sub {
            my ($method, $path, %option) = @_;
            return $t->request(method => $method, uri => "/scim/v2$path",
                %option, headers => [Host => "scim.$u",
                    'Content-Type' => 'application/scim+json']);
        };
        my %in = sign_in('scim');

        my $r = $call->('GET', '/Groups');
        is($r->header('Content-Type'), 'application/scim+json', '401: type');
        is_error($r, 401, undef, 'nobody');
        like($r->header('WWW-Authenticate'), qr/^Bearer /, 'how to sign in');
        is_error($call->('GET', '/Groups', bearer => 'wrong'), 401, undef,
            'a wrong token');

        $r = $call->('GET', '/Nothing', %in);
        is($r->header('Content-Type'), 'application/scim+json', '404: type');
        is_error($r, 404, undef, 'an unknown path');
        is_error($call->('GET', '/Users', %in), 404, undef,
            'there are no users');

        $r = $call->('PUT', '/Groups', %in, body => '{}');
        is($r->header('Content-Type'), 'application/scim+json', '405: type');
        is_error($r, 405, undef, 'another method');
        is_deeply([sort split /, /, $r->header('Allow')], [qw(GET POST)],
            'Allow');
        is_error($call->('POST', '/Schemas', %in, body => '{}'), 405, undef,
            'discovery is only read');

        is_error($call->('POST', '/Groups', %in, body => '{"displayName":'),
            400, 'invalidSyntax', 'no JSON');
        is_error($call->('POST', '/Groups', %in, body => '{}'), 400,
            'invalidValue', 'no name');
        is_error($call->('POST', '/Groups', %in,
            body => '{"displayName":7}'), 400, 'invalidValue', 'a number');

        my $id = scim($u, 'POST', '/Groups',
            {displayName => 'broken'})->json->{id};
        is_error(patch($u, $id, {op => 'remove'}), 400, 'noTarget',
            'nothing to remove');
        is_error(patch($u, $id, {op => 'replace', path => 'nothing',
            value => 'x'}), 400, 'invalidPath', 'an unknown path');
        is_error(patch($u, $id, {op => 'replace', path => 'id',
            value => 'x'}), 400, 'mutability', 'an id is for ever');
        is_error(patch($u, $id, {op => 'move', path => 'members'}), 400,
            'invalidSyntax', 'an unknown operation');
        is_error(patch($u, $id, {op => 'remove',
            path => 'members[value xx "1"]'}), 400, 'invalidFilter',
            'a filter in a path');
        is_error(patch($u, $id, {op => 'add', path => 'members',
            value => [{display => 'x'}]}), 400, 'invalidValue',
            'a member without an id');
        is_deeply(kept($u, 'broken'), with_always($u), 'nothing was done');

        my $unknown = '7fa85f64-5717-4562-b3fc-2c963f66afff';
        is_error(patch($u, $unknown, {op => 'replace', path => 'displayName',
            value => 'x'}), 404, undef, 'a change of no group');
        scim($u, 'DELETE', "/Groups/$id");
    };

    subtest "discovery in front of $u" => sub {
        my $r = scim($u, 'GET', '/ServiceProviderConfig');
        is($r->status, 200, 'ServiceProviderConfig');
        my $config = $r->json;
        is_deeply($config->{schemas}, ["${CORE}ServiceProviderConfig"],
            'its schema');
        for my $feature (qw(patch filter sort)) {
            is($config->{$feature}{supported}, JSON::PP::true(),
                "$feature is supported");
        }
        for my $feature (qw(bulk changePassword etag)) {
            is($config->{$feature}{supported}, JSON::PP::false(),
                "$feature is not");
        }
        is($config->{authenticationSchemes}[0]{type}, 'oauthbearertoken',
            'how clients sign in');

        my ($type) = is_list(scim($u, 'GET', '/ResourceTypes'), 1, 1, 1,
            'ResourceTypes');
        is($type->{endpoint}, '/Groups', 'only groups');
        json_is(scim($u, 'GET', '/ResourceTypes/Group')->body, $type,
            'by itself');

        my ($schema) = is_list(scim($u, 'GET', '/Schemas'), 1, 1, 1,
            'Schemas');
        is($schema->{id}, "${CORE}Group", 'that of groups');
        json_is(scim($u, 'GET', "/Schemas/${CORE}Group")->body, $schema,
            'by itself');
        my ($members)
            = grep { $_->{name} eq 'members' } @{$schema->{attributes}};
        is_deeply([sort map { $_->{name} } @{$members->{subAttributes}}],
            [qw($ref display type value)], 'what a member has');

        is_error(scim($u, 'GET', '/Schemas/urn:nothing'), 404, undef,
            'no such schema');
        is_error(scim($u, 'GET', '/Schemas?filter='
            . path_segment('id eq "x"')), 403, undef,
            'discovery is not filtered');
    };
}

# each in its own group, of which two are members
for my $u (@upstreams) {
    subtest "changes in every shape, in front of $u" => sub {
        $emulator{$u}->reset;
        my @m = map {"$_"} @{$upstream{$u}{members}};
        my $n = 0;

        for my $case (
            ['remove, path with a filter, no space',
                [{op => 'remove', path => qq{members[value eq"$m[0]"]}}],
                [$m[1]]],
            ['replace, path members, none',
                [{op => 'replace', path => 'members', value => []}], []],
            ['replace, no path, members',
                [{op => 'replace', value => {members => [{value => $m[2]}]}}],
                [$m[2]]],
            ['add, no path',
                [{op => 'add', value => {members => [{value => $m[2]}]}}],
                [@m[0 .. 2]]],
            ['add, one that is no list',
                [{op => 'add', path => 'members', value => {value => $m[2]}}],
                [@m[0 .. 2]]],
            ['Add, a text',
                [{op => 'Add', path => 'members', value => $m[2]}],
                [@m[0 .. 2]]],
            ['Remove, several',
                [{op => 'Remove', path => 'members',
                    value => [map { {value => $_} } @m[0, 1]]}], []],
            ['Remove, one that is not there',
                [{op => 'Remove', path => 'members',
                    value => [{value => $m[4]}]}], [@m[0, 1]]],
            ['add, then remove',
                [{op => 'add', path => 'members', value => [{value => $m[3]}]},
                    {op => 'remove', path => qq{members[value eq "$m[3]"]}}],
                [@m[0, 1]]],
            ['remove, then add',
                [{op => 'remove', path => qq{members[value eq "$m[0]"]}},
                    {op => 'add', path => 'members',
                        value => [{value => $m[0]}]}], [@m[0, 1]]],
            ['the same twice',
                [map { {op => 'add', path => 'members',
                    value => [map { {value => $m[5]} } 1, 2]} } 1, 2],
                [@m[0, 1, 5]]],
            ['the whole URN',
                [{op => 'add', path => "${CORE}Group:members",
                    value => [{value => $m[2]}]}], [@m[0 .. 2]]],
        ) {
            my ($name, $operations, $expected) = @$case;
            my $group = 'shape ' . ++$n;
            my $r = scim($u, 'POST', '/Groups', {displayName => $group,
                members => [map { {value => $_} } @m[0, 1]]});
            is($r->status, 201, "$name: a group") or diag($r->body);
            is_deeply(ids($r->json), with_always($u, @m[0, 1]),
                "$name: of two");
            $r = patch($u, $r->json->{id}, @$operations);
            is($r->status, 204, "$name: changed") or diag($r->body);
            is_deeply(kept($u, $group), with_always($u, @$expected), $name);
            scim($u, 'DELETE', '/Groups/' . path_segment(
                groups_at($t, $emulator{$u}, $u)->{$group}{id}));
        }
    };
}

subtest 'a search by POST' => sub {
    $emulator{vinyldns}->reset;

    for my $name (qw(Alpha Beta Gamma)) {
        my $r = scim('vinyldns', 'POST', '/Groups',
            {schemas => ["${CORE}Group"], displayName => $name});
        is($r->status, 201, "$name is made");
    }

    my $search = {
        schemas    => ["${MESSAGES}SearchRequest"],
        filter     => 'displayName co "a"',
        attributes => ['displayName', 'externalId'],
        sortBy     => 'displayName',
        sortOrder  => 'descending',
        startIndex => 2,
        count      => 1,
    };

    my $r = scim('vinyldns', 'POST', '/Groups/.search', $search);
    is($r->status, 200, 'found') or diag($r->body);
    is($r->json->{totalResults}, 3, 'in all');
    is($r->json->{startIndex}, 2, 'from the second');
    is_deeply([map { $_->{displayName} } @{$r->json->{Resources}}], ['Beta'],
        'the page of it');
    ok(!exists $r->json->{Resources}[0]{members}, 'with what was asked for');

    $r = scim('vinyldns', 'POST', '/Groups/.search',
        {%$search, filter => 'displayName xx'});
    is($r->status, 400, 'a bad filter');
    is($r->json->{scimType}, 'invalidFilter', 'is told so');

    # of all there is: RFC 7644, 3.4.3
    $r = scim('vinyldns', 'POST', '/.search', $search);
    is($r->status, 200, 'at the root') or diag($r->body);
    is_deeply([map { $_->{displayName} } @{$r->json->{Resources}}], ['Beta'],
        'the same');

    $r = scim('vinyldns', 'POST', '/Groups/.search', {%$search, count => 'x'});
    is($r->status, 400, 'a wrong type');

    $r = $t->request(method => 'POST', uri => '/scim/v2/Groups/.search',
        json => $search, headers => [Host => 'scim.vinyldns']);
    is($r->status, 401, 'by who signs in');
};

for my $u (@upstreams) {
    subtest "SCIM of $u as an upstream" => sub {
        # nginx itself speaks HTTP/1 to the gateway behind it
        Test::Gateway->not_in(http2 => 'the gateway behind takes HTTP/2 only');

        $emulator{$u}->reset;
        my $m = "$upstream{$u}{members}[0]";
        my $call = sub {
            my ($method, $path, $status, $name, @data) = @_;
            my $r = $t->request(method => $method, uri => "/api/groups$path",
                headers => [Host => "behind.$u"],
                @data ? (json => @data) : ());
            is($r->status, $status, "$name: status") or diag($r->body);
            return $r;
        };

        my $id = path_segment($call->('POST', '', 201, 'create',
            {name => 'far'})->json->{id});
        is_deeply(kept($u, 'far'), with_always($u), 'it is there');

        my $list = $call->('GET', '?filter=' . path_segment(
            "contains(name,'fa')"), 200, 'list')->json;
        is($list->{count}, 1, 'one');
        is($list->{items}[0]{name}, 'far', 'it is');
        is($call->('GET', "/$id", 200, 'get')->json->{name}, 'far', 'got');

        $call->('POST', "/$id", 200, 'replace', {name => 'further'});
        $call->('POST', "/$id/members/$m", 200, 'add');
        is_deeply(kept($u, 'further'), with_always($u, $m), 'both done');

        my $members = $call->('GET', "/$id/members", 200, 'members')->json;
        is_deeply([sort map { $_->{extension_number} }
            @{$members->{items}}], with_always($u, $m), 'listed');
        $call->('GET', "/$id/members/$m", 200, 'member');
        $call->('POST', "/$id/members/$m/destroy", 204, 'remove');
        is_deeply(kept($u, 'further'), with_always($u), 'removed');
        $call->('GET', "/$id/members/$m", 404, 'no such member');

        $call->('POST', "/$id/destroy", 204, 'delete');
        is(kept($u, 'further'), undef, 'gone');
        $call->('GET', "/$id", 404, 'no such group');
    };
}

subtest 'names that are taken' => sub {
    for my $u (qw(vinyldns portsip)) {
        my $r = scim($u, 'POST', '/Groups', {displayName => 'taken'});
        is($r->status, 201, "$u: first");
        $r = scim($u, 'POST', '/Groups', {displayName => 'taken'});
        is_error($r, $u eq 'vinyldns' ? (409, 'uniqueness')
            : (400, 'invalidValue'), "$u: second");
    }
};

subtest 'the last administrator' => sub {
    my $r = scim('vinyldns', 'POST', '/Groups', {displayName => 'admin'});
    my $id = $r->json->{id};
    is_error(patch('vinyldns', $id,
        {op => 'remove', path => qq{members[value eq "$OK"]}}),
        400, 'invalidValue', 'is not removed by name');
    is_deeply(kept('vinyldns', 'admin'), [$OK], 'and stays');
};

done_testing;
