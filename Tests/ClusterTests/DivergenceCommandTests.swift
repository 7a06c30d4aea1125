import Foundation
import Testing

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(5)))
struct `A run whose numbers leave the range` {
    @Test func `says so in lines that can be read, while they are numbers still`() throws {
        let place = try Workplace()
        let outcome = try place.run([
            "train", "--set", "addition", "--cell", "rnn", "--nonlinearity", "relu", "--hidden-size", "16",
            "--optimizer",
            "sgd", "--lr", "1e4", "--clip-norm", "0", "--schedule", "constant", "--steps", "2", "--run",
            "\(place.path)/run",
        ])
        #expect(outcome.code == 0 && outcome.errors.contains("step 2/2  loss 1.42186e+32  "), "\(outcome)")
        #expect(outcome.output.contains("train loss         1.42186e+33\n"), "\(outcome)")
    }

    @Test(arguments: [0, 2])
    func `stops with the step, the layer and the last good checkpoint`(workers: Int) throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        let outcome = try place.run([
            "train", "--set", "addition", "--hidden-size", "16", "--optimizer", "sgd", "--lr", "3e38", "--momentum",
            "0.99",
            "--clip-norm", "0", "--schedule", "constant", "--steps", "50", "--checkpoint-every", "1", "--run", run,
            "--workers",
            "\(workers)",
        ])
        #expect(outcome.code == 1, "\(outcome)")
        #expect(
            outcome.errors.contains("is not finite")
                && outcome.errors.contains("; a lower --lr or --momentum, or --clip-norm 1, may help, with ")
                && outcome.errors.contains("--init-from \(run)/checkpoints/step-"), "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(run)/summary.json"))
        // What is there is whole.
        let verified = try place.run(["verify", run])
        #expect(verified.code == 0, "\(verified)")
    }

    @Test(arguments: [
        ("--clip-norm 1", "a lower --lr or --clip-norm may help\n"),
        ("--clip-norm 0", "a lower --lr, or --clip-norm 1, may help\n"),
        ("--clip-norm 0 --momentum 0.9", "a lower --lr, or --clip-norm 1, may help\n"),
        ("--clip-norm 1 --momentum 1", "a lower --lr, --clip-norm or --momentum may help\n"),
        ("--clip-norm 0 --weight-decay 2", "a lower --lr or --weight-decay, or --clip-norm 1, may help\n"),
    ])
    func `advises what its settings leave to be lowered`(settings: String, advice: String) throws {
        let place = try Workplace()
        let outcome = try place.run(
            [
                "train", "--set", "addition", "--hidden-size", "8", "--optimizer", "sgd", "--lr", "3e38", "--schedule",
                "constant", "--steps", "50", "--run", "\(place.path)/run",
            ] + settings.split(separator: " ").map(String.init))
        #expect(
            outcome.code == 1 && outcome.errors.hasSuffix("there is no checkpoint before it; \(advice)"), "\(outcome)")
    }
}
