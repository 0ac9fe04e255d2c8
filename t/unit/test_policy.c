
#include "unit.h"
#include "ngx_group_json.h"
#include "ngx_group_lua.h"
#include "ngx_group_policy.h"
#include "ngx_group_sandbox.h"
#include <time.h>


#define FILES  "t/unit/policies/"


/* one request */

typedef struct {
    ngx_group_policy_ctx_t   ctx;
    ngx_array_t             *policies;
    ngx_group_policy_run_t  *run;
    ngx_group_error_t        error;
} request_t;


static ngx_group_limits_t  limits = { 32, 10000 };

static ngx_uint_t          numbers = 1000000;

static const char         *GROUP =
    "{\"name\":\"ops-1\",\"members\":[{\"id\":\"a\",\"number\":\"+1\"},"
    "{\"id\":\"b\",\"number\":\"+2\"}],\"admins\":[],\"sticky_sender\":false,"
    "\"ext\":{\"acme\":{\"big\":9007199254740993,\"e\":1.50e2,\"n\":null}}}";


static ngx_group_value_t *
tree(ngx_pool_t *pool, const char *json)
{
    ngx_str_t           in, error;
    ngx_group_value_t  *value;

    in = unit_str(json);

    if (ngx_group_json_decode(pool, &limits, &in, &value, &error) != NGX_OK) {
        unit_ok(0, __FILE__, __LINE__, "fixture: %s", json);
        abort();
    }

    return value;
}


static ngx_str_t
text(ngx_pool_t *pool, ngx_group_value_t *value)
{
    ngx_str_t  out = ngx_null_string;

    if (value && ngx_group_json_encode(pool, value, &out) != NGX_OK) {
        abort();
    }

    return out;
}


static ngx_group_policy_t *
policy(ngx_pool_t *pool, const char *name, const char *source)
{
    ngx_group_policy_t  *p;

    p = ngx_pcalloc(pool, sizeof(ngx_group_policy_t));

    p->file.len = strlen(name);
    p->file.data = (u_char *) name;
    p->source = unit_str(source);
    p->index = ++numbers;

    return p;
}


static ngx_int_t
variable(void *data, ngx_str_t *name, ngx_str_t *value)
{
    if (data != &limits) {
        return NGX_ERROR;
    }

    /* as nginx does */

    ngx_strlow(name->data, name->data, name->len);

    if (ngx_group_str_is(name, "host")) {
        ngx_str_set(value, "example.com");
        return NGX_OK;
    }

    if (ngx_group_str_is(name, "broken")) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


static request_t *
request(const char *group)
{
    ngx_pool_t             *pool;
    ngx_str_t              *scope;
    request_t              *r;
    ngx_group_principal_t  *principal;

    pool = unit_pool();

    r = ngx_pcalloc(pool, sizeof(request_t));

    r->ctx.pool = pool;
    r->ctx.log = &unit_log;
    r->ctx.operation = unit_str("group.create");
    r->ctx.dialect = unit_str("signalwire");
    r->ctx.upstream_dialect = unit_str("portsip");
    r->ctx.group = group ? tree(pool, group) : NULL;
    r->ctx.var = variable;
    r->ctx.data = &limits;
    r->ctx.timeout = 60000;
    r->ctx.memory = 16 * 1024 * 1024;

    principal = ngx_pcalloc(pool, sizeof(ngx_group_principal_t));
    principal->id = unit_str("acme");
    ngx_array_init(&principal->scopes, pool, 2, sizeof(ngx_str_t));
    scope = ngx_array_push(&principal->scopes);
    *scope = unit_str("groups:read");
    scope = ngx_array_push(&principal->scopes);
    *scope = unit_str("groups:write");

    r->ctx.principal = principal;

    r->policies = ngx_array_create(pool, 4, sizeof(ngx_group_policy_t *));

    return r;
}


static void
use(request_t *r, ngx_group_policy_t *p)
{
    ngx_group_policy_t  **slot;

    slot = ngx_array_push(r->policies);
    *slot = p;
}


/* a file with that body of its request hook */

static void
hook(request_t *r, const char *body)
{
    char    *source;
    size_t   size;

    size = strlen(body) + 128;
    source = ngx_palloc(r->ctx.pool, size);

    snprintf(source, size, "local p = {} function p.request(ctx) %s end "
             "return p", body);

    use(r, policy(r->ctx.pool, "/etc/hook.lua", source));
}


static ngx_int_t
run(request_t *r)
{
    unit_logged[0] = '\0';

    r->run = ngx_group_policy_begin(&r->ctx, r->policies);

    return ngx_group_policy_request(r->run, &r->error);
}


static void
done(request_t *r)
{
    ngx_destroy_pool(r->ctx.pool);
}


static ngx_uint_t
logged(const char *part)
{
    return strstr((char *) unit_logged, part) != NULL;
}


static void
test_load(void)
{
    int                   fd;
    u_char                name[64];
    size_t                i;
    ngx_str_t             file;
    ngx_conf_t            cf;
    ngx_pool_t           *pool;
    ngx_array_t           params;
    ngx_keyval_t         *kv;
    request_t            *r;
    ngx_group_policy_t   *p, *q;

    static struct {
        const char  *file;
        const char  *message;
    } bad[] = {
        { FILES "none.lua", "none.lua\" failed" },
        { FILES, "is not a file" },
        { FILES "syntax.lua",
          "policies/syntax.lua\": syntax.lua:8: 'end' expected" },
        { FILES "unknown.lua", "there is no hook \"requst\", only" },
        { FILES "nothing.lua",
          "a table of hooks must be returned, not a nil" },
        { FILES "string.lua",
          "the hook \"request\" must be a function, not a string" },
        { FILES "list.lua", "there is no hook \"?\"" },
        { FILES "global.lua",
          "global.lua:3: attempt to call field 'execute'" },
        { FILES "loop.lua", "takes more than 1000 ms to load, at loop.lua:1" },
        { FILES "memory.lua", "takes more than 16777216 bytes to load" },
        { FILES "frozen.lua", "frozen.lua:1: \"string\" is read-only" },
    };

    pool = unit_pool();

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.pool = pool;
    cf.log = &unit_log;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        file = unit_str(bad[i].file);

        each(ngx_group_policy_load(&cf, &file, NULL) == NULL
             && logged(bad[i].message),
             "%s: %s", bad[i].file, unit_logged);
    }

    unit_cases("files with mistakes are refused with a reason");

    ngx_sprintf(name, "/tmp/test_policy_%P%Z", ngx_getpid());
    file = unit_str((char *) name);

    fd = open((char *) name, O_CREAT|O_RDWR|O_TRUNC, 0600);
    ok(write(fd, "\033LJ\2\2", 5) == 5, "a file of bytecode");
    ok(ngx_group_policy_load(&cf, &file, NULL) == NULL
       && logged("is bytecode, expected Lua source"),
       "is refused: %s", unit_logged);

    ok(ftruncate(fd, 1024 * 1024 + 1) == 0, "a file of more than 1M");
    ok(ngx_group_policy_load(&cf, &file, NULL) == NULL
       && logged("is larger than 1048576 bytes"),
       "is refused: %s", unit_logged);

    close(fd);
    unlink((char *) name);

    file = unit_str(FILES "empty.lua");
    ok(ngx_group_policy_load(&cf, &file, NULL) != NULL,
       "no hooks are no error");

    file = unit_str(FILES "good.lua");
    ngx_array_init(&params, pool, 1, sizeof(ngx_keyval_t));
    kv = ngx_array_push(&params);
    kv->key = unit_str("email");
    kv->value = unit_str("ops@example.com");

    p = ngx_group_policy_load(&cf, &file, &params);
    q = ngx_group_policy_load(&cf, &file, NULL);

    ok(p && q && p->index != q->index, "two loads, two numbers");

    r = request(GROUP);
    use(r, p);
    ok(run(r) == NGX_OK && r->ctx.group_changed, "the file runs");

    file = unit_str("email");
    is(&ngx_group_value_get(r->ctx.group, &file)->u.text, "ops@example.com",
       "with its parameters");

    ok(ngx_group_policy_response(r->run, &r->error) == NGX_OK
       && r->ctx.group_changed, "response hook");
    file = unit_str("seen");
    ok(ngx_group_value_get(r->ctx.group, &file)->u.flag == 1, "ran");
    done(r);

    r = request("{\"name\":\"X\"}");
    use(r, p);
    ok(run(r) == NGX_DECLINED, "the file refuses");
    ok(r->error.outcome == NGX_GROUP_INVALID, "outcome");
    is(&r->error.code, "policy", "code");
    is(&r->error.detail, "name must start with a team prefix", "detail");
    ok(r->error.problems && r->error.problems->nelts == 1, "one problem");
    is(&((ngx_group_problem_t *) r->error.problems->elts)->field, "name",
       "field");
    is(&((ngx_group_problem_t *) r->error.problems->elts)->detail,
       "name must start with a team prefix", "detail of the problem");
    done(r);

    ngx_destroy_pool(pool);
}


