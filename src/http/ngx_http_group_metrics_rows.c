
/*
 * Which counters group_metrics has: rows, one for each set of labels, which
 * are of what stands in the configuration, never a client's.
 */


#include "ngx_http_group_module.h"
#include "ngx_http_group_metrics.h"


static ngx_http_group_metrics_t *ngx_http_group_metrics_pair(ngx_conf_t *cf,
    ngx_group_dialect_t *dialect, ngx_group_dialect_t *upstream);
static ngx_int_t ngx_http_group_metrics_pair_rows(ngx_conf_t *cf,
    ngx_http_group_metrics_t *metrics);
static ngx_int_t ngx_http_group_metrics_fields(ngx_conf_t *cf,
    ngx_http_group_metrics_t *metrics);
static ngx_int_t ngx_http_group_metrics_declared(ngx_conf_t *cf,
    ngx_http_group_metrics_t *metrics, ngx_array_t *fields,
    ngx_str_t *prefix);
static ngx_int_t ngx_http_group_metrics_field(ngx_conf_t *cf,
    ngx_http_group_metrics_t *metrics, ngx_str_t *field);
static ngx_http_group_row_t *ngx_http_group_metrics_row(ngx_conf_t *cf,
    ngx_http_group_row_e kind, ngx_uint_t n, char *fmt, ...);
static ngx_http_group_row_t *ngx_http_group_metrics_policy_row(ngx_conf_t *cf,
    ngx_str_t *file);


