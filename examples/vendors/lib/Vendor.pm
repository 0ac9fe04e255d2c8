package Vendor;
use Mojo::Base -base, -signatures;

# What the vendor emulators have in common: command line, daemon, journal of
# requests, switchable faults. Nothing here knows any vendor's API.
#
# Options every emulator has:
#
#   --listen URL          where to listen, default http://127.0.0.1:0 (port 0
#                         takes a free port; the ready line tells which);
#                         https works too, with ?cert=FILE&key=FILE or with
#                         Mojolicious' own test certificate
#   --latency MS          wait that long before each answer of the vendor
#   --with-parent[=PID]   stop when the parent process is gone; with its PID
#                         even when that was before the emulator was ready
#   --no-unknown-fields   refuse body fields the vendor's documents do not
#                         have; the real vendors mostly ignore them
#   --forbid-header NAME  refuse requests with this header, may be repeated
#   --compress            gzip larger answers when the client allows it
#   --journal N           how many requests to remember, default 10000
#   --verbose             one line per request on stderr
#
# Test helpers outside the vendor's namespace, without authentication:
#
#   GET    /_emulator/journal   the requests got, oldest first: a list of
#                               {method, target, path, query, version,
#                               headers, body, status, connection, time};
#                               target is path and query as on the wire,
#                               header names are in lower case, a repeated
#                               header has its values joined with ", "
#   DELETE /_emulator/journal   forget them
#   POST   /_emulator/reset     back to the state at start, without faults
#   POST   /_emulator/seed      create objects behind the vendor's back
#   GET    /_emulator/seed      the objects that exist without the API
#   POST   /_emulator/fault     make matching requests fail:
#                               {"method": "POST", "path": "regex",
#                               "after": 1, "times": 2, "status": 500,
#                               "body": "..", "content_type": "text/html",
#                               "headers": {}, "delay": 100,
#                               "processed": true, "close": true}; all are
#                               optional, times 0 is for ever, processed
#                               loses the answer but not the effect, close
#                               hangs up instead of answering
#   GET    /_emulator/fault     the faults that are set
#   DELETE /_emulator/fault     no faults any more

use Exporter qw(import);
use B ();
use Getopt::Long qw(GetOptionsFromArray);
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json);
use Mojo::Server::Daemon;
use Mojo::URL;
use Mojo::Util qw(b64_decode decode);
use POSIX qw(strftime);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(
    basic_credentials is_boolean is_string json_body media_type timestamp uuid
);

has [qw(app name)];

# Answers a request that the vendor has no route for.
has missing => sub { die 'missing handler needed' };

# Answers what no gateway should send, with the vendor's own 400.
has refuse => sub { die 'refuse handler needed' };

# Called at start and on reset; on seed; and for the list of seeded objects.
has [qw(on_reset on_seed on_seeded)];

# Headers of other vendors' protocols, or of the gateway's own clients.
has never => sub { [qw(Cookie Proxy-Authorization X-Amz-Date)] };

# Methods that never carry a body.
has bodiless => sub { [qw(GET HEAD DELETE)] };

has option => sub { {} };

has [qw(faults journal)] => sub { [] };

sub getopt ($self, @specs) {
    my $option = $self->option;
    %$option = (
        'listen'  => 'http://127.0.0.1:0',
        'latency' => 0,
        'journal' => 10000,
        %$option,
    );

    push @specs, 'listen=s', 'latency=f', 'with-parent:i', 'no-unknown-fields',
        'forbid-header=s@', 'compress', 'journal=i', 'verbose';

    my $usage = sprintf "usage: %s.pl %s\n", $self->name,
        join ' ', map { _usage($_) } @specs;

    my @words = @ARGV;
    if (!GetOptionsFromArray(\@words, $option, @specs, 'help')) {
        print STDERR $usage;
        exit 2;
    }

    if ($option->{help}) {
        print $usage;
        exit 0;
    }

    if (@words) {
        print STDERR $self->name, ": unexpected argument \"$words[0]\"\n";
        exit 2;
    }

    return $option;
}

sub _usage ($spec) {
    my ($name, $type) = $spec =~ /^([\w-]+)(=.)?/;
    return $type ? "[--$name VALUE]" : "[--$name]";
}

