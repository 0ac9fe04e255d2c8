
#include "unit.h"
#include "ngx_group_json.h"


#define S(literal)  literal, sizeof(literal) - 1


static ngx_group_limits_t  limits = { 32, 10000 };


static ngx_int_t
decode(ngx_pool_t *pool, ngx_str_t *in, ngx_group_value_t **value,
    ngx_str_t *error)
{
    *value = NULL;

    ngx_str_null(error);

    return ngx_group_json_decode(pool, &limits, in, value, error);
}


/* what is accepted, and what it is when it is written again */

static void
test_good(void)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           in, out, error;
    ngx_pool_t         *pool;
    ngx_group_value_t  *value;

    static struct {
        const char  *in;
        size_t       len;
        const char  *out;       /* NULL: as it was */
    } cases[] = {
        { S("null"), NULL },
        { S("true"), NULL },
        { S("false"), NULL },
        { S("0"), NULL },
        { S("-0"), NULL },
        { S("1"), NULL },
        { S("-1"), NULL },
        { S("123"), NULL },
        { S("1.0"), NULL },
        { S("1.50"), NULL },
        { S("1e400"), NULL },
        { S("-1E-400"), NULL },
        { S("1e+5"), NULL },
        { S("0.1e01"), NULL },
        { S("0e0"), NULL },
        { S("9007199254740993"), NULL },
        { S("18446744073709551616"), NULL },
        { S("123456789012345678901234567890123456789012345678901234567890"),
          NULL },
        { S("\"\""), NULL },
        { S("\"a\""), NULL },
        { S("[]"), NULL },
        { S("{}"), NULL },
        { S("[[],{}]"), NULL },
        { S("[1,2,3]"), NULL },
        { S("{\"a\":1,\"b\":[true,false,null]}"), NULL },
        { S("{\"\":1}"), NULL },
        { S("{\"a\":{\"a\":{\"a\":1}}}"), NULL },
        { S("[{\"a\":1},{\"a\":1}]"), NULL },
        { S("{\"b\":1,\"a\":2,\"B\":3}"), NULL },
        { S(" \t\r\n{ \"a\" : [ 1 , 2 ] } \n\r\t "), "{\"a\":[1,2]}" },
        { S(" 1 "), "1" },
        { S("1\n"), "1" },
        { S(" \"a\" "), "\"a\"" },

        { S("\"\\/\""), "\"/\"" },
        { S("\"/\""), NULL },
        { S("\"\\\"\\\\\\b\\f\\n\\r\\t\""), NULL },
        { S("\"\\u0041\""), "\"A\"" },
        { S("\"\\u0001\\u001F\""), "\"\\u0001\\u001f\"" },
        { S("\"\\u0008\\u000a\""), "\"\\b\\n\"" },
        { S("\"\\u0022\\u005C\""), "\"\\\"\\\\\"" },
        { S("\"\x7f\""), NULL },
        { S("\"\\u007f\""), "\"\x7f\"" },
        { S("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""), NULL },
        { S("\"\\u00e4\\u20AC\\uD83D\\uDE00\""),
          "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { S("\"\\ud800\\udc00\\uDBFF\\uDFFF\""),
          "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"" },
        { S("\"\\ud7ff\\ue000\\ufffe\\uffff\""),
          "\"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbe\xef\xbf\xbf\"" },
        { S("\"\\u2028\\u2029\""), "\"\xe2\x80\xa8\xe2\x80\xa9\"" },
        { S("\"\xef\xbb\xbf\""), NULL },
        { S("\"\\\\u0000\""), NULL },
        { S("\"\\\\ud800\""), NULL },
        { S("\"\\\\\\u0041\""), "\"\\\\A\"" },
        { S("{\"\\u0061\":1}"), "{\"a\":1}" },
        { S("{\"a\\u0062c\":\"x\\ty\",\"d\":\"e\"}"),
          "{\"abc\":\"x\\ty\",\"d\":\"e\"}" },
        { S("\"// no comment\""), NULL },
        { S("\"[{]}\""), NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pool = unit_pool();
        in = unit_exact(cases[i].in, cases[i].len);

        rc = decode(pool, &in, &value, &error);

        each(rc == NGX_OK && value, "%s: %ld, %s", unit_show(&in), (long) rc,
             unit_show(&error));

        if (rc == NGX_OK) {
            ngx_str_null(&out);
            rc = ngx_group_json_encode(pool, value, &out);

            if (cases[i].out) {
                each(rc == NGX_OK && out.len == strlen(cases[i].out)
                     && memcmp(out.data, cases[i].out, out.len) == 0,
                     "%s gives %s", unit_show(&in), unit_show(&out));
            } else {
                each(rc == NGX_OK && out.len == in.len
                     && memcmp(out.data, in.data, in.len) == 0,
                     "%s gives %s", unit_show(&in), unit_show(&out));
            }
        }

        unit_exact_free(&in);
        ngx_destroy_pool(pool);
    }

    unit_cases("good JSON");
}


static void
test_bad(void)
{
    size_t              i, j;
    ngx_int_t           rc;
    ngx_str_t           in, error, s;
    ngx_pool_t         *pool;
    ngx_group_value_t  *value;

    static struct {
        const char  *in;
        size_t       len;
        const char  *error;     /* NULL: whatever yajl says */
    } cases[] = {
        { S(""), "no value, at byte 0" },
        { S(" "), "no value, at byte 1" },
        { S("\n\r\t "), "no value, at byte 4" },

        /* structure */

        { S("{"), "invalid JSON: premature EOF, at byte 1" },
        { S("["), NULL },
        { S("]"), NULL },
        { S("}"), NULL },
        { S("[}"), NULL },
        { S("{]"), NULL },
        { S("[1}"), NULL },
        { S("{\"a\":1]"), NULL },
        { S("[1,]"), NULL },
        { S("[,1]"), NULL },
        { S("[,]"), NULL },
        { S("[1,,2]"), NULL },
        { S("[1 2]"), NULL },
        { S("[1"), NULL },
        { S("[1,"), NULL },
        { S("[1:2]"), NULL },
        { S(","), NULL },
        { S(":"), NULL },
        { S("{,}"), NULL },
        { S("{\"a\"}"), NULL },
        { S("{\"a\":}"), NULL },
        { S("{\"a\":1,}"), NULL },
        { S("{\"a\":1 \"b\":2}"), NULL },
        { S("{\"a\",1}"), NULL },
        { S("{\"a\":1:2}"), NULL },
        { S("{1:2}"), NULL },
        { S("{a:1}"), NULL },
        { S("{'a':1}"), NULL },
        { S("{null:1}"), NULL },
        { S("{[]:1}"), NULL },
        { S("{\"a\":"), NULL },
        { S("{\"a\""), NULL },

        /* bytes after the value */

        { S("{}{}"), "invalid JSON: trailing garbage, at byte 3" },
        { S("{} x"), NULL },
        { S("{}]"), NULL },
        { S("[] []"), NULL },
        { S("1 2"), NULL },
        { S("null null"), NULL },
        { S("\"a\"\"b\""), NULL },
        { S("{},"), NULL },
        { S("{}\0"), NULL },
        { S("{}#"), NULL },
        { S("{}//"), NULL },
        { S("truefalse"), NULL },
        { S("nulll"), NULL },
        { S("true1"), NULL },

        /* literals and numbers */

        { S("tru"), NULL },
        { S("True"), NULL },
        { S("NULL"), NULL },
        { S("nul"), NULL },
        { S("undefined"), NULL },
        { S("NaN"), NULL },
        { S("[NaN]"), NULL },
        { S("Infinity"), NULL },
        { S("-Infinity"), NULL },
        { S("+1"), NULL },
        { S("-"), NULL },
        { S("--1"), NULL },
        { S("01"), NULL },
        { S("-01"), NULL },
        { S("00"), NULL },
        { S("[01]"), NULL },
        { S("1."), NULL },
        { S(".5"), NULL },
        { S("1.e5"), NULL },
        { S("[1.]"), NULL },
        { S("1e"), NULL },
        { S("1e+"), NULL },
        { S("1e5.5"), NULL },
        { S("1.2.3"), NULL },
        { S("0x10"), NULL },
        { S("1_000"), NULL },
        { S("1a"), NULL },
        { S("[1a]"), NULL },
        { S("\xef\xbc\x91"), NULL },            /* a fullwidth digit */

        /* strings */

        { S("\""), "a string that does not end, at byte 1" },
        { S("\"abc"), "a string that does not end, at byte 4" },
        { S("\"abc\\"), NULL },
        { S("\"abc\\\""), NULL },
        { S("[\"abc"), NULL },
        { S("'a'"), NULL },
        { S("\"a\nb\""), "a control character in a string, at byte 2" },
        { S("\"a\tb\""), NULL },
        { S("\"\x1f\""), NULL },
        { S("\"a\0b\""), "a control character in a string, at byte 2" },
        { S("\"\\x41\""), "an escape that does not exist, at byte 1" },
        { S("\"\\'\""), NULL },
        { S("\"\\U0041\""), NULL },
        { S("\"\\0\""), NULL },
        { S("\"\\\0\""), NULL },
        { S("\"\\\n\""), NULL },
        { S("\"\\u\""),
          "\"\\u\" without four hexadecimal digits, at byte 1" },
        { S("\"\\u004\""), NULL },
        { S("\"\\u004g\""), NULL },
        { S("\"\\u00"), NULL },
        { S("\"\\u-001\""), NULL },
        { S("\"\\u 041\""), NULL },
        { S("\"\\u0000\""), "U+0000 in a string, at byte 1" },
        { S("{\"\\u0000\":1}"), NULL },
        { S("{\"a\\u0000b\":1}"), NULL },
        { S("\"\\ud800\""), "a lone surrogate in a string, at byte 1" },
        { S("\"\\udc00\""), NULL },
        { S("\"\\udfff\\ud800\""), NULL },
        { S("\"\\ud800\\ud800\""), NULL },
        { S("\"\\ud800\\u0041\""), NULL },
        { S("\"\\ud800x\""), NULL },
        { S("\"\\ud800\\n\""), NULL },
        { S("\"\\ud800\\"), NULL },
        { S("\"\\ud800\\udc0\""), NULL },
        { S("\"\\ud800\\\\udc00\""), NULL },
        { S("\"x\\ud83d\xf0\x9f\x98\x80\""), NULL },
        { S("{\"\\udead\":1}"), NULL },

        /* outside of strings */

        { S("\\u007b}"), "a character that may stand in strings only, "
                         "at byte 0" },
        { S("[\\n1]"), NULL },
        { S("\v1"), "a character that may stand in strings only, at byte 0" },
        { S("1\f"), NULL },
        { S("[1,\f2]"), NULL },
        { S("\0"), NULL },
        { S("\0{}"), NULL },
        { S("[1,\0" "2]"), NULL },
        { S("/* x */1"), NULL },
        { S("// x\n1"), NULL },
        { S("[1,/**/2]"), NULL },
        { S("# x\n1"), NULL },
        { S("\xc2\xa0" "1"), NULL },            /* a no-break space */
        { S("\xe2\x80\xa8" "1"), NULL },

        /* bytes */

        { S("\xef\xbb\xbf{}"), "a byte order mark, at byte 0" },
        { S("\xef\xbb\xbf"), "a byte order mark, at byte 0" },
        { S("\xff\xfe{\0}\0"), "not UTF-8, at byte 0" },
        { S("\xfe\xff\0{\0}"), NULL },
        { S("{\0}\0"), NULL },
        { S("\"\xc0\xaf\""), "not UTF-8, at byte 1" },
        { S("\"\xe0\x80\xaf\""), NULL },
        { S("\"\xf0\x80\x80\xaf\""), NULL },
        { S("\"\xed\xa0\x80\""), NULL },
        { S("\"\xed\xa0\xbd\xed\xb8\x80\""), NULL },
        { S("\"\xf4\x90\x80\x80\""), NULL },
        { S("\"\x80\""), NULL },
        { S("\"\xff\""), NULL },
        { S("\"\xc3\""), NULL },
        { S("\"\xe4\""), NULL },                /* Latin-1 */
        { S("{\"\xc0\x80\":1}"), NULL },
        { S("{}\xff"), "not UTF-8, at byte 2" },

        /* duplicate keys */

        { S("{\"a\":1,\"a\":2}"), "the same key twice in an object, "
                                  "at byte 10" },
        { S("{\"a\":1,\"a\":1}"), NULL },
        { S("{\"a\":1,\"b\":2,\"a\":3}"), NULL },
        { S("{\"a\":1,\"\\u0061\":2}"), NULL },
        { S("{\"\\u0061\":1,\"a\":2}"), NULL },
        { S("{\"\":1,\"\":2}"), NULL },
        { S("{\"a\":[],\"a\":[]}"), NULL },
        { S("{\"a\":{\"b\":1},\"a\":{\"b\":1}}"), NULL },
        { S("[{\"x\":{\"a\":{},\"a\":{}}}]"), NULL },
        { S("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"), NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pool = unit_pool();
        in = unit_exact(cases[i].in, cases[i].len);

        rc = decode(pool, &in, &value, &error);

        each(rc == NGX_DECLINED && value == NULL && error.len,
             "%s: %ld, %s", unit_show(&in), (long) rc, unit_show(&error));

        if (cases[i].error) {
            s = unit_str(cases[i].error);

            each(error.len == s.len && memcmp(error.data, s.data, s.len) == 0,
                 "%s: %s", unit_show(&in), unit_show(&error));
        }

        for (j = 0; j < error.len; j++) {
            if (error.data[j] < 0x20 || error.data[j] > 0x7e) {
                each(0, "%s: %s", unit_show(&in), unit_show(&error));
            }
        }

        each(error.len < 150 && error.data[error.len - 1] != '\n',
             "%s", unit_show(&error));

        unit_exact_free(&in);
        ngx_destroy_pool(pool);
    }

    unit_cases("bad JSON");
}


static ngx_str_t
nest(ngx_pool_t *pool, size_t n, const char *open, const char *close)
{
    u_char     *p;
    size_t      i;
    ngx_str_t   s;

    s.data = ngx_pnalloc(pool, n * (strlen(open) + strlen(close)) + 1);
    p = s.data;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, open, strlen(open));
    }

    *p++ = '1';

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, close, strlen(close));
    }

    s.len = (size_t) (p - s.data);

    return s;
}


