#!/usr/bin/env perl

# VinylDNS groups, emulated.
#
#   perl vinyldns.pl --listen http://127.0.0.1:9003 --domain example.com
#
# Users at start (access key and secret, user name, id):
#
#   okAccessKey            okSecretKey            ok
#       2764183c-5e75-4ae6-8833-503cd5f4dcb0
#   dummyAccessKey         dummySecretKey         dummy
#       4c1e3b0a-0d51-4a5e-9d2b-6a7b8c9d0e01
#   sharedZoneUserAccessKey  sharedZoneUserSecretKey  sharedZoneUser
#       4c1e3b0a-0d51-4a5e-9d2b-6a7b8c9d0e02
#   supportUserAccessKey   supportUserSecretKey   support-user (support)
#       4c1e3b0a-0d51-4a5e-9d2b-6a7b8c9d0e03
#   superUserAccessKey     superUserSecretKey     super-user (super)
#       4c1e3b0a-0d51-4a5e-9d2b-6a7b8c9d0e04
#   lockedAccessKey        lockedSecretKey        lockedUser (locked)
#       4c1e3b0a-0d51-4a5e-9d2b-6a7b8c9d0e05
#   historyAccessKey       historySecretKey       history-user
#       history-id, a plain word as in the vendor's functional tests
#
# and name-dummy000 to name-dummy199 without keys, their ids dummy000 to
# dummy199, for long lists of members.
#
# Options, beside those in lib/Vendor.pm:
#
#   --credential KEY:SECRET[:USER]  another access key, of that user (default
#                                   ok); may be repeated
#   --domain NAME                   a valid email domain, *name for its
#                                   subdomains too, "all" for no check; may be
#                                   repeated; default test.com and *dummy.com
#   --dots N                        dots allowed after the @, default 2
#
# POST /_emulator/seed takes
# {"users": [{"id", "userName", "accessKey", "secretKey", "firstName",
#             "lastName", "email", "isSuper", "isSupport", "lockStatus"}],
#  "groups": [{"name", "email", "members": [ids], "admins": [ids]}],
#  "zones": [{"id", "adminGroupId"}], "recordSets": [{"id", "ownerGroupId"}],
#  "acls": [{"zoneId", "groupId"}]}, the last three to keep a group from being
# deleted.
#
# Sources: github.com/vinyldns/vinyldns, chiefly MembershipRouting.scala,
# MembershipService.scala, MembershipValidations.scala, Messages.scala,
# JsonValidation.scala, VinylDNSAuthentication.scala, Aws4Authenticator.scala
# and the functional tests; and akka-http 10.1 for what it answers itself.
#
# There are three families of errors. A: application/json with a bare string,
# from the service. B: application/json {"errors": [..]}, for the fields of a
# body. C: text/plain, from authentication and from akka-http.

use Mojolicious::Lite -signatures;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use List::Util qw(uniq);
use Mojo::Date;
use Mojo::JSON qw(decode_json encode_json false true);
use Mojo::Util qw(encode url_escape url_unescape);
use Time::HiRes qw(time);
use Time::Local qw(timegm);
use Vendor qw(is_string media_type timestamp uuid);

my $LIST_LIMIT  = 3000;
my $ITEMS_LIMIT = 1000;

my (%user, %key, %group, %change, @changes, %in_use);

my $vendor = Vendor->new(
    name      => 'vinyldns',
    app       => app,
    missing   => \&no_such_path,
    refuse    => sub ($c, $why) { text($c, 400, $why) },
    never     => [qw(Cookie Proxy-Authorization)],
    on_reset  => \&reset_state,
    on_seed   => \&seed,
    on_seeded => sub { {users => [by_id(values %user)]} },

    # Some of the vendor's clients send a body with GET, and sign it.
    bodiless => [],
);

my $option = $vendor->getopt('credential=s@', 'domain=s@', 'dots=i');

