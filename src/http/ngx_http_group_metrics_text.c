
/*
 * The counters in Prometheus' text format, version 0.0.4.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_metrics.h"


#define NGX_HTTP_GROUP_METRICS_BUF   32768

/* of a line, but for the labels of its row */
#define NGX_HTTP_GROUP_METRICS_LINE  256


typedef struct {
    ngx_http_request_t         *request;
    ngx_chain_t                *out;
    ngx_chain_t               **last;
    ngx_buf_t                  *buf;
    off_t                       size;
    unsigned                    failed:1;  /* no memory */
} ngx_http_group_text_t;


typedef struct ngx_http_group_family_s  ngx_http_group_family_t;

struct ngx_http_group_family_s {
    char                       *name;      /* without "nginx_group_" */
    char                       *type;
    char                       *help;
    ngx_http_group_row_e        kind;

    /* writes what a row has of it */
    void                      (*write)(ngx_http_group_text_t *text,
                                       ngx_http_group_family_t *family,
                                       ngx_http_group_row_t *row);

    ngx_uint_t                  first;     /* value of the row */
    ngx_uint_t                  n;
    char                       *label;     /* that the values differ in */
    ngx_str_t                *(*value)(ngx_uint_t i);
};


static void ngx_http_group_metrics_counters(ngx_http_group_text_t *text,
    ngx_http_group_family_t *family, ngx_http_group_row_t *row);
static void ngx_http_group_metrics_microseconds(ngx_http_group_text_t *text,
    ngx_http_group_family_t *family, ngx_http_group_row_t *row);
static void ngx_http_group_metrics_histograms(ngx_http_group_text_t *text,
    ngx_http_group_family_t *family, ngx_http_group_row_t *row);
static void ngx_http_group_metrics_histogram(ngx_http_group_text_t *text,
    ngx_http_group_family_t *family, ngx_http_group_row_t *row,
    ngx_uint_t phase);
static ngx_str_t *ngx_http_group_metrics_outcome(ngx_uint_t i);
static ngx_str_t *ngx_http_group_metrics_class(ngx_uint_t i);
static ngx_str_t *ngx_http_group_metrics_verdict(ngx_uint_t i);
static void ngx_http_group_metrics_line(ngx_http_group_text_t *text,
    size_t size, char *fmt, ...);
static ngx_int_t ngx_http_group_metrics_send(ngx_http_request_t *r,
    ngx_http_group_text_t *text);


static ngx_http_group_family_t  ngx_http_group_families[] = {

    { "requests_total", "counter",
      "Requests, by how they ended.",
      NGX_HTTP_GROUP_ROW_OPERATION, ngx_http_group_metrics_counters,
      0, NGX_GROUP_OUTCOMES + 1, "outcome", ngx_http_group_metrics_outcome },

    { "let_through_total", "counter",
      "Requests that group_mode log_only did not refuse.",
      NGX_HTTP_GROUP_ROW_OPERATION, ngx_http_group_metrics_counters,
      NGX_HTTP_GROUP_OPERATION_LET, 1, NULL, NULL },

    { "phase_duration_seconds", "histogram",
      "Time that requests spent in each phase.",
      NGX_HTTP_GROUP_ROW_PAIR, ngx_http_group_metrics_histograms,
      0, NGX_HTTP_GROUP_PHASES, NULL, NULL },

    { "upstream_calls_total", "counter",
      "Upstream calls, by the class of their status.",
      NGX_HTTP_GROUP_ROW_PAIR, ngx_http_group_metrics_counters,
      NGX_HTTP_GROUP_PAIR_CALLS, NGX_HTTP_GROUP_CLASSES, "status",
      ngx_http_group_metrics_class },

    { "plan_undos_total", "counter",
      "Groups that were made or changed in part and were to be put back.",
      NGX_HTTP_GROUP_ROW_PAIR, ngx_http_group_metrics_counters,
      NGX_HTTP_GROUP_PAIR_UNDOS, 1, NULL, NULL },

    { "plan_undo_failures_total", "counter",
      "Groups that were made or changed in part and were left so.",
      NGX_HTTP_GROUP_ROW_PAIR, ngx_http_group_metrics_counters,
      NGX_HTTP_GROUP_PAIR_UNDO_FAILURES, 1, NULL, NULL },

    { "lost_fields_total", "counter",
      "Requests with a field that the upstream cannot carry.",
      NGX_HTTP_GROUP_ROW_LOST, ngx_http_group_metrics_counters,
      0, 1, NULL, NULL },

    { "policy_runs_total", "counter",
      "Hooks that ran, by how that ended.",
      NGX_HTTP_GROUP_ROW_POLICY, ngx_http_group_metrics_counters,
      0, NGX_GROUP_VERDICTS, "result",
      ngx_http_group_metrics_verdict },

    { "policy_seconds_total", "counter",
      "Time that hooks ran.",
      NGX_HTTP_GROUP_ROW_POLICY, ngx_http_group_metrics_microseconds,
      NGX_HTTP_GROUP_POLICY_TIME, 1, NULL, NULL },

    { "policy_memory_peak_bytes", "gauge",
      "The most memory that one run of a hook took.",
      NGX_HTTP_GROUP_ROW_POLICY, ngx_http_group_metrics_counters,
      NGX_HTTP_GROUP_POLICY_PEAK, 1, NULL, NULL },

    { NULL, NULL, NULL, 0, NULL, 0, 0, NULL, NULL }
};


