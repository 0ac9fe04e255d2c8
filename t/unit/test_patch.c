
/*
 * What is asserted are documents: RFC 7644, 3.5.2 and table 9, and the bodies
 * that Okta and Microsoft Entra ID send.  Trees are compared as JSON.
 */


#include "unit.h"
#include "ngx_group_json.h"
#include "ngx_group_patch.h"
#include "ngx_group_text.h"

#include <stdio.h>
#include <time.h>


#define PATCH_OP  "\"schemas\":["                                             \
                  "\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"]"

#define BODY(ops)  "{" PATCH_OP ",\"Operations\":[" ops "]}"

#define CHANGE(set, unset, members)                                           \
    "{\"set\":{" set "},\"unset\":[" unset "],\"members\":[" members "]}"

#define ADD(id)     "{\"op\":\"add\",\"member\":{\"id\":\"" id "\"}}"
#define REMOVE(id)  "{\"op\":\"remove\",\"member\":{\"id\":\"" id "\"}}"
#define CLEAR       "{\"op\":\"clear\"}"

#define ADD_NAMED(id, name)                                                   \
    "{\"op\":\"add\",\"member\":{\"id\":\"" id "\",\"name\":\"" name "\"}}"

#define URN    "urn:ietf:params:scim:schemas:core:2.0:Group"

#define OKTA   "23a35c27-23d3-4c03-b4c5-6443c09e7173"
#define OKTA2  "89bb1940-b905-4575-9e7f-6f887cfb368e"
#define ENTRA  "f648f8d5ea4e4cd38e9c"


typedef struct {
    const char  *name;
    const char  *body;
    const char  *want;      /* the change, or the code of the error */
} patch_case_t;


static ngx_keyval_t  patch_names[] = {
    { ngx_string("displayName"), ngx_string("name") },
    { ngx_string("externalId"), ngx_string("external_id") },
    { ngx_string("description"), ngx_string("description") },
    { ngx_string("sticky"), ngx_string("sticky_sender") },
    { ngx_string("size"), ngx_string("member_count") },

    /* may be there; they are not for us */
    { ngx_string("id"), ngx_string("id") },
    { ngx_string("members"), ngx_string("members") },
    { ngx_string("meta.created"), ngx_string("created_at") }
};

static ngx_array_t          patch_list;
static ngx_group_dialect_t  patch_dialect;


static ngx_group_value_t *
tree(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t            error;
    ngx_group_value_t   *value;
    ngx_group_limits_t   limits;

    limits.max_depth = 32;
    limits.max_items = 100000;

    if (ngx_group_json_decode(pool, &limits, text, &value, &error)
        != NGX_OK)
    {
        unit_diag("no JSON: %s", unit_show(text));
        return NULL;
    }

    return value;
}


static ngx_group_value_t *
json(ngx_pool_t *pool, const char *text)
{
    ngx_str_t  s;

    s = unit_str(text);

    return tree(pool, &s);
}


static ngx_uint_t
equal(ngx_pool_t *pool, ngx_group_value_t *value, const char *want,
    ngx_str_t *got)
{
    ngx_str_t  expected;

    expected = unit_str(want);

    if (value == NULL || ngx_group_json_encode(pool, value, got) != NGX_OK) {
        ngx_str_set(got, "nothing");
        return 0;
    }

    return ngx_group_str_eq(got, &expected);
}


static ngx_int_t
decode(ngx_pool_t *pool, ngx_group_error_t *error, ngx_group_value_t *body,
    ngx_group_value_t **change)
{
    ngx_group_translation_t  t;

    memset(&t, 0, sizeof(ngx_group_translation_t));
    memset(error, 0, sizeof(ngx_group_error_t));

    t.pool = pool;
    t.log = &unit_log;
    t.dialect = &patch_dialect;
    t.error = error;
    t.request = 1;
    t.client = 1;
    t.id = NGX_GROUP_ID_OPAQUE;
    t.member_id = NGX_GROUP_ID_DECIMAL;

    return ngx_group_patch_decode(&t, &patch_list, body, change);
}


static void
cases(const char *name, patch_case_t *c, size_t n)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           got, want;
    ngx_pool_t         *pool;
    ngx_uint_t          good;
    ngx_group_error_t   error;
    ngx_group_value_t  *change;

    for (i = 0; i < n; i++) {
        pool = unit_pool();
        rc = decode(pool, &error, json(pool, c[i].body), &change);

        if (c[i].want[0] == '{') {
            ngx_str_set(&got, "refused");

            good = (rc == NGX_OK && error.outcome == NGX_GROUP_DONE
                    && equal(pool, change, c[i].want, &got));

            each(good, "%s: %s, %s", c[i].name, unit_show(&got),
                 unit_show(&error.detail));

        } else {
            want = unit_str(c[i].want);

            each(rc == NGX_OK && error.outcome == NGX_GROUP_INVALID
                 && change == NULL && error.detail.len > 10
                 && ngx_group_str_eq(&error.code, &want),
                 "%s: %s, %s", c[i].name, unit_show(&error.code),
                 unit_show(&error.detail));
        }

        ngx_destroy_pool(pool);
    }

    unit_cases("%s", name);
}


#define run(name, list)                                                       \
    cases(name, list, sizeof(list) / sizeof((list)[0]))


