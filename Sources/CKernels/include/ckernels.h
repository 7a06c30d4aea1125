// Single-precision kernels with bits that do not depend on the processor.
//
// Every function exists once for each instruction set (AVX-512 with and without bf16, AVX2+FMA, NEON, portable) and all of
// them give the same bits. The rules that make it so:
//
//   - an element of a matrix product is one chain of fused multiply-adds over k = 0, 1, 2, ...;
//     vectors run across rows and columns, never along k;
//   - exp, tanh, sigmoid and log are our own, out of +, x, /, fma and integer operations; division and square root are the
//     IEEE ones, correctly rounded on every processor;
//   - sums run over a fixed number of lanes (CK_LANES) in a fixed order.
//
// All functions are re-entrant and allocate nothing. Pointers need no alignment; a buffer never overlaps another unless
// the description says "in place". Sizes are in elements. Axis letters: m, n, k of a product; rows = sequences x steps,
// H hidden units, V classes, E embedding width.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// --- instruction sets ------------------------------------------------------------------------------

typedef enum { CK_PORTABLE = 0, CK_AVX2 = 1, CK_AVX512 = 2, CK_NEON = 3, CK_AVX512_BF16 = 4 } ck_isa;

/// 1 when this processor (and this build) can run `isa`.
int ck_isa_available(ck_isa isa);
/// The fastest instruction set that this processor has.
ck_isa ck_isa_best(void);
/// "portable", "avx2", "avx512", "neon", "avx512bf16".
const char *ck_isa_name(ck_isa isa);
/// The one that the functions below use; at first `ck_isa_best()`.
ck_isa ck_isa_active(void);
/// Switches; returns 0, or -1 when `isa` is not available. Safe at any time: no buffer's layout depends on it.
int ck_isa_select(ck_isa isa);

/// Round to nearest, no flush to zero, for the calling thread. Call it at the start of every thread that computes.
void ck_float_environment(void);

// --- matrix products -------------------------------------------------------------------------------

/// What the factors of a product are rounded to before it; what they are multiplied and added in is single precision either way.
typedef enum {
    CK_FP32 = 0,
    /// To nearest even, a subnormal number to zero. The chain takes two k at a time, for i = 0, 1, 2, ...:
    /// c = fma(a[2i + 1], b[2i + 1], c), c = fma(a[2i], b[2i], c), an odd k ending with a zero; a c or a result that is subnormal
    /// is a zero of its sign. That is what the instruction VDPBF16PS does.
    CK_BF16 = 1
} ck_precision;

/// Columns in one panel of a packed right-hand side; the same for every instruction set.
#define CK_PANEL 32

/// Where the index k of an operand lies in memory: k = outer * inner_count + inner is at
/// base + outer * outer_stride + inner * inner_stride. A plain matrix has inner_count = k.
typedef struct {
    size_t inner_count;
    ptrdiff_t inner_stride;
    ptrdiff_t outer_stride;
} ck_k_axis;

/// Floats that the packed form of a k x n right-hand side takes: ceil(n / CK_PANEL) * CK_PANEL * k, half of k for CK_BF16.
size_t ck_packed_size(ck_precision precision, size_t k, size_t n);

/// Packs B (k x n, element (k, j) at b + axis(k) + j * n_stride) into panels [n / CK_PANEL][k][CK_PANEL], columns beyond n zero.
/// For CK_BF16 two k are one: the rounded element of an even k is the lower half of a float's bits, that of the odd one the upper half.
void ck_pack(ck_precision precision, size_t k, size_t n, const float *b, ck_k_axis axis, ptrdiff_t n_stride, float *packed);

/// Floats of scratch that a product over k needs, whatever its other sizes.
size_t ck_gemm_scratch_size(size_t k);

typedef enum {
    CK_FROM_ZERO = 0,  // C = 0, then the chain
    CK_FROM_C = 1,     // the chain goes on from the value in C
    CK_FROM_BIAS = 2,  // the chain starts from bias[j]
    CK_ADD_TO_C = 3    // the chain starts from zero, and its result is added to C once, at the end
} ck_start;

