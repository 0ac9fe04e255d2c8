package Test::Gateway::Policy;

# The tests of lua/policies: locations that have one of them, in front of
# vendors that take everything.
#
#   my $p = Test::Gateway::Policy->new('naming');
#   my $short = $p->at('vinyldns', 'min=3');   # dialect, or [client, upstream]
#   $p->start(server => 'location /x { ... }');
#
#   my $r = $p->create($short, name => 'a');
#   is($r->status, 400);
#   is($p->sent, undef);                       # what the upstream was sent
#   $p->bad('min=x', qr/min must be/);         # nginx -t
#
# Who signs in: bearer => 'one', 'two' or 'three' (portsip, scim), where the
# location was made with signed => 1.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use Test::Gateway;

our $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';
our $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';

my %PATH = (signalwire => '/number_groups', vinyldns => '/groups',
    portsip => '/groups', scim => '/Groups');

sub new {
    my ($class, $policy, %option) = @_;

    my $t = Test::Gateway->new(variables => [qw(principal outcome error)],
        %option);

    return bless {
        t         => $t,
        policy    => $policy,
        file      => "%%ROOT%%/lua/policies/$policy.lua",
        locations => '',
        dialect   => {},
        upstream  => $t->upstream(\&_answer),
    }, $class;
}

sub t        { return $_[0]{t} }
sub upstream { return $_[0]{upstream} }

# vendors that keep the last group only, and say what they were told
my $kept = {};

