#include "kernel_table.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static const ck_table *table_of(ck_isa isa) {
    switch (isa) {
    case CK_PORTABLE: return &ck_portable_table;
#if defined(__x86_64__)
    case CK_AVX2: return &ck_avx2_table;
    case CK_AVX512: return &ck_avx512_table;
    case CK_AVX512_BF16: return &ck_avx512_bf16_table;
#endif
#if defined(__aarch64__)
    case CK_NEON: return &ck_neon_table;
#endif
    default: return NULL;
    }
}

int ck_isa_available(ck_isa isa) {
    if (!table_of(isa)) return 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (isa == CK_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == CK_AVX512 || isa == CK_AVX512_BF16) {
        if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")))
            return 0;
        return isa == CK_AVX512 || (__builtin_cpu_supports("avx512bf16") && ck_avx512_bf16_is_exact());
    }
#endif
    return 1;
}

ck_isa ck_isa_best(void) {
    static const ck_isa fastest_first[] = {CK_AVX512_BF16, CK_AVX512, CK_NEON, CK_AVX2};
    for (size_t i = 0; i < sizeof fastest_first / sizeof *fastest_first; i++)
        if (ck_isa_available(fastest_first[i])) return fastest_first[i];
    return CK_PORTABLE;
}

const char *ck_isa_name(ck_isa isa) {
    switch (isa) {
    case CK_AVX2: return "avx2";
    case CK_AVX512: return "avx512";
    case CK_NEON: return "neon";
    case CK_AVX512_BF16: return "avx512bf16";
    default: return "portable";
    }
}

// -1: not chosen yet. Threads that choose at the same time choose the same.
static _Atomic int active = -1;

ck_isa ck_isa_active(void) {
    int isa = atomic_load_explicit(&active, memory_order_relaxed);
    if (isa < 0) {
        isa = (int)ck_isa_best();
        atomic_store_explicit(&active, isa, memory_order_relaxed);
    }
    return (ck_isa)isa;
}

int ck_isa_select(ck_isa isa) {
    if (!ck_isa_available(isa)) return -1;
    atomic_store_explicit(&active, (int)isa, memory_order_relaxed);
    return 0;
}

void ck_float_environment(void) {
#if defined(__x86_64__)
    _mm_setcsr(0x1F80);  // all exceptions masked, round to nearest, no flush to zero, subnormal inputs kept
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
#endif
}

static const ck_table *now(void) { return table_of(ck_isa_active()); }

// A word of two bf16 is as long as a float.
static size_t steps_of(ck_precision precision, size_t k) { return precision == CK_BF16 ? k / 2 + k % 2 : k; }

size_t ck_packed_size(ck_precision precision, size_t k, size_t n) {
    return (n + CK_PANEL - 1) / CK_PANEL * CK_PANEL * steps_of(precision, k);
}

size_t ck_gemm_scratch_size(size_t k) {
    size_t one_tile = CK_TALLEST_TILE * k;
    return one_tile > CK_BLOCK_FLOATS ? one_tile : CK_BLOCK_FLOATS;
}

void ck_pack(ck_precision precision, size_t k, size_t n, const float *b, ck_k_axis axis, ptrdiff_t n_stride, float *packed) {
    now()->pack[precision](k, n, b, axis, n_stride, packed);
}

void ck_gemm(ck_precision precision, ck_start start, size_t m, size_t n, size_t k, const float *a, ptrdiff_t a_row_stride,
             ck_k_axis a_axis, const float *packed_b, const float *bias, float *c, size_t ldc, float *scratch) {
    ck_product alone = {start, n, packed_b, bias, c, ldc};
    now()->gemm(precision, m, k, a, a_row_stride, a_axis, 1, &alone, scratch);
}

void ck_gemm_several(ck_precision precision, size_t m, size_t k, const float *a, ptrdiff_t a_row_stride, ck_k_axis a_axis,
                     size_t count, const ck_product *products, float *scratch) {
    now()->gemm(precision, m, k, a, a_row_stride, a_axis, count, products, scratch);
}

