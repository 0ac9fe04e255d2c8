
/*
 * Writes of a whole group by a client that can only say some of it: what it
 * cannot say is read first and written again.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_patch.h"
#include "ngx_group_plan_steps.h"


/* the status of an answer that shows nothing */
#define NGX_GROUP_PLAN_NO_BODY  204


static ngx_int_t ngx_group_plan_kept(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_rewritten(ngx_group_plan_t *plan);
static ngx_uint_t ngx_group_plan_only_upstream(ngx_group_plan_t *plan,
    ngx_str_t *name);
static ngx_uint_t ngx_group_plan_any_only(ngx_group_plan_t *plan,
    ngx_array_t *fields);
static ngx_int_t ngx_group_plan_modify_read(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_fewer_admins(ngx_group_plan_t *plan,
    ngx_group_value_t *group);
static ngx_int_t ngx_group_plan_modify_written(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_modify_verified(ngx_group_plan_t *plan);
static ngx_uint_t ngx_group_plan_alike(ngx_group_value_t *wanted,
    ngx_group_value_t *found);
static ngx_int_t ngx_group_plan_modify_known(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_modify_apart(ngx_group_plan_t *plan,
    ngx_group_value_t *members);
static ngx_int_t ngx_group_plan_modified(ngx_group_plan_t *plan);


ngx_uint_t
ngx_group_plan_keeps(ngx_group_plan_t *plan)
{
    ngx_group_op_t  **ops;

    ops = plan->upstream->ops;

    return ops[NGX_GROUP_GROUP_GET]
           && ngx_group_plan_any_only(plan,
                                ops[NGX_GROUP_GROUP_REPLACE]->request);
}


static ngx_uint_t
ngx_group_plan_any_only(ngx_group_plan_t *plan, ngx_array_t *fields)
{
    ngx_uint_t          i;
    ngx_group_field_t  *field;

    if (fields == NULL) {
        return 0;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (field[i].constant || field[i].read_only) {
            continue;
        }

        if (field[i].nfrom == 0) {
            if (ngx_group_plan_any_only(plan, field[i].fields)) {
                return 1;
            }

        } else if (ngx_group_plan_only_upstream(plan, &field[i].from[0])) {
            return 1;
        }
    }

    return 0;
}


/* whether the client has no words for a field that the upstream writes */

static ngx_uint_t
ngx_group_plan_only_upstream(ngx_group_plan_t *plan, ngx_str_t *name)
{
    if (ngx_group_str_is(name, "id") || ngx_group_str_is(name, "owner")) {
        return 0;
    }

    return ngx_group_shape_find(plan->op->request, name) == NULL
           && ngx_group_value_get(plan->doc, name) == NULL;
}


ngx_int_t
ngx_group_plan_keep(ngx_group_plan_t *plan)
{
    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_GET,
                               ngx_group_plan_address(plan), NULL, 0,
                               ngx_group_plan_kept);
}


static ngx_int_t
ngx_group_plan_kept(ngx_group_plan_t *plan)
{
    ngx_str_t           key;
    ngx_group_step_t   *step;
    ngx_group_value_t  *v, *next;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    if (plan->apart) {
        plan->before = ngx_group_value_copy(plan->pool, step->answer);
        if (plan->before == NULL) {
            return NGX_ERROR;
        }
    }

    for (v = step->answer->u.items.first; v; v = next) {
        next = v->next;

        if (ngx_group_plan_only_upstream(plan, &v->key)) {
            key = v->key;
            v->next = NULL;
            ngx_group_value_set(plan->doc, &key, v);
        }
    }

    if (plan->apart) {
        return ngx_group_plan_replace_apart(plan);
    }

    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_REPLACE, plan->doc, NULL,
                               1, ngx_group_plan_rewritten);
}


static ngx_int_t
ngx_group_plan_rewritten(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    plan->result = step->answer;

    return ngx_group_plan_complete(plan);
}


/* read, change, write; members by calls of their own where they have to */

ngx_int_t
ngx_group_plan_modify(ngx_group_plan_t *plan)
{
    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_GET,
                               ngx_group_plan_address(plan), NULL, 0,
                               ngx_group_plan_modify_read);
}


static ngx_int_t
ngx_group_plan_modify_read(ngx_group_plan_t *plan)
{
    ngx_group_op_t    **ops;
    ngx_group_step_t   *step;
    ngx_group_value_t  *change, *members, *group;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    group = step->answer;
    plan->result = group;

    change = ngx_group_plan_get(plan->doc, "change");
    ops = plan->upstream->ops;

    if (ngx_group_plan_takes(ops[NGX_GROUP_GROUP_REPLACE], "members")) {

        if (ngx_group_patch_apply(plan->pool, change, group) != NGX_OK) {
            return NGX_ERROR;
        }

        /*
         * Who is removed is no administrator any more; a new list of all
         * members does not speak of administrators, as in a replacement.
         */

        if (!ngx_group_patch_needs_members(change)
            && ngx_group_plan_fewer_admins(plan, group) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_group_plan_put(plan, group, 1,
                                  ngx_group_plan_modify_written);
    }

    plan->before = group;

    members = ngx_group_plan_get(change, "members");

    if (members && members->type == NGX_GROUP_ARRAY && members->n) {

        /* so that who is there is not added, nor who is not removed */

        return ngx_group_plan_read_members(plan, ngx_group_plan_modify_known);
    }

    members = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    if (members == NULL) {
        return NGX_ERROR;
    }

    return ngx_group_plan_modify_apart(plan, members);
}


/* leaves those administrators of a group that are its members */

static ngx_int_t
ngx_group_plan_fewer_admins(ngx_group_plan_t *plan, ngx_group_value_t *group)
{
    ngx_str_t           key;
    ngx_group_value_t  *admins, *members, *rest, *v, *next;

    admins = ngx_group_plan_get(group, "admins");
    members = ngx_group_plan_get(group, "members");

    if (admins == NULL || admins->type != NGX_GROUP_ARRAY) {
        return NGX_OK;
    }

    rest = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    if (rest == NULL) {
        return NGX_ERROR;
    }

    for (v = admins->u.items.first; v; v = next) {
        next = v->next;
        v->next = NULL;

        if (ngx_group_plan_has(members, ngx_group_plan_text(v, "id"))) {
            ngx_group_value_push(rest, v);
        }
    }

    ngx_str_set(&key, "admins");
    ngx_group_value_set(group, &key, rest);

    return NGX_OK;
}


static ngx_int_t
ngx_group_plan_modify_written(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_GET,
                               ngx_group_plan_address(plan), NULL, 0,
                               ngx_group_plan_modify_verified);
}


/* a change that is there changes nothing when it is made again */

static ngx_int_t
ngx_group_plan_modify_verified(ngx_group_plan_t *plan)
{
    ngx_group_step_t   *step;
    ngx_group_value_t  *again;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    again = ngx_group_value_copy(plan->pool, step->answer);

    if (again == NULL
        || ngx_group_patch_apply(plan->pool,
                                 ngx_group_plan_get(plan->doc, "change"),
                                 again)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_group_plan_alike(again, step->answer)) {
        plan->result = step->answer;
        return NGX_OK;
    }

    if (++plan->tries == NGX_GROUP_PLAN_TRIES) {
        ngx_group_error_set(&plan->error, NGX_GROUP_CONFLICT, "writer",
                            "somebody else keeps writing this group");
        return NGX_DECLINED;
    }

    return ngx_group_plan_modify_read(plan);
}


/*
 * Whether the upstream keeps the same of two groups: the same members, in any
 * order, and the same of what it told of the first.
 */

static ngx_uint_t
ngx_group_plan_alike(ngx_group_value_t *wanted, ngx_group_value_t *found)
{
    ngx_str_t          *id;
    ngx_group_value_t  *v, *other, *item, *admins;

    for (v = found->u.items.first; v; v = v->next) {

        other = ngx_group_value_get(wanted, &v->key);

        if (ngx_group_str_is(&v->key, "members")
            && v->type == NGX_GROUP_ARRAY && other
            && other->type == NGX_GROUP_ARRAY)
        {
            for (item = other->u.items.first; item; item = item->next) {
                if (ngx_group_plan_has(v, ngx_group_plan_text(item, "id"))
                    == NULL)
                {
                    return 0;
                }
            }

            /* administrators are members by the vendor's own rule */

            admins = ngx_group_plan_get(found, "admins");

            for (item = v->u.items.first; item; item = item->next) {
                id = ngx_group_plan_text(item, "id");

                if (ngx_group_plan_has(other, id) == NULL
                    && ngx_group_plan_has(admins, id) == NULL)
                {
                    return 0;
                }
            }

            continue;
        }

        if (ngx_group_str_is(&v->key, "admins")
            || ngx_group_str_is(&v->key, "member_count"))
        {
            continue;
        }

        if (other == NULL || !ngx_group_value_equal(v, other)) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_group_plan_modify_known(ngx_group_plan_t *plan)
{
    ngx_group_value_t  *members, *v, *member;

    members = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    if (members == NULL) {
        return NGX_ERROR;
    }

    for (v = plan->members->u.items.first; v; v = v->next) {
        member = ngx_group_plan_get(v, "member");

        if (member == NULL) {
            continue;
        }

        member = ngx_group_value_copy(plan->pool, member);
        if (member == NULL) {
            return NGX_ERROR;
        }

        ngx_str_null(&member->key);
        ngx_group_value_push(members, member);
    }

    return ngx_group_plan_modify_apart(plan, members);
}


/* "members" are those of the group, if any is to be added or removed */

static ngx_int_t
ngx_group_plan_modify_apart(ngx_group_plan_t *plan,
    ngx_group_value_t *members)
{
    ngx_str_t           key;
    ngx_group_value_t  *change, *scalars, *group;

    change = ngx_group_plan_get(plan->doc, "change");

    /* the members are not a part of what is written */

    scalars = change ? ngx_group_value_copy(plan->pool, change)
                     : ngx_group_value_create(plan->pool, NGX_GROUP_OBJECT);
    group = ngx_group_value_copy(plan->pool, plan->before);

    if (scalars == NULL || group == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&key, "members");
    ngx_group_value_unset(scalars, &key);

    if (ngx_group_patch_apply(plan->pool, scalars, group) != NGX_OK
        || ngx_group_patch_members(plan->pool, change, members, &plan->adds,
                                   &plan->removes)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    plan->result = group;

    return ngx_group_plan_write(plan,
                                ngx_group_patch_sets(change) ? group : NULL,
                                ngx_group_plan_modified);
}


/*
 * What was written and answered is what is there, as far as it is told.  An
 * answer that shows it to the client is read.
 */

static ngx_int_t
ngx_group_plan_modified(ngx_group_plan_t *plan)
{
    ngx_group_value_t  *members, *v, *next;

    if (plan->op->status != NGX_GROUP_PLAN_NO_BODY) {
        return ngx_group_plan_reread(plan);
    }

    if (plan->members == NULL) {
        return NGX_OK;
    }

    if (ngx_group_plan_people(plan, plan->result) != NGX_OK) {
        return NGX_ERROR;
    }

    members = ngx_group_plan_get(plan->result, "members");

    for (v = plan->adds->u.items.first; v; v = next) {
        next = v->next;
        ngx_group_value_push(members, v);
    }

    return NGX_OK;
}