static void
test_rfc(void)
{
    static patch_case_t  list[] = {

        { "add, path members",
          BODY("{\"op\":\"add\",\"path\":\"members\",\"value\":[{"
               "\"display\":\"Babs Jensen\",\"$ref\":"
               "\"https://example.com/v2/Users/2819c223...413861904646\","
               "\"value\":\"2819c223-7f76-453a-919d-413861904646\"}]}"),
          CHANGE("", "", ADD_NAMED("2819c223-7f76-453a-919d-413861904646",
                                   "Babs Jensen")) },

        { "remove, a value filter",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq "
               "\\\"2819c223-7f76-413861904646\\\"]\"}"),
          CHANGE("", "", REMOVE("2819c223-7f76-413861904646")) },

        { "the RFC's example without a space before the quote",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq"
               "\\\"2819c223-7f76-413861904646\\\"]\"}"),
          CHANGE("", "", REMOVE("2819c223-7f76-413861904646")) },

        { "remove all members",
          BODY("{\"op\":\"remove\",\"path\":\"members\"}"),
          CHANGE("", "", CLEAR) },

        { "remove one and add one",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value eq\\\"2819c223\\\"]\"},"
               "{\"op\":\"add\",\"path\":\"members\",\"value\":[{"
               "\"display\":\"James Smith\",\"value\":\"08e1d05d\"}]}"),
          CHANGE("", "", REMOVE("2819c223") ","
                 ADD_NAMED("08e1d05d", "James Smith")) },

        { "replace all members",
          BODY("{\"op\":\"replace\",\"path\":\"members\",\"value\":["
               "{\"display\":\"Babs Jensen\",\"value\":\"a\"},"
               "{\"display\":\"James Smith\",\"value\":\"b\"}]}"),
          CHANGE("", "", CLEAR "," ADD_NAMED("a", "Babs Jensen") ","
                 ADD_NAMED("b", "James Smith")) },

        { "replace all members with none",
          BODY("{\"op\":\"replace\",\"path\":\"members\",\"value\":[]}"),
          CHANGE("", "", CLEAR) },

        { "replace them with null, which is none",
          BODY("{\"op\":\"replace\",\"path\":\"members\",\"value\":null}"),
          CHANGE("", "", CLEAR) },

        { "replace, path displayName",
          BODY("{\"op\":\"replace\",\"path\":\"displayName\","
               "\"value\":\"Sales\"}"),
          CHANGE("\"name\":\"Sales\"", "", "") },

        { "add, path displayName",
          BODY("{\"op\":\"add\",\"path\":\"displayName\","
               "\"value\":\"Sales\"}"),
          CHANGE("\"name\":\"Sales\"", "", "") },

        { "path externalId",
          BODY("{\"op\":\"replace\",\"path\":\"externalId\","
               "\"value\":\"42\"}"),
          CHANGE("\"external_id\":\"42\"", "", "") },

        { "remove externalId",
          BODY("{\"op\":\"remove\",\"path\":\"externalId\"}"),
          CHANGE("", "\"external_id\"", "") },

        { "replace externalId with null",
          BODY("{\"op\":\"replace\",\"path\":\"externalId\","
               "\"value\":null}"),
          CHANGE("", "\"external_id\"", "") },

        { "add without a path",
          BODY("{\"op\":\"add\",\"value\":{\"externalId\":\"42\","
               "\"members\":[{\"value\":\"a\"}]}}"),
          CHANGE("\"external_id\":\"42\"", "", ADD("a")) },

        { "replace without a path, with members",
          BODY("{\"op\":\"replace\",\"value\":{\"members\":"
               "[{\"value\":\"a\"}],\"displayName\":\"Sales\"}}"),
          CHANGE("\"name\":\"Sales\"", "", CLEAR "," ADD("a")) },

        { "replace without a path, with null as members",
          BODY("{\"op\":\"replace\",\"value\":{\"members\":null}}"),
          CHANGE("", "", CLEAR) },

        { "add without a path, with null as members",
          BODY("{\"op\":\"add\",\"value\":{\"members\":null}}"),
          CHANGE("", "", "") },

        { "the path has the URN of the schema",
          BODY("{\"op\":\"add\",\"path\":\"" URN ":members\","
               "\"value\":[{\"value\":\"a\"}]},"
               "{\"op\":\"remove\",\"path\":\"" URN
               ":members[value eq \\\"b\\\"]\"},"
               "{\"op\":\"replace\",\"path\":\"" URN ":displayName\","
               "\"value\":\"Sales\"}"),
          CHANGE("\"name\":\"Sales\"", "", ADD("a") "," REMOVE("b")) },

        { "URNs are not case-sensitive",
          BODY("{\"op\":\"remove\",\"path\":\"URN:IETF:params:scim:schemas:"
               "core:2.0:group:Members\"}"),
          CHANGE("", "", CLEAR) },

        { "keys have the URN of the schema",
          BODY("{\"op\":\"replace\",\"value\":{\"" URN ":displayName\":"
               "\"Sales\",\"" URN ":members\":[]}}"),
          CHANGE("\"name\":\"Sales\"", "", CLEAR) },

        { "operators and attributes are not case-sensitive",
          BODY("{\"op\":\"remove\",\"path\":\"MEMBERS[Value EQ "
               "\\\"Ab\\\"]\"},{\"OP\":\"replace\",\"Path\":\"displayname\","
               "\"VALUE\":\"Sales\"},{\"op\":\"add\",\"path\":\"members\","
               "\"value\":[{\"Value\":\"c\",\"Display\":\"C\"}]}"),
          CHANGE("\"name\":\"Sales\"", "",
                 REMOVE("Ab") "," ADD_NAMED("c", "C")) },

        { "spaces where they do not matter",
          BODY("{\"op\":\"remove\",\"path\":"
               "\" members[  value  eq   \\\"a b\\\"  ] \"}"),
          CHANGE("", "", REMOVE("a b")) },

        { "a filter with \"or\"",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"a\\\" or "
               "value eq \\\"b\\\" OR value eq \\\"c\\\"]\"}"),
          CHANGE("", "", REMOVE("a") "," REMOVE("b") "," REMOVE("c")) },

        { "escapes and brackets in a filter",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq "
               "\\\"a]\\\\\\\"\\\\\\\\ \\\\u00e9\\\\ud83d\\\\ude00\\\"]\"}"),
          CHANGE("", "", REMOVE("a]\\\"\\\\ \xc3\xa9\xf0\x9f\x98\x80")) },

        { "the last of two counts",
          BODY("{\"op\":\"replace\",\"path\":\"displayName\","
               "\"value\":\"A\"},{\"op\":\"replace\",\"path\":"
               "\"displayName\",\"value\":\"B\"}"),
          CHANGE("\"name\":\"B\"", "", "") },

        { "set after it was removed",
          BODY("{\"op\":\"remove\",\"path\":\"description\"},"
               "{\"op\":\"remove\",\"path\":\"externalId\"},"
               "{\"op\":\"add\",\"path\":\"externalId\",\"value\":\"1\"}"),
          CHANGE("\"external_id\":\"1\"", "\"description\"", "") },

        { "removed after it was set, and twice",
          BODY("{\"op\":\"add\",\"path\":\"externalId\",\"value\":\"1\"},"
               "{\"op\":\"remove\",\"path\":\"externalId\"},"
               "{\"op\":\"remove\",\"path\":\"externalId\"}"),
          CHANGE("", "\"external_id\"", "") },

        { "the order of members is kept",
          BODY("{\"op\":\"add\",\"path\":\"members\",\"value\":"
               "[{\"value\":\"a\"}]},"
               "{\"op\":\"remove\",\"path\":\"members\"},"
               "{\"op\":\"add\",\"path\":\"members\",\"value\":"
               "[{\"value\":\"b\"}]},"
               "{\"op\":\"remove\",\"path\":"
               "\"members[value eq \\\"b\\\"]\"}"),
          CHANGE("", "", ADD("a") "," CLEAR "," ADD("b") "," REMOVE("b")) }
    };

    run("what RFC 7644 has", list);
}


static void
test_okta(void)
{
    static patch_case_t  list[] = {

        { "rename",
          BODY("{\"op\":\"replace\",\"value\":{\"id\":"
               "\"abf4dd94-a4c0-4f67-89c9-76b03340cb9b\","
               "\"displayName\":\"Test SCIMv2\"}}"),
          CHANGE("\"name\":\"Test SCIMv2\"", "", "") },

        { "membership",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\""
               OKTA2 "\\\"]\"},{\"op\":\"add\",\"path\":\"members\","
               "\"value\":[{\"value\":\"" OKTA "\",\"display\":"
               "\"test.user@okta.local\"}]}"),
          CHANGE("", "", REMOVE(OKTA2) ","
                 ADD_NAMED(OKTA, "test.user@okta.local")) },

        { "rename along with membership",
          BODY("{\"op\":\"replace\",\"value\":{\"id\":\"x\","
               "\"displayName\":\"Test SCIMv2\"}},"
               "{\"op\":\"add\",\"path\":\"members\",\"value\":"
               "[{\"value\":\"" OKTA "\",\"display\":\"t\"}]}"),
          CHANGE("\"name\":\"Test SCIMv2\"", "", ADD_NAMED(OKTA, "t")) },

        { "full push",
          BODY("{\"op\":\"replace\",\"path\":\"members\",\"value\":"
               "[{\"value\":\"" OKTA "\",\"display\":\"one\"},"
               "{\"value\":\"" OKTA2 "\",\"display\":\"two\"}]}"),
          CHANGE("", "", CLEAR "," ADD_NAMED(OKTA, "one") ","
                 ADD_NAMED(OKTA2, "two")) }
    };

    run("what Okta sends", list);
}


