/// The pieces of an assignment that have arrived, in any order, each once: no more is held than was sent.
struct AssignmentPieces {
    private var pieces: [Int: [UInt8]] = [:]

    /// Bytes that are held.
    var count: Int { pieces.values.reduce(0) { $0 + $1.count } }

    mutating func take(_ bytes: some Sequence<UInt8>, at offset: Int) { pieces[offset] = Array(bytes) }

    /// All of them, one behind the other.
    consuming func joined() -> [UInt8] {
        if pieces.count == 1, let only = pieces[0] { return only }
        var whole: [UInt8] = []
        whole.reserveCapacity(count)
        for offset in pieces.keys.sorted() { whole += pieces.removeValue(forKey: offset) ?? [] }
        return whole
    }
}
