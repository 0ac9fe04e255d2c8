
#include "unit.h"
#include "ngx_group_id.h"


#define OPAQUE   NGX_GROUP_ID_OPAQUE
#define UUID     NGX_GROUP_ID_UUID
#define DECIMAL  NGX_GROUP_ID_DECIMAL
#define BASE64   NGX_GROUP_ID_BASE64

#define A_UUID   "3fa85f64-5717-4562-b3fc-2c963f66afa6"


static const char  *forms[] = { "opaque", "uuid", "decimal", "base64" };


static ngx_uint_t
same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


static void
test_examples(ngx_pool_t *pool)
{
    size_t      i;
    ngx_int_t   rc;
    ngx_str_t   in, out, back, want;

    static struct {
        ngx_uint_t   client;
        ngx_uint_t   upstream;
        const char  *id;
        const char  *seen;
    } cases[] = {

        /* a number upstream */

        { UUID, DECIMAL, "0", "6e677267-0100-8000-8000-000000000000" },
        { UUID, DECIMAL, "42", "6e677267-0100-8000-8000-00000000002a" },
        { UUID, DECIMAL, "18446744073709551615",
          "6e677267-0100-80ff-80ff-ffffffffffff" },
        { UUID, DECIMAL, "18446744073709551616", "18446744073709551616" },
        { UUID, DECIMAL, "99999999999999999999", "99999999999999999999" },
        { UUID, DECIMAL, "007", "6e677267-0303-8030-8030-370000000000" },
        { UUID, DECIMAL, "-1", "6e677267-0302-802d-8031-000000000000" },
        { DECIMAL, DECIMAL, "42", "42" },
        { BASE64, DECIMAL, "42", "NDI=" },
        { OPAQUE, DECIMAL, "42", "42" },

        /* base64 of a number upstream */

        { UUID, BASE64, "NDI=", "6e677267-0200-8000-8000-00000000002a" },
        { UUID, BASE64, "MA==", "6e677267-0200-8000-8000-000000000000" },
        { UUID, BASE64, "MTg0NDY3NDQwNzM3MDk1NTE2MTU=",
          "6e677267-0200-80ff-80ff-ffffffffffff" },
        { UUID, BASE64, "MTg0NDY3NDQwNzM3MDk1NTE2MTY=",
          "MTg0NDY3NDQwNzM3MDk1NTE2MTY=" },
        { DECIMAL, BASE64, "NDI=", "42" },
        { DECIMAL, BASE64, "MDQy", "MDQy" },    /* 042 */
        { DECIMAL, BASE64, "42", "~42" },
        { DECIMAL, BASE64, "NDJ=", "NDJ=" },    /* bits left over */
        { DECIMAL, BASE64, "NDI", "NDI" },      /* not padded */
        { DECIMAL, BASE64, "M2ZhODVm", "M2ZhODVm" },
        { BASE64, BASE64, "NDI=", "NDI=" },
        { BASE64, BASE64, "anything", "anything" },
        { OPAQUE, BASE64, "NDI=", "NDI=" },

        /* a UUID upstream */

        { UUID, UUID, A_UUID, A_UUID },
        { UUID, OPAQUE, A_UUID, A_UUID },
        { DECIMAL, UUID, A_UUID, A_UUID },
        { BASE64, UUID, A_UUID,
          "M2ZhODVmNjQtNTcxNy00NTYyLWIzZmMtMmM5NjNmNjZhZmE2" },
        { OPAQUE, UUID, A_UUID, A_UUID },
        { UUID, OPAQUE, "3FA85F64-5717-4562-B3FC-2C963F66AFA6",
          "3FA85F64-5717-4562-B3FC-2C963F66AFA6" },

        /* any text upstream */

        { UUID, OPAQUE, "sales", "6e677267-0305-8073-8061-6c6573000000" },
        { UUID, OPAQUE, "12345678", "6e677267-0100-8000-8000-000000bc614e" },
        { UUID, OPAQUE, "abcdefgh", "6e677267-0308-8061-8062-636465666768" },
        { UUID, OPAQUE, "abcdefghi", "abcdefghi" },
        { UUID, OPAQUE, "~sales~", "6e677267-0307-807e-8073-616c65737e00" },
        { UUID, OPAQUE, "~marketing", "~~marketing" },
        { UUID, OPAQUE, "~~marketing", "~~~marketing" },
        { DECIMAL, OPAQUE, "sales", "sales" },
        { DECIMAL, OPAQUE, "NDI=", "NDI=" },
        { DECIMAL, OPAQUE, "~sales", "~~sales" },
        { DECIMAL, OPAQUE, "~", "~" },
        { BASE64, OPAQUE, "sales", "c2FsZXM=" },
        { BASE64, OPAQUE, "~sales", "fnNhbGVz" },
        { OPAQUE, OPAQUE, "~sales", "~sales" },
        { OPAQUE, UUID, "~sales", "~sales" },

        /* an id that looks like one of ours */

        { UUID, OPAQUE, "6e677267-0100-8000-8000-00000000002a",
          "~6e677267-0100-8000-8000-00000000002a" },
        { UUID, OPAQUE, "6E677267-0100-8000-8000-00000000002A",
          "~6E677267-0100-8000-8000-00000000002A" },

        /* but would hold what its kind does not */

        { UUID, OPAQUE, "6e677267-0400-8000-8000-00000000002a",
          "6e677267-0400-8000-8000-00000000002a" },
        { UUID, OPAQUE, "6e677267-0101-8000-8000-00000000002a",
          "6e677267-0101-8000-8000-00000000002a" },
        { UUID, OPAQUE, "6e677267-0301-8031-8000-000000000000",
          "6e677267-0301-8031-8000-000000000000" },

        { UUID, DECIMAL, "", "" },
        { BASE64, DECIMAL, "", "" },
        { DECIMAL, BASE64, "", "" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        in = unit_exact(cases[i].id, strlen(cases[i].id));
        want = unit_str(cases[i].seen);

        rc = ngx_group_id_encode(pool, cases[i].client, cases[i].upstream,
                                 &in, &out);

        each(rc == NGX_OK && same(&out, &want), "%s for %s, %s: %s",
             forms[cases[i].upstream], forms[cases[i].client], cases[i].id,
             unit_show(&out));

        rc = ngx_group_id_decode(pool, cases[i].client, cases[i].upstream,
                                 &out, &back);

        each(rc == NGX_OK && same(&back, &in), "%s for %s, %s: %s: %s",
             forms[cases[i].upstream], forms[cases[i].client], cases[i].id,
             unit_show(&out), unit_show(&back));

        unit_exact_free(&in);
    }

    unit_cases("ids and what the client sees");
}


/* what a client may send */

static void
test_decode(ngx_pool_t *pool)
{
    size_t      i;
    ngx_int_t   rc;
    ngx_str_t   in, out, want;

    static struct {
        ngx_uint_t   client;
        ngx_uint_t   upstream;
        const char  *in;
        const char  *id;        /* NULL: as it is */
    } cases[] = {
        { UUID, DECIMAL, "6E677267-0100-8000-8000-00000000002A", "42" },
        { UUID, DECIMAL, "6e677267-0100-8000-8000-00000000002A", "42" },
        { UUID, BASE64, "6E677267-0200-8000-8000-00000000002A", "NDI=" },
        { UUID, OPAQUE, "6E677267-0305-8073-8061-6C6573000000", "sales" },

        { UUID, DECIMAL, A_UUID, NULL },
        { UUID, DECIMAL, "3FA85F64-5717-4562-B3FC-2C963F66AFA6", NULL },
        { UUID, DECIMAL, "42", NULL },
        { UUID, DECIMAL, "", NULL },
        { UUID, DECIMAL, "~", NULL },
        { UUID, DECIMAL, "~42", "42" },
        { UUID, DECIMAL, "~~", "~" },
        { UUID, DECIMAL, "../../etc/passwd", NULL },
        { UUID, DECIMAL, "6e677267-0100-8000-8000-00000000002", NULL },
        { UUID, DECIMAL, "6e677267-0100-8000-8000-00000000002aa", NULL },
        { UUID, DECIMAL, "6e677267-0100-8000-8000-00000000002g", NULL },
        { UUID, DECIMAL, "6e677267-0100-8000-8000-000000000 2a", NULL },
        { UUID, DECIMAL, "6e677267-0100-8000-8000.00000000002a", NULL },
        { UUID, DECIMAL, "6e677267001008000080000000000000002a", NULL },
        { UUID, DECIMAL, "{e677267-0100-8000-8000-00000000002}", NULL },
        { UUID, DECIMAL, "6e677266-0100-8000-8000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0000-8000-8000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0400-8000-8000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-ff00-8000-8000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0101-8000-8000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0201-8000-8000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0100-4000-8000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0100-8100-8000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0100-8000-9000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0100-8000-c000-00000000002a", NULL },
        { UUID, DECIMAL, "6e677267-0300-8000-8000-000000000000", NULL },
        { UUID, DECIMAL, "6e677267-0309-8061-8061-616161616161", NULL },
        { UUID, DECIMAL, "6e677267-0301-8061-8000-000000000001", NULL },
        { UUID, DECIMAL, "6e677267-0301-8031-8000-000000000000", NULL },
        { UUID, DECIMAL, "6e677267-0304-804e-8044-493d00000000", NULL },

        { DECIMAL, BASE64, "42", "NDI=" },
        { DECIMAL, BASE64, "042", NULL },
        { DECIMAL, BASE64, "18446744073709551615",
          "MTg0NDY3NDQwNzM3MDk1NTE2MTU=" },
        { DECIMAL, BASE64, "18446744073709551616", NULL },
        { DECIMAL, BASE64, "-1", NULL },
        { DECIMAL, BASE64, "+1", NULL },
        { DECIMAL, BASE64, "4 2", NULL },
        { DECIMAL, BASE64, "NDI=", NULL },
        { DECIMAL, OPAQUE, "42", NULL },
        { DECIMAL, UUID, A_UUID, NULL },

        { BASE64, DECIMAL, "NDI=", "42" },
        { BASE64, DECIMAL, "NDI", NULL },
        { BASE64, DECIMAL, "NDJ=", NULL },
        { BASE64, DECIMAL, "NDI==", NULL },
        { BASE64, DECIMAL, "N=I=", NULL },
        { BASE64, DECIMAL, "====", NULL },
        { BASE64, DECIMAL, "=", NULL },
        { BASE64, DECIMAL, "", NULL },
        { BASE64, DECIMAL, "NDI=NDI=", NULL },
        { BASE64, DECIMAL, "N DI", NULL },
        { BASE64, DECIMAL, "_-_-", NULL },
        { BASE64, DECIMAL, "+/+/", "\xfb\xff\xbf" },
        { BASE64, DECIMAL, "~NDI=", "NDI=" },

        { OPAQUE, DECIMAL, "6e677267-0100-8000-8000-00000000002a", NULL },
        { UUID, UUID, "6e677267-0100-8000-8000-00000000002a", NULL },
        { UUID, UUID, "~x", NULL },
        { BASE64, BASE64, "NDI=", NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        in = unit_exact(cases[i].in, strlen(cases[i].in));
        want = cases[i].id ? unit_str(cases[i].id) : in;

        rc = ngx_group_id_decode(pool, cases[i].client, cases[i].upstream,
                                 &in, &out);

        each(rc == NGX_OK && same(&out, &want), "%s for %s, %s: %s",
             forms[cases[i].upstream], forms[cases[i].client], cases[i].in,
             unit_show(&out));

        unit_exact_free(&in);
    }

    unit_cases("what clients send");
}


static size_t
digits(u_char *p, ngx_uint_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        p[i] = (u_char) ('0' + unit_random() % 10);
    }

    return n;
}


/* an id of one of many shapes, into "p", which takes 600 bytes */

static size_t
shape(ngx_pool_t *pool, u_char *p)
{
    size_t       i, n;
    ngx_str_t    in, out;
    ngx_uint_t   what;

    static const char  text[] =
        "~~~=+/-0123456789abcdefABCDEFghijXYZ._ \x00\x80\xff";

    what = unit_random() % 16;

    switch (what) {

    case 0:     /* a number */
        return (size_t) (ngx_sprintf(p, "%uL", unit_random()
                                     >> unit_random() % 64) - p);

    case 1:     /* digits, too many perhaps, or with zeros in front */
        return digits(p, unit_random() % 25);

    case 2:     /* around the largest number */
        return (size_t) (ngx_sprintf(p, "184467440737095516%02uL",
                                     unit_random() % 100) - p);

    case 3:     /* a UUID */
    case 4:     /* that may be ours */
        n = 0;

        for (i = 0; i < 36; i++) {
            if (i == 8 || i == 13 || i == 18 || i == 23) {
                p[n++] = '-';

            } else if (unit_random() % 50 == 0) {
                p[n++] = (u_char) "ABCDEF"[unit_random() % 6];

            } else {
                p[n++] = (u_char) "0123456789abcdef"[unit_random() % 16];
            }
        }

        if (what == 4) {
            memcpy(p, "6e677267-0", 10);
            p[10] = (u_char) ('0' + unit_random() % 5);
            p[11] = '0';
            p[12] = (u_char) ('0' + unit_random() % 10 * (unit_random() % 2));
            memcpy(p + 14, "80", 2);
            memcpy(p + 19, "80", 2);

            for (i = 24 + unit_random() % 12; i < 36; i++) {
                p[i] = '0';
            }

            if (unit_random() % 4 == 0) {
                p[0] = '6';
                p[1] = 'E';
            }
        }

        if (unit_random() % 10 == 0) {
            p[unit_random() % 36] = '-';
        }

        return n;

    case 5:     /* base64 of a number, and nearly so */
    case 6:
        in.data = ngx_pnalloc(pool, 700);
        in.len = (what == 5)
                 ? (size_t) (ngx_sprintf(in.data, "%uL", unit_random()
                                         >> unit_random() % 64) - in.data)
                 : digits(in.data, unit_random() % 24);
        out.data = p;
        ngx_encode_base64(&out, &in);

        if (out.len && unit_random() % 8 == 0) {
            p[unit_random() % out.len] = (u_char) text[unit_random()
                                                       % (sizeof(text) - 1)];
        }

        if (out.len && unit_random() % 8 == 0) {
            out.len--;
        }

        return out.len;

    case 7:     /* base64 of anything */
        in.data = ngx_pnalloc(pool, 700);
        in.len = unit_random() % 300;

        for (i = 0; i < in.len; i++) {
            in.data[i] = (u_char) unit_random();
        }

        out.data = p;
        ngx_encode_base64(&out, &in);

        return out.len;

    case 8:     /* what an id was made of before */
    case 9:
        in.data = ngx_pnalloc(pool, 700);
        in.len = shape(pool, in.data);

        if (ngx_group_id_encode(pool, unit_random() % 4, unit_random() % 4,
                                &in, &out)
            != NGX_OK || out.len > 600)
        {
            return 0;
        }

        memcpy(p, out.data, out.len);

        return out.len;

    case 10:    /* lengths around the longest that is looked into */
        n = 250 + unit_random() % 12;

        for (i = 0; i < n; i++) {
            p[i] = (u_char) text[unit_random() % (sizeof(text) - 1)];
        }

        return n;

    case 11:
        n = 330 + unit_random() % 16;

        for (i = 0; i < n; i++) {
            p[i] = (u_char) ('A' + unit_random() % 26);
        }

        return n;

    case 12:
        p[0] = '~';

        if (unit_random() % 4 == 0) {
            return 1;
        }

        return 1 + digits(p + 1, unit_random() % 20);

    default:    /* text, most of it short */
        n = unit_random() % (unit_random() % 2 ? 10 : 60);

        for (i = 0; i < n; i++) {
            p[i] = (u_char) text[unit_random() % (sizeof(text) - 1)];
        }

        return n;
    }
}


static void
test_law(void)
{
    u_char       buf[1200], upper[1200];
    size_t       i;
    ngx_str_t    id, seen, back, again;
    ngx_pool_t  *pool;
    ngx_uint_t   n, client, upstream, embedded, escaped;

    embedded = 0;
    escaped = 0;

    for (n = 0; n < 100000; n++) {
        pool = unit_pool();
        id = unit_exact(buf, shape(pool, buf));

        for (client = 0; client < 4; client++) {
            for (upstream = 0; upstream < 4; upstream++) {

                if (ngx_group_id_encode(pool, client, upstream, &id, &seen)
                    != NGX_OK
                    || ngx_group_id_decode(pool, client, upstream, &seen,
                                           &back)
                       != NGX_OK)
                {
                    each(0, "%s for %s: %s", forms[upstream], forms[client],
                         unit_show(&id));
                    continue;
                }

                each(same(&id, &back), "%s for %s: %s, %s, %s",
                     forms[upstream], forms[client], unit_show(&id),
                     unit_show(&seen), unit_show(&back));

                if (id.len && seen.len == 0) {
                    each(0, "%s became nothing", unit_show(&id));
                }

                if (back.len == 0 && seen.len) {
                    each(0, "%s decoded to nothing", unit_show(&seen));
                }

                if (client == upstream || client == OPAQUE) {
                    if (!same(&id, &seen)) {
                        each(0, "%s was changed", unit_show(&id));
                    }

                    continue;
                }

                escaped += (seen.len == id.len + 1);

                if (client != UUID || seen.len != 36
                    || memcmp(seen.data, "6e677267", 8) != 0
                    || same(&id, &seen))
                {
                    continue;
                }

                embedded++;

                for (i = 0; i < 36; i++) {
                    upper[i] = ngx_toupper(seen.data[i]);
                }

                again.data = upper;
                again.len = 36;

                (void) ngx_group_id_decode(pool, client, upstream, &again,
                                           &back);

                each(same(&id, &back), "%s in upper case", unit_show(&seen));
            }
        }

        /* any text that a client sends: an id that is seen as some text */

        for (client = 0; client < 4; client++) {
            for (upstream = 0; upstream < 4; upstream++) {

                if (ngx_group_id_decode(pool, client, upstream, &id, &back)
                    != NGX_OK
                    || ngx_group_id_encode(pool, client, upstream, &back,
                                           &seen)
                       != NGX_OK
                    || ngx_group_id_decode(pool, client, upstream, &seen,
                                           &again)
                       != NGX_OK
                    || !same(&back, &again)
                    || (id.len && back.len == 0))
                {
                    each(0, "%s for %s: %s from a client", forms[upstream],
                         forms[client], unit_show(&id));
                }
            }
        }

        unit_exact_free(&id);
        ngx_destroy_pool(pool);
    }

    unit_cases("decode(encode(id)) is id: %lu embedded, %lu escaped",
               (unsigned long) embedded, (unsigned long) escaped);
}


static void
test_memory(ngx_pool_t *pool)
{
    ngx_str_t  in, out;

    in = unit_str("42");
    unit_fail(1);
    each(ngx_group_id_encode(pool, UUID, DECIMAL, &in, &out) == NGX_ERROR,
         "embedding");

    in = unit_str("~sales~force");
    unit_fail(1);
    each(ngx_group_id_encode(pool, UUID, DECIMAL, &in, &out) == NGX_ERROR,
         "escaping");

    in = unit_str("NDI=");
    unit_fail(1);
    each(ngx_group_id_decode(pool, BASE64, DECIMAL, &in, &out) == NGX_ERROR,
         "decoding");

    in = unit_str(A_UUID);
    unit_fail(1);
    each(ngx_group_id_encode(pool, UUID, OPAQUE, &in, &out) == NGX_OK
         && out.data == in.data, "what is not changed takes no memory");
    each(ngx_group_id_decode(pool, UUID, OPAQUE, &in, &out) == NGX_OK
         && out.data == in.data, "nor on the way back");
    unit_fail(0);

    unit_cases("no memory");
}


int
main(void)
{
    ngx_pool_t  *pool;

    pool = unit_pool();

    test_examples(pool);
    test_decode(pool);
    test_law();
    test_memory(pool);

    ngx_destroy_pool(pool);

    return unit_done();
}
