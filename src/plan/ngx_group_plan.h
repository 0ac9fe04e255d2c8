
/*
 * Which upstream calls an operation takes.  A plan is made from what the
 * upstream dialect declares, and from nothing else.  It runs in rounds: it
 * names the calls of a round, its caller makes them and tells it how they
 * ended, and it goes on to the next round or to its result.
 */


#ifndef _NGX_GROUP_PLAN_H_INCLUDED_
#define _NGX_GROUP_PLAN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_dialect.h"


/* what a page is asked to hold when the plan reads all of them */
#define NGX_GROUP_PLAN_PAGE  1000


typedef struct ngx_group_plan_s  ngx_group_plan_t;

typedef ngx_int_t (*ngx_group_plan_pt)(ngx_group_plan_t *plan);


/* one upstream call, in canonical form */

typedef struct {
    ngx_group_op_t         *op;        /* of the upstream dialect */
    ngx_group_value_t      *doc;       /* the request: path and body */
    ngx_group_value_t      *query;     /* or NULL */
    ngx_group_value_t      *answer;    /* set by the caller when it succeeded */
    ngx_group_error_t       error;     /* set by the caller when it failed */
    void                   *call;      /* the caller's own */
    unsigned                main:1;    /* it carries the client's request */
} ngx_group_step_t;


struct ngx_group_plan_s {
    ngx_pool_t             *pool;
    ngx_log_t              *log;
    ngx_group_dialect_t    *client;
    ngx_group_dialect_t    *upstream;
    ngx_group_op_t         *op;        /* of the client's dialect */
    ngx_group_value_t      *doc;       /* canonical request */
    ngx_group_value_t      *query;
    ngx_array_t            *given;     /* of ngx_str_t: fields that an answer
                                          is filled with, or NULL */
    ngx_uint_t              concurrency;
    ngx_uint_t              max_calls;

    ngx_array_t             round;     /* of ngx_group_step_t * */
    ngx_uint_t              calls;     /* made so far, this round included */

    ngx_group_value_t      *result;    /* canonical answer */
    ngx_group_error_t       error;
    ngx_str_t               orphan;    /* id of what could not be undone, */
    ngx_str_t               left;      /* and what is left of it, if it is not
                                          the group as a whole */

    /* of the plan itself */
    ngx_group_plan_pt       next;
    ngx_group_plan_pt       after;     /* the members are known: go on here */
    ngx_str_t               group_id;
    ngx_group_value_t      *members;   /* read so far, or wanted */
    ngx_group_value_t      *item;      /* of a list, the next to complete */
    ngx_array_t            *fills;     /* groups of it whose members are read */
    ngx_group_value_t      *page;      /* query of the page that is read */
    ngx_group_value_t      *before;    /* the group as it was, or NULL */
    ngx_group_value_t      *adds;      /* members to be added in calls of their
                                          own, in all; */
    ngx_group_value_t      *add;       /* the next one, or NULL */
    ngx_group_value_t      *removes;   /* and to be removed */
    ngx_group_value_t      *remove;
    ngx_group_value_t      *items;     /* groups of a list, read so far */
    ngx_group_error_t       cause;     /* why it is undone */
    ngx_uint_t              tries;
    unsigned                late:1;    /* set by the caller: no more calls */
    unsigned                changed:1; /* set by the caller: "doc" is not what
                                          the client wrote */
    unsigned                begun:1;   /* there may be something to undo */
    unsigned                put:1;     /* the fields were written, too */
    unsigned                closing:1; /* all is written: only reads follow */
    unsigned                undoing:1;
    unsigned                serial:1;  /* it changes what it has read: no other
                                          such plan of the group meanwhile */
    unsigned                brief:1;   /* the client does not want members */
    unsigned                apart:1;   /* members go in calls of their own */
};


/*
 * Chooses the plan.  NGX_OK; NGX_DECLINED with plan->error "not_supported",
 * which names what the upstream cannot do; NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_plan_create(ngx_group_plan_t *plan);

/*
 * Goes on.  NGX_AGAIN: make the calls of plan->round, all of them, and come
 * back; NGX_OK: plan->result is the canonical answer; NGX_DECLINED:
 * plan->error is; NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_plan_run(ngx_group_plan_t *plan);

/*
 * There was no memory, for the plan or for its caller, and no call is under
 * way: goes on with undoing what is half done.  As ngx_group_plan_run();
 * NGX_ERROR: there is nothing to undo, or that is what there is no memory for.
 */
ngx_int_t ngx_group_plan_abandon(ngx_group_plan_t *plan);

/* whether an answer of the upstream's to "op" tells that canonical field */
ngx_uint_t ngx_group_plan_tells(ngx_group_op_t *op, char *name);

/* whether a request of "op" can carry it */
ngx_uint_t ngx_group_plan_takes(ngx_group_op_t *op, char *name);


#endif /* _NGX_GROUP_PLAN_H_INCLUDED_ */
