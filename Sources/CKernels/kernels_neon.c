// NEON: 4 lanes, tiles of up to 12 x 8.
#if defined(__aarch64__)
#pragma STDC FP_CONTRACT OFF

#include "kernel_table.h"

#include <arm_neon.h>
#include <string.h>

#define CK_W 4
#define CK_ROWS 12
typedef float32x4_t ck_vector;
#define CK_VFMA(a, b, c) vfmaq_f32((c), (a), (b))
#define CK_VSET(x) vdupq_n_f32(x)
#define CK_VLOAD(p) vld1q_f32(p)
#define CK_VSTORE(p, v) vst1q_f32((p), (v))
#define CK_SQRT(x) __builtin_sqrtf(x)

// As ck_flushed_fma: Arm's own flushing tells what is too small before rounding.
static inline float32x4_t ck_flushed_fma_lanes(float32x4_t a, float32x4_t b, float32x4_t c) {
    const uint32x4_t all_but_sign = vdupq_n_u32(0x7FFFFFFFu), sign = vdupq_n_u32(0x80000000u), least = vdupq_n_u32(0x00800000u);
    const float32x4_t up = vdupq_n_f32(0x1p64f);
    uint32x4_t c_bits = vreinterpretq_u32_f32(c);
    uint32x4_t kept = vorrq_u32(vcgeq_u32(vandq_u32(c_bits, all_but_sign), least), sign);
    c = vreinterpretq_f32_u32(vandq_u32(c_bits, kept));
    uint32x4_t result = vreinterpretq_u32_f32(vfmaq_f32(c, a, b)), magnitude = vandq_u32(result, all_but_sign);
    if (vminvq_u32(magnitude) <= 0x00800000u) {
        float32x4_t higher = vfmaq_f32(vmulq_f32(c, up), vmulq_f32(a, up), b);
        uint32x4_t small = vcltq_u32(vandq_u32(vreinterpretq_u32_f32(higher), all_but_sign), vdupq_n_u32((uint32_t)(1 + 64) << 23));
        small = vorrq_u32(vcltq_u32(magnitude, least), vandq_u32(vceqq_u32(magnitude, least), small));
        result = vbicq_u32(result, vandq_u32(small, all_but_sign));
    }
    return vreinterpretq_f32_u32(result);
}
#define CK_FLUSHED_FMA(a, b, c) ck_flushed_fma_lanes((a), (b), (c))
#define CK_BEGIN_FLUSHING()
#define CK_END_FLUSHING()
#define CK_TABLE ck_neon_table
#include "body/all.h"

#endif
