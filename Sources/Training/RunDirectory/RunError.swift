internal import Foundation
package import Interchange

/// Why a run directory could not be made, read, held or written.
package struct RunError: Error, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// There is a run already where a new one was to go, or something that is no run.
        case exists
        /// No run is there, or only a part of one.
        case notARun
        /// Another process holds the run.
        case held
        /// The run's settings are not those that it began with.
        case changed
        /// What was read is not what was written.
        case damaged
        /// The disk or the quota is full.
        case noSpace
        /// No permission, or a file system that is read-only.
        case denied
        /// Any other refusal by the system.
        case file
    }

    package let code: Code
    /// One line: what, where, wanted, got.
    package let message: String
    package let cause: (any Error)?
    /// Whether it came while a run was on its way, which began well with all that the user named.
    private var isMidway = false

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package init(_ failure: FileFailure) {
        let code: Code =
            switch failure.number {
            case ENOSPC, EDQUOT: .noSpace
            case EACCES, EPERM, EROFS: .denied
            default: .file
            }
        self.init(code, failure.description, cause: failure)
    }

    package init(_ error: SafetensorsError) {
        if let cause = error.cause {
            self.init(cause)
        } else {
            self.init(.damaged, error.message, cause: error)
        }
    }

    package var description: String { message }

    /// Whether what the user named is at fault: a run that is half there or damaged, a file that is no file or may not be read, a place
    /// where nothing can be made. Otherwise it is the system's, or another process's.
    package var isBadInput: Bool {
        if isMidway { return false }
        switch code {
        case .exists, .notARun, .changed, .damaged: return true
        case .held, .noSpace: return false
        case .denied, .file:
            guard let failure = cause as? FileFailure else { return false }
            let isSystems = failure.number.map { [EIO, EMFILE, ENFILE, ENOMEM].contains($0) } ?? false
            return ["open", "read", "make directory"].contains(failure.operation) && !isSystems
        }
    }

    /// Whether the same may go well a moment later: the system is short of descriptors or memory.
    var isPassing: Bool {
        guard let number = (cause as? FileFailure)?.number else { return false }
        return [EMFILE, ENFILE, ENOMEM].contains(number)
    }

    /// Whether a file became shorter while it was read, as those of a run do that is taken up again.
    var isOfAFileCutMeanwhile: Bool { (cause as? FileFailure)?.isShortened ?? false }

    /// The same of a run that is on its way.
    var midway: RunError {
        var error = self
        error.isMidway = true
        return error
    }

    /// Reads through `body` and says what went wrong in this type.
    static func reading<Result>(_ body: () throws(FileFailure) -> Result) throws(RunError) -> Result {
        do { return try body() } catch { throw RunError(error) }
    }
}
