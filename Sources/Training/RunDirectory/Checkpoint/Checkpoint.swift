package import Interchange

/// A checkpoint of which every file has been found to be what was written.
package struct Checkpoint: Sendable {
    package let path: String
    package let step: UInt64
    /// Hash of the ledger's line of `step`, in hexadecimal.
    package var ledgerHead: String { manifest.ledgerHead }
    /// Whether the ledger's line with that hash is the one that the checkpoint was written after.
    func follows(_ hash: [UInt8]) -> Bool { ledgerHead.utf8.elementsEqual(hash) }
    let manifest: CheckpointManifest

    /// Reads every file of the checkpoint in `path` and holds it against the manifest.
    ///
    /// - Throws: `RunError.damaged` for anything that is not as written, and the system's refusals.
    package init(verifying path: String, step: UInt64) throws(RunError) {
        guard try FileSystem.foundKind(of: path) == .directory else {
            throw RunError(.damaged, "\(path): not a directory")
        }
        guard try !FileSystem.names(in: path).isEmpty else {
            throw RunError(.damaged, "\(path): an empty directory; expected the files of a checkpoint")
        }
        let manifestPath = "\(path)/\(CheckpointManifest.name)"
        manifest = try CheckpointManifest.read(in: path)
        if let objection = manifest.objection(step: step) { throw RunError(.damaged, "\(manifestPath): \(objection)") }
        self.path = path
        self.step = step
        for (name, record) in manifest.files.sorted(by: { $0.key.precedesByBytes($1.key) }) {
            let file = try open(name, record)
            var sha = SHA256Hex()
            for start in stride(from: 0, to: file.size, by: CheckpointFile.pieceSize) {
                let piece = try RunError.reading { () throws(FileFailure) in
                    try file.bytes(start..<min(start + CheckpointFile.pieceSize, file.size))
                }
                unsafe sha.absorb(piece.span.bytes)
            }
            try check(sha, record, file.path)
        }
    }

    package var fileNames: [String] { manifest.files.keys.sorted { $0.precedesByBytes($1) } }

    /// A file's bytes, held against the manifest once more: what is used is what was verified.
    package func bytes(_ name: String) throws(RunError) -> [UInt8] {
        guard let record = manifest.files[name] else {
            throw RunError(.damaged, "\(path): no file \(name); there are \(fileNames.joined(separator: ", "))")
        }
        let file = try open(name, record)
        let bytes = try RunError.reading { () throws(FileFailure) in try file.bytes(0..<file.size) }
        var sha = SHA256Hex()
        unsafe sha.absorb(bytes.span.bytes)
        try check(sha, record, file.path)
        return bytes
    }

    package func tensors(_ name: String) throws(RunError) -> SafetensorsFile {
        do { return try SafetensorsFile(bytes: bytes(name), name: "\(path)/\(name)") } catch let error
            as SafetensorsError
        {
            throw RunError(error)
        } catch let error as RunError { throw error } catch { preconditionFailure("Checkpoint: \(error)") }
    }

    package func json<Value: Decodable>(_ name: String, as _: Value.Type = Value.self) throws(RunError) -> Value {
        try JSONText.decode(Value.self, from: bytes(name), path: "\(path)/\(name)")
    }

    private func open(_ name: String, _ record: CheckpointManifest.Record) throws(RunError) -> InputFile {
        let file = try RunError.reading { () throws(FileFailure) in
            try InputFile(path: "\(path)/\(name)", followsLinks: false)
        }
        guard file.size == record.bytes else {
            throw RunError(.damaged, "\(file.path): \(file.size) bytes; the manifest says \(record.bytes)")
        }
        return file
    }

    private func check(_ sha: SHA256Hex, _ record: CheckpointManifest.Record, _ path: String) throws(RunError) {
        guard sha.hexadecimal() == record.sha256 else {
            throw RunError(.damaged, "\(path): not what was written: its SHA-256 differs from the manifest's")
        }
    }
}
