
#include "unit.h"
#include "ngx_group_filter.h"
#include "ngx_group_filter_internal.h"
#include "ngx_group_id.h"
#include "ngx_group_json.h"

#include <stdlib.h>


#define SCIM   NGX_GROUP_FILTER_SCIM
#define ODATA  NGX_GROUP_FILTER_ODATA

#define URN    "urn:ietf:params:scim:schemas:core:2.0:Group:"


static ngx_group_limits_t  limits = { 128, 10000 };

static ngx_keyval_t  scim_names[] = {
    { ngx_string("id"), ngx_string("id") },
    { ngx_string("displayName"), ngx_string("name") },
    { ngx_string("externalId"), ngx_string("external_id") },
    { ngx_string("members"), ngx_string("members") },
    { ngx_string("meta.created"), ngx_string("created_at") },
    { ngx_string("description"), ngx_string("description") },
    { ngx_string("active"), ngx_string("ext.acme.active") },
    { ngx_string("size"), ngx_string("member_count") },
    { ngx_string("urn:acme:group:colour"), ngx_string("ext.acme.colour") }
};

static ngx_keyval_t  odata_names[] = {
    { ngx_string("id"), ngx_string("id") },
    { ngx_string("name"), ngx_string("name") },
    { ngx_string("description"), ngx_string("description") },
    { ngx_string("created"), ngx_string("created_at") },
    { ngx_string("active"), ngx_string("ext.acme.active") },
    { ngx_string("size"), ngx_string("member_count") },
    { ngx_string("members"), ngx_string("members") }
};

static ngx_array_t  names[] = {
    { scim_names, sizeof(scim_names) / sizeof(ngx_keyval_t),
      sizeof(ngx_keyval_t), 0, NULL },
    { odata_names, sizeof(odata_names) / sizeof(ngx_keyval_t),
      sizeof(ngx_keyval_t), 0, NULL }
};

static const char  *syntaxes[] = { "SCIM", "OData" };


static ngx_int_t
parse(ngx_pool_t *pool, ngx_uint_t syntax, ngx_str_t *text,
    ngx_group_value_t **filter, ngx_str_t *why)
{
    *filter = NULL;
    ngx_str_null(why);

    return ngx_group_filter_parse(pool, syntax, &names[syntax], text, filter,
                                  why);
}


static ngx_int_t
filter_text(ngx_pool_t *pool, ngx_uint_t syntax, ngx_group_value_t *filter,
    ngx_str_t *text)
{
    ngx_str_null(text);

    return ngx_group_filter_write(pool, syntax, &names[syntax], filter, text);
}


/* JSON with "'" for quotes */

static ngx_group_value_t *
json(ngx_pool_t *pool, const char *text)
{
    size_t              i;
    ngx_str_t           in, error;
    ngx_group_value_t  *value;

    in.len = strlen(text);
    in.data = ngx_pnalloc(pool, in.len);

    for (i = 0; i < in.len; i++) {
        in.data[i] = (u_char) (text[i] == '\'' ? '"' : text[i]);
    }

    if (ngx_group_json_decode(pool, &limits, &in, &value, &error) != NGX_OK) {
        unit_diag("%s: %s", text, unit_show(&error));
        abort();
    }

    return value;
}


static ngx_str_t
dump(ngx_pool_t *pool, ngx_group_value_t *value)
{
    ngx_str_t  out;

    if (ngx_group_json_encode(pool, value, &out) != NGX_OK) {
        abort();
    }

    return out;
}


/* what is read, and what that is when it is written again */

static void
test_grammar(ngx_pool_t *pool)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           in, why, out, got;
    ngx_group_value_t  *filter, *want, *again;

#define NAME_EQ(v)                                                            \
    "{'op':'eq','field':'name','value':'" v "','exact':false}"

#define SIZE_EQ(v)                                                            \
    "{'op':'eq','field':'member_count','value':" v ",'exact':true}"

