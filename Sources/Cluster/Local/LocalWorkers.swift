internal import Coordination
internal import Foundation
internal import Messaging
internal import Subprocess
internal import Tracing
#if canImport(System)
    internal import System
#else
    internal import SystemPackage
#endif

/// Worker processes on this machine, children of the coordinator's.
package struct LocalWorkers {
    /// Which program the workers run.
    package enum Program: Sendable {
        /// The `lockstep` command that is running, as `lockstep worker`.
        case lockstep
        /// The program that is running, with its own arguments; it finds in its environment that it is a worker, and for which of
        /// its trainings.
        case itself(training: Int)
    }

    /// Where a worker that is the coordinator's own program finds the endpoint to connect to, and its name in hexadecimal.
    package static let endpointVariable = "LOCKSTEP_WORKER_CONNECT"
    package static let nameVariable = "LOCKSTEP_WORKER_NAME"
    package static let trainingVariable = "LOCKSTEP_WORKER_TRAINING"
    /// Where such a worker finds the memory that the coordinator shares with it.
    package static let memoryVariable = "LOCKSTEP_WORKER_MEMORY"

    private static let tracePartsKey = Environment.Key(stringLiteral: TraceLog.variable)

    let count: Int
    let program: Program
    let endpoint: Endpoint
    let children: ChildEvents
    let memory: SharedMemory?
    /// Hears which process is which worker.
    let supervisor: SupervisorConnection?

    /// Keeps the workers running until the run is over, and waits until all of them have ended; a cancelled task ends them.
    func run() async {
        do {
            let pipe = try ParentPipe()
            await withTaskGroup { group in
                for number in 0..<count { group.addTask { await keepOne(number, pipe) } }
            }
        } catch { children.report("\(error)") }
        children.forsake()
    }

    /// Starts a worker, and another one in its place whenever it dies.
    private func keepOne(_ number: Int, _ pipe: ParentPipe) async {
        let clock = ContinuousClock()
        var pace = RestartPace()
        while !Task.isCancelled {
            // A fresh name for each start: libzmq leaves a second owner of a name mute.
            let name = [UInt8(ascii: "L")] + (0..<15).map { _ in UInt8.random(in: 0...255) }
            guard children.begin(WorkerID(name)) else { return }
            let started = clock.now
            let end = await runOne(name, pipe) { supervisor?.worker(number, process: $0) }
            supervisor?.worker(number, process: nil)
            let hasAnswered = children.end(WorkerID(name))
            if children.isOver || Task.isCancelled { return }
            if case .refused = end {
                return children.report("a local worker was refused and is not started again")
            }
            guard let delay = pace.died(after: clock.now - started, hasAnswered: hasAnswered) else {
                return children.report(
                    "a local worker ended \(RestartPace.quickDeathLimit) times within \(RestartPace.soon.components.seconds) s of its start (\(end)) and is not started again; training goes on without it"
                )
            }
            await rest(delay)
        }
    }

    /// Waits before the next start, but not beyond the end of the run.
    private func rest(_ delay: Duration) async {
        let deadline = ContinuousClock.now + delay
        while ContinuousClock.now < deadline, !children.isOver, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// How a worker's process ended.
    private enum End: CustomStringConvertible {
        case exited(Int32)
        case killed(Int32)
        /// The coordinator does not take it; another start would end in the same way.
        case refused
        case notStarted(String)

        var description: String {
            switch self {
            case .exited(let code): "exit code \(code)"
            case .killed(let signal): "signal \(signal)"
            case .refused: "refused"
            case .notStarted(let reason): reason
            }
        }
    }

    private func runOne(
        _ name: [UInt8], _ pipe: ParentPipe, started: @Sendable (Int32) -> Void
    ) async -> End {
        let hex = name.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        var shared: String?
        do { shared = try memory?.admit(WorkerID(name)) } catch {
            children.report("a worker shares no memory with the coordinator: \(error)")
        }
        // Where this process is not traced, whatever it finds in its own environment is of another's trace, or of nobody's.
        let inherited: Environment =
            Trace.isOn ? .inherit : .inherit.updating([Self.tracePartsKey: nil as String?])
        let (arguments, environment): (Arguments, Environment) =
            switch program {
            case .lockstep:
                (
                    Arguments(
                        ["worker", "--connect", endpoint.description, "--local", hex]
                            + (shared.map { ["--memory", $0] } ?? [])), inherited
                )
            case .itself(let training):
                (
                    Arguments(Array(CommandLine.arguments.dropFirst())),
                    inherited.updating([
                        Environment.Key(stringLiteral: Self.endpointVariable): endpoint.description,
                        Environment.Key(stringLiteral: Self.nameVariable): hex,
                        Environment.Key(stringLiteral: Self.trainingVariable): "\(training)",
                        Environment.Key(stringLiteral: Self.memoryVariable): shared ?? "",
                    ])
                )
            }
        do {
            let result = try await Subprocess.run(
                .path(FilePath(OwnProgram.path)), arguments: arguments, environment: environment,
                input: .fileDescriptor(FileDescriptor(rawValue: pipe.reading), closeAfterSpawningProcess: false),
                output: .discarded, error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false)
            ) { execution in started(execution.processIdentifier.value) }
            return switch result.terminationStatus {
            case .exited(3): .refused
            case .exited(let code): .exited(code)
            case .signaled(let signal): .killed(signal)
            }
        } catch {
            return .notStarted("\(error)")
        }
    }
}
