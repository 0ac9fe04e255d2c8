#!/usr/bin/env perl

# However a request's body comes, the upstream gets the same one; and a body
# that does not come, or not whole, makes no call.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::HTTP2 qw(exchange);
use Test::Gateway::Message qw(json_decode json_encode);
use Test::Gateway::Samples qw(create created dialects error_text location
    media_type vendor_of);
use Test::Gateway::SigV4 qw(sign);

my $t    = Test::Gateway->new(variables => [qw(operation outcome)]);
my $slow = $t->patience;

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $uri = $request->{uri};

    my $name = vendor_of($uri);
    my $answer = created($name);

    $answer = {status => $answer->[0], headers => $answer->[1],
        body => $answer->[2], delay => 0.3}
        if ($request->{header}{'x-slow'} // '');
    return $answer;
});
my $pass = 'http://' . $u->address;

my $created = created('signalwire');
my $bulk = $t->raw_upstream(['request', [send => "HTTP/1.1 200 OK\r\n"
    . "Content-Type: application/json\r\nConnection: close\r\n\r\n"
    . $created->[2]]]);

# how nginx keeps a body
my %setting = (
    memory    => '',
    tiny      => 'client_body_buffer_size 1;',
    small     => 'client_body_buffer_size 64;',
    file      => 'client_body_in_file_only on;',
    clean     => 'client_body_in_file_only clean; client_body_buffer_size 1;',
    single    => 'client_body_in_single_buffer on;',
    unbuffered => 'proxy_request_buffering off;',
    header    => 'client_header_buffer_size 64; '
        . 'large_client_header_buffers 8 1k;',
);

my $clients = $t->credentials('clients.json',
    {type => 'sigv4', access_key => 'AK', secret_key => 'SK',
        principal => 'me', scopes => ['groups:read', 'groups:write']});
my $tokens = $t->credentials('tokens.json',
    {type => 'bearer', token => 'tok', principal => 'me',
        scopes => ['groups:read', 'groups:write']});

my $locations = join '',
    location('signalwire', 'signalwire', $pass),
    location('signalwire', 'signalwire', 'http://' . $bulk->address,
        base => '/bulk'),
    location('signalwire', 'faxfinder', $pass, base => '/named'),
    location('faxfinder', 'portsip', $pass, base => '/urls'),
    location('vinyldns', 'vinyldns', $pass, base => '/signed',
        more => "group_credentials $clients;"),
    location('vinyldns', 'faxfinder', $pass, base => '/fax'),
    location('portsip', 'portsip', $pass, base => '/token',
        more => "group_credentials $tokens;"),
    (map { location($_, $_, $pass, base => "/$_") } dialects()),
    (map { location($_, $_, $pass, base => "/limit$_",
        more => 'client_max_body_size 100; client_body_timeout '
            . 300 * $slow . 'ms;') } dialects());

my $common = <<"END";
proxy_http_version 1.1;
proxy_set_header Connection "";
client_max_body_size 8m;
END

my $servers = join '', map { <<"END" } sort keys %setting;
server {
    listen 127.0.0.1:%%PORT:$_%%;
    $setting{$_}
    $locations
}
server {
    listen 127.0.0.1:%%PORT:h2$_%% http2;
    $setting{$_}
    $locations
}
END

$t->nginx(http => $common, server => $locations, servers => $servers);


my $path = '/api/relay/rest/number_groups';

# escapes, more than one byte a character, numbers no double has, and what the
# dialect does not know
my $body = '{"name":"caf\u00e9 \ud83d\ude00 ' . "\xc3\xa9\xe2\x82\xac" . '",'
    . '"big":9007199254740993.10,"n":[1e400,-0,0.1,12345678901234567890],'
    . '"more":{"a":[true,false,null,"\"\\\\\/"]}}';
my $length = length $body;

sub head {
    my ($uri, @headers) = @_;
    return "POST $uri HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/json\r\n"
        . join('', map { "$_\r\n" } @headers) . "\r\n";
}

sub chunks {
    my ($bytes, $size) = @_;
    my $chunks = '';
    for (my $at = 0; $at < length $bytes; $at += $size) {
        my $chunk = substr $bytes, $at, $size;
        $chunks .= sprintf "%x\r\n%s\r\n", length $chunk, $chunk;
    }
    return $chunks . "0\r\n\r\n";
}

