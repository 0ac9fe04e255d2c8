#!/usr/bin/perl

# group_default: fills a canonical field that is absent.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::Gateway;
use Test::Gateway::Locations;

my $t = Test::Gateway->new(variables => [qw(outcome)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $path = $request->{uri} =~ s/\?.*//r;

    return [200, [], {groups => [], maxItems => 100, ignoreAccess => \0}]
        if $request->{method} eq 'GET' && $path eq '/groups';
    return [200, [], {id => $UUID, name => 'a', email => 'up@test.com',
            created => '2023-01-15T10:30:00Z', status => 'Active',
            members => [], admins => []}]
        if $path =~ m{^/groups(?:/|$)};
    return [200, [], {id => $UUID, name => 'a', sticky_sender => \0,
            phone_number_count => 0}]
        if $path =~ m{^/api/relay/rest/};
    return [201, [], {id => 'NzAw'}] if $path eq '/api/groups';
    return [200, ['Content-Type' => 'application/xml'], <<"END"]
<response><message>Created</message><contact_group>
<contact_group_url>http://fax/ffws/v1/contact_groups/alice/4</contact_group_url>
<name>a</name></contact_group></response>
END
        if $path =~ m{^/ffws/};
    return [404, [], ''];
});

my $locations = Test::Gateway::Locations->new($u);
my $proxy = $locations->proxy;

sub at { return $locations->at(@_) }

my @all = ('group_default email ops@test.com', 'group_default members m1 m2',
    'group_default admins a1');

my %at = (
    all    => at('signalwire', 'vinyldns', @all),
    none   => at('signalwire', 'vinyldns'),
    same   => at('vinyldns', 'vinyldns', @all,
        'group_default description filled'),
    portsip => at('portsip', 'vinyldns', @all,
        'group_default description "a \"b\" $arg_none<c>"'),
    variable => at('signalwire', 'vinyldns',
        'group_default email "$http_x_team@test.com"',
        'group_default members $http_x_one m2 $http_x_two',
        'group_default admins $http_x_one$http_x_two',
        'group_default description $http_x_description'),
    empty  => at('signalwire', 'vinyldns', 'group_default email $http_x_mail',
        'group_default members $http_x_one', 'group_default admins ""'),
    wrong  => at('signalwire', 'vinyldns', @all[1, 2],
        'group_default email $http_x_mail'),
    name   => at('portsip', 'signalwire', 'group_default name "no name"'),
    owner  => at('signalwire', 'faxfinder', 'group_default owner $arg_owner'),
    inside => at('faxfinder', 'faxfinder', 'group_default owner bob'),
    answer => at('vinyldns', 'faxfinder', 'group_default owner alice',
        'group_default email ops@test.com', 'group_default admins a1'),
    map { $_ => at('portsip', 'signalwire', "group_default sticky_sender $_") }
        qw(true false on off 1 0 $http_x_sticky),
);

$locations->add(<<"END");
location /levels/ {
    group_dialect signalwire;
    group_upstream_dialect vinyldns;
    group_base_path /levels;
    group_default email outer\@test.com;
    group_default members outer;
    group_default admins outer;
    $proxy

    location /levels/same/ { group_base_path /levels/same; $proxy }

    # as other lists in nginx: one of its own is in the place of all of it
    location /levels/own/ {
        group_base_path /levels/own;
        group_default email own\@test.com;
        $proxy
    }
}
END

$t->nginx(server => $locations->text);


