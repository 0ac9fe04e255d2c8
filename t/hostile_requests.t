#!/usr/bin/env perl

# Texts that want to be more than texts, in every place where one may stand:
# ids, bodies, queries, what hooks set, what upstreams answer. None of them
# becomes a part of a request line or of a header. Also requests that are too
# much of something. The shapes of single requests are in requests.t.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Samples qw(error_text vendor_of);
use Test::Gateway::Strict qw(strict_json strict_request);
use Test::Gateway::Vendors qw(path_segment);

# many requests, none of them about the configuration
local $ENV{TEST_GROUP_RELOAD} = 0;

my $t = Test::Gateway->new(variables => [qw(operation outcome error)]);

my @CLIENTS   = qw(signalwire vinyldns faxfinder portsip scim);
my @UPSTREAMS = qw(signalwire vinyldns faxfinder portsip);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $WHEN = '2024-01-02T03:04:05Z';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

my @NASTY = (
    "a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "\r\n\r\nX-Evil: 1",
    "a HTTP/1.1\r\nHost: evil\r\n\r\nGET /evil", "a HTTP/1.1\nX-Evil: 1\n\n",
    "a\0b", "a\tb", "a\x{b}b", "\e[31m", "\x7f", ' ', ' a ',
    '.', '..', '../../evil', 'a/../../evil', './a', 'a/.', '/', '//evil/x',
    'a\..\evil', '..\evil', 'http://evil.test/x', '@evil.test', ':80/evil',
    'a?evil=1', 'a?evil=1&b=2#c', '#evil', '&evil=1', 'a=b', 'a;evil=1',
    'a%0d%0aX-Evil:%201', '%0d%0aX-Evil: 1', 'a%00b', '%2e%2e%2fevil', '%',
    '%zz', '%25', '%u000dX', '~', '~~a', 'a+b', 'a,b', '"\'<>&', '$evil',
    '${evil}', '*', "\x{e9}\x{20ac}\x{1f600}", "a\x{85}b\x{2028}c",
    "\x{560d}\x{560a}X-Evil: 1", "\x{feff}a", "\x{202e}a", 'null', 'o1',
    '6e677267-0200-8009-80b8-dc4010c00000', 'x' x 300,
);

my %BASE = (
    signalwire => '/api/relay/rest',
    vinyldns   => '',
    faxfinder  => '/ffws/v1',
    portsip    => '/api',
    scim       => '/scim/v2',
);

my %NOUN = (
    signalwire => 'number_groups',
    vinyldns   => 'groups',
    faxfinder  => 'contact_groups/alice',
    portsip    => 'groups',
    scim       => 'Groups',
);

# every path that a vendor's API has; what is not encoded ends a segment
my $segment = qr/(?:[A-Za-z0-9._~-]++|%[0-9A-F]{2})+/;
my %PATHS = (
    signalwire => qr{number_groups(?:/$segment(?:/number_group_memberships)?)?
        |number_group_memberships/$segment}x,
    vinyldns  => qr{groups(?:/$segment(?:/members)?)?},
    faxfinder => qr{contact_groups/$segment(?:/$segment)?},
    portsip   => qr{groups(?:/$segment(?:/destroy|/members
        (?:/$segment(?:/destroy)?)?)?)?}x,
);


## the upstreams

