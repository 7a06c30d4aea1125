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
    /// Whether the parameters lie in shared memory already.
    private let isCopied: Bool

    init(
        of trainer: any StepTrainer, memory: SharedMemory?, isCopied: Bool,
        as frames: @escaping (_ byteCount: Int, Framing) -> StreamFrames
    ) {
        self.trainer = trainer
        self.memory = memory
        self.isCopied = isCopied
        self.frames = frames
    }

    /// Where the update of this step puts the next one's parameters, which it may begin at once; nil where nobody would look.
    func openNextPlace() -> ParameterPlace? {
        guard let memory, shared != nil else { return nil }
        memory.withdraw()
        return memory.parameterPlace(of: trainer.step + 1).block
    }

    /// A stream that has not begun.
    func stream(to worker: WorkerID) -> OutgoingStream {
        guard let memory, memory.answers(of: worker) != nil else {
            let stream = framed ?? FramedStream(trainer.exportParameters()) { frames($0, .standard) }
            framed = stream
            return OutgoingStream(stream)
        }
        if let shared { return OutgoingStream(shared) }
        let (block, place) = memory.parameterPlace(of: trainer.step)
        if !isCopied {
            memory.withdraw()
            trainer.exportParameters(to: block)
        }
        memory.sign(trainer.step)
        let stream = SharedStream(block.values, at: place) { frames($0, .inMemory) }
        shared = stream
        return OutgoingStream(stream)
    }
}
