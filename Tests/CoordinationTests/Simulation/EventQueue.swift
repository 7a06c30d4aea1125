/// What happens next: the earliest first, and of simultaneous ones the one that was added first.
struct EventQueue<Element> {
    private var heap: [(time: Instant, number: Int, element: Element)] = []
    private var added = 0

    var count: Int { heap.count }

    mutating func add(_ element: Element, at time: Instant) {
        heap.append((time, added, element))
        added += 1
        var child = heap.count - 1
        while child > 0, isEarlier(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (time: Instant, element: Element)? {
        guard !heap.isEmpty else { return nil }
        heap.swapAt(0, heap.count - 1)
        let first = heap.removeLast()
        var parent = 0
        while true {
            var earliest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isEarlier(child, earliest) {
                earliest = child
            }
            guard earliest != parent else { break }
            heap.swapAt(parent, earliest)
            parent = earliest
        }
        return (first.time, first.element)
    }

    private func isEarlier(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].number) < (heap[right].time, heap[right].number)
    }
}
