import Foundation
import Training

/// Shows how training goes: one line that is rewritten on a terminal, a plain line every few seconds elsewhere. Always on standard error.
final class ProgressDisplay: ProgressObserver {
    private let isTerminal: Bool
    private let interval: Duration
    private let clock = ContinuousClock()
    private var lastShown: ContinuousClock.Instant?

    /// Whether progress is one line that is rewritten.
    static var showsOneLine: Bool {
        isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    init() {
        isTerminal = Self.showsOneLine
        interval = isTerminal ? .milliseconds(100) : .seconds(5)
    }

    func progressed(_ progress: RunProgress) {
        let now = clock.now
        if let lastShown, now - lastShown < interval, progress.step < progress.steps { return }
        lastShown = now
        let text = line(progress)
        if isTerminal {
            Output.showProgress(fitted(text))
        } else {
            Output.tell(text)
        }
    }

    /// A sentence between two progress lines.
    func note(_ sentence: String) { Output.tell(sentence) }

    /// Leaves the progress line as it stands and goes to the next.
    func close() { Output.closeProgress() }

    private func line(_ progress: RunProgress) -> String {
        var parts = [
            "step \(progress.step)/\(progress.steps)", "loss \(decimal(progress.loss, 4))",
        ]
        if let validation = progress.validationLoss { parts.append("validation \(decimal(validation, 4))") }
        if let score = progress.score { parts.append("\(score.name) \(decimal(score.value * 100, 1)) %") }
        parts.append("\(grouped(progress.tokensPerSecond)) tokens/s")
        if let left = progress.timeLeft { parts.append("\(clockTime(left)) left") }
        if let workers = progress.workers { parts.append(workers == 1 ? "1 worker" : "\(workers) workers") }
        return parts.joined(separator: "  ")
    }

    /// Cut to the width of the terminal: a line that wraps cannot be rewritten.
    private func fitted(_ text: String) -> String {
        var size = winsize()
        let width = unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        return String(text.prefix(width - 1))
    }
}

/// A number with that many digits after the point; from 10⁹ on with a power of ten, since it has up to 309 before it.
func decimal(_ value: Double, _ digits: Int) -> String {
    String(format: abs(value) < 1e9 ? "%.\(digits)f" : "%.6g", value)
}

/// A whole number with its thousands apart: 12,345.
func grouped(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "–" }
    let digits = String(Int(value.rounded()))
    var result = ""
    for (index, digit) in digits.reversed().enumerated() {
        if index > 0, index % 3 == 0, digit != "-" { result.append(",") }
        result.append(digit)
    }
    return String(result.reversed())
}

/// 9 s, 2:05, 1:02:03.
func clockTime(_ duration: Duration) -> String {
    let seconds = duration.components.seconds
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
    if hours > 0 { return String(format: "%d:%02d:%02d", hours, minutes, rest) }
    return minutes > 0 ? String(format: "%d:%02d", minutes, rest) : "\(rest) s"
}
