
#include "unit.h"

#include <stdio.h>
#include <ctype.h>


#define UNIT_SHOW_LEN  400
#define UNIT_SHOWS     8


typedef struct unit_block_s  unit_block_t;

struct unit_block_s {
    unit_block_t  *next;
    unit_block_t  *prev;
    ngx_pool_t    *pool;
    size_t         size;
};


static u_char *unit_number(u_char *buf, u_char *last, uint64_t n,
    ngx_uint_t negative, u_char pad, ngx_uint_t hex, size_t width);
static ngx_int_t unit_decimal(u_char *line, size_t n, uint64_t max,
    int64_t *value);
static void unit_base64_encode(ngx_str_t *dst, ngx_str_t *src,
    const char *alphabet, ngx_uint_t pad);
static ngx_int_t unit_base64_decode(ngx_str_t *dst, ngx_str_t *src,
    const char *alphabet);


ngx_log_t             unit_log;
u_char                unit_logged[NGX_MAX_ERROR_STR + 1];

static ngx_uint_t     unit_tests;
static ngx_uint_t     unit_failures;
static ngx_uint_t     unit_case_n;
static ngx_uint_t     unit_case_failures;

static ngx_uint_t     unit_alloc_n;
static ngx_uint_t     unit_alloc_fail;
static ngx_uint_t     unit_alloc_failed;
static ngx_uint_t     unit_alloc_live;

static uint64_t       unit_state = 0x9e3779b97f4a7c15;

static unit_block_t   unit_blocks = { &unit_blocks, &unit_blocks, NULL, 0 };

static const char     unit_base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char     unit_base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static ngx_time_t     unit_time;
static ngx_cycle_t    unit_cycle;


/* what nginx has as global variables */

ngx_uint_t            ngx_pagesize = 4096;
ngx_uint_t            ngx_pagesize_shift = 12;
ngx_uint_t            ngx_cacheline_size = 64;
ngx_pid_t             ngx_pid = 1;
volatile ngx_time_t  *ngx_cached_time = &unit_time;
volatile ngx_cycle_t *ngx_cycle = &unit_cycle;


/* TAP */

ngx_uint_t
unit_ok(ngx_uint_t passed, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    unit_tests++;

    printf("%sok %lu - ", passed ? "" : "not ", (unsigned long) unit_tests);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");

    if (!passed) {
        unit_failures++;
        printf("#   at %s line %d\n", file, line);
    }

    fflush(stdout);

    return passed;
}


ngx_uint_t
unit_is(ngx_str_t *got, u_char *want, size_t len, const char *file, int line,
    const char *fmt, ...)
{
    char        name[256];
    va_list     args;
    ngx_str_t   expected;
    ngx_uint_t  passed;

    va_start(args, fmt);
    vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);

    passed = (got->len == len
              && (len == 0 || memcmp(got->data, want, len) == 0));

    unit_ok(passed, file, line, "%s", name);

    if (!passed) {
        expected.data = want;
        expected.len = len;

        unit_diag("     got: %s", unit_show(got));
        unit_diag("expected: %s", unit_show(&expected));
    }

    return passed;
}


void
unit_case(ngx_uint_t passed, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    unit_case_n++;

    if (passed) {
        return;
    }

    if (unit_case_failures++ >= 10) {
        return;
    }

    printf("#   case failed at %s line %d: ", file, line);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");
}


void
unit_cases(const char *fmt, ...)
{
    char     name[256];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);

    unit_ok(unit_case_failures == 0 && unit_case_n != 0, __FILE__, __LINE__,
            "%s (%lu cases, %lu failed)", name, (unsigned long) unit_case_n,
            (unsigned long) unit_case_failures);

    unit_case_n = 0;
    unit_case_failures = 0;
}


void
unit_diag(const char *fmt, ...)
{
    va_list  args;

    printf("#   ");

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");
}


int
unit_done(void)
{
    unit_ok(unit_alloc_live == 0, __FILE__, __LINE__,
            "no allocation is left (%lu)", (unsigned long) unit_alloc_live);

    printf("1..%lu\n", (unsigned long) unit_tests);

    return unit_failures ? 1 : 0;
}


