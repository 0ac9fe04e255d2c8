#!/usr/bin/perl

# What an operator reads: one line for each request that is refused, with the
# reason and never with a secret or a body; an access log in JSON as README
# has it; the trace of a client in every upstream call.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(sleep time);

use Test::Gateway;
use Test::Gateway::JWT;
use Test::Gateway::Message qw(json_decode json_encode);

my $UUID = '3fa85f64-5717-4562-b3fc-2c963f66afa6';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';
my $BODY = 'B0dyMark';

# each one has a number of its own, so that a failure tells which it was
my @secrets;

sub secret {
    my ($name) = @_;
    my $secret = 'S3cr3t' . @secrets . $name;
    push @secrets, $secret;
    return $secret;
}

my ($json) = read_readme() =~ /^(log_format group_json .*?;\n)/ms;

# the variables of design: those that a log may have
my @GROUP = qw(operation dialect upstream_dialect principal scopes outcome
    error id name lost calls policy_time);

sub read_readme {
    open my $fh, '<', "$FindBin::Bin/../README.md" or die "README.md: $!\n";
    local $/;
    return scalar <$fh>;
}

my $t = Test::Gateway->new;

my ($user, $wrong) = (secret('password'), secret('wrong'));
my ($token, $none) = (secret('token'), secret('none'));
my ($key, $bad)    = (secret('key'), secret('bad'));
my %up = map { $_ => secret("up$_") } qw(basic bearer sigv4);

my $jwt = Test::Gateway::JWT->new($t->dir);
$jwt->make(a => 'oct', secret => secret('jwt') . '-' x 40);
my $expired = $jwt->token('a', {sub => 'me', exp => int(time) - 60});
my $forged  = $jwt->token('a', {sub => 'me', exp => int(time) + 60},
    sign_with => 'somebody else');
push @secrets, $expired, $forged, (split /\./, $expired)[2],
    (split /\./, $forged)[2];
$t->write_file('keys.json',
    json_encode({keys => [$jwt->jwk('a', kid => 'a')]}), 0600);

$t->credentials('clients.json',
    {type => 'basic', id => 'project', secret => $user,
        scopes => ['numbers']},
    {type => 'basic', id => 'weak', secret => $user, scopes => ['x']},
    {type => 'bearer', token => $token, principal => 'pbx',
        scopes => ['groups:read', 'groups:write']},
    {type => 'bearer', token => "$token-weak", principal => 'weak',
        scopes => []},
    {type => 'sigv4', access_key => 'access', secret_key => $key});

$t->write_file('basic.json', json_encode({type => 'basic', id => 'gw',
    secret => $up{basic}}), 0600);
$t->write_file('bearer.json', json_encode({type => 'bearer',
    token => $up{bearer}}), 0600);
$t->write_file('sigv4.json', json_encode({type => 'sigv4',
    access_key => 'gw', secret_key => $up{sigv4}}), 0600);

# what a log could have of them in other words
push @secrets, map { sha256_hex($_) } $user, $token, "$token-weak";
push @secrets, map { encode_base64($_, '') =~ s/=+$//r }
    "project:$user", "project:$wrong", "gw:$up{basic}";

$t->write_file('hook.lua', <<'END');
return {
    request = function(ctx)
        if ctx.group.name:find("deny") then
            return ctx:deny("conflict", "not this name", "name")
        elseif ctx.group.name:find("fail") then
            ctx.group.name = nil + 1
        elseif ctx.group.name:find("slow") then
            while true do end
        end
    end,
}
END

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $want = $request->{header}{'x-want'} // '';

    return [$want, ['Content-Type' => 'application/json'],
        qq({"$BODY":"$BODY","errors":["$BODY"]})] if $want =~ /^\d+$/;
    return [200, ['Content-Type' => 'application/json'], "{\"$BODY\": "]
        if $want eq 'malformed';
    return [200, ['Content-Type' => 'text/html'], "<p>$BODY</p>"]
        if $want eq 'html';
    return [200, [], {id => $BODY x 9000}] if $want eq 'large';
    return [200, [], {$BODY => $BODY}]     if $want eq 'other';
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        . "Content-Length: 900\r\n\r\n{\"$BODY\"" if $want eq 'short';

    return [201, [], {id => $ID}] if $request->{uri} eq '/api/groups';
    return [200, [], {}]          if $request->{uri} =~ m{^/api/groups/};
    return [200, [], {id => $UUID, name => 'n', sticky_sender => \0,
            phone_number_count => 0}];
});
my $hang    = $t->raw_upstream(['request', 'hang']);
my $refused = '127.0.0.1:' . $t->refused_port;
my $proxy   = 'proxy_pass http://' . $u->address . ';';

