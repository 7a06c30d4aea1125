internal import Synchronization
public import TensorCore

/// Where the layers of the forward pass at hand get their dropout masks from; without one nothing is dropped.
enum DropoutMode {
    @TaskLocal static var current: Calls?

    /// Counts the layers that ask, so that each has masks of its own.
    final class Calls: Sendable {
        private let stream: DropoutStream
        private let asked = Mutex<UInt32>(0)

        init(_ stream: DropoutStream) { self.stream = stream }

        func next() -> DropoutStream {
            stream.substream(
                asked.withLock { asked in
                    defer { asked += 1 }
                    return asked
                })
        }
    }
}

/// Runs a forward pass in training mode: dropout layers, and dropout between recurrent layers, draw their masks from `stream`.
///
/// Outside of it dropout does nothing, as in PyTorch after `eval()`. The masks follow from the stream and from the order in which
/// layers are called.
public func withDropout<Result>(_ stream: DropoutStream, _ body: () throws -> Result) rethrows -> Result {
    try DropoutMode.$current.withValue(DropoutMode.Calls(stream), operation: body)
}
