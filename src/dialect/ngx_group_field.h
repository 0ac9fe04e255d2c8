
/*
 * What decoding and encoding share: where we are, and whether a value is as
 * its field says.
 */


#ifndef _NGX_GROUP_FIELD_H_INCLUDED_
#define _NGX_GROUP_FIELD_H_INCLUDED_


#include "ngx_group_dialect.h"


/* the way from the root to a value, innermost first */

typedef struct ngx_group_at_s  ngx_group_at_t;

struct ngx_group_at_s {
    ngx_group_at_t  *parent;
    ngx_str_t       *name;     /* of a field; NULL: an item of an array */
    ngx_uint_t       index;
};


/*
 * Adds a problem with "field", which stands in "at".  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_group_field_problem(ngx_group_translation_t *t,
    ngx_group_at_t *at, ngx_group_field_t *field, char *code, int64_t limit);

/* "sticky_sender" in prose, "Sticky sender".  NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_field_label(ngx_pool_t *pool, ngx_str_t *name,
    ngx_str_t *label);

/*
 * Checks a scalar in canonical form against its field: type always; length,
 * range and form in requests.  NGX_OK, NGX_DECLINED with a problem added, or
 * NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_field_check(ngx_group_translation_t *t,
    ngx_group_at_t *at, ngx_group_field_t *field, ngx_group_value_t *value);

/* an integer out of range becomes the limit.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_field_clamp(ngx_pool_t *pool, ngx_group_field_t *field,
    ngx_group_value_t **value);

/* a number that counts from another one.  NULL when there is no memory */
ngx_group_value_t *ngx_group_field_shift(ngx_pool_t *pool,
    ngx_group_value_t *value, int64_t by);

/* the number of items of an array against its field, the same contract */
ngx_int_t ngx_group_field_count(ngx_group_translation_t *t,
    ngx_group_at_t *at, ngx_group_field_t *field, ngx_uint_t n);

ngx_uint_t ngx_group_is_uuid(ngx_str_t *text);

/* what can be one segment of a path, here and upstream */
ngx_uint_t ngx_group_is_segment(ngx_str_t *text);

/* the "/" after the name of a container that stands before an id, or NULL */
u_char *ngx_group_field_owner(ngx_str_t *id);

/* canonical member at a field's path, or NULL; JSON null counts as absent */
ngx_group_value_t *ngx_group_field_get(ngx_group_field_t *field,
    ngx_group_value_t *object);

/* puts it there, making the objects between.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_field_set(ngx_pool_t *pool, ngx_group_field_t *field,
    ngx_group_value_t *object, ngx_group_value_t *value);


#endif /* _NGX_GROUP_FIELD_H_INCLUDED_ */
