#!/usr/bin/perl

# A vendor of the user's own, without a line of C: examples/own-vendor, with
# its own configuration, and then in front of and behind each built-in vendor.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Copy qw(copy);
use Test::Gateway;
use Test::Gateway::Emulator;

BEGIN {
    eval { require Mojolicious; 1 }
        or plan skip_all => 'Mojolicious is not installed';
}

my $t = Test::Gateway->new(variables => 0);

my $example = $t->root . '/examples/own-vendor';

# an emulator that is not among examples/vendors
my $acme = Test::Gateway::Emulator->start(
    name    => 'acme',
    script  => "$example/acme.pl",
    options => {},
    log     => $t->dir . '/acme.out',
    port    => $t->port('acme'),
    timeout => 20 * $t->patience,
);
my $signalwire = $t->emulator('signalwire', 'any-number' => undef);

# what the README has one install, and the configuration as it is but for the
# ports and the places that are others here
for my $file (qw(acme.lua acme.json clients.json signalwire.json)) {
    copy("$example/$file", $t->dir . "/$file") or die "$file: $!\n";
    chmod 0600, $t->dir . "/$file";
}

my %port = (9301 => $acme->port, 9302 => $signalwire->port,
    9401 => $t->port('acme-clients'), 9402 => $t->port('signalwire-clients'));

my $conf = $t->read_file("$example/nginx.conf");
$conf =~ s/(127\.0\.0\.1:)(\d+)/$1 . ($port{$2} || die "port $2\n")/ge;
$conf =~ s{^load_module \S+;}{"load_module " . $t->_module . ';'}me
    or die "no load_module\n";
$conf =~ s{\.\./\.\./lua/dialects}{%%ROOT%%/lua/dialects}
    or die "no lua/dialects\n";
$conf = "user root root;\n$conf" if $> == 0;

$t->nginx(conf => $conf);

my @ACME = (port => $port{9401}, bearer => 'demo-token');
my @SIGNALWIRE = (port => $port{9402}, auth => ['demo', 'secret']);
my $BASE = '/api/relay/rest/number_groups';


subtest 'the example: Acme in front of SignalWire' => sub {
    my $r = $t->post('/acme/v3/teams', @ACME,
        json => {team => {title => 'sales', options => {same_number => \1}}});
    is($r->status, 201, 'create') or diag($r->body);
    is($r->header('Content-Type'), 'application/json', 'media type');

    my $team = $r->json->{team};
    like($team->{number}, qr/^.+$/, 'a number');
    is($team->{title}, 'sales', 'title');
    is($team->{headcount}, 0, 'headcount');
    is($team->{state}, 'open', 'state, by default');
    ok($team->{options}{same_number}, 'an option');
    is($team->{contact}, undef, 'nesting with nothing in it is left out');

    my ($got) = $signalwire->journal;
    is($got->{body}, '{"name":"sales","sticky_sender":true}',
        'what SignalWire got');

    $r = $t->get("/acme/v3/teams/$team->{number}", @ACME);
    is($r->status, 200, 'get') or diag($r->body);
    is($r->json->{team}{title}, 'sales', 'title');
    is($r->json->{team}{number}, $team->{number}, 'the same number');

    $r = $t->put("/acme/v3/teams/$team->{number}", @ACME,
        json => {team => {title => 'trade'}});
    is($r->status, 200, 'replace') or diag($r->body);
    is($r->json->{team}{title}, 'trade', 'title');

    $r = $t->del("/acme/v3/teams/$team->{number}", @ACME);
    is($r->status, 204, 'delete');
    is($r->body, '', 'no body');

    $r = $t->get("/acme/v3/teams/$team->{number}", @ACME);
    is($r->status, 404, 'get again');
    is_deeply([sort keys %{$r->json->{fault}}], [qw(kind says)],
        'an error of Acme\'s');
    is($r->json->{fault}{kind}, 'not_found', 'its kind');
};

