internal import Foundation

/// The operating system's refusal of something asked about a file.
package struct FileFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was tried: "open", "write".
    package let operation: String
    package let path: String
    /// The system's error number; nil when the system had no objection and the file itself is at fault.
    package let number: Int32?
    package let reason: String
    /// Whether the file was longer when it was opened.
    package let isShortened: Bool

    package init(_ operation: String, _ path: String, reason: String, isShortened: Bool = false) {
        self.isShortened = isShortened
        self.operation = operation
        self.path = path
        number = nil
        self.reason = reason
    }

    package init(_ operation: String, _ path: String, number: Int32) {
        self.operation = operation
        self.path = path
        self.number = number
        isShortened = false
        reason = unsafe String(cString: strerror(number))
    }

    /// One line: what was tried, where, and the system's words with their number.
    package var description: String {
        "cannot \(operation) \(path): \(reason)" + (number.map { " (errno \($0))" } ?? "")
    }
}
