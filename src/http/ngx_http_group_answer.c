
/*
 * Answers from the upstream's dialect to the client's.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_translate.h"


static ngx_int_t ngx_http_group_answer_failed(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_answer_error(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_bad_gateway(ngx_http_group_ctx_t *ctx,
    char *code, char *detail);
static ngx_int_t ngx_http_group_answer_tree(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t **tree);
static ngx_int_t ngx_http_group_answer_as_is(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *tree);
static ngx_uint_t ngx_http_group_answer_success(ngx_group_op_t *op,
    ngx_uint_t status);
static ngx_int_t ngx_http_group_complete(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *answer);
static ngx_int_t ngx_http_group_derive(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *group);
static ngx_int_t ngx_http_group_page(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *list);
static ngx_int_t ngx_http_group_text(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_str_t *text);


static ngx_str_t  ngx_http_group_members = ngx_string("members");
static ngx_str_t  ngx_http_group_count = ngx_string("member_count");
static ngx_str_t  ngx_http_group_items = ngx_string("items");
static ngx_str_t  ngx_http_group_next = ngx_string("next");


ngx_int_t
ngx_http_group_decode_answer(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_group_value_t       *tree, *answer;
    ngx_http_group_call_t   *call;
    ngx_group_translation_t  t;

    call = ctx->call;

    if (call->too_large || call->encoded || !call->complete
        || call->status == 0)
    {
        return ngx_http_group_answer_failed(r, ctx);
    }

    if (!ngx_http_group_answer_success(ctx->upstream_op, call->status)) {
        return ngx_http_group_answer_error(r, ctx);
    }

    answer = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    if (answer == NULL) {
        return NGX_ERROR;
    }

    if (ctx->upstream_op->response && call->status != NGX_HTTP_NO_CONTENT) {

        rc = ngx_http_group_answer_tree(r, ctx, &tree);
        if (rc != NGX_OK) {
            return rc;
        }

        t = ctx->upstream;
        t.request = 0;
        t.text = (t.dialect->format == NGX_GROUP_FORMAT_XML);

        if (ngx_group_decode(&t, ctx->upstream_op->response, tree, answer)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_http_group_declined(ctx) != NGX_OK) {
            return ngx_http_group_bad_gateway(ctx, "answer",
                                   "the upstream's answer is not as its API "
                                   "says");
        }
    }

    return ngx_http_group_complete(r, ctx, answer);
}


/* no answer, or none that is whole */

static ngx_int_t
ngx_http_group_answer_failed(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_http_group_call_t  *call;

    call = ctx->call;

    if (call->too_large) {
        return ngx_http_group_bad_gateway(ctx, "too_large",
                                          "the upstream's answer is larger "
                                          "than group_response_buffer_size");
    }

    if (call->status && call->encoded) {
        return ngx_http_group_bad_gateway(ctx, "encoding",
                                          "the upstream's answer is encoded, "
                                          "which nobody asked for");
    }

    if (call->status) {
        return ngx_http_group_bad_gateway(ctx, "incomplete",
                                          "the upstream's answer broke off");
    }

    if (!call->upstream) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_INTERNAL, "upstream",
                            "the location has no upstream, is there a "
                            "\"proxy_pass\"?");
        return NGX_DECLINED;
    }

    /* proxy_intercept_errors, or what nginx says of an upstream itself */

    switch (call->rc) {

    case NGX_HTTP_GATEWAY_TIME_OUT:
        ngx_group_error_set(&ctx->error, NGX_GROUP_TIMEOUT, "upstream",
                            "the upstream did not answer in time");
        return NGX_DECLINED;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        ngx_group_error_set(&ctx->error, NGX_GROUP_UNAVAILABLE, "upstream",
                            "the upstream is unavailable");
        return NGX_DECLINED;

    default:

        if (call->rc >= NGX_HTTP_BAD_REQUEST
            && call->rc < NGX_HTTP_INTERNAL_SERVER_ERROR)
        {
            call->status = call->rc;
            return ngx_http_group_answer_error(r, ctx);
        }

        return ngx_http_group_bad_gateway(ctx, "upstream",
                                          "the upstream gave no answer");
    }
}


static ngx_int_t
ngx_http_group_bad_gateway(ngx_http_group_ctx_t *ctx, char *code,
    char *detail)
{
    ngx_group_error_set(&ctx->error, NGX_GROUP_BAD_GATEWAY, code, detail);

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_group_answer_success(ngx_group_op_t *op, ngx_uint_t status)
{
    ngx_uint_t  i, *accept;

    if (status == op->status) {
        return 1;
    }

    accept = op->accept.elts;

    for (i = 0; i < op->accept.nelts; i++) {
        if (status == accept[i]) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_group_answer_tree(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t **tree)
{
    ngx_int_t                   rc;
    ngx_str_t                   why;
    ngx_group_limits_t          limits;
    ngx_group_dialect_t        *dialect;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);
    dialect = glcf->upstream_dialect;

    if (ctx->call->answer.len == 0) {
        return ngx_http_group_bad_gateway(ctx, "empty",
                                          "the upstream's answer is empty");
    }

    if (ngx_group_media_type(dialect, &ctx->call->answer_type) != NGX_OK) {
        return ngx_http_group_bad_gateway(ctx, "content_type",
                                          "the upstream's answer is of another "
                                          "media type than its API's");
    }

    limits.max_depth = glcf->max_depth;
    limits.max_items = glcf->max_members;

    rc = ngx_group_read(r->pool, dialect->format, &limits, &ctx->call->answer,
                        tree, &why);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED || (*tree)->type != NGX_GROUP_OBJECT) {

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "upstream sent a malformed answer: %V", &why);
        }

        return ngx_http_group_bad_gateway(ctx, "malformed",
                                          "the upstream's answer is "
                                          "malformed");
    }

    return NGX_OK;
}


