#!/usr/bin/perl

# Builds the C tests of the pure layers and passes on what they print.
# A test's name as argument runs only that one: prove t/unit.t :: json

use warnings;
use strict;

use Cwd ();
use File::Basename ();
use Test::More;

chdir File::Basename::dirname(Cwd::abs_path(__FILE__)) . '/..'
    or die "no project root: $!\n";

my $make = $ENV{MAKE} || 'make';

my @names = @ARGV ? @ARGV : map { m{test_(\w+)\.c$} } sort glob 't/unit/test_*.c';

plan tests => 2 * @names;

for my $name (@names) {
    my $built = qx($make -s -f t/unit/unit.mk build/unit/test_$name 2>&1);

    my $failed = $?;

    diag($built) if $failed;
    ok(!$failed, "$name builds");

    SKIP: {
        skip "$name was not built", 1 if $failed;

        subtest $name => sub { run($name) };
    }
}


sub run {
    my ($name) = @_;

    my ($planned, $n) = (undef, 0);

    my $pid = open my $out, '-|', "build/unit/test_$name 2>&1"
        or die "test_$name: $!\n";

    local $SIG{ALRM} = sub { kill 'KILL', $pid };

    alarm 300;

    while (my $line = <$out>) {
        chomp $line;

        if ($line =~ /^(not )?ok \d+ - (.*)/) {
            $n++;
            ok(!$1, $2);

        } elsif ($line =~ /^1\.\.(\d+)$/) {
            $planned = $1;

        } else {
            diag($line);
        }
    }

    close $out;
    alarm 0;

    is($?, 0, 'exit status');
    is($planned, $n, 'all tests were run');

    done_testing();

    return;
}