#define O_NAME_EQ(v)                                                          \
    "{'op':'eq','field':'name','value':'" v "','exact':true}"

    static struct {
        ngx_uint_t   syntax;
        const char  *in;
        const char  *tree;
        const char  *out;       /* NULL: as it was; "": it cannot be written */
    } cases[] = {

        /* what the identity providers send */

        { SCIM, "displayName eq \"Sales\"", NAME_EQ("Sales"), NULL },
        { SCIM, "externalId eq \"a\" and displayName eq \"b\"",
          "{'op':'and','args':[{'op':'eq','field':'external_id','value':'a',"
          "'exact':true}," NAME_EQ("b") "]}", NULL },
        { SCIM, "members[value eq \"m1\"]", "{'op':'member','value':'m1'}",
          "members.value eq \"m1\"" },
        { SCIM, "members[value eq\"m1\"]", "{'op':'member','value':'m1'}",
          "members.value eq \"m1\"" },

        /* operators */

        { SCIM, "id ne \"x\"",
          "{'op':'ne','field':'id','value':'x','exact':true}", NULL },
        { SCIM, "size gt 1",
          "{'op':'gt','field':'member_count','value':1,'exact':true}", NULL },
        { SCIM, "size ge -1.5e+3",
          "{'op':'ge','field':'member_count','value':-1.5e+3,'exact':true}",
          NULL },
        { SCIM, "meta.created lt \"2011-05-13T04:42:34Z\"",
          "{'op':'lt','field':'created_at','value':'2011-05-13T04:42:34Z',"
          "'exact':true}", NULL },
        { SCIM, "displayName le \"m\"",
          "{'op':'le','field':'name','value':'m','exact':false}", NULL },
        { SCIM, "displayName co \"a\"",
          "{'op':'contains','field':'name','value':'a','exact':false}", NULL },
        { SCIM, "externalId sw \"a\"",
          "{'op':'starts','field':'external_id','value':'a','exact':true}",
          NULL },
        { SCIM, "displayName ew \"\"",
          "{'op':'ends','field':'name','value':'','exact':false}", NULL },
        { SCIM, "description pr", "{'op':'present','field':'description'}",
          NULL },
        { SCIM, "members pr", "{'op':'present','field':'members'}", NULL },
        { SCIM, "members.value pr", "{'op':'present','field':'members'}",
          "members pr" },
        { SCIM, "active eq true",
          "{'op':'eq','field':'ext.acme.active','value':true,'exact':true}",
          NULL },
        { SCIM, "active ne FALSE",
          "{'op':'ne','field':'ext.acme.active','value':false,'exact':true}",
          "active ne false" },
        { SCIM, "description eq null",
          "{'op':'eq','field':'description','value':null,'exact':true}", NULL },

        /* names and operators in any case, values in theirs */

        { SCIM, "DISPLAYNAME Eq \"SaLes\"", NAME_EQ("SaLes"),
          "displayName eq \"SaLes\"" },
        { SCIM, "displayname PR AND NOT(ID EQ \"a\")",
          "{'op':'and','args':[{'op':'present','field':'name'},{'op':'not',"
          "'args':[{'op':'eq','field':'id','value':'a','exact':true}]}]}",
          "displayName pr and not (id eq \"a\")" },
        { SCIM, "Meta.Created pr", "{'op':'present','field':'created_at'}",
          "meta.created pr" },

        /* with the schema in front */

        { SCIM, URN "displayName eq \"a\"", NAME_EQ("a"),
          "displayName eq \"a\"" },
        { SCIM, "URN:IETF:params:scim:schemas:core:2.0:group:displayName eq "
          "\"a\"", NAME_EQ("a"), "displayName eq \"a\"" },
        { SCIM, URN "members[value eq \"a\"]", "{'op':'member','value':'a'}",
          "members.value eq \"a\"" },
        { SCIM, URN "members.value eq \"a\"", "{'op':'member','value':'a'}",
          "members.value eq \"a\"" },
        { SCIM, "urn:acme:group:colour pr",
          "{'op':'present','field':'ext.acme.colour'}", NULL },

        /* members */

        { SCIM, "members.value eq \"m1\"", "{'op':'member','value':'m1'}",
          NULL },
        { SCIM, "members eq \"m1\"", "{'op':'member','value':'m1'}",
          "members.value eq \"m1\"" },
        { SCIM, "Members[ VALUE EQ \"a\" OR value eq \"b\" ]",
          "{'op':'or','args':[{'op':'member','value':'a'},{'op':'member',"
          "'value':'b'}]}",
          "members.value eq \"a\" or members.value eq \"b\"" },
        { SCIM, "not (members[value eq \"a\"])",
          "{'op':'not','args':[{'op':'member','value':'a'}]}",
          "not (members.value eq \"a\")" },
        { SCIM, "members[value eq \"a\"] and members[value eq \"b\"]",
          "{'op':'and','args':[{'op':'member','value':'a'},{'op':'member',"
          "'value':'b'}]}",
          "members.value eq \"a\" and members.value eq \"b\"" },

        /* not before and before or, and parentheses before each */

        { SCIM, "size eq 1 or size eq 2 and size eq 3",
          "{'op':'or','args':[" SIZE_EQ("1") ",{'op':'and','args':["
          SIZE_EQ("2") "," SIZE_EQ("3") "]}]}",
          "size eq 1 or (size eq 2 and size eq 3)" },
        { SCIM, "size eq 1 and size eq 2 or size eq 3",
          "{'op':'or','args':[{'op':'and','args':[" SIZE_EQ("1") ","
          SIZE_EQ("2") "]}," SIZE_EQ("3") "]}",
          "(size eq 1 and size eq 2) or size eq 3" },
        { SCIM, "(size eq 1 or size eq 2) and size eq 3",
          "{'op':'and','args':[{'op':'or','args':[" SIZE_EQ("1") ","
          SIZE_EQ("2") "]}," SIZE_EQ("3") "]}", NULL },
        { SCIM, "not (size eq 1) and size eq 2",
          "{'op':'and','args':[{'op':'not','args':[" SIZE_EQ("1") "]},"
          SIZE_EQ("2") "]}", NULL },
        { SCIM, "not (size eq 1 and size eq 2)",
          "{'op':'not','args':[{'op':'and','args':[" SIZE_EQ("1") ","
          SIZE_EQ("2") "]}]}", NULL },
        { SCIM, "not (not (size eq 1))",
          "{'op':'not','args':[{'op':'not','args':[" SIZE_EQ("1") "]}]}",
          NULL },
        { SCIM, "size eq 1 or size eq 2 or size eq 3",
          "{'op':'or','args':[" SIZE_EQ("1") "," SIZE_EQ("2") ","
          SIZE_EQ("3") "]}", NULL },
        { SCIM, "((size eq 1))", SIZE_EQ("1"), "size eq 1" },

        /* spaces */

        { SCIM, "  displayName   eq   \"a\"  ", NAME_EQ("a"),
          "displayName eq \"a\"" },
        { SCIM, "displayName eq\"a\"", NAME_EQ("a"), "displayName eq \"a\"" },
        { SCIM, "( size eq 1 )", SIZE_EQ("1"), "size eq 1" },
        { SCIM, "(size eq 1)and(size eq 2)",
          "{'op':'and','args':[" SIZE_EQ("1") "," SIZE_EQ("2") "]}",
          "size eq 1 and size eq 2" },

        /* texts */

        { SCIM, "displayName eq \"a\\\"b\\\\c\\/d\"",
          "{'op':'eq','field':'name','value':'a\\u0022b\\\\c/d',"
          "'exact':false}", "displayName eq \"a\\\"b\\\\c/d\"" },
        { SCIM, "displayName eq \"\\b\\f\\n\\r\\t\"",
          "{'op':'eq','field':'name','value':'\\b\\f\\n\\r\\t',"
          "'exact':false}",
          "displayName eq \"\\u0008\\u000c\\u000a\\u000d\\u0009\"" },
        { SCIM, "displayName eq \"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\"",
          NAME_EQ("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
          "displayName eq \"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { SCIM, "displayName eq \"a) and (b ] or 'c'\"",
          "{'op':'eq','field':'name','value':'a) and (b ] or \\u0027c\\u0027',"
          "'exact':false}", NULL },
        { SCIM, "displayName eq \"\x7f\"", NAME_EQ("\x7f"), NULL },

        /* OData */

        { ODATA, "contains(name,'sales')",
          "{'op':'contains','field':'name','value':'sales','exact':true}",
          NULL },
        { ODATA, "startswith( name , 'a' )",
          "{'op':'starts','field':'name','value':'a','exact':true}",
          "startswith(name,'a')" },
        { ODATA, "endswith(description,'')",
          "{'op':'ends','field':'description','value':'','exact':true}",
          NULL },
        { ODATA, "name eq 'Sales'", O_NAME_EQ("Sales"), NULL },
        { ODATA, "name ne 'Sales'",
          "{'op':'ne','field':'name','value':'Sales','exact':true}", NULL },
        { ODATA, "name gt 'a'",
          "{'op':'gt','field':'name','value':'a','exact':true}", NULL },
        { ODATA, "name ge 'a'",
          "{'op':'ge','field':'name','value':'a','exact':true}", NULL },
        { ODATA, "name lt 'a'",
          "{'op':'lt','field':'name','value':'a','exact':true}", NULL },
        { ODATA, "size le 10", "{'op':'le','field':'member_count','value':10,"
          "'exact':true}", NULL },
        { ODATA, "active eq true",
          "{'op':'eq','field':'ext.acme.active','value':true,'exact':true}",
          NULL },
        { ODATA, "description eq null",
          "{'op':'eq','field':'description','value':null,'exact':true}",
          NULL },
        { ODATA, "name eq 'O''Brien'''",
          "{'op':'eq','field':'name','value':'O\\u0027Brien\\u0027',"
          "'exact':true}", NULL },
        { ODATA, "name eq ''''",
          "{'op':'eq','field':'name','value':'\\u0027','exact':true}", NULL },
        { ODATA, "name eq ''", O_NAME_EQ(""), NULL },
        { ODATA, "name eq 'a\\n\"b'",
          "{'op':'eq','field':'name','value':'a\\\\n\\u0022b','exact':true}",
          NULL },
        { ODATA, "created gt 2024-01-31T23:59:59.25Z",
          "{'op':'gt','field':'created_at','value':'2024-01-31T23:59:59.25Z',"
          "'exact':true}", NULL },
        { ODATA, "created gt 2024-01-31T23:59+01:00",
          "{'op':'gt','field':'created_at','value':'2024-01-31T23:59+01:00',"
          "'exact':true}", NULL },
        { ODATA, "created gt '2024-01-31T23:59:59Z'",
          "{'op':'gt','field':'created_at','value':'2024-01-31T23:59:59Z',"
          "'exact':true}", "created gt 2024-01-31T23:59:59Z" },
        { ODATA, "name eq '2024-01-31T23:59:59Z'",
          O_NAME_EQ("2024-01-31T23:59:59Z"), NULL },

        { ODATA, "size eq 1 or size eq 2 and size eq 3",
          "{'op':'or','args':[" SIZE_EQ("1") ",{'op':'and','args':["
          SIZE_EQ("2") "," SIZE_EQ("3") "]}]}",
          "size eq 1 or (size eq 2 and size eq 3)" },
        { ODATA, "(size eq 1 or size eq 2) and size eq 3",
          "{'op':'and','args':[{'op':'or','args':[" SIZE_EQ("1") ","
          SIZE_EQ("2") "]}," SIZE_EQ("3") "]}", NULL },

        /* "not" is read, but PortSIP documents none: it is not written */

        { ODATA, "not (size eq 1) and size eq 2",
          "{'op':'and','args':[{'op':'not','args':[" SIZE_EQ("1") "]},"
          SIZE_EQ("2") "]}", "" },
        { ODATA, "not size eq 1 or size eq 2",
          "{'op':'or','args':[{'op':'not','args':[" SIZE_EQ("1") "]},"
          SIZE_EQ("2") "]}", "" },
        { ODATA, "not not contains(name,'a')",
          "{'op':'not','args':[{'op':'not','args':[{'op':'contains',"
          "'field':'name','value':'a','exact':true}]}]}", "" },
        { ODATA, "not(size eq 1)",
          "{'op':'not','args':[" SIZE_EQ("1") "]}", "" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        in = unit_exact(cases[i].in, strlen(cases[i].in));
        want = json(pool, cases[i].tree);

        rc = parse(pool, cases[i].syntax, &in, &filter, &why);

        each(rc == NGX_OK, "%s: %ld, %s", cases[i].in, (long) rc,
             unit_show(&why));

        if (rc != NGX_OK) {
            unit_exact_free(&in);
            continue;
        }

        got = dump(pool, filter);

        each(ngx_group_value_equal(filter, want), "%s: %s", cases[i].in,
             unit_show(&got));
        each(ngx_group_filter_check(filter, &why) == NGX_OK, "%s: %s",
             cases[i].in, unit_show(&why));

        rc = filter_text(pool, cases[i].syntax, filter, &out);

        if (cases[i].out && *cases[i].out == '\0') {
            each(rc == NGX_DECLINED, "%s is written: %s", cases[i].in,
                 unit_show(&out));
            unit_exact_free(&in);
            continue;
        }

        got = unit_str(cases[i].out ? cases[i].out : cases[i].in);

        each(rc == NGX_OK && ngx_group_str_eq(&out, &got),
             "%s is written: %s", cases[i].in, unit_show(&out));

        each(parse(pool, cases[i].syntax, &out, &again, &why) == NGX_OK
             && ngx_group_value_equal(filter, again),
             "%s and read again: %s", cases[i].in, unit_show(&why));

        unit_exact_free(&in);
    }

    unit_cases("%lu filters", (unsigned long) i);
}


static void
test_refused(ngx_pool_t *pool)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           in, why;
    ngx_group_value_t  *filter;

#define A16  "aaaaaaaaaaaaaaaa"
#define A64  A16 A16 A16 A16

    static struct {
        ngx_uint_t   syntax;
        const char  *in;
        const char  *why;
    } cases[] = {
        { SCIM, "", "the filter is empty" },
        { SCIM, "   ", "the filter is empty" },
        { SCIM, "displayName", "the filter has no operator where one is "
          "expected, at byte 11" },
        { SCIM, "displayName eq", "the filter has no value where one is "
          "expected, at byte 14" },
        { SCIM, "displayName eq ", "the filter has no value where one is "
          "expected, at byte 15" },
        { SCIM, "displayName eq eq", "the filter has no value where one is "
          "expected, at byte 15" },
        { SCIM, "displayName \"a\"", "the filter has no operator where one is "
          "expected, at byte 12" },
        { SCIM, "displayName is \"a\"", "the filter has an unknown operator "
          "\"is\", at byte 12" },
        { SCIM, "displayName eq5", "the filter has an unknown operator "
          "\"eq5\", at byte 12" },
        { SCIM, "displayName contains \"a\"", "the filter has an unknown "
          "operator \"contains\", at byte 12" },
        { SCIM, "eq \"a\"", "the filter asks for an attribute that cannot be "
          "filtered by \"eq\", at byte 0" },
        { SCIM, "name eq \"a\"", "the filter asks for an attribute that cannot "
          "be filtered by \"name\", at byte 0" },
        { SCIM, "urn:other:displayName eq \"a\"", "the filter asks for an "
          "attribute that cannot be filtered by \"urn:other:displayName\", "
          "at byte 0" },
        { SCIM, URN " eq \"a\"", "the filter asks for an attribute that cannot "
          "be filtered by \"" URN "\", at byte 0" },
        { SCIM, "displayName.value eq \"a\"", "the filter asks for an "
          "attribute that cannot be filtered by \"displayName.value\", "
          "at byte 0" },
        { SCIM, A64 "aaaaaaaa eq 1", "the filter asks for an attribute that "
          "cannot be filtered by \"" A64 "\", at byte 0" },
        { SCIM, "\"a\" eq displayName", "the filter has no attribute where "
          "one is expected, at byte 0" },
        { SCIM, "displayName eq 'a'", "the filter has no value where one is "
          "expected, at byte 15" },
        { SCIM, "displayName eq \"a", "the filter has a text that does not "
          "end, at byte 15" },
        { SCIM, "displayName eq \"", "the filter has a text that does not "
          "end, at byte 15" },
        { SCIM, "displayName eq \"a\\\"", "the filter has a text that does "
          "not end, at byte 15" },
        { SCIM, "displayName eq \"a\\", "the filter has a text that does "
          "not end, at byte 15" },
        { SCIM, "displayName eq \"a\"b\"", "the filter has something at the "
          "end of a value, at byte 18" },
        { SCIM, "displayName eq \"a\"and size eq 1", "the filter has something "
          "at the end of a value, at byte 18" },
        { SCIM, "displayName eq \"ab\\x\"", "the filter has a bad escape, "
          "at byte 18" },
        { SCIM, "displayName eq \"\\u12g4\"", "the filter has a bad escape, "
          "at byte 16" },
        { SCIM, "displayName eq \"\\u12\"", "the filter has a bad escape, "
          "at byte 16" },
        { SCIM, "displayName eq \"\\u0000\"", "the filter has a bad escape, "
          "at byte 16" },
        { SCIM, "displayName eq \"\\ud800\"", "the filter has a bad escape, "
          "at byte 16" },
        { SCIM, "displayName eq \"\\ud800\\u0041\"", "the filter has a bad "
          "escape, at byte 16" },
        { SCIM, "displayName eq \"\\ud800\\\\dc00\"", "the filter has a bad "
          "escape, at byte 16" },
        { SCIM, "displayName eq \"\\ud800\\ue000\"", "the filter has a bad "
          "escape, at byte 16" },
        { SCIM, "displayName eq \"\\udc00\"", "the filter has a bad escape, "
          "at byte 16" },
        { SCIM, "displayName eq \"\\uD83D\\uDE0\"", "the filter has a bad "
          "escape, at byte 16" },
        { SCIM, "displayName eq \"a\nb\"", "the filter has a control "
          "character, at byte 17" },
        { SCIM, "displayName\teq \"a\"", "the filter has a control character, "
          "at byte 11" },
        { SCIM, "displayName eq \"\xc3(\"", "the filter is not UTF-8, "
          "at byte 16" },
        { SCIM, "displayName eq \"\xed\xa0\x80\"", "the filter is not UTF-8, "
          "at byte 16" },
        { SCIM, "displayName eq \"\xc0\xaf\"", "the filter is not UTF-8, "
          "at byte 16" },
        { SCIM, "size eq 01", "the filter has no value where one is expected, "
          "at byte 8" },
        { SCIM, "size eq 1.", "the filter has no value where one is expected, "
          "at byte 8" },
        { SCIM, "size eq 1e", "the filter has no value where one is expected, "
          "at byte 8" },
        { SCIM, "size eq -", "the filter has no value where one is expected, "
          "at byte 8" },
        { SCIM, "size eq +1", "the filter has no value where one is expected, "
          "at byte 8" },
        { SCIM, "size eq 1x", "the filter has something at the end of a value, "
          "at byte 9" },
        { SCIM, "size eq [1]", "the filter has no value where one is expected, "
          "at byte 8" },
        { SCIM, "size eq {}", "the filter has no value where one is expected, "
          "at byte 8" },
        { SCIM, "active gt true", "the filter has a value that nothing is less "
          "or greater than, at byte 10" },
        { SCIM, "displayName le null", "the filter has a value that nothing is "
          "less or greater than, at byte 15" },
        { SCIM, "displayName co 1", "the filter has a value that is no text, "
          "at byte 15" },
        { SCIM, "displayName sw null", "the filter has a value that is no "
          "text, at byte 15" },
        { SCIM, "(size eq 1", "the filter has no \")\" where one is expected, "
          "at byte 10" },
        { SCIM, "size eq 1)", "the filter goes on with neither \"and\" nor "
          "\"or\", at byte 9" },
        { SCIM, "((size eq 1)", "the filter has no \")\" where one is "
          "expected, at byte 12" },
        { SCIM, "()", "the filter has no attribute where one is expected, "
          "at byte 1" },
        { SCIM, "(", "the filter has no attribute where one is expected, "
          "at byte 1" },
        { SCIM, ")", "the filter has no attribute where one is expected, "
          "at byte 0" },
        { SCIM, "size eq 1 size eq 2", "the filter goes on with neither "
          "\"and\" nor \"or\", at byte 10" },
        { SCIM, "size eq 1 andsize eq 2", "the filter goes on with neither "
          "\"and\" nor \"or\", at byte 10" },
        { SCIM, "size eq 1 and", "the filter has no attribute where one is "
          "expected, at byte 13" },
        { SCIM, "size eq 1 or or size eq 2", "the filter asks for an attribute "
          "that cannot be filtered by \"or\", at byte 13" },
        { SCIM, "and size eq 1", "the filter asks for an attribute that cannot "
          "be filtered by \"and\", at byte 0" },
        { SCIM, "not", "the filter has no \"(\" after \"not\", at byte 3" },
        { SCIM, "not size eq 1", "the filter has no \"(\" after \"not\", "
          "at byte 4" },
        { SCIM, "not not (size eq 1)", "the filter has no \"(\" after "
          "\"not\", at byte 4" },
        { SCIM, "not (size eq 1", "the filter has no \")\" where one is "
          "expected, at byte 14" },
        { SCIM, "contains(displayName,\"a\")", "the filter asks for an "
          "attribute that cannot be filtered by \"contains\", at byte 0" },

        { SCIM, "members ne \"a\"", "the filter can only ask which members "
          "there are, not \"ne\", at byte 8" },
        { SCIM, "members.value co \"a\"", "the filter can only ask which "
          "members there are, not \"co\", at byte 14" },
        { SCIM, "members.value eq 1", "the filter has a value that is no "
          "text, at byte 17" },
        { SCIM, "members eq null", "the filter has a value that is no text, "
          "at byte 11" },
        { SCIM, "members.display eq \"a\"", "the filter asks for an attribute "
          "that cannot be filtered by \"members.display\", at byte 0" },
        { SCIM, "members[display eq \"a\"]", "the filter can ask for members "
          "by \"value\" only, at byte 8" },
        { SCIM, "members[value ne \"a\"]", "the filter can ask for members "
          "by \"eq\" only, at byte 14" },
        { SCIM, "members[value pr]", "the filter can ask for members "
          "by \"eq\" only, at byte 14" },
        { SCIM, "members[value eq \"a\" and value eq \"b\"]", "the filter has "
          "no \"]\" where one is expected, at byte 21" },
        { SCIM, "members[value eq \"a\" or]", "the filter can ask for members "
          "by \"value\" only, at byte 23" },
        { SCIM, "members[value eq \"a\"", "the filter has no \"]\" where one "
          "is expected, at byte 20" },
        { SCIM, "members[", "the filter can ask for members by \"value\" only, "
          "at byte 8" },
        { SCIM, "members[value eq \"a\"].display", "the filter goes on with "
          "neither \"and\" nor \"or\", at byte 21" },
        { SCIM, "members.value[value eq \"a\"]", "the filter has no operator "
          "where one is expected, at byte 13" },
        { SCIM, "displayName[value eq \"a\"]", "the filter has no operator "
          "where one is expected, at byte 11" },
        { SCIM, "displayName eq \"a\"]", "the filter goes on with neither "
          "\"and\" nor \"or\", at byte 18" },

        { ODATA, "Name eq 'a'", "the filter asks for an attribute that cannot "
          "be filtered by \"Name\", at byte 0" },
        { ODATA, "$name eq 'a'", "the filter asks for an attribute that cannot "
          "be filtered by \"$name\", at byte 0" },
        { ODATA, "name EQ 'a'", "the filter has an unknown operator \"EQ\", "
          "at byte 5" },
        { ODATA, "name co 'a'", "the filter has an unknown operator \"co\", "
          "at byte 5" },
        { ODATA, "name contains 'a'", "the filter has an unknown operator "
          "\"contains\", at byte 5" },
        { ODATA, "name pr", "the filter has an unknown operator \"pr\", "
          "at byte 5" },
        { ODATA, "name eq \"a\"", "the filter has no value where one is "
          "expected, at byte 8" },
        { ODATA, "name eq 'a", "the filter has a text that does not end, "
          "at byte 8" },
        { ODATA, "name eq '", "the filter has a text that does not end, "
          "at byte 8" },
        { ODATA, "name eq '''", "the filter has a text that does not end, "
          "at byte 8" },
        { ODATA, "name eq 'a''", "the filter has a text that does not end, "
          "at byte 8" },
        { ODATA, "name eq 'a'b'", "the filter has something at the end of a "
          "value, at byte 11" },
        { ODATA, "name eq TRUE", "the filter has no value where one is "
          "expected, at byte 8" },
        { ODATA, "name eq description", "the filter has no value where one is "
          "expected, at byte 8" },
        { ODATA, "contains(name,1)", "the filter has a value that is no text, "
          "at byte 14" },
        { ODATA, "contains(name 'a')", "the filter has no \",\" where one is "
          "expected, at byte 14" },
        { ODATA, "contains(name,'a'", "the filter has no \")\" where one is "
          "expected, at byte 17" },
        { ODATA, "contains('a',name)", "the filter has no attribute where one "
          "is expected, at byte 9" },
        { ODATA, "contains(email,'a')", "the filter asks for an attribute that "
          "cannot be filtered by \"email\", at byte 9" },
        { ODATA, "contains(members,'a')", "the filter asks for an attribute "
          "that cannot be filtered by \"members\", at byte 9" },
        { ODATA, "contains()", "the filter has no attribute where one "
          "is expected, at byte 9" },
        { ODATA, "tolower(name) eq 'a'", "the filter has an unknown function "
          "\"tolower\", at byte 0" },
        { ODATA, "substringof('a',name)", "the filter has an unknown function "
          "\"substringof\", at byte 0" },
        { ODATA, "members eq 'a'", "the filter cannot compare \"members\", "
          "at byte 0" },
        { ODATA, "name eq 'a' AND name eq 'b'", "the filter goes on with "
          "neither \"and\" nor \"or\", at byte 12" },
        { ODATA, "not", "the filter has no attribute where one is expected, "
          "at byte 3" },
        { ODATA, "created gt 2024-01-31", "the filter has something at the end "
          "of a value, at byte 15" },
        { ODATA, "created gt 2024-01-31T23:59:59", "the filter has something "
          "at the end of a value, at byte 15" },
        { ODATA, "created gt 2024-01-31T23:59:59Zulu", "the filter has "
          "something at the end of a value, at byte 31" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        in = unit_exact(cases[i].in, strlen(cases[i].in));

        rc = parse(pool, cases[i].syntax, &in, &filter, &why);

        each(rc == NGX_DECLINED && why.len == strlen(cases[i].why)
             && memcmp(why.data, cases[i].why, why.len) == 0,
             "%s: %ld, %s", cases[i].in, (long) rc, unit_show(&why));

        unit_exact_free(&in);
    }

    in = unit_exact("displayName eq \"a\0b\"", 19);
    each(parse(pool, SCIM, &in, &filter, &why) == NGX_DECLINED,
         "a NUL in a text");
    unit_exact_free(&in);

    in = unit_str("id eq \"a\"");
    each(ngx_group_filter_parse(pool, SCIM, NULL, &in, &filter, &why)
         == NGX_DECLINED, "no names");

    unit_cases("%lu filters are refused", (unsigned long) i + 2);
}


/* "open" n times, "inside", "close" n times */

static ngx_str_t
nest(ngx_pool_t *pool, ngx_uint_t n, const char *open, const char *inside,
    const char *close)
{
    u_char      *p;
    ngx_str_t    text;
    ngx_uint_t   i;

    text.data = ngx_pnalloc(pool, n * (strlen(open) + strlen(close))
                                  + strlen(inside));
    p = text.data;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, open, strlen(open));
    }

    p = ngx_cpymem(p, inside, strlen(inside));

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, close, strlen(close));
    }

    text.len = (size_t) (p - text.data);

    return text;
}


