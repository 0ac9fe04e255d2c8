#!/usr/bin/env perl

# The harness itself: a plain nginx without the module is enough.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::SigV4 qw(sign);

my $t = Test::Gateway->new(module => 0);

my $handler = $t->upstream(sub {
    my ($request) = @_;

    die "told so\n" if $request->{uri} eq '/die';
    return [201, ['X-Got' => length $request->{body}],
        {method => $request->{method}}];
});
my $queue = $t->upstream(
    [200, [], 'first'],
    {status => 202, body => ['ab', 'c'], chunked => 1},
    "HTTP/1.1 200 OK\r\n\r\nraw bytes",
    {status => 200, delay => 0.3, body => 'late'},
);

my $partial = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234";
my $liar    = $t->raw_upstream(
    ['request', [send => $partial], 'close'],
    ['request', [send => $partial], 'reset'],
    ['request', 'reset'],
    [[read => 5], 'close'],
    ['request', [drip => "HTTP/1.1 204 No Content\r\n\r\n", 5, 0.01]],
    ['hang'],
);

my $refused = $t->refused_port;

$t->nginx(server => <<"END");
proxy_http_version 1.1;
proxy_set_header Connection "";
location / { proxy_pass http://@{[$handler->address]}; }
location = /queue { proxy_pass http://@{[$queue->address]}/q; }
location = /liar {
    proxy_pass http://@{[$liar->address]};
    proxy_read_timeout 500ms;
}
location = /refused { proxy_pass http://127.0.0.1:$refused; }
location = /static { return 200 "%%PORT%% %%PORT:other%%"; }
END


subtest 'request and recorded request' => sub {
    my $r = $t->post('/a?b=c', headers => ['X-One' => '1', 'X-One' => '2'],
        json => {n => 1});

    is($r->status, 201, 'status');
    is($r->reason, 'Created', 'reason') if !$t->http2;
    is($r->header('x-got'), 7, 'header, in any case');
    is($r->header('X-None'), undef, 'absent header');
    is_deeply($r->json, {method => 'POST'}, 'JSON');
    is($r->error, undef, 'no error');

    my ($got) = $handler->requests;
    is($got->{method}, 'POST', 'recorded method');
    is($got->{uri}, '/a?b=c', 'recorded uri');
    is($got->{body}, '{"n":1}', 'recorded body');
    is_deeply([$got->header_all('X-One')], [1, 2], 'recorded headers');
    like($got->{raw}, qr/\APOST .*\r\n\r\n\{"n":1\}\z/s, 'raw request');

    $handler->clear;
    is(scalar($handler->requests), 0, 'cleared');
};

subtest 'bytes survive the record' => sub {
    my $bytes = join '', map { chr } 0 .. 255;
    $t->post('/', body => $bytes);
    ok($handler->last->{body} eq $bytes, 'all bytes');

    $t->post('/', body => ['abc', 'de'], http1 => 1);
    is($handler->last->{body}, 'abcde', 'a body in chunks');
};

subtest 'answers' => sub {
    is($t->get('/queue')->body, 'first', 'first of the queue');

    my $r = $t->get('/queue');
    is($r->status, 202, 'status from a hash');
    is($r->body, 'abc', 'chunked');

    is($t->get('/queue')->body, 'raw bytes', 'raw bytes');

    my $start = time;
    is($t->get('/queue')->body, 'late', 'delayed');
    cmp_ok(time - $start, '>', 0.25, 'by that much');

    is($t->get('/queue')->status, 500, 'no answer left');

    $handler->answer([404, [], 'put in front'], [200, [], "\xff"]);
    is($t->get('/')->body, 'put in front', 'answer from the test');
    is($t->get('/')->body, "\xff", 'and another');
    is($t->get('/')->status, 201, 'then the handler again');
    like($t->get('/die')->body, qr/told so/, 'a handler that dies');

    is(scalar($queue->requests), 5, 'all were recorded');
};

subtest 'upstreams that lie' => sub {
    my $r = $t->get('/liar');
    is($r->status, 200, 'hangs up in the body: status');
    is($r->error, $t->http2 ? 'reset' : 'truncated', 'and truncated');

    $r = $t->get('/liar');
    ok($r->error, 'a reset in the body');

    is($t->get('/liar')->status, 502, 'a reset without an answer');
    is($t->get('/liar')->status, 502, 'reads a part only');
    is($t->get('/liar')->status, 204, 'drips');
    is($t->get('/liar')->status, 504, 'hangs');
    is($t->get('/refused')->status, 502, 'refuses');

    my @got = $liar->connections;
    is(scalar(@got), 6, 'all connections were recorded');
    like($got[0], qr{\AGET /liar HTTP/1\.1\r\n}, 'with their bytes');
};

subtest 'raw client' => sub {
    my $r = $t->raw("GET /static HTTP/1.1\r\nHost: a\r\n"
            . "Connection: close\r\n\r\n");
    is($r->body, $t->port . ' ' . $t->port('other'), 'ports replaced');
    isnt($t->port, $t->port('other'), 'ports differ');

    $r = $t->raw("HEAD /static HTTP/1.1\r\nHost: a\r\n\r\n");
    is($r->status, 200, 'HEAD');
    is($r->body, '', 'has no body');

    is($t->raw("nonsense\r\n\r\n")->status, 400, 'nonsense');

    my $c = $t->client;
    for my $n (1 .. 3) {
        my $r = $t->get('/static', client => $c);
        is($r->status, 200, "request $n on one connection")
            if $n == 1 || !$ENV{TEST_GROUP_RELOAD};
    }
    $c->close;

    $c = $t->client;
    $c->send("GET /static HTTP/1.1\r\nHost: a\r\n\r\n"
            . "GET /none/ HTTP/1.1\r\nHost: a\r\n\r\n");
    is($c->response->status, 200, 'pipelined, first');
    is($c->response->status, 201, 'pipelined, second');

    $c = $t->client;
    $c->drip("GET /static HTTP/1.1\r\nHost: a\r\n\r\n", 10, 0.005);
    is($c->response->status, 200, 'dripped');
    is($c->response(timeout => 0.1)->error, 'timeout', 'nothing more');
    $c->reset;

    $c = $t->client;
    $c->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
    $c->shutdown;
    ok($c->closed(5), 'nginx hangs up');
    $c->close;
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'TEST_GROUP_HTTP2 is not set' if !$t->http2;

    is($t->get('/static')->version, 2, 'version');
    is($t->get('/static', http1 => 1)->version, '1.1', 'unless asked');
    is($t->request(method => 'HEAD', uri => '/')->body, '', 'HEAD');

    my $r = $t->post('/', body => 'x' x 300_000);
    is($r->header('X-Got'), 300_000, 'a body beyond the window');
    is($r->header('Content-Type'), 'application/json', 'a header in Huffman');

    $handler->answer([200, [], 'y' x 300_000]);
    is(length $t->get('/')->body, 300_000, 'a large answer');

    $t->post('/', body => ['ab', 'c']);
    is($handler->last->{body}, 'abc', 'a body without its length');
};

subtest 'logs' => sub {
    $t->mark;
    $t->unlike_log(qr/connect\(\) failed/);
    $t->get('/refused');
    $t->like_log(qr/connect\(\) failed \(111: Connection refused\)/);

    my ($entry) = grep { $_->{request_uri} eq '/refused' } $t->access(1);
    is($entry->{status}, 502, 'access log');
};

subtest 'reload' => sub {
    $t->conf(server => 'location / { return 200 "two"; }');
    ok($t->reload, 'a good configuration');
    is($t->get('/')->body, 'two', 'is used');

    $t->write_file('nginx.conf', "nonsense;\n");
    $t->expect_log(qr/unknown directive "nonsense"/);
    ok(!$t->reload, 'a bad one');

    local $ENV{TEST_GROUP_RELOAD} = 0;
    is($t->get('/')->body, 'two', 'is not');
};

subtest 'test_config' => sub {
    my ($exit, $output) = $t->test_config('return 200;');
    is($exit, 0, 'accepted');
    like($output, qr/syntax is ok/, 'output');

    ($exit, $output) = $t->test_config('retrun 200;');
    is($exit, 1, 'refused');
    like($output, qr/unknown directive "retrun"/, 'output');

    $t->config_ok('return 200;');
    $t->config_ok({http => 'gzip on;'});
    $t->config_fails('x y;', qr/unknown directive "x"/);
};

subtest 'credentials file' => sub {
    my $path = $t->credentials('c.json',
        {type => 'basic', id => 'u', secret => 'p', scopes => ['s']});
    is($t->read_file($path), '{"credentials":[{"id":"u","scopes":["s"],'
        . '"secret_sha256":"148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12'
        . 'fa29ac7ddfca9940","type":"basic"}]}', 'secret is hashed');
    is((stat $path)[2] & 0777, 0600, 'mode');
};

# the "get-vanilla-query-order-key-case" of AWS's own test suite
subtest 'signature' => sub {
    my $headers = sign(
        uri        => '/?Param2=value2&Param1=value1',
        headers    => [Host => 'example.amazonaws.com'],
        date       => '20150830T123600Z',
        scope_date => '20150830',
        service    => 'service',
        access_key => 'AKIDEXAMPLE',
        secret_key => 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    );
    is($headers->[-1][1], 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/'
        . 'us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, '
        . 'Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec9'
        . '4cdf2500', 'known answer');
};

# A failing test has to be run in a process of its own.
subtest 'gate' => sub {
    my $alert = '2000/01/01 00:00:00 [alert] 1#1: worker process 2 exited';
    my $asan  = '==1==ERROR: AddressSanitizer: heap-use-after-free';

    for (
        ['an alert',             $alert, 1, ''],
        ['an announced alert',   $alert, 0, 'qr/worker process/'],
        ['a sanitizer',          $asan,  1, ''],
        ['a sanitizer, always',  $asan,  1, 'qr/Sanitizer/'],
        ['undefined behaviour', 'a.c:1:2: runtime error: overflow', 1, ''],
        ['an error', '2000/01/01 00:00:00 [error] 1#1: ...', 0, ''],
    ) {
        my ($name, $line, $fails, $expect) = @$_;
        my $file = $t->write_file('gate.pl', <<"END");
use strict;
use warnings;
use Test::Gateway;
use Test::More;
my \$t = Test::Gateway->new(module => 0);
\$t->expect_log($expect);
\$t->nginx(server => 'location / { return 200; }');
is(\$t->get('/')->status, 200, 'works');
open my \$fh, '>>', \$t->dir . '/error.log' or die;
print {\$fh} "$line\\n";
close \$fh;
done_testing;
END
        my $output = `$^X -I$FindBin::Bin/lib $file 2>&1`;
        is($? ? 1 : 0, $fails, $name) or diag($output);
        like($output, qr/^# .*: \Q$line\E/m, 'and is shown') if $fails;
    }
};

subtest 'everything ends with the test' => sub {
    for my $end ('die "in the middle\n"', 'kill TERM => $$; sleep 5',
        'kill KILL => $$; sleep 5')
    {
        my $file = $t->write_file('end.pl', <<"END");
use strict;
use warnings;
use Test::Gateway;
use Test::More;
my \$t = Test::Gateway->new(module => 0);
my \$u = \$t->upstream([200, [], '']);
my \$l = \$t->raw_upstream(['hang']);
\$t->nginx(server => 'location / { return 200; }');
my \$c = \$t->client(port => \$l->port);
\$| = 1;
print join(' ', 'PIDS', \$t->{nginx}, \$u->{pid}, \$l->{pid}), "\\n";
$end;
END
        my $output = `$^X -I$FindBin::Bin/lib $file 2>&1`;
        isnt($?, 0, $end) or diag($output);

        my ($pids) = $output =~ /PIDS ([\d ]+)/;
        my @pids = split / /, $pids // '';
        is(scalar(@pids), 3, 'three processes') or diag($output);

        my $deadline = time + 10 * $t->patience;
        sleep 0.1 while time < $deadline && grep { kill 0 => $_ } @pids;
        is(scalar(grep { kill 0 => $_ } @pids), 0, 'are gone');
    }
};

$t->stop;
done_testing;
