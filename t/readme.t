#!/usr/bin/perl

# What README says and a machine can look up: each directive, variable, code,
# sentence, limit and key is there and in the source, links lead somewhere, and
# what is shown of nginx.conf, dialects and policies is taken by nginx -t.

use strict;
use warnings;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Gateway;

my $t      = Test::Gateway->new;
my $ROOT   = $t->root;
my $readme = $t->read_file("$ROOT/README.md");

# without comments: "#" begins one in Lua's and Perl's, too
my %file = map { $_ => uncommented($t->read_file($_)) }
    glob "$ROOT/src/*.[ch] $ROOT/src/*/*.[ch]";
my $source = join "\n", map { $file{$_} } sort keys %file;

# texts that stand beside each other are one
my $STRING = qr/"(?:[^"\\]|\\.)*"/;
my $LETTER = qr/'(?:[^'\\]|\\.)+'/;
my @said   = map { unquoted($_) } grep { defined }
    $source =~ /$LETTER|($STRING(?:\s*$STRING)*)/g;
my %said   = map { $_ => 1 } @said;

my %define = $source =~ /^#define\s+(NGX_\w+)[ \t]+(.+)$/mg;

# README without what is in fences, and the fences: [language, heading, text]
my ($prose, @block) = ('');
{
    my ($heading, $open) = ('');
    for (split /\n/, $readme) {
        if ($open && $_ eq '```') { push @block, $open; undef $open }
        elsif ($open)             { $open->[2] .= "$_\n" }
        elsif (/^```(\w*)$/)      { $open = [$1, $heading, ''] }
        else { $heading = $1 if /^#+ (.*)/; $prose .= "$_\n" }
    }
    die "a fence that is not closed\n" if $open;
}

subtest 'directives' => sub {
    my %command = commands();
    my $table   = section('Directives', level => 2, own => 1);
    my $limits  = section('Directives that are limits');

    my %default;
    for my $row (rows($table)) {
        while (my ($name, $text) = splice @$row, 0, 2) {
            my ($directive) = $name =~ /^\[(\w+)\]/ or next;
            fail("$directive is in the table once")
                if exists $default{$directive};
            $default{$directive} = $text;
        }
    }

    is_set([keys %default], [keys %command], 'the table has all of them');

    my %here = map { $_ => 1 } $prose =~ /^### (group_\w+)$/mg;

    for my $name (sort keys %command) {
        my $command = $command{$name};
        my ($syntax, $text, $context);

        if ($here{$name}) {
            my ($block) = grep { $_->[1] eq $name } @block;
            ($text, $context) = $block->[2]
                =~ /^Default: (.*?);? Context: (.*?); Phase: \S/m;
            my ($all) = $block->[2] =~ /^Syntax:  (.*?)^Default:/ms;
            $syntax = $all;

        } else {
            my ($row) = grep { $_->[0] =~ /^`$name\b/ } rows($limits);
            ($syntax, $text) = @{$row || []};
            $syntax = ($syntax // '') =~ s/`//gr;
            ($context) = $limits =~ /^All of context (.*?)\./m;
        }

        ok($syntax, "$name is described") or next;

        is($context, $command->{context}, "$name: context");
        is_deeply(arguments($name, $syntax), $command->{arguments},
            "$name: syntax");

        my $value = default_of($command, $name);
        is($text, $value, "$name: default") if defined $value;
        like($default{$name} || $text, qr/^\Q$text\E$|^the \S+$|^-$/,
            "$name: the same default in the table");
    }
};

subtest 'variables' => sub {
    my %known = map { $_ => 1 } array('ngx_http_group_variables');

    is_set([map { $_->[0] =~ /\$(\w+)/g } rows(section('Variables'))],
        [keys %known], 'the table has all of them');

    my @other = grep { !$known{$_} } $readme =~ /\$(group_\w+)/g;
    is_deeply(\@other, [], 'nowhere is there another one');
};