static void
test_limits(ngx_pool_t *pool)
{
    ngx_str_t           in, why, out;
    ngx_uint_t          n;
    ngx_group_value_t  *filter, *args;

    in = nest(pool, 32, "(", "size eq 1", ")");
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_OK, "32 parentheses");

    in = nest(pool, 33, "(", "size eq 1", ")");
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_DECLINED, "33 are not");
    is(&why, "the filter is nested too deeply, at byte 33", "why");

    in = nest(pool, 5000, "(", "size eq 1", ")");
    ok(parse(pool, ODATA, &in, &filter, &why) == NGX_DECLINED, "nor 5000");

    in = nest(pool, 31, "not (", "size eq 1", ")");
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_OK, "a tree of 32 levels");
    ok(filter_text(pool, SCIM, filter, &out) == NGX_OK
       && ngx_group_str_eq(&in, &out), "and back");

    in = nest(pool, 32, "not (", "size eq 1", ")");
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_DECLINED, "not of 33");
    is(&why, "the filter is nested too deeply", "why");

    in = nest(pool, 31, "not ", "size eq 1", "");
    ok(parse(pool, ODATA, &in, &filter, &why) == NGX_OK, "31 times not");

    in = nest(pool, 3000, "not ", "size eq 1", "");
    ok(parse(pool, ODATA, &in, &filter, &why) == NGX_DECLINED,
       "3000 times not");
    is(&why, "the filter is nested too deeply, at byte 132", "why");

    in = nest(pool, 15, "size eq 1 or size eq 1 and (", "size eq 1", ")");
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_OK, "31 levels of lists");

    in = nest(pool, 16, "size eq 1 or size eq 1 and (", "size eq 1", ")");
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_DECLINED,
       "33 levels in 16 parentheses");

    in = nest(pool, 254, "size eq 1 or ", "size eq 2", "");
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_OK, "256 parts");

    in = nest(pool, 255, "size eq 1 or ", "size eq 2", "");
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_DECLINED, "257 are not");
    is(&why, "the filter has too many parts, at byte 3324", "why");

    out = nest(pool, 255, "value eq \"\" or ", "value eq \"\"]", "");
    in.len = out.len + 8;
    in.data = ngx_pnalloc(pool, in.len);
    ngx_memcpy(ngx_cpymem(in.data, "members[", 8), out.data, out.len);
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_DECLINED,
       "nor 257 of members");

    in = nest(pool, 1, "displayName eq \"", "", "\"");
    n = NGX_GROUP_FILTER_MAX_LEN - in.len;
    out.data = ngx_pnalloc(pool, NGX_GROUP_FILTER_MAX_LEN + 1);
    ngx_memset(out.data, 'a', NGX_GROUP_FILTER_MAX_LEN + 1);
    ngx_memcpy(out.data, in.data, in.len - 1);
    out.len = NGX_GROUP_FILTER_MAX_LEN;
    out.data[out.len - 1] = '"';
    in = out;
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_OK, "the longest text");
    ok(filter_text(pool, SCIM, filter, &out) == NGX_OK
       && ngx_group_str_eq(&in, &out), "and back");

    in.data[in.len - 1] = 'a';
    in.data[in.len++] = '"';
    ok(parse(pool, SCIM, &in, &filter, &why) == NGX_DECLINED,
       "a longer one is not");
    is(&why, "the filter is too long", "why");

    /* trees of hooks */

    filter = json(pool, "{'op':'eq','field':'name','value':'','exact':false}");
    in.data += 15;
    in.len = n + 1;
    ngx_group_value_get(filter, &(ngx_str_t) ngx_string("value"))->u.text = in;
    ok(ngx_group_filter_check(filter, &why) == NGX_OK
       && filter_text(pool, SCIM, filter, &out) == NGX_DECLINED,
       "what would be longer is not written");

    args = json(pool, "{'op':'not','args':[]}");
    filter = args;

    for (n = 1; n < 100; n++) {
        filter = json(pool, "{'op':'not','args':[]}");
        ngx_group_value_push(filter->u.items.last, args);
        args = filter;
    }

    ok(ngx_group_filter_check(filter, &why) == NGX_DECLINED,
       "a tree that is too deep");
    is(&why, "the filter is nested too deeply", "why");
    ok(ngx_group_filter_match(filter, json(pool, "{}")) == NGX_ERROR
       && filter_text(pool, SCIM, filter, &out) == NGX_DECLINED
       && ngx_group_filter_uses(filter, &in) == 0
       && ngx_group_filter_hint(filter, &in, &out, &n) == NGX_DECLINED
       && ngx_group_filter_ids(pool, filter, 0, 0, 0, 0, &why) == NGX_ERROR,
       "is not looked into");

    filter = json(pool, "{'op':'and','args':[]}");

    for (n = 0; n < 256; n++) {
        ngx_group_value_push(filter->u.items.last,
                             json(pool, "{'op':'present','field':'name'}"));
    }

    ok(ngx_group_filter_check(filter, &why) == NGX_DECLINED,
       "a tree that is too wide");
    is(&why, "the filter has too many parts", "why");
}


