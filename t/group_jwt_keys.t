#!/usr/bin/perl

# group_jwt_keys: bearer tokens that somebody else signed. The openssl command
# makes the keys and the signatures.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::Gateway;
use Test::Gateway::JWT qw(base64url);
use Test::Gateway::Message qw(json_encode);

plan skip_all => 'the openssl command signs nothing with Ed25519'
    if (`openssl version 2>/dev/null` || '') !~ /^OpenSSL [3-9]/;

my $t = Test::Gateway->new(variables => [qw(principal scopes outcome error)]);

my $u = $t->upstream(sub { [200, [], {count => 0, items => []}] });
my $proxy = 'proxy_pass http://' . $u->address . ';';

my $keys = Test::Gateway::JWT->new($t->dir);
$keys->make(rs => 'RSA')->make(rs2 => 'RSA')->make(es => 'EC')
    ->make(ed => 'Ed25519')->make(hs => 'oct')
    ->make(enc => 'RSA')->make(ops => 'EC')
    ->make(stranger => 'RSA')->make(es_stranger => 'EC')
    ->make(ed_stranger => 'Ed25519')->make(hs_stranger => 'oct');

sub jwks {
    my ($file, @keys) = @_;
    return $t->write_file($file, json_encode({keys => [@keys]}), 0600);
}

my @all = map { $keys->jwk($_, kid => $_) } qw(rs rs2 es ed hs);

jwks('all.json', @all,
    $keys->jwk('enc', kid => 'enc', use => 'enc'),
    $keys->jwk('ops', kid => 'ops', key_ops => ['sign']),
    {kty => 'RSA', kid => 'ps', alg => 'PS256', n => 'AQ', e => 'AQAB'},
    {kty => 'XYZ', kid => 'xyz'});
jwks('rs.json', $keys->jwk('rs', use => 'sig', alg => 'RS256',
        key_ops => ['verify'], x5t => 'unknown members are nobody\'s'));
jwks('es.json', $keys->jwk('es'));
jwks('hs.json', $keys->jwk('hs', kid => 'hs'));

$t->credentials('clients.json',
    {type => 'bearer', token => 'a.static.token', principal => 'static',
        scopes => ['groups:read']},
    {type => 'bearer', token => 'plain', principal => 'plain',
        scopes => ['groups:read']});

$t->nginx(
    http => <<"END",
group_dialect portsip;
group_jwt_keys all.json;
large_client_header_buffers 4 32k;
END
    server => <<"END",
location /api/ { $proxy }
location /one/ {
    group_base_path /one;
    group_jwt_keys rs.json issuer=https://id.example.com/ audience=groups;
    $proxy
    location /one/in/ { group_base_path /one/in; $proxy }
}
location /es/ { group_base_path /es; group_jwt_keys es.json; $proxy }
location /hs/ {
    group_base_path /hs;
    group_jwt_keys hs.json leeway=30s;
    $proxy
}
location /both/ {
    group_base_path /both;
    group_credentials clients.json;
    $proxy
}
location /static/ {
    group_base_path /static;
    group_credentials clients.json;
    group_jwt_keys off;
    $proxy
}
location /off/ { group_base_path /off; group_jwt_keys off; $proxy }
location /scim/v2/ { group_dialect scim; $proxy }
END
);

my @claims = (sub => 'me', scope => 'groups:read');

sub claims { return {@claims, exp => time + 300, @_} }

