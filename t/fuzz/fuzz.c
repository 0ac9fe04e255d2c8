
#include "fuzz.h"
#include "ngx_group_json.h"
#include "ngx_group_text.h"

#include <stdarg.h>
#include <stdint.h>


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    unit_log.log_level = 0;

    fuzz_start();

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    in, whole;
    ngx_pool_t  *pool;
    ngx_uint_t   live;

    live = unit_live();

    whole = unit_exact(data, size);
    in = whole;

    pool = unit_pool();

    fuzz_one(pool, &in);

    ngx_destroy_pool(pool);
    unit_exact_free(&whole);

    check(unit_live() == live, "%lu allocations are left",
          (unsigned long) (unit_live() - live));

    return 0;
}


void
fuzz_fail(const char *file, int line, const char *cond, const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "\nfuzz: %s:%d: not so: %s\nfuzz: ", file, line, cond);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");

    abort();
}


ngx_uint_t
fuzz_choice(ngx_str_t *in, ngx_uint_t n)
{
    ngx_uint_t  c;

    if (in->len == 0) {
        return 0;
    }

    c = (u_char) (in->data[0] - 'a') % n;

    in->data++;
    in->len--;

    return c;
}


ngx_str_t
fuzz_until(ngx_str_t *in, u_char end)
{
    size_t     n;
    ngx_str_t  part;

    for (n = 0; n < in->len && in->data[n] != end; n++) { /* void */ }

    part.data = in->data;
    part.len = n;

    n += (n < in->len);

    in->data += n;
    in->len -= n;

    return part;
}


void
fuzz_sentence(ngx_str_t *text, const char *what)
{
    size_t  i;

    check(text->len != 0, "%s: is empty", what);
    check(ngx_group_utf8(text, NULL, &i) == NGX_OK, "%s: no UTF-8: %s", what,
          unit_show(text));

    for (i = 0; i < text->len; i++) {
        check(text->data[i] >= 0x20 && text->data[i] != 0x7f,
              "%s: a control character: %s", what, unit_show(text));
    }
}


ngx_uint_t
fuzz_equal(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


char *
fuzz_json(ngx_pool_t *pool, ngx_group_value_t *value)
{
    char       *text;
    ngx_str_t   out;

    if (value == NULL) {
        return "nothing";
    }

    if (ngx_group_json_encode(pool, value, &out) != NGX_OK) {
        abort();
    }

    text = ngx_pnalloc(pool, out.len + 1);
    memcpy(text, out.data, out.len);
    text[out.len] = '\0';

    return text;
}


ngx_group_value_t *
fuzz_tree(ngx_pool_t *pool, const char *text)
{
    ngx_str_t            in, error;
    ngx_group_value_t   *value;
    ngx_group_limits_t   limits = { 32, 1000 };

    in = unit_str(text);

    if (ngx_group_json_decode(pool, &limits, &in, &value, &error) != NGX_OK) {
        abort();
    }

    return value;
}


void
fuzz_same(ngx_pool_t *pool, ngx_group_value_t *a, ngx_group_value_t *b,
    const char *what)
{
    char  *s, *t;

    s = fuzz_json(pool, a);
    t = fuzz_json(pool, b);

    check(ngx_group_value_equal(a, b) && strcmp(s, t) == 0,
          "%s:\n%s\n%s", what, s, t);
}


void
fuzz_canonical(ngx_pool_t *pool, ngx_group_of_e of, ngx_group_value_t *value)
{
    ngx_group_value_t      *v, *item;
    ngx_group_canonical_t  *field;

    check(value->type == NGX_GROUP_OBJECT, "no object: %s",
          fuzz_json(pool, value));

    for (v = value->u.items.first; v; v = v->next) {

        for (item = v->next; item; item = item->next) {
            check(!fuzz_equal(&v->key, &item->key), "\"%s\" twice: %s",
                  unit_show(&v->key), fuzz_json(pool, value));
        }

        if (ngx_group_str_is(&v->key, "ext")) {
            continue;
        }

        field = ngx_group_canonical_find(of, &v->key);

        check(field != NULL, "no field \"%s\": %s", unit_show(&v->key),
              fuzz_json(pool, value));
        check(field->type == v->type, "\"%s\" is of another type: %s",
              unit_show(&v->key), fuzz_json(pool, value));

        if (field->of == NGX_GROUP_OF_NOTHING) {
            continue;
        }

        if (v->type == NGX_GROUP_OBJECT) {
            fuzz_canonical(pool, field->of, v);
            continue;
        }

        for (item = v->u.items.first; item; item = item->next) {
            fuzz_canonical(pool, field->of, item);
        }
    }
}
