package Test::Gateway;

# The harness of t/*.t: a real nginx with the module, its upstreams and its
# clients, all on 127.0.0.1, all gone when the test ends.
#
#   use Test::Gateway;
#   use Test::More;
#
#   my $t = Test::Gateway->new;
#   my $u = $t->upstream([200, [], {id => 1}]);
#
#   $t->nginx(server => <<"END");
#   location / {
#       group_dialect signalwire;
#       proxy_pass http://127.0.0.1:@{[$u->port]};
#   }
#   END
#
#   my $r = $t->request(method => 'POST', uri => '/x', json => {a => 1});
#   is($r->status, 200);
#
# The test fails when nginx logged an alert, crit or emerg, or a sanitizer's
# finding, that expect_log() did not announce.
#
# Environment:
#
#   TEST_NGINX_BINARY     nginx to run, default the one in PATH
#   TEST_NGINX_MODULE     module to load, default build/*.so
#   TEST_GROUP_WORKERS=n  worker processes, default 1
#   TEST_GROUP_HTTP2=1    request() speaks HTTP/2
#   TEST_GROUP_TINY=1     the smallest buffers, bodies in files
#   TEST_GROUP_RELOAD=1   a reload before each request()
#   TEST_GROUP_DEBUG=1    error_log at debug
#   TEST_GROUP_MODULES=1  beside Debian's Lua and njs modules, both at work
#   TEST_GROUP_VALGRIND=1 under valgrind's memcheck
#   TEST_GROUP_ASAN=lib   libasan to preload, for a module built with ASAN=1
#   TEST_GROUP_KEEP=1     keeps the directory and says where it is

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Gateway::Client;
use Test::Gateway::Emulator;
use Test::Gateway::HTTP2 qw(exchange);
use Test::Gateway::Message
    qw(header_values json_decode json_encode pairs);
use Test::Gateway::RawUpstream;
use Test::Gateway::Response;
use Test::Gateway::SigV4 qw(sign);
use Test::Gateway::Upstream;

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');

# what a line of the access log has, beside the module's variables
my @ACCESS = qw(
    remote_port request_method request_uri status bytes_sent upstream_addr
    upstream_status upstream_response_time
);
my @GROUP = qw(
    operation dialect upstream_dialect principal scopes outcome error id name
    lost calls policy_time
);

my (@all, $owner);

# Options: workers, debug, module (0: none), variables (names, without
# "group_", that go to the access log; 0: none of them), wrapper (a command
# that runs nginx), neighbours (loads Debian's Lua and njs modules, too).
sub new {
    my ($class, %option) = @_;

    my $keep = $ENV{TEST_GROUP_KEEP};
    my $temp = File::Temp->newdir('group-XXXXXX',
        TMPDIR => 1, CLEANUP => $keep ? 0 : 1);

    my $self = bless {
        workers => $ENV{TEST_GROUP_WORKERS} || 1,
        asked_from => '',
        debug   => $ENV{TEST_GROUP_DEBUG},
        %option,
        temp     => $temp,
        dir      => "$temp",
        port     => {},
        http2    => {},
        locks    => [],
        servers  => [],
        expected => [],
        mark     => 0,
        checked  => 0,
    }, $class;

    # nginx may run its workers as another user
    chmod 0755, $self->{dir};
    diag("kept: $self->{dir}") if $keep;

    $owner //= $$;
    push @all, $self;

    return $self;
}

sub dir  { return $_[0]{dir} }
sub root { return $ROOT }

# How much longer things take in this weather.
sub patience {
    return $ENV{TEST_GROUP_VALGRIND} ? 20 : $ENV{TEST_GROUP_ASAN} ? 3 : 1;
}

sub http2 { return $ENV{TEST_GROUP_HTTP2} ? 1 : 0 }

