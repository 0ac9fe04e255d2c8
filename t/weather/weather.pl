#!/usr/bin/perl

# make weather: the suite in one weather after another, and a summary.
#
#   weather.pl http2 tiny ...    make test-http2, make test-tiny ...

use strict;
use warnings;

use Time::HiRes qw(time);

$| = 1;

my @weathers = @ARGV or die "usage: $0 weather ...\n";
my $make     = $ENV{MAKE} || 'make';
my @summary;
my $failed = 0;

for my $weather (@weathers) {
    print "\n== $weather\n";

    my $start = time;
    my ($files, $tests, $result, @bad) = ('', '', 'failed');

    open my $out, '-|', "$make --no-print-directory test-$weather 2>&1"
        or die "$make: $!\n";

    while (my $line = <$out>) {
        print $line;
        ($files, $tests) = ($1, $2)
            if $line =~ /^Files=(\d+), Tests=(\d+)/;
        push @bad, $1 if $line =~ /^(t\/\S+\.t) +\(Wstat/;
    }

    $result = 'passed' if close $out;
    $result = 'failed: ' . join ' ', @bad if @bad;
    $failed++ if $result ne 'passed';

    push @summary, sprintf '%-10s %5s %6s %6.0f  %s', $weather, $files,
        $tests, time - $start, $result;
}

printf "\n%-10s %5s %6s %6s\n", qw(weather files tests s);
print map { "$_\n" } @summary;

exit($failed ? 1 : 0);
