package Test::Gateway::Upstream;

# An upstream that keeps what it was sent and answers as it is told.
#
#   my $u = $t->upstream(sub {
#       my ($request) = @_;
#       return [200, ['Content-Type' => 'application/json'], '{"id":1}'];
#   });
#   my $u = $t->upstream([200, [], 'first'], [404, [], 'second']);
#   $u->answer([500, [], 'the next one, before any other']);
#
#   $u->requests       all since the start, or since the last clear()
#   $u->last           the last of them
#   $u->clear
#
# A request is {number, connection, method, uri, version, headers (pairs, in
# order), header (by lower-case name, several joined), body, raw_head,
# raw_body, raw, time}; json() decodes its body.
#
# An answer is [status, headers, body]; a body that is a reference becomes
# JSON. Or a hash with status, reason, headers, body and
#
#   chunked => 1     sent in chunks, or as the list of chunks in body
#   close => 1       hangs up afterwards; without_length => 1 ends it so
#   delay => 0.5     waits before it
#
# Or a string: these bytes, then the connection is closed. Content-Length is
# there unless the answer has it, is chunked or without_length.

use strict;
use warnings;

use parent qw(Test::Gateway::Server);

use Errno qw(EAGAIN EINTR);
use Fcntl qw(SEEK_SET);
use IO::Select;
use JSON::PP ();
use Time::HiRes qw(sleep time);

use Test::Gateway::Message qw(
    header_values json_encode pairs parse_chunked parse_head
);
use Test::Gateway::Request;

# Bytes as code points below 256, each line one record.
my $RECORD = JSON::PP->new->ascii->canonical->allow_nonref;

my %REASON = (
    200 => 'OK',           201 => 'Created',
    202 => 'Accepted',     204 => 'No Content',
    302 => 'Found',        304 => 'Not Modified',
    400 => 'Bad Request',  401 => 'Unauthorized',
    403 => 'Forbidden',    404 => 'Not Found',
    409 => 'Conflict',     422 => 'Unprocessable Entity',
    500 => 'Internal Server Error',
    503 => 'Service Unavailable',
);

sub prepare {
    my ($self) = @_;

    for my $file ("$self->{file}.requests", "$self->{file}.answers") {
        open my $fh, '>', $file or die "$file: $!\n";
        close $fh;
    }

    return;
}

# What the test calls.