# What cannot be in a weather is skipped there, and says why: a whole file, or
# the subtest that this is called in.
#
#   Test::Gateway->not_in(valgrind => 'it has its own memory', debug => ...);
sub not_in {
    my (undef, @why) = @_;

    while (my ($weather, $why) = splice @why, 0, 2) {
        plan(skip_all => "not with $weather: $why")
            if $ENV{'TEST_GROUP_' . uc $weather};
    }

    return;
}

# Where a module of nginx's own packages is; nothing when there is none, or
# another nginx is tested, which would not take it.
sub neighbour {
    my ($self, $name) = @_;

    my $built = qx('@{[$self->_binary]}' -V 2>&1);
    my ($path) = $built =~ /--modules-path=(\S+)/;
    my $file = ($path // '') . "/ngx_${name}_module.so";
    $file =~ s/ngx_ndk_http/ndk_http/;

    return -f $file ? $file : ();
}


## ports

# A port by its name, the same one each time; without a name, the one that
# nginx listens on.
sub port {
    my ($self, $name) = @_;
    return $self->{port}{$name // ''} //= $self->_free_port;
}

# A port that nobody listens on, and will not.
sub refused_port {
    my ($self) = @_;
    return $self->_free_port;
}

# Below the ports that the system gives to clients. The UDP socket keeps the
# number from tests that run at the same time.
sub _free_port {
    my ($self) = @_;

    for (1 .. 1000) {
        my $port = 20000 + int rand 10000;

        my $lock = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'udp'
        ) or next;
        my $free = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
            Listen => 1, ReuseAddr => 1
        ) or next;
        close $free;

        push @{$self->{locks}}, $lock;
        return $port;
    }

    die "no free port\n";
}

# The parameters of "listen" for servers that a test writes itself; on such a
# port, request() speaks HTTP/2 when it is to.
sub listen {
    my ($self, $name) = @_;

    my $port = $self->port($name);
    return "127.0.0.1:$port" if !$self->http2;

    $self->{http2}{$port} = 1;
    return "127.0.0.1:$port http2";
}


## files

sub write_file {
    my ($self, $name, $content, $mode) = @_;

    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";
    make_path(dirname($path));

    open my $fh, '>:raw', $path or die "$path: $!\n";
    print {$fh} $content;
    close $fh or die "$path: $!\n";
    chmod $mode, $path if defined $mode;

    return $path;
}

sub read_file {
    my ($self, $name) = @_;

    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";
    open my $fh, '<:raw', $path or return '';
    local $/;

    return scalar(<$fh>) // '';
}

# A file for group_credentials. Each credential is a hash as in the file, but
# may have "secret" or "token" in clear, which are hashed.
sub credentials {
    my ($self, $name, @credentials) = @_;

    for (@credentials) {
        my %credential = %$_;
        for my $key (qw(secret token)) {
            my $clear = delete $credential{$key} // next;
            $credential{"${key}_sha256"} = sha256_hex($clear);
        }
        $_ = \%credential;
    }

    return $self->write_file($name,
        json_encode({credentials => \@credentials}), 0600);
}


## nginx

# Writes nginx.conf and starts nginx. Each a text, all optional:
#
#   globals, events, http, server   inside these blocks
#   servers                         more server blocks
#   conf                            the whole file, instead of the above
#
# %%DIR%%, %%ROOT%%, %%PORT%% and %%PORT:name%% in it are replaced.
sub nginx {
    my ($self, %conf) = @_;

    die "nginx runs already\n" if $self->{nginx};

    my $text = $self->conf(%conf);

    $self->_spawn("$self->{dir}/nginx.conf");
    $self->_wait_for_ports($text);

    return $self;
}

# Writes nginx.conf only; reload() makes a running nginx read it.
sub conf {
    my ($self, %conf) = @_;

    my $text = $self->_conf_text('error.log', %conf);
    $self->write_file('nginx.conf', $text);

    return $text;
}

