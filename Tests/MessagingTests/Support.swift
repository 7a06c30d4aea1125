import Foundation
import Messaging
import Testing

/// The one context of the test process; tests that end a context make their own.
let sharedContext = Result { try Context() }

extension Context {
    static var shared: Context { get throws { try sharedContext.get() } }
}

/// Long enough for any answer on a busy machine; no test waits this long unless it fails.
let patience = Duration.seconds(20)

struct Nothing: Error {}

extension AdmissionDesk {
    /// The one desk of the context, once the test that had it before has let go of it.
    static func opened() throws -> AdmissionDesk {
        let end = ContinuousClock.now + patience
        while true {
            do { return try AdmissionDesk(in: .shared) } catch  where ContinuousClock.now > end { throw error } catch {
                usleep(1000)
            }
        }
    }
}

extension Socket {
    borrowing func message(maximumFrames: Int = 16) throws -> Message {
        switch try receive(within: patience, maximumFrames: maximumFrames) {
        case .message(let message): return message
        case .overlong(_, _, _, let count):
            Issue.record("a message of \(count) frames")
            throw Nothing()
        case nil:
            Issue.record("nothing arrived")
            throw Nothing()
        }
    }
}

extension Message {
    var bytes: [[UInt8]] { frames.map(\.bytes) }
}

/// A number as eight bytes, to be told apart in a frame.
func bytes(of number: Int) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

/// Asks again and again until it is so.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + patience
    while ContinuousClock.now < end {
        if try condition() { return true }
        usleep(1000)
    }
    return false
}

enum Wire: String, CaseIterable, Sendable {
    case inproc, ipc, tcp
}

/// A place to bind on a transport, and the directory it needs.
struct Place: ~Copyable {
    private let directory: PrivateDirectory
    let endpoint: Endpoint

    init(_ wire: Wire) throws {
        let directory = try PrivateDirectory()
        endpoint =
            switch wire {
            case .inproc: try Endpoint("inproc://\(UUID().uuidString)")
            case .ipc: try directory.endpoint("socket")
            case .tcp: try Endpoint("tcp://127.0.0.1:*")
            }
        self.directory = directory
    }
}

/// Runs `body` on a thread of its own; `join` waits for it.
final class Runner<Value: Sendable>: @unchecked Sendable {
    private var value: Result<Value, any Error>?
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread {
            self.value = Result { try body() }
            self.done.signal()
        }
    }

    func join() throws -> Value {
        guard done.wait(timeout: .now() + 60) == .success, let value else { throw Nothing() }
        return try value.get()
    }
}
