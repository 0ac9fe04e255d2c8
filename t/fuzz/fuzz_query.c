
/*
 * Query strings, by the fields of each dialect.  What is read is written and
 * read again as the same, before it was decoded and after.
 *
 * The first byte of an input chooses an operation of a dialect, the second one
 * the side and the other side's form of ids; the query follows.
 */


#include "fuzz.h"
#include "ngx_group_dialect.h"
#include "ngx_group_text.h"


#define SHAPES  40


typedef struct {
    ngx_group_dialect_t  *dialect;
    ngx_array_t          *fields;
} shape_t;


static ngx_group_value_t *parse(ngx_group_translation_t *t, ngx_str_t *args);
static ngx_uint_t encode(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_str_t *out);
static void texts(ngx_group_value_t *value);


static shape_t     shapes[SHAPES];
static ngx_uint_t  nshapes;


void
fuzz_start(void)
{
    ngx_str_t             name, *dir;
    ngx_uint_t            i, k;
    ngx_conf_t            cf;
    ngx_array_t           dirs;
    ngx_group_dialect_t  *dialect;

    static const char    *names[] = {
        "signalwire", "vinyldns", "faxfinder", "portsip", "scim"
    };

    memset(&cf, 0, sizeof(ngx_conf_t));
    cf.pool = unit_pool();

    ngx_array_init(&dirs, cf.pool, 1, sizeof(ngx_str_t));
    dir = ngx_array_push(&dirs);
    ngx_str_set(dir, "lua/dialects");

    for (k = 0; k < 5; k++) {
        name = unit_str(names[k]);

        dialect = ngx_group_dialect_load(&cf, &name, &dirs);
        check(dialect != NULL, "%s", unit_logged);

        for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
            if (dialect->ops[i] && dialect->ops[i]->query) {
                check(nshapes < SHAPES, "too many");
                shapes[nshapes].dialect = dialect;
                shapes[nshapes].fields = dialect->ops[i]->query;
                nshapes++;
            }
        }
    }
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    shape_t                  *shape;
    ngx_str_t                 args, second;
    ngx_uint_t                side;
    ngx_group_error_t         error;
    ngx_group_value_t        *tree, *again, *query, *other;
    ngx_group_translation_t   t;

    shape = &shapes[fuzz_choice(in, nshapes)];
    side = fuzz_choice(in, 8);

    memset(&t, 0, sizeof(ngx_group_translation_t));
    memset(&error, 0, sizeof(ngx_group_error_t));

    t.pool = pool;
    t.log = &unit_log;
    t.dialect = shape->dialect;
    t.error = &error;
    t.base_path = shape->dialect->base_path;
    t.request = 1;
    t.text = 1;
    t.query = 1;
    t.id = shape->dialect->id;
    t.member_id = shape->dialect->member_id;

    if (side & 1) {
        t.client = 1;
        t.id = side >> 1;
        t.member_id = side >> 1;
    }

    tree = parse(&t, in);

    if (tree == NULL) {
        check(error.outcome == NGX_GROUP_MALFORMED, "%d",
              (int) error.outcome);
        fuzz_sentence(&error.detail, "the detail");
        return;
    }

    check(tree->n <= NGX_GROUP_MAX_KEYS, "too many");
    texts(tree);

    check(ngx_group_query_write(pool, tree, &args) == NGX_OK, "no memory");

    again = parse(&t, &args);
    check(again != NULL, "what is written is refused: %s", unit_show(&args));
    fuzz_same(pool, tree, again, "not the same when read again");

    query = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    check(ngx_group_decode(&t, shape->fields, tree, query) == NGX_OK,
          "no memory");

    if (error.outcome != NGX_GROUP_DONE) {
        check(error.outcome == NGX_GROUP_INVALID && error.problems
              && error.problems->nelts, "%d", (int) error.outcome);
        return;
    }

    fuzz_canonical(pool, NGX_GROUP_OF_QUERY, query);

    /* ids in filters go one way only */

    if (t.client || !encode(&t, shape->fields, query, &args)) {
        return;
    }

    again = parse(&t, &args);
    check(again != NULL, "what is written is refused: %s", unit_show(&args));

    other = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    check(ngx_group_decode(&t, shape->fields, again, other) == NGX_OK
          && error.outcome == NGX_GROUP_DONE, "refused: %s",
          unit_show(&args));

    fuzz_same(pool, query, other, "another query");

    check(encode(&t, shape->fields, other, &second)
          && fuzz_equal(&args, &second), "written as %s, then as %s",
          unit_show(&args), unit_show(&second));
}


static ngx_group_value_t *
parse(ngx_group_translation_t *t, ngx_str_t *args)
{
    ngx_int_t           rc;
    ngx_str_t           exact;
    ngx_group_value_t  *tree;

    exact.len = args->len;
    exact.data = ngx_pnalloc(t->pool, args->len);

    if (args->len) {
        memcpy(exact.data, args->data, args->len);
    }

    rc = ngx_group_query_parse(t, &exact, &tree);

    check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);

    return (rc == NGX_OK) ? tree : NULL;
}


/* 0: a filter or an order that the syntax has no words for, which is told */

static ngx_uint_t
encode(ngx_group_translation_t *t, ngx_array_t *fields, ngx_group_value_t *in,
    ngx_str_t *out)
{
    ngx_uint_t            i, k;
    ngx_group_field_t    *field;
    ngx_group_value_t    *tree;
    ngx_group_problem_t  *problem;

    tree = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);

    check(ngx_group_encode(t, fields, in, tree) == NGX_OK, "no memory");

    if (t->error->outcome == NGX_GROUP_DONE) {
        check(ngx_group_query_write(t->pool, tree, out) == NGX_OK,
              "no memory");
        return 1;
    }

    problem = t->error->problems->elts;
    field = fields->elts;

    for (i = 0; i < t->error->problems->nelts; i++) {

        for (k = 0; k < fields->nelts; k++) {
            if (fuzz_equal(&field[k].path, &problem[i].field)
                && (field[k].type == NGX_GROUP_FIELD_FILTER
                    || field[k].type == NGX_GROUP_FIELD_ORDER))
            {
                break;
            }
        }

        check(k < fields->nelts, "what was decoded cannot be encoded: %s: %s",
              unit_show(&problem[i].field), fuzz_json(t->pool, in));
    }

    return 0;
}


static void
texts(ngx_group_value_t *value)
{
    ngx_group_value_t  *v;

    for (v = value->u.items.first; v; v = v->next) {
        check(v->type == NGX_GROUP_STRING
              && ngx_group_utf8(&v->key, NULL, NULL) == NGX_OK
              && ngx_group_utf8(&v->u.text, NULL, NULL) == NGX_OK,
              "no text: %s %s", unit_show(&v->key), unit_show(&v->u.text));
    }
}
