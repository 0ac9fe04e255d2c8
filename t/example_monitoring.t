#!/usr/bin/perl

# examples/monitoring: what Prometheus and Grafana are given is valid, and
# speaks of what is exported, and of all of it.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Example;
use Test::Gateway::Message qw(json_decode);
use Test::Gateway::Prometheus;

BEGIN {
    eval { require Mojolicious; 1 }
        or plan skip_all => 'Mojolicious is not installed';
}

my $t      = Test::Gateway->new(variables => 0, workers => 1);
my $vendor = $t->emulator('portsip');
my $e      = Test::Gateway::Example->new($t, 'monitoring',
    9371 => $vendor->port, 9471 => $t->port('gateway'),
    9472 => $t->port('metrics'));

$t->nginx(conf => $e->conf('nginx.conf'));

my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
diag('no promtool here (Debian: prometheus)') if !$promtool;

sub file { return $t->read_file($e->dir . "/$_[0]") }

subtest 'what the README shows' => sub { $e->readme_holds };

my $metrics = Test::Gateway::Prometheus->parse(
    $t->get('/metrics', port => $t->port('metrics'))->body);
my %sample = map { $_ => {map { $_ => 1 } $metrics->labels($_)} }
    $metrics->samples;

# An expression names only what is exported, with its own labels only.
sub speaks_of {
    my ($expression, $name) = @_;

    my @bad;
    my %label;
    my @names = $expression =~ /\b(nginx_group_\w+)/g;

    for (@names) {
        push @bad, "no metric $_" if !$sample{$_};
        $label{$_} = 1 for keys %{$sample{$_} // {}};
    }
    push @bad, 'no metric at all' if !@names;

    while ($expression =~ /\b(nginx_group_\w+)\{([^}]*)\}/g) {
        my ($metric, $selector) = ($1, $2);
        push @bad, map { "$metric has no $_" }
            grep { !$sample{$metric}{$_} } $selector =~ /(\w+)(?:=|!)/g;
    }
    while ($expression =~ /\bby \(([^)]*)\)/g) {
        push @bad, map { "nothing has $_" } grep { !$label{$_} }
            split /, */, $1;
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is("@bad", '', $name) || diag($expression);
}

my $board = eval { json_decode(file('dashboard.json')) };
my @panels = @{$board->{panels} // []};
my @expressions
    = map { my $p = $_; map { [$p->{title}, $_->{expr}] }
        @{$p->{targets} // []} } @panels;

subtest 'the dashboard' => sub {
    ok($board, 'is JSON') or return;
    is($board->{$_} ? 1 : 0, 1, "has a $_")
        for qw(title uid schemaVersion templating time);
    is($board->{id}, undef, 'has no id, so that it can be imported');

    my %id;
    $id{$_->{id}}++ for @panels;
    is_deeply([grep { $id{$_} > 1 } keys %id], [], 'each panel has an id');

    my %cell;
    for my $panel (@panels) {
        my ($x, $y, $w, $h) = @{$panel->{gridPos}}{qw(x y w h)};
        ok($x + $w <= 24, "$panel->{title}: within the width");
        for my $i ($x .. $x + $w - 1) {
            $cell{"$i $_"}++ for $y .. $y + $h - 1;
        }
        next if $panel->{type} eq 'row';
        is($panel->{datasource}{uid}, '${datasource}',
            "$panel->{title}: of the Prometheus that is chosen");
        ok(@{$panel->{targets}} > 0, "$panel->{title}: shows something");
    }
    is(scalar(grep { $_ > 1 } values %cell), 0, 'no panel is on another');

    my %variable = map { $_->{name} => 1 } @{$board->{templating}{list}};
    my %used = map { $_ => 1 } grep { !/^__/ }
        map { $_->[1] =~ /\$\{?(\w+)/g } @expressions;
    is_deeply([grep { !$variable{$_} } keys %used], [],
        'each variable is there');
};

subtest 'the dashboard speaks of what is exported' => sub {
    speaks_of($_->[1], $_->[0]) for @expressions;

    for (grep { $_->{type} eq 'query' } @{$board->{templating}{list}}) {
        my ($metric, $label)
            = $_->{query}{query} =~ /^label_values\((\w+), (\w+)\)$/;
        ok($sample{$metric // ''}{$label // ''}, "variable $_->{name}");
    }

    my $text = join ' ', map { $_->[1] } @expressions;
    for my $name ($metrics->names) {
        like($text, qr/\b$name(?:_bucket|_sum|_count)?\b/,
            "$name is shown");
    }
};

subtest 'the alerts' => sub {
    my $alerts = file('alerts.yml');

    # "expr: text", or the lines below "expr: >-" that are indented more
    my @found;
    my @lines = split /\n/, $alerts;
    for my $i (0 .. $#lines) {
        my ($indent, $text) = $lines[$i] =~ /^( *)expr: (.*)/ or next;
        if ($text eq '>-') {
            my $n = $i + 1;
            $text = '';
            $text .= " $lines[$n++]"
                while $n < @lines && $lines[$n] =~ /^$indent  /;
        }
        push @found, $text;
    }

    my @names = $alerts =~ /- alert: (\w+)/g;
    is(scalar @found, scalar @names, 'each has an expression');
    speaks_of($found[$_], $names[$_]) for 0 .. $#names;

    my $readme = file('README.md');
    like($readme, qr/^\| $_ \|/m, "README tells of $_") for @names;
};

# YAML of the kind that these files are: pairs and lists, two spaces a level.
sub lines_are_yaml {
    my ($name) = @_;

    my @bad = grep { /\t/ || (/^( *)/ && length($1) % 2)
        || !/^ *(?:- )?(?:\w+:(?: .*)?|sum by .*|\/ sum by .*)$|^ *- [\w.]+$|^$/
            }
        split /\n/, file($name);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply(\@bad, [], "$name: its lines");
}

subtest 'Prometheus reads them' => sub {
    lines_are_yaml($_) for qw(prometheus.yml alerts.yml);

    like(file('prometheus.yml'), qr/^  - alerts\.yml$/m, 'alerts are read');
    my ($target) = file('prometheus.yml') =~ /targets: \['([\d.:]+)'\]/;
    like(file('nginx.conf'), qr/^\s+listen \Q$target\E;/m,
        'from where nginx listens');

    return if !$promtool;

    my $said = `$promtool check config @{[$e->dir]}/prometheus.yml 2>&1`;
    is($?, 0, 'promtool check config') or diag($said);

    # the dashboard's, as rules
    my $rules = "groups:\n  - name: dashboard\n    rules:\n";
    my $n = 0;
    for (@expressions) {
        my $text = $_->[1] =~ s/\$__(?:rate_interval|range)\b/5m/gr
            =~ s/\$\w+/x/gr =~ s/'/''/gr;
        $rules .= "      - record: r@{[$n++]}\n        expr: '$text'\n";
    }
    my $file = $t->write_file('rules.yml', $rules);
    $said = `$promtool check rules $file 2>&1`;
    is($?, 0, 'promtool check rules: the dashboard') or diag($said);
};

subtest 'metrics are not where clients are' => sub {
    my $r = $t->get('/metrics', port => $t->port('gateway'));
    isnt($r->status, 200, 'no metrics for clients');
    is($t->get('/', port => $t->port('metrics'))->status, 404,
        'and nothing else beside them');
};

done_testing;
