
#ifndef _NGX_GROUP_POOL_H_INCLUDED_
#define _NGX_GROUP_POOL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The pool for what a body of "len" bytes becomes: "pool" itself, or one that
 * goes with it.  A small allocation asks up to six full blocks before the one
 * that has room, so many small ones are better off in larger blocks.  NULL when
 * there is no memory.
 */
ngx_pool_t *ngx_group_pool(ngx_pool_t *pool, size_t len);


#endif /* _NGX_GROUP_POOL_H_INCLUDED_ */
