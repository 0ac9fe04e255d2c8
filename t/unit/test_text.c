
#include "unit.h"

#include <ctype.h>

#include "ngx_group_text.h"


#define S(literal)  literal, sizeof(literal) - 1


/* an encoder and a decoder that share nothing with the code under test */

static size_t
encode(uint32_t c, u_char *p)
{
    if (c < 0x80) {
        p[0] = (u_char) c;
        return 1;
    }

    if (c < 0x800) {
        p[0] = (u_char) (0xc0 | c >> 6);
        p[1] = (u_char) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        p[0] = (u_char) (0xe0 | c >> 12);
        p[1] = (u_char) (0x80 | (c >> 6 & 0x3f));
        p[2] = (u_char) (0x80 | (c & 0x3f));
        return 3;
    }

    p[0] = (u_char) (0xf0 | c >> 18);
    p[1] = (u_char) (0x80 | (c >> 12 & 0x3f));
    p[2] = (u_char) (0x80 | (c >> 6 & 0x3f));
    p[3] = (u_char) (0x80 | (c & 0x3f));

    return 4;
}


static void
test_utf8(void)
{
    size_t      chars, bad, i, len;
    u_char      b[8];
    uint32_t    c;
    ngx_int_t   rc, want;
    ngx_str_t   s, t;

    static struct {
        const char  *text;
        size_t       len;
        ngx_int_t    bad;       /* -1: it is good */
        size_t       chars;
    } cases[] = {
        { S(""), -1, 0 },
        { S("abc"), -1, 3 },
        { S("a\0b"), -1, 3 },
        { S("\x7f"), -1, 1 },
        { S("0123456789abcdef0123456789abcdef"), -1, 32 },
        { S("0123456789abcde\xc3\xa4" "0123456789abcdef"), -1, 32 },
        { S("01234567\xff"), 8, 0 },
        { S("0123456\xff"), 7, 0 },
        { S("\x80"), 0, 0 },
        { S("\xbf"), 0, 0 },
        { S("\xc0\x80"), 0, 0 },                /* overlong U+0000 */
        { S("\xc0\xaf"), 0, 0 },                /* overlong "/" */
        { S("\xc1\xbf"), 0, 0 },
        { S("\xc2\x80"), -1, 1 },
        { S("\xdf\xbf"), -1, 1 },
        { S("\xe0\x80\xaf"), 0, 0 },
        { S("\xe0\x9f\xbf"), 0, 0 },
        { S("\xe0\xa0\x80"), -1, 1 },
        { S("\xed\x9f\xbf"), -1, 1 },
        { S("\xed\xa0\x80"), 0, 0 },            /* U+D800 */
        { S("\xed\xbf\xbf"), 0, 0 },            /* U+DFFF */
        { S("\xed\xa0\xbd\xed\xb8\x80"), 0, 0 },  /* CESU-8 */
        { S("\xee\x80\x80"), -1, 1 },
        { S("\xef\xbf\xbf"), -1, 1 },
        { S("\xf0\x80\x80\xaf"), 0, 0 },
        { S("\xf0\x8f\xbf\xbf"), 0, 0 },
        { S("\xf0\x90\x80\x80"), -1, 1 },
        { S("\xf4\x8f\xbf\xbf"), -1, 1 },
        { S("\xf4\x90\x80\x80"), 0, 0 },        /* U+110000 */
        { S("\xf5\x80\x80\x80"), 0, 0 },
        { S("\xf8\x88\x80\x80\x80"), 0, 0 },
        { S("\xfe"), 0, 0 },
        { S("\xff"), 0, 0 },
        { S("ab\xc3"), 2, 0 },                  /* cut off */
        { S("ab\xe2\x82"), 2, 0 },
        { S("ab\xf0\x9f\x98"), 2, 0 },
        { S("\xc3\xc3\xa4"), 0, 0 },
        { S("\xe2\x82" "a"), 0, 0 },
        { S("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"), -1, 4 },
        { S("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z\x80"), 10, 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        s = unit_exact(cases[i].text, cases[i].len);

        chars = bad = 999;
        rc = ngx_group_utf8(&s, &chars, &bad);

        if (cases[i].bad == -1) {
            each(rc == NGX_OK && chars == cases[i].chars, "%s: %ld, %lu",
                 unit_show(&s), (long) rc, (unsigned long) chars);

        } else {
            each(rc == NGX_DECLINED && bad == (size_t) cases[i].bad,
                 "%s: %ld, bad at %lu", unit_show(&s), (long) rc,
                 (unsigned long) bad);
        }

        each(ngx_group_utf8(&s, NULL, NULL) == rc, "without results");

        unit_exact_free(&s);
    }

    unit_cases("UTF-8");

    for (c = 0; c <= 0x1fffff; c += (c < 0x11000 || (c & 0xffff) > 0xfff0)
                                    ? 1 : 7)
    {
        len = encode(c, b);

        s.data = b;
        s.len = len;

        want = (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) ? NGX_DECLINED
                                                              : NGX_OK;

        if (ngx_group_utf8(&s, &chars, NULL) != want
            || (want == NGX_OK && chars != 1))
        {
            each(0, "U+%04lX", (unsigned long) c);
        }

        if (want == NGX_OK && len > 1) {
            t.data = b;
            t.len = len - 1;

            if (ngx_group_utf8(&t, NULL, NULL) == NGX_OK) {
                each(0, "U+%04lX cut off", (unsigned long) c);
            }
        }

        want = (want == NGX_OK
                && (c >= 0x20 || c == 9 || c == 10 || c == 13)
                && c != 0xfffe && c != 0xffff) ? NGX_OK : NGX_DECLINED;

        each(ngx_group_xml_text(&s) == want, "XML U+%04lX", (unsigned long) c);
    }

    unit_cases("characters of Unicode");
}


static void
test_xml(void)
{
    size_t     i;
    ngx_str_t  s;

    static struct {
        const char  *text;
        size_t       len;
        ngx_int_t    text_rc;
        ngx_int_t    name_rc;
    } cases[] = {
        { S(""), NGX_OK, NGX_DECLINED },
        { S("name"), NGX_OK, NGX_OK },
        { S("_x-1.y"), NGX_OK, NGX_OK },
        { S("a:b"), NGX_OK, NGX_OK },
        { S("1a"), NGX_OK, NGX_DECLINED },
        { S("-a"), NGX_OK, NGX_DECLINED },
        { S(".a"), NGX_OK, NGX_DECLINED },
        { S("a b"), NGX_OK, NGX_DECLINED },
        { S("a>"), NGX_OK, NGX_DECLINED },
        { S("a/"), NGX_OK, NGX_DECLINED },
        { S("a\n"), NGX_OK, NGX_DECLINED },
        { S("a\0"), NGX_DECLINED, NGX_DECLINED },
        { S("\x1f"), NGX_DECLINED, NGX_DECLINED },
        { S("\xc3\xa4"), NGX_OK, NGX_OK },              /* letter */
        { S("\xc3\x97"), NGX_OK, NGX_DECLINED },        /* U+00D7 */
        { S("\xc3\xb7"), NGX_OK, NGX_DECLINED },        /* U+00F7 */
        { S("a\xc2\xb7"), NGX_OK, NGX_OK },             /* U+00B7 */
        { S("\xc2\xb7" "a"), NGX_OK, NGX_DECLINED },
        { S("a\xcc\x80"), NGX_OK, NGX_OK },             /* U+0300 */
        { S("\xcc\x80"), NGX_OK, NGX_DECLINED },
        { S("\xf0\x90\x80\x80"), NGX_OK, NGX_OK },
        { S("\xf3\xb0\x80\x80"), NGX_OK, NGX_DECLINED },  /* U+F0000 */
        { S("a\x80"), NGX_DECLINED, NGX_DECLINED },
        { S("\xef\xbf\xbd"), NGX_OK, NGX_OK },
        { S("\xef\xbf\xbe"), NGX_DECLINED, NGX_DECLINED },
        { S("\xef\xbf\xbf"), NGX_DECLINED, NGX_DECLINED },
        { S("\xed\xa0\x80"), NGX_DECLINED, NGX_DECLINED }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        s = unit_exact(cases[i].text, cases[i].len);

        each(ngx_group_xml_text(&s) == cases[i].text_rc, "text %s",
             unit_show(&s));
        each(ngx_group_xml_name(&s) == cases[i].name_rc, "name %s",
             unit_show(&s));

        unit_exact_free(&s);
    }

    unit_cases("XML texts and names");
}


static void
test_percent(ngx_pool_t *pool)
{
    size_t       i, j;
    u_char       all[256];
    ngx_int_t    rc;
    ngx_str_t    s, out, back;
    ngx_uint_t   plain;

    static struct {
        const char  *in;
        size_t       len;
        const char  *out;
    } to[] = {
        { S(""), "" },
        { S("abcXYZ019-._~"), "abcXYZ019-._~" },
        { S("a b"), "a%20b" },
        { S("a/b?c#d%e"), "a%2Fb%3Fc%23d%25e" },
        { S("a\0b"), "a%00b" },
        { S("\r\nHost: x"), "%0D%0AHost%3A%20x" },
        { S("+&=;"), "%2B%26%3D%3B" },
        { S("\xc3\xa4\xff"), "%C3%A4%FF" }
    };

    static struct {
        const char  *in;
        ngx_uint_t   plus;
        ngx_int_t    rc;
        const char  *out;
        size_t       len;
    } from[] = {
        { "", 0, NGX_OK, S("") },
        { "abc", 0, NGX_OK, S("abc") },
        { "a%20b", 0, NGX_OK, S("a b") },
        { "%41%6a%6A", 0, NGX_OK, S("Ajj") },
        { "%00", 0, NGX_OK, S("\0") },
        { "a+b", 0, NGX_OK, S("a+b") },
        { "a+b", 1, NGX_OK, S("a b") },
        { "a%2Bb", 1, NGX_OK, S("a+b") },
        { "%2520", 0, NGX_OK, S("%20") },
        { "%", 0, NGX_DECLINED, S("") },
        { "%4", 0, NGX_DECLINED, S("") },
        { "a%4", 0, NGX_DECLINED, S("") },
        { "%4g", 0, NGX_DECLINED, S("") },
        { "%g4", 0, NGX_DECLINED, S("") },
        { "%%41", 0, NGX_DECLINED, S("") },
        { "%u0041", 0, NGX_DECLINED, S("") },
        { "% 1", 0, NGX_DECLINED, S("") },
        { "%-1", 0, NGX_DECLINED, S("") },
        { "%+1", 1, NGX_DECLINED, S("") }
    };

    for (i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
        s = unit_exact(to[i].in, to[i].len);

        rc = ngx_group_percent_encode(pool, &s, &out);

        each(rc == NGX_OK && out.len == strlen(to[i].out)
             && memcmp(out.data, to[i].out, out.len) == 0, "%s: %s",
             unit_show(&s), unit_show(&out));

        rc = ngx_group_percent_decode(pool, &out, &back, 1);

        each(rc == NGX_OK && back.len == s.len
             && memcmp(back.data, s.data, s.len) == 0, "%s back",
             unit_show(&s));

        unit_exact_free(&s);
    }

    unit_cases("percent-encoding");

    for (i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        s = unit_exact(from[i].in, strlen(from[i].in));

        ngx_str_null(&out);
        rc = ngx_group_percent_decode(pool, &s, &out, from[i].plus);

        each(rc == from[i].rc, "%s: %ld", from[i].in, (long) rc);
        each(rc != NGX_OK || (out.len == from[i].len
                              && memcmp(out.data, from[i].out, out.len) == 0),
             "%s: %s", from[i].in, unit_show(&out));

        unit_exact_free(&s);
    }

    unit_cases("percent-decoding");

    for (i = 0; i < 256; i++) {
        all[i] = (u_char) i;

        s.data = &all[i];
        s.len = 1;

        (void) ngx_group_percent_encode(pool, &s, &out);

        plain = (i < 0x80 && isalnum((int) i))
                || (i && strchr("-._~", (int) i));

        each(out.len == (plain ? 1 : 3), "byte %lu", (unsigned long) i);
    }

    for (i = 0; i < 1000; i++) {
        for (j = 0; j < 32; j++) {
            all[j] = (u_char) unit_random();
        }

        s = unit_exact(all, unit_random() % 32);

        if (ngx_group_percent_encode(pool, &s, &out) != NGX_OK
            || ngx_group_percent_decode(pool, &out, &back, i % 2) != NGX_OK)
        {
            each(0, "%s", unit_show(&s));

        } else {
            each(back.len == s.len && memcmp(back.data, s.data, s.len) == 0,
                 "%s", unit_show(&s));
        }

        unit_exact_free(&s);
    }

    unit_cases("percent-encoding and back");

    s = unit_str("a b");
    unit_fail(1);
    ok(ngx_group_percent_encode(pool, &s, &out) == NGX_ERROR,
       "encoding without memory");
    s = unit_str("a%20b");
    unit_fail(1);
    ok(ngx_group_percent_decode(pool, &s, &out, 0) == NGX_ERROR,
       "decoding without memory");
    unit_fail(0);
}


int
main(void)
{
    ngx_pool_t  *pool;

    pool = unit_pool();

    test_utf8();
    test_xml();
    test_percent(pool);

    ngx_destroy_pool(pool);

    return unit_done();
}
