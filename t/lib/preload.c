
/*
 * Preloaded into nginx by tests that need a bad system: memory that is not
 * there, and a wall clock that jumps.
 *
 * What it does is read from a file that the test writes, Test::Gateway::Preload
 * knows its layout.  The n-th allocation from there on fails in one process,
 * and only that one: of libc's malloc() and its like, of those functions of
 * nginx that the module calls, or of both.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


#define PRELOAD_LIBC    1
#define PRELOAD_MODULE  2


typedef struct {
    int64_t     clock;      /* seconds that the wall clock is ahead */
    int64_t     pid;        /* whose allocations fail, 0: nobody's */
    int64_t     what;
    int64_t     fail;       /* which one, from 1; 0: none */
    int64_t     count;      /* of those that were asked for */
    int64_t     failed;     /* 1: that one was asked for */
    int64_t     where;      /* in the module, from its begin */
} preload_t;


typedef struct {
    const char  *name;
    void        *wrapper;
    void       **real;
} preload_wrap_t;


/* what nginx has in its arrays and lists, as far as we look */

typedef struct {
    void        *elts;
    uintptr_t    nelts;
    size_t       size;
    uintptr_t    nalloc;
} preload_array_t;


typedef struct {
    void        *elts;
    uintptr_t    nelts;
} preload_part_t;


typedef struct {
    preload_part_t  *last;
    void            *part[3];
    size_t           size;
    uintptr_t        nalloc;
} preload_list_t;


static preload_t         preload_none;
static preload_t        *preload = &preload_none;
static uintptr_t         preload_base;

/* dlsym() allocates before there is a malloc() to be found */
static unsigned char     preload_early[16384];
static size_t            preload_used;

static void             *(*preload_malloc)(size_t);
static void             *(*preload_calloc)(size_t, size_t);
static void             *(*preload_realloc)(void *, size_t);
static void              (*preload_free)(void *);
static int               (*preload_memalign)(void **, size_t, size_t);
static void             *(*preload_dlopen)(const char *, int);
static int               (*preload_gettimeofday)(struct timeval *, void *);
static int               (*preload_gettime)(clockid_t, struct timespec *);


static int
preload_fails(int64_t what, void *where)
{
    if (preload->fail == 0 || !(preload->what & what)
        || preload->pid != getpid())
    {
        return 0;
    }

    if (++preload->count != preload->fail) {
        return 0;
    }

    preload->failed = 1;
    preload->where = (int64_t) ((uintptr_t) where - preload_base);

    errno = ENOMEM;

    return 1;
}


__attribute__((constructor)) static void
preload_init(void)
{
    int    fd;
    void  *p;
    char  *name;

    preload_calloc = dlsym(RTLD_NEXT, "calloc");
    preload_malloc = dlsym(RTLD_NEXT, "malloc");
    preload_realloc = dlsym(RTLD_NEXT, "realloc");
    preload_free = dlsym(RTLD_NEXT, "free");
    preload_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    preload_dlopen = dlsym(RTLD_NEXT, "dlopen");
    preload_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
    preload_gettime = dlsym(RTLD_NEXT, "clock_gettime");

    name = getenv("TEST_GROUP_PRELOAD");

    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR);

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(preload_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);

    if (p != MAP_FAILED) {
        preload = p;
    }
}


/* libc */

static void *
preload_early_alloc(size_t size)
{
    void  *p;

    size = (size + 15) & ~(size_t) 15;

    if (size > sizeof(preload_early) - preload_used) {
        return NULL;
    }

    p = preload_early + preload_used;
    preload_used += size;

    return p;
}


static int
preload_is_early(void *p)
{
    return (unsigned char *) p >= preload_early
           && (unsigned char *) p < preload_early + sizeof(preload_early);
}


