#!/usr/bin/env perl

# PortSIP PBX user groups, emulated.
#
#   perl portsip.pl --listen http://127.0.0.1:9004
#
# Default credentials: the bearer token portsip-emulated-token, which never
# expires, and the login admin:portsip for POST /api/login/oauth/token.
#
# Options, beside those in lib/Vendor.pm:
#
#   --token TOKEN               instead of the default token, may be repeated
#   --login USER:PASSWORD       instead of the default login, may be repeated;
#                               a tenant's user is USER@DOMAIN
#   --token-lifetime SECONDS    of tokens from a login, default 1800
#   --first-id N                decimal number inside the first group's id,
#                               default 700551909773148160; with 19 digits the
#                               ids end in ==
#   --duplicate-name allow      as many groups of a name as one likes, or 409;
#                               default 400
#   --display-name              outbound caller ids have display_name, as since
#                               version 22.6
#
# Extensions at start: 101 to 199. POST /_emulator/seed takes
# {"extensions": [{"extension_number", "name", "display_name"}],
#  "groups": [{"name", "description", "members": ["101", ..]}]}.
#
# Sources: PortSIP PBX REST API v22, the groups reference with its OpenAPI,
# the about page (query options, ids, errors) and the authentication page.

use Mojolicious::Lite -signatures;

use FindBin;
use lib "$FindBin::Bin/lib";

use Mojo::Util qw(b64_encode);
use Vendor qw(is_string json_body media_type);

# Both are fixed for every client, authentication page.
my $CLIENT_ID = '9d806019-75b2-4b3d-bb8b-f5a3a412cc0a';
my $SCOPE     = 'all';

my (%extension, %group, $next_id, %access, %refresh);

my $vendor = Vendor->new(
    name      => 'portsip',
    app       => app,
    missing   => \&missing,
    refuse    => sub ($c, $why) { invalid($c, $why) },
    on_reset  => \&reset_state,
    on_seed   => \&seed,
    on_seeded => sub { {extensions => [extensions(values %extension)]} },
);

my $option = $vendor->getopt(
    'token=s@', 'login=s@', 'token-lifetime=i', 'first-id=s',
    'duplicate-name=s', 'display-name'
);

