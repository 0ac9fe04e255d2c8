#!/usr/bin/perl

# group_loss: what becomes of a field that the upstream's API cannot carry.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;
use Test::Gateway::Locations;

my $t = Test::Gateway->new(variables => [qw(lost outcome error)]);

my $UUID = '7d7d0a5c-1f0b-4c0e-9f4a-0a5f3f1b2c3d';

my $u = $t->upstream(sub {
    my ($request) = @_;
    my $path = $request->{uri} =~ s/\?.*//r;

    return [200, [], {id => $UUID, name => 'a', sticky_sender => \0,
            phone_number_count => 0}]
        if $path =~ m{^/api/relay/rest/};
    return [200, [], {id => $UUID, name => 'a', email => 'a@test.com',
            created => '2023-01-15T10:30:00Z', status => 'Active',
            members => [], admins => []}]
        if $path eq '/groups';
    return [201, [], {id => 'NzAw'}] if $path eq '/api/groups';
    return [200, [], {key => 'k'}] if $path =~ m{^/tiny/};
    return [200, ['Content-Type' => 'application/xml'], <<"END"]
<response><message>Created</message><contact_group>
<contact_group_url>http://fax/ffws/v1/contact_groups/alice/4</contact_group_url>
<name>a</name></contact_group></response>
END
        if $path =~ m{^/ffws/};
    return [404, [], ''];
});

my $locations = Test::Gateway::Locations->new($u);
my $proxy = $locations->proxy;

# an API that has next to nothing, and not even all of what it has
$t->write_file('dialects/tiny.lua', <<'END');
return dialect "tiny" {
    media_type = "application/json",
    base_path = "/tiny",
    operations = {
        ["group.create"] = {
            "POST", "/things",
            request = {
                field "title" { from = "name" },
                field "callers" {
                    from = "outbound_caller_ids", type = "array",
                    items = { field "number" { from = "caller_id" } },
                },
            },
            response = { field "key" { from = "id", type = "id",
                                       required = true } },
        },
    },
    errors = { ["*"] = { body = { oops = "$detail" } } },
}
END

$t->write_file('add.lua', <<'END');
return {
    request = function(ctx)
        ctx.group.description = ctx.params.text
    end,
}
END

sub at { return $locations->at(@_) }

my %at = (
    default => at('portsip', 'signalwire'),
    report  => at('portsip', 'signalwire', 'group_loss report'),
    reject  => at('portsip', 'signalwire', 'group_loss reject'),
    ignore  => at('portsip', 'signalwire', 'group_loss ignore'),
    sticky  => at('signalwire', 'portsip'),
    sticky_reject => at('signalwire', 'portsip', 'group_loss reject'),
    fax     => at('vinyldns', 'faxfinder', 'group_default owner alice'),
    fax_reject => at('vinyldns', 'faxfinder', 'group_default owner alice',
        'group_loss reject'),
    same    => at('signalwire', 'signalwire'),
    same_hook => at('signalwire', 'signalwire',
        'group_policy add.lua text=new'),
    same_default => at('signalwire', 'signalwire',
        'group_default description new'),
    same_reject => at('signalwire', 'signalwire',
        'group_policy add.lua text=new', 'group_loss reject'),
    hook    => at('signalwire', 'vinyldns', 'group_policy add.lua text=new',
        'group_default email a@test.com', 'group_default members m',
        'group_default admins m'),
    hook_lost => at('signalwire', 'signalwire', 'group_loss ignore',
        'group_policy add.lua text=new'),
    tiny    => at('portsip', 'tiny'),
);

$locations->add(<<"END");
location /levels/ {
    group_dialect portsip;
    group_upstream_dialect signalwire;
    group_base_path /levels;
    group_loss reject;
    $proxy
    location /levels/in/ { group_base_path /levels/in; $proxy }
    location /levels/own/ {
        group_base_path /levels/own;
        group_loss ignore;
        $proxy
    }
}
END

$t->nginx(
    http   => "group_dialect_path dialects %%ROOT%%/lua/dialects;\n",
    server => $locations->text,
);

my %group = (name => 'a', description => 'd',
    outbound_caller_ids => [{provider_id => 'p', caller_id => '1'},
        {caller_id => '2', description => 'x'}]);

# the response, what was sent, and $group_lost
sub create {
    my ($path, $json) = @_;

    $u->clear;
    $t->mark;
    my $r = $t->post($path, json => $json);
    my $got = $u->last;

    return ($r, $got && $got->json, $t->last_access->{lost});
}


for my $at (qw(default report)) {
    subtest $at => sub {
        my ($r, $got, $lost) = create("$at{$at}/groups", \%group);
        is($r->status, 201, 'status') or diag($r->body);
        is_deeply($got, {name => 'a'}, 'what can be carried is');
        is($r->header('Group-Lost'), 'outbound_caller_ids, description',
            'Group-Lost');
        is($lost, 'outbound_caller_ids description', '$group_lost');
        $t->like_log(qr/"$_" cannot be carried upstream/, "log: $_")
            for qw(description outbound_caller_ids);
    };
}