# The emulator's own routes come before the vendor's, so this is to be called
# before any route is declared.
sub install ($self) {
    my $app    = $self->app;
    my $option = $self->option;

    $app->mode('production');
    $app->log->level('fatal');
    $app->secrets(['emulator']);
    $app->renderer->compress($option->{compress} ? 1 : 0);
    $app->static->paths([])->classes([])->extra({});

    $app->hook(around_dispatch => sub ($next, $c) {
        $self->_receive($c, $next);
    });

    $app->hook(after_dispatch => sub ($c) { $self->_answered($c) });

    # An error of the emulator itself must not look like a vendor's answer.
    $app->helper('reply.exception' => sub ($c, $error) {
        print STDERR $self->name, ": $error";
        return $c->render(
            text   => "emulator error: $error",
            status => 599
        );
    });

    my $r = $app->routes->any('/_emulator');

    $r->get('/journal' => sub ($c) { $c->render(json => $self->journal) });
    $r->delete('/journal' => sub ($c) {
        $self->journal([]);
        $c->rendered(204);
    });

    $r->post('/reset' => sub ($c) {
        $self->reset;
        $c->rendered(204);
    });

    $r->get('/seed' => sub ($c) {
        $c->render(json => $self->on_seeded->());
    });
    $r->post('/seed' => sub ($c) {
        my $data = json_body($c);
        return $c->render(text => 'not a JSON object', status => 400)
            if ref $data ne 'HASH';
        $c->render(json => $self->on_seed->($data));
    });

    $r->get('/fault' => sub ($c) { $c->render(json => $self->faults) });
    $r->post('/fault' => sub ($c) {
        my $fault = json_body($c);
        return $c->render(text => 'not a JSON object', status => 400)
            if ref $fault ne 'HASH';

        my $path = $fault->{path} // '';
        return $c->render(text => "bad path: $@", status => 400)
            if !eval {qr/$path/};

        push @{$self->faults}, $fault;
        $c->render(json => $fault);
    });
    $r->delete('/fault' => sub ($c) {
        $self->faults([]);
        $c->rendered(204);
    });

    $r->any('/*rest' => {rest => ''} => sub ($c) {
        $c->render(text => 'no such emulator helper', status => 404);
    });

    $self->reset;

    return $self;
}

sub reset ($self) {
    $self->faults([]);
    $self->on_reset->();
    return $self;
}

# Runs the daemon; does not come back. The vendor's routes exist by now, so
# the last route catches what they leave.
sub run ($self) {
    my $option = $self->option;
    my $name   = $self->name;

    $self->app->routes->any('/*rest' => {rest => ''} => $self->missing);

    my $daemon = Mojo::Server::Daemon->new(
        app                => $self->app,
        listen             => [$option->{listen}],
        silent             => 1,
        max_requests       => 1_000_000,
        keep_alive_timeout => 60,
        inactivity_timeout => 120,
    );

    if (!eval { $daemon->start; 1 }) {
        my $why = $@ =~ s/ at \S+ line \d+.*//sr;
        print STDERR "$name: cannot listen on $option->{listen}: $why\n";
        exit 1;
    }

    local $SIG{INT}  = sub { exit 0 };
    local $SIG{TERM} = sub { exit 0 };

    # Perl's signal handlers wait for Perl code to run, so there is some now
    # and then even where nobody asks for the parent.
    my $watched = defined $option->{'with-parent'};
    my $parent  = $option->{'with-parent'} || getppid;
    Mojo::IOLoop->recurring(0.2 => sub {
        exit 0 if $watched && getppid != $parent;
    });

    my $url = Mojo::URL->new($option->{listen})->port($daemon->ports->[0]);
    my $at  = $url->query('')->path('')->to_string;

    STDOUT->autoflush(1);
    print "$name emulator listening on $at\n";

    Mojo::IOLoop->start;
    exit 0;
}

