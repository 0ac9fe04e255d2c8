
/*
 * What the files of JWT bearer tokens share with each other and with their
 * tests.
 */


#ifndef _NGX_GROUP_JWT_H_INCLUDED_
#define _NGX_GROUP_JWT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/evp.h>
#include "ngx_group_auth.h"
#include "ngx_group_value.h"


/* a token of more bytes is not looked at */
#define NGX_GROUP_JWT_MAX_LEN      8192

/* nesting and items of its header and its claims */
#define NGX_GROUP_JWT_MAX_DEPTH    16
#define NGX_GROUP_JWT_MAX_ITEMS    1024

/* bytes of a subject: it goes to logs and headers */
#define NGX_GROUP_JWT_MAX_SUBJECT  256

/* digits of a date, so that no sum of two is too large */
#define NGX_GROUP_JWT_MAX_DIGITS   15

/* seconds: no clock is a day off */
#define NGX_GROUP_JWT_MAX_LEEWAY   86400

/* of one file */
#define NGX_GROUP_JWKS_MAX_KEYS    64

/* bits; more takes too long for an answer to a stranger */
#define NGX_GROUP_JWKS_RSA_MIN     2048
#define NGX_GROUP_JWKS_RSA_MAX     8192

/* bytes of an RSA exponent */
#define NGX_GROUP_JWKS_RSA_EXP     8

/* bytes; RFC 7518, 3.2: as long as the hash */
#define NGX_GROUP_JWKS_OCT_MIN     32

/* bytes of a coordinate of P-256, and of an Ed25519 key */
#define NGX_GROUP_JWKS_EC_LEN      32
#define NGX_GROUP_JWKS_OKP_LEN     32


typedef enum {
    NGX_GROUP_JWT_RS256 = 0,
    NGX_GROUP_JWT_ES256,
    NGX_GROUP_JWT_EDDSA,
    NGX_GROUP_JWT_HS256,
    NGX_GROUP_JWT_ALGS
} ngx_group_jwt_alg_e;


typedef struct {
    ngx_str_t            kid;        /* empty: none */
    ngx_uint_t           index;      /* in the file */
    ngx_group_jwt_alg_e  alg;        /* the only one that it is for */
    EVP_PKEY            *pkey;       /* NULL: HS256 */
    ngx_str_t            secret;     /* HS256 */
} ngx_group_jwt_key_t;


/* what is odd about a key, but no mistake */

typedef struct {
    ngx_uint_t           index;      /* in the file */
    const char          *other;      /* why it is passed over; NULL: it is not,
                                        but has its private part */
} ngx_group_jwt_note_t;


/* "RS256", ...; NGX_GROUP_JWT_ALGS when there is none of that name */
ngx_group_jwt_alg_e ngx_group_jwt_alg(ngx_str_t *name);


/*
 * A JWK Set; data: ngx_group_jwt_t, zeroed but for "file".  Its keys are freed
 * and its secrets wiped when "pool" is destroyed.  What is odd is noted, also
 * where it fails.  The contract is that of ngx_group_auth_build_pt.
 */
ngx_int_t ngx_group_jwks_build(ngx_pool_t *pool, ngx_group_value_t *value,
    void *data, ngx_str_t *error);


/*
 * Base64url as strict as RFC 7515 has it: no padding, no white space, and one
 * way only to write the last bits.  NGX_OK, NGX_DECLINED, or NGX_ERROR.
 */
ngx_int_t ngx_group_base64url(ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out);

/* each returns NULL when libcrypto does not take the key */
EVP_PKEY *ngx_group_jwt_rsa(ngx_str_t *n, ngx_str_t *e);
EVP_PKEY *ngx_group_jwt_ec(ngx_str_t *x, ngx_str_t *y);
EVP_PKEY *ngx_group_jwt_okp(ngx_str_t *x);

/* NGX_OK, NGX_DECLINED (it is not that key's of that text), or NGX_ERROR */
ngx_int_t ngx_group_jwt_verify(ngx_group_jwt_key_t *key, ngx_str_t *text,
    ngx_str_t *signature);


#endif /* _NGX_GROUP_JWT_H_INCLUDED_ */
