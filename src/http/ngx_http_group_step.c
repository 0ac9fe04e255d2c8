
/*
 * One step of a plan: a canonical request to a call, and a call's answer to a
 * canonical one.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_translate.h"


static ngx_int_t ngx_http_group_step_body(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_translation_t *t);
static ngx_int_t ngx_http_group_step_query(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_translation_t *t);
static ngx_int_t ngx_http_group_keep_unknown(ngx_pool_t *pool,
    ngx_array_t *fields, ngx_group_value_t *from, ngx_group_value_t *to);
static ngx_int_t ngx_http_group_answer_error(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step);
static ngx_int_t ngx_http_group_bad_gateway(ngx_group_step_t *step,
    char *code, char *detail);
static ngx_uint_t ngx_http_group_answer_success(ngx_group_op_t *op,
    ngx_uint_t status);
static ngx_int_t ngx_http_group_answer_tree(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_value_t **tree);
static ngx_uint_t ngx_http_group_answer_plain(ngx_group_dialect_t *dialect);
static void ngx_http_group_answer_subject(ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step);


ngx_int_t
ngx_http_group_step_encode(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step)
{
    ngx_int_t                   rc;
    ngx_http_group_call_t      *call;
    ngx_group_translation_t     t;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_group_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    step->call = call;

    call->method = step->op->method;
    call->limit = glcf->response_buffer_size;
    call->media_type = glcf->upstream_dialect->media_type;
    call->accept = glcf->upstream_dialect->media_type;
    call->proxied = ctx->proxied;

    t = ctx->upstream;
    t.error = &step->error;

    rc = ngx_group_match_build(&t, step->op, step->doc, &call->path,
                               &call->uri);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* what the body lacks is told together with what the path lacks */

    if (ngx_http_group_step_body(r, ctx, step, &t) != NGX_OK
        || ngx_http_group_step_query(r, ctx, step, &t) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (step->error.outcome != NGX_GROUP_DONE) {
        return NGX_DECLINED;
    }

    return ngx_http_group_sign(r, ctx, call);
}


