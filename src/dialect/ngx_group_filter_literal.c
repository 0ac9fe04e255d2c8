
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"
#include "ngx_group_filter_internal.h"


static ngx_int_t ngx_group_filter_json_string(ngx_group_filter_ctx_t *ctx,
    ngx_str_t *text);
static size_t ngx_group_filter_json_escape(u_char *p, u_char *last,
    u_char **out);
static ngx_int_t ngx_group_filter_hex(u_char *p, u_char *last);
static ngx_int_t ngx_group_filter_odata_string(ngx_group_filter_ctx_t *ctx,
    ngx_str_t *text);
static size_t ngx_group_filter_digits(u_char *p, u_char *last);


static ngx_str_t  ngx_group_filter_true = ngx_string("true");
static ngx_str_t  ngx_group_filter_false = ngx_string("false");
static ngx_str_t  ngx_group_filter_nil = ngx_string("null");


ngx_int_t
ngx_group_filter_literal(ngx_group_filter_ctx_t *ctx, ngx_group_value_t **out)
{
    u_char            *p;
    size_t             n;
    ngx_int_t          rc;
    ngx_str_t          text;
    ngx_group_type_e   type;
    ngx_uint_t         flag;

    p = ctx->pos;
    flag = 0;

    if (p < ctx->last && *p == '"' && ctx->syntax == NGX_GROUP_FILTER_SCIM) {
        type = NGX_GROUP_STRING;
        rc = ngx_group_filter_json_string(ctx, &text);

    } else if (p < ctx->last && *p == '\''
               && ctx->syntax == NGX_GROUP_FILTER_ODATA)
    {
        type = NGX_GROUP_STRING;
        rc = ngx_group_filter_odata_string(ctx, &text);

    } else {
        rc = NGX_OK;
        n = 0;
        type = NGX_GROUP_STRING;

        if (ctx->syntax == NGX_GROUP_FILTER_ODATA) {
            n = ngx_group_filter_timestamp(p, ctx->last);
        }

        if (n == 0) {
            type = NGX_GROUP_NUMBER;
            n = ngx_group_filter_number(p, ctx->last);
        }

        text.data = p;
        text.len = n;

        if (n) {
            ctx->pos += n;

        } else if (ngx_group_filter_peek(ctx, &text)) {
            ctx->pos += text.len;

            if (ngx_group_filter_is(ctx->syntax, &text, &ngx_group_filter_nil))
            {
                type = NGX_GROUP_NULL;

            } else if (ngx_group_filter_is(ctx->syntax, &text,
                                           &ngx_group_filter_true))
            {
                type = NGX_GROUP_BOOLEAN;
                flag = 1;

            } else if (ngx_group_filter_is(ctx->syntax, &text,
                                           &ngx_group_filter_false))
            {
                type = NGX_GROUP_BOOLEAN;

            } else {
                ctx->pos = p;
            }
        }

        if (ctx->pos == p) {
            return ngx_group_filter_error(ctx, "the filter has no value where "
                                               "one is expected", NULL);
        }
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* no value runs into the next word */

    if (ctx->pos < ctx->last && *ctx->pos != ' ' && *ctx->pos != ')'
        && (*ctx->pos != ']' || ctx->syntax != NGX_GROUP_FILTER_SCIM))
    {
        return ngx_group_filter_error(ctx, "the filter has something at the "
                                           "end of a value", NULL);
    }

    *out = ngx_group_value_create(ctx->pool, type);
    if (*out == NULL) {
        return NGX_ERROR;
    }

    if (type == NGX_GROUP_BOOLEAN) {
        (*out)->u.flag = flag;

    } else if (type != NGX_GROUP_NULL) {
        (*out)->u.text = text;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_filter_json_string(ngx_group_filter_ctx_t *ctx, ngx_str_t *text)
{
    u_char      *p, *q, *end;
    size_t       n;
    ngx_uint_t   escaped;

    escaped = 0;

    for (end = ctx->pos + 1; end < ctx->last && *end != '"'; end++) {

        if (*end == '\\') {
            escaped = 1;
            end += (end + 1 < ctx->last);
        }
    }

    if (end >= ctx->last) {
        return ngx_group_filter_error(ctx, "the filter has a text that does "
                                           "not end", NULL);
    }

    p = ctx->pos + 1;

    text->data = p;
    text->len = end - p;

    if (escaped) {
        text->data = ngx_pnalloc(ctx->pool, text->len);
        if (text->data == NULL) {
            return NGX_ERROR;
        }

        q = text->data;

        while (p < end) {

            if (*p != '\\') {
                *q++ = *p++;
                continue;
            }

            n = ngx_group_filter_json_escape(p, end, &q);

            if (n == 0) {
                ctx->pos = p;
                return ngx_group_filter_error(ctx, "the filter has a bad "
                                                   "escape", NULL);
            }

            p += n;
        }

        text->len = q - text->data;
    }

    ctx->pos = end + 1;

    return NGX_OK;
}


/* takes one escape apart, returns how long it was, 0 when it is bad */

static size_t
ngx_group_filter_json_escape(u_char *p, u_char *last, u_char **out)
{
    u_char     *q;
    size_t      n;
    ngx_int_t   code, low;

    q = *out;

    switch (p[1]) {

    case '"':
    case '\\':
    case '/':
        *q = p[1];
        break;

    case 'b':
        *q = '\b';
        break;

    case 'f':
        *q = '\f';
        break;

    case 'n':
        *q = '\n';
        break;

    case 'r':
        *q = '\r';
        break;

    case 't':
        *q = '\t';
        break;

    case 'u':
        code = ngx_group_filter_hex(p + 2, last);
        n = 6;

        if (code >= 0xd800 && code < 0xdc00) {

            if (last - p < 12 || p[6] != '\\' || p[7] != 'u') {
                return 0;
            }

            low = ngx_group_filter_hex(p + 8, last);

            if (low < 0xdc00 || low > 0xdfff) {
                return 0;
            }

            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            n = 12;

        } else if (code >= 0xdc00 && code < 0xe000) {
            return 0;
        }

        /* U+0000 is not for the parts that texts of C are made of */

        if (code <= 0) {
            return 0;
        }

        if (code < 0x80) {
            *q++ = (u_char) code;

        } else if (code < 0x800) {
            *q++ = (u_char) (0xc0 | code >> 6);
            *q++ = (u_char) (0x80 | (code & 0x3f));

        } else if (code < 0x10000) {
            *q++ = (u_char) (0xe0 | code >> 12);
            *q++ = (u_char) (0x80 | (code >> 6 & 0x3f));
            *q++ = (u_char) (0x80 | (code & 0x3f));

        } else {
            *q++ = (u_char) (0xf0 | code >> 18);
            *q++ = (u_char) (0x80 | (code >> 12 & 0x3f));
            *q++ = (u_char) (0x80 | (code >> 6 & 0x3f));
            *q++ = (u_char) (0x80 | (code & 0x3f));
        }

        *out = q;

        return n;

    default:
        return 0;
    }

    *out = q + 1;

    return 2;
}


static ngx_int_t
ngx_group_filter_hex(u_char *p, u_char *last)
{
    if (last - p < 4) {
        return NGX_ERROR;
    }

    return ngx_hextoi(p, 4);
}


static ngx_int_t
ngx_group_filter_odata_string(ngx_group_filter_ctx_t *ctx, ngx_str_t *text)
{
    u_char      *p, *q, *end;
    ngx_uint_t   doubled;

    doubled = 0;

    for (end = ctx->pos + 1; end < ctx->last; end++) {

        if (*end != '\'') {
            continue;
        }

        if (end + 1 == ctx->last || end[1] != '\'') {
            break;
        }

        doubled = 1;
        end++;
    }

    if (end >= ctx->last) {
        return ngx_group_filter_error(ctx, "the filter has a text that does "
                                           "not end", NULL);
    }

    p = ctx->pos + 1;

    text->data = p;
    text->len = end - p;

    if (doubled) {
        text->data = ngx_pnalloc(ctx->pool, text->len);
        if (text->data == NULL) {
            return NGX_ERROR;
        }

        q = text->data;

        while (p < end) {

            if (*p == '\'') {
                p++;
            }

            *q++ = *p++;
        }

        text->len = q - text->data;
    }

    ctx->pos = end + 1;

    return NGX_OK;
}


size_t
ngx_group_filter_number(u_char *p, u_char *last)
{
    u_char  *start, *end;
    size_t   n;

    start = p;

    if (p < last && *p == '-') {
        p++;
    }

    n = ngx_group_filter_digits(p, last);

    if (n == 0 || (*p == '0' && n > 1)) {
        return 0;
    }

    p += n;

    if (p < last && *p == '.') {
        n = ngx_group_filter_digits(p + 1, last);

        if (n == 0) {
            return 0;
        }

        p += n + 1;
    }

    if (p < last && (*p == 'e' || *p == 'E')) {
        end = p + 1;

        if (end < last && (*end == '-' || *end == '+')) {
            end++;
        }

        n = ngx_group_filter_digits(end, last);

        if (n == 0) {
            return 0;
        }

        p = end + n;
    }

    return p - start;
}


/* "2024-01-31T23:59:59.125Z", "+01:00" in place of "Z", seconds or not */

size_t
ngx_group_filter_timestamp(u_char *p, u_char *last)
{
    u_char  *start;
    size_t   i, n;

    static u_char  form[] = "0000-00-00T00:00";

    start = p;

    if (last - p < (ssize_t) sizeof(form)) {
        return 0;
    }

    for (i = 0; i < sizeof(form) - 1; i++, p++) {

        if (form[i] == '0' ? (*p < '0' || *p > '9') : *p != form[i]) {
            return 0;
        }
    }

    if (*p == ':') {

        if (ngx_group_filter_digits(p + 1, last) != 2) {
            return 0;
        }

        p += 3;

        if (p < last && *p == '.') {
            n = ngx_group_filter_digits(p + 1, last);

            if (n == 0) {
                return 0;
            }

            p += n + 1;
        }
    }

    if (p < last && *p == 'Z') {
        return p + 1 - start;
    }

    if (last - p < 6 || (*p != '+' && *p != '-') || p[3] != ':'
        || ngx_group_filter_digits(p + 1, p + 3) != 2
        || ngx_group_filter_digits(p + 4, p + 6) != 2)
    {
        return 0;
    }

    return p + 6 - start;
}


static size_t
ngx_group_filter_digits(u_char *p, u_char *last)
{
    u_char  *start;

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) {
        /* void */
    }

    return p - start;
}
