
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"
#include "ngx_group_text.h"


static ngx_int_t ngx_group_plan_choose(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_choose_modify(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_answerable(ngx_group_plan_t *plan);
static ngx_uint_t ngx_group_plan_foresees(ngx_group_plan_t *plan,
    ngx_group_field_t *field, ngx_uint_t list);
static ngx_int_t ngx_group_plan_member(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_split(ngx_group_plan_t *plan);


ngx_int_t
ngx_group_plan_create(ngx_group_plan_t *plan)
{
    ngx_int_t  rc;

    if (ngx_array_init(&plan->round, plan->pool, 4,
                       sizeof(ngx_group_step_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    plan->group_id = *ngx_group_plan_text(plan->doc,
                               plan->op->operation >= NGX_GROUP_MEMBER_ADD
                               ? "group_id" : "id");

    rc = ngx_group_plan_choose(plan);

    if (rc != NGX_OK || plan->upstream == plan->client
        || plan->op->operation >= NGX_GROUP_MEMBER_ADD)
    {
        return rc;
    }

    return ngx_group_plan_answerable(plan);
}


/*
 * What the client's answer must have and nobody will tell is known before
 * anything is done.
 */

static ngx_int_t
ngx_group_plan_answerable(ngx_group_plan_t *plan)
{
    ngx_uint_t           i, list;
    ngx_array_t         *fields;
    ngx_group_field_t   *field;

    list = (plan->op->operation == NGX_GROUP_GROUP_LIST);
    fields = ngx_group_shape(plan->op->response, list);

    if (fields == NULL) {
        return NGX_OK;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {
        if (field[i].required
            && !ngx_group_plan_foresees(plan, &field[i], list))
        {
            return ngx_group_plan_refuse(plan, "does not tell",
                                         &field[i].path);
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_group_plan_foresees(ngx_group_plan_t *plan, ngx_group_field_t *field,
    ngx_uint_t list)
{
    ngx_str_t        *name, *given, members;
    ngx_uint_t        i, counts;
    ngx_array_t      *told;
    ngx_group_op_t   *op, **ops;

    if (field->constant || field->preset || field->nfrom == 0) {
        return 1;
    }

    ops = plan->upstream->ops;
    name = &field->from[0];
    given = plan->given ? plan->given->elts : NULL;

    for (i = 0; plan->given && i < plan->given->nelts; i++) {
        if (ngx_group_str_eq(&given[i], name)) {
            return 1;
        }
    }

    ngx_str_set(&members, "members");
    counts = ngx_group_str_is(name, "member_count");

    /* a change is done with other operations */

    op = ops[plan->op->operation];
    told = op ? ngx_group_shape(op->response, list) : NULL;

    if (ngx_group_shape_find(told, name)
        || (counts && ngx_group_shape_find(told, &members)))
    {
        return 1;
    }

    if (list) {
        return ops[NGX_GROUP_MEMBER_LIST]
               && (counts || ngx_group_str_eq(name, &members));
    }

    if (ngx_group_value_get(plan->doc, name)) {
        return 1;
    }

    /* a new group's members are those that it is made with */

    if (counts || ngx_group_str_eq(name, &members)) {
        if (plan->op->operation == NGX_GROUP_GROUP_CREATE
            || ops[NGX_GROUP_MEMBER_LIST])
        {
            return 1;
        }
    }

    if (ops[NGX_GROUP_GROUP_GET] == NULL) {
        return 0;
    }

    told = ngx_group_shape(ops[NGX_GROUP_GROUP_GET]->response, 0);

    return ngx_group_shape_find(told, name) != NULL
           || (counts && ngx_group_shape_find(told, &members));
}


ngx_int_t
ngx_group_plan_run(ngx_group_plan_t *plan)
{
    return plan->next(plan);
}


static ngx_int_t
ngx_group_plan_choose(ngx_group_plan_t *plan)
{
    ngx_uint_t          operation;
    ngx_group_op_t    **ops;
    ngx_group_value_t  *members;

    operation = plan->op->operation;
    ops = plan->upstream->ops;

    plan->next = ngx_group_plan_direct;

    if (operation == NGX_GROUP_VENDOR_READ) {
        return (plan->upstream == plan->client)
               ? NGX_OK : ngx_group_plan_refuse(plan, "has nothing like",
                                                &plan->op->pattern);
    }

    /* a patch is sent on as it came, but none is written here */

    if (plan->upstream == plan->client && ops[operation]
        && !(ops[operation]->patch && plan->changed))
    {
        return NGX_OK;
    }

    if (operation >= NGX_GROUP_MEMBER_ADD) {
        return ngx_group_plan_member(plan);
    }

    if (operation == NGX_GROUP_GROUP_MODIFY) {
        return ngx_group_plan_choose_modify(plan);
    }

    if (ops[operation] == NULL) {
        return ngx_group_plan_refuse(plan, "has no operation",
                                     ngx_group_operation_name(operation));
    }

    if (operation == NGX_GROUP_GROUP_LIST) {
        return ngx_group_plan_choose_list(plan);
    }

    if (operation == NGX_GROUP_GROUP_DELETE) {
        plan->next = ngx_group_plan_delete;
        return NGX_OK;
    }

    if (operation == NGX_GROUP_GROUP_REPLACE && ngx_group_plan_keeps(plan)) {
        plan->next = ngx_group_plan_keep;
        plan->serial = 1;
    }

    members = ngx_group_plan_get(plan->doc, "members");

    if (members == NULL || members->type != NGX_GROUP_ARRAY
        || ngx_group_plan_takes(ops[operation], "members")
        || ops[NGX_GROUP_MEMBER_ADD] == NULL)
    {
        return NGX_OK;
    }

    if (operation == NGX_GROUP_GROUP_CREATE && members->n) {

        /* what cannot be undone is not begun */

        if (ops[NGX_GROUP_GROUP_DELETE] == NULL) {
            return ngx_group_plan_refuse(plan, "cannot undo",
                                         ngx_group_operation_name(operation));
        }

        plan->apart = 1;
        plan->next = ngx_group_plan_create_apart;
    }

    if (operation == NGX_GROUP_GROUP_REPLACE
        && ops[NGX_GROUP_MEMBER_LIST] && ops[NGX_GROUP_MEMBER_REMOVE])
    {
        plan->apart = 1;
        plan->serial = 1;

        /* what is read before can be put back */

        plan->next = ops[NGX_GROUP_GROUP_GET] ? ngx_group_plan_keep
                                              : ngx_group_plan_replace_apart;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_plan_choose_modify(ngx_group_plan_t *plan)
{
    ngx_str_t           name;
    ngx_group_op_t    **ops;
    ngx_group_value_t  *members;

    ops = plan->upstream->ops;

    if (ops[NGX_GROUP_GROUP_GET] == NULL
        || ops[NGX_GROUP_GROUP_REPLACE] == NULL)
    {
        ngx_str_set(&name, "group.modify");
        return ngx_group_plan_refuse(plan, "cannot do", &name);
    }

    members = ngx_group_plan_get(ngx_group_plan_get(plan->doc, "change"),
                                 "members");

    if (members && members->type == NGX_GROUP_ARRAY && members->n
        && !ngx_group_plan_takes(ops[NGX_GROUP_GROUP_REPLACE], "members")
        && (ops[NGX_GROUP_MEMBER_ADD] == NULL
            || ops[NGX_GROUP_MEMBER_REMOVE] == NULL
            || ops[NGX_GROUP_MEMBER_LIST] == NULL))
    {
        ngx_str_set(&name, "members");
        return ngx_group_plan_refuse(plan, "cannot change", &name);
    }

    plan->next = ngx_group_plan_modify;
    plan->serial = 1;
    plan->apart = !ngx_group_plan_takes(ops[NGX_GROUP_GROUP_REPLACE],
                                        "members");

    return NGX_OK;
}


static ngx_int_t
ngx_group_plan_member(ngx_group_plan_t *plan)
{
    ngx_str_t          *member;
    ngx_uint_t          operation, inside;
    ngx_group_op_t    **ops;

    operation = plan->op->operation;
    ops = plan->upstream->ops;

    /* a membership that has no id of its own upstream is known by two */

    if (ngx_group_plan_split(plan) != NGX_OK) {
        return NGX_ERROR;
    }

    member = ngx_group_plan_text(ngx_group_plan_get(plan->doc, "member"),
                                 "id");

    inside = (ops[NGX_GROUP_GROUP_GET] && plan->group_id.len
              && ngx_group_plan_tells(ops[NGX_GROUP_GROUP_GET], "members"));

    switch (operation) {

    case NGX_GROUP_MEMBER_ADD:

        if (ops[operation]) {
            return NGX_OK;
        }

        if (inside && ops[NGX_GROUP_GROUP_REPLACE]
            && ngx_group_plan_takes(ops[NGX_GROUP_GROUP_REPLACE], "members"))
        {
            plan->next = ngx_group_plan_add_inside;
            plan->serial = 1;
            return NGX_OK;
        }

        break;

    case NGX_GROUP_MEMBER_REMOVE:

        if (ops[operation]
            && ngx_group_plan_text(plan->doc, "id")->len == 0
            && !ngx_group_plan_takes(ops[operation], "member"))
        {
            plan->next = ngx_group_plan_remove_inside;
            return NGX_OK;
        }

        if (ops[operation]) {
            return NGX_OK;
        }

        if (inside && member->len && ops[NGX_GROUP_GROUP_REPLACE]
            && ngx_group_plan_takes(ops[NGX_GROUP_GROUP_REPLACE], "members"))
        {
            plan->next = ngx_group_plan_remove_inside;
            plan->serial = 1;
            return NGX_OK;
        }

        break;

    case NGX_GROUP_MEMBER_LIST:

        if (ops[operation]) {
            return ngx_group_plan_choose_list(plan);
        }

        if (inside) {
            plan->next = ngx_group_plan_list_inside;
            return NGX_OK;
        }

        break;

    default:

        if (ops[operation]
            && (ngx_group_plan_text(plan->doc, "id")->len
                || ngx_group_plan_takes(ops[operation], "member")))
        {
            return NGX_OK;
        }

        if ((inside || ops[NGX_GROUP_MEMBER_LIST]) && member->len) {
            plan->next = ngx_group_plan_get_inside;
            return NGX_OK;
        }
    }

    return ngx_group_plan_refuse(plan, "has no operation",
                                 ngx_group_operation_name(operation));
}


/* "group:member", each percent-encoded: ngx_group_plan_membership() made it */

static ngx_int_t
ngx_group_plan_split(ngx_group_plan_t *plan)
{
    u_char             *colon;
    ngx_str_t          *id, head, tail, group, member;
    ngx_group_value_t  *object;

    id = ngx_group_plan_text(plan->doc, "id");

    if (id->len == 0 || plan->group_id.len) {
        return NGX_OK;
    }

    colon = ngx_strlchr(id->data, id->data + id->len, ':');

    if (colon == NULL) {
        return NGX_OK;
    }

    head.data = id->data;
    head.len = colon - id->data;
    tail.data = colon + 1;
    tail.len = id->len - head.len - 1;

    if (ngx_group_percent_decode(plan->pool, &head, &group, 0) != NGX_OK
        || ngx_group_percent_decode(plan->pool, &tail, &member, 0) != NGX_OK
        || group.len == 0 || member.len == 0)
    {
        return NGX_OK;
    }

    object = ngx_group_value_create(plan->pool, NGX_GROUP_OBJECT);

    if (object == NULL
        || ngx_group_plan_set(plan, object, "id", &member) != NGX_OK
        || ngx_group_plan_set(plan, plan->doc, "group_id", &group) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&head, "member");
    ngx_group_value_set(plan->doc, &head, object);

    ngx_str_set(&head, "id");
    ngx_group_value_unset(plan->doc, &head);

    plan->group_id = group;

    return NGX_OK;
}
