import CKernels
import Foundation
import Testing

/// The definition, word by word.
private func reference(_ x: [Float]) -> UInt64 {
    let prime: UInt64 = 0x9E37_79B1_85EB_CA87
    var lanes = (1...UInt64(CK_CHECKSUM_LANES)).map { $0 &* prime }
    var words = stride(from: 0, to: x.count, by: 2).map { index in
        UInt64(x[index].bitPattern) | (index + 1 < x.count ? UInt64(x[index + 1].bitPattern) << 32 : 0)
    }
    while words.count % lanes.count != 0 { words.append(0) }
    for (index, word) in words.enumerated() {
        let mixed = (lanes[index % lanes.count] ^ word) &* prime
        lanes[index % lanes.count] = mixed << 29 | mixed >> 35
    }
    return lanes.reduce(UInt64(x.count)) { sum, lane in
        let mixed = (sum ^ lane) &* prime
        return mixed ^ (mixed >> 32)
    }
}

private func checksum(_ x: [Float], piece: Int? = nil) -> UInt64 {
    var state = ck_checksum()
    unsafe ck_checksum_begin(&state)
    let piece = piece ?? max(1, x.count)
    for first in stride(from: 0, to: x.count, by: piece) {
        unsafe x.withUnsafeBufferPointer { all in
            unsafe ck_checksum_add(&state, min(piece, x.count - first), all.baseAddress! + first)
        }
    }
    return unsafe ck_checksum_end(&state)
}

extension Kernels {
    @Test func `the checksum is the same from every instruction set and in any pieces`() {
        var random = Random(seed: testSeed())
        defer { _ = ck_isa_select(ck_isa_best()) }
        for n in [0] + sizes + [128, 129, 1000, 4099] {
            let x = numbers(n, .special, using: &random)
            let expected = reference(x)
            for set in instructionSets {
                #expect(ck_isa_select(set) == 0)
                #expect(checksum(x) == expected, "n \(n), instruction set \(set)")
                for piece in [1, 3] {
                    #expect(
                        checksum(x, piece: piece * Int(CK_CHECKSUM_PIECE)) == expected, "n \(n), instruction set \(set)"
                    )
                }
            }
        }
    }

    @Test func `the checksum tells any one bit, any two signs, and how many floats there are`() {
        var random = Random(seed: testSeed())
        let x = numbers(777, using: &random)
        let whole = checksum(x)
        for index in x.indices {
            for bit in 0..<32 {
                var changed = x
                changed[index] = Float(bitPattern: x[index].bitPattern ^ 1 << bit)
                if checksum(changed) == whole { Issue.record("float \(index), bit \(bit)") }
            }
        }
        // The multiplication by itself would lose two signs of one lane.
        for distance in [64, 128, 256, 512] where distance < x.count {
            for index in 0..<x.count - distance {
                var changed = x
                changed[index].negate()
                changed[index + distance].negate()
                if checksum(changed) == whole { Issue.record("signs of \(index) and \(index + distance)") }
            }
        }
        #expect(checksum(x + [0]) != whole && checksum(x.dropLast()) != whole)
        #expect(checksum([]) != checksum([0]))
    }
}

private func checksum(_ x: ArraySlice<Float>) -> UInt64 { checksum(Array(x)) }
