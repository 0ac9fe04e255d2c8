
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
static ngx_int_t ngx_group_plan_page(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_paged(ngx_group_plan_t *plan);


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


/* memberships, all pages of them */

ngx_int_t
ngx_group_plan_read_members(ngx_group_plan_t *plan, ngx_group_plan_pt after)
{
    plan->after = after;
    plan->members = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);

    if (plan->members == NULL
        || ngx_group_plan_first(plan,
                                plan->upstream->ops[NGX_GROUP_MEMBER_LIST])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_group_plan_page(plan);
}


ngx_int_t
ngx_group_plan_first(ngx_group_plan_t *plan, ngx_group_op_t *op)
{
    int64_t             limit;
    ngx_str_t           key;
    ngx_group_field_t  *field;

    plan->page = ngx_group_value_create(plan->pool, NGX_GROUP_OBJECT);
    if (plan->page == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&key, "limit");
    field = ngx_group_shape_find(op->query, &key);

    if (field == NULL) {
        return NGX_OK;
    }

    limit = (field->has_max && field->max < NGX_GROUP_PLAN_PAGE)
            ? field->max : NGX_GROUP_PLAN_PAGE;

    return ngx_group_plan_number(plan, plan->page, "limit", limit);
}


static ngx_int_t
ngx_group_plan_page(ngx_group_plan_t *plan)
{
    ngx_group_value_t  *query;

    query = ngx_group_value_copy(plan->pool, plan->page);
    if (query == NULL) {
        return NGX_ERROR;
    }

    return ngx_group_plan_call(plan, NGX_GROUP_MEMBER_LIST,
                               ngx_group_plan_membership(plan, NULL), query,
                               0, ngx_group_plan_paged);
}


static ngx_int_t
ngx_group_plan_paged(ngx_group_plan_t *plan)
{
    ngx_int_t           rc;
    ngx_uint_t          n;
    ngx_group_step_t   *step;
    ngx_group_value_t  *items, *v, *next, *member;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {

        /* somebody deleted the group since it was listed */

        if (plan->op->operation == NGX_GROUP_GROUP_LIST
            && plan->error.outcome == NGX_GROUP_NOT_FOUND)
        {
            ngx_memzero(&plan->error, sizeof(ngx_group_error_t));
            plan->members = NULL;

            return plan->after(plan);
        }

        return NGX_DECLINED;
    }

    items = ngx_group_plan_get(step->answer, "items");
    n = 0;

    if (items && items->type == NGX_GROUP_ARRAY) {
        n = items->n;

        for (v = items->u.items.first; v; v = next) {
            next = v->next;
            v->next = NULL;
            ngx_str_null(&v->key);

            ngx_group_value_push(plan->members, v);
        }
    }

    rc = ngx_group_plan_turn(plan, step->op, step->answer, n);

    if (rc == NGX_OK) {
        return ngx_group_plan_page(plan);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* a replacement needs the memberships, an answer the members */

    if (plan->op->operation == NGX_GROUP_GROUP_REPLACE
        || plan->op->operation == NGX_GROUP_GROUP_MODIFY
        || plan->op->operation >= NGX_GROUP_MEMBER_ADD)
    {
        return plan->after(plan);
    }

    items = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    if (items == NULL) {
        return NGX_ERROR;
    }

    for (v = plan->members->u.items.first; v; v = v->next) {
        member = ngx_group_plan_get(v, "member");

        if (member) {
            member->next = NULL;
            ngx_group_value_push(items, member);
        }
    }

    plan->members = items;

    return plan->after(plan);
}


/*
 * The query of the next page.  A cursor is given on, a link to the next page
 * is taken at its query, an offset is counted.  NGX_DECLINED: that was the
 * last.
 */

ngx_int_t
ngx_group_plan_turn(ngx_group_plan_t *plan, ngx_group_op_t *op,
    ngx_group_value_t *answer, ngx_uint_t n)
{
    u_char                   *p;
    ngx_int_t                 rc;
    int64_t                   limit, offset;
    ngx_str_t                *text, args, key;
    ngx_group_error_t         error;
    ngx_group_value_t        *query, *v;
    ngx_group_translation_t   t;

    text = ngx_group_plan_text(answer, "next");

    ngx_str_set(&key, "cursor");

    if (text->len && ngx_group_shape_find(op->query, &key)) {
        return ngx_group_plan_set(plan, plan->page, "cursor", text);
    }

    text = ngx_group_plan_text(answer, "link_next");

    if (text->len && op->query) {

        p = ngx_strlchr(text->data, text->data + text->len, '?');
        if (p == NULL) {
            return NGX_DECLINED;
        }

        args.data = p + 1;
        args.len = text->data + text->len - args.data;

        ngx_memzero(&t, sizeof(ngx_group_translation_t));
        ngx_memzero(&error, sizeof(ngx_group_error_t));

        t.pool = plan->pool;
        t.log = plan->log;
        t.dialect = plan->upstream;
        t.error = &error;
        t.text = 1;
        t.query = 1;

        rc = ngx_group_query_parse(&t, &args, &query);
        if (rc != NGX_OK) {
            return rc;
        }

        plan->page = ngx_group_value_create(plan->pool, NGX_GROUP_OBJECT);
        if (plan->page == NULL) {
            return NGX_ERROR;
        }

        return ngx_group_decode(&t, op->query, query, plan->page);
    }

    ngx_str_set(&key, "offset");

    v = ngx_group_plan_get(plan->page, "limit");

    if (v == NULL || ngx_group_shape_find(op->query, &key) == NULL) {
        return NGX_DECLINED;
    }

    limit = ngx_atoi(v->u.text.data, v->u.text.len);

    if (n == 0 || (int64_t) n < limit) {
        return NGX_DECLINED;
    }

    v = ngx_group_plan_get(plan->page, "offset");
    offset = v ? ngx_atoi(v->u.text.data, v->u.text.len) : 0;

    return ngx_group_plan_number(plan, plan->page, "offset", offset + n);
}


ngx_int_t
ngx_group_plan_number(ngx_group_plan_t *plan, ngx_group_value_t *object,
    char *name, int64_t n)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    v = ngx_group_value_integer(plan->pool, n);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(object, &key, v);

    return NGX_OK;
}
