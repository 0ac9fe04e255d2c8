package Test::Gateway::Faults;

# An upstream that answers well, unless it is told to fail: by a header that
# the client sends and the gateway lets through.
#
#   X-Fault: group.create=reset_at_once, member.add:2=cut40
#
# is "the call of that kind fails so", the first one or the one with that
# number in its path. What comes before "=" is a name that the test's own
# answer function gives to a call; "all" is any.
#
#   my $u = faulty($t, sub {
#       my ($request) = @_;      # {method, uri, body, header, raw}
#       return ['group.get', 200, ['Content-Type' => ...], $body];
#   });
#   my @calls = asked($u, 'case-7');    # those with X-Case: case-7, so far
#
# Faults are cut<n> and rst<n> (hangs up, or resets, after n bytes of a good
# answer) and those of %FAULT.

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep);

use Test::Gateway::Message qw(parse_head);

our @EXPORT_OK = qw(%FAULT asked faulty message sized);

# status, headers and body to bytes
sub message {
    my ($status, $headers, $body, $start) = @_;

    my @pairs = @$headers;
    my $head  = $start // "HTTP/1.1 $status Whatever";
    while (my ($name, $value) = splice @pairs, 0, 2) {
        $head .= "\r\n$name: $value";
    }

    return "$head\r\n\r\n$body";
}

sub sized {
    my ($status, $headers, $body) = @_;
    return message($status, $headers, $body) if $status == 204;
    return message($status, [@$headers, 'Content-Length' => length $body],
        $body);
}

sub chunked {
    my ($status, $headers, @rest) = @_;
    return message($status, [@$headers, 'Transfer-Encoding' => 'chunked'],
        join '', @rest);
}

sub chunk { return sprintf "%x\r\n%s\r\n", length $_[0], $_[0] }

