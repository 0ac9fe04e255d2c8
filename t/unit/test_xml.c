
#include "unit.h"
#include "ngx_group_json.h"
#include "ngx_group_xml.h"

#include <expat.h>


#define S(literal)  literal, sizeof(literal) - 1

#define DECLARATION  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"


static ngx_group_limits_t  limits = { 32, 10000 };


/* expat's allocations are counted and fail as those of pools do */

XML_Parser  __wrap_XML_ParserCreate(const XML_Char *encoding);

XML_Parser
__wrap_XML_ParserCreate(const XML_Char *encoding)
{
    static const XML_Memory_Handling_Suite  suite = {
        unit_malloc, unit_realloc, unit_free
    };

    return XML_ParserCreate_MM(encoding, &suite, NULL);
}


static ngx_int_t
decode(ngx_pool_t *pool, ngx_str_t *in, ngx_group_value_t **value,
    ngx_str_t *error)
{
    *value = NULL;

    ngx_str_null(error);

    return ngx_group_xml_decode(pool, &limits, in, value, error);
}


/* what is taken, and the tree as JSON */

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
        const char  *json;
    } cases[] = {
        { S("<a/>"), "{\"a\":\"\"}" },
        { S("<a></a>"), "{\"a\":\"\"}" },
        { S("<a >\n</a\t>\n"), "{\"a\":\"\\n\"}" },
        { S("<a>text</a>"), "{\"a\":\"text\"}" },
        { S("<a>  x  </a>"), "{\"a\":\"  x  \"}" },
        { S("<a><b>1</b></a>"), "{\"a\":{\"b\":\"1\"}}" },
        { S("<a><b/><c/></a>"), "{\"a\":{\"b\":\"\",\"c\":\"\"}}" },
        { S("<a>\n  <b>1</b>\n  <b>2</b>\n  <c><d/></c>\n</a>"),
          "{\"a\":{\"b\":\"1\",\"b\":\"2\",\"c\":{\"d\":\"\"}}}" },
        { S("<a><b>1</b><c>2</c><b>3</b></a>"),
          "{\"a\":{\"b\":\"1\",\"c\":\"2\",\"b\":\"3\"}}" },
        { S("<a><a><a/></a></a>"), "{\"a\":{\"a\":{\"a\":\"\"}}}" },
        { S("<a-b.c_1/>"), "{\"a-b.c_1\":\"\"}" },

        /* declarations */

        { S("<?xml version=\"1.0\"?><a/>"), "{\"a\":\"\"}" },
        { S(DECLARATION "<a/>"), "{\"a\":\"\"}" },
        { S("<?xml version='1.0' encoding='utf-8' standalone='yes'?><a/>"),
          "{\"a\":\"\"}" },
        { S("<?xml version='1.0' standalone='no'?><a/>"), "{\"a\":\"\"}" },

        /* entities, character references, CDATA */

        { S("<a>&lt;&gt;&amp;&quot;&apos;</a>"), "{\"a\":\"<>&\\\"'\"}" },
        { S("<a>x&amp;y&amp;z</a>"), "{\"a\":\"x&y&z\"}" },
        { S("<a>&amp;lt;</a>"), "{\"a\":\"&lt;\"}" },
        { S("<a>&#65;&#x42;&#x1F600;</a>"),
          "{\"a\":\"AB\xf0\x9f\x98\x80\"}" },
        { S("<a>&#10;&#13;&#9;</a>"), "{\"a\":\"\\n\\r\\t\"}" },
        { S("<a><![CDATA[<b>&amp;]]></a>"), "{\"a\":\"<b>&amp;\"}" },
        { S("<a>x<![CDATA[y]]>z</a>"), "{\"a\":\"xyz\"}" },
        { S("<a><![CDATA[]]></a>"), "{\"a\":\"\"}" },
        { S("<a><![CDATA[]]]]><![CDATA[>]]></a>"), "{\"a\":\"]]>\"}" },
        { S("<a><![CDATA[ \n]]><b/></a>"), "{\"a\":{\"b\":\"\"}}" },
        { S("<a>&#32;<b/>&#10;</a>"), "{\"a\":{\"b\":\"\"}}" },

        /* line ends are one line feed */

        { S("<a>1\r\n2\r3\n4</a>"), "{\"a\":\"1\\n2\\n3\\n4\"}" },

        /* comments and processing instructions */

        { S("<!-- x --><a/><!-- y -->"), "{\"a\":\"\"}" },
        { S("<a>x<!-- y -->z</a>"), "{\"a\":\"xz\"}" },
        { S("<a><!-- <b/> --></a>"), "{\"a\":\"\"}" },
        { S("<a><b/><!-- x --><c/></a>"),
          "{\"a\":{\"b\":\"\",\"c\":\"\"}}" },
        { S("<?php echo ?><a/><?x?>"), "{\"a\":\"\"}" },
        { S("<a>x<?pi y?>z</a>"), "{\"a\":\"xz\"}" },

        /* encodings */

        { S("\xef\xbb\xbf<a>\xc3\xa4</a>"), "{\"a\":\"\xc3\xa4\"}" },
        { S("<a>\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80</a>"),
          "{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}" },
        { S("<\xc3\xa4>1</\xc3\xa4>"), "{\"\xc3\xa4\":\"1\"}" },
        { S("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>"),
          "{\"a\":\"\xc3\xa4\"}" },
        { S("<?xml version='1.0' encoding='US-ASCII'?><a>x</a>"),
          "{\"a\":\"x\"}" },
        { S("\xff\xfe<\0a\0>\0\xe4\0\xac\x20=\xd8\0\xde<\0/\0a\0>\0"),
          "{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}" },
        { S("\xfe\xff\0<\0a\0>\0\xe4\x20\xac\xd8=\xde\0\0<\0/\0a\0>"),
          "{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}" },
        { S("\xef\xbb\xbf" DECLARATION "<a/>"), "{\"a\":\"\"}" },

        /* without namespaces a colon is a character */

        { S("<x:a><x:b>1</x:b></x:a>"), "{\"x:a\":{\"x:b\":\"1\"}}" },

        /* a name that begins as another one */

        { S("<a><bb/><b/><bb/></a>"),
          "{\"a\":{\"bb\":\"\",\"b\":\"\",\"bb\":\"\"}}" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pool = unit_pool();
        in = unit_exact(cases[i].in, cases[i].len);

        rc = decode(pool, &in, &value, &error);

        each(rc == NGX_OK && value, "%s: %ld, %s", unit_show(&in), (long) rc,
             unit_show(&error));

        /* the texts must not lie in expat's memory, nor in the input */

        unit_exact_free(&in);

        if (rc == NGX_OK) {
            rc = ngx_group_json_encode(pool, value, &out);

            each(rc == NGX_OK && out.len == strlen(cases[i].json)
                 && memcmp(out.data, cases[i].json, out.len) == 0,
                 "%s gives %s", cases[i].in, unit_show(&out));
        }

        ngx_destroy_pool(pool);
    }

    unit_cases("good XML");
}