char *
unit_show(ngx_str_t *s)
{
    char               *p, *last;
    size_t              i;

    static char         shows[UNIT_SHOWS][UNIT_SHOW_LEN];
    static ngx_uint_t   n;

    n = (n + 1) % UNIT_SHOWS;

    p = shows[n];
    last = p + UNIT_SHOW_LEN - 8;

    for (i = 0; i < s->len && p < last; i++) {
        if (s->data[i] >= 0x20 && s->data[i] < 0x7f && s->data[i] != '\\') {
            *p++ = (char) s->data[i];

        } else {
            p += sprintf(p, "\\x%02x", s->data[i]);
        }
    }

    if (i < s->len) {
        p += sprintf(p, "...");
    }

    *p = '\0';

    return shows[n];
}


ngx_str_t
unit_str(const char *s)
{
    ngx_str_t  str;

    str.data = (u_char *) s;
    str.len = strlen(s);

    return str;
}


ngx_str_t
unit_exact(const void *data, size_t len)
{
    ngx_str_t  str;

    str.data = malloc(len ? len : 1);
    str.len = len;

    if (str.data == NULL) {
        abort();
    }

    if (len) {
        memcpy(str.data, data, len);
    }

    return str;
}


void
unit_exact_free(ngx_str_t *s)
{
    free(s->data);

    s->data = NULL;
    s->len = 0;
}


void
unit_seed(uint64_t seed)
{
    unit_state = seed;
}


uint64_t
unit_random(void)
{
    uint64_t  z;

    /* splitmix64 */

    unit_state += 0x9e3779b97f4a7c15;

    z = unit_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


/* memory */

void
unit_fail(ngx_uint_t n)
{
    unit_alloc_n = 0;
    unit_alloc_fail = n;
    unit_alloc_failed = 0;
}


ngx_uint_t
unit_allocs(void)
{
    return unit_alloc_n;
}


ngx_uint_t
unit_failed(void)
{
    return unit_alloc_failed;
}


ngx_uint_t
unit_live(void)
{
    return unit_alloc_live;
}


void *
unit_malloc(size_t size)
{
    void  *p;

    if (++unit_alloc_n == unit_alloc_fail) {
        unit_alloc_failed = 1;
        return NULL;
    }

    p = malloc(size ? size : 1);
    if (p == NULL) {
        abort();
    }

    memset(p, 0xa5, size);

    unit_alloc_live++;

    return p;
}


void *
unit_realloc(void *p, size_t size)
{
    void  *to;

    if (p == NULL) {
        return unit_malloc(size);
    }

    if (++unit_alloc_n == unit_alloc_fail) {
        unit_alloc_failed = 1;
        return NULL;
    }

    to = realloc(p, size ? size : 1);
    if (to == NULL) {
        abort();
    }

    return to;
}


void
unit_free(void *p)
{
    if (p) {
        unit_alloc_live--;
        free(p);
    }
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    (void) log;

    return malloc(size ? size : 1);
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    (void) log;

    return calloc(1, size ? size : 1);
}


ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    ngx_pool_t  *pool;

    (void) size;

    pool = unit_malloc(sizeof(ngx_pool_t));
    if (pool == NULL) {
        return NULL;
    }

    memset(pool, 0, sizeof(ngx_pool_t));

    pool->current = pool;
    pool->max = NGX_MAX_ALLOC_FROM_POOL;
    pool->log = log;

    return pool;
}


ngx_pool_t *
unit_pool(void)
{
    ngx_pool_t  *pool;

    pool = ngx_create_pool(4096, &unit_log);
    if (pool == NULL) {
        abort();
    }

    return pool;
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    unit_block_t        *b, *next;
    ngx_pool_cleanup_t  *c;

    for (c = pool->cleanup; c; c = c->next) {
        if (c->handler) {
            c->handler(c->data);
        }
    }

    for (b = unit_blocks.next; b != &unit_blocks; b = next) {
        next = b->next;

        if (b->pool == pool) {
            b->next->prev = b->prev;
            b->prev->next = b->next;
            unit_free(b);
        }
    }

    unit_free(pool);
}


/*
 * The header stands before the bytes that are given out, so that the end of
 * these is the end of what malloc() gave: that is where overruns are seen.
 */

