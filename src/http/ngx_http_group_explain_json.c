
/*
 * JSON by its parts, of which group_explain and group_console make theirs.
 */


#include "ngx_http_group_explain.h"
#include "ngx_group_json.h"
#include "ngx_group_text.h"


/* what our own output may be when it is read again */
#define NGX_HTTP_GROUP_EXPLAIN_DEPTH  1024
#define NGX_HTTP_GROUP_EXPLAIN_ITEMS  10000000


static ngx_int_t ngx_http_group_explain_utf8(ngx_pool_t *pool,
    ngx_str_t *text);


/* a new value, in an object by its name or in an array; NULL: no memory */

ngx_group_value_t *
ngx_http_group_explain_add(ngx_pool_t *pool, ngx_group_value_t *parent,
    char *name, ngx_group_type_e type)
{
    ngx_group_value_t  *value;

    value = ngx_group_value_create(pool, type);
    if (value == NULL) {
        return NULL;
    }

    if (name) {
        value->key.data = (u_char *) name;
        value->key.len = ngx_strlen(name);
    }

    ngx_group_value_push(parent, value);

    return value;
}


ngx_int_t
ngx_http_group_explain_set(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, ngx_group_value_t *value)
{
    if (value == NULL) {
        return NGX_ERROR;
    }

    value->next = NULL;
    value->key.data = (u_char *) name;
    value->key.len = ngx_strlen(name);

    ngx_group_value_push(object, value);

    return NGX_OK;
}


ngx_int_t
ngx_http_group_explain_text(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, ngx_str_t *text)
{
    return ngx_http_group_explain_set(pool, object, name,
                                      ngx_group_value_string(pool, text));
}


ngx_int_t
ngx_http_group_explain_literal(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    return ngx_http_group_explain_text(pool, object, name, &s);
}


ngx_int_t
ngx_http_group_explain_number(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, int64_t n)
{
    return ngx_http_group_explain_set(pool, object, name,
                                      ngx_group_value_integer(pool, n));
}


ngx_int_t
ngx_http_group_explain_list(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, ngx_array_t *texts)
{
    ngx_str_t          *text;
    ngx_uint_t          i;
    ngx_group_value_t  *list;

    list = ngx_http_group_explain_add(pool, object, name, NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    text = texts ? texts->elts : NULL;

    for (i = 0; text && i < texts->nelts; i++) {
        if (ngx_http_group_explain_push(pool, list, &text[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_group_explain_push(ngx_pool_t *pool, ngx_group_value_t *list,
    ngx_str_t *text)
{
    ngx_group_value_t  *v;

    v = ngx_group_value_string(pool, text);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_push(list, v);

    return NGX_OK;
}


/* JSON as the value that it is, all else as text */

ngx_int_t
ngx_http_group_explain_body(ngx_pool_t *pool, ngx_str_t *media_type,
    ngx_str_t *body, ngx_group_value_t *object)
{
    ngx_int_t            rc;
    ngx_str_t            why;
    ngx_group_value_t   *value;
    ngx_group_limits_t   limits;

    if (body->len == 0) {
        return NGX_OK;
    }

    if (ngx_strnstr(media_type->data, "json", media_type->len)) {

        limits.max_depth = NGX_HTTP_GROUP_EXPLAIN_DEPTH;
        limits.max_items = NGX_HTTP_GROUP_EXPLAIN_ITEMS;

        rc = ngx_group_json_decode(pool, &limits, body, &value, &why);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            return ngx_http_group_explain_set(pool, object, "body", value);
        }
    }

    return ngx_http_group_explain_text(pool, object, "body", body);
}


/* a path or a header may be of any bytes, JSON is of characters */

ngx_int_t
ngx_http_group_explain_clean(ngx_pool_t *pool, ngx_group_value_t *value)
{
    ngx_group_value_t  *v;

    if (value->type == NGX_GROUP_STRING) {
        return ngx_http_group_explain_utf8(pool, &value->u.text);
    }

    if (value->type != NGX_GROUP_ARRAY && value->type != NGX_GROUP_OBJECT) {
        return NGX_OK;
    }

    for (v = value->u.items.first; v; v = v->next) {
        if (ngx_http_group_explain_utf8(pool, &v->key) != NGX_OK
            || ngx_http_group_explain_clean(pool, v) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_explain_utf8(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char     *p;
    size_t      bad;
    ngx_str_t   rest;

    rest = *text;

    if (ngx_group_utf8(&rest, NULL, &bad) == NGX_OK) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text->data, text->len);
    text->data = p;

    rest = *text;

    while (ngx_group_utf8(&rest, NULL, &bad) != NGX_OK) {
        rest.data[bad] = '?';
        rest.data += bad + 1;
        rest.len -= bad + 1;
    }

    return NGX_OK;
}
