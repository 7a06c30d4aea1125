internal import Coordination
internal import Interchange

/// What the file `incarnation` holds: a number, a space, and a checksum of the two, so that no damaged one passes for another.
enum IncarnationLine {
    static let fileName = "incarnation"
    /// Bytes.
    static let limit = 64
    /// The highest number that is counted on from: of a line without its checksum, which somebody may have written by hand, and of one
    /// with it. Nobody counts from the one to the other, so that what is taken once is not refused later.
    static let (highestAlone, highest): (UInt64, UInt64) = (1 << 52, 1 << 53)

    static func bytes(_ number: UInt64) -> [UInt8] {
        let text = Array("\(number) ".utf8)
        var line = text
        line.append(hexadecimal: unsafe XXH64.hash(text.span.bytes))
        line.append(UInt8(ascii: "\n"))
        return line
    }

    /// The number of the last that held a run, whatever is left to tell it.
    ///
    /// - Parameters:
    ///   - lock: this process's, which tells what the last holder took down there.
    ///   - notes: where a sentence goes when the file is missing.
    /// - Throws: `RunError.damaged` rather than to give a number that somebody may have held, or one that cannot be counted on from.
    static func last(of run: String, _ lock: RunLock, _ notes: inout [String]) throws(RunError) -> UInt64 {
        let path = "\(run)/\(fileName)"
        if let line = lock.lastLine, let number = number(in: Array("\(line)\n".utf8)),
            let excess = excess(number, in: line)
        {
            throw RunError(
                .damaged,
                "\(run)/\(RunLock.fileName): `incarnation` is \(excess); or remove the file, which is made anew")
        }
        guard FileSystem.kind(of: path) != nil else {
            if let number = lock.lastIncarnation {
                notes.append(
                    "\(path): missing; written again from the lock file, which says that the last was \(number)")
                return number
            }
            guard let witness = RunDirectory.grownNames.first(where: { FileSystem.kind(of: "\(run)/\($0)") != nil })
            else { return 0 }
            throw RunError(
                .damaged,
                "\(path): missing, and so is its number in the lock file, although \(witness) says that the run was held before; expected it as the last holder wrote it; a number above all that held the run does as well, for instance 1000000, alone on its line"
            )
        }
        let bytes = try RunError.reading { () throws(FileFailure) in try InputFile.contents(of: path, limit: limit) }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let number = number(in: bytes) else {
            throw RunError(
                .damaged,
                "\(path): got \(String(text.prefix(32)).json); expected a whole number and its checksum, as the run's last holder wrote them; one above all that held the run does as well, for instance 1000000, alone on its line"
            )
        }
        if let excess = excess(number, in: text) {
            throw RunError(
                .damaged,
                "\(path): got \(excess); one above all that held the run does as well, for instance 1000000, alone on its line"
            )
        }
        // One that was put back from an older copy is behind the lock's.
        return max(number, lock.lastIncarnation ?? 0)
    }

    /// What is to be said of a number that is too high; nil when it is not.
    private static func excess(_ number: UInt64, in line: String) -> String? {
        let most = line.contains(" ") ? highest : highestAlone
        return number > most
            ? "\(number), which no run comes to; expected at most \(most), as the run's last holder wrote it" : nil
    }

    /// Nil when the line is not as it was written. A number alone is one that an earlier version wrote.
    static func number(in line: [UInt8]) -> UInt64? {
        let digits = line.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = UInt64(String(decoding: digits, as: UTF8.self)) else { return nil }
        return line == bytes(number) || line == Array("\(number)\n".utf8) ? number : nil
    }
}