/* an upstream's error, in the same words when the dialects are the same */

static ngx_int_t
ngx_http_group_answer_error(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   why, *type;
    ngx_group_value_t          *tree;
    ngx_group_limits_t          limits;
    ngx_group_dialect_t        *dialect;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);
    dialect = glcf->upstream_dialect;

    tree = NULL;
    type = &ctx->call->answer_type;

    limits.max_depth = glcf->max_depth;
    limits.max_items = glcf->max_members;

    if (ctx->call->answer.len == 0) {
        /* a status says enough */

    } else if (ngx_group_media_type(dialect, type) == NGX_OK) {

        rc = ngx_group_read(r->pool, dialect->format, &limits,
                            &ctx->call->answer, &tree, &why);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            tree = NULL;
        }

    } else if (type->len >= sizeof("text/plain") - 1
               && ngx_strncasecmp(type->data, (u_char *) "text/plain",
                                  sizeof("text/plain") - 1)
                  == 0)
    {
        tree = ngx_group_value_string(r->pool, &ctx->call->answer);
        if (tree == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_group_error_read(r->pool, dialect, ctx->call->status, tree,
                             &ctx->error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_group_answer_as_is(r, ctx, tree);
}


/* what a client's dialect can say more exactly than a status */

static ngx_int_t
ngx_http_group_answer_as_is(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *tree)
{
    ngx_str_t                   name;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (ctx->error.outcome == NGX_GROUP_NOT_FOUND && ctx->path_id.len) {
        ngx_str_set(&ctx->error.code, "group");
        ctx->error.subject = ctx->path_id;
    }

    if (ctx->error.outcome == NGX_GROUP_CONFLICT
        && ctx->op->operation <= NGX_GROUP_GROUP_DELETE)
    {
        if (ngx_http_group_text(r->pool, ctx->doc, "name", &name) == NGX_OK) {
            ngx_str_set(&ctx->error.code, "name");
            ctx->error.subject = name;
        }
    }

    if (tree && ctx->call->status < NGX_HTTP_INTERNAL_SERVER_ERROR
        && ctx->call->status != NGX_HTTP_UNAUTHORIZED
        && ctx->call->status >= NGX_HTTP_BAD_REQUEST
        && glcf->upstream_dialect == glcf->dialect && ctx->run == NULL)
    {
        ctx->as_is = 1;
    }

    return NGX_DECLINED;
}


/*
 * The canonical answer: what the upstream says, and where the client's dialect
 * requires more, or the upstream just does not repeat it, what the request
 * said.
 */

static ngx_int_t
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
    ngx_group_field_t  *field;
    ngx_group_value_t  *v, *next, *items, *value;

    static ngx_str_t    total = ngx_string("total");
    static ngx_str_t    link_self = ngx_string("link_self");
    static ngx_str_t    link_first = ngx_string("link_first");
    static ngx_str_t    link_next = ngx_string("link_next");

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
        && ctx->query->u.items.n == 0 && ctx->upstream_op->response
        && (ctx->upstream_op->query == NULL
            || ngx_group_shape_find(ctx->upstream_op->response,
                                      &ngx_http_group_next))
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
ngx_http_group_lost(ngx_pool_t *pool, ngx_http_group_ctx_t *ctx)
{
    ngx_array_t   none;
    ngx_array_t  *fields;

    fields = ctx->upstream_op->request;

    if (fields == NULL) {
        ngx_memzero(&none, sizeof(ngx_array_t));
        fields = &none;
    }

    return ngx_group_encode_lost(pool, fields, ctx->doc, &ctx->lost);
}


ngx_int_t
ngx_http_group_answerable(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t                  i, list, created;
    ngx_array_t                *fields, *given;
    ngx_group_field_t          *field;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    list = (ctx->op->operation == NGX_GROUP_GROUP_LIST
            || ctx->op->operation == NGX_GROUP_MEMBER_LIST);
    created = (ctx->op->operation == NGX_GROUP_GROUP_CREATE);

    fields = ngx_group_shape(ctx->op->response, list);
    given = ngx_group_shape(ctx->upstream_op->response, list);

    if (fields == NULL) {
        return NGX_OK;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (!field[i].required || field[i].preset || field[i].constant
            || field[i].nfrom == 0)
        {
            continue;
        }

        if ((given && ngx_group_shape_find(given, &field[i].from[0]))
            || (!list && ngx_group_value_get(ctx->doc, &field[i].from[0]))
            || ngx_http_group_default_of(glcf, &field[i].from[0]))
        {
            continue;
        }

        /* derived from members, and a new group's members are known */

        if (ngx_group_str_eq(&field[i].from[0], &ngx_http_group_count)
            && (created || (given && ngx_group_shape_find(given,
                                              &ngx_http_group_members))))
        {
            continue;
        }

        return ngx_http_group_not_supported_field(r, ctx, &field[i].path);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_text(ngx_pool_t *pool, ngx_group_value_t *object, char *name,
    ngx_str_t *text)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    v = ngx_group_value_get(object, &key);

    if (v == NULL || v->type != NGX_GROUP_STRING) {
        return NGX_DECLINED;
    }

    *text = v->u.text;

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
        return ngx_http_group_bad_gateway(ctx, "answer",
                                   "the upstream's answer lacks what the "
                                   "client's API requires");
    }

    return ngx_group_write(r->pool, glcf->dialect->format, body,
                           &answer->body);
}
