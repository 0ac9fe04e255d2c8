
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"


static ngx_int_t ngx_group_basic_find(ngx_group_credentials_t *credentials,
    ngx_str_t *id, ngx_str_t *password, ngx_group_principal_t **principal);


static ngx_str_t  ngx_group_basic_scheme = ngx_string("Basic");


ngx_int_t
ngx_group_basic_check(ngx_pool_t *pool, ngx_group_credentials_t *credentials,
    ngx_group_auth_request_t *request, ngx_group_principal_t **principal,
    ngx_str_t *code)
{
    u_char     *colon;
    ngx_int_t   rc;
    ngx_str_t   token, pair, id, password;

    rc = ngx_group_auth_token(&request->authorization,
                              &ngx_group_basic_scheme, &token);
    if (rc != NGX_OK) {
        ngx_str_set(code, "malformed");
        return rc;
    }

    pair.len = ngx_base64_decoded_length(token.len);

    pair.data = ngx_pnalloc(pool, pair.len);
    if (pair.data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_decode_base64(&pair, &token) != NGX_OK) {
        ngx_group_secret_wipe(&pair);
        ngx_str_set(code, "malformed");
        return NGX_DECLINED;
    }

    colon = ngx_strlchr(pair.data, pair.data + pair.len, ':');
    if (colon == NULL) {
        ngx_group_secret_wipe(&pair);
        ngx_str_set(code, "malformed");
        return NGX_DECLINED;
    }

    id.data = pair.data;
    id.len = colon - pair.data;

    password.data = colon + 1;
    password.len = pair.len - id.len - 1;

    rc = ngx_group_basic_find(credentials, &id, &password, principal);

    ngx_group_secret_wipe(&pair);

    if (rc == NGX_DECLINED) {
        ngx_str_set(code, "credentials");
    }

    return rc;
}


/*
 * The password is hashed and the whole list is walked even when the id is not
 * in it, so that the time does not tell an unknown id from a wrong password.
 */

static ngx_int_t
ngx_group_basic_find(ngx_group_credentials_t *credentials, ngx_str_t *id,
    ngx_str_t *password, ngx_group_principal_t **principal)
{
    u_char                   digest[NGX_GROUP_SHA256_LEN];
    ngx_uint_t               i, same, right;
    ngx_group_credential_t  *credential, *found;

    if (ngx_group_sha256(password, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    found = NULL;
    credential = credentials->list.elts;

    for (i = 0; i < credentials->list.nelts; i++) {

        if (credential[i].type != NGX_GROUP_AUTH_BASIC) {
            continue;
        }

        same = credential[i].id.len == id->len
               && ngx_group_secret_equal(credential[i].id.data, id->data,
                                         id->len);

        right = ngx_group_secret_equal(credential[i].digest, digest,
                                       NGX_GROUP_SHA256_LEN);

        if (same & right) {
            found = &credential[i];
        }
    }

    ngx_explicit_memzero(digest, NGX_GROUP_SHA256_LEN);

    if (found == NULL) {
        return NGX_DECLINED;
    }

    *principal = &found->principal;

    return NGX_OK;
}
