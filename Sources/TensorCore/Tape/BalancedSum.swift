extension Array {
    /// The sum of a power of two of leaves in one balanced binary tree, always left + right.
    package func balancedSum(_ add: (Element, Element) -> Element) -> Element {
        require(!isEmpty && count & (count - 1) == 0, "balancedSum: \(count) leaves; expected a power of two")
        var sums = self
        while sums.count > 1 {
            sums = stride(from: 0, to: sums.count, by: 2).map { add(sums[$0], sums[$0 + 1]) }
        }
        return sums[0]
    }
}
