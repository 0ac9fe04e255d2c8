
#ifndef _NGX_HTTP_GROUP_TRANSLATE_H_INCLUDED_
#define _NGX_HTTP_GROUP_TRANSLATE_H_INCLUDED_


#include "ngx_http_group_module.h"


/* NGX_OK, or NGX_DECLINED when an error was noted */
ngx_int_t ngx_http_group_declined(ngx_http_group_ctx_t *ctx);

/* group_default for what an answer requires and lacks.  NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_group_fill_answer(ngx_http_request_t *r,
    ngx_array_t *fields, ngx_group_value_t *group);

/* whether there is a group_default for it */
ngx_uint_t ngx_http_group_default_of(ngx_http_group_loc_conf_t *glcf,
    ngx_str_t *name);

/* fills ctx->lost.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_lost(ngx_pool_t *pool, ngx_http_group_ctx_t *ctx);

/*
 * Whether all that the client's answer requires can come from the request or
 * from the upstream's answer.  NGX_OK, NGX_DECLINED, NGX_ERROR.
 */
ngx_int_t ngx_http_group_answerable(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/* the error for a field that the upstream's answer does not have */
ngx_int_t ngx_http_group_not_supported_field(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *name);


#endif /* _NGX_HTTP_GROUP_TRANSLATE_H_INCLUDED_ */
