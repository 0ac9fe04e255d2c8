# SignalWire in front of SignalWire: the documents' own examples, the vendor's
# rules and errors, and what goes through untouched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Same;
use Test::Gateway::Vendors qw(answer_is answers_in json_is);

my $GROUPS  = '/api/relay/rest/number_groups';
my $MEMBERS = '/api/relay/rest/number_group_memberships';
my $NUMBER  = '3fa85f64-5717-4562-b3fc-2c963f66afa6';
my $UUID    = qr/\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/;
my $TIME    = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my $t        = Test::Gateway->new;
my $emulator = $t->emulator('signalwire');
my $older    = $t->emulator('signalwire', 'create-status' => 201);

my $same = Test::Gateway::Same->new($t, 'signalwire',
    vendor   => {url => $emulator->url},
    older    => {url => $older->url},
    recorder => {},
    spaced   => {more =>
        'group_base_path /space; group_upstream_base_path /v2/x;'},
);
my $recorder = $same->recorder;

sub call       { return $same->call(@_) }
sub refused_is { return $same->refused_is(@_) }

sub problem {
    my ($detail, $code) = @_;
    return {
        detail => $detail,
        status => '422',
        title  => 'Invalid Attribute',
        code   => $code // 'invalid_parameter',
    };
}

my $blank = 'missing_required_parameter';


