package Test::Gateway::Samples;

# One call of each vendor's API that is right in every respect, what the vendor
# answers to it, and what its errors look like: for tests that are about
# something else than the vendors.
#
#   for my $name (dialects()) {
#       my %call = create($name, name => 'sales');  # for $t->request()
#       my $answer = created($name);     # [status, headers, body]
#       my $text = error_text($name, $response);    # undef: not its shape
#   }

use strict;
use warnings;

use Exporter qw(import);

use Test::Gateway::Message qw(json_encode);

our @EXPORT_OK = qw(
    dialects create created error_text group_name location media_type
    vendor_of
);

my $UUID = '0a59b2d8-9d41-4b7a-9b5c-6a3d1e2f4c5b';

my %DIALECT = (
    signalwire => {
        path   => '/api/relay/rest/number_groups',
        group  => sub { {name => $_[0]} },
        answer => sub { {id => $UUID, name => $_[0],
            sticky_sender => JSON::PP::false(), phone_number_count => 0} },
        errors => sub { $_[0]{error} },
    },
    vinyldns => {
        path  => '/groups',
        group => sub { {name => $_[0], email => 'a@test.com',
            members => [{id => 'm'}], admins => [{id => 'm'}]} },
        answer => sub { {id => $UUID, name => $_[0], email => 'a@test.com',
            created => '2024-01-02T03:04:05Z', status => 'Active',
            members => [{id => 'm'}], admins => [{id => 'm'}]} },
        errors => sub { $_[0] },
    },
    faxfinder => {
        path => '/ffws/v1/contact_groups/alice',
    },
    portsip => {
        path   => '/api/groups',
        status => 201,
        group  => sub { {name => $_[0]} },
        answer => sub { {id => 'NzAwNTUxOTA5NzczMTQ4MTYw'} },
        errors => sub {
            my $error = $_[0]{errors}[0];
            return if ($error->{code} // '')
                !~ /^(?:UNKNOWN|VALIDATE_FAILED|UNAUTHORIZED)$/;
            return $error->{message};
        },
    },
);

sub dialects { return qw(signalwire vinyldns faxfinder portsip) }

# Whose API it is that has that path.
sub vendor_of {
    my ($path) = @_;
    return $path =~ m{^/api/relay/} ? 'signalwire'
        : $path =~ m{^/ffws/}       ? 'faxfinder'
        : $path =~ m{^/api/}        ? 'portsip'
        :                             'vinyldns';
}

sub media_type {
    my ($name) = @_;
    return $name eq 'faxfinder' ? 'application/xml' : 'application/json';
}

# method, uri, headers, body of a "create group"
sub create {
    my ($name, %option) = @_;

    my $group = $option{name} // 'sales';
    my $body
        = $name eq 'faxfinder'
        ? "<contact_group><name>$group</name></contact_group>"
        : json_encode($DIALECT{$name}{group}->($group));

    return (
        method  => 'POST',
        uri     => $DIALECT{$name}{path},
        headers => ['Content-Type' => media_type($name),
            @{$option{headers} // []}],
        body => $body,
    );
}

# status, headers and body of the vendor's answer to it
sub created {
    my ($name, %option) = @_;

    my $group = $option{name} // 'sales';
    my $body
        = $name eq 'faxfinder'
        ? '<response><message>Created</message><contact_group>'
            . '<contact_group_url>http://localhost/ffws/v1/contact_groups'
            . "/alice/4</contact_group_url><name>$group</name>"
            . '</contact_group></response>'
        : json_encode($DIALECT{$name}{answer}->($group));

    return [$DIALECT{$name}{status} // 200,
        ['Content-Type' => media_type($name)], $body];
}

# The name of the group in a body that was sent or answered; undef when the
# body is not the vendor's.
sub group_name {
    my ($name, $response) = @_;

    if ($name eq 'faxfinder') {
        my $xml = $response->{body} =~ /^</ ? _xml($response->{body}) : undef;
        return $xml && $xml->findvalue('//contact_group/name');
    }

    my $json = $response->json;
    return ref $json eq 'HASH' ? $json->{name} : undef;
}

# What an error of the vendor's says; undef when it has another shape or media
# type.
sub error_text {
    my ($name, $response) = @_;

    my $type = lc($response->header('Content-Type') // '');

    if ($name eq 'faxfinder') {
        return if $type !~ m{^application/xml\b};
        my $xml = _xml($response->body) or return;
        return $xml->findvalue('/response/message') || undef;
    }

    # the third of VinylDNS' families
    return $response->body || undef
        if $name eq 'vinyldns' && $type =~ m{^text/plain\b}
        && $response->body !~ /^\s*[<{\[]/;

    return if $type !~ m{^application/json\b};

    my $json = $response->json;
    my $text = eval { $DIALECT{$name}{errors}->($json) };

    # its second
    $text = eval { join '; ', @{$json->{errors}} }
        if $name eq 'vinyldns' && ref $text;

    # SignalWire's 422
    $text = eval { join '; ', map { $_->{detail} } @{$json->{errors}} }
        if $name eq 'signalwire' && !defined $text;

    return defined $text && !ref $text && length $text ? $text : undef;
}

sub _xml {
    my ($bytes) = @_;
    require XML::LibXML;
    return scalar eval { XML::LibXML->load_xml(string => $bytes) };
}

# A location for a client's dialect in front of an upstream's, with all that
# the upstream requires and the client may not have. Options: base (put before
# the client's paths), more (text).
sub location {
    my ($client, $upstream, $proxy_pass, %option) = @_;

    my $base = $option{base} // '';
    my $path = $DIALECT{$client}{path};
    $path =~ s{/(?:number_groups|groups|contact_groups/alice)$}{};
    my $more = $option{more} // '';

    my $defaults
        = $client eq $upstream     ? ''
        : $upstream eq 'faxfinder' ? 'group_default owner alice;'
        : $upstream eq 'vinyldns'  ? 'group_default email a@test.com; '
            . 'group_default members m; group_default admins m;'
        : '';

    return <<"END";
location $base/ {
    group_dialect $client;
    group_upstream_dialect $upstream;
    group_base_path $base$path/;
    $defaults
    $more
    proxy_pass $proxy_pass;
}
END
}

1;