static ngx_str_t
items(ngx_pool_t *pool, ngx_uint_t n, ngx_uint_t object)
{
    u_char      *p, *last;
    ngx_str_t    s;
    ngx_uint_t   i;

    s.data = ngx_pnalloc(pool, n * 16 + 16);
    p = s.data;
    last = p + n * 16 + 16;

    *p++ = object ? '{' : '[';

    for (i = 0; i < n; i++) {
        if (i) {
            *p++ = ',';
        }

        p = object ? ngx_slprintf(p, last, "\"k%ui\":%ui", i, i)
                   : ngx_slprintf(p, last, "%ui", i);
    }

    *p++ = object ? '}' : ']';

    s.len = (size_t) (p - s.data);

    return s;
}


static void
test_limits(void)
{
    ngx_str_t            in, out, error;
    ngx_pool_t          *pool;
    ngx_group_value_t   *value;
    ngx_group_limits_t   small;

    pool = unit_pool();

    in = nest(pool, 32, "[", "]");
    ok(decode(pool, &in, &value, &error) == NGX_OK, "32 levels");

    in = nest(pool, 33, "[", "]");
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "33 levels");
    is(&error, "arrays and objects nested deeper than 32, at byte 32",
       "and what is said");

    in = nest(pool, 32, "{\"a\":", "}");
    ok(decode(pool, &in, &value, &error) == NGX_OK, "32 objects");

    in = nest(pool, 33, "{\"a\":", "}");
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "33 objects");

    in = nest(pool, 1000000, "[", "]");
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "a million levels");

    in = nest(pool, 1000000, "[", "");
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "never closed");

    ngx_str_set(&in, "[[],[],[],[]]");
    small.max_depth = 2;
    small.max_items = 4;
    ok(ngx_group_json_decode(pool, &small, &in, &value, &error) == NGX_OK,
       "siblings do not nest");

    small.max_items = 3;
    ok(ngx_group_json_decode(pool, &small, &in, &value, &error)
       == NGX_DECLINED, "4 items of at most 3");
    is(&error, "items in one array: more than 3, at byte 11",
       "and what is said");

    ngx_str_set(&in, "[[1,2],[3,4,5]]");
    ok(ngx_group_json_decode(pool, &small, &in, &value, &error) == NGX_OK,
       "each array counts for itself");

    small.max_depth = 0;
    ngx_str_set(&in, "\"[\"");
    ok(ngx_group_json_decode(pool, &small, &in, &value, &error) == NGX_OK,
       "a string does not nest");
    ngx_str_set(&in, "[]");
    ok(ngx_group_json_decode(pool, &small, &in, &value, &error)
       == NGX_DECLINED, "no level at all");

    /* deep, with yajl's own stack growing many times */

    small.max_depth = 5000;
    small.max_items = 3;
    in = nest(pool, 5000, "[\"\\t\",", "]");
    unit_fail(0);
    ok(ngx_group_json_decode(pool, &small, &in, &value, &error) == NGX_OK,
       "5000 levels when so many are allowed");

    /* the texts, yajl's memory, and 10,001 values: 4, 12, 28, 60, 64, ... */

    ok(unit_allocs() == 5000 + 1 + 4 + 155, "no allocation was not foreseen");
    ok(ngx_group_json_encode(pool, value, &out) == NGX_OK
       && ngx_group_str_eq(&in, &out), "and back");

    in = items(pool, 10000, 0);
    ok(decode(pool, &in, &value, &error) == NGX_OK
       && value->n == 10000, "10000 items");
    ok(ngx_group_json_encode(pool, value, &out) == NGX_OK
       && ngx_group_str_eq(&in, &out), "and back");

    in = items(pool, 10001, 0);
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "10001 items");

    in = items(pool, NGX_GROUP_MAX_KEYS, 1);
    ok(decode(pool, &in, &value, &error) == NGX_OK
       && value->n == NGX_GROUP_MAX_KEYS, "256 keys");

    in = items(pool, NGX_GROUP_MAX_KEYS + 1, 1);
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "257 keys");

    ngx_destroy_pool(pool);
}


