
/*
 * What is wrong with a location although each of its directives is right.
 * These are warnings: an administrator may know better, as when a directive
 * is inherited by locations that have no use for it.
 */


#include "ngx_http_group_module.h"


/* the names of some operations in one warning */
#define NGX_HTTP_GROUP_CHECK_TEXT  256


static ngx_int_t ngx_http_group_check_handler(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *glcf, ngx_http_core_loc_conf_t *clcf);
static void ngx_http_group_check_scopes(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *glcf, ngx_http_core_loc_conf_t *clcf);
static ngx_array_t *ngx_http_group_check_required(
    ngx_http_group_loc_conf_t *glcf, ngx_uint_t operation,
    ngx_http_group_place_t *place);
static ngx_uint_t ngx_http_group_check_holds(ngx_http_group_loc_conf_t *glcf,
    ngx_str_t *scope);
static ngx_uint_t ngx_http_group_check_has(ngx_array_t *list,
    ngx_str_t *text);
static void ngx_http_group_check_defaults(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *glcf, ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_http_group_check_takes(ngx_group_dialect_t *dialect,
    ngx_str_t *field);
static ngx_uint_t ngx_http_group_check_answers(ngx_group_dialect_t *dialect,
    ngx_str_t *field);
static ngx_uint_t ngx_http_group_check_mentions(ngx_str_t *source,
    ngx_str_t *key);
static ngx_uint_t ngx_http_group_check_walks(ngx_str_t *source);
static ngx_uint_t ngx_http_group_check_word(u_char c);
static void ngx_http_group_check_warn(ngx_conf_t *cf,
    ngx_http_group_place_t *place, char *fmt, ...);


/* ngx_http_rewrite_module's location configuration begins with this */

typedef struct {
    ngx_array_t  *codes;
} ngx_http_group_rewrite_loc_conf_t;


void
ngx_http_group_check(ngx_conf_t *cf, ngx_http_group_loc_conf_t *glcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* of a server, an "if", a "limit_except": they answer nothing themselves */

    if (clcf->name.len == 0 || clcf->noname) {
        return;
    }

    /* what is not a location of an API but only has inherited to be one */

    if (ngx_http_group_check_handler(cf, glcf, clcf) != NGX_OK) {
        return;
    }

    ngx_http_group_check_scopes(cf, glcf, clcf);
    ngx_http_group_check_defaults(cf, glcf, clcf);
}


/*
 * A location without a "proxy_pass" or the like: unless others are in it, or
 * "return", "rewrite" and "if" may lead elsewhere.  NGX_OK: there is one.
 */

static ngx_int_t
ngx_http_group_check_handler(ngx_conf_t *cf, ngx_http_group_loc_conf_t *glcf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                          i;
    ngx_module_t                       *module;
    ngx_http_conf_ctx_t                *ctx;
    ngx_http_group_rewrite_loc_conf_t  *rlcf;

    if (clcf->handler || glcf->explain) {
        return NGX_OK;
    }

    if (clcf->locations && !ngx_queue_empty(clcf->locations)) {
        return NGX_DECLINED;
    }

    ctx = cf->ctx;

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_rewrite_module") != 0) {
            continue;
        }

        rlcf = ctx->loc_conf[module->ctx_index];

        if (rlcf && rlcf->codes) {
            return NGX_DECLINED;
        }
    }

    ngx_http_group_check_warn(cf, &glcf->dialect_place,
                              "location \"%V\" has \"group_dialect\" and "
                              "nowhere to send requests to, expected "
                              "\"proxy_pass\" or the like in it",
                              &clcf->name);

    return NGX_DECLINED;
}


/* scopes that nobody has; those of JWTs are not known here */

