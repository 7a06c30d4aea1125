extension Tensor {
    /// Tensors whose shapes agree but for one axis, one after another along it.
    public static func concatenate(_ parts: [Tensor], axis: Int = 0) -> Tensor {
        join("concatenate", parts, axis: axis)
    }

    /// Tensors of one shape, one after another along a new axis.
    public static func stack(_ parts: [Tensor], axis: Int = 0) -> Tensor {
        require(!parts.isEmpty, "stack: nothing to stack")
        for part in parts {
            require(part.shape == parts[0].shape, "stack: shapes \(parts[0].shape) and \(part.shape) differ")
        }
        let place = resolveAxis(axis, of: parts[0].shape + [1], "stack")
        return join("stack", parts.map { $0.unsqueezed(place) }, axis: place)
    }

    private static func join(_ name: String, _ parts: [Tensor], axis: Int) -> Tensor {
        require(!parts.isEmpty, "\(name): nothing to join")
        let first = parts[0].shape
        let axis = resolveAxis(axis, of: first, name)
        for part in parts {
            require(
                axis < first.count && part.shape.count == first.count
                    && zip(part.shape, first).enumerated().allSatisfy { $0 == axis || $1.0 == $1.1 },
                "\(name): shapes \(first) and \(part.shape) differ on another axis than \(axis)")
        }
        var shape = first
        shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
        let (outer, stride) = (AxisBlocks(shape, axis: axis).outer, shape[axis...].reduce(1, *))
        let runs = parts.map { $0.shape[axis...].reduce(1, *) }
        let result = unfilled(shape)
        var place = 0
        for (part, run) in zip(parts, runs) {
            for block in 0..<outer {
                unsafe (result.base + block * stride + place).update(from: part.base + block * run, count: run)
            }
            place += run
        }
        let destinations = parts.map { (shape: $0.shape, origin: $0.origin) }
        return recorded(name, inputs: parts, results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            var place = 0
            for (part, run) in zip(destinations, runs) {
                pass.send(dy.cut(at: place, run: run, of: stride, blocks: outer, shape: part.shape), to: part.origin)
                place += run
            }
        }[0]
    }

    /// `run` floats from `place` on of each block of `stride` floats.
    private func cut(at place: Int, run: Int, of stride: Int, blocks: Int, shape: [Int]) -> Tensor {
        if blocks == 1 { return Tensor(shape: shape, storage: storage, offset: offset + place) }
        let part = Tensor.unfilled(shape)
        for block in 0..<blocks {
            unsafe (part.base + block * run).update(from: base + block * stride + place, count: run)
        }
        return part
    }
}
