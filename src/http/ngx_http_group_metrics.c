
/*
 * Counters of all workers, in Prometheus' text format.  They live in shared
 * memory and outlive a reload.  Labels have values that we know beforehand,
 * never a client's.
 */


#include "ngx_http_group_module.h"


#define NGX_HTTP_GROUP_METRICS_ZONE  65536


/* "nginx_group_..._total", a label, and a counter; and what is written once */
#define NGX_HTTP_GROUP_METRICS_LINE  256


struct ngx_http_group_metrics_s {
    ngx_atomic_t  requests[NGX_GROUP_OUTCOMES];
    ngx_atomic_t  calls;
    ngx_atomic_t  undos;
    ngx_atomic_t  undo_failures;
};


static ngx_int_t ngx_http_group_metrics_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_http_group_metrics_t *ngx_http_group_metrics(
    ngx_http_request_t *r);
static u_char *ngx_http_group_metrics_counter(u_char *p, u_char *last,
    char *name, char *help, ngx_atomic_t value);


static ngx_str_t  ngx_http_group_metrics_name = ngx_string("group_metrics");


ngx_int_t
ngx_http_group_metrics_zone(ngx_conf_t *cf)
{
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);

    gmcf->metrics = ngx_shared_memory_add(cf, &ngx_http_group_metrics_name,
                                          NGX_HTTP_GROUP_METRICS_ZONE,
                                          &ngx_http_group_module);
    if (gmcf->metrics == NULL) {
        return NGX_ERROR;
    }

    gmcf->metrics->init = ngx_http_group_metrics_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_metrics_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(ngx_http_group_metrics_t));
    }

    zone->data = pool->data;

    return (zone->data == NULL) ? NGX_ERROR : NGX_OK;
}


static ngx_http_group_metrics_t *
ngx_http_group_metrics(ngx_http_request_t *r)
{
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_group_module);

    return gmcf->metrics->data;
}


void
ngx_http_group_count_request(ngx_http_request_t *r, ngx_uint_t outcome)
{
    (void) ngx_atomic_fetch_add(&ngx_http_group_metrics(r)->requests[outcome],
                                1);
}


void
ngx_http_group_count_call(ngx_http_request_t *r)
{
    (void) ngx_atomic_fetch_add(&ngx_http_group_metrics(r)->calls, 1);
}


void
ngx_http_group_count_undo(ngx_http_request_t *r, ngx_uint_t failed)
{
    ngx_http_group_metrics_t  *metrics;

    metrics = ngx_http_group_metrics(r);

    (void) ngx_atomic_fetch_add(&metrics->undos, 1);

    if (failed) {
        (void) ngx_atomic_fetch_add(&metrics->undo_failures, 1);
    }
}


ngx_int_t
ngx_http_group_metrics_handler(ngx_http_request_t *r)
{
    u_char                    *p, *last;
    size_t                     size;
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_uint_t                 i;
    ngx_chain_t                out;
    ngx_http_group_metrics_t  *metrics;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group metrics handler");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    metrics = ngx_http_group_metrics(r);

    size = (NGX_GROUP_OUTCOMES + 8) * NGX_HTTP_GROUP_METRICS_LINE;

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = b->last;
    last = b->end;

    p = ngx_slprintf(p, last,
                     "# HELP nginx_group_requests_total "
                     "Requests answered, by outcome.\n"
                     "# TYPE nginx_group_requests_total counter\n");

    for (i = 0; i < NGX_GROUP_OUTCOMES; i++) {
        p = ngx_slprintf(p, last,
                         "nginx_group_requests_total{outcome=\"%V\"} %uA\n",
                         ngx_group_outcome_name(i), metrics->requests[i]);
    }

    p = ngx_http_group_metrics_counter(p, last, "upstream_calls_total",
                                       "Upstream calls begun.",
                                       metrics->calls);
    p = ngx_http_group_metrics_counter(p, last, "plan_undos_total",
                                       "Groups made in part and removed.",
                                       metrics->undos);
    p = ngx_http_group_metrics_counter(p, last, "plan_undo_failures_total",
                                       "Groups made in part and left behind.",
                                       metrics->undo_failures);

    b->last = p;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type,
                "text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


static u_char *
ngx_http_group_metrics_counter(u_char *p, u_char *last, char *name,
    char *help, ngx_atomic_t value)
{
    return ngx_slprintf(p, last,
                        "# HELP nginx_group_%s %s\n"
                        "# TYPE nginx_group_%s counter\n"
                        "nginx_group_%s %uA\n",
                        name, help, name, name, value);
}
