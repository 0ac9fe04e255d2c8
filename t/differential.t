#!/usr/bin/env perl

# What a client wrote and what goes upstream, each read by a parser that is
# not ours: they say the same, or nothing goes and the client is told so in
# its own dialect. JSON::PP and XML::LibXML (no network, no DTD) are the
# judges; what they read is compared, not bytes.

use strict;
use warnings;

use Encode ();
use JSON::PP ();
use Test::More;
use XML::LibXML ();

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Samples qw(created error_text vendor_of);
use Test::Gateway::Strict qw(strict_json);

# thousands of requests, and none of them is about the configuration
local $ENV{TEST_GROUP_RELOAD} = 0;

my $t = Test::Gateway->new(variables => 0);

my @UPSTREAMS = qw(signalwire vinyldns faxfinder portsip);
my @JSON      = qw(signalwire vinyldns portsip scim);

my %PATH = (
    signalwire => '/number_groups',
    vinyldns   => '/groups',
    faxfinder  => '/contact_groups/alice',
    portsip    => '/groups',
    scim       => '/Groups',
);

my %LIST = (
    signalwire => '{"links":{"self":"/a","first":"/a"},"data":[]}',
    portsip    => '{"items":[]}',
);

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $uri = $request->{uri};

    my $name = vendor_of($uri);

    return created($name) if $request->{method} ne 'GET';
    return [200, ['Content-Type' => 'application/json'], $LIST{$name}]
        if $uri =~ m{/(?:members|number_group_memberships)(?:\?|\z)};
    return [200, ['Content-Type' => 'application/json'],
        '{"id":"NzAwNTUxOTA5NzczMTQ4MTYw","name":"sales"}']
        if $name eq 'portsip';
    return created($name);
});

$t->nginx(
    http   => 'client_max_body_size 8m; keepalive_requests 100000;',
    server => join '', map {
        my $client = $_;
        map { <<"END" } @UPSTREAMS } @JSON, 'faxfinder');
location /$client-$_/ {
    group_dialect $client;
    group_upstream_dialect $_;
    group_base_path /$client-$_;
    group_default owner alice;
    group_default email a\@test.com;
    @{[$_ eq 'vinyldns'
        ? 'group_default members 17; group_default admins 17;' : '']}
    proxy_pass http://@{[$u->address]};
}
END


## the judges

# A value of JSON as an independent parser has it, numbers with all their
# digits; nothing when it has none.
sub read_json {
    my ($bytes) = @_;
    my $value = eval { JSON::PP->new->utf8->allow_bignum->decode($bytes) };
    return if ref $value ne 'HASH';
    return $value;
}

# The text of each element below the root, nothing when there are none.
sub read_xml {
    my ($bytes) = @_;

    # the parser looks at how Perl keeps the bytes
    utf8::downgrade($bytes);

    my $document = eval {
        XML::LibXML->new(no_network => 1, load_ext_dtd => 0,
            expand_entities => 0, huge => 0)->load_xml(string => $bytes);
    } or return;
    return if $document->internalSubset;

    my $root = $document->documentElement;
    return if $root->nodeName ne 'contact_group';
    return if $root->findnodes('//@*|//namespace::*[name() != "xml"]');

    my %text;
    for my $element ($root->findnodes('*')) {
        return if $text{$element->nodeName};
        $text{$element->nodeName} = $element->textContent;
    }

    return \%text;
}

