internal import Foundation
internal import Training

/// Keeps a run going whose coordinator may die: starts it as a process of its own, and again when it is killed.
///
/// An end that the coordinator chose, whatever its code, is the end. Signals are handed on; with the supervisor's own death the
/// coordinator saves and stops.
package struct Supervisor {
    private let arguments: [String]
    private let beginning: (String) -> [String]
    private let resumption: (String) -> [String]
    private let note: (String) -> Void

    private var policy = RestartPolicy()
    private var starts = 0
    /// The run's directory, once the coordinator has said it.
    private var run: String?
    private var finished: Int32?
    private var chaos: ChaosDriver?
    /// The last step that the coordinator has told of, until it has heard that nothing is left to be done at it.
    private var unanswered: UInt64?
    private let clock = ContinuousClock()
    /// What a coordinator ends with whose run another process holds.
    private static let heldCode: Int32 = 4

    /// - Parameters:
    ///   - arguments: of the coordinator's first start.
    ///   - beginning: arguments to begin the run once more, in a directory that the first start has chosen.
    ///   - resumption: arguments to go on with the run in a directory.
    ///   - chaos: faults to make on the way, and the seed of what is drawn for them.
    ///   - note: takes sentences for people.
    package init(
        arguments: [String], beginning: @escaping (String) -> [String], resumption: @escaping (String) -> [String],
        chaos: ChaosPlan? = nil, seed: UInt64 = 0,
        note: @escaping (String) -> Void
    ) {
        self.chaos = chaos.map { ChaosDriver($0, seed: seed) }
        self.arguments = arguments
        self.beginning = beginning
        self.resumption = resumption
        self.note = note
    }

    /// Returns when the run has ended.
    ///
    /// - Returns: the exit code.
    package mutating func supervise() throws -> Int32 {
        StopSignal.listen(endsWhenRepeated: false)
        // Where whoever started this one ignores it, the system would keep no child's end.
        signal(SIGCHLD, SIG_DFL)
        // What a coordinator leaves that was killed, nobody else may come by to remove.
        defer { Leftovers.sweep() }
        let code = try keepGoing()
        for line in chaos?.table(at: ContinuousClock.now) ?? [] { note(line) }
        return code
    }

    private mutating func keepGoing() throws -> Int32 {
        while true {
            var child = try SupervisedProcess.start(nextArguments)
            starts += 1
            let ending = watch(&child)
            close(child.link.descriptor)
            unanswered = nil
            let isPlanned = chaos?.coordinatorDied() ?? false
            let how: String
            var code: Int32 = 1
            switch ending {
            case .exited(Self.heldCode) where starts > 1:
                // A worker that was being started when its coordinator died holds its files for another moment; or somebody else has
                // taken the run meanwhile, as the coordinator has said.
                (how, code) = ("the run was still held", Self.heldCode)
            case .exited(let code): return code
            case .killed(let signal):
                how = "the coordinator (process \(child.identifier)) was killed by signal \(signal)"
            }
            if let finished { return finished }
            if let code = StopSignal.exitCode {
                if !StopSignal.isUrgent { note("\(how) before it had saved\(recovery)") }
                return code
            }
            if isPlanned, case .killed(SIGKILL) = ending {
                guard policy.diedAsPlanned() else {
                    note(
                        "\(how) as --chaos says, \(RestartPolicy.plannedLimit) times in a row without a new step; given up: it leaves no time for one\(recovery)"
                    )
                    return code
                }
                note("\(how) as --chaos says; it is started again")
                continue
            }
            guard let delay = policy.died() else {
                note("\(how), \(RestartPolicy.limit) times in a row without a new step; given up\(recovery)")
                return code
            }
            note("\(how); it is started again")
            if let code = pause(delay) { return code }
        }
    }

    private var recovery: String { run.map { "; to go on: lockstep resume \($0.shellWord)" } ?? "" }

    /// A run that was not begun yet is begun once more.
    private var nextArguments: [String] {
        guard starts > 0, let run else { return arguments }
        return FileManager.default.fileExists(atPath: "\(run)/run.json") ? resumption(run) : beginning(run)
    }

    /// Stands by a coordinator until it has ended.
    private mutating func watch(_ child: inout SupervisedProcess) -> SupervisedProcess.Ending {
        var buffer: [UInt8] = []
        var isLinked = true
        var stopping: Stopping?
        while true {
            if let ending = child.ending() {
                while isLinked, let messages = child.link.receive(waits: false, into: &buffer), !messages.isEmpty {
                    take(messages)
                }
                return ending
            }
            if let number = StopSignal.received, stopping == nil {
                stopping = Stopping(since: clock.now)
                child.link.send(.stop(number))
            }
            // Everything of a run may be killed at any moment; its directory is whole all the same. Before anything is said: whoever is
            // to hear it may not listen.
            if StopSignal.isUrgent {
                kill(child.identifier, SIGKILL)
            } else if let deed = stopping?.deed(at: clock.now, isStopped: child.isStopped) {
                press(child, deed)
            }
            if stopping == nil { chaos?.look(at: ContinuousClock.now, coordinator: child.identifier) }
            if let step = unanswered, chaos?.isThrough(step) == true {
                child.link.send(.through(step))
                unanswered = nil
            }
            if isLinked {
                // A signal ends the waiting early.
                var waiting = pollfd(fd: child.link.descriptor, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&waiting, 1, chaos == nil ? 100 : 10) > 0 else { continue }
                if let messages = child.link.receive(waits: false, into: &buffer) {
                    take(messages)
                } else {
                    isLinked = false
                }
            } else {
                // It closes the link by ending, a moment before it has ended.
                usleep(2_000)
            }
        }
    }

    /// Makes a coordinator that was asked to stop come to it.
    private func press(_ child: SupervisedProcess, _ deed: Stopping.Deed) {
        let who = "the coordinator (process \(child.identifier))"
        switch deed {
        case .wake:
            kill(child.identifier, SIGCONT)
            note("\(who) was asked to stop and stands still; it is continued, to save and end")
        case .kill:
            kill(child.identifier, SIGKILL)
            note("\(who) stands still again; it is killed")
        case .explain:
            note("\(who) has not ended yet: it may be saving; another signal ends it at once")
        }
    }

    private mutating func take(_ messages: [SupervisionMessage]) {
        for message in messages {
            switch message {
            case .run(let path): run = path
            case .step(let step):
                policy.stepDone(step)
                chaos?.stepDone(step, at: ContinuousClock.now)
                if chaos != nil { unanswered = step }
            case .worker(let number, let process): chaos?.note(worker: number, process: process)
            case .dropped(let count): chaos?.note(dropped: count)
            case .finished(let code): finished = code
            case .stop, .through: break
            }
        }
    }

    /// - Returns: the exit code when it was asked to stop meanwhile.
    private func pause(_ delay: Duration) -> Int32? {
        let end = clock.now + delay
        while true {
            if let code = StopSignal.exitCode {
                note("stopped\(recovery)")
                return code
            }
            if clock.now >= end { return nil }
            usleep(10_000)
        }
    }
}