void *
malloc(size_t size)
{
    if (preload_malloc == NULL) {
        return preload_early_alloc(size);
    }

    if (preload_fails(PRELOAD_LIBC, __builtin_return_address(0))) {
        return NULL;
    }

    return preload_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    if (preload_calloc == NULL) {
        return preload_early_alloc(n * size);
    }

    if (preload_fails(PRELOAD_LIBC, __builtin_return_address(0))) {
        return NULL;
    }

    return preload_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    void  *to;

    if (p == NULL) {
        return malloc(size);
    }

    if (preload_is_early(p)) {
        to = malloc(size);

        if (to) {
            memcpy(to, p, size);
        }

        return to;
    }

    if (size && preload_fails(PRELOAD_LIBC, __builtin_return_address(0))) {
        return NULL;
    }

    return preload_realloc(p, size);
}


void
free(void *p)
{
    if (p && !preload_is_early(p) && preload_free) {
        preload_free(p);
    }
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    if (preload_fails(PRELOAD_LIBC, __builtin_return_address(0))) {
        return ENOMEM;
    }

    return preload_memalign(p, alignment, size);
}


/* the wall clock */

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    int  rc;

    rc = preload_gettimeofday(tv, tz);
    tv->tv_sec += preload->clock;

    return rc;
}


int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    int  rc;

    rc = preload_gettime(clock, ts);

    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        ts->tv_sec += preload->clock;
    }

    return rc;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}


/* what the module calls in nginx: all of these return NULL when they fail */