/* lengths around those at which yajl's buffers grow */

static void
test_lengths(void)
{
    u_char             *p;
    size_t              n;
    ngx_int_t           rc;
    ngx_str_t           in, out, error;
    ngx_pool_t         *pool;
    ngx_uint_t          kind;
    ngx_group_value_t  *value;

    static const char  *kinds[] = { "\\n", "a", "9", "\\ud83d\\ude00" };

    for (n = 1; n < 70000; n = n < 16 ? n + 1 : n < 2000 ? n * 2 - 3
                                            : n + n / 2 - 7)
    {
        for (kind = 0; kind < 4; kind++) {
            pool = unit_pool();

            in.data = ngx_pnalloc(pool, n * 12 + 10);
            p = in.data;

            if (kind != 2) {
                *p++ = '"';
            }

            if (kind == 1) {
                *p++ = '\\';
                *p++ = 't';
            }

            for (in.len = 0; in.len < n; in.len++) {
                p = ngx_cpymem(p, kinds[kind], strlen(kinds[kind]));
            }

            if (kind != 2) {
                *p++ = '"';
            }

            in = unit_exact(in.data, (size_t) (p - in.data));

            unit_fail(0);
            rc = decode(pool, &in, &value, &error);

            each(rc == NGX_OK, "%lu of %s: %s", (unsigned long) n,
                 kinds[kind], unit_show(&error));

            /* what yajl needs, the value, its text: yajl asked for no more */

            each(unit_allocs() <= 3, "%lu of %s: %lu allocations",
                 (unsigned long) n, kinds[kind],
                 (unsigned long) unit_allocs());

            if (rc == NGX_OK && kind != 3) {
                rc = ngx_group_json_encode(pool, value, &out);
                each(rc == NGX_OK && ngx_group_str_eq(&in, &out),
                     "%lu of %s and back", (unsigned long) n, kinds[kind]);

            } else if (rc == NGX_OK) {
                each(value->u.text.len == n * 4, "%lu of %s",
                     (unsigned long) n, kinds[kind]);
            }

            unit_exact_free(&in);
            ngx_destroy_pool(pool);
        }
    }

    unit_cases("long strings and numbers");
}


