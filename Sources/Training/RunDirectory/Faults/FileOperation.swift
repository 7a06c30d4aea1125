/// One call that changes what is on the disk, before it is made.
package enum FileOperation: Sendable, Equatable {
    case makeDirectory(String)
    /// Makes a file, or empties one that is there.
    case create(String)
    /// Makes a file unless one is there.
    case open(String)
    case write(String, offset: Int, bytes: [UInt8])
    case truncate(String, size: Int)
    case synchronize(String)
    case rename(String, to: String)
    case synchronizeDirectory(String)
    case remove(String)
}

/// Sees every change that this package makes in a run's directory, and may have it refused: tests of full disks and of power cuts.
package protocol FileObserver: Sendable {
    /// - Returns: 0, or the number of the error that the system is to have given instead of doing it.
    func number(for operation: FileOperation) -> Int32
}

package enum FileFaults {
    /// Nil outside of tests.
    @TaskLocal package static var observer: (any FileObserver)?

    /// The error to report in place of a call; nil when it is to be made.
    static func refusal(_ operation: @autoclosure () -> FileOperation) -> Int32? {
        guard let observer else { return nil }
        let number = observer.number(for: operation())
        return number == 0 ? nil : number
    }
}
