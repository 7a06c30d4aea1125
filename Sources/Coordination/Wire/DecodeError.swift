/// Bytes that are no message, with the first thing that was wrong with them.
package struct DecodeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of malformed message, for counting.
    package enum Code: String, CaseIterable, Sendable {
        /// Not one frame.
        case frames
        /// Too short for a header.
        case headerLength
        case magic
        case version
        case kind
        /// A kind that only the receiver may send.
        case direction
        /// The payload lies in shared memory where there is none, or past its end.
        case place
        /// The payload's length is not the announced one, or is past the frame limit.
        case length
        /// A field that this kind leaves zero is not zero.
        case notZero
        /// No range of shards, or for an answer no subtree.
        case shards
        /// The stream is longer than any may be.
        case total
        /// The offset is not on the frame grid, or not within the stream.
        case offset
        /// The frame is not as long as its place in the stream asks for.
        case frameLength
        case checksum
        /// The payload is not what its kind holds.
        case payload
    }

    package let code: Code
    package let wanted: UInt64
    package let got: UInt64

    package init(_ code: Code, wanted: UInt64, got: UInt64) {
        self.code = code
        self.wanted = wanted
        self.got = got
    }

    package var message: String { "\(what): wanted \(wanted), got \(got)" }
    package var description: String { message }

    private var what: String {
        switch code {
        case .frames: "frames of the message"
        case .headerLength: "bytes of the header"
        case .magic: "magic number"
        case .version: "protocol version"
        case .kind: "message kind, highest known"
        case .direction: "message kind, from this side"
        case .place: "place of the payload"
        case .length: "bytes of the payload"
        case .notZero: "field that this kind leaves empty"
        case .shards: "shards of the message"
        case .total: "bytes of the whole stream"
        case .offset: "offset of the frame in its stream"
        case .frameLength: "bytes of the frame at its offset"
        case .checksum: "checksum"
        case .payload: "bytes of the payload's content"
        }
    }
}
