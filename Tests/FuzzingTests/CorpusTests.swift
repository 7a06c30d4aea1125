import Foundation
import Fuzzing
import Testing

/// Inputs that are kept: seeds from real traffic and real files, and what fuzzing has found.
private func corpus(of target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fuzzing/Corpus/\(target.rawValue)")
    return try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().map { name in
        (name, try Array(Data(contentsOf: directory.appendingPathComponent(name))))
    }
}

/// Of this run's mutations: `LOCKSTEP_TEST_SEED`, or a new one, printed.
private let seed: UInt64 = {
    let seed =
        ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"].flatMap(UInt64.init) ?? .random(in: 0...999_999)
    print("CorpusTests: LOCKSTEP_TEST_SEED=\(seed)")
    return seed
}()

// One target after another: some write into one directory.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct `A reader of foreign bytes` {
    @Test(arguments: FuzzTarget.allCases) func `takes or refuses every input of its corpus`(target: FuzzTarget) throws {
        let inputs = try corpus(of: target)
        #expect(inputs.count >= 3)
        for (name, bytes) in inputs {
            do { try target.run(bytes) } catch { Issue.record("\(target.rawValue)/\(name): \(error)") }
        }
        try target.run([])
    }

    @Test(arguments: FuzzTarget.allCases) func `takes or refuses every mutation of them`(target: FuzzTarget) throws {
        var mutator = Mutator(seed: seed)
        let inputs = try corpus(of: target).map(\.bytes)
        for number in 0..<1000 {
            let bytes = mutator.mutation(of: inputs)
            do { try target.run(bytes) } catch {
                Issue.record("\(target.rawValue), mutation \(number) of LOCKSTEP_TEST_SEED=\(seed): \(error)")
                return
            }
        }
    }
}
