
#include <ngx_config.h>
#include <ngx_core.h>
#include <yajl/yajl_parse.h>
#include "ngx_group_json_internal.h"


/*
 * yajl does not check what its allocations return, so it must never see one
 * fail: all that it can ask for while it reads one body is reserved before.
 * It asks for its own structures, a byte a level (in steps), the last token
 * when the input ends with it, and the longest string that has escapes; the
 * last two in buffers that double.
 */

#define NGX_GROUP_JSON_SCRATCH      6144
#define NGX_GROUP_JSON_STRUCTURES   1536
#define NGX_GROUP_JSON_STEP         128
#define NGX_GROUP_JSON_BUFFER       2048
#define NGX_GROUP_JSON_ALIGNMENT    16


typedef struct {
    ngx_pool_t          *pool;
    ngx_group_limits_t  *limits;
    ngx_str_t           *in;

    ngx_group_values_t   values;
    ngx_group_value_t   *root;
    ngx_group_value_t   *open;       /* its "next" is its parent until closed */
    ngx_str_t            key;

    u_char              *pos;        /* of the reserved memory */
    u_char              *end;

    const char          *reason;
    ngx_uint_t           limit;      /* what "reason" speaks of, or 0 */
    ngx_uint_t           nomem;
} ngx_group_json_ctx_t;


typedef struct {
    ngx_uint_t           depth;
    size_t               escaped;    /* the longest string with escapes */
    size_t               tail;       /* the last token */
} ngx_group_json_scan_t;


static ngx_int_t ngx_group_json_scan(ngx_group_json_ctx_t *ctx,
    ngx_group_json_scan_t *scan, size_t *at);
static size_t ngx_group_json_escape(ngx_group_json_ctx_t *ctx, u_char *p,
    u_char *last);
static ngx_int_t ngx_group_json_unit(u_char *p, u_char *last);
static size_t ngx_group_json_reserve(ngx_group_json_scan_t *scan);
static size_t ngx_group_json_buffer(size_t len);
static ngx_int_t ngx_group_json_parse(ngx_group_json_ctx_t *ctx,
    ngx_str_t *error);
static ngx_int_t ngx_group_json_refuse(ngx_group_json_ctx_t *ctx,
    const char *prefix, size_t at, ngx_str_t *error);

static void *ngx_group_json_malloc(void *data, size_t size);
static void *ngx_group_json_realloc(void *data, void *p, size_t size);
static void ngx_group_json_free(void *data, void *p);

static int ngx_group_json_null(void *data);
static int ngx_group_json_boolean(void *data, int flag);
static int ngx_group_json_number(void *data, const char *p, size_t len);
static int ngx_group_json_string(void *data, const unsigned char *p,
    size_t len);
static int ngx_group_json_start_map(void *data);
static int ngx_group_json_map_key(void *data, const unsigned char *p,
    size_t len);
static int ngx_group_json_start_array(void *data);
static int ngx_group_json_end(void *data);

static ngx_group_value_t *ngx_group_json_create(ngx_group_json_ctx_t *ctx,
    ngx_group_type_e type);
static int ngx_group_json_add(ngx_group_json_ctx_t *ctx,
    ngx_group_value_t *value);
static int ngx_group_json_start(ngx_group_json_ctx_t *ctx,
    ngx_group_type_e type);
static int ngx_group_json_scalar(ngx_group_json_ctx_t *ctx,
    ngx_group_type_e type, const void *p, size_t len);
static ngx_int_t ngx_group_json_text(ngx_group_json_ctx_t *ctx,
    const void *p, size_t len, ngx_str_t *text);
static int ngx_group_json_stop(ngx_group_json_ctx_t *ctx, const char *reason,
    ngx_uint_t limit);


static yajl_callbacks  ngx_group_json_callbacks = {
    ngx_group_json_null,
    ngx_group_json_boolean,
    NULL,
    NULL,
    ngx_group_json_number,
    ngx_group_json_string,
    ngx_group_json_start_map,
    ngx_group_json_map_key,
    ngx_group_json_end,
    ngx_group_json_start_array,
    ngx_group_json_end
};


