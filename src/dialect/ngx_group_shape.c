
/*
 * What the fields of a request or an answer are about.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_dialect.h"


ngx_array_t *
ngx_group_shape(ngx_array_t *fields, ngx_uint_t list)
{
    ngx_uint_t          i;
    ngx_array_t        *inner;
    ngx_group_field_t  *field;

    if (fields == NULL) {
        return NULL;
    }

    field = fields->elts;

    /* wrappers beside fields are the vendor's nesting of some of them */

    for (i = 0; i < fields->nelts; i++) {

        if (field[i].constant || field[i].nfrom == 0) {
            continue;
        }

        if (!list) {
            return fields;
        }

        if (ngx_group_str_is(&field[i].from[0], "items")) {
            return field[i].fields;
        }
    }

    for (i = 0; i < fields->nelts; i++) {

        if (!field[i].constant && field[i].nfrom == 0) {
            inner = ngx_group_shape(field[i].fields, list);

            if (inner) {
                return inner;
            }
        }
    }

    return NULL;
}


ngx_group_field_t *
ngx_group_shape_find(ngx_array_t *fields, ngx_str_t *name)
{
    ngx_uint_t          i;
    ngx_group_field_t  *field, *found;

    if (fields == NULL) {
        return NULL;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (field[i].nfrom == 0) {
            found = ngx_group_shape_find(field[i].fields, name);
            if (found) {
                return found;
            }

        } else if (ngx_group_str_eq(&field[i].from[0], name)) {
            return &field[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_group_shape_requires(ngx_array_t *fields, ngx_str_t *name)
{
    ngx_group_field_t  *field;

    field = ngx_group_shape_find(fields, name);

    return field && field->required;
}