static void
test_tree(void)
{
    ngx_str_t           in, out, error, key;
    ngx_pool_t         *pool;
    ngx_group_value_t  *value, *v;

    pool = unit_pool();

    ngx_str_set(&in, "{\"name\":\"plain\",\"e\":\"\\n\",\"n\":12.50,"
                     "\"t\":true,\"z\":null,\"l\":[\"x\",[]],\"o\":{}}");

    ok(decode(pool, &in, &value, &error) == NGX_OK, "a tree");
    ok(value->type == NGX_GROUP_OBJECT && value->n == 7
       && value->next == NULL && value->key.len == 0, "the root");

    key = unit_str("name");
    v = ngx_group_value_get(value, &key);
    ok(v->type == NGX_GROUP_STRING, "a string");
    is(&v->u.text, "plain", "its text");
    ok(v->u.text.data == in.data + 9 && v->key.data == in.data + 2,
       "lies in the input, as its key does");

    key = unit_str("e");
    v = ngx_group_value_get(value, &key);
    is(&v->u.text, "\n", "an escape is undone");
    ok(v->u.text.data < in.data || v->u.text.data > in.data + in.len,
       "outside of the input");

    key = unit_str("n");
    v = ngx_group_value_get(value, &key);
    ok(v->type == NGX_GROUP_NUMBER, "a number");
    is(&v->u.text, "12.50", "keeps its text");

    key = unit_str("t");
    v = ngx_group_value_get(value, &key);
    ok(v->type == NGX_GROUP_BOOLEAN && v->u.flag == 1, "true");

    key = unit_str("z");
    v = ngx_group_value_get(value, &key);
    ok(v->type == NGX_GROUP_NULL, "null");

    key = unit_str("l");
    v = ngx_group_value_get(value, &key);
    ok(v->type == NGX_GROUP_ARRAY && v->n == 2
       && v->u.items.first->next == v->u.items.last
       && v->u.items.last->next == NULL
       && v->u.items.last->type == NGX_GROUP_ARRAY
       && v->u.items.last->n == 0
       && v->u.items.first->key.len == 0, "an array");

    key = unit_str("o");
    v = ngx_group_value_get(value, &key);
    ok(v->type == NGX_GROUP_OBJECT && v == value->u.items.last, "an object");

    /* what no input makes */

    v = ngx_group_value_create(pool, NGX_GROUP_STRING);
    ok(ngx_group_json_encode(pool, v, &out) == NGX_OK, "a NULL text");
    is(&out, "\"\"", "is an empty string");

    v->u.text.data = (u_char *) "a\0b";
    v->u.text.len = 3;
    (void) ngx_group_json_encode(pool, v, &out);
    is(&out, "\"a\\u0000b\"", "U+0000 is escaped");

    v = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    key.data = (u_char *) "\"\n";
    key.len = 2;
    ngx_group_value_set(v, &key, ngx_group_value_integer(pool, -5));
    (void) ngx_group_json_encode(pool, v, &out);
    is(&out, "{\"\\\"\\n\":-5}", "keys are escaped");

    ngx_destroy_pool(pool);
}


