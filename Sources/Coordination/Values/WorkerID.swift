/// Names one start of a worker process: the opaque routing bytes its messages come with.
package struct WorkerID: Hashable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// Stands for the coordinator where an answer is its own; no worker is named so.
    package static let coordinator = WorkerID([])

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The bytes as text where all of them are printable ASCII, else as hexadecimal digits.
    package var description: String {
        if !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7E).contains($0) }) {
            return String(decoding: bytes, as: UTF8.self)
        }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
