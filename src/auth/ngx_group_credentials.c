
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_auth_entry.h"


#define NGX_GROUP_CREDENTIALS_WHERE_LEN                                       \
    (sizeof("credentials[]") - 1 + NGX_INT_T_LEN)


static ngx_int_t ngx_group_credentials_list(ngx_pool_t *pool,
    ngx_group_value_t *value, ngx_str_t *error, ngx_group_value_t **list);
static ngx_int_t ngx_group_credentials_entry(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential);
static ngx_int_t ngx_group_credentials_basic(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential);
static ngx_int_t ngx_group_credentials_bearer(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential);
static ngx_int_t ngx_group_credentials_sigv4(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential);
static ngx_int_t ngx_group_credentials_principal(
    ngx_group_auth_entry_t *entry, ngx_group_credential_t *credential);
static ngx_int_t ngx_group_credentials_unique(ngx_group_auth_entry_t *entry,
    ngx_group_credentials_t *credentials, ngx_group_credential_t *credential);
static void ngx_group_credentials_cleanup(void *data);


ngx_int_t
ngx_group_credentials_build(ngx_pool_t *pool, ngx_group_value_t *value,
    void *data, ngx_str_t *error)
{
    ngx_group_credentials_t *credentials = data;

    u_char                   where[NGX_GROUP_CREDENTIALS_WHERE_LEN];
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_group_value_t       *list;
    ngx_pool_cleanup_t      *cln;
    ngx_group_auth_entry_t   entry;
    ngx_group_credential_t  *credential;

    list = NULL;

    rc = ngx_group_credentials_list(pool, value, error, &list);
    if (rc != NGX_OK) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    /* of the full size, so that no part is left behind when it grows */

    if (ngx_array_init(&credentials->list, pool,
                       list->n ? list->n : 1,
                       sizeof(ngx_group_credential_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln->handler = ngx_group_credentials_cleanup;
    cln->data = credentials;

    entry.pool = pool;
    entry.error = error;
    entry.where.data = where;
    entry.object = list->u.items.first;

    for (i = 0; entry.object; entry.object = entry.object->next, i++) {

        entry.where.len = ngx_snprintf(where, sizeof(where),
                                       "credentials[%ui]", i)
                          - where;

        credential = ngx_array_push(&credentials->list);
        if (credential == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(credential, sizeof(ngx_group_credential_t));

        rc = ngx_group_credentials_entry(&entry, credential);

        if (rc == NGX_OK) {
            rc = ngx_group_credentials_unique(&entry, credentials,
                                              credential);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_credentials_list(ngx_pool_t *pool, ngx_group_value_t *value,
    ngx_str_t *error, ngx_group_value_t **list)
{
    ngx_int_t               rc;
    ngx_group_auth_entry_t  entry;

    static ngx_str_t        key = ngx_string("credentials");

    entry.pool = pool;
    entry.error = error;
    entry.object = value;
    ngx_str_null(&entry.where);

    if (value->type != NGX_GROUP_OBJECT) {
        return ngx_group_auth_entry_error(&entry, NULL,
                                          "expected an object");
    }

    rc = ngx_group_auth_entry_keys(&entry, "credentials");
    if (rc != NGX_OK) {
        return rc;
    }

    *list = ngx_group_value_get(value, &key);

    if (*list == NULL || (*list)->type != NGX_GROUP_ARRAY) {
        return ngx_group_auth_entry_error(&entry, "credentials",
                                          "expected an array of objects");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_credentials_entry(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential)
{
    ngx_int_t  rc;

    if (entry->object->type != NGX_GROUP_OBJECT) {
        return ngx_group_auth_entry_error(entry, NULL, "expected an object");
    }

    rc = ngx_group_auth_entry_type(entry, &credential->type);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (credential->type) {

    case NGX_GROUP_AUTH_BASIC:
        rc = ngx_group_credentials_basic(entry, credential);
        break;

    case NGX_GROUP_AUTH_BEARER:
        rc = ngx_group_credentials_bearer(entry, credential);
        break;

    default: /* NGX_GROUP_AUTH_SIGV4 */
        rc = ngx_group_credentials_sigv4(entry, credential);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_group_credentials_principal(entry, credential);
}


static ngx_int_t
ngx_group_credentials_basic(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential)
{
    ngx_int_t  rc;
    ngx_str_t  id;

    rc = ngx_group_auth_entry_keys(entry, "type id secret_sha256 principal "
                                          "scopes containers");
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_entry_text(entry, "id", NGX_GROUP_TEXT_NO_COLON, &id);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_entry_digest(entry, "secret_sha256",
                                     credential->digest);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_group_auth_copy(entry->pool, &id, &credential->id);
}


static ngx_int_t
ngx_group_credentials_bearer(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential)
{
    ngx_int_t  rc;

    rc = ngx_group_auth_entry_keys(entry, "type token_sha256 principal scopes "
                                          "containers");
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_group_auth_entry_digest(entry, "token_sha256",
                                       credential->digest);
}


static ngx_int_t
ngx_group_credentials_sigv4(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential)
{
    ngx_int_t  rc;
    ngx_str_t  key, secret;

    rc = ngx_group_auth_entry_keys(entry, "type access_key secret_key "
                                          "principal scopes containers");
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

    if (ngx_group_auth_copy(entry->pool, &key, &credential->id) != NGX_OK
        || ngx_group_auth_copy(entry->pool, &secret, &credential->secret)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_credentials_principal(ngx_group_auth_entry_t *entry,
    ngx_group_credential_t *credential)
{
    ngx_int_t               rc;
    ngx_str_t               id;
    ngx_uint_t              flags;
    ngx_array_t            *scopes;
    ngx_group_principal_t  *principal;

    principal = &credential->principal;

    /* a token has no name of its own */

    id = credential->id;
    flags = id.len ? NGX_GROUP_TEXT_OPTIONAL : 0;

    rc = ngx_group_auth_entry_text(entry, "principal", flags, &id);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_copy(entry->pool, &id, &principal->id);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_auth_entry_names(entry, "scopes", &scopes);
    if (rc != NGX_OK) {
        return rc;
    }

    if (scopes) {
        principal->scopes = *scopes;
    }

    return ngx_group_auth_entry_names(entry, "containers",
                                      &principal->containers);
}


static ngx_int_t
ngx_group_credentials_unique(ngx_group_auth_entry_t *entry,
    ngx_group_credentials_t *credentials, ngx_group_credential_t *credential)
{
    ngx_uint_t               i;
    ngx_group_credential_t  *other;

    other = credentials->list.elts;

    for (i = 0; &other[i] != credential; i++) {

        if (other[i].type != credential->type) {
            continue;
        }

        if (credential->type == NGX_GROUP_AUTH_BEARER) {

            if (ngx_memcmp(other[i].digest, credential->digest,
                           NGX_GROUP_SHA256_LEN)
                == 0)
            {
                return ngx_group_auth_entry_error(entry, "token_sha256",
                                                  "is that of credentials"
                                                  "[%ui], too", i);
            }

        } else if (ngx_group_str_eq(&other[i].id, &credential->id)) {
            return ngx_group_auth_entry_error(entry,
                                    credential->type == NGX_GROUP_AUTH_BASIC
                                    ? "id" : "access_key",
                                    "\"%V\" is that of credentials[%ui], too",
                                    &credential->id, i);
        }
    }

    return NGX_OK;
}


static void
ngx_group_credentials_cleanup(void *data)
{
    ngx_group_credentials_t *credentials = data;

    ngx_uint_t               i;
    ngx_group_credential_t  *credential;

    credential = credentials->list.elts;

    for (i = 0; i < credentials->list.nelts; i++) {
        ngx_group_secret_wipe(&credential[i].secret);
        ngx_explicit_memzero(credential[i].digest, NGX_GROUP_SHA256_LEN);
    }

    ngx_explicit_memzero(&credentials->keys, sizeof(ngx_group_sigv4_keys_t));
}
