import CKernels
import Testing

/// A k x n or m x k operand somewhere in a larger array, at random: row-major, transposed, two-level, or backwards in k.
private struct Operand {
    let values: [Float]
    let base: Int
    /// Between two neighbours of the other axis than k.
    let stride: Int
    let axis: ck_k_axis

    init(k: Int, other: Int, values kind: Values, using random: inout Random) {
        let padding = [0, 1, 5].randomElement(using: &random)!
        switch Int.random(in: 0..<5, using: &random) {
        case 0:  // k side by side
            stride = k + padding
            axis = ck_k_axis(inner_count: k, inner_stride: 1, outer_stride: 0)
            base = 0
        case 1:  // the other axis side by side
            stride = 1
            axis = ck_k_axis(inner_count: k, inner_stride: other + padding, outer_stride: 0)
            base = 0
        case 2:  // the other axis side by side, k in two levels with a gap between
            let inner = Int.random(in: 1...max(1, k), using: &random)
            stride = 1
            axis = ck_k_axis(
                inner_count: inner, inner_stride: other + padding, outer_stride: inner * (other + padding) + 3)
            base = 0
        case 3:  // k in two levels, side by side within one, with or without a gap between
            let inner = Int.random(in: 1...max(1, k), using: &random)
            let outer = (k + inner - 1) / inner
            stride = outer * (inner + padding) + 2
            axis = ck_k_axis(inner_count: inner, inner_stride: 1, outer_stride: inner + padding)
            base = 0
        default:  // backwards
            stride = 1
            axis = ck_k_axis(inner_count: k, inner_stride: -(other + padding), outer_stride: 0)
            base = max(0, k - 1) * (other + padding)
        }
        var last = base + max(0, other - 1) * stride
        for step in 0..<k { last = max(last, base + Self.place(axis, step) + max(0, other - 1) * stride) }
        values = numbers(last + 1, kind, using: &random)
    }

    static func place(_ axis: ck_k_axis, _ k: Int) -> Int {
        k / axis.inner_count * axis.outer_stride + k % axis.inner_count * axis.inner_stride
    }

    func callAsFunction(_ k: Int, _ other: Int) -> Float { values[base + Self.place(axis, k) + other * stride] }
}

private let precisions = [CK_FP32, CK_BF16]

private func packed(_ precision: ck_precision, k: Int, n: Int, _ b: Operand) -> [Float] {
    var result = Guarded(count: ck_packed_size(precision, k, n))
    unsafe b.values.withUnsafeBufferPointer { source in
        unsafe result.withPointer {
            unsafe ck_pack(precision, k, n, source.baseAddress! + b.base, b.axis, b.stride, $0)
        }
    }
    return result.values()
}

private func packedByDefinition(_ precision: ck_precision, k: Int, n: Int, _ b: Operand) -> [Float] {
    let panel = Int(CK_PANEL)
    var result = [Float](repeating: 0, count: ck_packed_size(precision, k, n))
    if precision == CK_BF16 {
        for step in 0..<(k + 1) / 2 {
            for column in 0..<n {
                let odd = 2 * step + 1 < k ? b(2 * step + 1, column) : 0
                result[column / panel * panel * ((k + 1) / 2) + step * panel + column % panel] = Float(
                    bitPattern: rounded(b(2 * step, column)).bitPattern >> 16 | rounded(odd).bitPattern)
            }
        }
        return result
    }
    for step in 0..<k {
        for column in 0..<n { result[column / panel * panel * k + step * panel + column % panel] = b(step, column) }
    }
    return result
}

private func product(
    _ precision: ck_precision, _ start: ck_start, m: Int, n: Int, k: Int, _ a: Operand, _ packed: [Float],
    bias: [Float], c: [Float], ldc: Int
) -> [Float] {
    var result = Guarded(c)
    var scratch = Guarded(count: ck_gemm_scratch_size(k))
    unsafe a.values.withUnsafeBufferPointer { source in
        unsafe scratch.withPointer { scratch in
            unsafe result.withPointer {
                let address = unsafe source.baseAddress! + a.base
                unsafe ck_gemm(precision, start, m, n, k, address, a.stride, a.axis, packed, bias, $0, ldc, scratch)
            }
        }
    }
    _ = scratch.values()
    return result.values()
}

/// One chain of fused multiply-adds an element, over k in order; of bf16, the odd k of a pair before the even one.
private func productByDefinition(
    _ precision: ck_precision, _ start: ck_start, m: Int, n: Int, k: Int, _ a: Operand, _ b: Operand, bias: [Float],
    c: [Float], ldc: Int
) -> [Float] {
    var result = c
    var chains = [Float](repeating: 0, count: n)
    for row in 0..<m {
        for column in 0..<n {
            chains[column] = start == CK_FROM_C ? c[row * ldc + column] : start == CK_FROM_BIAS ? bias[column] : 0
        }
        if precision == CK_BF16 {
            for step in (0..<(k + 1) / 2 * 2).map({ $0 ^ 1 }) {
                let left = step < k ? rounded(a(step, row)) : 0
                for column in 0..<n {
                    chains[column] = flushedProduct(left, step < k ? rounded(b(step, column)) : 0, chains[column])
                }
            }
        } else {
            for step in 0..<k {
                let left = a(step, row)
                for column in 0..<n { chains[column] = chains[column].addingProduct(left, b(step, column)) }
            }
        }
        for column in 0..<n {
            result[row * ldc + column] = start == CK_ADD_TO_C ? c[row * ldc + column] + chains[column] : chains[column]
        }
    }
    return result
}

