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
#define CK_TABLE ck_neon_table
#include "body/all.h"

#endif
