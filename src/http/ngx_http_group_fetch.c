
/*
 * What a hook asks other locations of the server for: a subrequest that finds
 * its location as any other does.  The answer is taken out of the filter chain
 * as that of an upstream call is.
 */


#include "ngx_http_group_module.h"


static ngx_int_t ngx_http_group_fetch_headers(ngx_http_group_call_t *call);
static ngx_int_t ngx_http_group_fetch_header(ngx_http_group_call_t *call,
    ngx_str_t *name, ngx_str_t *value);
static void ngx_http_group_fetch_write(ngx_http_request_t *r);
static void ngx_http_group_fetch_late(ngx_event_t *ev);
static ngx_uint_t ngx_http_group_fetch_delayed(ngx_http_request_t *sr);
static ngx_uint_t ngx_http_group_fetch_left(ngx_http_request_t *sr);
static void ngx_http_group_fetch_end(ngx_http_group_call_t *call);
static void ngx_http_group_fetch_cleanup(void *data);


ngx_int_t
ngx_http_group_fetch_start(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_fetch_t *fetch)
{
    ngx_str_t               uri, args;
    ngx_uint_t              flags;
    ngx_http_request_t     *sr;
    ngx_pool_cleanup_t     *cln;
    ngx_http_group_call_t  *call;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group fetch \"%V %V\"", &fetch->method, &fetch->uri);

    uri = fetch->uri;
    ngx_str_null(&args);
    flags = 0;

    if (ngx_http_parse_unsafe_uri(r, &uri, &args, &flags) != NGX_OK) {
        fetch->failed = "uri";
        return NGX_OK;
    }

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_group_call_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (call == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    call->request = r;
    call->pending = &ctx->pending;
    call->fetch = fetch;
    call->limit = fetch->limit;
    call->method = fetch->method;
    call->body = fetch->body;
    call->media_type = fetch->media_type;
    call->headers = fetch->headers;

    sr = ngx_http_group_call_subrequest(r, call, &uri, &args);
    if (sr == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_group_call_headers(sr, call) != NGX_OK) {
        ngx_http_group_call_break(sr, call);
        return NGX_ERROR;
    }

    ngx_http_group_call_method(sr, call);

    call->sr = sr;

    call->timer.handler = ngx_http_group_fetch_late;
    call->timer.data = call;
    call->timer.log = r->connection->log;

    cln->handler = ngx_http_group_fetch_cleanup;
    cln->data = call;

    ngx_add_timer(&call->timer, fetch->timeout);

    call->next = ctx->fetching;
    ctx->fetching = call;

    ctx->pending++;

    r->write_event_handler = ngx_http_group_fetch_write;

    return NGX_OK;
}


void
ngx_http_group_fetch_done(ngx_http_group_call_t *call)
{
    ngx_group_fetch_t  *fetch;

    fetch = call->fetch;

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    /* what nginx answers itself has a status and no page, or no body */

    fetch->status = call->status;

    if (fetch->status == 0 && call->rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        fetch->status = call->rc;

    } else if (call->lost) {
        fetch->failed = "no memory";

    } else if (call->too_large) {
        fetch->failed = "too large";

    } else if (call->status == 0
               || (!call->complete
                   && (call->upstream || call->rc != NGX_OK
                       || call->answer.len)))
    {
        fetch->failed = "incomplete";

    } else {
        fetch->answer = call->answer;

        if (ngx_http_group_fetch_headers(call) != NGX_OK) {
            fetch->failed = "no memory";
        }
    }

    ngx_http_group_call_wake(call);
}


/* names in lower case, for a hook to find them */

