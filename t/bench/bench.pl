# The benchmark of the gateway: what it costs over a bare proxy_pass, and what
# the same costs in Lua and njs. Run by "make bench ARGS=...":
#
#   --rounds N       how often each contender has its turn, default 5
#   --seconds N      for how long, default 3
#   --connections N  of the client, default 16
#   --section NAME   only this; may be repeated: contenders, http2, members,
#                    concurrency, startup, memory
#   --only NAME      only this contender (and bare proxy_pass); may be repeated
#   --markdown       tables as README has them
#
# Contenders are those of lib/Bench/Scenario.pm. The gateway's worker runs on
# the first core, its client and upstream on the last one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use Getopt::Long qw(GetOptions);
use POSIX qw(strftime);

use Bench::Memory qw(request_memory);
use Bench::Process qw(machine);
use Bench::Report qw(note);
use Bench::Startup qw(startup);
use Bench::Timing qw(concurrency contenders http2 members);

my @SECTIONS = (
    [contenders  => \&contenders],
    [http2       => \&http2],
    [members     => \&members],
    [concurrency => \&concurrency],
    [startup     => \&startup],
    [memory      => \&request_memory],
);

my $command = join ' ', 'make bench', @ARGV ? "ARGS='@ARGV'" : ();

GetOptions(
    'rounds=i'      => \(my $rounds      = 5),
    'seconds=i'     => \(my $seconds     = 3),
    'connections=i' => \(my $connections = 16),
    'section=s'     => \my @sections,
    'only=s'        => \my @only,
    'markdown'      => \$Bench::Report::MARKDOWN,
    'help'          => \my $help,
) or exit 2;

if ($help) {
    open my $fh, '<', $0 or die "$0: $!\n";
    while (<$fh>) { print s/^# ?//r if /^#/ .. /^$/ }
    exit;
}

my %wanted = map { $_ => 1 } @sections;
$| = 1;

my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
my ($version) = `$nginx -v 2>&1` =~ m{(nginx/\S+)};

note(machine(), strftime('%Y-%m-%d', localtime) . ", $version, `$command`");

for my $section (@SECTIONS) {
    my ($name, $run) = @$section;
    next if @sections && !$wanted{$name};

    $run->(
        rounds      => $rounds,
        seconds     => $seconds,
        connections => $connections,
        only        => \@only,
    );
}
