
/*
 * Requests from the client's dialect to the upstream's.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_translate.h"


static ngx_int_t ngx_http_group_decode_body(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_uint_t ngx_http_group_encoded(ngx_http_request_t *r);
static ngx_int_t ngx_http_group_fill_defaults(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_default_value(ngx_http_request_t *r,
    ngx_http_group_default_t *dflt, ngx_group_value_t **value);
static ngx_int_t ngx_http_group_supported(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_not_supported(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, char *what, ngx_str_t *name);
static ngx_int_t ngx_http_group_encode_body(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_encode_query(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_lost_fields(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_keep_unknown(ngx_pool_t *pool,
    ngx_array_t *fields, ngx_group_value_t *from, ngx_group_value_t *to);
static ngx_int_t ngx_http_group_sign(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx,
    ngx_str_t *host);
static ngx_int_t ngx_http_group_upstream_host(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *host);


/*
 * Each of nginx's proxying modules begins its location configuration with
 * this.
 */

typedef struct {
    ngx_http_upstream_conf_t  upstream;
} ngx_http_group_proxy_loc_conf_t;


static ngx_str_t  ngx_http_group_id = ngx_string("id");
static ngx_str_t  ngx_http_group_members = ngx_string("members");
static ngx_str_t  ngx_http_group_owner = ngx_string("owner");


ngx_int_t
ngx_http_group_declined(ngx_http_group_ctx_t *ctx)
{
    return (ctx->error.outcome == NGX_GROUP_DONE) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_group_decode_query(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_group_translation_t  t;

    if (ctx->query) {
        return NGX_OK;
    }

    ctx->query = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    if (ctx->query == NULL) {
        return NGX_ERROR;
    }

    if (ctx->op->query == NULL) {
        return NGX_OK;
    }

    t = ctx->client;
    t.text = 1;
    t.query = 1;

    rc = ngx_group_query_parse(&t, &r->args, &ctx->args);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_group_decode(&t, ctx->op->query, ctx->args, ctx->query)
        != NGX_OK)
    {
        return NGX_ERROR;
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

    if (rc == NGX_OK && ctx->op->request) {
        rc = ngx_http_group_decode_body(r, ctx);
    }

    if (rc != NGX_OK || glcf->defaults == NULL) {
        return rc;
    }

    return ngx_http_group_fill_defaults(r, glcf, ctx);
}


static ngx_int_t
ngx_http_group_decode_body(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
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

    rc = ngx_group_read(r->pool, dialect->format, &limits, &ctx->body,
                        &ctx->tree, &why);

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

    ctx->client.text = (dialect->format == NGX_GROUP_FORMAT_XML);

    if (ngx_group_decode(&ctx->client, ctx->op->request, ctx->tree, ctx->doc)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_group_declined(ctx);
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
            && !(h[i].value.len == sizeof("identity") - 1
                 && ngx_strncasecmp(h[i].value.data, (u_char *) "identity",
                                    h[i].value.len)
                    == 0))
        {
            return 1;
        }
    }
}


/* a container is needed by any operation, fields by those that write them */

