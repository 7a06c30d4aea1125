internal import Foundation
internal import Messaging

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
    /// workers that still wait at those directories.
    ///
    /// Workers end by themselves with their coordinator. One that was stopped (SIGSTOP) at that moment cannot, until it goes on.
    package static func sweep() {
        let directories = PrivateDirectory.sweep()
        guard !directories.isEmpty else { return }
        for process in processes() {
            // A name is drawn at random and never again: whoever was given it was that coordinator's.
            let words = ["cmdline", "environ"].flatMap { contents(of: "/proc/\(process)/\($0)") }
            if words.contains(where: { word in directories.contains { word.contains("ipc://\($0)/") } }) {
                kill(process, SIGKILL)
            }
        }
    }

    /// Of every user; none where the system has no /proc.
    private static func processes() -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { $0 != getpid() }
    }

    /// Words set apart by zero bytes; none where this user may not read them.
    private static func contents(of path: String) -> [String] {
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}
