# What can go wrong, each in the words of each vendor: status, media type, the
# shape of the body, and a length that is right.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_decode);
use Test::Gateway::Vendors qw(
    @VENDORS collection gateway_server group_body item sign_in xml_tree
);

my $t = Test::Gateway->new;

# Another vendor's product behind each, so that nothing comes back as it is.
my %behind = (
    signalwire => 'vinyldns',
    vinyldns   => 'signalwire',
    faxfinder  => 'signalwire',
    portsip    => 'signalwire',
);

my $secret = 'of no concern to the client';

# The client says, in a header that goes through, how it is to be answered.
my $upstream = $t->upstream(sub {
    my ($request) = @_;
    my $status = $request->header('X-Status') // 599;

    return [200, ['Content-Type' => 'application/json'],
        '{"id":"x","name":"a","sticky_sender":false,"phone_number_count":0,'
        . '"email":"a@test.com","members":[],"admins":[]}']
        if $status eq 'group';

    return {status => 200, body => '{}', delay => 3} if $status eq 'late';
    return [$status, ['Content-Type' => 'text/html', 'Retry-After' => 7],
        "<html><body>$secret</body></html>"];
});

my $policy = $t->write_file('deny.lua', <<'END');
local policy = {}
function policy.request(ctx)
    return ctx:deny(ctx:var("http_x_deny"), "the hook says no", "name")
end
return policy
END

my $url     = 'http://' . $upstream->address;
my $servers = '';

for my $client (@VENDORS) {
    my %server = (client => $client, upstream => $behind{$client},
        url => $url);
    my $more = $client eq 'signalwire'
        ? 'group_default email a@test.com; group_default members m;
           group_default admins m;' : '';

    $servers .= gateway_server($t, %server, name => $client,
        more => "$more proxy_read_timeout 300ms;")
        . gateway_server($t, %server, name => "$client.one",
        more => "$more group_plan_max_calls 1;")
        . gateway_server($t, %server, name => "$client.hook",
        more => "$more group_policy $policy;");
}

$t->nginx(
    http => <<'END',
proxy_http_version 1.1;
proxy_set_header Connection "";
END
    servers => $servers,
);

my $count = 0;

