
/*
 * What the files of group_explain share.
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


/* http/ngx_http_group_explain.c */

/*
 * Keeps that a field was filled by "by", a literal, of the policy "file" or,
 * when that is NULL, of none.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_group_explain_note(ngx_http_group_ctx_t *ctx,
    ngx_pool_t *pool, ngx_str_t *field, char *by, ngx_str_t *file);


/* http/ngx_http_group_explain_answer.c */

/*
 * The canonical answer that the "n"th call might have: what the request says,
 * what earlier calls wrote, and "{name of call n}" for all else.  NULL: no
 * memory.
 */
ngx_group_value_t *ngx_http_group_explain_answer(ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step, ngx_uint_t n);


/* http/ngx_http_group_explain_json.c */

/* a new value, in an object by its name or in an array; NULL: no memory */
ngx_group_value_t *ngx_http_group_explain_add(ngx_pool_t *pool,
    ngx_group_value_t *parent, char *name, ngx_group_type_e type);

/*
 * A member of an object; names are literals.  A "value" is not copied, and may
 * be NULL, for want of memory.  These: NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_group_explain_set(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_group_value_t *value);
ngx_int_t ngx_http_group_explain_text(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_str_t *text);
ngx_int_t ngx_http_group_explain_literal(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, const char *text);
ngx_int_t ngx_http_group_explain_number(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, int64_t n);
ngx_int_t ngx_http_group_explain_list(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_array_t *texts);

/* one more text of a list */
ngx_int_t ngx_http_group_explain_push(ngx_pool_t *pool,
    ngx_group_value_t *list, ngx_str_t *text);

/* "body": JSON as the value that it is, all else as text; nothing for none */
ngx_int_t ngx_http_group_explain_body(ngx_pool_t *pool, ngx_str_t *media_type,
    ngx_str_t *body, ngx_group_value_t *object);

/* replaces what is no UTF-8 in all texts */
ngx_int_t ngx_http_group_explain_clean(ngx_pool_t *pool,
    ngx_group_value_t *value);


#endif /* _NGX_HTTP_GROUP_EXPLAIN_H_INCLUDED_ */
