import CKernels
import Foundation
import Testing

private typealias Map = (_ n: Int, _ x: UnsafePointer<Float>?, _ y: UnsafeMutablePointer<Float>?) -> Void

/// Bit patterns all over the range of floats: a stride prime to 2^32 reaches every exponent and both signs.
private func allOverTheRange(stride step: Int) -> [Float] {
    stride(from: 0, to: 1 << 32, by: step).map { Float(bitPattern: UInt32($0)) }
}

/// Distance in units of the last place of the float nearest to the exact value.
private func ulps(_ got: Float, _ exact: Double) -> Double {
    let magnitude = abs(exact)
    let unit = magnitude < 0x1p-126 ? 0x1p-149 : magnitude.binade * 0x1p-23
    return abs(Double(got) - exact) / unit
}

private func apply(_ map: Map, _ x: [Float]) -> [Float] {
    var y = Guarded(count: x.count)
    unsafe y.withPointer { unsafe map(x.count, x, $0) }
    return y.values()
}

private func applyInPlace(_ map: Map, _ x: [Float]) -> [Float] {
    var y = Guarded(x)
    unsafe y.withPointer { unsafe map(x.count, UnsafePointer($0), $0) }
    return y.values()
}

private func worst(of map: Map, over x: [Float], _ exact: (Double) -> Double) -> (ulps: Double, at: Float) {
    var worst = (ulps: 0.0, at: Float.nan)
    for (x, y) in unsafe zip(x, apply(map, x)) where x.isFinite {
        let wanted = exact(Double(x))
        let distance: Double
        if wanted.isNaN || abs(wanted) > Double(Float.greatestFiniteMagnitude) {
            distance = y.isNaN && wanted.isNaN || y == Float(wanted) ? 0 : .infinity
        } else {
            distance = ulps(y, wanted)
        }
        if !(distance <= worst.ulps) { worst = (distance, x) }
    }
    return worst
}

extension Kernels {
    private func check(_ name: String, _ map: @escaping Map, bound: Double, _ exact: @escaping (Double) -> Double) {
        let (distance, place) = unsafe worst(of: map, over: allOverTheRange(stride: 2999), exact)
        #expect(distance <= bound, "\(name): \(distance) ulp at \(place)")
        // Where results are neither saturated nor linear, much closer.
        let near = (-40_000...40_000).map { Float($0) * 0x1.3p-11 }
        let (closer, where_) = unsafe worst(of: map, over: near, exact)
        #expect(closer <= bound, "\(name): \(closer) ulp at \(where_)")
        let sample = allOverTheRange(stride: 1_000_003)
        let result = sameBits(name) { unsafe apply(map, sample) }
        sameBits("\(name) in place", expected: result) { unsafe applyInPlace(map, sample) }
    }

    @Test func `tanh is within 1.34 ulp of the exact value over all finite floats`() {
        unsafe check("tanh", { unsafe ck_tanh($0, $1, $2) }, bound: 1.34) { Foundation.tanh($0) }
    }

    @Test func `sigmoid is within 1.51 ulp of the exact value over all finite floats`() {
        unsafe check("sigmoid", { unsafe ck_sigmoid($0, $1, $2) }, bound: 1.51) {
            $0 < 0 ? Foundation.exp($0) / (1 + Foundation.exp($0)) : 1 / (1 + Foundation.exp(-$0))
        }
    }

    @Test func `exp is within 1.02 ulp of the exact value over all finite floats`() {
        unsafe check("exp", { unsafe ck_exp($0, $1, $2) }, bound: 1.02) { Foundation.exp($0) }
    }

    @Test func `log is within 0.83 ulp of the exact value over all finite floats`() {
        unsafe check("log", { unsafe ck_log($0, $1, $2) }, bound: 0.83) { Foundation.log($0) }
    }