sub call {
    my ($client, %option) = @_;

    $count++;
    my %body    = $option{body} ? () : group_body($client, $option{group});
    my @headers = (@{delete $option{headers} // []},
        @{delete $body{headers} // []});
    my $host = delete $option{host} // $client;
    my @sign = delete $option{anonymous} ? () : sign_in($client);
    delete $option{group};

    return $t->request(method => 'POST', uri => collection($client), @sign,
        %body, %option, headers => [Host => $host, @headers]);
}

# A group that is right, and one that is not.
my %good = (
    signalwire => {name => 'a'},
    vinyldns   => {name => 'a', email => 'a@test.com', members => [],
        admins => []},
    faxfinder => {name => 'a'},
    portsip   => {name => 'a'},
);

my %wrong = (
    signalwire => {name => ''},
    vinyldns   => {name => 'a', email => 'no', members => [], admins => []},
    faxfinder  => {name => ''},
    portsip    => {name => 'n' x 65},
);

sub answered {
    my ($status) = @_;
    return sub { call($_[0], group => $good{$_[0]},
        headers => ['X-Status' => $status]) };
}

my %provoke = (
    malformed => sub { call($_[0], body => '{"name":', headers =>
        ['Content-Type' => $_[0] eq 'faxfinder' ? 'application/xml'
            : 'application/json']) },
    unauthorized => sub { call($_[0], group => $good{$_[0]},
        anonymous => 1) },
    forbidden => answered(403),
    not_found => sub { call($_[0], method => 'GET', uri => '/nowhere',
        group => {}, body => undef) },
    method_not_allowed => sub { call($_[0], method => 'PATCH',
        group => $good{$_[0]}) },
    conflict               => answered(409),
    unsupported_media_type => sub { call($_[0], body => 'a,b', headers =>
        ['Content-Type' => 'text/csv']) },
    invalid       => sub { call($_[0], group => $wrong{$_[0]}) },
    rate_limited  => answered(429),
    internal      => answered(500),
    # a change that takes more calls than are allowed
    not_supported => sub { call($_[0], host => "$_[0].one",
        method => $_[0] eq 'portsip' ? 'POST' : 'PUT',
        uri => item($_[0], 'x'), group => {%{$good{$_[0]}},
            $_[0] eq 'vinyldns' ? (id => 'x') : ()},
        headers => ['X-Status' => 'group']) },
    bad_gateway => answered(200),
    unavailable => answered(503),
    timeout     => answered('late'),
);

# [status, media type unless it is the vendor's usual one, body]; a regular
# expression stands for text that is the gateway's own.

sub item_of {
    my ($detail, $code) = @_;
    return {errors => [{
        detail => $detail,
        status => '422',
        title  => 'Invalid Attribute',
        code   => $code,
    }]};
}

sub errors_of {
    my ($code, $message, @more) = @_;
    return {errors => [{code => $code, message => $message, @more}]};
}

sub message { return [response => [[message => $_[0]]]] }

my $text   = 'text/plain; charset=UTF-8';
my $sign   = 'Authentication Failed: Authorization header not found';
my $unsure = qr/\w/;

my %expected = (
    signalwire => {
        malformed    => [400, undef, {error => 'Bad Request'}],
        unauthorized => [401, undef, {error => 'Unauthorized'}],
        forbidden    => [403, undef, {error => 'Forbidden'}],
        not_found    => [404, undef, {error => 'Not Found'}],
        method_not_allowed =>
            [405, undef, {error => 'Method Not Allowed'}],
        conflict => [422, undef, item_of($unsure, 'value_not_unique')],
        unsupported_media_type =>
            [415, undef, {error => 'Unsupported Media Type'}],
        invalid => [422, undef, item_of(q{Name can't be blank},
                'missing_required_parameter')],
        rate_limited  => [429, undef, {error => 'Too Many Requests'}],
        internal      => [500, undef, {error => 'Internal Server Error'}],
        not_supported => [501, undef, {error => qr/group_plan_max_calls/}],
        bad_gateway   => [502, undef, {error => 'Bad Gateway'}],
        unavailable   => [503, undef, {error => 'Service Unavailable'}],
        timeout       => [504, undef, {error => 'Gateway Timeout'}],
    },
    vinyldns => {
        malformed => [400, $text,
            qr/\AThe request content was malformed:\n./],
        unauthorized => [401, $text, $sign],
        forbidden    => [403, undef, $unsure],
        not_found    => [404, $text,
            'The requested path [/nowhere] does not exist.'],
        method_not_allowed => [405, $text,
            'HTTP method not allowed, supported methods: GET, POST'],
        conflict => [409, undef, qr/\AGroup with name a already exists\. /],
        unsupported_media_type => [415, $text, "The request's Content-Type "
                . "[text/csv] is not supported. Expected:\napplication/json"],
        invalid       => [400, undef, 'Please enter a valid Email.'],
        rate_limited  => [429, undef, $unsure],
        internal      => [500, $text, 'There was an internal server error.'],
        not_supported => [501, undef, $unsure],
        bad_gateway   => [502, undef, $unsure],
        unavailable   => [503, undef, $unsure],
        timeout       => [504, undef, $unsure],
    },
    faxfinder => {
        malformed    => [400, undef, message($unsure)],
        unauthorized => [401, undef, message('Unauthorized')],
        forbidden    => [403, undef, message('Forbidden')],
        not_found    => [404, undef, message($unsure)],
        method_not_allowed => [405, undef, message('Method Not Allowed')],
        conflict           => [409, undef, message($unsure)],
        unsupported_media_type => [415, undef, message($unsure)],
        invalid       => [400, undef, message(qr/name/)],
        rate_limited  => [429, undef, message($unsure)],
        internal      => [500, undef, message($unsure)],
        not_supported => [501, undef, message($unsure)],
        bad_gateway   => [502, undef, message($unsure)],
        unavailable   => [503, undef, message($unsure)],
        timeout       => [504, undef, message($unsure)],
    },
    portsip => {
        malformed    => [400, undef, errors_of('VALIDATE_FAILED', $unsure)],
        unauthorized => [401, undef, errors_of('UNAUTHORIZED', $unsure)],
        forbidden    => [403, undef, errors_of('UNAUTHORIZED', $unsure)],
        invalid      => [400, undef, errors_of('VALIDATE_FAILED',
            'field validation failed', detail => [{
                field => 'name', code => 'too_long', message => qr/64/,
            }])],
        not_supported => [501, undef, errors_of('UNKNOWN', $unsure)],
        map { ($_->[0] => [$_->[1], undef, errors_of('UNKNOWN', $unsure)]) }
            ['not_found', 404], ['method_not_allowed', 405],
            ['conflict', 409], ['unsupported_media_type', 415],
            ['rate_limited', 429], ['internal', 500], ['bad_gateway', 502],
            ['unavailable', 503], ['timeout', 504],
    },
);

# Whether data are as a pattern has them; the path of what is not.
sub differs {
    my ($got, $want, $at) = @_;

    return ref $got || ($got // '') !~ $want ? $at : () if ref $want eq
        'Regexp';
    return $at if ref $got ne ref $want;

    if (ref $want eq 'HASH') {
        return $at if "@{[sort keys %$got]}" ne "@{[sort keys %$want]}";
        return map { differs($got->{$_}, $want->{$_}, "$at.$_") } keys %$want;
    }

    if (ref $want eq 'ARRAY') {
        return $at if @$got != @$want;
        return map { differs($got->[$_], $want->[$_], "$at\[$_]") }
            0 .. $#$want;
    }

    return ($got // '') eq $want ? () : $at;
}

sub outcome_is {
    my ($r, $client, $outcome, $expected) = @_;

    my ($status, $type, $body) = @$expected;
    my $usual = $client eq 'faxfinder' ? 'application/xml'
        : 'application/json';

    is($r->error,  undef,   "$outcome: whole");
    is($r->status, $status, "$outcome: status");
    is($r->header('Content-Type'), $type // $usual, "$outcome: media type");
    is($r->header('Content-Length'), length $r->body, "$outcome: length");
    is($r->header('Transfer-Encoding'), undef, "$outcome: not chunked");

    my $got = $type ? $r->body
        : eval { $client eq 'faxfinder' ? xml_tree($r->body)
            : json_decode($r->body) };
    my @differs = differs($got, $body, 'body');
    is("@differs", '', "$outcome: body") || diag($r->body);

    unlike($r->body, qr/\Q$secret\E|<html/, "$outcome: nothing leaks");

    my $log = ($t->access($count))[-1];
    is($log->{outcome}, $outcome, "$outcome: in the log");

    return;
}

for my $client (@VENDORS) {
    subtest "what goes wrong, as $client says it" => sub {
        for my $outcome (sort keys %provoke) {
            my $r = $provoke{$outcome}->($client);
            outcome_is($r, $client, $outcome, $expected{$client}{$outcome});

            is($r->header('Allow'), $outcome eq 'method_not_allowed'
                ? 'GET, POST' : undef, "$outcome: Allow");
            is($r->header('Retry-After'), 7, 'when to come again')
                if $outcome eq 'rate_limited';
        }
    };
}


# The same by a hook's decision, whose sentence is told wherever the vendor has
# a place for one.

my %status = (
    malformed     => 400, unauthorized => 401, forbidden => 403,
    not_found     => 404, method_not_allowed => 405, conflict => 409,
    too_large     => 413, unsupported_media_type => 415, invalid => 400,
    rate_limited  => 429, internal => 500, not_supported => 501,
    bad_gateway   => 502, unavailable => 503, timeout => 504,
);

my %fixed = (
    signalwire => {map { ($_ => 1) } grep { !/^(?:conflict|invalid)$/ }
            keys %status},
    vinyldns => {map { ($_ => 1) } qw(unauthorized method_not_allowed
        unsupported_media_type internal)},
    faxfinder => {map { ($_ => 1) } qw(unauthorized method_not_allowed)},
    portsip   => {},
);

for my $client (@VENDORS) {
    subtest "what a hook refuses, as $client says it" => sub {
        $upstream->clear;

        for my $outcome (sort keys %status) {
            my $r = call($client, host => "$client.hook",
                group => $good{$client}, headers => ['X-Deny' => $outcome]);

            my $status = $client eq 'signalwire'
                && $outcome =~ /^(?:invalid|conflict)$/ ? 422
                : $status{$outcome};

            is($r->status, $status, "$outcome: status");
            is($r->header('Content-Length'), length $r->body,
                "$outcome: length");

            my $told = index($r->body, 'the hook says no') >= 0 ? 1 : 0;
            is($told, 1, "$outcome: the hook's sentence") || diag($r->body)
                if !$fixed{$client}{$outcome};

            my $log = ($t->access($count))[-1];
            is($log->{outcome}, $outcome, "$outcome: in the log");
        }

        is(scalar($upstream->requests), 0, 'nothing upstream');
    };
}

$t->stop;
done_testing;
