import Layers
import TensorCore
import Testing

@Suite struct `Layers are not made with` {
    @Test func `a projection as wide as the hidden state`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 5, projSize: 5)
        }
        expect(result, says: "LSTM: projection size 5 is not in 0..<5, below the hidden size")
    }

    @Test func `a negative projection`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 5, projSize: -1)
        }
        expect(result, says: "LSTM: projection size -1 is not in 0..<5")
    }

    @Test func `dropout above one`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRU(inputSize: 3, hiddenSize: 5, dropout: 1.5)
        }
        expect(result, says: "GRU: dropout 1.5 is not in 0...1")
    }

    @Test func `dropout below zero`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RNN(inputSize: 3, hiddenSize: 5, dropout: -0.5)
        }
        expect(result, says: "RNN: dropout -0.5 is not in 0...1")
    }

    @Test func `dropout that is no number`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RNN(inputSize: 3, hiddenSize: 5, dropout: .nan)
        }
        expect(result, says: "RNN: dropout nan is not in 0...1")
    }

    @Test func `no input features`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = GRU(inputSize: 0, hiddenSize: 5)
        }
        expect(result, says: "GRU: input size 0, hidden size 5, 1 layers; each must be positive")
    }

    @Test func `no hidden units`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTM(inputSize: 3, hiddenSize: 0)
        }
        expect(result, says: "LSTM: input size 3, hidden size 0, 1 layers; each must be positive")
    }

    @Test func `no layers`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RNN(inputSize: 3, hiddenSize: 5, numLayers: 0)
        }
        expect(result, says: "RNN: input size 3, hidden size 5, 0 layers; each must be positive")
    }

    @Test func `a cell of no units`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LSTMCell(inputSize: 3, hiddenSize: 0)
        }
        expect(result, says: "LSTMCell: input size 3, hidden size 0, 1 layers; each must be positive")
    }

    @Test func `a linear layer of no features`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Linear(inFeatures: 0, outFeatures: 2)
        }
        expect(result, says: "Linear: 0 features to 2; expected positive numbers")
    }

    @Test func `an embedding of nothing`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Embedding(numEmbeddings: 0, embeddingDim: 2)
        }
        expect(result, says: "Embedding: 0 embeddings of 2; expected positive numbers")
    }

    @Test func `a padding index outside the table`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Embedding(numEmbeddings: 5, embeddingDim: 2, paddingIdx: -6)
        }
        expect(result, says: "Embedding: padding index -6 is outside a table of 5 rows")
    }

    @Test func `a norm type of zero`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Embedding(numEmbeddings: 5, embeddingDim: 2, maxNorm: 1, normType: 0)
        }
        expect(result, says: "Embedding: norm type 0.0; expected a positive number")
    }

    @Test func `a negative norm`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Embedding(numEmbeddings: 5, embeddingDim: 2, maxNorm: -1)
        }
        expect(result, says: "Embedding: largest norm -1.0; expected 0 or a positive number")
    }

    @Test func `a dropout layer's probability`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Dropout(p: 2)
        }
        expect(result, says: "Dropout: probability 2.0 is not in 0...1")
    }

    @Test func `a negative first row`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = DropoutStream(seed: 1, step: 0, firstRow: -1)
        }
        expect(result, says: "DropoutStream: first row -1")
    }
}