static ngx_int_t
ngx_http_group_fill_defaults(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i, writes;
    ngx_group_value_t         *value;
    ngx_http_group_default_t  *dflt;

    writes = (ctx->op->operation == NGX_GROUP_GROUP_CREATE
              || ctx->op->operation == NGX_GROUP_GROUP_REPLACE);

    dflt = glcf->defaults->elts;

    for (i = 0; i < glcf->defaults->nelts; i++) {

        if (!writes
            && !ngx_group_str_eq(&dflt[i].field->name, &ngx_http_group_owner))
        {
            continue;
        }

        value = ngx_group_value_get(ctx->doc, &dflt[i].field->name);

        if (value && value->type != NGX_GROUP_NULL) {
            continue;
        }

        rc = ngx_http_group_default_value(r, &dflt[i], &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        ngx_group_value_set(ctx->doc, &dflt[i].field->name, value);

        if (writes) {
            ctx->changed = 1;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_group_fill_answer(ngx_http_request_t *r, ngx_array_t *fields,
    ngx_group_value_t *group)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_group_value_t          *value;
    ngx_http_group_default_t   *dflt;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (glcf->defaults == NULL) {
        return NGX_OK;
    }

    dflt = glcf->defaults->elts;

    for (i = 0; i < glcf->defaults->nelts; i++) {

        if (ngx_group_value_get(group, &dflt[i].field->name)
            || !ngx_group_shape_requires(fields, &dflt[i].field->name))
        {
            continue;
        }

        rc = ngx_http_group_default_value(r, &dflt[i], &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            ngx_group_value_set(group, &dflt[i].field->name, value);
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_group_default_of(ngx_http_group_loc_conf_t *glcf, ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_http_group_default_t  *dflt;

    if (glcf->defaults == NULL) {
        return 0;
    }

    dflt = glcf->defaults->elts;

    for (i = 0; i < glcf->defaults->nelts; i++) {
        if (ngx_group_str_eq(&dflt[i].field->name, name)) {
            return 1;
        }
    }

    return 0;
}


/* NGX_DECLINED: the variables of the value are empty */

static ngx_int_t
ngx_http_group_default_value(ngx_http_request_t *r,
    ngx_http_group_default_t *dflt, ngx_group_value_t **value)
{
    ngx_str_t                  text;
    ngx_uint_t                 i;
    ngx_group_value_t         *item, *id;
    ngx_http_complex_value_t  *cv;

    cv = dflt->values.elts;

    if (dflt->field->type != NGX_GROUP_ARRAY) {

        if (ngx_http_complex_value(r, cv, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        if (text.len == 0) {
            return NGX_DECLINED;
        }

        if (dflt->field->type == NGX_GROUP_BOOLEAN) {
            *value = ngx_group_value_boolean(r->pool,
                                             ngx_group_str_is(&text, "true")
                                             || ngx_group_str_is(&text, "1")
                                             || ngx_group_str_is(&text, "on"));
        } else {
            *value = ngx_group_value_string(r->pool, &text);

            if (*value) {
                (*value)->type = dflt->field->type;
            }
        }

        return (*value == NULL) ? NGX_ERROR : NGX_OK;
    }

    *value = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);
    if (*value == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < dflt->values.nelts; i++) {

        if (ngx_http_complex_value(r, &cv[i], &text) != NGX_OK) {
            return NGX_ERROR;
        }

        if (text.len == 0) {
            continue;
        }

        item = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
        id = ngx_group_value_string(r->pool, &text);

        if (item == NULL || id == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(item, &ngx_http_group_id, id);
        ngx_group_value_push(*value, item);
    }

    return (*value)->u.items.n ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_group_encode_request(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   host;
    ngx_group_value_t          *owner;
    ngx_http_group_call_t      *call;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    ctx->upstream_op = glcf->upstream_dialect->ops[ctx->op->operation];

    if (ctx->upstream_op == NULL) {
        return ngx_http_group_not_supported(r, ctx, "has no operation",
                              ngx_group_operation_name(ctx->op->operation));
    }

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_group_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->method = ctx->upstream_op->method;
    call->limit = glcf->response_buffer_size;
    call->media_type = glcf->upstream_dialect->media_type;
    call->accept = glcf->upstream_dialect->media_type;

    ctx->call = call;

    owner = ngx_group_value_get(ctx->doc, &ngx_http_group_owner);

    if (owner && owner->type == NGX_GROUP_STRING) {
        ctx->upstream.owner = owner->u.text;
        ctx->client.owner = owner->u.text;
    }

    if (ngx_http_group_upstream_host(r, ctx, &host) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_group_supported(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_group_match_build(&ctx->upstream, ctx->upstream_op, ctx->doc,
                                   &call->path, &call->uri);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* what the body lacks is told together with what the path lacks */

    if (ctx->error.outcome == NGX_GROUP_DONE
        || ctx->error.outcome == NGX_GROUP_INVALID)
    {
        if (ngx_http_group_encode_body(r, glcf, ctx) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_group_declined(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = ngx_http_group_encode_query(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_group_sign(r, glcf, ctx, &host);
}


/* what would take more than the one call is not begun */

static ngx_int_t
ngx_http_group_supported(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_group_op_t             *op;
    ngx_group_value_t          *members;
    ngx_group_dialect_t        *upstream;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    upstream = glcf->upstream_dialect;
    op = ctx->upstream_op;

    if (upstream == glcf->dialect) {
        return NGX_OK;
    }

    /* members that the upstream takes, but elsewhere, are not just lost */

    members = ngx_group_value_get(ctx->doc, &ngx_http_group_members);

    if (ctx->op->operation < NGX_GROUP_MEMBER_ADD && op->request
        && members && members->type == NGX_GROUP_ARRAY && members->u.items.n
        && upstream->ops[NGX_GROUP_MEMBER_ADD]
        && !ngx_group_shape_find(op->request, &ngx_http_group_members))
    {
        return ngx_http_group_not_supported(r, ctx,
                     "takes members one by one, not together with",
                     ngx_group_operation_name(ctx->op->operation));
    }

    return ngx_http_group_answerable(r, ctx);
}


ngx_int_t
ngx_http_group_not_supported_field(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *name)
{
    return ngx_http_group_not_supported(r, ctx, "does not tell", name);
}


static ngx_int_t
ngx_http_group_not_supported(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    char *what, ngx_str_t *name)
{
    u_char                     *p;
    size_t                      len;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    ngx_group_error_set(&ctx->error, NGX_GROUP_NOT_SUPPORTED, "upstream", "");

    len = sizeof("the upstream API \"\"  \"\"") - 1
          + glcf->upstream_dialect->name.len + ngx_strlen(what) + name->len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->error.detail.data = p;
    ctx->error.detail.len = ngx_sprintf(p, "the upstream API \"%V\" %s \"%V\"",
                                        &glcf->upstream_dialect->name, what,
                                        name)
                            - p;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_group_encode_body(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t          same;
    ngx_array_t        *fields;
    ngx_group_value_t  *body;

    fields = ctx->upstream_op->request;
    same = (glcf->upstream_dialect == glcf->dialect);

    /* what was checked is what is sent, with the fields that nobody knows */

    if (same && !ctx->changed) {

        if (fields == NULL) {
            return NGX_OK;
        }

        return ngx_group_write(r->pool, glcf->dialect->format, ctx->tree,
                               &ctx->call->body);
    }

    if (!same && ngx_http_group_lost_fields(r, glcf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (fields == NULL) {
        return NGX_OK;
    }

    body = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);

    if (body == NULL
        || ngx_group_encode(&ctx->upstream, fields, ctx->doc, body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (same && ctx->tree
        && ngx_http_group_keep_unknown(r->pool, fields, ctx->tree, body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_group_declined(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_group_write(r->pool, glcf->upstream_dialect->format, body,
                           &ctx->call->body);
}


static ngx_int_t
ngx_http_group_lost_fields(ngx_http_request_t *r,
    ngx_http_group_loc_conf_t *glcf, ngx_http_group_ctx_t *ctx)
{
    ngx_str_t   *s;
    ngx_uint_t   i;

    if (ctx->op->request == NULL) {
        return NGX_OK;
    }

    if (ngx_http_group_lost(r->pool, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    s = ctx->lost.elts;

    for (i = 0; i < ctx->lost.nelts; i++) {

        if (glcf->loss == NGX_HTTP_GROUP_LOSS_REJECT) {
            (void) ngx_group_error_problem(r->pool, &ctx->error, &s[i],
                                           "lost");

        } else if (glcf->loss == NGX_HTTP_GROUP_LOSS_REPORT) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "group operation %V: \"%V\" cannot be carried upstream",
                          ngx_group_operation_name(ctx->op->operation), &s[i]);
        }
    }

    return NGX_OK;
}


/* fields that the dialect does not know, of the object and of its wrappers */

static ngx_int_t
ngx_http_group_keep_unknown(ngx_pool_t *pool, ngx_array_t *fields,
    ngx_group_value_t *from, ngx_group_value_t *to)
{
    ngx_uint_t          i;
    ngx_group_field_t  *field;
    ngx_group_value_t  *v, *copy, *inner;

    field = fields->elts;

    for (v = from->u.items.first; v; v = v->next) {

        for (i = 0; i < fields->nelts; i++) {
            if (ngx_group_str_eq(&field[i].name, &v->key)) {
                break;
            }
        }

        if (i == fields->nelts) {
            copy = ngx_group_value_copy(pool, v);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            copy->key = v->key;
            ngx_group_value_push(to, copy);
            continue;
        }

        inner = ngx_group_value_get(to, &v->key);

        if (field[i].nfrom == 0 && field[i].fields && inner
            && inner->type == NGX_GROUP_OBJECT && v->type == NGX_GROUP_OBJECT
            && ngx_http_group_keep_unknown(pool, field[i].fields, v, inner)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Which of the upstream's parameters a query is.  What cannot be asked is not
 * left out: the answer would be another one.
 */

static ngx_int_t
ngx_http_group_encode_query(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_group_value_t          *v, *query;
    ngx_group_translation_t     t;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (glcf->upstream_dialect == glcf->dialect && !ctx->changed) {

        if (ctx->args == NULL) {
            return NGX_OK;
        }

        return ngx_group_query_write(r->pool, ctx->args, &ctx->call->args);
    }

    for (v = ctx->query->u.items.first; v; v = v->next) {

        if (ctx->upstream_op->query
            && ngx_group_shape_find(ctx->upstream_op->query, &v->key))
        {
            continue;
        }

        return ngx_http_group_not_supported(r, ctx, "cannot be asked for",
                                            &v->key);
    }

    if (ctx->upstream_op->query == NULL) {
        return NGX_OK;
    }

    query = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    if (query == NULL) {
        return NGX_ERROR;
    }

    t = ctx->upstream;
    t.text = 1;
    t.query = 1;

    if (ngx_group_encode(&t, ctx->upstream_op->query, ctx->query, query)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_group_declined(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_group_query_write(r->pool, query, &ctx->call->args);
}


static ngx_int_t
ngx_http_group_sign(ngx_http_request_t *r, ngx_http_group_loc_conf_t *glcf,
    ngx_http_group_ctx_t *ctx, ngx_str_t *host)
{
    ngx_group_header_t        *header;
    ngx_http_group_call_t     *call;
    ngx_group_auth_request_t   request;

    if (glcf->signer == NULL) {
        return NGX_OK;
    }

    call = ctx->call;

    ngx_memzero(&request, sizeof(ngx_group_auth_request_t));

    request.method = call->method;
    request.uri = call->uri;
    request.unparsed_path = call->path;
    request.args = call->args;
    request.now = ngx_time();

    request.headers = ngx_array_create(r->pool, 2, sizeof(ngx_group_header_t));
    call->headers = ngx_array_create(r->pool, 3, sizeof(ngx_group_header_t));

    if (request.headers == NULL || call->headers == NULL) {
        return NGX_ERROR;
    }

    header = ngx_array_push_n(request.headers, call->body.len ? 2 : 1);
    if (header == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&header[0].name, "host");
    header[0].value = *host;

    if (call->body.len) {
        ngx_str_set(&header[1].name, "content-type");
        header[1].value = call->media_type;
    }

    if (ngx_group_sha256(&call->body, request.body) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_group_auth_sign(r->pool, glcf->signer, &request,
                               call->headers);
}


/*
 * What the upstream is called: the Host that proxy_pass sends unless it is
 * told otherwise.  References are URLs of that host, and a signature is of it.
 * Where proxy_pass has variables it is not known yet, and the client's is
 * taken.
 */

static ngx_int_t
ngx_http_group_upstream_host(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_str_t *host)
{
    u_char                            *p;
    ngx_uint_t                         i, ssl;
    ngx_module_t                      *module;
    ngx_http_upstream_srv_conf_t      *uscf;
    ngx_http_group_proxy_loc_conf_t   *plcf;

    ssl = 0;
    uscf = NULL;

    for (i = 0; ngx_cycle->modules[i]; i++) {
        module = ngx_cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_proxy_module") != 0) {
            continue;
        }

        plcf = r->loc_conf[module->ctx_index];
        uscf = plcf->upstream.upstream;
#if (NGX_HTTP_SSL)
        ssl = (plcf->upstream.ssl != NULL);
#endif
        break;
    }

    if (uscf == NULL) {
        ctx->upstream.origin = ctx->client.origin;
        *host = r->headers_in.host ? r->headers_in.host->value
                                   : r->headers_in.server;
        return NGX_OK;
    }

    ctx->call->proxied = 1;

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