sub token {
    my ($key, $claims, %option) = @_;
    return $keys->token($key, {@claims, exp => time + 300, %{$claims // {}}},
        header => {kid => $key, %{delete $option{header} // {}}}, %option);
}

# the status; that what is refused goes no further is looked at on the way
sub status {
    my ($token, $path, %option) = @_;

    $u->clear;
    my $r = $t->get(($path // '/api') . '/groups', bearer => $token, %option);
    my $got  = $u->requests;
    my $sent = $r->status == 200 ? 1 : 0;
    is($got, $sent, "sent upstream: $sent") if $got != $sent;

    return wantarray ? ($r->status, $r) : $r->status;
}

# Refused, and the one line in the log that says why, which has no token in it.
sub refused {
    my ($name, $token, $why, $path, %option) = @_;

    $t->mark;
    my ($status, $r) = status($token, $path, %option);

    subtest $name => sub {
        is($status, 401, 'status');
        is($r->body, json_encode({errors => [{code => 'UNAUTHORIZED',
            message => 'the request is not signed in'}]}),
            'the same answer to all');
        is($r->header('WWW-Authenticate'),
            'Bearer realm="PortSIP", error="invalid_token"', 'challenge');

        $t->like_log(qr/\[info\][^\n]*group token refused: \Q$why\E/, $why);
        my @lines = $t->log =~ /^.*group token refused.*$/mg;
        is(scalar(@lines), 1, 'once');

        my @parts = grep { length > 8 } split /\./, $token;
        ok(!(grep { index($t->log, $_) >= 0 } @parts), 'nothing of it')
            if !$ENV{TEST_GROUP_DEBUG};
    };

    return;
}


subtest 'all algorithms' => sub {
    for my $key (qw(rs es ed hs)) {
        is(status(token($key)), 200, $key);
        my $log = $t->last_access;
        is($log->{principal}, 'me', 'its subject is the principal');
        is($log->{scopes}, 'groups:read', 'its scopes');
    }

    is(status(token('rs2')), 200, 'another key');
    # r and s of all lengths: each 256th begins with a zero
    my $bad = grep { status(token('es', {jti => $_})) != 200 } 1 .. 12;
    is($bad, 0, 'ES256, many signatures');
};

subtest 'SCIM takes them, too' => sub {
    my $r = $t->get('/scim/v2/ResourceTypes', bearer => token('rs'));
    is($r->status, 200, 'a token');

    $r = $t->get('/scim/v2/ResourceTypes', bearer => token('stranger'));
    is($r->status, 401, 'another one');
    is($r->json->{status}, '401', 'SCIM\'s error');
    is($r->header('WWW-Authenticate'),
        'Bearer realm="SCIM", error="invalid_token"', 'challenge');

    $r = $t->get('/scim/v2/ResourceTypes');
    is($r->header('WWW-Authenticate'), 'Bearer realm="SCIM"',
        'nothing was wrong with none');
};

subtest 'no token' => sub {
    for (['no header'], ['basic', auth => ['me', 'x']],
        ['an empty one', headers => [Authorization => 'Bearer ']],
        ['spaces in it', headers => [Authorization => 'Bearer a b']],
        ['no bearer', headers => [Authorization => token('rs')]])
    {
        my ($name, @option) = @$_;
        my $r = $t->get('/api/groups', @option);
        is($r->status, 401, $name);
        is($r->header('WWW-Authenticate'), 'Bearer realm="PortSIP"',
            'challenge');
    }

    is($t->get('/api/groups?access_token=' . token('rs'))->status, 401,
        'in the query');
};

# RFC 8725 names what has been tried on others.
subtest 'the algorithm is the key\'s' => sub {
    my $alg = 'its "alg" is none of RS256, ES256, EdDSA and HS256';

    for my $none (qw(none None NONE nOnE)) {
        refused($none, token('rs', {}, alg => $none, signature => ''), $alg);
        refused("$none, and a signature", token('rs', {}, alg => $none),
            $alg);
    }

    refused("\"$_\"", token('rs', {}, alg => $_), $alg)
        for qw(RS384 RS512 PS256 ES384 HS512 rs256), '';
    refused('a number', token('rs', {},
        raw_header => '{"alg":256,"kid":"rs"}'), $alg);
    refused('no alg', token('rs', {}, header => {alg => undef}), $alg);

    my $other = 'its "alg" is not that of its key';

    # the public key as the secret of an HMAC, in all forms that it has
    my $pem = $keys->pem('rs');
    my $der = MIME::Base64::decode_base64($pem =~ s/^-.*\n//mgr);
    my $n   = MIME::Base64::decode_base64(
        $keys->jwk('rs')->{n} =~ tr{-_}{+/}r);
    for (['PEM', $pem], ['PEM without its end', $pem =~ s/\n\z//r],
        ['DER', $der], ['its modulus', $n], ['nothing', ''],
        ['its JWK', json_encode($keys->jwk('rs', kid => 'rs'))])
    {
        my ($name, $secret) = @$_;
        refused("HS256 with an RSA key: $name", token('rs', {},
            alg => 'HS256', sign_with => $secret), $other);
    }
    refused('HS256 with an EC key', token('es', {}, alg => 'HS256',
        sign_with => $keys->pem('es')), $other);

    refused('RS256 with the HMAC\'s key', token('rs', {},
        header => {kid => 'hs'}), $other);
    refused('RS256 with an EC key', token('rs', {}, header => {kid => 'es'}),
        $other);
    refused('ES256 with an RSA key', token('es', {}, header => {kid => 'rs'}),
        $other);
    refused('EdDSA with an EC key', token('ed', {}, header => {kid => 'es'}),
        $other);
};

subtest 'the key is ours' => sub {
    my $wrong = 'its signature is wrong';

    refused("a stranger's $_->[0]", token($_->[0], {},
        header => {kid => $_->[1]}), $wrong)
        for ['stranger', 'rs'], ['es_stranger', 'es'],
        ['ed_stranger', 'ed'], ['hs_stranger', 'hs'];
    refused('another one of ours', token('rs2', {}, header => {kid => 'rs'}),
        $wrong);

    my $unknown = 'its "kid" is unknown';
    refused('unknown', token('stranger'), $unknown);
    refused('in another case', token('rs', {}, header => {kid => 'RS'}),
        $unknown);
    refused('a path', token('rs', {}, header => {kid => '../../dev/null'}),
        $unknown);
    refused('one for encryption', token('enc'), $unknown);
    refused('one that must not verify', token('ops'), $unknown);
    refused('one of another algorithm', token('rs', {},
        header => {kid => 'ps'}), $unknown);

    refused('none, where there are several', token('rs', {},
        header => {kid => undef}),
        'it has no "kid", and there are several keys');
    refused('no text', token('rs', {}, header => {kid => 1}),
        'its "kid" is no text');
    refused('an empty one', token('rs', {}, header => {kid => ''}),
        'its "kid" is no text');

    # what a token brings along is not looked at
    my $jwk = $keys->jwk('stranger', kid => 'rs');
    refused('in the token', token('stranger', {}, header => {
        kid => 'rs', jwk => $jwk, jku => 'http://127.0.0.1:1/jwks',
        x5u => 'http://127.0.0.1:1/x5u', x5c => ['AAAA']}), $wrong);

    is(status(token('es', {}, header => {kid => undef}), '/es'), 200,
        'the only one');
    refused('the only one has no name', token('es'), $unknown, '/es');
};

subtest 'signatures' => sub {
    my $wrong = 'its signature is wrong';

    for my $key (qw(rs es ed hs)) {
        my ($header, $claims, $signature) = split /\./, token($key);
        my ($other) = (split /\./, token($key, {sub => 'root'}))[1];
        my $bytes = MIME::Base64::decode_base64($signature =~ tr{-_}{+/}r);

        refused("$key: other claims", "$header.$other.$signature", $wrong);
        refused("$key: none", "$header.$claims.", $wrong);
        refused("$key: half of it", "$header.$claims."
            . base64url(substr $bytes, 0, length($bytes) / 2), $wrong);
        refused("$key: one byte more", "$header.$claims."
            . base64url("$bytes\0"), $wrong);
        refused("$key: zeros", "$header.$claims."
            . base64url("\0" x length $bytes), $wrong);
        refused("$key: padded", "$header.$claims.$signature=",
            'its signature is not base64url');
    }

    # the same numbers in the form that openssl has them in
    my $text  = join '.', (split /\./, token('es'))[0, 1];
    my $r = base64url("\x30\x44" . ("\x02\x20" . "\x11" x 32) x 2);
    refused('ES256 in DER', "$text.$r", $wrong);
    my $psychic = base64url("\0" x 31 . "\0" . "\0" x 31 . "\1");
    refused('ES256: r is 0', "$text.$psychic", $wrong);
};

subtest 'the header' => sub {
    refused('crit', token('rs', {}, header => {crit => ['b64'],
        b64 => JSON::PP::false()}), 'its header has "crit"');
    refused('crit, and nothing in it', token('rs', {},
        header => {crit => []}), 'its header has "crit"');

    my $type = 'its "typ" is neither "JWT" nor "at+jwt"';
    refused("typ $_", token('rs', {}, header => {typ => $_}), $type)
        for 'logout+jwt', 'dpop+jwt', 'JWE', 'application/', '';
    refused('typ is no text', token('rs', {}, header => {typ => 1}), $type);
    is(status(token('rs', {}, header => {typ => $_})), 200,
        'typ ' . ($_ // 'none'))
        for undef, 'jwt', 'at+jwt', 'application/at+jwt',
        'Application/AT+JWT';

    my $raw = sub { token('rs', {}, raw_header => $_[0]) };
    refused('no JSON', $raw->('{"alg":'),
        'its header is malformed: ');
    refused('alg twice', $raw->('{"alg":"none","alg":"RS256","kid":"rs"}'),
        'its header is malformed: the same key twice in an object');
    refused('a list', $raw->('["RS256"]'), 'its header is no object');
    refused('text behind it', $raw->('{"alg":"RS256","kid":"rs"} x'),
        'its header is malformed: ');
    refused('too deep', $raw->('{"alg":"RS256","kid":"rs","x":' . '[' x 20
        . ']' x 20 . '}'), 'its header is malformed: arrays and objects '
        . 'nested deeper than 16');
};

subtest 'base64url' => sub {
    my ($header, $claims, $signature) = split /\./, token('rs');

    # none of them is part of a bearer token at all: refused before
    for my $bad ("$header=", "$header\t", "$header ", "=$header") {
        my ($status) = status("$bad.$claims.$signature");
        is($status, 401, "\"" . ($bad =~ s/\Q$header\E/header/r) . '"');
    }

    my $not = 'is not base64url';
    refused('a plus', "+$header.$claims.$signature", "its header $not");
    refused('a slash', "$header/.$claims.$signature", "its header $not");
    refused('a tilde', "$header.$claims.~$signature", "its signature $not");
    refused('nothing', "..", 'its header is malformed: no value');

    # the last bits of a header that has some: they must be 0
    my $text = base64url('{"alg":"RS256","kid":"rs"}');
    is(length($text) % 4, 3, 'bits are left');
    my $last = chop(my $start = $text);
    my $next = chr(1 + ord $last);
    refused('bits that are nobody\'s', "$start$next.$claims.$signature",
        "its header $not");
    refused('6 bits more', "${text}AA.$claims.$signature", "its header $not");
};

subtest 'parts' => sub {
    my $parts = 'it is not of three parts';
    my $token = token('rs');

    refused('one', 'token', $parts);
    refused('two', $token =~ s/\.[^.]*\z//r, $parts);
    refused('four', "$token.x", $parts);
    refused('five, as JWE has them', 'a.b.c.d.e', $parts);
};

subtest 'its size' => sub {
    # a token of each length but one of four
    my %by = map { (length $_ => $_) }
        map { token('hs', {x => 'x' x $_}) } 5980 .. 6060;
    my ($large) = grep { $by{$_} } 8192, 8191;
    my ($over)  = grep { $by{$_} } 8193, 8194;

    is(status($by{$large}, undef, http1 => 1), 200, "$large bytes");
    refused("$over bytes", $by{$over}, 'it is longer than 8192 bytes', undef,
        http1 => 1);
};

subtest 'dates' => sub {
    my $now = time;

    refused('it has ended', token('hs', {exp => $now - 2}), 'it has expired');
    refused('long ago', token('hs', {exp => 0}), 'it has expired');
    is(status(token('hs', {exp => $now + 30})), 200, 'it will end');
    is(status(token('hs', {exp => 999999999999999})), 200, 'in long');

    refused('no end', token('hs', {}, raw_claims =>
        json_encode({sub => 'me', scope => 'groups:read'})),
        'it has no "exp"');

    my $raw = sub {
        my ($name, $value) = @_;
        my $exp = $now + 300;
        return token('hs', {}, raw_claims => '{"sub":"me",'
            . ($name eq 'exp' ? '' : "\"exp\":$exp,") . "\"$name\":$value}");
    };

    for my $name (qw(exp nbf)) {
        refused("$name: $_", $raw->($name, $_), "its \"$name\" is no date")
            for $now + 300 . '.5e0', '1.7e9', '17e300', '-1', '-0',
            '"' . ($now + 300) . '"', 'null', 'true', '[1]', '{}',
            '9223372036854775807', '18446744073709551617', '9' x 1000;
    }

    refused('not yet', token('hs', {nbf => $now + 60}),
        'it is not valid yet');
    is(status(token('hs', {nbf => $now - 1})), 200, 'since a second');
    is(status(token('hs', {iat => $now + 60})), 200,
        'when it was made is not looked at');
};

subtest 'leeway' => sub {
    my $now = time;

    is(status(token('hs', {exp => $now - 20}), '/hs'), 200, 'late');
    refused('too late', token('hs', {exp => $now - 31}), 'it has expired',
        '/hs');
    is(status(token('hs', {nbf => $now + 20}), '/hs'), 200, 'early');
    refused('too early', token('hs', {nbf => $now + 45}),
        'it is not valid yet', '/hs');
};

subtest 'issuer and audience' => sub {
    my %right = (iss => 'https://id.example.com/', aud => 'groups');
    my @rs    = (header => {kid => undef});
    my $one   = sub { token('rs', {%right, @_}, @rs) };

    for my $at (qw(/one /one/in)) {
        is(status($one->(), $at), 200, "$at: right");
        is(status($one->(aud => ['x', 'groups']), $at), 200, 'one of several');
        is(status($one->(aud => ['groups']), $at), 200, 'a list of one');

        my $iss = 'its "iss" is not the issuer';
        refused('issuer ' . json_encode([$_]), $one->(iss => $_), $iss, $at)
            for 'https://id.example.com', 'https://id.example.com/x',
            'https://ID.example.com/', '', ['https://id.example.com/'], 1,
            undef;

        my $aud = 'its "aud" is not the audience';
        refused('audience ' . json_encode([$_]), $one->(aud => $_), $aud, $at)
            for 'group', 'groups2', 'Groups', '', [], ['x'], [['groups']],
            {groups => 1}, ['groups', 1], 1, undef;
    }

    refused('no issuer', token('rs', {aud => 'groups'}, @rs),
        'its "iss" is not the issuer', '/one');
    refused('no audience', token('rs', {iss => $right{iss}}, @rs),
        'its "aud" is not the audience', '/one');

    is(status(token('rs', {iss => 'x', aud => 'y'})), 200,
        'without the parameters they are not looked at');
};

subtest 'the subject' => sub {
    my $sub = 'its "sub" is no text of 1 to 256 bytes';
    refused('sub ' . json_encode([$_]), token('hs', {sub => $_}), $sub)
        for '', 1, undef, ['me'], 'x' x 257;
    refused('none', token('hs', {}, raw_claims =>
        json_encode({exp => time + 60})), $sub);

    my $control = 'its "sub" has a control character';
    refused('a line break', token('hs', {sub => "a\r\nX-Admin: 1"}),
        $control);
    refused('DEL', token('hs', {sub => "a\x7f"}), $control);

    for my $who ('x' x 256, 'a b', 'auth0|5f7c8ec7c33c6c004bbafe82',
        "\"q\\uote", "J\x{f6}rg")
    {
        is(status(token('hs', {sub => $who})), 200, 'any other text');
        is($t->last_access->{principal}, $who, 'is the principal');
    }
};

subtest 'scopes' => sub {
    my $scopes = sub {
        my (%claims) = @_;
        my $token = $keys->token('hs', {sub => 'me', exp => time + 60,
            %claims}, header => {kid => 'hs'});
        my $status = status($token);
        return $status . ' ' . $t->last_access->{scopes};
    };

    is($scopes->(scope => 'groups:read'), '200 groups:read', 'one');
    is($scopes->(scope => 'a groups:read b'), '200 a groups:read b',
        'several');
    is($scopes->(scope => '  groups:read  '), '200 groups:read', 'spaces');
    is($scopes->(scp => 'a groups:read'), '200 a groups:read',
        'scp, a text');
    is($scopes->(scp => ['a', 'groups:read']), '200 a groups:read',
        'scp, a list');

    is($scopes->(), '403 ', 'none');
    is($scopes->(scope => ''), '403 ', 'an empty text');
    is($scopes->(scp => []), '403 ', 'an empty list');
    is($scopes->(scope => 'groups:write'), '403 groups:write', 'another one');
    is($scopes->(scope => 'groups:reader groups'), '403 groups:reader groups',
        'like it');
    is($scopes->(scope => 'Groups:Read'), '403 Groups:Read', 'another case');
    is($scopes->(scope => 'a', scp => 'groups:read'), '403 a',
        'scope goes before scp');
    is($scopes->(roles => ['groups:read']), '403 ', 'roles are none');

    refused('scope ' . json_encode([$_]), token('hs', {scope => $_}),
        'its "scope" is no list of scopes')
        for ['groups:read'], 1, undef, {}, "groups:read\tb", "a\x{f6}",
        'a"b', 'a\\b';

    $t->mark;
    for my $scp (['groups:read b'], [''], [1], [['groups:read']], 1, {},
        undef, "a\nb")
    {
        my $token = $keys->token('hs', {sub => 'me', exp => time + 60,
            scp => $scp}, header => {kid => 'hs'});
        refused('scp ' . json_encode([$scp]), $token,
            'its "scp" is no list of scopes');
    }

    my $r = $t->post('/api/groups', bearer => token('hs'), json => {
        name => 'a'});
    is($r->status, 403, 'a write with the scope of reading');
};

subtest 'duplicate claims' => sub {
    refused('sub twice', token('hs', {}, raw_claims => '{"sub":"me",'
        . '"exp":4000000000,"sub":"root"}'), 'its payload is malformed: '
        . 'the same key twice in an object');
    refused('no object', token('hs', {}, raw_claims => '"me"'),
        'its payload is no object');
    refused('no UTF-8', token('hs', {}, raw_claims => "{\"sub\":\"\xff\"}"),
        'its payload is malformed: not UTF-8');
};

subtest 'beside static tokens' => sub {
    is(status('a.static.token', '/both'), 200, 'a token with two dots');
    is($t->last_access->{principal}, 'static', 'is looked up first');
    is(status('plain', '/both'), 200, 'one without');
    is(status(token('rs'), '/both'), 200, 'a JWT');
    is($t->last_access->{principal}, 'me', 'is one');
    refused('neither', token('stranger'), 'its "kid" is unknown', '/both');
    refused('neither, without dots', 'nobody', 'it is not of three parts',
        '/both');

    is(status('plain', '/static'), 200, 'group_jwt_keys off: a static one');
    is(status(token('rs'), '/static'), 401, 'and no JWT');
    is(status('plain'), 401, 'no group_credentials: no static one');
    is(status(token('stranger'), '/off'), 200, 'both off');
    is($t->get('/off/groups')->status, 200, 'nobody is asked');
};

subtest 'it goes nowhere' => sub {
    $u->clear;
    my $token = token('rs');
    status($token);
    my @got = $u->requests;
    unlike($_->raw, qr/authorization:|\Q$token\E/i, 'not upstream') for @got;

    my $signature = $token =~ s/.*\.//r;
    unlike($t->read_file('access.log'), qr/\Q$signature\E/, 'in no log');
};

subtest 'changed keys are read with the configuration' => sub {
    my $old = token('es', {}, header => {kid => undef});
    my $new = $keys->token('es_stranger', claims());

    jwks('es.json', $keys->jwk('es_stranger'));
    is(status($old, '/es'), 200, 'before') if !$ENV{TEST_GROUP_RELOAD};
    ok($t->reload, 'reload');
    is(status($new, '/es'), 200, 'the new one');
    is(status($old, '/es'), 401, 'the old one is gone');

    $t->write_file('es.json', '{"keys":[]}', 0600);
    $t->expect_log(qr/keys file "/);
    ok(!$t->reload, 'a broken file is refused');

    local $ENV{TEST_GROUP_RELOAD} = 0;
    is(status($new, '/es'), 200, 'and the old one stays');
};

$t->stop;


## files

my $here = 'group_dialect portsip; group_jwt_keys bad.json;';

sub fails {
    my ($name, $content, $like) = @_;

    my $file = $t->write_file('bad.json',
        ref $content ? json_encode($content) : $content, 0600);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->config_fails($here,
        qr/\[emerg\][^\n]*keys file "\Q$file\E"[^\n]*$like/, $name);

    return;
}

sub key {
    my ($name, %change) = @_;
    return {keys => [$keys->jwk($name, %change)]};
}

# accepted, with the warnings of nginx -t
sub passes {
    my ($name, $content, @like) = @_;

    $t->write_file('bad.json', json_encode($content), 0600);
    my ($exit, $output) = $t->test_config($here);

    subtest $name => sub {
        is($exit, 0, 'accepted') or diag($output);
        like($output, qr{\[warn\].*keys file "\S+bad\.json": $_.* in \S+:\d+$}m,
            $_) for @like;
        unlike($output, qr/\[warn\]/, 'nothing to say') if !@like;
    };

    return;
}

subtest 'a file that is no JWK Set' => sub {
    $t->config_fails('group_jwt_keys none.json;',
        qr/"\S+\/none\.json" failed \(2: No such file/, 'no file');
    $t->config_fails('group_jwt_keys %%DIR%%;',
        qr/keys file "\S+" is not a regular file/, 'a directory');
    fails('a large one', ' ' x (1024 * 1024 + 1), 'larger than 1048576 bytes');

    fails('nothing', '', '');
    fails('no JSON', $keys->pem('rs'), '');
    fails('keys twice', '{"keys":[],"keys":[]}', '');
    fails('a key alone', $keys->jwk('rs'), 'keys: expected an array of '
        . 'objects that is not empty');
    fails('a list', [$keys->jwk('rs')], 'expected an object');
    fails('no list', {keys => {}}, 'keys: expected an array of objects');
    fails('an empty list', {keys => []}, 'keys: expected an array of objects');
    fails('no objects', {keys => [$keys->jwk('rs'), 'x']},
        'keys\[1\]: expected an object');
    fails('65 keys', {keys => [map { $keys->jwk('hs', kid => "k$_") }
        1 .. 65]}, 'keys: there are more than 64');
    passes('64 keys', {keys => [map { $keys->jwk('hs', kid => "k$_") }
        1 .. 64]});
    passes('more in it', {%{key('rs')}, other => 1});
};

subtest 'which key it is' => sub {
    fails('the second', {keys => [$keys->jwk('rs', kid => 'a'),
        $keys->jwk('rs2', kid => 'b', n => 'x')]}, 'keys\[1\]\.n: ');
    fails('a name twice', {keys => [map { $keys->jwk($_, kid => 'a') }
        qw(rs es)]}, 'keys\[1\]\.kid: is that of keys\[0\], too');
    fails('no name', {keys => [$keys->jwk('rs', kid => 'a'),
        $keys->jwk('es')]}, 'keys\[1\]: there are several keys, and '
        . 'keys\[1\] has no "kid"');
    fails('no name, the first', {keys => [$keys->jwk('rs'),
        $keys->jwk('es', kid => 'a')]}, 'keys\[1\]: there are several keys, '
        . 'and keys\[0\] has no "kid"');
};

subtest 'members' => sub {
    fails('no kty', key('rs', kty => undef),
        'keys\[0\]\.kty: expected a string');
    fails("$_ is no text", key('rs', $_ => 1),
        "keys\\[0\\]\\.$_: expected a string")
        for qw(kty alg kid use n e);
    fails('an empty kid', key('rs', kid => ''),
        'keys\[0\]\.kid: expected a string that is not empty');
    fails('key_ops is no list', key('rs', key_ops => 'verify'),
        'keys\[0\]\.key_ops: expected an array of strings');

    for (['rs', 'n'], ['rs', 'e'], ['es', 'x'], ['es', 'y'], ['ed', 'x'],
        ['hs', 'k'])
    {
        my ($key, $member) = @$_;
        my $at = "keys\\[0\\]\\.$member: ";
        my $is = $keys->jwk($key)->{$member};

        fails("$key: no $member", key($key, $member => undef),
            "${at}expected a string");
        fails("$key: $member: padded", key($key, $member => "$is=="),
            "${at}expected base64url without padding");
        fails("$key: $member: a space", key($key, $member => " $is"),
            "${at}expected base64url without padding");
    }
};

subtest 'RSA' => sub {
    $keys->make(weak => 'RSA', bits => 1024);
    $keys->make(odd => 'RSA', bits => 2040);

    fails('1024 bits', key('weak'),
        'keys\[0\]\.n: has 1024 bits, and needs 2048');
    fails('2040 bits', key('odd'),
        'keys\[0\]\.n: has 2040 bits, and needs 2048');
    fails('more zeros before it', key('weak', n => base64url("\0" x 128
        . MIME::Base64::decode_base64($keys->jwk('weak')->{n}
            =~ tr{-_}{+/}r))), 'keys\[0\]\.n: has 1024 bits, and needs 2048');
    fails('16384 bits', key('rs', n => base64url("\xff" x 2048)),
        'keys\[0\]\.n: has more than 8192 bits');
    fails('0', key('rs', n => 'AAAA'), 'keys\[0\]\.n: expected a number');
    fails('an even number', key('rs', n => base64url("\xfe" x 256)),
        'keys\[0\]\.n: expected an RSA key');
    fails("e: $_->[0]", key('rs', e => base64url($_->[1])),
        'keys\[0\]\.e: expected ')
        for ['0', "\0"], ['1', "\1"], ['2', "\2"], ['1, with zeros', "\0\1"],
        ['an even one', "\1\0\0"], ['a large one', "\1" x 9];
    passes('a zero before it', key('rs', n => base64url("\0"
        . MIME::Base64::decode_base64($keys->jwk('rs')->{n}
            =~ tr{-_}{+/}r))));
};

subtest 'EC and OKP' => sub {
    my $point = 'keys\[0\]: "x" and "y" are no point of P-256';
    my $es    = $keys->jwk('es');

    fails('another y', key('es', y => $keys->jwk('es_stranger')->{y}),
        $point);
    fails('zeros', key('es', map { ($_ => base64url("\0" x 32)) } 'x', 'y'),
        $point);
    fails('a short one', key('es', x => base64url("\1" x 31)), $point);
    fails('a long one', key('es', x => base64url("\1" x 33)), $point);
    fails('a short Ed25519', key('ed', x => base64url("\1" x 31)),
        'keys\[0\]\.x: expected an Ed25519 key');
    fails('a long Ed25519', key('ed', x => base64url("\1" x 33)),
        'keys\[0\]\.x: expected an Ed25519 key');
};

subtest 'secrets' => sub {
    fails('a short one', key('hs', k => base64url('x' x 31)),
        'keys\[0\]\.k: has 31 bytes, and needs 32');
    passes('32 bytes', key('hs', k => base64url('x' x 32)));

    my $file = $t->write_file('bad.json', json_encode(key('hs')), 0644);
    my ($exit, $output) = $t->test_config($here);
    is($exit, 0, 'one that everybody may read is');
    like($output, qr/\[warn\].*"\Q$file\E" can be read by everyone, and /,
        'warned of');

    chmod 0644, $t->write_file('bad.json', json_encode(key('rs')), 0644);
    ($exit, $output) = $t->test_config($here);
    unlike($output, qr/\[warn\]/, 'public keys are public');
};

# A JWK Set of an identity provider has keys for other things as well.
subtest 'what is passed over' => sub {
    my $with = sub {
        my (%other) = @_;
        return {keys => [$keys->jwk('es', kid => 'a'), {%other}]};
    };
    my $rs   = $keys->jwk('rs', kid => 'b');
    my $kind = 'keys\[1\] is passed over, its "kty" and "crv" are none of '
        . 'RSA, EC P-256, OKP Ed25519, and oct';
    my $alg = 'keys\[1\] is passed over, its "alg" is not the one of ';

    passes('use enc', $with->(%$rs, use => 'enc'),
        'keys\[1\] is passed over, its "use" is not "sig"');
    passes('key_ops', $with->(%$rs, key_ops => ['sign', 'encrypt']),
        'keys\[1\] is passed over, its "key_ops" has no "verify"');
    passes('no key_ops', $with->(%$rs, key_ops => []),
        'keys\[1\] is passed over, its "key_ops" has no "verify"');
    passes("alg $_", $with->(%$rs, alg => $_), $alg)
        for qw(RS512 PS256 ES256 HS256 none RSA-OAEP);
    passes('an EC key for RS256', $with->(%{$keys->jwk('es_stranger')},
        kid => 'b', alg => 'RS256'), $alg);
    passes('a secret for RS256', $with->(%{$keys->jwk('hs')}, kid => 'b',
        alg => 'RS256'), $alg);
    passes('a secret that does not say', {keys => [$keys->jwk('es'),
        $keys->jwk('hs', alg => undef)]}, $alg);

    $keys->make(p384 => 'EC', curve => 'P-384');
    passes('P-384', $with->(%{$keys->jwk('p384')}), $kind);
    passes('X25519', $with->(kty => 'OKP', crv => 'X25519', x => 'AA'),
        $kind);
    passes('another kty', $with->(kty => 'AKP', kid => 'c'), $kind);

    fails('all of them', {keys => [{%$rs, use => 'enc'}]},
        'keys: there is none for RS256, ES256, EdDSA \(Ed25519\) or HS256');

    passes('a private part', key('ed', d => base64url('x' x 32)),
        'keys\[0\] has its private part');
    my ($exit, $output) = $t->test_config($here);
    unlike($output, qr/eHh4/, 'and does not show it');
};

subtest 'the directive' => sub {
    jwks('good.json', $keys->jwk('rs'));

    $t->config_ok("group_dialect portsip; group_jwt_keys good.json $_;",
        "\"$_\"")
        for '', 'issuer=x', 'audience=x leeway=1m issuer=x=y', 'leeway=0',
        'leeway=1d', '"issuer=a b"';

    $t->config_fails("group_jwt_keys good.json $_;",
        qr/invalid parameter "\Q$_\E" in "group_jwt_keys"/, "\"$_\"")
        for 'x', 'issuer', 'issuer=', 'audience=', 'leeway=', 'leeway=x',
        'leeway=-1', 'leeway=2d', 'ISSUER=x', 'off';
    $t->config_fails("group_jwt_keys good.json $_ $_;",
        qr/duplicate parameter "\Q$_\E" in "group_jwt_keys"/, "$_ twice")
        for 'issuer=x', 'audience=x', 'leeway=0';

    $t->config_fails('group_jwt_keys off; group_jwt_keys off;',
        qr/"group_jwt_keys" directive is duplicate/, 'twice');
    $t->config_fails('group_jwt_keys;', qr/invalid number of arguments/,
        'no file');
    $t->config_fails('location / { if ($arg_a) { group_jwt_keys off; } }',
        qr/directive is not allowed here/, 'in if');

    for my $dialect (qw(signalwire vinyldns faxfinder)) {
        $t->config_fails("group_dialect $dialect; group_jwt_keys good.json;",
            qr/"group_jwt_keys" is set, but dialect "$dialect" takes no/,
            "$dialect: nobody could sign in");
    }
    $t->config_ok('group_jwt_keys good.json; group_credentials clients.json;'
        . 'location /a/ { group_dialect portsip; }'
        . 'location /b/ { group_dialect signalwire; }',
        'a server of several dialects');
};

done_testing;
