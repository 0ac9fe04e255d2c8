
#include "unit.h"
#include "ngx_group_value.h"


static ngx_group_value_t *
text(ngx_pool_t *pool, const char *s)
{
    ngx_str_t  str;

    str = unit_str(s);

    return ngx_group_value_string(pool, &str);
}


static void
add(ngx_pool_t *pool, ngx_group_value_t *object, const char *key,
    const char *s)
{
    ngx_group_value_t  *value;

    value = text(pool, s);
    value->key = unit_str(key);

    ngx_group_value_push(object, value);
}


/* "key=text,..." as one text */

static ngx_str_t
flat(ngx_pool_t *pool, ngx_group_value_t *object)
{
    u_char             *p;
    ngx_str_t           out;
    ngx_uint_t          n;
    ngx_group_value_t  *item;

    out.data = ngx_pnalloc(pool, 1000);
    p = out.data;
    n = 0;

    for (item = object->u.items.first; item; item = item->next) {
        p = ngx_slprintf(p, out.data + 1000, "%V=%V,", &item->key,
                         &item->u.text);
        n++;

        if (item->next == NULL && item != object->u.items.last) {
            p = ngx_slprintf(p, out.data + 1000, "BAD LAST");
        }
    }

    if (n != object->n) {
        p = ngx_slprintf(p, out.data + 1000, "BAD N");
    }

    if (n == 0 && object->u.items.last) {
        p = ngx_slprintf(p, out.data + 1000, "BAD EMPTY");
    }

    out.len = (size_t) (p - out.data);

    return out;
}


static void
set(ngx_pool_t *pool, ngx_group_value_t *object, const char *key,
    const char *s)
{
    ngx_str_t  str;

    str = unit_str(key);

    ngx_group_value_set(object, &str, text(pool, s));
}


static void
unset(ngx_group_value_t *object, const char *key)
{
    ngx_str_t  str;

    str = unit_str(key);

    ngx_group_value_unset(object, &str);
}


static ngx_group_value_t *
make(ngx_pool_t *pool, const char *pairs)
{
    const char         *p;
    ngx_str_t           key, str;
    ngx_group_value_t  *object, *value;

    object = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    for (p = pairs; *p; p += 3) {

        /* "a1 b2 " */

        key.data = (u_char *) p;
        key.len = 1;
        str.data = (u_char *) p + 1;
        str.len = 1;

        value = ngx_group_value_string(pool, &str);
        value->key = key;

        ngx_group_value_push(object, value);
    }

    return object;
}


static void
test_constructors(ngx_pool_t *pool)
{
    ngx_group_value_t  *v;

    v = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
    ok(v->type == NGX_GROUP_ARRAY && v->n == 0
       && v->u.items.first == NULL && v->u.items.last == NULL
       && v->next == NULL && v->key.len == 0, "an array is empty");

    v = ngx_group_value_create(pool, NGX_GROUP_NULL);
    ok(v->type == NGX_GROUP_NULL, "null");

    v = ngx_group_value_boolean(pool, 4);
    ok(v->type == NGX_GROUP_BOOLEAN && v->u.flag == 1, "true is 1");

    v = ngx_group_value_boolean(pool, 0);
    ok(v->u.flag == 0, "false is 0");

    v = ngx_group_value_integer(pool, 0);
    ok(v->type == NGX_GROUP_NUMBER, "an integer is a number");
    is(&v->u.text, "0", "0");

    v = ngx_group_value_integer(pool, INT64_MAX);
    is(&v->u.text, "9223372036854775807", "the largest integer");

    v = ngx_group_value_integer(pool, INT64_MIN);
    is(&v->u.text, "-9223372036854775808", "the smallest integer");

    v = text(pool, "abc");
    ok(v->type == NGX_GROUP_STRING, "a string");
    is(&v->u.text, "abc", "its text");
}


