
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_value.h"


#define NGX_GROUP_SIGV4_SCHEME  "AWS4-HMAC-SHA256"
#define NGX_GROUP_SIGV4_END     "aws4_request"


/* an Authorization header taken apart */

typedef struct {
    ngx_str_t  key;
    ngx_str_t  scope;
    ngx_str_t  names;        /* SignedHeaders as sent */
    ngx_str_t  signature;
} ngx_group_sigv4_t;


static ngx_int_t ngx_group_sigv4_parse(ngx_str_t *authorization,
    ngx_group_sigv4_t *sig);
static ngx_int_t ngx_group_sigv4_literal(ngx_str_t *in, const char *literal,
    size_t len);
static void ngx_group_sigv4_spaces(ngx_str_t *in);
static ngx_int_t ngx_group_sigv4_until(ngx_str_t *in, u_char end,
    ngx_str_t *part);
static ngx_int_t ngx_group_sigv4_verify(ngx_pool_t *pool,
    ngx_group_sigv4_keys_t *keys, ngx_group_auth_request_t *request,
    ngx_group_sigv4_t *sig, ngx_group_sigv4_date_t *date, ngx_str_t *secret);
static ngx_int_t ngx_group_sigv4_fresh(ngx_group_auth_request_t *request,
    ngx_group_sigv4_t *sig, ngx_group_sigv4_date_t *date);
static ngx_int_t ngx_group_sigv4_signature(ngx_pool_t *pool,
    u_char key[NGX_GROUP_SHA256_LEN], ngx_group_sigv4_date_t *date,
    ngx_str_t *scope, u_char request[NGX_GROUP_SHA256_LEN],
    u_char signature[NGX_GROUP_SHA256_HEX_LEN]);
static ngx_int_t ngx_group_sigv4_add(ngx_array_t *headers, ngx_str_t *name,
    ngx_str_t *value);


static ngx_str_t  ngx_group_sigv4_amz_date = ngx_string("x-amz-date");
static ngx_str_t  ngx_group_sigv4_host = ngx_string("host");
static ngx_str_t  ngx_group_sigv4_type = ngx_string("content-type");


#define ngx_group_sigv4_skip(in, literal)                                     \
    ngx_group_sigv4_literal(in, literal, sizeof(literal) - 1)


ngx_int_t
ngx_group_sigv4_check(ngx_pool_t *pool, ngx_group_credentials_t *credentials,
    ngx_group_auth_request_t *request, ngx_group_principal_t **principal,
    ngx_str_t *code, ngx_str_t *subject)
{
    ngx_int_t                rc;
    ngx_str_t                secret;
    ngx_uint_t               i;
    ngx_group_sigv4_t        sig;
    ngx_group_credential_t  *credential;
    ngx_group_sigv4_date_t   date;

    if (ngx_group_sigv4_parse(&request->authorization, &sig) != NGX_OK
        || ngx_group_sigv4_find_date(request->headers, &date) != NGX_OK)
    {
        ngx_str_set(code, "malformed");
        return NGX_DECLINED;
    }

    credential = credentials->list.elts;

    for (i = 0; i < credentials->list.nelts; i++) {
        if (credential[i].type == NGX_GROUP_AUTH_SIGV4
            && ngx_group_str_eq(&credential[i].id, &sig.key))
        {
            break;
        }
    }

    /* an unknown key takes as long, so that the time does not tell it */

    ngx_str_set(&secret, "0000000000000000000000000000000000000000");

    if (i < credentials->list.nelts) {
        secret = credential[i].secret;
    }

    rc = ngx_group_sigv4_verify(pool, &credentials->keys, request, &sig, &date,
                                &secret);

    if (i == credentials->list.nelts && rc != NGX_ERROR) {
        ngx_str_set(code, "unknown");
        *subject = sig.key;
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        if (rc == NGX_DECLINED) {
            ngx_str_set(code, "signature");
        }

        return rc;
    }

    if (ngx_group_sigv4_fresh(request, &sig, &date) != NGX_OK) {
        ngx_str_set(code, "expired");
        return NGX_DECLINED;
    }

    *principal = &credential[i].principal;

    return NGX_OK;
}


