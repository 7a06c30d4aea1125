import Foundation
import Training

/// What a disk holds for certain and what only the system's memory holds, as calls are made; a power cut loses the latter.
///
/// It grants no more than POSIX: the bytes of a file are safe after its own fsync, a name after that of its directory, and of what
/// is not safe any part may be lost and any part kept.
struct SimulatedDisk {
    private enum Change {
        case set(String, Int)
        case unset(String)
        case move(String, to: String)
    }

    private enum DataChange {
        case write(Int, [UInt8])
        case truncate(Int)
    }

    private struct Directory {
        var safe: [String: Int] = [:]
        var names: [String: Int] = [:]
        var pending: [Change] = []
    }

    private struct File {
        var safe: [UInt8] = []
        var bytes: [UInt8] = []
        var pending: [DataChange] = []
    }

    private let root: String
    private var directories: [Int: Directory] = [0: Directory()]
    private var files: [Int: File] = [:]
    private var nextNode = 1

    /// A disk that holds for certain what is below `root` now.
    init(of root: String) throws {
        self.root = root
        try load(root, as: 0)
    }

    private mutating func load(_ path: String, as node: Int) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            let child = nextNode
            nextNode += 1
            var isDirectory: ObjCBool = false
            _ = unsafe FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isDirectory)
            if isDirectory.boolValue {
                directories[child] = Directory()
                try load("\(path)/\(name)", as: child)
            } else {
                let bytes = try Array(Data(contentsOf: URL(filePath: "\(path)/\(name)")))
                files[child] = File(safe: bytes, bytes: bytes)
            }
            directories[node]!.safe[name] = child
            directories[node]!.names[name] = child
        }
    }

    private func parts(_ path: String) -> [String] {
        precondition(path.hasPrefix(root), "SimulatedDisk: \(path) is not below \(root)")
        return path.dropFirst(root.count).split(separator: "/").map(String.init)
    }

    private func node(_ parts: some Sequence<String>) -> Int? {
        var node = 0
        for part in parts {
            guard let next = directories[node]?.names[part] else { return nil }
            node = next
        }
        return node
    }

    private func parent(_ path: String) -> (directory: Int, name: String) {
        let parts = parts(path)
        guard let directory = node(parts.dropLast()), let name = parts.last else {
            preconditionFailure("SimulatedDisk: no directory for \(path)")
        }
        return (directory, name)
    }

    private mutating func enter(_ node: Int, at path: String) {
        let (directory, name) = parent(path)
        directories[directory]!.names[name] = node
        directories[directory]!.pending.append(.set(name, node))
    }

    mutating func perform(_ operation: FileOperation) {
        switch operation {
        case .makeDirectory(let path):
            directories[nextNode] = Directory()
            enter(nextNode, at: path)
            nextNode += 1
        case .create(let path), .open(let path):
            if let file = node(parts(path)) {
                guard case .create = operation else { return }
                files[file]!.bytes = []
                files[file]!.pending.append(.truncate(0))
            } else {
                files[nextNode] = File()
                enter(nextNode, at: path)
                nextNode += 1
            }
        case .write(let path, let offset, let bytes): change(path, .write(offset, bytes))
        case .truncate(let path, let size): change(path, .truncate(size))
        case .synchronize(let path):
            guard let file = node(parts(path)) else { return }
            files[file]!.safe = files[file]!.bytes
            files[file]!.pending = []
        case .rename(let old, let new):
            let (directory, name) = parent(old)
            let newName = parent(new).name
            precondition(parent(new).directory == directory, "SimulatedDisk: \(old) to another directory")
            directories[directory]!.names[newName] = directories[directory]!.names.removeValue(forKey: name)
            directories[directory]!.pending.append(.move(name, to: newName))
        case .synchronizeDirectory(let path):
            guard let directory = node(parts(path)) else { return }
            directories[directory]!.safe = directories[directory]!.names
            directories[directory]!.pending = []
        case .remove(let path):
            let (directory, name) = parent(path)
            directories[directory]!.names[name] = nil
            directories[directory]!.pending.append(.unset(name))
        }
    }

    private mutating func change(_ path: String, _ change: DataChange) {
        guard let file = node(parts(path)) else { preconditionFailure("SimulatedDisk: no file \(path)") }
        Self.apply(change, to: &files[file]!.bytes)
        files[file]!.pending.append(change)
    }

    private static func apply(_ change: DataChange, to bytes: inout [UInt8]) {
        switch change {
        case .write(let offset, let new):
            if bytes.count < offset + new.count {
                bytes += repeatElement(0, count: offset + new.count - bytes.count)
            }
            bytes.replaceSubrange(offset..<offset + new.count, with: new)
        case .truncate(let size):
            bytes = Array(bytes.prefix(size)) + repeatElement(0, count: max(0, size - bytes.count))
        }
    }

    /// Writes to `path` what a power cut leaves.
    ///
    /// - Parameters:
    ///   - keepsName: asked of each change of a directory that is not safe; without the change before it one may mean nothing.
    ///   - keepsData: likewise of each write.
    func cut(into path: String, keepsName: () -> Bool, keepsData: () -> Bool) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try restore(0, path, keepsName, keepsData)
    }

    private func restore(
        _ node: Int, _ path: String, _ keepsName: () -> Bool, _ keepsData: () -> Bool
    ) throws {
        guard let directory = directories[node] else { return }
        var names = directory.safe
        for change in directory.pending where keepsName() {
            switch change {
            case .set(let name, let node): names[name] = node
            case .unset(let name): names[name] = nil
            case .move(let old, let new):
                if let moved = names.removeValue(forKey: old) { names[new] = moved }
            }
        }
        for (name, child) in names.sorted(by: { $0.key < $1.key }) {
            let place = "\(path)/\(name)"
            if let file = files[child] {
                var bytes = file.safe
                for change in file.pending where keepsData() { Self.apply(change, to: &bytes) }
                try Data(bytes).write(to: URL(filePath: place))
            } else {
                try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                try restore(child, place, keepsName, keepsData)
            }
        }
    }
}
