# The scenarios of the benchmark do what they say, and its scripts compile;
# nothing is timed here.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/bench/lib";
use Test::More;

use Bench::Check qw(check);
use Bench::Scenario qw(@SCENARIOS);
use Bench::Server qw(gateway ours vendors);

my @ours    = ours(@SCENARIOS);
my $vendors = vendors(@ours);
my $gateway = gateway($vendors, \@ours);

for my $scenario (@ours) {
    my @wrong = check($gateway, $scenario);
    ok(!@wrong, "$scenario->{title}: does what it says") || diag(@wrong);
}

for my $script (glob "$FindBin::Bin/bench/*.pl") {
    my $output = qx($^X -c "$script" 2>&1);
    is($?, 0, "$script compiles") || diag($output);
}

done_testing;
