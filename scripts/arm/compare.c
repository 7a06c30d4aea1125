// Prints one hash for each kernel: every function over many random shapes and values, special ones among them. Two builds, or
// two instruction sets of one build, that print the same lines compute the same bits.
//
//   compare ISA [SEED]      ISA: portable, avx2, avx512, avx512bf16, neon
//   compare --list          the instruction sets that this processor has

#include "ckernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { rounds = 60, largest = 1 << 20 };

static uint64_t state;

static uint64_t random_word(void) {  // SplitMix64
    uint64_t word = state += 0x9E3779B97F4A7C15u;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return word ^ (word >> 31);
}

static size_t below(size_t bound) { return (size_t)(random_word() % bound); }

static size_t random_size(void) {
    static const size_t sizes[] = {1, 2, 3, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 31, 32, 33, 63, 64, 65, 97};
    return sizes[below(sizeof sizes / sizeof *sizes)];
}

static float random_float(int special) {
    static const uint32_t specials[] = {0x00000000, 0x80000000, 0x00000001, 0x807FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF,
                                        0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000};
    uint32_t bits = (uint32_t)random_word();
    float value;
    if (special && below(8) == 0) {
        bits = specials[below(sizeof specials / sizeof *specials)];
        memcpy(&value, &bits, sizeof value);
    } else if (special && below(2) == 0) {
        memcpy(&value, &bits, sizeof value);
    } else {
        value = (float)(int32_t)bits * 0x1p-30f;
    }
    return value;
}

// Arrays of one round. What a kernel leaves unwritten is the same on both sides, and a stray write shows in the hash.
static float *arrays[12];

static float *fill(int array, size_t count, int special) {
    if (count > largest) abort();
    for (size_t i = 0; i < count; i++) arrays[array][i] = random_float(special);
    return arrays[array];
}

static uint64_t hash;

static void add_word(uint64_t word) {
    hash ^= word;
    hash *= 0x100000001B3u;
    hash ^= hash >> 29;
}

// All NaNs are one: processors differ in the sign and payload of those they make.
static void add_floats(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        if ((bits & 0x7FFFFFFFu) > 0x7F800000u) bits = 0x7FC00000u;
        add_word(bits);
    }
}

static void add_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_word(value == value ? bits : 0x7FF8000000000000u);
}

static ck_k_axis random_axis(size_t k, size_t other, ptrdiff_t *stride) {
    size_t inner = 1 + below(k ? k : 1);
    switch (below(3)) {
    case 0: *stride = (ptrdiff_t)k + 3; return (ck_k_axis){k, 1, 0};
    case 1: *stride = 1; return (ck_k_axis){k, (ptrdiff_t)other + 1, 0};
    default: *stride = 1; return (ck_k_axis){inner, (ptrdiff_t)other, (ptrdiff_t)(inner * other) + 2};
    }
}

static void pack_and_gemm_in(ck_precision precision, int special) {
    size_t m = random_size(), n = random_size(), k = below(12) == 0 ? 1023 + below(4) : below(6) == 0 ? 0 : random_size();
    size_t ldc = n + below(3);
    ptrdiff_t a_stride, b_stride;
    ck_k_axis a_axis = random_axis(k, m, &a_stride), b_axis = random_axis(k, n, &b_stride);
    float *a = fill(0, (m + 8) * (k + 8) * 2, special), *b = fill(1, (n + 8) * (k + 8) * 2, special), *bias = fill(2, n, special);
    float *packed = fill(3, ck_packed_size(precision, k, n) + 8, 0), *c = fill(4, m * ldc + 8, special);
    ck_pack(precision, k, n, b, b_axis, b_stride, packed);
    add_floats(packed, ck_packed_size(precision, k, n) + 8);
    ck_gemm(precision, (ck_start)below(4), m, n, k, a, a_stride, a_axis, packed, bias, c, ldc, arrays[11]);
    add_floats(c, m * ldc + 8);
}

static void pack_and_gemm(int special) { pack_and_gemm_in(CK_FP32, special); }
static void pack_and_gemm_bf16(int special) { pack_and_gemm_in(CK_BF16, special); }

