package Test::Gateway::HTTP2;

# One request in HTTP/2, with prior knowledge, as far as nginx speaks it.
#
# curl would do, but for one thing: a server may answer before it has read the
# body and reset the stream then, as nginx does with each request that is
# refused early, and curl 7.88 may lose that answer.

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(time);

use Test::Gateway::Message qw(header_values);
use Test::Gateway::Response;

our @EXPORT_OK = qw(exchange);

my $FRAME_MAX = 16384;
my $WINDOW    = 65535;

my ($DATA, $HEADERS, $RST_STREAM, $SETTINGS, $PING, $GOAWAY, $WINDOW_UPDATE,
    $CONTINUATION) = (0, 1, 3, 4, 6, 7, 8, 9);

my ($END_STREAM, $ACK, $END_HEADERS, $PADDED, $PRIORITY)
    = (0x1, 0x1, 0x4, 0x8, 0x20);

# RFC 7541, appendix A: names, and values where there are some
my @STATIC = (
    undef, [':authority', ''], [':method', 'GET'], [':method', 'POST'],
    [':path', '/'], [':path', '/index.html'], [':scheme', 'http'],
    [':scheme', 'https'],
    (map { [':status', $_] } qw(200 204 206 304 400 404 500)),
    ['accept-charset', ''], ['accept-encoding', 'gzip, deflate'],
    map { [$_, ''] } qw(
        accept-language accept-ranges accept access-control-allow-origin age
        allow authorization cache-control content-disposition
        content-encoding content-language content-length content-location
        content-range content-type cookie date etag expect expires from host
        if-match if-modified-since if-none-match if-range if-unmodified-since
        last-modified link location max-forwards proxy-authenticate
        proxy-authorization range referer refresh retry-after server
        set-cookie strict-transport-security transfer-encoding user-agent
        vary via www-authenticate
    )
);

# RFC 7541, appendix B: how long the code of each byte is; the codes follow,
# as they are given in the order of their length, and then of the bytes
my @LENGTH = qw(
    13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28
    28 28 28 28 28 28 28 28 6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6
    6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7
    7 7 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7
    7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24
    24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23
    22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23 26
    26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21
    21 26 26 28 27 27 27 20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26
    27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
);

my %HUFFMAN = _huffman_codes();

sub _huffman_codes {
    my %code;
    my ($code, $length) = (0, 5);

    for my $byte (sort { $LENGTH[$a] <=> $LENGTH[$b] || $a <=> $b } 0 .. 255)
    {
        $code <<= $LENGTH[$byte] - $length;
        $length = $LENGTH[$byte];
        $code{sprintf '%0*b', $length, $code} = chr $byte;
        $code++;
    }

    return %code;
}

# Sends a request on a new Test::Gateway::Client: method, uri, headers
# (pairs), body (a list of bytes goes without content-length), timeout.
sub exchange {
    my ($client, %request) = @_;

    my $self = bless {
        client   => $client,
        response => Test::Gateway::Response->new(version => '2'),
        deadline => time + $request{timeout},
        window   => $WINDOW,
        initial  => $WINDOW,
        stream   => $WINDOW,
        head     => $request{method} eq 'HEAD',
        got      => '',
    };

    my $body = $request{body};
    my $left = ref $body ? join('', @$body) : $body // '';

    # no dynamic table, no pushes, and a window that is never full
    $client->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            . _frame($SETTINGS, 0, 0,
                pack('nNnNnN', 1, 0, 2, 0, 4, 0x7fffffff))
            . _frame($WINDOW_UPDATE, 0, 0,
                pack('N', 0x7fffffff - $WINDOW))
            . _head(\%request, !length $left));

    while (!$self->{done}) {
        if (length $left && $self->{window} > 0 && $self->{stream} > 0) {
            my ($size) = sort { $a <=> $b } $FRAME_MAX, length $left,
                $self->{window}, $self->{stream};
            my $part = substr $left, 0, $size, '';

            $self->{window} -= $size;
            $self->{stream} -= $size;
            $client->send(_frame($DATA, length $left ? 0 : $END_STREAM, 1,
                $part));

            next if !length $client->{buffer};
        }

        my $frame = $self->_read_frame or last;
        if (!eval { $self->_take_frame(@$frame); 1 }) {
            $self->{response}{error}      = 'malformed';
            $self->{response}{error_text} = $@;
            last;
        }
    }

    return $self->{response};
}

sub _frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}

