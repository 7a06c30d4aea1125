// The tiles of a matrix product, which live in registers. Needs from the including file:
//
//   CK_W            lanes of a vector; a tile is CK_ROWS x (2 * CK_W), and 2 * CK_W divides CK_PANEL
//   CK_ROWS         rows of the tallest tile: 2 * CK_ROWS accumulators, two vectors of B and one of A fit in the registers
//   ck_vector       the vector type;  CK_VFMA(a, b, c), CK_VSET(x), CK_VLOAD(p), CK_VSTORE(p, v)
//   and what bf16.h needs.
//
// An accumulator holds one column for each lane and runs along k from the first to the last product, so that neither the
// width of a vector nor the height of a tile shows in the result.

enum { ck_columns = 2 * CK_W };

// A tile of A in memory: element (i, k) at a + i * row_stride + k * k_stride.
typedef struct {
    const float *a;
    ptrdiff_t row_stride;
    ptrdiff_t k_stride;
} ck_tile;

typedef struct {
    ck_start start;
    const float *bias;  // of the tile's first column
    float *c;
    size_t ldc;
    size_t columns;  // at most ck_columns
} ck_target;

static inline __attribute__((always_inline)) void ck_load_edge(const float *p, size_t columns, ck_vector *low, ck_vector *high) {
    float values[ck_columns] = {0};
    memcpy(values, p, columns * sizeof(float));
    *low = CK_VLOAD(values);
    *high = CK_VLOAD(values + CK_W);
}

static inline __attribute__((always_inline)) void ck_store_edge(float *p, size_t columns, ck_vector low, ck_vector high) {
    float values[ck_columns];
    CK_VSTORE(values, low);
    CK_VSTORE(values + CK_W, high);
    memcpy(p, values, columns * sizeof(float));
}

// `rows` is a constant wherever these are expanded: tiles live in registers only when every loop over their rows is unrolled.
#define CK_UNROLL _Pragma("GCC unroll 12")
#define CK_INLINE static inline __attribute__((always_inline))

// Where the chains begin.
CK_INLINE void ck_begin_tile(const int rows, ck_target target, ck_vector *low, ck_vector *high) {
    if (target.start == CK_FROM_C) {
        CK_UNROLL
        for (int i = 0; i < rows; i++) {
            const float *c = target.c + (size_t)i * target.ldc;
            if (target.columns == ck_columns) {
                low[i] = CK_VLOAD(c);
                high[i] = CK_VLOAD(c + CK_W);
            } else {
                ck_load_edge(c, target.columns, &low[i], &high[i]);
            }
        }
    } else if (target.start == CK_FROM_BIAS) {
        ck_vector first, second;
        ck_load_edge(target.bias, target.columns, &first, &second);
        CK_UNROLL
        for (int i = 0; i < rows; i++) {
            low[i] = first;
            high[i] = second;
        }
    } else {
        CK_UNROLL
        for (int i = 0; i < rows; i++) low[i] = high[i] = CK_VSET(0.0f);
    }
    if (target.start != CK_FROM_C) {
        // C is on its way while the products are made; a row that does not begin a line ends in a third one.
        CK_UNROLL
        for (int i = 0; i < rows; i++) {
            const float *c = target.c + (size_t)i * target.ldc;
            __builtin_prefetch(c, 1);
            __builtin_prefetch(c + CK_W, 1);
            __builtin_prefetch(c + 2 * CK_W - 1, 1);
        }
    }
}

// The next link of a chain; with pairs, two of them, of words of two bf16.
CK_INLINE ck_vector ck_take(const int pairs, ck_vector chain, ck_vector a, ck_vector b) {
    if (!pairs) return CK_VFMA(a, b, chain);
#ifdef CK_DOT
    return CK_DOT(chain, a, b);
#else
    chain = CK_FLUSHED_FMA(CK_ODD(a), CK_ODD(b), chain);
    return CK_FLUSHED_FMA(CK_EVEN(a), CK_EVEN(b), chain);
#endif
}

// The chains of one tile over its stretch of k; `b` is the tile's part of a panel.
CK_INLINE void ck_run_chains(const int pairs, const int rows, size_t k, ck_tile tile, const float *b, ck_vector *low_sums,
                             ck_vector *high_sums) {
    ck_vector low[CK_ROWS], high[CK_ROWS];
    CK_UNROLL
    for (int i = 0; i < rows; i++) {
        low[i] = low_sums[i];
        high[i] = high_sums[i];
    }
    // Every third row has a pointer of its own; the two after it are one and two strides away, which one address can say.
    const float *base[(CK_ROWS + 2) / 3];
    CK_UNROLL
    for (int i = 0; i < (rows + 2) / 3; i++) base[i] = tile.a + (ptrdiff_t)(3 * i) * tile.row_stride;
    for (size_t step = 0; step < k; step++) {
        ck_vector left = CK_VLOAD(b), right = CK_VLOAD(b + CK_W);
        // Far enough ahead for a panel that comes from memory; both halves, since a line holds one.
        __builtin_prefetch(b + 64 * CK_PANEL);
        __builtin_prefetch(b + 64 * CK_PANEL + CK_PANEL / 2);
        b += CK_PANEL;
        CK_UNROLL
        for (int i = 0; i < rows; i++) {
            ck_vector value = CK_VSET(base[i / 3][(i % 3) * tile.row_stride]);
            low[i] = ck_take(pairs, low[i], value, left);
            high[i] = ck_take(pairs, high[i], value, right);
        }
        CK_UNROLL
        for (int i = 0; i < (rows + 2) / 3; i++) base[i] += tile.k_stride;
    }
    CK_UNROLL
    for (int i = 0; i < rows; i++) {
        low_sums[i] = low[i];
        high_sums[i] = high[i];
    }
}

