internal import CKernels

extension Tensor {
    /// The shape in which two shapes meet by NumPy's rule: aligned at the last axis, an axis of size 1 stretches; nil when they do not.
    static func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int]? {
        let rank = Swift.max(a.count, b.count)
        let (left, right) = (padded(a, to: rank), padded(b, to: rank))
        var shape: [Int] = []
        for (x, y) in zip(left, right) {
            guard x == y || x == 1 || y == 1 else { return nil }
            shape.append(x == 1 ? y : x)
        }
        return shape
    }

    /// Both tensors under the shape in which they meet.
    static func broadcast(_ a: Tensor, _ b: Tensor, _ operation: String) -> (Tensor, Tensor) {
        if a.shape == b.shape { return (a, b) }
        guard let shape = broadcastShape(a.shape, b.shape) else {
            fatalError("\(operation): shapes \(a.shape) and \(b.shape) differ and do not broadcast")
        }
        return (a.expanded(shape), b.expanded(shape))
    }

    /// The values repeated along new leading axes and along axes of size 1; −1 keeps an axis as it is.
    ///
    /// The gradient is the sum over the repeated axes: each element one chain of additions in row-major order of `shape`.
    public func expanded(_ shape: [Int]) -> Tensor {
        let own = Tensor.padded(self.shape, to: shape.count)
        require(own.count == shape.count, "expanded: shape \(self.shape) has more axes than \(shape)")
        let lead = shape.count - self.shape.count
        let wanted = zip(own, shape).enumerated().map { axis, sizes in
            sizes.1 == -1 && axis >= lead ? sizes.0 : sizes.1
        }
        require(
            zip(own, wanted).allSatisfy { ($0 == $1 || $0 == 1) && $1 >= 0 },
            "expanded: shape \(self.shape) does not stretch to \(shape)")
        if wanted == self.shape { return self }
        let old = self.shape
        return recording("expanded", strided(wanted, Tensor.foldingStrides(own, in: wanted))) { dy in
            dy.folded(to: own).detached.viewed(as: old)
        }
    }

    /// Sums over the axes on which `shape` has size 1 and self has not.
    ///
    /// Each element is one chain of additions from zero, in row-major order of self; a single number is `ck_sum` of everything.
    func folded(to shape: [Int]) -> Tensor {
        let count = shape.reduce(1, *)
        if count == 1 { return Tensor([Float(unsafe ck_sum(self.count, base))], shape: shape) }
        return chained(to: shape)
    }

    /// `folded`, with one chain also for a single number.
    func chained(to shape: [Int]) -> Tensor {
        let result = Tensor.unfilled(shape)
        let width = result.count
        if width > 0, Array(shape.drop { $0 == 1 }) == Array(self.shape.suffix(shape.drop { $0 == 1 }.count)) {
            // Whole rows: all the stretched axes are leading ones.
            let rows = self.count / width
            unsafe ck_column_sums(
                CK_FROM_ZERO, rows, width, base, .plain(Swift.max(rows, 1), stride: width), result.base)
            return result
        }
        unsafe result.base.update(repeating: 0, count: width)
        let strides = Tensor.foldingStrides(shape, in: self.shape)
        let (run, step) = (self.shape.last ?? 1, strides.last ?? 0)
        forEachRun(shape: self.shape, strides: strides) { first, place in
            let (from, to) = unsafe (base + first, result.base + place)
            if step == 0 {
                var chain = unsafe to[0]
                for index in 0..<run { unsafe chain += from[index] }
                unsafe to[0] = chain
            } else {
                unsafe ck_add(run, from, to)
            }
        }
        return result
    }

    /// A copy whose element at an index lies at the sum of index × stride of this tensor.
    func strided(_ shape: [Int], _ strides: [Int]) -> Tensor {
        let result = Tensor.unfilled(shape)
        let (run, step) = (shape.last ?? 1, strides.last ?? 0)
        forEachRun(shape: shape, strides: strides) { first, place in
            let (from, to) = unsafe (base + place, result.base + first)
            switch step {
            case 0: unsafe to.update(repeating: from[0], count: run)
            case 1: unsafe to.update(from: from, count: run)
            default: for index in 0..<run { unsafe to[index] = from[index * step] }
            }
        }
        return result
    }

    /// A shape with axes of size 1 put before it.
    private static func padded(_ shape: [Int], to rank: Int) -> [Int] {
        Array(repeating: 1, count: Swift.max(rank - shape.count, 0)) + shape
    }

    /// The strides of `shape` under an index of `whole`, of as many axes: none along a stretched axis.
    private static func foldingStrides(_ shape: [Int], in whole: [Int]) -> [Int] {
        zip(rowMajorStrides(shape), zip(shape, whole)).map { $1.0 == 1 && $1.1 != 1 ? 0 : $0 }
    }
}
