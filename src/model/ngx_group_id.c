
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_id.h"
#include "ngx_group_value.h"


#define NGX_GROUP_ID_UUID_LEN      36
#define NGX_GROUP_ID_TEXT_LEN      8

#define NGX_GROUP_ID_KIND_NUMBER   1
#define NGX_GROUP_ID_KIND_BASE64   2
#define NGX_GROUP_ID_KIND_TEXT     3

/* of 20 digits, which 64 bits take at most */
#define NGX_GROUP_ID_NUMBER_BASE64                                            \
    ngx_base64_encoded_length(NGX_GROUP_ID_DIGITS)
#define NGX_GROUP_ID_DIGITS        20

/* what is made of an id that is looked into */
#define NGX_GROUP_ID_BUFFER                                                   \
    ngx_base64_encoded_length(NGX_GROUP_ID_MAX + 3)


static ngx_uint_t ngx_group_id_same(ngx_uint_t client_form,
    ngx_uint_t upstream_form);
static ngx_int_t ngx_group_id_copy(ngx_pool_t *pool, ngx_str_t *in,
    u_char *buf, ngx_str_t *out);
static void ngx_group_id_to(ngx_uint_t client_form, ngx_uint_t upstream_form,
    ngx_str_t *in, u_char *buf, ngx_str_t *out);
static void ngx_group_id_from(ngx_uint_t client_form,
    ngx_uint_t upstream_form, ngx_str_t *in, u_char *buf, ngx_str_t *out);
static void ngx_group_id_to_uuid(ngx_str_t *in, u_char *buf, ngx_str_t *out);
static void ngx_group_id_from_uuid(ngx_str_t *in, u_char *buf, ngx_str_t *out);
static ngx_int_t ngx_group_id_uuid(ngx_str_t *in, u_char *bytes);
static ngx_int_t ngx_group_id_number(ngx_str_t *in, uint64_t *n);
static ngx_int_t ngx_group_id_base64_number(ngx_str_t *in, uint64_t *n);
static void ngx_group_id_write_base64_number(uint64_t n, u_char *buf,
    ngx_str_t *out);
static ngx_int_t ngx_group_id_unbase64(ngx_str_t *in, u_char *buf,
    ngx_str_t *out);


static u_char  ngx_group_id_magic[] = { 0x6e, 0x67, 0x72, 0x67 };

/* where the payload stands: the other bits are the version and the variant */
static ngx_uint_t  ngx_group_id_payload[] = { 7, 9, 10, 11, 12, 13, 14, 15 };


