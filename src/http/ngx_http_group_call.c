
/*
 * One upstream call: a subrequest that starts where the client's request is,
 * at the content of its location, so that the location's own proxy_pass
 * carries it, with its TLS, keepalive, retries and timeouts.  What comes back
 * is taken out of the filter chain.
 */


#include "ngx_http_group_module.h"


#define NGX_HTTP_GROUP_HEADERS   20
#define NGX_HTTP_GROUP_ANSWER    4096


static void ngx_http_group_call_handler(ngx_http_request_t *sr);
static void ngx_http_group_call_broken(ngx_http_request_t *sr);
static ngx_int_t ngx_http_group_call_set(ngx_http_request_t *sr,
    ngx_http_group_call_t *call);
static ngx_int_t ngx_http_group_call_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc);
static ngx_int_t ngx_http_group_call_hops(ngx_http_request_t *r,
    ngx_array_t *hops);
static int ngx_libc_cdecl ngx_http_group_call_hop(const void *one,
    const void *two);
static ngx_uint_t ngx_http_group_call_drops(ngx_table_elt_t *h,
    ngx_array_t *hops);
static ngx_uint_t ngx_http_group_call_keeps(ngx_http_group_call_t *call,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_http_group_call_begins(ngx_table_elt_t *h,
    ngx_str_t *name);
static ngx_table_elt_t *ngx_http_group_call_header(ngx_http_request_t *sr,
    char *name, ngx_str_t *value);
static ngx_int_t ngx_http_group_call_body(ngx_http_request_t *sr,
    ngx_http_group_call_t *call);
static ngx_int_t ngx_http_group_call_grow(ngx_http_request_t *sr,
    ngx_http_group_call_t *call, size_t need);


typedef struct {
    ngx_str_t   name;
    ngx_uint_t  method;
} ngx_http_group_method_t;


static ngx_http_group_method_t  ngx_http_group_methods[] = {
    { ngx_string("GET"), NGX_HTTP_GET },
    { ngx_string("POST"), NGX_HTTP_POST },
    { ngx_string("PUT"), NGX_HTTP_PUT },
    { ngx_string("PATCH"), NGX_HTTP_PATCH },
    { ngx_string("DELETE"), NGX_HTTP_DELETE },
    { ngx_null_string, NGX_HTTP_UNKNOWN }
};


/*
 * Headers of the client's that are not for the upstream: who the client is,
 * what is about its own body, connection and representation, and what would
 * make the upstream's answer another than the whole of what was asked for.
 */

static ngx_str_t  ngx_http_group_dropped[] = {
    ngx_string("authorization"),
    ngx_string("proxy-authorization"),
    ngx_string("cookie"),
    ngx_string("cookie2"),
    ngx_string("accept"),
    ngx_string("accept-charset"),
    ngx_string("accept-encoding"),
    ngx_string("connection"),
    ngx_string("date"),
    ngx_string("digest"),
    ngx_string("expect"),
    ngx_string("keep-alive"),
    ngx_string("proxy-connection"),
    ngx_string("range"),
    ngx_string("repr-digest"),
    ngx_string("te"),
    ngx_string("trailer"),
    ngx_string("transfer-encoding"),
    ngx_string("upgrade"),
    ngx_string("x-http-method"),
    ngx_string("x-http-method-override"),
    ngx_string("x-method-override"),
    ngx_string("x-original-url"),
    ngx_string("x-rewrite-url"),
    ngx_null_string
};


static ngx_str_t  ngx_http_group_dropped_prefixes[] = {
    ngx_string("content-"),
    ngx_string("if-"),
    ngx_string("x-amz-"),
    ngx_null_string
};


/* what a hook's fetch has of the client's headers, besides the host */

static ngx_str_t  ngx_http_group_kept[] = {
    ngx_string("traceparent"),
    ngx_string("tracestate"),
    ngx_string("user-agent"),
    ngx_string("x-request-id"),
    ngx_null_string
};


ngx_int_t
ngx_http_group_call_start(ngx_http_request_t *r, ngx_http_group_call_t *call)
{
    ngx_http_request_t  *sr;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group call \"%V %V\" body:%uz", &call->method, &call->path,
                   call->body.len);

    call->request = r;

    /* what a write has made must not be lost for want of memory to read it */

    if (!ngx_group_str_is(&call->method, "GET")) {
        call->answer.data = ngx_pnalloc(r->pool, NGX_HTTP_GROUP_ANSWER);
        if (call->answer.data == NULL) {
            return NGX_ERROR;
        }

        call->size = NGX_HTTP_GROUP_ANSWER;
    }

    sr = ngx_http_group_call_subrequest(r, call, &r->uri, &r->args);
    if (sr == NULL) {
        return NGX_ERROR;
    }

    /*
     * The location is the client's, however that came there: the URI may lead
     * elsewhere, and rewriting is not done twice.
     */

    sr->loc_conf = r->loc_conf;
    sr->content_handler = r->content_handler;
    sr->write_event_handler = ngx_http_group_call_handler;

    /* where what nginx makes of it goes on: the update of a cache */

    sr->phase_handler = r->phase_handler;

    ngx_http_set_ctx(sr, call, ngx_http_group_module);

    if (ngx_http_group_call_headers(sr, call) != NGX_OK) {
        ngx_http_group_call_break(sr, call);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* it is in nginx's list of what is to be run: it runs, and does nothing */

void
ngx_http_group_call_break(ngx_http_request_t *sr, ngx_http_group_call_t *call)
{
    call->done = 1;

    sr->write_event_handler = ngx_http_group_call_broken;
}


static void
ngx_http_group_call_broken(ngx_http_request_t *sr)
{
    ngx_http_finalize_request(sr, NGX_OK);
}


/*
 * In the background: it does not take its turn at the client's connection,
 * where nothing of it is ever sent.
 */

ngx_http_request_t *
ngx_http_group_call_subrequest(ngx_http_request_t *r,
    ngx_http_group_call_t *call, ngx_str_t *uri, ngx_str_t *args)
{
    ngx_uint_t                   count;
    ngx_http_request_t          *sr;
    ngx_http_post_subrequest_t  *ps;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NULL;
    }

    ps->handler = ngx_http_group_call_done;
    ps->data = call;

    count = r->main->count;

    if (ngx_http_subrequest(r, uri, args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK)
    {
        /* nginx counts it before the last of its allocations */

        r->main->count = count;
        return NULL;
    }

    return sr;
}


ngx_http_group_call_t *
ngx_http_group_call_of(ngx_http_request_t *r)
{
    /* unlike a ctx this outlives an internal redirect: X-Accel-Redirect */

    if (r == r->main || r->post_subrequest == NULL
        || r->post_subrequest->handler != ngx_http_group_call_done)
    {
        return NULL;
    }

    return r->post_subrequest->data;
}


ngx_uint_t
ngx_http_group_call_cloned(ngx_http_request_t *r)
{
    ngx_http_group_call_t  *call;

    if (r == r->main || r->post_subrequest) {
        return 0;
    }

    call = ngx_http_group_call_of(r->parent);

    return call && call->fetch == NULL;
}


static ngx_int_t
ngx_http_group_call_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_http_group_call_t *call = data;

    ngx_int_t                   n;
    ngx_http_request_t         *r;
    ngx_http_upstream_state_t  *state;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "group call done: %i status:%ui complete:%d again:%d",
                   rc, call->status, (int) call->complete, (int) call->done);

    sr->background = 1;

    /* nginx may finalize a subrequest more than once */

    if (call->done) {
        return NGX_OK;
    }

    /* what threads still read from a temporary file, or the cache, comes */

    if (sr->buffered && !call->complete && !call->stopped
        && (rc == NGX_OK || rc == NGX_AGAIN))
    {
        return rc;
    }

    call->done = 1;
    call->rc = rc;
    call->upstream = (sr->upstream != NULL);

    if (call->stopped) {
        sr->connection->error = call->failed;
    }

    /* nobody waits for what was not taken */

    sr->buffered = 0;

    if (call->fetch) {
        ngx_http_group_fetch_done(call);
        return NGX_OK;
    }

    r = call->request;

    ngx_http_group_count_call(ngx_http_get_module_ctx(r,
                                                      ngx_http_group_module),
                              call->status);

    /* $upstream_addr and the like are the client's request's in a log */

    if (sr->upstream_states && sr->upstream_states->nelts) {

        if (r->upstream_states == NULL) {
            r->upstream_states = sr->upstream_states;

        } else {
            n = sr->upstream_states->nelts;

            state = ngx_array_push_n(r->upstream_states, n + 1);

            if (state) {
                ngx_memzero(state, sizeof(ngx_http_upstream_state_t));
                ngx_memcpy(state + 1, sr->upstream_states->elts,
                           n * sizeof(ngx_http_upstream_state_t));
            }
        }
    }

    ngx_http_group_call_wake(call);

    /* errors are answered by the client's request, in the client's dialect */

    return NGX_OK;
}


