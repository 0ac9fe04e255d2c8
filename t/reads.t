# What only the vendor itself can answer: passed on where the upstream is that
# vendor's, "not_supported" where it is not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Gateway;
use Test::Gateway::Vendors qw(
    collection gateway_server group_body item sign_in
);

my $t = Test::Gateway->new;

my %emulator = (
    vinyldns  => $t->emulator('vinyldns', domain => 'example.com'),
    faxfinder => $t->emulator('faxfinder'),
    portsip   => $t->emulator('portsip'),
);

$t->nginx(servers => join '', map {
    gateway_server($t, client => $_->[0], upstream => $_->[1],
        url => $emulator{$_->[1]}->url)
} [qw(vinyldns vinyldns)], [qw(vinyldns portsip)],
    [qw(faxfinder faxfinder)], [qw(faxfinder portsip)]);

sub call {
    my ($client, $upstream, %request) = @_;
    return $t->request(sign_in($client), %request,
        headers => [Host => "$client.$upstream", @{$request{headers} // []}]);
}

my $group = call('vinyldns', 'vinyldns', method => 'POST',
    uri => collection('vinyldns'), json => {name => 'read',
        email => 'a@example.com', members => [], admins => []})->json;
my $uri = item('vinyldns', $group->{id});

subtest 'of the same vendor' => sub {
    my $r = call('vinyldns', 'vinyldns', uri => "$uri/admins");
    is($r->status, 200, 'administrators');
    is($r->json->{admins}[0]{id}, $group->{admins}[0]{id}, 'who they are');

    $r = call('vinyldns', 'vinyldns', uri => "$uri/activity?maxItems=1");
    is($r->status, 200, 'activity');
    is(scalar @{$r->json->{changes}}, 1, 'one change');
    like(($emulator{vinyldns}->journal)[-1]{target}, qr/\?maxItems=1$/,
        'the query goes along');

    my $change = $r->json->{changes}[0]{id};
    $r = call('vinyldns', 'vinyldns', uri => "/groups/change/$change");
    is($r->status, 200, 'one of them');
    is($r->json->{id}, $change, 'the one');

    $r = call('vinyldns', 'vinyldns', uri => '/groups/valid/domains');
    is($r->status, 200, 'domains');
    is(ref $r->json, 'ARRAY', 'a bare list');

    $r = call('vinyldns', 'vinyldns', uri => '/users/nobody-of-that-name');
    is($r->status, 404, 'no such user');
    like($r->body, qr/nobody-of-that-name/, 'in the vendor\'s words');

    $r = call('faxfinder', 'faxfinder', uri => '/ffws/v1/contacts/admin/1');
    is($r->status, 200, 'a contact');
    like($r->body, qr/<contact>/, 'in XML');
};

subtest 'of another one' => sub {
    $emulator{portsip}->clear;

    my $r = call('vinyldns', 'portsip', uri => "$uri/admins");
    is($r->status, 501, 'administrators');
    like($r->body, qr{portsip.*/groups/\{id\}/admins}, 'and why');

    $r = call('faxfinder', 'portsip', uri => '/ffws/v1/contacts/admin');
    is($r->status, 501, 'contacts');

    is(scalar($emulator{portsip}->journal), 0, 'nobody is asked');
};

subtest 'it is reading' => sub {
    my $r = $t->request(uri => "$uri/admins",
        headers => [Host => 'vinyldns.vinyldns']);
    is($r->status, 401, 'by who signs in');

    $r = call('vinyldns', 'vinyldns', method => 'DELETE',
        uri => "$uri/admins");
    like($r->status, qr/^40[45]$/, 'and nothing else');
};

done_testing;
