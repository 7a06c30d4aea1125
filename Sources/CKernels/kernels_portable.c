// Standard C, one lane at a time, with the C library's fma(): slow where the processor has no instruction for it, and right everywhere.
#pragma STDC FP_CONTRACT OFF

#include "kernel_table.h"

#include <string.h>

#define CK_W 1
#define CK_ROWS 4
typedef float ck_vector;
#define CK_VFMA(a, b, c) __builtin_fmaf((a), (b), (c))
#define CK_VSET(x) (x)
#define CK_VLOAD(p) (*(p))
#define CK_VSTORE(p, v) (*(p) = (v))
#define CK_SQRT(x) __builtin_sqrtf(x)
#define CK_FLUSHED_FMA(a, b, c) ck_flushed_fma((a), (b), (c))
#define CK_BEGIN_FLUSHING()
#define CK_END_FLUSHING()
#define CK_TABLE ck_portable_table
#include "body/all.h"
