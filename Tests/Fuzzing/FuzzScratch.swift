internal import Foundation
internal import Training

/// A run's directory in memory, into which the files under trial are put one after another.
struct FuzzScratch {
    static let shared = FuzzScratch()
    let path: String

    private init() {
        let parent = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        path = "\(parent)/lockstep-fuzz-\(getpid())"
        do {
            try FileManager.default.createDirectory(
                atPath: "\(path)/checkpoints/step-00000001", withIntermediateDirectories: true)
        } catch { preconditionFailure("FuzzScratch: \(error)") }
        atexit { try? FileManager.default.removeItem(atPath: FuzzScratch.shared.path) }
        write([UInt8("{}".utf8.first!), UInt8("{}".utf8.last!)], to: "run.json")
    }

    var run: RunDirectory {
        do { return try RunDirectory(path) } catch { preconditionFailure("FuzzScratch: \(error)") }
    }

    /// Writes a file anew: in place, since only the last content counts.
    func write(_ bytes: [UInt8], to name: String) {
        let descriptor = unsafe open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        let count = unsafe bytes.withUnsafeBytes { unsafe Foundation.write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        precondition(count == bytes.count, "FuzzScratch: wrote \(count) of \(bytes.count) bytes to \(name)")
    }
}
