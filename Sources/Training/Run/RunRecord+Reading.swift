internal import Coordination
internal import Interchange
internal import Sequences

extension RunRecord {
    /// What a process is going to do with a run.
    package enum Use: Sendable {
        /// Compute steps.
        case training
        /// Compute with the trained model.
        case inference
        /// Only read what was written down.
        case reading
    }

    /// Reads the `run.json` of a run and checks every setting in it: anybody may have edited it.
    ///
    /// - Throws: `RunError.damaged`, naming the file and the setting.
    package init(reading directory: RunDirectory, for use: Use) throws(RunError) {
        do { self = try directory.configuration() } catch {
            throw RunError(error.code, error.message + RunOrigin.remedy(in: directory.path), cause: error.cause)
        }
        let file = "\(directory.path)/\(RunDirectory.configurationName)"
        guard RunID(runID) != nil else {
            throw RunError(
                .damaged, "\(file): `run` is \(String(runID.prefix(80)).json); expected 32 hexadecimal digits")
        }
        do {
            try configuration.validate(isBegun: true)
            switch use {
            case .training: try configuration.requireMemory(vocabularySize: vocabulary.count)
            case .inference: try configuration.requireMemoryOfModel(vocabularySize: vocabulary.count)
            case .reading: break
            }
        } catch {
            throw RunError(.damaged, "\(file): \(error)", cause: error)
        }
    }
}