@Suite struct `Packing stops with what was wrong and the input's shape at` {
    @Test func `lengths of too few sequences`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packPaddedSequence(Tensor.zeros([4, 3, 2]), lengths: [4, 1])
        }
        expect(result, says: "packPaddedSequence: 2 lengths for input [4, 3, 2], which holds 3 sequences")
    }

    @Test func `lengths of too few sequences, batch first`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packPaddedSequence(Tensor.zeros([4, 3, 2]), lengths: [3, 1, 1], batchFirst: true)
        }
        expect(result, says: "packPaddedSequence: 3 lengths for input [4, 3, 2], which holds 4 sequences")
    }

    @Test func `a length of zero`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packPaddedSequence(Tensor.zeros([4, 3, 2]), lengths: [4, 0, 1])
        }
        expect(result, says: "packPaddedSequence: sequence 1 has 0 steps; input [4, 3, 2] holds 1 to 4")
    }

    @Test func `a length above the input's`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packPaddedSequence(Tensor.zeros([4, 3, 2]), lengths: [4, 1, 5])
        }
        expect(result, says: "packPaddedSequence: sequence 2 has 5 steps; input [4, 3, 2] holds 1 to 4")
    }

    @Test func `an input without a batch`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packPaddedSequence(Tensor.zeros([4]), lengths: [4])
        }
        expect(result, says: "packPaddedSequence: input [4] has no axes for time and batch")
    }

    @Test func `an empty batch`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packPaddedSequence(Tensor.zeros([4, 0, 2]), lengths: [])
        }
        expect(result, says: "packPaddedSequence: input [4, 0, 2] holds no sequences")
    }

    @Test func `a total length below the longest`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = padPackedSequence(packPaddedSequence(Tensor.zeros([4, 2, 2]), lengths: [3, 1]), totalLength: 2)
        }
        expect(result, says: "padPackedSequence: total length 2 is less than the 3 steps of the longest sequence")
    }

    @Test func `separate sequences of several widths`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packSequence([Tensor.zeros([4, 2]), Tensor.zeros([4, 3])])
        }
        expect(result, says: "padSequence: sequences of shapes [4, 2] and [4, 3] differ behind the first axis")
    }

    @Test func `an empty sequence`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packSequence([Tensor.zeros([4, 2]), Tensor.zeros([0, 2])])
        }
        expect(result, says: "packSequence: sequence 1 has shape [0, 2]; expected one step or more")
    }

    @Test func `a number for a sequence`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = padSequence([Tensor(1)])
        }
        expect(result, says: "padSequence: sequences of shapes [] and [] differ behind the first axis")
    }

    @Test func `no sequences`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packSequence([])
        }
        expect(result, says: "packSequence: no sequences; expected at least one")
    }

    @Test func `a map that loses rows`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = packPaddedSequence(Tensor.zeros([4, 2, 2]), lengths: [3, 1]).map { $0.sliced(0..<2, axis: 0) }
        }
        expect(result, says: "PackedSequence.map: data [4, 2] became [2, 2]; expected [4, …]")
    }
}

@Suite struct `Lookups, products and losses stop with both shapes at` {
    @Test func `a token past the table`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Embedding(numEmbeddings: 5, embeddingDim: 2)(IntTensor([1, 5]))
        }
        expect(result, says: "embedding: token 5 among tokens of shape [2] is outside a table of shape [5, 2]")
    }

    @Test func `a negative token`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Embedding(numEmbeddings: 5, embeddingDim: 2)(IntTensor([-1]))
        }
        expect(result, says: "embedding: token -1 among tokens of shape [1] is outside a table of shape [5, 2]")
    }

    @Test func `a token past a table whose rows are scaled`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Embedding(numEmbeddings: 5, embeddingDim: 2, maxNorm: 1)(IntTensor([1, 1_000_000_000]))
        }
        expect(result, says: "embedding: token 1000000000 among tokens of shape [2] is outside a table of shape [5, 2]")
    }

    @Test func `a linear layer's input of another width`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Linear(inFeatures: 3, outFeatures: 2)(Tensor.zeros([4, 2]))
        }
        expect(result, says: "linear: input [4, 2] and weight [2, 3] do not end in the same size")
    }

    @Test func `a linear layer's input without axes`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Linear(inFeatures: 1, outFeatures: 2)(Tensor(1))
        }
        expect(result, says: "linear: input [] and weight [2, 1] do not end in the same size")
    }

    @Test func `targets for other logits than a layer's`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = crossEntropy(Linear(inFeatures: 3, outFeatures: 2)(Tensor.zeros([4, 3])), IntTensor([0, 1, 0]))
        }
        expect(result, says: "crossEntropy: targets of shape [3] for scores of shape [4, 2]; expected [4]")
    }

    @Test func `numbers for other outputs than a layer's`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = mseLoss(GRU(inputSize: 3, hiddenSize: 5)(Tensor.zeros([4, 2, 3])).output, Tensor.zeros([4, 2, 1]))
        }
        expect(result, says: "mseLoss: input of shape [4, 2, 5] and target of shape [4, 2, 1] differ")
    }

    @Test func `a sparse table used by something else`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            Embedding(numEmbeddings: 5, embeddingDim: 2, sparse: true).weight.tensor.sum().backward()
        }
        expect(
            result,
            says:
                "backward: a parameter of shape [5, 2] with a sparse gradient is used by something else than an embedding"
        )
    }
}
