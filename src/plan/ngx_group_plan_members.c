
/*
 * Members that go in calls of their own: the upstream has member operations,
 * and its groups are written without them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"


static ngx_int_t ngx_group_plan_created(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_replace(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_replaced(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_written(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_move_one(ngx_group_plan_t *plan,
    ngx_uint_t operation, ngx_group_value_t *member);
static ngx_int_t ngx_group_plan_moved(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_member_error(ngx_group_plan_t *plan,
    ngx_group_step_t *step);


/* create, then add each */

ngx_int_t
ngx_group_plan_create_apart(ngx_group_plan_t *plan)
{
    plan->adds = ngx_group_plan_get(plan->doc, "members");

    if (ngx_group_plan_room(plan, 1 + plan->adds->n) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_CREATE, plan->doc, NULL,
                               1, ngx_group_plan_created);
}


static ngx_int_t
ngx_group_plan_created(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    plan->result = step->answer;
    plan->group_id = *ngx_group_plan_text(plan->result, "id");

    if (plan->group_id.len == 0) {
        ngx_group_error_set(&plan->error, NGX_GROUP_BAD_GATEWAY, "answer",
                            "the upstream did not tell the new group's id");
        return NGX_DECLINED;
    }

    plan->begun = 1;
    plan->add = plan->adds->u.items.first;
    plan->after = ngx_group_plan_complete;

    return ngx_group_plan_move(plan);
}


/* read, write, add and remove the difference */

ngx_int_t
ngx_group_plan_replace_apart(ngx_group_plan_t *plan)
{
    return ngx_group_plan_read_members(plan, ngx_group_plan_replace);
}


static ngx_int_t
ngx_group_plan_replace(ngx_group_plan_t *plan)
{
    ngx_str_t          *id;
    ngx_group_value_t  *wanted, *v, *member, *copy;

    plan->adds = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    plan->removes = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);

    if (plan->adds == NULL || plan->removes == NULL) {
        return NGX_ERROR;
    }

    wanted = ngx_group_plan_get(plan->doc, "members");

    for (v = wanted->u.items.first; v; v = v->next) {
        id = ngx_group_plan_text(v, "id");

        if (ngx_group_plan_has(plan->members, id)
            || ngx_group_plan_has(plan->adds, id))
        {
            continue;
        }

        copy = ngx_group_value_copy(plan->pool, v);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_push(plan->adds, copy);
    }

    for (v = plan->members->u.items.first; v; v = v->next) {
        member = ngx_group_plan_get(v, "member");

        if (member == NULL
            || ngx_group_plan_has(wanted, ngx_group_plan_text(member, "id")))
        {
            continue;
        }

        copy = ngx_group_value_copy(plan->pool, member);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        ngx_str_null(&copy->key);
        ngx_group_value_push(plan->removes, copy);
    }

    return ngx_group_plan_write(plan, plan->doc, ngx_group_plan_replaced);
}


static ngx_int_t
ngx_group_plan_replaced(ngx_group_plan_t *plan)
{
    plan->members = NULL;

    return ngx_group_plan_complete(plan);
}


