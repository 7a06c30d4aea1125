// AVX-512 with VDPBF16PS: as kernels_avx512.c, and products of bf16 by the instruction made for them.
#if defined(__x86_64__)
#pragma STDC FP_CONTRACT OFF

#include "kernel_table.h"

#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"), min_vector_width(512))), apply_to = function)

#include "vectors_avx512.h"
#define CK_DOT(c, a, b) _mm512_dpbf16_ps((c), (__m512bh)(a), (__m512bh)(b))
#define CK_SIDE_PAIRS(first, second) ((__m512)_mm512_cvtne2ps_pbh((second), (first)))
#define CK_PAIRS(even, odd) ck_interleaved(_mm512_cvtne2ps_pbh((odd), (even)))

// The two halves of a vector of bf16, one element of each in turn.
static inline __m512 ck_interleaved(__m512bh halves) {
    typedef short ck_shorts __attribute__((vector_size(64)));
    ck_shorts all = (ck_shorts)halves;
    return (__m512)__builtin_shufflevector(all, all, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11,
                                           27, 12, 28, 13, 29, 14, 30, 15, 31);
}

#define CK_TABLE ck_avx512_bf16_table
#include "body/all.h"

// A factor that the instruction is given: any bf16, or one whose products come near to the least normal number.
static uint32_t ck_probe_factor(uint32_t word, int small) { return small ? (word & 0x807Fu) | (57 + (word >> 16) % 14) << 7 : word & 0xFFFFu; }

// Every processor at hand does one fused multiply-add after the other, the odd one first. One that adds up otherwise takes the
// instruction set before this, which is slower and has the same bits.
int ck_avx512_bf16_is_exact(void) {
    const uint32_t key[2] = {0x6266u, 0x3136u};
    for (uint32_t round = 0; round < 256; round++) {
        float c[16], a[16], b[16], dot[16], converted[16];
        for (uint32_t lane = 0; lane < 16; lane++) {
            const uint32_t counter[4] = {lane, round, 0, 0};
            uint32_t words[4];
            ck_philox(counter, key, words);
            int small = round % 2 != 0;
            a[lane] = ck_as_float(ck_probe_factor(words[0], small) | ck_probe_factor(words[1], small) << 16);
            b[lane] = ck_as_float(ck_probe_factor(words[0] >> 7 ^ words[2], small) | ck_probe_factor(words[2], small) << 16);
            // Near what the odd product takes away, so that the even one decides.
            float odd = -(ck_flushed(ck_odd(a[lane])) * ck_flushed(ck_odd(b[lane])));
            c[lane] = round % 4 < 2 ? ck_as_float(words[3]) : ck_as_float(ck_as_bits(odd) ^ (1u << words[3] % 24));
        }
        CK_VSTORE(dot, CK_DOT(CK_VLOAD(c), CK_VLOAD(a), CK_VLOAD(b)));
        CK_VSTORE(converted, CK_PAIRS(CK_VLOAD(c), CK_VLOAD(a)));
        for (int lane = 0; lane < 16; lane++) {
            float wanted = c[lane];
            wanted = ck_flushed_fma(ck_flushed(ck_odd(a[lane])), ck_flushed(ck_odd(b[lane])), wanted);
            wanted = ck_flushed_fma(ck_flushed(ck_even(a[lane])), ck_flushed(ck_even(b[lane])), wanted);
            int both_nan = wanted != wanted && dot[lane] != dot[lane];
            if (ck_as_bits(wanted) != ck_as_bits(dot[lane]) && !both_nan) return 0;
            if (ck_as_bits(ck_pair(c[lane], a[lane])) != ck_as_bits(converted[lane])) return 0;
        }
    }
    return 1;
}

#pragma clang attribute pop
#endif
