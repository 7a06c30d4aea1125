import Coordination

/// The run directory of a simulated coordinator: what is there for certain, and what only the system's memory holds.
///
/// The death of a process loses nothing of it. A power cut loses any part of what no fsync has brought to the disk.
struct SimulatedDisk {
    typealias State = SimulatedMathematics.State
    typealias LedgerLine = SimulatedMathematics.LedgerLine

    struct Checkpoint {
        let step: Int
        let state: State
        let ledgerHead: UInt64
        var isWhole = false
        var isDataSafe = false
        var isNamed = false
        var isNameSafe = false
    }

    /// The calls by which a checkpoint is written, in order.
    enum WritingStep: CaseIterable {
        case synchronizeLedger
        case writeFiles
        case synchronizeFiles
        case rename
        case synchronizeDirectory
        case prune
    }

    private(set) var ledger: [LedgerLine] = []
    private var safeLines = 0
    private(set) var checkpoints: [Checkpoint] = []
    private(set) var incarnation: UInt64 = 0
    /// The newest step whose checkpoint was said to be written.
    private(set) var promised = 0

    let kept: Int
    /// The fsync that a planted bug forgets.
    let forgotten: WritingStep?

    init(kept: Int, forgotten: WritingStep?) {
        self.kept = kept
        self.forgotten = forgotten
    }

    mutating func append(_ line: LedgerLine) { ledger.append(line) }

    /// Does one step of writing the checkpoint of `step`.
    mutating func perform(_ writing: WritingStep, of checkpoint: Checkpoint) {
        let step = checkpoint.step
        if writing == .writeFiles {
            checkpoints.removeAll { $0.step == step && !$0.isNamed }
            checkpoints.append(checkpoint)
            return
        }
        let place = checkpoints.firstIndex { $0.step == step && !$0.isNamed }
        switch writing {
        case .writeFiles: break
        case .synchronizeLedger: if forgotten != writing { safeLines = ledger.count }
        case .synchronizeFiles:
            // The manifest, without which it is not whole, comes behind them.
            guard let place else { return }
            checkpoints[place].isWhole = true
            checkpoints[place].isDataSafe = forgotten != writing
        case .rename:
            guard let place else { return }
            var renamed = checkpoints.remove(at: place)
            renamed.isNamed = true
            checkpoints.removeAll { $0.step == step }
            checkpoints.append(renamed)
        case .synchronizeDirectory:
            guard forgotten != writing else { return }
            for index in checkpoints.indices where checkpoints[index].isNamed { checkpoints[index].isNameSafe = true }
        case .prune:
            promised = max(promised, step)
            let steps = checkpoints.filter { $0.isNamed && $0.step <= step }.map(\.step).sorted(by: >)
            let old = Set(steps.dropFirst(kept))
            checkpoints.removeAll { old.contains($0.step) }
        }
    }

    /// What the disk holds after the machine has lost power.
    mutating func cutPower(using generator: inout SeededGenerator) {
        ledger = Array(ledger.prefix(Int.random(in: min(safeLines, ledger.count)...ledger.count, using: &generator)))
        safeLines = ledger.count
        checkpoints = checkpoints.compactMap { checkpoint in
            var checkpoint = checkpoint
            if checkpoint.isNamed, !checkpoint.isNameSafe, generator.chance(0.5) { checkpoint.isNamed = false }
            if !checkpoint.isNamed, generator.chance(0.3) { return nil }
            if !checkpoint.isDataSafe, generator.chance(0.5) { checkpoint.isWhole = false }
            // What was read back is there for certain.
            checkpoint.isDataSafe = true
            checkpoint.isNameSafe = checkpoint.isNamed
            return checkpoint
        }
    }

    /// Takes the run up again, as its next holder does: puts names in order, finds the newest checkpoint that verifies and that
    /// the ledger vouches for, and cuts the ledger there.
    mutating func resume(first: State) throws -> (incarnation: UInt64, step: Int, state: State) {
        incarnation += 1
        for index in checkpoints.indices where !checkpoints[index].isNamed && checkpoints[index].isWhole {
            let step = checkpoints[index].step
            guard !checkpoints.contains(where: { $0.step == step && $0.isNamed }) else { continue }
            checkpoints[index].isNamed = true
        }
        checkpoints.removeAll { !$0.isNamed }
        for index in checkpoints.indices { checkpoints[index].isNameSafe = true }
        let newest = checkpoints.sorted { $0.step > $1.step }.first { checkpoint in
            checkpoint.isWhole && checkpoint.step <= ledger.count
                && LedgerLine.head(ledger.prefix(checkpoint.step)) == checkpoint.ledgerHead
        }
        guard let newest else {
            guard checkpoints.isEmpty, promised == 0 else {
                throw Violation("no checkpoint can be used; one of step \(promised) was written")
            }
            ledger = []
            safeLines = 0
            return (incarnation, 0, first)
        }
        guard newest.step >= promised else {
            throw Violation("the checkpoint of step \(promised) is lost; the newest is of step \(newest.step)")
        }
        ledger = Array(ledger.prefix(newest.step))
        safeLines = min(safeLines, ledger.count)
        return (incarnation, newest.step, newest.state)
    }
}
