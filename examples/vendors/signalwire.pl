#!/usr/bin/env perl

# SignalWire number groups, emulated.
#
#   perl signalwire.pl --listen http://127.0.0.1:9001
#
# Default credential (project id and API token, HTTP Basic):
#
#   5f3c2a1e-7b4d-4c8e-9a6f-2d1b0c9e8f7a:PTemulatedtoken
#
# Options, beside those in lib/Vendor.pm:
#
#   --credential ID:TOKEN   instead of the default one, may be repeated
#   --scopeless ID:TOKEN    a token without the scope Numbers, may be repeated
#   --any-number            accept every UUID as a phone number of the project
#   --create-status 201     as the older documents have it, default 200
#   --error-code numeric    "422" as code in validation errors, as in the
#                           OpenAPI example, instead of the symbolic codes
#
# Phone numbers at start: 3fa85f64-5717-4562-b3fc-2c963f66afa6, the one of the
# vendor's example, and 3fa85f64-5717-4562-b3fc-000000000001 to ...0020 (all
# digits decimal). POST /_emulator/seed takes
# {"numbers": [{"id", "name", "number", "capabilities"}],
#  "groups": [{"name", "sticky_sender"}]}, all fields optional.
#
# Sources: the SignalWire REST reference for number groups and number group
# memberships with its OpenAPI, and the pages on paging and error codes.

use Mojolicious::Lite -signatures;

use FindBin;
use lib "$FindBin::Bin/lib";

use Mojo::JSON qw(false true);
use Mojo::Parameters;
use Vendor qw(
    basic_credentials is_boolean is_string json_body media_type timestamp uuid
);

my $BASE = '/api/relay/rest';
my $UUID = qr/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

my (%number, %group, %membership, $sequence);

my $vendor = Vendor->new(
    name      => 'signalwire',
    app       => app,
    missing   => sub ($c) { authorized($c) and error($c, 404) },
    refuse    => sub ($c, $why) { error($c, 400) },
    on_reset  => \&reset_state,
    on_seed   => \&seed,
    on_seeded => sub { {numbers => [sort_by_id(values %number)]} },
);

my $option = $vendor->getopt(
    'credential=s@', 'scopeless=s@', 'any-number',
    'create-status=i', 'error-code=s'
);

