internal import Foundation
internal import Interchange

/// The one way that values become JSON here, and come back.
///
/// Numbers that JSON has no word for are written as the strings "NaN", "Infinity" and "-Infinity", and read back from them.
enum JSONText {
    enum Layout { case pretty, oneLine }

    static func encode(_ value: some Encodable, _ layout: Layout, as name: String) throws(RunError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if layout == .pretty { encoder.outputFormatting.insert(.prettyPrinted) }
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        do { return try Array(encoder.encode(value)) + [UInt8(ascii: "\n")] } catch {
            throw RunError(.file, "cannot write \(name): a value has no JSON form: \(oneLine(error))", cause: error)
        }
    }

    /// - Parameter path: stands for the bytes in messages.
    static func decode<Value: Decodable>(
        _: Value.Type, from bytes: [UInt8], path: String
    ) throws(RunError) -> Value {
        guard !bytes.isEmpty else { throw RunError(.damaged, "\(path): it is empty; expected JSON") }
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        do { return try decoder.decode(Value.self, from: Data(bytes)) } catch {
            throw RunError(.damaged, "\(path): \(describe(error))", cause: error)
        }
    }

    private static func describe(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, let context): "\(place(context, key)) is missing"
        case DecodingError.typeMismatch(let type, let context), DecodingError.valueNotFound(let type, let context):
            "\(place(context)) is not \(name(of: type))"
        case DecodingError.dataCorrupted(let context):
            // Foundation says this of a number out of range too, and does not say where.
            context.codingPath.isEmpty
                ? "it is not JSON, or a number in it does not fit its place"
                : "\(place(context)): \(corruption(context.debugDescription))"
        default: oneLine(error)
        }
    }

    /// What a value should have been, in JSON's words.
    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is any BinaryInteger.Type: "a whole number in its range"
        case is any BinaryFloatingPoint.Type: "a number"
        case is String.Type: "a text"
        case is Bool.Type: "true or false"
        case is any KeyedByText.Type: "an object"
        case is any ExpressibleByArrayLiteral.Type: "a list"
        default: "a \(type)"
        }
    }

    /// The standard library's sentence about a name that an enumeration lacks, without the enumeration.
    private static func corruption(_ sentence: String) -> String {
        guard sentence.hasPrefix("Cannot initialize "), let value = sentence.range(of: " value ") else {
            return oneLine(sentence)
        }
        return oneLine("\(String(sentence[value.upperBound...]).json) is none of the names that this version knows")
    }

    private static func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
        let keys = (context.codingPath + (key.map { [$0] } ?? [])).map(\.stringValue)
        return keys.isEmpty ? "the value" : oneLine("`\(keys.joined(separator: "."))`")
    }

    private static func oneLine(_ value: some Any) -> String {
        String("\(value)".map { $0.isNewline ? " " : $0 }.prefix(300))
    }
}

/// A dictionary whose keys are names: what JSON calls an object.
private protocol KeyedByText {}
extension Dictionary: KeyedByText where Key == String {}
