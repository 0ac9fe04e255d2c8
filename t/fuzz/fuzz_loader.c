
/*
 * The loader of dialects.  An input is the text of a dialect file: it is a
 * dialect, which can be used, or there is one line that says what is wrong with
 * it and where.  Texts are mutated as bytes and, more often, by whole words,
 * lines and tables.
 *
 * The file that is looked for is there; what is read is the input (--wrap),
 * in a VM that is limited in its memory, and in all that it may ask for.
 */


#include "fuzz.h"
#include "ngx_group_dialect.h"

#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>


#define MEMORY    (16 * 1024 * 1024)
#define WORK      (128 * 1024 * 1024)
#define PIECES    4096
#define MAX_TEXT  32768


typedef struct {
    size_t  start;
    size_t  end;
} piece_t;


int __wrap_luaL_loadfilex(lua_State *L, const char *file, const char *mode);
lua_State *__wrap_luaL_newstate(void);
const char *__asan_default_options(void);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed);

static void *allocate(void *data, void *p, size_t size, size_t wanted);
static void use(ngx_pool_t *pool, ngx_group_dialect_t *dialect);
static void use_fields(ngx_group_translation_t *t, ngx_array_t *fields);
static size_t pieces(uint8_t *data, size_t size, piece_t *piece);


static ngx_str_t  source;
static size_t     used;
static size_t     work;

static const char  *words[] = {
    "nil", "true", "{}", "{ {} }", "\"\"", "0", "-1", "1e300", "0/0", "2^53",
    "field \"x\" {}", "each {}", "function() end", "setmetatable({}, {})",
    "\"string\"", "\"array\"", "\"object\"", "\"id\"", "\"integer\"",
    "field \"x\" { type = \"object\", from = \".\", fields = {} }",
    "(\"x\"):rep(300)", "\"\\0\"", "\"\\255\"", "\"/{id}/{id}\"", "\"$x\"",
    "\"member.id\"", "\"ext.a.b\"", "\"{origin}{base}/x/{id}\"", "[1]"
};


/* what a VM has freed need not be watched for long */

const char *
__asan_default_options(void)
{
    return "quarantine_size_mb=16";
}


void
fuzz_start(void)
{
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    size_t                i, len;
    ngx_str_t             name, *dir, text;
    ngx_conf_t            cf;
    ngx_array_t           dirs;
    ngx_group_dialect_t  *dialect;

    source = *in;
    used = 0;
    work = 0;

    memset(&cf, 0, sizeof(ngx_conf_t));
    cf.pool = pool;

    ngx_array_init(&dirs, pool, 1, sizeof(ngx_str_t));
    dir = ngx_array_push(&dirs);
    ngx_str_set(dir, "lua/dialects");
    ngx_str_set(&name, "scim");

    unit_logged[0] = '\0';

    dialect = ngx_group_dialect_load(&cf, &name, &dirs);

    check(used == 0, "%lu bytes of the VM are left", (unsigned long) used);

    if (dialect) {
        check(unit_logged[0] == '\0', "a dialect and an error: %s",
              unit_logged);
        use(pool, dialect);
        return;
    }

    text = unit_str((char *) unit_logged);
    len = strlen("dialect \"scim\": lua/dialects/scim.lua");

    check(text.len > len + 2
          && memcmp(text.data, "dialect \"scim\": lua/dialects/scim.lua",
                    len)
             == 0, "another error: %s", unit_show(&text));

    for (i = 0; i < text.len && !isspace(text.data[i]); i++) { /* void */ }

    check(i < text.len, "no words: %s", unit_show(&text));
}


int
__wrap_luaL_loadfilex(lua_State *L, const char *file, const char *mode)
{
    char  name[256];

    snprintf(name, sizeof(name), "@%s", file);

    return luaL_loadbufferx(L, (char *) source.data, source.len, name, mode);
}


lua_State *
__wrap_luaL_newstate(void)
{
    return lua_newstate(allocate, NULL);
}