ngx_int_t
ngx_group_id_encode(ngx_pool_t *pool, ngx_uint_t client_form,
    ngx_uint_t upstream_form, ngx_str_t *in, ngx_str_t *out)
{
    u_char      *p, to[NGX_GROUP_ID_BUFFER], from[NGX_GROUP_ID_BUFFER];
    ngx_str_t    id, back;

    if (ngx_group_id_same(client_form, upstream_form)) {
        *out = *in;
        return NGX_OK;
    }

    ngx_group_id_to(client_form, upstream_form, in, to, &id);
    ngx_group_id_from(client_form, upstream_form, &id, from, &back);

    if (ngx_group_str_eq(&back, in)) {
        return ngx_group_id_copy(pool, &id, to, out);
    }

    p = ngx_pnalloc(pool, in->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p[0] = '~';
    ngx_memcpy(p + 1, in->data, in->len);

    /* only now: "out" may be "in" */

    out->len = in->len + 1;
    out->data = p;

    return NGX_OK;
}


ngx_int_t
ngx_group_id_decode(ngx_pool_t *pool, ngx_uint_t client_form,
    ngx_uint_t upstream_form, ngx_str_t *in, ngx_str_t *out)
{
    u_char     buf[NGX_GROUP_ID_BUFFER];
    ngx_str_t  id;

    if (ngx_group_id_same(client_form, upstream_form)) {
        *out = *in;
        return NGX_OK;
    }

    ngx_group_id_from(client_form, upstream_form, in, buf, &id);

    return ngx_group_id_copy(pool, &id, buf, out);
}


static ngx_uint_t
ngx_group_id_same(ngx_uint_t client_form, ngx_uint_t upstream_form)
{
    return client_form == upstream_form || client_form == NGX_GROUP_ID_OPAQUE;
}


static ngx_int_t
ngx_group_id_copy(ngx_pool_t *pool, ngx_str_t *in, u_char *buf,
    ngx_str_t *out)
{
    if (in->data != buf) {
        *out = *in;
        return NGX_OK;
    }

    out->data = ngx_pnalloc(pool, in->len);
    if (out->data == NULL) {
        out->len = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(out->data, buf, in->len);
    out->len = in->len;

    return NGX_OK;
}


/* "out" becomes "in" itself, or is written to "buf" */

static void
ngx_group_id_to(ngx_uint_t client_form, ngx_uint_t upstream_form,
    ngx_str_t *in, u_char *buf, ngx_str_t *out)
{
    uint64_t  n;

    *out = *in;

    if (in->len == 0 || in->len > NGX_GROUP_ID_MAX) {
        return;
    }

    switch (client_form) {

    case NGX_GROUP_ID_UUID:
        ngx_group_id_to_uuid(in, buf, out);
        break;

    case NGX_GROUP_ID_DECIMAL:
        if (upstream_form == NGX_GROUP_ID_BASE64
            && ngx_group_id_base64_number(in, &n) == NGX_OK)
        {
            out->data = buf;
            out->len = ngx_sprintf(buf, "%uL", n) - buf;
        }

        break;

    case NGX_GROUP_ID_BASE64:
        out->data = buf;
        ngx_encode_base64(out, in);
        break;
    }
}


static void
ngx_group_id_from(ngx_uint_t client_form, ngx_uint_t upstream_form,
    ngx_str_t *in, u_char *buf, ngx_str_t *out)
{
    uint64_t  n;

    *out = *in;

    if (in->len > 1 && in->data[0] == '~') {
        out->data = in->data + 1;
        out->len = in->len - 1;
        return;
    }

    switch (client_form) {

    case NGX_GROUP_ID_UUID:
        ngx_group_id_from_uuid(in, buf, out);
        break;

    case NGX_GROUP_ID_DECIMAL:
        if (upstream_form == NGX_GROUP_ID_BASE64
            && ngx_group_id_number(in, &n) == NGX_OK)
        {
            ngx_group_id_write_base64_number(n, buf, out);
        }

        break;

    case NGX_GROUP_ID_BASE64:
        if (ngx_group_id_unbase64(in, buf, out) != NGX_OK) {
            *out = *in;
        }

        break;
    }
}


static void
ngx_group_id_to_uuid(ngx_str_t *in, u_char *buf, ngx_str_t *out)
{
    u_char      *p, bytes[16], payload[NGX_GROUP_ID_TEXT_LEN];
    uint64_t     n;
    ngx_uint_t   i;

    ngx_memzero(bytes, sizeof(bytes));
    ngx_memzero(payload, sizeof(payload));

    n = 0;

    if (ngx_group_id_number(in, &n) == NGX_OK) {
        bytes[4] = NGX_GROUP_ID_KIND_NUMBER;

    } else if (ngx_group_id_base64_number(in, &n) == NGX_OK) {
        bytes[4] = NGX_GROUP_ID_KIND_BASE64;

    } else if (in->len <= NGX_GROUP_ID_TEXT_LEN) {
        bytes[4] = NGX_GROUP_ID_KIND_TEXT;
        bytes[5] = (u_char) in->len;

    } else {
        return;
    }

    if (bytes[4] == NGX_GROUP_ID_KIND_TEXT) {
        ngx_memcpy(payload, in->data, in->len);

    } else {
        for (i = sizeof(payload); i > 0; i--) {
            payload[i - 1] = (u_char) n;
            n >>= 8;
        }
    }

    ngx_memcpy(bytes, ngx_group_id_magic, sizeof(ngx_group_id_magic));

    bytes[6] = 0x80;
    bytes[8] = 0x80;

    for (i = 0; i < sizeof(payload); i++) {
        bytes[ngx_group_id_payload[i]] = payload[i];
    }

    p = buf;

    for (i = 0; i < sizeof(bytes); i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }

        p = ngx_hex_dump(p, &bytes[i], 1);
    }

    out->data = buf;
    out->len = p - buf;
}


static void
ngx_group_id_from_uuid(ngx_str_t *in, u_char *buf, ngx_str_t *out)
{
    u_char       bytes[16], payload[NGX_GROUP_ID_TEXT_LEN];
    uint64_t     n, ignored;
    ngx_str_t    text;
    ngx_uint_t   i, kind, len;

    if (ngx_group_id_uuid(in, bytes) != NGX_OK
        || ngx_memcmp(bytes, ngx_group_id_magic, sizeof(ngx_group_id_magic))
        || bytes[6] != 0x80 || bytes[8] != 0x80)
    {
        return;
    }

    kind = bytes[4];
    len = bytes[5];
    n = 0;

    for (i = 0; i < sizeof(payload); i++) {
        payload[i] = bytes[ngx_group_id_payload[i]];
        n = n << 8 | payload[i];
    }

    if (kind == NGX_GROUP_ID_KIND_NUMBER && len == 0) {
        out->data = buf;
        out->len = ngx_sprintf(buf, "%uL", n) - buf;
        return;
    }

    if (kind == NGX_GROUP_ID_KIND_BASE64 && len == 0) {
        ngx_group_id_write_base64_number(n, buf, out);
        return;
    }

    if (kind != NGX_GROUP_ID_KIND_TEXT
        || len == 0 || len > NGX_GROUP_ID_TEXT_LEN)
    {
        return;
    }

    /* one id has one UUID: others that would hold it are not ours */

    for (i = len; i < sizeof(payload); i++) {
        if (payload[i]) {
            return;
        }
    }

    text.data = payload;
    text.len = len;

    if (ngx_group_id_number(&text, &ignored) == NGX_OK
        || ngx_group_id_base64_number(&text, &ignored) == NGX_OK)
    {
        return;
    }

    ngx_memcpy(buf, payload, len);

    out->data = buf;
    out->len = len;
}


static ngx_int_t
ngx_group_id_uuid(ngx_str_t *in, u_char *bytes)
{
    u_char       c;
    ngx_uint_t   i, n;

    if (in->len != NGX_GROUP_ID_UUID_LEN) {
        return NGX_DECLINED;
    }

    n = 0;

    for (i = 0; i < NGX_GROUP_ID_UUID_LEN; i++) {
        c = in->data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {

            if (c != '-') {
                return NGX_DECLINED;
            }

            continue;
        }

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else {
            c |= 0x20;

            if (c < 'a' || c > 'f') {
                return NGX_DECLINED;
            }

            c = c - 'a' + 10;
        }

        if (n % 2) {
            bytes[n / 2] |= c;

        } else {
            bytes[n / 2] = (u_char) (c << 4);
        }

        n++;
    }

    return NGX_OK;
}


/* only as it would be printed: no sign, no leading zero, 64 bits */

static ngx_int_t
ngx_group_id_number(ngx_str_t *in, uint64_t *n)
{
    u_char    *p, *last;
    uint64_t   value, digit;

    if (in->len == 0 || in->len > NGX_GROUP_ID_DIGITS
        || (in->len > 1 && in->data[0] == '0'))
    {
        return NGX_DECLINED;
    }

    value = 0;
    last = in->data + in->len;

    for (p = in->data; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_DECLINED;
        }

        digit = *p - '0';

        if (value > (0xffffffffffffffff - digit) / 10) {
            return NGX_DECLINED;
        }

        value = value * 10 + digit;
    }

    *n = value;

    return NGX_OK;
}


