
/*
 * The value tree: what a JSON or XML body is between the bytes and the
 * canonical group.  All memory comes from the pool that is given; texts may
 * point into the bytes they were decoded from, which must live as long.
 */


#ifndef _NGX_GROUP_VALUE_H_INCLUDED_
#define _NGX_GROUP_VALUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_GROUP_NULL = 0,
    NGX_GROUP_BOOLEAN,
    NGX_GROUP_NUMBER,
    NGX_GROUP_STRING,
    NGX_GROUP_ARRAY,
    NGX_GROUP_OBJECT
} ngx_group_type_e;


typedef struct ngx_group_value_s  ngx_group_value_t;

struct ngx_group_value_s {
    ngx_group_value_t          *next;     /* in the same array or object */
    ngx_str_t                   key;      /* in an object */
    ngx_group_type_e            type;
    uint32_t                    n;        /* items of an array or object */

    union {
        ngx_uint_t              flag;     /* BOOLEAN */
        ngx_str_t               text;     /* STRING; NUMBER as it was written */

        struct {                          /* ARRAY, OBJECT */
            ngx_group_value_t  *first;
            ngx_group_value_t  *last;
        } items;
    } u;
};


/*
 * Values that are taken from a pool many at a time: the more there are, the
 * more the next time.  To be zeroed but for "pool".
 */

typedef struct {
    ngx_pool_t                 *pool;
    ngx_group_value_t          *next;
    ngx_uint_t                  left;
    ngx_uint_t                  taken;
} ngx_group_values_t;


/* NULL when there is no memory */
ngx_group_value_t *ngx_group_values_get(ngx_group_values_t *values,
    ngx_group_type_e type);

/* each constructor returns NULL when there is no memory */

ngx_group_value_t *ngx_group_value_create(ngx_pool_t *pool,
    ngx_group_type_e type);
ngx_group_value_t *ngx_group_value_string(ngx_pool_t *pool, ngx_str_t *text);
ngx_group_value_t *ngx_group_value_boolean(ngx_pool_t *pool, ngx_uint_t flag);
ngx_group_value_t *ngx_group_value_integer(ngx_pool_t *pool, int64_t n);

/* the tree is copied, the texts are shared */
ngx_group_value_t *ngx_group_value_copy(ngx_pool_t *pool,
    ngx_group_value_t *value);

/* appends to an array or an object; "value" must not be in a tree yet */
void ngx_group_value_push(ngx_group_value_t *parent, ngx_group_value_t *value);

/* the first member of that key, or NULL; "object" may be NULL or no object */
ngx_group_value_t *ngx_group_value_get(ngx_group_value_t *object,
    ngx_str_t *key);

/* replaces the member of that key in its place, or appends */
void ngx_group_value_set(ngx_group_value_t *object, ngx_str_t *key,
    ngx_group_value_t *value);

/* removes all members of that key */
void ngx_group_value_unset(ngx_group_value_t *object, ngx_str_t *key);

/*
 * Compares by meaning: order counts in arrays, not in objects; numbers are
 * equal when their texts are.
 */
ngx_uint_t ngx_group_value_equal(ngx_group_value_t *a, ngx_group_value_t *b);


#define ngx_group_str_eq(s, t)                                                \
    ((s)->len == (t)->len                                                     \
     && ((s)->len == 0 || ngx_memcmp((s)->data, (t)->data, (s)->len) == 0))

#define ngx_group_str_is(s, literal)                                          \
    ((s)->len == sizeof(literal) - 1                                          \
     && ngx_memcmp((s)->data, literal, sizeof(literal) - 1) == 0)

/* the same where the case of letters does not matter */

#define ngx_group_str_case_eq(s, t)                                           \
    ((s)->len == (t)->len                                                     \
     && ngx_strncasecmp((s)->data, (t)->data, (s)->len) == 0)

#define ngx_group_str_case_is(s, literal)                                     \
    ((s)->len == sizeof(literal) - 1                                          \
     && ngx_strncasecmp((s)->data, (u_char *) literal, sizeof(literal) - 1)   \
        == 0)


#endif /* _NGX_GROUP_VALUE_H_INCLUDED_ */