# What the client's headers ask for: a text in one place of the answer.
sub asked {
    my ($request) = @_;
    my $text = pack 'H*', $request->{header}{'x-text'} // '';
    utf8::decode($text);
    return ($request->{header}{'x-where'} // '', $text);
}

sub answer_of {
    my ($vendor, $request, $where, $text) = @_;

    my ($method, $uri) = @$request{qw(method uri)};
    my $list    = $uri =~ m{^\Q$BASE{$vendor}/$NOUN{$vendor}\E(?:\?|\z)};
    my $members = $uri =~ m{(?:members|memberships)(?:\?|\z)};
    my $next    = $where eq 'next' && $uri !~ /page_token=|startFrom=/;

    my $id   = $where eq 'id' ? $text : $vendor eq 'portsip' ? $ID : $UUID;
    my $name = $where eq 'name' ? $text : 'sales';
    my $who  = $where eq 'member' ? $text : '17';

    if ($vendor eq 'signalwire') {
        return {links => {self => '/a', first => '/a', $next
                    ? (next => "http://a/x?page_token=$text") : ()},
            data => [{id => $id, number_group_id => $UUID,
                    phone_number => {id => $who, name => $text},
                    created_at => $WHEN, updated_at => $WHEN}]}
            if $members && $method eq 'GET';
        return {id => $id, number_group_id => $UUID, phone_number =>
                {id => $who}, created_at => $WHEN, updated_at => $WHEN}
            if $uri =~ /memberships/;

        my $group = {id => $id, name => $name, sticky_sender => \0,
            phone_number_count => 1};
        return $list && $method eq 'GET'
            ? {links => {self => '/a', first => '/a', $next
                    ? (next => "http://a/x?page_token=$text") : ()},
                data => [$group]}
            : $group;
    }

    if ($vendor eq 'vinyldns') {
        return {members => [{id => $who, userName => $text}],
            $next ? (nextId => $text) : (), maxItems => 100} if $members;

        my $group = {id => $id, name => $name, email => 'a@test.com',
            created => $where eq 'when' ? $text : $WHEN, status =>
                $where eq 'status' ? $text : 'Active',
            members => [{id => $who}], admins => [{id => $who}]};
        return $list && $method eq 'GET'
            ? {groups => [$group], $next ? (nextId => $text) : (),
                maxItems => 100, ignoreAccess => \0}
            : $group;
    }

    return $members ? {items => [{id => $id, extension_number => $who,
                name => $text}]}
        : $uri =~ m{/members/} ? {id => $id, extension_number => $who}
        : $list && $method eq 'GET'
        ? {count => 1, items => [{id => $id, name => $name}]}
        : {id => $id, name => $name};
}

# XML cannot say all of it
sub faxfinder_answer {
    my ($request, $where, $text) = @_;

    $text =~ s/[^\t\n\r\x20-\x{fffd}\x{10000}-\x{10ffff}]//g;
    $text =~ s/([&<>\r])/sprintf '&#%d;', ord $1/ge;
    utf8::encode($text);

    my $id     = $where eq 'id' ? $text : 4;
    my $name   = $where eq 'name' ? $text : 'sales';
    my $member = $where eq 'member' ? $text : 17;
    my $owner  = $where eq 'owner' ? $text : 'alice';
    my $host   = $where eq 'origin' ? $text : 'http://a';

    return '<response><message>Success</message><contact_group>'
        . "<contact_group_url>$host/ffws/v1/contact_groups/$owner/$id"
        . "</contact_group_url><name>$name</name>"
        . "<contact>$host/ffws/v1/contacts/$owner/$member</contact>"
        . '</contact_group></response>';
}

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $uri = $request->{uri};
    my ($where, $text) = asked($request);

    my $vendor = vendor_of($uri);
    my $xml = $vendor eq 'faxfinder';

    my $bytes = $text;
    utf8::encode($bytes);

    # the header may end where it should not
    my %broken = (
        header => {status => 503, headers => ['Retry-After' => $bytes,
            'X-Request-Id' => $bytes, traceparent => $bytes,
            'Content-Type' => 'text/plain'], body => 'x', close => 1},
        type => {status => 200, headers => ['Content-Type' => $bytes],
            body => '{}', close => 1},
        redirect => {status => 302, headers => [Location => $bytes,
            'X-Accel-Redirect' => $bytes], close => 1},
    );
    return $broken{$where} if $broken{$where};

    return [$where =~ s/\D+//r, ['Content-Type' => 'application/'
            . ($xml ? 'xml' : 'json')], $xml
        ? '<response><message>' . ($text =~ s/[^ -%'-;=?-~]/?/gr)
            . '</message></response>'
        : json_encode($vendor eq 'vinyldns' ? $text : {error => $text,
                errors => [{detail => $text, message => $text,
                        code => 'UNKNOWN', title => $text}]})]
        if $where =~ /^error/;

    return [200, ['Content-Type' => 'application/xml'],
        faxfinder_answer($request, $where, $text)] if $xml;
    return [204, []]
        if $request->{method} eq 'DELETE' && $vendor ne 'vinyldns';
    return [200, ['X-Request-Id' => 'r1'],
        answer_of($vendor, $request, $where, $text)];
});


# for what is too much to be kept as the above is
my %bulk = map {
    my $type   = $_ eq 'faxfinder' ? 'xml' : 'json';
    my $answer = $_ eq 'faxfinder' ? faxfinder_answer({}, '', '')
        : json_encode(answer_of($_, {method => 'POST', uri => ''}, '', ''));
    $_ => $t->raw_upstream(['request', [send => "HTTP/1.1 200 OK\r\n"
                . "Content-Type: application/$type\r\n"
                . "Connection: close\r\n\r\n$answer"]]);
} qw(vinyldns faxfinder);


## the configuration

# sets what the client's headers say; a value is in hexadecimal digits, since
# a header cannot carry what is tried here
$t->write_file('set.lua', <<'END');
local function set(ctx)
    local text = (ctx:var("http_x_text") or ""):gsub("%x%x", function(digits)
        return string.char(tonumber(digits, 16))
    end)
    local where = ctx:var("http_x_hook") or ""
    local group, member, query = ctx.group, ctx.member, ctx.query

    if where == "deny" then return ctx:deny("invalid", text) end
    if where == "field" then return ctx:deny("invalid", "no", text) end
    if where == "log" then ctx:log("error", text) end
    if where == "error" then error(text) end
    if where == "object" then error({text}) end

    if group then
        if where == "key" then group[text] = text end
        if where == "members" then
            group.members = {{id = text, ref = text, name = text}}
        elseif where == "nested" then
            group.members = {{id = "17", [text] = text}}
        elseif group[where] ~= nil or where == "owner" or where == "id" then
            group[where] = text
        end
    end
    if member and where:find("^member%.") then
        member[where:sub(8)] = text
    end
    if query then
        if where == "query" then
            for key in pairs(query) do query[key] = text end
            query.cursor, query.name_contains = text, text
        elseif where == "query_key" then
            query[text] = text
        end
    end