sub requests {
    my ($self, $at_least, $timeout) = @_;

    my $deadline = time + ($timeout // 5);
    my @requests;

    while (1) {
        @requests = $self->_read;
        last if @requests >= ($at_least // 0) || time > $deadline;
        sleep 0.02;
    }

    return @requests;
}

sub last {
    my ($self) = @_;
    my @requests = $self->_read;
    return $requests[-1];
}

# What was read before is not read again: tests may have many requests.
sub clear {
    my ($self) = @_;

    open my $fh, '<', "$self->{file}.requests" or die "$self->{file}: $!\n";
    seek $fh, $self->{from} // 0, SEEK_SET;

    while (my $line = <$fh>) {
        $self->{from} += length $line if $line =~ /\n\z/;
    }

    return;
}

sub answer {
    my ($self, @answers) = @_;

    open my $fh, '>>', "$self->{file}.answers" or die "$self->{file}: $!\n";
    print {$fh} map { $RECORD->encode($_) . "\n" } @answers;
    close $fh;

    return;
}

sub _read {
    my ($self) = @_;

    open my $fh, '<', "$self->{file}.requests" or die "$self->{file}: $!\n";
    seek $fh, $self->{from} // 0, SEEK_SET;
    my @lines = grep { /\n\z/ } <$fh>;

    return map { bless $RECORD->decode($_), 'Test::Gateway::Request' } @lines;
}

# What the forked process does.

sub serve {
    my ($self, $listen, $parent) = @_;

    my %connection;
    my $accepted = 0;

    $listen->blocking(0);
    $self->{number}       = 0;
    $self->{answers_read} = 0;

    while (1) {
        my $now   = time;
        my $read  = IO::Select->new($listen);
        my $write = IO::Select->new;
        my $wait  = 1;

        for my $c (values %connection) {
            $read->add($c->{socket}) if !$c->{eof};

            if (length $c->{out} && $c->{at} <= $now) {
                $write->add($c->{socket});

            } elsif (length $c->{out}) {
                my $left = $c->{at} - $now;
                $wait = $left if $left < $wait;
            }
        }

        my ($readable, $writable)
            = IO::Select->select($read, $write, undef, $wait);

        return if getppid != $parent;

        for my $socket (@{$readable // []}) {
            if ($socket == $listen) {
                my $new = $listen->accept or next;
                $new->blocking(0);
                $connection{$new} = {
                    socket => $new,
                    number => ++$accepted,
                    in     => '',
                    out    => '',
                    at     => 0,
                };
                next;
            }

            my $c = $connection{$socket};
            my $n = sysread $socket, $c->{in}, 65536, length $c->{in};
            next if !defined $n && ($! == EAGAIN || $! == EINTR);
            $c->{eof} = 1 if !$n;
        }

        for my $socket (@{$writable // []}) {
            my $c = $connection{$socket};
            my $n = syswrite $socket, $c->{out};
            next if !defined $n && ($! == EAGAIN || $! == EINTR);

            if (defined $n) {
                substr($c->{out}, 0, $n) = '';
            } else {
                $c->{out} = '';
                $c->{eof} = $c->{close} = 1;
            }
        }

        for my $c (values %connection) {
            while (!length $c->{out} && !$c->{close}) {
                my $request = _take($c) or last;
                $self->_answer($c, $request);
            }

            next if length $c->{out};
            next if !$c->{close} && !$c->{eof};

            delete $connection{$c->{socket}};
            CORE::close $c->{socket};
        }
    }
}

# Cuts the next whole request off what was read.
sub _take {
    my ($c) = @_;

    my $end = index $c->{in}, "\r\n\r\n";
    return if $end < 0;

    my ($start, $headers) = parse_head(substr $c->{in}, 0, $end);
    my ($method, $uri, $version) = split / /, $start, 3;

    my $rest = substr $c->{in}, $end + 4;
    my $body = '';
    my $used = 0;

    if (header_values($headers, 'Transfer-Encoding')) {
        my @parsed;
        if (!eval { @parsed = parse_chunked($rest); 1 }) {
            @parsed = ('', length $rest);
            $c->{close} = 1;
        }
        return if !@parsed;
        ($body, $used) = @parsed;

    } elsif (my ($length) = header_values($headers, 'Content-Length')) {
        return if length $rest < $length;
        $body = substr $rest, 0, $length;
        $used = $length;
    }

    my %header;
    for my $pair (@$headers) {
        my $name = lc $pair->[0];
        $header{$name}
            = defined $header{$name}
            ? "$header{$name}, $pair->[1]"
            : $pair->[1];
    }

    my $raw = substr $c->{in}, 0, $end + 4 + $used, '';

    return bless {
        connection => $c->{number},
        method     => $method,
        uri        => $uri,
        version    => $version // '',
        headers    => $headers,
        header     => \%header,
        body       => $body,
        raw        => $raw,
        raw_head   => substr($raw, 0, $end + 4),
        raw_body   => substr($raw, $end + 4),
        time       => time,
    }, 'Test::Gateway::Request';
}

sub _answer {
    my ($self, $c, $request) = @_;

    # Kept before it is answered: whoever has the answer finds the request.
    $request->{number} = ++$self->{number};
    open my $fh, '>>', "$self->{file}.requests" or die "$self->{file}: $!\n";
    syswrite $fh, $RECORD->encode({%$request}) . "\n";
    CORE::close $fh;

    my $answer = $self->_next_answer($request);

    if (!ref $answer) {
        $c->{out}   = $answer;
        $c->{close} = 1;
        return;
    }

    if (ref $answer eq 'ARRAY') {
        my ($status, $headers, $body) = @$answer;
        $answer = {status => $status, headers => $headers, body => $body};
    }

    $c->{at} = time + ($answer->{delay} // 0);
    $c->{close} ||= $answer->{close} || $answer->{without_length}
        || $request->{version} eq 'HTTP/1.0'
        || lc($request->{header}{connection} // '') eq 'close';
    $c->{out} = _bytes($answer, $request->{method}, $c->{close});

    return;
}

sub _next_answer {
    my ($self, $request) = @_;

    open my $fh, '<', "$self->{file}.answers" or die "$self->{file}: $!\n";
    seek $fh, $self->{answers_read}, SEEK_SET;

    if (defined(my $line = <$fh>)) {
        if ($line =~ /\n\z/) {
            $self->{answers_read} += length $line;
            return $RECORD->decode($line);
        }
    }

    if (my $handler = $self->{handler}) {
        my $answer = eval { $handler->($request) };
        return $answer if defined $answer;
        return [500, [], 'the handler failed: ' . ($@ || 'no answer')];
    }

    return shift @{$self->{queue}} if @{$self->{queue} // []};

    return [500, [], 'no answer left'];
}

sub _bytes {
    my ($answer, $method, $close) = @_;

    my $status  = $answer->{status} // 200;
    my $headers = pairs($answer->{headers});
    my $body    = $answer->{body} // '';
    my $chunked = $answer->{chunked};

    if (ref $body && !($chunked && ref $body eq 'ARRAY')) {
        $body = json_encode($body);
        unshift @$headers, ['Content-Type', 'application/json']
            if !header_values($headers, 'Content-Type');
    }

    my @chunks = ref $body ? @$body : length $body ? ($body) : ();

    if ($chunked) {
        push @$headers, ['Transfer-Encoding', 'chunked'];
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } @chunks;
        $body .= "0\r\n\r\n";

    } elsif (!$answer->{without_length}
        && !header_values($headers, 'Content-Length')
        && $status !~ /^(?:1\d\d|204|304)$/)
    {
        push @$headers, ['Content-Length', length $body];
    }

    push @$headers, ['Connection', 'close']
        if $close && !header_values($headers, 'Connection');

    my $reason = $answer->{reason} // $REASON{$status} // 'Unknown';

    return join('',
        "HTTP/1.1 $status $reason\r\n",
        (map { "$_->[0]: $_->[1]\r\n" } @$headers), "\r\n",
        $method eq 'HEAD' ? '' : $body);
}

1;
