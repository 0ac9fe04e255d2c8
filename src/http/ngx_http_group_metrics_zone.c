
/*
 * Where the counters of group_metrics are: in shared memory, where a row is
 * found by its labels, so that it outlives a reload.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_metrics.h"


/* of the rows, so that most reloads find room for new ones */
#define NGX_HTTP_GROUP_METRICS_SIZE  65536

#define ngx_http_group_metrics_align(n)  ngx_align(n, sizeof(ngx_atomic_t))


/* a row as it is in shared memory; its labels and its values follow */

typedef struct ngx_http_group_shared_row_s
    ngx_http_group_shared_row_t;

struct ngx_http_group_shared_row_s {
    ngx_http_group_shared_row_t  *next;
    ngx_uint_t                    kind;
    ngx_uint_t                    n;
    size_t                        len;
};


typedef struct {
    ngx_http_group_shared_row_t  *rows;
    u_char                       *pos;
    u_char                       *end;
} ngx_http_group_metrics_shared_t;


static size_t ngx_http_group_metrics_row_size(ngx_http_group_row_t *row);
static ngx_http_group_metrics_shared_t *ngx_http_group_metrics_old(
    ngx_conf_t *cf, ngx_shm_zone_t **zone);
static ngx_int_t ngx_http_group_metrics_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_atomic_t *ngx_http_group_metrics_find(
    ngx_http_group_metrics_shared_t *shared, ngx_http_group_row_t *row);
static ngx_atomic_t *ngx_http_group_metrics_add(
    ngx_http_group_metrics_shared_t *shared, ngx_http_group_row_t *row);


static ngx_str_t  ngx_http_group_metrics_name = ngx_string("group_metrics");


/*
 * A zone whose size has not changed is the same memory after a reload, so that
 * workers of before and after count in the same rows.  So it stays as it is as
 * long as the new rows fit in it.
 */

ngx_int_t
ngx_http_group_metrics_zone(ngx_conf_t *cf)
{
    size_t                            size, needed, pages;
    ngx_uint_t                        i;
    ngx_shm_zone_t                   *zone, *old;
    ngx_http_group_row_t            **row;
    ngx_http_group_main_conf_t       *gmcf;
    ngx_http_group_metrics_shared_t  *shared;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);

    shared = ngx_http_group_metrics_old(cf, &old);

    row = gmcf->rows.elts;
    size = sizeof(ngx_http_group_metrics_shared_t);
    needed = 0;

    for (i = 0; i < gmcf->rows.nelts; i++) {
        size += ngx_http_group_metrics_row_size(row[i]);

        if (shared && ngx_http_group_metrics_find(shared, row[i]) == NULL) {
            needed += ngx_http_group_metrics_row_size(row[i]);
        }
    }

    if (shared && needed <= (size_t) (shared->end - shared->pos)) {
        size = old->shm.size;

    } else {
        pages = (size + NGX_HTTP_GROUP_METRICS_SIZE) / ngx_pagesize + 1;

        /* the slab allocator's own */

        size = pages * (ngx_pagesize + sizeof(ngx_slab_page_t))
               + 4 * ngx_pagesize;
        size = ngx_align(size, ngx_pagesize);
    }

    zone = ngx_shared_memory_add(cf, &ngx_http_group_metrics_name, size,
                                 &ngx_http_group_metrics_name);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_group_metrics_init;
    zone->data = gmcf;

    gmcf->metrics = zone;
    gmcf->old_metrics = old;

    return NGX_OK;
}


static size_t
ngx_http_group_metrics_row_size(ngx_http_group_row_t *row)
{
    return sizeof(ngx_http_group_shared_row_t)
           + ngx_http_group_metrics_align(row->labels.len)
           + row->n * sizeof(ngx_atomic_t);
}


/* the rows that the configuration before this one had, or NULL */