subtest 'reject' => sub {
    my ($r, $got, $lost) = create("$at{reject}/groups", \%group);
    is($r->status, 400, 'status');
    is($got, undef, 'nothing is sent');

    my $error = $r->json->{errors}[0];
    is($error->{code}, 'VALIDATE_FAILED', 'as an invalid request is');
    is_deeply([map { $_->{field} } @{$error->{detail}}],
        [qw(outbound_caller_ids description)], 'every field is named');
    like($r->body, qr/cannot be carried upstream/, 'and why');
    is($lost, 'outbound_caller_ids description', '$group_lost');
    is($r->header('Group-Lost'), undef, 'nothing was lost');
    $t->like_log(qr/refused with 400: invalid.*"description" lost/, 'log');

    ($r, $got) = create("$at{reject}/groups", {name => 'a'});
    is($r->status, 201, 'what loses nothing passes');

    ($r, $got) = create("$at{sticky_reject}/number_groups",
        {name => 'a', sticky_sender => \1});
    is($r->status, 422, 'SignalWire');
    like($r->json->{errors}[0]{detail}, qr/sticky.sender/i, 'names it');

    ($r, $got) = create("$at{fax_reject}/groups", {name => 'a',
            email => 'a@test.com', members => [], admins => [{id => '1'}]});
    is($r->status, 400, 'VinylDNS');
    like($r->body, qr/$_/, "names $_") for qw(email admins);
    is($got, undef, 'nothing is sent');
};

subtest 'ignore' => sub {
    my ($r, $got, $lost) = create("$at{ignore}/groups", \%group);
    is($r->status, 201, 'status');
    is_deeply($got, {name => 'a'}, 'what can be carried is');
    is($r->header('Group-Lost'), undef, 'no Group-Lost');
    $t->unlike_log(qr/cannot be carried/, 'no log');
};

subtest 'what is not there is not lost' => sub {
    for (['absent', {name => 'a'}],
        ['null', {name => 'a', description => undef,
                outbound_caller_ids => undef}],
        ['empty', {name => 'a', description => '',
                outbound_caller_ids => []}])
    {
        my ($name, $json) = @$_;
        my ($r, $got, $lost) = create("$at{report}/groups", $json);
        is($r->status, 201, "$name: status");
        is($r->header('Group-Lost'), undef, 'no Group-Lost');
        is($lost, '', 'no $group_lost');

        ($r) = create("$at{reject}/groups", $json);
        is($r->status, 201, 'not refused');
    }
};

subtest 'other vendors' => sub {
    my ($r, $got) = create("$at{sticky}/number_groups",
        {name => 'a', sticky_sender => \1});
    is($r->header('Group-Lost'), 'sticky_sender', 'a boolean');
    is_deeply($got, {name => 'a'}, 'is not sent');
    is($r->json->{name}, 'a', 'the answer is the request\'s');

    ($r, $got) = create("$at{fax}/groups", {name => 'a',
            email => 'a@test.com', members => [{id => '1'}],
            admins => [{id => '1'}]});
    is($r->status, 200, 'VinylDNS in front of FaxFinder') or diag($r->body);
    is($r->header('Group-Lost'), 'email, admins', 'two of four');

    $u->clear;
    $r = $t->get("$at{sticky}/number_groups");
    is($r->header('Group-Lost'), undef, 'an operation without a body');
};

subtest 'a part of a field' => sub {
    my ($r, $got) = create("$at{tiny}/groups", \%group);
    is($r->status, 201, 'status') or diag($r->body);
    is_deeply($got, {title => 'a', callers => [{number => '1'},
                {number => '2'}]}, 'what can be carried is');

    my @lost = sort split /, /, $r->header('Group-Lost') // '';
    is_deeply(\@lost, [qw(description outbound_caller_ids.description
        outbound_caller_ids.provider_id)], 'without indices, each once');
};

subtest 'the same vendor' => sub {
    my ($r, $got, $lost) = create("$at{same}/number_groups",
        {name => 'a', sticky_sender => \1, unknown => 'u'});
    is_deeply($got, {name => 'a', sticky_sender => JSON::PP::true(),
            unknown => 'u'}, 'loses nothing');
    is($r->header('Group-Lost'), undef, 'no Group-Lost');
    is($lost, '', 'no $group_lost');
};

subtest 'what a hook or the configuration adds' => sub {
    my ($r, $got) = create("$at{hook}/number_groups", {name => 'a'});
    is($got->{description}, 'new', 'is carried');
    is($r->header('Group-Lost'), undef, 'where it can be');

    for my $at (qw(same_hook same_default)) {
        my $lost;
        ($r, $got, $lost) = create("$at{$at}/number_groups", {name => 'a'});
        is($r->status, 200, "$at: status") or diag($r->body);
        is_deeply($got, {name => 'a'}, 'what cannot');
        is($r->header('Group-Lost'), 'description', 'is told');
        is($lost, 'description', 'and logged');
    }

    ($r, $got) = create("$at{same_reject}/number_groups", {name => 'a'});
    is($r->status, 422, 'or refused');
    is($got, undef, 'nothing is sent');
};

subtest 'levels' => sub {
    my ($r) = create('/levels/groups', \%group);
    is($r->status, 400, 'outside');

    ($r) = create('/levels/in/groups', \%group);
    is($r->status, 400, 'inherited');

    ($r) = create('/levels/own/groups', \%group);
    is($r->status, 201, 'own');
};

subtest 'the directive' => sub {
    $t->config_ok({http => 'group_loss ignore;', server => "group_loss $_;"},
        $_) for qw(report reject ignore);
    $t->config_fails("group_loss $_;", qr/invalid value "$_"/, $_)
        for qw(off fail);
    $t->config_fails('group_loss report; group_loss report;',
        qr/"group_loss" directive is duplicate/, 'twice');
};

$t->stop;
done_testing;
