internal import Randomness

/// Two numbers of up to three digits and their sum, as a line to be completed: `47+385=234`, the sum written units
/// first.
package struct AdditionSum: Sendable, Hashable {
    package let first: Int
    package let second: Int

    /// Digit d has index d; the newline ends a line and fills what is beyond its end.
    package static let vocabulary = Vocabulary(symbols: "0123456789+=\n")
    private static let plus: Int32 = 10
    private static let equals: Int32 = 11
    package static let newline: Int32 = 12

    /// Symbols of `999+999=8991` and its newline.
    static let longestLine = 13

    package init(_ first: Int, _ second: Int) {
        precondition(
            (0..<1000).contains(first) && (0..<1000).contains(second),
            "AdditionSum: \(first) + \(second); operands are in 0..<1000")
        self.first = first
        self.second = second
    }

    /// Up to and with the equals sign.
    package var prompt: [Int32] {
        var symbols: [Int32] = []
        symbols.reserveCapacity(Self.longestLine)
        Self.append(first, to: &symbols)
        symbols.append(Self.plus)
        Self.append(second, to: &symbols)
        symbols.append(Self.equals)
        return symbols
    }

    /// The sum, units first, and the newline.
    package var answer: [Int32] {
        var symbols: [Int32] = []
        Self.appendUnitsFirst(first + second, to: &symbols)
        symbols.append(Self.newline)
        return symbols
    }

    /// Prompt and answer.
    var line: (symbols: [Int32], firstCounted: Int) {
        var symbols = prompt
        let firstCounted = symbols.count
        Self.appendUnitsFirst(first + second, to: &symbols)
        symbols.append(Self.newline)
        return (symbols, firstCounted)
    }

    private static func append(_ number: Int, to symbols: inout [Int32]) {
        if number >= 100 { symbols.append(Int32(number / 100)) }
        if number >= 10 { symbols.append(Int32(number / 10 % 10)) }
        symbols.append(Int32(number % 10))
    }

    private static func appendUnitsFirst(_ number: Int, to symbols: inout [Int32]) {
        var rest = number
        repeat {
            symbols.append(Int32(rest % 10))
            rest /= 10
        } while rest > 0
    }
}

extension AdditionSum {
    private static let holdOut = Philox(seed: 0, purpose: .validation)

    /// Whether training never draws it: about one in 64 sums, the same in every run.
    ///
    /// a + b and b + a are held out together, so that no held-out sum is learnt from its mirror image.
    package var isHeldOut: Bool {
        Self.holdOut.block(UInt32(min(first, second)), UInt32(max(first, second)), 0, 0).x >> 26 == 0
    }

    /// Each operand has one, two or three digits with equal chance and is then any number of that many digits: short
    /// sums, which are few, are learnt too.
    init(drawnFrom words: SIMD4<UInt32>) {
        self.init(Self.operand(words.x, words.y), Self.operand(words.z, words.w))
    }

    private static func operand(_ digits: UInt32, _ value: UInt32) -> Int {
        switch Philox.bounded(digits, below: 3) {
        case 0: Int(Philox.bounded(value, below: 10))
        case 1: Int(10 + Philox.bounded(value, below: 90))
        default: Int(100 + Philox.bounded(value, below: 900))
        }
    }
}
