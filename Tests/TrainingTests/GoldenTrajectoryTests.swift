import Foundation
import Interchange
import Layers
import Optimizers
import TensorCore
import Testing
import Training

/// Reference trainings computed with PyTorch in double precision: initial parameters, tokens, the loss of every step and the final
/// parameters. They lie outside the project, in `$LOCKSTEP_GOLDEN` or `../shared/golden`.
enum Golden {
    struct Case: Decodable, CustomTestStringConvertible {
        struct Options: Decodable {
            let kind: String?
            let V: Int?
            let E: Int?
            let H: Int?
            let L: Int?
            let lr: Float?
            let clip: Float?
        }
        let name: String
        let kind: String
        let options: Options
        let tolerance: Double
        var testDescription: String { name }
    }

    static var directory: String {
        ProcessInfo.processInfo.environment["LOCKSTEP_GOLDEN"]
            ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/golden").path
    }

    static let trajectories: [Case] = {
        guard let data = FileManager.default.contents(atPath: "\(directory)/index.json") else { return [] }
        // Other kinds of cases have options of other types.
        guard let all = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
            let cases = all["cases"] as? [[String: Any]]
        else { return [] }
        return cases.filter { $0["kind"] as? String == "LanguageModel" }.compactMap { entry in
            (try? JSONSerialization.data(withJSONObject: entry)).flatMap { try? JSONDecoder().decode(Case.self, from: $0) }
        }
    }()
}

@Suite struct `Golden trajectories` {
    @Test(
        .enabled(if: !Golden.trajectories.isEmpty, "no reference cases in \(Golden.directory)"),
        arguments: Golden.trajectories)
    func `losses match PyTorch step by step, and so do the final parameters`(golden: Golden.Case) throws {
        let options = golden.options
        let file = try SafetensorsFile(path: "\(Golden.directory)/\(golden.name).safetensors")
        let kind = try #require(options.kind)
        let cell = try #require(Cell(rawValue: kind.lowercased()))
        let model = LanguageModel(
            ModelDescription(
                cell: cell, vocabularySize: try #require(options.V), embeddingDim: try #require(options.E),
                hiddenSize: try #require(options.H), numLayers: try #require(options.L), seed: 0))
        for (name, parameter) in model.namedParameters {
            parameter.assign(try file.floats("initial.\(name)", shape: parameter.shape))
        }
        let shape = try #require(file["tokens"]).shape
        let (steps, length, batch) = (shape[0], shape[1] - 1, shape[2])
        let tokens = try file.values("tokens", as: Int64.self).map(Int32.init)
        let losses = try file.floats("loss")
        let optimizer = Adam(model.parameters, learningRate: try #require(options.lr))
        let largest = Double(losses.map(abs).max() ?? 1)

        for step in 0..<steps {
            let first = step * (length + 1) * batch
            let inputs = Array(tokens[first..<first + length * batch])
            let targets = Array(tokens[first + batch..<first + (length + 1) * batch])
            model.zeroGradients()
            let (sum, _) = crossEntropySum(model(inputs, steps: length, batch: batch).logits, targets: targets)
            let mean = sum * (1 / Float(length * batch))
            mean.backward()
            clipGradientNorm(model.parameters, maxNorm: try #require(options.clip))
            optimizer.step()
            let deviation = abs(Double(mean.item) - Double(losses[step])) / largest
            #expect(deviation <= golden.tolerance, "step \(step): \(mean.item), PyTorch \(losses[step])")
        }
        for (name, parameter) in model.namedParameters {
            let expected = try file.floats("final.\(name)", shape: parameter.shape)
            let scale = Double(expected.map(abs).max() ?? 1)
            let deviation = zip(parameter.values, expected).map { abs(Double($0) - Double($1)) }.max() ?? 0
            #expect(deviation / scale <= golden.tolerance, "\(name): \(deviation / scale)")
        }
    }
}
