
/*
 * Signatures that were seen, in shared memory: each is good for one request as
 * long as its date is.  What is kept of one is a digest; it is forgotten when
 * its date alone would refuse it.
 *
 * When there is no room, a request is refused, and no signature that is still
 * good is forgotten: whoever can make room can send again what he recorded.
 */


#include "ngx_http_group_module.h"


/* signatures whose time is over, removed with each one that comes */
#define NGX_HTTP_GROUP_REPLAY_EXPIRE  16


/* 128 bytes with 64-bit words, which is what the slab allocator takes */

typedef struct {
    ngx_str_node_t      node;       /* its text is the mark */
    ngx_rbtree_node_t   date;       /* its key is the date */
    u_char              mark[NGX_GROUP_SHA256_LEN];
} ngx_http_group_seen_t;


/*
 * The functions of the trees are nginx's own: ours may be at another address
 * in the workers that a reload with another build of the module starts.
 */

typedef struct {
    ngx_rbtree_t        marks;
    ngx_rbtree_t        dates;
    ngx_rbtree_node_t   sentinel[2];
    time_t              forgotten;  /* the last date that was removed */
} ngx_http_group_replays_t;


struct ngx_http_group_replay_s {
    ngx_http_group_replays_t  *replays;
    ngx_slab_pool_t           *pool;
    time_t                     max_skew;    /* the largest of its locations */
};


static ngx_int_t ngx_http_group_replay_init(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_http_group_replay_add(ngx_http_group_replay_t *replay,
    u_char mark[NGX_GROUP_SHA256_LEN], time_t date);
static void ngx_http_group_replay_expire(ngx_http_group_replay_t *replay);
static ngx_uint_t ngx_http_group_replay_same(ngx_http_request_t *r,
    ngx_shm_zone_t *zone);
static void ngx_http_group_replay_cleanup(void *data);


/* not the module itself: a zone must not be taken for one of its others */

static ngx_uint_t  ngx_http_group_replay_tag;


ngx_shm_zone_t *
ngx_http_group_replay_zone(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t           *zone;
    ngx_http_group_replay_t  *replay;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_http_group_replay_tag);

    if (zone == NULL || zone->data) {
        return zone;
    }

    replay = ngx_pcalloc(cf->pool, sizeof(ngx_http_group_replay_t));
    if (replay == NULL) {
        return NULL;
    }

    zone->init = ngx_http_group_replay_init;
    zone->data = replay;

    return zone;
}


void
ngx_http_group_replay_skew(ngx_shm_zone_t *zone, time_t max_skew)
{
    ngx_http_group_replay_t *replay = zone->data;

    replay->max_skew = ngx_max(replay->max_skew, max_skew);
}


static ngx_int_t
ngx_http_group_replay_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_group_replay_t *replay = zone->data;
    ngx_http_group_replay_t *old = data;

    ngx_http_group_replays_t  *replays;

    replay->pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (old) {
        replay->replays = old->replays;
        return NGX_OK;
    }

    if (zone->shm.exists) {
        replay->replays = replay->pool->data;
        return NGX_OK;
    }

    replays = ngx_slab_calloc(replay->pool, sizeof(ngx_http_group_replays_t));
    if (replays == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&replays->marks, &replays->sentinel[0],
                    ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&replays->dates, &replays->sentinel[1],
                    ngx_rbtree_insert_timer_value);

    /* the request that finds no room has a line of its own */

    replay->pool->log_nomem = 0;

    replay->pool->data = replays;
    replay->replays = replays;

    return NGX_OK;
}


