
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
static ngx_int_t ngx_http_group_move_links(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *list);
static void ngx_http_group_rebase(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_rebase_t *rebase);
static ngx_int_t ngx_http_group_links(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *list,
    ngx_group_value_t *next);
static ngx_group_field_t *ngx_http_group_page_field(ngx_http_group_ctx_t *ctx,
    char *name);
static void ngx_http_group_page_path(ngx_http_request_t *r, ngx_str_t *path);
static ngx_int_t ngx_http_group_link(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *list, char *name,
    ngx_int_t number, ngx_str_t *cursor);
static ngx_uint_t ngx_http_group_named(ngx_str_t *list, u_char *name,
    size_t len);
static void ngx_http_group_prune(ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *body);
static void ngx_http_group_prune_group(ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *group);
static ngx_int_t ngx_http_group_move_answer(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer);
static ngx_int_t ngx_http_group_location(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_translation_t *t,
    ngx_group_answer_t *answer);


static ngx_str_t  ngx_http_group_members = ngx_string("members");
static ngx_str_t  ngx_http_group_count = ngx_string("member_count");
static ngx_str_t  ngx_http_group_items = ngx_string("items");
static ngx_str_t  ngx_http_group_next = ngx_string("next");
static ngx_str_t  ngx_http_group_limit = ngx_string("limit");
static ngx_str_t  ngx_http_group_link_self = ngx_string("link_self");
static ngx_str_t  ngx_http_group_link_next = ngx_string("link_next");
static ngx_str_t  ngx_http_group_link_prev = ngx_string("link_prev");


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
    ngx_str_t           key;
    ngx_group_value_t  *v, *next, *items, *value;

    static ngx_str_t    count = ngx_string("count");

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

    if (ngx_group_shape_find(ctx->op->response, &ngx_http_group_link_self)
        == NULL)
    {
        return NGX_OK;
    }

    if (ctx->client.same) {
        return ctx->moved ? ngx_http_group_move_links(r, ctx, list) : NGX_OK;
    }

    return ngx_http_group_links(r, ctx, list, next);
}


/* the same vendor's links, which lead to its own place */

