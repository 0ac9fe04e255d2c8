package Bench::Timing;

# Requests for a while, all contenders in turn, over several rounds: the
# main table, the one over HTTP/2, and how cost grows.

use strict;
use warnings;

use Exporter qw(import);

use Bench::Check qw(check);
use Bench::Load qw(load);
use Bench::Report qw(median spread table verdict);
use Bench::Scenario qw(@SCENARIOS scenario to_faxfinder to_vinyldns);
use Bench::Server qw(gateway vendors);

our @EXPORT_OK = qw(contenders http2 members concurrency);

# {name => [what load() returned, in each round]}
sub measure {
    my ($scenarios, %option) = @_;

    my $vendors = vendors(@$scenarios);
    my (%gateway, %got);

    # Each has an nginx of its own, whose workers sleep while others work.
    for my $scenario (@$scenarios) {
        my $gateway = $gateway{$scenario->{name}}
            = gateway($vendors, [$scenario]);
        my @wrong = check($gateway, $scenario);
        die "not what it should be:\n", @wrong if @wrong;
        load($gateway, $scenario, %option, seconds => 1);
    }

    for my $round (1 .. $option{rounds}) {
        for my $scenario (@$scenarios) {
            my $name = $scenario->{name};
            print STDERR "\r\e[Kround $round of $option{rounds}: $name"
                if -t STDERR;
            push @{$got{$name}},
                load($gateway{$name}, $scenario, %option);
        }
    }

    print STDERR "\r\e[K" if -t STDERR;
    $_->stop for values %gateway, $vendors;

    return \%got;
}

sub figures {
    my ($rounds, $key) = @_;
    return map { $_->{$key} } @$rounds;
}

# of each round
sub ratios {
    my ($rounds, $to, $key) = @_;
    return map { $rounds->[$_]{$key} / $to->[$_]{$key} } 0 .. $#$rounds;
}

my $RATIOS = 'In brackets: times that of bare `proxy_pass` in the same round,'
    . ' median (least-most).';

sub _row {
    my ($scenario, $got) = @_;

    my $rounds = $got->{$scenario->{name}};
    my $cell = sub {
        my ($format, $key, $unit) = @_;
        my $median = median(figures($rounds, $key)) / $unit;
        return sprintf "$format [%s]", $median,
            spread('%.2f', ratios($rounds, $got->{bare}, $key));
    };

    return [
        $scenario->{title},
        $cell->('%.0f', 'rps',  1),
        $cell->('%.2f', 'p50',  1000),
        $cell->('%.2f', 'p99',  1000),
        $cell->('%.1f', 'cpu',  1),
        $cell->('%.1f', 'peak', 1024),
        _target($scenario, $got),
    ];
}

sub _target {
    my ($scenario, $got) = @_;

    my $name = $scenario->{name};

    if (my $most = $scenario->{at_most}) {
        my $is = median(ratios($got->{$name}, $got->{bare}, 'cpu'));
        return sprintf 'CPU at most %.2f: %s', $most,
            verdict($is <= $most);
    }

    if (my $least = $scenario->{at_least}) {
        return 'CPU at least ' . $least . ' x ours' if !$got->{vinyldns};
        my $is = median(ratios($got->{$name}, $got->{vinyldns}, 'cpu'));
        return sprintf 'CPU at least %.1f x ours, is %.2f: %s', $least, $is,
            verdict($is >= $least);
    }

    return '';
}

my @HEAD = ('', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/request',
    'peak MB', 'target');

sub contenders {
    my (%option) = @_;

    my %only      = map { $_ => 1 } 'bare', @{$option{only}};
    my @scenarios = grep { !@{$option{only}} || $only{$_->{name}} }
        @SCENARIOS;
    my $got = measure(\@scenarios, %option);

    table("Contenders, $option{rounds} rounds of $option{seconds} s each,"
            . " $option{connections} connections", \@HEAD,
        [map { _row($_, $got) } @scenarios], $RATIOS);

    return;
}

sub http2 {
    my (%option) = @_;

    my @scenarios = map { scenario($_) } qw(bare vinyldns);
    my $got = measure(\@scenarios, %option, http2 => 1);

    table("HTTP/2, $option{rounds} rounds of $option{seconds} s each,"
            . " $option{connections} connections", \@HEAD,
        [map { _row($_, $got) } @scenarios], $RATIOS);

    return;
}

# The same bodies through bare proxy_pass, as JSON.
sub _bare {
    my (%scenario) = @_;

    my ($call, $body) = @{$scenario{request}};
    my $answer = $scenario{answer}[0] == 200
        && ref $scenario{upstream}{$call} ? $scenario{upstream}{$call}
        : [200, $body];

    return (
        %scenario, by => 'nginx', location => '', at_most => undef,
        upstream => {$call => $answer},
        sent     => [[$call, 'AWS4-HMAC-SHA256', $body]],
        answer   => $answer,
    );
}

sub members {
    my (%option) = @_;

    my @sizes = (1, 10, 100, 1000);
    my @scenarios;

    for my $n (@sizes) {
        push @scenarios,
            {_bare(to_faxfinder($n)), name => "bare$n"},
            {%{scenario('vinyldns')}, to_vinyldns($n), name => "vinyldns$n"},
            {%{scenario('faxfinder')}, to_faxfinder($n),
                name => "faxfinder$n"};
        $_->{title} = $_->{name} for @scenarios;
    }

    my $got = measure(\@scenarios, %option);
    my $cpu = sub { median(figures($got->{"$_[0]$_[1]"}, 'cpu')) };

    table('CPU us/request by number of members',
        ['members', 'bare `proxy_pass`, JSON in both',
            'SignalWire to VinylDNS, in the answer',
            'VinylDNS to FaxFinder, in both', 'less bare, a member'],
        [map { [
            $_, (map { sprintf '%.1f', $_ } $cpu->('bare', $_),
                $cpu->('vinyldns', $_), $cpu->('faxfinder', $_)),
            sprintf('%.2f', ($cpu->('faxfinder', $_) - $cpu->('bare', $_))
                / $_),
        ] } @sizes]);

    return;
}

sub concurrency {
    my (%option) = @_;

    my @scenarios = map { scenario($_) } qw(bare vinyldns);
    my @rows;

    for my $connections (1, 16, 64, 256) {
        my $got = measure(\@scenarios, %option,
            connections => $connections);

        push @rows, [$connections, map {
            my $rounds = $got->{$_};
            map { sprintf $_->[0],
                median(figures($rounds, $_->[1])) / $_->[2] }
                ['%.0f', 'rps', 1], ['%.2f', 'p99', 1000],
                ['%.1f', 'cpu', 1];
        } qw(bare vinyldns)];
        push @{$rows[-1]},
            spread('%.2f', ratios(@$got{qw(vinyldns bare)}, 'cpu'));
    }

    my @head = ('requests/s', 'p99 ms', 'CPU us');
    table('By connections: bare `proxy_pass`, and SignalWire to VinylDNS',
        ['connections', (map { "bare $_" } @head), @head, 'times the CPU'],
        \@rows);

    return;
}

1;