static void
test_memory(void)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           in, out, error;
    ngx_pool_t         *pool;
    ngx_uint_t          n, live;
    ngx_group_value_t  *value;

    ngx_str_t  docs[4];

    static const char  *texts[] = {
        "{\"a\\n\":[1,\"x\",\"y\\t\",true,null,{\"b\":{}}],\"c\":\"\"}",
        "{\"a\":1,\"a\":2}",
        "[1,2"
    };

    for (i = 0; i < 3; i++) {
        docs[i] = unit_str(texts[i]);
    }

    /* one that needs more than the scratch space */

    docs[3].len = 20000;
    docs[3].data = malloc(20000);
    memset(docs[3].data, 'x', 20000);
    memcpy(docs[3].data, "[\"\\n", 4);
    memcpy(docs[3].data + 19998, "\"]", 2);

    live = unit_live();

    for (i = 0; i < 4; i++) {
        for (n = 1; n < 1000; n++) {

            pool = unit_pool();
            in = unit_exact(docs[i].data, docs[i].len);

            unit_fail(n);

            rc = decode(pool, &in, &value, &error);

            if (rc == NGX_OK) {
                rc = ngx_group_json_encode(pool, value, &out);
            }

            if (!unit_failed()) {
                unit_fail(0);
                each(rc == (i == 1 || i == 2 ? NGX_DECLINED : NGX_OK),
                     "%lu: %ld", (unsigned long) i, (long) rc);
                each(n > 2, "%lu: %lu allocations", (unsigned long) i,
                     (unsigned long) n);
                unit_exact_free(&in);
                ngx_destroy_pool(pool);
                break;
            }

            unit_fail(0);

            each(rc == NGX_ERROR, "%lu, %lu: %ld", (unsigned long) i,
                 (unsigned long) n, (long) rc);

            unit_exact_free(&in);
            ngx_destroy_pool(pool);
        }

        each(unit_live() == live, "leak");
    }

    free(docs[3].data);

    unit_cases("no memory");
}