ngx_int_t
ngx_group_sigv4_mark(ngx_pool_t *pool, ngx_group_auth_request_t *request,
    u_char mark[NGX_GROUP_SHA256_LEN], time_t *date)
{
    u_char                  *p;
    ngx_str_t                text;
    ngx_group_sigv4_t        sig;
    ngx_group_sigv4_date_t   made;

    if (ngx_group_sigv4_parse(&request->authorization, &sig) != NGX_OK
        || ngx_group_sigv4_find_date(request->headers, &made) != NGX_OK)
    {
        return NGX_ERROR;
    }

    text.len = sig.key.len + 1 + sig.signature.len;

    text.data = ngx_pnalloc(pool, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text.data, sig.key.data, sig.key.len);
    *p++ = '/';
    ngx_memcpy(p, sig.signature.data, sig.signature.len);

    *date = made.time;

    return ngx_group_sha256(&text, mark);
}


/*
 * As strict and as lenient as VinylDNS (Aws4Authenticator.scala): spaces are
 * optional before each name, commas are where they are, and the region and the
 * service may be empty.
 */

static ngx_int_t
ngx_group_sigv4_parse(ngx_str_t *authorization, ngx_group_sigv4_t *sig)
{
    size_t     i;
    time_t     day;
    ngx_str_t  in, part;

    in = *authorization;

    if (ngx_group_sigv4_skip(&in, NGX_GROUP_SIGV4_SCHEME) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_group_sigv4_spaces(&in);

    if (ngx_group_sigv4_skip(&in, "Credential=") != NGX_OK
        || ngx_group_sigv4_until(&in, '/', &sig->key) != NGX_OK
        || sig->key.len == 0)
    {
        return NGX_DECLINED;
    }

    sig->scope = in;

    if (ngx_group_sigv4_until(&in, '/', &part) != NGX_OK
        || part.len != NGX_GROUP_SIGV4_DAY_LEN
        || ngx_group_sigv4_day(part.data, &day) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* the region and the service */

    if (ngx_group_sigv4_until(&in, '/', &part) != NGX_OK
        || ngx_group_sigv4_until(&in, '/', &part) != NGX_OK
        || ngx_group_sigv4_skip(&in, NGX_GROUP_SIGV4_END) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    sig->scope.len = in.data - sig->scope.data;

    if (ngx_group_sigv4_skip(&in, ",") != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_group_sigv4_spaces(&in);

    if (ngx_group_sigv4_skip(&in, "SignedHeaders=") != NGX_OK
        || ngx_group_sigv4_until(&in, ',', &sig->names) != NGX_OK
        || sig->names.len == 0)
    {
        return NGX_DECLINED;
    }

    ngx_group_sigv4_spaces(&in);

    if (ngx_group_sigv4_skip(&in, "Signature=") != NGX_OK
        || in.len != NGX_GROUP_SHA256_HEX_LEN)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < in.len; i++) {
        if (!((in.data[i] >= '0' && in.data[i] <= '9')
              || (in.data[i] >= 'a' && in.data[i] <= 'f')))
        {
            return NGX_DECLINED;
        }
    }

    sig->signature = in;

    return NGX_OK;
}


static ngx_int_t
ngx_group_sigv4_literal(ngx_str_t *in, const char *literal, size_t len)
{
    if (in->len < len || ngx_memcmp(in->data, literal, len) != 0) {
        return NGX_DECLINED;
    }

    in->data += len;
    in->len -= len;

    return NGX_OK;
}


static void
ngx_group_sigv4_spaces(ngx_str_t *in)
{
    while (in->len && in->data[0] == ' ') {
        in->data++;
        in->len--;
    }
}


static ngx_int_t
ngx_group_sigv4_until(ngx_str_t *in, u_char end, ngx_str_t *part)
{
    u_char  *p;

    p = ngx_strlchr(in->data, in->data + in->len, end);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    part->data = in->data;
    part->len = p - in->data;

    in->data += part->len + 1;
    in->len -= part->len + 1;

    return NGX_OK;
}


static ngx_int_t
ngx_group_sigv4_verify(ngx_pool_t *pool, ngx_group_sigv4_keys_t *keys,
    ngx_group_auth_request_t *request, ngx_group_sigv4_t *sig,
    ngx_group_sigv4_date_t *date, ngx_str_t *secret)
{
    u_char      key[NGX_GROUP_SHA256_LEN], digest[NGX_GROUP_SHA256_LEN],
                signature[NGX_GROUP_SHA256_HEX_LEN];
    ngx_int_t   rc;
    ngx_str_t   paths[NGX_GROUP_SIGV4_PATHS], query, lines;
    ngx_uint_t  i, n;

    rc = ngx_group_sigv4_paths(pool, request, paths, &n);

    if (rc == NGX_OK) {
        rc = ngx_group_sigv4_query(pool, &request->args, &query);
    }

    if (rc == NGX_OK) {
        rc = ngx_group_sigv4_headers(pool, request->headers, &sig->names,
                                     &lines);
    }

    if (rc == NGX_OK) {
        rc = ngx_group_sigv4_key(pool, keys, &sig->key, secret, &sig->scope,
                                 key);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rc = NGX_DECLINED;

    for (i = 0; i < n; i++) {

        if (ngx_group_sigv4_request(pool, request, &paths[i], &query, &lines,
                                    &sig->names, digest)
            != NGX_OK
            || ngx_group_sigv4_signature(pool, key, date, &sig->scope, digest,
                                         signature)
               != NGX_OK)
        {
            rc = NGX_ERROR;
            break;
        }

        if (ngx_group_secret_equal(signature, sig->signature.data,
                                   NGX_GROUP_SHA256_HEX_LEN))
        {
            rc = NGX_OK;
            break;
        }
    }

    ngx_explicit_memzero(key, NGX_GROUP_SHA256_LEN);

    return rc;
}


/*
 * VinylDNS checks neither the date nor that the scope is of that day.  Clients
 * take both from one clock, a day apart at most around midnight.
 */

static ngx_int_t
ngx_group_sigv4_fresh(ngx_group_auth_request_t *request,
    ngx_group_sigv4_t *sig, ngx_group_sigv4_date_t *date)
{
    time_t  day, skew;

    if (request->max_skew == 0) {
        return NGX_OK;
    }

    skew = request->now - date->time;

    if (skew > request->max_skew || skew < -request->max_skew) {
        return NGX_DECLINED;
    }

    if (ngx_group_sigv4_day(sig->scope.data, &day) != NGX_OK) {
        return NGX_DECLINED;
    }

    skew = date->time - date->time % NGX_GROUP_SIGV4_DAY - day;

    if (skew > NGX_GROUP_SIGV4_DAY || skew < -NGX_GROUP_SIGV4_DAY) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_sigv4_signature(ngx_pool_t *pool, u_char key[NGX_GROUP_SHA256_LEN],
    ngx_group_sigv4_date_t *date, ngx_str_t *scope,
    u_char request[NGX_GROUP_SHA256_LEN],
    u_char signature[NGX_GROUP_SHA256_HEX_LEN])
{
    u_char      digest[NGX_GROUP_SHA256_LEN], *p;
    ngx_str_t   text;

    text.len = sizeof(NGX_GROUP_SIGV4_SCHEME "\n\n\n") - 1
               + NGX_GROUP_SIGV4_DATE_LEN + scope->len
               + NGX_GROUP_SHA256_HEX_LEN;

    text.data = ngx_pnalloc(pool, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text.data, NGX_GROUP_SIGV4_SCHEME "\n",
                   sizeof(NGX_GROUP_SIGV4_SCHEME "\n") - 1);
    p = ngx_cpymem(p, date->text, NGX_GROUP_SIGV4_DATE_LEN);
    *p++ = '\n';
    p = ngx_cpymem(p, scope->data, scope->len);
    *p++ = '\n';
    (void) ngx_hex_dump(p, request, NGX_GROUP_SHA256_LEN);

    if (ngx_group_hmac_sha256(key, NGX_GROUP_SHA256_LEN, &text, digest)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(signature, digest, NGX_GROUP_SHA256_LEN);

    return NGX_OK;
}


ngx_int_t
ngx_group_sigv4_sign(ngx_pool_t *pool, ngx_group_signer_t *signer,
    ngx_group_auth_request_t *request, ngx_array_t *out)
{
    u_char                   key[NGX_GROUP_SHA256_LEN],
                             digest[NGX_GROUP_SHA256_LEN],
                             signature[NGX_GROUP_SHA256_HEX_LEN], *p;
    ngx_int_t                rc;
    ngx_str_t                paths[NGX_GROUP_SIGV4_PATHS], query, lines, names,
                             scope, stamp, value, *host, *type;
    ngx_uint_t               n;
    ngx_array_t              headers;
    ngx_group_header_t      *h;
    ngx_group_sigv4_date_t   date;

    host = ngx_group_auth_header(request->headers, &ngx_group_sigv4_host);
    if (host == NULL) {
        ngx_log_error(NGX_LOG_ERR, pool->log, 0,
                      "group: there is no host to sign a request for");
        return NGX_ERROR;
    }

    type = ngx_group_auth_header(request->headers, &ngx_group_sigv4_type);

    if (type) {
        ngx_str_set(&names, "content-type;host;x-amz-date");

    } else {
        ngx_str_set(&names, "host;x-amz-date");
    }

    ngx_group_sigv4_date(request->now, &date);

    stamp.len = NGX_GROUP_SIGV4_DATE_LEN;

    stamp.data = ngx_pnalloc(pool, stamp.len);
    if (stamp.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(stamp.data, date.text, stamp.len);

    if (ngx_array_init(&headers, pool, 3, sizeof(ngx_group_header_t))
        != NGX_OK
        || (type && ngx_group_sigv4_add(&headers, &ngx_group_sigv4_type, type)
                    != NGX_OK)
        || ngx_group_sigv4_add(&headers, &ngx_group_sigv4_host, host)
           != NGX_OK
        || ngx_group_sigv4_add(&headers, &ngx_group_sigv4_amz_date, &stamp)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    scope.len = NGX_GROUP_SIGV4_DAY_LEN + signer->region.len
                + signer->service.len + sizeof("///" NGX_GROUP_SIGV4_END) - 1;

    scope.data = ngx_pnalloc(pool, scope.len);
    if (scope.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_snprintf(scope.data, scope.len, "%*s/%V/%V/%s",
                        NGX_GROUP_SIGV4_DAY_LEN, date.text, &signer->region,
                        &signer->service, NGX_GROUP_SIGV4_END);

    if (ngx_group_sigv4_paths(pool, request, paths, &n) != NGX_OK
        || ngx_group_sigv4_query(pool, &request->args, &query) != NGX_OK
        || ngx_group_sigv4_headers(pool, &headers, &names, &lines) != NGX_OK
        || ngx_group_sigv4_request(pool, request, &paths[0], &query, &lines,
                                   &names, digest)
           != NGX_OK
        || ngx_group_sigv4_key(pool, &signer->keys, &signer->access_key,
                               &signer->secret_key, &scope, key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_group_sigv4_signature(pool, key, &date, &scope, digest,
                                   signature);

    ngx_explicit_memzero(key, NGX_GROUP_SHA256_LEN);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    value.len = sizeof(NGX_GROUP_SIGV4_SCHEME " Credential=/"
                       ", SignedHeaders=, Signature=") - 1
                + signer->access_key.len + scope.len + names.len
                + NGX_GROUP_SHA256_HEX_LEN;

    value.data = ngx_pnalloc(pool, value.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_snprintf(value.data, value.len,
                     NGX_GROUP_SIGV4_SCHEME " Credential=%V/%V"
                     ", SignedHeaders=%V, Signature=",
                     &signer->access_key, &scope, &names);
    ngx_memcpy(p, signature, NGX_GROUP_SHA256_HEX_LEN);

    h = ngx_array_push_n(out, 2);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h[0].name, "X-Amz-Date");
    h[0].value = stamp;

    ngx_str_set(&h[1].name, "Authorization");
    h[1].value = value;

    return NGX_OK;
}


static ngx_int_t
ngx_group_sigv4_add(ngx_array_t *headers, ngx_str_t *name, ngx_str_t *value)
{
    ngx_group_header_t  *h;

    h = ngx_array_push(headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->name = *name;
    h->value = *value;

    return NGX_OK;
}
