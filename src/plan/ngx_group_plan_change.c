
/*
 * Members of groups that are only written whole: read, change, write, and
 * read again to see that nobody wrote in between.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"


static ngx_int_t ngx_group_plan_read_group(ngx_group_plan_t *plan,
    ngx_group_plan_pt next);
static ngx_int_t ngx_group_plan_change(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_changed(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_verified(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_no_member(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_without(ngx_group_plan_t *plan,
    ngx_group_value_t *group, char *name, ngx_str_t *id);
static ngx_int_t ngx_group_plan_done(ngx_group_plan_t *plan,
    ngx_group_value_t *member);
static ngx_int_t ngx_group_plan_listed(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_found_inside(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_found(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_remove_found(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_remove_done(ngx_group_plan_t *plan);


static ngx_str_t *
ngx_group_plan_member_id(ngx_group_plan_t *plan)
{
    return ngx_group_plan_text(ngx_group_plan_get(plan->doc, "member"), "id");
}


ngx_int_t
ngx_group_plan_add_inside(ngx_group_plan_t *plan)
{
    return ngx_group_plan_read_group(plan, ngx_group_plan_change);
}


ngx_int_t
ngx_group_plan_remove_inside(ngx_group_plan_t *plan)
{
    if (plan->upstream->ops[NGX_GROUP_MEMBER_REMOVE]) {
        return ngx_group_plan_find(plan, ngx_group_plan_remove_found);
    }

    return ngx_group_plan_read_group(plan, ngx_group_plan_change);
}


static ngx_int_t
ngx_group_plan_read_group(ngx_group_plan_t *plan, ngx_group_plan_pt next)
{
    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_GET,
                               ngx_group_plan_address(plan), NULL, 0, next);
}


static ngx_int_t
ngx_group_plan_change(ngx_group_plan_t *plan)
{
    ngx_str_t          *id, key;
    ngx_group_step_t   *step;
    ngx_group_value_t  *group, *members, *member, *copy;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    id = ngx_group_plan_member_id(plan);
    group = step->answer;
    members = ngx_group_plan_get(group, "members");
    member = ngx_group_plan_has(members, id);

    if (plan->op->operation == NGX_GROUP_MEMBER_REMOVE) {

        if (member == NULL) {
            return ngx_group_plan_no_member(plan);
        }

        if (ngx_group_plan_without(plan, group, "members", id) != NGX_OK
            || ngx_group_plan_without(plan, group, "admins", id) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_group_plan_put(plan, group, 0, ngx_group_plan_changed);
    }

    if (member) {
        return ngx_group_plan_done(plan, member);
    }

    if (members == NULL || members->type != NGX_GROUP_ARRAY) {
        members = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
        if (members == NULL) {
            return NGX_ERROR;
        }

        ngx_str_set(&key, "members");
        ngx_group_value_set(group, &key, members);
    }

    member = ngx_group_plan_get(plan->doc, "member");

    if (member == NULL) {
        ngx_str_set(&key, "member.id");
        (void) ngx_group_error_problem(plan->pool, &plan->error, &key,
                                       "missing");
        return NGX_DECLINED;
    }

    copy = ngx_group_value_copy(plan->pool, member);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&copy->key);
    ngx_group_value_push(members, copy);

    return ngx_group_plan_put(plan, group, 0, ngx_group_plan_changed);
}


static ngx_int_t
ngx_group_plan_changed(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    return ngx_group_plan_read_group(plan, ngx_group_plan_verified);
}


static ngx_int_t
ngx_group_plan_verified(ngx_group_plan_t *plan)
{
    ngx_uint_t          removing;
    ngx_group_step_t   *step;
    ngx_group_value_t  *member;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    removing = (plan->op->operation == NGX_GROUP_MEMBER_REMOVE);
    member = ngx_group_plan_has(ngx_group_plan_get(step->answer, "members"),
                                ngx_group_plan_member_id(plan));

    if (removing ? member == NULL : member != NULL) {
        return ngx_group_plan_done(plan, member);
    }

    if (++plan->tries == NGX_GROUP_PLAN_TRIES) {
        ngx_group_error_set(&plan->error, NGX_GROUP_CONFLICT, "writer",
                            "somebody else keeps writing this group");
        return NGX_DECLINED;
    }

    /* what was just read is what is changed again */

    return ngx_group_plan_change(plan);
}


