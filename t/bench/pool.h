
/*
 * A pool that takes memory as nginx's does, for benchmarks of what allocates
 * from pools: that of the unit tests gives each allocation its own malloc().
 * This file comes first where t/unit/unit.c is compiled, with BENCH_POOL_WEAK,
 * so that what unit.c has gives way to what pool.c has.
 */


#ifndef _BENCH_POOL_H_INCLUDED_
#define _BENCH_POOL_H_INCLUDED_


#ifdef BENCH_POOL_WEAK

#pragma weak ngx_create_pool
#pragma weak ngx_destroy_pool
#pragma weak ngx_palloc
#pragma weak ngx_pnalloc
#pragma weak ngx_pcalloc
#pragma weak ngx_pmemalign
#pragma weak ngx_pfree

#endif


/* bytes that all pools have now, and the most since the peak was set to 0 */
extern __SIZE_TYPE__  bench_pool_bytes;
extern __SIZE_TYPE__  bench_pool_peak;


#endif /* _BENCH_POOL_H_INCLUDED_ */