my %credential = map { ($_ => 1) } @{$option->{credential}
        // ['5f3c2a1e-7b4d-4c8e-9a6f-2d1b0c9e8f7a:PTemulatedtoken']};
my %scopeless = map { ($_ => 1) } @{$option->{scopeless} // []};

app->types->type(json => 'application/json; charset=utf-8');
$vendor->install;

under $BASE => \&authorized;

get '/number_groups' => sub ($c) {
    my $filter = $c->req->query_params->param('filter_name');

    return invalid($c, ['Filter name is too long (maximum is 255 characters)'])
        if defined $filter && length $filter > 255;

    # ASSUMED: the substring is compared without regard to case.
    my @groups = newest_first(values %group);
    @groups = grep { index(lc $_->{name}, lc $filter) >= 0 } @groups
        if defined $filter;

    page(
        $c, "$BASE/number_groups", \@groups, \&group_view,
        defined $filter ? (filter_name => $filter) : ()
    );
};

post '/number_groups' => sub ($c) {
    my $body = body_or_error($c, qw(name sticky_sender)) // return;

    my @problems = group_problems($body);
    return invalid($c, @problems) if @problems;

    my $group = add_group($body);
    $c->render(
        json   => group_view($group),
        status => $option->{'create-status'} // 200
    );
};

get '/number_groups/#id' => sub ($c) {
    my $group = find_or_error($c, \%group, 'id') // return;
    $c->render(json => group_view($group));
};

put '/number_groups/#id' => sub ($c) {
    my $group = find_or_error($c, \%group, 'id') // return;
    my $body  = body_or_error($c, qw(name sticky_sender)) // return;

    # The OpenAPI requires the name here too; the older page does not.
    my @problems = group_problems($body);
    return invalid($c, @problems) if @problems;

    $group->{name}          = $body->{name};
    $group->{sticky_sender} = $body->{sticky_sender}
        if exists $body->{sticky_sender};

    $c->render(json => group_view($group));
};

del '/number_groups/#id' => sub ($c) {
    my $group = find_or_error($c, \%group, 'id') // return;

    # The numbers themselves are not released, only the memberships go.
    delete $group{$group->{id}};
    delete $membership{$_->{id}} for members_of($group);

    $c->rendered(204);
};

get '/number_groups/#id/number_group_memberships' => sub ($c) {
    my $group = find_or_error($c, \%group, 'id') // return;

    page(
        $c,
        "$BASE/number_groups/$group->{id}/number_group_memberships",
        [newest_first(members_of($group))],
        \&membership_view
    );
};

post '/number_groups/#id/number_group_memberships' => sub ($c) {
    my $group = find_or_error($c, \%group, 'id') // return;
    my $body  = body_or_error($c, 'phone_number_id') // return;

    my $id = $body->{phone_number_id};

    return invalid($c,
        [q{Phone number can't be blank}, 'missing_required_parameter'])
        if !defined $id || is_string($id) && $id eq '';

    return invalid($c, ['Phone number is invalid'])
        if !is_string($id) || $id !~ $UUID;

    $id = lc $id;
    add_number({id => $id}) if $option->{'any-number'} && !$number{$id};

    # ASSUMED: the documents do not say how an unknown number is refused.
    return invalid($c, ['Phone number must exist']) if !$number{$id};

    # ASSUMED: a number is in a group once; already_assigned is in the public
    # list of codes, but not said to be for this.
    return invalid($c,
        ['Phone number is already assigned', 'already_assigned'])
        if grep { $_->{phone_number_id} eq $id } members_of($group);

    my $now        = timestamp();
    my $membership = {
        id              => uuid(),
        sequence        => ++$sequence,
        number_group_id => $group->{id},
        phone_number_id => $id,
        created_at      => $now,
        updated_at      => $now,
    };
    $membership{$membership->{id}} = $membership;

    $c->render(
        json   => membership_view($membership),
        status => $option->{'create-status'} // 200
    );
};

# A single membership has a flat path, unlike the list.
get '/number_group_memberships/#id' => sub ($c) {
    my $membership = find_or_error($c, \%membership, 'id') // return;
    $c->render(json => membership_view($membership));
};

del '/number_group_memberships/#id' => sub ($c) {
    my $membership = find_or_error($c, \%membership, 'id') // return;
    delete $membership{$membership->{id}};
    $c->rendered(204);
};

$vendor->run;

sub authorized ($c) {
    my $given = join ':', basic_credentials($c);

    return 1 if $credential{$given};

    # The page on error codes has 403 for a missing scope; the one on
    # authorization has 401.
    error($c, $scopeless{$given} ? 403 : 401);

    return 0;
}

sub error ($c, $status) {
    my %text = (
        400 => 'Bad Request',
        401 => 'Unauthorized',
        403 => 'Forbidden',
        404 => 'Not Found',
    );

    return $c->render(json => {error => $text{$status}}, status => $status);
}

# Each problem is a detail and a code, by default that of generic validators.
sub invalid ($c, @problems) {
    my $numeric = ($option->{'error-code'} // '') eq 'numeric';

    my @errors = map { {
        detail => $_->[0],
        status => '422',
        title  => 'Invalid Attribute',
        code   => $numeric ? '422' : $_->[1] // 'invalid_parameter',
    } } @problems;

    return $c->render(json => {errors => \@errors}, status => 422);
}

# ASSUMED: 400 for a body that is not JSON or not said to be; the documents
# have no 415 here.
sub body_or_error ($c, @known) {
    my $body = media_type($c) eq 'application/json' ? json_body($c) : undef;

    if (ref $body ne 'HASH') {
        error($c, 400);
        return undef;
    }

    if (my @unknown = $vendor->unknown_fields($body, @known)) {
        invalid($c, map { ["$_ is unknown"] } @unknown);
        return undef;
    }

    return $body;
}

# ASSUMED: an id that is no UUID is an unknown one.
sub find_or_error ($c, $objects, $name) {
    my $object = $objects->{lc $c->stash($name)};
    error($c, 404) if !$object;
    return $object;
}

sub group_problems ($body) {
    my $name = $body->{name};
    my @problems;

    if (!defined $name || is_string($name) && $name !~ /\S/) {
        push @problems,
            [q{Name can't be blank}, 'missing_required_parameter'];
    }
    elsif (!is_string($name)) {
        push @problems, ['Name is invalid'];
    }
    elsif (length $name > 255) {

        # ASSUMED: the length that the documents give for filter_name.
        push @problems, ['Name is too long (maximum is 255 characters)'];
    }

    push @problems, ['Sticky sender is invalid']
        if exists $body->{sticky_sender}
        && !is_boolean($body->{sticky_sender});

    return @problems;
}

# ASSUMED: the query strings of the links; the documents only have
# placeholders. A token stands for the last object of the page before, so
# objects that come or go meanwhile do not shift the next page.
sub page ($c, $path, $objects, $view, @kept) {
    my $query  = $c->req->query_params;
    my $number = $query->param('page_number') // 0;
    my $size   = $query->param('page_size')   // 50;
    my $token  = $query->param('page_token');
    my @problems;

    push @problems, ['Page number is invalid'] if $number !~ /^\d{1,9}$/;
    push @problems, ['Page size must be between 1 and 1000']
        if $size !~ /^\d{1,9}$/ || $size < 1 || $size > 1000;
    push @problems, ['Page token is invalid']
        if defined $token && $token !~ /^PA[0-9a-f]{12}$/;
    return invalid($c, @problems) if @problems;

    my @rest = @$objects;

    if (defined $token) {
        my $last = hex substr $token, 2;
        @rest = grep { $_->{sequence} < $last } @rest;
    }
    else {
        splice @rest, 0, $number * $size;
    }

    my @page = splice @rest, 0, $size;

    my $link = sub ($at, $with = undef) {
        my $params = Mojo::Parameters->new(
            @kept,
            page_number => $at,
            page_size   => $size + 0,
            defined $with ? (page_token => $with) : ()
        );
        return "$path?$params";
    };

    my %links = (self => $link->($number + 0, $token), first => $link->(0));

    $links{prev} = $link->($number - 1) if $number > 0;
    $links{next}
        = $link->($number + 1, sprintf 'PA%012x', $page[-1]{sequence})
        if @rest && @page;

    return $c->render(
        json => {links => \%links, data => [map { $view->($_) } @page]});
}

sub group_view ($group) {
    return {
        id                 => $group->{id},
        name               => $group->{name},
        sticky_sender      => $group->{sticky_sender},
        phone_number_count => scalar members_of($group),
    };
}

sub membership_view ($membership) {
    return {
        (map { ($_ => $membership->{$_}) }
                qw(id number_group_id created_at updated_at)),
        phone_number => $number{$membership->{phone_number_id}},
    };
}

sub members_of ($group) {
    return grep { $_->{number_group_id} eq $group->{id} } values %membership;
}

sub newest_first (@objects) {
    return sort { $b->{sequence} <=> $a->{sequence} } @objects;
}

sub sort_by_id (@objects) {
    return sort { $a->{id} cmp $b->{id} } @objects;
}

sub add_group ($fields) {
    my $group = {
        id            => uuid(),
        sequence      => ++$sequence,
        name          => $fields->{name},
        sticky_sender => $fields->{sticky_sender} // false,
    };
    return $group{$group->{id}} = $group;
}

sub add_number ($fields) {
    my $id    = lc($fields->{id} // uuid());
    my $order = keys %number;

    return $number{$id} = {
        id           => $id,
        name         => $fields->{name}   // "Number $order",
        number       => $fields->{number} // sprintf('+1555%07d', $order),
        capabilities => $fields->{capabilities} // [qw(voice sms mms fax)],
    };
}

sub reset_state {
    (%number, %group, %membership) = ();
    $sequence = 0;

    add_number({id => '3fa85f64-5717-4562-b3fc-2c963f66afa6'});
    add_number({id => sprintf '3fa85f64-5717-4562-b3fc-%012d', $_})
        for 1 .. 20;

    return;
}

sub seed ($data) {
    return {
        numbers => [map { add_number($_) } @{$data->{numbers} // []}],
        groups  => [
            map { group_view(add_group({name => 'seeded', %$_})) }
                @{$data->{groups} // []}
        ],
    };
}