static void
test_bad(void)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           in, error, s;
    ngx_pool_t         *pool;
    ngx_group_value_t  *value;

    static struct {
        const char  *in;
        size_t       len;
        const char  *error;     /* how it begins; NULL: as expat says */
    } cases[] = {
        { S(""), "no element, at byte 0" },
        { S(" "), NULL },
        { S("\n\n"), NULL },
        { S("text"), NULL },
        { S("{\"a\":1}"), NULL },
        { S("<"), NULL },
        { S("<a"), NULL },
        { S("<a>"), "invalid XML: no element found, at byte 3" },
        { S("</a>"), NULL },
        { S("<a></b>"), "invalid XML: mismatched tag, at byte 5" },
        { S("<a><b></a></b>"), NULL },
        { S("<a/><b/>"), NULL },
        { S("<a/>x"), NULL },
        { S("x<a/>"), NULL },
        { S("<a/><"), NULL },
        { S("<a/>\0"), NULL },
        { S("<a>\0</a>"), NULL },
        { S("<a\0/>"), NULL },
        { S("<1/>"), NULL },
        { S("< a/>"), NULL },
        { S("<a><b</a>"), NULL },
        { S("<a>]]></a>"), NULL },
        { S("<a><![CDATA[x</a>"), NULL },
        { S("<a><!-- x -- y --></a>"), NULL },
        { S("<!-- x"), NULL },
        { S("<a>&</a>"), NULL },
        { S("<a>&amp</a>"), NULL },
        { S("<a>&#0;</a>"), NULL },
        { S("<a>&#x0;</a>"), NULL },
        { S("<a>&#1;</a>"), NULL },
        { S("<a>&#xD800;</a>"), NULL },
        { S("<a>&#xFFFE;</a>"), NULL },
        { S("<a>&#xFFFF;</a>"), NULL },
        { S("<a>&#x110000;</a>"), NULL },
        { S("<a>&#99999999999999999999;</a>"), NULL },
        { S("<a>&#-1;</a>"), NULL },
        { S("<a>\x01</a>"), NULL },
        { S("<a>\x1f</a>"), NULL },
        { S(" <?xml version=\"1.0\"?><a/>"), NULL },
        { S("<a><?xml version=\"1.0\"?></a>"), NULL },
        { S("<?xml encoding=\"UTF-8\"?><a/>"), NULL },
        { S("<?xml version=\"2.0\"?><a/>"),
          "a version of XML other than 1.x" },

        /* entities */

        { S("<a>&nbsp;</a>"), "invalid XML: undefined entity, at byte 3" },
        { S("<a>&lol;</a>"), NULL },
        { S("<?xml version='1.0' standalone='no'?><a>&x;</a>"), NULL },
        { S("<a>%x;&y;</a>"), NULL },

        /* document types */

        { S("<!DOCTYPE a><a/>"),
          "a document type declaration" },
        { S("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"),
          "a document type declaration" },
        { S("<!DOCTYPE a PUBLIC \"x\" \"http://x/\"><a/>"), NULL },
        { S("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"),
          "a document type declaration" },
        { S("<!DOCTYPE a [<!ENTITY a0 \"x\"><!ENTITY a1 \"&a0;&a0;\">"
            "<!ENTITY a2 \"&a1;&a1;\">]><a>&a2;</a>"), NULL },
        { S("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
            "<a>&x;</a>"), NULL },
        { S("<!DOCTYPE a [<!ATTLIST a x CDATA \"y\">]><a/>"), NULL },
        { S("<!DOCTYPE a [%x;]><a/>"), NULL },
        { S("<!DOCTYPE"), NULL },
        { S("<!-- x -->\n<!DOCTYPE a>\n<a/>"),
          "a document type declaration" },
        { S("\xff\xfe<\0!\0D\0O\0C\0T\0Y\0P\0E\0 \0a\0>\0<\0a\0/\0>\0"),
          NULL },

        /* attributes */

        { S("<a x=\"1\"/>"), "an attribute, at byte 0" },
        { S("<a><b x='1'/></a>"), "an attribute, at byte 3" },
        { S("<a xmlns=\"urn:x\"/>"), "an attribute, at byte 0" },
        { S("<x:a xmlns:x=\"urn:x\"/>"), NULL },
        { S("<a xml:lang=\"en\"/>"), NULL },
        { S("<a x=\"1\" x=\"2\"/>"), NULL },
        { S("<a x=\"&y;\"/>"), NULL },
        { S("<a x/>"), NULL },

        /* text beside elements */

        { S("<a>x<b/></a>"), "text beside an element, at byte 4" },
        { S("<a><b/>x</a>"), "text beside an element, at byte 7" },
        { S("<a><b/> x <c/></a>"), NULL },
        { S("<a>x<![CDATA[ ]]><b/></a>"), NULL },
        { S("<a><b/><![CDATA[x]]></a>"), NULL },
        { S("<a><b/>&#65;</a>"), NULL },
        { S("<a><b/>&amp;</a>"), NULL },
        { S("<a>\xc2\xa0<b/></a>"), NULL },

        /* bytes and encodings */

        { S("<a>\xe4</a>"), NULL },
        { S("<a>\xc0\xaf</a>"), NULL },
        { S("<a>\xe0\x80\xaf</a>"), NULL },
        { S("<a>\xf0\x80\x80\xaf</a>"), NULL },
        { S("<a>\xed\xa0\x80</a>"), NULL },
        { S("<a>\xf4\x90\x80\x80</a>"), NULL },
        { S("<a>\xff</a>"), NULL },
        { S("<a>\xc3</a>"), NULL },
        { S("<a>\xef\xbf\xbf</a>"), NULL },
        { S("<a>\xef\xbf\xbe</a>"), NULL },
        { S("<?xml version='1.0' encoding='UTF-7'?><a/>"),
          "invalid XML: unknown encoding, at byte 30" },
        { S("<?xml version='1.0' encoding='Shift_JIS'?><a/>"), NULL },
        { S("<?xml version='1.0' encoding='windows-1252'?><a/>"), NULL },
        { S("<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>"), NULL },
        { S("<?xml version='1.0' encoding='x'?><a/>"), NULL },
        { S("<?xml version='1.0' encoding=''?><a/>"), NULL },
        { S("<?xml version='1.0' encoding='UTF-16'?><a/>"), NULL },
        { S("<?xml version='1.0' encoding='US-ASCII'?><a>\xe4</a>"), NULL },
        { S("\xff\xfe"), NULL },
        { S("\xff\xfe<\0a\0/\0>"), NULL },
        { S("\xff\xfe<\0a\0>\0=\xd8<\0/\0a\0>\0"), "a lone surrogate" },
        { S("\xff\xfe<\0a\0>\0\0\xde<\0/\0a\0>\0"), "a lone surrogate" },
        { S("\xfe\xff\0<\0a\0>\xd8=\0x\0<\0/\0a\0>"), "a lone surrogate" },
        { S("<\0a\0>\0=\xd8x\0<\0/\0a\0>\0"), NULL },
        { S("\0<\0a\0>\xd8=\0x\0<\0/\0a\0>"), NULL },
        { S("\0\0\xfe\xff\0\0\0<"), NULL },
        { S("\xef\xbb\xbf"), NULL },
        { S("\xef\xbb"), NULL },
        { S("\xef\xbb\xbf\xef\xbb\xbf<a/>"), NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pool = unit_pool();
        in = unit_exact(cases[i].in, cases[i].len);

        rc = decode(pool, &in, &value, &error);

        each(rc == NGX_DECLINED && value == NULL && error.len,
             "%s: %ld, %s", unit_show(&in), (long) rc, unit_show(&error));

        if (cases[i].error) {
            s = unit_str(cases[i].error);

            each(error.len >= s.len && memcmp(error.data, s.data, s.len) == 0,
                 "%s: %s", unit_show(&in), unit_show(&error));
        }

        unit_exact_free(&in);
        ngx_destroy_pool(pool);
    }

    unit_cases("bad XML");
}


