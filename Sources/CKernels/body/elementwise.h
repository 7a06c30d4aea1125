// Loops over single elements.

#define CK_MAP(name, expression)                                          \
    static void name(size_t n, const float *x, float *y) {                \
        CK_EACH(i, n, {                                                   \
            float v = x[i];                                               \
            y[i] = (expression);                                          \
        });                                                               \
    }

CK_MAP(exp_, ck_expf(v))
CK_MAP(log_, ck_logf(v))
CK_MAP(tanh_, ck_tanhf(v))
CK_MAP(sigmoid_, ck_sigmoidf(v))
CK_MAP(relu_, v > 0.0f ? v : 0.0f)

static void add_(size_t n, const float *x, float *y) {
    CK_EACH(i, n, { y[i] = y[i] + x[i]; });
}

static void multiply_(size_t n, const float *x, const float *y, float *z) {
    CK_EACH(i, n, { z[i] = x[i] * y[i]; });
}

static void multiply_add_(size_t n, const float *x, const float *y, float *z) {
    CK_EACH(i, n, { z[i] = CK_FMA(x[i], y[i], z[i]); });
}

static void scale_(size_t n, float factor, const float *x, float *y) {
    CK_EACH(i, n, { y[i] = factor * x[i]; });
}

#define CK_MAP_BACKWARD(name, expression)                                              \
    static void name(size_t n, const float *y, const float *dy, float *dx) {           \
        CK_EACH(i, n, {                                                                \
            float v = y[i], d = dy[i];                                                 \
            dx[i] = (expression);                                                      \
        });                                                                            \
    }

CK_MAP_BACKWARD(tanh_backward_, d * CK_FMA(-v, v, 1.0f))
CK_MAP_BACKWARD(sigmoid_backward_, d * (v * (1.0f - v)))
CK_MAP_BACKWARD(relu_backward_, v > 0.0f ? d : 0.0f)

// Philox 4x32-10, four blocks of words abreast, so that the compiler has something to make vectors of.
static void dropout_mask_(size_t n, uint32_t threshold, float scale, uint32_t c1, uint32_t c2, uint32_t c3,
                          const uint32_t key[2], float *mask) {
    enum { abreast = 16 };
    for (size_t first = 0; first < n; first += 4 * abreast) {
        uint32_t a[abreast], b[abreast], c[abreast], d[abreast];
        for (int l = 0; l < abreast; l++) {
            a[l] = (uint32_t)(first / 4) + (uint32_t)l;
            b[l] = c1;
            c[l] = c2;
            d[l] = c3;
        }
        uint32_t k0 = key[0], k1 = key[1];
        for (int round = 0; round < 10; round++) {
            for (int l = 0; l < abreast; l++) {
                uint64_t x = (uint64_t)0xD2511F53u * a[l], y = (uint64_t)0xCD9E8D57u * c[l];
                uint32_t na = (uint32_t)(y >> 32) ^ b[l] ^ k0, nc = (uint32_t)(x >> 32) ^ d[l] ^ k1;
                b[l] = (uint32_t)y;
                d[l] = (uint32_t)x;
                a[l] = na;
                c[l] = nc;
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        float values[4 * abreast];
        for (int l = 0; l < abreast; l++) {
            values[4 * l] = (a[l] >> 8) < threshold ? 0.0f : scale;
            values[4 * l + 1] = (b[l] >> 8) < threshold ? 0.0f : scale;
            values[4 * l + 2] = (c[l] >> 8) < threshold ? 0.0f : scale;
            values[4 * l + 3] = (d[l] >> 8) < threshold ? 0.0f : scale;
        }
        size_t left = n - first < 4 * abreast ? n - first : 4 * abreast;
        memcpy(mask + first, values, left * sizeof(float));
    }
}
