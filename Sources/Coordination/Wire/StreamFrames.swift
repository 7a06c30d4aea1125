/// The headers of one stream's frames, in order; each is sealed with its piece of the stream by `Header.encoded(with:)`.
package struct StreamFrames: Sequence, Sendable {
    private let template: Header
    fileprivate let framing: Framing

    /// - Precondition: `kind` is a stream's.
    package init(
        _ kind: MessageKind, run: RunID, incarnation: UInt64, step: UInt64, shards: ShardRange? = nil, total: Int,
        framing: Framing = .standard
    ) {
        precondition(kind.isStream, "StreamFrames: \(kind) is no stream")
        template = Header(
            kind: kind, run: run, incarnation: incarnation, step: step, shards: shards, total: UInt64(total))
        self.framing = framing
    }

    package var count: Int { framing.count(ofTotal: template.total) }

    /// The header of frame `index`; it covers bytes `offset ..< offset + length` of the stream.
    package subscript(index: Int) -> Header {
        precondition(index >= 0 && index < count, "StreamFrames: frame \(index) of \(count)")
        var header = template
        header.offset = UInt64(index * framing.frameBytes)
        header.length = UInt32(Swift.min(UInt64(framing.frameBytes), header.total - header.offset))
        return header
    }

    package func makeIterator() -> some IteratorProtocol<Header> {
        (0..<count).lazy.map { self[$0] }.makeIterator()
    }
}

/// Which frames of a stream have arrived, with their checksums.
package struct StreamAssembly: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        case new
        /// The same frame with the same checksum as before.
        case repeated
    }

    /// A frame that cannot be part of the stream.
    package enum Failure: Error, Equatable, Sendable {
        /// The stream is longer than the receiver takes.
        case tooLong(total: UInt64, limit: UInt64)
        /// Frames disagree on the stream's length.
        case otherTotal(UInt64, wanted: UInt64)
        /// The same frame came with another content.
        case changed(offset: UInt64)
    }

    package let total: UInt64
    private let frameBytes: Int
    private var arrived: [UInt64]
    private(set) var checksums: [UInt64]
    package private(set) var missingFrames: Int

    /// - Parameters:
    ///   - total: the stream's length as its first frame announces it.
    ///   - limit: the longest stream that the receiver takes; bounds what is stored here and by the receiver.
    package init(total: UInt64, limit: UInt64, framing: Framing = .standard) throws(Failure) {
        guard total <= limit else { throw .tooLong(total: total, limit: limit) }
        self.total = total
        let frames = framing.count(ofTotal: total)
        frameBytes = framing.frameBytes
        missingFrames = framing.planted.contains(.dropLastFrame) && frames > 1 ? frames - 1 : frames
        arrived = Array(repeating: 0, count: (frames + 63) / 64)
        checksums = Array(repeating: 0, count: frames)
    }

    /// The whole stream, as its receiver would have it.
    ///
    /// - Parameter bytes: as many as the frames cover.
    package init(of frames: StreamFrames, bytes: RawSpan) {
        total = frames[0].total
        frameBytes = frames.framing.frameBytes
        arrived = Array(repeating: .max, count: (frames.count + 63) / 64)
        checksums = frames.map { header in
            let place = Int(header.offset)..<Int(header.offset) + Int(header.length)
            return header.checksum(over: bytes.extracting(place))
        }
        missingFrames = 0
    }

    package var isWhole: Bool { missingFrames <= 0 }

    /// Takes note of one decoded frame.
    package mutating func accept(_ header: Header) throws(Failure) -> Outcome {
        guard header.total == total else { throw .otherTotal(header.total, wanted: total) }
        let index = Int(header.offset / UInt64(frameBytes))
        guard !hasFrame(index) else {
            guard checksums[index] == header.checksum else { throw .changed(offset: header.offset) }
            return .repeated
        }
        arrived[index / 64] |= 1 << UInt64(index % 64)
        checksums[index] = header.checksum
        missingFrames -= 1
        return .new
    }

    /// Whether the frames that both have are the same to the byte, as far as their checksums tell.
    package func agrees(with other: StreamAssembly) -> Bool {
        guard total == other.total else { return false }
        return checksums.indices.allSatisfy { index in
            !hasFrame(index) || !other.hasFrame(index) || checksums[index] == other.checksums[index]
        }
    }

    private func hasFrame(_ index: Int) -> Bool {
        arrived[index / 64] >> UInt64(index % 64) & 1 == 1
    }
}
