/// Why training across processes could not go on.
package struct ClusterError: Error, CustomStringConvertible {
    /// What the process ends with: 1 failed, 2 bad usage, 3 refused by the peer.
    package let exitCode: Int32
    /// One line: what, where, wanted, got.
    package let description: String

    package init(exitCode: Int32 = 1, _ description: String) {
        self.exitCode = exitCode
        self.description = description
    }
}
