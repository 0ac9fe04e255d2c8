
/*
 * The XML codec.  What is written is read by a reader that knows nothing but
 * what may be written, and it is the tree that was to be written; then by the
 * codec again.  An input that begins with "{" is JSON: trees that no XML has
 * made must be written well-formed, too.
 */


#include "fuzz.h"
#include "ngx_group_json.h"
#include "ngx_group_text.h"
#include "ngx_group_xml.h"


#define DECLARATION  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"


typedef struct {
    ngx_pool_t  *pool;
    u_char      *p;
    u_char      *last;
} reader_t;


static void read_document(reader_t *r, ngx_group_value_t **root);
static ngx_group_value_t *read_element(reader_t *r);
static ngx_uint_t starts(reader_t *r, const char *text);
static ngx_uint_t plain(ngx_group_value_t *value);


void
fuzz_start(void)
{
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    reader_t             r;
    ngx_int_t            rc;
    ngx_str_t            error, out;
    ngx_uint_t           json;
    ngx_group_value_t   *value, *written, *again;
    ngx_group_limits_t   limits = { 32, 64 }, wide = { 1000, 1000000 };

    json = (in->len && in->data[0] == '{');

    ngx_str_null(&error);

    rc = json ? ngx_group_json_decode(pool, &limits, in, &value, &error)
              : ngx_group_xml_decode(pool, &limits, in, &value, &error);

    check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);

    if (rc != NGX_OK) {
        fuzz_sentence(&error, "the reason");
        return;
    }

    check(ngx_group_xml_encode(pool, value, &out) == NGX_OK, "no memory");

    if (out.len == 0) {
        check(json, "nothing is left of %s", unit_show(in));
        return;
    }

    r.pool = pool;
    r.p = out.data;
    r.last = out.data + out.len;

    read_document(&r, &written);

    if (!json) {
        fuzz_same(pool, value, written, "not what was to be written");

    } else if (!plain(written)) {

        /* expat goes by the fourth edition, and by fewer letters in names */
        return;
    }

    rc = ngx_group_xml_decode(pool, &wide, &out, &again, &error);

    check(rc == NGX_OK, "what is written is refused: %s: %s",
          unit_show(&error), unit_show(&out));

    fuzz_same(pool, written, again, "not the same when read again");
}


static void
read_document(reader_t *r, ngx_group_value_t **root)
{
    check(starts(r, DECLARATION), "no declaration");

    *root = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);

    ngx_group_value_push(*root, read_element(r));

    check(r->p == r->last, "something after the root element");
}


static ngx_group_value_t *
read_element(reader_t *r)
{
    size_t              n;
    u_char             *text;
    ngx_str_t           key;
    ngx_group_value_t  *value;

    check(starts(r, "<"), "no element");

    for (key.data = r->p; r->p < r->last && !strchr("/>", *r->p); r->p++) {
        /* void */
    }

    key.len = r->p - key.data;

    check(ngx_group_xml_name(&key) == NGX_OK, "no name: %s", unit_show(&key));

    value = ngx_group_value_create(r->pool, NGX_GROUP_STRING);
    value->key = key;
    value->u.text.data = (u_char *) "";

    if (starts(r, "/>")) {
        return value;
    }

    check(starts(r, ">"), "a tag that does not end");
    check(!starts(r, "</"), "not the short form");

    if (*r->p == '<') {
        value->type = NGX_GROUP_OBJECT;
        ngx_memzero(&value->u, sizeof(value->u));

        while (!starts(r, "</")) {
            ngx_group_value_push(value, read_element(r));
        }

    } else {
        text = ngx_pnalloc(r->pool, r->last - r->p);
        value->u.text.data = text;

        while (!starts(r, "</")) {

            if (starts(r, "&amp;")) {
                *text++ = '&';
                continue;
            }

            if (starts(r, "&lt;")) {
                *text++ = '<';
                continue;
            }

            if (starts(r, "&gt;")) {
                *text++ = '>';
                continue;
            }

            if (starts(r, "&#13;")) {
                *text++ = '\r';
                continue;
            }

            check(r->p < r->last && !strchr("<>&\r", *r->p),
                  "a character that is not escaped");

            n = ngx_group_xml_char(r->p, r->last);

            check(n != 0, "a character that is none");

            text = ngx_cpymem(text, r->p, n);
            r->p += n;
        }

        value->u.text.len = text - value->u.text.data;
    }

    check((size_t) (r->last - r->p) >= key.len
          && memcmp(r->p, key.data, key.len) == 0, "the wrong end tag");

    r->p += key.len;

    check(starts(r, ">"), "an end tag that does not end");

    return value;
}


static ngx_uint_t
starts(reader_t *r, const char *text)
{
    size_t  n;

    n = strlen(text);

    if ((size_t) (r->last - r->p) < n || memcmp(r->p, text, n) != 0) {
        return 0;
    }

    r->p += n;

    return 1;
}


/* whether all names are of ASCII */

static ngx_uint_t
plain(ngx_group_value_t *value)
{
    size_t              i;
    ngx_group_value_t  *v;

    if (value->type != NGX_GROUP_OBJECT) {
        return 1;
    }

    for (v = value->u.items.first; v; v = v->next) {

        for (i = 0; i < v->key.len; i++) {
            if (v->key.data[i] >= 0x80) {
                return 0;
            }
        }

        if (!plain(v)) {
            return 0;
        }
    }

    return 1;
}