static void
test_entra(void)
{
    static patch_case_t  list[] = {

        { "rename",
          BODY("{\"op\":\"Replace\",\"path\":\"displayName\","
               "\"value\":\"1879db59-3bdf-4490-ad68-ab880a269474\"}"),
          CHANGE("\"name\":\"1879db59-3bdf-4490-ad68-ab880a269474\"", "",
                 "") },

        { "add members",
          BODY("{\"op\":\"Add\",\"path\":\"members\",\"value\":"
               "[{\"$ref\":null,\"value\":\"" ENTRA "\"}]}"),
          CHANGE("", "", ADD(ENTRA)) },

        { "remove members: those only",
          BODY("{\"op\":\"Remove\",\"path\":\"members\",\"value\":"
               "[{\"$ref\":null,\"value\":\"" ENTRA "\"},"
               "{\"value\":\"b\"}]}"),
          CHANGE("", "", REMOVE(ENTRA) "," REMOVE("b")) },

        { "remove members, none of them",
          BODY("{\"op\":\"Remove\",\"path\":\"members\",\"value\":[]}"),
          CHANGE("", "", "") },

        { "remove members, null",
          BODY("{\"op\":\"Remove\",\"path\":\"members\",\"value\":null}"),
          CHANGE("", "", CLEAR) },

        { "remove with aadOptscim062020",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"" ENTRA
               "\\\"]\"}"),
          CHANGE("", "", REMOVE(ENTRA)) },

        { "a filter and a value as well",
          BODY("{\"op\":\"Remove\",\"path\":\"members[value eq \\\"a\\\"]\","
               "\"value\":[{\"value\":\"b\"}]}"),
          CHANGE("", "", REMOVE("a")) },

        { "bare ids",
          BODY("{\"op\":\"Add\",\"path\":\"members\",\"value\":\"a\"},"
               "{\"op\":\"Add\",\"path\":\"members\",\"value\":"
               "[\"b\",\"c\"]},"
               "{\"op\":\"Remove\",\"path\":\"members\",\"value\":\"d\"},"
               "{\"op\":\"Remove\",\"path\":\"members\",\"value\":"
               "[\"e\",\"f\"]}"),
          CHANGE("", "", ADD("a") "," ADD("b") "," ADD("c") "," REMOVE("d")
                 "," REMOVE("e") "," REMOVE("f")) },

        { "one member that is not in an array",
          BODY("{\"op\":\"Add\",\"path\":\"members\",\"value\":"
               "{\"value\":\"a\"}},{\"op\":\"REPLACE\",\"path\":\"members\","
               "\"value\":\"b\"}"),
          CHANGE("", "", ADD("a") "," CLEAR "," ADD("b")) },

        { "a display that is null",
          BODY("{\"op\":\"Add\",\"path\":\"members\",\"value\":"
               "[{\"display\":null,\"value\":\"a\"},"
               "{\"display\":\"\",\"value\":\"b\"}]}"),
          CHANGE("", "", ADD("a") "," ADD("b")) },

        { "path externalId",
          BODY("{\"op\":\"Add\",\"path\":\"externalId\",\"value\":\"8aa\"}"),
          CHANGE("\"external_id\":\"8aa\"", "", "") },

        { "a single value written as one of many",
          BODY("{\"op\":\"Replace\",\"path\":\"displayName\",\"value\":"
               "[{\"$ref\":null,\"value\":\"Sales\"}]},"
               "{\"op\":\"Replace\",\"path\":\"externalId\",\"value\":"
               "[\"42\"]}"),
          CHANGE("\"name\":\"Sales\",\"external_id\":\"42\"", "", "") },

        { "booleans as strings",
          BODY("{\"op\":\"Add\",\"path\":\"sticky\",\"value\":\"True\"}"),
          CHANGE("\"sticky_sender\":true", "", "") },

        { "no path is null, or empty",
          BODY("{\"op\":\"Add\",\"path\":null,\"value\":"
               "{\"externalId\":\"a\"}},{\"op\":\"Add\",\"path\":\"\","
               "\"value\":{\"displayName\":\"b\"}}"),
          CHANGE("\"external_id\":\"a\",\"name\":\"b\"", "", "") },

        { "attributes that are not known",
          BODY("{\"op\":\"Replace\",\"value\":{\"schemas\":[\"x\"],"
               "\"id\":null,\"ID\":7,\"meta\":{\"resourceType\":\"Group\"},"
               "\"colour\":\"red\",\"meta.created\":\"2020\","
               "\"urn:example:Group:members\":[{}],"
               "\"http://schemas.microsoft.com/2006/11/ResourceManagement/"
               "ADSCIM/2.0/Group\":{\"a\":1}}}"),
          CHANGE("", "", "") },

        { "an object with nothing",
          BODY("{\"op\":\"Replace\",\"value\":{}}"), CHANGE("", "", "") }
    };

    run("what Entra ID sends, and its like", list);
}


static void
test_envelope(void)
{
    static patch_case_t  list[] = {

        { "no schemas",
          "{\"Operations\":[{\"op\":\"remove\",\"path\":\"members\"}]}",
          CHANGE("", "", CLEAR) },

        { "lower-case operations",
          "{" PATCH_OP ",\"operations\":[{\"op\":\"remove\","
          "\"path\":\"members\"}]}",
          CHANGE("", "", CLEAR) },

        { "more schemas, in another case",
          "{\"SCHEMAS\":[\"urn:x\",\"URN:ietf:params:scim:api:messages:2.0:"
          "patchop\"],\"Operations\":[{\"op\":\"remove\","
          "\"path\":\"members\"}]}",
          CHANGE("", "", CLEAR) },

        { "no schema of ours",
          "{\"schemas\":[\"" URN "\"],\"Operations\":"
          "[{\"op\":\"remove\",\"path\":\"members\"}]}", "invalidSyntax" },

        { "schemas empty", "{\"schemas\":[],\"Operations\":"
          "[{\"op\":\"remove\",\"path\":\"members\"}]}", "invalidSyntax" },

        { "schemas null", "{\"schemas\":null,\"Operations\":"
          "[{\"op\":\"remove\",\"path\":\"members\"}]}", "invalidSyntax" },

        { "schemas no array",
          "{\"schemas\":\"urn:ietf:params:scim:api:messages:2.0:PatchOp\","
          "\"Operations\":[{\"op\":\"remove\",\"path\":\"members\"}]}",
          "invalidSyntax" },

        { "schemas of numbers", "{\"schemas\":[1,{}],\"Operations\":"
          "[{\"op\":\"remove\",\"path\":\"members\"}]}", "invalidSyntax" },

        { "no object", "[]", "invalidSyntax" },
        { "a string", "\"x\"", "invalidSyntax" },
        { "null", "null", "invalidSyntax" },
        { "no operations", "{" PATCH_OP "}", "invalidSyntax" },
        { "operations null", "{" PATCH_OP ",\"Operations\":null}",
          "invalidSyntax" },
        { "operations an object", "{" PATCH_OP ",\"Operations\":{}}",
          "invalidSyntax" },
        { "operations empty", BODY(""), "invalidSyntax" },
        { "a group", "{\"displayName\":\"x\",\"members\":[]}",
          "invalidSyntax" }
    };

    run("the message", list);
}


