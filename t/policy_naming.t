#!/usr/bin/perl

# lua/policies/naming.lua: what groups may be called.

use strict;
use warnings;
use utf8;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway::Policy;

my $p = Test::Gateway::Policy->new('naming');

my $pattern = $p->at('signalwire', '"pattern=^%l[%l%d-]*$"');
my $message = $p->at('signalwire', '"pattern=^%l+$" "message=small letters."');
my $length  = $p->at('signalwire', 'min=2 max=5');
my $words   = $p->at('signalwire', '"reserved=admin, Root,größe"');
my $all     = $p->at(['scim', 'vinyldns'], '"pattern=^%l" max=8 reserved=root',
    more => 'group_default email a@example.com; group_default members m;'
        . ' group_default admins m;');
my $members = $p->at('portsip', 'min=3');

$p->start;


subtest 'a pattern' => sub {
    $p->passed($p->create($pattern, name => $_), $_) for qw(a ab-1 team-2);
    $p->refused($p->create($pattern, name => $_), 422, qr/name must match \^/,
        $_) for 'Team', '1a', 'a b', 'a_b', "a\n";
    $p->refused($p->create($message, name => 'A'), 422, qr/small letters\./,
        'a sentence of one\'s own');
};

subtest 'a length' => sub {
    $p->passed($p->create($length, name => $_), $_)
        for qw(ab abcde äö äöüßé);
    $p->refused($p->create($length, name => $_), 422,
        qr/name is too short, at least 2 characters/, $_) for qw(a ä);
    $p->refused($p->create($length, name => $_), 422,
        qr/name is too long, at most 5 characters/, $_) for qw(abcdef äöüßéñ);
};

subtest 'reserved words' => sub {
    $p->passed($p->create($words, name => $_), $_)
        for qw(administrator rooted my-team uproot);
    $p->refused($p->create($words, name => $_), 422,
        qr/name has the reserved word/, $_)
        for 'admin', 'ADMIN', 'my-admin', 'root team', 'a.Root.b', 'größe';
};

subtest 'each way to name a group' => sub {
    $p->refused($p->create($all, name => 'Sales'), 400, qr/name must match/,
        'create');
    $p->refused($p->replace($all, name => 'Sales'), 400, qr/name must match/,
        'replace');
    $p->refused($p->patch($all, {op => 'replace', path => 'displayName',
        value => 'Sales'}), 400, qr/name must match/, 'patch');
    $p->refused($p->patch($all, {op => 'Replace',
        value => {displayName => 'the root'}}), 400, qr/reserved word/,
        'patch without a path');

    $p->passed($p->create($all, name => 'sales'), 'create');
    $p->passed($p->patch($all, {op => 'replace', path => 'displayName',
        value => 'sales'}), 'patch');
    $p->passed($p->patch($all, {op => 'add', path => 'members',
        value => [{value => 'm2'}]}), 'a patch of something else');
    $p->passed($p->remove($all), 'delete');
    $p->passed($p->ask('GET', $all, '/Groups'), 'list');

    $p->passed($p->ask('GET', $members, '/groups'), 'list of another dialect');
};

subtest 'parameters' => sub {
    $p->bad('', 'give at least one of');
    $p->bad('min=x', 'min must be a whole number, not "x"');
    $p->bad("max=$_", 'max must be a whole number') for qw(-1 1.5 inf nan);
    $p->bad('min=5 max=4', 'min is more than max');
    $p->bad('patern=a', 'unknown parameter "patern"');
    $p->bad("\"pattern=$_->[0]\"", $_->[1]) for ['a%', 'pattern ends with %'],
        ['^[a', 'pattern has a \[ without \]'], ['(a', 'pattern has \( and \)'],
        ['a)', 'pattern has \( and \)'], ['%2', '.*invalid capture index'];
    $p->t->config_ok("group_policy $p->{file} \"pattern=$_\";", $_)
        for '^[%w_.-]+$', '%b()', '[]]', '[^]]+', '(%a)%1', '%f[%w]x', '%[';
};

$p->t->stop;
done_testing;
