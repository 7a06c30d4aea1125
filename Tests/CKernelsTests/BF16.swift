/// bf16 by its definition, for comparing kernels with.

/// The nearest number of 8 significant bits, to even; a subnormal number gives a zero.
func rounded(_ x: Float) -> Float {
    if x.isNaN { return Float(bitPattern: (x.bitPattern | 0x40_0000) & 0xffff_0000) }
    if x.isSubnormal { return x.sign == .minus ? -0.0 : 0 }
    let below = Float(bitPattern: x.bitPattern & 0xffff_0000), above = Float(bitPattern: below.bitPattern &+ 0x1_0000)
    if below == x || !x.isFinite { return below }
    // The one above the largest counts as what it would be with a wider exponent.
    let gap = x.ulp.magnitude * 65536
    let past = (x - below).magnitude
    if past * 2 == gap { return below.bitPattern & 0x1_0000 == 0 ? below : above }
    return past * 2 < gap ? below : above
}

/// c + a * b rounded once, where a subnormal c and a result below the least normal number, as rounded without a bound on the exponent, are
/// zeros of their sign.
func flushedProduct(_ a: Float, _ b: Float, _ c: Float) -> Float {
    func zero(_ x: Float) -> Float { x.sign == .minus ? -0.0 : 0 }
    let start = c.isSubnormal ? zero(c) : c
    let result = start.addingProduct(a, b)
    guard result.magnitude <= .leastNormalMagnitude else { return result }
    // 2^64 times higher nothing is subnormal, and nothing overflows where the result is that small.
    let scaled = (start * 0x1p64).addingProduct(a * 0x1p64, b)
    return scaled.magnitude < 0x1p-62 || result.magnitude < .leastNormalMagnitude ? zero(result) : result
}
