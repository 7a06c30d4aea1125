internal import Coordination
internal import Messaging
internal import TensorCore
internal import Tracing

extension ConnectionLimits {
    /// Of a coordinator's sockets. Each connection takes an open file, and the run's own must still be opened.
    ///
    /// - Parameter data: what the one for work is made with: little waits at the other.
    static func coordinator(_ data: SocketOptions) -> ConnectionLimits {
        ConnectionLimits(
            waitingBytes: data.waitingBytes, strangersBytes: 48 << 20,
            connections: min(1024, max(16, OpenFiles.limit - 256)))
    }

    /// Of a worker's sockets, which have one connection each: as much as may wait at the one for work.
    static var worker: ConnectionLimits {
        ConnectionLimits(
            waitingBytes: SocketOptions.data(frameBytes: frameBytes).waitingBytes, strangersBytes: .max,
            connections: .max)
    }
}

/// The coordinator's two sockets: one for work, one for pings, so that no ping waits behind a gradient.
struct CoordinatorSockets: ~Copyable {
    let data: Socket
    let control: Socket
    /// Where the two really listen: ports are known.
    let dataEndpoint: Endpoint
    let controlEndpoint: Endpoint
    /// Who may take part; nil on sockets that only this user can reach.
    let allowList: AllowList?
    /// What peers may make this process hold; nil on sockets that only this user can reach.
    let connections: ConnectionGuard?
    private let poller: Poller
    private let dataSlot: Poller.Slot
    private let controlSlot: Poller.Slot

    init(_ settings: CoordinatorSettings, in context: Context) throws {
        // Both first: a value of this kind is made in one go or not at all.
        var dataOptions = SocketOptions.data(frameBytes: frameBytes)
        var controlOptions = SocketOptions.control()
        let allowList = try settings.keys.map { try AllowList($0.directory) }
        if let allowList, let keys = settings.keys {
            // Before anybody can connect.
            _ = try AdmissionThread(allowList, in: context)
            dataOptions.security = .server(keys.pair)
            controlOptions.security = .server(keys.pair)
        }
        // Over a network each worker's take memory of their own.
        if settings.data.isTCP { dataOptions.receiveHighWater = 2 }
        let data = try Socket(.router, in: context, options: dataOptions)
        let control = try Socket(.router, in: context, options: controlOptions)
        var connections: ConnectionGuard?
        if settings.data.isTCP {
            let watch = ConnectionGuard(.coordinator(dataOptions))
            try watch.watch(data, isEncrypted: settings.keys != nil)
            try watch.watch(control, isEncrypted: settings.keys != nil)
            try watch.start(in: context)
            connections = watch
        }
        let controlEndpoint = try control.bind(settings.control)
        let dataEndpoint = try data.bind(settings.data)
        (self.controlEndpoint, self.dataEndpoint) = (controlEndpoint, dataEndpoint)
        var poller = Poller()
        dataSlot = poller.add(data)
        controlSlot = poller.add(control)
        self.allowList = allowList
        self.connections = connections
        self.data = data
        self.control = control
        self.poller = poller
    }

    /// Waits for something to arrive, and hands it over; at most so much that everything else gets its turn.
    ///
    /// - Parameters:
    ///   - memory: what is shared with local workers.
    ///   - team: verifies what has arrived.
    borrowing func receive(
        within patience: Duration, memory: SharedMemory?, team: ThreadTeam, _ take: (Arrival) -> Void
    ) throws {
        guard let ready = try Trace.span(.wait, { try poller.wait(within: patience) }) else { return }
        try Trace.span(.receive) {
            if ready[dataSlot].contains(.readable) { try drain(data, memory, team, take) }
            if ready[controlSlot].contains(.readable) { try drain(control, memory, team, take) }
        }
    }

    private func drain(
        _ socket: borrowing Socket, _ memory: SharedMemory?, _ team: ThreadTeam, _ take: (Arrival) -> Void
    ) throws {
        for arrival in try Arrival.next(from: socket, memory: memory, team: team) { take(arrival) }
    }

    /// Closes both; what is on its way to workers has two seconds to get there.
    consuming func close() throws {
        try data.close(linger: .seconds(2))
    }
}
