
/*
 * What the files that make a vendor's errors share; nothing else includes this.
 */


#ifndef _NGX_GROUP_ERROR_INTERNAL_H_INCLUDED_
#define _NGX_GROUP_ERROR_INTERNAL_H_INCLUDED_


#include "ngx_group_dialect.h"


typedef struct {
    ngx_pool_t                 *pool;
    ngx_group_dialect_t        *dialect;
    ngx_group_error_t          *error;
    ngx_group_error_context_t  *context;
    ngx_group_variant_t        *variant;
    ngx_group_problem_t        *problem;  /* of "each", or NULL */
    ngx_str_t                   status;
    ngx_str_t                   reason;
    ngx_str_t                   detail;
    ngx_str_t                   details;
} ngx_group_render_t;


/* ngx_group_error_words.c: both NGX_OK or NGX_ERROR (no memory) */

/* what is to be said of one problem */
ngx_int_t ngx_group_error_sentence(ngx_group_render_t *r,
    ngx_group_problem_t *problem, ngx_str_t *detail);

/* a template with all its "$name"s made out; where it has none, it is "out" */
ngx_int_t ngx_group_error_expand(ngx_group_render_t *r, ngx_str_t *template,
    ngx_str_t *out);


#endif /* _NGX_GROUP_ERROR_INTERNAL_H_INCLUDED_ */
