package Test::Gateway::Vendors;

# The four vendors as tests meet them: how a client of each signs in and what
# it calls, how the gateway signs in to each's emulator, and bodies as data.
#
#   my $file = client_credentials($t);              # for group_credentials
#   my $file = upstream_credentials($t, 'vinyldns');
#   my $r    = $t->request(sign_in('vinyldns'), uri => collection('vinyldns'),
#                  method => 'POST', group_body('vinyldns', {...}));
#   json_is($r->body, {...}, 'as a whole, types of scalars included');
#   xml_is($r->body, [response => [[message => 'Created']]], 'in order');

use strict;
use warnings;

use Exporter qw(import);
use Test::More;
use XML::LibXML ();

use Test::Gateway::Message qw(json_decode json_encode);

our @EXPORT_OK = qw(
    @VENDORS client_credentials upstream_credentials client_secrets sign_in
    collection item path_segment group_body gateway_server json_is xml_is
    xml_tree upstream_auth upstream_sign_in groups_at answers_in answer_is
    text_is
);

our @VENDORS = qw(signalwire vinyldns faxfinder portsip);

my %BASE = (
    signalwire => '/api/relay/rest',
    vinyldns   => '',
    faxfinder  => '/ffws/v1',
    portsip    => '/api',
    scim       => '/scim/v2',
);

my %NOUN = (
    signalwire => 'number_groups',
    vinyldns   => 'groups',
    faxfinder  => 'contact_groups',
    portsip    => 'groups',
    scim       => 'Groups',
);

# what clients show to the gateway; an emulator knows none of it
my %CLIENT = (
    signalwire => {
        type   => 'basic',
        id     => 'client-project',
        secret => 'client-api-token',
        scopes => ['numbers'],
    },
    vinyldns => {
        type       => 'sigv4',
        access_key => 'clientAccessKey',
        secret_key => 'clientSecretKey',
        scopes     => ['groups:read', 'groups:write'],
    },
    faxfinder => {
        type   => 'basic',
        id     => 'client-user',
        secret => 'client-password',
        scopes => [],
    },
    portsip => {
        type   => 'bearer',
        token  => 'client-bearer-token',
        scopes => ['groups:read', 'groups:write'],
    },
    # no vendor: only ever a client here
    scim => {
        type   => 'bearer',
        token  => 'client-scim-token',
        scopes => ['groups:read', 'groups:write'],
    },
);

# what the gateway shows to the emulators: their defaults
my %UPSTREAM = (
    signalwire => {
        type   => 'basic',
        id     => '5f3c2a1e-7b4d-4c8e-9a6f-2d1b0c9e8f7a',
        secret => 'PTemulatedtoken',
    },
    vinyldns => {
        type       => 'sigv4',
        access_key => 'okAccessKey',
        secret_key => 'okSecretKey',
    },
    faxfinder => {type => 'basic',  id    => 'admin', secret => 'admin'},
    portsip   => {type => 'bearer', token => 'portsip-emulated-token'},
);

sub client_credentials {
    my ($t) = @_;
    return $t->credentials('clients.json',
        map { {principal => "client of $_", %{$CLIENT{$_}}} }
            @VENDORS, 'scim');
}

sub upstream_credentials {
    my ($t, $vendor) = @_;
    return $t->write_file("$vendor.json", json_encode($UPSTREAM{$vendor}),
        0600);
}

# All that must not be seen upstream, as it is and as Basic has it.
sub client_secrets {
    my ($t) = @_;

    my @secrets;
    for my $c (values %CLIENT) {
        push @secrets, grep { defined } @$c{qw(
            id secret access_key secret_key token)};
        push @secrets, $t->basic(@$c{qw(id secret)}) =~ s/^Basic //r
            if $c->{type} eq 'basic';
    }

    return @secrets;
}

# Options for request(): the vendor's own authentication.
sub sign_in {
    my ($vendor) = @_;

    my $c = $CLIENT{$vendor};
    return (auth   => [@$c{qw(id secret)}]) if $c->{type} eq 'basic';
    return (bearer => $c->{token})          if $c->{type} eq 'bearer';
    return (sigv4  => {map { ($_ => $c->{$_}) } qw(access_key secret_key)});
}

