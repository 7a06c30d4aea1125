/// Names one training job: 128 random bits, shown as 32 hexadecimal digits.
package struct RunID: Hashable, Sendable, CustomStringConvertible {
    /// The first eight bytes as they travel, read little-endian.
    package let low: UInt64
    /// The last eight bytes as they travel, read little-endian.
    package let high: UInt64

    /// What a message carries when it belongs to no run yet.
    package static let none = RunID(low: 0, high: 0)

    package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// Draws a new run; never `none`.
    package static func random(using generator: inout some RandomNumberGenerator) -> RunID {
        RunID(low: generator.next(), high: generator.next() | 1)
    }

    /// Reads the 32 digits that `description` writes; nil for anything else.
    package init?(_ text: String) {
        let digits = text.utf8
        guard digits.count == 32 else { return nil }
        var bytes: [UInt8] = []
        var half: UInt8 = 0
        for (position, character) in digits.enumerated() {
            guard let digit = RunID.value(ofDigit: character) else { return nil }
            if position % 2 == 0 { half = digit << 4 } else { bytes.append(half | digit) }
        }
        var low: UInt64 = 0
        var high: UInt64 = 0
        for position in (0..<8).reversed() {
            low = low << 8 | UInt64(bytes[position])
            high = high << 8 | UInt64(bytes[8 + position])
        }
        self.init(low: low, high: high)
    }

    /// The sixteen bytes in the order they travel, two digits each.
    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for word in [low, high] {
            for position in 0..<8 {
                let byte = UInt8(truncatingIfNeeded: word >> UInt64(8 * position))
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func value(ofDigit character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
