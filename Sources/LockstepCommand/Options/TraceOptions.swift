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

    /// Refuses a place that cannot be written, and one that holds or may come to hold anything but a trace, before anything is begun.
    ///
    /// - Parameters:
    ///   - run: the directory of the run that is to be traced, where there is one and it is known.
    ///   - isSupervised: whether the supervisor keeps the parts: those of coordinators that were killed before this one are then in the
    ///     trace as well.
    /// - Returns: nil when no trace was asked for.
    func prepare(run: String? = nil, isSupervised: Bool = false) throws -> PreparedTrace? {
        guard let trace else { return nil }
        let place = try TracePlace(trace, run: run)
        return PreparedTrace(place: place, parts: try (isSupervised ? TraceParts.given() : nil) ?? Self.parts())
    }

    /// Where this process and those that it starts leave their parts.
    static func parts() throws(UsageError) -> TraceParts {
        do { return try TraceParts() } catch { throw UsageError("\(error)") }
    }
}

/// A trace that was asked for: where it goes, and where the processes that are to be in it leave their parts.
struct PreparedTrace {
    let place: TracePlace
    let parts: TraceParts

    /// Joins what was left.
    ///
    /// - Parameter note: takes sentences for people.
    func write(note: (String) -> Void) throws {
        let lost = TraceLog.end()
        if lost > 0 { note("--trace: \(lost) spans found no room and are not in \(place.name)") }
        try place.write(Array(parts.processes().traceJSON.utf8))
    }
}

extension PreparedTrace? {
    /// Does `body`, and writes the trace of it if one was asked for, however it ends.
    ///
    /// - Parameters:
    ///   - name: of this process in the trace.
    ///   - note: takes sentences for people.
    func taken(as name: String, note: (String) -> Void, _ body: () async throws -> Void) async throws {
        if let self { try TraceLog.begin(as: name, in: self.parts.directory) }
        do { try await body() } catch {
            // How the training ended is what counts.
            do { try self?.write(note: note) } catch let failure { note("\(failure)") }
            throw error
        }
        try self?.write(note: note)
    }
}
