
#ifndef _NGX_HTTP_GROUP_MODULE_H_INCLUDED_
#define _NGX_HTTP_GROUP_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_group_auth.h"
#include "ngx_group_canonical.h"
#include "ngx_group_dialect.h"
#include "ngx_group_outcome.h"
#include "ngx_group_plan.h"
#include "ngx_group_pool.h"
#include "ngx_group_policy.h"
#include "ngx_group_shared.h"
#include "ngx_group_value.h"


/* the one place: package, manual page and checks read it here */
#define NGX_HTTP_GROUP_VERSION      "0.1.0"


#define NGX_HTTP_GROUP_LOSS_REPORT  0
#define NGX_HTTP_GROUP_LOSS_REJECT  1
#define NGX_HTTP_GROUP_LOSS_IGNORE  2


#define NGX_HTTP_GROUP_MODE_ENFORCE   0
#define NGX_HTTP_GROUP_MODE_LOG_ONLY  1


/* what a log line holds of somebody else's text */
#define NGX_HTTP_GROUP_LOG_TEXT  256


typedef struct {
    ngx_array_t                dialect_path;  /* of ngx_str_t */
    ngx_array_t                dialects;      /* of ngx_group_dialect_t * */
    ngx_uint_t                 used;          /* there is a group_dialect */
    ngx_uint_t                 policies;      /* there is a group_policy */
    ngx_module_t              *proxy;         /* ngx_http_proxy_module */
    ngx_array_t               *shared;        /* of ngx_shm_zone_t * */
    ngx_shm_zone_t            *locks;         /* of groups under change */
    ngx_uint_t                 metered;       /* there is a group_metrics */
    ngx_array_t                pairs;         /* ngx_http_group_metrics_t * */
    ngx_array_t                rows;          /* of ngx_http_group_row_t * */
    ngx_shm_zone_t            *metrics;
    ngx_shm_zone_t            *old_metrics;   /* before a reload, or NULL */
    ngx_array_t               *explained;     /* locations: group_explain on */
} ngx_http_group_main_conf_t;


typedef struct ngx_http_group_metrics_s  ngx_http_group_metrics_t;


/* where a directive stands */

typedef struct {
    ngx_str_t                  file;
    ngx_uint_t                 line;          /* 0: it is not there */
} ngx_http_group_place_t;


/* group_scope */

typedef struct {
    ngx_http_group_place_t     place;
    ngx_uint_t                 operation;
    ngx_array_t                scopes;        /* of ngx_str_t */
} ngx_http_group_scope_t;


/* group_default */

typedef struct {
    ngx_http_group_place_t     place;
    ngx_group_canonical_t     *field;
    ngx_array_t                values;        /* of ngx_http_complex_value_t */
} ngx_http_group_default_t;


typedef struct {
    ngx_str_t                  dialect_name;
    ngx_str_t                  upstream_dialect_name;
    ngx_http_group_place_t     dialect_place;
    ngx_http_group_place_t     upstream_dialect_place;
    ngx_group_dialect_t       *dialect;       /* NULL: off */
    ngx_group_dialect_t       *upstream_dialect;
    ngx_str_t                  base_path;
    ngx_str_t                  upstream_base_path;
    ngx_group_credentials_t   *credentials;   /* NULL: off */
    ngx_group_jwt_t           *jwt;           /* NULL: off */
    ngx_shm_zone_t            *replay;        /* NULL: off */
    ngx_group_signer_t        *signer;        /* NULL: none */
    ngx_array_t               *scopes;        /* of ngx_http_group_scope_t */
    ngx_array_t               *defaults;      /* of ngx_http_group_default_t */
    ngx_array_t               *policies;      /* of ngx_group_policy_t * */
    ngx_msec_t                 policy_timeout;
    size_t                     policy_memory;
    time_t                     max_skew;
    ngx_uint_t                 loss;
    ngx_uint_t                 mode;
    ngx_flag_t                 explain;
    size_t                     response_buffer_size;
    ngx_uint_t                 max_depth;
    ngx_uint_t                 max_members;
    ngx_uint_t                 plan_concurrency;
    ngx_uint_t                 plan_max_calls;
    ngx_msec_t                 plan_timeout;  /* begins no more calls then */
    ngx_http_group_metrics_t  *metrics;       /* NULL: nothing is counted */
} ngx_http_group_loc_conf_t;


/* one upstream call: what is sent, and what came back */