ngx_int_t
ngx_http_group_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_group_row_t        **row;
    ngx_http_group_text_t         text;
    ngx_http_group_family_t      *family;
    ngx_http_group_main_conf_t   *gmcf;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group metrics handler");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_group_module);

    row = gmcf->rows.elts;

    ngx_memzero(&text, sizeof(ngx_http_group_text_t));

    text.request = r;
    text.last = &text.out;

    for (family = ngx_http_group_families; family->name; family++) {

        ngx_http_group_metrics_line(&text, 0,
                                    "# HELP nginx_group_%s %s\n"
                                    "# TYPE nginx_group_%s %s\n",
                                    family->name, family->help, family->name,
                                    family->type);

        for (i = 0; i < gmcf->rows.nelts; i++) {
            if (row[i]->kind == family->kind) {
                family->write(&text, family, row[i]);
            }
        }
    }

    return text.failed ? NGX_HTTP_INTERNAL_SERVER_ERROR
                       : ngx_http_group_metrics_send(r, &text);
}


static void
ngx_http_group_metrics_counters(ngx_http_group_text_t *text,
    ngx_http_group_family_t *family, ngx_http_group_row_t *row)
{
    ngx_uint_t     i;
    ngx_atomic_t  *values;

    values = &row->values[family->first];

    if (family->label == NULL) {
        ngx_http_group_metrics_line(text, row->labels.len,
                                    "nginx_group_%s{%V} %uA\n", family->name,
                                    &row->labels, values[0]);
        return;
    }

    for (i = 0; i < family->n; i++) {
        ngx_http_group_metrics_line(text, row->labels.len,
                                    "nginx_group_%s{%V,%s=\"%V\"} %uA\n",
                                    family->name, &row->labels, family->label,
                                    family->value(i), values[i]);
    }
}


static void
ngx_http_group_metrics_microseconds(ngx_http_group_text_t *text,
    ngx_http_group_family_t *family, ngx_http_group_row_t *row)
{
    ngx_atomic_uint_t  time;

    time = row->values[family->first];

    ngx_http_group_metrics_line(text, row->labels.len,
                                "nginx_group_%s{%V} %uA.%06uA\n",
                                family->name, &row->labels, time / 1000000,
                                time % 1000000);
}


static void
ngx_http_group_metrics_histograms(ngx_http_group_text_t *text,
    ngx_http_group_family_t *family, ngx_http_group_row_t *row)
{
    ngx_uint_t  i;

    for (i = 0; i < family->n; i++) {
        ngx_http_group_metrics_histogram(text, family, row, i);
    }
}


/* the count is that of the buckets: other workers go on counting meanwhile */