static ngx_int_t
ngx_http_group_step_body(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step, ngx_group_translation_t *t)
{
    ngx_uint_t                  same;
    ngx_group_value_t          *body;
    ngx_group_rebase_t          rebase;
    ngx_http_group_call_t      *call;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (step->op->request == NULL && !step->op->patch) {
        return NGX_OK;
    }

    call = step->call;
    same = (step->main && step->op == ctx->op);

    /* what was checked is what is sent, with the fields that nobody knows */

    if (same && (!ctx->changed || step->op->patch)) {

        if (ctx->moved && step->op->request) {
            rebase.pool = t->pool;
            rebase.from = ctx->client.base_path;
            rebase.to = t->base_path;
            rebase.links = t->base_path;
            rebase.origin = t->origin;

            if (ngx_group_rebase(&rebase, step->op->request, ctx->tree)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        return ngx_group_write(t->pool, glcf->dialect->format, ctx->tree,
                               &call->body);
    }

    if (!same && step->op->operation == NGX_GROUP_GROUP_REPLACE
        && ngx_http_group_fill_answer(r, step->op->request, step->doc)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    body = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);

    if (body == NULL
        || ngx_group_encode(t, step->op->request, step->doc, body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (same && ctx->tree
        && ngx_http_group_keep_unknown(t->pool, step->op->request, ctx->tree,
                                       body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (step->error.outcome != NGX_GROUP_DONE) {
        return NGX_OK;
    }

    return ngx_group_write(t->pool, glcf->upstream_dialect->format, body,
                           &call->body);
}


/*
 * Which of the upstream's parameters a query is.  What cannot be asked is not
 * left out: the answer would be another one.
 */

static ngx_int_t
ngx_http_group_step_query(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step, ngx_group_translation_t *t)
{
    u_char                     *p;
    ngx_group_value_t          *v, *query;
    ngx_group_translation_t     q;
    ngx_http_group_call_t      *call;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    call = step->call;

    if (step->query == NULL) {
        return NGX_OK;
    }

    if (glcf->upstream_dialect == glcf->dialect && step->main
        && !ctx->changed)
    {
        if (ctx->args == NULL) {
            return NGX_OK;
        }

        return ngx_group_query_write(r->pool, ctx->args, &call->args);
    }

    for (v = step->query->u.items.first; v; v = v->next) {

        if (ngx_group_shape_find(step->op->query, &v->key)) {
            continue;
        }

        ngx_group_error_set(&step->error, NGX_GROUP_NOT_SUPPORTED, "query",
                            "");

        p = ngx_pnalloc(r->pool, sizeof("the upstream API \"\" cannot be asked "
                                        "for \"\"")
                                 + glcf->upstream_dialect->name.len
                                 + v->key.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        step->error.detail.data = p;
        step->error.detail.len = ngx_sprintf(p, "the upstream API \"%V\" "
                                             "cannot be asked for \"%V\"",
                                             &glcf->upstream_dialect->name,
                                             &v->key)
                                 - p;

        return NGX_OK;
    }

    if (step->op->query == NULL) {
        return NGX_OK;
    }

    query = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    if (query == NULL) {
        return NGX_ERROR;
    }

    q = *t;
    q.text = 1;
    q.query = 1;

    if (ngx_group_encode(&q, step->op->query, step->query, query) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_group_query_write(r->pool, query, &call->args);
}


/* fields that the dialect does not know, of the object and of its wrappers */

static ngx_int_t
ngx_http_group_keep_unknown(ngx_pool_t *pool, ngx_array_t *fields,
    ngx_group_value_t *from, ngx_group_value_t *to)
{
    ngx_uint_t          i;
    ngx_group_field_t  *field;
    ngx_group_value_t  *v, *copy, *inner;

    field = fields->elts;

    for (v = from->u.items.first; v; v = v->next) {

        for (i = 0; i < fields->nelts; i++) {
            if (ngx_group_str_eq(&field[i].name, &v->key)) {
                break;
            }
        }

        if (i == fields->nelts) {
            copy = ngx_group_value_copy(pool, v);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            copy->key = v->key;
            ngx_group_value_push(to, copy);
            continue;
        }

        inner = ngx_group_value_get(to, &v->key);

        if (field[i].nfrom == 0 && field[i].fields && inner
            && inner->type == NGX_GROUP_OBJECT && v->type == NGX_GROUP_OBJECT
            && ngx_http_group_keep_unknown(pool, field[i].fields, v, inner)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_group_sign(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_http_group_call_t *call)
{
    ngx_group_header_t         *header;
    ngx_group_auth_request_t    request;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (glcf->signer == NULL) {
        return NGX_OK;
    }

    ngx_memzero(&request, sizeof(ngx_group_auth_request_t));

    request.method = call->method;
    request.uri = call->uri;
    request.unparsed_path = call->path;
    request.args = call->args;
    request.now = ngx_time();

    request.headers = ngx_array_create(r->pool, 2, sizeof(ngx_group_header_t));
    call->headers = ngx_array_create(r->pool, 3, sizeof(ngx_group_header_t));

    if (request.headers == NULL || call->headers == NULL) {
        return NGX_ERROR;
    }

    header = ngx_array_push_n(request.headers, call->body.len ? 2 : 1);
    if (header == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&header[0].name, "host");
    header[0].value = ctx->upstream_host;

    if (call->body.len) {
        ngx_str_set(&header[1].name, "content-type");
        header[1].value = call->media_type;
    }

    if (glcf->signer->type == NGX_GROUP_AUTH_SIGV4
        && ngx_group_sha256(&call->body, request.body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_group_auth_sign(r->pool, glcf->signer, &request,
                               call->headers);
}


ngx_int_t
ngx_http_group_step_decode(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step)
{
    ngx_int_t                rc;
    ngx_group_value_t       *tree, *answer;
    ngx_http_group_call_t   *call;
    ngx_group_translation_t  t;

    call = step->call;

    if (call->too_large || call->lost || call->encoded || !call->complete
        || call->status == 0)
    {
        return ngx_http_group_answer_failed(r, ctx, step);
    }

    if (!ngx_http_group_answer_success(step->op, call->status)) {
        return ngx_http_group_answer_error(r, ctx, step);
    }

    if (ngx_http_group_room(r, ctx, call->answer.len) != NGX_OK) {
        return NGX_ERROR;
    }

    answer = ngx_group_value_create(ctx->upstream.pool, NGX_GROUP_OBJECT);
    if (answer == NULL) {
        return NGX_ERROR;
    }

    if (step->op->response && call->status != NGX_HTTP_NO_CONTENT) {

        rc = ngx_http_group_answer_tree(r, ctx, step, &tree);
        if (rc != NGX_OK) {
            return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
        }

        if (ctx->moved && step->main && ngx_group_rebases(step->op->response))
        {
            call->tree = tree;
        }

        t = ctx->upstream;
        t.error = &step->error;
        t.request = 0;
        t.text = (t.dialect->format == NGX_GROUP_FORMAT_XML);

        if (ngx_group_decode(&t, step->op->response, tree, answer) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (step->error.outcome != NGX_GROUP_DONE) {
            (void) ngx_http_group_bad_gateway(step, "answer",
                                   "the upstream's answer is not as its API "
                                   "says");
            return NGX_OK;
        }
    }

    step->answer = answer;

    return NGX_OK;
}


/* no answer, or none that is whole */

ngx_int_t
ngx_http_group_answer_failed(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step)
{
    ngx_http_group_call_t  *call;

    call = step->call;

    if (call->lost) {
        ngx_group_error_set(&step->error, NGX_GROUP_INTERNAL, "memory",
                            "there is no memory for this");
        return NGX_OK;
    }

    if (call->too_large) {
        return ngx_http_group_bad_gateway(step, "too_large",
                                          "the upstream's answer is larger "
                                          "than group_response_buffer_size");
    }

    if (call->status && call->encoded) {
        return ngx_http_group_bad_gateway(step, "encoding",
                                          "the upstream's answer is encoded, "
                                          "which nobody asked for");
    }

    if (call->status) {
        return ngx_http_group_bad_gateway(step, "incomplete",
                                          "the upstream's answer broke off");
    }

    if (!call->upstream) {
        ngx_group_error_set(&step->error, NGX_GROUP_INTERNAL, "upstream",
                            "the location has no upstream, is there a "
                            "\"proxy_pass\"?");
        return NGX_OK;
    }

    /* proxy_intercept_errors, or what nginx says of an upstream itself */

    switch (call->rc) {

    case NGX_HTTP_GATEWAY_TIME_OUT:
        ngx_group_error_set(&step->error, NGX_GROUP_TIMEOUT, "upstream",
                            "the upstream did not answer in time");
        return NGX_OK;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        ngx_group_error_set(&step->error, NGX_GROUP_UNAVAILABLE, "upstream",
                            "the upstream is unavailable");
        return NGX_OK;

    default:

        if (call->rc >= NGX_HTTP_BAD_REQUEST
            && call->rc < NGX_HTTP_INTERNAL_SERVER_ERROR)
        {
            call->status = call->rc;
            return ngx_http_group_answer_error(r, ctx, step);
        }

        return ngx_http_group_bad_gateway(step, "upstream",
                                          "the upstream gave no answer");
    }
}


/* always NGX_OK: the step has ended, and how is in its error */

static ngx_int_t
ngx_http_group_bad_gateway(ngx_group_step_t *step, char *code, char *detail)
{
    ngx_group_error_set(&step->error, NGX_GROUP_BAD_GATEWAY, code, detail);

    return NGX_OK;
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


/* NGX_OK, NGX_DECLINED with step->error set, or NGX_ERROR */

static ngx_int_t
ngx_http_group_answer_tree(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_value_t **tree)
{
    ngx_int_t                   rc;
    ngx_str_t                   why;
    ngx_group_limits_t          limits;
    ngx_group_dialect_t        *dialect;
    ngx_http_group_call_t      *call;
    ngx_http_group_loc_conf_t  *glcf;

    call = step->call;
    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);
    dialect = glcf->upstream_dialect;

    if (call->answer.len == 0) {
        (void) ngx_http_group_bad_gateway(step, "empty",
                                          "the upstream's answer is empty");
        return NGX_DECLINED;
    }

    if (ngx_group_media_type(dialect, &call->answer_type) != NGX_OK) {
        (void) ngx_http_group_bad_gateway(step, "content_type",
                                          "the upstream's answer is of another "
                                          "media type than its API's");
        return NGX_DECLINED;
    }

    limits.max_depth = glcf->max_depth;
    limits.max_items = glcf->max_members;

    rc = ngx_group_read(ctx->upstream.pool, dialect->format, &limits,
                        &call->answer, tree, &why);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED || (*tree)->type != NGX_GROUP_OBJECT) {

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "upstream sent a malformed answer: %V", &why);
        }

        (void) ngx_http_group_bad_gateway(step, "malformed",
                                          "the upstream's answer is "
                                          "malformed");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* what an upstream's error means */

static ngx_int_t
ngx_http_group_answer_error(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step)
{
    ngx_int_t                   rc;
    ngx_str_t                   why, *type;
    ngx_group_value_t          *tree;
    ngx_group_limits_t          limits;
    ngx_group_dialect_t        *dialect;
    ngx_http_group_call_t      *call;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);
    dialect = glcf->upstream_dialect;

    call = step->call;
    tree = NULL;
    type = &call->answer_type;

    limits.max_depth = glcf->max_depth;
    limits.max_items = glcf->max_members;

    if (call->answer.len == 0) {
        /* a status says enough */

    } else if (ngx_group_media_type(dialect, type) == NGX_OK) {

        rc = ngx_group_read(r->pool, dialect->format, &limits,
                            &call->answer, &tree, &why);

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
        tree = ngx_group_value_string(r->pool, &call->answer);
        if (tree == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_group_error_read(r->pool, dialect, call->status, tree,
                             &step->error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* plain text is a vendor's own only where its API has such errors */

    call->readable = (tree && (ngx_group_media_type(dialect, type) == NGX_OK
                               || ngx_http_group_answer_plain(dialect)));

    ngx_http_group_answer_subject(ctx, step);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_group_answer_plain(ngx_group_dialect_t *dialect)
{
    ngx_uint_t            i;
    ngx_group_variant_t  *v;

    v = dialect->variants.elts;

    for (i = 0; i < dialect->variants.nelts; i++) {
        if (v[i].format == NGX_GROUP_FORMAT_TEXT) {
            return 1;
        }
    }

    return 0;
}


/* what a client's dialect can say more exactly than a status */

static void
ngx_http_group_answer_subject(ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step)
{
    ngx_group_value_t  *name;

    static ngx_str_t    key = ngx_string("name");

    if (step->error.outcome == NGX_GROUP_NOT_FOUND && ctx->path_id.len) {
        ngx_str_set(&step->error.code, "group");
        step->error.subject = ctx->path_id;
    }

    if (step->error.outcome == NGX_GROUP_CONFLICT && step->main
        && ctx->op->operation <= NGX_GROUP_GROUP_DELETE)
    {
        name = ngx_group_value_get(ctx->doc, &key);

        if (name && name->type == NGX_GROUP_STRING) {
            ngx_str_set(&step->error.code, "name");
            step->error.subject = name->u.text;
        }
    }
}
