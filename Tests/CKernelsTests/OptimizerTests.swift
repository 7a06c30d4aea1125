import CKernels
import Testing

extension Kernels {
    @Test func `Adam follows its formula`() {
        var random = Random(seed: testSeed())
        for n in sizes + [1000] {
            for kind in Values.allCases {
                let g = numbers(n, kind, using: &random), p = numbers(n, kind, using: &random),
                    m = numbers(n, kind, using: &random)
                let v = numbers(n, kind, using: &random).map(abs)
                let s = ck_adam_settings(
                    divisor: 37, clip: 0.6, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step_size: 2e-3,
                    root_correction: 1.3, l2: 0.01, decay: 0.99)
                let result = sameBits("Adam, n \(n), \(kind)") {
                    var parameters = Guarded(p), first = Guarded(m), second = Guarded(v)
                    unsafe parameters.withPointer { parameters in
                        unsafe first.withPointer { first in
                            unsafe second.withPointer { second in
                                unsafe withUnsafePointer(to: s) { unsafe ck_adam(n, $0, g, parameters, first, second) }
                            }
                        }
                    }
                    return parameters.values() + first.values() + second.values()
                }
                if kind != .ordinary { continue }
                var exact = (p: [Double](), m: [Double](), v: [Double]())
                for index in 0..<n {
                    let gradient = Double(g[index]) / 37 * Double(s.clip) + Double(s.l2) * Double(p[index])
                    let first = Double(s.beta1) * Double(m[index]) + (1 - Double(s.beta1)) * gradient
                    let second = Double(s.beta2) * Double(v[index]) + (1 - Double(s.beta2)) * gradient * gradient
                    exact.m.append(first)
                    exact.v.append(second)
                    let root = second.squareRoot() * Double(s.root_correction) + Double(s.epsilon)
                    exact.p.append(Double(p[index]) * Double(s.decay) - Double(s.step_size) * first / root)
                }
                expectClose(result, exact.p + exact.m + exact.v, tolerance: 5e-7, "Adam, n \(n)")
            }
        }
    }

    @Test func `AMSGrad follows its formula`() {
        var random = Random(seed: testSeed())
        for n in sizes + [1000] {
            for kind in Values.allCases {
                let g = numbers(n, kind, using: &random), p = numbers(n, kind, using: &random),
                    m = numbers(n, kind, using: &random)
                let v = numbers(n, kind, using: &random).map(abs), w = numbers(n, kind, using: &random).map(abs)
                var s = ck_adam_settings(
                    divisor: -37, clip: 0.6, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step_size: 2e-3,
                    root_correction: 1.3, l2: 0.01, decay: 0.99)
                let result = sameBits("AMSGrad, n \(n), \(kind)") {
                    var p = Guarded(p), m = Guarded(m), v = Guarded(v), w = Guarded(w)
                    unsafe p.withPointer { p in
                        unsafe m.withPointer { m in
                            unsafe v.withPointer { v in
                                unsafe w.withPointer { w in unsafe ck_amsgrad(n, &s, g, p, m, v, w) }
                            }
                        }
                    }
                    return p.values() + m.values() + v.values() + w.values()
                }
                if kind != .ordinary { continue }
                var exact = (p: [Double](), m: [Double](), v: [Double](), w: [Double]())
                for index in 0..<n {
                    let gradient = Double(g[index]) / -37 * Double(s.clip) + Double(s.l2) * Double(p[index])
                    let first = Double(s.beta1) * Double(m[index]) + (1 - Double(s.beta1)) * gradient
                    let second = Double(s.beta2) * Double(v[index]) + (1 - Double(s.beta2)) * gradient * gradient
                    let largest = max(second, Double(w[index]))
                    exact.m.append(first)
                    exact.v.append(second)
                    exact.w.append(largest)
                    let root = largest.squareRoot() * Double(s.root_correction) + Double(s.epsilon)
                    exact.p.append(Double(p[index]) * Double(s.decay) - Double(s.step_size) * first / root)
                }
                expectClose(result, exact.p + exact.m + exact.v + exact.w, tolerance: 5e-7, "AMSGrad, n \(n)")
            }
        }
    }

