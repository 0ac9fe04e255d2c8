
#include "ngx_http_group_module.h"


typedef ngx_int_t (*ngx_http_group_variable_pt)(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);


static ngx_int_t ngx_http_group_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static ngx_int_t ngx_http_group_variable_operation(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_dialect(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_upstream(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_principal(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_scopes(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_outcome(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_error(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_id(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_name(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_lost(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_calls(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_time(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_field(ngx_http_group_ctx_t *ctx,
    char *name, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_join(ngx_pool_t *pool,
    ngx_array_t *list, ngx_str_t *value);
static ngx_int_t ngx_http_group_variable_number(ngx_pool_t *pool, char *fmt,
    ngx_uint_t n, ngx_uint_t part, ngx_str_t *value);


typedef struct {
    ngx_str_t                   name;
    ngx_http_group_variable_pt  handler;
} ngx_http_group_variable_t;


static ngx_http_group_variable_t  ngx_http_group_variables[] = {
    { ngx_string("group_operation"), ngx_http_group_variable_operation },
    { ngx_string("group_dialect"), ngx_http_group_variable_dialect },
    { ngx_string("group_upstream_dialect"), ngx_http_group_variable_upstream },
    { ngx_string("group_principal"), ngx_http_group_variable_principal },
    { ngx_string("group_scopes"), ngx_http_group_variable_scopes },
    { ngx_string("group_outcome"), ngx_http_group_variable_outcome },
    { ngx_string("group_error"), ngx_http_group_variable_error },
    { ngx_string("group_id"), ngx_http_group_variable_id },
    { ngx_string("group_name"), ngx_http_group_variable_name },
    { ngx_string("group_lost"), ngx_http_group_variable_lost },
    { ngx_string("group_calls"), ngx_http_group_variable_calls },
    { ngx_string("group_policy_time"), ngx_http_group_variable_time },
    { ngx_null_string, NULL }
};


/* all are of the client's request, in the subrequests that it makes too */

static ngx_int_t
ngx_http_group_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_int_t                   rc;
    ngx_str_t                   value;
    ngx_http_group_ctx_t       *ctx;
    ngx_http_group_variable_t  *var;

    var = (ngx_http_group_variable_t *) data;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_group_module);

    ngx_str_null(&value);

    if (ctx) {
        rc = var->handler(r->main, ctx, &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    v->len = value.len;
    v->data = value.data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = (value.len == 0);

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_operation(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value)
{
    if (ctx->op) {
        *value = *ngx_group_operation_name(ctx->op->operation);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_dialect(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value)
{
    *value = ctx->client.dialect->name;

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_upstream(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value)
{
    *value = ctx->upstream.dialect->name;

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_principal(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value)
{
    if (ctx->principal) {
        *value = ctx->principal->id;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_scopes(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value)
{
    if (ctx->principal == NULL) {
        return NGX_OK;
    }

    return ngx_http_group_variable_join(r->pool, &ctx->principal->scopes,
                                        value);
}


static ngx_int_t
ngx_http_group_variable_outcome(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value)
{
    if (ctx->state == NGX_HTTP_GROUP_FINISHED) {
        *value = *ngx_group_outcome_name(ctx->error.outcome);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_error(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *value)
{
    ngx_group_problem_t  *problem;

    *value = ctx->error.detail;

    if (value->len == 0 && ctx->error.problems
        && ctx->error.problems->nelts)
    {
        problem = ctx->error.problems->elts;

        value->len = problem->field.len + 2 + problem->code.len;
        value->data = ngx_pnalloc(r->pool, value->len);
        if (value->data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(value->data, "%V: %V", &problem->field,
                           &problem->code);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_id(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_str_t *value)
{
    ngx_uint_t  member;

    member = (ctx->op && ctx->op->operation >= NGX_GROUP_MEMBER_ADD);

    return ngx_http_group_variable_field(ctx, member ? "group_id" : "id",
                                         value);
}


static ngx_int_t
ngx_http_group_variable_name(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_str_t *value)
{
    return ngx_http_group_variable_field(ctx, "name", value);
}


static ngx_int_t
ngx_http_group_variable_lost(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_str_t *value)
{
    return ngx_http_group_variable_join(r->pool, &ctx->lost, value);
}


static ngx_int_t
ngx_http_group_variable_calls(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_str_t *value)
{
    return ngx_http_group_variable_number(r->pool, "%ui",
                                          (ctx->plan && !ctx->explain)
                                          ? ctx->plan->calls : 0,
                                          0, value);
}


/* seconds, as $request_time is, with microseconds */

static ngx_int_t
ngx_http_group_variable_time(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_str_t *value)
{
    ngx_uint_t  us;

    if (ctx->run == NULL) {
        return NGX_OK;
    }

    us = ngx_group_policy_time(ctx->run);

    return ngx_http_group_variable_number(r->pool, "%ui.%06ui", us / 1000000,
                                          us % 1000000, value);
}


static ngx_int_t
ngx_http_group_variable_field(ngx_http_group_ctx_t *ctx, char *name,
    ngx_str_t *value)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    v = ngx_group_value_get(ctx->result, &key);

    if (v == NULL) {
        v = ngx_group_value_get(ctx->doc, &key);
    }

    if (v && v->type == NGX_GROUP_STRING) {
        *value = v->u.text;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_join(ngx_pool_t *pool, ngx_array_t *list,
    ngx_str_t *value)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *s;
    ngx_uint_t   i;

    s = list->elts;
    len = 0;

    for (i = 0; i < list->nelts; i++) {
        len += s[i].len + 1;
    }

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    for (i = 0; i < list->nelts; i++) {
        p = ngx_sprintf(p, "%s%V", i ? " " : "", &s[i]);
    }

    value->len = p - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_variable_number(ngx_pool_t *pool, char *fmt, ngx_uint_t n,
    ngx_uint_t part, ngx_str_t *value)
{
    value->data = ngx_pnalloc(pool, 2 * NGX_INT_T_LEN + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, fmt, n, part) - value->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_group_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t        *var;
    ngx_http_group_variable_t  *v;

    for (v = ngx_http_group_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_group_variable;
        var->data = (uintptr_t) v;
    }

    return NGX_OK;
}