end
return { request = set, response = set }
END

# a vendor that puts all that it knows in its headers
$t->write_file('dialects/telling.lua', <<'END');
local team = {
    field "id" { type = "id" },
    field "name" { required = true, max = 40 },
    field "kind" { from = "status", values = { a = "active" } },
    field "people" { from = "members", type = "array",
                     items = field "" { from = "id", type = "member_id" } },
}
return dialect "telling" {
    media_type = "application/json",
    base_path = "/telling",
    operations = {
        ["group.create"] = { "POST", "/teams", request = team,
                             response = team, status = 201,
                             location = "{origin}{base}/teams/{id}" },
        ["group.get"] = { "GET", "/teams/{id}", response = team },
        ["group.list"] = {
            "GET", "/teams",
            query = { field "size" { from = "limit", type = "integer" } },
            response = { field "teams" { from = "items", type = "array",
                                         items = team } },
        },
    },
    texts = { "why" },
    errors = {
        ["*"] = {
            body = { why = "$details" },
            headers = {
                ["X-Detail"] = "$detail", ["X-Details"] = "$details",
                ["X-Field"] = "$field", ["X-Value"] = "$value",
                ["X-Subject"] = "$subject", ["X-Method"] = "$method",
                ["X-Path"] = "$path", ["X-Type"] = "$content_type",
                ["X-Code"] = "$code", ["X-Allow"] = "$allow",
            },
        },
    },
}
END

my $locations = '';

