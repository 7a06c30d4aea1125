internal import Training

/// Faults that a user asks for, to see that they cost time and nothing else.
///
/// ```
/// kill worker every 5s; kill coordinator at step 300; stall worker 2 for 10s; drop 5%
/// ```
package struct ChaosPlan: Equatable, Sendable {
    package enum Target: Equatable, Sendable {
        case coordinator
        /// Counted from 1; nil for one that is drawn each time.
        case worker(Int?)
    }

    package enum Deed: Equatable, Sendable {
        case kill
        /// Stopped for that long, and let go on.
        case stall(Duration)
    }

    package enum Occasion: Equatable, Sendable {
        case every(Duration)
        /// Once, that long after the first step.
        case after(Duration)
        /// Once, when that step is done.
        case atStep(UInt64)
    }

    package struct Order: Equatable, Sendable {
        /// As it was written.
        package let text: String
        package let deed: Deed
        package let target: Target
        package let occasion: Occasion
    }

    package private(set) var orders: [Order] = []
    /// The share of messages between coordinator and workers that is thrown away.
    package private(set) var dropRate = 0.0

    /// Steps after which something is to be done before the next.
    package var steps: [UInt64] {
        orders.compactMap { order in
            if case .atStep(let step) = order.occasion { step } else { nil }
        }
    }

    /// Reads a plan.
    ///
    /// - Parameter workers: how many there will be.
    /// - Throws: `ClusterError` with exit code 2 and a sentence: what, where, what was expected.
    package init(_ text: String, workers: Int) throws(ClusterError) {
        for clause in text.split(separator: ";") {
            var words = ChaosWords(clause, workers: workers)
            guard !words.isAtEnd else { continue }
            switch try words.choice(of: ["kill", "stall", "drop"]) {
            case "drop":
                guard dropRate == 0 else {
                    throw ClusterError(
                        exitCode: 2, "--chaos '\(text)': got 'drop' twice, expected one share for the whole run")
                }
                dropRate = try words.share()
                try words.end()
            case "kill":
                let target = try words.target()
                try append(.kill, target, words.occasion(), &words)
            default:
                let target = try words.target()
                try words.word("for")
                let duration = try words.duration()
                let occasion: Occasion = words.isAtEnd ? .after(.zero) : try words.occasion()
                try append(.stall(duration), target, occasion, &words)
            }
        }
        if orders.isEmpty, dropRate == 0 {
            throw ClusterError(
                exitCode: 2, "--chaos '\(text)': expected faults, as in 'kill worker every 5s; drop 1%'")
        }
    }

    private mutating func append(
        _ deed: Deed, _ target: Target, _ occasion: Occasion, _ words: inout ChaosWords
    ) throws(ClusterError) {
        try words.end()
        orders.append(Order(text: words.text, deed: deed, target: target, occasion: occasion))
    }
}

/// The words of one clause, from the left.
private struct ChaosWords {
    let text: String
    private let workers: Int
    private var rest: ArraySlice<Substring>

    init(_ clause: Substring, workers: Int) {
        let words = clause.split(whereSeparator: \.isWhitespace)
        text = words.joined(separator: " ")
        self.workers = workers
        rest = words[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    private func unexpected(_ wanted: String) -> ClusterError {
        let got = rest.first.map { "'\($0)'" } ?? "its end"
        return ClusterError(exitCode: 2, "--chaos '\(text)': got \(got), expected \(wanted)")
    }

    mutating func choice(of choices: [String]) throws(ClusterError) -> String {
        guard let word = rest.first, choices.contains(String(word)) else {
            throw unexpected(
                choices.count == 1 ? choices[0] : Names(choices).wanted(for: String(rest.first ?? "")))
        }
        rest.removeFirst()
        return String(word)
    }

    mutating func word(_ word: String) throws(ClusterError) { _ = try choice(of: [word]) }

    func end() throws(ClusterError) {
        if !isAtEnd { throw unexpected("its end") }
    }

    mutating func target() throws(ClusterError) -> ChaosPlan.Target {
        if try choice(of: ["worker", "coordinator"]) == "coordinator" { return .coordinator }
        guard let word = rest.first, word.first?.isNumber == true else { return .worker(nil) }
        guard let number = Int(word), (1...workers).contains(number) else {
            throw unexpected("a worker from 1 to \(workers)")
        }
        rest.removeFirst()
        return .worker(number)
    }

    mutating func occasion() throws(ClusterError) -> ChaosPlan.Occasion {
        switch try choice(of: ["every", "after", "at"]) {
        case "every": return .every(try duration())
        case "after": return .after(try duration())
        default:
            try word("step")
            guard let word = rest.first, let step = UInt64(word), step > 0 else {
                throw unexpected("the number of a step, from 1")
            }
            rest.removeFirst()
            return .atStep(step)
        }
    }

    mutating func duration() throws(ClusterError) -> Duration {
        let units: [(name: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60)]
        guard let word = rest.first, let unit = units.first(where: { word.hasSuffix($0.name) }),
            let number = Double(word.dropLast(unit.name.count)), number > 0, number * unit.seconds < 1e6
        else { throw unexpected("a time, as 500ms, 5s or 2m") }
        rest.removeFirst()
        return .seconds(number * unit.seconds)
    }

    mutating func share() throws(ClusterError) -> Double {
        guard let word = rest.first, word.hasSuffix("%"), let percent = Double(word.dropLast()), percent > 0,
            percent < 100
        else { throw unexpected("a share above 0% and below 100%") }
        rest.removeFirst()
        return percent / 100
    }
}
