#!/usr/bin/perl

# The module's variables, and nginx's own about the upstream, in an access log,
# in headers and in a location that has nothing to do with groups.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $t = Test::Gateway->new;

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $path = $request->{uri} =~ s/\?.*//r;

    return [200, [], {id => $UUID, name => 'up', email => 'a@test.com',
            created => '2023-01-15T10:30:00Z', status => 'Active',
            members => [{id => 'm'}], admins => [{id => 'm'}]}]
        if $path =~ m{^/groups};
    return [201, [], {id => $ID}] if $path eq '/api/groups';
    return [200, [], {id => $ID, name => 'kept', description => undef,
            outbound_caller_ids => []}]
        if $path eq "/api/groups/$ID";
    return [200, [], {id => $UUID, name => 'sw', sticky_sender => \0,
            phone_number_count => 0}]
        if $path =~ m{number_groups(?:/[^/]*)?$};
    return [200, [], {id => $UUID, number_group_id => $UUID,
            phone_number => {id => $UUID},
            created_at => '2023-01-15T10:30:00Z',
            updated_at => '2023-01-15T10:30:00Z'}];
});

my $hang    = $t->raw_upstream(['hang']);
my $refused = '127.0.0.1:' . $t->refused_port;
my $address = $u->address;
my $proxy   = "proxy_pass http://$address;";

$t->credentials('clients.json',
    {type => 'basic', id => 'project', secret => 'x', principal => 'acme',
        scopes => ['numbers', 'more']},
    {type => 'basic', id => 'weak', secret => 'x', scopes => ['other']});

$t->write_file('hook.lua', <<'END');
return {
    request = function(ctx)
        if ctx.group.name == "deny" then
            ctx:deny("conflict", "such a name is taken", "name")
        elseif ctx.group.name == "fail" then
            error("broken")
        end
        ctx.group.name = ctx.group.name .. "-hooked"
    end,
}
END

$t->nginx(
    http => <<"END",
map \$group_operation \$kind {
    default       other;
    group.create  creates;
    ""            none;
}
upstream two { server $refused max_fails=0; server $address max_fails=0; }
upstream down { server $refused; }
END
    server => <<"END",
location /api/relay/rest/ {
    group_dialect signalwire;
    group_upstream_dialect vinyldns;
    group_credentials clients.json;
    group_default email a\@test.com;
    group_default members m;
    group_default admins m;
    $proxy
}
location /sw/ {
    group_dialect signalwire;
    group_upstream_dialect portsip;
    group_base_path /sw;
    $proxy
}
location /hook/ {
    group_dialect signalwire;
    group_base_path /hook;
    group_policy hook.lua;
    $proxy
}
location /down/ {
    group_dialect signalwire;
    group_base_path /down;
    proxy_pass http://down;
}
location /slow/ {
    group_dialect signalwire;
    group_base_path /slow;
    proxy_read_timeout 200ms;
    proxy_pass http://@{[$hang->address]};
}
location /two/ {
    group_dialect signalwire;
    group_base_path /two;
    proxy_next_upstream error timeout non_idempotent;
    proxy_pass http://two;
}
location /headers/ {
    group_dialect signalwire;
    group_base_path /headers;
    set \$early "<\$group_operation>";
    proxy_set_header X-Operation \$group_operation;
    proxy_set_header X-Name \$group_name;
    proxy_set_header X-Calls \$group_calls;
    proxy_set_header X-Early \$early;
    add_header X-Operation \$group_operation always;
    add_header X-Outcome \$group_outcome always;
    add_header X-Kind \$kind always;
    $proxy
}
location /plain/ {
    add_header X-Operation "<\$group_operation>" always;
    add_header X-Kind \$kind always;
    $proxy
}
END
);

# The line of a request, beside the response.
sub line {
    my (@request) = @_;

    my $r = $t->request(@request);

    return ($t->last_access, $r);
}

sub line_is {
    my ($request, $wanted, $name) = @_;

    my ($line, $r) = line(@$request);
    my %got = map { $_ => $line->{$_} } keys %$wanted;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply(\%got, $wanted, $name) or diag(explain($line), $r->body);
    is($r->status, $wanted->{status}, 'status of the response')
        if $wanted->{status};

    return $line;
}

my @auth = (auth => ['project', 'x']);
my $SW   = '/api/relay/rest/number_groups';

my @nothing = (outcome => 'done', error => '', lost => '', policy_time => '');
my @up   = (upstream_addr => $address, calls => 1);
my @none = (upstream_addr => '', upstream_status => '', calls => 0,
    upstream_response_time => '');


