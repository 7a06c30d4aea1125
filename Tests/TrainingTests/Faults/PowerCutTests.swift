import Foundation
import Testing
import Training

@Suite struct `a power cut` {
    typealias T = RunDirectoryTesting

    /// What happens to changes that are not safe.
    private enum Loss: CaseIterable {
        case everything, nothing, data, names, some, others
    }

    private func cut(
        _ disk: SimulatedDisk, into path: String, _ loss: Loss, _ generator: inout T.Generator
    ) throws {
        var own = generator
        func random() -> Bool { Bool.random(using: &own) }
        switch loss {
        case .everything: try disk.cut(into: path, keepsName: { false }, keepsData: { false })
        case .nothing: try disk.cut(into: path, keepsName: { true }, keepsData: { true })
        case .data: try disk.cut(into: path, keepsName: { true }, keepsData: { false })
        case .names: try disk.cut(into: path, keepsName: { false }, keepsData: { true })
        case .some, .others: try disk.cut(into: path, keepsName: random, keepsData: random)
        }
        generator = own
    }

    /// Calls `body` with the directory as it is after each number of operations and each kind of loss.
    private func forEachCut(
        _ operations: [FileOperation], on disk: SimulatedDisk, below parent: String,
        _ body: (_ path: String, _ isComplete: Bool, _ what: String) throws -> Void
    ) throws {
        var generator = T.Generator(T.seed)
        var disk = disk
        for count in 0...operations.count {
            if count > 0 { disk.perform(operations[count - 1]) }
            for loss in Loss.allCases {
                let path = "\(parent)/cut"
                defer { try? FileManager.default.removeItem(atPath: path) }
                try cut(disk, into: path, loss, &generator)
                let last = count > 0 ? "\(operations[count - 1])".prefix(120) : "nothing"
                try body(path, count == operations.count, "\(loss) lost after \(count) calls, the last \(last)")
            }
        }
    }

    @Test func `at any call of a checkpoint leaves a run to go on from with the same bits`() throws {
        try T.withPath { path in
            let parent = path + "-cuts"
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
            let whole = try T.makeRun(path + "-whole", to: 8, every: 2, keep: 2).readLedger().head
            try T.makeRun(path, to: 4, every: 2, keep: 2)
            let recorder = Recorder()
            let held = try RunDirectory(path).hold()
            let resumption = try held.resume()
            let disk = try SimulatedDisk(of: path)
            try FileFaults.$observer.withValue(recorder) {
                try T.advance(held, resumption, to: 6, every: 2, keep: 2)
            }
            #expect(recorder.operations.count > 20)
            try forEachCut(recorder.operations, on: disk, below: parent) { cut, isComplete, what in
                let held = try RunDirectory(cut).hold()
                let resumption = try held.resume()
                let step = try #require(resumption.checkpoint?.step, "\(what)")
                #expect(isComplete ? step == 6 : [4, 6].contains(step), "\(what)")
                #expect(try T.names(in: cut + "/checkpoints").allSatisfy { $0.hasPrefix("step-") }, "\(what)")
                // What has been let go of is gone as a whole: its files are not deleted under its name.
                for name in try T.names(in: cut + "/checkpoints") {
                    let step = try #require(UInt64(name.dropFirst("step-".count)))
                    #expect(throws: Never.self, "\(what): \(name)") {
                        try Checkpoint(verifying: "\(cut)/checkpoints/\(name)", step: step)
                    }
                }
                try T.advance(held, resumption, to: 8, every: 2, keep: 2)
                #expect(try held.directory.readLedger().head == whole, "\(what)")
            }
        }
    }

    @Test func `at any call since a run was made leaves nothing, or a run to go on from`() throws {
        try T.withPath { path in
            let root = path + "-root"
            let parent = path + "-cuts"
            for directory in [root, parent] {
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            }
            let whole = try T.makeRun(path + "-whole", to: 4, every: 2).readLedger().head
            let disk = try SimulatedDisk(of: root)
            let recorder = Recorder()
            try FileFaults.$observer.withValue(recorder) { _ = try T.makeRun(root + "/run", to: 2, every: 2) }
            try forEachCut(recorder.operations, on: disk, below: parent) { cut, isComplete, what in
                let run = cut + "/run"
                let held: HeldRun
                if FileManager.default.fileExists(atPath: run + "/run.json") {
                    held = try RunDirectory(run).hold()
                } else {
                    #expect(!isComplete, "\(what)")
                    held = try RunDirectory.create(at: run, configuration: T.Settings())
                }
                let resumption = try held.resume()
                #expect(!isComplete || resumption.checkpoint?.step == 2, "\(what)")
                try T.advance(held, resumption, to: 4, every: 2)
                #expect(try held.directory.readLedger().head == whole, "\(what)")
            }
        }
    }
}
