package Test::Gateway::IdP;

# What Okta and Microsoft Entra ID say to a gateway that manages groups only:
# the test of the connection, the users that are to be members, and the life
# of a group.
#
#   provisions($t, port => $port, token => 'demo-token', user => 'a@test.com',
#       ids => [three members], kept => sub { members of the group, or undef });
#
# t/scim.t has all of it, and in every shape.

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Vendors qw(path_segment);

our @EXPORT_OK = qw(provisions);

my $CORE     = 'urn:ietf:params:scim:schemas:core:2.0:';
my $MESSAGES = 'urn:ietf:params:scim:api:messages:2.0:';

sub provisions {
    my ($t, %o) = @_;

    my $call = sub {
        my ($method, $path, $data, %more) = @_;
        return $t->request(method => $method, uri => "/scim/v2$path",
            port => $o{port}, bearer => $o{token},
            $data ? (body => json_encode($data)) : (),
            headers => [Host => 'idp.example',
                $data ? ('Content-Type' => 'application/scim+json') : ()],
            %more);
    };

    subtest 'the connection is tested' => sub { _connection($call, %o) };
    subtest 'users are found'          => sub { _users($call, %o) };

    for my $idp (qw(okta entra)) {
        subtest "$idp: the life of a group" => sub {
            _group($call, $idp, %o);
        };
    }

    return;
}

sub _is_list {
    my ($r, $n, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->status, 200, "$name: status") or diag($r->body);
    is($r->header('Content-Type'), 'application/scim+json', "$name: type");
    my $list = $r->json // {};
    is_deeply($list->{schemas}, ["${MESSAGES}ListResponse"], "$name: a list");
    is($list->{totalResults}, $n, "$name: of $n");
    return @{$list->{Resources} // []};
}

sub _is_error {
    my ($r, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->status, $status, "$name: status");
    is($r->header('Content-Type'), 'application/scim+json', "$name: type");
    my $error = $r->json // {};
    is_deeply([$error->{schemas}, $error->{status}],
        [["${MESSAGES}Error"], "$status"], "$name: an error of SCIM's");
    return;
}

sub _by {
    my ($attribute, $value) = @_;
    return 'filter=' . path_segment(qq{$attribute eq "$value"});
}

sub _connection {
    my ($call, %o) = @_;

    my $nobody = '6bb2fe65-bff5-4e2f-a4a9-d8ee5e3fd0c3';

    # Okta
    _is_list($call->('GET', '/Users?startIndex=1&count=2'), 0, 'Okta: users');
    _is_list($call->('GET', '/Groups?startIndex=1&count=100'), 0,
        'Okta: groups');

    # Entra ID asks for somebody who does not exist
    _is_list($call->('GET', '/Users?' . _by('userName', $nobody)), 0,
        'Entra ID: a user');
    _is_list($call->('GET', '/Groups?excludedAttributes=members&'
        . _by('displayName', $nobody)), 0, 'Entra ID: a group');

    for my $path (qw(/Users /Groups /ServiceProviderConfig)) {
        _is_error($call->('GET', $path, undef, bearer => 'wrong'), 401,
            "$path: a wrong token");
        _is_error($call->('GET', $path, undef, bearer => undef), 401,
            "$path: no token");
    }

    is($call->('GET', $_)->status, 200, $_)
        for qw(/ServiceProviderConfig /Schemas /ResourceTypes);

    return;
}

sub _users {
    my ($call, %o) = @_;

    my $encoded = _by('userName', $o{user});
    for my $query ($encoded, $encoded =~ s/%20/+/gr,
        "filter=userName+eq+\"$o{user}\"", "startIndex=1&count=100&$encoded")
    {
        my ($user) = _is_list($call->('GET', "/Users?$query"), 1, $query);
        is_deeply($user, {schemas => ["${CORE}User"], id => $o{ids}[0],
                userName => $o{user}, active => JSON::PP::true()}, 'it is');
    }

    for my $odd ('nobody@test.com', 'a"b', "x\\", "$o{user}\" or \"") {
        _is_list($call->('GET', '/Users?' . _by('userName', $odd)), 0, $odd);
    }

    _is_error($call->('POST', '/Users', {userName => 'new@test.com'}), 403,
        'a user is made');
    _is_error($call->('GET', "/Users/$o{ids}[0]"), 404, 'one by the id');

    return;
}

sub _group {
    my ($call, $idp, %o) = @_;

    my ($name, $crew) = ("$idp team", "$idp crew");
    my @m = @{$o{ids}};
    my @without
        = $idp eq 'entra' ? 'excludedAttributes=members&' : ('');
    my $find = sub { $call->('GET', '/Groups?' . $without[0]
                . _by('displayName', $_[0]) . '&startIndex=1&count=100') };
    my $patch = sub { $call->('PATCH', "/Groups/$_[0]",
            {schemas => ["${MESSAGES}PatchOp"], Operations => $_[1]}) };

    _is_list($find->($name), 0, 'is there one?');

    my $r = $call->('POST', '/Groups', {schemas => ["${CORE}Group"],
            displayName => $name, $idp eq 'okta' ? (members => [])
            : (externalId => '8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159')});
    is($r->status, 201, 'created') or return diag($r->body);
    my $id = $r->json->{id};
    is($r->header('Location'), "http://idp.example/scim/v2/Groups/$id",
        'Location');
    is($r->header('Group-Lost'), $idp eq 'okta' ? undef : 'external_id',
        'what is lost is told');
    is_deeply($o{kept}->($name), [sort @{$o{always} // []}], 'is there');

    my ($found) = _is_list($find->($name), 1, 'found');
    is($found->{id}, $id, 'it is');
    is($call->('GET', "/Groups/$id")->status, 200, 'read');

    my $op = sub { $idp eq 'okta' ? $_[0] : ucfirst $_[0] };
    my @steps = (
        ['renamed', $crew, [], $idp eq 'okta'
            ? {op => 'replace', value => {id => $id, displayName => $crew}}
            : {op => 'Replace', path => 'displayName', value => $crew}],
        ['three are added', $crew, [@m[0 .. 2]],
            {op => $op->('add'), path => 'members',
                value => [map { {value => $_} } @m[0 .. 2]]}],
        ['one is removed', $crew, [@m[0, 2]], $idp eq 'okta'
            ? {op => 'remove', path => qq{members[value eq "$m[1]"]}}
            : {op => 'Remove', path => 'members',
                value => [{value => $m[1]}]}],
    );

    for my $step (@steps) {
        my ($what, $now, $members, @operations) = @$step;
        $r = $patch->($id, [@operations]);
        is($r->status, 204, $what) or diag($r->body);
        is_deeply($o{kept}->($now), [sort @{$o{always} // []}, @$members],
            "$what: by the vendor");
    }

    $r = $call->('DELETE', "/Groups/$id");
    is($r->status, 204, 'deleted');
    is($o{kept}->($crew), undef, 'gone');
    _is_error($call->('GET', "/Groups/$id"), 404, 'read again');

    return;
}

1;
