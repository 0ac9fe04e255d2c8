
#include "ngx_group_shared.h"
#include "ngx_group_value.h"


typedef struct {
    ngx_rbtree_node_t      node;      /* by the hash of the key */
    ngx_rbtree_node_t      expiry;    /* by the time, when it has one */
    ngx_group_shared_e     type;
    double                 number;
    size_t                 text_len;
    size_t                 key_len;
    u_char                 data[1];   /* the key, then the text */
} ngx_group_shared_node_t;


/* in shared memory; times are those of the machine's monotonic clock */

typedef struct {
    ngx_rbtree_t           tree;
    ngx_rbtree_node_t      sentinel;
    ngx_rbtree_t           expiries;
    ngx_rbtree_node_t      expiries_sentinel;
} ngx_group_shared_t;


static ngx_int_t ngx_group_shared_init(ngx_shm_zone_t *zone, void *data);
static void ngx_group_shared_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_group_shared_node_t *ngx_group_shared_find(
    ngx_group_shared_t *shared, ngx_str_t *key);
static ngx_group_shared_node_t *ngx_group_shared_create(
    ngx_shm_zone_t *zone, ngx_str_t *key, size_t text_len);
static void ngx_group_shared_keep(ngx_group_shared_t *shared,
    ngx_group_shared_node_t *n);
static void ngx_group_shared_remove(ngx_shm_zone_t *zone,
    ngx_group_shared_node_t *n);
static void ngx_group_shared_purge(ngx_shm_zone_t *zone, ngx_uint_t most);
static void ngx_group_shared_expiry(ngx_group_shared_t *shared,
    ngx_group_shared_node_t *n, ngx_msec_t ttl);
static ngx_uint_t ngx_group_shared_expired(ngx_group_shared_node_t *n);


#define ngx_group_shared_of_expiry(node)                                      \
    ((ngx_group_shared_node_t *)                                              \
     ((u_char *) (node) - offsetof(ngx_group_shared_node_t, expiry)))


/* no other zone of the module's is taken for one of these */

static char  ngx_group_shared_tag;


ngx_shm_zone_t *
ngx_group_shared_zone(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_group_shared_tag);
    if (zone == NULL) {
        return NULL;
    }

    if (zone->init) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is already there", name);
        return NULL;
    }

    zone->init = ngx_group_shared_init;

    return zone;
}


static ngx_int_t
ngx_group_shared_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t     *pool;
    ngx_group_shared_t  *shared;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    /* a hook is told that there is no room, and may say so itself */

    pool->log_nomem = 0;

    shared = ngx_slab_alloc(pool, sizeof(ngx_group_shared_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&shared->tree, &shared->sentinel, ngx_group_shared_insert);
    ngx_rbtree_init(&shared->expiries, &shared->expiries_sentinel,
                    ngx_rbtree_insert_value);

    pool->data = shared;
    zone->data = shared;

    return NGX_OK;
}


static void
ngx_group_shared_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_int_t                 rc;
    ngx_rbtree_node_t       **p;
    ngx_group_shared_node_t  *a, *b;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            a = (ngx_group_shared_node_t *) node;
            b = (ngx_group_shared_node_t *) temp;

            rc = ngx_memn2cmp(a->data, b->data, a->key_len, b->key_len);
            p = (rc < 0) ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


ngx_int_t
ngx_group_shared_get(ngx_shm_zone_t *zone, ngx_pool_t *pool, ngx_str_t *key,
    ngx_group_shared_value_t *value)
{
    ngx_int_t                 rc;
    ngx_slab_pool_t          *slab;
    ngx_group_shared_node_t  *n;

    slab = (ngx_slab_pool_t *) zone->shm.addr;
    rc = NGX_DECLINED;

    ngx_shmtx_lock(&slab->mutex);

    n = ngx_group_shared_find(zone->data, key);

    if (n && !ngx_group_shared_expired(n)) {
        rc = NGX_OK;

        value->type = n->type;
        value->number = n->number;
        value->text.len = n->text_len;

        if (n->type == NGX_GROUP_SHARED_TEXT) {
            value->text.data = ngx_pnalloc(pool, n->text_len);

            if (value->text.data) {
                ngx_memcpy(value->text.data, n->data + n->key_len,
                           n->text_len);

            } else {
                rc = NGX_ERROR;
            }
        }
    }

    ngx_shmtx_unlock(&slab->mutex);

    return rc;
}


ngx_int_t
ngx_group_shared_set(ngx_shm_zone_t *zone, ngx_str_t *key,
    ngx_group_shared_value_t *value, ngx_msec_t ttl, ngx_uint_t fresh)
{
    size_t                    len;
    ngx_int_t                 rc;
    ngx_slab_pool_t          *slab;
    ngx_group_shared_node_t  *n, *old;

    slab = (ngx_slab_pool_t *) zone->shm.addr;
    len = (value->type == NGX_GROUP_SHARED_TEXT) ? value->text.len : 0;

    ngx_shmtx_lock(&slab->mutex);

    n = ngx_group_shared_find(zone->data, key);

    if (n && ngx_group_shared_expired(n)) {
        ngx_group_shared_remove(zone, n);
        n = NULL;
    }

    if (n && fresh) {
        ngx_shmtx_unlock(&slab->mutex);
        return NGX_DECLINED;
    }

    if (n == NULL || n->text_len != len) {

        /* what was there stays when there is no room for the new one */

        old = n;
        n = ngx_group_shared_create(zone, key, len);

        if (n && old) {
            ngx_group_shared_remove(zone, old);
        }

        if (n) {
            ngx_group_shared_keep(zone->data, n);
        }
    }

    rc = NGX_ERROR;

    if (n) {
        n->type = value->type;
        n->number = value->number;

        ngx_group_shared_expiry(zone->data, n, ttl);

        if (len) {
            ngx_memcpy(n->data + n->key_len, value->text.data, len);
        }

        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&slab->mutex);

    return rc;
}