static ngx_http_group_metrics_shared_t *
ngx_http_group_metrics_old(ngx_conf_t *cf, ngx_shm_zone_t **old)
{
    ngx_uint_t        i;
    ngx_cycle_t      *cycle;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;
    ngx_slab_pool_t  *pool;

    *old = NULL;

    cycle = cf->cycle->old_cycle;

    if (cycle == NULL) {
        return NULL;
    }

    part = &cycle->shared_memory.part;
    zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            zone = part->elts;
            i = 0;
        }

        if (zone[i].tag == &ngx_http_group_metrics_name && zone[i].shm.addr
            && ngx_group_str_eq(&zone[i].shm.name,
                                &ngx_http_group_metrics_name))
        {
            *old = &zone[i];
            pool = (ngx_slab_pool_t *) zone[i].shm.addr;

            return pool->data;
        }
    }
}


static ngx_int_t
ngx_http_group_metrics_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                            size;
    ngx_uint_t                        i;
    ngx_atomic_t                     *values;
    ngx_slab_pool_t                  *pool;
    ngx_http_group_row_t            **row;
    ngx_http_group_main_conf_t       *gmcf;
    ngx_http_group_metrics_shared_t  *shared, *old;

    gmcf = zone->data;
    pool = (ngx_slab_pool_t *) zone->shm.addr;
    old = NULL;

    if (data == NULL) {

        if (gmcf->old_metrics) {
            old = ((ngx_slab_pool_t *) gmcf->old_metrics->shm.addr)->data;
        }

        size = sizeof(ngx_http_group_metrics_shared_t)
               + NGX_HTTP_GROUP_METRICS_SIZE;
        row = gmcf->rows.elts;

        for (i = 0; i < gmcf->rows.nelts; i++) {
            size += ngx_http_group_metrics_row_size(row[i]);
        }

        shared = ngx_slab_calloc(pool, size);
        if (shared == NULL) {
            return NGX_ERROR;
        }

        shared->pos = (u_char *) (shared + 1);
        shared->end = (u_char *) shared + size;

        pool->data = shared;
    }

    shared = pool->data;
    row = gmcf->rows.elts;

    for (i = 0; i < gmcf->rows.nelts; i++) {
        row[i]->values = ngx_http_group_metrics_find(shared, row[i]);

        if (row[i]->values) {
            continue;
        }

        row[i]->values = ngx_http_group_metrics_add(shared, row[i]);

        if (row[i]->values == NULL) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "no room in zone \"%V\"", &zone->shm.name);
            return NGX_ERROR;
        }

        /* a larger zone than before begins with what that had */

        values = old ? ngx_http_group_metrics_find(old, row[i]) : NULL;

        if (values) {
            ngx_memcpy((void *) row[i]->values, (void *) values,
                       row[i]->n * sizeof(ngx_atomic_t));
        }
    }

    return NGX_OK;
}


static ngx_atomic_t *
ngx_http_group_metrics_find(ngx_http_group_metrics_shared_t *shared,
    ngx_http_group_row_t *row)
{
    u_char                       *p;
    ngx_http_group_shared_row_t  *found;

    for (found = shared->rows; found; found = found->next) {
        p = (u_char *) (found + 1);

        if (found->kind == row->kind && found->n == row->n
            && found->len == row->labels.len
            && ngx_memcmp(p, row->labels.data, found->len) == 0)
        {
            return (ngx_atomic_t *) (p
                                + ngx_http_group_metrics_align(found->len));
        }
    }

    return NULL;
}


/* the memory is all zeroes; only the master adds to it */

static ngx_atomic_t *
ngx_http_group_metrics_add(ngx_http_group_metrics_shared_t *shared,
    ngx_http_group_row_t *row)
{
    size_t                        size;
    u_char                       *p;
    ngx_http_group_shared_row_t  *added;

    size = ngx_http_group_metrics_row_size(row);

    if (size > (size_t) (shared->end - shared->pos)) {
        return NULL;
    }

    added = (ngx_http_group_shared_row_t *) shared->pos;
    shared->pos += size;

    added->kind = row->kind;
    added->n = row->n;
    added->len = row->labels.len;
    added->next = shared->rows;

    p = (u_char *) (added + 1);
    ngx_memcpy(p, row->labels.data, row->labels.len);

    shared->rows = added;

    return (ngx_atomic_t *) (p + ngx_http_group_metrics_align(added->len));
}
