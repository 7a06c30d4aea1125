internal import Foundation
internal import Interchange
internal import Testing

@Suite struct `reading safetensors` {
    @Test func `a tensor's type, shape and numbers are read`() throws {
        let header = #"{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"__metadata__":{"made by":"hand"}}"#
        var bytes = safetensors(header)
        bytes += [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]
        let file = try SafetensorsFile(bytes: bytes)
        let entry = try #require(file["a"])
        #expect(file.entries == [entry])
        #expect(entry.name == "a" && entry.type == .float32 && entry.shape == [2, 1] && entry.place == 0..<8)
        #expect(file.metadata == ["made by": "hand"])
        #expect(try file.floats("a", shape: [2, 1]) == [1, -2])
        #expect(try file.bytes("a") == [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])
    }

    @Test func `members may come in any order and entries go by place`() throws {
        let file = try SafetensorsFile(
            bytes: safetensors(
                #"{ "b" : {"data_offsets":[4,12],"shape":[],"dtype":"I64"} , "a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}   "#,
                data: 12))
        #expect(file.entries.map(\.name) == ["a", "b"])
        #expect(try file.values("a", as: Int32.self) == [0x0302_0100])
        #expect(try file.values("b", as: Int64.self) == [0x0B0A_0908_0706_0504])
    }

    @Test func `tensors without elements take no place`() throws {
        let file = try SafetensorsFile(
            bytes: safetensors(
                #"{"a":{"dtype":"F32","shape":[0,4611686018427387904],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"c":{"dtype":"F64","shape":[3,0],"data_offsets":[2,2]}}"#,
                data: 2))
        #expect(file.entries.map(\.name) == ["a", "b", "c"])
        #expect(try file.floats("a") == [])
        #expect(try file.values("b", as: UInt8.self) == [0, 1])
    }

    @Test func `names that differ in bytes alone are two names`() throws {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        let file = try SafetensorsFile(
            bytes: safetensors(
                #"{"\#(composed)":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\#(decomposed)":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
                data: 2))
        #expect(try file.bytes(composed) == [0])
        #expect(try file.bytes(decomposed) == [1])
    }

    @Test func `escapes in names are undone`() throws {
        let file = try SafetensorsFile(
            bytes: safetensors(
                #"{"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        #expect(file.entries[0].name == "\"\\/\u{8}\u{C}\n\r\t\u{E9}\u{1F600}")
    }

    @Test func `a tensor that is absent, of another type or of another shape is named`() throws {
        let file = try SafetensorsFile(
            bytes: safetensors(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, data: 8), name: "m")
        #expect(throwing { try file.floats("b") } == #"m: no tensor "b"; there are 1 others"#)
        #expect(
            throwing { try file.floats("a", shape: [1, 2]) }
                == #"m: tensor "a": expected F32 of shape [1, 2], got F32 of shape [2]"#)
        #expect(
            throwing { try file.values("a", as: Double.self) }
                == #"m: tensor "a": expected F64 of shape [2], got F32 of shape [2]"#)
    }

    @Test func `numbers go into memory that the caller has`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/a.safetensors"
            let written = SafetensorsWriter([NamedTensor(name: "w", shape: [3], values: [1, .nan, -0.0])]).bytes()
            try Data(written).write(to: URL(filePath: path))
            let file = try SafetensorsFile(path: path)
            var values: [Float] = [9, 9, 9]
            var span = values.mutableSpan
            try file.read("w", shape: [3], into: &span)
            #expect(values.map(\.bitPattern) == [Float(1), .nan, -0.0].map(\.bitPattern))
        }
    }

    @Test func `files that are not there, not files or cut while open give one line`() throws {
        try withTemporaryDirectory { directory in
            #expect(
                throwing { try SafetensorsFile(path: directory + "/none") }
                    == "cannot open \(directory)/none: No such file or directory (errno 2)")
            #expect(
                throwing { try SafetensorsFile(path: directory) }
                    == "cannot read \(directory): Is a directory (errno 21)")
            let pipe = directory + "/pipe"
            try #require(unsafe mkfifo(pipe, 0o600) == 0)
            #expect(throwing { try SafetensorsFile(path: pipe) } == "cannot read \(pipe): not a regular file")

            let path = directory + "/cut"
            let whole = SafetensorsWriter([NamedTensor(name: "w", shape: [2], values: [1, 2])]).bytes()
            let size = whole.count
            try Data(whole).write(to: URL(filePath: path))
            let file = try SafetensorsFile(path: path)
            try #require(unsafe truncate(path, off_t(size - 4)) == 0)
            #expect(
                throwing { try file.floats("w") }
                    == "cannot read \(path): it ends at byte \(size - 4); 4 more were expected")
        }
    }

    @Test(.enabled(if: goldenDirectory != nil, "no reference files: set LOCKSTEP_SHARED"))
    func `every reference file made by PyTorch is read`() throws {
        let directory = try #require(goldenDirectory)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).filter {
            $0.hasSuffix(".safetensors")
        }
        #expect(!names.isEmpty)
        for name in names {
            let file = try SafetensorsFile(path: directory + "/" + name)
            #expect(!file.entries.isEmpty)
            for entry in file.entries {
                switch entry.type {
                case .float32: #expect(try file.floats(entry.name).allSatisfy(\.isFinite), "\(name): \(entry.name)")
                case .int64: _ = try file.values(entry.name, as: Int64.self)
                default: Issue.record("\(name): \(entry.name) has type \(entry.type.rawValue)")
                }
            }
        }
    }
}

/// The message of the error that `body` throws; nil when it throws none.
func throwing(_ body: () throws -> some Any) -> String? {
    do {
        _ = try body()
        return nil
    } catch { return "\(error)" }
}
