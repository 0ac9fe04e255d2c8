package Bench::Memory;

# The memory that one large request takes: how far the worker's resident
# memory rises above what it was before.

use strict;
use warnings;

use Exporter qw(import);

use Bench::Check qw(request);
use Bench::Process qw(forget_peak memory worker);
use Bench::Report qw(median table verdict);
use Bench::Scenario qw(scenario);
use Bench::Server qw(gateway vendors);

our @EXPORT_OK = qw(request_memory);

# of VinylDNS's clients, and of those the same dialect, unsigned or not
my @NAMES = qw(bare sigv4 faxfinder);
my @SIZES = (64, 1024);     # KiB

sub request_memory {
    my (%option) = @_;

    my @rows;

    for my $size (@SIZES) {
        my $limit = 6 * $size + 16;

        for my $name (@NAMES) {
            my $taken = median(map { _measure($name, $size) }
                1 .. $option{rounds});
            push @rows, ["$size KiB", scenario($name)->{title},
                sprintf('%.0f', $taken), sprintf('%.1f', $taken / $size),
                $name eq 'bare' ? ''
                : "at most $limit: " . verdict($taken <= $limit)];
        }
    }

    table('Memory of one request, medians of ' . $option{rounds},
        ['body', '', 'KiB', 'times the body', 'target'], \@rows);

    return;
}

# KiB
sub _measure {
    my ($name, $size) = @_;

    my %client  = %{scenario('sigv4')};
    my %small   = %{scenario($name)};
    $small{location} .= "group_max_members 100000;\n" if $name ne 'bare';
    @small{qw(client request upstream answer)}
        = @client{qw(client request upstream answer)} if $name eq 'bare';

    my %large = (%small, request =>
        ['POST /groups', _group($size * 1024, $name eq 'faxfinder')]);

    my $vendors = vendors(\%small);
    my $gateway = gateway($vendors, [\%small]);
    my $worker  = worker($gateway);

    _send($gateway, \%small) for 1 .. 5;
    forget_peak($worker);
    my $before = memory($worker, 'VmRSS');
    _send($gateway, \%large);
    my $taken = memory($worker, 'VmHWM') - $before;

    $_->stop for $gateway, $vendors;

    return $taken;
}

# A group of so many bytes, nearly all of them members.
sub _group {
    my ($bytes, $decimal) = @_;

    my $id = $decimal ? '%018d' : '2764183c-5e75-4ae6-8833-%012d';
    my $each = length(sprintf $id, 0) + length '{"id":""},';

    return {
        name => 'sales', email => 'voice-ops@example.com',
        admins  => [{id => sprintf $id, 1}],
        members => [map { {id => sprintf $id, $_} }
            1 .. ($bytes - 120) / $each],
    };
}

sub _send {
    my ($gateway, $scenario) = @_;

    my $name   = $scenario->{name};
    my $status = $gateway->request(request($scenario),
        port => $gateway->port($name))->status;
    die "$name: $status\n" if $status != $scenario->{answer}[0];

    return;
}

1;
