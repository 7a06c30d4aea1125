import Foundation
import Sequences
import Testing

private func file(_ text: String) -> TextFile { TextFile(path: "notes.txt", bytes: Array(text.utf8)) }

@Test func `a vocabulary is the text's distinct scalars in ascending order`() throws {
    let text = try Text(file("hello"))
    #expect(text.vocabulary == Vocabulary(symbols: "ehlo"))
    #expect(text.tokens(in: 0..<text.count) == [1, 0, 2, 2, 3])
}

@Test(arguments: [
    "plain ascii\r\n", "naïve café", "日本語 text 𝄞",
    String(String.UnicodeScalarView((0x4E00..<0x4F80).compactMap(Unicode.Scalar.init))),
])
func `a text is what its tokens decode to`(string: String) throws {
    for mode in TextMode.allCases {
        let text = try Text(file(string), mode: mode)
        #expect(text.count == (mode == .bytes ? string.utf8.count : string.unicodeScalars.count))
        let tokens = text.tokens(in: 0..<text.count)
        #expect(text.vocabulary.decode(tokens) == string)
        #expect(text.tokens(in: 1..<3) == Array(tokens[1..<3]))
        // One window over the whole text goes through the batch's own way of reading tokens.
        let whole = text.windows(in: 0..<text.count, sequenceLength: text.count - 1, batchSize: 1)[0]
        #expect(whole.inputs == Array(tokens.dropLast()))
        #expect(whole.targets == Array(tokens.dropFirst()))
    }
}

@Test func `a second text is read in the symbols of the first`() throws {
    let vocabulary = try Text(file("abcé")).vocabulary
    #expect(try Text(file("cab"), vocabulary: vocabulary).tokens(in: 0..<3) == [2, 0, 1])
    let error = #expect(throws: SequenceError.self) { try Text(file("cabd"), vocabulary: vocabulary) }
    #expect(
        error
            == SequenceError(
                .unknownSymbol,
                #"notes.txt: "d" (U+0064) at byte offset 3 is not among the 4 symbols of the vocabulary"#))
}

// What can be wrong with a text.

@Test(arguments: [
    ([UInt8]("aaaa".utf8), TextMode.characters, #""a", 4 times"#), ([UInt8]("\n".utf8), .characters, #""\n", once"#),
    ([UInt8]("éé".utf8), .characters, #""é", 2 times"#), ([7, 7, 7], .bytes, "byte 0x07, 3 times"),
])
func `a text of one symbol is refused`(bytes: [UInt8], mode: TextMode, symbol: String) {
    let error = #expect(throws: SequenceError.self) { try Text(TextFile(path: "notes.txt", bytes: bytes), mode: mode) }
    #expect(
        error
            == SequenceError(
                .oneSymbol, "notes.txt holds only one symbol, \(symbol); at least two different ones are needed"))
}

@Test func `an empty text is refused`() {
    let error = #expect(throws: SequenceError.self) { try Text(file("")) }
    #expect(error == SequenceError(.empty, "notes.txt is empty; wanted a text to learn from"))
}

@Test(
    arguments: [
        ([0x61, 0xFF], 1, "FF"), ([0x61, 0x62, 0x80], 2, "80"), ([0xC3], 0, "C3"), ([0xC3, 0xA9, 0xC0, 0x80], 2, "C0"),
        ([0x61, 0xE2, 0x28, 0xA1], 1, "E2"), ([0xED, 0xA0, 0x80], 0, "ED"), ([0xE0, 0x80, 0x80], 0, "E0"),
        ([0xF4, 0x90, 0x80, 0x80], 0, "F4"), ([0xF0, 0x9D, 0x84], 0, "F0"), ([0xF5, 0x80, 0x80, 0x80], 0, "F5"),
    ] as [([UInt8], Int, String)])
func `invalid UTF-8 names the byte offset, and is no matter for bytes`(bytes: [UInt8], offset: Int, byte: String) throws
{
    let file = TextFile(path: "notes.txt", bytes: bytes + [0x61, 0x62])
    let error = #expect(throws: SequenceError.self) { try Text(file) }
    #expect(
        error
            == SequenceError(
                .invalidUTF8,
                "notes.txt is not valid UTF-8 at byte offset \(offset) (0x\(byte)); characters need UTF-8, bytes take any file"
            ))
    #expect(try Text(file, mode: .bytes).count == bytes.count + 2)
}

@Test func `what is valid UTF-8 is what the standard library takes for it`() {
    var generator = TestGenerator(testSeed)
    let likely: [UInt8] = [
        0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEE, 0xEF, 0xF0, 0xF1,
        0xF3, 0xF4,
    ]
    var valid = 0
    for _ in 0..<10_000 {
        let bytes = (0..<Int.random(in: 1...5, using: &generator)).map { _ in likely.randomElement(using: &generator)! }
        let expected = String(validating: bytes, as: UTF8.self)
        let text = try? Text(TextFile(path: "random", bytes: bytes + [0x0A, 0x0B]))
        #expect((text == nil) == (expected == nil), "seed \(testSeed): \(bytes)")
        guard let text, let expected else { continue }
        valid += 1
        #expect(
            text.vocabulary.decode(text.tokens(in: 0..<text.count - 2)).unicodeScalars.elementsEqual(
                expected.unicodeScalars))
    }
    #expect(valid > 50)
}
