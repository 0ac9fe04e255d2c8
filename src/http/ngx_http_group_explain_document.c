
/*
 * The answer of group_explain: the document that tells what was noted, and the
 * answer that the client would have got.
 */


#include "ngx_http_group_explain.h"
#include "ngx_group_json.h"


static ngx_int_t ngx_http_group_explain_document(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer,
    ngx_group_value_t *doc);
static ngx_int_t ngx_http_group_explain_client(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *doc);
static ngx_int_t ngx_http_group_explain_constants(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_explain_refused(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *refused);
static char *ngx_http_group_explain_stage(ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_explain_failures(ngx_http_request_t *r,
    ngx_group_value_t *doc);
static ngx_int_t ngx_http_group_explain_written(ngx_pool_t *pool,
    ngx_group_answer_t *answer, ngx_group_value_t *object);


/* how an upstream may refuse, whatever it was asked */

static ngx_uint_t  ngx_http_group_explain_outcomes[] = {
    NGX_GROUP_NOT_FOUND,
    NGX_GROUP_CONFLICT,
    NGX_GROUP_INVALID,
    NGX_GROUP_FORBIDDEN,
    NGX_GROUP_RATE_LIMITED,
    NGX_GROUP_INTERNAL,
    NGX_GROUP_BAD_GATEWAY,
    NGX_GROUP_UNAVAILABLE,
    NGX_GROUP_TIMEOUT
};


ngx_int_t
ngx_http_group_explain_respond(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer)
{
    ngx_keyval_t        *header;
    ngx_group_value_t   *doc;
    ngx_group_answer_t   told;

    ctx->explain->told = 1;

    ngx_memzero(&told, sizeof(ngx_group_answer_t));

    told.status = NGX_HTTP_OK;
    ngx_str_set(&told.media_type, "application/json");

    doc = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    told.headers = ngx_array_create(r->pool, 1, sizeof(ngx_keyval_t));

    if (doc == NULL || told.headers == NULL || ctx->explain->failed) {
        return ngx_http_group_fail(r);
    }

    header = ngx_array_push(told.headers);
    if (header == NULL) {
        return ngx_http_group_fail(r);
    }

    ngx_str_set(&header->key, "Cache-Control");
    ngx_str_set(&header->value, "no-store");

    if (ngx_http_group_explain_document(r, ctx, answer, doc) != NGX_OK
        || ngx_http_group_explain_clean(r->pool, doc) != NGX_OK
        || ngx_group_json_encode(r->pool, doc, &told.body) != NGX_OK)
    {
        return ngx_http_group_fail(r);
    }

    return ngx_http_group_respond(r, ctx, &told);
}


static ngx_int_t
ngx_http_group_explain_document(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer,
    ngx_group_value_t *doc)
{
    ngx_uint_t                 refused;
    ngx_pool_t                *pool;
    ngx_group_value_t         *v;
    ngx_http_group_explain_t  *ex;

    pool = r->pool;
    ex = ctx->explain;
    refused = (ctx->error.outcome != NGX_GROUP_DONE);

    if (ngx_http_group_explain_client(r, ctx, doc) != NGX_OK
        || ngx_http_group_explain_constants(r, ctx) != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "canonical", ex->canonical)
           != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "query", ex->query) != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "hooks", ex->hooks) != NGX_OK
        || ngx_http_group_explain_list(pool, doc, "lost", &ctx->lost)
           != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "filled", ex->filled)
           != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "calls", ex->calls) != NGX_OK)
    {
        return NGX_ERROR;
    }

    v = ngx_http_group_explain_add(pool, doc, refused ? "refused" : "answer",
                                   NGX_GROUP_OBJECT);
    if (v == NULL) {
        return NGX_ERROR;
    }

    if (refused && ngx_http_group_explain_refused(r, ctx, v) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_group_explain_written(pool, answer, v) != NGX_OK) {
        return NGX_ERROR;
    }

    return (ex->ncalls && !refused)
           ? ngx_http_group_explain_failures(r, doc) : NGX_OK;
}