void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    unit_block_t  *b;

    b = unit_malloc(sizeof(unit_block_t) + size);
    if (b == NULL) {
        return NULL;
    }

    b->pool = pool;
    b->size = size;

    b->next = unit_blocks.next;
    b->prev = &unit_blocks;
    b->next->prev = b;
    unit_blocks.next = b;

    return b + 1;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);

    if (p) {
        memset(p, 0, size);
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


/* as in nginx, small allocations stay until the pool is destroyed */

ngx_int_t
ngx_pfree(ngx_pool_t *pool, void *p)
{
    unit_block_t  *b;

    b = (unit_block_t *) p - 1;

    if (b->size <= pool->max || b->pool != pool) {
        return NGX_DECLINED;
    }

    b->next->prev = b->prev;
    b->prev->next = b->next;

    unit_free(b);

    return NGX_OK;
}


ngx_pool_cleanup_t *
ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t  *c;

    c = ngx_palloc(pool, sizeof(ngx_pool_cleanup_t));
    if (c == NULL) {
        return NULL;
    }

    c->data = NULL;

    if (size) {
        c->data = ngx_palloc(pool, size);
        if (c->data == NULL) {
            return NULL;
        }
    }

    c->handler = NULL;
    c->next = pool->cleanup;
    pool->cleanup = c;

    return c;
}


ngx_array_t *
ngx_array_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_array_t  *a;

    a = ngx_palloc(pool, sizeof(ngx_array_t));
    if (a == NULL || ngx_array_init(a, pool, n, size) != NGX_OK) {
        return NULL;
    }

    return a;
}


void
ngx_array_destroy(ngx_array_t *a)
{
    (void) a;
}


void *
ngx_array_push(ngx_array_t *a)
{
    return ngx_array_push_n(a, 1);
}


void *
ngx_array_push_n(ngx_array_t *a, ngx_uint_t n)
{
    void        *elts, *elt;
    ngx_uint_t   nalloc;

    if (a->nelts + n > a->nalloc) {
        nalloc = 2 * ngx_max(n, a->nalloc);

        elts = ngx_palloc(a->pool, nalloc * a->size);
        if (elts == NULL) {
            return NULL;
        }

        memcpy(elts, a->elts, a->nelts * a->size);

        a->elts = elts;
        a->nalloc = nalloc;
    }

    elt = (u_char *) a->elts + a->nelts * a->size;
    a->nelts += n;

    return elt;
}


ngx_list_t *
ngx_list_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_list_t  *list;

    list = ngx_palloc(pool, sizeof(ngx_list_t));
    if (list == NULL || ngx_list_init(list, pool, n, size) != NGX_OK) {
        return NULL;
    }

    return list;
}


void *
ngx_list_push(ngx_list_t *l)
{
    ngx_list_part_t  *part;

    part = l->last;

    if (part->nelts == l->nalloc) {
        part = ngx_palloc(l->pool, sizeof(ngx_list_part_t));
        if (part == NULL) {
            return NULL;
        }

        part->elts = ngx_palloc(l->pool, l->nalloc * l->size);
        if (part->elts == NULL) {
            return NULL;
        }

        part->nelts = 0;
        part->next = NULL;

        l->last->next = part;
        l->last = part;
    }

    return (u_char *) part->elts + l->size * part->nelts++;
}


/* formatted text */

u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, (u_char *) -1, fmt, args);
    va_end(args);

    return p;
}


u_char *
ngx_snprintf(u_char *buf, size_t max, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + max, fmt, args);
    va_end(args);

    return p;
}


u_char *
ngx_slprintf(u_char *buf, u_char *last, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, last, fmt, args);
    va_end(args);

    return p;
}


