import Foundation
import Testing

private let small = [
    "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--seq-len", "12", "--validation-every",
    "1000",
]

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(5)))
struct `The trained bits do not depend on` {
    @Test(arguments: [("lstm", false), ("gru", true), ("rnn", false)])
    func `the number of workers or threads`(cell: String, stream: Bool) throws {
        let place = try Workplace()
        let common =
            ["train", "--data", try place.text(), "--cell", cell, "--steps", "25", "--dropout", "0.2", "--json"] + small
            + (stream ? ["--stream"] : [])
        let alone = try place.run(common + ["--run", "\(place.path)/alone", "--threads", "1"])
        #expect(alone.code == 0, "\(alone.errors)")
        let hash = alone.member("parameters_sha256")
        #expect(hash.count == 64)
        let threads = try place.run(common + ["--run", "\(place.path)/threads", "--threads", "3"])
        #expect(threads.member("parameters_sha256") == hash)
        for workers in [1, 2, 3, 5] {
            let outcome = try place.run(common + ["--run", "\(place.path)/\(workers)", "--workers", "\(workers)"])
            #expect(outcome.member("parameters_sha256") == hash, "\(workers) workers: \(outcome.errors)")
            #expect(outcome.member("ledger_head") == alone.member("ledger_head"))
        }
    }

    @Test func `the number of workers or threads, or a resumption, in bf16`() throws {
        let place = try Workplace()
        let common = ["train", "--data", try place.text(), "--steps", "25", "--dropout", "0.2", "--json"] + small
        let exact = try place.run(common + ["--run", "\(place.path)/exact", "--precision", "fp32"])
        let rounded = common + ["--precision", "bf16"]
        let alone = try place.run(rounded + ["--run", "\(place.path)/alone", "--threads", "1"])
        let hash = alone.member("parameters_sha256")
        #expect(hash.count == 64 && hash != exact.member("parameters_sha256"), "\(alone.errors)")
        let threads = try place.run(rounded + ["--run", "\(place.path)/threads", "--threads", "3"])
        #expect(threads.member("parameters_sha256") == hash)
        for workers in [1, 2, 4] {
            let outcome = try place.run(rounded + ["--run", "\(place.path)/\(workers)", "--workers", "\(workers)"])
            #expect(outcome.member("parameters_sha256") == hash, "\(workers) workers: \(outcome.errors)")
            #expect(outcome.member("ledger_head") == alone.member("ledger_head"))
        }
        let verified = try place.run(["verify", "\(place.path)/2"])
        #expect(verified.code == 0, "\(verified.output) \(verified.errors)")
        let differing = try place.run(["diff", "\(place.path)/alone", "\(place.path)/exact"])
        #expect((differing.output + differing.errors).contains("precision: bf16 and not there"), "\(differing.output)")
    }

    @Test(arguments: ["on", "off"])
    func `whether workers share memory with the coordinator`(sharing: String) throws {
        let place = try Workplace()
        let common = ["train", "--data", try place.text(), "--steps", "25", "--json", "--stream"] + small
        let alone = try place.run(common + ["--run", "\(place.path)/alone"])
        let outcome = try place.run(
            common + ["--run", "\(place.path)/workers", "--workers", "3"],
            environment: ["LOCKSTEP_SHARED_MEMORY": sharing])
        #expect(outcome.member("parameters_sha256") == alone.member("parameters_sha256"), "\(outcome.errors)")
        #expect(outcome.member("ledger_head") == alone.member("ledger_head"))
        #expect(outcome.member("workers_lost") == "0")
        #expect(outcome.errors.contains("joined, sharing memory") == (sharing == "on"), "\(outcome.errors)")
    }

    @Test(arguments: ["fp32", "bf16"])
    func `the instruction set`(precision: String) throws {
        let place = try Workplace()
        let version = try place.run(["--version"]).output
        let sets = ["portable", "avx2", "avx512", "avx512bf16", "neon"].filter {
            version.contains(" \($0),") || version.contains(" \($0))")
        }
        #expect(sets.count >= 1)
        let text = try place.text()
        let hashes = try sets.map { set in
            try place.run(
                [
                    "train", "--data", text, "--steps", "5", "--json", "--run", "\(place.path)/\(set)", "--precision",
                    precision,
                ] + small,
                environment: ["LOCKSTEP_ISA": set]
            ).member("parameters_sha256")
        }
        #expect(Set(hashes).count == 1, "\(hashes)")
        #expect(hashes[0].count == 64)
    }