/* what a hook may have made of it */

static void
test_check(ngx_pool_t *pool)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           why, out;
    ngx_group_value_t  *filter, *group;

    static struct {
        const char  *tree;
        ngx_uint_t   good;
    } cases[] = {
        { "{'op':'eq','field':'name','value':'a','exact':true}", 1 },
        { "{'op':'eq','field':'name','value':'a'}", 1 },
        { "{'op':'eq','field':'name','value':'a','exact':null}", 1 },
        { "{'op':'eq','field':'name'}", 1 },
        { "{'op':'ne','field':'name','value':null,'exact':'x'}", 1 },
        { "{'op':'eq','field':'name','value':'a','more':[1]}", 1 },
        { "{'args':[{'op':'member','value':'a'}],'op':'and'}", 1 },
        { "{'op':'gt','field':'size','value':-1.50}", 1 },
        { "null", 0 },
        { "'eq'", 0 },
        { "[]", 0 },
        { "{}", 0 },
        { "{'op':1}", 0 },
        { "{'op':'EQ','field':'name','value':'a'}", 0 },
        { "{'op':'co','field':'name','value':'a'}", 0 },
        { "{'op':'','field':'name','value':'a'}", 0 },
        { "{'op':'eq','value':'a'}", 0 },
        { "{'op':'eq','field':'','value':'a'}", 0 },
        { "{'op':'eq','field':1,'value':'a'}", 0 },
        { "{'op':'eq','field':'name','value':[]}", 0 },
        { "{'op':'eq','field':'name','value':{}}", 0 },
        { "{'op':'eq','field':'name','value':'a','exact':'no'}", 0 },
        { "{'op':'gt','field':'name','value':null}", 0 },
        { "{'op':'le','field':'name','value':true}", 0 },
        { "{'op':'lt','field':'name'}", 0 },
        { "{'op':'contains','field':'name','value':1}", 0 },
        { "{'op':'starts','field':'name','value':null}", 0 },
        { "{'op':'ends','field':'name'}", 0 },
        { "{'op':'present'}", 0 },
        { "{'op':'member'}", 0 },
        { "{'op':'member','value':1}", 0 },
        { "{'op':'and'}", 0 },
        { "{'op':'and','args':[]}", 0 },
        { "{'op':'or','args':{}}", 0 },
        { "{'op':'or','args':'x'}", 0 },
        { "{'op':'or','args':[1]}", 0 },
        { "{'op':'not','args':[{'op':'present','field':'name'},"
          "{'op':'present','field':'name'}]}", 0 },
        { "{'op':'not','args':[]}", 0 },
        { "{'op':'not','args':[{'op':'no'}]}", 0 },
        { "{'op':'and','args':[{'op':'present','field':'name'},{'op':''}]}",
          0 }
    };

    group = json(pool, "{'name':'x'}");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        filter = json(pool, cases[i].tree);
        ngx_str_null(&why);

        rc = ngx_group_filter_check(filter, &why);

        each(rc == (cases[i].good ? NGX_OK : NGX_DECLINED), "%s: %ld, %s",
             cases[i].tree, (long) rc, unit_show(&why));
        each(cases[i].good || why.len, "%s: no reason", cases[i].tree);

        rc = ngx_group_filter_match(filter, group);
        each((rc == NGX_ERROR) == !cases[i].good, "%s: match: %ld",
             cases[i].tree, (long) rc);

        if (!cases[i].good) {
            each(filter_text(pool, SCIM, filter, &out) == NGX_DECLINED
                 && filter_text(pool, ODATA, filter, &out) == NGX_DECLINED,
                 "%s: written", cases[i].tree);
        }
    }

    /* numbers that no JSON has */

    filter = json(pool, "{'op':'eq','value':1,'field':'name'}");
    filter->u.items.first->next->u.text = unit_str("inf");
    each(ngx_group_filter_check(filter, &why) == NGX_DECLINED, "inf");
    filter->u.items.first->next->u.text.len = 0;
    each(ngx_group_filter_check(filter, &why) == NGX_DECLINED, "no digits");

    each(ngx_group_filter_check(NULL, &why) == NGX_DECLINED, "no tree");

    unit_cases("trees of hooks");
}


/* what cannot be written, or only in one syntax */

static void
test_write(ngx_pool_t *pool)
{
    size_t              i, s;
    ngx_int_t           rc;
    ngx_str_t           out, want;
    ngx_group_value_t  *filter;

    static struct {
        const char  *tree;
        const char  *out[2];        /* NULL: it cannot */
    } cases[] = {
        { "{'op':'eq','field':'name','value':'a','exact':false}",
          { "displayName eq \"a\"", NULL } },
        { "{'op':'eq','field':'name','value':'a','exact':true}",
          { NULL, "name eq 'a'" } },
        { "{'op':'eq','field':'name','value':'a'}",
          { NULL, "name eq 'a'" } },
        { "{'op':'eq','field':'id','value':'a','exact':true}",
          { "id eq \"a\"", "id eq 'a'" } },
        { "{'op':'eq','field':'id','value':'a','exact':false}",
          { NULL, NULL } },
        { "{'op':'eq','field':'name','value':null,'exact':false}",
          { "displayName eq null", "name eq null" } },
        { "{'op':'eq','field':'name','value':null}",
          { "displayName eq null", "name eq null" } },
        { "{'op':'eq','field':'member_count','value':3,'exact':false}",
          { "size eq 3", "size eq 3" } },
        { "{'op':'eq','field':'email','value':'a','exact':false}",
          { NULL, NULL } },
        { "{'op':'present','field':'name'}", { "displayName pr", NULL } },
        { "{'op':'present','field':'email'}", { NULL, NULL } },
        { "{'op':'member','value':'a'}", { "members.value eq \"a\"", NULL } },
        { "{'op':'eq','field':'members','value':'a','exact':false}",
          { NULL, NULL } },
        { "{'op':'eq','field':'members','value':null}", { NULL, NULL } },
        { "{'op':'contains','field':'id','value':'\\n'}",
          { "id co \"\\u000a\"", NULL } },
        { "{'op':'not','args':[{'op':'eq','field':'id','value':'a'}]}",
          { "not (id eq \"a\")", NULL } },
        { "{'op':'and','args':[{'op':'eq','field':'id','value':'a'}]}",
          { "id eq \"a\"", "id eq 'a'" } },
        { "{'op':'and','args':[{'op':'or','args':[{'op':'and','args':["
          "{'op':'eq','field':'id','value':'a'}]}]},"
          "{'op':'eq','field':'id','value':'b'}]}",
          { "id eq \"a\" and id eq \"b\"", "id eq 'a' and id eq 'b'" } },
        { "{'op':'and','args':[{'op':'and','args':["
          "{'op':'eq','field':'id','value':'a'},"
          "{'op':'eq','field':'id','value':'b'}]},"
          "{'op':'eq','field':'id','value':'c'}]}",
          { "(id eq \"a\" and id eq \"b\") and id eq \"c\"",
            "(id eq 'a' and id eq 'b') and id eq 'c'" } },
        { "{'op':'or','args':[{'op':'eq','field':'id','value':'a'},"
          "{'op':'eq','field':'email','value':'b'}]}",
          { NULL, NULL } }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        filter = json(pool, cases[i].tree);

        for (s = 0; s < 2; s++) {
            rc = filter_text(pool, s, filter, &out);

            if (cases[i].out[s] == NULL) {
                each(rc == NGX_DECLINED, "%s in %s: %s", cases[i].tree,
                     syntaxes[s], unit_show(&out));
                continue;
            }

            want = unit_str(cases[i].out[s]);
            each(rc == NGX_OK && ngx_group_str_eq(&out, &want),
                 "%s in %s: %s", cases[i].tree, syntaxes[s], unit_show(&out));
        }
    }

    filter = json(pool, "{'op':'eq','value':'a','field':'id'}");

    filter->u.items.first->next->u.text = unit_str("\xff");
    each(filter_text(pool, SCIM, filter, &out) == NGX_DECLINED
         && filter_text(pool, ODATA, filter, &out) == NGX_DECLINED, "no UTF-8");

    filter->u.items.first->next->u.text.data = (u_char *) "a\0b";
    filter->u.items.first->next->u.text.len = 3;
    each(filter_text(pool, SCIM, filter, &out) == NGX_DECLINED
         && filter_text(pool, ODATA, filter, &out) == NGX_DECLINED, "NUL");

    each(ngx_group_filter_write(pool, SCIM, NULL,
                                json(pool, "{'op':'present','field':'id'}"),
                                &out)
         == NGX_DECLINED, "no names");

    /* an attribute that would be read as something else is not written */

    {
        ngx_keyval_t  kv[] = {
            { ngx_string("not"), ngx_string("id") },
            { ngx_string("a b"), ngx_string("id") },
            { ngx_string(""), ngx_string("id") },
            { ngx_string("NAME"), ngx_string("name") },
            { ngx_string("name"), ngx_string("id") },
            { ngx_string("identifier"), ngx_string("id") },
            { ngx_string("people.value"), ngx_string("members") }
        };
        ngx_array_t   some = { kv, 7, sizeof(ngx_keyval_t), 7, NULL };

        filter = json(pool, "{'op':'present','field':'id'}");
        rc = ngx_group_filter_write(pool, SCIM, &some, filter, &out);
        each(rc == NGX_OK && ngx_group_str_is(&out, "identifier pr"),
             "names: %s", unit_show(&out));

        some.nelts = 5;
        each(ngx_group_filter_write(pool, SCIM, &some, filter, &out)
             == NGX_DECLINED, "names that are none: %s", unit_show(&out));

        some.nelts = 7;
        filter = json(pool, "{'op':'member','value':'a'}");
        rc = ngx_group_filter_write(pool, SCIM, &some, filter, &out);
        each(rc == NGX_OK && ngx_group_str_is(&out, "people.value eq \"a\""),
             "members: %s", unit_show(&out));
        each(ngx_group_filter_parse(pool, SCIM, &some, &out, &filter, &want)
             == NGX_OK && ngx_group_value_equal(filter,
                             json(pool, "{'op':'member','value':'a'}")),
             "members again");
    }

    unit_cases("written in both syntaxes, or not");
}


/* random trees */

static const char  *fields[] = {
    "id", "name", "description", "created_at", "ext.acme.active",
    "member_count"
};

static const char  *pieces[] = {
    "a", "A", "b", "B", "ab", "Sales", "sAlES", " ", "'", "''", "\"", "\\",
    "\\u0041", "(", ")", "]", ",", " and ", " or ", "not", "\xc3\xa9",
    "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\n", "\x01", "2024-01-31T23:59:59Z"
};


static ngx_str_t
random_text(ngx_pool_t *pool, ngx_uint_t printable)
{
    u_char      *p;
    ngx_str_t    text;
    ngx_uint_t   n;
    const char  *piece;

    n = unit_random() % 4;

    text.data = ngx_pnalloc(pool, 100);
    p = text.data;

    while (n--) {
        piece = pieces[unit_random() % (sizeof(pieces) / sizeof(pieces[0]))];

        if (!printable || (u_char) *piece >= 0x20) {
            p = ngx_cpymem(p, piece, strlen(piece));
        }
    }

    text.len = (size_t) (p - text.data);

    return text;
}


static void
put(ngx_group_value_t *object, const char *key, ngx_group_value_t *value)
{
    value->key = unit_str(key);
    ngx_group_value_push(object, value);
}


static ngx_group_value_t *
literal(ngx_pool_t *pool, const char *text)
{
    ngx_str_t  s;

    s = unit_str(text);

    return ngx_group_value_string(pool, &s);
}


static ngx_group_value_t *
random_scalar(ngx_pool_t *pool, ngx_uint_t kind, ngx_uint_t printable)
{
    ngx_str_t           text;
    ngx_group_value_t  *value;

    static const char  *numbers[] = {
        "0", "-0", "1", "2", "10", "1.0", "0.1e1", "-3", "1e2", "100",
        "18446744073709551616"
    };

    switch (kind) {

    case 0:
        return ngx_group_value_create(pool, NGX_GROUP_NULL);

    case 1:
        return ngx_group_value_boolean(pool, unit_random() % 2);

    case 2:
        value = ngx_group_value_create(pool, NGX_GROUP_NUMBER);
        value->u.text = unit_str(numbers[unit_random() % 11]);
        return value;

    default:
        text = random_text(pool, printable);
        return ngx_group_value_string(pool, &text);
    }
}


