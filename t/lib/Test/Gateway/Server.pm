package Test::Gateway::Server;

# What the two upstreams share: a listening socket in a forked process that
# ends with the test.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

# Options: port, dir (for records), name.
sub start {
    my ($class, %option) = @_;

    my $self = bless {%option, from => 0}, $class;

    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $self->{port},
        Listen    => 128,
        ReuseAddr => 1,
        Proto     => 'tcp',
    ) or die "cannot listen on port $self->{port}: $!\n";

    $self->{file} = "$self->{dir}/$self->{name}";
    $self->prepare;

    my $parent = $$;
    my $pid    = fork // die "fork: $!\n";

    if (!$pid) {
        $SIG{TERM} = sub { POSIX::_exit(0) };
        $SIG{INT}  = 'IGNORE';
        $SIG{PIPE} = 'IGNORE';
        $SIG{CHLD} = 'DEFAULT';

        # No END blocks here: they would stop what the test runs.
        eval { $self->serve($listen, $parent); 1 }
            or print STDERR "# upstream $self->{name}: $@";
        POSIX::_exit(0);
    }

    $self->{pid} = $pid;
    CORE::close $listen;

    return $self;
}

sub prepare { return }

sub port { return $_[0]{port} }
sub address { return "127.0.0.1:$_[0]{port}" }

sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill TERM => $pid;

    for (1 .. 100) {
        return if waitpid($pid, POSIX::WNOHANG()) != 0;
        sleep 0.02;
    }

    kill KILL => $pid;
    waitpid $pid, 0;

    return;
}

1;
