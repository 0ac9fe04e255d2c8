#!/usr/bin/perl

# Our signatures against those of others: what Net::Amazon::Signature::V4 and
# curl sign must be accepted, and must be what we make of the same request.
# Where one of the two cannot sign a case right, that is said at the case.

use warnings;
use strict;

use Test::More;

use Cwd ();
use File::Basename ();
use HTTP::Request;
use IO::Select;
use IO::Socket::INET;
use IPC::Open2;
use Time::Local;

BEGIN {
    eval { require Net::Amazon::Signature::V4; 1 }
        or plan skip_all => 'Net::Amazon::Signature::V4 is not installed';
}

chdir File::Basename::dirname(Cwd::abs_path(__FILE__)) . '/..'
    or die "no project root: $!\n";

my $make = $ENV{MAKE} || 'make';
my $tool = 'build/unit/sigv4_tool';
my $made = qx($make -s -f t/unit/unit.mk $tool 2>&1);

BAIL_OUT("$tool cannot be built: $made") if $? != 0;

my $key = 'AKIDEXAMPLE';
my $secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
my $json = '{"name":"a","email":"a@test.com","members":[],"admins":[]}';

my ($stamp, $now) = ('20150830T123600Z', timegm(0, 36, 12, 30, 7, 2015));


# Net::Amazon::Signature::V4 escapes each segment, what is escaped, too

my @cases = (
    # name, method, target, body, region, service
    [ 'a plain path', 'GET', '/groups' ],
    [ 'the root', 'GET', '/' ],
    [ 'an id', 'DELETE', '/groups/2a8d1c1e-0d3b-4c2b-9f8e-5a5b0d3c7f11' ],
    [ 'a path of all that need not be escaped', 'GET',
        '/groups/a=b:c@d,e;f+g$h&i!j~k_l-m.n' ],
    [ 'a slash at the end', 'GET', '/groups/' ],
    [ 'a query', 'GET', '/groups?maxItems=100' ],
    [ 'a query that is not sorted', 'GET',
        '/groups?startFrom=b&maxItems=3&ignoreAccess=true&abridged=false' ],
    [ 'a name several times', 'GET', '/groups?a=3&a=1&a=20&a=1&b=0' ],
    [ 'parameters without a value', 'GET', '/groups?b&a=&c' ],
    [ 'escapes in a query', 'GET',
        '/groups?groupNameFilter=a%20b%2Fc%26d%3de%C3%A9*%7e~' ],
    [ 'pluses in a query', 'GET', '/groups?groupNameFilter=a+b%2Bc' ],
    [ 'a body', 'POST', '/groups', $json ],
    [ 'a body of GET', 'GET', '/groups?maxItems=1', 'null' ],
    [ 'an empty body of PUT', 'PUT', '/groups/1', '' ],
    [ 'a body of any bytes', 'POST', '/groups', join '', map chr, 0 .. 255 ],
    [ 'another region', 'GET', '/groups', undef, 'eu-west-1' ],
    [ 'an empty service', 'POST', '/groups', $json, 'us-east-1', '' ],
    [ 'an empty region and service', 'GET', '/groups', undef, '', '' ],
);

for my $case (@cases) {
    my ($name, $method, $target, $body, $region, $service) = @$case;

    $region = 'us-east-1' if !defined $region;
    $service = 'VinylDNS' if !defined $service;

    # all headers are signed, X-Amz-Content-Sha256 is added

    my $all = oracle($method, $target, $body, $region, $service);

    is(check($all), 'ok', "$name: accepted");

    # those that we sign

    my $some = do {
        no warnings 'redefine';

        my $names = \&Net::Amazon::Signature::V4::_headers_to_sign;

        local *Net::Amazon::Signature::V4::_headers_to_sign = sub {
            return grep { /^(?:content-type|host|x-amz-date)$/ } &$names;
        };

        oracle($method, $target, $body, $region, $service);
    };

    is(check($some), 'ok', "$name: accepted with our names");

    SKIP: {
        skip 'VinylDNS signs what the oracle escapes', 1
            if $target =~ m![=:@,;+\$&\!][^?]*$! && $target !~ /\?/;

        is(signature(sign($some, $region, $service)), signature($some),
            "$name: signed alike");
    }

    tampered($all, $name);
}