CK_INLINE void ck_finish_tile(const int rows, ck_target target, const ck_vector *low, const ck_vector *high) {
    CK_UNROLL
    for (int i = 0; i < rows; i++) {
        float *c = target.c + (size_t)i * target.ldc;
        ck_vector first = low[i], second = high[i];
        if (target.start == CK_ADD_TO_C) {
            ck_vector there[2];
            if (target.columns == ck_columns) {
                there[0] = CK_VLOAD(c);
                there[1] = CK_VLOAD(c + CK_W);
            } else {
                ck_load_edge(c, target.columns, &there[0], &there[1]);
            }
            first = there[0] + first;
            second = there[1] + second;
        }
        if (target.columns == ck_columns) {
            CK_VSTORE(c, first);
            CK_VSTORE(c + CK_W, second);
        } else {
            ck_store_edge(c, target.columns, first, second);
        }
    }
}

CK_INLINE void ck_micro(const int pairs, const int rows, size_t k, ck_tile tile, const float *b, ck_target target) {
    ck_vector low[CK_ROWS], high[CK_ROWS];
    ck_begin_tile(rows, target, low, high);
    ck_run_chains(pairs, rows, k, tile, b, low, high);
    ck_finish_tile(rows, target, low, high);
}

// A tile packed as [k][rows], and one that lies in memory with its k side by side: the strides become constants.
#define CK_TILE_CASE(rows, run, ...)                                             \
    case rows:                                                                   \
        if (tile.k_stride == 1)                                                  \
            run(rows, k, ((ck_tile){tile.a, tile.row_stride, 1}), __VA_ARGS__);  \
        else                                                                     \
            run(rows, k, ((ck_tile){tile.a, 1, rows}), __VA_ARGS__);             \
        break;

#if CK_ROWS > 6
#define CK_TALL_CASES(run, ...)                                                                                          \
    CK_TILE_CASE(5, run, __VA_ARGS__) CK_TILE_CASE(6, run, __VA_ARGS__) CK_TILE_CASE(7, run, __VA_ARGS__)                \
    CK_TILE_CASE(8, run, __VA_ARGS__) CK_TILE_CASE(9, run, __VA_ARGS__) CK_TILE_CASE(10, run, __VA_ARGS__)               \
    CK_TILE_CASE(11, run, __VA_ARGS__) CK_TILE_CASE(12, run, __VA_ARGS__)
#elif CK_ROWS > 4
#define CK_TALL_CASES(run, ...) CK_TILE_CASE(5, run, __VA_ARGS__) CK_TILE_CASE(6, run, __VA_ARGS__)
#else
#define CK_TALL_CASES(run, ...)
#endif
#define CK_TILE_CASES(run, ...)                                                                                          \
    switch (rows) {                                                                                                      \
        CK_TILE_CASE(1, run, __VA_ARGS__) CK_TILE_CASE(2, run, __VA_ARGS__) CK_TILE_CASE(3, run, __VA_ARGS__)            \
        CK_TILE_CASE(4, run, __VA_ARGS__) CK_TALL_CASES(run, __VA_ARGS__)                                                \
    }

#define CK_MICRO_FLOATS(...) ck_micro(0, __VA_ARGS__)
static void ck_run_tile(int rows, size_t k, ck_tile tile, const float *b, ck_target target) {
    CK_TILE_CASES(CK_MICRO_FLOATS, b, target)
}

#ifdef CK_DOT
#define CK_MICRO_PAIRS(...) ck_micro(1, __VA_ARGS__)
static void ck_run_tile_bf16(int rows, size_t k, ck_tile tile, const float *b, ck_target target) {
    CK_TILE_CASES(CK_MICRO_PAIRS, b, target)
}
#else
#define CK_CHAINS_OF_PAIRS(...) ck_run_chains(1, __VA_ARGS__)
// A function of its own, which no arithmetic leaves or enters: it runs under the setting that flushes.
static __attribute__((noinline)) void ck_run_flushed(int rows, size_t k, ck_tile tile, const float *b, ck_vector *low, ck_vector *high) {
    CK_TILE_CASES(CK_CHAINS_OF_PAIRS, b, low, high)
}

static void ck_run_tile_bf16(int rows, size_t k, ck_tile tile, const float *b, ck_target target) {
    ck_vector low[CK_ROWS], high[CK_ROWS];
    ck_begin_tile(rows, target, low, high);
    CK_BEGIN_FLUSHING();
    ck_run_flushed(rows, k, tile, b, low, high);
    CK_END_FLUSHING();
    ck_finish_tile(rows, target, low, high);
}
#endif
