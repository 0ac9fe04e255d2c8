
/*
 * The client's request to the canonical one, and the plan that it makes.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_translate.h"
#include "ngx_group_filter.h"
#include "ngx_group_patch.h"


static ngx_int_t ngx_http_group_parse_body(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_parse_search(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_decode_body(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_uint_t ngx_http_group_encoded(ngx_http_request_t *r);
static void ngx_http_group_take_query(ngx_http_group_ctx_t *ctx, char *name,
    ngx_str_t *text);
static ngx_int_t ngx_http_group_lost_fields(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx);


/*
 * Each of nginx's proxying modules begins its location configuration with
 * this.
 */

typedef struct {
    ngx_http_upstream_conf_t  upstream;
} ngx_http_group_proxy_loc_conf_t;


static ngx_str_t  ngx_http_group_owner = ngx_string("owner");


ngx_int_t
ngx_http_group_declined(ngx_http_group_ctx_t *ctx)
{
    return (ctx->error.outcome == NGX_GROUP_DONE) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_group_room(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    size_t len)
{
    ngx_pool_t  *pool;

    if (ctx->client.pool != r->pool) {
        return NGX_OK;
    }

    pool = ngx_group_pool(r->pool, len);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ctx->client.pool = pool;
    ctx->upstream.pool = pool;

    return NGX_OK;
}


ngx_int_t
ngx_http_group_decode_query(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_group_value_t       *cursor;
    ngx_group_translation_t  t;

    static ngx_str_t         cursor_key = ngx_string("cursor");
    static ngx_str_t         page_key = ngx_string("page");

    if (ctx->query) {
        return NGX_OK;
    }

    ctx->query = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    if (ctx->query == NULL) {
        return NGX_ERROR;
    }

    if (ctx->op->query == NULL
        && ctx->op->operation != NGX_GROUP_VENDOR_READ)
    {
        return NGX_OK;
    }

    t = ctx->client;
    t.text = !ctx->search;
    t.query = 1;

    rc = ctx->search ? ngx_http_group_parse_search(r, ctx)
                     : ngx_group_query_parse(&t, &r->args, &ctx->args);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->op->query
        && ngx_group_decode(&t, ctx->op->query, ctx->args, ctx->query)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a page's number beside its token only tells which one it is */

    cursor = ngx_group_value_get(ctx->query, &cursor_key);

    if (cursor && cursor->type == NGX_GROUP_STRING && cursor->u.text.len
        && !ctx->client.same)
    {
        ngx_group_value_unset(ctx->query, &page_key);
    }

    return ngx_http_group_declined(ctx);
}


ngx_int_t
ngx_http_group_decode_request(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    rc = ngx_http_group_decode_query(r, ctx);

    if (rc == NGX_OK && !ctx->search
        && (ctx->op->request || ctx->op->patch))
    {
        rc = ngx_http_group_decode_body(r, ctx);
    }

    if (rc != NGX_OK || glcf->defaults == NULL) {
        return rc;
    }

    return ngx_http_group_fill_defaults(r, glcf, ctx);
}


/* the body to ctx->tree */

static ngx_int_t
ngx_http_group_parse_body(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   why;
    ngx_group_limits_t          limits;
    ngx_group_dialect_t        *dialect;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);
    dialect = glcf->dialect;

    if (ctx->body.len == 0) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_MALFORMED, "empty",
                            "a body is expected");
        return NGX_DECLINED;
    }

    if (r->headers_in.content_type
        && ngx_group_media_type(dialect, &r->headers_in.content_type->value)
           != NGX_OK)
    {
        ngx_group_error_set(&ctx->error, NGX_GROUP_UNSUPPORTED_MEDIA_TYPE,
                            "content_type",
                            "the media type of the body is not supported");
        return NGX_DECLINED;
    }

    if (ngx_http_group_encoded(r)) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_UNSUPPORTED_MEDIA_TYPE,
                            "content_encoding",
                            "an encoded body is not supported");
        return NGX_DECLINED;
    }

    limits.max_depth = glcf->max_depth;
    limits.max_items = glcf->max_members;

    if (ngx_http_group_room(r, ctx, ctx->body.len) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_group_read(ctx->client.pool, dialect->format, &limits,
                        &ctx->body, &ctx->tree, &why);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && ctx->tree->type != NGX_GROUP_OBJECT) {
        ngx_str_set(&why, "an object is expected");
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_MALFORMED, "body", "");
        ctx->error.detail = why;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_decode_body(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_group_value_t    *change;
    ngx_group_dialect_t  *dialect;

    static ngx_str_t      key = ngx_string("change");

    dialect = ctx->client.dialect;

    rc = ngx_http_group_parse_body(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->client.text = (dialect->format == NGX_GROUP_FORMAT_XML);

    if (ctx->op->patch) {
        rc = ngx_group_patch_decode(&ctx->client, dialect->names, ctx->tree,
                                    &change);

        if (rc == NGX_OK && ctx->error.outcome == NGX_GROUP_DONE) {
            ngx_group_value_set(ctx->doc, &key, change);
        }

    } else {
        rc = ngx_group_decode(&ctx->client, ctx->op->request, ctx->tree,
                              ctx->doc);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_group_declined(ctx);
}


/* a query that is a body: lists in it are written as in a query string */

static ngx_int_t
ngx_http_group_parse_search(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    u_char             *p;
    size_t              len;
    ngx_int_t           rc;
    ngx_group_value_t  *v, *item;

    rc = ngx_http_group_parse_body(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->args = ctx->tree;

    for (v = ctx->args->u.items.first; v; v = v->next) {

        if (v->type != NGX_GROUP_ARRAY) {
            continue;
        }

        len = 0;

        for (item = v->u.items.first; item; item = item->next) {
            if (item->type == NGX_GROUP_STRING) {
                len += item->u.text.len + 1;
            }
        }

        p = ngx_pnalloc(r->pool, len + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        item = v->u.items.first;

        v->type = NGX_GROUP_STRING;
        v->u.text.data = p;

        for ( /* void */ ; item; item = item->next) {
            if (item->type == NGX_GROUP_STRING) {
                p = ngx_sprintf(p, "%s%V", p == v->u.text.data ? "" : ",",
                                &item->u.text);
            }
        }

        v->u.text.len = p - v->u.text.data;
    }

    return NGX_OK;
}


/* RFC 9110, 8.4: what is encoded is not to be read as if it were not */

static ngx_uint_t
ngx_http_group_encoded(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (ngx_http_group_header_is(&h[i], "content-encoding")
            && !ngx_group_str_case_is(&h[i].value, "identity"))
        {
            return 1;
        }
    }
}


/* the plan of the canonical request; nothing is sent yet */

ngx_int_t
ngx_http_group_plan(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   why;
    ngx_group_plan_t           *plan;
    ngx_group_value_t          *owner, *filter;
    ngx_http_group_loc_conf_t  *glcf;

    static ngx_str_t            filter_key = ngx_string("filter");

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    owner = ngx_group_value_get(ctx->doc, &ngx_http_group_owner);

    if (owner && owner->type == NGX_GROUP_STRING) {
        ctx->upstream.owner = owner->u.text;
        ctx->client.owner = owner->u.text;
    }

    if (ngx_http_group_upstream_host(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    plan = ngx_pcalloc(r->pool, sizeof(ngx_group_plan_t));
    if (plan == NULL) {
        return NGX_ERROR;
    }

    plan->pool = ctx->client.pool;
    plan->log = r->connection->log;
    plan->client = glcf->dialect;
    plan->upstream = glcf->upstream_dialect;
    plan->op = ctx->op;
    plan->doc = ctx->doc;
    plan->query = ctx->query;
    plan->concurrency = glcf->plan_concurrency;
    plan->max_calls = glcf->plan_max_calls;
    plan->changed = ctx->changed;

    ctx->plan = plan;

    filter = ngx_group_value_get(ctx->query, &filter_key);

    if (filter && ctx->run && plan->upstream != plan->client
        && ngx_group_filter_check(filter, &why) != NGX_OK)
    {
        ngx_group_error_set(&ctx->error, NGX_GROUP_INTERNAL, "hook",
                            "a policy left a filter that is none");
        return NGX_DECLINED;
    }

    /* which of its attributes an answer has is between the client and us */

    ngx_http_group_take_query(ctx, "only", &ctx->only);
    ngx_http_group_take_query(ctx, "without", &ctx->without);

    plan->brief = !ngx_http_group_wanted(ctx, "members");

    if (ngx_http_group_given(glcf, plan) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_group_plan_create(plan);

    if (rc == NGX_DECLINED) {
        ctx->error = plan->error;
    }

    /* between the same two only what we put in may not be carried */

    if (rc != NGX_OK || (plan->upstream == plan->client && !ctx->changed)) {
        return rc;
    }

    if (ngx_http_group_lost_fields(r, glcf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_group_declined(ctx);
}


static void
ngx_http_group_take_query(ngx_http_group_ctx_t *ctx, char *name,
    ngx_str_t *text)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    v = ngx_group_value_get(ctx->query, &key);

    if (v && v->type == NGX_GROUP_STRING) {
        *text = v->u.text;
        ngx_group_value_unset(ctx->query, &key);
    }
}


static ngx_int_t
ngx_http_group_lost_fields(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx)
{
    ngx_str_t       *s;
    ngx_uint_t       i, n;
    ngx_array_t      none, *fields;
    ngx_group_op_t  *op;

    op = ctx->plan->upstream->ops[ctx->op->operation];

    if (ctx->op->request == NULL || op == NULL) {
        return NGX_OK;
    }

    fields = op->request;

    if (fields == NULL) {
        ngx_memzero(&none, sizeof(ngx_array_t));
        fields = &none;
    }

    if (ngx_group_encode_lost(r->pool, fields, ctx->doc, &ctx->lost)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    s = ctx->lost.elts;
    n = 0;

    for (i = 0; i < ctx->lost.nelts; i++) {

        /* members that go in calls of their own are carried */

        if (ctx->plan->apart && ngx_group_str_is(&s[i], "members")) {
            continue;
        }

        s[n++] = s[i];
    }

    ctx->lost.nelts = n;

    for (i = 0; i < n; i++) {

        if (glcf->loss == NGX_HTTP_GROUP_LOSS_REJECT) {
            (void) ngx_group_error_problem(r->pool, &ctx->error, &s[i],
                                           "lost");

        } else if (glcf->loss == NGX_HTTP_GROUP_LOSS_REPORT) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "group operation %V: \"%V\" cannot be carried "
                          "upstream",
                          ngx_group_operation_name(ctx->op->operation), &s[i]);
        }
    }

    return NGX_OK;
}


/*
 * What the upstream is called: the Host that proxy_pass sends unless it is
 * told otherwise.  References are URLs of that host, and a signature is of it.
 * Where proxy_pass has variables it is not known yet, and the client's is
 * taken.
 */

ngx_int_t
ngx_http_group_upstream_host(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    u_char                            *p;
    ngx_str_t                         *host;
    ngx_uint_t                         ssl;
    ngx_http_group_main_conf_t        *gmcf;
    ngx_http_upstream_srv_conf_t      *uscf;
    ngx_http_group_proxy_loc_conf_t   *plcf;

    ssl = 0;
    uscf = NULL;
    host = &ctx->upstream_host;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_group_module);

    if (gmcf->proxy) {
        plcf = r->loc_conf[gmcf->proxy->ctx_index];
        uscf = plcf->upstream.upstream;
#if (NGX_HTTP_SSL)
        /* newer nginx has the object without TLS, too, but not its context */
        ssl = (plcf->upstream.ssl && plcf->upstream.ssl->ctx);
#endif
    }

    if (uscf == NULL) {
        ctx->upstream.origin = ctx->client.origin;
        *host = r->headers_in.host ? r->headers_in.host->value
                                   : r->headers_in.server;
        return NGX_OK;
    }

    ctx->proxied = 1;

    host->data = ngx_pnalloc(r->pool, uscf->host.len + sizeof(":65535"));
    if (host->data == NULL) {
        return NGX_ERROR;
    }

    if (uscf->host.len > 5
        && ngx_strncmp(uscf->host.data, "unix:", 5) == 0)
    {
        ngx_str_set(host, "localhost");

    } else if (uscf->no_port || uscf->port == (ssl ? 443 : 80)) {
        *host = uscf->host;

    } else {
        host->len = ngx_sprintf(host->data, "%V:%d", &uscf->host,
                                (int) uscf->port)
                    - host->data;
    }

    p = ngx_pnalloc(r->pool, sizeof("https://") + host->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->upstream.origin.data = p;
    ctx->upstream.origin.len = ngx_sprintf(p, "%s%V",
                                           ssl ? "https://" : "http://", host)
                               - p;

    return NGX_OK;
}
