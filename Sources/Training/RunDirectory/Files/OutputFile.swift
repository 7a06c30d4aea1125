internal import CProcesses
internal import Foundation
internal import Interchange

/// A file that this process writes; closed when it goes out of scope.
struct OutputFile: ~Copyable {
    let path: String
    private let descriptor: Int32

    enum Opening {
        /// Empty, whatever was there before.
        case new
        /// As it is; empty if it was not there.
        case existing
    }

    init(path: String, _ opening: Opening) throws(RunError) {
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (opening == .new ? O_TRUNC : 0)
        if let number = FileFaults.refusal(opening == .new ? .create(path) : .open(path)) {
            throw RunError(FileFailure("write", path, number: number))
        }
        let descriptor = retrying { unsafe open(path, flags, 0o666) }
        guard descriptor >= 0 else { throw RunError(FileFailure("write", path, number: errno)) }
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Writes all of `bytes` at `offset`, in as many calls as the system makes of it.
    func write(_ bytes: RawSpan, at offset: Int) throws(RunError) {
        if let number = FileFaults.refusal(
            .write(path, offset: offset, bytes: unsafe bytes.withUnsafeBytes { unsafe Array($0) }))
        {
            throw RunError(FileFailure("write", path, number: number))
        }
        try unsafe bytes.withUnsafeBytes { buffer throws(RunError) in
            var done = 0
            while done < buffer.count {
                let count = retrying {
                    unsafe pwrite(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
                }
                guard count >= 0 else { throw RunError(FileFailure("write", path, number: errno)) }
                guard count > 0 else {
                    throw RunError(
                        FileFailure("write", path, reason: "the system took no byte of \(buffer.count - done)"))
                }
                done += count
            }
        }
    }

    /// Lets the system bring what is written in this part to the disk by and by; nothing is promised of it.
    func beginSynchronizing(_ part: Range<Int>) {
        cpr_begin_writing(descriptor, Int64(part.lowerBound), Int64(part.count))
    }

    func truncate(to size: Int) throws(RunError) {
        if let number = FileFaults.refusal(.truncate(path, size: size)) {
            throw RunError(FileFailure("shorten", path, number: number))
        }
        guard retrying({ ftruncate(descriptor, off_t(size)) }) == 0 else {
            throw RunError(FileFailure("shorten", path, number: errno))
        }
    }

    /// Sees that what is written here is what lies at the path.
    ///
    /// - Throws: when the file was moved, removed or replaced: whatever is written goes nowhere, and who goes on with it does not find
    ///   it.
    func requirePlace() throws(RunError) {
        guard FileSystem.lies(descriptor, at: path, followingLinks: false) else {
            throw RunError(
                .damaged,
                "\(path): moved, removed or replaced while the run was held; expected the file that is being written, and nothing was written to what lies there now; put it back, or resume the run from its newest checkpoint"
            ).midway
        }
    }

    /// Returns when the file's bytes are on the disk.
    func synchronize() throws(RunError) {
        if let number = FileFaults.refusal(.synchronize(path)) {
            throw RunError(FileFailure("bring to disk", path, number: number))
        }
        guard retrying({ fsync(descriptor) }) == 0 else {
            throw RunError(FileFailure("bring to disk", path, number: errno))
        }
    }
}

/// Calls again for as long as a signal comes in between.
func retrying<Number: SignedInteger>(_ call: () -> Number) -> Number {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
