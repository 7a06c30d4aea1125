internal import Interchange
internal import Layers
internal import TensorCore

/// Parameters that a run begins with, taken from a file; everything else of the run is its own.
package struct InitialParameters: Codable, Sendable, Equatable {
    package let path: String
    /// Of the file's bytes.
    package let sha256: String

    /// - Parameter limit: bytes that the file may have; a longer one is not read.
    /// - Throws: `ConfigurationError` when the file cannot be read, or is none of safetensors.
    package init(path: String, limit: Int = .max) throws(ConfigurationError) {
        self.path = path
        // The header alone says what most wrong files are, however long they are.
        do {
            let file = try SafetensorsFile(path: path)
            guard file.byteCount <= limit else {
                throw ConfigurationError(
                    description:
                        "--init-from \(path): \(file.byteCount) bytes, far more than a model with these settings has; expected at most \(limit)"
                )
            }
        } catch let error as SafetensorsError {
            throw ConfigurationError(
                description: "--init-from \(error)" + (error.cause == nil ? "" : "; expected a safetensors file"))
        } catch let error as ConfigurationError { throw error } catch {
            preconditionFailure("InitialParameters: \(error)")
        }
        sha256 = Self.hash(try Self.read(path))
    }

    /// Gives a model the parameters in the file, which has just those and no others.
    func load(into model: LanguageModel) throws(ConfigurationError) {
        let bytes = try Self.read(path)
        guard Self.hash(bytes) == sha256 else {
            throw ConfigurationError(
                description: "--init-from \(path): the file has changed since the run began; its SHA-256 was \(sha256)")
        }
        let file: SafetensorsFile
        do { file = try SafetensorsFile(bytes: bytes, name: path) } catch {
            throw ConfigurationError(description: "--init-from \(error)")
        }
        let parameters = model.namedParameters
        let names = Set(parameters.map(\.name))
        if let stranger = file.entries.first(where: { !names.contains($0.name) }) {
            throw ConfigurationError(
                description:
                    "--init-from \(path): holds \(stranger.name.cut.json), which the model does not have; expected the parameters of a model with these settings"
            )
        }
        // All are read before any is changed.
        var values: [[Float]] = []
        for (name, parameter) in parameters {
            do { values.append(try file.finiteFloats(name, shape: parameter.shape)) } catch {
                throw ConfigurationError(description: "--init-from \(error)")
            }
        }
        for ((_, parameter), values) in zip(parameters, values) { parameter.assign(values) }
    }

    private static func read(_ path: String) throws(ConfigurationError) -> [UInt8] {
        do { return try InputFile.contents(of: path) } catch {
            throw ConfigurationError(description: "--init-from: \(error); expected a safetensors file")
        }
    }

    private static func hash(_ bytes: [UInt8]) -> String {
        var sha = SHA256Hex()
        unsafe sha.absorb(bytes.span.bytes)
        return sha.hexadecimal()
    }
}