# The name and the description that a body in the words of a dialect has.
sub meaning {
    my ($dialect, $bytes) = @_;

    if ($dialect eq 'faxfinder') {
        my $xml = read_xml($bytes) or return;
        return {map { $_ => $xml->{$_} } grep { length $xml->{$_} // '' }
                qw(name description)};
    }

    my $json = read_json($bytes) or return;
    my $name = $dialect eq 'scim' ? 'displayName' : 'name';
    my %text = (name => $json->{$name}, description => $json->{description});
    delete $text{description} if $dialect =~ /^s/;

    return {map { $_ => $text{$_} } grep { length $text{$_} // '' }
            keys %text};
}

# the shortest form of scalar values only (RFC 3629)
my $UTF8 = qr/\A(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]
    |\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]
    |[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}
    |[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*+\z/x;

# What is sloppy in bytes that were sent, though a parser may read them.
sub sloppy {
    my ($dialect, $bytes) = @_;

    return 'not UTF-8' if $bytes !~ $UTF8;
    return 'a byte order mark' if $bytes =~ /^\xef\xbb\xbf/;
    return 'a NUL' if $bytes =~ /\0/;
    return $bytes =~ /^<\?xml version="1\.0" encoding="UTF-8"\?>/ ? undef
        : 'no declaration' if $dialect eq 'faxfinder';
    return eval { strict_json($bytes); 1 } ? undef : "not strict: $@";
}

sub scim_error {
    my ($r) = @_;
    my $json = $r->json;
    return if ($r->header('Content-Type') // '') !~ m{^application/scim\+json};
    return if ref $json ne 'HASH' || $json->{status} ne $r->status;
    return $json->{detail};
}

# One connection for all of them is quicker.
my $connection;

sub post {
    my ($client, $upstream, $body) = @_;

    $connection = undef
        if $connection && $connection->{eof};
    $connection //= $t->client if !$t->http2;

    $u->clear;

    return $t->post("/$client-$upstream$PATH{$client}", body => $body,
        headers => ['Content-Type' => $client eq 'faxfinder'
            ? 'application/xml' : 'application/json'],
        $connection ? (client => $connection) : ());
}

# Sends a body. What goes has to mean what was written: '=' it has to go,
# '!' it must not, '?' either.
sub judge {
    my ($sign, $client, $upstream, $body, $name) = @_;
    my $whole = $body;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    # UTF-16 that tells itself by its zeros is more than XML demands
    $whole = "\xfe\xff$whole" if $whole =~ /^\0</;
    $whole = "\xff\xfe$whole" if $whole =~ /^<\0/;

    my $what = "$client to $upstream: " . ($name
        // substr $body =~ s/([^ -~])/sprintf '<%02x>', ord $1/ger, 0, 70);

    my $r    = post($client, $upstream, $body);
    my @sent = grep { $_->{method} ne 'GET' } $u->requests;

    # told that it was done, and done
    if ($r->status =~ /^2/) {
        return fail("$what: goes, and must not") || diag($sent[0]{body})
            if $sign eq '!';
        return fail("$what: calls") if @sent != 1;

        my $sloppy = sloppy($upstream, $sent[0]{body});
        return fail("$what: $sloppy") || diag($sent[0]{body}) if $sloppy;

        my $want = meaning($client, $whole);
        my $got  = meaning($upstream, $sent[0]{body});
        delete @{$_}{'description'}
            for grep { $_ && ($client . $upstream) =~ /s(?:ignalwire|cim)/ }
            $want, $got;
        return is_deeply($got, $want, "$what: means the same")
            || diag("wrote: $body\nsent: $sent[0]{body}");
    }

    my $text = $client eq 'scim' ? scim_error($r) : error_text($client, $r);

    return fail("$what: is refused with " . $r->status) || diag($r->body)
        if $sign eq '=' || $r->status !~ /^4/;
    return fail("$what: is refused, but was sent") || diag($sent[0]{body})
        if @sent;
    return ok(defined $text, "$what: refused in its dialect")
        || diag($r->raw, $r->body);
}


## bodies

# A group with the name, or the members of its object, as they are written.
sub json_body {
    my ($client, $name, $more) = @_;

    my $key = $client eq 'scim' ? 'displayName' : 'name';
    my $own = $client eq 'vinyldns'
        ? '"email":"a@test.com","members":[],"admins":[],'
        : '';

    return "{$own\"$key\":$name" . (defined $more ? ",$more" : '') . '}';
}

sub xml_body { return "<contact_group><name>$_[0]</name></contact_group>" }

# To each upstream in turn, so that all meet all without being asked twice.
my $turn = 0;

sub each_json {
    my ($sign, $name, $more, $change) = @_;

    for my $client (@JSON) {
        my $body = json_body($client, $name, $more);
        $body = $change->($body) if $change;
        judge($sign, $client, $UPSTREAMS[$turn++ % 4], $body);
        judge($sign, $client, $client, $body) if $client ne 'scim';
    }

    $turn++;
    return;
}

sub each_xml {
    my ($sign, $body) = @_;

    judge($sign, 'faxfinder', $_, $body) for @UPSTREAMS;
    return;
}


subtest 'texts of JSON' => sub {
    for my $case (
        # escapes
        ['=', '"a\"b\\\\c\/d"'], ['=', '"\u0041\u00e9\u20AC\u20ac"'],
        ['=', '"\ud83d\ude00"'], ['=', '"\uD83D\uDE00\uDBFF\uDFFD"'],
        ['=', '"a\tb\nc\rd"'],   ['=', '"\u0009\u000A\u000D"' =~ s/^"/"x/r],
        ['=', '"<b>&amp;\u003c]]>\u003E"'], ['=', '"{\u0022name\u0022:1}"'],
        ['=', '"\\\\u0041"'],    ['=', '"\\\\\\""'],
        ['=', '"\u2028\u2029\ufeff\u200b\u202e"'],
        ['!', '"\u0000"'],       ['!', '"a\u0000b"'],
        ['!', '"\ud800"'],       ['!', '"\udc00"'],
        ['!', '"\ude00\ud83d"'], ['!', '"\ud83dx\ude00"'],
        ['!', '"\ud83d\u0041"'], ['!', '"\ud83d\ud83d"'],
        ['!', '"\ud83d\\n"'],    ['!', '"\x41"'],
        ['!', '"\u004"'],        ['!', '"\u004g"'],
        ['!', '"\U0041"'],       ['!', '"\u+041"'],
        ['!', '"\u{41}"'],       ['!', '"\'"' =~ s/'/\\'/r],
        ['!', '"\a"'],           ['!', '"\0"'],
        ['!', '"a' . "\\\n" . 'b"'],
        # bytes
        ['=', "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""],
        ['=', "\"\xf4\x8f\xbf\xbd\x7f\""], ['=', "\"\xef\xbb\xbfa\""],
        ['!', "\"\xc0\x80\""],             ['!', "\"\xc0\xaf\""],
        ['!', "\"\xc1\xbf\""],             ['!', "\"\xe0\x80\xaf\""],
        ['!', "\"\xe0\x9f\xbf\""],         ['!', "\"\xf0\x80\x80\xaf\""],
        ['!', "\"\xf0\x8f\xbf\xbf\""],     ['!', "\"\xf4\x90\x80\x80\""],
        ['!', "\"\xf8\x88\x80\x80\x80\""], ['!', "\"\xed\xa0\x80\""],
        ['!', "\"\xed\xa0\xbd\xed\xb8\x80\""], ['!', "\"\xff\""],
        ['!', "\"\x80\""], ['!', "\"\xc3\""], ['!', "\"\xe2\x82\""],
        ['!', "\"\xc3\"\xa9\""], ['!', "\"caf\xe9\""],
        ['!', "\"a\0b\""], ['!', "\"a\nb\""], ['!', "\"a\tb\""],
        ['!', "\"a\x1fb\""],
        # no texts
        ['!', '7'], ['!', 'true'], ['!', '["a"]'], ['!', '{"a":"b"}'],
        ['!', 'a'], ['!', '"a'], ['!', 'a"'], ['!', '"a""b"'],
        ['!', '"a" + "b"'], ['!', "'a'"], ['!', '`a`'],
    ) {
        each_json(@$case);
    }
};

# XML has no place for these; JSON has
subtest 'texts that not all can carry' => sub {
    for my $text ('\u0001', '\u0008\f', '\u001f', '\uffff', '\ufffe') {
        for my $client (@JSON) {
            judge($_ eq 'faxfinder' ? '!' : '=', $client, $_,
                json_body($client, "\"a${text}b\"")) for @UPSTREAMS;
        }
    }
};

# What is counted is what is sent, however it is written.
subtest 'lengths' => sub {
    for my $case (
        ['signalwire', 255, '\ud83d\ude00'], ['signalwire', 255, '\u00e9'],
        ['signalwire', 255, "\xf0\x9f\x98\x80"], ['signalwire', 255, '\n'],
        ['portsip', 64, '\ud83d\ude00'], ['portsip', 64, "\xe2\x82\xac"],
        ['vinyldns', 256, '\ud83d\ude00'], ['vinyldns', 256, '\"'],
    ) {
        my ($client, $max, $char) = @$case;
        my $room = $char eq '\n' ? 'x' : '';

        judge('=', $client, $client, json_body($client,
            "\"$room" . $char x ($max - length $room) . '"'),
            "$max of $char");
        judge('!', $client, $client, json_body($client,
            "\"$room" . $char x ($max + 1 - length $room) . '"'),
            'one more');
    }

    judge('=', 'faxfinder', 'portsip', xml_body('&#x1F600;' x 64), '64');
    judge('!', 'faxfinder', 'portsip', xml_body('&#x1F600;' x 65), '65');
};

# {key} is the name's own, {escaped} the same with nothing left as it is
subtest 'keys that stand twice, or are another' => sub {
    for my $case (
        ['!', '"{key}":"b"'], ['!', '"{escaped}":"b"'],
        ['!', '"{key}":"a"'], ['!', '"{key}":null'],
        ['!', '"x":{},"{escaped}":[]'],
        ['!', '"x":1,"x":2'], ['!', '"x":1,"\u0078":1'],
        ['!', '"x":{"y":1,"y":2}'], ['!', '"x":[[{"y":1,"y":2}]]'],
        ['!', '"":1,"":2'], ['!', "\"\xc3\xa9\":1,\"\\u00e9\":2"],
        ['!', '"x\u0000":1'], ['!', '"\ud800":1'], ['!', "\"\xff\":1"],
        ['=', '"{key} ":"b"'], ['=', '" {key}":"b"'],
        ['=', '"x":{"{key}":"b"}'], ['=', '"x":[{"{key}":"b"}]'],
        ['=', '"\uff4eame":"b","n\u0430me":"b"'],
        ['=', '"__proto__":{"name":"b"},"constructor":1'],
        ['=', "\"e\\u0301\":1,\"\xc3\xa9\":2"],
        ['=', '"x":{"y":1},"y":{"y":1}'],
    ) {
        my ($sign, $more) = @$case;

        for my $client (@JSON) {
            my $key = $client eq 'scim' ? 'displayName' : 'name';
            my $escaped = join '', map { sprintf '\u%04x', ord }
                split //, $key;
            my $members = $more =~ s/\{key\}/$key/gr
                =~ s/\{escaped\}/$escaped/gr;

            my $upstream = $client eq 'scim' ? $UPSTREAMS[$turn++ % 4]
                : $client;
            judge($sign, $client, $upstream,
                json_body($client, '"a"', $members));
            judge($sign, $client, $upstream,
                json_body($client, '"a"', $members) =~ s/^\{(.*)\}$/{$1}/sr
                    =~ s/^\{(.*),(\Q$members\E)\}$/{$2,$1}/sr)
                if $sign eq '!';
        }
    }

    # the names of SCIM's attributes do not mind the case, the others' do
    judge('=', $_, $_, json_body($_, '"a"', '"Name":"b","NAME":"c"'))
        for grep { $_ ne 'scim' } @JSON;
};

# The field that nobody knows: it goes on to the same vendor as it is.
sub kept {
    my ($sign, $value) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    each_json($sign, '"a"', "\"more\":$value");
    return if $sign eq '!';

    for my $client (grep { $_ ne 'scim' } @JSON) {
        my $body = json_body($client, '"a"', "\"more\":$value");
        post($client, $client, $body);
        my ($got) = map { read_json($_->{body}) } $u->requests;
        my $json = JSON::PP->new->canonical->allow_nonref->allow_bignum;
        is($json->encode($got->{more}), $json->encode(read_json($body)->{more}),
            "$client keeps " . substr $value, 0, 60);
    }

    return;
}

subtest 'values of JSON' => sub {
    no warnings 'qw';

    kept('=', $_) for qw(0 -0 0.0 -0.0 0e0 -0e-0 1E400 1e400 -1e400 1e-400
        1e+5 0.1 1.0 1.10
        9007199254740993 -9007199254740993 9223372036854775808
        18446744073709551616 1.0000000000000000000000000000000001 null true
        [] {} "" [[]] [{}] {"":{"":[null]}}
        12345678901234567890123456789012345678901234567890e-10
    );
    kept('=', '9' x 1000);
    kept('=', '[ 1 , "a" , { "b" : [ ] } ]');
    kept('=', "\t\r\n [1]\n");
    kept('=', '[' x 30 . ']' x 30);

    # each in a place of its own, so that what is wrong is the value
    each_json('!', '"a"', "\"more\":$_") for (
        qw(01 -01 00 +1 .5 1. -.5 - -- 1e 1e+ 1e1.5 0x10 1_000 NaN nan
            Infinity -Infinity tru TRUE True nil None undefined null1 truefalse
            1true "a"1 [1 1] [1}{ {1} {"a"} {"a":} {:1} {"a":1,} {,"a":1} [,]
            [1,] [,1] {"a":1:2} {a:1} {1:1} {null:1} [1;2] <a/>),
        '1,5', "\xef\xbb\xbf1", "1\0", "\0001", "[1\0]", "\x0b1", "1\x0c",
        "\xc2\xa01",
        "1\xe2\x80\xa8", '1 /* a */', "1 // a\n", "1 # a\n", '1 2', '[1 2]',
        '{"a" 1}', '', ' ', '[', '{', '"', '[[1]', '\u0031', '"\u0031',
    );
    each_json('!', '"a"', "\"more\":" . '[' x 40 . ']' x 40);
    each_json('!', '"a"', "\"more\":" . '{"a":' x 40 . '1' . '}' x 40);
    each_json('!', '"a"', "\"more\":" . '[' x 50_000);
};

sub utf16 {
    my ($text, $template, $mark) = @_;
    return join '', map { pack $template, $_ } ($mark ? 0xfeff : ()),
        map { $_ > 0xffff
            ? (0xd800 + ($_ - 0x10000 >> 10), 0xdc00 + ($_ & 0x3ff)) : $_ }
        map { ord } split //, $text;
}

subtest 'documents of JSON' => sub {
    for my $case (
        ['=', sub { "\n\t\r $_[0]\n\t\r " }],
        ['=', sub { $_[0] =~ s/([{}:,])/ $1\n/gr }],
        ['!', sub { "\xef\xbb\xbf$_[0]" }], ['!', sub { "$_[0]\0" }],
        ['!', sub { "\0$_[0]" }],           ['!', sub { "$_[0]$_[0]" }],
        ['!', sub { "$_[0] $_[0]" }],       ['!', sub { "$_[0]," }],
        ['!', sub { "$_[0]}" }],            ['!', sub { "$_[0]]" }],
        ['!', sub { "{$_[0]" }],            ['!', sub { "$_[0]x" }],
        ['!', sub { "$_[0]\n//x" }],        ['!', sub { "/**/$_[0]" }],
        ['!', sub { "x=$_[0]" }],           ['!', sub { "($_[0])" }],
        ['!', sub { "[$_[0]]" }],           ['!', sub { ")]}',\n$_[0]" }],
        ['!', sub { "$_[0]\xff" }],         ['!', sub { "\x1e$_[0]" }],
        ['!', sub { "$_[0]\xef\xbb\xbf" }], ['!', sub { "$_[0]\x1a" }],
        ['!', sub { substr $_[0], 1 }],
        ['!', sub { substr $_[0], 0, -1 }],
        ['!', sub { utf16($_[0], 'n', 1) }], ['!', sub { utf16($_[0], 'n') }],
        ['!', sub { utf16($_[0], 'v', 1) }], ['!', sub { utf16($_[0], 'v') }],
        ['!', sub { utf16($_[0], 'N') }],    ['!', sub { utf16($_[0], 'V') }],
        ['!', sub { JSON::PP->new->allow_nonref->encode($_[0]) }],
        ['!', sub { $_[0] =~ s/"/'/gr }],
        ['!', sub { $_[0] =~ tr/a-z"/\xc1-\xda\x7f/r }],
        ['!', sub { "<json>$_[0]</json>" }],
        ['!', sub { '<contact_group><name>a</name></contact_group>' }],
        ['!', sub { 'name=a&displayName=a' }],
    ) {
        my ($sign, $change) = @$case;
        each_json($sign, '"a"', undef, $change);
    }
};

subtest 'texts of XML' => sub {
    my $e = "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80";

    for my $case (
        ['=', 'a'], ['=', $e], ['=', ' a  b '], ['=', "a\n\tb"],
        ['=', '&lt;b&gt;&amp;&quot;&apos;'], ['=', '&amp;lt;'],
        ['=', '&#233;&#xe9;&#x20AC;&#8364;&#x1F600;&#0065;'],
        ['=', '&#13;&#10;&#9;a'], ['=', "a\r\nb\rc"],
        ['=', '<![CDATA[<b>&amp;]]>'], ['=', 'a<![CDATA[]]>b'],
        ['=', '<![CDATA[]]]]><![CDATA[>]]>'], ['=', ']]&gt;'],
        ['=', 'a<!-- <b/> &x; -->b'], ['=', 'a<?b <c/> ?>d'],
        ['=', '<!---->a'], ['=', '<?a?>b<!--c-->d<![CDATA[e]]>&#102;'],
        ['=', '<![CDATA[<!-- a -->]]>'], ['=', '<!--<![CDATA[a]]>-->b'],
        ['=', "a\xe2\x80\xa8\xc2\x85b"], ['=', '&#x85;&#x2028;a'],
        ['=', 'a' x 60 . '&#x3042;'],
        ['!', '&#0;'], ['!', '&#x0;'], ['!', '&#1;'], ['!', '&#x1F;'],
        ['!', '&#xD800;'], ['!', '&#xDC00;'], ['!', '&#xD83D;&#xDE00;'],
        ['!', '&#xFFFE;'], ['!', '&#xFFFF;'], ['!', '&#x110000;'],
        ['!', '&#99999999999;'], ['!', '&#-65;'], ['!', '&#+65;'],
        ['!', '&# 65;'], ['!', '&#65'], ['!', '&#x;'], ['!', '&#;'],
        ['!', '&#X41;'], ['!', '&#x4G;'], ['!', '&;'], ['!', '&a'],
        ['!', '&nbsp;'], ['!', '&eacute;'], ['!', '&AMP;'], ['!', '&b;'],
        ['!', '& a'], ['!', '%b;a'], ['!', 'a]]>b'], ['!', '<a'],
        ['!', '<![CDATA[a'], ['!', '<![cdata[a]]>'], ['!', '<![CDATA[a]]'],
        ['!', '<![INCLUDE[a]]>'], ['!', '<!-- a -- b -->'], ['!', '<!--a--->'],
        ['!', '<!a>'], ['!', '<?xml version="1.0"?>a'], ['!', '<?XML a?>a'],
        ['!', '<? a?>b'], ['!', '<?a'],
        ['!', 'a<b/>'], ['!', '<b>a</b>c'], ['!', '<b>a</b>'],
        ['!', '<name>a</name>'],
        ['!', "\0"], ['!', "a\x01"], ['!', "a\x0b"], ['!', "a\x1f"],
        ['!', "\xff"], ['!', "\xc0\xaf"], ['!', "\xe0\x80\xaf"],
        ['!', "\xed\xa0\x80"], ['!', "\xed\xa0\xbd\xed\xb8\x80"],
        ['!', "\xf4\x90\x80\x80"], ['!', "\xf8\x88\x80\x80\x80"],
        ['!', "\xc3"], ['!', "\xe2\x82"], ['!', "\xef\xbf\xbf"],
        ['!', "\xef\xbf\xbe"], ['!', "caf\xe9"],
    ) {
        my ($sign, $text) = @$case;
        # "%b;" is a text where there is no DTD
        each_xml($text =~ /^%/ ? '=' : $sign, xml_body($text));
    }
};

subtest 'documents of XML' => sub {
    my $group = xml_body('a');
    my $text  = "\x{e9}\x{20ac}\x{1f600}";
    my $utf8  = xml_body(Encode::encode('UTF-8', $text));
    my $decl  = sub { "<?xml version=\"1.0\" encoding=\"$_[0]\"?>" };
    my @ents  = map { "<!ENTITY $_>" } '', 'e "b"', '% e "b"',
        'e SYSTEM "file:///etc/passwd"', 'e SYSTEM "http://127.0.0.1:1/"',
        'e PUBLIC "a" "file:///dev/zero"',
        '% e SYSTEM "file:///x"> %e; <!--x--';
    my $laughs = join '', '<!ENTITY a0 "ha">', map {
        "<!ENTITY a$_ \"" . ('&a' . ($_ - 1) . ';') x 10 . '">' } 1 .. 9;

    for my $case (
        # around the group
        ['=', "\n $group \n"], ['=', "<?xml version='1.0'?>\n$group"],
        ['=', "<?xml version=\"1.0\" standalone=\"yes\"?>$group"],
        ['=', "<!-- a --><?b?>$group<?c?><!-- d -->"],
        ['=', "<contact_group\n>\t<name >a</name\n></contact_group >"],
        ['=', "\xef\xbb\xbf$utf8"],
        ['?', "<?xml version=\"1.1\"?>$group"],
        ['!', "<?xml version=\"2.0\"?>$group"],
        ['!', " <?xml version=\"1.0\"?>$group"],
        ['!', "<?xml version=\"1.0\"?><?xml version=\"1.0\"?>$group"],
        ['!', "<?xml encoding=\"UTF-8\"?>$group"],
        ['!', "<?xml?>$group"], ['!', "$group$group"], ['!', "$group x"],
        ['!', "x$group"], ['!', "$group\0"], ['!', "\0$group"],
        ['!', "$group<"], ['!', "$group&#32;"], ['!', "$group<![CDATA[]]>"],
        ['!', "\xef\xbb\xbf\xef\xbb\xbf$group"],
        ['!', substr $group, 0, -1], ['!', substr $group, 1],
        ['!', '{"name":"a"}'], ['!', ''], ['!', ' '], ['!', '<!---->'],

        # a document type, whatever is in it
        ['!', "<!DOCTYPE contact_group>$group"],
        ['!', "<!DOCTYPE contact_group []>$group"],
        ['!', "<!DOCTYPE contact_group SYSTEM \"file:///etc/passwd\">$group"],
        ['!', "<!DOCTYPE a PUBLIC \"a\" \"http://127.0.0.1:1/\">$group"],
        ['!', "<!doctype html>$group"], ['!', "$group<!DOCTYPE a>"],
        ['!', '<!DOCTYPE a [<!ATTLIST name a CDATA "b">]>' . $group],
        ['!', '<!DOCTYPE a [<!ELEMENT name (#PCDATA)>]>' . $group],
        ['!', "<!DOCTYPE a [$laughs]>" . xml_body('&a9;')],
        (map { ['!', "<!DOCTYPE a [$_]>" . xml_body('a&e;')] } @ents),
        (map { ['!', "<!DOCTYPE a [$_]>$group"] } @ents),
        ['!', '<contact_group><!DOCTYPE a><name>a</name></contact_group>'],

        # names that are another's
        ['!', '<contact_group xmlns="urn:a"><name>a</name></contact_group>'],
        ['!', '<contact_group xmlns=""><name>a</name></contact_group>'],
        ['!', '<a:contact_group xmlns:a="urn:a"><name>a</name>'
            . '</a:contact_group>'],
        ['!', '<contact_group><a:name>a</a:name></contact_group>'],
        ['!', '<contact_group><name xmlns="urn:a">a</name></contact_group>'],
        ['!', '<contact_group><name xml:space="preserve">a</name>'
            . '</contact_group>'],
        ['!', '<contact_group a="b"><name>a</name></contact_group>'],
        ['!', '<contact_group><name a="b" a="c">a</name></contact_group>'],
        ['!', '<contact_group name="a"/>'],
        ['!', '<Contact_group><name>a</name></Contact_group>'],
        ['!', '<contact_group><NAME>a</NAME></contact_group>'],
        ['!', '<contact_groups>' . $group . '</contact_groups>'],

        # twice, or beside each other
        ['!', '<contact_group><name>a</name><name>b</name></contact_group>'],
        ['!', '<contact_group><name>a</name><name>a</name></contact_group>'],
        ['!', '<contact_group><name>a</name><name/></contact_group>'],
        ['!', '<contact_group><name>a</name><description>b</description>'
            . '<description>c</description></contact_group>'],
        ['!', '<contact_group>x<name>a</name></contact_group>'],
        ['!', '<contact_group><name>a</name>x</contact_group>'],
        ['!', '<contact_group><name>a</name><![CDATA[x]]></contact_group>'],
        ['!', '<contact_group><name>a</name>&#120;</contact_group>'],
        ['!', '<contact_group><name>a</Name></contact_group>'],
        ['!', '<contact_group><name>a</contact_group></name>'],
        ['=', '<contact_group><!--x--><name>a</name><?x?></contact_group>'],
        ['=', '<contact_group><name>a</name><description>b &amp; c'
            . '</description></contact_group>'],
        ['=', '<contact_group><name>a</name><more><b>c</b></more>'
            . '</contact_group>'],
        ['!', '<contact_group><name>a</name>' . '<b>' x 40 . '</b>' x 40
            . '</contact_group>'],
        ['!', '<a>' x 50_000],

        # other encodings
        ['=', $decl->('UTF-8') . $utf8], ['=', $decl->('utf-8') . $utf8],
        ['=', $decl->('ISO-8859-1') . xml_body("caf\xe9")],
        ['=', $decl->('ISO-8859-1') . xml_body("\xc3\xa9")],
        ['=', $decl->('iso-8859-1') . xml_body("\xa0\xff")],
        ['=', $decl->('US-ASCII') . xml_body('a&#233;')],
        (map { ['=', utf16($decl->('UTF-16') . xml_body($text), $_, 1)] }
            'n', 'v'),
        (map { ['=', utf16(xml_body($text), $_, 1)] } 'n', 'v'),
        ['?', utf16($decl->('UTF-16BE') . xml_body($text), 'n')],
        ['?', utf16($decl->('UTF-16LE') . xml_body($text), 'v')],
        ['?', utf16(xml_body($text), 'n')], ['?', utf16(xml_body($text), 'v')],
        ['!', utf16(xml_body('a'), 'v', 1) . "\0"],
        ['!', utf16(xml_body('a'), 'v', 1) =~ s/a\0/\0\xd8/r],
        ['!', utf16(xml_body('a'), 'v', 1) =~ s/a\0/\0\xdc\0\xd8/r],
        ['!', utf16($decl->('UTF-8') . xml_body('a'), 'v', 1)],
        ['!', $decl->('UTF-16') . $group],
        ['!', $decl->('UTF-8') . xml_body("caf\xe9")],
        ['!', $decl->('US-ASCII') . xml_body("caf\xe9")],
        (map { ['!', $decl->($_) . $group] } qw(UTF-7 UTF-32 EBCDIC-CP-US
            KOI8-R Shift_JIS GB18030 windows-1252 ISO-8859-15 ISO-2022-JP x),
            '', '../x', "UTF-8\0"),
        ['!', join '', map { pack 'N', ord } split //, $group],
    ) {
        each_xml(@$case);
    }
};

# Many, made by rules; the same ones each time.
subtest 'texts by chance' => sub {
    srand 20240102;

    my @ranges = ([0x20, 0x7e], [0x20, 0x7e], [0x41, 0x5a], [0x22, 0x2f],
        [0xa0, 0xff], [0x400, 0x4ff], [0x2000, 0x206f], [0xe000, 0xe0ff],
        [0xfdd0, 0xfffd], [0x10000, 0x1ffff], [0x10fff0, 0x10fffd],
        [0x09, 0x0a]);
    my $one = sub { $_[rand @_] };

    for (1 .. 120) {
        my @chars = (0x61, map {
            my ($from, $to) = @{$one->(@ranges)};
            $from + int rand $to - $from + 1;
        } 1 .. 1 + rand 20);

        my ($json, $xml) = ('', '');

        for my $char (@chars) {
            my $raw = Encode::encode('UTF-8', chr $char);
            my $unit = join '', map {
                sprintf $one->('\u%04x', '\u%04X'), $_
            } $char > 0xffff ? (0xd800 + ($char - 0x10000 >> 10),
                0xdc00 + ($char & 0x3ff)) : $char;

            $json .= $char == 0x2f ? $one->('/', '\/')
                : $char == 0x22 || $char == 0x5c
                ? $one->('\\' . chr $char, $unit)
                : $char == 9 ? $one->('\t', $unit)
                : $char == 10 ? $one->('\n', $unit)
                : $one->($raw, $unit);

            $xml .= $one->($raw =~ /[<&>]/
                    ? {'<' => '&lt;', '&' => '&amp;', '>' => '&gt;'}->{$raw}
                    : $raw,
                sprintf($one->('&#%d;', '&#x%x;', '&#x%X;', '&#x000%x;'),
                    $char),
                "<![CDATA[$raw]]>", $one->('', '<!-- x -->', '<?x y?>')
                . sprintf '&#%d;', $char);
        }

        each_json('=', "\"$json\"");
        judge('=', 'faxfinder', $UPSTREAMS[$_ % 4], xml_body($xml));
    }

    # and what is left of a body in which one byte is another
    for my $client (@JSON, 'faxfinder') {
        my $whole = $client eq 'faxfinder'
            ? '<?xml version="1.0" encoding="UTF-8"?><contact_group><name>a'
            . "\xc3\xa9<![CDATA[b]]>&#99;</name><!--d--></contact_group>"
            : json_body($client, "\"a\xc3\xa9\\u0062\\n\"",
                '"more":[1.5e3,true,null,{"b":"\ud83d\ude00"}]');

        for (1 .. 100) {
            my $body = $whole;
            my $at   = int rand length $body;
            substr($body, $at, int rand 3) = $one->('', chr rand 256,
                $one->(split //, '"\\{}[],:<>&;/!-?'), substr $body, 0, 5);
            judge('?', $client, $client eq 'scim' ? 'vinyldns' : $client,
                $body);
        }
    }
};

$t->stop;
done_testing;