    @Test(arguments: [0, 0.9] as [Float], [0, 0.7] as [Float])
    func `SGD follows its formula`(carried: Float, ahead: Float) {
        var random = Random(seed: testSeed())
        for n in sizes + [1000] {
            for kind in Values.allCases {
                let g = numbers(n, kind, using: &random), p = numbers(n, kind, using: &random),
                    b = numbers(n, kind, using: &random)
                var s = ck_sgd_settings(
                    divisor: 3, clip: 0.6, l2: 0.01, learning_rate: 0.1, carried: carried, taken: 0.8, ahead: ahead)
                for momentum in [false, true] {
                    let result = sameBits("SGD, n \(n), \(kind), momentum \(momentum)") {
                        var p = Guarded(p), b = Guarded(b)
                        unsafe p.withPointer { p in
                            unsafe b.withPointer { b in unsafe ck_sgd(n, &s, g, p, momentum ? b : nil) }
                        }
                        return p.values() + b.values()
                    }
                    if kind != .ordinary { continue }
                    var exact = (p: [Double](), b: [Double]())
                    for index in 0..<n {
                        let gradient = Double(g[index]) / 3 * Double(s.clip) + Double(s.l2) * Double(p[index])
                        let moved = Double(carried) * Double(b[index]) + Double(s.taken) * gradient
                        let step = !momentum ? gradient : ahead == 0 ? moved : gradient + Double(ahead) * moved
                        exact.b.append(momentum ? moved : Double(b[index]))
                        exact.p.append(Double(p[index]) - Double(s.learning_rate) * step)
                    }
                    expectClose(result, exact.p + exact.b, tolerance: 5e-7, "SGD, n \(n), momentum \(momentum)")
                }
            }
        }
    }

    @Test(arguments: [false, true], [false, true])
    func `RMSprop follows its formula`(centered: Bool, momentum: Bool) {
        var random = Random(seed: testSeed())
        for n in sizes + [1000] {
            for kind in Values.allCases {
                let g = numbers(n, kind, using: &random), p = numbers(n, kind, using: &random)
                // Ordinary averages leave a variance that is not the difference of two numbers near each other.
                let a = numbers(n, kind, scale: 0.3, using: &random), b = numbers(n, kind, using: &random)
                let v = numbers(n, kind, using: &random).map { kind == .ordinary ? abs($0) + 0.5 : abs($0) }
                var s = ck_rmsprop_settings(
                    divisor: 3, clip: 0.6, l2: 0.01, learning_rate: 0.1, alpha: 0.9, taken: 0.1, epsilon: 1e-3,
                    momentum: 0.7)
                let result = sameBits("RMSprop, n \(n), \(kind), centered \(centered), momentum \(momentum)") {
                    var p = Guarded(p), v = Guarded(v), a = Guarded(a), b = Guarded(b)
                    unsafe p.withPointer { p in
                        unsafe v.withPointer { v in
                            unsafe a.withPointer { a in
                                unsafe b.withPointer { b in
                                    unsafe ck_rmsprop(n, &s, g, p, v, centered ? a : nil, momentum ? b : nil)
                                }
                            }
                        }
                    }
                    return p.values() + v.values() + a.values() + b.values()
                }
                if kind != .ordinary { continue }
                var exact = (p: [Double](), v: [Double](), a: [Double](), b: [Double]())
                for index in 0..<n {
                    let gradient = Double(g[index]) / 3 * Double(s.clip) + Double(s.l2) * Double(p[index])
                    let square = Double(s.alpha) * Double(v[index]) + Double(s.taken) * gradient * gradient
                    let mean = Double(s.alpha) * Double(a[index]) + Double(s.taken) * gradient
                    let variance = centered ? square - mean * mean : square
                    let quotient = gradient / (variance.squareRoot() + Double(s.epsilon))
                    let step = momentum ? Double(s.momentum) * Double(b[index]) + quotient : quotient
                    exact.v.append(square)
                    exact.a.append(centered ? mean : Double(a[index]))
                    exact.b.append(momentum ? step : Double(b[index]))
                    exact.p.append(Double(p[index]) - Double(s.learning_rate) * step)
                }
                expectClose(result, exact.p + exact.v + exact.a + exact.b, tolerance: 1e-6, "RMSprop, n \(n)")
            }
        }
    }