static void
test_refused(void)
{
    static patch_case_t  list[] = {

        /* the operation */

        { "an operation that is none", BODY("1"), "invalidSyntax" },
        { "null", BODY("null"), "invalidSyntax" },
        { "empty", BODY("{}"), "invalidSyntax" },
        { "op a number", BODY("{\"op\":1,\"path\":\"members\"}"),
          "invalidSyntax" },
        { "op unknown", BODY("{\"op\":\"move\",\"path\":\"members\"}"),
          "invalidSyntax" },
        { "op of our own", BODY("{\"op\":\"clear\",\"path\":\"members\"}"),
          "invalidSyntax" },
        { "op empty", BODY("{\"op\":\"\",\"path\":\"members\"}"),
          "invalidSyntax" },
        { "op with a space", BODY("{\"op\":\"add \",\"path\":\"members\"}"),
          "invalidSyntax" },
        { "the second one is bad",
          BODY("{\"op\":\"remove\",\"path\":\"members\"},"
               "{\"op\":\"remove\"}"), "noTarget" },

        /* the path */

        { "remove without a path", BODY("{\"op\":\"remove\"}"), "noTarget" },
        { "remove with an empty path",
          BODY("{\"op\":\"remove\",\"path\":\" \"}"), "noTarget" },
        { "remove with a value and no path",
          BODY("{\"op\":\"Remove\",\"value\":{\"members\":"
               "[{\"value\":\"a\"}]}}"), "noTarget" },
        { "path a number", BODY("{\"op\":\"add\",\"path\":1,\"value\":1}"),
          "invalidPath" },
        { "path an array",
          BODY("{\"op\":\"remove\",\"path\":[\"members\"]}"),
          "invalidPath" },
        { "path unknown",
          BODY("{\"op\":\"add\",\"path\":\"colour\",\"value\":\"red\"}"),
          "invalidPath" },
        { "path of another schema",
          BODY("{\"op\":\"add\",\"path\":\"urn:ietf:params:scim:schemas:"
               "core:2.0:User:displayName\",\"value\":\"red\"}"),
          "invalidPath" },
        { "path the schema alone",
          BODY("{\"op\":\"remove\",\"path\":\"" URN ":\"}"), "invalidPath" },
        { "path of a JSON pointer",
          BODY("{\"op\":\"remove\",\"path\":\"/members\"}"), "invalidPath" },
        { "something of a string",
          BODY("{\"op\":\"add\",\"path\":\"displayName.x\","
               "\"value\":\"y\"}"), "invalidPath" },
        { "a filter on a string",
          BODY("{\"op\":\"add\",\"path\":\"displayName[value eq \\\"x\\\"]\","
               "\"value\":\"y\"}"), "invalidPath" },
        { "unknown of members",
          BODY("{\"op\":\"add\",\"path\":\"members.colour\","
               "\"value\":\"y\"}"), "invalidPath" },
        { "nothing of members",
          BODY("{\"op\":\"remove\",\"path\":\"members.\"}"), "invalidPath" },
        { "unknown of a member",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value eq \\\"x\\\"].colour\"}"), "invalidPath" },
        { "after a filter",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value eq \\\"x\\\"]display\"}"), "invalidPath" },
        { "two filters",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"x\\\"]"
               "[value eq \\\"y\\\"]\"}"), "invalidPath" },

        /* what cannot be changed */

        { "id", BODY("{\"op\":\"replace\",\"path\":\"id\",\"value\":\"x\"}"),
          "mutability" },
        { "ID removed", BODY("{\"op\":\"remove\",\"path\":\"ID\"}"),
          "mutability" },
        { "meta",
          BODY("{\"op\":\"add\",\"path\":\"meta.created\",\"value\":\"x\"}"),
          "mutability" },
        { "schemas",
          BODY("{\"op\":\"add\",\"path\":\"schemas\",\"value\":[\"x\"]}"),
          "mutability" },
        { "the name removed",
          BODY("{\"op\":\"remove\",\"path\":\"displayName\"}"),
          "mutability" },
        { "a member's display",
          BODY("{\"op\":\"replace\",\"path\":"
               "\"members[value eq \\\"x\\\"].display\",\"value\":\"y\"}"),
          "mutability" },
        { "a member's display removed",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value eq \\\"x\\\"].display\"}"), "mutability" },
        { "all members' values",
          BODY("{\"op\":\"remove\",\"path\":\"members.value\"}"),
          "mutability" },
        { "a member replaced",
          BODY("{\"op\":\"replace\",\"path\":\"members[value eq \\\"x\\\"]\","
               "\"value\":{\"value\":\"y\"}}"), "mutability" },

        /* the filter */

        { "another attribute",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[display eq \\\"x\\\"]\"}"), "invalidFilter" },
        { "another operator",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value sw \\\"x\\\"]\"}"), "invalidFilter" },
        { "present",
          BODY("{\"op\":\"remove\",\"path\":\"members[value pr]\"}"),
          "invalidFilter" },
        { "not",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[not (value eq \\\"x\\\")]\"}"), "invalidFilter" },
        { "ne, which would remove all others",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value ne \\\"x\\\"]\"}"), "invalidFilter" },
        { "and",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"x\\\" and "
               "type eq \\\"User\\\"]\"}"), "invalidFilter" },
        { "or, with something else",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"x\\\" or "
               "display eq \\\"y\\\"]\"}"), "invalidFilter" },
        { "or, with nothing",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"x\\\" "
               "or]\"}"), "invalidFilter" },
        { "an empty filter",
          BODY("{\"op\":\"remove\",\"path\":\"members[]\"}"),
          "invalidFilter" },
        { "no end", BODY("{\"op\":\"remove\",\"path\":\"members[\"}"),
          "invalidFilter" },
        { "no end of a filter",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"x\\\"\"}"),
          "invalidFilter" },
        { "no end of a string",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"x]\"}"),
          "invalidFilter" },
        { "a string that ends in an escape",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"x\\\\\"}"),
          "invalidFilter" },
        { "a string whose end is escaped",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value eq \\\"x\\\\\\\"]\"}"), "invalidFilter" },
        { "a bad escape",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value eq \\\"\\\\x\\\"]\"}"), "invalidFilter" },
        { "a lone surrogate",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value eq \\\"\\\\ud83d\\\"]\"}"),
          "invalidFilter" },
        { "U+0000",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[value eq \\\"\\\\u0000\\\"]\"}"),
          "invalidFilter" },
        { "single quotes",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq 'x']\"}"),
          "invalidFilter" },
        { "a number",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq 42]\"}"),
          "invalidFilter" },
        { "null, which would be nobody",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq null]\"}"),
          "invalidFilter" },
        { "an empty id",
          BODY("{\"op\":\"remove\",\"path\":\"members[value eq \\\"\\\"]\"}"),
          "invalidFilter" },
        { "words in one",
          BODY("{\"op\":\"remove\",\"path\":"
               "\"members[valueeq \\\"x\\\"]\"}"), "invalidFilter" },

        /* the value */

        { "add without a value",
          BODY("{\"op\":\"add\",\"path\":\"members\"}"), "invalidValue" },
        { "replace without a value, which must not empty the group",
          BODY("{\"op\":\"replace\",\"path\":\"members\"}"),
          "invalidValue" },
        { "neither path nor value", BODY("{\"op\":\"add\"}"),
          "invalidValue" },
        { "no path and no object",
          BODY("{\"op\":\"replace\",\"value\":\"Sales\"}"), "invalidValue" },
        { "no path and an array",
          BODY("{\"op\":\"replace\",\"value\":[{\"value\":\"a\"}]}"),
          "invalidValue" },
        { "no path and null",
          BODY("{\"op\":\"replace\",\"value\":null}"), "invalidValue" },
        { "no name",
          BODY("{\"op\":\"replace\",\"path\":\"displayName\","
               "\"value\":null}"), "invalidValue" },
        { "an empty name",
          BODY("{\"op\":\"replace\",\"value\":{\"displayName\":\"\"}}"),
          "invalidValue" },
        { "an empty name in an array",
          BODY("{\"op\":\"replace\",\"path\":\"displayName\","
               "\"value\":[{\"value\":\"\"}]}"), "invalidValue" },
        { "a name that is a number",
          BODY("{\"op\":\"replace\",\"path\":\"displayName\",\"value\":5}"),
          "invalidValue" },
        { "a name that is an object",
          BODY("{\"op\":\"replace\",\"path\":\"displayName\","
               "\"value\":{\"a\":1}}"), "invalidValue" },
        { "two names",
          BODY("{\"op\":\"replace\",\"path\":\"displayName\","
               "\"value\":[\"a\",\"b\"]}"), "invalidValue" },
        { "a boolean that is none",
          BODY("{\"op\":\"add\",\"path\":\"sticky\",\"value\":\"yes\"}"),
          "invalidValue" },
        { "a number that is a string",
          BODY("{\"op\":\"add\",\"path\":\"size\",\"value\":\"1\"}"),
          "invalidValue" },
        { "a member without a value",
          BODY("{\"op\":\"add\",\"path\":\"members\",\"value\":"
               "[{\"display\":\"x\"}]}"), "invalidValue" },
        { "a member whose value is null",
          BODY("{\"op\":\"Remove\",\"path\":\"members\",\"value\":"
               "[{\"$ref\":null,\"value\":null}]}"), "invalidValue" },
        { "a member whose value is empty",
          BODY("{\"op\":\"Remove\",\"path\":\"members\",\"value\":"
               "[{\"value\":\"\"}]}"), "invalidValue" },
        { "a bare empty string",
          BODY("{\"op\":\"Remove\",\"path\":\"members\",\"value\":\"\"}"),
          "invalidValue" },
        { "a member whose value is a number",
          BODY("{\"op\":\"add\",\"path\":\"members\",\"value\":"
               "[{\"value\":5}]}"), "invalidValue" },
        { "members in an array of arrays",
          BODY("{\"op\":\"add\",\"path\":\"members\",\"value\":[[\"a\"]]}"),
          "invalidValue" },
        { "members as a boolean",
          BODY("{\"op\":\"add\",\"path\":\"members\",\"value\":true}"),
          "invalidValue" },
        { "an empty object, which must not empty the group",
          BODY("{\"op\":\"remove\",\"path\":\"members\",\"value\":{}}"),
          "invalidValue" },
        { "a good member and a bad one",
          BODY("{\"op\":\"replace\",\"value\":{\"members\":"
               "[{\"value\":\"a\"},null]}}"), "invalidValue" }
    };

    run("what is refused", list);
}


