// AVX2 and FMA: 8 lanes, tiles of up to 6 x 16.
#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF

#include "flushing_x86.h"
#include "kernel_table.h"

#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define CK_MASKED
#define CK_W 8
#define CK_ROWS 6
typedef __m256 ck_vector;
#define CK_VFMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define CK_VSET(x) _mm256_set1_ps(x)
#define CK_VLOAD(p) _mm256_loadu_ps(p)
#define CK_VSTORE(p, v) _mm256_storeu_ps((p), (v))
#define CK_SQRT(x) __builtin_elementwise_sqrt(x)
#define CK_TABLE ck_avx2_table
#include "body/all.h"

#pragma clang attribute pop
#endif
