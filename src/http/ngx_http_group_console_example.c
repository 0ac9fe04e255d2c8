
/*
 * The examples of group_console: a request for each operation, with ids of the
 * upstream's form and in the words of the client's dialect.
 */


#include "ngx_http_group_console_example.h"
#include "ngx_http_group_explain.h"
#include "ngx_http_group_translate.h"
#include "ngx_group_text.h"


#define NGX_HTTP_GROUP_CONSOLE_PATCH                                          \
    "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],"       \
    "\"Operations\":[{\"op\":\"replace\",\"path\":\"%V\","                    \
    "\"value\":\"marketing\"},{\"op\":\"add\",\"path\":\"members\","          \
    "\"value\":[{\"value\":\"%V\"}]}]}"


static ngx_int_t ngx_http_group_console_example(ngx_http_group_example_t *ex);
static ngx_group_value_t *ngx_http_group_console_people(ngx_pool_t *pool,
    ngx_str_t *id);
static ngx_uint_t ngx_http_group_console_composite(
    ngx_http_group_loc_conf_t *conf);
static ngx_int_t ngx_http_group_console_path(ngx_http_group_example_t *ex,
    ngx_str_t *path);
static ngx_int_t ngx_http_group_console_id(ngx_http_group_example_t *ex,
    ngx_group_value_t *object, char *name, ngx_uint_t member);
static ngx_int_t ngx_http_group_console_body(ngx_http_group_example_t *ex,
    ngx_str_t *body);
static ngx_int_t ngx_http_group_console_patch(ngx_http_group_example_t *ex,
    ngx_str_t *body);
static ngx_int_t ngx_http_group_console_support(ngx_http_group_example_t *ex,
    ngx_group_value_t *object);


/* by the form of the upstream's ids */

static ngx_str_t  ngx_http_group_console_ids[] = {
    ngx_string("2764183c-5e75-4ae6-8833-503cd5f4dcb0"),
    ngx_string("2764183c-5e75-4ae6-8833-503cd5f4dcb0"),
    ngx_string("7"),
    ngx_string("Nw==")
};


