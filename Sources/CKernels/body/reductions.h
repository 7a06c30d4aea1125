// Sums in a fixed number of lanes and a fixed order, and what is built on them.

static inline float ck_combine(float lanes[CK_LANES]) {
    for (int width = CK_LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) lanes[l] += lanes[l + width];
    return lanes[0];
}

static inline double ck_combine_double(double lanes[CK_LANES]) {
    for (int width = CK_LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) lanes[l] += lanes[l + width];
    return lanes[0];
}

static double sum_(size_t n, const float *x) {
    double lanes[CK_LANES] = {0};
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES)
        for (int l = 0; l < CK_LANES; l++) lanes[l] += (double)x[i + (size_t)l];
    for (int l = 0; i < n; i++, l++) lanes[l] += (double)x[i];
    return ck_combine_double(lanes);
}

static void squares_add_(double *restrict sums, size_t n, float divisor, const float *x) {
    double lanes[CK_LANES];
    memcpy(lanes, sums, sizeof lanes);
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES)
        for (int l = 0; l < CK_LANES; l++) {
            double v = (double)(x[i + (size_t)l] / divisor);
            lanes[l] += v * v;
        }
    for (int l = 0; i < n; i++, l++) {
        double v = (double)(x[i] / divisor);
        lanes[l] += v * v;
    }
    memcpy(sums, lanes, sizeof lanes);
}

static double squares_end_(const double *sums) {
    double lanes[CK_LANES];
    memcpy(lanes, sums, sizeof lanes);
    return ck_combine_double(lanes);
}

static inline float ck_row_maximum(size_t n, const float *x) {
    float lanes[CK_LANES];
    for (int l = 0; l < CK_LANES; l++) lanes[l] = x[0];
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES)
        for (int l = 0; l < CK_LANES; l++) lanes[l] = ck_greater(x[i + (size_t)l], lanes[l]);
    for (int l = 0; i < n; i++, l++) lanes[l] = ck_greater(x[i], lanes[l]);
    float maximum = lanes[0];
    for (int l = 1; l < CK_LANES; l++) maximum = ck_greater(lanes[l], maximum);
    return maximum;
}

// The exponentials of up to CK_LANES values, added to their lanes and kept in e.
CK_ALWAYS_INLINE void ck_lane_exponentials(const float x[CK_LANES], float maximum, size_t count, float lanes[CK_LANES], float e[CK_LANES]) {
    for (int l = 0; l < CK_LANES; l++) e[l] = ck_expf(x[l] - maximum);
    if (count == CK_LANES)
        for (int l = 0; l < CK_LANES; l++) lanes[l] += e[l];
    else
        for (size_t l = 0; l < count; l++) lanes[l] += e[l];
}

// y = exp(x - maximum), and the sum of that; y is not written when it is not wanted.
CK_ALWAYS_INLINE float ck_exponentials(const int wanted, size_t n, const float *x, float maximum, float *y) {
    float lanes[CK_LANES] = {0}, e[CK_LANES];
    size_t i = 0;
    for (; i + CK_LANES <= n; i += CK_LANES) {
        ck_lane_exponentials(x + i, maximum, CK_LANES, lanes, e);
        if (wanted) memcpy(y + i, e, sizeof e);
    }
    if (i < n) {
        float rest[CK_LANES] = {0};
        memcpy(rest, x + i, (n - i) * sizeof(float));
        ck_lane_exponentials(rest, maximum, n - i, lanes, e);
        if (wanted) memcpy(y + i, e, (n - i) * sizeof(float));
    }
    return ck_combine(lanes);
}

static float ck_row_exponentials(size_t n, const float *x, float maximum, float *y) { return ck_exponentials(1, n, x, maximum, y); }
static float ck_row_exponential_sum(size_t n, const float *x, float maximum) { return ck_exponentials(0, n, x, maximum, NULL); }

