package Bench::Check;

# Whether a gateway does what its scenario says: the client gets that status
# and that body, and the upstream those calls.
#
#   my @wrong = check($gateway, $scenario);     # texts, none when all is well
#   my %request = request($scenario);           # for $t->request()

use strict;
use warnings;

use Exporter qw(import);
use POSIX qw(strftime);

use Bench::Server qw(answer body media_type_of);
use Test::Gateway::Message qw(json_decode json_encode);
use Test::Gateway::Upstream;
use Test::Gateway::Vendors qw(sign_in xml_tree);

our @EXPORT_OK = qw(check request);

sub request {
    my ($scenario) = @_;

    my ($call, $body) = @{$scenario->{request}};
    my ($method, $uri) = split / /, $call;
    $body = body($body);

    return (
        method  => $method,
        uri     => $uri,
        body    => $body,
        headers => [
            'Content-Type' => media_type_of($body),
            'Accept'       => '*/*',
            'User-Agent'   => 'bench',
        ],
        sign_in($scenario->{client}),
    );
}

sub check {
    my ($gateway, $scenario) = @_;

    my $name     = $scenario->{name};
    my $recorder = Test::Gateway::Upstream->start(
        dir     => $gateway->dir,
        name    => "$name-recorder",
        port    => $gateway->port("$name-recorder"),
        handler => sub {
            my $answer = $scenario->{upstream}{"$_[0]{method} $_[0]{uri}"};
            return $answer ? answer($answer) : [404, [], ''];
        },
    );

    my $r = $gateway->request(request($scenario),
        port => $gateway->port("$name-check"));
    my @sent = map { [
        "$_->{method} $_->{uri}",
        ($_->{header}{authorization} // '') =~ s/ .*//r,
        $_->{body},
    ] } $recorder->requests;

    my @wrong = (
        _differ("$name: answer", [[$r->status, $r->body]],
            [$scenario->{answer}]),
        _differ("$name: upstream got", \@sent, $scenario->{sent}),
    );

    for my $refused (@{$scenario->{refused} // []}) {
        my ($option, $expected, $answer) = @$refused;

        $recorder->answer(answer($answer)) if $answer;
        $r = $gateway->request(request($scenario), %$option,
            port => $gateway->port("$name-check"));

        push @wrong, _differ("$name: answer to " . json_encode($option),
            [[$r->status, $r->body]], [$expected]);
    }

    $recorder->stop;

    return @wrong;
}

sub _differ {
    my ($what, $got, $expected) = @_;

    ($got, $expected) = map { _meaning($_) } $got, $expected;

    return if $got eq $expected;
    return "$what\n    $got\nand not\n    $expected\n";
}

# Lines in which bodies that mean the same are the same, in any order: calls
# may be made at the same time.
sub _meaning {
    my ($list) = @_;

    my $today = strftime('%Y-%m-%d', gmtime);
    my @lines = sort map {
        my ($body, @head) = reverse @$_;
        $body = json_decode($body) if !ref $body && $body =~ /^[{\[]/;
        $body = xml_tree($body =~ s/^(?=<[^?])/<?xml version="1.0"?>/r)
            if !ref $body && $body =~ /^</;
        join ' ', reverse(@head), json_encode($body);
    } @$list;

    my $text = join "\n    ", @lines;
    $text =~ s{"${today}T[\d:.]+Z"}{"TIME"}g;
    $text =~ s{http://[^/"]+/}{http://HOST/}g;

    return $text;
}

1;
