import Foundation
import Interchange
import Testing

/// Reference cases: an index and the files that it lists.
struct GoldenIndex: Decodable {
    let cases: [GoldenOptions]

    /// nil where there is no index.
    static func read(_ directory: String) throws -> [GoldenCase]? {
        guard let data = FileManager.default.contents(atPath: "\(directory)/index.json") else { return nil }
        let decoder = JSONDecoder()
        // Python writes NaN and Infinity, which plain JSON has not.
        decoder.allowsJSON5 = true
        let index: GoldenIndex
        do { index = try decoder.decode(GoldenIndex.self, from: data) } catch {
            throw GoldenError("\(directory)/index.json: \(error)")
        }
        return try index.cases.map {
            try GoldenCase($0, directory: directory)
        }
    }

    private static var here: URL { URL(fileURLWithPath: #filePath).deletingLastPathComponent() }

    /// A few small cases that come with the tests.
    static var embedded: String { here.appendingPathComponent("Embedded").path }

    /// `$LOCKSTEP_GOLDEN`, or `../shared/golden` beside the project.
    static var outside: String {
        ProcessInfo.processInfo.environment["LOCKSTEP_GOLDEN"]
            ?? here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("shared/golden").path
    }
}

@Suite(.serialized) struct `Golden cases of PyTorch` {
    @Test func `that come with the tests agree`() throws {
        let cases = try #require(try GoldenIndex.read(GoldenIndex.embedded))
        #expect(cases.count >= 8)
        for golden in cases { _ = check(golden) }
    }

    /// `LOCKSTEP_GOLDEN=DIR` names the folder of an index; each case's largest deviation is printed, and at the end how many there were.
    @Test func `of an index agree, each within its tolerance`() throws {
        guard let cases = try GoldenIndex.read(GoldenIndex.outside) else {
            // Asked for and not there is a failure; not there at all is not.
            #expect(
                ProcessInfo.processInfo.environment["LOCKSTEP_GOLDEN"] == nil, "no index.json in \(GoldenIndex.outside)"
            )
            print("no reference cases in \(GoldenIndex.outside): skipped")
            return
        }
        let outcomes = cases.map { check($0) }
        print("\(outcomes.count { $0 }) of them within their tolerance")
        print("\(cases.count) cases")
    }

    private func check(_ golden: GoldenCase) -> Bool {
        do {
            let (file, shapes) = (try golden.file, try golden.members.options("shapes"))
            let missing = shapes.values.keys.filter { file[$0] == nil }.sorted()
            if !missing.isEmpty { throw GoldenError("the file lacks \(missing.joined(separator: ", "))") }
            let deviations = try run(golden)
            let agrees = deviations.largest <= golden.tolerance
            let worst = String(format: "%8.1e of %7.1e", deviations.largest, golden.tolerance)
            print(
                "golden \(golden.name.padding(toLength: max(28, golden.name.count), withPad: " ", startingAt: 0)) \(worst)  \(deviations.worst)\(agrees ? "" : "  TOO FAR")"
            )
            #expect(
                agrees,
                "\(golden.name): \(deviations.worst) deviates by \(deviations.largest), allowed \(golden.tolerance)")
            return agrees
        } catch {
            print("golden \(golden.name): \(error)")
            Issue.record("\(golden.name): \(error)")
            return false
        }
    }

    private func run(_ golden: GoldenCase) throws -> Deviations {
        switch golden.kind {
        case "RNN", "LSTM", "GRU": try runRecurrentCase(golden)
        case "RNNCell", "LSTMCell", "GRUCell": try runCellCase(golden)
        case "Embedding": try runEmbeddingCase(golden)
        case "Linear": try runLinearCase(golden)
        case "Adam", "AdamW", "SGD", "RMSprop": try runOptimizerCase(golden)
        case "StepLR", "ExponentialLR", "CosineAnnealingLR", "LinearLR", "OneCycleLR", "ReduceLROnPlateau",
            "WarmupCosine":
            try runScheduleCase(golden)
        case "CrossEntropyLoss": try runCrossEntropyCase(golden)
        case "Lesson": try runLessonCase(golden)
        case "LanguageModel": try runLanguageModelCase(golden)
        default: throw GoldenError("no runner for \(golden.kind)")
        }
    }
}
