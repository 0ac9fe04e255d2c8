#!/usr/bin/perl

# group_credentials: who may call, and what is wrong with a file of them.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(encode_base64);
use Test::Gateway;
use Test::Gateway::Message qw(json_encode);

my $t = Test::Gateway->new(variables => [qw(principal scopes outcome)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my $u = $t->upstream(sub {
    my ($request) = @_;

    return [200, [], {id => $UUID, name => 'a', sticky_sender => \0,
            phone_number_count => 0}]
        if $request->{uri} =~ m{^/api/relay/rest/};
    return [200, [], {count => 0, items => []}]
        if $request->{uri} =~ m{^/api/};
    return [200, ['Content-Type' => 'application/xml'], '<response><message>'
            . 'Success</message></response>']
        if $request->{uri} =~ m{^/ffws/};
    return [200, [], {groups => [], maxItems => 100, ignoreAccess => \0}];
});

my $proxy = 'proxy_pass http://' . $u->address . ';';

my @basic = (type => 'basic', id => 'project', secret => 'S3cret-Basic',
    scopes => ['numbers']);

$t->credentials('all.json',
    {@basic},
    {type => 'basic', id => "n\xe4me", secret => "p\xc3\xa4ss:w\xc3\xb6rd",
        principal => 'umlaut', scopes => ['numbers']},
    {type => 'basic', id => 'empty', secret => '', scopes => ['numbers']},
    {type => 'basic', id => 'alice', secret => 'S3cret-Alice',
        principal => 'al', containers => ['alice', 'shared']},
    {type => 'basic', id => 'nowhere', secret => 'S3cret-Nowhere',
        containers => []},
    {type => 'bearer', token => 'S3cret.Bearer_~+/==', principal => 'ci',
        scopes => ['groups:read', 'groups:write']},
    {type => 'sigv4', access_key => 'KeyOfSigV4', secret_key => 'S3cret-SigV4',
        principal => 'ok', scopes => ['groups:read', 'groups:write']},
);
$t->credentials('other.json', {@basic, secret => 'S3cret-Other',
    principal => 'other'});

my $server = <<"END";
location /api/relay/rest/ { group_dialect signalwire; $proxy }
location /api/ { group_dialect portsip; $proxy }
location /ffws/ { group_dialect faxfinder; $proxy }
location /groups { group_dialect vinyldns; $proxy }

location /other/ {
    group_dialect signalwire;
    group_base_path /other;
    group_credentials other.json;
    $proxy
}

location /off/ {
    group_dialect signalwire;
    group_base_path /off;
    group_credentials off;
    $proxy
}
END

$t->nginx(http => 'group_credentials all.json;', server => $server);

my $SIGNALWIRE = '/api/relay/rest/number_groups/' . $UUID;
my $FAXFINDER  = '/ffws/v1/contact_groups';

# the status; that what is refused goes no further is looked at on the way
sub status {
    my ($path, %option) = @_;

    $u->clear;
    my $r = $t->get($path, %option);
    my @got = $u->requests;

    my $sent = $r->status == 200 ? 1 : 0;
    is(scalar(@got), $sent, "sent upstream: $sent") if @got != $sent;

    return $r->status;
}

sub auth { return (headers => [Authorization => $_[0]]) }

sub basic64 { return auth('Basic ' . encode_base64($_[0], '')) }


subtest 'basic' => sub {
    is(status($SIGNALWIRE, auth => ['project', 'S3cret-Basic']), 200, 'right');
    is(status($SIGNALWIRE, auth => ["n\xc3\xa4me", "p\xc3\xa4ss:w\xc3\xb6rd"]),
        200, 'any bytes, a colon in the secret');
    is(status($SIGNALWIRE, auth => ['empty', '']), 200, 'no secret');
    is(status($SIGNALWIRE, auth('basic   '
            . encode_base64('project:S3cret-Basic', ''))), 200,
        'the scheme in another case, spaces');

    my @refused = (
        ['a wrong secret',      basic64('project:S3cret-basic')],
        ['a longer secret',     basic64('project:S3cret-Basic1')],
        ['a shorter secret',    basic64('project:S3cret-Basi')],
        ['no secret',           basic64('project:')],
        ['somebody else\'s',    basic64('project:S3cret-Alice')],
        ['an unknown id',       basic64('nobody:S3cret-Basic')],
        ['an id in upper case', basic64('Project:S3cret-Basic')],
        ['no id',               basic64(':S3cret-Basic')],
        ['the digest',
            basic64('project:' . sha256_hex('S3cret-Basic'))],
        ['an id with a NUL',    basic64("project\0:S3cret-Basic")],
        ['no colon',            basic64('project')],
        ['no base64',           auth('Basic project:S3cret-Basic')],
        ['cut base64',          auth('Basic cHJvamVjdDpTM2NyZXQtQmFzaW')],
        ['text behind it', auth('Basic '
                . encode_base64('project:S3cret-Basic', '') . ' x')],
        ['nothing in it',       auth('Basic ')],
        ['a scheme alone',      auth('Basic')],
        ['an empty header',     auth('')],
        ['a bearer token',      bearer => 'S3cret.Bearer_~+/=='],
        ['another scheme',      auth('Digest username="project"')],
        ['no header'],
    );

    for (@refused) {
        my ($name, @option) = @$_;
        is(status($SIGNALWIRE, @option), 401, $name);
    }
};

subtest 'bearer' => sub {
    is(status('/api/groups', bearer => 'S3cret.Bearer_~+/=='), 200, 'right');
    is(status('/api/groups', auth('bEARER S3cret.Bearer_~+/==')), 200,
        'the scheme in another case');

    is(status('/api/groups', bearer => $_), 401, "\"$_\"")
        for 'S3cret.Bearer_~+/=', 'S3cret.Bearer_~+/===',
        's3cret.Bearer_~+/==', 'S3cret.Bearer_~+/== x', '',
        sha256_hex('S3cret.Bearer_~+/==');
    is(status('/api/groups', auth => ['project', 'S3cret-Basic']), 401,
        'basic');
    is(status('/api/groups'), 401, 'no header');
    is(status('/api/groups?access_token=S3cret.Bearer_~%2B%2F%3D%3D'), 401,
        'a token in the query');
};

subtest 'sigv4' => sub {
    my %key = (access_key => 'KeyOfSigV4', secret_key => 'S3cret-SigV4');

    is(status('/groups', sigv4 => {%key}), 200, 'right');
    is(status('/groups', sigv4 => {%key, secret_key => 'x'}), 401,
        'a wrong secret');
    is(status('/groups', sigv4 => {%key, access_key => 'project'}), 401,
        'an unknown key');
    is(status('/groups', auth => ['project', 'S3cret-Basic']), 401, 'basic');
    is(status('/groups'), 401, 'no header');
};

subtest 'it is refused as the vendor does' => sub {
    my $r = $t->get($SIGNALWIRE);
    is($r->body, '{"error":"Unauthorized"}', 'SignalWire');
    is($r->header('Content-Type'), 'application/json', 'media type');
    like($r->header('WWW-Authenticate'), qr/^Basic realm=/, 'and the scheme');

    $r = $t->get('/api/groups');
    is($r->json->{errors}[0]{code}, 'UNAUTHORIZED', 'PortSIP');
    like($r->header('WWW-Authenticate'), qr/^Bearer realm=/, 'and the scheme');

    $r = $t->get("$FAXFINDER/alice");
    is($r->xpath('/response/message'), 'Unauthorized', 'FaxFinder');
    is($r->header('Content-Type'), 'application/xml', 'media type');

    $r = $t->get('/groups');
    is($r->body, 'Authentication Failed: Authorization header not found',
        'VinylDNS, none');
    is($r->header('Content-Type'), 'text/plain; charset=UTF-8', 'media type');

    $r = $t->get('/groups', auth('Basic x'));
    is($r->body, 'Authentication Failed: '
            . 'Authorization header could not be parsed', 'another scheme');

    $r = $t->get('/groups', sigv4 => {access_key => 'nobody',
            secret_key => 'x'});
    is($r->body, 'Authentication Failed: '
            . 'Request signature could not be validated', 'an unknown key');

    $r = $t->get('/groups', sigv4 => {access_key => 'KeyOfSigV4',
            secret_key => 'x'});
    is($r->body, 'Authentication Failed: '
            . 'Request signature could not be validated', 'a wrong secret');
};

# Nobody knows which of the two somebody else would believe. Where nginx does
# not refuse that itself, with a 400 of its own, we do.
subtest 'Authorization twice' => sub {
    my $right = 'Basic ' . encode_base64('project:S3cret-Basic', '');
    my $wrong = 'Basic ' . encode_base64('project:x', '');

    for (['both right', $right, $right], ['first right', $right, $wrong],
        ['last right', $wrong, $right], ['last empty', $right, ''])
    {
        my ($name, $first, $last) = @$_;

        $u->clear;
        my $r = $t->get($SIGNALWIRE, http1 => 1, headers => [
                Authorization => $first, Authorization => $last]);
        like($r->status, qr/^40[01]$/, $name);
        is($r->body, '{"error":"Unauthorized"}', 'in the client\'s dialect')
            if $r->status == 401;
        is(scalar($u->requests), 0, 'and goes no further');
    }
};

subtest 'levels' => sub {
    is(status("/other/number_groups/$UUID",
            auth => ['project', 'S3cret-Other']), 200, 'a location\'s own');
    is(status("/other/number_groups/$UUID",
            auth => ['project', 'S3cret-Basic']), 401,
        'are not beside those of http');

    is(status("/off/number_groups/$UUID"), 200, 'off');
    is(status("/off/number_groups/$UUID",
            auth => ['project', 'wrong']), 200, 'off, and a wrong one');
};

subtest 'containers' => sub {
    my @alice = (auth => ['alice', 'S3cret-Alice']);

    is(status("$FAXFINDER/alice", @alice), 200, 'one');
    is(status("$FAXFINDER/shared", @alice), 200, 'another');
    is(status("$FAXFINDER/al%69ce", @alice), 200, 'escaped');

    is(status("$FAXFINDER/$_", @alice), 403, $_)
        for qw(bob b%6fb Alice alice2 alic al global_contact_list bob/1);
    is(status("$FAXFINDER/alice%2F..%2Fbob", @alice), 404, 'a way out');

    is(status("$FAXFINDER/alice", auth => ['nowhere', 'S3cret-Nowhere']), 403,
        'an empty list');
    is(status("$FAXFINDER/bob", auth => ['project', 'S3cret-Basic']), 200,
        'no list');

    my $r = $t->get("$FAXFINDER/bob", @alice);
    is($r->xpath('/response/message'), 'Forbidden', 'in FaxFinder\'s words');
    is($r->header('Content-Type'), 'application/xml', 'media type');

    is(status("$FAXFINDER/bob", auth => ['alice', 'x']), 401,
        'who calls is found out first');

    for my $method (qw(POST PUT DELETE)) {
        $u->clear;
        $r = $t->request(method => $method, @alice,
            uri => "$FAXFINDER/bob" . ($method eq 'POST' ? '' : '/1'));
        is($r->status, 403, "$method, before the body is looked at");
        is(scalar($u->requests), 0, 'and goes no further');
    }
};

subtest 'variables' => sub {
    my $last = sub {
        status(@_);
        return [@{$t->last_access}{qw(principal scopes)}];
    };

    is_deeply($last->($SIGNALWIRE, auth => ['project', 'S3cret-Basic']),
        ['project', 'numbers'], 'an id, where there is no other name');
    is_deeply($last->('/api/groups', bearer => 'S3cret.Bearer_~+/=='),
        ['ci', 'groups:read groups:write'], 'a token');
    is_deeply($last->("$FAXFINDER/bob", auth => ['alice', 'S3cret-Alice']),
        ['al', ''], 'who was refused after he was found out');
    is_deeply($last->($SIGNALWIRE, auth => ['project', 'x']), ['', ''],
        'nobody');
    is_deeply($last->("/off/number_groups/$UUID",
            auth => ['project', 'S3cret-Basic']), ['', ''], 'nobody, off');
};

subtest 'credentials go nowhere' => sub {
    $u->clear;

    status($SIGNALWIRE, auth => ['project', 'S3cret-Basic']);
    status('/api/groups', bearer => 'S3cret.Bearer_~+/==');
    status("$FAXFINDER/alice", auth => ['alice', 'S3cret-Alice']);
    $t->get('/groups', sigv4 => {access_key => 'KeyOfSigV4',
            secret_key => 'S3cret-SigV4', content_sha256 => 1},
        headers => [Cookie => 'session=S3cret-Cookie',
            'Proxy-Authorization' => 'Basic UzNjcmV0LVByb3h5',
            'X-Amz-Security-Token' => 'S3cret-Session']);
    $t->get("/off/number_groups/$UUID", auth => ['project', 'S3cret-Basic']);

    my @got = $u->requests;
    unlike($_->raw, qr/S3cret|UzNjcmV0|KeyOfSigV4|authorization:|cookie:
            |x-amz-|@{[encode_base64('project:S3cret-Basic', '')]}/xi,
        'not upstream: ' . $_->uri) for @got;
};

# every secret here has this in it, or is one of these
subtest 'secrets are in no log' => sub {
    Test::Gateway->not_in(debug => 'nginx logs headers there');

    my @secret = ('S3cret', 'UzNjcmV0', sha256_hex('S3cret-Basic'),
        map { encode_base64($_, '') } 'project:S3cret-Basic',
        'project:S3cret-basic', 'alice:S3cret-Alice');
    my $secret = join '|', map { quotemeta } @secret;

    # nginx logs the request line, which a client may put a token into, and
    # what it refuses itself
    my $nginx = qr/access_token=|client sent duplicate header line/;

    for my $log (qw(error.log access.log)) {
        my @lines = grep { !/$nginx/ } split /\n/, $t->read_file($log);
        cmp_ok(scalar(@lines), '>', 40, "there is $log");
        is_deeply([grep { /$secret/ } @lines], [], 'without secrets');
    }
};

subtest 'a changed file is read with the configuration' => sub {
    my @new = (auth => ['project', 'S3cret-New']);

    $t->credentials('other.json', {@basic, secret => 'S3cret-New'});
    is(status("/other/number_groups/$UUID", @new), 401, 'before')
        if !$ENV{TEST_GROUP_RELOAD};

    ok($t->reload, 'reload');
    is(status("/other/number_groups/$UUID", @new), 200, 'after');

    $t->write_file('other.json', '{', 0600);
    $t->expect_log(qr/credentials file "/);
    ok(!$t->reload, 'a broken file is refused');

    local $ENV{TEST_GROUP_RELOAD} = 0;
    is(status("/other/number_groups/$UUID", @new), 200,
        'and the old one stays');
};

$t->stop;

# The module's own lines at debug: nginx itself logs each header there.
subtest 'not even at debug' => sub {
    my $d = Test::Gateway->new(debug => 1);

    $d->credentials('all.json', {@basic},
        {type => 'sigv4', access_key => 'KeyOfSigV4',
            secret_key => 'S3cret-SigV4', scopes => ['groups:read']});
    $d->nginx(server => <<"END");
group_credentials all.json;
location /api/relay/rest/ { group_dialect signalwire; $proxy }
location /groups { group_dialect vinyldns; $proxy }
END

    $d->get($SIGNALWIRE, auth => ['project', 'S3cret-Basic']);
    $d->get($SIGNALWIRE, auth => ['project', 'S3cret-Wrong']);
    $d->get('/groups', sigv4 => {access_key => 'KeyOfSigV4',
            secret_key => 'S3cret-SigV4'});

    $d->like_log(qr/group call/, 'there are lines of ours');
    my @lines = grep { !/ http2? (?:http )?header: "/ }
        split /\n/, $d->log;
    is_deeply([grep { /S3cret|UzNjcmV0|cHJvamVjd|Signature=/ } @lines], [],
        'no secrets in them');

    $d->stop;
};


## files

sub fails {
    my ($name, $content, $like) = @_;

    my $file = $t->write_file('bad.json',
        ref $content ? json_encode($content) : $content, 0600);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->config_fails('group_dialect signalwire; group_credentials bad.json;',
        qr/\[emerg\][^\n]*credentials file "\Q$file\E"[^\n]*$like/, $name);

    my ($exit, $output) = $t->test_config(
        'group_dialect signalwire; group_credentials bad.json;');
    unlike($output, qr/S3cret/, 'and does not show what is in it');

    return;
}

# one entry that is right but for what is given; undef takes a key away
sub entry {
    my ($type, %change) = @_;

    my %entry = (
        type => $type,
        $type eq 'basic'  ? (id => 'a', secret_sha256 => sha256_hex('x')) :
        $type eq 'bearer' ? (token_sha256 => sha256_hex('x'),
            principal => 'p') :
        (access_key => 'a', secret_key => 'b'),
        %change
    );
    delete @entry{grep { !defined $entry{$_} } keys %entry};

    return {credentials => [\%entry]};
}

subtest 'a file that cannot be read' => sub {
    $t->config_fails('group_credentials none.json;',
        qr/"\S+\/none\.json" failed \(2: No such file/, 'no file');
    $t->config_fails('group_credentials %%DIR%%;',
        qr/credentials file "\S+" is not a regular file/, 'a directory');
    fails('a large one', ' ' x (1024 * 1024 + 1), 'larger than 1048576 bytes');
};

subtest 'a file that is no list of credentials' => sub {
    fails('nothing', '', '');
    fails('no JSON', 'S3cret', '');
    fails('JSON that breaks off', '{"credentials": [', '');
    fails('two values', '{"credentials": []} {}', '');
    fails('a key twice', '{"credentials": [], "credentials": []}', '');
    fails('a comment', "# S3cret\n{}", '');
    fails('a list', [], 'expected an object');
    fails('another key', {credentials => [], S => 1},
        'unknown key "S", expected one of: credentials');
    fails('no key', {}, 'credentials: expected an array of objects');
    fails('no list', {credentials => {}},
        'credentials: expected an array of objects');
    fails('an entry that is none', {credentials => ['S3cret']},
        'credentials\[0\]: expected an object');
};

subtest 'an entry that is wrong' => sub {
    my $types = 'credentials\[0\]\.type: expected "basic", "bearer" or'
        . ' "sigv4"';

    fails('no type', entry('basic', type => undef), $types);
    fails('another type', entry('basic', type => 'digest'), $types);
    fails('a number', entry('basic', type => 1), $types);

    my @text = (
        [undef, 'expected a string'],
        [1,     'expected a string'],
        ['',    'expected a string that is not empty'],
        ["a\n", 'expected a string without control characters'],
    );

    for my $at (['basic', 'id'], ['sigv4', 'access_key'],
        ['sigv4', 'secret_key'], ['bearer', 'principal'])
    {
        my ($type, $key) = @$at;

        for (@text) {
            my ($value, $like) = @$_;
            my $shown = defined $value ? json_encode($value) : 'none';
            fails("$type: $key: $shown", entry($type, $key => $value),
                "credentials\\[0\\]\\.$key: $like");
        }
    }

    fails('a colon in an id', entry('basic', id => 'a:b'),
        'credentials\[0\]\.id: expected a string without ":"');
    fails('a slash in a key', entry('sigv4', access_key => 'a/b'),
        'credentials\[0\]\.access_key: expected a string without "/"');

    for my $at (['basic', 'secret_sha256'], ['bearer', 'token_sha256']) {
        my ($type, $key) = @$at;
        my $digest = sha256_hex('x');

        fails("$key: $_->[0]", entry($type, $key => $_->[1]),
            "credentials\\[0\\]\\.$key: expected a SHA-256 digest, "
            . '64 hexadecimal digits')
            for ['none', undef], ['the secret itself', 'S3cret'],
            ['too short', substr $digest, 1], ['too long', $digest . '0'],
            ['no hexadecimal', 'g' . substr $digest, 1], ['a number', 1];
    }

    fails('a secret in clear', entry('basic', secret => 'S3cret'),
        'credentials\[0\]: unknown key "secret", expected one of: .*'
        . 'secret_sha256');
    fails('an id of a token', entry('bearer', id => 'a'),
        'credentials\[0\]: unknown key "id", expected one of: .*'
        . 'token_sha256');
    fails('a digest of a key', entry('sigv4', secret_sha256 => 'x'),
        'credentials\[0\]: unknown key "secret_sha256", expected one of: .*'
        . 'secret_key');

    for my $key (qw(scopes containers)) {
        fails("$key: no list", entry('basic', $key => 'a'),
            "credentials\\[0\\]\\.$key: expected an array of strings");
        fails("$key: $_->[0]", entry('basic', $key => ['a', $_->[1]]),
            "credentials\\[0\\]\\.$key\\[1\\]: expected $_->[2]")
            for ['a number', 1, 'a string'],
            ['an empty one', '', 'a string that is not empty'],
            ['a space', 'a b', 'a string without spaces'];
    }
};

subtest 'which entry it is' => sub {
    my @one = map { $_->{credentials}[0] } entry('basic'), entry('bearer'),
        entry('sigv4');

    fails('the third', {credentials => [@one[0, 1], {type => 'x'}]},
        'credentials\[2\]\.type: ');
    fails('an id twice', {credentials => [@one, $one[0]]},
        'credentials\[3\]\.id: "a" is that of credentials\[0\], too');
    fails('a token twice', {credentials => [@one, $one[1]]},
        'credentials\[3\]\.token_sha256: is that of credentials\[1\], too');
    fails('a key twice', {credentials => [@one, $one[2]]},
        'credentials\[3\]\.access_key: "a" is that of credentials\[2\], too');
};

subtest 'files that are right' => sub {
    my $ok = sub {
        my ($name, $content) = @_;
        $t->write_file('good.json', json_encode($content), 0600);
        $t->config_ok('group_dialect signalwire; group_credentials good.json;',
            $name);
    };

    $ok->('an empty list', {credentials => []});
    $ok->($_, entry($_)) for qw(basic bearer sigv4);
    $ok->('a digest in upper case',
        entry('basic', secret_sha256 => uc sha256_hex('x')));
    $ok->('one name for two', {credentials => [
            map { $_->{credentials}[0] }
                entry('basic', id => 'a', principal => 'p'),
                entry('basic', id => 'b', principal => 'p')]});
    $ok->('an id that is a key, too', {credentials => [
            map { $_->{credentials}[0] } entry('basic'), entry('sigv4')]});

    $t->write_file('good.json', json_encode(entry('sigv4')), 0644);
    my ($exit, $output) = $t->test_config('group_credentials good.json;');
    is($exit, 0, 'one that everybody may read is');
    like($output, qr/\[warn\].*"\S+good\.json" can be read by everyone/,
        'warned of');
};

subtest 'the directive' => sub {
    $t->config_fails('group_credentials off; group_credentials off;',
        qr/"group_credentials" directive is duplicate/, 'twice');
    $t->config_fails('group_credentials;', qr/invalid number of arguments/,
        'no file');
    $t->config_fails('location / { if ($arg_a) { group_credentials off; } }',
        qr/directive is not allowed here/, 'in if');

    $t->write_file('dialects/none.lua', <<'END');
return dialect "none" {
    media_type = "application/json",
    operations = { ["group.list"] = { "GET", "/groups" } },
}
END
    $t->write_file('good.json', json_encode(entry('basic')), 0600);
    $t->config_fails({
        http   => 'group_dialect_path dialects;',
        server => 'group_dialect none; group_credentials good.json;',
    }, qr/"group_credentials" is set, but dialect "none" has no authentication/,
        'a dialect that nobody can sign in to');
};

done_testing;
