
/*
 * Signing keys: of a secret, for a day, a region and a service.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"


#define NGX_GROUP_SIGV4_PREFIX  "AWS4"


static ngx_group_sigv4_slot_t *ngx_group_sigv4_slot(
    ngx_group_sigv4_keys_t *keys, ngx_str_t *access_key, ngx_str_t *scope,
    ngx_group_sigv4_slot_t *wanted);
static ngx_int_t ngx_group_sigv4_derive(ngx_pool_t *pool, ngx_str_t *secret,
    ngx_str_t *scope, u_char key[NGX_GROUP_SHA256_LEN]);


/*
 * A key takes four HMACs, and a client's is the same all day.  Those of unknown
 * access keys are kept just as well: the time must not tell them.
 */

ngx_int_t
ngx_group_sigv4_key(ngx_pool_t *pool, ngx_group_sigv4_keys_t *keys,
    ngx_str_t *access_key, ngx_str_t *secret, ngx_str_t *scope,
    u_char key[NGX_GROUP_SHA256_LEN])
{
    ngx_group_sigv4_slot_t  *slot, wanted;

    slot = ngx_group_sigv4_slot(keys, access_key, scope, &wanted);

    if (slot && slot->len == wanted.len
        && ngx_memcmp(slot->name, wanted.name, wanted.len) == 0)
    {
        ngx_memcpy(key, slot->key, NGX_GROUP_SHA256_LEN);
        return NGX_OK;
    }

    if (ngx_group_sigv4_derive(pool, secret, scope, key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (slot) {
        ngx_memcpy(wanted.key, key, NGX_GROUP_SHA256_LEN);
        *slot = wanted;
        ngx_explicit_memzero(wanted.key, NGX_GROUP_SHA256_LEN);
    }

    return NGX_OK;
}


/* where the key is kept, if at all, and what the place would be called */

static ngx_group_sigv4_slot_t *
ngx_group_sigv4_slot(ngx_group_sigv4_keys_t *keys, ngx_str_t *access_key,
    ngx_str_t *scope, ngx_group_sigv4_slot_t *wanted)
{
    u_char      *p;
    size_t       i;
    ngx_uint_t   hash;

    wanted->len = access_key->len + 1 + scope->len;

    if (wanted->len > NGX_GROUP_SIGV4_NAME) {
        return NULL;
    }

    p = ngx_cpymem(wanted->name, access_key->data, access_key->len);
    *p++ = '/';
    ngx_memcpy(p, scope->data, scope->len);

    hash = 0;

    for (i = 0; i < wanted->len; i++) {
        hash = ngx_hash(hash, wanted->name[i]);
    }

    return &keys->slots[hash % NGX_GROUP_SIGV4_SLOTS];
}


/* a chain of HMACs over the parts of the scope, empty ones too */

static ngx_int_t
ngx_group_sigv4_derive(ngx_pool_t *pool, ngx_str_t *secret, ngx_str_t *scope,
    u_char key[NGX_GROUP_SHA256_LEN])
{
    u_char      next[NGX_GROUP_SHA256_LEN], *p, *last;
    ngx_int_t   rc;
    ngx_str_t   first, part;

    first.len = sizeof(NGX_GROUP_SIGV4_PREFIX) - 1 + secret->len;

    first.data = ngx_pnalloc(pool, first.len);
    if (first.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(first.data, NGX_GROUP_SIGV4_PREFIX,
                   sizeof(NGX_GROUP_SIGV4_PREFIX) - 1);
    ngx_memcpy(p, secret->data, secret->len);

    part.data = scope->data;
    last = scope->data + scope->len;

    p = ngx_strlchr(part.data, last, '/');
    part.len = (p ? p : last) - part.data;

    rc = ngx_group_hmac_sha256(first.data, first.len, &part, key);

    ngx_group_secret_wipe(&first);

    while (rc == NGX_OK && p) {
        part.data = p + 1;

        p = ngx_strlchr(part.data, last, '/');
        part.len = (p ? p : last) - part.data;

        rc = ngx_group_hmac_sha256(key, NGX_GROUP_SHA256_LEN, &part, next);
        ngx_memcpy(key, next, NGX_GROUP_SHA256_LEN);
    }

    ngx_explicit_memzero(next, NGX_GROUP_SHA256_LEN);

    return rc;
}
