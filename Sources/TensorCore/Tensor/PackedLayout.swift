internal import CKernels

/// Where the packed forms of parameters lie in one block that several processes read.
///
/// A product reads a weight packed, and processes that share the forms share what of them is in the cache: on two cores with one cache
/// that is worth more than the packing itself.
package struct PackedLayout: Sendable {
    /// By parameter: the first floats of its two forms; nil for one that no product reads.
    private let places: [(forward: Range<Int>, backward: Range<Int>)?]
    /// Floats of all forms.
    package let count: Int

    /// Forms begin on a page.
    private static let grid = 1024

    package init(_ parameters: [Parameter]) {
        var end = 0
        func place(_ size: Int) -> Range<Int> {
            defer { end += (size + Self.grid - 1) / Self.grid * Self.grid }
            return end..<end + size
        }
        places = parameters.map { parameter in
            guard parameter.shape.count == 2, !parameter.hasSparseGradient else { return nil }
            let (n, k, precision) = (parameter.shape[0], parameter.shape[1], parameter.precision.kernel)
            return (place(ck_packed_size(precision, k, n)), place(ck_packed_size(precision, n, k)))
        }
        count = end
    }

    /// Packs one of the parameters; its products read the forms there until its values change, or those of the block.
    package func pack(_ parameter: Parameter, at index: Int, into block: Storage) {
        guard let (forward, backward) = places[index] else { return }
        let forms = (forward: block.view(forward), backward: block.view(backward))
        parameter.pack(.forward, into: forms.forward)
        parameter.pack(.backward, into: forms.backward)
        parameter.adoptPacked(forward: forms.forward, backward: forms.backward)
    }

    /// Lets products read forms that were packed from the same values, until the values change.
    package func adopt(_ block: Storage, by parameters: [Parameter]) {
        require(
            parameters.count == places.count && block.count == count,
            "adopt: \(block.count) floats of packed forms for \(parameters.count) parameters; expected \(count) for \(places.count)"
        )
        for (parameter, place) in zip(parameters, places) {
            guard let (forward, backward) = place else { continue }
            parameter.adoptPacked(forward: block.view(forward), backward: block.view(backward))
        }
    }
}
