internal import CKernels
internal import Synchronization
internal import Tracing

/// Numbers that training changes: the leaf at which gradients arrive.
///
/// The optimiser writes `storage` between steps, and a worker takes other storage then; while a step is computed, any number of threads read it. Matrix products read weights in packed
/// form: each orientation is packed at most once between two changes.
public final class Parameter: @unchecked Sendable {
    /// The size along each axis.
    public let shape: [Int]
    package private(set) var storage: Storage
    /// Whether gradients are kept as the rows that were looked up; for tables that only embeddings use.
    public let hasSparseGradient: Bool

    /// dL/d(parameter), summed over every `backward()` since `zeroGradient()`, as PyTorch's `.grad`; nil before.
    public internal(set) var gradient: Tensor? {
        get { denseGradient ?? expandedGradient }
        set { denseGradient = newValue }
    }
    private var denseGradient: Tensor?
    /// The same, of a parameter whose gradients are rows.
    var rowGradient: RowGradient?

    /// What a weight `[N, K]` is packed for.
    enum Form {
        /// The right-hand side of x · Wᵀ: K deep, N wide.
        case forward
        /// The right-hand side of dy · W: N deep, K wide.
        case backward
    }

    private struct Packed: @unchecked Sendable {
        var forward = Made()
        var backward = Made()
        var changes: UInt64 = 0

        /// One form.
        struct Made {
            var ready: Storage?
            /// Whether it was made before the last change.
            var was = false

            var changed: Made { Made(was: was || ready != nil) }
        }

        subscript(form: Form) -> Made {
            get { form == .forward ? forward : backward }
            set { if form == .forward { forward = newValue } else { backward = newValue } }
        }

        /// Nothing is packed after a change.
        var changed: Packed { Packed(forward: forward.changed, backward: backward.changed, changes: changes + 1) }
    }
    private let packed = Mutex(Packed())

    /// What it and the other factor are rounded to in the products of layers; set it while nothing is computed.
    ///
    /// Elementary operations, `matmul` among them, take the values as they are.
    public var precision = Precision.fp32 {
        didSet { if precision != oldValue { packed.withLock { $0 = Packed(changes: $0.changes) } } }
    }

    /// A parameter of the given values in row-major order.
    ///
    /// - Parameter sparseGradient: keeps gradients as the rows that were looked up; for tables `[V, E]` that only embeddings use.
    public init(_ values: [Float], shape: [Int], sparseGradient: Bool = false) {
        require(
            values.count == shape.reduce(1, *), "Parameter: \(values.count) values do not fill the shape \(shape)")
        require(
            !sparseGradient || shape.count == 2,
            "Parameter: a sparse gradient of shape \(shape); expected rows and columns")
        self.shape = shape
        hasSparseGradient = sparseGradient
        storage = Storage(values)
    }

    /// The rows as a whole tensor, made when it is asked for.
    private var expandedGradient: Tensor? {
        guard let rowGradient else { return nil }
        let whole = Tensor(shape: shape, storage: Storage(count: count))
        unsafe rowGradient.expand(into: whole.base, count: count)
        return whole
    }

    /// Changes the gradient's elements where they are kept; of a sparse one those of its rows, the others are zero.
    package func changeGradient(_ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
        if let denseGradient {
            unsafe body(UnsafeMutableBufferPointer(start: denseGradient.base, count: denseGradient.count))
        } else if let rowGradient {
            unsafe body(
                UnsafeMutableBufferPointer(
                    start: rowGradient.values.base, count: rowGradient.rows.count * rowGradient.width))
        }
    }

    /// Stops when an operation other than a lookup has a gradient for a table that keeps rows.
    func requireDenseGradient() {
        require(
            !hasSparseGradient,
            "backward: a parameter of shape \(shape) with a sparse gradient is used by something else than an embedding"
        )
    }

    /// The number of elements.
    public var count: Int { storage.count }

    /// The elements in row-major order.
    public var values: [Float] { unsafe Array(storage.floats) }

