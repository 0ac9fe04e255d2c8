package Bench::Scenario;

# What is measured: one table, from which the gateways are configured, their
# clients and upstreams are made, and their answers are checked.
#
#   name      short, for options and files
#   title     for tables
#   by        who does it: "module", "nginx" alone, "lua" or "njs"
#   location  of the gateway, unless it is a contender's own file; between at
#             signs stand UPSTREAM, CREDENTIALS, UPSTREAM_CREDENTIALS and DIR
#   client    vendor whose API the client speaks
#   request   [method and path, body]
#   upstream  {method and path => [status, body]}: what it answers
#   sent      [[method and path, scheme of its Authorization, body], ...]:
#             what it is to get
#   answer    [status, body]: what the client is to get
#   refused   [[options of the request, answer, the upstream's], ...]: what is
#             not timed, but has to be refused alike
#   at_most   target: times the CPU of bare proxy_pass
#   at_least  target: times the CPU of "vinyldns"
#
# Bodies are data (JSON) or text (XML), with "TIME" for a time and "HOST" for a
# host that are the gateway's own.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use JSON::PP ();

our @EXPORT_OK = qw(@SCENARIOS scenario to_faxfinder to_vinyldns);

our $DIR = abs_path(dirname(__FILE__) . '/../..');

my $TRUE = JSON::PP::true();

my $GROUP  = '0a59b2d8-9d41-4b7a-9b5c-6a3d1e2f4c5b';
my $OPS    = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';
my @NUMBER = map { "8e0b7c4a-35d1-4f02-9c1e-00000000000$_" } 1, 2;
my $CREATED = '2024-01-02T03:04:05Z';

my $SW_GROUPS = 'POST /api/relay/rest/number_groups';
my $FF_GROUPS = 'POST /ffws/v1/contact_groups/alice';


## the same dialect: a number group is created

my $sw_request = {name => 'sales', sticky_sender => $TRUE};
my $sw_group   = {
    id => $GROUP, name => 'sales', sticky_sender => $TRUE,
    phone_number_count => 0,
};

my %create = (
    client   => 'signalwire',
    request  => [$SW_GROUPS, $sw_request],
    upstream => {$SW_GROUPS => [200, $sw_group]},
    answer   => [200, $sw_group],
);


## another dialect: the same client, but groups are kept in VinylDNS

sub people { return [map { {id => $_} } @_] }

# A group as VinylDNS answers it; more is what is sent, too.
sub vinyldns_group {
    my (%more) = @_;
    return {
        id => $GROUP, name => 'sales', created => $CREATED,
        status => 'Active', members => people($OPS),
        admins => people($OPS), %more,
    };
}

my @ops = (email => 'voice-ops@example.com');
my $TO_VINYLDNS = <<'END';
    group_dialect          signalwire;
    group_upstream_dialect vinyldns;
    group_credentials      @CREDENTIALS@;
    group_default email    voice-ops@example.com;
    group_default members  2764183c-5e75-4ae6-8833-503cd5f4dcb0;
    group_default admins   2764183c-5e75-4ae6-8833-503cd5f4dcb0;
END

# Its answer has that many members.
sub to_vinyldns {
    my ($members) = @_;

    my @members = ($OPS) x $members;

    return (
        client  => 'signalwire',
        request => [$SW_GROUPS, $sw_request],
        sent    => [['POST /groups', '', {
            name => 'sales', @ops, members => people($OPS),
            admins => people($OPS),
        }]],
        upstream => {'POST /groups' =>
            [200, vinyldns_group(@ops, members => people(@members))]},
        answer => [200, {%$sw_group, phone_number_count => $members}],
    );
}

sub invalid {
    my ($detail, $code) = @_;
    return [422, {errors => [{
        status => '422', title => 'Invalid Attribute', code => $code,
        detail => $detail,
    }]}];
}

my $unauthorized = [401, {error => 'Unauthorized'}];
my $bad_gateway  = [502, {error => 'Bad Gateway'}];
my $blank = invalid("Name can't be blank", 'missing_required_parameter');

my @REFUSED = (
    [{auth => undef}, $unauthorized],
    [{auth => ['client-project', 'wrong']}, $unauthorized],
    [{uri => '/api/relay/rest/nothing'}, [404, {error => 'Not Found'}]],
    [{method => 'DELETE'}, [405, {error => 'Method Not Allowed'}]],
    [{headers => ['Content-Type' => 'text/plain']},
        [415, {error => 'Unsupported Media Type'}]],
    [{body => '{"name":'}, [400, {error => 'Bad Request'}]],
    [{body => '{}'}, $blank],
    [{body => '{"name":"  "}'}, $blank],
    [{body => '{"name":7}'},
        invalid('name is of the wrong type', 'invalid_parameter')],
    [{body => '{"name":"' . 'n' x 256 . '"}'},
        invalid('Name is too long (maximum is 255 characters)',
            'invalid_parameter')],
    [{}, invalid('It is taken.', 'value_not_unique'),
        [409, '"It is taken."']],
    [{}, invalid('Missing Group.email', 'invalid_parameter'),
        [400, {errors => ['Missing Group.email']}]],
    [{}, $bad_gateway, [401, '"no"']],
    [{}, $bad_gateway, [200, {id => $GROUP, name => 'sales'}]],
    [{}, $bad_gateway, [200, '{"id":']],
);


## JSON to XML and back, that many members in both

