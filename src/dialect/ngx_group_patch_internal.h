
/*
 * What the files of PatchOps share; nothing else includes this.
 */


#ifndef _NGX_GROUP_PATCH_INTERNAL_H_INCLUDED_
#define _NGX_GROUP_PATCH_INTERNAL_H_INCLUDED_


#include "ngx_group_patch.h"


typedef enum {
    NGX_GROUP_PATCH_ADD = 0,
    NGX_GROUP_PATCH_REMOVE,
    NGX_GROUP_PATCH_REPLACE,
    NGX_GROUP_PATCH_CLEAR,
    NGX_GROUP_PATCH_NONE
} ngx_group_patch_op_e;


typedef struct {
    ngx_group_translation_t  *t;
    ngx_array_t              *names;
    ngx_uint_t                n;          /* the operation, from 1 */
    ngx_group_patch_op_e      op;
    ngx_group_value_t        *set;
    ngx_group_value_t        *unset;
    ngx_group_value_t        *members;
} ngx_group_patch_t;


/*
 * ngx_group_patch_decode_members.c.  "path" is all of it, for a sentence.
 * These: NGX_OK, NGX_DECLINED (t->error is set), or NGX_ERROR (no memory).
 */

/* "members", with a "value" that may be NULL */
ngx_int_t ngx_group_patch_list(ngx_group_patch_t *p,
    ngx_group_value_t *value);

/* "members[...", with "pos" after the bracket */
ngx_int_t ngx_group_patch_select(ngx_group_patch_t *p, ngx_str_t *path,
    u_char *pos);

/* "members.name" */
ngx_int_t ngx_group_patch_part(ngx_group_patch_t *p, ngx_str_t *path,
    ngx_str_t *name);


/* ngx_group_patch_decode.c */

/* by ngx_group_patch_op_e */
extern ngx_str_t  ngx_group_patch_ops[];

/* the first byte from "pos" on that is no space, or "last" */
u_char *ngx_group_patch_space(u_char *pos, u_char *last);

/* the member of a client's object, or NULL */
ngx_group_value_t *ngx_group_patch_find(ngx_group_value_t *object,
    char *name);

/*
 * Sets t->error to "invalid", with that code.  "%*s" in "sentence" is for
 * "shown", or "shown" is NULL.  NGX_DECLINED or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_patch_error(ngx_group_patch_t *p, char *code,
    char *sentence, ngx_str_t *shown);


#endif /* _NGX_GROUP_PATCH_INTERNAL_H_INCLUDED_ */