ngx_int_t
ngx_group_json_decode(ngx_pool_t *pool, ngx_group_limits_t *limits,
    ngx_str_t *in, ngx_group_value_t **value, ngx_str_t *error)
{
    u_char                 *reserved;
    size_t                  at, size;
    ngx_int_t               rc;
    ngx_group_json_ctx_t    ctx;
    ngx_group_json_scan_t   scan;

    union {
        u_char              bytes[NGX_GROUP_JSON_SCRATCH];
        uint64_t            align;
    } scratch;

    ngx_memzero(&ctx, sizeof(ngx_group_json_ctx_t));

    ctx.pool = pool;
    ctx.values.pool = pool;
    ctx.limits = limits;
    ctx.in = in;

    at = 0;

    if (ngx_group_json_scan(&ctx, &scan, &at) != NGX_OK) {
        return ngx_group_json_refuse(&ctx, "", at, error);
    }

    size = ngx_group_json_reserve(&scan);

    reserved = NULL;

    if (size <= sizeof(scratch.bytes)) {
        ctx.pos = scratch.bytes;
        ctx.end = scratch.bytes + sizeof(scratch.bytes);

    } else {
        reserved = ngx_palloc(pool, size);
        if (reserved == NULL) {
            return NGX_ERROR;
        }

        ctx.pos = reserved;
        ctx.end = reserved + size;
    }

    rc = ngx_group_json_parse(&ctx, error);

    if (reserved) {
        ngx_pfree(pool, reserved);
    }

    if (rc == NGX_OK) {
        *value = ctx.root;
    }

    return rc;
}


/*
 * Reads over the bytes once, before yajl does: for what yajl lets pass, and
 * for what it will need.
 */

