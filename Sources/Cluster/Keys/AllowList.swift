internal import Coordination
internal import Foundation
internal import Messaging
internal import Synchronization

/// Who may take part now, read from the key directory again and again, and asked by the coordinator's loop and by libzmq's handshakes.
final class AllowList: Sendable {
    private struct State {
        var names: [PeerKey: String]
        var revoked: [PeerKey] = []
        /// Every key that left the list: it stays out for as long as this coordinator runs, whatever comes back.
        var withdrawn: Set<PeerKey> = []
        var notes: [String] = []
        /// What could not be read when it was last looked at: said once, not every time.
        var faults: [String] = []
        var refusals = 0
        /// Of the directory, before it was last read.
        var change: KeyDirectory.Change
        /// Why nobody is admitted any more.
        var failure: String?
    }

    private let directory: KeyDirectory
    private let state: Mutex<State>

    init(_ directory: KeyDirectory) throws {
        self.directory = directory
        let change = directory.lastChange()
        let (names, faults) = try Self.read(directory)
        state = Mutex(State(names: names, notes: faults, faults: faults, change: change))
    }

    private static func read(_ directory: KeyDirectory) throws -> (names: [PeerKey: String], faults: [String]) {
        let (names, faults) = try directory.allowedKeys()
        return (Dictionary(uniqueKeysWithValues: names.map { (PeerKey($0.key.text), $0.value) }), faults)
    }

    /// Looks at the directory; a list that cannot be read at all stays as it was.
    func refresh() {
        let change = directory.lastChange()
        state.withLock { $0.change = change }
        do {
            let (all, faults) = try Self.read(directory)
            state.withLock { state in
                let back = all.filter { state.withdrawn.contains($0.key) }.values.sorted()
                let names = all.filter { !state.withdrawn.contains($0.key) }
                let faults =
                    faults
                    + back.map {
                        "the key of worker \($0) was revoked before; it stays out until the coordinator is started again"
                    }
                state.notes += faults.filter { !state.faults.contains($0) }
                state.faults = faults
                let gone = state.names.filter { names[$0.key] == nil }
                state.revoked += gone.keys
                state.withdrawn.formUnion(gone.keys)
                state.notes += gone.values.sorted().map { "the key of worker \($0) was revoked" }
                state.notes += names.filter { state.names[$0.key] == nil }.values.sorted().map {
                    "the key of worker \($0) is admitted"
                }
                state.names = names
            }
        } catch {
            state.withLock { state in
                let sentence = "the allow-list stays as it was: \(error)"
                if state.faults != [sentence] { state.notes.append(sentence) }
                state.faults = [sentence]
            }
        }
    }

    /// Whether a key is on the list; one that was put there just now counts.
    ///
    /// The files are read again only when the directory has changed since: strangers cannot make this cost anything.
    func admits(_ key: PeerKey) -> Bool {
        let (isThere, last) = state.withLock { ($0.names[key] != nil, $0.change) }
        if isThere { return true }
        let change = directory.lastChange()
        guard change.instants != last.instants || !last.isSettled else { return false }
        refresh()
        return state.withLock { $0.names[key] != nil }
    }

    /// Says that no handshake will be answered any more.
    func fail(_ reason: String) { state.withLock { $0.failure = reason } }

    func noteRefusal() { state.withLock { $0.refusals += 1 } }

    /// Handshakes that ended because of the key.
    var refusals: Int { state.withLock { $0.refusals } }

    /// What has happened since it was last asked.
    ///
    /// - Throws: where nobody is admitted any more.
    func takeNews() throws(ClusterError) -> (revoked: [PeerKey], notes: [String]) {
        let (revoked, notes, failure) = state.withLock { state in
            defer { (state.revoked, state.notes) = ([], []) }
            return (state.revoked, state.notes, state.failure)
        }
        if let failure {
            throw ClusterError("keys are not looked at any more: \(failure); the last checkpoint is good")
        }
        return (revoked, notes)
    }
}

/// The thread that answers for the allow-list while handshakes wait; it ends with the context.
final class AdmissionThread: Sendable {
    private let opened = Mutex<Result<Void, MessagingError>?>(nil)

    /// Begins, and returns when every handshake will be asked about.
    init(_ list: AllowList, in context: Context) throws {
        let ready = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            do throws(MessagingError) {
                let desk = try AdmissionDesk(in: context)
                opened.withLock { $0 = .success(()) }
                ready.signal()
                try Self.stand(at: desk, with: list)
            } catch {
                let isOpen = opened.withLock { opened in
                    defer { opened = opened ?? .failure(error) }
                    return opened != nil
                }
                if isOpen, !error.isTermination { list.fail("\(error)") }
                if !isOpen { ready.signal() }
            }
        }
        ready.wait()
        try opened.withLock { $0 }?.get()
    }

    private static func stand(at desk: borrowing AdmissionDesk, with list: AllowList) throws(MessagingError) {
        let clock = ContinuousClock()
        var lastLook = clock.now
        while true {
            let decision = try desk.answer(within: .milliseconds(250)) { list.admits(PeerKey($0.text)) }
            if decision?.isAdmitted == false { list.noteRefusal() }
            if clock.now - lastLook > .milliseconds(500) {
                lastLook = clock.now
                list.refresh()
            }
        }
    }
}
