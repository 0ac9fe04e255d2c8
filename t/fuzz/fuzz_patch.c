
/*
 * SCIM's PATCH: what is refused is told and changes nothing; what is accepted
 * makes of a canonical group a canonical group, the same one each time, and the
 * same when it is done twice.  What is to be added and removed is what makes
 * the group's members those that they become.
 *
 * The first byte of an input chooses the form of the ids of members; "e": the
 * input is a change itself, as a hook may leave it.
 */


#include "fuzz.h"
#include "ngx_group_json.h"
#include "ngx_group_patch.h"
#include "ngx_group_text.h"


#define GROUPS  3


static void change_groups(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_uint_t decoded);
static void members(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *group, ngx_group_value_t *result);
static ngx_group_value_t *find(ngx_group_value_t *list, ngx_str_t *id);
static ngx_group_value_t *get(ngx_group_value_t *object, const char *name);


static ngx_keyval_t  patch_names[] = {
    { ngx_string("displayName"), ngx_string("name") },
    { ngx_string("externalId"), ngx_string("external_id") },
    { ngx_string("description"), ngx_string("description") },
    { ngx_string("sticky"), ngx_string("sticky_sender") },
    { ngx_string("size"), ngx_string("member_count") },
    { ngx_string("id"), ngx_string("id") },
    { ngx_string("members"), ngx_string("members") },
    { ngx_string("meta.created"), ngx_string("created_at") }
};

static ngx_array_t  patch_list = {
    patch_names, sizeof(patch_names) / sizeof(ngx_keyval_t),
    sizeof(ngx_keyval_t), 0, NULL
};

static const char  *groups[GROUPS] = {
    "{\"id\":\"g\",\"name\":\"Sales\"}",
    "{\"id\":\"g\",\"name\":\"Sales\",\"external_id\":\"x\",\"members\":[],"
        "\"member_count\":0}",
    "{\"id\":\"g\",\"name\":\"Sales\",\"sticky_sender\":true,\"members\":["
        "{\"id\":\"a\",\"name\":\"Ann\"},{\"id\":\"b\"},{\"id\":\"10\"},"
        "{\"id\":\"c\",\"type\":\"User\"}],\"member_count\":4}"
};

static const char  *codes[] = {
    "invalidSyntax", "invalidPath", "invalidFilter", "invalidValue",
    "noTarget", "mutability", "tooMany", NULL
};


void
fuzz_start(void)
{
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    ngx_str_t                 why, code;
    ngx_uint_t                i, form;
    ngx_group_error_t         error;
    ngx_group_value_t        *body, *change;
    ngx_group_limits_t        limits = { 32, 2000 };
    ngx_group_dialect_t       dialect;
    ngx_group_translation_t   t;

    form = fuzz_choice(in, 5);

    if (ngx_group_json_decode(pool, &limits, in, &body, &why) != NGX_OK) {
        return;
    }

    if (form == 4) {
        change_groups(pool, body, 0);
        return;
    }

    memset(&t, 0, sizeof(ngx_group_translation_t));
    memset(&dialect, 0, sizeof(ngx_group_dialect_t));
    memset(&error, 0, sizeof(ngx_group_error_t));

    t.pool = pool;
    t.log = &unit_log;
    t.dialect = &dialect;
    t.error = &error;
    t.request = 1;
    t.client = 1;
    t.member_id = form;

    check(ngx_group_patch_decode(&t, &patch_list, body, &change) == NGX_OK,
          "no memory");

    if (error.outcome == NGX_GROUP_DONE) {
        check(change != NULL, "neither a change nor an error");
        change_groups(pool, change, 1);
        return;
    }

    check(change == NULL, "a change and an error");
    check(error.outcome == NGX_GROUP_INVALID, "%d", (int) error.outcome);
    check(error.detail.len
          && ngx_group_utf8(&error.detail, NULL, NULL) == NGX_OK,
          "no detail: %s", unit_show(&error.detail));

    for (i = 0; codes[i]; i++) {
        code = unit_str(codes[i]);

        if (fuzz_equal(&code, &error.code)) {
            return;
        }
    }

    check(0, "another code: %s", unit_show(&error.code));
}


