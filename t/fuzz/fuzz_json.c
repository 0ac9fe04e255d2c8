
/*
 * The JSON codec.  A reader of RFC 8259 that shares nothing with it, and none
 * of yajl, writes each input anew: what the codec accepts is what that one
 * accepts, and what the codec writes is the same bytes.
 */


#include "fuzz.h"
#include "ngx_group_json.h"


#define MAX_DEPTH  32
#define MAX_ITEMS  64
#define MAX_TEXT   65536


typedef struct {
    u_char   *p;
    u_char   *last;
    u_char   *out;          /* what is to be written */
    size_t    depth;
} reader_t;


static ngx_uint_t read_value(reader_t *r);
static ngx_uint_t read_list(reader_t *r);
static ngx_uint_t read_number(reader_t *r);
static ngx_uint_t read_string(reader_t *r);
static ngx_uint_t read_word(reader_t *r, const char *word);
static ngx_uint_t read_digits(reader_t *r);
static ngx_int_t read_unit(reader_t *r);
static ngx_uint_t read_utf8(reader_t *r, uint32_t *c);
static void write_char(reader_t *r, uint32_t c);
static void space(reader_t *r);


static u_char  expected[6 * MAX_TEXT];


void
fuzz_start(void)
{
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    reader_t             r;
    ngx_int_t            rc;
    ngx_str_t            error, out, want, again;
    ngx_uint_t           good;
    ngx_group_value_t   *value, *second;
    ngx_group_limits_t   limits = { MAX_DEPTH, MAX_ITEMS };

    if (in->len > MAX_TEXT) {
        return;
    }

    r.p = in->data;
    r.last = in->data + in->len;
    r.out = expected;
    r.depth = 0;

    space(&r);
    good = read_value(&r);
    space(&r);
    good = good && r.p == r.last;

    ngx_str_null(&error);

    rc = ngx_group_json_decode(pool, &limits, in, &value, &error);

    check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);
    check((rc == NGX_OK) == good, "%s it, should%s: %s (%s)",
          rc == NGX_OK ? "accepts" : "refuses", good ? "" : " not",
          unit_show(in), rc == NGX_OK ? "" : unit_show(&error));

    if (rc != NGX_OK) {
        fuzz_sentence(&error, "the reason");
        return;
    }

    check(ngx_group_json_encode(pool, value, &out) == NGX_OK, "no memory");

    want.data = expected;
    want.len = r.out - expected;

    check(fuzz_equal(&out, &want), "written as\n%s, should be\n%s",
          unit_show(&out), unit_show(&want));

    check(ngx_group_json_decode(pool, &limits, &out, &second, &error)
          == NGX_OK, "what is written is refused: %s", unit_show(&out));

    fuzz_same(pool, value, second, "not the same when read again");

    second = ngx_group_value_copy(pool, value);

    check(ngx_group_json_encode(pool, second, &again) == NGX_OK, "no memory");
    check(fuzz_equal(&out, &again), "a copy is another");
}


static ngx_uint_t
read_value(reader_t *r)
{
    if (r->p == r->last) {
        return 0;
    }

    switch (*r->p) {

    case '{':
    case '[':
        return read_list(r);

    case '"':
        return read_string(r);

    case 't':
        return read_word(r, "true");

    case 'f':
        return read_word(r, "false");

    case 'n':
        return read_word(r, "null");

    default:
        return read_number(r);
    }
}


/* an array, or an object */

static ngx_uint_t
read_list(reader_t *r)
{
    u_char      open, close;
    ngx_str_t   keys[NGX_GROUP_MAX_KEYS];
    ngx_uint_t  i, n;

    open = *r->p++;
    close = (open == '{') ? '}' : ']';

    if (++r->depth > MAX_DEPTH) {
        return 0;
    }

    *r->out++ = open;

    space(r);

    for (n = 0; r->p < r->last && (n || *r->p != close); n++) {

        if (n) {
            if (*r->p == close) {
                break;
            }

            if (*r->p++ != ',') {
                return 0;
            }

            *r->out++ = ',';
            space(r);
        }

        if (n == (ngx_uint_t) (open == '{' ? NGX_GROUP_MAX_KEYS : MAX_ITEMS)) {
            return 0;
        }

        if (open == '{') {
            keys[n].data = r->out;

            if (r->p == r->last || *r->p != '"' || !read_string(r)) {
                return 0;
            }

            keys[n].len = r->out - keys[n].data;

            for (i = 0; i < n; i++) {
                if (fuzz_equal(&keys[i], &keys[n])) {
                    return 0;
                }
            }

            space(r);

            if (r->p == r->last || *r->p++ != ':') {
                return 0;
            }

            *r->out++ = ':';
            space(r);
        }

        if (!read_value(r)) {
            return 0;
        }

        space(r);
    }

    if (r->p == r->last) {
        return 0;
    }

    r->p++;
    r->depth--;
    *r->out++ = close;

    return 1;
}


