
/*
 * Filters and orderings.  What is read is written, and read again as the same;
 * what was written matches the same groups.  A hint is in each group that
 * matches.  A list that was sorted is a list of the same, and stays as it is
 * when it is sorted again.
 *
 * The first byte of an input chooses what it is: "a" a SCIM filter, "b" an
 * OData filter, "c" a filter as a tree, in JSON, "d" and "e" an ordering.
 */


#include "fuzz.h"
#include "ngx_group_filter.h"
#include "ngx_group_json.h"


#define GROUPS  7


static void text(ngx_pool_t *pool, ngx_uint_t syntax, ngx_str_t *in);
static void tree(ngx_pool_t *pool, ngx_str_t *in);
static void order(ngx_pool_t *pool, ngx_uint_t syntax, ngx_str_t *in);
static void matches(ngx_pool_t *pool, ngx_group_value_t *filter,
    ngx_group_value_t *again);
static ngx_uint_t contains(ngx_str_t *text, ngx_str_t *part,
    ngx_uint_t exact);
static ngx_uint_t has_op(ngx_group_value_t *filter, const char *op);
static ngx_group_value_t *plain(ngx_pool_t *pool, ngx_group_value_t *filter);
static ngx_group_value_t *get(ngx_group_value_t *object, const char *name);


static ngx_keyval_t  scim_names[] = {
    { ngx_string("id"), ngx_string("id") },
    { ngx_string("displayName"), ngx_string("name") },
    { ngx_string("externalId"), ngx_string("external_id") },
    { ngx_string("members"), ngx_string("members") },
    { ngx_string("meta.created"), ngx_string("created_at") },
    { ngx_string("active"), ngx_string("sticky_sender") },
    { ngx_string("size"), ngx_string("member_count") }
};

static ngx_keyval_t  odata_names[] = {
    { ngx_string("id"), ngx_string("id") },
    { ngx_string("name"), ngx_string("name") },
    { ngx_string("description"), ngx_string("description") },
    { ngx_string("created"), ngx_string("created_at") },
    { ngx_string("active"), ngx_string("sticky_sender") },
    { ngx_string("size"), ngx_string("member_count") }
};

static ngx_array_t  names[] = {
    { scim_names, sizeof(scim_names) / sizeof(ngx_keyval_t),
      sizeof(ngx_keyval_t), 0, NULL },
    { odata_names, sizeof(odata_names) / sizeof(ngx_keyval_t),
      sizeof(ngx_keyval_t), 0, NULL }
};

static const char  *samples[GROUPS] = {
    "{}",
    "{\"id\":\"1\",\"name\":\"Sales\",\"member_count\":0,\"members\":[]}",
    "{\"id\":\"2\",\"name\":\"sales\",\"member_count\":10,"
        "\"members\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"sticky_sender\":true}",
    "{\"id\":\"\",\"name\":null,\"description\":\"it's\","
        "\"sticky_sender\":false,\"created_at\":\"2024-01-01T00:00:00Z\"}",
    "{\"id\":\"~\",\"name\":\"\xc3\xa4 b \\\"c\\\"\",\"member_count\":1e2,"
        "\"external_id\":\"x\"}",
    "{\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\",\"id\":\"a\","
        "\"member_count\":-0.5,\"created_at\":\"2023-12-31T23:59:59Z\"}",
    "{\"name\":\"SALES EAST\",\"description\":\"\",\"id\":\"A\","
        "\"member_count\":9007199254740993}"
};


void
fuzz_start(void)
{
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    ngx_uint_t  what;

    what = fuzz_choice(in, 5);

    switch (what) {

    case 0:
    case 1:
        text(pool, what, in);
        break;

    case 2:
        tree(pool, in);
        break;

    default:
        order(pool, what - 3, in);
    }
}