static void
ngx_http_group_check_scopes(ngx_conf_t *cf, ngx_http_group_loc_conf_t *glcf,
    ngx_http_core_loc_conf_t *clcf)
{
    u_char                  *p, *last;
    ngx_str_t               *scope;
    ngx_uint_t               i, n, k;
    ngx_array_t             *required, *other;
    ngx_http_group_place_t   place, unused;
    u_char                   text[NGX_HTTP_GROUP_CHECK_TEXT];

    if (glcf->credentials == NULL || glcf->jwt) {
        return;
    }

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {

        required = ngx_http_group_check_required(glcf, i, &place);

        if (required == NULL) {
            continue;
        }

        scope = required->elts;

        for (n = 0; n < required->nelts; n++) {

            if (ngx_http_group_check_holds(glcf, &scope[n])) {
                continue;
            }

            /* each scope once, with all the operations that require it */

            for (k = 0; k < i; k++) {
                other = ngx_http_group_check_required(glcf, k, &unused);

                if (other && ngx_http_group_check_has(other, &scope[n])) {
                    break;
                }
            }

            if (k < i) {
                continue;
            }

            p = text;
            last = text + sizeof(text);

            for (k = i; k < NGX_GROUP_OPERATIONS; k++) {
                other = ngx_http_group_check_required(glcf, k, &unused);

                if (other && ngx_http_group_check_has(other, &scope[n])) {
                    p = ngx_slprintf(p, last, "%s%V", p == text ? "" : ", ",
                                     ngx_group_operation_name(k));
                }
            }

            ngx_http_group_check_warn(cf, &place,
                                      "nobody in \"%V\" holds the scope "
                                      "\"%V\", which location \"%V\" requires "
                                      "for %*s", &glcf->credentials->file,
                                      &scope[n], &clcf->name,
                                      (size_t) (p - text), text);
        }
    }
}


/* the scopes of an operation, and what says so; NULL: there is no such one */

static ngx_array_t *
ngx_http_group_check_required(ngx_http_group_loc_conf_t *glcf,
    ngx_uint_t operation, ngx_http_group_place_t *place)
{
    ngx_uint_t               i;
    ngx_group_op_t          *op;
    ngx_http_group_scope_t  *scope;

    op = glcf->dialect->ops[operation];

    if (op == NULL) {
        return NULL;
    }

    *place = glcf->dialect_place;

    if (glcf->scopes) {
        scope = glcf->scopes->elts;

        for (i = 0; i < glcf->scopes->nelts; i++) {
            if (scope[i].operation == operation) {
                *place = scope[i].place;
                return &scope[i].scopes;
            }
        }
    }

    return &op->scopes;
}


