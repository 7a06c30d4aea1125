/// Whose key a connection was made with: proof of who speaks, where there are keys. The public key's text.
package struct PeerKey: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { text }
}
