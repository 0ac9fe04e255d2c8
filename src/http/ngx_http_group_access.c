
#include "ngx_http_group_module.h"


static ngx_int_t ngx_http_group_authenticate(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_auth_request(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_group_auth_request_t *request);
static ngx_int_t ngx_http_group_authorize(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx);
static void ngx_http_group_raw_path(ngx_http_request_t *r, ngx_str_t *path,
    ngx_uint_t *raw);
static ngx_int_t ngx_http_group_origin(ngx_http_request_t *r,
    ngx_str_t *origin);


static ngx_str_t  ngx_http_group_owner = ngx_string("owner");


ngx_int_t
ngx_http_group_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_group_ctx_t       *ctx;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (glcf->dialect == NULL || r != r->main) {
        return NGX_DECLINED;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group access handler");

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    if (ctx == NULL) {
        rc = ngx_http_group_match(r, &ctx);

        if (rc == NGX_OK && glcf->dialect->query_first && ctx->op
            && !ctx->search)
        {
            ngx_http_group_phase_begin(ctx);
            rc = ngx_http_group_decode_query(r, ctx);
            ngx_http_group_phase_end(ctx, NGX_HTTP_GROUP_PHASE_DECODE);
        }

        /* an explanation is for who may ask, which is not known yet */

        if (rc != NGX_OK && (rc == NGX_ERROR || !glcf->explain)) {
            goto failed;
        }
    }

    if (ctx->waiting) {
        return NGX_DONE;
    }

    if (glcf->credentials == NULL && glcf->jwt == NULL) {
        return NGX_DECLINED;
    }

    /* a signature is one of the body, too */

    if (glcf->dialect->auth == NGX_GROUP_AUTH_SIGV4) {
        rc = ngx_http_group_read_body(r, ctx);

        if (rc == NGX_DONE) {
            return NGX_DONE;
        }

        if (rc != NGX_OK) {
            goto failed;
        }
    }

    ngx_http_group_phase_begin(ctx);

    rc = ngx_http_group_authenticate(r, glcf, ctx);

    if (rc == NGX_OK && ctx->op && ctx->error.outcome == NGX_GROUP_DONE) {
        rc = ngx_http_group_authorize(r, glcf, ctx);

        if (rc == NGX_DECLINED && glcf->explain) {
            rc = NGX_OK;
        }
    }

    ngx_http_group_phase_end(ctx, NGX_HTTP_GROUP_PHASE_AUTH);

    if (rc == NGX_OK) {
        return NGX_DECLINED;
    }

failed:

    return (rc == NGX_DECLINED) ? ngx_http_group_refuse(r, ctx)
                                : ngx_http_group_fail(r);
}


ngx_http_group_ctx_t *
ngx_http_group_create_ctx(ngx_http_request_t *r)
{
    ngx_http_group_ctx_t       *ctx;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_group_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    if (ngx_array_init(&ctx->lost, r->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NULL;
    }

    ctx->client.dialect = glcf->dialect;
    ctx->upstream.dialect = glcf->upstream_dialect;
    ctx->metrics = glcf->explain ? NULL : glcf->metrics;

    ngx_http_set_ctx(r, ctx, ngx_http_group_module);

    return ctx;
}


ngx_int_t
ngx_http_group_match(ngx_http_request_t *r, ngx_http_group_ctx_t **pctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   path;
    ngx_uint_t                  raw;
    ngx_group_value_t          *value;
    ngx_http_group_ctx_t       *ctx;
    ngx_http_group_loc_conf_t  *glcf;

    static ngx_str_t            id = ngx_string("id");
    static ngx_str_t            group_id = ngx_string("group_id");

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    ctx = ngx_http_group_create_ctx(r);
    *pctx = ctx;

    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->client.pool = r->pool;
    ctx->client.log = r->connection->log;
    ctx->client.id = glcf->upstream_dialect->id;
    ctx->client.member_id = glcf->upstream_dialect->member_id;
    ctx->client.base_path = glcf->base_path.data ? glcf->base_path
                                                 : glcf->dialect->base_path;
    ctx->client.error = &ctx->error;
    ctx->client.client = 1;
    ctx->client.request = 1;
    ctx->client.same = (glcf->upstream_dialect == glcf->dialect);
    ctx->client.now = ngx_time();

    ctx->upstream = ctx->client;
    ctx->upstream.dialect = glcf->upstream_dialect;
    ctx->upstream.client = 0;
    ctx->upstream.base_path = glcf->upstream_base_path.data
                              ? glcf->upstream_base_path
                              : glcf->upstream_dialect->base_path;

    ctx->moved = (ctx->client.same
                  && !ngx_group_str_eq(&ctx->client.base_path,
                                       &ctx->upstream.base_path));

    if (ngx_http_group_origin(r, &ctx->client.origin) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_group_raw_path(r, &path, &raw);

    ctx->document = ngx_group_match_document(glcf->dialect,
                                             &ctx->client.base_path, &path);

    if (ctx->document && r->method == NGX_HTTP_GET) {
        return NGX_OK;
    }

    if (ctx->document) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_METHOD_NOT_ALLOWED,
                            "method", "the method is not allowed here");
        ngx_str_set(&ctx->error.allow, "GET");
        return NGX_DECLINED;
    }

    ctx->op = (r->method == NGX_HTTP_POST)
              ? ngx_group_match_search(glcf->dialect, &ctx->client.base_path,
                                       &path)
              : NULL;

    if (ctx->op) {
        ctx->search = 1;
        ctx->doc = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);

        return (ctx->doc == NULL) ? NGX_ERROR : NGX_OK;
    }

    rc = ngx_group_match(r->pool, glcf->dialect, &r->method_name,
                         &ctx->client.base_path, &path, raw, &ctx->op,
                         &ctx->doc, &ctx->error);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group operation \"%V\" of \"%V\"",
                   ngx_group_operation_name(ctx->op->operation),
                   &glcf->dialect->name);

    value = ngx_group_value_get(ctx->doc, &id);

    if (value == NULL) {
        value = ngx_group_value_get(ctx->doc, &group_id);
    }

    if (value) {
        ctx->path_id = value->u.text;
    }

    value = ngx_group_value_get(ctx->doc, &ngx_http_group_owner);

    if (value) {
        ctx->client.owner = value->u.text;
    }

    return ngx_group_match_convert(&ctx->client, ctx->doc);
}


