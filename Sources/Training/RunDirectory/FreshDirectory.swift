internal import Foundation

/// A directory that this process, and no other, has made for a run that is to begin there.
package struct FreshDirectory {
    package let path: String
    private let hasMadeParent: Bool

    /// Makes the first of these, counted from 1, in whose place nothing is: of processes that do so at once, each makes its own.
    package init(_ path: (Int) -> String) throws(RunError) {
        hasMadeParent = FileSystem.kind(of: FileSystem.parent(of: path(1))) == nil
        var number = 1
        while true {
            let place = path(number)
            if FileSystem.kind(of: place) == nil, try Self.make(place) {
                self.path = place
                return
            }
            number += 1
        }
    }

    /// Makes a directory for a run.
    ///
    /// - Returns: false when it was there already.
    static func make(_ path: String) throws(RunError) -> Bool {
        do { return try FileSystem.makeDirectory(path) } catch {
            throw RunError(
                error.code, "\(error.message); expected a place where a new directory can be made", cause: error.cause)
        }
    }

    /// Removes it again where no run has begun in it.
    package func discard() {
        let names = (try? FileSystem.names(in: path)) ?? []
        guard names.allSatisfy({ $0 == RunLock.fileName || $0.hasPrefix(FileSystem.temporaryPrefix) }) else { return }
        for name in names { _ = unsafe unlink("\(path)/\(name)") }
        _ = unsafe rmdir(path)
        if hasMadeParent { _ = unsafe rmdir(FileSystem.parent(of: path)) }
    }
}
