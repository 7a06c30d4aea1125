/// What one step took in and gave out, as checksums: two runs are the same run as long as their entries are equal.
package struct LedgerEntry: Sendable, Equatable {
    /// Counted from 1.
    package var step: UInt64
    /// Of the rows that the step was computed from.
    package var batch: UInt64
    /// Of the summed gradient before division and clipping; one for all, or one a parameter in ascending byte order of names.
    package var gradient: [UInt64]
    /// Of the parameters after the update, likewise.
    package var parameters: [UInt64]
    package var loss: Double
    /// Tokens that the loss was counted on.
    package var tokens: UInt64
    /// Of each shard's own part, in shard order; of groups of neighbours where there are many.
    package var shards: [UInt64]
    /// SHA-256 of all parameters after the update, at the steps that have a checkpoint by the run's own settings.
    package var parametersSHA256: String?

    package init(
        step: UInt64, batch: UInt64, gradient: [UInt64], parameters: [UInt64], loss: Double, tokens: UInt64,
        shards: [UInt64] = [], parametersSHA256: String? = nil
    ) {
        self.step = step
        self.batch = batch
        self.gradient = gradient
        self.parameters = parameters
        self.loss = loss
        self.tokens = tokens
        self.shards = shards
        self.parametersSHA256 = parametersSHA256
    }

    /// Equal bits: a loss that is not a number equals itself.
    package static func == (left: LedgerEntry, right: LedgerEntry) -> Bool {
        left.step == right.step && left.batch == right.batch && left.gradient == right.gradient
            && left.parameters == right.parameters && left.loss.bitPattern == right.loss.bitPattern
            && left.tokens == right.tokens && left.shards == right.shards
            && left.parametersSHA256 == right.parametersSHA256
    }
}

/// One line of `ledger.jsonl`: an entry, the hash of the line before, and the hash of all that.
///
/// The hash is SHA-256 over the line's bytes from its first to the quotation mark that closes `previous`. There is one way to
/// write an entry, so that any edited byte shows.
struct LedgerLine {
    /// Stands for the hash of the line before the first.
    static let noHash = [UInt8](repeating: UInt8(ascii: "0"), count: 64)

    let entry: LedgerEntry
    let previous: [UInt8]
    let hash: [UInt8]

    /// Appends the line that follows `previous`, with its newline, and returns its hash.
    static func render(_ entry: LedgerEntry, previous: [UInt8], into line: inout [UInt8]) -> [UInt8] {
        line.append(text: "{\"step\":")
        line.append(decimal: entry.step)
        line.append(text: ",\"batch\":\"")
        line.append(hexadecimal: entry.batch)
        line.append(text: "\",\"gradient\":\"")
        for checksum in entry.gradient { line.append(hexadecimal: checksum) }
        line.append(text: "\",\"parameters\":\"")
        for checksum in entry.parameters { line.append(hexadecimal: checksum) }
        line.append(text: "\",\"loss\":")
        if entry.loss.isFinite {
            line.append(contentsOf: entry.loss.description.utf8)
        } else {
            line.append(text: "null")
        }
        line.append(text: ",\"loss_bits\":\"")
        line.append(hexadecimal: entry.loss.bitPattern)
        line.append(text: "\",\"tokens\":")
        line.append(decimal: entry.tokens)
        if !entry.shards.isEmpty {
            line.append(text: ",\"shards\":\"")
            for checksum in entry.shards { line.append(hexadecimal: checksum) }
            line.append(text: "\"")
        }
        if let hash = entry.parametersSHA256 {
            line.append(text: ",\"parameters_sha256\":\"")
            line.append(contentsOf: hash.utf8)
            line.append(text: "\"")
        }
        line.append(text: ",\"previous\":\"")
        line.append(contentsOf: previous)
        line.append(text: "\"")
        var sha = SHA256Hex()
        unsafe sha.absorb(line.span.bytes)
        let hash = sha.digits()
        line.append(text: ",\"hash\":\"")
        line.append(contentsOf: hash)
        line.append(text: "\"}\n")
        return hash
    }

