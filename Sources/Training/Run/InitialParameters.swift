internal import Interchange
internal import Layers
internal import TensorCore

/// Parameters that a run begins with, taken from a file; everything else of the run is its own.
package struct InitialParameters: Codable, Sendable, Equatable {
    package let path: String
    /// Of the file's bytes.
    package let sha256: String

    /// - Throws: `ConfigurationError` when the file cannot be read.
    package init(path: String) throws(ConfigurationError) {
        self.path = path
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
                    "--init-from \(path): holds \(stranger.name.json), which the model does not have; expected the parameters of a model with these settings"
            )
        }
        // All are read before any is changed.
        var values: [[Float]] = []
        for (name, parameter) in parameters {
            do { values.append(try file.floats(name, shape: parameter.shape)) } catch {
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
