#!/usr/bin/perl

# The README from its first configuration to its first rule, as somebody who is
# new walks it: the files, the commands and the answers are those of the text.
# Only ports are others, and what takes a while is waited for.

use strict;
use warnings;

use Test::More;

use Cwd qw(abs_path);
use File::Temp ();
use FindBin;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

BEGIN {
    eval { require Mojolicious; 1 }
        or plan skip_all => 'Mojolicious is not installed';
}

my $ROOT   = abs_path("$FindBin::Bin/..");
my $BINARY = $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';
my $MODULE = $ENV{TEST_NGINX_MODULE}
    // "$ROOT/build/ngx_http_group_module.so";
my $WAIT   = 30;

# what is another one each time
my $UUID = qr/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/;

my %port = (8080 => free_port(), 9003 => free_port());
my $dir  = File::Temp->newdir;
my $text = ports(slurp("$ROOT/README.md"));
my @started;

# workers may be of another user
chmod 0755, $dir or die "$dir: $!\n";
mkdir "$dir/$_" or die "$dir/$_: $!\n" for qw(build first);
symlink "$ROOT/$_", "$dir/$_" or die "$dir/$_: $!\n" for qw(lua examples);
symlink $MODULE, "$dir/build/ngx_http_group_module.so"
    or die "$MODULE: $!\n";

END {
    my $exit = $?;
    kill 'TERM', @started;
    quit();
    $? = $exit;
}

subtest 'first configuration' => sub {
    my ($commands, $shown) = blocks('First configuration', 'make a group:');

    file("first/$_") for qw(gateway.conf clients.json vinyldns.json nginx.conf);

    shown_is(run($commands), $shown);
    is((stat "$dir/first/clients.json")[2] & 0777, 0600, 'for the owner only');
};