/* who asks, and for what */

static ngx_int_t
ngx_http_group_explain_client(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *doc)
{
    u_char                     *p;
    ngx_str_t                   path;
    ngx_pool_t                 *pool;
    ngx_group_value_t          *v, *scopes;
    ngx_group_principal_t      *principal;
    ngx_http_group_loc_conf_t  *glcf;

    pool = r->pool;
    principal = ctx->principal;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    v = ngx_http_group_explain_add(pool, doc, "request", NGX_GROUP_OBJECT);

    if (v == NULL
        || ngx_http_group_explain_text(pool, v, "method", &r->method_name)
           != NGX_OK
        || ngx_http_group_explain_text(pool, v, "uri", &r->unparsed_uri)
           != NGX_OK
        || ngx_http_group_explain_text(pool, doc, "dialect",
                                       &glcf->dialect->name)
           != NGX_OK
        || ngx_http_group_explain_text(pool, doc, "upstream_dialect",
                                       &glcf->upstream_dialect->name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->op) {

        if (ctx->op->operation < NGX_GROUP_OPERATIONS
            && ngx_http_group_explain_text(pool, doc, "operation",
                              ngx_group_operation_name(ctx->op->operation))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_pnalloc(pool, ctx->client.base_path.len
                              + ctx->op->search.len + ctx->op->pattern.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        path.data = p;
        path.len = ngx_sprintf(p, "%V%V", &ctx->client.base_path,
                               ctx->search ? &ctx->op->search
                                           : &ctx->op->pattern)
                   - p;

        if (ngx_http_group_explain_text(pool, doc, "template", &path)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* nobody was asked where this is null */

    v = ngx_http_group_explain_add(pool, doc, "principal",
                                   principal ? NGX_GROUP_STRING
                                             : NGX_GROUP_NULL);
    scopes = ngx_http_group_explain_add(pool, doc, "scopes",
                                        NGX_GROUP_OBJECT);

    if (v == NULL || scopes == NULL) {
        return NGX_ERROR;
    }

    if (principal) {
        v->u.text = principal->id;
    }

    if (ngx_http_group_explain_list(pool, scopes, "required",
                  ctx->op ? ngx_http_group_required_scopes(glcf, ctx->op)
                          : NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_group_explain_list(pool, scopes, "held",
                                       principal ? &principal->scopes : NULL);
}


/* what the upstream's dialect always writes, whatever was asked */

static ngx_int_t
ngx_http_group_explain_constants(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_group_op_t             *op;
    ngx_group_field_t          *field;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (ctx->explain->ncalls == 0 || glcf->dialect == glcf->upstream_dialect
        || ctx->op->operation >= NGX_GROUP_OPERATIONS)
    {
        return NGX_OK;
    }

    op = glcf->upstream_dialect->ops[ctx->op->operation];

    if (op == NULL || op->request == NULL) {
        return NGX_OK;
    }

    field = op->request->elts;

    for (i = 0; i < op->request->nelts; i++) {
        if (field[i].constant && !field[i].read_only
            && ngx_http_group_explain_note(ctx, r->pool, &field[i].name,
                                           "dialect", NULL)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_explain_refused(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *refused)
{
    ngx_uint_t            i;
    ngx_pool_t           *pool;
    ngx_group_value_t    *list, *item;
    ngx_group_problem_t  *problem;

    pool = r->pool;

    if (ngx_http_group_explain_literal(pool, refused, "stage",
                                       ngx_http_group_explain_stage(ctx))
        != NGX_OK
        || ngx_http_group_explain_text(pool, refused, "outcome",
                                 ngx_group_outcome_name(ctx->error.outcome))
           != NGX_OK
        || ngx_http_group_explain_text(pool, refused, "code",
                                       &ctx->error.code)
           != NGX_OK
        || ngx_http_group_explain_text(pool, refused, "detail",
                                       &ctx->error.detail)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->error.problems == NULL) {
        return NGX_OK;
    }

    list = ngx_http_group_explain_add(pool, refused, "problems",
                                      NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    problem = ctx->error.problems->elts;

    for (i = 0; i < ctx->error.problems->nelts; i++) {

        item = ngx_http_group_explain_add(pool, list, NULL, NGX_GROUP_OBJECT);

        if (item == NULL
            || ngx_http_group_explain_text(pool, item, "field",
                                           &problem[i].field)
               != NGX_OK
            || ngx_http_group_explain_text(pool, item, "code",
                                           &problem[i].code)
               != NGX_OK
            || (problem[i].detail.len
                && ngx_http_group_explain_text(pool, item, "detail",
                                               &problem[i].detail)
                   != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static char *
ngx_http_group_explain_stage(ngx_http_group_ctx_t *ctx)
{
    switch (ctx->state) {

    case NGX_HTTP_GROUP_MATCH:

        switch (ctx->error.outcome) {

        case NGX_GROUP_FORBIDDEN:
            return ctx->document ? "match" : "authorize";

        case NGX_GROUP_NOT_FOUND:
        case NGX_GROUP_METHOD_NOT_ALLOWED:
            return "match";

        case NGX_GROUP_INVALID:
            return "validate";

        default:
            return "decode";
        }

    case NGX_HTTP_GROUP_READ:
        return "read";

    case NGX_HTTP_GROUP_PREPARE:
        return (ctx->error.outcome == NGX_GROUP_INVALID) ? "validate"
                                                         : "decode";

    case NGX_HTTP_GROUP_POLICY:
        return "policy";

    case NGX_HTTP_GROUP_PLAN:
        return "plan";

    default:
        return "encode";
    }
}


/* the words are the client's dialect's; an upstream may have more to say */

static ngx_int_t
ngx_http_group_explain_failures(ngx_http_request_t *r, ngx_group_value_t *doc)
{
    ngx_uint_t           i, *outcome;
    ngx_group_error_t    error;
    ngx_group_value_t   *list, *item;
    ngx_group_answer_t   answer;

    list = ngx_http_group_explain_add(r->pool, doc, "failures",
                                      NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    outcome = ngx_http_group_explain_outcomes;

    for (i = 0; i < sizeof(ngx_http_group_explain_outcomes)
                    / sizeof(ngx_http_group_explain_outcomes[0]); i++)
    {
        ngx_group_error_set(&error, outcome[i], "upstream",
                            "{what the upstream says}");
        error.upstream = 1;

        item = ngx_http_group_explain_add(r->pool, list, NULL,
                                          NGX_GROUP_OBJECT);

        if (item == NULL
            || ngx_http_group_explain_text(r->pool, item, "outcome",
                                        ngx_group_outcome_name(outcome[i]))
               != NGX_OK
            || ngx_http_group_render(r, &error, &answer) != NGX_OK
            || ngx_http_group_explain_written(r->pool, &answer, item)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* an answer as the client would get it */

static ngx_int_t
ngx_http_group_explain_written(ngx_pool_t *pool, ngx_group_answer_t *answer,
    ngx_group_value_t *object)
{
    ngx_str_t           name;
    ngx_uint_t          i;
    ngx_keyval_t       *header;
    ngx_group_value_t  *headers, *v;

    if (ngx_http_group_explain_number(pool, object, "status", answer->status)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->media_type.len
        && ngx_http_group_explain_text(pool, object, "media_type",
                                       &answer->media_type)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->headers && answer->headers->nelts) {

        headers = ngx_http_group_explain_add(pool, object, "headers",
                                             NGX_GROUP_OBJECT);
        if (headers == NULL) {
            return NGX_ERROR;
        }

        header = answer->headers->elts;

        for (i = 0; i < answer->headers->nelts; i++) {
            v = ngx_group_value_string(pool, &header[i].value);
            if (v == NULL) {
                return NGX_ERROR;
            }

            name = header[i].key;
            ngx_group_value_set(headers, &name, v);
        }
    }

    return ngx_http_group_explain_body(pool, &answer->media_type,
                                       &answer->body, object);
}
