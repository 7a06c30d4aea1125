import Training

/// One of the names of an enumeration, or a sentence with all of them.
func choice<Value: RawRepresentable & CaseIterable>(
    _ text: String?, _ flag: String, _: Value.Type
) throws -> Value? where Value.RawValue == String {
    guard let text else { return nil }
    guard let value = Value(rawValue: text) else {
        throw UsageError("\(flag) '\(text)': \(Names(Value.allCases.map(\.rawValue)).sentence(for: text))")
    }
    return value
}
