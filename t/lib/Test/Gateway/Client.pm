package Test::Gateway::Client;

# A client that sends exactly the bytes it is given.
#
#   my $c = Test::Gateway::Client->new(port => 8080);   # local => address
#   $c->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
#   my $response = $c->response;          # again for the next one
#
#   $c->drip($bytes, 1, 0.01);            # one byte each 10 ms
#   $c->shutdown;  $c->reset;  $c->close;
#   $c->closed                            # whether the other side hung up

use strict;
use warnings;

use Errno qw(EAGAIN EINTR ECONNRESET);
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_NODELAY);
use Time::HiRes qw(sleep time);

use Test::Gateway::Message qw(header_values parse_chunked parse_head);
use Test::Gateway::Response;

sub new {
    my ($class, %option) = @_;

    my $self = bless {timeout => 10, buffer => '', %option}, $class;

    $self->{socket} = IO::Socket::INET->new(
        PeerAddr => $option{host} // '127.0.0.1',
        PeerPort => $option{port},
        (defined $option{local} ? (LocalAddr => $option{local}) : ()),
        Proto    => 'tcp',
        Timeout  => $self->{timeout},
    ) or die "cannot connect to port $option{port}: $!\n";

    setsockopt $self->{socket}, IPPROTO_TCP, TCP_NODELAY, 1;
    binmode $self->{socket};

    $self->{local_port} = $self->{socket}->sockport;

    return $self;
}

# as nginx's $remote_port has it
sub local_port { return $_[0]{local_port} }

# Returns how many bytes were taken: fewer when the other side hung up.
sub send {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my $deadline = time + $self->{timeout};
    my $sent     = 0;

    $self->{socket}->blocking(0);

    while ($sent < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, length($bytes) - $sent,
            $sent;

        if (defined $n) {
            $sent += $n;
            next;
        }

        last if $! != EAGAIN && $! != EINTR;
        last if time > $deadline;
        IO::Select->new($self->{socket})->can_write(0.1);

        # Who answers before it has read all and waits for the answer to be
        # taken would block both.
        $self->_fill(time) if IO::Select->new($self->{socket})->can_read(0);
    }

    $self->{socket}->blocking(1);
    return $sent;
}

sub drip {
    my ($self, $bytes, $size, $delay) = @_;

    my $sent = 0;

    while ($sent < length $bytes) {
        my $n = $self->send(substr $bytes, $sent, $size // 1);
        last if !$n;
        $sent += $n;
        sleep($delay // 0.01) if $sent < length $bytes;
    }

    return $sent;
}

# The next response. Options: head => 1 when it answers HEAD, timeout.
sub response {
    my ($self, %option) = @_;

    my $deadline = time + ($option{timeout} // $self->{timeout});
    my @interim;

    while (1) {
        my $response = $self->_one($deadline, $option{head});

        if (   $response->status >= 100
            && $response->status < 200
            && !$response->error)
        {
            push @interim, $response;
            next;
        }

        $response->{interim} = \@interim;
        return $response;
    }
}

sub _one {
    my ($self, $deadline, $head) = @_;

    my $response = Test::Gateway::Response->new;
    my $end;

    while (($end = index $self->{buffer}, "\r\n\r\n") < 0) {
        my $got = $self->_fill($deadline);
        next if $got;

        $response->{raw} = $self->{buffer};
        $response->{error}
            = !defined $got             ? 'timeout'
            : $self->{reset}            ? 'reset'
            : length $self->{buffer}    ? 'truncated'
            :                             'closed';
        return $response;
    }

    my $text = substr $self->{buffer}, 0, $end + 4;
    substr($self->{buffer}, 0, $end + 4) = '';
    $response->{raw} = $text;

    my ($start, $headers) = parse_head(substr $text, 0, $end);
    $response->{headers} = $headers;

    if ($start !~ m{^HTTP/(\d\.\d) (\d\d\d)(?: (.*))?$}s) {
        $response->{error} = 'malformed';
        return $response;
    }

    @$response{qw(version status reason)} = ($1, $2, $3 // '');

    return $response
        if $head || $response->status =~ /^(?:1\d\d|204|304)$/;

    my @encoding = header_values($headers, 'Transfer-Encoding');
    my @length   = header_values($headers, 'Content-Length');

    if (@encoding && lc $encoding[-1] eq 'chunked') {
        $self->_chunked($response, $deadline);

    } elsif (@length) {
        if (@length > 1 || $length[0] !~ /^\d+$/) {
            $response->{error} = 'malformed';
            return $response;
        }

        $self->_until($response, $deadline,
            sub { length $self->{buffer} >= $length[0] });
        $response->{body} = substr $self->{buffer}, 0, $length[0], '';
        $response->{raw} .= $response->{body};

    } else {
        1 while $self->_fill($deadline);
        $response->{error} = 'timeout' if !$self->{eof};
        $response->{error} = 'reset'   if $self->{reset};
        $response->{body}  = $self->{buffer};
        $response->{raw} .= $self->{buffer};
        $self->{buffer} = '';
    }

    return $response;
}

sub _chunked {
    my ($self, $response, $deadline) = @_;

    my @parsed;
    my $sane = $self->_until($response, $deadline, sub {
        return 1 if !eval { @parsed = parse_chunked($self->{buffer}); 1 };
        return @parsed ? 1 : 0;
    });

    if (!@parsed) {
        $response->{error} = 'malformed' if $sane;
        $response->{raw} .= $self->{buffer};
        $self->{buffer} = '';
        return;
    }

    $response->{body}     = $parsed[0];
    $response->{trailers} = $parsed[2];
    $response->{raw} .= substr $self->{buffer}, 0, $parsed[1], '';

    return;
}

sub _until {
    my ($self, $response, $deadline, $enough) = @_;

    while (!$enough->()) {
        my $got = $self->_fill($deadline);
        next if $got;
        $response->{error}
            = !defined $got  ? 'timeout'
            : $self->{reset} ? 'reset'
            :                  'truncated';
        return 0;
    }

    return 1;
}

# Reads what there is: 1, 0 at the end of the stream, undef after the deadline.
sub _fill {
    my ($self, $deadline) = @_;

    return 0 if $self->{eof};

    my $select = IO::Select->new($self->{socket});

    while (1) {
        my $left = $deadline - time;
        $left = 0 if $left < 0;

        if (!$select->can_read($left)) {
            return undef if time >= $deadline;
            next;
        }

        my $n = sysread $self->{socket}, $self->{buffer}, 65536,
            length $self->{buffer};

        return 1 if $n;
        next if !defined $n && ($! == EINTR || $! == EAGAIN);

        $self->{reset} = 1 if !defined $n && $! == ECONNRESET;
        $self->{eof} = 1;
        return 0;
    }
}

# All that comes until the other side hangs up, or the time is over.
sub read_all {
    my ($self, $timeout) = @_;

    my $deadline = time + ($timeout // $self->{timeout});
    1 while $self->_fill($deadline);

    return substr $self->{buffer}, 0, length $self->{buffer}, '';
}

# Whether the other side hung up, waiting for it for a while.
sub closed {
    my ($self, $timeout) = @_;

    my $deadline = time + ($timeout // 2);
    1 while $self->_fill($deadline);

    return $self->{eof} ? 1 : 0;
}

# No more bytes will come from this side.
sub shutdown { CORE::shutdown $_[0]{socket}, 1; return }

sub close { CORE::close $_[0]{socket}; return }

# Hangs up with a reset.
sub reset {
    my ($self) = @_;
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    CORE::close $self->{socket};
    return;
}

1;