/* "syntax" 2: any tree, also what no syntax can express */

static ngx_group_value_t *
random_tree(ngx_pool_t *pool, ngx_uint_t syntax, ngx_uint_t depth,
    ngx_uint_t *left)
{
    ngx_uint_t          n, op, exact;
    const char         *field;
    ngx_group_value_t  *node, *args, *value;

    static const char  *ops[] = {
        "eq", "ne", "gt", "ge", "lt", "le", "contains", "starts", "ends",
        "present", "member"
    };

    node = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    (*left)--;

    if (depth > 1 && *left > 4 && *left < 1000 && unit_random() % 2) {

        n = unit_random() % 5;

        args = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

        if (n == 0 && syntax != ODATA) {
            put(node, "op", literal(pool, "not"));
            n = 1;

        } else {
            put(node, "op", literal(pool, n % 2 ? "and" : "or"));
            n = 2 + unit_random() % 2;
        }

        put(node, "args", args);

        while (n--) {
            ngx_group_value_push(args, random_tree(pool, syntax, depth - 1,
                                                   left));
        }

        return node;
    }

    op = unit_random() % (syntax == ODATA ? 9 : 11);
    field = fields[unit_random() % 6];

    put(node, "op", literal(pool, ops[op]));

    if (op == 10) {
        put(node, "value", random_scalar(pool, 3, 0));
        return node;
    }

    put(node, "field", literal(pool, field));

    if (op == 9) {
        return node;
    }

    value = random_scalar(pool, op < 2 ? unit_random() % 6
                                       : op < 6 ? 2 + unit_random() % 4 : 3,
                          syntax == ODATA);

    exact = 1;

    if (value->type == NGX_GROUP_STRING) {

        if (syntax == SCIM) {
            exact = strcmp(field, "id") == 0
                    || strcmp(field, "created_at") == 0;

        } else if (syntax == 2) {
            exact = unit_random() % 2;
        }
    }

    put(node, "value", value);
    put(node, "exact", ngx_group_value_boolean(pool, exact));

    return node;
}


static void
test_round_trips(void)
{
    ngx_int_t           rc;
    ngx_str_t           text, exact, why;
    ngx_uint_t          i, s, left, written;
    ngx_pool_t         *pool;
    ngx_group_value_t  *tree, *again;

    unit_seed(3);
    written = 0;

    for (i = 0; i < 20000; i++) {
        pool = unit_pool();
        s = i % 3;
        left = 180;

        tree = random_tree(pool, s, 1 + unit_random() % 32, &left);

        each(ngx_group_filter_check(tree, &why) == NGX_OK, "a tree: %s",
             unit_show(&why));

        if (s == 2) {

            /* whatever can be written at all is the same again */

            s = unit_random() % 2;
            rc = filter_text(pool, s, tree, &text);

            if (rc == NGX_DECLINED) {
                ngx_destroy_pool(pool);
                continue;
            }

            written++;

        } else {
            rc = filter_text(pool, s, tree, &text);
        }

        each(rc == NGX_OK, "%s %lu: %ld", syntaxes[s], (unsigned long) i,
             (long) rc);

        if (rc != NGX_OK) {
            ngx_destroy_pool(pool);
            continue;
        }

        exact = unit_exact(text.data, text.len);

        rc = parse(pool, s, &exact, &again, &why);

        each(rc == NGX_OK && ngx_group_value_equal(tree, again),
             "%s: %ld, %s: %s", syntaxes[s], (long) rc, unit_show(&why),
             unit_show(&text));

        unit_exact_free(&exact);
        ngx_destroy_pool(pool);
    }

    unit_cases("parse(write(tree)) is the tree: 20000 trees, %lu of any kind",
               (unsigned long) written);
}


/* texts that are nearly filters: nothing is overrun, and what is read holds */

static void
test_mutations(void)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           text, in, why, out;
    ngx_uint_t          n, s, left, accepted;
    ngx_pool_t         *pool;
    ngx_group_value_t  *tree, *again;

    static u_char  bytes[] =
        "()[]\"'\\, .:$u0dD8eqandornotvaluemembers\x00\x01\x7f\x80\xc3\xff";

    unit_seed(4);
    accepted = 0;

    for (n = 0; n < 40000; n++) {
        pool = unit_pool();
        s = n % 2;
        left = 12;

        tree = random_tree(pool, s, 6, &left);

        if (filter_text(pool, s, tree, &text) != NGX_OK) {
            each(0, "a tree was not written");
            ngx_destroy_pool(pool);
            continue;
        }

        in.data = ngx_pnalloc(pool, text.len + 4);
        in.len = text.len;
        ngx_memcpy(in.data, text.data, text.len);

        for (left = 1 + unit_random() % 3; left; left--) {

            i = unit_random() % (in.len + 1);

            switch (unit_random() % 4) {

            case 0:         /* an end */
                if (unit_random() % 4 == 0) {
                    in.len = i;
                }
                break;

            case 1:         /* a byte less */
                if (i < in.len) {
                    memmove(in.data + i, in.data + i + 1, in.len - i - 1);
                    in.len--;
                }
                break;

            case 2:         /* a byte more */
                memmove(in.data + i + 1, in.data + i, in.len - i);
                in.len++;
                in.data[i] = bytes[unit_random() % (sizeof(bytes) - 1)];
                break;

            default:        /* another byte */
                if (i < in.len) {
                    in.data[i] = bytes[unit_random() % (sizeof(bytes) - 1)];
                }
            }
        }

        in = unit_exact(in.data, in.len);

        rc = parse(pool, s, &in, &tree, &why);

        if (rc == NGX_OK) {
            accepted++;

            each(ngx_group_filter_check(tree, &why) == NGX_OK, "%s: %s",
                 unit_show(&in), unit_show(&why));

            rc = filter_text(pool, s, tree, &out);

            if (rc == NGX_OK) {
                each(parse(pool, s, &out, &again, &why) == NGX_OK
                     && ngx_group_value_equal(tree, again),
                     "%s: %s", unit_show(&in), unit_show(&out));

            } else {
                each(rc == NGX_DECLINED && s == ODATA, "%s: %ld",
                     unit_show(&in), (long) rc);
            }

        } else {
            each(rc == NGX_DECLINED && why.len,
                 "%s: %ld, %s", unit_show(&in), (long) rc, unit_show(&why));
        }

        unit_exact_free(&in);
        ngx_destroy_pool(pool);
    }

    unit_cases("40000 mutations, %lu of them filters",
               (unsigned long) accepted);
}


static void
test_match(ngx_pool_t *pool)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_group_value_t  *filter, *group;

    static const char  *the_group =
        "{'id':'G1','name':'Sales Team','description':'','email':null,"
        "'status':'active','created_at':'2024-05-01T10:00:00Z',"
        "'member_count':3,'sticky_sender':false,"
        "'members':[{'id':'m1'},{'name':'no id'},{'id':'M2'}],'admins':[],"
        "'ext':{'acme':{'colour':'Red','deep':{'er':1.50}},'a.b':{'c':'x'}},"
        "'e.f':'y'}";

    static struct {
        const char  *op;        /* op, field, value, exact */
        ngx_uint_t   matches;
    } cases[] = {
        { "'eq','field':'name','value':'Sales Team'", 1 },
        { "'eq','field':'name','value':'sales team'", 0 },
        { "'eq','field':'name','value':'sALES tEAM','exact':false", 1 },
        { "'eq','field':'name','value':'Sales Tea','exact':false", 0 },
        { "'eq','field':'name','value':'Sales Teams','exact':false", 0 },
        { "'eq','field':'name','value':''", 0 },
        { "'ne','field':'name','value':'sales team'", 1 },
        { "'ne','field':'name','value':'sales team','exact':false", 0 },
        { "'gt','field':'name','value':'Sales'", 1 },
        { "'gt','field':'name','value':'Sales Team'", 0 },
        { "'gt','field':'name','value':'sales'", 0 },
        { "'gt','field':'name','value':'sales','exact':false", 1 },
        { "'ge','field':'name','value':'Sales Team'", 1 },
        { "'ge','field':'name','value':'Sales Teams'", 0 },
        { "'lt','field':'name','value':'Sales Teams'", 1 },
        { "'lt','field':'name','value':'sales'", 1 },
        { "'lt','field':'name','value':'\xc3\xa9'", 1 },
        { "'le','field':'name','value':'Sales Team'", 1 },
        { "'le','field':'name','value':'R','exact':false", 0 },
        { "'contains','field':'name','value':'es Te'", 1 },
        { "'contains','field':'name','value':'ES te'", 0 },
        { "'contains','field':'name','value':'ES te','exact':false", 1 },
        { "'contains','field':'name','value':'Sales Team'", 1 },
        { "'contains','field':'name','value':'Sales Team!'", 0 },
        { "'contains','field':'name','value':''", 1 },
        { "'starts','field':'name','value':'Sales'", 1 },
        { "'starts','field':'name','value':'Team'", 0 },
        { "'starts','field':'name','value':'sales','exact':false", 1 },
        { "'ends','field':'name','value':'Team'", 1 },
        { "'ends','field':'name','value':'Sales'", 0 },
        { "'ends','field':'name','value':'TEAM','exact':false", 1 },
        { "'ends','field':'name','value':'xSales Team'", 0 },
        { "'present','field':'name'", 1 },

        /* timestamps as texts */

        { "'gt','field':'created_at','value':'2024-04-30T23:59:59Z'", 1 },
        { "'lt','field':'created_at','value':'2024-04-30T23:59:59Z'", 0 },
        { "'le','field':'created_at','value':'2024-05-01T10:00:00Z'", 1 },

        /* empty, null, absent */

        { "'present','field':'description'", 0 },
        { "'eq','field':'description','value':''", 1 },
        { "'eq','field':'description','value':null", 0 },
        { "'ne','field':'description','value':null", 1 },
        { "'contains','field':'description','value':''", 1 },
        { "'contains','field':'description','value':'a'", 0 },
        { "'present','field':'email'", 0 },
        { "'present','field':'owner'", 0 },
        { "'eq','field':'email','value':'a'", 0 },
        { "'eq','field':'owner','value':'a'", 0 },
        { "'ne','field':'email','value':'a'", 1 },
        { "'ne','field':'owner','value':'a'", 1 },
        { "'eq','field':'email','value':null", 1 },
        { "'eq','field':'owner','value':null", 1 },
        { "'ne','field':'email','value':null", 0 },
        { "'ne','field':'owner','value':null", 0 },
        { "'eq','field':'owner'", 1 },
        { "'eq','field':'name','value':null", 0 },
        { "'ne','field':'name','value':null", 1 },
        { "'gt','field':'owner','value':''", 0 },
        { "'ge','field':'owner','value':''", 0 },
        { "'lt','field':'owner','value':'z'", 0 },
        { "'le','field':'owner','value':'z'", 0 },
        { "'contains','field':'owner','value':''", 0 },
        { "'starts','field':'email','value':''", 0 },
        { "'ends','field':'owner','value':''", 0 },

        /* numbers and booleans */

        { "'eq','field':'member_count','value':3", 1 },
        { "'eq','field':'member_count','value':3.0", 1 },
        { "'eq','field':'member_count','value':0.3e1", 1 },
        { "'ne','field':'member_count','value':30e-1", 0 },
        { "'gt','field':'member_count','value':2.999999999999999999999", 1 },
        { "'lt','field':'member_count','value':10", 1 },
        { "'ge','field':'member_count','value':-3", 1 },
        { "'le','field':'member_count','value':2", 0 },
        { "'eq','field':'member_count','value':'3'", 0 },
        { "'ne','field':'member_count','value':'3'", 1 },
        { "'gt','field':'member_count','value':'2'", 0 },
        { "'contains','field':'member_count','value':'3'", 0 },
        { "'eq','field':'name','value':3", 0 },
        { "'ne','field':'name','value':true", 1 },
        { "'eq','field':'sticky_sender','value':false", 1 },
        { "'eq','field':'sticky_sender','value':true", 0 },
        { "'ne','field':'sticky_sender','value':true", 1 },
        { "'present','field':'sticky_sender'", 1 },
        { "'present','field':'member_count'", 1 },

        /* members, arrays, paths */

        { "'member','value':'m1'", 1 },
        { "'member','value':'M1'", 0 },
        { "'member','value':'M2'", 1 },
        { "'member','value':''", 0 },
        { "'member','value':'m'", 0 },
        { "'present','field':'members'", 1 },
        { "'present','field':'admins'", 0 },
        { "'eq','field':'members','value':'m1'", 0 },
        { "'ne','field':'members','value':'m1'", 1 },
        { "'eq','field':'ext.acme.colour','value':'Red'", 1 },
        { "'eq','field':'ext.acme.deep.er','value':1.5", 1 },
        { "'eq','field':'ext.acme.none','value':null", 1 },
        { "'eq','field':'name.x','value':null", 1 },
        { "'eq','field':'e.f','value':'y'", 1 },
        { "'eq','field':'.','value':null", 1 },
        { "'eq','field':'ext.','value':null", 1 },
        { "'present','field':'ext'", 1 }
    };

    group = json(pool, the_group);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        u_char  text[300];

        *ngx_snprintf(text, sizeof(text) - 1, "{'op':%s}", cases[i].op) = '\0';
        filter = json(pool, (char *) text);

        rc = ngx_group_filter_match(filter, group);
        each(rc == (cases[i].matches ? NGX_OK : NGX_DECLINED), "%s: %ld",
             cases[i].op, (long) rc);
    }

    each(ngx_group_filter_match(json(pool, "{'op':'member','value':'a'}"),
                                json(pool, "{'members':'a'}"))
         == NGX_DECLINED, "members that are none");
    each(ngx_group_filter_match(json(pool, "{'op':'member','value':'a'}"),
                                json(pool, "{}"))
         == NGX_DECLINED, "no members");
    each(ngx_group_filter_match(json(pool, "{'op':'present','field':'a'}"),
                                json(pool, "[]"))
         == NGX_DECLINED, "no group");

    unit_cases("truth table");

    /* and, or, not: x is true, y is false, z is no filter */

    {
        static const char  *parts[] = {
            "{'op':'present','field':'name'}",
            "{'op':'present','field':'owner'}",
            "{'op':'bad'}"
        };

        static struct {
            const char  *op;
            int          args[4];
            ngx_int_t    rc;
        } logic[] = {
            { "not", { 0, -1 }, NGX_DECLINED },
            { "not", { 1, -1 }, NGX_OK },
            { "not", { 2, -1 }, NGX_ERROR },
            { "and", { 0, -1 }, NGX_OK },
            { "and", { 1, -1 }, NGX_DECLINED },
            { "or", { 0, -1 }, NGX_OK },
            { "or", { 1, -1 }, NGX_DECLINED },
            { "and", { 0, 0, -1 }, NGX_OK },
            { "and", { 0, 1, -1 }, NGX_DECLINED },
            { "and", { 1, 0, -1 }, NGX_DECLINED },
            { "and", { 1, 1, -1 }, NGX_DECLINED },
            { "and", { 0, 0, 1, -1 }, NGX_DECLINED },
            { "and", { 2, 0, -1 }, NGX_ERROR },
            { "and", { 0, 2, -1 }, NGX_ERROR },
            { "or", { 0, 0, -1 }, NGX_OK },
            { "or", { 0, 1, -1 }, NGX_OK },
            { "or", { 1, 0, -1 }, NGX_OK },
            { "or", { 1, 1, -1 }, NGX_DECLINED },
            { "or", { 1, 1, 0, -1 }, NGX_OK },
            { "or", { 2, 0, -1 }, NGX_ERROR },
            { "or", { 1, 2, -1 }, NGX_ERROR }
        };

        int                *arg;
        ngx_group_value_t  *args;

        for (i = 0; i < sizeof(logic) / sizeof(logic[0]); i++) {
            filter = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
            args = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

            put(filter, "op", literal(pool, logic[i].op));
            put(filter, "args", args);

            for (arg = logic[i].args; *arg >= 0; arg++) {
                ngx_group_value_push(args, json(pool, parts[*arg]));
            }

            rc = ngx_group_filter_match(filter, group);
            each(rc == logic[i].rc, "%s, %lu: %ld", logic[i].op,
                 (unsigned long) i, (long) rc);
        }
    }

    unit_cases("and, or, not");
}


