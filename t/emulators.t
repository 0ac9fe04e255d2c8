# The vendor emulators on their own: the examples of the vendors' documents,
# each kind of error, authentication, paging and lifecycles.

use Mojo::Base -strict, -signatures;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use File::Temp;
use FindBin;
use IO::Socket::INET;
use Mojo::DOM;
use Mojo::JSON qw(decode_json encode_json false true);
use Mojo::UserAgent;
use Mojo::Util qw(b64_encode);
use Test::More;
use Time::HiRes qw(time);

my $VENDORS = "$FindBin::Bin/../examples/vendors";

my $ua = Mojo::UserAgent->new(max_redirects => 0);
my $noise = File::Temp->new;
my @children;

END {
    local $?;
    local $!;
    kill 'TERM', $_ for @children;
    waitpid $_, 0 for @children;
}

# Starts an emulator on a free port; its URL.
sub start ($name, @options) {
    my $pid = open my $out, '-|';
    die "cannot fork: $!" if !defined $pid;

    if (!$pid) {
        open STDERR, '>>', "$noise" or die "cannot write $noise: $!";
        my $parent = getppid;
        exec $^X, "$VENDORS/$name.pl", "--with-parent=$parent", @options
            or die "cannot start $name: $!";
    }

    push @children, $pid;

    # The pipe stays open, or a later line would kill the emulator.
    state @pipes;
    push @pipes, $out;

    my $line = readline $out // '';
    $line =~ /^\Q$name\E emulator listening on (http:\S+)$/
        or die "$name does not start: $line";

    return $1;
}