# name => sub (client, uri, headers, body): sends it
my %way = (
    whole => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Content-Length: ' . length $b) . $b);
    },
    rest => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Content-Length: ' . length $b));
        sleep 0.01;
        $c->send($b);
    },
    # what came with the head is one buffer, the rest is another
    halves => sub {
        my ($c, $uri, $h, $b) = @_;
        my $half = int(length($b) / 2);
        $c->send(head($uri, @$h, 'Content-Length: ' . length $b)
            . substr $b, 0, $half);
        sleep 0.01;
        $c->send(substr $b, $half);
    },
    bytes => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Content-Length: ' . length $b));
        $c->drip($b, 1, 0.0002);
    },
    all_bytes => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->drip(head($uri, @$h, 'Content-Length: ' . length $b) . $b, 1,
            0.0001);
    },
    chunk => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Transfer-Encoding: chunked')
            . chunks($b, length $b));
    },
    chunk_bytes => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Transfer-Encoding: chunked')
            . chunks($b, 1));
    },
    chunk_drip => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Transfer-Encoding: chunked'));
        $c->drip(chunks($b, 7), 1, 0.0002);
    },
    chunk_extra => sub {
        my ($c, $uri, $h, $b) = @_;
        my $chunks = chunks($b, 20);
        $chunks =~ s/^(\w+)(?=\r\n)/0$1;name="value"/;
        $chunks =~ s/0\r\n\r\n\z/0\r\nX-Trailer: a\r\nName: b\r\n\r\n/;
        $c->send(head($uri, @$h, 'Transfer-Encoding: chunked') . $chunks);
    },
    expect => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Expect: 100-continue',
            'Content-Length: ' . length $b));
        like($c->peek_interim, qr{^HTTP/1\.1 100 }, 'told to continue');
        $c->send($b);
    },
    expect_chunks => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Expect: 100-continue',
            'Transfer-Encoding: chunked'));
        like($c->peek_interim, qr{^HTTP/1\.1 100 }, 'told to continue');
        $c->send(chunks($b, 30));
    },
    expect_not_waited => sub {
        my ($c, $uri, $h, $b) = @_;
        $c->send(head($uri, @$h, 'Expect: 100-continue',
            'Content-Length: ' . length $b) . $b);
    },
    http10 => sub {
        my ($c, $uri, $h, $b) = @_;
        my $head = head($uri, @$h, 'Connection: keep-alive',
            'Content-Length: ' . length $b);
        $c->send($head =~ s{HTTP/1\.1}{HTTP/1.0}r . $b);
    },
);

# Waits for an interim response and leaves it to be read.
sub Test::Gateway::Client::peek_interim {
    my ($self) = @_;
    my $deadline = time + $self->{timeout};
    while ($self->{buffer} !~ /\r\n\r\n/) {
        $self->_fill($deadline) or last;
    }
    return $self->{buffer};
}

sub one_call {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @got = $u->requests(1, 2 * $slow);
    is(scalar(@got), 1, "$name: one call");
    $u->clear;

    return $got[0] // {body => '', raw_head => '', header => {}};
}

sub no_call {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @got = $u->requests;
    is(scalar(@got), 0, "$name: no call") || diag(map { $_->{raw} } @got);
    $u->clear;

    return;
}

# In HTTP/2, with a length or without.
sub http2 {
    my ($port, $uri, $bytes, $with_length, @headers) = @_;

    my $c = $t->client(port => $port);
    my $r = exchange($c,
        method  => 'POST',
        uri     => $uri,
        headers => [[Host => 'localhost'],
            ['content-type' => 'application/json'], @headers],
        body    => $with_length ? $bytes : [$bytes],
        timeout => 10 * $slow,
    );
    $c->close;

    return $r;
}

my $wire;


subtest 'a body is the same whichever way it comes' => sub {
    for my $setting (sort keys %setting) {
        my $c = $t->client(port => $t->port($setting));

        # a byte at a time takes its time
        for my $way (sort keys %way) {
            next if $way =~ /bytes|drip/ && $setting !~ /^[mtfh]/;
            my $name = "$setting $way";
            $way{$way}->($c, $path, [], $body);
            my $r = $c->response;
            is($r->status, 200, $name) || diag($r->raw);

            my $got = one_call($name);
            $wire //= $got->{body};
            is($got->{body}, $wire, "$name: body");
            is($got->{header}{'content-length'}, length $wire,
                "$name: length");
            unlike($got->{raw_head}, qr/^(?:Transfer-Encoding|Expect|Trailer
                |X-Trailer|Name):/xim, "$name: nothing else");
        }

        $c->close;
    }

    # the same for a reader that is not ours
    is_deeply(json_decode($wire)->{more}, {a => [JSON::PP::true(),
        JSON::PP::false(), undef, '"\\/']}, 'what it says');
    is(json_decode($wire)->{name}, "caf\xe9 \x{1f600} \xe9\x{20ac}", 'name');
    like($wire, qr/\b9007199254740993\.10\b/, 'numbers as they were');
    like($wire, qr/\b1e400\b.*\b12345678901234567890\b/, 'all of them');
};

