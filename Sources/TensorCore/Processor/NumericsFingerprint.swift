internal import CKernels
internal import Randomness

/// A short self-test of the kernels, as the bits that it gives.
///
/// Processes whose fingerprints are equal compute the same bits; the handshake compares them.
public struct NumericsFingerprint: Sendable, Equatable {
    /// 256 bits over the results of products in each precision, activations, cross-entropy, sums and Adam on fixed input.
    public let words: [UInt64]

    /// The same as 32 bytes, little-endian.
    package var bytes: [UInt8] {
        words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) } }
    }

    /// The same as 64 hexadecimal digits.
    public var hex: String {
        words.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Runs the self-test, about a millisecond.
    public static func measure() -> NumericsFingerprint {
        var hash = BitHash()
        var values = FixedInput()
        for precision in Precision.allCases { matrixProducts(precision, &hash, &values) }
        recurrentCells(&hash, &values)
        lossAndOptimizer(&hash, &values)
        return NumericsFingerprint(words: hash.words)
    }

    private static func matrixProducts(_ precision: Precision, _ hash: inout BitHash, _ values: inout FixedInput) {
        for (m, n, k) in [(1, 1, 1), (13, 35, 70), (7, 64, 300), (32, 33, 17)] {
            let (a, b, c) = (values.block(m * k), values.block(k * n), values.block(m * n))
            let packed = Storage.packed(precision, depth: k, width: n)
            unsafe ck_pack(precision.kernel, k, n, b.base, .plain(k, stride: n), 1, packed.base)
            for start in [CK_FROM_ZERO, CK_FROM_C, CK_ADD_TO_C] {
                let scratch = productScratch(depth: k)
                unsafe ck_gemm(
                    precision.kernel, start, m, n, k, a.base, k, .plain(k, stride: 1), packed.base, nil, c.base, n,
                    scratch.base)
                hash.absorb(c)
            }
        }
    }

    private static func recurrentCells(_ hash: inout BitHash, _ values: inout FixedInput) {
        let (rows, hidden) = (3, 37)
        let size = rows * hidden
        let (gates, cell, previous) = (values.block(4 * size), Storage(count: size), values.block(size))
        let (squashed, output, above) = (Storage(count: size), Storage(count: size), values.block(size))
        let (cellGradient, next) = (values.block(size), values.block(size))
        unsafe ck_lstm_forward(rows, hidden, gates.base, previous.base, cell.base, squashed.base, output.base, hidden)
        for block in [gates, cell, squashed, output] { hash.absorb(block) }
        unsafe ck_lstm_backward(
            rows, hidden, gates.base, previous.base, squashed.base, above.base, hidden, next.base, cellGradient.base,
            gates.base)
        for block in [gates, cellGradient] { hash.absorb(block) }
        let (inputGates, hiddenGates) = (values.block(3 * size), values.block(3 * size))
        unsafe ck_gru_forward(
            rows, hidden, inputGates.base, hiddenGates.base, previous.base, hidden, output.base, hidden)
        hash.absorb(output)
        unsafe ck_gru_backward(
            rows, hidden, inputGates.base, hiddenGates.base, previous.base, hidden, above.base, hidden, next.base,
            next.base,
            inputGates.base, hiddenGates.base)
        for block in [inputGates, hiddenGates, next] { hash.absorb(block) }
    }

    private static func lossAndOptimizer(_ hash: inout BitHash, _ values: inout FixedInput) {
        let (rows, classes) = (5, 67)
        let (logits, losses, gradient) = (
            values.block(rows * classes), Storage(count: rows), Storage(count: rows * classes)
        )
        unsafe ck_cross_entropy(rows, classes, logits.base, [0, 66, -1, 31, 16], losses.base, gradient.base)
        for block in [losses, gradient] { hash.absorb(block) }
        hash.absorb(unsafe ck_sum_of_squares(gradient.count, 3, gradient.base).bitPattern)
        let (parameters, first, second) = (
            values.block(gradient.count), values.block(gradient.count), Storage(zeros: gradient.count)
        )
        var settings = ck_adam_settings(
            divisor: 3, clip: 0.7, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step_size: 0.01, root_correction: 31.6,
            l2: 0.01,
            decay: 0.999)
        unsafe ck_adam(gradient.count, &settings, gradient.base, parameters.base, first.base, second.base)
        for block in [parameters, first, second] { hash.absorb(block) }
    }
}

/// Numbers of many magnitudes, the same on every machine.
private struct FixedInput {
    private let philox = Philox(seed: 0x4C4F_434B_5354_4550, purpose: .selfTest)
    private var blocks: UInt32 = 0

    mutating func block(_ count: Int) -> Storage {
        blocks += 1
        let block = Storage(count: count)
        for index in 0..<count {
            let words = philox.block(UInt32(index), blocks, 0, 0)
            let spread = Float(1 << Int(words.y % 9)) / 16
            unsafe block.base[index] = (Philox.uniform(words.x) * 2 - 1) * spread
        }
        return block
    }
}

/// Four lanes of multiply-and-rotate over bit patterns: enough to tell two results apart, not for security.
private struct BitHash {
    private(set) var words: [UInt64] = [1, 2, 3, 4]
    private var position = 0

    mutating func absorb(_ value: UInt64) {
        let mixed = (words[position] ^ value) &* 0x9E37_79B9_7F4A_7C15
        words[position] = mixed << 29 | mixed >> 35
        position = (position + 1) % words.count
    }

    mutating func absorb(_ block: Storage) {
        for index in 0..<block.count { absorb(UInt64(unsafe block.base[index].bitPattern)) }
    }
}
