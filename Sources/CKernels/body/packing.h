// Puts the operands of a product where its tiles read them: B into panels, rows of A into tiles. Needs what gemm.h needs.

// Rows of tile `index` when m rows are split into as few tiles as possible, as evenly as possible.
static inline size_t ck_tile_first(size_t m, size_t tiles, size_t index) { return m * index / tiles; }

// k steps of one tile that are packed before the next tile's: their copies lie side by side, and the lines of A that the tiles
// share are still in the first-level cache when the next tile comes.
enum { ck_pack_stretch = 8 };

// Copies `rows` floats of each of `steps` lines of A; with a constant count a few vector moves.
#define CK_COPY_CASE(rows)                                                                                            \
    case rows:                                                                                                        \
        for (size_t step = 0; step < steps; step++) memcpy(out + step * rows, in + (ptrdiff_t)step * stride, rows * sizeof(float)); \
        break;

static inline void ck_copy_steps(size_t rows, size_t steps, float *out, const float *in, ptrdiff_t stride) {
    switch (rows) {
        CK_COPY_CASE(4)
#if CK_ROWS > 4
        CK_COPY_CASE(5)
        CK_COPY_CASE(6)
#endif
#if CK_ROWS > 6
        CK_COPY_CASE(8)
        CK_COPY_CASE(10)
        CK_COPY_CASE(11)
        CK_COPY_CASE(12)
#endif
    default:
        for (size_t step = 0; step < steps; step++)
            for (size_t i = 0; i < rows; i++) out[step * rows + i] = in[(ptrdiff_t)step * stride + (ptrdiff_t)i];
    }
}

// Packs rows first ..< first + count of A, k steps from ..< from + depth, tile after tile, each [k][rows of the tile].
static void ck_pack_rows(const float *a, ptrdiff_t row_stride, ck_k_axis axis, size_t first, size_t count, size_t tiles, size_t from,
                         size_t depth, float *packed) {
    // Tiles of two heights at most, the lower ones and the higher ones mixed: where each begins is asked once, not in every step.
    size_t begin[CK_BLOCK_TILES + 1];
    for (size_t tile = 0; tile <= tiles; tile++) begin[tile] = ck_tile_first(count, tiles, tile);
    for (size_t done = 0; done < depth;) {
        size_t k = from + done;
        const float *source = ck_at(a, axis, k) + (ptrdiff_t)first * row_stride;
        size_t run = axis.inner_count - k % axis.inner_count;
        if (run > depth - done) run = depth - done;
        for (size_t step = 0; step < run; step += ck_pack_stretch) {
            size_t steps = run - step < ck_pack_stretch ? run - step : ck_pack_stretch;
            const float *lines = source + (ptrdiff_t)step * axis.inner_stride;
            // The next stretch: as a rule each of its lines lies in a page of its own, which the processor does not foresee.
            if (row_stride == 1)
                for (size_t s = ck_pack_stretch; s < 2 * ck_pack_stretch; s++)
                    for (size_t i = 0; i < count; i += 16)
                        __builtin_prefetch(lines + (ptrdiff_t)s * axis.inner_stride + (ptrdiff_t)i);
            for (size_t tile = 0; tile < tiles; tile++) {
                size_t low = begin[tile], rows = begin[tile + 1] - low;
                float *out = packed + low * depth + (done + step) * rows;
                const float *in = lines + (ptrdiff_t)low * row_stride;
                if (row_stride == 1) {
                    ck_copy_steps(rows, steps, out, in, axis.inner_stride);
                } else {
                    for (size_t s = 0; s < steps; s++, in += axis.inner_stride)
                        for (size_t i = 0; i < rows; i++) *out++ = in[(ptrdiff_t)i * row_stride];
                }
            }
        }
        done += run;
    }
}

#if CK_W > 1
#if CK_W == 16
#define CK_INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define CK_INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif CK_W == 8
#define CK_INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define CK_INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif CK_W == 4
#define CK_INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define CK_INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

