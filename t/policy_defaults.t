#!/usr/bin/perl

# lua/policies/defaults.lua: fills fields by principal.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway::Policy;

my $p = Test::Gateway::Policy->new('defaults');

my $fill = 'email.one=one@example.com email.*=ops@example.com'
    . ' "description.*=by {principal}" members.one=m1,m2 members.*=m9'
    . ' "admins.*=a1, a2"';
my %at = (
    scim  => $p->at(['scim', 'vinyldns'], $fill, signed => 1),
    open  => $p->at(['scim', 'vinyldns'], $fill),
    vinyl => $p->at('vinyldns', $fill),
    both  => $p->at('vinyldns',
        'description.*=d operations=group.create,group.replace'),
    group => $p->at('vinyldns', 'description.*=hook',
        more => 'group_default description directive;'),
    flag  => $p->at(['portsip', 'signalwire'], 'sticky_sender.one=true'
        . ' sticky_sender.two=false', signed => 1),
    only  => $p->at(['scim', 'vinyldns'], 'email.one=one@example.com'
        . ' members.*=m admins.*=m', signed => 1),
);

$p->start;

sub create {
    my ($at, $who, %more) = @_;
    my $r = $p->create($at{$at}, name => 'a', %more,
        -with => $who ? {bearer => $who} : {});
    $p->passed($r, "$at: created");
    return $p->sent // {};
}

sub ids { return join ' ', map { $_->{id} } @{$_[0] // []} }


subtest 'by principal' => sub {
    my $sent = create('scim', 'one');
    is($sent->{email}, 'one@example.com', 'one\'s own');
    is(ids($sent->{members}), 'm1 m2', 'a list');
    is($sent->{description}, 'by one', 'with the principal in it');
    is(ids($sent->{admins}), 'a1 a2', 'the same for all');

    $sent = create('scim', 'two');
    is($sent->{email}, 'ops@example.com', 'of everybody else');
    is(ids($sent->{members}), 'm9', 'a list');
    is($sent->{description}, 'by two', 'principal');

    $sent = create('open');
    is($sent->{email}, 'ops@example.com', 'of who has not signed in');
    is($sent->{description}, 'by ', 'who is nobody');

    is(create('flag', 'one')->{sticky_sender}, JSON::PP::true(), 'true');
    is(create('flag', 'two')->{sticky_sender}, JSON::PP::false(), 'false');
    is(create('flag', 'three')->{sticky_sender}, undef, 'or not at all');

    $p->passed($p->create($at{only}, name => 'a',
        -with => {bearer => 'one'}), 'who has a value');
    $p->refused($p->create($at{only}, name => 'a',
        -with => {bearer => 'two'}), 400, qr/email/i, 'and who has none');
};

subtest 'what is there stays' => sub {
    my $sent = create('vinyl', undef, description => 'mine');
    is($sent->{description}, 'mine', 'a text');
    is($sent->{email}, 'a@example.com', 'another');
    is(ids($sent->{members}), 'm1', 'a list');
    is(create('vinyl', undef, description => '')->{description}, '',
        'an empty text');
    is(create('group', undef)->{description}, 'directive',
        'group_default comes first');
};

subtest 'operations' => sub {
    $p->passed($p->replace($at{vinyl}, name => 'b'), 'replace');
    is($p->sent->{description}, undef, 'is not filled');
    $p->passed($p->replace($at{both}, name => 'b'), 'replace');
    is($p->sent->{description}, 'd', 'unless it is told so');
    $p->passed($p->ask('GET', $at{vinyl}, '/groups'), 'list');
};

subtest 'parameters' => sub {
    $p->bad('', 'there is nothing to fill');
    $p->bad('email=a', 'unknown parameter "email", expected <field>.<who>');
    $p->bad('email.=a', 'unknown parameter "email\."');
    $p->bad('colour.*=red', '"colour" is no field that can be filled');
    $p->bad('id.*=1', '"id" is no field that can be filled');
    $p->bad('sticky_sender.*=yes', 'sticky_sender\.\* must be true or false');
    $p->bad('email.*=a operations=group.get', 'operations has the unknown');
    $p->t->config_ok("group_policy $p->{file} email.a.b\@c=d;",
        'a principal with dots');
};

$p->t->stop;
done_testing;
