
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_pool.h"


/* bytes of a body whose values do not fit in a few usual blocks */
#define NGX_GROUP_POOL_BODY   4096

/* the size of a block: as the body, within these */
#define NGX_GROUP_POOL_LEAST  16384
#define NGX_GROUP_POOL_MOST   65536


static void ngx_group_pool_cleanup(void *data);


ngx_pool_t *
ngx_group_pool(ngx_pool_t *pool, size_t len)
{
    ngx_pool_t          *large;
    ngx_pool_cleanup_t  *cln;

    if (len < NGX_GROUP_POOL_BODY) {
        return pool;
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    len = ngx_min(ngx_max(len, NGX_GROUP_POOL_LEAST), NGX_GROUP_POOL_MOST);

    large = ngx_create_pool(ngx_align(len, NGX_POOL_ALIGNMENT), pool->log);
    if (large == NULL) {
        return NULL;
    }

    cln->handler = ngx_group_pool_cleanup;
    cln->data = large;

    return large;
}


static void
ngx_group_pool_cleanup(void *data)
{
    ngx_destroy_pool(data);
}
