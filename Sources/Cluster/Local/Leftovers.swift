internal import Foundation
internal import Messaging
internal import Training

/// Says, while it is there, where this process has local sockets: when it is killed, the next start removes them.
final class SocketRegister {
    private let directory: PrivateDirectory

    init(_ sockets: [Endpoint]) throws {
        directory = try PrivateDirectory()
        try directory.note(sockets)
    }
}

/// What coordinators have left that were killed.
package enum Leftovers {
    /// Removes the socket directories of coordinators on this machine that are gone, and the sockets that they had elsewhere; ends the
    /// workers that those had started and that still wait at those directories.
    ///
    /// Workers end by themselves with their coordinator. One that was stopped (SIGSTOP) at that moment cannot, until it goes on.
    package static func sweep() {
        let directories = PrivateDirectory.sweep()
        guard !directories.isEmpty else { return }
        for process in ProcessEntry.all() where process.isWorker(at: directories) && process.isOrphaned {
            kill(process.identifier, SIGKILL)
        }
    }
}

/// A process of this machine, as /proc shows it.
private struct ProcessEntry {
    let identifier: pid_t

    /// All but this one; none where the system has no /proc.
    static func all() -> [ProcessEntry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { $0 != getpid() }.map(ProcessEntry.init)
    }

    /// Whether it is a worker of this user's that was started by a coordinator whose sockets were in one of `directories`.
    ///
    /// The name of such a directory is drawn at random and never again; but anybody may have it among his words or in his environment,
    /// who has noted it down. A worker has it in one place.
    func isWorker(at directories: [String]) -> Bool {
        let endpoints = directories.map { "ipc://\($0)/data" }
        let arguments = words("cmdline")
        // As `LocalWorkers` starts it.
        if arguments.count >= 6, arguments[1] == "worker", arguments[2] == "--connect",
            endpoints.contains(arguments[3]),
            arguments[4] == "--local"
        {
            return isOwn
        }
        let given = endpoints.map { "\(LocalWorkers.endpointVariable)=\($0)" }
        return words("environ").contains(where: given.contains) && isOwn
            && program == RunningProgram(of: getpid())?.path
    }

    /// Whether whoever started it is gone. The system gives such a process to its first one, or to one that has asked for them, which is
    /// no program of this kind.
    var isOrphaned: Bool {
        guard let parent = number("PPid") else { return false }
        return parent <= 1 || RunningProgram(of: parent)?.path != program
    }

    /// Of this user.
    private var isOwn: Bool { number("Uid").map { uid_t(bitPattern: $0) == getuid() } ?? false }

    /// The file that it runs; nil where that may not be known.
    private var program: String? { RunningProgram(of: identifier)?.path }

    /// The first number of a line in its status.
    private func number(_ name: String) -> Int32? {
        let lines = contents(of: "status").split(separator: UInt8(ascii: "\n"))
        guard let line = lines.first(where: { $0.starts(with: Array("\(name):".utf8)) }) else { return nil }
        let number = line.dropFirst(name.utf8.count + 1).split { [9, 32].contains($0) }.first
        return number.flatMap { UInt32(String(decoding: $0, as: UTF8.self)) }.map(Int32.init(bitPattern:))
    }

    /// Words set apart by zero bytes; none where this user may not read them.
    private func words(_ file: String) -> [String] {
        contents(of: file).split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    private func contents(of file: String) -> Data {
        FileManager.default.contents(atPath: "/proc/\(identifier)/\(file)") ?? Data()
    }
}
