#!/usr/bin/perl

# Requests that are signed as VinylDNS's clients sign them, and
# group_sigv4_max_skew. curl is the oracle that nobody here wrote.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use POSIX qw(strftime);
use Test::Gateway;
use Test::Gateway::Message qw(header_values json_encode pairs);

my $t = Test::Gateway->new(variables => [qw(principal error)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my %group = (id => $UUID, name => 'a', email => 'a@test.com',
    created => '2023-01-15T10:30:00Z', status => 'Active', members => [],
    admins => []);

my $u = $t->upstream(sub {
    my ($request) = @_;
    return [200, [], {groups => [], maxItems => 100, ignoreAccess => \0}]
        if $request->{method} eq 'GET' && $request->{uri} !~ m{/groups/};
    return [200, [], {%group}];
});

my $proxy = 'proxy_pass http://' . $u->address . ';';

my %key = (access_key => 'AKIDEXAMPLE', secret_key => 'S3cret/Key+of=us');

$t->credentials('clients.json',
    {type => 'sigv4', %key, principal => 'ok',
        scopes => ['groups:read', 'groups:write']},
    {type => 'sigv4', access_key => 'AKOTHER', secret_key => 'another',
        scopes => ['groups:read', 'groups:write']},
    {type => 'sigv4', access_key => 'key.with:dots', secret_key => 'x y',
        scopes => ['groups:read', 'groups:write']},
);

$t->nginx(
    http => "group_dialect vinyldns;\ngroup_credentials clients.json;\n"
        . 'client_max_body_size 2m;',
    server => <<"END",
location / { $proxy }
location /small/ {
    group_base_path /small;
    client_body_buffer_size 16;
    $proxy
}
location /minute/ {
    group_base_path /minute;
    group_sigv4_max_skew 1m;
    $proxy
    location /minute/in/ { group_base_path /minute/in; $proxy }
}
location /any/ { group_base_path /any; group_sigv4_max_skew 0; $proxy }
END
);

my $BODY = json_encode({name => 'a', email => 'a@test.com', members => [],
    admins => []});
my @JSON = ('Content-Type' => 'application/json');


# A signature as vendors' clients make it, each part open to be bent. Beside
# what a request has: time, date, date_header, day, region, service, signed
# (in the order of the list), and how a part that is signed differs from what
# is sent: sign_method, sign_path, sign_query, sign_body, sign_headers.
sub request {
    my %r = (
        method      => 'GET',
        uri         => '/groups',
        headers     => [],
        region      => 'us-east-1',
        service     => 'VinylDNS',
        time        => time,
        date_header => 'X-Amz-Date',
        %key,
        @_
    );

    my $headers = pairs($r{headers});
    unshift @$headers, ['Host', 'localhost:9000']
        if !header_values($headers, 'Host');

    my $date = $r{date} // strftime('%Y%m%dT%H%M%SZ', gmtime $r{time});
    push @$headers, [$r{date_header}, $r{sent_date} // $date]
        if $r{date_header};

    my @signed = $r{signed} ? @{$r{signed}} : sort grep {
        header_values($headers, $_)
    } 'content-type', 'host', lc($r{date_header} // '');

    my ($path, $query) = split /\?/, $r{uri}, 2;
    $path  = $r{sign_path} // $path;
    $query = $r{sign_query}
        // join '&', sort map { /=/ ? $_ : "$_=" } split /&/, $query // '';

    my $lines = $r{sign_headers} ? pairs($r{sign_headers}) : $headers;
    my @lines = map {
        my @values = header_values($lines, $_);
        @values ? lc($_) . ':' . join(',', @values) : ();
    } sort { lc $a cmp lc $b } @signed;

    my $names = join ';', @signed;
    my $body  = ref $r{body} ? join '', @{$r{body}} : $r{body} // '';
    my $text  = join "\n", $r{sign_method} // $r{method}, $path, $query,
        @lines, '', $names, sha256_hex($r{sign_body} // $body);

    my $day   = $r{day} // strftime('%Y%m%d', gmtime $r{time});
    my $scope = $r{scope} // "$day/$r{region}/$r{service}/aws4_request";
    my $key   = "AWS4$r{secret_key}";
    $key = hmac_sha256($_, $key) for split m{/}, $scope, -1;

    my $signature = hmac_sha256_hex(join("\n", 'AWS4-HMAC-SHA256', $date,
        $scope, sha256_hex($text)), $key);

    my $authorization = "AWS4-HMAC-SHA256 Credential=$r{access_key}/$scope, "
        . "SignedHeaders=$names, Signature=$signature";
    $authorization = $r{bend}->($authorization) if $r{bend};

    return (method => $r{method}, uri => $r{uri}, body => $r{body},
        headers => [@$headers, ['Authorization', $authorization]]);
}

# Whether a request arrived, and the text of the refusal if not.
sub call {
    my (%request) = @_;

    $u->clear;
    my $r = $t->request(%request);
    my $n = $u->requests;

    return 'ok' if $r->status == 200 && $n == 1;
    return "sent $n and answered " . $r->status if $r->status == 200 || $n;
    return $r->status . ' ' . $r->body =~ s/^Authentication Failed: //r;
}

my $BAD = '401 Request signature could not be validated';
my $UNPARSED = '401 Authorization header could not be parsed';

sub ok_call { return is(call(request(@_[1 .. $#_])), 'ok', $_[0]) }
sub bad_call { return is(call(request(@_[1 .. $#_])), $BAD, $_[0]) }


subtest 'the clients there are' => sub {
    my @get = (uri => '/groups?maxItems=3');
    my @accept = (Accept => 'application/json, text/plain, */*');

    ok_call('functional tests: null as the body of GET', @get,
        headers => [@JSON, @accept], body => 'null',
        signed => [qw(accept content-type host x-amz-date)]);
    ok_call('functional tests: create', method => 'POST',
        headers => [@JSON, @accept], body => $BODY,
        signed => [qw(accept content-type host x-amz-date)]);

    ok_call('vinyldns-python', @get, headers => [@JSON, @accept,
            'X-Amz-Target' => 'VinylDNS'], body => 'null',
        signed => [qw(accept content-type host x-amz-date x-amz-target)]);

    ok_call('go-vinyldns', @get, headers => [@JSON],
        signed => [qw(content-type host x-amz-date)]);
    ok_call('go-vinyldns: create', method => 'POST', body => $BODY,
        headers => [@JSON, 'Content-Length' => length $BODY],
        signed => [qw(content-length content-type host x-amz-date)]);

    ok_call('vinyldns-js: an empty service', @get, headers => [@JSON],
        service => '', signed => [qw(content-type host x-amz-date)]);
    ok_call('vinyldns-js: create', method => 'POST', service => '',
        body => $BODY, headers => [@JSON, 'Content-Length' => length $BODY],
        signed => [qw(content-length content-type host x-amz-date)]);
    bad_call('vinyldns-js with a later axios: it sends what it did not sign',
        @get, headers => [@JSON, 'Content-Length' => 2], service => '',
        body => '""', sign_body => '');
};

subtest 'where it is signed for' => sub {
    ok_call('a host with a port', headers => [Host => 'vinyl.example.com:81']);
    ok_call('a host without', headers => [Host => 'vinyl.example.com']);
    bad_call('the port left out', headers => [Host => 'a:81'],
        sign_headers => [Host => 'a',
            'X-Amz-Date' => strftime('%Y%m%dT%H%M%SZ', gmtime)]);
    bad_call('another host', headers => [Host => 'b:81'],
        sign_headers => [Host => 'a:81',
            'X-Amz-Date' => strftime('%Y%m%dT%H%M%SZ', gmtime)]);

    ok_call('another region', region => 'eu-west-1');
    ok_call('another service', service => 's3');
    ok_call('an empty region', region => '');
    ok_call('nothing', region => '', service => '');
};

subtest 'the body' => sub {
    my @post = (method => 'POST', headers => [@JSON], body => $BODY);
    my $other = $BODY =~ s/"a"/"b"/r;

    bad_call('another one', @post, sign_body => $other);
    bad_call('none signed', @post, sign_body => '');
    bad_call('a longer one', @post, body => "$BODY ", sign_body => $BODY);
    bad_call('what others have instead', @post,
        sign_body => 'UNSIGNED-PAYLOAD');
    bad_call('none sent', method => 'DELETE', uri => "/groups/$UUID",
        sign_body => $BODY);

    # the header that says it for others is as good as any other
    ok_call('its digest in a header', @post,
        headers => [@JSON, 'X-Amz-Content-Sha256' => sha256_hex($BODY)],
        signed => [qw(content-type host x-amz-content-sha256 x-amz-date)]);
    bad_call('its digest in a header, and another body', @post,
        sign_body => $other,
        headers => [@JSON, 'X-Amz-Content-Sha256' => sha256_hex($other)],
        signed => [qw(content-type host x-amz-content-sha256 x-amz-date)]);
    bad_call('no digest in a header', @post, sign_body => '',
        headers => [@JSON, 'X-Amz-Content-Sha256' => 'UNSIGNED-PAYLOAD'],
        signed => [qw(content-type host x-amz-content-sha256 x-amz-date)]);

    ok_call('of DELETE', method => 'DELETE', uri => "/groups/$UUID",
        headers => [@JSON], body => 'null');

    my $large = json_encode({name => 'a', email => 'a@test.com',
        description => 'x' x 300000, members => [], admins => []});

    for my $at ('', '/small') {
        my @large = (method => 'POST', uri => "$at/groups",
            headers => [@JSON], body => $large);
        ok_call("a large one, $at", @large);
        bad_call("a large one that differs at its end, $at", @large,
            sign_body => substr($large, 0, -1) . ' ');
    }

    my $half = length($BODY) / 2;
    ok_call('in chunks', @post,
        body => [substr($BODY, 0, $half), substr $BODY, $half]);
};

subtest 'the query' => sub {
    ok_call('in order', uri => '/groups?abridged=true&maxItems=3&startFrom=x');
    ok_call('not in order',
        uri => '/groups?startFrom=x&maxItems=3&abridged=true');
    ok_call('without a value', uri => '/groups?groupNameFilter');
    ok_call('escaped', uri => '/groups?groupNameFilter=a%20b%2Fc%2A~',
        sign_query => 'groupNameFilter=a%20b%2Fc%2A~');
    ok_call('a plus, and what need not be escaped',
        uri => '/groups?groupNameFilter=a+b/c*%7e',
        sign_query => 'groupNameFilter=a%20b%2Fc%2A~');
    ok_call('escapes in lower case', uri => '/groups?groupNameFilter=%c3%a9',
        sign_query => 'groupNameFilter=%C3%A9');

    bad_call('another value', uri => '/groups?maxItems=3',
        sign_query => 'maxItems=2');
    bad_call('one more', uri => '/groups?ignoreAccess=true&maxItems=3',
        sign_query => 'maxItems=3');
    bad_call('one less', uri => '/groups?maxItems=3',
        sign_query => 'ignoreAccess=true&maxItems=3');
};

subtest 'the headers' => sub {
    my @many = ('X-B' => '2', @JSON, 'X-A' => '1', Accept => '*/*');
    my @names = qw(accept content-type host x-a x-amz-date x-b);

    ok_call('in any order', headers => [@many], signed => [@names]);
    ok_call('names in the order of the client', headers => [@many],
        signed => [reverse @names]);
    ok_call('names in any case', headers => [@many],
        signed => [qw(Accept Content-Type Host X-A X-Amz-Date X-B)]);
    ok_call('spaces inside a value', headers => [Accept => 'a,   b'],
        signed => [qw(accept host x-amz-date)]);
    ok_call('a value that is empty', headers => ['X-A' => ''],
        signed => [qw(host x-a x-amz-date)]);
    ok_call('one that is signed and not there',
        signed => [qw(host x-amz-date x-none)]);
    ok_call('twice', headers => ['X-A' => '1', 'X-A' => '2'],
        signed => [qw(host x-a x-amz-date)]);
    ok_call('what is not signed', headers => ['X-A' => '1']);
};

subtest 'how it is written' => sub {
    ok_call('no spaces', bend => sub { $_[0] =~ s/, /,/gr });
    ok_call('more spaces', bend => sub { $_[0] =~ s/, /,   /gr });

    my %bend = (
        'another scheme'       => sub { $_[0] =~ s/AWS4-HMAC/AWS3-HMAC/r },
        'the scheme alone'     => sub { 'AWS4-HMAC-SHA256' },
        'no key'               => sub { $_[0] =~ s/=AKIDEXAMPLE/=/r },
        'no day'               => sub { $_[0] =~ s{/\d{8}/}{/}r },
        'a day that is none'   => sub { $_[0] =~ s{/\d{4}}{/20xx}r },
        'one part less'        => sub { $_[0] =~ s{/VinylDNS}{}r },
        'one part more'        => sub { $_[0] =~ s{/VinylDNS}{$&/x}r },
        'another end'          => sub { $_[0] =~ s/aws4_request/aws4/r },
        'no names'             => sub { $_[0] =~ s/(SignedHeaders=)[^,]*/$1/r },
        'no list of names'     => sub { $_[0] =~ s/SignedHeaders=[^,]*, //r },
        'no signature'         => sub { $_[0] =~ s/, Signature.*//r },
        'a short signature'    => sub { substr $_[0], 0, -1 },
        'a long signature'     => sub { "$_[0]0" },
        'upper case'           => sub { $_[0] =~ s/(Signature=)(.*)/$1\U$2/r },
        'semicolons'           => sub { $_[0] =~ s/,/;/gr },
        'another order'        => sub {
            $_[0] =~ s/(SignedHeaders.*), (Signature.*)/$2, $1/r
        },
        'text behind it'       => sub { "$_[0], x=1" },
    );

    for my $name (sort keys %bend) {
        is(call(request(bend => $bend{$name})), $UNPARSED, $name);
    }

    bad_call('an unknown key', access_key => 'AKNOBODY');
    ok_call('a key of other characters', access_key => 'key.with:dots',
        secret_key => 'x y');
};

subtest 'what was changed' => sub {
    my %date = ('X-Amz-Date' => strftime('%Y%m%dT%H%M%SZ', gmtime));

    bad_call('the method', method => 'DELETE', uri => "/groups/$UUID",
        sign_method => 'GET');
    bad_call('the path', method => 'DELETE', uri => "/groups/$UUID",
        sign_path => "/groups/${UUID}0");
    bad_call('a part of the path', uri => "/groups/$UUID",
        sign_path => '/groups');
    bad_call('a header', headers => [Accept => 'b'],
        sign_headers => [Accept => 'a', Host => 'localhost:9000', %date],
        signed => [qw(accept host x-amz-date)]);
    bad_call('the names', headers => [Accept => 'a'],
        bend => sub { $_[0] =~ s/SignedHeaders=/SignedHeaders=accept;/r });
    bad_call('the date', sent_date => strftime('%Y%m%dT%H%M%SZ',
            gmtime time - 10));
    bad_call('the region', bend => sub { $_[0] =~ s/us-east-1/us-east-2/r });
    bad_call('the service', bend => sub { $_[0] =~ s/VinylDNS/vinyldns/r });
    bad_call('the day', bend => sub {
        my $day = strftime('%Y%m%d', gmtime time - 86400);
        $_[0] =~ s{/\d{8}/}{/$day/}r;
    });
    bad_call('the key', bend => sub { $_[0] =~ s/AKIDEXAMPLE/AKOTHER/r });
    bad_call('the secret', secret_key => 'S3cret/Key+of=u');
    bad_call('the signature', bend => sub {
        $_[0] =~ s/Signature=(.)/'Signature=' . ($1 eq '0' ? '1' : '0')/er;
    });
};

subtest 'the date' => sub {
    my @iso = (date_header => 'Date', signed => ['date', 'host']);
    ok_call('Date, as X-Amz-Date is', @iso);

    my $now = time;
    ok_call('Date, as HTTP has it', @iso, time => $now,
        sent_date => strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $now));

    # X-Amz-Date counts when both are there
    ok_call('both', headers => [Date => 'Wed, 01 Jan 2020 00:00:00 GMT']);

    is(call(request(date_header => undef)), $UNPARSED, 'none');
    is(call(request(date => $_)), $UNPARSED, "\"$_\"")
        for 'now', '', '20150830', '20151330T123600Z', '20150230T123600Z',
        '20150830T253600Z', '2015-08-30T12:36:00Z', '20150830T123600z';
};

subtest 'fifteen minutes' => sub {
    my @minutes = map { 60 * $_ } 14, 16;

    ok_call('a little late', time => time - $minutes[0]);
    ok_call('a little early', time => time + $minutes[0]);
    bad_call('too late', time => time - $minutes[1]);
    bad_call('too early', time => time + $minutes[1]);
    bad_call('a day late', time => time - 86400);
    bad_call('years late', time => 1440938160);

    bad_call('of long ago in Date', date_header => 'Date',
        signed => ['date', 'host'], time => 1440938160);

    # the day of the scope is of the same clock
    bad_call('a scope of another year', day => '20150830');
    ok_call('a scope of a day around midnight',
        day => strftime('%Y%m%d', gmtime time - 86400));
};

subtest 'group_sigv4_max_skew' => sub {
    for my $at (qw(/minute /minute/in)) {
        my @at = (uri => "$at/groups");
        ok_call("$at: now", @at);
        ok_call("$at: in time", @at, time => time - 50);
        bad_call("$at: late", @at, time => time - 70);
        bad_call("$at: early", @at, time => time + 70);
    }

    my @at = (uri => '/any/groups');
    ok_call('0: now', @at);
    ok_call('0: of long ago', @at, time => 1440938160);
    ok_call('0: of a time to come', @at, time => time + 10 * 86400);
    ok_call('0: a scope of another day', @at, day => '20150830');
    bad_call('0: but not of another text', @at, time => 1440938160,
        sent_date => '20150830T123601Z');

    $t->config_ok("group_sigv4_max_skew $_;", "\"$_\"")
        for qw(0 30s 15m 1h 300);
    $t->config_fails("group_sigv4_max_skew $_;",
        qr/"group_sigv4_max_skew" directive invalid value/, "\"$_\"")
        for qw(x -1 1x off);
    $t->config_fails('group_sigv4_max_skew 1m; group_sigv4_max_skew 1m;',
        qr/"group_sigv4_max_skew" directive is duplicate/, 'twice');
};

# MembershipRouting looks at it before it looks who asks.
subtest 'a bad maxItems needs no signature' => sub {
    my $r = $t->get('/groups?maxItems=0');
    is($r->status, 400, 'status');
    is($t->get('/groups?maxItems=1')->status, 401, 'a good one does');
};

subtest 'why it was refused is in the log' => sub {
    $t->mark;
    call(request(time => time - 3600));
    $t->like_log(qr/refused with 401: unauthorized expired/, 'expired');

    call(request(secret_key => 'x'));
    $t->like_log(qr/refused with 401: unauthorized signature/, 'signature');

    $t->unlike_log(qr/S3cret|Signature=/, 'and no signature')
        if !$ENV{TEST_GROUP_DEBUG};
};

subtest 'curl' => sub {
    plan skip_all => 'curl has no --aws-sigv4'
        if (`curl --help all 2>/dev/null` || '') !~ /--aws-sigv4/;

    my $port = $t->port($t->http2 ? 'http1' : undef);

    my $curl = sub {
        my ($path, @option) = @_;

        $u->clear;
        open my $out, '-|', 'curl', '-q', '-s', '-S', '--noproxy', '*',
            '--max-time', 10 * $t->patience, '-w', '%{http_code}',
            '-o', $t->dir . '/curl.out',
            '--user', "$key{access_key}:$key{secret_key}",
            '--aws-sigv4', 'aws:amz:us-east-1:VinylDNS', @option,
            "http://127.0.0.1:$port$path" or die "curl: $!\n";
        my $status = <$out> // '';
        close $out;

        return $status . ' ' . scalar(() = $u->requests);
    };

    my @json = ('-H', 'Content-Type: application/json');

    is($curl->('/groups'), '200 1', 'list');
    is($curl->('/groups?abridged=true&maxItems=3'), '200 1', 'a query');
    is($curl->("/groups/$UUID", @json), '200 1', 'get');
    is($curl->('/groups', @json, '-d', $BODY), '200 1', 'create');
    is($curl->("/groups/$UUID", @json, '-X', 'PUT', '-d',
            json_encode({id => $UUID, name => 'a', email => 'a@test.com',
                members => [], admins => []})), '200 1', 'update');
    is($curl->("/groups/$UUID", '-X', 'DELETE'), '200 1', 'delete');
    is($curl->('/groups', @json, '-X', 'GET', '-d', 'null'), '200 1',
        'a body of GET');
    is($curl->('/groups', @json, '-H', 'X-Amz-Target: a'), '200 1',
        'one more header');
    is($curl->('/groups', '-H', 'Host: vinyl.example.com:9000'), '200 1',
        'another Host');
    is($curl->('/groups', '--aws-sigv4', 'aws:amz:eu-west-1:Other'), '200 1',
        'another scope');

    is($curl->('/groups', '--user', "$key{access_key}:x"), '401 0',
        'a wrong secret');
    is($curl->('/groups', '--user', "nobody:$key{secret_key}"), '401 0',
        'an unknown key');
};

$t->stop;
done_testing;
