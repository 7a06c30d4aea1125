import CKernels
import Foundation
import Testing

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// Rows of a larger array: `stride` floats from one to the next, `count` of them used.
private func rows(_ values: [Float], _ rows: Int, _ count: Int, stride: Int) -> [Float] {
    (0..<rows).flatMap { values[($0 * stride)..<($0 * stride + count)] }
}

/// Results of a kernel that writes several arrays, one behind the other.
private func joined(_ arrays: Guarded...) -> [Float] { arrays.flatMap { $0.values() } }

private struct Shape {
    let rows: Int, H: Int, stride: Int
    let hasPrevious: Bool, hasNext: Bool

    init(using random: inout Random) {
        rows = [1, 2, 3, 5].randomElement(using: &random)!
        H = (sizes + [128]).randomElement(using: &random)!
        stride = H + [0, 1, 9].randomElement(using: &random)!
        hasPrevious = Bool.random(using: &random)
        hasNext = Bool.random(using: &random)
    }
}

extension Kernels {
    @Test func `an LSTM step follows its equations, forward and backward`() {
        var random = Random(seed: testSeed())
        for _ in 0..<60 {
            let shape = Shape(using: &random), size = shape.rows * shape.H, H = shape.H
            for kind in [Values.ordinary, .special] {
                let pre = numbers(4 * size, kind, scale: 3, using: &random)
                let previous: [Float]? = shape.hasPrevious ? numbers(size, kind, using: &random) : nil
                let out = sameBits("LSTM forward \(shape) \(kind)") {
                    var gates = Guarded(pre), c = Guarded(count: size), tanh_c = Guarded(count: size)
                    var h = Guarded([Float](repeating: 7, count: shape.rows * shape.stride))
                    unsafe gates.withPointer { gates in
                        unsafe c.withPointer { c in
                            unsafe tanh_c.withPointer { tanh_c in
                                unsafe h.withPointer {
                                    unsafe ck_lstm_forward(shape.rows, H, gates, previous, c, tanh_c, $0, shape.stride)
                                }
                            }
                        }
                    }
                    return joined(gates, c, tanh_c, h)
                }
                let gates = Array(out[..<(4 * size)]), tanh_c = Array(out[(5 * size)..<(6 * size)])
                let above = numbers(shape.rows * shape.stride, kind, using: &random),
                    dc = numbers(size, kind, using: &random)
                let next: [Float]? = shape.hasNext ? numbers(size, kind, using: &random) : nil
                func backward(inPlace: Bool) -> [Float] {
                    var cell = Guarded(dc),
                        d_gates = Guarded(inPlace ? gates : [Float](repeating: .nan, count: 4 * size))
                    unsafe cell.withPointer { dc in
                        unsafe d_gates.withPointer { d_gates in
                            unsafe gates.withUnsafeBufferPointer {
                                let source = unsafe inPlace ? UnsafePointer(d_gates) : $0.baseAddress
                                unsafe ck_lstm_backward(
                                    shape.rows, H, source, previous, tanh_c, above, shape.stride, next, dc, d_gates)
                            }
                        }
                    }
                    return joined(cell, d_gates)
                }
                let back = sameBits("LSTM backward \(shape) \(kind)") { backward(inPlace: false) }
                sameBits("LSTM backward in place \(shape) \(kind)", expected: back) { backward(inPlace: true) }
                if kind != .ordinary { continue }

                var c: [Double] = [], h: [Double] = [], d_previous: [Double] = [],
                    d_gates = [Double](repeating: 0, count: 4 * size)
                for row in 0..<shape.rows {
                    for j in 0..<H {
                        let at = row * 4 * H + j, flat = row * H + j
                        let i = sigmoid(Double(pre[at])), f = sigmoid(Double(pre[at + H])),
                            g = tanh(Double(pre[at + 2 * H]))
                        let o = sigmoid(Double(pre[at + 3 * H])), before = Double(previous?[flat] ?? 0)
                        let now = f * before + i * g
                        c.append(now)
                        h.append(o * tanh(now))
                        let dh = Double(above[row * shape.stride + j]) + Double(next?[flat] ?? 0)
                        let d = Double(dc[flat]) + dh * o * (1 - tanh(now) * tanh(now))
                        d_previous.append(d * f)
                        d_gates[at] = d * g * i * (1 - i)
                        d_gates[at + H] = d * before * f * (1 - f)
                        d_gates[at + 2 * H] = d * i * (1 - g * g)
                        d_gates[at + 3 * H] = dh * tanh(now) * o * (1 - o)
                    }
                }
                expectClose(out[(4 * size)..<(5 * size)], c, tolerance: 1e-6, "c \(shape)")
                let used = rows(Array(out[(6 * size)...]), shape.rows, H, stride: shape.stride)
                expectClose(used, h, tolerance: 1e-6, "h \(shape)")
                expectClose(back[..<size], d_previous, tolerance: 2e-6, "dc \(shape)")
                expectClose(back[size...], d_gates, tolerance: 2e-6, "d_gates \(shape)")
            }
        }
    }

