
/*
 * A dialect: what a vendor's API looks like, compiled from a Lua file to
 * immutable structures when the configuration is read.
 */


#ifndef _NGX_GROUP_DIALECT_H_INCLUDED_
#define _NGX_GROUP_DIALECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth.h"
#include "ngx_group_canonical.h"
#include "ngx_group_id.h"
#include "ngx_group_limits.h"
#include "ngx_group_outcome.h"
#include "ngx_group_value.h"


/* the longest canonical path a field can have: "member.id" is two */
#define NGX_GROUP_MAX_PATH  3


typedef enum {
    NGX_GROUP_FORMAT_JSON = 0,
    NGX_GROUP_FORMAT_XML,
    NGX_GROUP_FORMAT_TEXT
} ngx_group_format_e;


typedef enum {
    NGX_GROUP_FIELD_STRING = 0,
    NGX_GROUP_FIELD_BOOLEAN,
    NGX_GROUP_FIELD_INTEGER,
    NGX_GROUP_FIELD_TIMESTAMP,
    NGX_GROUP_FIELD_EMAIL,
    NGX_GROUP_FIELD_UUID,
    NGX_GROUP_FIELD_TOKEN,        /* letters, digits, "_" and "-" */
    NGX_GROUP_FIELD_ID,           /* of a group, in the dialect's "id" form */
    NGX_GROUP_FIELD_MEMBER_ID,    /* of a member, in its "member_id" form */
    NGX_GROUP_FIELD_FILTER,       /* in the dialect's syntax */
    NGX_GROUP_FIELD_ORDER,
    NGX_GROUP_FIELD_OBJECT,
    NGX_GROUP_FIELD_ARRAY,
    NGX_GROUP_FIELD_ANY
} ngx_group_field_e;


/* a piece of a path or a URL: literal text, or a parameter */

typedef struct {
    ngx_str_t                  text;      /* literal, or "id", "member.id" */
    ngx_uint_t                 param;     /* 1: a parameter */
} ngx_group_piece_t;


typedef struct ngx_group_field_s  ngx_group_field_t;

struct ngx_group_field_s {
    ngx_str_t                  name;      /* as the vendor writes it */
    ngx_str_t                  label;     /* as the vendor's prose has it */
    ngx_str_t                  path;      /* canonical: "member.id"; "." */
    ngx_str_t                  from[NGX_GROUP_MAX_PATH];
    ngx_uint_t                 nfrom;     /* 0: the object that we are in */
    ngx_group_field_e          type;

    int64_t                    base;      /* of an INTEGER: what is our 0 */
    ngx_str_t                  direction; /* of an ORDER: the field with it */
    int64_t                    min;       /* characters, items, or the value */
    int64_t                    max;

    ngx_array_t               *fields;    /* of ngx_group_field_t: OBJECT, and
                                             the items of an ARRAY */
    ngx_group_field_t         *item;      /* ARRAY of what is no object */
    ngx_array_t               *values;    /* of ngx_keyval_t: vendor's, ours */
    ngx_array_t               *ref;       /* of ngx_group_piece_t: ids that are
                                             written as a URL */
    ngx_group_value_t         *preset;    /* "default": in answers */
    ngx_group_value_t         *constant;

    unsigned                   required:1;
    unsigned                   read_only:1;
    unsigned                   write_only:1;
    unsigned                   filled:1;      /* "blank = false" */
    unsigned                   null:1;        /* absent is written as null */
    unsigned                   now:1;         /* default = "now" */
    unsigned                   clamp:1;       /* out of range is the limit */
    unsigned                   has_min:1;
    unsigned                   has_max:1;
};


typedef struct {
    ngx_uint_t                 operation; /* ngx_group_operation_e */
    ngx_str_t                  method;
    ngx_array_t                path;      /* of ngx_group_piece_t, a segment
                                             each */
    ngx_str_t                  pattern;   /* the path as it was declared */
    ngx_array_t               *query;     /* of ngx_group_field_t, or NULL */
    ngx_array_t               *request;   /* of ngx_group_field_t, or NULL */
    ngx_array_t               *response;  /* of ngx_group_field_t, or NULL */
    ngx_uint_t                 status;
    ngx_array_t                accept;    /* of ngx_uint_t: other successes */
    ngx_array_t                scopes;    /* of ngx_str_t */
    ngx_array_t               *location;  /* of ngx_group_piece_t: the answer's
                                             Location, or NULL */
    ngx_str_t                  search;    /* path of the same as a POST, with
                                             the query in its body */
    ngx_array_t                searches;  /* of ngx_str_t: all such paths */
    unsigned                   patch:1;   /* the body is a SCIM PatchOp */
} ngx_group_op_t;


/* how an outcome is written */

