
/*
 * Keys and signatures, by libcrypto, which nginx has already.  Weighed, of what
 * Debian has: libjwt knows neither EdDSA nor JWK Sets, cjose no EdDSA, and
 * rhonabwy brings GnuTLS and curl into nginx.
 *
 * Public keys are read as SubjectPublicKeyInfo: that is the one way that is
 * deprecated neither in 1.1.1 nor in 3.x.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_jwt.h"


#define NGX_GROUP_DER_INTEGER     0x02
#define NGX_GROUP_DER_BIT_STRING  0x03
#define NGX_GROUP_DER_SEQUENCE    0x30

/* the largest RSA key with all that is around it */
#define NGX_GROUP_DER_RSA_LEN                                                 \
    (NGX_GROUP_JWKS_RSA_MAX / 8 + NGX_GROUP_JWKS_RSA_EXP + 64)

/* two integers of 33 bytes at most, and what is around them */
#define NGX_GROUP_DER_ECDSA_LEN   72

#define NGX_GROUP_JWT_ES256_LEN   (2 * NGX_GROUP_JWKS_EC_LEN)


static size_t ngx_group_der_size(size_t len);
static size_t ngx_group_der_integer_size(ngx_str_t *n);
static u_char *ngx_group_der_head(u_char *p, ngx_uint_t tag, size_t len);
static u_char *ngx_group_der_integer(u_char *p, ngx_str_t *n);
static EVP_PKEY *ngx_group_jwt_public(u_char *der, size_t len);
static ngx_uint_t ngx_group_jwt_nomem(void);
static ngx_int_t ngx_group_jwt_ecdsa(ngx_str_t *signature,
    u_char der[NGX_GROUP_DER_ECDSA_LEN], size_t *len);


/* SEQUENCE { rsaEncryption, NULL } */

static u_char  ngx_group_der_rsa[] = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00
};

/* all of a P-256 key that comes before x and y */

static u_char  ngx_group_der_ec[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03,
    0x42, 0x00, 0x04
};


ngx_int_t
ngx_group_base64url(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *out)
{
    u_char      c, *p, *last, *dst;
    uint32_t    bits;
    ngx_uint_t  n;

    out->len = 0;

    out->data = ngx_pnalloc(pool, in->len / 4 * 3 + 3);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    dst = out->data;
    bits = 0;
    n = 0;

    last = in->data + in->len;

    for (p = in->data; p < last; p++) {

        if (*p >= 'A' && *p <= 'Z') {
            c = *p - 'A';

        } else if (*p >= 'a' && *p <= 'z') {
            c = *p - 'a' + 26;

        } else if (*p >= '0' && *p <= '9') {
            c = *p - '0' + 52;

        } else if (*p == '-') {
            c = 62;

        } else if (*p == '_') {
            c = 63;

        } else {
            break;
        }

        bits = (bits << 6 | c) & 0xffff;
        n += 6;

        if (n >= 8) {
            n -= 8;
            *dst++ = (u_char) (bits >> n);
        }
    }

    /* 6 bits are no byte, and those that are left must not say anything */

    if (p < last || n == 6 || (bits & ((1 << n) - 1))) {
        ngx_explicit_memzero(out->data, dst - out->data);
        return NGX_DECLINED;
    }

    out->len = dst - out->data;

    return NGX_OK;
}


EVP_PKEY *
ngx_group_jwt_rsa(ngx_str_t *n, ngx_str_t *e)
{
    u_char  der[NGX_GROUP_DER_RSA_LEN], *p;
    size_t  numbers, bits, all;

    numbers = ngx_group_der_integer_size(n) + ngx_group_der_integer_size(e);
    bits = 1 + ngx_group_der_size(numbers);
    all = sizeof(ngx_group_der_rsa) + ngx_group_der_size(bits);

    if (ngx_group_der_size(all) > sizeof(der)) {
        return NULL;
    }

    p = ngx_group_der_head(der, NGX_GROUP_DER_SEQUENCE, all);
    p = ngx_cpymem(p, ngx_group_der_rsa, sizeof(ngx_group_der_rsa));
    p = ngx_group_der_head(p, NGX_GROUP_DER_BIT_STRING, bits);
    *p++ = 0;
    p = ngx_group_der_head(p, NGX_GROUP_DER_SEQUENCE, numbers);
    p = ngx_group_der_integer(p, n);
    p = ngx_group_der_integer(p, e);

    return ngx_group_jwt_public(der, p - der);
}


EVP_PKEY *
ngx_group_jwt_ec(ngx_str_t *x, ngx_str_t *y)
{
    u_char  der[sizeof(ngx_group_der_ec) + NGX_GROUP_JWT_ES256_LEN], *p;

    if (x->len != NGX_GROUP_JWKS_EC_LEN || y->len != NGX_GROUP_JWKS_EC_LEN) {
        return NULL;
    }

    p = ngx_cpymem(der, ngx_group_der_ec, sizeof(ngx_group_der_ec));
    p = ngx_cpymem(p, x->data, x->len);
    p = ngx_cpymem(p, y->data, y->len);

    /* a point that is not on the curve is refused there */

    return ngx_group_jwt_public(der, p - der);
}


