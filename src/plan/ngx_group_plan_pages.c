
/*
 * Lists that are read page by page.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"


static ngx_int_t ngx_group_plan_page(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_paged(ngx_group_plan_t *plan);


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
    ngx_int_t          rc;
    ngx_group_step_t  *step;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {

        if (plan->undoing) {
            plan->members = NULL;
            return plan->after(plan);
        }

        return NGX_DECLINED;
    }

    rc = ngx_group_plan_take_page(plan, step, plan->members);

    if (rc == NGX_OK) {
        return ngx_group_plan_page(plan);
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : plan->after(plan);
}


ngx_int_t
ngx_group_plan_take_page(ngx_group_plan_t *plan, ngx_group_step_t *step,
    ngx_group_value_t *to)
{
    ngx_uint_t          n;
    ngx_group_value_t  *items, *v, *next;

    items = ngx_group_plan_get(step->answer, "items");
    n = 0;

    if (items && items->type == NGX_GROUP_ARRAY) {
        n = items->n;

        for (v = items->u.items.first; v; v = next) {
            next = v->next;
            ngx_str_null(&v->key);
            ngx_group_value_push(to, v);
        }
    }

    return ngx_group_plan_turn(plan, step->op, step->answer, n);
}


ngx_int_t
ngx_group_plan_people(ngx_group_plan_t *plan, ngx_group_value_t *group)
{
    ngx_str_t           key;
    ngx_group_value_t  *members, *v, *member;

    members = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);
    if (members == NULL) {
        return NGX_ERROR;
    }

    for (v = plan->members->u.items.first; v; v = v->next) {
        member = ngx_group_plan_get(v, "member");

        if (member
            && !ngx_group_plan_has(plan->removes,
                                   ngx_group_plan_text(member, "id")))
        {
            ngx_group_value_push(members, member);
        }
    }

    ngx_str_set(&key, "members");
    ngx_group_value_set(group, &key, members);

    plan->members = NULL;

    return NGX_OK;
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