# (exit code, output) of nginx -t; a text alone is the one of a server. What
# is logged then does not count as logged by the nginx that may be running.
sub test_config {
    my ($self, @conf) = @_;

    my %conf = @conf == 1 ? (server => $conf[0]) : @conf;
    $self->write_file('test.conf', $self->_conf_text('test.log', %conf));

    my $out = "$self->{dir}/test.out";
    unlink $out;
    my $pid = $self->_fork_exec($out, $out, $self->_binary, '-t',
        '-p', $self->{dir}, '-c', "$self->{dir}/test.conf", '-e', 'stderr');
    waitpid $pid, 0;
    my $exit = $? & 127 ? 128 + ($? & 127) : $? >> 8;

    my $output = $self->read_file('test.out');
    my @bad    = _sanitizer($output);
    fail('nginx -t without a finding of a sanitizer') if @bad;
    diag($output) if @bad;

    return ($exit, $output);
}

# The two that nearly all tests of the configuration are made of.

sub config_ok {
    my ($self, $conf, $name) = @_;

    my ($exit, $output) = $self->test_config(ref $conf ? %$conf : $conf);
    my $ok = $exit == 0;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($ok, $name // 'configuration is accepted') or diag($output);

    return $ok;
}

sub config_fails {
    my ($self, $conf, $like, $name) = @_;

    my ($exit, $output) = $self->test_config(ref $conf ? %$conf : $conf);
    $output = "accepted:\n$output" if $exit == 0;
    $output = "exit code $exit:\n$output" if $exit > 1;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $like = qr/\A(?!accepted:|exit code)(?=.*$like)/s;

    return like($output, $like, $name // "configuration is refused");
}

sub _conf_text {
    my ($self, $log, %conf) = @_;

    my $text = $conf{conf} // $self->_build_conf($log, %conf);

    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%ROOT%%/$ROOT/g;
    $text =~ s/%%PORT%%/$self->port/ge;
    $text =~ s/%%PORT:([\w-]+)%%/$self->port($1)/ge;

    return $text;
}

sub _build_conf {
    my ($self, $log, %conf) = @_;

    my ($globals, $events, $http, $server, $servers)
        = map { $_ // '' } @conf{qw(globals events http server servers)};

    my @head = (
        'daemon off;',
        'pid %%DIR%%/nginx.pid;',
        "error_log %%DIR%%/$log " . ($self->{debug} ? 'debug;' : 'info;'),
    );

    push @head, "worker_processes $self->{workers};"
        if !_has($globals, 'worker_processes');

    # a temporary directory is the user's own
    push @head, 'user root root;' if $> == 0 && !_has($globals, 'user');

    push @head, $self->_neighbours
        if $ENV{TEST_GROUP_MODULES} || $self->{neighbours};

    my $module = $self->_module;
    push @head, "load_module $module;" if $module;

    my @http = map { "${_}_temp_path %%DIR%%/$_;" }
        qw(client_body proxy fastcgi uwsgi scgi);

    push @http, $self->_access_log if !_has($http, 'access_log');
    push @http, 'group_dialect_path %%ROOT%%/lua/dialects;'
        if $module && !_has($http, 'group_dialect_path');
    push @http, _tiny("$http\n$server\n$servers") if $ENV{TEST_GROUP_TINY};
    push @http, _busy_neighbours("$http\n$server\n$servers")
        if $ENV{TEST_GROUP_MODULES};

    my @listen = $self->listen;
    push @listen, '127.0.0.1:%%PORT:http1%%' if $self->http2;

    return join "\n", @head, $globals,
        'events {', (_has($events, 'worker_connections') ? ()
            : 'worker_connections 512;'), $events, '}',
        'http {', @http, $http,
        'server {', (map { "listen $_;" } @listen), 'server_name localhost;',
        $server, '}',
        $servers, '}', '';
}

# Whether a text of the configuration sets a directive.
sub _has {
    my ($text, $directive) = @_;
    return $text =~ /^\s*\Q$directive\E\s/m;
}

sub _neighbours {
    my ($self) = @_;

    my @files = map { $self->neighbour($_) } qw(ndk_http http_lua http_js);
    die "no Lua and njs modules for this nginx\n" if @files != 3;

    return map {"load_module $_;"} @files;
}

# Lua in each phase of every request and subrequest, and a VM that collects
# garbage in between; unless the test has its own.
sub _busy_neighbours {
    my ($text) = @_;

    return grep { /^(\w+)/ && !_has($text, $1) } (
        'init_worker_by_lua_block {
            local function work()
                local t = {}
                for i = 1, 1000 do t[i] = ("x"):rep(i % 100) .. i end
                collectgarbage("step")
            end
            assert(ngx.timer.every(0.05, work))
        }',
        'rewrite_by_lua_block { ngx.ctx.uri = ngx.var.request_uri }',
        'access_by_lua_block { ngx.ctx.access = { #ngx.var.uri } }',
        'header_filter_by_lua_block { ngx.ctx.header = ngx.status }',
        'body_filter_by_lua_block {
            ngx.ctx.size = (ngx.ctx.size or 0) + #ngx.arg[1]
        }',
        'log_by_lua_block { assert(ngx.ctx.size == nil or ngx.ctx.header) }',
    );
}

sub _access_log {
    my ($self) = @_;

    my @group
        = !$self->_module ? ()
        : !defined $self->{variables} ? @GROUP
        : ref $self->{variables} ? @{$self->{variables}}
        :                          ();

    my $format = join ',', (map { "\"$_\":\"\$$_\"" } @ACCESS),
        map { "\"$_\":\"\$group_$_\"" } @group;

    return "log_format test_group escape=json '{$format}';",
        'access_log %%DIR%%/access.log test_group;';
}

# Every buffer that nginx has, as small as it goes; but what the test sets
# itself stays, and the sizes for proxy_pass have to fit each other.
sub _tiny {
    my ($text) = @_;

    my @tiny = (
        'client_header_buffer_size 128;',
        'client_body_buffer_size 16;',
        'client_body_in_file_only clean;',
        'output_buffers 1 64;',
        'postpone_output 0;',
    );

    push @tiny, 'proxy_buffer_size 1k;', 'proxy_buffers 2 1k;',
        'proxy_busy_buffers_size 1k;'
        if $text !~ /\bproxy_(?:busy_)?buffer/;

    return grep { /^(\w+)/ && !_has($text, $1) } @tiny;
}

sub _binary {
    return $ENV{TEST_NGINX_BINARY} if $ENV{TEST_NGINX_BINARY};

    for my $dir (split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin') {
        return "$dir/nginx" if -x "$dir/nginx";
    }

    die "no nginx in PATH; set TEST_NGINX_BINARY\n";
}

sub _module {
    my ($self) = @_;

    return $self->{module} if defined $self->{module};

    my $module = $ENV{TEST_NGINX_MODULE}
        // "$ROOT/build/ngx_http_group_module.so";
    die "no module $module; run make, or set TEST_NGINX_MODULE\n"
        if !-f $module;

    return $self->{module} = abs_path($module);
}

sub _spawn {
    my ($self, $conf) = @_;

    my @command = ($self->_binary, '-p', $self->{dir}, '-c', $conf,
        '-e', "$self->{dir}/error.log");

    unshift @command, 'valgrind', '--tool=memcheck', '--leak-check=no',
        '--num-callers=24',
        "--suppressions=$ROOT/t/valgrind.supp",
        "--log-file=$self->{dir}/valgrind.%p"
        if $ENV{TEST_GROUP_VALGRIND};
    unshift @command, @{$self->{wrapper} // []};

    my $err = "$self->{dir}/stderr";
    $self->{nginx} = $self->_fork_exec($err, $err, @command);
    $self->_guard;

    return;
}

# A test that is killed cannot stop its nginx: a process that waits for the
# end of the test does it then.
sub _guard {
    my ($self) = @_;

    pipe my $read, my $write or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        close $write;
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        $SIG{$_} = 'IGNORE' for qw(INT TERM HUP);

        # a byte says that nginx was stopped; the end of the pipe, that there
        # is no more test
        if (!sysread $read, my $byte, 1) {
            kill TERM => $self->{nginx};
            remove_tree($self->{dir}) if !$ENV{TEST_GROUP_KEEP};
        }

        POSIX::_exit(0);
    }

    close $read;
    $self->{guard} = {pid => $pid, write => $write};

    return;
}

sub _unguard {
    my ($self) = @_;

    my $guard = delete $self->{guard} or return;
    syswrite $guard->{write}, '.';
    close $guard->{write};
    waitpid $guard->{pid}, 0;

    return;
}

sub _fork_exec {
    my ($self, $stdout, $stderr, @command) = @_;

    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;

    # Not the test's own output: who reads that would wait for nginx, too.
    open STDIN,  '<',  '/dev/null';
    open STDOUT, '>>', $stdout;
    open STDERR, '>>', $stderr;

    $ENV{LD_PRELOAD} = $ENV{TEST_GROUP_ASAN} if $ENV{TEST_GROUP_ASAN};
    $ENV{ASAN_OPTIONS} //= 'detect_leaks=0:detect_odr_violation=0';
    $ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1';

    { no warnings 'exec'; exec @command; }
    print STDERR "cannot run $command[0]: $!\n";
    POSIX::_exit(127);
}

sub _wait_for_ports {
    my ($self, $text) = @_;

    my %port = map { $_ => 1 }
        $text =~ /^\s*(?:server\s*\{\s*)?listen\s+127\.0\.0\.1:(\d+)/mg;
    my $deadline = time + 10 * $self->patience;

    for my $port (keys %port) {
        while (1) {
            last if IO::Socket::INET->new(
                PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp'
            );

            my $gone = waitpid($self->{nginx}, POSIX::WNOHANG()) != 0;
            if ($gone || time > $deadline) {
                if ($gone) {
                    delete $self->{nginx};
                    $self->_unguard;
                }
                my $why = $self->read_file('stderr')
                    . $self->read_file('error.log');
                $self->{checked} = length $self->read_file('error.log');
                die "nginx did not start:\n$why\n";
            }

            sleep 0.02;
        }
    }

    return;
}

# Makes nginx read nginx.conf again; true when it did and the old workers
# take no more connections.
sub reload {
    my ($self) = @_;

    my $from = length $self->read_file('error.log');
    my $workers  = $self->{workers};
    my $deadline = time + 10 * $self->patience;

    # it listens before it knows what to do with signals
    sleep 0.01 while !-s "$self->{dir}/nginx.pid" && time < $deadline;
    kill HUP => $self->{nginx};

    while (time < $deadline) {
        my $log = substr $self->read_file('error.log'), $from;

        return 0 if $log =~ /\[emerg\]/;

        my $new = () = $log =~ /start worker process \d/g;
        my $old = () = $log =~ /gracefully shutting down/g;
        return 1 if $new >= $workers && $old >= $workers;

        sleep 0.02;
    }

    diag('no reload within the time');
    return 0;
}

# Ends nginx and looks at what it logged.
sub stop {
    my ($self, $signal) = @_;

    if (my $pid = delete $self->{nginx}) {
        my $patience = $self->patience;
        my $exit;

        # Gracefully, so that nginx tells of connections that were left open;
        # but a connection that hangs must not hold up the test.
        for ([$signal // 'QUIT', 3], ['TERM', 3], ['KILL', 5]) {
            my ($kill, $seconds) = @$_;
            kill $kill => $pid;
            $exit = _wait_for($pid, $seconds * $patience);
            last if defined $exit;
        }

        $self->_unguard;
        $self->_problem('nginx could not be stopped') if !defined $exit;
        $self->_problem("nginx ended with exit code " . ($exit >> 8)
                . ' signal ' . ($exit & 127))
            if $exit;
    }

    $self->_check_log;

    return;
}

sub _wait_for {
    my ($pid, $seconds) = @_;

    my $deadline = time + $seconds;

    while (time < $deadline) {
        my $got = waitpid $pid, POSIX::WNOHANG();
        return $? if $got == $pid;
        return 0  if $got < 0;
        sleep 0.01;
    }

    return;
}


## logs

# A line of error.log that would fail the test may, or will, be there.
sub expect_log {
    my ($self, @patterns) = @_;
    push @{$self->{expected}}, @patterns;
    return;
}

# What follows looks at what is logged from now on.
sub mark {
    my ($self) = @_;
    $self->{mark} = length $self->read_file('error.log');
    return;
}

sub log {
    my ($self) = @_;
    return substr $self->read_file('error.log'), $self->{mark};
}

# nginx logs after it has answered: a line is waited for.
sub like_log {
    my ($self, $pattern, $name) = @_;

    my $deadline = time + 3 * $self->patience;
    sleep 0.02 while $self->log !~ $pattern && time < $deadline;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok($self->log =~ $pattern, $name // "logged: $pattern")
        || diag("error.log:\n" . _tail($self->log, 20));
}

sub unlike_log {
    my ($self, $pattern, $name) = @_;

    sleep 0.05;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @lines = grep { $_ =~ $pattern } split /\n/, $self->log;
    return ok(!@lines, $name // "not logged: $pattern")
        || diag(join "\n", @lines);
}

# The lines of access.log, once there are that many, as hashes by the names of
# variables; the module's without their "group_".
sub access {
    my ($self, $at_least) = @_;

    my $deadline = time + 3 * $self->patience;
    my @lines;

    while (1) {
        # a line that is being written is not one yet
        @lines = $self->read_file('access.log') =~ /^(.*)\n/mg;
        last if @lines >= ($at_least // 0) || time > $deadline;
        sleep 0.02;
    }

    my @access;
    for my $line (@lines) {
        my $entry = eval { json_decode($line) };
        push @access, $entry // {malformed => $line};
    }

    return @access;
}

# How many lines there are, once those of all that was answered are there.
sub settled_access {
    my ($self) = @_;

    my ($before, $now) = (-1, 0);

    while ($now != $before) {
        sleep 0.05 * $self->patience;
        ($before, $now) = ($now, scalar $self->access);
    }

    return $now;
}

# The line of the last request(), when those before it have theirs, too: of
# several workers one may write later than another.
sub last_access {
    my ($self) = @_;

    my $port   = $self->{asked_from};
    my @access = $self->access($self->{requests});
    my @ours   = grep { ($_->{remote_port} // '') eq $port } @access;

    return @ours ? $ours[-1] : $access[-1];
}

sub _tail {
    my ($text, $n) = @_;
    my @lines = split /\n/, $text;
    splice @lines, 0, @lines - $n if @lines > $n;
    return join "\n", @lines, '';
}

# What sanitizers found, each with the lines that follow: where it was.
# nginx's workers have error.log as their stderr.
sub _sanitizer {
    my ($text) = @_;
    my $line = qr/[^\n]*(?:\n|\z)/;
    return $text =~ /^([^\n]*(?:ERROR:[ ]\w+Sanitizer|runtime[ ]error:)
        $line(?:(?!\d{4}\/)$line){0,30})/mgx;
}

sub _check_log {
    my ($self) = @_;

    my $log = substr $self->read_file('error.log'), $self->{checked};
    $self->{checked} += length $log;

    my $err = $self->read_file('stderr');
    rename "$self->{dir}/stderr", "$self->{dir}/stderr.checked";

    my @bad = grep { /\[(?:alert|crit|emerg)\]/ } split /\n/, $log;
    for my $expected (@{$self->{expected}}) {
        @bad = grep { $_ !~ $expected } @bad;
    }

    $self->_problem("error.log: $_") for @bad;
    $self->_problem("sanitizer: $_") for _sanitizer("$err\n$log");

    $self->_check_valgrind;

    return;
}

# Only what has our own functions in its stack.
sub _check_valgrind {
    my ($self) = @_;

    for my $file (glob "$self->{dir}/valgrind.*") {
        my $text = $self->read_file($file);
        unlink $file;

        $text =~ s/^==\d+== ?//mg;
        for my $report (split /\n\s*\n/, $text) {
            next if $report !~ /^ +(?:at|by) 0x/m;
            $self->_problem("valgrind:\n$report")
                if $report =~ /ngx_(?:http_)?group_/;
        }
    }

    return;
}

# A failed test; after the end of the test script, an exit code.
sub _problem {
    my ($self, $what) = @_;

    $self->{problems}++;
    fail('nothing bad happened in nginx') if !$self->{ending};
    diag($what);

    return;
}


## upstreams

# A code ref, or the answers in their order: see Test::Gateway::Upstream.
sub upstream {
    my ($self, @answers) = @_;

    my %how
        = @answers == 1 && ref $answers[0] eq 'CODE'
        ? (handler => $answers[0])
        : (queue => \@answers);

    return $self->_server('Test::Gateway::Upstream', 'upstream', %how);
}

# Scripts, one for each connection: see Test::Gateway::RawUpstream.
sub raw_upstream {
    my ($self, @scripts) = @_;
    return $self->_server('Test::Gateway::RawUpstream', 'raw',
        scripts => \@scripts);
}

sub _server {
    my ($self, $class, $name, %option) = @_;

    my $server = $class->start(
        %option,
        dir  => $self->{dir},
        name => $name . @{$self->{servers}},
        port => $self->_free_port,
    );
    push @{$self->{servers}}, $server;

    return $server;
}

# Starts examples/vendors/NAME.pl; options as on its command line, without
# the dashes: see Test::Gateway::Emulator.
sub emulator {
    my ($self, $name, %option) = @_;

    my $emulator = Test::Gateway::Emulator->start(
        name    => $name,
        options => \%option,
        script  => "$ROOT/examples/vendors/$name.pl",
        log     => "$self->{dir}/$name" . @{$self->{servers}} . '.out',
        port    => $self->_free_port,
        timeout => 20,
    );
    push @{$self->{servers}}, $emulator;

    return $emulator;
}


## clients

# A connection for requests that no client library would send.
sub client {
    my ($self, %option) = @_;

    return Test::Gateway::Client->new(
        timeout => 10 * $self->patience,
        port    => $self->port($self->http2 ? 'http1' : undef),
        %option
    );
}

# Sends these bytes on a connection of their own, returns the response.
sub raw {
    my ($self, $bytes, %option) = @_;

    my $head   = $bytes =~ /^HEAD /;
    my $client = $self->client(%option);
    $client->send($bytes);
    my $response = $client->response(head => $head);
    $client->close;

    return $response;
}

# One request. Options:
#
#   method, uri, headers (hash, list or pairs), body (bytes; a list of bytes
#   is sent in chunks), json (becomes the body), timeout, port
#   auth => [user, password]
#   bearer => token
#   sigv4 => {access_key, secret_key, ...}   see Test::Gateway::SigV4
#   http1 => 1    in HTTP/1.1 even if TEST_GROUP_HTTP2 is set
#   client => $c  on that connection, which stays open
sub request {
    my ($self, @option) = @_;

    $self->{requests}++;

    my %option = (method => 'GET', uri => '/', @option);
    my $headers = [@{pairs($option{headers})}];
    my $body    = $option{body};

    if (exists $option{json}) {
        $body = json_encode($option{json});
        push @$headers, ['Content-Type', 'application/json']
            if !header_values($headers, 'Content-Type');
    }

    unshift @$headers, ['Host', 'localhost']
        if !header_values($headers, 'Host');
    push @$headers, ['Authorization', $self->basic(@{$option{auth}})]
        if $option{auth};
    push @$headers, ['Authorization', "Bearer $option{bearer}"]
        if defined $option{bearer};

    $headers = sign(
        method  => $option{method},
        uri     => $option{uri},
        headers => $headers,
        body    => ref $body ? join('', @$body) : $body // '',
        %{$option{sigv4}}
    ) if $option{sigv4};

    # who has a connection already would lose it
    $self->reload
        if $ENV{TEST_GROUP_RELOAD} && $self->{nginx} && !$option{client};

    my $http2 = $self->{http2}{$option{port} // $self->port}
        && !$option{http1} && !$option{client};

    return $http2
        ? $self->_http2($headers, $body, %option)
        : $self->_http1($headers, $body, %option);
}

sub get  { my $self = shift; return $self->_short('GET',  @_) }
sub post { my $self = shift; return $self->_short('POST', @_) }
sub put  { my $self = shift; return $self->_short('PUT',  @_) }
sub del  { my $self = shift; return $self->_short('DELETE', @_) }

sub _short {
    my ($self, $method, $uri, %option) = @_;
    return $self->request(method => $method, uri => $uri, %option);
}

sub basic {
    my ($self, $user, $password) = @_;
    return 'Basic ' . encode_base64("$user:$password", '');
}

sub _http1 {
    my ($self, $headers, $body, %option) = @_;

    my $framed = header_values($headers, 'Content-Length')
        || header_values($headers, 'Transfer-Encoding');

    if (ref $body) {
        push @$headers, ['Transfer-Encoding', 'chunked'] if !$framed;
        $body = join('', map { sprintf "%x\r\n%s\r\n", length, $_ } @$body)
            . "0\r\n\r\n";

    } elsif (defined $body && !$framed) {
        push @$headers, ['Content-Length', length $body];
    }

    push @$headers, ['Connection', 'close']
        if !$option{client} && !header_values($headers, 'Connection');

    my $bytes = join '', "$option{method} $option{uri} HTTP/1.1\r\n",
        (map { "$_->[0]: $_->[1]\r\n" } @$headers), "\r\n", $body // '';

    my $client = $option{client} // $self->client(
        (defined $option{port} ? (port => $option{port}) : ()),
        (defined $option{timeout} ? (timeout => $option{timeout}) : ()),
    );

    $self->{asked_from} = $client->local_port;

    $client->send($bytes);
    my $response = $client->response(head => $option{method} eq 'HEAD');
    $client->close if !$option{client};

    return $response;
}

sub _http2 {
    my ($self, $headers, $body, %option) = @_;

    my $timeout = $option{timeout} // 10 * $self->patience;
    my $client  = $self->client(port => $option{port} // $self->port,
        timeout => $timeout);

    $self->{asked_from} = $client->local_port;

    my $response = exchange($client,
        method  => $option{method},
        uri     => $option{uri},
        headers => $headers,
        body    => $body,
        timeout => $timeout,
    );
    $client->close;

    return $response;
}


## the end

# What a signal interrupts is cleaned up as well; and so is a test whose output
# nobody reads any more.
$SIG{$_} //= sub { exit 1 } for qw(INT TERM HUP PIPE);

sub _finish {
    my $problems = 0;

    for my $self (splice @all) {
        $self->{ending} = 1;
        $self->stop;
        $_->stop for splice @{$self->{servers}};
        $problems += $self->{problems} // 0;

        diag("error.log ends with:\n"
                . _tail($self->read_file('error.log'), 15))
            if !Test::More->builder->is_passing
            && length $self->read_file('error.log');
    }

    return $problems;
}

END {
    # not in what the test forked
    if (defined $owner && $owner == $$) {
        my $exit     = $?;
        my $problems = _finish();
        $? = $exit || ($problems ? 1 : 0);
    }
}

1;
