
/*
 * A JWK Set (RFC 7517).  As the RFC has it, keys that are for something else
 * are passed over, and unknown members are not looked at; a key that is ours
 * must be right.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_auth_entry.h"
#include "ngx_group_jwt.h"


#define NGX_GROUP_JWKS_WHERE_LEN  (sizeof("keys[]") - 1 + NGX_INT_T_LEN)


static void ngx_group_jwks_warn(ngx_conf_t *cf, ngx_group_jwt_t *jwt);
static ngx_int_t ngx_group_jwks_list(ngx_pool_t *pool,
    ngx_group_value_t *value, ngx_str_t *error, ngx_group_value_t **list);
static ngx_int_t ngx_group_jwks_key(ngx_group_auth_entry_t *entry,
    ngx_group_jwt_key_t *key, const char **other);
static ngx_int_t ngx_group_jwks_usable(ngx_group_auth_entry_t *entry,
    const char **other);
static ngx_int_t ngx_group_jwks_kind(ngx_str_t *kty, ngx_str_t *crv,
    ngx_str_t *alg, ngx_group_jwt_alg_e *kind, const char **other);
static ngx_int_t ngx_group_jwks_rsa(ngx_group_auth_entry_t *entry,
    ngx_group_jwt_key_t *key);
static ngx_int_t ngx_group_jwks_ec(ngx_group_auth_entry_t *entry,
    ngx_group_jwt_key_t *key);
static ngx_int_t ngx_group_jwks_okp(ngx_group_auth_entry_t *entry,
    ngx_group_jwt_key_t *key);
static ngx_int_t ngx_group_jwks_oct(ngx_group_auth_entry_t *entry,
    ngx_group_jwt_key_t *key);
static ngx_int_t ngx_group_jwks_bytes(ngx_group_auth_entry_t *entry,
    const char *name, ngx_str_t *bytes);
static ngx_int_t ngx_group_jwks_number(ngx_group_auth_entry_t *entry,
    const char *name, ngx_str_t *number);
static ngx_int_t ngx_group_jwks_unique(ngx_group_auth_entry_t *entry,
    ngx_group_jwt_t *jwt, ngx_group_jwt_key_t *key);
static ngx_int_t ngx_group_jwks_private(ngx_group_auth_entry_t *entry,
    ngx_group_jwt_t *jwt, ngx_group_jwt_key_t *key);
static ngx_int_t ngx_group_jwks_note(ngx_pool_t *pool, ngx_group_jwt_t *jwt,
    ngx_uint_t index, const char *other);
static void ngx_group_jwks_cleanup(void *data);


static ngx_str_t  ngx_group_jwt_algs[] = {
    ngx_string("RS256"),
    ngx_string("ES256"),
    ngx_string("EdDSA"),
    ngx_string("HS256")
};


ngx_group_jwt_alg_e
ngx_group_jwt_alg(ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GROUP_JWT_ALGS; i++) {
        if (ngx_group_str_eq(&ngx_group_jwt_algs[i], name)) {
            break;
        }
    }

    return i;
}


ngx_group_jwt_t *
ngx_group_jwt_load(ngx_conf_t *cf, ngx_str_t *file)
{
    ngx_int_t             rc;
    ngx_uint_t            i, shared;
    ngx_group_jwt_t      *jwt;
    ngx_group_jwt_key_t  *key;

    jwt = ngx_pcalloc(cf->pool, sizeof(ngx_group_jwt_t));
    if (jwt == NULL) {
        return NULL;
    }

    jwt->file = *file;

    rc = ngx_group_auth_load(cf, &jwt->file, "keys", ngx_group_jwks_build, jwt,
                             &shared);

    ngx_group_jwks_warn(cf, jwt);

    if (rc != NGX_OK) {
        return NULL;
    }

    key = jwt->keys.elts;

    for (i = 0; shared && i < jwt->keys.nelts; i++) {

        if (key[i].alg == NGX_GROUP_JWT_HS256) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "keys file \"%V\" can be read by everyone, and "
                               "keys[%ui] is a secret", &jwt->file,
                               key[i].index);
        }
    }

    return jwt;
}


static void
ngx_group_jwks_warn(ngx_conf_t *cf, ngx_group_jwt_t *jwt)
{
    ngx_uint_t             i;
    ngx_group_jwt_note_t  *note;

    if (jwt->notes == NULL) {
        return;
    }

    note = jwt->notes->elts;

    for (i = 0; i < jwt->notes->nelts; i++) {

        if (note[i].other) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "keys file \"%V\": keys[%ui] is passed over, "
                               "its %s", &jwt->file, note[i].index,
                               note[i].other);
            continue;
        }

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "keys file \"%V\": keys[%ui] has its private part, "
                           "which is of no use here and no one's to know",
                           &jwt->file, note[i].index);
    }
}


ngx_int_t
ngx_group_jwks_build(ngx_pool_t *pool, ngx_group_value_t *value, void *data,
    ngx_str_t *error)
{
    ngx_group_jwt_t *jwt = data;

    u_char                   where[NGX_GROUP_JWKS_WHERE_LEN];
    ngx_int_t                rc;
    ngx_uint_t               i;
    const char              *other;
    ngx_group_value_t       *list, *v;
    ngx_group_jwt_key_t     *key;
    ngx_pool_cleanup_t      *cln;
    ngx_group_auth_entry_t   entry;

    list = NULL;

    rc = ngx_group_jwks_list(pool, value, error, &list);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_array_init(&jwt->keys, pool, list->n,
                       sizeof(ngx_group_jwt_key_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* before the first key: what is read until a mistake is freed, too */

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_group_jwks_cleanup;
    cln->data = jwt;

    entry.pool = pool;
    entry.error = error;
    entry.where.data = where;

    for (v = list->u.items.first, i = 0; v; v = v->next, i++) {

        entry.object = v;
        entry.where.len = ngx_sprintf(where, "keys[%ui]", i) - where;

        if (v->type != NGX_GROUP_OBJECT) {
            return ngx_group_auth_entry_error(&entry, NULL,
                                              "expected an object");
        }

        key = ngx_array_push(&jwt->keys);
        if (key == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(key, sizeof(ngx_group_jwt_key_t));

        key->index = i;
        other = NULL;

        rc = ngx_group_jwks_key(&entry, key, &other);
        if (rc != NGX_OK) {
            return rc;
        }

        if (other) {
            jwt->keys.nelts--;

            if (ngx_group_jwks_note(pool, jwt, i, other) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        if (ngx_group_jwks_private(&entry, jwt, key) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = ngx_group_jwks_unique(&entry, jwt, key);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (jwt->keys.nelts == 0) {
        entry.where.len = 0;
        return ngx_group_auth_entry_error(&entry, "keys",
                                          "there is none for RS256, ES256, "
                                          "EdDSA (Ed25519) or HS256");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwks_list(ngx_pool_t *pool, ngx_group_value_t *value,
    ngx_str_t *error, ngx_group_value_t **list)
{
    ngx_group_value_t       *v;
    ngx_group_auth_entry_t   entry;

    static ngx_str_t         keys = ngx_string("keys");

    entry.pool = pool;
    entry.error = error;
    entry.object = value;

    ngx_str_null(&entry.where);

    if (value->type != NGX_GROUP_OBJECT) {
        return ngx_group_auth_entry_error(&entry, NULL, "expected an object");
    }

    v = ngx_group_value_get(value, &keys);

    if (v == NULL || v->type != NGX_GROUP_ARRAY || v->n == 0) {
        return ngx_group_auth_entry_error(&entry, "keys",
                                          "expected an array of objects that "
                                          "is not empty");
    }

    if (v->n > NGX_GROUP_JWKS_MAX_KEYS) {
        return ngx_group_auth_entry_error(&entry, "keys",
                                          "there are more than %d",
                                          NGX_GROUP_JWKS_MAX_KEYS);
    }

    *list = v;

    return NGX_OK;
}


/* NGX_OK with *other set when the key is for something else */

static ngx_int_t
ngx_group_jwks_key(ngx_group_auth_entry_t *entry, ngx_group_jwt_key_t *key,
    const char **other)
{
    ngx_int_t  rc;
    ngx_str_t  kty, crv, alg, kid;

    ngx_str_null(&crv);
    ngx_str_null(&alg);
    ngx_str_null(&kid);

    if ((rc = ngx_group_auth_entry_text(entry, "kty", 0, &kty)) != NGX_OK
        || (rc = ngx_group_auth_entry_text(entry, "crv",
                                           NGX_GROUP_TEXT_OPTIONAL, &crv))
           != NGX_OK
        || (rc = ngx_group_auth_entry_text(entry, "alg",
                                           NGX_GROUP_TEXT_OPTIONAL, &alg))
           != NGX_OK
        || (rc = ngx_group_auth_entry_text(entry, "kid",
                                           NGX_GROUP_TEXT_OPTIONAL, &kid))
           != NGX_OK
        || (rc = ngx_group_jwks_usable(entry, other)) != NGX_OK
        || *other
        || (rc = ngx_group_jwks_kind(&kty, &crv, &alg, &key->alg, other))
           != NGX_OK
        || *other)
    {
        return rc;
    }

    if (kid.len && ngx_group_auth_copy(entry->pool, &kid, &key->kid) != NGX_OK)
    {
        return NGX_ERROR;
    }

    switch (key->alg) {

    case NGX_GROUP_JWT_RS256:
        return ngx_group_jwks_rsa(entry, key);

    case NGX_GROUP_JWT_ES256:
        return ngx_group_jwks_ec(entry, key);

    case NGX_GROUP_JWT_EDDSA:
        return ngx_group_jwks_okp(entry, key);

    default: /* NGX_GROUP_JWT_HS256 */
        return ngx_group_jwks_oct(entry, key);
    }
}


static ngx_int_t
ngx_group_jwks_usable(ngx_group_auth_entry_t *entry, const char **other)
{
    ngx_int_t     rc;
    ngx_str_t     use, *op;
    ngx_uint_t    i;
    ngx_array_t  *ops;

    ngx_str_set(&use, "sig");

    rc = ngx_group_auth_entry_text(entry, "use", NGX_GROUP_TEXT_OPTIONAL,
                                   &use);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_group_str_is(&use, "sig")) {
        *other = "\"use\" is not \"sig\"";
        return NGX_OK;
    }

    rc = ngx_group_auth_entry_names(entry, "key_ops", &ops);

    if (rc != NGX_OK || ops == NULL) {
        return rc;
    }

    op = ops->elts;

    for (i = 0; i < ops->nelts; i++) {
        if (ngx_group_str_is(&op[i], "verify")) {
            return NGX_OK;
        }
    }

    *other = "\"key_ops\" has no \"verify\"";

    return NGX_OK;
}


/* one kind of key, one algorithm: a token has no choice */

static ngx_int_t
ngx_group_jwks_kind(ngx_str_t *kty, ngx_str_t *crv, ngx_str_t *alg,
    ngx_group_jwt_alg_e *kind, const char **other)
{
    if (ngx_group_str_is(kty, "RSA")) {
        *kind = NGX_GROUP_JWT_RS256;

    } else if (ngx_group_str_is(kty, "EC")
               && ngx_group_str_is(crv, "P-256"))
    {
        *kind = NGX_GROUP_JWT_ES256;

    } else if (ngx_group_str_is(kty, "OKP")
               && ngx_group_str_is(crv, "Ed25519"))
    {
        *kind = NGX_GROUP_JWT_EDDSA;

    } else if (ngx_group_str_is(kty, "oct")) {
        *kind = NGX_GROUP_JWT_HS256;

    } else {
        *other = "\"kty\" and \"crv\" are none of RSA, EC P-256, OKP Ed25519, "
                 "and oct";
        return NGX_OK;
    }

    /* a secret can do much: it must say that it is for this */

    if (alg->len == 0 && *kind != NGX_GROUP_JWT_HS256) {
        return NGX_OK;
    }

    if (ngx_group_jwt_alg(alg) != *kind) {
        *other = "\"alg\" is not the one of RS256, ES256, EdDSA, and HS256 "
                 "that belongs to its \"kty\"";
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwks_rsa(ngx_group_auth_entry_t *entry, ngx_group_jwt_key_t *key)
{
    int        bits;
    ngx_int_t  rc;
    ngx_str_t  n, e;

    rc = ngx_group_jwks_number(entry, "n", &n);
    if (rc != NGX_OK) {
        return rc;
    }

    if (n.len > NGX_GROUP_JWKS_RSA_MAX / 8) {
        return ngx_group_auth_entry_error(entry, "n", "has more than %d bits",
                                          NGX_GROUP_JWKS_RSA_MAX);
    }

    rc = ngx_group_jwks_number(entry, "e", &e);
    if (rc != NGX_OK) {
        return rc;
    }

    /* 1 makes each signature right */

    if (e.len > NGX_GROUP_JWKS_RSA_EXP || !(e.data[e.len - 1] & 1)
        || (e.len == 1 && e.data[0] == 1))
    {
        return ngx_group_auth_entry_error(entry, "e",
                                          "expected an odd number, more than "
                                          "1, of at most %d bits",
                                          8 * NGX_GROUP_JWKS_RSA_EXP);
    }

    key->pkey = ngx_group_jwt_rsa(&n, &e);

    if (key->pkey == NULL || !(n.data[n.len - 1] & 1)) {
        return ngx_group_auth_entry_error(entry, "n", "expected an RSA key");
    }

    bits = EVP_PKEY_bits(key->pkey);

    if (bits < NGX_GROUP_JWKS_RSA_MIN) {
        return ngx_group_auth_entry_error(entry, "n",
                                          "has %d bits, and needs %d", bits,
                                          NGX_GROUP_JWKS_RSA_MIN);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwks_ec(ngx_group_auth_entry_t *entry, ngx_group_jwt_key_t *key)
{
    ngx_int_t  rc;
    ngx_str_t  x, y;

    rc = ngx_group_jwks_bytes(entry, "x", &x);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_jwks_bytes(entry, "y", &y);
    if (rc != NGX_OK) {
        return rc;
    }

    key->pkey = ngx_group_jwt_ec(&x, &y);

    if (key->pkey == NULL) {
        return ngx_group_auth_entry_error(entry, NULL,
                                          "\"x\" and \"y\" are no point of "
                                          "P-256");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwks_okp(ngx_group_auth_entry_t *entry, ngx_group_jwt_key_t *key)
{
    ngx_int_t  rc;
    ngx_str_t  x;

    rc = ngx_group_jwks_bytes(entry, "x", &x);
    if (rc != NGX_OK) {
        return rc;
    }

    key->pkey = ngx_group_jwt_okp(&x);

    if (key->pkey == NULL) {
        return ngx_group_auth_entry_error(entry, "x",
                                          "expected an Ed25519 key");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwks_oct(ngx_group_auth_entry_t *entry, ngx_group_jwt_key_t *key)
{
    ngx_int_t  rc;

    rc = ngx_group_jwks_bytes(entry, "k", &key->secret);
    if (rc != NGX_OK) {
        return rc;
    }

    if (key->secret.len < NGX_GROUP_JWKS_OCT_MIN) {
        return ngx_group_auth_entry_error(entry, "k",
                                          "has %uz bytes, and needs %d",
                                          key->secret.len,
                                          NGX_GROUP_JWKS_OCT_MIN);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwks_bytes(ngx_group_auth_entry_t *entry, const char *name,
    ngx_str_t *bytes)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_group_auth_entry_text(entry, name, 0, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_base64url(entry->pool, &text, bytes);

    if (rc == NGX_DECLINED) {
        return ngx_group_auth_entry_error(entry, name,
                                          "expected base64url without "
                                          "padding");
    }

    return rc;
}


/* without the zeros that some write before it; it is not 0 */

static ngx_int_t
ngx_group_jwks_number(ngx_group_auth_entry_t *entry, const char *name,
    ngx_str_t *number)
{
    ngx_int_t  rc;

    rc = ngx_group_jwks_bytes(entry, name, number);
    if (rc != NGX_OK) {
        return rc;
    }

    while (number->len && number->data[0] == 0) {
        number->data++;
        number->len--;
    }

    if (number->len == 0) {
        return ngx_group_auth_entry_error(entry, name,
                                          "expected a number that is not 0");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwks_unique(ngx_group_auth_entry_t *entry, ngx_group_jwt_t *jwt,
    ngx_group_jwt_key_t *key)
{
    ngx_uint_t            i;
    ngx_group_jwt_key_t  *other;

    other = jwt->keys.elts;

    for (i = 0; &other[i] != key; i++) {

        if (key->kid.len == 0 || other[i].kid.len == 0) {
            return ngx_group_auth_entry_error(entry, NULL,
                                              "there are several keys, and "
                                              "keys[%ui] has no \"kid\"",
                                              key->kid.len ? other[i].index
                                                           : key->index);
        }

        if (ngx_group_str_eq(&other[i].kid, &key->kid)) {
            return ngx_group_auth_entry_error(entry, "kid",
                                              "is that of keys[%ui], too",
                                              other[i].index);
        }
    }

    return NGX_OK;
}


/* nothing of ours signs: who put it there should know */

static ngx_int_t
ngx_group_jwks_private(ngx_group_auth_entry_t *entry, ngx_group_jwt_t *jwt,
    ngx_group_jwt_key_t *key)
{
    static ngx_str_t  d = ngx_string("d");

    if (key->pkey == NULL || ngx_group_value_get(entry->object, &d) == NULL) {
        return NGX_OK;
    }

    return ngx_group_jwks_note(entry->pool, jwt, key->index, NULL);
}


static ngx_int_t
ngx_group_jwks_note(ngx_pool_t *pool, ngx_group_jwt_t *jwt, ngx_uint_t index,
    const char *other)
{
    ngx_group_jwt_note_t  *note;

    if (jwt->notes == NULL) {
        jwt->notes = ngx_array_create(pool, 4, sizeof(ngx_group_jwt_note_t));
        if (jwt->notes == NULL) {
            return NGX_ERROR;
        }
    }

    note = ngx_array_push(jwt->notes);
    if (note == NULL) {
        return NGX_ERROR;
    }

    note->index = index;
    note->other = other;

    return NGX_OK;
}


static void
ngx_group_jwks_cleanup(void *data)
{
    ngx_group_jwt_t *jwt = data;

    ngx_uint_t            i;
    ngx_group_jwt_key_t  *key;

    key = jwt->keys.elts;

    for (i = 0; i < jwt->keys.nelts; i++) {
        EVP_PKEY_free(key[i].pkey);
        ngx_group_secret_wipe(&key[i].secret);
    }
}
