#!/usr/bin/env perl

# MultiTech FaxFinder contacts and contact groups, emulated.
#
#   perl faxfinder.pl --listen http://127.0.0.1:9002
#
# Default users (HTTP Basic): admin:admin, who may touch every container, and
# alice:secret and bob:secret, who may touch their own and read
# global_contact_list.
#
# Options, beside those in lib/Vendor.pm:
#
#   --credential USER:PASSWORD  instead of the default users, may be repeated;
#                               the user admin is the administrator
#   --public-url URL            what the URLs in answers begin with, default
#                               https://dot3 as in the vendor's pages; "host"
#                               takes the Host header of the request
#   --empty-list 404            as the viewing-groups page may be read ("groups
#                               not found for that user"), default 200
#   --empty-errors              errors without a body
#
# Contacts at start: 1 to 30 in each user's container, 1 to 10 in
# global_contact_list; no groups. POST /_emulator/seed takes
# {"users": [{"name", "password"}],
#  "contacts": [{"container", "name", "fax_number", "phone_number",
#                "organization"}],
#  "groups": [{"container", "name", "description",
#              "contacts": [["container", id], ..]}]}.
#
# Sources: the pages on contacts and groups of MultiTech's FaxFinder web
# services API (viewing-groups, creating-a-new-group, editing-groups,
# viewing-contacts, deleting-contacts), and the FF130 and FF240 administrator
# guides.

use Mojolicious::Lite -signatures;

use FindBin;
use lib "$FindBin::Bin/lib";

use Mojo::Util qw(xml_escape);
use Vendor qw(basic_credentials media_type);
use XML::LibXML;

my $GLOBAL = 'global_contact_list';

# Elements in the order of the vendor's examples. ASSUMED: only the name is
# required; no page says so.
my %kind = (
    contact_groups => {
        element => 'contact_group',
        fields  => [qw(name description)],
    },
    contacts => {
        element => 'contact',
        fields  => [qw(name fax_number phone_number organization)],
    },
);

my (%password, %container);

my $vendor = Vendor->new(
    name      => 'faxfinder',
    app       => app,
    missing   => sub ($c) { authorized($c) and error($c, 404) },
    refuse    => sub ($c, $why) { error($c, 400) },
    on_reset  => \&reset_state,
    on_seed   => \&seed,
    on_seeded => \&seeded,
);

my $option
    = $vendor->getopt('credential=s@', 'public-url=s', 'empty-list=i',
    'empty-errors');

app->types->type(xml => 'application/xml');
$vendor->install;

under '/ffws/v1' => \&authorized;

