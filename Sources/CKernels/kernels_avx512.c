// AVX-512 and FMA: 16 lanes, tiles of up to 12 x 32.
#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF

#include "flushing_x86.h"
#include "kernel_table.h"

#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512))), apply_to = function)

#define CK_MASKED
#define CK_W 16
#define CK_ROWS 12
typedef __m512 ck_vector;
#define CK_VFMA(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define CK_VSET(x) _mm512_set1_ps(x)
#define CK_VLOAD(p) _mm512_loadu_ps(p)
#define CK_VSTORE(p, v) _mm512_storeu_ps((p), (v))
#define CK_SQRT(x) __builtin_elementwise_sqrt(x)
#define CK_TABLE ck_avx512_table
#include "body/all.h"

#pragma clang attribute pop
#endif
