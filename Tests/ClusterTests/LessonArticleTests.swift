import Foundation
import Testing

/// An article on a lesson, from the documentation's catalogue, and what it quotes.
private struct Article {
    /// The repository.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Code blocks that are Swift, without indentation.
    private(set) var quotes: [[String]] = []
    /// The others: a command, and what it prints.
    private(set) var tables: [[String]] = []
    /// The lesson's source file, without indentation.
    let source: [String]

    init(_ name: String) throws {
        source = try Self.lines("Sources/Lessons/\(name).swift")
        var block: (isSwift: Bool, lines: [String])?
        for line in try Self.lines("Sources/Lockstep/Lockstep.docc/\(name).md") {
            if let open = block {
                guard line == "```" else {
                    block?.lines.append(line)
                    continue
                }
                if open.isSwift { quotes.append(open.lines) } else { tables.append(open.lines) }
                block = nil
            } else if line.hasPrefix("```") {
                block = (line == "```swift", [])
            }
        }
    }

    private static func lines(_ path: String) throws -> [String] {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
    }
}

private let names = ["RNNCellLesson", "RNNLesson", "EmbeddingLesson", "LSTMLesson", "GRULesson"]

@Suite(.tags(.processes), .timeLimit(.minutes(5))) struct `An article on a lesson` {
    @Test(arguments: names) func `shows what its command prints`(name: String) throws {
        let tables = try Article(name).tables
        try #require(tables.count == 1 && tables[0][0].hasPrefix("$ lockstep lesson "), "\(tables)")
        let parameters =
            ProcessInfo.processInfo.environment["LOCKSTEP_GOLDEN"]
            ?? Article.root.deletingLastPathComponent().appendingPathComponent("shared/golden").path
        for file in tables[0][0].split(separator: " ") where file.hasSuffix(".safetensors") {
            guard FileManager.default.fileExists(atPath: "\(parameters)/\(file)") else {
                print("\(name): no \(file) in \(parameters), the table is not checked")
                return
            }
        }
        let arguments = tables[0][0].split(separator: " ").dropFirst(2)
            .map { $0.hasSuffix(".safetensors") ? "\(parameters)/\($0)" : String($0) }
        let outcome = try Workplace().run(arguments)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.split(separator: "\n").map(String.init) == Array(tables[0].dropFirst()))
    }

    @Test(arguments: names) func `quotes its source`(name: String) throws {
        let article = try Article(name)
        #expect(!article.quotes.isEmpty)
        for quote in article.quotes {
            let isThere = article.source.indices.contains { article.source[$0...].starts(with: quote) }
            #expect(isThere, "\(quote)")
        }
    }
}
