/// A text divided into what is trained on and, after it, what is held out.
package struct TextParts: Sendable {
    package let text: Text
    package let training: Range<Int>
    package let validation: Range<Int>
    let sequenceLength: Int
    let batchSize: Int

    /// - Parameter validationFraction: in 0..<1; 0 holds nothing out.
    /// - Throws: `tooShort` when a part has no room for one window and its next token.
    package init(
        _ text: Text, sequenceLength: Int, batchSize: Int, validationFraction: Double = 0.1
    ) throws(SequenceError) {
        precondition(
            sequenceLength > 0 && batchSize > 0 && validationFraction >= 0 && validationFraction < 1,
            "TextParts: T = \(sequenceLength), B = \(batchSize), validation fraction \(validationFraction)")
        self.text = text
        self.sequenceLength = sequenceLength
        self.batchSize = batchSize
        let boundary = Int(Double(text.count) * (1 - validationFraction))
        training = 0..<boundary
        validation = boundary..<text.count
        try check(training, "training")
        if validationFraction > 0 { try check(validation, "validation") }
    }

    private func check(_ part: Range<Int>, _ name: String) throws(SequenceError) {
        guard part.count <= sequenceLength else { return }
        throw SequenceError(
            .tooShort,
            "\(text.file.path): the \(name) part has \(part.count) of the text's \(text.count) \(text.unit); "
                + "a sequence length of \(sequenceLength) needs one more than that, at least")
    }

    var validationWindows: TokenBatches {
        text.windows(in: validation, sequenceLength: sequenceLength, batchSize: batchSize)
    }
}