ngx_int_t
ngx_http_group_metrics_location(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *glcf)
{
    ngx_uint_t                   i;
    ngx_group_policy_t         **policy;
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);

    /* a dry run is no request */

    if (!gmcf->metered || glcf->explain) {
        return NGX_OK;
    }

    glcf->metrics = ngx_http_group_metrics_pair(cf, glcf->dialect,
                                                glcf->upstream_dialect);
    if (glcf->metrics == NULL) {
        return NGX_ERROR;
    }

    if (glcf->policies == NULL) {
        return NGX_OK;
    }

    policy = glcf->policies->elts;

    for (i = 0; i < glcf->policies->nelts; i++) {

        policy[i]->data = ngx_http_group_metrics_policy_row(cf,
                                                            &policy[i]->file);
        if (policy[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_http_group_metrics_t *
ngx_http_group_metrics_pair(ngx_conf_t *cf, ngx_group_dialect_t *dialect,
    ngx_group_dialect_t *upstream)
{
    ngx_uint_t                    i;
    ngx_http_group_metrics_t     *metrics, **pair;
    ngx_http_group_main_conf_t   *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);

    pair = gmcf->pairs.elts;

    for (i = 0; i < gmcf->pairs.nelts; i++) {
        if (pair[i]->dialect == dialect && pair[i]->upstream == upstream) {
            return pair[i];
        }
    }

    pair = ngx_array_push(&gmcf->pairs);
    metrics = ngx_pcalloc(cf->pool, sizeof(ngx_http_group_metrics_t));

    if (pair == NULL || metrics == NULL) {
        return NULL;
    }

    *pair = metrics;

    metrics->dialect = dialect;
    metrics->upstream = upstream;

    if (ngx_http_group_metrics_pair_rows(cf, metrics) != NGX_OK
        || ngx_http_group_metrics_fields(cf, metrics) != NGX_OK)
    {
        return NULL;
    }

    return metrics;
}


static ngx_int_t
ngx_http_group_metrics_pair_rows(ngx_conf_t *cf,
    ngx_http_group_metrics_t *metrics)
{
    ngx_str_t             name;
    ngx_uint_t            i;
    ngx_group_dialect_t  *dialect;

    dialect = metrics->dialect;

    for (i = 0; i < NGX_HTTP_GROUP_ALL_OPERATIONS; i++) {

        switch (i) {

        case NGX_GROUP_VENDOR_READ:
            if (dialect->reads.nelts == 0) {
                continue;
            }

            name = *ngx_group_operation_name(i);
            break;

        case NGX_HTTP_GROUP_DOCUMENT:
            if (dialect->documents.nelts == 0) {
                continue;
            }

            ngx_str_set(&name, "document");
            break;

        case NGX_HTTP_GROUP_UNKNOWN:
            ngx_str_set(&name, "unknown");
            break;

        default:
            if (dialect->ops[i] == NULL) {
                continue;
            }

            name = *ngx_group_operation_name(i);
        }

        metrics->operations[i] = ngx_http_group_metrics_row(cf,
                                      NGX_HTTP_GROUP_ROW_OPERATION,
                                      NGX_HTTP_GROUP_OPERATION_VALUES,
                                      "dialect=\"%V\",upstream_dialect=\"%V\","
                                      "operation=\"%V\"", &dialect->name,
                                      &metrics->upstream->name, &name);

        if (metrics->operations[i] == NULL) {
            return NGX_ERROR;
        }
    }

    metrics->pair = ngx_http_group_metrics_row(cf, NGX_HTTP_GROUP_ROW_PAIR,
                                      NGX_HTTP_GROUP_PAIR_VALUES,
                                      "dialect=\"%V\",upstream_dialect=\"%V\"",
                                      &dialect->name,
                                      &metrics->upstream->name);

    return metrics->pair ? NGX_OK : NGX_ERROR;
}


/*
 * Fields that may be lost: those that the client's dialect declares, and all
 * of a group, which group_default and hooks may add.
 */

static ngx_int_t
ngx_http_group_metrics_fields(ngx_conf_t *cf,
    ngx_http_group_metrics_t *metrics)
{
    ngx_str_t             *name, none;
    ngx_uint_t             i;
    ngx_group_op_t        *op;
    ngx_http_group_lost_t *lost;

    if (ngx_array_init(&metrics->lost, cf->pool, 32,
                       sizeof(ngx_http_group_lost_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_null(&none);

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        op = metrics->dialect->ops[i];

        if (op && op->request
            && ngx_http_group_metrics_declared(cf, metrics, op->request, &none)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; /* void */ ; i++) {
        name = ngx_group_canonical_name(i);

        if (name == NULL) {
            break;
        }

        if (ngx_http_group_metrics_field(cf, metrics, name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    lost = ngx_array_push(&metrics->lost);
    if (lost == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&lost->field);

    lost->row = ngx_http_group_metrics_row(cf, NGX_HTTP_GROUP_ROW_LOST, 1,
                                      "dialect=\"%V\",upstream_dialect=\"%V\","
                                      "field=\"other\"",
                                      &metrics->dialect->name,
                                      &metrics->upstream->name);

    return lost->row ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_group_metrics_declared(ngx_conf_t *cf,
    ngx_http_group_metrics_t *metrics, ngx_array_t *fields, ngx_str_t *prefix)
{
    u_char             *p;
    ngx_str_t           path, outer;
    ngx_uint_t          i, n;
    ngx_group_field_t  *field;

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        outer = *prefix;

        /* of "member.id" both may be lost, the whole and the part */

        for (n = 0; n < field[i].nfrom; n++) {

            path.len = outer.len + 1 + field[i].from[n].len;

            p = ngx_pnalloc(cf->pool, path.len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            path.data = p;
            path.len = ngx_sprintf(p, "%V%s%V", &outer, outer.len ? "." : "",
                                   &field[i].from[n])
                       - p;

            if (ngx_http_group_metrics_field(cf, metrics, &path) != NGX_OK) {
                return NGX_ERROR;
            }

            outer = path;
        }

        if (field[i].fields
            && ngx_http_group_metrics_declared(cf, metrics, field[i].fields,
                                               &outer)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_metrics_field(ngx_conf_t *cf,
    ngx_http_group_metrics_t *metrics, ngx_str_t *field)
{
    u_char                 *dot;
    ngx_str_t               key;
    ngx_uint_t              i;
    ngx_http_group_lost_t  *lost;

    key = *field;

    for (dot = key.data + key.len; dot > key.data; dot--) {
        if (dot[-1] == '.') {
            key.len -= dot - key.data;
            key.data = dot;
            break;
        }
    }

    /* addresses are never lost, and neither is what only holds others */

    if (ngx_group_str_is(&key, "id") || ngx_group_str_is(&key, "group_id")
        || ngx_group_str_is(&key, "owner") || ngx_group_str_is(&key, "ref")
        || ngx_group_str_is(&key, "ext"))
    {
        return NGX_OK;
    }

    lost = metrics->lost.elts;

    for (i = 0; i < metrics->lost.nelts; i++) {
        if (ngx_group_str_eq(&lost[i].field, field)) {
            return NGX_OK;
        }
    }

    lost = ngx_array_push(&metrics->lost);
    if (lost == NULL) {
        return NGX_ERROR;
    }

    lost->field = *field;
    lost->row = ngx_http_group_metrics_row(cf, NGX_HTTP_GROUP_ROW_LOST, 1,
                                      "dialect=\"%V\",upstream_dialect=\"%V\","
                                      "field=\"%V\"",
                                      &metrics->dialect->name,
                                      &metrics->upstream->name, field);

    return lost->row ? NGX_OK : NGX_ERROR;
}


/* the row of a file, which may stand in more than one place */

static ngx_http_group_row_t *
ngx_http_group_metrics_policy_row(ngx_conf_t *cf, ngx_str_t *file)
{
    u_char                       *p, *q;
    size_t                        i;
    ngx_str_t                     name, labels;
    ngx_uint_t                    n;
    ngx_http_group_row_t        **row;
    ngx_http_group_main_conf_t   *gmcf;

    p = ngx_pnalloc(cf->pool, 2 * file->len + sizeof("policy=\"\""));
    if (p == NULL) {
        return NULL;
    }

    labels.data = p;
    p = ngx_cpymem(p, "policy=\"", sizeof("policy=\"") - 1);

    for (i = 0, q = p; i < file->len; i++) {

        switch (file->data[i]) {

        case '\\':
        case '"':
            *q++ = '\\';
            *q++ = file->data[i];
            break;

        case '\n':
            *q++ = '\\';
            *q++ = 'n';
            break;

        default:
            *q++ = file->data[i];
        }
    }

    name.data = p;
    name.len = q - p;
    *q++ = '"';
    labels.len = q - labels.data;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);
    row = gmcf->rows.elts;

    for (n = 0; n < gmcf->rows.nelts; n++) {
        if (row[n]->kind == NGX_HTTP_GROUP_ROW_POLICY
            && ngx_group_str_eq(&row[n]->labels, &labels))
        {
            return row[n];
        }
    }

    return ngx_http_group_metrics_row(cf, NGX_HTTP_GROUP_ROW_POLICY,
                                      NGX_HTTP_GROUP_POLICY_VALUES,
                                      "policy=\"%V\"", &name);
}


/* names of dialects, operations and fields need no escaping */

static ngx_http_group_row_t *
ngx_http_group_metrics_row(ngx_conf_t *cf, ngx_http_group_row_e kind,
    ngx_uint_t n, char *fmt, ...)
{
    u_char                       *p;
    va_list                       args;
    ngx_http_group_row_t         *row, **slot;
    ngx_http_group_main_conf_t   *gmcf;
    u_char                        buf[NGX_MAX_PATH * 2];

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    row = ngx_pcalloc(cf->pool, sizeof(ngx_http_group_row_t));
    slot = ngx_array_push(&gmcf->rows);

    if (row == NULL || slot == NULL) {
        return NULL;
    }

    *slot = row;

    row->kind = kind;
    row->n = n;
    row->labels.len = p - buf;
    row->labels.data = ngx_pnalloc(cf->pool, row->labels.len);

    if (row->labels.data == NULL) {
        return NULL;
    }

    ngx_memcpy(row->labels.data, buf, row->labels.len);

    return row;
}
