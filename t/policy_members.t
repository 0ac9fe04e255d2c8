#!/usr/bin/perl

# lua/policies/members.lua: how many members, and of which domains.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway::Policy;

my $p = Test::Gateway::Policy->new('members');

my $filled = 'group_default email a@example.com; group_default admins m;';

my $count  = $p->at('vinyldns', 'min=1 max=3');
my $domain = $p->at('vinyldns', 'domains=example.com,.Example.org');
my $must   = $p->at('vinyldns', 'email=required domains=example.com');
my $scim   = $p->at(['scim', 'vinyldns'], 'min=1 max=3', more => $filled);
my $loose  = $p->at(['scim', 'vinyldns'], 'max=3 unknown=pass',
    more => $filled);
my $single = $p->at('signalwire', 'max=3');
my $free   = $p->at('signalwire', 'max=3 unknown=pass');
my $least  = $p->at('signalwire', 'min=1');
my $given  = $p->at(['signalwire', 'vinyldns'], 'min=1',
    more => "$filled group_default members m1;");

$p->start;

sub ids { return [map { {id => "m$_"} } 1 .. $_[0]] }

sub membership {
    my ($path, $method) = @_;
    my $uri = "/number_groups/$Test::Gateway::Policy::UUID"
        . '/number_group_memberships';
    return $p->ask('POST', $path, $uri,
        {phone_number_id => $Test::Gateway::Policy::UUID})
        if $method eq 'POST';
    return $p->ask('DELETE', $path, '/number_group_memberships/'
        . $Test::Gateway::Policy::UUID);
}


subtest 'the number' => sub {
    $p->passed($p->create($count, name => 'a', members => ids($_)),
        "$_ of them") for 1 .. 3;
    $p->refused($p->create($count, name => 'a', members => ids(0)), 400,
        qr/members must be at least 1/, 'too few');
    $p->refused($p->create($count, name => 'a', members => ids(4)), 400,
        qr/members must be at most 3/, 'too many');
    $p->refused($p->replace($count, name => 'a', members => ids(4)), 400,
        qr/members must be at most 3/, 'too many in their place');
    $p->passed($p->replace($count, name => 'a', members => ids(3)), 'replace');
    $p->passed($p->remove($count), 'delete');
    $p->passed($p->ask('GET', $count, '/groups'), 'list');
};

subtest 'a client whose API has no members' => sub {
    $p->refused($p->create($least, name => 'a'), 422,
        qr/members must be at least 1/, 'none');
    $p->passed($p->create($given, name => 'a'), 'group_default');
};

subtest 'domains' => sub {
    my $email = sub { $p->create($domain, name => 'a', email => $_[0]) };
    $p->passed($email->($_), $_) for qw(a@example.com A@EXAMPLE.COM
        b@team.example.org b@a.b.example.org);
    $p->refused($email->($_), 400, qr/the domain of \Q$_\E is not allowed/, $_)
        for qw(a@example.net a@xexample.com a@sub.example.com a@example.org
            a@xexample.org);

    my $member = sub { $p->create($domain, name => 'a',
        members => [{id => 'm1'}, {id => $_[0]}]) };
    $p->passed($member->($_), $_) for qw(u2 a@example.com);
    $p->refused($member->('a@other.org'), 400, qr/a\@other.org is not/,
        'an id that is an address');

    $p->refused($p->create($must, name => 'a', members => [{id => 'm1'}]), 400,
        qr/members\[1\] must have an e-mail address/, 'none, but required');
    $p->passed($p->create($must, name => 'a',
        members => [{id => 'a@example.com'}]), 'there is one');
};

subtest 'a patch' => sub {
    my $patch = sub {
        my ($path, $op, @ids) = @_;
        return $p->patch($path, {op => $op, path => 'members',
            @ids ? (value => [map { {value => $_} } @ids]) : ()});
    };

    $p->passed($patch->($scim, 'replace', qw(a b c)), 'a list that fits');
    $p->passed($patch->($scim, 'replace', qw(a b a b)), 'each one once');
    $p->refused($patch->($scim, 'replace', qw(a b c d)), 400,
        qr/members must be at most 3/, 'one that is too long');
    $p->refused($patch->($scim, 'remove'), 400,
        qr/members must be at least 1/, 'none is left');
    $p->refused($patch->($scim, 'add', 'a'), 403, undef,
        'one more, of nobody knows how many');
    $p->refused($p->patch($scim, {op => 'remove',
        path => 'members[value eq "a"]'}), 403, undef, 'one less');
    $p->passed($p->patch($scim, {op => 'replace', path => 'displayName',
        value => 'b'}), 'another field');

    $p->passed($patch->($loose, 'add', 'a'), 'unknown=pass: one more');
    $p->refused($patch->($loose, 'replace', qw(a b c d)), 400,
        qr/members must be at most 3/, 'but no list that is too long');
};

subtest 'one by one' => sub {
    $p->refused(membership($single, 'POST'), 403, undef, 'one more');
    $p->passed(membership($single, 'DELETE'), 'one less of at most so many');
    $p->passed(membership($least, 'POST'), 'one more of at least so many');
    $p->refused(membership($least, 'DELETE'), 403, undef, 'one less');
    $p->passed(membership($free, 'POST'), 'unknown=pass');
};

subtest 'parameters' => sub {
    $p->bad('', 'give at least one of min, max, domains and email');
    $p->bad('min=x', 'min must be a whole number');
    $p->bad('min=3 max=2', 'min is more than max');
    $p->bad('email=yes', 'email must be optional or required, not "yes"');
    $p->bad('max=1 unknown=maybe', 'unknown must be deny or pass');
    $p->bad('maximum=3', 'unknown parameter "maximum"');
};

$p->t->stop;
done_testing;
