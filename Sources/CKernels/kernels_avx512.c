// AVX-512 and FMA: 16 lanes, tiles of up to 12 x 32.
#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF

#include "flushing_x86.h"
#include "kernel_table.h"

#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512))), apply_to = function)

#include "vectors_avx512.h"
#define CK_TABLE ck_avx512_table
#include "body/all.h"

#pragma clang attribute pop
#endif
