// 16 lanes and tiles of up to 12 x 32, for the instruction sets that have AVX-512.
#define CK_MASKED
#define CK_W 16
#define CK_ROWS 12
typedef __m512 ck_vector;
#define CK_VFMA(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define CK_VSET(x) _mm512_set1_ps(x)
#define CK_VLOAD(p) _mm512_loadu_ps(p)
#define CK_VSTORE(p, v) _mm512_storeu_ps((p), (v))
#define CK_SQRT(x) __builtin_elementwise_sqrt(x)
