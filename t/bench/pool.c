
#include <ngx_config.h>
#include <ngx_core.h>
#include <malloc.h>
#include "pool.h"


/* blocks that had no room that often are not asked again */
#define BENCH_POOL_FAILED  4

/* entries of the list of large allocations that are looked at for reuse */
#define BENCH_POOL_LARGE   4


static void *bench_pool_take(size_t size);
static void bench_pool_give(void *p);
static void *bench_pool_small(ngx_pool_t *pool, size_t size, size_t align);
static void *bench_pool_block(ngx_pool_t *pool, size_t size, size_t align);
static void *bench_pool_large(ngx_pool_t *pool, size_t size);


size_t  bench_pool_bytes;
size_t  bench_pool_peak;


static void *
bench_pool_take(size_t size)
{
    void  *p;

    if (posix_memalign(&p, NGX_POOL_ALIGNMENT, size) != 0) {
        return NULL;
    }

    bench_pool_bytes += malloc_usable_size(p);
    bench_pool_peak = ngx_max(bench_pool_peak, bench_pool_bytes);

    return p;
}


static void
bench_pool_give(void *p)
{
    bench_pool_bytes -= malloc_usable_size(p);
    free(p);
}


ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    ngx_pool_t  *pool;

    pool = bench_pool_take(size);
    if (pool == NULL) {
        return NULL;
    }

    ngx_memzero(pool, sizeof(ngx_pool_t));

    pool->d.last = (u_char *) pool + sizeof(ngx_pool_t);
    pool->d.end = (u_char *) pool + size;

    pool->max = ngx_min(size - sizeof(ngx_pool_t), NGX_MAX_ALLOC_FROM_POOL);
    pool->current = pool;
    pool->log = log;

    return pool;
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    ngx_pool_t          *next;
    ngx_pool_large_t    *large;
    ngx_pool_cleanup_t  *c;

    for (c = pool->cleanup; c; c = c->next) {
        if (c->handler) {
            c->handler(c->data);
        }
    }

    for (large = pool->large; large; large = large->next) {
        if (large->alloc) {
            bench_pool_give(large->alloc);
        }
    }

    while (pool) {
        next = pool->d.next;
        bench_pool_give(pool);
        pool = next;
    }
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    if (size > pool->max) {
        return bench_pool_large(pool, size);
    }

    return bench_pool_small(pool, size, NGX_ALIGNMENT);
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    if (size > pool->max) {
        return bench_pool_large(pool, size);
    }

    return bench_pool_small(pool, size, 1);
}


static void *
bench_pool_small(ngx_pool_t *pool, size_t size, size_t align)
{
    u_char      *p;
    ngx_pool_t  *block;

    for (block = pool->current; block; block = block->d.next) {
        p = ngx_align_ptr(block->d.last, align);

        if (p <= block->d.end && (size_t) (block->d.end - p) >= size) {
            block->d.last = p + size;
            return p;
        }
    }

    return bench_pool_block(pool, size, align);
}


static void *
bench_pool_block(ngx_pool_t *pool, size_t size, size_t align)
{
    u_char      *p;
    size_t       len;
    ngx_pool_t  *last, *block;

    len = pool->d.end - (u_char *) pool;

    block = bench_pool_take(len);
    if (block == NULL) {
        return NULL;
    }

    p = ngx_align_ptr((u_char *) block + sizeof(ngx_pool_data_t), align);

    block->d.last = p + size;
    block->d.end = (u_char *) block + len;
    block->d.next = NULL;
    block->d.failed = 0;

    for (last = pool->current; last->d.next; last = last->d.next) {
        if (last->d.failed++ > BENCH_POOL_FAILED) {
            pool->current = last->d.next;
        }
    }

    last->d.next = block;

    return p;
}


static void *
bench_pool_large(ngx_pool_t *pool, size_t size)
{
    void              *p;
    ngx_uint_t         n;
    ngx_pool_large_t  *large;

    p = bench_pool_take(size);
    if (p == NULL) {
        return NULL;
    }

    large = pool->large;

    for (n = 0; large && n < BENCH_POOL_LARGE; n++) {

        if (large->alloc == NULL) {
            large->alloc = p;
            return p;
        }

        large = large->next;
    }

    large = bench_pool_small(pool, sizeof(ngx_pool_large_t), NGX_ALIGNMENT);
    if (large == NULL) {
        bench_pool_give(p);
        return NULL;
    }

    large->alloc = p;
    large->next = pool->large;
    pool->large = large;

    return p;
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);

    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


void *
ngx_pmemalign(ngx_pool_t *pool, size_t size, size_t alignment)
{
    u_char  *p;

    p = ngx_palloc(pool, size + alignment);

    return p ? ngx_align_ptr(p, alignment) : NULL;
}


ngx_int_t
ngx_pfree(ngx_pool_t *pool, void *p)
{
    ngx_pool_large_t  *large;

    for (large = pool->large; large; large = large->next) {

        if (large->alloc == p) {
            bench_pool_give(p);
            large->alloc = NULL;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}
