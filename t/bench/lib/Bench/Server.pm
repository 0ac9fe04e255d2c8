package Bench::Server;

# nginx as the upstreams of scenarios, and nginx as their gateways.
#
#   my $vendors = vendors($scenario, ...);
#   my $gateway = gateway($vendors, [$scenario, ...], option => ...);
#   my $port    = $gateway->port($scenario->{name});
#
# Options of gateway() are those of Test::Gateway and of its nginx(). Of each
# scenario there are three ports: NAME, NAME-h2 in HTTP/2, and NAME-check, for
# the same gateway in front of a recorder (see Bench::Check).

use strict;
use warnings;

use Exporter qw(import);

use Bench::Scenario ();
use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Samples qw(media_type);
use Test::Gateway::Vendors qw(client_credentials upstream_credentials);

our @EXPORT_OK = qw(
    vendors gateway answer body media_type_of ours
);

# modules that contenders need, by who does it
my %MODULES = (
    lua => [qw(ndk_http_module.so ngx_http_lua_module.so)],
    njs => [qw(ngx_http_js_module.so)],
);

# the gateway's core, and the one for all others
our ($GATEWAY_CORE, $OTHER_CORE) = _cores();

# What all have alike: no logs, connections that stay, bodies in memory.
my $HTTP = <<'END';
    access_log               off;
    error_log                %%DIR%%/error.log error;
    keepalive_requests       1000000000;
    keepalive_timeout        1h;
    client_max_body_size     16m;
    client_body_buffer_size  2m;
    proxy_buffers            64 16k;
    proxy_busy_buffers_size  32k;
    proxy_http_version       1.1;
    proxy_set_header         Connection "";
END

my $UPSTREAM = <<'END';
upstream %s {
    server             127.0.0.1:%d;
    keepalive          32;
    keepalive_requests 1000000000;
    keepalive_timeout  1h;
}
END

sub ours { return grep { $_->{by} =~ /^(?:module|nginx)$/ } @_ }

sub body {
    my ($body) = @_;
    return ref $body ? json_encode($body) : $body;
}

sub media_type_of {
    my ($body) = @_;
    return media_type($body =~ /^</ ? 'faxfinder' : 'signalwire');
}

# An answer as Test::Gateway::Upstream wants it.
sub answer {
    my ($answer) = @_;
    my $body = body($answer->[1]);
    return [$answer->[0], ['Content-Type' => media_type_of($body)], $body];
}

# The first and the last that we may run on.
sub _cores {
    open my $fh, '<', '/proc/self/status' or return (0, 0);
    my ($list) = map { /^Cpus_allowed_list:\s*(\S+)/ } <$fh>;
    my @cores = ($list // 0) =~ /(\d+)/g;
    return @cores[0, -1];
}

sub _affinity {
    my ($core) = @_;
    return sprintf "worker_cpu_affinity %b;\n", 1 << $core;
}


## upstreams

sub vendors {
    my (@scenarios) = @_;

    my $t = Test::Gateway->new(module => 0);
    $t->nginx(
        globals => _affinity($OTHER_CORE),
        events  => 'worker_connections 4096;',
        http    => $HTTP,
        servers => join('', map { _vendor($_) } @scenarios),
    );

    return $t;
}

sub _vendor {
    my ($scenario) = @_;

    my $upstream = $scenario->{upstream};
    my $conf     = "server {\nlisten 127.0.0.1:%%PORT:$scenario->{name}%%;\n";

    for my $call (sort keys %$upstream) {
        my ($method, $path) = split / /, $call;
        my ($status, $headers, $body) = @{answer($upstream->{$call})};

        # a parameter has less than 4096 bytes
        my @parts = $body =~ /(.{1,4000})/gs;
        $conf .= "location = $path {\ndefault_type $headers->[1];\n"
            . join('', map { "set \$part$_ '$parts[$_]';\n" } 0 .. $#parts)
            . "return $status \"" . join('', map { "\${part$_}" }
                0 .. $#parts) . "\";\n}\n";
    }

    return "$conf}\n";
}


## gateways

sub gateway {
    my ($vendors, $scenarios, %option) = @_;

    my %by      = map { $_->{by} => 1 } @$scenarios;
    my %conf    = map { ($_ => delete $option{$_} // '') } qw(globals http);
    my $modules = _modules_path();

    my $t = Test::Gateway->new(variables => 0,
        $by{module} ? () : (module => 0), %option);

    my %file = (
        CREDENTIALS          => client_credentials($t),
        UPSTREAM_CREDENTIALS => upstream_credentials($t, 'vinyldns'),
    );

    for my $by (keys %MODULES) {
        $conf{globals} .= "load_module $modules/$_;\n"
            for $by{$by} ? @{$MODULES{$by}} : ();
    }

    my $servers = '';

    for my $scenario (@$scenarios) {
        my $name = $scenario->{name};
        my %port = (
            ''       => $vendors->port($name),
            '-check' => $t->port("$name-recorder"),
        );

        $conf{http} .= _contender($scenario, 'http.conf', %file);

        for my $kind (sort keys %port) {
            my $upstream = "$name$kind-upstream";

            $servers .= sprintf($UPSTREAM, $upstream, $port{$kind})
                . "server {\nlisten 127.0.0.1:%%PORT:$name$kind%%;\n"
                . ($kind ? '' : "listen 127.0.0.1:%%PORT:$name-h2%% http2;\n")
                . _locations($scenario, %file, UPSTREAM => $upstream)
                . "}\n";
        }
    }

    $t->nginx(
        globals => _affinity($GATEWAY_CORE) . $conf{globals},
        events  => 'worker_connections 4096;',
        http    => $HTTP . $conf{http},
        servers => $servers,
    );

    return $t;
}

sub _modules_path {
    my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
    my ($path) = `$nginx -V 2>&1` =~ /--modules-path=(\S+)/;
    return $path // '/usr/lib/nginx/modules';
}

sub _locations {
    my ($scenario, %name) = @_;

    return _contender($scenario, "$scenario->{by}.conf", %name)
        if !defined $scenario->{location};

    return _fill("location / {\n$scenario->{location}"
            . "    proxy_pass http://\@UPSTREAM\@;\n}\n",
        %name, DIR => $Bench::Scenario::DIR);
}

# A contender's own file, if there is one.
sub _contender {
    my ($scenario, $file, %name) = @_;

    my $dir = "$Bench::Scenario::DIR/contenders";
    $file = "$scenario->{by}-$file" if $file eq 'http.conf';

    open my $fh, '<', "$dir/$file" or return '';
    local $/;

    return _fill(scalar <$fh>, %name, DIR => "$dir/$scenario->{by}");
}

sub _fill {
    my ($text, %name) = @_;
    return $text =~ s/\@([A-Z_]+)\@/$name{$1} \/\/ die "\@$1\@?\n"/ger;
}

1;
