internal import CKernels

/// Elementary functions of single numbers, with the bits of the kernels.
package enum Elementary {
    package static func log(_ x: Float) -> Float {
        var (input, result) = (x, Float(0))
        unsafe ck_log(1, &input, &result)
        return result
    }

    package static func exp(_ x: Float) -> Float {
        var (input, result) = (x, Float(0))
        unsafe ck_exp(1, &input, &result)
        return result
    }

    /// cos(π·x), from + and × alone so that the bits are the same everywhere: the Taylor series of the sine around 0
    /// at π·(½ − x), whose first dropped term is below 2⁻⁵⁹, for x in 0...1; every other x comes there without rounding.
    package static func cosineOfPi(times x: Double) -> Double {
        require(x.isFinite, "cosineOfPi: \(x) is not a number")
        let turned = x.magnitude.truncatingRemainder(dividingBy: 2)
        let angle = Double.pi * (0.5 - (turned > 1 ? 2 - turned : turned))
        let square = angle * angle
        var sum = 0.0
        for n in stride(from: 21, to: 1, by: -2) {
            sum = (1 - sum) * square / Double(n * (n - 1))
        }
        return angle * (1 - sum)
    }
}