    @Test func `a centered variance that rounding brings below zero is zero`() {
        var s = ck_rmsprop_settings(
            divisor: 1, clip: 1, l2: 0, learning_rate: 1, alpha: 1, taken: 0, epsilon: 0.5, momentum: 0)
        sameBits("RMSprop, variance below zero", expected: [-2]) {
            var p: [Float] = [0], v: [Float] = [1], a: [Float] = [1.0000001]
            unsafe ck_rmsprop(1, &s, [1], &p, &v, &a, nil)
            return p
        }
    }

    /// Known answers: `kat_vectors` of the Random123 distribution, philox4x32 with 10 rounds.
    @Test(
        arguments: [
            ([0, 0, 0, 0], [0, 0], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            (
                [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff], [0xffff_ffff, 0xffff_ffff],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
            ),
        ] as [([UInt32], [UInt32], [UInt32])])
    func `Philox gives the published answers`(counter: [UInt32], key: [UInt32], answer: [UInt32]) {
        #expect(block(counter, key) == answer)
    }

    private func block(_ counter: [UInt32], _ key: [UInt32]) -> [UInt32] {
        var words: [UInt32] = [0, 0, 0, 0]
        unsafe ck_philox(counter, key, &words)
        return words
    }

    @Test func `a dropout mask is made of Philox words in order`() {
        var random = Random(seed: testSeed())
        for n in [0] + sizes + [128, 129, 1000] {
            let key: [UInt32] = [.random(in: 0 ... .max, using: &random), .random(in: 0 ... .max, using: &random)]
            let c: [UInt32] = (0..<3).map { _ in .random(in: 0 ... .max, using: &random) }
            for threshold in [0, 0x33_3333, 0x80_0000, 0x100_0000] as [UInt32] {
                let words = (0..<((n + 3) / 4)).flatMap { block([UInt32($0)] + c, key) }
                let expected = words.prefix(n).map { $0 >> 8 < threshold ? Float(0) : 1.25 }
                sameBits("mask, n \(n), threshold \(threshold)", expected: expected) {
                    var mask = Guarded(count: n)
                    unsafe mask.withPointer { unsafe ck_dropout_mask(n, threshold, 1.25, c[0], c[1], c[2], key, $0) }
                    return mask.values()
                }
            }
        }
    }

    @Test func `an instruction set that is not there is refused, and the active one stays`() {
        let missing = [CK_PORTABLE, CK_AVX2, CK_AVX512, CK_NEON].filter { ck_isa_available($0) == 0 }
        #expect(!missing.isEmpty)
        let before = ck_isa_active()
        for isa in missing {
            #expect(ck_isa_select(isa) == -1)
            #expect(ck_isa_active() == before)
        }
        #expect(instructionSets.contains(ck_isa_best()))
    }

    @Test func `the peak loop counts its operations`() {
        for isa in instructionSets {
            ck_isa_select(isa)
            for precision in [CK_FP32, CK_BF16] {
                #expect(ck_fma_peak(precision, 1) > 0)
                #expect(ck_fma_peak(precision, 100) == 100 * ck_fma_peak(precision, 1))
            }
        }
        ck_isa_select(ck_isa_best())
    }
}