# The defaults of reference.conf.
my @domain = @{$option->{domain} // [qw(test.com *dummy.com)]};
@domain = () if grep { $_ eq 'all' } @domain;
my $dots = $option->{dots} // 2;

app->types->type(json => 'application/json');
$vendor->install;

# A path with its methods, in the order akka-http names them. What is wrong
# with path, method or query is answered before authentication.
sub route ($path, %action) {
    my @methods = grep { $action{$_} } qw(GET DELETE PUT POST);

    any $path => sub ($c) {
        my $action = $action{$c->req->method};
        return $action->($c) if $action;

        $c->res->headers->allow(join ', ', @methods);
        text($c, 405, 'HTTP method not allowed, supported methods: '
                . join ', ', @methods);
    };

    return;
}

route('/groups', GET => \&list_groups, POST => \&create_group);

route('/groups/#id',
    GET => sub ($c) {
        my $caller = authenticated($c) // return;
        my $group  = existing_group($c, $c->stash('id')) // return;
        json($c, group_view($group));
    },
    DELETE => \&delete_group,
    PUT    => \&update_group,
);

route('/groups/#id/members', GET => \&list_members);
route('/groups/#id/activity', GET => \&list_activity);

route('/groups/#id/admins',
    GET => sub ($c) {
        my $caller = authenticated($c) // return;
        my $group  = existing_group($c, $c->stash('id')) // return;
        my @admins = by_id(grep {$_} @user{@{$group->{admins}}});
        json($c, {admins => [map { user_view($_) } @admins]});
    }
);

route('/groups/change/#change',
    GET => sub ($c) {
        my $caller = authenticated($c) // return;

        # The documents have 404 here.
        my $change = $change{$c->stash('change')}
            // return failure($c, 400, 'Invalid Group Change ID');

        return failure($c, 403, 'Not authorized')
            if !may_see_changes($caller, $change->{group});

        json($c, change_view($change));
    }
);

route('/groups/valid/domains',
    GET => sub ($c) {
        my $caller = authenticated($c) // return;
        json($c, \@domain);
    }
);

route('/users/#id',
    GET => sub ($c) {
        my $caller = authenticated($c) // return;
        my $id     = $c->stash('id');
        my ($user) = $user{$id}
            // grep { $_->{userName} eq $id } values %user;

        return failure($c, 404, "User $id was not found") if !$user;

        json($c, {
            id       => $user->{id},
            userName => $user->{userName},
            groupId  => [map { $_->{id} } by_id(groups_of($user))],
        });
    }
);

$vendor->run;

# ----------------------------------------------------------------- operations

sub create_group ($c) {
    my $caller = authenticated($c) // return;
    my $input  = group_input($c)   // return;

    # The caller becomes an administrator, administrators become members.
    my @admins  = uniq @{$input->{admins}},  $caller->{id};
    my @members = uniq @{$input->{members}}, @admins;

    my $why = name_or_email_problem($input);
    return failure($c, 400, $why) if defined $why;

    return name_taken($c, $input->{name}) if named($input->{name});

    my @unknown = grep { !$user{$_} } @members;
    return users_unknown($c, @unknown) if @unknown;

    # Names are VARCHAR(256) in V3.4__Groups.sql, and not checked before.
    return server_error($c) if length $input->{name} > 256;

    my $group = {
        %$input,
        id      => uuid(),
        created => time,
        status  => 'Active',
        members => \@members,
        admins  => \@admins,
    };
    $group{$group->{id}} = $group;
    record_change('Create', $caller, $group);

    return json($c, group_view($group));
}

# The id in the path is of no interest, the one in the body counts.
sub update_group ($c) {
    my $caller = authenticated($c) // return;
    my $input = group_input($c, 'id') // return;

    my $old = existing_group($c, $input->{id}) // return;

    my @admins  = @{$input->{admins}};
    my @members = uniq @{$input->{members}}, @admins;

    my $why = name_or_email_problem($input);
    return failure($c, 400, $why) if defined $why;

    return failure($c, 403, 'Not authorized') if !may_edit($caller, $old);

    return failure($c, 400,
        'Group must have at least one member and one admin')
        if !@members || !@admins;

    # Only who becomes a plain member is looked up, as in updateGroup; an
    # unknown new administrator goes unnoticed.
    my %was_member = map { ($_ => 1) } @{$old->{members}};
    my %was_admin  = map { ($_ => 1) } @{$old->{admins}};
    my %is_admin   = map { ($_ => 1) } @admins;
    my @plain      = grep {
        !$is_admin{$_} && (!$was_member{$_} || $was_admin{$_})
    } @members;
    my @unknown = grep { !$user{$_} } @plain;
    return users_unknown($c, @unknown) if @unknown;

    my $namesake = named($input->{name});
    return name_taken($c, $input->{name})
        if $namesake && $namesake->{id} ne $old->{id};

    return server_error($c) if length $input->{name} > 256;

    my $group = {
        %$input,
        created => $old->{created},
        status  => $old->{status},
        members => \@members,
        admins  => \@admins,
    };
    $group{$group->{id}} = $group;
    record_change('Update', $caller, $group, $old);

    return json($c, group_view($group));
}

sub delete_group ($c) {
    my $caller = authenticated($c) // return;
    my $group  = existing_group($c, $c->stash('id')) // return;

    return failure($c, 403, 'Not authorized') if !may_edit($caller, $group);

    my ($id, $name) = @$group{qw(id name)};
    my $advice = 'Cannot delete. Please transfer the ownership to another '
        . 'group before deleting.';

    return failure($c, 400, "$name is the admin of a zone. $advice")
        if $in_use{zone}{$id};
    return failure($c, 400, "$name is the owner for a record set including "
            . "$in_use{recordSet}{$id}. $advice")
        if $in_use{recordSet}{$id};
    return failure($c, 400, "$name has an ACL rule for a zone including "
            . "$in_use{acl}{$id}. $advice")
        if $in_use{acl}{$id};

    delete $group{$id};
    record_change('Delete', $caller, $group);

    return json($c, group_view({%$group, status => 'Deleted'}));
}

sub list_groups ($c) {
    my $query = query($c, {
        maxItems     => 'int',
        ignoreAccess => 'bool',
        abridged     => 'bool',
    }) // return;

    # The text of the route, with its line breaks and its stray quote.
    my $max = $query->{maxItems};
    return failure($c, 400,
        "\n maxItems was $max, maxItems must be between 0 exclusive"
            . "\n and $LIST_LIMIT inclusive\"\n" . ' ' x 25)
        if $max <= 0 || $max > $LIST_LIMIT;

    my $caller = authenticated($c) // return;

    my ($filter, $start) = @$query{qw(groupNameFilter startFrom)};

    my @mine = sort { lc $a->{name} cmp lc $b->{name} }
        $caller->{isSuper} || $caller->{isSupport} || $query->{ignoreAccess}
        ? values %group
        : groups_of($caller);

    my @found = @mine;
    @found = grep { index(lc $_->{name}, lc $filter) >= 0 } @found
        if defined $filter;

    if (defined $start) {

        # pageListGroupsResponse takes the head of a list that may be empty.
        my ($last) = grep { $_->{id} eq $start } @mine;
        return server_error($c) if !$last;

        @found = grep { lc $_->{name} gt lc $last->{name} } @found;
    }

    my @page = splice @found, 0, $max;

    my $view = sub ($group) {
        my $view = group_view($group);
        return $view if !$query->{abridged};

        delete @$view{qw(created status)};
        @{$view->{$_}} = grep { $_->{id} eq $caller->{id} } @{$view->{$_}}
            for qw(members admins);

        return $view;
    };

    return json($c, {
        groups       => [map { $view->($_) } @page],
        maxItems     => $max,
        ignoreAccess => $query->{ignoreAccess} ? true : false,
        defined $filter ? (groupNameFilter => $filter)         : (),
        defined $start  ? (startFrom       => $start)          : (),
        @found          ? (nextId          => $page[-1]->{id}) : (),
    });
}

sub list_members ($c) {
    my $query = query($c, {maxItems => 'int'}) // return;

    my $max = $query->{maxItems};
    return failure($c, 400, "maxItems was $max, maxItems must be between "
            . "0 exclusive and $ITEMS_LIMIT inclusive")
        if $max <= 0 || $max > $ITEMS_LIMIT;

    my $caller = authenticated($c) // return;
    my $group  = existing_group($c, $c->stash('id')) // return;

    my $start = $query->{startFrom};
    my %admin = map { ($_ => 1) } @{$group->{admins}};
    my @found = by_id(grep {$_} @user{@{$group->{members}}});
    @found = grep { $_->{id} gt $start } @found if defined $start;

    my @page = splice @found, 0, $max;
    my @members
        = map { {%{user_view($_)}, isAdmin => $admin{$_->{id}} ? true : false} }
        @page;

    return json($c, {
        members  => \@members,
        maxItems => $max,
        defined $start ? (startFrom => $start)        : (),
        @found         ? (nextId    => $page[-1]{id}) : (),
    });
}

sub list_activity ($c) {
    my $query = query($c, {maxItems => 'int', startFrom => 'int'}) // return;

    my $max = $query->{maxItems};
    return failure($c, 400,
        "maxItems was $max, maxItems must be between 0 and $ITEMS_LIMIT")
        if $max <= 0 || $max > $ITEMS_LIMIT;

    my $caller = authenticated($c) // return;
    my $id     = $c->stash('id');

    # Nobody looks whether there is such a group.
    return failure($c, 403, 'Not authorized')
        if !may_see_changes($caller, $id);

    my $start = $query->{startFrom};
    my $skip  = $start // 0;
    my @found = grep { $_->{group} eq $id } reverse @changes;
    splice @found, 0, $skip < @found ? $skip : scalar @found;

    my @page = splice @found, 0, $max;

    return json($c, {
        changes  => [map { change_view($_) } @page],
        maxItems => $max,
        defined $start ? (startFrom => $start)       : (),
        @found         ? (nextId    => $skip + $max) : (),
    });
}

# -------------------------------------------------------------- authentication

# The caller, or undef when the refusal is already sent.
sub authenticated ($c) {
    my $headers = $c->req->headers;
    my $refused = sub ($why) {
        text($c, 401, "Authentication Failed: $why");
        return undef;
    };

    my $header = $headers->every_header('Authorization')->[0]
        // return $refused->('Authorization header not found');

    my ($key, $scope, $names, $signature) = $header =~ m{
        ^AWS4-HMAC-SHA256
        [ ]*Credential=([^/]*)/([0-9]{8}/[^/]*/[^/]*/aws4_request),
        [ ]*SignedHeaders=([^,]+),
        [ ]*Signature=([a-f0-9]{64})$
    }x or return $refused->('Authorization header could not be parsed');

    return $refused->('accessKey not found') if $key eq '';

    my $account = $key{$key} // return $refused->(
        "Account with accessKey $key specified was not found");
    my $user = $user{$account->{user}};

    # A locked account is found out before the signature is looked at.
    if ($user->{lockStatus} eq 'Locked') {
        text($c, 403, 'Authentication Failed: Account with username '
                . "$user->{userName} is locked");
        return undef;
    }

    # Without a date the authenticator throws. It never compares the date
    # with the clock, nor the scope with anything.
    my $date = signing_date($headers);
    if (!defined $date) {
        server_error($c);
        return undef;
    }

    my $request = canonical_request($c, $names);
    my $signing = join "\n", 'AWS4-HMAC-SHA256', $date, $scope,
        sha256_hex($request);

    # Java drops empty parts at the end only; the scope ends in aws4_request.
    my $secret = 'AWS4' . encode 'UTF-8', $account->{secret};
    $secret = hmac_sha256($_, $secret) for split m{/}, $scope;

    return $user if hmac_sha256_hex($signing, $secret) eq $signature;

    return $refused->('Request signature could not be validated');
}