typedef struct {
    ngx_uint_t                 outcome;   /* NGX_GROUP_OUTCOMES: any */
    ngx_array_t               *when;      /* of ngx_str_t: codes, or NULL */
    ngx_uint_t                 status;    /* 0: the outcome's usual one */
    ngx_group_format_e         format;
    ngx_str_t                  media_type;
    ngx_str_t                  detail;    /* template, or empty */
    ngx_group_value_t         *body;      /* template, or NULL: no body */
    ngx_array_t               *headers;   /* of ngx_keyval_t: templates */
} ngx_group_variant_t;


/* how the vendor speaks of one kind of problem */

typedef struct {
    ngx_str_t                  code;      /* ours; "*": any other */
    ngx_str_t                  name;      /* the vendor's code, or empty */
    ngx_str_t                  detail;    /* template, or empty */
} ngx_group_wording_t;


typedef struct {
    ngx_uint_t                 status;
    ngx_uint_t                 outcome;
} ngx_group_reading_t;


/* what is always answered the same: what an API tells of itself */

typedef struct {
    ngx_str_t                  path;
    ngx_group_value_t         *body;
} ngx_group_document_t;


typedef struct {
    ngx_str_t                  name;
    ngx_str_t                  file;
    ngx_str_t                  base_path;    /* "" or "/x/y" */
    ngx_group_format_e         format;
    ngx_str_t                  media_type;   /* written */
    ngx_array_t                accept;       /* of ngx_str_t: read */
    ngx_group_auth_e           auth;
    ngx_uint_t                 id;           /* NGX_GROUP_ID_... */
    ngx_uint_t                 member_id;
    ngx_group_op_t            *ops[NGX_GROUP_OPERATIONS];
    ngx_array_t                reads;        /* of ngx_group_op_t: answered by
                                                the same vendor only */
    ngx_array_t                variants;     /* of ngx_group_variant_t */
    ngx_array_t                wordings;     /* of ngx_group_wording_t */
    ngx_array_t                readings;     /* of ngx_group_reading_t */
    ngx_array_t                texts;        /* of ngx_str_t: where an error
                                                body has its text */
    ngx_array_t                documents;    /* of ngx_group_document_t */
    ngx_uint_t                 syntax;       /* NGX_GROUP_FILTER_... */
    ngx_array_t               *names;        /* of ngx_keyval_t: what filters
                                                and patches call our fields */
    unsigned                   folds:1;        /* its search by name does not
                                                  mind the case */
    unsigned                   query_first:1;  /* query is checked before
                                                  authentication */
} ngx_group_dialect_t;


/* one direction of one translation */

typedef struct {
    ngx_pool_t                *pool;
    ngx_group_values_t         values;    /* of one decoding or encoding */
    ngx_log_t                 *log;
    ngx_group_dialect_t       *dialect;   /* whose bytes these are */
    ngx_uint_t                 id;        /* the upstream dialect's forms: */
    ngx_uint_t                 member_id; /* canonical ids are in these */
    ngx_str_t                  origin;    /* "https://host" for URLs */
    ngx_str_t                  base_path;
    ngx_str_t                  owner;     /* container that ids may leave out */
    ngx_array_t               *ref;       /* the last URL that was written: */
    ngx_str_t                  ref_owner; /* whose, and what stands before */
    ngx_str_t                  ref_start; /* its id */
    ngx_group_error_t         *error;     /* problems are added here */
    time_t                     now;
    unsigned                   request:1; /* a request, not an answer */
    unsigned                   client:1;  /* the client's side: ids are
                                             converted, names are the vendor's
                                             in problems */
    unsigned                   same:1;    /* the upstream speaks it, too */
    unsigned                   text:1;    /* values come as text (XML) */
    unsigned                   query:1;   /* and from a query string */
} ngx_group_translation_t;


/*
 * Loads "<name>.lua" from the first of "dirs" (of ngx_str_t) that has it.
 * NULL after an error was logged: file, line where known, key path and what
 * was expected.
 */
ngx_group_dialect_t *ngx_group_dialect_load(ngx_conf_t *cf, ngx_str_t *name,
    ngx_array_t *dirs);

/*
 * Finds the operation of a method and a path below the base path.  "raw" tells
 * that the path is still percent-encoded.  "params" becomes the canonical tree
 * of what the path says, in the client's own id form.
 *
 * NGX_OK; NGX_DECLINED with *error filled ("not_found" with code "path", or
 * "method_not_allowed" with the methods); NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_match(ngx_pool_t *pool, ngx_group_dialect_t *dialect,
    ngx_str_t *method, ngx_str_t *base_path, ngx_str_t *path, ngx_uint_t raw,
    ngx_group_op_t **op, ngx_group_value_t **params, ngx_group_error_t *error);

/* the operation that a POST to that path searches by, or NULL */
ngx_group_op_t *ngx_group_match_search(ngx_group_dialect_t *dialect,
    ngx_str_t *base_path, ngx_str_t *path);