typedef struct ngx_http_group_call_s  ngx_http_group_call_t;

struct ngx_http_group_call_s {
    ngx_http_request_t        *request;       /* the client's */
    ngx_uint_t                *pending;       /* calls of the same round */
    ngx_group_fetch_t         *fetch;         /* that it is, or NULL */
    ngx_http_request_t        *sr;            /* the fetch's subrequest, */
    ngx_event_t                timer;         /* its time, */
    ngx_http_group_call_t     *next;          /* and the one before it */
    size_t                     limit;         /* of the answer's body */
    ngx_http_posted_request_t  posted;        /* wakes the client's request */

    ngx_str_t                  method;
    ngx_str_t                  path;          /* percent-encoded */
    ngx_str_t                  uri;           /* decoded */
    ngx_str_t                  args;
    ngx_str_t                  body;
    ngx_str_t                  media_type;    /* of the body */
    ngx_str_t                  accept;
    ngx_array_t               *headers;       /* of ngx_group_header_t */

    ngx_uint_t                 status;        /* 0: there was no answer */
    ngx_int_t                  rc;            /* how the subrequest ended */
    ngx_str_t                  answer_type;
    ngx_str_t                  answer;
    size_t                     size;          /* allocated for "answer" */
    ngx_group_value_t         *tree;          /* the same, where it tells of
                                                 places that are others here */
    ngx_list_t                *answer_headers;

    unsigned                   done:1;
    unsigned                   complete:1;    /* the body came to its end */
    unsigned                   too_large:1;
    unsigned                   lost:1;        /* there was no memory for it */
    unsigned                   stopped:1;     /* by an error that is ours */
    unsigned                   failed:1;      /* the connection, before it */
    unsigned                   encoded:1;     /* Content-Encoding */
    unsigned                   upstream:1;    /* there was an upstream at all */
    unsigned                   readable:1;    /* an error that was understood */
    unsigned                   proxied:1;     /* proxy_pass, no variables */
};


typedef struct ngx_http_group_explain_s  ngx_http_group_explain_t;
typedef struct ngx_http_group_lock_s  ngx_http_group_lock_t;
typedef struct ngx_http_group_replay_s  ngx_http_group_replay_t;


typedef enum {
    NGX_HTTP_GROUP_MATCH = 0,
    NGX_HTTP_GROUP_READ,
    NGX_HTTP_GROUP_PREPARE,
    NGX_HTTP_GROUP_POLICY,
    NGX_HTTP_GROUP_PLAN,
    NGX_HTTP_GROUP_LOCK,
    NGX_HTTP_GROUP_CALL,
    NGX_HTTP_GROUP_ANSWER,
    NGX_HTTP_GROUP_RESPOND,
    NGX_HTTP_GROUP_FINISHED
} ngx_http_group_state_e;


/* whose time is measured */

typedef enum {
    NGX_HTTP_GROUP_PHASE_AUTH = 0,
    NGX_HTTP_GROUP_PHASE_DECODE,
    NGX_HTTP_GROUP_PHASE_POLICY,
    NGX_HTTP_GROUP_PHASE_UPSTREAM,
    NGX_HTTP_GROUP_PHASE_ENCODE,
    NGX_HTTP_GROUP_PHASES
} ngx_http_group_phase_e;


