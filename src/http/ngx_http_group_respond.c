
#include "ngx_http_group_module.h"


static void ngx_http_group_log_error(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_uint_t status);
static ngx_int_t ngx_http_group_respond_headers(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer);
static ngx_int_t ngx_http_group_respond_lost(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_respond_passed(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_respond_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);


/*
 * Headers of an upstream's answer that are as true of ours.  Another vendor's
 * would only confuse the client, and these are nobody's.
 */

static ngx_str_t  ngx_http_group_passed[] = {
    ngx_string("retry-after"),
    ngx_string("traceparent"),
    ngx_string("tracestate"),
    ngx_string("x-request-id"),
    ngx_null_string
};


ngx_int_t
ngx_http_group_respond(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_answer_t *answer)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group respond: %ui body:%uz", answer->status,
                   answer->body.len);

    if (ngx_http_group_explains(ctx)) {
        return ngx_http_group_explain_respond(r, ctx, answer);
    }

    ctx->state = NGX_HTTP_GROUP_FINISHED;

    /* who waits to be told to continue need not send a body any more */

    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    /* what may fail comes before anything is sent */

    b = ngx_calloc_buf(r->pool);

    if (b == NULL
        || ngx_http_group_respond_headers(r, ctx, answer) != NGX_OK)
    {
        return ngx_http_group_fail(r);
    }

    ngx_http_group_count_request(ctx);

    ctx->answered = 1;

    /* If-Match and the like were not for what was done already */

    r->disable_not_modified = 1;

    r->headers_out.status = answer->status;
    r->headers_out.status_line.len = 0;

    /* nginx has no reason phrase for this one */

    if (answer->status == 422) {
        ngx_str_set(&r->headers_out.status_line, "422 Unprocessable Entity");
    }

    if (answer->body.len) {
        r->headers_out.content_type = answer->media_type;
        r->headers_out.content_type_len = answer->media_type.len;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (answer->status != NGX_HTTP_NO_CONTENT) {
        r->headers_out.content_length_n = answer->body.len;
    }

    if (answer->body.len == 0) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    b->pos = answer->body.data;
    b->last = b->pos + answer->body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));

    return NGX_DONE;
}


ngx_int_t
ngx_http_group_refuse(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_group_answer_t  answer;

    if (ctx->as_is) {
        ngx_memzero(&answer, sizeof(ngx_group_answer_t));

        answer.status = ctx->call->status;
        answer.media_type = ctx->call->answer_type;
        answer.body = ctx->call->answer;

        ngx_http_group_log_error(r, ctx, answer.status);

        return ngx_http_group_respond(r, ctx, &answer);
    }

    ngx_http_group_phase_begin(ctx);

    if (ngx_http_group_render(r, &ctx->error, &answer) != NGX_OK) {
        return ngx_http_group_fail(r);
    }

    ngx_http_group_phase_end(ctx, NGX_HTTP_GROUP_PHASE_ENCODE);

    ngx_http_group_log_error(r, ctx, answer.status);

    if (ngx_http_group_lets(r, ctx)) {
        ctx->let = 1;
        return NGX_DECLINED;
    }

    return ngx_http_group_respond(r, ctx, &answer);
}


ngx_int_t
ngx_http_group_render(ngx_http_request_t *r, ngx_group_error_t *error,
    ngx_group_answer_t *answer)
{
    u_char                     *p;
    ngx_group_error_context_t   context;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    ngx_memzero(&context, sizeof(ngx_group_error_context_t));

    context.method = r->method_name;
    context.path = r->unparsed_uri;

    p = ngx_strlchr(context.path.data, context.path.data + context.path.len,
                    '?');
    if (p) {
        context.path.len = p - context.path.data;
    }

    if (r->headers_in.content_type) {
        context.content_type = r->headers_in.content_type->value;
    }

    return ngx_group_error_render(r->pool, glcf->dialect, error, &context,
                                  answer);
}


ngx_int_t
ngx_http_group_fail(ngx_http_request_t *r)
{
    ngx_http_group_ctx_t  *ctx;

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "no memory for a group request");

    /* calls that are still under way come back to nobody */

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    if (ctx) {
        ctx->state = NGX_HTTP_GROUP_FINISHED;
    }

    ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    return NGX_DONE;
}


