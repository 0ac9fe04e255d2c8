
/*
 * group_console: a page to try translations on.  It asks the locations of its
 * server that have group_explain on, and nobody else.  "?config" is what it
 * has to know of them, with an example for each operation.
 */


#include "ngx_http_group_console_example.h"
#include "ngx_http_group_explain.h"
#include "ngx_group_json.h"


/* a location with group_explain on */

typedef struct {
    ngx_http_core_srv_conf_t   *server;
    ngx_str_t                   name;
    ngx_http_group_loc_conf_t  *conf;
} ngx_http_group_explained_t;


static ngx_int_t ngx_http_group_console_policy(ngx_conf_t *cf);
static u_char *ngx_http_group_console_hash(u_char *p, char *begin, char *end);
static ngx_int_t ngx_http_group_console_header(ngx_http_request_t *r,
    char *name, char *value);
static ngx_int_t ngx_http_group_console_config(ngx_http_request_t *r,
    ngx_str_t *json);
static ngx_int_t ngx_http_group_console_entry(ngx_http_request_t *r,
    ngx_http_group_explained_t *explained, ngx_group_value_t *object);


/* made of console.html when the module is built */

static u_char  ngx_http_group_page[] =
#include "ngx_http_group_console.h"
;


/* what the page may load and run: itself, as it is here */

static u_char  ngx_http_group_console_csp[512];


static char  *ngx_http_group_console_auths[] = {
    "none", "basic", "bearer", "sigv4"
};


char *
ngx_http_group_console_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    /* the page is no part of the API that is beside it */

    if (glcf->dialect_name.data) {
        return "is not for a location with \"group_dialect\"";
    }

    ngx_str_set(&glcf->dialect_name, "off");

    if (ngx_http_group_console_policy(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_group_console_handler;

    return NGX_CONF_OK;
}


/* the digests of the page's own script and style, and nothing else */

static ngx_int_t
ngx_http_group_console_policy(ngx_conf_t *cf)
{
    u_char  *p;

    p = ngx_http_group_console_csp;

    p = ngx_sprintf(p, "default-src 'none'; script-src ");
    p = ngx_http_group_console_hash(p, "<script>", "</script>");

    if (p) {
        p = ngx_sprintf(p, "; style-src ");
        p = ngx_http_group_console_hash(p, "<style>", "</style>");
    }

    if (p == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the page of \"group_console\" is not whole");
        return NGX_ERROR;
    }

    (void) ngx_sprintf(p, "; connect-src 'self'; base-uri 'none'; "
                       "form-action 'none'; frame-ancestors 'none'%Z");

    return NGX_OK;
}


static u_char *
ngx_http_group_console_hash(u_char *p, char *begin, char *end)
{
    u_char     *from, *to, digest[NGX_GROUP_SHA256_LEN];
    ngx_str_t   text, hash, base64;

    from = (u_char *) ngx_strstr(ngx_http_group_page, begin);
    to = (u_char *) ngx_strstr(ngx_http_group_page, end);

    if (from == NULL || to == NULL) {
        return NULL;
    }

    text.data = from + ngx_strlen(begin);
    text.len = to - text.data;

    if (ngx_group_sha256(&text, digest) != NGX_OK) {
        return NULL;
    }

    p = ngx_cpymem(p, "'sha256-", sizeof("'sha256-") - 1);

    hash.data = digest;
    hash.len = NGX_GROUP_SHA256_LEN;
    base64.data = p;

    ngx_encode_base64(&base64, &hash);

    p += base64.len;
    *p++ = '\'';

    return p;
}


ngx_int_t
ngx_http_group_console_location(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *glcf)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_group_explained_t  *explained;
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* servers, and blocks within a location, are asked for by no path */

    if (clcf->name.len == 0 || clcf->noname || clcf->named) {
        return NGX_OK;
    }

    if (gmcf->explained == NULL) {
        gmcf->explained = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_group_explained_t));
        if (gmcf->explained == NULL) {
            return NGX_ERROR;
        }
    }

    explained = ngx_array_push(gmcf->explained);
    if (explained == NULL) {
        return NGX_ERROR;
    }

    explained->server = ngx_http_conf_get_module_srv_conf(cf,
                                                      ngx_http_core_module);
    explained->name = clcf->name;
    explained->conf = glcf;

    return NGX_OK;
}


