
/*
 * What the plans share.  Each function returns what a plan's "next" does:
 * NGX_AGAIN with a round, NGX_OK, NGX_DECLINED with plan->error, NGX_ERROR.
 */


#ifndef _NGX_GROUP_PLAN_STEPS_H_INCLUDED_
#define _NGX_GROUP_PLAN_STEPS_H_INCLUDED_


#include "ngx_group_plan.h"


/* writes that somebody else's write undid before we give up */
#define NGX_GROUP_PLAN_TRIES  4


/* begins a new round */
void ngx_group_plan_round(ngx_group_plan_t *plan);

/*
 * Adds a call to the round.  NGX_OK; NGX_DECLINED: it would be one too many;
 * NGX_ERROR.
 */
ngx_int_t ngx_group_plan_step(ngx_group_plan_t *plan, ngx_uint_t operation,
    ngx_group_value_t *doc, ngx_group_value_t *query, ngx_uint_t main);

/* a round of one call, with what comes after it */
ngx_int_t ngx_group_plan_call(ngx_group_plan_t *plan, ngx_uint_t operation,
    ngx_group_value_t *doc, ngx_group_value_t *query, ngx_uint_t main,
    ngx_group_plan_pt next);

/* the one call of the last round */
ngx_group_step_t *ngx_group_plan_last(ngx_group_plan_t *plan);

/* the same when it succeeded; NULL, and its error is the plan's: DECLINED */
ngx_group_step_t *ngx_group_plan_answered(ngx_group_plan_t *plan);

/* moves what "from" says to "to", where it replaces what was said before */
void ngx_group_plan_merge(ngx_group_value_t *from, ngx_group_value_t *to);

/* a round of one call that writes the whole group */
ngx_int_t ngx_group_plan_put(ngx_group_plan_t *plan, ngx_group_value_t *group,
    ngx_uint_t main, ngx_group_plan_pt next);

/* ends with "not_supported": "the upstream API "x" <what> "<name>"" */
ngx_int_t ngx_group_plan_refuse(ngx_group_plan_t *plan, char *what,
    ngx_str_t *name);

/*
 * Whether there is room for so many calls more: what can be known before is
 * not begun.  NGX_OK; NGX_DECLINED with plan->error.
 */
ngx_int_t ngx_group_plan_room(ngx_group_plan_t *plan, ngx_uint_t calls);

/* {group_id, owner} and, when there is one, {member} */
ngx_group_value_t *ngx_group_plan_membership(ngx_group_plan_t *plan,
    ngx_group_value_t *member);

/* {id, owner} of the group */
ngx_group_value_t *ngx_group_plan_address(ngx_group_plan_t *plan);


/* ngx_group_plan_answer.c: what the upstream has, and what its answers lack */

ngx_int_t ngx_group_plan_direct(ngx_group_plan_t *plan);
ngx_int_t ngx_group_plan_delete(ngx_group_plan_t *plan);

/* plan->result is the group as the upstream told it: reads what it lacks */
ngx_int_t ngx_group_plan_complete(ngx_group_plan_t *plan);

/* the same after a change of it: reads all that the client's answer shows */
ngx_int_t ngx_group_plan_reread(ngx_group_plan_t *plan);

/* a membership as the upstream told it, with what only we know */
ngx_int_t ngx_group_plan_name(ngx_group_plan_t *plan,
    ngx_group_value_t *membership);


/* ngx_group_plan_members.c: members that go in calls of their own */

ngx_int_t ngx_group_plan_create_apart(ngx_group_plan_t *plan);
ngx_int_t ngx_group_plan_replace_apart(ngx_group_plan_t *plan);

/*
 * Writes the group, if there is one to be written, adds plan->adds, removes
 * plan->removes, and goes on with "after".
 */
ngx_int_t ngx_group_plan_write(ngx_group_plan_t *plan,
    ngx_group_value_t *group, ngx_group_plan_pt after);

/* the second half of it, from plan->add and plan->remove on */
ngx_int_t ngx_group_plan_move(ngx_group_plan_t *plan);


/* ngx_group_plan_undo.c */

