
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_text.h"


typedef struct {
    uint32_t  first;
    uint32_t  last;
} ngx_group_xml_range_t;


static uint32_t ngx_group_utf8_point(u_char *p, size_t len);
static ngx_uint_t ngx_group_xml_name_char(uint32_t c, ngx_uint_t start);
static ngx_int_t ngx_group_hex(u_char c);


/* NameStartChar of XML 1.0, fifth edition, beyond ASCII */

static ngx_group_xml_range_t  ngx_group_xml_name_start[] = {
    { 0xc0, 0xd6 },
    { 0xd8, 0xf6 },
    { 0xf8, 0x2ff },
    { 0x370, 0x37d },
    { 0x37f, 0x1fff },
    { 0x200c, 0x200d },
    { 0x2070, 0x218f },
    { 0x2c00, 0x2fef },
    { 0x3001, 0xd7ff },
    { 0xf900, 0xfdcf },
    { 0xfdf0, 0xfffd },
    { 0x10000, 0xeffff },
    { 0, 0 }
};


ngx_int_t
ngx_group_utf8(ngx_str_t *text, size_t *chars, size_t *bad)
{
    u_char    *p, *last;
    size_t     n, len;
    uint64_t   word;

    n = 0;
    p = text->data;
    last = p + text->len;

    while (p < last) {

        if (*p < 0x80) {

            while (last - p >= (ssize_t) sizeof(uint64_t)) {
                ngx_memcpy(&word, p, sizeof(uint64_t));

                if (word & NGX_GROUP_WORD_HIGH) {
                    break;
                }

                p += sizeof(uint64_t);
                n += sizeof(uint64_t);
            }

            while (p < last && *p < 0x80) {
                p++;
                n++;
            }

            continue;
        }

        len = ngx_group_utf8_char(p, last);

        if (len == 0) {
            if (bad) {
                *bad = p - text->data;
            }

            return NGX_DECLINED;
        }

        p += len;
        n++;
    }

    if (chars) {
        *chars = n;
    }

    return NGX_OK;
}


size_t
ngx_group_utf8_char(u_char *p, u_char *last)
{
    u_char  low, high;
    size_t  len;

    if (p >= last) {
        return 0;
    }

    if (*p < 0x80) {
        return 1;
    }

    /* the second byte's range is what rules out overlong forms, surrogates */

    low = 0x80;
    high = 0xbf;

    if (*p < 0xc2) {
        return 0;

    } else if (*p < 0xe0) {
        len = 2;

    } else if (*p < 0xf0) {
        len = 3;

        if (*p == 0xe0) {
            low = 0xa0;

        } else if (*p == 0xed) {
            high = 0x9f;
        }

    } else if (*p < 0xf5) {
        len = 4;

        if (*p == 0xf0) {
            low = 0x90;

        } else if (*p == 0xf4) {
            high = 0x8f;
        }

    } else {
        return 0;
    }

    if ((size_t) (last - p) < len || p[1] < low || p[1] > high) {
        return 0;
    }

    if (len > 2 && (p[2] & 0xc0) != 0x80) {
        return 0;
    }

    if (len > 3 && (p[3] & 0xc0) != 0x80) {
        return 0;
    }

    return len;
}