/* numbers by their value, and parts of texts, beside a simple way */

static void
test_compare(ngx_pool_t *pool)
{
    int          want;
    char         x[64], y[64];
    long         m, n;
    size_t       i, j, k;
    ngx_str_t    a, b;
    ngx_uint_t   found;

    static const char  *sorted[] = {
        "-1e999999999999999999", "-1e400", "-18446744073709551617",
        "-18446744073709551616", "-2", "-1.5", "-1", "-0.10", "-0.01",
        "-1e-400", "0", "1e-999999999999999999", "1e-400", "0.001", "0.01",
        "0.1", "0.99999999999999999999999", "1", "1.0000000000000000001",
        "9.9", "10", "99", "100", "9007199254740992", "9007199254740993",
        "18446744073709551616", "18446744073709551617", "1e400", "2e400",
        "1e999999999999999999"
    };

    static const char  *same[][2] = {
        { "0", "-0" }, { "0", "0.0" }, { "0", "0e9" }, { "-0.00", "0E-5" },
        { "1", "1.0" }, { "100", "1e2" }, { "100", "1E+2" }, { "100", "0.1e3" },
        { "0.01", "1e-2" }, { "-12.50", "-1.25e1" }, { "1000e-3", "1" },
        { "0.00012", "12e-5" }
    };

    k = sizeof(sorted) / sizeof(sorted[0]);

    for (i = 0; i < k; i++) {
        for (j = 0; j < k; j++) {
            a = unit_exact(sorted[i], strlen(sorted[i]));
            b = unit_exact(sorted[j], strlen(sorted[j]));

            each(ngx_group_filter_number_cmp(&a, &b)
                 == (ngx_int_t) (i > j) - (ngx_int_t) (i < j),
                 "%s and %s", sorted[i], sorted[j]);

            unit_exact_free(&a);
            unit_exact_free(&b);
        }
    }

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        a = unit_str(same[i][0]);
        b = unit_str(same[i][1]);

        each(ngx_group_filter_number_cmp(&a, &b) == 0
             && ngx_group_filter_number_cmp(&b, &a) == 0, "%s and %s",
             same[i][0], same[i][1]);
    }

    unit_seed(5);

    for (i = 0; i < 20000; i++) {
        m = (long) (unit_random() % 4001) - 2000;
        n = (long) (unit_random() % 4001) - 2000;

        /* in thousandths */

        (void) snprintf(x, sizeof(x), "%lde-3", m);
        (void) snprintf(y, sizeof(y), "%s%ld.%03ld", n < 0 ? "-" : "",
                        labs(n) / 1000, labs(n) % 1000);
        want = (m > n) - (m < n);

        a = unit_str(x);
        b = unit_str(y);

        each(ngx_group_filter_number_cmp(&a, &b) == want
             && ngx_group_filter_number_cmp(&b, &a) == -want, "%s and %s", x,
             y);
    }

    unit_cases("numbers");

    for (i = 0; i < 20000; i++) {
        ngx_uint_t          exact;
        ngx_group_value_t  *filter, *group, *value;

        a.len = unit_random() % 40;
        b.len = unit_random() % 5;

        for (j = 0; j < a.len; j++) {
            x[j] = "aAbB"[unit_random() % 4];
        }

        for (j = 0; j < b.len; j++) {
            y[j] = "aAbB"[unit_random() % 4];
        }

        exact = unit_random() % 2;
        found = 0;

        for (j = 0; j + b.len <= a.len; j++) {
            found |= exact ? memcmp(x + j, y, b.len) == 0
                           : strncasecmp(x + j, y, b.len) == 0;
        }

        a = unit_exact(x, a.len);
        b = unit_exact(y, b.len);

        group = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
        value = ngx_group_value_string(pool, &a);
        put(group, "name", value);

        filter = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
        put(filter, "op", literal(pool, "contains"));
        put(filter, "field", literal(pool, "name"));
        put(filter, "value", ngx_group_value_string(pool, &b));
        put(filter, "exact", ngx_group_value_boolean(pool, exact));

        each(ngx_group_filter_match(filter, group)
             == (found ? NGX_OK : NGX_DECLINED), "%s in %s", unit_show(&b),
             unit_show(&a));

        unit_exact_free(&a);
        unit_exact_free(&b);
    }

    unit_cases("parts of texts");
}


static ngx_group_value_t *
random_group(ngx_pool_t *pool)
{
    ngx_str_t           id;
    ngx_uint_t          i;
    ngx_group_value_t  *group, *members, *member, *ext, *acme;

    group = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    for (i = 0; i < 6; i++) {

        if (unit_random() % 5 == 0) {
            continue;
        }

        if (i != 4) {
            put(group, fields[i], random_scalar(pool, unit_random() % 9, 0));
            continue;
        }

        ext = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
        acme = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
        put(acme, "active", random_scalar(pool, unit_random() % 5, 0));
        put(ext, "acme", acme);
        put(group, "ext", ext);
    }

    members = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

    for (i = unit_random() % 3; i; i--) {
        member = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
        id = random_text(pool, 0);
        put(member, "id", ngx_group_value_string(pool, &id));
        ngx_group_value_push(members, member);
    }

    put(group, "members", members);

    return group;
}


/* changes a group so that most texts that are asked for are there */

static void
satisfy(ngx_pool_t *pool, ngx_group_value_t *tree, ngx_group_value_t *group)
{
    u_char                   *p;
    size_t                    i;
    ngx_str_t                 text;
    ngx_group_value_t        *arg;
    ngx_group_filter_node_t   node;

    if (ngx_group_filter_node(tree, &node) != NULL) {
        abort();
    }

    if (node.args) {
        for (arg = node.args->u.items.first; arg; arg = arg->next) {
            satisfy(pool, arg, group);
        }

        return;
    }

    if (node.value == NULL || node.value->type != NGX_GROUP_STRING
        || node.field == NULL || node.field->data[0] == 'e')
    {
        return;
    }

    text.data = ngx_pnalloc(pool, node.value->u.text.len + 2);
    p = text.data;

    if (node.op == NGX_GROUP_FILTER_CONTAINS
        || node.op == NGX_GROUP_FILTER_ENDS)
    {
        *p++ = 'a';
    }

    for (i = 0; i < node.value->u.text.len; i++, p++) {
        *p = node.value->u.text.data[i];

        if (!node.exact && unit_random() % 2) {
            *p = (u_char) (unit_random() % 2 ? ngx_toupper(*p)
                                             : ngx_tolower(*p));
        }
    }

    if (node.op == NGX_GROUP_FILTER_CONTAINS
        || node.op == NGX_GROUP_FILTER_STARTS)
    {
        *p++ = 'B';
    }

    text.len = (size_t) (p - text.data);

    ngx_group_value_set(group, node.field, ngx_group_value_string(pool, &text));
}


static ngx_group_value_t *
wrap(ngx_pool_t *pool, const char *op, ngx_group_value_t *a,
    ngx_group_value_t *b)
{
    ngx_group_value_t  *node, *args;

    node = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    args = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

    put(node, "op", literal(pool, op));
    put(node, "args", args);

    ngx_group_value_push(args, ngx_group_value_copy(pool, a));

    if (b) {
        ngx_group_value_push(args, ngx_group_value_copy(pool, b));
    }

    return node;
}


/* laws of what trees mean, among them that a hint never hides a match */

