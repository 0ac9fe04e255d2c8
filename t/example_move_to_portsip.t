#!/usr/bin/perl

# examples/move-to-portsip: SignalWire's clients, in front of SignalWire and
# of PortSIP at the same time.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Example;

BEGIN {
    eval { require Mojolicious; 1 }
        or plan skip_all => 'Mojolicious is not installed';
}

my $t = Test::Gateway->new(variables => 0, workers => 1);

my %vendor = (
    signalwire => $t->emulator('signalwire', 'any-number' => undef),
    portsip    => $t->emulator('portsip'),
);

my $port = $t->port('gateway');
my $e = Test::Gateway::Example->new($t, 'move-to-portsip',
    9311 => $vendor{signalwire}->port, 9312 => $vendor{portsip}->port,
    9411 => $port);

$t->nginx(conf => $e->conf('nginx.conf'));

my $GROUPS  = '/api/relay/rest/number_groups';
my $MEMBERS = '/api/relay/rest/number_group_memberships';
my $OURS    = qr/\A6e677267-/;

# A call of a project; which vendors were asked for it.
sub call {
    my ($project, $method, $uri, %more) = @_;
    $_->clear for values %vendor;
    my $r = $t->request(port => $port, auth => [$project, 'secret'],
        method => $method, uri => $uri, %more);
    return ($r, join ' ', grep { $vendor{$_}->journal } sort keys %vendor);
}

sub is_at {
    my ($at, $status, $project, $method, $uri, $name, %more) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($r, $asked) = call($project, $method, $uri, %more);
    is($r->status, $status, "$name: status") or diag($r->body);
    is($asked, $at, "$name: only $at is asked");
    return $r;
}

subtest 'what the README shows' => sub { $e->readme_holds };

# the client's code is the same; "number" is one that the vendor has
my %side = (
    signalwire => {project => 'crm', id => qr/\A(?!6e677267-)[0-9a-f-]{36}\z/,
        number => '3fa85f64-5717-4562-b3fc-000000000003'},
    portsip => {project => 'shop', id => qr/\A6e677267-[0-9a-f-]{27}\z/,
        number => '6e677267-0100-8000-8000-000000000065'},
);

for my $at (sort keys %side) {
    subtest "each of a client's calls works in $at" => sub {
        my ($project, $like, $number) = @{$side{$at}}{qw(project id number)};
        my @as = ($project);

        my $r = is_at($at, 200, @as, 'POST', $GROUPS, 'create',
            json => {name => "mine-$at"});
        my $id = $r->json->{id};
        like($id, $like, 'a UUID');
        is_deeply($r->json, {id => $id, name => "mine-$at",
                sticky_sender => JSON::PP::false(),
                phone_number_count => 0}, 'the group');

        # found by its id, whoever asks
        for my $who (qw(crm shop)) {
            $r = is_at($at, 200, $who, 'GET', "$GROUPS/$id", "get by $who");
            is($r->json->{name}, "mine-$at", 'it is');
        }

        $r = is_at($at, 200, @as, 'PUT', "$GROUPS/$id", 'replace',
            json => {name => "ours-$at"});
        is($r->json->{id}, $id, 'the same id');

        $r = is_at($at, 200, @as, 'POST',
            "$GROUPS/$id/number_group_memberships", 'add',
            json => {phone_number_id => $number});
        is($r->json->{number_group_id}, $id, 'to this group');
        is($r->header('Group-Lost'), undef, 'nothing is lost');
        is($r->json->{phone_number}{id}, $number, 'this number');
        my $member = $r->json->{id};

        $r = is_at($at, 200, @as, 'GET', "$GROUPS/$id", 'get');
        is($r->json->{phone_number_count}, 1, 'has it');
        $r = is_at($at, 200, @as, 'GET',
            "$GROUPS/$id/number_group_memberships", 'members');
        is_deeply([map { $_->{id} } @{$r->json->{data}}], [$member],
            'it is there');

        $r = is_at($at, 200, @as, 'GET', "$MEMBERS/$member", 'membership');
        is($r->json->{phone_number}{id}, $number, 'of this number');
        is_at($at, 204, @as, 'DELETE', "$MEMBERS/$member", 'remove');

        # pages, by the links that the client follows
        is_at($at, 200, @as, 'POST', $GROUPS, 'another',
            json => {name => "other-$at"});
        my ($next, %seen) = "$GROUPS?page_size=1";
        for (1 .. 10) {
            $r = is_at($at, 200, @as, 'GET', $next, 'list');
            $seen{$_->{name}}++ for @{$r->json->{data}};
            like($r->json->{links}{first}, qr/\A\Q$GROUPS\E(?:\?|\z)/,
                'links are those of the client');
            $next = $r->json->{links}{next} // last;
            like($next, qr/\A\Q$GROUPS\E\?/, 'and so is the next one');
        }
        is($seen{"$_-$at"}, 1, "$_: listed once") for qw(ours other);
        is_deeply([grep { /ours|other/ && !/-$at/ } keys %seen], [],
            'and nothing of the other vendor');

        is_at($at, 204, @as, 'DELETE', "$GROUPS/$id", 'delete');
        $r = is_at($at, 404, @as, 'GET', "$GROUPS/$id", 'get again');
        is($r->body, '{"error":"Not Found"}', 'in SignalWire\'s words');
    };
}

