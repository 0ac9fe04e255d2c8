
/*
 * Answers from the upstream's dialect to the client's.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_translate.h"


static ngx_int_t ngx_http_group_derive(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *group);
static ngx_int_t ngx_http_group_page(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *list);


static ngx_str_t  ngx_http_group_members = ngx_string("members");
static ngx_str_t  ngx_http_group_count = ngx_string("member_count");
static ngx_str_t  ngx_http_group_items = ngx_string("items");
static ngx_str_t  ngx_http_group_next = ngx_string("next");


/*
 * The canonical answer: what the upstream says, and where the client's dialect
 * requires more, or the upstream just does not repeat it, what the request
 * said.
 */

ngx_int_t
ngx_http_group_complete(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *answer)
{
    ngx_str_t          *lost, key;
    ngx_uint_t          i, operation;
    ngx_group_value_t  *v, *next, *base, *items;

    operation = ctx->op->operation;

    if (ngx_group_operation_response_of(operation)
        != ngx_group_operation_request_of(operation))
    {
        ctx->result = answer;

        items = ngx_group_value_get(answer, &ngx_http_group_items);

        if (items && operation == NGX_GROUP_GROUP_LIST) {
            for (v = items->u.items.first; v; v = v->next) {
                if (ngx_http_group_derive(r, ctx, v) != NGX_OK) {
                    return NGX_ERROR;
                }
            }
        }

        return ngx_http_group_page(r, ctx, answer);
    }

    base = ngx_group_value_copy(r->pool, ctx->doc);
    if (base == NULL) {
        return NGX_ERROR;
    }

    lost = ctx->lost.elts;

    for (i = 0; i < ctx->lost.nelts; i++) {
        if (ctx->op->response
            && !ngx_group_shape_requires(ctx->op->response, &lost[i]))
        {
            ngx_group_value_unset(base, &lost[i]);
        }
    }

    for (v = answer->u.items.first; v; v = next) {
        next = v->next;
        v->next = NULL;
        key = v->key;
        ngx_group_value_set(base, &key, v);
    }

    ctx->result = base;

    if (ngx_group_operation_request_of(operation) != NGX_GROUP_OF_GROUP) {
        return NGX_OK;
    }

    /* a group that was just made has no members but those it was made with */

    if (operation == NGX_GROUP_GROUP_CREATE
        && ngx_group_value_get(base, &ngx_http_group_members) == NULL)
    {
        v = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(base, &ngx_http_group_members, v);
    }

    return ngx_http_group_derive(r, ctx, base);
}


/* what follows from the rest, and what the configuration says of all groups */

static ngx_int_t
ngx_http_group_derive(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *group)
{
    ngx_array_t        *fields;
    ngx_group_value_t  *members, *count;

    members = ngx_group_value_get(group, &ngx_http_group_members);

    if (members && members->type == NGX_GROUP_ARRAY
        && ngx_group_value_get(group, &ngx_http_group_count) == NULL)
    {
        count = ngx_group_value_integer(r->pool, members->u.items.n);
        if (count == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(group, &ngx_http_group_count, count);
    }

    fields = ngx_group_shape(ctx->op->response,
                                  ctx->op->operation == NGX_GROUP_GROUP_LIST);

    return fields ? ngx_http_group_fill_answer(r, fields, group) : NGX_OK;
}


/* where a page is among the others, for dialects that link them */

static ngx_int_t
ngx_http_group_page(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *list)
{
    u_char             *p;
    ngx_str_t           key, text;
    ngx_uint_t          i;
    ngx_array_t        *query;
    ngx_group_op_t     *op;
    ngx_group_field_t  *field;
    ngx_group_value_t  *v, *next, *items, *value;

    static ngx_str_t    total = ngx_string("total");
    static ngx_str_t    link_self = ngx_string("link_self");
    static ngx_str_t    link_first = ngx_string("link_first");
    static ngx_str_t    link_next = ngx_string("link_next");

    op = ctx->plan->upstream->ops[ctx->op->operation];
    next = ngx_group_value_get(list, &ngx_http_group_next);
    items = ngx_group_value_get(list, &ngx_http_group_items);

    /* what was asked for is told again where the dialect does so */

    for (v = ctx->query->u.items.first; v; v = v->next) {
        if (ngx_group_value_get(list, &v->key) == NULL) {
            value = ngx_group_value_copy(r->pool, v);
            if (value == NULL) {
                return NGX_ERROR;
            }

            key = v->key;
            ngx_group_value_set(list, &key, value);
        }
    }

    /* one page that is all there is has been counted */

    if (next == NULL && items && items->type == NGX_GROUP_ARRAY
        && ctx->query->u.items.n == 0
        && (op == NULL || op->query == NULL
            || ngx_group_shape_find(op->response, &ngx_http_group_next))
        && ngx_group_value_get(list, &total) == NULL)
    {
        value = ngx_group_value_integer(r->pool, items->u.items.n);
        if (value == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(list, &total, value);
    }

    if (ngx_group_value_get(list, &link_self)) {
        return NGX_OK;
    }

    value = ngx_group_value_string(r->pool, &r->unparsed_uri);
    if (value == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(list, &link_self, value);

    value = ngx_group_value_string(r->pool, &r->uri);
    if (value == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(list, &link_first, value);

    query = ctx->op->query;

    if (next == NULL || next->type != NGX_GROUP_STRING || query == NULL) {
        return NGX_OK;
    }

    field = query->elts;

    for (i = 0; i < query->nelts; i++) {

        if (!ngx_group_str_is(&field[i].path, "cursor")) {
            continue;
        }

        p = ngx_pnalloc(r->pool, r->uri.len + field[i].name.len
                                 + 3 * next->u.text.len + 2);
        if (p == NULL) {
            return NGX_ERROR;
        }

        text.data = p;
        p = ngx_sprintf(p, "%V?%V=", &r->uri, &field[i].name);
        p = (u_char *) ngx_escape_uri(p, next->u.text.data, next->u.text.len,
                                      NGX_ESCAPE_URI_COMPONENT);
        text.len = p - text.data;

        value = ngx_group_value_string(r->pool, &text);
        if (value == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(list, &link_next, value);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_group_encode_answer(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_answer_t *answer)
{
    ngx_group_value_t          *body;
    ngx_group_translation_t     t;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    ngx_memzero(answer, sizeof(ngx_group_answer_t));

    answer->status = ctx->op->status;

    if (ctx->op->response == NULL || answer->status == NGX_HTTP_NO_CONTENT) {
        return NGX_OK;
    }

    /* the upstream's own bytes, when nobody had a reason to touch them */

    if (glcf->upstream_dialect == glcf->dialect
        && !(ctx->run && ctx->changed))
    {
        answer->body = ctx->call->answer;
        answer->media_type = ctx->call->answer_type;
        return NGX_OK;
    }

    answer->media_type = glcf->dialect->media_type;

    t = ctx->client;
    t.request = 0;

    body = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);

    if (body == NULL
        || ngx_group_encode(&t, ctx->op->response, ctx->result, body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_group_declined(ctx) != NGX_OK) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_BAD_GATEWAY, "answer",
                            "the upstream's answer lacks what the client's "
                            "API requires");
        return NGX_DECLINED;
    }

    return ngx_group_write(r->pool, glcf->dialect->format, body,
                           &answer->body);
}
