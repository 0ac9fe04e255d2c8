#!/usr/bin/env perl

# Requests that want to be read in two ways. What goes upstream is read here
# by parsers that are not ours and forgive nothing, and says what was meant;
# or nothing goes.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Samples
    qw(create created dialects error_text location vendor_of);
use Test::Gateway::Strict qw(strict_json strict_request);
use XML::LibXML ();

my $t = Test::Gateway->new(variables => [qw(operation outcome)]);

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $uri = $request->{uri};

    return [404, ['Content-Type' => 'text/plain'],
        "no\r\nFAKE: \e[31m line\n"] if $request->{header}{'x-refuse'};
    return [200, [], {groups => [], maxItems => 100,
        ignoreAccess => JSON::PP::false()}]
        if $request->{method} eq 'GET' && $uri =~ m{^/groups(?:\?|\z)};
    return [200, [], {count => 0, items => []}]
        if $request->{method} eq 'GET' && $uri =~ m{^/api/groups(?:\?|\z)};

    return created(vendor_of($uri));
});
my $pass = 'http://' . $u->address;

my $clients = $t->credentials('clients.json',
    {type => 'bearer', token => 'tok', principal => 'me',
        scopes => ['groups:read', 'groups:write']},
    {type => 'sigv4', access_key => 'AK', secret_key => 'SK',
        principal => 'me', scopes => ['groups:read', 'groups:write']});

$t->nginx(
    http => <<"END",
proxy_http_version 1.1;
proxy_set_header Connection "";
client_max_body_size 32m;
large_client_header_buffers 4 256k;

map \$http_x_owner_is \$owner {
    default  \$http_x_owner;
    newline  "a\\r\\nX-Evil: 1";
    request  "a HTTP/1.1\\r\\nHost: b\\r\\n\\r\\nGET /x";
    tab      "a\\tb";
}
END
    server => join('',
        map({ location($_, $_, $pass, base => "/$_") } dialects()),
        location('vinyldns', 'vinyldns', $pass),
        location('signalwire', 'faxfinder', $pass, base => '/owner')
            =~ s/group_default owner alice;/group_default owner \$owner;/r,
        location('vinyldns', 'faxfinder', "$pass/", base => '/below')
            =~ s/group_default owner alice;/group_default owner \$owner;/r,
        location('vinyldns', 'signalwire', $pass, base => '/lossy'),
        location('portsip', 'portsip', $pass, base => '/token',
            more => "group_credentials $clients;"),
        location('vinyldns', 'vinyldns', $pass, base => '/signed',
            more => "group_credentials $clients;"),
    ),
    servers => <<"END",
server {
    listen 127.0.0.1:%%PORT:global%%;
    group_dialect portsip;
    underscores_in_headers on;
    ignore_invalid_headers off;
    location / { proxy_pass $pass; }
}
END
);


## the questions

