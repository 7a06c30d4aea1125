internal import CKernels

/// The highest rate of multiply-adds that one core reaches, measured.
public enum PeakMeasurement {
    /// Operations a second (two for each lane's multiply-add): the best of several short runs, each of independent chains in registers.
    public static func floatingPointOperationsPerSecond(
        _ precision: Precision = .fp32, rounds: Int = 12
    ) -> Double {
        let clock = ContinuousClock()
        var iterations: UInt64 = 1 << 12
        var best = 0.0
        var counted = 0
        while counted < rounds {
            var operations = 0.0
            let elapsed = clock.measure { operations = ck_fma_peak(precision.kernel, iterations) }
            let seconds = Double(elapsed.components.attoseconds) * 1e-18 + Double(elapsed.components.seconds)
            guard seconds > 0.004 else {
                iterations *= 2
                continue
            }
            best = max(best, operations / seconds)
            counted += 1
        }
        return best
    }
}