sub at {
    my ($path, $client, $upstream, @more) = @_;

    my $address = (($path =~ /^\/many/ ? $bulk{$upstream} : undef) // $u)
        ->address;
    my $more = join "\n", map { "$_;" } @more;
    my $members = $upstream eq 'vinyldns'
        ? 'group_default members 17; group_default admins 17;' : '';

    $locations .= <<"END";
location $path/ {
    group_dialect $client;
    group_upstream_dialect $upstream;
    group_base_path $path$BASE{$client};
    group_default owner alice;
    group_default email a\@test.com;
    $members
    $more
    proxy_pass http://$address;
}
END

    return;
}

$BASE{telling} = '/telling';
$NOUN{telling} = 'teams';

for my $client (@CLIENTS, 'telling') {
    for my $upstream (@UPSTREAMS) {
        at("/$client-$upstream", $client, $upstream);
        at("/hook-$client-$upstream", $client, $upstream,
            'group_policy set.lua', 'group_policy_timeout 5s');
        at("/many-$client-$upstream", $client, $upstream,
            'group_max_members 200000', 'group_plan_max_calls 10');
    }
}

my $clients = $t->credentials('clients.json',
    {type => 'basic', id => 'a', secret => 'b', scopes => ['numbers']},
    {type => 'bearer', token => 'tok', principal => 'me',
        scopes => ['groups:read', 'groups:write']},
    {type => 'sigv4', access_key => 'AK', secret_key => 'SK',
        scopes => ['groups:read', 'groups:write']});
at("/signed-$_", $_, $_ eq 'scim' ? 'vinyldns' : $_,
    "group_credentials $clients") for @CLIENTS;

$t->nginx(
    http => <<'END',
group_dialect_path dialects %%ROOT%%/lua/dialects;
proxy_http_version 1.1;
proxy_set_header Connection "";
client_max_body_size 32m;
large_client_header_buffers 4 1100k;
keepalive_requests 1000000;
END
    server => $locations,
);


## the questions

my $connection;

# A request, and what went upstream for it.
sub ask {
    my ($method, $uri, %option) = @_;

    $connection = undef if $connection && $connection->{eof};
    $connection //= $t->client if !$t->http2;

    $u->clear;
    my $r = $t->request(method => $method, uri => $uri, %option,
        $connection ? (client => $connection) : ());
    $connection = undef
        if $r->error || ($r->header('Connection') // '') eq 'close';

    return ($r, $u->requests);
}

my %OWN = map { lc $_ => 1 } qw(Server Date Content-Type Content-Length
    Connection Keep-Alive Location Group-Lost Allow WWW-Authenticate
    Retry-After X-Request-Id traceparent X-Detail X-Details X-Field X-Value
    X-Subject X-Method X-Path X-Type X-Code X-Allow);

# The answer is one, in the client's dialect, and has no header but ours; what
# went upstream is what the vendor's API has.
sub sound {
    my ($name, $client, $upstream, $r, @sent) = @_;

    my $wrong
        = $r->error ? "no answer: " . $r->error
        : $r->status !~ /^[2-5]\d\d$/ ? 'status'
        : $r->status =~ /^[45]/ && !in_dialect($client, $r)
        ? 'not in the dialect: ' . $r->status
        : undef;

    for my $header (@{$r->headers}) {
        my ($key, $value) = @$header;
        $wrong //= "header $key" if !$OWN{lc $key};
        $wrong //= "header $key: $value" if $value =~ /[\x00-\x1f\x7f]/;
    }

    # a hook may give its own fields any name
    $wrong //= 'Group-Lost' if $name !~ /^(?:key|nested) /
        && ($r->header('Group-Lost') // 'a') !~ /^[a-z_.]+(?:, [a-z_.]+)*$/;

    for my $sent (@sent) {
        my $call = eval { strict_request($sent->{raw}) };
        $wrong //= $@ if !$call;
        $wrong //= 'a path: ' . $sent->{uri} if $sent->{uri}
            !~ m{^$BASE{$upstream}/(?:$PATHS{$upstream})(?:\?|\z)};
        $wrong //= 'Host' if $call && $call->{headers}{host} ne $u->address;
        for my $key ($call ? keys %{$call->{headers}} : ()) {
            $wrong //= "header $key" if $key !~ /^(?:host|accept|content-type
                |content-length|x-text|x-where|x-hook|user-agent)$/x;
        }
        for my $key ($call ? keys %{$call->{query}} : ()) {
            $wrong //= "query $key" if $key eq 'evil';
        }
    }

    return if !defined $wrong;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    fail("$client to $upstream: $name: $wrong");
    diag($r->raw, $r->body, "\n", map { $_->{raw} . "\n" } @sent);
    return 1;
}

sub in_dialect {
    my ($client, $r) = @_;

    return defined error_text($client, $r)
        if $client !~ /^(?:scim|telling)$/;
    my $json = $r->json;
    return ref $json eq 'HASH'
        && ($client eq 'telling' ? exists $json->{why}
        : $json->{status} eq $r->status && length $json->{detail});
}

sub shown { return $_[0] =~ s/([^ -~])/sprintf '<%x>', ord $1/ger }

sub hex_of {
    my ($text) = @_;
    utf8::encode($text);
    return unpack 'H*', $text;
}

sub type_of { return $_[0] eq 'faxfinder' ? 'xml' : 'json' }

# a group in the client's words
sub body_of {
    my ($client, %group) = @_;

    my ($name, $description, $member)
        = @group{qw(name description member)};

    if ($client eq 'faxfinder') {
        my $xml = "<contact_group><name>$name</name>"
            . (defined $description
            ? "<description>$description</description>" : '')
            . (defined $member ? "<contact>$member</contact>" : '')
            . '</contact_group>';
        utf8::encode($xml);
        return $xml;
    }

    my @people = defined $member ? {id => $member} : ();
    return json_encode({
        $client eq 'scim' ? 'displayName' : 'name' => $name,
        $client =~ /^(?:vinyldns|portsip)$/ && defined $description
        ? (description => $description) : (),
        $client eq 'vinyldns' ? (email => $group{email} // 'a@test.com',
            members => \@people, admins => []) : (),
        $client eq 'scim' && defined $member
        ? (members => [{value => $member, display => $name}],
            externalId => $name) : (),
        $client eq 'telling' && defined $member ? (people => [$member]) : (),
    });
}

# All meet all, though not each on each occasion.
my %turn;

sub some {
    my ($n, @list) = @_;
    my $from = $turn{"@list"} // 0;
    $turn{"@list"} += $n;
    return map { $list[($from + $_) % @list] } 0 .. $n - 1;
}

sub some_upstream { return (some(1, @UPSTREAMS))[0] }


subtest 'in the path' => sub {
    my %more = (
        signalwire => [
            [GET => '/number_groups/{}/number_group_memberships'],
            [GET => '/number_group_memberships/{}'],
            [DELETE => '/number_group_memberships/{}']],
        vinyldns => [[GET => '/groups/{}/members'], [GET => '/groups/{}']],
        faxfinder => [[GET => '/contact_groups/{}'],
            [GET => '/contact_groups/{}/4'],
            [DELETE => '/contact_groups/{}/{}']],
        portsip => [[GET => '/groups/{}/members'],
            [POST => '/groups/{}/destroy'], [POST => '/groups/NA==/members/{}'],
            [POST => '/groups/{}/members/{}/destroy']],
        scim => [[DELETE => '/Groups/{}']],
        telling => [],
    );

    my $bad = 0;

    for my $text (@NASTY) {
        my $encoded = path_segment($text);

        for my $client (some(2, @CLIENTS, 'telling')) {
            for (@{$more{$client}}, [GET => "/$NOUN{$client}/{}"],
                [DELETE => "/$NOUN{$client}/{}"])
            {
                my ($method, $path) = @$_;
                my $upstream = some_upstream();
                my $uri = "/$client-$upstream$BASE{$client}"
                    . $path =~ s/\{\}/$encoded/gr;
                my ($r, @sent) = ask($method, $uri);

                # what leaves the location nginx answers itself
                next if !@sent && $r->status =~ /^40[045]$/
                    && $text =~ m{\0|\.\.};
                $bad += sound("$method $uri", $client, $upstream, $r,
                    @sent) // 0;
            }
        }
    }

    is($bad, 0, 'all are sound');
};

subtest 'in the body' => sub {
    my $bad = 0;

    for my $text (@NASTY) {
        for my $client (some(2, @CLIENTS, 'telling')) {
            my $value = $client eq 'faxfinder'
                ? $text =~ s/([&<>\r])/sprintf '&#%d;', ord $1/ger : $text;

            for my $body (
                body_of($client, name => $value, description => $value),
                body_of($client, name => 'a', member => $value),
                body_of($client, name => 'a', member =>
                    "http://localhostBASE/contacts/$value/1"),
                body_of($client, name => 'a', email => $value),
            ) {
                my $upstream = some_upstream();
                my ($method, $item) = (['POST', ''],
                    [$client eq 'portsip' ? 'POST' : 'PUT', '/4'])
                    [$client eq 'telling' ? 0 : (some(1, 0, 1))[0]]->@*;

                my $base = "/$client-$upstream$BASE{$client}";
                my ($r, @sent) = ask($method, "$base/$NOUN{$client}$item",
                    body => $body =~ s/BASE/$base/r,
                    headers => ['Content-Type' =>
                        'application/' . type_of($client)]);
                $bad += sound(shown($text), $client, $upstream, $r, @sent)
                    // 0;
            }
        }
    }

    is($bad, 0, 'groups: all are sound');

    # a membership, by the id in the body, and a patch
    $bad = 0;
    for my $text (@NASTY) {
        my $upstream = some_upstream();
        my ($r, @sent) = ask('POST', "/signalwire-$upstream"
                . "$BASE{signalwire}/number_groups/$UUID/"
                . 'number_group_memberships',
            body => json_encode({phone_number_id => $text}),
            headers => ['Content-Type' => 'application/json']);
        $bad += sound(shown($text), 'signalwire', $upstream, $r, @sent) // 0;

        for my $operation (
            {op => 'add', path => 'members', value => [{value => $text}]},
            {op => 'remove', path => 'members[value eq '
                    . JSON::PP->new->allow_nonref->encode($text) . ']'},
            {op => 'replace', path => $text, value => $text},
            {op => $text, path => 'displayName', value => $text},
            {op => 'replace', value => {$text => $text}},
        ) {
            $upstream = some_upstream();
            ($r, @sent) = ask('PATCH', "/scim-$upstream$BASE{scim}"
                    . "/Groups/$UUID",
                body => json_encode({Operations => [$operation]}),
                headers => ['Content-Type' => 'application/json']);
            $bad += sound(shown($text), 'scim', $upstream, $r, @sent) // 0;
        }
    }

    is($bad, 0, 'members and patches: all are sound');
};

subtest 'in the query' => sub {
    my %query = (
        signalwire => [qw(filter_name page_size page_number page_token)],
        vinyldns => [qw(groupNameFilter startFrom maxItems ignoreAccess
            abridged)],
        faxfinder => [qw(name description limit offset order)],
        portsip   => [qw(filter search orderby skip top)],
        scim      => [qw(filter startIndex count sortBy sortOrder attributes
            excludedAttributes)],
    );

    my $bad = 0;

    for my $text (@NASTY) {
        my $encoded = path_segment($text);

        for my $client (some(2, @CLIENTS)) {
            for my $name (@{$query{$client}}, $encoded) {
                my $upstream = some_upstream();
                my ($r, @sent) = ask('GET', "/$client-$upstream"
                        . "$BASE{$client}/$NOUN{$client}?$name=$encoded");
                $bad += sound("$name=" . shown($text), $client, $upstream,
                    $r, @sent) // 0;
            }
        }

        # in the middle of an expression
        my $json = JSON::PP->new->allow_nonref->encode($text);
        for my $case (
            ['scim', "displayName eq $json"],
            ['scim', "members.value eq $json"],
            ['scim', "displayName eq \"a\" and $text eq \"b\""],
            ['portsip', "name eq '" . ($text =~ s/'/''/gr) . "'"],
            ['portsip', "contains(name,'a') or $text eq 'b'"],
        ) {
            my ($client, $filter) = @$case;
            my $upstream = some_upstream();
            my ($r, @sent) = ask('GET', "/$client-$upstream$BASE{$client}/"
                    . "$NOUN{$client}?filter=" . path_segment($filter));
            $bad += sound(shown($filter), $client, $upstream, $r, @sent) // 0;
        }
    }

    is($bad, 0, 'all are sound');
};

subtest 'by a hook' => sub {
    my $bad = 0;

    for my $text (@NASTY) {
        for my $where (qw(deny field log error object key members nested id
            name owner description email query query_key))
        {
            my ($client) = some(1, @CLIENTS, 'telling');
            my $upstream = some_upstream();
            my @headers = ('X-Text' => hex_of($text), 'X-Hook' => $where);
            my $path = "/hook-$client-$upstream$BASE{$client}"
                . "/$NOUN{$client}";

            my ($r, @sent) = $where =~ /^query/
                ? ask('GET', $path, headers => \@headers)
                : $where eq 'id'
                ? ask('GET', "$path/4", headers => \@headers)
                : ask('POST', $path, headers => [@headers,
                    'Content-Type' => 'application/' . type_of($client)],
                body => body_of($client, name => 'a'));
            $bad += sound("$where " . shown($text), $client, $upstream, $r,
                @sent) // 0;
        }

        for my $where (qw(member.id member.name member.ref)) {
            my $upstream = some_upstream();
            my ($r, @sent) = ask('POST', "/hook-portsip-$upstream"
                    . "$BASE{portsip}/groups/$ID/members/17",
                headers => ['X-Text' => hex_of($text), 'X-Hook' => $where]);
            $bad += sound("$where " . shown($text), 'portsip', $upstream, $r,
                @sent) // 0;
        }
    }

    is($bad, 0, 'all are sound');
};

subtest 'in an answer' => sub {
    my $bad = 0;

    for my $text (@NASTY) {
        for my $where (qw(id name member owner origin next when status header
            type redirect error400 error404 error409 error422))
        {
            # nginx writes to its log what it was to be redirected to
            next if $where eq 'redirect' && $text =~ /%0/;

            for my $client (some(1, @CLIENTS, 'telling')) {
                my $upstream = some_upstream();
                my $item = $client eq 'faxfinder' ? 4
                    : $client eq 'portsip'        ? $ID
                    :                               $UUID;
                my ($how) = some(1, [POST => ''], [GET => ''],
                    [GET => "/$item"], [PATCH => "/$item"]);
                $how = [POST => ''] if $how->[0] eq 'PATCH'
                    && $client ne 'scim';
                my ($method, $more) = @$how;

                my @headers = ('X-Text' => hex_of($text),
                    'X-Where' => $where);
                my $body = $method eq 'PATCH'
                    ? json_encode({Operations => [{op => 'remove',
                                path => 'members'}]})
                    : body_of($client, name => 'a');

                my ($r, @sent) = ask($method, "/$client-$upstream"
                        . "$BASE{$client}/$NOUN{$client}$more",
                    $method eq 'GET' ? (headers => \@headers)
                    : (body => $body, headers => [@headers, 'Content-Type' =>
                            'application/' . type_of($client)]));
                $bad += sound("$where $method " . shown($text), $client,
                    $upstream, $r, @sent) // 0;
            }
        }
    }

    is($bad, 0, 'all are sound');
};

my %SECRET = (
    signalwire => 'Basic YTpi', faxfinder => 'Basic YTpi',
    portsip => 'Bearer tok', scim => 'Bearer tok',
);

subtest 'two that sign in' => sub {
    for my $client (sort keys %SECRET) {
        my $upstream = $client eq 'scim' ? 'vinyldns' : $client;
        my $uri = "/signed-$client$BASE{$client}/$NOUN{$client}";
        my $right = $SECRET{$client};

        my ($r, @sent) = ask('GET', $uri, headers =>
            [Authorization => $right]);
        is($r->status, 200, "$client: one") or diag($r->raw);

        for my $other ($right, 'Basic eDp5', 'Bearer other', '', 'Basic') {
            for my $two ([$right, $other], [$other, $right]) {
                ($r, @sent) = ask('GET', $uri, headers =>
                    [map { (Authorization => $_) } @$two]);
                my $name = "$client: \"$two->[0]\", \"$two->[1]\"";
                # nginx may see it first
                like($r->status, qr/^40[01]$/, $name);
                is(scalar(@sent), 0, "$name: nothing is sent");
                ok(in_dialect($client, $r), "$name: in the dialect")
                    if $r->status == 401;
            }
        }

        for my $one ("$right, $right", "$right,Basic eDp5", " $right x",
            $right =~ s/ /\t/r, $right =~ s/ /,/r, "\"$right\"",
            $right . "\x{b}")
        {
            ($r, @sent) = ask('GET', $uri, headers =>
                [Authorization => $one]);
            is($r->status, 401, "$client: $one")
                if $r->status != 400 || $r->header('Content-Type')
                ne 'text/html';
            is(scalar(@sent), 0, 'nothing is sent');
        }
    }
};

subtest 'a method that is another' => sub {
    for my $client (@CLIENTS) {
        for my $method (qw(POST GET)) {
            my $upstream = $client eq 'scim' ? 'vinyldns' : $client;
            my $uri = "/$client-$upstream$BASE{$client}/$NOUN{$client}";
            my $bad = 0;

            for my $header ('X-HTTP-Method-Override', 'X-HTTP-Method',
                'X-Method-Override', 'X_HTTP_METHOD_OVERRIDE', 'X-Method',
                'Method', '_method', undef)
            {
                for my $other ('DELETE', 'PUT', 'PATCH', 'delete', 'GET',
                    "DELETE\tGET", 'POST')
                {
                    my @option = $method eq 'GET' ? ()
                        : (body => body_of($client, name => 'a'));
                    my ($r, @sent) = ask($method,
                        $uri . (defined $header ? '' : '?_method='
                            . path_segment($other) . '&X-HTTP-Method='
                            . path_segment($other)),
                        @option, headers => [
                            'Content-Type' => 'application/'
                                . type_of($client),
                            defined $header ? ($header => $other) : ()]);
                    $bad++ if $r->status !~ /^20/ || @sent != 1
                        || $sent[0]{method} ne $method;
                    $bad++ if @sent
                        && $sent[0]{raw_head} =~ /^\S*override\S*:/mi;
                    $bad++ if @sent && defined $header
                        && $header =~ /^X-HTTP/
                        && $sent[0]{raw_head} =~ /^\Q$header\E:/mi;
                }
            }

            is($bad, 0, "$client: $method is $method");
        }
    }
};

subtest 'two media types' => sub {
    for my $client (@CLIENTS) {
        my $upstream = $client eq 'scim' ? 'vinyldns' : $client;
        my $right = 'application/' . type_of($client);
        my $other = $client eq 'faxfinder' ? 'application/json' : 'text/xml';

        for my $types ([$right, $other], [$other, $right],
            [$right, 'text/plain'], ['text/plain', $right],
            ["$right, $other"], ["$other, $right"], ["$right; $other"],
            ["$right;charset=utf-16"], [''], ['', $right])
        {
            my ($r, @sent) = ask('POST', "/$client-$upstream$BASE{$client}"
                    . "/$NOUN{$client}",
                body => body_of($client, name => 'a'),
                headers => [map { ('Content-Type' => $_) } @$types]);
            my $name = "$client: " . join ' | ', @$types;

            ok(!sound($name, $client, $upstream, $r, @sent), $name);
            is(scalar(@sent), $r->status =~ /^2/ ? 1 : 0,
                "$name: " . $r->status);
            next if !@sent;
            is(scalar($sent[0]->header_all('Content-Type')), 1,
                'one goes upstream');
        }
    }
};

subtest 'chunks that play tricks' => sub {
    my $body = '{"name":"n"}';
    my $size = sprintf '%x', length $body;
    my $evil = '{"name":"evil"}';

    for my $chunks (
        "$size\r\n$body\r\n0\r\n\r\n", "00$size\r\n$body\r\n0\r\n\r\n",
        uc($size) . "\r\n$body\r\n0\r\n\r\n", "$size\n$body\n0\n\n",
        "0x$size\r\n$body\r\n0\r\n\r\n", "+$size\r\n$body\r\n0\r\n\r\n",
        " $size\r\n$body\r\n0\r\n\r\n", "$size \r\n$body\r\n0\r\n\r\n",
        "$size\t\r\n$body\r\n0\r\n\r\n", "$size;\r\n$body\r\n0\r\n\r\n",
        "$size;a=\"b\"\r\n$body\r\n0;c\r\n\r\n",
        "$size;a=\"\r\n$body\r\n0\r\n\r\n", "$size;\n$body\r\n0\r\n\r\n",
        "$size\r$body\r\n0\r\n\r\n", "$size\0\r\n$body\r\n0\r\n\r\n",
        "$size\r\n${body}0\r\n\r\n", "$size\r\n$body\r\n0\r\n",
        "$size\r\n$body\r\n0\r\n\r\n\r\n", "$size\r\n$body\r\n00\r\n\r\n",
        "$size\r\n$body\r\n0\r\nContent-Length: 3\r\n\r\n",
        "$size\r\n$body\r\n0\r\nContent-Type: text/plain\r\n"
            . "Transfer-Encoding: x\r\nHost: evil\r\n\r\n",
        "$size\r\n$body\r\n0\r\nX-A: b\r\n c\r\n\r\n",
        "10000000000000000$size\r\n$body\r\n0\r\n\r\n",
        "100000000$size\r\n$body\r\n0\r\n\r\n",
        "fffffffffffffff4\r\n$body\r\n0\r\n\r\n",
        "-$size\r\n$body\r\n0\r\n\r\n", "\r\n$size\r\n$body\r\n0\r\n\r\n",
        "1\r\n{\r\n" . sprintf("%x\r\n%s\r\n0\r\n\r\n", length($body) - 1,
            substr $body, 1),
        "0\r\n\r\n$body",
    ) {
        for my $version ('1.1', '1.0') {
            for my $more ('', "Content-Length: " . length($chunks) . "\r\n",
                "Content-Length: 3\r\n")
            {
                $u->clear;
                my $r = $t->raw("POST /portsip-portsip/api/groups HTTP/"
                        . "$version\r\nHost: a\r\nContent-Type: "
                        . "application/json\r\nTransfer-Encoding: chunked\r\n"
                        . "${more}Connection: close\r\n\r\n$chunks"
                        . "POST /portsip-portsip/api/groups HTTP/1.1\r\n"
                        . "Host: a\r\nContent-Length: 15\r\n\r\n$evil",
                    timeout => 0.3);
                my @sent = $u->requests;
                my @wrong = grep {
                    my $call = eval { strict_request($_->{raw}) };
                    !$call || $call->{body} ne $body;
                } @sent;
                ok(!@wrong && @sent <= 1 && (!@sent || $r->status == 201)
                        && ($r->status || $r->error),
                    shown("HTTP/$version $more$chunks"))
                    or diag($r->raw, map { $_->{raw} } @sent);
            }
        }
    }
};

subtest 'a megabyte' => sub {
    my $start = time;

    for my $client (@CLIENTS) {
        for my $char ('x', "\xc3\xa9", ' ', '\u0041', '&#65;') {
            my $text = $char x (1_000_000 / length $char);
            my ($upstream) = some(1, qw(vinyldns faxfinder));
            my ($r, @sent) = ask('POST', "/many-$client-$upstream"
                    . "$BASE{$client}/$NOUN{$client}",
                body => body_of($client, name => 'NAME') =~ s/NAME/$text/r,
                headers => ['Content-Type' =>
                    'application/' . type_of($client)]);
            my $name = "$client to $upstream: a name of " . shown($char);

            # FaxFinder does not say how long a name may be
            ok(!sound($name, $client, $upstream, $r, @sent), $name);
            ok($r->status =~ /^4/ || $upstream eq 'faxfinder',
                'is refused where there is a limit') or diag($r->raw);
        }

        my $long = 'y' x 100_000;
        for my $uri ("/$long", "?$long=1", "?filter=$long", "?a=%41$long") {
            my $upstream = some_upstream();
            my ($r, @sent) = ask('GET', "/$client-$upstream$BASE{$client}"
                    . "/$NOUN{$client}$uri");
            next if $r->status == 414;
            my $name = substr $uri, 0, 8;
            ok(!sound($name, $client, $upstream, $r, @sent),
                "$client to $upstream: $name");
        }
    }

    cmp_ok(time - $start, '<', 10 * $t->patience, 'in time');
};

subtest 'a hundred thousand members' => sub {
    my $n = 100_000;
    my @ids = map { 100_000 + $_ } 1 .. $n;

    my %body = (
        vinyldns => '{"name":"a","email":"a@test.com","admins":[],"members":['
            . join(',', map { "{\"id\":\"$_\"}" } @ids) . ']}',
        scim => '{"displayName":"a","members":['
            . join(',', map { "{\"value\":\"$_\"}" } @ids) . ']}',
        faxfinder => '<contact_group><name>a</name>' . join('', map {
            "<contact>http://aBASE/contacts/alice/$_</contact>" } @ids)
            . '</contact_group>',
    );
    my $start = time;

    for my $client (sort keys %body) {
        my $ask = sub {
            my ($prefix, $upstream) = @_;
            my $base = "/$prefix-$client-$upstream$BASE{$client}";
            return ask('POST', "$base/$NOUN{$client}",
                body => $body{$client} =~ s/BASE/$base/gr,
                headers => ['Content-Type' =>
                    'application/' . type_of($client)]);
        };

        my ($r, @sent) = $ask->('hook', 'vinyldns');
        is($r->status, 400, "$client: more than the limit");
        ok(in_dialect($client, $r), 'in the dialect');
        is(scalar(@sent), 0, 'nothing is sent');

        # as many as the limit allows, all of them in their order
        for my $upstream (qw(vinyldns faxfinder)) {
            my $before = () = $bulk{$upstream}->connections;
            ($r) = $ask->('many', $upstream);
            like($r->status, qr/^20[01]$/,
                "$client to $upstream: more are allowed")
                or diag($r->raw, substr $r->body, 0, 200);

            @sent = $bulk{$upstream}->connections($before + 1);
            is(scalar(@sent), $before + 1, 'one call');
            my @got = ($sent[-1] // '') =~ /[\/"](\d{6})["<]/g;
            is("@got[0 .. 2] $got[-1] " . @got,
                "@ids[0 .. 2] $ids[-1] $n", 'with all of them');
        }

        # each would be a call of its own
        for my $upstream (qw(signalwire portsip)) {
            ($r, @sent) = $ask->('many', $upstream);
            is($r->status, 501, "$client to $upstream: too many calls")
                or diag($r->raw);
            ok(in_dialect($client, $r), 'in the dialect');
            is(scalar(@sent), 0, 'and none of them is made')
                or diag(map { $_->{raw_head} } @sent);
        }
    }

    cmp_ok(time - $start, '<', 20 * $t->patience, 'in time');
};

subtest 'ten thousand parameters' => sub {
    my $start = time;

    for my $client (@CLIENTS) {
        for my $query (
            join('&', map { "a$_=$_" } 1 .. 10_000), join('&',
                ('page_size=1') x 10_000), '&' x 10_000,
            join('&', map { "%61$_" } 1 .. 10_000), '=' x 10_000,
            join('&', ('=') x 10_000),
        ) {
            my $upstream = some_upstream();
            my ($r, @sent) = ask('GET', "/$client-$upstream$BASE{$client}"
                    . "/$NOUN{$client}?$query");
            my $name = substr $query, 0, 12;
            ok(!sound($name, $client, $upstream, $r, @sent),
                "$client to $upstream: $name");
            is($r->status, 400, 'are refused')
                if $query =~ /a9999=|%61|page/;
        }
    }

    cmp_ok(time - $start, '<', 5 * $t->patience, 'in time');
};

subtest 'who is told of is no line of the log' => sub {
    my @wrong = grep { $_ !~ m{^\d{4}/\d\d/\d\d }
            || /[\x00-\x08\x0b-\x1f]/ && !/, subrequest: "/
    } split /\n/, $t->log;
    is(scalar(@wrong), 0, 'each line is one of nginx')
        or diag(map { shown($_) . "\n" } @wrong);
};

$t->stop;
done_testing;
