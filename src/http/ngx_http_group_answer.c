
/*
 * Answers from the upstream's dialect to the client's.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_translate.h"


static ngx_int_t ngx_http_group_derive(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *group);
static void ngx_http_group_unset_path(ngx_group_value_t *value,
    ngx_str_t *path);
static ngx_int_t ngx_http_group_page(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *list);
static void ngx_http_group_page_path(ngx_http_request_t *r, ngx_str_t *path);
static ngx_int_t ngx_http_group_next_link(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_str_t *name, ngx_group_value_t *next,
    ngx_str_t *link);
static ngx_uint_t ngx_http_group_named(ngx_str_t *list, u_char *name,
    size_t len);
static void ngx_http_group_prune(ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *body);
static void ngx_http_group_prune_group(ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *group);
static ngx_int_t ngx_http_group_location(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_translation_t *t,
    ngx_group_answer_t *answer);


static ngx_str_t  ngx_http_group_members = ngx_string("members");
static ngx_str_t  ngx_http_group_count = ngx_string("member_count");
static ngx_str_t  ngx_http_group_items = ngx_string("items");
static ngx_str_t  ngx_http_group_next = ngx_string("next");


/*
 * The canonical answer: what the upstream says, and where the client's dialect
 * requires more, or the upstream just does not repeat it, what the request
 * said.
 */

