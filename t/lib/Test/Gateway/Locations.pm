package Test::Gateway::Locations;

# Locations in front of one upstream, each with directives of its own:
#
#   my $locations = Test::Gateway::Locations->new($upstream);
#   my $path = $locations->at('signalwire', 'vinyldns', 'group_loss reject');
#   $locations->add("location /more/ { ... @{[$locations->proxy]} }\n");
#   $t->nginx(server => $locations->text);

use strict;
use warnings;

sub new {
    my ($class, $upstream) = @_;
    return bless {proxy => 'proxy_pass http://' . $upstream->address . ';',
        n => 0, text => ''}, $class;
}

# the directive that leads to the upstream
sub proxy { return $_[0]{proxy} }

# the server's part of nginx.conf
sub text { return $_[0]{text} }

# A location that a test writes itself.
sub add {
    my ($self, $text) = @_;
    $self->{text} .= $text;
    return;
}

# The path of a new location for a client's dialect in front of an upstream's;
# directives are with or without the semicolon at their end.
sub at {
    my ($self, $client, $upstream, @directives) = @_;

    my $path = '/l' . ++$self->{n};
    my $text = join "\n", map { /[;}]\s*\z/ ? $_ : "$_;" } @directives;

    $self->add(<<"END");
location $path/ {
    group_dialect $client;
    group_upstream_dialect $upstream;
    group_base_path $path;
    $text
    $self->{proxy}
}
END

    return $path;
}

1;
