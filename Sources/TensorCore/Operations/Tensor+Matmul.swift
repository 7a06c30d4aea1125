internal import CKernels

/// Scratch for products over k up to `depth`; products on different threads never share it.
func productScratch(depth: Int) -> Storage { Storage(count: ck_gemm_scratch_size(depth)) }

/// A matrix in a tensor's memory: element (i, j) lies i · rowStride + j · columnStride floats after the first.
struct MatrixView {
    /// Held, so that the memory stays.
    private let tensor: Tensor
    private let offset: Int
    let rows: Int
    let columns: Int
    let rowStride: Int
    let columnStride: Int

    /// Matrix `group` of `[…, rows, columns]`.
    init(_ tensor: Tensor, _ group: Int = 0, rows: Int, columns: Int) {
        self.tensor = tensor.detached
        offset = group * rows * columns
        (self.rows, self.columns, rowStride, columnStride) = (rows, columns, columns, 1)
    }

    private init(transposing other: MatrixView) {
        (tensor, offset) = (other.tensor, other.offset)
        (rows, columns, rowStride, columnStride) = (other.columns, other.rows, other.columnStride, other.rowStride)
    }

    var transposed: MatrixView { MatrixView(transposing: self) }

    private var base: UnsafeMutablePointer<Float> { unsafe tensor.base + offset }

    /// Writes self · other, row-major: each element one chain over k from zero.
    func multiply(_ other: MatrixView, into result: UnsafeMutablePointer<Float>) {
        let packed = Storage.packed(.fp32, depth: columns, width: other.columns)
        let depth = Swift.max(columns, 1)
        unsafe ck_pack(
            CK_FP32, columns, other.columns, other.base, .plain(depth, stride: other.rowStride), other.columnStride,
            packed.base)
        let scratch = productScratch(depth: columns)
        unsafe ck_gemm(
            CK_FP32, CK_FROM_ZERO, rows, other.columns, columns, base, rowStride, .plain(depth, stride: columnStride),
            packed.base, nil,
            result, other.columns, scratch.base)
    }
}

extension Tensor {
    /// The matrix product as PyTorch's `matmul`, over the last axis of `a` and the last but one of `b`.
    ///
    /// A vector `a` `[K]` counts as one row, a vector `b` `[K]` as one column, and the axis made for it goes away again; leading
    /// axes are a batch of matrices and broadcast. The gradient by a matrix `b` `[K, N]` is one chain over all rows of `a`, in order.
    ///
    /// - Returns: `[…, M, N]` for `[…, M, K]` and `[…, K, N]`.
    public static func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
        require(
            !a.shape.isEmpty && !b.shape.isEmpty,
            "matmul: shapes \(a.shape) and \(b.shape): a scalar is no matrix; use *")
        let left = a.shape.count == 1 ? [1] + a.shape : a.shape
        let right = b.shape.count == 1 ? b.shape + [1] : b.shape
        let (m, k, n) = (left[left.count - 2], left[left.count - 1], right[right.count - 1])
        require(
            right[right.count - 2] == k,
            "matmul: shapes \(a.shape) and \(b.shape) do not meet: \(k) columns on \(right[right.count - 2]) rows")
        guard let batch = broadcastShape(left.dropLast(2), right.dropLast(2)) else {
            fatalError("matmul: shapes \(a.shape) and \(b.shape) do not broadcast before their last two axes")
        }
        let shape = batch + (a.shape.count == 1 ? [] : [m]) + (b.shape.count == 1 ? [] : [n])
        if right.count == 2 {
            let rows = left.dropLast().reduce(1, *)
            return products(a.reshaped([1, rows, k]), b.reshaped([1, k, n])).reshaped(shape)
        }
        let groups = batch.reduce(1, *)
        let (x, y) = (a.reshaped(left).expanded(batch + [m, k]), b.reshaped(right).expanded(batch + [k, n]))
        return products(x.reshaped([groups, m, k]), y.reshaped([groups, k, n])).reshaped(shape)
    }

    /// The matrix product with `other`; see `Tensor.matmul(_:_:)`.
    public func matmul(_ other: Tensor) -> Tensor { Tensor.matmul(self, other) }

    /// a · bᵀ of `[…, K]` and `[N, K]`: `[…, N]`.
    public static func matmulTransposed(_ a: Tensor, _ b: Tensor) -> Tensor {
        require(
            b.shape.count == 2 && a.shape.last == b.shape[1],
            "matmulTransposed: shapes \(a.shape) and \(b.shape) do not end in the same size")
        let (n, k) = (b.shape[0], b.shape[1])
        let m = a.shape.dropLast().reduce(1, *)
        let left = MatrixView(a, rows: m, columns: k)
        let right = MatrixView(b, rows: n, columns: k)
        let result = unfilled(a.shape.dropLast() + [n])
        unsafe left.multiply(right.transposed, into: result.base)
        return recording("matmulTransposed", a, b, result) { [shape = a.shape] dy in
            let da = unfilled(shape)
            unsafe MatrixView(dy, rows: m, columns: n).multiply(right, into: da.base)
            return da
        } bySecond: { [shape = b.shape] dy in
            let db = unfilled(shape)
            unsafe MatrixView(dy, rows: m, columns: n).transposed.multiply(left, into: db.base)
            return db
        }
    }

    /// `[G, M, K]` times `[G, K, N]`: one product for each of G.
    private static func products(_ a: Tensor, _ b: Tensor) -> Tensor {
        let (groups, m, k, n) = (a.shape[0], a.shape[1], a.shape[2], b.shape[2])
        let result = unfilled([groups, m, n])
        for group in 0..<groups {
            let (x, y) = (MatrixView(a, group, rows: m, columns: k), MatrixView(b, group, rows: k, columns: n))
            unsafe x.multiply(y, into: result.base + group * m * n)
        }
        return recording("matmul", a, b, result) { [shape = a.shape, b = b.detached] dy in
            // da = dy · bᵀ
            let da = unfilled(shape)
            for group in 0..<groups {
                let (d, y) = (MatrixView(dy, group, rows: m, columns: n), MatrixView(b, group, rows: k, columns: n))
                unsafe d.multiply(y.transposed, into: da.base + group * m * k)
            }
            return da
        } bySecond: { [shape = b.shape, a = a.detached] dy in
            // db = aᵀ · dy
            let db = unfilled(shape)
            for group in 0..<groups {
                let (d, x) = (MatrixView(dy, group, rows: m, columns: n), MatrixView(a, group, rows: m, columns: k))
                unsafe x.transposed.multiply(d, into: db.base + group * k * n)
            }
            return db
        }
    }
}
