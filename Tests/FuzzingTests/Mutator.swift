/// Makes inputs out of inputs, the same from the same seed.
struct Mutator {
    private var random: SplitMix

    init(seed: UInt64) { random = SplitMix(state: seed) }

    /// One of the inputs with one to four changes.
    mutating func mutation(of inputs: [[UInt8]]) -> [UInt8] {
        guard var bytes = inputs.randomElement(using: &random) else { return [] }
        for _ in 0..<Int.random(in: 1...4, using: &random) { change(&bytes, inputs) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8], _ inputs: [[UInt8]]) {
        guard let place = bytes.indices.randomElement(using: &random) else {
            bytes.append(.random(in: 0...255, using: &random))
            return
        }
        let length = min(bytes.count - place, Int.random(in: 1...16, using: &random))
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5B, 0x7B].randomElement(using: &random)!
        case 2: bytes.removeSubrange(place..<place + length)
        case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
        case 4: bytes.removeSubrange(place...)
        case 5:
            // A number at the edge of its range, in four or eight bytes.
            let value: UInt64 = [0, .max, 1 << 31, 1 << 32, 1 << 63].randomElement(using: &random)!
            for offset in 0..<min(bytes.count - place, Bool.random(using: &random) ? 4 : 8) {
                bytes[place + offset] = UInt8(truncatingIfNeeded: value >> UInt64(8 * offset))
            }
        case 6:
            // Digits, where there is a text.
            let digits = ["-1", "0", "1e999", "9223372036854775807", "18446744073709551616", "null"]
            bytes.replaceSubrange(place..<place + length, with: Array(digits.randomElement(using: &random)!.utf8))
        default:
            guard let other = inputs.randomElement(using: &random),
                let start = other.indices.randomElement(using: &random)
            else { return }
            bytes.replaceSubrange(place..<place + length, with: other[start..<min(other.count, start + 4 * length)])
        }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
