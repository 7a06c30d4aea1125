import Foundation
import Synchronization

/// Standard output that took no more.
struct OutputError: Error, CustomStringConvertible {
    let number: Int32

    /// The reader went away (`lockstep … | head`): it has what it wanted.
    var isClosedPipe: Bool { number == EPIPE }
    var description: String {
        let reason = number == ETIMEDOUT ? "its reader takes nothing" : unsafe String(cString: strerror(number))
        return "cannot write to standard output: \(reason)"
    }
}

/// What the command prints. Foundation's own writes end the process when nobody can take them.
enum Output {
    /// Fills the places of standard streams that are closed: the next file or socket would get their numbers, and with them what is
    /// printed. Writing to standard output still fails.
    static func occupyStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = unsafe open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Results, on standard output.
    ///
    /// - Throws: `OutputError`; what was asked for must not be lost without a word.
    static func write(_ text: String) throws(OutputError) {
        let number = results.write(text)
        if number != 0 { throw OutputError(number: number) }
    }

    static func writeLine(_ text: String) throws(OutputError) { try write(text + "\n") }

    /// A result in one line, whoever wrote parts of it: paths, names and what stands in files.
    static func writeSentence(_ sentence: String) throws(OutputError) { try writeLine(sentence.inOneLine) }

    /// One line for people, on standard error, whoever wrote parts of it; below the line of progress, if one is open.
    static func tell(_ sentence: String) {
        let end = isProgressOpen.exchange(false, ordering: .relaxed) ? "\n" : ""
        tellAsItIs("\(end)\(sentence.inOneLine)\n")
    }

    /// The same, over a line of progress that another process may have left open.
    static func tellOver(_ sentence: String) { tellAsItIs("\r\(sentence.inOneLine)\(eraseToEnd)\n") }

    /// The line of progress on a terminal, over the one before, which may have been longer.
    static func showProgress(_ line: String) {
        isProgressOpen.store(true, ordering: .relaxed)
        tellAsItIs("\r\(line)\(eraseToEnd)")
    }

    /// Leaves the line of progress as it stands and goes to the next.
    static func closeProgress() {
        if isProgressOpen.exchange(false, ordering: .relaxed) { tellAsItIs("\n") }
    }

    private static let eraseToEnd = "\u{1B}[K"

    /// Words for people: where nobody listens they are lost, and the training goes on.
    private static func tellAsItIs(_ text: String) {
        let missing = words.takeDropped()
        let lines = missing == 1 ? "1 line is" : "\(missing) lines are"
        let note = missing == 0 ? "" : "(nobody took what came before this: \(lines) left out)\n"
        if words.write(note + text) == ETIMEDOUT { words.restoreDropped(missing) }
    }

    private static let results = PatientWriter(STDOUT_FILENO)
    private static let words = PatientWriter(STDERR_FILENO)
    /// Whether progress stands in a line that has no end yet.
    private static let isProgressOpen = Atomic<Bool>(false)
}
