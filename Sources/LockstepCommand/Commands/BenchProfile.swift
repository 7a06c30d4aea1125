import Tracing

/// Where the time of a bench went, by kind of process.
struct BenchProfile: Encodable {
    /// By name of the process, workers as one: the share of each span in what was taken down.
    private let shares: [(name: String, shares: [(span: Span, share: Double)])]

    /// - Parameter since: spans that begin earlier are left out.
    init(_ processes: [TracedProcess], since: UInt64) {
        shares = Dictionary(grouping: processes, by: \.name).sorted { $0.key < $1.key }.map { name, processes in
            var times: [Span: Double] = [:]
            for process in processes {
                var process = process
                process.records.removeAll { $0.begin < since }
                for (span, time) in process.ownTimes { times[span, default: 0] += Double(time) }
            }
            let sum = times.values.reduce(0, +)
            return (
                name,
                times.map { ($0.key, sum > 0 ? $0.value / sum : 0) }
                    .sorted { ($1.1, $0.0.rawValue) < ($0.1, $1.0.rawValue) }
            )
        }
    }

    var lines: [String] {
        shares.map { name, shares in
            "  \(name): " + shares.map { "\($0.span.name) \(decimal($0.share * 100, 1)) %" }.joined(separator: ", ")
        }
    }

    func encode(to encoder: any Encoder) throws {
        try Dictionary(
            uniqueKeysWithValues: shares.map { name, shares in
                (name, Dictionary(uniqueKeysWithValues: shares.map { ($0.span.name, $0.share) }))
            }
        ).encode(to: encoder)
    }
}
