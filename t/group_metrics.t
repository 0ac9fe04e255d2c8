#!/usr/bin/perl

# group_metrics: what is counted and measured, in Prometheus' text format, for
# all workers and through reloads, with labels of the configuration only.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Time::HiRes qw(sleep time);

use Test::Gateway;
use Test::Gateway::Prometheus;

my $t = Test::Gateway->new(workers => 2);

my $UUID = '3fa85f64-5717-4562-b3fc-2c963f66afa6';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

# what a client sends, and no label may have
my $MARK = 'Zq7Marker';

my %PHASES = map { $_ => 1 } qw(auth decode policy upstream encode);
my @OUTCOMES = qw(
    done malformed unauthorized forbidden not_found method_not_allowed
    conflict too_large unsupported_media_type invalid rate_limited internal
    not_supported bad_gateway unavailable timeout none
);

# answers by the path that the gateway calls
my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($path) = $request->{uri} =~ /^([^?]*)/;

    return [503, [], {errors => []}] if $path =~ m{/members/102$};
    return [500, [], {}]             if $path =~ m{/destroy$}
        && $request->{header}{'x-undo'};
    return [201, [], {id => $ID}]    if $path eq '/api/groups';
    return [200, [], {}]             if $path =~ m{^/api/groups/};

    return [200, [], {id => $UUID, name => 'n', email => 'a@example.com',
            created => '2023-01-15T10:30:00Z', status => 'Active',
            members => [{id => 'm'}], admins => [{id => 'm'}]}]
        if $path =~ m{^/groups};
    return [404, [], {errors => []}]
        if $path =~ m{/relay/rest/number_groups/.};

    return [200, [], {id => $UUID, name => 'n', sticky_sender => \0,
            phone_number_count => 0}];
});
my $refused = '127.0.0.1:' . $t->refused_port;
my $proxy   = 'proxy_pass http://' . $u->address . ';';

$t->credentials('clients.json',
    {type => 'basic', id => 'project', secret => 'x', scopes => ['numbers']},
    {type => 'basic', id => 'weak', secret => 'x', scopes => ['other']});

$t->write_file('hook.lua', <<'END');
return {
    request = function(ctx)
        local name = ctx.group and ctx.group.name or ""
        if name == "deny" then
            ctx:deny("conflict", "such a name is taken", "name")
        elseif name == "error" then
            error("broken")
        elseif name == "timeout" then
            while true do end
        elseif name == "memory" then
            local s = {}
            for i = 1, 1e9 do s[i] = {} end
        elseif name == "other" then
            ctx.group[ctx.group.name .. "Zq7Marker"] = "x"
        elseif name == "big" then
            local s = ("x"):rep(1000000)
        end
    end,
}
END
$t->write_file('answer.lua', <<'END');
return { response = function(ctx) end }
END

my $metrics = 'location = /metrics { group_metrics; }';

my $locations = <<"END";
location /same/ {
    group_dialect signalwire;
    group_base_path /same;
    group_credentials clients.json;
    client_max_body_size 2k;
    $proxy
}
location /translated/ {
    group_dialect signalwire;
    group_upstream_dialect vinyldns;
    group_base_path /translated;
    group_default email a\@example.com;
    group_default members m;
    group_default admins m;
    $proxy
}
location /plan/ {
    group_dialect vinyldns;
    group_upstream_dialect portsip;
    group_base_path /plan;
    $proxy
}
location /down/ {
    group_dialect portsip;
    group_base_path /down;
    proxy_pass http://$refused;
}
END

my $hooks = <<"END";
location /hook/ {
    group_dialect signalwire;
    group_upstream_dialect vinyldns;
    group_base_path /hook;
    group_policy hook.lua;
    group_policy answer.lua;
    group_policy_memory 4m;
    group_default email a\@example.com;
    group_default members m;
    group_default admins m;
    $proxy
}
location /scim/ {
    group_dialect scim;
    group_upstream_dialect portsip;
    group_base_path /scim;
    $proxy
}
END