# X-Amz-Date when it is there, else Date, as basic ISO 8601 or as RFC 822.
sub signing_date ($headers) {
    my $amz  = $headers->every_header('X-Amz-Date')->[0];
    my $text = $amz // $headers->every_header('Date')->[0] // return undef;

    if ($text =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z|[+-]\d{4})$/) {
        my $epoch = eval { timegm $6, $5, $4, $3, $2 - 1, $1 }
            // return undef;
        my ($sign, $hours, $minutes) = $7 =~ /([+-])(\d\d)(\d\d)/;
        my $offset = $sign ? "${sign}1" * ($hours * 60 + $minutes) * 60 : 0;
        return iso_basic($epoch - $offset);
    }

    return undef if defined $amz;

    my $epoch = Mojo::Date->new($text)->epoch // return undef;
    return iso_basic($epoch);
}

sub iso_basic ($epoch) {
    return timestamp($epoch) =~ tr/:-//dr;
}

# The dialect of Aws4Authenticator.scala: the path is encoded once, the values
# of headers are not folded, a signed header that is missing is passed over.
sub canonical_request ($c, $names) {
    my $req     = $c->req;
    my $headers = $req->headers;
    my $body    = $req->body;

    my $value = sub ($name) {
        my $first = $headers->every_header($name)->[0];

        # Both come from akka's entity: JSON has no charset there, and no
        # entity is none/none.
        if ($name eq 'content-type') {
            return length $body ? 'application/octet-stream' : 'none/none'
                if !defined $first;
            return $first =~ s{^(application/json)\s*;.*}{$1}sir;
        }

        if ($name eq 'content-length') {
            return undef if defined $headers->transfer_encoding;
            return length $body;
        }

        return $first;
    };

    my %signed = map { ($_ => $value->($_)) } map {lc} split /;/, $names;
    my @lines  = map { encode 'UTF-8', "$_:$signed{$_}" }
        grep { defined $signed{$_} } sort keys %signed;

    return join "\n", $req->method, canonical_path($c->stash('vendor.path')),
        canonical_query($req->url->query), @lines, '', $names,
        sha256_hex($body);
}