ngx_int_t
ngx_group_plan_write(ngx_group_plan_t *plan, ngx_group_value_t *group,
    ngx_group_plan_pt after)
{
    ngx_uint_t  n;

    n = plan->adds->n + plan->removes->n;

    plan->add = plan->adds->u.items.first;
    plan->remove = plan->removes->u.items.first;
    plan->after = after;

    if (ngx_group_plan_room(plan, n + (group != NULL)) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* a change of one call is made as a whole, or not at all */

    plan->begun = (n != 0);

    if (group == NULL) {
        return ngx_group_plan_move(plan);
    }

    plan->put = 1;

    return ngx_group_plan_put(plan, group, 1, ngx_group_plan_written);
}


static ngx_int_t
ngx_group_plan_written(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {

        switch (plan->error.outcome) {

        case NGX_GROUP_INTERNAL:
        case NGX_GROUP_BAD_GATEWAY:
        case NGX_GROUP_TIMEOUT:
            /* it may have been written all the same */
            return plan->begun ? ngx_group_plan_undo(plan) : NGX_DECLINED;

        default:
            return NGX_DECLINED;
        }
    }

    if (plan->op->operation == NGX_GROUP_GROUP_REPLACE) {
        plan->result = step->answer;

    } else {
        ngx_group_plan_merge(step->answer, plan->result);
    }

    return ngx_group_plan_move(plan);
}


/* some at a time */

ngx_int_t
ngx_group_plan_move(ngx_group_plan_t *plan)
{
    ngx_int_t            rc;
    ngx_uint_t           operation;
    ngx_group_value_t  **list, *v;

    ngx_group_plan_round(plan);

    list = plan->add ? &plan->add : &plan->remove;
    operation = plan->add ? NGX_GROUP_MEMBER_ADD : NGX_GROUP_MEMBER_REMOVE;

    for (v = *list; v && plan->round.nelts < plan->concurrency; v = v->next) {

        rc = ngx_group_plan_move_one(plan, operation, v);

        if (rc == NGX_DECLINED) {
            return ngx_group_plan_undo(plan);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    /* none of them was tried before all are in the round */

    *list = v;

    if (plan->round.nelts == 0) {

        /* what is only read from now on is not refused */

        plan->closing = 1;

        return plan->after(plan);
    }

    plan->next = ngx_group_plan_moved;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_group_plan_move_one(ngx_group_plan_t *plan, ngx_uint_t operation,
    ngx_group_value_t *member)
{
    ngx_str_t          *id;
    ngx_group_value_t  *doc, *membership;

    doc = ngx_group_plan_membership(plan, member);
    if (doc == NULL) {
        return NGX_ERROR;
    }

    if (operation == NGX_GROUP_MEMBER_REMOVE) {

        membership = ngx_group_plan_has(plan->members,
                                        ngx_group_plan_text(member, "id"));
        id = ngx_group_plan_text(membership, "id");

        if (id->len && ngx_group_plan_set(plan, doc, "id", id) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_group_plan_step(plan, operation, doc, NULL, 0);
}


static ngx_int_t
ngx_group_plan_moved(ngx_group_plan_t *plan)
{
    ngx_uint_t          i;
    ngx_group_step_t  **step;

    step = plan->round.elts;

    for (i = 0; i < plan->round.nelts; i++) {

        /* somebody else's removal is as good */

        if (step[i]->error.outcome == NGX_GROUP_DONE
            || (step[i]->error.outcome == NGX_GROUP_NOT_FOUND
                && step[i]->op->operation == NGX_GROUP_MEMBER_REMOVE))
        {
            continue;
        }

        if (plan->undoing) {
            ngx_group_plan_leave(plan, step[i]);
            continue;
        }

        if (ngx_group_plan_member_error(plan, step[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_group_plan_undo(plan);
    }

    return ngx_group_plan_move(plan);
}


/* the error of the call, with the member that it is about */

static ngx_int_t
ngx_group_plan_member_error(ngx_group_plan_t *plan, ngx_group_step_t *step)
{
    u_char     *p;
    ngx_str_t  *id, *why;

    id = ngx_group_plan_text(ngx_group_plan_get(step->doc, "member"), "id");
    why = &step->error.detail;

    p = ngx_pnalloc(plan->pool, sizeof("member \"\": ") + id->len + why->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plan->error = step->error;
    plan->error.subject = *id;
    ngx_str_set(&plan->error.code, "member");

    plan->error.detail.data = p;
    plan->error.detail.len = ngx_sprintf(p, "member \"%V\"%s%V", id,
                                         why->len ? ": " : "", why)
                             - p;
    plan->error.upstream = 1;

    return NGX_OK;
}