void ck_gemv(ck_precision precision, ck_start start, size_t n, size_t k, const float *x, const float *packed_b, const float *bias,
             float *y, float *scratch) {
    now()->gemv(precision, start, n, k, x, packed_b, bias, y, scratch);
}

void ck_column_sums(ck_start start, size_t k, size_t n, const float *x, ck_k_axis axis, float *sums) {
    now()->column_sums(start, k, n, x, axis, sums);
}

void ck_exp(size_t n, const float *x, float *y) { now()->exp(n, x, y); }
void ck_log(size_t n, const float *x, float *y) { now()->log(n, x, y); }
void ck_tanh(size_t n, const float *x, float *y) { now()->tanh(n, x, y); }
void ck_sigmoid(size_t n, const float *x, float *y) { now()->sigmoid(n, x, y); }
void ck_relu(size_t n, const float *x, float *y) { now()->relu(n, x, y); }
void ck_add(size_t n, const float *x, float *y) { now()->add(n, x, y); }
void ck_multiply(size_t n, const float *x, const float *y, float *z) { now()->multiply(n, x, y, z); }
void ck_multiply_add(size_t n, const float *x, const float *y, float *z) { now()->multiply_add(n, x, y, z); }
void ck_scale(size_t n, float factor, const float *x, float *y) { now()->scale(n, factor, x, y); }

void ck_tanh_backward(size_t n, const float *y, const float *dy, float *dx) { now()->tanh_backward(n, y, dy, dx); }
void ck_sigmoid_backward(size_t n, const float *y, const float *dy, float *dx) { now()->sigmoid_backward(n, y, dy, dx); }
void ck_relu_backward(size_t n, const float *y, const float *dy, float *dx) { now()->relu_backward(n, y, dy, dx); }

void ck_lstm_forward(size_t rows, size_t H, float *gates, const float *c_previous, float *c, float *tanh_c, float *h,
                     size_t h_stride) {
    now()->lstm_forward(rows, H, gates, c_previous, c, tanh_c, h, h_stride);
}

void ck_lstm_backward(size_t rows, size_t H, const float *gates, const float *c_previous, const float *tanh_c,
                      const float *dh_above, size_t dh_above_stride, const float *dh_next, float *dc, float *d_gates) {
    now()->lstm_backward(rows, H, gates, c_previous, tanh_c, dh_above, dh_above_stride, dh_next, dc, d_gates);
}

void ck_gru_forward(size_t rows, size_t H, float *x_gates, const float *h_gates, const float *h_previous,
                    size_t h_previous_stride, float *h, size_t h_stride) {
    now()->gru_forward(rows, H, x_gates, h_gates, h_previous, h_previous_stride, h, h_stride);
}

void ck_gru_backward(size_t rows, size_t H, const float *gates, const float *h_gates, const float *h_previous,
                     size_t h_previous_stride, const float *dh_above, size_t dh_above_stride, const float *dh_next,
                     float *dh_previous, float *d_x_gates, float *d_h_gates) {
    now()->gru_backward(rows, H, gates, h_gates, h_previous, h_previous_stride, dh_above, dh_above_stride, dh_next,
                        dh_previous, d_x_gates, d_h_gates);
}

void ck_rnn_forward(ck_activation activation, size_t rows, size_t H, const float *gates, float *h, size_t h_stride) {
    now()->rnn_forward(activation, rows, H, gates, h, h_stride);
}

void ck_rnn_backward(ck_activation activation, size_t rows, size_t H, const float *h, size_t h_stride, const float *dh_above,
                     size_t dh_above_stride, const float *dh_next, float *d_gates) {
    now()->rnn_backward(activation, rows, H, h, h_stride, dh_above, dh_above_stride, dh_next, d_gates);
}

void ck_embedding(size_t count, size_t E, const float *table, const int32_t *tokens, float *out) {
    for (size_t i = 0; i < count; i++) memcpy(out + i * E, table + (size_t)tokens[i] * E, E * sizeof(float));
}

