#!/usr/bin/env perl

# Upstreams that are gone, slow, broken or lie: whatever they do, a client gets
# an answer in its own dialect that is whole, one line of the log says why, and
# neither the client's connection nor the next request suffers.

use strict;
use warnings;

use Compress::Zlib ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Faults qw(message sized);
use Test::Gateway::Message qw(header_values json_encode parse_head);
use Test::Gateway::Samples
    qw(create created dialects error_text group_name location vendor_of);

my $SECRET = 'nobody may see this page';

my $t = Test::Gateway->new;
my $slow = $t->patience;

# What an upstream does is named by the client, in a header that the gateway
# does not touch; which vendor it is, is seen in the path.
sub vendor {
    my ($request) = @_;
    my ($uri, $method) = @$request{qw(uri method)};

    return [200, [], {count => 0, items => []}]
        if $method eq 'GET' && vendor_of($uri) eq 'portsip';
    return [200, ['Content-Type' => 'application/json'], '']
        if $uri =~ m{^/api/groups/.};
    return created(vendor_of($uri));
}

sub chunks {
    my ($status, $headers, @chunks) = @_;
    return message($status, [@$headers, 'Transfer-Encoding' => 'chunked'],
        join '', map { sprintf "%x\r\n%s\r\n", length, $_ } @chunks, '');
}