static void
test_read(void)
{
    size_t      i;
    request_t  *r;

    static const char  *checks[] = {
        "ctx.operation == 'group.create'",
        "ctx.dialect == 'signalwire'",
        "ctx.upstream_dialect == 'portsip'",
        "ctx.principal.id == 'acme'",
        "#ctx.principal.scopes == 2",
        "ctx.principal.scopes[2] == 'groups:write'",
        "ctx.group.name == 'ops-1'",
        "ctx.group == ctx.group",
        "#ctx.group.members == 2",
        "ctx.group.members[2].id == 'b'",
        "#ctx.group.admins == 0",
        "ctx.group.sticky_sender == false",
        "ctx.group.email == nil",
        "ctx.group.ext.acme.e == 150",
        "ctx.group.ext.acme.n == null",
        "tostring(null) == 'null'",
        "tostring(ctx.group.ext.acme.n) == 'null'",
        "null ~= nil",
        "type(null) == 'userdata'",
        "getmetatable(null) == 'locked'",
        "ctx.member == nil",
        "ctx.query == nil",
        "ctx.nothing == nil",
        "ctx[1] == nil",
        "next(ctx.params) == nil",
        "ctx.var('host') == 'example.com'",
        "ctx:var('host') == 'example.com'",
        "ctx:var('HOST') == 'example.com' and ('HOST'):byte() == 72",
        "ctx:var('other') == nil",
        "not pcall(ctx.var, 'broken')",
        "not pcall(ctx.var)",
        "not pcall(ctx.var, ('x'):rep(257))",
        "getmetatable(ctx) == 'locked'",
        "getmetatable('') == 'locked'",
        "getmetatable(string) == 'locked'",
        "not pcall(setmetatable, ctx, {})",
        "not pcall(setmetatable, string, {})",
        "not pcall(function() string.x = 1 end)",
        "not pcall(function() ('').x = 1 end)",
        "not pcall(table.insert, string, 1)",
        "not pcall(table.sort, string)",
        "not pcall(function() ctx.operation = 'x' end)",
        "not pcall(function() ctx.principal = nil end)",
        "not pcall(function() ctx.params = {} end)",
        "not pcall(function() ctx.deny = print end)",
        "not pcall(function() ctx.foo = 1 end)",
        "not pcall(function() ctx[1] = 1 end)",
        "not pcall(function() ctx.group = 'x' end)",
        "not pcall(function() ctx.group = null end)",
        ("select(2, pcall(function() ctx.query = 1 end)):find("
         "'ctx.query must be a table or nil, not a number', 1, true)"),
        "os.time() > 1e9 and os.date('%Y') and os.clock()",
        "bit.band(7, 12) == 4",
        "math.random() < 1",
        "string.format('%s %d', 'a', 1) == 'a 1'",
        "('x'):rep(3) == 'xxx' and ('x'):rep(3, ',') == 'x,x,x'",
        "('x'):rep(0) == '' and ('x'):rep(-5) == '' and (''):rep(2^31) == ''",
        "not pcall(string.rep, 'x', 1e9)",
        "tostring(1) == '1' and tostring(nil) == 'nil'",
        ("tostring(setmetatable({}, {__tostring = function() return 'm' "
         "end})) == 'm'"),
        "not pcall(tostring)",
        "table.concat({1, 2, 3}, ',') == '1,2,3'",
    };

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        char  body[512];

        snprintf(body, sizeof(body), "assert(%s)", checks[i]);

        r = request(GROUP);
        hook(r, body);
        each(run(r) == NGX_OK && !r->ctx.group_changed, "%s: %s", checks[i],
             unit_logged);
        done(r);
    }

    unit_cases("what hooks see");

    r = request(GROUP);
    r->ctx.principal = NULL;
    hook(r, "assert(ctx.principal == nil)");
    ok(run(r) == NGX_OK, "nobody: %s", unit_logged);
    done(r);
}


