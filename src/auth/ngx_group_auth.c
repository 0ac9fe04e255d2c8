
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_value.h"


static ngx_int_t ngx_group_auth_add(ngx_array_t *out, ngx_str_t *value);


ngx_int_t
ngx_group_auth_check(ngx_pool_t *pool, ngx_group_credentials_t *credentials,
    ngx_group_auth_e type, ngx_group_auth_request_t *request,
    ngx_group_principal_t **principal, ngx_str_t *code, ngx_str_t *subject)
{
    static ngx_group_credentials_t  none;

    if (credentials == NULL) {
        credentials = &none;
    }

    *principal = NULL;

    ngx_str_null(code);
    ngx_str_null(subject);

    if (request->authorization.len == 0) {
        ngx_str_set(code, "missing");
        return NGX_DECLINED;
    }

    switch (type) {

    case NGX_GROUP_AUTH_BASIC:
        return ngx_group_basic_check(pool, credentials, request, principal,
                                     code);

    case NGX_GROUP_AUTH_BEARER:
        return ngx_group_bearer_check(credentials, request, principal, code);

    case NGX_GROUP_AUTH_SIGV4:
        return ngx_group_sigv4_check(pool, credentials, request, principal,
                                     code, subject);

    default: /* NGX_GROUP_AUTH_NONE */
        break;
    }

    /* nobody can be found out without a scheme */

    ngx_str_set(code, "malformed");

    return NGX_DECLINED;
}


ngx_int_t
ngx_group_auth_scopes(ngx_group_principal_t *principal, ngx_array_t *scopes,
    ngx_str_t *missing)
{
    ngx_str_t   *held, *scope;
    ngx_uint_t   i, j;

    if (scopes == NULL) {
        return NGX_OK;
    }

    scope = scopes->elts;
    held = principal->scopes.elts;

    for (i = 0; i < scopes->nelts; i++) {

        for (j = 0; j < principal->scopes.nelts; j++) {
            if (ngx_group_str_eq(&held[j], &scope[i])) {
                break;
            }
        }

        if (j == principal->scopes.nelts) {
            *missing = scope[i];
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_auth_container(ngx_group_principal_t *principal,
    ngx_str_t *container)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (principal->containers == NULL) {
        return NGX_OK;
    }

    name = principal->containers->elts;

    for (i = 0; i < principal->containers->nelts; i++) {
        if (ngx_group_str_eq(&name[i], container)) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_group_auth_sign(ngx_pool_t *pool, ngx_group_signer_t *signer,
    ngx_group_auth_request_t *request, ngx_array_t *out)
{
    switch (signer->type) {

    case NGX_GROUP_AUTH_BASIC:
    case NGX_GROUP_AUTH_BEARER:
        return ngx_group_auth_add(out, &signer->authorization);

    case NGX_GROUP_AUTH_SIGV4:
        return ngx_group_sigv4_sign(pool, signer, request, out);

    default: /* NGX_GROUP_AUTH_NONE */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_group_auth_add(ngx_array_t *out, ngx_str_t *value)
{
    ngx_group_header_t  *h;

    h = ngx_array_push(out);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->name, "Authorization");
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_group_auth_token(ngx_str_t *authorization, ngx_str_t *scheme,
    ngx_str_t *token)
{
    u_char  c, *p, *last;

    p = authorization->data;
    last = p + authorization->len;

    if (authorization->len <= scheme->len
        || ngx_strncasecmp(p, scheme->data, scheme->len) != 0
        || p[scheme->len] != ' ')
    {
        return NGX_DECLINED;
    }

    p += scheme->len;

    while (p < last && *p == ' ') {
        p++;
    }

    token->data = p;
    token->len = last - p;

    /* token68 of RFC 9110 */

    for ( /* void */ ; p < last && *p != '='; p++) {
        c = *p | 0x20;

        if ((c >= 'a' && c <= 'z') || (*p >= '0' && *p <= '9')) {
            continue;
        }

        if (*p != '-' && *p != '.' && *p != '_' && *p != '~' && *p != '+'
            && *p != '/')
        {
            return NGX_DECLINED;
        }
    }

    if (p == token->data) {
        return NGX_DECLINED;
    }

    for ( /* void */ ; p < last; p++) {
        if (*p != '=') {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_str_t *
ngx_group_auth_header(ngx_array_t *headers, ngx_str_t *name)
{
    ngx_uint_t           i;
    ngx_group_header_t  *h;

    if (headers == NULL) {
        return NULL;
    }

    h = headers->elts;

    for (i = 0; i < headers->nelts; i++) {
        if (ngx_group_str_eq(&h[i].name, name)) {
            return &h[i].value;
        }
    }

    return NULL;
}
