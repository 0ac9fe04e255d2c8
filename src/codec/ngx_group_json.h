
#ifndef _NGX_GROUP_JSON_H_INCLUDED_
#define _NGX_GROUP_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_limits.h"
#include "ngx_group_value.h"


/*
 * Bytes to value tree.  Refuses what RFC 8259 does not allow, and besides:
 * duplicate keys, more than NGX_GROUP_MAX_KEYS keys in an object, U+0000, lone
 * surrogates, invalid UTF-8, bytes after the value, depth and number of items
 * over the limits.  Numbers keep their text.
 *
 * NGX_OK, NGX_DECLINED with *error set to one sentence without a body excerpt,
 * or NGX_ERROR (no memory).  "in" must live as long as the tree.
 */
ngx_int_t ngx_group_json_decode(ngx_pool_t *pool, ngx_group_limits_t *limits,
    ngx_str_t *in, ngx_group_value_t **value, ngx_str_t *error);

/*
 * Value tree to bytes, compact, in one allocation of the exact size.
 * NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_json_encode(ngx_pool_t *pool, ngx_group_value_t *value,
    ngx_str_t *out);


#endif /* _NGX_GROUP_JSON_H_INCLUDED_ */
