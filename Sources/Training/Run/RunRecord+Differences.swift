internal import Foundation

extension RunRecord {
    /// What differs between two runs' records, as `hiddenSize: 16 and 32`; settings that shape nothing included.
    ///
    /// - Parameter named: whether the run's name and the version that began it are compared, too.
    package func differences(from other: RunRecord, withNames named: Bool = false) throws(RunError) -> [String] {
        let (own, others) = (try flattened(named), try other.flattened(named))
        let differing = Set(own.keys).union(others.keys).filter { own[$0] != others[$0] }
        return differing.sorted().map { "\($0): \(own[$0] ?? "not there") and \(others[$0] ?? "not there")" }
    }

    /// Every member by its path, as text.
    private func flattened(_ named: Bool) throws(RunError) -> [String: String] {
        var record = self
        if !named { (record.runID, record.version) = ("", "") }
        let bytes = try JSONText.encode(record, .oneLine, as: "run.json")
        guard let object = try? JSONSerialization.jsonObject(with: Data(bytes)) else {
            preconditionFailure("RunRecord: its own JSON cannot be read")
        }
        var members: [String: String] = [:]
        func visit(_ value: Any, _ path: String) {
            switch value {
            case let object as [String: Any]:
                for (key, value) in object { visit(value, path.isEmpty ? key : "\(path).\(key)") }
            case let list as [Any]: members[path] = list.count > 8 ? "\(list.count) of them" : "\(list)"
            default: members[path] = "\(value)"
            }
        }
        visit(object, "")
        // A vocabulary follows from the data, whose hash is there.
        return members.filter { !$0.key.hasPrefix("vocabulary") }.mapKeys { key in
            key.hasPrefix("configuration.") ? String(key.dropFirst("configuration.".count)) : key
        }
    }
}

extension Dictionary where Key == String {
    fileprivate func mapKeys(_ transform: (String) -> String) -> [String: Value] {
        Dictionary(uniqueKeysWithValues: map { (transform($0.key), $0.value) })
    }
}
