
/*
 * What was changed only in part is put back: a group that was made is deleted,
 * members that were added are removed, those that were removed are added, and
 * the fields are written as they were.  What the upstream has of the members is
 * read first: a call that failed may have been made all the same, and a
 * membership may have an id that only a list tells.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"


/* of the text that says what could not be put back */
#define NGX_GROUP_PLAN_LEFT  256


static ngx_int_t ngx_group_plan_deleted_again(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_undo_members(ngx_group_plan_t *plan);
static void ngx_group_plan_differs(ngx_group_plan_t *plan,
    ngx_group_value_t *list, ngx_group_value_t *next,
    ngx_group_value_t *found, ngx_group_value_t *to);
static ngx_int_t ngx_group_plan_undo_fields(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_fields_undone(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_undone(ngx_group_plan_t *plan);
static void ngx_group_plan_left(ngx_group_plan_t *plan, ngx_str_t *member,
    char *what);


ngx_int_t
ngx_group_plan_abandon(ngx_group_plan_t *plan)
{
    if (!plan->begun || plan->undoing) {
        return NGX_ERROR;
    }

    ngx_group_error_set(&plan->error, NGX_GROUP_INTERNAL, "memory",
                        "there is no memory for this");

    return ngx_group_plan_undo(plan);
}


ngx_int_t
ngx_group_plan_undo(ngx_group_plan_t *plan)
{
    ngx_uint_t  moved;

    moved = (plan->op->operation != NGX_GROUP_GROUP_CREATE
             && (plan->add != plan->adds->u.items.first
                 || plan->remove != plan->removes->u.items.first));

    if (plan->op->operation != NGX_GROUP_GROUP_CREATE && !moved && !plan->put)
    {
        return NGX_DECLINED;
    }

    /* the undoing is not counted, and never late: it must be done */

    plan->undoing = 1;
    plan->cause = plan->error;

    if (plan->op->operation == NGX_GROUP_GROUP_CREATE) {
        return ngx_group_plan_call(plan, NGX_GROUP_GROUP_DELETE,
                                   ngx_group_plan_address(plan), NULL, 0,
                                   ngx_group_plan_deleted_again);
    }

    if (!moved) {
        return ngx_group_plan_undo_fields(plan);
    }

    return ngx_group_plan_read_members(plan, ngx_group_plan_undo_members);
}


static ngx_int_t
ngx_group_plan_deleted_again(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_last(plan);

    if (step->error.outcome != NGX_GROUP_DONE
        && step->error.outcome != NGX_GROUP_NOT_FOUND)
    {
        plan->orphan = plan->group_id;
    }

    return ngx_group_plan_undone(plan);
}


/* only what this plan tried to move is moved back, and only if it has to be */

static ngx_int_t
ngx_group_plan_undo_members(ngx_group_plan_t *plan)
{
    ngx_group_value_t  *adds, *removes;

    if (plan->members == NULL) {

        /* nothing is left of a group that is gone */

        if (plan->error.outcome == NGX_GROUP_NOT_FOUND) {
            return ngx_group_plan_undone(plan);
        }

        ngx_group_plan_left(plan, NULL, "members perhaps changed");

        return ngx_group_plan_undo_fields(plan);
    }

    adds = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    removes = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);

    if (adds == NULL || removes == NULL) {
        return NGX_ERROR;
    }

    ngx_group_plan_differs(plan, plan->removes, plan->remove, NULL, adds);
    ngx_group_plan_differs(plan, plan->adds, plan->add, plan->members,
                           removes);

    plan->adds = adds;
    plan->removes = removes;
    plan->add = adds->u.items.first;
    plan->remove = removes->u.items.first;
    plan->after = ngx_group_plan_undo_fields;

    return ngx_group_plan_move(plan);
}


/*
 * Moves members of "list" that stand before "next" to another list: with
 * "found" those that are there, else those that the group lacks.
 */

static void
ngx_group_plan_differs(ngx_group_plan_t *plan, ngx_group_value_t *list,
    ngx_group_value_t *next, ngx_group_value_t *found, ngx_group_value_t *to)
{
    ngx_uint_t          has;
    ngx_group_value_t  *v, *rest;

    for (v = list->u.items.first; v != next; v = rest) {
        rest = v->next;

        has = (ngx_group_plan_has(plan->members, ngx_group_plan_text(v, "id"))
               != NULL);

        if (found ? has : !has) {
            ngx_group_value_push(to, v);
        }
    }
}


static ngx_int_t
ngx_group_plan_undo_fields(ngx_group_plan_t *plan)
{
    if (!plan->put) {
        return ngx_group_plan_undone(plan);
    }

    if (plan->before == NULL) {
        ngx_group_plan_left(plan, NULL, "fields changed");
        return ngx_group_plan_undone(plan);
    }

    return ngx_group_plan_put(plan, plan->before, 0,
                              ngx_group_plan_fields_undone);
}


static ngx_int_t
ngx_group_plan_fields_undone(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_last(plan);

    if (step->error.outcome != NGX_GROUP_DONE
        && step->error.outcome != NGX_GROUP_NOT_FOUND)
    {
        ngx_group_plan_left(plan, NULL, "fields perhaps changed");
    }

    return ngx_group_plan_undone(plan);
}


/* the error is that of what failed first, and says what is left of it */

static ngx_int_t
ngx_group_plan_undone(ngx_group_plan_t *plan)
{
    char       *what;
    u_char     *p;
    size_t      len;
    ngx_str_t  *why;

    plan->error = plan->cause;

    if (plan->orphan.len == 0) {
        return NGX_DECLINED;
    }

    what = (plan->op->operation == NGX_GROUP_GROUP_CREATE)
           ? "made upstream and could not be removed"
           : "changed upstream and could not be put back";

    why = &plan->error.detail;
    len = why->len + sizeof("; the group \"\" was ") + plan->orphan.len
          + ngx_strlen(what);

    p = ngx_pnalloc(plan->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plan->error.detail.len = ngx_sprintf(p, "%V; the group \"%V\" was %s", why,
                                         &plan->orphan, what)
                             - p;
    plan->error.detail.data = p;

    return NGX_DECLINED;
}


void
ngx_group_plan_leave(ngx_group_plan_t *plan, ngx_group_step_t *step)
{
    ngx_group_plan_left(plan,
                        ngx_group_plan_text(ngx_group_plan_get(step->doc,
                                                               "member"),
                                            "id"),
                        step->op->operation == NGX_GROUP_MEMBER_ADD
                        ? "removed" : "added");
}


/* as much of it as there is room for */

static void
ngx_group_plan_left(ngx_group_plan_t *plan, ngx_str_t *member, char *what)
{
    u_char  *p, *last;

    plan->orphan = plan->group_id;

    if (plan->left.data == NULL) {
        plan->left.data = ngx_pnalloc(plan->pool, NGX_GROUP_PLAN_LEFT);
        if (plan->left.data == NULL) {
            return;
        }
    }

    p = plan->left.data + plan->left.len;
    last = plan->left.data + NGX_GROUP_PLAN_LEFT;

    if (plan->left.len) {
        p = ngx_slprintf(p, last, ", ");
    }

    p = member ? ngx_slprintf(p, last, "\"%V\" %s", member, what)
               : ngx_slprintf(p, last, "%s", what);

    plan->left.len = p - plan->left.data;
}
