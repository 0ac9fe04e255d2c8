
#include "ngx_http_group_module.h"


static void ngx_http_group_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_group_collect_body(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);


ngx_int_t
ngx_http_group_read_body(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->body_read) {
        return NGX_OK;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group read body");

    /* an error_page led here from where it was refused, or not wanted */

    if (r->request_body && r->request_body->rest > 0) {
        ctx->unreadable = 1;
        r->keepalive = 0;

        ngx_group_error_set(&ctx->error, NGX_GROUP_MALFORMED, "body",
                            "the body could not be read");
        return NGX_DECLINED;
    }

    if (r->request_body) {
        ctx->body_read = 1;
        return ngx_http_group_collect_body(r, ctx);
    }

    /* by who had the request before us, it came by an error_page */

    if (r->discard_body) {
        ctx->body_read = 1;
        return NGX_OK;
    }

    ctx->waiting = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_group_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ctx->waiting = 0;
        ctx->unreadable = 1;

        /* where the next request begins is not known, or far off */

        r->keepalive = 0;

        if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
            ngx_group_error_set(&ctx->error, NGX_GROUP_TOO_LARGE, "body",
                                "the body is too large");
            return NGX_DECLINED;
        }

        if (rc < NGX_HTTP_INTERNAL_SERVER_ERROR) {
            ngx_group_error_set(&ctx->error, NGX_GROUP_MALFORMED, "body",
                                "the body could not be read");
            return NGX_DECLINED;
        }

        /* no room for it in a file or in memory: nginx has said which */

        ctx->state = NGX_HTTP_GROUP_FINISHED;

        ngx_http_finalize_request(r, rc);

        return NGX_DONE;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_group_body_handler(ngx_http_request_t *r)
{
    ngx_http_group_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    ctx->waiting = 0;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* one buffer, two, many, or a temporary file */

static ngx_int_t
ngx_http_group_collect_body(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    u_char       *p;
    off_t         len;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len == 0) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        ctx->body.data = cl->buf->pos;
        ctx->body.len = (size_t) len;
        return NGX_OK;
    }

    /* client_max_body_size is the bound, and what is read is what was sent */

    p = ngx_pnalloc(r->pool, (size_t) len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->body.data = p;
    ctx->body.len = (size_t) len;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        if (!b->in_file) {
            continue;
        }

        n = ngx_read_file(b->file, p, (size_t) (b->file_last - b->file_pos),
                          b->file_pos);

        if (n != b->file_last - b->file_pos) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "request body file \"%V\" is %z bytes short",
                          &b->file->name,
                          (ssize_t) (b->file_last - b->file_pos - n));
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}
