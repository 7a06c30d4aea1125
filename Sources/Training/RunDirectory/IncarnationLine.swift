internal import Coordination

/// What the file `incarnation` holds: a number, a space, and a checksum of the two, so that no damaged one passes for another.
enum IncarnationLine {
    static let fileName = "incarnation"
    /// Bytes.
    static let limit = 64

    static func bytes(_ number: UInt64) -> [UInt8] {
        let text = Array("\(number) ".utf8)
        var line = text
        line.append(hexadecimal: unsafe XXH64.hash(text.span.bytes))
        line.append(UInt8(ascii: "\n"))
        return line
    }

    /// Nil when the line is not as it was written. A number alone is one that an earlier version wrote.
    static func number(in line: [UInt8]) -> UInt64? {
        let digits = line.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = UInt64(String(decoding: digits, as: UTF8.self)) else { return nil }
        return line == bytes(number) || line == Array("\(number)\n".utf8) ? number : nil
    }
}