u_char *
ngx_vslprintf(u_char *buf, u_char *last, const char *fmt, va_list args)
{
    u_char      *s, pad;
    size_t       width, len;
    int64_t      i;
    uint64_t     u;
    ngx_str_t   *v;
    ngx_uint_t   hex, is_unsigned, given;

    for ( /* void */ ; *fmt && buf < last; fmt++) {

        if (*fmt != '%') {
            *buf++ = (u_char) *fmt;
            continue;
        }

        fmt++;

        pad = ' ';
        width = 0;
        len = 0;
        hex = 0;
        given = 0;
        is_unsigned = 0;
        i = 0;
        u = 0;

        if (*fmt == '0') {
            pad = '0';
        }

        while (*fmt >= '0' && *fmt <= '9') {
            width = width * 10 + (size_t) (*fmt++ - '0');
        }

        for ( ;; fmt++) {
            if (*fmt == 'u') {
                is_unsigned = 1;

            } else if (*fmt == 'x') {
                is_unsigned = 1;
                hex = 1;

            } else if (*fmt == 'X') {
                is_unsigned = 1;
                hex = 2;

            } else if (*fmt == '*') {
                len = va_arg(args, size_t);
                given = 1;

            } else {
                break;
            }
        }

        switch (*fmt) {

        case 'V':
            v = va_arg(args, ngx_str_t *);

            for (len = 0; len < v->len && buf < last; len++) {
                *buf++ = v->data[len];
            }

            continue;

        case 's':
            s = va_arg(args, u_char *);

            if (!given) {
                len = strlen((char *) s);
            }

            while (len-- && buf < last) {
                *buf++ = *s++;
            }

            continue;

        case 'c':
            *buf++ = (u_char) va_arg(args, int);
            continue;

        case 'Z':
            *buf++ = '\0';
            continue;

        case 'N':
            *buf++ = '\n';
            continue;

        case '%':
            *buf++ = '%';
            continue;

        case 'O':
            i = va_arg(args, off_t);
            break;

        case 'P':
            i = va_arg(args, ngx_pid_t);
            break;

        case 'T':
            i = va_arg(args, time_t);
            break;

        case 'z':
            if (is_unsigned) {
                u = va_arg(args, size_t);
            } else {
                i = va_arg(args, ssize_t);
            }
            break;

        case 'i':
            if (is_unsigned) {
                u = va_arg(args, ngx_uint_t);
            } else {
                i = va_arg(args, ngx_int_t);
            }
            break;

        case 'd':
            if (is_unsigned) {
                u = va_arg(args, unsigned int);
            } else {
                i = va_arg(args, int);
            }
            break;

        case 'l':
            if (is_unsigned) {
                u = va_arg(args, unsigned long);
            } else {
                i = va_arg(args, long);
            }
            break;

        case 'D':
            if (is_unsigned) {
                u = va_arg(args, uint32_t);
            } else {
                i = va_arg(args, int32_t);
            }
            break;

        case 'L':
            if (is_unsigned) {
                u = va_arg(args, uint64_t);
            } else {
                i = va_arg(args, int64_t);
            }
            break;

        case 'p':
            u = (uintptr_t) va_arg(args, void *);
            is_unsigned = 1;
            hex = 2;
            pad = '0';
            width = 2 * sizeof(void *);
            break;

        default:
            fprintf(stderr, "unit.c: no such format: %%%c\n", *fmt);
            abort();
        }

        if (is_unsigned) {
            buf = unit_number(buf, last, u, 0, pad, hex, width);

        } else if (i < 0) {
            buf = unit_number(buf, last, 0 - (uint64_t) i, 1, pad, 0, width);

        } else {
            buf = unit_number(buf, last, (uint64_t) i, 0, pad, 0, width);
        }
    }

    return buf;
}


static u_char *
unit_number(u_char *buf, u_char *last, uint64_t n, ngx_uint_t negative,
    u_char pad, ngx_uint_t hex, size_t width)
{
    int          len;
    char         digits[32];
    const char  *format;

    format = hex == 0 ? "%llu" : hex == 1 ? "%llx" : "%llX";

    len = snprintf(digits, sizeof(digits), format, (unsigned long long) n);

    if (negative && buf < last) {
        *buf++ = '-';
    }

    while (width > (size_t) len && buf < last) {
        *buf++ = pad;
        width--;
    }

    if ((size_t) len > (size_t) (last - buf)) {
        len = (int) (last - buf);
    }

    memcpy(buf, digits, (size_t) len);

    return buf + len;
}


/* strings */

u_char *
ngx_cpystrn(u_char *dst, u_char *src, size_t n)
{
    if (n == 0) {
        return dst;
    }

    while (--n && *src) {
        *dst++ = *src++;
    }

    *dst = '\0';

    return dst;
}


u_char *
ngx_pstrdup(ngx_pool_t *pool, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_pnalloc(pool, src->len);

    if (p && src->len) {
        memcpy(p, src->data, src->len);
    }

    return p;
}


