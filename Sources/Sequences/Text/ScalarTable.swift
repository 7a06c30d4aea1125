/// From a Unicode scalar to its index: an array in pages of 256, of which only those in use exist.
struct ScalarTable: Sendable {
    /// Where the page of each 256 scalars begins in `slots`; 0 is the page without any.
    private var pages = [Int32](repeating: 0, count: 0x11_0000 >> 8)
    private var slots = [Int32](repeating: -1, count: 256)

    init(_ scalars: [Unicode.Scalar]) {
        for (index, scalar) in scalars.enumerated() {
            let page = Int(scalar.value >> 8)
            if pages[page] == 0 {
                pages[page] = Int32(slots.count)
                slots += [Int32](repeating: -1, count: 256)
            }
            slots[Int(pages[page]) + Int(scalar.value & 255)] = Int32(index)
        }
    }

    /// −1 for a scalar that is not in the table.
    subscript(scalar: UInt32) -> Int32 {
        slots[Int(pages[Int(scalar >> 8)]) + Int(scalar & 255)]
    }
}
