
/*
 * What the two files of group_explain share.
 */


#ifndef _NGX_HTTP_GROUP_EXPLAIN_H_INCLUDED_
#define _NGX_HTTP_GROUP_EXPLAIN_H_INCLUDED_


#include "ngx_http_group_module.h"


struct ngx_http_group_explain_s {
    ngx_group_value_t         *canonical;  /* {before, after}: the request */
    ngx_group_value_t         *query;      /* the same of the query */
    ngx_group_value_t         *hooks;
    ngx_group_value_t         *filled;
    ngx_group_value_t         *calls;
    ngx_uint_t                 ncalls;
    ngx_uint_t                 round;

    ngx_group_value_t         *seen[3];    /* what the last hook left: group, */
                                           /* member, query */

    ngx_group_value_t         *group;      /* as the upstream would have it */
    ngx_uint_t                 vague;      /* the call that made up values which
                                              do not show that they are */
    u_char                    *marks;      /* of calls, while they are looked
                                              for */
    unsigned                   prepared:1;
    unsigned                   told:1;
    unsigned                   failed:1;   /* no memory */
};


/*
 * The canonical answer that the "n"th call might have: what the request says,
 * what earlier calls wrote, and "{name of call n}" for all else.  NULL: no
 * memory.
 */
ngx_group_value_t *ngx_http_group_explain_answer(ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step, ngx_uint_t n);


/*
 * JSON by its parts, in http/ngx_http_group_explain.c.  A new value, in an
 * object by its name or in an array; NULL: no memory.
 */
ngx_group_value_t *ngx_http_group_explain_add(ngx_pool_t *pool,
    ngx_group_value_t *parent, char *name, ngx_group_type_e type);

/* a member of an object; names are literals.  These: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_explain_text(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_str_t *text);
ngx_int_t ngx_http_group_explain_literal(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, const char *text);
ngx_int_t ngx_http_group_explain_list(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_array_t *texts);

/* replaces what is no UTF-8 in all texts */
ngx_int_t ngx_http_group_explain_clean(ngx_pool_t *pool,
    ngx_group_value_t *value);


#endif /* _NGX_HTTP_GROUP_EXPLAIN_H_INCLUDED_ */
