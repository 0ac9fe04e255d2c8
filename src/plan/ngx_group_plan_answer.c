
/*
 * Operations that the upstream has, and answers that do not tell all that the
 * client's must have: what lacks is read.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"


static ngx_int_t ngx_group_plan_direct_done(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_read_done(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_count(ngx_group_plan_t *plan);
static ngx_uint_t ngx_group_plan_knows(ngx_group_plan_t *plan,
    ngx_group_field_t *field);
static ngx_uint_t ngx_group_plan_lacks(ngx_group_plan_t *plan,
    ngx_group_op_t *op);
static ngx_uint_t ngx_group_plan_lacks_members(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_delete_read(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_deleted(ngx_group_plan_t *plan);


ngx_int_t
ngx_group_plan_direct(ngx_group_plan_t *plan)
{
    return ngx_group_plan_call(plan, plan->op->operation, plan->doc,
                               plan->query, 1, ngx_group_plan_direct_done);
}


static ngx_int_t
ngx_group_plan_direct_done(ngx_group_plan_t *plan)
{
    ngx_str_t          *id;
    ngx_group_step_t   *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    plan->result = step->answer;

    if (plan->upstream == plan->client) {
        return NGX_OK;
    }

    switch (plan->op->operation) {

    case NGX_GROUP_GROUP_CREATE:
    case NGX_GROUP_GROUP_GET:
    case NGX_GROUP_GROUP_REPLACE:
    case NGX_GROUP_GROUP_MODIFY:

        id = ngx_group_plan_text(plan->result, "id");

        if (id->len) {
            plan->group_id = *id;
        }

        return ngx_group_plan_complete(plan);

    case NGX_GROUP_MEMBER_ADD:
    case NGX_GROUP_MEMBER_GET:
        return ngx_group_plan_name(plan, plan->result);

    default:
        return NGX_OK;
    }
}


/* a membership as the upstream told it, with what only we know */

