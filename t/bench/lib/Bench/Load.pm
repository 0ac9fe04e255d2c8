package Bench::Load;

# A client that sends one request again and again: wrk, or h2load for HTTP/2.
#
#   my $got = load($gateway, $scenario, connections => 16, seconds => 3);
#
# returns {requests, rps, p50, p99, cpu, peak}: latencies in microseconds, the
# CPU time of the gateway's worker in microseconds for one request, and the
# most memory it had so far in KiB. With http2 => 1 it is h2load. Dies when
# an answer was not a success.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(sum);

use Bench::Check qw(request);
use Bench::Process qw(cpu_time memory worker);
use Bench::Server ();
use Test::Gateway::Message qw(json_decode);
use Test::Gateway::SigV4 qw(sign);

our @EXPORT_OK = qw(load);

# What wrk prints at the end, for _wrk().
my $DONE = <<'END';
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('{"requests":%d,"seconds":%.6f,"p50":%d,' ..
        '"p99":%d,"errors":%d}\n', summary.requests, summary.duration / 1e6,
        latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
end
END

sub load {
    my ($gateway, $scenario, %option) = @_;

    my %request = _complete($gateway, $scenario);
    my $worker  = worker($gateway);
    my $client  = $option{http2} ? \&_h2load : \&_wrk;

    my $before = cpu_time($worker);
    my $got    = $client->($gateway, $scenario->{name}, \%request, %option);
    my $used   = cpu_time($worker) - $before;

    die "$scenario->{title}: $got->{errors} of $got->{requests} requests"
        . " failed\n" if $got->{errors} || !$got->{requests};

    $got->{rps}  = $got->{requests} / $got->{seconds};
    $got->{cpu}  = $used / $got->{requests};
    $got->{peak} = memory($worker, 'VmHWM');

    return $got;
}

# With all headers, signed or not.
sub _complete {
    my ($gateway, $scenario) = @_;

    my %request = request($scenario);
    my @headers = (Host => 'localhost', @{$request{headers}});

    push @headers, Authorization => $gateway->basic(@{$request{auth}})
        if $request{auth};

    $request{headers} = sign(%request, headers => \@headers,
        %{$request{sigv4}}) if $request{sigv4};
    $request{headers} = Test::Gateway::Message::pairs(\@headers)
        if !$request{sigv4};

    return %request;
}

sub _run {
    my (@command) = @_;

    unshift @command, 'taskset', '-c', $Bench::Server::OTHER_CORE;
    open my $pipe, '-|', @command or die "$command[0]: $!\n";
    local $/;
    my $output = <$pipe>;
    close $pipe or die "@command: failed\n$output";

    return $output;
}

sub _wrk {
    my ($gateway, $name, $request, %option) = @_;

    my $script = "$gateway->{dir}/wrk.lua";
    $gateway->write_file($script, join "\n",
        "wrk.method = \"$request->{method}\"",
        "wrk.body = [==[\n$request->{body}]==]",
        (map { "wrk.headers[\"$_->[0]\"] = [[$_->[1]]]" }
            @{$request->{headers}}),
        $DONE);

    my $output = _run('wrk', '-t1', "-c$option{connections}",
        "-d$option{seconds}s", '--timeout', '10s', '-s', $script,
        'http://127.0.0.1:' . $gateway->port($name) . $request->{uri});

    return json_decode($output =~ /^(\{.*\})$/m ? $1 : die $output);
}

sub _h2load {
    my ($gateway, $name, $request, %option) = @_;

    my ($body, $log) = map { "$gateway->{dir}/h2load.$_" } qw(body log);
    $gateway->write_file($body, $request->{body});
    unlink $log;

    my $output = _run('h2load', '-t1', "-c$option{connections}", '-m1',
        "-D$option{seconds}", '-d', $body, "--log-file=$log",
        (map { ('-H', "$_->[0]: $_->[1]") }
            grep { $_->[0] ne 'Host' } @{$request->{headers}}),
        'http://127.0.0.1:' . $gateway->port("$name-h2") . $request->{uri});

    # start, status, microseconds
    my @times = sort { $a <=> $b } map { (split)[2] }
        split /\n/, $gateway->read_file($log);
    my ($good, @bad) = $output =~ /(\d+) (?:succeeded|failed|errored)/g;

    return {
        requests => $good,
        seconds  => $option{seconds},
        errors   => sum(@bad),
        p50      => $times[@times * 0.50],
        p99      => $times[@times * 0.99],
    };
}

1;
