import Foundation
import Synchronization
import TestSupport
import Testing

/// A command line that must be refused, and what the sentence has to say.
///
/// Words in `arguments` that begin with "@" stand for things in `Wrecks`: `@text`, `@pipe`; `@new` is a run that is not there yet, `@place` the
/// directory of the case itself.
struct BadInput: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let sentence: [String]
    let environment: [String: String]

    /// - Parameter line: words, set apart by blanks; `''` is an empty one.
    init(_ line: String, says sentence: String..., environment: [String: String] = [:]) {
        arguments = line.split(separator: " ").map { $0 == "''" ? "" : String($0) }
        self.sentence = sentence
        self.environment = environment
    }

    var testDescription: String { arguments.joined(separator: " ") }

    /// Runs the command and holds what it does against what every refusal has in common.
    func expectRefusal() throws {
        let place = try Workplace()
        let outcome = try place.run(
            arguments.map { try Wrecks.shared.resolve($0, place.path) }, environment: environment)
        expect(refused: outcome)
        for words in sentence { #expect(outcome.errors.contains(words), "\(outcome.errors)") }
        let made = try FileManager.default.contentsOfDirectory(atPath: place.path)
            .filter { !$0.hasSuffix(".out") && !$0.hasSuffix(".err") }
        #expect(made.isEmpty, "left behind: \(made)")
    }
}

/// Exit code 2, one line on standard error, nothing on standard output.
func expect(refused outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(outcome.code == 2, "\(outcome)", sourceLocation: sourceLocation)
    #expect(outcome.output.isEmpty, "\(outcome.output)", sourceLocation: sourceLocation)
    #expect(
        outcome.errors.hasPrefix("lockstep: ") && outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)",
        sourceLocation: sourceLocation)
}

/// Files that are no texts and runs that are none, made once for all cases.
final class Wrecks: Sendable {
    static let shared = Wrecks()
    private let path: String

    private init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("lkw-\(UUID().uuidString.prefix(8))").path
        do { try fill() } catch { preconditionFailure("Wrecks: \(error)") }
        // A static is never let go of.
        Self.doomed.withLock { $0 = path }
        atexit { Wrecks.doomed.withLock { try? FileManager.default.removeItem(atPath: $0) } }
    }

    private static let doomed = Mutex("")

    /// Sparse: of 10 GB, none of which takes any place on the disk.
    static let hugeSize: off_t = 10 << 30

    private func fill() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        func write(_ name: String, _ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        }
        let words = ["the ", "cat ", "sat ", "on a ", "mat.\n"]
        try write("text", (0..<1500).flatMap { Array(words[$0 * 7 % 11 % 5].utf8) })
        try write("empty", [])
        try write("one", Array(repeating: UInt8(ascii: "a"), count: 200))
        try write("latin1", Array("caf\u{E9}".unicodeScalars.map { UInt8($0.value) }) + Array("the cat".utf8))
        try write("short", Array("abc".utf8))
        try write("noise.safetensors", Array(repeating: 0xFF, count: 100))
        try FileManager.default.createDirectory(atPath: "\(path)/directory", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: "\(path)/loop", withDestinationPath: "loop")
        guard unsafe mkfifo("\(path)/pipe", 0o600) == 0,
            FileManager.default.createFile(atPath: "\(path)/huge", contents: nil),
            unsafe truncate("\(path)/huge", Self.hugeSize) == 0
        else { throw POSIXError(.EIO) }
        let header = #"{"a":{"dtype":"F32","shape":[2684354560],"data_offsets":[0,10737418240]}}"#
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
        try write("huge.safetensors", length + Array(header.utf8))
        guard unsafe truncate("\(path)/huge.safetensors", off_t(8 + header.utf8.count) + Self.hugeSize) == 0 else {
            throw POSIXError(.EIO)
        }
        // A checkpoint every two steps; the run is not done when it is asked for more.
        let trained = try Workplace().run([
            "train", "--data", "\(path)/text", "--hidden-size", "8", "--batch-size", "8", "--seq-len", "8", "--steps",
            "6",
            "--checkpoint-every", "2", "--threads", "1", "--run", "\(path)/run",
        ])
        guard trained.code == 0 else { preconditionFailure("Wrecks: \(trained)") }
    }

    /// A word of a command line, with what "@" stands for in it.
    func resolve(_ word: String, _ place: String) throws -> String {
        guard let mark = word.firstIndex(of: "@") else { return word }
        let name = word[word.index(after: mark)...]
        let there =
            switch name {
            case "new": "\(place)/new"
            case let name where name.hasPrefix("place"): place + name.dropFirst(5)
            default: "\(path)/\(name)"
            }
        return word[..<mark] + there
    }
}

/// A port of this machine that is taken, by somebody who never says a word.
final class Listener {
    let port: UInt16
    private let descriptor: Int32

    /// - Parameter listens: false for one who only has the port.
    init(listens: Bool = true) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = RawConnection.loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        guard isBound, !listens || listen(descriptor, 64) == 0 else { throw SocketFailure() }
    }

    deinit { close(descriptor) }
}