void
ngx_http_group_call_wake(ngx_http_group_call_t *call)
{
    ngx_http_request_t    *r;
    ngx_http_group_ctx_t  *ctx;

    r = call->request;
    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    /* a request that failed for itself has its answer, or is sending it */

    if (--*call->pending == 0
        && ctx && ctx->state != NGX_HTTP_GROUP_FINISHED)
    {
        r->write_event_handler = ngx_http_core_run_phases;

        /* what it takes is there: a request that is not woken would hang */

        (void) ngx_http_post_request(r, &call->posted);
    }
}


/* a list of its own: the client's must not be written to */

ngx_int_t
ngx_http_group_call_headers(ngx_http_request_t *sr,
    ngx_http_group_call_t *call)
{
    u_char              *name;
    ngx_uint_t           i;
    ngx_array_t          hops;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h, *to;
    ngx_http_request_t  *r;
    ngx_group_header_t  *header;

    r = call->request;

    ngx_memzero(&sr->headers_in, sizeof(ngx_http_headers_in_t));

    sr->headers_in.content_length_n = -1;
    sr->headers_in.keep_alive_n = -1;
    sr->headers_in.server = r->headers_in.server;
    sr->headers_in.user_agent = r->headers_in.user_agent;
    sr->headers_in.referer = r->headers_in.referer;
#if (NGX_HTTP_X_FORWARDED_FOR)
    sr->headers_in.x_forwarded_for = r->headers_in.x_forwarded_for;
#endif

    if (ngx_list_init(&sr->headers_in.headers, sr->pool,
                      NGX_HTTP_GROUP_HEADERS, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_array_init(&hops, sr->pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_http_group_call_hops(r, &hops) != NGX_OK)
    {
        return NGX_ERROR;
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (r->headers_in.host != &h[i]
            && (ngx_http_group_call_drops(&h[i], &hops)
                || (call->fetch && !ngx_http_group_call_keeps(call, &h[i]))))
        {
            continue;
        }

        to = ngx_list_push(&sr->headers_in.headers);
        if (to == NULL) {
            return NGX_ERROR;
        }

        *to = h[i];

#if (nginx_version >= 1023000)
        /* the next of the same name is in the client's list */
        to->next = NULL;
#endif

        if (r->headers_in.host == &h[i]) {
            sr->headers_in.host = to;
        }
    }

    if (call->accept.len
        && ngx_http_group_call_header(sr, "Accept", &call->accept) == NULL)
    {
        return NGX_ERROR;
    }

    if (call->body.len
        && ngx_http_group_call_header(sr, "Content-Type", &call->media_type)
           == NULL)
    {
        return NGX_ERROR;
    }

    if (call->headers == NULL) {
        return ngx_http_group_call_body(sr, call);
    }

    header = call->headers->elts;

    for (i = 0; i < call->headers->nelts; i++) {

        name = ngx_pnalloc(sr->pool, header[i].name.len + 1);
        if (name == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn(name, header[i].name.data, header[i].name.len + 1);

        h = ngx_http_group_call_header(sr, (char *) name, &header[i].value);
        if (h == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_group_header_is(h, "authorization")) {
            sr->headers_in.authorization = h;
        }
    }

    return ngx_http_group_call_body(sr, call);
}


/* the names of what the client says is for this connection only */

static ngx_int_t
ngx_http_group_call_hops(ngx_http_request_t *r, ngx_array_t *hops)
{
    u_char           *p, *end;
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (!ngx_http_group_header_is(&h[i], "connection")) {
            continue;
        }

        p = h[i].value.data;
        end = p + h[i].value.len;

        while (p < end) {

            if (*p == ',' || *p == ' ' || *p == '\t') {
                p++;
                continue;
            }

            name = ngx_array_push(hops);
            if (name == NULL) {
                return NGX_ERROR;
            }

            name->data = p;

            while (p < end && *p != ',' && *p != ' ' && *p != '\t') {
                p++;
            }

            name->len = p - name->data;
        }
    }

    /* a client may name thousands, and send as many headers */

    ngx_qsort(hops->elts, hops->nelts, sizeof(ngx_str_t),
              ngx_http_group_call_hop);

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_group_call_hop(const void *one, const void *two)
{
    const ngx_str_t *a = one;
    const ngx_str_t *b = two;

    if (a->len != b->len) {
        return (a->len < b->len) ? -1 : 1;
    }

    return (int) ngx_strncasecmp(a->data, b->data, a->len);
}


static ngx_uint_t
ngx_http_group_call_drops(ngx_table_elt_t *h, ngx_array_t *hops)
{
    ngx_str_t  *name;

    if (bsearch(&h->key, hops->elts, hops->nelts, sizeof(ngx_str_t),
                ngx_http_group_call_hop))
    {
        return 1;
    }

    for (name = ngx_http_group_dropped; name->len; name++) {
        if (h->key.len == name->len && ngx_http_group_call_begins(h, name)) {
            return 1;
        }
    }

    for (name = ngx_http_group_dropped_prefixes; name->len; name++) {
        if (h->key.len > name->len && ngx_http_group_call_begins(h, name)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_group_call_keeps(ngx_http_group_call_t *call, ngx_table_elt_t *h)
{
    ngx_str_t           *name;
    ngx_uint_t           i;
    ngx_group_header_t  *own;

    /* the hook's own takes the place of the client's */

    own = call->headers ? call->headers->elts : NULL;

    for (i = 0; own && i < call->headers->nelts; i++) {
        if (h->key.len == own[i].name.len
            && ngx_strncasecmp(h->key.data, own[i].name.data, h->key.len) == 0)
        {
            return 0;
        }
    }

    for (name = ngx_http_group_kept; name->len; name++) {
        if (h->key.len == name->len && ngx_http_group_call_begins(h, name)) {
            return 1;
        }
    }

    return 0;
}


/* "_" is "-" to more than one server */

static ngx_uint_t
ngx_http_group_call_begins(ngx_table_elt_t *h, ngx_str_t *name)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < name->len; i++) {
        c = h->lowcase_key[i];

        if ((c == '_' ? '-' : c) != name->data[i]) {
            return 0;
        }
    }

    return 1;
}


static ngx_table_elt_t *
ngx_http_group_call_header(ngx_http_request_t *sr, char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&sr->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);

    /* modules read header values as C strings */

    h->value.data = ngx_pnalloc(sr->pool, value->len + 1);
    h->lowcase_key = ngx_pnalloc(sr->pool, h->key.len);

    if (h->value.data == NULL || h->lowcase_key == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn(h->value.data, value->data, value->len + 1);
    h->value.len = value->len;

    h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);

    return h;
}


static ngx_int_t
ngx_http_group_call_body(ngx_http_request_t *sr, ngx_http_group_call_t *call)
{
    u_char                   len[NGX_OFF_T_LEN];
    ngx_buf_t               *b;
    ngx_str_t                value;
    ngx_http_request_body_t *rb;

    /* there is always one, so that nobody reads the client's again */

    rb = ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    sr->request_body = rb;

    /* a method that usually has a body says so when it has none */

    if (call->body.len == 0 && !ngx_group_str_is(&call->method, "POST")
        && !ngx_group_str_is(&call->method, "PUT")
        && !ngx_group_str_is(&call->method, "PATCH"))
    {
        return NGX_OK;
    }

    value.data = len;
    value.len = ngx_sprintf(len, "%uz", call->body.len) - len;

    sr->headers_in.content_length = ngx_http_group_call_header(sr,
                                                  "Content-Length", &value);
    if (sr->headers_in.content_length == NULL) {
        return NGX_ERROR;
    }

    if (call->body.len == 0) {
        return NGX_OK;
    }

    b = ngx_calloc_buf(sr->pool);
    rb->bufs = ngx_alloc_chain_link(sr->pool);

    if (b == NULL || rb->bufs == NULL) {
        return NGX_ERROR;
    }

    /* a retry sends from "start" again */

    b->start = call->body.data;
    b->pos = b->start;
    b->last = b->start + call->body.len;
    b->end = b->last;
    b->memory = 1;
    b->last_buf = 1;

    rb->buf = b;
    rb->bufs->buf = b;
    rb->bufs->next = NULL;

    return NGX_OK;
}


static void
ngx_http_group_call_handler(ngx_http_request_t *sr)
{
    ngx_int_t  rc;

    sr->write_event_handler = ngx_http_request_empty_handler;

    rc = ngx_http_group_call_set(sr, sr->post_subrequest->data);

    /*
     * Only how it ends is that of a background subrequest: of one, nginx would
     * not answer with what the cache has while it is updated.
     */

    sr->background = 0;

    if (rc == NGX_OK) {
        rc = sr->content_handler ? sr->content_handler(sr)
                                 : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(sr, rc);
}


void
ngx_http_group_call_method(ngx_http_request_t *sr,
    ngx_http_group_call_t *call)
{
    ngx_http_group_method_t  *m;

    for (m = ngx_http_group_methods; m->name.len; m++) {
        if (ngx_group_str_eq(&m->name, &call->method)) {
            break;
        }
    }

    /* a retry of a non-idempotent request is judged by the method */

    sr->method = m->method;
    sr->method_name = call->method;

    sr->headers_in.content_length_n = sr->headers_in.content_length
                                      ? (off_t) call->body.len : -1;
}


static ngx_int_t
ngx_http_group_call_set(ngx_http_request_t *sr, ngx_http_group_call_t *call)
{
    u_char                    *p;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "group call handler \"%V %V\"", &call->method, &call->path);

    ngx_http_group_call_method(sr, call);

    sr->unparsed_uri = call->path;

    if (call->args.len) {
        sr->unparsed_uri.len = call->path.len + 1 + call->args.len;

        p = ngx_pnalloc(sr->pool, sr->unparsed_uri.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        sr->unparsed_uri.data = p;
        (void) ngx_sprintf(p, "%V?%V", &call->path, &call->args);
    }

    /*
     * "proxy_pass http://name" sends what was set above.  A path in proxy_pass
     * takes the place of the location's name, which is why that stands before
     * ours here.  Where proxy_pass has variables $uri is the path alone.
     */

    sr->valid_unparsed_uri = 1;
    sr->valid_location = 1;

    /* it is percent-encoded, and shall not be so twice */

    sr->quoted_uri = 0;
    sr->internal = 0;

    sr->uri = call->path;

    if (call->proxied) {
        clcf = ngx_http_get_module_loc_conf(sr, ngx_http_core_module);

        p = ngx_pnalloc(sr->pool, clcf->name.len + call->path.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        sr->uri.data = p;
        p = ngx_cpymem(p, clcf->name.data, clcf->name.len);
        p = ngx_cpymem(p, call->path.data + 1, call->path.len - 1);
        sr->uri.len = p - sr->uri.data;
    }

    sr->args = call->args;
    ngx_http_set_exten(sr);

    return NGX_OK;
}


ngx_int_t
ngx_http_group_call_redirected(ngx_http_request_t *sr)
{
    ngx_log_error(NGX_LOG_ERR, sr->connection->log, 0,
                  "upstream redirected a group call to \"%V\", which is not "
                  "done", &sr->uri);

    return NGX_HTTP_BAD_GATEWAY;
}


ngx_int_t
ngx_http_group_call_header_filter(ngx_http_request_t *sr,
    ngx_http_group_call_t *call)
{
    ngx_str_t            *encoding;
    ngx_http_upstream_t  *u;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "group call header filter: %ui length:%O",
                   sr->headers_out.status, sr->headers_out.content_length_n);

    /* somebody else's page, by X-Accel-Redirect: the ctx is gone */

    if (!call->fetch
        && ngx_http_get_module_ctx(sr, ngx_http_group_module) == NULL)
    {
        return ngx_http_group_call_redirected(sr);
    }

    call->status = sr->headers_out.status;
    call->answer_type = sr->headers_out.content_type;
    call->answer_headers = &sr->headers_out.headers;

    if (sr->headers_out.content_encoding) {
        encoding = &sr->headers_out.content_encoding->value;

        call->encoded = !(encoding->len == 8
                          && ngx_strncasecmp(encoding->data,
                                             (u_char *) "identity", 8) == 0);
    }

    if (sr->headers_out.content_length_n > 0) {

        if ((uint64_t) sr->headers_out.content_length_n > call->limit) {
            call->too_large = 1;

        } else if (ngx_http_group_call_grow(sr, call,
                                  (size_t) sr->headers_out.content_length_n)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    sr->filter_need_in_memory = 1;

    /*
     * Of what nginx buffers a subrequest in the background is given nothing
     * until all has come: a long answer would fill the disk, or, where that is
     * not allowed, never go on.  What is kept in a file anyway stays so.
     */

    u = sr->upstream;

    if (u && !u->cacheable && !u->store) {
        u->buffering = 0;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_group_call_body_filter(ngx_http_request_t *sr,
    ngx_http_group_call_t *call, ngx_chain_t *in)
{
    size_t                len;
    ngx_buf_t            *b;
    ngx_chain_t          *cl;
    ngx_http_upstream_t  *u;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            len = b->last - b->pos;

            if (len > call->limit - call->answer.len) {
                call->too_large = 1;
            }

            if (!call->too_large && !call->lost
                && ngx_http_group_call_grow(sr, call, len) != NGX_OK)
            {
                call->lost = 1;
            }

            if (!call->too_large && !call->lost && len) {
                ngx_memcpy(call->answer.data + call->answer.len, b->pos, len);
                call->answer.len += len;
            }

            /* or the upstream's buffers are never free again */

            b->pos = b->last;
        }

        if (b->in_file) {
            b->file_pos = b->file_last;
        }

        if (b->last_buf || b->last_in_chain) {
            call->complete = 1;
        }
    }

    u = sr->upstream;

    if ((call->too_large || call->lost) && u && !u->buffering) {

        /*
         * The upstream is not read any more; that the connection failed, as
         * an error makes nginx believe, is taken back when the call is done,
         * which is at once; where it is buffered it would not be.
         */

        call->stopped = 1;
        call->failed = sr->connection->error;

        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_call_grow(ngx_http_request_t *sr, ngx_http_group_call_t *call,
    size_t need)
{
    size_t   size;
    u_char  *p;

    if (call->size - call->answer.len >= need) {
        return NGX_OK;
    }

    size = call->size ? call->size : NGX_HTTP_GROUP_ANSWER;

    if (call->size == 0 && call->answer.len == 0
        && sr->headers_out.content_length_n > 0)
    {
        size = need;
    }

    while (size - call->answer.len < need) {
        size *= 2;
    }

    p = ngx_pnalloc(sr->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (call->answer.len) {
        ngx_memcpy(p, call->answer.data, call->answer.len);
        ngx_pfree(sr->pool, call->answer.data);
    }

    call->answer.data = p;
    call->size = size;

    return NGX_OK;
}
