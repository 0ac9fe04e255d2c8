#!/usr/bin/perl

# Whoever is not let in: each vendor's dialect, each fault of a credential,
# each operation. Never a success, never an upstream call, always an error as
# the vendor has it; and a limit for those who try again and again.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Samples qw(dialects error_text);
use Test::Gateway::SigV4 qw(sign);

my @OPERATIONS = qw(
    group.create group.list group.get group.replace group.modify group.delete
    member.list member.add member.get member.remove
);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

my %people = (name => 'a', email => 'a@test.com', members => [{id => 'm'}],
    admins => [{id => 'm'}]);
my $people = json_encode({%people});
my $whole  = json_encode({id => $UUID, %people});
my $named  = '{"name":"a"}';
my $number = qq({"phone_number_id":"$UUID"});
my $xml    = '<contact_group><name>a</name></contact_group>';

# method, path, body; what a dialect does not have is asked for as its other
# operations are
my %CALL = (
    signalwire => {
        'group.create'  => ['POST', '', $named],
        'group.list'    => ['GET', '?page_size=3'],
        'group.get'     => ['GET', "/$UUID"],
        'group.replace' => ['PUT', "/$UUID", $named],
        'group.modify'  => ['PATCH', "/$UUID", $named],
        'group.delete'  => ['DELETE', "/$UUID"],
        'member.list'   => ['GET', "/$UUID/number_group_memberships"],
        'member.add' => ['POST', "/$UUID/number_group_memberships", $number],
        'member.get'    => ['GET', "/../number_group_memberships/$UUID"],
        'member.remove' => ['DELETE', "/../number_group_memberships/$UUID"],
    },
    vinyldns => {
        'group.create'  => ['POST', '', $people],
        'group.list'    => ['GET', '?maxItems=3'],
        'group.get'     => ['GET', "/$UUID"],
        'group.replace' => ['PUT', "/$UUID", $whole],
        'group.modify'  => ['PATCH', "/$UUID", $people],
        'group.delete'  => ['DELETE', "/$UUID"],
        'member.list'   => ['GET', "/$UUID/members"],
        'member.add'    => ['POST', "/$UUID/members", '{"id":"m"}'],
        'member.get'    => ['GET', "/$UUID/members/m"],
        'member.remove' => ['DELETE', "/$UUID/members/m"],
    },
    faxfinder => {
        'group.create'  => ['POST', '', $xml],
        'group.list'    => ['GET', '?limit=3'],
        'group.get'     => ['GET', '/4'],
        'group.replace' => ['PUT', '/4', $xml],
        'group.modify'  => ['PATCH', '/4', $xml],
        'group.delete'  => ['DELETE', '/4'],
        'member.list'   => ['GET', '/4/contacts'],
        'member.add'    => ['POST', '/4/contacts', $xml],
        'member.get'    => ['GET', '/4/contacts/1'],
        'member.remove' => ['DELETE', '/4/contacts/1'],
    },
    portsip => {
        'group.create'  => ['POST', '', $named],
        'group.list'    => ['GET', '?top=3'],
        'group.get'     => ['GET', "/$ID"],
        'group.replace' => ['POST', "/$ID", $named],
        'group.modify'  => ['PATCH', "/$ID", $named],
        'group.delete'  => ['POST', "/$ID/destroy"],
        'member.list'   => ['GET', "/$ID/members"],
        'member.add'    => ['POST', "/$ID/members/101"],
        'member.get'    => ['GET', "/$ID/members/101"],
        'member.remove' => ['POST', "/$ID/members/101/destroy"],
    },
);

# who has what: all others are answered by the path or the method
my %HAS = (
    signalwire => [grep { $_ ne 'group.modify' } @OPERATIONS],
    vinyldns   => [grep { /^group/ && $_ ne 'group.modify'
            || $_ eq 'member.list' } @OPERATIONS],
    faxfinder  => [grep { /^group/ && $_ ne 'group.modify' } @OPERATIONS],
    portsip    => [grep { $_ ne 'group.modify' } @OPERATIONS],
);

my %ROOT = (
    signalwire => '/api/relay/rest/number_groups',
    vinyldns   => '/groups',
    faxfinder  => '/ffws/v1/contact_groups/alice',
    portsip    => '/api/groups',
);

# the authorization page of SignalWire: a missing scope is 401
my %SCOPE = (signalwire => 401, vinyldns => 403, faxfinder => 403,
    portsip => 403);

my $t = Test::Gateway->new(variables => [qw(operation outcome principal)]);