static void
test_ids(ngx_pool_t *pool)
{
    ngx_str_t           got;
    ngx_uint_t          good;
    ngx_group_error_t   error;
    ngx_group_value_t  *change;

    ngx_str_null(&got);
    patch_dialect.member_id = NGX_GROUP_ID_BASE64;

    good = decode(pool, &error,
                  json(pool,
                       BODY("{\"op\":\"add\",\"path\":\"members\","
                            "\"value\":[{\"value\":\"NDI=\"}]},"
                            "{\"op\":\"remove\",\"path\":"
                            "\"members[value eq \\\"Nw==\\\"]\"},"
                            "{\"op\":\"remove\",\"path\":\"members\","
                            "\"value\":\"NTU=\"}")), &change)
           == NGX_OK
           && equal(pool, change, CHANGE("", "", ADD("42") "," REMOVE("7") ","
                                         REMOVE("55")), &got);

    ok(good, "ids are the upstream's: %s", unit_show(&got));

    patch_dialect.member_id = NGX_GROUP_ID_OPAQUE;
}


static void
test_bounds(ngx_pool_t *pool)
{
    char               *text, *p;
    size_t              i, n;
    ngx_str_t           s;
    ngx_uint_t          extra;
    ngx_group_error_t   error;
    ngx_group_value_t  *change;

    static const char  op[] = "{\"op\":\"add\",\"path\":\"members\","
                              "\"value\":\"a\"}";

    for (extra = 0; extra < 2; extra++) {
        text = malloc((NGX_GROUP_PATCH_OPERATIONS + 1) * sizeof(op) + 100);
        p = text + sprintf(text, "{\"Operations\":[");

        for (i = 0; i < NGX_GROUP_PATCH_OPERATIONS + extra; i++) {
            p += sprintf(p, "%s%s", i ? "," : "", op);
        }

        sprintf(p, "]}");

        each(decode(pool, &error, json(pool, text), &change) == NGX_OK
             && (extra ? change == NULL
                         && ngx_group_str_is(&error.code, "tooMany")
                       : change && error.outcome == NGX_GROUP_DONE),
             "%lu operations", (unsigned long) i);

        free(text);
    }

    unit_cases("as many operations as there may be, and one more");

    /* a sentence ends before what is too long, and between characters */

    for (n = 80; n < 130; n++) {
        text = malloc(n + 400);
        p = text + sprintf(text, "{\"Operations\":[{\"op\":\"remove\","
                           "\"path\":\"");

        memset(p, 'x', n);
        p += n;

        for (i = 0; i < 50; i++) {
            p += sprintf(p, "\xe2\x82\xac");
        }

        sprintf(p, "\"}]}");

        s = unit_exact(text, strlen(text));
        free(text);

        (void) decode(pool, &error, tree(pool, &s), &change);

        each(change == NULL && ngx_group_str_is(&error.code, "invalidPath")
             && error.detail.len < 200
             && strncmp((char *) error.detail.data, "operation 1: ", 13) == 0
             && ngx_group_utf8(&error.detail, NULL, &i) == NGX_OK,
             "%lu: %s", (unsigned long) n, unit_show(&error.detail));

        unit_exact_free(&s);
    }

    unit_cases("a long path in a sentence");
}


