#!/usr/bin/env perl

# ngx_http_group_module(7) from README.md, so that there is one reference.
#
#   perl readme2man.pl VERSION DATE README.md >ngx_http_group_module.7
#
# DATE is YYYY-MM-DD.  Read is as much of Markdown as the README has: headings,
# paragraphs, lists, tables, fenced code; code spans, bold, emphasis, links.
# A table becomes a list that is tagged with its first column, since a
# terminal is too narrow for most of them.

use strict;
use warnings;
use utf8;

use List::Util qw(max);

my $DOC  = '/usr/share/doc/libnginx-mod-http-group';
my $DATA = '/usr/share/nginx/lua/group';

# about the clone, not about what is installed; with all that is below them
my %LEFT_OUT = map { $_ => 1 } 'Two commands', 'First configuration',
    'Trying translations', 'I want to ...', 'What is supported', 'Install',
    'Building', 'What it costs', 'Source and tests', 'Assumed vendor facts',
    'License';

my $WIDTH = 78;     # of the lines that are written
my $SHORT = 12;     # a cell up to this length shares its line with others

@ARGV == 3 or die "usage: readme2man.pl VERSION DATE README.md\n";

my ($version, $date, $file) = @ARGV;

$date =~ /^\d{4}-\d\d-\d\d\z/ or die "$date: is no YYYY-MM-DD\n";

binmode STDOUT, ':encoding(UTF-8)' or die $!;

open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
chomp(my @lines = <$in>);
close $in;

my @blocks   = parse(@lines);
my %included = included(@blocks);
my %anchor   = map { anchor($_) => $_ } keys %included;

exists $included{Directives} or die "$file: has no section Directives\n";

print header(), body(@blocks), example(@blocks), footer();


# Blocks: [heading => level, text], [code => lines], [table => rows],
# [item => depth, text], [text => text].

sub parse {
    my (@input) = @_;

    my (@found, $open);

    while (defined(my $line = shift @input)) {

        if ($line =~ /^(\s*)```/) {
            my $indent = $1;
            my @code;
            while (@input && $input[0] !~ /^\s*```/) {
                push @code, shift(@input) =~ s/^\Q$indent\E//r;
            }
            shift @input;
            push @found, [code => @code];
            undef $open;

        } elsif ($line =~ /^(#+)\s+(.*)/) {
            push @found, [heading => length $1, $2];
            undef $open;

        } elsif ($line =~ /^\|/) {
            my @rows = $line;
            push @rows, shift @input while @input && $input[0] =~ /^\|/;
            push @found, [table => map { [cells($_)] }
                grep { !/^\|[\s:|-]+$/ } @rows];
            undef $open;

        } elsif ($line =~ /^(\s*)(?:[*+-]|\d+\.)\s+(.*)/) {
            $open = [item => int(length($1) / 2), $2];
            push @found, $open;

        } elsif ($line =~ /^\s*$/) {
            undef $open;

        } elsif ($line =~ /^\s*(?:<!--|!\[)/) {
            # a comment, a picture

        } elsif ($open) {
            $open->[-1] .= " " . $line =~ s/^\s+//r;

        } else {
            $open = [text => $line];
            push @found, $open;
        }
    }

    return @found;
}


sub cells {
    my ($row) = @_;

    $row =~ s/^\|\s*//;
    $row =~ s/\s*\|\s*$//;

    # a bar in a cell is written \|
    return map { s/\\\|/|/gr } split /\s*(?<!\\)\|\s*/, $row, -1;
}


# what GitHub makes of a heading

sub anchor {
    my ($text) = @_;

    $text = lc $text;
    $text =~ s/[^\w\s-]//g;
    $text =~ s/\s/-/g;

    return "#$text";
}


sub included {
    my (@all) = @_;

    my (%names, $skip);

    for my $block (grep { $_->[0] eq 'heading' } @all) {
        my (undef, $level, $text) = @$block;
        undef $skip if defined $skip && $level <= $skip;
        $skip = $level if !defined $skip && $LEFT_OUT{$text};
        $names{$text} = 1 if !defined $skip;
    }

    return %names;
}


sub header {
    return <<"END";
.\\" Made from README.md by man/readme2man.pl: do not edit.
.nr HY 0
.TH NGX_HTTP_GROUP_MODULE 7 $date "ngx_http_group_module $version" "nginx"
.nh
.ad l
.SH NAME
ngx_http_group_module \\- gateway between the group APIs of different vendors
.SH SYNOPSIS
.EX
load_module modules/ngx_http_group_module.so;
.EE
.SH DESCRIPTION
END
}


sub body {
    my (@all) = @_;

    my ($out, $skip, $depth) = ('', undef, -1);

    for my $block (@all) {
        my ($kind, @args) = @$block;

        if ($kind eq 'heading') {
            my ($level, $text) = @args;
            undef $skip if defined $skip && $level <= $skip;
            $skip = $level if !defined $skip && $LEFT_OUT{$text};
        }

        next if defined $skip;

        # the end of the lists that are open
        if ($kind ne 'item') {
            $out .= ".RE\n" x $depth if $depth > 0;
            $depth = -1;
        }

        if ($kind eq 'heading') {
            my ($level, $text) = @args;
            next if $level == 1;
            $out .= $level == 2 ? '.SH ' . uc(plain($text)) . "\n"
                  : '.SS ' . plain($text) . "\n";

        } elsif ($kind eq 'code') {
            $out .= paragraph($out) . ".RS 4\n.EX\n"
                . join('', map { guard(literal($_)) . "\n" } @args)
                . ".EE\n.RE\n";

        } elsif ($kind eq 'table') {
            my $table = table(@args);
            $table =~ s/^\.PP\n// if paragraph($out) eq '';
            $out .= $table;

        } elsif ($kind eq 'item') {
            my ($level, $text) = @args;
            $level = $depth + 1 if $level > $depth + 1;
            $out .= ".RS 2\n" if $level > $depth && $level > 0;
            $out .= ".RE\n" x ($depth - $level) if $level < $depth;
            $depth = $level;
            $out .= ".IP \\(bu 2\n" . fill(inline($text));

        } elsif ($args[0] !~ /^(?:\[[^\]]+\]\([^)]+\)[\s|]*)+$/) {
            $out .= paragraph($out) . fill(inline($args[0]));
        }
    }

    $out .= ".RE\n" x $depth if $depth > 0;

    return $out;
}


