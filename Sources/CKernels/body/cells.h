// One time step of the recurrent cells, forward directly above its backward.

static void lstm_forward_(size_t rows, size_t H, float *gates, const float *c_previous, float *c, float *tanh_c, float *h,
                          size_t h_stride) {
    for (size_t row = 0; row < rows; row++) {
        float *restrict gi = gates + row * 4 * H;
        float *restrict gf = gi + H, *restrict gg = gf + H, *restrict go = gg + H;
        const float *previous = c_previous ? c_previous + row * H : NULL;
        float *restrict cell = c + row * H, *restrict squashed = tanh_c + row * H, *restrict out = h + row * h_stride;
        for (size_t j = 0; j < H; j++) {
            float i = ck_sigmoidf(gi[j]), f = ck_sigmoidf(gf[j]), g = ck_tanhf(gg[j]), o = ck_sigmoidf(go[j]);
            float now = CK_FMA(f, previous ? previous[j] : 0.0f, i * g);
            float t = ck_tanhf(now);
            gi[j] = i;
            gf[j] = f;
            gg[j] = g;
            go[j] = o;
            cell[j] = now;
            squashed[j] = t;
            out[j] = o * t;
        }
    }
}

static void lstm_backward_(size_t rows, size_t H, const float *gates, const float *c_previous, const float *tanh_c,
                           const float *dh_above, size_t dh_above_stride, const float *dh_next, float *dc, float *d_gates) {
    for (size_t row = 0; row < rows; row++) {
        const float *gi = gates + row * 4 * H, *gf = gi + H, *gg = gf + H, *go = gg + H;
        float *di = d_gates + row * 4 * H, *df = di + H, *dg = df + H, *d_o = dg + H;
        const float *previous = c_previous ? c_previous + row * H : NULL;
        const float *squashed = tanh_c + row * H, *above = dh_above + row * dh_above_stride;
        const float *next = dh_next ? dh_next + row * H : NULL;
        float *dcell = dc + row * H;
        // d_gates may be gates: every element is read before its place is written, and nothing else is read there.
#pragma clang loop vectorize(assume_safety)
        for (size_t j = 0; j < H; j++) {
            float i = gi[j], f = gf[j], g = gg[j], o = go[j], t = squashed[j];
            float dh = above[j] + (next ? next[j] : 0.0f);
            float d = CK_FMA(dh * o, CK_FMA(-t, t, 1.0f), dcell[j]);
            di[j] = d * g * (i * (1.0f - i));
            df[j] = d * (previous ? previous[j] : 0.0f) * (f * (1.0f - f));
            dg[j] = d * i * CK_FMA(-g, g, 1.0f);
            d_o[j] = dh * t * (o * (1.0f - o));
            dcell[j] = d * f;
        }
    }
}

static void gru_forward_(size_t rows, size_t H, float *x_gates, const float *h_gates, const float *h_previous,
                         size_t h_previous_stride, float *h, size_t h_stride) {
    for (size_t row = 0; row < rows; row++) {
        float *restrict xr = x_gates + row * 3 * H;
        float *restrict xz = xr + H, *restrict xn = xz + H;
        const float *restrict hr = h_gates + row * 3 * H;
        const float *restrict hz = hr + H, *restrict hn = hz + H;
        const float *previous = h_previous ? h_previous + row * h_previous_stride : NULL;
        float *restrict out = h + row * h_stride;
        for (size_t j = 0; j < H; j++) {
            float r = ck_sigmoidf(xr[j] + hr[j]), z = ck_sigmoidf(xz[j] + hz[j]);
            float n = ck_tanhf(CK_FMA(r, hn[j], xn[j]));
            xr[j] = r;
            xz[j] = z;
            xn[j] = n;
            out[j] = CK_FMA(z, (previous ? previous[j] : 0.0f) - n, n);
        }
    }
}

static void gru_backward_(size_t rows, size_t H, const float *gates, const float *h_gates, const float *h_previous,
                          size_t h_previous_stride, const float *dh_above, size_t dh_above_stride, const float *dh_next,
                          float *dh_previous, float *d_x_gates, float *d_h_gates) {
    for (size_t row = 0; row < rows; row++) {
        const float *gr = gates + row * 3 * H, *gz = gr + H, *gn = gz + H, *hn = h_gates + row * 3 * H + 2 * H;
        float *dxr = d_x_gates + row * 3 * H, *dxz = dxr + H, *dxn = dxz + H;
        float *dhr = d_h_gates + row * 3 * H, *dhz = dhr + H, *dhn = dhz + H;
        const float *previous = h_previous ? h_previous + row * h_previous_stride : NULL;
        const float *above = dh_above + row * dh_above_stride, *next = dh_next ? dh_next + row * H : NULL;
        float *back = dh_previous + row * H;
        // In place as the header allows: every element is read before its place is written, and nothing else is read there.
#pragma clang loop vectorize(assume_safety)
        for (size_t j = 0; j < H; j++) {
            float r = gr[j], z = gz[j], n = gn[j], hidden = hn[j];
            float dh = above[j] + (next ? next[j] : 0.0f);
            float dz = dh * ((previous ? previous[j] : 0.0f) - n) * (z * (1.0f - z));
            float dn = dh * (1.0f - z) * CK_FMA(-n, n, 1.0f);
            float dr = dn * hidden * (r * (1.0f - r));
            dxr[j] = dr;
            dxz[j] = dz;
            dxn[j] = dn;
            dhr[j] = dr;
            dhz[j] = dz;
            dhn[j] = dn * r;
            back[j] = dh * z;
        }
    }
}

static void rnn_forward_(ck_activation activation, size_t rows, size_t H, const float *gates, float *h, size_t h_stride) {
    for (size_t row = 0; row < rows; row++) {
        if (activation == CK_TANH)
            tanh_(H, gates + row * H, h + row * h_stride);
        else
            relu_(H, gates + row * H, h + row * h_stride);
    }
}

static void rnn_backward_(ck_activation activation, size_t rows, size_t H, const float *h, size_t h_stride,
                          const float *dh_above, size_t dh_above_stride, const float *dh_next, float *d_gates) {
    for (size_t row = 0; row < rows; row++) {
        const float *y = h + row * h_stride, *above = dh_above + row * dh_above_stride;
        const float *next = dh_next ? dh_next + row * H : NULL;
        float *out = d_gates + row * H;
        for (size_t j = 0; j < H; j++) {
            float dh = above[j] + (next ? next[j] : 0.0f), v = y[j];
            float slope = activation == CK_TANH ? CK_FMA(-v, v, 1.0f) : (v > 0.0f ? 1.0f : 0.0f);
            out[j] = dh * slope;
        }
    }
}