static void row_product_in(ck_precision precision, int special) {
    size_t n = random_size() + below(2) * 128, k = below(6) == 0 ? 0 : random_size();
    float *x = fill(0, k + 1, special), *b = fill(1, k * n + 1, special), *bias = fill(2, n, special);
    float *y = fill(3, n + 8, special), *packed = fill(4, ck_packed_size(precision, k, n) + 8, special);
    ck_pack(precision, k, n, b, (ck_k_axis){k ? k : 1, (ptrdiff_t)n, 0}, 1, packed);
    ck_gemv(precision, (ck_start)below(4), n, k, x, packed, bias, y, arrays[11]);
    add_floats(y, n + 8);
}

static void row_product(int special) { row_product_in(CK_FP32, special); }
static void row_product_bf16(int special) { row_product_in(CK_BF16, special); }

static void column_sums(int special) {
    size_t n = random_size(), k = random_size(), inner = 1 + below(k);
    ck_k_axis axis = {inner, (ptrdiff_t)n + 1, (ptrdiff_t)(inner * (n + 1)) + 2};
    float *x = fill(0, (n + 3) * (k + 2) + 3 * k, special), *sums = fill(1, n + 8, special);
    static const ck_start starts[] = {CK_FROM_ZERO, CK_FROM_C, CK_ADD_TO_C};
    ck_column_sums(starts[below(3)], k, n, x, axis, sums);
    add_floats(sums, n + 8);
}

#define MAP(name, call)                                                                       \
    static void name(int special) {                                                           \
        size_t n = random_size();                                                             \
        float *x = fill(0, n, special), *y = fill(1, n, special), *z = fill(2, n + 8, special); \
        (void)y;                                                                              \
        call;                                                                                 \
        add_floats(z, n + 8);                                                                 \
    }

MAP(exponential, ck_exp(n, x, z))
MAP(logarithm, ck_log(n, x, z))
MAP(hyperbolic_tangent, ck_tanh(n, x, z))
MAP(sigmoid, ck_sigmoid(n, x, z))
MAP(relu, ck_relu(n, x, z))
MAP(add, ck_add(n, x, z))
MAP(multiply, ck_multiply(n, x, y, z))
MAP(multiply_add, ck_multiply_add(n, x, y, z))
MAP(scale, ck_scale(n, y[0], x, z))
MAP(tanh_backward, ck_tanh_backward(n, x, y, z))
MAP(sigmoid_backward, ck_sigmoid_backward(n, x, y, z))
MAP(relu_backward, ck_relu_backward(n, x, y, z))

static void lstm(int special) {
    size_t rows = 1 + below(4), H = random_size(), size = rows * H, stride = H + below(3);
    float *gates = fill(0, 4 * size + 8, special), *previous = below(3) ? fill(1, size, special) : NULL, *c = fill(2, size + 8, 0);
    float *tanh_c = fill(3, size + 8, 0), *h = fill(4, rows * stride + 8, 0), *above = fill(5, rows * stride, special);
    float *next = below(3) ? fill(6, size, special) : NULL, *dc = fill(7, size + 8, special), *d_gates = fill(8, 4 * size + 8, 0);
    ck_lstm_forward(rows, H, gates, previous, c, tanh_c, h, stride);
    add_floats(gates, 4 * size + 8);
    add_floats(c, size + 8);
    add_floats(tanh_c, size + 8);
    add_floats(h, rows * stride + 8);
    ck_lstm_backward(rows, H, gates, previous, tanh_c, above, stride, next, dc, d_gates);
    add_floats(dc, size + 8);
    add_floats(d_gates, 4 * size + 8);
}

static void gru(int special) {
    size_t rows = 1 + below(4), H = random_size(), size = rows * H, stride = H + below(3);
    float *gates = fill(0, 3 * size + 8, special), *hidden = fill(1, 3 * size, special);
    float *previous = below(3) ? fill(2, rows * stride, special) : NULL, *h = fill(3, rows * stride + 8, 0);
    float *above = fill(4, rows * stride, special), *next = below(3) ? fill(5, size, special) : NULL, *back = fill(6, size + 8, 0);
    float *dx = fill(7, 3 * size + 8, 0), *dh = fill(8, 3 * size + 8, 0);
    ck_gru_forward(rows, H, gates, hidden, previous, stride, h, stride);
    add_floats(gates, 3 * size + 8);
    add_floats(h, rows * stride + 8);
    ck_gru_backward(rows, H, gates, hidden, previous, stride, above, stride, next, back, dx, dh);
    add_floats(back, size + 8);
    add_floats(dx, 3 * size + 8);
    add_floats(dh, 3 * size + 8);
}