static ngx_str_t  ngx_http_group_console_members[] = {
    ngx_string("101"),
    ngx_string("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
    ngx_string("9"),
    ngx_string("OQ==")
};


ngx_int_t
ngx_http_group_console_operation(ngx_http_group_example_t *ex,
    ngx_group_value_t *object)
{
    ngx_str_t   path, body;
    ngx_int_t   rc;
    ngx_pool_t *pool;

    pool = ex->pool;

    ngx_memzero(&ex->error, sizeof(ngx_group_error_t));

    if (ngx_http_group_console_example(ex) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_group_console_path(ex, &path);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* a dialect may have a path that we have no example for */

    if (rc == NGX_DECLINED) {
        path = ex->op->pattern;
    }

    if (ngx_http_group_explain_text(pool, object, "operation",
                              ngx_group_operation_name(ex->op->operation))
        != NGX_OK
        || ngx_http_group_explain_text(pool, object, "method",
                                       &ex->op->method)
           != NGX_OK
        || ngx_http_group_explain_text(pool, object, "path", &path) != NGX_OK
        || ngx_http_group_explain_list(pool, object, "scopes",
                         ngx_http_group_required_scopes(ex->conf, ex->op))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ex->op->patch || ex->op->request) {

        rc = ex->op->patch ? ngx_http_group_console_patch(ex, &body)
                           : ngx_http_group_console_body(ex, &body);

        if (rc != NGX_OK
            || ngx_http_group_explain_text(pool, object, "body", &body)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_group_console_support(ex, object);
}


/* a canonical request with all that clients of the dialect may say */

static ngx_int_t
ngx_http_group_console_example(ngx_http_group_example_t *ex)
{
    u_char               *p;
    ngx_str_t             text, *group, *person, head, tail;
    ngx_uint_t            member;
    ngx_pool_t           *pool;
    ngx_array_t          *fields;
    ngx_group_value_t    *doc, *v, *next;
    ngx_group_dialect_t  *upstream;

    static ngx_str_t      sticky = ngx_string("sticky_sender");
    static ngx_str_t      members = ngx_string("members");
    static ngx_str_t      admins = ngx_string("admins");

    pool = ex->pool;
    upstream = ex->conf->upstream_dialect;
    member = (ex->op->operation >= NGX_GROUP_MEMBER_ADD);

    group = &ngx_http_group_console_ids[upstream->id];
    person = &ngx_http_group_console_members[upstream->member_id];

    doc = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    if (doc == NULL
        || ngx_http_group_explain_literal(pool, doc, "owner", "alice")
           != NGX_OK
        || ngx_http_group_explain_text(pool, doc, member ? "group_id" : "id",
                                       group)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ex->doc = doc;

    if (member) {
        v = ngx_http_group_explain_add(pool, doc, "member",
                                       NGX_GROUP_OBJECT);

        if (v == NULL
            || ngx_http_group_explain_text(pool, v, "id", person) != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* a membership is known by the ids of both where it has none */

        text = *group;

        if (ngx_http_group_console_composite(ex->conf)) {

            if (ngx_group_percent_encode(pool, group, &head) != NGX_OK
                || ngx_group_percent_encode(pool, person, &tail) != NGX_OK)
            {
                return NGX_ERROR;
            }

            p = ngx_pnalloc(pool, head.len + 1 + tail.len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            text.data = p;
            text.len = ngx_sprintf(p, "%V:%V", &head, &tail) - p;
        }

        return ngx_http_group_explain_text(pool, doc, "id", &text);
    }

    if (ngx_http_group_explain_literal(pool, doc, "name", "sales") != NGX_OK
        || ngx_http_group_explain_literal(pool, doc, "description",
                                          "Everybody who sells")
           != NGX_OK
        || ngx_http_group_explain_literal(pool, doc, "email",
                                          "sales@example.com")
           != NGX_OK
        || ngx_http_group_explain_literal(pool, doc, "external_id", "42")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    v = ngx_group_value_boolean(pool, 1);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(doc, &sticky, v);

    v = ngx_http_group_console_people(pool, person);
    next = ngx_http_group_console_people(pool, person);

    if (v == NULL || next == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(doc, &members, v);
    ngx_group_value_set(doc, &admins, next);

    /* what the dialect has no words for is not said */

    fields = ex->op->request;

    for (v = doc->u.items.first; v; v = next) {
        next = v->next;
        text = v->key;

        if (ngx_group_str_is(&text, "id") || ngx_group_str_is(&text, "owner")
            || ngx_group_shape_find(fields, &text))
        {
            continue;
        }

        ngx_group_value_unset(doc, &text);
    }

    return NGX_OK;
}


static ngx_group_value_t *
ngx_http_group_console_people(ngx_pool_t *pool, ngx_str_t *id)
{
    ngx_group_value_t  *list, *one;

    list = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NULL;
    }

    one = ngx_http_group_explain_add(pool, list, NULL, NGX_GROUP_OBJECT);

    if (one == NULL
        || ngx_http_group_explain_text(pool, one, "id", id) != NGX_OK)
    {
        return NULL;
    }

    return list;
}


static ngx_uint_t
ngx_http_group_console_composite(ngx_http_group_loc_conf_t *conf)
{
    ngx_str_t             id;
    ngx_group_op_t       *list;
    ngx_group_dialect_t  *upstream;

    ngx_str_set(&id, "id");

    upstream = conf->upstream_dialect;
    list = upstream->ops[NGX_GROUP_MEMBER_LIST];

    return list == NULL
           || ngx_group_shape_find(ngx_group_shape(list->response, 1), &id)
              == NULL;
}


/* the path as the client has it; NGX_DECLINED: it has what we do not know */

static ngx_int_t
ngx_http_group_console_path(ngx_http_group_example_t *ex, ngx_str_t *path)
{
    ngx_str_t                uri, key;
    ngx_group_value_t       *params;
    ngx_group_translation_t  t;

    params = ngx_group_value_copy(ex->pool, ex->doc);
    if (params == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&key, "member");

    if (ngx_http_group_console_id(ex, params, "id", 0) != NGX_OK
        || ngx_http_group_console_id(ex, params, "group_id", 0) != NGX_OK
        || ngx_http_group_console_id(ex, ngx_group_value_get(params, &key),
                                     "id", 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&t, sizeof(ngx_group_translation_t));

    t.pool = ex->pool;
    t.log = ex->log;
    t.dialect = ex->conf->dialect;
    t.base_path = ex->base_path;
    t.error = &ex->error;

    return ngx_group_match_build(&t, ex->op, params, path, &uri);
}


/* from the upstream's form to the client's */

static ngx_int_t
ngx_http_group_console_id(ngx_http_group_example_t *ex,
    ngx_group_value_t *object, char *name, ngx_uint_t member)
{
    ngx_str_t             key;
    ngx_group_value_t    *v;
    ngx_group_dialect_t  *client, *upstream;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    v = ngx_group_value_get(object, &key);

    if (v == NULL) {
        return NGX_OK;
    }

    client = ex->conf->dialect;
    upstream = ex->conf->upstream_dialect;

    return ngx_group_id_encode(ex->pool,
                               member ? client->member_id : client->id,
                               member ? upstream->member_id : upstream->id,
                               &v->u.text, &v->u.text);
}


static ngx_int_t
ngx_http_group_console_body(ngx_http_group_example_t *ex, ngx_str_t *body)
{
    ngx_group_error_t        error;
    ngx_group_value_t       *tree;
    ngx_group_dialect_t     *upstream;
    ngx_group_translation_t  t;

    ngx_memzero(&error, sizeof(ngx_group_error_t));
    ngx_memzero(&t, sizeof(ngx_group_translation_t));

    upstream = ex->conf->upstream_dialect;

    t.pool = ex->pool;
    t.log = ex->log;
    t.dialect = ex->conf->dialect;
    t.id = upstream->id;
    t.member_id = upstream->member_id;
    t.base_path = ex->base_path;
    t.error = &error;
    t.request = 1;
    t.client = 1;

    ngx_str_set(&t.origin, "https://localhost");
    ngx_str_set(&t.owner, "alice");

    tree = ngx_group_value_create(ex->pool, NGX_GROUP_OBJECT);

    if (tree == NULL
        || ngx_group_encode(&t, ex->op->request, ex->doc, tree) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_group_write(ex->pool, ex->conf->dialect->format, tree, body);
}


/* the same as a change of the example's doc, in both forms */

static ngx_int_t
ngx_http_group_console_patch(ngx_http_group_example_t *ex, ngx_str_t *body)
{
    u_char               *p;
    ngx_str_t             name, id;
    ngx_uint_t            i;
    ngx_pool_t           *pool;
    ngx_keyval_t         *kv;
    ngx_group_value_t    *change, *set, *members, *one, *member;
    ngx_group_dialect_t  *dialect, *upstream;

    pool = ex->pool;
    dialect = ex->conf->dialect;
    upstream = ex->conf->upstream_dialect;

    ngx_str_set(&name, "displayName");

    kv = dialect->names ? dialect->names->elts : NULL;

    for (i = 0; kv && i < dialect->names->nelts; i++) {
        if (ngx_group_str_is(&kv[i].value, "name")) {
            name = kv[i].key;
        }
    }

    if (ngx_group_id_encode(pool, dialect->member_id, upstream->member_id,
                         &ngx_http_group_console_members[upstream->member_id],
                         &id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, sizeof(NGX_HTTP_GROUP_CONSOLE_PATCH) + name.len
                          + id.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = ngx_sprintf(p, NGX_HTTP_GROUP_CONSOLE_PATCH, &name, &id) - p;

    change = ngx_http_group_explain_add(pool, ex->doc, "change",
                                        NGX_GROUP_OBJECT);
    if (change == NULL) {
        return NGX_ERROR;
    }

    set = ngx_http_group_explain_add(pool, change, "set", NGX_GROUP_OBJECT);
    members = ngx_http_group_explain_add(pool, change, "members",
                                         NGX_GROUP_ARRAY);

    if (set == NULL || members == NULL
        || ngx_http_group_explain_literal(pool, set, "name", "marketing")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    one = ngx_http_group_explain_add(pool, members, NULL, NGX_GROUP_OBJECT);

    if (one == NULL
        || ngx_http_group_explain_literal(pool, one, "op", "add") != NGX_OK)
    {
        return NGX_ERROR;
    }

    member = ngx_http_group_explain_add(pool, one, "member",
                                        NGX_GROUP_OBJECT);

    return member ? ngx_http_group_explain_text(pool, member, "id",
                       &ngx_http_group_console_members[upstream->member_id])
                  : NGX_ERROR;
}


/* whether there is a plan for it; what a request lacks is another matter */

static ngx_int_t
ngx_http_group_console_support(ngx_http_group_example_t *ex,
    ngx_group_value_t *object)
{
    ngx_int_t           rc;
    ngx_group_plan_t   *plan;
    ngx_group_value_t  *v;

    static ngx_str_t    supported = ngx_string("supported");

    plan = ngx_pcalloc(ex->pool, sizeof(ngx_group_plan_t));
    if (plan == NULL) {
        return NGX_ERROR;
    }

    plan->pool = ex->pool;
    plan->log = ex->log;
    plan->client = ex->conf->dialect;
    plan->upstream = ex->conf->upstream_dialect;
    plan->op = ex->op;
    plan->doc = ex->doc;
    plan->query = ngx_group_value_create(ex->pool, NGX_GROUP_OBJECT);
    plan->concurrency = ex->conf->plan_concurrency;
    plan->max_calls = ex->conf->plan_max_calls;

    if (plan->query == NULL || ngx_http_group_given(ex->conf, plan) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_group_plan_create(plan);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    v = ngx_group_value_boolean(ex->pool, rc == NGX_OK);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(object, &supported, v);

    return (rc == NGX_OK)
           ? NGX_OK : ngx_http_group_explain_text(ex->pool, object, "reason",
                                                  &plan->error.detail);
}