# a service of this name has its paths signed as they are sent

for my $path ('/groups/a%20b', '/groups/%7Ea%2Fb', '/groups/a=b',
    '/groups/a%3db')
{
    is(check(oracle('GET', $path, undef, 'us-east-1', 's3')), 'ok',
        "$path as it was sent");
}

isnt(check(oracle('GET', '/groups/a%20b', undef, 'us-east-1', 'VinylDNS')),
    'ok', 'a path that is escaped twice is ambiguous and refused');


# the date

{
    my $all = oracle('GET', '/groups', undef, 'us-east-1', 'VinylDNS');

    is(check($all, $now + 900, 900), 'ok', 'max_skew later');
    is(check($all, $now + 901, 900), 'expired', 'one second more');
    is(check($all, $now - 900, 900), 'ok', 'max_skew sooner');
    is(check($all, $now - 901, 900), 'expired', 'one second more');
    is(check($all, $now + 901, 0), 'ok', 'no max_skew');
}


# curl

SKIP: {
    my ($version) = `curl --version 2>/dev/null` =~ /^curl (\d+\.\d+)/;

    skip 'curl has no --aws-sigv4', 1
        if !$version || `curl --help all` !~ /--aws-sigv4/;

    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        Proto => 'tcp',
        Listen => 5,
        ReuseAddr => 1,
    ) or die "cannot listen: $!";

    my @type = ('-H', 'Content-Type: application/json');

    # curl 7.88 signs path and query as they are: these are in order

    my @curl = (
        [ 'a plain path', '/groups', @type ],
        [ 'no content-type', '/groups' ],
        [ 'an id', '/groups/2a8d1c1e-0d3b-4c2b-9f8e-5a5b0d3c7f11', @type,
            '-X', 'DELETE' ],
        [ 'a query', '/groups?abridged=true&maxItems=3&startFrom=a%20b',
            @type ],
        [ 'a body', '/groups', @type, '-d', $json ],
        [ 'a body of PUT', '/groups/1', @type, '-X', 'PUT', '-d', $json ],
        [ 'a body of GET', '/groups', @type, '-X', 'GET', '-d', 'null' ],
        [ 'an empty body', '/groups', @type, '-d', '' ],
        [ 'more headers', '/groups', @type, '-H', 'X-Amz-Target: a b',
            '-H', 'Accept: */*' ],
    );

    for my $case (@curl) {
        my ($name, $target, @args) = @$case;

        my $seen = curl($listen, $target, @args);
        my ($date) = $seen =~ /^x-amz-date: *(\S+)/mi;

        ok($date, "curl, $name: signed") or diag($seen);
        next if !$date;

        my $time = time_of($date);

        like($seen, qr/^host: 127\.0\.0\.1:\d+\r$/mi,
            "curl, $name: the host has a port");
        is(check($seen, $time, 60), 'ok', "curl, $name: accepted");

        my ($names) = $seen =~ /SignedHeaders=([^,]+)/;

        if ($names =~ /^(?:content-type;)?host;x-amz-date$/) {
            is(signature(sign($seen, 'us-east-1', 'VinylDNS', $time)),
                signature($seen), "curl, $name: signed alike");

        } else {
            isnt($name, 'a plain path', "curl, $name: signs $names");
        }

        tampered($seen, "curl, $name", $time);
    }
}

done_testing();


sub oracle {
    my ($method, $target, $body, $region, $service) = @_;

    my $req = HTTP::Request->new($method, "http://vinyl.example.com$target");

    $req->header('Host' => 'vinyl.example.com:9000');
    $req->header('X-Amz-Date' => $stamp);
    $req->header('Accept' => '*/*');

    if (defined $body) {
        $req->header('Content-Type' => 'application/json');
        $req->content($body);
    }

    Net::Amazon::Signature::V4->new($key, $secret, $region, $service)
        ->sign($req);

    # what was not signed must not matter

    return "$method $target HTTP/1.1\r\n" . $req->headers->as_string("\r\n")
        . "X-Other: 1\r\n\r\n" . $req->content;
}