subtest 'trying translations' => sub {
    my ($locations, $curl) = blocks('Trying translations', 'and add');

    # "move the group_ lines out of its location, into the server"
    my $conf = slurp("$dir/first/gateway.conf");
    my @moved;
    push @moved, "    $1\n" while $conf =~ s/^ {8}(group_.*)\n\n?//m;
    is(scalar @moved, 7, 'lines that move');

    $conf =~ s{^(?=    location / \{)}{join '', @moved, "\n", $locations}me
        or die "no location\n";
    save('first/gateway.conf', $conf);

    reload();

    like(get('/console'), qr/<!doctype html>/i, 'the page');
    like(get('/console?config'), qr{"/dry"}, 'knows what to ask');

    my $said = run($curl);
    like($said, qr/"calls":\[\{"call":1,.*"method":"POST","uri":"\/groups"/,
        'the call');
    like($said, qr/"lost":\["sticky_sender"\]/, 'what is lost');
};

subtest 'a first rule' => sub {
    my (undef, $lines, $commands, $shown)
        = blocks('A first rule', 'run for each request:');

    file('first/team.lua');

    my $conf = slurp("$dir/first/gateway.conf");
    $conf =~ s{^(?=    location / \{)}{$lines\n}m or die "no location\n";
    save('first/gateway.conf', $conf);

    reload();

    shown_is(run($commands), $shown);

    my ($log) = $text =~ /^`first\/access\.log` says why, too: `\.\.\. (.*?)`\./m
        or die "the README does not show the log\n";
    like(slurp("$dir/first/access.log"), qr/\Q$log\E$/m, 'the log');
};

subtest 'the end' => sub {
    my ($quit) = $text =~ /`(nginx -p first \S+ \S+ -s quit)` stops nginx/
        or die "the README does not stop nginx\n";

    command($quit);

    wait_for(sub { !-e "$dir/first/nginx.pid" });

    unlike(slurp("$dir/first/error.log"),
        qr/\[(?:warn|crit|alert|emerg)\]|Sanitizer|runtime error/,
        'nothing to worry about in the log');
};

done_testing();


# Each line that is shown is in what came, in its order; headers that nginx
# adds are not shown.
sub shown_is {
    my ($got, $shown) = @_;

    $_ = s/$UUID/<uuid>/gr for $got, $shown;
    $got =~ s/\r//g;

    my @want = split /\n/, $shown;
    my @got  = split /\n/, $got;

    for my $line (@want) {
        next if $line eq '';
        shift @got while @got && index($got[0], $line) < 0;
        ok(scalar @got, $line) or diag("came:\n$got");
    }

    return;
}

# The fenced blocks of a section, from some words on.
sub blocks {
    my ($section, $from) = @_;

    my ($body) = $text =~ /^## \Q$section\E\n(.*?)^## /ms
        or die "the README has no \"$section\"\n";
    $body =~ s/.*?\Q$from\E//s or die "\"$section\" has no \"$from\"\n";

    return $body =~ /^```\w*\n(.*?)^```$/msg;
}

# The file that a line of the README begins with.
sub file {
    my ($name) = @_;

    $text =~ /^`\Q$name\E`.*?^```\w*\n(.*?)^```$/ms
        or die "the README has no $name\n";

    return save($name, $1);
}

# Line by line: what is left running has to listen first.
sub run {
    my ($commands) = @_;
    my $out = '';

    $commands =~ s/\\\n//g;

    for my $line (split /\n/, $commands) {
        if ($line =~ s/ &\z//) {
            start($line);

        } else {
            $out .= command($line) . "\n";
        }
    }

    return $out;
}

sub command {
    my ($line) = @_;

    my $preload = $ENV{TEST_GROUP_ASAN}
        ? "LD_PRELOAD='$ENV{TEST_GROUP_ASAN}' " : '';

    # its own mistakes are in the log; leaks of a nginx that ends are Debian's
    my $nginx = "nginx() { ASAN_OPTIONS=detect_leaks=0 $preload'$BINARY'"
        . ' "$@"; }';

    open my $file, '>', "$dir/command" or die "$dir/command: $!\n";
    print {$file} "cd '$dir'\n$nginx\n$line\n";
    close $file or die "$dir/command: $!\n";

    my $out = qx(sh '$dir/command' 2>'$dir/stderr');
    is($?, 0, $line) or diag($out, slurp("$dir/stderr"));

    wait_for(sub { get('/') ne '' })
        if $line =~ /\Anginx/ && $line !~ / -[st]\b/;

    return $out;
}

# Until the old workers take no more requests.
sub reload {
    my $gone  = qr/gracefully shutting down/;
    my $count = () = slurp("$dir/first/error.log") =~ /$gone/g;

    command('nginx -p first -c nginx.conf -s reload');
    wait_for(sub {
        my $now = () = slurp("$dir/first/error.log") =~ /$gone/g;
        return $now > $count && get('/') ne '';
    });

    return;
}

sub start {
    my ($line) = @_;

    my ($port) = $line =~ /127\.0\.0\.1:(\d+)/ or die "$line: no port\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        chdir $dir or die "$dir: $!\n";
        open STDOUT, '>', '/dev/null' or die "/dev/null: $!\n";
        open STDERR, '>&', \*STDOUT or die "dup: $!\n";
        exec split / /, $line or die "$line: $!\n";
    }

    push @started, $pid;

    wait_for(sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
    });
    pass($line);

    return;
}

sub wait_for {
    my ($true) = @_;
    my $end = time + $WAIT;

    until ($true->()) {
        die "waited for too long\n" if time > $end;
        sleep 0.05;
    }

    return;
}

sub get {
    my ($uri) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port{8080}, Timeout => 10) or return '';

    print {$socket} "GET $uri HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
    local $/;

    return <$socket> // '';
}

sub quit {
    return if !$dir || !-s "$dir/first/nginx.pid";
    kill 'TERM', slurp("$dir/first/nginx.pid") =~ /(\d+)/;
    return;
}

sub ports {
    my ($readme) = @_;
    return $readme =~ s/\b(?<=127\.0\.0\.1:)(\d+)/$port{$1} \/\/ $1/ger;
}

sub free_port {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "listen: $@\n";
    return $socket->sockport;
}

sub save {
    my ($name, $content) = @_;

    open my $file, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print {$file} $content;
    close $file or die "$dir/$name: $!\n";

    return;
}

sub slurp {
    my ($name) = @_;

    open my $file, '<', $name or die "$name: $!\n";
    local $/;

    return <$file> // '';
}