static ngx_str_t
repeat(ngx_pool_t *pool, const char *head, const char *text, size_t n,
    const char *tail)
{
    u_char     *p;
    size_t      i;
    ngx_str_t   s;

    s.data = ngx_pnalloc(pool, strlen(head) + n * strlen(text)
                               + strlen(tail));
    p = ngx_cpymem(s.data, head, strlen(head));

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, text, strlen(text));
    }

    p = ngx_cpymem(p, tail, strlen(tail));

    s.len = (size_t) (p - s.data);

    return s;
}


static void
test_limits(void)
{
    size_t              n;
    ngx_int_t           rc;
    ngx_str_t           in, a, b, error;
    ngx_pool_t         *pool;
    ngx_group_value_t  *value;

    pool = unit_pool();

    a = repeat(pool, "", "<a>", 32, "");
    b = repeat(pool, "", "</a>", 32, "");
    in.len = a.len + b.len;
    in.data = ngx_pnalloc(pool, in.len);
    memcpy(ngx_cpymem(in.data, a.data, a.len), b.data, b.len);

    ok(decode(pool, &in, &value, &error) == NGX_OK, "32 levels");

    in = repeat(pool, "", "<a>", 33, "");
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "33 levels");
    is(&error, "elements nested deeper than 32, at byte 96",
       "and what is said");

    in = repeat(pool, "", "<a>", 300000, "");
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "very many levels");

    in = repeat(pool, "<a>", "<b/>", 10000, "</a>");
    ok(decode(pool, &in, &value, &error) == NGX_OK
       && value->u.items.first->n == 10000, "10000 children");

    ok(value->u.items.first->u.items.first->key.data
       == value->u.items.first->u.items.last->key.data,
       "of one name, which is there once");

    in = repeat(pool, "<a>", "<b/>", 10001, "</a>");
    ok(decode(pool, &in, &value, &error) == NGX_DECLINED, "10001 children");

    in = repeat(pool, "<a><b>", "<c/>", 10000, "</b><d/></a>");
    ok(decode(pool, &in, &value, &error) == NGX_OK,
       "each element counts for itself");

    /* text in many pieces */

    for (n = 1; n < 300000; n = n * 3 + 1) {

        in = repeat(pool, "<a>", "&lt;", n, "</a>");
        rc = decode(pool, &in, &value, &error);
        each(rc == NGX_OK && value->u.items.first->u.text.len == n,
             "%lu references", (unsigned long) n);

        in = repeat(pool, "<a>", "x\n", n, "</a>");
        rc = decode(pool, &in, &value, &error);
        each(rc == NGX_OK && value->u.items.first->u.text.len == 2 * n,
             "%lu lines", (unsigned long) n);

        in = repeat(pool, "<a>", "x<!---->", n, "</a>");
        rc = decode(pool, &in, &value, &error);
        each(rc == NGX_OK && value->u.items.first->u.text.len == n,
             "%lu comments", (unsigned long) n);

        in = repeat(pool, "<a>", "<![CDATA[xy]]>", n, "</a>");
        rc = decode(pool, &in, &value, &error);
        each(rc == NGX_OK && value->u.items.first->u.text.len == 2 * n,
             "%lu CDATA", (unsigned long) n);
    }

    unit_cases("text in pieces");

    ngx_destroy_pool(pool);
}


