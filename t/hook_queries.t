#!/usr/bin/perl

# Filters and orders as hooks see and make them: what they leave in ctx.query
# is what the upstream is asked, in its own words.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $t = Test::Gateway->new;

my $u = $t->upstream(sub {
    my ($request) = @_;
    return [200, [], {count => 0, items => []}];
});

my $name = '{ op = "eq", field = "name", value = "a\'b" }';

# what a hook does with the query, and what is then asked; a number is the
# status of a refusal
my %hook = (
    filter => [qq{ctx.query.filter = $name},
        {filter => "name eq 'a''b'"}],
    'and' => [qq{ctx.query.filter = { op = "and", args = {
            ctx.query.filter,
            { op = "starts", field = "description", value = "x" } } }},
        {filter => "name eq 'sales' and startswith(description,'x')"}],
    'or' => [qq{ctx.query.filter = { op = "or", args = { $name,
            { op = "contains", field = "name", value = "c" } } }},
        {filter => "name eq 'a''b' or contains(name,'c')"}],
    # not in what PortSIP documents
    'not' => ["ctx.query.filter = { op = 'not', args = { $name } }", 400],
    none   => ['ctx.query.filter = nil', {}],
    order  => ['ctx.query.order = { { field = "name", descending = true },
            { field = "description" } }',
        {filter => "name eq 'sales'",
            orderby => 'name desc, description asc'}],
    untold => ['ctx.query.filter = { op = "eq", field = "email",
            value = "a" }', 400],
    no_op  => ['ctx.query.filter = { op = "like", field = "name",
            value = "a" }', 400],
    no_tree => ['ctx.query.filter = "name"', 400],
    order_untold => ['ctx.query.order = { { field = "email" } }', 400],
    order_text => ['ctx.query.order = "name"', 400],
    order_texts => ['ctx.query.order = { "name" }', 400],
    order_field => ['ctx.query.order = { { field = { "name" } } }', 400],
);

my $locations = '';

for my $hook (sort keys %hook) {
    my $file = $t->write_file("$hook.lua", <<"END");
return { request = function(ctx)
    assert(ctx.query.filter.op == "eq" and ctx.query.filter.field == "name")
    $hook{$hook}[0]
end }
END
    $locations .= "location /$hook/ { group_dialect portsip;
        group_base_path /$hook; group_upstream_base_path /;
        group_policy $file; proxy_pass http://@{[$u->address]}; }\n";
}

$t->nginx(server => $locations);

for my $hook (sort keys %hook) {
    my $expected = $hook{$hook}[1];

    $u->clear;
    my $r = $t->get("/$hook/groups?filter=name%20eq%20%27sales%27");

    if (!ref $expected) {
        is($r->status, $expected, "$hook: refused") or diag($r->body);
        is(scalar($u->requests), 0, "$hook: and nothing was asked");
        next;
    }

    is($r->status, 200, "$hook: answered") or diag($r->body);
    my ($got) = $u->requests(1);
    my %query = map { s/%([0-9A-F]{2})/chr hex $1/ger } map { tr/+/ /r }
        map { split /=/, $_, 2 } split /&/, $got->uri =~ s/^[^?]*\??//r;
    delete $query{top};
    is_deeply(\%query, $expected, "$hook: what is asked");
}

done_testing;