static void
test_apply(void)
{
    size_t              i;
    ngx_str_t           got;
    ngx_pool_t         *pool;
    ngx_uint_t          good;
    ngx_group_value_t  *group, *change;

    static struct {
        const char  *change;
        const char  *group;
        const char  *want;
    } list[] = {

        { "{\"set\":{\"name\":\"B\",\"external_id\":\"1\"}}",
          "{\"id\":\"1\",\"name\":\"A\",\"members\":[{\"id\":\"a\"}]}",
          "{\"id\":\"1\",\"name\":\"B\",\"members\":[{\"id\":\"a\"}],"
          "\"external_id\":\"1\"}" },

        { "{\"unset\":[\"external_id\",\"nothing\",5]}",
          "{\"external_id\":\"1\",\"name\":\"A\"}", "{\"name\":\"A\"}" },

        { "{}", "{\"name\":\"A\"}", "{\"name\":\"A\"}" },
        { CHANGE("", "", ""), "{\"name\":\"A\"}", "{\"name\":\"A\"}" },

        /* what a hook may have left */

        { "{\"set\":[],\"unset\":{},\"members\":\"x\"}", "{\"name\":\"A\"}",
          "{\"name\":\"A\"}" },
        { "{\"set\":null,\"members\":[1,{},{\"op\":5},{\"op\":\"add\"},"
          "{\"op\":\"add\",\"member\":{\"id\":\"\"}},"
          "{\"op\":\"add\",\"member\":{\"id\":7}},"
          "{\"op\":\"add\",\"member\":\"x\"},"
          "{\"op\":\"paint\",\"member\":{\"id\":\"x\"}}]}",
          "{\"name\":\"A\"}", "{\"name\":\"A\"}" },
        { "[]", "{\"name\":\"A\"}", "{\"name\":\"A\"}" },
        { "{\"members\":[{\"op\":\"add\",\"member\":{\"id\":\"x\","
          "\"email\":\"x@example.com\"}}]}", "{\"members\":[]}",
          "{\"members\":[{\"id\":\"x\",\"email\":\"x@example.com\"}]}" },

        { CHANGE("", "", ADD("b") "," ADD("a") "," ADD("b")),
          "{\"members\":[{\"id\":\"a\",\"name\":\"A\"}]}",
          "{\"members\":[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\"}]}" },

        { CHANGE("", "", REMOVE("a") "," REMOVE("x")),
          "{\"members\":[{\"id\":\"b\"},{\"id\":\"a\"},{\"id\":\"c\"}]}",
          "{\"members\":[{\"id\":\"b\"},{\"id\":\"c\"}]}" },

        { CHANGE("", "", CLEAR),
          "{\"members\":[{\"id\":\"b\"},{\"id\":\"a\"}]}",
          "{\"members\":[]}" },

        { CHANGE("", "", ADD("z") "," CLEAR "," ADD_NAMED("c", "C") ","
                 ADD_NAMED("a", "new")),
          "{\"members\":[{\"id\":\"b\"},{\"id\":\"a\",\"name\":\"old\"}]}",
          "{\"members\":[{\"id\":\"c\",\"name\":\"C\"},"
          "{\"id\":\"a\",\"name\":\"old\"}]}" },

        { CHANGE("", "", REMOVE("a") "," ADD("a") "," ADD("d") ","
                 REMOVE("d")),
          "{\"members\":[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\"}]}",
          "{\"members\":[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\"}]}" },

        { CHANGE("", "", ADD("d") "," ADD("e") "," REMOVE("d") "," ADD("d")),
          "{\"members\":[]}",
          "{\"members\":[{\"id\":\"e\"},{\"id\":\"d\"}]}" },

        { CHANGE("", "", ADD("a")), "{\"name\":\"A\"}",
          "{\"name\":\"A\",\"members\":[{\"id\":\"a\"}]}" },
        { CHANGE("", "", ADD("a")), "{\"members\":null}",
          "{\"members\":[{\"id\":\"a\"}]}" },

        /* those without an id are left alone, but for a clear */

        { CHANGE("", "", ADD("a")),
          "{\"members\":[{\"name\":\"x\"},{\"name\":\"x\"},7]}",
          "{\"members\":[{\"name\":\"x\"},{\"name\":\"x\"},7,"
          "{\"id\":\"a\"}]}" },
        { CHANGE("", "", CLEAR "," ADD("a")),
          "{\"members\":[{\"name\":\"x\"}]}",
          "{\"members\":[{\"id\":\"a\"}]}" },

        /* ids that begin alike */

        { CHANGE("", "", REMOVE("ab")),
          "{\"members\":[{\"id\":\"abc\"},{\"id\":\"ab\"},{\"id\":\"a\"}]}",
          "{\"members\":[{\"id\":\"abc\"},{\"id\":\"a\"}]}" },

        { CHANGE("", "", ADD("b")),
          "{\"member_count\":1,\"members\":[{\"id\":\"a\"}]}",
          "{\"member_count\":2,\"members\":[{\"id\":\"a\"},"
          "{\"id\":\"b\"}]}" },
        { CHANGE("", "", ADD("b")), "{\"member_count\":1}",
          "{\"members\":[{\"id\":\"b\"}]}" },
        { CHANGE("\"name\":\"B\"", "", ""), "{\"member_count\":1}",
          "{\"member_count\":1,\"name\":\"B\"}" }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        pool = unit_pool();

        group = json(pool, list[i].group);
        change = json(pool, list[i].change);

        ngx_str_null(&got);
        good = (ngx_group_patch_apply(pool, change, group) == NGX_OK
                && equal(pool, group, list[i].want, &got));

        each(good, "%s to %s: %s", list[i].change, list[i].group,
             unit_show(&got));

        good = equal(pool, change, list[i].change, &got);

        each(good, "%s became %s", list[i].change, unit_show(&got));

        ngx_destroy_pool(pool);
    }

    unit_cases("applied to a group, and not itself changed");
}


static void
test_members(void)
{
    size_t              i;
    ngx_str_t           got_add, got_remove;
    ngx_pool_t         *pool;
    ngx_uint_t          good;
    ngx_group_value_t  *change, *members, *add, *remove;

    static struct {
        const char  *change;
        const char  *members;       /* NULL: not known */
        const char  *add;
        const char  *remove;
    } list[] = {

        { CHANGE("", "", ADD("a") "," ADD("b")), "[{\"id\":\"b\"}]",
          "[{\"id\":\"a\"}]", "[]" },
        { CHANGE("", "", ADD("a") "," ADD_NAMED("a", "A")), "[]",
          "[{\"id\":\"a\"}]", "[]" },
        { CHANGE("", "", REMOVE("a") "," REMOVE("b")),
          "[{\"id\":\"c\"},{\"id\":\"b\",\"name\":\"B\"}]",
          "[]", "[{\"id\":\"b\",\"name\":\"B\"}]" },
        { CHANGE("", "", REMOVE("a") "," ADD("a")), "[{\"id\":\"a\"}]",
          "[]", "[]" },
        { CHANGE("", "", ADD("a") "," REMOVE("a")), "[]", "[]", "[]" },
        { CHANGE("", "", ADD("a") "," REMOVE("a")), "[{\"id\":\"a\"}]",
          "[]", "[{\"id\":\"a\"}]" },

        { CHANGE("", "", CLEAR), "[{\"id\":\"a\"},{\"id\":\"b\"}]",
          "[]", "[{\"id\":\"a\"},{\"id\":\"b\"}]" },
        { CHANGE("", "", CLEAR "," ADD("b") "," ADD("c")),
          "[{\"id\":\"a\"},{\"id\":\"b\"}]",
          "[{\"id\":\"c\"}]", "[{\"id\":\"a\"}]" },
        { CHANGE("", "", ADD("x") "," CLEAR "," ADD("b")), "[]",
          "[{\"id\":\"b\"}]", "[]" },
        { CHANGE("", "", CLEAR "," ADD("b") "," CLEAR "," ADD("c")),
          "[{\"id\":\"b\"}]", "[{\"id\":\"c\"}]", "[{\"id\":\"b\"}]" },

        /* each id once */

        { CHANGE("", "", CLEAR),
          "[{\"id\":\"a\"},{\"id\":\"a\"},{\"name\":\"x\"},{}]",
          "[]", "[{\"id\":\"a\"}]" },
        { CHANGE("", "", REMOVE("a") "," REMOVE("a")),
          "[{\"id\":\"a\"},{\"id\":\"a\"}]", "[]", "[{\"id\":\"a\"}]" },

        { CHANGE("", "", ADD("b") "," REMOVE("a") "," ADD("c")), NULL,
          "[{\"id\":\"b\"},{\"id\":\"c\"}]", "[{\"id\":\"a\"}]" },
        { CHANGE("", "", REMOVE("b") "," ADD("b")), "null",
          "[{\"id\":\"b\"}]", "[]" },
        { CHANGE("", "", CLEAR "," ADD("b")), NULL, "[{\"id\":\"b\"}]",
          "[]" },

        { CHANGE("\"name\":\"x\"", "", ""), "[{\"id\":\"a\"}]", "[]", "[]" },
        { "{}", "[{\"id\":\"a\"}]", "[]", "[]" },
        { "{}", NULL, "[]", "[]" }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        pool = unit_pool();

        change = json(pool, list[i].change);
        members = list[i].members ? json(pool, list[i].members) : NULL;

        ngx_str_null(&got_add);
        ngx_str_null(&got_remove);

        good = (ngx_group_patch_members(pool, change, members, &add, &remove)
                == NGX_OK
                && equal(pool, add, list[i].add, &got_add)
                && equal(pool, remove, list[i].remove, &got_remove));

        each(good, "%s to %s: %s, %s", list[i].change,
             list[i].members ? list[i].members : "nothing known",
             unit_show(&got_add), unit_show(&got_remove));

        each(equal(pool, change, list[i].change, &got_add)
             && (members == NULL
                 || equal(pool, members, list[i].members, &got_add)),
             "%s was changed", list[i].change);

        ngx_destroy_pool(pool);
    }

    unit_cases("the difference of members");
}