subtest 'a body is the same in HTTP/2' => sub {
    for my $setting (sort keys %setting) {
        for my $with_length (0, 1) {
            my $name = "$setting " . ($with_length ? 'length' : 'no length');
            my $r = http2($t->port("h2$setting"), $path, $body,
                $with_length);
            is($r->status, 200, $name) || diag($r->body);
            is(one_call($name)->{body}, $wire, "$name: body");
        }
    }

    for my $with_length (0, 1) {
        my $r = http2($t->port('h2memory'), $path, '}', $with_length);
        is($r->status, 400, 'malformed');
        is($r->body, '{"error":"Bad Request"}', 'its body');
        no_call('malformed');

        $r = http2($t->port('h2memory'), "/limitsignalwire$path",
            '{"name":"' . 'x' x 50_000 . '"}', $with_length);
        is($r->status, 413, 'too large');
        is($r->body, '{"error":"Payload Too Large"}', 'its body');
        no_call('too large');

        # refused before its body is looked at
        $r = http2($t->port('h2memory'), '/token/api/groups',
            '{"name":"' . 'x' x 50_000 . '"}', $with_length);
        is($r->status, 401, 'not signed in');
        like($r->body, qr/"UNAUTHORIZED"/, 'its body');
        no_call('not signed in');
    }

    # a length that is not the body's
    for my $wrong (-1, 1) {
        my $r = http2($t->port('h2memory'), $path, $body, 1,
            ['content-length' => $length + $wrong]);
        isnt($r->status, 200, 'a wrong length');
        no_call('a wrong length');
    }
};

# nghttp sends many at a time on one connection
subtest 'HTTP/2 streams do not meet' => sub {
    my $file = $t->write_file('nghttp.body', $body);
    my $port = $t->port('h2small');

    my $out = `nghttp -m 20 -d \Q$file\E -H'Content-Type: application/json' \\
        http://127.0.0.1:$port$path 2>&1`;
    plan skip_all => 'no nghttp' if $? == 127 << 8;

    my @got = $u->requests(20, 5 * $slow);
    is(scalar(@got), 20, 'all of them') || diag($out);
    is(scalar(grep { $_->{body} eq $wire } @got), 20, 'the same');
    is(() = $out =~ /"phone_number_count":0/g, 20, 'answered');
    $u->clear;
};

subtest 'a body that is signed' => sub {
    my $group = $t->request(create('vinyldns'),
        uri => '/vinyldns/groups');
    is($group->status, 200, 'unsigned, elsewhere');
    my $sent = one_call('unsigned')->{body};

    for my $setting (qw(memory tiny file)) {
        for my $way (qw(halves bytes chunk_bytes expect http10)) {
            my $name = "$setting $way";
            my %call = create('vinyldns');
            my $c = $t->client(port => $t->port($setting));

            my @headers = map { "$_->[0]: $_->[1]" }
                grep { $_->[0] !~ /^(?:Host|Content-Type)$/i } @{sign(
                    method  => 'POST',
                    uri     => '/signed/groups',
                    headers => [[Host => 'localhost'],
                        ['Content-Type' => 'application/json']],
                    body       => $call{body},
                    access_key => 'AK',
                    secret_key => 'SK',
                )};

            $way{$way}->($c, '/signed/groups', \@headers, $call{body});
            my $r = $c->response;
            is($r->status, 200, $name) || diag($r->raw);
            is(one_call($name)->{body}, $sent, "$name: body");

            # a byte that was not signed
            $way{$way}->($c, '/signed/groups', \@headers,
                $call{body} =~ s/sales/salts/r);
            $r = $c->response;
            is($r->status, 401, "$name: another body") || diag($r->raw);
            no_call("$name: another");
            $c->close;
        }
    }
};

