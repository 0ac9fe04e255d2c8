
/*
 * Identifiers, over all pairs of forms: what the upstream said comes back, and
 * what a client says has one meaning, that of the id which it would be told.
 */


#include "fuzz.h"
#include "ngx_group_id.h"


static ngx_str_t encode(ngx_pool_t *pool, ngx_uint_t client,
    ngx_uint_t upstream, ngx_str_t *in);
static ngx_str_t decode(ngx_pool_t *pool, ngx_uint_t client,
    ngx_uint_t upstream, ngx_str_t *in);


void
fuzz_start(void)
{
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    ngx_str_t   there, back, meant, told;
    ngx_uint_t  c, u;

    for (c = NGX_GROUP_ID_OPAQUE; c <= NGX_GROUP_ID_BASE64; c++) {
        for (u = NGX_GROUP_ID_OPAQUE; u <= NGX_GROUP_ID_BASE64; u++) {

            there = encode(pool, c, u, in);
            back = decode(pool, c, u, &there);

            check(fuzz_equal(in, &back), "%lu %lu: %s, %s, %s",
                  (unsigned long) c, (unsigned long) u, unit_show(in),
                  unit_show(&there), unit_show(&back));

            check(in->len == 0 || there.len, "an id becomes none");

            meant = decode(pool, c, u, in);

            check(in->len == 0 || meant.len, "an id becomes none");

            told = encode(pool, c, u, &meant);
            back = decode(pool, c, u, &told);

            check(fuzz_equal(&meant, &back), "%lu %lu: %s: %s, %s, %s",
                  (unsigned long) c, (unsigned long) u, unit_show(in),
                  unit_show(&meant), unit_show(&told), unit_show(&back));

            if (c == u || c == NGX_GROUP_ID_OPAQUE) {
                check(fuzz_equal(in, &there), "not as it is");
            }
        }
    }
}


static ngx_str_t
encode(ngx_pool_t *pool, ngx_uint_t client, ngx_uint_t upstream,
    ngx_str_t *in)
{
    ngx_str_t  out, again;

    check(ngx_group_id_encode(pool, client, upstream, in, &out) == NGX_OK,
          "no memory");

    again = *in;

    check(ngx_group_id_encode(pool, client, upstream, &again, &again)
          == NGX_OK && fuzz_equal(&out, &again), "another in its place");

    return out;
}


static ngx_str_t
decode(ngx_pool_t *pool, ngx_uint_t client, ngx_uint_t upstream,
    ngx_str_t *in)
{
    ngx_str_t  out, again;

    check(ngx_group_id_decode(pool, client, upstream, in, &out) == NGX_OK,
          "no memory");

    again = *in;

    check(ngx_group_id_decode(pool, client, upstream, &again, &again)
          == NGX_OK && fuzz_equal(&out, &again), "another in its place");

    return out;
}
