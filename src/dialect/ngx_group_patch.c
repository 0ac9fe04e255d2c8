
/*
 * Changes: making them, on a group that is at hand or as members to add and to
 * remove.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_patch_internal.h"


/* a member, or what is asked about one; after settling, one for each id */

typedef struct {
    ngx_str_t                 id;
    ngx_group_value_t        *member;
    ngx_uint_t                order;
    ngx_group_patch_op_e      op;         /* NONE: a current member */
    unsigned                  current:1;
    unsigned                  wanted:1;
} ngx_group_patch_entry_t;


typedef struct {
    ngx_group_patch_entry_t  *entries;    /* in order */
    ngx_uint_t                n;
    ngx_uint_t                asked;      /* operations about members */
} ngx_group_patch_settled_t;


static ngx_group_patch_op_e ngx_group_patch_asked(ngx_group_value_t *item,
    ngx_group_value_t **member, ngx_str_t *id);
static ngx_int_t ngx_group_patch_settle(ngx_pool_t *pool,
    ngx_group_value_t *change, ngx_group_value_t *members,
    ngx_group_patch_settled_t *settled);
static ngx_uint_t ngx_group_patch_merge(ngx_group_patch_entry_t *entry,
    ngx_uint_t n, ngx_uint_t clear);
static ngx_group_value_t *ngx_group_patch_copy(ngx_pool_t *pool,
    ngx_group_value_t *member);
static ngx_group_value_t *ngx_group_patch_get(ngx_group_value_t *object,
    char *name, ngx_group_type_e type);
static int ngx_libc_cdecl ngx_group_patch_by_id(const void *one,
    const void *two);
static int ngx_libc_cdecl ngx_group_patch_by_order(const void *one,
    const void *two);


