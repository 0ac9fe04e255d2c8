
#include <ngx_config.h>
#include <ngx_core.h>
#include <expat.h>
#include "ngx_group_xml.h"
#include "ngx_group_text.h"


#define NGX_GROUP_XML_TEXT  256


typedef struct {
    ngx_pool_t          *pool;
    ngx_group_limits_t  *limits;
    XML_Parser           parser;

    ngx_group_value_t   *root;       /* the object around the root element */
    ngx_group_value_t   *open;       /* its "next" is its parent until closed */
    ngx_uint_t           depth;

    u_char              *text;       /* of the open element, in pieces */
    size_t               len;
    size_t               size;

    const char          *reason;
    ngx_uint_t           limit;      /* what "reason" speaks of, or 0 */
    off_t                at;         /* the byte of it, or -1 */
    ngx_uint_t           nomem;
} ngx_group_xml_ctx_t;


static ngx_int_t ngx_group_xml_utf16(ngx_str_t *in);
static ngx_int_t ngx_group_xml_parse(ngx_group_xml_ctx_t *ctx, ngx_str_t *in,
    ngx_str_t *error);
static ngx_int_t ngx_group_xml_refuse(ngx_group_xml_ctx_t *ctx,
    const char *prefix, ngx_str_t *error);
static void ngx_group_xml_stop(ngx_group_xml_ctx_t *ctx, const char *reason,
    ngx_uint_t limit);

static void XMLCALL ngx_group_xml_version(void *data,
    const XML_Char *version, const XML_Char *encoding, int standalone);
static void XMLCALL ngx_group_xml_doctype(void *data, const XML_Char *name,
    const XML_Char *sysid, const XML_Char *pubid, int subset);
static void XMLCALL ngx_group_xml_start(void *data, const XML_Char *name,
    const XML_Char **attributes);
static void XMLCALL ngx_group_xml_end(void *data, const XML_Char *name);
static void XMLCALL ngx_group_xml_characters(void *data, const XML_Char *p,
    int len);

static ngx_int_t ngx_group_xml_key(ngx_group_xml_ctx_t *ctx,
    const XML_Char *name, ngx_str_t *key);
static ngx_int_t ngx_group_xml_append(ngx_group_xml_ctx_t *ctx, const void *p,
    size_t len);
static ngx_int_t ngx_group_xml_copy(ngx_group_xml_ctx_t *ctx, const void *p,
    size_t len, ngx_str_t *text);
static ngx_uint_t ngx_group_xml_blank(const void *data, size_t len);

static ngx_group_value_t *ngx_group_xml_root(ngx_group_value_t *value,
    ngx_str_t *key);
static size_t ngx_group_xml_element_size(ngx_str_t *key,
    ngx_group_value_t *value);
static size_t ngx_group_xml_content_size(ngx_group_value_t *value);
static size_t ngx_group_xml_text_size(ngx_str_t *text);
static u_char *ngx_group_xml_write_element(u_char *p, ngx_str_t *key,
    ngx_group_value_t *value);
static u_char *ngx_group_xml_write_content(u_char *p,
    ngx_group_value_t *value);
static u_char *ngx_group_xml_write_text(u_char *p, ngx_str_t *text);
static ngx_str_t *ngx_group_xml_escape(u_char *p, u_char *last, size_t *len);


static ngx_str_t  ngx_group_xml_declaration =
    ngx_string("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");

static ngx_str_t  ngx_group_xml_amp = ngx_string("&amp;");
static ngx_str_t  ngx_group_xml_lt = ngx_string("&lt;");
static ngx_str_t  ngx_group_xml_gt = ngx_string("&gt;");
static ngx_str_t  ngx_group_xml_cr = ngx_string("&#13;");
static ngx_str_t  ngx_group_xml_bad = ngx_string("\xef\xbf\xbd");


