# FaxFinder in front of FaxFinder: the documents' own example, XML in and XML
# out, the owner in the path, and what goes through untouched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Gateway;
use Test::Gateway::Same;
use Test::Gateway::Vendors
    qw(answer_is answers_in group_body xml_is xml_tree);

my $GROUPS = '/ffws/v1/contact_groups';

my $t        = Test::Gateway->new;
my $emulator = $t->emulator('faxfinder');

# who is limited to containers of their own
my $limited = $t->credentials('limited.json', {
    type => 'basic', id => 'clerk', secret => 'pass', principal => 'clerk',
    scopes => [], containers => ['alice', 'global_contact_list'],
});

my $same = Test::Gateway::Same->new($t, 'faxfinder',
    vendor   => {url => $emulator->url},
    recorder => {},
    limited  => {open => 1, more => "group_credentials $limited;"},
);
my $recorder = $same->recorder;

sub call {
    my ($server, $method, $uri, %option) = @_;
    return $same->call($server, $method, $uri,
        $server eq 'limited' ? (auth => ['clerk', 'pass']) : (), %option);
}

sub xml_body {
    my ($body, $type) = @_;
    return (body => $body, headers => ['Content-Type' => $type
            // 'application/xml']);
}

sub group {
    my ($inside) = @_;
    return '<?xml version="1.0" encoding="UTF-8"?>'
        . "<contact_group>$inside</contact_group>";
}

sub message { return [response => [[message => $_[0]]]] }

sub refused_is {
    my ($name, $r, $status, $message) = @_;

    return $same->refused_is($name, $r, $status,
        message($message // $r->xpath('/response/message')));
}

# The document's, but for its typographic quotes.
my $example = <<'END';
<?xml version="1.0" encoding="UTF-8"?>
<contact_group>
	<name>New Group from API</name>
	<description>Can I create one from the API</description>
	<contact>https://dot3/ffws/v1/contacts/admin/23</contact>
	<contact>https://dot3/ffws/v1/contacts/admin/24</contact>
	<contact>https://dot3/ffws/v1/contacts/admin/25</contact>
	<contact>https://dot3/ffws/v1/contacts/admin/26</contact>
</contact_group>
END

my @fields = (
    [name        => 'New Group from API'],
    [description => 'Can I create one from the API'],
    map { [contact => "https://dot3/ffws/v1/contacts/admin/$_"] } 23 .. 26
);


subtest 'the example of "creating a new group"' => sub {
    my $r = call('vendor', 'POST', "$GROUPS/admin", xml_body($example));

    answer_is($r, 'faxfinder', 200, [response => [
        [message       => 'Created'],
        [contact_group => [
            [contact_group_url =>
                    'https://dot3/ffws/v1/contact_groups/admin/1'],
            @fields,
        ]],
    ]], 'as in the document');

    my ($call) = $emulator->journal;
    is("$call->{method} $call->{target}", "POST $GROUPS/admin",
        'upstream: path');
    is($call->{headers}{'content-type'}, 'application/xml',
        'upstream: media type');
    xml_is($call->{body}, [contact_group => \@fields], 'upstream: body');

    # some clients say it like this
    $r = call('vendor', 'POST', "$GROUPS/admin",
        xml_body($example, 'text/xml; charset=utf-8'));
    is($r->status, 200, 'text/xml');
    is($r->header('Content-Type'), 'application/xml', 'its answer');
    is(($emulator->journal)[-1]{headers}{'content-type'}, 'application/xml',
        'and upstream');
};

subtest "the document's own bytes are not well-formed" => sub {
    my $quote       = "\xe2\x80\x9d";
    my $typographic = $example;
    $typographic =~ s/"/$quote/g;
    refused_is('typographic quotes',
        call('recorder', 'POST', "$GROUPS/admin", xml_body($typographic)),
        400);
};

subtest 'all calls of the vendor about groups' => sub {
    $emulator->reset;
    call('vendor', 'POST', "$GROUPS/alice", xml_body($example));
    call('vendor', 'POST', "$GROUPS/alice",
        group_body('faxfinder', {name => 'two', description => 'a & b'}));

    my $one = [contact_group => [
        [contact_group_url => 'https://dot3/ffws/v1/contact_groups/alice/1'],
        @fields]];

    answer_is(call('vendor', 'GET', "$GROUPS/alice/1"), 'faxfinder', 200,
        [response => [[message => 'Success'], $one]], 'get');

    my $query = 'limit=1&offset=0&name=from%20API&description=one&order=name';
    answer_is(call('vendor', 'GET', "$GROUPS/alice?$query"), 'faxfinder', 200,
        [response => [[message => 'Success'], $one]], 'list');
    is(($emulator->journal)[-1]{query}, $query, 'its query');

    my $r = call('vendor', 'GET', "$GROUPS/alice");
    is($r->xml->findvalue('count(//contact_group)'), 2, 'list, without');

    # the URL of a group may be sent back and counts for nothing
    answer_is(call('vendor', 'PUT', "$GROUPS/alice/2",
            xml_body(group('<contact_group_url>https://dot3/ffws/v1/'
                    . 'contact_groups/alice/9</contact_group_url>'
                    . '<name>zwei</name>'))),
        'faxfinder', 200, message('Modified'), 'edit');
    is(call('vendor', 'GET', "$GROUPS/alice/2")->xpath('//name'), 'zwei',
        'was done');

    answer_is(call('vendor', 'DELETE', "$GROUPS/alice/2"), 'faxfinder', 200,
        message('Deleted'), 'delete');
    answer_is(call('vendor', 'GET', "$GROUPS/alice/2"), 'faxfinder', 404,
        message('Not Found'), 'is gone');

    answer_is(call('vendor', 'GET', "$GROUPS/bob"), 'faxfinder', 200,
        message('Success'), 'nothing to list');
};

subtest 'the owner' => sub {
    answer_is(call('vendor', 'GET', "$GROUPS/global_contact_list"),
        'faxfinder', 200, message('Success'), 'the global list');
    answer_is(call('vendor', 'POST', "$GROUPS/nobody", xml_body($example)),
        'faxfinder', 404, message('Not Found'), 'an unknown one');

    for my $path ("$GROUPS/bob", "$GROUPS/bob/1", "$GROUPS/Alice",
        "$GROUPS/alice%20")
    {
        refused_is("$path, of somebody else", call('limited', 'GET', $path),
            403, 'Forbidden');
    }
    refused_is('written to', call('limited', 'POST', "$GROUPS/bob",
            xml_body($example)), 403, 'Forbidden');

    $recorder->answer([200, ['Content-Type' => 'application/xml'],
        '<response><message>Success</message></response>']);
    is(call('limited', 'GET', "$GROUPS/alice")->status, 200, 'of their own');
    $recorder->clear;

    for my $path ($GROUPS, "$GROUPS/", '/ffws/v1/contacts', '/ffws/v1',
        "$GROUPS/alice/", "$GROUPS/alice/1/2", '/ffws/v2/contact_groups/alice')
    {
        refused_is("$path is none", call('recorder', 'GET', $path), 404);
    }
};


subtest 'XML that is none is 400' => sub {
    for (
        ['nothing',       ''],
        ['blanks',        "  \n"],
        ['no XML',        'hello'],
        ['JSON',          '{"name":"a"}'],
        ['not closed',    '<contact_group><name>a</name>'],
        ['crossed',       '<contact_group><name>a</contact_group></name>'],
        ['two roots',     group('<name>a</name>') . '<x/>'],
        ['trailing text', group('<name>a</name>') . 'x'],
        ['an unknown entity', group('<name>&who;</name>')],
        ['a bare ampersand',  group('<name>a & b</name>')],
        ['not UTF-8',         group("<name>\xff</name>")],
        ['a NUL',             group("<name>a\0b</name>")],
        ['a control character', group('<name>&#7;</name>')],
        ['a document type',
            '<!DOCTYPE contact_group><contact_group><name>a</name>'
                . '</contact_group>'],
        ['entities of its own', '<!DOCTYPE contact_group [<!ENTITY a "b">]>'
                . '<contact_group><name>&a;</name></contact_group>'],
        ['an external entity',
            '<!DOCTYPE contact_group [<!ENTITY a SYSTEM "file:///etc/passwd">'
                . ']><contact_group><name>&a;</name></contact_group>'],
    ) {
        my ($name, $body) = @$_;
        refused_is($name,
            call('recorder', 'POST', "$GROUPS/alice", xml_body($body)), 400);
    }
};

subtest 'XML that is no group is 400' => sub {
    for (
        ['another root', '<group><name>a</name></group>', qr/contact_group/],
        ['no name',      group('<description>a</description>'), qr/name/],
        ['an empty group',   group(''), qr/name/],
        ['an empty name',    group('<name></name>'), qr/name/],
        ['an empty element', group('<name/>'), qr/name/],
        ['a blank name',     group('<name>  </name>'), qr/name/],
        ['two names', group('<name>a</name><name>b</name>'), qr/name/],
        ['elements in the name', group('<name><b>a</b></name>'), qr/name/],
        ['elements in a contact',
            group('<name>a</name><contact><b/></contact>'), qr/contact/],
        ['a contact that is no URL',
            group('<name>a</name><contact>23</contact>'), qr/contact/],
    ) {
        my ($name, $body, $field) = @$_;
        my $r = call('recorder', 'POST', "$GROUPS/alice", xml_body($body));
        like($r->xpath('/response/message'), $field, "$name: is named");
        refused_is($name, $r, 400);
    }

    # all at once
    my $r = call('recorder', 'POST', "$GROUPS/alice", xml_body(
        group('<contact>x</contact><contact>y</contact>')));
    my $message = $r->xpath('/response/message');
    like($message, $_, "$_") for qr/name/, qr/contact\[0\]/, qr/contact\[1\]/;
    refused_is('three problems', $r, 400);
};

subtest 'the same group, written in other ways' => sub {
    my $answer = [200, ['Content-Type' => 'application/xml'],
        '<response><message>Created</message><contact_group>'
            . '<contact_group_url>https://dot3/ffws/v1/contact_groups/alice/1'
            . '</contact_group_url><name>n</name></contact_group></response>'];
    my $contact = 'https://dot3/ffws/v1/contacts/alice/1';

    for (
        ['no declaration', '<contact_group><name>a&amp;b</name>'
                . "<contact>$contact</contact></contact_group>"],
        ['CDATA', "<contact_group><name><![CDATA[a&b]]></name>"
                . "<contact>$contact</contact></contact_group>"],
        ['character references', '<contact_group><name>&#x61;&#38;&#98;'
                . "</name><contact>$contact</contact></contact_group>"],
        ['comments and instructions', "<!-- x --><?y z?><contact_group>\n"
                . "<!-- - -->\n<name>a<!-- -->&amp;b</name>\n<contact>$contact"
                . "</contact>\n</contact_group>\n<!-- -->"],
        ['a byte order mark', "\xef\xbb\xbf<contact_group><name>a&amp;b"
                . "</name><contact>$contact</contact></contact_group>"],
    ) {
        my ($name, $body) = @$_;
        $recorder->answer($answer);
        my $r = call('recorder', 'POST', "$GROUPS/alice", xml_body($body));
        is($r->status, 200, "$name: accepted") or diag($r->body);
        my $last = $recorder->last;
        xml_is($last->body, [contact_group => [
            [name => 'a&b'], [contact => $contact]]], "$name: sent");
        is($last->header('Content-Length'), length $last->body,
            "$name: length");
        $recorder->clear;
    }

    # what is not known is kept, and text as it is
    $recorder->answer($answer);
    my $name = "\xc3\xa9 <&>\"' ]]> \xe2\x98\x8e";
    call('recorder', 'POST', "$GROUPS/alice", group_body('faxfinder', [
        [extra => 'x'], [name => $name], [description => ''],
        [extra => 'y'],
    ]));
    my $last = $recorder->last;
    utf8::decode($name);
    is_deeply(
        [sort map { join '=', @$_ } @{xml_tree($last->body)->[1]}],
        [sort 'extra=x', "name=$name", 'description=', 'extra=y'],
        'unknown elements and odd text'
    );
    $recorder->clear;
};


subtest 'who is not known' => sub {
    for ([], [Authorization => 'Basic x'], [Authorization => 'Bearer x'],
        [Authorization => $t->basic('client-user', 'wrong')])
    {
        my $r = $t->request(method => 'POST', uri => "$GROUPS/alice",
            body => $example, headers => [Host => 'recorder',
                'Content-Type' => 'application/xml', @$_]);
        refused_is($_->[1] // 'no credentials', $r, 401, 'Unauthorized');
        like($r->header('WWW-Authenticate'), qr/^Basic realm="/, 'asks for');
    }
};

subtest 'wrong methods, wrong media types, wrong queries' => sub {
    my $r = call('recorder', 'DELETE', "$GROUPS/alice");
    refused_is('DELETE', $r, 405, 'Method Not Allowed');
    is($r->header('Allow'), 'GET, POST', 'Allow');

    for ('application/json', 'text/plain', 'application/soap+xml') {
        refused_is($_, call('recorder', 'POST', "$GROUPS/alice",
                xml_body($example, $_)), 415);
    }

    for ('limit=x', 'limit=-1', 'offset=x&limit=1') {
        $r = call('recorder', 'GET', "$GROUPS/alice?$_");
        my ($field) = /^(\w+)/;
        like($r->xpath('/response/message'), qr/\b$field\b/, "$_: is named");
        refused_is($_, $r, 400);
    }
};

subtest 'answers come back byte for byte' => sub {
    my $body = qq(<?xml version='1.0'?>\n<response >\r\n  <message>Success)
        . "</message><!-- x --><contact_group><contact_group_url>https://dot3"
        . '/ffws/v1/contact_groups/alice/1</contact_group_url><name><![CDATA['
        . "a]]></name><new/></contact_group>\n</response>\n\n";

    for my $type ('application/xml', 'text/xml; charset=UTF-8') {
        $recorder->answer([200, ['Content-Type' => $type], $body]);
        my $r = call('recorder', 'GET', "$GROUPS/alice/1");
        answers_in($r, 200, $type, $type);
        is($r->body, $body, "$type: the same bytes");
    }

    for (
        [400, "<response><message>No such\tcontact</message></response>\n"],
        [403, '<response><message>Forbidden</message></response>'],
        [404, '<?xml version="1.0"?><response><message/></response>'],
    ) {
        my ($status, $text) = @$_;
        $recorder->answer([$status, ['Content-Type' => 'text/xml'], $text]);
        my $r = call('recorder', 'DELETE', "$GROUPS/alice/1");
        answers_in($r, $status, 'text/xml', $status);
        is($r->body, $text, "$status: the same bytes");
    }
    $recorder->clear;

    # a device may say no more than the status
    for ([403, 'Forbidden'], [404, 'Not Found'], [400, 'Bad Request']) {
        my ($status, $message) = @$_;
        $recorder->answer([$status, [], '']);
        answer_is(call('recorder', 'GET', "$GROUPS/alice/1"), 'faxfinder',
            $status, message($message), "$status without a body");
    }
    $recorder->clear;
};

$t->stop;
done_testing;
