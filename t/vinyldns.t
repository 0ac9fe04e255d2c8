# VinylDNS in front of VinylDNS: the documents' own example, the vendor's rules,
# its three families of errors, and what goes through untouched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Same;
use Test::Gateway::Vendors
    qw(answer_is answers_in json_is sign_in text_is);

my $OK   = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';
my $UUID = qr/\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/;
my $TIME = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my $t        = Test::Gateway->new;
my $emulator = $t->emulator('vinyldns', domain => 'example.com');

my $same = Test::Gateway::Same->new($t, 'vinyldns',
    vendor   => {url => $emulator->url},
    recorder => {},
    scoped   => {more => 'group_scope group.create admin;'},
);
my $recorder = $same->recorder;

sub call         { return $same->call(@_) }
sub nothing_sent { return $same->nothing_sent(@_) }

# Family A: a bare JSON string.
sub family_a {
    my ($name, $r, $status, $text) = @_;
    answer_is($r, 'vinyldns', $status, $text, $name);
    return nothing_sent($name);
}

# Family B: all that is wrong with the fields of a body.
sub family_b {
    my ($name, $r, @errors) = @_;

    # they come from a set: the order is of no interest
    my $got = ($r->json // {})->{errors};
    answers_in($r, 400, 'application/json', $name);
    is_deeply([sort @{$got // []}], [sort @errors], "$name: errors")
        || diag($r->body);
    is_deeply([keys %{$r->json // {}}], ['errors'], "$name: nothing else");
    return nothing_sent($name);
}

# Family C: plain text.
sub family_c {
    my ($name, $r, $status, $text) = @_;
    text_is($r, $status, $text, $name);
    return nothing_sent($name);
}

sub group {
    return {
        name    => 'some-group',
        email   => 'test@example.com',
        members => [{id => $OK}],
        admins  => [{id => $OK}],
        @_
    };
}


subtest 'the example of "create group"' => sub {
    my $example = <<"END";
{
  "name": "some-group",
  "email": "test\@example.com",
  "description": "an example group", 
  "members": [
    {
      "id": "2764183c-5e75-4ae6-8833-503cd5f4dcb0"
    }
  ],
  "admins": [
    {
      "id": "2764183c-5e75-4ae6-8833-503cd5f4dcb0"
    }
  ]
}
END

    my $r = call('vendor', 'POST', '/groups', body => $example,
        headers => ['Content-Type' => 'application/json']);

    my $data = $r->json // {};
    like($data->{id},      $UUID, 'a UUID');
    like($data->{created}, $TIME, 'a time');
    answer_is($r, 'vinyldns', 200, {
        id          => $data->{id},
        name        => 'some-group',
        email       => 'test@example.com',
        description => 'an example group',
        created     => $data->{created},
        status      => 'Active',
        members     => [{id => $OK}],
        admins      => [{id => $OK}],
    }, 'as in the document');

    my ($call) = $emulator->journal;
    is("$call->{method} $call->{target}", 'POST /groups', 'upstream: path');
    json_is($call->{body}, group(description => 'an example group'),
        'upstream: body');

    # "will not have this attribute if it was not included"
    $r = call('vendor', 'POST', '/groups', json => group(name => 'plain'));
    is($r->status, 200, 'without a description');
    ok(!exists $r->json->{description}, 'there is none');

    $r = call('vendor', 'POST', '/groups', json => group(name => 'null',
        description => undef));
    is($r->status, 200, 'null is absent');
    ok(!exists $r->json->{description}, 'there is none');

    $r = call('vendor', 'POST', '/groups', json => group(name => 'empty',
        members => [], admins => []));
    is($r->status, 200, 'without members and admins of its own');
    is_deeply($r->json->{members}, [{id => $OK}], 'but the caller');
};

subtest 'the errors of its service come back as they are' => sub {
    my $other = 'Please try a different name or contact test@example.com to '
        . 'be added to the group.';
    my $named = sub { json_encode($_[0]) };

    for (
        ['a name that is taken', group(), 409,
            "Group with name some-group already exists. $other"],
        ['an unknown user', group(name => 'x', members => [{id => 'nobody'}]),
            404, 'Users [ nobody ] were not found'],
        ['a domain that is not allowed',
            group(name => 'x', email => 'a@elsewhere.org'), 400,
            'Please enter a valid Email. Valid domains should end with '
                . 'example.com'],
    ) {
        my ($name, $group, $status, $text) = @$_;
        answer_is(call('vendor', 'POST', '/groups', json => $group),
            'vinyldns', $status, $text, $name);
    }

    answer_is(call('vendor', 'GET', '/groups/no-such-group'), 'vinyldns',
        404, 'Group with ID no-such-group was not found', 'an unknown id');
};

subtest 'all calls of the vendor about groups' => sub {
    $emulator->reset;
    $emulator->clear;

    my $r = call('vendor', 'POST', '/groups', json => group());
    my $group = $r->json;

    json_is(call('vendor', 'GET', "/groups/$group->{id}")->body, $group,
        'get');

    # the id in the body counts, the path's does not
    $r = call('vendor', 'PUT', '/groups/anything', json => {
        %$group, email => 'new@example.com', members => [{id => 'dummy001'}],
    });
    is($r->status, 200, 'update');
    is($r->json->{email}, 'new@example.com', 'with the new email');
    is_deeply($r->json->{members}, [{id => 'dummy001'}, {id => $OK}],
        'and members');

    $r = call('vendor', 'GET', '/groups?groupNameFilter=some&maxItems=10'
            . '&ignoreAccess=TRUE&abridged=no');
    is($r->status, 200, 'list');
    is(($emulator->journal)[-1]{query}, 'groupNameFilter=some&maxItems=10'
            . '&ignoreAccess=TRUE&abridged=no', 'its query');
    is($r->json->{ignoreAccess}, $true, 'was understood');
    is($r->json->{groups}[0]{id}, $group->{id}, 'and found');

    $r = call('vendor', 'GET', "/groups/$group->{id}/members?maxItems=1");
    is($r->status, 200, 'members');
    is($r->json->{members}[0]{id}, $OK, 'the first');
    is($r->json->{nextId}, $OK, 'and more');

    $r = call('vendor', 'GET',
        "/groups/$group->{id}/members?startFrom=$OK");
    is($r->json->{members}[0]{id}, 'dummy001', 'the next page');

    $r = call('vendor', 'DELETE', "/groups/$group->{id}");
    is($r->status, 200, 'delete');
    is($r->json->{status}, 'Deleted', 'answers with the group');

    answer_is(call('vendor', 'DELETE', "/groups/$group->{id}"), 'vinyldns',
        404, "Group with ID $group->{id} was not found", 'only once');
};


subtest 'family B: all that is missing is told at once' => sub {
    my $post = sub { call('recorder', 'POST', '/groups', json => $_[0]) };
    my @four = map { "Missing Group.$_" } qw(name email members admins);

    family_b('nothing', $post->({}), @four);
    family_b('null', $post->({map { ($_ => undef) }
                qw(name email members admins description)}), @four);
    family_b('only a description', $post->({description => 'x'}), @four);

    for my $field (qw(name email members admins)) {
        my $group = group();
        delete $group->{$field};
        family_b("no $field", $post->($group), "Missing Group.$field");
    }

    family_b('update', call('recorder', 'PUT', '/groups/x', json => {}),
        'Missing Group.id', @four);
    family_b('update without an id',
        call('recorder', 'PUT', '/groups/x', json => group()),
        'Missing Group.id');
};

subtest 'family B: and all that is of the wrong type' => sub {
    for (
        [{name => ['a']},            qr/name/],
        [{email => {}},              qr/email/],
        [{members => 'a'},           qr/members/],
        [{members => [1]},           qr/members/],
        [{members => [{}]},          qr/members/],
        [{admins => {id => 'a'}},    qr/admins/],
        [{admins => [{id => []}]},   qr/admins/],
    ) {
        my ($fields, $named) = @$_;
        my $name = json_encode($fields);
        my $r = call('recorder', 'POST', '/groups', json => group(%$fields));

        answers_in($r, 400, 'application/json', $name);
        my $errors = ($r->json // {})->{errors} // [];
        is(scalar(@$errors), 1, "$name: one error");
        like($errors->[0], $named, "$name: names the field");
        nothing_sent($name);
    }

    my $r = call('recorder', 'POST', '/groups',
        json => {email => [], admins => 1});
    my $errors = ($r->json // {})->{errors} // [];
    is(scalar(@$errors), 4, 'together with what is missing')
        or diag($r->body);
    nothing_sent('together');
};

subtest 'family A: what its service would say' => sub {
    my $post = sub {
        call('recorder', 'POST', '/groups', json => group(@_));
    };
    my $empty = 'Group name and email cannot be empty.';

    family_a('an empty name',  $post->(name => ''), 400, $empty);
    family_a('a blank name',   $post->(name => "  \t"), 400, $empty);
    family_a('an empty email', $post->(email => ''), 400, $empty);
    family_a('both',           $post->(name => '', email => ' '), 400, $empty);

    for ('test', 'test@', '@example.com', 'test@com', 'a b@example.com',
        'a@b@example.com', 'test@.com', 'test@example.', 'test@ex..com',
        'test@example.com,b@example.com', "test\@example.com\n")
    {
        family_a('email ' . json_encode($_), $post->(email => $_), 400,
            'Please enter a valid Email.');
    }

    # an update is looked at in the same way
    family_a('update', call('recorder', 'PUT', '/groups/x',
            json => group(id => 'x', name => '')), 400, $empty);
};

subtest 'family C: bodies' => sub {
    my $post = sub {
        my ($body, @headers) = @_;
        return call('recorder', 'POST', '/groups', headers => \@headers,
            defined $body ? (body => $body) : ());
    };
    my @json = ('Content-Type' => 'application/json');

    family_c('none', $post->(undef), 400,
        'Request entity expected but not supplied');
    family_c('empty', $post->('', @json), 400,
        'Request entity expected but not supplied');

    for ('{', '{"name":}', 'null x', "\xff", '{"a":1,"a":2}') {
        my $r = $post->($_, @json);
        answers_in($r, 400, 'text/plain; charset=UTF-8', "'$_'");
        like($r->body, qr/\AThe request content was malformed:\n./,
            "'$_': text");
        nothing_sent("'$_'");
    }

    for ('text/plain', 'application/xml', 'text/json',
        'application/jsonx', 'application/x-www-form-urlencoded')
    {
        family_c($_, $post->(json_encode(group()), 'Content-Type' => $_),
            415, "The request's Content-Type [$_] is not supported. "
                . "Expected:\napplication/json");
    }
};

subtest 'family C: what is not there' => sub {
    for ('/no-existo', '/groups/', '/groups/x/', '/groups/x/y/z', '/Groups',
        '/', '/groupsx')
    {
        family_c($_, call('recorder', 'GET', $_), 404,
            "The requested path [$_] does not exist.");
    }

    # the path is shown as it came, without the query
    family_c('a path with escapes', call('recorder', 'GET', '/no%20%C3%A9?x'),
        404, 'The requested path [/no%20%C3%A9] does not exist.');
};

subtest 'family C: wrong methods, before authentication' => sub {
    for my $signed (0, 1) {
        my @sign = $signed ? sign_in('vinyldns') : ();
        my $name = $signed ? 'signed' : 'not signed';

        my $r = $t->request(method => 'PATCH', uri => '/groups',
            headers => [Host => 'recorder'], @sign);
        family_c("PATCH /groups, $name", $r, 405,
            'HTTP method not allowed, supported methods: GET, POST');
        is($r->header('Allow'), 'GET, POST', 'Allow');

        $r = $t->request(method => 'POST', uri => '/groups/x',
            headers => [Host => 'recorder'], json => {}, @sign);
        my $allow = $r->header('Allow');
        is_deeply([sort split /, /, $allow], [qw(DELETE GET PUT)],
            "POST /groups/x, $name: Allow");
        family_c("POST /groups/x, $name", $r, 405,
            "HTTP method not allowed, supported methods: $allow");
    }
};

subtest 'family C: who is not known' => sub {
    my $date = {access_key => 'clientAccessKey'};

    for (
        ['no header', [], 'Authorization header not found'],
        ['another scheme', [Authorization => 'Basic eDp5'],
            'Authorization header could not be parsed'],
        ['nonsense', [Authorization => 'AWS4-HMAC-SHA256 x'],
            'Authorization header could not be parsed'],
    ) {
        my ($name, $headers, $text) = @$_;
        family_c($name, $t->request(method => 'POST', uri => '/groups',
                headers => [Host => 'recorder', @$headers],
                json => group()), 401, "Authentication Failed: $text");
    }

    my %key = (access_key => 'who', secret_key => 'clientSecretKey');
    # VinylDNS names it, and by that tells strangers the keys there are
    family_c('an unknown key', call('recorder', 'POST', '/groups',
            json => group(), sigv4 => \%key), 401,
        'Authentication Failed: Request signature could not be validated');

    %key = (access_key => 'clientAccessKey', secret_key => 'wrong');
    family_c('a wrong secret', call('recorder', 'POST', '/groups',
            json => group(), sigv4 => \%key), 401,
        'Authentication Failed: Request signature could not be validated');
};

subtest 'family A: who may not' => sub {
    family_a('a scope that the client does not have',
        call('scoped', 'POST', '/groups', json => group()), 403,
        'Not authorized');
};

# MembershipRouting: it is looked at before the signature is.
subtest 'maxItems, before authentication' => sub {
    my $members = '/groups/x/members';

    for my $signed (0, 1) {
        my @sign = $signed ? sign_in('vinyldns') : ();
        my $get  = sub {
            return $t->request(uri => $_[0], headers => [Host => 'recorder'],
                @sign);
        };

        for (0, -1, 1001, 2147483647) {
            family_a("members, $_", $get->("$members?maxItems=$_"), 400,
                "maxItems was $_, maxItems must be between 0 exclusive and "
                    . '1000 inclusive');
        }

        for (0, 3001) {
            my $r = $get->("/groups?maxItems=$_");
            answers_in($r, 400, 'application/json', "groups, $_");
            # the vendor's has line breaks in it and a stray quote
            like($r->body, qr/\A".*\bmaxItems was $_, maxItems must be /,
                "groups, $_: text");
            like($r->body, qr/between 0 exclusive.*\b3000 inclusive.*"\z/,
                "groups, $_: the rest of it");
            nothing_sent("groups, $_");
        }

        for ('x', '1.5', '0x10') {
            family_c("a number that is none, $_",
                $get->("/groups?maxItems=$_"), 400,
                "The query parameter 'maxItems' was malformed:\n'$_' is not "
                    . 'a valid 32-bit signed integer value');
        }

        my $r = $get->('/groups?ignoreAccess=maybe');
        answers_in($r, 400, 'text/plain; charset=UTF-8', 'ignoreAccess');
        like($r->body,
            qr/\AThe query parameter 'ignoreAccess' was malformed:\n./,
            'a boolean that is none');
        nothing_sent('ignoreAccess');
    }
};

subtest 'queries' => sub {
    my $list = json_encode({groups => [], maxItems => 1,
        ignoreAccess => $false});

    for ('maxItems=1', 'maxItems=3000', 'ignoreAccess=yes&abridged=ON',
        'ignoreAccess=0', 'startFrom=6f8afcda-7529-4cad-9f2d-76903f4b1aca',
        'groupNameFilter=%25%27+x', 'other=1')
    {
        $recorder->answer([200, ['Content-Type' => 'application/json'],
            $list]);
        is(call('recorder', 'GET', "/groups?$_")->status, 200, $_);
        is($recorder->last->uri, '/groups?' . s/\+/%20/r, "$_: sent");
    }
    $recorder->clear;

    # an unknown startFrom ends in a 500 there, or in a text of SQL
    for (q{a'%20OR%201=1}, 'a;b', 'a%00', 'a/b', '%C3%A9') {
        for my $path ('/groups', '/groups/x/members') {
            my $r = call('recorder', 'GET', "$path?startFrom=$_");
            is($r->status, 400, "$path, startFrom $_: refused");
            nothing_sent("$path, startFrom $_");
        }
    }
};


subtest 'a body on GET is read, signed for, and not sent' => sub {
    $recorder->answer([200, ['Content-Type' => 'application/json'],
        json_encode({id => 'x', %{group()}})]);

    # vinyldns-python and the vendor's own functional tests
    my $r = call('recorder', 'GET', '/groups/x', body => 'null',
        headers => ['Content-Type' => 'application/json']);
    is($r->status, 200, 'accepted');
    is($recorder->last->body, '', 'and left out');
    $recorder->clear;
};

subtest 'unknown fields go along' => sub {
    my $body = '{"name":"a","email":"a@example.com","created":null,"n":1.50,'
        . '"members":[{"id":"x","userName":null,"firstName":"f"}],'
        . '"admins":[],"description":null,"big":12345678901234567890}';

    $recorder->answer([200, ['Content-Type' => 'application/json'],
        json_encode({id => 'x', %{group()}})]);
    is(call('recorder', 'POST', '/groups', body => $body,
            headers => ['Content-Type' => 'application/json; charset=UTF-8'])
        ->status, 200, 'accepted');

    my $strict = JSON::PP->new->utf8->allow_bignum;
    is_deeply($strict->decode($recorder->last->body),
        $strict->decode($body), 'the same value');
    like($recorder->last->body, qr/"n":1\.50/, 'numbers as they are');
    $recorder->clear;
};

subtest 'answers come back byte for byte' => sub {
    my $body = qq({ "name":"a" , "id":"6f8afcda-7529-4cad-9f2d-76903f4b1aca",)
        . qq("email":"\\u00e9","members":[],"admins":[{"id":"x","n":1}],)
        . qq("created":"2017-03-02T15:29:21Z","more":null}\n);

    $recorder->answer([200, ['Content-Type' => 'application/json'], $body]);
    my $r = call('recorder', 'GET', '/groups/x');
    answers_in($r, 200, 'application/json', 'get');
    is($r->body, $body, 'the same bytes');

    for (
        [400, 'application/json', '"Some-group is the admin of a zone."'],
        [400, 'application/json', '{"errors":["one", "two"]}'],
        [403, 'application/json', '"Not authorized"'],
        [404, 'application/json', '"Group with ID x was not found" '],
        [404, 'text/plain; charset=UTF-8', 'The requested path [x] ...'],
        [409, 'application/json', '"Group with name \u0061 already exists."'],
    ) {
        my ($status, $type, $text) = @$_;
        $recorder->answer([$status, ['Content-Type' => $type], $text]);
        $r = call('recorder', 'DELETE', '/groups/x');
        answers_in($r, $status, $type, $text);
        is($r->body, $text, "$text: the same bytes");
    }
    $recorder->clear;
};

$t->stop;
done_testing;