void ck_embedding_backward(size_t count, size_t E, const float *x, ck_k_axis axis, const int32_t *tokens,
                           ck_k_axis token_axis, float *table) {
    now()->embedding_backward(count, E, x, axis, tokens, token_axis, table);
}

void ck_cross_entropy(size_t rows, size_t V, const float *logits, const int32_t *targets, float *losses, float *d_logits) {
    now()->cross_entropy(rows, V, logits, targets, losses, d_logits);
}

void ck_softmax(size_t rows, size_t n, const float *x, float *y) { now()->softmax(rows, n, x, y); }
void ck_log_softmax(size_t rows, size_t n, const float *x, float *y) { now()->log_softmax(rows, n, x, y); }

void ck_dropout_mask(size_t n, uint32_t threshold, float scale, uint32_t c1, uint32_t c2, uint32_t c3, const uint32_t key[2],
                     float *mask) {
    now()->dropout_mask(n, threshold, scale, c1, c2, c3, key, mask);
}

double ck_sum(size_t n, const float *x) { return now()->sum(n, x); }

void ck_squares_add(ck_squares *sums, size_t n, float divisor, const float *x) { now()->squares_add(sums->lanes, n, divisor, x); }
double ck_squares_end(const ck_squares *sums) { return now()->squares_end(sums->lanes); }

double ck_sum_of_squares(size_t n, float divisor, const float *x) {
    ck_squares sums = {0};
    ck_squares_add(&sums, n, divisor, x);
    return ck_squares_end(&sums);
}

void ck_adam(size_t n, const ck_adam_settings *settings, const float *gradient, float *p, float *m, float *v) {
    now()->adam(n, settings, gradient, p, m, v);
}

void ck_amsgrad(size_t n, const ck_adam_settings *settings, const float *gradient, float *p, float *m, float *v, float *largest) {
    now()->amsgrad(n, settings, gradient, p, m, v, largest);
}

void ck_sgd(size_t n, const ck_sgd_settings *settings, const float *gradient, float *p, float *b) {
    now()->sgd(n, settings, gradient, p, b);
}

void ck_rmsprop(size_t n, const ck_rmsprop_settings *settings, const float *gradient, float *p, float *square, float *mean,
                float *b) {
    now()->rmsprop(n, settings, gradient, p, square, mean, b);
}

static void checksum_add(uint64_t *lanes, size_t size, const unsigned char *bytes) {
    size_t round = CK_CHECKSUM_LANES * sizeof *lanes, left = size % round;
    now()->checksum_add(lanes, size / round, bytes);
    if (left > 0) {
        unsigned char last[CK_CHECKSUM_LANES * sizeof *lanes] = {0};
        memcpy(last, bytes + (size - left), left);
        now()->checksum_add(lanes, 1, last);
    }
}

static uint64_t checksum_end(const uint64_t *lanes, uint64_t sum) {
    for (int l = 0; l < CK_CHECKSUM_LANES; l++) {
        sum = (sum ^ lanes[l]) * CK_CHECKSUM_PRIME;
        sum ^= sum >> 32;
    }
    return sum;
}

void ck_checksum_begin(ck_checksum *state) {
    for (int l = 0; l < CK_CHECKSUM_LANES; l++) state->lanes[l] = (uint64_t)(l + 1) * CK_CHECKSUM_PRIME;
    state->count = 0;
}

void ck_checksum_add(ck_checksum *state, size_t n, const float *x) {
    checksum_add(state->lanes, n * sizeof *x, (const unsigned char *)x);
    state->count += n;
}

uint64_t ck_checksum_end(const ck_checksum *state) { return checksum_end(state->lanes, state->count); }

uint64_t ck_checksum_bytes(uint64_t seed, size_t n, const void *bytes) {
    ck_checksum state;
    ck_checksum_begin(&state);
    checksum_add(state.lanes, n, bytes);
    return checksum_end(state.lanes, seed + n);
}

int ck_are_finite(size_t n, const void *x) { return now()->are_finite(n, x); }

double ck_fma_peak(ck_precision precision, uint64_t iterations) { return now()->fma_peak(precision, iterations); }
