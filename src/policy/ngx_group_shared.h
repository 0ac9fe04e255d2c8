
/*
 * Values that hooks keep in shared memory: seen by all workers, and by those of
 * the next configuration.  What has not expired is never given up for room:
 * a quota that is forgotten is none.
 */


#ifndef _NGX_GROUP_SHARED_H_INCLUDED_
#define _NGX_GROUP_SHARED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_lua.h"


/* bytes of a key and of a text */
#define NGX_GROUP_SHARED_KEY    256
#define NGX_GROUP_SHARED_VALUE  65536

/* seconds that a value may be kept */
#define NGX_GROUP_SHARED_TTL    (365 * 86400)

/* expired values that are removed by one that comes */
#define NGX_GROUP_SHARED_PURGE  16


typedef enum {
    NGX_GROUP_SHARED_BOOLEAN = 0,
    NGX_GROUP_SHARED_NUMBER,
    NGX_GROUP_SHARED_TEXT
} ngx_group_shared_e;


typedef struct {
    ngx_group_shared_e   type;
    double               number;    /* or 0 and 1 */
    ngx_str_t            text;
} ngx_group_shared_value_t;


/* adds a zone to the configuration; NULL after an error was logged */
ngx_shm_zone_t *ngx_group_shared_zone(ngx_conf_t *cf, ngx_str_t *name,
    size_t size);

/*
 * NGX_OK with a text that is of "pool"; NGX_DECLINED: there is none, or it has
 * expired; NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_shared_get(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_str_t *key, ngx_group_shared_value_t *value);

/*
 * Puts a value there for "ttl" ms, 0: for good; "fresh": only when there is
 * none.  NGX_OK; NGX_DECLINED: there is one; NGX_ERROR: the zone is full.
 */
ngx_int_t ngx_group_shared_set(ngx_shm_zone_t *zone, ngx_str_t *key,
    ngx_group_shared_value_t *value, ngx_msec_t ttl, ngx_uint_t fresh);

/*
 * Adds to a number and makes *number the sum; where there is none it begins at
 * "init" and is kept for "ttl".  NGX_OK; NGX_DECLINED: it is no number;
 * NGX_ERROR: the zone is full.
 */
ngx_int_t ngx_group_shared_add(ngx_shm_zone_t *zone, ngx_str_t *key,
    double by, double init, ngx_msec_t ttl, double *number);

void ngx_group_shared_delete(ngx_shm_zone_t *zone, ngx_str_t *key);


/* what follows is for the VM, and may throw */

/* once in each VM */
void ngx_group_shared_open(lua_State *L);

/* pushes "ctx.shared": "zones" (of ngx_shm_zone_t *) by their names */
void ngx_group_shared_push(lua_State *L, ngx_array_t *zones);


#endif /* _NGX_GROUP_SHARED_H_INCLUDED_ */
