
/*
 * group_mode log_only: a request that would be refused goes to the upstream as
 * it came, when that speaks the client's dialect, and its answer comes back as
 * it is.  What is about the connection, and who the client is, stays here.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_translate.h"


static ngx_int_t ngx_http_group_let_call(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_let_path(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_http_group_call_t *call);
static ngx_int_t ngx_http_group_let_answer(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);


ngx_uint_t
ngx_http_group_lets(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (glcf->mode != NGX_HTTP_GROUP_MODE_LOG_ONLY
        || glcf->explain
        || glcf->dialect != glcf->upstream_dialect
        || ctx->unreadable
        || ctx->let)
    {
        return 0;
    }

    switch (ctx->error.outcome) {

    case NGX_GROUP_BAD_GATEWAY:
    case NGX_GROUP_UNAVAILABLE:
    case NGX_GROUP_TIMEOUT:
        return 0;

    default:
        break;
    }

    /* nothing was sent yet, or a hook does not like what came back */

    return ctx->started == 0
           || (ctx->state == NGX_HTTP_GROUP_ANSWER && ctx->call);
}


ngx_int_t
ngx_http_group_let(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t  rc;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group let through, state:%d", (int) ctx->state);

    rc = NGX_OK;

    if (ctx->call == NULL) {
        rc = ngx_http_group_read_body(r, ctx);

        if (rc == NGX_DONE) {
            return NGX_DONE;
        }

        if (rc == NGX_OK) {
            rc = ngx_http_group_let_call(r, ctx);
        }

        if (rc == NGX_OK) {
            ctx->state = NGX_HTTP_GROUP_CALL;
            ctx->waiting = 1;
            return NGX_DONE;
        }

    } else {
        rc = ngx_http_group_let_answer(r, ctx);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_group_refuse(r, ctx);
    }

    return (rc == NGX_DONE) ? NGX_DONE : ngx_http_group_fail(r);
}


static ngx_int_t
ngx_http_group_let_call(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_http_group_call_t      *call;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (ngx_http_group_upstream_host(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_group_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->method = r->method_name;
    call->args = r->args;
    call->body = ctx->body;
    call->limit = glcf->response_buffer_size;
    call->accept = glcf->dialect->media_type;
    call->media_type = r->headers_in.content_type
                       ? r->headers_in.content_type->value
                       : glcf->dialect->media_type;
    call->proxied = ctx->proxied;
    call->pending = &ctx->pending;

    if (ngx_http_group_let_path(r, ctx, call) != NGX_OK
        || ngx_http_group_sign(r, ctx, call) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->call = call;
    ctx->started = ngx_current_msec;
    ctx->pending = 1;

    return ngx_http_group_call_start(r, call);
}


/* the client's path below the upstream's base path */

static ngx_int_t
ngx_http_group_let_path(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_http_group_call_t *call)
{
    u_char     *p;
    ngx_str_t   path, *from, *to;

    path = r->unparsed_uri;

    /* "GET http://host?query" has none, and what was rewritten is elsewhere */

    if (!r->valid_unparsed_uri) {

        path.len = r->uri.len + 2 * ngx_escape_uri(NULL, r->uri.data,
                                                   r->uri.len,
                                                   NGX_ESCAPE_URI);
        path.data = ngx_pnalloc(r->pool, path.len);
        if (path.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_escape_uri(path.data, r->uri.data, r->uri.len,
                              NGX_ESCAPE_URI);
    }

    p = ngx_strlchr(path.data, path.data + path.len, '?');
    if (p) {
        path.len = p - path.data;
    }

    from = &ctx->client.base_path;
    to = &ctx->upstream.base_path;

    /* "/api" is no base path of "/apis" */

    if (path.len >= from->len
        && ngx_strncmp(path.data, from->data, from->len) == 0
        && (path.len == from->len || path.data[from->len] == '/'))
    {
        path.data += from->len;
        path.len -= from->len;

        p = ngx_pnalloc(r->pool, to->len + path.len + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        call->path.data = p;

        p = ngx_cpymem(p, to->data, to->len);
        p = ngx_cpymem(p, path.data, path.len);

        /* both may be empty */

        if (p == call->path.data) {
            *p++ = '/';
        }

        call->path.len = p - call->path.data;

    } else {
        call->path = path;
    }

    call->uri = call->path;

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_let_answer(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_group_step_t        step;
    ngx_group_answer_t      answer;
    ngx_http_group_call_t  *call;

    call = ctx->call;

    if (call->too_large || call->lost || call->encoded || !call->complete
        || call->status == 0)
    {
        ngx_memzero(&step, sizeof(ngx_group_step_t));
        step.call = call;

        if (ngx_http_group_answer_failed(r, ctx, &step) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->error = step.error;
        return NGX_DECLINED;
    }

    ngx_memzero(&answer, sizeof(ngx_group_answer_t));

    answer.status = call->status;
    answer.media_type = call->answer_type;
    answer.body = call->answer;

    return ngx_http_group_respond(r, ctx, &answer);
}
