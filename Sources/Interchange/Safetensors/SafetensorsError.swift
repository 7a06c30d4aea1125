/// Why bytes are not a safetensors file, or not the one that was expected.
package struct SafetensorsError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Equatable, CaseIterable {
        /// The system would not read or write it.
        case file
        /// Shorter than the eight bytes of the header's length.
        case tooShort
        /// The header is said to be longer than the limit or the file.
        case headerLength
        /// The header is not the JSON that the format asks for.
        case header
        case duplicateName
        case unknownType
        /// The element or byte count of a shape does not fit a machine word.
        case shapeOverflow
        /// A tensor's place holds more or fewer bytes than its shape and type need.
        case sizeMismatch
        /// Tensors overlap, leave a gap, or end before or after the file does.
        case offsets
        /// What was asked for by name is not in the file.
        case noSuchTensor
        /// It is there, with another type or shape.
        case unexpected
        /// It holds a value that is not finite, where all must be.
        case notFinite
    }

    package let code: Code
    /// One line: which file, what, wanted, got.
    package let message: String
    package let cause: FileFailure?

    init(_ code: Code, _ source: String, _ message: String) {
        self.code = code
        self.message = "\(source): \(message)"
        cause = nil
    }

    init(_ failure: FileFailure) {
        code = .file
        message = failure.description
        cause = failure
    }

    package var description: String { message }
}

extension String {
    /// The string in quotes, on one line and not longer than a line, for messages about names that anyone may have written.
    var quoted: String {
        let shown = prefix(80).debugDescription
        return utf8.count > 400 || count > 80 ? shown + "… (\(utf8.count) bytes)" : shown
    }
}
