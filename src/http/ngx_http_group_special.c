
/*
 * What nginx refuses itself, before a request comes to us or instead of it: a
 * body that is too large, an address, a password or a rate that is not right.
 * The client speaks a dialect, and nginx's page becomes an error in it.
 */


#include "ngx_http_group_module.h"


typedef struct {
    ngx_uint_t  status;
    ngx_uint_t  outcome;
} ngx_http_group_special_t;


static ngx_http_group_special_t  ngx_http_group_specials[] = {
    { NGX_HTTP_UNAUTHORIZED, NGX_GROUP_UNAUTHORIZED },
    { NGX_HTTP_FORBIDDEN, NGX_GROUP_FORBIDDEN },
    { NGX_HTTP_NOT_FOUND, NGX_GROUP_NOT_FOUND },
    { NGX_HTTP_NOT_ALLOWED, NGX_GROUP_METHOD_NOT_ALLOWED },
    { NGX_HTTP_CONFLICT, NGX_GROUP_CONFLICT },
    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NGX_GROUP_TOO_LARGE },
    { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, NGX_GROUP_UNSUPPORTED_MEDIA_TYPE },
    { NGX_HTTP_TOO_MANY_REQUESTS, NGX_GROUP_RATE_LIMITED },
    { NGX_HTTP_NOT_IMPLEMENTED, NGX_GROUP_NOT_SUPPORTED },
    { NGX_HTTP_BAD_GATEWAY, NGX_GROUP_BAD_GATEWAY },
    { NGX_HTTP_SERVICE_UNAVAILABLE, NGX_GROUP_UNAVAILABLE },
    { NGX_HTTP_GATEWAY_TIME_OUT, NGX_GROUP_TIMEOUT },
    { 0, 0 }
};


ngx_int_t
ngx_http_group_special_header(ngx_http_request_t *r)
{
    ngx_buf_t                  *b;
    ngx_uint_t                  outcome;
    ngx_group_error_t           error;
    ngx_group_answer_t          answer;
    ngx_http_group_ctx_t       *ctx;
    ngx_http_group_special_t   *special;
    ngx_http_group_loc_conf_t  *glcf;

    if (r != r->main || r->err_status < NGX_HTTP_BAD_REQUEST) {
        return NGX_OK;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);
    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    if (glcf->dialect == NULL || (ctx && ctx->answered)) {
        return NGX_OK;
    }

    outcome = (r->err_status < NGX_HTTP_INTERNAL_SERVER_ERROR)
              ? NGX_GROUP_MALFORMED : NGX_GROUP_INTERNAL;

    for (special = ngx_http_group_specials; special->status; special++) {
        if (special->status == r->err_status) {
            outcome = special->outcome;
        }
    }

    ngx_group_error_set(&error, outcome, "nginx", "");

    if (ctx == NULL) {
        ctx = ngx_http_group_create_ctx(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    b = ngx_calloc_buf(r->pool);
    ctx->special = ngx_alloc_chain_link(r->pool);

    if (b == NULL || ctx->special == NULL
        || ngx_http_group_render(r, &error, &answer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    b->pos = answer.body.data;
    b->last = b->pos + answer.body.len;
    b->memory = (answer.body.len != 0);
    b->last_buf = 1;
    b->last_in_chain = 1;

    ctx->special->buf = b;
    ctx->special->next = NULL;

    ctx->error = error;
    ctx->state = NGX_HTTP_GROUP_FINISHED;

    ngx_http_group_count_request(ctx);

    ctx->answered = 1;

    /* the status and a challenge are nginx's */

    r->headers_out.content_type = answer.media_type;
    r->headers_out.content_type_len = answer.media_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = answer.body.len;

    return NGX_OK;
}


ngx_chain_t *
ngx_http_group_special_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t             *b;
    ngx_chain_t           *out;
    ngx_http_group_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    if (r != r->main || ctx == NULL || ctx->special == NULL) {
        return in;
    }

    out = NULL;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;
        b->pos = b->last;

        if (b->last_buf) {
            out = ctx->special;
            ctx->special = NULL;
        }
    }

    return out;
}
