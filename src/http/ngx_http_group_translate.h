
#ifndef _NGX_HTTP_GROUP_TRANSLATE_H_INCLUDED_
#define _NGX_HTTP_GROUP_TRANSLATE_H_INCLUDED_


#include "ngx_http_group_module.h"


/* NGX_OK, or NGX_DECLINED when an error was noted */
ngx_int_t ngx_http_group_declined(ngx_http_group_ctx_t *ctx);

/* ctx->upstream_host, and ctx->proxied.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_upstream_host(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/* group_upstream_credentials for a call.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_sign(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_http_group_call_t *call);

/* step->error for a call with no answer, or none that is whole */
ngx_int_t ngx_http_group_answer_failed(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step);

/* whether the client wants that attribute in an answer */
ngx_uint_t ngx_http_group_wanted(ngx_http_group_ctx_t *ctx, char *name);


/* http/ngx_http_group_defaults.c */

/* group_default for what ctx->doc lacks; there is one.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_fill_defaults(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx);

/* group_default for what an answer requires and lacks.  NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_group_fill_answer(ngx_http_request_t *r,
    ngx_array_t *fields, ngx_group_value_t *group);

/* plan->given, from plan->pool.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_given(ngx_http_group_loc_conf_t *glcf,
    ngx_group_plan_t *plan);


#endif /* _NGX_HTTP_GROUP_TRANSLATE_H_INCLUDED_ */
