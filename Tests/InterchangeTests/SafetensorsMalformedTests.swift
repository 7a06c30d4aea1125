internal import Interchange
internal import Testing

/// Bytes that are not a safetensors file, and why.
struct Malformed: Sendable, CustomTestStringConvertible {
    let what: String
    let bytes: [UInt8]
    let code: SafetensorsError.Code
    let message: String

    init(_ what: String, _ bytes: [UInt8], _ code: SafetensorsError.Code, _ message: String) {
        (self.what, self.bytes, self.code, self.message) = (what, bytes, code, message)
    }

    /// With this one member in the header.
    init(_ what: String, member: String, data: Int = 8, _ code: SafetensorsError.Code, _ message: String) {
        self.init(what, safetensors("{\(member)}", data: data), code, message)
    }

    var testDescription: String { what }

    static let tensor = #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#

    static let cases: [Malformed] = [
        .init("nothing", [], .tooShort, "0 bytes; expected at least 8 for the header's length"),
        .init("seven bytes", Array(repeating: 0, count: 7), .tooShort, "7 bytes; expected at least 8"),
        .init("no header", Array(repeating: 0, count: 8), .header, "header byte 0: expected '{' as the first byte"),
        .init(
            "a header past the end", littleEndian(3) + [0x7B, 0x7D], .headerLength,
            "a header of 3 bytes; expected at most 2"),
        .init(
            "a header of 2^64 - 1 bytes", littleEndian(.max) + [0x7B, 0x7D], .headerLength,
            "a header of 18446744073709551615"),
        .init(
            "an empty object with data", safetensors("{}", data: 1), .offsets,
            "the tensors end at byte 0 of the data, which has 1"),
        .init("space before the object", safetensors(" {}"), .header, "header byte 0: expected '{'"),
        .init("something after the object", safetensors("{} x"), .header, "expected nothing but spaces after"),
        .init("an array", safetensors("[]"), .header, "header byte 0: expected '{'"),
        .init("an open object", safetensors("{"), .header, "header byte 1: expected a string, got the end"),
        .init("a trailing comma", safetensors("{\(tensor),}", data: 8), .header, "expected a string, got byte 125"),
        .init("no colon", member: #""a" {}"#, .header, "expected ':' after a name"),
        .init("an open string", safetensors("{\"a"), .header, "header byte 2: expected a closing quotation mark"),
        .init("invalid UTF-8", littleEndian(4) + [0x7B, 0x22, 0xFF, 0x22], .header, "expected UTF-8 in the string"),
        .init("a control character", safetensors("{\"a\n\":{}}"), .header, "expected no control character"),
        .init("an unknown escape", safetensors(#"{"\x":{}}"#), .header, "expected an escape that JSON knows"),
        .init("half an escape", safetensors(#"{"\u12"#), .header, "expected four hexadecimal digits"),
        .init("a bad hexadecimal digit", safetensors(#"{"\u12g4":{}}"#), .header, "expected a hexadecimal digit"),
        .init("a lone high surrogate", safetensors(#"{"\ud83dx":{}}"#), .header, "expected a pair of surrogates"),
        .init("a lone low surrogate", safetensors(#"{"\ude00":{}}"#), .header, "expected a pair of surrogates"),
        .init(
            "two tensors of one name", safetensors("{\(tensor),\(tensor.replacing("0,8", with: "8,16"))}", data: 16),
            .duplicateName, #"the tensor "a" is there twice"#),
        .init(
            "one name, once escaped",
            safetensors(#"{\#(tensor),"\u0061":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#, data: 16),
            .duplicateName, #"the tensor "a" is there twice"#),
        .init(
            "metadata twice", safetensors(#"{"__metadata__":{},"__metadata__":{}}"#), .duplicateName,
            #"the member "__metadata__" is there twice"#),
        .init(
            "one metadata key twice", safetensors(#"{"__metadata__":{"k":"1","k":"2"}}"#), .duplicateName,
            #"the metadata key "k" is there twice"#),
        .init(
            "metadata that is no text", safetensors(#"{"__metadata__":{"k":1}}"#), .header,
            "expected a string, got byte 49"),
        .init(
            "two types", member: #""a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, .duplicateName,
            #"the member "dtype" is there twice"#),
        .init("no type", member: #""a":{"shape":[2],"data_offsets":[0,8]}"#, .header, "one is missing"),
        .init("no shape", member: #""a":{"dtype":"F32","data_offsets":[0,8]}"#, .header, "one is missing"),
        .init("no offsets", member: #""a":{"dtype":"F32","shape":[2]}"#, .header, "one is missing"),
        .init(
            "an unknown member", member: #""a":{"dtype":"F32","stride":[1]}"#, .header,
            #"member "stride"; expected dtype, shape and data_offsets"#),
        .init(
            "an unknown type", member: #""a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}"#, .unknownType,
            #"tensor "a": type "F33" is not known"#),
        .init("a tensor that is a number", member: #""a":7"#, .header, "expected an object, got byte 55"),
        .init(
            "one offset", member: #""a":{"dtype":"F32","shape":[2],"data_offsets":[0]}"#, .header,
            "expected 2 data_offsets, got 1"),
        .init(
            "three offsets", member: #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}"#, .header,
            "expected 2 data_offsets, got 3"),
        .init(
            "a negative number", member: #""a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}"#, .header,
            "expected a whole number, 0 or more, got byte 45"),
        .init(
            "a fraction", member: #""a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}"#, .header,
            "expected ',' or ']' after a number"),
        .init(
            "a leading zero", member: #""a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}"#, .header,
            "without leading zeros"),
        .init(
            "a number of 65 bits", member: #""a":{"dtype":"F32","shape":[36893488147419103232],"data_offsets":[0,8]}"#,
            .shapeOverflow, "expected a number up to 9223372036854775807"),
        .init(
            "elements that overflow",
            member: #""a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,8]}"#, .shapeOverflow,
            "do not fit a machine word"),
        .init(
            "bytes that overflow", member: #""a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,8]}"#,
            .shapeOverflow, "do not fit a machine word"),
        .init(
            "too few bytes for the shape", member: #""a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#,
            .sizeMismatch, "8 bytes; its shape and type F32 need 12"),
        .init(
            "too many bytes for the shape", member: #""a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}"#,
            .sizeMismatch, "8 bytes; its shape and type F32 need 4"),
        .init(
            "offsets that descend", member: #""a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#, .offsets,
            "data_offsets [8, 0]; expected them ascending"),
        .init(
            "offsets past the end", member: tensor, data: 7, .offsets,
            "data_offsets [0, 8]; expected them ascending and within the 7"),
        .init(
            "data left over", member: tensor, data: 9, .offsets, "the tensors end at byte 8 of the data, which has 9"),
        .init(
            "a gap at the front", member: #""a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#, .offsets,
            "begins at byte 4 of the data; expected 0"),
        .init(
            "a gap between",
            safetensors(#"{\#(tensor),"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}"#, data: 16), .offsets,
            #"tensor "b": begins at byte 12 of the data; expected 8"#),
        .init(
            "an overlap", safetensors(#"{\#(tensor),"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, data: 12),
            .offsets, #"tensor "b": begins at byte 4 of the data; expected 8"#),
        .init(
            "the same place twice",
            safetensors(#"{\#(tensor),"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, data: 8), .offsets,
            #"begins at byte 0 of the data; expected 8"#),
    ]
}

@Suite struct `bytes that are not safetensors` {
    @Test(arguments: Malformed.cases)
    func `each is refused with its sentence`(_ malformed: Malformed) throws {
        let error = try #require(throws: SafetensorsError.self) {
            try SafetensorsFile(bytes: malformed.bytes, name: "m")
        }
        #expect(error.code == malformed.code)
        #expect(error.message.hasPrefix("m: "))
        #expect(error.message.contains(malformed.message), "\(error.message)")
        #expect(!error.message.contains("\n"))
    }

    @Test func `the tensor that they spoil is read when it is whole`() throws {
        #expect(try SafetensorsFile(bytes: safetensors("{\(Malformed.tensor)}", data: 8)).entries.count == 1)
    }

    @Test func `a header longer than the limit is refused before it is read`() throws {
        var bytes = littleEndian(UInt64(SafetensorsFile.headerLimit) + 1)
        bytes += [UInt8](repeating: 0x20, count: SafetensorsFile.headerLimit + 1)
        let error = try #require(throws: SafetensorsError.self) { try SafetensorsFile(bytes: bytes) }
        #expect(error.code == .headerLength)
    }

    @Test func `a name of any length or content stays one short line`() throws {
        let name = String(repeating: #"x\n"#, count: 10_000)
        let error = try #require(throws: SafetensorsError.self) {
            try SafetensorsFile(bytes: safetensors(#"{"\#(name)":{"dtype":"no"}}"#))
        }
        #expect(error.message.utf8.count < 1000)
        #expect(!error.message.contains("\n"))
    }

    @Test func `every truncation and ten thousand edits give a file or an error`() throws {
        var generator = SeededGenerator(testSeed)
        let whole = SafetensorsWriter(
            [
                NamedTensor(name: "weight_ih_l0", shape: [3, 2], values: [1, 2, 3, 4, 5, 6]),
                NamedTensor(name: "step", shape: [], type: .int64, bytes: littleEndian(7)),
                NamedTensor(name: "é", shape: [0], values: []),
            ], metadata: ["format": "pt"]
        ).bytes()
        for count in whole.indices {
            #expect(throws: SafetensorsError.self, "the first \(count) bytes") {
                try SafetensorsFile(bytes: Array(whole.prefix(count)))
            }
        }
        var opened = 0
        for _ in 0..<10_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                default: bytes.insert(contentsOf: bytes.prefix(place).suffix(5), at: place)
                }
            }
            guard let file = try? SafetensorsFile(bytes: bytes) else { continue }
            opened += 1
            for entry in file.entries { #expect(try file.bytes(entry.name).count == entry.place.count) }
        }
        #expect(opened > 0 && opened < 10_000, "edits of the data open, edits of the header do not: \(opened) opened")
    }
}
