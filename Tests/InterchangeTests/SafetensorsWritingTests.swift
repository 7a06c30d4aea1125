internal import Interchange
internal import Testing

@Suite struct `writing safetensors` {
    @Test func `the bytes are those of the format's own writer`() {
        let writer = SafetensorsWriter(
            [
                NamedTensor(name: "b", shape: [2], values: [1, -2]),
                NamedTensor(name: "a", shape: [1, 1], values: [0.5]),
            ], metadata: ["format": "pt"])
        let header =
            #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#
        let padded = header + String(repeating: " ", count: -header.utf8.count & 7)
        #expect(
            writer.bytes()
                == littleEndian(UInt64(padded.utf8.count)) + Array(padded.utf8)
                + [0, 0, 0, 0x3F, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])
        #expect(writer.byteCount == writer.bytes().count)
        #expect(writer.header.count % 8 == 0)
    }

    @Test func `a file without tensors is written and read`() throws {
        #expect(try SafetensorsFile(bytes: SafetensorsWriter([]).bytes()).entries.isEmpty)
    }

    @Test func `larger elements come first, then names in byte order`() throws {
        let names = ["Z", "a", "é", "e\u{301}", "z"]
        let tensors =
            names.map { NamedTensor(name: $0, shape: [1], values: [0]) } + [
                NamedTensor(name: "step", shape: [], type: .int64, bytes: littleEndian(1)),
                NamedTensor(name: "0", shape: [1], type: .uint8, bytes: [1]),
            ]
        let file = try SafetensorsFile(bytes: SafetensorsWriter(tensors.shuffled()).bytes())
        #expect(
            file.entries.map { Array($0.name.utf8) }
                == ["step", "Z", "a", "e\u{301}", "z", "é", "0"].map { Array($0.utf8) })
    }

    @Test func `random tensors come back bit for bit`() throws {
        var generator = SeededGenerator(testSeed)
        for _ in 0..<50 {
            var wanted: [String: (shape: [Int], bits: [UInt32])] = [:]
            for index in 0..<Int.random(in: 0..<9, using: &generator) {
                let shape = (0..<Int.random(in: 0..<4, using: &generator)).map { _ in
                    Int.random(in: 0..<7, using: &generator)
                }
                let bits = (0..<shape.reduce(1, *)).map { _ in UInt32.random(in: 0...(.max), using: &generator) }
                wanted["\(index) \"\\\n\u{1}\u{1F600}"] = (shape, bits)
            }
            let metadata = ["a\"b\u{7}": "c\\\r\n", "": ""]
            let tensors = wanted.map { name, tensor in
                NamedTensor(name: name, shape: tensor.shape, values: tensor.bits.map(Float.init(bitPattern:)))
            }
            let file = try SafetensorsFile(bytes: SafetensorsWriter(tensors, metadata: metadata).bytes())
            #expect(file.metadata == metadata)
            #expect(Set(file.entries.map(\.name)) == Set(wanted.keys))
            for (name, tensor) in wanted {
                #expect(try file.floats(name, shape: tensor.shape).map(\.bitPattern) == tensor.bits)
            }
        }
    }

    @Test func `memory that somebody else holds is written where it lies`() throws {
        @safe final class Owner {
            let floats: UnsafeMutableBufferPointer<Float>
            init(_ values: [Float]) {
                unsafe floats = .allocate(capacity: values.count)
                _ = unsafe floats.initialize(from: values)
            }
            deinit { unsafe floats.deallocate() }
        }
        var tensor: NamedTensor?
        do {
            let owner = Owner([1, 2, 3])
            tensor = unsafe NamedTensor(name: "w", shape: [3], values: .init(owner.floats), owner: owner)
        }
        let writer = SafetensorsWriter([try #require(tensor)])
        #expect(try SafetensorsFile(bytes: writer.bytes()).floats("w") == [1, 2, 3])
    }

    @Test func `the sink's error stops the writing`() {
        struct Full: Error {}
        let writer = SafetensorsWriter([NamedTensor(name: "a", shape: [1], values: [1])])
        var pieces = 0
        #expect(throws: Full.self) {
            try writer.write { _ throws(Full) in
                pieces += 1
                throw Full()
            }
        }
        #expect(pieces == 1)
    }
}
