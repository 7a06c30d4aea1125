package import Interchange
internal import Layers
internal import Optimizers
internal import TensorCore

// What a checkpoint holds beside the step: parameters, both moments of Adam under PyTorch's names for them, and carried state.
extension Trainer {
    private static let stateName = "state.safetensors"

    func checkpointFiles() throws -> [CheckpointFile] {
        let names = computer.layout.entries
        let moments = zip(names, optimizer.slots).flatMap { entry, slot in
            [
                NamedTensor("exp_avg.\(entry.name)", entry.shape, slot.firstMoment),
                NamedTensor("exp_avg_sq.\(entry.name)", entry.shape, slot.secondMoment),
            ]
        }
        var files: [CheckpointFile] = [
            .tensors(CheckpointFile.parametersName, computer.namedTensors()),
            .tensors(CheckpointFile.optimizerName, moments, metadata: ["step": "\(step)"]),
        ]
        if let carried {
            let rows = NamedTensor(name: "state", shape: [carried.rows, carried.rowSize], values: carried.values)
            files.append(.tensors(Self.stateName, [rows]))
        }
        return files
    }

    /// Takes parameters, optimiser and carried state from a checkpoint and goes on after its step.
    func restore(_ checkpoint: Checkpoint) throws {
        try computer.load(checkpoint.tensors(CheckpointFile.parametersName))
        let moments = try checkpoint.tensors(CheckpointFile.optimizerName)
        for (entry, slot) in zip(computer.layout.entries, optimizer.slots) {
            slot.firstMoment.assign(try moments.floats("exp_avg.\(entry.name)", shape: entry.shape))
            slot.secondMoment.assign(try moments.floats("exp_avg_sq.\(entry.name)", shape: entry.shape))
        }
        optimizer.restore(updates: checkpoint.step)
        var state: CarriedState?
        if let carried {
            let values = try checkpoint.tensors(Self.stateName)
                .floats("state", shape: [carried.rows, carried.rowSize])
            state = CarriedState(rowSize: carried.rowSize, values: values)
        }
        goOn(after: checkpoint.step, carrying: state)
    }

    /// A checksum over all parameters, in the layout's order.
    func parametersChecksum() -> UInt64 {
        FastChecksum.of(computer.namedTensors()).reduce(0) { ($0 << 7 | $0 >> 57) ^ $1 }
    }
}

extension ShardComputer {
    /// The parameters where they lie, under their PyTorch-style names.
    package func namedTensors() -> [NamedTensor] {
        model.namedParameters.map { NamedTensor($0.name, $0.parameter.shape, $0.parameter.storage) }
    }

    /// Takes every parameter from a file; shapes must agree.
    package func load(_ file: SafetensorsFile) throws {
        for (name, parameter) in model.namedParameters {
            parameter.assign(try file.floats(name, shape: parameter.shape))
        }
    }
}

extension NamedTensor {
    init(_ name: String, _ shape: [Int], _ storage: Storage) {
        unsafe self.init(name: name, shape: shape, values: UnsafeBufferPointer(storage.floats), owner: storage)
    }
}
