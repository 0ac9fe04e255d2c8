
/*
 * The calls of a plan's rounds, and the canonical values that go into them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_plan_steps.h"
#include "ngx_group_text.h"


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

    if (plan->late && !plan->undoing && !plan->closing) {
        ngx_group_error_set(&plan->error, NGX_GROUP_TIMEOUT, "deadline",
                            "all the upstream calls take too long");
        return NGX_DECLINED;
    }

    if (ngx_group_plan_room(plan, 1) != NGX_OK) {
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
ngx_group_plan_room(ngx_group_plan_t *plan, ngx_uint_t calls)
{
    if (plan->undoing || plan->closing
        || (plan->calls <= plan->max_calls
            && calls <= plan->max_calls - plan->calls))
    {
        return NGX_OK;
    }

    ngx_group_error_set(&plan->error, NGX_GROUP_NOT_SUPPORTED, "calls",
                        "this takes more upstream calls than "
                        "group_plan_max_calls allows");

    return NGX_DECLINED;
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
