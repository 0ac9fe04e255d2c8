
/*
 * What a request says and the upstream's dialect has no place for.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_dialect.h"


static ngx_int_t ngx_group_lost_below(ngx_pool_t *pool,
    ngx_array_t *fields, ngx_uint_t depth, ngx_str_t *prefix,
    ngx_group_value_t *in, ngx_array_t *lost);
static ngx_uint_t ngx_group_lost_carries(ngx_array_t *fields,
    ngx_uint_t depth, ngx_str_t *prefix, ngx_str_t *key,
    ngx_group_field_t **found);
static ngx_uint_t ngx_group_lost_address(ngx_group_value_t *value);
static ngx_uint_t ngx_group_lost_empty(ngx_group_value_t *value);
static ngx_int_t ngx_group_lost_add(ngx_pool_t *pool, ngx_str_t *prefix,
    ngx_str_t *key, ngx_array_t *lost);


ngx_int_t
ngx_group_encode_lost(ngx_pool_t *pool, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_array_t *lost)
{
    ngx_str_t  prefix;

    ngx_str_null(&prefix);

    return ngx_group_lost_below(pool, fields, 0, &prefix, in, lost);
}


/*
 * "depth" components of the fields' paths are behind us.  Where a resource
 * lives and what it is called by are addresses: the path carries them.
 */

static ngx_int_t
ngx_group_lost_below(ngx_pool_t *pool, ngx_array_t *fields,
    ngx_uint_t depth, ngx_str_t *prefix, ngx_group_value_t *in,
    ngx_array_t *lost)
{
    ngx_str_t           name;
    ngx_array_t        *inner;
    ngx_uint_t          below;
    ngx_group_field_t  *field;
    ngx_group_value_t  *v, *item;

    for (v = in->u.items.first; v; v = v->next) {

        if (ngx_group_lost_empty(v) || ngx_group_lost_address(v)) {
            continue;
        }

        field = NULL;

        /* a vendor's own fields are lost one by one */

        if (depth == 0 && prefix->len == 0 && ngx_group_str_is(&v->key, "ext")
            && v->type == NGX_GROUP_OBJECT)
        {
            if (ngx_group_lost_below(pool, fields, 1, &v->key, v, lost)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        if (!ngx_group_lost_carries(fields, depth, prefix, &v->key, &field))
        {
            /* a member that is known by its id alone stands in the path */

            if (v->type == NGX_GROUP_OBJECT) {
                item = v->u.items.first;

                while (item && (ngx_group_lost_empty(item)
                                || ngx_group_lost_address(item)))
                {
                    item = item->next;
                }

                if (item == NULL) {
                    continue;
                }
            }

            if (ngx_group_lost_add(pool, prefix, &v->key, lost) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        /* a field for a part of it, or for all of it with fields of its own */

        if (field && field->nfrom > depth + 1) {
            inner = fields;
            below = depth + 1;

        } else if (field && field->fields) {
            inner = field->fields;
            below = 0;

        } else {
            continue;
        }

        name.len = prefix->len + (prefix->len ? 1 : 0) + v->key.len;
        name.data = ngx_pnalloc(pool, name.len);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(name.data, "%V%s%V", prefix, prefix->len ? "." : "",
                           &v->key);

        if (v->type == NGX_GROUP_OBJECT) {
            if (ngx_group_lost_below(pool, inner, below, &name, v, lost)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (v->type == NGX_GROUP_ARRAY) {

            for (item = v->u.items.first; item; item = item->next) {
                if (item->type == NGX_GROUP_OBJECT
                    && ngx_group_lost_below(pool, inner, below, &name,
                                                item, lost)
                       != NGX_OK)
                {
                    return NGX_ERROR;
                }
            }
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_group_lost_carries(ngx_array_t *fields, ngx_uint_t depth,
    ngx_str_t *prefix, ngx_str_t *key, ngx_group_field_t **found)
{
    ngx_uint_t          i;
    ngx_group_field_t  *field;

    if (fields == NULL) {
        return 0;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (field[i].nfrom == 0) {
            if (field[i].type == NGX_GROUP_FIELD_OBJECT
                && ngx_group_lost_carries(field[i].fields, depth, prefix,
                                            key, found))
            {
                return 1;
            }

            continue;
        }

        if (field[i].read_only || field[i].nfrom <= depth
            || !ngx_group_str_eq(&field[i].from[depth], key))
        {
            continue;
        }

        if (depth && !ngx_group_str_eq(&field[i].from[0], prefix)) {
            continue;
        }

        *found = &field[i];
        return 1;
    }

    return 0;
}


static ngx_uint_t
ngx_group_lost_address(ngx_group_value_t *value)
{
    return ngx_group_str_is(&value->key, "id")
           || ngx_group_str_is(&value->key, "group_id")
           || ngx_group_str_is(&value->key, "owner")
           || ngx_group_str_is(&value->key, "ref");
}


static ngx_uint_t
ngx_group_lost_empty(ngx_group_value_t *value)
{
    switch (value->type) {

    case NGX_GROUP_NULL:
        return 1;

    case NGX_GROUP_STRING:
        return value->u.text.len == 0;

    case NGX_GROUP_ARRAY:
    case NGX_GROUP_OBJECT:
        return value->n == 0;

    default:
        return 0;
    }
}


static ngx_int_t
ngx_group_lost_add(ngx_pool_t *pool, ngx_str_t *prefix, ngx_str_t *key,
    ngx_array_t *lost)
{
    ngx_str_t   name, *s;
    ngx_uint_t  i;

    name.len = prefix->len + (prefix->len ? 1 : 0) + key->len;
    name.data = ngx_pnalloc(pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(name.data, "%V%s%V", prefix, prefix->len ? "." : "",
                       key);

    /* a hook may call its fields as it likes, but a log line is one line */

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) {
            name.data[i] = ' ';
        }
    }

    s = lost->elts;

    for (i = 0; i < lost->nelts; i++) {
        if (ngx_group_str_eq(&s[i], &name)) {
            return NGX_OK;
        }
    }

    s = ngx_array_push(lost);
    if (s == NULL) {
        return NGX_ERROR;
    }

    *s = name;

    return NGX_OK;
}
