import Foundation
import Sequences
import Testing

@Test func `characters take their indices from their order among the symbols`() throws {
    let vocabulary = Vocabulary(symbols: "aé𝄞\n")
    #expect(vocabulary.count == 4)
    let tokens = try vocabulary.encode("𝄞a\néa")
    #expect(tokens == [2, 0, 3, 1, 0])
    #expect(vocabulary.decode(tokens) == "𝄞a\néa")
}

@Test func `bytes are their own indices`() throws {
    let tokens = try Vocabulary.bytes.encode([0, 255, 65])
    #expect(tokens == [0, 255, 65])
    #expect(Vocabulary.bytes.count == 256)
    #expect(Vocabulary.bytes.decodeBytes(tokens) == [0, 255, 65])
    #expect(Vocabulary.bytes.decode(tokens) == "\0\u{FFFD}A")
}

@Test(arguments: [
    ("abx", #"the prompt: "x" (U+0078) at byte offset 2 is not among the 3 symbols of the vocabulary"#),
    ("aéc𝄞", #"the prompt: "𝄞" (U+1D11E) at byte offset 4 is not among the 3 symbols of the vocabulary"#),
    ("\n", #"the prompt: "\n" (U+000A) at byte offset 0 is not among the 3 symbols of the vocabulary"#),
])
func `an unknown symbol is named with its offset`(text: String, message: String) {
    let vocabulary = Vocabulary(symbols: text == "abx" ? "abc" : "aéc")
    let error = #expect(throws: SequenceError.self) { try vocabulary.encode(text, what: "the prompt") }
    #expect(error == SequenceError(.unknownSymbol, message))
}

@Test(arguments: [Vocabulary.bytes, Vocabulary(symbols: "ab\"\\\u{0}\u{2028}é"), Vocabulary(symbols: "zyx")])
func `a vocabulary survives JSON`(vocabulary: Vocabulary) throws {
    let data = try JSONEncoder().encode(vocabulary)
    let again = try JSONDecoder().decode(Vocabulary.self, from: data)
    #expect(again == vocabulary)
    #expect(again.decode([1, 0]) == vocabulary.decode([1, 0]))
}

@Test func `the JSON form is as documented`() throws {
    #expect(String(decoding: try JSONEncoder().encode(Vocabulary.bytes), as: UTF8.self) == #"{"mode":"bytes"}"#)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let data = try encoder.encode(Vocabulary(symbols: "cab"))
    #expect(String(decoding: data, as: UTF8.self) == #"{"mode":"characters","symbols":"cab"}"#)
}

@Test(arguments: [
    #"{"mode":"characters","symbols":""}"#, #"{"mode":"characters","symbols":"aba"}"#, #"{"mode":"characters"}"#,
    #"{"mode":"words"}"#, "{}",
])
func `JSON that is no vocabulary is refused`(json: String) {
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(Vocabulary.self, from: Data(json.utf8)) }
}

@Test func `composed and decomposed letters are different symbols`() {
    #expect(Vocabulary(symbols: "x\u{E9}") != Vocabulary(symbols: "x\u{C5}"))
    #expect(Vocabulary(symbols: "\u{212B}x") != Vocabulary(symbols: "\u{C5}x"), "equal as strings, not as scalars")
}