static void
test_laws(void)
{
    ngx_int_t           x, y;
    ngx_str_t           field, text, why, shown;
    ngx_uint_t          i, j, left, exact, hints, matches;
    ngx_pool_t         *pool;
    ngx_group_value_t  *a, *b, *group, *value, *contains;

    unit_seed(6);
    hints = 0;
    matches = 0;

    for (i = 0; i < 20000; i++) {
        pool = unit_pool();

        group = random_group(pool);
        left = 6;
        a = random_tree(pool, 2, 3, &left);
        left = 6;
        b = random_tree(pool, 2, 3, &left);

        if (unit_random() % 4) {
            satisfy(pool, b, group);
            satisfy(pool, a, group);
        }

        x = ngx_group_filter_match(a, group);
        y = ngx_group_filter_match(b, group);

        each((x == NGX_OK || x == NGX_DECLINED)
             && (y == NGX_OK || y == NGX_DECLINED), "a match");

        each((ngx_group_filter_match(wrap(pool, "not", a, NULL), group)
              == NGX_OK) == (x != NGX_OK), "not");
        each((ngx_group_filter_match(wrap(pool, "and", a, b), group)
              == NGX_OK) == (x == NGX_OK && y == NGX_OK), "and");
        each((ngx_group_filter_match(wrap(pool, "or", a, b), group)
              == NGX_OK) == (x == NGX_OK || y == NGX_OK), "or");

        /* half of them under an "and", where most hints are */

        if (i % 2) {
            a = wrap(pool, "and", a, b);
            x = (x == NGX_OK && y == NGX_OK) ? NGX_OK : NGX_DECLINED;
        }

        for (j = 0; j < 6; j++) {
            field = unit_str(fields[j]);

            if (ngx_group_filter_hint(a, &field, &text, &exact) != NGX_OK) {
                continue;
            }

            hints++;

            each(text.len && ngx_group_filter_uses(a, &field),
                 "a hint of %s", fields[j]);

            if (x != NGX_OK) {
                continue;
            }

            matches++;

            /* so the field is a text that contains it */

            contains = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
            put(contains, "op", literal(pool, "contains"));
            put(contains, "field", ngx_group_value_string(pool, &field));
            put(contains, "value", ngx_group_value_string(pool, &text));
            put(contains, "exact", ngx_group_value_boolean(pool, exact));

            shown = dump(pool, group);

            each(ngx_group_filter_match(contains, group) == NGX_OK,
                 "%s does not contain %s", unit_show(&shown),
                 unit_show(&text));
        }

        /* a field that it does not use changes nothing */

        for (j = 0; j < 6; j++) {
            field = unit_str(fields[j]);

            if (j == 4 || ngx_group_filter_uses(a, &field)) {
                continue;
            }

            value = ngx_group_value_copy(pool, group);
            ngx_group_value_unset(value, &field);

            each(ngx_group_filter_match(a, value) == x, "without %s",
                 fields[j]);
        }

        each(ngx_group_filter_check(a, &why) == NGX_OK, "left as it was");

        ngx_destroy_pool(pool);
    }

    unit_cases("laws of 20000 trees: %lu hints, %lu of them of a match",
               (unsigned long) hints, (unsigned long) matches);

    ok(matches > 1000, "enough matches to mean something");
}


static void
test_hints(ngx_pool_t *pool)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           field, text, want;
    ngx_uint_t          exact;
    ngx_group_value_t  *filter;

#define CO(f, v, e)                                                           \
    "{'op':'contains','field':'" f "','value':'" v "','exact':" e "}"

    static struct {
        const char  *tree;
        const char  *text;
        ngx_uint_t   exact;
    } cases[] = {
        { CO("name", "abc", "false"), "abc", 0 },
        { CO("name", "abc", "true"), "abc", 1 },
        { CO("name", "", "true"), NULL, 0 },
        { CO("description", "abc", "true"), NULL, 0 },
        { "{'op':'eq','field':'name','value':'a','exact':false}", "a", 0 },
        { "{'op':'starts','field':'name','value':'a'}", "a", 1 },
        { "{'op':'ends','field':'name','value':'a'}", "a", 1 },
        { "{'op':'eq','field':'name','value':null}", NULL, 0 },
        { "{'op':'eq','field':'name','value':5}", NULL, 0 },
        { "{'op':'ne','field':'name','value':'a'}", NULL, 0 },
        { "{'op':'gt','field':'name','value':'a'}", NULL, 0 },
        { "{'op':'present','field':'name'}", NULL, 0 },
        { "{'op':'member','value':'a'}", NULL, 0 },
        { "{'op':'and','args':[" CO("name", "a", "true") ","
          CO("name", "abc", "false") "," CO("description", "abcd", "true")
          "]}", "abc", 0 },
        { "{'op':'and','args':[" CO("name", "abc", "false") ","
          CO("name", "xyz", "true") "]}", "xyz", 1 },
        { "{'op':'and','args':[" CO("name", "abc", "true") ","
          CO("name", "xyz", "false") "]}", "abc", 1 },
        { "{'op':'and','args':[{'op':'and','args':[" CO("name", "a", "true")
          "]},{'op':'present','field':'id'}]}", "a", 1 },
        { "{'op':'or','args':[" CO("name", "a", "true") "]}", "a", 1 },
        { "{'op':'or','args':[" CO("name", "a", "true") ","
          CO("name", "a", "true") "]}", NULL, 0 },
        { "{'op':'not','args':[" CO("name", "a", "true") "]}", NULL, 0 },
        { "{'op':'and','args':[{'op':'not','args':[" CO("name", "abc", "true")
          "]}," CO("name", "a", "true") "]}", "a", 1 }
    };

    field = unit_str("name");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        filter = json(pool, cases[i].tree);
        rc = ngx_group_filter_hint(filter, &field, &text, &exact);

        if (cases[i].text == NULL) {
            each(rc == NGX_DECLINED, "%s: %s", cases[i].tree,
                 unit_show(&text));
            continue;
        }

        want = unit_str(cases[i].text);
        each(rc == NGX_OK && ngx_group_str_eq(&text, &want)
             && exact == cases[i].exact, "%s: %s", cases[i].tree,
             unit_show(&text));
    }

    filter = json(pool, "{'op':'or','args':[{'op':'present','field':'id'},"
                        "{'op':'not','args':[{'op':'member','value':'a'}]}]}");
    field = unit_str("members");
    each(ngx_group_filter_uses(filter, &field) == 1, "members are used");
    field = unit_str("id");
    each(ngx_group_filter_uses(filter, &field) == 1, "id is used");
    field = unit_str("name");
    each(ngx_group_filter_uses(filter, &field) == 0, "name is not");

    unit_cases("hints and uses");
}


static void
test_ids(ngx_pool_t *pool)
{
    ngx_int_t           rc;
    ngx_str_t           why;
    ngx_group_value_t  *filter;

#define UUID42  "6e677267-0100-8000-8000-00000000002a"

    filter = json(pool, "{'op':'or','args':["
                        "{'op':'eq','field':'id','value':'" UUID42 "'},"
                        "{'op':'ne','field':'id','value':null},"
                        "{'op':'eq','field':'name','value':'" UUID42 "'},"
                        "{'op':'present','field':'id'},"
                        "{'op':'not','args':[{'op':'member','value':'"
                        "NDI='}]}]}");

    rc = ngx_group_filter_ids(pool, filter, NGX_GROUP_ID_UUID,
                              NGX_GROUP_ID_DECIMAL, NGX_GROUP_ID_BASE64,
                              NGX_GROUP_ID_OPAQUE, &why);

    ok(rc == NGX_OK
       && ngx_group_value_equal(filter, json(pool, "{'op':'or','args':["
                        "{'op':'eq','field':'id','value':'42'},"
                        "{'op':'ne','field':'id','value':null},"
                        "{'op':'eq','field':'name','value':'" UUID42 "'},"
                        "{'op':'present','field':'id'},"
                        "{'op':'not','args':[{'op':'member','value':'42'}]}"
                        "]}")), "ids are converted, and nothing else");

    filter = json(pool, "{'op':'starts','field':'id','value':'6e'}");
    ok(ngx_group_filter_ids(pool, filter, NGX_GROUP_ID_UUID,
                            NGX_GROUP_ID_DECIMAL, 0, 0, &why)
       == NGX_DECLINED, "a part of an id cannot be converted");
    is(&why, "the filter may ask of an id only whether it is the same", "why");

    ok(ngx_group_filter_ids(pool, filter, NGX_GROUP_ID_UUID,
                            NGX_GROUP_ID_UUID, 0, 0, &why) == NGX_OK
       && ngx_group_filter_ids(pool, filter, NGX_GROUP_ID_OPAQUE,
                               NGX_GROUP_ID_UUID, 0, 0, &why) == NGX_OK,
       "and need not where the forms are the same");

    ok(ngx_group_filter_ids(pool, json(pool, "{'op':'x'}"), 0, 0, 0, 0, &why)
       == NGX_ERROR, "no filter");

    filter = json(pool, "{'op':'member','value':'NDI='}");
    unit_fail(1);
    ok(ngx_group_filter_ids(pool, filter, 0, 0, NGX_GROUP_ID_BASE64,
                            NGX_GROUP_ID_OPAQUE, &why) == NGX_ERROR,
       "no memory");
    unit_fail(0);
}


static void
test_order_parse(ngx_pool_t *pool)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           by, way, why, got;
    ngx_uint_t          n;
    ngx_group_value_t  *order;

#define ORDER(f, d, a)                                                        \
    "{'field':'" f "','descending':" d ",'absent_first':" a "}"

    static struct {
        ngx_uint_t   syntax;
        const char  *by;
        const char  *way;
        const char  *out;       /* or why not */
        ngx_uint_t   refused;
    } cases[] = {
        { ODATA, "", NULL, "[]", 0 },
        { ODATA, "  ", NULL, "[]", 0 },
        { ODATA, "name", NULL, "[" ORDER("name", "false", "false") "]", 0 },
        { ODATA, "name asc, description desc", NULL,
          "[" ORDER("name", "false", "false") ","
          ORDER("description", "true", "false") "]", 0 },
        { ODATA, " name  desc ,size,created asc", NULL,
          "[" ORDER("name", "true", "false") ","
          ORDER("member_count", "false", "false") ","
          ORDER("created_at", "false", "false") "]", 0 },
        { ODATA, "name", "descending",
          "[" ORDER("name", "false", "false") "]", 0 },
        { ODATA, "Name", NULL, "the order is by an attribute that cannot be "
          "ordered by \"Name\", at byte 0", 1 },
        { ODATA, "name,email", NULL, "the order is by an attribute that cannot "
          "be ordered by \"email\", at byte 5", 1 },
        { ODATA, "members", NULL, "the order is by an attribute that cannot be "
          "ordered by \"members\", at byte 0", 1 },
        { ODATA, "name,", NULL, "the order has no attribute where one is "
          "expected, at byte 5", 1 },
        { ODATA, ",name", NULL, "the order has no attribute where one is "
          "expected, at byte 0", 1 },
        { ODATA, "name,,id", NULL, "the order has no attribute where one is "
          "expected, at byte 5", 1 },
        { ODATA, "name DESC", NULL, "the order has no \",\" where one is "
          "expected, at byte 5", 1 },
        { ODATA, "name asc desc", NULL, "the order has no \",\" where one is "
          "expected, at byte 9", 1 },
        { ODATA, "name;id", NULL, "the order has no \",\" where one is "
          "expected, at byte 4", 1 },
        { ODATA, "name\tdesc", NULL, "the order has no \",\" where one is "
          "expected, at byte 4", 1 },
        { SCIM, "", NULL, "[]", 0 },
        { SCIM, "", "descending", "[]", 0 },
        { SCIM, "displayName", NULL,
          "[" ORDER("name", "false", "false") "]", 0 },
        { SCIM, "displayName", "",
          "[" ORDER("name", "false", "false") "]", 0 },
        { SCIM, URN "DISPLAYNAME", "Ascending",
          "[" ORDER("name", "false", "false") "]", 0 },
        { SCIM, "meta.created", "descending",
          "[" ORDER("created_at", "true", "true") "]", 0 },
        { SCIM, "displayName", "desc", "the order is neither \"ascending\" nor "
          "\"descending\"", 1 },
        { SCIM, "displayName,id", NULL, "the order is by something that is no "
          "attribute", 1 },
        { SCIM, "displayName desc", NULL, "the order is by something that is "
          "no attribute", 1 },
        { SCIM, "name", NULL, "the order is by an attribute that cannot be "
          "ordered by \"name\", at byte 0", 1 },
        { SCIM, "members.value", NULL, "the order is by an attribute that "
          "cannot be ordered by \"members.value\", at byte 0", 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        by = unit_exact(cases[i].by, strlen(cases[i].by));
        ngx_str_null(&why);

        if (cases[i].way) {
            way = unit_str(cases[i].way);
        }

        rc = ngx_group_order_parse(pool, cases[i].syntax,
                                   &names[cases[i].syntax], &by,
                                   cases[i].way ? &way : NULL, &order, &why);

        if (cases[i].refused) {
            each(rc == NGX_DECLINED && why.len == strlen(cases[i].out)
                 && memcmp(why.data, cases[i].out, why.len) == 0,
                 "%s: %ld, %s", cases[i].by, (long) rc, unit_show(&why));

        } else {
            each(rc == NGX_OK, "%s: %ld, %s", cases[i].by, (long) rc,
                 unit_show(&why));

            if (rc == NGX_OK) {
                got = dump(pool, order);
                each(ngx_group_value_equal(order, json(pool, cases[i].out)),
                     "%s: %s", cases[i].by, unit_show(&got));
            }
        }

        unit_exact_free(&by);
    }

    by = nest(pool, 15, "name,", "name", "");
    each(ngx_group_order_parse(pool, ODATA, &names[ODATA], &by, NULL, &order,
                               &why)
         == NGX_OK && order->n == 16, "16 fields");

    by = nest(pool, 16, "name,", "name", "");
    each(ngx_group_order_parse(pool, ODATA, &names[ODATA], &by, NULL, &order,
                               &why)
         == NGX_DECLINED, "17 are too many");

    unit_cases("orderings");

    by = unit_str("name desc, size");

    for (n = 1; ; n++) {
        unit_fail(n);
        rc = ngx_group_order_parse(pool, ODATA, &names[ODATA], &by, NULL,
                                   &order, &why);

        if (!unit_failed()) {
            break;
        }

        each(rc == NGX_ERROR, "allocation %lu: %ld", (unsigned long) n,
             (long) rc);
    }

    unit_fail(0);
    each(rc == NGX_OK && n > 8, "%lu: %ld", (unsigned long) n, (long) rc);

    unit_cases("orderings without memory");
}


