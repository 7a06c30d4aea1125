/// A text as tokens.
package struct Text: Sendable {
    package let file: TextFile
    package let vocabulary: Vocabulary
    /// How many tokens it has.
    package let count: Int
    private let storage: Storage

    /// The file's own bytes serve as tokens wherever one byte is one symbol, so that a text is in memory once.
    private enum Storage {
        /// Token t is `indices[bytes[t]]`.
        case bytes([UInt8], indices: [Int32])
        case tokens([Int32])
    }

    private static let everyByte = (0..<256).map { Int32($0) }

    /// - Parameter mode: `characters` makes a vocabulary of the text's distinct Unicode scalars, in ascending order.
    /// - Throws: `empty`, `oneSymbol` or `invalidUTF8`.
    package init(_ file: TextFile, mode: TextMode = .characters) throws(SequenceError) {
        guard !file.bytes.isEmpty else {
            throw SequenceError(.empty, "\(file.path) is empty; wanted a text to learn from")
        }
        switch mode {
        case .bytes:
            let first = file.bytes[0]
            guard file.bytes.contains(where: { $0 != first }) else {
                throw Self.oneSymbol(
                    file, "byte 0x" + (first < 16 ? "0" : "") + String(first, radix: 16, uppercase: true),
                    file.bytes.count)
            }
            try self.init(file, vocabulary: .bytes)
        case .characters:
            let (scalars, count) = try Self.distinctScalars(file)
            guard scalars.count > 1 else { throw Self.oneSymbol(file, String(scalars[0]).debugDescription, count) }
            try self.init(file, vocabulary: Vocabulary(mode: .characters, scalars: scalars))
        }
    }

    /// A text in the symbols of a vocabulary that exists already.
    ///
    /// - Throws: `empty`, `unknownSymbol` or `invalidUTF8`.
    package init(_ file: TextFile, vocabulary: Vocabulary) throws(SequenceError) {
        guard !file.bytes.isEmpty else {
            throw SequenceError(.empty, "\(file.path) is empty; wanted a text to learn from")
        }
        self.file = file
        self.vocabulary = vocabulary
        let ascii = (0..<128).map { vocabulary.index(of: $0) }
        if vocabulary.mode == .bytes {
            storage = .bytes(file.bytes, indices: Self.everyByte)
            count = file.bytes.count
        } else if file.bytes.allSatisfy({ $0 < 128 && ascii[Int($0)] >= 0 }) {
            storage = .bytes(file.bytes, indices: ascii + [Int32](repeating: -1, count: 128))
            count = file.bytes.count
        } else {
            let tokens = try vocabulary.encode(file.bytes, what: file.path)
            let fitsBytes = vocabulary.count <= 256
            storage = fitsBytes ? .bytes(tokens.map(UInt8.init), indices: Self.everyByte) : .tokens(tokens)
            count = tokens.count
        }
    }

    private static func distinctScalars(_ file: TextFile) throws(SequenceError) -> (
        scalars: [Unicode.Scalar], count: Int
    ) {
        var seen = [Bool](repeating: false, count: 0x11_0000)
        var count = 0
        var reader = ScalarReader(file.bytes)
        while let scalar = try reader.next(file.path) {
            seen[Int(scalar)] = true
            count += 1
        }
        return (seen.indices.lazy.filter { seen[$0] }.compactMap { Unicode.Scalar(UInt32($0)) }, count)
    }

    private static func oneSymbol(_ file: TextFile, _ symbol: String, _ count: Int) -> SequenceError {
        let times = count == 1 ? "once" : "\(count) times"
        return SequenceError(
            .oneSymbol,
            "\(file.path) holds only one symbol, \(symbol), \(times); at least two different ones are needed")
    }
}

extension Text {
    /// What one token is called in a sentence.
    var unit: String { vocabulary.mode == .bytes ? "bytes" : "characters" }

    package func tokens(in range: Range<Int>) -> [Int32] {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "Text.tokens: \(range) of \(count) tokens")
        switch storage {
        case .bytes(let bytes, let indices): return bytes[range].map { indices[Int($0)] }
        case .tokens(let tokens): return Array(tokens[range])
        }
    }

    /// Rows that begin at the given offsets; the target of each token is the next one.
    func batch(offsets: [Int], steps: Int, startsStream: Bool = true) -> TokenBatch {
        let rows = offsets.count
        var inputs = [Int32](repeating: 0, count: steps * rows)
        var targets = inputs
        for (row, offset) in offsets.enumerated() {
            precondition(
                offset >= 0 && offset < count - steps, "Text.batch: \(steps) steps from token \(offset) of \(count)")
            switch storage {
            case .bytes(let bytes, let indices):
                Self.fill(row, of: rows, steps, &inputs, &targets) { indices[Int(bytes[offset + $0])] }
            case .tokens(let tokens):
                Self.fill(row, of: rows, steps, &inputs, &targets) { tokens[offset + $0] }
            }
        }
        return TokenBatch(steps: steps, rows: rows, inputs: inputs, targets: targets, startsStream: startsStream)
    }

    @inline(__always)
    private static func fill(
        _ row: Int, of rows: Int, _ steps: Int, _ inputs: inout [Int32], _ targets: inout [Int32], token: (Int) -> Int32
    ) {
        var current = token(0)
        var position = row
        for time in 1...steps {
            let next = token(time)
            inputs[position] = current
            targets[position] = next
            current = next
            position += rows
        }
    }

    /// A part of the text cut into neighbouring windows, in batches of up to `batchSize`; what is left over at the end,
    /// shorter than a window, is not used.
    package func windows(in range: Range<Int>, sequenceLength: Int, batchSize: Int) -> TokenBatches {
        precondition(sequenceLength > 0 && batchSize > 0, "Text.windows: T = \(sequenceLength), B = \(batchSize)")
        let windows = Swift.max(0, range.count - 1) / sequenceLength
        return TokenBatches(count: windows / batchSize + (windows % batchSize > 0 ? 1 : 0)) { index in
            let first = index * batchSize
            let offsets = (first..<Swift.min(first + batchSize, windows)).map { range.lowerBound + $0 * sequenceLength }
            return batch(offsets: offsets, steps: sequenceLength)
        }
    }
}
