// A payload that lies in memory which both processes see: the frame is the header, and where.
extension Header {
    /// Bytes that stand for such a payload.
    private static let placeBytes = 8

    /// The frame for a payload that lies at `place`.
    package func encoded(with payload: RawSpan, lyingAt place: Int) -> [UInt8] {
        var header = self
        header.isShared = true
        var writer = ByteWriter(capacity: Header.placeBytes)
        writer.write(UInt64(place))
        return header.encoded(with: payload) + writer.bytes
    }

    /// Where the payload of a frame lies, if it is not in the frame itself.
    package static func sharedPlace(in frame: RawSpan) throws(DecodeError) -> Range<Int>? {
        guard frame.byteCount == byteCount + placeBytes else { return nil }
        var reader = ByteReader(frame.extracting(lengthOffset..<frame.byteCount))
        let length: UInt32 = try reader.read()
        let flag: UInt32 = try reader.read()
        guard flag == 1 else { return nil }
        _ = try reader.read() as UInt64
        let place: UInt64 = try reader.read()
        guard place <= maximumPlace else { throw DecodeError(.place, wanted: maximumPlace, got: place) }
        return Int(place)..<Int(place) + Int(length)
    }

    private static let lengthOffset = 64
    /// Larger than any memory that is shared.
    private static let maximumPlace: UInt64 = 1 << 56
}