sub location {
    my ($name, $dialect, $more) = @_;
    return "location /$name/ { group_dialect $dialect;
        group_base_path /$name; group_credentials clients.json; $more }\n";
}

$t->nginx(http => <<"END", server => join '',
$json
client_max_body_size 2k;
group_sigv4_replay_zone signatures 64k;
END
    location('sw', 'signalwire',
        "group_upstream_credentials basic.json;
        group_response_buffer_size 16k; $proxy"),
    location('pbx', 'portsip',
        "group_upstream_credentials bearer.json; $proxy"),
    location('jwt', 'portsip', "group_jwt_keys keys.json audience=a; $proxy"),
    location('dns', 'vinyldns',
        "group_upstream_credentials sigv4.json; $proxy"),
    location('hook', 'signalwire', "group_policy hook.lua; $proxy"),
    location('reject', 'signalwire', "group_upstream_dialect portsip;
        group_loss reject; $proxy"),
    location('few', 'signalwire', "group_upstream_dialect faxfinder; $proxy"),
    location('down', 'signalwire', "proxy_pass http://$refused;"),
    location('slow', 'signalwire', 'proxy_read_timeout 200ms;
        proxy_pass http://' . $hang->address . ';'),
    "location /trace/ { group_dialect vinyldns; group_base_path /trace;
        group_upstream_dialect portsip; $proxy }",
    "location /json/ { group_dialect signalwire; group_base_path /json;
        group_upstream_dialect portsip; group_policy hook.lua;
        access_log %%DIR%%/json.log group_json; $proxy }",
);

my $GROUPS = 'number_groups';
my @good   = (auth => ['project', $user]);
my %group  = (json => {name => $BODY});

my %dns = (method => 'POST', uri => '/dns/groups', json => {name => $BODY,
    email => 'a@example.com', members => [{id => 'm'}],
    admins => [{id => 'm'}]});
my %replayed = (sigv4 => {access_key => 'access', secret_key => $key,
    time => int time});

# name => [request, what the line says]
my @refusals = (
    ['no password' => [uri => "/sw/$GROUPS"], 'unauthorized missing'],
    ['a wrong password' => [uri => "/sw/$GROUPS",
        auth => ['project', $wrong]], 'unauthorized credentials'],
    ['an unknown token' => [uri => '/pbx/groups', bearer => $none],
        'unauthorized credentials'],
    ['a header that is none' => [uri => '/pbx/groups',
        headers => [Authorization => "Bearer $none $none"]],
        'unauthorized malformed'],
    ['another scheme' => [uri => "/sw/$GROUPS", bearer => $none],
        'unauthorized malformed'],
    ['an expired JWT' => [uri => '/jwt/groups', bearer => $expired],
        'unauthorized credentials'],
    ['a forged JWT' => [uri => '/jwt/groups', bearer => $forged],
        'unauthorized credentials'],
    ['a wrong signature' => [%dns, sigv4 => {access_key => 'access',
        secret_key => $bad}], 'unauthorized signature'],
    ['an unknown key' => [%dns, sigv4 => {access_key => 'nobody',
        secret_key => $bad}], 'unauthorized unknown'],
    ['an old signature' => [%dns, sigv4 => {access_key => 'access',
        secret_key => $key, time => int(time) - 86400}],
        'unauthorized expired'],
    ['a replayed signature' => [%dns, %replayed], 'unauthorized replayed'],
    ['a missing scope' => [uri => "/sw/$GROUPS", auth => ['weak', $user]],
        'forbidden scope: a scope is missing: "numbers"'],
    ['no such path' => [uri => '/sw/nothing', @good], 'not_found path'],
    ['no such method' => [uri => "/sw/$GROUPS", method => 'PATCH', @good],
        'method_not_allowed method'],
    ['no body' => [method => 'POST', uri => "/sw/$GROUPS", @good],
        'malformed empty'],
    ['a body that is no JSON' => [method => 'POST', uri => "/sw/$GROUPS",
        @good, body => qq({"$BODY":"$BODY" $BODY)], 'malformed body'],
    ['another media type' => [method => 'POST', uri => "/sw/$GROUPS", @good,
        body => $BODY, headers => ['Content-Type' => 'text/x']],
        'unsupported_media_type content_type'],
    ['an encoded body' => [method => 'POST', uri => "/sw/$GROUPS", @good,
        %group, headers => ['Content-Encoding' => 'gzip']],
        'unsupported_media_type content_encoding'],
    ['a bad field' => [method => 'POST', uri => "/sw/$GROUPS", @good,
        json => {name => $BODY, sticky_sender => $BODY}], 'invalid:'],
    ['a value that is too long' => [method => 'POST', uri => "/sw/$GROUPS",
        @good, json => {name => $BODY x 100}], 'invalid:'],
    ['a bad query' => [uri => "/sw/$GROUPS?page_size=many", @good],
        'invalid:'],
    ['a lost field' => [method => 'POST', uri => "/reject/$GROUPS", @good,
        json => {name => $BODY, sticky_sender => \1}], 'invalid:'],
    ['a required field that is missing' => [method => 'POST',
        uri => "/few/$GROUPS", @good, %group], qr/(?:invalid|not_supported)/],
    ['a hook that denies' => [method => 'POST', uri => "/hook/$GROUPS",
        @good, json => {name => "$BODY deny"}], 'conflict policy'],
    ['a hook that fails' => [method => 'POST', uri => "/hook/$GROUPS",
        @good, json => {name => "$BODY fail"}], 'internal hook'],
    ['a hook that takes too long' => [method => 'POST',
        uri => "/hook/$GROUPS", @good, json => {name => "$BODY slow"}],
        'internal hook'],
    (map { my ($want, $says) = @$_;
        ["an upstream that says $want" => [method => 'POST',
            uri => "/sw/$GROUPS", @good, %group,
            headers => ['X-Want' => $want]], $says] }
        [400, 'malformed'], [401, 'bad_gateway credentials'],
        [403, 'forbidden'], [404, 'not_found'], [409, 'conflict'],
        [413, 'too_large'], [429, 'rate_limited'], [500, 'internal'],
        [501, 'not_supported'], [503, 'unavailable'], [504, 'timeout'],
        [302, 'bad_gateway'], ['malformed', 'bad_gateway malformed'],
        ['html', 'bad_gateway content_type'],
        ['large', 'bad_gateway too_large'], ['short', 'bad_gateway incom'],
        ['other', 'bad_gateway answer']),
    ['a token of another\'s' => [method => 'POST', uri => '/pbx/groups',
        bearer => "$token-weak", %group], 'forbidden scope'],
    ['no upstream' => [uri => "/down/$GROUPS", @good], 'bad_gateway'],
    ['a slow upstream' => [uri => "/slow/$GROUPS", @good], 'timeout'],
);

sub refused_lines {
    return $t->log =~ /^(.*group operation \S+ refused with .*)$/mg;
}

subtest 'a request that is refused is one line that says why' => sub {
    $t->request(%dns, %replayed);

    for (@refusals) {
        my ($name, $request, $says) = @$_;

        $t->mark;
        my $r = $t->request(@$request);
        cmp_ok($r->status, '>=', 400, "$name: refused");
        $t->like_log(qr/refused with /, "$name: told");

        my @lines = refused_lines();
        is(scalar @lines, 1, "$name: in one line") or diag($t->log);
        like($lines[0] // '', ref $says ? $says
            : qr/refused with \d+: \Q$says\E/, "$name: with the reason");
        like($lines[0] // '', qr/: \w.*\S, client: /, "$name: in words");
    }
};

subtest 'so is what nginx refuses itself' => sub {
    $t->mark;
    my $r = $t->post("/sw/$GROUPS", @good, json => {name => $BODY x 1000});
    is($r->status, 413, 'too large');
    $t->like_log(qr/client intended to send too large body/, 'nginx says so');
};

subtest 'requests that succeed have no line' => sub {
    $t->mark;
    is($t->post("/sw/$GROUPS", @good, %group)->status, 200, 'one');
    is($t->post('/pbx/groups', bearer => $token, %group)->status, 201,
        'another');
    $t->unlike_log(qr/group operation/, 'nothing');
};

subtest 'no line at info has a secret or a body' => sub {
    my $log = $t->read_file('error.log');
    like($log, qr/\[info\]/, 'the level is info');

    my @lines = split /\n/, $log;
    for my $text (@secrets, $BODY) {
        my @found = grep { index($_, $text) >= 0 } @lines;
        is(scalar @found, 0, "no $text") or diag($found[0]);
    }

    my $stderr = $t->read_file('stderr');
    is(scalar(grep { index($stderr, $_) >= 0 } @secrets, $BODY), 0,
        'nor on stderr');
    my $access = $t->read_file('access.log');
    is(scalar(grep { index($access, $_) >= 0 } @secrets), 0,
        'nor do variables have a secret');
};

subtest 'the access log in JSON' => sub {
    ok($json, 'README has one') or return;
    like($json, qr/escape=json/, 'that is escaped');
    like($json, qr/\$group_$_\b/, "with \$group_$_") for @GROUP;

    my $parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    my $name   = qq(a "b" \\ \x{fc} \t c) =~ s/\t/ /r;
    utf8::encode(my $bytes = $name);

    my @lines;

    # one after the other has its line, whichever worker writes it
    for my $request (
        [method => 'POST', headers => [traceparent => $parent],
            json => {name => $name, sticky_sender => \1}],
        [method => 'POST', json => {name => 'deny'}],
        [method => 'POST', body => '{'],
        [uri => '/json/nothing?a="b"'],
        [headers => ['User-Agent' => '"\\']],
    ) {
        $t->request(uri => "/json/$GROUPS", @$request);

        my $deadline = time + 3 * $t->patience;
        my $before   = @lines;
        while (@lines == $before && time < $deadline) {
            @lines = $t->read_file('json.log') =~ /^(.*)\n/mg;
            sleep 0.02;
        }
    }

    my @entries = map { eval { json_decode($_) } } @lines;
    is(scalar(grep { ref eq 'HASH' } @entries), 5, 'five lines of JSON')
        or diag(@lines);

    my ($done, $denied, $malformed, $nothing) = @entries;
    is($done->{operation}, 'group.create', 'operation');
    is($done->{dialect}, 'signalwire', 'dialect');
    is($done->{upstream_dialect}, 'portsip', 'upstream dialect');
    is($done->{outcome}, 'done', 'outcome');
    is($done->{status}, 200, 'status');
    is($done->{lost}, 'sticky_sender', 'lost');
    is($done->{traceparent}, $parent, 'the trace');
    ok($done->{name} eq $name || $done->{name} eq $bytes, 'the name')
        or diag($done->{name});
    like($done->{request_time}, qr/^\d+\.\d+$/, 'times');

    is($denied->{outcome}, 'conflict', 'a refusal');
    is($denied->{error}, 'not this name', 'and why');
    is($malformed->{outcome}, 'malformed', 'another');
    is($nothing->{operation}, '', 'what is unknown is empty');
};

subtest 'the trace of a client is in every upstream call' => sub {
    my $make = sub {
        $u->clear;
        return $t->post('/trace/groups', @_, json => {name => 'n',
            email => 'a@example.com', admins => [],
            members => [map { {id => "$_"} } 101 .. 103]});
    };
    my @trace = (
        traceparent => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7'
            . '-01',
        tracestate  => 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    );
    my %trace = @trace;

    is($make->(headers => \@trace)->status, 200, 'a plan');
    my @requests = $u->requests;
    is(scalar @requests, 4, 'of four calls');

    for my $name (sort keys %trace) {
        is_deeply([map { $_->{header}{$name} } @requests],
            [($trace{$name}) x 4], $name);
    }

    is($make->()->status, 200, 'the same without');
    @requests = $u->requests;
    is(scalar @requests, 4, 'four calls');
    is(scalar(grep { defined $_->{header}{traceparent}
            || defined $_->{header}{tracestate} } @requests), 0,
        'nothing is invented');
};

done_testing;
