import Training

extension String {
    /// A text in which whoever wrote part of it cannot begin a line, or tell a terminal what to do.
    var inOneLine: String {
        let lines = split(whereSeparator: \.isNewline).joined(separator: " ")
        guard lines.unicodeScalars.contains(where: \.isUnprintable) else { return lines }
        return lines.unicodeScalars.reduce(into: "") { line, scalar in
            if scalar.isUnprintable {
                line += scalar.escaped(asASCII: true)
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
    }
}
