import Foundation
import Messaging
import Testing

@Suite(.tags(.processes), .timeLimit(.minutes(5)))
struct `Sockets of a coordinator that was killed` {
    @Test func `are gone after the next start, and those of one that lives are not`() throws {
        let place = try Workplace()
        let environment = ["TMPDIR": place.path]
        func coordinator(_ name: String) throws -> RunningProcess {
            let process = try place.start(
                [
                    "coordinator", "--set", "hello", "--steps", "4000000", "--fallback-after", "0", "--bind",
                    "ipc://\(place.path)/\(name)", "--run", "\(place.path)/run-\(name)",
                ], environment: environment)
            #expect(process.wait { process.errors.contains("step ") }, "\(process.errors)")
            return process
        }
        func sockets() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: place.path).filter {
                $0.hasPrefix("killed") || $0.hasPrefix("living")
            }.sorted()
        }
        let (killed, living) = (try coordinator("killed"), try coordinator("living"))
        let own = ["living", "living.control"]
        #expect(try sockets() == ["killed", "killed.control"] + own)
        killed.signal(SIGKILL)
        _ = killed.wait()
        #expect(try sockets() == ["killed", "killed.control"] + own)
        let next = ["train", "--set", "hello", "--steps", "2", "--run", "\(place.path)/next"]
        #expect(try place.run(next, environment: environment).code == 0)
        #expect(try sockets() == own)
        #expect(try Endpoint("ipc://\(place.path)/living").hasListener)
        living.signal(SIGTERM)
        #expect(living.wait().code == 143)
        let left = try FileManager.default.contentsOfDirectory(atPath: place.path).filter { $0.hasPrefix("lockstep-") }
        #expect(try sockets() == [] && left == [])
    }
}
