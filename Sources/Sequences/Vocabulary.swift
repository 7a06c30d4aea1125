/// What one token of a text is.
package enum TextMode: String, Codable, Sendable, CaseIterable {
    /// One Unicode scalar; the vocabulary is what the text holds.
    case characters
    /// One byte; the vocabulary is all 256 of them.
    case bytes
}

/// The symbols that tokens stand for.
package struct Vocabulary: Sendable {
    package let mode: TextMode
    /// In the order of their indices; empty for bytes.
    private let scalars: [Unicode.Scalar]
    private let table: ScalarTable

    package static let bytes = Vocabulary(mode: .bytes, scalars: [])

    /// One symbol for each scalar of `symbols`, in its order.
    package init(symbols: String) {
        let scalars = Array(symbols.unicodeScalars)
        precondition(
            !scalars.isEmpty && Self.areDistinct(scalars),
            "Vocabulary: no symbol, or one twice, in \(symbols.debugDescription)")
        self.init(mode: .characters, scalars: scalars)
    }

    init(mode: TextMode, scalars: [Unicode.Scalar]) {
        self.mode = mode
        self.scalars = scalars
        table = ScalarTable(scalars)
    }

    /// V.
    package var count: Int { mode == .bytes ? 256 : scalars.count }

    private static func areDistinct(_ scalars: [Unicode.Scalar]) -> Bool {
        Set(scalars).count == scalars.count
    }
}

// Text to tokens and back.
extension Vocabulary {
    /// The index of a scalar, −1 when it is none of the symbols.
    func index(of scalar: UInt32) -> Int32 { table[scalar] }

    /// - Parameter what: what the text is called in an error, such as "the prompt".
    package func encode(_ text: String, what: String = "the text") throws(SequenceError) -> [Int32] {
        try encode(Array(text.utf8), what: what)
    }

    /// - Throws: `invalidUTF8` or `unknownSymbol`, with the offset in bytes.
    package func encode(_ bytes: [UInt8], what: String = "the text") throws(SequenceError) -> [Int32] {
        guard mode == .characters else { return bytes.map(Int32.init) }
        var tokens: [Int32] = []
        tokens.reserveCapacity(bytes.count)
        var reader = ScalarReader(bytes)
        while true {
            let offset = reader.offset
            guard let scalar = try reader.next(what) else { return tokens }
            let index = table[scalar]
            if index < 0 { throw unknown(scalar, at: offset, what) }
            tokens.append(index)
        }
    }

    private func unknown(_ scalar: UInt32, at offset: Int, _ what: String) -> SequenceError {
        let digits = String(scalar, radix: 16, uppercase: true)
        let code = "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        let symbol = Unicode.Scalar(scalar).map { String($0).debugDescription } ?? code
        return SequenceError(
            .unknownSymbol,
            "\(what): \(symbol) (\(code)) at byte offset \(offset) is not among the \(count) symbols of the vocabulary")
    }

    /// The text of some tokens; bytes that are not valid UTF-8 show as U+FFFD.
    package func decode(_ tokens: some Sequence<Int32>) -> String {
        if mode == .bytes { return String(decoding: decodeBytes(tokens), as: UTF8.self) }
        var text = String.UnicodeScalarView()
        for token in tokens {
            check(token)
            text.append(scalars[Int(token)])
        }
        return String(text)
    }

    /// The bytes of some tokens, in UTF-8 where symbols are characters.
    package func decodeBytes(_ tokens: some Sequence<Int32>) -> [UInt8] {
        if mode == .characters { return Array(decode(tokens).utf8) }
        return tokens.map { token in
            check(token)
            return UInt8(token)
        }
    }

    private func check(_ token: Int32) {
        precondition(token >= 0 && token < count, "Vocabulary.decode: token \(token) of \(count) symbols")
    }
}

// As `{"mode": "characters", "symbols": "abc"}` or `{"mode": "bytes"}`.
extension Vocabulary: Codable {
    private enum Key: String, CodingKey { case mode, symbols }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        guard try container.decode(TextMode.self, forKey: .mode) == .characters else {
            self = .bytes
            return
        }
        let scalars = Array(try container.decode(String.self, forKey: .symbols).unicodeScalars)
        guard !scalars.isEmpty, Self.areDistinct(scalars) else {
            throw DecodingError.dataCorruptedError(
                forKey: .symbols, in: container, debugDescription: "a vocabulary has at least one symbol and none twice"
            )
        }
        self.init(mode: .characters, scalars: scalars)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(mode, forKey: .mode)
        guard mode == .characters else { return }
        var symbols = String.UnicodeScalarView()
        symbols.append(contentsOf: scalars)
        try container.encode(String(symbols), forKey: .symbols)
    }
}

extension Vocabulary: Equatable {
    /// Compares scalars, not strings: strings would take a letter with its accent apart and composed for the same.
    package static func == (one: Vocabulary, other: Vocabulary) -> Bool {
        one.mode == other.mode && one.scalars == other.scalars
    }
}