static void
test_members(ngx_pool_t *pool)
{
    ngx_str_t           key, s;
    ngx_group_value_t  *o, *v;

    o = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    set(pool, o, "a", "1");
    set(pool, o, "b", "2");
    set(pool, o, "c", "3");

    s = flat(pool, o);
    is(&s, "a=1,b=2,c=3,", "set appends");

    set(pool, o, "a", "4");
    set(pool, o, "b", "5");
    set(pool, o, "c", "6");

    s = flat(pool, o);
    is(&s, "a=4,b=5,c=6,", "set replaces in place: first, middle, last");

    set(pool, o, "d", "7");

    s = flat(pool, o);
    is(&s, "a=4,b=5,c=6,d=7,", "appending after the last was replaced");

    key = unit_str("b");
    v = ngx_group_value_get(o, &key);
    is(&v->u.text, "5", "get");

    ngx_str_set(&key, "bb");
    ok(ngx_group_value_get(o, &key) == NULL, "get: a longer key");

    ngx_str_null(&key);
    ok(ngx_group_value_get(o, &key) == NULL, "get: an empty key");

    ok(ngx_group_value_get(NULL, &key) == NULL, "get of NULL");
    ok(ngx_group_value_get(text(pool, "x"), &key) == NULL,
       "get of a string");
    ok(ngx_group_value_get(ngx_group_value_create(pool, NGX_GROUP_ARRAY),
                           &key) == NULL, "get of an array");

    v = text(pool, "8");
    ngx_group_value_set(o, &o->u.items.first->key, v);

    s = flat(pool, o);
    is(&s, "a=8,b=5,c=6,d=7,", "set with the replaced member's own key");

    ngx_str_null(&key);
    ngx_group_value_set(o, &key, text(pool, "9"));
    v = ngx_group_value_get(o, &key);
    ok(v != NULL, "the empty key is a key");
    unset(o, "");

    unset(o, "b");
    s = flat(pool, o);
    is(&s, "a=8,c=6,d=7,", "unset in the middle");

    unset(o, "d");
    s = flat(pool, o);
    is(&s, "a=8,c=6,", "unset the last");

    set(pool, o, "e", "1");
    s = flat(pool, o);
    is(&s, "a=8,c=6,e=1,", "and append");

    unset(o, "a");
    s = flat(pool, o);
    is(&s, "c=6,e=1,", "unset the first");

    unset(o, "nothing");
    s = flat(pool, o);
    is(&s, "c=6,e=1,", "unset what is not there");

    ngx_group_value_unset(o, &o->u.items.first->key);
    ngx_group_value_unset(o, &o->u.items.first->key);
    s = flat(pool, o);
    is(&s, "", "unset by the member's own key, until nothing is left");

    unset(o, "a");
    ok(o->n == 0, "unset of an empty object");

    add(pool, o, "m", "1");
    add(pool, o, "x", "2");
    add(pool, o, "m", "3");
    add(pool, o, "m", "4");

    key = unit_str("m");
    v = ngx_group_value_get(o, &key);
    is(&v->u.text, "1", "get gives the first of several");

    unset(o, "m");
    s = flat(pool, o);
    is(&s, "x=2,", "unset removes all of them");
}


static void
test_copy(ngx_pool_t *pool)
{
    ngx_str_t           key, s;
    ngx_group_value_t  *o, *a, *c, *v;

    o = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    a = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

    key = unit_str("list");
    ngx_group_value_set(o, &key, a);

    ngx_group_value_push(a, text(pool, "1"));
    ngx_group_value_push(a, ngx_group_value_boolean(pool, 1));
    ngx_group_value_push(a, ngx_group_value_create(pool, NGX_GROUP_NULL));
    ngx_group_value_push(a, ngx_group_value_create(pool, NGX_GROUP_OBJECT));

    set(pool, o, "name", "n");

    c = ngx_group_value_copy(pool, o);

    ok(ngx_group_value_equal(o, c) && ngx_group_value_equal(c, o),
       "a copy is equal");

    v = ngx_group_value_get(c, &key);
    ok(v && v != a && v->n == 4, "the array was copied");
    is(&v->key, "list", "with its key");

    ngx_group_value_push(v, text(pool, "2"));

    ok(a->n == 4, "the original is left alone");
    ok(!ngx_group_value_equal(o, c), "and differs now");

    /* a member that is followed by another one */

    v = ngx_group_value_copy(pool, a);
    ok(v->next == NULL, "a copied member has no next");

    v = ngx_group_value_copy(pool, a->u.items.first);
    s = v->u.text;
    is(&s, "1", "a copied string");
    ok(v->next == NULL, "has no next");
}


