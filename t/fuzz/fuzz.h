
/*
 * What the fuzz targets stand on, besides unit.h: each target is one file with
 * fuzz_start() and fuzz_one(); fuzz.c has what libFuzzer calls.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include "unit.h"
#include "ngx_group_canonical.h"
#include "ngx_group_limits.h"
#include "ngx_group_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* once, before the first input; what it allocates stays */
void fuzz_start(void);

/* one input, which is a copy on the heap of exactly its length */
void fuzz_one(ngx_pool_t *pool, ngx_str_t *in);


/* check(condition, "what is wrong: %s", ...): a finding when it is false */

#define check(cond, ...)                                                      \
    do {                                                                      \
        if (!(cond)) {                                                        \
            fuzz_fail(__FILE__, __LINE__, #cond, __VA_ARGS__);                \
        }                                                                     \
    } while (0)

void fuzz_fail(const char *file, int line, const char *cond, const char *fmt,
    ...) __attribute__((format(printf, 4, 5), noreturn));


/* takes a byte off that chooses one of n: "a" is the first */
ngx_uint_t fuzz_choice(ngx_str_t *in, ngx_uint_t n);

/* takes off what stands before "end", and "end"; all when it is not there */
ngx_str_t fuzz_until(ngx_str_t *in, u_char end);

/* a text with neither control characters nor bytes that are no UTF-8 */
void fuzz_sentence(ngx_str_t *text, const char *what);

ngx_uint_t fuzz_equal(ngx_str_t *a, ngx_str_t *b);

/* the tree as JSON, in the pool */
char *fuzz_json(ngx_pool_t *pool, ngx_group_value_t *value);

/* the tree that is in the text, which is JSON */
ngx_group_value_t *fuzz_tree(ngx_pool_t *pool, const char *text);

/* equal, and the order of the members as well */
void fuzz_same(ngx_pool_t *pool, ngx_group_value_t *a, ngx_group_value_t *b,
    const char *what);

/* each member is one of the canonical model, and of its type */
void fuzz_canonical(ngx_pool_t *pool, ngx_group_of_e of,
    ngx_group_value_t *value);


#endif /* _FUZZ_H_INCLUDED_ */