subtest 'done' => sub {
    my $line = line_is([method => 'POST', uri => $SW, json => {name => 'a'},
            @auth], {
            @nothing, @up,
            request_method => 'POST', request_uri => $SW, status => 200,
            operation => 'group.create', dialect => 'signalwire',
            upstream_dialect => 'vinyldns', principal => 'acme',
            scopes => 'numbers more', id => $UUID, name => 'up',
            upstream_status => 200,
        }, 'create');
    like($line->{upstream_response_time}, qr/^\d+\.\d{3}$/,
        '$upstream_response_time');
    cmp_ok($line->{bytes_sent}, '>', 100, '$bytes_sent');

    line_is([method => 'GET', uri => "$SW/$UUID", @auth], {
            @nothing, @up, status => 200, operation => 'group.get',
            id => $UUID, name => 'up', upstream_status => 200,
        }, 'get');
    line_is([method => 'DELETE', uri => "$SW/$UUID", @auth], {
            @nothing, @up, status => 204, operation => 'group.delete',
            id => $UUID, upstream_status => 200,
        }, 'delete: the status is the client\'s API\'s');

    line_is([method => 'POST', uri => '/hook/number_groups/' . $UUID
                . '/number_group_memberships',
            json => {phone_number_id => $UUID}], {
            status => 500, operation => 'member.add',
        }, 'a hook that does not know members');
    line_is([method => 'POST', uri => '/headers/number_groups/' . $UUID
                . '/number_group_memberships',
            json => {phone_number_id => $UUID}], {
            @nothing, @up, status => 200, operation => 'member.add',
            id => $UUID,
        }, 'a member: the id is its group\'s');
};

subtest 'an id is the upstream\'s' => sub {
    my ($line, $r) = line(method => 'POST', uri => '/sw/number_groups',
        json => {name => 'a', sticky_sender => \1});
    is($r->status, 200, 'status') or diag($r->body);
    is($line->{id}, $ID, '$group_id');
    is($line->{name}, 'a', '$group_name');
    is($line->{lost}, 'sticky_sender', '$group_lost');
    is($line->{upstream_status}, 201, '$upstream_status');
    is($line->{status}, 200, '$status');
};

subtest 'a hook' => sub {
    my $line = line_is([method => 'POST', uri => '/hook/number_groups',
            json => {name => 'a'}], {
            status => 200, outcome => 'done', error => '', calls => 1,
            principal => '', scopes => '', upstream_dialect => 'signalwire',
        }, 'done');
    like($line->{policy_time}, qr/^\d+\.\d{6}$/, '$group_policy_time');
    cmp_ok($line->{policy_time}, '>', 0, 'is not nothing');

    $line = line_is([method => 'POST', uri => '/hook/number_groups',
            json => {name => 'deny'}], {
            status => 422, outcome => 'conflict', @none, name => 'deny',
            error => 'such a name is taken',
        }, 'refused');
    like($line->{policy_time}, qr/^\d+\.\d{6}$/, '$group_policy_time');

    line_is([method => 'POST', uri => '/hook/number_groups',
            json => {name => 'fail'}], {
            status => 500, outcome => 'internal', @none,
        }, 'failed');
};

subtest 'refused by us' => sub {
    my @who = (principal => '', scopes => '');

    line_is([method => 'GET', uri => '/api/relay/rest/nothing', @auth], {
            @none, @who, status => 404, outcome => 'not_found',
            operation => '', dialect => 'signalwire',
            upstream_dialect => 'vinyldns', id => '', name => '', lost => '',
        }, 'an unknown path');
    line_is([method => 'PATCH', uri => $SW, @auth], {
            @none, status => 405, outcome => 'method_not_allowed',
            operation => '',
        }, 'a method that is not allowed');
    line_is([method => 'POST', uri => $SW, json => {name => 'a'}], {
            @none, @who, status => 401, outcome => 'unauthorized',
            operation => 'group.create',
        }, 'nobody');
    line_is([method => 'GET', uri => "$SW/$UUID", auth => ['weak', 'x']], {
            @none, status => 401, outcome => 'forbidden',
            principal => 'weak', scopes => 'other', operation => 'group.get',
            id => $UUID,
        }, 'without a scope');
    line_is([method => 'POST', uri => $SW, @auth, body => '{',
            headers => ['Content-Type' => 'application/json']], {
            @none, status => 400, outcome => 'malformed',
            principal => 'acme',
        }, 'no JSON');
    line_is([method => 'POST', uri => $SW, @auth, body => 'x',
            headers => ['Content-Type' => 'text/plain']], {
            @none, status => 415, outcome => 'unsupported_media_type',
        }, 'no JSON at all');
    line_is([method => 'POST', uri => $SW, @auth, json => {}], {
            @none, status => 422, outcome => 'invalid',
            error => 'name: missing', name => '',
        }, 'a field is missing');
    line_is([method => 'POST', uri => $SW, @auth,
            json => {name => 'a', sticky_sender => 'x'}], {
            @none, status => 422, outcome => 'invalid',
            error => 'sticky_sender: type', name => 'a',
        }, 'a field is wrong');
};