EVP_PKEY *
ngx_group_jwt_okp(ngx_str_t *x)
{
    EVP_PKEY  *pkey;

    if (x->len != NGX_GROUP_JWKS_OKP_LEN) {
        return NULL;
    }

    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x->data,
                                       x->len);
    if (pkey == NULL) {
        ERR_clear_error();
    }

    return pkey;
}


static EVP_PKEY *
ngx_group_jwt_public(u_char *der, size_t len)
{
    EVP_PKEY             *pkey;
    const unsigned char  *p;

    p = der;

    pkey = d2i_PUBKEY(NULL, &p, (long) len);

    /* nginx would find what is left there and take it for TLS's */

    if (pkey == NULL) {
        ERR_clear_error();
    }

    return pkey;
}


/* of an element with that much inside, less than 64K */

static size_t
ngx_group_der_size(size_t len)
{
    return 1 + ((len < 0x80) ? 1 : (len < 0x100) ? 2 : 3) + len;
}


/* numbers are not negative: they are as long as the first bit says */

static size_t
ngx_group_der_integer_size(ngx_str_t *n)
{
    return ngx_group_der_size(n->len + (n->data[0] >> 7));
}


static u_char *
ngx_group_der_head(u_char *p, ngx_uint_t tag, size_t len)
{
    *p++ = (u_char) tag;

    if (len >= 0x100) {
        *p++ = 0x82;
        *p++ = (u_char) (len >> 8);

    } else if (len >= 0x80) {
        *p++ = 0x81;
    }

    *p++ = (u_char) len;

    return p;
}


static u_char *
ngx_group_der_integer(u_char *p, ngx_str_t *n)
{
    size_t  sign;

    sign = n->data[0] >> 7;

    p = ngx_group_der_head(p, NGX_GROUP_DER_INTEGER, n->len + sign);

    if (sign) {
        *p++ = 0;
    }

    return ngx_cpymem(p, n->data, n->len);
}


ngx_int_t
ngx_group_jwt_verify(ngx_group_jwt_key_t *key, ngx_str_t *text,
    ngx_str_t *signature)
{
    int            rc;
    u_char         digest[NGX_GROUP_SHA256_LEN], der[NGX_GROUP_DER_ECDSA_LEN];
    ngx_int_t      status;
    ngx_str_t      sig;
    EVP_MD_CTX    *ctx;
    const EVP_MD  *md;

    sig = *signature;
    md = EVP_sha256();

    switch (key->alg) {

    case NGX_GROUP_JWT_HS256:

        if (ngx_group_hmac_sha256(key->secret.data, key->secret.len, text,
                                  digest)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return (sig.len == NGX_GROUP_SHA256_LEN
                && ngx_group_secret_equal(digest, sig.data, sig.len))
               ? NGX_OK : NGX_DECLINED;

    case NGX_GROUP_JWT_ES256:

        status = ngx_group_jwt_ecdsa(signature, der, &sig.len);

        if (status != NGX_OK) {
            return status;
        }

        sig.data = der;
        break;

    case NGX_GROUP_JWT_EDDSA:
        md = NULL;
        break;

    default: /* NGX_GROUP_JWT_RS256 */
        break;
    }

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (EVP_DigestVerifyInit(ctx, NULL, md, NULL, key->pkey) != 1) {
        EVP_MD_CTX_free(ctx);
        ERR_clear_error();
        return NGX_ERROR;
    }

    rc = EVP_DigestVerify(ctx, sig.data, sig.len, text->data, text->len);

    EVP_MD_CTX_free(ctx);

    if (rc != 1) {
        return ngx_group_jwt_nomem() ? NGX_ERROR : NGX_DECLINED;
    }

    return NGX_OK;
}


/* whether that is among the errors, which it clears */

static ngx_uint_t
ngx_group_jwt_nomem(void)
{
    ngx_uint_t     found;
    unsigned long  error;

    found = 0;

    while ((error = ERR_get_error()) != 0) {
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
            found = 1;
        }
    }

    return found;
}


/* JWS has the two numbers side by side */

static ngx_int_t
ngx_group_jwt_ecdsa(ngx_str_t *signature, u_char der[NGX_GROUP_DER_ECDSA_LEN],
    size_t *len)
{
    int         n;
    u_char     *p;
    BIGNUM     *r, *s;
    ECDSA_SIG  *sig;

    if (signature->len != NGX_GROUP_JWT_ES256_LEN) {
        return NGX_DECLINED;
    }

    sig = ECDSA_SIG_new();
    r = BN_bin2bn(signature->data, NGX_GROUP_JWKS_EC_LEN, NULL);
    s = BN_bin2bn(signature->data + NGX_GROUP_JWKS_EC_LEN,
                  NGX_GROUP_JWKS_EC_LEN, NULL);

    if (sig == NULL || r == NULL || s == NULL
        || ECDSA_SIG_set0(sig, r, s) != 1)
    {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        ERR_clear_error();
        return NGX_ERROR;
    }

    n = i2d_ECDSA_SIG(sig, NULL);

    if (n > 0 && n <= NGX_GROUP_DER_ECDSA_LEN) {
        p = der;
        n = i2d_ECDSA_SIG(sig, &p);

    } else {
        n = 0;
    }

    ECDSA_SIG_free(sig);

    if (n <= 0) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    *len = n;

    return NGX_OK;
}