subtest 'the example of "create number group"' => sub {
    for my $body ('{"name":"My Number Group"}',
        qq({\n  "name": "My Number Group"\n}))
    {
        $emulator->clear;
        my $r = call('vendor', 'POST', $GROUPS, body => $body,
            headers => ['Content-Type' => 'application/json']);

        my $id = ($r->json // {})->{id};
        like($id, $UUID, 'a UUID');
        is($r->status, 200, 'status');
        like($r->header('Content-Type'), qr{^application/json}, 'JSON');
        json_is($r->body, {
            id                 => $id,
            name               => 'My Number Group',
            sticky_sender      => $false,
            phone_number_count => 0,
        }, 'the four that are always there');
        is($r->header('Group-Lost'), undef, 'nothing is lost');

        my ($call) = $emulator->journal;
        json_is($call->{body}, {name => 'My Number Group'}, 'upstream');
    }
};

subtest 'the example of "create a number group membership"' => sub {
    my $group = call('vendor', 'POST', $GROUPS,
        json => {name => 'with numbers'})->json->{id};
    my $path = "$GROUPS/$group/number_group_memberships";

    $emulator->clear;
    my $r = call('vendor', 'POST', $path,
        body    => qq({"phone_number_id":"$NUMBER"}),
        headers => ['Content-Type' => 'application/json']);

    my $data = $r->json // {};
    like($data->{id}, $UUID, 'a UUID');
    like($data->{$_}, $TIME, $_) for qw(created_at updated_at);
    is($r->status, 200, 'status');
    json_is($r->body, {
        id              => $data->{id},
        number_group_id => $group,
        created_at      => $data->{created_at},
        updated_at      => $data->{updated_at},
        phone_number    => {
            id           => $NUMBER,
            name         => 'Number 0',
            number       => '+15550000000',
            capabilities => [qw(voice sms mms fax)],
        },
    }, 'as in the document');

    my ($call) = $emulator->journal;
    is("$call->{method} $call->{target}", "POST $path", 'upstream: path');
    json_is($call->{body}, {phone_number_id => $NUMBER}, 'upstream: body');

    $r = call('vendor', 'POST', "$GROUPS/$NUMBER/number_group_memberships",
        json => {phone_number_id => $NUMBER});
    is($r->status, 404, 'an unknown group');
    json_is($r->body, {error => 'Not Found'}, 'and its body');
};

subtest 'both statuses of a create are read, and one is written' => sub {
    my $r = call('older', 'POST', $GROUPS, json => {name => 'old'});
    is($r->status, 200, 'a group');

    my $path = "$GROUPS/" . $r->json->{id} . '/number_group_memberships';
    $r = call('older', 'POST', $path, json => {phone_number_id => $NUMBER});
    is($r->status, 200, 'a membership');
    is(($older->journal)[-1]{status}, 201, 'made with 201');
};

subtest 'all calls of the vendor' => sub {
    $emulator->reset;

    my $id = call('vendor', 'POST', $GROUPS,
        json => {name => 'one', sticky_sender => $true})->json->{id};
    call('vendor', 'POST', $GROUPS, json => {name => 'two'});

    my $group = {id => $id, name => 'one', sticky_sender => $true,
        phone_number_count => 0};

    my $r = call('vendor', 'GET', "$GROUPS/$id");
    is($r->status, 200, 'get');
    json_is($r->body, $group, 'get');

    $r = call('vendor', 'PUT', "$GROUPS/$id",
        json => {name => 'uno', sticky_sender => $false});
    is($r->status, 200, 'update');
    json_is($r->body, {%$group, name => 'uno', sticky_sender => $false},
        'update');

    $emulator->clear;
    $r = call('vendor', 'GET',
        "$GROUPS?filter_name=u%20n%26o&page_size=1&page_number=0");
    is($r->status, 200, 'list');
    is(($emulator->journal)[0]{query},
        'filter_name=u%20n%26o&page_size=1&page_number=0', 'its query');

    $r = call('vendor', 'GET', "$GROUPS?page_size=1");
    my $list = $r->json;
    is($list->{data}[0]{name}, 'two', 'the newest first');
    like($list->{links}{next}, qr{^\Q$GROUPS\E\?.*page_token=PA},
        'a link to the next page');

    $r = call('vendor', 'GET', $list->{links}{next});
    is($r->json->{data}[0]{name}, 'uno', 'which can be followed');
    is($r->json->{links}{next}, undef, 'to the end');

    my $path = "$GROUPS/$id/number_group_memberships";
    my $member = call('vendor', 'POST', $path,
        json => {phone_number_id => $NUMBER})->json;

    $r = call('vendor', 'GET', "$path?page_size=10");
    is($r->status, 200, 'memberships');
    is($r->json->{data}[0]{phone_number}{id}, $NUMBER, 'with the number');

    $r = call('vendor', 'GET', "$MEMBERS/$member->{id}");
    is($r->status, 200, 'one membership');
    json_is($r->body, $member, 'as it was made');

    for my $gone ("$MEMBERS/$member->{id}", "$GROUPS/$id") {
        $r = call('vendor', 'DELETE', $gone);
        is($r->status, 204, 'deleted');
        is($r->body,   '',  'no body');
        is($r->header($_), undef, "no $_")
            for qw(Content-Type Content-Length Transfer-Encoding);

        $r = call('vendor', 'GET', $gone);
        is($r->status, 404, 'not found any more');
        json_is($r->body, {error => 'Not Found'}, 'and its body');
    }
};


subtest 'what is invalid is 422, all of it at once' => sub {
    my $post = sub { call('recorder', 'POST', $GROUPS, json => $_[0]) };

    my $no_name = problem(q{Name can't be blank}, $blank);

    refused_is('no name', $post->({}), 422, {errors => [$no_name]});
    refused_is('null', $post->({name => undef}), 422,
        {errors => [$no_name]});
    refused_is('empty', $post->({name => ''}), 422, {errors => [$no_name]});
    refused_is('blank', $post->({name => " \t\n"}), 422,
        {errors => [$no_name]});

    refused_is('too long', $post->({name => 'n' x 256}), 422, {errors => [
        problem('Name is too long (maximum is 255 characters)')]});

    for (
        ['a number as name', {name => 5}, qr/name/i],
        ['a list as name',   {name => ['a']}, qr/name/i],
        ['text as boolean',
            {name => 'a', sticky_sender => 'true'}, qr/sticky.sender/i],
        ['1 as boolean', {name => 'a', sticky_sender => 1}, qr/sticky.sender/i],
        ['an object as boolean',
            {name => 'a', sticky_sender => {}}, qr/sticky.sender/i],
    ) {
        my ($name, $body, $field) = @$_;
        my $r = $post->($body);
        my $errors = ($r->json // {})->{errors};
        refused_is($name, $r, 422,
            {errors => [problem($errors->[0]{detail})]});
        like($errors->[0]{detail}, $field, "$name: naming it");
    }

    my $r = $post->({sticky_sender => 'yes'});
    my $errors = ($r->json // {})->{errors};
    is(scalar(@$errors), 2, 'two problems');
    refused_is('two problems', $r, 422,
        {errors => [$no_name, problem($errors->[1]{detail})]});
    like($r->body, qr/"status":"422"/, 'the status is text');

    # the same rules for an update
    refused_is('update without a name',
        call('recorder', 'PUT', "$GROUPS/$NUMBER",
            json => {sticky_sender => $true}),
        422, {errors => [$no_name]});
};

subtest 'what is just right' => sub {
    my $answer = json_encode({id => $NUMBER, name => 'x',
        sticky_sender => $false, phone_number_count => 0});
    my $json = ['Content-Type' => 'application/json'];

    for ({name => 'n' x 255}, {name => "\x{e9}" x 255},
        {name => 'a', sticky_sender => undef}, {name => ' a '})
    {
        $recorder->clear;
        $recorder->answer([200, $json, $answer]);
        my $r = call('recorder', 'POST', $GROUPS, json => $_);
        is($r->status, 200, 'accepted');
        json_is($recorder->last->body, $_, 'and sent as it is');
    }
    $recorder->clear;
};

subtest 'phone_number_id has to be a UUID' => sub {
    my $path = "$GROUPS/$NUMBER/number_group_memberships";

    for ({}, {phone_number_id => undef}, {phone_number_id => ''},
        {phone_number_id => '5'}, {phone_number_id => 5},
        {phone_number_id => "$NUMBER "}, {phone_number_id => "{$NUMBER}"},
        {phone_number_id => $NUMBER =~ tr/-//dr},
        {phone_number_id => 'zfa85f64-5717-4562-b3fc-2c963f66afa6'},
        {phone_number_id => "\x13fa85f6\x14-5717-4562-b3fc-2c963f66afa6"})
    {
        my $r      = call('recorder', 'POST', $path, json => $_);
        my $errors = ($r->json // {})->{errors};
        my $code   = length($_->{phone_number_id} // '')
            ? 'invalid_parameter' : $blank;

        my $name = json_encode($_);
        refused_is($name, $r, 422,
            {errors => [problem($errors->[0]{detail}, $code)]});
        like($errors->[0]{detail}, qr/phone.number/i, "$name: naming it");
    }
};

subtest 'queries' => sub {
    for ('page_size=0', 'page_size=1001', 'page_size=x', 'page_size=',
        'page_number=-1', 'page_number=1.5', 'filter_name=' . 'x' x 256)
    {
        my ($field) = /^(\w+)/;
        my $r      = call('recorder', 'GET', "$GROUPS?$_");
        my $errors = ($r->json // {})->{errors};
        my $short = substr $_, 0, 20;
        refused_is($short, $r, 422,
            {errors => [problem($errors->[0]{detail})]});
        my $label = $field =~ tr/_/./r;
        like($errors->[0]{detail}, qr/$label/i, "$short: naming it");
    }

    my $list = json_encode({data => [], links =>
            {self => $GROUPS, first => $GROUPS}});

    for ('page_size=1', 'page_size=1000', 'page_number=0',
        'filter_name=' . 'x' x 255, 'page_token=PA0%2B%2F', 'other=kept',
        'filter_name=%C3%A9+x')
    {
        $recorder->answer([200, ['Content-Type' => 'application/json'],
            $list]);
        my $short = substr $_, 0, 20;
        my $r = call('recorder', 'GET', "$GROUPS?$_");
        is($r->status, 200, "$short: accepted");
        my $sent = $recorder->last->uri;
        is($sent, "$GROUPS?" . s/\+/%20/r, "$short: sent");
    }
    $recorder->clear;
};


subtest 'bodies that are none' => sub {
    for ('', '{', '{"name":"a"', '{"name":"a"}x', '[]', '"a"', 'null', '1',
        '{"name":"a","name":"b"}', "{\"name\":\"\xff\"}",
        '{"name":"\ud800"}', "{'name':'a'}", '{"name":"a",}')
    {
        refused_is("'$_'", call('recorder', 'POST', $GROUPS, body => $_,
                headers => ['Content-Type' => 'application/json']),
            400, {error => 'Bad Request'});
    }
};

subtest 'who is not known, and what is not there' => sub {
    for ([], [Authorization => 'Basic x'], [Authorization => 'Bearer x'],
        [Authorization => $t->basic('client-project', 'wrong')],
        [Authorization => $t->basic('wrong', 'client-api-token')])
    {
        my $r = $t->request(method => 'POST', uri => $GROUPS,
            headers => [Host => 'recorder', @$_], json => {name => 'a'});
        refused_is($_->[1] // 'no credentials', $r, 401,
            {error => 'Unauthorized'});
    }

    refused_is('an unknown path', call('recorder', 'GET',
            '/api/relay/rest/numbers'), 404, {error => 'Not Found'});
    refused_is('below no base path', call('recorder', 'GET',
            '/number_groups'), 404, {error => 'Not Found'});
    refused_is('another case', call('recorder', 'GET',
            '/api/relay/rest/Number_groups'), 404, {error => 'Not Found'});

    my $r = call('recorder', 'PATCH', "$GROUPS/$NUMBER",
        json => {name => 'a'});
    refused_is('there is no PATCH', $r, 405, {error => 'Method Not Allowed'});
    is_deeply([sort split /, /, $r->header('Allow') // ''],
        [qw(DELETE GET PUT)], 'Allow');
};


# What was checked is what is sent; what is not known is kept.
subtest 'unknown fields go along' => sub {
    my $body = '{"z":[1,{"a":null}],"name":"\u00e9\n\"","big":'
        . '12345678901234567890.10,"sticky_sender":true,"e":1e400,'
        . '"empty":{},"":"x"}';

    $recorder->answer([200, ['Content-Type' => 'application/json'], '{}']);
    call('recorder', 'POST', $GROUPS, body => $body,
        headers => ['Content-Type' => 'application/json; charset=utf-8']);

    my $sent = $recorder->last;
    is($sent->header('Content-Type'), 'application/json', 'media type');
    is($sent->header('Content-Length'), length $sent->body, 'length');

    like($sent->body, qr/"big":12345678901234567890\.10[,\}]/,
        'numbers keep their digits');
    like($sent->body, qr/"e":1e400[,\}]/, 'however large');
    my $strict = JSON::PP->new->utf8->allow_bignum;
    is_deeply($strict->decode($sent->body), $strict->decode($body),
        'the same value');
    $recorder->clear;
};

subtest 'answers come back byte for byte' => sub {
    for (
        qq({ "id" : "$NUMBER",\n\t"name":"caf\\u00e9 \xe2\x98\x8e", )
        . '"sticky_sender":false,"phone_number_count":0,"n":1.50,'
        . '"new_field":[null]}' . "\n",
        qq({"phone_number_count":0,"sticky_sender":true,"name":"",)
        . qq("id":"$NUMBER"}),
    ) {
        $recorder->answer([200,
            ['Content-Type' => 'application/json;charset="utf-8"; v=1'],
            $_]);
        my $r = call('recorder', 'GET', "$GROUPS/$NUMBER");
        answers_in($r, 200, 'application/json;charset="utf-8"; v=1', 'get');
        is($r->body, $_, 'the same bytes');
    }

    # all that the vendor says of a request is told in its own words
    my $body = json_encode({errors => [
        {detail => 'one', status => '422', title => 't', code => '422'},
        {detail => 'two', status => '422', title => 't', code => 'x'},
    ], more => 1});
    $recorder->answer([422, ['Content-Type' => 'application/json'], $body]);
    my $r = call('recorder', 'POST', $GROUPS, json => {name => 'a'});
    answers_in($r, 422, 'application/json', 'errors');
    is($r->body, $body, 'the same bytes');
    $recorder->clear;
};

subtest 'what is no answer of the vendor is not passed on' => sub {
    for (
        [200, 'application/json', '{"id":1}'],
        [200, 'application/json', '[]'],
        [200, 'application/json', '{'],
        [200, 'text/html',        '<html>'],
        [200, 'application/json', ''],
        [202, 'application/json', '{}'],
    ) {
        my ($status, $type, $body) = @$_;
        $recorder->answer([$status, ['Content-Type' => $type], $body]);
        answer_is(call('recorder', 'GET', "$GROUPS/$NUMBER"), 'signalwire',
            502, {error => 'Bad Gateway'}, "$status $type '$body'");
    }
    $recorder->clear;
};

subtest 'other base paths' => sub {
    $recorder->answer([200, ['Content-Type' => 'application/json'],
        json_encode({id => $NUMBER, name => 'a', sticky_sender => $false,
            phone_number_count => 0})]);
    my $r = call('spaced', 'GET', "/space/number_groups/$NUMBER");
    is($r->status, 200, "below the gateway's");
    is($recorder->last->uri, "/v2/x/number_groups/$NUMBER",
        "and the upstream's");
    $recorder->clear;

    refused_is("the vendor's own", call('spaced', 'GET', "$GROUPS/$NUMBER"),
        404, {error => 'Not Found'});
};

$t->stop;
done_testing;
