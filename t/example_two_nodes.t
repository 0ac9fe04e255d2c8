#!/usr/bin/perl

# examples/two-nodes: a conversation goes on at whichever node it comes to.

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

# a balancer that is reloaded begins with the first node again
delete $ENV{TEST_GROUP_RELOAD};

my @NEW = (variables => 0, workers => 1);

my $t   = Test::Gateway->new(@NEW);
my $one = Test::Gateway->new(@NEW);
my $two = Test::Gateway->new(@NEW);

my $vendor = $t->emulator('portsip');
my %node   = (one => $t->port('one'), two => $t->port('two'));
my $port   = $t->port('balancer');

my $e = Test::Gateway::Example->new($t, 'two-nodes', 9351 => $vendor->port,
    9451 => $port, 9452 => $node{one}, 9453 => $node{two});
$e->install($_) for $one, $two;

# the same file but for the port, as in the README
$one->nginx(conf => $e->conf('node.conf'));
$two->nginx(conf => $e->conf('node.conf', 9452 => $node{two}));
$t->nginx(conf => $e->conf('balancer.conf'));

my $GROUPS  = '/api/relay/rest/number_groups';
my $MEMBERS = '/api/relay/rest/number_group_memberships';

# One request by the balancer, and one straight to a node.
sub call {
    my ($method, $uri, %more) = @_;
    return $t->request(port => $port, auth => ['demo', 'secret'],
        method => $method, uri => $uri, %more);
}

sub node { return $_[0]->header('Gateway-Node') // 'none' }

subtest 'what the README shows' => sub { $e->readme_holds };

subtest 'one conversation, another node each time' => sub {
    $vendor->reset;

    my %nodes;
    my $last = 'none';
    my $step = sub {
        my ($name, $status, @call) = @_;
        my $r = call(@call);
        is($r->status, $status, "$name: status") or diag($r->body);
        isnt(node($r), $last, "$name: at the other node");
        $nodes{$last = node($r)}++;
        return $r;
    };

    my $r = $step->('create', 200, 'POST', $GROUPS, json => {name => 'a'});
    my $id = $r->json->{id};
    is_deeply($step->('get', 200, 'GET', "$GROUPS/$id")->json, $r->json,
        'the same answer');
    is($step->('replace', 200, 'PUT', "$GROUPS/$id", json => {name => 'b'})
        ->json->{id}, $id, 'the same id');
    is($step->('get again', 200, 'GET', "$GROUPS/$id")->json->{name}, 'b',
        'what the other one wrote');

    $r = $step->('add', 200, 'POST', "$GROUPS/$id/number_group_memberships",
        json => {phone_number_id => '6e677267-0100-8000-8000-000000000065'});
    my $member = $r->json->{id};
    $r = $step->('members', 200, 'GET',
        "$GROUPS/$id/number_group_memberships");
    is_deeply([map { $_->{id} } @{$r->json->{data}}], [$member],
        'the same membership');
    $r = $step->('membership', 200, 'GET', "$MEMBERS/$member");
    is($r->json->{number_group_id}, $id, 'of the same group');
    $step->('remove', 204, 'DELETE', "$MEMBERS/$member");

    # pages: the token of one node is good for the other
    $vendor->seed({groups => [map { {name => "page-$_"} } 1 .. 6]});
    my ($next, @names) = "$GROUPS?page_size=2";
    while ($next) {
        $r = $step->('page', 200, 'GET', $next);
        push @names, map { $_->{name} } @{$r->json->{data}};
        $next = $r->json->{links}{next};
    }
    is_deeply([sort @names], ['b', map {"page-$_"} 1 .. 6],
        'all groups, each once');

    $step->('delete', 204, 'DELETE', "$GROUPS/$id");
    $step->('get what is gone', 404, 'GET', "$GROUPS/$id");

    is_deeply([sort keys %nodes], [sort values %node], 'both took part');
    cmp_ok(abs($nodes{$node{one}} - $nodes{$node{two}}), '<=', 1,
        'in turns');
};

subtest 'each node gives the same answer to the same request' => sub {
    $vendor->reset;
    $vendor->seed({groups => [map { {name => "same-$_"} } 1 .. 3]});

    my $id = call('GET', $GROUPS)->json->{data}[0]{id};
    for my $uri ($GROUPS, "$GROUPS?page_size=1", "$GROUPS/$id",
        "$GROUPS/6e677267-0200-8000-8000-000000000001", "$GROUPS/nobody")
    {
        my @answer = map {
            my $r = $t->get($uri, port => $node{$_},
                auth => ['demo', 'secret']);
            [$r->status, $r->body];
        } qw(one two);
        is_deeply($answer[0], $answer[1], $uri);
    }
};

subtest 'a node sees the client, not the balancer' => sub {
    my $r = call('GET', $GROUPS, headers => ['X-Real-IP' => '192.0.2.1']);
    is($r->status, 200, 'a client that says it is another');
    my $log = $one->read_file('access.log') . $two->read_file('access.log');
    unlike($log, qr/192\.0\.2\.1/, 'is not believed');
    like($log, qr/^127\.0\.0\.1 [0-9a-f]{32} demo group\.list 200 done/m,
        'the log has the request\'s id');

    $r = $t->get($GROUPS, port => $port, auth => ['demo', 'wrong']);
    is($r->status, 401, 'a wrong password');
};

subtest 'a node that is down is passed over' => sub {
    my %before;
    $before{node(call('GET', $GROUPS))}++ for 1 .. 4;
    is(scalar keys %before, 2, 'both are up');

    $two->stop;
    for my $n (1 .. 4) {
        my $r = call('POST', $GROUPS, json => {name => "down-$n"});
        is($r->status, 200, "POST $n") or diag($r->body);
        is(node($r), $node{one}, 'by the other');
    }
};

$_->stop for $t, $one;
done_testing;