# Where groups are, below the base path of the vendor's documents.
sub collection {
    my ($vendor, $owner) = @_;
    return "$BASE{$vendor}/$NOUN{$vendor}"
        . ($vendor eq 'faxfinder' ? '/' . ($owner // 'alice') : '');
}

# One group of them; the id as it is to stand in the path.
sub item {
    my ($vendor, $id, $owner) = @_;
    return collection($vendor, $owner) . "/$id";
}

# Percent-encoded, all that RFC 3986 does not call unreserved.
sub path_segment {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger;
}

# A server that clients of one vendor find by its name, in front of another's
# product:
#
#   name => 'signalwire.vinyldns', client => 'signalwire',
#   upstream => 'vinyldns', url => 'http://127.0.0.1:1234',
#   more => 'group_default ...;'
#
# Without "url" there is no proxy_pass; "open" leaves authentication out.
sub gateway_server {
    my ($t, %o) = @_;

    my $name = $o{name} // "$o{client}.$o{upstream}";
    my @lines = (
        "group_dialect $o{client};",
        "group_upstream_dialect $o{upstream};",
        $o{open} ? () : (
            "group_credentials @{[client_credentials($t)]};",
            'group_upstream_credentials '
                . upstream_credentials($t, $o{upstream}) . ';'
        ),
        $o{more} // (),
        $o{url} ? "proxy_pass $o{url};" : (),
    );

    return join "\n    ", "server {", 'listen ' . $t->listen . ';',
        ($t->http2 ? 'listen 127.0.0.1:%%PORT:http1%%;' : ()),
        "server_name $name;", 'location / {', @lines, "}\n}\n";
}

# Options for request(): a group as the vendor's body. FaxFinder's is a list
# of [element, text] or a hash, the others' are hashes.
sub group_body {
    my ($vendor, $group) = @_;

    return (json => $group) if $vendor ne 'faxfinder';

    my @pairs = ref $group eq 'ARRAY' ? @$group : map {
        my $name = $_;
        map { [$name => $_] }
            ref $group->{$name} ? @{$group->{$name}} : $group->{$name}
    } grep { exists $group->{$_} } qw(name description contact);

    my $body = qq{<?xml version="1.0" encoding="UTF-8"?>\n<contact_group>\n}
        . join('', map { "\t<$_->[0]>" . _escape($_->[1]) . "</$_->[0]>\n" }
            @pairs)
        . "</contact_group>\n";

    return (headers => ['Content-Type' => 'application/xml'],
        body => $body);
}

sub _escape {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');
    utf8::encode($text) if utf8::is_utf8($text);
    return $text =~ s/([&<>])/$entity{$1}/gr;
}

# JSON as a whole: keys in any order, but 1 is not "1", and nothing is twice.
sub json_is {
    my ($body, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $got = eval { json_encode(json_decode($body)) } // "no JSON: $body";
    return is($got, json_encode($expected), $name);
}

# XML as a tree of [name, text or list of children], in the order it stands;
# without anything that the vendor's XML does not have.
sub xml_is {
    my ($body, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $got = eval { xml_tree($body) } // "no such XML: $body";
    return is_deeply($got, $expected, $name) || diag($body);
}

sub xml_tree {
    my ($body) = @_;

    # the parser looks at how Perl keeps the bytes
    utf8::downgrade($body, 1);

    my $document = XML::LibXML->load_xml(string => $body);
    die "no declaration\n" if $body !~ /\A<\?xml version="1.0"/;
    die "document type\n" if $document->internalSubset;

    return _element($document->documentElement);
}

sub _element {
    my ($node) = @_;

    die 'attributes of ' . $node->nodeName . "\n" if $node->hasAttributes;
    die 'namespace of ' . $node->nodeName . "\n"
        if defined $node->namespaceURI;

    my @children = grep { $_->isa('XML::LibXML::Element') } $node->childNodes;

    return [$node->nodeName, $node->textContent] if !@children;
    return [$node->nodeName, [map { _element($_) } @children]];
}

# The Authorization header that the emulator is to get; VinylDNS's is a
# pattern, and the emulator has checked the signature itself.
sub upstream_auth {
    my ($t, $vendor) = @_;

    my $u = $UPSTREAM{$vendor};
    return $t->basic(@$u{qw(id secret)}) if $u->{type} eq 'basic';
    return "Bearer $u->{token}"          if $u->{type} eq 'bearer';
    return qr{
        \AAWS4-HMAC-SHA256[ ]Credential=\Q$u->{access_key}\E/\d{8}/
        us-east-1/VinylDNS/aws4_request,
        [ ]?SignedHeaders=(?=[^,]*host)(?=[^,]*x-amz-date)[a-z;-]+,
        [ ]?Signature=[0-9a-f]{64}\z
    }x;
}

# Options for request(): the emulator's own, to ask it behind the gateway.
sub upstream_sign_in {
    my ($vendor) = @_;

    my $u = $UPSTREAM{$vendor};
    return (auth   => [@$u{qw(id secret)}]) if $u->{type} eq 'basic';
    return (bearer => $u->{token})          if $u->{type} eq 'bearer';
    return (sigv4  => {map { ($_ => $u->{$_}) } qw(access_key secret_key)});
}

# What an emulator keeps, asked of itself: {name => {id, members}}, the ids of
# members in order, of the groups whose names match. FaxFinder's are of alice.
sub groups_at {
    my ($t, $emulator, $vendor, $which) = @_;
    $which //= qr//;

    my $ask = sub {
        my ($uri) = @_;
        my $r = $t->request(upstream_sign_in($vendor),
            port => $emulator->port, http1 => 1, uri => $uri,
            headers => [Host => $emulator->address]);
        die "$vendor: $uri: ", $r->status, "\n" if $r->status != 200;
        return $r;
    };

    if ($vendor eq 'faxfinder') {
        return {map {
            my $group = $_;
            $group->findvalue('name') !~ $which ? ()
            : ($group->findvalue('name') => {
                id => $group->findvalue('contact_group_url') =~ s{.*/}{}r,
                members => [sort map { $_->textContent =~ s{.*/}{}r }
                    $group->findnodes('contact')],
            })
        } $ask->(collection($vendor))->xml->findnodes('//contact_group')};
    }

    my %query = (signalwire => '?page_size=1000',
        vinyldns => '?maxItems=1000&ignoreAccess=true', portsip => '');
    my $list = $ask->(collection($vendor) . $query{$vendor})->json;

    my %groups;
    for my $group (@{$list->{groups} // $list->{items} // $list->{data}}) {
        next if $group->{name} !~ $which;
        my $item = item($vendor, path_segment($group->{id}));
        my @members
            = $vendor eq 'vinyldns' ? map { $_->{id} } @{$group->{members}}
            : $vendor eq 'portsip'
            ? map { $_->{extension_number} }
                @{$ask->("$item/members")->json->{items}}
            : map { $_->{phone_number}{id} }
                @{$ask->("$item/number_group_memberships?page_size=1000")
                    ->json->{data}};
        $groups{$group->{name}}
            = {id => $group->{id}, members => [sort @members]};
    }

    return \%groups;
}

# Status, media type and a right Content-Length at once.
sub answers_in {
    my ($r, $status, $type, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $length = $r->header('Content-Length');

    return is_deeply(
        [$r->error, $r->status, $r->header('Content-Type'), $length],
        [undef, $status, $type, length $r->body],
        $name . ': status, media type, length'
    ) || diag($r->raw, $r->body);
}

# VinylDNS's family C and the like.
sub text_is {
    my ($r, $status, $text, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return answers_in($r, $status, 'text/plain; charset=UTF-8', $name)
        & is($r->body, $text, "$name: body");
}

# The body as data of json_is() or xml_is(), in the vendor's media type.
sub answer_is {
    my ($r, $vendor, $status, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $xml = $vendor eq 'faxfinder';

    return answers_in($r, $status, $xml ? 'application/xml'
            : 'application/json', $name)
        & ($xml ? xml_is($r->body, $expected, "$name: body")
            : json_is($r->body, $expected, "$name: body"));
}

1;