static void
text(ngx_pool_t *pool, ngx_uint_t syntax, ngx_str_t *in)
{
    ngx_int_t           rc;
    ngx_str_t           why, out;
    ngx_group_value_t  *filter, *again;

    ngx_str_null(&why);

    rc = ngx_group_filter_parse(pool, syntax, &names[syntax], in, &filter,
                                &why);

    check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);

    if (rc != NGX_OK) {
        fuzz_sentence(&why, "the reason");
        return;
    }

    check(ngx_group_filter_check(filter, &why) == NGX_OK, "%s: %s",
          unit_show(&why), fuzz_json(pool, filter));

    again = filter;

    rc = ngx_group_filter_write(pool, syntax, &names[syntax], filter, &out);

    if (rc == NGX_OK) {

        check(ngx_group_filter_parse(pool, syntax, &names[syntax], &out,
                                     &again, &why)
              == NGX_OK, "%s: %s", unit_show(&why), unit_show(&out));

        fuzz_same(pool, filter, again, "not the same when read again");

    } else {

        /* but for "not" of OData only what became longer */

        check(rc == NGX_DECLINED
              && (in->len > NGX_GROUP_FILTER_MAX_LEN / 6
                  || (syntax == NGX_GROUP_FILTER_ODATA
                      && has_op(filter, "not"))),
              "%s cannot be written", fuzz_json(pool, filter));
    }

    matches(pool, filter, again);
}


static void
tree(ngx_pool_t *pool, ngx_str_t *in)
{
    ngx_int_t            rc;
    ngx_str_t            why, out;
    ngx_uint_t           syntax;
    ngx_group_value_t   *filter, *again;
    ngx_group_limits_t   limits = { 80, 1000 };

    if (ngx_group_json_decode(pool, &limits, in, &filter, &why) != NGX_OK) {
        return;
    }

    if (ngx_group_filter_check(filter, &why) != NGX_OK) {
        fuzz_sentence(&why, "the reason");

        for (syntax = 0; syntax < 2; syntax++) {
            check(ngx_group_filter_write(pool, syntax, &names[syntax], filter,
                                         &out)
                  == NGX_DECLINED, "written, and is none: %s",
                  fuzz_json(pool, filter));
        }

        return;
    }

    matches(pool, filter, filter);

    for (syntax = 0; syntax < 2; syntax++) {

        rc = ngx_group_filter_write(pool, syntax, &names[syntax], filter,
                                    &out);

        if (rc != NGX_OK) {
            check(rc == NGX_DECLINED, "%d", (int) rc);
            continue;
        }

        check(ngx_group_filter_parse(pool, syntax, &names[syntax], &out,
                                     &again, &why)
              == NGX_OK, "%s: %s", unit_show(&why), unit_show(&out));

        fuzz_same(pool, plain(pool, filter), plain(pool, again),
                  "not the same when read again");

        matches(pool, filter, again);
    }
}


static void
matches(ngx_pool_t *pool, ngx_group_value_t *filter, ngx_group_value_t *again)
{
    ngx_int_t           rc;
    ngx_str_t           field, hint;
    ngx_uint_t          i, exact, hinted;
    ngx_group_value_t  *group, *name;

    ngx_str_set(&field, "name");

    hinted = (ngx_group_filter_hint(filter, &field, &hint, &exact) == NGX_OK);

    for (i = 0; i < GROUPS; i++) {
        group = fuzz_tree(pool, samples[i]);

        rc = ngx_group_filter_match(filter, group);

        check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);
        check(ngx_group_filter_match(again, group) == rc,
              "%s: %s matches, the other does not", samples[i],
              fuzz_json(pool, rc == NGX_OK ? filter : again));

        if (rc != NGX_OK || !hinted) {
            continue;
        }

        name = get(group, "name");

        check(name && name->type == NGX_GROUP_STRING
              && contains(&name->u.text, &hint, exact),
              "%s: no %s in it: %s", samples[i], unit_show(&hint),
              fuzz_json(pool, filter));
    }
}