static void
test_write(void)
{
    size_t              i;
    ngx_str_t           out;
    request_t          *r;
    ngx_group_value_t  *group;

    static struct {
        const char  *body;
        const char  *in;
        const char  *out;       /* NULL: not changed */
    } cases[] = {
        { "", "{}", NULL },
        { "local g = ctx.group", "{\"a\":[]}", NULL },
        { "ctx.group = ctx.group", "{\"a\":[],\"b\":{}}", NULL },
        { "local g = ctx.group local m = {} for k, v in pairs(g) do m[k] = v "
          "end ctx.group = m", "{\"a\":[],\"b\":{},\"c\":1.0}", NULL },
        { "ctx.group.x = 1 ctx.group.x = nil", "{\"a\":1}", NULL },
        { "ctx.group.a = 1", "{\"a\":1.0}", NULL },
        { "ctx.group.a = 'x'", "{\"a\":\"y\"}", "{\"a\":\"x\"}" },
        { "ctx.group.a = ''", "{\"a\":\"y\"}", "{\"a\":\"\"}" },
        { "ctx.group.a = nil", "{\"a\":1,\"b\":2}", "{\"b\":2}" },
        { "ctx.group.a = null", "{\"a\":1,\"b\":2}", "{\"a\":null,\"b\":2}" },
        { "ctx.group.c = 1 ctx.group.b = 2 ctx.group.d = true",
          "{\"z\":1,\"y\":2}",
          "{\"z\":1,\"y\":2,\"b\":2,\"c\":1,\"d\":true}" },
        { "ctx.group.b = 1", "{\"n\":9007199254740993}",
          "{\"n\":9007199254740993,\"b\":1}" },
        { "ctx.group.n = ctx.group.n + 0 ctx.group.b = 1",
          "{\"n\":9007199254740993}", "{\"n\":9007199254740993,\"b\":1}" },
        { "ctx.group.n = 5", "{\"n\":9007199254740993}", "{\"n\":5}" },
        { "table.remove(ctx.group.members, 1)",
          "{\"members\":[{\"id\":1},{\"id\":9007199254740993}]}",
          "{\"members\":[{\"id\":9007199254740993}]}" },
        { "ctx.group.members[1] = nil", "{\"members\":[{\"id\":1}]}",
          "{\"members\":[]}" },
        { "ctx.group.members = {}", "{}", "{\"members\":[]}" },
        { "ctx.group.admins = {} ctx.group.outbound_caller_ids = {} "
          "ctx.group.foo = {}", "{}", "{\"admins\":[],\"foo\":{},"
          "\"outbound_caller_ids\":[]}" },
        { "ctx.group.members = {{id = 'a', capabilities = {}}}", "{}",
          "{\"members\":[{\"capabilities\":[],\"id\":\"a\"}]}" },
        { "ctx.group.foo = {}", "{\"foo\":[1]}", "{\"foo\":[]}" },
        { "ctx.group.foo = {a = 1}", "{\"foo\":[1]}", "{\"foo\":{\"a\":1}}" },
        { "ctx.group.foo = {'a', 'b'}", "{\"foo\":{\"x\":1}}",
          "{\"foo\":[\"a\",\"b\"]}" },
        { "ctx.group.foo.x = nil", "{\"foo\":{\"x\":1}}", "{\"foo\":{}}" },
        { "ctx.group = {name = 'n'}", "{\"a\":1}", "{\"name\":\"n\"}" },
        { "ctx.group = {}", "{\"a\":1}", "{}" },
        { "ctx.group.a = 0.1 + 0.2", "{}", "{\"a\":0.3}" },
        { "ctx.group.a = 2^53", "{}", "{\"a\":9007199254740992}" },
        { "ctx.group.a = -2^53", "{}", "{\"a\":-9007199254740992}" },
        { "ctx.group.a = 1e15", "{}", "{\"a\":1000000000000000}" },
        { "ctx.group.a = 1e100", "{}", "{\"a\":1e+100}" },
        { "ctx.group.a = -0", "{}", "{\"a\":0}" },
        { "ctx.group.a = -1.5", "{}", "{\"a\":-1.5}" },
        { "ctx.group.b = 1", "{\"a\":1e400}", "{\"a\":1e400,\"b\":1}" },
        { "local t = {1} ctx.group.a = t ctx.group.b = t", "{}",
          "{\"a\":[1],\"b\":[1]}" },
        { "ctx.group.a = setmetatable({}, {__index = {x = 1}})", "{}",
          "{\"a\":{}}" },
        { "ctx.group.a = '\\195\\188'", "{}", "{\"a\":\"\xc3\xbc\"}" },
        { "table.insert(ctx.group.members, {id = 'c'})",
          "{\"members\":[{\"id\":\"a\"}]}",
          "{\"members\":[{\"id\":\"a\"},{\"id\":\"c\"}]}" },
        { "table.insert(ctx.group.members, 1, {id = 'c'})",
          "{\"members\":[{\"id\":\"a\"}]}",
          "{\"members\":[{\"id\":\"c\"},{\"id\":\"a\"}]}" },
        { "table.sort(ctx.group.members, function(a, b) return a.id < b.id "
          "end)", "{\"members\":[{\"id\":\"b\"},{\"id\":\"a\"}]}",
          "{\"members\":[{\"id\":\"a\"},{\"id\":\"b\"}]}" },
    };

    static struct {
        const char  *body;
        const char  *message;
    } bad[] = {
        { "ctx.group.members[2] = print or function() end",
          "ctx.group.members[2] is a function, which no group can hold" },
        { "ctx.group.x = ctx",
          "ctx.group.x is a userdata, which no group can hold" },
        { "ctx.group.x = string",
          "ctx.group.x is a userdata, which no group can hold" },
        { "ctx.group.x = 0/0", "ctx.group.x is not a finite number" },
        { "ctx.group.x = {{y = -1/0}}",
          "ctx.group.x[1].y is not a finite number" },
        { "ctx.group.x = 'a\\0b'", "ctx.group.x holds a NUL character" },
        { "ctx.group.x = '\\255'", "ctx.group.x is not valid UTF-8" },
        { "ctx.group.x = {['\\255'] = 1}",
          "ctx.group.x has a field whose name is not valid UTF-8" },
        { "ctx.group['a\\0b'] = 1",
          "ctx.group has a field whose name holds a NUL character" },
        { "ctx.group.x = {1, 2, a = 3}",
          "ctx.group.x mixes items and named fields" },
        { "ctx.group.x = {1, nil, 3}", "ctx.group.x is a list with holes" },
        { "ctx.group.x = {[2^40] = 3}",
          "ctx.group.x has a number that is no index as a key" },
        { "ctx.group.x = {[0] = 3}",
          "ctx.group.x has a number that is no index as a key" },
        { "ctx.group.x = {[1.5] = 3}",
          "ctx.group.x has a number that is no index as a key" },
        { "ctx.group.x = {[true] = 3}", "ctx.group.x has a boolean as a key" },
        { "ctx.group = {1, 2}", "ctx.group is a list" },
        { "ctx.member = {1}", "ctx.member is a list" },
        { "ctx.group.x = ctx.group", "is nested too deep, or holds itself" },
        { "local t = ctx.group for i = 1, 100 do t.x = {} t = t.x end",
          "is nested too deep, or holds itself" },
        { "local t = {} for i = 1, 40 do t = {t, t} end ctx.group.x = t",
          "ctx.group is larger than the memory limit" },
        { "local t = {} for i = 1, 257 do t['k' .. i] = 1 end ctx.group = t",
          "ctx.group has too many fields" },
        { "ctx.query = {x = error}",
          "ctx.query.x is a function, which no query can hold" },
        { "ctx.group['\\n\\27[0m'] = error",
          "ctx.group.\\x0A\\x1B[0m is a function" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        r = request(cases[i].in);
        group = r->ctx.group;
        hook(r, cases[i].body);

        if (run(r) != NGX_OK) {
            each(0, "%s: %s", cases[i].body, unit_logged);
            done(r);
            continue;
        }

        out = text(r->ctx.pool, r->ctx.group);

        if (cases[i].out) {
            each(r->ctx.group_changed && r->ctx.group != group
                 && out.len == strlen(cases[i].out)
                 && memcmp(out.data, cases[i].out, out.len) == 0,
                 "%s: %s", cases[i].body, unit_show(&out));

        } else {
            each(!r->ctx.group_changed && r->ctx.group == group,
                 "%s: %s", cases[i].body, unit_show(&out));
        }

        each(!r->ctx.member_changed && !r->ctx.query_changed
             && r->ctx.member == NULL && r->ctx.query == NULL,
             "%s: only group", cases[i].body);

        done(r);
    }

    unit_cases("what hooks leave");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        r = request(GROUP);
        hook(r, bad[i].body);
        each(run(r) == NGX_ERROR && logged(bad[i].message), "%s: %s",
             bad[i].body, unit_logged);
        done(r);
    }

    unit_cases("what no value tree can hold");

    r = request(NULL);
    hook(r, "assert(ctx.group == nil) ctx.group = {name = 'n'} "
            "ctx.member = {id = 'm'} ctx.query = {page = 2} "
            "assert(ctx.group.name == 'n')");
    ok(run(r) == NGX_OK && r->ctx.group_changed && r->ctx.member_changed
       && r->ctx.query_changed, "trees that were not there");
    out = text(r->ctx.pool, r->ctx.query);
    is(&out, "{\"page\":2}", "query");
    out = text(r->ctx.pool, r->ctx.member);
    is(&out, "{\"id\":\"m\"}", "member");
    done(r);

    r = request(GROUP);
    hook(r, "ctx.group = nil assert(ctx.group == nil)");
    ok(run(r) == NGX_OK && r->ctx.group_changed && r->ctx.group == NULL,
       "a tree is removed");
    done(r);

    r = request(GROUP);
    hook(r, "ctx.member = ctx.group.ext");
    ok(run(r) == NGX_OK && !r->ctx.group_changed && r->ctx.member_changed,
       "one tree's table in another");
    out = text(r->ctx.pool, r->ctx.member);
    is(&out, "{\"acme\":{\"big\":9007199254740993,\"e\":1.50e2,\"n\":null}}",
       "with the numbers' texts");
    done(r);
}