/// C (m x n, row stride ldc) from A (m x k, element (i, k) at a + i * a_row_stride + axis(k)) and B packed in the same precision.
/// For CK_ADD_TO_C with blocking along k the whole chain is finished before the one addition.
/// `bias` (n floats) is read only for CK_FROM_BIAS. k may be 0 (C gets its start).
void ck_gemm(ck_precision precision, ck_start start, size_t m, size_t n, size_t k, const float *a, ptrdiff_t a_row_stride,
             ck_k_axis a_axis, const float *packed_b, const float *bias, float *c, size_t ldc, float *scratch);

/// One of several products with the same A.
typedef struct {
    ck_start start;
    size_t n;
    const float *packed_b;
    const float *bias;
    float *c;
    size_t ldc;
} ck_product;

/// `count` products with one A, which is packed once: bit for bit what ck_gemm gives for each of them alone.
void ck_gemm_several(ck_precision precision, size_t m, size_t k, const float *a, ptrdiff_t a_row_stride, ck_k_axis a_axis,
                     size_t count, const ck_product *products, float *scratch);

/// As ck_gemm for one row y [n] from x [k] side by side, bit for bit what that gives with m = 1, as fast as packed B can be read.
/// `scratch`, as ck_gemm's, is used only for CK_BF16.
void ck_gemv(ck_precision precision, ck_start start, size_t n, size_t k, const float *x, const float *packed_b, const float *bias,
             float *y, float *scratch);

/// sums[j] from rows x(k, j) at x + axis(k) + j, j < n: one chain of additions over k in order.
/// start: CK_FROM_ZERO, CK_FROM_C or CK_ADD_TO_C, as in ck_gemm.
void ck_column_sums(ck_start start, size_t k, size_t n, const float *x, ck_k_axis axis, float *sums);

// --- elementwise -----------------------------------------------------------------------------------

void ck_exp(size_t n, const float *x, float *y);      // y = e^x, <= 1.02 ulp (in place allowed, here and below)
void ck_log(size_t n, const float *x, float *y);      // y = ln x, <= 0.83 ulp
void ck_tanh(size_t n, const float *x, float *y);     // <= 1.34 ulp over all finite x
void ck_sigmoid(size_t n, const float *x, float *y);  // <= 1.51 ulp over all finite x
void ck_relu(size_t n, const float *x, float *y);     // x > 0 ? x : 0
void ck_add(size_t n, const float *x, float *y);      // y += x
void ck_multiply(size_t n, const float *x, const float *y, float *z);           // z = x * y
void ck_multiply_add(size_t n, const float *x, const float *y, float *z);       // z = fma(x, y, z)
void ck_scale(size_t n, float factor, const float *x, float *y);                // y = factor * x

// Backward of an activation from its result y: dx = dy * f'(y).
void ck_tanh_backward(size_t n, const float *y, const float *dy, float *dx);    // dy * (1 - y^2)
void ck_sigmoid_backward(size_t n, const float *y, const float *dy, float *dx); // dy * y * (1 - y)
void ck_relu_backward(size_t n, const float *y, const float *dy, float *dx);    // y > 0 ? dy : 0

// --- recurrent cells: one time step of `rows` sequences -----------------------------------------------
//
// PyTorch's equations and gate order. Row strides are in floats, so that a step can lie inside a larger array.
// dh_above is the gradient from the layer above and dh_next the one from step t + 1 (NULL: zero); their sum is dL/dh_t,
// taken as dh_above + dh_next.

/// gates [rows, 4H]: in: pre-activations i, f, g, o; out: sigmoid(i), sigmoid(f), tanh(g), sigmoid(o).
/// c = f * c_previous + i * g, as fma(f, c_previous, i * g);  h = o * tanh(c).  c_previous NULL: zero.
/// c, tanh_c, h: [rows, H], contiguous but for h (row stride h_stride).
void ck_lstm_forward(size_t rows, size_t H, float *gates, const float *c_previous, float *c, float *tanh_c, float *h, size_t h_stride);
/// dc [rows, H]: in: dL/dc_t from step t + 1 (all zero at the last); out: dL/dc_(t-1).  d_gates [rows, 4H]: by pre-activation; may be `gates` itself.
void ck_lstm_backward(size_t rows, size_t H, const float *gates, const float *c_previous, const float *tanh_c, const float *dh_above,
                      size_t dh_above_stride, const float *dh_next, float *dc, float *d_gates);

