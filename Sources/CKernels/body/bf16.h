// bf16, the upper half of a float, and products of pairs. Needs what gemm.h needs, and from the including file either
//
//   CK_DOT(c, a, b)            the instruction VDPBF16PS: c + a.odd * b.odd, then + a.even * b.even, on words of two bf16 each;
//   CK_PAIRS, CK_SIDE_PAIRS    conversions, see below
//
// or what gives the same bits: CK_FLUSHED_FMA(a, b, c), a fused multiply-add whose subnormal results and c are zeros of their sign.
// Where that is the plain one under another setting of the processor, CK_BEGIN_FLUSHING() and CK_END_FLUSHING() change the setting.
//
// A word holds the bf16 of k = 2i in its lower half and of k = 2i + 1 in its upper one. Packed words lie in arrays of floats.

// x rounded to nearest even, in the upper half. A subnormal x is a zero, since the instruction takes subnormal operands as zeros.
static inline uint32_t ck_rounded_bits(float x) {
    uint32_t bits = ck_as_bits(x), magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return (bits | 0x00400000u) & 0xFFFF0000u;
    if (magnitude < 0x00800000u) return bits & 0x80000000u;
    return (bits + 0x7FFFu + (bits >> 16 & 1)) & 0xFFFF0000u;
}

static inline float ck_pair(float even, float odd) { return ck_as_float(ck_rounded_bits(even) >> 16 | ck_rounded_bits(odd)); }

static inline float ck_flushed(float x) {
    uint32_t bits = ck_as_bits(x);
    return (bits & 0x7F800000u) == 0 ? ck_as_float(bits & 0x80000000u) : x;
}

// a and b are no subnormal numbers. What is too small is told after rounding to 24 bits, as x86 tells it: the least normal number may
// also be what a smaller one was rounded up to, which shows 64 powers of two higher, where nothing is subnormal.
static inline float ck_flushed_fma(float a, float b, float c) {
    c = ck_flushed(c);
    float result = CK_FMA(a, b, c);
    uint32_t magnitude = ck_as_bits(result) & 0x7FFFFFFFu;
    if (magnitude > 0x00800000u) return result;
    if (magnitude == 0x00800000u) {
        uint32_t higher = ck_as_bits(CK_FMA(a * 0x1p64f, b, c * 0x1p64f)) & 0x7FFFFFFFu;
        if (higher >= (uint32_t)(1 + 64) << 23) return result;
    }
    return ck_as_float(ck_as_bits(result) & 0x80000000u);
}

// The two floats of a word.
static inline float ck_even(float word) { return ck_as_float(ck_as_bits(word) << 16); }
static inline float ck_odd(float word) { return ck_as_float(ck_as_bits(word) & 0xFFFF0000u); }

#if CK_W == 1
#define CK_EVEN(words) ck_even(words)
#define CK_ODD(words) ck_odd(words)
#else
typedef uint32_t ck_words __attribute__((vector_size(4 * CK_W)));
#define CK_EVEN(words) ((ck_vector)((ck_words)(words) << 16))
#define CK_ODD(words) ((ck_vector)((ck_words)(words) & 0xFFFF0000u))

#ifndef CK_PAIRS
// As ck_rounded_bits, with anything in the lower half.
static inline __attribute__((always_inline)) ck_words ck_rounded_words(ck_vector x) {
    ck_words bits = (ck_words)x, magnitude = bits & 0x7FFFFFFFu;
    ck_words rounded = bits + 0x7FFFu + (bits >> 16 & 1u);
    ck_words nan = (ck_words)(magnitude > 0x7F800000u), small = (ck_words)(magnitude < 0x00800000u);
    rounded = (rounded & ~nan) | ((bits | 0x00400000u) & nan);
    return (rounded & ~small) | (bits & 0x80000000u & small);
}

// Words of one vector of even k and one of odd k.
static inline __attribute__((always_inline)) ck_vector ck_pairs(ck_vector even, ck_vector odd) {
    return (ck_vector)(ck_rounded_words(even) >> 16 | (ck_rounded_words(odd) & 0xFFFF0000u));
}
#define CK_PAIRS(even, odd) ck_pairs((even), (odd))
#endif

#ifndef CK_SIDE_PAIRS
#if CK_W == 16
#define CK_EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define CK_ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif CK_W == 8
#define CK_EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define CK_ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#elif CK_W == 4
#define CK_EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define CK_ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#endif
// Words of 2 * CK_W floats whose k lie side by side.
static inline __attribute__((always_inline)) ck_vector ck_side_pairs(ck_vector first, ck_vector second) {
    return CK_PAIRS(CK_EVEN_LANES(first, second), CK_ODD_LANES(first, second));
}
#define CK_SIDE_PAIRS(first, second) ck_side_pairs((first), (second))
#endif
#endif

// out[j] = the word of even[j] and odd[j]; without odd, of even[j] and zero.
static inline void ck_interleave(size_t n, const float *even, const float *odd, float *out) {
    size_t j = 0;
#if CK_W > 1
    for (; j + CK_W <= n; j += CK_W)
        CK_VSTORE(out + j, CK_PAIRS(CK_VLOAD(even + j), odd ? CK_VLOAD(odd + j) : CK_VSET(0.0f)));
#endif
    for (; j < n; j++) out[j] = ck_pair(even[j], odd ? odd[j] : 0.0f);
}

// The words of k floats that lie side by side.
static inline void ck_pair_row(size_t k, const float *x, float *out) {
    size_t word = 0;
#if CK_W > 1
    for (; 2 * (word + CK_W) <= k; word += CK_W)
        CK_VSTORE(out + word, CK_SIDE_PAIRS(CK_VLOAD(x + 2 * word), CK_VLOAD(x + 2 * word + CK_W)));
#endif
    for (; 2 * word < k; word++) out[word] = ck_pair(x[2 * word], 2 * word + 1 < k ? x[2 * word + 1] : 0.0f);
}