sub _receive ($self, $c, $next) {
    my $req    = $c->req;
    my $path   = $req->url->path->to_abs_string;
    my $query  = $req->url->query->to_string;
    my $target = length $query ? "$path?$query" : $path;

    # What is not parsed as HTTP did not reach the vendor's application.
    return $c->render(text => 'bad request', status => 400) if $req->error;

    return $next->() if $path =~ m{^/_emulator(?:/|$)};

    my $body    = $req->body;
    my $headers = $req->headers;
    my $entry   = {
        method     => $req->method,
        target     => $target,
        path       => $path,
        query      => $query,
        version    => $req->version,
        body       => decode('UTF-8', $body) // $body,
        connection => $c->tx->connection,
        time       => time,
        headers    => {map { (lc $_ => $headers->header($_)) }
                @{$headers->names}},
    };

    my $journal = $self->journal;
    push @$journal, $entry;
    shift @$journal while @$journal > $self->option->{journal};

    $c->stash('vendor.entry' => $entry, 'vendor.path' => $path);

    my $fault = $self->_fault($entry);
    my $work  = sub {
        return $self->_fail($c, $fault) if $fault && !$fault->{processed};
        $c->stash('vendor.fault' => $fault) if $fault;
        return $self->_dispatch($c, $next);
    };

    my $wait = $self->option->{latency} + ($fault ? $fault->{delay} // 0 : 0);
    return $work->() if $wait <= 0;

    my $tx = $c->tx;
    Mojo::IOLoop->timer($wait / 1000 => sub {
        undef $tx if !eval { $work->(); 1 } && !$c->reply->exception($@);
    });

    return;
}

sub _dispatch ($self, $c, $next) {
    my $req = $c->req;

    my ($unexpected) = grep { defined $req->headers->header($_) }
        @{$self->never}, @{$self->option->{'forbid-header'} // []};

    if (defined $unexpected) {
        print STDERR $self->name, ": unexpected header $unexpected\n";
        return $self->refuse->($c, "unexpected header $unexpected");
    }

    if (length $req->body && grep { $_ eq $req->method } @{$self->bodiless}) {
        print STDERR $self->name, ': body with ', $req->method, "\n";
        return $self->refuse->($c, 'unexpected body');
    }

    # The router would take an escaped slash for a separator and ignore a
    # slash at the end; the vendors do neither.
    my $raw = $c->stash('vendor.path');
    return $self->missing->($c) if $raw =~ m{.+/$};
    $req->url->path->parse($raw =~ s/%2F/%252F/gir);

    return $next->();
}

sub _fault ($self, $entry) {
    for my $fault (@{$self->faults}) {
        next if defined $fault->{method}
            && $fault->{method} ne $entry->{method};
        next if defined $fault->{path}
            && $entry->{target} !~ /$fault->{path}/;

        my $seen  = $fault->{seen}++;
        my $after = $fault->{after} // 0;
        my $times = $fault->{times} // 1;

        next if $seen < $after;
        next if $times && $seen >= $after + $times;

        return $fault;
    }

    return undef;
}

sub _fail ($self, $c, $fault) {
    if ($fault->{close}) {
        Mojo::IOLoop->remove($c->tx->connection);
        return $c->render_later;
    }

    $self->_spoil($c, $fault);
    return $c->rendered($fault->{status} // 500);
}

sub _spoil ($self, $c, $fault) {
    my $res  = $c->res;
    my $body = $fault->{body} // '';

    utf8::encode $body;
    $res->headers->remove('Content-Length');
    $res->headers->content_type($fault->{content_type} // 'text/html');
    $res->headers->header($_ => $fault->{headers}{$_})
        for keys %{$fault->{headers} // {}};
    $res->body($body);

    return;
}

# The answer is ready but not sent yet: the last chance to lose it.
sub _answered ($self, $c) {
    my $res   = $c->res;
    my $fault = $c->stash('vendor.fault');

    if ($fault) {
        if ($fault->{close}) {
            Mojo::IOLoop->remove($c->tx->connection);
            return;
        }

        $self->_spoil($c, $fault);
        $res->code($fault->{status} // 500);
    }

    $res->headers->remove('Server');

    my $entry = $c->stash('vendor.entry') or return;
    $entry->{status} = $res->code;

    print STDERR $self->name,
        ": $entry->{method} $entry->{target} $entry->{status}\n"
        if $self->option->{verbose};

    return;
}

# The fields of an object the documents do not name, when that is of interest.
sub unknown_fields ($self, $object, @known) {
    return if !$self->option->{'no-unknown-fields'};
    my %known = map { ($_ => 1) } @known;
    return sort grep { !$known{$_} } keys %$object;
}

# User and password, or nothing when there is no proper Basic header; two
# Authorization headers are joined with a comma and so are not proper.
sub basic_credentials ($c) {
    my $header = $c->req->headers->authorization // '';
    $header =~ m{^Basic ([A-Za-z0-9+/]+={0,2})$}i or return;

    my $text = decode('UTF-8', b64_decode $1) // return;
    $text =~ /^([^:]*):(.*)$/s or return;

    return ($1, $2);
}

sub is_boolean ($value) {
    return ref $value eq ref Mojo::JSON->true ? 1 : 0;
}

# Whether a decoded JSON scalar was a string, not a number.
sub is_string ($value) {
    return 0 if !defined $value || ref $value;
    return B::svref_2object(\$value)->FLAGS & B::SVf_POK ? 1 : 0;
}

# The decoded body, undef when it is no JSON.
sub json_body ($c) {
    return scalar eval { decode_json $c->req->body };
}

sub media_type ($c) {
    my $type = $c->req->headers->content_type // '';
    return lc $type =~ s/\s*;.*//sr;
}

sub timestamp ($epoch = time) {
    return strftime '%Y-%m-%dT%H:%M:%SZ', gmtime $epoch;
}

sub uuid () {
    my @word = map { int rand 65536 } 1 .. 8;
    $word[3] = $word[3] & 0x0fff | 0x4000;
    $word[4] = $word[4] & 0x3fff | 0x8000;
    return sprintf '%04x%04x-%04x-%04x-%04x-%04x%04x%04x', @word;
}

1;
