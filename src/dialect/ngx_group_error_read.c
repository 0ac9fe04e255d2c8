
/*
 * Errors: from what an upstream says to an outcome.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_dialect.h"


/* an upstream's text goes into our answer and our log: not all of a page */
#define NGX_GROUP_ERROR_TEXT  512


static ngx_int_t ngx_group_error_text(ngx_pool_t *pool, ngx_str_t *path,
    ngx_group_value_t *value, ngx_str_t *text);


ngx_int_t
ngx_group_error_read(ngx_pool_t *pool, ngx_group_dialect_t *dialect,
    ngx_uint_t status, ngx_group_value_t *value, ngx_group_error_t *error)
{
    char                 *code, *detail;
    ngx_str_t            *path, text;
    ngx_uint_t            i, outcome;
    ngx_group_reading_t  *reading;

    code = "upstream";
    detail = "";

    switch (status) {

    case 400:
    case 422:
        outcome = NGX_GROUP_INVALID;
        break;

    case 401:
        outcome = NGX_GROUP_BAD_GATEWAY;
        code = "credentials";
        detail = "the upstream refused the gateway's credentials";
        break;

    case 403:
        outcome = NGX_GROUP_FORBIDDEN;
        break;

    case 404:
    case 410:
        outcome = NGX_GROUP_NOT_FOUND;
        break;

    case 409:
        outcome = NGX_GROUP_CONFLICT;
        break;

    case 413:
        outcome = NGX_GROUP_TOO_LARGE;
        break;

    case 429:
        outcome = NGX_GROUP_RATE_LIMITED;
        break;

    case 500:
        outcome = NGX_GROUP_INTERNAL;
        break;

    case 501:
        outcome = NGX_GROUP_NOT_SUPPORTED;
        break;

    case 503:
        outcome = NGX_GROUP_UNAVAILABLE;
        break;

    case 504:
        outcome = NGX_GROUP_TIMEOUT;
        break;

    default:
        outcome = NGX_GROUP_BAD_GATEWAY;
        detail = "the upstream gave an answer that is not understood";
    }

    reading = dialect->readings.elts;

    for (i = 0; i < dialect->readings.nelts; i++) {
        if (reading[i].status == status) {
            outcome = reading[i].outcome;
            detail = "";
        }
    }

    ngx_group_error_set(error, outcome, code, detail);

    if (error->detail.len || status >= 500 || value == NULL) {
        return NGX_OK;
    }

    path = dialect->texts.elts;

    for (i = 0; i < dialect->texts.nelts; i++) {
        ngx_str_null(&text);

        if (ngx_group_error_text(pool, &path[i], value, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        if (text.len) {
            error->detail = text;
            error->upstream = 1;
            break;
        }
    }

    return NGX_OK;
}


/* the texts at a path such as "errors[].detail", joined */

static ngx_int_t
ngx_group_error_text(ngx_pool_t *pool, ngx_str_t *path,
    ngx_group_value_t *value, ngx_str_t *text)
{
    u_char             *p, *end;
    ngx_str_t           key, rest;
    ngx_uint_t          list;
    ngx_group_value_t  *item;

    if (value == NULL) {
        return NGX_OK;
    }

    if (path->len == 0) {

        if (value->type != NGX_GROUP_STRING || value->u.text.len == 0
            || text->len >= NGX_GROUP_ERROR_TEXT)
        {
            return NGX_OK;
        }

        p = ngx_pnalloc(pool, NGX_GROUP_ERROR_TEXT);
        if (p == NULL) {
            return NGX_ERROR;
        }

        end = ngx_slprintf(p, p + NGX_GROUP_ERROR_TEXT, "%V%s%V", text,
                           text->len ? "; " : "", &value->u.text);

        /* not in the middle of a character */

        if (end == p + NGX_GROUP_ERROR_TEXT) {
            while (end > p && (end[-1] & 0xc0) == 0x80) {
                end--;
            }

            end -= (end > p);
        }

        text->data = p;
        text->len = end - p;

        return NGX_OK;
    }

    p = path->data;
    end = p + path->len;

    key.data = p;

    while (p < end && *p != '.' && *p != '[') {
        p++;
    }

    key.len = p - key.data;
    list = (end - p >= 2 && p[0] == '[');

    if (list) {
        p += 2;
    }

    if (p < end && *p == '.') {
        p++;
    }

    rest.data = p;
    rest.len = end - p;

    value = ngx_group_value_get(value, &key);

    if (!list) {
        return ngx_group_error_text(pool, &rest, value, text);
    }

    if (value == NULL || value->type != NGX_GROUP_ARRAY) {
        return NGX_OK;
    }

    for (item = value->u.items.first; item; item = item->next) {
        if (ngx_group_error_text(pool, &rest, item, text) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