static ngx_int_t
ngx_http_group_fetch_headers(ngx_http_group_call_t *call)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  type = ngx_string("content-type");

    call->fetch->answer_headers = ngx_array_create(call->request->pool, 8,
                                                   sizeof(ngx_group_header_t));
    if (call->fetch->answer_headers == NULL) {
        return NGX_ERROR;
    }

    if (call->answer_type.len
        && ngx_http_group_fetch_header(call, &type, &call->answer_type)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    part = &call->answer_headers->part;
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

        if (h[i].hash
            && ngx_http_group_fetch_header(call, &h[i].key, &h[i].value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_http_group_fetch_header(ngx_http_group_call_t *call, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_group_header_t  *header;

    header = ngx_array_push(call->fetch->answer_headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    header->name.len = name->len;
    header->name.data = ngx_pnalloc(call->request->pool, name->len);
    header->value = *value;

    if (header->name.data == NULL) {
        header->name.len = 0;
        return NGX_ERROR;
    }

    ngx_strlow(header->name.data, name->data, name->len);

    return NGX_OK;
}


/*
 * limit_req holds a request up by a timer of the client's connection, which
 * wakes the client's request and not the one that it held up.  Others that
 * write meanwhile, as they believe to that connection, are held up, too.
 */

static void
ngx_http_group_fetch_write(ngx_http_request_t *r)
{
    ngx_http_request_t     *sr;
    ngx_http_group_ctx_t   *ctx;
    ngx_http_group_call_t  *call;

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    for (call = ctx ? ctx->fetching : NULL; call; call = call->next) {
        sr = call->sr;

        if (ngx_http_group_fetch_delayed(sr)
            || (sr->buffered && ngx_http_group_fetch_left(sr)))
        {
            sr->write_event_handler(sr);
        }
    }
}


/* it waits in one of nginx's phases */

static ngx_uint_t
ngx_http_group_fetch_delayed(ngx_http_request_t *sr)
{
    return !sr->buffered && sr->read_event_handler == ngx_http_test_reading
           && ngx_http_group_fetch_left(sr);
}


/* neither an upstream nor a thread has it */

static ngx_uint_t
ngx_http_group_fetch_left(ngx_http_request_t *sr)
{
    return !sr->done && !sr->aio
           && (sr->upstream == NULL || sr->upstream->cleanup == NULL);
}


static void
ngx_http_group_fetch_end(ngx_http_group_call_t *call)
{
    ngx_event_t            *wev;
    ngx_http_group_ctx_t   *ctx;
    ngx_http_group_call_t  *other;

    call->sr->write_event_handler = ngx_http_request_empty_handler;
    call->sr->read_event_handler = ngx_http_request_empty_handler;

    ngx_http_finalize_request(call->sr, NGX_OK);

    ctx = ngx_http_get_module_ctx(call->request, ngx_http_group_module);
    wev = call->request->connection->write;

    if (ctx == NULL) {
        return;
    }

    /* an answer that is sent may be held up by itself, and before is not */

    if (ctx->state != NGX_HTTP_GROUP_FINISHED && wev->delayed) {

        for (other = ctx->fetching; other; other = other->next) {
            if (ngx_http_group_fetch_delayed(other->sr)) {
                return;
            }
        }

        wev->delayed = 0;

        if (wev->timer_set) {
            ngx_del_timer(wev);
        }
    }

    ngx_http_group_fetch_write(call->request);
}


/*
 * The hook goes on.  What is still to come is for nobody, and the client's
 * connection shall not wait for it: an upstream is left at once, and so is who
 * waits to be let in.
 */

static void
ngx_http_group_fetch_late(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_http_upstream_t    *u;
    ngx_http_group_call_t  *call;

    call = ev->data;
    c = call->request->connection;

    ngx_http_set_log_request(c->log, call->request);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "group fetch \"%V\" timed out", &call->fetch->uri);

    call->done = 1;
    call->fetch->failed = "timeout";

    /* first: where the connection has failed, what follows ends all of it */

    ngx_http_group_call_wake(call);

    u = call->sr->upstream;

    if (u && u->cleanup) {
        (*u->cleanup)(call->sr);

    } else if (ngx_http_group_fetch_delayed(call->sr)) {
        ngx_http_group_fetch_end(call);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_group_fetch_cleanup(void *data)
{
    ngx_http_group_call_t *call = data;

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }
}