static void
test_order(void)
{
    ngx_str_t   out;
    request_t  *r;

    r = request("{\"a\":1}");
    hook(r, "ctx.group.a = ctx.group.a + 1 first = true");
    hook(r, "assert(first == nil) ctx.group.a = ctx.group.a * 10");
    ok(run(r) == NGX_OK && r->ctx.group_changed, "two files");
    out = text(r->ctx.pool, r->ctx.group);
    is(&out, "{\"a\":20}", "in their order");
    done(r);

    r = request("{\"a\":1}");
    hook(r, "ctx.group.a = 2");
    hook(r, "ctx.group.a = 1");
    ok(run(r) == NGX_OK && !r->ctx.group_changed, "changed and changed back");
    done(r);

    r = request("{\"a\":1}");
    hook(r, "ctx:deny('conflict')");
    hook(r, "ctx:deny('not_found')");
    ok(run(r) == NGX_DECLINED && r->error.outcome == NGX_GROUP_CONFLICT,
       "the first refusal ends it");
    is(&r->error.detail, "refused by a policy of this gateway", "detail");
    ok(r->error.problems == NULL, "no problems");
    done(r);

    r = request("{\"a\":1}");
    hook(r, "ctx:deny('conflict', 'one') ctx.deny('forbidden', 'two') "
            "ctx.group.a = error");
    ok(run(r) == NGX_DECLINED && r->error.outcome == NGX_GROUP_CONFLICT,
       "without return, and the first of two holds");
    is(&r->error.detail, "one", "detail");
    done(r);

    r = request("{\"a\":1}");
    hook(r, "assert(ctx:deny('forbidden'))");
    ok(run(r) == NGX_DECLINED, "is true");
    done(r);

    r = request("{\"a\":1}");
    hook(r, "ctx:deny('no_such_thing')");
    ok(run(r) == NGX_ERROR && logged("\"no_such_thing\""), "unknown: %s",
       unit_logged);
    done(r);

    r = request("{\"a\":1}");
    hook(r, "ctx:deny('done')");
    ok(run(r) == NGX_ERROR && logged("\"done\""), "no refusal");
    done(r);

    r = request("{\"a\":1}");
    hook(r, "ctx:deny()");
    ok(run(r) == NGX_ERROR, "no outcome");
    done(r);

    r = request("{\"a\":1}");
    hook(r, "ctx:deny('invalid', '\\255')");
    ok(run(r) == NGX_ERROR && logged("not valid UTF-8"), "bad detail");
    done(r);

    r = request("{\"a\":1}");
    hook(r, "ctx:deny('invalid', ('x'):rep(1025))");
    ok(run(r) == NGX_ERROR && logged("too long"), "long detail");
    done(r);

    r = request("{\"a\":1}");
    ok(run(r) == NGX_OK, "no policies");
    done(r);
}


static void
test_log(void)
{
    request_t  *r;

    unit_log.log_level = NGX_LOG_INFO;

    r = request(NULL);
    hook(r, "ctx:log('info', 'hi\\nthere\\27\\127')");
    ok(run(r) == NGX_OK
       && strcmp((char *) unit_logged,
                 "policy \"/etc/hook.lua\": hi\\x0Athere\\x1B\\x7F") == 0,
       "log: %s", unit_logged);
    done(r);

    r = request(NULL);
    hook(r, "ctx:log('debug', 'hidden')");
    ok(run(r) == NGX_OK && unit_logged[0] == '\0', "level");
    done(r);

    r = request(NULL);
    hook(r, "ctx.log('error', ('\\1'):rep(100000))");
    ok(run(r) == NGX_OK && strlen((char *) unit_logged) < 1100, "length");
    done(r);

    r = request(NULL);
    hook(r, "for i = 1, 200 do ctx:log('error', i) end");
    ok(run(r) == NGX_OK && logged("too many lines"), "number of lines");
    done(r);

    r = request(NULL);
    hook(r, "ctx:log('crit', 'x')");
    ok(run(r) == NGX_ERROR && logged("invalid option"), "unknown level");
    done(r);

    r = request(NULL);
    hook(r, "\nlocal function f() error('bo\\nom') end\nf() return 1");
    ok(run(r) == NGX_ERROR
       && logged("policy \"/etc/hook.lua\" failed in its request hook: "
                 "hook.lua:2: bo\\x0Aom, at [C]: in function 'error', at "
                 "hook.lua:2: in function 'f', at hook.lua:3"),
       "traceback: %s", unit_logged);
    done(r);

    r = request(NULL);
    hook(r, "local function f(n) if n == 0 then error(('x'):rep(1e5)) end "
            "return 1 + f(n - 1) end f(100)");
    ok(run(r) == NGX_ERROR && strlen((char *) unit_logged) < 1200,
       "long error");
    done(r);
}


