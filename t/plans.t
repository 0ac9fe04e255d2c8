# Operations that take more than one upstream call: members that go in calls
# of their own, members of groups that are only written whole, answers that
# have to be read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Gateway;
use Test::Gateway::Message qw(json_decode);
use Test::Gateway::Prometheus;
use Test::Gateway::Vendors qw(
    collection gateway_server group_body item path_segment sign_in
);

my $OK = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';

my $t = Test::Gateway->new;

my %emulator = (
    signalwire => $t->emulator('signalwire', 'no-unknown-fields' => undef,
        'any-number' => undef),
    vinyldns => $t->emulator('vinyldns', 'no-unknown-fields' => undef,
        domain => 'example.com'),
    faxfinder => $t->emulator('faxfinder', 'no-unknown-fields' => undef),
    portsip   => $t->emulator('portsip', 'no-unknown-fields' => undef),
);

# seven groups at SignalWire's whose members come late; of the second one there
# are two pages, and the fourth one is gone
my $LATE = 0.5 * $t->patience;
my $UUID = '0a59b2d8-9d41-4b7a-9b5c-00000000000';

my $slow_lists = $t->upstream(sub {
    my ($request) = @_;
    my $json  = ['Content-Type' => 'application/json'];
    my %links = (self => '/', first => '/');
    return [200, $json, {links => \%links, data => [map {
        {id => "$UUID$_", name => "g$_", sticky_sender => JSON::PP::false(),
            phone_number_count => 1} } 1 .. 7]}]
        if $request->{uri} !~ /memberships/;

    my ($n) = $request->{uri} =~ m{/\Q$UUID\E(\d)/};
    return {status => 404, headers => $json, body => '{}', delay => $LATE}
        if $n == 4;
    my $next = $request->{uri} =~ /page_token/;
    $links{next} = '/x?page_token=more&page_number=1' if $n == 2 && !$next;
    my $id = $UUID . ($next ? 9 : $n);
    return {status => 200, headers => $json, delay => $LATE,
        body => {links => \%links, data => [{id => $id,
            number_group_id => "$UUID$n", phone_number => {id => $id},
            created_at => '2024-01-02T03:04:05Z',
            updated_at => '2024-01-02T03:04:05Z'}]}};
});

my $servers = '';

$servers .= gateway_server($t, name => "scim.$_", client => 'scim',
    upstream => 'signalwire', url => 'http://' . $slow_lists->address,
    more => 'group_plan_concurrency 3; '
        . ($_ eq 'slow' ? '' : 'group_plan_max_calls 7;'))
    for 'slow', 'slow.few';

for my $client (keys %emulator) {
    for my $upstream (keys %emulator) {
        my $more = $upstream eq 'faxfinder' ? 'group_default owner alice;'
            : $upstream eq 'vinyldns' ? "group_default email o\@example.com;
                group_default members $OK; group_default admins $OK;"
            : 'group_default email o@example.com; group_default admins 101;';

        $servers .= gateway_server($t, client => $client,
            upstream => $upstream, url => $emulator{$upstream}->url,
            more => $more);
    }
}

$servers .= gateway_server($t, name => 'few', client => 'vinyldns',
    upstream => 'portsip', url => $emulator{portsip}->url,
    more => 'group_plan_max_calls 3;');
$servers .= gateway_server($t, name => 'one', client => 'vinyldns',
    upstream => 'portsip', url => $emulator{portsip}->url,
    more => 'group_plan_concurrency 1;');

# a client that is shown what it has changed, and hooks that look at it
my $shown = $t->read_file($t->root . '/lua/dialects/scim.lua');
$shown =~ s/dialect "scim"/dialect "shown"/;
$shown =~ s/status = 204, accept = \{ 200 \}/status = 200/;
$t->write_file('shown.lua', $shown);
$t->write_file('look.lua', <<'END');
local policy = {}
function policy.response(ctx)
  local ids = {}
  for i, member in ipairs(ctx.group.members or {}) do ids[i] = member.id end
  table.sort(ids)
  ctx:log("error", ctx.group.name .. ": " .. table.concat(ids, " "))
