internal import Foundation

/// What a coordinator and its supervisor tell each other, a line each, on the coordinator's standard input.
enum SupervisionMessage: Equatable {
    /// The coordinator begins its run in this directory, or goes on with the one there.
    case run(String)
    /// The coordinator has done a step.
    case step(UInt64)
    /// The coordinator has started a worker, counted from 0, as this process; 0 when it has ended.
    case worker(Int, process: Int32)
    /// The coordinator has thrown away so many messages on purpose since it last said so.
    case dropped(Int)
    /// The coordinator has said its result and will end with this code.
    case finished(Int32)
    /// The supervisor was asked to stop by this signal.
    case stop(Int32)
    /// The supervisor has done all that `--chaos` wants at this step or before.
    case through(UInt64)

    var line: String {
        switch self {
        case .run(let path):
            // A path may hold any character, a new line too.
            "run \(path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path)\n"
        case .step(let step): "step \(step)\n"
        case .worker(let number, let process): "worker \(number) \(process)\n"
        case .dropped(let count): "dropped \(count)\n"
        case .finished(let code): "finished \(code)\n"
        case .stop(let number): "stop \(number)\n"
        case .through(let step): "through \(step)\n"
        }
    }

    init?(line: Substring) {
        let parts = line.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case "run":
            guard let path = String(parts[1]).removingPercentEncoding else { return nil }
            self = .run(path)
        case "step":
            guard let step = UInt64(parts[1]) else { return nil }
            self = .step(step)
        case "worker":
            let numbers = parts[1].split(separator: " ").compactMap { Int32($0) }
            guard numbers.count == 2 else { return nil }
            self = .worker(Int(numbers[0]), process: numbers[1])
        case "dropped":
            guard let count = Int(parts[1]) else { return nil }
            self = .dropped(count)
        case "finished":
            guard let code = Int32(parts[1]) else { return nil }
            self = .finished(code)
        case "stop":
            guard let number = Int32(parts[1]) else { return nil }
            self = .stop(number)
        case "through":
            guard let step = UInt64(parts[1]) else { return nil }
            self = .through(step)
        default: return nil
        }
    }
}

/// One end of the connection between a coordinator and its supervisor. Neither ever waits for the other.
struct SupervisionLink: Sendable {
    let descriptor: Int32

    /// Sends what there is room for: one that does not listen is not waited for.
    ///
    /// - Returns: whether there was.
    @discardableResult
    func send(_ message: SupervisionMessage) -> Bool {
        let bytes = Array(message.line.utf8)
        return unsafe bytes.withUnsafeBytes {
            unsafe Foundation.send(descriptor, $0.baseAddress, $0.count, Self.withoutWaiting)
        } == bytes.count
    }

    /// What has arrived; nil once the other end is gone.
    ///
    /// - Parameter waits: until something arrives.
    func receive(waits: Bool, into buffer: inout [UInt8]) -> [SupervisionMessage]? {
        var chunk = [UInt8](repeating: 0, count: 4096)
        let flags = waits ? 0 : Self.withoutWaiting
        let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, flags) }
        if count == 0 { return nil }
        if count < 0 { return [EINTR, EAGAIN, EWOULDBLOCK].contains(errno) ? [] : nil }
        buffer += chunk[..<count]
        guard let end = buffer.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        let lines = String(decoding: buffer[..<end], as: UTF8.self).split(separator: "\n")
        buffer.removeSubrange(...end)
        return lines.compactMap(SupervisionMessage.init(line:))
    }

    private static let withoutWaiting = Int32(MSG_DONTWAIT)

    #if canImport(Darwin)
        static let stream = SOCK_STREAM
    #else
        static let stream = Int32(SOCK_STREAM.rawValue)
    #endif
}