static ngx_uint_t
ngx_http_group_check_holds(ngx_http_group_loc_conf_t *glcf, ngx_str_t *scope)
{
    ngx_uint_t               i;
    ngx_array_t             *list;
    ngx_group_credential_t  *credential;

    list = &glcf->credentials->list;
    credential = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (credential[i].type == glcf->dialect->auth
            && ngx_http_group_check_has(&credential[i].principal.scopes,
                                        scope))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_group_check_has(ngx_array_t *list, ngx_str_t *text)
{
    ngx_str_t   *s;
    ngx_uint_t   i;

    s = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (ngx_group_str_eq(&s[i], text)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Defaults that neither the upstream can be sent nor a client needs in an
 * answer.  Where there are hooks they may be meant for these.
 */

static void
ngx_http_group_check_defaults(ngx_conf_t *cf, ngx_http_group_loc_conf_t *glcf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                 i;
    ngx_http_group_default_t  *dflt;

    if (glcf->defaults == NULL || glcf->policies) {
        return;
    }

    dflt = glcf->defaults->elts;

    for (i = 0; i < glcf->defaults->nelts; i++) {

        if (ngx_http_group_check_takes(glcf->upstream_dialect,
                                       &dflt[i].field->name)
            || ngx_http_group_check_answers(glcf->dialect,
                                            &dflt[i].field->name))
        {
            continue;
        }

        ngx_http_group_check_warn(cf, &dflt[i].place,
                                  "\"group_default %V\" is of no use in "
                                  "location \"%V\": the upstream dialect "
                                  "\"%V\" has no such field",
                                  &dflt[i].field->name, &clcf->name,
                                  &glcf->upstream_dialect->name);
    }
}


/* whether a request can carry it: in the body, the path, or calls of its own */

static ngx_uint_t
ngx_http_group_check_takes(ngx_group_dialect_t *dialect, ngx_str_t *field)
{
    ngx_uint_t          i, n;
    ngx_group_op_t     *op;
    ngx_group_piece_t  *piece;
    ngx_group_field_t  *found;

    if (ngx_group_str_is(field, "members")
        && dialect->ops[NGX_GROUP_MEMBER_ADD])
    {
        return 1;
    }

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        op = dialect->ops[i];

        if (op == NULL) {
            continue;
        }

        found = ngx_group_shape_find(op->request, field);

        if (found && !found->read_only) {
            return 1;
        }

        piece = op->path.elts;

        for (n = 0; n < op->path.nelts; n++) {
            if (piece[n].param && ngx_group_str_eq(&piece[n].text, field)) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_group_check_answers(ngx_group_dialect_t *dialect, ngx_str_t *field)
{
    ngx_uint_t       i;
    ngx_array_t     *fields;
    ngx_group_op_t  *op;

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        op = dialect->ops[i];

        if (op == NULL) {
            continue;
        }

        fields = ngx_group_shape(op->response, i == NGX_GROUP_GROUP_LIST);

        if (fields && ngx_group_shape_requires(fields, field)) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_group_check_params(ngx_conf_t *cf, ngx_group_policy_t *policy)
{
    ngx_uint_t     i;
    ngx_keyval_t  *kv;

    /* a file that takes them as they come */

    if (ngx_http_group_check_walks(&policy->source)) {
        return;
    }

    kv = policy->params.elts;

    for (i = 0; i < policy->params.nelts; i++) {

        if (!ngx_http_group_check_mentions(&policy->source, &kv[i].key)) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "nobody reads the parameter \"%V\": policy "
                               "\"%V\" has no \"params.%V\"", &kv[i].key,
                               &policy->file, &kv[i].key);
        }
    }
}


/* ".key", "key" or 'key': the text alone is looked at, not what it means */

static ngx_uint_t
ngx_http_group_check_mentions(ngx_str_t *source, ngx_str_t *key)
{
    u_char  *p, *last, before;

    if (source->len <= key->len) {
        return 0;
    }

    last = source->data + source->len - key->len;

    for (p = source->data + 1; p <= last; p++) {

        if (ngx_strncmp(p, key->data, key->len) != 0) {
            continue;
        }

        before = p[-1];

        if (before == '.'
            && (p == last || !ngx_http_group_check_word(p[key->len])))
        {
            return 1;
        }

        if ((before == '"' || before == '\'') && p < last
            && p[key->len] == before)
        {
            return 1;
        }
    }

    return 0;
}


/* "pairs(ctx.params)", "next(params)": any of them may be meant */

static ngx_uint_t
ngx_http_group_check_walks(ngx_str_t *source)
{
    u_char  *p, *q, *end;

    end = source->data + source->len;

    for (p = source->data; p < end; p++) {

        if (end - p < 6
            || (ngx_strncmp(p, "pairs(", 6) != 0
                && ngx_strncmp(p, "next(", 5) != 0))
        {
            continue;
        }

        for (q = p; q < end && *q != ')' && *q != '\n'; q++) {
            if (end - q >= 6 && ngx_strncmp(q, "params", 6) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_group_check_word(u_char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_';
}


static void
ngx_http_group_check_warn(ngx_conf_t *cf, ngx_http_group_place_t *place,
    char *fmt, ...)
{
    u_char            *p;
    va_list            args;
    ngx_conf_file_t    file, *was;
    u_char             text[NGX_MAX_CONF_ERRSTR];

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    was = ngx_http_group_at(cf, place, &file);

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "%*s", (size_t) (p - text), text);

    cf->conf_file = was;
}
