#!/usr/bin/env perl

# group_plan_timeout: after that no call is begun but those that undo what is
# half done. What is under way is waited for, and its time is proxy_pass's.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Vendors qw(
    collection gateway_server group_body groups_at item sign_in
);

my $t    = Test::Gateway->new;
my $slow = $t->patience;
my $true = JSON::PP::true();

my $portsip = $t->emulator('portsip', 'no-unknown-fields' => undef);

# A call takes longer than the plan may, whatever else is slow; of the other
# plans none does.
my $SHORT = 300;
my $DELAY = 700;

my @all = map { {client => $_, upstream => 'portsip', url => $portsip->url} }
    qw(vinyldns faxfinder scim signalwire);
my $more = 'group_plan_concurrency 1; group_default owner alice;
    group_default email o@example.com;';

$t->nginx(http => "group_plan_timeout ${SHORT}ms;", servers => join '',
    (map { gateway_server($t, %$_, more => $more) } @all),
    gateway_server($t, %{$all[0]}, name => 'long',
        more => "$more group_plan_timeout 1h;"),
    gateway_server($t, %{$all[2]}, name => 'scim.some',
        more => "$more group_plan_timeout 2s;"));

sub call {
    my ($host, %request) = @_;
    my ($client) = $host =~ /^(\w+)\./;
    return $t->request(sign_in($client // 'vinyldns'), %request,
        headers => [Host => $host, @{$request{headers} // []}]);
}

sub calls { return map { "$_->{method} $_->{path}" } $portsip->journal }

my %type = (scim => 'application/scim+json');

sub group_of {
    my ($client, $name, @ids) = @_;
    return group_body('faxfinder', [[name => $name], map {
        [contact => "http://x/ffws/v1/contacts/alice/$_"] } @ids])
        if $client eq 'faxfinder';
    return (json => {name => $name, email => 'o@example.com', admins => [],
        members => [map { {id => "$_"} } @ids]}) if $client eq 'vinyldns';
    return (headers => ['Content-Type' => $type{$client}],
        body => json_encode({displayName => $name, schemas => [],
            members => [map { {value => "$_"} } @ids]}));
}

my %says = (
    vinyldns  => qr/\A"all the upstream calls take too long"\z/,
    faxfinder => qr{<response><message>all the upstream calls take too long},
    scim      => qr/"detail":"all the upstream calls take too long"/,
);

for my $client (sort keys %says) {
    my $host = "$client.portsip";

    subtest "$client: a creation" => sub {
        $portsip->reset;
        $portsip->clear;
        $portsip->fault({path => '/api/groups$', delay => $DELAY * $slow,
            processed => $true, status => 201,
            content_type => 'application/json', body => '{"id":"NDI0"}'});

        my $r = call($host, method => 'POST', uri => collection($client),
            group_of($client, 'slow', 101 .. 103));
        $portsip->fault;

        is($r->status, 504, 'is a timeout') or diag($r->raw);
        like($r->body, $says{$client}, 'in words of the client');
        is_deeply([calls()], ['POST /api/groups',
            'POST /api/groups/NDI0/destroy'],
            'no member is added, and the group is removed');
    };

    subtest "$client: in the middle of it" => sub {
        $portsip->reset;
        $portsip->clear;
        $portsip->fault({path => '/members/102$', delay => $DELAY * $slow,
            processed => $true, status => 200, body => '',
            content_type => 'application/json'});

        my $r = call($host, method => 'POST', uri => collection($client),
            group_of($client, 'slow', 101 .. 104));
        $portsip->fault;

        is($r->status, 504, 'is a timeout');
        my @calls = calls();
        is(scalar(grep { m{/members/(?:103|104)$} } @calls), 0,
            'later members are not added');
        like($calls[-1], qr{/destroy$}, 'the group is removed');
        is_deeply(groups_at($t, $portsip, 'portsip'), {}, 'and gone');
        $t->like_log(qr/refused with 504: timeout deadline/, 'the log says so');
    };

    subtest "$client: a replacement" => sub {
        $portsip->reset;
        my $r = call('long', method => 'POST', uri => collection('vinyldns'),
            group_of('vinyldns', 'before', 101, 102));
        is($r->status, 200, 'a group');
        my $id = $r->json->{id};
        my $before = groups_at($t, $portsip, 'portsip');

        $portsip->clear;
        $portsip->fault({path => '/members/103$', delay => $DELAY * $slow,
            processed => $true, status => 200, body => '',
            content_type => 'application/json'});
        my %body = group_of($client, 'after', 103, 104);
        $body{json}{id} = $id if $client eq 'vinyldns';
        $r = call($host, method => 'PUT', uri => item($client, $id), %body);
        $portsip->fault;

        is($r->status, 504, 'is a timeout') or diag($r->raw);
        is(scalar(grep { m{/members/104$} } calls()), 0,
            'later members are not added');
        is_deeply(groups_at($t, $portsip, 'portsip'), $before,
            'all is as it was');
    };
}

subtest 'what is only read ends as well' => sub {
    $portsip->clear;
    $portsip->fault({method => 'GET', path => '/api/groups\b',
        delay => $DELAY * $slow, processed => $true, status => 200,
        content_type => 'application/json',
        body => '{"count":1,"items":[{"id":"NDI0","name":"n"}]}'});
    my $r = call('scim.portsip', uri => '/scim/v2/Groups');
    $portsip->fault;
    is($r->status, 504, 'a list');
    is(scalar(calls()), 1, 'whose members are not read');
};

subtest 'what is written is answered' => sub {
    $portsip->reset;
    $portsip->clear;
    my $id = call('long', method => 'POST', uri => collection('vinyldns'),
        group_of('vinyldns', 'made', 101))->json->{id};
    $portsip->clear;
    $portsip->fault({path => '/members/102$', delay => 2500,
        processed => $true, status => 200, body => '',
        content_type => 'application/json'});
    my $r = call('scim.some', method => 'PUT', uri => item('scim', $id),
        group_of('scim', 'more', 101, 102));
    $portsip->fault;
    is($r->status, 200, 'the last call was begun in time');
    is($r->json->{displayName}, 'more', 'and the group is shown');
};

subtest 'a location has its own' => sub {
    $portsip->reset;
    $portsip->fault({path => '/members/10[12]$', times => 2, status => 200,
        delay => $DELAY * $slow, processed => $true, body => '',
        content_type => 'application/json'});
    my $r = call('long', method => 'POST', uri => collection('vinyldns'),
        group_of('vinyldns', 'slow', 101, 102));
    $portsip->fault;
    is($r->status, 200, 'that is longer');
};

subtest 'the directive' => sub {
    my $d = 'group_plan_timeout';
    $t->config_fails("$d 0;", qr/"$d" directive must not be 0/, '0');
    $t->config_fails("$d $_;", qr/"$d" directive/, $_) for '0ms', 'x', '-1';
    $t->config_fails("$d 1s; $d 2s;", qr/"$d" directive is duplicate/,
        'twice');
    $t->config_fails("location / { if (\$arg_a) { $d 1s; } }",
        qr/directive is not allowed here/, 'in if');
    $t->config_ok("$d $_;", $_) for qw(1ms 10s 2h);
};

done_testing;
