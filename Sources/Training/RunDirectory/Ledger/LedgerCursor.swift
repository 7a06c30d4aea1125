internal import Interchange

/// Where a ledger does not hold together.
struct LedgerDamage: Sendable, Equatable {
    /// The file, the first line that is wrong, and what is wrong with it.
    let sentence: String
    /// The step of the last line before it; 0 when there is none.
    let after: UInt64
    /// The step of the line after which, or with which, the ledger holds together again; nil when none does.
    var before: UInt64?
}

/// Goes through a ledger from its first line to its last, past what is damaged.
///
/// A line that is what its own hash was made from, of a later step than those before it, begins a new stretch: what was computed
/// then is known although not every line on the way to it is. What the first line follows from is the caller's to judge.
struct LedgerCursor {
    enum Piece {
        /// A line that holds, and the place at which it ends.
        case line(LedgerLine, end: Int)
        case damage(LedgerDamage)
        /// A last line without its end, as a killed writer leaves it.
        case torn(bytes: Int)
    }

    private let path: String
    private var reader: LineReader
    /// Of the last line that was read, counted in the file.
    private var number = 0
    private var step: UInt64 = 0
    private var head = LedgerLine.noHash
    /// What comes after the damage that was handed out.
    private var waiting: Piece?
    private var rendered: [UInt8] = []

    init(path: String) throws(RunError) {
        self.path = path
        reader = try LineReader(path: path)
    }

    mutating func next() throws(RunError) -> Piece? {
        if let piece = waiting {
            waiting = nil
            return accept(piece)
        }
        guard let line = try nextLine() else { return nil }
        guard let end = line.end else { return .torn(bytes: line.bytes.count) }
        switch examine(line.bytes) {
        case .follows(let line): return accept(.line(line, end: end))
        case .doesNot(let itself, let fault):
            var damage = LedgerDamage(sentence: "\(path): line \(number) \(fault)", after: step)
            waiting = try findAgain(itself, end: end)
            if case .line(let line, _) = waiting { damage.before = line.entry.step }
            return .damage(damage)
        }
    }

    /// The same; nil, as at the end, when the file was cut while it was read.
    mutating func nextUnlessCut() throws(RunError) -> Piece? {
        do { return try next() } catch {
            guard error.isOfAFileCutMeanwhile else { throw error }
            return nil
        }
    }

    private mutating func accept(_ piece: Piece) -> Piece {
        if case .line(let line, _) = piece { (step, head) = (line.entry.step, line.hash) }
        return piece
    }

    /// A line whose end is missing is handed out with none only where the file ends.
    private mutating func nextLine() throws(RunError) -> (bytes: ArraySlice<UInt8>, end: Int?)? {
        guard let line = try reader.next() else { return nil }
        number += 1
        return (line.bytes, line.end ?? (reader.isAtEnd ? nil : 0))
    }

    /// The first line that holds by itself, from the one at hand on, or the torn end.
    private mutating func findAgain(_ itself: LedgerLine?, end: Int) throws(RunError) -> Piece? {
        if let itself, itself.entry.step > step { return .line(itself, end: end) }
        while let line = try nextLine() {
            guard let end = line.end else { return .torn(bytes: line.bytes.count) }
            switch examine(line.bytes) {
            case .follows(let line), .doesNot(let line?, _):
                if line.entry.step > step { return .line(line, end: end) }
            case .doesNot(nil, _): continue
            }
        }
        return nil
    }

    private enum Finding {
        case follows(LedgerLine)
        /// The line when it is at least what its hash was made from, and the end of a sentence.
        case doesNot(LedgerLine?, String)
    }

    private mutating func examine(_ bytes: ArraySlice<UInt8>) -> Finding {
        guard let line = LedgerLine(bytes) else { return .doesNot(nil, "is not a line of a ledger") }
        rendered.removeAll(keepingCapacity: true)
        let hash = LedgerLine.render(line.entry, previous: line.previous, into: &rendered)
        let itself = hash == line.hash && rendered.dropLast() == bytes ? line : nil
        guard line.entry.step == step &+ 1 else {
            return .doesNot(itself, "is of step \(line.entry.step); expected step \(step &+ 1)")
        }
        guard line.previous == head || number == 1 else {
            return .doesNot(itself, "does not follow from the line before it")
        }
        guard let itself else { return .doesNot(nil, "is not what its hash was made from") }
        return .follows(itself)
    }
}