subtest 'a body that is signed, of a request that has none' => sub {
    for my $sent ('null', '', 'x' x 5000) {
        for my $setting (qw(memory tiny file)) {
            my $r = $t->request(
                uri     => '/signed/groups/x',
                headers => [Host => 'localhost:80',
                    'Content-Type' => 'application/json'],
                (length $sent ? (body => $sent) : ()),
                sigv4 => {access_key => 'AK', secret_key => 'SK'},
                port  => $t->port($setting),
            );
            my $name = "$setting " . substr $sent, 0, 5;
            is($r->status, 200, $name) || diag($r->raw);

            my $got = one_call($name);
            is($got->{body}, '', "$name: is not passed on");
            unlike($got->{raw_head}, qr/^(?:Content|Transfer)-/mi,
                "$name: nor is told of");
        }
    }
};

# kept as it is, because there is much of it
subtest 'a large body' => sub {
    my $large = '{"name":"n","more":"' . '0123456789abcdef' x 15_000 . '"}';
    my $sum = sha256_hex($large);

    my $n = 0;
    my $large_ok = sub {
        my ($name, $r) = @_;
        is($r->status, 200, $name) || diag($r->raw);
        my @got = $bulk->connections(++$n);
        is(scalar(@got), $n, "$name: one call");
        is(sha256_hex($got[-1] =~ s/\A.*?\r\n\r\n//sr), $sum,
            "$name: the same");
    };

    for my $setting (qw(memory small file single)) {
        for my $way (qw(whole chunk)) {
            my $c = $t->client(port => $t->port($setting));
            $way{$way}->($c, "/bulk$path", [], $large);
            $large_ok->("$setting $way", $c->response);
            $c->close;
        }

        $large_ok->("$setting HTTP/2",
            http2($t->port("h2$setting"), "/bulk$path", $large, $n % 2));
    }
};

subtest 'a body that is too large is refused in the dialect' => sub {
    my $many = 'x' x 200_000;

    for my $name (dialects()) {
        my %call = create($name, name => $many);
        my $uri  = "/limit$name$call{uri}";

        for my $way (qw(whole rest chunk chunk_extra)) {
            my $c = $t->client;
            $way{$way}->($c, $uri, [], $call{body});
            my $r = $c->response;
            is($r->status, 413, "$name $way: status") || diag($r->raw);
            ok(defined error_text($name, $r), "$name $way: in the dialect")
                || diag($r->raw);
            is($r->header('Content-Length'), length $r->body,
                "$name $way: length");
            $c->close;
        }

        # it need not even be sent
        my $c = $t->client;
        $c->send(head($uri, 'Expect: 100-continue',
            'Content-Length: 200000'));
        my $r = $c->response;
        is($r->status, 413, "$name: expected, status");
        is(scalar(@{$r->interim}), 0, "$name: not told to continue");
        ok(defined error_text($name, $r), "$name: in the dialect");
        $c->close;

        # at the limit is not above it
        my $exact = $call{body} =~ s/x+/x/r;
        $exact .= ' ' x (100 - length $exact);
        $r = $t->request(%call, body => $exact, uri => $uri);
        is($r->status, created($name)->[0], "$name: as large as it may be")
            || diag($r->raw);
        is(scalar($u->requests(1)), 1, "$name: one call");
        $u->clear;
    }

    no_call('all of them');
};

subtest 'a request that is refused before its body is read' => sub {
    my $many = 'x' x 100_000;

    for my $case (
        ['POST', '/token/api/groups',      401, 'portsip'],
        ['POST', '/api/relay/rest/nobody', 404, 'signalwire'],
        ['PUT',  $path,                    405, 'signalwire'],
        ['POST', '/signed/nobody',         404, 'vinyldns'],
    ) {
        my ($method, $uri, $status, $name) = @$case;

        # is discarded, in each way
        for my $way (qw(whole rest halves chunk chunk_bytes)) {
            my $c = $t->client;
            my $m = bless {c => $c, method => $method}, 'Other';
            $way{$way}->($m, $uri, [], $way eq 'chunk_bytes'
                ? substr $many, 0, 3000 : $many);
            my $r = $c->response;
            is($r->status, $status, "$uri $way") || diag($r->raw);
            ok(defined error_text($name, $r), 'in the dialect');

            $way{whole}->($c, $path, [], $body);
            is($c->response->status, 200, 'and the connection is good');
            is(one_call('next')->{body}, $wire, 'for the next one');
            $c->close;
        }

        # is not asked for
        my $c = $t->client;
        my $head = head($uri, 'Expect: 100-continue',
            'Content-Length: 100000');
        $c->send($head =~ s/^POST/$method/r);
        my $r = $c->response;
        is($r->status, $status, "$uri expect");
        is(scalar(@{$r->interim}), 0, 'not told to continue');
        $c->close;
    }

    no_call('none of them');
};

# Way subs write POST.
sub Other::send {
    my ($self, $bytes) = @_;
    $bytes =~ s/^POST/$self->{method}/ if !$self->{sent}++;
    return $self->{c}->send($bytes);
}

subtest 'no body where one is expected' => sub {
    for my $name (dialects()) {
        my %call = create($name);

        for my $extra ('', "Content-Length: 0\r\n",
            "Transfer-Encoding: chunked\r\n")
        {
            my $r = $t->raw("POST /$name$call{uri} HTTP/1.1\r\n"
                . "Host: a\r\nConnection: close\r\n"
                . 'Content-Type: ' . media_type($name) . "\r\n$extra\r\n"
                . ($extra =~ /chunked/ ? "0\r\n\r\n" : ''));
            is($r->status, 400, "$name: $extra") || diag($r->raw);
            ok(defined error_text($name, $r), 'in the dialect')
                || diag($r->raw);
        }
    }

    no_call('none of them');
};

subtest 'a body that is broken off' => sub {
    for my $setting (qw(memory tiny file)) {
        for my $how (qw(close reset shutdown)) {
            for my $half (
                head($path, "Content-Length: $length") . substr($body, 0, 9),
                head($path, 'Transfer-Encoding: chunked') . "9\r\n{\"na",
                head($path, 'Transfer-Encoding: chunked')
                    . sprintf("%x\r\n%s\r\n", $length, $body),
            ) {
                my $c = $t->client(port => $t->port($setting));
                $c->send($half);
                sleep 0.02;
                $c->$how;
            }
        }

        my $r = $t->request(create('signalwire'),
            port => $t->port($setting));
        is($r->status, 200, "$setting: nginx is well");
        one_call("$setting: the next one");
    }

    no_call('half a body');

    # one that does not come
    my $c = $t->client;
    $c->send(head("/limitsignalwire$path", 'Content-Length: 50') . '{"name');
    ok($c->closed(5 * $slow), 'nginx does not wait for ever');
    $c->close;

    no_call('a body that does not come');
};

subtest 'chunks that are none' => sub {
    for my $chunks ("zz\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}x\r\n0\r\n\r\n", "ffffffffffffffffff\r\n{}",
        "7fffffffffffffff\r\n{}")
    {
        my $r = $t->raw(head($path, 'Transfer-Encoding: chunked',
            'Connection: close') . $chunks);
        like($r->status, qr/^4(?:00|13)$/, substr $chunks, 0, 8);
        ok(defined error_text('signalwire', $r), 'in the dialect')
            || diag($r->raw);
    }

    no_call('none of them');
};

subtest 'what comes after a body that was refused is no request' => sub {
    my $next = "GET /limitsignalwire$path HTTP/1.1\r\nHost: a\r\n\r\n";

    for my $chunks (
        sprintf("%x\r\n%s%s\r\n0\r\n\r\n", 1000 + length $next, $next,
            'x' x 1000),
        "2\r\n{}\r\nzz\r\n$next", "2\r\n{}\r\n-1\r\n$next",
        "2\r\n{}x\r\n$next")
    {
        my $c = $t->client;
        $c->send(head("/limitsignalwire$path", 'Transfer-Encoding: chunked')
            . $chunks . $next);
        my $r = $c->response;
        like($r->status, qr/^4(?:00|13)$/, substr $chunks, 0, 12);
        is($r->header('Connection'), 'close', 'the last answer');
        ok($c->closed, 'and there is no other');
        $c->close;
    }

    no_call('none of them');
};

subtest 'a client that does not wait' => sub {
    my $before = $t->settled_access;

    # what it asked for is done all the same, once
    for my $how (qw(close reset)) {
        my $c = $t->client;
        $way{whole}->($c, $path, ['X-Slow: 1'], $body);
        one_call($how);
        $c->$how;
    }

    is(scalar($t->access($before + 2)), $before + 2, 'and logged');

    my $c = $t->client(port => $t->port('h2memory'));
    my $left = exchange($c, method => 'POST', uri => $path, timeout => 0.1,
        body => $body, headers => [[Host => 'localhost'],
            ['content-type' => 'application/json'], ['x-slow' => 1]]);
    is($left->error, 'timeout', 'HTTP/2: not answered yet');
    one_call('HTTP/2');
    $c->reset;

    is(scalar($t->access($before + 3)), $before + 3, 'and logged');
    no_call('afterwards');

    my $r = $t->request(create('signalwire'));
    is($r->status, 200, 'nginx is well');
    one_call('the next one');
};

subtest 'requests one after the other' => sub {
    my $c = $t->client;

    for my $way (sort(keys %way), reverse sort keys %way) {
        $way{$way}->($c, $path, [], $body);
        is($c->response->status, 200, $way);
        is(one_call($way)->{body}, $wire, "$way: body");

        # and one that is refused
        $way{$way}->($c, $path, [], '{"name":7}');
        is($c->response->status, 422, "$way: refused");
    }

    $c->close;
    no_call('what was refused');
};

subtest 'requests at once' => sub {
    for my $setting (qw(memory small header)) {
        my $c = $t->client(port => $t->port($setting));

        my $good = head($path, "Content-Length: $length") . $body;
        my $chunked = head($path, 'Transfer-Encoding: chunked')
            . chunks($body, 9);
        my $bad  = head($path, 'Content-Length: 1') . '}';
        my $lost = head('/token/api/groups', 'Content-Length: 5') . 'abcde';
        my $none = "HEAD $path HTTP/1.1\r\nHost: a\r\n\r\n";

        $c->send($good . $bad . $chunked . $lost . $none . $good);

        is($c->response->status, 200, "$setting: first");
        is($c->response->status, 400, "$setting: second, refused");
        is($c->response->status, 200, "$setting: third, in chunks");
        is($c->response->status, 401, "$setting: fourth, not read");
        is($c->response(head => 1)->status, 405, "$setting: fifth, HEAD");
        is($c->response->status, 200, "$setting: sixth");
        $c->close;

        my @got = $u->requests(3);
        is(scalar(@got), 3, "$setting: three calls");
        is(scalar(grep { $_->{body} eq $wire } @got), 3, 'of the same');
        $u->clear;
    }
};

subtest 'methods that an API does not have' => sub {
    for my $name (dialects()) {
        my %call = create($name);
        my $c = $t->client;

        for my $method (qw(HEAD OPTIONS PATCH DELETE PROPFIND LOCK FOO)) {
            my $r = $t->request(method => $method, client => $c,
                uri => "/$name$call{uri}");
            is($r->status, 405, "$name $method: status") || diag($r->raw);
            like($r->header('Allow') // '', qr/\bPOST\b/,
                "$name $method: Allow");
            next if $method eq 'HEAD';
            ok(defined error_text($name, $r), "$name $method: in the dialect")
                || diag($r->raw);
        }

        $c->close;

        # nginx refuses these itself, and hangs up
        for my $method (qw(TRACE CONNECT)) {
            my $r = $t->request(method => $method, uri => "/$name$call{uri}");
            like($r->status, qr/^40[05]$/, "$name $method: status");
        }
    }

    no_call('none of them');
};

subtest 'HTTP/1.0' => sub {
    my $r = $t->raw("POST $path HTTP/1.0\r\nContent-Type: application/json\r\n"
        . "Content-Length: $length\r\n\r\n$body");
    is($r->status, 200, 'status') || diag($r->raw);
    is($r->header('Content-Length'), length $r->body, 'length');
    is($r->header('Connection'), 'close', 'not kept');
    is($r->header('Transfer-Encoding'), undef, 'no chunks');
    is(one_call('no Host')->{body}, $wire, 'body');

    # what it calls us by is not known, and URLs need a name
    my %call = create('signalwire');
    $r = $t->raw("POST /named$path HTTP/1.0\r\nContent-Length: "
        . length($call{body}) . "\r\n\r\n$call{body}");
    is($r->status, 200, 'in front of one that has URLs') || diag($r->raw);
    one_call('in front of one that has URLs');
    %call = create('faxfinder');
    $r = $t->raw("POST /urls$call{uri} HTTP/1.0\r\nContent-Length: "
        . length($call{body}) . "\r\n\r\n$call{body}");
    is($r->xpath('//contact_group_url'), 'http://127.0.0.1:'
        . $t->port($t->http2 ? 'http1' : undef)
        . '/urls/ffws/v1/contact_groups/alice/700551909773148160',
        'the address is one');
    one_call('URLs');

    # up to the end of the connection is not allowed in a request
    $r = $t->raw("POST $path HTTP/1.0\r\nContent-Type: application/json\r\n"
        . "\r\n$body");
    is($r->status, 400, 'no length');
    no_call('no length');
};

$t->stop;
done_testing;
