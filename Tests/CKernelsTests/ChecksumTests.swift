import CKernels
import Foundation
import Testing

private let prime: UInt64 = 0x9E37_79B1_85EB_CA87

/// The lanes once they have taken all words, whose number is a multiple of theirs.
private func mixed(_ words: [UInt64]) -> [UInt64] {
    var lanes = (1...UInt64(CK_CHECKSUM_LANES)).map { $0 &* prime }
    for (index, word) in words.enumerated() {
        let mixed = (lanes[index % lanes.count] ^ word) &* prime
        lanes[index % lanes.count] = mixed << 29 | mixed >> 35
    }
    return lanes
}

private func finished(_ lanes: [UInt64], _ start: UInt64) -> UInt64 {
    lanes.reduce(start) { sum, lane in
        let mixed = (sum ^ lane) &* prime
        return mixed ^ (mixed >> 32)
    }
}

/// The definition, word by word.
private func reference(_ x: [Float]) -> UInt64 {
    var words = stride(from: 0, to: x.count, by: 2).map { index in
        UInt64(x[index].bitPattern) | (index + 1 < x.count ? UInt64(x[index + 1].bitPattern) << 32 : 0)
    }
    while words.count % Int(CK_CHECKSUM_LANES) != 0 { words.append(0) }
    return finished(mixed(words), UInt64(x.count))
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

extension Kernels {
    @Test
    func
        `the checksum of bytes is the same from every instruction set, and tells any one bit of seed, bytes and count`()
    {
        var random = Random(seed: testSeed())
        defer { _ = ck_isa_select(ck_isa_best()) }
        for count in [0, 1, 7, 8, 80, 255, 256, 257, 511, 513, 4099] {
            var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let expected = reference(bytes, seed: 7)
            for set in instructionSets {
                #expect(ck_isa_select(set) == 0)
                #expect(unsafe ck_checksum_bytes(7, count, bytes) == expected, "\(count) bytes, instruction set \(set)")
            }
            for bit in 0..<64 { #expect(unsafe ck_checksum_bytes(7 ^ 1 << UInt64(bit), count, bytes) != expected) }
            for bit in 0..<8 * count {
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                if unsafe ck_checksum_bytes(7, count, bytes) == expected { Issue.record("\(count) bytes, bit \(bit)") }
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            }
            #expect(unsafe ck_checksum_bytes(7, count + 1, bytes + [0]) != expected)
        }
    }

    @Test func `infinities and NaNs are found wherever they are, and nothing else is taken for one`() {
        defer { _ = ck_isa_select(ck_isa_best()) }
        let finite: [Float] = [0, -0, 1, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude]
        for set in instructionSets {
            #expect(ck_isa_select(set) == 0)
            for count in [0, 1, 3, 16, 17, 67, 130] {
                var x = (0..<count).map { finite[$0 % finite.count] }
                #expect(unsafe ck_are_finite(count, x) == 1, "\(count) floats, instruction set \(set)")
                for place in 0..<count {
                    for wrong in [Float.infinity, -.infinity, .nan, .signalingNaN] {
                        let right = x[place]
                        x[place] = wrong
                        if unsafe ck_are_finite(count, x) != 0 { Issue.record("\(wrong) at \(place) of \(count)") }
                        x[place] = right
                    }
                }
            }
        }
    }
}

/// The definition, word by word.
private func reference(_ bytes: [UInt8], seed: UInt64) -> UInt64 {
    let lanes = Int(CK_CHECKSUM_LANES)
    let padded = bytes + Array(repeating: 0, count: (8 * lanes - bytes.count % (8 * lanes)) % (8 * lanes))
    let words = stride(from: 0, to: padded.count, by: 8).map { place in
        (0..<8).reduce(UInt64(0)) { $0 | UInt64(padded[place + $1]) << UInt64(8 * $1) }
    }
    return finished(mixed(words), seed &+ UInt64(bytes.count))
}
