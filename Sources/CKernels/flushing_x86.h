// Subnormal operands and results of vector arithmetic as zeros, for a stretch of code on x86: what VDPBF16PS always does.
#ifndef CK_FLUSHING_X86_H
#define CK_FLUSHING_X86_H

#include <immintrin.h>

// The compiler moves no memory access and no call across this; arithmetic between two of them has to be a call that is not inlined.
static inline void ck_set_control(unsigned setting) { __asm__ volatile("ldmxcsr %0" : : "m"(setting) : "memory"); }

#define CK_FLUSHED_FMA(a, b, c) CK_VFMA((a), (b), (c))
#define CK_BEGIN_FLUSHING()                       \
    const unsigned ck_before = _mm_getcsr();      \
    ck_set_control(ck_before | 0x8040u)
#define CK_END_FLUSHING() ck_set_control(ck_before)

#endif
