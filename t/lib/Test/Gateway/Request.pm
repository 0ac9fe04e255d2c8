package Test::Gateway::Request;

# What an upstream was sent; Test::Gateway::Upstream describes its fields.

use strict;
use warnings;

use Test::Gateway::Message qw(header_values json_decode);

sub method { return $_[0]{method} }
sub uri    { return $_[0]{uri} }
sub body   { return $_[0]{body} }
sub raw    { return $_[0]{raw} }

sub header {
    my ($self, $name) = @_;
    return $self->{header}{lc $name};
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

1;
