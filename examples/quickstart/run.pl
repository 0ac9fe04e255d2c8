#!/usr/bin/env perl

# The quick start: four emulated vendors, and nginx as a gateway before them,
# all on 127.0.0.1, until Ctrl-C. `make run` calls it.
#
#   perl run.pl --dir build/quickstart [--check]
#
# --check runs the lines that are otherwise printed to be copied, says which
# of them did not give what they should, and ends.
#
# From the Debian package, without a clone: the installed module and dialects,
# and a directory "quickstart" in the current one.
#
# Environment: QUICKSTART_VENDOR_PORT (first of the vendors' ports, 9101),
# QUICKSTART_GATEWAY_PORT (first of the gateway's ports, 9201),
# TEST_NGINX_BINARY, TEST_NGINX_MODULE.

use strict;
use warnings;

use Cwd qw(abs_path);
use Fcntl qw(O_CREAT O_TRUNC O_WRONLY);
use File::Basename qw(basename);
use File::Path qw(make_path);
use FindBin;
use Getopt::Long qw(GetOptions);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

my @VENDORS = qw(signalwire vinyldns faxfinder portsip);
my @CLIENTS = (@VENDORS, 'scim');

my $here = $FindBin::Bin;
my $root = abs_path("$here/../..");
my $check;

# a clone, or the documentation of the package
my ($dir, $dialects, $built) = -d "$root/lua/dialects"
    ? ("$root/build/quickstart", "$root/lua/dialects",
        "$root/build/ngx_http_group_module.so")
    : ('quickstart', '/usr/share/nginx/lua/group/dialects',
        '/usr/lib/nginx/modules/ngx_http_group_module.so');

GetOptions('dir=s' => \$dir, 'check' => \$check)
    or die "usage: run.pl [--dir DIR] [--check]\n";

my $vendor_port  = $ENV{QUICKSTART_VENDOR_PORT}  // 9101;
my $gateway_port = $ENV{QUICKSTART_GATEWAY_PORT} // 9201;

my (%vendor, %gateway);
@vendor{@VENDORS}  = $vendor_port .. $vendor_port + $#VENDORS;
@gateway{@CLIENTS} = $gateway_port .. $gateway_port + $#CLIENTS;

# Lines to copy; with each, what its output has to match.
my $signalwire = "http://127.0.0.1:$gateway{signalwire}/api/relay/rest";
my $faxfinder  = "http://127.0.0.1:$gateway{faxfinder}/ffws/v1";
my $vinyldns   = "http://127.0.0.1:$gateway{vinyldns}";
my $portsip    = "http://127.0.0.1:$gateway{portsip}/api";
my $scim       = "http://127.0.0.1:$gateway{scim}/scim/v2";
my $json       = "-H 'Content-Type: application/json'";
my $xml        = "-H 'Content-Type: application/xml'";
my $sign       = '--aws-sigv4 aws:amz:us-east-1:VinylDNS';