$t->nginx(server => "$locations $hooks $metrics");

sub text { return $t->get('/metrics')->body }
sub metrics { return Test::Gateway::Prometheus->parse(text()) }

sub requests {
    my ($m, $dialect, $upstream, $operation, $outcome) = @_;
    return $m->sum('nginx_group_requests_total', dialect => $dialect,
        upstream_dialect => $upstream, operation => $operation,
        outcome => $outcome);
}

# What a piece of code adds to some sums; those that follow an answer are
# waited for.
sub adds {
    my ($wanted, $code, $name) = @_;

    my $sums = sub {
        my $m = metrics();
        return [map { my ($metric, %label) = @{$_->[0]};
            $m->sum("nginx_group_$metric", %label) } @$wanted];
    };

    my $before   = $sums->();
    $code->();
    my $deadline = time + 3 * $t->patience;
    my (@got, @wanted);

    while (1) {
        my $after = $sums->();
        @got = map { ($after->[$_] // 'none') - ($before->[$_] // 0) }
            0 .. $#$after;
        @wanted = map { $_->[1] } @$wanted;
        last if "@got" eq "@wanted" || time > $deadline;
        sleep 0.02;
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply(\@got, \@wanted, $name);
}

my @project = (auth => ['project', 'x']);
my $GROUPS  = 'number_groups';

subtest 'the answer is one that Prometheus reads' => sub {
    my $r = $t->get('/metrics');
    is($r->status, 200, 'status');
    is($r->header('Content-Type'),
        'text/plain; version=0.0.4; charset=utf-8', 'media type');

    my $m = eval { Test::Gateway::Prometheus->parse($r->body) };
    ok($m, 'our own strict parser') or diag($@);
    is_deeply([grep { !/^nginx_group_[a-z_]+$/ } $m->names], [],
        'names begin with nginx_group_');

    is($t->request(method => 'HEAD', uri => '/metrics')->status, 200, 'HEAD');
    is($t->post('/metrics')->status, 405, 'not POST');
};

subtest 'promtool finds nothing to say of it' => sub {
    my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};

    # else what it looks at is in the parser: HELP and TYPE, units, suffixes
    if (!$promtool) {
        diag('no promtool here (Debian: prometheus)');
        ok(eval { metrics() }, 'our own parser again') or diag($@);
        return;
    }

    my $file = $t->write_file('metrics.txt', text());
    my $said = `$promtool check metrics <$file 2>&1`;
    is($?, 0, 'exit code');
    is($said, '', 'output');
};

subtest 'each operation of each pair is there before its first request' =>
    sub {
    my $m = metrics();
    my %pair;
    my %outcome;

    for ($m->series('nginx_group_requests_total')) {
        my $l = $_->{labels};
        $pair{"$l->{dialect} $l->{upstream_dialect}"}{$l->{operation}}++;
        $outcome{$l->{outcome}}++;
    }

    is_deeply([sort keys %pair], ['portsip portsip', 'scim portsip',
        'signalwire signalwire', 'signalwire vinyldns', 'vinyldns portsip'],
        'pairs of the configuration, and no others');
    is_deeply([sort keys %outcome], [sort @OUTCOMES], 'outcomes');

    my %of = map { $_ => 1 } keys %{$pair{'signalwire vinyldns'}};
    ok($of{$_}, "signalwire has $_")
        for 'group.create', 'member.add', 'unknown';
    ok(!$of{$_}, "signalwire has no $_") for 'group.modify', 'document';
    ok($pair{'scim portsip'}{document}, 'SCIM has documents');
};

subtest 'requests are counted by how they end' => sub {
    my $counted = sub {
        my ($operation, $outcome, $code) = @_;
        adds([[['requests_total', dialect => 'signalwire',
            upstream_dialect => 'signalwire', operation => $operation,
            outcome => $outcome], 1], [['requests_total'], 1]],
            $code, "$operation $outcome");
    };

    $counted->('group.create', 'done', sub {
        $t->post("/same/$GROUPS", json => {name => 'n'}, @project);
    });
    $counted->('group.create', 'invalid', sub {
        $t->post("/same/$GROUPS", json => {name => ''}, @project);
    });
    $counted->('group.create', 'unauthorized', sub {
        $t->post("/same/$GROUPS", json => {name => 'n'});
    });
    $counted->('group.create', 'forbidden', sub {
        $t->post("/same/$GROUPS", json => {name => 'n'},
            auth => ['weak', 'x']);
    });
    $counted->('group.create', 'malformed', sub {
        $t->post("/same/$GROUPS", body => '{', @project);
    });
    $counted->('group.get', 'not_found', sub {
        $t->get("/same/$GROUPS/$UUID", @project);
    });
    $counted->('unknown', 'not_found', sub {
        $t->get("/same/$MARK", @project);
    });
    $counted->('unknown', 'method_not_allowed', sub {
        $t->request(method => 'PATCH', uri => "/same/$GROUPS", @project);
    });
    # nginx refuses it before anybody looks at its path
    $counted->('unknown', 'too_large', sub {
        $t->post("/same/$GROUPS", json => {name => 'n' x 4000}, @project);
    });

    adds([[['requests_total', operation => 'document', outcome => 'done'],
        1]], sub { $t->get('/scim/ServiceProviderConfig') }, 'a document');
};

subtest 'a client that goes away is one without an outcome' => sub {
    adds([[['requests_total', dialect => 'signalwire',
            operation => 'group.create', outcome => 'none'], 1],
        [['requests_total'], 1]],
        sub {
            my $client = $t->client;
            $client->send("POST /translated/$GROUPS HTTP/1.1\r\nHost: a\r\n"
                . "Content-Length: 100\r\n\r\n{");
            sleep 0.2;
            $client->close;
        }, 'counted');
};

subtest 'upstream calls are counted by the class of their status' => sub {
    my @pair = (dialect => 'vinyldns', upstream_dialect => 'portsip');
    my $make = sub {
        $t->post('/plan/groups', json => {name => 'n', admins => [],
            email => 'a@example.com', members => [map { {id => "$_"} } @_]});
    };

    adds([[['upstream_calls_total', @pair, status => '2xx'], 3],
        [['upstream_calls_total'], 3],
        [['requests_total', @pair, outcome => 'done'], 1]],
        sub { $make->(101, 103) }, 'three for one request');

    adds([[['upstream_calls_total', upstream_dialect => 'signalwire',
        status => '4xx'], 1]],
        sub { $t->get("/same/$GROUPS/$UUID", @project) }, 'a 404');

    adds([[['upstream_calls_total', dialect => 'portsip', status => 'none'],
        1]], sub { $t->get('/down/groups') }, 'no answer');

    adds([[['plan_undos_total', @pair], 1],
        [['plan_undo_failures_total', @pair], 0],
        [['upstream_calls_total', @pair, status => '5xx'], 1]],
        sub { $make->(102) }, 'what is made in part is undone');

    adds([[['plan_undos_total'], 1],
        [['plan_undo_failures_total', @pair], 1]],
        sub {
            $t->post('/plan/groups', headers => ['X-Undo' => 'no'],
                json => {name => 'n', admins => [], members => [{id => '102'}],
                    email => 'a@example.com'});
        }, 'or left behind');
};

subtest 'hooks are counted by how they end' => sub {
    Test::Gateway->not_in(valgrind => 'some take longer than they may');

    my $post = sub {
        my ($name) = @_;
        return sub {
            $t->post("/hook/$GROUPS", json => {name => $name});
        };
    };
    my $hook   = $t->dir . '/hook.lua';
    my $answer = $t->dir . '/answer.lua';

    adds([[['policy_runs_total', policy => $hook, result => 'passed'], 1],
        [['policy_runs_total', policy => $answer, result => 'passed'], 1],
        [['policy_runs_total'], 2]], $post->('n'),
        'only those that a file has');

    for (['deny', 'denied'], ['error', 'error'], ['timeout', 'timeout'],
        ['memory', 'memory'])
    {
        my ($name, $result) = @$_;
        adds([[['policy_runs_total', policy => $hook, result => $result], 1],
            [['policy_runs_total'], 1]], $post->($name), $result);
    }

    my $m = metrics();
    cmp_ok($m->sum('nginx_group_policy_seconds_total', policy => $hook), '>',
        0.09, 'their time: one ran into its limit of 100 ms');
    cmp_ok($m->sum('nginx_group_policy_memory_peak_bytes', policy => $hook),
        '>', 2e6, 'their memory: one ran into its limit');
    cmp_ok($m->sum('nginx_group_policy_memory_peak_bytes', policy => $hook),
        '<=', 4 * 1024 * 1024, 'and not over it');
    cmp_ok($m->sum('nginx_group_policy_memory_peak_bytes',
        policy => $answer), '<', 1e6, 'each file has its own');
};

subtest 'lost fields are counted by their canonical names' => sub {
    my @pair = (dialect => 'signalwire', upstream_dialect => 'vinyldns');

    adds([[['lost_fields_total', @pair, field => 'sticky_sender'], 1],
        [['lost_fields_total'], 1]],
        sub { $t->post("/translated/$GROUPS",
            json => {name => 'n', sticky_sender => \1}) }, 'sticky_sender');

    adds([[['lost_fields_total', @pair, field => 'other'], 1],
        [['lost_fields_total'], 1]],
        sub { $t->post("/hook/$GROUPS", json => {name => 'other'}) },
        'what a hook made of a request is "other"');
};

subtest 'phases are measured' => sub {
    my %phase;
    my $m = metrics();

    for ($m->series('nginx_group_phase_duration_seconds_count')) {
        my $l = $_->{labels};
        $phase{$l->{phase}}{"$l->{dialect} $l->{upstream_dialect}"}
            = $_->{value};
    }

    is_deeply([sort keys %phase], [sort keys %PHASES], 'the five');
    is($phase{policy}{'signalwire signalwire'}, 0, 'no hooks, no time');
    is($phase{auth}{'signalwire vinyldns'}, 0, 'nobody is asked, no time');
    is($phase{$_}{'signalwire signalwire'} > 0, 1, $_)
        for qw(auth decode upstream encode);

    my @pair = (dialect => 'signalwire', upstream_dialect => 'signalwire');
    adds([(map { [['phase_duration_seconds_count', @pair, phase => $_], 1] }
            qw(auth decode upstream encode)),
        [['phase_duration_seconds_count'], 4]],
        sub { $t->post("/same/$GROUPS", json => {name => 'n'}, @project) },
        'each of a request once');
    adds([[['phase_duration_seconds_count', @pair, phase => 'encode'], 1],
        [['phase_duration_seconds_count', @pair, phase => 'auth'], 1],
        [['phase_duration_seconds_count'], 2]],
        sub { $t->post("/same/$GROUPS", json => {name => 'n'}) },
        'and only those that it came to');

    my @vinyldns = (dialect => 'signalwire', upstream_dialect => 'vinyldns',
        phase => 'policy');
    my $sum = metrics()->sum('nginx_group_phase_duration_seconds_sum',
        @vinyldns);
    $t->post("/hook/$GROUPS", json => {name => 'timeout'});
    $sum = metrics()->sum('nginx_group_phase_duration_seconds_sum',
        @vinyldns) - $sum;
    cmp_ok($sum, '>', 0.09, "in seconds: $sum");
    cmp_ok($sum, '<', 2 * $t->patience, 'and no other unit');
};

subtest 'no label is of a request' => sub {
    $t->post("/same/$GROUPS?$MARK=$MARK", body => qq({"name":"$MARK"}),
        headers => ['X-Group' => $MARK, 'Content-Type' => $MARK],
        auth => [$MARK, $MARK]);
    $t->request(method => uc $MARK, uri => "/same/$MARK");
    $t->post("/translated/$GROUPS", json => {name => $MARK, $MARK => 1});

    my $text = text();
    unlike($text, qr/$MARK/i, 'not in the text');

    my %labels;
    my $m = Test::Gateway::Prometheus->parse($text);
    $labels{$_}++ for map { $m->labels($_) } $m->samples;
    is_deeply([sort keys %labels], [sort qw(dialect field le operation outcome
        phase policy result status upstream_dialect)], 'labels');
};

subtest 'counters outlive reloads, of another configuration, too' => sub {
    my $done = sub {
        return requests(metrics(), qw(signalwire signalwire group.create
            done));
    };
    my $before = $done->();
    cmp_ok($before, '>', 0, 'there is something to keep');
    my $all = metrics();

    ok($t->reload, 'reload');
    is($done->(), $before, 'the same configuration');

    $t->conf(server => "$locations $metrics");
    ok($t->reload, 'reload');
    my $m = metrics();
    is($done->(), $before, 'fewer locations');
    is($m->sum('nginx_group_requests_total', dialect => 'scim'), undef,
        'what is not configured any more is not told');
    is($m->sum('nginx_group_policy_runs_total'), undef, 'nor its policies');

    # more files than there is room for
    my $more = '';
    for my $i (1 .. 600) {
        my $name = 'policy-with-a-rather-long-name-to-need-memory-' . $i;
        $t->write_file("$name.lua", 'return {}');
        $more .= "group_policy $name.lua;\n";
    }
    $t->conf(server => "$locations $hooks $metrics
        location /more/ { group_dialect portsip; group_base_path /more;
            $more $proxy }");
    ok($t->reload, 'reload');
    $m = metrics();
    is($done->(), $before, 'a larger one');
    is($m->sum('nginx_group_policy_runs_total', policy => $t->dir
        . '/hook.lua', result => 'denied'), $all->sum(
        'nginx_group_policy_runs_total', policy => $t->dir . '/hook.lua',
        result => 'denied'), 'and what was away for a while');

    $t->post("/same/$GROUPS", json => {name => 'n'}, @project);
    is($done->(), $before + 1, 'and counts on');

    $t->conf(server => "$locations $hooks $metrics");
    ok($t->reload, 'reload');
    is($done->(), $before + 1, 'a smaller one again');
};

subtest 'workers of before a reload count in the same rows' => sub {
    my $client = $t->client;
    $client->send("POST /same/$GROUPS HTTP/1.1\r\nHost: a\r\n"
        . 'Authorization: ' . $t->basic('project', 'x') . "\r\n"
        . "Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{");
    sleep 0.1;

    # the old worker has this request still
    kill HUP => $t->{nginx};
    $t->like_log(qr/gracefully shutting down/, 'reloaded');

    adds([[['requests_total', dialect => 'signalwire',
        operation => 'group.create', outcome => 'done'], 1]],
        sub {
            $client->send('"name":"n"}');
            is($client->response->status, 200, 'answered');
        }, 'counted');
    $client->close;
};

subtest 'the directive' => sub {
    $t->config_fails('group_metrics;', qr/"group_metrics" directive is not/,
        'not for a server');
    $t->config_fails('location / { group_metrics on; }',
        qr/invalid number of arguments in "group_metrics"/, 'no arguments');
    $t->config_ok('location / { group_metrics; }', 'with no dialect at all');
    $t->config_fails('location / { if ($arg_a) { group_metrics; } }',
        qr/directive is not allowed here/, 'not in if');
};

done_testing;
