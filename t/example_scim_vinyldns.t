#!/usr/bin/perl

# examples/scim-vinyldns: what Okta and Entra ID say, in front of VinylDNS.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Example;
use Test::Gateway::IdP qw(provisions);
use Test::Gateway::Vendors qw(groups_at);

BEGIN {
    eval { require Mojolicious; 1 }
        or plan skip_all => 'Mojolicious is not installed';
}

my $t      = Test::Gateway->new(variables => 0);
my $vendor = $t->emulator('vinyldns');
my $port   = $t->port('idp');

my $e = Test::Gateway::Example->new($t, 'scim-vinyldns',
    9331 => $vendor->port, 9431 => $port);
$t->nginx(conf => $e->conf('nginx.conf'));

subtest 'what the README shows' => sub { $e->readme_holds };

$vendor->reset;

provisions($t,
    port  => $port,
    token => 'demo-token',
    user  => 'alice@test.com',
    ids   => [qw(dummy001 dummy002 dummy003)],
    # the administrator, who is a member
    always => ['2764183c-5e75-4ae6-8833-503cd5f4dcb0'],
    kept  => sub {
        my ($name) = @_;
        my $group = groups_at($t, $vendor, 'vinyldns')->{$name};
        return $group && $group->{members};
    },
);

$t->stop;
done_testing;