/* the document at a path, or NULL */
ngx_group_value_t *ngx_group_match_document(ngx_group_dialect_t *dialect,
    ngx_str_t *base_path, ngx_str_t *path);

/* path parameters from the client's id forms to the upstream's, in place */
ngx_int_t ngx_group_match_convert(ngx_group_translation_t *t,
    ngx_group_value_t *params);

/*
 * The path of an upstream call.  *path is percent-encoded, *uri is decoded but
 * for "/" inside a segment.  NGX_OK; NGX_DECLINED with a problem added for each
 * parameter that is absent or cannot be a segment; NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_match_build(ngx_group_translation_t *t, ngx_group_op_t *op,
    ngx_group_value_t *params, ngx_str_t *path, ngx_str_t *uri);

/*
 * Vendor's tree to canonical tree: adds what "fields" declare to "out".
 * Problems go to t->error, all of them.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_decode(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_group_value_t *out);

/* "a=1&b=2" to an object of strings; NGX_DECLINED with a problem */
ngx_int_t ngx_group_query_parse(ngx_group_translation_t *t, ngx_str_t *args,
    ngx_group_value_t **out);

/* an object of scalars to "a=1&b=2" */
ngx_int_t ngx_group_query_write(ngx_pool_t *pool, ngx_group_value_t *query,
    ngx_str_t *args);

/*
 * Canonical tree to vendor's tree, problems as above.  For an answer what is
 * absent is filled with the declared default.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_group_encode(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_group_value_t *out);

/* the client's URL of a group.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_encode_location(ngx_group_translation_t *t,
    ngx_array_t *ref, ngx_str_t *id, ngx_str_t *url);

/*
 * Names what of "in" no field carries: pushes to "lost" (of ngx_str_t)
 * canonical paths without indices, each once.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_group_encode_lost(ngx_pool_t *pool, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_array_t *lost);

/* the fields of a group, or of the items of a list, wrappers aside; or NULL */
ngx_array_t *ngx_group_shape(ngx_array_t *fields, ngx_uint_t list);

/* the field of that canonical name, wrappers included, or NULL */
ngx_group_field_t *ngx_group_shape_find(ngx_array_t *fields, ngx_str_t *name);

/* whether there is one that must be there */
ngx_uint_t ngx_group_shape_requires(ngx_array_t *fields, ngx_str_t *name);

/* from one base path to another one */

typedef struct {
    ngx_pool_t                *pool;
    ngx_str_t                  from;
    ngx_str_t                  to;
    ngx_str_t                  links;     /* the same as "to", for links */
    ngx_str_t                  origin;    /* for URLs */
} ngx_group_rebase_t;


/* whether there is a field that tells where something is */
ngx_uint_t ngx_group_rebases(ngx_array_t *fields);

/*
 * Lets what "tree" tells of places below the one base path lead to the other
 * one, in place.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_rebase(ngx_group_rebase_t *rebase, ngx_array_t *fields,
    ngx_group_value_t *tree);

/* one URL or path, below "to" then.  NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_group_rebase_text(ngx_group_rebase_t *rebase, ngx_str_t *to,
    ngx_str_t *text);

/* a tree in the dialect's format to bytes, and back */
ngx_int_t ngx_group_write(ngx_pool_t *pool, ngx_group_format_e format,
    ngx_group_value_t *value, ngx_str_t *out);
ngx_int_t ngx_group_read(ngx_pool_t *pool, ngx_group_format_e format,
    ngx_group_limits_t *limits, ngx_str_t *in, ngx_group_value_t **value,
    ngx_str_t *error);

/* NGX_OK when a Content-Type (parameters and case aside) is one to read */
ngx_int_t ngx_group_media_type(ngx_group_dialect_t *dialect,
    ngx_str_t *content_type);


/* what an error template may speak of besides the error itself */

typedef struct {
    ngx_str_t                  method;
    ngx_str_t                  path;
    ngx_str_t                  content_type;
} ngx_group_error_context_t;


typedef struct {
    ngx_uint_t                 status;
    ngx_str_t                  media_type;
    ngx_str_t                  body;
    ngx_array_t               *headers;   /* of ngx_keyval_t, or NULL */
} ngx_group_answer_t;


/* an error in the dialect's words.  NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_group_error_render(ngx_pool_t *pool,
    ngx_group_dialect_t *dialect, ngx_group_error_t *error,
    ngx_group_error_context_t *context, ngx_group_answer_t *answer);

/*
 * What an upstream's status and error body mean.  "value" may be NULL: there
 * was no body that can be read.  Only statuses that are no success.
 */
ngx_int_t ngx_group_error_read(ngx_pool_t *pool, ngx_group_dialect_t *dialect,
    ngx_uint_t status, ngx_group_value_t *value, ngx_group_error_t *error);


#endif /* _NGX_GROUP_DIALECT_H_INCLUDED_ */
