
/*
 * Lists.  What the upstream can be asked for exactly is one call.  All else is
 * read, page by page, narrowed and ordered here, and the page that the client
 * wants is cut out of it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"
#include "ngx_group_plan_steps.h"


static ngx_uint_t ngx_group_plan_asks(ngx_group_plan_t *plan);
static ngx_uint_t ngx_group_plan_pages_alike(ngx_group_plan_t *plan,
    ngx_group_op_t *op);
static ngx_int_t ngx_group_plan_list(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_listed_page(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_walk(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_walk_page(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_walked(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_narrow(ngx_group_plan_t *plan,
    ngx_group_value_t *group);
static ngx_uint_t ngx_group_plan_contains(ngx_group_value_t *group,
    char *name, ngx_str_t *text);
static ngx_int_t ngx_group_plan_list_members(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_all_members(ngx_group_plan_t *plan);
static int64_t ngx_group_plan_integer(ngx_group_value_t *object, char *name,
    int64_t absent);
static ngx_int_t ngx_group_plan_finish(ngx_group_plan_t *plan);


ngx_int_t
ngx_group_plan_choose_list(ngx_group_plan_t *plan)
{
    ngx_str_t          *name;
    ngx_uint_t          i;
    ngx_array_t        *told;
    ngx_group_op_t     *op;
    ngx_group_value_t  *filter;

    op = plan->upstream->ops[plan->op->operation];
    filter = ngx_group_plan_get(plan->query, "filter");

    if (ngx_group_plan_asks(plan)) {
        plan->next = ngx_group_plan_list;
        return NGX_OK;
    }

    /* what the upstream does not list of a group it cannot be matched by */

    told = ngx_group_shape(op->response, 1);

    for (i = 0; filter && (name = ngx_group_canonical_name(i)); i++) {

        if (ngx_group_filter_uses(filter, name)
            && !ngx_group_shape_find(told, name))
        {
            return ngx_group_plan_refuse(plan, "cannot be asked for groups by",
                                         name);
        }
    }

    plan->next = (plan->op->operation == NGX_GROUP_MEMBER_LIST)
                 ? ngx_group_plan_list_members : ngx_group_plan_walk;

    return NGX_OK;
}


static ngx_int_t
ngx_group_plan_list_members(ngx_group_plan_t *plan)
{
    return ngx_group_plan_read_members(plan, ngx_group_plan_all_members);
}


static ngx_int_t
ngx_group_plan_all_members(ngx_group_plan_t *plan)
{
    plan->items = plan->members;

    return ngx_group_plan_cut(plan);
}


/* whether one call asks for just that, and its answer says all */

static ngx_uint_t
ngx_group_plan_asks(ngx_group_plan_t *plan)
{
    ngx_str_t           total, text;
    ngx_group_op_t     *op;
    ngx_group_value_t  *v;
    ngx_group_field_t  *field;

    op = plan->upstream->ops[plan->op->operation];

    ngx_str_set(&total, "total");

    if (ngx_group_shape_requires(plan->op->response, &total)
        && !ngx_group_shape_find(op->response, &total))
    {
        return 0;
    }

    if (!ngx_group_plan_pages_alike(plan, op)) {
        return 0;
    }

    for (v = plan->query->u.items.first; v; v = v->next) {

        field = ngx_group_shape_find(op->query, &v->key);

        /* what only limits what is seen of all, and where all is seen anyway */

        if (field == NULL
            && (ngx_group_str_is(&v->key, "all")
                || ngx_group_str_is(&v->key, "brief")
                || ((ngx_group_str_is(&v->key, "offset")
                     || ngx_group_str_is(&v->key, "page"))
                    && ngx_group_plan_integer(v, NULL, 0) == 0)))
        {
            continue;
        }

        if (field == NULL) {
            return 0;
        }

        if (field->type == NGX_GROUP_FIELD_INTEGER
            && (ngx_group_plan_integer(v, NULL, 0) > field->max
                || ngx_group_plan_integer(v, NULL, 0) < field->min))
        {
            return 0;
        }

        if (field->type == NGX_GROUP_FIELD_FILTER
            && ngx_group_filter_write(plan->pool, plan->upstream->syntax,
                                      plan->upstream->names, v, &text)
               != NGX_OK)
        {
            return 0;
        }

        /* vendors do not order alike */

        if (field->type == NGX_GROUP_FIELD_ORDER) {
            return 0;
        }
    }

    return 1;
}


/* whether a page of the upstream's is one that the client can go on from */

