# A group with more members than a page holds, through SCIM in a product that
# takes them one by one, and back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Gateway;
use Test::Gateway::Vendors qw(collection gateway_server sign_in);

my $COUNT = $ENV{TEST_GROUP_VALGRIND} ? 60 : 2500;

my $t = Test::Gateway->new;
my $signalwire = $t->emulator('signalwire', 'any-number' => undef,
    journal => 20000);

$t->nginx(servers => gateway_server($t, client => 'scim',
    upstream => 'signalwire', url => $signalwire->url,
    more => 'group_plan_max_calls 3000; client_max_body_size 1m;
        client_body_buffer_size 1m;'));

my @numbers = map { sprintf '3fa85f64-5717-4562-b3fc-%012d', $_ } 1 .. $COUNT;

sub call {
    return $t->request(sign_in('scim'), timeout => 120, @_,
        headers => [Host => 'scim.signalwire']);
}

my $r = call(method => 'POST', uri => collection('scim'), json => {
    schemas     => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
    displayName => 'large',
    members     => [map { {value => $_} } @numbers],
});
is($r->status, 201, "a group with $COUNT members");
is(scalar(@{$r->json->{members}}), $COUNT, 'all of them in the answer');

$signalwire->clear;
$r = call(uri => collection('scim') . '/' . $r->json->{id});
is($r->status, 200, 'read back');

my %there = map { ($_->{value} => 1) } @{$r->json->{members}};
is(scalar(grep { $there{$_} } @numbers), $COUNT, 'all of them');
is(scalar(@{$r->json->{members}}), $COUNT, 'and each once');

my @calls = $signalwire->journal;
cmp_ok(scalar(@calls), '<=', 2 + $COUNT / 1000 + 1, 'in pages of 1,000');

done_testing;