static void
order(ngx_pool_t *pool, ngx_uint_t syntax, ngx_str_t *in)
{
    ngx_int_t           rc;
    ngx_str_t           why, by, direction, first, second;
    ngx_uint_t          i, n;
    ngx_group_value_t  *order, *list, *v;

    by = fuzz_until(in, '\n');
    direction = *in;

    ngx_str_null(&why);

    rc = ngx_group_order_parse(pool, syntax, &names[syntax], &by,
                               direction.len ? &direction : NULL, &order,
                               &why);

    check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);

    if (rc != NGX_OK) {
        fuzz_sentence(&why, "the reason");
        return;
    }

    check(order->type == NGX_GROUP_ARRAY
          && order->n <= NGX_GROUP_ORDER_MAX, "too many");

    list = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

    for (i = 0; i < GROUPS; i++) {
        v = fuzz_tree(pool, samples[i]);
        ngx_group_value_push(list, v);
    }

    ngx_group_order_sort(order, list);

    check(ngx_group_json_encode(pool, list, &first) == NGX_OK, "no memory");

    for (i = 0; i < GROUPS; i++) {
        n = 0;

        for (v = list->u.items.first; v; v = v->next) {
            n += ngx_group_value_equal(v, fuzz_tree(pool, samples[i]));
        }

        check(n == 1 && list->n == GROUPS, "%lu of %s",
              (unsigned long) n, samples[i]);
    }

    ngx_group_order_sort(order, list);

    check(ngx_group_json_encode(pool, list, &second) == NGX_OK
          && fuzz_equal(&first, &second), "another order: %s, %s",
          unit_show(&first), unit_show(&second));
}


static ngx_uint_t
contains(ngx_str_t *text, ngx_str_t *part, ngx_uint_t exact)
{
    size_t  i;

    for (i = 0; i + part->len <= text->len; i++) {
        if (exact ? memcmp(text->data + i, part->data, part->len) == 0
                  : strncasecmp((char *) text->data + i, (char *) part->data,
                                part->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
has_op(ngx_group_value_t *filter, const char *op)
{
    ngx_str_t           is;
    ngx_group_value_t  *v;

    is = unit_str(op);
    v = get(filter, "op");

    if (v && fuzz_equal(&v->u.text, &is)) {
        return 1;
    }

    v = get(filter, "args");

    for (v = v ? v->u.items.first : NULL; v; v = v->next) {
        if (has_op(v, op)) {
            return 1;
        }
    }

    return 0;
}


/* in one form: "and" and "or" of one are that one, what is left out is said */

static ngx_group_value_t *
plain(ngx_pool_t *pool, ngx_group_value_t *filter)
{
    ngx_str_t           op, key;
    ngx_uint_t          i, list;
    ngx_group_value_t  *out, *args, *v, *copy;

    static const char  *keys[] = { "op", "field", "value", "exact" };

    op = get(filter, "op")->u.text;
    args = get(filter, "args");

    list = ngx_group_str_is(&op, "and") || ngx_group_str_is(&op, "or");

    if (list && args->n == 1) {
        return plain(pool, args->u.items.first);
    }

    out = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    for (i = 0; i < 4; i++) {
        key = unit_str(keys[i]);
        v = get(filter, keys[i]);

        if (i && (list || ngx_group_str_is(&op, "not"))) {
            break;
        }

        if ((i == 1 && ngx_group_str_is(&op, "member"))
            || (i == 2 && ngx_group_str_is(&op, "present"))
            || (i == 3 && (ngx_group_str_is(&op, "present")
                           || ngx_group_str_is(&op, "member"))))
        {
            continue;
        }

        if (i == 3 && get(out, "value")->type != NGX_GROUP_STRING) {
            v = NULL;
        }

        copy = v ? ngx_group_value_copy(pool, v)
                 : ngx_group_value_create(pool, NGX_GROUP_NULL);

        if (i == 3 && copy->type == NGX_GROUP_NULL) {
            copy = ngx_group_value_boolean(pool, 1);
        }

        copy->key = key;
        ngx_group_value_push(out, copy);
    }

    if (list || ngx_group_str_is(&op, "not")) {
        copy = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
        ngx_str_set(&copy->key, "args");
        ngx_group_value_push(out, copy);

        for (v = args->u.items.first; v; v = v->next) {
            ngx_group_value_push(copy, plain(pool, v));
        }
    }

    return out;
}


static ngx_group_value_t *
get(ngx_group_value_t *object, const char *name)
{
    ngx_str_t  key;

    key = unit_str(name);

    return ngx_group_value_get(object, &key);
}
