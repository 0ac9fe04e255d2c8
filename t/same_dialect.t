#!/usr/bin/env perl

# One dialect on both sides: what is sent on as it came, and what cannot be:
# places that are others here.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Message qw(json_decode);

my $t = Test::Gateway->new(variables => 0);

my $ID   = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $CORE = 'urn:ietf:params:scim:schemas:core:2.0:Group';
my $MORE = 'urn:example:more';
my @SCIM = ('Content-Type' => 'application/scim+json');
my @XML  = ('Content-Type' => 'application/xml');

my %group = (schemas => [$CORE, $MORE], id => 'g1', displayName => 'a',
    members => [{value => 'u1', '$ref' => 'https://up/scim/v2/Users/u1',
            more => 1}],
    $MORE => {colour => 'red'},
    meta => {resourceType => 'Group', version => 'W/"1"',
        location => 'https://up/scim/v2/Groups/g1'});

sub links {
    my ($path, %more) = @_;
    my $self = "/api/relay/rest$path";
    return {self => "$self?page_number=1&page_size=2&page_token=PA1",
        first => "$self?page_number=0&page_size=2",
        next  => "$self?page_number=2&page_size=2&page_token=PA2",
        prev  => "$self?page_number=0&page_size=2", %more};
}

sub fax {
    my ($message, $number) = @_;
    return qq{<?xml version="1.0"?>\n<response><message>$message</message>}
        . '<contact_group><contact_group_url>http://fax:8080/ffws/v1'
        . "/contact_groups/admin/$number</contact_group_url>"
        . '<name>a</name><colour>red</colour>'
        . '<contact>http://fax/ffws/v1/contacts/admin/23</contact>'
        . '<contact>http://fax/elsewhere/contacts/admin/24</contact>'
        . '</contact_group></response>';
}

my $number_group = {id => $ID, name => 'a', sticky_sender => \0,
    phone_number_count => 0, colour => 'red'};

# what was put, which is read again
my %written;

my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};

    if ($uri =~ m{^/scim/v2/Groups}) {
        return [200, [@SCIM], {totalResults => 1, Resources => [\%group]}]
            if $method eq 'GET' && $uri !~ /g\d/;
        $written{$uri} = {%group, %{json_decode($request->{body})}}
            if $method eq 'PUT';
        return [$method eq 'POST' ? 201 : 200, [@SCIM],
            $written{$uri} // \%group];
    }

    return [200, [@XML], fax('Success', 14)] if $uri =~ m{^/ffws/};

    return [200, [], {links => links('/number_groups'),
            data => [$number_group]}]
        if $uri =~ m{/number_groups\?};
    return [200, [], $number_group];
});

my $host = 'http://' . $u->address;

$t->write_file('rename.lua', <<'END');
local policy = {}
function policy.request(ctx)
    if ctx.operation == "group.modify" then
        ctx.group.change.set.name = "renamed"
    end
end
function policy.response(ctx)
    if ctx.params.deny then
        return ctx:deny("forbidden", "seen")
    end
    for _, group in ipairs(ctx.group.items or {}) do
        group.name = "renamed"
    end
end
return policy
END

my %base = (scim => '/scim/v2', signalwire => '/api/relay/rest',
    faxfinder => '/ffws/v1');

$t->nginx(server => join '', map { <<"END" } sort keys %base);
location $base{$_}/ { group_dialect $_; proxy_pass $host; }
location /at/$_/ {
    group_dialect $_;
    group_base_path /at/$_;
    proxy_pass $host;
}
location /hook/$_/ {
    group_dialect $_;
    group_base_path /hook/$_;
    group_policy rename.lua;
    proxy_pass $host;
}
location /log/$_/ {
    group_dialect $_;
    group_base_path /log/$_;
    group_policy rename.lua deny=1;
    group_mode log_only;
    proxy_pass $host;
}
END

# what went upstream
sub sent {
    return map { "$_->{method} $_->{uri}" } $u->requests;
}

sub patch {
    my ($at, $id) = @_;

    $u->clear;
    return $t->request(method => 'PATCH', uri => "$at/Groups/$id", json => {
            schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
            Operations => [{op => 'Add', path => 'members',
                    value => [{value => 'u2', display => 'x'}]}]});
}