static void
test_equal(ngx_pool_t *pool)
{
    size_t              i;
    ngx_group_value_t  *a, *b;

    static struct {
        const char  *a;
        const char  *b;
        ngx_uint_t   equal;
    } cases[] = {
        { "", "", 1 },
        { "a1 ", "a1 ", 1 },
        { "a1 ", "a2 ", 0 },
        { "a1 ", "b1 ", 0 },
        { "a1 ", "", 0 },
        { "", "a1 ", 0 },
        { "a1 b2 ", "b2 a1 ", 1 },
        { "a1 b2 c3 ", "a1 c3 b2 ", 1 },
        { "a1 b2 c3 ", "c3 b2 a1 ", 1 },
        { "a1 b2 c3 ", "c3 b2 a2 ", 0 },
        { "a1 b2 c3 ", "c3 b2 d1 ", 0 },
        { "a1 a2 b3 ", "b3 a1 a2 ", 1 },
        { "a1 a2 b3 ", "b3 a2 a1 ", 0 },
        { "a1 a1 b3 ", "b3 a1 b3 ", 0 },
        { "b3 a1 b3 ", "a1 a1 b3 ", 0 },
        { "a1 b1 a2 b2 ", "b1 b2 a1 a2 ", 1 },
        { "a1 b1 a2 b2 ", "b1 b2 a2 a1 ", 0 },
        { "a1 a2 a3 ", "a1 a2 a3 ", 1 },
        { "a1 a2 a3 ", "a1 a2 ", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        a = make(pool, cases[i].a);
        b = make(pool, cases[i].b);

        each(ngx_group_value_equal(a, b) == cases[i].equal, "%s / %s",
             cases[i].a, cases[i].b);
        each(ngx_group_value_equal(b, a) == cases[i].equal, "%s / %s",
             cases[i].b, cases[i].a);

        a->type = NGX_GROUP_ARRAY;
        each(!ngx_group_value_equal(a, b), "array and object");
    }

    unit_cases("objects are equal when their members are");

    a = make(pool, "a1 b2 ");
    b = make(pool, "b2 a1 ");
    a->type = NGX_GROUP_ARRAY;
    b->type = NGX_GROUP_ARRAY;
    ok(!ngx_group_value_equal(a, b), "order counts in arrays");

    b = make(pool, "x1 y2 ");
    b->type = NGX_GROUP_ARRAY;
    ok(ngx_group_value_equal(a, b), "keys do not");

    a = ngx_group_value_integer(pool, 1);
    b = text(pool, "1");
    ok(!ngx_group_value_equal(a, b), "1 is not \"1\"");

    b->type = NGX_GROUP_NUMBER;
    ok(ngx_group_value_equal(a, b), "1 is 1");

    b->u.text = unit_str("1.0");
    ok(!ngx_group_value_equal(a, b), "1 is not 1.0");

    a = ngx_group_value_boolean(pool, 1);
    b = ngx_group_value_boolean(pool, 1);
    b->u.flag = 2;
    ok(ngx_group_value_equal(a, b), "true is true");

    a = ngx_group_value_create(pool, NGX_GROUP_NULL);
    b = ngx_group_value_boolean(pool, 0);
    ok(!ngx_group_value_equal(a, b), "null is not false");
    ok(ngx_group_value_equal(a, a), "null is null");

    /* many members in the other order: must not take for ever */

    a = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    b = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    add(pool, a, "x", "x");

    for (i = 0; i < 20000; i++) {
        add(pool, a, "m", "1");
        add(pool, b, "m", "1");
    }

    add(pool, b, "x", "x");

    ok(ngx_group_value_equal(a, b), "a long list of one key");
}


static void
test_memory(void)
{
    ngx_pool_t         *pool;
    ngx_uint_t          n;
    ngx_group_value_t  *o, *c;

    for (n = 1; n < 1000; n++) {
        pool = unit_pool();
        o = make(pool, "a1 b2 c3 ");
        c = make(pool, "d1 e2 ");
        c->key = unit_str("f");
        ngx_group_value_push(o, c);

        unit_fail(n);
        c = ngx_group_value_copy(pool, o);
        each((c == NULL) == unit_failed(), "copy, %lu", (unsigned long) n);

        if (!unit_failed()) {
            unit_fail(0);
            ngx_destroy_pool(pool);
            break;
        }

        unit_fail(0);
        ngx_destroy_pool(pool);
    }

    pool = unit_pool();

    for (n = 1; n <= 2; n++) {
        unit_fail(n);
        each(ngx_group_value_integer(pool, 5) == NULL, "integer");
    }

    unit_fail(1);
    each(ngx_group_value_boolean(pool, 1) == NULL, "boolean");
    unit_fail(1);
    each(text(pool, "") == NULL, "string");
    unit_fail(0);

    ngx_destroy_pool(pool);

    unit_cases("no memory");
}


int
main(void)
{
    ngx_pool_t  *pool;

    pool = unit_pool();

    test_constructors(pool);
    test_members(pool);
    test_copy(pool);
    test_equal(pool);
    test_memory();

    ngx_destroy_pool(pool);

    return unit_done();
}
