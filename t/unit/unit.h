
/*
 * What the tests of the pure layers stand on: the few nginx functions that
 * these layers call (unit.c), and a small TAP writer.
 *
 * Pools are made of one malloc() for each allocation, so that AddressSanitizer
 * sees an overrun of any of them, and new memory is filled with junk.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


extern ngx_log_t    unit_log;

/* the last line that was logged, NUL-terminated */
extern u_char       unit_logged[];


/* ok(condition, "name %s", ...): one test */

#define ok(cond, ...)                                                         \
    unit_ok((cond) ? 1 : 0, __FILE__, __LINE__, __VA_ARGS__)

/* is(&str, "literal", "name"): one test that shows both when they differ */

#define is(got, want, ...)                                                    \
    unit_is(got, (u_char *) want, sizeof(want) - 1, __FILE__, __LINE__,       \
            __VA_ARGS__)

/*
 * Counts for a test that is made of many cases: only failed ones are printed,
 * at most ten of them, and unit_cases() makes it one test.
 */

#define each(cond, ...)                                                       \
    unit_case((cond) ? 1 : 0, __FILE__, __LINE__, __VA_ARGS__)


ngx_uint_t unit_ok(ngx_uint_t passed, const char *file, int line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
ngx_uint_t unit_is(ngx_str_t *got, u_char *want, size_t len, const char *file,
    int line, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void unit_case(ngx_uint_t passed, const char *file, int line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void unit_cases(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void unit_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* prints the plan; what main() returns */
int unit_done(void);

/* a printable copy, in one of a few static buffers */
char *unit_show(ngx_str_t *s);

ngx_str_t unit_str(const char *s);

/* a copy on the heap of exactly its length, so that reading past it is seen */
ngx_str_t unit_exact(const void *data, size_t len);
void unit_exact_free(ngx_str_t *s);

ngx_pool_t *unit_pool(void);

/*
 * The n-th allocation from now on (1 is the next one) fails, and that one
 * only; 0 lets all succeed again.  Starts the count of allocations anew.
 */
void unit_fail(ngx_uint_t n);
ngx_uint_t unit_allocs(void);

/* 1 when the allocation that was to fail has been asked for */
ngx_uint_t unit_failed(void);

/* malloc(), realloc(), free() that unit_fail() and unit_live() know of */
void *unit_malloc(size_t size);
void *unit_realloc(void *p, size_t size);
void unit_free(void *p);

/* allocations that are not freed */
ngx_uint_t unit_live(void);

/* a reproducible stream of pseudo-random numbers */
void unit_seed(uint64_t seed);
uint64_t unit_random(void);


#endif /* _UNIT_H_INCLUDED_ */
