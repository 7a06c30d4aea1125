internal import Coordination
internal import TensorCore
internal import Training

/// The parameters of a step on their way to workers, made once for each way that they travel.
final class Publication {
    private let trainer: any StepTrainer
    private let memory: SharedMemory?
    private let frames: (_ byteCount: Int, Framing) -> StreamFrames
    private var framed: FramedStream?
    private var shared: SharedStream?
    /// Whether the parameters lie in the step's place in shared memory already.
    private let isPlaced: Bool

    init(
        of trainer: any StepTrainer, memory: SharedMemory?, isPlaced: Bool,
        as frames: @escaping (_ byteCount: Int, Framing) -> StreamFrames
    ) {
        self.trainer = trainer
        self.memory = memory
        self.isPlaced = isPlaced
        self.frames = frames
    }

    /// The parameters are about to change: whoever is still being sent those of this step gets frames of its own.
    func conclude() {
        if framed != nil, !isKnownUniquelyReferenced(&framed) { framed?.makeAll() }
    }

    /// Where the update of this step puts the next one's parameters, which it may begin at once; nil where nobody would look.
    func openNextPlace() -> ParameterPlace? {
        guard let memory, shared != nil else { return nil }
        memory.withdraw()
        return memory.parameterPlace(of: trainer.step + 1).block
    }

    /// The update did not come about: workers may still use those of this step.
    func keepPlace() {
        if shared != nil { memory?.sign(trainer.step) }
    }

    /// A stream that has not begun.
    func stream(to worker: WorkerID) -> OutgoingStream {
        guard let memory, memory.answers(of: worker) != nil else {
            let stream =
                framed
                ?? FramedStream(count: trainer.parameterCount) {
                    frames($0, .standard)
                } copying: { [trainer] floats, block, place in
                    trainer.exportParameters(floats, into: block, at: place)
                }
            framed = stream
            return OutgoingStream(stream)
        }
        if let shared { return OutgoingStream(shared) }
        let (block, place) = memory.parameterPlace(of: trainer.step)
        if !isPlaced {
            memory.withdraw()
            trainer.moveParameters(to: block)
        }
        memory.sign(trainer.step)
        let stream = SharedStream(block.values, at: place) { frames($0, .inMemory) }
        shared = stream
        return OutgoingStream(stream)
    }
}
