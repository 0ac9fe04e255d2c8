package Bench::Process;

# What /proc tells of nginx's worker.

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(cpu_time forget_peak machine memory worker workers);

sub _slurp {
    my ($file) = @_;
    open my $fh, '<', $file or return '';
    local $/;
    return scalar(<$fh>) // '';
}

sub workers {
    my ($gateway) = @_;
    my $master = $gateway->{nginx};
    return split ' ', _slurp("/proc/$master/task/$master/children");
}

# nginx listens before it has one.
sub worker {
    my ($gateway) = @_;

    for (1 .. 1000) {
        my ($worker) = workers($gateway);
        return $worker if $worker;
        sleep 0.01;
    }

    die "nginx has no worker\n";
}

# microseconds on a CPU
sub cpu_time {
    my ($pid) = @_;

    return $1 / 1000 if _slurp("/proc/$pid/schedstat") =~ /^(\d+)/;

    # in ticks of 10 ms: utime and stime
    my @stat = split ' ', _slurp("/proc/$pid/stat") =~ s/.*\) //sr;
    return ($stat[11] + $stat[12]) * 10_000;
}

# VmRSS, VmHWM: KiB
sub memory {
    my ($pid, $name) = @_;
    return _slurp("/proc/$pid/status") =~ /^$name:\s+(\d+)/m ? $1 : 0;
}

# VmHWM is to be the peak from now on.
sub forget_peak {
    my ($pid) = @_;

    open my $fh, '>', "/proc/$pid/clear_refs" or return 0;
    print {$fh} '5';
    return close $fh;
}

sub machine {
    my ($cpu) = _slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.+)$/m;
    my ($mb) = _slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my $cores = () = _slurp('/proc/cpuinfo') =~ /^processor\b/mg;
    my $kernel = _slurp('/proc/version') =~ /^Linux version ([\d.]+)/
        ? $1 : '?';

    return sprintf '%s, %d cores, %.0f GB, Linux %s', $cpu // 'unknown',
        $cores, $mb / 1e6, $kernel;
}

1;