static void *
allocate(void *data, void *p, size_t size, size_t wanted)
{
    void  *new;

    (void) data;

    if (wanted == 0) {
        free(p);
        used -= size;
        return NULL;
    }

    if (wanted > size) {
        work += wanted - size;

        if (used + (wanted - size) > MEMORY || work > WORK) {
            return NULL;
        }
    }

    new = realloc(p, wanted);

    if (new) {
        used += wanted - size;
    }

    return new;
}


/* all that there is in it, with next to nothing in the requests */

static void
use(ngx_pool_t *pool, ngx_group_dialect_t *dialect)
{
    ngx_str_t                   path, uri, empty;
    ngx_uint_t                  i;
    ngx_group_op_t             *op;
    ngx_group_error_t           error;
    ngx_group_value_t          *params;
    ngx_group_answer_t          answer;
    ngx_group_translation_t     t;
    ngx_group_error_context_t   context;

    memset(&t, 0, sizeof(ngx_group_translation_t));
    ngx_str_null(&empty);

    t.pool = pool;
    t.log = &unit_log;
    t.dialect = dialect;
    t.error = &error;
    t.base_path = dialect->base_path;
    ngx_str_set(&t.origin, "https://gw");
    ngx_str_set(&t.owner, "joe");

    check(dialect->base_path.len == 0 || dialect->base_path.data[0] == '/',
          "base path: %s", unit_show(&dialect->base_path));

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        op = dialect->ops[i];

        if (op == NULL) {
            continue;
        }

        check(op->operation == i && op->method.len, "no method");
        check(op->status >= 200 && op->status < 300, "status %lu",
              (unsigned long) op->status);

        memset(&error, 0, sizeof(ngx_group_error_t));

        params = fuzz_tree(pool, "{\"id\":\"a/b c\",\"group_id\":\"1\","
                                 "\"owner\":\"joe\",\"member\":"
                                 "{\"id\":\"2\"}}");

        if (ngx_group_match_build(&t, op, params, &path, &uri) == NGX_OK) {

            check(path.len && path.data[0] == '/', "%s", unit_show(&path));

            params = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

            check(ngx_group_match(pool, dialect, &op->method,
                                  &dialect->base_path, &path, 1, &op, &params,
                                  &error)
                  == NGX_OK, "what is built is not found: %s: %s",
                  unit_show(&path), unit_show(&error.detail));
        }

        t.request = 1;
        t.text = (dialect->format == NGX_GROUP_FORMAT_XML);
        use_fields(&t, op->request);

        t.request = 0;
        use_fields(&t, op->response);

        t.request = 1;
        t.query = 1;
        t.text = 1;
        use_fields(&t, op->query);
        t.query = 0;
    }

    memset(&context, 0, sizeof(ngx_group_error_context_t));
    ngx_str_set(&context.path, "/x");
    ngx_str_set(&context.method, "GET");

    for (i = NGX_GROUP_MALFORMED; i < NGX_GROUP_OUTCOMES; i++) {
        memset(&error, 0, sizeof(ngx_group_error_t));
        memset(&answer, 0, sizeof(ngx_group_answer_t));

        ngx_group_error_set(&error, i, "code", "a sentence");
        (void) ngx_group_error_problem(pool, &error, &path, "missing");

        check(ngx_group_error_render(pool, dialect, &error, &context, &answer)
              == NGX_OK, "no memory");
        check(answer.status >= 300 && answer.status <= 599, "status %lu",
              (unsigned long) answer.status);

        check(ngx_group_error_read(pool, dialect, 400 + i, NULL, &error)
              == NGX_OK, "no memory");
    }
}