# The frames of a request's head. What only HTTP/1 has is left out.
sub _head {
    my ($request, $end) = @_;

    my $headers = $request->{headers};
    my $body    = $request->{body};
    my ($host)  = header_values($headers, 'Host');

    my @list = (
        [':method',    $request->{method}],
        [':scheme',    'http'],
        [':authority', $host // ''],
        [':path',      $request->{uri}],
        grep { $_->[0] !~ /^(?:Host|Connection|Transfer-Encoding)$/i }
            @$headers
    );

    push @list, ['content-length', length $body]
        if defined $body && !ref $body
        && !header_values($headers, 'Content-Length');

    my $block = join '', map {
        "\0" . _integer(length $_->[0]) . lc($_->[0])
            . _integer(length $_->[1]) . $_->[1]
    } @list;

    my $frames = '';
    my $type   = $HEADERS;
    my $flags  = $end ? $END_STREAM : 0;

    do {
        my $part = substr $block, 0, $FRAME_MAX, '';
        $frames .= _frame($type,
            $flags | (length $block ? 0 : $END_HEADERS), 1, $part);
        ($type, $flags) = ($CONTINUATION, 0);
    } while length $block;

    return $frames;
}

# A length, of a string without Huffman's code.
sub _integer {
    my ($n) = @_;

    return chr $n if $n < 127;

    my $bytes = chr 127;
    for ($n -= 127; $n >= 128; $n >>= 7) {
        $bytes .= chr(128 | $n & 127);
    }

    return $bytes . chr $n;
}

sub _read_frame {
    my ($self) = @_;

    my $client   = $self->{client};
    my $response = $self->{response};

    while (1) {
        if (length $client->{buffer} >= 9) {
            my ($high, $low, $type, $flags, $stream)
                = unpack 'CnCCN', $client->{buffer};
            my $length = ($high << 16) + $low;

            if (length $client->{buffer} >= 9 + $length) {
                my $bytes = substr $client->{buffer}, 0, 9 + $length, '';
                $response->{raw} .= $bytes;
                return [$type, $flags, $stream, substr $bytes, 9];
            }
        }

        my $got = $client->_fill($self->{deadline});
        next if $got;

        $response->{error}
            = !defined $got     ? 'timeout'
            : $client->{reset}  ? 'reset'
            : $response->status ? 'truncated'
            :                     'closed';
        return;
    }
}

sub _take_frame {
    my ($self, $type, $flags, $stream, $payload) = @_;

    my $client   = $self->{client};
    my $response = $self->{response};

    if (($type == $DATA || $type == $HEADERS) && $flags & $PADDED) {
        my $padding = ord substr $payload, 0, 1, '';
        substr($payload, -$padding) = '' if $padding;
    }

    if ($type == $SETTINGS && !($flags & $ACK)) {
        while (length $payload) {
            my ($id, $value) = unpack 'nN', substr $payload, 0, 6, '';
            next if $id != 4;
            $self->{stream} += $value - $self->{initial};
            $self->{initial} = $value;
        }
        $client->send(_frame($SETTINGS, $ACK, 0, ''));

    } elsif ($type == $PING && !($flags & $ACK)) {
        $client->send(_frame($PING, $ACK, 0, $payload));

    } elsif ($type == $WINDOW_UPDATE) {
        $self->{$stream ? 'stream' : 'window'} += unpack 'N', $payload;

    } elsif ($type == $HEADERS || $type == $CONTINUATION) {
        substr($payload, 0, 5) = ''
            if $type == $HEADERS && $flags & $PRIORITY;

        $self->{last} = 1 if $type == $HEADERS && $flags & $END_STREAM;
        $self->{block} .= $payload;
        $self->_take_head if $flags & $END_HEADERS;

    } elsif ($type == $DATA) {
        $response->{body} .= $payload;
        $self->_finish if $flags & $END_STREAM;

    } elsif ($type == $RST_STREAM || $type == $GOAWAY) {
        my $code = unpack $type == $GOAWAY ? 'x4N' : 'N', $payload;
        return if $type == $GOAWAY && $code == 0;
        $response->{error}      = 'reset';
        $response->{error_text} = "HTTP/2 error code $code";
        $self->{done}           = 1;
    }

    return;
}

sub _take_head {
    my ($self) = @_;

    my $response = $self->{response};
    my @headers  = _decode(delete $self->{block});

    if ($response->status && $response->status >= 200) {
        $response->{trailers} = \@headers;

    } else {
        my ($status) = header_values(\@headers, ':status');
        die "no status\n" if ($status // '') !~ /^\d\d\d\z/;
        @headers = grep { $_->[0] !~ /^:/ } @headers;

        if ($status < 200) {
            push @{$response->{interim}}, Test::Gateway::Response->new(
                status => $status, headers => \@headers);
            return;
        }

        $response->{status}  = $status;
        $response->{headers} = \@headers;
    }

    $self->_finish if $self->{last};

    return;
}

sub _finish {
    my ($self) = @_;

    my $response = $self->{response};
    my @length   = header_values($response->headers, 'content-length');

    $self->{done} = 1;
    return if $self->{head} || $response->status == 304;

    die "content-length is not that of the body\n"
        if @length > 1 || @length && $length[0] ne length $response->body;

    return;
}

# The header list of a block; there is no dynamic table.
sub _decode {
    my ($block) = @_;

    my @headers;

    while (length $block) {
        my $first = ord $block;

        if ($first & 0x80) {
            my $entry = $STATIC[_take_integer(\$block, 7)];
            push @headers, [@{$entry // die "bad index\n"}];
            next;
        }

        if (($first & 0xe0) == 0x20) {
            _take_integer(\$block, 5);
            next;
        }

        my $index = _take_integer(\$block, $first & 0x40 ? 6 : 4);
        my $name
            = $index
            ? ($STATIC[$index] // die "bad index\n")->[0]
            : _take_string(\$block);
        push @headers, [$name, _take_string(\$block)];
    }

    return @headers;
}

sub _take_integer {
    my ($block, $bits) = @_;

    my $max = (1 << $bits) - 1;
    my $n   = $max & ord substr $$block, 0, 1, '';
    return $n if $n < $max;

    my $shift = 0;
    while (1) {
        die "short header block\n" if !length $$block;
        my $byte = ord substr $$block, 0, 1, '';
        $n += ($byte & 127) << $shift;
        $shift += 7;
        return $n if $byte < 128;
    }
}

sub _take_string {
    my ($block) = @_;

    die "short header block\n" if !length $$block;

    my $huffman = 0x80 & ord $$block;
    my $length  = _take_integer($block, 7);
    die "short header block\n" if length $$block < $length;

    my $bytes = substr $$block, 0, $length, '';
    return $bytes if !$huffman;

    my ($text, $code) = ('', '');
    for my $bit (split //, unpack 'B*', $bytes) {
        $code .= $bit;
        next if !exists $HUFFMAN{$code};
        $text .= $HUFFMAN{$code};
        $code = '';
    }
    die "bad padding\n" if $code !~ /^1{0,7}\z/;

    return $text;
}

1;
