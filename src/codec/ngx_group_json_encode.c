
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_json_internal.h"


static size_t ngx_group_json_size(ngx_group_value_t *value,
    ngx_uint_t escapes);
static size_t ngx_group_json_string_size(ngx_str_t *text, ngx_uint_t escapes);
static u_char *ngx_group_json_write(u_char *p, ngx_group_value_t *value,
    ngx_uint_t escapes);
static u_char *ngx_group_json_write_string(u_char *p, ngx_str_t *text,
    ngx_uint_t escapes);


/* the letter after "\" of a control character, or 0 when there is none */

static u_char  ngx_group_json_short[32] = {
    0, 0, 0, 0, 0, 0, 0, 0, 'b', 't', 'n', 0, 'f', 'r', 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
};


ngx_int_t
ngx_group_json_encode(ngx_pool_t *pool, ngx_group_value_t *value,
    ngx_str_t *out)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   escapes;

    /* most texts need no escapes, which writing them shows just as well */

    for (escapes = 0; /* void */ ; escapes = 1) {

        len = ngx_group_json_size(value, escapes);

        p = ngx_pnalloc(pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        out->data = p;
        out->len = len;

        if (ngx_group_json_write(p, value, escapes)) {
            return NGX_OK;
        }

        ngx_pfree(pool, p);
    }
}


/* without "escapes" it is the size of texts that need none */

static size_t
ngx_group_json_size(ngx_group_value_t *value, ngx_uint_t escapes)
{
    size_t              size;
    ngx_group_value_t  *item;

    switch (value->type) {

    case NGX_GROUP_NULL:
        return sizeof("null") - 1;

    case NGX_GROUP_BOOLEAN:
        return value->u.flag ? sizeof("true") - 1 : sizeof("false") - 1;

    case NGX_GROUP_NUMBER:
        return value->u.text.len;

    case NGX_GROUP_STRING:
        return ngx_group_json_string_size(&value->u.text, escapes);

    default: /* NGX_GROUP_ARRAY, NGX_GROUP_OBJECT */
        break;
    }

    size = sizeof("[]") - 1;

    for (item = value->u.items.first; item; item = item->next) {

        if (value->type == NGX_GROUP_OBJECT) {
            size += ngx_group_json_string_size(&item->key, escapes)
                    + sizeof(":") - 1;
        }

        size += ngx_group_json_size(item, escapes);

        if (item->next) {
            size += sizeof(",") - 1;
        }
    }

    return size;
}


static size_t
ngx_group_json_string_size(ngx_str_t *text, ngx_uint_t escapes)
{
    u_char  *p, *last;
    size_t   size;

    size = text->len + sizeof("\"\"") - 1;

    if (!escapes) {
        return size;
    }

    p = text->data;
    last = p + text->len;

    for ( ;; ) {
        p = ngx_group_json_plain(p, last, 1);

        if (p == last) {
            return size;
        }

        if (*p >= 0x20 || ngx_group_json_short[*p]) {
            size++;

        } else {
            size += sizeof("\\u0000") - 2;
        }

        p++;
    }
}


/* NULL when there is something to escape and no "escapes" */

static u_char *
ngx_group_json_write(u_char *p, ngx_group_value_t *value, ngx_uint_t escapes)
{
    ngx_group_value_t  *item;

    switch (value->type) {

    case NGX_GROUP_NULL:
        return ngx_cpymem(p, "null", sizeof("null") - 1);

    case NGX_GROUP_BOOLEAN:
        if (value->u.flag) {
            return ngx_cpymem(p, "true", sizeof("true") - 1);
        }

        return ngx_cpymem(p, "false", sizeof("false") - 1);

    case NGX_GROUP_NUMBER:
        if (value->u.text.len == 0) {
            return p;
        }

        return ngx_cpymem(p, value->u.text.data, value->u.text.len);

    case NGX_GROUP_STRING:
        return ngx_group_json_write_string(p, &value->u.text, escapes);

    default: /* NGX_GROUP_ARRAY, NGX_GROUP_OBJECT */
        break;
    }

    *p++ = (value->type == NGX_GROUP_ARRAY) ? '[' : '{';

    for (item = value->u.items.first; item; item = item->next) {

        if (value->type == NGX_GROUP_OBJECT) {
            p = ngx_group_json_write_string(p, &item->key, escapes);
            if (p == NULL) {
                return NULL;
            }

            *p++ = ':';
        }

        p = ngx_group_json_write(p, item, escapes);
        if (p == NULL) {
            return NULL;
        }

        if (item->next) {
            *p++ = ',';
        }
    }

    *p++ = (value->type == NGX_GROUP_ARRAY) ? ']' : '}';

    return p;
}


static u_char *
ngx_group_json_write_string(u_char *p, ngx_str_t *text, ngx_uint_t escapes)
{
    u_char  *s, *last, *plain, c;

    static u_char  hex[] = "0123456789abcdef";

    s = text->data;
    last = s + text->len;

    *p++ = '"';

    for ( ;; ) {
        plain = ngx_group_json_plain(s, last, 1);

        if (plain != s) {
            p = ngx_cpymem(p, s, plain - s);
            s = plain;
        }

        if (s == last) {
            break;
        }

        if (!escapes) {
            return NULL;
        }

        c = *s++;

        *p++ = '\\';

        if (c >= 0x20) {
            *p++ = c;
            continue;
        }

        if (ngx_group_json_short[c]) {
            *p++ = ngx_group_json_short[c];
            continue;
        }

        *p++ = 'u';
        *p++ = '0';
        *p++ = '0';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 0xf];
    }

    *p++ = '"';

    return p;
}