/* the values of "n" in the order of a list, and whether the list is whole */

static ngx_str_t
sequence(ngx_pool_t *pool, ngx_group_value_t *list)
{
    u_char             *p;
    ngx_str_t           out, n;
    ngx_uint_t          count;
    ngx_group_value_t  *item, *last;

    n = unit_str("n");
    count = 0;
    last = NULL;

    out.data = ngx_pnalloc(pool, 200);
    p = out.data;

    for (item = list->u.items.first; item; item = item->next) {
        p = ngx_slprintf(p, out.data + 200, "%V",
                         &ngx_group_value_get(item, &n)->u.text);
        last = item;
        count++;
    }

    if (count != list->n || last != list->u.items.last) {
        p = ngx_slprintf(p, out.data + 200, " BAD LIST");
    }

    out.len = (size_t) (p - out.data);

    return out;
}


static void
test_order_sort(ngx_pool_t *pool)
{
    size_t              i;
    ngx_str_t           out, name, key;
    ngx_uint_t          n, j, a, b;
    ngx_group_value_t  *list, *order, *item, *value, *prev;

    static struct {
        const char  *order;
        const char  *list;
        const char  *out;
    } cases[] = {
        { "[" ORDER("a", "false", "false") "]", "[]", "" },
        { "[" ORDER("a", "false", "false") "]", "[{'n':1}]", "1" },
        { "[]", "[{'n':2,'a':'b'},{'n':1,'a':'a'}]", "21" },
        { "[" ORDER("a", "false", "false") "]",
          "[{'n':2,'a':'b'},{'n':1,'a':'a'}]", "12" },
        { "[" ORDER("a", "true", "false") "]",
          "[{'n':2,'a':'a'},{'n':1,'a':'b'}]", "12" },

        /* case is not minded, and what is equal stays */

        { "[" ORDER("a", "false", "false") "]",
          "[{'n':4,'a':'C'},{'n':2,'a':'b'},{'n':1,'a':'A'},{'n':3,'a':'B'},"
          "{'n':5,'a':'c'}]", "12345" },
        { "[" ORDER("a", "true", "false") "]",
          "[{'n':5,'a':'a'},{'n':1,'a':'b'},{'n':2,'a':'B'},{'n':3,'a':'b'},"
          "{'n':6,'a':'A'}]", "12356" },

        /* what is absent */

        { "[" ORDER("a", "false", "false") "]",
          "[{'n':3},{'n':4,'a':null},{'n':1,'a':''},{'n':5,'a':[]},"
          "{'n':2,'a':'x'},{'n':6,'a':{}}]", "123456" },
        { "[" ORDER("a", "true", "false") "]",
          "[{'n':3},{'n':4,'a':null},{'n':2,'a':''},{'n':1,'a':'x'}]",
          "1234" },
        { "[" ORDER("a", "true", "true") "]",
          "[{'n':3,'a':'x'},{'n':1},{'n':4,'a':''},{'n':2,'a':null}]",
          "1234" },

        /* types */

        { "[" ORDER("a", "false", "false") "]",
          "[{'n':8,'a':'0'},{'n':6,'a':10},{'n':5,'a':9.5},{'n':2,'a':true},"
          "{'n':1,'a':false},{'n':3,'a':-2},{'n':9,'a':'true'},"
          "{'n':4,'a':-1},{'n':7,'a':1e3}]", "123456789" },
        { "[" ORDER("a", "true", "false") "]",
          "[{'n':2,'a':9},{'n':1,'a':10},{'n':3,'a':true},{'n':4,'a':false}]",
          "1234" },

        /* more than one field */

        { "[" ORDER("a", "false", "false") "," ORDER("b.c", "true", "false")
          "]",
          "[{'n':4,'a':'y'},{'n':2,'a':'x','b':{'c':1}},{'n':5,'a':'z',"
          "'b':{'c':9}},{'n':1,'a':'X','b':{'c':2}},{'n':3,'a':'x'}]",
          "12345" },

        /* orders that a hook has spoilt */

        { "[1,{},{'field':1}," ORDER("a", "false", "false") "]",
          "[{'n':2,'a':'b'},{'n':1,'a':'a'}]", "12" },
        { "[{'field':'a'}]", "[{'n':2,'a':'b'},{'n':1,'a':'a'}]", "12" },
        { "{}", "[{'n':2,'a':'b'},{'n':1,'a':'a'}]", "21" },
        { "null", "[{'n':2,'a':'b'},{'n':1,'a':'a'}]", "21" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        list = json(pool, cases[i].list);
        ngx_group_order_sort(json(pool, cases[i].order), list);
        out = sequence(pool, list);

        each(out.len == strlen(cases[i].out)
             && memcmp(out.data, cases[i].out, out.len) == 0, "%s: %s",
             cases[i].list, unit_show(&out));
    }

    ngx_group_order_sort(NULL, list);
    ngx_group_order_sort(json(pool, cases[0].order), NULL);
    ngx_group_order_sort(json(pool, cases[0].order), json(pool, "{'a':1}"));

    unit_cases("sorted lists");

    /* any length: sorted, stable, and nothing is lost */

    unit_seed(7);
    order = json(pool, "[" ORDER("name", "false", "false") "]");
    name = unit_str("name");
    key = unit_str("n");

    for (n = 0; n < 300; n++) {
        ngx_uint_t  count, sum;

        count = n < 290 ? n : 5000 + n;
        list = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

        for (j = 0; j < count; j++) {
            item = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
            value = ngx_group_value_integer(pool,
                                     (int64_t) (unit_random() % (1 + n / 2)));
            put(item, "name", value);
            put(item, "n", ngx_group_value_integer(pool, (int64_t) j));
            ngx_group_value_push(list, item);
        }

        ngx_group_order_sort(order, list);

        prev = NULL;
        sum = 0;
        j = 0;

        for (item = list->u.items.first; item; item = item->next) {
            value = ngx_group_value_get(item, &key);
            sum += (ngx_uint_t) ngx_atoi(value->u.text.data,
                                         value->u.text.len);
            j++;

            if (prev) {
                value = ngx_group_value_get(prev, &name);
                a = (ngx_uint_t) ngx_atoi(value->u.text.data,
                                          value->u.text.len);
                value = ngx_group_value_get(item, &name);
                b = (ngx_uint_t) ngx_atoi(value->u.text.data,
                                          value->u.text.len);

                if (a == b) {
                    value = ngx_group_value_get(prev, &key);
                    a = (ngx_uint_t) ngx_atoi(value->u.text.data,
                                              value->u.text.len);
                    value = ngx_group_value_get(item, &key);
                    b = (ngx_uint_t) ngx_atoi(value->u.text.data,
                                              value->u.text.len);
                }

                if (a >= b) {
                    each(0, "%lu: not in order", (unsigned long) count);
                    break;
                }
            }

            prev = item;
        }

        each(j == count && list->n == count
             && list->u.items.last == prev
             && sum == (count ? count * (count - 1) / 2 : 0),
             "%lu: %lu", (unsigned long) count, (unsigned long) j);
    }

    unit_cases("lists of 0 to 289, and longer ones");
}


static void
test_memory(void)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           in, out, why;
    ngx_uint_t          n, live;
    ngx_pool_t         *pool;
    ngx_group_value_t  *filter;

    static struct {
        ngx_uint_t   syntax;
        ngx_int_t    rc;
        const char  *in;
    } cases[] = {
        { SCIM, NGX_OK, "displayName eq \"a\\\"b\" and (id pr or size gt 5 or "
          "not (active eq true)) or members[value eq \"a\" or "
          "value eq \"b\"]" },
        { SCIM, NGX_OK, "members[value eq \"a\"]" },
        { ODATA, NGX_OK, "contains(name,'it''s') or name eq null and "
          "startswith(id,'b')" },
        { SCIM, NGX_DECLINED, "displayName is \"a\"" },
        { SCIM, NGX_DECLINED, "displayName eq \"\xff\"" },
        { SCIM, NGX_DECLINED, "displayName eq \"\\u12\"" },
        { ODATA, NGX_DECLINED, "not (name eq 'a'" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        live = unit_live();

        for (n = 1; ; n++) {
            pool = unit_pool();
            in = unit_exact(cases[i].in, strlen(cases[i].in));

            unit_fail(n);

            rc = parse(pool, cases[i].syntax, &in, &filter, &why);

            if (rc == NGX_OK) {
                rc = filter_text(pool, cases[i].syntax, filter, &out);
            }

            if (!unit_failed()) {
                unit_fail(0);
                each(rc == cases[i].rc && n > 1, "%s: %ld", cases[i].in,
                     (long) rc);
                unit_exact_free(&in);
                ngx_destroy_pool(pool);
                break;
            }

            unit_fail(0);

            each(rc == NGX_ERROR, "%s, allocation %lu: %ld", cases[i].in,
                 (unsigned long) n, (long) rc);

            unit_exact_free(&in);
            ngx_destroy_pool(pool);
        }

        each(unit_live() == live, "%s: a leak", cases[i].in);
    }

    unit_cases("no memory");

    pool = unit_pool();
    filter = json(pool, "{'op':'and','args':[{'op':'contains','field':'name',"
                        "'value':'b'},{'op':'member','value':'m'}]}");

    {
        ngx_str_t           field, text;
        ngx_uint_t          exact;
        ngx_group_value_t  *group, *list, *order;

        group = json(pool, "{'name':'abc','members':[{'id':'m'}]}");
        list = json(pool, "[{'name':'b'},{'name':'a'}]");
        order = json(pool, "[" ORDER("name", "false", "false") "]");
        field = unit_str("name");

        unit_fail(1);

        ok(ngx_group_filter_match(filter, group) == NGX_OK
           && ngx_group_filter_check(filter, &why) == NGX_OK
           && ngx_group_filter_uses(filter, &field)
           && ngx_group_filter_hint(filter, &field, &text, &exact) == NGX_OK
           && (ngx_group_order_sort(order, list), 1)
           && !unit_failed(), "matching and sorting need no memory");

        unit_fail(0);
    }

    ngx_destroy_pool(pool);
}


/* a pool each: the end of a pool takes as long as there are blocks in all */

static void
with_pool(void (*test)(ngx_pool_t *pool))
{
    ngx_pool_t  *pool;

    pool = unit_pool();
    test(pool);
    ngx_destroy_pool(pool);
}


int
main(void)
{
    with_pool(test_grammar);
    with_pool(test_refused);
    with_pool(test_limits);
    with_pool(test_check);
    with_pool(test_write);
    test_round_trips();
    test_mutations();
    with_pool(test_match);
    with_pool(test_compare);
    test_laws();
    with_pool(test_hints);
    with_pool(test_ids);
    with_pool(test_order_parse);
    with_pool(test_order_sort);
    test_memory();

    return unit_done();
}