void
ngx_strlow(u_char *dst, u_char *src, size_t n)
{
    while (n--) {
        *dst++ = ngx_tolower(*src);
        src++;
    }
}


ngx_int_t
ngx_strcasecmp(u_char *s1, u_char *s2)
{
    return strcasecmp((char *) s1, (char *) s2);
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


u_char *
ngx_strlcasestrn(u_char *s1, u_char *last, u_char *s2, size_t n)
{
    /* "n" is one less than the length of s2 */

    for (n++; s1 + n <= last; s1++) {
        if (strncasecmp((char *) s1, (char *) s2, n) == 0) {
            return s1;
        }
    }

    return NULL;
}


size_t
ngx_strnlen(u_char *p, size_t n)
{
    return strnlen((char *) p, n);
}


void
ngx_explicit_memzero(void *buf, size_t n)
{
    volatile u_char  *p = buf;

    while (n--) {
        *p++ = 0;
    }
}


static ngx_int_t
unit_decimal(u_char *line, size_t n, uint64_t max, int64_t *value)
{
    size_t    i;
    uint64_t  v, digit;

    if (n == 0) {
        return NGX_ERROR;
    }

    v = 0;

    for (i = 0; i < n; i++) {
        if (!isdigit(line[i])) {
            return NGX_ERROR;
        }

        digit = (uint64_t) (line[i] - '0');

        if (v > (max - digit) / 10) {
            return NGX_ERROR;
        }

        v = v * 10 + digit;
    }

    *value = (int64_t) v;

    return NGX_OK;
}


ngx_int_t
ngx_atoi(u_char *line, size_t n)
{
    int64_t  v;

    if (unit_decimal(line, n, NGX_MAX_INT_T_VALUE, &v) != NGX_OK) {
        return NGX_ERROR;
    }

    return (ngx_int_t) v;
}


off_t
ngx_atoof(u_char *line, size_t n)
{
    int64_t  v;

    if (unit_decimal(line, n, NGX_MAX_OFF_T_VALUE, &v) != NGX_OK) {
        return NGX_ERROR;
    }

    return (off_t) v;
}


time_t
ngx_atotm(u_char *line, size_t n)
{
    int64_t  v;

    if (unit_decimal(line, n, NGX_MAX_TIME_T_VALUE, &v) != NGX_OK) {
        return NGX_ERROR;
    }

    return (time_t) v;
}


ssize_t
ngx_atosz(u_char *line, size_t n)
{
    return (ssize_t) ngx_atoi(line, n);
}


ngx_int_t
ngx_hextoi(u_char *line, size_t n)
{
    ngx_int_t  v, digit;

    if (n == 0) {
        return NGX_ERROR;
    }

    for (v = 0; n--; line++) {
        if (!isxdigit(*line) || v > NGX_MAX_INT_T_VALUE / 16) {
            return NGX_ERROR;
        }

        digit = isdigit(*line) ? *line - '0' : (*line | 0x20) - 'a' + 10;
        v = v * 16 + digit;
    }

    return v;
}


u_char *
ngx_hex_dump(u_char *dst, u_char *src, size_t len)
{
    while (len--) {
        *dst++ = (u_char) "0123456789abcdef"[*src >> 4];
        *dst++ = (u_char) "0123456789abcdef"[*src++ & 0xf];
    }

    return dst;
}


void
ngx_encode_base64(ngx_str_t *dst, ngx_str_t *src)
{
    unit_base64_encode(dst, src, unit_base64, 1);
}


void
ngx_encode_base64url(ngx_str_t *dst, ngx_str_t *src)
{
    unit_base64_encode(dst, src, unit_base64url, 0);
}


static void
unit_base64_encode(ngx_str_t *dst, ngx_str_t *src, const char *alphabet,
    ngx_uint_t pad)
{
    u_char    *p;
    size_t     i, n, k;
    uint32_t   bits;

    p = dst->data;

    for (i = 0; i < src->len; i += 3) {
        n = ngx_min(3, src->len - i);
        bits = 0;

        for (k = 0; k < 3; k++) {
            bits = bits << 8 | (k < n ? src->data[i + k] : 0);
        }

        for (k = 0; k < 4; k++) {
            if (k <= n) {
                *p++ = (u_char) alphabet[bits >> (18 - 6 * k) & 0x3f];

            } else if (pad) {
                *p++ = '=';
            }
        }
    }

    dst->len = (size_t) (p - dst->data);
}


ngx_int_t
ngx_decode_base64(ngx_str_t *dst, ngx_str_t *src)
{
    return unit_base64_decode(dst, src, unit_base64);
}


ngx_int_t
ngx_decode_base64url(ngx_str_t *dst, ngx_str_t *src)
{
    return unit_base64_decode(dst, src, unit_base64url);
}


/* as lenient as nginx is: padding is optional, left-over bits are dropped */

static ngx_int_t
unit_base64_decode(ngx_str_t *dst, ngx_str_t *src, const char *alphabet)
{
    u_char      *p;
    size_t       i, n;
    uint32_t     bits;
    const char  *c;

    for (n = 0; n < src->len && src->data[n] != '='; n++) {
        if (src->data[n] == '\0' || strchr(alphabet, src->data[n]) == NULL) {
            return NGX_ERROR;
        }
    }

    if (n % 4 == 1) {
        return NGX_ERROR;
    }

    p = dst->data;
    bits = 0;

    for (i = 0; i < n; i++) {
        c = strchr(alphabet, src->data[i]);
        bits = bits << 6 | (uint32_t) (c - alphabet);

        if (i % 4 != 0) {
            *p++ = (u_char) (bits >> (6 - 2 * (i % 4)));
        }
    }

    dst->len = (size_t) (p - dst->data);

    return NGX_OK;
}


void
ngx_sort(void *base, size_t n, size_t size,
    ngx_int_t (*cmp)(const void *, const void *))
{
    size_t   i, j;
    u_char  *a, t[1024];

    if (size > sizeof(t)) {
        abort();
    }

    for (a = base, i = 1; i < n; i++) {
        memcpy(t, a + i * size, size);

        for (j = i; j > 0 && cmp(a + (j - 1) * size, t) > 0; j--) {
            memcpy(a + j * size, a + (j - 1) * size, size);
        }

        memcpy(a + j * size, t, size);
    }
}


/* time */

void
ngx_gmtime(time_t t, ngx_tm_t *tp)
{
    gmtime_r(&t, tp);

    tp->ngx_tm_mon++;
    tp->ngx_tm_year += 1900;
}


time_t
ngx_parse_http_time(u_char *value, size_t len)
{
    char       text[64], *end;
    struct tm  tm;

    if (len >= sizeof(text)) {
        return NGX_ERROR;
    }

    memcpy(text, value, len);
    text[len] = '\0';

    memset(&tm, 0, sizeof(struct tm));

    end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    return end && *end == '\0' ? timegm(&tm) : NGX_ERROR;
}


/* logs, files and the configuration */

void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    (void) log;

    if (level == NGX_LOG_DEBUG) {
        return;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(unit_logged, unit_logged + NGX_MAX_ERROR_STR, fmt, args);
    va_end(args);

    if (err) {
        p = ngx_slprintf(p, unit_logged + NGX_MAX_ERROR_STR, " (%d: %s)", err,
                         strerror(err));
    }

    *p = '\0';
}


void
ngx_conf_log_error(ngx_uint_t level, ngx_conf_t *cf, ngx_err_t err,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    (void) level;
    (void) cf;

    va_start(args, fmt);
    p = ngx_vslprintf(unit_logged, unit_logged + NGX_MAX_ERROR_STR, fmt, args);
    va_end(args);

    if (err) {
        p = ngx_slprintf(p, unit_logged + NGX_MAX_ERROR_STR, " (%d: %s)", err,
                         strerror(err));
    }

    *p = '\0';
}


ngx_int_t
ngx_conf_full_name(ngx_cycle_t *cycle, ngx_str_t *name, ngx_uint_t conf_prefix)
{
    (void) cycle;
    (void) name;
    (void) conf_prefix;

    return NGX_OK;
}


ssize_t
ngx_read_file(ngx_file_t *file, u_char *buf, size_t size, off_t offset)
{
    ssize_t  n;

    n = pread(file->fd, buf, size, offset);

    if (n == -1) {
        return NGX_ERROR;
    }

    file->offset += n;

    return n;
}