end
return policy
END

for my $upstream (keys %emulator) {
    $servers .= gateway_server($t, name => "$_.$upstream", client => $_,
        upstream => $upstream, url => $emulator{$upstream}->url,
        more => 'group_policy %%DIR%%/look.lua; group_default owner alice;
            group_default email o@example.com; ' . ($upstream eq 'vinyldns'
                ? "group_default members $OK; group_default admins $OK;"
                : '')) for 'scim', 'shown';
}

$servers .= 'server { listen ' . $t->listen . '; server_name metrics;
    location / { group_metrics; } }';

$t->nginx(servers => $servers, http => 'group_dialect_path %%DIR%% '
    . $t->root . '/lua/dialects;');

sub call {
    my ($client, $upstream, %request) = @_;
    my $host = $emulator{$upstream // ''} || $upstream =~ /slow/
        ? "$client.$upstream" : $upstream;
    my $who = $client eq 'shown' ? 'scim' : $client;
    return $t->request(sign_in($who), %request,
        headers => [Host => $host, @{$request{headers} // []}]);
}

# method and path of what an upstream got
sub calls {
    my ($upstream) = @_;
    return map { "$_->{method} $_->{path}" } $emulator{$upstream}->journal;
}

sub metric {
    my ($name) = @_;
    my $r = $t->request(uri => '/', headers => [Host => 'metrics']);
    return Test::Gateway::Prometheus->parse($r->body)
        ->sum("nginx_group_$name");
}

sub make {
    my ($upstream, $name, @members) = @_;
    return call('vinyldns', $upstream, method => 'POST',
        uri => collection('vinyldns'), json => {
            name => $name, email => 'o@example.com', admins => [],
            members => [map { {id => "$_"} } @members],
        });
}

subtest 'members are added one by one' => sub {
    $emulator{portsip}->clear;
    my $r = make('portsip', 'apart', 101, 102, 103);
    is($r->status, 200, 'made');
    my $id = $r->json->{id};
    is_deeply([map { $_->{id} } @{$r->json->{members}}], [101, 102, 103],
        'with its members');
    is($r->header('Group-Lost'), 'email', 'members are not lost');

    my @calls = calls('portsip');
    is(shift @calls, 'POST /api/groups', 'first the group');
    is_deeply([sort @calls],
        [map { "POST /api/groups/$id/members/$_" } 101 .. 103],
        'then each member');

    $emulator{portsip}->clear;
    $r = call('vinyldns', 'portsip', uri => item('vinyldns', $id));
    is($r->status, 200, 'read back');
    is_deeply([sort map { $_->{id} } @{$r->json->{members}}],
        [101, 102, 103], 'members are read in a call of their own');
    is(scalar(calls('portsip')), 2, 'two calls');

    my ($line) = ($t->access)[-1];
    is($line->{calls}, 2, '$group_calls') if ref $line;
};

subtest 'one at a time' => sub {
    my $r = make('one', 'apart2', 101 .. 112);
    is($r->status, 200, 'made');
    is(scalar @{$r->json->{members}}, 12, 'with its members');
};

subtest 'a member that cannot be added undoes the group' => sub {
    $emulator{portsip}->clear;
    my $r = make('portsip', 'undone', 101, 999, 102);
    ok($r->status >= 400 && $r->status < 500, 'refused: ' . $r->status);
    like($r->body, qr/999/, 'the member is named');

    my @calls = calls('portsip');
    like($calls[-1], qr{^POST /api/groups/\w+/destroy$}, 'undone');

    $r = call('portsip', 'portsip', uri => collection('portsip'));
    ok(!(grep { $_->{name} eq 'undone' } @{$r->json->{items}}),
        'nothing is left');
};

subtest 'an undo that fails is told' => sub {
    $emulator{portsip}->fault({method => 'POST', path => '/destroy$',
        times => 1, status => 500});
    my $r = make('portsip', 'orphan', 999);
    ok($r->status >= 400, 'refused');
    like($r->body, qr/could not be removed/, 'in the answer');
    $t->like_log(qr/made upstream only in part and could not be removed/,
        'and in the log');
    is(metric('plan_undo_failures_total'), 1, 'and in the metrics');
    is(metric('plan_undos_total'), 2, 'with the undo that worked');
};

subtest 'more calls than allowed are undone' => sub {
    my $r = make('few', 'toomany', 101 .. 110);
    is($r->status, 501, 'not supported');
    $r = call('portsip', 'portsip', uri => collection('portsip'));
    ok(!(grep { $_->{name} eq 'toomany' } @{$r->json->{items}}),
        'nothing is left');
};

subtest 'a replacement adds and removes the difference' => sub {
    my $id = make('portsip', 'before', 101, 102, 103)->json->{id};
    $emulator{portsip}->clear;

    my $r = call('vinyldns', 'portsip', method => 'PUT',
        uri => item('vinyldns', $id), json => {
            id => $id, name => 'after', email => 'o@example.com',
            admins => [], members => [{id => 102}],
        });
    is($r->status, 400, 'a number is not an id');

    $r = call('vinyldns', 'portsip', method => 'PUT',
        uri => item('vinyldns', $id), json => {
            id => $id, name => 'after', email => 'o@example.com',
            admins => [], members => [{id => '102'}, {id => '104'}],
        });
    is($r->status, 200, 'replaced');
    is($r->json->{name}, 'after', 'renamed');

    my @calls = grep { /members./ } calls('portsip');
    is_deeply([sort @calls], [
        "POST /api/groups/$id/members/101/destroy",
        "POST /api/groups/$id/members/103/destroy",
        "POST /api/groups/$id/members/104",
    ], 'only the difference');

    $r = call('vinyldns', 'portsip', uri => item('vinyldns', $id));
    is_deeply([sort map { $_->{id} } @{$r->json->{members}}], [102, 104],
        'and it is so');
};

subtest 'members of groups that are only written whole' => sub {
    my $group = call('signalwire', 'vinyldns', method => 'POST',
        uri => collection('signalwire'), json => {name => 'whole'});
    is($group->status, 200, 'a group');
    my $uri = item('signalwire', $group->json->{id})
        . '/number_group_memberships';

    my ($user) = grep { $_ ne $OK && /^[0-9a-f]{8}-/ }
        map { $_->{id} } @{$emulator{vinyldns}->seed->{users}};

    $emulator{vinyldns}->clear;
    my $r = call('signalwire', 'vinyldns', method => 'POST', uri => $uri,
        json => {phone_number_id => $user});
    is($r->status, 200, 'added');
    my $m = $r->json;
    is($m->{number_group_id}, $group->json->{id}, 'its group');
    is($m->{phone_number}{id}, $user, 'its member');
    is_deeply([map { s/ .*//r } calls('vinyldns')], [qw(GET PUT GET)],
        'read, written, read again');

    $r = call('signalwire', 'vinyldns', uri => $uri);
    is($r->status, 200, 'listed');
    is_deeply([sort map { $_->{phone_number}{id} } @{$r->json->{data}}],
        [sort $OK, $user], 'both members');

    my $one = '/api/relay/rest/number_group_memberships/'
        . path_segment($m->{id});
    $r = call('signalwire', 'vinyldns', uri => $one);
    is($r->status, 200, 'one membership');
    is($r->json->{phone_number}{id}, $user, 'its member');

    $r = call('signalwire', 'vinyldns', method => 'DELETE', uri => $one);
    is($r->status, 204, 'removed');

    $r = call('signalwire', 'vinyldns', uri => $uri);
    is_deeply([map { $_->{phone_number}{id} } @{$r->json->{data}}], [$OK],
        'it is gone');

    $r = call('signalwire', 'vinyldns', method => 'DELETE', uri => $one);
    is($r->status, 404, 'and not there twice');

    $r = call('portsip', 'vinyldns', method => 'POST',
        uri => '/api/groups/' . path_segment(
            MIME::Base64::encode_base64($group->json->{id}, ''))
            . "/members/$user");
    is($r->status, 200, 'a PortSIP client adds one');

    $r = call('signalwire', 'vinyldns',
        uri => item('signalwire', $group->json->{id}));
    is($r->json->{phone_number_count}, 2, 'and it is counted');
};

subtest 'memberships with ids of their own' => sub {
    my $r = call('portsip', 'signalwire', method => 'POST',
        uri => collection('portsip'), json => {name => 'numbers'});
    is($r->status, 201, 'a group');
    my $group = path_segment($r->json->{id});
    my $number = '3fa85f64-5717-4562-b3fc-2c963f66afa6';
    my $uri = "/api/groups/$group/members/$number";

    $r = call('portsip', 'signalwire', method => 'POST', uri => $uri);
    is($r->status, 200, 'added');

    $r = call('portsip', 'signalwire', uri => $uri);
    is($r->status, 200, 'found');
    is($r->json->{extension_number}, $number, 'by the number');

    $r = call('portsip', 'signalwire', method => 'POST',
        uri => "$uri/destroy");
    is($r->status, 204, 'removed by its membership');

    $r = call('portsip', 'signalwire', uri => $uri);
    is($r->status, 404, 'and gone');
};

subtest 'a client that goes away leaves nothing half done' => sub {
    $emulator{portsip}->clear;
    $emulator{portsip}->fault({method => 'POST', path => '/members/10[1-3]$',
        processed => JSON::PP::true(), delay => 100, times => 3,
        status => 200});

    my $body = '<contact_group><name>left</name>' . join('', map {
        "<contact>http://x/ffws/v1/contacts/alice/$_</contact>"
    } 101 .. 103) . '</contact_group>';

    my $client = $t->client;
    $client->send("POST /ffws/v1/contact_groups/alice HTTP/1.1\r\n"
        . "Host: faxfinder.portsip\r\n"
        . 'Authorization: '
        . $t->basic({sign_in('faxfinder')}->{auth}->@*) . "\r\n"
        . "Content-Type: application/xml\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

    # gone as soon as the group is made
    my $deadline = time + 10 * $t->patience;
    sleep 0.02 until calls('portsip') || time > $deadline;
    $client->reset;

    my @members;
    sleep 0.05 until (@members = grep { /members/ } calls('portsip')) >= 3
        || time > $deadline;
    is(scalar @members, 3, 'each member is added');

    my $r = call('portsip', 'portsip', uri => collection('portsip'));
    is(scalar(grep { $_->{name} eq 'left' } @{$r->json->{items}}), 1,
        'the group is there');
};

subtest 'a group that goes while groups are listed is not listed' => sub {
    my ($gone, @stay) = map { make('portsip', $_, 101)->json->{id} }
        qw(leaves stays1 stays2);
    $emulator{portsip}->fault({method => 'GET', path => "$gone/members",
        status => 404});

    my $r = call('vinyldns', 'portsip', uri => collection('vinyldns'));
    is($r->status, 200, 'the others are');

    my %members = map { ($_->{id} => $_->{members}) } @{$r->json->{groups}};
    ok(!$members{$gone}, 'and that one is not');
    is_deeply([map { [map { $_->{id} } @{$members{$_} // []}] } @stay],
        [[101], [101]], 'with their members');
};

subtest 'what was changed is what is told' => sub {
    for my $upstream (sort keys %emulator) {
        my ($user) = $upstream eq 'vinyldns'
            ? grep { $_ ne $OK && /^[0-9a-f]{8}-/ }
                map { $_->{id} } @{$emulator{vinyldns}->seed->{users}}
            : $upstream eq 'signalwire'
            ? '3fa85f64-5717-4562-b3fc-2c963f66afa6'
            : $upstream eq 'portsip' ? 101 : 1;
        my $first = $upstream =~ /vinyldns|signalwire/ ? $OK : $user + 1;

        for my $client ('scim', 'shown') {
            my @type = (headers => ['Content-Type' => 'application/scim+json']);
            my $r = call($client, $upstream, @type,
                method => 'POST', uri => '/scim/v2/Groups', body =>
                    '{"schemas":[],"displayName":"old-' . $client
                    . qq(","members":[{"value":"$first"}]}));
            is($r->status, 201, "$client, $upstream: made")
                or diag($r->raw);
            my $uri = '/scim/v2/Groups/' . path_segment($r->json->{id});
            my %change = (@type, method => 'PATCH',
                uri => $uri, body => '{"schemas":["urn:ietf:params:scim:api:'
                    . 'messages:2.0:PatchOp"],"Operations":['
                    . qq({"op":"replace","value":)
                    . qq({"displayName":"new-$client"}},)
                    . qq({"op":"add","path":"members","value":)
                    . qq([{"value":"$user"}]}]}));

            $emulator{$upstream}->clear;
            $t->mark;
            $r = call($client, $upstream, %change);
            is($r->status, $client eq 'scim' ? 204 : 200, 'changed')
                or diag($r->raw);
            my @ids = sort $first, $user;
            $t->like_log(qr/new-$client: $ids[0] $ids[1]/,
                'a hook sees what is there now');
            note(join "\n", calls($upstream));
            next if $client eq 'scim';

            is($r->json->{displayName}, 'new-shown', 'the client, too');
            is_deeply([sort map { $_->{value} } @{$r->json->{members}}],
                \@ids, 'and who is a member');

            # a replacement that does not speak of members
            if ($upstream =~ /signalwire|portsip/) {
                $r = call($client, $upstream, @type, method => 'PUT',
                    uri => $uri, body => '{"displayName":"put-shown"}');
                is($r->json->{displayName}, 'put-shown', 'renamed');
                is_deeply([sort map { $_->{value} } @{$r->json->{members}}],
                    \@ids, 'and its members are read');
            }

            # a change of the name alone, whoever the members are
            $change{body} =~ s/,\{"op":"add".*?\]\}\]\}/]}/;
            $change{body} =~ s/new-shown/newer/;
            $r = call($client, $upstream, %change);
            is($r->json->{displayName}, 'newer', 'another name');
            is_deeply([sort map { $_->{value} } @{$r->json->{members}}],
                \@ids, 'and the same members');
        }
    }
};

subtest 'the members of some groups at a time' => sub {
    $slow_lists->clear;
    my $r = call('scim', 'slow', uri => '/scim/v2/Groups?count=9');
    is($r->status, 200, 'listed') or diag($r->raw);
    is_deeply([map { my $g = $_; [$g->{displayName},
        map { $_->{value} =~ s/.*0//r } @{$g->{members}}] }
        @{$r->json->{Resources}}],
        [map { $_ == 4 ? () : ["g$_", $_, $_ == 2 ? 9 : ()] } 1 .. 7],
        'each has its own, of all pages, and who is gone is not there');

    my @lists = grep { $_->{uri} =~ /memberships/ } $slow_lists->requests;
    is(scalar @lists, 8, 'one call for each, and another page');

    # a call is under way until its answer is sent
    my @flight = map {
        my $from = $_->{time};
        scalar(grep { $_->{time} >= $from
            && $_->{time} < $from + $LATE } @lists);
    } @lists;
    is((sort { $b <=> $a } @flight)[0], 3, 'three of them at a time');

    # what cannot be read is not begun
    $slow_lists->clear;
    $r = call('scim', 'slow.few', uri => '/scim/v2/Groups?count=9');
    is($r->status, 501, 'more calls than allowed');
    is(scalar(my @calls = $slow_lists->requests), 1, 'are not begun');
};

subtest 'an answer that has to be read' => sub {
    my $r = call('signalwire', 'portsip', method => 'POST',
        uri => collection('signalwire'), json => {name => 'read'});
    is($r->status, 200, 'a group');
    my $id = $r->json->{id};

    $r = call('signalwire', 'portsip', method => 'PUT',
        uri => item('signalwire', $id), json => {name => 'reread'});
    is($r->status, 200, 'replaced');
    is_deeply($r->json, {id => $id, name => 'reread',
        sticky_sender => JSON::PP::false(), phone_number_count => 0},
        'all of it');
};

done_testing;
