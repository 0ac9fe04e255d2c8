
/*
 * group_default: what requests and answers lack.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_translate.h"


static ngx_int_t ngx_http_group_default_value(ngx_http_request_t *r,
    ngx_http_group_default_t *dflt, ngx_group_value_t **value);


static ngx_str_t  ngx_http_group_id = ngx_string("id");
static ngx_str_t  ngx_http_group_owner = ngx_string("owner");


/* a container is needed by any operation, fields by those that write them */

ngx_int_t
ngx_http_group_fill_defaults(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i, writes;
    ngx_group_value_t         *value;
    ngx_http_group_default_t  *dflt;

    /* what another vendor's client cannot say is kept in a replacement */

    writes = (ctx->op->operation == NGX_GROUP_GROUP_CREATE
              || (ctx->op->operation == NGX_GROUP_GROUP_REPLACE
                  && glcf->upstream_dialect == glcf->dialect));

    dflt = glcf->defaults->elts;

    for (i = 0; i < glcf->defaults->nelts; i++) {

        if (!writes
            && !ngx_group_str_eq(&dflt[i].field->name, &ngx_http_group_owner))
        {
            continue;
        }

        value = ngx_group_value_get(ctx->doc, &dflt[i].field->name);

        if (value && value->type != NGX_GROUP_NULL) {
            continue;
        }

        rc = ngx_http_group_default_value(r, &dflt[i], &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        ngx_group_value_set(ctx->doc, &dflt[i].field->name, value);

        if (ctx->explain
            && ngx_http_group_explain_filled(r, &dflt[i].field->name)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (writes) {
            ctx->changed = 1;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_group_fill_answer(ngx_http_request_t *r, ngx_array_t *fields,
    ngx_group_value_t *group)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_group_value_t          *value;
    ngx_http_group_default_t   *dflt;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (glcf->defaults == NULL) {
        return NGX_OK;
    }

    dflt = glcf->defaults->elts;

    for (i = 0; i < glcf->defaults->nelts; i++) {

        if (ngx_group_value_get(group, &dflt[i].field->name)
            || !ngx_group_shape_requires(fields, &dflt[i].field->name))
        {
            continue;
        }

        rc = ngx_http_group_default_value(r, &dflt[i], &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        ngx_group_value_set(group, &dflt[i].field->name, value);

        if (glcf->explain
            && ngx_http_group_explain_filled(r, &dflt[i].field->name)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* NGX_DECLINED: the variables of the value are empty */

ngx_int_t
ngx_http_group_default_value(ngx_http_request_t *r,
    ngx_http_group_default_t *dflt, ngx_group_value_t **value)
{
    ngx_int_t                  flag;
    ngx_str_t                  text;
    ngx_uint_t                 i;
    ngx_group_value_t         *item, *id;
    ngx_http_complex_value_t  *cv;

    cv = dflt->values.elts;

    if (dflt->field->type != NGX_GROUP_ARRAY) {

        if (ngx_http_complex_value(r, cv, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        if (text.len == 0) {
            return NGX_DECLINED;
        }

        if (dflt->field->type == NGX_GROUP_BOOLEAN) {
            flag = ngx_http_group_boolean(&text);

            /* what is none stays text, and a wrong type */

            *value = (flag == NGX_ERROR)
                     ? ngx_group_value_string(r->pool, &text)
                     : ngx_group_value_boolean(r->pool, flag);
        } else {
            *value = ngx_group_value_string(r->pool, &text);

            if (*value) {
                (*value)->type = dflt->field->type;
            }
        }

        return (*value == NULL) ? NGX_ERROR : NGX_OK;
    }

    *value = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);
    if (*value == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < dflt->values.nelts; i++) {

        if (ngx_http_complex_value(r, &cv[i], &text) != NGX_OK) {
            return NGX_ERROR;
        }

        if (text.len == 0) {
            continue;
        }

        item = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
        id = ngx_group_value_string(r->pool, &text);

        if (item == NULL || id == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(item, &ngx_http_group_id, id);
        ngx_group_value_push(*value, item);
    }

    return (*value)->n ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_group_boolean(ngx_str_t *text)
{
    if (ngx_group_str_is(text, "true") || ngx_group_str_is(text, "on")
        || ngx_group_str_is(text, "1"))
    {
        return 1;
    }

    if (ngx_group_str_is(text, "false") || ngx_group_str_is(text, "off")
        || ngx_group_str_is(text, "0"))
    {
        return 0;
    }

    return NGX_ERROR;
}


/* what the configuration says of all groups, for answers that lack it */

ngx_int_t
ngx_http_group_given(ngx_http_group_loc_conf_t *glcf, ngx_group_plan_t *plan)
{
    ngx_str_t                 *name;
    ngx_uint_t                 i;
    ngx_http_group_default_t  *dflt;

    if (glcf->defaults == NULL) {
        return NGX_OK;
    }

    plan->given = ngx_array_create(plan->pool, glcf->defaults->nelts,
                                   sizeof(ngx_str_t));
    if (plan->given == NULL) {
        return NGX_ERROR;
    }

    dflt = glcf->defaults->elts;

    for (i = 0; i < glcf->defaults->nelts; i++) {
        name = ngx_array_push(plan->given);
        if (name == NULL) {
            return NGX_ERROR;
        }

        *name = dflt[i].field->name;
    }

    return NGX_OK;
}
