internal import Messaging

/// What a coordinator needs to let only the invited in.
package struct CoordinatorKeys: Sendable {
    let directory: KeyDirectory
    let pair: CurvePair

    /// - Parameter path: a directory that `lockstep keys new` made.
    package init(_ path: String) throws {
        directory = try KeyDirectory(path)
        pair = try directory.coordinatorPair()
        // A list that cannot be read is found out now.
        if let fault = try directory.allowedKeys().faults.first { throw ClusterError(exitCode: 2, fault) }
    }
}

/// What a worker needs to take part: its own pair, and the key of the coordinator that it trusts.
package struct WorkerKeys: Sendable {
    let pair: CurvePair
    let server: CurvePublicKey

    /// - Parameter path: a worker's directory; or, on the coordinator's machine, the whole of it, whose worker `worker` is meant.
    package init(_ path: String) throws {
        let secret = "worker.key_secret"
        var own = try KeyPlace(path)
        if try !own.names().contains(secret), let within = try own.directory("workers")?.directory("worker") {
            own = within
        }
        guard try own.names().contains(secret) else {
            throw ClusterError(
                exitCode: 2,
                "keys \(path): no worker's keys in it; expected a directory workers/NAME that `lockstep keys new` or `keys add` made"
            )
        }
        pair = try KeyFile.readPair(secret, in: own)
        server = try KeyFile.readPublic("coordinator.key", in: own)
    }

    var security: SocketSecurity { .client(pair, server: server) }
}