private let starts = [CK_FROM_ZERO, CK_FROM_C, CK_FROM_BIAS, CK_ADD_TO_C]

extension Kernels {
    private func check(m: Int, n: Int, k: Int, _ kind: Values, using random: inout Random) {
        for precision in precisions { check(precision, m: m, n: n, k: k, kind, using: &random) }
    }

    private func check(
        _ precision: ck_precision, m: Int, n: Int, k: Int, _ kind: Values, using random: inout Random
    ) {
        let a = Operand(k: k, other: m, values: kind, using: &random)
        let b = Operand(k: k, other: n, values: kind, using: &random)
        let ldc = n + [0, 1, 7].randomElement(using: &random)!
        let c = numbers(m * ldc, kind, using: &random), bias = numbers(n, kind, using: &random)
        let what =
            "\(precision) \(m) x \(n) x \(k), A \(a.stride) \(a.axis), B \(b.stride) \(b.axis), row of C \(ldc), \(kind)"
        let panels = packedByDefinition(precision, k: k, n: n, b)
        sameBits("packing \(what)", expected: panels) { packed(precision, k: k, n: n, b) }
        let start = starts.randomElement(using: &random)!
        let reference = productByDefinition(precision, start, m: m, n: n, k: k, a, b, bias: bias, c: c, ldc: ldc)
        sameBits("\(start) \(what)", expected: reference) {
            product(precision, start, m: m, n: n, k: k, a, panels, bias: bias, c: c, ldc: ldc)
        }
    }

    @Test func `a product is one chain of fused multiply-adds over k in order, on every instruction set`() {
        var random = Random(seed: testSeed())
        for _ in 0..<220 {
            let m = sizes.randomElement(using: &random)!, n = sizes.randomElement(using: &random)!
            let k = (sizes + [0, 128]).randomElement(using: &random)!
            check(m: m, n: n, k: k, Values.allCases.randomElement(using: &random)!, using: &random)
        }
    }

    @Test func `a product cut along k goes on with the same chain`() {
        var random = Random(seed: testSeed())
        for k in [255, 256, 257, 511, 513, 1023, 1024, 1025, 1500, 2048, 2049, 3001] {
            for _ in 0..<4 {
                let m = [1, 5, 13, 32, 33].randomElement(using: &random)!,
                    n = [1, 15, 33, 40].randomElement(using: &random)!
                check(m: m, n: n, k: k, .ordinary, using: &random)
            }
        }
    }

    @Test func `a product of many blocks of rows and panels is the same chain`() {
        var random = Random(seed: testSeed())
        for (m, n, k) in [(700, 70, 65), (411, 33, 260), (97, 530, 33), (64, 257, 130), (130, 200, 100)] {
            for _ in 0..<2 { check(m: m, n: n, k: k, .ordinary, using: &random) }
        }
    }

    @Test func `products that share A are those of each right-hand side alone`() {
        var random = Random(seed: testSeed())
        for round in 0..<60 {
            let m = (sizes + [130]).randomElement(using: &random)!
            let k = (sizes + [0, 1025, 2049]).randomElement(using: &random)!
            let widths = (0..<(round / 2 % 3 + 1)).map { _ in sizes.randomElement(using: &random)! }
            let kind = Values.allCases.randomElement(using: &random)!
            let precision = precisions[round % 2]
            let a = Operand(k: k, other: m, values: kind, using: &random)
            let sides = widths.map { n in
                (
                    start: starts.randomElement(using: &random)!,
                    panels: packedByDefinition(
                        precision, k: k, n: n, Operand(k: k, other: n, values: kind, using: &random)),
                    bias: numbers(n, kind, using: &random), c: numbers(m * n, kind, using: &random)
                )
            }
            let alone = sides.indices.flatMap { i in
                product(
                    precision, sides[i].start, m: m, n: widths[i], k: k, a, sides[i].panels, bias: sides[i].bias,
                    c: sides[i].c,
                    ldc: widths[i])
            }
            sameBits("\(precision) \(m) x \(widths) x \(k), \(kind)", expected: alone) {
                // One after another in one array, as ck_product's pointers want them.
                var results = Guarded(sides.flatMap(\.c))
                let panels = sides.flatMap(\.panels), biases = sides.flatMap(\.bias)
                var scratch = [Float](repeating: 0, count: ck_gemm_scratch_size(k))
                unsafe a.values.withUnsafeBufferPointer { source in
                    unsafe panels.withUnsafeBufferPointer { panels in
                        unsafe biases.withUnsafeBufferPointer { biases in
                            unsafe results.withPointer { c in
                                var (panelPlace, biasPlace, place) = (0, 0, 0)
                                let products = unsafe widths.indices.map { i in
                                    defer {
                                        panelPlace += sides[i].panels.count
                                        biasPlace += widths[i]
                                        place += m * widths[i]
                                    }
                                    return unsafe ck_product(
                                        start: sides[i].start, n: widths[i],
                                        packed_b: panels.baseAddress.map { unsafe $0 + panelPlace },
                                        bias: biases.baseAddress.map { unsafe $0 + biasPlace }, c: c + place,
                                        ldc: widths[i])
                                }
                                unsafe ck_gemm_several(
                                    precision, m, k, source.baseAddress! + a.base, a.stride, a.axis, products.count,
                                    products,
                                    &scratch)
                            }
                        }
                    }
                }
                return results.values()
            }
        }
    }

