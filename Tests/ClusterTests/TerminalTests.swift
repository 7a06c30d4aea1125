import Foundation
import TestSupport
import Testing

/// A terminal that a process has for its standard error.
private final class Terminal {
    private let descriptor: Int32
    /// Held open, so that it can be read when the process has ended.
    private let other: Int32
    private let path: String

    init() throws {
        descriptor = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        var (number, isLocked): (UInt32, Int32) = (0, 0)
        // TIOCSPTLCK and TIOCGPTN, which Swift does not import.
        let isOpen =
            unsafe ioctl(descriptor, 0x4004_5431, &isLocked) == 0 && ioctl(descriptor, 0x8004_5430, &number) == 0
        path = "/dev/pts/\(number)"
        other = unsafe open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard isOpen, other >= 0 else { throw POSIXError(.EIO) }
    }

    deinit {
        close(other)
        close(descriptor)
    }

    /// Runs the command and returns its exit code and what it wrote to the terminal.
    func run(_ arguments: [String], output: String) throws -> (code: Int32, text: String) {
        let environment = ProcessInfo.processInfo.environment.merging(["TERM": "xterm"]) { $1 }
        let process = try ChildProcess(
            Workplace.executable("lockstep"), arguments, environment: environment, output: output, errors: path)
        var bytes: [UInt8] = []
        while process.isRunning {
            bytes += read()
            usleep(2_000)
        }
        let code = process.wait()
        return (code, String(decoding: bytes + read(), as: UTF8.self))
    }

    private func read() -> [UInt8] {
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe Foundation.read(descriptor, &piece, piece.count)
            guard count > 0 else { return all }
            all += piece[..<count]
        }
    }
}

@Suite(.tags(.processes), .timeLimit(.minutes(2)))
struct `On a terminal` {
    @Test func `an error begins a line of its own below the progress`() throws {
        let place = try Workplace()
        let (code, text) = try Terminal().run(
            [
                "train", "--set", "addition", "--hidden-size", "8", "--lr", "1e38", "--clip-norm", "0", "--steps", "40",
                "--run", "\(place.path)/run",
            ], output: "\(place.path)/out")
        #expect(code == 1, "\(text)")
        // A terminal ends lines with a return, too.
        let lines = text.components(separatedBy: "\r\n")
        let error = try #require(lines.firstIndex { $0.contains(" is not finite, ") })
        #expect(lines[error].hasPrefix("lockstep: step "), "\(text.debugDescription)")
        #expect(error > 0 && lines[error - 1].hasPrefix("\rstep 1/40  loss "), "\(text.debugDescription)")
    }

    @Test func `progress is one line, which the summary does not follow on`() throws {
        let place = try Workplace()
        let (code, text) = try Terminal().run(
            ["train", "--set", "hello", "--steps", "5", "--run", "\(place.path)/run"], output: "\(place.path)/out")
        #expect(
            code == 0 && text.hasPrefix("\rstep 1/5  ") && text.hasSuffix("\u{1B}[K\r\n"), "\(text.debugDescription)")
        #expect(text.components(separatedBy: "\r\n").count == 2, "\(text.debugDescription)")
    }
}
