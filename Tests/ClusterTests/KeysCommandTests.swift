import Cluster
import Foundation
import Messaging
import Synchronization
import TestSupport
import Testing

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `The keys` {
    private static let training = [
        "--set", "addition", "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--validation-every",
        "100000", "--checkpoint-every", "100000", "--json",
    ]

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    private func endpoint(of coordinator: RunningProcess) -> String {
        #expect(coordinator.wait { coordinator.errors.contains("--connect ") }, "\(coordinator.errors)")
        return coordinator.errors.components(separatedBy: "--connect ").last?.components(separatedBy: "\n")[0] ?? ""
    }

    private func expectRefusal(_ outcome: Outcome, says sentence: String) {
        #expect(outcome.code == 2 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.errors.contains(sentence), "\(outcome.errors)")
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
    }

    @Test func `are files of nobody else, in the form of libzmq's tools`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        #expect(try place.run(["keys", "add", keys, "second"]).code == 0)
        for directory in ["", "/allowed", "/workers", "/workers/worker", "/workers/second"] {
            #expect(try mode(keys + directory) == 0o700)
        }
        for file in [
            "/coordinator.key_secret", "/workers/worker/worker.key_secret", "/workers/second/worker.key_secret",
        ] {
            #expect(try mode(keys + file) == 0o600)
            let lines = try String(contentsOfFile: keys + file, encoding: .utf8).split(separator: "\n")
            #expect(lines.contains("curve") && lines.filter { $0.hasPrefix("    secret-key = \"") }.count == 1)
        }
        let listing = try place.run(["keys", "list", keys, "--json"])
        #expect(listing.member("workers").contains("second") && !listing.output.contains("secret"))
        let secret = try String(contentsOfFile: "\(keys)/coordinator.key_secret", encoding: .utf8)
            .components(separatedBy: "secret-key = \"")[1].prefix(40)
        #expect(!listing.output.contains(secret))
    }

    @Test func `are refused with a sentence where others could read them, or where they are damaged`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let before = try String(contentsOfFile: "\(keys)/coordinator.key_secret", encoding: .utf8)
        expectRefusal(try place.run(["keys", "new", keys]), says: "not empty")
        expectRefusal(try place.run(["keys", "add", keys, "worker"]), says: "there is a worker 'worker'")
        expectRefusal(try place.run(["keys", "add", keys, "../x"]), says: "worker name '../x'")
        expectRefusal(try place.run(["keys", "revoke", keys, "nobody"]), says: "expected worker\n")
        expectRefusal(try place.run(["keys", "revoke", keys, "workr"]), says: "expected worker; did you mean worker?")
        expectRefusal(try place.run(["keys", "list", place.path]), says: "lockstep keys new")
        #expect(try String(contentsOfFile: "\(keys)/coordinator.key_secret", encoding: .utf8) == before)

        let bind = ["coordinator", "--bind", "tcp://127.0.0.1:*", "--run", "\(place.path)/run", "--keys", keys]
        let own = "\(keys)/workers/worker"
        let connect = ["worker", "--connect", "tcp://127.0.0.1:9", "--keys", own]
        _ = unsafe chmod("\(keys)/coordinator.key_secret", 0o640)
        expectRefusal(try place.run(bind), says: "others can reach this secret (mode 0640); wanted mode 0600")
        _ = unsafe chmod("\(keys)/coordinator.key_secret", 0o600)
        _ = unsafe chmod("\(own)/worker.key_secret", 0o604)
        expectRefusal(try place.run(connect), says: "wanted mode 0600")
        _ = unsafe chmod("\(own)/worker.key_secret", 0o600)
        _ = unsafe chmod(own, 0o750)
        expectRefusal(try place.run(connect), says: "wanted mode 0700")
        _ = unsafe chmod(own, 0o700)
        _ = unsafe chmod(keys, 0o755)
        expectRefusal(try place.run(bind), says: "wanted mode 0700")
        _ = unsafe chmod(keys, 0o700)
        try "curve\n    secret-key = \"short\"\n".write(
            toFile: "\(own)/worker.key_secret", atomically: false, encoding: .utf8)
        expectRefusal(try place.run(connect), says: "no secret-key of 40 characters")
        try FileManager.default.removeItem(atPath: "\(own)/worker.key_secret")
        _ = unsafe mkfifo("\(own)/worker.key_secret", 0o600)
        expectRefusal(try place.run(connect), says: "not a file")
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }

    /// Who is on the list, with what a coordinator and a worker need of them.
    private func expectWhole(
        _ keys: String, _ names: [String], of allowed: [String]? = nil, _ place: borrowing Workplace
    ) throws {
        let listing = try place.run(["keys", "list", keys])
        #expect(listing.code == 0, "\(listing)")
        #expect(
            listing.output.split(separator: "\n").dropFirst().map { $0.prefix { $0 != " " } } == names.map { $0[...] })
        for name in allowed ?? names {
            // Without a coordinator there: the keys are read first, and what comes then is another sentence.
            let own = "\(keys)/workers/\(name)"
            let worker = try place.run(["worker", "--connect", "inproc://x", "--keys", own])
            #expect(worker.errors.contains("reaches no other process"), "\(worker)")
            let secret = try String(contentsOfFile: "\(own)/worker.key_secret", encoding: .utf8)
            let listed = try String(contentsOfFile: "\(keys)/allowed/\(name).key", encoding: .utf8)
            let key = try #require(listed.split(separator: "\n").first { $0.contains("public-key") })
            #expect(secret.contains(key))
        }
        let hidden = try FileManager.default.subpathsOfDirectory(atPath: keys).filter { $0.contains(".new") }
        #expect(hidden.isEmpty)
    }

    @Test(arguments: [
        "mkdir -m 700 workers/NAME", "mkdir -m 700 workers/NAME && cp coordinator.key workers/NAME/",
        "cp -r workers/worker workers/NAME", "cp -r workers/worker workers/.new-NAME",
        "mkdir -m 700 workers/.new-NAME && head -c 70 coordinator.key > workers/.new-NAME/worker.key_secret.new",
        "head -c 70 coordinator.key > allowed/NAME.key.new",
    ])
    func `of a name are whole although whoever was to make them was killed at it`(left: String) throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let lines = left.replacingOccurrences(of: "NAME", with: "second")
        #expect(try place.shell("cd keys && \(lines)").code == 0)
        #expect(try !place.run(["keys", "list", keys]).output.contains("second"))
        #expect(try place.run(["keys", "add", keys, "second"]).code == 0)
        try expectWhole(keys, ["second", "worker"], place)
    }

    @Test func `are there whole or not at all when the disk takes no more`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        let command = "'\(Workplace.executable("lockstep"))' keys"
        // No file may have a byte.
        func refuse(_ line: String) throws {
            let outcome = try place.shell("( ulimit -f 0; \(command) \(line) ) 2>&1 | cat; exit ${PIPESTATUS[0]}")
            #expect(outcome.code == 1 && outcome.output.contains("File too large"), "\(outcome)")
            #expect(outcome.output.filter { $0 == "\n" }.count == 1, "\(outcome.output)")
        }
        try refuse("new keys")
        #expect(!FileManager.default.fileExists(atPath: keys))
        #expect(try place.run(["keys", "new", keys]).code == 0)
        try refuse("add keys second")
        #expect(!FileManager.default.fileExists(atPath: "\(keys)/allowed/second.key"))
        #expect(try place.run(["keys", "add", keys, "second"]).code == 0)
        try expectWhole(keys, ["second", "worker"], place)
    }

    @Test func `of a worker stay when the list may not be read on which it is`() throws {
        let place = try Workplace()
        #expect(try place.run(["keys", "new", "\(place.path)/keys"]).code == 0)
        // The superuser may read everything, and so becomes nobody.
        let isRoot = geteuid() == 0
        let command =
            "\(isRoot ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : "") '\(Workplace.executable("lockstep"))'"
        #expect(unsafe chmod(place.path, 0o755) == 0)
        guard try place.shell("\(command) --version").code == 0 else {
            print("not tried: nobody may not run \(Workplace.executable("lockstep")), or there is no setpriv")
            return
        }
        #expect(try place.shell(isRoot ? "chown -R 65534 keys" : "true").code == 0)
        let secret = "\(place.path)/keys/workers/worker/worker.key_secret"
        let before = try String(contentsOfFile: secret, encoding: .utf8)
        for (directory, line) in [
            ("allowed", "add keys worker"), ("allowed", "list keys"), ("workers", "add keys second"),
            (".", "list keys"),
        ] {
            let outcome = try place.shell("chmod 000 keys/\(directory); \(command) keys \(line)")
            expect(refused: outcome)
            #expect(outcome.errors.contains("Permission denied"), "\(directory): \(outcome.errors)")
            #expect(try place.shell("chmod 700 keys; chmod 700 keys/\(directory)").code == 0)
        }
        #expect(try String(contentsOfFile: secret, encoding: .utf8) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/keys/workers") == ["worker"])
    }

    @Test func `are made by one process at a time`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let all = try (0..<8).map { try place.start(["keys", "add", keys, "n\($0 % 2)"]) }
        let codes = all.map { $0.wait().code }
        #expect(codes.filter { $0 == 0 }.count == 2 && codes.filter { $0 == 2 }.count == 6, "\(codes)")
        try expectWhole(keys, ["n0", "n1", "worker"], place)
    }

    @Test func `stay among the revoked, every one of a name that was given again`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        var revoked: Set<String> = []
        for turn in 1...3 {
            if turn > 1 { #expect(try place.run(["keys", "add", keys, "worker"]).code == 0) }
            revoked.insert(try String(contentsOfFile: "\(keys)/allowed/worker.key", encoding: .utf8))
            #expect(try place.run(["keys", "revoke", keys, "worker"]).code == 0)
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: "\(keys)/revoked")
        let kept = try files.map { try String(contentsOfFile: "\(keys)/revoked/\($0)", encoding: .utf8) }
        #expect(revoked.count == 3 && Set(kept) == revoked, "\(files)")
        try FileManager.default.removeItem(atPath: "\(keys)/revoked")
        #expect(try place.run(["keys", "add", keys, "other"]).code == 0)
        #expect(try place.run(["keys", "revoke", keys, "other"]).code == 0)
        #expect(FileManager.default.fileExists(atPath: "\(keys)/revoked/other.key"))
    }

    @Test func `let the invited train to the same bits, and nobody else in`() throws {
        let place = try Workplace()
        let (keys, foreign) = ("\(place.path)/keys", "\(place.path)/foreign")
        for directory in [keys, foreign] { #expect(try place.run(["keys", "new", directory]).code == 0) }
        let expected = try place.run(
            ["train", "--steps", "3000", "--run", "\(place.path)/alone"] + Self.training
        ).member("parameters_sha256")
        let coordinator = try place.start(
            [
                "coordinator", "--bind", "tcp://127.0.0.1:*", "--keys", keys, "--steps", "3000", "--fallback-after",
                "100000", "--run", "\(place.path)/run",
            ] + Self.training)
        let endpoint = endpoint(of: coordinator)

        // Somebody without keys, with a key of elsewhere, and with a right key for another coordinator.
        let strange = try place.run(["worker", "--connect", endpoint])
        #expect(strange.code == 3 && strange.errors.contains("expected --keys DIR"), "\(strange)")
        let uninvited = "\(place.path)/uninvited"
        try FileManager.default.copyItem(atPath: "\(foreign)/workers/worker", toPath: uninvited)
        try FileManager.default.removeItem(atPath: "\(uninvited)/coordinator.key")
        try FileManager.default.copyItem(atPath: "\(keys)/coordinator.key", toPath: "\(uninvited)/coordinator.key")
        let refused = try place.run(["worker", "--connect", endpoint, "--keys", uninvited])
        #expect(refused.code == 3 && refused.errors.contains("does not admit the key"), "\(refused)")
        let mistaken = try place.run(["worker", "--connect", endpoint, "--keys", foreign])
        #expect(mistaken.code == 3 && mistaken.errors.contains("not the coordinator"), "\(mistaken)")
        for outcome in [strange, refused, mistaken] {
            #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
        }

        let second = try place.start(["worker", "--connect", endpoint], environment: ["LOCKSTEP_KEYS": keys])
        let outcome = coordinator.wait()
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome.errors)")
        #expect(second.wait().code == 0)
    }

    @Test(arguments: [false, true])
    func `are missed in one line where whoever is connected to never says a word`(hasKeys: Bool) throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let listener = try Listener()
        let outcome = try place.run(
            ["worker", "--connect", "tcp://127.0.0.1:\(listener.port)"] + (hasKeys ? ["--keys", keys] : []))
        #expect(outcome.code == 3 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
    }

    @Test func `let a worker in as soon as they are made, and drop it when they are revoked, while the run goes on`()
        throws
    {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let coordinator = try place.start(
            [
                "coordinator", "--bind", "tcp://127.0.0.1:*", "--keys", keys, "--steps", "4000000", "--fallback-after",
                "100000", "--run", "\(place.path)/run",
            ] + Self.training)
        let endpoint = endpoint(of: coordinator)
        var workers: [RunningProcess] = []
        for name in ["first", "second", "third", "fourth"] {
            #expect(try place.run(["keys", "add", keys, name]).code == 0)
            workers.append(
                try place.start(["worker", "--connect", endpoint, "--keys", "\(keys)/workers/\(name)"]))
        }
        for worker in workers { #expect(worker.wait { worker.errors.contains("joined") }, "\(worker.errors)") }
        #expect(try place.run(["keys", "revoke", keys, "first"]).code == 0)
        let dropped = workers[0].wait()
        #expect(dropped.code == 3 && dropped.errors.contains("revoked"), "\(dropped)")
        #expect(coordinator.isRunning && workers.dropFirst().allSatisfy(\.isRunning))
        coordinator.signal(SIGTERM)
        #expect(coordinator.wait().code == 143)
        for worker in workers.dropFirst() { #expect(worker.wait().code == 0) }
        #expect(try place.run(["verify", "\(place.path)/run", "--steps", "1..20"]).code == 0)
    }

    @Test func `count on a local socket too: with them, with others and without`() throws {
        let place = try Workplace()
        let (keys, foreign) = ("\(place.path)/keys", "\(place.path)/foreign")
        for directory in [keys, foreign] { #expect(try place.run(["keys", "new", directory]).code == 0) }
        func coordinator(_ name: String, _ options: [String]) throws -> RunningProcess {
            try place.start(
                [
                    "coordinator", "--bind", "ipc://\(place.path)/\(name)", "--steps", "4000000", "--fallback-after",
                    "100000", "--run", "\(place.path)/run-\(name)",
                ] + Self.training + options)
        }
        let locked = try coordinator("locked", ["--keys", keys])
        let endpoint = endpoint(of: locked)
        #expect(locked.errors.contains("--keys DIR --connect "))
        let good = try place.start(["worker", "--connect", endpoint, "--keys", keys])
        #expect(good.wait { good.errors.contains("joined") }, "\(good.errors)")
        for options in [["--keys", foreign], []] {
            let refused = try place.run(["worker", "--connect", endpoint] + options)
            #expect(refused.code == 3 && refused.errors.filter { $0 == "\n" }.count == 1, "\(options): \(refused)")
        }
        locked.signal(SIGTERM)
        #expect(locked.wait().code == 143)
        #expect(good.wait().code == 0)

        let open = try coordinator("open", [])
        let mistaken = try place.run(["worker", "--connect", self.endpoint(of: open), "--keys", keys])
        #expect(mistaken.code == 3 && mistaken.errors.contains("another key or none"), "\(mistaken)")
        open.signal(SIGTERM)
        #expect(open.wait().code == 143)
    }

    /// What may listen where a coordinator was expected.
    enum Foreigner: String, CaseIterable { case web, banner, zeros, mute, closing }

    @Test(arguments: Foreigner.allCases, [true, false])
    func `are of no use at a server that is none of theirs, which ends a worker with one line`(
        _ foreigner: Foreigner, hasKeys: Bool
    ) throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let kept = Mutex<[RawConnection]>([])
        let listener = try RawListener { connection in
            switch foreigner {
            case .web:
                _ = connection.read(atMost: 10)
                connection.write(Array("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".utf8))
                return
            case .banner: connection.write(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8))
            case .zeros: connection.write([UInt8](repeating: 0, count: 300))
            case .mute: break
            case .closing: return
            }
            kept.withLock { $0.append(connection) }
        }
        let outcome = try place.run(
            ["worker", "--connect", "tcp://127.0.0.1:\(listener.port)"] + (hasKeys ? ["--keys", keys] : []))
        #expect(outcome.code == 3, "\(outcome)")
        #expect(outcome.errors.contains(hasKeys ? "another key or none" : "is no coordinator"), "\(outcome.errors)")
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
        listener.end()
    }

    @Test func `are those of the directory that was there when the coordinator began, whatever is put in its place`()
        throws
    {
        let live = try LiveCoordinator(keys: true, ["--steps", "4000000"])
        let keys = try #require(live.keys)
        let own = try live.pair(of: "worker")
        let (kept, others) = ("\(keys).kept", "\(keys).others")
        let place = try Workplace()
        #expect(try place.run(["keys", "new", others]).code == 0)
        try FileManager.default.moveItem(atPath: keys, toPath: kept)
        try FileManager.default.moveItem(atPath: others, toPath: keys)
        #expect(
            live.process.wait { live.process.errors.contains("not the directory any more") }, "\(live.process.errors)")
        let stranger = try live.pair(of: "worker").pair
        #expect(try HostilePeer(live.endpoint, keys: (stranger, own.server)).handshakeFailure() == .refused(400))
        #expect(try HostilePeer(live.endpoint, keys: own).handshakeFailure() == nil)
        #expect(try place.run(["keys", "revoke", kept, "worker"]).code == 0)
        #expect(live.process.wait { live.process.errors.contains("the key of worker worker was revoked") })
        // What others can enter by now is not read.
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: kept)
        #expect(live.process.wait { live.process.errors.contains("others can enter it") }, "\(live.process.errors)")
        live.process.signal(SIGTERM)
        #expect(live.process.wait().code == 143)
    }

    @Test func `are not there, and neither is a coordinator that answers: the worker ends with one line`() throws {
        let mute = try Socket(.router, in: sharedContext.get(), options: .data())
        let endpoint = try mute.bind(Endpoint("tcp://127.0.0.1:*"))
        let outcome = try Workplace().run(["worker", "--connect", "\(endpoint)"])
        #expect(outcome.code == 3 && outcome.errors.contains("does not answer a worker's hello"), "\(outcome)")
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome)")
        try mute.close(linger: .zero)
    }

    @Test func `are made and revoked in the directory that was opened, whatever is put in its place, and this is said`()
        throws
    {
        let place = try Workplace()
        let (keys, kept, others) = ("\(place.path)/keys", "\(place.path)/kept", "\(place.path)/others")
        for directory in [keys, others] { #expect(try place.run(["keys", "new", directory]).code == 0) }
        let before = try FileManager.default.subpathsOfDirectory(atPath: others).sorted()
        let directory = try KeyDirectory(keys)
        let own = try directory.coordinatorPair().publicKey
        try FileManager.default.moveItem(atPath: keys, toPath: kept)
        try FileManager.default.moveItem(atPath: others, toPath: keys)
        func expectSaid(_ body: () throws -> Void) {
            let error = #expect(throws: ClusterError.self, performing: body)
            #expect(error?.exitCode == 2 && "\(error!)".contains("keys: not the directory any more"))
        }
        expectSaid { try directory.add("second") }
        expectSaid { try directory.revoke("worker") }
        #expect(try directory.coordinatorPair().publicKey == own)
        #expect(try directory.entries().map { "\($0.name) \($0.isAllowed)" } == ["second true", "worker false"])
        try expectWhole(kept, ["second", "worker"], of: ["second"], place)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: keys).sorted() == before)
    }

    #if os(Linux)
        @Test func `are made anew in the directory that was opened, too`() throws {
            let place = try Workplace()
            let (keys, kept) = ("\(place.path)/keys", "\(place.path)/kept")
            #expect(try place.shell("mkdir -m 700 keys").code == 0)
            let lock = unsafe open(keys, O_RDONLY)
            defer { close(lock) }
            #expect(flock(lock, LOCK_EX) == 0)
            let command = try place.start(["keys", "new", keys])
            // The line of one that waits its turn.
            func waits() -> Bool {
                (try? String(contentsOfFile: "/proc/locks", encoding: .utf8))?.split(separator: "\n").contains {
                    let words = $0.split(separator: " ")
                    return words.contains("->") && words.contains("\(command.identifier)")
                } ?? false
            }
            #expect(command.wait { waits() })
            #expect(try place.shell("mv keys kept && mkdir -m 700 keys").code == 0)
            #expect(flock(lock, LOCK_UN) == 0)
            expectRefusal(command.wait(), says: "keys: not the directory any more")
            try expectWhole(kept, ["worker"], place)
            #expect(try FileManager.default.contentsOfDirectory(atPath: keys).isEmpty)
        }
    #endif

    @Test(arguments: [
        ("allowed", "add keys second"), ("workers", "add keys second"), ("allowed", "revoke keys worker"),
        ("revoked", "revoke keys worker"), ("workers", "revoke keys worker"), ("allowed", "list keys"),
        ("revoked", "list keys"), (".", "list keys"), (".", "add keys/ second"), (".", "new keys"),
    ])
    func `are not looked for where a link leads, which is refused`(part: String, line: String) throws {
        let place = try Workplace()
        let command = "'\(Workplace.executable("lockstep"))' keys"
        #expect(try place.shell("\(command) new keys && \(command) add keys other").code == 0)
        #expect(try place.shell("\(command) revoke keys other").code == 0)
        let (link, up) = part == "." ? ("keys", "") : ("keys/\(part)", "../")
        #expect(try place.shell("mv \(link) elsewhere && ln -s \(up)elsewhere \(link)").code == 0)
        func elsewhere() throws -> String {
            try place.shell("cd elsewhere && find . -type f | sort | xargs cat && find . | sort").output
        }
        let before = try elsewhere()
        expectRefusal(try place.shell("\(command) \(line)"), says: "\(link): not a directory; wanted one of mode 0700")
        #expect(try elsewhere() == before)
        #expect(try place.shell("rm \(link) && mv elsewhere \(link)").code == 0)
        // What is off the list before the link is found stays off it.
        let isRevoked = (part, line) == ("workers", "revoke keys worker")
        #expect(
            try place.shell("\(command) list keys").output.split(separator: "\n").last?.hasSuffix("allowed") == false)
        #expect(try place.shell("\(command) list keys | grep -c allowed").output == (isRevoked ? "0\n" : "1\n"))
    }

    @Test func `let a worker wait where nobody listens, which says so`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let listener = try RawListener { _ in }
        let port = listener.port
        listener.end()
        let worker = try place.start(["worker", "--connect", "tcp://127.0.0.1:\(port)", "--keys", keys])
        let sentence = "waiting for a coordinator at tcp://127.0.0.1:\(port)"
        #expect(worker.wait { worker.errors.contains(sentence) }, "\(worker.errors)")
        worker.signal(SIGTERM)
        #expect(worker.wait().code == 143)
    }

    @Test func `are asked of a worker by its coordinator's socket, and of a coordinator by its worker`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let coordinator = try place.start(
            [
                "coordinator", "--bind", "tcp://127.0.0.1:*", "--steps", "4000000", "--fallback-after", "100000",
                "--run", "\(place.path)/run",
            ] + Self.training)
        let outcome = try place.run(["worker", "--connect", endpoint(of: coordinator), "--keys", keys])
        #expect(outcome.code == 3 && outcome.errors.contains("another key or none"), "\(outcome)")
        coordinator.signal(SIGTERM)
        #expect(coordinator.wait().code == 143)
    }
}