static void
test_encode(void)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           in, out, error;
    ngx_pool_t         *pool;
    ngx_group_value_t  *value, *again;

    static struct {
        const char  *json;
        const char  *xml;       /* after the declaration; NULL: nothing */
    } cases[] = {
        { "{\"a\":\"\"}", "<a/>" },
        { "{\"a\":\"x\"}", "<a>x</a>" },
        { "{\"a\":{}}", "<a/>" },
        { "{\"a\":{\"b\":\"1\",\"c\":\"\"}}", "<a><b>1</b><c/></a>" },
        { "{\"a\":{\"b\":[\"1\",\"2\"],\"c\":[]}}",
          "<a><b>1</b><b>2</b></a>" },
        { "{\"a\":{\"b\":[{\"c\":1},{\"c\":2}]}}",
          "<a><b><c>1</c></b><b><c>2</c></b></a>" },
        { "{\"a\":{\"b\":[[1,2],[],[3]]}}",
          "<a><b>1</b><b>2</b><b>3</b></a>" },
        { "{\"a\":{\"b\":null,\"c\":[null,1,null]}}", "<a><c>1</c></a>" },
        { "{\"a\":{\"b\":null}}", "<a/>" },
        { "{\"a\":{\"t\":true,\"f\":false,\"n\":-1.50e3}}",
          "<a><t>true</t><f>false</f><n>-1.50e3</n></a>" },
        { "{\"a\":\"<&>\\\"'\"}", "<a>&lt;&amp;&gt;\"'</a>" },
        { "{\"a\":\"]]>\"}", "<a>]]&gt;</a>" },
        { "{\"a\":\"1\\r\\n\\t2\"}", "<a>1&#13;\n\t2</a>" },
        { "{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}",
          "<a>\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f</a>" },
        { "{\"a\":\"\\u0001x\\u001f\\u000b\"}",
          "<a>\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd</a>" },
        { "{\"a\":\"\\ufffe\\uffff\\ufffd\"}",
          "<a>\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd</a>" },
        { "{\"a\":{\"b c\":1,\"\":2,\"1d\":3,\"<e>\":4,\"f\":5,\"-\":6}}",
          "<a><f>5</f></a>" },
        { "{\"\xc3\xa4\":1}", "<\xc3\xa4>1</\xc3\xa4>" },
        { "{\"x:a\":1}", "<x:a>1</x:a>" },
        { "{\"a\":[1,2]}", "<a>1</a>" },
        { "{\"a\":[[\"x\"]]}", "<a>x</a>" },
        { "{\"a\":1,\"b\":2}", "<a>1</a>" },
        { "{\" \":1,\"b\":2}", "<b>2</b>" },
        { "{\"a\":null}", NULL },
        { "{\"a\":[]}", NULL },
        { "{\" \":1}", NULL },
        { "{}", NULL },
        { "[]", NULL },
        { "\"a\"", NULL },
        { "null", NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pool = unit_pool();
        in = unit_str(cases[i].json);

        rc = ngx_group_json_decode(pool, &limits, &in, &value, &error);

        if (rc != NGX_OK) {
            each(0, "%s: %s", cases[i].json, unit_show(&error));
            ngx_destroy_pool(pool);
            continue;
        }

        rc = ngx_group_xml_encode(pool, value, &out);

        if (cases[i].xml == NULL) {
            each(rc == NGX_OK && out.len == 0, "%s: %s", cases[i].json,
                 unit_show(&out));
            ngx_destroy_pool(pool);
            continue;
        }

        each(rc == NGX_OK
             && out.len == sizeof(DECLARATION) - 1 + strlen(cases[i].xml)
             && memcmp(out.data, DECLARATION, sizeof(DECLARATION) - 1) == 0
             && memcmp(out.data + sizeof(DECLARATION) - 1, cases[i].xml,
                       strlen(cases[i].xml)) == 0,
             "%s: %s", cases[i].json, unit_show(&out));

        /* what was written can be read, and is the same when written again */

        rc = decode(pool, &out, &again, &error);
        each(rc == NGX_OK, "%s: %s", unit_show(&out), unit_show(&error));

        if (rc == NGX_OK) {
            rc = ngx_group_xml_encode(pool, again, &in);
            each(rc == NGX_OK && ngx_group_str_eq(&in, &out), "%s",
                 unit_show(&in));
        }

        ngx_destroy_pool(pool);
    }

    unit_cases("writing XML");

    /* bytes that are no UTF-8 cannot come from a body, but from a hook */

    pool = unit_pool();

    value = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    ngx_str_set(&in, "a\x80\xc3z\xed\xa0\x80\xf0\x9f\x98");
    again = ngx_group_value_string(pool, &in);
    ngx_str_set(&in, "k");
    ngx_group_value_set(value, &in, again);

    (void) ngx_group_xml_encode(pool, value, &out);

    is(&out, DECLARATION "<k>a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf"
       "\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd</k>",
       "each stray byte becomes U+FFFD");

    ngx_destroy_pool(pool);
}


