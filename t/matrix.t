# Every operation of every client's API in front of every vendor: how many
# upstream calls it takes, or why it cannot be done. Each cell is run: it is
# right, seen at the vendor itself, or it is refused and nothing has happened.
#
# With TEST_GROUP_MATRIX=1 the table that was found is printed in Markdown
# instead of being compared; "make matrix" does so.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use Test::More;

use Test::Gateway;
use Test::Gateway::Message qw(json_decode);
use Test::Gateway::Vendors qw(
    @VENDORS collection gateway_server groups_at item path_segment sign_in
);
use Test::Gateway::Words qw(
    $OK %PEOPLE %STATUS %DEFAULT client_body inline listed members_uri
    seed_group shown
);

my $PRINT = $ENV{TEST_GROUP_MATRIX};

my @OPERATIONS = qw(
    group.create group.list group.get group.replace group.modify group.delete
    member.list member.add member.get member.remove
);

# A number is that of upstream calls, with four groups to list, and a member or
# two in each; "-" and a word is a reason; "." is not in the client's API.
# The client, the upstream, then in the order of @OPERATIONS.
my %EXPECTED = map { /^(\w+) (\w+) +(.*)$/ ? ("$1 $2", $3) : () }
    split /\n/, <<'END';
signalwire signalwire 1 1 1 1 . 1 1 1 1 1
signalwire vinyldns   1 1 1 2 . 1 1 3 1 3
signalwire faxfinder  1 1 1 2 . 1 1 3 1 3
signalwire portsip    1 5 2 3 . 1 1 1 1 1
vinyldns signalwire   2 5 2 5 . 3 1 . . .
vinyldns vinyldns     1 1 1 1 . 1 1 . . .
vinyldns faxfinder    1 1 1 1 . 2 1 . . .
vinyldns portsip      2 5 2 5 . 3 1 . . .
faxfinder signalwire  2 5 2 5 . 1 . . . .
faxfinder vinyldns    1 1 1 2 . 1 . . . .
faxfinder faxfinder   1 1 1 1 . 1 . . . .
faxfinder portsip     2 5 2 5 . 1 . . . .
portsip signalwire    1 1 1 2 . 1 1 1 1 2
portsip vinyldns      1 1 1 2 . 1 1 3 1 3
portsip faxfinder     1 1 1 2 . 1 1 3 1 3
portsip portsip       1 1 1 1 . 1 1 1 1 1
scim signalwire       2 5 2 5 4 1 . . . .
scim vinyldns         1 1 1 2 3 1 . . . .
scim faxfinder        1 1 1 2 3 1 . . . .
scim portsip          2 5 2 5 4 1 . . . .
bare signalwire       2 -email -email 5 . -email 1 . . .
bare faxfinder        1 -email -email 1 . -email 1 . . .
bare portsip          2 -email -email 5 . -email 1 . . .
END

my %REASON = (
    email => qr/^the upstream API "\w+" does not tell "email"$/,
);

# who is in each group in any case
my %ALWAYS = (vinyldns => [$OK]);

my $t = Test::Gateway->new;

my %emulator = map {
    ($_ => $t->emulator($_, 'no-unknown-fields' => undef,
        $_ eq 'vinyldns'   ? (domain       => 'example.com') : (),
        $_ eq 'signalwire' ? ('any-number' => undef)         : ()))
} @VENDORS;

# "bare" is VinylDNS's where no group_default tells what it requires
my @CLIENTS = (@VENDORS, 'scim', 'bare');
my %BARE    = (faxfinder => 'group_default owner alice;');
my $bare;

my $servers = '';

for my $client (@CLIENTS) {
    for my $upstream (@VENDORS) {
        $servers .= gateway_server($t, name => "$client.$upstream",
            client => $client eq 'bare' ? 'vinyldns' : $client,
            upstream => $upstream, url => $emulator{$upstream}->url,
            more => ($client eq 'bare' ? \%BARE : \%DEFAULT)->{$upstream});
    }
}

$t->nginx(servers => $servers);

my $lines = 0;

