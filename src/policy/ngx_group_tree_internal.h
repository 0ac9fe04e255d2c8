
/*
 * What the two ways between trees and tables share; nothing else includes this.
 */


#ifndef _NGX_GROUP_TREE_INTERNAL_H_INCLUDED_
#define _NGX_GROUP_TREE_INTERNAL_H_INCLUDED_


#include "ngx_group_tree.h"


/* nested tables of one object that are made when they are asked for */
#define NGX_GROUP_TREE_LAZY  64


/* a table whose nested tables are not all made yet */

typedef struct {
    ngx_group_value_t  *value;
    uint64_t            pending;   /* bits: the items of "value" */
    ngx_uint_t          pull;      /* the last one that copied these */
} ngx_group_tree_root_t;


/* of the table at "index"; NULL when that is another table, or none */
ngx_group_tree_root_t *ngx_group_tree_root(lua_State *L, int index);

/*
 * What the table at "index" was made of: a ngx_group_tree_root_t when it is a
 * root, else a ngx_group_value_t; NULL: a script made it.
 */
void *ngx_group_tree_origin(lua_State *L, int index);

/* whether the text of a NUMBER can be a Lua number, which is *n then */
ngx_uint_t ngx_group_tree_number(lua_State *L, ngx_group_value_t *value,
    lua_Number *n);


#endif /* _NGX_GROUP_TREE_INTERNAL_H_INCLUDED_ */
