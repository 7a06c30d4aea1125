// One time step of the recurrent cells, forward directly above its backward.
//
// Whether there is a step before or after is a constant of each loop (CK_ALWAYS_INLINE functions with an int for it): a test for NULL
// inside would keep the compiler from making vectors of it.

#define CK_ALWAYS_INLINE static inline __attribute__((always_inline))

CK_ALWAYS_INLINE void ck_lstm_forward_rows(const int has_previous, size_t rows, size_t H, float *gates, const float *c_previous,
                                           float *c, float *tanh_c, float *h, size_t h_stride) {
    for (size_t row = 0; row < rows; row++) {
        float *gi = gates + row * 4 * H, *gf = gi + H, *gg = gf + H, *go = gg + H;
        const float *previous = c_previous + (has_previous ? row * H : 0);
        float *cell = c + row * H, *squashed = tanh_c + row * H, *out = h + row * h_stride;
        CK_EACH(j, H, {
            float i = ck_sigmoidf(gi[j]), f = ck_sigmoidf(gf[j]), g = ck_tanhf(gg[j]), o = ck_sigmoidf(go[j]);
            float now = CK_FMA(f, has_previous ? previous[j] : 0.0f, i * g);
            float t = ck_tanhf(now);
            gi[j] = i;
            gf[j] = f;
            gg[j] = g;
            go[j] = o;
            cell[j] = now;
            squashed[j] = t;
            out[j] = o * t;
        });
    }
}

static void lstm_forward_(size_t rows, size_t H, float *gates, const float *c_previous, float *c, float *tanh_c, float *h,
                          size_t h_stride) {
    if (c_previous)
        ck_lstm_forward_rows(1, rows, H, gates, c_previous, c, tanh_c, h, h_stride);
    else
        ck_lstm_forward_rows(0, rows, H, gates, gates, c, tanh_c, h, h_stride);
}

CK_ALWAYS_INLINE void ck_lstm_backward_rows(const int has_previous, const int has_next, size_t rows, size_t H, const float *gates,
                                            const float *c_previous, const float *tanh_c, const float *dh_above,
                                            size_t dh_above_stride, const float *dh_next, float *dc, float *d_gates) {
    for (size_t row = 0; row < rows; row++) {
        const float *gi = gates + row * 4 * H, *gf = gi + H, *gg = gf + H, *go = gg + H;
        float *di = d_gates + row * 4 * H, *df = di + H, *dg = df + H, *d_o = dg + H;
        const float *previous = c_previous + (has_previous ? row * H : 0), *next = dh_next + (has_next ? row * H : 0);
        const float *squashed = tanh_c + row * H, *above = dh_above + row * dh_above_stride;
        float *dcell = dc + row * H;
        CK_EACH(j, H, {
            float i = gi[j], f = gf[j], g = gg[j], o = go[j], t = squashed[j];
            float dh = above[j] + (has_next ? next[j] : 0.0f);
            float d = CK_FMA(dh * o, CK_FMA(-t, t, 1.0f), dcell[j]);
            di[j] = d * g * (i * (1.0f - i));
            df[j] = d * (has_previous ? previous[j] : 0.0f) * (f * (1.0f - f));
            dg[j] = d * i * CK_FMA(-g, g, 1.0f);
            d_o[j] = dh * t * (o * (1.0f - o));
            dcell[j] = d * f;
        });
    }
}

static void lstm_backward_(size_t rows, size_t H, const float *gates, const float *c_previous, const float *tanh_c,
                           const float *dh_above, size_t dh_above_stride, const float *dh_next, float *dc, float *d_gates) {
#define CK_CALL(has_previous, has_next)                                                                             \
    ck_lstm_backward_rows(has_previous, has_next, rows, H, gates, c_previous ? c_previous : gates, tanh_c, dh_above, \
                          dh_above_stride, dh_next ? dh_next : dh_above, dc, d_gates)
    if (c_previous && dh_next)
        CK_CALL(1, 1);
    else if (c_previous)
        CK_CALL(1, 0);
    else if (dh_next)
        CK_CALL(0, 1);
    else
        CK_CALL(0, 0);
#undef CK_CALL
}

CK_ALWAYS_INLINE void ck_gru_forward_rows(const int has_previous, size_t rows, size_t H, float *x_gates, const float *h_gates,
                                          const float *h_previous, size_t h_previous_stride, float *h, size_t h_stride) {
    for (size_t row = 0; row < rows; row++) {
        float *xr = x_gates + row * 3 * H, *xz = xr + H, *xn = xz + H;
        const float *hr = h_gates + row * 3 * H, *hz = hr + H, *hn = hz + H;
        const float *previous = h_previous + (has_previous ? row * h_previous_stride : 0);
        float *out = h + row * h_stride;
        CK_EACH(j, H, {
            float r = ck_sigmoidf(xr[j] + hr[j]), z = ck_sigmoidf(xz[j] + hz[j]);
            float n = ck_tanhf(CK_FMA(r, hn[j], xn[j]));
            xr[j] = r;
            xz[j] = z;
            xn[j] = n;
            out[j] = CK_FMA(z, (has_previous ? previous[j] : 0.0f) - n, n);
        });
    }
}

