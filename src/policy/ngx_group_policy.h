
/*
 * Policy hooks: Lua files that look at a request, change it or refuse it.
 *
 * A worker has one Lua VM.  A hook file is run anew in a fresh environment for
 * each request that meets it, so nothing that a script keeps is seen by
 * another request.  The compiled chunk is kept.
 */


#ifndef _NGX_GROUP_POLICY_H_INCLUDED_
#define _NGX_GROUP_POLICY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth.h"
#include "ngx_group_outcome.h"
#include "ngx_group_value.h"


/* a "group_policy" directive */

typedef struct {
    ngx_str_t               file;      /* full path */
    ngx_str_t               source;    /* read when the configuration was */
    ngx_array_t             params;    /* of ngx_keyval_t */
    ngx_uint_t              index;     /* of the chunk in the VM */
    void                   *data;      /* the caller's own */
} ngx_group_policy_t;


/* how one hook of one file ended */

typedef enum {
    NGX_GROUP_VERDICT_PASSED = 0,
    NGX_GROUP_VERDICT_DENIED,
    NGX_GROUP_VERDICT_FAILED,
    NGX_GROUP_VERDICT_TIMEOUT,
    NGX_GROUP_VERDICT_MEMORY,
    NGX_GROUP_VERDICTS
} ngx_group_policy_verdict_e;


typedef struct {
    ngx_group_policy_t         *policy;
    const char                 *hook;  /* "request" or "response" */
    ngx_group_policy_verdict_e  verdict;
    ngx_uint_t                  time;  /* in microseconds; waiting is none */
    size_t                      peak;  /* bytes that it had at most */
} ngx_group_policy_ran_t;


/* one request that a hook waits for */

typedef struct {
    ngx_str_t               method;
    ngx_str_t               uri;       /* with its arguments */
    ngx_str_t               body;
    ngx_str_t               media_type;
    ngx_array_t            *headers;   /* of ngx_group_header_t */
    ngx_msec_t              timeout;
    size_t                  limit;     /* of the answer */

    /* set by who carries it out */

    ngx_uint_t              status;
    ngx_str_t               answer;
    ngx_array_t            *answer_headers; /* of ngx_group_header_t */
    char                   *failed;    /* why there is no answer, or NULL */
} ngx_group_fetch_t;


/* what a hook sees as "ctx" */

typedef struct {
    ngx_pool_t             *pool;
    ngx_log_t              *log;

    ngx_str_t               operation;
    ngx_str_t               dialect;
    ngx_str_t               upstream_dialect;
    ngx_group_principal_t  *principal; /* NULL: nobody signed in */

    ngx_group_value_t      *group;     /* canonical, or NULL */
    ngx_group_value_t      *member;    /* canonical, or NULL */
    ngx_group_value_t      *query;     /* canonical, or NULL */

    /* NGX_OK; NGX_DECLINED: there is no such variable, or it has no value */
    ngx_int_t             (*var)(void *data, ngx_str_t *name,
                                 ngx_str_t *value);
    void                   *data;

    /* told of each hook that ended, or NULL */
    void                  (*ran)(void *data, ngx_group_policy_ran_t *ran);

    ngx_array_t            *zones;     /* of ngx_shm_zone_t *, or NULL */

    ngx_msec_t              timeout;   /* of one hook, in ms */
    size_t                  memory;    /* that one hook may add, in bytes */

    unsigned                dry:1;               /* nothing will be done */
    unsigned                group_changed:1;     /* set by the run */
    unsigned                member_changed:1;
    unsigned                query_changed:1;
} ngx_group_policy_ctx_t;


typedef struct ngx_group_policy_run_s  ngx_group_policy_run_t;


/*
 * Reads and compiles a hook file when the configuration is read, so that a
 * mistake fails "nginx -t" with file and line.  NULL after an error was logged.
 */
ngx_group_policy_t *ngx_group_policy_load(ngx_conf_t *cf, ngx_str_t *file,
    ngx_array_t *params);

/* the file's name without its directory, to be shown */
void ngx_group_policy_name(ngx_group_policy_t *policy, ngx_str_t *name);

/* makes the worker's VM; called once in each worker.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_policy_init(ngx_log_t *log);

/* closes it; called when the worker exits */
void ngx_group_policy_exit(void);

/*
 * Starts the hooks of one request: "policies" (of ngx_group_policy_t *) in
 * their order.  Nothing is run yet.  The run ends with ctx->pool, or earlier
 * with ngx_group_policy_end().  NULL when there is no memory.
 */
ngx_group_policy_run_t *ngx_group_policy_begin(ngx_group_policy_ctx_t *ctx,
    ngx_array_t *policies);

/*
 * Runs the request hooks, or the response hooks.  "response" hooks run in the
 * same environment that the "request" hooks of this run left.
 *
 * NGX_AGAIN: a hook waits for ngx_group_policy_fetches(); when they are done
 * ngx_group_policy_resume() goes on, with the same contract.
 *
 * NGX_OK: ctx->group, ->member and ->query are what the hooks left, and the
 * *_changed flags tell whether that differs from what they were; NGX_DECLINED:
 * a hook refused, *error is the outcome (with a problem when a field was
 * named); NGX_ERROR: a hook failed, ran over a limit or left what is no value
 * tree (logged with a traceback; the client is told "internal").
 */
ngx_int_t ngx_group_policy_request(ngx_group_policy_run_t *run,
    ngx_group_error_t *error);
ngx_int_t ngx_group_policy_response(ngx_group_policy_run_t *run,
    ngx_group_error_t *error);

ngx_int_t ngx_group_policy_resume(ngx_group_policy_run_t *run);

/* of ngx_group_fetch_t * */
ngx_array_t *ngx_group_policy_fetches(ngx_group_policy_run_t *run);

/* time spent in hooks, in microseconds; waiting is none */
ngx_uint_t ngx_group_policy_time(ngx_group_policy_run_t *run);

void ngx_group_policy_end(ngx_group_policy_run_t *run);


#endif /* _NGX_GROUP_POLICY_H_INCLUDED_ */
