internal import TensorCore

/// Half a cosine from the first rate to `etaMin` over `tMax` steps (Loshchilov and Hutter, 2017), and up again after them,
/// as PyTorch's `CosineAnnealingLR`.
public final class CosineAnnealingLR: LRScheduler {
    private let tMax: Int
    private let etaMin: Double

    /// - Parameters:
    ///   - tMax: steps from the first rate to the last.
    ///   - etaMin: the last rate.
    public init(_ optimizer: any Optimizer, tMax: Int, etaMin: Double = 0) {
        require(tMax >= 1, "CosineAnnealingLR: \(tMax) steps; expected at least 1")
        self.tMax = tMax
        self.etaMin = etaMin
        super.init(optimizer)
    }

    override func rates() -> [Double] {
        if isInitial { return optimizer.rates }
        if (lastEpoch - 1 - tMax) % (2 * tMax) == 0 {
            // The rate before is etaMin itself, and says nothing of how far to rise.
            let rise = (1 - Elementary.cosineOfPi(times: 1 / Double(tMax))) / 2
            return zip(optimizer.rates, baseRates).map { rate, base in rate + (base - etaMin) * rise }
        }
        let ratio = raisedCosine(lastEpoch) / raisedCosine(lastEpoch - 1)
        return optimizer.rates.map { ratio * ($0 - etaMin) + etaMin }
    }

    override func closedForm() -> [Double]? {
        baseRates.map { etaMin + ($0 - etaMin) * raisedCosine(lastEpoch) / 2 }
    }

    private func raisedCosine(_ epoch: Int) -> Double {
        1 + Elementary.cosineOfPi(times: Double(epoch) / Double(tMax))
    }
}
