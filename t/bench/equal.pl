# Sends the same requests to the module and to the contenders, before upstreams
# that answer the same, and tells every difference in what the client and the
# upstream get: status, headers that mean something, and what bodies mean.
#
#   perl -It/lib t/bench/equal.pl [--verbose] [lua] [njs]
#
# Needs the contenders' packages: libnginx-mod-http-lua and lua-cjson,
# libnginx-mod-http-js. Exits with 0 when there are no other differences than
# the known ones: in all of them the contender does less than the module, which
# makes it faster. They are listed here, and at the requests that show them:
#
#   lua-cjson lets duplicate keys, control characters and, outside "name",
#   invalid UTF-8 and U+0000 through, takes {} for [] in answers, and has no
#   limit for the items of an array; JSON.parse of njs lets duplicate keys,
#   numbers like 01 and, outside "name", U+0000 through, and has no such limit;
#   r.requestText makes U+FFFD of invalid UTF-8. Neither drops headers of the
#   client's by their beginning.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../lib";

use Getopt::Long qw(GetOptions);

use Bench::Scenario qw(scenario);
use Bench::Server qw(gateway vendors);
use Test::Gateway::Message qw(json_decode json_encode);
use Test::Gateway::Upstream;
use Test::Gateway::Vendors qw(sign_in);

my $GROUPS  = '/api/relay/rest/number_groups';
my $MEMBERS = '/api/relay/rest/number_group_memberships';
my $ID      = '0a59b2d8-9d41-4b7a-9b5c-6a3d1e2f4c5b';
my @JSON    = ('Content-Type' => 'application/json');
my @MEANING = qw(
    Content-Type Content-Length WWW-Authenticate Allow Group-Lost Retry-After
    X-Request-Id Traceparent Tracestate Content-Encoding Server-Secret
);

GetOptions('verbose' => \my $verbose) or exit 2;
my @by = @ARGV ? @ARGV : qw(lua njs);

my $ours      = scenario('vinyldns');
my @gateways  = ({%$ours, name => 'module'},
    map { {%$ours, name => $_, by => $_, location => undef} } @by);
my $gateway   = gateway(vendors(@gateways), \@gateways);
my %recorder  = map { ($_->{name} => recorder($_->{name})) } @gateways;
my ($differ, $known) = (0, 0);


## a group as VinylDNS answers it

sub group {
    my (%more) = @_;
    return {
        id      => $ID, name => 'sales', email => 'a@example.com',
        created => '2024-01-02T03:04:05Z', status => 'Active',
        members => [{id => 'u1'}], admins => [{id => 'u1'}], %more,
    };
}

sub without {
    my ($group, @names) = @_;
    delete @$group{@names};
    return $group;
}

