package Bench::Startup;

# What a large configuration costs: all dialects, 200 locations, beside the
# same locations without the module.

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep time);

use Bench::Process qw(memory worker workers);
use Bench::Report qw(median table);
use Test::Gateway;
use Test::Gateway::Vendors qw(client_credentials);

our @EXPORT_OK = qw(startup);

my $LOCATIONS = 200;
my @DIALECTS  = qw(signalwire vinyldns faxfinder portsip scim);

sub startup {
    my (%option) = @_;

    table("Start and reload with $LOCATIONS locations, medians of"
            . " $option{rounds}",
        ['', '`nginx -t` ms', 'reload ms', 'worker MB',
            "worker MB after $option{rounds} reloads"],
        [
            ['without the module', _measure(0, $option{rounds})],
            ['all dialects, each in front of each',
                _measure(1, $option{rounds})],
        ]);

    return;
}

sub _measure {
    my ($module, $rounds) = @_;

    my $t = Test::Gateway->new(variables => 0,
        $module ? () : (module => 0));
    my $server = _server($t, $module);

    my @test = map { _time(sub {
        my ($exit, $output) = $t->test_config($server);
        die $output if $exit;
    }) } 1 .. $rounds;

    $t->nginx(server => $server);
    my $rss    = memory(worker($t), 'VmRSS');
    my @reload = map { _reload($t) } 1 .. $rounds;
    my $later  = memory(worker($t), 'VmRSS');

    $t->stop;

    return map { sprintf '%.1f', $_ } median(@test), median(@reload),
        $rss / 1024, $later / 1024;
}

sub _server {
    my ($t, $module) = @_;

    my $credentials = client_credentials($t);
    my $server      = '';

    for my $i (0 .. $LOCATIONS - 1) {
        my $client   = $DIALECTS[$i % @DIALECTS];
        my $upstream = $DIALECTS[$i / @DIALECTS % (@DIALECTS - 1)];

        $server .= "location /$i/ {\n"
            . ($module ? "group_dialect $client;\n"
                . "group_upstream_dialect $upstream;\n"
                . "group_base_path /$i;\ngroup_credentials $credentials;\n"
                : '')
            . "proxy_pass http://127.0.0.1:1;\n}\n";
    }

    return $server;
}

sub _time {
    my ($do) = @_;
    my $from = time;
    $do->();
    return (time - $from) * 1000;
}

# Until there is a worker of the new configuration. The old one goes later.
sub _reload {
    my ($t) = @_;

    my $old = worker($t);
    my $new = sub { grep { $_ != $old } workers($t) };

    my $took = _time(sub {
        kill HUP => $t->{nginx};
        _until($new);
    });

    _until(sub { workers($t) == 1 });

    return $took;
}

sub _until {
    my ($true) = @_;

    my $deadline = time + 10;

    while (!$true->()) {
        die "no reload\n" if time > $deadline;
        sleep 0.0005;
    }

    return;
}

1;
