
/*
 * Filters and orderings of lists: from a vendor's syntax to one neutral tree,
 * evaluated here where an upstream cannot.
 *
 * A filter is a tree of objects, so that hooks see tables:
 *
 *   { op = "and" | "or", args = [ filter, ... ] }        one or more
 *   { op = "not", args = [ filter ] }
 *   { op = "eq" | "ne" | "gt" | "ge" | "lt" | "le",
 *     field = "name", value = ..., exact = true | false }
 *   { op = "contains" | "starts" | "ends",
 *     field = "name", value = "text", exact = true | false }
 *   { op = "present", field = "description" }
 *   { op = "member", value = "id of a member" }
 *
 * Fields are canonical ("ext.acme.colour" is taken apart where it stops to be
 * a key).  A value is a string, a number, a boolean or null; there is no order
 * of booleans and nulls.  "exact" tells that case matters, which it does when
 * "exact" is absent; it is true where the value is no string.
 *
 * What they mean: a field that is absent or null fails each comparison but
 * "ne", and "eq null", which is true of nothing else; values of different
 * types are not equal and have no order.  Case is that of ASCII letters, other
 * bytes are compared as they are; so are timestamps, which is their order in
 * time where all are UTC and as precise.  Numbers are compared as numbers, of
 * any length.  "present" is true of what is neither absent, null, nor empty.
 * "member" compares exactly.
 *
 * What SCIM does not compare exactly (caseExact): all but id, external_id,
 * owner, created_at, updated_at and the ids of members.  In OData each
 * comparison is exact.
 */


#ifndef _NGX_GROUP_FILTER_H_INCLUDED_
#define _NGX_GROUP_FILTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_value.h"


#define NGX_GROUP_FILTER_SCIM       0
#define NGX_GROUP_FILTER_ODATA      1

/* of a text, read or written, in bytes */
#define NGX_GROUP_FILTER_MAX_LEN    16384

/* of parentheses in a text, and of a tree; what recursion is bounded by */
#define NGX_GROUP_FILTER_MAX_DEPTH  32

/* objects with an "op" in one tree */
#define NGX_GROUP_FILTER_MAX_NODES  256

/* fields that one list is ordered by */
#define NGX_GROUP_ORDER_MAX         16


/*
 * Reads a filter.  "names" (of ngx_keyval_t, or NULL) are the attributes that
 * a filter may speak of: the vendor's name (SCIM's "meta.created" is one) and
 * the canonical one.  What maps to "members" is asked for by id: in SCIM
 * members[value eq "x"], members.value eq "x" and members eq "x".
 *
 * NGX_OK; NGX_DECLINED with *why set to one sentence; NGX_ERROR (no memory).
 * The tree may point into "text" and "names", which must live as long.
 */
ngx_int_t ngx_group_filter_parse(ngx_pool_t *pool, ngx_uint_t syntax,
    ngx_array_t *names, ngx_str_t *text, ngx_group_value_t **filter,
    ngx_str_t *why);

/*
 * Whether a tree is a filter within the limits: for those that were not made
 * by ngx_group_filter_parse(), or that a hook has changed since.  NGX_OK, or
 * NGX_DECLINED with *why set to a constant sentence.
 */
ngx_int_t ngx_group_filter_check(ngx_group_value_t *filter, ngx_str_t *why);

/*
 * The ids in a filter from the client's forms to the upstream's, in place, as
 * ngx_group_id_decode() does.  NGX_OK; NGX_DECLINED with *why set when an id
 * that has to be converted is not compared with "eq" or "ne"; NGX_ERROR (no
 * memory, or no filter).
 */
ngx_int_t ngx_group_filter_ids(ngx_pool_t *pool, ngx_group_value_t *filter,
    ngx_uint_t client_id, ngx_uint_t upstream_id, ngx_uint_t client_member_id,
    ngx_uint_t upstream_member_id, ngx_str_t *why);

/*
 * Whether a canonical group is what the filter asks for.  "member" looks at
 * the group's "members": they must be there, all of them.  NGX_OK, or
 * NGX_DECLINED: it is not; NGX_ERROR: a part that was looked at is no filter.
 * Needs no memory.
 */
ngx_int_t ngx_group_filter_match(ngx_group_value_t *filter,
    ngx_group_value_t *group);

/*
 * Whether the filter speaks of the canonical field ("members" for "member"):
 * 1 or 0.  What has to be known of a group before it can be matched.
 */
ngx_uint_t ngx_group_filter_uses(ngx_group_value_t *filter, ngx_str_t *field);

/*
 * Writes a filter so that ngx_group_filter_parse() reads the same again, but
 * for "and" and "or" of one, which are read as that one.  In OData only what
 * PortSIP documents is written: no "not" (which is read), no "present".
 *
 * NGX_OK; NGX_DECLINED when the syntax or the names cannot express it exactly,
 * or the text were too long, or the tree is no filter; NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_filter_write(ngx_pool_t *pool, ngx_uint_t syntax,
    ngx_array_t *names, ngx_group_value_t *filter, ngx_str_t *text);

/*
 * A text that "field" of each group that matches contains for sure, so that an
 * upstream with nothing but a search can be asked for less: the longest one
 * that "eq", "contains", "starts" or "ends" at the top or under "and" give.
 * When *exact becomes 0, only its letters are sure and not their case: no help
 * where the search minds the case.  NGX_OK, or NGX_DECLINED: there is none.
 */
ngx_int_t ngx_group_filter_hint(ngx_group_value_t *filter, ngx_str_t *field,
    ngx_str_t *text, ngx_uint_t *exact);


/*
 * An ordering is an array of { field, descending, absent_first }, the first
 * field counts most.
 *
 * OData: "by" is "name asc, description desc", "direction" is not looked at.
 * SCIM: "by" is sortBy, "direction" is sortOrder or NULL (ascending).
 * An empty "by" gives an empty array: the order stays as it is.
 *
 * NGX_OK; NGX_DECLINED with *why set to one sentence; NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_order_parse(ngx_pool_t *pool, ngx_uint_t syntax,
    ngx_array_t *names, ngx_str_t *by, ngx_str_t *direction,
    ngx_group_value_t **order, ngx_str_t *why);

/*
 * Sorts an array of canonical groups, in place: groups that are equal stay in
 * their order, case is not minded, numbers come before texts.  What is absent,
 * null, an array or an object comes last; but first in SCIM when descending,
 * as RFC 7644 has it (3.4.2.3).  Needs no memory.
 */
void ngx_group_order_sort(ngx_group_value_t *order, ngx_group_value_t *list);


#endif /* _NGX_GROUP_FILTER_H_INCLUDED_ */
