
#ifndef _NGX_GROUP_TEXT_H_INCLUDED_
#define _NGX_GROUP_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Eight bytes at a time: which are less than "n" (at most 0x80), or are "c".
 * The high bit of a byte is set, and perhaps in vain of those that follow it;
 * bytes above 0x7f must be masked out.
 */

#define NGX_GROUP_WORD_HIGH  0x8080808080808080

#define ngx_group_word(c)          (0x0101010101010101 * (uint64_t) (c))
#define ngx_group_word_less(w, n)  ((w) - ngx_group_word(n))
#define ngx_group_word_is(w, c)                                               \
    (((w) ^ ngx_group_word(c)) - ngx_group_word(1))

/*
 * The first byte that is marked, of those from "p"; or "p" where it cannot be
 * told, and must be looked for.
 */

#if (NGX_HAVE_LITTLE_ENDIAN)
#define ngx_group_word_first(p, marks)  ((p) + __builtin_ctzll(marks) / 8)
#define NGX_GROUP_WORD_EXACT            1
#else
#define ngx_group_word_first(p, marks)  (p)
#define NGX_GROUP_WORD_EXACT            0
#endif


/*
 * Strict UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
 * Returns NGX_OK, or NGX_DECLINED with *bad set to the offset of the first
 * bad byte; *chars, when not NULL, becomes the number of code points.
 */
ngx_int_t ngx_group_utf8(ngx_str_t *text, size_t *chars, size_t *bad);

/* bytes of the well-formed character at "p", 0 when there is none */
size_t ngx_group_utf8_char(u_char *p, u_char *last);

/* the same for a character that may stand in an XML 1.0 document */
size_t ngx_group_xml_char(u_char *p, u_char *last);

/* NGX_OK when each character may stand in an XML 1.0 document, or DECLINED */
ngx_int_t ngx_group_xml_text(ngx_str_t *text);

/* NGX_OK when the text is a Name of XML 1.0, or NGX_DECLINED */
ngx_int_t ngx_group_xml_name(ngx_str_t *text);

/*
 * Percent-encodes all but the unreserved characters of RFC 3986, so that the
 * text is one path segment or one query value.  NGX_OK or NGX_ERROR (memory).
 */
ngx_int_t ngx_group_percent_encode(ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out);

/*
 * Takes percent-encoding apart; "plus" makes "+" a space.  NGX_OK,
 * NGX_DECLINED (a bad escape), or NGX_ERROR (memory).
 */
ngx_int_t ngx_group_percent_decode(ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out, ngx_uint_t plus);


#endif /* _NGX_GROUP_TEXT_H_INCLUDED_ */
