# Changes of one group from many clients at once, through two workers and three
# dialects: none is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Mojo::IOLoop;
use Mojo::UserAgent;

use Test::Gateway;
use Test::Gateway::Vendors qw(
    collection gateway_server item path_segment sign_in
);

my $OK    = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';
my $COUNT = $ENV{TEST_GROUP_VALGRIND} ? 20 : 200;

my $t = Test::Gateway->new(workers => 2);
my $vinyldns = $t->emulator('vinyldns', domain => 'example.com');

my $more = "group_default email o\@example.com;
    group_default members $OK; group_default admins $OK;";

$t->nginx(servers => join '', map {
    gateway_server($t, client => $_, upstream => 'vinyldns',
        url => $vinyldns->url, more => $more)
} qw(signalwire portsip scim));

my @users = map { $_->{id} } @{$vinyldns->seed->{users}};

# the emulator knows these besides, and no more are needed
my @extra = map { sprintf '00000000-0000-4000-8000-%012d', $_ } 1 .. $COUNT;
$vinyldns->seed({users => [map { {id => $_, userName => "u$_"} } @extra]});

my $group = $t->request(sign_in('signalwire'), method => 'POST',
    uri => collection('signalwire'), json => {name => 'busy'},
    headers => [Host => 'signalwire.vinyldns']);
is($group->status, 200, 'a group');
my $id = $group->json->{id};

my $ua = Mojo::UserAgent->new(max_connections => 0, request_timeout => 60,
    inactivity_timeout => 60);
my $base = 'http://127.0.0.1:' . $t->port($t->http2 ? 'http1' : undef);
my %status;
my @promises;

for my $i (0 .. $#extra) {
    my ($uri, %headers, @body);

    my $method = 'POST';

    if ($i % 3 == 0) {
        $uri = item('signalwire', $id) . '/number_group_memberships';
        %headers = (Host => 'signalwire.vinyldns', Authorization =>
            $t->basic({sign_in('signalwire')}->{auth}->@*));
        @body = (json => {phone_number_id => $extra[$i]});
    }
    elsif ($i % 3 == 1) {
        $uri = '/api/groups/'
            . path_segment(MIME::Base64::encode_base64($id, ''))
            . "/members/$extra[$i]";
        %headers = (Host => 'portsip.vinyldns', Authorization =>
            'Bearer ' . {sign_in('portsip')}->{bearer});
    }
    else {
        $method = 'PATCH';
        $uri = item('scim', $id);
        %headers = (Host => 'scim.vinyldns', Authorization =>
            'Bearer ' . {sign_in('scim')}->{bearer});
        @body = (json => {
            schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
            Operations => [{op => 'add', path => 'members',
                value => [{value => $extra[$i]}]}],
        });
    }

    push @promises, $ua->start_p(
        $ua->build_tx($method => "$base$uri" => \%headers => @body)
    )->then(sub {
        my $code = $_[0]->res->code;
        $status{$code == 204 ? 200 : $code}++;
    }, sub { $status{$_[0]}++ });
}

Mojo::Promise->all(@promises)->wait;
is_deeply(\%status, {200 => $COUNT}, "$COUNT additions at once");

my $r = $t->request(sign_in('signalwire'), uri => item('signalwire', $id),
    headers => [Host => 'signalwire.vinyldns']);
is($r->json->{phone_number_count}, $COUNT + 1, 'all are there');

my ($last) = grep { $_->{method} eq 'PUT' } reverse $vinyldns->journal;
my %there = map { ($_->{id} => 1) }
    @{JSON::PP::decode_json($last->{body})->{members}};
is(scalar(grep { !$there{$_} } @extra), 0, 'each of them');

done_testing;
