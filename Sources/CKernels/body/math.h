// Elementary functions of one number, out of +, x, /, fma and integer operations. Included once for each instruction set; the
// compiler makes vectors of them, and every vector width gives the same bits, because no operation here mixes lanes.

static inline float ck_as_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t ck_as_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// A loop over j < count elements, of arrays that may be the same one but overlap in no other way: every element is read before its place
// is written. CK_MASKED: whole vectors first, then what is left under a mask; without it the compiler would do up to CK_W - 1 elements
// one at a time, which costs more than all the rest of a short row.
#if defined(CK_MASKED) && defined(__clang__)
#define CK_EACH(j, count, ...)                                                                            \
    do {                                                                                                  \
        const size_t ck_whole = (count) / CK_W * CK_W;                                                    \
        _Pragma("clang loop vectorize(assume_safety)") for (size_t j = 0; j < ck_whole; j++) __VA_ARGS__  \
        _Pragma("clang loop vectorize(assume_safety) interleave_count(1) vectorize_predicate(enable)")    \
        for (size_t j = ck_whole; j < (count); j++) __VA_ARGS__                                           \
    } while (0)
#elif CK_W == 1
#define CK_EACH(j, count, ...) for (size_t j = 0; j < (count); j++) __VA_ARGS__
#elif defined(__clang__)
#define CK_EACH(j, count, ...)                                     \
    _Pragma("clang loop vectorize(assume_safety)") for (size_t j = 0; j < (count); j++) __VA_ARGS__
#else
#define CK_EACH(j, count, ...) _Pragma("GCC ivdep") for (size_t j = 0; j < (count); j++) __VA_ARGS__
#endif

#define CK_FMA(a, b, c) __builtin_fmaf((a), (b), (c))

// e^x = 2^n (1 + q), q = e^r - 1, |r| <= ln 2 / 2. The polynomial is the one of Cephes' expf.
typedef struct {
    float q;
    uint32_t n;  // in its low 9 bits
} ck_exponential;

static inline ck_exponential ck_split_exponential(float x) {
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
    const float magic = 12582912.0f;
    float shifted = CK_FMA(x, 1.44269504088896341f, magic);
    float whole = shifted - magic;
    float r = CK_FMA(whole, -0.693359375f, x);
    r = CK_FMA(whole, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = CK_FMA(p, r, 1.3981999507e-3f);
    p = CK_FMA(p, r, 8.3334519073e-3f);
    p = CK_FMA(p, r, 4.1665795894e-2f);
    p = CK_FMA(p, r, 1.6666665459e-1f);
    p = CK_FMA(p, r, 5.0000001201e-1f);
    return (ck_exponential){CK_FMA(r * r, p, r), ck_as_bits(shifted)};
}

// Above 89 the result is infinite, below -104 it is zero.
static inline float ck_expf(float x) {
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    ck_exponential e = ck_split_exponential(x);
    // Two factors: 2^n alone leaves the range of normal numbers. The first product is exact.
    int32_t n = (int32_t)(e.n - ck_as_bits(12582912.0f)), half = n >> 1;
    float y = (e.q + 1.0f) * ck_as_float((uint32_t)(half + 127) << 23);
    return y * ck_as_float((uint32_t)(n - half + 127) << 23);
}

// ln x = e ln 2 + ln m with m in [sqrt(1/2), sqrt 2). The polynomial is the one of Cephes' logf.
static inline float ck_logf(float x) {
    int subnormal = x < 1.17549435e-38f;
    float scaled = subnormal ? x * 8388608.0f : x;
    uint32_t bits = ck_as_bits(scaled);
    int32_t e = (int32_t)(bits - 0x3F3504F3u) >> 23;
    float m = ck_as_float(bits - ((uint32_t)e << 23)) - 1.0f;
    float exponent = (float)(e - (subnormal ? 23 : 0));
    float z = m * m;
    float p = 7.0376836292e-2f;
    p = CK_FMA(p, m, -1.1514610310e-1f);
    p = CK_FMA(p, m, 1.1676998740e-1f);
    p = CK_FMA(p, m, -1.2420140846e-1f);
    p = CK_FMA(p, m, 1.4249322787e-1f);
    p = CK_FMA(p, m, -1.6668057665e-1f);
    p = CK_FMA(p, m, 2.0000714765e-1f);
    p = CK_FMA(p, m, -2.4999993993e-1f);
    p = CK_FMA(p, m, 3.3333331174e-1f);
    float y = m * z * p;
    y = CK_FMA(exponent, -2.12194440e-4f, y);
    y = CK_FMA(-0.5f, z, y);
    float result = CK_FMA(exponent, 0.693359375f, m + y);
    result = x == 0.0f ? -__builtin_inff() : result;
    result = x < 0.0f ? __builtin_nanf("") : result;
    // Infinity and NaN are their own logarithms.
    return x < __builtin_inff() ? result : x;
}

// z / (1 + z) or 1 / (1 + z) with z = e^-|x|.
static inline float ck_sigmoidf(float x) {
    float negative = ck_as_float(ck_as_bits(x) | 0x80000000u);
    ck_exponential e = ck_split_exponential(negative < -104.0f ? -104.0f : negative);
    // 2^(n + 64), then 2^-64, for the sake of subnormal results.
    float z = (e.q + 1.0f) * ck_as_float((e.n << 23) + ((127u + 64u) << 23)) * 0x1p-64f;
    float numerator = x < 0.0f ? z : 1.0f;
    float sum = 1.0f + z;
    float quotient = numerator / sum;
    // What the rounding of the sum and of the quotient took away. It is small, so that a line will do for 1 / sum, 1 <= sum <= 2.
    float missing = CK_FMA(-quotient, z - (sum - 1.0f), CK_FMA(-quotient, sum, numerator));
    return CK_FMA(missing, CK_FMA(-0.5f, sum, 1.457f), quotient);
}

// An odd polynomial near zero (Cephes' tanhf), 1 - 2 / (e^(2|x|) + 1) elsewhere.
static inline float ck_tanhf(float x) {
    uint32_t sign = ck_as_bits(x) & 0x80000000u;
    float a = ck_as_float(ck_as_bits(x) & 0x7FFFFFFFu);
    float s = a * a;
    float p = -5.70498872745e-3f;
    p = CK_FMA(p, s, 2.06390887954e-2f);
    p = CK_FMA(p, s, -5.37397155531e-2f);
    p = CK_FMA(p, s, 1.33314422036e-1f);
    p = CK_FMA(p, s, -3.33332819422e-1f);
    float small = CK_FMA(a * s, p, a);
    // From 10 on the result is 1. Up to there e^(2a) is a normal number, so that one exact factor scales it.
    float twice = 2.0f * a;
    ck_exponential e = ck_split_exponential(twice > 20.0f ? 20.0f : twice);
    float large = 1.0f - 2.0f / ((e.q + 1.0f) * ck_as_float((e.n << 23) + (127u << 23)) + 1.0f);
    return ck_as_float(ck_as_bits(a < 0.625f ? small : large) | sign);
}

static inline float ck_greater(float a, float b) { return a > b ? a : b; }
