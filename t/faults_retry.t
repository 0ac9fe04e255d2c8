#!/usr/bin/env perl

# proxy_next_upstream: what is sent again is the same, byte by byte, with its
# body and its signature; and what creates something is not sent again unless
# "non_idempotent" says so. Of two upstreams the first fails in each way.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Faults qw(asked faulty);
use Test::Gateway::Message qw(json_encode);
use Test::Gateway::Samples
    qw(create created dialects error_text location vendor_of);
use Test::Gateway::SigV4 qw(sign);

my $t    = Test::Gateway->new;
my $slow = $t->patience;

my $ID   = 'NzAwNTUxOTA5NzczMTQ4MTYw';
my $UUID = '0a59b2d8-9d41-4b7a-9b5c-6a3d1e2f4c5b';
my $JSON = ['Content-Type' => 'application/json'];

sub vendor {
    my ($request) = @_;
    my ($method, $uri) = @$request{qw(method uri)};

    my $name = vendor_of($uri);
    my $kind = $uri =~ m{(?:groups|/alice)$} ? 'group.create' : 'group.get';

    return ['member.add',   200, $JSON, ''] if $uri =~ m{/members/};
    return ['group.delete', 204, $JSON, ''] if $uri =~ m{/destroy$};
    return ['group.delete', 200, $JSON,
        created('vinyldns')->[2] =~ s/Active/Deleted/r]
        if $method eq 'DELETE' && $name eq 'vinyldns';
    return [$kind, @{created($name)}] if $kind eq 'group.create';
    return [$kind, 200, @{created($name)}[1, 2]];
}

# The first is asked first, and fails as it is told; the second never does.
my $first  = faulty($t, \&vendor);
my $second = faulty($t, sub {
    my ($request) = @_;
    my $answer = vendor($request);
    $answer->[0] = 'second';
    return $answer;
});
my $refused = '127.0.0.1:' . $t->refused_port;

$t->write_file('vinyldns.json', json_encode({type => 'sigv4',
    access_key => 'AK', secret_key => 'SK'}), 0600);

my %try = (
    ''     => '',
    all    => 'proxy_next_upstream error timeout invalid_header http_500 '
        . 'http_503 http_404 non_idempotent;',
    most   => 'proxy_next_upstream error timeout invalid_header http_500 '
        . 'http_503 http_404;',
    never  => 'proxy_next_upstream off;',
    signed => 'group_upstream_credentials %%DIR%%/vinyldns.json; '
        . 'proxy_next_upstream error timeout invalid_header http_500 '
        . 'non_idempotent;',
    signedfile => 'group_upstream_credentials %%DIR%%/vinyldns.json; '
        . 'proxy_next_upstream error timeout invalid_header http_500 '
        . 'non_idempotent; client_body_in_file_only clean; '
        . 'client_body_buffer_size 16;',
);

my @pair = ((map { [$_, $_] } dialects()), ['signalwire', 'vinyldns'],
    ['vinyldns', 'faxfinder'], ['faxfinder', 'portsip'],
    ['portsip', 'signalwire'], ['vinyldns', 'portsip']);

my $locations = '';
for my $pair (@pair) {
    for my $how (sort keys %try) {
        next if $how =~ /signed/ && $pair->[1] ne 'vinyldns';
        $locations .= location(@$pair, 'http://both',
            base => "/$pair->[0]-$pair->[1]" . ($how ? "-$how" : ''),
            more => $try{$how});
    }
}

$t->nginx(
    http => <<"END",
upstream both {
    server @{[$first->address]} max_fails=0;
    server @{[$second->address]} backup;
}
upstream none {
    server @{[$first->address]} max_fails=0;
    server $refused max_fails=0 backup;
}
upstream dead {
    server $refused max_fails=0;
    server @{[$second->address]} backup;
}
END
    server => <<"END");
proxy_read_timeout @{[700 * $slow]}ms;
$locations
@{[location('vinyldns', 'vinyldns', 'http://dead', base => '/dead')]}
@{[location('signalwire', 'vinyldns', 'http://none', base => '/none',
    more => $try{all})]}
END

my $count = 0;