    @Test func `a GRU step follows its equations, forward and backward`() {
        var random = Random(seed: testSeed())
        for _ in 0..<60 {
            let shape = Shape(using: &random), size = shape.rows * shape.H, H = shape.H
            for kind in [Values.ordinary, .special] {
                let x = numbers(3 * size, kind, scale: 2, using: &random),
                    hidden = numbers(3 * size, kind, scale: 2, using: &random)
                let previous: [Float]? =
                    shape.hasPrevious ? numbers(shape.rows * shape.stride, kind, using: &random) : nil
                let out = sameBits("GRU forward \(shape) \(kind)") {
                    var gates = Guarded(x), h = Guarded([Float](repeating: 7, count: shape.rows * shape.stride))
                    unsafe gates.withPointer { gates in
                        unsafe h.withPointer {
                            unsafe ck_gru_forward(
                                shape.rows, H, gates, hidden, previous, shape.stride, $0, shape.stride)
                        }
                    }
                    return joined(gates, h)
                }
                let gates = Array(out[..<(3 * size)])
                let above = numbers(shape.rows * shape.stride, kind, using: &random)
                let next: [Float]? = shape.hasNext ? numbers(size, kind, using: &random) : nil
                func backward(inPlace: Bool) -> [Float] {
                    let empty = [Float](repeating: .nan, count: 3 * size)
                    var dx = Guarded(inPlace ? gates : empty), dh = Guarded(inPlace ? hidden : empty)
                    var back = Guarded(inPlace && next != nil ? next! : [Float](repeating: .nan, count: size))
                    unsafe dx.withPointer { dx in
                        unsafe dh.withPointer { dh in
                            unsafe back.withPointer { back in
                                unsafe gates.withUnsafeBufferPointer { apart in
                                    unsafe hidden.withUnsafeBufferPointer { hiddenApart in
                                        if inPlace {
                                            let after = unsafe next == nil ? nil : UnsafePointer(back)
                                            unsafe ck_gru_backward(
                                                shape.rows, H, dx, dh, previous, shape.stride, above, shape.stride,
                                                after, back, dx, dh)
                                        } else {
                                            unsafe ck_gru_backward(
                                                shape.rows, H, apart.baseAddress, hiddenApart.baseAddress, previous,
                                                shape.stride, above,
                                                shape.stride, next, back, dx, dh)
                                        }
                                    }
                                }
                            }
                        }
                    }
                    return joined(dx, dh, back)
                }
                let back = sameBits("GRU backward \(shape) \(kind)") { backward(inPlace: false) }
                sameBits("GRU backward in place \(shape) \(kind)", expected: back) { backward(inPlace: true) }
                if kind != .ordinary { continue }

                var h: [Double] = [], d_previous: [Double] = []
                var dx = [Double](repeating: 0, count: 3 * size), dh = dx
                for row in 0..<shape.rows {
                    for j in 0..<H {
                        let at = row * 3 * H + j, flat = row * H + j
                        let r = sigmoid(Double(x[at]) + Double(hidden[at])),
                            z = sigmoid(Double(x[at + H]) + Double(hidden[at + H]))
                        let hn = Double(hidden[at + 2 * H]), n = tanh(Double(x[at + 2 * H]) + r * hn)
                        let before = Double(previous?[row * shape.stride + j] ?? 0)
                        h.append((1 - z) * n + z * before)
                        let d = Double(above[row * shape.stride + j]) + Double(next?[flat] ?? 0)
                        let dn = d * (1 - z) * (1 - n * n)
                        d_previous.append(d * z)
                        dx[at] = dn * hn * r * (1 - r)
                        dx[at + H] = d * (before - n) * z * (1 - z)
                        dx[at + 2 * H] = dn
                        dh[at] = dx[at]
                        dh[at + H] = dx[at + H]
                        dh[at + 2 * H] = dn * r
                    }
                }
                expectClose(
                    rows(Array(out[(3 * size)...]), shape.rows, H, stride: shape.stride), h, tolerance: 1e-6,
                    "h \(shape)")
                expectClose(back[..<(3 * size)], dx, tolerance: 2e-6, "d_x_gates \(shape)")
                expectClose(back[(3 * size)..<(6 * size)], dh, tolerance: 2e-6, "d_h_gates \(shape)")
                expectClose(back[(6 * size)...], d_previous, tolerance: 2e-6, "dh_previous \(shape)")
            }
        }
    }

    @Test(arguments: [CK_TANH, CK_RELU])
    func `an RNN step follows its equations, forward and backward`(activation: ck_activation) {
        var random = Random(seed: testSeed())
        for _ in 0..<60 {
            let shape = Shape(using: &random), size = shape.rows * shape.H, H = shape.H
            for kind in [Values.ordinary, .special] {
                let pre = numbers(size, kind, scale: 2, using: &random)
                let out = sameBits("RNN forward \(shape) \(kind)") {
                    var h = Guarded([Float](repeating: 7, count: shape.rows * shape.stride))
                    unsafe h.withPointer { unsafe ck_rnn_forward(activation, shape.rows, H, pre, $0, shape.stride) }
                    return h.values()
                }
                let above = numbers(shape.rows * shape.stride, kind, using: &random)
                let next: [Float]? = shape.hasNext ? numbers(size, kind, using: &random) : nil
                let back = sameBits("RNN backward \(shape) \(kind)") {
                    var d_gates = Guarded(count: size)
                    unsafe d_gates.withPointer {
                        unsafe ck_rnn_backward(
                            activation, shape.rows, H, out, shape.stride, above, shape.stride, next, $0)
                    }
                    return d_gates.values()
                }
                if kind != .ordinary { continue }
                let h = pre.map { activation == CK_TANH ? tanh(Double($0)) : max(0, Double($0)) }
                let d_gates = (0..<size).map { flat in
                    let dh = Double(above[flat / H * shape.stride + flat % H]) + Double(next?[flat] ?? 0)
                    return dh * (activation == CK_TANH ? 1 - h[flat] * h[flat] : h[flat] > 0 ? 1 : 0)
                }
                expectClose(rows(out, shape.rows, H, stride: shape.stride), h, tolerance: 1e-6, "h \(shape)")
                expectClose(back, d_gates, tolerance: 2e-6, "d_gates \(shape)")
            }
        }
    }
}