static ngx_uint_t
ngx_group_plan_pages_alike(ngx_group_plan_t *plan, ngx_group_op_t *op)
{
    ngx_str_t  next, cursor, offset;

    ngx_str_set(&next, "next");
    ngx_str_set(&cursor, "cursor");
    ngx_str_set(&offset, "offset");

    if (op->query == NULL) {
        return 1;
    }

    if (ngx_group_shape_find(plan->op->query, &cursor)) {
        return ngx_group_shape_find(op->response, &next) != NULL
               && ngx_group_shape_find(op->query, &cursor) != NULL;
    }

    return ngx_group_shape_find(plan->op->query, &offset)
           && ngx_group_shape_find(op->query, &offset)
           && ngx_group_plan_get(plan->query, "limit");
}


static ngx_int_t
ngx_group_plan_list(ngx_group_plan_t *plan)
{
    ngx_str_t           key;
    ngx_group_op_t     *op;
    ngx_group_value_t  *query, *v;

    op = plan->upstream->ops[plan->op->operation];

    query = ngx_group_value_copy(plan->pool, plan->query);
    if (query == NULL) {
        return NGX_ERROR;
    }

    for (v = plan->query->u.items.first; v; v = v->next) {
        if (ngx_group_shape_find(op->query, &v->key) == NULL) {
            key = v->key;
            ngx_group_value_unset(query, &key);
        }
    }

    return ngx_group_plan_call(plan, plan->op->operation, plan->doc, query, 1,
                               ngx_group_plan_listed_page);
}


static ngx_int_t
ngx_group_plan_listed_page(ngx_group_plan_t *plan)
{
    ngx_group_step_t   *step;
    ngx_group_value_t  *items;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    plan->result = step->answer;

    items = ngx_group_plan_get(plan->result, "items");

    if (items == NULL || items->type != NGX_GROUP_ARRAY) {
        return NGX_OK;
    }

    plan->item = items->u.items.first;

    return ngx_group_plan_finish(plan);
}


/* all of it, or all that contains a text that each match contains */

static ngx_int_t
ngx_group_plan_walk(ngx_group_plan_t *plan)
{
    ngx_str_t           name, hint, key;
    ngx_uint_t          exact;
    ngx_group_op_t     *op;
    ngx_group_value_t  *filter, *all;

    op = plan->upstream->ops[NGX_GROUP_GROUP_LIST];

    plan->items = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);

    if (plan->items == NULL || ngx_group_plan_first(plan, op) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&name, "name");
    ngx_str_set(&key, "name_contains");

    hint = *ngx_group_plan_text(plan->query, "name_contains");
    exact = 0;

    filter = ngx_group_plan_get(plan->query, "filter");

    if (hint.len == 0 && filter
        && ngx_group_filter_hint(filter, &name, &hint, &exact) != NGX_OK)
    {
        hint.len = 0;
    }

    /* a search that may mind the case must not be asked to guess it */

    if (hint.len && (exact || plan->upstream->folds)
        && ngx_group_shape_find(op->query, &key)
        && ngx_group_plan_set(plan, plan->page, "name_contains", &hint)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&key, "all");
    all = ngx_group_plan_get(plan->query, "all");

    if (all && ngx_group_shape_find(op->query, &key)) {
        all = ngx_group_value_copy(plan->pool, all);
        if (all == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(plan->page, &key, all);
    }

    return ngx_group_plan_walk_page(plan);
}


static ngx_int_t
ngx_group_plan_walk_page(ngx_group_plan_t *plan)
{
    ngx_group_value_t  *query;

    query = ngx_group_value_copy(plan->pool, plan->page);
    if (query == NULL) {
        return NGX_ERROR;
    }

    return ngx_group_plan_call(plan, NGX_GROUP_GROUP_LIST, plan->doc, query,
                               0, ngx_group_plan_walked);
}


static ngx_int_t
ngx_group_plan_walked(ngx_group_plan_t *plan)
{
    ngx_int_t           rc;
    ngx_uint_t          n;
    ngx_group_step_t   *step;
    ngx_group_value_t  *items, *v, *next;

    step = ngx_group_plan_answered(plan);

    if (step == NULL) {
        return NGX_DECLINED;
    }

    items = ngx_group_plan_get(step->answer, "items");
    n = 0;

    if (items && items->type == NGX_GROUP_ARRAY) {
        n = items->n;

        for (v = items->u.items.first; v; v = next) {
            next = v->next;
            v->next = NULL;

            rc = ngx_group_plan_narrow(plan, v);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_OK) {
                ngx_group_value_push(plan->items, v);
            }
        }
    }

    rc = ngx_group_plan_turn(plan, step->op, step->answer, n);

    if (rc == NGX_OK) {
        return ngx_group_plan_walk_page(plan);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return ngx_group_plan_cut(plan);
}


/* NGX_OK: it is asked for; NGX_DECLINED: it is not */

