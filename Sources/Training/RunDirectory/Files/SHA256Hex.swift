internal import Crypto
package import Interchange

/// SHA-256 over pieces, with its result in hexadecimal as files and messages show it.
struct SHA256Hex {
    private var hash = SHA256()

    mutating func absorb(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    }

    func hexadecimal() -> String { String(decoding: digits(), as: UTF8.self) }

    /// 64 lower-case digits, as ASCII.
    func digits() -> [UInt8] {
        var digits: [UInt8] = []
        digits.reserveCapacity(64)
        unsafe hash.finalize().withUnsafeBytes { bytes in
            for start in stride(from: 0, to: 32, by: 8) {
                unsafe digits.append(
                    hexadecimal: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)))
            }
        }
        return digits
    }
}

extension [UInt8] {
    /// Appends the 16 hexadecimal digits of a number, highest first.
    mutating func append(hexadecimal value: UInt64) {
        let start = count
        append(contentsOf: repeatElement(0, count: 16))
        var digits = mutableSpan
        for place in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * place)) & 0xF
            digits[start + place] = digit &+ (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
        }
    }
}

/// The hash of a model: SHA-256 over the little-endian float32 bytes of every parameter, in ascending byte order of its name,
/// nothing between them.
///
/// - Returns: 64 lower-case hexadecimal digits.
package func parametersSHA256(_ parameters: [NamedTensor]) -> String {
    var hash = SHA256Hex()
    for parameter in parameters.sorted(by: { $0.name.precedesByBytes($1.name) }) {
        precondition(
            parameter.type == .float32, "parametersSHA256: \(parameter.name) is \(parameter.type.rawValue), not F32")
        parameter.withBytes { hash.absorb($0) }
    }
    return hash.hexadecimal()
}
