package Test::Gateway::Prometheus;

# Prometheus' text format 0.0.4, read more strictly than Prometheus does.
#
#   my $m = Test::Gateway::Prometheus->parse($text);   dies: line and reason
#
#   $m->names                      of metrics, in their order
#   $m->samples                    names with those of histograms' parts
#   $m->labels('a_total')          names of labels
#   $m->series('a_total')          {labels => {...}, value => 1}, ...
#   $m->sum('a_total', x => 'y')   of all series with these labels, or undef

use strict;
use warnings;

my %TYPE = map { $_ => 1 } qw(counter gauge histogram);

my $NAME  = qr/[a-z_][a-z0-9_]*/;
my $VALUE = qr/"((?:[^"\\\n]|\\[\\n"])*)"/;

sub parse {
    my ($class, $text) = @_;

    my $self = bless {help => {}, type => {}, order => [], series => {}},
        $class;

    die "does not end with a line feed\n" if $text !~ /\n\z/;
    die "has a carriage return\n"         if $text =~ /\r/;

    my $n = 0;
    for my $line (split /\n/, $text) {
        $n++;
        eval { $self->_line($line); 1 } or die "line $n, $line: $@";
    }

    $self->_check_histogram($_)
        for grep { $self->{type}{$_} eq 'histogram' } @{$self->{order}};

    return $self;
}

sub _line {
    my ($self, $line) = @_;

    if ($line =~ /^# HELP ($NAME) (\S.*)$/) {
        die "HELP twice\n" if defined $self->{help}{$1};
        $self->{help}{$1} = $2;
        $self->{open} = $1;
        return;
    }

    if (my ($of, $type) = $line =~ /^# TYPE ($NAME) (\w+)$/) {
        die "no HELP before it\n" if ($self->{open} // '') ne $of;
        die "TYPE twice\n"        if $self->{type}{$of};
        die "unknown type\n"      if !$TYPE{$type};
        die "_total is for counters, and for all of them\n"
            if ($of =~ /_total$/ ? 1 : 0) != ($type eq 'counter' ? 1 : 0);
        $self->{type}{$of} = $type;
        push @{$self->{order}}, $of;
        return;
    }

    my ($name, $labels, $value)
        = $line =~ /^($NAME)(?:\{(.+)\})? ([+-]?[0-9.]+(?:e[+-]?\d+)?)$/
        or die "neither a comment nor a sample\n";

    my $family = $self->{open} // '';
    my $type   = $self->{type}{$family} // die "no TYPE before it\n";

    my ($part) = $name =~ /^\Q$family\E(_bucket|_sum|_count|)$/
        or die "is not in the block of its metric\n";
    die "is no part of a $type\n"
        if ($type eq 'histogram' ? 1 : 0) != ($part ne '' ? 1 : 0);

    $self->_sample($name, $labels // '', $value);

    return;
}

sub _sample {
    my ($self, $name, $labels, $value) = @_;

    my (%label, @names);
    my $rest = $labels;
    while (length $rest) {
        $rest =~ s/^($NAME)=$VALUE(?:,(?=.)|\z)// or die "label at $rest\n";
        die "label $1 twice\n" if exists $label{$1};
        $label{$1} = $2 =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ger;
        push @names, $1;
    }

    my $key = join "\0", map { ($_, $label{$_}) } sort keys %label;
    die "the same series twice\n" if $self->{seen}{$name}{$key}++;

    my $names = join ' ', @names;
    $self->{labels}{$name} //= $names;
    die "labels differ: $self->{labels}{$name}; $names\n"
        if $self->{labels}{$name} ne $names;

    push @{$self->{series}{$name}}, {labels => \%label, value => $value};

    return;
}

# Buckets rise, end with +Inf, and that is the count.
sub _check_histogram {
    my ($self, $name) = @_;

    my (%last, %bound, %infinite);

    for my $bucket ($self->series("${name}_bucket")) {
        my %label = %{$bucket->{labels}};
        my $le    = delete $label{le} // die "$name: a bucket without le\n";
        my $key   = join "\0", map { ($_, $label{$_}) } sort keys %label;

        die "$name: buckets fall\n" if $bucket->{value} < ($last{$key} // 0);
        die "$name: bounds fall, or go on after +Inf\n"
            if $infinite{$key}
            || ($le ne '+Inf' && $le <= ($bound{$key} // -1));

        $last{$key}     = $bucket->{value};
        $bound{$key}    = $le if $le ne '+Inf';
        $infinite{$key} = 1   if $le eq '+Inf';
    }

    my %count = map {
        my $label = $_->{labels};
        (join("\0", map { ($_, $label->{$_}) } sort keys %$label),
            $_->{value})
    } $self->series("${name}_count");

    for my $key (keys %last) {
        die "$name: no +Inf\n" if !$infinite{$key};
        die "$name: the count is not that of +Inf\n"
            if ($count{$key} // -1) != $last{$key};
    }

    die "$name: counts without buckets\n" if keys %count != keys %last;

    return;
}

sub names   { return @{$_[0]{order}} }
sub samples { return sort keys %{$_[0]{series}} }
sub series  { return @{$_[0]{series}{$_[1]} // []} }
sub labels  { return split / /, $_[0]{labels}{$_[1]} // '' }

sub sum {
    my ($self, $name, %label) = @_;

    my $sum;
    for my $series ($self->series($name)) {
        next if grep { ($series->{labels}{$_} // '') ne $label{$_} }
            keys %label;
        $sum = ($sum // 0) + $series->{value};
    }

    return $sum;
}

1;