    /// Reads a line without its newline; nil when it is not written as `render` writes, whatever its hash says.
    init?(_ bytes: ArraySlice<UInt8>) {
        var scanner = LineScanner(bytes: bytes)
        guard scanner.takes("{\"step\":"), let step = scanner.takeNumber(),
            scanner.takes(",\"batch\":\""), let batch = scanner.takeChecksums(), batch.count == 1,
            scanner.takes("\",\"gradient\":\""), let gradient = scanner.takeChecksums(),
            scanner.takes("\",\"parameters\":\""), let parameters = scanner.takeChecksums(),
            scanner.takes("\",\"loss\":"), scanner.skip(past: ",\"loss_bits\":\""),
            let loss = scanner.takeChecksums(), loss.count == 1,
            scanner.takes("\",\"tokens\":"), let tokens = scanner.takeNumber()
        else { return nil }
        var shards: [UInt64] = []
        if scanner.takes(",\"shards\":\"") {
            guard let checksums = scanner.takeChecksums(), scanner.takes("\"") else { return nil }
            shards = checksums
        }
        var parametersSHA256: String?
        if scanner.takes(",\"parameters_sha256\":\"") {
            guard let digits = scanner.take(64), scanner.takes("\"") else { return nil }
            parametersSHA256 = String(decoding: digits, as: UTF8.self)
        }
        guard
            scanner.takes(",\"previous\":\""), let previous = scanner.take(64),
            scanner.takes("\",\"hash\":\""), let hash = scanner.take(64),
            scanner.takes("\"}"), scanner.isAtEnd
        else { return nil }
        entry = LedgerEntry(
            step: step, batch: batch[0], gradient: gradient, parameters: parameters,
            loss: Double(bitPattern: loss[0]), tokens: tokens, shards: shards, parametersSHA256: parametersSHA256)
        self.previous = previous
        self.hash = hash
    }
}

extension [UInt8] {
    fileprivate mutating func append(text: StaticString) {
        unsafe append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    fileprivate mutating func append(decimal value: UInt64) {
        let start = count
        var rest = value
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }
}

/// Takes the pieces of a line whose order is known.
private struct LineScanner {
    let bytes: ArraySlice<UInt8>
    var position: Int

    init(bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    var isAtEnd: Bool { position == bytes.endIndex }

    mutating func takes(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.endIndex - position >= count else { return false }
        let wanted = unsafe UnsafeBufferPointer(start: text.utf8Start, count: count)
        guard unsafe bytes[position..<position + count].elementsEqual(wanted) else { return false }
        position += count
        return true
    }

    /// Passes over everything up to the end of the next `text`, which begins with a comma.
    mutating func skip(past text: StaticString) -> Bool {
        guard let comma = bytes[position...].firstIndex(of: UInt8(ascii: ",")) else { return false }
        position = comma
        return takes(text)
    }

    mutating func takeNumber() -> UInt64? {
        let digits = bytes[position...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = UInt64(String(decoding: digits, as: UTF8.self)) else { return nil }
        position = digits.endIndex
        return number
    }

    /// Takes as many groups of 16 hexadecimal digits as there are before the closing quotation mark.
    mutating func takeChecksums() -> [UInt64]? {
        var checksums: [UInt64] = []
        var value: UInt64 = 0
        var digits = 0
        while position < bytes.endIndex {
            switch bytes[position] {
            case let byte where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
                value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case let byte where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte):
                value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return digits == 0 ? checksums : nil
            }
            position += 1
            digits += 1
            if digits == 16 {
                checksums.append(value)
                (value, digits) = (0, 0)
            }
        }
        return nil
    }

    mutating func take(_ count: Int) -> [UInt8]? {
        guard bytes.endIndex - position >= count else { return nil }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }
}
