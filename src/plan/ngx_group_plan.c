
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
static ngx_int_t ngx_group_plan_direct(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_direct_done(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_delete(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_delete_read(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_deleted(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_read_done(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_count(ngx_group_plan_t *plan);
static ngx_uint_t ngx_group_plan_knows(ngx_group_plan_t *plan,
    ngx_group_field_t *field);
static ngx_uint_t ngx_group_plan_lacks(ngx_group_plan_t *plan,
    ngx_group_op_t *op);
static ngx_uint_t ngx_group_plan_lacks_members(ngx_group_plan_t *plan);


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

        if (plan->next != ngx_group_plan_keep) {
            plan->next = ngx_group_plan_replace_apart;
        }
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


static ngx_int_t
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
    ngx_str_t  key;

    if (plan->members) {
        ngx_str_set(&key, "members");
        ngx_group_value_set(plan->result, &key, plan->members);
        plan->members = NULL;
        return NGX_OK;
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

static ngx_int_t
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
    ngx_str_t           key;
    ngx_group_step_t   *step;

    if (plan->members) {
        ngx_str_set(&key, "members");
        ngx_group_value_set(plan->result, &key, plan->members);
        plan->members = NULL;

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


void
ngx_group_plan_round(ngx_group_plan_t *plan)
{
    plan->round.nelts = 0;
}


ngx_int_t
ngx_group_plan_step(ngx_group_plan_t *plan, ngx_uint_t operation,
    ngx_group_value_t *doc, ngx_group_value_t *query, ngx_uint_t main)
{
    ngx_group_step_t  *step, **s;

    if (doc == NULL) {
        return NGX_ERROR;
    }

    if (plan->late) {
        ngx_group_error_set(&plan->error, NGX_GROUP_TIMEOUT, "deadline",
                            "all the upstream calls take too long");
        return NGX_DECLINED;
    }

    if (plan->calls == plan->max_calls) {
        ngx_group_error_set(&plan->error, NGX_GROUP_NOT_SUPPORTED, "calls",
                            "this takes more upstream calls than "
                            "group_plan_max_calls allows");
        return NGX_DECLINED;
    }

    step = ngx_pcalloc(plan->pool, sizeof(ngx_group_step_t));
    s = ngx_array_push(&plan->round);

    if (step == NULL || s == NULL) {
        return NGX_ERROR;
    }

    step->op = (operation == NGX_GROUP_VENDOR_READ)
               ? plan->op : plan->upstream->ops[operation];
    step->doc = doc;
    step->query = query;
    step->main = main;

    *s = step;
    plan->calls++;

    return NGX_OK;
}


ngx_int_t
ngx_group_plan_call(ngx_group_plan_t *plan, ngx_uint_t operation,
    ngx_group_value_t *doc, ngx_group_value_t *query, ngx_uint_t main,
    ngx_group_plan_pt next)
{
    ngx_int_t  rc;

    ngx_group_plan_round(plan);

    rc = ngx_group_plan_step(plan, operation, doc, query, main);

    if (rc != NGX_OK) {
        return rc;
    }

    plan->next = next;

    return NGX_AGAIN;
}


ngx_group_step_t *
ngx_group_plan_last(ngx_group_plan_t *plan)
{
    ngx_group_step_t  **s;

    s = plan->round.elts;

    return s[0];
}


ngx_group_step_t *
ngx_group_plan_answered(ngx_group_plan_t *plan)
{
    ngx_group_step_t  *step;

    step = ngx_group_plan_last(plan);

    if (step->error.outcome != NGX_GROUP_DONE) {
        plan->error = step->error;
        return NULL;
    }

    return step;
}


void
ngx_group_plan_merge(ngx_group_value_t *from, ngx_group_value_t *to)
{
    ngx_str_t           key;
    ngx_group_value_t  *v, *next;

    for (v = from->u.items.first; v; v = next) {
        next = v->next;
        key = v->key;
        v->next = NULL;
        ngx_group_value_set(to, &key, v);
    }
}


ngx_int_t
ngx_group_plan_put(ngx_group_plan_t *plan, ngx_group_value_t *group,
    ngx_uint_t main, ngx_group_plan_pt next)
{
    ngx_str_t  *owner;

    owner = ngx_group_plan_text(plan->doc, "owner");

    if (ngx_group_plan_set(plan, group, "id", &plan->group_id) != NGX_OK
        || (owner->len
            && ngx_group_plan_set(plan, group, "owner", owner) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_REPLACE, group, NULL,
                               main, next);
}


ngx_int_t
ngx_group_plan_refuse(ngx_group_plan_t *plan, char *what, ngx_str_t *name)
{
    u_char  *p;
    size_t   len;

    ngx_group_error_set(&plan->error, NGX_GROUP_NOT_SUPPORTED, "upstream", "");

    len = sizeof("the upstream API \"\"  \"\"") - 1
          + plan->upstream->name.len + ngx_strlen(what) + name->len;

    p = ngx_pnalloc(plan->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plan->error.detail.data = p;
    plan->error.detail.len = ngx_sprintf(p, "the upstream API \"%V\" %s "
                                         "\"%V\"", &plan->upstream->name,
                                         what, name)
                             - p;

    return NGX_DECLINED;
}


ngx_uint_t
ngx_group_plan_tells(ngx_group_op_t *op, char *name)
{
    ngx_str_t  key;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    return ngx_group_shape_find(ngx_group_shape(op->response, 0), &key) != NULL;
}


ngx_uint_t
ngx_group_plan_takes(ngx_group_op_t *op, char *name)
{
    size_t              len;
    ngx_str_t           key;
    ngx_uint_t          i;
    ngx_group_piece_t  *piece;

    len = ngx_strlen(name);
    piece = op->path.elts;

    for (i = 0; i < op->path.nelts; i++) {
        if (piece[i].param && piece[i].text.len >= len
            && ngx_memcmp(piece[i].text.data, name, len) == 0
            && (piece[i].text.len == len || piece[i].text.data[len] == '.'))
        {
            return 1;
        }
    }

    key.data = (u_char *) name;
    key.len = len;

    return ngx_group_shape_find(op->request, &key) != NULL;
}


ngx_group_value_t *
ngx_group_plan_get(ngx_group_value_t *object, char *name)
{
    ngx_str_t  key;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    return ngx_group_value_get(object, &key);
}


ngx_str_t *
ngx_group_plan_text(ngx_group_value_t *object, char *name)
{
    ngx_group_value_t  *v;

    static ngx_str_t    empty = ngx_null_string;

    v = ngx_group_plan_get(object, name);

    return (v && v->type == NGX_GROUP_STRING) ? &v->u.text : &empty;
}


ngx_int_t
ngx_group_plan_set(ngx_group_plan_t *plan, ngx_group_value_t *object,
    char *name, ngx_str_t *text)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    v = ngx_group_value_string(plan->pool, text);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(object, &key, v);

    return NGX_OK;
}


ngx_group_value_t *
ngx_group_plan_address(ngx_group_plan_t *plan)
{
    ngx_str_t          *owner;
    ngx_group_value_t  *doc;

    doc = ngx_group_value_create(plan->pool, NGX_GROUP_OBJECT);
    owner = ngx_group_plan_text(plan->doc, "owner");

    if (doc == NULL
        || ngx_group_plan_set(plan, doc, "id", &plan->group_id) != NGX_OK
        || (owner->len
            && ngx_group_plan_set(plan, doc, "owner", owner) != NGX_OK))
    {
        return NULL;
    }

    return doc;
}


/*
 * A membership.  Where the upstream gives it no id, it has one that is made of
 * the two ids that it is known by.
 */

ngx_group_value_t *
ngx_group_plan_membership(ngx_group_plan_t *plan, ngx_group_value_t *member)
{
    u_char             *p;
    ngx_str_t          *owner, key, group, id, both;
    ngx_group_value_t  *doc, *copy;

    doc = ngx_group_value_create(plan->pool, NGX_GROUP_OBJECT);
    owner = ngx_group_plan_text(plan->doc, "owner");

    if (doc == NULL
        || ngx_group_plan_set(plan, doc, "group_id", &plan->group_id)
           != NGX_OK
        || (owner->len
            && ngx_group_plan_set(plan, doc, "owner", owner) != NGX_OK))
    {
        return NULL;
    }

    if (member == NULL) {
        return doc;
    }

    copy = ngx_group_value_copy(plan->pool, member);

    if (copy == NULL
        || ngx_group_percent_encode(plan->pool, &plan->group_id, &group)
           != NGX_OK
        || ngx_group_percent_encode(plan->pool,
                                    ngx_group_plan_text(member, "id"), &id)
           != NGX_OK)
    {
        return NULL;
    }

    ngx_str_set(&key, "member");
    ngx_group_value_set(doc, &key, copy);

    p = ngx_pnalloc(plan->pool, group.len + 1 + id.len);
    if (p == NULL) {
        return NULL;
    }

    both.data = p;
    both.len = ngx_sprintf(p, "%V:%V", &group, &id) - p;

    if (ngx_group_plan_set(plan, doc, "id", &both) != NGX_OK) {
        return NULL;
    }

    return doc;
}


ngx_group_value_t *
ngx_group_plan_has(ngx_group_value_t *list, ngx_str_t *id)
{
    ngx_str_t          *text;
    ngx_group_value_t  *v, *member;

    if (list == NULL || list->type != NGX_GROUP_ARRAY) {
        return NULL;
    }

    for (v = list->u.items.first; v; v = v->next) {
        member = ngx_group_plan_get(v, "member");
        text = ngx_group_plan_text(member ? member : v, "id");

        if (text->len && ngx_group_str_eq(text, id)) {
            return v;
        }
    }

    return NULL;
}
