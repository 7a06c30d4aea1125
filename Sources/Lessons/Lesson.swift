public import Lockstep

/// A worked example of a first course on recurrent networks: "hello" goes in, "ohlol" is learnt to come out.
///
/// A lesson is its own model: its layers are its properties, and `train` is the loop that the course writes on the board.
public protocol Lesson: Module {
    /// What the command calls it.
    static var name: String { get }
    static var title: String { get }
    static var defaultLearningRate: Double { get }
    /// A seed from which the default number of epochs ends at `ohlol`.
    static var defaultSeed: UInt64 { get }

    /// Layers with parameters from the default generator; `manualSeed` comes before.
    init()

    /// - Parameter epochDone: told the loss before each update, and the characters that the model finds most likely; ends the
    ///   training by throwing.
    func train(
        epochs: Int, learningRate: Double, epochDone: (_ loss: Float, _ predicted: IntTensor) throws -> Void
    ) rethrows

    /// The course's line for an epoch, counted from 1.
    static func line(epoch: Int, of epochs: Int, loss: Float, string: String) -> String
}

/// Every lesson, in the order of the course.
public var lessons: [any Lesson.Type] {
    [RNNCellLesson.self, RNNLesson.self, EmbeddingLesson.self, LSTMLesson.self, GRULesson.self]
}

/// The course's alphabet and its only sequence.
public enum Hello {
    static let alphabet = Array("ehlo")
    /// "hello"
    static let input = IntTensor([1, 0, 2, 2, 3])
    /// "ohlol"
    static let target = IntTensor([3, 1, 2, 3, 2])

    public static func text(_ characters: IntTensor) -> String { String(characters.values.map { alphabet[Int($0)] }) }
}

/// What a lesson came to: one loss and one string an epoch.
public struct LessonResult: Encodable, Sendable {
    public let lesson: String
    public let losses: [Float]
    public let strings: [String]
}

/// A lesson whose loss has left the range of numbers: nothing is learnt from there.
public struct LessonDivergence: Error, Sendable, CustomStringConvertible {
    public let lesson: String
    /// Counted from 1.
    public let epoch: Int
    public let loss: Float
    public let learningRate: Double

    public var description: String {
        "lesson \(lesson): epoch \(epoch): the loss is not finite; expected a number; a lower learning rate than \(learningRate) (--lr) may help"
    }
}

extension Lesson {
    public static var defaultEpochs: Int { 15 }

    /// Runs the lesson.
    ///
    /// - Parameters:
    ///   - initial: parameters to start from; nil for random ones.
    ///   - show: gets the course's line for each epoch.
    /// - Throws: `StateDictError` when `initial` does not belong to the lesson, `LessonDivergence` in the epoch whose loss is not finite.
    public static func run(
        epochs: Int? = nil, learningRate: Double? = nil, seed: UInt64? = nil, initial: [String: Tensor]? = nil,
        show: (String) -> Void = { _ in }
    ) throws -> LessonResult {
        manualSeed(seed ?? defaultSeed)
        let lesson = Self()
        if let initial { try lesson.load(stateDict: initial) }
        let epochs = epochs ?? defaultEpochs
        var losses: [Float] = []
        var strings: [String] = []
        let rate = learningRate ?? defaultLearningRate
        try lesson.train(epochs: epochs, learningRate: rate) { loss, predicted in
            guard loss.isFinite else {
                throw LessonDivergence(lesson: name, epoch: losses.count + 1, loss: loss, learningRate: rate)
            }
            losses.append(loss)
            strings.append(Hello.text(predicted))
            show(line(epoch: losses.count, of: epochs, loss: loss, string: Hello.text(predicted)))
        }
        return LessonResult(lesson: name, losses: losses, strings: strings)
    }

    public static func line(epoch: Int, of epochs: Int, loss: Float, string: String) -> String {
        "Predicted: \(string), Epoch [\(epoch)/\(epochs)] loss = \(fixed(loss, digits: 3))"
    }
}

/// A number with that many digits after the point, as the course prints it.
func fixed(_ value: Float, digits: Int) -> String {
    guard value.isFinite else { return "\(value)" }
    // From here on every number is whole, and scaled it may not fit.
    guard value.magnitude < 0x1p24 else {
        return (value < 0 ? "-" : "") + "\(UInt128(value.magnitude))." + String(repeating: "0", count: digits)
    }
    let scale = (0..<digits).reduce(1.0) { result, _ in result * 10 }
    let scaled = (Double(value) * scale).rounded(.toNearestOrEven)
    let whole = String(Int(scaled.magnitude))
    let padded = String(repeating: "0", count: max(0, digits + 1 - whole.count)) + whole
    return (value < 0 ? "-" : "") + padded.dropLast(digits) + "." + padded.suffix(digits)
}