static void
use_fields(ngx_group_translation_t *t, ngx_array_t *fields)
{
    ngx_str_t           out, why;
    ngx_group_error_t  *error;
    ngx_group_value_t  *in, *doc, *tree;

    static const char  *samples[] = {
        "{}",
        "{\"id\":\"1\",\"name\":\"a\",\"x\":{},\"members\":[{\"id\":\"1\"}],"
            "\"member_count\":1,\"displayName\":null}"
    };

    ngx_uint_t          i;
    ngx_group_limits_t  limits = { 64, 1000 };

    if (fields == NULL) {
        return;
    }

    error = t->error;

    for (i = 0; i < 2; i++) {
        memset(error, 0, sizeof(ngx_group_error_t));

        in = fuzz_tree(t->pool, samples[i]);
        doc = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);
        tree = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);

        check(ngx_group_decode(t, fields, in, doc) == NGX_OK, "no memory");
        check(ngx_group_encode(t, fields, in, tree) == NGX_OK, "no memory");

        if (t->query) {
            check(ngx_group_query_write(t->pool, tree, &out) == NGX_OK,
                  "no memory");
            continue;
        }

        check(ngx_group_write(t->pool, t->dialect->format, tree, &out)
              == NGX_OK, "no memory");

        if (out.len) {
            check(ngx_group_read(t->pool, t->dialect->format, &limits, &out,
                                 &in, &why)
                  == NGX_OK, "what is written is refused: %s: %s",
                  unit_show(&why), unit_show(&out));
        }
    }
}


/* by words and tables: one of them goes, comes twice, or in another's place */

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed)
{
    size_t          len, tail;
    uint64_t        state;
    ngx_uint_t      n, times;
    piece_t        *a, *b, word;
    const uint8_t  *from;

    static uint8_t  text[2 * MAX_TEXT];
    static piece_t  piece[PIECES];

    state = seed * 6364136223846793005U + 1442695040888963407U;

#define next(n)                                                               \
    (state = state * 6364136223846793005U + 1442695040888963407U,             \
     (size_t) (state >> 33) % (n))

    if (size > MAX_TEXT || next(4) == 0) {
        return LLVMFuzzerMutate(data, size, max);
    }

    for (times = 1 + next(3); times; times--) {

        n = pieces(data, size, piece);

        if (n == 0) {
            break;
        }

        a = &piece[next(n)];
        b = &piece[next(n)];
        from = data;

        switch (next(4)) {

        case 0:
            word.start = word.end = 0;
            break;

        case 1:
            from = (const uint8_t *) words[next(sizeof(words)
                                                / sizeof(words[0]))];
            word.start = 0;
            word.end = strlen((const char *) from);
            break;

        default:
            word = *b;
        }

        len = word.end - word.start;
        tail = size - a->end;

        if (a->start + len + tail > max
            || a->start + len + tail > sizeof(text))
        {
            break;
        }

        memcpy(text, data, a->start);
        memcpy(text + a->start, from + word.start, len);
        memcpy(text + a->start + len, data + a->end, tail);

        size = a->start + len + tail;
        memcpy(data, text, size);
    }

    return size ? size : LLVMFuzzerMutate(data, size, max);
}


/* words, strings, lines, and what is between brackets with them */

static size_t
pieces(uint8_t *data, size_t size, piece_t *piece)
{
    size_t  i, k, n, depth;

    n = 0;

    for (i = 0; i < size && n + 1 < PIECES; i++) {

        piece[n].start = i;

        if (isalnum(data[i]) || data[i] == '_') {
            while (i + 1 < size
                   && (isalnum(data[i + 1]) || data[i + 1] == '_'))
            {
                i++;
            }

            piece[n++].end = i + 1;

        } else if (data[i] == '"' || data[i] == '\'') {

            for (k = i + 1; k < size && data[k] != data[i]
                 && data[k] != '\n'; k++)
            {
                /* void */
            }

            if (k < size) {
                piece[n++].end = k + 1;
                i = k;
            }

        } else if (data[i] == '{' || data[i] == '(' || data[i] == '[') {

            for (k = i, depth = 0; k < size; k++) {
                depth += (strchr("{([", data[k]) && data[k]);

                if (strchr("})]", data[k]) && data[k] && --depth == 0) {
                    piece[n++].end = k + 1;
                    break;
                }
            }

        } else if (data[i] == '\n') {

            for (k = i + 1; k < size && data[k] != '\n'; k++) { /* void */ }

            piece[n++].end = k;
        }
    }

    return n;
}
