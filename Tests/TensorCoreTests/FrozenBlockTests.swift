import TensorCore
import Testing

@Suite struct `A frozen block` {
    /// More than two pieces, and the last one short.
    private let values = (0..<(1 << 19) + 1001).map { Float($0) }

    private static func all(of block: FrozenBlock, between: (_ piece: Int) -> Void = { _ in }) -> [Float] {
        var read: [Float] = []
        var pieces = 0
        block.read { bytes in
            unsafe bytes.withUnsafeBytes { unsafe read.append(contentsOf: $0.bindMemory(to: Float.self)) }
            between(pieces)
            pieces += 1
        }
        return read
    }

    @Test func `is read where it lies as long as it stays as it is`() {
        let block = Storage(values)
        let frozen = FrozenBlock(block)
        block.assign(values.map { -$0 })
        #expect(Self.all(of: frozen) == values.map { -$0 })
    }

    @Test(arguments: [nil, 0, 1, 2])
    func `has its values whenever it is thawed`(piece: Int?) {
        let block = Storage(values)
        let frozen = FrozenBlock(block)
        func change() {
            frozen.thaw()
            block.assign([Float](repeating: -1, count: values.count))
        }
        if piece == nil { change() }
        #expect(Self.all(of: frozen) { if $0 == piece { change() } } == values)
        #expect(unsafe block.floats[0] == -1)
        // Nothing is left to be copied.
        frozen.thaw()
    }

    @Test func `of no values has none`() {
        let frozen = FrozenBlock(Storage(count: 0))
        frozen.thaw()
        #expect(Self.all(of: frozen).isEmpty)
    }

    @Test func `is read by one thread while another thaws it`() {
        for _ in 0..<20 {
            let block = Storage(values)
            let frozen = FrozenBlock(block)
            let values = values
            ThreadTeam(threads: 2).run([1 << 20, 1 << 19]) { index in
                if index == 0 {
                    #expect(Self.all(of: frozen) == values)
                } else {
                    frozen.thaw()
                    unsafe block.floats.update(repeating: -1)
                }
            }
            #expect(unsafe block.floats[0] == -1)
        }
    }
}
