internal import Foundation
internal import Interchange

extension Module {
    /// Writes all parameters to a safetensors file, under the names that PyTorch would load.
    ///
    /// - Throws: when the file cannot be written; one that was there before is replaced only by a whole one.
    public func save(to path: String) throws {
        do {
            try Data(SafetensorsWriter(namedTensors).bytes()).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            let cause = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.localizedDescription
            throw ModuleFileError(description: "cannot write \(path): \(cause ?? error.localizedDescription)")
        }
    }

    /// Takes all parameters from a safetensors file.
    ///
    /// - Throws: when the file cannot be read, or `StateDictError` with all names that are missing, unexpected, or of another shape.
    public func load(from path: String, strict: Bool = true) throws {
        try load(stateDict: Self.stateDict(from: path), strict: strict)
    }

    /// The tensors of a safetensors file, by name.
    public static func stateDict(from path: String) throws -> [String: Tensor] {
        let file = try SafetensorsFile(path: path)
        return Dictionary(
            try file.entries.map { ($0.name, Tensor(try file.floats($0.name), shape: $0.shape)) },
            uniquingKeysWith: { first, _ in first })
    }
}

/// A file of parameters that cannot be written.
public struct ModuleFileError: Error, CustomStringConvertible {
    /// One line: what, where, why.
    public let description: String
}
