import Layers
import TensorCore
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A loss against target classes: what PyTorch's documentation says, in double precision.
private struct ClassCase: CustomTestStringConvertible {
    /// `[N, C, d1, …]` or `[C]`.
    let shape: [Int]
    var weighted = false
    var ignoreIndex = -100
    var smoothing: Float = 0

    var testDescription: String { "\(shape), weighted \(weighted), ignoring \(ignoreIndex), smoothing \(smoothing)" }

    var classes: Int { shape.count == 1 ? shape[0] : shape[1] }
    /// Elements behind the class axis.
    var inner: Int { shape.dropFirst(2).reduce(1, *) }
    var targetShape: [Int] { shape.count == 1 ? [] : [shape[0]] + shape.dropFirst(2) }
    var weights: [Float]? { weighted ? (0..<classes).map { 0.2 + Float($0 * 5 % 7) / 7 } : nil }
    var weight: Tensor? { weights.map { Tensor($0) } }
    var targets: [Int32] {
        (0..<targetShape.reduce(1, *)).map {
            $0 % 4 == 2 && ignoreIndex < 0 ? Int32(ignoreIndex) : Int32($0 * 3 % classes)
        }
    }
    var targetTensor: IntTensor { IntTensor(targets, shape: targetShape) }

    /// - Parameter logarithms: the log-probability at a flat place.
    func reference(_ logarithms: [Double]) -> (each: [Double], total: Double) {
        var (each, total): ([Double], Double) = ([], 0)
        for (row, target) in targets.enumerated() {
            func place(_ c: Int) -> Int { (row / inner * classes + c) * inner + row % inner }
            func weight(_ c: Int) -> Double { Double(weights?[c] ?? 1) }
            guard Int(target) != ignoreIndex else {
                each.append(0)
                continue
            }
            let smooth = (0..<classes).reduce(0) { $0 - weight($1) * logarithms[place($1)] } / Double(classes)
            let own = -weight(Int(target)) * logarithms[place(Int(target))]
            each.append((1 - Double(smoothing)) * own + Double(smoothing) * smooth)
            total += weight(Int(target))
        }
        return (each, total)
    }

    func logSoftmax(_ x: [Double]) -> [Double] {
        x.indices.map { flat in
            let first = flat / (classes * inner) * classes * inner + flat % inner
            return x[flat] - log((0..<classes).reduce(0) { $0 + exp(x[first + $1 * inner]) })
        }
    }
}

private let cases = [
    ClassCase(shape: [1, 1]), ClassCase(shape: [9, 5]), ClassCase(shape: [7]), ClassCase(shape: [7], weighted: true),
    ClassCase(shape: [5, 17], ignoreIndex: 3), ClassCase(shape: [5, 17], weighted: true, ignoreIndex: -1),
    ClassCase(shape: [3, 6, 5]), ClassCase(shape: [2, 4, 3, 5], weighted: true, ignoreIndex: 1),
    ClassCase(shape: [5, 7], smoothing: 0.1), ClassCase(shape: [5, 7], weighted: true, ignoreIndex: 2, smoothing: 0.3),
    ClassCase(shape: [3, 6, 5], weighted: true, smoothing: 0.2), ClassCase(shape: [7], smoothing: 1),
    ClassCase(shape: [2, 3, 2, 1, 2], ignoreIndex: -7, smoothing: 0.05),
]

@Suite struct `Losses against classes` {
    @Test(arguments: cases)
    private func `cross-entropy is PyTorch's formula, and so is its gradient`(of example: ClassCase) {
        expectLoss(scattered(example.shape.reduce(1, *)), shape: example.shape) { logits, reduction in
            let result = crossEntropy(
                logits, example.targetTensor, weight: example.weight, ignoreIndex: example.ignoreIndex,
                reduction: reduction,
                labelSmoothing: example.smoothing)
            #expect(result.shape == (reduction == .none ? example.targetShape : []))
            return result
        } reference: {
            example.reference(example.logSoftmax($0))
        }
    }

    @Test(arguments: cases.filter { $0.smoothing == 0 })
    private func `the likelihood loss likewise, and cross-entropy is it after logSoftmax`(of example: ClassCase) {
        let input = scattered(example.shape.reduce(1, *))
        expectLoss(input, shape: example.shape) { logarithms, reduction in
            nllLoss(
                logarithms, example.targetTensor, weight: example.weight, ignoreIndex: example.ignoreIndex,
                reduction: reduction)
        } reference: {
            example.reference($0)
        }
        let logits = Tensor(input, shape: example.shape)
        let loss = NLLLoss(weight: example.weight, ignoreIndex: example.ignoreIndex)(
            logits.logSoftmax(axis: example.shape.count == 1 ? 0 : 1), example.targetTensor)
        let whole = CrossEntropyLoss(weight: example.weight, ignoreIndex: example.ignoreIndex)(
            logits, example.targetTensor)
        expectClose(loss.values, whole.values.map(Double.init), 1e-6, "likelihood after logSoftmax")
    }

