
/*
 * One dialect on both sides, but rooted at two places: URLs of groups and
 * members and the links of lists lead to the other one, and all else of a
 * vendor's tree is left as it is.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_dialect.h"


static ngx_uint_t ngx_group_rebase_link(ngx_group_field_t *field);
static ngx_int_t ngx_group_rebase_value(ngx_group_rebase_t *rebase,
    ngx_group_field_t *field, ngx_group_value_t *value);


ngx_uint_t
ngx_group_rebases(ngx_array_t *fields)
{
    ngx_uint_t          i;
    ngx_group_field_t  *field;

    if (fields == NULL) {
        return 0;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (field[i].ref || (field[i].item && field[i].item->ref)
            || ngx_group_rebase_link(&field[i])
            || ngx_group_rebases(field[i].fields))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_group_rebase_link(ngx_group_field_t *field)
{
    return field->path.len > 5
           && ngx_strncmp(field->path.data, "link_", 5) == 0;
}


ngx_int_t
ngx_group_rebase(ngx_group_rebase_t *rebase, ngx_array_t *fields,
    ngx_group_value_t *tree)
{
    ngx_uint_t          i;
    ngx_group_field_t  *field;
    ngx_group_value_t  *v;

    field = fields->elts;

    for (v = tree->u.items.first; v; v = v->next) {

        for (i = 0; i < fields->nelts; i++) {

            if (ngx_group_str_eq(&field[i].name, &v->key)) {

                if (ngx_group_rebase_value(rebase, &field[i], v) != NGX_OK) {
                    return NGX_ERROR;
                }

                break;
            }
        }
    }

    return NGX_OK;
}


/* in XML an item of an array stands where the array would */

static ngx_int_t
ngx_group_rebase_value(ngx_group_rebase_t *rebase, ngx_group_field_t *field,
    ngx_group_value_t *value)
{
    ngx_group_value_t  *item;

    if (value->type == NGX_GROUP_ARRAY) {

        for (item = value->u.items.first; item; item = item->next) {
            if (item->type != NGX_GROUP_ARRAY
                && ngx_group_rebase_value(rebase, field, item) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        return NGX_OK;
    }

    if (value->type == NGX_GROUP_OBJECT) {
        return field->fields ? ngx_group_rebase(rebase, field->fields, value)
                             : NGX_OK;
    }

    if (value->type != NGX_GROUP_STRING) {
        return NGX_OK;
    }

    if (ngx_group_rebase_link(field)) {
        return ngx_group_rebase_text(rebase, &rebase->links, &value->u.text);
    }

    if (field->ref || (field->item && field->item->ref)) {
        return ngx_group_rebase_text(rebase, &rebase->to, &value->u.text);
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_rebase_text(ngx_group_rebase_t *rebase, ngx_str_t *to,
    ngx_str_t *text)
{
    u_char     *p, *end, *rest;
    ngx_str_t   origin, *base;

    p = text->data;
    end = p + text->len;

    ngx_str_null(&origin);

    if (p < end && *p != '/') {

        while (p < end && *p != ':') {
            p++;
        }

        if (end - p < 3 || ngx_strncmp(p, "://", 3) != 0) {
            return NGX_OK;
        }

        for (p += 3; p < end && *p != '/'; p++) { /* void */ }

        origin = rebase->origin;
    }

    base = &rebase->from;

    if ((size_t) (end - p) <= base->len
        || (base->len && ngx_memcmp(p, base->data, base->len) != 0)
        || p[base->len] != '/')
    {
        return NGX_OK;
    }

    rest = p + base->len;

    p = ngx_pnalloc(rebase->pool, origin.len + to->len + (end - rest));
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    if (origin.len) {
        p = ngx_cpymem(p, origin.data, origin.len);
    }

    if (to->len) {
        p = ngx_cpymem(p, to->data, to->len);
    }

    p = ngx_cpymem(p, rest, end - rest);

    text->len = p - text->data;

    return NGX_OK;
}