typedef struct {
    ngx_http_group_state_e     state;

    ngx_group_op_t            *op;            /* of the client's dialect */
    ngx_group_value_t         *document;      /* that is asked for, or NULL */
    ngx_group_principal_t     *principal;

    ngx_str_t                  body;
    ngx_str_t                  path_id;       /* the id as the client has it */
    ngx_group_value_t         *tree;          /* the body, as the client's */
    ngx_group_value_t         *args;          /* the query, as the client's */
    ngx_group_value_t         *doc;           /* canonical request */
    ngx_group_value_t         *query;         /* canonical query */
    ngx_group_value_t         *result;        /* canonical answer */
    ngx_array_t                lost;          /* of ngx_str_t */

    ngx_group_plan_t          *plan;
    ngx_http_group_lock_t     *lock;          /* or NULL */
    ngx_uint_t                 pending;       /* calls under way */
    ngx_msec_t                 started;       /* when the first one was */
    ngx_http_group_call_t     *call;          /* that carried the request */
    void                      *spare;         /* memory kept for an undo */
    ngx_str_t                  upstream_host;
    ngx_str_t                  only;          /* attributes: wanted, */
    ngx_str_t                  without;       /* or not */

    ngx_group_policy_ctx_t    *policy;
    ngx_group_policy_run_t    *run;
    ngx_http_group_call_t     *fetching;      /* the last of what it fetches */
    ngx_http_group_explain_t  *explain;       /* NULL: done, not told */

    ngx_group_error_t          error;
    ngx_chain_t               *special;       /* in place of nginx's page */
    ngx_group_translation_t    client;        /* the client's side */
    ngx_group_translation_t    upstream;      /* the upstream's side */

    ngx_http_group_metrics_t  *metrics;       /* NULL: nothing is counted */
    uint64_t                   clock;         /* when a phase began, and */
    uint64_t                   times[NGX_HTTP_GROUP_PHASES];
                                              /* how long each took, in ns */
    unsigned                   phases:8;      /* that were gone through */
    unsigned                   counted:1;

    unsigned                   proxied:1;     /* by a constant proxy_pass */
    unsigned                   search:1;      /* the query is in the body */
    unsigned                   moved:1;       /* one dialect on both sides, but
                                                 not one base path */
    unsigned                   body_read:1;
    unsigned                   unreadable:1;  /* nginx has refused the body */
    unsigned                   waiting:1;     /* for the body, a call, a lock
                                                 or what a hook fetches */
    unsigned                   changed:1;     /* the body is not as it came */
    unsigned                   answered:1;
    unsigned                   as_is:1;       /* the upstream's error is ours */
    unsigned                   let:1;         /* not refused, in log_only */
} ngx_http_group_ctx_t;


extern ngx_module_t  ngx_http_group_module;


/* http/ngx_http_group_access.c */

/* the ACCESS handler: who calls, and may they; refuses or declines */
ngx_int_t ngx_http_group_access_handler(ngx_http_request_t *r);

/* the request's ctx, or NULL: no memory */
ngx_http_group_ctx_t *ngx_http_group_create_ctx(ngx_http_request_t *r);

/*
 * Makes the request's ctx and finds its operation.  NGX_OK; NGX_DECLINED with
 * ctx->error filled; NGX_ERROR.
 */
ngx_int_t ngx_http_group_match(ngx_http_request_t *r,
    ngx_http_group_ctx_t **ctx);


/* what a principal needs for an operation; of ngx_str_t */
ngx_array_t *ngx_http_group_required_scopes(ngx_http_group_loc_conf_t *glcf,
    ngx_group_op_t *op);


/* http/ngx_http_group_conf.c */

/* the place of the directive that is read */
void ngx_http_group_place(ngx_conf_t *cf, ngx_http_group_place_t *place);

/*
 * What is logged from now on is of that place; "file" is for that.  Returns
 * what cf->conf_file is to be set to again.
 */
ngx_conf_file_t *ngx_http_group_at(ngx_conf_t *cf,
    ngx_http_group_place_t *place, ngx_conf_file_t *file);


/* http/ngx_http_group_check.c */

/* warns of what is wrong with a location that has dialects */
void ngx_http_group_check(ngx_conf_t *cf, ngx_http_group_loc_conf_t *glcf);

/* warns of parameters that the file does not read */
void ngx_http_group_check_params(ngx_conf_t *cf, ngx_group_policy_t *policy);


/* http/ngx_http_group_replay.c */

/* the zone of that name, or NULL after an error was logged */
ngx_shm_zone_t *ngx_http_group_replay_zone(ngx_conf_t *cf, ngx_str_t *name,
    size_t size);

/* what is kept in the zone must be kept for at least that */
void ngx_http_group_replay_skew(ngx_shm_zone_t *zone, time_t max_skew);

/*
 * Takes the signature of a request, which was checked.  NGX_OK; NGX_DECLINED
 * with ctx->error set: it was used before, or there is no room; NGX_ERROR.
 */
ngx_int_t ngx_http_group_replay(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_shm_zone_t *zone,
    ngx_group_auth_request_t *request);


/* http/ngx_http_group_body.c */

/*
 * Reads the client's body into ctx->body.  NGX_OK: it is there; NGX_DONE: the
 * phases are run again when it is; NGX_DECLINED: ctx->error is filled;
 * NGX_ERROR.
 */
ngx_int_t ngx_http_group_read_body(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);


/* http/ngx_http_group_exchange.c */

