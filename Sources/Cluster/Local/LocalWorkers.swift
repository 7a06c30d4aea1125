internal import Coordination
internal import Foundation
internal import Messaging
internal import Subprocess
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

    let count: Int
    let program: Program
    let endpoint: Endpoint
    let children: ChildEvents

    /// Starts the workers and waits until all of them have ended; a cancelled task ends them.
    func run() async {
        do {
            let pipe = try ParentPipe()
            await withTaskGroup { group in
                for _ in 0..<count { group.addTask { await runOne(pipe) } }
            }
        } catch { children.report(failure: "\(error)") }
    }

    private func runOne(_ pipe: ParentPipe) async {
        // A fresh name for each start: libzmq leaves a second owner of a name mute.
        let identity = [UInt8(ascii: "L")] + (0..<15).map { _ in UInt8.random(in: 0...255) }
        let hex = identity.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        defer { children.reportExit(of: WorkerID(identity)) }
        let (arguments, environment): (Arguments, Environment) =
            switch program {
            case .lockstep: (["worker", "--connect", endpoint.description, "--local", hex], .inherit)
            case .itself(let training):
                (
                    Arguments(Array(CommandLine.arguments.dropFirst())),
                    .inherit.updating([
                        Environment.Key(stringLiteral: Self.endpointVariable): endpoint.description,
                        Environment.Key(stringLiteral: Self.nameVariable): hex,
                        Environment.Key(stringLiteral: Self.trainingVariable): "\(training)",
                    ])
                )
            }
        do {
            _ = try await Subprocess.run(
                .path(FilePath(OwnProgram.path)), arguments: arguments, environment: environment,
                input: .fileDescriptor(FileDescriptor(rawValue: pipe.reading), closeAfterSpawningProcess: false),
                output: .discarded, error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false))
        } catch {
            if !Task.isCancelled { children.report(failure: "a worker could not be started: \(error)") }
        }
    }
}