static void
test_isolation(void)
{
    size_t               i;
    ngx_str_t            out;
    request_t           *a, *b;
    ngx_pool_t          *pool;
    ngx_group_policy_t  *p;

    static const char  *SOURCE =
        "counter = (counter or 0) + 1 "
        "local n = 0 "
        "local function step(ctx) "
        "  n = n + 1 counter = counter + 1 "
        "  local f = function() return counter end "
        "  ctx.group = {n = n, counter = f()} "
        "end "
        "return {request = step, response = step}";

    static const char  *leaks[] = {
        "leak = 1", "rawset = 1", "string = {}", "null = 1",
        "pcall(function() string.leak = 1 end)",
        "pcall(function() table.insert(string, 'leak') end)",
        "pcall(function() table.insert(table, 'leak') end)",
        "pcall(function() getmetatable('').__index = {} end)",
        "pcall(function() getmetatable('').leak = 1 end)",
        "pcall(function() math.random = function() return 2 end end)",
        "pcall(function() math.randomseed(1) end)",
        "pcall(setmetatable, string, {__index = {}})",
        "pcall(function() ctx.leak = 1 end)",
        "pcall(function() ctx.params.leak = 1 end)",
        "pcall(function() ctx.principal.id = 'leak' end)",
        "pcall(function() ctx.principal.scopes[1] = 'leak' end)",
        "type = function() return 'leak' end",
        "for k in pairs(ctx.principal) do ctx.principal[k] = nil end",
    };

    static const char  *WHOLE =
        "assert(leak == nil and rawset == nil and string.leak == nil "
        "and string[1] == nil and table[1] == nil and ('').leak == nil "
        "and tostring(null) == 'null' and ('x'):rep(2) == 'xx' "
        "and string.rep('x', 2) == 'xx' and math.random() < 1 "
        "and ctx.leak == nil and ctx.params.leak == nil "
        "and ctx.principal.id == 'acme' "
        "and ctx.principal.scopes[1] == 'groups:read' "
        "and type(1) == 'number')";

    pool = unit_pool();
    p = policy(pool, "/etc/shared.lua", SOURCE);

    a = request("{}");
    b = request("{}");
    use(a, p);
    use(b, p);

    ok(run(a) == NGX_OK, "first of two requests: %s", unit_logged);
    out = text(a->ctx.pool, a->ctx.group);
    is(&out, "{\"counter\":2,\"n\":1}", "its hook");

    ok(run(b) == NGX_OK, "second");
    out = text(b->ctx.pool, b->ctx.group);
    is(&out, "{\"counter\":2,\"n\":1}", "knows nothing of the first");

    ok(ngx_group_policy_response(b->run, &b->error) == NGX_OK,
       "the second's answer");
    out = text(b->ctx.pool, b->ctx.group);
    is(&out, "{\"counter\":3,\"n\":2}", "goes on");

    ok(ngx_group_policy_response(a->run, &a->error) == NGX_OK,
       "the first's answer");
    out = text(a->ctx.pool, a->ctx.group);
    is(&out, "{\"counter\":3,\"n\":2}", "goes on");

    done(a);
    done(b);

    /* a response hook whose request hooks were not run */

    a = request("{}");
    use(a, p);
    a->run = ngx_group_policy_begin(&a->ctx, a->policies);
    ok(ngx_group_policy_response(a->run, &a->error) == NGX_OK,
       "an answer alone");
    out = text(a->ctx.pool, a->ctx.group);
    is(&out, "{\"counter\":2,\"n\":1}", "starts anew");
    ngx_group_policy_end(a->run);
    ngx_group_policy_end(a->run);
    ok(ngx_group_policy_response(a->run, &a->error) == NGX_ERROR,
       "nothing runs after the end");
    done(a);

    ngx_destroy_pool(pool);

    for (i = 0; i < sizeof(leaks) / sizeof(leaks[0]); i++) {
        a = request(GROUP);
        hook(a, leaks[i]);
        each(run(a) == NGX_OK, "%s: %s", leaks[i], unit_logged);

        /* also while the first is under way */

        b = request(GROUP);
        hook(b, WHOLE);
        each(run(b) == NGX_OK, "after %s: %s", leaks[i], unit_logged);
        done(b);

        done(a);
    }

    unit_cases("nothing leaks");

    /* "ctx" that outlives its hook */

    a = request(GROUP);
    use(a, policy(a->ctx.pool, "/etc/kept.lua",
                  "local kept return {request = function(ctx) kept = ctx end,"
                  "response = function(ctx) assert(kept ~= ctx) "
                  "assert(not pcall(function() return kept.group end)) "
                  "assert(not pcall(function() kept.group = {} end)) "
                  "assert(ctx.group) end}"));
    ok(run(a) == NGX_OK, "a script keeps its ctx");
    ok(ngx_group_policy_response(a->run, &a->error) == NGX_OK,
       "which is of no use: %s", unit_logged);
    done(a);
}


typedef struct {
    const char  *library;
    const char  *names;
} allowed_t;


static const allowed_t  allowed[] = {
    { NULL, " assert bit error getmetatable ipairs math next null os pairs "
            "pcall select setmetatable string table tonumber tostring type "
            "unpack " },
    { "string", " byte char find format gmatch gsub len lower match rep "
                "reverse sub upper " },
    { "table", " concat insert maxn move remove sort " },
    { "math", " abs acos asin atan atan2 ceil cos cosh deg exp floor fmod "
              "frexp huge ldexp log log10 max min modf pi pow rad random sin "
              "sinh sqrt tan tanh " },
    { "os", " clock date time " },
    { "bit", " arshift band bnot bor bswap bxor lshift rol ror rshift tobit "
             "tohex " },
};


/* each key of the table on top of the stack is one of "names", and back */

static void
names(lua_State *L, const char *library, const char *names)
{
    char         key[64];
    const char  *p;
    ngx_uint_t   n;

    n = 0;

    lua_pushnil(L);

    while (lua_next(L, -2)) {
        snprintf(key, sizeof(key), " %s ", lua_tostring(L, -2));
        each(strstr(names, key) != NULL, "%s.%s", library, key);
        each(lua_type(L, -1) != LUA_TTABLE, "%s.%s is a table", library, key);
        lua_pop(L, 1);
        n++;
    }

    for (p = names + 1; *p; p++) {
        n -= (*p == ' ');
    }

    each(n == 0, "%s: as many names", library ? library : "globals");
}


static int
enumerate(lua_State *L)
{
    size_t  i;

    ngx_group_sandbox_open(L);
    ngx_group_sandbox_globals(L);
    names(L, "globals", allowed[0].names);

    for (i = 1; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        lua_getfield(L, -1, allowed[i].library);
        each(lua_type(L, -1) == LUA_TUSERDATA, "%s", allowed[i].library);
        lua_getmetatable(L, -1);
        lua_getfield(L, -1, "__index");
        names(L, allowed[i].library, allowed[i].names);
        lua_pop(L, 3);
    }

    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getfield(L, -1, "__index");
    names(L, "the metatable of strings", allowed[1].names);

    return 0;
}


static void
test_globals(void)
{
    char               body[512], key[64];
    size_t             i;
    request_t         *r;
    lua_State         *L;
    ngx_uint_t         is_allowed;
    ngx_group_lua_t   *vm;

    vm = ngx_group_lua_create(&unit_log);
    each(ngx_group_lua_protect(vm, enumerate, NULL) == NGX_OK, "enumerated");
    ngx_group_lua_close(vm);

    unit_cases("the globals are those that are allowed");

    /* the same from a script: each name that LuaJIT has */

    L = luaL_newstate();
    luaL_openlibs(L);

    for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {

        if (allowed[i].library) {
            lua_getglobal(L, allowed[i].library);

        } else {
            lua_pushvalue(L, LUA_GLOBALSINDEX);
        }

        lua_pushnil(L);

        while (lua_next(L, -2)) {
            lua_pop(L, 1);

            snprintf(key, sizeof(key), " %s ", lua_tostring(L, -1));
            is_allowed = (strstr(allowed[i].names, key) != NULL);

            snprintf(body, sizeof(body), "assert((%s%s%s ~= nil) == %s)",
                     allowed[i].library ? allowed[i].library : "",
                     allowed[i].library ? "." : "", lua_tostring(L, -1),
                     is_allowed ? "true" : "false");

            r = request(NULL);
            hook(r, body);
            each(run(r) == NGX_OK, "%s", body);
            done(r);
        }

        lua_pop(L, 1);
    }

    lua_close(L);

    unit_cases("the others are not seen by scripts");
}


/* of this thread's own work: what else the machine does is no hook's fault */