# What went upstream, at most one call; dies when it is not strictly right.
sub call {
    my ($wait) = @_;

    my @got = $u->requests($wait // 0, 2);
    $u->clear;
    return if !@got;

    die "several calls\n" if @got > 1;
    return strict_request($got[0]{raw});
}

sub no_call {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @got = $u->requests;
    $u->clear;

    return is(scalar(@got), 0, "$name: no call")
        || diag(map { $_->{raw} } @got);
}

sub is_call {
    my ($name, $want) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $got = eval { call(1) } or return fail("$name: call") && diag($@);
    my %part = map { $_ => $got->{$_} } grep { $_ ne 'json' } keys %$want;
    $part{json} = eval { strict_json($got->{body}) } // "no JSON: $@"
        if exists $want->{json};

    return is_deeply(\%part, $want, "$name: call")
        || diag(explain($got));
}

sub refused {
    my ($dialect, $name, $r, $status) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $status //= qr/^4\d\d$/;
    ok(ref $status ? $r->status =~ $status : $r->status == $status,
        "$name: status " . $r->status) || diag($r->raw);
    ok(defined error_text($dialect, $r), "$name: in the dialect")
        || diag($r->raw);

    return no_call($name);
}

sub post {
    my ($dialect, $body, %option) = @_;

    my %call = create($dialect);
    my $base = $option{base} // "/$dialect";

    return $t->request(%call, uri => "$base$call{uri}", body => $body,
        headers => [@{$call{headers}}, @{$option{headers} // []}]);
}

my $path = '/api/relay/rest/number_groups';


subtest 'two lengths, or two ways to tell it' => sub {
    my $body = '{"name":"n"}';
    my $n    = length $body;
    my $evil = "POST /signalwire$path HTTP/1.1\r\nHost: a\r\n"
        . "Content-Type: application/json\r\nContent-Length: 15\r\n\r\n"
        . '{"name":"evil"}';

    my @shapes = (
        ["Content-Length: $n\r\nTransfer-Encoding: chunked", 1],
        ["Transfer-Encoding: chunked\r\nContent-Length: $n", 1],
        ["Content-Length: $n\r\nContent-Length: $n", 1],
        ["Content-Length: $n\r\nContent-Length: 0", 1],
        ["Content-Length: $n, $n", 1],
        ["Content-Length: +$n", 1],
        ["Content-Length: -1", 1],
        ["Content-Length: 0x$n", 1],
        ["Content-Length: $n 5", 1],
        ["Content-Length: 18446744073709551628", 1],
        ["Content-Length: 99999999999999999999", 1],
        ["Content-Length:", 0],
        ["Content-Length : $n", 0],
        [" Content-Length: $n", 0],
        ["X-A: b\r\n Content-Length: $n", 0],
        ["X-A: b\r\n\tTransfer-Encoding: chunked", 0],
        ["Transfer-Encoding : chunked", 0],
        ["Transfer-Encoding: xchunked", 1],
        ["Transfer-Encoding: chunked, chunked", 1],
        ["Transfer-Encoding: chunked, identity", 1],
        ["Transfer-Encoding: identity", 1],
        ["Transfer-Encoding: gzip, chunked", 1],
        ["Transfer-Encoding: \"chunked\"", 1],
        ["Transfer-Encoding:\x0bchunked", 1],
        ["Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 1],
        ["Transfer-Encoding: chunked\r\nTransfer-Encoding: x", 1],
        ["Transfer-Encoding:\r\n chunked", 0],
        ["Transfer_Encoding: chunked", 0],
        ["Transfer-Encoding\r\n: chunked", 0],
        ["\0Content-Length: $n", 0],
        ["Content-Length: $n\0", 0],
        ["X-A: \rContent-Length: $n\r\n", 0],
    );

    # where the dialect is known before the location, and where it is not
    for my $global (0, 1) {
        my $port = $t->port($global ? 'global' : $t->http2 ? 'http1' : undef);
        my $uri  = $global ? '/api/groups' : "/signalwire$path";

        for my $shape (@shapes) {
            my ($headers, $refused) = @$shape;
            my $name = $headers =~ s/[^ -~]/?/gr;

            my $c = $t->client(port => $port, timeout => 2);
            $c->send("POST $uri HTTP/1.1\r\nHost: a\r\n"
                . "Content-Type: application/json\r\n$headers\r\n\r\n"
                . $body . $evil);
            my $r = $c->response;
            like($r->status, qr/^(?:[45]\d\d)$/, "$name: refused")
                if $refused;

            # the second may be read as a request of its own, but then not
            # as a part of the first
            my @got = $u->requests;
            $u->clear;
            for my $got (@got) {
                my $call = eval { strict_request($got->{raw}) };
                ok($call && $call->{body} =~ /^\{"name":"(?:n|evil)"\}$/,
                    "$name: what went is sound") || diag($@, $got->{raw});
            }
            ok(@got == 0, "$name: nothing went") if $refused;
            $c->close;
        }
    }
};

subtest 'request lines and hosts' => sub {
    my $body = '{"name":"n"}';
    my $rest = "Content-Type: application/json\r\nContent-Length: 12\r\n"
        . "Connection: close\r\n\r\n$body";

    for my $line ("post /signalwire$path HTTP/1.1",
        "POST  /signalwire$path HTTP/1.1 x", "POST /signalwire$path HTTP/1.1x",
        "POST /signalwire$path HTTP/2.0", "POST /signalwire$path\tHTTP/1.1",
        "POST\t/signalwire$path HTTP/1.1", "POST signalwire$path HTTP/1.1",
        "POST /signalwire$path\0 HTTP/1.1", "POST ://x$path HTTP/1.1",
        "POST * HTTP/1.1")
    {
        my $r = $t->raw("$line\r\nHost: a\r\n$rest", timeout => 2);
        like($r->status, qr/^(?:[45]\d\d)$/, $line =~ s/[^ -~]/?/gr)
            || diag($r->raw);
        no_call('refused');
    }

    for my $hosts ('', "Host: a\r\nHost: b\r\n", "Host: a b\r\n",
        "Host: a/b\r\n", "Host: a\0b\r\n", "Host: ..\r\n")
    {
        my $r = $t->raw("POST /signalwire$path HTTP/1.1\r\n$hosts$rest",
            timeout => 2);
        is($r->status, 400, $hosts =~ s/[^ -~]/?/gr);
        no_call('refused');
    }

    # whose host this is, is the client's to say, but not where it goes
    for my $line ("POST http://evil.test/signalwire$path HTTP/1.1\r\nHost: a",
        "POST /signalwire$path HTTP/1.1\r\nHost: evil.test:1",
        "POST /signalwire$path HTTP/1.1\nHost: a",
        "POST /signalwire$path HTTP/1.1\r\nHost: a\nX-B: c")
    {
        my $r = $t->raw("$line\r\n$rest");
        is($r->status, 200, $line =~ s/[^ -~]/?/gr);
        is_call($line =~ s/[^ -~]/?/gr, {
            method   => 'POST',
            segments => [split m{/}, substr $path, 1],
            query    => {},
            json     => {name => 'sn'},
        });
    }
};

subtest 'media types' => sub {
    my $body = '{"name":"n"}';
    my $send = sub {
        my $headers = join '', map { "Content-Type: $_\r\n" } @_;
        return $t->raw("POST /signalwire$path HTTP/1.1\r\nHost: a\r\n"
            . "Connection: close\r\n$headers"
            . "Content-Length: 12\r\n\r\n$body");
    };

    for my $type ('application/json', 'APPLICATION/JSON',
        'application/json;charset=utf-8', "application/json ;\tx=\"a;b\"")
    {
        is($send->($type)->status, 200, $type);
        my $got = call(1);
        is($got->{headers}{'content-type'}, 'application/json', 'as it is');
    }

    for my $type ('text/plain', 'application/xml', 'application/jsonx',
        'application/x-www-form-urlencoded', 'text/json, application/json',
        'multipart/form-data; boundary=a', 'application', 'json', '/')
    {
        refused('signalwire', $type, $send->($type), 415);
    }

    # one that would be right, and one that would not
    for my $types (['application/json', 'application/xml'],
        ['application/xml', 'application/json'],
        ['application/json', 'application/json'])
    {
        my $r = $send->(@$types);
        if ($r->status == 200) {
            is_call("@$types", {json => {name => 'sn'}});
        } else {
            refused('signalwire', "@$types", $r, qr/^4(?:00|15)$/);
        }
    }
};

subtest 'an encoded body is not read as if it were plain' => sub {
    require Compress::Zlib;

    for my $dialect (dialects()) {
        my %call = create($dialect);
        my $gzip = Compress::Zlib::memGzip($call{body});

        for my $case (
            [$gzip,       'gzip'],     [$call{body}, 'gzip'],
            [$call{body}, 'GZIP'],     [$call{body}, 'x-gzip'],
            [$call{body}, 'deflate'],  [$call{body}, 'br'],
            [$call{body}, 'identity, gzip'],
            [$call{body}, 'gzip, identity'],
        ) {
            my ($body, $encoding) = @$case;
            refused($dialect, "$dialect $encoding", post($dialect, $body,
                headers => ['Content-Encoding' => $encoding]), 415);
        }

        refused($dialect, "$dialect: twice", post($dialect, $call{body},
            headers => ['Content-Encoding' => 'identity',
                'Content-Encoding' => 'gzip']), 415);

        my $r = post($dialect, $call{body},
            headers => ['Content-Encoding' => 'identity']);
        is($r->status, created($dialect)->[0], "$dialect: identity")
            || diag($r->raw);
        my $got = call(1);
        is($got->{headers}{'content-encoding'}, undef, 'is not passed on');
    }
};

subtest 'headers that are not for the upstream' => sub {
    my @dropped = (
        # who the client is
        Authorization => 'Bearer tok', Cookie => 'session=secret',
        Cookie2 => 'secret',
        'Proxy-Authorization' => 'Basic c2VjcmV0',
        'X-Amz-Date' => '20200101T000000Z', 'X-Amz-Security-Token' => 's',
        'X-Amz-Content-Sha256' => 'secret', 'X-Amz-Target' => 'secret',
        # what it would rather do
        'X-HTTP-Method-Override' => 'DELETE', 'X-HTTP-Method' => 'DELETE',
        'X-Method-Override' => 'DELETE',
        'X-Original-URL' => '/secret', 'X-Rewrite-URL' => '/secret',
        # its connection
        'Keep-Alive' => 'timeout=5', 'Proxy-Connection' => 'keep-alive',
        TE => 'trailers', Trailer => 'X-A', Upgrade => 'websocket',
        'X-Hop' => 'by', Connection => 'close, X-Hop, Host, Content-Type',
        # its body
        'Content-MD5' => 'x', Digest => 'sha-256=x',
        'Repr-Digest' => 'sha-256=:x:', 'Content-Digest' => 'sha-256=:x:',
        'Content-Language' => 'de', 'Content-Location' => '/x',
        # which representation
        Accept => 'text/html', 'Accept-Encoding' => 'gzip, br',
        'Accept-Charset' => 'latin1', Range => 'bytes=0-1',
        'If-Range' => '"a"', 'If-None-Match' => '*',
        'If-Modified-Since' => 'Tue, 15 Nov 1994 12:45:26 GMT',
    );
    my @kept = ('User-Agent' => 'me/1', 'X-Request-Id' => 'abc',
        'X-Forwarded-For' => '1.2.3.4', Traceparent => '00-1-2-00',
        'Accept-Language' => 'de');

    # the same for a vendor's server that takes both for one
    my @under;
    for (my $i = 0; $i < @dropped; $i += 2) {
        my ($name, $value) = @dropped[$i, $i + 1];
        push @under, $name =~ s/-/_/gr, $value
            if $name =~ /-/ && $name ne 'X-Hop';
    }

    # in HTTP/2 a connection has no headers
    my $h1 = $t->port($t->http2 ? 'http1' : undef);

    for my $case (
        ['/token/api/groups',   $h1,                [@dropped, @kept]],
        ['/api/groups',         $t->port('global'), [@dropped, @kept]],
        ['/api/groups',         $t->port('global'), [@under, @kept]],
    ) {
        my ($uri, $port, $headers) = @$case;

        for my $method (qw(GET POST)) {
            my $r = $t->request(method => $method, uri => $uri,
                port    => $port, http1 => 1,
                headers => ['Content-Type' => 'application/json', @$headers],
                ($method eq 'POST' ? (body => '{"name":"n"}') : ()));
            is($r->status, $method eq 'POST' ? 201 : 200, "$method $uri")
                || diag($r->raw);

            my ($raw) = map { $_->{raw} } $u->requests(1);
            my $got = eval { call(1) } or fail('call'), diag($@, $raw), next;

            my %want = map { lc $_ => 1 } 'Host', 'Accept', 'X-Request-Id',
                'User-Agent', 'X-Forwarded-For', 'Traceparent',
                'Accept-Language',
                $method eq 'POST' ? ('Content-Type', 'Content-Length') : ();
            is_deeply([sort keys %{$got->{headers}}], [sort keys %want],
                'no more than these');
            is($got->{headers}{host}, $u->address, 'Host');
            is($got->{headers}{accept}, 'application/json', 'Accept');
            is($got->{headers}{'user-agent'}, 'me/1', 'User-Agent');
            unlike($raw, qr/secret|\btok\b/, 'no secret');
        }
    }

    # what the client's Connection header says of another header
    my $r = $t->raw("GET /portsip/api/groups HTTP/1.1\r\nHost: a\r\n"
        . "Connection: close\r\nConnection: x-one ,X-Two\r\n"
        . "X-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n\r\n");
    is($r->status, 200, 'Connection');
    my $got = call(1);
    is_deeply([map { $got->{headers}{"x-$_"} } qw(one two three)],
        [undef, undef, 3], 'names what goes no further');

    # many names, of which some are of headers
    my $names = join ',', map { ("y-$_", 'x-' . 'y' x ($_ % 40)) } 1 .. 500;
    $r = $t->raw("GET /portsip/api/groups HTTP/1.1\r\nHost: a\r\n"
        . "Connection: $names,X-TWO,a,$names\r\nConnection: close,x-ONE\r\n"
        . "X-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\ny-500: 4\r\ny-501: 5\r\n"
        . "A: 6\r\nB: 7\r\n\r\n");
    is($r->status, 200, 'many names');
    $got = call(1);
    is_deeply([map { $got->{headers}{$_} } qw(x-one x-two x-three y-500 y-501
            a b)], [undef, undef, 3, undef, 5, undef, 7],
        'and no other header');
};

subtest 'credentials' => sub {
    my $secret = encode_base64('user:secret', '');

    # the right one beside another
    for my $headers (
        ['Authorization' => 'Bearer tok', 'Authorization' => "Basic $secret"],
        ['Authorization' => "Basic $secret", 'Authorization' => 'Bearer tok'],
    ) {
        my $r = $t->get('/token/api/groups', headers => $headers);
        my ($raw) = map { $_->{raw} } $u->requests;
        unlike($raw // '', qr/Authorization|tok|\Q$secret/, 'goes nowhere');
        like($r->status, qr/^(?:200|40[01])$/, 'or is refused');
        $u->clear;
    }

    my $r = $t->request(create('vinyldns'), uri => '/signed/groups',
        sigv4 => {access_key => 'AK', secret_key => 'SK'});
    is($r->status, 200, 'signed');
    my ($raw) = map { $_->{raw} } $u->requests(1);
    unlike($raw, qr/Authorization|X-Amz|\bAK\b/i, 'the signature stays here');
    $u->clear;
};

subtest 'conditions are not for what is done already' => sub {
    for my $headers (
        ['If-Match' => '"x"'], ['If-Match' => '*'],
        ['If-None-Match' => '*'], ['If-None-Match' => '"x"'],
        ['If-Modified-Since' => 'Tue, 15 Nov 2044 12:45:26 GMT'],
        ['If-Unmodified-Since' => 'Tue, 15 Nov 1994 12:45:26 GMT'],
        ['Range' => 'bytes=0-0'], ['Range' => 'bytes=90000-'],
        ['If-Range' => '"x"', 'Range' => 'bytes=0-1'],
    ) {
        for my $method (qw(GET POST)) {
            my $r = $t->request(method => $method, uri => '/portsip/api/groups',
                headers => ['Content-Type' => 'application/json', @$headers],
                ($method eq 'POST' ? (body => '{"name":"n"}') : ()));
            is($r->status, $method eq 'POST' ? 201 : 200,
                "$method @$headers") || diag($r->raw);
            is($r->header('Content-Length'), length $r->body, 'as a whole');
            is($r->header('Content-Range'), undef, 'all of it');
            my $got = eval { call(1) };
            is($got && $got->{method}, $method, 'done');
        }
    }
};

subtest 'identifiers in a path' => sub {
    # as it is sent, and what it is
    my @ids = (
        ['abc',             'abc'],
        ['a%2Fb',           'a/b'],
        ['a%2fb',           'a/b'],
        ['%61',             'a'],
        ['a%20b',           'a b'],
        ['a+b',             'a+b'],
        ['a%2Bb',           'a+b'],
        ['a%25b',           'a%b'],
        ['a%252Fb',         'a%2Fb'],
        ['a%2525',          'a%25'],
        ['a%3Fb%3Dc',       'a?b=c'],
        ['a%23b',           'a#b'],
        ['a;b=c',           'a;b=c'],
        ['a=b&c',           'a=b&c'],
        ['a%22%3C%3E%5C',   'a"<>\\'],
        ['%C3%A9%E2%82%AC', "\xe9\x{20ac}"],
        ['%F0%9F%98%80',    "\x{1f600}"],
        ['...',             '...'],
        ['.a',              '.a'],
        ['~',               '~'],
        ['a%2F%2Fb',        'a//b'],
        ['x/../y',          'y'],
        ['./y',             'y'],
        ['%2e/y',           'y'],
        ['/y',              'y'],
        ['y#fragment',      'y'],
    );

    for my $id (@ids) {
        my ($sent, $is) = @$id;
        my $r = $t->get("/groups/$sent");

        if ($r->status == 200) {
            is_call($sent, {method => 'GET', segments => ['groups', $is],
                query => {}});
        } else {
            refused('vinyldns', $sent, $r, 404);
        }
        is($r->status, 200, "$sent: is an identifier")
            if $is =~ m{^[\w .%+=;&?#"<>\\/~-]*\z} && $is !~ m{//};
    }

    # what cannot be one, here or there
    for my $sent ('%00', 'a%00', 'a%0d%0aX:%20y', 'a%0Ab', '%1b', '%7f',
        '%ff', '%C3', '%ED%A0%80', '%c0%af', '%2e%2e%2fa', '..%2Fa',
        'a%2F..', 'a%2f..%2fb', 'a%2F.', '.%2Fa', '%2F..%2Fa', 'a%2F%2e%2e',
        'a%5C..%5Cb', '%zz', '%', 'a%2', 'a/b', 'a/', '')
    {
        my $r = $t->get("/groups/$sent");
        next if $sent eq '' && $r->status == 200 && call();
        like($r->status, qr/^40[04]$/, "$sent: refused") || diag($r->raw);
        no_call($sent);
    }

    # the same by an id that is made of another, and one that is base64
    for my $bytes ("a\r\nb", '../x', "a\0", '..', "\xff") {
        my $id = encode_base64($bytes, '') =~ s{/}{%2F}gr =~ s{\+}{%2B}gr;
        my $r = $t->get("/portsip/api/groups/$id");
        my $got = eval { call() };
        is($@, '', 'base64 of ' . ($bytes =~ s/[^ -~]/?/gr));
        is_deeply($got->{segments}, ['api', 'groups',
            encode_base64($bytes, '')], 'as it is') if $got;
    }
};

subtest 'names that are a part of a path' => sub {
    for my $case (
        ['alice',       'alice'],  ['a b',  'a b'],   ['a?b', 'a?b'],
        ['a#b',         'a#b'],    ['a%2Fb', 'a%2Fb'], ['a%0d%0ab', 'a%0d%0ab'],
        ['a;b',         'a;b'],    ["\xc3\xa9", "\xe9"], ['a/b', 'a/b'],
        ['global_contact_list', 'global_contact_list'],
    ) {
        my ($owner, $is) = @$case;

        for my $dialect (qw(signalwire vinyldns)) {
            my $base = $dialect eq 'signalwire' ? '/owner' : '/below';
            my $r = $t->request(create($dialect, headers =>
                ['X-Owner' => $owner]), uri => $base
                    . {create($dialect)}->{uri});

            if ($r->status == 200) {
                is_call("$base $owner", {method => 'POST', query => {},
                    segments => ['ffws', 'v1', 'contact_groups', $is]});
            } else {
                refused($dialect, "$base $owner", $r);
            }
            is($r->status, 200, 'is a name') if $owner =~ /^\w+$/;
        }
    }

    for my $owner ('.', '..', '../x', 'a/../b', "\xff", 'x/..') {
        refused('signalwire', "owner $owner", $t->request(
            create('signalwire', headers => ['X-Owner' => $owner]),
            uri => "/owner$path"));
    }

    for my $owner (qw(newline request tab)) {
        refused('signalwire', "owner with a $owner", $t->request(
            create('signalwire', headers => ['X-Owner-Is' => $owner]),
            uri => "/owner$path"));
    }
};

subtest 'names that might be a part of a header or of the log' => sub {
    $t->mark;

    # a lost field is told by our name, not by the client's
    my $r = post('vinyldns', json_encode({
        name => "n\r\nX-Evil: 1", email => 'a@test.com',
        description => "x\r\nFAKE: y", members => [], admins => [],
        "x\r\nX-Evil: 1" => 1,
    }), base => '/lossy');
    is($r->status, 200, 'lost') || diag($r->raw);
    like($r->header('Group-Lost'), qr/^[a-z_]+(?:, [a-z_]+)*$/,
        'Group-Lost is a list of names');
    unlike(join("\n", map { "@$_" } @{$r->headers}), qr/Evil|FAKE/,
        'nothing else');
    $u->clear;

    # in four dialects, an upstream's text with lines of its own
    for my $dialect (dialects()) {
        $r = post($dialect, {create($dialect)}->{body},
            headers => ['X-Refuse' => 1]);
        is($r->status, 404, "$dialect: refused");
        ok(defined error_text($dialect, $r), 'in the dialect')
            || diag($r->raw);
        unlike(join("\n", map { "@$_" } @{$r->headers}), qr/FAKE/,
            'not in the header');
        $u->clear;
    }

    # and what a client writes
    post('signalwire', json_encode({name => "a\nFAKE", sticky_sender => 1}));
    post('signalwire', "{\n\"name\":\nFAKE");
    post('faxfinder', "<contact_group>\nFAKE\n<name/></contact_group>");
    $t->get('/groups?maxItems=%0AFAKE');
    $t->get('/groups/a%0AFAKE');

    $t->unlike_log(qr/^FAKE/, 'no line of the log begins with it');
    my @wrong = grep { $_ !~ m{^\d{4}/\d\d/\d\d } } split /\n/, $t->log;
    is_deeply(\@wrong, [], 'each line of the log is nginx\'s');
    $u->clear;
};

subtest 'queries' => sub {
    for my $case (
        ['',                        {}],
        ['maxItems=5',              {maxItems => 5}],
        ['max%49tems=%35',          {maxItems => 5}],
        ['&&maxItems=5&',           {maxItems => 5}],
        ['groupNameFilter=a%26b%3Dc', {groupNameFilter => 'a&b=c'}],
        ['groupNameFilter=a+b',     {groupNameFilter => 'a b'}],
        ['groupNameFilter=a%2Bb',   {groupNameFilter => 'a+b'}],
        ['groupNameFilter=a%25b',   {groupNameFilter => 'a%b'}],
        ['groupNameFilter=%C3%A9',  {groupNameFilter => "\xe9"}],
        ['groupNameFilter=a%0d%0ab', {groupNameFilter => "a\r\nb"}],
        ['groupNameFilter=a?b/c',   {groupNameFilter => 'a?b/c'}],
        ['startFrom=abc-1_2',       {startFrom => 'abc-1_2'}],
    ) {
        my ($query, $is) = @$case;
        my $r = $t->get("/groups?$query");

        if ($r->status == 200) {
            is_call($query, {method => 'GET', segments => ['groups'],
                query => $is});
        } else {
            refused('vinyldns', $query, $r, 400);
        }
        is($r->status, 200, "$query: is a query") if $query !~ /%0d/;
    }

    for my $query ('maxItems=5&maxItems=6', 'maxItems=5&max%49tems=5',
        'maxItems=0', 'maxItems=x', 'maxItems=5%00', 'maxItems=5%',
        'maxItems=%zz', 'groupNameFilter=%ff', 'groupNameFilter=%ED%A0%80',
        'startFrom=a%27%20OR%20%271', 'startFrom=a%2Fb',
        'maxItems=99999999999999999999', 'maxItems=-1', 'maxItems=1e2',
        'ignoreAccess=perhaps')
    {
        refused('vinyldns', $query, $t->get("/groups?$query"), 400);
    }

    # many are not slow
    my $start = time;
    for my $query (
        join('&', map { "a$_=$_" } 1 .. 10_000),
        join('&', ('a=1') x 10_000),
        join('&', ('maxItems=1') x 10_000),
        '&' x 100_000,
        'groupNameFilter=' . '%41' x 30_000,
    ) {
        my $r = $t->get("/groups?$query");
        like($r->status, qr/^(?:200|400|414)$/, substr $query, 0, 20);
        my $got = eval { call() };
        is($@, '', 'sound');
    }
    cmp_ok(time - $start, '<', 2 * $t->patience, 'in time');
};

subtest 'JSON that is none, or says two things' => sub {
    for my $body (
        '{"name":"a","name":"b"}', '{"name":"a","na\u006de":"b"}',
        '{"name":"a","x":{"b":1,"b":2}}', '{"name":"a","x":[{"b":1,"b":2}]}',
        '{"name":"a","sticky_sender":true,"sticky_sender":false}',
        '{"name":"a"}{}', '{"name":"a"}x', '{"name":"a"} {"name":"b"}',
        '{"name":"a",}', '{"name":"a" "b":1}', '{name:"a"}', "{'name':'a'}",
        '{"name":"a","b":}', '{"name":"a","b":01}', '{"name":"a","b":1.}',
        '{"name":"a","b":.5}', '{"name":"a","b":+1}', '{"name":"a","b":0x1}',
        '{"name":"a","b":NaN}', '{"name":"a","b":-Infinity}',
        '{"name":"a","b":1e}', '{"name":"a","b":tru}', '{"name":"a","b":[1,]}',
        '{"name":"a"/* b */}', "{\"name\":\"a\"}\n// b", '#{"name":"a"}',
        "\xef\xbb\xbf{\"name\":\"a\"}", "{\"name\":\"a\xff\"}",
        "{\"name\":\"\xc0\xaf\"}", "{\"name\":\"\xed\xa0\x80\"}",
        "{\"name\":\"a\nb\"}", "{\"name\":\"a\0b\"}", '{"name":"a\u0000"}',
        '{"name":"\ud800"}', '{"name":"\udc00\ud800"}', '{"name":"\ud800x"}',
        '{"name":"a\x"}', '{"name":"a\u12"}', '{"name":"a', '{"name":"a"',
        '{', '', ' ', 'null', '[]', '"name"', '7', '[{"name":"a"}]',
        "\x0b{\"name\":\"a\"}", "{\"name\":\"a\"}\0",
        "\xff\xfe" . join('', map { "$_\0" } split //, '{"name":"a"}'),
        join('', map { "\0$_" } split //, '{"name":"a"}'),
    ) {
        refused('signalwire', substr($body =~ s/[^ -~]/?/gr, 0, 40),
            post('signalwire', $body), 400);
    }

    # a type that is another
    for my $body ('{"name":null}', '{"name":7}', '{"name":["a"]}',
        '{"name":{"a":"b"}}', '{"name":true}', '{"name":""}',
        '{"name":"a","sticky_sender":"true"}', '{}', '{"Name":"a"}',
        '{"name":"a","sticky_sender":1}', '{"name":" "}')
    {
        refused('signalwire', $body, post('signalwire', $body), 422);
    }
};

subtest 'JSON that is kept as it is' => sub {
    for my $case (
        ['9007199254740993'], ['12345678901234567890123456789'], ['-0'],
        ['0.10'], ['1E400'], ['1e-400'], ['1.0000000000000000000000001'],
        ['"\ud83d\ude00"'], ['"a\/b"'], ['"\u2028<\/script>"'],
        ['""'], ['[]'], ['{}'],
        ['[[],{},null,true,false]'],
        ['{"":1," ":2,"\u0001":3,"\u007f":4}'],
        ['[ 1 , { "a" : [ ] } ]'],
        ['"\u0008\u000c\u000a\u000d\u0009\"\\\\"'],
    ) {
        my ($value) = @$case;
        my $body = "{\"name\":\"n\",\"more\":$value}";

        my $r = post('signalwire', $body);
        is($r->status, 200, "value $value") || diag($r->raw);

        # blanks between the parts are nobody's
        my $more = $value =~ /^\[ / ? $value =~ s/ //gr : $value;
        is_call("value $value",
            {json => {name => 'sn', more => strict_json($more)}});
    }
};

subtest 'JSON that is too much' => sub {
    my $start = time;
    my $id    = '{"id":"m"}';

    for my $body (
        '{"name":"a","b":' . '[' x 40 . ']' x 40 . '}',
        '{"name":"a","b":' . '{"c":' x 40 . '1' . '}' x 40 . '}',
        '[' x 100_000, '{"a":' x 100_000,
        '[' x 100_000 . ']' x 100_000,
        '{"name":"a","b":[' . join(',', (1) x 100_000) . ']}',
        '{' . join(',', map { "\"k$_\":1" } 1 .. 100_000) . '}',
    ) {
        refused('signalwire', substr($body, 0, 20),
            post('signalwire', $body));
    }

    refused('vinyldns', 'members', post('vinyldns',
        '{"name":"a","email":"a@test.com","admins":[],"members":['
            . join(',', ($id) x 100_000) . ']}'));

    # as much as there may be
    my $r = post('vinyldns', '{"name":"a","email":"a@test.com","admins":[],'
        . '"members":[' . join(',', ($id) x 10_000) . ']}');
    is($r->status, 200, 'ten thousand members') || diag($r->raw);
    my $got = call(1);
    is(scalar(@{strict_json($got->{body})->{members}}), 10_000, 'all sent');

    cmp_ok(time - $start, '<', 8 * $t->patience, 'in time');
};

my $declaration = '<?xml version="1.0"?>';

sub group_xml {
    my ($name) = @_;
    return "<contact_group><name>$name</name></contact_group>";
}

# The name in the XML that went upstream.
sub xml_name {
    my ($body) = @_;

    utf8::downgrade($body);
    my $xml = XML::LibXML->new(no_network => 1, load_ext_dtd => 0,
        expand_entities => 0)->load_xml(string => $body);
    die "document type\n" if $xml->internalSubset;
    die "encoding\n" if ($xml->encoding // 'UTF-8') ne 'UTF-8';
    my @names = $xml->findnodes('/contact_group/name');
    die "names\n" if @names != 1;

    return $names[0]->textContent;
}

subtest 'XML that is none, or more than that' => sub {
    my $laughs = '<!DOCTYPE a [<!ENTITY a0 "ha">'
        . join('', map { "<!ENTITY a$_ \"" . ('&a' . ($_ - 1) . ';') x 10
            . '">' } 1 .. 9) . ']>';

    for my $body (
        "<!DOCTYPE contact_group>" . group_xml('a'),
        '<!DOCTYPE a [<!ENTITY e "b">]>' . group_xml('&e;'),
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
            . group_xml('&e;'),
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">' . group_xml('a'),
        '<!DOCTYPE a [<!ENTITY % e SYSTEM "file:///etc/passwd">%e;]>'
            . group_xml('a'),
        $laughs . group_xml('&a9;'),
        group_xml('&e;'), group_xml('&#0;'), group_xml('&#x1f;'),
        group_xml('&#xD800;'), group_xml('&#xFFFF;'), group_xml("\x01"),
        group_xml("a\0b"), group_xml("\xff"), group_xml('a & b'),
        group_xml('<'), group_xml(']]>'), group_xml('a<b>c</b>'),
        '<contact_group><name>a</name><name>b</name></contact_group>',
        '<contact_group xmlns="urn:x"><name>a</name></contact_group>',
        '<contact_group><name xml:lang="de">a</name></contact_group>',
        '<contact_group id="1"><name>a</name></contact_group>',
        '<contact_group>text<name>a</name></contact_group>',
        group_xml('a') . group_xml('b'), group_xml('a') . 'x',
        '<other><name>a</name></other>', '<name>a</name>', '<contact_group/>',
        '<contact_group><Name>a</Name></contact_group>',
        '<contact_group><name></name></contact_group>',
        '<contact_group><name>a</contact_group>', '<contact_group>',
        '', ' ', '{"name":"a"}', 'a', '<',
        '<?xml version="1.0" encoding="utf-7"?>' . group_xml('a'),
        '<?xml version="1.0" encoding="koi8-r"?>' . group_xml('a'),
        '<?xml version="1.0" encoding="ebcdic-cp-us"?>' . group_xml('a'),
        '<?xml version="1.0" encoding="utf-8"?>' . group_xml("caf\xe9"),
        '<?xml version="1.0" encoding="us-ascii"?>' . group_xml("\xc3\xa9"),
        ' <?xml version="1.0"?>' . group_xml('a'),
        $declaration . $declaration . group_xml('a'),
        '<a>' x 100_000, '<a>' x 1000 . '</a>' x 1000,
        '<contact_group><name>a</name>'
            . '<contact>http://a/ffws/v1/contacts/alice/1</contact>' x 100_000
            . '</contact_group>',
        "<contact_group><name>a</name><!-- a -- b --></contact_group>",
    ) {
        refused('faxfinder', substr($body =~ s/[^ -~]/?/gr, 0, 60),
            post('faxfinder', $body), 400);
    }
};

subtest 'XML that says the same in another way' => sub {
    my $utf16 = sub {
        my ($text, $template, $mark) = @_;
        return join '', map { pack $template, ord } split //,
            ($mark ? "\x{feff}" : '') . $text;
    };
    my $euro = "\xe9\x{20ac}";
    my $utf8 = $euro;
    utf8::encode($utf8);

    for my $case (
        [group_xml('a'),                          'a'],
        [$declaration . "\n" . group_xml('a') . "\n\n", 'a'],
        ["\xef\xbb\xbf" . group_xml($utf8),       $euro],
        [group_xml('a<!-- b -->c'),               'ac'],
        [group_xml('a<?b c?>d'),                  'ad'],
        [group_xml('<![CDATA[<x>&amp;]]>'),       '<x>&amp;'],
        [group_xml('a<![CDATA[b]]>c'),            'abc'],
        [group_xml('&lt;x&gt;&amp;&quot;&apos;'), '<x>&"\''],
        [group_xml('&#233;&#x20AC;'),             $euro],
        [group_xml(']]&gt;'),                     ']]>'],
        ['<?xml version="1.0" encoding="ISO-8859-1"?>'
            . group_xml("caf\xe9"),               "caf\xe9"],
        [$utf16->('<?xml version="1.0" encoding="UTF-16"?>'
            . group_xml($euro), 'n', 1),          $euro],
        [$utf16->('<?xml version="1.0" encoding="UTF-16"?>'
            . group_xml($euro), 'v', 1),          $euro],
        ["<?x y?>" . group_xml('a'),              'a'],
    ) {
        my ($body, $name) = @$case;
        my $what = substr $body =~ s/[^ -~]/?/gr, 0, 60;

        my $r = post('faxfinder', $body);
        is($r->status, 200, $what) || diag($r->raw);

        my $got = eval { call(1) } or fail($what), diag($@), next;
        is(eval { xml_name($got->{body}) } // $@, $name, "$what: name");
        is($got->{headers}{'content-type'}, 'application/xml', 'type');
    }

    # line ends are a parser's to make one
    my $r = post('faxfinder', group_xml("a\r\nb&#13;&#10;c"));
    if ($r->status == 200) {
        is(xml_name(call(1)->{body}), "a\nb\r\nc", 'line ends');
    } else {
        refused('faxfinder', 'line ends', $r, 400);
    }
};

subtest 'what comes after all that' => sub {
    for my $dialect (dialects()) {
        my $r = post($dialect, {create($dialect)}->{body});
        is($r->status, created($dialect)->[0], $dialect);
        ok(eval { call(1) }, 'sound') || diag($@);
    }
};

$t->stop;
done_testing;
