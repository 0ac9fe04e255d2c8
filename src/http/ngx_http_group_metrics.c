
/*
 * What is counted, for group_metrics.  Where no location has that nothing is
 * counted, and no clock is asked.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_metrics.h"
#include <time.h>


static uint64_t ngx_http_group_metrics_now(void);
static void ngx_http_group_metrics_observe(ngx_atomic_t *histogram,
    uint64_t time);
static void ngx_http_group_metrics_count_lost(
    ngx_http_group_metrics_t *metrics, ngx_array_t *lost);


ngx_str_t  ngx_http_group_metrics_phases[] = {
    ngx_string("auth"),
    ngx_string("decode"),
    ngx_string("policy"),
    ngx_string("upstream"),
    ngx_string("encode")
};


/* in nanoseconds: what we do takes microseconds, an upstream up to seconds */

uint64_t  ngx_http_group_metrics_bounds[NGX_HTTP_GROUP_BUCKETS] = {
    10000, 50000, 100000, 500000,
    1000000, 5000000, 10000000, 50000000, 100000000, 500000000,
    1000000000, 5000000000, 10000000000,
    (uint64_t) -1
};


static uint64_t
ngx_http_group_metrics_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


void
ngx_http_group_phase_begin(ngx_http_group_ctx_t *ctx)
{
    if (ctx->metrics) {
        ctx->clock = ngx_http_group_metrics_now();
    }
}


void
ngx_http_group_phase_end(ngx_http_group_ctx_t *ctx,
    ngx_http_group_phase_e phase)
{
    if (ctx->metrics) {
        ctx->times[phase] += ngx_http_group_metrics_now() - ctx->clock;
        ctx->phases |= 1 << phase;
    }
}


void
ngx_http_group_count_request(ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t                 i, n;
    ngx_atomic_t              *values;
    ngx_http_group_row_t      *row;
    ngx_http_group_metrics_t  *metrics;

    metrics = ctx->metrics;

    if (metrics == NULL || ctx->counted) {
        return;
    }

    ctx->counted = 1;

    n = ctx->document ? NGX_HTTP_GROUP_DOCUMENT
                      : ctx->op ? ctx->op->operation : NGX_HTTP_GROUP_UNKNOWN;

    row = metrics->operations[n];

    if (row == NULL) {
        row = metrics->operations[NGX_HTTP_GROUP_UNKNOWN];
    }

    n = (ctx->state == NGX_HTTP_GROUP_FINISHED) ? ctx->error.outcome
                                                : NGX_HTTP_GROUP_NO_OUTCOME;

    (void) ngx_atomic_fetch_add(&row->values[n], 1);

    if (ctx->let) {
        (void) ngx_atomic_fetch_add(
                            &row->values[NGX_HTTP_GROUP_OPERATION_LET], 1);
    }

    if (ctx->run) {
        ctx->times[NGX_HTTP_GROUP_PHASE_POLICY] =
                          (uint64_t) ngx_group_policy_time(ctx->run) * 1000;
        ctx->phases |= 1 << NGX_HTTP_GROUP_PHASE_POLICY;
    }

    values = metrics->pair->values;

    for (i = 0; i < NGX_HTTP_GROUP_PHASES; i++) {
        if (ctx->phases & (1 << i)) {
            ngx_http_group_metrics_observe(
                                      &values[i * NGX_HTTP_GROUP_HISTOGRAM],
                                      ctx->times[i]);
        }
    }

    if (ctx->lost.nelts) {
        ngx_http_group_metrics_count_lost(metrics, &ctx->lost);
    }
}


static void
ngx_http_group_metrics_observe(ngx_atomic_t *histogram, uint64_t time)
{
    ngx_uint_t  i;

    for (i = 0; time > ngx_http_group_metrics_bounds[i]; i++) { /* void */ }

    (void) ngx_atomic_fetch_add(&histogram[i], 1);
    (void) ngx_atomic_fetch_add(&histogram[NGX_HTTP_GROUP_BUCKETS],
                                (ngx_atomic_int_t) time);
}


static void
ngx_http_group_metrics_count_lost(ngx_http_group_metrics_t *metrics,
    ngx_array_t *lost)
{
    ngx_str_t              *name;
    ngx_uint_t              i, n;
    ngx_http_group_lost_t  *field;

    name = lost->elts;
    field = metrics->lost.elts;

    for (i = 0; i < lost->nelts; i++) {

        for (n = 0; n < metrics->lost.nelts - 1; n++) {
            if (ngx_group_str_eq(&field[n].field, &name[i])) {
                break;
            }
        }

        (void) ngx_atomic_fetch_add(&field[n].row->values[0], 1);
    }
}


void
ngx_http_group_count_call(ngx_http_group_ctx_t *ctx, ngx_uint_t status)
{
    ngx_uint_t  n;

    if (ctx == NULL || ctx->metrics == NULL) {
        return;
    }

    n = (status >= 200 && status < 600) ? status / 100 - 1 : 0;

    (void) ngx_atomic_fetch_add(
                 &ctx->metrics->pair->values[NGX_HTTP_GROUP_PAIR_CALLS + n],
                 1);
}


void
ngx_http_group_count_undo(ngx_http_group_ctx_t *ctx, ngx_uint_t failed)
{
    ngx_atomic_t  *values;

    if (ctx->metrics == NULL) {
        return;
    }

    values = ctx->metrics->pair->values;

    (void) ngx_atomic_fetch_add(&values[NGX_HTTP_GROUP_PAIR_UNDOS], 1);

    if (failed) {
        (void) ngx_atomic_fetch_add(
                              &values[NGX_HTTP_GROUP_PAIR_UNDO_FAILURES], 1);
    }
}


void
ngx_http_group_count_policy(void *data, ngx_group_policy_ran_t *ran)
{
    ngx_atomic_t          *peak;
    ngx_atomic_uint_t      was;
    ngx_http_group_row_t  *row;

    row = ran->policy->data;

    if (row == NULL) {
        return;
    }

    (void) ngx_atomic_fetch_add(&row->values[ran->verdict], 1);
    (void) ngx_atomic_fetch_add(&row->values[NGX_HTTP_GROUP_POLICY_TIME],
                                (ngx_atomic_int_t) ran->time);

    peak = &row->values[NGX_HTTP_GROUP_POLICY_PEAK];

    do {
        was = *peak;
    } while (ran->peak > was && !ngx_atomic_cmp_set(peak, was, ran->peak));
}


/* who was not answered by us: the client went away, or nginx knew better */

ngx_int_t
ngx_http_group_metrics_log(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_group_ctx_t       *ctx;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (r != r->main || glcf->metrics == NULL) {
        return NGX_OK;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    if (ctx == NULL) {
        (void) ngx_atomic_fetch_add(
              &glcf->metrics->operations[NGX_HTTP_GROUP_UNKNOWN]->values
                                                [NGX_HTTP_GROUP_NO_OUTCOME],
              1);
        return NGX_OK;
    }

    /* calls that nobody waits for any more */

    if (ctx->state == NGX_HTTP_GROUP_CALL) {
        for (i = 0; i < ctx->pending; i++) {
            ngx_http_group_count_call(ctx, 0);
        }
    }

    ngx_http_group_count_request(ctx);

    return NGX_OK;
}
