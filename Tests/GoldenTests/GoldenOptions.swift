/// A JSON object with typed reading, where a missing member or one of another type throws.
struct GoldenOptions: Sendable, Decodable {
    enum Value: Sendable, Equatable, Decodable {
        case null
        case flag(Bool)
        case number(Double)
        case text(String)
        case list([Value])
        case object([String: Value])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let list = try? container.decode([Value].self) {
                self = .list(list)
            } else {
                self = .object(try container.decode([String: Value].self))
            }
        }
    }

    let values: [String: Value]

    init(from decoder: any Decoder) throws { values = try [String: Value](from: decoder) }

    private init(_ values: [String: Value]) { self.values = values }

    /// Throws when there is an option that nobody would read.
    func allow(only names: [String]) throws {
        let unknown = values.keys.filter { !names.contains($0) }.sorted()
        if !unknown.isEmpty { throw GoldenError("options \(unknown) are not known here") }
    }

    /// Whether there is a member other than null.
    func has(_ name: String) -> Bool { (values[name] ?? .null) != .null }

    func number(_ name: String, default fallback: Double? = nil) throws -> Double {
        try read(name, "a number", fallback) { if case .number(let number) = $0 { number } else { nil } }
    }

    func integer(_ name: String, default fallback: Int? = nil) throws -> Int {
        try read(name, "a whole number", fallback) {
            if case .number(let number) = $0 { Int(exactly: number) } else { nil }
        }
    }

    func flag(_ name: String, default fallback: Bool? = nil) throws -> Bool {
        try read(name, "true or false", fallback) { if case .flag(let flag) = $0 { flag } else { nil } }
    }

    func text(_ name: String, default fallback: String? = nil) throws -> String {
        try read(name, "a string", fallback) { if case .text(let text) = $0 { text } else { nil } }
    }

    /// A list of numbers, or one number as a list of one.
    func numbers(_ name: String, default fallback: [Double]? = nil) throws -> [Double] {
        try read(name, "numbers", fallback) { value in
            switch value {
            case .number(let number): return [number]
            case .list(let list):
                let numbers = list.compactMap { if case .number(let number) = $0 { number } else { nil } }
                return numbers.count == list.count ? numbers : nil
            default: return nil
            }
        }
    }

    func texts(_ name: String) throws -> [String] {
        try read(name, "strings", nil) { value in
            guard case .list(let list) = value else { return nil }
            let texts = list.compactMap { if case .text(let text) = $0 { text } else { nil } }
            return texts.count == list.count ? texts : nil
        }
    }

    func options(_ name: String) throws -> GoldenOptions {
        try read(name, "an object", nil) { if case .object(let values) = $0 { GoldenOptions(values) } else { nil } }
    }

    /// One of the names of an enumeration.
    func choice<Choice: RawRepresentable<String>>(_ name: String, default fallback: Choice) throws -> Choice {
        let text = try text(name, default: fallback.rawValue)
        guard let choice = Choice(rawValue: text) else {
            throw GoldenError("option \(name): unknown '\(text)'")
        }
        return choice
    }

    private func read<Result>(
        _ name: String, _ wanted: String, _ fallback: Result?, _ convert: (Value) -> Result?
    ) throws -> Result {
        guard let value = values[name] else {
            guard let fallback else { throw GoldenError("no option \(name); expected \(wanted)") }
            return fallback
        }
        guard let result = convert(value) else {
            throw GoldenError("option \(name) is \(value); expected \(wanted)")
        }
        return result
    }
}

extension GoldenOptions {
    /// A member that may be missing or null.
    func optional<Result>(_ name: String, _ read: (String) throws -> Result) throws -> Result? {
        has(name) ? try read(name) : nil
    }
}
