import Foundation
import Testing

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(5)))
struct `A program that trains a task of its own` {
    @Test func `prints the same hash for any number of workers, and learns`() throws {
        let place = try Workplace()
        let alone = try place.run(["0"], program: "ParityExample")
        #expect(alone.code == 0, "\(alone.errors)")
        #expect(alone.output.contains("parameters_sha256 "))
        for workers in ["1", "2", "3", "5"] {
            let outcome = try place.run([workers], program: "ParityExample")
            #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
            #expect(outcome.output == alone.output, "\(workers) workers")
        }
        let last = try #require(alone.output.split(separator: "\n").last { $0.hasPrefix("step ") })
        let loss = try #require(last.split(separator: " ").last.flatMap { Double($0) })
        #expect(loss < 0.05)
    }

    @Test func `may train more than once: each training has workers of its own`() throws {
        let place = try Workplace()
        let alone = try place.run(["0"], program: "ParityExample").output
        let thrice = try place.run(["2", "0", "1"], program: "ParityExample")
        #expect(thrice.output == alone + alone + alone && thrice.errors.isEmpty, "\(thrice)")
    }

    @Test(
        arguments: [
            (["LOCKSTEP_WORKER_CONNECT": "nonsense"], "LOCKSTEP_WORKER_CONNECT 'nonsense': expected an endpoint"),
            (["LOCKSTEP_WORKER_CONNECT": "tcp://192.0.2.1:1"], "192.0.2.1"),
            (["LOCKSTEP_WORKER_CONNECT": "tcp://127.0.0.1:1", "LOCKSTEP_WORKER_NAME": "xyz"], "worker name 'xyz'"),
            (
                ["LOCKSTEP_WORKER_CONNECT": "tcp://127.0.0.1:1", "LOCKSTEP_WORKER_TRAINING": "last"],
                "LOCKSTEP_WORKER_TRAINING 'last': expected a whole number"
            ),
        ] as [([String: String], String)])
    func `ends with one line and exit code 2 when it is started as a worker of nobody`(
        environment: [String: String], sentence: String
    ) throws {
        let outcome = try Workplace().run(["1"], program: "ParityExample", environment: environment)
        #expect(outcome.code == 2 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.errors.contains(sentence) && outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome)")
    }

    @Test func `goes on when a worker is killed`() throws {
        let place = try Workplace()
        let alone = try place.run(["0"], program: "ParityExample")
        let process = try place.start(["2"], program: "ParityExample")
        #expect(process.wait { process.children.count == 2 })
        usleep(UInt32.random(in: 0..<200_000))
        for child in process.children.prefix(1) { kill(child, SIGKILL) }
        #expect(process.wait().output == alone.output)
    }
}