# a call and what the access log says of it
sub call {
    my ($client, $upstream, %request) = @_;

    my $r = $t->request(sign_in($client), %request,
        headers => [Host => ($bare ? 'bare' : $client) . ".$upstream",
            @{$request{headers} // []}]);

    # the harness itself may have knocked, too; decoding them all is slow
    my ($n, @log) = ++$lines;
    for (1 .. 500) {
        # a line that is being written is not one yet
        @log = grep { /"operation":"\w/ }
            $t->read_file('access.log') =~ /^(.*)\n/mg;
        last if @log >= $n;
        select undef, undef, undef, 0.01;
    }

    return ($r, json_decode($log[$n - 1]));
}

# without those that only tell what members are called
sub kept {
    my ($upstream, $all) = @_;
    return groups_at($t, $emulator{$upstream}, $upstream,
        $all ? qr// : qr/^(?!only-)/);
}

# behind the gateway
sub make {
    my ($upstream, @group) = @_;
    return seed_group($t, $emulator{$upstream}, $upstream, @group);
}

sub people {
    my ($upstream, @members) = @_;
    my %seen;
    return [sort grep { !$seen{$_}++ } @{$ALWAYS{$upstream} // []},
        @members];
}

# a "not supported" has the shape of the client's errors
sub refusal_in_words_of {
    my ($client, $r) = @_;
    my $text = eval {
          $client eq 'faxfinder'  ? $r->xpath('/response/message')
        : $client eq 'vinyldns'   ? $r->json
        : $client eq 'signalwire' ? $r->json->{error}
        : $client eq 'portsip'    ? $r->json->{errors}[0]{message}
        : $r->json->{status} eq '501' && $r->json->{detail};
    };
    return defined $text && !ref $text && $text =~ /\S/;
}

my %found;
my %why;

for my $upstream (@VENDORS) {
    my @m = @{$PEOPLE{$upstream}};

    for my $client (@CLIENTS) {
        next if $client eq 'bare' && $upstream eq 'vinyldns';
        $bare = $client eq 'bare';

        subtest "$client in front of $upstream" => sub {
            run($bare ? 'vinyldns' : $client, $upstream, @m);
        };
    }
}

sub run {
    my ($client, $upstream, @m) = @_;

    $emulator{$upstream}->reset;
    make($upstream, "only-$_", $m[$_]) for 0 .. 2;
    make($upstream, 'there', $m[0]);

    # the client's words for ids that it did not make
    my ($r) = call($client, $upstream, uri => collection($client));
    my $ids = $r->status == 200 ? listed($client, $r)
        : do { my $kept = kept($upstream, 1);
            +{map { ($_ => $kept->{$_}{id}) } keys %$kept} };
    my @c;
    for my $i (0 .. 2) {
        ($r) = call($client, $upstream,
            uri => members_uri($client, $ids->{"only-$i"}));
        my @shown = $r->status == 200 ? shown($client, $r) : ();
        ($c[$i]) = grep { $_ ne $OK } @shown;
        $c[$i] //= $m[$i];
    }

    my $id    = $ids->{there};
    my $item  = item($client, path_segment($id));
    my $uri   = members_uri($client, $id);
    my $owned = $client eq 'portsip';
    my $membership;
    my $kept = kept($upstream);

    # an operation is tried, its status is right, and so is what it did
    my $try = sub {
        my ($operation, $request, $check) = @_;

        my $who  = $bare ? 'bare' : $client;
        my $cell = \$found{"$who $upstream"}{$operation};

        if (!$request) {
            $$cell = '.';
            return;
        }

        my ($r, $log) = call($client, $upstream, @$request);
        is($log->{operation}, $operation, "$operation: it is that one");

        if ($r->status == 501) {
            ok(refusal_in_words_of($client, $r),
                "$operation: not supported, in the client's words")
                or diag($r->body);
            is($log->{outcome}, 'not_supported', "$operation: outcome");
            is($log->{calls} || 0, 0, "$operation: nothing was called");
            is_deeply(kept($upstream), $kept,
                "$operation: nothing has happened");
            $$cell = '-';
            $why{"$who $upstream"}{$operation} = $log->{error};
            return;
        }

        is($r->status, $STATUS{$operation}{$client} // 200,
            "$operation: status") or diag($r->body);
        $kept = kept($upstream) if $request->[0] eq 'method';
        $check->($r, $kept);
        $$cell = $log->{calls};
        return;
    };

    my $is = sub {
        my ($got, $expected, $name) = @_;
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        return is_deeply($got, $expected, $name);
    };

    $try->('group.list', [uri => collection($client)], sub {
        my ($r) = @_;
        $is->([sort keys %{listed($client, $r)}],
            [qw(only-0 only-1 only-2 there)], 'group.list: all of them');
    });

    $try->('group.get', [uri => $item], sub {
        my ($r) = @_;
        like($r->body, qr/\bthere\b/, 'group.get: its name');
        $is->([sort grep { $_ ne $OK } shown($client, $r)], [$c[0]],
            'group.get: its members') if inline($client);
    });

    $try->('group.create', [method => 'POST', uri => collection($client),
        client_body($client, $upstream, 'made', undef, $c[1])], sub {
        my (undef, $kept) = @_;
        $is->($kept->{made}{members},
            people($upstream, inline($client) ? $m[1] : ()),
            'group.create: it is there, with its members');
    });

    $try->('group.replace', [
        method => $client eq 'portsip' ? 'POST' : 'PUT', uri => $item,
        client_body($client, $upstream, 'renamed', $id, $c[1])], sub {
        my (undef, $kept) = @_;
        ok(!$kept->{there}, 'group.replace: the old name is gone');
        $is->($kept->{renamed}{members},
            people($upstream, inline($client) ? $m[1] : $m[0]),
            'group.replace: its members');
    });

    my ($name) = grep { $kept->{$_} } qw(there renamed);
    my $members = $kept->{$name}{members};

    $try->('group.modify', $client ne 'scim' ? undef : [method => 'PATCH',
        uri => $item, json => {Operations => [
            {op => 'replace', path => 'displayName', value => 'changed'},
            {op => 'add', path => 'members', value => [{value => $c[2]}]},
        ]}], sub {
        my (undef, $kept) = @_;
        $is->($kept->{changed}{members}, people($upstream, @$members, $m[2]),
            'group.modify: its name and its members');
    });

    my $named = sub { my ($kept) = @_;
        return (grep { $kept->{$_} } qw(changed renamed there))[0] };

    $try->('member.list', $client =~ /faxfinder|scim/ ? undef : [
        uri => $uri], sub {
        my ($r) = @_;
        my %c = map { ($m[$_] => $c[$_]) } 0 .. 2;
        $is->([sort grep { $_ ne $OK } shown($client, $r)],
            [sort map { $c{$_} // () } @$members], 'member.list: all');
    });

    my $has = $client =~ /signalwire|portsip/;

    $try->('member.add', !$has ? undef : [method => 'POST',
        $owned ? (uri => "$uri/" . path_segment($c[2]))
        : (uri => $uri, json => {phone_number_id => $c[2]})], sub {
        my ($r, $kept) = @_;
        $is->($kept->{$named->($kept)}{members},
            people($upstream, @$members, $m[2]), 'member.add: it is there');
        $membership = $r->json->{id} if !$owned;
    });

    my $one = $owned ? "$uri/" . path_segment($c[2])
        : '/api/relay/rest/number_group_memberships/'
            . path_segment($membership // 'none');

    $try->('member.get', !$has ? undef : [uri => $one], sub {
        my ($r) = @_;
        like($r->body, qr/"\Q$c[2]\E"/, 'member.get: whom');
    });

    $try->('member.remove', !$has ? undef : $owned
        ? [method => 'POST', uri => "$one/destroy"]
        : [method => 'DELETE', uri => $one], sub {
        my (undef, $kept) = @_;
        $is->($kept->{$named->($kept)}{members}, people($upstream, @$members),
            'member.remove: it is gone');
    });

    $try->('group.delete', $owned
        ? [method => 'POST', uri => "$item/destroy"]
        : [method => 'DELETE', uri => $item], sub {
        my (undef, $kept) = @_;
        is($named->($kept), undef, 'group.delete: it is gone');
    });

    return;
}

sub in_words {
    my ($pair, $operation) = @_;
    my $cell = $found{$pair}{$operation} // '?';
    return $cell eq '.' ? ' |'
        : $cell eq '1'  ? ' 1 call |'
        : $cell eq '-'  ? " not supported, because $why{$pair}{$operation} |"
        :                 " plan ($cell calls) |";
}

if ($PRINT) {
    print '| client | upstream | ', join(' | ', map {"`$_`"} @OPERATIONS),
        " |\n|", ' --- |' x (2 + @OPERATIONS), "\n";
}

for my $client (@CLIENTS) {
    for my $upstream (@VENDORS) {
        my $pair = "$client $upstream";
        my $row  = $found{$pair} or next;

        if ($PRINT) {
            my $name = $client eq 'bare' ? '`vinyldns`, no `group_default`'
                : "`$client`";
            print "| $name | `$upstream` |",
                (map { in_words($pair, $_) } @OPERATIONS), "\n";
            next;
        }

        my @cells = split ' ', $EXPECTED{$pair} // '? ' x @OPERATIONS;
        my @got   = map { $row->{$_} // '?' } @OPERATIONS;

        for my $i (0 .. $#OPERATIONS) {
            next if $cells[$i] !~ s/^-(\w+)$/-/;
            like($why{$pair}{$OPERATIONS[$i]}, $REASON{$1},
                "$pair: why there is no $OPERATIONS[$i]");
        }

        is("@got", "@cells", "$pair: what each operation takes");
    }
}

done_testing;
