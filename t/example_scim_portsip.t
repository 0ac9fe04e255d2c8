#!/usr/bin/perl

# examples/scim-portsip: what Okta and Entra ID say, in front of PortSIP.

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
my $vendor = $t->emulator('portsip');
my $port   = $t->port('idp');

my $e = Test::Gateway::Example->new($t, 'scim-portsip',
    9341 => $vendor->port, 9441 => $port);
$t->nginx(conf => $e->conf('nginx.conf'));

subtest 'what the README shows' => sub { $e->readme_holds };

$vendor->reset;

provisions($t,
    port  => $port,
    token => 'demo-token',
    user  => 'alice@test.com',
    ids   => [qw(101 102 103)],
    kept  => sub {
        my ($name) = @_;
        my $group = groups_at($t, $vendor, 'portsip')->{$name};
        return $group && $group->{members};
    },
);

$t->stop;
done_testing;
