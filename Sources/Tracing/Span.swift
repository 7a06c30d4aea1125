/// What a process does with its time.
package enum Span: UInt8, CaseIterable, Sendable {
    /// Weights are put in the order that products read.
    case pack
    case forward
    case backward
    /// Frames are made, sealed and handed to the socket.
    case send
    /// Frames are taken from the socket and verified.
    case receive
    /// Answers are added in the tree.
    case reduce
    /// Norm, clipping, the optimiser's step, the copy for the workers.
    case update
    /// Nothing to do until a message comes.
    case wait
    /// Ledger, metrics, checkpoint.
    case record

    package var name: String { "\(self)" }
}
