package Test::Gateway::Example;

# A folder of examples/, run as its README has it but for the ports, which are
# free ones here, and for the places that are others.
#
#   my $e = Test::Gateway::Example->new($t, 'move-to-portsip',
#       9311 => $signalwire->port, 9411 => $t->port('gateway'));
#   $t->nginx(conf => $e->conf('nginx.conf'));
#   $e->readme_holds;        # runs its curl lines
#
# Further instances of nginx get their files with install().

use strict;
use warnings;

use File::Copy qw(copy);
use Test::More;

# what is another one each time
my $UUID = qr/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/;
my $TIME = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/;

sub new {
    my ($class, $t, $name, %port) = @_;

    my $self = bless {
        t    => $t,
        dir  => $t->root . "/examples/$name",
        port => \%port,
    }, $class;

    return $self->install($t);
}

sub dir { return $_[0]{dir} }

# Files but the configuration, which conf() makes, and the README.
sub install {
    my ($self, $t) = @_;

    for my $file (glob "$self->{dir}/*") {
        next if $file !~ m{/([^/]+)\z} || $1 =~ /\.conf\z|\AREADME/;
        copy($file, $t->dir . "/$1") or die "$file: $!\n";
        chmod 0600, $t->dir . "/$1";
    }

    return $self;
}

# A file of nginx, with ports and places of this test; with ports that are
# others than those of new(), as on another node. "daemon off": the harness
# waits for its nginx.
sub conf {
    my ($self, $file, %port) = @_;

    my $t    = $self->{t};
    my $conf = $self->_ports($t->read_file("$self->{dir}/$file"), %port);

    $conf =~ s{^load_module \S*ngx_http_group_module\.so;}
        {"load_module " . $t->_module . ';'}me;
    $conf =~ s{(?:\.\./)+lua/(dialects|policies)}{%%ROOT%%/lua/$1}g;
    $conf = "user root root;\n$conf" if $> == 0;

    return "daemon off;\n$conf";
}

sub _ports {
    my ($self, $text, %port) = @_;

    %port = (%{$self->{port}}, %port);
    $text =~ s{\b(?<=127\.0\.0\.1:)(\d+)}
        {$port{$1} // die "port $1 of the example is not told\n"}ge;

    return $text;
}

# The same in prose, where there are other numbers, too.
sub _known {
    my ($self, $text) = @_;
    return $text =~ s/\b(\d{4})\b/$self->{port}{$1} \/\/ $1/ger;
}

# The README is of one screen, and each curl line in it gives what is shown
# below it: the status, the headers that are shown, and the body. Identifiers
# of vendors and times are any; "..." is whatever comes.
sub readme_holds {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $readme = $self->{t}->read_file("$self->{dir}/README.md");
    my @lines  = split /\n/, $readme;

    cmp_ok(scalar(@lines), '<=', 60, 'README: one screen');
    is_deeply([grep { length > 80 } @lines], [], 'README: its width');

    my $n = 0;
    while ($readme =~ /^```sh\n((?:curl|for) .*?)^```\n+^```\n(.*?)^```$/msg) {
        my ($command, $shown) = ($1, $2);
        $n++;
        $self->_shows($command, $shown);
    }

    ok($n, 'README: commands with what they show');
    return;
}

sub _shows {
    my ($self, $command, $shown) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($name) = $command =~ /\A([^\n]*)/;
    my $shell  = $self->_known($command) =~ s/\bcurl /curl -sS -m 20 /gr;
    my $got    = _bash($shell) =~ s/\r//gr;

    my ($head, $body) = _parts($got);
    my ($shown_head, $shown_body) = _parts($self->_known($shown));

    for my $line (split /\n/, $shown_head) {
        like("$head\n", qr/^\Q$line\E$/m, "README: $name: $line");
    }
    like(_plain($body), _pattern($shown_body), "README: $name: body")
        or diag($got);

    return;
}

sub _bash {
    my ($command) = @_;
    open my $fh, '-|', 'bash', '-c', "{ $command\n} 2>&1"
        or die "bash: $!\n";
    local $/;
    my $output = <$fh>;
    close $fh;
    return $output;
}

sub _parts {
    my ($text) = @_;
    return $text =~ /\A(HTTP\/.*?)\n(?:\n(.*))?\z/s
        ? ($1, $2 // '') : ('', $text);
}

# JSON may be shown in several lines.
sub _plain {
    my ($text) = @_;
    $text =~ s/$UUID/substr($&, 0, 8) eq '6e677267' ? $& : 'UUID'/ge;
    $text =~ s/$TIME/TIME/g;
    return $text =~ s/\s+//gr;
}

sub _pattern {
    my ($text) = @_;
    my $pattern = join '.*?', map { quotemeta } split /\.\.\./, _plain($text),
        -1;
    return qr/\A$pattern\z/s;
}

1;
