
#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "ngx_group_auth_internal.h"


ngx_int_t
ngx_group_sha256(ngx_str_t *in, u_char digest[NGX_GROUP_SHA256_LEN])
{
    const void    *data;
    unsigned int   len;

    data = in->len ? in->data : (u_char *) "";

    if (EVP_Digest(data, in->len, digest, &len, EVP_sha256(), NULL) != 1
        || len != NGX_GROUP_SHA256_LEN)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_hmac_sha256(u_char *key, size_t key_len, ngx_str_t *in,
    u_char digest[NGX_GROUP_SHA256_LEN])
{
    unsigned int          len;
    const unsigned char  *data;

    if (key_len > NGX_MAX_INT32_VALUE) {
        return NGX_ERROR;
    }

    data = in->len ? in->data : (u_char *) "";

    if (HMAC(EVP_sha256(), key, (int) key_len, data, in->len, digest, &len)
        == NULL
        || len != NGX_GROUP_SHA256_LEN)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_group_secret_equal(u_char *a, u_char *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}


void
ngx_group_secret_wipe(ngx_str_t *secret)
{
    if (secret->len) {
        ngx_explicit_memzero(secret->data, secret->len);
    }
}
