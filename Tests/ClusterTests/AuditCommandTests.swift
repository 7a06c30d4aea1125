import Cluster
import Coordination
import Foundation
import Messaging
import TensorCore
import Testing
import Training

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `An audit` {
    private let small = [
        "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--seq-len", "12", "--validation-every",
        "1000", "--json",
    ]

    @Test(arguments: [0, 2])
    func `finds a worker that turns a bit, and the run ends as if it had never been there`(honest: Int) throws {
        let place = try Workplace()
        let common = ["--data", try place.text(), "--steps", "2000", "--checkpoint-every", "100000"] + small
        let expected = try place.run(["train"] + common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let coordinator = try place.start(
            [
                "coordinator", "--bind", "ipc://\(place.path)/socket", "--audit", "100%", "--fallback-after", "60",
                "--run", "\(place.path)/run",
            ] + common)
        #expect(coordinator.wait { coordinator.errors.contains("--connect ") })
        let endpoint = "ipc://\(place.path)/socket"
        let workers = try (0..<honest).map { _ in try place.start(["worker", "--connect", endpoint]) }
        #expect(coordinator.wait { coordinator.errors.components(separatedBy: "joined").count > honest })

        let flipping = AlteringWorker(at: endpoint) { answer in
            let first = unsafe answer.storage.base
            unsafe first.pointee = Float(bitPattern: first.pointee.bitPattern ^ 1)
        }
        let outcome = coordinator.wait()
        let end = flipping.wait()
        for worker in workers {
            let end = worker.wait()
            #expect(end.code == 0, "\(end), \(outcome)")
        }

        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
        #expect(outcome.member("outvoted") == "1", "\(outcome)")
        #expect(Int(outcome.member("audited")) ?? 0 > 0, "\(outcome)")
        #expect(
            outcome.errors.contains(":\(ProcessInfo.processInfo.processIdentifier) is dropped: its gradients for step"))
        #expect(end?.code == 3, "\(String(describing: end))")
        #expect(end?.sentence.contains("this machine computes wrongly") == true)
    }

    @Test func `changes nothing when every worker is right`() throws {
        let place = try Workplace()
        let common = ["train", "--data", try place.text(), "--steps", "100"] + small
        let expected = try place.run(common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let outcome = try place.run(
            common + ["--run", "\(place.path)/audited", "--workers", "3", "--audit", "20%"])
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
        #expect(outcome.member("outvoted") == "0" && outcome.member("workers_lost") == "0", "\(outcome)")
        #expect((1..<300).contains(Int(outcome.member("audited")) ?? 0), "\(outcome)")
    }
}
