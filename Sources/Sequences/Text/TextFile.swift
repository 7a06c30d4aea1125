#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Glibc
#endif

/// A file's bytes, as they are.
package struct TextFile: Sendable {
    package let path: String
    package let bytes: [UInt8]

    /// Bytes that are already in memory.
    ///
    /// - Parameter path: what they are called in errors.
    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    /// Reads a regular file in one go.
    package static func read(_ path: String) throws(SequenceError) -> TextFile {
        // Without O_NONBLOCK the opening of a pipe would wait for somebody to write to it.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw unreadable(path, errno) }
        defer { _ = close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw unreadable(path, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw SequenceError(.directory, "\(path) is a directory; wanted a text file")
        default: throw SequenceError(.notAFile, "\(path) is a pipe, a socket or a device; wanted a regular file")
        }
        let size = Int(status.st_size)
        guard size > 0 else { throw SequenceError(.empty, "\(path) is empty; wanted a text to learn from") }
        try check(file, size, path)

        var failure: CInt = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let received = unsafe Self.receive(
                    file, UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]))
                if received < 0 { failure = errno }
                if received <= 0 { return }
                count += received
            }
        }
        if failure != 0 { throw unreadable(path, failure) }
        guard bytes.count == size else {
            throw SequenceError(.changed, "\(path) shrank from \(size) to \(bytes.count) bytes while it was read")
        }
        return TextFile(path: path, bytes: bytes)
    }

    /// Refuses unread what could not be used: a text is held in memory, and a file of nothing but holes is no text.
    private static func check(_ file: CInt, _ size: Int, _ path: String) throws(SequenceError) {
        let limit = sysconf(CInt(_SC_PHYS_PAGES)) * sysconf(CInt(_SC_PAGESIZE)) / 4
        guard limit <= 0 || size <= limit else {
            throw SequenceError(
                .tooLarge,
                "\(path) has \(size) bytes; a text is held in memory, wanted at most \(limit), a quarter of this machine's"
            )
        }
        #if os(Linux)
            // SEEK_DATA, which glibc's module shows only to GNU programs.
            let data = lseek(file, 0, 3)
            if data < 0, errno == ENXIO {
                throw SequenceError(
                    .oneSymbol, "\(path) holds nothing but \(size) zeros that take no place on the disk; wanted a text")
            }
            _ = lseek(file, 0, SEEK_SET)
        #endif
    }

    /// `read`, again when a signal came in between.
    private static func receive(_ file: CInt, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            #if canImport(Darwin)
                let received = unsafe Darwin.read(file, buffer.baseAddress, buffer.count)
            #elseif canImport(Musl)
                let received = unsafe Musl.read(file, buffer.baseAddress, buffer.count)
            #else
                let received = unsafe Glibc.read(file, buffer.baseAddress, buffer.count)
            #endif
            if received < 0 && errno == EINTR { continue }
            return received
        }
    }

    private static func unreadable(_ path: String, _ number: CInt) -> SequenceError {
        SequenceError(.unreadable, "cannot read \(path): \(unsafe String(cString: strerror(number))) (errno \(number))")
    }

    /// The last part of the path.
    package var name: String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}