# what was signed, with a byte changed

sub tampered {
    my ($all, $name, $time) = @_;

    my %how = (
        method => sub { $_[0] =~ s/^[A-Z]+/PATCH/ },
        path => sub { $_[0] =~ s!^(\w+ /[^? ]*)!$1x! },
        query => sub { $_[0] =~ s!^(\w+ [^? ]+)(\??)!"$1?x=1" . ($2 && '&')!e },
        host => sub { $_[0] =~ s/^(host: *.)/$1x/mi },
        date => sub { $_[0] =~ s/^(x-amz-date: *\d+T\d+)(\d)Z/$1 . ($2 ^ 1) .
            'Z'/mie },
        body => sub { $_[0] .= 'x' },
        scope => sub { $_[0] =~ s!/(\w+)-?(\w*)-?(\d*)/!/x$1/! },
        signature => sub { $_[0] =~ s/Signature=(.)/'Signature=' .
            ($1 eq '0' ? '1' : '0')/e },
        names => sub { $_[0] =~ s/SignedHeaders=/SignedHeaders=x-other;/ },
    );

    my @passed;

    for my $part (sort keys %how) {
        my $bad = $all;

        $how{$part}->($bad);
        next if $bad eq $all;

        my $verdict = check($bad, $time);
        push @passed, "$part: $verdict"
            if $verdict !~ /^(?:signature|malformed)$/;
    }

    is("@passed", '', "$name: refused when a part is changed");
}


sub curl {
    my ($listen, $target, @args) = @_;

    my $url = 'http://127.0.0.1:' . $listen->sockport() . $target;

    my $pid = open(my $out, '-|', 'curl', '-q', '-s', '-S', '--noproxy', '*',
        '--max-time', '10', '--user', "$key:$secret",
        '--aws-sigv4', 'aws:amz:us-east-1:VinylDNS', @args, $url)
        or die "cannot run curl: $!";

    my $seen = '';

    if (IO::Select->new($listen)->can_read(10)) {
        my $s = $listen->accept();
        my $select = IO::Select->new($s);

        while ($select->can_read(10)) {
            last if !$s->sysread($seen, 65536, length $seen);

            next if $seen !~ /\r\n\r\n(.*)/s;

            my $got = length $1;
            my ($len) = $seen =~ /^content-length: *(\d+)/mi;

            last if $got >= ($len || 0);
        }

        $s->syswrite("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
            . "Connection: close\r\n\r\n");
        close $s;
    }

    my @said = <$out>;
    close $out or diag("curl: @said");

    return $seen;
}


sub check {
    my ($text, $time, $skew) = @_;

    $time = $now if !defined $time;

    return run($text, 'check', $key, $secret, $time, defined $skew ? $skew : 0);
}


# the request without its signature, to be signed by us

sub sign {
    my ($text, $region, $service, $time) = @_;

    $text =~ s/^(?:authorization|x-amz-date|x-amz-content-sha256):.*\r\n//mig;

    return run($text, 'sign', $key, $secret, $region, $service,
        defined $time ? $time : $now);
}


sub signature {
    my ($text) = @_;

    return $text =~ /Signature=([0-9a-f]{64})/ ? $1 : "none in $text";
}


sub time_of {
    my ($date) = @_;

    my ($y, $m, $d, $h, $min, $s)
        = $date =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
        or die "bad date $date";

    return timegm($s, $min, $h, $d, $m - 1, $y);
}


sub run {
    my ($text, @args) = @_;

    my $pid = open2(my $out, my $in, $tool, @args);

    binmode $in;
    print $in $text;
    close $in;

    my $said = do { local $/; <$out> };
    waitpid $pid, 0;

    $said = '' if !defined $said;
    chomp $said;

    return $said;
}