ngx_int_t
ngx_group_shared_add(ngx_shm_zone_t *zone, ngx_str_t *key, double by,
    double init, ngx_msec_t ttl, double *number)
{
    ngx_int_t                 rc;
    ngx_slab_pool_t          *slab;
    ngx_group_shared_node_t  *n;

    slab = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&slab->mutex);

    n = ngx_group_shared_find(zone->data, key);

    if (n && ngx_group_shared_expired(n)) {
        ngx_group_shared_remove(zone, n);
        n = NULL;
    }

    if (n == NULL) {
        n = ngx_group_shared_create(zone, key, 0);

        if (n) {
            n->type = NGX_GROUP_SHARED_NUMBER;
            n->number = init;

            ngx_group_shared_keep(zone->data, n);
            ngx_group_shared_expiry(zone->data, n, ttl);
        }
    }

    if (n == NULL) {
        rc = NGX_ERROR;

    } else if (n->type != NGX_GROUP_SHARED_NUMBER) {
        rc = NGX_DECLINED;

    } else {
        n->number += by;
        *number = n->number;
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&slab->mutex);

    return rc;
}


void
ngx_group_shared_delete(ngx_shm_zone_t *zone, ngx_str_t *key)
{
    ngx_slab_pool_t          *slab;
    ngx_group_shared_node_t  *n;

    slab = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&slab->mutex);

    n = ngx_group_shared_find(zone->data, key);

    if (n) {
        ngx_group_shared_remove(zone, n);
    }

    ngx_shmtx_unlock(&slab->mutex);
}


/* what follows is called with the zone locked */


static ngx_group_shared_node_t *
ngx_group_shared_find(ngx_group_shared_t *shared, ngx_str_t *key)
{
    uint32_t                  hash;
    ngx_int_t                 rc;
    ngx_rbtree_node_t        *node;
    ngx_group_shared_node_t  *n;

    hash = ngx_crc32_short(key->data, key->len);
    node = shared->tree.root;

    while (node != shared->tree.sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        n = (ngx_group_shared_node_t *) node;

        rc = ngx_memn2cmp(key->data, n->data, key->len, n->key_len);

        if (rc == 0) {
            return n;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


/* a node that is in no tree yet; only what has expired makes room for it */

static ngx_group_shared_node_t *
ngx_group_shared_create(ngx_shm_zone_t *zone, ngx_str_t *key, size_t text_len)
{
    size_t                    size;
    ngx_slab_pool_t          *slab;
    ngx_group_shared_node_t  *n;

    slab = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_group_shared_purge(zone, NGX_GROUP_SHARED_PURGE);

    size = offsetof(ngx_group_shared_node_t, data) + key->len + text_len;

    n = ngx_slab_calloc_locked(slab, size);

    if (n == NULL) {
        ngx_group_shared_purge(zone, NGX_MAX_UINT32_VALUE);

        n = ngx_slab_calloc_locked(slab, size);
        if (n == NULL) {
            return NULL;
        }
    }

    n->key_len = key->len;
    n->text_len = text_len;
    ngx_memcpy(n->data, key->data, key->len);

    return n;
}


static void
ngx_group_shared_keep(ngx_group_shared_t *shared, ngx_group_shared_node_t *n)
{
    n->node.key = ngx_crc32_short(n->data, n->key_len);
    ngx_rbtree_insert(&shared->tree, &n->node);
}


static void
ngx_group_shared_remove(ngx_shm_zone_t *zone, ngx_group_shared_node_t *n)
{
    ngx_group_shared_t  *shared;

    shared = zone->data;

    ngx_group_shared_expiry(shared, n, 0);
    ngx_rbtree_delete(&shared->tree, &n->node);

    ngx_slab_free_locked((ngx_slab_pool_t *) zone->shm.addr, n);
}


static void
ngx_group_shared_purge(ngx_shm_zone_t *zone, ngx_uint_t most)
{
    ngx_rbtree_t             *tree;
    ngx_group_shared_t       *shared;
    ngx_group_shared_node_t  *n;

    shared = zone->data;
    tree = &shared->expiries;

    while (most-- && tree->root != tree->sentinel) {

        n = ngx_group_shared_of_expiry(ngx_rbtree_min(tree->root,
                                                      tree->sentinel));

        if (!ngx_group_shared_expired(n)) {
            return;
        }

        ngx_group_shared_remove(zone, n);
    }
}


static void
ngx_group_shared_expiry(ngx_group_shared_t *shared,
    ngx_group_shared_node_t *n, ngx_msec_t ttl)
{
    if (n->expiry.key) {
        ngx_rbtree_delete(&shared->expiries, &n->expiry);
        n->expiry.key = 0;
    }

    if (ttl) {
        n->expiry.key = ngx_current_msec + ttl;
        ngx_rbtree_insert(&shared->expiries, &n->expiry);
    }
}


static ngx_uint_t
ngx_group_shared_expired(ngx_group_shared_node_t *n)
{
    return n->expiry.key && n->expiry.key <= ngx_current_msec;
}
