import Foundation
import Sequences
import Testing

/// A directory of its own for one test, gone with it.
private final class Scratch {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("sequences-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String, _ bytes: [UInt8]) -> String {
        _ = FileManager.default.createFile(atPath: path + "/" + name, contents: Data(bytes))
        return path + "/" + name
    }
}

@Test func `a file's bytes are read as they are`() throws {
    let scratch = try Scratch()
    var generator = TestGenerator(3)
    let bytes = (0..<300_001).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let file = try TextFile.read(scratch.file("random.bin", bytes))
    #expect(file.bytes == bytes)
    #expect(file.name == "random.bin")
}

@Test func `what cannot be read is refused with the system's reason`() throws {
    let scratch = try Scratch()
    let missing = scratch.path + "/missing.txt"
    var error = #expect(throws: SequenceError.self) { try TextFile.read(missing) }
    #expect(error == SequenceError(.unreadable, "cannot read \(missing): No such file or directory (errno 2)"))

    let below = scratch.file("plain.txt", [65, 66]) + "/x"
    error = #expect(throws: SequenceError.self) { try TextFile.read(below) }
    #expect(error == SequenceError(.unreadable, "cannot read \(below): Not a directory (errno 20)"))
}

@Test func `a directory is refused`() throws {
    let scratch = try Scratch()
    let error = #expect(throws: SequenceError.self) { try TextFile.read(scratch.path) }
    #expect(error == SequenceError(.directory, "\(scratch.path) is a directory; wanted a text file"))
}

@Test func `an empty file is refused`() throws {
    let scratch = try Scratch()
    let path = scratch.file("empty.txt", [])
    let error = #expect(throws: SequenceError.self) { try TextFile.read(path) }
    #expect(error == SequenceError(.empty, "\(path) is empty; wanted a text to learn from"))
}

@Test(.timeLimit(.minutes(5))) func `a pipe is refused without waiting for a writer`() throws {
    let scratch = try Scratch()
    let path = scratch.path + "/pipe"
    #expect(unsafe mkfifo(path, 0o600) == 0)
    for path in [path, "/dev/null"] {
        let error = #expect(throws: SequenceError.self) { try TextFile.read(path) }
        #expect(
            error == SequenceError(.notAFile, "\(path) is a pipe, a socket or a device; wanted a regular file"))
    }
}