ngx_int_t
ngx_http_group_complete(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *answer)
{
    ngx_str_t          *lost;
    ngx_uint_t          i, operation;
    ngx_group_value_t  *v, *next, *base, *items;

    operation = ctx->op->operation;

    if (ngx_group_operation_response_of(operation)
        != ngx_group_operation_request_of(operation))
    {
        ctx->result = answer;

        items = ngx_group_value_get(answer, &ngx_http_group_items);

        if (items && operation == NGX_GROUP_GROUP_LIST) {
            for (v = items->u.items.first; v; v = v->next) {
                if (ngx_http_group_derive(r, ctx, v) != NGX_OK) {
                    return NGX_ERROR;
                }
            }
        }

        return ngx_http_group_page(r, ctx, answer);
    }

    base = ngx_group_value_create(ctx->client.pool, NGX_GROUP_OBJECT);
    if (base == NULL) {
        return NGX_ERROR;
    }

    for (v = ctx->doc->u.items.first; v; v = v->next) {

        if (ngx_group_value_get(answer, &v->key)) {
            continue;
        }

        next = ngx_group_value_copy(ctx->client.pool, v);
        if (next == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_push(base, next);
    }

    lost = ctx->lost.elts;

    for (i = 0; i < ctx->lost.nelts; i++) {
        if (ctx->op->response
            && !ngx_group_shape_requires(ctx->op->response, &lost[i]))
        {
            ngx_http_group_unset_path(base, &lost[i]);
        }
    }

    for (v = answer->u.items.first; v; v = next) {
        next = v->next;
        ngx_group_value_push(base, v);
    }

    ctx->result = base;

    if (ngx_group_operation_request_of(operation) != NGX_GROUP_OF_GROUP) {
        return NGX_OK;
    }

    /* a group that was just made has no members but those it was made with */

    if (operation == NGX_GROUP_GROUP_CREATE
        && ngx_group_value_get(base, &ngx_http_group_members) == NULL)
    {
        v = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(base, &ngx_http_group_members, v);
    }

    return ngx_http_group_derive(r, ctx, base);
}


/* "members.name": of each member */

static void
ngx_http_group_unset_path(ngx_group_value_t *value, ngx_str_t *path)
{
    u_char             *dot;
    ngx_str_t           key, rest;
    ngx_group_value_t  *inner, *item;

    dot = ngx_strlchr(path->data, path->data + path->len, '.');

    if (dot == NULL) {
        ngx_group_value_unset(value, path);
        return;
    }

    key.data = path->data;
    key.len = dot - path->data;
    rest.data = dot + 1;
    rest.len = path->len - key.len - 1;

    inner = ngx_group_value_get(value, &key);

    if (inner == NULL) {
        return;
    }

    /* a vendor's own fields have names with dots */

    if (ngx_group_str_is(&key, "ext")) {
        ngx_group_value_unset(inner, &rest);

    } else if (inner->type == NGX_GROUP_OBJECT) {
        ngx_http_group_unset_path(inner, &rest);

    } else if (inner->type == NGX_GROUP_ARRAY) {
        for (item = inner->u.items.first; item; item = item->next) {
            if (item->type == NGX_GROUP_OBJECT) {
                ngx_http_group_unset_path(item, &rest);
            }
        }
    }
}


/* what follows from the rest, and what the configuration says of all groups */

static ngx_int_t
ngx_http_group_derive(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *group)
{
    ngx_array_t        *fields;
    ngx_group_value_t  *members, *count;

    members = ngx_group_value_get(group, &ngx_http_group_members);

    if (members && members->type == NGX_GROUP_ARRAY
        && ngx_group_value_get(group, &ngx_http_group_count) == NULL)
    {
        count = ngx_group_value_integer(r->pool, members->n);
        if (count == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(group, &ngx_http_group_count, count);
    }

    fields = ngx_group_shape(ctx->op->response,
                                  ctx->op->operation == NGX_GROUP_GROUP_LIST);

    return fields ? ngx_http_group_fill_answer(r, fields, group) : NGX_OK;
}


/* where a page is among the others, for dialects that link them */

static ngx_int_t
ngx_http_group_page(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *list)
{
    ngx_str_t           key, path, text;
    ngx_uint_t          i;
    ngx_array_t        *query;
    ngx_group_field_t  *field;
    ngx_group_value_t  *v, *next, *items, *value;

    static ngx_str_t    count = ngx_string("count");
    static ngx_str_t    link_self = ngx_string("link_self");
    static ngx_str_t    link_first = ngx_string("link_first");
    static ngx_str_t    link_next = ngx_string("link_next");

    next = ngx_group_value_get(list, &ngx_http_group_next);
    items = ngx_group_value_get(list, &ngx_http_group_items);

    /* what was asked for is told again where the dialect does so */

    for (v = ctx->query->u.items.first; v; v = v->next) {
        if (ngx_group_value_get(list, &v->key) == NULL) {
            value = ngx_group_value_copy(r->pool, v);
            if (value == NULL) {
                return NGX_ERROR;
            }

            key = v->key;
            ngx_group_value_set(list, &key, value);
        }
    }

    if (items && items->type == NGX_GROUP_ARRAY) {
        value = ngx_group_value_integer(r->pool, items->n);
        if (value == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(list, &count, value);
    }

    if (ngx_group_value_get(list, &link_self)) {
        return NGX_OK;
    }

    value = ngx_group_value_string(r->pool, &r->unparsed_uri);
    if (value == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(list, &link_self, value);

    ngx_http_group_page_path(r, &path);

    value = ngx_group_value_string(r->pool, &path);
    if (value == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(list, &link_first, value);

    query = ctx->op->query;

    if (next == NULL || next->type != NGX_GROUP_STRING || query == NULL) {
        return NGX_OK;
    }

    field = query->elts;

    for (i = 0; i < query->nelts; i++) {

        if (!ngx_group_str_is(&field[i].path, "cursor")) {
            continue;
        }

        if (ngx_http_group_next_link(r, ctx, &field[i].name, next, &text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        value = ngx_group_value_string(r->pool, &text);
        if (value == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(list, &link_next, value);
    }

    return NGX_OK;
}


/* the path as the client wrote it, whatever "rewrite" made of it since */

static void
ngx_http_group_page_path(ngx_http_request_t *r, ngx_str_t *path)
{
    u_char  *p;

    *path = r->unparsed_uri;

    p = ngx_strlchr(path->data, path->data + path->len, '?');
    if (p) {
        path->len = p - path->data;
    }
}


/* the same question with the token of the next page */

static ngx_int_t
ngx_http_group_next_link(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_str_t *name, ngx_group_value_t *next, ngx_str_t *link)
{
    u_char             *p;
    ngx_str_t           args, key, path;
    ngx_uint_t          i;
    ngx_group_field_t  *field;
    ngx_group_value_t  *query, *token;

    query = ctx->args ? ngx_group_value_copy(r->pool, ctx->args)
                      : ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    token = ngx_group_value_string(r->pool, &next->u.text);

    if (query == NULL || token == NULL) {
        return NGX_ERROR;
    }

    field = ctx->op->query->elts;

    for (i = 0; i < ctx->op->query->nelts; i++) {
        if (ngx_group_str_is(&field[i].path, "page")) {
            key = field[i].name;
            ngx_group_value_unset(query, &key);
        }
    }

    ngx_group_value_set(query, name, token);

    if (ngx_group_query_write(r->pool, query, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_group_page_path(r, &path);

    p = ngx_pnalloc(r->pool, path.len + 1 + args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    link->data = p;
    link->len = ngx_sprintf(p, "%V?%V", &path, &args) - p;

    return NGX_OK;
}


ngx_int_t
ngx_http_group_encode_answer(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_answer_t *answer)
{
    ngx_group_value_t          *body;
    ngx_group_translation_t     t;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    ngx_memzero(answer, sizeof(ngx_group_answer_t));

    answer->status = ctx->op->status;

    if (ctx->op->operation == NGX_GROUP_VENDOR_READ) {

        if (ngx_group_media_type(glcf->dialect, &ctx->call->answer_type)
            != NGX_OK)
        {
            ngx_group_error_set(&ctx->error, NGX_GROUP_BAD_GATEWAY,
                                "content_type",
                                "the upstream's answer is of another media "
                                "type than its API's");
            return NGX_DECLINED;
        }

        answer->body = ctx->call->answer;
        answer->media_type = ctx->call->answer_type;

        return NGX_OK;
    }

    if (ctx->op->response == NULL || answer->status == NGX_HTTP_NO_CONTENT) {
        return NGX_OK;
    }

    /* the upstream's own bytes, when nobody had a reason to touch them */

    if (glcf->upstream_dialect == glcf->dialect
        && !(ctx->run && ctx->changed))
    {
        answer->body = ctx->call->answer;
        answer->media_type = ctx->call->answer_type;
        return NGX_OK;
    }

    answer->media_type = glcf->dialect->media_type;

    t = ctx->client;
    t.request = 0;

    body = ngx_group_value_create(t.pool, NGX_GROUP_OBJECT);

    if (body == NULL
        || ngx_group_encode(&t, ctx->op->response, ctx->result, body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_group_declined(ctx) != NGX_OK) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_BAD_GATEWAY, "answer",
                            "the upstream's answer lacks what the client's "
                            "API requires");
        return NGX_DECLINED;
    }

    if (ctx->only.len || ctx->without.len) {
        ngx_http_group_prune(ctx, body);
    }

    if (ctx->op->location
        && ngx_http_group_location(r, ctx, &t, answer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_group_write(t.pool, glcf->dialect->format, body,
                           &answer->body);
}


static ngx_int_t
ngx_http_group_location(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_translation_t *t, ngx_group_answer_t *answer)
{
    ngx_keyval_t       *header;
    ngx_group_value_t  *id;

    static ngx_str_t    key = ngx_string("id");

    id = ngx_group_value_get(ctx->result, &key);

    if (id == NULL || id->type != NGX_GROUP_STRING) {
        return NGX_OK;
    }

    answer->headers = ngx_array_create(r->pool, 1, sizeof(ngx_keyval_t));
    if (answer->headers == NULL) {
        return NGX_ERROR;
    }

    header = ngx_array_push(answer->headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&header->key, "Location");

    return ngx_group_encode_location(t, ctx->op->location, &id->u.text,
                                     &header->value);
}


/* RFC 7644, 3.9: "schemas", "id" and "meta" are always there */

ngx_uint_t
ngx_http_group_wanted(ngx_http_group_ctx_t *ctx, char *name)
{
    size_t  len;

    len = ngx_strlen(name);

    if (ctx->only.len) {
        return ngx_http_group_named(&ctx->only, (u_char *) name, len);
    }

    return !ngx_http_group_named(&ctx->without, (u_char *) name, len);
}


/* whether "a, b.c" names an attribute, or a part of it */

static ngx_uint_t
ngx_http_group_named(ngx_str_t *list, u_char *name, size_t len)
{
    u_char  *p, *end, *start;

    p = list->data;
    end = p + list->len;

    while (p < end) {

        while (p < end && (*p == ',' || *p == ' ')) {
            p++;
        }

        for (start = p; p < end && *p != ',' && *p != ' '; p++) {
            if (*p == ':') {
                start = p + 1;
            }
        }

        if ((size_t) (p - start) >= len
            && ngx_strncasecmp(start, name, len) == 0
            && ((size_t) (p - start) == len || start[len] == '.'))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_group_prune(ngx_http_group_ctx_t *ctx, ngx_group_value_t *body)
{
    ngx_group_value_t  *v, *next, *item;

    for (v = body->u.items.first; v; v = next) {
        next = v->next;

        if (ngx_group_operation_response_of(ctx->op->operation)
            == NGX_GROUP_OF_GROUP_LIST)
        {
            if (v->type != NGX_GROUP_ARRAY) {
                continue;
            }

            for (item = v->u.items.first; item; item = item->next) {
                if (item->type == NGX_GROUP_OBJECT) {
                    ngx_http_group_prune_group(ctx, item);
                }
            }

            continue;
        }

        ngx_http_group_prune_group(ctx, body);
        return;
    }
}


static void
ngx_http_group_prune_group(ngx_http_group_ctx_t *ctx, ngx_group_value_t *group)
{
    ngx_str_t           key;
    ngx_uint_t          named;
    ngx_group_value_t  *v, *next;

    for (v = group->u.items.first; v; v = next) {
        next = v->next;
        key = v->key;

        if (ngx_group_str_is(&key, "id") || ngx_group_str_is(&key, "schemas")
            || ngx_group_str_is(&key, "meta"))
        {
            continue;
        }

        named = ngx_http_group_named(ctx->only.len ? &ctx->only
                                                   : &ctx->without,
                                     key.data, key.len);

        if (ctx->only.len ? !named : named) {
            ngx_group_value_unset(group, &key);
        }
    }
}


ngx_int_t
ngx_http_group_answer_document(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer)
{
    ngx_group_dialect_t  *dialect;

    dialect = ctx->client.dialect;

    ngx_memzero(answer, sizeof(ngx_group_answer_t));

    answer->status = NGX_HTTP_OK;
    answer->media_type = dialect->media_type;

    return ngx_group_write(r->pool, dialect->format, ctx->document,
                           &answer->body);
}
