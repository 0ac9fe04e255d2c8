package Test::Gateway::Words;

# What a client of each API says of a group and its members, and what it is
# told, beyond the calls of Test::Gateway::Vendors: for tests that take each
# client to each vendor.

use strict;
use warnings;

use Exporter qw(import);

use Test::Gateway::Vendors qw(
    collection group_body groups_at item path_segment upstream_sign_in
);

our @EXPORT_OK = qw(
    $OK %PEOPLE %STATUS %DEFAULT client_body inline listed members_uri
    seed_group shown
);

# VinylDNS's first user, who is in each of its groups
our $OK = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';

my $NUMBER = '3fa85f64-5717-4562-b3fc-0000000000';

# whom each vendor's emulator knows
our %PEOPLE = (
    signalwire => [map {"$NUMBER$_"} qw(01 02 03)],
    vinyldns   => [qw(dummy001 dummy002 dummy003)],
    faxfinder  => [qw(1 2 3)],
    portsip    => [qw(101 102 103)],
);

# where it is not 200
our %STATUS = (
    'group.create'  => {portsip => 201, scim => 201},
    'group.modify'  => {scim => 204},
    'group.delete'  => {signalwire => 204, portsip => 204, scim => 204},
    'member.remove' => {signalwire => 204, portsip => 204},
);

# what upstreams require and what VinylDNS's clients have to be told
our %DEFAULT = (
    signalwire => "group_default email o\@example.com;
        group_default admins $OK;",
    vinyldns => "group_default email o\@example.com;
        group_default members $OK; group_default admins $OK;",
    faxfinder => "group_default owner alice;
        group_default email o\@example.com; group_default admins 1;",
    portsip => 'group_default email o@example.com;
        group_default admins 101;',
);

# whether a group's members are in its own body
sub inline { return $_[0] ne 'signalwire' && $_[0] ne 'portsip' }

# {name => id} of a list in the client's words
sub listed {
    my ($client, $r) = @_;

    return {map { ($_->findvalue('name') =>
        $_->findvalue('contact_group_url') =~ s{.*/}{}r) }
        $r->xml->findnodes('//contact_group')} if $client eq 'faxfinder';

    my $list = $r->json;
    return {map { ($_->{name} // $_->{displayName}, $_->{id}) }
        @{$list->{data} // $list->{groups} // $list->{items}
            // $list->{Resources}}};
}

# ids of the members in an answer that shows them, in the client's words
sub shown {
    my ($client, $r) = @_;

    return map { $_->textContent =~ s{.*/}{}r }
        $r->xml->findnodes('//contact_group/contact')
        if $client eq 'faxfinder';

    my $body = $r->json;
    return map { $_->{phone_number}{id} } @{$body->{data}}
        if $client eq 'signalwire';
    return map { $_->{extension_number} } @{$body->{items}}
        if $client eq 'portsip';
    return map { $_->{value} // $_->{id} } @{$body->{members}};
}

sub members_uri {
    my ($client, $id) = @_;
    my $item = item($client, path_segment($id));
    return $client eq 'signalwire' ? "$item/number_group_memberships"
        : $client eq 'portsip' || $client eq 'vinyldns' ? "$item/members"
        :                                                 $item;
}

# Options for request(): a group as the client writes it. Members that are not
# in its API's body are left out.
sub client_body {
    my ($client, $upstream, $name, $id, @members) = @_;

    return (json => {name => $name})
        if $client eq 'signalwire' || $client eq 'portsip';

    return (json => {
        defined $id ? (id => $id) : (), name => $name,
        email   => 'o@example.com', members => [map { {id => $_} } @members],
        admins  => $upstream eq 'vinyldns' ? [{id => $OK}] : [],
    }) if $client eq 'vinyldns';

    return group_body('faxfinder', {name => $name,
        contact => [map {"https://h/ffws/v1/contacts/alice/$_"} @members]})
        if $client eq 'faxfinder';

    return (json => {
        schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
        displayName => $name, members => [map { {value => $_} } @members],
    });
}

# Makes a group at the vendor, behind the gateway.
sub seed_group {
    my ($t, $emulator, $upstream, $name, @members) = @_;

    my %more
        = $upstream eq 'vinyldns'
        ? (email => 'o@example.com', admins => [$OK],
            members => [$OK, @members])
        : $upstream eq 'faxfinder'
        ? (container => 'alice', contacts => [map { ['alice', $_ + 0] }
            @members])
        : $upstream eq 'portsip' ? (members => [@members])
        :                          ();
    $emulator->seed({groups => [{name => $name, %more}]});

    return if $upstream ne 'signalwire';

    my $id = groups_at($t, $emulator, $upstream)->{$name}{id};
    for my $member (@members) {
        my $r = $t->request(upstream_sign_in($upstream), http1 => 1,
            port => $emulator->port, method => 'POST',
            uri  => item($upstream, $id) . '/number_group_memberships',
            json => {phone_number_id => $member});
        die "no membership\n" if $r->status != 200;
    }

    return;
}

1;
