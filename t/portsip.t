# PortSIP in front of PortSIP: the documents' own examples, lengths, queries,
# nulls, errors, and what goes through untouched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Same;
use Test::Gateway::Vendors qw(answer_is answers_in json_is path_segment);

my $GROUPS = '/api/groups';
my $ID     = 'NzAwNTUxOTA5NzczMTQ4MTYw';

my $t        = Test::Gateway->new;
my $emulator = $t->emulator('portsip');
my $padded   = $t->emulator('portsip', 'first-id' => '1234567890123456789');

my $same = Test::Gateway::Same->new($t, 'portsip',
    vendor   => {url => $emulator->url},
    padded   => {url => $padded->url},
    recorder => {},
    scoped   => {more => 'group_scope group.create admin;'},
);
my $recorder = $same->recorder;

sub call       { return $same->call(@_) }
sub refused_is { return $same->refused_is(@_) }

sub error {
    my ($code, $message, @detail) = @_;
    return {errors => [{code => $code, message => $message, @detail}]};
}

# VALIDATE_FAILED that names these fields in its detail, which is any JSON.
sub invalid_is {
    my ($name, $r, @fields) = @_;

    my $detail = eval { $r->json->{errors}[0]{detail} };
    refused_is($name, $r, 400, error('VALIDATE_FAILED',
        'field validation failed', detail => $detail));
    is_deeply([sort map { $_->{field} } @{$detail // []}], [sort @fields],
        "$name: fields") || diag($r->body);

    return;
}

# 204, or 200 without content
sub empty_is {
    my ($name, $r, $status) = @_;

    is($r->status, $status, "$name: status");
    is($r->body,   '',      "$name: no body");
    is($r->header('Content-Type'), undef, "$name: no media type");
    is($r->header('Transfer-Encoding'), undef, "$name: not chunked");
    is($r->header('Content-Length'), $status == 204 ? undef : 0,
        "$name: length");

    return;
}

my $example = <<'END';
{
"name": "text",
"outbound_caller_ids": [
{
"provider_id": "NzAwNTUxOTA5NzczMTQ4MTYw",
"caller_id": "text",
"description": "text"
}
],
"description": "text"
}
END

my $group = {
    name                => 'text',
    description         => 'text',
    outbound_caller_ids => [{
        provider_id => $ID,
        caller_id   => 'text',
        description => 'text',
    }],
};


subtest 'the examples of the reference' => sub {
    my $r = call('vendor', 'POST', $GROUPS, body => $example,
        headers => ['Content-Type' => 'application/json']);
    answer_is($r, 'portsip', 201, {id => $ID}, 'create');

    my ($call) = $emulator->journal;
    is("$call->{method} $call->{target}", "POST $GROUPS", 'upstream: path');
    json_is($call->{body}, $group, 'upstream: body');

    answer_is(call('vendor', 'GET', "$GROUPS/$ID"), 'portsip', 200,
        {id => $ID, %$group}, 'get');

    answer_is(call('vendor', 'GET', $GROUPS), 'portsip', 200, {
        count => 1,
        items => [{id => $ID, name => 'text', description => 'text'}],
    }, 'list, with a summary of each');

    empty_is('update', call('vendor', 'POST', "$GROUPS/$ID",
            json => {%$group, name => 'other'}), 200);
    is(call('vendor', 'GET', "$GROUPS/$ID")->json->{name}, 'other',
        'was done');
};

subtest 'all calls of the vendor about groups' => sub {
    $emulator->reset;
    call('vendor', 'POST', $GROUPS, json => {name => 'one'});

    # blank fields are explicit
    answer_is(call('vendor', 'GET', "$GROUPS/$ID"), 'portsip', 200, {
        id                  => $ID,
        name                => 'one',
        description         => undef,
        outbound_caller_ids => [],
    }, 'null');

    empty_is('add a member', call('vendor', 'POST',
            "$GROUPS/$ID/members/101"), 200);
    answer_is(call('vendor', 'GET', "$GROUPS/$ID/members/101"), 'portsip',
        200, {
            id               => 'NzAwNTUxOTA5NzcwMDAwMTAx',
            name             => 'user101',
            display_name     => 'User 101',
            extension_number => '101',
        }, 'check a member');
    is(call('vendor', 'GET', "$GROUPS/$ID/members")
            ->json->{items}[0]{extension_number}, '101', 'list members');
    empty_is('remove a member', call('vendor', 'POST',
            "$GROUPS/$ID/members/101/destroy"), 204);
    answer_is(call('vendor', 'GET', "$GROUPS/$ID/members/101"), 'portsip',
        404, error('UNKNOWN', 'unknown error'), 'is gone');

    empty_is('delete', call('vendor', 'POST', "$GROUPS/$ID/destroy"), 204);
    answer_is(call('vendor', 'GET', "$GROUPS/$ID"), 'portsip', 404,
        error('UNKNOWN', 'unknown error'), 'is gone');

    is_deeply([map { $_->{body} } grep { $_->{target} =~ /members|destroy/ }
            $emulator->journal], [('') x 6], 'no bodies where none are');
};

subtest 'an id with padding' => sub {
    my $id = call('padded', 'POST', $GROUPS, json => {name => 'a'})
        ->json->{id};
    is($id, 'MTIzNDU2Nzg5MDEyMzQ1Njc4OQ==', 'is answered as it is');

    for my $path ($id, path_segment($id)) {
        is(call('padded', 'GET', "$GROUPS/$path")->json->{id}, $id,
            "found by $path");
        is(($padded->journal)[-1]{target},
            "$GROUPS/MTIzNDU2Nzg5MDEyMzQ1Njc4OQ%3D%3D", 'upstream: path');
    }
};


subtest 'queries go along' => sub {
    $emulator->reset;
    $emulator->seed({groups => [map { {name => "sales $_",
        description => $_ % 2 ? 'odd' : 'even'} } 1 .. 9]});

    for (
        [q{filter=contains(name,'sales')}, 9],
        [q{filter=contains%28name%2C%27sales%27%29&skip=2&top=3}, 9],
        [q{filter=name%20eq%20'sales%201'%20or%20name%20eq%20'sales+2'}, 2],
        [q{search=odd&orderby=name%20desc%2C%20description%20asc}, 5],
        [q{skip=0&top=1}, 9],
        [q{skip=100&top=100}, 9],
        [q{count=true}, 9],
    ) {
        my ($query, $count) = @$_;
        $emulator->clear;
        my $r = call('vendor', 'GET', "$GROUPS?$query");
        is($r->status, 200, "$query: status");
        is($r->json->{count}, $count, "$query: the total");

        my ($call) = $emulator->journal;
        my @sent = map { s/\+/%20/gr =~ s/%([0-9A-F]{2})/chr hex $1/ger }
            split /&/, $call->{query};
        my @asked = map { s/\+/%20/gr =~ s/%([0-9A-F]{2})/chr hex $1/ger }
            split /&/, $query;
        is_deeply(\@sent, \@asked, "$query: sent");
    }

    my $r = call('vendor', 'GET',
        "$GROUPS?orderby=name%20desc&skip=1&top=2");
    is_deeply([map { $_->{name} } @{$r->json->{items}}],
        ['sales 8', 'sales 7'], 'ordered, skipped, cut');

    answer_is(call('vendor', 'GET', "$GROUPS?filter=nonsense"), 'portsip',
        400, error('VALIDATE_FAILED', 'field validation failed',
            detail => 'filter: unknown field nonsense'),
        'a filter that the vendor does not understand');
};

subtest 'queries that cannot be' => sub {
    for ('top=0', 'top=101', 'top=-1', 'top=x', 'top=1.0', 'top=',
        'skip=-1', 'skip=x')
    {
        my ($field) = /^(\w+)/;
        invalid_is($_, call('recorder', 'GET', "$GROUPS?$_"), $field);
    }

    invalid_is('both', call('recorder', 'GET', "$GROUPS?top=0&skip=x"),
        'top', 'skip');

    my $list = json_encode({count => 0, items => []});
    for ('top=1', 'top=100', 'skip=0', 'skip=999999999') {
        $recorder->answer([200, ['Content-Type' => 'application/json'],
            $list]);
        is(call('recorder', 'GET', "$GROUPS?$_")->status, 200, $_);
        is($recorder->last->uri, "$GROUPS?$_", "$_: sent");
    }
    $recorder->clear;
};

subtest 'lengths' => sub {
    my $caller = sub { {outbound_caller_ids => [
        {provider_id => 'p', caller_id => 'c'},
        {provider_id => 'p', caller_id => 'c', @_},
    ]} };

    for my $path ($GROUPS, "$GROUPS/$ID") {
        my $post = sub { call('recorder', 'POST', $path, json => $_[0]) };

        for (
            ['name, 0',  {name => ''},             'name'],
            ['name, 65', {name => 'n' x 65},       'name'],
            ['name, 65 characters', {name => "\x{e9}" x 65}, 'name'],
            ['description, 1025',
                {name => 'a', description => 'd' x 1025}, 'description'],
            ['caller_id, 0', $caller->(caller_id => ''),
                'outbound_caller_ids[1].caller_id'],
            ['caller_id, 65', $caller->(caller_id => 'c' x 65),
                'outbound_caller_ids[1].caller_id'],
            ['its description, 1025', $caller->(description => 'd' x 1025),
                'outbound_caller_ids[1].description'],
            ['a number as name', {name => 1}, 'name'],
            ['a list as description', {description => []}, 'description'],
            ['an object as list', {outbound_caller_ids => {}},
                'outbound_caller_ids'],
            ['a list of text', {outbound_caller_ids => ['a']},
                'outbound_caller_ids[0]'],
        ) {
            my ($name, $body, $field) = @$_;
            invalid_is("$path: $name", $post->($body), $field);
        }

        invalid_is("$path: several", $post->({
            name => '', description => 5,
            %{$caller->(caller_id => 'c' x 65)},
        }), 'name', 'description', 'outbound_caller_ids[1].caller_id');
    }
};

# The schema marks nothing as required: what is absent is the vendor's to say.
subtest 'what is just right' => sub {
    for (
        {name => 'n' x 64, description => 'd' x 1024},
        {name => "\x{e9}" x 64, description => "\x{260e}" x 1024},
        {name => 'a', description => '', outbound_caller_ids => []},
        {name => undef, description => undef, outbound_caller_ids => undef},
        {},
        {name => 'a', outbound_caller_ids => [{
            provider_id => 'p', caller_id => 'c' x 64,
            description => 'd' x 1024, display_name => 'since 22.6',
        }]},
    ) {
        $recorder->answer([201, ['Content-Type' => 'application/json'],
            json_encode({id => $ID})]);
        is(call('recorder', 'POST', $GROUPS, json => $_)->status, 201,
            'accepted');
        json_is($recorder->last->body, $_, 'and sent as it is');
    }
    $recorder->clear;

    answer_is(call('vendor', 'POST', $GROUPS, json => {}), 'portsip', 400,
        error('VALIDATE_FAILED', 'field validation failed',
            detail => 'name'), 'what the vendor says');
};

subtest 'bodies that are none' => sub {
    for ('', '{', '[]', '"a"', '{"name":"a"}{}', "{\"name\":\"\xff\"}",
        '{"name":"a","name":"b"}')
    {
        my $r = call('recorder', 'POST', $GROUPS, body => $_,
            headers => ['Content-Type' => 'application/json']);
        my $message = eval { $r->json->{errors}[0]{message} } // '';
        refused_is("'$_'", $r, 400, error('VALIDATE_FAILED', $message));
        isnt($message, '', "'$_': a message");
    }
};

subtest 'who is not known, who may not, what is not there' => sub {
    my $error = sub {
        my ($r, $code) = @_;
        return error($code, eval { $r->json->{errors}[0]{message} } // 'x');
    };

    for ([], [Authorization => 'Bearer'], [Authorization => 'Bearer wrong'],
        [Authorization => $t->basic('client-project', 'client-api-token')])
    {
        my $r = $t->request(uri => $GROUPS,
            headers => [Host => 'recorder', @$_]);
        refused_is($_->[1] // 'no credentials', $r, 401,
            $error->($r, 'UNAUTHORIZED'));
    }

    my $r = call('scoped', 'POST', $GROUPS, json => {name => 'a'});
    refused_is('a scope that the client does not have', $r, 403,
        $error->($r, 'UNAUTHORIZED'));

    for ('/api/group', '/api', '/groups', "$GROUPS/$ID/members/1/2/3",
        "$GROUPS/$ID/destroy/x", '/api/login')
    {
        $r = call('recorder', 'GET', $_);
        refused_is("$_ is not there", $r, 404, $error->($r, 'UNKNOWN'));
    }

    # there are only GET and POST
    for (['PUT', "$GROUPS/$ID", 'GET, POST'], ['DELETE', $GROUPS, 'GET, POST'],
        ['GET', "$GROUPS/$ID/destroy", 'POST'])
    {
        my ($method, $path, $allow) = @$_;
        $r = call('recorder', $method, $path);
        refused_is("$method $path", $r, 405, $error->($r, 'UNKNOWN'));
        is($r->header('Allow'), $allow, 'Allow');
    }
};


subtest 'unknown fields go along' => sub {
    my $body = '{"name":"a","new":{"x":[1.50,null,true]},"outbound_caller_ids"'
        . ':[{"provider_id":"p","caller_id":"1","new":12345678901234567890}],'
        . '"description":"\u00e9"}';

    $recorder->answer([201, ['Content-Type' => 'application/json'],
        json_encode({id => $ID})]);
    is(call('recorder', 'POST', $GROUPS, body => $body,
            headers => ['Content-Type' => 'Application/JSON ; charset=utf-8'])
        ->status, 201, 'accepted');

    my $strict = JSON::PP->new->utf8->allow_bignum;
    is_deeply($strict->decode($recorder->last->body),
        $strict->decode($body), 'the same value');
    like($recorder->last->body, qr/\[1\.50,/, 'numbers as they are');
    $recorder->clear;
};

subtest 'answers come back byte for byte' => sub {
    my $body = qq({ "items":[ {"id":"$ID","name":"\\u00e9","description":null)
        . qq(,"n":1e2}],\n"count":12345678901234567,"more":{}});
    my $type = 'application/json; charset=utf-8';

    $recorder->answer([200, ['Content-Type' => $type], $body]);
    my $r = call('recorder', 'GET', $GROUPS);
    answers_in($r, 200, $type, 'list');
    is($r->body, $body, 'the same bytes');

    for my $status (400, 403, 404, 409, 422) {
        my $text = '{"errors": [{"code":"NEW","message":"m",'
            . "\"detail\":[$status]}]}";
        $recorder->answer([$status, ['Content-Type' => $type], $text]);
        $r = call('recorder', 'POST', "$GROUPS/$ID", json => {name => 'a'});
        answers_in($r, $status, $type, $status);
        is($r->body, $text, "$status: the same bytes");
    }
    $recorder->clear;
};

$t->stop;
done_testing;
