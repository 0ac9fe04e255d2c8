
/*
 * What the files of src/auth share with each other and with their tests.
 */


#ifndef _NGX_GROUP_AUTH_INTERNAL_H_INCLUDED_
#define _NGX_GROUP_AUTH_INTERNAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth.h"
#include "ngx_group_value.h"


#define NGX_GROUP_SHA256_HEX_LEN  (2 * NGX_GROUP_SHA256_LEN)


/* one check for each scheme; the contract is that of ngx_group_auth_check() */

ngx_int_t ngx_group_basic_check(ngx_pool_t *pool,
    ngx_group_credentials_t *credentials, ngx_group_auth_request_t *request,
    ngx_group_principal_t **principal, ngx_str_t *code);
ngx_int_t ngx_group_bearer_check(ngx_group_credentials_t *credentials,
    ngx_group_auth_request_t *request, ngx_group_principal_t **principal,
    ngx_str_t *code);
ngx_int_t ngx_group_sigv4_check(ngx_pool_t *pool,
    ngx_group_credentials_t *credentials, ngx_group_auth_request_t *request,
    ngx_group_principal_t **principal, ngx_str_t *code, ngx_str_t *subject);

ngx_int_t ngx_group_sigv4_sign(ngx_pool_t *pool, ngx_group_signer_t *signer,
    ngx_group_auth_request_t *request, ngx_array_t *out);


/*
 * Takes "<scheme> <token68>" apart; the scheme is matched in any case.
 * NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_group_auth_token(ngx_str_t *authorization, ngx_str_t *scheme,
    ngx_str_t *token);

/* the first header of that name (in lower case), or NULL */
ngx_str_t *ngx_group_auth_header(ngx_array_t *headers, ngx_str_t *name);


#define NGX_GROUP_SIGV4_DAY_LEN   (sizeof("20150830") - 1)
#define NGX_GROUP_SIGV4_DATE_LEN  (sizeof("20150830T123600Z") - 1)
#define NGX_GROUP_SIGV4_DAY       86400


typedef struct {
    time_t  time;
    u_char  text[NGX_GROUP_SIGV4_DATE_LEN];    /* as it is signed */
} ngx_group_sigv4_date_t;


/*
 * X-Amz-Date, or Date in its absence; NGX_OK, or NGX_DECLINED when there is
 * none or it cannot be read.
 */
ngx_int_t ngx_group_sigv4_find_date(ngx_array_t *headers,
    ngx_group_sigv4_date_t *date);

/*
 * The first second of a day that is written as 20150830 (8 bytes); NGX_OK or
 * NGX_DECLINED.
 */
ngx_int_t ngx_group_sigv4_day(u_char *text, time_t *time);

void ngx_group_sigv4_date(time_t time, ngx_group_sigv4_date_t *date);


/*
 * The parts of a canonical request (VinylDNS, Aws4Authenticator.scala).
 *
 * A path can be written in more than one way, and signers do not agree on one;
 * ngx_group_sigv4_paths() gives all that are accepted, without repetition, and
 * each of them decodes to the path of the request and to no other.  The first
 * is the one that is signed with.
 */

#define NGX_GROUP_SIGV4_PATHS  3

/* NGX_OK with *n paths, or NGX_ERROR (no memory) */
ngx_int_t ngx_group_sigv4_paths(ngx_pool_t *pool,
    ngx_group_auth_request_t *request, ngx_str_t *paths, ngx_uint_t *n);

/* NGX_OK, NGX_DECLINED (a bad escape), or NGX_ERROR (no memory) */
ngx_int_t ngx_group_sigv4_query(ngx_pool_t *pool, ngx_str_t *args,
    ngx_str_t *query);

/* NGX_OK, NGX_DECLINED (too many names), or NGX_ERROR (no memory) */
ngx_int_t ngx_group_sigv4_headers(ngx_pool_t *pool, ngx_array_t *headers,
    ngx_str_t *names, ngx_str_t *lines);

/* the digest of the whole; NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_sigv4_request(ngx_pool_t *pool,
    ngx_group_auth_request_t *request, ngx_str_t *path, ngx_str_t *query,
    ngx_str_t *lines, ngx_str_t *names, u_char digest[NGX_GROUP_SHA256_LEN]);


/* the signing key of a secret for a scope.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_sigv4_key(ngx_pool_t *pool, ngx_group_sigv4_keys_t *keys,
    ngx_str_t *access_key, ngx_str_t *secret, ngx_str_t *scope,
    u_char key[NGX_GROUP_SHA256_LEN]);


/* NGX_OK or NGX_ERROR (libcrypto) */
ngx_int_t ngx_group_hmac_sha256(u_char *key, size_t len, ngx_str_t *in,
    u_char digest[NGX_GROUP_SHA256_LEN]);

/* whether they are equal, in a time that does not depend on the bytes */
ngx_uint_t ngx_group_secret_equal(u_char *a, u_char *b, size_t len);

void ngx_group_secret_wipe(ngx_str_t *secret);


/*
 * A file of credentials: "build" makes structures in "pool" of what is in it,
 * and must copy what it keeps.  All else that was read is wiped, "text" too.
 * NGX_OK, NGX_DECLINED with *error set to what is wrong and where, or
 * NGX_ERROR (no memory).
 */

typedef ngx_int_t (*ngx_group_auth_build_pt)(ngx_pool_t *pool,
    ngx_group_value_t *value, void *data, ngx_str_t *error);

ngx_int_t ngx_group_auth_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_group_auth_build_pt build, void *data, ngx_str_t *error);

/*
 * The same from a file; "kind" is what messages call it, *shared becomes 1 when
 * everyone can read it.  NGX_OK, or NGX_ERROR after the error was logged.
 */
ngx_int_t ngx_group_auth_load(ngx_conf_t *cf, ngx_str_t *file,
    const char *kind, ngx_group_auth_build_pt build, void *data,
    ngx_uint_t *shared);

/* "data" is zeroed; its secrets are wiped when "pool" is destroyed */

/* data: ngx_group_credentials_t */
ngx_int_t ngx_group_credentials_build(ngx_pool_t *pool,
    ngx_group_value_t *value, void *data, ngx_str_t *error);

/* data: ngx_group_signer_t */
ngx_int_t ngx_group_signer_build(ngx_pool_t *pool, ngx_group_value_t *value,
    void *data, ngx_str_t *error);


#endif /* _NGX_GROUP_AUTH_INTERNAL_H_INCLUDED_ */
