import Interchange
import Lessons
import Lockstep

/// A lesson from given parameters: every epoch's loss and string.
func runLessonCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.allow(only: ["lesson", "lr"])
    let name = try options.text("lesson")
    guard let lesson = lessons.first(where: { $0.name == name }) else { throw GoldenError("no lesson \(name)") }
    let file = try golden.file
    let losses = try file.floats("loss")
    let result = try lesson.run(
        epochs: losses.count, learningRate: try options.optional("lr") { try options.number($0) },
        initial: file.tensors(prefix: "initial."))
    let strings = try golden.members.texts("strings")
    guard result.strings == strings else { throw GoldenError("strings \(result.strings), PyTorch's \(strings)") }
    var deviations = Deviations()
    try deviations.compare("loss", result.losses, losses)
    return deviations
}