ngx_int_t
ngx_http_group_replay(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_shm_zone_t *zone, ngx_group_auth_request_t *request)
{
    time_t               date;
    u_char               mark[NGX_GROUP_SHA256_LEN];
    ngx_int_t            rc;
    ngx_pool_cleanup_t  *cln;

    /* an internal redirect comes here again, with what it has used itself */

    if (ngx_http_group_replay_same(r, zone)) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    if (ngx_group_sigv4_mark(r->pool, request, mark, &date) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_group_replay_add(zone->data, mark, date);

    if (rc == NGX_OK) {
        cln->handler = ngx_http_group_replay_cleanup;
        cln->data = zone;

        return NGX_OK;
    }

    if (rc == NGX_BUSY) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_UNAUTHORIZED, "replayed",
                            "the signature was used before");

    } else {
        ngx_group_error_set(&ctx->error, NGX_GROUP_UNAVAILABLE, "replay_zone",
                            "there is no room in group_sigv4_replay_zone");
    }

    return NGX_DECLINED;
}


/* NGX_OK; NGX_BUSY when it is there; NGX_DECLINED when there is no room */

static ngx_int_t
ngx_http_group_replay_add(ngx_http_group_replay_t *replay,
    u_char mark[NGX_GROUP_SHA256_LEN], time_t date)
{
    uint32_t                   hash;
    ngx_int_t                  rc;
    ngx_str_t                  text;
    ngx_http_group_seen_t     *seen;
    ngx_http_group_replays_t  *replays;

    replays = replay->replays;

    text.data = mark;
    text.len = NGX_GROUP_SHA256_LEN;

    ngx_memcpy(&hash, mark, sizeof(uint32_t));

    ngx_shmtx_lock(&replay->pool->mutex);

    if (ngx_str_rbtree_lookup(&replays->marks, &text, hash)) {
        rc = NGX_BUSY;
        goto done;
    }

    ngx_http_group_replay_expire(replay);

    /* the clock was ahead meanwhile, and this one may be among those */

    if (date <= replays->forgotten) {
        rc = NGX_BUSY;
        goto done;
    }

    seen = ngx_slab_alloc_locked(replay->pool, sizeof(ngx_http_group_seen_t));

    if (seen == NULL) {
        rc = NGX_DECLINED;
        goto done;
    }

    ngx_memcpy(seen->mark, mark, NGX_GROUP_SHA256_LEN);

    seen->node.str.data = seen->mark;
    seen->node.str.len = NGX_GROUP_SHA256_LEN;
    seen->node.node.key = hash;
    seen->date.key = (ngx_rbtree_key_t) date;

    ngx_rbtree_insert(&replays->marks, &seen->node.node);
    ngx_rbtree_insert(&replays->dates, &seen->date);

    rc = NGX_OK;

done:

    ngx_shmtx_unlock(&replay->pool->mutex);

    return rc;
}


static void
ngx_http_group_replay_expire(ngx_http_group_replay_t *replay)
{
    time_t                     date;
    ngx_uint_t                 i;
    ngx_rbtree_node_t         *node;
    ngx_http_group_seen_t     *seen;
    ngx_http_group_replays_t  *replays;

    replays = replay->replays;

    for (i = 0; i < NGX_HTTP_GROUP_REPLAY_EXPIRE; i++) {

        if (replays->dates.root == replays->dates.sentinel) {
            return;
        }

        node = ngx_rbtree_min(replays->dates.root, replays->dates.sentinel);
        date = (time_t) node->key;

        /* the date's own check is the same */

        if (ngx_time() - date <= replay->max_skew) {
            return;
        }

        seen = (ngx_http_group_seen_t *)
                   ((u_char *) node - offsetof(ngx_http_group_seen_t, date));

        replays->forgotten = ngx_max(replays->forgotten, date);

        ngx_rbtree_delete(&replays->marks, &seen->node.node);
        ngx_rbtree_delete(&replays->dates, &seen->date);

        ngx_slab_free_locked(replay->pool, seen);
    }
}


/* the request's ctx does not outlive a redirect, its pool does */

static ngx_uint_t
ngx_http_group_replay_same(ngx_http_request_t *r, ngx_shm_zone_t *zone)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_group_replay_cleanup
            && cln->data == zone)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_group_replay_cleanup(void *data)
{
    /* void: it is there to be found */
}