/* puts back what is half done, and ends with what is plan->error by now */
ngx_int_t ngx_group_plan_undo(ngx_group_plan_t *plan);

/* that member could not be put back */
void ngx_group_plan_leave(ngx_group_plan_t *plan, ngx_group_step_t *step);


/* ngx_group_plan_pages.c: lists that are read page by page */

/*
 * Reads all memberships into plan->members, then plan->after.  When a plan is
 * undone and they cannot be read, plan->members is NULL.
 */
ngx_int_t ngx_group_plan_read_members(ngx_group_plan_t *plan,
    ngx_group_plan_pt after);

/*
 * The members of these memberships to the group, without those that the plan
 * has removed since.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_group_plan_people(ngx_group_plan_t *plan,
    ngx_group_value_t *group);

/*
 * Moves the items of an answer to a list, and turns the page: as
 * ngx_group_plan_turn(), which follows.
 */
ngx_int_t ngx_group_plan_take_page(ngx_group_plan_t *plan,
    ngx_group_step_t *step, ngx_group_value_t *to);

/*
 * The query of the next page of "op" into plan->page.  NGX_OK; NGX_DECLINED:
 * the answer, of "n" items, was the last; NGX_ERROR.
 */
ngx_int_t ngx_group_plan_turn(ngx_group_plan_t *plan, ngx_group_op_t *op,
    ngx_group_value_t *answer, ngx_uint_t n);

/* the query of the first page, as long as the upstream allows */
ngx_int_t ngx_group_plan_first(ngx_group_plan_t *plan, ngx_group_op_t *op);

/* sets a number in plan->page.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_plan_number(ngx_group_plan_t *plan,
    ngx_group_value_t *object, char *name, int64_t n);


/* ngx_group_plan_write.c: writes that must keep what the client cannot say */

ngx_int_t ngx_group_plan_keep(ngx_group_plan_t *plan);

/* whether a replacement has to */
ngx_uint_t ngx_group_plan_keeps(ngx_group_plan_t *plan);

/* a change of some of a group */
ngx_int_t ngx_group_plan_modify(ngx_group_plan_t *plan);


/* ngx_group_plan_list.c: lists that the upstream cannot be asked for as such */

/*
 * The page that the client wants of plan->items, which are all of them; in the
 * form of a plan's "next".
 */
ngx_int_t ngx_group_plan_cut(ngx_group_plan_t *plan);

/* NGX_OK; NGX_DECLINED with plan->error; NGX_ERROR */
ngx_int_t ngx_group_plan_choose_list(ngx_group_plan_t *plan);


/* ngx_group_plan_fill.c: the members of listed groups */

/*
 * Reads them, from plan->item on, where they are wanted and not told; in the
 * form of a plan's "next".
 */
ngx_int_t ngx_group_plan_fill(ngx_group_plan_t *plan);


/* ngx_group_plan_change.c: members of groups that are only written whole */

ngx_int_t ngx_group_plan_add_inside(ngx_group_plan_t *plan);
ngx_int_t ngx_group_plan_remove_inside(ngx_group_plan_t *plan);
ngx_int_t ngx_group_plan_list_inside(ngx_group_plan_t *plan);
ngx_int_t ngx_group_plan_get_inside(ngx_group_plan_t *plan);

/* the membership that has the member of plan->doc, found in a list */
ngx_int_t ngx_group_plan_find(ngx_group_plan_t *plan,
    ngx_group_plan_pt after);


/* the text of a member of an object, or an empty one */
ngx_str_t *ngx_group_plan_text(ngx_group_value_t *object, char *name);

ngx_group_value_t *ngx_group_plan_get(ngx_group_value_t *object, char *name);

/* NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_plan_set(ngx_group_plan_t *plan,
    ngx_group_value_t *object, char *name, ngx_str_t *text);

/* the member of that id in a list of members or of memberships, or NULL */
ngx_group_value_t *ngx_group_plan_has(ngx_group_value_t *list, ngx_str_t *id);


#endif /* _NGX_GROUP_PLAN_STEPS_H_INCLUDED_ */