# what is asked for, so that what is let in can be told
my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};
    my $gone = $method eq 'DELETE' || $uri =~ m{/destroy$};
    my $time = '2024-01-02T03:04:05Z';

    if ($uri =~ m{^/api/relay/}) {
        return [204, [], undef] if $gone;
        my $group = {id => $UUID, name => 'a', sticky_sender => \0,
            phone_number_count => 0};
        my $member = {id => $UUID, number_group_id => $UUID,
            phone_number => {id => $UUID}, created_at => $time,
            updated_at => $time};
        my $one = $uri =~ /memberships/ ? $member : $group;
        return [200, [], $one]
            if $method ne 'GET' || $uri =~ m{/$UUID$};
        return [200, [], {links => {}, data => [$one]}];
    }

    if ($uri =~ m{^/api/}) {
        return [204, [], undef] if $gone;
        return [200, [], {extension_number => '101'}]
            if $uri =~ m{/members/};
        return [200, [], {items => []}] if $uri =~ m{/members$};
        return [200, [], {count => 0, items => []}]
            if $method eq 'GET' && $uri !~ m{/groups/};
        return [$uri =~ m{/groups$} ? 201 : 200, [], {id => $ID,
            name => 'a'}];
    }

    if ($uri =~ m{^/ffws/}) {
        my $url = 'http://localhost/ffws/v1/contact_groups/alice/4';
        return [200, ['Content-Type' => 'application/xml'], '<response>'
            . '<message>Success</message><contact_group><contact_group_url>'
            . "$url</contact_group_url><name>a</name></contact_group>"
            . '</response>'];
    }

    return [200, [], {members => []}] if $uri =~ /members$/;
    return [200, [], {groups => [], maxItems => 100, ignoreAccess => \0}]
        if $method eq 'GET' && $uri !~ m{/groups/};
    return [200, [], {id => $UUID, %people, created => $time,
        status => 'Active'}];
});

my @read  = (scopes => ['numbers', 'groups:read', 'groups:write']);
my $clients = $t->credentials('clients.json',
    {type => 'basic', id => 'alice', secret => 'S3cret', @read,
        containers => ['alice']},
    {type => 'basic', id => 'poor', secret => 'S3cret',
        scopes => ['other'], containers => ['bob']},
    {type => 'bearer', token => 'S3cret', principal => 'alice', @read},
    {type => 'bearer', token => 'Poor', principal => 'poor',
        scopes => ['other']},
    {type => 'sigv4', access_key => 'alice', secret_key => 'S3cret', @read},
    {type => 'sigv4', access_key => 'poor', secret_key => 'S3cret',
        scopes => ['other']},
);

my $proxy = 'proxy_pass http://' . $u->address . ';';

# locations of all four, after "base"
sub locations {
    my ($base, $more) = @_;

    my %path = (signalwire => '/api/relay/rest', vinyldns => '/',
        faxfinder => '/ffws/v1', portsip => '/api');

    return join '', map {
        my $path = $base . $path{$_} =~ s{/\z}{}r;
        my $root = $path eq '' ? '/' : $path;
        my $at = $_ eq 'vinyldns' ? "$base/" : "$path/";
        "location $at {\ngroup_dialect $_;\ngroup_base_path $root;\n"
            . "$more\n$proxy\n}\n";
    } dialects();
}

$t->nginx(
    http => <<"END",
group_credentials $clients;
group_sigv4_replay_zone replay 1m;
limit_req_zone \$binary_remote_addr zone=peer:1m rate=1r/m;
limit_req_status 429;
END
    server => locations('', '')
        . locations('/limited', 'limit_req zone=peer burst=4 nodelay;'),
);

my $second = 0;

