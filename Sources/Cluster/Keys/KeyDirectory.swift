internal import Foundation
package import Messaging
internal import Training

/// The keys of a coordinator and of whom it lets in, as files.
///
/// ```
/// DIR/                           0700, on the coordinator's machine
///   coordinator.key              public
///   coordinator.key_secret       0600
///   allowed/NAME.key             public keys of the workers that may take part: the allow-list
///   revoked/NAME.key             those that may not any more
///   workers/NAME/                0700, to be copied to the worker's machine
///     coordinator.key            the only server this worker will talk to
///     worker.key_secret          0600
/// ```
package struct KeyDirectory: Sendable {
    /// The directory itself: all that is done to it is done through its descriptor.
    private let place: KeyPlace

    /// One worker's key.
    package struct Entry: Hashable, Sendable {
        package let name: String
        package let key: CurvePublicKey
        package let isAllowed: Bool
    }

    /// A directory that `create` made.
    package init(_ path: String) throws(ClusterError) {
        place = try KeyPlace(path)
        guard try place.names().contains(Self.secretName) else {
            throw ClusterError(
                exitCode: 2,
                "keys \(path): no coordinator's keys in it; expected a directory that `lockstep keys new` made")
        }
        _ = try place.requiredDirectory(Self.allowed)
    }

    private init(in place: KeyPlace) { self.place = place }

    package var path: String { place.path }

    /// Makes the coordinator's pair, and that of a first worker, named `worker`.
    ///
    /// All of it is made in a directory within, and gets its place when it is whole.
    package static func create(_ path: String) throws -> KeyDirectory {
        let isNew = try KeyPlace.makeDirectory(path)
        do {
            let new = KeyDirectory(in: try KeyPlace(path))
            try new.alone { try new.fillAnew() }
            // Of one that was there before it is on the disk.
            if isNew { try new.place.synchronizeName() }
            return new
        } catch {
            // With anything in it it stays.
            if isNew { KeyPlace.removeDirectory(path) }
            throw error
        }
    }

    private func fillAnew() throws {
        guard try place.names().allSatisfy({ $0 == Self.draftName }) else {
            throw ClusterError(exitCode: 2, "keys \(path): not empty; expected a new directory, nothing was changed")
        }
        do {
            try place.remove(Self.draftName)
            try Self.fill(place.makeDirectory(Self.draftName))
        } catch {
            try? place.remove(Self.draftName)
            throw error
        }
        let draft = try place.requiredDirectory(Self.draftName)
        // Last its secret: the directory counts as one from there on.
        for name in try draft.names() where name != Self.secretName { try draft.move(name, to: place) }
        try draft.move(Self.secretName, to: place)
        try place.remove(Self.draftName)
        try place.synchronize()
    }

    private static func fill(_ place: KeyPlace) throws {
        for part in [allowed, revoked, workers] { _ = try place.makeDirectory(part) }
        let pair = try CurvePair.generate()
        try place.create(publicName, KeyFile.publicText(pair.publicKey, of: "the coordinator"))
        try KeyDirectory(in: place).makeWorker("worker")
        try place.create(secretName, KeyFile.secretText(pair, of: "the coordinator"))
        try place.synchronize()
    }

    /// Makes a worker's pair, its directory, and its place on the allow-list: all of it, or nothing that counts.
    ///
    /// A worker is one whose key is on the list, which comes last. Whatever else lies under the name was left by a process that was
    /// killed before, or by a revocation; it admits nobody, and makes room.
    package func add(_ name: String) throws {
        try Self.check(name)
        try alone { try makeWorker(name) }
    }

    private func makeWorker(_ name: String) throws {
        let draft = ".new-\(name)"
        let (list, workers) = try (
            place.requiredDirectory(Self.allowed), place.requiredDirectory(Self.workers)
        )
        // A list that cannot be looked at is no list without the name.
        guard try !list.names().contains("\(name).key") else {
            throw ClusterError(exitCode: 2, "keys \(path): there is a worker '\(name)'; expected a new name")
        }
        let server = try KeyFile.readPublic(Self.publicName, in: place)
        let pair = try CurvePair.generate()
        try workers.remove(draft)
        do {
            let own = try workers.makeDirectory(draft)
            try own.create(Self.publicName, KeyFile.publicText(server, of: "the coordinator"))
            try own.create("worker.key_secret", KeyFile.secretText(pair, of: "worker \(name)"))
            try own.synchronize()
            try workers.remove(name)
            try workers.move(draft, to: workers, as: name)
            try workers.synchronize()
            try list.create("\(name).key", KeyFile.publicText(pair.publicKey, of: "worker \(name)"))
        } catch {
            try? workers.remove(draft)
            try? workers.remove(name)
            throw error
        }
        try list.synchronize()
    }

    /// Does `body` while no other process makes keys here, and says so when they are not where the user meant them to be.
    private func alone(_ body: () throws -> Void) throws {
        try place.alone(body)
        guard place.isInPlace else {
            throw ClusterError(
                exitCode: 2,
                "keys \(path): not the directory any more that was there at the start, which is the one that was changed"
            )
        }
    }

    /// Takes a worker off the allow-list; a coordinator that runs drops it within seconds.
    package func revoke(_ name: String) throws {
        try Self.check(name)
        try alone { try takeOffTheList(name) }
    }

    private func takeOffTheList(_ name: String) throws {
        let list = try place.requiredDirectory(Self.allowed)
        guard list.contains("\(name).key") else {
            let names = try entries().filter(\.isAllowed).map(\.name)
            throw ClusterError(
                exitCode: 2,
                "keys \(path): no worker '\(name)' on the allow-list; expected \(names.isEmpty ? "one, and there is none" : Names(names).wanted(for: name))"
            )
        }
        let revoked = try place.directory(Self.revoked) ?? place.makeDirectory(Self.revoked)
        try list.move("\(name).key", to: revoked, as: Self.freeName(name, in: revoked))
        try list.synchronize()
        try revoked.synchronize()
        // The copy here is of no use any more, and the name is free.
        do { try place.directory(Self.workers)?.remove(name) } catch {
            throw ClusterError(exitCode: error.exitCode, "worker \(name) is revoked; its copy here stays: \(error)")
        }
    }

    /// A free name for a key, which may not be the first revoked one of its name: none is forgotten.
    private static func freeName(_ name: String, in revoked: KeyPlace) -> String {
        var (free, number) = ("\(name).key", 2)
        while revoked.contains(free) {
            free = "\(name)-\(number).key"
            number += 1
        }
        return free
    }

    /// Everybody's keys, by name: those on the allow-list first.
    package func entries() throws -> [Entry] {
        try [(Self.allowed, true), (Self.revoked, false)].flatMap { directory, isAllowed in
            try read(directory).map { Entry(name: $0.name, key: try $0.key.get(), isAllowed: isAllowed) }
        }
    }

    /// The keys that are admitted, with their names, and a sentence for each file that is not one: such a file admits nobody, and
    /// keeps no other from being admitted or revoked. A key that stands among the revoked ones too is revoked.
    func allowedKeys() throws -> (names: [CurvePublicKey: String], faults: [String]) {
        var faults: [String] = []
        func keys(in directory: String) throws -> [(CurvePublicKey, String)] {
            try read(directory).compactMap { name, key in
                switch key {
                case .success(let key): return (key, name)
                case .failure(let error):
                    faults.append("\(error)")
                    return nil
                }
            }
        }
        let admitted = Dictionary(try keys(in: Self.allowed)) { first, _ in first }
        let withdrawn = Set(try keys(in: Self.revoked).map(\.0))
        if !place.isInPlace {
            faults.append(
                "keys \(path): not the directory any more that was there at the start, which is the one that counts")
        }
        return (admitted.filter { !withdrawn.contains($0.key) }, faults)
    }

    /// When something last came to the two lists or left them; a stranger's key is no reason to read them again as long as this is
    /// the same.
    func lastChange() -> Change {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        let instants = [Self.allowed, Self.revoked].map { place.lastChange(of: $0) }
        let age = .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec) - max(instants[0], instants[1])
        return Change(instants: instants, isSettled: age > .milliseconds(100))
    }

    struct Change: Sendable {
        let instants: [Duration]
        /// Whether another change would have another instant: file systems count time in ticks.
        let isSettled: Bool
    }

    package func coordinatorPair() throws(ClusterError) -> CurvePair {
        try KeyFile.readPair(Self.secretName, in: place)
    }

    /// The files of a list, by name, each with its key or with what is wrong with it; none where there is no list.
    ///
    /// - Throws: also where others can enter the directory by now, or its allow-list.
    private func read(_ list: String) throws -> [(name: String, key: Result<CurvePublicKey, ClusterError>)] {
        try place.check()
        // An allow-list that is away for a moment revokes nobody.
        guard let directory = try list == Self.allowed ? place.requiredDirectory(list) : place.directory(list) else {
            return []
        }
        return try directory.names().compactMap { file in
            guard file.hasSuffix(".key") else { return nil }
            let name = String(file.dropLast(4))
            let key = Result { () throws(ClusterError) in
                try Self.check(name)
                return try KeyFile.readPublic(file, in: directory)
            }
            return (name, key)
        }
    }

    /// A name is a file's, and stands in the log.
    private static func check(_ name: String) throws(ClusterError) {
        let isPlain = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
        guard isPlain, !name.hasPrefix("."), (1...64).contains(name.utf8.count) else {
            throw ClusterError(
                exitCode: 2,
                "worker name '\(name)': expected 1 to 64 letters, digits, '-', '_' or '.', not first a '.'"
            )
        }
    }

    private static let publicName = "coordinator.key"
    private static let secretName = "coordinator.key_secret"
    private static let draftName = ".new"
    private static let allowed = "allowed"
    private static let revoked = "revoked"
    private static let workers = "workers"
}