    @Test(
        arguments: [[4, 5], [6], [2, 4, 3]], [(false, 0), (false, 0.2), (true, 0), (true, 0.2)] as [(Bool, Float)])
    func `cross-entropy against probabilities`(shape: [Int], setting: (Bool, Float)) {
        let (weighted, smoothing) = setting
        let example = ClassCase(shape: shape, weighted: weighted)
        let count = shape.reduce(1, *)
        let targets = scattered(count, from: 50).map { abs($0) / 3 }
        let loss = CrossEntropyLoss(weight: example.weight, labelSmoothing: smoothing)
        func reference(_ x: [Double], _ targets: [Double]) -> (each: [Double], total: Double) {
            let logarithms = example.logSoftmax(x)
            var each = Array(repeating: 0.0, count: count / example.classes)
            for flat in 0..<count {
                let (c, row) = (flat / example.inner % example.classes, flat / (example.inner * example.classes))
                let share = targets[flat] * (1 - Double(smoothing)) + Double(smoothing) / Double(example.classes)
                each[row * example.inner + flat % example.inner] -=
                    Double(example.weights?[c] ?? 1) * share * logarithms[flat]
            }
            return (each, Double(each.count))
        }
        expectLoss(scattered(count), shape: shape) { logits, reduction in
            var loss = loss
            loss.reduction = reduction
            return loss(logits, Tensor(targets, shape: shape))
        } reference: {
            reference($0, targets.map(Double.init))
        }
        let logits = scattered(count)
        expectLoss(targets, shape: shape) { targets, reduction in
            var loss = loss
            loss.reduction = reduction
            return loss(Tensor(logits, shape: shape), targets)
        } reference: {
            reference(logits.map(Double.init), $0)
        }
    }

    @Test func `hand cases`() {
        let logits = Tensor([0, 0, 0, 0, 0, 0, 0, 0], shape: [2, 4])
        let four = Double(log(Float(4)))
        expectClose(crossEntropy(logits, IntTensor([1, 3])).values, [four], 1e-7, "even logits")
        expectClose(crossEntropy(logits, IntTensor([1, -100]), reduction: .none).values, [four, 0], 1e-7, "ignored")
        expectClose(crossEntropy(logits, IntTensor([1, -100])).values, [four], 1e-7, "the mean counts one")
        let weight = Tensor([1, 3, 1, 1])
        // (3 + 1) · ln 4 over 3 + 1.
        expectClose(crossEntropy(logits, IntTensor([1, 0]), weight: weight).values, [four], 1e-7, "weighted mean")
        expectClose(
            crossEntropy(logits, IntTensor([1, 0]), weight: weight, reduction: .sum).values, [4 * four], 1e-7, "sum")
        #expect(nllLoss(Tensor([-1, -2, -3], shape: [1, 3]), IntTensor([2])).item == 3)
    }

    @Test func `nothing counted is NaN in the mean, 0 in the sum, and no gradient`() {
        for smoothing: Float in [0, 0.1] {
            let logits = Parameter([1, 2, 3, 4], shape: [2, 2])
            let targets = IntTensor([-100, -100])
            let mean = crossEntropy(logits.tensor, targets, labelSmoothing: smoothing)
            #expect(mean.item.isNaN)
            #expect(crossEntropy(logits.tensor, targets, reduction: .sum, labelSmoothing: smoothing).item == 0)
            mean.backward()
            #expect(logits.gradient?.values == [0, 0, 0, 0])
        }
    }

    @Test func `the plain sum has the bits that training computes`() {
        let (a, b) = (Parameter(scattered(35 * 67), shape: [35, 67]), Parameter(scattered(35 * 67), shape: [35, 67]))
        let targets = (0..<35).map { $0 % 5 == 0 ? Int32(-1) : Int32($0) }
        let (sum, each) = crossEntropySum(a.tensor, targets: targets)
        let loss = crossEntropy(b.tensor, IntTensor(targets), ignoreIndex: -1, reduction: .sum)
        #expect(sum.item.bitPattern == loss.item.bitPattern)
        #expect(each.values == crossEntropy(b.tensor, IntTensor(targets), ignoreIndex: -1, reduction: .none).values)
        (sum * 0.37).backward()
        (loss * 0.37).backward()
        #expect(a.gradient?.values.map(\.bitPattern) == b.gradient?.values.map(\.bitPattern))
    }
}