sub answered {
    my ($group, %option) = @_;
    return (answer => [200, [@JSON, @{$option{headers} // []}], $group]);
}

sub failed {
    my ($status, $type, $body) = @_;
    return (answer => [$status, ['Content-Type' => $type], $body]);
}


## requests that the module lets through

same('the least', json => {name => 'sales'});
same('a sticky group', body => '{"name":"sales","sticky_sender":true}');
same('false is told, too', body => '{"name":"s","sticky_sender":false}');
same('null is absent', body => '{"name":"s","sticky_sender":null}');
same('unknown and read-only fields', body =>
    '{"x":[1,{"y":null}],"id":7,"phone_number_count":"many","name":"s"}');
same('spaces', body => qq(\r\n\t {"name" : " s "}\n));
same('a name to be escaped', body =>
    '{"name":"a\"\\\\\/\b\u00e9\ud83d\ude00"}');
same('a name in UTF-8', body => qq({"name":"Z\xc3\xbcrich \xe2\x82\xac"}));
same('255 characters of two bytes', body =>
    '{"name":"' . "\xc3\xbc" x 255 . '"}');
same('a media type with parameters', json => {name => 's'},
    headers => ['Content-Type' => 'Application/JSON; charset=utf-8']);
same('no media type', body => '{"name":"s"}', headers => []);
same('in chunks', body => ['{"na', 'me":"s"}']);
same('a body in a file', body => '{"x":"' . 'y' x 600_000 . '","name":"s"}');
same('arguments', json => {name => 's'}, uri => "$GROUPS?a=1");
same('"basic" in lower case', json => {name => 's'},
    auth => undef, headers => [@JSON, Authorization => 'bAsIc   '
        . $gateway->basic('client-project', 'client-api-token')
            =~ s/^Basic //r]);
same('headers that must not go on', json => {name => 's'}, headers => [
    @JSON, Cookie => 'a=b', 'X-Amz-Date' => '20240102T030405Z',
    'Accept-Encoding' => 'gzip', 'If-None-Match' => '"x"', Range => 'bytes=0-',
    'X-HTTP-Method-Override' => 'DELETE', Date => 'now',
    'Content-Language' => 'de', Accept => 'text/html',
]);
same('a header that is dropped by its beginning', json => {name => 's'},
    headers => [@JSON, 'X-Amz-Meta-Other' => 'x'],
    less => {lua => 'proxy_set_header', njs => 'proxy_set_header'});
same('headers that go on', json => {name => 's'}, headers => [
    @JSON, 'User-Agent' => 'me', 'X-Request-Id' => '17', 'X-Other' => 'y',
]);


## requests that it refuses

same('another secret', json => {name => 's'},
    auth => ['client-project', 'client-api-tokeN']);
same('another id', json => {name => 's'},
    auth => ['client-projecT', 'client-api-token']);
same('no secret', json => {name => 's'}, auth => ['client-project', '']);
same('no credentials', json => {name => 's'}, auth => undef);
same('another scheme', json => {name => 's'}, auth => undef,
    bearer => 'client-bearer-token');
same('no base64', json => {name => 's'}, auth => undef,
    headers => [@JSON, Authorization => 'Basic @@@@']);
same('no colon', json => {name => 's'}, auth => undef,
    headers => [@JSON, Authorization => 'Basic Y2xpZW50']);
same('credentials twice', json => {name => 's'}, auth => undef,
    headers => [@JSON, (Authorization =>
        $gateway->basic('client-project', 'client-api-token')) x 2]);
same('a scope is missing', json => {name => 's'},
    auth => ['client-user', 'client-password']);

same('unknown path', json => {name => 's'}, uri => '/api/relay/rest/groups');
same('another base', json => {name => 's'}, uri => '/number_groups');
same('a slash at the end', json => {name => 's'}, uri => "$GROUPS/");
same('a path that is too long', uri => "$GROUPS/$ID/number_groups");
same('a wrong method', method => 'PUT', json => {name => 's'});
same('a wrong method for a group', method => 'PATCH', json => {},
    uri => "$GROUPS/$ID");
same('a wrong method for members', method => 'DELETE',
    uri => "$GROUPS/$ID/number_group_memberships");
same('a wrong method for a member', method => 'PUT', json => {},
    uri => "$MEMBERS/$ID");
same('404 and 405 are for everybody', method => 'PUT', auth => undef);

same('no body');
same('another media type', body => '{"name":"s"}',
    headers => ['Content-Type' => 'text/plain']);
same('an encoded body', body => '{"name":"s"}',
    headers => [@JSON, 'Content-Encoding' => 'gzip']);
same('a body that is too large', body => 'x', headers => [@JSON,
    'Content-Length' => 17_000_000]);
same('no JSON', body => 'name=s');
same('half of an object', body => '{"name":"s"');
same('bytes behind it', body => '{"name":"s"}}');
same('an array', body => '[{"name":"s"}]');
same('a text', body => '"name"');
same('a byte order mark', body => qq(\xef\xbb\xbf{"name":"s"}));
same('nesting', body => '{"name":"s","x":' . '[' x 40 . ']' x 40 . '}');
same('a duplicate key', body => '{"name":"s","name":"t"}',
    less => {lua => 'lua-cjson', njs => 'JSON.parse'});
same('U+0000 in the name', body => '{"name":"a\u0000b"}');
same('U+0000 elsewhere', body => '{"name":"a","x":"\u0000"}',
    less => {lua => 'lua-cjson', njs => 'JSON.parse'});
same('invalid UTF-8 in the name', body => qq({"name":"a\xffb"}),
    less => {njs => 'r.requestText'});
same('invalid UTF-8 elsewhere', body => qq({"name":"a","x":"\xff"}),
    less => {lua => 'lua-cjson', njs => 'r.requestText'});
same('a control character', body => qq({"name":"a","x":"\n"}),
    less => {lua => 'lua-cjson'});
same('a number that is none', body => '{"name":"a","x":01}',
    less => {njs => 'JSON.parse'});
same('too many items', body => '{"name":"a","x":[' . '1,' x 10_000 . '1]}',
    less => {lua => 'no limit', njs => 'no limit'});

same('no name', json => {sticky_sender => 'yes'});
same('an empty object', body => '{}');
same('a null name', body => '{"name":null}');
same('an empty name', json => {name => ''});
same('a blank name', json => {name => " \t "});
same('a number as name', body => '{"name":5}');
same('an object as name', body => '{"name":{}}');
same('a name that is too long', json => {name => 'x' x 256});
same('256 characters of two bytes', body =>
    '{"name":"' . "\xc3\xbc" x 256 . '"}');
same('a text as boolean', body => '{"name":"s","sticky_sender":"true"}');
same('a number as boolean', body => '{"name":"s","sticky_sender":1}');
same('two mistakes', body => '{"name":"","sticky_sender":[]}');


## answers

same("members: $_", answered(group(members => [({id => 'u'}) x $_])))
    for 0, 3, 1000;
same("an id: $_", answered(group(id => $_)))
    for '', '0', '12345', '18446744073709551615', '18446744073709551616', '007',
    'abc', 'abcdefgh', 'abcdefghi', '~', '~x',
    'NzAwNTUxOTA5NzczMTQ4MTYw', 'NA==', '6e677267-0100-8000-8000-000000000001',
    '6E677267-0300-8041-8000-000000000001',
    '6e677267-0301-8041-8000-000000000000',
    '6e677267-0301-8031-8000-000000000000', '~long enough', 'a/b?c';
same('a name from upstream', answered(group(name => "S\x{e4}les \"1\" / 2")));
same('optional fields', answered(without(group(description => undef),
    qw(created status))));
same('status unknown', answered(group(status => 'Frozen', more => [1])));
same('headers of the answer', answered(group(), headers => [
    'X-Request-Id' => '9', 'Retry-After' => '3', 'Server-Secret' => 'x',
    traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
]));
same('an answer in chunks', answer => {status => 200, headers => [@JSON],
    body => json_encode(group()), chunked => 1});

same("answer without $_", answered(without(group(), $_)))
    for qw(id name email members admins);
same("answer with a wrong $_", answered(group($_ => 5)))
    for qw(id name email description created status members admins);
same('a member that is none', answered(group(members => ['u1'])));
same('a member without an id', answered(group(members => [{x => 1}])));
same('members: an object', answered(group(members => {id => 'u1'})));
same('members: an empty object', answered(group(members => {})),
    less => {lua => 'lua-cjson'});
same('an empty answer', failed(200, 'application/json', ''));
same('half an answer', failed(200, 'application/json', '{"id":"x"'));
same('an array answered', failed(200, 'application/json', '[]'));
same('HTML answered', failed(200, 'text/html', '<html></html>'));
same('no type', answer => [200, [], json_encode(group())]);
same('a compressed answer', answered(group(),
    headers => ['Content-Encoding' => 'gzip']));
same('an answer that breaks off', answer =>
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    . "Content-Length: 999\r\n\r\n{\"id\":");
same('no HTTP', answer => "SSH-2.0-dropbear\r\n");
same('no answer', answer => '');

same("$_ of the upstream, " . ($_ % 2 ? 'JSON' : 'text'),
    body => '{"name":"s","sticky_sender":true}',
    failed($_, $_ % 2 ? ('application/json', '"Because."')
        : ('text/plain; charset=UTF-8', 'Because.')))
    for 201, 202, 302, 400 .. 405, 409, 410, 413, 415, 418, 422, 429,
    500 .. 505;
same('a list of errors', failed(400, 'application/json',
    '{"errors":["Missing Group.name","","b \"c\""]}'));
same('a text of an error', failed(400, 'application/json', '"No \u00fc"'));
same('errors without a text', failed($_, 'application/json', '{}'))
    for 400, 409, 422;
same('a reason alone', failed(409, 'text/plain', 'Conflict'));
same('an error in HTML', failed(400, 'text/html', '<h1>no</h1>'));
same('a long error', failed(400, 'text/plain', 'x' x 600));
same('a long error in UTF-8', failed(409, 'text/plain',
    'x' . "\xc3\xbc" x 400));


printf "%d requests, %d differences, %d more that are known\n",
    $gateway->{requests} / @gateways, $differ, $known;
exit($differ ? 1 : 0);


sub recorder {
    my ($name) = @_;

    return Test::Gateway::Upstream->start(
        dir     => $gateway->dir,
        name    => "$name-recorder",
        port    => $gateway->port("$name-recorder"),
        handler => sub { [200, [@JSON], json_encode(group())] },
    );
}

sub same {
    my ($title, %option) = @_;

    my $less   = delete $option{less} // {};
    my $answer = delete $option{answer};

    %option = (
        method => 'POST', uri => $GROUPS,
        headers => [@JSON], sign_in('signalwire'),
        $answer ? (body => '{"name":"sales"}') : (), %option,
    );
    delete $option{auth} if !$option{auth};

    my %got;

    for (@gateways) {
        my $name = $_->{name};
        my $u    = $recorder{$name};

        # one that was not asked for is still there
        $u->stop;
        $u = $recorder{$name} = recorder($name);

        if (ref $answer eq 'ARRAY' && ref $answer->[2]) {
            $answer = [@$answer[0, 1], json_encode($answer->[2])];
        }
        $u->answer($answer) if defined $answer;

        my $r = $gateway->request(%option,
            port => $gateway->port("$name-check"));
        $got{$name} = told($r, $u->requests);
    }

    print "$title\n", indented($got{module}) if $verbose;

    for my $name (@by) {
        if ($got{$name} eq $got{module}) {
            print "$title: $name does what it need not\n"
                if $less->{$name};
            next;
        }

        if ($less->{$name}) {
            $known++;
            print "$title: $name does less: $less->{$name}\n" if $verbose;
            next;
        }

        $differ++;
        print "$title: module\n", indented($got{module}), "$name\n",
            indented($got{$name});
    }

    return;
}

# A text, the same for what means the same.
sub told {
    my ($r, @requests) = @_;

    my @lines = ($r->status // 'no status',
        (map { "$_: " . $r->header($_) } grep { defined $r->header($_) }
            @MEANING),
        meaning($r->body));

    # the same JSON may have other bytes
    @lines = grep { !/^Content-Length: / } @lines
        if length($r->body) == ($r->header('Content-Length') // -1);

    for my $sent (@requests) {
        push @lines, "upstream: $sent->{method} $sent->{uri}",
            (map { "    $_" } sort map { lc($_->[0]) . ": $_->[1]" }
                grep { $_->[0] !~ /^(?:host|content-length)$/i }
                @{$sent->{headers}}),
            '    ' . meaning($sent->{body});
    }

    return join "\n", @lines;
}

sub meaning {
    my ($body) = @_;

    my $data = eval { json_decode($body) };
    my $text = ref $data ? json_encode($data) : $body;

    return length $text > 2000 ? substr($text, 0, 2000) . '...' : $text;
}

sub indented {
    my ($text) = @_;
    return $text =~ s/^/    /gmr . "\n";
}