/* one line that says why; never a body, never a credential */

static void
ngx_http_group_log_error(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_uint_t status)
{
    u_char               *p, *last;
    ngx_str_t             operation;
    ngx_uint_t            level, i;
    ngx_group_error_t    *error;
    ngx_group_problem_t  *problem;
    u_char                text[NGX_HTTP_GROUP_LOG_TEXT];

    error = &ctx->error;

    level = (error->outcome >= NGX_GROUP_INTERNAL
             && error->outcome != NGX_GROUP_NOT_SUPPORTED)
            ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_str_set(&operation, "unknown");

    if (ctx->op) {
        operation = *ngx_group_operation_name(ctx->op->operation);
    }

    p = text;
    last = text + sizeof(text);

    p = ngx_http_group_log_text(p, last, &error->detail);

    /* which one it is stands in the configuration */

    if (ngx_group_str_is(&error->code, "scope")) {
        p = ngx_slprintf(p, last, ": \"%V\"", &error->subject);
    }

    if (error->problems) {
        problem = error->problems->elts;

        for (i = 0; i < error->problems->nelts; i++) {
            p = ngx_slprintf(p, last, "%s\"", p == text ? "" : ", ");
            p = ngx_http_group_log_text(p, last, &problem[i].field);
            p = ngx_slprintf(p, last, "\" ");
            p = ngx_http_group_log_text(p, last, &problem[i].code);
        }
    }

    ngx_log_error(level, r->connection->log, 0,
                  "group operation %V %s %ui: %V%s%V: %*s", &operation,
                  ngx_http_group_lets(r, ctx) ? "let through, not refused with"
                                              : "refused with",
                  status,
                  ngx_group_outcome_name(error->outcome),
                  error->code.len ? " " : "", &error->code,
                  (size_t) (p - text), text);
}


/* somebody else's text must not begin a line of our log */

u_char *
ngx_http_group_log_text(u_char *p, u_char *last, ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len && p < last; i++) {
        *p++ = (text->data[i] < 0x20 || text->data[i] == 0x7f)
               ? ' ' : text->data[i];
    }

    return p;
}


static ngx_int_t
ngx_http_group_respond_headers(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer)
{
    ngx_uint_t     i;
    ngx_keyval_t  *kv;

    if (answer->headers) {
        kv = answer->headers->elts;

        for (i = 0; i < answer->headers->nelts; i++) {
            if (ngx_http_group_respond_header(r, &kv[i].key, &kv[i].value)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    if (ctx->call && ctx->call->answer_headers
        && ngx_http_group_respond_passed(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_group_respond_lost(r, ctx);
}


static ngx_int_t
ngx_http_group_respond_passed(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &ctx->call->answer_headers->part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash == 0) {
            continue;
        }

        for (name = ngx_http_group_passed; name->len; name++) {

            if (ngx_group_str_case_eq(&h[i].key, name)
                && ngx_http_group_respond_header(r, &h[i].key, &h[i].value)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* Group-Lost: sticky_sender, admins */

static ngx_int_t
ngx_http_group_respond_lost(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    u_char                     *p;
    size_t                      len;
    ngx_str_t                  *s, value;
    ngx_uint_t                  i;
    ngx_http_group_loc_conf_t  *glcf;

    static ngx_str_t            name = ngx_string("Group-Lost");

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (ctx->lost.nelts == 0 || glcf->loss != NGX_HTTP_GROUP_LOSS_REPORT) {
        return NGX_OK;
    }

    s = ctx->lost.elts;
    len = 0;

    for (i = 0; i < ctx->lost.nelts; i++) {
        len += s[i].len + 2;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    for (i = 0; i < ctx->lost.nelts; i++) {
        p = ngx_sprintf(p, "%s%V", i ? ", " : "", &s[i]);
    }

    value.len = p - value.data;

    return ngx_http_group_respond_header(r, &name, &value);
}


/* a header's value is one line, whatever it was made of */

static ngx_int_t
ngx_http_group_respond_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    size_t            i;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *name;
    h->value.len = value->len;
    h->value.data = ngx_pnalloc(r->pool, value->len);

    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        h->value.data[i] = (value->data[i] < 0x20 || value->data[i] == 0x7f)
                           ? ' ' : value->data[i];
    }

    return NGX_OK;
}
