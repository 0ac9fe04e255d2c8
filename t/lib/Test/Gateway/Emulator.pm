package Test::Gateway::Emulator;

# A vendor's emulator, one of examples/vendors.
#
#   my $e = $t->emulator('vinyldns', domain => 'all', verbose => undef);
#
#   $e->port, $e->url
#   $e->journal              list of the requests that it got
#   $e->clear                forgets them
#   $e->reset                back to the state at start
#   $e->seed({...})          creates what the API cannot
#   $e->fault({...})         makes requests fail
#   $e->output               what it printed

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep time);

use Test::Gateway::Client;
use Test::Gateway::Message qw(json_encode);

sub start {
    my ($class, %self) = @_;

    my $self    = bless {%self}, $class;
    my $options = $self->{options};
    my @options;

    # a list of values is the option repeated, none is a switch
    for my $name (sort keys %$options) {
        my $value = $options->{$name};
        push @options, map { ("--$name", $_ // ()) }
            ref $value ? @$value : $value;
    }

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $self->{log};
        open STDERR, '>&', \*STDOUT;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        { no warnings 'exec'; exec $^X, $self->{script}, '--listen',
            $self->url, '--with-parent', @options; }
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    my $deadline = time + $self->{timeout};

    while ($self->output !~ /listening on/) {
        my $gone = waitpid($pid, POSIX::WNOHANG()) != 0;

        if ($gone || time > $deadline) {
            delete $self->{pid} if $gone;
            $self->stop;
            die "$self->{name} did not start:\n" . $self->output . "\n";
        }

        sleep 0.02;
    }

    return $self;
}

sub port    { return $_[0]{port} }
sub address { return "127.0.0.1:$_[0]{port}" }
sub url     { return "http://127.0.0.1:$_[0]{port}" }

sub output {
    my ($self) = @_;
    open my $fh, '<', $self->{log} or return '';
    local $/;
    return scalar(<$fh>) // '';
}

sub journal {
    my ($self) = @_;
    my $list = $self->_call('GET', 'journal')->json;
    return @{$list // []};
}

sub clear { return $_[0]->_call('DELETE', 'journal') }
sub reset { return $_[0]->_call('POST',   'reset') }

sub seed {
    my ($self, $what) = @_;
    return $self->_call($what ? 'POST' : 'GET', 'seed', $what)->json;
}

sub fault {
    my ($self, $what) = @_;
    return $self->_call($what ? 'POST' : 'DELETE', 'fault', $what);
}

sub _call {
    my ($self, $method, $what, $data) = @_;

    my $body   = defined $data ? json_encode($data) : '';
    my $client = Test::Gateway::Client->new(port => $self->{port});

    $client->send("$method /_emulator/$what HTTP/1.1\r\n"
            . "Host: 127.0.0.1\r\nConnection: close\r\n"
            . (length $body ? "Content-Type: application/json\r\n" : '')
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
    my $response = $client->response;
    $client->close;

    die "$self->{name}: $method $what: "
        . $response->status . ' ' . $response->body . "\n"
        if $response->status !~ /^2/;

    return $response;
}

sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    for my $signal (qw(TERM KILL)) {
        kill $signal => $pid;
        for (1 .. 100) {
            return if waitpid($pid, POSIX::WNOHANG()) != 0;
            sleep 0.02;
        }
    }

    return;
}

1;