# It was sent without its body.
subtest 'a patch' => sub {
    for my $at ('/scim/v2', '/at/scim') {
        my $r = patch($at, 'g1');
        is($r->status, 204, "$at: status") or diag($r->body);
        is_deeply([sent()], ['PATCH /scim/v2/Groups/g1'], 'one call');

        my ($request) = $u->requests;
        is_deeply(json_decode($request->{body}), {
                schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
                Operations => [{op => 'Add', path => 'members',
                        value => [{value => 'u2', display => 'x'}]}]},
            'the body');
        my %headers = map { (lc $_->[0] => $_->[1]) } @{$request->{headers}};
        is($headers{'content-type'}, 'application/scim+json', 'its type');
    }

    # no patch can be made of what a hook left: the group is written
    my $r = patch('/hook/scim', 'g2');
    is($r->status, 204, 'changed by a hook: status') or diag($r->body);

    my ($put) = grep { $_->{method} eq 'PUT' } $u->requests;
    ok($put, 'the group is written') or diag(join "\n", sent());

    my $group = json_decode($put->{body});
    is($group->{displayName}, 'renamed', 'as the hook has it');
    is_deeply([map { $_->{value} } @{$group->{members}}], ['u1', 'u2'],
        'and the client');
    is($group->{Operations}, undef, 'without the words of the patch');
    is(scalar(grep { $_->{method} eq 'PATCH' } $u->requests), 0, 'no patch');

    $r = patch('/log/scim', 'g3');
    is(scalar(grep { $_->{method} eq 'PUT' } $u->requests), 1,
        'log_only: the group is written');
    is(scalar(grep { $_->{method} eq 'PATCH' } $u->requests), 0,
        'and not patched besides when a hook does not like the answer');
    is($r->status, 200, 'which is let through');
};

# RFC 7644, 3.3
subtest 'Location of what was created' => sub {
    for my $at ('/scim/v2', '/at/scim') {
        my $r = $t->post("$at/Groups", json => {displayName => 'a'},
            headers => [Host => 'here']);
        is($r->status, 201, "$at: status") or diag($r->body);
        is($r->header('Location'), "http://here$at/Groups/g1", 'Location');
    }
};

# What an API tells of itself led to where its clients do not find it.
subtest 'places in answers' => sub {
    my $r = $t->get('/at/signalwire/number_groups?page_size=2');
    is_deeply($r->json, {
            links => {map { s{^/api/relay/rest}{/at/signalwire}r }
                %{links('/number_groups')}},
            data => [$number_group]}, 'links') or diag($r->body);
    is($r->header('Content-Type'), 'application/json', 'media type');
    is($r->header('Content-Length'), length $r->body, 'length');

    $r = $t->get('/hook/signalwire/number_groups?page_size=2');
    is($r->json->{data}[0]{name}, 'renamed', 'a hook has changed it');
    like($r->json->{links}{$_}, qr{\A/hook/signalwire/number_groups\?},
        "link $_") for qw(self first next prev);

    $r = $t->get('/at/scim/Groups/g1', headers => [Host => 'here']);
    is_deeply($r->json, {%group,
            members => [{value => 'u1', more => 1,
                    '$ref' => 'http://here/at/scim/Users/u1'}],
            meta => {%{$group{meta}},
                location => 'http://here/at/scim/Groups/g1'}},
        'URLs, and nothing else') or diag($r->body);

    $r = $t->get('/at/scim/Groups', headers => [Host => 'here']);
    is($r->json->{Resources}[0]{meta}{location},
        'http://here/at/scim/Groups/g1', 'URLs in a list');

    for my $uri ('/at/faxfinder/contact_groups/admin',
        '/at/faxfinder/contact_groups/admin/14')
    {
        $r = $t->get($uri, headers => [Host => 'here']);
        my $body = $r->body;
        like($body, qr{<contact_group_url>http://here/at/faxfinder
            /contact_groups/admin/14</contact_group_url>}x, "$uri: its URL");
        like($body, qr{<contact>http://here/at/faxfinder/contacts/admin/23<},
            'its members');
        like($body, qr{<contact>http://fax/elsewhere/contacts/admin/24<},
            'not what is elsewhere');
        like($body, qr{<colour>red</colour>}, 'nor what is unknown');
    }

    # where both are at the same place every byte is the upstream's
    $r = $t->get('/ffws/v1/contact_groups/admin/14');
    is($r->body, fax('Success', 14), 'the same place');
};

# The vendor was sent URLs that it does not have.
subtest 'places in requests' => sub {
    $u->clear;
    my $r = $t->post('/at/faxfinder/contact_groups/admin',
        body => '<contact_group><name>a</name>'
            . '<contact>http://here/at/faxfinder/contacts/admin/23</contact>'
            . '<contact>http://x/at/faxfinder/contacts/bob/24</contact>'
            . '</contact_group>', headers => [@XML]);
    is($r->status, 200, 'status') or diag($r->body);

    my ($request) = $u->requests;
    my @contacts = $request->{body} =~ m{<contact>([^<]+)<}g;
    my $address = $u->address;
    is_deeply(\@contacts, ["http://$address/ffws/v1/contacts/admin/23",
            "http://$address/ffws/v1/contacts/bob/24"], 'where it has them');
};

$t->stop;
done_testing;
