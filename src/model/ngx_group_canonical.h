
/*
 * The canonical model: the names that dialects map to and hooks see.
 */


#ifndef _NGX_GROUP_CANONICAL_H_INCLUDED_
#define _NGX_GROUP_CANONICAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_value.h"


typedef enum {
    NGX_GROUP_GROUP_CREATE = 0,
    NGX_GROUP_GROUP_LIST,
    NGX_GROUP_GROUP_GET,
    NGX_GROUP_GROUP_REPLACE,
    NGX_GROUP_GROUP_MODIFY,
    NGX_GROUP_GROUP_DELETE,
    NGX_GROUP_MEMBER_ADD,
    NGX_GROUP_MEMBER_LIST,
    NGX_GROUP_MEMBER_GET,
    NGX_GROUP_MEMBER_REMOVE,
    NGX_GROUP_OPERATIONS
} ngx_group_operation_e;


/* what only the vendor itself has, read by clients of its own dialect */
#define NGX_GROUP_VENDOR_READ  NGX_GROUP_OPERATIONS


/* what a canonical tree is of */

typedef enum {
    NGX_GROUP_OF_GROUP = 0,
    NGX_GROUP_OF_MEMBER,          /* an item of "members" */
    NGX_GROUP_OF_MEMBERSHIP,
    NGX_GROUP_OF_CALLER_ID,       /* an item of "outbound_caller_ids" */
    NGX_GROUP_OF_GROUP_LIST,      /* {items, total, next, ...} */
    NGX_GROUP_OF_MEMBERSHIP_LIST,
    NGX_GROUP_OF_QUERY,
    NGX_GROUP_OF_NOTHING
} ngx_group_of_e;


typedef struct {
    ngx_str_t         name;
    ngx_group_type_e  type;
    ngx_group_of_e    of;         /* of an OBJECT, or of an ARRAY's items */
} ngx_group_canonical_t;


ngx_str_t *ngx_group_operation_name(ngx_uint_t operation);

/* NGX_GROUP_OPERATIONS when there is none of that name */
ngx_uint_t ngx_group_operation_find(ngx_str_t *name);

/* what the trees of an operation's request and of its answer are of */
ngx_group_of_e ngx_group_operation_request_of(ngx_uint_t operation);
ngx_group_of_e ngx_group_operation_response_of(ngx_uint_t operation);

/* the name of a group's field by its number, NULL after the last */
ngx_str_t *ngx_group_canonical_name(ngx_uint_t n);

/* the field of that name, or NULL */
ngx_group_canonical_t *ngx_group_canonical_find(ngx_group_of_e of,
    ngx_str_t *name);


#endif /* _NGX_GROUP_CANONICAL_H_INCLUDED_ */