my %login = map { split /:/, $_, 2 } @{$option->{login} // ['admin:portsip']};
my %token = map { ($_ => 1) }
    @{$option->{token} // ['portsip-emulated-token']};

app->types->type(json => 'application/json');
$vendor->install;

post '/api/login/oauth/token' => sub ($c) {
    my $form  = $c->req->body_params->to_hash;
    my $grant = $form->{grant_type} // '';

    return invalid($c, 'form expected')
        if media_type($c) ne 'application/x-www-form-urlencoded';

    if ($grant eq 'refresh_token') {
        my $old = $form->{refresh_token} // '';
        return failure($c, 400, 'UNKNOWN', 'unknown error')
            if !delete $refresh{$old}
            || ($form->{client_id} // '') ne $CLIENT_ID;
        return new_tokens($c);
    }

    my $user = $form->{username} // '';
    $user .= "\@$form->{domain}" if length($form->{domain} // '');

    # 400 and not 401 for this one, authentication page.
    return failure($c, 400, 'UNAUTHORIZED',
        'Login failed, authentication error')
        if $grant ne 'password'
        || ($form->{client_id} // '') ne $CLIENT_ID
        || ($form->{scope}     // '') ne $SCOPE
        || !defined $login{$user}
        || $login{$user} ne ($form->{password} // '');

    return new_tokens($c);
};

under '/api' => \&authorized;

post '/login/oauth/revoke' => sub ($c) {
    delete $access{bearer($c)};
    $c->rendered(200);
};

get '/groups' => sub ($c) {
    my $query = $c->req->query_params->to_hash;

    # ASSUMED: other parameters are refused, and so are $filter and the like,
    # which would otherwise be lost without a word.
    for my $name (sort keys %$query) {
        return invalid($c, "query parameter $name")
            if $name !~ /^(?:filter|search|orderby|skip|top|count)$/
            || ref $query->{$name};
    }

    my $skip = $query->{skip} // 0;
    my $top  = $query->{top}  // 100;

    return invalid($c, 'skip') if $skip !~ /^\d{1,9}$/;
    return invalid($c, 'top')
        if $top !~ /^\d{1,9}$/ || $top < 1 || $top > 100;
    return invalid($c, 'count')
        if ($query->{count} // 'true') !~ /^(?:true|false)$/;

    my @found = sort { $a->{number} <=> $b->{number} } values %group;

    if (length($query->{filter} // '')) {
        my $accepts = eval { filter($query->{filter}) }
            // return invalid($c, "filter: $@" =~ s/\n//r);
        @found = grep { $accepts->($_) } @found;
    }

    # ASSUMED: what free text is looked for in, and how.
    my $text = lc($query->{search} // '');
    @found = grep {
        my $group = $_;
        grep { index(lc($group->{$_} // ''), $text) >= 0 }
            qw(name description)
    } @found if length $text;

    if (length($query->{orderby} // '')) {
        my $order = eval { orderby($query->{orderby}) }
            // return invalid($c, "orderby: $@" =~ s/\n//r);
        @found = sort { $order->($a, $b) } @found;
    }

    my $count = @found;
    splice @found, 0, $skip < $count ? $skip : $count;
    splice @found, $top if $top < @found;

    # The summary has no caller ids.
    my @items = map { {%$_{qw(id name description)}} } @found;
    $c->render(json => {count => $count, items => \@items});
};

post '/groups' => sub ($c) {
    my $body = group_body($c) // return;
    my $group = add_group($body);
    $c->render(json => {id => $group->{id}}, status => 201);
};

get '/groups/#id' => sub ($c) {
    my $group = existing($c) // return;
    $c->render(json =>
            {%$group{qw(id name outbound_caller_ids description)}});
};

# ASSUMED: the body is the whole group; what it does not have becomes blank.
post '/groups/#id' => sub ($c) {
    my $group = existing($c) // return;
    my $body = group_body($c, $group) // return;
    @$group{keys %$body} = values %$body;
    $c->rendered(200);
};

post '/groups/#id/destroy' => sub ($c) {
    my $group = existing($c) // return;
    empty_body($c) // return;
    delete $group{$group->{id}};
    $c->rendered(204);
};

# Neither paging nor a count here.
get '/groups/#id/members' => sub ($c) {
    my $group = existing($c) // return;
    $c->render(json => {
        items => [extensions(@extension{keys %{$group->{member}}})],
    });
};

get '/groups/#id/members/#ext' => sub ($c) {
    my ($group, $ext) = member($c) or return;
    return not_found($c) if !$group->{member}{$ext};
    $c->render(json => extensions($extension{$ext}));
};

# ASSUMED: to add a member again is no error.
post '/groups/#id/members/#ext' => sub ($c) {
    my ($group, $ext) = member($c) or return;
    empty_body($c) // return;
    $group->{member}{$ext} = 1;
    $c->rendered(200);
};

# ASSUMED: to remove somebody who is no member is one.
post '/groups/#id/members/#ext/destroy' => sub ($c) {
    my ($group, $ext) = member($c) or return;
    empty_body($c) // return;
    return not_found($c) if !delete $group->{member}{$ext};
    $c->rendered(204);
};

$vendor->run;

# -------------------------------------------------------------- authentication

sub bearer ($c) {
    my $header = $c->req->headers->authorization // '';
    return $header =~ m{^Bearer ([A-Za-z0-9\-._~+/]+=*)$}i ? $1 : '';
}

# ASSUMED: status and body for a token that is missing, wrong or too old.
sub authorized ($c) {
    my $token = bearer($c);
    return 1 if $token{$token} || ($access{$token} // 0) > time;

    failure($c, 401, 'UNAUTHORIZED', 'authentication required');
    return 0;
}

sub new_tokens ($c) {
    my $lifetime = $option->{'token-lifetime'} // 1800;
    my ($access, $refresh) = map {
        b64_encode(join('', map { sprintf '%x', int rand 16 } 1 .. 36), '')
    } 1 .. 2;

    $access{$access}   = time + $lifetime;
    $refresh{$refresh} = 1;

    return $c->render(json => {
        access_token  => $access,
        expires_in    => $lifetime,
        refresh_token => $refresh,
        token_type    => 'Bearer',
    });
}

# --------------------------------------------------------------------- errors

sub failure ($c, $status, $code, $message, $detail = undef) {
    my %error = (code => $code, message => $message);
    $error{detail} = $detail if defined $detail;
    return $c->render(json => {errors => [\%error]}, status => $status);
}

sub invalid ($c, $detail, $status = 400) {
    return failure($c, $status, 'VALIDATE_FAILED',
        'field validation failed', $detail);
}

# ASSUMED: the code; only UNKNOWN and VALIDATE_FAILED are published.
sub not_found ($c) {
    return failure($c, 404, 'UNKNOWN', 'unknown error');
}

# There are only GET and POST, about page. ASSUMED: how others are refused.
sub missing ($c) {
    return if !authorized($c);
    return not_found($c) if $c->req->method =~ /^(?:GET|POST)$/;

    $c->res->headers->allow('GET, POST');
    return failure($c, 405, 'UNKNOWN', 'unknown error');
}

# ---------------------------------------------------------------------- input

sub existing ($c) {
    my $group = $group{$c->stash('id')};
    not_found($c) if !$group;
    return $group;
}

# Group and extension of the path, or nothing when a refusal is sent.
# ASSUMED: an extension that does not exist is not found.
sub member ($c) {
    my $group = existing($c) // return;
    my $ext   = $c->stash('ext');

    if ($ext !~ /^[0-9]{3,64}$/) {
        invalid($c, 'extension number');
        return;
    }

    if (!$extension{$ext}) {
        not_found($c);
        return;
    }

    return ($group, $ext);
}

sub empty_body ($c) {
    return 1 if !length $c->req->body;
    invalid($c, 'unexpected body');
    return undef;
}

# The fields of a group; undef when a refusal is sent. ASSUMED: 415 for
# another media type.
sub group_body ($c, $self = undef) {
    if (media_type($c) ne 'application/json') {
        invalid($c, 'Content-Type', 415);
        return undef;
    }

    my $body = json_body($c);
    my ($problem, $group)
        = ref $body eq 'HASH' ? checked($body) : ('JSON object expected');

    if (defined $problem) {
        invalid($c, $problem);
        return undef;
    }

    # ASSUMED: that names are unique, and the status.
    my $rule = $option->{'duplicate-name'} // '400';
    if ($rule ne 'allow' && grep {
            $_->{name} eq $group->{name}
                && (!$self || $_->{id} ne $self->{id})
        } values %group)
    {
        invalid($c, 'name is in use', $rule);
        return undef;
    }

    return $group;
}

# What is wrong with a group, or undef and the group. ASSUMED: a group needs a
# name, although the schema marks nothing as required.
sub checked ($body) {
    my @unknown = $vendor->unknown_fields(
        $body, qw(name description outbound_caller_ids));
    return "unknown field $unknown[0]" if @unknown;

    my %group = (
        name                => $body->{name},
        description         => $body->{description},
        outbound_caller_ids => [],
    );

    return 'name'        if !text_between($group{name}, 1, 64);
    return 'description' if !blank_or_text($group{description});

    my $list = $body->{outbound_caller_ids} // [];
    return 'outbound_caller_ids' if ref $list ne 'ARRAY';

    my @optional = $option->{'display-name'} ? 'display_name' : ();
    my @known    = (qw(provider_id caller_id description), @optional);

    for my $entry (@$list) {
        return 'outbound_caller_ids' if ref $entry ne 'HASH';
        return 'unknown field of outbound_caller_ids'
            if $vendor->unknown_fields($entry, @known);
        return 'provider_id' if !text_between($entry->{provider_id}, 1, 1024);
        return 'caller_id'   if !text_between($entry->{caller_id},   1, 64);

        for (qw(description display_name)) {
            return $_ if !blank_or_text($entry->{$_});
        }

        push @{$group{outbound_caller_ids}},
            {map { ($_ => $entry->{$_}) } @known};
    }

    return undef, \%group;
}

sub text_between ($value, $min, $max) {
    return is_string($value)
        && length $value >= $min
        && length $value <= $max;
}

sub blank_or_text ($value) {
    return !defined $value || text_between($value, 0, 1024);
}

# -------------------------------------------------------------- query options

# A filter expression as a predicate; dies when it is none. The grammar is
# that of the about page, with the precedence of OData (and before or):
#
#   or         = and *( "or" and )
#   and        = primary *( "and" primary )
#   primary    = "(" or ")" / function "(" field "," string ")"
#              / field operator ( string / "null" )
sub filter ($text) {
    my @tokens = tokens($text);
    my $accept = parse_or(\@tokens);
    die "unexpected $tokens[0]\n" if @tokens;
    return $accept;
}

# Strings keep a quote in front as their mark; a doubled quote is one.
sub tokens ($text) {
    my @tokens;

    while ($text =~ /\G\s*(?=\S)/gc) {
        if ($text =~ /\G'((?:[^']|'')*)'/gc) {
            push @tokens, q{'} . ($1 =~ s/''/'/gr);
        }
        elsif ($text =~ /\G([A-Za-z_]\w*|[(),])/gc) { push @tokens, $1 }
        else { die 'unexpected ' . substr($text, pos $text, 8) . "\n" }
    }

    return @tokens;
}

sub parse_or ($tokens) {
    my @parts = parse_and($tokens);

    while (@$tokens && $tokens->[0] eq 'or') {
        shift @$tokens;
        push @parts, parse_and($tokens);
    }

    return sub ($group) {
        for (@parts) { return 1 if $_->($group) }
        return 0;
    };
}

sub parse_and ($tokens) {
    my @parts = parse_primary($tokens);

    while (@$tokens && $tokens->[0] eq 'and') {
        shift @$tokens;
        push @parts, parse_primary($tokens);
    }

    return sub ($group) {
        for (@parts) { return 0 if !$_->($group) }
        return 1;
    };
}

sub parse_primary ($tokens) {
    my $first = shift @$tokens // die "expression ends too early\n";

    if ($first eq '(') {
        my $inner = parse_or($tokens);
        expect($tokens, ')');
        return $inner;
    }

    my %function = (
        startswith => sub ($value, $part) { index($value, $part) == 0 },
        contains   => sub ($value, $part) { index($value, $part) >= 0 },
        endswith   => sub ($value, $part) { $value =~ /\Q$part\E\z/ },
    );

    if (my $function = $function{$first}) {
        expect($tokens, '(');
        my $field = field(shift @$tokens);
        expect($tokens, ',');
        my $part = literal(shift @$tokens) // die "null in $first\n";
        expect($tokens, ')');

        return sub ($group) {
            return defined $group->{$field}
                && $function->($group->{$field}, $part);
        };
    }

    my $field    = field($first);
    my $operator = shift @$tokens // die "expression ends too early\n";
    my $value    = literal(shift @$tokens);

    my %compare = (
        eq => sub ($order) { $order == 0 },
        ne => sub ($order) { $order != 0 },
        gt => sub ($order) { $order > 0 },
        ge => sub ($order) { $order >= 0 },
        lt => sub ($order) { $order < 0 },
        le => sub ($order) { $order <= 0 },
    );
    my $compare = $compare{$operator} // die "unknown operator $operator\n";

    # As in OData, null is only equal to null and neither less nor greater.
    return sub ($group) {
        my $has = $group->{$field};
        return $compare->($has cmp $value) if defined $has && defined $value;
        return !defined $has && !defined $value
            if $operator =~ /^(?:eq|ge|le)$/;
        return $operator eq 'ne' && (defined $has || defined $value);
    };
}

sub expect ($tokens, $wanted) {
    my $token = shift @$tokens // 'the end';
    die "$token instead of $wanted\n" if $token ne $wanted;
    return;
}

sub field ($name) {
    die 'unknown field ' . ($name // 'at the end') . "\n"
        if ($name // '') !~ /^(?:id|name|description)$/;
    return $name;
}

sub literal ($token) {
    die "expression ends too early\n" if !defined $token;
    return undef                      if $token eq 'null';
    return substr $token, 1           if $token =~ /^'/;
    die "$token instead of a string\n";
}

# A comparison for sort; dies when the text is none. ASSUMED: null comes first.
sub orderby ($text) {
    my @keys;

    for my $part (split /,/, $text, -1) {
        my ($name, $way) = $part =~ /^\s*(\w+)(?:\s+(asc|desc))?\s*$/
            or die "bad key $part\n";
        push @keys, [field($name), ($way // 'asc') eq 'desc' ? -1 : 1];
    }

    return sub ($one, $other) {
        for my $key (@keys) {
            my ($name, $sign) = @$key;
            my ($left, $right) = map { $_->{$name} // '' } $one, $other;
            my $order = $sign * ($left cmp $right);
            return $order if $order;
        }
        return 0;
    };
}

# ----------------------------------------------------------------------- state

# Base64 of a decimal number that grows, as the example id of the reference.
sub add_group ($fields) {
    my $number = $next_id;
    $next_id += 4096;

    my $group = {
        description         => undef,
        outbound_caller_ids => [],
        %$fields,
        id     => b64_encode($number, ''),
        number => $number,
        member => {},
    };

    return $group{$group->{id}} = $group;
}

sub add_extension ($fields) {
    my $number = $fields->{extension_number};

    return $extension{$number} = {
        id   => b64_encode('700551909770' . sprintf('%06d', $number), ''),
        name => $fields->{name} // "user$number",
        display_name     => $fields->{display_name} // "User $number",
        extension_number => "$number",
    };
}

sub extensions (@list) {
    my @sorted = sort { $a->{extension_number} cmp $b->{extension_number} }
        @list;
    return wantarray ? @sorted : $sorted[0];
}

sub reset_state {
    (%extension, %group, %access, %refresh) = ();
    $next_id = 0 + ($option->{'first-id'} // 700551909773148160);

    add_extension({extension_number => $_}) for 101 .. 199;

    return;
}

sub seed ($data) {
    my @extensions
        = map { add_extension($_) } @{$data->{extensions} // []};
    my @groups;

    for my $fields (@{$data->{groups} // []}) {
        my %fields  = (name => 'seeded', %$fields);
        my $members = delete $fields{members} // [];
        my $group   = add_group(\%fields);
        $group->{member}{$_} = 1 for @$members;
        push @groups, {%$group{qw(id name description)}};
    }

    return {extensions => \@extensions, groups => \@groups};
}