subtest 'the example: what Acme\'s clients do wrong' => sub {
    my @url = ('/acme/v3/teams', @ACME);
    $signalwire->clear;

    my $r = $t->post(@url, json => {team => {title => 'x' x 81,
                options => {same_number => 'yes'}}});
    is($r->status, 422, 'invalid');
    is($r->json->{fault}{kind}, 'invalid', 'kind');
    is_deeply([sort { $a->{name} cmp $b->{name} }
            @{$r->json->{fault}{fields}}], [
            {name => 'same_number',
                why => 'same_number is of the wrong type'},
            {name => 'title', why => 'title has more than 80 letters'},
        ], 'all of it, in Acme\'s words and names')
        or diag($r->body);

    $r = $t->post(@url, json => {});
    is($r->status, 422, 'no team');
    is($r->json->{fault}{fields}[0]{why}, 'team must be there', 'is told');

    $r = $t->post(@url, json => {team => {title => 'a',
                contact => {mail => 'nobody'}}});
    is($r->status, 422, 'an address that is none');
    is($r->json->{fault}{fields}[0]{name}, 'mail', 'is told');

    $r = $t->post(@url, body => '{"team": {',
        headers => ['Content-Type' => 'application/json']);
    is($r->status, 400, 'no JSON');
    is($r->json->{fault}{kind}, 'malformed', 'kind');

    $r = $t->post('/acme/v3/teams', port => $port{9401}, json => {});
    is($r->status, 401, 'nobody');
    is($r->json->{fault}{kind}, 'who', 'kind');
    is($r->header('WWW-Authenticate'), 'Bearer realm="Acme"', 'asked to');

    $r = $t->request(method => 'PATCH', uri => '/acme/v3/teams/1', @ACME);
    is($r->status, 405, 'there is no PATCH');
    is_deeply([sort split /, /, $r->header('Allow')], [qw(DELETE GET PUT)],
        'but others');

    $r = $t->get('/acme/v3/nothing', @ACME);
    is($r->status, 404, 'no such path');

    is_deeply([$signalwire->journal], [], 'nothing of it goes upstream');

    $r = $t->post(@url, json => {team => {title => 'lost', about => 'text',
                contact => {mail => 'a@test.com'}}});
    is($r->status, 201, 'what cannot be carried');
    is_deeply([sort split /, /, $r->header('Group-Lost') // ''],
        [qw(description email)], 'is named');
};

subtest 'the example: SignalWire in front of Acme' => sub {
    my $r = $t->post($BASE, @SIGNALWIRE,
        json => {name => 'support', sticky_sender => \1});
    is($r->status, 200, 'create') or diag($r->body);

    my $group = $r->json;
    like($group->{id}, qr/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/,
        'a number is a UUID');
    is($group->{name}, 'support', 'name');
    ok($group->{sticky_sender}, 'sticky_sender');
    is($group->{phone_number_count}, 0, 'phone_number_count');

    my ($got) = $acme->journal;
    is($got->{path}, '/acme/v3/teams', 'where Acme was asked');
    is_deeply(JSON::PP::decode_json($got->{body})->{team}{about},
        'made through SignalWire', 'group_default');

    $r = $t->get("$BASE/$group->{id}", @SIGNALWIRE);
    is($r->status, 200, 'get') or diag($r->body);
    is_deeply($r->json, $group, 'the same group');

    my ($last) = reverse $acme->journal;
    is($last->{path}, '/acme/v3/teams/4001', 'by Acme\'s number');

    $r = $t->get("$BASE?filter_name=SUPP", @SIGNALWIRE);
    is($r->status, 200, 'list') or diag($r->body);
    is_deeply([map { $_->{id} } @{$r->json->{data} // []}], [$group->{id}],
        'has it');

    $r = $t->post($BASE, @SIGNALWIRE, json => {name => 'support'});
    is($r->status, 422, 'a name that is taken');
    like($r->json->{errors}[0]{detail}, qr/there is a team "support"/,
        'in Acme\'s words');

    $r = $t->post($BASE, @SIGNALWIRE, json => {name => 'x' x 81});
    is($r->status, 422, 'a name that is too long for Acme');
    like($r->json->{errors}[0]{detail}, qr/name/i, 'is told');

    $r = $t->del("$BASE/$group->{id}", @SIGNALWIRE);
    is($r->status, 204, 'delete');
    $r = $t->get("$BASE/$group->{id}", @SIGNALWIRE);
    is($r->status, 404, 'get again');
    is($r->body, '{"error":"Not Found"}', 'in SignalWire\'s words');

    $acme->fault({status => 500, body => '<html>'});
    $r = $t->get($BASE, @SIGNALWIRE);
    is($r->status, 500, 'an Acme that fails');
    is($r->header('Content-Type'), 'application/json', 'media type');
};

subtest 'the README' => sub {
    my $readme = $t->read_file("$example/README.md");
    my @lines  = split /\n/, $readme;
    cmp_ok(scalar(@lines), '<=', 50, 'is of one screen');

    for my $port (sort keys %port) {
        like($readme, qr/\b$port\b/, "port $port is that of nginx.conf");
    }

    # the mistake that it shows, in lines of its own
    my $lua = $t->read_file("$example/acme.lua");
    $lua =~ s/max = 80/max = "80"/ or die "no max\n";

    $t->write_file('wrong/acme.lua', $lua);
    my (undef, $output) = $t->test_config(
        http   => 'group_dialect_path wrong;',
        server => 'group_dialect acme;',
    );
    my ($told) = $output =~ /(acme\.lua:\d+: operations\S+ .*?) in \//;
    ok($told, 'a mistake is told') or diag($output);
    like($readme =~ s/\s+/ /gr, qr/\Q$told\E/, 'as it says');
};

$t->stop;


# One location for each pair with a built-in vendor; the vendors are emulated.
subtest 'each vendor' => sub {
    my %vendor = (
        signalwire => $signalwire,
        vinyldns   => $t->emulator('vinyldns'),
        faxfinder  => $t->emulator('faxfinder'),
        portsip    => $t->emulator('portsip'),
    );
    my %key = (
        signalwire => '{"type": "basic", "secret": "PTemulatedtoken",'
            . ' "id": "5f3c2a1e-7b4d-4c8e-9a6f-2d1b0c9e8f7a"}',
        vinyldns => '{"type": "sigv4", "access_key": "okAccessKey",'
            . ' "secret_key": "okSecretKey"}',
        faxfinder => '{"type": "basic", "id": "admin", "secret": "admin"}',
        portsip   => '{"type": "bearer", "token": "portsip-emulated-token"}',
        acme      => '{"type": "bearer", "token": "acme-emulated-token"}',
    );
    my %given = (
        vinyldns => "group_default email a\@test.com;\n"
            . 'group_default members 2764183c-5e75-4ae6-8833-503cd5f4dcb0;'
            . 'group_default admins 2764183c-5e75-4ae6-8833-503cd5f4dcb0;',
        faxfinder => 'group_default owner alice;',
    );

    my $n = Test::Gateway->new;
    copy("$example/acme.lua", $n->dir . '/acme.lua');
    $n->write_file("$_.json", $key{$_}, 0600) for keys %key;

    my $locations = '';
    for my $name (sort keys %vendor) {
        my $address = $vendor{$name}->address;
        $locations .= <<"END";
location /to/$name/ {
    group_dialect acme;
    group_upstream_dialect $name;
    group_base_path /to/$name;
    group_upstream_credentials $name.json;
    @{[$given{$name} // '']}
    proxy_pass http://$address;
}
location /from/$name/ {
    group_dialect $name;
    group_upstream_dialect acme;
    group_base_path /from/$name;
    group_upstream_credentials acme.json;
    group_default email a\@test.com;
    group_default admins 1;
    proxy_pass http://@{[$acme->address]};
}
END
    }

    $locations .= <<"END";
location /same/ {
    group_dialect acme;
    group_base_path /same;
    group_upstream_credentials acme.json;
    proxy_pass http://@{[$acme->address]};
}
END

    $n->nginx(
        http   => 'group_dialect_path . %%ROOT%%/lua/dialects;',
        server => $locations,
    );

    for my $name (sort keys %vendor) {
        $vendor{$name}->reset;
        my $r = $n->post("/to/$name/teams",
            json => {team => {title => "to-$name"}});
        is($r->status, 201, "Acme in front of $name") or diag($r->body);
        my $team = ($r->json // {})->{team} // {};
        is($team->{title}, "to-$name", 'title');

        $r = $n->get("/to/$name/teams/" . ($team->{number} // 'none')
                =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger);
        is($r->status, 200, 'and back') or diag($r->body);
        is(($r->json // {})->{team}{number}, $team->{number}, 'number');
    }

    my %call = (
        signalwire => sub {
            my $r = $n->post("/from/signalwire/number_groups",
                json => {name => 'from-signalwire'});
            return ($r, ($r->json // {})->{name});
        },
        vinyldns => sub {
            my $r = $n->post('/from/vinyldns/groups', json => {
                    name => 'from-vinyldns', email => 'a@test.com',
                    members => [{id => '17'}], admins => [{id => '17'}]});
            return ($r, ($r->json // {})->{name});
        },
        faxfinder => sub {
            my $r = $n->post('/from/faxfinder/contact_groups/alice',
                body => '<contact_group><name>from-faxfinder</name>'
                    . '</contact_group>',
                headers => ['Content-Type' => 'application/xml']);
            return ($r, $r->xpath('//name'));
        },
        portsip => sub {
            my $r = $n->post('/from/portsip/groups',
                json => {name => 'from-portsip'});
            my $id = ($r->json // {})->{id} // 'none';
            my $get = $n->get("/from/portsip/groups/$id");
            return ($r, ($get->json // {})->{name});
        },
    );

    for my $name (sort keys %call) {
        $acme->reset;
        my ($r, $got) = $call{$name}->();
        is($r->status, $name eq 'portsip' ? 201 : 200,
            "$name in front of Acme") or diag($r->body);
        is($got, "from-$name", 'name');

        my ($team) = @{$acme->seed->{teams}};
        is($team->{title}, "from-$name", 'and Acme has it');
        is_deeply($team->{people}, [{person => '17'}], 'with its people')
            if $name eq 'vinyldns';
    }

    # the same on both sides: bytes that nobody had a reason to touch
    $acme->reset;
    my $r = $n->post('/same/teams', json => {team => {title => 'same',
                contact => {mail => 'a@test.com'},
                people => [{person => '17', nick => 'Al'}]}});
    is($r->status, 201, 'Acme in front of Acme') or diag($r->body);
    is_deeply($r->json->{team}{people}, [{person => '17', nick => 'Al'}],
        'people');

    $r = $n->get('/same/teams?like=SAM&size=5');
    is_deeply($r->json->{page}, {from => 0, size => 5, all => 1}, 'list');

    is($n->put('/same/teams/4001/people/18')->status, 204, 'add a person');
    $r = $n->get('/same/teams/4001/people');
    is_deeply($r->json, {people => [{person => '17', nick => 'Al'},
                {person => '18'}]}, 'list people');
    is($n->del('/same/teams/4001/people/17')->status, 204, 'remove one');
    $r = $n->get('/same/teams/4001');
    is($r->json->{team}{headcount}, 1, 'one is left');

    $n->stop;
};

$acme->stop;
done_testing;