static ngx_int_t
ngx_http_group_move_links(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *list)
{
    ngx_group_value_t   *v;
    ngx_group_rebase_t   rebase;

    ngx_http_group_rebase(r, ctx, &rebase);

    for (v = list->u.items.first; v; v = v->next) {
        if (v->type == NGX_GROUP_STRING && v->key.len > 5
            && ngx_strncmp(v->key.data, "link_", 5) == 0
            && ngx_group_rebase_text(&rebase, &rebase.links, &v->u.text)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * From the upstream's place to the client's.  Links are below what the client
 * wrote before the path of the operation, whatever "rewrite" made of it.
 */

static void
ngx_http_group_rebase(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_rebase_t *rebase)
{
    ngx_str_t  path, rest;

    rebase->pool = ctx->client.pool;
    rebase->from = ctx->upstream.base_path;
    rebase->to = ctx->client.base_path;
    rebase->links = ctx->client.base_path;
    rebase->origin = ctx->client.origin;

    ngx_http_group_page_path(r, &path);

    rest = ctx->call->path;
    rest.data += rebase->from.len;
    rest.len -= rebase->from.len;

    if (path.len >= rest.len
        && ngx_memcmp(path.data + path.len - rest.len, rest.data, rest.len)
           == 0)
    {
        rebase->links.data = path.data;
        rebase->links.len = path.len - rest.len;
    }
}


/*
 * Pages have a number, a token, or both; with both the token counts, and the
 * number tells the page before.  A token of ours tells that one, too.
 */

static ngx_int_t
ngx_http_group_links(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *list, ngx_group_value_t *next)
{
    u_char              buf[NGX_INT64_LEN + 1];
    ngx_int_t           number, before, limit;
    ngx_str_t           text;
    ngx_group_value_t  *v, *cursor;
    ngx_group_field_t  *page, *token;

    page = ngx_http_group_page_field(ctx, "page");
    token = ngx_http_group_page_field(ctx, "cursor");

    v = ngx_group_value_string(r->pool, &r->unparsed_uri);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(list, &ngx_http_group_link_self, v);

    ngx_group_value_unset(list, &ngx_http_group_link_next);
    ngx_group_value_unset(list, &ngx_http_group_link_prev);

    if (ngx_http_group_link(r, ctx, list, "link_first", -1, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cursor = (token && ctx->args) ? ngx_group_value_get(ctx->args,
                                                        &token->name)
                                  : NULL;

    if (cursor && (cursor->type != NGX_GROUP_STRING
                   || cursor->u.text.len == 0))
    {
        cursor = NULL;
    }

    /* -1: which page this is nobody knows */

    number = -1;

    if (page) {
        v = ctx->args ? ngx_group_value_get(ctx->args, &page->name) : NULL;

        if (v && v->type == NGX_GROUP_STRING) {
            number = ngx_atoi(v->u.text.data, v->u.text.len);

        } else if (cursor == NULL) {
            number = 0;
        }
    }

    if (token && next && next->type == NGX_GROUP_STRING
        && ngx_http_group_link(r, ctx, list, "link_next",
                               number < 0 || number == NGX_MAX_INT_T_VALUE
                               ? -1 : number + 1, &next->u.text)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (number > 0) {
        return ngx_http_group_link(r, ctx, list, "link_prev",
                                   number == 1 ? -1 : number - 1, NULL);
    }

    if (number == 0 || cursor == NULL || cursor->u.text.data[0] != 'o') {
        return NGX_OK;
    }

    v = ngx_group_value_get(ctx->query, &ngx_http_group_limit);

    limit = (v && v->type == NGX_GROUP_NUMBER)
            ? ngx_atoi(v->u.text.data, v->u.text.len) : NGX_ERROR;
    before = ngx_atoi(cursor->u.text.data + 1, cursor->u.text.len - 1);

    if (limit <= 0 || before <= 0) {
        return NGX_OK;
    }

    text.data = buf;
    text.len = ngx_sprintf(buf, "o%i", before - limit) - buf;

    return ngx_http_group_link(r, ctx, list, "link_prev", -1,
                               before > limit ? &text : NULL);
}


static ngx_group_field_t *
ngx_http_group_page_field(ngx_http_group_ctx_t *ctx, char *name)
{
    ngx_str_t  key;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    return ngx_group_shape_find(ctx->op->query, &key);
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


/* the same question for another page; -1 and NULL: without that parameter */

static ngx_int_t
ngx_http_group_link(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_value_t *list, char *name, ngx_int_t number, ngx_str_t *cursor)
{
    u_char             *p, buf[NGX_INT_T_LEN];
    ngx_str_t           key, args, path, link, text;
    ngx_uint_t          i;
    ngx_group_field_t  *field;
    ngx_group_value_t  *query, *value;

    query = ctx->args ? ngx_group_value_copy(r->pool, ctx->args)
                      : ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    if (query == NULL) {
        return NGX_ERROR;
    }

    field = ctx->op->query ? ctx->op->query->elts : NULL;

    for (i = 0; field && i < ctx->op->query->nelts; i++) {

        ngx_str_null(&text);

        if (ngx_group_str_is(&field[i].path, "page")) {

            if (number >= 0) {
                text.data = buf;
                text.len = ngx_sprintf(buf, "%i", number) - buf;
            }

        } else if (ngx_group_str_is(&field[i].path, "cursor")) {

            if (cursor) {
                text = *cursor;
            }

        } else {
            continue;
        }

        key = field[i].name;

        if (text.len == 0) {
            ngx_group_value_unset(query, &key);
            continue;
        }

        text.data = ngx_pstrdup(r->pool, &text);
        if (text.data == NULL) {
            return NGX_ERROR;
        }

        value = ngx_group_value_string(r->pool, &text);
        if (value == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(query, &key, value);
    }

    ngx_str_null(&args);

    if (ngx_group_query_write(r->pool, query, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_group_page_path(r, &path);

    p = ngx_pnalloc(r->pool, path.len + 1 + args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    link.data = p;
    link.len = ngx_sprintf(p, "%V%s%V", &path, args.len ? "?" : "", &args) - p;

    value = ngx_group_value_string(r->pool, &link);
    if (value == NULL) {
        return NGX_ERROR;
    }

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    ngx_group_value_set(list, &key, value);

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

        if (ctx->call->tree
            && ngx_http_group_move_answer(r, ctx, answer) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ctx->op->location
               ? ngx_http_group_location(r, ctx, &ctx->client, answer)
               : NGX_OK;
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


/* the upstream's own answer, but for what leads to its own place */

static ngx_int_t
ngx_http_group_move_answer(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_answer_t *answer)
{
    ngx_group_rebase_t    rebase;
    ngx_group_dialect_t  *dialect;

    dialect = ctx->client.dialect;

    ngx_http_group_rebase(r, ctx, &rebase);

    if (ngx_group_rebase(&rebase, ctx->op->response, ctx->call->tree)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    answer->media_type = dialect->media_type;

    return ngx_group_write(ctx->client.pool, dialect->format, ctx->call->tree,
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
