// One table of functions for each instruction set; dispatch.c picks one.
#ifndef CK_KERNEL_TABLE_H
#define CK_KERNEL_TABLE_H

#include "ckernels.h"

// XXH64's first prime.
#define CK_CHECKSUM_PRIME 0x9E3779B185EBCA87u

// Floats of A that a block of rows takes while the panels of B pass over it: half of a common second-level cache.
#define CK_BLOCK_FLOATS (96 * 1024)
// Rows of the tallest tile of any instruction set.
#define CK_TALLEST_TILE 12
// Rows of A that are packed at once, and tiles that they are at most: a product over few k would otherwise take more than fits.
#define CK_BLOCK_ROWS 1536
#define CK_BLOCK_TILES (CK_BLOCK_ROWS / 4)

typedef struct {
    void (*pack[2])(size_t, size_t, const float *, ck_k_axis, ptrdiff_t, float *);
    void (*gemm)(ck_precision, size_t, size_t, const float *, ptrdiff_t, ck_k_axis, size_t, const ck_product *, float *);
    void (*gemv)(ck_precision, ck_start, size_t, size_t, const float *, const float *, const float *, float *, float *);
    void (*column_sums)(ck_start, size_t, size_t, const float *, ck_k_axis, float *);
    void (*exp)(size_t, const float *, float *);
    void (*log)(size_t, const float *, float *);
    void (*tanh)(size_t, const float *, float *);
    void (*sigmoid)(size_t, const float *, float *);
    void (*relu)(size_t, const float *, float *);
    void (*add)(size_t, const float *, float *);
    void (*multiply)(size_t, const float *, const float *, float *);
    void (*multiply_add)(size_t, const float *, const float *, float *);
    void (*scale)(size_t, float, const float *, float *);
    void (*tanh_backward)(size_t, const float *, const float *, float *);
    void (*sigmoid_backward)(size_t, const float *, const float *, float *);
    void (*relu_backward)(size_t, const float *, const float *, float *);
    void (*lstm_forward)(size_t, size_t, float *, const float *, float *, float *, float *, size_t);
    void (*lstm_backward)(size_t, size_t, const float *, const float *, const float *, const float *, size_t, const float *,
                          float *, float *);
    void (*gru_forward)(size_t, size_t, float *, const float *, const float *, size_t, float *, size_t);
    void (*gru_backward)(size_t, size_t, const float *, const float *, const float *, size_t, const float *, size_t,
                         const float *, float *, float *, float *);
    void (*rnn_forward)(ck_activation, size_t, size_t, const float *, float *, size_t);
    void (*rnn_backward)(ck_activation, size_t, size_t, const float *, size_t, const float *, size_t, const float *, float *);
    void (*embedding_backward)(size_t, size_t, const float *, ck_k_axis, const int32_t *, ck_k_axis, float *);
    void (*cross_entropy)(size_t, size_t, const float *, const int32_t *, float *, float *);
    void (*softmax)(size_t, size_t, const float *, float *);
    void (*log_softmax)(size_t, size_t, const float *, float *);
    void (*dropout_mask)(size_t, uint32_t, float, uint32_t, uint32_t, uint32_t, const uint32_t *, float *);
    double (*sum)(size_t, const float *);
    void (*squares_add)(double *, size_t, float, const float *);
    double (*squares_end)(const double *);
    void (*adam)(size_t, const ck_adam_settings *, const float *, float *, float *, float *);
    void (*amsgrad)(size_t, const ck_adam_settings *, const float *, float *, float *, float *, float *);
    void (*sgd)(size_t, const ck_sgd_settings *, const float *, float *, float *);
    void (*rmsprop)(size_t, const ck_rmsprop_settings *, const float *, float *, float *, float *, float *);
    void (*checksum_add)(uint64_t *, size_t, const unsigned char *);
    int (*are_finite)(size_t, const unsigned char *);
    double (*fma_peak)(ck_precision, uint64_t);
} ck_table;

extern const ck_table ck_portable_table;
#if defined(__x86_64__)
extern const ck_table ck_avx2_table;
extern const ck_table ck_avx512_table;
extern const ck_table ck_avx512_bf16_table;
// Whether this processor's VDPBF16PS and its conversion give the bits that the other instruction sets compute.
int ck_avx512_bf16_is_exact(void);
#endif
#if defined(__aarch64__)
extern const ck_table ck_neon_table;
#endif

#endif
