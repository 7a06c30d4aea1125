import CKernels
import Foundation
import Testing

extension Kernels {
    /// One element: c + the pair's products, on every instruction set.
    private func pair(
        _ a: (even: Float, odd: Float), _ b: (even: Float, odd: Float), from c: Float, _ what: String = ""
    ) -> Float {
        let expected = flushedProduct(
            rounded(a.even), rounded(b.even), flushedProduct(rounded(a.odd), rounded(b.odd), c))
        return sameBits("\(a) \(b) from \(c) \(what)", expected: [expected]) {
            var panels = [Float](repeating: 0, count: ck_packed_size(CK_BF16, 2, 1))
            var scratch = [Float](repeating: 0, count: ck_gemm_scratch_size(2))
            var result = [c]
            let axis = ck_k_axis(inner_count: 2, inner_stride: 1, outer_stride: 0)
            unsafe ck_pack(CK_BF16, 2, 1, [b.even, b.odd], axis, 2, &panels)
            unsafe ck_gemm(
                CK_BF16, CK_FROM_C, 1, 1, 2, [a.even, a.odd], 2, axis, panels, nil, &result, 1, &scratch)
            return result
        }[0]
    }

    @Test func `a pair of bf16 is two fused multiply-adds, the odd one first`() {
        // The odd product cancels c before the even one comes; the other way round the even one would be lost.
        #expect(pair((0x1p-30, 1), (1, -0x1p24), from: 0x1p24) == 0x1p-30)
        #expect(pair((1, 0x1p-30), (-0x1p24, 1), from: 0x1p24) == 0)
    }

    @Test func `subnormal numbers are zeros in products of bf16, and what rounds up to a normal one is none`() {
        #expect(pair((0x1p-70, 0), (0x1p-70, 0), from: 0).bitPattern == 0)
        #expect(pair((-0x1p-70, 0), (0x1p-70, 0), from: 0).bitPattern == Float(-0.0).bitPattern)
        #expect(pair((0, 0), (0, 0), from: 0x1p-127) == 0)
        #expect(pair((0x1p-127, 0), (0x1p100, 0), from: 0) == 0)
        // 2^-126 less a little: at subnormal spacing it would round up to 2^-126, at 24 bits it does only when it is close enough.
        let least = Float.leastNormalMagnitude
        #expect(pair((0x1p-100, 0), (-0x1p-50, 0), from: least) == 0)
        #expect(pair((0x1p-100, 0), (-0x1p-51, 0), from: least) == least)
        // A difference that is exact and subnormal.
        #expect(pair((0x1p-100, 0), (-0x1p-27, 0), from: least) == 0)
    }

    @Test func `factors are rounded to the nearest bf16, to even`() {
        for (x, wanted) in [
            (1 + 0x1p-8, 1), (1 + 0x1.8p-7, 1 + 0x1p-6), (1 + 0x1.0002p-8, 1 + 0x1p-7), (-1 - 0x1p-8, -1),
            (Float.greatestFiniteMagnitude, .infinity), (.leastNonzeroMagnitude, 0),
            (Float.leastNormalMagnitude.nextDown, 0), (.infinity, .infinity),
        ] as [(Float, Float)] {
            #expect(rounded(x) == wanted)
            #expect(pair((x, 0), (1, 0), from: 0) == wanted)
        }
        #expect(pair((.nan, 0), (1, 0), from: 0).isNaN)
        #expect(pair((.infinity, 0), (0, 0), from: 0).isNaN)
    }

    @Test func `pairs of any bits are the same on every instruction set`() {
        var random = Random(seed: testSeed())
        func bits() -> Float { Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random)) }
        // Products of two come near to the least normal number.
        func small() -> Float {
            let exponent = Int.random(in: -70 ... -56, using: &random)
            return Float(
                sign: Bool.random(using: &random) ? .plus : .minus, exponent: exponent,
                significand: .random(in: 1..<2, using: &random))
        }
        for round in 0..<4000 {
            let factors = (0..<4).map { _ in round % 2 == 0 ? bits() : small() }
            var c = bits()
            if round % 3 != 0 {
                c = Float(
                    bitPattern: (-rounded(factors[1]) * rounded(factors[3])).bitPattern
                        &+ .random(in: 0..<3, using: &random))
            }
            _ = pair((factors[0], factors[1]), (factors[2], factors[3]), from: c)
        }
    }

    @Test func `a product of bf16 is as far from the exact one as its sums are rounded`() {
        var random = Random(seed: testSeed())
        for (m, n, k) in [(13, 33, 97), (32, 40, 512), (5, 7, 2050)] {
            let a = numbers(m * k, using: &random), b = numbers(k * n, using: &random)
            let axis = ck_k_axis(inner_count: k, inner_stride: 1, outer_stride: 0)
            let result = sameBits("\(m) x \(n) x \(k)") {
                var panels = [Float](repeating: 0, count: ck_packed_size(CK_BF16, k, n))
                var scratch = [Float](repeating: 0, count: ck_gemm_scratch_size(k))
                var c = [Float](repeating: 0, count: m * n)
                unsafe ck_pack(CK_BF16, k, n, b, axis, k, &panels)
                unsafe ck_gemm(CK_BF16, CK_FROM_ZERO, m, n, k, a, k, axis, panels, nil, &c, n, &scratch)
                return c
            }
            for row in 0..<m {
                for column in 0..<n {
                    let terms = (0..<k).map { (Double(a[row * k + $0]), Double(b[column * k + $0])) }
                    let exact = zip(a[(row * k)..<((row + 1) * k)], b[(column * k)..<((column + 1) * k)])
                        .reduce(0) { $0 + Double(rounded($1.0)) * Double(rounded($1.1)) }
                    let magnitude = terms.reduce(0) { $0 + abs($1.0 * $1.1) }
                    let got = Double(result[row * n + column])
                    // k roundings, each of half an ulp of a partial sum.
                    #expect(abs(got - exact) <= Double(k) * 0x1p-24 * magnitude * 1.01)
                    // And the factors' own: 2^-8 of each product at most, twice 2^-9.
                    let unrounded = terms.reduce(0) { $0 + $1.0 * $1.1 }
                    #expect(abs(got - unrounded) <= (0x1p-8 + 0x1p-18 + Double(k) * 0x1p-24) * magnitude * 1.01)
                }
            }
        }
    }
}