static void gru_forward_(size_t rows, size_t H, float *x_gates, const float *h_gates, const float *h_previous,
                         size_t h_previous_stride, float *h, size_t h_stride) {
    if (h_previous)
        ck_gru_forward_rows(1, rows, H, x_gates, h_gates, h_previous, h_previous_stride, h, h_stride);
    else
        ck_gru_forward_rows(0, rows, H, x_gates, h_gates, h_gates, 0, h, h_stride);
}

CK_ALWAYS_INLINE void ck_gru_backward_rows(const int has_previous, const int has_next, size_t rows, size_t H, const float *gates,
                                           const float *h_gates, const float *h_previous, size_t h_previous_stride,
                                           const float *dh_above, size_t dh_above_stride, const float *dh_next, float *dh_previous,
                                           float *d_x_gates, float *d_h_gates) {
    for (size_t row = 0; row < rows; row++) {
        const float *gr = gates + row * 3 * H, *gz = gr + H, *gn = gz + H, *hn = h_gates + row * 3 * H + 2 * H;
        float *dxr = d_x_gates + row * 3 * H, *dxz = dxr + H, *dxn = dxz + H;
        float *dhr = d_h_gates + row * 3 * H, *dhz = dhr + H, *dhn = dhz + H;
        const float *previous = h_previous + (has_previous ? row * h_previous_stride : 0), *next = dh_next + (has_next ? row * H : 0);
        const float *above = dh_above + row * dh_above_stride;
        float *back = dh_previous + row * H;
        CK_EACH(j, H, {
            float r = gr[j], z = gz[j], n = gn[j], hidden = hn[j];
            float dh = above[j] + (has_next ? next[j] : 0.0f);
            float dz = dh * ((has_previous ? previous[j] : 0.0f) - n) * (z * (1.0f - z));
            float dn = dh * (1.0f - z) * CK_FMA(-n, n, 1.0f);
            float dr = dn * hidden * (r * (1.0f - r));
            dxr[j] = dr;
            dxz[j] = dz;
            dxn[j] = dn;
            dhr[j] = dr;
            dhz[j] = dz;
            dhn[j] = dn * r;
            back[j] = dh * z;
        });
    }
}

static void gru_backward_(size_t rows, size_t H, const float *gates, const float *h_gates, const float *h_previous,
                          size_t h_previous_stride, const float *dh_above, size_t dh_above_stride, const float *dh_next,
                          float *dh_previous, float *d_x_gates, float *d_h_gates) {
#define CK_CALL(has_previous, has_next)                                                                                      \
    ck_gru_backward_rows(has_previous, has_next, rows, H, gates, h_gates, h_previous ? h_previous : gates, h_previous_stride, \
                         dh_above, dh_above_stride, dh_next ? dh_next : dh_above, dh_previous, d_x_gates, d_h_gates)
    if (h_previous && dh_next)
        CK_CALL(1, 1);
    else if (h_previous)
        CK_CALL(1, 0);
    else if (dh_next)
        CK_CALL(0, 1);
    else
        CK_CALL(0, 0);
#undef CK_CALL
}

static void rnn_forward_(ck_activation activation, size_t rows, size_t H, const float *gates, float *h, size_t h_stride) {
    for (size_t row = 0; row < rows; row++) {
        if (activation == CK_TANH)
            tanh_(H, gates + row * H, h + row * h_stride);
        else
            relu_(H, gates + row * H, h + row * h_stride);
    }
}

CK_ALWAYS_INLINE void ck_rnn_backward_rows(const ck_activation activation, const int has_next, size_t rows, size_t H, const float *h,
                                           size_t h_stride, const float *dh_above, size_t dh_above_stride, const float *dh_next,
                                           float *d_gates) {
    for (size_t row = 0; row < rows; row++) {
        const float *y = h + row * h_stride, *above = dh_above + row * dh_above_stride, *next = dh_next + (has_next ? row * H : 0);
        float *out = d_gates + row * H;
        CK_EACH(j, H, {
            float dh = above[j] + (has_next ? next[j] : 0.0f), v = y[j];
            float slope = activation == CK_TANH ? CK_FMA(-v, v, 1.0f) : (v > 0.0f ? 1.0f : 0.0f);
            out[j] = dh * slope;
        });
    }
}

static void rnn_backward_(ck_activation activation, size_t rows, size_t H, const float *h, size_t h_stride,
                          const float *dh_above, size_t dh_above_stride, const float *dh_next, float *d_gates) {
#define CK_CALL(activation, has_next)                                                                                     \
    ck_rnn_backward_rows(activation, has_next, rows, H, h, h_stride, dh_above, dh_above_stride, dh_next ? dh_next : dh_above, \
                         d_gates)
    if (activation == CK_TANH && dh_next)
        CK_CALL(CK_TANH, 1);
    else if (activation == CK_TANH)
        CK_CALL(CK_TANH, 0);
    else if (dh_next)
        CK_CALL(CK_RELU, 1);
    else
        CK_CALL(CK_RELU, 0);
#undef CK_CALL
}
