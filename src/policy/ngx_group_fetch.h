
/*
 * ctx:fetch() and ctx:fetch_all(): a hook asks other locations of the server
 * and waits for what they answer.
 */


#ifndef _NGX_GROUP_FETCH_H_INCLUDED_
#define _NGX_GROUP_FETCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_context.h"
#include "ngx_group_lua.h"
#include "ngx_group_policy.h"


/* of one hook, and of one call of fetch_all() */
#define NGX_GROUP_FETCH_MAX      32

/* ms, and bytes of an answer, when the hook does not say */
#define NGX_GROUP_FETCH_TIMEOUT  5000
#define NGX_GROUP_FETCH_SIZE     65536

/* the most that it may say */
#define NGX_GROUP_FETCH_LONGEST  60000
#define NGX_GROUP_FETCH_LARGEST  (8 * 1024 * 1024)

/* headers of one request, and the length of a URI, a name or a value */
#define NGX_GROUP_FETCH_HEADERS  32
#define NGX_GROUP_FETCH_TEXT     8192


/* functions of "ctx", which leave context->fetches and yield */
int ngx_group_fetch(lua_State *L);
int ngx_group_fetch_all(lua_State *L);

/* pushes what they return, and returns the number of values */
int ngx_group_fetch_results(lua_State *L, ngx_group_context_t *context);


#endif /* _NGX_GROUP_FETCH_H_INCLUDED_ */
