import CKernels
import Foundation
import Testing

/// All kernel tests: one after another, because they switch the instruction set of the whole process.
@Suite(.serialized) struct Kernels {}

/// Every instruction set that this processor has, the portable one first.
let instructionSets = [CK_PORTABLE, CK_AVX2, CK_AVX512, CK_AVX512_BF16, CK_NEON].filter { ck_isa_available($0) == 1 }

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

/// The seed of a randomised test: from `LOCKSTEP_TEST_SEED`, or a new one; printed either way.
func testSeed(_ test: String = #function) -> UInt64 {
    let given = ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"].flatMap(UInt64.init)
    let seed = given ?? UInt64.random(in: 0...UInt64.max)
    print("\(test) LOCKSTEP_TEST_SEED=\(seed)")
    return seed
}

/// Sizes around every vector width, one, and primes.
let sizes = [1, 2, 3, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 25, 31, 32, 33, 47, 63, 64, 65, 97]

private let specialValues: [Float] = [
    0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 0x1p-127, -0x1.8p-130, .leastNormalMagnitude, 1e-30, 1,
    -1, 88.7, -103.9, 1e30,
    .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .infinity, -.infinity, .nan,
]

enum Values: CaseIterable {
    /// Between -1 and 1, as in a network.
    case ordinary
    /// Ordinary ones times powers of ten from 1e-42 to 1e+38, and both zeros.
    case wide
    /// Wide ones, with infinities and NaN among them.
    case special
}

func numbers(_ count: Int, _ values: Values = .ordinary, scale: Float = 1, using random: inout Random) -> [Float] {
    (0..<count).map { _ in
        let ordinary = Float.random(in: -scale...scale, using: &random)
        switch values {
        case .ordinary: return ordinary
        case .wide where Bool.random(using: &random): return specialValues[Int.random(in: 0..<14, using: &random)]
        case .special where Int.random(in: 0..<8, using: &random) == 0:
            return specialValues.randomElement(using: &random) ?? 0
        case .wide, .special: return ordinary * Float(Foundation.pow(10, Double.random(in: -40...37, using: &random)))
        }
    }
}

/// The first place where two results differ; a NaN equals a NaN, and nothing else is forgiven.
func firstDifference(_ left: [Float], _ right: [Float]) -> String? {
    if left.count != right.count { return "\(left.count) against \(right.count) elements" }
    for index in left.indices
    where left[index].bitPattern != right[index].bitPattern && !(left[index].isNaN && right[index].isNaN) {
        return "element \(index): \(left[index]) against \(right[index])"
    }
    return nil
}

/// Runs `body` under every instruction set and expects the same bits from all, and those of `expected` where it is given.
///
/// - Returns: the result of the portable one.
@discardableResult
func sameBits(
    _ what: @autoclosure () -> String, expected: [Float]? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () -> [Float]
) -> [Float] {
    let before = ck_isa_active()
    defer { ck_isa_select(before) }
    var results: [[Float]] = []
    for isa in instructionSets {
        ck_isa_select(isa)
        let result = body()
        if let reference = expected ?? results.first, let difference = firstDifference(result, reference) {
            let name = unsafe String(cString: ck_isa_name(isa))
            let against = expected == nil ? "portable" : "the reference"
            Issue.record("\(what()): \(name) against \(against): \(difference)", sourceLocation: sourceLocation)
        }
        results.append(result)
    }
    return results[0]
}

/// Expects every element within `tolerance` of its reference, relative to 1 or to the reference where that is larger.
func expectClose(
    _ result: some Sequence<Float>, _ reference: some Sequence<Double>, tolerance: Double,
    _ what: @autoclosure () -> String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    for (index, (got, wanted)) in zip(result, reference).enumerated()
    where !(abs(Double(got) - wanted) <= tolerance * max(1, abs(wanted))) {
        Issue.record("\(what()): element \(index): \(got), wanted \(wanted)", sourceLocation: sourceLocation)
        return
    }
}

/// An array with room behind its end that no kernel may touch.
struct Guarded {
    static let room = 19
    private static let mark: Float = -0x1.badcaep+77
    private(set) var all: [Float]
    let count: Int

    init(_ values: [Float]) {
        count = values.count
        all = values + [Float](repeating: Self.mark, count: Self.room)
    }

    init(count: Int) { self.init([Float](repeating: .nan, count: count)) }

    /// The values, once the room behind them is found untouched.
    func values(sourceLocation: SourceLocation = #_sourceLocation) -> [Float] {
        #expect(all[count...].allSatisfy { $0 == Self.mark }, "written past the end", sourceLocation: sourceLocation)
        return Array(all[..<count])
    }

    mutating func withPointer<Result>(_ body: (UnsafeMutablePointer<Float>) -> Result) -> Result {
        unsafe all.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
    }
}
