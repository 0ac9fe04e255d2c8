package Bench::Report;

# Tables, for a terminal or in Markdown, and what their figures are made of.
#
#   table('Title', ['head', ...], [['cell', ...], ...], note, ...);
#   median(@numbers)
#   spread('%.2f', @numbers)        "1.20 (1.18-1.25)": median, least, most
#   verdict($value <= $target)      "met" or "missed"

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(max);

our @EXPORT_OK = qw(median note spread table verdict);

our $MARKDOWN;

sub median {
    my @sorted = sort { $a <=> $b } @_;
    my $middle = @sorted / 2;
    return $sorted[$middle] if @sorted % 2;
    return ($sorted[$middle - 1] + $sorted[$middle]) / 2;
}

sub spread {
    my ($format, @numbers) = @_;
    my @sorted = sort { $a <=> $b } @numbers;
    return sprintf "$format ($format-$format)", median(@sorted),
        @sorted[0, -1];
}

sub verdict { return $_[0] ? 'met' : 'missed' }

sub table {
    my ($title, $head, $rows, @notes) = @_;

    print $MARKDOWN ? "\n### $title\n\n" : "\n$title\n\n";

    if ($MARKDOWN) {
        print '| ', join(' | ', @$_), " |\n"
            for $head, ['---', ('---:') x $#$head], @$rows;

    } else {
        my @lines = map { [map { tr/`//dr } @$_] } $head, @$rows;
        my @width = map { my $i = $_; max(map { length $_->[$i] } @lines) }
            0 .. $#$head;

        for my $line (@lines) {
            print join('  ', map { sprintf $_ ? '%*s' : '%-*s', $width[$_],
                $line->[$_] } 0 .. $#$line), "\n";
        }
    }

    note(@notes) if @notes;

    return;
}

sub note {
    my (@notes) = @_;
    print "\n", map { "$_\n" } @notes;
    return;
}

1;
