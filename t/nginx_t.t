#!/usr/bin/perl

# What nginx -t finds: each mistake with the file and the line of the directive
# that it is in, and with what was expected.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $t = Test::Gateway->new;

my $PASS = 'proxy_pass http://127.0.0.1:1;';

# The configuration of a server. The line with "# here" is the one that is to
# be named: with the message, a text or a pattern, at this level, and nginx
# fails or does not.
sub told {
    my ($level, $conf, $message, $name) = @_;

    my ($exit, $output)
        = $t->test_config(ref $conf ? %$conf : (server => $conf));

    $message = qr/\Q$message\E/ if !ref $message;

    my $line = 0;
    for (split /\n/, $t->read_file('test.conf')) {
        $line++;
        last if /# here/;
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    subtest $name => sub {
        is($exit, $level eq 'emerg' ? 1 : 0, 'exit code');

        my @told = grep { /\[$level\]/ && !/test failed/ }
            split /\n/, $output;
        is(scalar @told, 1, 'one line') or diag($output);
        like($told[0], $message, 'what it says');
        like($told[0], qr{ in \S+/test\.conf:$line$}, 'and where');
    };

    return;
}

sub error_is { return told('emerg', @_) }
sub warns    { return told('warn',  @_) }

sub quiet {
    my ($conf, $name) = @_;

    my ($exit, $output)
        = $t->test_config(ref $conf ? %$conf : (server => $conf));

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok($exit == 0 && $output !~ /\[(?:warn|emerg)\]/, $name)
        || diag($output);
}

$t->credentials('clients.json',
    {type => 'basic', id => 'a', secret => 'x', scopes => ['numbers', 'one']},
    {type => 'bearer', token => 'a', principal => 'a',
        scopes => ['groups:read']});
$t->credentials('both.json',
    {type => 'bearer', token => 'a', principal => 'a',
        scopes => ['groups:read']},
    {type => 'bearer', token => 'b', principal => 'b',
        scopes => ['groups:write']});
$t->write_file('keys.json', '{"keys":[{"kty":"oct","alg":"HS256","k":"'
    . 'A' x 43 . '"}]}', 0600);

subtest 'dialects' => sub {
    error_is("location / {\ngroup_dialect nobody; # here\n$PASS\n}",
        qr/unknown dialect "nobody"/, 'an unknown one');
    error_is("group_dialect nobody; # here\nlocation / { $PASS }",
        qr/unknown dialect "nobody"/, 'of a server');
    error_is({http => "group_dialect nobody; # here\n",
        server => "location / { $PASS }"}, qr/unknown dialect "nobody"/,
        'of http');
    error_is("location / {\ngroup_dialect portsip;\n"
        . "group_upstream_dialect nobody; # here\n$PASS\n}",
        qr/unknown dialect "nobody"/, 'an unknown upstream\'s');
    error_is("group_upstream_dialect nobody; # here\nlocation / {\n"
        . "group_dialect portsip;\n$PASS\n}",
        qr/unknown dialect "nobody"/, 'an unknown one that is inherited');
    error_is("location / {\ngroup_dialect No!; # here\n$PASS\n}",
        qr/invalid dialect name "No!"/, 'a name that is none');

    my ($exit, $output) = $t->test_config(
        "location / { group_dialect nobody; $PASS }");
    like($output, qr{lua/dialects}, 'where it was looked for');

    $t->write_file('d/broken.lua', "return dialect 'broken' {\n");
    error_is({http => 'group_dialect_path %%DIR%%/d %%ROOT%%/lua/dialects;',
        server => "location / {\ngroup_dialect broken; # here\n$PASS\n}"},
        qr/broken\.lua:\d+: .*expected/, 'a file with a syntax error');
};

subtest 'credentials files' => sub {
    my $conf = sub {
        my ($file) = @_;
        return "location / {\ngroup_dialect signalwire;\n"
            . "group_credentials $file; # here\n$PASS\n}";
    };

    error_is($conf->('none.json'), qr/open\(\) "\S+none\.json" failed \(2: /,
        'one that is not there');
    error_is($conf->('%%DIR%%'), qr/is not a regular file/, 'a directory');

    $t->write_file('text.json', 'x', 0600);
    error_is($conf->('text.json'), qr/credentials file "\S+text\.json": inv/,
        'one that is no JSON');
    $t->write_file('odd.json', '{"credentials":[{"type":"basic","id":1}]}',
        0600);
    error_is($conf->('odd.json'), qr/credentials\[0\]\.id: expected a/,
        'one with something else in it');

    SKIP: {
        skip 'root reads everything', 1 if $> == 0;
        $t->write_file('mine.json', '{"credentials":[]}', 0000);
        error_is($conf->('mine.json'), qr/"\S+mine\.json" failed \(13: /,
            'one that cannot be read');
    }

    $t->write_file('open.json', $t->read_file('clients.json'), 0644);
    warns($conf->('open.json'), qr/"\S+open\.json" can be read by everyone/,
        'one that everybody can read');
    quiet($conf->('clients.json'), 'a good one');
};

subtest 'scopes that nobody holds' => sub {
    my $portsip = "group_dialect portsip;\ngroup_credentials clients.json;";

    warns("location /x/ {\ngroup_dialect portsip; # here\n"
        . "group_credentials clients.json;\n$PASS\n}",
        'clients.json" holds the scope "groups:write", which location "/x/" '
        . 'requires for group.create, group.replace, group.delete, '
        . 'member.add, member.remove in ',
        'one that the dialect requires');
    quiet("location / { group_dialect portsip; group_credentials both.json;
        $PASS }", 'each has one who holds it');

    # basic credentials are not for bearer tokens
    warns("location / {\n$portsip\n"
        . join('', map { "group_scope $_ off;\n" } qw(group.create
            group.replace group.modify group.delete member.add
            member.remove))
        . "group_scope group.list one; # here\n$PASS\n}",
        'the scope "one", which location "/" requires for group.list in ',
        'one that group_scope requires');
    warns("group_scope group.list two; # here\nlocation / {\n"
        . "group_dialect signalwire;\ngroup_credentials clients.json;\n"
        . "$PASS\n}", qr/the scope "two"/, 'one that is inherited');

    quiet("location / { group_dialect signalwire;
        group_scope group.list two; $PASS }", 'nobody is asked');
    quiet({http => '', server => "location / { group_dialect portsip;
        group_credentials clients.json; group_jwt_keys keys.json
        audience=a; $PASS }"}, 'tokens may have any');
};

subtest 'policies' => sub {
    my $conf = sub {
        return "location / {\ngroup_dialect signalwire;\n"
            . "group_policy $_[0]; # here\n$PASS\n}";
    };

    error_is($conf->('none.lua'), qr/"\S+none\.lua" failed \(2: /,
        'one that is not there');

    $t->write_file('syntax.lua', "local a\nif a then\nreturn {}\n");
    error_is($conf->('syntax.lua'),
        qr/policy "\S+syntax\.lua": syntax\.lua:\d+: 'end' expected/,
        'one with a syntax error');
    $t->write_file('run.lua', "local a\na.b = 1\nreturn {}\n");
    error_is($conf->('run.lua'), qr/policy "\S+run\.lua": run\.lua:2: attem/,
        'one that fails when it is loaded');
    $t->write_file('hook.lua', "return { reqest = function() end }\n");
    error_is($conf->('hook.lua'), qr/there is no hook "reqest", only "reque/,
        'one with a hook that is none');

    for my $source ('local max = ctx.params.max', 'return ctx.params["max"]',
        "return ctx.params['max']", 'local p = ctx.params; return p.max',
        'return get(ctx.params, "max")',
        'for k, v in pairs(ctx.params) do print(k) end')
    {
        $t->write_file('reads.lua',
            "local x = function(ctx)\n$source\nend\nreturn {}\n");
        quiet($conf->('reads.lua max=5'), "a parameter is read: $source");
    }

    $t->write_file('others.lua', "local x = function(ctx)\n"
        . "return ctx.params.maximum, ctx.params.max_size, 'max=', max\n"
        . "end\nreturn {}\n");
    warns($conf->('others.lua max=5'),
        qr/nobody reads the parameter "max": policy "\S+others\.lua" has no/,
        'one that nobody reads');
    quiet($conf->('others.lua maximum=5 max_size=1'), 'two that are read');

    error_is($conf->('others.lua maximum'),
        qr/invalid parameter "maximum" .*expected key=value/,
        'one without a value');
};

subtest 'group_default' => sub {
    my $conf = sub {
        my ($client, $upstream, $default, $more) = @_;
        return "location /x/ {\ngroup_dialect $client;\n"
            . "group_upstream_dialect $upstream;\n"
            . ($more // '') . "\ngroup_default $default; # here\n$PASS\n}";
    };

    error_is($conf->('signalwire', 'vinyldns', 'e_mail a@example.com'),
        qr/unknown field "e_mail" in "group_default"/, 'a field that is none');
    error_is($conf->('signalwire', 'vinyldns', 'sticky_sender maybe'),
        qr/invalid value "maybe" of "sticky_sender" .* expected true or fal/,
        'a value that is none');

    warns($conf->('signalwire', 'portsip', 'email a@example.com'),
        '"group_default email" is of no use in location "/x/": the upstream '
        . 'dialect "portsip" has no such field',
        'a field that the upstream does not have');
    warns($conf->('signalwire', 'signalwire', 'description a'),
        qr/"group_default description" is of no use .* "signalwire"/,
        'nor the one dialect on both sides');
    warns($conf->('signalwire', 'portsip', 'owner alice'),
        qr/"group_default owner" is of no use/, 'a container that is none');

    quiet($conf->(@$_), "$_->[0] to $_->[1]: $_->[2]") for
        ['signalwire', 'vinyldns', 'email a@example.com'],
        ['signalwire', 'vinyldns', 'members m'],
        ['signalwire', 'vinyldns', 'admins m'],
        ['signalwire', 'portsip', 'members 101'],      # in calls of their own
        ['signalwire', 'faxfinder', 'owner alice'],    # in the path
        ['vinyldns', 'portsip', 'email a@example.com'], # in answers
        ['signalwire', 'signalwire', 'sticky_sender true'];

    $t->write_file('any.lua', 'return {}');
    quiet($conf->('signalwire', 'portsip', 'email a@example.com',
        'group_policy any.lua;'), 'a hook may want it');
};

subtest 'a location without an upstream' => sub {
    my $here = 'group_dialect signalwire; # here';

    warns("location /x/ {\n$here\n}", 'location "/x/" has "group_dialect" '
        . 'and nowhere to send requests to, expected "proxy_pass"',
        'nothing in it');
    warns("$here\nlocation /x/ {\nroot html;\n}",
        qr/location "\/x\/" has "group_dialect"/, 'inherited');
    warns("location /x/ {\n$here\ntry_files /a =404;\n}",
        qr/location "\/x\/" has "group_dialect"/, 'try_files');
    warns("location \@x {\n$here\n}", qr/location "\@x" has/, 'a named one');

    quiet("location / { group_dialect signalwire; $_ }", $_) for
        'proxy_pass http://127.0.0.1:1;',
        'proxy_pass http://$arg_host;',
        'fastcgi_pass 127.0.0.1:1;',
        'uwsgi_pass 127.0.0.1:1;',
        'scgi_pass 127.0.0.1:1;',
        'group_explain on;',
        'return 404;',
        'rewrite ^ /y last;',
        'if ($arg_a) { proxy_pass http://127.0.0.1:1; }',
        "location /x/ { $PASS }";
    quiet("group_dialect signalwire; location /x/ { group_dialect off; }
        location /y/ { $PASS limit_except GET { deny all; } }",
        'where it is off; limit_except');
    quiet("group_dialect signalwire; location = /m { group_metrics; }",
        'group_metrics');
};

done_testing;