static void
test_memory(void)
{
    size_t              i;
    ngx_int_t           rc, want;
    ngx_str_t           in, out, error;
    ngx_pool_t         *pool;
    ngx_uint_t          n, live;
    ngx_group_value_t  *value;

    static const char  *texts[] = {
        "<a><b>x&amp;y</b><b>z</b><c><d/></c>\n</a>",
        "<a><b></a>",
        "<a x='1'/>",
        "<!DOCTYPE a><a/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>"
    };

    live = unit_live();

    for (i = 0; i < 5; i++) {
        want = (i == 1 || i == 2 || i == 3) ? NGX_DECLINED : NGX_OK;

        for (n = 1; n < 1000; n++) {

            pool = unit_pool();
            in = unit_exact(texts[i], strlen(texts[i]));

            unit_fail(n);

            rc = decode(pool, &in, &value, &error);

            if (rc == NGX_OK) {
                rc = ngx_group_xml_encode(pool, value, &out);
            }

            if (!unit_failed()) {
                unit_fail(0);
                each(rc == want, "%lu: %ld", (unsigned long) i, (long) rc);
                each(n > 5, "%lu: %lu allocations", (unsigned long) i,
                     (unsigned long) n);
                unit_exact_free(&in);
                ngx_destroy_pool(pool);
                break;
            }

            unit_fail(0);

            each(rc == NGX_ERROR, "%lu, %lu: %ld %s", (unsigned long) i,
                 (unsigned long) n, (long) rc, unit_show(&error));

            unit_exact_free(&in);
            ngx_destroy_pool(pool);

            each(unit_live() == live, "%lu, %lu: leak", (unsigned long) i,
                 (unsigned long) n);
        }
    }

    unit_cases("no memory");
}


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
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<group>\n  <name>A &amp;"
        " B &#xe4;</name>\n  <contact>\xc3\xa4</contact>\n  <contact/>\n"
        "  <x><![CDATA[<y>]]></x><!-- c --><?p i?>\n</group>";

    static const char   bytes[] =
        "<>/&;#x![]CDATA-?=\"' \n\r\ta1\xc3\xa4\xff\x01";

    taken = 0;

    for (i = 0; i < 30000; i++) {
        pool = unit_pool();
        in = unit_exact(seed, sizeof(seed) - 1);

        n = unit_random() % 3 + 1;

        while (n--) {
            k = unit_random() % in.len;

            if (unit_random() % 2) {
                in.data[k] = (u_char) bytes[unit_random()
                                            % (sizeof(bytes) - 1)];

            } else {
                memmove(in.data + k, in.data + k + 1, in.len - k - 1);
                in.len--;
            }
        }

        out = unit_exact(in.data, in.len);
        unit_exact_free(&in);
        in = out;

        rc = decode(pool, &in, &value, &error);

        if (rc == NGX_OK) {
            taken++;

            rc = ngx_group_xml_encode(pool, value, &out);

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
    test_encode();
    test_memory();
    test_mutations();

    return unit_done();
}
