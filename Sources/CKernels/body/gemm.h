// Packed matrix products, out of tiles. With CK_BF16, k counts words of two bf16 from here on, and A is always packed.

// k steps between two reloads of C: a panel's part of this depth stays in the second-level cache while the tiles of a block of rows pass over it.
enum { ck_depth = 1024 };

// Some rows of A, cut into tiles, at a stretch of their k.
typedef struct {
    ck_precision precision;
    const float *a;        // the first row where it lies, or the packed tiles
    ptrdiff_t row_stride;  // of rows that lie one after another
    int in_rows;           // not packed into tiles
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
                ck_tile source = block->in_rows ? (ck_tile){block->a + (ptrdiff_t)low * block->row_stride, block->row_stride, 1}
                                                : (ck_tile){block->a + low * block->depth, 1, (ptrdiff_t)rows};
                // A tile of one packed row has its k side by side too.
                if (!block->in_rows && rows == 1) source = (ck_tile){source.a, 0, 1};
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
                if (block->precision == CK_BF16)
                    ck_run_tile_bf16((int)rows, block->depth, source, b + part, target);
                else
                    ck_run_tile((int)rows, block->depth, source, b + part, target);
            }
        }
    }
}

// An operand A: element (i, k) at a + i * row_stride + axis(k), k < length.
typedef struct {
    const float *a;
    ptrdiff_t row_stride;
    ck_k_axis axis;
    size_t length;
    int side_by_side;  // the k of a row
} ck_operand;

// Brings the rows of a block to where its tiles read them.
static void ck_fill_block(ck_block *block, const ck_operand *operand, float *scratch) {
    const float *row = operand->a + (ptrdiff_t)block->first * operand->row_stride;
    block->in_rows = operand->side_by_side;
    if (block->precision == CK_BF16) {
        block->a = scratch;
        if (block->in_rows) {
            size_t from = 2 * block->from, left = operand->length - from, whole = 2 * block->depth;
            block->row_stride = (ptrdiff_t)(block->depth + ck_row_gap);
            ck_pack_side_rows(row + (ptrdiff_t)from, operand->row_stride, block->count, left < whole ? left : whole,
                              (size_t)block->row_stride, scratch);
        } else if (block->depth > 0) {
            ck_pack_rows_bf16(operand->a, operand->row_stride, operand->axis, operand->length, block->first, block->count,
                              block->tiles, block->from, block->depth, scratch);
        }
    } else if (block->in_rows) {
        block->a = row + (ptrdiff_t)block->from;
        block->row_stride = operand->row_stride;
    } else {
        block->a = scratch;
        ck_pack_rows(operand->a, operand->row_stride, operand->axis, block->first, block->count, block->tiles, block->from,
                     block->depth, scratch);
    }
}

static void ck_run_products(ck_precision precision, size_t m, const ck_operand *operand, size_t count, const ck_product *products,
                        float *scratch) {
    const size_t k = precision == CK_BF16 ? ck_word_count(operand->length) : operand->length;
    // The whole chain comes before the one addition, so that mode is not cut along k.
    size_t depth_limit = ck_depth;
    for (size_t i = 0; i < count; i++)
        if (products[i].start == CK_ADD_TO_C) depth_limit = k ? k : 1;
    // Floats where they lie need no room.
    const int in_place = precision == CK_FP32 && operand->side_by_side;
    for (size_t from = 0; from == 0 || from < k; from += depth_limit) {
        size_t depth = k - from < depth_limit ? k - from : depth_limit;
        size_t line = depth + (precision == CK_BF16 ? ck_row_gap : 0);
        size_t tallest = line ? CK_BLOCK_FLOATS / line / CK_ROWS * CK_ROWS : m;
        if (tallest < CK_ROWS) tallest = CK_ROWS;
        if (!in_place && tallest > CK_BLOCK_ROWS) tallest = CK_BLOCK_ROWS;
        for (size_t first = 0; first < m; first += tallest) {
            ck_block block = {.precision = precision, .first = first, .from = from, .depth = depth};
            block.count = m - first < tallest ? m - first : tallest;
            block.tiles = (block.count + CK_ROWS - 1) / CK_ROWS;
            ck_fill_block(&block, operand, scratch);
            for (size_t i = 0; i < count; i++) ck_run_block(&block, from == 0 ? products[i].start : CK_FROM_C, k, &products[i]);
        }
    }
}

static void gemm_(ck_precision precision, size_t m, size_t k, const float *a, ptrdiff_t a_row_stride, ck_k_axis axis, size_t count,
                  const ck_product *products, float *scratch) {
    const int side_by_side = axis.inner_stride == 1 && (axis.inner_count >= k || axis.outer_stride == (ptrdiff_t)axis.inner_count);
    const ck_operand operand = {a, a_row_stride, axis, k, side_by_side};
    ck_run_products(precision, m, &operand, count, products, scratch);
}

// As many independent chains as a tile has accumulators: they keep two multiply-add pipes of four or five cycles' latency full.
static double fma_peak_(ck_precision precision, uint64_t iterations) {
    enum { used = 2 * CK_ROWS };
    ck_vector sums[used];
    for (int i = 0; i < used; i++) sums[i] = CK_VSET(1.0f + (float)i);
    ck_vector factor = CK_VSET(0.999f), term = CK_VSET(1e-3f);
    double operations = 2.0 * CK_W * used * (double)iterations;
#ifdef CK_DOT
    if (precision == CK_BF16) {
        operations *= 2;
        for (uint64_t round = 0; round < iterations; round++) {
            for (int i = 0; i < used; i++) sums[i] = CK_DOT(sums[i], factor, term);
            __asm__ volatile("" ::: "memory");
        }
        iterations = 0;
    }
#else
    (void)precision;
#endif
    for (uint64_t round = 0; round < iterations; round++) {
        for (int i = 0; i < used; i++) sums[i] = CK_VFMA(sums[i], factor, term);
        __asm__ volatile("" ::: "memory");
    }
    for (int i = 1; i < used; i++) sums[0] = sums[0] + sums[i];
    float values[CK_W];
    CK_VSTORE(values, sums[0]);
    volatile float kept = values[0];
    (void)kept;
    return operations;
}