static void cross_entropy_(size_t rows, size_t V, const float *logits, const int32_t *targets, float *losses, float *d_logits) {
    for (size_t row = 0; row < rows; row++) {
        const float *x = logits + row * V;
        float *d = d_logits ? d_logits + row * V : NULL;
        if (targets[row] < 0) {
            losses[row] = 0.0f;
            if (d) memset(d, 0, V * sizeof(float));
            continue;
        }
        size_t target = (size_t)targets[row];
        float score = x[target], maximum = ck_row_maximum(V, x);
        float sum = d ? ck_row_exponentials(V, x, maximum, d) : ck_row_exponential_sum(V, x, maximum);
        losses[row] = maximum + ck_logf(sum) - score;
        if (d) {
            CK_EACH(j, V, { d[j] = d[j] / sum; });
            d[target] -= 1.0f;
        }
    }
}

static void softmax_(size_t rows, size_t n, const float *x, float *y) {
    for (size_t row = 0; row < rows && n > 0; row++) {
        float *out = y + row * n;
        float sum = ck_row_exponentials(n, x + row * n, ck_row_maximum(n, x + row * n), out);
        CK_EACH(j, n, { out[j] = out[j] / sum; });
    }
}

static void log_softmax_(size_t rows, size_t n, const float *x, float *y) {
    for (size_t row = 0; row < rows && n > 0; row++) {
        const float *in = x + row * n;
        float *out = y + row * n;
        float maximum = ck_row_maximum(n, in);
        float logarithm = ck_logf(ck_row_exponential_sum(n, in, maximum));
        CK_EACH(j, n, { out[j] = in[j] - maximum - logarithm; });
    }
}

static inline const float *ck_at(const float *base, ck_k_axis axis, size_t k) {
    return base + (ptrdiff_t)(k / axis.inner_count) * axis.outer_stride + (ptrdiff_t)(k % axis.inner_count) * axis.inner_stride;
}

// Columns whose chains are kept while the rows pass, and rows that pass at a time: what is read lies together, and each chain is
// fetched and put back once for many rows.
enum { ck_sum_columns = 1024, ck_sum_rows = 16, ck_sum_abreast = 64 };

static inline void ck_add_rows(size_t rows, size_t width, const float *x, ptrdiff_t stride, float *chain) {
    size_t first = 0;
    for (; first + ck_sum_abreast <= width; first += ck_sum_abreast) {
        float own[ck_sum_abreast];
        memcpy(own, chain + first, sizeof own);
        const float *row = x + first;
        for (size_t i = 0; i < rows; i++, row += stride)
            for (size_t j = 0; j < ck_sum_abreast; j++) own[j] += row[j];
        memcpy(chain + first, own, sizeof own);
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = first; j < width; j++) chain[j] += x[(ptrdiff_t)i * stride + (ptrdiff_t)j];
}

static void column_sums_(ck_start start, size_t k, size_t n, const float *x, ck_k_axis axis, float *sums) {
    for (size_t first = 0; first < n; first += ck_sum_columns) {
        size_t width = n - first < ck_sum_columns ? n - first : ck_sum_columns;
        float chain[ck_sum_columns];
        for (size_t j = 0; j < width; j++) chain[j] = start == CK_FROM_C ? sums[first + j] : 0.0f;
        for (size_t done = 0; done < k;) {
            const float *row = ck_at(x, axis, done) + first;
            size_t run = axis.inner_count - done % axis.inner_count;
            if (run > k - done) run = k - done;
            if (run > ck_sum_rows) run = ck_sum_rows;
            ck_add_rows(run, width, row, axis.inner_stride, chain);
            done += run;
        }
        for (size_t j = 0; j < width; j++) sums[first + j] = start == CK_ADD_TO_C ? sums[first + j] + chain[j] : chain[j];
    }
}

static void embedding_backward_(size_t count, size_t E, const float *x, ck_k_axis axis, const int32_t *tokens,
                                ck_k_axis token_axis, float *table) {
    for (size_t i = 0; i < count; i++) {
        size_t outer = i / token_axis.inner_count, inner = i % token_axis.inner_count;
        int32_t token = tokens[(ptrdiff_t)outer * token_axis.outer_stride + (ptrdiff_t)inner * token_axis.inner_stride];
        add_(E, ck_at(x, axis, i), table + (size_t)token * E);
    }
}
