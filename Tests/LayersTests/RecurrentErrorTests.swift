import Layers
import TensorCore
import Testing

@Suite struct `Recurrent layers stop with their name and both shapes at` {
    @Test func `an LSTM's input of another width`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 5)(Tensor.zeros([4, 2, 7]))
        }
        expect(result, says: "LSTM: input [4, 2, 7] is not [T, B, 3] or [T, 3]")
    }

    @Test func `a GRU's input of another width, batch first`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRU(inputSize: 3, hiddenSize: 5, batchFirst: true)(Tensor.zeros([4, 2, 7]))
        }
        expect(result, says: "GRU: input [4, 2, 7] is not [B, T, 3] or [T, 3]")
    }

    @Test func `an RNN's input with too many axes`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RNN(inputSize: 3, hiddenSize: 5)(Tensor.zeros([1, 4, 2, 3]))
        }
        expect(result, says: "RNN: input [1, 4, 2, 3] is not [T, B, 3] or [T, 3]")
    }

    @Test func `an input with too few axes`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RNN(inputSize: 3, hiddenSize: 5)(Tensor.zeros([3]))
        }
        expect(result, says: "RNN: input [3] is not [T, B, 3] or [T, 3]")
    }

    @Test func `no time steps`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRU(inputSize: 3, hiddenSize: 5)(Tensor.zeros([0, 2, 3]))
        }
        expect(result, says: "GRU: input [0, 2, 3] has 0 time steps of 2 sequences; expected one or more of each")
    }

    @Test func `no sequences`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 5, batchFirst: true)(Tensor.zeros([0, 2, 3]))
        }
        expect(result, says: "LSTM: input [0, 2, 3] has 2 time steps of 0 sequences; expected one or more of each")
    }

    @Test func `a hidden state of another batch`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 5)(
                Tensor.zeros([4, 2, 3]), state: (Tensor.zeros([1, 3, 5]), Tensor.zeros([1, 2, 5])))
        }
        expect(result, says: "LSTM: hidden state [1, 3, 5] for input [4, 2, 3]; expected [1, 2, 5]")
    }

    @Test func `a cell state of another width`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 5, projSize: 2)(
                Tensor.zeros([4, 2, 3]), state: (Tensor.zeros([1, 2, 2]), Tensor.zeros([1, 2, 2])))
        }
        expect(result, says: "LSTM: cell state [1, 2, 2] for input [4, 2, 3]; expected [1, 2, 5]")
    }

    @Test func `a hidden state wider than the projection`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 5, projSize: 2)(
                Tensor.zeros([4, 2, 3]), state: (Tensor.zeros([1, 2, 5]), Tensor.zeros([1, 2, 5])))
        }
        expect(result, says: "LSTM: hidden state [1, 2, 5] for input [4, 2, 3]; expected [1, 2, 2]")
    }

    @Test func `a state of one layer for two`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRU(inputSize: 3, hiddenSize: 5, numLayers: 2)(
                Tensor.zeros([4, 2, 3]), state: Tensor.zeros([1, 2, 5]))
        }
        expect(result, says: "GRU: hidden state [1, 2, 5] for input [4, 2, 3]; expected [2, 2, 5]")
    }

    @Test func `a state of one direction for two`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RNN(inputSize: 3, hiddenSize: 5, bidirectional: true)(
                Tensor.zeros([4, 2, 3]), state: Tensor.zeros([1, 2, 5]))
        }
        expect(result, says: "RNN: hidden state [1, 2, 5] for input [4, 2, 3]; expected [2, 2, 5]")
    }

    @Test func `a batch of states for a single sequence`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRU(inputSize: 3, hiddenSize: 5)(Tensor.zeros([4, 3]), state: Tensor.zeros([1, 1, 5]))
        }
        expect(result, says: "GRU: hidden state [1, 1, 5] for input [4, 3]; expected [1, 5]")
    }

    @Test func `a state without axes`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRU(inputSize: 3, hiddenSize: 5)(Tensor.zeros([4, 3]), state: Tensor(1))
        }
        expect(result, says: "GRU: hidden state [] for input [4, 3]; expected [1, 5]")
    }

    @Test func `packed data of another width`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRU(inputSize: 3, hiddenSize: 5)(packPaddedSequence(Tensor.zeros([4, 2, 7]), lengths: [4, 1]))
        }
        expect(result, says: "GRU: packed data [5, 7] is not [5, 3]")
    }

    @Test func `packed data without features`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RNN(inputSize: 3, hiddenSize: 5)(packPaddedSequence(Tensor.zeros([4, 2]), lengths: [4, 1]))
        }
        expect(result, says: "RNN: packed data [5] is not [5, 3]")
    }

    @Test func `a state of another batch beside packed data`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 5)(
                packPaddedSequence(Tensor.zeros([4, 2, 3]), lengths: [4, 1]),
                state: (Tensor.zeros([1, 2, 5]), Tensor.zeros([1, 3, 5])))
        }
        expect(result, says: "LSTM: cell state [1, 3, 5] for packed data [5, 3] of 2 sequences; expected [1, 2, 5]")
    }
}

@Suite struct `Cells stop with their name and both shapes at` {
    @Test func `an LSTM cell's input of another width`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTMCell(inputSize: 3, hiddenSize: 5)(Tensor.zeros([2, 4]))
        }
        expect(result, says: "LSTMCell: input [2, 4] is not [B, 3] or [3]")
    }

    @Test func `a GRU cell's input with too many axes`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRUCell(inputSize: 3, hiddenSize: 5)(Tensor.zeros([1, 2, 3]))
        }
        expect(result, says: "GRUCell: input [1, 2, 3] is not [B, 3] or [3]")
    }

    @Test func `an RNN cell's state of another batch`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RNNCell(inputSize: 3, hiddenSize: 5)(Tensor.zeros([2, 3]), Tensor.zeros([3, 5]))
        }
        expect(result, says: "RNNCell: hidden state [3, 5] for input [2, 3]; expected [2, 5]")
    }

    @Test func `an LSTM cell's cell state of another width`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTMCell(inputSize: 3, hiddenSize: 5)(
                Tensor.zeros([2, 3]), (Tensor.zeros([2, 5]), Tensor.zeros([2, 3])))
        }
        expect(result, says: "LSTMCell: cell state [2, 3] for input [2, 3]; expected [2, 5]")
    }

    @Test func `a batch of states for a single input`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRUCell(inputSize: 3, hiddenSize: 5)(Tensor.zeros([3]), Tensor.zeros([1, 5]))
        }
        expect(result, says: "GRUCell: hidden state [1, 5] for input [3]; expected [5]")
    }

    @Test func `no sequences to step`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRUCell(inputSize: 3, hiddenSize: 5)(Tensor.zeros([0, 3]))
        }
        expect(result, says: "GRUCell: input [0, 3] holds no sequences")
    }
}
