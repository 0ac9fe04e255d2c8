
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"


static ngx_str_t  ngx_group_bearer_scheme = ngx_string("Bearer");


ngx_int_t
ngx_group_bearer_check(ngx_group_credentials_t *credentials,
    ngx_group_auth_request_t *request, ngx_group_principal_t **principal,
    ngx_str_t *code)
{
    u_char                   digest[NGX_GROUP_SHA256_LEN];
    ngx_int_t                rc;
    ngx_str_t                token;
    ngx_uint_t               i;
    ngx_group_credential_t  *credential, *found;

    rc = ngx_group_auth_token(&request->authorization,
                              &ngx_group_bearer_scheme, &token);
    if (rc != NGX_OK) {
        ngx_str_set(code, "malformed");
        return rc;
    }

    if (ngx_group_sha256(&token, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    found = NULL;
    credential = credentials->list.elts;

    for (i = 0; i < credentials->list.nelts; i++) {

        if (credential[i].type == NGX_GROUP_AUTH_BEARER
            && ngx_group_secret_equal(credential[i].digest, digest,
                                      NGX_GROUP_SHA256_LEN))
        {
            found = &credential[i];
        }
    }

    ngx_explicit_memzero(digest, NGX_GROUP_SHA256_LEN);

    if (found == NULL) {
        ngx_str_set(code, "credentials");
        return NGX_DECLINED;
    }

    *principal = &found->principal;

    return NGX_OK;
}