# name => sub (good status, good headers, good body) that returns bytes and
# what is done after them: "keep", "close", "reset" or "hang".
my %FAULT = (
    good    => sub { (sized(@_), 'keep') },
    chunked => sub { (chunks($_[0], $_[1], split /(?<=.{20})/s, $_[2]),
        'keep') },
    until_close => sub { (message(@_), 'close') },
    http10      => sub {
        (message(@_, "HTTP/1.0 $_[0] OK"), 'close')
    },

    # nothing, or not even a head
    close_at_once     => sub { ('', 'close') },
    reset_at_once     => sub { ('', 'reset') },
    close_in_start    => sub { ('HTTP/1.1 200 O', 'close') },
    reset_in_start    => sub { ('HTTP/1.1 200 O', 'reset') },
    close_in_head     => sub {
        ("HTTP/1.1 200 OK\r\nContent-Type: application/js", 'close')
    },
    reset_in_head     => sub {
        ("HTTP/1.1 200 OK\r\nContent-Type: application/js", 'reset')
    },
    hang_at_once      => sub { ('', 'hang') },
    hang_in_start     => sub { ('HTTP/1.1 200 O', 'hang') },
    hang_in_head      => sub { ("HTTP/1.1 200 OK\r\nContent-", 'hang') },

    # half a body
    length_close => sub { (substr(sized(@_), 0, -3), 'close') },
    length_reset => sub { (substr(sized(@_), 0, -3), 'reset') },
    length_hang  => sub { (substr(sized(@_), 0, -3), 'hang') },
    length_none  => sub {
        (message($_[0], [@{$_[1]}, 'Content-Length' => 9], ''), 'close')
    },
    chunk_close  => sub { (substr(chunks(@_), 0, -8), 'close') },
    chunk_reset  => sub { (substr(chunks(@_), 0, -8), 'reset') },
    chunk_hang   => sub { (substr(chunks(@_), 0, -8), 'hang') },
    chunk_last   => sub { (substr(chunks(@_), 0, -5), 'close') },
    length_whole_hang => sub { (sized(@_), 'hang') },
    chunk_whole_hang  => sub { (chunks(@_), 'hang') },

    # no HTTP, or not quite
    garbage  => sub { ("\x16\x03\x01\0\xa5\x01\0\0" x 40, 'close') },
    http09   => sub { ($_[2], 'close') },
    redis    => sub { ("-ERR unknown command\r\n", 'close') },
    no_code  => sub { (message(@_, 'HTTP/1.1 OK'), 'close') },
    nul_head => sub {
        (message($_[0], ["X-A\0B" => 'c', @{$_[1]}], $_[2]), 'close')
    },
    big_head => sub {
        (sized($_[0], ['X-Big' => 'x' x 70_000, @{$_[1]}], $_[2]), 'keep')
    },
    bad_chunk => sub {
        (message($_[0], [@{$_[1]}, 'Transfer-Encoding' => 'chunked'],
            "zz\r\n$_[2]\r\n0\r\n\r\n"), 'close')
    },
    huge_chunk => sub {
        (message($_[0], [@{$_[1]}, 'Transfer-Encoding' => 'chunked'],
            "fffffffffffffffff\r\n$_[2]"), 'close')
    },
    no_crlf => sub {
        (message($_[0], [@{$_[1]}, 'Transfer-Encoding' => 'chunked'],
            sprintf("%x\r\n%sXX0\r\n\r\n", length $_[2], $_[2])), 'close')
    },
    extra => sub { (sized(@_) . '{"name":"more"}', 'close') },
    extra_chunked => sub { (chunks(@_) . '{"name":"more"}', 'close') },

    # HTTP, but not the API
    html => sub {
        (sized(200, ['Content-Type' => 'text/html'],
            "<html><body>$SECRET</body></html>"), 'keep')
    },
    html_as_api => sub {
        (sized($_[0], $_[1], "<html><body>$SECRET</body>"), 'keep')
    },
    html_404 => sub {
        (sized(404, ['Content-Type' => 'text/html'],
            "<html>$SECRET</html>"), 'keep')
    },
    html_500 => sub {
        (sized(500, ['Content-Type' => 'text/html'],
            "<html>$SECRET</html>"), 'keep')
    },
    html_503 => sub {
        (sized(503, ['Content-Type' => 'text/html', 'Retry-After' => 7],
            "<html>$SECRET</html>"), 'keep')
    },
    html_504 => sub {
        (sized(504, ['Content-Type' => 'text/html'],
            "<html>$SECRET</html>"), 'keep')
    },
    latin1_404 => sub {
        (sized(404, ['Content-Type' => 'text/plain'],
            "caf\xe9 \0 \e[31m \xed\xa0\x80 <&> \r\nX: y"), 'keep')
    },
    long_404 => sub {
        (sized(404, ['Content-Type' => 'text/plain'], 'long ' x 2000),
            'keep')
    },
    html_401 => sub {
        (sized(401, ['Content-Type' => 'text/html', 'WWW-Authenticate' =>
            'Basic realm="internal"'], "<html>$SECRET</html>"), 'keep')
    },
    wrong_type => sub {
        (sized($_[0], ['Content-Type' => 'text/plain'], $_[2]), 'keep')
    },
    other_format => sub {
        my $json = $_[2] =~ /^\{/;
        (sized($_[0], ['Content-Type' => $json ? 'application/xml'
            : 'application/json'], $_[2]), 'keep')
    },
    gzip => sub {
        (sized($_[0], [@{$_[1]}, 'Content-Encoding' => 'gzip'],
            "\x1f\x8b\x08\0\0\0\0\0\0\x03" . $_[2]), 'keep')
    },
    unknown_encoding => sub {
        (sized($_[0], [@{$_[1]}, 'Content-Encoding' => 'x-rot13'], $_[2]),
            'keep')
    },
    empty     => sub { (sized($_[0], $_[1], ''), 'keep') },
    blank     => sub { (sized($_[0], $_[1], " \n "), 'keep') },
    array     => sub { (sized($_[0], $_[1], '[]'), 'keep') },
    null      => sub { (sized($_[0], $_[1], 'null'), 'keep') },
    half_text => sub {
        (sized($_[0], $_[1], substr $_[2], 0, -2), 'keep')
    },
    trailing => sub { (sized($_[0], $_[1], "$_[2] $_[2]"), 'keep') },
    latin1   => sub {
        (sized($_[0], $_[1], $_[2] =~ s/sales|[0-9]/\xe9/r), 'keep')
    },
    twice => sub {
        my $body = $_[2];
        $body =~ s/^\{/{"id":"x",/
            or $body =~ s{(<contact_group_url>.*</contact_group_url>)}{$1$1};
        (sized($_[0], $_[1], $body), 'keep')
    },
    types => sub {
        my $body = $_[2];
        $body =~ s/"id":"[^"]*"/"id":{"a":[1]}/
            or $body =~ s{(?<=<contact_group_url>)}{<a/>};
        (sized($_[0], $_[1], $body), 'keep')
    },
    missing => sub {
        my $body = $_[2];
        $body =~ s/"id":"[^"]*",?//
            or $body =~ s{<contact_group_url>.*</contact_group_url>}{};
        (sized($_[0], $_[1], $body), 'keep')
    },
    deep => sub {
        my $deep = $_[2] =~ /^\{/
            ? '{"id":' . '[' x 5000 . ']' x 5000 . '}'
            : '<a>' x 5000 . '</a>' x 5000;
        (sized($_[0], $_[1], $deep), 'keep')
    },
    doctype => sub {
        my $body = $_[2];
        $body = "<!DOCTYPE a [<!ENTITY e '$SECRET'>]>$body" if $body =~ /^</;
        $body = "/* $SECRET */ $body" if $body =~ /^\{/;
        (sized($_[0], $_[1], $body), 'keep')
    },
    large => sub {
        (sized($_[0], $_[1], $_[2] . ' ' x 20_000), 'keep')
    },
    large_chunked => sub {
        (chunks($_[0], $_[1], $_[2], (' ' x 1000) x 20), 'keep')
    },
    large_until_close => sub {
        (message($_[0], $_[1], $_[2] . ' ' x 20_000), 'close')
    },

    # statuses that say something else
    switching => sub { (message(101, ['Upgrade' => 'x'], ''), 'close') },
    continue  => sub {
        ("HTTP/1.1 100 Continue\r\n\r\n" . sized(@_), 'close')
    },
    hints => sub {
        ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" . sized(@_),
            'close')
    },
    no_content   => sub { (message(204, [], ''), 'keep') },
    partial      => sub {
        (sized(206, [@{$_[1]}, 'Content-Range' => 'bytes 0-9/10'], $_[2]),
            'keep')
    },
    not_modified => sub { (message(304, [ETag => '"a"'], ''), 'keep') },
    moved => sub {
        (sized(301, [Location => "http://internal.test/$SECRET"],
            '<html>moved</html>'), 'keep')
    },
    found => sub {
        (sized(302, [Location => "http://internal.test/login"], ''), 'keep')
    },
    moved_method => sub {
        (sized(307, [Location => "/elsewhere"], ''), 'keep')
    },
    teapot  => sub { (sized(418, [], 'short and stout'), 'keep') },
    strange => sub { (sized(999, $_[1], $_[2]), 'keep') },

    # what nginx takes as an order to itself
    accel => sub {
        (sized($_[0], [@{$_[1]}, 'X-Accel-Redirect' => '/secret/page'],
            $_[2]), 'keep')
    },
    accel_named => sub {
        (sized($_[0], [@{$_[1]}, 'X-Accel-Redirect' => '@secret'], $_[2]),
            'keep')
    },
    # a page that is as good as any answer
    accel_good => sub {
        (sized($_[0], [@{$_[1]}, 'X-Accel-Redirect' => '/inside/good'],
            $_[2]), 'keep')
    },
    accel_self => sub {
        (sized($_[0], [@{$_[1]}, 'X-Accel-Redirect' => '/groups'], $_[2]),
            'keep')
    },
    accel_rest => sub {
        (sized($_[0], [@{$_[1]}, 'X-Accel-Limit-Rate' => 1,
            'X-Accel-Buffering' => 'no', 'X-Accel-Charset' => 'koi8-r',
            'X-Accel-Expires' => 100], $_[2]), 'keep')
    },

    # what is right, but nobody's business
    private => sub {
        (sized($_[0], [@{$_[1]}, 'Set-Cookie' => 'a=b', Server => 'Secret/1',
            'X-Powered-By' => 'Secret', Refresh => '0; url=/x',
            'Last-Modified' => 'Tue, 15 Nov 1994 12:45:26 GMT',
            ETag => '"a"', 'Accept-Ranges' => 'bytes',
            'Content-Disposition' => 'attachment', 'Cache-Control' => 'no',
            Link => '</x>', 'Strict-Transport-Security' => 'max-age=1'],
            $_[2]), 'keep')
    },
);

sub serve {
    my ($socket, $read) = @_;

    my ($fault) = $read =~ /.*^X-Fault: (\w+)\r$/ms;
    my ($path)  = $read =~ /.*^(?:GET|POST|PUT|DELETE) (\S+) HTTP/ms;

    my $good = created(vendor_of($path));
    my ($bytes, $then) = $FAULT{$fault // 'good'}->(@$good);

    while (length $bytes) {
        my $n = syswrite $socket, $bytes or last;
        substr($bytes, 0, $n) = '';
    }

    return if $then eq 'keep';

    if ($then eq 'hang') {
        sleep 600;
    }

    setsockopt $socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
        pack 'ii', 1, 0
        if $then eq 'reset';

    # what was sent has to arrive before the reset
    sleep 0.02 if $then eq 'reset';
    close $socket;
    POSIX::_exit(0);
}

my $liar = $t->raw_upstream(['request', [code => \&serve], 'loop']);

# before a request was read
my $deaf = $t->raw_upstream(['reset']);
my $rude = $t->raw_upstream(['head', 'reset']);
my $mute = $t->raw_upstream(['hang']);

my $refused = $t->refused_port;

# the same, where connections are counted
my $counted = $t->raw_upstream(['request', [code => \&serve], 'loop']);

# one that takes a request and dies, and one that would take it again
my $dies  = $t->raw_upstream(['request', 'reset']);
my $takes = $t->upstream(\&vendor);
my $sleeps = $t->raw_upstream(['request', 'hang']);

# one that is asked how often it is asked
my $big   = join ',', map { qq({"id":"g$_","name":"n$_","email":"a\@b.test",)
    . '"members":[],"admins":[]}' } 1 .. 2000;
my $lists = $t->upstream(sub {
    my ($request) = @_;
    return [200, ['Content-Type' => 'application/json', ETag => '"v"'],
        '{"groups":[' . ($request->{uri} =~ /brief|abridged/ ? '' : $big)
            . '],"maxItems":3000,"ignoreAccess":false}']
        if $request->{method} eq 'GET';
    return vendor($request);
});

# a client of each dialect, each in front of another's vendor and of its own
my @pairs = (
    map { my ($client, $upstream) = @$_;
        {client => $client, upstream => $upstream,
            name => "$client-$upstream"} }
    ['signalwire', 'vinyldns'],  ['vinyldns', 'faxfinder'],
    ['faxfinder', 'portsip'],    ['portsip', 'signalwire'],
    map { [$_, $_] } dialects(),
);

my @here = (
    liar    => $liar->address,
    deaf    => $deaf->address,
    rude    => $rude->address,
    mute    => $mute->address,
    refused => "127.0.0.1:$refused",
);
my %here = @here;

# more ways to the liar
my %setting = (
    ''         => '',
    unbuffered => 'proxy_buffering off;',
    tiny       => 'proxy_buffer_size 1k; proxy_buffers 2 1k; '
        . 'proxy_busy_buffers_size 1k; postpone_output 0; output_buffers 1 64;',
    http11     => 'proxy_http_version 1.1; proxy_set_header Connection "";',
);

# what the upstream may not get at
my $good = created('signalwire');
my $inside = "location /inside { internal; default_type application/json; "
    . "return 200 '$good->[2]'; }";

my $servers = '';
for my $pair (@pairs) {
    my ($client, $upstream, $name) = @$pair{qw(client upstream name)};
    my $locations = '';

    for my $where (sort keys %here) {
        for my $how (sort keys %setting) {
            next if $where ne 'liar' && $how;
            my $base = $where eq 'liar' ? $how ? "/$how" : '' : "/$where";
            $locations .= location($client, $upstream,
                "http://$here{$where}", base => $base,
                more => $setting{$how});
        }
    }

    $servers .= <<"END";
server {
    listen 127.0.0.1:%%PORT:$name%%;

    group_response_buffer_size 16k;
    proxy_read_timeout @{[600 * $slow]}ms;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    $locations

    $inside
    location /secret { internal; return 200 "$SECRET"; }
    location \@secret { return 200 "$SECRET"; }
}
END
}

# what else may be configured in the location
my %pair = map { $_->{name} => $_ } @pairs;
my %more;

sub more {
    my ($base, $name, $proxy_pass, $more) = @_;
    my $pair = $more{$base}
        = {%{$pair{$name} // die $name}, name => 'more', base => "/$base"};
    return location(@$pair{qw(client upstream)}, $proxy_pass,
        base => "/$base", more => $more);
}

my $to_liar = 'http://' . $liar->address;
my $to_list = 'http://' . $lists->address;

my @more = (
    more('kept', 'signalwire-vinyldns', 'http://kept', ''),

    more('retry', 'signalwire-signalwire', 'http://retry', ''),
    more('retryv', 'vinyldns-vinyldns', 'http://retry', ''),
    more('retryall', 'signalwire-vinyldns', 'http://retry',
        'proxy_next_upstream error timeout non_idempotent;'),
    more('retrynone', 'vinyldns-vinyldns', 'http://retry',
        'proxy_next_upstream off;'),
    more('retrypost', 'faxfinder-portsip', 'http://retry', ''),
    more('retryput', 'portsip-signalwire', 'http://retry', ''),
    more('retryslow', 'vinyldns-vinyldns', 'http://slow', ''),
    more('retrydead', 'signalwire-vinyldns', 'http://dead', ''),

    (map { more("intercept$_->{client}", $_->{name}, $to_liar,
        'proxy_intercept_errors on; recursive_error_pages on; '
            . 'error_page 404 500 502 503 504 =200 /secret; '
            . 'error_page 401 =200 @secret;') } @pairs[0 .. 3]),

    more('cached', 'vinyldns-vinyldns', $to_list,
        'proxy_cache c; proxy_cache_valid any 1m; proxy_cache_methods GET;'),
    more('cachedas', 'signalwire-vinyldns', $to_list,
        'proxy_cache c; proxy_cache_valid any 1m;'),
    more('cachedbad', 'signalwire-vinyldns', $to_liar,
        'proxy_cache c; proxy_cache_valid any 1m; '
            . 'proxy_cache_methods POST;'),
    more('threads', 'vinyldns-vinyldns', $to_list,
        'aio threads; proxy_buffer_size 1k; proxy_buffers 2 1k; '
            . 'proxy_busy_buffers_size 1k; output_buffers 1 1k;'),
    more('threadscached', 'vinyldns-vinyldns', $to_list,
        'aio threads; proxy_cache c; proxy_cache_valid any 1m; '
            . 'output_buffers 1 1k;'),
    more('sendfile', 'vinyldns-vinyldns', $to_list,
        'sendfile on; proxy_buffer_size 1k; proxy_buffers 2 1k; '
            . 'proxy_busy_buffers_size 1k;'),
    more('stored', 'vinyldns-vinyldns', $to_list,
        'proxy_store %%DIR%%/stored; proxy_store_access user:rw;'),
    more('dropped', 'vinyldns-vinyldns', $to_list,
        'proxy_ignore_client_abort on; proxy_limit_rate 100m;'),

    (map { more("zip$_->{client}", $_->{name}, $to_liar,
        'gzip on; gzip_min_length 1; gzip_proxied any; '
            . 'gzip_types application/json application/xml text/plain; '
            . 'gunzip on; gzip_vary on;') } @pairs[0 .. 3]),
    (map { more("changed$_->{client}", $_->{name}, $to_liar,
        'add_header X-Added yes always; add_trailer X-Trailer yes; '
            . 'sub_filter_types *; sub_filter sales SALES; '
            . 'expires 1h; etag on; charset utf-8; '
            . 'charset_types application/json application/xml; '
            . 'chunked_transfer_encoding on;') } @pairs[0 .. 3]),
    more('hidden', 'vinyldns-vinyldns', $to_liar,
        'proxy_pass_header Server; proxy_pass_header X-Accel-Redirect; '
            . 'proxy_hide_header Link; '
            . 'proxy_cookie_domain a b;'),
);

my %none = map { $_->{client} => $_->{upstream} } @pairs[0 .. 3];
my $none = join '', map { location($_, $none{$_}, 'x', base => "/none$_") }
    sort keys %none;
$none =~ s/proxy_pass x;//g;

# newer nginx keeps connections to upstreams unless it is told not to
$t->nginx(
    http => <<"END",
proxy_http_version 1.0;
proxy_set_header Connection close;
upstream kept { server @{[$counted->address]}; keepalive 4; }
upstream retry {
    server @{[$dies->address]} max_fails=0;
    server @{[$takes->address]} backup;
}
upstream slow {
    server @{[$sleeps->address]} max_fails=0;
    server @{[$takes->address]} backup;
}
upstream dead {
    server 127.0.0.1:$refused max_fails=0;
    server @{[$takes->address]} backup;
}
proxy_cache_path %%DIR%%/cache keys_zone=c:1m;
END
    servers => <<"END",
$servers
server {
    listen 127.0.0.1:%%PORT:more%%;

    proxy_read_timeout @{[600 * $slow]}ms;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    @more
    $none
    location /secret { internal; return 200 "$SECRET"; }
    location \@secret { return 200 "$SECRET"; }
}
server {
    # what is written stays here for a while
    listen 127.0.0.1:%%PORT:slow%% sndbuf=4k;
    @{[location('vinyldns', 'vinyldns', $to_list),
        location('signalwire', 'vinyldns', $to_list, base => '/tiny',
            more => 'output_buffers 1 64; postpone_output 0; gzip on; '
                . 'gzip_types application/json;')]}
}
END
);


# One request in a pair, on a connection that is kept; (response, client).
sub ask {
    my ($pair, $fault, %option) = @_;

    my $c = send_to($pair, $fault, %option);
    return ($c->response, $c);
}

# Options: base (of the location), on (a client)
sub send_to {
    my ($pair, $fault, %option) = @_;

    my %call = create($pair->{client});
    my $path = ($option{base} // $pair->{base} // '') . $call{uri};

    my $c = $option{on} // $t->client(port => $t->port($pair->{name}));

    $c->send("$call{method} $path HTTP/1.1\r\nHost: localhost\r\n"
        . "X-Fault: $fault\r\nContent-Type: $call{headers}[1]\r\n"
        . 'Content-Length: ' . length($call{body})
        . "\r\n\r\n$call{body}");

    return $c;
}

# All that an error has to be.
sub refused_ok {
    my ($pair, $r, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @wrong;
    push @wrong, 'error ' . $r->error if $r->error;
    push @wrong, 'status ' . $r->status
        if ref $status ? $r->status !~ $status : $r->status != $status;
    push @wrong, 'not in the dialect'
        if !defined error_text($pair->{client}, $r);
    push @wrong, 'length ' . ($r->header('Content-Length') // 'none')
        if ($r->header('Content-Length') // '') ne length $r->body;
    push @wrong, 'told the secret' if $r->raw =~ /\Q$SECRET\E|internal\./;

    return ok(!@wrong, $name) || diag("@wrong\n" . $r->raw);
}

sub answered_ok {
    my ($pair, $r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $good = created($pair->{client});
    my $ok   = !$r->error && $r->status == $good->[0]
        && ($r->header('Content-Length') // '') eq length $r->body
        && ($r->header('Content-Type') // '') eq $good->[1][1]
        && (group_name($pair->{client}, $r) // 'sales') eq 'sales';

    return ok($ok, $name) || diag($r->raw);
}

# A fault, and that nothing of it is left.
sub fault_is {
    my ($pair, $fault, $status, %option) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    faults_are([$pair, $fault, $status, %option]);
    return;
}

# Several at once.
sub faults_are {
    my (@cases) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $t->mark;

    my @clients = map { send_to(@$_[0, 1], @$_[3 .. $#$_]) } @cases;
    my %count;

    for my $case (@cases) {
        my ($pair, $fault, $status, %option) = @$case;
        my $c    = shift @clients;
        my $name = "$pair->{name} $fault"
            . ($option{base} ? " $option{base}" : '');

        my $r = $c->response;
        refused_ok($pair, $r, $status, "$name: refused") or next;
        $count{$r->status}++;

        # where it was refused is not always where it is well
        my ($next) = ask($pair, 'good', on => $c);
        answered_ok($pair, $next, "$name: the connection is good");
        $c->close;
    }

    # the log is written before the answer
    my %lines;
    for (split /\n/, $t->log) {
        $lines{$1}++ if /group \S.* refused with (\d+): \w+( \w+)?: /;
    }

    return is_deeply(\%lines, \%count,
        (@cases == 1 ? "$cases[0][0]{name} $cases[0][1]" : 'for each')
            . ': one line says why') || diag($t->log);
}


subtest 'without a fault' => sub {
    for my $pair (@pairs) {
        for my $how (qw(good chunked until_close http10)) {
            for my $setting (sort keys %setting) {
                my $base = $setting ? "/$setting" : '';
                my ($r, $c) = ask($pair, $how, base => $base);
                answered_ok($pair, $r, "$pair->{name} $how$base");
                $c->close;
            }
        }
    }
};

subtest 'an upstream that cannot be reached is 502' => sub {
    fault_is($_, 'none', 502, base => '/refused') for @pairs;
};

subtest 'an upstream that resets before it answers is 502' => sub {
    for my $pair (@pairs) {
        fault_is($pair, 'none', 502, base => '/deaf');
        fault_is($pair, 'none', 502, base => '/rude');
    }

    my @faults = qw(close_at_once reset_at_once close_in_start reset_in_start
        close_in_head reset_in_head);
    for my $pair (@pairs[0 .. 3]) {
        faults_are(map { [$pair, $_, 502] } @faults);
    }
};

subtest 'an upstream that does not answer in time is 504' => sub {
    faults_are(
        (map { [$_, 'none', 504, base => '/mute'] } @pairs),
        (map { [$_, 'hang_in_start', 504], [$_, 'hang_in_head', 504] }
            @pairs[0 .. 3]),
    );
};

subtest 'half a body is 502' => sub {
    my @faults = qw(length_close length_reset length_none chunk_close
        chunk_reset chunk_last);

    for my $pair (@pairs) {
        faults_are(map { [$pair, $_, 502] } @faults);
    }

    for my $setting (grep { $_ } sort keys %setting) {
        faults_are(map { [$pairs[0], $_, 502, base => "/$setting"] }
            @faults);
    }

    # one that never ends may be called either
    faults_are(map { my $setting = $_;
        map { [$pairs[1], $_, qr/^50[24]$/,
            base => $setting ? "/$setting" : ''] }
            qw(length_hang chunk_hang)
    } sort keys %setting);
};

subtest 'a whole body is enough' => sub {
    for my $fault (qw(length_whole_hang chunk_whole_hang)) {
        my $start = time;
        my ($r, $c) = ask($pairs[0], $fault);
        answered_ok($pairs[0], $r, $fault);
        cmp_ok(time - $start, '<', 0.25 * $slow, 'at once');
        $c->close;
    }
};

subtest 'an answer that is too large is 502' => sub {
    for my $pair (@pairs) {
        faults_are(map { [$pair, $_, 502] }
            qw(large large_chunked large_until_close));
    }

    for my $setting (grep { $_ } sort keys %setting) {
        fault_is($pairs[0], $_, 502, base => "/$setting")
            for qw(large large_chunked large_until_close);
    }
};

subtest 'what is no HTTP is 502' => sub {
    for my $pair (@pairs[0 .. 3]) {
        faults_are(map { [$pair, $_, 502] } qw(garbage http09 redis no_code
            nul_head big_head bad_chunk huge_chunk no_crlf));
    }
};

subtest 'bytes after an answer are not a part of it' => sub {
    for my $pair (@pairs) {
        for my $fault (qw(extra extra_chunked)) {
            my ($r, $c) = ask($pair, $fault);
            answered_ok($pair, $r, "$pair->{name} $fault");
            ($r) = ask($pair, 'good', on => $c);
            answered_ok($pair, $r, 'and the next');
            $c->close;
        }
    }
};

subtest 'what is not the API is 502' => sub {
    my $why = 'the upstream serves one connection after another';
    Test::Gateway->not_in(reload => $why, workers => $why);

    my @faults = qw(html html_as_api wrong_type other_format gzip
        unknown_encoding empty blank array null half_text trailing latin1
        twice types missing deep doctype no_content partial not_modified
        moved found moved_method teapot strange);

    for my $pair (@pairs) {
        faults_are(map { [$pair, $_, 502] } @faults);
    }
};

# of some versions of nginx the first are known, and left out
subtest 'interim answers are no answers' => sub {
    for my $pair (@pairs[0 .. 3]) {
        fault_is($pair, 'switching', 502);

        for my $fault (qw(continue hints)) {
            my ($r, $c) = ask($pair, $fault);
            $c->close;

            if ($r->status == 502) {
                refused_ok($pair, $r, 502, "$pair->{name} $fault: refused");
            } else {
                answered_ok($pair, $r, "$pair->{name} $fault: answered");
            }
        }
    }
};

subtest 'an upstream\'s errors are told in the client\'s dialect' => sub {
    for my $pair (@pairs) {
        fault_is($pair, 'html_404', 404);
        fault_is($pair, 'latin1_404', 404);
        fault_is($pair, 'long_404', 404);
        fault_is($pair, 'html_500', 500);
        fault_is($pair, 'html_503', 503);
        fault_is($pair, 'html_504', 504);

        # it is the gateway that is not let in, not the client
        fault_is($pair, 'html_401', 502);

        my ($r, $c) = ask($pair, 'html_401');
        is($r->header('WWW-Authenticate'), undef, 'nobody is asked to log in');
        ($r) = ask($pair, 'html_503', on => $c);
        is($r->header('Retry-After'), 7, 'when to try again is told');
        $c->close;
    }
};

subtest 'an upstream cannot make nginx serve something else' => sub {
    for my $pair (@pairs) {
        fault_is($pair, $_, qr/^50[02]$/)
            for qw(accel accel_named accel_good accel_self);

        my $start = time;
        my ($r, $c) = ask($pair, 'accel_rest');
        answered_ok($pair, $r, "$pair->{name}: other orders");
        cmp_ok(time - $start, '<', 1 * $slow, 'are not slow');
        $c->close;
    }
};

subtest 'an upstream\'s own headers are not passed on' => sub {
    for my $pair (@pairs) {
        my ($r, $c) = ask($pair, 'private');
        answered_ok($pair, $r, $pair->{name});

        my @names = map { lc $_->[0] } @{$r->headers};
        is_deeply([grep { !/^(?:server|date|content-type|content-length
            |connection|group-lost)$/x } @names], [], 'no more headers');
        is(scalar(grep { $_ eq 'server' } @names), 1, 'one Server');
        unlike($r->raw, qr/Secret/, 'not the upstream\'s');
        $c->close;
    }
};

subtest 'a connection to the upstream is kept when it can be' => sub {
    my $why = 'each worker keeps its own';
    Test::Gateway->not_in(reload => $why, workers => $why);

    my $pair = $more{kept};

    # all of these were read to their end
    my @faults = qw(good html html_404 gzip missing no_content chunked good);
    for my $fault (@faults) {
        my ($r, $c) = ask($pair, $fault);
        ok(!$r->error, "$fault: answered");
        $c->close;
    }
    is(scalar($counted->connections(1)), 1, 'one connection');

    # and these were not
    my $n = 1;
    for my $fault (qw(length_close bad_chunk extra)) {
        my ($r, $c) = ask($pair, $fault);
        ok(!$r->error, "$fault: answered");
        ($r) = ask($pair, 'good', on => $c);
        answered_ok($pair, $r, 'and the next');
        $c->close;
        is(scalar($counted->connections(++$n)), $n, "$fault: a new one");
    }
};

# The bodies that the upstreams took, first the one that died.
sub tries {
    my ($upstream) = @_;

    my @died = $upstream->connections;
    splice @died, 0, $upstream->{seen} // 0;
    $upstream->{seen} += @died;

    my @took = map { $_->{raw} } $takes->requests;
    $takes->clear;

    # of a name or of an address
    return map { s/^Host: .*?\r\n//mr } @died, @took;
}

subtest 'a request is repeated only when that does no harm' => sub {
    my ($pair, $r, @tries);

    my $client = sub {
        return $t->request(port => $t->port('more'), @_);
    };

    $r = $client->(uri => '/retryv/groups/x');
    is($r->status, 200, 'GET is repeated');
    @tries = tries($dies);
    is(scalar(@tries), 2, 'two tries');
    is($tries[0], $tries[1], 'of the same bytes');

    for my $pair ($more{retry}, $more{retryv}) {
        my ($r, $c) = ask($pair, 'none');
        refused_ok($pair, $r, 502, "$pair->{client}: POST is not");
        $c->close;
        @tries = tries($dies);
        is(scalar(@tries), 1, 'one try');
        like($tries[0], qr/^POST /, 'of a POST');
    }

    ($r) = ask($more{retryall}, 'none');
    answered_ok($more{retryall}, $r, 'unless it is told to be');
    @tries = tries($dies);
    is(scalar(@tries), 2, 'two tries');
    is($tries[0], $tries[1], 'of the same bytes');
    like($tries[0], qr/"name":"sales"/, 'of the whole body');

    ($r) = ask($more{retrydead}, 'none');
    answered_ok($more{retrydead}, $r, 'POST that nobody took is repeated');
    @tries = tries($dies);
    is(scalar(@tries), 1, 'as it has to be');

    $r = $client->(uri => '/retrynone/groups/x');
    is($r->status, 502, 'GET is not when that is off');
    is(scalar(tries($dies)), 1, 'one try');

    $r = $client->(uri => '/retryslow/groups/x');
    is($r->status, 200, 'GET is repeated after a timeout');
    is(scalar(tries($sleeps)), 2, 'two tries');

    ($r) = ask($more{retryslow}, 'none');
    refused_ok($more{retryslow}, $r, 504, 'POST is not');
    is(scalar(tries($sleeps)), 1, 'one try');

    # it is the upstream's method that counts
    $r = $client->(method => 'DELETE', uri =>
        '/retrypost/ffws/v1/contact_groups/alice/700551909773148160');
    refused_ok($more{retrypost}, $r, 502,
        'DELETE that becomes a POST is not');
    @tries = tries($dies);
    is(scalar(@tries), 1, 'one try');
    like($tries[0], qr/^POST /, 'of a POST');

    $r = $client->(method => 'POST', uri =>
        '/retryput/api/groups/'
        . 'MGE1OWIyZDgtOWQ0MS00YjdhLTliNWMtNmEzZDFlMmY0YzVi',
        json => {name => 'n'});
    is($r->status, 200, 'POST that becomes a PUT is') || diag($r->raw);
    @tries = grep { /^PUT / } tries($dies);
    is(scalar(@tries), 2, 'two tries of a PUT');
    is($tries[0], $tries[1], 'of the same bytes');
};

subtest 'proxy_intercept_errors shows nobody\'s pages' => sub {
    for my $pair (map { $more{"intercept$_"} } dialects()) {
        fault_is($pair, 'html_404', 404);
        fault_is($pair, 'html_503', 503);
        fault_is($pair, 'html_504', 504);
        fault_is($pair, 'html_500', qr/^50[02]$/);
        fault_is($pair, 'html_401', 502);
        fault_is($pair, 'close_at_once', 502);
        fault_is($pair, 'hang_at_once', 504) if $pair->{client} eq 'portsip';
    }
};

subtest 'a location without an upstream says so' => sub {
    for my $client (sort keys %none) {
        my %call = create($client);
        $t->mark;
        my $r = $t->request(%call, uri => "/none$client$call{uri}",
            port => $t->port('more'));
        refused_ok({client => $client}, $r, 500, $client);
        $t->like_log(qr/no upstream, is there a "proxy_pass"/, 'and logs');
    }
};

subtest 'a cache keeps what the upstream said' => sub {
    my $port = $t->port('more');
    my %get  = (port => $port, uri => '/cached/groups?maxItems=3000');

    $lists->clear;
    my $first  = $t->request(%get);
    my $second = $t->request(%get);
    is($first->status, 200, 'first');
    is($second->status, 200, 'second');
    is($second->body, $first->body, 'the same');
    is($second->header('Content-Length'), length $second->body, 'length');
    is(scalar($lists->requests), 1, 'asked once');

    # for a client of another dialect it is translated
    my $r = $t->request(port => $port,
        uri => '/cachedas/api/relay/rest/number_groups');
    is($r->status, 200, 'for another') || diag($r->raw);
    is(scalar(@{($r->json // {})->{data} // []}), 2000, 'all of it');
    my $again = $t->request(port => $port,
        uri => '/cachedas/api/relay/rest/number_groups');
    is($again->body, $r->body, 'again');

    # what is wrong stays wrong
    for my $fault (qw(html good)) {
        my ($r, $c) = ask($more{cachedbad}, $fault);
        refused_ok($more{cachedbad}, $r, 502, "$fault: from the cache");
        $c->close;
    }
};

subtest 'a body may come from a file' => sub {
    my $port = $t->port('more');

    for my $base (qw(threads threadscached threadscached sendfile stored
        dropped)) {
        my $r = $t->request(port => $port, uri => "/$base/groups");
        is($r->status, 200, $base) || diag(substr $r->raw, 0, 500);
        is(scalar(@{($r->json // {})->{groups} // []}), 2000, 'all of it');
        is($r->header('Content-Length'), length $r->body, 'length');
    }
};

# The time that nginx's processes have used, in seconds.
sub used {
    my $ticks = 0;
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my ($parent, $user, $system) = (<$fh> // '')
            =~ /^\d+ \(.*\) \S (\d+) (?:\S+ ){9}(\d+) (\d+)/ or next;
        $ticks += $user + $system if $parent == $t->{nginx};
    }
    return $ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

subtest 'a client may take its time' => sub {
    for my $uri ('/groups', '/tiny/api/relay/rest/number_groups') {
        for my $accept ('', "Accept-Encoding: gzip\r\n") {
            next if $accept && $uri !~ /tiny/;

            my $c = $t->client(port => $t->port('slow'));
            my $get = "GET $uri HTTP/1.1\r\nHost: a\r\n${accept}\r\n";
            $c->send($get x 3);
            sleep 0.05 * $slow;
            my $before = used();
            sleep 0.2;
            cmp_ok(used() - $before, '<', 0.1, 'nginx waits');

            for my $n (1 .. 3) {
                my $r = $c->response;
                $r->{body} = Compress::Zlib::memGunzip($r->body) if $accept;
                my $json = $r->json // {};
                is($r->status, 200, "$uri $n: status");
                is(scalar(@{$json->{groups} // $json->{data} // []}), 2000,
                    'all of it');
            }
            $c->close;
        }
    }

    # or leave
    my $c = $t->client(port => $t->port('slow'));
    $c->send("GET /groups HTTP/1.1\r\nHost: a\r\n\r\n" x 3);
    sleep 0.05;
    $c->reset;
};

subtest 'an answer may be compressed, and nobody else\'s is' => sub {
    my $port = $t->port('more');

    for my $client (dialects()) {
        my %call = create($client);
        $call{uri} = "/zip$client$call{uri}";
        push @{$call{headers}}, 'Accept-Encoding' => 'gzip';

        my $r = $t->request(%call, port => $port);
        if (created($client)->[0] == 200) {
            is($r->header('Content-Encoding'), 'gzip', "$client: compressed");
            $r->{body} = Compress::Zlib::memGunzip($r->body);
        }
        is($r->status, created($client)->[0], 'status');
        is(group_name($client, $r) // 'sales', 'sales', 'body')
            || diag($r->body);

        $r = $t->request(%call, port => $port,
            headers => [@{$call{headers}}, 'X-Fault' => 'gzip']);
        is($r->status, 502, 'an upstream\'s is refused');
        ok(defined error_text($client, $r), 'in the dialect')
            || diag($r->raw);
    }

    my @asked = $liar->connections;
    unlike($asked[-1], qr/Accept-Encoding/i, 'nobody asked for it');
};

subtest 'what a location adds is added once' => sub {
    my $port = $t->port('more');

    for my $client (dialects()) {
        for my $fault (qw(good html)) {
            my %call = create($client);
            my $r = $t->request(%call, uri => "/changed$client$call{uri}",
                headers => [@{$call{headers}}, 'X-Fault' => $fault],
                port    => $port);

            is($r->status, $fault eq 'html' ? 502 : created($client)->[0],
                "$client $fault: status");
            is_deeply([$r->header_all('X-Added')], ['yes'], 'a header');
            is(group_name($client, $r) // 'SALES', 'SALES', 'a change')
                if $fault eq 'good';
            ok($client eq 'vinyldns' || defined error_text($client, $r),
                'in the dialect')
                if $fault eq 'html';
            ok(!$r->error, 'whole');
        }
    }

    my ($r, $c) = ask($more{hidden}, 'private');
    answered_ok($more{hidden}, $r, 'headers that are let through');
    unlike($r->raw, qr/Secret|Set-Cookie/, 'are not ours to let through');
    fault_is($more{hidden}, 'accel', qr/^50[02]$/);
    $c->close;
};

$t->stop;
done_testing;