/* the PRECONTENT handler: the way of a request from its body to its answer */
ngx_int_t ngx_http_group_exchange_handler(ngx_http_request_t *r);


/* http/ngx_http_group_translate.c */

/*
 * The client's body and query to the canonical request.  The contract of this
 * and the next: NGX_OK; NGX_DECLINED with ctx->error filled; NGX_ERROR.
 */
ngx_int_t ngx_http_group_decode_request(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/*
 * What follows is about a body of that length: the translations take a pool of
 * larger blocks when it is long.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_group_room(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, size_t len);

/* the canonical query alone, for dialects that look at it first */
ngx_int_t ngx_http_group_decode_query(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/* the plan of the canonical request, in ctx->plan; nothing is sent yet */
ngx_int_t ngx_http_group_plan(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);


/* http/ngx_http_group_lock.c */

/* adds the zone of the locks.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_lock_zone(ngx_conf_t *cf);

/*
 * The turn of a plan that reads, changes and writes a group.  NGX_OK: it has
 * it; NGX_AGAIN: the phases are run again; NGX_DECLINED: others take too long,
 * ctx->error is set; NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_group_lock(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/* ends the turn, and the wait for one; the request's end does so, too */
void ngx_http_group_unlock(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx);


/* http/ngx_http_group_step.c */

/*
 * A step of the plan to a call, in step->call.  NGX_OK; NGX_DECLINED with
 * step->error set; NGX_ERROR.
 */
ngx_int_t ngx_http_group_step_encode(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step);

/* its answer, to step->answer or step->error.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_step_decode(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step);


/* http/ngx_http_group_answer.c */

/*
 * The plan's result to ctx->result: with what the request says besides.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_group_complete(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *answer);

/*
 * ctx->result to the client's answer.  NGX_OK; NGX_DECLINED with ctx->error
 * set; NGX_ERROR.
 */
ngx_int_t ngx_http_group_encode_answer(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer);

/* the document that is asked for.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_answer_document(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer);


/* http/ngx_http_group_defaults.c */

/* a group_default of a boolean: 1, 0, or NGX_ERROR */
ngx_int_t ngx_http_group_boolean(ngx_str_t *text);


/* http/ngx_http_group_call.c */

/* NGX_OK: the phases are run again when it is done; NGX_ERROR */
ngx_int_t ngx_http_group_call_start(ngx_http_request_t *r,
    ngx_http_group_call_t *call);

/* a subrequest that could not be made ready ends, and does nothing */
void ngx_http_group_call_break(ngx_http_request_t *sr,
    ngx_http_group_call_t *call);

/* one call less to wait for: the client's request goes on after the last one */
void ngx_http_group_call_wake(ngx_http_group_call_t *call);

/* the call that a subrequest carries, or NULL: it is not one of ours */
ngx_http_group_call_t *ngx_http_group_call_of(ngx_http_request_t *r);

/* whether nginx made it of such a subrequest, to update its cache */
ngx_uint_t ngx_http_group_call_cloned(ngx_http_request_t *r);

/* a subrequest that ends with the call; NULL when there is no memory */
ngx_http_request_t *ngx_http_group_call_subrequest(ngx_http_request_t *r,
    ngx_http_group_call_t *call, ngx_str_t *uri, ngx_str_t *args);

/* gives it the headers and the body of the call.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_call_headers(ngx_http_request_t *sr,
    ngx_http_group_call_t *call);

/* and the method */
void ngx_http_group_call_method(ngx_http_request_t *sr,
    ngx_http_group_call_t *call);

/* refuses to let such a subrequest be somewhere else than it was sent */
ngx_int_t ngx_http_group_call_redirected(ngx_http_request_t *sr);

ngx_int_t ngx_http_group_call_header_filter(ngx_http_request_t *sr,
    ngx_http_group_call_t *call);
ngx_int_t ngx_http_group_call_body_filter(ngx_http_request_t *sr,
    ngx_http_group_call_t *call, ngx_chain_t *in);


/* http/ngx_http_group_fetch.c */

/*
 * Starts what a hook asks for.  NGX_OK: ctx->pending counts it, or it has
 * failed already; NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_group_fetch_start(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_fetch_t *fetch);

/* its answer is there, or never will be */
void ngx_http_group_fetch_done(ngx_http_group_call_t *call);


/* http/ngx_http_group_let.c */

/* whether what ctx->error refuses goes through nevertheless: log_only */
ngx_uint_t ngx_http_group_lets(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/*
 * The way of such a request: to the upstream as it came, and back; NGX_DONE,
 * for the PRECONTENT handler to return.
 */
ngx_int_t ngx_http_group_let(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);


/* http/ngx_http_group_explain.c */

/* makes ctx->explain.  This and the next two: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_explain_begin(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/* keeps the canonical request: first before the hooks, then after them */
ngx_int_t ngx_http_group_explain_request(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/* keeps that a group_default filled that field */
ngx_int_t ngx_http_group_explain_filled(ngx_http_request_t *r,
    ngx_str_t *field);

/* a policy's "ran" */
void ngx_http_group_explain_ran(void *data, ngx_group_policy_ran_t *ran);

/* whether what is to be answered is to be explained */
ngx_uint_t ngx_http_group_explains(ngx_http_group_ctx_t *ctx);


/* http/ngx_http_group_explain_call.c */

/*
 * Keeps the calls of a round, and answers them, in place of an upstream.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_group_explain_round(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);


/* http/ngx_http_group_explain_document.c */

/* answers with the explanation; as ngx_http_group_respond() */
ngx_int_t ngx_http_group_explain_respond(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer);


/* http/ngx_http_group_console.c */

/* group_console */
char *ngx_http_group_console_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* a location with group_explain on, for the page.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_console_location(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *glcf);

/* the content handler of group_console */
ngx_int_t ngx_http_group_console_handler(ngx_http_request_t *r);


/* http/ngx_http_group_respond.c */

/*
 * Sends the answer and finalizes the request; always NGX_DONE, for a phase
 * handler to return.
 */
ngx_int_t ngx_http_group_respond(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer);

/*
 * The same for ctx->error, which is logged.  NGX_DECLINED: ctx->let is set, and
 * the request goes on.
 */
ngx_int_t ngx_http_group_refuse(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);

/* an error in the client's dialect; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_render(ngx_http_request_t *r,
    ngx_group_error_t *error, ngx_group_answer_t *answer);

/* the same for what has no words left: no memory */
ngx_int_t ngx_http_group_fail(ngx_http_request_t *r);

/* copies a text without what could begin another line.  Returns its end */
u_char *ngx_http_group_log_text(u_char *p, u_char *last, ngx_str_t *text);


/* http/ngx_http_group_special.c */

/* puts an error of the dialect in the place of nginx's own page */
ngx_int_t ngx_http_group_special_header(ngx_http_request_t *r);

/* what is to be sent instead of "in": that, or the error, or nothing yet */
ngx_chain_t *ngx_http_group_special_body(ngx_http_request_t *r,
    ngx_chain_t *in);


/* http/ngx_http_group_metrics.c */

/* a phase begins, and ends; one at a time.  Nothing where nothing is counted */
void ngx_http_group_phase_begin(ngx_http_group_ctx_t *ctx);
void ngx_http_group_phase_end(ngx_http_group_ctx_t *ctx,
    ngx_http_group_phase_e phase);

/* how it ended, with the times and what was lost; each request once */
void ngx_http_group_count_request(ngx_http_group_ctx_t *ctx);

/* an upstream call that is done; status 0: there was no answer */
void ngx_http_group_count_call(ngx_http_group_ctx_t *ctx, ngx_uint_t status);

void ngx_http_group_count_undo(ngx_http_group_ctx_t *ctx, ngx_uint_t failed);

/* a policy's "ran" */
void ngx_http_group_count_policy(void *data, ngx_group_policy_ran_t *ran);

/* the LOG handler: counts who has not been counted */
ngx_int_t ngx_http_group_metrics_log(ngx_http_request_t *r);


/* http/ngx_http_group_metrics_rows.c */

/* makes the counters of a location with dialects.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_metrics_location(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *glcf);


/* http/ngx_http_group_metrics_zone.c */

/* adds the zone where they are.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_group_metrics_zone(ngx_conf_t *cf);


/* http/ngx_http_group_metrics_text.c */

/* the content handler of group_metrics */
ngx_int_t ngx_http_group_metrics_handler(ngx_http_request_t *r);


/* http/ngx_http_group_variables.c */

ngx_int_t ngx_http_group_add_variables(ngx_conf_t *cf);


#define ngx_http_group_header_is(h, literal)                                  \
    ngx_group_str_case_is(&(h)->key, literal)


#endif /* _NGX_HTTP_GROUP_MODULE_H_INCLUDED_ */