# Each gets status, headers and body of the good answer and returns bytes, and
# what is done after them: "close", "reset", "hang", or ["drip", seconds].
our %FAULT = (
    good   => sub { (sized(@_), 'close') },
    drip   => sub { (sized(@_), ['drip', 0.001]) },
    drip_chunks => sub {
        my ($status, $headers, $body) = @_;
        (chunked($status, $headers, (map { chunk($_) } split //, $body),
            chunk('')), ['drip', 0.001]);
    },

    close_at_once  => sub { ('', 'close') },
    reset_at_once  => sub { ('', 'reset') },
    close_in_line  => sub { ('HTTP/1.1 2', 'close') },
    reset_in_line  => sub { ('HTTP/1.1 2', 'reset') },
    close_in_head  => sub { (substr(sized(@_), 0, 30), 'close') },
    reset_in_head  => sub { (substr(sized(@_), 0, 30), 'reset') },
    close_in_body  => sub { (substr(sized(@_), 0, -1), 'close') },
    reset_in_body  => sub { (substr(sized(@_), 0, -1), 'reset') },
    reset_after    => sub { (sized(@_), 'reset') },
    hang_at_once   => sub { ('', 'hang') },
    hang_in_head   => sub { (substr(sized(@_), 0, 30), 'hang') },
    hang_in_body   => sub { (substr(sized(@_), 0, -1), 'hang') },

    # lengths that are not
    long  => sub { (sized(@_) . ('x' x 5000), 'close') },
    short => sub {
        my ($status, $headers, $body) = @_;
        (message($status, [@$headers, 'Content-Length' => 100_000], $body),
            'close');
    },
    two_lengths => sub {
        my ($status, $headers, $body) = @_;
        (sized($status, [@$headers, 'Content-Length' => 3], $body), 'close');
    },
    same_lengths => sub {
        my ($status, $headers, $body) = @_;
        (sized($status, [@$headers, 'Content-Length' => length $body],
            $body), 'close');
    },
    two_framings => sub {
        my ($status, $headers, $body) = @_;
        (chunked($status, [@$headers, 'Content-Length' => 3], chunk($body),
            chunk('')), 'close');
    },
    minus_length => sub {
        my ($status, $headers, $body) = @_;
        (message($status, [@$headers, 'Content-Length' => -1], $body),
            'close');
    },
    odd_length => sub {
        my ($status, $headers, $body) = @_;
        (message($status, [@$headers, 'Content-Length' => '1e1'], $body),
            'close');
    },
    huge_length => sub {
        my ($status, $headers, $body) = @_;
        (message($status, [@$headers, 'Content-Length' => '9' x 18], $body),
            'close');
    },
    endless => sub { (message(@_) . ' ' x 60_000, ['again', ' ' x 65536]) },
    large   => sub {
        my ($status, $headers, $body) = @_;
        (sized($status, $headers, $body . ' ' x 60_000), 'close');
    },

    # chunks that are none
    bad_chunk => sub {
        my ($status, $headers, $body) = @_;
        (chunked($status, $headers, chunk($body), "xyz\r\n"), 'close');
    },
    minus_chunk => sub {
        my ($status, $headers, $body) = @_;
        (chunked($status, $headers, "-5\r\n$body"), 'close');
    },
    huge_chunk => sub {
        my ($status, $headers, $body) = @_;
        (chunked($status, $headers, 'f' x 17 . "\r\n$body"), 'close');
    },
    no_last_chunk => sub {
        my ($status, $headers, $body) = @_;
        (chunked($status, $headers, chunk($body)), 'close');
    },

    # no HTTP
    garbage => sub { ("\x16\x03\x01\0\xa5\x01\0\0" x 40, 'close') },
    other_protocol => sub { ("220 mail.test ESMTP\r\n", 'close') },
    endless_head => sub {
        ("HTTP/1.1 200 OK\r\n" . "X-More: x\r\n" x 20_000, 'close')
    },

    # HTTP that is not the API's
    gzip => sub {
        my ($status, $headers, $body) = @_;
        (sized($status, [@$headers, 'Content-Encoding' => 'gzip'],
            "\x1f\x8b\x08\0\0\0\0\0\0\x03$body"), 'close');
    },
    html => sub {
        my ($status) = @_;
        (sized($status, ['Content-Type' => 'text/html'],
            '<html><body>Log in</body></html>'), 'close');
    },
    not_well_formed => sub {
        my ($status, $headers, $body) = @_;
        (sized($status, $headers, substr $body, 0, -1), 'close');
    },
    empty        => sub { (sized(@_[0, 1], ''), 'close') },
    no_content   => sub { (message(204, [], ''), 'close') },
    not_modified => sub { (message(304, [ETag => '"v"'], ''), 'close') },
    moved        => sub {
        (sized(302, [Location => '/elsewhere'], ''), 'close')
    },
    switching => sub { (message(101, ['Upgrade' => 'x'], ''), 'close') },

    # errors of its own
    is_500 => sub { (sized(500, ['Content-Type' => 'text/plain'], 'no'),
        'close') },
    is_503 => sub { (sized(503, [], ''), 'close') },
    is_404 => sub { (sized(404, [], ''), 'close') },
);

sub faulty {
    my ($t, $answer) = @_;

    return $t->raw_upstream(['request', [code => sub {
        my ($socket, $raw) = @_;
        _serve($socket, _request($raw), $answer);
    }]]);
}

# What was asked with that X-Case, as requests in their order. What was read
# before is not read again.
sub asked {
    my ($upstream, $case) = @_;

    my $seen = $upstream->{asked} //= {last => 0, open => [], by_case => {}};

    # connections of the same time are not recorded in their order
    for my $number ($seen->{last} + 1 .. $seen->{last} + 1000) {
        last if $number > $seen->{last} + 64;
        next if !-e "$upstream->{file}.$number";
        push @{$seen->{open}}, $seen->{last} + 1 .. $number;
        $seen->{last} = $number;
    }

    my @open;
    for my $number (@{$seen->{open}}) {
        my $fh;
        if (!open $fh, '<:raw', "$upstream->{file}.$number") {
            push @open, $number;
            next;
        }
        local $/;
        my $raw     = scalar(<$fh>) // '';
        my $request = $raw =~ /\r\n\r\n/ && _request($raw);

        if (!$request || length $request->{body}
            < ($request->{header}{'content-length'} // 0))
        {
            push @open, $number;
            next;
        }

        push @{$seen->{by_case}{$request->{header}{'x-case'} // ''}},
            $request;
    }
    $seen->{open} = \@open;

    return @{$seen->{by_case}{$case} // []};
}

sub _request {
    my ($raw) = @_;

    my $end = index $raw, "\r\n\r\n";
    my ($start, $headers) = parse_head(substr $raw, 0, $end);
    my ($method, $uri) = split / /, $start;

    return {
        method => $method,
        uri    => $uri,
        header => {map { (lc $_->[0] => $_->[1]) } @$headers},
        body   => substr($raw, $end + 4),
        raw    => $raw,
    };
}

sub _serve {
    my ($socket, $request, $answer) = @_;

    my ($kind, @good) = @{$answer->($request)};
    my %fault = map { split /=/, $_, 2 }
        split /, */, $request->{header}{'x-fault'} // '';

    my ($number) = $request->{uri} =~ /(\d+)(?:\/destroy)?$/;
    my $fault = $fault{$kind} // $fault{"$kind:" . ($number // '')}
        // $fault{all} // 'good';

    my ($bytes, $then)
        = $fault =~ /^(cut|rst)(\d+)$/
        ? (substr(sized(@good), 0, $2), $1 eq 'cut' ? 'close' : 'reset')
        : $fault =~ /^late(\d+)$/ ? (sized(@good), 'close')
        :                           $FAULT{$fault}->(@good);

    sleep $1 / 1000 if $fault =~ /^late(\d+)$/;

    local $SIG{PIPE} = 'IGNORE';
    my ($what, $how) = ref $then ? @$then : $then;

    if ($what eq 'drip') {
        for my $byte (split //, $bytes) {
            syswrite $socket, $byte or last;
            sleep $how;
        }

    } else {
        while (length $bytes) {
            my $n = syswrite $socket, $bytes or last;
            substr($bytes, 0, $n) = '';
        }
    }

    if ($what eq 'again') {

        # more than anybody would keep
        my $sent = 0;
        while ($sent < 64 * 1024 * 1024) {
            $sent += syswrite($socket, $how) // last;
        }

    } elsif ($what eq 'hang') {
        sleep 600;

    } elsif ($what eq 'reset') {

        # what was sent has to arrive before
        sleep 0.02;
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    }

    close $socket;
    POSIX::_exit(0);
}

1;
