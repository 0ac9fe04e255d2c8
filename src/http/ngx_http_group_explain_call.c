
/*
 * The calls of group_explain: what would be sent upstream, shown as proxy_pass
 * would be given it, and which earlier calls it needs the answers of.
 */


#include "ngx_http_group_explain.h"
#include "ngx_group_text.h"


static ngx_int_t ngx_http_group_explain_call(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_value_t *object);
static ngx_int_t ngx_http_group_explain_headers(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_http_group_call_t *call,
    ngx_group_value_t *object);
static ngx_uint_t ngx_http_group_explain_secret(ngx_http_group_call_t *call,
    ngx_str_t *name);
static ngx_int_t ngx_http_group_explain_depends(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_value_t *object);
static ngx_uint_t ngx_http_group_explain_mark(ngx_str_t *text, u_char *marks,
    ngx_uint_t n);
static ngx_int_t ngx_http_group_explain_uri(ngx_pool_t *pool,
    ngx_http_group_call_t *call, ngx_uint_t made, ngx_str_t *uri);


ngx_int_t
ngx_http_group_explain_round(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_group_step_t          **step;
    ngx_group_value_t          *object, *copy;
    ngx_http_group_explain_t   *ex;

    ex = ctx->explain;
    ex->round++;

    step = ctx->plan->round.elts;

    for (i = 0; i < ctx->plan->round.nelts; i++) {

        if (step[i]->call == NULL) {
            continue;
        }

        ex->ncalls++;

        object = ngx_http_group_explain_add(r->pool, ex->calls, NULL,
                                            NGX_GROUP_OBJECT);

        if (object == NULL
            || ngx_http_group_explain_call(r, ctx, step[i], object) != NGX_OK)
        {
            return NGX_ERROR;
        }

        step[i]->answer = ngx_http_group_explain_answer(ctx, step[i],
                                                        ex->ncalls);
        if (step[i]->answer == NULL) {
            return NGX_ERROR;
        }

        copy = ngx_group_value_copy(r->pool, step[i]->answer);

        if (copy == NULL
            || ngx_http_group_explain_set(r->pool, object, "assumed", copy)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_explain_call(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step, ngx_group_value_t *object)
{
    ngx_int_t                  depends;
    ngx_str_t                  uri;
    ngx_pool_t                *pool;
    ngx_http_group_call_t     *call;
    ngx_http_group_explain_t  *ex;

    pool = r->pool;
    ex = ctx->explain;
    call = step->call;

    if (ngx_http_group_explain_number(pool, object, "call", ex->ncalls)
        != NGX_OK
        || ngx_http_group_explain_number(pool, object, "round", ex->round)
           != NGX_OK
        || (step->op->operation < NGX_GROUP_OPERATIONS
            && ngx_http_group_explain_text(pool, object, "operation",
                             ngx_group_operation_name(step->op->operation))
               != NGX_OK)
        || ngx_http_group_explain_text(pool, object, "method", &call->method)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    depends = ngx_http_group_explain_depends(r, ctx, step, object);

    if (depends == NGX_ERROR
        || ngx_http_group_explain_uri(pool, call, depends == NGX_OK, &uri)
           != NGX_OK
        || ngx_http_group_explain_text(pool, object, "uri", &uri) != NGX_OK
        || ngx_http_group_explain_headers(r, ctx, call, object) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_group_explain_body(pool, &call->media_type, &call->body,
                                       object);
}


/* what proxy_pass is given; its own, such as Connection, come on top */

static ngx_int_t
ngx_http_group_explain_headers(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_http_group_call_t *call,
    ngx_group_value_t *object)
{
    u_char              *p;
    ngx_str_t            value;
    ngx_uint_t           i;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_group_value_t   *headers, *v;
    ngx_http_request_t  *sr;

    static ngx_str_t     masked = ngx_string("***");

    sr = ngx_pcalloc(r->pool, sizeof(ngx_http_request_t));
    headers = ngx_http_group_explain_add(r->pool, object, "headers",
                                         NGX_GROUP_OBJECT);

    if (sr == NULL || headers == NULL) {
        return NGX_ERROR;
    }

    sr->pool = r->pool;
    call->request = r;

    if (ngx_http_group_call_headers(sr, call) != NGX_OK) {
        return NGX_ERROR;
    }

    part = &sr->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NGX_OK;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        value = ngx_http_group_explain_secret(call, &h[i].key)
                ? masked
                : ngx_http_group_header_is(&h[i], "host")
                  ? ctx->upstream_host : h[i].value;

        /* RFC 9110, 5.2: the same name again is the same as a list */

        v = ngx_group_value_get(headers, &h[i].key);

        if (v) {
            p = ngx_pnalloc(r->pool, v->u.text.len + 2 + value.len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            v->u.text.len = ngx_sprintf(p, "%V, %V", &v->u.text, &value) - p;
            v->u.text.data = p;

            continue;
        }

        v = ngx_group_value_string(r->pool, &value);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(headers, &h[i].key, v);
    }
}


/* all that signs a call in, but for the date of a signature */

static ngx_uint_t
ngx_http_group_explain_secret(ngx_http_group_call_t *call, ngx_str_t *name)
{
    ngx_uint_t           i;
    ngx_group_header_t  *header;

    if (ngx_group_str_case_is(name, "Authorization")) {
        return 1;
    }

    if (call->headers == NULL || ngx_group_str_case_is(name, "X-Amz-Date")) {
        return 0;
    }

    header = call->headers->elts;

    for (i = 0; i < call->headers->nelts; i++) {
        if (ngx_group_str_case_eq(&header[i].name, name)) {
            return 1;
        }
    }

    return 0;
}


/* NGX_OK: it does; NGX_DECLINED; NGX_ERROR */

static ngx_int_t
ngx_http_group_explain_depends(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_value_t *object)
{
    ngx_uint_t                 i, n, found;
    ngx_group_value_t         *list, *number;
    ngx_http_group_call_t     *call;
    ngx_http_group_explain_t  *ex;

    ex = ctx->explain;
    call = step->call;
    n = ex->ncalls;

    if (ex->marks == NULL) {
        ex->marks = ngx_pcalloc(r->pool, ctx->plan->max_calls + 1);
        if (ex->marks == NULL) {
            return NGX_ERROR;
        }
    }

    found = ngx_http_group_explain_mark(&call->path, ex->marks, n)
            + ngx_http_group_explain_mark(&call->args, ex->marks, n)
            + ngx_http_group_explain_mark(&call->body, ex->marks, n);

    if (ex->vague && ex->vague < n
        && step->op->operation == NGX_GROUP_GROUP_REPLACE)
    {
        ex->marks[ex->vague] = 1;
        found++;
    }

    if (found == 0) {
        return NGX_DECLINED;
    }

    list = ngx_http_group_explain_add(r->pool, object, "depends_on",
                                      NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    for (i = 1; i < n; i++) {

        if (!ex->marks[i]) {
            continue;
        }

        ex->marks[i] = 0;

        number = ngx_group_value_integer(r->pool, i);
        if (number == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_push(list, number);
    }

    return NGX_OK;
}


/*
 * Marks the calls below "n" whose made-up answers a text has something of:
 * "{id of call 1}", as it is, percent-encoded, or in an e-mail address.
 */

static ngx_uint_t
ngx_http_group_explain_mark(ngx_str_t *text, u_char *marks, ngx_uint_t n)
{
    u_char      *p, *last;
    ngx_uint_t   i, k, found;

    static ngx_str_t  begins[] = {
        ngx_string(" of call "),
        ngx_string("-of-call-"),
        ngx_string("%20of%20call%20")
    };

    found = 0;
    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (*p != ' ' && *p != '-' && *p != '%') {
            continue;
        }

        for (k = 0; k < sizeof(begins) / sizeof(begins[0]); k++) {

            if ((size_t) (last - p) <= begins[k].len
                || ngx_memcmp(p, begins[k].data, begins[k].len) != 0)
            {
                continue;
            }

            p += begins[k].len;

            for (i = 0; p < last && *p >= '0' && *p <= '9' && i < n; p++) {
                i = i * 10 + (*p - '0');
            }

            if (i && i < n && p < last && (*p == '}' || *p == '%')) {
                marks[i] = 1;
                found++;
            }

            /* what stands here may begin another one */

            p--;

            break;
        }
    }

    return found;
}


/* what stands for an answer's text is to be read by people */

static ngx_int_t
ngx_http_group_explain_uri(ngx_pool_t *pool, ngx_http_group_call_t *call,
    ngx_uint_t made, ngx_str_t *uri)
{
    u_char     *p, *last, *to, *end;
    size_t      n;
    ngx_str_t   in, out;

    uri->data = ngx_pnalloc(pool, call->path.len + 1 + call->args.len);
    if (uri->data == NULL) {
        return NGX_ERROR;
    }

    uri->len = ngx_sprintf(uri->data, "%V%s%V", &call->path,
                           call->args.len ? "?" : "", &call->args)
               - uri->data;

    if (!made) {
        return NGX_OK;
    }

    to = uri->data;
    last = uri->data + uri->len;

    for (p = uri->data; p < last; /* void */ ) {

        n = last - p;
        end = (n > 6 && ngx_strncmp(p, "%7B", 3) == 0)
              ? ngx_strnstr(p, "%7D", n) : NULL;

        if (end == NULL) {
            *to++ = *p++;
            continue;
        }

        in.data = p;
        in.len = end + 3 - p;

        if (ngx_group_percent_decode(pool, &in, &out, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        to = ngx_cpymem(to, out.data, out.len);
        p = end + 3;
    }

    uri->len = to - uri->data;

    return NGX_OK;
}