# the response, and what the upstream was sent
sub create {
    my ($at, $json, %option) = @_;

    $u->clear;
    my $r = $t->post($at, json => $json // {name => 'a'}, %option);
    my $got = $u->last;

    return ($r, $got && $got->json);
}

sub number_groups { return create("$at{$_[0]}/number_groups", @_[1 .. $#_]) }
sub groups { return create("$at{$_[0]}/groups", @_[1 .. $#_]) }

my @MEMBERS = (members => [{id => 'm1'}, {id => 'm2'}],
    admins => [{id => 'a1'}]);


subtest 'what the upstream requires' => sub {
    my ($r, $got) = number_groups('all');
    is($r->status, 200, 'status') or diag($r->body);
    is_deeply($got, {name => 'a', email => 'ops@test.com', @MEMBERS}, 'sent');

    ($r, $got) = number_groups('none');
    is($r->status, 422, 'nothing is made up');
    is($got, undef, 'nothing is sent');

    my $text = join ' ', map { $_->{detail} } @{$r->json->{errors}};
    like($text, qr/\b$_\b/i, "$_ is named") for qw(email members admins);
    is(scalar(@{$r->json->{errors}}), 3, 'all of them at once');
};

subtest 'only what is absent' => sub {
    my %group = (name => 'a', email => 'mine@test.com',
        description => 'mine', members => [{id => 'x'}],
        admins => [{id => 'x'}]);

    my ($r, $got) = groups('same', \%group);
    is($r->status, 200, 'status') or diag($r->body);
    is_deeply($got, \%group, 'all of it is there');

    delete $group{description};
    ($r, $got) = groups('same', \%group);
    is_deeply($got, {%group, description => 'filled'}, 'one is not');

    ($r, $got) = groups('same', {%group, description => undef});
    is_deeply($got, {%group, description => 'filled'}, 'null is absent');

    ($r, $got) = groups('same', {%group, description => ''});
    is_deeply($got, {%group, description => ''}, 'an empty text is not');

    ($r, $got) = groups('same', {%group, members => [], admins => []});
    is_deeply($got->{members}, [], 'nor is an empty list');

    ($r, $got) = groups('same', {%group, email => 'no address'});
    is($r->status, 400, 'what is wrong is not mended');
    is($got, undef, 'nothing is sent');

    ($r, $got) = groups('same', {name => 'a'});
    is($r->status, 400, 'what the client\'s own API requires is required');
};

subtest 'values' => sub {
    my ($r, $got) = groups('portsip');
    is($got->{description}, 'a "b" <c>', 'a text, with an empty variable');
    is($got->{email}, 'ops@test.com', 'a text');

    ($r, $got) = groups('portsip', {name => 'a', description => undef});
    is($got->{description}, 'a "b" <c>', 'null, which PortSIP sends');

    ($r, $got) = groups('name', {});
    is($got->{name}, 'no name', 'a name');
};

subtest 'booleans' => sub {
    for (['true', $true], ['on', $true], ['1', $true], ['false', $false],
        ['off', $false], ['0', $false])
    {
        my ($value, $wanted) = @$_;
        my ($r, $got) = groups($value);
        is($r->status, 201, "$value: status");
        is_deeply($got, {name => 'a', sticky_sender => $wanted},
            "as a value: $value");
    }

    for (['true', $true], ['0', $false]) {
        my ($value, $wanted) = @$_;
        my ($r, $got) = groups('$http_x_sticky', undef,
            headers => ['X-Sticky' => $value]);
        is_deeply($got, {name => 'a', sticky_sender => $wanted},
            "a variable: $value");
    }

    my ($r, $got) = groups('$http_x_sticky');
    is_deeply($got, {name => 'a'}, 'no variable');

    # nobody knows what it means
    ($r, $got) = groups('$http_x_sticky', undef,
        headers => ['X-Sticky' => 'maybe']);
    is($r->status, 400, 'a variable that is no boolean');
    is($got, undef, 'nothing is sent');
    like($r->body, qr/sticky_sender/, 'the field is named');
};

subtest 'variables' => sub {
    my ($r, $got) = number_groups('variable', undef,
        headers => ['X-Team' => 'red', 'X-One' => 'm1', 'X-Two' => 'm3']);
    is($r->status, 200, 'status') or diag($r->body);
    is_deeply($got, {name => 'a', email => 'red@test.com',
            members => [{id => 'm1'}, {id => 'm2'}, {id => 'm3'}],
            admins => [{id => 'm1m3'}]}, 'sent');

    ($r, $got) = number_groups('variable', undef,
        headers => ['X-Team' => 'red', 'X-Two' => 'm3']);
    is_deeply($got->{members}, [{id => 'm2'}, {id => 'm3'}],
        'one of a list is empty');

    ($r, $got) = number_groups('variable', undef, headers => [
            'X-Team' => 'red', 'X-Two' => 'm3',
            'X-Description' => 'q"\\<&>']);
    is($got->{description}, 'q"\\<&>', 'what JSON has to escape');
};

subtest 'variables that are empty' => sub {
    my ($r, $got) = number_groups('empty');
    is($r->status, 422, 'are as nothing');
    is(scalar(@{$r->json->{errors}}), 3, 'in texts and lists');

    ($r, $got) = number_groups('empty', undef,
        headers => ['X-Mail' => 'a@test.com', 'X-One' => 'm']);
    is(scalar(@{$r->json->{errors}}), 1, 'an empty text is, too');
    like($r->json->{errors}[0]{detail}, qr/admins/i, 'and named');
};

# What a header brings is as little to be trusted as a body.
subtest 'values are checked' => sub {
    my ($r, $got) = number_groups('wrong', undef,
        headers => ['X-Mail' => 'no address']);
    is($r->status, 422, 'as those of a body are');
    is($got, undef, 'nothing is sent');
    like($r->json->{errors}[0]{detail}, qr/email/i, 'the field is named');

    ($r, $got) = number_groups('wrong', undef,
        headers => ['X-Mail' => "\xff\xfe\@test.com"]);
    is($r->status, 422, 'bytes that are no UTF-8');
    is($got, undef, 'nothing is sent');
};

subtest 'the container' => sub {
    my ($r) = number_groups('owner');
    is($r->status, 422, 'is required');
    like($r->json->{errors}[0]{detail}, qr/owner/i, 'and named');

    ($r) = create("$at{owner}/number_groups?owner=alice");
    is($r->status, 200, 'status') or diag($r->body);
    is($u->last->uri, '/ffws/v1/contact_groups/alice', 'where it goes');

    create("$at{owner}/number_groups?owner=a%2fb%20c");
    like($u->last->uri,
        qr{^/ffws/v1/contact_groups/a(?:%252f|%2F)b(?:%2520|%20)c$},
        'one segment, whatever it is');

    $u->clear;
    ($r) = create("$at{owner}/number_groups?owner=..");
    is(scalar($u->requests), 0, 'and no way up');

    $u->clear;
    $t->del("$at{inside}/contact_groups/alice/4");
    is($u->last->uri, '/ffws/v1/contact_groups/alice/4',
        'the path has one: it stays');
};

subtest 'other operations' => sub {
    my %group = (id => $UUID, name => 'a', email => 'mine@test.com',
        members => [{id => 'x'}], admins => [{id => 'x'}]);

    $u->clear;
    $t->put("$at{same}/groups/$UUID", json => \%group);
    is($u->last->json->{description}, 'filled', 'replace is filled');

    $u->clear;
    my $r = $t->get("$at{same}/groups/$UUID");
    is($r->json->{email}, 'up@test.com', 'an answer is not');
    is($u->last->body, '', 'nor is get');

    $u->clear;
    $r = $t->get("$at{all}/number_groups?page_size=10");
    is($u->last->uri, '/groups?maxItems=10', 'nor is a query');
};

subtest 'what an answer requires' => sub {
    my $r = $t->post("$at{answer}/groups", json => {name => 'a',
            email => 'mine@test.com', members => [{id => '1'}],
            admins => [{id => '1'}]});
    is($r->json->{email}, 'mine@test.com', 'the request said it');

    # FaxFinder has neither an email nor admins
    $r = $t->get("$at{answer}/groups/4");
    is($r->status, 200, 'nobody did: status') or diag($r->body);
    is($r->json->{email}, 'ops@test.com', 'a text');
    is_deeply($r->json->{admins}, [{id => 'a1'}], 'a list');
    is_deeply($r->json->{members}, [], 'an empty list has no elements in XML');
};

subtest 'levels' => sub {
    my ($r, $got) = create('/levels/number_groups');
    is($got->{email}, 'outer@test.com', 'outside');

    ($r, $got) = create('/levels/same/number_groups');
    is_deeply($got, {name => 'a', email => 'outer@test.com',
            members => [{id => 'outer'}], admins => [{id => 'outer'}]},
        'inherited');

    ($r, $got) = create('/levels/own/number_groups');
    is($r->status, 422, 'own');
    is_deeply([sort map { $_->{detail} =~ /(members|admins|email)/i }
            @{$r->json->{errors}}], ['Admins', 'Members'],
        'and none of those outside');
};

subtest 'the directive' => sub {
    $t->config_fails("group_default $_ a;",
        qr/unknown field "$_" in "group_default"/, $_)
        for qw(nome id Email members.id ext.acme.x items);
    $t->config_fails('group_default outbound_caller_ids a;',
        qr/"outbound_caller_ids" in "group_default" takes no default/,
        'a list of objects');
    $t->config_fails('group_default email a b;',
        qr/"email" in "group_default" takes one value/, 'two values');
    $t->config_fails('group_default email a; group_default email b;',
        qr/"group_default" directive is duplicate/, 'a field twice');
    $t->config_fails('group_default email $nothing_of_that_name;',
        qr/unknown "nothing_of_that_name" variable/, 'an unknown variable');
    $t->config_fails("group_default $_;", qr/invalid number of arguments/,
        "group_default $_") for '', 'email';
    $t->config_fails('location / { if ($arg_a) { group_default email a; } }',
        qr/directive is not allowed here/, 'in if');

    $t->config_fails("group_default sticky_sender $_;",
        qr/"$_" .*"sticky_sender".*(?:true|boolean)/, "sticky_sender $_")
        for qw(maybe 2 TRUE-ish);
    $t->config_fails("group_default member_count $_;",
        qr/"$_" .*"member_count".*(?:number|integer)/, "member_count $_")
        for qw(many 1.5 1x);
    $t->config_ok("group_default $_;", $_)
        for 'member_count 3', 'sticky_sender $arg_a', 'status active',
        'member_count $arg_a';
};

$t->stop;
done_testing;
