internal import Foundation
package import Messaging

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
    package let path: String
    /// The directory itself; nil for one that was just made, which is opened when it is read.
    private let held: KeyPlace?

    /// One worker's key.
    package struct Entry: Hashable, Sendable {
        package let name: String
        package let key: CurvePublicKey
        package let isAllowed: Bool
    }

    /// A directory that `create` made.
    package init(_ path: String) throws(ClusterError) {
        self.path = path
        let place = try KeyPlace(path)
        held = place
        guard try place.names().contains(Self.secretName) else {
            throw ClusterError(
                exitCode: 2,
                "keys \(path): no coordinator's keys in it; expected a directory that `lockstep keys new` made")
        }
        try PrivateFile.checkDirectory(allowed)
    }

    private init(new path: String) { (self.path, held) = (path, nil) }

    private func place() throws(ClusterError) -> KeyPlace {
        if let held { return held }
        return try KeyPlace(path)
    }

    /// Makes the coordinator's pair, and that of a first worker, named `worker`.
    ///
    /// All of it is made in a directory within, and gets its place when it is whole.
    package static func create(_ path: String) throws -> KeyDirectory {
        let draft = "\(path)/.new"
        let isNew = !FileManager.default.fileExists(atPath: path)
        if isNew {
            try PrivateFile.makeDirectory(path)
        } else {
            try PrivateFile.checkDirectory(path)
            guard try PrivateFile.names(in: path).allSatisfy({ $0 == ".new" }) else {
                throw ClusterError(
                    exitCode: 2, "keys \(path): not empty; expected a new directory, nothing was changed")
            }
            PrivateFile.remove(draft)
        }
        do {
            try PrivateFile.makeDirectory(draft)
            let new = KeyDirectory(new: draft)
            for part in [new.allowed, new.revoked, new.workers] { try PrivateFile.makeDirectory(part) }
            let pair = try CurvePair.generate()
            try PrivateFile.create(new.coordinatorPublic, KeyFile.publicText(pair.publicKey, of: "the coordinator"))
            try new.add("worker")
            try PrivateFile.create(new.coordinatorSecret, KeyFile.secretText(pair, of: "the coordinator"))
            try PrivateFile.synchronize(directory: draft)
        } catch {
            PrivateFile.remove(isNew ? path : draft)
            throw error
        }
        // Last its secret: the directory counts as one from there on.
        for name in try PrivateFile.names(in: draft) where name != secretName {
            try PrivateFile.rename("\(draft)/\(name)", to: "\(path)/\(name)")
        }
        try PrivateFile.rename("\(draft)/\(secretName)", to: "\(path)/\(secretName)")
        PrivateFile.remove(draft)
        try PrivateFile.synchronize(directory: path)
        try PrivateFile.synchronize(directory: URL(fileURLWithPath: path).deletingLastPathComponent().path)
        return KeyDirectory(new: path)
    }

    /// Makes a worker's pair, its directory, and its place on the allow-list: all of it, or nothing that counts.
    ///
    /// A worker is one whose key is on the list, which comes last. Whatever else lies under the name was left by a process that was
    /// killed before, or by a revocation; it admits nobody, and makes room.
    package func add(_ name: String) throws {
        try Self.check(name)
        try alone {
            let (list, own, draft) = ("\(allowed)/\(name).key", workerDirectory(name), "\(workers)/.new-\(name)")
            // A list that cannot be looked at is no list without the name.
            guard try !PrivateFile.names(in: allowed).contains("\(name).key") else {
                throw ClusterError(exitCode: 2, "keys \(path): there is a worker '\(name)'; expected a new name")
            }
            let server = try KeyFile.readPublic(coordinatorPublic)
            let pair = try CurvePair.generate()
            PrivateFile.remove(draft)
            do {
                try PrivateFile.makeDirectory(draft)
                try PrivateFile.create("\(draft)/coordinator.key", KeyFile.publicText(server, of: "the coordinator"))
                try PrivateFile.create("\(draft)/worker.key_secret", KeyFile.secretText(pair, of: "worker \(name)"))
                try PrivateFile.synchronize(directory: draft)
                PrivateFile.remove(own)
                try PrivateFile.rename(draft, to: own)
                try PrivateFile.synchronize(directory: workers)
                try PrivateFile.create(list, KeyFile.publicText(pair.publicKey, of: "worker \(name)"))
            } catch {
                PrivateFile.remove(draft)
                PrivateFile.remove(own)
                throw error
            }
            try PrivateFile.synchronize(directory: allowed)
        }
    }

    /// Does `body` while no other process makes keys here.
    private func alone(_ body: () throws -> Void) throws {
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PrivateFile.failure("keys \(path)", errno) }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw PrivateFile.failure("keys \(path)", errno) }
        }
        try body()
    }

    /// Takes a worker off the allow-list; a coordinator that runs drops it within seconds.
    package func revoke(_ name: String) throws {
        try Self.check(name)
        try alone { try takeOffTheList(name) }
    }

    private func takeOffTheList(_ name: String) throws {
        guard FileManager.default.fileExists(atPath: "\(allowed)/\(name).key") else {
            let names = try entries().filter(\.isAllowed).map(\.name)
            throw ClusterError(
                exitCode: 2,
                "keys \(path): no worker '\(name)' on the allow-list; expected \(names.isEmpty ? "one, and there is none" : names.joined(separator: ", "))"
            )
        }
        if !FileManager.default.fileExists(atPath: revoked) { try PrivateFile.makeDirectory(revoked) }
        guard unsafe rename("\(allowed)/\(name).key", placeAmongRevoked(name)) == 0 else {
            throw PrivateFile.failure("keys \(path)", errno)
        }
        // The copy here is of no use any more, and the name is free.
        try? FileManager.default.removeItem(atPath: workerDirectory(name))
    }

    /// A free place for a key, which may not be the first revoked one of its name: none is forgotten.
    private func placeAmongRevoked(_ name: String) -> String {
        var place = "\(revoked)/\(name).key"
        var number = 2
        while FileManager.default.fileExists(atPath: place) {
            place = "\(revoked)/\(name)-\(number).key"
            number += 1
        }
        return place
    }

    /// Everybody's keys, by name: those on the allow-list first.
    package func entries() throws -> [Entry] {
        try [("allowed", true), ("revoked", false)].flatMap { directory, isAllowed in
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
        let admitted = Dictionary(try keys(in: "allowed")) { first, _ in first }
        let withdrawn = Set(try keys(in: "revoked").map(\.0))
        if let held, !held.isInPlace {
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
        let instants = ["allowed", "revoked"].map { held?.lastChange(of: $0) ?? .zero }
        let age = .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec) - max(instants[0], instants[1])
        return Change(instants: instants, isSettled: age > .milliseconds(100))
    }

    struct Change: Sendable {
        let instants: [Duration]
        /// Whether another change would have another instant: file systems count time in ticks.
        let isSettled: Bool
    }

    package func coordinatorPair() throws(ClusterError) -> CurvePair {
        try KeyFile.readPair(Self.secretName, in: place())
    }

    package func workerDirectory(_ name: String) -> String { "\(workers)/\(name)" }

    /// The files of a list, by name, each with its key or with what is wrong with it; none where there is no list.
    ///
    /// - Throws: also where others can enter the directory by now, or its allow-list.
    private func read(_ list: String) throws -> [(name: String, key: Result<CurvePublicKey, ClusterError>)] {
        let place = try place()
        try place.check()
        guard let directory = try place.directory(list) else {
            // An allow-list that is away for a moment revokes nobody.
            guard list != "allowed" else { throw PrivateFile.failure("directory \(allowed)", ENOENT) }
            return []
        }
        try directory.check()
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

    private var coordinatorPublic: String { "\(path)/coordinator.key" }
    private static let secretName = "coordinator.key_secret"
    private var coordinatorSecret: String { "\(path)/\(Self.secretName)" }
    var allowed: String { "\(path)/allowed" }
    private var revoked: String { "\(path)/revoked" }
    private var workers: String { "\(path)/workers" }
}
