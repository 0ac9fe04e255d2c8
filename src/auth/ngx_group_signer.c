
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_auth_entry.h"


/* what the clients of VinylDNS sign for */
#define NGX_GROUP_SIGNER_REGION   "us-east-1"
#define NGX_GROUP_SIGNER_SERVICE  "VinylDNS"


static ngx_int_t ngx_group_signer_basic(ngx_group_auth_entry_t *entry,
    ngx_group_signer_t *signer);
static ngx_int_t ngx_group_signer_bearer(ngx_group_auth_entry_t *entry,
    ngx_group_signer_t *signer);
static ngx_int_t ngx_group_signer_sigv4(ngx_group_auth_entry_t *entry,
    ngx_group_signer_t *signer);
static void ngx_group_signer_cleanup(void *data);


ngx_int_t
ngx_group_signer_build(ngx_pool_t *pool, ngx_group_value_t *value, void *data,
    ngx_str_t *error)
{
    ngx_group_signer_t *signer = data;

    ngx_int_t                rc;
    ngx_pool_cleanup_t      *cln;
    ngx_group_auth_entry_t   entry;

    entry.pool = pool;
    entry.error = error;
    entry.object = value;
    ngx_str_null(&entry.where);

    if (value->type != NGX_GROUP_OBJECT) {
        return ngx_group_auth_entry_error(&entry, NULL,
                                          "expected an object");
    }

    rc = ngx_group_auth_entry_type(&entry, &signer->type);
    if (rc != NGX_OK) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_group_signer_cleanup;
    cln->data = signer;

    switch (signer->type) {

    case NGX_GROUP_AUTH_BASIC:
        return ngx_group_signer_basic(&entry, signer);

    case NGX_GROUP_AUTH_BEARER:
        return ngx_group_signer_bearer(&entry, signer);

    default: /* NGX_GROUP_AUTH_SIGV4 */
        return ngx_group_signer_sigv4(&entry, signer);
    }
}


static ngx_int_t
ngx_group_signer_basic(ngx_group_auth_entry_t *entry,
    ngx_group_signer_t *signer)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   id, secret, pair, encoded;

    rc = ngx_group_auth_entry_keys(entry, "type id secret");
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_entry_text(entry, "id", NGX_GROUP_TEXT_NO_COLON, &id);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_entry_text(entry, "secret", NGX_GROUP_TEXT_EMPTY,
                                   &secret);
    if (rc != NGX_OK) {
        return rc;
    }

    pair.len = id.len + 1 + secret.len;

    pair.data = ngx_pnalloc(entry->pool, pair.len);
    if (pair.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(entry->pool,
                    sizeof("Basic ") - 1 + ngx_base64_encoded_length(pair.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    signer->authorization.data = p;

    p = ngx_cpymem(p, "Basic ", sizeof("Basic ") - 1);
    encoded.data = p;

    p = ngx_cpymem(pair.data, id.data, id.len);
    *p++ = ':';
    ngx_memcpy(p, secret.data, secret.len);

    ngx_encode_base64(&encoded, &pair);

    signer->authorization.len = sizeof("Basic ") - 1 + encoded.len;

    ngx_group_secret_wipe(&pair);

    return NGX_OK;
}


static ngx_int_t
ngx_group_signer_bearer(ngx_group_auth_entry_t *entry,
    ngx_group_signer_t *signer)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   token;

    rc = ngx_group_auth_entry_keys(entry, "type token");
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_entry_text(entry, "token", NGX_GROUP_TEXT_NO_SPACE,
                                   &token);
    if (rc != NGX_OK) {
        return rc;
    }

    p = ngx_pnalloc(entry->pool, sizeof("Bearer ") - 1 + token.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    signer->authorization.data = p;
    signer->authorization.len = sizeof("Bearer ") - 1 + token.len;

    p = ngx_cpymem(p, "Bearer ", sizeof("Bearer ") - 1);
    ngx_memcpy(p, token.data, token.len);

    return NGX_OK;
}


static ngx_int_t
ngx_group_signer_sigv4(ngx_group_auth_entry_t *entry,
    ngx_group_signer_t *signer)
{
    ngx_int_t  rc;
    ngx_str_t  key, secret, region, service;

    rc = ngx_group_auth_entry_keys(entry, "type access_key secret_key region "
                                          "service");
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_entry_text(entry, "access_key",
                                   NGX_GROUP_TEXT_NO_SLASH, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_entry_text(entry, "secret_key", 0, &secret);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&region, NGX_GROUP_SIGNER_REGION);

    rc = ngx_group_auth_entry_text(entry, "region",
                                   NGX_GROUP_TEXT_OPTIONAL
                                   |NGX_GROUP_TEXT_EMPTY
                                   |NGX_GROUP_TEXT_NO_SLASH,
                                   &region);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&service, NGX_GROUP_SIGNER_SERVICE);

    rc = ngx_group_auth_entry_text(entry, "service",
                                   NGX_GROUP_TEXT_OPTIONAL
                                   |NGX_GROUP_TEXT_EMPTY
                                   |NGX_GROUP_TEXT_NO_SLASH,
                                   &service);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_group_auth_copy(entry->pool, &key, &signer->access_key) != NGX_OK
        || ngx_group_auth_copy(entry->pool, &secret, &signer->secret_key)
           != NGX_OK
        || ngx_group_auth_copy(entry->pool, &region, &signer->region)
           != NGX_OK
        || ngx_group_auth_copy(entry->pool, &service, &signer->service)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_group_signer_cleanup(void *data)
{
    ngx_group_signer_t *signer = data;

    ngx_group_secret_wipe(&signer->authorization);
    ngx_group_secret_wipe(&signer->secret_key);
    ngx_explicit_memzero(&signer->keys, sizeof(ngx_group_sigv4_keys_t));
}
