package Test::Gateway::Message;

# HTTP/1.1 as bytes: what the client, the upstreams and their tests share.
# Nothing is put right on the way: tests look at what was really sent.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

our @EXPORT_OK = qw(
    parse_head parse_chunked header_values pairs json_encode json_decode
);

# The start line and the header list of a head (without its empty line).
sub parse_head {
    my ($head) = @_;

    my ($start, @lines) = split /\r?\n/, $head;
    my @headers = map { /^([^:]*):[ \t]*(.*?)[ \t]*$/s ? [$1, $2] : [$_, ''] }
        @lines;

    return ($start, \@headers);
}

# Takes a chunked body apart: (body, bytes used, trailers) when it is all
# there, nothing when more is to come; dies when it is not a chunked body.
sub parse_chunked {
    my ($bytes) = @_;

    my $body = '';
    pos($bytes) = 0;

    while (1) {
        if ($bytes !~ /\G([0-9a-fA-F]+)[ \t]*(?:;[^\r\n]*)?\r\n/gc) {
            die "bad chunk size\n"
                if $bytes =~ /\G[^\r\n]*\r\n/ || $bytes =~ /\G[^0-9a-fA-F]/;
            return;
        }

        my $size = hex $1;
        last if $size == 0;

        my $at = pos $bytes;
        return if length($bytes) < $at + $size + 2;

        $body .= substr $bytes, $at, $size;
        die "no CRLF after a chunk\n"
            if substr($bytes, $at + $size, 2) ne "\r\n";
        pos($bytes) = $at + $size + 2;
    }

    my $at = pos $bytes;
    return ($body, $at + 2, []) if substr($bytes, $at, 2) eq "\r\n";

    my $end = index $bytes, "\r\n\r\n", $at;
    return if $end < 0;

    my (undef, $trailers) = parse_head("-\n" . substr $bytes, $at, $end - $at);
    return ($body, $end + 4, $trailers);
}

# All values of a header, in the order they came.
sub header_values {
    my ($headers, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @$headers;
}

# Headers as tests write them, a hash or a list in an array, as pairs.
sub pairs {
    my ($headers) = @_;

    return [] if !defined $headers;
    return [map { [$_, $headers->{$_}] } sort keys %$headers]
        if ref $headers eq 'HASH';
    return [@$headers] if @$headers && ref $headers->[0];

    my @list = @$headers;
    my @pairs;
    while (my ($name, $value) = splice @list, 0, 2) {
        push @pairs, [$name, $value];
    }

    return \@pairs;
}

# UTF-8 bytes; keys sorted, so that tests may compare them
sub json_encode {
    return JSON::PP->new->utf8->canonical->allow_nonref->encode($_[0]);
}

sub json_decode {
    return JSON::PP->new->utf8->allow_nonref->decode($_[0]);
}

1;
