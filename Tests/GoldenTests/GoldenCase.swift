import Foundation
import Interchange
import TensorCore

/// One reference case computed with PyTorch: what went in and what came out, and how far a result may be from it.
struct GoldenCase: Decodable {
    let name: String
    let kind: String
    /// The arguments of PyTorch's constructor or function.
    let options: GoldenOptions
    /// Largest absolute difference over the largest magnitude of a tensor.
    let tolerance: Double
    /// Strings of a lesson, one an epoch.
    let strings: [String]?
    /// The rate that a schedule starts from, and what a plateau is told.
    let lr: Double?
    let metrics: [Double]?
    /// The bound of an optimiser's gradients.
    let clipNorm: Double?
    /// Where its tensors are.
    var directory = ""

    private enum CodingKeys: String, CodingKey {
        case name, kind, options, tolerance, strings, lr, metrics
        case clipNorm = "clip_norm"
    }

    var file: SafetensorsFile {
        get throws { try SafetensorsFile(path: "\(directory)/\(name).safetensors") }
    }
}

/// The options of a case; one that a runner does not know fails the case.
struct GoldenOptions: Decodable {
    enum Value: Decodable, Equatable {
        case null, bool(Bool), number(Double), text(String), list([Value])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .bool(value)
            } else if let value = try? container.decode(Double.self) {
                self = .number(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else {
                self = .list(try container.decode([Value].self))
            }
        }
    }

    let values: [String: Value]

    init(from decoder: any Decoder) throws {
        values = try decoder.singleValueContainer().decode([String: Value].self)
    }

    /// - Throws: when there is an option that is not among `known`.
    func expectOnly(_ known: String...) throws {
        let unknown = Set(values.keys).subtracting(known).sorted()
        if !unknown.isEmpty { throw GoldenError("options \(unknown.joined(separator: ", ")) are not known here") }
    }

    func double(_ name: String) -> Double? {
        if case .number(let value) = values[name] { value } else { nil }
    }
    func float(_ name: String) -> Float? { double(name).map { Float($0) } }
    func int(_ name: String) -> Int? { double(name).map { Int($0) } }
    func text(_ name: String) -> String? {
        if case .text(let value) = values[name] { value } else { nil }
    }
    func bool(_ name: String) -> Bool? {
        if case .bool(let value) = values[name] { value } else { nil }
    }
    func doubles(_ name: String) -> [Double]? {
        guard case .list(let values) = values[name] else { return nil }
        return values.compactMap { if case .number(let value) = $0 { value } else { nil } }
    }

    func need<Value>(_ value: Value?, _ name: String) throws -> Value {
        guard let value else { throw GoldenError("option \(name) is missing") }
        return value
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
        let scale = reference.reduce(0.0) { max($0, abs(Double($1))) }
        var difference = 0.0
        for (got, wanted) in zip(result, reference) {
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
        for name in names where name.hasPrefix(prefix) { found[String(name.dropFirst(prefix.count))] = try tensor(name) }
        return found
    }
}