subtest 'outcomes and their codes' => sub {
    my @outcomes = grep { $_ ne 'done' } array('ngx_group_outcome_names');

    my $section = section('Outcomes', level => 2, own => 1);
    my @rows    = rows($section);
    is_set([map { $_->[0] =~ /^`(\w+)`$/ } @rows], \@outcomes,
        'the table has all of them');

    # the status of each in each dialect is that of its file
    my ($plain) = $source =~ /ngx_group_outcome_statuses\[\] = \{(.*?)\};/s;
    my @status  = $plain =~ /(\d+)/g;
    my %status;
    @status{'done', @outcomes} = @status;

    my ($head) = $section =~ /^(\| outcome .*)$/m;
    my @dialects = (cells($head))[2 .. 6];

    for my $i (0 .. $#dialects) {
        my $file = $t->read_file("$ROOT/lua/dialects/$dialects[$i].lua");
        my ($errors) = $file =~ /^    errors = \{\n(.*?)^    \},?\n/ms;
        ok($errors, "$dialects[$i] has errors") or next;

        for my $row (@rows) {
            my ($outcome) = $row->[0] =~ /(\w+)/;
            my ($own) = $errors
                =~ /^        $outcome +=\s*\{(.*?)(?=^        \S|\z)/ms;
            my @own = map { /\d/ ? $_
                    : $file =~ /^local $_ = \{\s*status = (\d+)/m }
                ($own // '') =~ /\bstatus\s*=\s*(\d+|\w+(?=\.status))/g;
            @own = ($status{$outcome}) if !@own;

            my %want = map { $_ => 1 } @own;
            my %have = map { $_ => 1 } $row->[2 + $i] =~ /(\d+)/g;
            is_set([keys %have], [keys %want], "$dialects[$i], $outcome");
        }
    }

    # an error's code is the third argument
    my %code = map { $_ => 1 } grep { /^\w+$/ } map { (texts($_))[0] }
        calls('ngx_group_error_set', 'ngx_http_group_bad_gateway');
    $code{$1} = 1 while $source =~ /error\.code, "(\w+)"/g;

    my $told = join ' ', section('Outcomes', level => 2),
        section('Authentication', level => 2, own => 1);

    ok($told =~ /`$_`/, "the code $_ is told of") for sort keys %code;

    for (map { $_->[1] =~ /(?:\(|^|: |, )`(\w+)`(?=[),;:]|\z)/g } @rows) {
        ok($said{$_}, "there is a code $_");
    }
};

subtest 'problems' => sub {
    my ($list) = $source =~ /ngx_group_error_sentences\[\] = \{(.*?)\};/s;
    my %sentence = map { unquoted($_) } $list
        =~ /ngx_string\(("\w+")\),\s*ngx_string\(("[^"]+")\)/g;
    my @rows = rows(section('Problems'));

    my %row;
    for my $row (@rows) {
        push @{$row{$_}}, $row for $row->[0] =~ /`(\w+)`/g;
    }
    delete @row{qw(policy filter)};

    is_set([keys %row], [keys %sentence], 'the table has all of them');

    for my $code (sort keys %row) {
        next if ($row{$code}[0][0] =~ tr/`//) > 2;
        my $want = $sentence{$code} =~ s/\$(\w+)/*$1*/gr;
        like($row{$code}[0][1], qr/^\Q$want\E(?: \(.*\))?$/, "\"$code\"");
    }
};

subtest 'error texts' => sub {
    my ($own, $lines) = map { s/`//gr }
        split /^Other lines in the error log:$/m, section('Error texts');

    for my $text (map { split /; / } map { $_->[0] } rows("$own\n$lines")) {
        ok(is_said($text), "in the source: $text")
            if $text =~ /[a-z]/ && $text !~ /^policy "file": text$|^member "x"/;
    }

    my $told = sub {
        my ($in, $text) = @_;
        # what is the same in several stands once
        $text =~ s/^the upstream's answer (?=lacks)//;
        $text =~ s/\s*"?%(?:\*s|\w+).*//s;
        ok(index($in, $text) >= 0, "in README: $text");
    };

    for my $call (calls('ngx_group_error_set', 'ngx_http_group_bad_gateway',
        'ngx_group_plan_refuse', 'ngx_group_json_stop', 'ngx_group_xml_stop'))
    {
        my $text = (grep { / / } texts($call))[-1] // next;
        $told->($own, $text) if $text !~ /^\{/;
    }

    $told->($own, unquoted($_)) for grep { $_ ne '"unknown error"' }
        $source =~ /\bctx(?:->|\.)reason = ($STRING);/g;

    for my $call (grep { !/NGX_LOG_ALERT/ } calls('ngx_log_error')) {
        my ($text) = texts($call) or next;
        $told->($lines, $text);
    }
};

# Limits that are fixed, by what says so in the source.
subtest 'limits' => sub {
    my @limits = rows(section('Limits', level => 2));
    my $told = sub {
        my ($what, $value, @names) = @_;
        my ($row) = grep { $_->[0] =~ /^\Q$what\E/ } @limits;
        ok($row, "there is: $what") or return;
        for my $name (@names) {
            my $number = number($name);
            ok(defined $number, "$name is defined") or next;
            ok(scalar(grep { $_ == $number } amounts("$row->[1]")),
                "$what: $name is $number") or diag($row->[1]);
        }
    };

    $told->('nesting of a body', 1, 'NGX_HTTP_GROUP_MAX_DEPTH',
        'NGX_HTTP_GROUP_MAX_MEMBERS', 'NGX_GROUP_MAX_KEYS');
    $told->('digits of an integer', 1, 'NGX_GROUP_INTEGER_DIGITS');
    $told->('segments of a path', 1, 'NGX_GROUP_MATCH_SEGMENTS');
    $told->('an id that is looked into', 1, 'NGX_GROUP_ID_MAX');
    $told->('an upstream\'s answer', 1, 'NGX_HTTP_GROUP_RESPONSE_BUFFER');
    $told->('upstream calls at a time', 1, 'NGX_HTTP_GROUP_CONCURRENCY',
        'NGX_HTTP_GROUP_MAX_CALLS');
    $told->('memberships that a plan reads', 1, 'NGX_GROUP_PLAN_PAGE');
    $told->('writes of a group that somebody', 1, 'NGX_GROUP_PLAN_TRIES');
    $told->('problems in one answer', 1, 'NGX_GROUP_MAX_PROBLEMS',
        'NGX_GROUP_ERROR_TEXT', 'NGX_HTTP_GROUP_LOG_TEXT');
    $told->('signed headers', 1, 'NGX_GROUP_SIGV4_MAX_NAMES');
    $told->('a JWT; nesting', 1, map { "NGX_GROUP_JWT_MAX_$_" }
        qw(LEN DEPTH ITEMS SUBJECT DIGITS));
    $told->('a credentials file', 1, map { "NGX_GROUP_AUTH_FILE_$_" }
        qw(SIZE ITEMS DEPTH));
    $told->('a JWK Set', 1, 'NGX_GROUP_AUTH_FILE_SIZE',
        map { "NGX_GROUP_JWKS_$_" } qw(MAX_KEYS RSA_MIN RSA_MAX OCT_MIN));
    $told->('one run of a hook', 1, 'NGX_HTTP_GROUP_POLICY_TIMEOUT',
        'NGX_HTTP_GROUP_POLICY_MEMORY');
    $told->('a policy file', 1, map { "NGX_GROUP_POLICY_$_" }
        qw(SOURCE TIMEOUT MEMORY));
    $told->('lines that one hook logs', 1, map { "NGX_GROUP_CONTEXT_$_" }
        qw(LINES LINE));
    $told->('sentence and field', 1, map { "NGX_GROUP_CONTEXT_$_" }
        qw(DETAIL NAME));
    $told->('questions of a hook', 1, map { "NGX_GROUP_FETCH_$_" }
        qw(MAX HEADERS TEXT));
    $told->('a shared key', 1, map { "NGX_GROUP_SHARED_$_" }
        qw(KEY VALUE TTL));
    $told->('what a hook leaves', 1, 'NGX_GROUP_TREE_DEPTH',
        'NGX_GROUP_TREE_PATH', 'NGX_GROUP_PATTERN_CAPTURES',
        'NGX_GROUP_PATTERN_DEPTH');
    $told->('a filter; an order', 1, 'NGX_GROUP_FILTER_MAX_LEN',
        'NGX_GROUP_FILTER_MAX_DEPTH', 'NGX_GROUP_FILTER_MAX_NODES',
        'NGX_GROUP_ORDER_MAX', 'NGX_GROUP_PATCH_OPERATIONS');
    $told->('a Lua VM', 1, 'NGX_GROUP_LUA_LIVE');
    $told->('a dialect file', 1, 'NGX_GROUP_LOAD_STEPS',
        'NGX_GROUP_COMPILE_DEPTH');
};

subtest 'the canonical model' => sub {
    my %model;
    while ($source
        =~ /ngx_group_of_(\w+)\[\] = \{(.*?)ngx_group_canonical_end/gs)
    {
        my ($name, $list) = ($1, $2);
        $model{$name} = [$list =~ /"(\w+)"/g];
    }

    my $fields = section('Fields');
    is_set([map { $_->[0] =~ /`(\w+)`/g } rows($fields)], $model{group},
        'a group');
    is_set([$fields =~ /^\| `members`.*?\{(.*?)\}/m ? split(/, /, $1) : ()],
        $model{member}, 'a member');
    is_set([$fields =~ /^\| `outbound.*?\{(.*?)\}/m ? split(/, /, $1) : ()],
        $model{caller_id}, 'a caller id');
    is_set([$fields =~ /^A membership is `\{(.*?)\}`/m ? split(/, /, $1) : ()],
        $model{membership}, 'a membership');

    my ($default) = section('group_default')
        =~ /Fields: (.*?)\(`true`/s;
    is_set([$default =~ /`(\w+)`/g],
        [grep { !/^(?:id|outbound_caller_ids)$/ } @{$model{group}}],
        'what may have a default');

    my @may = rows(section('Operations'));
    my $of = sub {
        my ($what) = @_;
        my ($row) = reverse grep { @$_ == 2 && $_->[0] eq $what } @may;
        return [map { s/ \(.*?\)//gr } map { split ' ' }
            ($row ? $row->[1] : '') =~ /`([\w ]+)`/g];
    };
    is_set($of->('`query`'), $model{query}, 'of a query');
    is_set($of->('`response` of `group.list`'), $model{group_list},
        'of a list of groups');
    is_set($of->('`response` of `member.list`'), $model{membership_list},
        'of a list of memberships');

    my @lists = map { $_->[0] =~ /`(\w+)`/g } rows(section('Lists'));
    is_set(\@lists, $model{query}, 'of lists');

    my ($told) = section('group_scope') =~ /The operations: (.*?)\. /s;
    is_set([$told =~ /`([a-z.]+)`/g],
        [grep { $_ ne 'vendor.read' } array('ngx_group_operation_names')],
        'operations');
};

subtest 'dialect files' => sub {
    my $keys = sub {
        my ($name) = @_;
        return [grep { !/^(?:dialect|field|line)$/ } array($name)];
    };
    my $told = sub { return [map { $_->[0] =~ /`(\w+)`/g } rows($_[0])] };
    my $table = sub {
        my ($title, $head) = @_;
        my ($rest) = section($title) =~ /^(\| \Q$head\E \|.*)/ms
            or die "$title has no table of $head\n";
        return $rest =~ s/\n\n.*//sr;
    };

    is_set($told->($table->('The file', 'key of the dialect')),
        $keys->('ngx_group_compile_dialect_keys'), 'of the dialect');
    is_set($told->($table->('Operations', 'key')),
        $keys->('ngx_group_compile_op_keys'), 'of an operation');
    is_set($told->($table->('Field attributes', 'attribute')),
        $keys->('ngx_group_compile_field_keys'), 'of a field');
    is_set($told->($table->('Errors', 'key of a variant')),
        $keys->('ngx_group_compile_variant_keys'), 'of an error');

    is_set($told->($table->('Field attributes', 'type')),
        [array('ngx_group_compile_types')], 'types of fields');

    my @template = map { $_->[0] =~ /`\$(\w+)`/g }
        rows($table->('Errors', 'variable'));
    my ($names) = $source =~ /^ngx_group_error_var\(.*?^\{(.*?)^\}/ms;
    is_set(\@template, [$names =~ /is\(name, "(\w+)"\)/g],
        'variables of templates');

    my ($lua) = section('The file') =~ /and of Lua `(.*?)`/s;
    is_set([split ' ', $lua], [array('ngx_group_load_globals')],
        'what is left of Lua');
};

subtest 'policies' => sub {
    my %row = map { $_->[0] =~ /^\[(\S+)\]/ ? ($1 => $_) : () }
        rows(section('Ready-made policies'));

    is_set([keys %row],
        [map { s{.*/}{}r } glob "$ROOT/lua/policies/*.lua"], 'files');

    for my $name (sort keys %row) {
        my ($table) = $t->read_file("$ROOT/lua/policies/$name")
            =~ /^-- parameter +default\n(.*?)^--$/ms;
        is_set([$row{$name}[2] =~ /`([\w.<>]+)`/g], [map { split /, / }
            $table =~ /^-- ([\w.<>]+(?:, \w+)*) {2,}\S/mg],
            "$name: parameters are those that the file tells of");
    }
};

subtest 'hooks' => sub {
    my $first = sub {
        return [map { $_->[0] =~ /`[:.]?(\w+)/g } rows($_[0])];
    };

    my $ctx = join ' ', map { $_->[0] =~ s/ctx:|<\w+>//gr }
        rows(section('What ctx holds'));
    is_set([$ctx =~ /`(\w+)/g], [map { array("ngx_group_context_$_") }
        qw(names methods)], 'ctx');

    my ($keys, $values) = map { section($_) } 'Asking other locations',
        'Shared values';
    is_set($first->($keys), [array('ngx_group_fetch_names')], 'fetch');
    is_set([map { $_->[0] =~ /^`:(\w+)\(/ } rows($values)],
        [array('ngx_group_shared_methods')], 'shared values');

    my $sandbox = section('What is refused, and why');
    my ($globals) = $sandbox =~ /^Globals are (.*?), and$/ms;
    is_set([$globals =~ /`(\w+)`/g], ['null', 'type',
        array('ngx_group_sandbox_base')], 'globals');

    my %own = (string => ['ngx_group_pattern_functions'],
        table => ['ngx_group_sandbox_own_table'], os => []);
    for my $name (sort keys %own) {
        my ($told) = $sandbox =~ /^\* `$name`: `(.*?)`/m;
        is_set([split ' ', $told], [map { array($_) }
            "ngx_group_sandbox_$name", @{$own{$name}}], $name);
    }
};

subtest 'what reaches the upstream' => sub {
    my $section = section('What reaches the upstream');
    my ($list)  = $section =~ /, except\n(.*?)\n\n[^*]/s;

    is_set([map { lc s/\*//r } $list =~ /`([\w*-]+)`/g],
        [map { array("ngx_http_group_$_") } qw(dropped dropped_prefixes)],
        'what does not');
};

subtest 'metrics' => sub {
    my @names = map { "nginx_group_$_" } $source
        =~ /\{ "(\w+_(?:total|seconds|bytes))"/g;
    my @told = rows(section('group_metrics'));
    is_set([map { $_->[0] =~ /^`(nginx_\w+)`$/ } @told], \@names,
        'the table has all of them');
};

subtest 'what make and the tests are told' => sub {
    my $make = $t->read_file("$ROOT/Makefile");
    my %target = map { $_ => 1 } map { split ' ' }
        $make =~ /^((?:[a-z][a-z0-9-]*[ ]?)+):(?!=)/mg;

    my @named = $prose =~ /`make ([a-z][a-z0-9-]*)/g;
    push @named, map { $_->[2] =~ /^make ([a-z][a-z0-9-]*)/mg } @block;
    ok($target{$_}, "make $_") for sort keys %{{map { $_ => 1 } @named}};

    my ($packages) = $make =~ /^PACKAGES +:= (.*?)\n\n/ms;
    my ($told) = $prose =~ /^Packages that are installed .*?: (.*?)\. `DEPS/ms;
    is_set([split /,\s+/, $told],
        [map { s/\|.*//r } grep { /\w/ } split /[\s\\]+/, $packages],
        'packages');

    my $code = join "\n", $make, map { $t->read_file($_) }
        glob "$ROOT/t/lib/Test/*.pm $ROOT/t/lib/Test/Gateway/*.pm $ROOT/t/*.t "
            . "$ROOT/t/*/*.mk $ROOT/t/*/*.sh $ROOT/t/*/*.pl $ROOT/debian/* "
            . "$ROOT/examples/quickstart/*.pl";

    my %variable = map { $_ => 1 } grep { !/^(?:YAJL|EXPAT|LIBCRYPTO)$/ }
        $prose =~ /`([A-Z][A-Z_]*[A-Z])(?:=[^`]*)?`/g,
        $prose =~ /`make [^`]*?\b([A-Z][A-Z_]+)=/g;
    delete @variable{qw(GET POST PUT PATCH DELETE HEAD OPTIONS DOCTYPE ASSUMED
        SSI EMERG RSA EC OKP)};
    ok($code =~ /\b$_\b/, "$_ is asked for") for sort keys %variable;

    my %asked = map { $_ => 1 } map { /\b(TEST_GROUP_[A-Z0-9]+)\b/g }
        $t->read_file("$ROOT/t/lib/Test/Gateway.pm");
    ok($prose =~ /\b$_\b/, "$_ is told of") for sort keys %asked;
};

subtest 'what is supported' => sub {
    my ($cells) = $t->read_file("$ROOT/t/matrix.t")
        =~ /<<'END';\n(\w+ \w+ +[-0-9].*?)^END$/ms;
    my %row = map { ("$_->[0] $_->[1]" => $_) }
        grep { @$_ == 12 } rows(section('What is supported'));

    for my $line (split /\n/, $cells) {
        my ($client, $upstream, @want) = split ' ', $line;
        my $name = $client eq 'bare' ? '`vinyldns`, no `group_default`'
            : "`$client`";
        my $row = delete $row{"$name `$upstream`"};
        ok($row, "$client to $upstream") or next;
        my @have = map { /(\d+) call/ ? $1 : /tell "(\w+)"/ ? "-$1" : '.' }
            @{$row}[2 .. $#$row];
        is("@have", "@want", "$client to $upstream: what t/matrix.t runs");
    }

    delete $row{'client upstream'};
    is_set([keys %row], [], 'and no other');
};

subtest 'links' => sub {
    my %anchor = map { anchor($_) => 1 } $prose =~ /^#+ (.*)$/mg;
    my %seen;

    while ($prose =~ /\]\(([^()\s]+)\)/g) {
        my $to = $1;
        next if $seen{$to}++ || $to =~ /^https?:/;
        my ($path, $part) = $to =~ /^([^#]*)(?:#(.*))?$/;
        ok(-e "$ROOT/$path", "$to is there") if length $path;
        ok($anchor{$part}, "#$part is there")
            if defined $part && !length $path;
    }

    ok(!/\[[^\]]*\]\[/, 'links are written in place') for $prose;

    # names of files in backquotes
    for my $path ($prose =~ m{`((?:t|src|lua|examples|debian|man)/[\w./*-]+)`}g)
    {
        next if $seen{$path}++ || $path eq 't/x.t';
        my @there = glob "$ROOT/$path";
        ok(@there && -e $there[0], "$path is there");
    }
};

subtest 'how it is written' => sub {
    my @long = grep { length > 120 && !/^\||^!?\[|^\d\d\d / }
        split /\n/, $prose;
    is_deeply(\@long, [], 'paragraphs are at most 120 columns wide');
    is_deeply([grep { /\s\z/ } split /\n/, $readme], [],
        'no space at the end of a line');
};

# What is shown of a configuration, put where it belongs. First configuration
# and what follows from it are t/newcomer.t's.
subtest 'configurations' => sub {
    my %walked = map { $_ => 1 } 'First configuration', 'Trying translations',
        'A first rule';

    $t->write_file($_->[0], $_->[1]) for
        map { [s{.*/lua/}{}r, $t->read_file($_)] } glob "$ROOT/lua/*/*.lua";
    $t->write_file(s{.*/}{}r, $t->read_file($_))
        for glob "$ROOT/lua/policies/*.lua";

    my @all = qw(numbers admin groups:read groups:write);
    $t->credentials('clients.json',
        {type => 'basic', id => 'a', secret => 'x', scopes => [@all]},
        {type => 'bearer', token => 'a', principal => 'a', scopes => [@all]});
    $t->write_file('keys.json', '{"keys":[{"kty":"oct","alg":"HS256","k":"'
        . 'A' x 43 . '"}]}', 0600);

    # what is signed in with, as shown
    my $digest = 0;
    my ($entries) = map { $_->[2] } grep { $_->[1] eq 'Credentials files'
        && $_->[2] =~ /"credentials"/ } @block;
    $entries =~ s/<64 hex digits>/sprintf '%064x', ++$digest/ge;
    $t->write_file('shown.json', $entries, 0600);
    good({server => 'location / { group_dialect signalwire;'
        . ' group_credentials shown.json; proxy_pass http://127.0.0.1:1; }'},
        'Credentials files: clients');

    my ($signers) = map { $_->[2] } grep { $_->[1] eq 'Credentials files'
        && $_->[2] =~ /^\{ "type"/ } @block;
    for my $signer ($signers =~ /^(\{.*?\})$/msg) {
        $t->write_file('vinyldns.json', $signer, 0600);
        good({server => 'location / { group_dialect signalwire;'
            . ' group_upstream_credentials vinyldns.json;'
            . ' proxy_pass http://127.0.0.1:1; }'},
            "Credentials files: $signer");
    }

    # policies and a dialect, as shown
    my $n = 0;
    for my $block (grep { $_->[0] eq 'lua' } @block) {
        my ($heading, $lua) = @{$block}[1, 2];
        next if $walked{$heading};

        if ($lua =~ /^return dialect "(\w+)"/m) {
            $t->write_file("dialects/$1.lua", $lua);
            good({http => 'group_dialect_path %%DIR%%/dialects;',
                server => "location / { group_dialect $1;"
                . ' group_upstream_dialect vinyldns;'
                . ' proxy_pass http://127.0.0.1:1; }'}, "$heading: $1");
            next;
        }

        # a part of a hook
        $lua = "return { request = function(ctx)\n$lua\nend }"
            if $lua !~ /^return policy$/m;
        my $name = 'policies/' . ($lua =~ /params\.prefix/ ? 'naming.lua'
            : $lua =~ /at most 50 groups/ ? 'pages.lua' : 'n' . ++$n . '.lua');
        $t->write_file($name, $lua);
        good({server => 'location / { group_dialect signalwire;'
            . " group_policy $name" . ($name =~ /naming/ ? ' prefix=a' : '')
            . '; proxy_pass http://127.0.0.1:1; }'}, "$heading: $name");
    }

    my @nginx = grep { $_->[0] eq 'nginx' && !$walked{$_->[1]} } @block;
    push @nginx, map { ['nginx', 'in the text', "$_\n"] }
        grep { !/ (?:time|size|number|file)\b/ }
        $prose =~ /`(group_\w+ [^`]*;)`/g;

    for my $block (@nginx) {
        my ($heading, $conf) = @{$block}[1, 2];
        my %conf = (http => 'group_dialect_path %%ROOT%%/lua/dialects;');
        my $shown = (split /\n/, $conf)[0];

        # names are not looked up
        $conf =~ s{https://[\w.]+;}{https://127.0.0.1;};

        $conf{http} .= ' group_shared_zone quotas 1m;'
            if $conf !~ /group_shared_zone/;

        if ($conf =~ /^log_format|^group_shared_zone/m) {
            $conf{http} .= "\n$conf";

        } elsif ($conf =~ /^group_dialect_path/) {
            $conf{http} = $conf;

        } elsif ($conf =~ /^location/m) {
            $conf{server} = $conf;

        } else {
            my $dialect = $conf =~ /jwt/ ? 'portsip'
                : $conf =~ /sigv4/ ? 'vinyldns'
                : 'signalwire';
            $dialect = 'acme' if $conf =~ s/^group_dialect acme;//;
            $conf{http} =~ s/;/ %%DIR%%\/dialects;/ if $dialect eq 'acme';
            my $upstream = $conf =~ /owner/ ? 'faxfinder' : 'vinyldns';
            $conf{server} = "location / { group_dialect $dialect;\n"
                . "group_upstream_dialect $upstream;\n$conf\n"
                . 'proxy_pass http://127.0.0.1:1; }';
        }

        good(\%conf, "$heading: $shown");
    }
};

# What nginx -t says of mistakes, word by word.
subtest 'mistakes' => sub {
    my $operation = sub {
        my ($name, $fields) = @_;
        return 'return dialect "acme" { media_type = "a/b", operations = { ["'
            . $name . "\"] = { \"POST\", \"/t\", request = {$fields} } } }";
    };
    my @dialects = (
        $operation->('group.create', qq(\nfield "a" { lenght = 1 })),
        $operation->('group.create', qq(\nfield "colour" { from = "colour" })),
        $operation->('group.created', ''),
        $operation->('group.create', 'field "members" {}'),
        $operation->('group.create', '') =~ s/acme/other/r,
        'while true do end',
    );
    my @policies = (
        ['p.lua', "local a\nlocal b ="],
        ['p.lua', 'return { requets = function() end }'],
        ['policies/naming.lua',
            $t->read_file("$ROOT/lua/policies/naming.lua"), 'min=three'],
    );

    my $shown = sub {
        my ($heading) = @_;
        my ($block) = grep { $_->[1] eq $heading && $_->[0] eq '' } @block;
        return split /\n/, $block->[2];
    };

    my @lines = $shown->('Mistakes');
    is(scalar @lines, scalar @dialects, 'dialects');
    for my $i (0 .. $#lines) {
        $t->write_file('dialects/acme.lua', $dialects[$i]);
        says($lines[$i], http => 'group_dialect_path %%DIR%%/dialects;',
            server => 'location / { group_dialect acme; return 404; }');
    }

    @lines = $shown->('Checking a policy');
    is(scalar @lines, scalar @policies, 'policies');
    for my $i (0 .. $#lines) {
        my ($name, $lua, $parameter) = @{$policies[$i]};
        $t->write_file($name, $lua);
        says($lines[$i], server => 'location / { group_dialect signalwire;'
            . " group_policy $name " . ($parameter // '')
            . '; return 404; }');
    }

    my ($line) = grep { /^credentials file/ } $shown->('Credentials files');
    $t->write_file('clients.json', '{"credentials":[{"type":"basic",'
        . '"id":"a","secret_sha256":"b"}]}', 0600);
    says($line, server => 'location / { group_dialect signalwire;'
        . ' group_credentials clients.json; return 404; }');
};

# The line of the log that Troubleshooting takes apart.
subtest 'a request that is refused' => sub {
    my ($line) = map { $_->[2] =~ /^(group operation .*), client: \.\.\.$/m }
        grep { $_->[1] eq 'Troubleshooting' } @block;

    $t->credentials('clients.json',
        {type => 'basic', id => 'a', secret => 'x', scopes => ['other']});
    $t->nginx(server => 'location / { group_dialect signalwire;'
        . ' group_credentials clients.json;'
        . ' proxy_pass http://127.0.0.1:1; }');

    is($t->post('/api/relay/rest/number_groups', auth => ['a', 'x'],
        json => {name => 'a'})->{status}, 401, 'the status');
    $t->like_log(qr/: \*\d+ \Q$line\E, client: /, 'the line');
};

done_testing;


## README

# What is below a heading: to the next one of its level, or, with "own", of any.
sub section {
    my ($title, %option) = @_;

    my ($marks, $body) = $prose =~ /^(#+) \Q$title\E\n(.*)/ms
        or die "README has no \"$title\"\n";
    my $level = length $marks;
    my $end   = $option{own} ? qr/^#{1,6} /m : qr/^#{1,$level} /m;

    $body =~ s/$end.*//s;

    return $body;
}

# Rows of all tables in a text but their heads: lists of cells.
sub rows {
    my ($text) = @_;
    my (@rows, @open);

    for (split(/\n/, $text), '') {
        if (/^\|/) { push @open, $_; next }
        push @rows, map { [cells($_)] } @open[2 .. $#open] if @open;
        @open = ();
    }

    return @rows;
}

sub cells {
    my ($row) = @_;
    $row =~ s/^\|\s*|\s*\|\s*$//g;
    return map { s/\\\|/|/gr } split /\s*(?<!\\)\|\s*/, $row, -1;
}

# as GitHub makes them
sub anchor {
    my ($heading) = @_;
    $heading = lc $heading =~ s/[`*]|[^\w\s-]//gr;
    return $heading =~ s/ /-/gr;
}

sub plain {
    my ($text) = @_;
    $text =~ s/\*(\w+)\*/$1/g;
    return $text =~ s/`//gr;
}

# The numbers in a text, as those of the source are: bytes, ms or seconds.
sub amounts {
    my ($text) = @_;
    my @found;

    while ($text =~ /(\d[\d,]*)( ?)(MB|KB|m\b|k\b|s\b|minutes|ms)?/g) {
        my ($n, $unit) = ($1 =~ s/,//gr, $3 // '');
        push @found, $n;
        push @found, $n * 1024 * 1024 if $unit =~ /^(?:MB|m)$/;
        push @found, $n * 1024        if $unit =~ /^(?:KB|k)$/;
        push @found, $n * 1000        if $unit eq 's';
        push @found, $n * 60          if $unit eq 'minutes';
    }
    push @found, 365 * 86400 if $text =~ /a year/;

    return @found;
}

# Whether the source has a text: all of it that is fixed. "..." stands for
# anything; a number, and what is in quotes or asterisks, for what is filled in.
sub is_said {
    my ($text) = @_;

    my @fixed = grep { /[a-z]/ }
        split /\.\.\.|\*\w+\*|\b\d+\b|"[\w.]+"|[:,] /, $text =~ s/`//gr;

    for my $piece (map { s/^[\s:,]+|[\s:,]+\z//gr } @fixed) {
        return 0 if !has_piece($piece);
    }

    return scalar @fixed;
}

# In one text, or at the end of one that is filled in: "was %s".
sub has_piece {
    my ($piece) = @_;

    return 1 if grep { index($_, $piece) >= 0 } @said;

    my ($head, $tail) = ('', $piece);
    while ($tail =~ s/^(\S+) //) {
        $head .= "$1 ";
        return 1 if (grep { index($_, "$head%s") >= 0 } @said)
            && grep { index($_, $tail) == 0 } @said;
    }

    return 0;
}


## the source

sub uncommented {
    my ($text) = @_;
    return $text =~ s{("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)+')|/\*.*?\*/}
        {$1 // ' '}gser;
}

sub unquoted {
    my ($text) = @_;
    $text =~ s/"\s*"//g;
    $text =~ s/^\s*"|"\s*\z//g;
    return $text =~ s/\\(.)/$1/gr;
}

# What is between the parentheses of each call, or prototype, of functions.
sub calls {
    my ($names) = join '|', @_;
    my $inner = qr/((?:[^()"']++|$STRING|$LETTER|\((?-1)\))*+)/;

    return $source =~ /\b(?:$names)\s*\($inner\)/g;
}

# The texts in it, those that stand beside each other as one.
sub texts {
    my ($arguments) = @_;
    return map { unquoted($_) } grep { defined }
        $arguments =~ /$LETTER|($STRING(?:\s*$STRING)*)/g;
}

# the texts of an array
sub array {
    my ($name) = @_;
    my ($text) = $source =~ /\b$name\[\] = \{(.*?)\};/s
        or die "the source has no $name\n";
    return map { unquoted($_) } $text =~ /$STRING/g;
}

# name => {context, arguments => [least, most], set, field}
sub commands {
    my ($table) = $source
        =~ /ngx_http_group_commands\[\] = \{(.*?)ngx_null_command/s;
    my %found;

    while ($table =~ /\{ ngx_string\("(\w+)"\),(.*?) \},?\s*(?=\{|\z)/gs) {
        my ($name, $rest) = ($1, $2);
        my ($flags, $set, undef, $field)
            = map { s/^\s+|\s+\z//gr } split /,/, $rest;

        my @context = map { $_->[1] } grep { $flags =~ /$_->[0]/ }
            ['HTTP_MAIN', 'http'], ['HTTP_SRV', 'server'],
            ['HTTP_LOC', 'location'];
        my ($arguments) = map { $_->[1] } grep { $flags =~ /$_->[0]\b/ }
            ['NOARGS', [0, 0]], ['FLAG', [1, 1]], ['TAKE1', [1, 1]],
            ['TAKE2', [2, 2]], ['TAKE12', [1, 2]], ['1MORE', [1, 'more']],
            ['2MORE', [2, 'more']];
        my ($member) = $rest =~ /offsetof\(\w+,\s*(\w+)\)/;

        $found{$name} = {context => join(', ', @context),
            arguments => $arguments, set => $set, field => $member};
    }

    return %found;
}

# [least, most] of what the alternatives of a syntax take
sub arguments {
    my ($name, $syntax) = @_;
    my ($least, $most);

    for (split /[;|]/, $syntax =~ s/\[[^]]*\]/[]/gr) {
        s/^\s*$name\b//;
        my @words = split;
        my $more  = grep { $_ eq '...' } @words;
        @words = grep { $_ ne '...' } @words;
        next if !@words && $syntax =~ /\S+ \S/ && $_ !~ /\S/;
        my $optional = grep { $_ eq '[]' } @words;

        my ($n, $m) = (@words - $optional,
            $more || $optional ? 1e9 : scalar @words);
        $least = $n if !defined $least || $n < $least;
        $most  = $m if !defined $most || $m > $most;
    }

    return [$least // 0, ($most // 0) == 1e9 ? 'more' : $most // 0];
}

# The default as merged, as README writes it; undef: not a plain value.
sub default_of {
    my ($command, $name) = @_;

    my $field = $command->{field} // return;
    my ($kind, $value) = $source =~ /ngx_conf_merge_(\w+)_value\(
        conf->$field,\s*prev->$field,\s*([^;]*?)\);/x or return;

    return $value ? 'on' : 'off' if $kind eq 'value' && $value =~ /^[01]$/;
    return $value =~ /"(.+)"/ ? $1 : undef if $kind eq 'str';

    if ($command->{set} =~ /enum/) {
        my ($list) = $source =~ /\bngx_http_$name\[\] = \{(.*?)\};/s;
        my ($word) = $list =~ /"(\w+)"\), $value \}/;
        return $word;
    }

    my $n = number($value) // return;

    return $kind eq 'msec' ? ($n % 1000 ? "${n}ms" : $n / 1000 . 's')
        : $kind eq 'sec'   ? ($n % 60 ? "${n}s" : $n / 60 . 'm')
        : $kind eq 'size'  ? $n / 1024 / 1024 . 'm'
        : $n;
}

sub number {
    my ($name) = @_;
    my $value = $define{$name} // return;

    $value =~ s/\b(NGX_\w+)/number($1) \/\/ 'x'/ge;

    return $value =~ /^[\d\s*()+]+$/ ? eval $value : undef; ## no critic
}


## what is compared

sub is_set {
    my ($have, $want, $name) = @_;

    my %have = map { $_ => 1 } @$have;
    my %want = map { $_ => 1 } @$want;
    my @more = grep { !$want{$_} } sort keys %have;
    my @less = grep { !$have{$_} } sort keys %want;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok(@$want && !@more && !@less || !@$have && !@$want, $name)
        || diag("only in README: @more\nonly in the source: @less");
}

# nginx -t fails and says what README shows, but for directories.
sub says {
    my ($line, %conf) = @_;

    my ($exit, $output) = $t->test_config(%conf);
    my $pattern = join '.*', map { quotemeta }
        split /\.\.\.(?=$|,)/, $line =~ s/, \.\.\.$//r;
    $pattern =~ s{(?:\\/[\w\\-]+)+\\/}{\\S*/}g;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok($exit == 1 && $output =~ /\[emerg\] \S+ $pattern/, $line)
        || diag($output);
}

sub good {
    my ($conf, $name) = @_;

    my ($exit, $output) = $t->test_config(%$conf);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok($exit == 0 && $output !~ /\[(?:warn|emerg)\]/, $name)
        || diag($output);
}