# Sends a request; a reference is sent as JSON.
sub request ($url, $auth, $method, $path, $body = undef, %header) {
    $header{Authorization} //= $auth if length $auth;

    if (ref $body) {
        $body = encode_json $body;
        $header{'Content-Type'} //= 'application/json';
    }

    my $tx = $ua->build_tx($method => "$url$path" => \%header, $body // ());
    return $ua->start($tx)->res;
}

sub basic ($credential) { 'Basic ' . b64_encode $credential, '' }

# Status, media type and body at once.
sub answer_is ($res, $status, $type, $body, $title) {
    my $got  = $res->content->is_multipart ? '' : $res->body;
    my $have = ref $body && length $got ? eval { decode_json $got } : $got;

    return is_deeply(
        [$res->code, $res->headers->content_type // '', $have],
        [$status, $type, $body], $title
    );
}

my $UUID = qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-
    [0-9a-f]{12}$/x;

subtest 'common to all' => sub {
    my $url = start('signalwire', '--credential', 'p:t', '--latency', 30);
    my $api = sub { request($url, basic('p:t'), @_) };
    my $p   = '/api/relay/rest/number_groups';

    my ($port) = $url =~ /:(\d+)$/;
    my $second = `$^X $VENDORS/portsip.pl --listen $url 2>&1`;
    isnt $?, 0, 'a port in use is an error';
    like $second, qr/^portsip: cannot listen on \Q$url\E: .*in use$/,
        'said in one line';
    like `$^X $VENDORS/portsip.pl --nonsense 2>&1`, qr/usage:/, 'usage';

    my $begin = time;
    is $api->('GET', $p)->code, 200, 'an answer';
    cmp_ok time - $begin, '>', 0.025, 'latency';

    $api->('DELETE', '/_emulator/journal');
    $api->('POST', "$p?a=%2Fb+c", {name => "\x{e9}"}, 'X-Test' => 'yes');
    my $journal = request($url, '', 'GET', '/_emulator/journal')->json;
    is @$journal, 1, 'one request in the journal';
    is $journal->[0]{$_->[0]}, $_->[1], "journal: $_->[0]" for
        [method => 'POST'],
        [target => "$p?a=%2Fb+c"],
        [path   => $p],
        [query  => 'a=%2Fb+c'],
        [body   => qq({"name":"\x{e9}"})],
        [status => 200];
    is $journal->[0]{headers}{'x-test'}, 'yes', 'journal: header';

    is $api->('GET', $p, undef, Cookie => 'a=b')->code, 400,
        'a header that no gateway should send';
    is $api->('GET', $p, 'body')->code, 400, 'a body with GET';
    is $api->('GET', "$p/")->code, 404, 'a slash at the end';

    my $fault = {
        method       => 'POST',
        path         => 'number_groups$',
        after        => 1,
        times        => 2,
        status       => 502,
        body         => '<h1>bad</h1>',
        content_type => 'text/html',
    };
    request($url, '', 'POST', '/_emulator/fault', $fault);
    my @codes = map { $api->('POST', $p, {name => "g$_"})->code } 1 .. 4;
    is_deeply \@codes, [200, 502, 502, 200], 'a fault for some requests';

    request($url, '', 'POST', '/_emulator/fault',
        {status => 503, processed => true});
    answer_is $api->('POST', $p, {name => 'kept'}),
        503, 'text/html', '', 'an answer that is lost';
    is $api->('GET', "$p?filter_name=kept")->json->{data}[0]{name}, 'kept',
        'but not its effect';

    request($url, '', 'POST', '/_emulator/fault', {close => true});
    is $api->('GET', $p)->code, undef, 'a connection that is closed';

    is request($url, '', 'POST', '/_emulator/reset')->code, 204, 'reset';
    is_deeply $api->('GET', $p)->json->{data}, [], 'nothing is left';

    my $socket = IO::Socket::INET->new("127.0.0.1:$port");
    my $head   = "Host: x\r\nAuthorization: " . basic('p:t') . "\r\n\r\n";
    my @status;
    for (1 .. 2) {
        print $socket "GET $p/x HTTP/1.1\r\n$head";
        my $text = '';
        sysread $socket, $text, 4096, length $text
            until $text =~ /Not Found"}/;
        push @status, $text =~ m{^HTTP/1.1 (\d+)};
    }
    is "@status", '404 404', 'keepalive';
};

subtest signalwire => sub {
    my $url = start(
        'signalwire',
        '--credential', 'project:token',
        '--scopeless', 'project:blind'
    );
    my $api  = sub { request($url, basic('project:token'), @_) };
    my $rest = '/api/relay/rest';
    my $p    = "$rest/number_groups";
    my $json = 'application/json; charset=utf-8';
    my $none = {error => 'Not Found'};

    for (undef, basic('project:wrong'), 'Bearer abc', 'Basic !') {
        answer_is request($url, $_ // '', 'GET', $p),
            401, $json, {error => 'Unauthorized'},
            'not ' . ($_ // 'without credential');
    }
    answer_is request($url, basic('project:blind'), 'GET', $p),
        403, $json, {error => 'Forbidden'}, 'not without scope';

    # The example of the reference.
    my $res = $api->('POST', $p, {name => 'My Number Group'});
    my $id  = $res->json->{id};
    like $id, $UUID, 'a UUID';
    my $group = {
        id                 => $id,
        name               => 'My Number Group',
        sticky_sender      => false,
        phone_number_count => 0,
    };
    answer_is $res, 200, $json, $group, 'created';
    answer_is $api->('GET', "$p/$id"), 200, $json, $group, 'there it is';

    my $problem = sub ($detail, $code) {
        return {errors => [{
            detail => $detail,
            status => '422',
            title  => 'Invalid Attribute',
            code   => $code,
        }]};
    };
    for (
        [{}, q{Name can't be blank}, 'missing_required_parameter'],
        [{name => ' '}, q{Name can't be blank}, 'missing_required_parameter'],
        [{name => 5}, 'Name is invalid', 'invalid_parameter'],
        [
            {name => 'x' x 256},
            'Name is too long (maximum is 255 characters)',
            'invalid_parameter'
        ],
        [
            {name => 'x', sticky_sender => 1},
            'Sticky sender is invalid',
            'invalid_parameter'
        ],
        )
    {
        my ($body, @error) = @$_;
        answer_is $api->('POST', $p, $body), 422, $json, $problem->(@error),
            $error[0];
        answer_is $api->('PUT', "$p/$id", $body), 422, $json,
            $problem->(@error), "$error[0] on update";
    }

    my $bad = {error => 'Bad Request'};
    answer_is $api->('POST', $p, '{"name"', 'Content-Type', $json),
        400, $json, $bad, 'no JSON';
    answer_is $api->('POST', $p, '{"name":"x"}', 'Content-Type', 'text/xml'),
        400, $json, $bad, 'another media type';
    answer_is $api->(@$_), 404, $json, $none, "no $_->[0] $_->[1]" for
        ['PATCH', "$p/$id", {}],
        ['GET',   "$p/x"],
        ['PUT',   "$p/3fa85f64-5717-4562-b3fc-2c963f66afa6", {}],
        ['POST',  "$p/x/number_group_memberships", {}];

    $res = $api->('PUT', "$p/$id", {name => 'New', sticky_sender => true});
    $group->{name}          = 'New';
    $group->{sticky_sender} = true;
    answer_is $res, 200, $json, $group, 'updated';

    # The other example.
    my $memberships = "$p/$id/number_group_memberships";
    my $number      = '3fa85f64-5717-4562-b3fc-2c963f66afa6';
    $res = $api->('POST', $memberships, {phone_number_id => $number});
    is $res->code, 200, 'a membership';
    my $membership = $res->json;
    is_deeply [sort keys %$membership],
        [qw(created_at id number_group_id phone_number updated_at)],
        'its members';
    is $membership->{phone_number}{id}, $number, 'its number';
    is $membership->{number_group_id},  $id,     'its group';
    like $membership->{created_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
        'its time';

    my $single = "$rest/number_group_memberships/$membership->{id}";
    answer_is $api->('GET', $single), 200, $json, $membership, 'alone';
    is $api->('GET', "$p/$id")->json->{phone_number_count}, 1, 'counted';

    answer_is $api->('POST', $memberships, {phone_number_id => $_->[0]}),
        422, $json, $problem->($_->[1], $_->[2]), $_->[1] for
        [undef, q{Phone number can't be blank}, 'missing_required_parameter'],
        ['x', 'Phone number is invalid', 'invalid_parameter'],
        [
            '3fa85f64-5717-4562-b3fc-2c963f66afa7',
            'Phone number must exist',
            'invalid_parameter'
        ],
        [$number, 'Phone number is already assigned', 'already_assigned'];

    answer_is $api->('DELETE', $single), 204, '', '', 'removed';
    answer_is $api->('DELETE', $single), 404, $json, $none, 'not again';
    $membership = $api->('POST', $memberships, {phone_number_id => $number})
        ->json;
    is $api->('DELETE', "$p/$id")->code, 204, 'deleted';
    is $api->('GET', "$p/$id")->code,    404, 'gone';
    is $api->('GET', "$rest/number_group_memberships/$membership->{id}")
        ->code, 404, 'with its memberships';

    # Paging follows the links, newest first.
    request($url, '', 'POST', '/_emulator/seed',
        {groups => [map { {name => "Group $_"} } 1 .. 5]});
    my $page = $api->('GET', "$p?page_size=2&filter_name=group")->json;
    my $first = "$p?filter_name=group&page_number=0&page_size=2";
    is $page->{links}{self},  $first, 'self';
    is $page->{links}{first}, $first, 'first';
    ok !$page->{links}{prev}, 'no prev';

    my @names = map { $_->{name} } @{$page->{data}};
    $api->('POST', $p, {name => 'Group late'});
    while (my $next = $page->{links}{next}) {
        like $next, qr/page_number=\d+&page_size=2&page_token=PA/, 'next';
        $page = $api->('GET', $next)->json;
        push @names, map { $_->{name} } @{$page->{data}};
    }
    is_deeply \@names, [map {"Group $_"} reverse 1 .. 5], 'every page';
    like $page->{links}{prev}, qr/page_number=1/, 'prev';
    is_deeply [map { $_->{name} }
            @{$api->('GET', "$p?page_number=1&page_size=4")->json->{data}}],
        ['Group 2', 'Group 1'], 'a page by its number';
    is $api->('GET', "$p?$_")->code, 422, $_ for
        'page_size=0', 'page_size=1001', 'page_number=-1', 'page_token=x',
        'filter_name=' . 'x' x 256;
};

# The tests' own signer. What a test wants otherwise, it says: key, secret,
# scope, date, path and headers to be signed.
sub signed ($url, $how, $method, $path, $body = undef, %header) {
    my ($host)  = $url =~ m{//(.*)};
    my $content = ref $body ? encode_json $body : $body // '';
    my $date    = $how->{date} // '20250102T030405Z';
    my $scope   = $how->{scope} // '20250102/us-east-1/VinylDNS/aws4_request';

    my ($bare, $query) = split /\?/, $path;
    my %given = (
        host         => $host,
        'x-amz-date' => $date,
        length $content ? ('content-type' => 'application/json') : (),
        map { (lc $_ => $header{$_}) } keys %header
    );
    my @names     = $how->{names} ? @{$how->{names}} : sort keys %given;
    my $names     = join ';', @names;
    my $canonical = join "\n", $method, $how->{path} // $bare,
        $how->{query} // join('&', sort split /&/, $query // ''),
        (map {"$_:$given{$_}"} grep { defined $given{$_} } @names), '',
        $names, sha256_hex $content;

    my $key = 'AWS4' . ($how->{secret} // 'okSecretKey');
    $key = hmac_sha256($_, $key) for split m{/}, $scope;
    my $signature = hmac_sha256_hex(join("\n", 'AWS4-HMAC-SHA256', $date,
            $scope, sha256_hex $canonical), $key);

    delete $given{host};
    $given{Authorization} = 'AWS4-HMAC-SHA256 Credential='
        . ($how->{key} // 'okAccessKey')
        . "/$scope, SignedHeaders=$names, Signature=$signature";

    return request($url, '', $method, $path, $content, %given);
}

subtest vinyldns => sub {
    my $url  = start('vinyldns', '--domain', 'test.com', '--domain',
        '*dummy.com', '--domain', 'example.com');
    my $api  = sub { signed($url, {}, @_) };
    my $as   = sub ($prefix, @rest) {
        signed($url, {key => "${prefix}AccessKey",
                secret => "${prefix}SecretKey"}, @rest);
    };
    my $json = 'application/json';
    my $text = 'text/plain; charset=UTF-8';
    my $ok   = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';
    my $failed = 'Authentication Failed:';

    # Family C, and what comes before authentication.
    answer_is request($url, '', 'GET', '/no-existo'), 404, $text,
        'The requested path [/no-existo] does not exist.', 'no path';
    answer_is request($url, '', 'GET', '/groups/'), 404, $text,
        'The requested path [/groups/] does not exist.', 'no such slash';
    my $res = request($url, '', 'PUT', '/groups', {});
    answer_is $res, 405, $text,
        'HTTP method not allowed, supported methods: GET, POST', 'method';
    is $res->headers->allow, 'GET, POST', 'allow';
    answer_is request($url, '', 'PATCH', '/groups/x'), 405, $text,
        'HTTP method not allowed, supported methods: GET, DELETE, PUT',
        'method for a group';
    answer_is request($url, '', 'GET', '/groups?maxItems=0'), 400, $json,
        encode_json("\n maxItems was 0, maxItems must be between 0 exclusive"
            . "\n and 3000 inclusive\"\n" . ' ' x 25), 'maxItems, list';
    answer_is request($url, '', 'GET', '/groups/x/members?maxItems=1001'),
        400, $json, '"maxItems was 1001, maxItems must be between 0 '
        . 'exclusive and 1000 inclusive"', 'maxItems, members';
    answer_is request($url, '', 'GET', '/groups/x/activity?maxItems=0'),
        400, $json, '"maxItems was 0, maxItems must be between 0 and 1000"',
        'maxItems, activity';
    answer_is request($url, '', 'GET', '/groups?maxItems=x'), 400, $text,
        "The query parameter 'maxItems' was malformed:\n"
        . q{'x' is not a valid 32-bit signed integer value}, 'no number';
    answer_is request($url, '', 'GET', '/groups?ignoreAccess=x'), 400, $text,
        "The query parameter 'ignoreAccess' was malformed:\n"
        . q{'x' is not a valid Boolean value}, 'no boolean';

    answer_is request($url, '', 'GET', '/groups'), 401, $text,
        "$failed Authorization header not found", 'no authentication';
    answer_is request($url, basic('a:b'), 'GET', '/groups'), 401, $text,
        "$failed Authorization header could not be parsed", 'another scheme';
    answer_is $as->('no', 'GET', '/groups'), 401, $text,
        "$failed Account with accessKey noAccessKey specified was not found",
        'unknown key';
    answer_is $as->('locked', 'GET', '/groups'), 403, $text,
        "$failed Account with username lockedUser is locked", 'locked';

    my $bad = "$failed Request signature could not be validated";
    answer_is signed($url, $_, 'GET', '/groups?maxItems=5'), 401, $text, $bad,
        'signed wrong: ' . join ' ', %$_ for
        {secret => 'x'}, {path => '/group'}, {query => 'maxItems=6'},
        {names  => [qw(content-type host x-amz-date)]};
    answer_is signed($url, {date => 'today'}, 'GET', '/groups'), 500, $text,
        'There was an internal server error.', 'no date';

    is signed($url, $_, 'GET', '/groups?maxItems=5&startFrom=')->code, 500,
        'signed right: ' . join ' ', %$_ for
        {}, {scope => '20250102/us-east-1//aws4_request'},
        {scope => '19990102/a/b/aws4_request'},
        {names => [qw(host x-amz-absent x-amz-date)]};
    is signed($url, {}, 'GET', '/groups', 'null')->code, 200,
        'GET with a body';
    is signed($url, {query => 'groupNameFilter=a%20b%2A~'}, 'GET',
        '/groups?groupNameFilter=a+b*%7E')->code, 200, 'query';
    answer_is signed($url, {}, 'GET', '/groups/a%20b'), 404, $json,
        '"Group with ID a b was not found"', 'path, encoded once';
    is signed($url, {path => '/groups/a%2520b'}, 'GET', '/groups/a%20b')
        ->code, 401, 'path, encoded twice';

    # The example of the document.
    my $create = {
        name        => 'some-group',
        email       => 'test@example.com',
        description => 'an example group',
        members     => [{id => $ok}],
        admins      => [{id => $ok}],
    };
    $res = $api->('POST', '/groups', $create);
    my ($id, $created) = @{$res->json}{qw(id created)};
    my $group = {%$create, id => $id, created => $created,
        status => 'Active'};
    like $id, $UUID, 'a UUID';
    like $created, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'a time';
    answer_is $res, 200, $json, $group, 'created';
    answer_is $api->('GET', "/groups/$id"), 200, $json, $group, 'there it is';

    # Family B.
    answer_is $api->('POST', '/groups', {}), 400, $json, {errors => [map
            {"Missing Group.$_"} qw(name email members admins)]}, 'create';
    answer_is $api->('PUT', '/groups/x', {%$create, name => undef}), 400,
        $json, {errors => ['Missing Group.id', 'Missing Group.name']},
        'update';

    # Family C for the body.
    answer_is $api->('POST', '/groups'), 400, $text,
        'Request entity expected but not supplied', 'no body';
    answer_is $api->('POST', '/groups', '{}', 'Content-Type', 'text/xml'),
        415, $text, "The request's Content-Type [text/xml] is not supported. "
        . "Expected:\napplication/json", 'media type';
    like $api->('POST', '/groups', '{')->body,
        qr/^The request content was malformed:\n/, 'no JSON';
    answer_is $api->('GET', '/groups', undef, Accept => 'text/xml'), 406,
        $text, "Resource representation is only available with these types:\n"
        . $json, 'accept';

    # Family A, in the order of the checks.
    my %wrong  = (name => ' ', email => 'x', members => [{id => 'no'}]);
    my $please = 'Please enter a valid Email.';
    for (
        [{}, 400, 'Group name and email cannot be empty.'],
        [{name => 'some-group'}, 400, $please],
        [{email => 'test@localhost'}, 400, $please],
        [{email => 'a..b@test.com'}, 400, $please],
        [{email => 'test@a.b.dummy.com'}, 400,
            "$please Number of dots allowed after @ is 2"],
        [{email => 'test@test.org'}, 400, "$please Valid domains should end "
                . 'with test.com,dummy.com,example.com'],
        [{email => 'test@ok.dummy.com'}, 409, 'Group with name some-group '
                . 'already exists. Please try a different name or contact '
                . 'test@example.com to be added to the group.'],
        [{name => 'other', admins => [{id => 'none', name => undef}]}, 404,
            'Users [ no,none ] were not found'],
        )
    {
        my ($change, $status, $message) = @$_;
        %wrong = (%wrong, %$change);
        answer_is $api->('POST', '/groups', {admins => [], %wrong}), $status,
            $json, encode_json($message), $message;
    }
    answer_is $api->('GET', '/groups/xyz'), 404, $json,
        '"Group with ID xyz was not found"', 'unknown group';

    # Administrators are members, the caller is an administrator.
    my $two = $as->('dummy', 'POST', '/groups', {
        name => 'Two', email => 'a@test.com', members => [],
        admins => [{id => 'history-id'}],
    })->json;
    my $dummy = '4c1e3b0a-0d51-4a5e-9d2b-6a7b8c9d0e01';
    is_deeply $two->{$_}, [{id => 'history-id'}, {id => $dummy}], $_
        for qw(members admins);
    ok !exists $two->{description}, 'no description';

    # Update: the id of the body counts, and the order of the checks.
    %wrong = (%$two, id => 'no', name => ' ', members => [], admins => []);
    for (
        [{}, 404, 'Group with ID no was not found'],
        [{id => $two->{id}}, 400, 'Group name and email cannot be empty.'],
        [{name => 'Some', email => 'x'}, 400, $please],
        [{name => 'some-group', email => 'a@test.com'}, 403,
            'Not authorized'],
        )
    {
        my ($change, $status, $message) = @$_;
        %wrong = (%wrong, %$change);
        answer_is $api->('PUT', '/groups/anything', {%wrong}), $status, $json,
            encode_json($message), "update: $message";
    }
    for (
        [{}, 400, 'Group must have at least one member and one admin'],
        [{admins => [{id => $dummy}], members => [{id => 'no'}]}, 404,
            'Users [ no ] were not found'],
        [{members => []}, 409, 'Group with name some-group already exists. '
                . 'Please try a different name or contact test@example.com '
                . 'to be added to the group.'],
        )
    {
        my ($change, $status, $message) = @$_;
        %wrong = (%wrong, %$change);
        answer_is $as->('dummy', 'PUT', '/groups/anything', {%wrong}),
            $status, $json, encode_json($message), "update: $message";
    }
    my $new = {%wrong, name => 'New', description => 'd',
        members => [{id => $ok}]};
    $res = $as->('dummy', 'PUT', '/groups/anything', $new);
    answer_is $res, 200, $json,
        {%$new, members => [{id => $ok}, {id => $dummy}]}, 'updated';

    # Members, administrators, users.
    my $members = $api->('GET', "/groups/$two->{id}/members?maxItems=1")
        ->json;
    is_deeply [@$members{qw(nextId maxItems)}], [$ok, 1], 'a page of members';
    is_deeply [sort keys %{$members->{members}[0]}],
        [sort qw(id userName firstName lastName email created isAdmin
            lockStatus)], 'a member';
    $members = $api->('GET', "/groups/$two->{id}/members?startFrom=$ok")
        ->json;
    is_deeply [map { $_->{id} } @{$members->{members}}], [$dummy], 'the rest';
    is $members->{startFrom}, $ok, 'echo';
    my $admins = $api->('GET', "/groups/$two->{id}/admins")->json;
    is_deeply [sort keys %$admins], ['admins'], 'administrators';
    ok !exists $admins->{admins}[0]{isAdmin}, 'not said again';
    is_deeply $api->('GET', '/users/dummy')->json, {id => $dummy,
        userName => 'dummy', groupId => [$two->{id}]}, 'a user by name';
    answer_is $api->('GET', '/users/no'), 404, $json,
        '"User no was not found"', 'no user';
    is_deeply $api->('GET', '/groups/valid/domains')->json,
        [qw(test.com *dummy.com example.com)], 'domains';

    # Activity.
    my $activity = $api->('GET', "/groups/$two->{id}/activity?maxItems=1")
        ->json;
    my $change = $activity->{changes}[0];
    is_deeply [@$activity{qw(maxItems nextId)}], [1, 1], 'activity';
    is $change->{changeType}, 'Update', 'newest first';
    is $change->{userName},   'dummy',  'by whom';
    is $change->{groupChangeMessage}, "Group name changed to 'New'. Group "
        . "description changed to 'd'. Group admin/s with user name/s "
        . "'history-user' removed. Group member/s with user name/s 'ok' "
        . "added. Group member/s with user name/s 'history-user' removed.",
        'what';
    is $change->{oldGroup}{name}, 'Two', 'old group';
    answer_is $api->('GET', "/groups/change/$change->{id}"), 200, $json,
        $change, 'one change';
    answer_is $api->('GET', '/groups/change/x'), 400, $json,
        '"Invalid Group Change ID"', 'no change';
    answer_is $as->('history', 'GET', "/groups/$two->{id}/activity"), 403,
        $json, '"Not authorized"', 'activity for members only';
    is_deeply $as->('supportUser', 'GET', '/groups/x/activity')->json,
        {changes => [], maxItems => 100}, 'activity of no group';

    # Lists.
    request($url, '', 'POST', '/_emulator/seed',
        {groups => [map { {name => "List $_"} } qw(c a b D)]});
    my $list = $api->('GET', '/groups?groupNameFilter=LIST&maxItems=2')->json;
    is_deeply [map { $_->{name} } @{$list->{groups}}], ['List a', 'List b'],
        'by name';
    is_deeply [sort keys %$list], [sort qw(groups groupNameFilter maxItems
            nextId ignoreAccess)], 'envelope';
    my $from = $list->{nextId};
    is $from, $list->{groups}[1]{id}, 'nextId is the last one';
    $list = $api->('GET', "/groups?groupNameFilter=LIST&startFrom=$from")
        ->json;
    is_deeply [map { $_->{name} } @{$list->{groups}}], ['List c', 'List D'],
        'the rest';
    ok !exists $list->{nextId}, 'no more';
    is $api->('GET', '/groups?startFrom=no')->code, 500, 'unknown start';
    is_deeply $as->('history', 'GET', '/groups')->json->{groups}, [],
        'only of the caller';
    my $all = $as->('history', 'GET', '/groups?ignoreAccess=yes&abridged=1')
        ->json;
    is @{$all->{groups}}, 6, 'all';
    is_deeply $all->{groups}[0], {id => $all->{groups}[0]{id},
        name => 'List a', email => 'test@test.com', members => [],
        admins => []}, 'abridged';

    # Deletion.
    answer_is $as->('dummy', 'DELETE', "/groups/$id"), 403, $json,
        '"Not authorized"', 'not by others';
    request($url, '', 'POST', '/_emulator/seed',
        {zones => [{id => 'z', adminGroupId => $two->{id}}]});
    answer_is $as->('dummy', 'DELETE', "/groups/$two->{id}"), 400, $json,
        '"New is the admin of a zone. Cannot delete. Please transfer the '
        . 'ownership to another group before deleting."', 'not in use';
    answer_is $api->('DELETE', "/groups/$id"), 200, $json,
        {%$group, status => 'Deleted'}, 'deleted';
    is $api->($_, "/groups/$id")->code, 404, "gone for $_"
        for qw(GET DELETE);
    is $api->('POST', '/groups', $create)->code, 200, 'its name is free';

    # Independent signers.
SKIP: {
        skip 'no curl with SigV4', 2
            if `curl --help all 2>/dev/null` !~ /--aws-sigv4/;
        my @curl = (
            'curl', '-s', '--noproxy', '*',
            '--aws-sigv4', 'aws:amz:us-east-1:VinylDNS',
            '--user', 'okAccessKey:okSecretKey',
            '-H', 'Content-Type: application/json'
        );
        my $curl = sub (@more) {
            open my $out, '-|', @curl, @more or die "cannot run curl: $!";
            local $/;
            return decode_json readline $out;
        };
        is $curl->("$url/groups/valid/domains")->[0], 'test.com',
            'curl, GET';
        is $curl->('-d', encode_json({%$create, name => 'curl'}),
            "$url/groups")->{name}, 'curl', 'curl, POST';
    }
SKIP: {
        skip 'no Net::Amazon::Signature::V4', 1
            if !eval { require Net::Amazon::Signature::V4;
                require HTTP::Request; 1 };
        my $signer = Net::Amazon::Signature::V4->new('okAccessKey',
            'okSecretKey', 'us-east-1', 'VinylDNS');
        my ($host) = $url =~ m{//(.*)};
        my $plain = HTTP::Request->new(GET => "$url/groups?maxItems=7",
            [Host => $host, 'Content-Type' => $json]);
        my $done = $signer->sign($plain);
        my %header = map { ($_ => $done->header($_)) }
            $done->header_field_names;
        is request($url, '', 'GET', '/groups?maxItems=7', undef, %header)
            ->json->{maxItems}, 7, 'Net::Amazon::Signature::V4';
    }
};

subtest faxfinder => sub {
    my $url   = start('faxfinder');
    my $admin = sub { request($url, basic('admin:admin'), @_) };
    my $alice = sub { request($url, basic('alice:secret'), @_) };
    my $g     = '/ffws/v1/contact_groups';
    my $xml   = 'application/xml';
    my @xml   = ('Content-Type' => $xml);

    # The lines of a document without the white space between.
    my $flat = sub ($res) { $res->body =~ s/>\s+</></gr =~ s/\s+$//r };
    my $head = '<?xml version="1.0" encoding="UTF-8"?>';
    my $says = sub ($message, $rest = '') {
        return "$head<response><message>$message</message>$rest</response>";
    };
    my $is = sub ($res, $status, $message, $title) {
        is $res->code, $status, "$title: status";
        is $res->headers->content_type, $xml, "$title: media type";
        is $flat->($res), $says->($message), "$title: body";
    };

    for ('', 'Bearer x', basic('admin:x')) {
        my $res = request($url, $_, 'GET', "$g/admin");
        $is->($res, 401, 'Unauthorized', "credential \"$_\"");
        like $res->headers->www_authenticate, qr/^Basic realm=/, 'challenge';
    }

    # The example of the document, with straight quotes.
    my $fields = '<name>New Group from API</name>'
        . '<description>Can I create one from the API</description>'
        . join '', map {
        "<contact>https://dot3/ffws/v1/contacts/admin/$_</contact>"
        } 23 .. 26;
    my $body = "$head\r\n<contact_group>\r\n\t$fields\r\n</contact_group>";
    my $group = sub ($id) {
        return "<contact_group><contact_group_url>https://dot3$g/admin/$id"
            . "</contact_group_url>$fields</contact_group>";
    };
    my $res = $admin->('POST', "$g/admin", $body, @xml);
    is $res->code, 200, 'created with 200';
    is $res->headers->content_type, $xml, 'as XML';
    is $flat->($res), $says->('Created', $group->(1)), 'the example';
    is $flat->($admin->('GET', "$g/admin/1")),
        $says->('Success', $group->(1)), 'there it is';
    is $admin->('POST', "$g/admin", $body, 'Content-Type', 'text/xml')->code,
        200, 'text/xml';

    $is->($admin->('POST', "$g/admin", $_->[1], @xml), 400, 'Bad Request',
        $_->[0]) for
        ['curly quotes', $body =~ s/"1.0"/\x{e2}\x{80}\x{9d}1.0/r],
        ['not closed',   '<contact_group><name>x</name>'],
        ['nothing',      ''],
        ['another root', '<contact><name>x</name></contact>'],
        ['no name',      '<contact_group/>'],
        ['blank name',   '<contact_group><name> </name></contact_group>'],
        [
            'two names',
            '<contact_group><name>x</name><name>y</name></contact_group>'
        ],
        [
            'unknown element',
            '<contact_group><name>x</name><email>y</email></contact_group>'
        ],
        [
            'attribute',
            '<contact_group id="1"><name>x</name></contact_group>'
        ],
        [
            'namespace',
            '<contact_group xmlns="x"><name>x</name></contact_group>'
        ],
        [
            'text between', '<contact_group>a<name>x</name></contact_group>'
        ],
        [
            'entity', '<!DOCTYPE a [<!ENTITY e "x">]>'
                . '<contact_group><name>&e;</name></contact_group>'
        ],
        map { [$_, "<contact_group><name>x</name><contact>$_</contact>"
                . '</contact_group>'] }
        '23', 'https://dot3/ffws/v1/contacts/admin/99',
        'https://dot3/ffws/v1/contacts/nobody/1';
    $is->($admin->('POST', "$g/admin", $body, 'Content-Type', 'text/plain'),
        415, 'Unsupported Media Type', 'media type');

    # Who may do what.
    my $own = '<contact_group><name>a &amp; &lt;b&gt; &#233;</name><contact>'
        . 'http://other/ffws/v1/contacts/global_contact_list/3</contact>'
        . '</contact_group>';
    $res = $alice->('POST', "$g/alice", $own, @xml);
    is $res->code, 200, 'a user in the own container';
    my $dom = Mojo::DOM->new->xml(1)->parse($res->text);
    is $dom->at('contact_group > name')->text, "a & <b> \x{e9}", 'text';
    is $dom->at('contact_group > description')->text, '', 'no description';
    is $dom->at('contact_group > contact')->text,
        'https://dot3/ffws/v1/contacts/global_contact_list/3', 'global list';
    is $dom->at('contact_group_url')->text, "https://dot3$g/alice/1",
        'ids of the container';
    is $alice->('POST', "$g/alice", $body, @xml)->code, 400,
        'no contacts of others';
    is $alice->('GET', "$g/global_contact_list")->code, 200, 'global list';
    $is->($alice->(@$_, @xml), 403, 'Forbidden', "alice, $_->[0] $_->[1]") for
        ['GET',    "$g/admin", undef],
        ['GET',    "$g/nobody", undef],
        ['PUT',    "$g/admin/1", $own],
        ['DELETE', "$g/admin/1", undef],
        ['POST',   "$g/global_contact_list", $own];
    $is->($admin->(@$_, @xml), 404, 'Not Found', "admin, $_->[0] $_->[1]") for
        ['GET',    "$g/nobody",   undef],
        ['GET',    "$g/admin/99", undef],
        ['PUT',    "$g/admin/99", $own],
        ['DELETE', "$g/admin/99", undef],
        ['PATCH',  "$g/admin/1",  $own],
        ['GET',    "$g/admin/",   undef];

    # Lifecycle.
    my $changed = $own =~ s{<name>}{<contact_group_url>https://dot3$g/x/9
        </contact_group_url><name>}xr;
    $is->($admin->('PUT', "$g/admin/1", $changed, @xml), 200, 'Modified',
        'modified');
    like $flat->($admin->('GET', "$g/admin/1")), qr/global_contact_list/,
        'changed';
    $is->($admin->('DELETE', "$g/admin/1"), 200, 'Deleted', 'deleted');
    is $admin->('GET', "$g/admin/1")->code, 404, 'gone';

    # Lists.
    request($url, '', 'POST', '/_emulator/seed', {groups => [
        map { {name => "Group $_", description => "of $_"} } qw(c a b)]});
    my $names = sub ($query) {
        my $found = $admin->('GET', "$g/admin?$query");
        return join ' ', $found->code, map { $_->text }
            Mojo::DOM->new->xml(1)->parse($found->text)
            ->find('contact_group > name')->each;
    };
    is $names->('name=group'),
        '200 New Group from API Group c Group a Group b', 'by name';
    is $names->('name=group+&description=of&limit=1&offset=1'),
        '200 Group a', 'a page';
    is $names->('description=of&order=name'),
        '200 Group a Group b Group c', 'in order';
    is $names->('name=nothing'), '200', 'an empty list';
    is $names->($_), '400', $_ for qw(offset=1 limit=x order=id foo=1);

    # Contacts.
    my $c = '/ffws/v1/contacts';
    my $contact = sub ($name) {
        return "<contact><name>$name</name><fax_number>1</fax_number>"
            . '<phone_number>2</phone_number><organization>o</organization>'
            . '</contact>';
    };
    like $flat->($admin->('POST', "$c/alice", $contact->('n'), @xml)),
        qr{<message>Created.*<contact_url>https://dot3$c/alice/31</},
        'a contact';
    $is->($alice->($_, "$c/alice/31", $contact->($_), @xml), 200, 'Modified',
        "$_ for a contact") for qw(PUT POST);
    like $flat->($alice->('GET', "$c/alice/31")),
        qr{<name>POST</name><fax_number>1</fax_number><phone_number>2</},
        'modified';
    my $query = 'fax_number=1&organization=O&name=P';
    like $flat->($alice->('GET', "$c/alice?$query")),
        qr{Success</message><contact><contact_url>[^<]*/31<}, 'found';
    $alice->('POST', "$g/alice",
        "<contact_group><name>x</name><contact>https://dot3$c/alice/31"
            . '</contact></contact_group>', @xml);
    $is->($alice->('DELETE', "$c/alice/31"), 200, 'Deleted', 'removed');
    unlike $alice->('GET', "$g/alice/2")->body, qr/<contact>/,
        'from groups too';
};

subtest portsip => sub {
    my $url  = start('portsip', '--token', 'tok', '--token-lifetime', 60);
    my $api  = sub { request($url, 'Bearer tok', @_) };
    my $g    = '/api/groups';
    my $json = 'application/json';
    my $id   = 'NzAwNTUxOTA5NzczMTQ4MTYw';
    my $unknown = {errors =>
            [{code => 'UNKNOWN', message => 'unknown error'}]};
    my $no = {errors => [{code => 'UNAUTHORIZED',
                message => 'authentication required'}]};

    answer_is request($url, $_, 'GET', $g), 401, $json, $no,
        "credential \"$_\"" for '', 'Bearer x', basic('tok:');

    # Tokens.
    my %form = (
        grant_type => 'password',
        username   => 'admin',
        password   => 'portsip',
        scope      => 'all',
        client_id  => '9d806019-75b2-4b3d-bb8b-f5a3a412cc0a',
    );
    my $login = sub (%more) {
        return $ua->post("$url/api/login/oauth/token",
            form => {%form, %more})->res;
    };
    my $tokens = $login->()->json;
    is_deeply [@$tokens{qw(expires_in token_type)}], [60, 'Bearer'], 'login';
    is request($url, "Bearer $tokens->{access_token}", 'GET', $g)->code, 200,
        'a token';
    answer_is $login->(@$_), 400, $json, {errors => [{code => 'UNAUTHORIZED',
        message => 'Login failed, authentication error'}]}, "login @$_" for
        [password => 'x'], [client_id => 'x'], [scope => 'x'],
        [domain => 'x'];
    my @again = (grant_type => 'refresh_token',
        refresh_token => $tokens->{refresh_token});
    is $login->(@again)->code, 200, 'refreshed';
    answer_is $login->(@again), 400, $json, $unknown, 'not twice';
    is request($url, "Bearer $tokens->{access_token}", 'POST',
        '/api/login/oauth/revoke')->code, 200, 'revoked';
    is request($url, "Bearer $tokens->{access_token}", 'GET', $g)->code, 401,
        'no token any more';

    # The examples of the reference.
    my $body = {
        name                => 'text',
        outbound_caller_ids => [{
            provider_id => $id,
            caller_id   => 'text',
            description => 'text',
        }],
        description => 'text',
    };
    answer_is $api->('POST', $g, $body), 201, $json, {id => $id}, 'created';
    answer_is $api->('GET', "$g/$id"), 200, $json, {%$body, id => $id},
        'there it is';
    answer_is $api->('GET', $g), 200, $json, {count => 1, items =>
            [{id => $id, name => 'text', description => 'text'}]}, 'list';
    answer_is $api->('POST', "$g/$id", {%$body, name => 'new'}), 200, '', '',
        'updated, no content';
    $api->('POST', "$g/$id", {name => 'new'});
    answer_is $api->('GET', "$g/$id"), 200, $json, {id => $id,
        name => 'new', description => undef, outbound_caller_ids => []},
        'blank is null';

    my $invalid = sub ($detail) {
        return {errors => [{code => 'VALIDATE_FAILED',
            message => 'field validation failed', detail => $detail}]};
    };
    for (
        [{}, 'name'], [{name => ''}, 'name'], [{name => 'x' x 65}, 'name'],
        [{name => 5}, 'name'],
        [{name => 'x', description => 'x' x 1025}, 'description'],
        [{name => 'x', outbound_caller_ids => {}}, 'outbound_caller_ids'],
        [{name => 'x', outbound_caller_ids => [{caller_id => 'x'}]},
            'provider_id'],
        [{name => 'x', outbound_caller_ids => [{provider_id => 'x',
            caller_id => ''}]}, 'caller_id'],
        [[], 'JSON object expected'],
        )
    {
        my ($wrong, $detail) = @$_;
        answer_is $api->('POST', $_, $wrong), 400, $json,
            $invalid->($detail), "$detail at $_" for $g, "$g/$id";
    }
    answer_is $api->('POST', $g, {name => 'new'}), 400, $json,
        $invalid->('name is in use'), 'name';
    answer_is $api->('POST', $g, '{"name":"x"}', 'Content-Type', 'text/xml'),
        415, $json, $invalid->('Content-Type'), 'media type';
    answer_is $api->(@$_), 404, $json, $unknown, "no $_->[0] $_->[1]" for
        ['GET',  "$g/x"], ['POST', "$g/x/destroy"], ['GET', '/api/x'],
        ['POST', "$g/$id%2Fdestroy", {name => 'x'}],
        ['GET',  "$g/$id/members/101"], ['POST', "$g/$id/members/999"],
        ['POST', "$g/$id/members/101/destroy"];
    answer_is $api->($_, "$g/$id"), 405, $json, $unknown, $_
        for qw(PUT DELETE PATCH);

    # Members.
    my $path   = "$g/$id/members";
    my $member = {
        id               => b64_encode('700551909770000101', ''),
        name             => 'user101',
        display_name     => 'User 101',
        extension_number => '101',
    };
    answer_is $api->('POST', "$path/101"), 200, '', '', 'added';
    answer_is $api->('POST', "$path/101", '{}'), 400, $json,
        $invalid->('unexpected body'), 'without a body';
    answer_is $api->('GET', "$path/101"), 200, $json, $member, 'a member';
    answer_is $api->('GET', $path), 200, $json, {items => [$member]},
        'members';
    is $api->('POST', "$path/12")->code, 400, 'no extension number';
    answer_is $api->('POST', "$path/101/destroy"), 204, '', '', 'removed';
    answer_is $api->('GET', $path), 200, $json, {items => []}, 'nobody';

    answer_is $api->('POST', "$g/$id/destroy"), 204, '', '', 'destroyed';
    is $api->('GET', "$g/$id")->code, 404, 'gone';

    # Query options.
    request($url, '', 'POST', '/_emulator/seed', {groups => [
        {name => 'sales north', description => 'b'},
        {name => 'sales south', description => 'a'},
        {name => q{o'brien (x)}},
        {name => 'Support', description => 'b'},
    ]});
    my $list = sub (%query) {
        my $query = Mojo::Parameters->new(%query);
        my $res   = $api->('GET', "$g?$query");
        return $res->code if $res->code != 200;
        return join '|', $res->json->{count},
            map { $_->{name} } @{$res->json->{items}};
    };
    my %found = (
        q{name eq 'Support'}                 => '1|Support',
        q{name ne 'Support' and contains(description,'')}
            => '2|sales north|sales south',
        q{contains(name,'sales')}            => '2|sales north|sales south',
        q{startswith(name, 's') and endswith(name,'th')}
            => '2|sales north|sales south',
        q{name eq 'o''brien (x)'}            => q{1|o'brien (x)},
        q{description eq null}               => q{1|o'brien (x)},
        q{name eq 'Support' or name eq 'sales south' and description eq 'x'}
            => '1|Support',
        q{(name eq 'Support' or name eq 'sales south') and description le 'a'}
            => '1|sales south',
        q{name gt 'sales north'}             => '1|sales south',
        q{name ge 'sales north' and name lt 'sales south'}
            => '1|sales north',
    );
    is $list->(filter => $_), $found{$_}, $_ for sort keys %found;
    is $list->(filter => $_), 400, "no filter: $_" for
        q{name}, q{name eq}, q{name eq 'x}, q{name like 'x'}, q{foo eq 'x'},
        q{(name eq 'x'}, q{name eq 'x')}, q{name eq 'x' name eq 'y'},
        q{contains(name)}, q{name eq x}, q{name eq 'a' AND name eq 'b'};
    is $list->(orderby => 'description desc, name'),
        q{4|Support|sales north|sales south|o'brien (x)}, 'orderby';
    is $list->(search => 'SALES', filter => q{description eq 'a'}),
        '1|sales south', 'search and filter';
    is $list->(skip => 1, top => 2), q{4|sales south|o'brien (x)}, 'a page';
    is $list->(skip => 9), '4', 'beyond';
    is $list->(@$_), 400, "@$_" for [top => 0], [top => 101], [skip => -1],
        [orderby => 'name up'], [orderby => 'x'], ['$filter' => 'x'];
};

subtest options => sub {
    my $json  = 'application/json';
    my $plain = 'application/json; charset=utf-8';

    my $url = start('signalwire', '--credential', 'a:b', '--any-number',
        '--create-status', 201, '--error-code', 'numeric',
        '--no-unknown-fields', '--forbid-header', 'X-Secret', '--compress');
    my $api = sub { request($url, basic('a:b'), @_) };
    my $p   = '/api/relay/rest/number_groups';
    my $res = $api->('POST', $p, {name => 'x'});
    is $res->code, 201, 'signalwire --create-status';
    is $api->('POST', "$p/" . $res->json->{id} . '/number_group_memberships',
        {phone_number_id => '3fa85f64-5717-4562-b3fc-2c963f66afa7'})->code,
        201, 'signalwire --any-number';
    is $api->('POST', $p, {})->json->{errors}[0]{code}, '422',
        'signalwire --error-code';
    is $api->('POST', $p, {name => 'x', description => 'y'})
        ->json->{errors}[0]{detail}, 'description is unknown',
        '--no-unknown-fields';
    is $api->('GET', $p, undef, 'X-Secret' => 1)->code, 400,
        '--forbid-header';
    $api->('POST', $p, {name => 'x' x 200}) for 1 .. 5;
    my $tx = $ua->build_tx(GET => "$url$p", {Authorization => basic('a:b'),
            'Accept-Encoding' => 'gzip'});
    $tx->res->content->auto_decompress(0);
    is $ua->start($tx)->res->headers->content_encoding, 'gzip', '--compress';

    $url = start('vinyldns', '--credential', 'k:s:dummy', '--domain', 'all',
        '--dots', 1);
    my $group = {name => 'x', email => 'a@b.c', members => [], admins => []};
    is signed($url, {key => 'k', secret => 's'}, 'POST', '/groups', $group)
        ->code, 200, 'vinyldns --credential, --domain all';
    like signed($url, {}, 'POST', '/groups', {%$group, email => 'a@b.c.d'})
        ->body, qr/Number of dots allowed after @ is 1/, 'vinyldns --dots';

    $url = start('faxfinder', '--credential', 'eve:x', '--public-url', 'host',
        '--empty-list', 404, '--empty-errors');
    my $eve = sub { request($url, basic('eve:x'), @_) };
    $res = $eve->('GET', '/ffws/v1/contact_groups/eve');
    is $res->code, 404, 'faxfinder --empty-list';
    is $res->body, '',  'faxfinder --empty-errors';
    like $eve->('GET', '/ffws/v1/contacts/eve/7')->body,
        qr{<contact_url>\Q$url\E/ffws/v1/contacts/eve/7<},
        'faxfinder --public-url';

    $url = start('portsip', '--first-id', '7005519097731481600',
        '--duplicate-name', 409, '--display-name', '--login', 'u@d:p');
    $api = sub { request($url, 'Bearer portsip-emulated-token', @_) };
    my $id = $api->('POST', '/api/groups', {name => 'x',
        outbound_caller_ids => [{provider_id => 'p', caller_id => 'c',
            display_name => 'd'}]})->json->{id};
    is $id, 'NzAwNTUxOTA5NzczMTQ4MTYwMA==', 'portsip --first-id';
    is $api->('GET', '/api/groups/' . $id =~ s/=/%3D/gr)
        ->json->{outbound_caller_ids}[0]{display_name}, 'd',
        'portsip --display-name, an escaped id';
    is $api->('POST', '/api/groups', {name => 'x'})->code, 409,
        'portsip --duplicate-name';
    is $ua->post("$url/api/login/oauth/token", form => {
        grant_type => 'password', username => 'u', domain => 'd',
        password => 'p', scope => 'all',
        client_id => '9d806019-75b2-4b3d-bb8b-f5a3a412cc0a'})->res->code,
        200, 'portsip --login';
};

subtest ends => sub {
    my $url = start('portsip');
    my $pid = pop @children;
    kill 'TERM', $pid;
    my $begin = time;
    waitpid $pid, 0;
    is $?, 0, 'stops when told to';
    cmp_ok time - $begin, '<', 1, 'at once';

    # The pipe is closed when the emulator is gone too.
    $begin = time;
    my $line = `sh -c '$^X $VENDORS/portsip.pl --with-parent=\$\$ &'`;
    like $line, qr/listening/, 'starts';
    cmp_ok time - $begin, '<', 5, 'stops when its parent is gone';
};

# The two lines are of requests that a gateway should not send.
my @noise = grep { !/^\w+: (?:unexpected header|body with) [\w-]+$/ }
    readline $noise;
is_deeply \@noise, [], 'no warnings';

done_testing;
