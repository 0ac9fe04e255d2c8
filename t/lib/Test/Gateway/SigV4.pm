package Test::Gateway::SigV4;

# Signs requests as clients of VinylDNS do (AWS signature version 4).
#
#   my $headers = sign(
#       method     => 'POST',
#       uri        => '/groups?startFrom=a%20b',
#       headers    => ['Host' => 'localhost', 'Content-Type' => '...'],
#       body       => '{}',
#       access_key => '...', secret_key => '...',
#   );
#
# returns the pairs of headers to send, with X-Amz-Date and Authorization.
# More options, with their defaults:
#
#   region => 'us-east-1', service => 'VinylDNS'
#   time => time()               seconds since the epoch
#   date => from time            what stands in the date header
#   date_header => 'X-Amz-Date'  or 'Date', or undef for none
#   scope_date => from time      the day in the credential's scope
#   signed => [...]              names of the headers that are signed; default
#                                content-type, host and the date header
#   path => from uri             the path that is signed: decoded and
#                                normalized in VinylDNS, never encoded twice
#   content_sha256 => 0          sends X-Amz-Content-Sha256, too
#   signature => computed        another one, to be refused

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use Exporter qw(import);
use POSIX qw(strftime);

use Test::Gateway::Message qw(header_values pairs);

our @EXPORT_OK = qw(sign canonical_request);

sub sign {
    my %option = (
        method      => 'GET',
        body        => '',
        region      => 'us-east-1',
        service     => 'VinylDNS',
        time        => time,
        date_header => 'X-Amz-Date',
        @_
    );

    my $headers = pairs($option{headers});
    my $body    = $option{body} // '';
    my $date    = $option{date}
        // strftime('%Y%m%dT%H%M%SZ', gmtime $option{time});
    my $day = $option{scope_date} // strftime('%Y%m%d', gmtime $option{time});

    push @$headers, [$option{date_header}, $date]
        if defined $option{date_header};
    push @$headers, ['X-Amz-Content-Sha256', sha256_hex($body)]
        if $option{content_sha256};

    my @signed = map { lc } @{$option{signed} // [
        grep { header_values($headers, $_) } 'content-type', 'host',
        defined $option{date_header} ? lc $option{date_header} : (),
        $option{content_sha256} ? 'x-amz-content-sha256' : ()
    ]};
    @signed = sort @signed;

    my $scope = "$day/$option{region}/$option{service}/aws4_request";
    my $text  = join "\n", 'AWS4-HMAC-SHA256', $date, $scope,
        sha256_hex(canonical_request(%option, headers => $headers,
            signed => \@signed, body => $body));

    my $key = "AWS4$option{secret_key}";
    $key = hmac_sha256($_, $key) for split m{/}, $scope, -1;

    my $signature = $option{signature} // hmac_sha256_hex($text, $key);

    push @$headers, ['Authorization',
        "AWS4-HMAC-SHA256 Credential=$option{access_key}/$scope, "
        . 'SignedHeaders=' . join(';', @signed)
        . ", Signature=$signature"];

    return $headers;
}

sub canonical_request {
    my %option = @_;

    my ($path, $query) = split /\?/, $option{uri}, 2;
    $path = $option{path} // $path;

    my @query = map {
        my ($name, $value) = split /=/, $_, 2;
        _encode($name) . '=' . _encode($value // '');
    } split /&/, $query // '';

    my $headers = pairs($option{headers});
    my @lines   = map { "$_:" . join(',', header_values($headers, $_)) }
        @{$option{signed}};

    return join "\n", $option{method}, $path, join('&', sort @query),
        @lines, '', join(';', @{$option{signed}}),
        sha256_hex($option{body});
}

# Decoded and encoded again, so that all ways to write it are one.
sub _encode {
    my ($text) = @_;

    $text =~ tr/+/ /;
    $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;

    return $text;
}

1;
