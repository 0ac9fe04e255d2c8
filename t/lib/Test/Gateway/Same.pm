package Test::Gateway::Same;

# A vendor's API in front of the same vendor's product, and of a recorder in
# its place, which tests tell what to answer:
#
#   my $same = Test::Gateway::Same->new($t, 'portsip',
#       vendor   => {url => $emulator->url},    # options of gateway_server()
#       recorder => {},                         # in front of the recorder
#   );
#   my $r = $same->call('vendor', GET => '/api/groups');
#   $same->refused_is('what it is', $r, 400, $body);

use strict;
use warnings;

use Test::More;

use Test::Gateway::Vendors qw(answer_is gateway_server sign_in);

# Starts nginx; the servers are called by their names.
sub new {
    my ($class, $t, $vendor, %servers) = @_;

    my $recorder = $t->upstream(sub { [200, [], 'not set'] });

    $t->nginx(
        http => <<'END',
proxy_http_version 1.1;
proxy_set_header Connection "";
END
        servers => join('', map { gateway_server($t, client => $vendor,
            upstream => $vendor, name => $_,
            url => 'http://' . $recorder->address, %{$servers{$_}}) }
            sort keys %servers),
    );

    return bless {t => $t, vendor => $vendor, recorder => $recorder}, $class;
}

sub recorder { return $_[0]{recorder} }

# A signed-in request to a server by its name.
sub call {
    my ($self, $server, $method, $uri, %option) = @_;

    my @headers = @{delete $option{headers} // []};
    return $self->{t}->request(method => $method, uri => $uri,
        sign_in($self->{vendor}), %option,
        headers => [Host => $server, @headers]);
}

# That the recorder was asked for nothing, since it was looked at last.
sub nothing_sent {
    my ($self, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(scalar($self->{recorder}->requests), 0, "$name: nothing upstream");
    $self->{recorder}->clear;

    return;
}

# What is refused here does not get to the upstream.
sub refused_is {
    my ($self, $name, $r, $status, $expected) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    answer_is($r, $self->{vendor}, $status, $expected, $name);

    return $self->nothing_sent($name);
}

1;
