// The product of one row with a packed right-hand side, at the speed at which the panels can be read.
//
// Each lane of a vector is one column's chain along k, as in gemm.h; a row alone has too few of them in one panel to keep the
// multiply-add pipes busy, so several panels are read side by side.

enum { ck_panel_vectors = CK_PANEL / CK_W };
// Eight vectors hide the latency of a multiply-add on two pipes.
enum { ck_panels_abreast = ck_panel_vectors < 8 ? 8 / ck_panel_vectors : 1 };

// `panels` is a constant wherever this is expanded. Prefetching by hand was no faster than the processor's own.
CK_INLINE void ck_row_panels(const int pairs, const int panels, ck_start start, size_t k, const float *x, const float *b,
                             const float *bias, float *y) {
    ck_vector sums[ck_panels_abreast * ck_panel_vectors];
    const float *from = start == CK_FROM_C ? y : bias;
    _Pragma("GCC unroll 32")
    for (int i = 0; i < panels * ck_panel_vectors; i++)
        sums[i] = start == CK_FROM_C || start == CK_FROM_BIAS ? CK_VLOAD(from + i * CK_W) : CK_VSET(0.0f);
    for (size_t step = 0; step < k; step++) {
        ck_vector value = CK_VSET(x[step]);
        _Pragma("GCC unroll 4")
        for (int panel = 0; panel < panels; panel++) {
            const float *line = b + ((size_t)panel * k + step) * CK_PANEL;
            _Pragma("GCC unroll 32")
            for (int i = 0; i < ck_panel_vectors; i++) {
                ck_vector *sum = &sums[panel * ck_panel_vectors + i];
                *sum = ck_take(pairs, *sum, value, CK_VLOAD(line + i * CK_W));
            }
        }
    }
    _Pragma("GCC unroll 32")
    for (int i = 0; i < panels * ck_panel_vectors; i++) {
        float *out = y + i * CK_W;
        CK_VSTORE(out, start == CK_ADD_TO_C ? CK_VLOAD(out) + sums[i] : sums[i]);
    }
}

CK_INLINE void ck_row_product(const int pairs, ck_start start, size_t n, size_t k, const float *x, const float *packed_b,
                              const float *bias, float *y) {
    const size_t abreast = ck_panels_abreast * CK_PANEL;
    size_t column = 0;
    for (; column + abreast <= n; column += abreast)
        ck_row_panels(pairs, ck_panels_abreast, start, k, x, packed_b + column * k, bias ? bias + column : NULL, y + column);
    for (; column + CK_PANEL <= n; column += CK_PANEL)
        ck_row_panels(pairs, 1, start, k, x, packed_b + column * k, bias ? bias + column : NULL, y + column);
    if (column < n) {
        // The last panel is narrower than it is packed: its chains run beside the row and are copied into it.
        size_t width = (n - column) * sizeof(float);
        float first[CK_PANEL] = {0}, out[CK_PANEL] = {0};
        if (start == CK_FROM_BIAS) memcpy(first, bias + column, width);
        if (start == CK_FROM_C || start == CK_ADD_TO_C) memcpy(out, y + column, width);
        ck_row_panels(pairs, 1, start, k, x, packed_b + column * k, first, out);
        memcpy(y + column, out, width);
    }
}

static void gemv_(ck_precision precision, ck_start start, size_t n, size_t k, const float *x, const float *packed_b, const float *bias,
                  float *y, float *scratch) {
    if (precision == CK_FP32) {
        ck_row_product(0, start, n, k, x, packed_b, bias, y);
        return;
    }
#ifdef CK_DOT
    ck_pair_row(k, x, scratch);
    ck_row_product(1, start, n, ck_word_count(k), scratch, packed_b, bias, y);
#else
    const ck_product product = {start, n, packed_b, bias, y, n};
    gemm_(CK_BF16, 1, k, x, (ptrdiff_t)k, (ck_k_axis){k ? k : 1, 1, 0}, 1, &product, scratch);
#endif
}
