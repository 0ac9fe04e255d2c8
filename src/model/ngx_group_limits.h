
#ifndef _NGX_GROUP_LIMITS_H_INCLUDED_
#define _NGX_GROUP_LIMITS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* an object's keys are compared with each other, so their number is bounded */
#define NGX_GROUP_MAX_KEYS          256

/* problems named in one answer: enough to be useful, bounded for the answer */
#define NGX_GROUP_MAX_PROBLEMS      64


typedef struct {
    ngx_uint_t  max_depth;      /* nesting of arrays and objects */
    ngx_uint_t  max_items;      /* of one array, or one XML element */
} ngx_group_limits_t;


#endif /* _NGX_GROUP_LIMITS_H_INCLUDED_ */