# Nobody signs in here: what a signature costs is a scenario of its own.
my $TO_FAXFINDER = <<'END';
    group_dialect          vinyldns;
    group_upstream_dialect faxfinder;
    group_default owner    alice;
    group_default email    voice-ops@example.com;
    group_default admins   1;
END

sub contact_group {
    my ($url, @members) = @_;
    return join '', '<contact_group>',
        $url ? "<contact_group_url>$url</contact_group_url>" : (),
        '<name>sales</name><description>Those who sell</description>',
        (map { '<contact>http://HOST/ffws/v1/contacts/alice/'
            . "$_</contact>" } @members),
        '</contact_group>';
}

sub to_faxfinder {
    my ($members) = @_;

    my @members = map { "$_" } 1 .. $members;
    my $group   = {
        name => 'sales', @ops, description => 'Those who sell',
        members => people(@members), admins => people('1'),
    };
    my $url = 'http://HOST/ffws/v1/contact_groups/alice/4';

    return (
        client   => 'vinyldns',
        request  => ['POST /groups', $group],
        sent     => [[$FF_GROUPS, '', contact_group(undef, @members)]],
        upstream => {$FF_GROUPS => [200, '<response><message>Created'
            . '</message>' . contact_group($url, @members)
            . '</response>']},
        answer => [200, vinyldns_group(%$group, id => '4',
            created => 'TIME')],
    );
}


## the others

my $vd_request = {
    name => 'sales', @ops, description => 'Those who sell',
    members => people(@NUMBER), admins => people($NUMBER[0]),
};

my $memberships = "$SW_GROUPS/$GROUP/number_group_memberships";
my $membership  = {
    id => '1d4a9c35-5b8f-4f0e-8c57-3f1f6d0c2b7e',
    number_group_id => $GROUP,
    phone_number => {
        id => $NUMBER[0], name => 'Front desk', number => '+15551234567',
        capabilities => ['voice', 'sms'],
    },
    created_at => $CREATED, updated_at => $CREATED,
};


our @SCENARIOS = (
    {
        name => 'bare', title => 'bare `proxy_pass`', by => 'nginx',
        location => '',
        %create,
        sent => [[$SW_GROUPS, 'Basic', $sw_request]],
    },
    {
        name => 'same', at_most => 1.15,
        title => 'same dialect', by => 'module',
        location => <<'END',
    group_dialect     signalwire;
    group_credentials @CREDENTIALS@;
END
        %create,
        sent => [[$SW_GROUPS, '', $sw_request]],
    },
    {
        name => 'vinyldns', at_most => 1.30,
        title => 'SignalWire to VinylDNS',
        by => 'module', location => $TO_VINYLDNS, refused => \@REFUSED,
        to_vinyldns(1),
    },
    {
        name => 'faxfinder', at_most => 1.40,
        title => 'VinylDNS to FaxFinder (XML)',
        by => 'module', location => $TO_FAXFINDER,
        to_faxfinder(2),
    },
    {
        name => 'policy', at_most => 1.45,
        title => 'SignalWire to VinylDNS, one Lua policy',
        by => 'module',
        location => $TO_VINYLDNS . <<'END',
    group_policy @DIR@/policy.lua prefix=voice-;
END
        to_vinyldns(1),
        sent => [['POST /groups', '', {
            name => 'voice-sales', email => 'sales.voice-ops@example.com',
            description => 'made by client of signalwire',
            members => people($OPS), admins => people($OPS),
        }]],
    },
    {
        name => 'sigv4', title => 'VinylDNS, signature checked and made',
        by => 'module',
        location => <<'END',
    group_dialect              vinyldns;
    group_credentials          @CREDENTIALS@;
    group_upstream_credentials @UPSTREAM_CREDENTIALS@;
END
        client   => 'vinyldns',
        request  => ['POST /groups', $vd_request],
        sent     => [['POST /groups', 'AWS4-HMAC-SHA256', $vd_request]],
        upstream => {'POST /groups' => [200, vinyldns_group(%$vd_request)]},
        answer   => [200, vinyldns_group(%$vd_request)],
    },
    {
        name => 'plan', title => 'VinylDNS to SignalWire, plan of 3 calls',
        by => 'module',
        location => <<'END',
    group_dialect          vinyldns;
    group_upstream_dialect signalwire;
    group_credentials      @CREDENTIALS@;
    group_default email    voice-ops@example.com;
    group_default admins   2764183c-5e75-4ae6-8833-503cd5f4dcb0;
END
        client  => 'vinyldns',
        request => ['POST /groups', $vd_request],
        sent    => [
            [$SW_GROUPS, '', {name => 'sales'}],
            map { [$memberships, '', {phone_number_id => $_}] } @NUMBER
        ],
        upstream => {
            $SW_GROUPS   => [200, $sw_group],
            $memberships => [200, $membership],
        },
        # a description is optional there, and lost here
        answer => [200, vinyldns_group(
            (map { ($_ => $vd_request->{$_}) }
                qw(name email members admins)), created => 'TIME')],
    },
    {
        name => 'lua', by => 'lua',
        title => 'SignalWire to VinylDNS in lua-nginx-module',
        at_least => 1.8, refused => \@REFUSED,
        to_vinyldns(1),
    },
    {
        name => 'njs', by => 'njs',
        title => 'SignalWire to VinylDNS in njs',
        at_least => 2.4, refused => \@REFUSED,
        to_vinyldns(1),
    },
);

sub scenario {
    my ($name) = @_;
    my ($scenario) = grep { $_->{name} eq $name } @SCENARIOS;
    return $scenario // die "no scenario $name\n";
}

1;