    /// The parameter as an operand of the elementary operations.
    public var tensor: Tensor {
        let node = Node(name: "parameter", parents: [], outputs: 1, uses: [self]) { pass, cotangents in
            guard let cotangent = cotangents[0] else { return }
            pass.accumulateWhole(self, cotangent)
        }
        return Tensor(
            shape: shape, storage: storage, origin: GradientMode.isEnabled ? .init(node: node, output: 0) : nil)
    }

    /// Forgets the gradient.
    public func zeroGradient() {
        denseGradient = nil
        rowGradient = nil
    }

    /// Takes the values that lie in somebody else's memory, where they stay until they are first written to.
    package func adopt(_ values: Storage) {
        require(
            values.count == count, "adopt: \(values.count) floats for a parameter of shape \(shape)")
        storage.retire()
        storage = values
        packed.withLock { $0 = $0.changed }
    }

    /// Writes new values; the packed forms are made anew at their next use.
    package func update(_ body: (UnsafeMutableBufferPointer<Float>) throws -> Void) rethrows {
        if storage.isView { storage = storage.copy() }
        try unsafe body(storage.floats)
        packed.withLock { $0 = $0.changed }
    }

    /// How often new values were written.
    package var changes: UInt64 { packed.withLock { $0.changes } }

    /// Packs what was packed before the last change and is not yet again, on several threads at once.
    package static func pack(_ parameters: [Parameter], on team: ThreadTeam) {
        let forms = parameters.flatMap { parameter in
            let packed = parameter.packed.withLock { $0 }
            return [Form.forward, .backward].filter { packed[$0].was && packed[$0].ready == nil }.map {
                (parameter, $0)
            }
        }
        team.run(forms.map { $0.0.count }) { index in
            let (parameter, form) = forms[index]
            // Without keeping others from the other form.
            let made = parameter.pack(form)
            parameter.packed.withLock { $0[form].ready = made }
        }
    }

    /// A form as the products read it.
    func packed(_ form: Form) -> Storage {
        packed.withLock { state in
            if let ready = state[form].ready { return ready }
            let made = pack(form)
            state[form].ready = made
            return made
        }
    }

    private func pack(_ form: Form) -> Storage {
        let (depth, width) = form == .forward ? (shape[1], shape[0]) : (shape[0], shape[1])
        let made = Storage.packed(precision, depth: depth, width: width)
        pack(form, into: made)
        return made
    }

    func pack(_ form: Form, into block: Storage) {
        let (n, k) = (shape[0], shape[1])
        Trace.span(.pack) {
            switch form {
            case .forward:
                unsafe ck_pack(precision.kernel, k, n, storage.base, .plain(k, stride: 1), k, block.base)
            case .backward:
                unsafe ck_pack(precision.kernel, n, k, storage.base, .plain(n, stride: k), 1, block.base)
            }
        }
    }

    /// Takes forms that were packed elsewhere from the values at hand.
    func adoptPacked(forward: Storage, backward: Storage) {
        packed.withLock { ($0.forward.ready, $0.backward.ready) = (forward, backward) }
    }
}

extension ck_k_axis {
    /// `count` steps, `stride` floats apart.
    static func plain(_ count: Int, stride: Int) -> ck_k_axis {
        ck_k_axis(inner_count: count, inner_stride: stride, outer_stride: 0)
    }

    /// Rows `rows` of each of the time steps of a `[T, B, width]` array, time outermost; the caller points at row `rows.lowerBound`.
    static func steps(of rows: Range<Int>, batch: Int, width: Int) -> ck_k_axis {
        ck_k_axis(inner_count: rows.count, inner_stride: width, outer_stride: batch * width)
    }
}

extension Parameter {
    /// Replaces all values.
    public func assign(_ values: [Float]) {
        require(values.count == count, "assign: \(values.count) values for a parameter of shape \(shape)")
        unsafe update { destination in _ = unsafe destination.update(fromContentsOf: values) }
    }
}