static uint64_t
worked(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static void
test_limits(void)
{
    size_t      i;
    uint64_t    start, took;
    request_t  *r;

    static struct {
        char         kind;       /* t: time; m: memory; e: an error; *: any */
        const char  *body;
    } cases[] = {
        { 't', "while true do end" },
        { 't', "repeat until false" },
        { 't', "for i = 1, 1e15 do end" },
        { 't', "for _ in function() return 1 end do end" },
        { 't', "::a:: goto a" },
        { 't', "local function f() return f() end f()" },
        { 't', "while true do pcall(function() while true do end end) end" },
        { 't', "while true do pcall(error) end" },
        { 't', "local function f() while true do pcall(f) end end f()" },
        { 't', "return pcall(function() while true do end end)" },
        { 't', "pcall(pcall, pcall, pcall, function() while true do end end) "
               "while true do pcall(pcall) end" },
        { 't', "local t = {} for i = 1, 100 do t[i] = i end "
               "table.sort(t, function(a, b) while true do end end)" },
        { 't', "local t = {} for i = 1, 100 do t[i] = i end "
               "while true do pcall(table.sort, t, function(a, b) "
               "pcall(function() while true do end end) end) end" },
        { 't', "('x'):rep(100):gsub('x', function() while true do end end)" },
        { 't', "while true do pcall(string.gsub, ('x'):rep(100), 'x', "
               "function() while true do end end) end" },
        { 't', "('x'):gsub('x', setmetatable({}, {__index = function() "
               "while true do end end}))" },
        { 't', "local t = setmetatable({}, {__index = function(t, k) "
               "while true do end end}) return t.x" },
        { 't', "local t = setmetatable({}, {__index = function(t, k) "
               "return t[k] end}) while true do pcall(function() "
               "return t.x end) end" },
        { 't', "local m = {} m.__add = function(a, b) return a + b end "
               "local t = setmetatable({}, m) while true do "
               "pcall(function() return t + t end) end" },
        { 't', "local t = setmetatable({}, {__lt = function() while true do "
               "end end}) return t < t" },
        { 't', "local t = setmetatable({}, {__eq = function() while true do "
               "end end}) local m = getmetatable(t) "
               "return t == setmetatable({}, m)" },
        { 't', "local t = setmetatable({}, {__concat = function() while true "
               "do end end}) return t .. t" },
        { 't', "local t = setmetatable({}, {__tostring = function() while "
               "true do end end}) string.format('%s', t)" },
        { 't', "local t = setmetatable({}, {__call = function() while true "
               "do end end}) t()" },
        { 't', "local t = setmetatable({}, {__newindex = function() while "
               "true do end end}) t.x = 1" },
        { 't', "local s = ('a'):rep(1000) "
               "s:find('.-.-.-.-.-.-b')" },
        { 't', "local s = ('a'):rep(100000) "
               "while true do pcall(string.find, s, '(.*)(.*)(.*)(.*)b') end" },
        { 't', "local s = ('a'):rep(1e6) s:match('a*a*a*a*b')" },
        { 't', "local s = ('a'):rep(1e6) s:gsub('a-a-a-b', '')" },
        { 't', "local s = ('a'):rep(1e6) for _ in s:gmatch('(a*)%1b') do end" },
        { 't', "local s = ('('):rep(1e6) s:find('%b()')" },
        { 't', "local s = ('x'):rep(8e6) while true do "
               "s:find('xy', 1, true) end" },
        { 't', "local s = ('x'):rep(4e6) while true do s:upper() end" },
        { 't', "local s = ('x'):rep(4e6) while true do "
               "pcall(string.reverse, s) end" },
        { 't', "local s = ('x'):rep(4e6) while true do local t = s .. 'y' "
               "end" },
        { 't', "while true do local s = ('x'):rep(1e6) end" },
        { 't', "while true do ctx:log('error', 'x') end" },
        { 't', "while true do ctx:var('host') end" },
        { 't', "while true do ctx.group = {a = {}} end" },
        { 't', "while true do ctx:deny('invalid') end" },
        { 't', "ctx:deny('invalid') while true do end" },
        { 't', "local t = {} while true do t = {t} t = nil end" },
        { 't', "while true do local t = {} for i = 1, 1000 do t[i] = {} end "
               "end" },
        { 't', "while true do setmetatable({}, {__gc = function() "
               "error('gc') end}) end" },
        { 't', "local m = {__mode = 'k'} while true do "
               "setmetatable({[{}] = 1}, m) end" },
        { 'm', "local s = 'x' while true do s = s .. s end" },
        { 'm', "local s = 'x' while true do "
               "if not pcall(function() s = s .. s end) then break end end" },
        { 'm', "local t = {} for i = 1, 1e9 do t[i] = i end" },
        { 'm', "local t = {} for i = 1, 1e9 do t[i] = {} end" },
        { 'm', "local t = {} pcall(function() for i = 1, 1e9 do t[i] = {} "
               "end end)" },
        { 'm', "local t = {} pcall(function() for i = 1, 1e9 do "
               "t['k' .. i] = i end end) t = nil "
               "while true do pcall(error) end" },
        { 'm', "local t = {} while true do pcall(function() for i = 1, 1e9 "
               "do t[#t + 1] = {} end end) end" },
        { 'm', "local s = ('x'):rep(1e6) s:gsub('', s)" },
        { 'm', "local s = ('x'):rep(1e6) pcall(string.gsub, s, 'x', s)" },
        { 'm', "local t = {} for i = 1, 1e4 do t[i] = ('x'):rep(1e4) end "
               "table.concat(t)" },
        { 'm', "local f function f(a) local b = {a} return function() "
               "return b end end local t for i = 1, 1e9 do t = f(t) end" },
        { 'e', "local s = ('x'):rep(1e9)" },
        { 'e', "local s = ('x'):rep(1e6, ('y'):rep(1e4))" },
        { 'e', "local function f() return 1 + f() end f()" },
        { 'e', "local function f() local s = ('x'):gsub('x', f) end f()" },
        { 'e', "local f f = function() table.sort({1, 2}, f) end f()" },
        { 'e', "local t = {} t[1] = t t[2] = table.sort "
               "table.sort(t, table.sort)" },
        { 'e', "local t = setmetatable({}, {__tostring = tostring}) "
               "tostring(t)" },
        { 'e', "local t = setmetatable({}, {__tostring = tostring}) "
               "string.format('%s', t)" },
        { 'e', "local m = {} local t = setmetatable({}, m) "
               "m.__tostring = function() return string.format('%s', t) end "
               "string.format('%s', t)" },
        { 'e', "local m = {} local t = setmetatable({}, m) "
               "m.__index = function() return ('x'):gsub('x', t) end "
               "return t.x" },
        { 'e', "table.insert({}, -2147483648, 1)" },
        { 'e', "table.insert({}, 2^53, 1)" },
        { 'e', "unpack({}, 1, 1e8)" },
        { 'e', "table.concat({}, '', 1, 2^31 - 1)" },
        { 'e', "('x'):rep(100):find(('(x'):rep(40))" },
        { 'e', "('x'):rep(100):find(('(x'):rep(20))" },
        { 'e', "('x'):rep(300):find(('x?'):rep(300))" },
        { 'e', "error()" },
        { 'e', "error(nil)" },
        { 'e', "error({})" },
        { 'e', "error(ctx)" },
        { 'e', "error(null)" },
        { 'e', "error(setmetatable({}, {__tostring = function() "
               "while true do end end}))" },
        { 'e', "error(setmetatable({}, {__tostring = error}))" },
        { 'e', "error(function() end)" },
        { 'e', "error(('x'):rep(1e6))" },
        { 'e', "error('\\0\\1\\2')" },
        { 'e', "local t = setmetatable({}, {__index = error}) return t.x" },
        { 'e', "local t = {} t.x.y = 1" },
        { 'e', "null.x = 1" },
        { 'e', "local x = ctx.group.members[5].id" },
        { '*', "local function f() pcall(f) end f() while true do end" },
        { '*', "local function f() pcall(f) pcall(f) end f()" },
        { '*', "local function f() return pcall(f) end f() "
               "while true do end" },
        { '*', "local t = setmetatable({}, {__call = pcall}) t() "
               "while true do end" },
        { '*', "table.remove({}, -2147483648) while true do end" },
        { '*', "table.move({}, 1, 2^31 - 1, 2) while true do end" },
        { '*', "while true do local f = function() error({}) end "
               "pcall(f) pcall(f) end" },
        { '*', "local t = {} for i = 1, 1e6 do t[i] = i end "
               "while true do table.insert(t, 1, 0) end" },
        { '*', "local t = {} for i = 1, 5e5 do t['x' .. i] = i end "
               "for k in pairs(t) do t[k] = nil end "
               "while true do next(t) end" },
        { '*', "local t = {} for i = 1, 1e6 do t[i] = 1e6 - i end "
               "table.sort(t) while true do end" },
        { '*', "local s = ('1'):rep(8e6) while true do tonumber(s) end" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        r = request(GROUP);
        r->ctx.timeout = 50;

        if (cases[i].kind == 'm' || cases[i].kind == 'e') {
            r->ctx.timeout = 60000;
        }

        hook(r, cases[i].body);

        start = worked();
        each(run(r) == NGX_ERROR, "%s", cases[i].body);
        took = worked() - start;

        each(strlen((char *) unit_logged) < 1200, "%s: length of the log",
             cases[i].body);

        switch (cases[i].kind) {

        case 't':
            each(logged("exceeded the time limit of 50 ms"), "%s: %s",
                 cases[i].body, unit_logged);
            break;

        case 'm':
            each(logged("exceeded the memory limit"), "%s: %s", cases[i].body,
                 unit_logged);
            break;

        case 'e':
            each(logged("failed in its request hook: "), "%s: %s",
                 cases[i].body, unit_logged);
            break;
        }

        if (getenv("VERBOSE")) {
            unit_diag("%5d ms  %s: %s", (int) took, cases[i].body,
                      unit_logged);
        }

        each(took < (cases[i].kind == 't' ? 1000 : 4000), "%s: took %d ms",
             cases[i].body, (int) took);

        each(ngx_group_policy_time(r->run) / 1000 + 1 >= took, "time is kept");

        done(r);

        /* the VM works on */

        r = request(GROUP);
        hook(r, "ctx.group.name = ('x'):rep(3):gsub('x', 'y') "
                "local t = {3, 1, 2} table.sort(t) "
                "assert(t[1] == 1 and pcall(error) == false)");
        each(run(r) == NGX_OK && r->ctx.group_changed, "after %s: %s",
             cases[i].body, unit_logged);
        done(r);
    }

    unit_cases("no script gets past its limits");

    /* garbage is not held against a script */

    r = request(NULL);
    r->ctx.timeout = 10000;
    r->ctx.memory = 2 * 1024 * 1024;
    hook(r, "local keep = {} for i = 1, 100 do keep[i] = {i} end "
            "for i = 1, 2000 do local s = ('x'):rep(20000) .. i end");
    ok(run(r) == NGX_OK, "40M of garbage with 2M of memory: %s", unit_logged);
    done(r);

    /* a hook that was stopped is cleaned up after: no garbage to live on */

    r = request(NULL);
    r->ctx.memory = 65536;
    hook(r, "local t = {} for i = 1, 1e5 do t[i] = i end");
    ok(run(r) == NGX_ERROR && logged("memory limit of 65536 bytes"),
       "a limit that is too small for the script: %s", unit_logged);
    done(r);

    r = request(NULL);
    r->ctx.memory = 1024;
    hook(r, "return 1");
    ok(run(r) == NGX_ERROR && logged("memory limit of 1024 bytes"),
       "a limit that is too small for anything: %s", unit_logged);
    done(r);

    r = request(NULL);
    r->ctx.memory = (size_t) -1;
    hook(r, "return 1");
    ok(run(r) == NGX_OK, "a limit that is none: %s", unit_logged);
    done(r);
}


/* many small limits: each allocation of a run fails once */

static void
test_memory(void)
{
    size_t      memory;
    request_t  *r;
    ngx_int_t   rc;

    for (memory = 0, rc = NGX_ERROR; rc != NGX_OK && memory < 65536;
         memory += 64)
    {
        r = request(GROUP);
        r->ctx.memory = memory;
        hook(r, "for i, m in ipairs(ctx.group.members) do "
                "m.id = m.id:gsub('.', '%0%0') ctx:var('host') end "
                "local t = {'b', 'a'} table.sort(t) "
                "assert(ctx.principal.scopes[1] and ctx.params) "
                "ctx.query = {a = {1, 2}}");
        rc = run(r);

        each(rc == NGX_OK || logged("memory"), "%s", unit_logged);
        done(r);
    }

    each(rc == NGX_OK && memory > 1024, "enough at last");

    unit_cases("out of memory anywhere in a run");

    r = request(GROUP);
    hook(r, "ctx.group.name = 'x'");
    ok(run(r) == NGX_OK, "the VM works on");
    done(r);
}


static void
test_pool(void)
{
    ngx_int_t    rc;
    ngx_uint_t   n;
    request_t   *r;

    for (n = 1; n < 200; n++) {
        r = request(GROUP);
        hook(r, "ctx.group.x = {y = {1, 'z'}} ctx.query = {} "
                "ctx:log('error', 'x')");

        unit_fail(n);
        r->run = ngx_group_policy_begin(&r->ctx, r->policies);
        rc = r->run ? ngx_group_policy_request(r->run, &r->error) : NGX_ERROR;

        each(rc == (unit_failed() ? NGX_ERROR : NGX_OK), "allocation %d",
             (int) n);

        if (!unit_failed()) {
            unit_fail(0);
            done(r);
            break;
        }

        unit_fail(0);
        done(r);
    }

    each(n > 5 && n < 200, "all of them");

    for (n = 1; n < 20; n++) {
        r = request(GROUP);
        hook(r, "ctx:deny('invalid', 'detail', 'field')");
        r->run = ngx_group_policy_begin(&r->ctx, r->policies);

        unit_fail(n);
        rc = ngx_group_policy_request(r->run, &r->error);

        each(rc == (unit_failed() ? NGX_ERROR : NGX_DECLINED),
             "refusal, allocation %d", (int) n);

        n = unit_failed() ? n : 20;
        unit_fail(0);
        done(r);
    }

    unit_cases("the pool has no memory");
}


/* LuaJIT's own functions tell what is right */

static void
test_patterns(void)
{
    int                rc;
    char               call[256];
    size_t             i, j;
    ngx_str_t          got, want;
    lua_State         *L;
    request_t         *r;
    ngx_uint_t         n;

    static const char  *subjects[] = { "", "a", "abc", "aab", "a.b-c", "(a)",
        "aXbYc", "  x  ", "a\\0b", "x=1,y=2", "((a)(b))", "\\255\\0a",
        "abcabc", "THE (quick) fox" };

    static const char  *pieces[] = { "a", "b", ".", "%a", "%d", "%s", "%S",
        "%w+", "[abc]", "[^a]", "[a-c]", "[%w_]", "[]]", "[^]]", "[a-]", "()",
        "(a)", "(.-)", "(.*)", "*", "+", "-", "?", "%1", "%2", "%b()", "%f[%a]",
        "%f[%A]", "^", "$", "%%", "%.", "(", ")", "[", "%", "]", "%z", "%x",
        "%u", "%l", "%p", "%c", "%g", "x?", "a-", "[a-", "[%a-z]", "%W*",
        "\\255" };

    static const char  *formats[] = {
        "string.find(%s, %s)",
        "string.match(%s, %s)",
        "string.find(%s, %s, 2)",
        "string.find(%s, %s, -2)",
        "string.match(%s, %s, 99)",
        "string.find(%s, %s, 1, true)",
        "string.gsub(%s, %s, '<%%0>')",
        "string.gsub(%s, %s, '<%%1>', 2)",
        "string.gsub(%s, %s, '%%%%x', 0)",
        "string.gsub(%s, %s, {a = 'A', ['('] = 1, [1] = 'n'})",
        ("string.gsub(%s, %s, function(...) return "
         "table.concat({...}, ';') end)"),
        "all(%s, %s)",
    };

    /* what a call returns as one string; both sides run the same source */

    static const char  *SOURCE =
        "local function all(s, p) local r = {} "
        "for a, b in string.gmatch(s, p) do r[#r + 1] = tostring(a) "
        "r[#r + 1] = tostring(b) if #r > 100 then break end end "
        "return table.concat(r, ';') end "
        "local function join(ok, ...) local r = {tostring(ok)} "
        "if ok then for i = 1, select('#', ...) do "
        "r[#r + 1] = type((select(i, ...))) .. tostring((select(i, ...))) "
        "end end return (table.concat(r, '|'):gsub('[^ -~]', function(c) "
        "return ('<%%d>'):format(c:byte()) end)) end "
        "return join(pcall(function() return %s end))";

    L = luaL_newstate();
    luaL_openlibs(L);

    unit_seed(7);

    for (n = 0; n < 20000; n++) {
        char    source[2048], body[2200], subject[64], pattern[128];
        size_t  len;

        snprintf(subject, sizeof(subject), "'%s'",
                 subjects[unit_random() % (sizeof(subjects)
                                           / sizeof(subjects[0]))]);

        strcpy(pattern, "'");

        for (i = 0, j = unit_random() % 6; i < j; i++) {
            strcat(pattern, pieces[unit_random() % (sizeof(pieces)
                                                    / sizeof(pieces[0]))]);
        }

        strcat(pattern, "'");

        snprintf(call, sizeof(call),
                 formats[unit_random() % (sizeof(formats)
                                          / sizeof(formats[0]))],
                 subject, pattern);
        len = snprintf(source, sizeof(source), SOURCE, call);

        rc = luaL_loadbuffer(L, source, len, "=x");

        if (rc == 0) {
            rc = lua_pcall(L, 0, 1, 0);
        }

        if (rc != 0) {
            each(0, "%s: %s", call, lua_tostring(L, -1));
            lua_settop(L, 0);
            continue;
        }

        want.data = (u_char *) lua_tolstring(L, -1, &want.len);

        snprintf(body, sizeof(body), "ctx.query = {x = (function() %s end)()}",
                 source);

        r = request(NULL);
        hook(r, body);

        if (run(r) == NGX_OK) {
            got = r->ctx.query->u.items.first->u.text;
            each(ngx_group_str_eq(&got, &want), "%s: %s, not %s", call,
                 unit_show(&got), unit_show(&want));

        } else {
            each(0, "%s: %s", call, unit_logged);
        }

        done(r);

        lua_settop(L, 0);
    }

    lua_close(L);

    unit_cases("patterns do what LuaJIT's do");
}


static void
test_sort(void)
{
    request_t  *r;

    r = request(NULL);
    hook(r, "local s = 1 "
            "local function rnd() s = (s * 16807) % 2147483647 return s end "
            "for n = 0, 70 do local t = {} "
            "for i = 1, n do t[i] = rnd() % 20 end table.sort(t) "
            "for i = 2, n do assert(t[i - 1] <= t[i]) end assert(#t == n) "
            "local u = {} for i = 1, n do u[i] = {k = rnd() % 5, i = i} end "
            "table.sort(u, function(a, b) return a.k > b.k end) "
            "for i = 2, n do assert(u[i - 1].k > u[i].k or (u[i - 1].k == "
            "u[i].k and u[i - 1].i < u[i].i)) end end "
            "local t = {3, 2, 1} "
            "assert(not pcall(table.sort, t, function() error() end)) "
            "assert(t[1] == 3 and t[2] == 2 and t[3] == 1) "
            "assert(not pcall(table.sort, {1, 'x'})) "
            "assert(not pcall(table.sort, {1}, 1)) "
            "table.sort({}) "
            "table.sort({1, 2, 3}, function() return true end)");
    ok(run(r) == NGX_OK, "sort: %s", unit_logged);
    done(r);

    r = request(NULL);
    hook(r, "local t = {} table.insert(t, 'b') table.insert(t, 1, 'a') "
            "table.insert(t, 3, 'd') table.insert(t, 3, 'c') "
            "assert(table.concat(t) == 'abcd') "
            "assert(not pcall(table.insert, t, 0, 'x')) "
            "assert(not pcall(table.insert, t, 6, 'x')) "
            "assert(not pcall(table.insert, t)) "
            "assert(not pcall(table.insert, t, 1, 2, 3)) "
            "assert(not pcall(table.insert, 'x', 1))");
    ok(run(r) == NGX_OK, "insert: %s", unit_logged);
    done(r);
}


/* a VM that stays large is replaced, under requests that are on their way */

static void
test_replace(void)
{
    ngx_uint_t   i, replaced;
    request_t   *r, *held[8];

    static const char  *SOURCE =
        "local t = {} "
        "return {request = function(ctx) "
        "for i = 1, 100 do t[i] = tostring(t) .. ('x'):rep(1e5) .. i end "
        "end, "
        "response = function(ctx) assert(#t == 100) "
        "ctx.group = {ok = true} end}";

    replaced = 0;

    for (i = 0; i < 8; i++) {
        held[i] = request(NULL);
        use(held[i], policy(held[i]->ctx.pool, "/etc/large.lua", SOURCE));
        each(run(held[i]) == NGX_OK, "%s", unit_logged);
        replaced += logged("making another");
    }

    unit_cases("requests that hold 80M");

    ok(replaced == 1, "another VM was made");

    r = request(NULL);
    hook(r, "return 1");
    ok(run(r) == NGX_OK && unit_logged[0] == '\0', "which is used");
    done(r);

    for (i = 0; i < 8; i++) {
        each(ngx_group_policy_response(held[i]->run, &held[i]->error)
             == NGX_OK && held[i]->ctx.group_changed, "%s", unit_logged);
        done(held[i]);
    }

    unit_cases("they come to their end");

    /* the worker exits while a request is under way */

    r = request(NULL);
    hook(r, "return 1");
    ok(run(r) == NGX_OK, "a request");
    ngx_group_policy_exit();
    ngx_group_policy_exit();
    done(r);

    ok(ngx_group_policy_init(&unit_log) == NGX_OK, "init");
    ngx_group_policy_exit();
}


static void
test_speed(void)
{
    ngx_uint_t            i, us;
    request_t            *r;
    ngx_group_policy_t   *p;
    ngx_pool_t           *pool;

    pool = unit_pool();
    p = policy(pool, "/etc/speed.lua",
               "local p = {} function p.request(ctx) "
               "if not ctx.group.name:find('^%l+%-') then "
               "return ctx:deny('invalid', 'x', 'name') end end return p");

    us = 0;

    for (i = 0; i < 2000; i++) {
        r = request(GROUP);
        use(r, p);
        each(run(r) == NGX_OK, "run");
        us += ngx_group_policy_time(r->run);
        done(r);
    }

    unit_cases("2000 runs, %.2f us each", us / 2000.0);
    ngx_destroy_pool(pool);
}


int
main(void)
{
    unit_log.log_level = NGX_LOG_INFO;

    test_load();
    test_read();
    test_write();
    test_order();
    test_log();
    test_isolation();
    test_globals();
    test_limits();
    test_memory();
    test_pool();
    test_patterns();
    test_sort();
    test_replace();
    test_speed();

    return unit_done();
}
