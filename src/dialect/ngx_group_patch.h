
/*
 * A SCIM PatchOp (RFC 7644, 3.5.2), in the shapes that identity providers
 * send, to a change of a canonical group that is of no vendor:
 *
 *   {
 *     set = { name = "Sales", external_id = "42" },
 *     unset = { "external_id" },
 *     members = {
 *       { op = "clear" },
 *       { op = "add", member = { id = "7", name = "Bob" } },
 *       { op = "remove", member = { id = "8" } }
 *     }
 *   }
 *
 * decode() makes all three, empty ones too; a name is in "set" or in "unset",
 * never in both.  "members" is in the order in which it was asked; to replace
 * the members is a "clear" with "add"s after it, and nothing that stands before
 * a "clear" is kept.  Whoever changes a change, such as a hook, may leave any
 * of them out; what is not as above is passed over.
 */


#ifndef _NGX_GROUP_PATCH_H_INCLUDED_
#define _NGX_GROUP_PATCH_H_INCLUDED_


#include "ngx_group_dialect.h"


/* of one body; what all of them say about members is bounded by the body */
#define NGX_GROUP_PATCH_OPERATIONS  1000


/*
 * "names" is of ngx_keyval_t, the vendor's attribute and the canonical one, or
 * NULL: displayName is name, externalId is external_id.  "members", "id",
 * "meta" and "schemas" mean what they mean in SCIM, whether or not they are
 * among them.
 *
 * NGX_OK with *change, or with t->error set and *change NULL: the outcome is
 * "invalid", the code SCIM's word ("invalidSyntax", "invalidPath",
 * "invalidFilter", "invalidValue", "noTarget", "mutability", "tooMany"), the
 * detail a sentence; NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_patch_decode(ngx_group_translation_t *t,
    ngx_array_t *names, ngx_group_value_t *body, ngx_group_value_t **change);

/*
 * Changes a canonical group in place.  A member that is there already stays as
 * it is, one that is not there is removed all the same.  Where the change says
 * nothing of members the group's are not touched; else absent ones are none.
 * "member_count" goes with them.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_patch_apply(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *group);

/*
 * What is to be added to and removed from "members", the current ones (ARRAY
 * of members), so that the change is made: two ARRAYs of members, each id once.
 * With NULL, nothing is known of the members: all that the change adds or
 * removes in the end is named; after a "clear" the result is then not whole.
 * NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_patch_members(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *members, ngx_group_value_t **add,
    ngx_group_value_t **remove);

/* whether the current members must be known: there is a "clear" */
ngx_uint_t ngx_group_patch_needs_members(ngx_group_value_t *change);

/* whether anything but members changes */
ngx_uint_t ngx_group_patch_sets(ngx_group_value_t *change);


#endif /* _NGX_GROUP_PATCH_H_INCLUDED_ */