my @demo = (
    ['A SignalWire client makes a group; it is kept in VinylDNS.',
        "curl -u demo:secret $json \\\n"
            . "    -d '{\"name\":\"sales\"}' $signalwire/number_groups",
        qr/"name":"sales".*"phone_number_count"/],
    ['The same group, in VinylDNS itself.',
        "curl $sign \\\n    -u okAccessKey:okSecretKey "
            . "http://127.0.0.1:$vendor{vinyldns}/groups",
        qr/"name":"sales"/],
    ['And as a FaxFinder client sees it.',
        "curl -u demo:secret $faxfinder/contact_groups/demo",
        qr{<name>sales</name>}],
    ['A FaxFinder client makes one, in XML.',
        "curl -u demo:secret $xml -d \\\n    '<contact_group><name>billing"
            . "</name></contact_group>' \\\n    "
            . "$faxfinder/contact_groups/demo",
        qr{<contact_group_url>}],
    ['A PortSIP client makes one.',
        "curl -H 'Authorization: Bearer demo-token' $json \\\n"
            . "    -d '{\"name\":\"support\"}' $portsip/groups",
        qr/"id"/],
    ['An identity provider makes one through SCIM.',
        "curl -H 'Authorization: Bearer demo-token' \\\n"
            . "    -H 'Content-Type: application/scim+json' \\\n"
            . "    -d '{\"displayName\":\"staff\"}' $scim/Groups",
        qr/"displayName":"staff"/],
    ['A VinylDNS client, FaxFinder has no email: see Group-Lost.',
        "curl -i $sign \\\n    -u demoAccessKey:demoSecretKey $json "
            . "\\\n    -d '{\"name\":\"ops\",\"email\":\"ops\@test.com\","
            . "\"members\":[{\"id\":\"1\"}],\"admins\":[{\"id\":\"1\"}]}'"
            . " \\\n    $vinyldns/groups",
        qr/Group-Lost: .*email.*"name":"ops"/s],
    ['What is wrong is said in the words of the client\'s vendor.',
        "curl -u demo:secret $json \\\n"
            . "    -d '{\"name\":\"\"}' $signalwire/number_groups",
        qr/"code":"missing_required_parameter"/],
);

my %running;

$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 0 };

my $self = $$;
END {
    if (defined $self && $self == $$) {
        my $exit = $?;
        stop();
        $? = $exit;
    }
}

my $nginx  = find_nginx();
my $module = $ENV{TEST_NGINX_MODULE} // $built;
-f $module or die "quickstart: no $module; run make first\n";

require_free($vendor{$_}, 'QUICKSTART_VENDOR_PORT') for @VENDORS;
require_free($gateway{$_}, 'QUICKSTART_GATEWAY_PORT') for @CLIENTS;

make_path($dir);
$dir = abs_path($dir);
write_conf();

for my $name (@VENDORS) {
    start($name, $^X, "$root/examples/vendors/$name.pl", '--with-parent',
        '--listen', "http://127.0.0.1:$vendor{$name}");
}
wait_for("$_ emulator", $_, $vendor{$_}) for @VENDORS;

unlink "$dir/error.log";
start('nginx', $nginx, '-p', "$dir/", '-c', "$dir/nginx.conf",
    '-e', "$dir/error.log");
wait_for('nginx', 'nginx', $gateway{$_}) for @CLIENTS;

exit check() if $check;

print_help();

# until a signal, or something ends that should not
while ((my $pid = wait) > 0) {
    my $name = delete $running{$pid} // next;
    print STDERR "quickstart: $name ended:\n", output($name);
    exit 1;
}


sub find_nginx {
    return $ENV{TEST_NGINX_BINARY} if $ENV{TEST_NGINX_BINARY};

    for my $path (split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin') {
        return "$path/nginx" if -x "$path/nginx";
    }

    die "quickstart: no nginx in PATH; run make deps,"
        . " or set TEST_NGINX_BINARY\n";
}

sub require_free {
    my ($port, $variable) = @_;

    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
        Listen => 1, ReuseAddr => 1
    );
    die "quickstart: cannot listen on 127.0.0.1:$port: $!;\n"
        . "set $variable to the first of four free ports\n"
        if !$socket;

    return;
}

sub write_conf {
    my %value = (
        MODULE   => abs_path($module),
        DIALECTS => $dialects,

        # as root, nginx's workers would not be allowed to use its files
        USER => $> == 0 ? 'user root root;' : '',
        (map { (uc $_ => $vendor{$_}) } @VENDORS),
        (map { (uc($_) . '_GATEWAY' => $gateway{$_}) } @CLIENTS),
    );

    open my $in, '<', "$here/nginx.conf" or die "$here/nginx.conf: $!\n";
    my $conf = do { local $/; <$in> };
    $conf =~ s/^#.*\n//mg;
    $conf =~ s/\@([A-Z_]+)\@/$value{$1} \/\/ die "no value for $1\n"/ge;

    write_file('nginx.conf', $conf);

    # git does not keep the mode that secrets ought to have
    for my $file (glob "$here/*.json") {
        open my $json, '<', $file or die "$file: $!\n";
        local $/;
        write_file(basename($file), scalar <$json>);
    }

    return;
}

