import Foundation
import Messaging
import Testing

@Suite struct PrivateDirectoryTests {
    private static func mode(_ path: String) -> mode_t? {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    @Test func `it is entered by its owner alone and is gone afterwards with its sockets`() throws {
        let path: String
        do {
            let directory = try PrivateDirectory()
            path = directory.path
            #expect(Self.mode(path) == 0o700)
            let server = try Socket(.router, in: .shared)
            let endpoint = try server.bind(directory.endpoint("socket"))
            #expect(endpoint.description == "ipc://\(path)/socket")
            #expect(Self.mode("\(path)/socket") != nil)
            // What a killed process leaves behind.
            #expect(FileManager.default.createFile(atPath: "\(path)/left", contents: nil))
        }
        #expect(Self.mode(path) == nil)
    }

    @Test func `two of them are never the same`() throws {
        let one = try PrivateDirectory()
        let other = try PrivateDirectory()
        #expect(one.path != other.path)
    }

    @Test(arguments: [mode_t(0o755), 0o710, 0o701, 0o777, 0o704])
    func `one that others can enter is refused`(_ mode: mode_t) throws {
        let directory = try PrivateDirectory()
        unsafe chmod(directory.path, mode)
        do {
            try PrivateDirectory.check(directory.path)
            Issue.record("taken")
        } catch {
            #expect(error.code == EACCES)
            #expect(
                error.message
                    == "directory \(directory.path): others can enter it (mode 0\(String(mode, radix: 8))); wanted mode 0700"
            )
        }
    }

    @Test func `one of another user is refused`() throws {
        let directory = try PrivateDirectory()
        // Only root can give a directory away; anybody else finds root's own.
        let path = geteuid() == 0 ? directory.path : "/"
        if geteuid() == 0 { unsafe chown(path, 4321, 4321) }
        defer { if geteuid() == 0 { unsafe chown(path, 0, 0) } }
        do {
            try PrivateDirectory.check(path)
            Issue.record("taken")
        } catch {
            #expect(error.code == EPERM)
            #expect(
                error.message
                    == "directory \(path): belongs to user \(geteuid() == 0 ? 4321 : 0); wanted user \(geteuid())")
        }
    }

    @Test func `a link, a file and nothing are refused`() throws {
        let directory = try PrivateDirectory()
        let link = "\(directory.path)/link"
        let file = "\(directory.path)/file"
        unsafe symlink(directory.path, link)
        #expect(FileManager.default.createFile(atPath: file, contents: nil))
        for (path, code) in [(link, ENOTDIR), (file, ENOTDIR), ("\(directory.path)/nothing", ENOENT)] {
            do {
                try PrivateDirectory.check(path)
                Issue.record("taken")
            } catch {
                #expect(error.code == code)
            }
        }
    }

    @Test func `a parent that is not there is an error with its path`() throws {
        do {
            let directory = try PrivateDirectory(under: "/nonexistent")
            Issue.record("made \(directory.path)")
        } catch {
            #expect(error.code == ENOENT)
            #expect(
                error.message == "directory /nonexistent/lockstep-XXXXXX: No such file or directory (error \(ENOENT))")
        }
    }

    @Test func `sockets that a killed owner has made elsewhere are removed, unless somebody listens there`() throws {
        let files = FileManager.default
        let parent = files.temporaryDirectory.appendingPathComponent("swept-\(UUID().uuidString.prefix(8))").path
        defer { try? files.removeItem(atPath: parent) }
        try files.createDirectory(
            atPath: "\(parent)/lockstep-killed", withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        func leave(_ name: String) throws {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: "\(parent)/\(name)".utf8) }
            let bound = unsafe withUnsafeBytes(of: &address) {
                unsafe bind(
                    descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self),
                    socklen_t(MemoryLayout<sockaddr_un>.size))
            }
            try #require(bound == 0)
        }
        for name in ["deserted", "deserted.control", "unnoted"] { try leave(name) }
        #expect(files.createFile(atPath: "\(parent)/file", contents: nil))
        let server = try Socket(.router, in: .shared)
        _ = try server.bind(Endpoint("ipc://\(parent)/living"))
        let noted = ["deserted", "deserted.control", "living", "file", "gone"].map { "\(parent)/\($0)\n" }.joined()
        for (name, text) in [("owner", ""), ("sockets", noted)] {
            #expect(files.createFile(atPath: "\(parent)/lockstep-killed/\(name)", contents: Data(text.utf8)))
        }
        #expect(PrivateDirectory.sweep(under: parent) == ["\(parent)/lockstep-killed"])
        #expect(try files.contentsOfDirectory(atPath: parent).sorted() == ["file", "living", "unnoted"])
        #expect(try Endpoint("ipc://\(parent)/living").hasListener)
    }

    @Test func `what a killed owner has left is swept away, and nothing else`() throws {
        let files = FileManager.default
        let parent = files.temporaryDirectory.appendingPathComponent("swept-\(UUID().uuidString.prefix(8))").path
        defer { try? files.removeItem(atPath: parent) }
        func make(_ name: String, mode: Int, files names: [String]) throws {
            try files.createDirectory(
                atPath: "\(parent)/\(name)", withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
            for file in names { #expect(files.createFile(atPath: "\(parent)/\(name)/\(file)", contents: nil)) }
        }
        try make("lockstep-killed", mode: 0o700, files: ["owner", "data", "control"])
        try make("lockstep-notes", mode: 0o700, files: ["data"])
        try make("lockstep-open", mode: 0o755, files: ["owner"])
        try make("others", mode: 0o700, files: ["owner"])
        let living = try PrivateDirectory(under: parent)
        #expect(PrivateDirectory.sweep(under: parent) == ["\(parent)/lockstep-killed"])
        let stays = ["lockstep-notes", "lockstep-open", "others", String(living.path.dropFirst(parent.count + 1))]
        #expect(try files.contentsOfDirectory(atPath: parent).sorted() == stays.sorted())
        #expect(try files.contentsOfDirectory(atPath: living.path) == ["owner"])
    }
}
