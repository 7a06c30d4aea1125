import CKernels
import Foundation
import Testing

/// Doubles as pairs of floats, so that their bits can be compared as all others are.
private func bits(_ value: Double) -> [Float] {
    [
        Float(bitPattern: UInt32(truncatingIfNeeded: value.bitPattern)),
        Float(bitPattern: UInt32(value.bitPattern >> 32)),
    ]
}

extension Kernels {
    @Test func `sums have their lanes, in every order of the processor`() {
        var random = Random(seed: testSeed())
        for n in [0] + sizes + [1000, 4099] {
            let x = numbers(n, using: &random), divisor: Float = 3.7
            func inLanes(_ term: (Float) -> Double) -> Double {
                var lanes = [Double](repeating: 0, count: Int(CK_LANES))
                for (index, value) in x.enumerated() { lanes[index % lanes.count] += term(value) }
                for width in [8, 4, 2, 1] { for lane in 0..<width { lanes[lane] += lanes[lane + width] } }
                return lanes[0]
            }
            sameBits("sum, n \(n)", expected: bits(inLanes { Double($0) })) { unsafe bits(ck_sum(n, x)) }
            sameBits("sum of squares, n \(n)", expected: bits(inLanes { Double($0 / divisor) * Double($0 / divisor) }))
            {
                unsafe bits(ck_sum_of_squares(n, divisor, x))
            }
            for piece in [1, 3] {
                sameBits("sum of squares in pieces, n \(n)", expected: unsafe bits(ck_sum_of_squares(n, divisor, x))) {
                    var sums = ck_squares()
                    for first in stride(from: 0, to: n, by: piece * Int(CK_LANES)) {
                        unsafe x.withUnsafeBufferPointer { all in
                            unsafe ck_squares_add(
                                &sums, min(piece * Int(CK_LANES), n - first), divisor, all.baseAddress! + first)
                        }
                    }
                    return unsafe bits(ck_squares_end(&sums))
                }
            }
            let exact = x.reduce(0.0) { $0 + Double($1) }, size = x.reduce(0.0) { $0 + abs(Double($1)) }
            #expect(unsafe abs(ck_sum(n, x) - exact) <= 1e-13 * size)
        }
    }

    @Test func `cross-entropy is the logarithm of the softmax at the target, and its gradient softmax minus one-hot`() {
        var random = Random(seed: testSeed())
        for V in sizes + [256, 1009] {
            for kind in Values.allCases {
                let rows = 4
                let x = numbers(rows * V, kind, scale: 6, using: &random)
                let targets = (0..<rows).map { $0 == 1 ? Int32(-1) : Int32.random(in: 0..<Int32(V), using: &random) }
                func run(gradient: Bool, inPlace: Bool) -> [Float] {
                    var losses = Guarded(count: rows),
                        d = Guarded(inPlace ? x : [Float](repeating: .nan, count: rows * V))
                    unsafe losses.withPointer { losses in
                        unsafe d.withPointer { d in
                            unsafe x.withUnsafeBufferPointer {
                                let source = unsafe inPlace ? UnsafePointer(d) : $0.baseAddress
                                unsafe ck_cross_entropy(rows, V, source, targets, losses, gradient ? d : nil)
                            }
                        }
                    }
                    return losses.values() + (gradient ? d.values() : [])
                }
                let result = sameBits("cross-entropy, V \(V), \(kind)") { run(gradient: true, inPlace: false) }
                sameBits("in place, V \(V), \(kind)", expected: result) { run(gradient: true, inPlace: true) }
                sameBits("loss only, V \(V), \(kind)", expected: Array(result[..<rows])) {
                    run(gradient: false, inPlace: false)
                }
                if kind != .ordinary { continue }
                var losses: [Double] = [], gradient: [Double] = []
                for row in 0..<rows {
                    let values = x[(row * V)..<((row + 1) * V)].map(Double.init), target = Int(targets[row])
                    let sum = values.reduce(0) { $0 + exp($1) }
                    losses.append(target < 0 ? 0 : log(sum) - values[target])
                    gradient += values.enumerated().map { target < 0 ? 0 : exp($1) / sum - ($0 == target ? 1 : 0) }
                }
                expectClose(result[..<rows], losses, tolerance: 1e-6, "losses, V \(V)")
                expectClose(result[rows...], gradient, tolerance: 5e-7, "gradient, V \(V)")
            }
        }
    }

    @Test func `softmax and its logarithm follow their definition, and in place`() {
        var random = Random(seed: testSeed())
        typealias Kernel = (_ rows: Int, _ n: Int, _ x: UnsafePointer<Float>?, _ y: UnsafeMutablePointer<Float>?) ->
            Void
        let kernels: [(String, Kernel, (Double, Double) -> Double)] = unsafe [
            ("softmax", { unsafe ck_softmax($0, $1, $2, $3) }, { exp($0) / $1 }),
            ("log-softmax", { unsafe ck_log_softmax($0, $1, $2, $3) }, { $0 - log($1) }),
        ]
        for n in sizes + [257] {
            for kind in Values.allCases {
                let rows = 3, x = numbers(rows * n, kind, scale: 5, using: &random)
                for unsafe(name, kernel, definition) in unsafe kernels {
                    let result = sameBits("\(name), n \(n), \(kind)") {
                        var y = Guarded(count: rows * n)
                        unsafe y.withPointer { unsafe kernel(rows, n, x, $0) }
                        return y.values()
                    }
                    sameBits("\(name) in place, n \(n), \(kind)", expected: result) {
                        var y = Guarded(x)
                        unsafe y.withPointer { unsafe kernel(rows, n, $0, $0) }
                        return y.values()
                    }
                    if kind != .ordinary { continue }
                    let exact = (0..<rows).flatMap { row in
                        let values = x[(row * n)..<((row + 1) * n)].map(Double.init),
                            sum = values.reduce(0) { $0 + exp($1) }
                        return values.map { definition($0, sum) }
                    }
                    expectClose(result, exact, tolerance: 1e-6, "\(name), n \(n)")
                }
            }
        }
    }

    @Test func `an embedding gathers rows, and its gradient adds them in token order`() {
        var random = Random(seed: testSeed())
        for E in sizes {
            let words = 7, count = 40, table = numbers(words * E, .wide, using: &random)
            let tokens = (0..<count).map { _ in Int32.random(in: 0..<Int32(words), using: &random) }
            let gathered = tokens.flatMap { table[(Int($0) * E)..<((Int($0) + 1) * E)] }
            sameBits("gathering, E \(E)", expected: gathered) {
                var out = Guarded(count: count * E)
                unsafe out.withPointer { unsafe ck_embedding(count, E, table, tokens, $0) }
                return out.values()
            }
            // Steps outside, sequences inside: x [5, 8, E + 2], tokens [8, 5].
            let x = numbers(count * (E + 2), using: &random)
            let axis = ck_k_axis(inner_count: 8, inner_stride: E + 2, outer_stride: 8 * (E + 2))
            let tokenAxis = ck_k_axis(inner_count: 8, inner_stride: 5, outer_stride: 1)
            var sums = table
            for index in 0..<count {
                let token = Int(tokens[index % 8 * 5 + index / 8])
                for j in 0..<E { sums[token * E + j] += x[index * (E + 2) + j] }
            }
            sameBits("scattering, E \(E)", expected: sums) {
                var result = Guarded(table)
                unsafe result.withPointer { unsafe ck_embedding_backward(count, E, x, axis, tokens, tokenAxis, $0) }
                return result.values()
            }
        }
    }
}
