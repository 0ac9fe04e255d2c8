package Test::Gateway::RawUpstream;

# An upstream that lies: a script of steps for each connection.
#
#   my $u = $t->raw_upstream(
#       ['request', [send => "HTTP/1.1 200 OK\r\nContent-Le"], 'reset'],
#       ['request', [send => $whole]],
#   );
#
# The first connection runs the first script, and so on; later connections
# run the last one. Steps:
#
#   'request'            reads a whole request, head and body
#   'head'               reads a request's head
#   [read => n]          reads n bytes
#   [send => bytes]
#   [drip => bytes, n, seconds]   n bytes, a pause, n bytes ...
#   [sleep => seconds]
#   [code => sub { my ($socket, $read) = @_; }]   in the forked process
#   'shutdown'           sends nothing more, still reads
#   'reset'              hangs up with a reset
#   'close'              hangs up; so does the end of the script
#   'hang'               neither reads nor sends nor hangs up
#   'drain'              reads until the other side hangs up
#   'loop'               starts the script again on the same connection
#
#   $u->connections      list of what was read from each connection
#   $u->port

use strict;
use warnings;

use parent qw(Test::Gateway::Server);

use IO::Select;
use POSIX ();
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_NODELAY);
use Time::HiRes qw(sleep time);

use Test::Gateway::Message qw(header_values parse_chunked parse_head);

sub connections {
    my ($self, $at_least, $timeout) = @_;

    my $deadline = time + ($timeout // 5);
    my @read;

    while (1) {
        @read = ();
        while (open my $fh, '<:raw', "$self->{file}." . (@read + 1)) {
            local $/;
            push @read, scalar(<$fh>) // '';
        }
        last if @read >= ($at_least // 0) || time > $deadline;
        sleep 0.02;
    }

    return @read;
}

sub serve {
    my ($self, $listen, $parent) = @_;

    my $select = IO::Select->new($listen);
    my @scripts = @{$self->{scripts}};
    my $number  = 0;
    my %child;

    local $SIG{TERM} = sub {
        kill TERM => keys %child if %child;
        POSIX::_exit(0);
    };

    while (1) {
        my @ready = $select->can_read(0.2);

        while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
            delete $child{$pid};
        }

        if (getppid != $parent) {
            kill TERM => keys %child if %child;
            return;
        }

        next if !@ready;

        my $socket = $listen->accept or next;
        my $script = @scripts > 1 ? shift @scripts : $scripts[0];
        $number++;

        my $pid = fork;
        next if !defined $pid;

        if (!$pid) {
            $SIG{TERM} = 'DEFAULT';
            close $listen;
            eval { $self->_run($socket, $script, $number); 1 }
                or print STDERR "# raw upstream: $@";
            POSIX::_exit(0);
        }

        $child{$pid} = 1;
        close $socket;
    }
}

sub _run {
    my ($self, $socket, $script, $number) = @_;

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    open my $record, '>:raw', "$self->{file}.$number"
        or die "$self->{file}: $!\n";

    my $c    = {socket => $socket, record => $record, in => '', all => ''};
    my @todo = @$script;

    while (defined(my $step = shift @todo)) {
        my ($what, @arg) = ref $step ? @$step : $step;

        if ($what eq 'request' || $what eq 'head') {
            _read_request($c, $what eq 'head') or return;

        } elsif ($what eq 'read') {
            while (length $c->{in} < $arg[0]) {
                _read($c) or return;
            }
            substr($c->{in}, 0, $arg[0]) = '';

        } elsif ($what eq 'send') {
            _write($socket, $arg[0]) or return;

        } elsif ($what eq 'drip') {
            my ($bytes, $size, $delay) = @arg;
            while (length $bytes) {
                _write($socket, substr $bytes, 0, $size // 1, '') or return;
                sleep($delay // 0.01) if length $bytes;
            }

        } elsif ($what eq 'sleep') {
            sleep $arg[0];

        } elsif ($what eq 'code') {
            $arg[0]->($socket, $c->{all});

        } elsif ($what eq 'shutdown') {
            shutdown $socket, 1;

        } elsif ($what eq 'reset') {
            setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
            close $socket;
            return;

        } elsif ($what eq 'close') {
            close $socket;
            return;

        } elsif ($what eq 'hang') {
            sleep 600;

        } elsif ($what eq 'drain') {
            1 while _read($c);

        } elsif ($what eq 'loop') {
            @todo = @$script;

        } else {
            die "no such step: $what\n";
        }
    }

    return;
}

sub _read {
    my ($c) = @_;

    my $n = sysread $c->{socket}, my $bytes, 65536;
    return 0 if !$n;

    syswrite $c->{record}, $bytes;
    $c->{in}  .= $bytes;
    $c->{all} .= $bytes;

    return 1;
}

sub _read_request {
    my ($c, $head_only) = @_;

    my $end;
    while (($end = index $c->{in}, "\r\n\r\n") < 0) {
        _read($c) or return 0;
    }

    my (undef, $headers) = parse_head(substr $c->{in}, 0, $end);
    substr($c->{in}, 0, $end + 4) = '';
    return 1 if $head_only;

    if (header_values($headers, 'Transfer-Encoding')) {
        my @parsed;
        while (!(@parsed = parse_chunked($c->{in}))) {
            _read($c) or return 0;
        }
        substr($c->{in}, 0, $parsed[1]) = '';

    } elsif (my ($length) = header_values($headers, 'Content-Length')) {
        while (length $c->{in} < $length) {
            _read($c) or return 0;
        }
        substr($c->{in}, 0, $length) = '';
    }

    return 1;
}

sub _write {
    my ($socket, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite $socket, $bytes;
        return 0 if !defined $n;
        substr($bytes, 0, $n) = '';
    }

    return 1;
}

1;
