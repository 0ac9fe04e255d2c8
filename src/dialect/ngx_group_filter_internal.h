
/*
 * What reading, writing and matching of filters share.
 */


#ifndef _NGX_GROUP_FILTER_INTERNAL_H_INCLUDED_
#define _NGX_GROUP_FILTER_INTERNAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"


typedef enum {
    NGX_GROUP_FILTER_AND = 0,
    NGX_GROUP_FILTER_OR,
    NGX_GROUP_FILTER_NOT,
    NGX_GROUP_FILTER_EQ,
    NGX_GROUP_FILTER_NE,
    NGX_GROUP_FILTER_GT,
    NGX_GROUP_FILTER_GE,
    NGX_GROUP_FILTER_LT,
    NGX_GROUP_FILTER_LE,
    NGX_GROUP_FILTER_CONTAINS,
    NGX_GROUP_FILTER_STARTS,
    NGX_GROUP_FILTER_ENDS,
    NGX_GROUP_FILTER_PRESENT,
    NGX_GROUP_FILTER_MEMBER,
    NGX_GROUP_FILTER_OPS
} ngx_group_filter_op_e;


/* how an operator is called: in the tree and, where it has a name, in a text */

typedef struct {
    ngx_str_t               name;
    ngx_str_t               scim;
    ngx_str_t               odata;
} ngx_group_filter_word_t;


/* one object of a tree */

typedef struct {
    ngx_group_filter_op_e   op;
    ngx_str_t              *field;
    ngx_group_value_t      *value;
    ngx_group_value_t      *args;
    ngx_uint_t              exact;
} ngx_group_filter_node_t;


/* a text that is being read */

typedef struct {
    ngx_pool_t         *pool;
    ngx_uint_t          syntax;
    ngx_array_t        *names;

    u_char             *start;
    u_char             *pos;
    u_char             *last;

    ngx_uint_t          depth;        /* of parentheses and "not" */
    ngx_uint_t          nodes;
    ngx_str_t          *why;
} ngx_group_filter_ctx_t;


extern ngx_group_filter_word_t  ngx_group_filter_words[];
extern ngx_str_t                ngx_group_filter_members;


#define ngx_group_filter_fold(c, exact)  ((exact) ? (c) : ngx_tolower(c))


/* NULL, or a sentence that tells why this object is no part of a filter */
char *ngx_group_filter_node(ngx_group_value_t *value,
    ngx_group_filter_node_t *node);

/* the canonical field of that name, or NULL */
ngx_group_value_t *ngx_group_filter_field(ngx_group_value_t *group,
    ngx_str_t *name);

/* -1, 0 or 1: bytes, and decimal numbers */
ngx_int_t ngx_group_filter_text_cmp(ngx_str_t *a, ngx_str_t *b,
    ngx_uint_t exact);
ngx_int_t ngx_group_filter_number_cmp(ngx_str_t *a, ngx_str_t *b);

/* 1 when the syntax compares texts of that field exactly */
ngx_uint_t ngx_group_filter_exact(ngx_uint_t syntax, ngx_str_t *field);

/* bytes of the attribute's name, JSON number, OData timestamp at "p", or 0 */
size_t ngx_group_filter_word(u_char *p, u_char *last);
size_t ngx_group_filter_number(u_char *p, u_char *last);
size_t ngx_group_filter_timestamp(u_char *p, u_char *last);

/* the canonical name of an attribute, "members" for its ids, too; or NULL */
ngx_str_t *ngx_group_filter_name(ngx_uint_t syntax, ngx_array_t *names,
    ngx_str_t *word);

/* 1 when it is written as "members.value", not "members" */
ngx_uint_t ngx_group_filter_is_value(ngx_str_t *word);

/* what an operator is called in a syntax; empty: nothing */
ngx_str_t *ngx_group_filter_spelling(ngx_uint_t syntax, ngx_uint_t op);

/* 1 when a word of a text is that name: SCIM does not mind the case */
ngx_uint_t ngx_group_filter_is(ngx_uint_t syntax, ngx_str_t *word,
    ngx_str_t *name);

/* the attribute's name or the word that comes next; 0: there is none */
ngx_uint_t ngx_group_filter_peek(ngx_group_filter_ctx_t *ctx, ngx_str_t *word);

/* a string, number, boolean or null: NGX_OK, NGX_DECLINED or NGX_ERROR */
ngx_int_t ngx_group_filter_literal(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t **out);

/* ngx_group_filter_fail() where we are */
ngx_int_t ngx_group_filter_error(ngx_group_filter_ctx_t *ctx, char *reason,
    ngx_str_t *word);

/*
 * Makes the sentence that tells what is wrong, with the word when it is not
 * NULL, and where.  NGX_DECLINED, or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_filter_fail(ngx_pool_t *pool, ngx_str_t *why, char *reason,
    ngx_str_t *word, size_t at);


#endif /* _NGX_GROUP_FILTER_INTERNAL_H_INCLUDED_ */
