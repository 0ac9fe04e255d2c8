
/*
 * Who calls, and what they may do.
 */


#ifndef _NGX_GROUP_AUTH_H_INCLUDED_
#define _NGX_GROUP_AUTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_GROUP_SHA256_LEN  32


typedef enum {
    NGX_GROUP_AUTH_NONE = 0,
    NGX_GROUP_AUTH_BASIC,
    NGX_GROUP_AUTH_BEARER,
    NGX_GROUP_AUTH_SIGV4
} ngx_group_auth_e;


typedef struct {
    ngx_str_t            id;           /* the principal's name */
    ngx_array_t          scopes;       /* of ngx_str_t */
    ngx_array_t         *containers;   /* of ngx_str_t; NULL: all of them */
} ngx_group_principal_t;


typedef struct {
    ngx_group_auth_e       type;
    ngx_str_t              id;         /* user or project; the access key */
    u_char                 digest[NGX_GROUP_SHA256_LEN];
                                       /* of the password or the token */
    ngx_str_t              secret;     /* sigv4: the secret key */
    ngx_group_principal_t  principal;
} ngx_group_credential_t;


/*
 * Signing keys that were derived before.  Unlike the rest of a credentials file
 * they come and go as requests do; they are wiped with it.
 */

#define NGX_GROUP_SIGV4_SLOTS  16
#define NGX_GROUP_SIGV4_NAME   128


typedef struct {
    size_t                 len;
    u_char                 name[NGX_GROUP_SIGV4_NAME]; /* access key/scope */
    u_char                 key[NGX_GROUP_SHA256_LEN];
} ngx_group_sigv4_slot_t;


typedef struct {
    ngx_group_sigv4_slot_t  slots[NGX_GROUP_SIGV4_SLOTS];
} ngx_group_sigv4_keys_t;


typedef struct {
    ngx_array_t            list;       /* of ngx_group_credential_t */
    ngx_str_t              file;
    ngx_group_sigv4_keys_t keys;
} ngx_group_credentials_t;


/* whose JWT bearer tokens are taken */

typedef struct {
    ngx_array_t            keys;       /* of ngx_group_jwt_key_t */
    ngx_array_t           *notes;      /* of ngx_group_jwt_note_t; NULL: none */
    ngx_str_t              file;
    ngx_str_t              issuer;     /* empty: any */
    ngx_str_t              audience;   /* empty: any */
    time_t                 leeway;     /* of clocks, in seconds */
} ngx_group_jwt_t;


/* how the gateway signs in to the upstream: one credential in clear */

typedef struct {
    ngx_group_auth_e       type;
    ngx_str_t              authorization;  /* basic, bearer: the whole value */
    ngx_str_t              access_key;     /* sigv4 */
    ngx_str_t              secret_key;
    ngx_str_t              region;
    ngx_str_t              service;
    ngx_group_sigv4_keys_t keys;
} ngx_group_signer_t;


typedef struct {
    ngx_str_t              name;       /* lower case */
    ngx_str_t              value;
} ngx_group_header_t;


/* what of a request a credential is checked against, or a signature made of */

typedef struct {
    ngx_str_t              method;
    ngx_str_t              uri;        /* path, decoded and normalized */
    ngx_str_t              unparsed_path;  /* path as sent, may be empty */
    ngx_str_t              args;       /* query as sent, without "?" */
    ngx_str_t              authorization;  /* empty: there is no such header */
    ngx_array_t           *headers;    /* of ngx_group_header_t, as sent */
    u_char                 body[NGX_GROUP_SHA256_LEN];  /* its SHA-256 */
    time_t                 now;        /* seconds since the epoch */
    time_t                 max_skew;   /* seconds; 0: dates are not checked */
} ngx_group_auth_request_t;


/*
 * Reads a credentials file (JSON; see the README) when the configuration is
 * read.  Secrets are wiped when cf->pool is destroyed.  NULL after an error
 * was logged with the file and what is wrong in it.
 */
ngx_group_credentials_t *ngx_group_credentials_load(ngx_conf_t *cf,
    ngx_str_t *file);

/* the same for a JWK Set, whose keys are freed then; nothing else is set */
ngx_group_jwt_t *ngx_group_jwt_load(ngx_conf_t *cf, ngx_str_t *file);

/* the same for an upstream's credential */
ngx_group_signer_t *ngx_group_signer_load(ngx_conf_t *cf, ngx_str_t *file);

/*
 * Finds out who calls.  Only credentials of "type" are considered; NULL: there
 * are none.
 *
 * NGX_OK with *principal set; NGX_DECLINED with *code set to
 *   "missing"     no Authorization header
 *   "malformed"   one that is not of this scheme or cannot be taken apart;
 *                 sigv4: or there is no date that can be read
 *   "unknown"     sigv4: no such access key (*subject is the key)
 *   "signature"   sigv4: the signature is not the one of this request
 *   "expired"     sigv4: the date is further from now than max_skew, or the
 *                 scope is of another day than the date
 *   "credentials" basic, bearer: unknown or wrong, which is not told
 * or NGX_ERROR (no memory, libcrypto).  Secrets are compared in constant time.
 */
ngx_int_t ngx_group_auth_check(ngx_pool_t *pool,
    ngx_group_credentials_t *credentials, ngx_group_auth_e type,
    ngx_group_auth_request_t *request, ngx_group_principal_t **principal,
    ngx_str_t *code, ngx_str_t *subject);

/*
 * The same for a bearer token that is none of the credentials': NGX_OK with
 * *principal set; NGX_DECLINED with *reason set to half a sentence for the log,
 * which has nothing of the token in it; NGX_ERROR.
 */
ngx_int_t ngx_group_jwt_check(ngx_pool_t *pool, ngx_group_jwt_t *jwt,
    ngx_group_auth_request_t *request, ngx_group_principal_t **principal,
    ngx_str_t *reason);

/*
 * What makes a signature another one than all others: a digest of it and of
 * its key; and its date.  For a request whose signature was checked.  NGX_OK
 * or NGX_ERROR.
 */
ngx_int_t ngx_group_sigv4_mark(ngx_pool_t *pool,
    ngx_group_auth_request_t *request, u_char mark[NGX_GROUP_SHA256_LEN],
    time_t *date);

/*
 * NGX_OK when the principal holds each of "scopes" (of ngx_str_t; NULL: none),
 * or NGX_DECLINED with *missing set to the first that it does not.
 */
ngx_int_t ngx_group_auth_scopes(ngx_group_principal_t *principal,
    ngx_array_t *scopes, ngx_str_t *missing);

/* NGX_OK when the principal may act in that container, or NGX_DECLINED */
ngx_int_t ngx_group_auth_container(ngx_group_principal_t *principal,
    ngx_str_t *container);

/*
 * Makes the headers that sign a request in (Authorization, and X-Amz-Date for
 * sigv4) and appends them to "out" (of ngx_group_header_t, names as they are to
 * be written).  For sigv4 request->headers must hold "host", and "content-type"
 * when there is a body: these and x-amz-date are signed.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_group_auth_sign(ngx_pool_t *pool, ngx_group_signer_t *signer,
    ngx_group_auth_request_t *request, ngx_array_t *out);

/* NGX_OK or NGX_ERROR (libcrypto) */
ngx_int_t ngx_group_sha256(ngx_str_t *in, u_char digest[NGX_GROUP_SHA256_LEN]);


#endif /* _NGX_GROUP_AUTH_H_INCLUDED_ */