static void
change_groups(ngx_pool_t *pool, ngx_group_value_t *change, ngx_uint_t decoded)
{
    ngx_str_t           before, after;
    ngx_uint_t          i;
    ngx_group_value_t  *group, *result, *second, *v;

    check(ngx_group_json_encode(pool, change, &before) == NGX_OK,
          "no memory");

    for (i = 0; i < GROUPS; i++) {
        group = fuzz_tree(pool, groups[i]);
        result = ngx_group_value_copy(pool, group);
        second = ngx_group_value_copy(pool, group);

        check(ngx_group_patch_apply(pool, change, result) == NGX_OK
              && ngx_group_patch_apply(pool, change, second) == NGX_OK,
              "no memory");

        fuzz_same(pool, result, second, "not the same each time");

        check(ngx_group_json_encode(pool, change, &after) == NGX_OK
              && fuzz_equal(&before, &after), "the change is another: %s, %s",
              unit_show(&before), unit_show(&after));

        if (!decoded) {
            continue;
        }

        fuzz_canonical(pool, NGX_GROUP_OF_GROUP, result);

        v = get(result, "name");
        check(v && v->u.text.len, "no name is left: %s",
              fuzz_json(pool, result));

        members(pool, change, group, result);

        /* a number that was given is right until members are counted */

        if (get(get(change, "set"), "member_count")) {
            continue;
        }

        check(ngx_group_patch_apply(pool, change, second) == NGX_OK,
              "no memory");

        check(ngx_group_value_equal(result, second),
              "another when it is done twice:\n%s\n%s",
              fuzz_json(pool, result), fuzz_json(pool, second));
    }
}


static void
members(ngx_pool_t *pool, ngx_group_value_t *change, ngx_group_value_t *group,
    ngx_group_value_t *result)
{
    ngx_str_t           id;
    ngx_uint_t          n;
    ngx_group_value_t  *old, *new, *add, *remove, *v, *w, *count;

    old = get(group, "members");
    new = get(result, "members");
    count = get(result, "member_count");

    check(ngx_group_patch_members(pool, change, old, &add, &remove) == NGX_OK,
          "no memory");

    if (new == NULL) {
        check(add->n == 0 && remove->n == 0 && old == NULL,
              "members are changed, and there are none");
        return;
    }

    for (v = new->u.items.first; v; v = v->next) {
        id = get(v, "id")->u.text;

        check(id.len, "a member without an id");
        check(find(new, &id) == v, "%s twice", unit_show(&id));

        w = find(old, &id);

        if (w) {
            check(ngx_group_value_equal(v, w), "%s is another",
                  unit_show(&id));
        }

        check((w == NULL) == (find(add, &id) != NULL), "%s is %sadded",
              unit_show(&id), w ? "" : "not ");
        check(find(remove, &id) == NULL, "%s is removed", unit_show(&id));
    }

    n = (old ? old->n : 0) + add->n
        - (old ? remove->n : 0);

    check(n == new->n, "%lu members, should be %lu: %s",
          (unsigned long) new->n, (unsigned long) n,
          fuzz_json(pool, result));

    if (count && get(group, "member_count")
        && !get(get(change, "set"), "member_count"))
    {
        check(ngx_atoi(count->u.text.data, count->u.text.len)
              == (ngx_int_t) new->n, "the wrong number: %s",
              fuzz_json(pool, result));
    }
}


static ngx_group_value_t *
find(ngx_group_value_t *list, ngx_str_t *id)
{
    ngx_group_value_t  *v, *text;

    for (v = list ? list->u.items.first : NULL; v; v = v->next) {
        text = get(v, "id");

        if (text && fuzz_equal(&text->u.text, id)) {
            return v;
        }
    }

    return NULL;
}


static ngx_group_value_t *
get(ngx_group_value_t *object, const char *name)
{
    ngx_str_t  key;

    key = unit_str(name);

    return ngx_group_value_get(object, &key);
}