# A call's options for request(), signed in as a fault has it.
sub call {
    my ($dialect, $operation, $fault) = @_;

    my ($method, $path, $body) = @{$CALL{$dialect}{$operation}};
    my $uri = $ROOT{$dialect} . $path;
    $uri =~ s{/[^/]+/\.\.}{};

    my $type = $dialect eq 'faxfinder' ? 'application/xml'
        : 'application/json';
    my @headers = ([Host => 'localhost'],
        defined $body ? ['Content-Type' => $type] : ());

    my @call = (method => $method, uri => $uri,
        defined $body ? (body => $body) : ());

    my $with = sub {
        return (@call, headers => [@headers, @_ ? [Authorization => $_[0]]
            : ()]);
    };

    return $with->() if $fault eq 'none';

    if ($dialect eq 'vinyldns') {
        # no two are the same unless they are to be
        my $sign = sub {
            return headers => sign(method => $method, uri => $uri,
                headers => [@headers], body => $body // '',
                access_key => 'alice', secret_key => 'S3cret',
                time => time - $second++ % 600, @_);
        };

        return (@call, $sign->())                 if $fault eq 'right';
        return $with->('AWS4-HMAC-SHA256 x')      if $fault eq 'malformed';
        return (@call, $sign->(access_key => 'nobody'))
            if $fault eq 'unknown';
        return (@call, $sign->(secret_key => 'S3cret1'))
            if $fault eq 'wrong';
        return (@call, $sign->(access_key => 'poor')) if $fault eq 'scope';
        return (@call, $sign->(time => time - 1000))  if $fault eq 'stale';
        return (@call, $sign->(time => time + 1000))  if $fault eq 'early';
        return (@call, body => $body // 'null', $sign->(body => ''))
            if $fault eq 'body';
    }

    my %credential
        = $dialect eq 'portsip'
        ? (right => 'S3cret', unknown => 'nobody', wrong => 'S3cret1',
            scope => 'Poor')
        : (right => 'alice:S3cret', unknown => 'nobody:S3cret',
            wrong => 'alice:S3cret1', scope => 'poor:S3cret');

    my $credential = $credential{$fault};

    return $dialect eq 'portsip'
        ? $with->($fault eq 'malformed' ? 'Bearer a b' : "Bearer $credential")
        : $with->($fault eq 'malformed' ? 'Basic a:b'
        : 'Basic ' . encode_base64($credential, ''));
}

# all of the answer that a stranger sees, but for the time
sub seen {
    my ($r) = @_;
    return join "\n", $r->status, (map { "$_->[0]: $_->[1]" }
        grep { lc $_->[0] ne 'date' } @{$r->headers}), '', $r->body;
}

my $calls = 0;

sub refused {
    my ($dialect, $operation, $name, $r, $status) = @_;

    my $ok = ref $status ? grep { $_ == $r->status } @$status
        : $r->status == $status;
    ok($ok, "$operation, $name: " . $r->status);

    my @sent = $u->requests;
    is(scalar(@sent), 0, "$operation, $name: no upstream call");
    $u->clear;

    ok(defined error_text($dialect, $r),
        "$operation, $name: an error of its own") or diag($r->raw);
    unlike($r->raw, qr/S3cret/, "$operation, $name: no secret");

    $calls++;
    return;
}


for my $dialect (dialects()) {
    my %has = map { ($_ => 1) } @{$HAS{$dialect}};

    # what follows is worth something only when the right one is let in
    subtest "$dialect: a credential that is right" => sub {
        for my $operation (@OPERATIONS) {
            $u->clear;
            my $r = $t->request(call($dialect, $operation, 'right'));

            if ($has{$operation}) {
                like($r->status, qr/^2/, $operation) or diag($r->raw);
                is(scalar(() = $u->requests), 1, 'with an upstream call');

            } else {
                like($r->status, qr/^40[45]$/, "there is no $operation");
            }
        }
    };

    $u->clear;

    for my $fault (qw(none malformed unknown wrong scope)) {
        subtest "$dialect: $fault" => sub {
            for my $operation (@OPERATIONS) {
                my $r = $t->request(call($dialect, $operation, $fault));
                refused($dialect, $operation, $fault, $r,
                    !$has{$operation}    ? [404, 405]
                    : $fault eq 'scope'  ? $SCOPE{$dialect}
                    :                      401);
                is($t->last_access->{principal},
                    $fault eq 'scope' && $has{$operation} ? 'poor' : '',
                    'who it was');
            }
        };
    }

    subtest "$dialect: an unknown one is not told from a wrong one" => sub {
        for my $operation (@OPERATIONS) {
            my @seen = map { seen($t->request(call($dialect, $operation,
                $_))) } qw(unknown wrong);
            is($seen[0], $seen[1], $operation);
        }
        is(scalar(() = $u->requests), 0, 'no upstream call');
    };
}

is($calls, 4 * 5 * 10, 'the matrix is whole');

for my $fault (qw(stale early replayed body)) {
    subtest "vinyldns: $fault" => sub {
        for my $operation (@{$HAS{vinyldns}}) {
            my %call = call('vinyldns', $operation,
                $fault eq 'replayed' ? 'right' : $fault);

            if ($fault eq 'replayed') {
                like($t->request(%call)->status, qr/^2/, 'the first time');
                $u->clear;
            }

            refused('vinyldns', $operation, $fault, $t->request(%call), 401);
        }
    };
}

# nginx's own, in front of us: who guesses is stopped, and nobody else
subtest 'limit_req' => sub {
    for my $dialect (dialects()) {
        my %call = call($dialect, 'group.list', 'wrong');

        my $ask = sub {
            my ($peer) = @_;
            my $client = $t->client(local => $peer);
            my $r = $t->request(%call, uri => "/limited$call{uri}",
                client => $client);
            $client->close;
            return $r;
        };

        # each dialect has its own peers
        my $n = 1 + (grep { (dialects())[$_] eq $dialect } 0 .. 3)[0];
        my ($bad, $good) = map { "127.0.$n.$_" } 1, 2;

        my @status = map { $ask->($bad)->status } 1 .. 8;
        is("@status", '401 401 401 401 401 429 429 429',
            "$dialect: after five");

        my $r = $ask->($bad);
        is($r->status, 429, 'too many');
        ok(defined error_text($dialect, $r), 'in its own words')
            or diag($r->raw);
        is($t->last_access->{outcome}, 'rate_limited', 'outcome');

        is($ask->($good)->status, 401, 'another peer is asked who it is');
        is(scalar(() = $u->requests), 0, 'no upstream call');
    }
};

$t->stop;
done_testing;