    @Test func `functions keep to their limits at infinity and at zero`() {
        let x: [Float] = [-.infinity, .infinity, 0, -0.0, .nan]
        let expected: [(String, Map, [Float])] = unsafe [
            ("exp", { unsafe ck_exp($0, $1, $2) }, [0, .infinity, 1, 1, .nan]),
            ("log", { unsafe ck_log($0, $1, $2) }, [.nan, .infinity, -.infinity, -.infinity, .nan]),
            ("tanh", { unsafe ck_tanh($0, $1, $2) }, [-1, 1, 0, -0.0, .nan]),
            ("sigmoid", { unsafe ck_sigmoid($0, $1, $2) }, [0, 1, 0.5, 0.5, .nan]),
            ("relu", { unsafe ck_relu($0, $1, $2) }, [0, .infinity, 0, 0, 0]),
        ]
        for unsafe(name, map, answers) in unsafe expected { sameBits(name, expected: answers) { unsafe apply(map, x) } }
    }

    @Test func `elementwise functions of any length give the same bits, and in place`() {
        var random = Random(seed: testSeed())
        let maps: [(String, Map)] = unsafe [
            ("exp", { unsafe ck_exp($0, $1, $2) }), ("log", { unsafe ck_log($0, $1, $2) }),
            ("tanh", { unsafe ck_tanh($0, $1, $2) }), ("sigmoid", { unsafe ck_sigmoid($0, $1, $2) }),
            ("relu", { unsafe ck_relu($0, $1, $2) }), ("scale", { unsafe ck_scale($0, 0.3, $1, $2) }),
        ]
        for n in [0] + sizes {
            for kind in Values.allCases {
                let x = numbers(n, kind, scale: 4, using: &random)
                for unsafe(name, map) in unsafe maps {
                    let result = sameBits("\(name), n \(n), \(kind)") { unsafe apply(map, x) }
                    sameBits("\(name) in place, n \(n), \(kind)", expected: result) { unsafe applyInPlace(map, x) }
                }
            }
        }
    }

    @Test func `sums and products of elements are the IEEE ones`() {
        var random = Random(seed: testSeed())
        for n in [0] + sizes {
            for kind in Values.allCases {
                let x = numbers(n, kind, using: &random), y = numbers(n, kind, using: &random),
                    z = numbers(n, kind, using: &random)
                func check(
                    _ name: String, _ expected: [Float], _ start: [Float], _ body: (UnsafeMutablePointer<Float>) -> Void
                ) {
                    sameBits("\(name), n \(n), \(kind)", expected: expected) {
                        var result = Guarded(start)
                        unsafe result.withPointer { unsafe body($0) }
                        return result.values()
                    }
                }
                unsafe check("add", zip(x, y).map { $1 + $0 }, y) { unsafe ck_add(n, x, $0) }
                unsafe check("multiply", zip(x, y).map { $0 * $1 }, z) { unsafe ck_multiply(n, x, y, $0) }
                unsafe check("multiply in place", zip(x, y).map { $0 * $1 }, y) { unsafe ck_multiply(n, x, $0, $0) }
                unsafe check("multiply-add", (0..<n).map { z[$0].addingProduct(x[$0], y[$0]) }, z) {
                    unsafe ck_multiply_add(n, x, y, $0)
                }
                unsafe check("scale", x.map { -1.7 * $0 }, z) { unsafe ck_scale(n, -1.7, x, $0) }
                unsafe check("relu", x.map { $0 > 0 ? $0 : 0 }, z) { unsafe ck_relu(n, x, $0) }
                unsafe check("tanh backward", zip(x, y).map { $1 * Float(1).addingProduct(-$0, $0) }, z) {
                    unsafe ck_tanh_backward(n, x, y, $0)
                }
                unsafe check("tanh backward in place", zip(x, y).map { $1 * Float(1).addingProduct(-$0, $0) }, y) {
                    unsafe ck_tanh_backward(n, x, $0, $0)
                }
                unsafe check("sigmoid backward", zip(x, y).map { $1 * ($0 * (1 - $0)) }, z) {
                    unsafe ck_sigmoid_backward(n, x, y, $0)
                }
                unsafe check("relu backward", zip(x, y).map { $0 > 0 ? $1 : 0 }, z) {
                    unsafe ck_relu_backward(n, x, y, $0)
                }
            }
        }
    }
}
