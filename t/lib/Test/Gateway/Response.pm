package Test::Gateway::Response;

# What a client got. status is 0 when there was no response; error says what
# was wrong with the exchange: "timeout", "closed", "truncated", "malformed".

use strict;
use warnings;

use Test::Gateway::Message qw(header_values json_decode);

sub new {
    my ($class, %self) = @_;
    return bless {
        status   => 0,
        reason   => '',
        version  => '',
        headers  => [],
        trailers => [],
        interim  => [],
        body     => '',
        raw      => '',
        %self
    }, $class;
}

sub status   { return $_[0]{status} }
sub reason   { return $_[0]{reason} }
sub version  { return $_[0]{version} }
sub headers  { return $_[0]{headers} }
sub trailers { return $_[0]{trailers} }
sub interim  { return $_[0]{interim} }
sub body     { return $_[0]{body} }
sub raw      { return $_[0]{raw} }
sub error    { return $_[0]{error} }

# The value of a header, undef when it is absent. Several are joined, so that
# this is always one argument of is().
sub header {
    my ($self, $name) = @_;
    my @values = header_values($self->{headers}, $name);
    return @values ? join(', ', @values) : undef;
}

sub header_all {
    my ($self, $name) = @_;
    return header_values($self->{headers}, $name);
}

# The body decoded, undef when it is not JSON.
sub json {
    my ($self) = @_;
    return scalar eval { json_decode($self->{body}) };
}

# The body as an XML::LibXML document, undef when it is not XML.
sub xml {
    my ($self) = @_;
    require XML::LibXML;
    return scalar eval { XML::LibXML->load_xml(string => $self->{body}) };
}

# The text that an XPath expression finds in the body.
sub xpath {
    my ($self, $path) = @_;
    my $xml = $self->xml;
    return $xml ? $xml->findvalue($path) : undef;
}

1;
