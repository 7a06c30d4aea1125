import Foundation
import Testing

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A worker that dies or stalls changes no bit` {
    /// A model whose parameters and gradients travel in more than one frame.
    private let large = [
        "--hidden-size", "256", "--embedding-dim", "64", "--num-layers", "1", "--batch-size", "8", "--seq-len", "8",
        "--steps", "12", "--validation-every", "1000", "--json",
    ]

    @Test(
        arguments: [
            "worker-greeted:0", "worker-idle:4", "worker-parameters:5", "worker-computing:6", "worker-answering:7",
            "worker-answered:8",
        ])
    func `when it is killed in the middle of what it does`(point: String) throws {
        let place = try Workplace()
        let common = ["train", "--data", try place.text()] + large
        let alone = try place.run(common + ["--run", "\(place.path)/alone"])
        let mark = "\(place.path)/mark"
        let outcome = try place.run(
            common + ["--run", "\(place.path)/run", "--workers", "2"],
            environment: ["LOCKSTEP_CRASH_AT": "\(point):\(mark)"])
        #expect(FileManager.default.fileExists(atPath: mark), "nobody was killed: \(outcome)")
        #expect(outcome.code == 0 && outcome.member("workers_lost") == "1", "\(outcome)")
        #expect(outcome.member("parameters_sha256") == alone.member("parameters_sha256"), "\(outcome)")
        #expect(outcome.member("ledger_head") == alone.member("ledger_head"))
    }

    @Test func `when it is asked to stop, and cannot say a word`() throws {
        let place = try Workplace()
        // A pipe that nobody reads and that is full: what the worker says of its waiting blocks its main thread.
        let outcome = try place.shell(
            """
            mkfifo full && exec 9<>full && head -c 65536 /dev/zero >&9
            '\(Workplace.executable("lockstep"))' worker --connect 'ipc://\(place.path)/none' 2>&9 &
            worker=$!
            sleep 3 && kill -TERM $worker && wait $worker
            """)
        #expect(outcome.code == 143, "\(outcome)")
    }

    @Test func `when it is stopped for a second`() throws {
        let place = try Workplace()
        let common = [
            "train", "--data", try place.text(), "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16",
            "--seq-len", "12", "--steps", "4000", "--validation-every", "10000", "--checkpoint-every", "10000",
            "--json",
        ]
        let expected = try place.run(common + ["--run", "\(place.path)/alone"]).member("parameters_sha256")
        let process = try place.start(common + ["--run", "\(place.path)/stopped", "--workers", "2"])
        #expect(process.wait { process.errors.components(separatedBy: "joined").count > 2 })
        let stopped = try #require(process.children.first)
        kill(stopped, SIGSTOP)
        usleep(1_000_000)
        kill(stopped, SIGCONT)
        let outcome = process.wait()
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
        #expect(outcome.member("workers_seen") == "2" && outcome.member("workers_lost") == "0", "\(outcome.errors)")
    }
}
