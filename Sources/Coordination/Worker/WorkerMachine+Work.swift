/// What a worker has been sent of the step it takes part in.
struct WorkAtHand: Sendable {
    struct Range: Sendable {
        let range: ShardRange
        var assembly: StreamAssembly
    }

    struct Computation: Sendable {
        let step: UInt64
        let range: ShardRange
        /// Not once its step is over or the worker has started over.
        var isWanted = true
        /// Whether the coordinator still counts it as this worker's.
        var isOwed = true
    }

    /// The newest step that anything came for since the welcome.
    var step: UInt64?
    var parameters: StreamAssembly?
    var ranges: [Range] = []
    var computing: Computation?

    /// A little more than a worker asks for: frames may be late.
    static let limit = 4
}

/// Parameters and assignments in, computations and answers out.
extension WorkerMachine {
    mutating func receiveParameters(_ header: Header) {
        guard let welcome, enter(header.step) else { return countStale(.step) }
        guard header.total == welcome.parameterBytes else { return countStale(.stream) }
        do throws(StreamAssembly.Failure) {
            if work.parameters == nil {
                work.parameters = try StreamAssembly(
                    total: header.total, limit: welcome.parameterBytes,
                    framing: header.isShared ? .inMemory : configuration.framing)
            }
            guard try work.parameters!.accept(header) == .new else { return countStale(.repeatedFrame) }
        } catch {
            return countStale(.stream)
        }
        progress += 1
        directives.append(
            .storeParameters(step: header.step, offset: Int(header.offset), length: Int(header.length)))
        computeNext()
    }

    mutating func receiveAssignment(_ header: Header) {
        guard let welcome, enter(header.step) else { return countStale(.step) }
        guard let range = header.range, range.end <= Int(welcome.shards) else { return countStale(.stream) }
        if let computing = work.computing, computing.isWanted, computing.range == range {
            return countStale(.repeatedFrame)
        }
        do throws(StreamAssembly.Failure) {
            if let index = work.ranges.firstIndex(where: { $0.range == range }) {
                guard try work.ranges[index].assembly.accept(header) == .new else { return countStale(.repeatedFrame) }
            } else {
                let announced = work.ranges.reduce(into: header.total) { $0 += $1.assembly.total }
                guard work.ranges.count < WorkAtHand.limit,
                    header.total > welcome.assignmentLimit || announced <= 2 * welcome.assignmentLimit
                else { return countStale(.tooMany) }
                var assembly = try StreamAssembly(
                    total: header.total, limit: welcome.assignmentLimit, framing: configuration.framing)
                _ = try assembly.accept(header)
                work.ranges.append(WorkAtHand.Range(range: range, assembly: assembly))
            }
        } catch {
            return countStale(.stream)
        }
        progress += 1
        directives.append(
            .storeAssignment(
                AssignmentFrame(
                    step: header.step, range: range, offset: Int(header.offset), length: Int(header.length),
                    total: Int(header.total))))
        computeNext()
    }

    mutating func computed(_ step: UInt64, _ range: ShardRange) {
        guard let computation = work.computing, computation.step == step, computation.range == range else { return }
        work.computing = nil
        progress += 1
        counters.rangesComputed += 1
        if computation.isWanted {
            for subtree in range.subtrees { directives.append(.sendAnswer(step: step, subtree: subtree)) }
        }
        if computation.isOwed { pull(insteadOf: range, step: step) }
        computeNext()
    }

    /// Drops everything; what is being computed will be of no use to anybody.
    mutating func forgetWork() {
        if let step = work.step { directives.append(.forget(step: step)) }
        var computing = work.computing
        computing?.isWanted = false
        computing?.isOwed = false
        work = WorkAtHand(computing: computing)
    }

    private mutating func computeNext() {
        guard work.computing == nil, let step = work.step, work.parameters?.isWhole == true else { return }
        guard let index = work.ranges.firstIndex(where: { $0.assembly.isWhole }) else { return }
        let range = work.ranges.remove(at: index).range
        work.computing = WorkAtHand.Computation(step: step, range: range)
        directives.append(.compute(step: step, range: range))
    }

    /// Goes on to a newer step, letting go of all that is left of the one before; false for a step that is over, and for the highest
    /// number, which has no step after it.
    private mutating func enter(_ step: UInt64) -> Bool {
        guard step < .max else { return false }
        guard let current = work.step else {
            work.step = step
            return true
        }
        guard step != current else { return true }
        guard step > current else { return false }
        directives.append(.forget(step: current))
        let left = work.ranges
        work.computing?.isWanted = false
        work = WorkAtHand(step: step, computing: work.computing)
        for range in left { pull(insteadOf: range.range, step: current) }
        return true
    }
}
