import ArgumentParser
import Foundation
import Tracing

/// `--trace FILE`, of commands that train.
struct TraceOptions: ParsableArguments {
    @Option(
        help:
            "Write where the time of this process and its local workers goes, for ui.perfetto.dev or chrome://tracing.",
        completion: .file())
    var trace: String?

    /// Refuses a place that cannot be written, and a file that is no trace, before anything is begun; nothing is written yet.
    func check() throws {
        guard let trace else { return }
        guard !trace.isEmpty else { throw UsageError("--trace '': expected a place for a file") }
        let place = URL(fileURLWithPath: trace).resolvingSymlinksInPath().path
        let isThere = FileManager.default.fileExists(atPath: place)
        guard !isThere || Self.isTraceOrEmpty(place) else {
            throw UsageError(
                "--trace \(trace): what is there is no trace; expected a new place, or a trace to write over")
        }
        let isWritable =
            isThere
            ? FileManager.default.isWritableFile(atPath: place)
            : FileManager.default.createFile(atPath: place, contents: nil)
        guard isWritable else { throw UsageError("--trace \(trace): cannot be written; expected a place for a file") }
        if !isThere { try? FileManager.default.removeItem(atPath: place) }
    }

    private static func isTraceOrEmpty(_ path: String) -> Bool {
        // Asked before it is opened: a pipe would wait for somebody who writes.
        guard let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType,
            type == .typeRegular, let file = FileHandle(forReadingAtPath: path)
        else { return false }
        defer { try? file.close() }
        let wanted = Data([TracedProcess].traceBeginning.utf8)
        guard let beginning = try? file.read(upToCount: wanted.count) else { return true }
        return beginning.isEmpty || beginning == wanted
    }

    /// Does `body`, and writes the trace of it if one was asked for, however it ends.
    ///
    /// - Parameters:
    ///   - name: of this process in the trace.
    ///   - isSupervised: whether the supervisor keeps the parts: those of coordinators that were killed before this one are then in the
    ///     trace as well.
    ///   - note: takes sentences for people.
    func traced(
        as name: String, isSupervised: Bool = false, note: (String) -> Void, _ body: () async throws -> Void
    ) async throws {
        let parts = try parts(isSupervised: isSupervised)
        if let parts { try TraceLog.begin(as: name, in: parts.directory) }
        do { try await body() } catch {
            try write(parts, note: note)
            throw error
        }
        try write(parts, note: note)
    }

    /// Where this process and those that it starts leave their parts; nil when no trace was asked for.
    func parts(isSupervised: Bool = false) throws -> TraceParts? {
        guard trace != nil else { return nil }
        return try (isSupervised ? TraceParts.given() : nil) ?? TraceParts()
    }

    /// Joins what was left.
    func write(_ parts: TraceParts?, note: (String) -> Void) throws {
        guard let trace, let parts else { return }
        let lost = TraceLog.end()
        if lost > 0 { note("--trace: \(lost) spans found no room and are not in \(trace)") }
        do { try Data(parts.processes().traceJSON.utf8).write(to: URL(fileURLWithPath: trace)) } catch {
            throw UsageError("--trace \(trace): \(error.localizedDescription)")
        }
    }
}