static ngx_uint_t
read_number(reader_t *r)
{
    u_char  *start;

    start = r->p;

    if (*r->p == '-') {
        r->p++;
    }

    if (r->p < r->last && *r->p == '0') {
        r->p++;

    } else if (!read_digits(r)) {
        return 0;
    }

    if (r->p < r->last && *r->p == '.') {
        r->p++;

        if (!read_digits(r)) {
            return 0;
        }
    }

    if (r->p < r->last && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;

        if (r->p < r->last && (*r->p == '+' || *r->p == '-')) {
            r->p++;
        }

        if (!read_digits(r)) {
            return 0;
        }
    }

    r->out = ngx_cpymem(r->out, start, r->p - start);

    return 1;
}


static ngx_uint_t
read_digits(reader_t *r)
{
    u_char  *start;

    for (start = r->p; r->p < r->last; r->p++) {
        if (*r->p < '0' || *r->p > '9') {
            break;
        }
    }

    return r->p > start;
}


static ngx_uint_t
read_word(reader_t *r, const char *word)
{
    size_t  n;

    n = strlen(word);

    if ((size_t) (r->last - r->p) < n || memcmp(r->p, word, n) != 0) {
        return 0;
    }

    r->p += n;
    r->out = ngx_cpymem(r->out, word, n);

    return 1;
}


static ngx_uint_t
read_string(reader_t *r)
{
    uint32_t    c;
    ngx_int_t   unit, low;
    const char *at;

    static const char  letters[] = "\"\\/bfnrt";
    static const char  meant[] = "\"\\/\b\f\n\r\t";

    *r->out++ = *r->p++;

    while (r->p < r->last && *r->p != '"') {

        if (*r->p != '\\') {
            if (*r->p < 0x20 || !read_utf8(r, &c)) {
                return 0;
            }

            write_char(r, c);
            continue;
        }

        if (++r->p == r->last) {
            return 0;
        }

        at = *r->p ? strchr(letters, *r->p) : NULL;

        if (at) {
            r->p++;
            write_char(r, (u_char) meant[at - letters]);
            continue;
        }

        if (*r->p++ != 'u') {
            return 0;
        }

        unit = read_unit(r);

        if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff)) {
            return 0;
        }

        if (unit >= 0xd800 && unit < 0xdc00) {

            if (!read_word(r, "\\u")) {
                return 0;
            }

            r->out -= 2;
            low = read_unit(r);

            if (low < 0xdc00 || low > 0xdfff) {
                return 0;
            }

            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }

        write_char(r, (uint32_t) unit);
    }

    if (r->p == r->last) {
        return 0;
    }

    *r->out++ = *r->p++;

    return 1;
}


static ngx_int_t
read_unit(reader_t *r)
{
    char       *end, hex[5];
    ngx_uint_t  i;

    if (r->last - r->p < 4) {
        return -1;
    }

    for (i = 0; i < 4; i++) {
        if (strchr("0123456789abcdefABCDEF", r->p[i]) == NULL || !r->p[i]) {
            return -1;
        }

        hex[i] = (char) r->p[i];
    }

    hex[4] = '\0';
    r->p += 4;

    return (ngx_int_t) strtol(hex, &end, 16);
}


/* by the value of the character, not by ranges of bytes */

static ngx_uint_t
read_utf8(reader_t *r, uint32_t *c)
{
    ngx_uint_t  i, n;

    static uint32_t  least[] = { 0, 0x80, 0x800, 0x10000 };

    *c = *r->p++;

    if (*c < 0x80) {
        return 1;
    }

    n = (*c & 0xe0) == 0xc0 ? 1
        : (*c & 0xf0) == 0xe0 ? 2
        : (*c & 0xf8) == 0xf0 ? 3
        : 0;

    if (n == 0 || (ngx_uint_t) (r->last - r->p) < n) {
        return 0;
    }

    *c &= 0x3f >> n;

    for (i = 0; i < n; i++) {
        if ((*r->p & 0xc0) != 0x80) {
            return 0;
        }

        *c = *c << 6 | (*r->p++ & 0x3f);
    }

    return *c >= least[n] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff);
}


static void
write_char(reader_t *r, uint32_t c)
{
    const char *at;

    static const char  plain[] = "\"\\\b\f\n\r\t";
    static const char  letters[] = "\"\\bfnrt";

    at = c && c < 0x80 ? strchr(plain, (int) c) : NULL;

    if (at) {
        *r->out++ = '\\';
        *r->out++ = (u_char) letters[at - plain];

    } else if (c < 0x20) {
        r->out += sprintf((char *) r->out, "\\u%04x", (unsigned) c);

    } else if (c < 0x80) {
        *r->out++ = (u_char) c;

    } else if (c < 0x800) {
        *r->out++ = (u_char) (0xc0 | c >> 6);
        *r->out++ = (u_char) (0x80 | (c & 0x3f));

    } else if (c < 0x10000) {
        *r->out++ = (u_char) (0xe0 | c >> 12);
        *r->out++ = (u_char) (0x80 | (c >> 6 & 0x3f));
        *r->out++ = (u_char) (0x80 | (c & 0x3f));

    } else {
        *r->out++ = (u_char) (0xf0 | c >> 18);
        *r->out++ = (u_char) (0x80 | (c >> 12 & 0x3f));
        *r->out++ = (u_char) (0x80 | (c >> 6 & 0x3f));
        *r->out++ = (u_char) (0x80 | (c & 0x3f));
    }
}


static void
space(reader_t *r)
{
    while (r->p < r->last && *r->p && strchr(" \t\r\n", *r->p)) {
        r->p++;
    }
}