    @Test func `workers that are killed`() throws {
        let place = try Workplace()
        let common =
            ["train", "--data", try place.text(), "--steps", "3000", "--json", "--checkpoint-every", "100000"] + small
        let expected = try place.run(common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        #expect(expected.count == 64)
        let process = try place.start(common + ["--run", "\(place.path)/killed", "--workers", "2"])
        #expect(process.wait { process.errors.components(separatedBy: "joined").count > 2 })
        usleep(UInt32.random(in: 0..<300_000))
        let killed = try #require(process.children.first)
        kill(killed, SIGKILL)
        // Another one takes its place.
        #expect(process.wait { process.errors.components(separatedBy: "joined").count > 3 }, "\(process.errors)")
        let outcome = process.wait()
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
        #expect(outcome.member("workers_seen") == "3" && outcome.member("workers_lost") == "1", "\(outcome.errors)")
        #expect(outcome.errors.contains(":\(killed) is lost: "), "\(outcome.errors)")
    }

    @Test func `a worker that cannot live`() throws {
        let place = try Workplace()
        // A step of such a size that nobody answers before it is killed.
        let common = [
            "train", "--data", try place.text(), "--steps", "2", "--json", "--hidden-size", "512", "--batch-size", "64",
            "--seq-len", "64",
        ]
        let expected = try place.run(common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let process = try place.start(common + ["--run", "\(place.path)/killed", "--workers", "1"])
        #expect(process.wait { process.coordinator != nil })
        let coordinator = try #require(process.coordinator)
        var deaths: Set<Int32> = []
        while process.isRunning, !process.errors.contains("not started again") {
            for child in process.children where child != coordinator {
                kill(child, SIGKILL)
                deaths.insert(child)
            }
            usleep(2000)
        }
        let outcome = process.wait()
        #expect(deaths.count == 5)
        #expect(outcome.errors.components(separatedBy: "training goes on without it").count == 2, "\(outcome.errors)")
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
    }

    @Test func `a coordinator that was stopped for a while, and its workers are still its workers`() throws {
        let place = try Workplace()
        let common =
            ["train", "--data", try place.text(), "--steps", "6000", "--json", "--checkpoint-every", "100000"] + small
        let expected = try place.run(common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let process = try place.start(common + ["--run", "\(place.path)/stopped", "--workers", "2"])
        #expect(process.wait { process.errors.components(separatedBy: "joined").count > 2 })
        let coordinator = try #require(process.coordinator)
        kill(coordinator, SIGSTOP)
        usleep(6_500_000)
        kill(coordinator, SIGCONT)
        let outcome = process.wait()
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
        #expect(outcome.member("workers_seen") == "2" && outcome.member("workers_lost") == "0", "\(outcome.errors)")
    }

    @Test(arguments: ["ipc", "tcp"])
    func `workers that come late and go`(transport: String) throws {
        let place = try Workplace()
        let common = ["--data", try place.text(), "--steps", "3000", "--json", "--checkpoint-every", "100000"] + small
        let expected = try place.run(["train"] + common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let bind = transport == "ipc" ? "ipc://\(place.path)/socket" : "tcp://127.0.0.1:*"
        let coordinator = try place.start(
            ["coordinator", "--bind", bind, "--fallback-after", "0", "--run", "\(place.path)/run"] + common)
        #expect(coordinator.wait { coordinator.errors.contains("lockstep worker --connect ") })
        let endpoint = coordinator.errors.components(separatedBy: "--connect ")[1].components(separatedBy: "\n")[0]
        let first = try place.start(["worker", "--connect", endpoint])
        #expect(coordinator.wait { coordinator.errors.contains("joined") })
        let second = try place.start(["worker", "--connect", endpoint])
        usleep(UInt32.random(in: 0..<200_000))
        first.signal(SIGKILL)
        let outcome = coordinator.wait()
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
        if second.isRunning { second.signal(SIGTERM) }
        _ = first.wait()
        _ = second.wait()
    }

    @Test func `having no worker at all`() throws {
        let place = try Workplace()
        let common = ["--data", try place.text(), "--steps", "20", "--json"] + small
        let expected = try place.run(["train"] + common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let outcome = try place.run(
            [
                "coordinator", "--bind", "ipc://\(place.path)/socket", "--fallback-after", "0", "--run",
                "\(place.path)/run",
            ]
                + common)
        #expect(outcome.member("parameters_sha256") == expected)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `a stop by a signal and a resumption`(signal: Int32) throws {
        let place = try Workplace()
        let common = ["train", "--data", try place.text(), "--steps", "3000", "--json", "--stream"] + small
        let expected = try place.run(common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let process = try place.start(common + ["--run", "\(place.path)/stopped", "--workers", "2"])
        #expect(process.wait { process.errors.contains("step ") })
        process.signal(signal)
        let stopped = process.wait()
        #expect(stopped.code == 128 + signal, "\(stopped.errors)")
        #expect(stopped.errors.contains("lockstep resume \(place.path)/stopped"))
        let resumed = try place.run(["resume", "\(place.path)/stopped", "--json"])
        #expect(resumed.member("parameters_sha256") == expected, "\(resumed.errors)")
    }
}
