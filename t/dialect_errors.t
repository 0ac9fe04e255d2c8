#!/usr/bin/perl

# Each kind of mistake in a dialect's file is told by nginx -t: in which file,
# on which line where that is known, at which key, and what was expected.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $t = Test::Gateway->new;

# A dialect that is right but for the parts that are given as Lua. The fields
# of the request begin on line 2, each on one of its own.
sub dialect {
    my (%part) = @_;

    my %op = (request => 'request',
        response => '{ field "id" { type = "id" } }', %{$part{op} // {}});
    my $op = join ', ', map { "$_ = $op{$_}" }
        grep { defined $op{$_} } sort keys %op;
    my $fields = $part{fields} // 'field "name" { required = true }';
    my $call = $part{call} // '"POST", "/groups"';

    my %top = (
        media_type => '"application/json"',
        operations => "{ [\"group.create\"] = { $call, $op }, }",
        errors => '{ ["*"] = { body = { e = "$detail" } } }',
        %{$part{top} // {}}
    );

    return "local request = {\n$fields,\n}\nreturn dialect \"bad\" {\n"
        . join('', map { "    $_ = $top{$_},\n" }
            grep { defined $top{$_} } sort keys %top)
        . "}\n";
}

# $at is what stands between the file and the message: ":line: key"
sub fails {
    my ($name, $lua, $at, $like) = @_;

    my $file = $t->write_file('bad.lua', $lua);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $t->config_fails({
        http   => 'group_dialect_path %%DIR%%;',
        server => 'group_dialect bad;',
    }, qr/\[emerg\][^\n]*dialect "bad": \Q$file\E\Q$at\E[^\n]*$like/, $name);
}

# the same for a part
sub top { return fails($_[0], dialect(top => {$_[1] => $_[2]}), @_[3, 4]) }
sub op  { return fails($_[0], dialect(op => {$_[1] => $_[2]}), @_[3, 4]) }

my $OP = ': operations["group.create"]';

# fields of a request; at is ":line", and the key below request
sub fields {
    my ($name, $fields, $line, $key, $like) = @_;
    return fails($name, dialect(fields => $fields), "$line$OP.request$key",
        $like);
}

sub errors { return top($_[0], errors => $_[1], ": errors$_[2]", $_[3]) }

my $STRING = 'is a number, expected a string';


$t->write_file('bad.lua', dialect());
$t->config_ok({
    http   => 'group_dialect_path %%DIR%%;',
    server => 'group_dialect bad;',
}, 'what all of this is made of is right') or BAIL_OUT('it is not');

subtest 'files that do not run' => sub {
    fails('a syntax error', "return dialect \"bad\" {\n    a = ,\n}\n", ':2',
        'unexpected symbol');
    fails('a brace is missing', "return dialect \"bad\" {\n", ':2',
        q(near '<eof>'));
    fails('no Lua', '{"name": "bad"}', ':1', 'unexpected symbol');
    fails('an error', "local x\nlocal y = x.z\n", ':2',
        q(attempt to index local 'x'));
    fails('a name that is none', "return dailect \"bad\" {}", ':1',
        q(attempt to call global 'dailect'));
    fails('its own error', "\nerror('not today')", ':2', 'not today');
    fails('a field without a name', "local a = field { type = \"id\" }", ':1',
        'string expected');
    fails('a field without a table', 'local a = field "a" "b"', ':1',
        'table expected');
    fails('a dialect without a name', "local d = dialect { }\nreturn d", ':1',
        'string expected');
    fails('the same, which Lua does not tell the line of',
        'return dialect { }', ': ', 'string expected');
    fails('each of nothing', 'local a = each()', ':1', 'value expected');

    for my $name (qw(io os require dofile loadstring debug package ffi jit
        setfenv pcall print coroutine))
    {
        fails("$name is not there", "$name.x = 1", ':1',
            "global '$name'");
    }
    fails('string.dump is not there', 'string.dump(error)', ':1',
        q(field 'dump'));
};

subtest 'a file with a long name' => sub {
    my $dir  = join '/', map { $_ x 60 } 'a' .. 'c';
    my $file = $t->write_file("$dir/bad.lua", "\n\nlocal x = y.z\n");

    $t->config_fails({
        http   => "group_dialect_path %%DIR%%/$dir;",
        server => 'group_dialect bad;',
    }, qr/dialect "bad": \Q$file\E:3: attempt to index global 'y'/,
        'is told whole');
};

subtest 'files that do not end' => sub {
    # a file is data, it is allowed a number of steps
    my $like = qr/dialect "bad": .*runs too long for a table of data/;
    my $ends = sub {
        my ($name, $lua) = @_;
        $t->write_file('bad.lua', $lua);
        $t->config_fails({
            http   => 'group_dialect_path %%DIR%%;',
            server => 'group_dialect bad;',
        }, $like, $name);
    };

    $ends->('a loop', 'while true do end');
    $ends->('a function', 'local function f() return f() end f()');
    $ends->('a repeat', 'local n = 0 repeat n = n + 1 until n < 0');
};

subtest 'files that are no source' => sub {
    for (["\eLJ\2\2\n\0\0\1\0\0\0\2K\0\1\0\0", 'bytecode'],
        ["\eLua\x51\0\1\4\4\4\x08\0", 'bytecode of another Lua'])
    {
        my ($bytes, $name) = @$_;
        my $file = $t->write_file('bad.lua', $bytes);
        $t->config_fails({
            http   => 'group_dialect_path %%DIR%%;',
            server => 'group_dialect bad;',
        }, qr/dialect "bad": \Q$file\E: is bytecode, expected Lua source/,
            $name);
    }
};

subtest 'what a file returns' => sub {
    my $like = 'the file must return dialect "';

    fails('nothing', '', ':', $like);
    fails('a number', 'return 1', ':', $like);
    fails('a table', 'return { media_type = "a/b" }', ':', $like);
    fails('a dialect that was not called', 'return dialect "bad"', ':', $like);
    fails('another name', dialect() =~ s/dialect "bad"/dialect "good"/r, ':',
        'the file must return dialect "bad"');
    fails('a field', 'return field "bad" {}', ':', $like);
};

subtest 'keys of the dialect' => sub {
    top('one that is misspelt', operatons => '{}', ': operatons: ',
        'is unknown, expected one of media_type, accept, .*operations');
    top('one of somebody else', name => '"bad"', ': name: ',
        'is unknown, expected one of ');
    fails('one that is no name', dialect() =~ s/media_type = /[1] = 1, $&/r,
        ': ', 'has a key that is no name');

    top('no media_type', media_type => undef, ': media_type: ',
        'is missing, expected a media type');
    top('media_type', media_type => 1, ': media_type: ', $STRING);
    top('media_type', media_type => '"\\255"', ': media_type: ',
        'expected text in UTF-8');
    top('documents', documents => '{ ["/x"] = { a = "b\\0" } }',
        ': documents["/x"].a: ', 'expected text in UTF-8');
    top('media_type', media_type => '{}', ': media_type: ',
        'is a table, expected a string');
    top('base_path', base_path => 1, ': base_path: ', $STRING);
    top("base_path: $_", base_path => $_, ': base_path: ',
        "is $_, expected \"\" or a path that begins with \"/\"")
        for '"api"', '"/api/"', '"/"';
    top('format', format => '"yaml"', ': format: ',
        'is "yaml", expected one of "json", "xml"');
    top('format', format => '"text"', ': format: ',
        'expected "json" or "xml"');
    top('format', format => 1, ': format: ', $STRING);
    top('auth', auth => '"digest"', ': auth: ',
        'is "digest", expected one of "none", "basic", "bearer", "sigv4"');
    top('auth', auth => 'true', ': auth: ',
        'is a boolean, expected a string');
    top($_, $_ => '"number"', ": $_: ",
        'is "number", expected one of "opaque", "uuid", "decimal", "base64"')
        for qw(id member_id);
    top('query_first', query_first => '"yes"', ': query_first: ',
        'is a string, expected true or false');

    for my $key (qw(scopes accept texts)) {
        top($key, $key => '"a"', ": $key: ",
            'is a string, expected a list of strings');
        top($key, $key => '{ "a", 1 }', ": ${key}[2]: ", $STRING);
        top($key, $key => '{ "a", { "b" } }', ": ${key}[2]: ",
            'is a table, expected a string');
    }
};

subtest 'operations' => sub {
    top('none', operations => undef, ': operations: ',
        'expected at least one operation');
    top('none', operations => '{}', ': operations: ',
        'expected at least one operation');
    top('a text', operations => '"a"', ': operations: ',
        'is a string, expected a table');
    top('an unknown one', operations => '{ ["group.destroy"] = {} }',
        ': operations["group.destroy"]: ',
        'is no operation, expected group\.create, list, get, replace, modify '
        . 'or delete, or member\.add, list, get or remove');
    top('a list', operations => '{ { "GET", "/groups" } }', ': operations: ',
        'has a key that is no name');
    top('no table', operations => '{ ["group.get"] = "GET /groups" }',
        ': operations["group.get"]: ', 'is a string, expected a table');

    fails($_->[0], dialect(call => $_->[1]), "$OP: ",
        'expected a method and a path first: \{ "POST", "/groups", ')
        for ['no path', '"POST"'], ['a path that is none', '"POST", 1'],
        ['a method that is none', '{}, "/groups"'];

    fails("a method: $_", dialect(call => "\"$_\", \"/groups\""), "$OP: ",
        "method \"$_\".*expected")
        for 'post', 'GET ', 'PO ST', '';

    fails("a path: $_->[0]", dialect(call => "\"POST\", \"$_->[0]\""),
        "$OP: ", "path \"\Q$_->[0]\E\"$_->[1]")
        for ['groups', ' does not begin with "/"'],
        ['', ' does not begin with "/"'],
        ['/', ' has an empty segment'],
        ['/groups/', ' has an empty segment'],
        ['//groups', ' has an empty segment'],
        ['/groups/{id', ': expected a parameter to be a whole segment'],
        ['/groups/{id}x', ': expected a parameter to be a whole segment'],
        ['/groups/{}', ': expected a parameter to be a whole segment'],
        ['/groups/{uid}', ': "uid" is no canonical field'],
        ['/groups/{member.id}', ': "member.id" is no canonical field'];

    op('a key that is misspelt', respones => '{}', "$OP.respones: ",
        'is unknown, expected one of query, request, response, status, ');
    op("status: $_", status => $_, "$OP.status: ",
        'expected a status from 200 to 299') for 404, 100, -1, 0;
    op('status', status => '200.5', "$OP.status: ", 'expected a whole number');
    op('status', status => '"200"', "$OP.status: ",
        'is a string, expected a number');
    op("accept: $_", accept => $_, "$OP.accept: ",
        'expected a list of statuses from 200 to 299')
        for '201', '{}', '{ 201, 404 }', '{ "created" }', '"201"';
    op('scopes', scopes => '"a"', "$OP.scopes: ",
        'is a string, expected a list of strings');

    op($_, $_ => '"name"', "$OP.$_: ", 'is a string, expected a table')
        for qw(query request response);
};

subtest 'two operations of one method and path' => sub {
    fails('of one pattern', dialect(top => {operations => '{'
            . ' ["group.create"] = { "POST", "/groups" },'
            . ' ["group.list"] = { "POST", "/groups" } }'}),
        ': operations["group.list"]: ',
        '"POST /groups" is that of "group\.create", too');
    fails('with other names of parameters', dialect(top => {operations => '{'
            . ' ["group.get"] = { "GET", "/groups/{id}" },'
            . ' ["member.list"] = { "GET", "/groups/{group_id}" } }'}),
        ': operations["member.list"]: ',
        '"GET /groups/\{group_id\}" is that of "group\.get", too');
};

subtest 'what stands for a field' => sub {
    my $like = 'expected field "name" \{ ... \}';

    fields('a text', '"name"', '', '[1]: ', "is a string, $like");
    fields('a table', '{ name = "name" }', '', '[1]: ', $like);
    fields('a field without its table', 'field "name"', '', '[1]: ',
        "is a function, $like");
    fields('the second one', 'field "name" {}, "b"', '', '[2]: ',
        "is a string, $like");
    fields('the same twice', 'field "name" {}, field "name" {}', ':2',
        '[2]: ', 'there is a field "name" already');
    op('in a query', query => '{ "a" }', "$OP.query[1]: ",
        "is a string, $like");
    op('in an answer', response => '{ "a" }', "$OP.response[1]: ",
        "is a string, $like");
};

# attribute => [a wrong value, what is said of it], ..
my @BOOLEAN = (['"yes"', 'is a string, expected true or false'],
    ['1', 'is a number, expected true or false']);
my @TEXT = (['1', $STRING], ['{}', 'is a table, expected a string']);
my %attribute = (
    type => [@TEXT, ['"text"', 'is "text", expected one of "string", "bool'],
        ['"Id"', 'is "Id", expected one of']],
    from       => [@TEXT],
    label      => [@TEXT],
    required   => [@BOOLEAN],
    read_only  => [@BOOLEAN],
    write_only => [@BOOLEAN],
    blank      => [@BOOLEAN],
    null       => [@BOOLEAN],
    min        => [['"1"', 'is a string, expected a number'],
        ['1.5', 'expected a whole number'],
        ['1/0', 'expected a whole number']],
    max        => [['"1"', 'is a string, expected a number'],
        ['true', 'is a boolean, expected a number']],
    values     => [['"a"', 'is a string, expected a table'],
        ['{ "a" }', 'expected names with strings as values'],
        ['{ a = 1 }', 'expected names with strings as values']],
    ref        => [@TEXT, ['"{id}"', 'is only for the types "id" and']],
    default    => [['function() end', 'is a function, expected a string, a']],
    const      => [['function() end', 'is a function, expected a string, a']],
    requird    => [['true', 'is unknown, expected one of from, type, label']],
    length     => [['5', 'is unknown, expected one of from, type, label']],
);

subtest 'attributes of a field' => sub {
    for my $key (sort keys %attribute) {
        for (@{$attribute{$key}}) {
            my ($value, $like) = @$_;
            fields("$key = $value", "field \"name\" { $key = $value }", ':2',
                "[1].$key: ", $like);
        }
    }

    fields('min over max', 'field "name" { min = 2, max = 1 }', ':2',
        '[1].min: ', 'is over "max"');
    fields('a key that is no name', 'field "name" { "required" }', ':2',
        '[1]: ', 'has a key that is no name');
    fields('a field of another line', "field \"name\" {},\n\n"
            . 'field "description" { max = "x" }', ':4', '[2].max: ',
        'is a string, expected a number');
};

subtest 'what a default is of' => sub {
    fields($_->[0], "field \"name\" { from = \"$_->[1]\", type = \"$_->[2]\","
            . " default = $_->[3] }", ':2', '[1].default: ', $_->[4])
        for ['a boolean', 'sticky_sender', 'boolean', '"yes"',
            "is not of the field's type, expected a boolean"],
        ['an integer', 'member_count', 'integer', '"1"',
            "is not of the field's type, expected a number"],
        ['a part of one', 'member_count', 'integer', '1.5',
            'expected a whole number'],
        ['a text', 'name', 'string', '5',
            "is not of the field's type, expected a string"],
        ['a time', 'created_at', 'timestamp', 'true',
            "is not of the field's type, expected a string"];
    fields('a list', 'field "members" { type = "array", default = "a",'
            . ' items = { field "id" {} } }', ':2', '[1].default: ',
        "is not of the field's type, expected a list");
};

subtest 'canonical fields' => sub {
    my $like = 'is no canonical field; a field of the vendor\'s own is '
        . '"ext\.bad\.title"';

    fields('the name of the field', 'field "title" {}', ':2', '[1].from: ',
        "\"title\" $like");
    fields('from', 'field "title" { from = "nmae" }', ':2', '[1].from: ',
        "\"nmae\" $like");
    fields('one below another', 'field "title" { from = "members.id.x" }',
        ':2', '[1].from: ', 'is no canonical field');
    fields('one of a list', 'field "a" { from = "a.b.c.d" }', ':2',
        '[1].from: ', 'is no canonical field|too long a path');
    fields('one of a member', 'field "members" { type = "array",'
            . ' items = { field "title" {} } }', ':2',
        '[1].items[1].from: ', "\"title\" $like");
    op('one of an answer', response => '{ field "total" {} }',
        ":7$OP.response[1].from: ", '"total" is no canonical field');
    op('one of a query', query => '{ field "top" {} }',
        ":7$OP.query[1].from: ", '"top" is no canonical field');

    fields('an array that is none', 'field "name" { type = "array",'
            . ' items = { } }', ':2', '[1].type: ',
        'the canonical field "name" is no array');
    fields('none that is an array', 'field "members" {}', ':2', '[1].type: ',
        'the canonical field "members" is an array');
};

subtest 'objects and arrays' => sub {
    fields('an object without fields',
        'field "group" { from = ".", type = "object" }', ':2', '[1].fields: ',
        'is missing, an object has fields');
    fields('fields that are none',
        'field "group" { from = ".", type = "object", fields = "a" }', ':2',
        '[1].fields: ', 'is a string, expected a table');
    fields('a field of an object', 'field "group" { from = ".",'
            . ' type = "object", fields = { field "name" { max = "x" } } }',
        ':2', '[1].fields[1].max: ', 'is a string, expected a number');
    fields('an array without items', 'field "members" { type = "array" }',
        ':2', '[1].items: ', 'is missing, expected a field, or a list of');
    fields('items that are none',
        'field "members" { type = "array", items = "id" }', ':2',
        '[1].items: ', 'expected a field, or a list of fields');
    fields('an item', 'field "members" { type = "array",'
            . ' items = field "" { from = "id", type = "x" } }', ':2',
        '[1].items.type: ', 'is "x", expected one of');
    fields('a list of items', 'field "members" { type = "array",'
            . ' items = { field "id" {}, 5 } }', ':2', '[1].items[2]: ',
        'is a number, expected field "name"');
};

subtest 'references' => sub {
    my $ref = sub {
        return fields($_[0], "field \"id\" { type = \"id\", ref = \"$_[0]\" }",
            ':2', '[1].ref: ', $_[1]);
    };

    $ref->('{origin}/x/{uid}', 'expected text with \{origin\}, \{base\}, ');
    $ref->('{origin}/x/{id', 'expected text with \{origin\}, \{base\}, ');
    $ref->('{origin}/x', 'expected \{id\} at its end');
    $ref->('{id}/x', 'expected \{id\} at its end');
    $ref->('{origin}id', 'expected \{id\} at its end');
    $ref->('', 'expected \{id\} at its end');
    $ref->('{id}/{id}', 'at its end and nowhere else');
};

subtest 'nesting' => sub {
    fails('fields', "local f = field \"name\" {}\nfor i = 1, 200 do"
            . ' f = field "a" { from = ".", type = "object", fields = { f } }'
            . " end\n" . dialect(fields => 'f'), ":2$OP.request[1].fields",
        'nested too deeply');

    for my $items ('{ f }', 'f') {
        fails("items that hold themselves: $items",
            'local f = field "a" { type = "array", from = "ext.x.a" } '
                . "f.items = $items\n" . dialect(fields => 'f'),
            ":1$OP.request[1].items", 'nested too deeply');
    }

    my $body = '"x"';
    $body = "{ a = $body }" for 1 .. 150;
    errors('a body', "{ [\"*\"] = { body = $body } }", '["*"].body',
        'nested too deeply');

    fails('a table in itself', "local a = {}\na.a = a\n"
            . dialect(top => {errors => '{ ["*"] = { body = a } }'}),
        ': errors["*"].body', 'nested too deeply');
};

subtest 'errors' => sub {
    top('a text', errors => '"x"', ': errors: ',
        'is a string, expected a table');
    errors('an unknown outcome', '{ teapot = {} }', '.teapot: ',
        'is no outcome');
    errors('no error', '{ done = {} }', '.done: ', 'is no outcome');
    errors('a list', '{ {} }', ': ', 'has a key that is no name');
    errors('no table', '{ invalid = "x" }', '.invalid: ',
        'is a string, expected a table');
    errors('one of several', '{ invalid = { {}, "x" } }', '.invalid[2]: ',
        'is a string, expected a table');
    errors('a key that is misspelt', '{ invalid = { bdy = {} } }',
        '.invalid.bdy: ', 'is unknown, expected one of when, status, format');
    errors('a key of one of several',
        '{ invalid = { { when = { "a" } }, { bdy = {} } } }',
        '.invalid[2].bdy: ', 'is unknown, expected one of when, status');

    errors("status: $_", "{ invalid = { status = $_ } }", '.invalid.status: ',
        'expected a status from 400 to 599') for 200, 399, 600, -1;
    errors('status', '{ invalid = { status = "400" } }', '.invalid.status: ',
        'is a string, expected a number');
    errors('when', '{ invalid = { when = "a" } }', '.invalid.when: ',
        'is a string, expected a list of strings');
    errors('when', '{ invalid = { when = { 1 } } }', '.invalid.when[1]: ',
        $STRING);
    errors($_, "{ invalid = { $_ = 1 } }", ".invalid.$_: ", $STRING)
        for qw(format media_type detail);
    errors('format', '{ invalid = { format = "html" } }', '.invalid.format: ',
        'is "html", expected one of "json", "xml", "text"');
    errors('headers', '{ invalid = { headers = "a" } }', '.invalid.headers: ',
        'is a string, expected a table');
    errors("headers: $_", "{ invalid = { headers = $_ } }",
        '.invalid.headers: ', 'expected names with strings as values')
        for '{ "Allow: GET" }', '{ Allow = 1 }', '{ Allow = { "GET" } }';

    errors('body', '{ invalid = { body = print or function() end } }',
        '.invalid.body: ', 'is a function, expected a string, a number, a');
    errors('a part of it', '{ invalid = { body = { a = { "b",'
            . ' function() end } } } }', '.invalid.body.a[2]: ',
        'is a function, expected');
    errors('names and indices', '{ invalid = { body = { a = { b = 1,'
            . ' [true] = 2 } } } }', '.invalid.body.a: ',
        'mixes names and indices');
    errors('text that is none', '{ invalid = { format = "text",'
            . ' body = { "a" } } }', '.invalid.body: ',
        'expected a string for plain text');
    errors("XML: $_", "{ invalid = { format = \"xml\", body = $_ } }",
        '.invalid.body: ', 'expected one root element')
        for '"a"', '{ a = 1, b = 2 }', '{ "a" }';
};

subtest 'problems and statuses' => sub {
    my $like = 'expected codes with tables: missing = \{ code = ';

    top('problems', problems => '"a"', ': problems: ',
        'is a string, expected a table');
    top('problems', problems => '{ "a" }', ': problems: ', $like);
    top('problems', problems => '{ missing = "a" }', ': problems: ', $like);
    top('a key', problems => '{ missing = { text = "a" } }',
        ': problems.missing.text: ', 'is unknown, expected one of code, det');
    top($_, problems => "{ missing = { $_ = 1 } }", ": problems.missing.$_: ",
        $STRING) for qw(code detail);

    $like = 'expected statuses with outcomes: \[400\] = "malformed"';
    top('statuses', statuses => '"a"', ': statuses: ',
        'is a string, expected a table');
    top('statuses', statuses => '{ malformed = 400 }', ': statuses: ', $like);
    top('statuses', statuses => '{ [400] = 1 }', ': statuses: ', $like);
    top('statuses', statuses => '{ [400] = true }', ': statuses: ', $like);
    top('an outcome', statuses => '{ [400] = "teapot" }', ': statuses',
        '"teapot" is no outcome');
    top("a status: $_", statuses => "{ [$_] = \"invalid\" }", ': statuses: ',
        'expected statuses from 400 to 599') for 200, 302, 600;
};

done_testing;