# the configuration that the README begins with

sub example {
    my (@all) = @_;

    my $in;

    for my $block (@all) {
        my ($kind, @args) = @$block;

        $in = $args[1] eq 'First configuration' if $kind eq 'heading';

        return ".SH EXAMPLES\n.EX\n"
            . join('', map { guard(literal($_)) . "\n" } @args) . ".EE\n"
            if $in && $kind eq 'code';
    }

    return '';
}


# .PP, but not below a heading, where it does nothing

sub paragraph {
    my ($before) = @_;

    return $before eq '' || $before =~ /^\.S[HS] .*\n\z/m ? '' : ".PP\n";
}


sub table {
    my ($head, @rows) = @_;

    # two halves beside each other
    my $half = @$head / 2;
    if (@$head > 2 && @$head % 2 == 0
        && "@$head[0 .. $half - 1]" eq "@$head[$half .. $#$head]")
    {
        @rows = ((map { [@$_[0 .. $half - 1]] } @rows),
                 (map { [@$_[$half .. $#$_]] } @rows));
        $head = [@$head[0 .. $half - 1]];
    }

    @rows = grep { grep { length } @$_ } @rows;

    # a short list has its tags beside what they stand for
    if (!grep { @$_ > 2 || length plain($_->[0]) > 30
                || length plain($_->[1] // '') > 30 } @rows)
    {
        my $width = 2 + max(map { length plain($_->[0]) } @rows);
        return ".PP\n.PD 0\n" . join('', map {
            ".TP $width\n" . guard(inline($_->[0])) . "\n"
                . (length $_->[1] ? fill(inline($_->[1])) : "\\&\n")
        } @rows) . ".PD\n";
    }

    my $out = '';

    for my $row (@rows) {
        my ($tag, @cells) = @$row;
        my ($beside, @said) = 0;

        for my $i (0 .. $#cells) {
            next if $cells[$i] eq '';
            my $name = $head->[$i + 1] // '';
            my $cell = $#cells == 0 || $name eq '' ? $cells[$i]
                     : "$name: $cells[$i]";
            my $short = length $cells[$i] <= $SHORT;

            if ($short && $beside) {
                $said[-1] .= ", $cell";
            } else {
                push @said, $cell;
            }

            $beside = $short && $#cells > 2;
        }

        my $text = @said ? join ".br\n", map { fill(inline($_)) } @said
                 : "\\&\n";

        $out .= length plain($tag) > 60
            ? ".PP\n" . fill(inline($tag)) . ".RS 7\n$text.RE\n"
            : ".TP\n" . guard(inline($tag eq '' ? '-' : $tag)) . "\n$text";
    }

    return $out;
}


# Inline markup.  Code spans are taken out first: nothing in them is markup.

sub inline {
    my ($text) = @_;

    my @code;
    my $keep = sub {
        push @code, $_[0];
        return "\x{E000}$#code\x{E001}";
    };

    $text =~ s/(`+)\s?(.+?)\s?\1/$keep->($2)/ge;
    $text =~ s/\\([\\`*_{}\[\]()#+.!<>|-])/$keep->("\x{E002}$1")/ge;
    $text =~ s/\[([^\]]+)\]\(([^)\s]+)\)/link_to($1, $2, \@code)/ge;
    $text =~ s/<(https?:[^>]+)>/$1/g;
    $text =~ s/&lt;/</g;
    $text =~ s/&gt;/>/g;
    $text =~ s/&amp;/&/g;

    $text = escape($text);
    $text =~ s/\*\*(.+?)\*\*/\\fB$1\\fR/g;
    $text =~ s/(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])/\\fI$1\\fR/g;
    $text =~ s/\x{E000}(\d+)\x{E001}/code($code[$1])/ge;

    return $text;
}


sub code {
    my ($text) = @_;

    # not code, but a character that means nothing here
    return escape($text) if $text =~ s/^\x{E002}//;

    $text = literal($text);

    # where a long one may be broken
    $text =~ s{(?<=[/,;=&?|.])(?=\w)}{\\:}g if length $text > 30;

    return "\\fB$text\\fR";
}


sub link_to {
    my ($text, $target, $code) = @_;

    return "$text <$target>" if $target =~ /^\w+:/;

    if ($target =~ /^#/) {
        return $text =~ /^\x{E000}/ ? $text
             : !$anchor{$target}   ? "$text (README)"
             : $text =~ /^group_\w+$/ ? "**$text**"
             : "*$text*";
    }

    # where the package has it
    my $path = $target =~ s{^lua/}{$DATA/}r =~ s{^examples/}{$DOC/examples/}r;

    if ($path ne $target && $text eq $target) {
        push @$code, $path;
        return "\x{E000}$#$code\x{E001}";
    }

    return $text;
}


# text without markup, for headings

sub plain {
    my ($text) = @_;

    $text =~ s/`//g;
    $text =~ s/\[([^\]]+)\]\([^)]+\)/$1/g;

    return escape($text);
}


my %CHARACTER;

BEGIN {
    %CHARACTER = (
        '\\' => '\\e', '`' => '\\(ga', "'" => '\\(aq', '^' => '\\(ha',
        '~' => '\\(ti',
    );
}

sub escape {
    my ($text) = @_;

    $text =~ s/([\\'`^~])/$CHARACTER{$1}/g;

    return $text;
}


# what is typed has minus signs, not hyphens

sub literal {
    my ($text) = @_;

    return escape($text) =~ s/-/\\-/gr;
}


# a line that begins as a request would

sub guard {
    my ($line) = @_;

    return $line =~ /^[.']/ ? "\\&$line" : $line;
}


sub fill {
    my ($text) = @_;

    my ($out, $line) = ('', '');

    for my $word (split ' ', $text) {

        # a sentence has its own line, so that its end is known
        if (length $line
            && (length($line) + length($word) >= $WIDTH
                || $line =~ /[^.][.!?]\)?\z/ && $word =~ /^\W*[[:upper:]]/))
        {
            $out .= guard($line) . "\n";
            $line = '';
        }

        $line .= length $line ? " $word" : $word;
    }

    return $out . guard($line) . "\n";
}


sub footer {
    return <<"END";
.SH FILES
.TP
.I /usr/lib/nginx/modules/ngx_http_group_module.so
the module
.TP
.I /etc/nginx/modules\\-enabled/50\\-mod\\-http\\-group.conf
loads it; a link to a file of the package
.TP
.I $DATA/dialects
a file for each dialect
.TP
.I $DATA/policies
policies that are configured instead of written
.TP
.I $DOC
README, changelog, examples
.SH SEE ALSO
.BR nginx (8)
.SH COPYRIGHT
BSD\\-2\\-Clause, as nginx; see
.IR $DOC/copyright .
END
}