// Transposes CK_W rows of CK_W floats: as many rounds as CK_W has bits, each interleaving a row with the one half a square below.
static inline __attribute__((always_inline)) void ck_transpose_rows(ck_vector *rows, float *out, size_t out_stride) {
    ck_vector mixed[CK_W];
    _Pragma("GCC unroll 4")
    for (int round = CK_W; round > 1; round /= 2) {
        _Pragma("GCC unroll 8")
        for (int i = 0; i < CK_W / 2; i++) {
            mixed[2 * i] = CK_INTERLEAVE_LOW(rows[i], rows[i + CK_W / 2]);
            mixed[2 * i + 1] = CK_INTERLEAVE_HIGH(rows[i], rows[i + CK_W / 2]);
        }
        _Pragma("GCC unroll 16")
        for (int i = 0; i < CK_W; i++) rows[i] = mixed[i];
    }
    _Pragma("GCC unroll 16")
    for (int i = 0; i < CK_W; i++) CK_VSTORE(out + (size_t)i * out_stride, rows[i]);
}

static inline __attribute__((always_inline)) void ck_transpose(const float *in, ptrdiff_t in_stride, float *out, size_t out_stride) {
    ck_vector rows[CK_W];
    _Pragma("GCC unroll 16")
    for (int i = 0; i < CK_W; i++) rows[i] = CK_VLOAD(in + (ptrdiff_t)i * in_stride);
    ck_transpose_rows(rows, out, out_stride);
}
#endif

// One panel of a B whose k lie side by side: `width` rows of memory become its columns, in squares of CK_W by CK_W.
static void ck_pack_transposed(size_t k, size_t width, const float *from, ptrdiff_t n_stride, float *packed) {
    if (width < CK_PANEL) memset(packed, 0, k * CK_PANEL * sizeof(float));
    size_t squares = 0, step = 0;
#if CK_W > 1
    squares = width / CK_W * CK_W;
    for (; step + CK_W <= k; step += CK_W)
        for (size_t j = 0; j < squares; j += CK_W) {
            // As many lines at once as a panel has columns are more than the processor foresees.
            for (int i = 0; i < CK_W; i++) __builtin_prefetch(from + (ptrdiff_t)(j + (size_t)i) * n_stride + (ptrdiff_t)step + 32);
            ck_transpose(from + (ptrdiff_t)j * n_stride + (ptrdiff_t)step, n_stride, packed + step * CK_PANEL + j, CK_PANEL);
        }
#endif
    for (size_t j = squares; j < width; j++)
        for (size_t s = 0; s < step; s++) packed[s * CK_PANEL + j] = from[(ptrdiff_t)j * n_stride + (ptrdiff_t)s];
    for (; step < k; step++)
        for (size_t j = 0; j < width; j++) packed[step * CK_PANEL + j] = from[(ptrdiff_t)j * n_stride + (ptrdiff_t)step];
}

static void pack_(size_t k, size_t n, const float *b, ck_k_axis axis, ptrdiff_t n_stride, float *packed) {
    for (size_t panel = 0; panel < n; panel += CK_PANEL) {
        size_t width = n - panel < CK_PANEL ? n - panel : CK_PANEL;
        const float *from = b + (ptrdiff_t)panel * n_stride;
        if (axis.inner_stride == 1 && n_stride != 1 && axis.inner_count >= k) {
            ck_pack_transposed(k, width, from, n_stride, packed);
            packed += k * CK_PANEL;
            continue;
        }
        for (size_t done = 0; done < k;) {
            const float *row = ck_at(from, axis, done);
            size_t run = axis.inner_count - done % axis.inner_count;
            if (run > k - done) run = k - done;
            done += run;
            for (; run > 0; run--, row += axis.inner_stride, packed += CK_PANEL) {
                if (width == CK_PANEL && n_stride == 1) {
                    memcpy(packed, row, CK_PANEL * sizeof(float));
                } else {
                    for (size_t j = 0; j < width; j++) packed[j] = row[(ptrdiff_t)j * n_stride];
                    for (size_t j = width; j < CK_PANEL; j++) packed[j] = 0.0f;
                }
            }
        }
    }
}
