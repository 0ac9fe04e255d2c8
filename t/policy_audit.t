#!/usr/bin/perl

# lua/policies/audit.lua: one line of JSON for each change.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway::Message qw(json_decode);
use Test::Gateway::Policy;

my $p = Test::Gateway::Policy->new('audit');
my $t = $p->t;

my $was = $t->upstream(sub {
    my ($request) = @_;
    return [404, [], {}] if $request->{uri} =~ m{/none};
    return [200, [], {uri => $request->{uri}, name => 'was'}];
});

my %at = (
    plain  => $p->at('portsip', '', signed => 1),
    vinyl  => $p->at('vinyldns', ''),
    before => $p->at('vinyldns', '"before=/was/{id}"'),
    none   => $p->at('vinyldns', '"before=/was/none/{id}"'),
    tries  => $p->at('vinyldns', 'attempts=on level=warn'),
    late   => $p->at('vinyldns', '', more => 'group_policy add.lua;'),
    down   => $p->at('vinyldns', '',
        pass => '127.0.0.1:' . $t->refused_port),
);
$at{dry} = $p->at('vinyldns', 'attempts=on', explain => 1);
$t->write_file('add.lua', 'return { request = function(ctx)'
    . ' ctx.group.description = "added" end }');

$p->start(server => <<"END");
location /was/ {
    internal;
    group_dialect off;
    proxy_pass http://@{[$was->address]}/;
}
END

# the lines since the last mark(), as [level, JSON]
sub lines {
    my ($n) = @_;

    my $deadline = time + 3 * $t->patience;
    my @lines;
    while (1) {
        # as the file's header tells
        @lines = map { /\[(\w+)\].*audit\.lua":[ ]
                (\{.*\})(?:[ ]while[ ].*)?,[ ]client:[ ]/x
                ? [$1, $2] : () } split /\n/, $t->log;
        last if @lines >= $n || time > $deadline;
        sleep 0.02;
    }
    is(scalar(@lines), $n, 'lines');

    return map { [$_->[0], eval { json_decode($_->[1]) } // {why => $@}] }
        @lines;
}

sub line { return ((lines(1))[0] // [])->[1] // {} }


subtest 'a change' => sub {
    $t->mark;
    $p->passed($p->create($at{vinyl}, name => 'a'), 'create');
    my ($line) = lines(1);
    is($line->[0], 'notice', 'level');
    my %after = %{delete $line->[1]{after}};
    is_deeply($line->[1], {
        who => undef, addr => '127.0.0.1', operation => 'group.create',
        id => $Test::Gateway::Policy::UUID, before => undef,
        asked => {name => 'a', email => 'a@example.com',
            members => [{id => 'm1'}], admins => [{id => 'm1'}]},
        outcome => 'done',
    }, 'what it tells') or diag(explain($line->[1]));
    is_deeply([@after{qw(id name status members)}],
        [$Test::Gateway::Policy::UUID, 'a', 'active', [{id => 'm1'}]],
        'and what became of it');

    $t->mark;
    $p->passed($p->remove($at{plain}, bearer => 'one'), 'delete');
    my $told = line();
    is($told->{who}, 'one', 'who');
    is($told->{operation}, 'group.delete', 'what');
    ok(length $told->{id}, 'which');
    is($told->{outcome}, 'done', 'outcome');

    $t->mark;
    $p->passed($p->ask('POST', $at{plain},
        "/groups/$Test::Gateway::Policy::ID/members/5", undef,
        bearer => 'two'), 'a member');
    $told = line();
    is_deeply([@{$told}{qw(who operation)}, $told->{asked}{id}],
        ['two', 'member.add', '5'], 'line');

    $t->mark;
    $p->passed($p->ask('GET', $at{vinyl}, '/groups'), 'a list');
    $t->unlike_log(qr/audit\.lua"/, 'has no line');
};

subtest 'what does not happen' => sub {
    $t->mark;
    is($p->create($at{down}, name => 'a')->status, 502, 'an upstream is down');
    $t->unlike_log(qr/audit\.lua": \{/, 'is no change');

    $t->mark;
    is($p->verdict($p->create($at{dry}, name => 'a')), 'passed', 'a dry run');
    $t->unlike_log(qr/audit\.lua": \{/, 'has no line');

    $t->mark;
    $p->passed($p->create($at{tries}, name => 'a'), 'attempts=on');
    my @lines = lines(2);
    is_deeply([map { $_->[1]{outcome} } @lines], [qw(asked done)], 'two lines');
    is($lines[0][1]{after}, undef, 'the first one knows no answer');
    is($lines[0][0], 'warn', 'level=warn');
};

subtest 'before' => sub {
    $t->mark;
    $p->passed($p->replace($at{before}, name => 'b'), 'replace');
    my $told = line();
    is_deeply($told->{before}, {name => 'was',
        uri => "/$Test::Gateway::Policy::UUID"}, 'is read');

    $t->mark;
    $was->clear;
    $p->passed($p->create($at{before}, name => 'b'), 'create');
    is(line()->{before}, undef, 'there was nothing');
    is(scalar($was->requests), 0, 'and nobody is asked');

    $t->mark;
    $p->passed($p->remove($at{none}), 'a group that cannot be read');
    is(line()->{before}, undef, 'null');
};

subtest 'any text' => sub {
    my $name = "q\"\\/ \n\t\r\x{7f}\x{1} \x{e4}\x{20ac}\x{1f600} }, client: {";
    $t->mark;
    $p->passed($p->create($at{vinyl}, name => $name), 'create');
    my $told = line();
    is($told->{asked}{name}, $name, 'is JSON, in one line');
    is($told->{after}{name}, $name, 'twice');
};

subtest 'what is long' => sub {
    $t->mark;
    $p->passed($p->create($at{vinyl}, name => 'a',
        members => [map { {id => "member-$_"} } 1 .. 100]), 'members');
    my $told = line();
    is($told->{asked}{members}, 100, 'are counted');
    is($told->{asked}{name}, 'a', 'beside the rest');

    $t->mark;
    $p->passed($p->create($at{vinyl}, name => 'x' x 250,
        description => "\x{20ac}" x 900), 'texts');
    $told = line();
    is($told->{asked}, '...', 'are left out');
    is($told->{outcome}, 'done', 'and the line is whole');
    my ($text) = $t->log =~ /audit\.lua": (\{.*\})/;
    cmp_ok(length $text, '<=', 1024, 'in the length of a line');
};

subtest 'policies after it' => sub {
    $t->mark;
    $p->passed($p->create($at{late}, name => 'a'), 'create');
    is(line()->{asked}{description}, 'added', 'asked: what policies before it'
        . ' made of the request');
};

subtest 'parameters' => sub {
    $p->bad('level=crit', 'level cannot be "crit"');
    $p->bad('before=was', 'before must begin with "/"');
    $p->bad('timeout=x', 'timeout must be 1 to 60000 ms');
    $p->bad('attempts=yes', 'attempts must be on or off');
    $p->bad('file=x', 'unknown parameter "file"');
};

$t->stop;
done_testing;