sub canonical_path ($raw) {
    my @segments;

    for my $segment (split m{/}, $raw, -1) {
        next if $segment eq '' || $segment eq '.';
        if ($segment eq '..') { pop @segments }
        else {
            push @segments, url_escape url_unescape($segment),
                q{^A-Za-z0-9\-._~!$&'()*+,;=:@};
        }
    }

    my $path = '/' . join '/', @segments;
    return $raw =~ m{/$} && @segments ? "$path/" : $path;
}

# Equal pairs become one, as the authenticator has them in a set.
sub canonical_query ($query) {
    my @pairs = @{$query->pairs};
    my %seen;

    while (my ($name, $value) = splice @pairs, 0, 2) {
        $_ = url_escape encode('UTF-8', $_), '^A-Za-z0-9\-._~'
            for $name, $value;
        $seen{"$name\0$value"} = [$name, $value];
    }

    return join '&', map {"$_->[0]=$_->[1]"}
        sort { $a->[0] cmp $b->[0] || $a->[1] cmp $b->[1] } values %seen;
}

# ------------------------------------------------------------------- requests

# Query parameters with their types; undef when a refusal is sent. The texts
# are those of akka-http's unmarshallers; an empty number or boolean counts as
# absent there.
sub query ($c, $type) {
    my $params = $c->req->query_params;
    my %value  = (maxItems => 100);

    for my $name (qw(startFrom maxItems groupNameFilter ignoreAccess abridged))
    {
        my $given = $params->param($name) // next;
        my $type  = $type->{$name}        // 'text';
        next if $type ne 'text' && $given eq '';

        my $wrong;
        if ($type eq 'int') {
            $wrong = 'a valid 32-bit signed integer value'
                if $given !~ /^[+-]?\d{1,10}$/ || abs $given > 2147483647;
            $value{$name} = $given + 0 if !$wrong;
        }
        elsif ($type eq 'bool') {
            $wrong = 'a valid Boolean value'
                if $given !~ /^(?:true|yes|on|1|false|no|off|0)$/i;
            $value{$name} = $given =~ /^(?:true|yes|on|1)$/i ? 1 : 0;
        }
        else { $value{$name} = $given }

        if ($wrong) {
            text($c, 400, "The query parameter '$name' was malformed:\n"
                    . "'$given' is not $wrong");
            return undef;
        }
    }

    return \%value;
}

# The fields of a group in the body; undef when a refusal is sent.
sub group_input ($c, @id) {
    my $body = $c->req->body;
    my $type = $c->req->headers->content_type;

    my $unsupported = media_type($c) ne 'application/json'
        && (defined $type || length $body);

    if ($unsupported) {
        my $shown = $type // 'application/octet-stream';
        text($c, 415, "The request's Content-Type [$shown] is not supported. "
                . "Expected:\napplication/json");
        return undef;
    }

    if (!length $body) {
        text($c, 400, 'Request entity expected but not supplied');
        return undef;
    }

    # ASSUMED: the second line; the vendor has the words of its JSON parser.
    my $json = eval { decode_json $body };
    if ($@) {
        text($c, 400, "The request content was malformed:\nUnexpected "
                . 'character');
        return undef;
    }

    $json = {} if ref $json ne 'HASH';

    my (%input, @errors);

    for my $name (@id, qw(name email description members admins)) {
        my $value = $json->{$name};

        if (!defined $value) {
            push @errors, "Missing Group.$name" if $name ne 'description';
        }
        elsif ($name eq 'members' || $name eq 'admins') {
            my ($ids, $problem) = user_ids($value);
            $input{$name} = $ids;
            push @errors, $problem if defined $problem;
        }
        elsif (ref $value) {
            push @errors, 'Do not know how to convert ' . json4s($value)
                . ' into class java.lang.String';
        }
        else { $input{$name} = "$value" }
    }

    push @errors, map {"$_ is unknown"} $vendor->unknown_fields(
        $json, @id, qw(name email description members admins));

    return \%input if !@errors;

    json($c, {errors => [uniq @errors]}, 400);
    return undef;
}

# ASSUMED: the words for a wrong type, which are json4s' own.
sub user_ids ($value) {
    return undef, 'Expected collection but got ' . json4s($value)
        if ref $value ne 'ARRAY';

    my @ids = map { ref $_ eq 'HASH' ? $_->{id} : undef } @$value;

    return undef, "No usable value for id\n"
        . 'Did not find value which can be converted into java.lang.String'
        if grep { !defined || ref } @ids;

    return [uniq map {"$_"} @ids];
}

sub json4s ($value) {
    return 'JString(' . $value . ')' if is_string($value);
    return 'JInt(' . $value . ')'    if !ref $value;
    return 'JArray(..)'              if ref $value eq 'ARRAY';
    return 'JObject(..)'             if ref $value eq 'HASH';
    return 'JBool(' . ($value ? 'true' : 'false') . ')';
}

# ---------------------------------------------------------------------- rules

# The order of groupValidation and emailValidation.
sub name_or_email_problem ($input) {
    my ($name, $email) = @$input{qw(name email)};

    return 'Group name and email cannot be empty.'
        if $name !~ /\S/ || $email !~ /\S/;

    my $label = qr/[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?/;
    my ($host) = $email =~ /^[a-zA-Z0-9._+!&-]+\@($label(?:\.$label)*)\z/;

    return 'Please enter a valid Email.'
        if !defined $host
        || $host !~ /\./
        || $email =~ /^\./
        || $email =~ /\.\./;

    return "Please enter a valid Email. Number of dots allowed after @ is $dots"
        if ($host =~ tr/.//) > $dots;

    # A suffix is enough, with or without the asterisk.
    my @suffix = map {tr/*//dr} @domain;
    return undef if !@suffix || grep { $host =~ /\Q$_\E\z/ } @suffix;

    return 'Please enter a valid Email. Valid domains should end with '
        . join ',', @suffix;
}

sub may_edit ($caller, $group) {
    return $caller->{isSuper}
        || grep { $_ eq $caller->{id} } @{$group->{admins}};
}

sub may_see_changes ($caller, $id) {
    return $caller->{isSuper} || $caller->{isSupport}
        || grep { $_->{id} eq $id } groups_of($caller);
}

sub groups_of ($user) {
    my $id = $user->{id};
    return grep {
        grep { $_ eq $id } @{$_->{members}}
    } values %group;
}

sub named ($name) {
    my ($group) = grep { $_->{name} eq $name } values %group;
    return $group;
}

sub existing_group ($c, $id) {
    my $group = $group{$id};
    failure($c, 404, "Group with ID $id was not found") if !$group;
    return $group;
}

sub name_taken ($c, $name) {
    my $email = named($name)->{email};
    return failure($c, 409, "Group with name $name already exists. Please try "
            . "a different name or contact $email to be added to the group.");
}

sub users_unknown ($c, @ids) {
    return failure($c, 404,
        'Users [ ' . join(',', @ids) . ' ] were not found');
}

sub record_change ($type, $caller, $group, $old = undef) {
    my $change = {
        id         => uuid(),
        group      => $group->{id},
        newGroup   => group_view($group),
        oldGroup   => $old && group_view($old),
        changeType => $type,
        userId     => $caller->{id},
        created    => time,
        message    => $old ? difference($old, $group)
        : $type eq 'Create' ? 'Group Created.'
        :                     'Group Deleted.',
    };
    $change{$change->{id}} = $change;
    push @changes, $change;
    return;
}

# The sentences of determineGroupDifference.
sub difference ($old, $new) {
    my @sentences;

    for my $field (qw(name email description)) {
        my ($was, $is) = map { $_->{$field} } $old, $new;
        push @sentences, "Group $field changed to '" . ($is // '') . q{'.}
            if ($was // "\0") ne ($is // "\0");
    }

    for my $role (qw(admin member)) {
        for my $way (['added', $old, $new], ['removed', $new, $old]) {
            my ($verb, $from, $to) = @$way;
            my %had   = map  { ($_ => 1) } @{$from->{"${role}s"}};
            my @names = map  { $user{$_} ? $user{$_}{userName}
                : 'unknown user' } grep { !$had{$_} } @{$to->{"${role}s"}};
            push @sentences, "Group $role/s with user name/s '"
                . join(q{','}, @names) . "' $verb."
                if @names;
        }
    }

    return join ' ', @sentences;
}

# ---------------------------------------------------------------------- views

sub group_view ($group) {
    my $ids = sub ($role) { [map { {id => $_} } @{$group->{$role}}] };

    return {
        (map { ($_ => $group->{$_}) } grep { defined $group->{$_} }
                qw(id name email description status)),
        created => timestamp($group->{created}),
        members => $ids->('members'),
        admins  => $ids->('admins'),
    };
}

sub user_view ($user) {
    return {
        (map { ($_ => $user->{$_}) } grep { defined $user->{$_} }
                qw(id userName firstName lastName email lockStatus)),
        created => timestamp($user->{created}),
    };
}

sub change_view ($change) {
    my $user    = $user{$change->{userId}};
    my $time    = $change->{created};
    my $seconds = timestamp($time);
    my $millis  = sprintf '.%03dZ', 1000 * ($time - int $time);

    return {
        (map { ($_ => $change->{$_}) } qw(id newGroup changeType userId)),
        $change->{oldGroup} ? (oldGroup => $change->{oldGroup}) : (),
        created            => $seconds =~ s/Z$/$millis/r,
        userName           => $user ? $user->{userName} : 'unknown user',
        groupChangeMessage => $change->{message},
    };
}

sub by_id (@objects) {
    return sort { $a->{id} cmp $b->{id} } @objects;
}

# -------------------------------------------------------------------- answers

# akka-http negotiates the type of what it marshals after the work is done.
sub json ($c, $value, $status = 200) {
    my $accept = $c->req->headers->accept // '*/*';
    my @ranges = map {s/\s*;.*//sr} split /\s*,\s*/, lc $accept;

    return text($c, 406,
        "Resource representation is only available with these types:\n"
            . 'application/json')
        if $status == 200
        && !grep {m{^(?:\*/\*|application/(?:\*|json))$}} @ranges;

    return $c->render(json => $value, status => $status);
}

# Family A.
sub failure ($c, $status, $message) {
    return json($c, $message, $status);
}

# Family C.
sub text ($c, $status, $message) {
    $c->res->headers->content_type('text/plain; charset=UTF-8');
    return $c->render(text => $message, status => $status);
}

sub no_such_path ($c) {
    my $path = $c->stash('vendor.path');
    return text($c, 404, "The requested path [$path] does not exist.");
}

# ASSUMED: the words, which are akka-http's own.
sub server_error ($c) {
    return text($c, 500, 'There was an internal server error.');
}

# ----------------------------------------------------------------------- state

sub add_user ($fields) {
    my $id   = $fields->{id} // uuid();
    my $user = {
        lockStatus => 'Unlocked',
        userName   => $id,
        created    => time,
        %$fields,
        id => $id,
    };

    my ($key, $secret) = delete @$user{qw(accessKey secretKey)};
    $key{$key} = {user => $id, secret => $secret} if defined $key;

    return $user{$id} = $user;
}

sub reset_state {
    (%user, %key, %group, %change, %in_use) = ();
    @changes = ();

    my $number = 0;
    my $uuid   = sub {
        sprintf '4c1e3b0a-0d51-4a5e-9d2b-6a7b8c9d0e%02x', ++$number;
    };

    my @users = (
        ['ok', 'ok', id => '2764183c-5e75-4ae6-8833-503cd5f4dcb0'],
        ['dummy',          'dummy'],
        ['sharedZoneUser', 'sharedZoneUser'],
        ['support-user', 'supportUser', isSupport  => 1],
        ['super-user',   'superUser',   isSuper    => 1],
        ['lockedUser',   'locked',      lockStatus => 'Locked'],
        ['history-user', 'history',     id         => 'history-id'],
    );

    for my $row (@users) {
        my ($name, $prefix, %more) = @$row;
        add_user({
            id        => $more{id} // $uuid->(),
            userName  => $name,
            firstName => $name,
            lastName  => $name,
            email     => 'test@test.com',
            accessKey => "${prefix}AccessKey",
            secretKey => "${prefix}SecretKey",
            %more,
        });
    }

    add_user({id => $_, userName => "name-$_"})
        for map { sprintf 'dummy%03d', $_ } 0 .. 199;

    for (@{$option->{credential} // []}) {
        my ($key, $secret, $name) = split /:/;
        my ($user) = grep { $_->{userName} eq ($name // 'ok') } values %user;
        if (!$user || !defined $secret) {
            print STDERR "vinyldns: bad credential for $key\n";
            exit 2;
        }
        $key{$key} = {user => $user->{id}, secret => $secret};
    }

    return;
}

sub seed ($data) {
    my @users = map { add_user($_) } @{$data->{users} // []};
    my @groups;

    for my $fields (@{$data->{groups} // []}) {
        my @admins
            = @{$fields->{admins} // ['2764183c-5e75-4ae6-8833-503cd5f4dcb0']};
        my $group = {
            email => 'test@test.com',
            %$fields,
            id      => $fields->{id} // uuid(),
            created => time,
            status  => 'Active',
            admins  => \@admins,
            members => [uniq @{$fields->{members} // []}, @admins],
        };
        $group{$group->{id}} = $group;
        push @groups, group_view($group);
    }

    $in_use{zone}{$_->{adminGroupId}} = $_->{id}
        for @{$data->{zones} // []};
    $in_use{recordSet}{$_->{ownerGroupId}} = $_->{id}
        for @{$data->{recordSets} // []};
    $in_use{acl}{$_->{groupId}} = $_->{zoneId} for @{$data->{acls} // []};

    return {users => [map { user_view($_) } @users], groups => \@groups};
}
