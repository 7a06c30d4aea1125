/// What a ledger says of the steps that a run may go on from.
struct LedgerSurvey {
    /// A line that holds.
    struct Mark {
        let hash: [UInt8]
        /// Where the line ends.
        let end: Int
        /// How many damaged places come before it.
        let damages: Int
    }

    /// Of the steps that were asked for, and of step 0, which stands before the first line.
    private(set) var marks: [UInt64: Mark]
    /// What the first line follows from; nil when there is none that holds.
    private(set) var origin: [UInt8]?
    /// Of the last line that holds.
    private(set) var steps: UInt64 = 0
    private(set) var damages: [LedgerDamage] = []
    private(set) var tornBytes = 0
    /// A step whose checkpoint was whole before the last line was written, as far as the ledger can tell.
    private(set) var savedStep: UInt64?

    /// - Parameter beginning: what the first line is to follow from, as the run's settings say; nil for whatever it does.
    /// - Throws: `RunError.changed` when it follows from something else.
    init(path: String, marking wanted: Set<UInt64>, from beginning: [UInt8]?) throws(RunError) {
        marks = [0: Mark(hash: beginning ?? LedgerLine.noHash, end: 0, damages: 0)]
        guard FileSystem.kind(of: path) != nil else { return }
        var cursor = try LedgerCursor(path: path)
        // A checkpoint is begun after its step's line, once the one before is whole.
        var begun: [UInt64] = []
        while let piece = try cursor.next() {
            switch piece {
            case .damage(let damage): damages.append(damage)
            case .torn(let bytes): tornBytes = bytes
            case .line(let line, let end):
                let step = line.entry.step
                if step == 1, origin == nil { origin = line.previous }
                if begun.count == 2 { savedStep = begun.removeFirst() }
                if line.entry.parametersSHA256 != nil { begun.append(step) }
                steps = step
                if wanted.contains(step) { marks[step] = Mark(hash: line.hash, end: end, damages: damages.count) }
            }
        }
        // The ledgers of earlier versions begin from nothing, whatever the settings.
        guard let origin, origin != LedgerLine.noHash else { return }
        guard let beginning else {
            marks[0] = Mark(hash: origin, end: 0, damages: 0)
            return
        }
        guard origin != beginning else { return }
        throw RunError(
            .changed,
            "\(path): its first line follows from other settings or other data than run.json and origin.json have; expected all three as the run began"
        )
    }

    /// Where the line after that of `step` is to stand when its own is gone: behind all that is there, but for lines of later steps
    /// and a torn end.
    static func place(after step: UInt64, in path: String) throws(RunError) -> Int {
        guard FileSystem.kind(of: path) != nil else { return 0 }
        var cursor = try LedgerCursor(path: path)
        while let piece = try cursor.next() {
            guard case .line(let line, let end) = piece, line.entry.step > step else { continue }
            var rendered: [UInt8] = []
            _ = LedgerLine.render(line.entry, previous: line.previous, into: &rendered)
            return end - rendered.count
        }
        var (lines, end) = (try LineReader(path: path), 0)
        while let line = try lines.next() { end = line.end ?? end }
        return end
    }

    /// Why the line of a step does not vouch for its checkpoint, when it has no mark.
    func absence(in path: String) -> String {
        damages.first?.sentence ?? "\(path): ends at step \(steps); the line of the checkpoint is missing"
    }
}
