internal import CKernels

/// The longest payload of one message, and the grid that streams are cut on.
package let frameBytes = 1 << 20

/// The longest stream that a message can announce; a receiver's own limit is lower.
package let maximumStreamBytes: UInt64 = 1 << 40

/// The version of the wire protocol; peers of another one are refused.
package let protocolVersion: UInt16 = 3

/// The beginning of every message, which is one frame: 80 bytes, little-endian, fields in this order without gaps.
///
///     offset  bytes  field
///          0      4  magic, "LKSP"
///          4      2  protocol version
///          6      2  kind
///          8     16  run id
///         24      8  incarnation
///         32      8  step
///         40      4  first shard
///         44      4  shard count
///         48      8  offset of the payload in its stream
///         56      8  total bytes of the stream
///         64      4  length of the payload
///         68      4  0: the payload follows; 1: it lies in memory that both processes see, and where is in the 8 bytes that follow
///         72      8  checksum of the payload, seeded by the checksum (seed 0) of this header with zeros for it and for the field before;
///                 when that field is 1 of no payload, and all its bits inverted
package struct Header: Hashable, Sendable {
    package static let byteCount = 80
    static let magic: UInt32 = 0x5053_4B4C
    private static let checksumOffset = 72

    package var kind: MessageKind
    package var run: RunID
    package var incarnation: UInt64
    package var step: UInt64
    package var firstShard: UInt32
    package var shardCount: UInt32
    package var offset: UInt64
    package var total: UInt64
    package var length: UInt32
    /// Whether the payload lies in shared memory; once it is decoded, the checksum of an equal answer is equal either way.
    package var isShared = false
    /// Zero until the header is encoded with its payload.
    package var checksum: UInt64

    package init(
        kind: MessageKind, run: RunID, incarnation: UInt64, step: UInt64 = 0, shards: ShardRange? = nil,
        offset: UInt64 = 0, total: UInt64 = 0, length: Int = 0
    ) {
        precondition(
            length <= Framing.inMemory.frameBytes,
            "Header: payload of \(length) bytes; a frame has at most \(Framing.inMemory.frameBytes)")
        self.kind = kind
        self.run = run
        self.incarnation = incarnation
        self.step = step
        firstShard = UInt32(shards?.first ?? 0)
        shardCount = UInt32(shards?.count ?? 0)
        self.offset = offset
        self.total = total
        self.length = UInt32(length)
        checksum = 0
    }

    /// The shards the message is about, if it is about any.
    package var range: ShardRange? {
        shardCount == 0 ? nil : ShardRange(first: Int(firstShard), count: Int(shardCount))
    }

    /// The shards the message is about, if they make up one node of the tree.
    package var subtree: Subtree? {
        Subtree(first: Int(firstShard), count: Int(shardCount))
    }

    /// The checksum that frames carry, at the speed of memory: it tells bits that differ by accident, not by intent.
    ///
    /// `CKernels` defines it; the protocol's documentation does so word by word.
    package static func checksum(_ bytes: RawSpan, seed: UInt64 = 0) -> UInt64 {
        unsafe bytes.withUnsafeBytes { unsafe ck_checksum_bytes(seed, $0.count, $0.baseAddress) }
    }

    /// The checksum that goes with this header and a payload, wherever it lies: it tells whether two answers are the same.
    package func checksum(over payload: RawSpan) -> UInt64 {
        var unsealed = self
        unsealed.checksum = 0
        unsealed.isShared = false
        return unsafe Self.checksum(payload, seed: Self.checksum(unsealed.bytes.span.bytes))
    }

    /// The checksum as it is sent.
    ///
    /// What lies in shared memory is not read for it: nothing carries it anywhere. All bits are inverted then, so that no single bit of the
    /// header can change unnoticed.
    func seal(over payload: RawSpan) -> UInt64 {
        isShared ? ~checksum(over: payload.extracting(first: 0)) : checksum(over: payload)
    }

    /// The header's bytes, with the checksum over the payload that travels behind it.
    ///
    /// - Precondition: the payload is as long as `length` says.
    package func encoded(with payload: RawSpan) -> [UInt8] {
        precondition(
            payload.byteCount == Int(length), "Header.encoded: length \(length), payload of \(payload.byteCount) bytes")
        var sealed = self
        sealed.checksum = seal(over: payload)
        return sealed.bytes
    }

    var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Header.byteCount)
        writer.write(Header.magic)
        writer.write(protocolVersion)
        writer.write(kind.rawValue)
        writer.write(run.low)
        writer.write(run.high)
        writer.write(incarnation)
        writer.write(step)
        writer.write(firstShard)
        writer.write(shardCount)
        writer.write(offset)
        writer.write(total)
        writer.write(length)
        writer.write(UInt32(isShared ? 1 : 0))
        writer.write(checksum)
        return writer.bytes
    }
}
