#!/usr/bin/env perl

# The links of SignalWire's lists, in front of vendors that page in other ways:
# each leads where it says, with what the client asked for.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $t = Test::Gateway->new(variables => 0);

my @names = map { sprintf 'g%02d', $_ } 1 .. 8;
my $USER  = '2764183c-5e75-4ae6-8833-503cd5f4dcb0';

sub uuid { return sprintf '93ba0f9d-c9a7-4053-9235-%012d', shift }

sub group {
    my ($n) = @_;
    return {id => uuid($n), name => $names[$n - 1], email => 'a@test.com',
        created => '2023-01-15T10:30:00Z', status => 'Active',
        members => [{id => $USER}], admins => [{id => $USER}]};
}

my $u = $t->upstream(sub {
    my ($request) = @_;
    my ($path, $args) = $request->{uri} =~ /^([^?]*)\??(.*)/;
    my %arg = map { split /=/, $_, 2 } split /&/, $args;

    # PortSIP: skip and top
    if ($path eq '/api/groups') {
        my $skip = $arg{skip} // 0;
        my @items = map { {id => "$_", name => $names[$_ - 1],
                description => undef} } 1 .. @names;
        return [200, [], {count => scalar @items, items =>
                    [grep { defined } @items[$skip .. $skip + 99]]}];
    }

    return [200, [], {items => []}] if $path =~ m{^/api/};

    # VinylDNS: startFrom is the last id of the page before
    my $after = ($arg{startFrom} // 0) =~ /(\d+)$/ ? $1 : 0;
    my $most  = $arg{maxItems} // 100;
    my @page  = grep { $_ <= @names } $after + 1 .. $after + $most;
    return [200, [], {groups => [map { group($_) } @page],
            maxItems => $most, ignoreAccess => \0,
            $page[-1] < @names ? (nextId => uuid($page[-1])) : ()}];
});

$t->nginx(server => join '', map { <<"END" } qw(portsip vinyldns));
location /$_/ {
    group_dialect signalwire;
    group_upstream_dialect $_;
    group_base_path /$_;
    proxy_pass http://@{[$u->address]};
}
END

sub page {
    my ($uri) = @_;

    my $r = $t->get($uri);
    is($r->status, 200, $uri) or diag($r->body);

    my $json = $r->json // {data => [], links => {}};
    return ($json->{links}, join ' ', map { $_->{name} } @{$json->{data}});
}

my @pages = ('g01 g02 g03', 'g04 g05 g06', 'g07 g08');

for my $vendor (qw(portsip vinyldns)) {
    subtest $vendor => sub {
        my $groups = "/$vendor/number_groups";
        my $uri    = "$groups?page_size=3&other=%C3%A9";

        for my $n (0 .. $#pages) {
            my ($links, $names) = page($uri);

            is($names, $pages[$n], "page $n");
            is($links->{self}, $uri, 'self');
            is($links->{first}, "$groups?page_size=3&other=%C3%A9",
                'first has what was asked for');
            is((page($links->{first}))[1], $pages[0], 'first');

            if ($n) {
                my ($before, $text) = page($links->{prev});
                is($text, $pages[$n - 1], 'prev');
                is(defined $before->{prev}, $n > 1, 'and the one before it');
                is((page($before->{next}))[1], $names, 'and back');

            } else {
                is($links->{prev}, undef, 'there is no page before');
            }

            $uri = $links->{next};
            like($uri, qr/page_number=@{[$n + 1]}&page_token=/, 'next')
                if $n < $#pages;
        }

        is($uri, undef, 'there is no page after');

        # by numbers alone
        my ($links, $names) = page("$groups?page_number=1&page_size=3");
        is($names, $pages[1], 'a number');
        is((page($links->{prev}))[1], $pages[0], 'prev of a number');
        is((page($links->{next}))[1], $pages[2], 'next of a number');
    };
}

# a token of ours tells the page before, where no number does
subtest 'tokens alone' => sub {
    my $groups = '/portsip/number_groups?page_size=3';

    my ($links, $names) = page("$groups&page_token=o6");
    is($names, $pages[2], 'a token');
    is($links->{prev}, "$groups&page_token=o3", 'prev');
    is((page($links->{prev}))[1], $pages[1], 'it is that page');

    ($links, $names) = page("$groups&page_token=o3");
    is($links->{prev}, $groups, 'before the second page there is the first');

    ($links, $names) = page("$groups&page_token=o0");
    is($links->{prev}, undef, 'before the first there is none');

    ($links) = page('/vinyldns/number_groups?page_size=3&page_token='
        . uuid(3));
    is($links->{prev}, undef, "of a vendor's own token nobody knows");
    is($links->{first}, '/vinyldns/number_groups?page_size=3',
        'but where the first page is');
};

$t->stop;
done_testing;
