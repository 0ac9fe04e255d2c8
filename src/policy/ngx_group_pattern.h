
/*
 * Lua's patterns, with a matcher that looks at the clock: "(.-)(.-)(.-)b" on a
 * long subject ends with the run's time limit instead of stopping the worker.
 * Classes are those of ASCII, and a NUL in a pattern is nothing special.
 */


#ifndef _NGX_GROUP_PATTERN_H_INCLUDED_
#define _NGX_GROUP_PATTERN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_lua.h"


/* sets find, match, gmatch and gsub in the table on top of the stack */
void ngx_group_pattern_open(lua_State *L);


#endif /* _NGX_GROUP_PATTERN_H_INCLUDED_ */