ngx_int_t
ngx_group_plan_name(ngx_group_plan_t *plan, ngx_group_value_t *membership)
{
    ngx_str_t           key;
    ngx_group_value_t  *v, *next, *member, *made;

    member = ngx_group_plan_get(membership, "member");

    if (member == NULL) {
        member = ngx_group_plan_get(plan->doc, "member");
    }

    if (plan->group_id.len == 0 || member == NULL) {
        return NGX_OK;
    }

    made = ngx_group_plan_membership(plan, member);
    if (made == NULL) {
        return NGX_ERROR;
    }

    for (v = made->u.items.first; v; v = next) {
        next = v->next;

        if (ngx_group_value_get(membership, &v->key) == NULL) {
            key = v->key;
            v->next = NULL;
            ngx_group_value_set(membership, &key, v);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_plan_complete(ngx_group_plan_t *plan)
{
    ngx_group_op_t  *get;

    if (plan->op->response == NULL || plan->group_id.len == 0) {
        return NGX_OK;
    }

    get = plan->upstream->ops[NGX_GROUP_GROUP_GET];

    if (plan->op->operation != NGX_GROUP_GROUP_GET && get
        && ngx_group_plan_lacks(plan, get))
    {
        return ngx_group_plan_call(plan, NGX_GROUP_GROUP_GET,
                                   ngx_group_plan_address(plan), NULL, 0,
                                   ngx_group_plan_read_done);
    }

    return ngx_group_plan_count(plan);
}


ngx_int_t
ngx_group_plan_reread(ngx_group_plan_t *plan)
{
    plan->members = NULL;
    plan->removes = NULL;

    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_GET,
                               ngx_group_plan_address(plan), NULL, 0,
                               ngx_group_plan_read_done);
}


/* what was read is what is there, and goes before what the request said */

static ngx_int_t
ngx_group_plan_read_done(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    ngx_group_plan_merge(step->answer, plan->result);

    return ngx_group_plan_count(plan);
}


static ngx_int_t
ngx_group_plan_count(ngx_group_plan_t *plan)
{
    if (plan->members) {
        return ngx_group_plan_people(plan, plan->result);
    }

    if (plan->upstream->ops[NGX_GROUP_MEMBER_LIST]
        && ngx_group_plan_lacks_members(plan))
    {
        return ngx_group_plan_read_members(plan, ngx_group_plan_count);
    }

    return NGX_OK;
}


/* from the answer, from the request, or from what the dialect says of all */

static ngx_uint_t
ngx_group_plan_knows(ngx_group_plan_t *plan, ngx_group_field_t *field)
{
    return field->constant || field->preset || field->nfrom == 0
           || ngx_group_value_get(plan->result, &field->from[0])
           || ngx_group_value_get(plan->doc, &field->from[0]);
}


/* whether a read would tell what the client's answer must have */

static ngx_uint_t
ngx_group_plan_lacks(ngx_group_plan_t *plan, ngx_group_op_t *op)
{
    ngx_uint_t          i;
    ngx_array_t        *fields, *told;
    ngx_group_field_t  *field;

    fields = ngx_group_shape(plan->op->response, 0);
    told = ngx_group_shape(op->response, 0);

    if (fields == NULL) {
        return 0;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {
        if (field[i].required && !ngx_group_plan_knows(plan, &field[i])
            && ngx_group_shape_find(told, &field[i].from[0]))
        {
            return 1;
        }
    }

    return ngx_group_plan_lacks_members(plan)
           && ngx_group_plan_tells(op, "members");
}


/* members are wanted where the client's dialect shows or counts them */

static ngx_uint_t
ngx_group_plan_lacks_members(ngx_group_plan_t *plan)
{
    ngx_str_t           key;
    ngx_array_t        *fields;
    ngx_group_field_t  *field;

    /* a new group has those that it was made with, and they are known */

    if (plan->brief || plan->op->operation == NGX_GROUP_GROUP_CREATE
        || ngx_group_plan_get(plan->result, "members"))
    {
        return 0;
    }

    /* a write says what they are where they are a part of it */

    if (ngx_group_plan_get(plan->doc, "members")) {
        return 0;
    }

    fields = ngx_group_shape(plan->op->response, 0);

    ngx_str_set(&key, "members");

    if (ngx_group_shape_find(fields, &key)) {
        return 1;
    }

    ngx_str_set(&key, "member_count");
    field = ngx_group_shape_find(fields, &key);

    return field && field->required && !ngx_group_plan_knows(plan, field);
}


/* an answer that shows what was deleted is read before */

ngx_int_t
ngx_group_plan_delete(ngx_group_plan_t *plan)
{
    ngx_group_op_t  *get;

    get = plan->upstream->ops[NGX_GROUP_GROUP_GET];

    plan->result = ngx_group_value_create(plan->pool, NGX_GROUP_OBJECT);
    if (plan->result == NULL) {
        return NGX_ERROR;
    }

    if (plan->op->response && get && ngx_group_plan_lacks(plan, get)) {
        return ngx_group_plan_call(plan, NGX_GROUP_GROUP_GET,
                                   ngx_group_plan_address(plan), NULL, 0,
                                   ngx_group_plan_delete_read);
    }

    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_DELETE, plan->doc, NULL,
                               1, ngx_group_plan_deleted);
}


static ngx_int_t
ngx_group_plan_delete_read(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    if (plan->members) {
        if (ngx_group_plan_people(plan, plan->result) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        step = ngx_group_plan_answered(plan);

        if (step == NULL) {
            return NGX_DECLINED;
        }

        plan->result = step->answer;

        if (plan->upstream->ops[NGX_GROUP_MEMBER_LIST]
            && ngx_group_plan_lacks_members(plan))
        {
            return ngx_group_plan_read_members(plan,
                                               ngx_group_plan_delete_read);
        }
    }

    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_DELETE, plan->doc, NULL,
                               1, ngx_group_plan_deleted);
}


static ngx_int_t
ngx_group_plan_deleted(ngx_group_plan_t *plan)
{
    ngx_str_t          text;
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    ngx_group_plan_merge(step->answer, plan->result);

    ngx_str_set(&text, "deleted");

    return ngx_group_plan_set(plan, plan->result, "status", &text);
}