ngx_int_t
ngx_http_group_console_handler(ngx_http_request_t *r)
{
    ngx_int_t    rc;
    ngx_str_t    body;
    ngx_buf_t   *b;
    ngx_uint_t   config;
    ngx_chain_t  out;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    config = ngx_group_str_is(&r->args, "config");

    if (config) {
        if (ngx_http_group_console_config(r, &body) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_str_set(&r->headers_out.content_type, "application/json");

    } else {
        body.data = ngx_http_group_page;
        body.len = sizeof(ngx_http_group_page) - 1;

        ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = body.len;

    if (ngx_http_group_console_header(r, "Content-Security-Policy",
                                      (char *) ngx_http_group_console_csp)
        != NGX_OK
        || ngx_http_group_console_header(r, "Cache-Control", "no-store")
           != NGX_OK
        || ngx_http_group_console_header(r, "Referrer-Policy", "no-referrer")
           != NGX_OK
        || ngx_http_group_console_header(r, "X-Content-Type-Options",
                                         "nosniff")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body.data;
    b->last = b->pos + body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_group_console_header(ngx_http_request_t *r, char *name, char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_console_config(ngx_http_request_t *r, ngx_str_t *json)
{
    ngx_uint_t                   i;
    ngx_group_value_t           *config, *list, *object;
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_group_explained_t  *explained;
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_group_module);
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    config = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    if (config == NULL) {
        return NGX_ERROR;
    }

    list = ngx_http_group_explain_add(r->pool, config, "locations",
                                      NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    explained = gmcf->explained ? gmcf->explained->elts : NULL;

    for (i = 0; explained && i < gmcf->explained->nelts; i++) {

        if (explained[i].server != cscf) {
            continue;
        }

        object = ngx_http_group_explain_add(r->pool, list, NULL,
                                            NGX_GROUP_OBJECT);

        if (object == NULL
            || ngx_http_group_console_entry(r, &explained[i], object)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_group_explain_clean(r->pool, config) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_group_json_encode(r->pool, config, json);
}


static ngx_int_t
ngx_http_group_console_entry(ngx_http_request_t *r,
    ngx_http_group_explained_t *explained, ngx_group_value_t *object)
{
    ngx_uint_t                  i;
    ngx_pool_t                 *pool;
    ngx_group_value_t          *list, *operation;
    ngx_group_dialect_t        *dialect;
    ngx_http_group_example_t    ex;
    ngx_http_group_loc_conf_t  *conf;

    pool = r->pool;
    conf = explained->conf;
    dialect = conf->dialect;

    ngx_memzero(&ex, sizeof(ngx_http_group_example_t));

    ex.pool = pool;
    ex.log = r->connection->log;
    ex.conf = conf;
    ex.base_path = conf->base_path.data ? conf->base_path
                                        : dialect->base_path;

    if (ngx_http_group_explain_text(pool, object, "location",
                                    &explained->name)
        != NGX_OK
        || ngx_http_group_explain_text(pool, object, "dialect",
                                       &dialect->name)
           != NGX_OK
        || ngx_http_group_explain_text(pool, object, "upstream_dialect",
                                       &conf->upstream_dialect->name)
           != NGX_OK
        || ngx_http_group_explain_text(pool, object, "base_path",
                                       &ex.base_path)
           != NGX_OK
        || ngx_http_group_explain_text(pool, object, "media_type",
                                       &dialect->media_type)
           != NGX_OK
        || ngx_http_group_explain_literal(pool, object, "auth",
                              (conf->credentials || conf->jwt)
                              ? ngx_http_group_console_auths[dialect->auth]
                              : "none")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    list = ngx_http_group_explain_add(pool, object, "operations",
                                      NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {

        ex.op = dialect->ops[i];

        if (ex.op == NULL) {
            continue;
        }

        operation = ngx_http_group_explain_add(pool, list, NULL,
                                               NGX_GROUP_OBJECT);

        if (operation == NULL
            || ngx_http_group_console_operation(&ex, operation) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