static ngx_int_t
ngx_group_plan_without(ngx_group_plan_t *plan, ngx_group_value_t *group,
    char *name, ngx_str_t *id)
{
    ngx_str_t           key;
    ngx_group_value_t  *list, *rest, *v, *next;

    list = ngx_group_plan_get(group, name);

    if (list == NULL || list->type != NGX_GROUP_ARRAY) {
        return NGX_OK;
    }

    rest = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    if (rest == NULL) {
        return NGX_ERROR;
    }

    for (v = list->u.items.first; v; v = next) {
        next = v->next;
        v->next = NULL;

        if (!ngx_group_str_eq(ngx_group_plan_text(v, "id"), id)) {
            ngx_group_value_push(rest, v);
        }
    }

    key = list->key;
    ngx_group_value_set(group, &key, rest);

    return NGX_OK;
}


static ngx_int_t
ngx_group_plan_no_member(ngx_group_plan_t *plan)
{
    ngx_group_error_set(&plan->error, NGX_GROUP_NOT_FOUND, "member",
                        "there is no such member");
    plan->error.subject = *ngx_group_plan_member_id(plan);

    return NGX_DECLINED;
}


/* the membership is the answer */

static ngx_int_t
ngx_group_plan_done(ngx_group_plan_t *plan, ngx_group_value_t *member)
{
    if (member == NULL) {
        member = ngx_group_plan_get(plan->doc, "member");
    }

    plan->result = ngx_group_plan_membership(plan, member);

    return (plan->result == NULL) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_group_plan_list_inside(ngx_group_plan_t *plan)
{
    return ngx_group_plan_read_group(plan, ngx_group_plan_listed);
}


static ngx_int_t
ngx_group_plan_listed(ngx_group_plan_t *plan)
{
    ngx_group_step_t   *step;
    ngx_group_value_t  *members, *v, *membership;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    plan->items = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    if (plan->items == NULL) {
        return NGX_ERROR;
    }

    members = ngx_group_plan_get(step->answer, "members");

    if (members && members->type == NGX_GROUP_ARRAY) {

        for (v = members->u.items.first; v; v = v->next) {
            membership = ngx_group_plan_membership(plan, v);
            if (membership == NULL) {
                return NGX_ERROR;
            }

            ngx_group_value_push(plan->items, membership);
        }
    }

    return ngx_group_plan_cut(plan);
}


ngx_int_t
ngx_group_plan_get_inside(ngx_group_plan_t *plan)
{
    return ngx_group_plan_find(plan, ngx_group_plan_found);
}


ngx_int_t
ngx_group_plan_find(ngx_group_plan_t *plan, ngx_group_plan_pt after)
{
    if (plan->upstream->ops[NGX_GROUP_MEMBER_LIST]) {
        return ngx_group_plan_read_members(plan, after);
    }

    plan->after = after;

    return ngx_group_plan_read_group(plan, ngx_group_plan_found_inside);
}


static ngx_int_t
ngx_group_plan_found_inside(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    plan->members = ngx_group_plan_get(step->answer, "members");

    return plan->after(plan);
}


static ngx_int_t
ngx_group_plan_found(ngx_group_plan_t *plan)
{
    ngx_group_value_t  *v, *member;

    v = ngx_group_plan_has(plan->members, ngx_group_plan_member_id(plan));

    if (v == NULL) {
        return ngx_group_plan_no_member(plan);
    }

    member = ngx_group_plan_get(v, "member");

    if (ngx_group_plan_done(plan, member ? member : v) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_plan_remove_found(ngx_group_plan_t *plan)
{
    ngx_str_t          *id;
    ngx_group_value_t  *v, *doc;

    v = ngx_group_plan_has(plan->members, ngx_group_plan_member_id(plan));
    id = ngx_group_plan_text(v, "id");

    if (v == NULL || id->len == 0) {
        return ngx_group_plan_no_member(plan);
    }

    doc = ngx_group_plan_membership(plan, ngx_group_plan_get(plan->doc,
                                                             "member"));

    if (doc == NULL || ngx_group_plan_set(plan, doc, "id", id) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_group_plan_call(plan, NGX_GROUP_MEMBER_REMOVE, doc, NULL, 0,
                               ngx_group_plan_remove_done);
}


static ngx_int_t
ngx_group_plan_remove_done(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    return ngx_group_plan_done(plan, NULL);
}