static ngx_int_t
ngx_group_json_scan(ngx_group_json_ctx_t *ctx, ngx_group_json_scan_t *scan,
    size_t *at)
{
    u_char      *p, *last, *string;
    size_t       n;
    ngx_str_t   *in;
    ngx_uint_t   depth, escaped, blank;

    ngx_memzero(scan, sizeof(ngx_group_json_scan_t));

    in = ctx->in;

    if (in->len >= 3 && ngx_memcmp(in->data, "\xef\xbb\xbf", 3) == 0) {
        ctx->reason = "a byte order mark";
        return NGX_DECLINED;
    }

    last = in->data + in->len;

    string = NULL;
    escaped = 0;
    depth = 0;
    blank = 1;

    for (p = in->data; p < last; p++) {

        if (string) {
            p = ngx_group_json_plain(p, last, 0);

            if (p == last) {
                break;
            }

            if (*p == '"') {
                n = p - string;

                if (escaped && n > scan->escaped) {
                    scan->escaped = n;
                }

                string = NULL;

            } else if (*p == '\\') {
                n = ngx_group_json_escape(ctx, p, last);

                if (n == 0) {
                    *at = p - in->data;
                    return NGX_DECLINED;
                }

                escaped = 1;
                p += n - 1;

            } else if (*p >= 0x80) {
                n = ngx_group_utf8_char(p, last);

                if (n == 0) {
                    *at = p - in->data;
                    ctx->reason = "not UTF-8";
                    return NGX_DECLINED;
                }

                p += n - 1;

            } else {
                *at = p - in->data;
                ctx->reason = "a control character in a string";
                return NGX_DECLINED;
            }

            continue;
        }

        switch (*p) {

        case ' ':
        case '\t':
        case '\n':
        case '\r':
            scan->tail = 0;
            continue;

        case '"':
            string = p + 1;
            escaped = 0;
            scan->tail = 0;
            break;

        case '[':
        case '{':
            if (depth >= ctx->limits->max_depth) {
                *at = p - in->data;
                ctx->reason = "arrays and objects nested deeper than";
                ctx->limit = ctx->limits->max_depth;
                return NGX_DECLINED;
            }

            depth++;
            scan->depth = ngx_max(scan->depth, depth);
            scan->tail = 0;
            break;

        case ']':
        case '}':
            if (depth) {
                depth--;
            }

            /* fall through */

        case ',':
        case ':':
            scan->tail = 0;
            break;

        default:

            /* VT and FF are spaces to yajl */

            if (*p < 0x20 || *p == '\\') {
                *at = p - in->data;
                ctx->reason = "a character that may stand in strings only";
                return NGX_DECLINED;
            }

            if (ngx_group_utf8_char(p, last) == 0) {
                *at = p - in->data;
                ctx->reason = "not UTF-8";
                return NGX_DECLINED;
            }

            scan->tail++;
        }

        blank = 0;
    }

    if (string) {
        *at = in->len;
        ctx->reason = "a string that does not end";
        return NGX_DECLINED;
    }

    if (blank) {
        *at = in->len;
        ctx->reason = "no value";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* the length of the escape at "p", or 0 */

static size_t
ngx_group_json_escape(ngx_group_json_ctx_t *ctx, u_char *p, u_char *last)
{
    ngx_int_t  unit;

    if (last - p < 2) {
        ctx->reason = "a string that does not end";
        return 0;
    }

    if (p[1] != 'u') {

        if (ngx_strchr("\"\\/bfnrt", p[1]) == NULL || p[1] == '\0') {
            ctx->reason = "an escape that does not exist";
            return 0;
        }

        return 2;
    }

    unit = ngx_group_json_unit(p, last);

    if (unit == NGX_ERROR) {
        ctx->reason = "\"\\u\" without four hexadecimal digits";
        return 0;
    }

    if (unit == 0) {
        ctx->reason = "U+0000 in a string";
        return 0;
    }

    if (unit < 0xd800 || unit > 0xdfff) {
        return 6;
    }

    if (unit < 0xdc00) {
        unit = ngx_group_json_unit(p + 6, last);

        if (unit >= 0xdc00 && unit <= 0xdfff) {
            return 12;
        }
    }

    ctx->reason = "a lone surrogate in a string";

    return 0;
}


/* the UTF-16 code unit of the escape "\uXXXX" at "p" */

static ngx_int_t
ngx_group_json_unit(u_char *p, u_char *last)
{
    u_char      c;
    ngx_int_t   unit;
    ngx_uint_t  i;

    if (last - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return NGX_ERROR;
    }

    unit = 0;

    for (i = 2; i < 6; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            unit = unit * 16 + (c - '0');
            continue;
        }

        c |= 0x20;

        if (c >= 'a' && c <= 'f') {
            unit = unit * 16 + (c - 'a' + 10);
            continue;
        }

        return NGX_ERROR;
    }

    return unit;
}


static size_t
ngx_group_json_reserve(ngx_group_json_scan_t *scan)
{
    size_t  size, levels, n;

    size = NGX_GROUP_JSON_STRUCTURES + ngx_group_json_buffer(scan->tail);

    if (scan->escaped) {
        size += ngx_group_json_buffer(scan->escaped);
    }

    /* each time that the levels grow by a step, they are moved */

    levels = scan->depth / NGX_GROUP_JSON_STEP + 2;

    for (n = 1; n <= levels; n++) {
        size += n * NGX_GROUP_JSON_STEP + 2 * NGX_GROUP_JSON_ALIGNMENT;
    }

    return size;
}


/* a buffer and the smaller ones that it was before */

static size_t
ngx_group_json_buffer(size_t len)
{
    size_t  size, sum;

    size = NGX_GROUP_JSON_BUFFER;
    sum = size + 2 * NGX_GROUP_JSON_ALIGNMENT;

    while (size <= len + 8) {
        size *= 2;
        sum += size + 2 * NGX_GROUP_JSON_ALIGNMENT;
    }

    return sum;
}


static ngx_int_t
ngx_group_json_parse(ngx_group_json_ctx_t *ctx, ngx_str_t *error)
{
    size_t             at;
    u_char            *text;
    ngx_int_t          rc;
    ngx_str_t         *in;
    const char        *prefix;
    yajl_handle        yajl;
    yajl_status        status;
    yajl_alloc_funcs   alloc;

    alloc.malloc = ngx_group_json_malloc;
    alloc.realloc = ngx_group_json_realloc;
    alloc.free = ngx_group_json_free;
    alloc.ctx = ctx;

    yajl = yajl_alloc(&ngx_group_json_callbacks, &alloc, ctx);
    if (yajl == NULL) {
        return NGX_ERROR;
    }

    /* they are valid, and by a stricter rule than yajl's */

    yajl_config(yajl, yajl_dont_validate_strings, 1);

    in = ctx->in;

    status = yajl_parse(yajl, in->data, in->len);

    at = yajl_get_bytes_consumed(yajl);

    if (status == yajl_status_ok) {
        at = in->len;
        status = yajl_complete_parse(yajl);
    }

    text = NULL;

    if (status == yajl_status_ok && ctx->root && ctx->open == NULL) {
        rc = NGX_OK;

    } else if (ctx->nomem) {
        rc = NGX_ERROR;

    } else {
        prefix = "";

        if (ctx->reason == NULL) {
            prefix = "invalid JSON: ";
            ctx->reason = "it ends too early";

            if (status == yajl_status_error) {
                text = yajl_get_error(yajl, 0, in->data, in->len);
            }

            if (text) {
                ctx->reason = (const char *) text;
            }
        }

        rc = ngx_group_json_refuse(ctx, prefix, at, error);
    }

    if (text) {
        yajl_free_error(yajl, text);
    }

    yajl_free(yajl);

    return rc;
}


static ngx_int_t
ngx_group_json_refuse(ngx_group_json_ctx_t *ctx, const char *prefix, size_t at,
    ngx_str_t *error)
{
    u_char      *p, *last;
    size_t       len, size;
    const char  *reason;

    reason = ctx->reason;

    if (*prefix) {

        /* yajl says "lexical error: ....\n" */

        if (ngx_strncmp(reason, "lexical error: ", 15) == 0) {
            reason += 15;

        } else if (ngx_strncmp(reason, "parse error: ", 13) == 0) {
            reason += 13;
        }
    }

    len = ngx_strlen(reason);

    while (len && (reason[len - 1] == '\n' || reason[len - 1] == '.')) {
        len--;
    }

    size = ngx_strlen(prefix) + len + sizeof(" ") - 1 + NGX_INT_T_LEN
           + sizeof(", at byte ") - 1 + NGX_SIZE_T_LEN;

    p = ngx_pnalloc(ctx->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p + size;

    error->data = p;

    p = ngx_slprintf(p, last, "%s%*s", prefix, len, reason);

    if (ctx->limit) {
        p = ngx_slprintf(p, last, " %ui", ctx->limit);
    }

    p = ngx_slprintf(p, last, ", at byte %uz", at);

    error->len = p - error->data;

    return NGX_DECLINED;
}


static void *
ngx_group_json_malloc(void *data, size_t size)
{
    ngx_group_json_ctx_t *ctx = data;

    u_char  *p;

    /* realloc() must know how much there is to move */

    size = ngx_align(size, NGX_GROUP_JSON_ALIGNMENT);

    if ((size_t) (ctx->end - ctx->pos) < size + NGX_GROUP_JSON_ALIGNMENT) {

        /* another yajl than the one whose needs were reckoned */

        p = ngx_palloc(ctx->pool, size + NGX_GROUP_JSON_ALIGNMENT);
        if (p == NULL) {
            ctx->nomem = 1;
            return NULL;
        }

    } else {
        p = ctx->pos;
        ctx->pos += size + NGX_GROUP_JSON_ALIGNMENT;
    }

    *(size_t *) (void *) p = size;

    return p + NGX_GROUP_JSON_ALIGNMENT;
}


static void *
ngx_group_json_realloc(void *data, void *p, size_t size)
{
    void    *to;
    size_t   have;

    if (p == NULL) {
        return ngx_group_json_malloc(data, size);
    }

    have = *(size_t *) (void *) ((u_char *) p - NGX_GROUP_JSON_ALIGNMENT);

    if (size <= have) {
        return p;
    }

    to = ngx_group_json_malloc(data, size);
    if (to == NULL) {
        return NULL;
    }

    ngx_memcpy(to, p, have);

    return to;
}


static void
ngx_group_json_free(void *data, void *p)
{
    /* all of it goes at once */
}


static int
ngx_group_json_null(void *data)
{
    ngx_group_json_ctx_t *ctx = data;

    ngx_group_value_t  *value;

    value = ngx_group_json_create(ctx, NGX_GROUP_NULL);
    if (value == NULL) {
        return 0;
    }

    return ngx_group_json_add(ctx, value);
}


static int
ngx_group_json_boolean(void *data, int flag)
{
    ngx_group_json_ctx_t *ctx = data;

    ngx_group_value_t  *value;

    value = ngx_group_json_create(ctx, NGX_GROUP_BOOLEAN);
    if (value == NULL) {
        return 0;
    }

    value->u.flag = flag ? 1 : 0;

    return ngx_group_json_add(ctx, value);
}


static int
ngx_group_json_number(void *data, const char *p, size_t len)
{
    return ngx_group_json_scalar(data, NGX_GROUP_NUMBER, p, len);
}


static int
ngx_group_json_string(void *data, const unsigned char *p, size_t len)
{
    return ngx_group_json_scalar(data, NGX_GROUP_STRING, p, len);
}


static int
ngx_group_json_start_map(void *data)
{
    return ngx_group_json_start(data, NGX_GROUP_OBJECT);
}


static int
ngx_group_json_map_key(void *data, const unsigned char *p, size_t len)
{
    ngx_group_json_ctx_t *ctx = data;

    ngx_str_t  key;

    key.data = (u_char *) p;
    key.len = len;

    if (ctx->open->n >= NGX_GROUP_MAX_KEYS) {
        return ngx_group_json_stop(ctx, "keys in one object: more than",
                                   NGX_GROUP_MAX_KEYS);
    }

    if (ngx_group_value_get(ctx->open, &key)) {
        return ngx_group_json_stop(ctx, "the same key twice in an object", 0);
    }

    return ngx_group_json_text(ctx, p, len, &ctx->key) == NGX_OK;
}


static int
ngx_group_json_start_array(void *data)
{
    return ngx_group_json_start(data, NGX_GROUP_ARRAY);
}


static int
ngx_group_json_end(void *data)
{
    ngx_group_json_ctx_t *ctx = data;

    ngx_group_value_t  *value;

    value = ctx->open;
    ctx->open = value->next;

    value->next = NULL;

    if (ctx->open) {
        ngx_group_value_push(ctx->open, value);
    }

    return 1;
}


static ngx_group_value_t *
ngx_group_json_create(ngx_group_json_ctx_t *ctx, ngx_group_type_e type)
{
    ngx_group_value_t  *value;

    if (ctx->open && ctx->open->type == NGX_GROUP_ARRAY
        && ctx->open->n >= ctx->limits->max_items)
    {
        (void) ngx_group_json_stop(ctx, "items in one array: more than",
                                   ctx->limits->max_items);
        return NULL;
    }

    value = ngx_group_values_get(&ctx->values, type);
    if (value == NULL) {
        ctx->nomem = 1;
        return NULL;
    }

    if (ctx->open && ctx->open->type == NGX_GROUP_OBJECT) {
        value->key = ctx->key;
    }

    return value;
}


static int
ngx_group_json_add(ngx_group_json_ctx_t *ctx, ngx_group_value_t *value)
{
    if (ctx->open) {
        ngx_group_value_push(ctx->open, value);

    } else {
        ctx->root = value;
    }

    return 1;
}


static int
ngx_group_json_start(ngx_group_json_ctx_t *ctx, ngx_group_type_e type)
{
    ngx_group_value_t  *value;

    value = ngx_group_json_create(ctx, type);
    if (value == NULL) {
        return 0;
    }

    if (ctx->open == NULL) {
        ctx->root = value;
    }

    value->next = ctx->open;
    ctx->open = value;

    return 1;
}


static int
ngx_group_json_scalar(ngx_group_json_ctx_t *ctx, ngx_group_type_e type,
    const void *p, size_t len)
{
    ngx_group_value_t  *value;

    value = ngx_group_json_create(ctx, type);
    if (value == NULL) {
        return 0;
    }

    if (ngx_group_json_text(ctx, p, len, &value->u.text) != NGX_OK) {
        return 0;
    }

    return ngx_group_json_add(ctx, value);
}


/* what yajl did not have to change lies in the input still */

static ngx_int_t
ngx_group_json_text(ngx_group_json_ctx_t *ctx, const void *p, size_t len,
    ngx_str_t *text)
{
    uintptr_t  from, start;

    text->len = len;

    if (len == 0) {
        text->data = (u_char *) "";
        return NGX_OK;
    }

    from = (uintptr_t) p;
    start = (uintptr_t) ctx->in->data;

    if (from >= start && from < start + ctx->in->len) {
        text->data = (u_char *) p;
        return NGX_OK;
    }

    text->data = ngx_pnalloc(ctx->pool, len);
    if (text->data == NULL) {
        ctx->nomem = 1;
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, p, len);

    return NGX_OK;
}


static int
ngx_group_json_stop(ngx_group_json_ctx_t *ctx, const char *reason,
    ngx_uint_t limit)
{
    ctx->reason = reason;
    ctx->limit = limit;

    return 0;
}
