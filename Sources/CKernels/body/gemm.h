// Packed matrix products. Needs from the including file:
//
//   CK_W            lanes of a vector; a tile is CK_ROWS x (2 * CK_W), and 2 * CK_W divides CK_PANEL
//   CK_ROWS         rows of the tallest tile: 2 * CK_ROWS accumulators, two vectors of B and one of A fit in the registers
//   ck_vector       the vector type;  CK_VFMA(a, b, c), CK_VSET(x), CK_VLOAD(p), CK_VSTORE(p, v)
//
// An accumulator holds one column for each lane and runs along k from the first to the last product, so that neither the
// width of a vector nor the height of a tile shows in the result.

enum { ck_columns = 2 * CK_W };

// k steps between two reloads of C: a panel's part of this depth stays in the second-level cache while the tiles of a block of rows pass over it.
enum { ck_depth = 1024 };

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

// One tile of `rows` x ck_columns (`rows` is a constant wherever this is expanded). `b` is the tile's part of a panel.
// Tiles live in registers only when every loop over their rows is unrolled.
#define CK_UNROLL _Pragma("GCC unroll 12")

static inline __attribute__((always_inline)) void ck_micro(const int rows, size_t k, ck_tile tile, const float *b,
                                                           ck_target target) {
    ck_vector low[CK_ROWS], high[CK_ROWS];
    const int whole = target.columns == ck_columns;
    if (target.start == CK_FROM_C) {
        CK_UNROLL
        for (int i = 0; i < rows; i++) {
            const float *c = target.c + (size_t)i * target.ldc;
            if (whole) {
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
            low[i] = CK_VFMA(value, left, low[i]);
            high[i] = CK_VFMA(value, right, high[i]);
        }
        CK_UNROLL
        for (int i = 0; i < (rows + 2) / 3; i++) base[i] += tile.k_stride;
    }

    CK_UNROLL
    for (int i = 0; i < rows; i++) {
        float *c = target.c + (size_t)i * target.ldc;
        ck_vector first = low[i], second = high[i];
        if (target.start == CK_ADD_TO_C) {
            ck_vector there[2];
            if (whole) {
                there[0] = CK_VLOAD(c);
                there[1] = CK_VLOAD(c + CK_W);
            } else {
                ck_load_edge(c, target.columns, &there[0], &there[1]);
            }
            first = there[0] + first;
            second = there[1] + second;
        }
        if (whole) {
            CK_VSTORE(c, first);
            CK_VSTORE(c + CK_W, second);
        } else {
            ck_store_edge(c, target.columns, first, second);
        }
    }
}

// A tile packed as [k][rows], and one that lies in memory with its k side by side: the strides become constants.
#define CK_TILE_CASE(rows)                                                                                \
    case rows:                                                                                            \
        if (tile.k_stride == 1)                                                                           \
            ck_micro(rows, k, (ck_tile){tile.a, tile.row_stride, 1}, b, target);                          \
        else                                                                                              \
            ck_micro(rows, k, (ck_tile){tile.a, 1, rows}, b, target);                                     \
        break;

static void ck_run_tile(int rows, size_t k, ck_tile tile, const float *b, ck_target target) {
    switch (rows) {
        CK_TILE_CASE(1)
        CK_TILE_CASE(2)
        CK_TILE_CASE(3)
        CK_TILE_CASE(4)
#if CK_ROWS > 4
        CK_TILE_CASE(5)
        CK_TILE_CASE(6)
#endif
#if CK_ROWS > 6
        CK_TILE_CASE(7)
        CK_TILE_CASE(8)
        CK_TILE_CASE(9)
        CK_TILE_CASE(10)
        CK_TILE_CASE(11)
        CK_TILE_CASE(12)
#endif
    }
}

// Some rows of A, cut into tiles, at a stretch of their k.
typedef struct {
    const float *a;        // the first row where it lies, or the packed tiles
    ptrdiff_t row_stride;  // of the rows where they lie
    int in_place;
    size_t first, count, tiles;
    size_t from, depth;
} ck_block;

// All columns of one product over a block of rows.
static void ck_run_block(const ck_block *block, ck_start start, size_t k, const ck_product *product) {
    const size_t n = product->n, ldc = product->ldc;
    for (size_t panel = 0; panel < n; panel += CK_PANEL) {
        const float *b = product->packed_b + panel * k + block->from * CK_PANEL;
        for (size_t part = 0; part < CK_PANEL && panel + part < n; part += ck_columns) {
            size_t column = panel + part, columns = n - column < ck_columns ? n - column : ck_columns;
            float *c = product->c + block->first * ldc + column;
            for (size_t tile = 0; tile < block->tiles; tile++) {
                size_t low = ck_tile_first(block->count, block->tiles, tile);
                size_t rows = ck_tile_first(block->count, block->tiles, tile + 1) - low;
                ck_tile source = block->in_place ? (ck_tile){block->a + (ptrdiff_t)low * block->row_stride, block->row_stride, 1}
                                                 : (ck_tile){block->a + low * block->depth, 1, (ptrdiff_t)rows};
                // A tile of one packed row has its k side by side too.
                if (!block->in_place && rows == 1) source = (ck_tile){source.a, 0, 1};
                ck_target target = {start, product->bias ? product->bias + column : NULL, c + low * ldc, ldc, columns};
                if (start == CK_FROM_C && tile + 1 < block->tiles) {
                    // Where the next chains begin has to be there when they do.
                    const float *next = c + (low + rows) * ldc;
                    for (size_t i = 0; i < CK_ROWS && low + rows + i < block->count; i++) {
                        __builtin_prefetch(next + i * ldc, 1);
                        __builtin_prefetch(next + i * ldc + CK_W, 1);
                        __builtin_prefetch(next + i * ldc + 2 * CK_W - 1, 1);
                    }
                }
                ck_run_tile((int)rows, block->depth, source, b + part, target);
            }
        }
    }
}

static void gemm_(size_t m, size_t k, const float *a, ptrdiff_t a_row_stride, ck_k_axis axis, size_t count,
                  const ck_product *products, float *scratch) {
    // Rows whose k lie side by side are read where they are.
    const int in_place = axis.inner_stride == 1 && (axis.inner_count >= k || axis.outer_stride == (ptrdiff_t)axis.inner_count);
    // The whole chain comes before the one addition, so that mode is not cut along k.
    size_t depth_limit = ck_depth;
    for (size_t i = 0; i < count; i++)
        if (products[i].start == CK_ADD_TO_C) depth_limit = k ? k : 1;
    for (size_t from = 0; from == 0 || from < k; from += depth_limit) {
        size_t depth = k - from < depth_limit ? k - from : depth_limit;
        size_t tallest = depth ? CK_BLOCK_FLOATS / depth / CK_ROWS * CK_ROWS : m;
        if (tallest < CK_ROWS) tallest = CK_ROWS;
        if (!in_place && tallest > CK_BLOCK_ROWS) tallest = CK_BLOCK_ROWS;
        for (size_t first = 0; first < m; first += tallest) {
            ck_block block = {.row_stride = a_row_stride, .in_place = in_place, .first = first, .from = from, .depth = depth};
            block.count = m - first < tallest ? m - first : tallest;
            block.tiles = (block.count + CK_ROWS - 1) / CK_ROWS;
            if (in_place) {
                block.a = a + (ptrdiff_t)first * a_row_stride + (ptrdiff_t)from;
            } else {
                ck_pack_rows(a, a_row_stride, axis, first, block.count, block.tiles, from, depth, scratch);
                block.a = scratch;
            }
            for (size_t i = 0; i < count; i++) ck_run_block(&block, from == 0 ? products[i].start : CK_FROM_C, k, &products[i]);
        }
    }
}

// As many independent chains as a tile has accumulators: they keep two multiply-add pipes of four or five cycles' latency full.
static double fma_peak_(uint64_t iterations) {
    enum { used = 2 * CK_ROWS };
    ck_vector sums[used];
    for (int i = 0; i < used; i++) sums[i] = CK_VSET(1.0f + (float)i);
    ck_vector factor = CK_VSET(0.999f), term = CK_VSET(1e-3f);
    for (uint64_t round = 0; round < iterations; round++) {
        for (int i = 0; i < used; i++) sums[i] = CK_VFMA(sums[i], factor, term);
        __asm__ volatile("" ::: "memory");
    }
    for (int i = 1; i < used; i++) sums[0] = sums[0] + sums[i];
    float values[CK_W];
    CK_VSTORE(values, sums[0]);
    volatile float kept = values[0];
    (void)kept;
    return 2.0 * CK_W * used * (double)iterations;
}
