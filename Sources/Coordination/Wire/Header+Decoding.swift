extension Header {
    /// Reads and checks a header and the payload behind it, all but the payload's content.
    ///
    /// Total: any bytes give a header or an error. The version is looked at before all that another version may have
    /// laid out in another way.
    init(
        decoding header: RawSpan, payload: RawSpan, receiver: Role, framing: Framing = .standard
    ) throws(DecodeError) {
        try check(header.byteCount == Header.byteCount, .headerLength, Header.byteCount, header.byteCount)
        var reader = ByteReader(header)
        let magic: UInt32 = try reader.read()
        try check(magic == Header.magic, .magic, Header.magic, magic)
        let version: UInt16 = try reader.read()
        try check(version == protocolVersion, .version, protocolVersion, version)
        let number: UInt16 = try reader.read()
        guard let kind = MessageKind(rawValue: number) else {
            throw DecodeError(.kind, wanted: UInt64(MessageKind.stop.rawValue), got: UInt64(number))
        }
        try check(kind.sender != receiver, .direction, 0, number)

        self.init(kind: kind, run: .none, incarnation: 0)
        run = RunID(low: try reader.read(), high: try reader.read())
        incarnation = try reader.read()
        step = try reader.read()
        firstShard = try reader.read()
        shardCount = try reader.read()
        offset = try reader.read()
        total = try reader.read()
        length = try reader.read()
        let place: UInt32 = try reader.read()
        let sent: UInt64 = try reader.read()

        try check(place <= (kind.isStream ? 1 : 0), .place, kind.isStream ? 1 : 0, place)
        isShared = place == 1
        let framing = isShared && kind == .parameters ? Framing.inMemory : framing
        let limit = max(frameBytes, framing.frameBytes)
        try check(payload.byteCount <= limit, .length, limit, payload.byteCount)
        try check(Int(length) == payload.byteCount, .length, length, payload.byteCount)
        try checkPlace()
        try checkStream(framing)
        let expected = seal(over: payload)
        try check(sent == expected || framing.planted.contains(.skipChecksum), .checksum, expected, sent)
        // An answer is compared with others, wherever they lie.
        checksum = isShared && kind == .answer ? checksum(over: payload) : sent
    }

    private func checkPlace() throws(DecodeError) {
        if kind == .hello {
            // A worker that says hello belongs to no run and no incarnation.
            try check(run == .none, .notZero, 0, run.low | run.high)
            try check(incarnation == 0, .notZero, 0, incarnation)
        }
        switch kind.place {
        case .nothing:
            try check(step == 0, .notZero, 0, step)
            try checkNoShards()
        case .step:
            try checkNoShards()
        case .range:
            try checkShards()
        case .rangeOrNothing where shardCount == 0:
            try check(step == 0, .notZero, 0, step)
            try checkNoShards()
        case .rangeOrNothing:
            try checkShards()
        case .subtree:
            try checkShards()
            try check(subtree != nil, .shards, firstShard, shardCount)
        }
    }

    private func checkNoShards() throws(DecodeError) {
        try check(firstShard == 0, .notZero, 0, firstShard)
        try check(shardCount == 0, .notZero, 0, shardCount)
    }

    private func checkShards() throws(DecodeError) {
        let end = UInt64(firstShard) + UInt64(shardCount)
        try check(shardCount >= 1, .shards, 1, shardCount)
        try check(end <= UInt64(maximumShards), .shards, maximumShards, end)
    }

    private func checkStream(_ framing: Framing) throws(DecodeError) {
        guard kind.isStream else {
            try check(offset == 0, .notZero, 0, offset)
            try check(total == 0, .notZero, 0, total)
            return
        }
        try check(total <= maximumStreamBytes, .total, maximumStreamBytes, total)
        try check(offset % UInt64(framing.frameBytes) == 0, .offset, 0, offset)
        try check(offset < total || (offset == 0 && total == 0), .offset, total, offset)
        let wanted = min(UInt64(framing.frameBytes), total - offset)
        try check(UInt64(length) == wanted, .frameLength, wanted, length)
    }
}

private func check(
    _ holds: Bool, _ code: DecodeError.Code, _ wanted: some BinaryInteger, _ got: some BinaryInteger
) throws(DecodeError) {
    guard !holds else { return }
    throw DecodeError(code, wanted: UInt64(truncatingIfNeeded: wanted), got: UInt64(truncatingIfNeeded: got))
}
