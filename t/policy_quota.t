#!/usr/bin/perl

# lua/policies/quota.lua: groups and changes of a principal in a time.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway::Policy;

# counts are those of all workers
my $p = Test::Gateway::Policy->new('quota', workers => 2);

my %at = map { $_->[0] => $p->at('portsip', $_->[1], signed => !$_->[2]) } (
    [groups  => 'zone=quotas window=1h groups=2 name=groups'],
    [changes => 'zone=quotas changes=3 name=changes'],
    [both    => 'zone=quotas groups=1 changes=2 name=both'],
    [short   => 'zone=quotas window=1s changes=1 name=short'],
    [open    => 'zone=quotas changes=2 name=open', 'unsigned'],
    [none    => 'zone=missing groups=1'],
    [full    => 'zone=small changes=1'],
    [pass    => 'zone=small changes=1 full=pass'],
);

# fills a zone, in big pieces and in small ones
$p->t->write_file('fill.lua', <<'END');
return { request = function(ctx)
    local zone = ctx.shared.small
    for _, size in ipairs{4000, 2000, 1000, 500, 200, 100, 50, 1} do
        local i = 0
        while zone:set(size .. "-" .. i, ("x"):rep(size)) do i = i + 1 end
    end
    ctx:deny("conflict", "it is full")
end }
END

$at{dry} = $p->at('portsip', 'zone=quotas groups=2 changes=5 name=dry',
    signed => 1, explain => 1);
$at{wet} = $p->at('portsip', 'zone=quotas groups=2 changes=5 name=dry',
    signed => 1);

$p->start(http => <<'END', server => <<'END2');
group_shared_zone quotas 1m;
group_shared_zone small 32k;
END
location /fill/ {
    group_dialect portsip;
    group_base_path /fill;
    group_policy_timeout 10s;
    group_policy fill.lua;
    proxy_pass http://127.0.0.1:1;
}
END2

sub create {
    my ($path, $who) = @_;
    return $p->create($at{$path}, name => 'a', -with => $who
        ? {bearer => $who} : {});
}

sub limited {
    my ($r, $what, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $p->refused($r, 429, qr/at most $what/, $name);
}


subtest 'groups' => sub {
    $p->passed(create('groups', 'one'), "group $_") for 1 .. 2;
    limited(create('groups', 'one'), '2 groups in 1h', 'one more');
    limited(create('groups', 'one'), '2 groups in 1h', 'and again');
    $p->passed(create('groups', 'two'), 'somebody else');
    $p->passed($p->replace($at{groups}, name => 'b',
        -with => {bearer => 'one'}), 'other changes are not counted');
    $p->passed($p->ask('GET', $at{groups}, '/groups', undef,
        bearer => 'one'), 'nor is what reads');
};

subtest 'changes' => sub {
    $p->passed(create('changes', 'one'), 'create');
    $p->passed($p->replace($at{changes}, name => 'b',
        -with => {bearer => 'one'}), 'replace');
    $p->passed($p->remove($at{changes}, bearer => 'one'), 'delete');
    limited($p->remove($at{changes}, bearer => 'one'), '3 changes in 1h',
        'one more');
    limited(create('changes', 'one'), '3 changes', 'of any kind');
    $p->passed($p->ask('GET', $at{changes}, '/groups', undef,
        bearer => 'one'), 'reads go on');
};

subtest 'both' => sub {
    $p->passed(create('both', 'one'), 'a group');
    limited(create('both', 'one'), '1 groups', 'one more')
        for 1 .. 3;
    $p->passed($p->remove($at{both}, bearer => 'one'),
        'what was refused is no change');
    limited($p->remove($at{both}, bearer => 'one'), '2 changes', 'one more');
};

subtest 'a window' => sub {
    my $start = time;
    $p->passed(create('short', 'one'), 'the first one');
    my $second = create('short', 'one');
    is($second->status, 429, 'the second one') if time - $start < 1;
    sleep 0.05 while time - $start < 1.1;
    $p->passed(create('short', 'one'), 'the next window');
};

subtest 'who has not signed in' => sub {
    $p->passed(create('open'), "change $_") for 1 .. 2;
    limited(create('open'), '2 changes', 'all share one quota');
};

subtest 'a dry run' => sub {
    $p->passed(create('wet', 'one'), 'a group');
    is($p->verdict(create('dry', 'one')), 'passed', 'one more would be')
        for 1 .. 4;
    $p->passed(create('wet', 'one'), 'and is');
    is($p->verdict(create('dry', 'one')), 'denied', 'another would not be');
    limited(create('wet', 'one'), '2 groups', 'and is not');
    $p->passed($p->remove($at{wet}, bearer => 'one'), "change $_") for 3 .. 5;
    is($p->verdict($p->remove($at{dry}, bearer => 'one')), 'denied',
        'nor would another change');
};

subtest 'zones' => sub {
    $p->t->mark;
    $p->refused(create('none', 'one'), 500, undef, 'one that is not there');
    $p->t->like_log(qr/there is no group_shared_zone "missing"/, 'log');

    $p->t->mark;
    is($p->t->get('/fill/groups')->status, 409, 'one that is full');
    $p->refused(create('full', 'one'), 503, undef, 'refuses');
    $p->t->like_log(qr/quota cannot be counted: full/, 'log');
    $p->passed(create('pass', 'one'), 'full=pass');
};

subtest 'parameters' => sub {
    $p->bad('', 'zone is missing');
    $p->bad('zone=a', 'give at least one of groups and changes');
    $p->bad('zone=a groups=x', 'groups must be a whole number');
    $p->bad("zone=a groups=1 window=$_", 'window must be a time')
        for qw(0 x 1y 1.5h -1 366d), '1h30m';
    $p->bad('zone=a groups=1 full=ignore', 'full must be deny or pass');
    $p->bad('zone=a groups=1 who=ip', 'unknown parameter "who"');
    $p->t->config_ok("group_policy $p->{file} zone=a groups=1 window=$_;",
        "window=$_")
        for qw(1 30s 10m 24h 365d);
};

$p->t->stop;
done_testing;