/*
 * The path as it was sent when an encoded slash in it is a part of an id, and
 * the path that nginx made of it otherwise.
 */

static void
ngx_http_group_raw_path(ngx_http_request_t *r, ngx_str_t *path,
    ngx_uint_t *raw)
{
    u_char  *p, *end;

    *path = r->uri;
    *raw = 0;

    if (!r->valid_unparsed_uri || r->unparsed_uri.len == 0) {
        return;
    }

    end = ngx_strlchr(r->unparsed_uri.data,
                      r->unparsed_uri.data + r->unparsed_uri.len, '?');

    if (end == NULL) {
        end = r->unparsed_uri.data + r->unparsed_uri.len;
    }

    for (p = r->unparsed_uri.data; p + 2 < end; p++) {
        if (p[0] == '%' && p[1] == '2' && (p[2] == 'F' || p[2] == 'f')) {
            path->data = r->unparsed_uri.data;
            path->len = end - r->unparsed_uri.data;
            *raw = 1;
            return;
        }
    }
}


/* "https://host": what the client knows us by */

static ngx_int_t
ngx_http_group_origin(ngx_http_request_t *r, ngx_str_t *origin)
{
    u_char     *p, addr[NGX_SOCKADDR_STRLEN];
    ngx_str_t   host;

    host = r->headers_in.host ? r->headers_in.host->value
                              : r->headers_in.server;

    /* HTTP/1.0, and no server_name */

    if (host.len == 0) {
        host.data = addr;
        host.len = NGX_SOCKADDR_STRLEN;

        if (ngx_connection_local_sockaddr(r->connection, &host, 1)
            != NGX_OK)
        {
            ngx_str_set(&host, "localhost");
        }
    }

#if (NGX_HTTP_SSL)
    origin->len = (r->connection->ssl || r->schema.len == 5)
                  ? sizeof("https://") - 1 : sizeof("http://") - 1;
#else
    origin->len = sizeof("http://") - 1;
#endif

    p = ngx_pnalloc(r->pool, origin->len + host.len);
    if (p == NULL) {
        origin->len = 0;
        return NGX_ERROR;
    }

    origin->data = p;

    if (origin->len == sizeof("https://") - 1) {
        p = ngx_cpymem(p, "https://", sizeof("https://") - 1);

    } else {
        p = ngx_cpymem(p, "http://", sizeof("http://") - 1);
    }

    p = ngx_cpymem(p, host.data, host.len);
    origin->len = p - origin->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_authenticate(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_str_t                 code, subject, reason;
    ngx_group_auth_request_t  request;

    if (ngx_http_group_auth_request(r, glcf, &request) != NGX_OK) {
        return NGX_ERROR;
    }

    if (glcf->dialect->auth == NGX_GROUP_AUTH_SIGV4
        && ngx_group_sha256(&ctx->body, request.body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_null(&code);
    ngx_str_null(&subject);

    rc = ngx_group_auth_check(r->pool, glcf->credentials, glcf->dialect->auth,
                              &request, &ctx->principal, &code, &subject);

    /* a bearer token that is nobody's may be a JWT */

    if (rc == NGX_DECLINED && glcf->jwt
        && glcf->dialect->auth == NGX_GROUP_AUTH_BEARER
        && ngx_group_str_is(&code, "credentials"))
    {
        rc = ngx_group_jwt_check(r->pool, glcf->jwt, &request,
                                 &ctx->principal, &reason);

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "group token refused: %V", &reason);
        }
    }

    if (rc == NGX_DECLINED) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_UNAUTHORIZED, "",
                            "the request is not signed in");
        ctx->error.code = code;
        ctx->error.subject = subject;
    }

    if (rc == NGX_OK && glcf->replay
        && glcf->dialect->auth == NGX_GROUP_AUTH_SIGV4)
    {
        rc = ngx_http_group_replay(r, ctx, glcf->replay, &request);

        if (rc != NGX_OK) {
            ctx->principal = NULL;
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_group_auth_request(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_group_auth_request_t *request)
{
    u_char              *p;
    ngx_uint_t           i;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_group_header_t  *header;

    ngx_memzero(request, sizeof(ngx_group_auth_request_t));

    request->method = r->method_name;
    request->uri = r->uri;
    request->args = r->args;
    request->now = ngx_time();
    request->max_skew = glcf->max_skew;

    if (r->valid_unparsed_uri) {
        request->unparsed_path = r->unparsed_uri;

        p = ngx_strlchr(r->unparsed_uri.data,
                        r->unparsed_uri.data + r->unparsed_uri.len, '?');
        if (p) {
            request->unparsed_path.len = p - r->unparsed_uri.data;
        }
    }

    if (r->headers_in.authorization) {
        request->authorization = r->headers_in.authorization->value;
    }

    if (glcf->dialect->auth == NGX_GROUP_AUTH_SIGV4) {
        request->headers = ngx_array_create(r->pool, 16,
                                            sizeof(ngx_group_header_t));
        if (request->headers == NULL) {
            return NGX_ERROR;
        }
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

        /* nobody knows which of two an upstream or a log would believe */

        if (ngx_http_group_header_is(&h[i], "authorization")
            && h[i].value.data != request->authorization.data)
        {
            ngx_str_set(&request->authorization, " ");
        }

        if (request->headers == NULL) {
            continue;
        }

        header = ngx_array_push(request->headers);
        if (header == NULL) {
            return NGX_ERROR;
        }

        header->name.data = h[i].lowcase_key;
        header->name.len = h[i].key.len;
        header->value = h[i].value;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_authorize(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx)
{
    ngx_str_t           missing;
    ngx_array_t        *scopes;
    ngx_group_value_t  *owner;

    scopes = ngx_http_group_required_scopes(glcf, ctx->op);

    if (ngx_group_auth_scopes(ctx->principal, scopes, &missing) != NGX_OK) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_FORBIDDEN, "scope",
                            "a scope is missing");
        ctx->error.subject = missing;
        return NGX_DECLINED;
    }

    owner = ngx_group_value_get(ctx->doc, &ngx_http_group_owner);

    if (owner
        && ngx_group_auth_container(ctx->principal, &owner->u.text) != NGX_OK)
    {
        ngx_group_error_set(&ctx->error, NGX_GROUP_FORBIDDEN, "container",
                            "the container is somebody else's");
        ctx->error.subject = owner->u.text;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_array_t *
ngx_http_group_required_scopes(ngx_http_group_loc_conf_t *glcf,
    ngx_group_op_t *op)
{
    ngx_uint_t               i;
    ngx_array_t             *scopes;
    ngx_http_group_scope_t  *scope;

    scopes = &op->scopes;

    if (glcf->scopes) {
        scope = glcf->scopes->elts;

        for (i = 0; i < glcf->scopes->nelts; i++) {
            if (scope[i].operation == op->operation) {
                scopes = &scope[i].scopes;
            }
        }
    }

    return scopes;
}