subtest 'what a client does wrong is told in the same words' => sub {
    my @body = map {
        my ($r, $asked) = call($_, 'POST', $GROUPS, json => {name => ''});
        is($r->status, 422, "$_: status");
        is($asked, '', "$_: nobody is asked");
        $r->body;
    } qw(crm shop);
    is($body[0], $body[1], 'byte by byte');

    for my $path ($GROUPS, "$GROUPS/6e677267-0200-8009-80b8-dc4010c00000") {
        my $r = $t->get($path, port => $port, auth => ['shop', 'wrong']);
        is($r->status, 401, "$path: a wrong token");
        is($r->body, '{"error":"Unauthorized"}', "$path: its words");
    }

    my ($r) = call('shop', 'GET', '/portsip/api/relay/rest/number_groups');
    is($r->status, 404, 'the inner location is nobody\'s');
};

subtest 'a header chooses the vendor for what has no id' => sub {
    for my $at (sort keys %vendor) {
        for my $project (qw(crm shop)) {
            is_at($at, 200, $project, 'GET', $GROUPS, "$project to $at",
                headers => ['X-Vendor' => $at]);
        }
    }

    my ($r) = call('shop', 'POST', $GROUPS, json => {name => 'named'});
    my $id = $r->json->{id};
    is_at('portsip', 200, 'crm', 'GET', "$GROUPS/$id",
        'and not for what has one', headers => ['X-Vendor' => 'signalwire']);
};

subtest 'one group is moved, its old id works on' => sub {
    my ($r) = call('crm', 'POST', $GROUPS, json => {name => 'mover'});
    my $old = $r->json->{id};
    is_at('signalwire', 200, 'crm', 'GET', "$GROUPS/$old", 'before');

    $r = is_at('portsip', 200, 'crm', 'POST', $GROUPS, 'made again',
        json => {name => 'mover'}, headers => ['X-Vendor' => 'portsip']);
    my $new = $r->json->{id};
    like($new, $OURS, 'its new id');

    $t->write_file('moved.map', $t->read_file('moved.map') . "$old  $new;\n");
    ok($t->reload, 'reload');

    $r = is_at('portsip', 200, 'crm', 'GET', "$GROUPS/$old", 'by its old id');
    is($r->json->{id}, $new, 'it tells its new one');
    is_at('portsip', 200, 'crm', 'GET', "$GROUPS/$new", 'by its new id');
    is_at('portsip', 200, 'crm', 'POST',
        "$GROUPS/$old/number_group_memberships", 'add',
        json => {phone_number_id => $side{portsip}{number}});
    is_at('portsip', 200, 'crm', 'GET', "$GROUPS/$old"
            . '/number_group_memberships?page_size=10', 'members');
    is_at('portsip', 204, 'crm', 'DELETE', "$GROUPS/$old", 'delete');
    is_at('signalwire', 200, 'crm', 'GET', $GROUPS,
        'its project has not moved');
};

subtest 'a part of the projects moves' => sub {
    local $ENV{TEST_GROUP_RELOAD};
    my $conf  = $e->conf('nginx.conf');
    my @names = map {"project-$_"} 1 .. 60;

    # who they are does not matter here
    $conf =~ s/group_credentials clients\.json;//;

    my %before;
    for my $part (10, 50, 90) {
        my $text = $conf =~ s/10%/$part%/r;
        $t->conf(conf => $text);
        ok($t->reload, "$part percent");

        my %moved = map {
            my ($r, $asked) = call($_, 'GET', $GROUPS);
            $asked eq 'portsip' ? ($_ => 1) : ();
        } @names;
        my $n = keys %moved;
        cmp_ok(abs($n / @names - $part / 100), '<', 0.2,
            "$part percent: $n of " . @names);
        is_deeply([grep { !$moved{$_} } keys %before], [],
            'who has moved does not come back');
        %before = %moved;
    }
};

$t->stop;
done_testing;
