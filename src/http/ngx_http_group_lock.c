
/*
 * Changes of one upstream group take turns, in all workers: what reads, changes
 * and writes would otherwise undo what another one wrote in between.
 *
 * A lock is a slot of a table in shared memory.  Two groups may share a slot:
 * they wait for each other, and nothing worse.
 */


#include "ngx_http_group_module.h"


#define NGX_HTTP_GROUP_LOCK_ZONE   65536
#define NGX_HTTP_GROUP_LOCK_SLOTS  1024

/* ms: between two looks at a slot that is taken, at least and at most */
#define NGX_HTTP_GROUP_LOCK_POLL   2
#define NGX_HTTP_GROUP_LOCK_SLOW   20

/*
 * ms: until somebody who waits gives up; and until a slot is free anyway, from
 * when its plan begins no more calls but those of an undo
 */
#define NGX_HTTP_GROUP_LOCK_WAIT   30000
#define NGX_HTTP_GROUP_LOCK_LEASE  60000


typedef struct {
    ngx_pid_t              pid;       /* 0: free */
    ngx_uint_t             turn;      /* whose it is, of those of the process */
    ngx_msec_t             until;
} ngx_http_group_slot_t;


typedef struct {
    ngx_http_group_slot_t  slots[NGX_HTTP_GROUP_LOCK_SLOTS];
} ngx_http_group_locks_t;


struct ngx_http_group_lock_s {
    ngx_http_request_t    *request;
    ngx_event_t            event;
    ngx_uint_t             slot;
    ngx_uint_t             turn;
    ngx_msec_t             deadline;
    ngx_msec_t             lease;
    ngx_msec_t             poll;
    unsigned               held:1;
};


static ngx_int_t ngx_http_group_lock_init(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_http_group_lock_take(ngx_shm_zone_t *zone,
    ngx_http_group_lock_t *lock);
static void ngx_http_group_lock_handler(ngx_event_t *ev);
static void ngx_http_group_lock_cleanup(void *data);


static ngx_str_t   ngx_http_group_lock_name = ngx_string("group_locks");
static ngx_uint_t  ngx_http_group_lock_turn;


ngx_int_t
ngx_http_group_lock_zone(ngx_conf_t *cf)
{
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);

    gmcf->locks = ngx_shared_memory_add(cf, &ngx_http_group_lock_name,
                                        NGX_HTTP_GROUP_LOCK_ZONE,
                                        &ngx_http_group_module);
    if (gmcf->locks == NULL) {
        return NGX_ERROR;
    }

    gmcf->locks->init = ngx_http_group_lock_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_lock_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t         *pool;
    ngx_http_group_locks_t  *locks;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    locks = ngx_slab_calloc(pool, sizeof(ngx_http_group_locks_t));
    if (locks == NULL) {
        return NGX_ERROR;
    }

    pool->data = locks;
    zone->data = locks;

    return NGX_OK;
}


ngx_int_t
ngx_http_group_lock(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    uint32_t                     hash;
    ngx_int_t                    rc;
    ngx_http_cleanup_t          *cln;
    ngx_http_group_lock_t       *lock;
    ngx_http_group_loc_conf_t   *glcf;
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_group_module);
    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    lock = ctx->lock;

    if (lock == NULL) {

        lock = ngx_pcalloc(r->pool, sizeof(ngx_http_group_lock_t));
        cln = ngx_http_cleanup_add(r, 0);

        if (lock == NULL || cln == NULL) {
            return NGX_ERROR;
        }

        hash = ngx_murmur_hash2(ctx->upstream_host.data,
                                ctx->upstream_host.len)
               ^ ngx_murmur_hash2(ctx->plan->group_id.data,
                                  ctx->plan->group_id.len);

        lock->request = r;
        lock->slot = hash % NGX_HTTP_GROUP_LOCK_SLOTS;
        lock->turn = ++ngx_http_group_lock_turn;
        lock->deadline = ngx_current_msec + NGX_HTTP_GROUP_LOCK_WAIT;
        lock->lease = glcf->plan_timeout + NGX_HTTP_GROUP_LOCK_LEASE;
        lock->poll = NGX_HTTP_GROUP_LOCK_POLL;

        lock->event.handler = ngx_http_group_lock_handler;
        lock->event.data = lock;
        lock->event.log = r->connection->log;

        cln->handler = ngx_http_group_lock_cleanup;
        cln->data = ctx;

        ctx->lock = lock;
    }

    rc = ngx_http_group_lock_take(gmcf->locks, lock);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if ((ngx_msec_int_t) (lock->deadline - ngx_current_msec) <= 0) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_CONFLICT, "lock",
                            "other changes of this group take too long");
        return NGX_DECLINED;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group lock: slot %ui is taken, again in %M ms",
                   lock->slot, lock->poll);

    ngx_add_timer(&lock->event, lock->poll);

    lock->poll = ngx_min(lock->poll * 2, NGX_HTTP_GROUP_LOCK_SLOW);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_group_lock_take(ngx_shm_zone_t *zone, ngx_http_group_lock_t *lock)
{
    ngx_int_t                rc;
    ngx_slab_pool_t         *pool;
    ngx_http_group_slot_t   *slot;
    ngx_http_group_locks_t  *locks;

    pool = (ngx_slab_pool_t *) zone->shm.addr;
    locks = zone->data;
    slot = &locks->slots[lock->slot];

    rc = NGX_BUSY;

    ngx_shmtx_lock(&pool->mutex);

    /* a worker that died left its slots behind */

    if (slot->pid == 0
        || (ngx_msec_int_t) (slot->until - ngx_current_msec) <= 0
        || (slot->pid != ngx_pid && kill(slot->pid, 0) == -1
            && ngx_errno == NGX_ESRCH))
    {
        slot->pid = ngx_pid;
        slot->turn = lock->turn;
        slot->until = ngx_current_msec + lock->lease;

        lock->held = 1;
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&pool->mutex);

    return rc;
}


void
ngx_http_group_unlock(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_slab_pool_t             *pool;
    ngx_http_group_slot_t       *slot;
    ngx_http_group_lock_t       *lock;
    ngx_http_group_locks_t      *locks;
    ngx_http_group_main_conf_t  *gmcf;

    lock = ctx->lock;

    if (lock == NULL) {
        return;
    }

    if (lock->event.timer_set) {
        ngx_del_timer(&lock->event);
    }

    if (!lock->held) {
        return;
    }

    lock->held = 0;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_group_module);

    pool = (ngx_slab_pool_t *) gmcf->locks->shm.addr;
    locks = gmcf->locks->data;
    slot = &locks->slots[lock->slot];

    ngx_shmtx_lock(&pool->mutex);

    /* unless the lease ran out and it is somebody else's by now */

    if (slot->pid == ngx_pid && slot->turn == lock->turn) {
        slot->pid = 0;
    }

    ngx_shmtx_unlock(&pool->mutex);
}


static void
ngx_http_group_lock_handler(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_group_ctx_t   *ctx;
    ngx_http_group_lock_t  *lock;

    lock = ev->data;
    r = lock->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);
    ctx->waiting = 0;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_group_lock_cleanup(void *data)
{
    ngx_http_group_ctx_t *ctx = data;

    ngx_http_group_unlock(ctx->lock->request, ctx);
}