static ngx_int_t
ngx_group_plan_narrow(ngx_group_plan_t *plan, ngx_group_value_t *group)
{
    ngx_str_t          *text;
    ngx_group_value_t  *filter;

    text = ngx_group_plan_text(plan->query, "name_contains");

    if (text->len && !ngx_group_plan_contains(group, "name", text)) {
        return NGX_DECLINED;
    }

    text = ngx_group_plan_text(plan->query, "description_contains");

    if (text->len && !ngx_group_plan_contains(group, "description", text)) {
        return NGX_DECLINED;
    }

    text = ngx_group_plan_text(plan->query, "search");

    if (text->len && !ngx_group_plan_contains(group, "name", text)
        && !ngx_group_plan_contains(group, "description", text))
    {
        return NGX_DECLINED;
    }

    filter = ngx_group_plan_get(plan->query, "filter");

    return filter ? ngx_group_filter_match(filter, group) : NGX_OK;
}


static ngx_uint_t
ngx_group_plan_contains(ngx_group_value_t *group, char *name, ngx_str_t *text)
{
    size_t      i;
    ngx_str_t  *value;

    value = ngx_group_plan_text(group, name);

    for (i = 0; i + text->len <= value->len; i++) {
        if (ngx_strncasecmp(value->data + i, text->data, text->len) == 0) {
            return 1;
        }
    }

    return 0;
}


/*
 * The client's page of what was read.  A cursor of ours is "o" and the number
 * of groups that it is after.
 */

ngx_int_t
ngx_group_plan_cut(ngx_group_plan_t *plan)
{
    u_char             *p;
    int64_t             offset, limit, total, i;
    ngx_str_t           key, *cursor, text;
    ngx_group_value_t  *order, *page, *v, *next;

    order = ngx_group_plan_get(plan->query, "order");

    if (order) {
        ngx_group_order_sort(order, plan->items);
    }

    total = plan->items->n;
    limit = ngx_group_plan_integer(plan->query, "limit", total);
    offset = ngx_group_plan_integer(plan->query, "offset", 0);

    if (offset == 0) {
        offset = ngx_group_plan_integer(plan->query, "page", 0);

        /* a page behind the last one may be any number */

        offset = (limit && offset > total / limit) ? total : offset * limit;
    }

    cursor = ngx_group_plan_text(plan->query, "cursor");

    if (cursor->len) {
        offset = (cursor->data[0] == 'o')
                 ? ngx_atoi(cursor->data + 1, cursor->len - 1) : NGX_ERROR;

        if (offset == NGX_ERROR) {
            ngx_group_error_set(&plan->error, NGX_GROUP_INVALID, "cursor",
                                "the page token is not one of ours");
            return NGX_DECLINED;
        }
    }

    plan->result = ngx_group_value_create(plan->pool, NGX_GROUP_OBJECT);
    page = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);

    if (plan->result == NULL || page == NULL) {
        return NGX_ERROR;
    }

    for (v = plan->items->u.items.first, i = 0; v; v = next, i++) {
        next = v->next;

        if (i >= offset && i - offset < limit) {
            v->next = NULL;
            ngx_group_value_push(page, v);
        }
    }

    ngx_str_set(&key, "items");
    ngx_group_value_set(plan->result, &key, page);

    if (ngx_group_plan_number(plan, plan->result, "total", total) != NGX_OK) {
        return NGX_ERROR;
    }

    if (limit > 0 && offset < total && limit < total - offset) {
        p = ngx_pnalloc(plan->pool, NGX_INT64_LEN + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        text.data = p;
        text.len = ngx_sprintf(p, "o%L", offset + limit) - p;

        if (ngx_group_plan_set(plan, plan->result, "next", &text) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    plan->item = page->u.items.first;

    return ngx_group_plan_finish(plan);
}


/* what the upstream does not tell of the items from plan->item on */

static ngx_int_t
ngx_group_plan_finish(ngx_group_plan_t *plan)
{
    if (plan->op->operation != NGX_GROUP_MEMBER_LIST) {
        return ngx_group_plan_fill(plan);
    }

    for ( /* void */ ; plan->item; plan->item = plan->item->next) {
        if (ngx_group_plan_name(plan, plan->item) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a number of the tree, or the value itself when there is no name */

static int64_t
ngx_group_plan_integer(ngx_group_value_t *object, char *name, int64_t absent)
{
    int64_t             n;
    ngx_group_value_t  *v;

    v = name ? ngx_group_plan_get(object, name) : object;

    if (v == NULL || v->type != NGX_GROUP_NUMBER) {
        return absent;
    }

    n = ngx_atoi(v->u.text.data, v->u.text.len);

    return (n == NGX_ERROR) ? absent : n;
}