for my $kind (sort keys %kind) {
    my %stash = (kind => $kind);

    get "/$kind/#owner" => {%stash} => \&list_objects;

    post "/$kind/#owner" => {%stash} => sub ($c) {
        my $object = input($c, writable($c) // return) // return;

        my $store = $container{$c->stash('owner')}{$kind};
        $object->{id} = ++$store->{last};
        $store->{object}{$object->{id}} = $object;

        # 200 and not 201, other than for faxes.
        answer($c, 'Created', $object);
    };

    get "/$kind/#owner/#id" => {%stash} => sub ($c) {
        readable($c) // return;
        my $object = existing($c) // return;
        answer($c, 'Success', $object);
    };

    put "/$kind/#owner/#id" => {%stash} => \&change_object;

    # ASSUMED for groups, by analogy with contacts.
    del "/$kind/#owner/#id" => {%stash} => sub ($c) {
        writable($c) // return;
        my $object = existing($c) // return;
        delete $container{$object->{owner}}{$kind}{object}{$object->{id}};
        forget_contact($object) if $kind eq 'contacts';
        answer($c, 'Deleted');
    };
}

# The FF130 guide says PUT in its text and POST in its example.
post '/contacts/#owner/#id' => {kind => 'contacts'} => \&change_object;

$vendor->run;

sub change_object ($c) {
    writable($c) // return;
    my $old = existing($c) // return;
    my $new = input($c, $old->{owner}) // return;

    %$old = (%$new, id => $old->{id});

    # No object in this answer.
    return answer($c, 'Modified');
}

sub list_objects ($c) {
    my $owner  = readable($c) // return;
    my $kind   = $c->stash('kind');
    my @fields = @{$kind{$kind}{fields}};
    my $query  = $c->req->query_params->to_hash;

    my ($limit, $offset, $order) = @$query{qw(limit offset order)};

    # ASSUMED: what is not valid is refused and not ignored, as is a parameter
    # that the page does not list.
    my %known = map { ($_ => 1) } qw(limit offset order), @fields;
    return error($c, 400) if grep { !$known{$_} || ref $query->{$_} }
        keys %$query;
    return error($c, 400) if defined $limit  && $limit !~ /^\d{1,9}$/;
    return error($c, 400) if defined $offset && $offset !~ /^\d{1,9}$/;
    return error($c, 400) if defined $offset && !defined $limit;
    return error($c, 400)
        if defined $order && !grep { $_ eq $order } @fields;

    my $objects = $container{$owner}{$kind}{object};
    my @found   = sort { $a->{id} <=> $b->{id} } values %$objects;

    # ASSUMED: substrings are compared without regard to case.
    for my $field (grep { defined $query->{$_} } @fields) {
        my $part = lc $query->{$field};
        @found = grep { index(lc $_->{$field}, $part) >= 0 } @found;
    }

    @found = sort { $a->{$order} cmp $b->{$order} } @found if defined $order;

    if (defined $limit) {
        my $skip = $offset // 0;
        splice @found, 0, $skip < @found ? $skip : scalar @found;
        splice @found, $limit if $limit < @found;
    }

    return error($c, 404)
        if !@found && ($option->{'empty-list'} // 200) == 404;

    # ASSUMED: an empty list is a message and nothing else.
    return answer($c, 'Success', @found);
}

# -------------------------------------------------------------------- access

sub authorized ($c) {
    my ($user, $password) = basic_credentials($c);

    if (defined $user && ($password{$user} // "\0") eq $password) {
        $c->stash(user => $user);
        return 1;
    }

    # ASSUMED: the realm.
    $c->res->headers->www_authenticate('Basic realm="FaxFinder"');
    error($c, 401);

    return 0;
}

# The container of the request when the user may read it, or write it; undef
# when a refusal is sent. ASSUMED: who may not see a container is not told
# whether it exists.
sub readable ($c) {
    return allowed($c, $c->stash('owner') eq $GLOBAL);
}

sub writable ($c) {
    return allowed($c, 0);
}

sub allowed ($c, $everyone) {
    my ($owner, $user) = map { $c->stash($_) } qw(owner user);

    if (!$everyone && $user ne 'admin' && $user ne $owner) {
        error($c, 403);
        return undef;
    }

    return $owner if $container{$owner};

    error($c, 404);
    return undef;
}

sub existing ($c) {
    my ($owner, $kind, $id) = map { $c->stash($_) } qw(owner kind id);
    my $object = $container{$owner}{$kind}{object}{$id};
    error($c, 404) if !$object;
    return $object;
}

# ---------------------------------------------------------------------- input

# A new object from the body, for that container; undef when a refusal is
# sent. ASSUMED: everything that is not as in the examples is invalid XML.
sub input ($c, $owner) {
    my $kind   = $c->stash('kind');
    my $object = eval { parse($c, $kind, $owner) };

    return $object if $object;

    print STDERR "faxfinder: $@" if $option->{verbose};
    error($c, media_type($c) =~ m{^(?:application|text)/xml$} ? 400 : 415);

    return undef;
}

sub parse ($c, $kind, $owner) {
    my $type = media_type($c);
    die "media type $type\n" if $type !~ m{^(?:application|text)/xml$};

    my $document = XML::LibXML->new(
        no_network      => 1,
        load_ext_dtd    => 0,
        expand_entities => 0,
    )->parse_string($c->req->body);
    die "document type declaration\n" if $document->internalSubset;

    my $element = $kind{$kind}{element};
    my %known   = map { ($_ => 1) } @{$kind{$kind}{fields}};
    my $root    = $document->documentElement;
    plain($root, $element);

    my %object = (owner => $owner, kind => $kind);
    my (@contacts, %seen);

    for my $node ($root->childNodes) {
        my $name = $node->nodeName;
        next if $node->nodeType == XML_COMMENT_NODE;

        if ($node->nodeType != XML_ELEMENT_NODE) {
            die "text between elements\n" if $node->textContent =~ /\S/;
            next;
        }

        plain($node, $name);
        die "elements inside $name\n"
            if grep { $_->nodeType == XML_ELEMENT_NODE } $node->childNodes;
        my $text = $node->textContent;

        if ($name eq 'contact' && $kind eq 'contact_groups') {
            push @contacts, contact_of($c, $text);
            next;
        }

        die "$name twice\n" if $seen{$name}++;

        # An object's own URL may be sent back and counts for nothing; in the
        # example of the editing-groups page it has another id than the path.
        next if $name eq "${element}_url";

        die "unknown element $name\n" if !$known{$name};
        $object{$name} = $text;
    }

    die "no name\n" if ($object{name} // '') !~ /\S/;
    $object{$_} //= '' for keys %known;

    my %once;
    $object{contacts} = [grep { !$once{"@$_"}++ } @contacts]
        if $kind eq 'contact_groups';

    return \%object;
}

sub plain ($node, $name) {
    die 'element ' . $node->nodeName . " instead of $name\n"
        if $node->nodeName ne $name;
    die "$name has a namespace or attributes\n"
        if defined $node->namespaceURI || $node->hasAttributes;
    return;
}

# Members are absolute URLs, maybe of another container. ASSUMED: a device
# does not know all its own names, so the host may be any; an unknown contact
# or one that the user may not read is refused as bad.
sub contact_of ($c, $text) {
    my ($owner, $id)
        = $text =~ m{^\s*https?://[^/?#\s]+/ffws/v1/contacts/([^/]+)/(\d+)\s*$}
        or die "no URL of a contact: $text\n";

    my $user = $c->stash('user');
    die "contact of another user: $text\n"
        if $user ne 'admin' && $owner ne $user && $owner ne $GLOBAL;
    die "no such contact: $text\n"
        if !$container{$owner} || !$container{$owner}{contacts}{object}{$id};

    return [$owner, $id + 0];
}

# ASSUMED: a contact that goes leaves the groups it was in.
sub forget_contact ($contact) {
    my $gone = "$contact->{owner} $contact->{id}";

    for my $group (map { values %{$_->{contact_groups}{object}} }
        values %container)
    {
        @{$group->{contacts}} = grep {"@$_" ne $gone} @{$group->{contacts}};
    }

    return;
}

# -------------------------------------------------------------------- answers

sub answer ($c, $message, @objects) {
    my $xml = qq{<?xml version="1.0" encoding="UTF-8"?>\n<response>\n}
        . "\t<message>$message</message>\n";

    for my $object (@objects) {
        my $kind    = $object->{kind};
        my $element = $kind{$kind}{element};

        my $url     = url($c, $kind, @$object{qw(owner id)});

        $xml .= "\t<$element>\n";
        $xml .= element("${element}_url", $url);
        $xml .= element($_, $object->{$_}) for @{$kind{$kind}{fields}};
        $xml .= element('contact', url($c, 'contacts', @$_))
            for @{$object->{contacts} // []};
        $xml .= "\t</$element>\n";
    }

    return $c->render(text => "$xml</response>\n", format => 'xml');
}

sub element ($name, $text) {
    return "\t\t<$name>" . xml_escape($text) . "</$name>\n";
}

sub url ($c, $kind, $owner, $id) {
    my $base = $option->{'public-url'} // 'https://dot3';
    $base = 'http://' . $c->req->headers->host if $base eq 'host';
    return "$base/ffws/v1/$kind/$owner/$id";
}

# ASSUMED: the body, which no page shows.
sub error ($c, $status) {
    my %text = (
        400 => 'Bad Request',
        401 => 'Unauthorized',
        403 => 'Forbidden',
        404 => 'Not Found',
        415 => 'Unsupported Media Type',
    );

    return $c->rendered($status) if $option->{'empty-errors'};

    $c->res->code($status);
    return answer($c, $text{$status});
}

# ---------------------------------------------------------------------- state

sub add ($owner, $kind, $fields) {
    my $store  = $container{$owner}{$kind};
    my $object = {
        (map { ($_ => '') } @{$kind{$kind}{fields}}),
        %$fields,
        owner => $owner,
        kind  => $kind,
        id    => ++$store->{last},
    };
    return $store->{object}{$object->{id}} = $object;
}

sub add_container ($name, $contacts) {
    $container{$name}{$_} = {last => 0, object => {}} for keys %kind;

    for my $number (1 .. $contacts) {
        add($name, 'contacts', {
            name         => "Contact $number",
            fax_number   => sprintf('218-555-%04d', $number),
            phone_number => sprintf('218-556-%04d', $number),
            organization => "$name org",
        });
    }

    return;
}

sub reset_state {
    %container = ();
    %password  = map { split /:/, $_, 2 } @{$option->{credential}
            // [qw(admin:admin alice:secret bob:secret)]};

    add_container($_, 30) for keys %password;
    add_container($GLOBAL, 10);

    return;
}

sub seed ($data) {
    for my $user (@{$data->{users} // []}) {
        $password{$user->{name}} = $user->{password};
        add_container($user->{name}, 0);
    }

    my $take = sub ($kind, $fields) {
        my %field = (name => 'seeded', %$fields);
        my $owner = delete $field{container} // 'admin';
        my $object = add($owner, $kind, \%field);
        return {%$object{qw(owner kind id name)}};
    };

    return {
        contacts => [
            map { $take->('contacts', $_) } @{$data->{contacts} // []}
        ],
        groups => [
            map { $take->('contact_groups', {contacts => [], %$_}) }
                @{$data->{groups} // []}
        ],
    };
}

sub seeded {
    my %ids;

    for my $owner (keys %container) {
        my $objects = $container{$owner}{contacts}{object};
        $ids{$owner} = [sort { $a <=> $b } map { $_->{id} } values %$objects];
    }

    return {users => [sort keys %password], contacts => \%ids};
}
