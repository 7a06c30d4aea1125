import Foundation
import Testing

/// SECURITY.md names a test for each attack; each of these names is that of a test.
@Suite struct `The table of attacks` {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The last cell of each row of the last table: `suite`: the beginning of a test …, of another …; `suite`.
    private static func claims() throws -> [(suite: String, tests: [String])] {
        let article = try String(contentsOf: root.appendingPathComponent("SECURITY.md"), encoding: .utf8)
        let table = try #require(article.components(separatedBy: "| attack | what happens | test |").dropFirst().first)
        let rows = table.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| ---") }
        return rows.flatMap { row -> [(suite: String, tests: [String])] in
            let cell = row.components(separatedBy: " | ").last ?? ""
            return cell.components(separatedBy: "; ").compactMap { part in
                let pieces = part.components(separatedBy: "`")
                guard pieces.count >= 3 else { return nil }
                let rest = pieces[2].drop { $0 == ":" || $0 == " " }
                let tests = rest.components(separatedBy: "…").flatMap { text -> [String] in
                    let name = text.trimmingCharacters(in: CharacterSet(charactersIn: " ,|"))
                    return name.isEmpty || name.hasPrefix("(") ? [] : [name]
                }
                return (pieces[1], tests)
            }
        }
    }

    @Test func `names tests that there are`() throws {
        let claims = try Self.claims()
        #expect(claims.count > 25)
        let tests = Self.root.appendingPathComponent("Tests")
        let files = try FileManager.default.subpathsOfDirectory(atPath: tests.path).filter { $0.hasSuffix(".swift") }
        let sources = try files.map { try String(contentsOf: tests.appendingPathComponent($0), encoding: .utf8) }
        for (suite, names) in claims {
            let source = sources.first { $0.contains("struct \(suite) {") || $0.contains("struct `\(suite)` {") }
            let found = try #require(source, "no suite \(suite)")
            for name in names { #expect(found.contains("func `\(name)"), "no test '\(name)' in \(suite)") }
        }
    }
}