    @Test func `without a k, C gets its start`() {
        var random = Random(seed: testSeed())
        for n in sizes { check(m: 3, n: n, k: 0, .special, using: &random) }
    }

    @Test func `a row of a product does not depend on the rows around it`() {
        var random = Random(seed: testSeed())
        let k = 131, n = 70, m = 29
        let a = numbers(m * k, using: &random), b = numbers(k * n, using: &random)
        let axis = ck_k_axis(inner_count: k, inner_stride: 1, outer_stride: 0)
        func rows(_ precision: ck_precision, _ first: Int, _ count: Int) -> [Float] {
            var panels = [Float](repeating: 0, count: ck_packed_size(precision, k, n)),
                scratch = [Float](repeating: 0, count: ck_gemm_scratch_size(k))
            var c = [Float](repeating: 0, count: count * n)
            unsafe ck_pack(precision, k, n, b, axis, k, &panels)
            unsafe ck_gemm(
                precision, CK_FROM_ZERO, count, n, k, Array(a[(first * k)...]), k, axis, panels, nil, &c, n, &scratch)
            return c
        }
        for precision in precisions {
            let whole = sameBits("all rows") { rows(precision, 0, m) }
            for first in 0..<m {
                let count = Int.random(in: 1...(m - first), using: &random)
                let expected = Array(whole[(first * n)..<((first + count) * n)])
                sameBits("\(precision) \(count) rows from \(first)", expected: expected) {
                    rows(precision, first, count)
                }
            }
        }
    }

    @Test func `the product of one row alone is the row that the matrix product gives`() {
        var random = Random(seed: testSeed())
        for round in 0..<160 {
            let n = (sizes + [127, 128, 129, 256, 300]).randomElement(using: &random)!
            let k = (sizes + [0, 128, 1025]).randomElement(using: &random)!
            let kind = Values.allCases.randomElement(using: &random)!
            let start = starts[round % starts.count], precision = precisions[round / starts.count % 2]
            let x = numbers(k, kind, using: &random), b = numbers(k * n, kind, using: &random)
            let bias = numbers(n, kind, using: &random), y = numbers(n, kind, using: &random)
            let axis = ck_k_axis(inner_count: max(k, 1), inner_stride: 1, outer_stride: 0)
            var panels = [Float](repeating: 0, count: ck_packed_size(precision, k, n))
            unsafe ck_pack(precision, k, n, b, axis, k, &panels)
            let matrix = sameBits("\(precision) \(start), k \(k), n \(n), \(kind)") {
                var row = Guarded(y)
                var scratch = [Float](repeating: 0, count: ck_gemm_scratch_size(k))
                unsafe row.withPointer {
                    unsafe ck_gemm(precision, start, 1, n, k, x, k, axis, panels, bias, $0, n, &scratch)
                }
                return row.values()
            }
            var scratch = [Float](repeating: 0, count: ck_gemm_scratch_size(k))
            sameBits("one row, \(precision) \(start), k \(k), n \(n), \(kind)", expected: matrix) {
                var row = Guarded(y)
                unsafe row.withPointer { unsafe ck_gemv(precision, start, n, k, x, panels, bias, $0, &scratch) }
                return row.values()
            }
        }
    }

    @Test func `column sums are chains of additions over k in order`() {
        var random = Random(seed: testSeed())
        for n in sizes + [128, 129, 200] {
            for start in [CK_FROM_ZERO, CK_FROM_C, CK_ADD_TO_C] {
                let k = [0, 1, 7, 33, 100].randomElement(using: &random)!,
                    inner = Int.random(in: 1...max(1, k), using: &random)
                let axis = ck_k_axis(inner_count: inner, inner_stride: n + 1, outer_stride: inner * (n + 1) + 4)
                let x = numbers(
                    Operand.place(axis, k) + n + 1, Values.allCases.randomElement(using: &random)!, using: &random)
                let sums = numbers(n, using: &random)
                let expected = (0..<n).map { column in
                    let chain = (0..<k).reduce(start == CK_FROM_C ? sums[column] : 0) {
                        $0 + x[Operand.place(axis, $1) + column]
                    }
                    return start == CK_ADD_TO_C ? sums[column] + chain : chain
                }
                sameBits("\(start), k \(k), n \(n)", expected: expected) {
                    var result = Guarded(sums)
                    unsafe result.withPointer { unsafe ck_column_sums(start, k, n, x, axis, $0) }
                    return result.values()
                }
            }
        }
    }
}