sub _answer {
    my ($request) = @_;

    my $sent = eval { JSON::PP::decode_json($request->{body}) } // {};
    my ($method, $path) = ($request->{method}, $request->{uri} =~ s/\?.*//r);
    my $time = '2023-01-15T10:30:00Z';

    return [204, [], ''] if $method eq 'DELETE' && $path =~ /number/;
    return [200, [], {id => $UUID, number_group_id => $UUID,
            phone_number => {id => $sent->{phone_number_id}},
            created_at => $time, updated_at => $time}]
        if $path =~ /memberships/;
    return [200, [], {links => {self => '/a', first => '/a'}, data => []}]
        if $path =~ /number_groups$/ && $method eq 'GET';
    return [200, [], {id => $UUID, name => $sent->{name} // 'kept',
            sticky_sender => JSON::PP::false(), phone_number_count => 3}]
        if $path =~ /number_groups/;
    return [200, [], {groups => [], maxItems => 100,
            ignoreAccess => JSON::PP::false()}]
        if $path eq '/groups' && $method eq 'GET';
    $kept = $sent if $path =~ m{^/groups} && %$sent;
    return [200, [], {name => 'one-kept', email => 'a@example.com',
            members => [{id => 'm1'}], admins => [{id => 'm1'}], %$kept,
            id => $UUID, created => $time, status => 'Active'}]
        if $path =~ m{^/groups};
    return [200, [], {count => 0, items => []}]
        if $path eq '/api/groups' && $method eq 'GET';
    return [201, [], {id => $ID}] if $path eq '/api/groups';
    return [204, [], ''] if $path =~ m{^/api/groups/.*/destroy$};
    return [200, [], {id => $ID, name => 'one-kept'}]
        if $path =~ m{^/api/groups};

    return [404, [], {error => 'Not Found'}];
}

# A location with the policy: its base path.
sub at {
    my ($self, $dialect, $params, %option) = @_;

    my ($client, $upstream) = ref $dialect ? @$dialect : ($dialect) x 2;
    my $path = '/l' . ++$self->{n};
    my $more = $option{more} // '';
    utf8::encode($params) if utf8::is_utf8($params);
    $more .= "\ngroup_credentials clients.json;" if $option{signed};
    $more .= "\ngroup_explain on;" if $option{explain};
    my $pass = $option{pass} // $self->{upstream}->address;

    $self->{dialect}{$path} = $client;
    $self->{locations} .= <<"END";
location $path/ {
    group_dialect $client;
    group_upstream_dialect $upstream;
    group_base_path $path;
    group_policy_timeout @{[1000 * $self->{t}->patience]}ms;
    $more
    group_policy $self->{file} $params;
    proxy_pass http://$pass;
}
END

    return $path;
}

sub start {
    my ($self, %conf) = @_;

    $self->{t}->credentials('clients.json', map { {type => 'bearer',
        token => $_, principal => $_,
        scopes => [qw(groups:read groups:write)]} } qw(one two three));
    $conf{server} = ($conf{server} // '') . $self->{locations};
    $self->{t}->nginx(%conf);

    return $self;
}

# A request below a location's base path; a body that is a hash is JSON.
sub ask {
    my ($self, $method, $path, $rest, $json, %option) = @_;

    $self->{upstream}->clear;
    $option{headers} = ['Content-Type' => 'application/scim+json',
        @{$option{headers} // []}] if $self->{dialect}{$path} eq 'scim';

    return $self->{t}->request(method => $method, uri => $path . $rest,
        defined $json ? (json => $json) : (), %option);
}

# What a new group has beside its name, in VinylDNS's API and SCIM.
sub group {
    my ($self, $path, %group) = @_;

    my $dialect = $self->{dialect}{$path};
    return {email => 'a@example.com', members => [{id => 'm1'}],
        admins => [{id => 'm1'}], %group} if $dialect eq 'vinyldns';
    return {schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'],
        map { $_ eq 'name' ? ('displayName' => $group{name})
            : ($_ => $group{$_}) } keys %group} if $dialect eq 'scim';
    return \%group;
}

sub create {
    my ($self, $path, %group) = @_;
    my %option = %{delete $group{-with} // {}};

    return $self->ask('POST', $path, $PATH{$self->{dialect}{$path}},
        $self->group($path, %group), %option);
}

sub replace {
    my ($self, $path, %group) = @_;
    my %option = %{delete $group{-with} // {}};

    return $self->ask('POST', $path, "/groups/$ID", \%group, %option)
        if $self->{dialect}{$path} eq 'portsip';

    return $self->ask('PUT', $path, "$PATH{$self->{dialect}{$path}}/$UUID",
        $self->group($path, %group, $self->{dialect}{$path} eq 'vinyldns'
            ? (id => $UUID) : ()), %option);
}

sub remove {
    my ($self, $path, %option) = @_;

    return $self->ask('POST', $path, "/groups/$ID/destroy", undef, %option)
        if $self->{dialect}{$path} eq 'portsip';

    return $self->ask('DELETE', $path,
        "$PATH{$self->{dialect}{$path}}/$UUID", undef, %option);
}

# SCIM's PATCH, a list of operations
sub patch {
    my ($self, $path, @operations) = @_;

    my %option = ref $operations[0] eq 'ARRAY' ? @{shift @operations} : ();
    return $self->ask('PATCH', $path, "/Groups/$UUID", {
        schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
        Operations => \@operations}, %option);
}

# What the upstream was sent last, as JSON, or undef.
sub sent {
    my ($self) = @_;
    my $last = $self->{upstream}->last;
    return $last && (eval { $last->json } // {});
}

# Refused with this status and sentence, and nothing was sent.
sub refused {
    my ($self, $r, $status, $like, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    subtest $name => sub {
        is($r->status, $status, 'status') or diag($r->body);
        like($r->body, $like, 'sentence') if $like;
        is($self->sent, undef, 'nothing is sent');
    };

    return;
}

sub passed {
    my ($self, $r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return like($r->status, qr/^20[014]$/, $name)
        || diag($r->body . "\n" . $self->{t}->log);
}

# What the hook did in a dry run.
sub verdict {
    my ($self, $r) = @_;
    my $json = eval { $r->json } // {};
    return join ' ', map { $_->{verdict} } @{$json->{hooks} // []};
}

# Parameters that "nginx -t" refuses.
sub bad {
    my ($self, $params, $like) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $self->{t}->config_fails("group_policy $self->{file} $params;",
        qr/policy "\S+\/$self->{policy}\.lua": $like/,
        length $params ? $params : 'no parameters');
}

1;
