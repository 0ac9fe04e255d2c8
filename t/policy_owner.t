#!/usr/bin/perl

# lua/policies/owner.lua: who may change what they did not create.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway::Policy;

my $p = Test::Gateway::Policy->new('owner');

# who tells whose groups these are: what is asked for, is answered
my $asked = $p->t->upstream(sub {
    my ($request) = @_;
    my ($status) = $request->{uri} =~ m{^/(\d+)};
    my ($name)   = $request->{uri} =~ m{/name/([\w-]+)};
    return [200, [], {name => $name, title => "two-$name"}]
        if defined $name;
    return {status => 200, delay => 1, body => '{}'}
        if $request->{uri} =~ /slow/;
    return [200, [], '[1]'] if $request->{uri} =~ /odd/;
    return [$status // 200, [], '{}'];
});

my @on = (signed => 1);
my %at = (
    plain  => $p->at('portsip', '"prefix={principal}-"', @on),
    pass   => $p->at('portsip', '"prefix={principal}-" unknown=pass', @on),
    fixed  => $p->at('portsip', 'prefix=voice- unknown=pass', @on),
    admin  => $p->at('portsip', '"prefix={principal}-" admins=two,three', @on),
    anyone => $p->at('portsip', '"prefix={principal}-"'),
    patch  => $p->at(['scim', 'vinyldns'], '"prefix={principal}-"'
        . ' lookup=/whose/name/one-x', @on, more => 'group_default email'
        . ' a@example.com; group_default members m; group_default admins m;'),
    own    => $p->at('portsip', '"prefix={principal}-"'
        . ' "lookup=/whose/name/one-x?id={id}"', @on),
    field  => $p->at('portsip', '"prefix={principal}-"'
        . ' lookup=/whose/name/one-x field=title', @on),
    gone   => $p->at('portsip', '"prefix={principal}-" lookup=/whose/404', @on),
    broken => $p->at('portsip', '"prefix={principal}-" lookup=/whose/500', @on),
    odd    => $p->at('portsip', '"prefix={principal}-" lookup=/whose/odd', @on),
    ask    => $p->at('portsip', '"ask=/whose/200?g={id}&who={principal}'
        . '&op={operation}"', @on),
    slow   => $p->at('portsip', 'ask=/whose/slow timeout=50', @on),
    loose  => $p->at('portsip', 'ask=/whose/500 unknown=pass', @on),
    map { ("ask$_" => $p->at('portsip', "ask=/whose/$_", @on)) }
        qw(204 301 401 403 404 410 500 503),
);

$p->start(server => <<"END");
location /whose/ {
    internal;
    group_dialect off;
    proxy_pass http://@{[$asked->address]}/;
}
END

sub create {
    my ($at, $name, $who) = @_;
    return $p->create($at{$at}, name => $name,
        -with => {bearer => $who // 'one'});
}
sub replace {
    my ($at, $name, $who) = @_;
    $asked->clear;
    return $p->replace($at{$at}, name => $name,
        -with => {bearer => $who // 'one'});
}
sub remove {
    my ($at, $who) = @_;
    $asked->clear;
    return $p->remove($at{$at}, bearer => $who // 'one');
}


subtest 'a prefix of new groups' => sub {
    $p->passed(create('plain', 'one-sales'), 'one\'s own');
    $p->refused(create('plain', $_), 403, undef, $_)
        for qw(two-sales sales one xone-);
    $p->passed(create('fixed', 'voice-a'), 'one for all');
    $p->refused(create('fixed', 'one-a'), 403, undef, 'another');
    $p->refused(create('anyone', 'one-a', ''), 403, undef,
        'who has not signed in owns nothing');
    $p->passed($p->ask('GET', $at{plain}, '/groups', undef, bearer => 'one'),
        'all may read');
};

subtest 'a prefix of groups that are there' => sub {
    $p->refused(remove('plain'), 503, qr/cannot be found out/,
        'nobody knows their names');
    $p->refused(replace('plain', 'one-b'), 503, undef, 'nor what was replaced');
    $p->passed(remove('pass'), 'unknown=pass');
    $p->refused(replace('pass', 'two-b'), 403, undef,
        'but nothing gets another\'s name');

    $p->passed(remove('own'), 'the name that is looked up is one\'s own');
    like($asked->last->{uri}, qr{^/name/one-x\?id=\w+%3D?|^/name/one-x\?id=\w+},
        'with the id');
    $p->passed(replace('own', 'one-c'), 'replace');
    $p->refused(replace('own', 'two-c'), 403, undef, 'to another\'s name');
    $p->refused(remove('own', 'two'), 403, undef, 'somebody else\'s');
    $p->refused(replace('own', 'two-c', 'two'), 403, undef,
        'replace somebody else\'s');

    $p->passed(remove('field', 'two'), 'by another field');
    $p->refused(remove('field', 'one'), 403, undef, 'not by "name"');
    $p->passed(remove('gone'), 'the upstream says that there is none');
    $p->refused(remove($_), 503, undef, "$_: there is no name")
        for qw(broken odd);
};

subtest 'a patch' => sub {
    my $patch = sub {
        my ($who, %operation) = @_;
        return $p->patch($at{patch}, [bearer => $who], {%operation});
    };
    my %name = (op => 'replace', path => 'displayName');
    my %member = (op => 'add', path => 'members', value => [{value => 'm2'}]);

    $p->passed($patch->('one', %name, value => 'one-y'), 'one\'s own');
    $p->refused($patch->('one', %name, value => 'two-y'), 403, undef,
        'to another\'s name');
    $p->refused($patch->('two', %name, value => 'two-y'), 403, undef,
        'somebody else\'s');
    $p->passed($patch->('one', %member), 'of members');
    $p->refused($patch->('two', %member), 403, undef, 'somebody else\'s');
};

subtest 'admins' => sub {
    $p->passed(create('admin', 'any', $_), "create: $_") for qw(two three);
    $p->passed(remove('admin', 'two'), 'delete');
    $p->refused(create('admin', 'any', 'one'), 403, undef, 'and nobody else');
};

subtest 'an answer that is fetched' => sub {
    $p->passed(remove('ask'), 'yes');
    like($asked->last->{uri}, qr/\?g=\w+[^&]*&who=one&op=group\.delete$/,
        'what is asked');
    is($asked->last->{header}{authorization}, undef, 'without the credential');
    $p->passed(remove('ask204'), 'yes, 204');
    $p->refused(remove("ask$_"), 403, undef, "no, $_") for qw(401 403 404 410);
    $p->refused(remove("ask$_"), 503, undef, "neither, $_")
        for qw(301 500 503);
    $p->refused(remove('slow'), 503, undef, 'too late');
    $p->passed(remove('loose'), 'unknown=pass');

    $asked->clear;
    $p->passed(create('ask403', 'any'), 'a new group');
    is(scalar($asked->requests), 0, 'is not asked about');
};

subtest 'parameters' => sub {
    $p->bad('', 'give either prefix or ask');
    $p->bad('prefix=a ask=/b', 'give either prefix or ask');
    $p->bad('prefix=', 'prefix is empty');
    $p->bad('ask=whose', 'ask must begin with "/"');
    $p->bad('"ask=/whose/{name}"', 'ask has the unknown "\{name\}"');
    $p->bad('ask=/a lookup=/b', 'lookup is for prefix');
    $p->bad('ask=/a timeout=0', 'timeout must be 1 to 60000 ms');
    $p->bad('ask=/a unknown=x', 'unknown must be deny or pass');
    $p->bad('ask=/a admin=x', 'unknown parameter "admin"');
};

$p->t->stop;
done_testing;
