import Coordination
import Foundation
import TensorCore
import Testing
import Training

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `Answers of finite numbers whose sum is not` {
    @Test(arguments: [[], ["--audit", "100%"]])
    func `are found out by the coordinator's own, and the run ends as if they had never been`(audit: [String]) throws {
        let place = try Workplace()
        let common = [
            "--data", try place.text(), "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--shards",
            "2", "--seq-len", "12", "--validation-every", "1000", "--steps", "300", "--checkpoint-every", "100000",
            "--json",
        ]
        let expected = try place.run(["train"] + common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let endpoint = "ipc://\(place.path)/socket"
        let coordinator = try place.start(
            ["coordinator", "--bind", endpoint, "--fallback-after", "1", "--run", "\(place.path)/run"] + audit + common)
        #expect(coordinator.wait { coordinator.errors.contains("--connect ") })
        // Alone with a step each of them computes as it should: one such number has a finite sum.
        let liars = (0..<2).map { _ in
            AlteringWorker(at: endpoint) { answer in
                guard answer.subtree.count == 1 else { return }
                unsafe answer.storage.base.pointee = .greatestFiniteMagnitude
            }
        }
        let outcome = coordinator.wait()
        let ends = liars.map { $0.wait() }
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
        #expect(outcome.errors.contains("is not finite in the sum of answers that were"), "\(outcome.errors)")
        // Whose answer came first for both shards was alone in the sum; the other has lied in vain then, and stays.
        let found = ends.count { $0?.code == 3 && $0?.sentence.contains("this machine computes wrongly") == true }
        #expect(found > 0 && outcome.member("outvoted") == "\(found)", "\(ends), \(outcome)")
        let verified = try place.run(["verify", "\(place.path)/run"])
        #expect(verified.code == 0, "\(verified)")
    }
}