static void
test_questions(ngx_pool_t *pool)
{
    size_t              i;
    ngx_group_value_t  *change;

    static struct {
        const char  *change;
        ngx_uint_t   needs;
        ngx_uint_t   sets;
    } list[] = {
        { CHANGE("", "", ""), 0, 0 },
        { CHANGE("", "", ADD("a") "," REMOVE("b")), 0, 0 },
        { CHANGE("", "", ADD("a") "," CLEAR), 1, 0 },
        { CHANGE("\"name\":\"a\"", "", CLEAR), 1, 1 },
        { CHANGE("", "\"external_id\"", ""), 0, 1 },
        { "{}", 0, 0 },
        { "{\"set\":[1],\"unset\":{\"a\":1},\"members\":{\"op\":1}}", 0, 0 },
        { "{\"members\":[{\"op\":\"clear\"}]}", 1, 0 },
        { "[]", 0, 0 }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        change = json(pool, list[i].change);

        each(!ngx_group_patch_needs_members(change) == !list[i].needs
             && !ngx_group_patch_sets(change) == !list[i].sets,
             "%s", list[i].change);
    }

    unit_cases("what a change is about");
}


/* a model of it, one after the other, beside what sorts */

#define MODEL_IDS  12


static void
test_model(void)
{
    char                body[8192], *p;
    size_t              k;
    ngx_str_t           s;
    ngx_pool_t         *pool;
    ngx_uint_t          n, what, id, now[MODEL_IDS], was[MODEL_IDS];
    ngx_uint_t          seen[MODEL_IDS], good;
    ngx_group_error_t   error;
    ngx_group_value_t  *change, *group, *members, *add, *remove, *v;

    for (n = 0; n < 3000; n++) {
        pool = unit_pool();
        p = body + sprintf(body, "{\"members\":[");

        for (id = 0, k = 0; id < MODEL_IDS; id++) {
            now[id] = was[id] = unit_random() % 2;

            if (was[id]) {
                p += sprintf(p, "%s{\"id\":\"m%lu\"}", k++ ? "," : "",
                             (unsigned long) id);
            }
        }

        sprintf(p, "]}");
        s = unit_exact(body, strlen(body));
        group = tree(pool, &s);

        p = body + sprintf(body, "{\"Operations\":[");

        for (k = unit_random() % 20 + 1; k; k--) {
            what = unit_random() % 10;
            id = unit_random() % MODEL_IDS;

            if (what == 0) {
                memset(now, 0, sizeof(now));
                p += sprintf(p, "{\"op\":\"remove\",\"path\":\"members\"}");

            } else if (what == 1) {
                memset(now, 0, sizeof(now));
                now[id] = 1;
                p += sprintf(p, "{\"op\":\"replace\",\"path\":\"members\","
                             "\"value\":[{\"value\":\"m%lu\"}]}",
                             (unsigned long) id);

            } else if (what < 6) {
                now[id] = 1;
                p += sprintf(p, "{\"op\":\"add\",\"path\":\"members\","
                             "\"value\":[{\"value\":\"m%lu\"}]}",
                             (unsigned long) id);

            } else {
                now[id] = 0;
                p += sprintf(p, "{\"op\":\"remove\",\"path\":"
                             "\"members[value eq \\\"m%lu\\\"]\"}",
                             (unsigned long) id);
            }

            p += sprintf(p, "%s", k > 1 ? "," : "]}");
        }

        (void) decode(pool, &error, json(pool, body), &change);

        members = ngx_group_value_copy(pool, group->u.items.first);

        good = change
               && ngx_group_patch_members(pool, change, members, &add,
                                          &remove) == NGX_OK
               && ngx_group_patch_apply(pool, change, group) == NGX_OK;

        if (good) {
            memset(seen, 0, sizeof(seen));

            for (v = group->u.items.first->u.items.first; v; v = v->next) {
                id = (ngx_uint_t) atoi((char *) v->u.items.first->u.text.data
                                       + 1);
                seen[id]++;
            }

            good = (memcmp(seen, now, sizeof(now)) == 0);

            for (v = add->u.items.first; v; v = v->next) {
                id = (ngx_uint_t) atoi((char *) v->u.items.first->u.text.data
                                       + 1);
                good = good && !was[id];
                was[id] = 1;
            }

            for (v = remove->u.items.first; v; v = v->next) {
                id = (ngx_uint_t) atoi((char *) v->u.items.first->u.text.data
                                       + 1);
                good = good && was[id] && !now[id];
                was[id] = 0;
            }

            good = good && memcmp(was, now, sizeof(now)) == 0;
        }

        each(good, "%s", body);

        unit_exact_free(&s);
        ngx_destroy_pool(pool);
    }

    unit_cases("any changes, against a simple model");
}


/* a group of many members, all pushed anew */

