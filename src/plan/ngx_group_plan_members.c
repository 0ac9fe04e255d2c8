
/*
 * Members that go in calls of their own: the upstream has member operations,
 * and its groups are written without them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"


static ngx_int_t ngx_group_plan_created(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_add(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_added(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_undo(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_undone(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_replace(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_replaced(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_remove(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_removed(ngx_group_plan_t *plan);


/* create, then add each */

ngx_int_t
ngx_group_plan_create_apart(ngx_group_plan_t *plan)
{
    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_CREATE, plan->doc, NULL,
                               1, ngx_group_plan_created);
}


static ngx_int_t
ngx_group_plan_created(ngx_group_plan_t *plan)
{
    ngx_group_step_t   *step;
    ngx_group_value_t  *members;

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

    members = ngx_group_plan_get(plan->doc, "members");
    plan->item = members->u.items.first;

    return ngx_group_plan_add(plan);
}


/* some at a time */

static ngx_int_t
ngx_group_plan_add(ngx_group_plan_t *plan)
{
    ngx_int_t           rc;
    ngx_group_value_t  *item, *known;

    ngx_group_plan_round(plan);

    known = plan->members;

    for (item = plan->item;
         item && plan->round.nelts < plan->concurrency;
         item = item->next)
    {
        if (ngx_group_plan_has(known, ngx_group_plan_text(item, "id"))) {
            continue;
        }

        rc = ngx_group_plan_step(plan, NGX_GROUP_MEMBER_ADD,
                                 ngx_group_plan_membership(plan, item), NULL,
                                 0);

        if (rc == NGX_DECLINED) {
            return ngx_group_plan_undo(plan);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    plan->item = item;

    if (plan->round.nelts) {
        plan->next = ngx_group_plan_added;
        return NGX_AGAIN;
    }

    if (plan->op->operation == NGX_GROUP_GROUP_REPLACE) {
        plan->item = known ? known->u.items.first : NULL;
        return ngx_group_plan_remove(plan);
    }

    return ngx_group_plan_complete(plan);
}


static ngx_int_t
ngx_group_plan_added(ngx_group_plan_t *plan)
{
    ngx_uint_t          i;
    ngx_group_step_t  **step;

    step = plan->round.elts;

    for (i = 0; i < plan->round.nelts; i++) {

        if (step[i]->error.outcome == NGX_GROUP_DONE) {
            continue;
        }

        if (ngx_group_plan_member_error(plan, step[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_group_plan_undo(plan);
    }

    return ngx_group_plan_add(plan);
}


/* the error of the call, with the member that it is about */

ngx_int_t
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


/* a group that was made only in part is made undone */

static ngx_int_t
ngx_group_plan_undo(ngx_group_plan_t *plan)
{
    ngx_int_t  rc;

    if (plan->op->operation != NGX_GROUP_GROUP_CREATE) {
        return NGX_DECLINED;
    }

    /* the undoing is not counted: it must be done */

    plan->calls = 0;
    plan->late = 0;
    plan->undoing = 1;

    rc = ngx_group_plan_call(plan, NGX_GROUP_GROUP_DELETE,
                             ngx_group_plan_address(plan), NULL, 0,
                             ngx_group_plan_undone);

    return (rc == NGX_DECLINED) ? NGX_ERROR : rc;
}


static ngx_int_t
ngx_group_plan_undone(ngx_group_plan_t *plan)
{
    u_char            *p;
    ngx_str_t         *why;
    ngx_group_step_t  *step;

    step = ngx_group_plan_last(plan);

    if (step->error.outcome == NGX_GROUP_DONE
        || step->error.outcome == NGX_GROUP_NOT_FOUND)
    {
        return NGX_DECLINED;
    }

    plan->orphan = plan->group_id;
    why = &plan->error.detail;

    p = ngx_pnalloc(plan->pool, sizeof("; the group \"\" was made upstream "
                                       "and could not be removed")
                                + why->len + plan->orphan.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plan->error.detail.len = ngx_sprintf(p, "%V; the group \"%V\" was made "
                                         "upstream and could not be removed",
                                         why, &plan->orphan)
                             - p;
    plan->error.detail.data = p;

    return NGX_DECLINED;
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
    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_REPLACE, plan->doc, NULL,
                               1, ngx_group_plan_replaced);
}


static ngx_int_t
ngx_group_plan_replaced(ngx_group_plan_t *plan)
{
    ngx_group_step_t   *step;
    ngx_group_value_t  *wanted;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    plan->result = step->answer;

    wanted = ngx_group_plan_get(plan->doc, "members");
    plan->item = wanted->u.items.first;

    return ngx_group_plan_add(plan);
}


static ngx_int_t
ngx_group_plan_remove(ngx_group_plan_t *plan)
{
    ngx_int_t           rc;
    ngx_group_value_t  *item, *wanted, *member, *doc, *id;

    ngx_group_plan_round(plan);

    wanted = ngx_group_plan_get(plan->doc, "members");

    for (item = plan->item;
         item && plan->round.nelts < plan->concurrency;
         item = item->next)
    {
        member = ngx_group_plan_get(item, "member");

        if (ngx_group_plan_has(wanted, ngx_group_plan_text(member, "id"))) {
            continue;
        }

        doc = ngx_group_plan_membership(plan, member);
        if (doc == NULL) {
            return NGX_ERROR;
        }

        id = ngx_group_plan_get(item, "id");

        if (id && ngx_group_plan_set(plan, doc, "id", &id->u.text) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = ngx_group_plan_step(plan, NGX_GROUP_MEMBER_REMOVE, doc, NULL, 0);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    plan->item = item;

    if (plan->round.nelts) {
        plan->next = ngx_group_plan_removed;
        return NGX_AGAIN;
    }

    plan->members = NULL;

    return ngx_group_plan_complete(plan);
}


static ngx_int_t
ngx_group_plan_removed(ngx_group_plan_t *plan)
{
    ngx_uint_t          i;
    ngx_group_step_t  **step;

    step = plan->round.elts;

    for (i = 0; i < plan->round.nelts; i++) {

        /* somebody else's removal is as good */

        if (step[i]->error.outcome == NGX_GROUP_DONE
            || step[i]->error.outcome == NGX_GROUP_NOT_FOUND)
        {
            continue;
        }

        if (ngx_group_plan_member_error(plan, step[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        return NGX_DECLINED;
    }

    return ngx_group_plan_remove(plan);
}
