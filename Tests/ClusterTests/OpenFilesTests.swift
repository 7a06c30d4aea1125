import Foundation
import Testing

@Suite(.tags(.processes), .timeLimit(.minutes(5)))
struct `A process that may have few files open` {
    /// In each of these libzmq would wait for ever, end the process, or refuse, whichever of its descriptors is the first for which there
    /// is no room.
    @Test(arguments: [
        "coordinator --bind tcp://127.0.0.1:* --set hello --steps 2 --fallback-after 0 --run RUN",
        "train --workers 2 --set hello --steps 2 --run RUN", "worker --connect tcp://127.0.0.1:9",
    ])
    func `says so and makes nothing`(command: String) throws {
        let place = try Workplace()
        let lockstep = Workplace.executable("lockstep")
        for limit in [8, 9, 10, 11, 12, 14, 16, 18, 20, 21, 22, 23, 25, 26, 28, 29, 31, 33] {
            let outcome = try place.shell(
                "ulimit -n \(limit); exec timeout -k 1 20 \(lockstep) \(command.replacing("RUN", with: "run\(limit)"))")
            #expect(outcome.code == 1, "\(limit): \(outcome)")
            #expect(
                outcome.errors.hasPrefix("lockstep: files and connections: ")
                    && outcome.errors.contains(" more can be opened (Too many open files); expected ")
                    && outcome.errors.hasSuffix("; it is \(limit)\n")
                    && outcome.errors.filter { $0 == "\n" }.count == 1, "\(limit): \(outcome)")
            #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run\(limit)"))
        }
    }

    @Test func `trains with the limit that was asked for`() throws {
        let place = try Workplace()
        let lockstep = Workplace.executable("lockstep")
        let command = "exec \(lockstep) train --workers 2 --set hello --steps 20 --checkpoint-every 5 --run run"
        let refused = try place.shell("ulimit -n 60; \(command)")
        let limit = try #require(refused.errors.split(separator: "(ulimit -n) of ").last?.split(separator: ";").first)
        let outcome = try place.shell("ulimit -n \(limit); \(command)")
        #expect(outcome.code == 0, "\(refused) \(outcome)")
    }
}
