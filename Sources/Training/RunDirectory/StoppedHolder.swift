internal import Foundation

/// A process of this machine that holds a run and stands still: it lets go of the run only when somebody continues it.
struct StoppedHolder {
    private let process: Int32
    /// Whether it was started by a supervisor that is gone: it saves then, and ends.
    private let isForsaken: Bool

    /// - Returns: nil when the process runs, or when that cannot be told.
    init?(_ process: Int32) {
        #if os(Linux)
            // What is in parentheses is the program's name, which may hold anything.
            guard let status = Self.contents("/proc/\(process)/stat"),
                let close = status.lastIndex(of: UInt8(ascii: ")"))
            else { return nil }
            let fields = status[(close + 1)...].split(separator: UInt8(ascii: " "))
            guard fields.count > 1, ["T", "t"].contains(String(decoding: fields[0], as: UTF8.self)) else { return nil }
            let words = Self.contents("/proc/\(process)/cmdline")?.split(separator: 0) ?? []
            let isSupervised = words.contains { $0.elementsEqual("--supervised".utf8) }
            let program = RunningProgram(of: process)?.path
            let parent = Int32(String(decoding: fields[1], as: UTF8.self)).flatMap(RunningProgram.init(of:))?.path
            isForsaken = isSupervised && program != nil && program != parent
            self.process = process
        #else
            return nil
        #endif
    }

    /// What is to be said after naming the process.
    var sentence: String {
        isForsaken
            ? ", which was stopped after its supervisor had died: kill -CONT \(process) lets it save and end"
            : ", which is stopped: kill -CONT \(process) lets it go on"
    }

    /// A file of `/proc`, which says that it is empty.
    private static func contents(_ path: String) -> [UInt8]? {
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() else { return nil }
        return Array(data)
    }
}
