import Layers
import TensorCore
import Testing

@Suite struct `Losses whose shapes disagree stop with the operation and both shapes` {
    @Test func `cross-entropy`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = crossEntropy(Tensor.zeros([3, 4]), IntTensor([0, 1]))
        }
        expect(result, says: "crossEntropy: targets of shape [2] for scores of shape [3, 4]; expected [3]")
    }

    @Test func `cross-entropy with a target that is no class`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = crossEntropy(Tensor.zeros([2, 4]), IntTensor([0, 4]))
        }
        expect(result, says: "crossEntropy: target 4 is outside the 4 classes of scores of shape [2, 4]")
    }

    @Test func `cross-entropy with a weight too many`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = crossEntropy(Tensor.zeros([2, 4]), IntTensor([0, 3]), weight: Tensor.zeros([5]))
        }
        expect(result, says: "crossEntropy: weight of shape [5] for scores of shape [2, 4]")
    }

    @Test func `cross-entropy against probabilities`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = crossEntropy(Tensor.zeros([2, 4]), Tensor.zeros([2, 3]))
        }
        expect(result, says: "crossEntropy: target probabilities of shape [2, 3] for logits of shape [2, 4]")
    }

    @Test func `cross-entropy with too much smoothing`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = crossEntropy(Tensor.zeros([2, 4]), IntTensor([0, 3]), labelSmoothing: 1.5)
        }
        expect(result, says: "crossEntropy: label smoothing 1.5")
    }

    @Test func `likelihood loss`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = nllLoss(Tensor.zeros([3, 4, 2]), IntTensor([0, 1, 2]))
        }
        expect(result, says: "nllLoss: targets of shape [3] for scores of shape [3, 4, 2]; expected [3, 2]")
    }

    @Test func `squared differences`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = mseLoss(Tensor.zeros([3, 1]), Tensor.zeros([3]))
        }
        expect(result, says: "mseLoss: input of shape [3, 1] and target of shape [3] differ")
    }

    @Test func `absolute differences`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = l1Loss(Tensor.zeros([3, 1]), Tensor.zeros([3]))
        }
        expect(result, says: "l1Loss: input of shape [3, 1] and target of shape [3] differ")
    }

    @Test func `rounded at the kink`() async {
        let smooth = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = smoothL1Loss(Tensor.zeros([3, 1]), Tensor.zeros([3]))
        }
        expect(smooth, says: "smoothL1Loss: input of shape [3, 1] and target of shape [3] differ")
        let huber = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = huberLoss(Tensor.zeros([3, 1]), Tensor.zeros([3]))
        }
        expect(huber, says: "huberLoss: input of shape [3, 1] and target of shape [3] differ")
    }

    @Test func `binary cross-entropy`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = binaryCrossEntropyWithLogits(Tensor.zeros([3, 1]), Tensor.zeros([3]))
        }
        expect(result, says: "binaryCrossEntropyWithLogits: logits of shape [3, 1] and targets of shape [3] differ")
    }

    private func expect(_ result: ExitTest.Result?, says sentence: String) {
        let printed = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(printed.contains(sentence), "it said: \(printed)")
    }
}
