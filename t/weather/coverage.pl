#!/usr/bin/perl

# Which lines of src/ were run, of those that could be: by file, and in all.
#
#   coverage.pl DIR            below DIR is what was built with --coverage
#   coverage.pl DIR file.c ..  the lines of these that were not run
#
# A file that was built more than once, for the module and for the tests in C,
# counts a line that was run in any of them.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Find qw(find);
use File::Temp qw(tempdir);
use JSON::PP ();

my ($dir, @show) = @ARGV;
die "usage: $0 DIR [file.c ...]\n" if !defined $dir;

my $LOW  = 90;
my $root = abs_path(dirname(__FILE__) . '/../..');
my @data;

# .gcno is of each object, .gcda of those that were run
find({no_chdir => 1, wanted => sub {
    push @data, abs_path($_) if /\.gcno\z/ && m{/(?:addon|src)/};
}}, $dir);
die "nothing in $dir was built with --coverage\n" if !@data;

my $temp = tempdir(CLEANUP => 1);
my %count;

for my $data (@data) {
    chdir $temp or die "$temp: $!\n";
    open my $out, '-|', 'gcov', '--json-format', '--stdout',
        '--object-directory', dirname($data), $data or die "gcov: $!\n";
    my $text = do { local $/; <$out> } // '';
    close $out;

    for my $json (grep { /^\{/ } split /\n/, $text) {
        for my $file (@{JSON::PP::decode_json($json)->{files}}) {
            my $name = $file->{file};
            next if $name !~ s{^(?:\Q$root\E/)?(?:\./)?(src/.*\.c)\z}{$1}
                || !-f "$root/$name";
            $count{$name}{$_->{line_number}} += $_->{count}
                for @{$file->{lines}};
        }
    }
}

if (@show) {
    for my $name (sort keys %count) {
        next if !grep { $name eq $_ || basename($name) eq $_ } @show;
        open my $fh, '<', "$root/$name" or die "$name: $!\n";
        my $times = $count{$name};
        while (my $line = <$fh>) {
            print "$name:$.: $line"
                if defined $times->{$.} && !$times->{$.};
        }
    }
    exit;
}

my ($all, $run, @low) = (0, 0);

printf "%-44s %7s %7s %7s\n", 'file', 'lines', 'run', '%';

for my $name (sort keys %count) {
    my $lines = keys %{$count{$name}};
    my $hit   = grep { $_ } values %{$count{$name}};

    $all += $lines;
    $run += $hit;
    push @low, $name if $lines && 100 * $hit / $lines < $LOW;
    printf "%-44s %7d %7d %7.1f\n", $name, $lines, $hit,
        $lines ? 100 * $hit / $lines : 100;
}

printf "%-44s %7d %7d %7.1f\n", 'all of src/', $all, $run, 100 * $run / $all;
print "below $LOW %: ", @low ? join(', ', @low) : 'none', "\n";

exit(100 * $run / $all < $LOW ? 1 : 0);