/* changed bytes: never a crash, and what is taken can be written and read */

static void
test_mutations(void)
{
    size_t              i, n, k;
    ngx_int_t           rc;
    ngx_str_t           in, out, error;
    ngx_pool_t         *pool;
    ngx_uint_t          taken;
    ngx_group_value_t  *value, *again;

    static const char   seed[] =
        "{\"name\":\"Sales \\u00e4\\ud83d\\ude00\",\"n\":-12.5e+3,\"t\":true,"
        "\"list\":[{\"id\":\"1\"},{\"id\":\"2\"},null,[],{}],\"q\":\"\\\"\"}";

    static const char   bytes[] =
        "{}[]:,\"\\/u0123456789dDcCeE+-. \t\n\rtrufalsn\x80\xc3\xa4\xff\x01";

    taken = 0;

    for (i = 0; i < 60000; i++) {
        pool = unit_pool();
        in = unit_exact(seed, sizeof(seed) - 1);

        n = unit_random() % 4 + 1;

        while (n-- && in.len) {
            k = unit_random() % in.len;

            switch (unit_random() % 4) {

            case 0:
                in.data[k] = (u_char) bytes[unit_random()
                                            % (sizeof(bytes) - 1)];
                break;

            case 1:
                memmove(in.data + k, in.data + k + 1, in.len - k - 1);
                in.len--;
                break;

            case 2:
                in.data[k] = in.data[unit_random() % in.len];
                break;

            default:
                if (unit_random() % 20 == 0) {
                    in.len -= unit_random() % in.len;
                }
            }
        }

        out = unit_exact(in.data, in.len);
        unit_exact_free(&in);
        in = out;

        rc = decode(pool, &in, &value, &error);

        if (rc == NGX_OK) {
            taken++;

            rc = ngx_group_json_encode(pool, value, &out);

            if (rc == NGX_OK) {
                rc = decode(pool, &out, &again, &error);
            }

            each(rc == NGX_OK && ngx_group_value_equal(value, again),
                 "%s", unit_show(&in));

        } else if (rc != NGX_DECLINED || error.len == 0) {
            each(0, "%s: %ld", unit_show(&in), (long) rc);
        }

        unit_exact_free(&in);
        ngx_destroy_pool(pool);
    }

    unit_cases("changed bytes: %lu documents taken", (unsigned long) taken);
}


int
main(void)
{
    test_good();
    test_bad();
    test_limits();
    test_lengths();
    test_tree();
    test_memory();
    test_mutations();

    return unit_done();
}