ngx_int_t
ngx_group_patch_apply(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *group)
{
    ngx_str_t                   key;
    ngx_uint_t                  i;
    ngx_group_value_t          *from, *v, *copy, *members, *current;
    ngx_group_patch_entry_t    *entry;
    ngx_group_patch_settled_t   settled;

    from = ngx_group_patch_get(change, "set", NGX_GROUP_OBJECT);

    for (v = from ? from->u.items.first : NULL; v; v = v->next) {

        copy = ngx_group_value_copy(pool, v);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(group, &v->key, copy);
    }

    from = ngx_group_patch_get(change, "unset", NGX_GROUP_ARRAY);

    for (v = from ? from->u.items.first : NULL; v; v = v->next) {
        if (v->type == NGX_GROUP_STRING) {
            ngx_group_value_unset(group, &v->u.text);
        }
    }

    current = ngx_group_patch_get(group, "members", NGX_GROUP_ARRAY);

    if (ngx_group_patch_settle(pool, change, current, &settled) != NGX_OK) {
        return NGX_ERROR;
    }

    if (settled.asked == 0) {
        return NGX_OK;
    }

    members = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
    if (members == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < settled.n; i++) {
        entry = &settled.entries[i];

        if (!entry->wanted) {
            continue;
        }

        v = entry->member;

        if (!entry->current) {
            v = ngx_group_patch_copy(pool, v);
            if (v == NULL) {
                return NGX_ERROR;
            }
        }

        ngx_group_value_push(members, v);
    }

    ngx_str_set(&key, "members");
    ngx_group_value_set(group, &key, members);

    /* a number that was right before */

    ngx_str_set(&key, "member_count");

    if (current == NULL) {
        ngx_group_value_unset(group, &key);

    } else if (ngx_group_value_get(group, &key)) {

        v = ngx_group_value_integer(pool, members->n);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(group, &key, v);
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_patch_members(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *members, ngx_group_value_t **add,
    ngx_group_value_t **remove)
{
    ngx_uint_t                  i;
    ngx_group_value_t          *v;
    ngx_group_patch_entry_t    *entry;
    ngx_group_patch_settled_t   settled;

    if (members && members->type != NGX_GROUP_ARRAY) {
        members = NULL;
    }

    *add = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
    *remove = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

    if (*add == NULL || *remove == NULL
        || ngx_group_patch_settle(pool, change, members, &settled) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < settled.n; i++) {
        entry = &settled.entries[i];

        /* where nothing is known, who is not wanted may be there */

        if (entry->id.len == 0
            || (entry->wanted ? entry->current : members && !entry->current))
        {
            continue;
        }

        v = ngx_group_patch_copy(pool, entry->member);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_push(entry->wanted ? *add : *remove, v);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_group_patch_needs_members(ngx_group_value_t *change)
{
    ngx_str_t           id;
    ngx_group_value_t  *asked, *v, *member;

    asked = ngx_group_patch_get(change, "members", NGX_GROUP_ARRAY);

    for (v = asked ? asked->u.items.first : NULL; v; v = v->next) {
        if (ngx_group_patch_asked(v, &member, &id) == NGX_GROUP_PATCH_CLEAR) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_group_patch_sets(ngx_group_value_t *change)
{
    ngx_group_value_t  *set, *unset;

    set = ngx_group_patch_get(change, "set", NGX_GROUP_OBJECT);
    unset = ngx_group_patch_get(change, "unset", NGX_GROUP_ARRAY);

    return (set && set->n) || (unset && unset->n);
}


/* NGX_GROUP_PATCH_NONE: nothing that is understood */

static ngx_group_patch_op_e
ngx_group_patch_asked(ngx_group_value_t *item, ngx_group_value_t **member,
    ngx_str_t *id)
{
    ngx_group_value_t  *op, *v;

    op = ngx_group_patch_get(item, "op", NGX_GROUP_STRING);

    if (op == NULL) {
        return NGX_GROUP_PATCH_NONE;
    }

    if (ngx_group_str_is(&op->u.text, "clear")) {
        return NGX_GROUP_PATCH_CLEAR;
    }

    *member = ngx_group_patch_get(item, "member", NGX_GROUP_OBJECT);
    v = ngx_group_patch_get(*member, "id", NGX_GROUP_STRING);

    if (v == NULL || v->u.text.len == 0) {
        return NGX_GROUP_PATCH_NONE;
    }

    *id = v->u.text;

    if (ngx_group_str_is(&op->u.text, "add")) {
        return NGX_GROUP_PATCH_ADD;
    }

    return ngx_group_str_is(&op->u.text, "remove") ? NGX_GROUP_PATCH_REMOVE
                                                   : NGX_GROUP_PATCH_NONE;
}


/*
 * What there is and what is asked, brought together: sorted by id, so that
 * thousands of members are no matter, and then as they are to stand.
 */

static ngx_int_t
ngx_group_patch_settle(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *members, ngx_group_patch_settled_t *settled)
{
    ngx_str_t                 id;
    ngx_uint_t                n, clear;
    ngx_group_value_t        *asked, *v, *member;
    ngx_group_patch_op_e      op;
    ngx_group_patch_entry_t  *entry;

    ngx_memzero(settled, sizeof(ngx_group_patch_settled_t));

    asked = ngx_group_patch_get(change, "members", NGX_GROUP_ARRAY);

    n = (members ? members->n : 0) + (asked ? asked->n : 0);

    if (n == 0) {
        return NGX_OK;
    }

    entry = ngx_pcalloc(pool, n * sizeof(ngx_group_patch_entry_t));
    if (entry == NULL) {
        return NGX_ERROR;
    }

    settled->entries = entry;
    n = 0;

    for (v = members ? members->u.items.first : NULL; v; v = v->next, n++) {
        member = ngx_group_patch_get(v, "id", NGX_GROUP_STRING);

        if (member) {
            entry[n].id = member->u.text;
        }

        entry[n].member = v;
        entry[n].order = n;
        entry[n].op = NGX_GROUP_PATCH_NONE;
        entry[n].current = 1;
    }

    settled->n = n;
    clear = 0;

    for (v = asked ? asked->u.items.first : NULL; v; v = v->next) {

        op = ngx_group_patch_asked(v, &member, &id);

        if (op == NGX_GROUP_PATCH_NONE) {
            continue;
        }

        settled->asked++;

        if (op == NGX_GROUP_PATCH_CLEAR) {
            n = settled->n;
            clear = 1;
            continue;
        }

        entry[n].id = id;
        entry[n].member = member;
        entry[n].order = n;
        entry[n].op = op;
        entry[n].current = 0;
        n++;
    }

    ngx_qsort(entry, n, sizeof(ngx_group_patch_entry_t),
              ngx_group_patch_by_id);

    settled->n = ngx_group_patch_merge(entry, n, clear);

    ngx_qsort(entry, settled->n, sizeof(ngx_group_patch_entry_t),
              ngx_group_patch_by_order);

    return NGX_OK;
}


/* one entry of all those of an id; who is there already stays as he is */

static ngx_uint_t
ngx_group_patch_merge(ngx_group_patch_entry_t *entry, ngx_uint_t n,
    ngx_uint_t clear)
{
    ngx_uint_t               i, k;
    ngx_group_patch_entry_t  one;

    for (i = 0, k = 0; i < n; k++) {
        one = entry[i];
        one.wanted = (one.current && !clear);

        do {
            switch (entry[i].op) {

            case NGX_GROUP_PATCH_ADD:

                if (!one.wanted) {
                    one.wanted = 1;

                    if (!one.current) {
                        one.member = entry[i].member;
                    }

                    if (!one.current || clear) {
                        one.order = entry[i].order;
                    }
                }

                break;

            case NGX_GROUP_PATCH_REMOVE:
                one.wanted = 0;
                break;

            default:
                break;
            }

            i++;

        } while (i < n && one.id.len
                 && ngx_group_str_eq(&one.id, &entry[i].id));

        entry[k] = one;
    }

    return k;
}


/* a member of a change has a key there, which it has not in a list */

static ngx_group_value_t *
ngx_group_patch_copy(ngx_pool_t *pool, ngx_group_value_t *member)
{
    ngx_group_value_t  *copy;

    copy = ngx_group_value_copy(pool, member);

    if (copy) {
        ngx_str_null(&copy->key);
    }

    return copy;
}


/* a part of a canonical tree, when it is of that type */

static ngx_group_value_t *
ngx_group_patch_get(ngx_group_value_t *object, char *name,
    ngx_group_type_e type)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    v = ngx_group_value_get(object, &key);

    return (v && v->type == type) ? v : NULL;
}


static int ngx_libc_cdecl
ngx_group_patch_by_id(const void *one, const void *two)
{
    int                             rc;
    size_t                          n;
    const ngx_group_patch_entry_t  *a, *b;

    a = one;
    b = two;

    n = ngx_min(a->id.len, b->id.len);
    rc = n ? ngx_memcmp(a->id.data, b->id.data, n) : 0;

    if (rc) {
        return rc;
    }

    if (a->id.len != b->id.len) {
        return (a->id.len < b->id.len) ? -1 : 1;
    }

    return ngx_group_patch_by_order(one, two);
}


static int ngx_libc_cdecl
ngx_group_patch_by_order(const void *one, const void *two)
{
    const ngx_group_patch_entry_t  *a, *b;

    a = one;
    b = two;

    return (a->order > b->order) - (a->order < b->order);
}