#define preload_wrapper(name, args, call)                                     \
    static void *(*preload_real_##name) args;                                 \
                                                                              \
    static void *                                                             \
    preload_##name args                                                       \
    {                                                                         \
        if (preload_fails(PRELOAD_MODULE, __builtin_return_address(0))) {     \
            return NULL;                                                      \
        }                                                                     \
                                                                              \
        return preload_real_##name call;                                      \
    }

preload_wrapper(ngx_palloc, (void *a, size_t b), (a, b))
preload_wrapper(ngx_pnalloc, (void *a, size_t b), (a, b))
preload_wrapper(ngx_pcalloc, (void *a, size_t b), (a, b))
preload_wrapper(ngx_alloc, (size_t a, void *b), (a, b))
preload_wrapper(ngx_calloc, (size_t a, void *b), (a, b))
preload_wrapper(ngx_array_create, (void *a, uintptr_t b, size_t c), (a, b, c))
preload_wrapper(ngx_create_pool, (size_t a, void *b), (a, b))
preload_wrapper(ngx_create_temp_buf, (void *a, size_t b), (a, b))
preload_wrapper(ngx_alloc_chain_link, (void *a), (a))
preload_wrapper(ngx_pool_cleanup_add, (void *a, size_t b), (a, b))
preload_wrapper(ngx_http_cleanup_add, (void *a, size_t b), (a, b))
preload_wrapper(ngx_pstrdup, (void *a, void *b), (a, b))
preload_wrapper(ngx_slab_alloc, (void *a, size_t b), (a, b))
preload_wrapper(ngx_slab_alloc_locked, (void *a, size_t b), (a, b))
preload_wrapper(ngx_slab_calloc_locked, (void *a, size_t b), (a, b))


/* these need memory only when there is no room left */

static void *(*preload_real_ngx_array_push)(preload_array_t *);
static void *(*preload_real_ngx_array_push_n)(preload_array_t *, uintptr_t);
static void *(*preload_real_ngx_list_push)(preload_list_t *);


static void *
preload_ngx_array_push(preload_array_t *a)
{
    if (a->nelts == a->nalloc
        && preload_fails(PRELOAD_MODULE, __builtin_return_address(0)))
    {
        return NULL;
    }

    return preload_real_ngx_array_push(a);
}


static void *
preload_ngx_array_push_n(preload_array_t *a, uintptr_t n)
{
    if (a->nelts + n > a->nalloc
        && preload_fails(PRELOAD_MODULE, __builtin_return_address(0)))
    {
        return NULL;
    }

    return preload_real_ngx_array_push_n(a, n);
}


static void *
preload_ngx_list_push(preload_list_t *l)
{
    if (l->last->nelts == l->nalloc
        && preload_fails(PRELOAD_MODULE, __builtin_return_address(0)))
    {
        return NULL;
    }

    return preload_real_ngx_list_push(l);
}


#define preload_wrapped(name)                                                 \
    { #name, (void *) preload_##name, (void **) &preload_real_##name }

static preload_wrap_t  preload_wraps[] = {
    preload_wrapped(ngx_palloc),
    preload_wrapped(ngx_pnalloc),
    preload_wrapped(ngx_pcalloc),
    preload_wrapped(ngx_alloc),
    preload_wrapped(ngx_calloc),
    preload_wrapped(ngx_array_create),
    preload_wrapped(ngx_array_push),
    preload_wrapped(ngx_array_push_n),
    preload_wrapped(ngx_list_push),
    preload_wrapped(ngx_create_pool),
    preload_wrapped(ngx_create_temp_buf),
    preload_wrapped(ngx_alloc_chain_link),
    preload_wrapped(ngx_pool_cleanup_add),
    preload_wrapped(ngx_http_cleanup_add),
    preload_wrapped(ngx_pstrdup),
    preload_wrapped(ngx_slab_alloc),
    preload_wrapped(ngx_slab_alloc_locked),
    preload_wrapped(ngx_slab_calloc_locked),
    { NULL, NULL, NULL }
};


static void
preload_patch(struct link_map *map, ElfW(Rela) *rela, size_t size,
    ElfW(Sym) *symbols, const char *names)
{
    void            **slot;
    size_t            i, page;
    const char       *name;
    ElfW(Sym)        *symbol;
    preload_wrap_t   *w;

    page = (size_t) sysconf(_SC_PAGESIZE);

    for (i = 0; rela && i < size / sizeof(ElfW(Rela)); i++) {

        symbol = &symbols[rela[i].r_info >> (sizeof(void *) == 8 ? 32 : 8)];
        name = names + symbol->st_name;
        slot = (void **) (map->l_addr + rela[i].r_offset);

        for (w = preload_wraps; w->name; w++) {

            if (strcmp(w->name, name) != 0 || *slot == w->wrapper) {
                continue;
            }

            *w->real = dlsym(RTLD_DEFAULT, name);

            /* it was made read-only */

            (void) mprotect((void *) ((uintptr_t) slot & ~(page - 1)), page,
                            PROT_READ|PROT_WRITE);
            *slot = w->wrapper;
        }
    }
}


void *
dlopen(const char *file, int flags)
{
    void             *handle;
    size_t            plt_size, size;
    ElfW(Dyn)        *d;
    ElfW(Sym)        *symbols;
    ElfW(Rela)       *plt, *rela;
    const char       *names;
    struct link_map  *map;

    handle = preload_dlopen(file, flags);

    if (handle == NULL || file == NULL
        || strstr(file, "ngx_http_group_module") == NULL
        || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
    {
        return handle;
    }

    plt = NULL;
    rela = NULL;
    symbols = NULL;
    names = NULL;
    plt_size = 0;
    size = 0;

    for (d = map->l_ld; d->d_tag != DT_NULL; d++) {

        switch (d->d_tag) {

        case DT_JMPREL:
            plt = (void *) d->d_un.d_ptr;
            break;

        case DT_PLTRELSZ:
            plt_size = d->d_un.d_val;
            break;

        case DT_RELA:
            rela = (void *) d->d_un.d_ptr;
            break;

        case DT_RELASZ:
            size = d->d_un.d_val;
            break;

        case DT_SYMTAB:
            symbols = (void *) d->d_un.d_ptr;
            break;

        case DT_STRTAB:
            names = (void *) d->d_un.d_ptr;
            break;
        }
    }

    preload_base = map->l_addr;

    preload_patch(map, plt, plt_size, symbols, names);
    preload_patch(map, rela, size, symbols, names);

    return handle;
}