/// x_gates [rows, 3H]: in: W_i x + b_i for r, z, n; out: r, z, n.  h_gates [rows, 3H]: W_h h + b_h; its n part stays, for backward.
/// r = sigmoid(x_r + h_r), z = sigmoid(x_z + h_z), n = tanh(fma(r, h_n, x_n)), h = fma(z, h_previous - n, n).  h_previous NULL: zero.
/// h_previous and h have row strides.
void ck_gru_forward(size_t rows, size_t H, float *x_gates, const float *h_gates, const float *h_previous, size_t h_previous_stride, float *h, size_t h_stride);
/// gates: r, z, n; h_gates: its n part as forward left it. d_x_gates, d_h_gates [rows, 3H] by the two sets of pre-activations
/// (d_x_gates may be `gates` itself, d_h_gates may be `h_gates` itself). dh_previous [rows, H]: set to dh_t * z; the caller adds d_h_gates * W_hh by ck_gemm(CK_FROM_C).
/// dh_previous may be dh_next itself.
void ck_gru_backward(size_t rows, size_t H, const float *gates, const float *h_gates, const float *h_previous, size_t h_previous_stride,
                     const float *dh_above, size_t dh_above_stride, const float *dh_next, float *dh_previous, float *d_x_gates, float *d_h_gates);

typedef enum { CK_TANH = 0, CK_RELU = 1 } ck_activation;
/// h = activation(gates), gates [rows, H] pre-activations (unchanged unless h is gates).
void ck_rnn_forward(ck_activation activation, size_t rows, size_t H, const float *gates, float *h, size_t h_stride);
/// d_gates [rows, H] = (dh_above + dh_next) * activation'(h).
void ck_rnn_backward(ck_activation activation, size_t rows, size_t H, const float *h, size_t h_stride, const float *dh_above, size_t dh_above_stride,
                     const float *dh_next, float *d_gates);

// --- embedding and loss ----------------------------------------------------------------------------

/// out [count, E]: out[i] = table[tokens[i]].  Tokens are checked by the caller.
void ck_embedding(size_t count, size_t E, const float *table, const int32_t *tokens, float *out);
/// table[tokens[i]] += x[i], for i = 0, 1, 2, ... in that order. x(i, :) at x + axis(i), tokens(i) at tokens + token_axis(i).
void ck_embedding_backward(size_t count, size_t E, const float *x, ck_k_axis axis, const int32_t *tokens, ck_k_axis token_axis, float *table);

/// Softmax cross-entropy of each row of logits [rows, V] (row stride V) against targets[row]; a target below 0 is not counted.
/// losses[row] = max + log(sum exp(x - max)) - x[target], or 0.  d_logits (may be logits itself; NULL: not wanted) = softmax - onehot, or 0.
void ck_cross_entropy(size_t rows, size_t V, const float *logits, const int32_t *targets, float *losses, float *d_logits);
/// Softmax and log-softmax of each row (row stride n); in place allowed.
void ck_softmax(size_t rows, size_t n, const float *x, float *y);
void ck_log_softmax(size_t rows, size_t n, const float *x, float *y);

// --- dropout ---------------------------------------------------------------------------------------

/// Philox 4x32-10 (Salmon et al., 2011): out[0..3] from counter[0..3] and key[0..1].
void ck_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/// mask[j], j < n: 0 with probability p, else 1 / (1 - p). Word j % 4 of the block with counter (j / 4, c1, c2, c3); it is dropped when
/// (word >> 8) < threshold, where threshold = round(p * 2^24), and kept at `scale` otherwise.
void ck_dropout_mask(size_t n, uint32_t threshold, float scale, uint32_t c1, uint32_t c2, uint32_t c3, const uint32_t key[2], float *mask);

// --- sums and optimisers -----------------------------------------------------------------------------

/// Lanes of a sum: element i goes to lane i % CK_LANES; lane l is then added to lane l + 8, 4, 2, 1 (l < 8, 4, 2, 1), as lane[l] += lane[l + w].
#define CK_LANES 16
double ck_sum(size_t n, const float *x);                             // lanes in double
double ck_sum_of_squares(size_t n, float divisor, const float *x);   // of (x / divisor), rounded to float first; lanes in double
/// The same over values that come in pieces, from sums that are all 0 at first; every piece but the last has a multiple of CK_LANES values,
/// and pieces of zeros only may be left out if they are such a multiple.
typedef struct {
    double lanes[CK_LANES];
} ck_squares;
void ck_squares_add(ck_squares *sums, size_t n, float divisor, const float *x);
double ck_squares_end(const ck_squares *sums);

