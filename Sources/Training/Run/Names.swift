/// Names that a word of a command line can be, for the sentence about one that is none of them.
package struct Names {
    private let names: [String]

    package init(_ names: [String]) { self.names = names }

    /// `expected rnn, lstm or gru; did you mean lstm?`, the question only where a name is near.
    package func sentence(for text: String) -> String { "expected \(wanted(for: text))" }

    /// The same behind a sentence's own "expected".
    package func wanted(for text: String) -> String {
        list + (nearest(to: text).map { "; did you mean \($0)?" } ?? "")
    }

    private var list: String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "none" }
        return "\(names.dropLast().joined(separator: ", ")) or \(last)"
    }

    /// The name that fewest slips of the hand lead from, the first of several; nil when that takes more than one in three letters.
    package func nearest(to text: String) -> String? {
        // A longer word is no slip, and the table below grows with it.
        guard text.count <= 64 else { return nil }
        let distances = names.map {
            (name: $0, distance: Self.distance(Array(text.lowercased()), Array($0.lowercased())))
        }
        guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(1, best.name.count / 3) && !text.isEmpty ? best.name : nil
    }

    /// Letters added, left out, exchanged for another or with their neighbour.
    private static func distance(_ one: [Character], _ other: [Character]) -> Int {
        var rows = [Array(0...other.count)]
        for (i, left) in one.enumerated() {
            var row = [i + 1]
            for (j, right) in other.enumerated() {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (left == right ? 0 : 1))
                if i > 0, j > 0, left == other[j - 1], one[i - 1] == right { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}
