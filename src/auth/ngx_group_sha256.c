
#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "ngx_group_auth_internal.h"


#define NGX_GROUP_SHA256_BLOCK  64


static ngx_int_t ngx_group_sha256_part(u_char *pad, ngx_str_t *in,
    u_char digest[NGX_GROUP_SHA256_LEN]);


/*
 * One context a process, for good: to make one and to look SHA-256 up costs
 * OpenSSL 3 more than to hash what is hashed here.
 */

static EVP_MD_CTX  *ngx_group_sha256_ctx;


ngx_int_t
ngx_group_sha256(ngx_str_t *in, u_char digest[NGX_GROUP_SHA256_LEN])
{
    return ngx_group_sha256_part(NULL, in, digest);
}


/* of the block "pad", if any, and of "in" */

static ngx_int_t
ngx_group_sha256_part(u_char *pad, ngx_str_t *in,
    u_char digest[NGX_GROUP_SHA256_LEN])
{
    const EVP_MD  *md;
    EVP_MD_CTX    *ctx;
    unsigned int   len;

    ctx = ngx_group_sha256_ctx;
    md = NULL;

    if (ctx == NULL) {
        ctx = EVP_MD_CTX_new();
        if (ctx == NULL) {
            return NGX_ERROR;
        }

        md = EVP_sha256();
    }

    if (EVP_DigestInit_ex(ctx, md, NULL) != 1
        || (pad && EVP_DigestUpdate(ctx, pad, NGX_GROUP_SHA256_BLOCK) != 1)
        || (in->len && EVP_DigestUpdate(ctx, in->data, in->len) != 1)
        || EVP_DigestFinal_ex(ctx, digest, &len) != 1
        || len != NGX_GROUP_SHA256_LEN)
    {
        /* a new one is tried the next time */

        EVP_MD_CTX_free(ctx);
        ngx_group_sha256_ctx = NULL;

        return NGX_ERROR;
    }

    ngx_group_sha256_ctx = ctx;

    return NGX_OK;
}


/* RFC 2104; OpenSSL's own looks its parts up anew for each message */

ngx_int_t
ngx_group_hmac_sha256(u_char *key, size_t key_len, ngx_str_t *in,
    u_char digest[NGX_GROUP_SHA256_LEN])
{
    u_char      inner[NGX_GROUP_SHA256_BLOCK], outer[NGX_GROUP_SHA256_BLOCK],
                short_key[NGX_GROUP_SHA256_LEN], c;
    ngx_int_t   rc;
    ngx_str_t   text;
    ngx_uint_t  i;

    if (key_len > NGX_GROUP_SHA256_BLOCK) {
        text.data = key;
        text.len = key_len;

        if (ngx_group_sha256(&text, short_key) != NGX_OK) {
            return NGX_ERROR;
        }

        key = short_key;
        key_len = NGX_GROUP_SHA256_LEN;
    }

    for (i = 0; i < NGX_GROUP_SHA256_BLOCK; i++) {
        c = (i < key_len) ? key[i] : 0;
        inner[i] = c ^ 0x36;
        outer[i] = c ^ 0x5c;
    }

    text.data = digest;
    text.len = NGX_GROUP_SHA256_LEN;

    rc = ngx_group_sha256_part(inner, in, digest);

    if (rc == NGX_OK) {
        rc = ngx_group_sha256_part(outer, &text, digest);
    }

    ngx_explicit_memzero(inner, NGX_GROUP_SHA256_BLOCK);
    ngx_explicit_memzero(outer, NGX_GROUP_SHA256_BLOCK);
    ngx_explicit_memzero(short_key, NGX_GROUP_SHA256_LEN);

    return rc;
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
