// Puts the operands of a product into words of two bf16 where its tiles read them: as packing.h does with floats, at half the size.
// An odd k ends with a zero.

static inline size_t ck_word_count(size_t k) { return k / 2 + k % 2; }

// The k of an operand, one after another.
typedef struct {
    const float *at;
    const float *outer;
    size_t left;  // of the inner run
} ck_walk;

static inline ck_walk ck_walk_from(const float *base, ck_k_axis axis, size_t k) {
    const float *outer = base + (ptrdiff_t)(k / axis.inner_count) * axis.outer_stride;
    size_t inner = k % axis.inner_count;
    return (ck_walk){outer + (ptrdiff_t)inner * axis.inner_stride, outer, axis.inner_count - inner};
}

static inline const float *ck_next(ck_walk *walk, ck_k_axis axis) {
    const float *here = walk->at;
    walk->at += axis.inner_stride;
    if (--walk->left == 0) {
        walk->outer += axis.outer_stride;
        walk->at = walk->outer;
        walk->left = axis.inner_count;
    }
    return here;
}

// Rows of a tile's packed A lie this many words farther apart than they are long: rows a power of two apart would fall into few
// sets of the first-level cache.
enum { ck_row_gap = 16 };

// Packs `count` rows of A whose k lie side by side, k of them from `a` on: [row][word], rows `stride` words apart.
static void ck_pack_side_rows(const float *a, ptrdiff_t row_stride, size_t count, size_t k, size_t stride, float *packed) {
    for (size_t row = 0; row < count; row++) ck_pair_row(k, a + (ptrdiff_t)row * row_stride, packed + row * stride);
}

// One word of each of `count` rows or columns `stride` floats apart: of their even k and of the odd one behind it; NULL is zero.
static void ck_pair_line(size_t count, const float *even, const float *odd, ptrdiff_t stride, ck_k_axis axis, float *line) {
    if (stride == 1) {
        // The next stretch: as a rule each of its lines lies in a page of its own, which the processor does not foresee.
        for (size_t i = 0; i < count; i += 16) {
            __builtin_prefetch(even + ck_pack_stretch * axis.inner_stride + (ptrdiff_t)i);
            __builtin_prefetch(even + (ck_pack_stretch + 1) * axis.inner_stride + (ptrdiff_t)i);
        }
        ck_interleave(count, even, odd, line);
        return;
    }
    for (size_t i = 0; i < count; i++, even += stride) {
        line[i] = ck_pair(*even, odd ? *odd : 0.0f);
        if (odd) odd += stride;
    }
}

// Packs rows first ..< first + count of A, words from ..< from + depth of k, tile after tile, each [word][rows of the tile].
static void ck_pack_rows_bf16(const float *a, ptrdiff_t row_stride, ck_k_axis axis, size_t k, size_t first, size_t count, size_t tiles,
                              size_t from, size_t depth, float *packed) {
    enum { stretch = ck_pack_stretch / 2 };
    float lines[stretch * CK_BLOCK_ROWS];
    ck_walk walk = ck_walk_from(a + (ptrdiff_t)first * row_stride, axis, 2 * from);
    for (size_t done = 0; done < depth; done += stretch) {
        size_t steps = depth - done < stretch ? depth - done : stretch;
        for (size_t s = 0; s < steps; s++) {
            const float *even = ck_next(&walk, axis);
            const float *odd = 2 * (from + done + s) + 1 < k ? ck_next(&walk, axis) : NULL;
            float *line = lines + s * count;
            ck_pair_line(count, even, odd, row_stride, axis, line);
        }
        for (size_t tile = 0; tile < tiles; tile++) {
            size_t low = ck_tile_first(count, tiles, tile), rows = ck_tile_first(count, tiles, tile + 1) - low;
            ck_copy_steps(rows, steps, packed + low * depth + done * rows, lines + low, (ptrdiff_t)count);
        }
    }
}

// One panel of a B whose k lie side by side: `width` rows of memory become its columns, in squares of CK_W by CK_W words.
static void ck_pack_transposed_bf16(size_t k, size_t width, const float *from, ptrdiff_t n_stride, float *packed) {
    size_t words = ck_word_count(k);
    if (width < CK_PANEL) memset(packed, 0, words * CK_PANEL * sizeof(float));
    size_t squares = 0, word = 0;
#if CK_W > 1
    squares = width / CK_W * CK_W;
    for (; 2 * (word + CK_W) <= k; word += CK_W)
        for (size_t j = 0; j < squares; j += CK_W) {
            ck_vector rows[CK_W];
            _Pragma("GCC unroll 16")
            for (int i = 0; i < CK_W; i++) {
                const float *x = from + (ptrdiff_t)(j + (size_t)i) * n_stride + (ptrdiff_t)(2 * word);
                // As many lines at once as a panel has columns are more than the processor foresees.
                __builtin_prefetch(x + 64);
                __builtin_prefetch(x + 80);
                rows[i] = CK_SIDE_PAIRS(CK_VLOAD(x), CK_VLOAD(x + CK_W));
            }
            ck_transpose_rows(rows, packed + word * CK_PANEL + j, CK_PANEL);
        }
#endif
    for (size_t j = 0; j < width; j++) {
        const float *x = from + (ptrdiff_t)j * n_stride;
        for (size_t w = j < squares ? word : 0; w < words; w++)
            packed[w * CK_PANEL + j] = ck_pair(x[2 * w], 2 * w + 1 < k ? x[2 * w + 1] : 0.0f);
    }
}

static void pack_bf16_(size_t k, size_t n, const float *b, ck_k_axis axis, ptrdiff_t n_stride, float *packed) {
    size_t words = ck_word_count(k);
    for (size_t panel = 0; panel < n && words > 0; panel += CK_PANEL, packed += words * CK_PANEL) {
        size_t width = n - panel < CK_PANEL ? n - panel : CK_PANEL;
        const float *from = b + (ptrdiff_t)panel * n_stride;
        if (axis.inner_stride == 1 && n_stride != 1 && axis.inner_count >= k) {
            ck_pack_transposed_bf16(k, width, from, n_stride, packed);
            continue;
        }
        ck_walk walk = ck_walk_from(from, axis, 0);
        for (size_t word = 0; word < words; word++) {
            const float *even = ck_next(&walk, axis), *odd = 2 * word + 1 < k ? ck_next(&walk, axis) : NULL;
            float *out = packed + word * CK_PANEL;
            ck_pair_line(width, even, odd, n_stride, axis, out);
            for (size_t j = width; j < CK_PANEL; j++) out[j] = 0.0f;
        }
    }
}
