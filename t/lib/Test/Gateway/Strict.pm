package Test::Gateway::Strict;

# What goes upstream, read by parsers that are not ours and forgive nothing.
# They die with what is wrong.
#
#   my $call = strict_request($request->{raw});
#   my $value = strict_json($call->{body});

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

our @EXPORT_OK = qw(strict_json strict_request);

# A request as it stands on the wire: {method, segments, query, headers, body}.
sub strict_request {
    my ($raw) = @_;

    my $token = qr/[!#\$%&'*+.^_`|~0-9A-Za-z-]+/;

    $raw =~ s{\A(GET|POST|PUT|DELETE)\ (/[^\s?\#]*)(?:\?([^\s\#]*))?
        \ HTTP/1\.1\r\n}{}x
        or die "request line\n";
    my ($method, $path, $query) = ($1, $2, $3);

    my %header;
    while ($raw =~ s/\A($token):[ ]([^\x00-\x1f\x7f]*)\r\n//) {
        my ($name, $value) = (lc $1, $2);
        die "header $name twice\n" if exists $header{$name};
        $header{$name} = $value;
    }
    $raw =~ s/\A\r\n// or die "header\n";

    die "no host\n" if !exists $header{host};
    die "transfer encoding\n" if exists $header{'transfer-encoding'};

    my $length = $header{'content-length'} // 0;
    die "content length\n" if $length !~ /\A(?:0|[1-9]\d*)\z/;
    die "body\n" if length $raw != $length;

    my @segments = map { _decode($_) }
        split m{/}, substr($path, 1), -1;
    for my $segment (@segments) {
        die "segment\n" if $segment =~ m{\A\.{0,2}\z};
        die "a way up\n" if $segment =~ m{(?:\A|[/\\])\.\.?(?:[/\\]|\z)};
    }

    my %query;
    for my $pair (split /&/, $query // '', -1) {
        my ($name, $value) = map { _decode($_) }
            split /=/, $pair, 2;
        die "parameter $name twice\n" if exists $query{$name};
        $query{$name} = $value;
    }

    return {method => $method, segments => \@segments, query => \%query,
        headers => \%header, body => $raw};
}

sub _decode {
    my ($text) = @_;

    $text !~ /[^%A-Za-z0-9._~-]|%(?![0-9A-F]{2})/
        or die "not encoded: $text\n";
    $text =~ s/%(..)/chr hex $1/ge;
    utf8::decode($text) or die "not UTF-8: $text\n";

    return $text;
}

# JSON as it stands: numbers as they are written, nothing twice.
sub strict_json {
    my ($bytes) = @_;

    my $text = $bytes;
    utf8::decode($text) or die "not UTF-8\n";
    pos($text) = 0;
    my $value = _json(\$text);
    die "more\n" if pos($text) != length $text;

    return $value;
}

sub _json {
    my ($t) = @_;

    if ($$t =~ /\G\{/gc) {
        my %object;
        return \%object if $$t =~ /\G\}/gc;
        while (1) {
            my $name = _json($t);
            die "name\n" if ref $name || $name !~ s/\As//;
            die "$name twice\n" if exists $object{$name};
            $$t =~ /\G:/gc or die "colon\n";
            $object{$name} = _json($t);
            return \%object if $$t =~ /\G\}/gc;
            $$t =~ /\G,/gc or die "comma\n";
        }
    }

    if ($$t =~ /\G\[/gc) {
        my @array;
        return \@array if $$t =~ /\G\]/gc;
        while (1) {
            push @array, _json($t);
            return \@array if $$t =~ /\G\]/gc;
            $$t =~ /\G,/gc or die "comma\n";
        }
    }

    return "n$1"
        if $$t =~ /\G(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)/gc;
    return $1 if $$t =~ /\G(true|false|null)/gc;

    $$t =~ m{\G"((?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"}gc
        or die 'value at ' . pos($$t) . "\n";
    return 's' . JSON::PP->new->allow_nonref->decode("\"$1\"");
}

1;