subtest 'refused by the upstream' => sub {
    for ([404, 404, 'not_found'], [409, 422, 'conflict'],
        [429, 429, 'rate_limited'], [500, 500, 'internal'],
        [503, 503, 'unavailable'], [401, 502, 'bad_gateway'])
    {
        my ($status, $ours, $outcome) = @$_;

        $u->answer([$status, ['Content-Type' => 'application/json'],
            '"the reason"']);
        my $line = line_is([method => 'GET', uri => "$SW/$UUID", @auth], {
                @up, status => $ours, outcome => $outcome,
                upstream_status => $status, id => $UUID, name => '',
            }, "with $status");
        is($line->{error}, 'the reason', '$group_error')
            if $status < 500 && $status != 401;
    }
};

subtest 'no answer' => sub {
    line_is([method => 'GET', uri => "/down/number_groups/$UUID"], {
            status => 502, outcome => 'bad_gateway', calls => 1,
            upstream_addr => $refused, upstream_status => 502,
        }, 'refused');
    line_is([method => 'GET', uri => "/slow/number_groups/$UUID"], {
            status => 504, outcome => 'timeout', calls => 1,
            upstream_addr => $hang->address, upstream_status => 504,
        }, 'too late');
};

subtest 'a second upstream' => sub {
    # round robin: one of two requests finds the first one down
    my @line = map {
        (line(method => 'GET', uri => "/two/number_groups/$UUID"))[0]
    } 1 .. 2;

    my ($line) = grep { $_->{upstream_addr} =~ /,/ } @line;
    ok($line, 'was asked') or diag(explain(\@line));
    is($line->{upstream_addr}, "$refused, $address", '$upstream_addr');
    is($line->{upstream_status}, '502, 200', '$upstream_status');
    like($line->{upstream_response_time}, qr/^\d\.\d{3}, \d\.\d{3}$/,
        '$upstream_response_time');
    is($line->{calls}, 1, 'it is one call');
    is($line->{status}, 200, 'and all is well');
};

subtest 'headers' => sub {
    $u->clear;
    my $r = $t->post('/headers/number_groups', json => {name => 'a b'});
    is($r->status, 200, 'status');

    my $got = $u->last;
    is($got->header('X-Operation'), 'group.create', 'of an upstream call');
    is($got->header('X-Name'), 'a b', 'what is known by then');
    is($got->header('X-Calls'), 1, 'what is known by then');
    is($got->header('X-Early'), '<>', 'but of "set" it is what was known '
            . 'before');

    is($r->header('X-Operation'), 'group.create', 'of an answer');
    is($r->header('X-Outcome'), 'done', 'of an answer');
    is($r->header('X-Kind'), 'creates', 'through a map');

    $r = $t->post('/headers/number_groups', json => {});
    is($r->header('X-Operation'), 'group.create', 'of a refusal');
    is($r->header('X-Outcome'), 'invalid', 'of a refusal');

    $r = $t->get('/headers/nothing');
    is($r->header('X-Operation'), undef, 'of what is no operation');
    is($r->header('X-Kind'), 'none', 'through a map');
};

subtest 'elsewhere' => sub {
    my ($line, $r) = line(method => 'GET', uri => '/plain/x');
    is($r->header('X-Operation'), '<>', 'nothing in a header');
    is($r->header('X-Kind'), 'none', 'nor through a map');
    is_deeply([grep { $line->{$_} ne '' } qw(operation dialect principal
            upstream_dialect scopes outcome error id name lost calls
            policy_time)], [], 'nor in the log');
    is($line->{upstream_addr}, $address, 'nginx\'s own are as ever');
};

subtest 'what a client sends does not break the log' => sub {
    my ($line) = line(method => 'POST', uri => $SW, @auth,
        json => {name => "a\"b\\c\nd\x{e9}"});
    is($line->{malformed}, undef, 'a name');

    ($line) = line(method => 'GET', uri => '/api/relay/rest/%22%0a', @auth);
    is($line->{malformed}, undef, 'a path');

    $t->unlike_log(qr/^(?!\d{4}\/)/m, 'each line begins as nginx\'s do')
        if !$ENV{TEST_GROUP_DEBUG};
};

subtest 'nginx -t' => sub {
    $t->config_ok("add_header X-A \$group_$_;", "\$group_$_")
        for qw(operation dialect upstream_dialect principal scopes outcome
        error id name lost calls policy_time);
    $t->config_fails('add_header X-A $group_nothing;',
        qr/unknown "group_nothing" variable/, '$group_nothing');
};

$t->stop;
done_testing;
