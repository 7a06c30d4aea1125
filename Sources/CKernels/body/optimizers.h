// Updates of parameters. No element looks at another.

// A choice between loops that is made once, by the compiler.
#define CK_CHOSEN static inline __attribute__((always_inline)) void

// The gradient of element i: the mean, clipped, with weight decay added.
#define CK_GRADIENT(i) CK_FMA(s.l2, p[i], gradient[i] / s.divisor * s.clip)

CK_CHOSEN adam_rule(size_t n, const ck_adam_settings s, const float *gradient, float *p, float *m, float *v, float *largest,
                    const int amsgrad) {
    const float first = 1.0f - s.beta1, second = 1.0f - s.beta2;
    CK_EACH(i, n, {
        float g = CK_GRADIENT(i);
        m[i] = CK_FMA(s.beta1, m[i], first * g);
        v[i] = CK_FMA(s.beta2, v[i], second * g * g);
        float square = v[i];
        if (amsgrad) {
            square = largest[i] >= square ? largest[i] : square;
            largest[i] = square;
        }
        float denominator = CK_FMA(CK_SQRT(square), s.root_correction, s.epsilon);
        p[i] = p[i] * s.decay - s.step_size * m[i] / denominator;
    });
}

static void adam_(size_t n, const ck_adam_settings *s, const float *gradient, float *p, float *m, float *v) {
    adam_rule(n, *s, gradient, p, m, v, v, 0);
}

static void amsgrad_(size_t n, const ck_adam_settings *s, const float *gradient, float *p, float *m, float *v, float *largest) {
    adam_rule(n, *s, gradient, p, m, v, largest, 1);
}

CK_CHOSEN sgd_rule(size_t n, const ck_sgd_settings s, const float *gradient, float *p, float *b, const int momentum,
                   const int nesterov) {
    CK_EACH(i, n, {
        float g = CK_GRADIENT(i);
        if (momentum) {
            float moved = CK_FMA(s.carried, b[i], s.taken * g);
            b[i] = moved;
            g = nesterov ? CK_FMA(s.ahead, moved, g) : moved;
        }
        p[i] = CK_FMA(-s.learning_rate, g, p[i]);
    });
}

static void sgd_(size_t n, const ck_sgd_settings *s, const float *gradient, float *p, float *b) {
    if (!b) sgd_rule(n, *s, gradient, p, p, 0, 0);
    else if (s->ahead == 0.0f) sgd_rule(n, *s, gradient, p, b, 1, 0);
    else sgd_rule(n, *s, gradient, p, b, 1, 1);
}

CK_CHOSEN rmsprop_rule(size_t n, const ck_rmsprop_settings s, const float *gradient, float *p, float *square, float *mean, float *b,
                       const int centered, const int momentum) {
    CK_EACH(i, n, {
        float g = CK_GRADIENT(i);
        float variance = CK_FMA(s.alpha, square[i], s.taken * g * g);
        square[i] = variance;
        if (centered) {
            float average = CK_FMA(s.alpha, mean[i], s.taken * g);
            mean[i] = average;
            variance = CK_FMA(-average, average, variance);
            // Rounding can bring a variance of zero below it.
            variance = variance < 0.0f ? 0.0f : variance;
        }
        float step = g / (CK_SQRT(variance) + s.epsilon);
        if (momentum) {
            step = CK_FMA(s.momentum, b[i], step);
            b[i] = step;
        }
        p[i] = CK_FMA(-s.learning_rate, step, p[i]);
    });
}

static void rmsprop_(size_t n, const ck_rmsprop_settings *s, const float *gradient, float *p, float *square, float *mean, float *b) {
    if (mean && b) rmsprop_rule(n, *s, gradient, p, square, mean, b, 1, 1);
    else if (mean) rmsprop_rule(n, *s, gradient, p, square, mean, p, 1, 0);
    else if (b) rmsprop_rule(n, *s, gradient, p, square, p, b, 0, 1);
    else rmsprop_rule(n, *s, gradient, p, square, p, p, 0, 0);
}
