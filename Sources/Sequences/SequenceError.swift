/// Data that cannot be trained on, in one line for the person who named it: what, where, wanted, got.
package struct SequenceError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The system refused to open or read the file.
        case unreadable
        case directory
        /// A pipe, a socket or a device.
        case notAFile
        /// The file became shorter while it was read.
        case changed
        case empty
        /// More than the machine should hold.
        case tooLarge
        case oneSymbol
        case invalidUTF8
        case unknownSymbol
        /// Fewer tokens than one window, or one chunk of every stream, needs.
        case tooShort
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
