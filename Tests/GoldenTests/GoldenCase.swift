import Foundation
import Interchange
import TensorCore

/// One reference case computed with PyTorch: what went in and what came out, and how far a result may be from it.
struct GoldenCase: Sendable {
    let name: String
    let kind: String
    /// The arguments of PyTorch's constructor or function.
    let options: GoldenOptions
    /// The other members of the case's entry, such as `lr` or `metrics`.
    let members: GoldenOptions
    /// Largest absolute difference over the largest magnitude of a tensor.
    let tolerance: Double
    private let directory: String

    init(_ entry: GoldenOptions, directory: String) throws {
        name = try entry.text("name")
        kind = try entry.text("kind")
        options = try entry.options("options")
        tolerance = try entry.number("tolerance")
        members = entry
        self.directory = directory
    }

    /// The case's tensors.
    var file: SafetensorsFile {
        get throws { try SafetensorsFile(path: "\(directory)/\(name).safetensors") }
    }
}

/// Why a case could not be run.
struct GoldenError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Collects how far results are from their references.
struct Deviations {
    private(set) var largest = 0.0
    /// The tensor that is furthest off.
    private(set) var worst = ""

    /// The largest absolute difference over the largest magnitude of the reference.
    mutating func compare(_ name: String, _ result: [Float], _ reference: [Float]) throws {
        guard result.count == reference.count else {
            throw GoldenError("\(name) has \(result.count) elements, its reference \(reference.count)")
        }
        let scale = reference.filter(\.isFinite).reduce(0.0) { max($0, abs(Double($1))) }
        var difference = 0.0
        for (got, wanted) in zip(result, reference) {
            // Both infinite or both not a number is agreement.
            if got == wanted || (got.isNaN && wanted.isNaN) { continue }
            let own = abs(Double(got) - Double(wanted))
            // A NaN is as far off as can be.
            difference = own.isNaN ? .infinity : max(difference, own)
        }
        let deviation = difference == 0 ? 0 : scale == 0 ? difference : difference / scale
        if deviation >= largest { (largest, worst) = (deviation, name) }
    }

    mutating func compare(_ name: String, _ result: Tensor, in file: SafetensorsFile) throws {
        guard let reference = file[name] else { throw GoldenError("no tensor \(name)") }
        guard reference.shape == result.shape else {
            throw GoldenError("\(name) has shape \(result.shape), its reference \(reference.shape)")
        }
        try compare(name, result.values, file.floats(name))
    }
}

extension SafetensorsFile {
    func tensor(_ name: String) throws -> Tensor {
        guard let entry = self[name] else { throw GoldenError("no tensor \(name)") }
        return Tensor(try floats(name), shape: entry.shape)
    }

    /// A leaf that gets a gradient; nil where the file has none of that name.
    func leaf(_ name: String) throws -> Parameter? {
        try self[name].map { Parameter(try floats(name), shape: $0.shape) }
    }

    func integers(_ name: String) throws -> IntTensor {
        guard let entry = self[name] else { throw GoldenError("no tensor \(name)") }
        return IntTensor(try values(name, as: Int64.self).map { Int32($0) }, shape: entry.shape)
    }

    /// Every tensor whose name begins so, without the beginning.
    func tensors(prefix: String) throws -> [String: Tensor] {
        var found: [String: Tensor] = [:]
        for name in names where name.hasPrefix(prefix) {
            found[String(name.dropFirst(prefix.count))] = try tensor(name)
        }
        return found
    }
}
