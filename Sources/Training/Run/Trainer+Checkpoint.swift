package import Interchange
internal import Layers
internal import Optimizers
internal import TensorCore

// What a checkpoint holds beside the step: parameters, the optimiser's averages under PyTorch's names for them, and carried state.
extension Trainer {
    private static let stateName = "state.safetensors"

    /// What the safetensors files of a checkpoint hold, by file.
    ///
    /// - Parameter frozen: so that the next steps may go on while they are written.
    func checkpointTensors(
        frozen: Bool
    ) -> [(file: String, tensors: [NamedTensor], metadata: [String: String])] {
        func held(_ name: String, _ shape: [Int], _ storage: Storage) -> NamedTensor {
            frozen
                ? NamedTensor(name: name, shape: shape, pieces: freeze(storage)) : NamedTensor(name, shape, storage)
        }
        let averages = zip(computer.layout.entries, optimizer.slots).flatMap { entry, slot in
            slot.arrays.map { name, array in
                held("\(name.rawValue).\(entry.name)", entry.shape, array)
            }
        }
        let parameters = computer.model.namedParameters.map { name, parameter in
            held(name, parameter.shape, parameter.storage)
        }
        var files = [
            (CheckpointFile.parametersName, parameters, [:]),
            (CheckpointFile.optimizerName, averages, ["step": "\(step)"]),
        ]
        if let carried {
            let rows = NamedTensor(name: "state", shape: [carried.rows, carried.rowSize], values: carried.values)
            files.append((Self.stateName, [rows], [:]))
        }
        return files
    }

    func checkpointFiles() -> [CheckpointFile] {
        checkpointTensors(frozen: true).map { .tensors($0.file, $0.tensors, metadata: $0.metadata) }
    }

    /// Takes parameters, optimiser and carried state from a checkpoint and goes on after its step.
    func restore(_ checkpoint: Checkpoint) throws {
        try computer.load(checkpoint.tensors(CheckpointFile.parametersName))
        // Before the first update there are no averages, and an optimiser may tell that from zeros.
        guard checkpoint.step > 0 else { return }
        let averages = try checkpoint.tensors(CheckpointFile.optimizerName)
        for (entry, slot) in zip(computer.layout.entries, optimizer.slots) {
            var arrays: [StateArray: Storage] = [:]
            for name in optimizer.arrays(of: slot) {
                arrays[name] = Storage(try averages.floats("\(name.rawValue).\(entry.name)", shape: entry.shape))
            }
            slot.restore(updates: checkpoint.step, arrays: arrays)
        }
        var state: CarriedState?
        if let carried {
            let values = try checkpoint.tensors(Self.stateName)
                .floats("state", shape: [carried.rows, carried.rowSize])
            state = CarriedState(rowSize: carried.rowSize, values: values)
        }
        goOn(after: checkpoint.step, carrying: state)
    }
}

extension ShardComputer {
    /// Takes every parameter from a file; shapes must agree.
    package func load(_ file: SafetensorsFile) throws {
        for (name, parameter) in model.namedParameters {
            parameter.assign(try file.floats(name, shape: parameter.shape))
        }
    }
}

extension FrozenBlock: PieceSource {
    package var byteCount: Int { 4 * count }

    package func handOver<Failure: Error>(to sink: (RawSpan) throws(Failure) -> Void) throws(Failure) { try read(sink) }
}

extension NamedTensor {
    init(_ name: String, _ shape: [Int], _ storage: Storage) {
        unsafe self.init(name: name, shape: shape, values: UnsafeBufferPointer(storage.floats), owner: storage)
    }
}