static void
ngx_http_group_metrics_histogram(ngx_http_group_text_t *text,
    ngx_http_group_family_t *family, ngx_http_group_row_t *row,
    ngx_uint_t phase)
{
    u_char             *p, bound[NGX_INT64_LEN + sizeof(".000000")];
    ngx_str_t          *name;
    ngx_uint_t          i;
    ngx_atomic_t       *values;
    ngx_atomic_uint_t   sum, count;

    name = &ngx_http_group_metrics_phases[phase];
    values = &row->values[phase * NGX_HTTP_GROUP_HISTOGRAM];

    sum = values[NGX_HTTP_GROUP_BUCKETS];
    count = 0;

    for (i = 0; i < NGX_HTTP_GROUP_BUCKETS; i++) {
        count += values[i];

        /* "0.005", "1" */

        p = ngx_sprintf(bound, "%uL.%06uL",
                        ngx_http_group_metrics_bounds[i] / 1000000000,
                        ngx_http_group_metrics_bounds[i] % 1000000000 / 1000);

        while (p[-1] == '0') {
            p--;
        }

        if (p[-1] == '.') {
            p--;
        }

        if (i == NGX_HTTP_GROUP_BUCKETS - 1) {
            p = ngx_cpymem(bound, "+Inf", 4);
        }

        ngx_http_group_metrics_line(text, row->labels.len,
                                    "nginx_group_%s_bucket{%V,phase=\"%V\","
                                    "le=\"%*s\"} %uA\n",
                                    family->name, &row->labels, name,
                                    (size_t) (p - bound), bound, count);
    }

    ngx_http_group_metrics_line(text, row->labels.len,
                                "nginx_group_%s_sum{%V,phase=\"%V\"} "
                                "%uA.%09uA\n",
                                family->name, &row->labels, name,
                                sum / 1000000000, sum % 1000000000);

    ngx_http_group_metrics_line(text, row->labels.len,
                                "nginx_group_%s_count{%V,phase=\"%V\"} %uA\n",
                                family->name, &row->labels, name, count);
}


static ngx_str_t *
ngx_http_group_metrics_outcome(ngx_uint_t i)
{
    static ngx_str_t  none = ngx_string("none");

    return (i == NGX_HTTP_GROUP_NO_OUTCOME) ? &none
                                            : ngx_group_outcome_name(i);
}


static ngx_str_t *
ngx_http_group_metrics_class(ngx_uint_t i)
{
    static ngx_str_t  classes[] = {
        ngx_string("none"),
        ngx_string("2xx"),
        ngx_string("3xx"),
        ngx_string("4xx"),
        ngx_string("5xx")
    };

    return &classes[i];
}


static ngx_str_t *
ngx_http_group_metrics_verdict(ngx_uint_t i)
{
    static ngx_str_t  verdicts[] = {
        ngx_string("passed"),
        ngx_string("denied"),
        ngx_string("error"),
        ngx_string("timeout"),
        ngx_string("memory")
    };

    return &verdicts[i];
}


/* "size": of the labels, which have no bound of their own */

static void
ngx_http_group_metrics_line(ngx_http_group_text_t *text, size_t size,
    char *fmt, ...)
{
    u_char       *p;
    va_list       args;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    size += NGX_HTTP_GROUP_METRICS_LINE;
    b = text->buf;

    if (b == NULL || (size_t) (b->end - b->last) < size) {

        cl = ngx_alloc_chain_link(text->request->pool);
        b = ngx_create_temp_buf(text->request->pool,
                                ngx_max(size, NGX_HTTP_GROUP_METRICS_BUF));

        if (cl == NULL || b == NULL) {
            text->failed = 1;
            return;
        }

        cl->buf = b;
        cl->next = NULL;

        *text->last = cl;
        text->last = &cl->next;
        text->buf = b;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(b->last, b->end, fmt, args);
    va_end(args);

    text->size += p - b->last;
    b->last = p;
}


static ngx_int_t
ngx_http_group_metrics_send(ngx_http_request_t *r,
    ngx_http_group_text_t *text)
{
    ngx_int_t  rc;

    text->buf->last_buf = (r == r->main);
    text->buf->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text->size;
    ngx_str_set(&r->headers_out.content_type,
                "text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, text->out);
}