sub write_file {
    my ($name, $text) = @_;

    sysopen my $out, "$dir/$name", O_WRONLY | O_CREAT | O_TRUNC, 0600
        or die "$dir/$name: $!\n";
    print {$out} $text;
    close $out or die "$dir/$name: $!\n";

    return;
}

sub start {
    my ($name, @command) = @_;

    my $pid = fork // die "quickstart: fork: $!\n";

    if (!$pid) {
        undef $self;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);

        # Ctrl-C is for this script only, which stops the others in order
        setpgrp 0, 0;
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', "$dir/$name.out";
        open STDERR, '>&', \*STDOUT;
        { no warnings 'exec'; exec @command; }
        print STDERR "cannot run $command[0]: $!\n";
        POSIX::_exit(127);
    }

    $running{$pid} = $name;

    return;
}

sub output {
    my ($name) = @_;

    my $text = '';
    for my $file ("$dir/$name.out", $name eq 'nginx' ? "$dir/error.log" : ())
    {
        open my $fh, '<', $file or next;
        $text .= join '', <$fh>;
    }

    return $text;
}

sub wait_for {
    my ($what, $name, $port) = @_;

    my $deadline = time + 20;

    while (time < $deadline) {
        return if IO::Socket::INET->new(
            PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp'
        );

        my ($pid) = grep { $running{$_} eq $name } keys %running;
        if (waitpid($pid, WNOHANG) != 0) {
            delete $running{$pid};
            die "quickstart: $what did not start:\n" . output($name);
        }

        sleep 0.05;
    }

    die "quickstart: $what does not listen on port $port\n";
}

sub stop {
    # nginx first, it has connections to the others
    for my $pid (sort { $running{$a} cmp $running{$b} } keys %running) {
        my $name = delete $running{$pid};

        for my $signal ($name eq 'nginx' ? 'QUIT' : (), 'TERM', 'KILL') {
            kill $signal => $pid;
            my $deadline = time + 2;
            my $gone = 0;
            while (!$gone && time < $deadline) {
                $gone = waitpid($pid, WNOHANG) != 0;
                sleep 0.02 if !$gone;
            }
            last if $gone;
        }
    }

    return;
}

sub print_help {
    $| = 1;

    print "\nVendors, emulated:  ",
        join(', ', map { "$_ :$vendor{$_}" } @VENDORS), "\n",
        "Gateway, for their clients:  ",
        join(', ', map { "$_ :$gateway{$_}" } @CLIENTS), "\n",
        "Files, logs:  $dir\n",
        "Configuration:  $here/nginx.conf\n\n",
        "In another terminal:\n";

    for (@demo) {
        my ($text, $command) = @$_;
        print "\n# $text\n$command\n";
    }

    print "\nCtrl-C stops everything.\n";

    return;
}

sub check {
    my $failed = 0;

    for (@demo) {
        my ($text, $command, $expected) = @$_;

        my $shell = $command =~ s/\Acurl/curl -sS -m 20/r;
        my $output = `$shell 2>&1`;
        my $ok = $output =~ $expected;

        print $ok ? 'ok' : 'NOT OK', "  $text\n";
        print "$command\n$output\nexpected: $expected\n" if !$ok;
        $failed++ if !$ok;
    }

    if ($failed) {
        my ($log) = output('nginx');
        print "\nnginx logged:\n", grep { !/\[(?:notice|info)\]/ }
            map { "$_\n" } split /\n/, $log;
    }

    return $failed ? 1 : 0;
}