# (response, requests of the first, requests of the second)
sub ask {
    my ($base, $fault, %call) = @_;

    my $case = 'case-' . ++$count;
    my $r = $t->request(%call, http1 => 1, uri => "/$base$call{uri}",
        headers => [@{$call{headers} // []}, 'X-Case' => $case,
            'X-Fault' => $fault ? "group.create=$fault,group.get=$fault,"
                . "group.delete=$fault,member.add:102=$fault" : '']);

    # one that was sent before the answer is recorded, too
    sleep 0.02;
    return ($r, [asked($first, $case)], [asked($second, $case)]);
}

# How the first can fail: before it can have done anything is one thing.
my @broken = qw(close_at_once reset_at_once close_in_line reset_in_line
    reset_in_head hang_at_once endless_head is_500 is_503);

# what nginx has begun to hand on is never asked for again, and what is no HTTP
# is the body of an answer of HTTP/0.9 to it
my @begun = qw(close_in_body reset_in_body short garbage);

subtest 'a creation is not sent again' => sub {
    for my $pair (@pair[0 .. 3, 4, 5, 7]) {
        my ($client, $upstream) = @$pair;

        for my $how ('', 'most', 'never') {
            for my $fault ($how eq 'most' ? @broken : @broken[0, 1, 5]) {
                next if $fault =~ /hang/ && $pair != $pair[0];
                my $base = "$client-$upstream" . ($how ? "-$how" : '');
                my ($r, $a, $b) = ask($base, $fault, create($client));

                my $name = "$base, $fault";
                like($r->status, qr/^50[0234]$/, "$name: an error");
                ok(defined error_text($client, $r), 'in the dialect')
                    || diag($r->raw);
                is($r->header('Content-Length'), length $r->body, 'whole');
                is(@$a . ' ' . @$b, '1 0', 'sent once');
            }
        }
    }
};

sub same_ok {
    my ($a, $b, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @sent = map { $_->{raw} } $a->[0], $b->[0];
    return is($sent[1], $sent[0], $name);
}

subtest 'unless it is told to be, and then in the same bytes' => sub {
    for my $pair (@pair[0 .. 7]) {
        my ($client, $upstream) = @$pair;
        my $base = "$client-$upstream-all";

        for my $fault (@broken) {
            next if $fault =~ /hang/ && $pair != $pair[0];
            my ($r, $a, $b) = ask($base, $fault, create($client));

            is($r->status, created($client)->[0], "$base, $fault: done")
                || diag($r->raw);
            is(@$a . ' ' . @$b, '1 1', 'sent to each');
            same_ok($a, $b, 'the same');
            like($b->[0]{body}, qr/sales/, 'a whole one');
            is($b->[0]{header}{'content-length'}, length $b->[0]{body},
                'and its length');
        }

        for my $fault (@begun) {
            my ($r, $a, $b) = ask($base, $fault, create($client));
            is(@$a . ' ' . @$b, '1 0', "$base, $fault: once");
            is($r->status, 502, 'an error');
            ok(defined error_text($client, $r), 'in the dialect');
        }
    }
};

subtest 'what may be repeated is, in the same bytes' => sub {
    my %read = (
        signalwire => "/api/relay/rest/number_groups/$UUID",
        vinyldns   => "/groups/$UUID",
        faxfinder  => '/ffws/v1/contact_groups/alice/4',
        portsip    => "/api/groups/$ID",
    );

    for my $name (dialects()) {
        for my $fault (@broken[0 .. 4]) {
            my ($r, $a, $b) = ask("$name-$name", $fault, method => 'GET',
                uri => $read{$name});
            is($r->status, 200,
                "$name, $fault: GET") || diag($r->raw);
            is(@$a . ' ' . @$b, '1 1', 'sent to each');
            same_ok($a, $b, 'the same');
        }
    }

    my ($r, $a, $b) = ask('vinyldns-vinyldns', 'reset_at_once',
        method => 'DELETE', uri => "/groups/$UUID");
    is($r->status, 200, 'DELETE');
    is(@$a . ' ' . @$b, '1 1', 'sent to each');

    ($r, $a, $b) = ask('vinyldns-vinyldns', 'reset_at_once',
        method => 'PUT', uri => "/groups/$UUID", json => {id => $UUID,
            name => 'sales', email => 'a@test.com', members => [],
            admins => []});
    is($r->status, 200, 'PUT') || diag($r->raw);
    is(@$a . ' ' . @$b, '1 1', 'sent to each');
    same_ok($a, $b, 'the same');
    like($b->[0]{body}, qr/"sales"/, 'with its body');
};

# A signature is of that body, and of that host.
subtest 'what is signed is signed once, and stays right' => sub {
    my %big = (name => 'sales', email => 'a@test.com',
        description => 'x' x 50_000, admins => [{id => 'm'}],
        members => [map { {id => "m$_"} } 1 .. 500]);

    for my $how (qw(signed signedfile)) {
        for my $fault (qw(close_at_once reset_at_once reset_in_line is_500)) {
            for my $call ([create('vinyldns')],
                [method => 'POST', uri => '/groups', body =>
                    json_encode(\%big), headers => $JSON],
                [method => 'GET', uri => "/groups/$UUID"])
            {
                my ($r, $a, $b) = ask("vinyldns-vinyldns-$how", $fault,
                    @$call);
                is($r->status, 200, "$how, $fault: done");
                is(@$a . ' ' . @$b, '1 1', 'sent to each');
                same_ok($a, $b, 'the same');

                my $h = $b->[0]{header};
                like($h->{authorization}, qr/^AWS4-HMAC-SHA256 /, 'signed');
                is($h->{authorization}, $a->[0]{header}{authorization},
                    'with one signature');
                signature_ok($b->[0]);
            }
        }
    }
};

# As the client of the tests makes it, of what came.
sub signature_ok {
    my ($request) = @_;

    my $h = $request->{header};
    my ($signed) = ($h->{authorization} // '') =~ /SignedHeaders=([^,]+)/;
    my @signed = split /;/, $signed // '';

    my $again = sign(
        method  => $request->{method}, uri => $request->{uri},
        body    => $request->{body}, date => $h->{'x-amz-date'},
        headers => [map { [$_ => $h->{$_}] } grep { $_ ne 'x-amz-date' }
            @signed],
        access_key => 'AK', secret_key => 'SK', signed => \@signed);

    my ($expected) = map { $_->[1] =~ /Signature=(\w+)/ }
        grep { $_->[0] eq 'Authorization' } @$again;
    return like($h->{authorization}, qr/Signature=$expected\z/,
        'a right one');
}

subtest 'an upstream that nobody reaches has done nothing' => sub {
    my ($r, $a, $b) = ask('dead', '', create('vinyldns'));
    is($r->status, 200, 'a creation goes to the next one');
    is(scalar(@$b), 1, 'once');
};

subtest 'when all fail' => sub {
    for my $fault (qw(reset_at_once is_500)) {
        my ($r, $a, $b) = ask('none', $fault, create('signalwire'));
        like($r->status, qr/^50[02]$/, "$fault: an error");
        ok(defined error_text('signalwire', $r), 'in the dialect');
        is(scalar(@$a), 1, 'asked once');
    }
};

subtest 'in a plan' => sub {
    my %group = (method => 'POST', uri => '/groups', json => {name => 'sales',
        email => 'a@test.com', admins => [],
        members => [map { {id => "$_"} } 101 .. 103]});
    my $calls = sub {
        return join ' ', sort map { "$_->{method} $_->{uri}" } @_;
    };
    my @add = map { "POST /api/groups/$ID/members/$_" } 101 .. 103;

    # only calls for one member fail
    for my $fault (qw(close_at_once reset_in_line is_503)) {
        my $case = sub {
            my ($base) = @_;
            my $id = 'plan-' . ++$count;
            my $r = $t->request(%group, http1 => 1, uri => "/$base/groups",
                headers => ['X-Case' => $id,
                    'X-Fault' => "member.add:102=$fault"]);
            sleep 0.02;
            return ($r, [asked($first, $id)], [asked($second, $id)]);
        };

        my ($r, $a, $b) = $case->('vinyldns-portsip-most');
        like($r->status, qr/^50[23]$/, "$fault: refused");
        is($calls->(@$a), $calls->(map { {method => 'POST', uri => $_} }
            map { s/^POST //r } 'POST /api/groups', @add,
            "POST /api/groups/$ID/destroy"), 'undone, each call once');
        is(scalar(@$b), 0, 'nothing is sent again');

        ($r, $a, $b) = $case->('vinyldns-portsip-all');
        is($r->status, 200, "$fault: done, where it may be sent again");
        is(scalar(@$a), 4, 'each call');
        is($calls->(@$b), $add[1], 'and one of them again');
        is($b->[0]{raw}, (grep { $_->{uri} =~ /102/ } @$a)[0]{raw},
            'in the same bytes');
    }
};

$t->stop;
done_testing;