static ngx_int_t
ngx_group_id_base64_number(ngx_str_t *in, uint64_t *n)
{
    u_char     buf[NGX_GROUP_ID_BUFFER];
    ngx_str_t  text;

    if (in->len > NGX_GROUP_ID_NUMBER_BASE64
        || ngx_group_id_unbase64(in, buf, &text) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_group_id_number(&text, n);
}


static void
ngx_group_id_write_base64_number(uint64_t n, u_char *buf, ngx_str_t *out)
{
    u_char     digits[NGX_GROUP_ID_DIGITS];
    ngx_str_t  text;

    text.data = digits;
    text.len = ngx_sprintf(digits, "%uL", n) - digits;

    out->data = buf;
    ngx_encode_base64(out, &text);
}


/* only as it would be written: padded, with no bits left over */

static ngx_int_t
ngx_group_id_unbase64(ngx_str_t *in, u_char *buf, ngx_str_t *out)
{
    u_char     again[NGX_GROUP_ID_BUFFER];
    ngx_str_t  text;

    if (in->len == 0 || in->len % 4
        || in->len > ngx_base64_encoded_length(NGX_GROUP_ID_MAX))
    {
        return NGX_DECLINED;
    }

    out->data = buf;

    if (ngx_decode_base64(out, in) != NGX_OK || out->len == 0) {
        return NGX_DECLINED;
    }

    text.data = again;
    ngx_encode_base64(&text, out);

    return ngx_group_str_eq(&text, in) ? NGX_OK : NGX_DECLINED;
}
