internal import CKernels
public import TensorCore

/// Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019), as PyTorch's `Adam` and `AdamW`.
///
/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
public final class Adam {
    public struct Settings: Sendable, Equatable {
        public var betas: (Float, Float) { get { (beta1, beta2) } set { (beta1, beta2) = newValue } }
        private var beta1: Float = 0.9
        private var beta2: Float = 0.999
        public var epsilon: Float = 1e-8
        public var weightDecay: Float = 0
        /// Weight decay is taken from the parameter itself (AdamW) instead of being added to the gradient.
        public var decoupledWeightDecay = false

        public init(weightDecay: Float = 0, decoupledWeightDecay: Bool = false) {
            self.weightDecay = weightDecay
            self.decoupledWeightDecay = decoupledWeightDecay
        }
    }

    /// A parameter with its running averages.
    package struct Slot {
        package let parameter: Parameter
        package let firstMoment: Storage
        package let secondMoment: Storage
    }

    public var learningRate: Float
    public let settings: Settings
    /// Updates made so far, t.
    package private(set) var updates: UInt64 = 0
    package let slots: [Slot]
    private var powers: (Double, Double) = (1, 1)

    public init(_ parameters: [Parameter], learningRate: Float = 1e-3, settings: Settings = Settings()) {
        self.learningRate = learningRate
        self.settings = settings
        slots = parameters.map {
            Slot(parameter: $0, firstMoment: Storage(zeros: $0.count), secondMoment: Storage(zeros: $0.count))
        }
    }

    /// Updates every parameter that has a gradient.
    public func step() {
        let coefficients = advance(divisor: 1, clip: 1)
        for slot in slots {
            guard let gradient = slot.parameter.gradient else { continue }
            unsafe update(slot, gradient: gradient.base, coefficients)
        }
    }

    /// Updates every parameter from gradients that lie one after another, in the order of the parameters.
    ///
    /// - Parameters:
    ///   - gradients: `[P]` at its beginning, sums; the gradient taken is (sum / divisor) · clip.
    package func step(gradients: Storage, divisor: Float, clip: Float) {
        let total = slots.reduce(0) { $0 + $1.parameter.count }
        require(gradients.count >= total, "Adam: \(gradients.count) gradients for \(total) parameters")
        let coefficients = advance(divisor: divisor, clip: clip)
        var offset = 0
        for slot in slots {
            unsafe update(slot, gradient: gradients.base + offset, coefficients)
            offset += slot.parameter.count
        }
    }

    /// Goes on from a saved state after `updates` updates.
    package func restore(updates: UInt64) {
        self.updates = 0
        powers = (1, 1)
        for _ in 0..<updates { advancePowers() }
    }

    private func update(_ slot: Slot, gradient: UnsafePointer<Float>, _ coefficients: ck_adam_settings) {
        var coefficients = coefficients
        unsafe slot.parameter.update { values in
            unsafe ck_adam(
                values.count, &coefficients, gradient, values.baseAddress!, slot.firstMoment.base, slot.secondMoment.base)
        }
    }

    /// β₁ᵗ and β₂ᵗ by one multiplication an update: `pow` differs between C libraries.
    private func advancePowers() {
        updates += 1
        powers.0 *= Double(settings.betas.0)
        powers.1 *= Double(settings.betas.1)
    }

    private func advance(divisor: Float, clip: Float) -> ck_adam_settings {
        advancePowers()
        let decay = settings.weightDecay
        return ck_adam_settings(
            divisor: divisor, clip: clip, beta1: settings.betas.0, beta2: settings.betas.1, epsilon: settings.epsilon,
            step_size: Float(Double(learningRate) / (1 - powers.0)), root_correction: Float(1 / (1 - powers.1).squareRoot()),
            l2: settings.decoupledWeightDecay ? 0 : decay,
            decay: settings.decoupledWeightDecay ? 1 - learningRate * decay : 1)
    }
}
