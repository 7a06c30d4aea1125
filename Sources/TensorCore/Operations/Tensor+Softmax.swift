internal import CKernels

extension Tensor {
    /// The share of each element along an axis: eˣ over the sum of eˣ.
    public func softmax(axis: Int = -1) -> Tensor {
        alongLast(axis, "softmax") { x in
            let (rows, width) = x.rowsAndWidth
            let y = Tensor.unfilled(x.shape)
            unsafe ck_softmax(rows, width, x.base, y.base)
            return x.recording("softmax", y) { dy in
                // dx = y · (dy − Σ dy · y)
                let dx = Tensor.unfilled(dy.shape)
                for row in 0..<rows {
                    let (y, dy, dx) = unsafe (y.base + row * width, dy.base + row * width, dx.base + row * width)
                    var chain = 0.0
                    for index in 0..<width { unsafe chain += Double(dy[index]) * Double(y[index]) }
                    let mean = Float(chain)
                    for index in 0..<width { unsafe dx[index] = y[index] * (dy[index] - mean) }
                }
                return dx
            }
        }
    }

    /// The logarithm of `softmax`, computed as x − ln Σ eˣ.
    public func logSoftmax(axis: Int = -1) -> Tensor {
        alongLast(axis, "logSoftmax") { x in
            let (rows, width) = x.rowsAndWidth
            let y = Tensor.unfilled(x.shape)
            unsafe ck_log_softmax(rows, width, x.base, y.base)
            return x.recording("logSoftmax", y) { dy in
                // dx = dy − eʸ · Σ dy
                let dx = Tensor.unfilled(dy.shape)
                unsafe ck_exp(y.count, y.base, dx.base)
                for row in 0..<rows {
                    let (dy, dx) = unsafe (dy.base + row * width, dx.base + row * width)
                    var chain = 0.0
                    for index in 0..<width { unsafe chain += Double(dy[index]) }
                    let sum = Float(chain)
                    for index in 0..<width { unsafe dx[index] = dy[index] - dx[index] * sum }
                }
                return dx
            }
        }
    }

    /// Lets `function` work on the last axis, with the wanted one brought there and back.
    private func alongLast(_ axis: Int, _ name: String, _ function: (Tensor) -> Tensor) -> Tensor {
        let axis = resolveAxis(axis, of: shape, name)
        guard axis < shape.count - 1 else { return function(self) }
        return function(transposed(axis, -1)).transposed(axis, -1)
    }

    private var rowsAndWidth: (Int, Int) {
        let width = shape.last ?? 1
        return (width == 0 ? 0 : count / width, width)
    }
}
