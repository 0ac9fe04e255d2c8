# Counts the instructions that the gateway takes for one request of each
# scenario, and compares them with those of instructions.txt: unlike times,
# they are the same on each run.  Run by "make instructions".
#
#   --record      writes instructions.txt
#   --keep DIR    keeps a profile of each scenario for callgrind_annotate
#   --only NAME   this scenario, may be repeated
#   --requests N  so many of each, default 200

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use File::Spec::Functions qw(rel2abs);
use File::Temp ();
use Getopt::Long qw(GetOptions);
use Time::HiRes qw(sleep time);

use Bench::Check qw(check request);
use Bench::Scenario qw(@SCENARIOS);
use Bench::Server qw(gateway ours vendors);

my $MOST = 1.10;
my $FILE = "$FindBin::Bin/instructions.txt";

GetOptions(
    'record'     => \my $record,
    'keep=s'     => \my $keep,
    'only=s'     => \my @only,
    'requests=i' => \(my $requests = 200),
) or exit 2;

my %only      = map { $_ => 1 } @only;
my @scenarios = grep { !@only || $only{$_->{name}} } ours(@SCENARIOS);

my $counts = File::Temp->newdir;

# A signal makes nginx reopen its files, and callgrind write what it counted
# since it did so before.
my $vendors = vendors(@scenarios);
my $gateway = gateway($vendors, \@scenarios,
    globals => "master_process off;\n",
    wrapper => [qw(valgrind -q --tool=callgrind),
        '--dump-before=ngx_reopen_files',
        "--callgrind-out-file=$counts/counts"],
);
my $dumps = 0;

my %recorded = recorded();
my (%count, @grown);

printf "%-12s %12s %12s\n", 'scenario', 'recorded', 'counted';

for my $scenario (@scenarios) {
    my $name = $scenario->{name};

    die check_failed(@_) if local @_ = check($gateway, $scenario);

    # what a connection costs, and all that happens once, is in both
    send_requests($scenario, 20);
    my ($some) = counted($scenario, $requests / 4);
    my ($many, $dump) = counted($scenario, $requests);

    my $was = $recorded{$name};
    my $is  = $count{$name} = int(($many - $some) / ($requests * 3 / 4));

    printf "%-12s %12s %12d  %s\n", $name, $was // '-', $is,
        $was ? sprintf '%+.1f %%', 100 * ($is / $was - 1) : '';

    push @grown, $name if $was && $is > $was * $MOST;
    keep_profile($dump, "$keep/callgrind.out.$name") if defined $keep;
}

record() if $record;

if (@grown && !$record) {
    print "grown by more than 10 %: @grown\n",
        "if that is meant, \"make instructions ARGS=--record\"\n";
    exit 1;
}


sub send_requests {
    my ($scenario, $n) = @_;

    my $client = $gateway->client(
        port => $gateway->port($scenario->{name}), timeout => 60);
    my %request = request($scenario);

    for (1 .. $n) {
        my $status = $gateway->request(%request, client => $client)->status;
        die "$scenario->{name}: $status\n"
            if $status != $scenario->{answer}[0];
    }

    $client->close;

    return;
}

# (instructions of so many requests, file of the profile)
sub counted {
    my ($scenario, $n) = @_;

    dump_counts();
    send_requests($scenario, $n);
    my $file = dump_counts();

    return ($gateway->read_file($file) =~ /^(?:totals|summary): (\d+)/m
        ? $1 : die("no counts in $file\n"), $file);
}

sub dump_counts {
    my $file = "$counts/counts." . ++$dumps;
    my $deadline = time + 60;

    kill USR1 => $gateway->{nginx};

    # a signal just before it waits for events is seen after the next one
    while (time < $deadline && $gateway->read_file($file) !~ /^totals: /m) {
        sleep 0.05;
        $gateway->client->close;
    }

    return $file;
}

# Without the callers that are still in their first call: callgrind_annotate
# would take what these cost in all for their own.
sub keep_profile {
    my ($from, $to) = @_;

    my $profile = $gateway->read_file($from) =~ s/^calls=0 .*\n.*\n//mgr;
    $gateway->write_file(rel2abs($to), $profile);

    return;
}

sub check_failed { return "not what it should be:\n", @_ }

sub recorded {
    open my $fh, '<', $FILE or return;
    return map { /^(\w+)\s+(\d+)$/ ? ($1 => $2) : () } <$fh>;
}

sub record {
    my %all = (%recorded, %count);

    open my $fh, '>', $FILE or die "$FILE: $!\n";
    print {$fh} "# instructions of the gateway for one request\n";
    printf {$fh} "%-12s %8d\n", $_, $all{$_}
        for grep { $all{$_} } map { $_->{name} } @SCENARIOS;
    close $fh or die "$FILE: $!\n";

    return;
}
