
/*
 * What went wrong, in no vendor's words.  A dialect renders it.
 */


#ifndef _NGX_GROUP_OUTCOME_H_INCLUDED_
#define _NGX_GROUP_OUTCOME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_GROUP_DONE = 0,
    NGX_GROUP_MALFORMED,
    NGX_GROUP_UNAUTHORIZED,
    NGX_GROUP_FORBIDDEN,
    NGX_GROUP_NOT_FOUND,
    NGX_GROUP_METHOD_NOT_ALLOWED,
    NGX_GROUP_CONFLICT,
    NGX_GROUP_TOO_LARGE,
    NGX_GROUP_UNSUPPORTED_MEDIA_TYPE,
    NGX_GROUP_INVALID,
    NGX_GROUP_RATE_LIMITED,
    NGX_GROUP_INTERNAL,
    NGX_GROUP_NOT_SUPPORTED,
    NGX_GROUP_BAD_GATEWAY,
    NGX_GROUP_UNAVAILABLE,
    NGX_GROUP_TIMEOUT,
    NGX_GROUP_OUTCOMES
} ngx_group_outcome_e;


/* one field that is not as it must be */

typedef struct {
    ngx_str_t            field;     /* as the client has it: "members[2].id" */
    ngx_str_t            code;      /* "missing", "type", "too_long", ... */
    ngx_str_t            detail;    /* one sentence */
    ngx_str_t            limit;     /* the number that was passed, or empty */
    ngx_str_t            max;       /* the highest one, or empty */
    ngx_str_t            value;     /* a number or boolean that is none */
    ngx_str_t            label;     /* the field in a vendor's prose */
} ngx_group_problem_t;


typedef struct {
    ngx_group_outcome_e  outcome;
    ngx_str_t            code;      /* what kind of it: "scope", "path", ... */
    ngx_str_t            detail;    /* one sentence */
    ngx_str_t            subject;   /* the name or id that it is about */
    ngx_str_t            allow;     /* METHOD_NOT_ALLOWED: "GET, POST" */
    ngx_uint_t           upstream;  /* 1: "detail" is the upstream's own text */
    ngx_array_t         *problems;  /* of ngx_group_problem_t, or NULL */
} ngx_group_error_t;


/* "done", "malformed", ...: in policies, dialects, logs and $group_outcome */
ngx_str_t *ngx_group_outcome_name(ngx_group_outcome_e outcome);

/* NGX_GROUP_OUTCOMES when there is none of that name */
ngx_group_outcome_e ngx_group_outcome_find(ngx_str_t *name);

/*
 * Fills "error"; "code" and "detail" are literals or live as long as "error".
 */
void ngx_group_error_set(ngx_group_error_t *error,
    ngx_group_outcome_e outcome, char *code, char *detail);

/*
 * Adds a problem and makes the outcome "invalid" when none was set.  Past
 * NGX_GROUP_MAX_PROBLEMS problems are dropped.  NULL when there is no memory
 * or the bound is reached.
 */
ngx_group_problem_t *ngx_group_error_problem(ngx_pool_t *pool,
    ngx_group_error_t *error, ngx_str_t *field, char *code);


#endif /* _NGX_GROUP_OUTCOME_H_INCLUDED_ */
