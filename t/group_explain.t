#!/usr/bin/perl

# group_explain: the dry run. What it tells is what a real request does, and
# nothing of it reaches the upstream.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Gateway;
use Test::Gateway::Message qw(json_decode);
use Test::Gateway::Vendors qw(
    @VENDORS client_credentials client_secrets collection gateway_server
    group_body item sign_in upstream_credentials xml_is
);
use Test::Gateway::Words qw($OK %DEFAULT);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my @CLIENTS = (@VENDORS, 'scim');

my $t = Test::Gateway->new(variables => [qw(operation outcome calls lost)]);

# answers as each vendor, so that every plan comes to its end
my $xml = <<'END';
<response><message>x</message><contact_group>
<contact_group_url>http://fax/ffws/v1/contact_groups/alice/4</contact_group_url>
<name>sales</name><contact>http://fax/ffws/v1/contacts/alice/9</contact>
</contact_group></response>
END

my %kept;

my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($method, $path) = ($request->{method}, $request->{uri} =~ s/\?.*//r);

    return [200, ['Content-Type' => 'application/xml'], $xml]
        if $path =~ m{^/ffws/};

    if ($path =~ m{^/api/relay/rest/(.*)}) {
        my $of = $1;
        return [204, [], ''] if $method eq 'DELETE';
        return [200, [], {id => $OK, number_group_id => $UUID,
                phone_number => {id => $OK},
                map { ($_ => '2023-01-15T10:30:00Z') }
                    qw(created_at updated_at)}]
            if $method eq 'POST' && $of =~ /memberships/;
        return [200, [], {links => {}, data => []}] if $of =~ /memberships/;
        return [200, [], {id => $UUID, name => 'sales', sticky_sender => \0,
                phone_number_count => 0}];
    }

    if ($path =~ m{^/api/groups}) {
        return [200, [], {items => []}]
            if $method eq 'GET' && $path =~ /members/;
        return [204, [], ''] if $path =~ /members|destroy/;
        return [201, [], {id => 'NzAw', name => 'sales'}];
    }

    my %group = (id => $UUID, name => 'sales', email => 'kept@example.com',
        created => '2023-01-15T10:30:00Z', status => 'Active',
        description => 'kept', members => [{id => $OK}],
        admins => [{id => $OK}]);

    # what was written is what is there
    $kept{$path} = json_decode($request->{body}) if $method eq 'PUT';
    %group = (%group, %{$kept{$path} // {}});

    # a slow vendor, for who holds the turn of a group
    return {status => 200, body => \%group,
        delay => $path =~ /slow/ ? 0.7 : 0};
});

my $raw   = $t->raw_upstream(['request', 'close']);
my $there = 'http://' . $u->address;
my $never = 'http://127.0.0.1:' . $raw->port;

$t->write_file('pass.lua', <<'END');
return { request = function(ctx) local n = ctx.group.name end }
END

$t->write_file('change.lua', <<'END');
return {
    request = function(ctx)
        ctx.group.name = ctx.group.name .. "-eu"
        ctx.group.description = ctx.params.text
    end,
    response = function(ctx)
        error("there is no response")
    end,
}
END

$t->write_file('fetch.lua', <<'END');
return {
    request = function(ctx)
        local answer = ctx:fetch { uri = "/registry" }
        ctx.group.description = answer.body
    end,
}
END

$t->write_file('deny.lua', <<'END');
return {
    request = function(ctx)
        return ctx:deny("forbidden", "not on a Sunday")
    end,
}
END

$t->write_file('broken.lua', <<'END');
return { request = function(ctx) error("oops") end }
END

my $servers = '';

# "real" and "dry": each pair twice, in front of the same upstream
for my $client (@CLIENTS) {
    for my $upstream (@VENDORS) {
        for my $how ('real', 'dry') {
            $servers .= gateway_server($t, name => "$client.$upstream.$how",
                client => $client, upstream => $upstream, url => $there,
                more => ($how eq 'dry' ? 'group_explain on; ' : '')
                    . $DEFAULT{$upstream});
        }
    }
}

# the same refusals with and without
my %SPECIAL = (
    bare   => ['vinyldns', 'signalwire', ''],
    email  => ['signalwire', 'vinyldns', ''],
    reject => ['signalwire', 'portsip', 'group_loss reject;'],
    scope  => ['signalwire', 'vinyldns', 'group_scope group.create boss;'],
    deny   => ['signalwire', 'portsip',
        'group_policy pass.lua; group_policy deny.lua;'],
    broken => ['signalwire', 'portsip', 'group_policy broken.lua;'],
    few    => ['scim', 'portsip', 'group_plan_max_calls 2;'],
);

for my $name (keys %SPECIAL) {
    my ($client, $upstream, $more) = @{$SPECIAL{$name}};
    for my $how ('real', 'dry') {
        $servers .= gateway_server($t, name => "$name.$how",
            client => $client, upstream => $upstream, url => $never,
            more => ($how eq 'dry' ? 'group_explain on; ' : '') . $more);
    }
}

$servers .= gateway_server($t, name => 'hooks', client => 'signalwire',
    upstream => 'portsip', url => $never, more => 'group_explain on;
        group_policy pass.lua; group_policy change.lua text=ours;');
$servers .= gateway_server($t, name => 'log_only', client => 'signalwire',
    upstream => 'signalwire', url => $never,
    more => 'group_explain on; group_mode log_only;');

$servers .= 'server { listen ' . $t->listen . '; server_name open;
    location / {
        group_dialect signalwire;
        group_upstream_dialect portsip;
        group_explain on;
        group_policy fetch.lua;
        proxy_pass ' . $never . ';
    }
    location /api/relay/rest/inner {
        deny all;
        group_dialect signalwire;
        group_explain on;
        proxy_pass ' . $never . ';
    }
    location = /registry { return 200 "from elsewhere"; }
}
server { listen ' . $t->listen . '; server_name metrics;
    location / { group_metrics; } }';

$t->nginx(servers => $servers);

sub call {
    my ($host, $client, %request) = @_;
    return $t->request($client ? sign_in($client) : (), %request,
        headers => [Host => $host, @{$request{headers} // []}]);
}

# the explanation, and its text
sub dry_run {
    my ($host, $client, %request) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $r = call($host, $client, %request);
    is($r->status, 200, 'an explanation') or diag($r->raw);
    is($r->header('Content-Type'), 'application/json', 'in JSON');
    is($r->header('Cache-Control'), 'no-store', 'not to be kept');

    return wantarray ? ($r->json, $r->body) : $r->json;
}

sub metrics {
    return call('metrics', undef, uri => '/')->body;
}

# a group as the client writes it
sub body {
    my ($client, $name, @members) = @_;

    return (json => {name => $name, $client eq 'signalwire'
            ? (sticky_sender => \1) : ()})
        if $client eq 'signalwire' || $client eq 'portsip';
    return (json => {name => $name, email => 'a@example.com',
            members => [map { {id => "$_"} } @members], admins => []})
        if $client eq 'vinyldns';
    return group_body('faxfinder', {name => $name,
        contact => [map {"https://h/ffws/v1/contacts/alice/$_"} @members]})
        if $client eq 'faxfinder';
    return (json => {
        schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
        displayName => $name,
        members     => [map { {value => "$_"} } @members],
    });
}

# A real request is made, and what the upstream got is compared with what was
# told: bytes of the URI and the body, and each header that is not masked.
sub same_calls {
    my ($told, $text, $real, %id) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @sent = $u->requests(scalar @{$told->{calls}});
    is(scalar @sent, scalar @{$told->{calls}}, 'as many calls as were told');

    for my $call (@{$told->{calls}}) {

        my $n = $call->{call};

        # calls of one round may come in any order
        my $uri = $call->{uri} =~ s/\{id of call (\d+)\}/$id{$1}/gr;
        my ($sent) = grep {
            $_->{method} eq $call->{method} && $_->{uri} eq $uri
        } @sent;

        ok($sent, "call $n: $call->{method} $call->{uri}")
            or diag(map {"$_->{method} $_->{uri}\n"} @sent), next;

        # what was made up is not the same, and is marked
        if ($call->{depends_on}) {
            like($call->{uri} . ($text // ''), qr/of.call.\d/,
                "call $n: depends on another");
            next;
        }

        my $body = $sent->{body};
        if (ref $call->{body}) {
            ok(index($text, ",\"body\":$body,") > 0,
                "call $n: the body's bytes") or diag($body, "\n", $text);
        } else {
            is($call->{body} // '', $body, "call $n: the body's bytes");
        }

        my %header = %{$call->{headers}};
        delete $header{$_} for 'X-Amz-Date', grep { $header{$_} eq '***' }
            keys %header;
        is_deeply([map { $sent->{header}{lc $_} } sort keys %header],
            [map { $header{$_} } sort keys %header],
            "call $n: the headers");
    }

    return;
}

subtest 'every pair: told before, and then done just so' => sub {
    for my $client (@CLIENTS) {
        for my $upstream (@VENDORS) {
            subtest "$client in front of $upstream" => sub {
                my @member = $client eq 'vinyldns' || $client eq 'scim'
                    ? '101' : $client eq 'faxfinder' ? 7 : ();
                my @request = (method => 'POST',
                    uri => collection($client), body($client, 'sales',
                        @member));

                $u->clear;
                my ($told, $text)
                    = dry_run("$client.$upstream.dry", $client, @request);
                is(scalar($u->requests), 0, 'nothing was sent');

                is($told->{operation}, 'group.create', 'operation');
                is($told->{dialect}, $client, 'dialect');
                is($told->{upstream_dialect}, $upstream, 'upstream dialect');
                is($told->{template}, collection($client,
                        '{owner}') =~ s/alice/{owner}/r, 'template');
                is($told->{principal}, "client of $client", 'principal');
                is_deeply($told->{refused}, undef, 'not refused')
                    or diag($text);

                my $real = call("$client.$upstream.real", $client, @request);
                is($real->status, $told->{answer}{status},
                    'the status that was told') or diag($real->body);
                same_calls($told, $text, $real,
                    1 => $upstream eq 'portsip' ? 'NzAw' : $UUID);

                my $lost = $real->header('Group-Lost') // '';
                is(join(', ', @{$told->{lost}}), $lost, "lost: \"$lost\"");
            };
        }
    }
};

subtest 'what is told of the request' => sub {
    my ($told, $text) = dry_run('signalwire.vinyldns.dry', 'signalwire',
        method => 'POST', uri => collection('signalwire'),
        json => {name => 'sales', sticky_sender => \1});

    is_deeply($told->{request}, {method => 'POST',
        uri => '/api/relay/rest/number_groups'}, 'the request');
    is_deeply($told->{scopes},
        {required => ['numbers'], held => ['numbers']}, 'scopes');

    my $group = {name => 'sales', sticky_sender => JSON::PP::true(),
        email => 'o@example.com', members => [{id => $OK}],
        admins => [{id => $OK}]};
    is_deeply($told->{canonical}, {before => $group, after => $group},
        'the canonical group');
    is_deeply($told->{hooks}, [], 'no hooks');
    is_deeply($told->{lost}, ['sticky_sender'], 'lost');
    is_deeply($told->{filled}, [map { {field => $_, by => 'group_default'} }
        qw(email members admins)], 'filled');

    my %failure = map { ($_->{outcome} => $_) } @{$told->{failures}};
    is($failure{conflict}{status}, 422, 'what a conflict would be');
    is($failure{conflict}{body}{errors}[0]{code}, 'value_not_unique',
        'in the words of the client');
    is($failure{timeout}{status}, 504, 'what no answer would be');

    my $log = $t->last_access;
    is($log->{outcome}, 'done', '$group_outcome');
    is($log->{calls}, 0, '$group_calls: none was made');
    is($log->{lost}, 'sticky_sender', '$group_lost');
};

subtest 'an answer that is not known yet is stood for' => sub {
    my $told = dry_run('scim.portsip.dry', 'scim', method => 'POST',
        uri => collection('scim'), body('scim', 'sales', 101, 102));

    is_deeply([map { [@$_{qw(call round method uri depends_on)}] }
        @{$told->{calls}}], [
        [1, 1, 'POST', '/api/groups', undef],
        [2, 2, 'POST', '/api/groups/{id of call 1}/members/101', [1]],
        [3, 2, 'POST', '/api/groups/{id of call 1}/members/102', [1]],
    ], 'members are added to the group that is made');
    is_deeply($told->{calls}[0]{assumed}, {id => '{id of call 1}'},
        'what is assumed');
};

subtest 'read, change, write' => sub {
    $u->clear;

    my $told = dry_run('signalwire.vinyldns.dry', 'signalwire',
        method => 'PUT', uri => item('signalwire', $UUID),
        json => {name => 'new'});

    my ($get, $put) = @{$told->{calls}};
    is(scalar @{$told->{calls}}, 2, 'two calls');
    is("$get->{method} $get->{uri}", "GET /groups/$UUID", 'it is read');
    ok(!$get->{depends_on}, 'which depends on nothing');
    is("$put->{method} $put->{uri}", "PUT /groups/$UUID", 'and written');
    is_deeply($put->{depends_on}, [1], 'with what was read');
    is($put->{body}{name}, 'new', 'the new name');
    like($put->{body}{description}, qr/^\{description of call 1\}$/,
        'what is kept');
    is(scalar($u->requests), 0, 'nothing was sent');

    my @request = (method => 'PATCH', uri => item('scim', $UUID), json => {
        schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
        Operations => [
            {op => 'add', path => 'members', value => [{value => '7'}]},
            {op => 'remove', path => 'members[value eq "8"]'},
        ],
    });

    $told = dry_run('scim.vinyldns.dry', 'scim', @request);
    is_deeply([map {"$_->{method} $_->{uri}"} @{$told->{calls}}],
        ["GET /groups/$UUID", "PUT /groups/$UUID", "GET /groups/$UUID"],
        'read, written, and looked at again');
    is_deeply([map { $_->{id} } @{$told->{calls}[1]{body}{members}}],
        ['{member id of call 1}', '7'],
        'one more, one less, and those who were there');

    my $real = call('scim.vinyldns.real', 'scim', @request);
    is($real->status, $told->{answer}{status}, 'the status that was told');
    is_deeply([map {"$_->{method} $_->{uri}"} $u->requests(3)],
        [map {"$_->{method} $_->{uri}"} @{$told->{calls}}],
        'and the calls');

    $told = dry_run('scim.portsip.dry', 'scim', @request);
    is_deeply([map {"$_->{method} $_->{uri}"} @{$told->{calls}}], [
        "GET /api/groups/$UUID", "GET /api/groups/$UUID/members",
        "POST /api/groups/$UUID/members/7",
        "POST /api/groups/$UUID/members/8/destroy",
    ], 'members in calls of their own');

    $told = dry_run('portsip.signalwire.dry', 'portsip', method => 'POST',
        uri => item('portsip', 'eA==') . "/members/$OK/destroy");
    is_deeply([map { [@$_{qw(method uri depends_on)}] } @{$told->{calls}}], [
        ['GET', '/api/relay/rest/number_groups/x/number_group_memberships'
            . '?page_size=1000', undef],
        ['DELETE', '/api/relay/rest/number_group_memberships/{id of call 1}',
            [1]],
    ], 'a membership is looked for first');
};

subtest 'every other operation comes to its end' => sub {
    my $change = {schemas =>
        ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
        Operations => [{op => 'replace', path => 'displayName',
            value => 'x'}]};

    for my $client (@CLIENTS) {
        for my $upstream (@VENDORS) {
            my @tell = (
                [GET => collection($client)],
                [GET => item($client, $UUID)],
                [($client eq 'portsip' ? 'POST' : 'PUT'),
                    item($client, $UUID), body($client, 'x', 1)],
                $client eq 'portsip'
                    ? [POST => item($client, $UUID) . '/destroy']
                    : [DELETE => item($client, $UUID)],
            );

            push @tell, [PATCH => item('scim', $UUID), json => $change]
                if $client eq 'scim';

            if ($client eq 'signalwire') {
                my $all = item($client, $UUID) . '/number_group_memberships';
                push @tell, [GET => $all],
                    [POST => $all, json => {phone_number_id => $OK}],
                    map { [$_ => "/api/relay/rest/number_group_memberships/"
                            . "$UUID%3A$OK"] } qw(GET DELETE);
            }

            if ($client eq 'portsip') {
                my $all = item($client, $UUID) . '/members';
                push @tell, [GET => $all], [GET => "$all/101"],
                    [POST => "$all/101"], [POST => "$all/101/destroy"];
            }

            $tell[2][3]{id} = $UUID if $client eq 'vinyldns';

            for my $tell (@tell) {
                my ($method, $uri, @more) = @$tell;
                my $r = call("$client.$upstream.dry", $client,
                    method => $method, uri => $uri, @more);
                my $told = $r->status == 200 ? $r->json : {};
                my $name = "$client, $upstream: "
                    . ($told->{operation} // "$method $uri");
                my $ok = $told->{answer} && @{$told->{calls}}
                    || ($told->{refused}{outcome} // '') eq 'not_supported';
                ok($ok, $name) or diag($r->body);
            }
        }
    }

    is(scalar($raw->connections), 0, 'and nothing is sent');
};

subtest 'hooks' => sub {
    my $told = dry_run('hooks', 'signalwire', method => 'POST',
        uri => collection('signalwire'), json => {name => 'sales'});

    my @hooks = @{$told->{hooks}};
    is(scalar @hooks, 2, 'each has a verdict; no response hook was run');
    is($hooks[0]{file}, 'pass.lua', 'the first one');
    is($hooks[0]{verdict}, 'passed', 'let it pass');
    is($hooks[1]{file}, 'change.lua', 'the second one');
    is($hooks[1]{hook}, 'request', 'is of the request');
    is($hooks[1]{verdict}, 'changed', 'changed it');
    is_deeply([sort @{$hooks[1]{changed}}], [qw(description name)], 'how');
    like($hooks[1]{microseconds}, qr/^\d+$/, 'how long it took');

    is_deeply($told->{canonical}{before}, {name => 'sales'}, 'before');
    is_deeply($told->{canonical}{after},
        {name => 'sales-eu', description => 'ours'}, 'after');
    is_deeply($told->{filled}, [{field => 'description', by => 'hook',
        file => 'change.lua'}], 'what was filled');
    is_deeply($told->{calls}[0]{body},
        {name => 'sales-eu', description => 'ours'}, 'what would be sent');

    $told = dry_run('open', undef, method => 'POST',
        uri => collection('signalwire'), json => {name => 'sales'});
    is($told->{calls}[0]{body}{description}, 'from elsewhere',
        'what a hook fetches is fetched');
    is_deeply($told->{principal}, undef, 'nobody was asked who it is');
    is(scalar($raw->connections), 0, 'nothing was sent');
};

subtest 'a refused request is told what it would get' => sub {
    my @create = (method => 'POST', uri => collection('signalwire'));

    my @case = (
        ['no such path', 'email', 'match', 'not_found',
            uri => '/api/relay/rest/number_gruppen'],
        ['no such method', 'email', 'match', 'method_not_allowed',
            method => 'PATCH', uri => collection('signalwire')],
        ['a scope that is missing', 'scope', 'authorize', 'forbidden',
            @create, json => {name => 'x'}],
        ['no JSON', 'email', 'decode', 'malformed', @create, body => '{',
            headers => ['Content-Type' => 'application/json']],
        ['another media type', 'email', 'decode', 'unsupported_media_type',
            @create, body => 'x', headers => ['Content-Type' => 'text/x']],
        ['no name', 'email', 'validate', 'invalid', @create,
            json => {sticky_sender => 'yes'}],
        ['a hook that denies', 'deny', 'policy', 'forbidden', @create,
            json => {name => 'x'}],
        ['a hook that fails', 'broken', 'policy', 'internal', @create,
            json => {name => 'x'}],
        ['a field that would be lost', 'reject', 'plan', 'invalid', @create,
            json => {name => 'x', sticky_sender => \1}],
        ['what the upstream does not tell', 'bare', 'plan', 'not_supported',
            uri => "/groups/$UUID"],
        ['a field that the upstream requires', 'email', 'encode', 'invalid',
            @create, json => {name => 'x'}],
        ['too many calls', 'few', 'encode', 'not_supported',
            method => 'POST', uri => collection('scim'),
            body('scim', 'x', 1 .. 5)],
    );

    for my $case (@case) {
        my ($name, $host, $stage, $outcome, @request) = @$case;

        subtest $name => sub {
            my $client = $SPECIAL{$host}[0];
            my ($told, $text) = dry_run("$host.dry", $client, @request);

            my $refused = $told->{refused};
            is($refused->{stage}, $stage, 'where') or diag($text);
            is($refused->{outcome}, $outcome, 'what');
            ok(!$told->{answer}, 'no other answer');
            ok(!$told->{failures}, 'and no other failures');

            my $log = $t->last_access;
            is($log->{outcome}, $outcome, '$group_outcome');

            # too many calls: some of them would be made before
            return if $host eq 'few';

            my $real = call("$host.real", $client, @request);
            is($refused->{status}, $real->status, 'the status');
            is($refused->{media_type}, $real->header('Content-Type'),
                'the media type');
            my $body = $refused->{media_type} =~ /json/
                ? $refused->{body} : undef;
            is_deeply($body, eval { $real->json }, 'the body');
            is($refused->{headers}{Allow} // '',
                $real->header('Allow') // '', 'headers');
        };
    }

    my $told = dry_run('email.dry', 'signalwire', @create,
        json => {sticky_sender => 'yes'});
    is_deeply([map {"$_->{field} $_->{code}"}
        @{$told->{refused}{problems}}],
        ['name missing', 'sticky_sender type'], 'all problems');

    $told = dry_run('deny.dry', 'signalwire', @create, json => {name => 'x'});
    is($told->{hooks}[1]{verdict}, 'denied', 'who denied it');
    is($told->{hooks}[1]{outcome}, 'forbidden', 'with what outcome');
    is($told->{hooks}[1]{detail}, 'not on a Sunday', 'and why');
    ok(!$told->{canonical}{after}, 'nothing came after');

    $told = dry_run('broken.dry', 'signalwire', @create,
        json => {name => 'x'});
    is($told->{hooks}[0]{verdict}, 'failed', 'which one failed');

    is(scalar($raw->connections), 0, 'nothing was sent');
};

subtest 'who does not sign in is told nothing' => sub {
    for my $uri (collection('signalwire'), '/api/relay/rest/nothing') {
        my $r = call('email.dry', undef, method => 'POST', uri => $uri,
            json => {name => 'x'});
        is($r->status, 401, "$uri: the usual 401");
        is_deeply($r->json, {error => 'Unauthorized'}, 'and nothing else');
    }

    my $r = $t->request(method => 'POST', uri => collection('signalwire'),
        auth => ['client-project', 'wrong'], json => {name => 'x'},
        headers => [Host => 'email.dry']);
    is($r->status, 401, 'a wrong password');

    $r = call('log_only', undef, method => 'POST',
        uri => collection('signalwire'), json => {name => 'x'});
    is($r->status, 401, 'even where refusals are only logged');

    my $told = dry_run('log_only', 'signalwire', method => 'POST',
        uri => collection('signalwire'), json => {});
    is($told->{refused}{stage}, 'validate', 'where they are told, too');

    $r = call('open', undef, uri => '/api/relay/rest/inner/x');
    is($r->status, 403, 'nor is who nginx does not let in');
    is(scalar($raw->connections), 0, 'nothing was sent');
};

subtest 'secrets are masked' => sub {
    my @secrets = (client_secrets($t), 'PTemulatedtoken', 'okSecretKey',
        'okAccessKey', 'Signature=', 'portsip-emulated-token',
        $t->basic('admin', 'admin') =~ s/^Basic //r,
        $t->basic('5f3c2a1e-7b4d-4c8e-9a6f-2d1b0c9e8f7a',
            'PTemulatedtoken') =~ s/^Basic //r, 'clientSignature');

    for my $client (@CLIENTS) {
        for my $upstream (@VENDORS) {
            my ($told, $text) = dry_run("$client.$upstream.dry", $client,
                method => 'POST', uri => collection($client),
                body($client, 'sales'));
            my @seen = grep { index($text, $_) >= 0 } @secrets;
            is_deeply(\@seen, [], "$client, $upstream: none is seen");
            is($told->{calls}[0]{headers}{Authorization}, '***',
                'that there is one is');
        }
    }

    my $told = dry_run('signalwire.vinyldns.dry', 'signalwire',
        method => 'POST', uri => collection('signalwire'),
        json => {name => 'x'}, headers => [Cookie => 'a=b',
            'X-Request-Id' => 'r1', 'X-Twice' => '1', 'X-Twice' => '2']);
    my $sent = $told->{calls}[0]{headers};
    my %header = map { (lc $_ => $sent->{$_}) } keys %$sent;
    is($header{'x-request-id'}, 'r1', 'headers that go on are shown');
    is($header{'x-twice'}, '1, 2', 'all of them');
    ok(!exists $header{cookie}, 'those that do not are not');
    like($header{'x-amz-date'}, qr/^\d{8}T\d{6}Z$/, 'a date is no secret');
    is($header{host}, $u->address, 'the host is that of the upstream');
};

subtest 'it is no request to the metrics' => sub {
    my $before = metrics();
    dry_run('signalwire.vinyldns.dry', 'signalwire', method => 'PUT',
        uri => item('signalwire', $UUID), json => {name => 'new'});
    dry_run('deny.dry', 'signalwire', method => 'POST',
        uri => collection('signalwire'), json => {name => 'x'});
    is(metrics(), $before, 'no counter has moved');
};

subtest 'it waits for nobody, and nobody waits for it' => sub {
    my @patch = (
        method => 'PATCH', uri => item('scim', 'slow'), json => {
            schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
            Operations => [{op => 'replace', path => 'displayName',
                value => 'x'}],
        },
    );

    # its turn is long: the vendor is slow
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        call('scim.vinyldns.real', 'scim', @patch);
        POSIX::_exit(0);
    }

    $u->clear;
    $u->requests(1);

    my $start = time;
    my $told = dry_run('scim.vinyldns.dry', 'scim', @patch);
    cmp_ok(time - $start, '<', 0.5 * $t->patience, 'answered at once');
    is(scalar @{$told->{calls}}, 3, 'with its plan');

    waitpid $pid, 0;
};

subtest 'any bytes make an explanation' => sub {
    for my $uri ('/groups/%ff%fe', '/groups/%C3%A9', '/groups/%22%5C',
        '/groups/%7Bid%20of%20call%201%7D')
    {
        my $told = dry_run('vinyldns.portsip.dry', 'vinyldns', uri => $uri);
        ok($told->{calls}, $uri);
    }

    my $r = call('open', undef, method => 'POST',
        uri => collection('signalwire'), json => {name => 'x'},
        headers => ['X-Bytes' => "\xff\xfe"]);
    my $sent = $r->json->{calls}[0]{headers};
    is($sent->{'X-Bytes'} // $sent->{'x-bytes'}, '??', 'of a header');
};

subtest 'numbers keep their text' => sub {
    $u->clear;
    my @request = (method => 'PUT', uri => item('signalwire', $UUID),
        body => '{"name":"x","own":12345678901234567890.50}',
        headers => ['Content-Type' => 'application/json']);
    my ($told, $text)
        = dry_run('signalwire.signalwire.dry', 'signalwire', @request);
    call('signalwire.signalwire.real', 'signalwire', @request);
    same_calls($told, $text);
};

subtest 'what an API tells of itself' => sub {
    my $told = dry_run('scim.portsip.dry', 'scim',
        uri => '/scim/v2/ServiceProviderConfig');
    is($told->{answer}{status}, 200, 'is told');
    ok($told->{answer}{body}{patch}, 'as it is');
    is_deeply($told->{calls}, [], 'by nobody else');
};

subtest 'configuration' => sub {
    my $on = 'group_dialect signalwire; proxy_pass http://127.0.0.1:1;';

    $t->config_ok("location / { $on group_explain on; }");
    $t->config_ok("group_explain on; location / { $on group_explain off; }");
    $t->config_ok({http => 'group_explain on;'});
    $t->config_fails("location / { $on group_explain maybe; }",
        qr/invalid value "maybe" in "group_explain" directive, it must be/);
    $t->config_fails("location / { $on group_explain on;
        group_explain on; }", qr/"group_explain" directive is duplicate/);
};

done_testing;