static void rnn(int special) {
    ck_activation activation = (ck_activation)below(2);
    size_t rows = 1 + below(4), H = random_size(), size = rows * H, stride = H + below(3);
    float *gates = fill(0, size, special), *h = fill(1, rows * stride + 8, 0), *above = fill(2, rows * stride, special);
    float *next = below(3) ? fill(3, size, special) : NULL, *d_gates = fill(4, size + 8, 0);
    ck_rnn_forward(activation, rows, H, gates, h, stride);
    add_floats(h, rows * stride + 8);
    ck_rnn_backward(activation, rows, H, h, stride, above, stride, next, d_gates);
    add_floats(d_gates, size + 8);
}

static void embedding(int special) {
    enum { count = 24, words = 9 };
    size_t E = random_size();
    int32_t tokens[count];
    for (int i = 0; i < count; i++) tokens[i] = (int32_t)below(words);
    float *table = fill(0, words * E + 8, special), *x = fill(1, count * E, special), *out = fill(2, count * E + 8, 0);
    ck_embedding(count, E, table, tokens, out);
    add_floats(out, count * E + 8);
    ck_embedding_backward(count, E, x, (ck_k_axis){count, (ptrdiff_t)E, 0}, tokens, (ck_k_axis){6, 4, 1}, table);
    add_floats(table, words * E + 8);
}

static void cross_entropy(int special) {
    size_t rows = 1 + below(5), V = random_size();
    int32_t targets[5];
    for (int i = 0; i < 5; i++) targets[i] = (int32_t)below(V + 1) - 1;
    float *x = fill(0, rows * V, special), *losses = fill(1, rows + 8, 0), *d = below(4) ? fill(2, rows * V + 8, 0) : NULL;
    ck_cross_entropy(rows, V, x, targets, losses, d);
    add_floats(losses, rows + 8);
    if (d) add_floats(d, rows * V + 8);
}

static void softmax(int special) {
    size_t rows = 1 + below(5), n = random_size();
    float *x = fill(0, rows * n, special), *y = fill(1, rows * n + 8, 0);
    ck_softmax(rows, n, x, y);
    add_floats(y, rows * n + 8);
    ck_log_softmax(rows, n, x, y);
    add_floats(y, rows * n + 8);
}

static void dropout_mask(int special) {
    size_t n = random_size() * 3;
    uint32_t key[2] = {(uint32_t)random_word(), (uint32_t)random_word()}, threshold = (uint32_t)below((1 << 24) + 1);
    float *mask = fill(0, n + 8, special);
    uint32_t c1 = (uint32_t)random_word(), c2 = (uint32_t)random_word(), c3 = (uint32_t)random_word();
    ck_dropout_mask(n, threshold, random_float(0), c1, c2, c3, key, mask);
    add_floats(mask, n + 8);
}

static void sums(int special) {
    size_t n = random_size() * (1 + below(20));
    float *x = fill(0, n, special);
    add_double(ck_sum(n, x));
    add_double(ck_sum_of_squares(n, random_float(special), x));
}

static void adam(int special) {
    size_t n = random_size();
    ck_adam_settings s = {3, 0.7f, 0.9f, 0.999f, 1e-8f, 2e-3f, 1.7f, below(2) ? 0.01f : 0.0f, below(2) ? 0.99f : 1.0f};
    float *g = fill(0, n, special), *p = fill(1, n + 8, special), *m = fill(2, n + 8, special), *v = fill(3, n + 8, special);
    for (size_t i = 0; i < n; i++) v[i] = v[i] < 0 ? -v[i] : v[i];
    ck_adam(n, &s, g, p, m, v);
    add_floats(p, n + 8);
    add_floats(m, n + 8);
    add_floats(v, n + 8);
}

