
/*
 * The members of each group of a list: some groups at a time, each page by
 * page.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"


/* one that is read */

typedef struct {
    ngx_group_value_t  *group;     /* NULL: there is room for the next */
    ngx_group_value_t  *members;   /* memberships, so far */
    ngx_group_value_t  *page;      /* query of the next page */
} ngx_group_plan_fill_t;


static ngx_uint_t ngx_group_plan_wants_members(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_fill_round(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_fill_next(ngx_group_plan_t *plan,
    ngx_group_plan_fill_t *fill);
static ngx_int_t ngx_group_plan_filled(ngx_group_plan_t *plan);
static ngx_int_t ngx_group_plan_fill_page(ngx_group_plan_t *plan,
    ngx_group_plan_fill_t *fill, ngx_group_step_t *step);
static void ngx_group_plan_unlist(ngx_group_plan_t *plan,
    ngx_group_value_t *group);


ngx_int_t
ngx_group_plan_fill(ngx_group_plan_t *plan)
{
    ngx_uint_t          n;
    ngx_group_value_t  *v;

    if (!ngx_group_plan_wants_members(plan)) {
        return NGX_OK;
    }

    n = 0;

    for (v = plan->item; v; v = v->next) {
        n += (ngx_group_plan_get(v, "members") == NULL);
    }

    if (n == 0) {
        return NGX_OK;
    }

    if (ngx_group_plan_room(plan, n) != NGX_OK) {
        return NGX_DECLINED;
    }

    n = ngx_min(n, plan->concurrency);

    plan->fills = ngx_pcalloc(plan->pool, sizeof(ngx_array_t));

    if (plan->fills == NULL
        || ngx_array_init(plan->fills, plan->pool, n,
                          sizeof(ngx_group_plan_fill_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    plan->fills->nelts = n;
    ngx_memzero(plan->fills->elts, n * sizeof(ngx_group_plan_fill_t));

    return ngx_group_plan_fill_round(plan);
}


/* members are wanted where the client's dialect shows or requires to count */

static ngx_uint_t
ngx_group_plan_wants_members(ngx_group_plan_t *plan)
{
    ngx_str_t     key;
    ngx_array_t  *fields;

    if (plan->upstream->ops[NGX_GROUP_MEMBER_LIST] == NULL
        || plan->brief)
    {
        return 0;
    }

    fields = ngx_group_shape(plan->op->response, 1);

    ngx_str_set(&key, "members");

    if (ngx_group_shape_find(fields, &key)) {
        return 1;
    }

    ngx_str_set(&key, "member_count");

    return ngx_group_shape_requires(fields, &key);
}


/* the next page of each that is read, in their order */

static ngx_int_t
ngx_group_plan_fill_round(ngx_group_plan_t *plan)
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_group_value_t      *query;
    ngx_group_plan_fill_t  *fill;

    ngx_group_plan_round(plan);

    fill = plan->fills->elts;

    for (i = 0; i < plan->fills->nelts; i++) {

        if (fill[i].group == NULL) {
            rc = ngx_group_plan_fill_next(plan, &fill[i]);

            if (rc == NGX_DECLINED) {
                continue;
            }

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }
        }

        query = ngx_group_value_copy(plan->pool, fill[i].page);
        if (query == NULL) {
            return NGX_ERROR;
        }

        plan->group_id = *ngx_group_plan_text(fill[i].group, "id");

        rc = ngx_group_plan_step(plan, NGX_GROUP_MEMBER_LIST,
                                 ngx_group_plan_membership(plan, NULL), query,
                                 0);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (plan->round.nelts == 0) {
        return NGX_OK;
    }

    plan->next = ngx_group_plan_filled;

    return NGX_AGAIN;
}


/* NGX_OK; NGX_DECLINED: there is none; NGX_ERROR */

static ngx_int_t
ngx_group_plan_fill_next(ngx_group_plan_t *plan, ngx_group_plan_fill_t *fill)
{
    while (plan->item && ngx_group_plan_get(plan->item, "members")) {
        plan->item = plan->item->next;
    }

    if (plan->item == NULL) {
        return NGX_DECLINED;
    }

    fill->members = ngx_group_value_create(plan->pool, NGX_GROUP_ARRAY);

    if (fill->members == NULL
        || ngx_group_plan_first(plan,
                                plan->upstream->ops[NGX_GROUP_MEMBER_LIST])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    fill->page = plan->page;
    fill->group = plan->item;

    plan->item = plan->item->next;

    return NGX_OK;
}


static ngx_int_t
ngx_group_plan_filled(ngx_group_plan_t *plan)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_group_step_t       **step;
    ngx_group_plan_fill_t   *fill;

    fill = plan->fills->elts;
    step = plan->round.elts;

    for (i = 0; i < plan->fills->nelts; i++) {

        if (fill[i].group == NULL) {
            continue;
        }

        rc = ngx_group_plan_fill_page(plan, &fill[i], *step++);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_group_plan_fill_round(plan);
}


static ngx_int_t
ngx_group_plan_fill_page(ngx_group_plan_t *plan, ngx_group_plan_fill_t *fill,
    ngx_group_step_t *step)
{
    ngx_int_t           rc;
    ngx_group_value_t  *group;

    group = fill->group;

    if (step->error.outcome == NGX_GROUP_NOT_FOUND) {

        /* the group is there no more: the list is told without it */

        ngx_group_plan_unlist(plan, group);
        fill->group = NULL;

        return NGX_OK;
    }

    if (step->error.outcome != NGX_GROUP_DONE) {
        plan->error = step->error;
        return NGX_DECLINED;
    }

    plan->page = fill->page;

    rc = ngx_group_plan_take_page(plan, step, fill->members);

    fill->page = plan->page;

    if (rc != NGX_DECLINED) {
        return rc;
    }

    plan->members = fill->members;
    fill->group = NULL;

    return ngx_group_plan_people(plan, group);
}


static void
ngx_group_plan_unlist(ngx_group_plan_t *plan, ngx_group_value_t *group)
{
    ngx_group_value_t  *items, *v, *next;

    items = ngx_group_plan_get(plan->result, "items");
    v = items->u.items.first;

    items->u.items.first = NULL;
    items->u.items.last = NULL;
    items->n = 0;

    for ( /* void */ ; v; v = next) {
        next = v->next;

        if (v != group) {
            ngx_group_value_push(items, v);
        }
    }
}
