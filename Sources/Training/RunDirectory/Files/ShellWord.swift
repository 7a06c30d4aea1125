extension String {
    /// A path as one word of a command line that is printed to be copied: in quotes where a shell would take it apart, with marks for what
    /// cannot be seen.
    package var shellWord: String {
        // Not an option either.
        hasPrefix("-") ? "./\(self)".quotedForShell : quotedForShell
    }

    /// Any text as one word of a command line.
    package var quotedForShell: String {
        guard isEmpty || !unicodeScalars.allSatisfy(Self.isPlain) else { return self }
        guard unicodeScalars.contains(where: \.isUnprintable) else {
            return "'\(replacing("'", with: #"'\''"#))'"
        }
        return unicodeScalars.reduce(into: "$'") { word, scalar in
            if scalar.isUnprintable {
                for byte in String(scalar).utf8 {
                    let octal = String(byte, radix: 8)
                    word += "\\" + String(repeating: "0", count: 3 - octal.count) + octal
                }
            } else {
                if scalar == "'" || scalar == "\\" { word += "\\" }
                word.unicodeScalars.append(scalar)
            }
        } + "'"
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.isASCII else { return scalar.properties.isAlphabetic || scalar.properties.numericType != nil }
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "/", ".", "_", "-", "+", ",", ":", "@", "%": return true
        default: return false
        }
    }
}

extension Unicode.Scalar {
    /// Whether a terminal would do something at it instead of showing it.
    package var isUnprintable: Bool {
        [.control, .format, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
    }
}