static void amsgrad(int special) {
    size_t n = random_size();
    ck_adam_settings s = {3, 0.7f, 0.9f, 0.999f, 1e-8f, 2e-3f, 1.7f, below(2) ? 0.01f : 0.0f, below(2) ? 0.99f : 1.0f};
    float *g = fill(0, n, special), *p = fill(1, n + 8, special), *m = fill(2, n + 8, special), *v = fill(3, n + 8, special);
    float *largest = fill(4, n + 8, special);
    for (size_t i = 0; i < n; i++) v[i] = v[i] < 0 ? -v[i] : v[i];
    ck_amsgrad(n, &s, g, p, m, v, largest);
    add_floats(p, n + 8);
    add_floats(m, n + 8);
    add_floats(v, n + 8);
    add_floats(largest, n + 8);
}

static void sgd(int special) {
    size_t n = random_size();
    ck_sgd_settings s = {-3, 0.7f, below(2) ? 0.01f : 0.0f, 0.1f, 0.9f, below(2) ? 0.8f : 1.0f, below(2) ? 0.9f : 0.0f};
    float *g = fill(0, n, special), *p = fill(1, n + 8, special), *b = fill(2, n + 8, special);
    ck_sgd(n, &s, g, p, below(3) ? b : NULL);
    add_floats(p, n + 8);
    add_floats(b, n + 8);
}

static void rmsprop(int special) {
    size_t n = random_size();
    ck_rmsprop_settings s = {3, 0.7f, below(2) ? 0.01f : 0.0f, 0.01f, 0.99f, 0.01f, 1e-8f, 0.5f};
    float *g = fill(0, n, special), *p = fill(1, n + 8, special), *square = fill(2, n + 8, special), *mean = fill(3, n + 8, special);
    float *b = fill(4, n + 8, special);
    for (size_t i = 0; i < n; i++) square[i] = square[i] < 0 ? -square[i] : square[i];
    ck_rmsprop(n, &s, g, p, square, below(2) ? mean : NULL, below(2) ? b : NULL);
    add_floats(p, n + 8);
    add_floats(square, n + 8);
    add_floats(mean, n + 8);
    add_floats(b, n + 8);
}

static const struct {
    const char *name;
    void (*run)(int special);
} cases[] = {
    {"pack+gemm", pack_and_gemm},
    {"gemv", row_product},
    {"pack+gemm bf16", pack_and_gemm_bf16},
    {"gemv bf16", row_product_bf16},
    {"column_sums", column_sums},
    {"exp", exponential},
    {"log", logarithm},
    {"tanh", hyperbolic_tangent},
    {"sigmoid", sigmoid},
    {"relu", relu},
    {"add", add},
    {"multiply", multiply},
    {"multiply_add", multiply_add},
    {"scale", scale},
    {"tanh_backward", tanh_backward},
    {"sigmoid_backward", sigmoid_backward},
    {"relu_backward", relu_backward},
    {"lstm", lstm},
    {"gru", gru},
    {"rnn", rnn},
    {"embedding", embedding},
    {"cross_entropy", cross_entropy},
    {"softmax", softmax},
    {"dropout_mask", dropout_mask},
    {"sums", sums},
    {"adam", adam},
    {"amsgrad", amsgrad},
    {"sgd", sgd},
    {"rmsprop", rmsprop},
};

int main(int count, char **arguments) {
    static const ck_isa all[] = {CK_PORTABLE, CK_AVX2, CK_AVX512, CK_AVX512_BF16, CK_NEON};
    ck_float_environment();
    if (count < 2) return 2;
    const int list = strcmp(arguments[1], "--list") == 0;
    int found = list;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *name = ck_isa_name(all[i]);
        if (list && ck_isa_available(all[i])) puts(name);
        if (strcmp(name, arguments[1]) == 0) found = ck_isa_select(all[i]) == 0;
    }
    if (!found) {
        fprintf(stderr, "compare: this processor has no %s\n", arguments[1]);
        return 2;
    }
    if (list) return 0;

    const uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    for (int i = 0; i < 12; i++) arrays[i] = calloc(largest, sizeof(float));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        state = seed + i;
        hash = 0xCBF29CE484222325u;
        for (int round = 0; round < rounds; round++) cases[i].run(round % 3 == 2);
        printf("%-16s %016llx\n", cases[i].name, (unsigned long long)hash);
    }
    return 0;
}
