internal import Interchange
internal import Layers
internal import TensorCore

extension Checkpoint {
    /// The first tensor in which a checkpoint is not what `trainer`, which has come to its step, would save now; nil when there is none.
    func difference(from trainer: Trainer) throws(RunError) -> String? {
        for (name, wanted, _) in trainer.checkpointTensors(frozen: false) {
            guard fileNames.contains(name) else { return "\(name) is missing" }
            let file = try tensors(name)
            if let difference = Self.difference(of: file, from: wanted) { return "\(name): \(difference)" }
        }
        return nil
    }

    private static func difference(of file: SafetensorsFile, from wanted: [NamedTensor]) -> String? {
        for tensor in wanted {
            guard let stored = try? file.floats(tensor.name, shape: tensor.shape) else {
                return "no \(tensor.name) of shape \(tensor.shape)"
            }
            let isEqual = tensor.withBytes { bytes in
                unsafe bytes.withUnsafeBytes { own in
                    unsafe stored.withUnsafeBytes { unsafe $0.elementsEqual(own) }
                }
            }
            if !isEqual { return "other values of \(tensor.name) than recomputed" }
        }
        let more = Set(file.names).subtracting(wanted.map(\.name)).min()
        return more.map { "\($0) is no part of such a run" }
    }
}
