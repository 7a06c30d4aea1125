internal import Foundation
internal import Interchange
internal import Testing
internal import Training

@Suite(.serialized) struct `a run whose process dies` {
    typealias T = RunDirectoryTesting

    @Test func `a killed process lets go of the run and leaves a state to go on from`() async throws {
        var generator = T.Generator(T.seed)
        for trial in 1...8 {
            let delay = Int.random(in: 500...30_000, using: &generator)
            try await T.withPath { path in
                try T.makeRun(path, to: 0, every: 1)
                await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, delay = delay as Int] in
                    let run = try RunDirectory(path).hold()
                    let resumption = try run.resume()
                    Thread.detachNewThread {
                        usleep(UInt32(delay))
                        kill(getpid(), SIGKILL)
                    }
                    try RunDirectoryTesting.advance(run, resumption, to: .max, every: 3)
                }
                let directory = try RunDirectory(path)
                let held = try directory.hold()
                #expect(held.incarnation == 3)
                let resumption = try held.resume()
                let step = resumption.checkpoint?.step ?? 0
                if let checkpoint = resumption.checkpoint {
                    #expect(try checkpoint.json("state.json") == ["step": step])
                }
                try T.advance(held, resumption, to: step + 4, every: 3)
                let wanted = try T.makeRun(path + "-whole", to: step + 4, every: 3).readLedger().head
                #expect(try directory.readLedger().head == wanted, "trial \(trial): killed after \(delay) µs")
                #expect(try T.names(in: path + "/checkpoints").allSatisfy { $0.hasPrefix("step-") })
            }
        }
    }

    @Test func `a file that may not grow stops the write and leaves what was there`() async throws {
        try await T.withPath { path in
            try T.makeRun(path, to: 4, every: 2)
            await #expect(processExitsWith: .success) { [path = path as String] in
                typealias T = RunDirectoryTesting
                let run = try RunDirectory(path).hold()
                let resumption = try run.resume()
                let ledger = path + "/ledger.jsonl"
                let size = try T.read(ledger).count
                signal(SIGXFSZ, SIG_IGN)
                try T.limitFileSize(to: size + 50)
                // The system takes the first 50 bytes of the line and refuses the rest.
                let torn = T.error { try resumption.ledger.append(T.entry(5)) }
                let message = "cannot write \(ledger): File too large (errno 27)"
                try #require(torn?.message == message)
                try #require(T.read(ledger).count == size)

                let large = [NamedTensor(name: "w", shape: [4096], values: .init(repeating: 1, count: 4096))]
                let failed = T.error {
                    try run.writeCheckpoint(
                        [.tensors("parameters.safetensors", large)], after: resumption.ledger)
                }
                try #require(
                    failed?.message.contains("/.writing-step-00000004/parameters.safetensors: File too large") == true)
                try #require(T.names(in: path + "/checkpoints") == ["step-00000002", "step-00000004"])

                try T.limitFileSize(to: 1 << 30)
                try T.advance(run, resumption, to: 6, every: 2)
                try #require(run.directory.readLedger().steps == 6)
                try #require(run.directory.newestCheckpoint().checkpoint?.step == 6)
            }
        }
    }
}
