internal import Foundation

/// The file that a process of this machine runs, as /proc shows it.
package struct RunningProgram {
    /// As the file was called before it was replaced or removed.
    package let path: String
    /// Whether it was, since the process began: it is there under the process's link only.
    package let isReplaced: Bool

    /// - Returns: nil where that may not be known, or the system has no /proc.
    package init?(of process: Int32) {
        guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: Self.link(of: process)) else {
            return nil
        }
        let mark = " (deleted)"
        isReplaced = path.hasSuffix(mark)
        self.path = isReplaced ? String(path.dropLast(mark.count)) : path
    }

    /// What the program can be started by again, the very same one, for as long as the process lives.
    package static func link(of process: Int32) -> String { "/proc/\(process)/exe" }
}