static void
test_many(void)
{
    char               *text, *p;
    clock_t             start;
    ngx_str_t           first;
    ngx_pool_t         *pool;
    ngx_uint_t          i;
    ngx_group_error_t   error;
    ngx_group_value_t  *change, *members, *add, *remove;

    enum { MANY = 50000 };

    pool = unit_pool();
    text = malloc(MANY * 40 + 200);

    p = text + sprintf(text, "[");

    for (i = 0; i < MANY; i++) {
        p += sprintf(p, "%s{\"id\":\"%lu\"}", i ? "," : "",
                     (unsigned long) i);
    }

    sprintf(p, "]");
    first = unit_exact(text, strlen(text));
    members = tree(pool, &first);

    p = text + sprintf(text, "{\"Operations\":[{\"op\":\"replace\","
                       "\"path\":\"members\",\"value\":[");

    for (i = 0; i < MANY; i++) {
        p += sprintf(p, "%s{\"value\":\"%lu\"}", i ? "," : "",
                     (unsigned long) (MANY - i));
    }

    sprintf(p, "]}]}");

    start = clock();

    ok(decode(pool, &error, json(pool, text), &change) == NGX_OK && change
       && ngx_group_patch_members(pool, change, members, &add, &remove)
          == NGX_OK
       && add->n == 1 && remove->n == 1,
       "%d members are replaced by one", MANY);

    /* comparing each with each takes some minutes */

    ok(clock() - start < 20 * CLOCKS_PER_SEC, "soon");

    unit_exact_free(&first);
    free(text);
    ngx_destroy_pool(pool);
}


/* bytes of a good body, changed: nothing is read that is not there */

static void
test_noise(void)
{
    size_t              i, len, at;
    u_char              buf[400];
    ngx_str_t           s, why;
    ngx_int_t           rc;
    ngx_pool_t         *pool;
    ngx_uint_t          n, taken;
    ngx_group_error_t   error;
    ngx_group_value_t  *body, *op, *path, *change;

    static const char  *paths[] = {
        "members[value eq \"abc\"]",
        "members[value eq \"a\\\"\\u00e9\" or value eq \"b\"].display",
        URN ":members[value eq \"a\"]",
        "displayName", "members.value", URN
    };

    static const char  letters[] = "[]\"\\. \tvaluemembersorEQ:u0";

    taken = 0;

    for (n = 0; n < 20000; n++) {
        pool = unit_pool();

        body = json(pool, BODY("{\"op\":\"remove\",\"path\":\"x\"}"));
        op = body->u.items.last->u.items.first;
        path = op->u.items.last;

        i = unit_random() % (sizeof(paths) / sizeof(paths[0]));
        len = strlen(paths[i]);
        memcpy(buf, paths[i], len);

        for (i = unit_random() % 4; i; i--) {
            at = unit_random() % len;

            switch (unit_random() % 3) {

            case 0:
                buf[at] = (u_char) letters[unit_random()
                                           % (sizeof(letters) - 1)];
                break;

            case 1:
                len = at + 1;
                break;

            default:
                memmove(buf + at + 1, buf + at, len - at);
                buf[at] = (u_char) letters[unit_random()
                                           % (sizeof(letters) - 1)];
                len++;
            }
        }

        s = unit_exact(buf, len);
        path->u.text = s;

        rc = decode(pool, &error, body, &change);

        each(rc == NGX_OK
             && (change ? error.outcome == NGX_GROUP_DONE
                        : error.outcome == NGX_GROUP_INVALID
                          && error.code.len && error.detail.len),
             "%s", unit_show(&s));

        taken += (change != NULL);

        if (change) {
            each(ngx_group_json_encode(pool, change, &why) == NGX_OK, "%s",
                 unit_show(&s));
        }

        unit_exact_free(&s);
        ngx_destroy_pool(pool);
    }

    unit_cases("paths with noise: %lu are taken", (unsigned long) taken);
}


static void
test_memory(void)
{
    ngx_int_t           rc;
    ngx_str_t           got;
    ngx_pool_t         *pool;
    ngx_uint_t          n, failed;
    ngx_group_error_t   error;
    ngx_group_value_t  *body, *bad, *group, *change, *members, *add, *remove;

    static const char  all[] =
        BODY("{\"op\":\"replace\",\"path\":\"displayName\",\"value\":\"B\"},"
             "{\"op\":\"add\",\"path\":\"sticky\",\"value\":\"False\"},"
             "{\"op\":\"remove\",\"path\":\"externalId\"},"
             "{\"op\":\"remove\",\"path\":\"members[value eq \\\"a\\\"]\"},"
             "{\"op\":\"remove\",\"path\":"
             "\"members[value eq \\\"\\\\u0062\\\"]\"},"
             "{\"op\":\"replace\",\"path\":\"members\",\"value\":"
             "[{\"value\":\"c\",\"display\":\"C\"},\"d\"]}");

    for (n = 1, failed = 1; failed; n++) {
        pool = unit_pool();
        body = json(pool, all);

        unit_fail(n);
        rc = decode(pool, &error, body, &change);
        failed = unit_failed();
        unit_fail(0);

        each(failed ? rc == NGX_ERROR
                    : rc == NGX_OK
                      && equal(pool, change,
                               CHANGE("\"name\":\"B\","
                                      "\"sticky_sender\":false",
                                      "\"external_id\"",
                                      REMOVE("a") "," REMOVE("b") "," CLEAR
                                      "," ADD_NAMED("c", "C") ","
                                      ADD("d")), &got),
             "decode, %lu", (unsigned long) n);

        ngx_destroy_pool(pool);
    }

    each(n > 25, "decode, %lu allocations", (unsigned long) n);

    pool = unit_pool();
    bad = json(pool, BODY("{\"op\":\"remove\",\"path\":\"x\"}"));

    for (n = 1, failed = 1; failed; n++) {
        unit_fail(n);
        rc = decode(pool, &error, bad, &change);
        failed = unit_failed();
        unit_fail(0);

        each(rc == (failed ? NGX_ERROR : NGX_OK), "a sentence, %lu",
             (unsigned long) n);
    }

    ngx_destroy_pool(pool);

    for (n = 1, failed = 1; failed; n++) {
        pool = unit_pool();
        group = json(pool, "{\"member_count\":1,\"members\":"
                           "[{\"id\":\"a\"}]}");
        change = json(pool, CHANGE("\"name\":\"B\"", "\"external_id\"",
                                   ADD("b") "," REMOVE("c")));

        unit_fail(n);
        rc = ngx_group_patch_apply(pool, change, group);
        failed = unit_failed();
        unit_fail(0);

        each(rc == (failed ? NGX_ERROR : NGX_OK), "apply, %lu",
             (unsigned long) n);

        members = json(pool, "[{\"id\":\"c\"}]");

        unit_fail(n);
        rc = ngx_group_patch_members(pool, change, members, &add, &remove);
        failed |= unit_failed();
        each(rc == (unit_failed() ? NGX_ERROR : NGX_OK), "members, %lu",
             (unsigned long) n);
        unit_fail(0);

        ngx_destroy_pool(pool);
    }

    unit_cases("no memory");
}


int
main(void)
{
    ngx_pool_t  *pool;

    patch_list.elts = patch_names;
    patch_list.nelts = sizeof(patch_names) / sizeof(patch_names[0]);
    patch_list.size = sizeof(ngx_keyval_t);
    patch_list.nalloc = patch_list.nelts;

    patch_dialect.member_id = NGX_GROUP_ID_OPAQUE;

    pool = unit_pool();

    test_rfc();
    test_okta();
    test_entra();
    test_envelope();
    test_refused();
    test_ids(pool);
    test_bounds(pool);
    test_apply();
    test_members();
    test_questions(pool);
    test_model();
    test_many();
    test_noise();
    test_memory();

    ngx_destroy_pool(pool);

    return unit_done();
}