ngx_int_t
ngx_group_xml_decode(ngx_pool_t *pool, ngx_group_limits_t *limits,
    ngx_str_t *in, ngx_group_value_t **value, ngx_str_t *error)
{
    ngx_int_t            rc;
    ngx_group_xml_ctx_t  ctx;

    ngx_memzero(&ctx, sizeof(ngx_group_xml_ctx_t));

    ctx.pool = pool;
    ctx.limits = limits;
    ctx.at = -1;

    if (in->len == 0) {
        ctx.reason = "no element";
        ctx.at = 0;
        return ngx_group_xml_refuse(&ctx, "", error);
    }

    if (in->len > NGX_MAX_INT32_VALUE) {
        ctx.reason = "too large";
        return ngx_group_xml_refuse(&ctx, "", error);
    }

    if (ngx_group_xml_utf16(in) != NGX_OK) {
        ctx.reason = "a lone surrogate";
        return ngx_group_xml_refuse(&ctx, "", error);
    }

    ctx.root = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    if (ctx.root == NULL) {
        return NGX_ERROR;
    }

    ctx.parser = XML_ParserCreate(NULL);
    if (ctx.parser == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_group_xml_parse(&ctx, in, error);

    XML_ParserFree(ctx.parser);

    if (ctx.text) {
        ngx_pfree(pool, ctx.text);
    }

    if (rc == NGX_OK) {
        *value = ctx.root;
    }

    return rc;
}


/* expat takes whatever follows a high surrogate for the low one */

static ngx_int_t
ngx_group_xml_utf16(ngx_str_t *in)
{
    u_char      *p;
    size_t       i, high;
    ngx_uint_t   pending;

    p = in->data;

    if (in->len < 2) {
        return NGX_OK;
    }

    if ((p[0] == 0xfe && p[1] == 0xff) || p[0] == 0) {
        high = 0;

    } else if ((p[0] == 0xff && p[1] == 0xfe) || p[1] == 0) {
        high = 1;

    } else {
        return NGX_OK;
    }

    pending = 0;

    for (i = 0; i + 1 < in->len; i += 2) {

        if (((p[i + high] & 0xfc) == 0xdc) != pending) {
            return NGX_DECLINED;
        }

        pending = ((p[i + high] & 0xfc) == 0xd8);
    }

    return pending ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_group_xml_parse(ngx_group_xml_ctx_t *ctx, ngx_str_t *in, ngx_str_t *error)
{
    enum XML_Error   code;
    enum XML_Status  status;

    XML_SetUserData(ctx->parser, ctx);
    XML_SetXmlDeclHandler(ctx->parser, ngx_group_xml_version);
    XML_SetStartDoctypeDeclHandler(ctx->parser, ngx_group_xml_doctype);
    XML_SetElementHandler(ctx->parser, ngx_group_xml_start, ngx_group_xml_end);
    XML_SetCharacterDataHandler(ctx->parser, ngx_group_xml_characters);

    status = XML_Parse(ctx->parser, (const char *) in->data, (int) in->len, 1);

    if (ctx->nomem) {
        return NGX_ERROR;
    }

    if (ctx->reason) {
        return ngx_group_xml_refuse(ctx, "", error);
    }

    if (status == XML_STATUS_OK) {
        return NGX_OK;
    }

    code = XML_GetErrorCode(ctx->parser);

    if (code == XML_ERROR_NO_MEMORY) {
        return NGX_ERROR;
    }

    ctx->reason = XML_ErrorString(code);

    if (ctx->reason == NULL) {
        ctx->reason = "unknown error";
    }

    ctx->at = XML_GetCurrentByteIndex(ctx->parser);

    return ngx_group_xml_refuse(ctx, "invalid XML: ", error);
}


static ngx_int_t
ngx_group_xml_refuse(ngx_group_xml_ctx_t *ctx, const char *prefix,
    ngx_str_t *error)
{
    u_char  *p, *last;
    size_t   len;

    len = ngx_strlen(prefix) + ngx_strlen(ctx->reason) + sizeof(" ") - 1
          + NGX_INT_T_LEN + sizeof(", at byte ") - 1 + NGX_OFF_T_LEN;

    p = ngx_pnalloc(ctx->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p + len;

    error->data = p;

    p = ngx_slprintf(p, last, "%s%s", prefix, ctx->reason);

    if (ctx->limit) {
        p = ngx_slprintf(p, last, " %ui", ctx->limit);
    }

    if (ctx->at >= 0) {
        p = ngx_slprintf(p, last, ", at byte %O", ctx->at);
    }

    error->len = p - error->data;

    return NGX_DECLINED;
}


static void
ngx_group_xml_stop(ngx_group_xml_ctx_t *ctx, const char *reason,
    ngx_uint_t limit)
{
    if (reason) {
        ctx->reason = reason;
        ctx->limit = limit;
        ctx->at = XML_GetCurrentByteIndex(ctx->parser);

    } else {
        ctx->nomem = 1;
    }

    (void) XML_StopParser(ctx->parser, XML_FALSE);
}


/* expat does not look at it */

static void XMLCALL
ngx_group_xml_version(void *data, const XML_Char *version,
    const XML_Char *encoding, int standalone)
{
    if (version && ngx_strncmp(version, "1.", 2) != 0) {
        ngx_group_xml_stop(data, "a version of XML other than 1.x", 0);
    }
}


static void XMLCALL
ngx_group_xml_doctype(void *data, const XML_Char *name, const XML_Char *sysid,
    const XML_Char *pubid, int subset)
{
    ngx_group_xml_stop(data, "a document type declaration", 0);
}


static void XMLCALL
ngx_group_xml_start(void *data, const XML_Char *name,
    const XML_Char **attributes)
{
    ngx_group_xml_ctx_t *ctx = data;

    ngx_str_t           key;
    ngx_group_value_t  *value, *parent;

    /* expat may still call after it was stopped */

    if (ctx->reason || ctx->nomem) {
        return;
    }

    if (attributes[0]) {
        ngx_group_xml_stop(ctx, "an attribute", 0);
        return;
    }

    if (ctx->depth >= ctx->limits->max_depth) {
        ngx_group_xml_stop(ctx, "elements nested deeper than",
                           ctx->limits->max_depth);
        return;
    }

    parent = ctx->open;

    if (parent) {

        if (parent->type == NGX_GROUP_STRING) {

            if (!ngx_group_xml_blank(ctx->text, ctx->len)) {
                ngx_group_xml_stop(ctx, "text beside an element", 0);
                return;
            }

            parent->type = NGX_GROUP_OBJECT;
        }

        if (parent->n >= ctx->limits->max_items) {
            ngx_group_xml_stop(ctx, "elements in one element: more than",
                               ctx->limits->max_items);
            return;
        }
    }

    if (ngx_group_xml_key(ctx, name, &key) != NGX_OK) {
        ngx_group_xml_stop(ctx, NULL, 0);
        return;
    }

    value = ngx_group_value_create(ctx->pool, NGX_GROUP_STRING);
    if (value == NULL) {
        ngx_group_xml_stop(ctx, NULL, 0);
        return;
    }

    value->key = key;

    value->next = parent;
    ctx->open = value;

    ctx->depth++;
    ctx->len = 0;
}


static void XMLCALL
ngx_group_xml_end(void *data, const XML_Char *name)
{
    ngx_group_xml_ctx_t *ctx = data;

    ngx_group_value_t  *value;

    if (ctx->reason || ctx->nomem) {
        return;
    }

    value = ctx->open;

    if (value->type == NGX_GROUP_STRING
        && ngx_group_xml_copy(ctx, ctx->text, ctx->len, &value->u.text)
           != NGX_OK)
    {
        ngx_group_xml_stop(ctx, NULL, 0);
        return;
    }

    ctx->open = value->next;
    ctx->depth--;
    ctx->len = 0;

    ngx_group_value_push(ctx->open ? ctx->open : ctx->root, value);
}


static void XMLCALL
ngx_group_xml_characters(void *data, const XML_Char *p, int len)
{
    ngx_group_xml_ctx_t *ctx = data;

    if (ctx->reason || ctx->nomem || len <= 0) {
        return;
    }

    if (ctx->open->type == NGX_GROUP_OBJECT) {

        if (!ngx_group_xml_blank(p, (size_t) len)) {
            ngx_group_xml_stop(ctx, "text beside an element", 0);
        }

        return;
    }

    if (ngx_group_xml_append(ctx, p, (size_t) len) != NGX_OK) {
        ngx_group_xml_stop(ctx, NULL, 0);
    }
}


/* an element that repeats, as those of a list do, takes its name only once */

static ngx_int_t
ngx_group_xml_key(ngx_group_xml_ctx_t *ctx, const XML_Char *name,
    ngx_str_t *key)
{
    ngx_group_value_t  *last;

    key->data = (u_char *) name;
    key->len = ngx_strlen(name);

    last = ctx->open ? ctx->open->u.items.last : NULL;

    if (last && ngx_group_str_eq(&last->key, key)) {
        *key = last->key;
        return NGX_OK;
    }

    return ngx_group_xml_copy(ctx, name, key->len, key);
}


static ngx_int_t
ngx_group_xml_append(ngx_group_xml_ctx_t *ctx, const void *p, size_t len)
{
    u_char  *text;
    size_t   size;

    if (len > ctx->size - ctx->len) {

        size = ngx_max(2 * ctx->size, NGX_GROUP_XML_TEXT);
        size = ngx_max(size, ctx->len + len);

        text = ngx_pnalloc(ctx->pool, size);
        if (text == NULL) {
            return NGX_ERROR;
        }

        if (ctx->text) {
            ngx_memcpy(text, ctx->text, ctx->len);
            ngx_pfree(ctx->pool, ctx->text);
        }

        ctx->text = text;
        ctx->size = size;
    }

    ngx_memcpy(ctx->text + ctx->len, p, len);
    ctx->len += len;

    return NGX_OK;
}


static ngx_int_t
ngx_group_xml_copy(ngx_group_xml_ctx_t *ctx, const void *p, size_t len,
    ngx_str_t *text)
{
    text->len = len;

    if (len == 0) {
        text->data = (u_char *) "";
        return NGX_OK;
    }

    text->data = ngx_pnalloc(ctx->pool, len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, p, len);

    return NGX_OK;
}


static ngx_uint_t
ngx_group_xml_blank(const void *data, size_t len)
{
    const u_char  *p = data;

    while (len--) {
        if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r') {
            return 0;
        }

        p++;
    }

    return 1;
}


ngx_int_t
ngx_group_xml_encode(ngx_pool_t *pool, ngx_group_value_t *value,
    ngx_str_t *out)
{
    u_char             *p;
    ngx_str_t           key;
    ngx_group_value_t  *root;

    root = ngx_group_xml_root(value, &key);

    if (root == NULL) {
        ngx_str_set(out, "");
        return NGX_OK;
    }

    out->len = ngx_group_xml_declaration.len
               + ngx_group_xml_element_size(&key, root);

    p = ngx_pnalloc(pool, out->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_cpymem(p, ngx_group_xml_declaration.data,
                   ngx_group_xml_declaration.len);

    (void) ngx_group_xml_write_element(p, &key, root);

    return NGX_OK;
}


/* the one element that a document has, whatever the tree may hold */

static ngx_group_value_t *
ngx_group_xml_root(ngx_group_value_t *value, ngx_str_t *key)
{
    ngx_group_value_t  *root;

    if (value->type != NGX_GROUP_OBJECT) {
        return NULL;
    }

    root = value->u.items.first;

    while (root && ngx_group_xml_name(&root->key) != NGX_OK) {
        root = root->next;
    }

    if (root == NULL) {
        return NULL;
    }

    *key = root->key;

    while (root && root->type == NGX_GROUP_ARRAY) {
        root = root->u.items.first;
    }

    return (root && root->type != NGX_GROUP_NULL) ? root : NULL;
}


static size_t
ngx_group_xml_element_size(ngx_str_t *key, ngx_group_value_t *value)
{
    size_t              size;
    ngx_group_value_t  *item;

    if (value->type == NGX_GROUP_NULL) {
        return 0;
    }

    if (value->type == NGX_GROUP_ARRAY) {

        size = 0;

        for (item = value->u.items.first; item; item = item->next) {
            size += ngx_group_xml_element_size(key, item);
        }

        return size;
    }

    size = ngx_group_xml_content_size(value);

    if (size == 0) {
        return key->len + sizeof("</>") - 1;
    }

    return size + 2 * key->len + sizeof("<></>") - 1;
}


static size_t
ngx_group_xml_content_size(ngx_group_value_t *value)
{
    size_t              size;
    ngx_group_value_t  *item;

    switch (value->type) {

    case NGX_GROUP_BOOLEAN:
        return value->u.flag ? sizeof("true") - 1 : sizeof("false") - 1;

    case NGX_GROUP_NUMBER:
    case NGX_GROUP_STRING:
        return ngx_group_xml_text_size(&value->u.text);

    default: /* NGX_GROUP_OBJECT */
        break;
    }

    size = 0;

    for (item = value->u.items.first; item; item = item->next) {
        if (ngx_group_xml_name(&item->key) == NGX_OK) {
            size += ngx_group_xml_element_size(&item->key, item);
        }
    }

    return size;
}


/* the first byte from "p" that may not stand for itself, or is not ASCII */

static ngx_inline u_char *
ngx_group_xml_plain(u_char *p, u_char *last)
{
    uint64_t  w, marks;

    while (last - p >= (ssize_t) sizeof(uint64_t)) {
        ngx_memcpy(&w, p, sizeof(uint64_t));

        marks = (w | ngx_group_word_less(w, 0x20) | ngx_group_word_is(w, '&')
                 | ngx_group_word_is(w, '<') | ngx_group_word_is(w, '>'))
                & NGX_GROUP_WORD_HIGH;

        if (marks) {
            p = ngx_group_word_first(p, marks);

            if (NGX_GROUP_WORD_EXACT) {
                return p;
            }

            break;
        }

        p += sizeof(uint64_t);
    }

    while (p < last && *p >= 0x20 && *p < 0x80 && *p != '&' && *p != '<'
           && *p != '>')
    {
        p++;
    }

    return p;
}


static size_t
ngx_group_xml_text_size(ngx_str_t *text)
{
    u_char     *p, *last, *plain;
    size_t      size, len;
    ngx_str_t  *escape;

    size = 0;
    p = text->data;
    last = p + text->len;

    for ( ;; ) {
        plain = ngx_group_xml_plain(p, last);

        size += plain - p;
        p = plain;

        if (p == last) {
            return size;
        }

        escape = ngx_group_xml_escape(p, last, &len);

        size += escape ? escape->len : len;
        p += len;
    }
}


static u_char *
ngx_group_xml_write_element(u_char *p, ngx_str_t *key,
    ngx_group_value_t *value)
{
    u_char             *content;
    ngx_group_value_t  *item;

    if (value->type == NGX_GROUP_NULL) {
        return p;
    }

    if (value->type == NGX_GROUP_ARRAY) {

        for (item = value->u.items.first; item; item = item->next) {
            p = ngx_group_xml_write_element(p, key, item);
        }

        return p;
    }

    *p++ = '<';
    p = ngx_cpymem(p, key->data, key->len);

    content = p + 1;
    p = ngx_group_xml_write_content(content, value);

    if (p == content) {
        p[-1] = '/';
        *p++ = '>';
        return p;
    }

    content[-1] = '>';

    *p++ = '<';
    *p++ = '/';
    p = ngx_cpymem(p, key->data, key->len);
    *p++ = '>';

    return p;
}


static u_char *
ngx_group_xml_write_content(u_char *p, ngx_group_value_t *value)
{
    ngx_group_value_t  *item;

    switch (value->type) {

    case NGX_GROUP_BOOLEAN:
        if (value->u.flag) {
            return ngx_cpymem(p, "true", sizeof("true") - 1);
        }

        return ngx_cpymem(p, "false", sizeof("false") - 1);

    case NGX_GROUP_NUMBER:
    case NGX_GROUP_STRING:
        return ngx_group_xml_write_text(p, &value->u.text);

    default: /* NGX_GROUP_OBJECT */
        break;
    }

    for (item = value->u.items.first; item; item = item->next) {
        if (ngx_group_xml_name(&item->key) == NGX_OK) {
            p = ngx_group_xml_write_element(p, &item->key, item);
        }
    }

    return p;
}


static u_char *
ngx_group_xml_write_text(u_char *p, ngx_str_t *text)
{
    u_char     *s, *last, *plain;
    size_t      len;
    ngx_str_t  *escape;

    s = text->data;
    last = s + text->len;

    for ( ;; ) {
        plain = ngx_group_xml_plain(s, last);

        if (plain != s) {
            p = ngx_cpymem(p, s, plain - s);
            s = plain;
        }

        if (s == last) {
            return p;
        }

        escape = ngx_group_xml_escape(s, last, &len);

        if (escape) {
            p = ngx_cpymem(p, escape->data, escape->len);

        } else {
            p = ngx_cpymem(p, s, len);
        }

        s += len;
    }
}


/* what stands for the "len" bytes at "p", or NULL when they do themselves */

static ngx_str_t *
ngx_group_xml_escape(u_char *p, u_char *last, size_t *len)
{
    *len = 1;

    switch (*p) {

    case '&':
        return &ngx_group_xml_amp;

    case '<':
        return &ngx_group_xml_lt;

    case '>':
        return &ngx_group_xml_gt;

    case '\r':
        return &ngx_group_xml_cr;

    default:
        break;
    }

    if (*p >= 0x20 && *p < 0x80) {
        return NULL;
    }

    *len = ngx_group_xml_char(p, last);

    if (*len) {
        return NULL;
    }

    /* of U+FFFE and U+FFFF all bytes go, else the one that fits nowhere */

    *len = ngx_max(ngx_group_utf8_char(p, last), 1);

    return &ngx_group_xml_bad;
}
