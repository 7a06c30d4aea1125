package import Coordination
internal import Foundation
package import Messaging
internal import Tracing
package import Training

/// Training runs whose gradients are computed by other processes.
package enum ClusterTraining {
    /// What came of the workers.
    package struct Roster: Sendable {
        package let seen: Int
        package let lost: Int
        /// Answers that were computed twice on purpose, and workers whose answer was wrong.
        package let audited: Int
        package let outvoted: Int
        /// Messages and handshakes that should not have come, by kind.
        package let rejected: [String: Int]

        package init(seen: Int = 0, lost: Int = 0, audited: Int = 0, outvoted: Int = 0, rejected: [String: Int] = [:]) {
            self.seen = seen
            self.lost = lost
            self.audited = audited
            self.outvoted = outvoted
            self.rejected = rejected
        }

        init(_ loop: CoordinatorLoop) {
            self.init(
                seen: loop.workersSeen, lost: loop.workersLost, audited: loop.answersAudited,
                outvoted: loop.workersOutvoted, rejected: loop.rejected)
        }
    }

    /// Trains with `workers` processes on this machine, over sockets that only this user can reach.
    package static func train(
        _ trainer: any StepTrainer, run: RunID, incarnation: UInt64, workers: Int,
        program: LocalWorkers.Program = .lockstep,
        threads: Int, auditShare: Double = 0, shouldStop: @escaping @Sendable () -> Bool,
        supervisor: SupervisorConnection? = nil,
        note: @escaping (String) -> Void, stepDone: @escaping (StepReport, WorkerCounts) throws -> (() throws -> Void)?
    ) async throws -> Roster {
        try OpenFiles.requireRoom(for: roomOfCoordinator + roomOfWorker * workers)
        Leftovers.sweep()
        let directory = try PrivateDirectory()
        let children = ChildEvents()
        let memory = try sharedMemory(for: trainer, note: note)
        let endpoint = try directory.endpoint("data")
        let settings = CoordinatorSettings(
            run: run, incarnation: incarnation, data: endpoint, control: try directory.endpoint("control"),
            fallbackAfter: .seconds(10), threads: threads, auditShare: auditShare, loss: supervisor?.loss)
        let loop = CoordinatorLoop(trainer, settings: settings, children: children, memory: memory, note: note)
        let context = try Context()
        let launcher = Task {
            await LocalWorkers(
                count: workers, program: program, endpoint: endpoint, children: children, memory: memory,
                supervisor: supervisor
            ).run()
        }
        do {
            try await onThread {
                try loop.run(in: context, ready: { _ in }, shouldStop: shouldStop, stepDone: stepDone)
            }
        } catch {
            children.finish()
            launcher.cancel()
            await launcher.value
            throw error
        }
        // Workers that were told to stop end by themselves; one that does not, in a long range or stopped itself, is killed.
        let limit = Task {
            try await Task.sleep(for: .milliseconds(500))
            launcher.cancel()
        }
        await launcher.value
        limit.cancel()
        context.terminateSoon()
        return Roster(loop)
    }

    /// Refuses surroundings in which no worker can be started on this machine, before anything of a run is made.
    package static func requireRoomForWorkers() throws(ClusterError) {
        _ = try sharesMemory()
        try requireRoomForSockets()
    }

    /// Refuses a place for local sockets, and for what says where they are, in which none can be made.
    package static func requireRoomForSockets() throws(ClusterError) {
        do { _ = try PrivateDirectory() } catch {
            throw ClusterError(
                exitCode: 2, "\(error); expected TMPDIR to be a directory in which this user can make another")
        }
    }

    /// Whether workers on this machine are to share memory with the coordinator, as the environment says.
    private static func sharesMemory() throws(ClusterError) -> Bool {
        switch ProcessInfo.processInfo.environment[SharedMemory.variable] {
        case "off": return false
        case nil, "on": return true
        case let value?:
            throw ClusterError(exitCode: 2, "\(SharedMemory.variable)=\(value): expected on or off")
        }
    }

    /// The memory to share with workers on this machine; nil where it is turned off, or where there is none, which is said.
    private static func sharedMemory(
        for trainer: any StepTrainer, note: (String) -> Void
    ) throws -> SharedMemory? {
        guard try sharesMemory() else { return nil }
        do {
            return try SharedMemory(
                parameterCount: trainer.parameterCount, packedCount: trainer.packedCount,
                answerLimit: trainer.answerLimit)
        } catch {
            note("workers share no memory with the coordinator (\(error)); everything travels through sockets")
            return nil
        }
    }

    /// Trains with whatever workers connect to `endpoint`; computes by itself where there are none.
    ///
    /// - Parameter keys: who may take part; nil on loopback or a local socket, which lies in a directory of this user's alone, for
    ///   everybody who can reach it.
    package static func coordinate(
        _ trainer: any StepTrainer, run: RunID, incarnation: UInt64, at endpoint: Endpoint,
        keys: CoordinatorKeys? = nil,
        fallbackAfter: Duration,
        threads: Int, auditShare: Double = 0,
        ready: @escaping (Endpoint) -> Void, before: (() throws -> Void)? = nil,
        shouldStop: @escaping @Sendable () -> Bool,
        note: @escaping (String) -> Void,
        stepDone: @escaping (StepReport, WorkerCounts) throws -> (() throws -> Void)?
    ) async throws -> Roster {
        try OpenFiles.requireRoom(for: roomOfCoordinator)
        let settings = CoordinatorSettings(
            run: run, incarnation: incarnation, data: endpoint, control: try controlEndpoint(beside: endpoint),
            fallbackAfter: fallbackAfter, threads: threads, keys: keys, auditShare: auditShare)
        let loop = CoordinatorLoop(trainer, settings: settings, note: note)
        let register = try SocketRegister([settings.data, settings.control])
        defer { withExtendedLifetime(register) {} }
        // Encryption happens on libzmq's own threads.
        let context = try Context(ioThreads: keys == nil ? 1 : 2)
        defer {
            context.terminateSoon()
            // libzmq removes them when its own thread comes to it, which may be after the end of this process.
            for case .ipc(let path) in [settings.data.transport, settings.control.transport] {
                _ = unsafe unlink(path)
            }
        }
        try await onThread {
            try loop.run(in: context, ready: ready, before: before, shouldStop: shouldStop, stepDone: stepDone)
        }
        return Roster(loop)
    }

    /// Pings have a socket of their own: another file beside a local one, any free port on the same address otherwise.
    private static func controlEndpoint(beside endpoint: Endpoint) throws -> Endpoint {
        switch endpoint.transport {
        case .ipc(let path): try Endpoint("ipc://\(path).control")
        case .tcp(let host, _): try Endpoint("tcp://\(host.contains(":") ? "[\(host)]" : host):*")
        case .inproc(let name): try Endpoint("inproc://\(name).control")
        }
    }

    /// Files and connections of a coordinator, which takes about 26 of them beside what is open when it begins and 4 for each worker on
    /// this machine, and some more now and then: for a checkpoint, for a worker that is started again.
    private static let (roomOfCoordinator, roomOfWorker) = (32, 4)

    /// Refuses to train across processes where too few files and connections can be open at a time, before anything is made.
    ///
    /// Asks for more than training itself does, which may be another process's that has others open.
    ///
    /// - Parameter workers: on this machine; 0 where they come from elsewhere, as many as there is room for.
    package static func requireOpenFiles(workers: Int = 0) throws(ClusterError) {
        try OpenFiles.requireRoom(for: roomOfCoordinator + 8 + roomOfWorker * workers)
    }

    /// Refuses an endpoint that others could reach: without keys anybody could take part.
    ///
    /// - Parameter keyCommand: what makes the keys that this side needs, for the sentence; nil where there are keys.
    package static func requireProtected(_ endpoint: Endpoint, keyCommand: String?) throws {
        switch endpoint.transport {
        case .inproc:
            throw ClusterError(
                exitCode: 2,
                "endpoint \(endpoint): reaches no other process; expected ipc://PATH or tcp://127.0.0.1:PORT")
        case .ipc(let path):
            if let obstacle = endpoint.obstacle {
                throw ClusterError(
                    exitCode: 2,
                    "endpoint \(endpoint): \(obstacle) is there, which is no socket; expected a socket's path")
            }
            try PrivateFile.checkDirectory(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        case .tcp:
            guard let keyCommand, !endpoint.isLoopback else { return }
            throw ClusterError(
                exitCode: 2,
                "endpoint \(endpoint): without keys only this machine may connect; expected --keys DIR (\(keyCommand)), ipc://PATH or tcp://127.0.0.1:PORT"
            )
        }
    }

    /// As `requireProtected`, and nobody may listen there.
    package static func requireFree(_ endpoint: Endpoint, keys: CoordinatorKeys?) throws {
        try requireProtected(endpoint, keyCommand: keys == nil ? "made by: lockstep keys new DIR" : nil)
        var sockets = [endpoint]
        if case .ipc = endpoint.transport {
            do { sockets.append(try controlEndpoint(beside: endpoint)) } catch {
                throw ClusterError(exitCode: 2, "\(error) (the socket for pings, which lies beside it)")
            }
        }
        for socket in sockets {
            guard let obstacle = socket.obstacle else { continue }
            throw ClusterError(
                exitCode: 2,
                "endpoint \(socket): \(obstacle) is there, which is no socket; expected a path that is free")
        }
        guard let objection = endpoint.bindingObjection else { return }
        let expected = if case .tcp = endpoint.transport { "an address and a port" } else { "a path" }
        throw ClusterError(exitCode: 2, "endpoint \(endpoint): \(objection); expected \(expected) that can be bound")
    }

    /// Refuses to work where somebody else could answer in the coordinator's place.
    package static func requireReachable(_ endpoint: Endpoint, keys: WorkerKeys? = nil) throws {
        if case .tcp(_, nil) = endpoint.transport {
            throw ClusterError(
                exitCode: 2,
                "endpoint \(endpoint): any free port can only be bound; expected the port that the coordinator prints")
        }
        try requireProtected(
            endpoint,
            keyCommand: keys == nil ? "made on the coordinator's machine by: lockstep keys add DIR NAME" : nil)
    }

    /// A worker's name as its launcher gives it.
    package static func workerName(_ hexadecimal: String) throws(ClusterError) -> [UInt8] {
        let digits = Array(hexadecimal.utf8)
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
        }
        guard bytes.count * 2 == digits.count, (1...255).contains(bytes.count), bytes[0] != 0 else {
            throw ClusterError(
                exitCode: 2, "worker name '\(hexadecimal)': expected hexadecimal digits, as the launcher gives them")
        }
        return bytes
    }

    /// Works for the coordinator at `endpoint`.
    ///
    /// - Parameters:
    ///   - local: the name that the launcher chose, for a child of a coordinator on this machine.
    ///   - keys: who this is and whom it trusts.
    ///   - memory: what the launcher says of the memory that it shares.
    ///   - makeModel: from what the coordinator says of the model.
    package static func work(
        for endpoint: Endpoint, local: [UInt8]?, keys: WorkerKeys? = nil, memory: String? = nil,
        makeModel: @escaping WorkerModelMaker = ShardComputer.make,
        note: @escaping @Sendable (String) -> Void
    ) throws -> (code: Int32, sentence: String) {
        try OpenFiles.requireRoom(for: 32)
        if local != nil { ParentWatch.start() } else { EndWatch.start() }
        let identity = local ?? WorkerLoop.freshName()
        let loop = WorkerLoop(
            connectingTo: endpoint, identity: identity, keys: keys,
            parent: local == nil ? nil : getppid(),
            memory: try memory.map { try WorkerMemory($0, worker: WorkerID(identity)) }, makeModel: makeModel,
            note: note)
        if let parts = ProcessInfo.processInfo.environment[TraceLog.variable] {
            do { try TraceLog.begin(as: "worker", in: parts) } catch {
                throw ClusterError(exitCode: 2, "\(TraceLog.variable): \(error)")
            }
        }
        defer { TraceLog.end() }
        let context = try Context()
        let end = try loop.run(in: context)
        context.terminateSoon()
        return end
    }

    /// Sockets live and die on one thread, and waiting on them must not take one of Swift's own.
    private static func onThread(_ body: @escaping () throws -> Void) async throws {
        let work = Unchecked(body: body)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let thread = Thread { continuation.resume(with: Result { try work.body() }) }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    /// The caller waits for the thread and touches nothing of it meanwhile.
    private struct Unchecked: @unchecked Sendable {
        let body: () throws -> Void
    }
}
