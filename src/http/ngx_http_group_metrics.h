
/*
 * The counters of group_metrics, what the files that count them and that write
 * them share.  A row is what has the same labels; where it is in shared memory
 * is found by them, so that it outlives a reload.
 */


#ifndef _NGX_HTTP_GROUP_METRICS_H_INCLUDED_
#define _NGX_HTTP_GROUP_METRICS_H_INCLUDED_


#include "ngx_http_group_module.h"


/* of a histogram, the last one without a bound */
#define NGX_HTTP_GROUP_BUCKETS  14

/* each bucket, and the sum in nanoseconds */
#define NGX_HTTP_GROUP_HISTOGRAM  (NGX_HTTP_GROUP_BUCKETS + 1)


/* rows of what no operation is: a document, and what is not understood */

#define NGX_HTTP_GROUP_DOCUMENT   (NGX_GROUP_VENDOR_READ + 1)
#define NGX_HTTP_GROUP_UNKNOWN    (NGX_GROUP_VENDOR_READ + 2)
#define NGX_HTTP_GROUP_ALL_OPERATIONS  (NGX_GROUP_VENDOR_READ + 3)


/* the outcome of a request that was not answered by us, nor by nginx for us */
#define NGX_HTTP_GROUP_NO_OUTCOME  NGX_GROUP_OUTCOMES


/* values of a row of an operation: the outcomes, and group_mode log_only's */

#define NGX_HTTP_GROUP_OPERATION_LET     (NGX_GROUP_OUTCOMES + 1)
#define NGX_HTTP_GROUP_OPERATION_VALUES  (NGX_GROUP_OUTCOMES + 2)


/* no answer, 2xx, 3xx, 4xx, 5xx */
#define NGX_HTTP_GROUP_CLASSES  5


typedef enum {
    NGX_HTTP_GROUP_ROW_OPERATION = 0,
    NGX_HTTP_GROUP_ROW_PAIR,
    NGX_HTTP_GROUP_ROW_LOST,
    NGX_HTTP_GROUP_ROW_POLICY
} ngx_http_group_row_e;


/* values of a row of a client's and an upstream's dialect */

#define NGX_HTTP_GROUP_PAIR_CALLS                                             \
    (NGX_HTTP_GROUP_PHASES * NGX_HTTP_GROUP_HISTOGRAM)
#define NGX_HTTP_GROUP_PAIR_UNDOS                                             \
    (NGX_HTTP_GROUP_PAIR_CALLS + NGX_HTTP_GROUP_CLASSES)
#define NGX_HTTP_GROUP_PAIR_UNDO_FAILURES  (NGX_HTTP_GROUP_PAIR_UNDOS + 1)
#define NGX_HTTP_GROUP_PAIR_VALUES         (NGX_HTTP_GROUP_PAIR_UNDOS + 2)


/* and of a policy */

#define NGX_HTTP_GROUP_POLICY_TIME    NGX_GROUP_VERDICTS
#define NGX_HTTP_GROUP_POLICY_PEAK    (NGX_GROUP_VERDICTS + 1)
#define NGX_HTTP_GROUP_POLICY_VALUES  (NGX_GROUP_VERDICTS + 2)


typedef struct {
    ngx_http_group_row_e       kind;
    ngx_str_t                  labels;    /* name="value",... as written */
    ngx_uint_t                 n;
    ngx_atomic_t              *values;    /* in shared memory */
} ngx_http_group_row_t;


typedef struct {
    ngx_str_t                  field;     /* empty: any other */
    ngx_http_group_row_t      *row;
} ngx_http_group_lost_t;


/* what is counted of the locations with the same two dialects */

struct ngx_http_group_metrics_s {
    ngx_group_dialect_t       *dialect;
    ngx_group_dialect_t       *upstream;
    ngx_http_group_row_t      *operations[NGX_HTTP_GROUP_ALL_OPERATIONS];
    ngx_http_group_row_t      *pair;
    ngx_array_t                lost;      /* of ngx_http_group_lost_t; the last
                                             one is any other field */
};


extern ngx_str_t  ngx_http_group_metrics_phases[];
extern uint64_t   ngx_http_group_metrics_bounds[];


#endif /* _NGX_HTTP_GROUP_METRICS_H_INCLUDED_ */
