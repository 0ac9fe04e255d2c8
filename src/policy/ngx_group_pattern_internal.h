
/*
 * What the matcher and Lua's functions share; nothing else includes this.
 */


#ifndef _NGX_GROUP_PATTERN_INTERNAL_H_INCLUDED_
#define _NGX_GROUP_PATTERN_INTERNAL_H_INCLUDED_


#include "ngx_group_pattern.h"


#define NGX_GROUP_PATTERN_CAPTURES  32

/* steps between two looks at the clock */
#define NGX_GROUP_PATTERN_STEPS     4096

/* the "len" of a capture that is not closed, and of one that is a position */
#define NGX_GROUP_PATTERN_OPEN      -1
#define NGX_GROUP_PATTERN_POSITION  -2


typedef struct {
    u_char                     *start;
    ssize_t                     len;
} ngx_group_pattern_capture_t;


typedef struct {
    lua_State                   *L;

    u_char                      *start;    /* of the subject */
    u_char                      *end;
    u_char                      *last;     /* of the pattern */

    ngx_uint_t                   depth;
    ssize_t                      steps;    /* left */

    ngx_uint_t                   n;
    ngx_group_pattern_capture_t  captures[NGX_GROUP_PATTERN_CAPTURES];
} ngx_group_pattern_t;


/*
 * Matches the pattern from "p" on at "s".  Returns the end of the match, with
 * m->captures set, or NULL.  It may throw.
 */
u_char *ngx_group_pattern_start(ngx_group_pattern_t *m, u_char *s, u_char *p);

/* so many steps were made: looks at the clock once in a while, may throw */
void ngx_group_pattern_step(ngx_group_pattern_t *m, size_t n);


#endif /* _NGX_GROUP_PATTERN_INTERNAL_H_INCLUDED_ */