static uint32_t
ngx_group_utf8_point(u_char *p, size_t len)
{
    switch (len) {

    case 1:
        return p[0];

    case 2:
        return (uint32_t) (p[0] & 0x1f) << 6 | (p[1] & 0x3f);

    case 3:
        return (uint32_t) (p[0] & 0x0f) << 12 | (uint32_t) (p[1] & 0x3f) << 6
               | (p[2] & 0x3f);

    default:
        return (uint32_t) (p[0] & 0x07) << 18 | (uint32_t) (p[1] & 0x3f) << 12
               | (uint32_t) (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    }
}


size_t
ngx_group_xml_char(u_char *p, u_char *last)
{
    size_t  len;

    len = ngx_group_utf8_char(p, last);

    if (len == 1 && *p < 0x20
        && *p != '\t' && *p != '\n' && *p != '\r')
    {
        return 0;
    }

    /* U+FFFE and U+FFFF */

    if (len == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe) {
        return 0;
    }

    return len;
}


ngx_int_t
ngx_group_xml_text(ngx_str_t *text)
{
    u_char    *p, *last;
    size_t     len;
    uint64_t   w;

    p = text->data;
    last = p + text->len;

    for ( ;; ) {

        while (last - p >= (ssize_t) sizeof(uint64_t)) {
            ngx_memcpy(&w, p, sizeof(uint64_t));

            if ((w | ngx_group_word_less(w, 0x20)) & NGX_GROUP_WORD_HIGH) {
                break;
            }

            p += sizeof(uint64_t);
        }

        while (p < last && *p >= 0x20 && *p < 0x80) {
            p++;
        }

        if (p == last) {
            return NGX_OK;
        }

        len = ngx_group_xml_char(p, last);

        if (len == 0) {
            return NGX_DECLINED;
        }

        p += len;
    }
}


ngx_int_t
ngx_group_xml_name(ngx_str_t *text)
{
    u_char    *p, *last;
    size_t     len;
    uint32_t   c;

    if (text->len == 0) {
        return NGX_DECLINED;
    }

    p = text->data;
    last = p + text->len;

    while (p < last) {
        len = ngx_group_utf8_char(p, last);

        if (len == 0) {
            return NGX_DECLINED;
        }

        c = ngx_group_utf8_point(p, len);

        if (!ngx_group_xml_name_char(c, p == text->data)) {
            return NGX_DECLINED;
        }

        p += len;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_group_xml_name_char(uint32_t c, ngx_uint_t start)
{
    ngx_group_xml_range_t  *range;

    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || c == '_' || c == ':')
    {
        return 1;
    }

    if (!start) {

        if ((c >= '0' && c <= '9') || c == '-' || c == '.'
            || c == 0xb7 || (c >= 0x300 && c <= 0x36f)
            || (c >= 0x203f && c <= 0x2040))
        {
            return 1;
        }
    }

    for (range = ngx_group_xml_name_start; range->last; range++) {
        if (c >= range->first && c <= range->last) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_group_percent_encode(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *out)
{
    u_char  *p, *s, *last, c;
    size_t   len;

    static u_char   hex[] = "0123456789ABCDEF";

    /* letters, digits, "-", ".", "_", "~" */

    static uint32_t unreserved[] = {
        0x00000000, 0x03ff6000, 0x87fffffe, 0x47fffffe,
        0x00000000, 0x00000000, 0x00000000, 0x00000000
    };

    last = in->data + in->len;
    len = in->len;

    for (s = in->data; s < last; s++) {
        if (!(unreserved[*s >> 5] & (1U << (*s & 0x1f)))) {
            len += 2;
        }
    }

    if (len == in->len) {
        *out = *in;
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;
    out->len = len;

    for (s = in->data; s < last; s++) {
        c = *s;

        if (unreserved[c >> 5] & (1U << (c & 0x1f))) {
            *p++ = c;

        } else {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 0xf];
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_percent_decode(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *out,
    ngx_uint_t plus)
{
    u_char      *p, *s, *last;
    size_t       len;
    ngx_uint_t   same;

    last = in->data + in->len;
    len = in->len;
    same = 1;

    for (s = in->data; s < last; s++) {

        if (*s == '%') {

            if (last - s < 3
                || ngx_group_hex(s[1]) == NGX_ERROR
                || ngx_group_hex(s[2]) == NGX_ERROR)
            {
                return NGX_DECLINED;
            }

            s += 2;
            len -= 2;
            same = 0;

        } else if (*s == '+' && plus) {
            same = 0;
        }
    }

    if (same) {
        *out = *in;
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s = in->data;

    out->data = p;
    out->len = len;

    while (s < last) {

        if (*s == '%') {
            *p++ = (u_char) (ngx_group_hex(s[1]) << 4 | ngx_group_hex(s[2]));
            s += 3;

        } else if (*s == '+' && plus) {
            *p++ = ' ';
            s++;

        } else {
            *p++ = *s++;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return NGX_ERROR;
}