typedef struct {
    float divisor;       // the gradient is (g / divisor) * clip
    float clip;
    float beta1, beta2, epsilon;
    float step_size;     // lr / (1 - beta1^t)
    float root_correction;  // 1 / sqrt(1 - beta2^t)
    float l2;            // Adam's weight decay: g += l2 * p
    float decay;         // AdamW's: p *= 1 - lr * weight_decay, given as that factor; 1 for none
} ck_adam_settings;
/// m = fma(beta1, m, (1 - beta1) * g); v = fma(beta2, v, (1 - beta2) * g * g); p = p * decay - step_size * m / (sqrt(v) * root_correction + epsilon).
void ck_adam(size_t n, const ck_adam_settings *settings, const float *gradient, float *p, float *m, float *v);
/// The same with the largest v so far, element by element, in the place of v: largest = max(largest, v).
void ck_amsgrad(size_t n, const ck_adam_settings *settings, const float *gradient, float *p, float *m, float *v, float *largest);

typedef struct {
    float divisor, clip, l2;  // as above
    float learning_rate;
    float carried;  // momentum; 0 at the first update, when b has no past
    float taken;    // 1 - dampening; 1 at the first update
    float ahead;    // Nesterov's look ahead: momentum, or 0 for none
} ck_sgd_settings;
/// b = fma(carried, b, taken * g); p = p - learning_rate * b, or with a look ahead p - learning_rate * fma(ahead, b, g).
/// b NULL, no momentum: p = p - learning_rate * g.
void ck_sgd(size_t n, const ck_sgd_settings *settings, const float *gradient, float *p, float *b);

typedef struct {
    float divisor, clip, l2;  // as above
    float learning_rate, alpha;
    float taken;  // 1 - alpha
    float epsilon, momentum;
} ck_rmsprop_settings;
/// square = fma(alpha, square, taken * g * g); mean = fma(alpha, mean, taken * g); variance = max(0, fma(-mean, mean, square));
/// b = fma(momentum, b, g / (sqrt(variance) + epsilon)); p = p - learning_rate * b.
/// mean NULL, not centered: variance = square.  b NULL, no momentum: the quotient itself is the step.
void ck_rmsprop(size_t n, const ck_rmsprop_settings *settings, const float *gradient, float *p, float *square, float *mean, float *b);

// --- checksums -------------------------------------------------------------------------------------

#define CK_CHECKSUM_LANES 32
/// Floats that every piece but the last has a multiple of.
#define CK_CHECKSUM_PIECE (2 * CK_CHECKSUM_LANES)

/// The checksum of floats that come in pieces.
typedef struct {
    uint64_t lanes[CK_CHECKSUM_LANES];
    uint64_t count;
} ck_checksum;

void ck_checksum_begin(ck_checksum *state);
/// Takes the bytes of `n` floats in; a piece that is not a multiple of CK_CHECKSUM_PIECE floats is the last.
void ck_checksum_add(ck_checksum *state, size_t n, const float *x);
/// The checksum of all that was taken in: tells bits that differ by accident, not by intent.
uint64_t ck_checksum_end(const ck_checksum *state);
/// The same over `n` bytes, which zeros are put behind up to a multiple of 8 * CK_CHECKSUM_LANES: seed + n begins the sum over the lanes
/// where the number of floats does above.
uint64_t ck_checksum_bytes(uint64_t seed, size_t n, const void *bytes);

/// 1 when none of the `n` floats at `x`, at any alignment, is an infinity or a NaN, else 0.
int ck_are_finite(size_t n, const void *x);

// --- measuring -------------------------------------------------------------------------------------

/// Runs `iterations` rounds of independent fused multiply-adds in registers at the active width; returns the floating-point operations done (2 a lane and fma).
/// For CK_BF16 of products of pairs, where there is an instruction for them (4 a lane).
double ck_fma_peak(ck_precision precision, uint64_t iterations);

#endif
