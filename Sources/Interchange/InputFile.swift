internal import Foundation

/// A regular file that is read at places of the reader's choice and closed with its last owner.
///
/// Reads copy instead of mapping: a file that shrinks while it is read gives an error, where a mapping would give a signal.
package final class InputFile: Sendable {
    package let path: String
    /// Bytes, when it was opened.
    package let size: Int
    private let descriptor: Int32

    /// - Parameter followsLinks: false refuses a path whose last part is a symbolic link.
    package init(path: String, followsLinks: Bool = true) throws(FileFailure) {
        // Without O_NONBLOCK the open of a named pipe would wait for a writer.
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW)
        var descriptor: Int32
        repeat { descriptor = unsafe open(path, flags) } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else {
            // The system's words would be of too many links.
            if !followsLinks, errno == ELOOP, Self.isLink(path) {
                throw FileFailure("open", path, reason: "it is a symbolic link; expected a regular file")
            }
            throw FileFailure("open", path, number: errno)
        }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let number = errno
            close(descriptor)
            throw FileFailure("read", path, number: number)
        }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG else {
            close(descriptor)
            throw kind == S_IFDIR
                ? FileFailure("read", path, number: EISDIR)
                : FileFailure("read", path, reason: "not a regular file")
        }
        self.path = path
        size = Int(status.st_size)
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// `SEEK_DATA`, which the C library shows to its own extensions only.
    #if canImport(Darwin)
        private static let seekData: Int32 = 4
    #else
        private static let seekData: Int32 = 3
    #endif

    private static func isLink(_ path: String) -> Bool {
        var status = stat()
        let isThere = unsafe lstat(path, &status) == 0
        return isThere && status.st_mode & S_IFMT == S_IFLNK
    }

    /// The first place at or behind `offset` of which the disk holds anything: between the two all bytes are zero, and so they are up
    /// to the end where the end is what is returned. `offset` itself where the file system cannot tell.
    package func data(from offset: Int) -> Int {
        let place = lseek(descriptor, off_t(offset), Self.seekData)
        if place >= 0 { return min(Int(place), size) }
        return errno == ENXIO ? max(offset, size) : offset
    }

    /// Fills `buffer` from `offset` on; a file that ends before is a failure.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileFailure) {
        var done = 0
        while done < buffer.count {
            let count = unsafe pread(
                descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileFailure("read", path, number: errno)
            }
            guard count > 0 else {
                throw FileFailure(
                    "read", path,
                    reason: "it ends at byte \(offset + done); \(buffer.count - done) more were expected",
                    isShortened: true)
            }
            done += count
        }
    }

    package func bytes(_ range: Range<Int>) throws(FileFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var span = bytes.mutableSpan
        try unsafe span.withUnsafeMutableBytes { buffer throws(FileFailure) in
            try unsafe read(into: buffer, at: range.lowerBound)
        }
        return bytes
    }

    /// The whole of a file.
    ///
    /// - Parameter limit: bytes; a longer file is a failure, before anything is read.
    package static func contents(
        of path: String, limit: Int = .max, followsLinks: Bool = true
    ) throws(FileFailure) -> [UInt8] {
        let file = try InputFile(path: path, followsLinks: followsLinks)
        guard file.size <= limit else {
            throw FileFailure("read", path, reason: "it has \(file.size) bytes; at most \(limit) were expected")
        }
        return try file.bytes(0..<file.size)
    }
}
