/// A reader of bytes that anybody may have written, as something that any bytes can be given to.
///
/// The same functions run in the test suite, on the corpus and on mutations of it, and under libFuzzer (`scripts/fuzz.sh`).
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// One message of the protocol: header and payload.
    case frame
    /// Messages of several peers, one after another, to both state machines.
    case conversation
    /// What streams carry: assignments and answers.
    case payload
    case safetensors
    /// `run.json`, and the description of a model that a worker is sent.
    case configuration
    case vocabulary
    /// A text to train on, with the numbers that cut it into batches before it.
    case text
    case ledger
    /// A checkpoint's manifest, and the summary of a run.
    case manifest

    /// Hands `bytes` to the reader, which may refuse them.
    ///
    /// - Throws: `FuzzFinding` when it takes them and what it makes of them contradicts them.
    package func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        switch self {
        case .frame: try FrameFuzzing.run(bytes)
        case .conversation: try ConversationFuzzing.run(bytes)
        case .payload: try PayloadFuzzing.run(bytes)
        case .safetensors: try SafetensorsFuzzing.run(bytes)
        case .configuration: try ConfigurationFuzzing.run(bytes)
        case .vocabulary: try VocabularyFuzzing.run(bytes)
        case .text: try TextFuzzing.run(bytes)
        case .ledger: try LedgerFuzzing.run(bytes)
        case .manifest: try ManifestFuzzing.run(bytes)
        }
    }
}

/// What a reader made of bytes that cannot be.
package struct FuzzFinding: Error, CustomStringConvertible {
    package let description: String

    static func require(_ holds: Bool, _ description: @autoclosure () -> String) throws(FuzzFinding) {
        if !holds { throw FuzzFinding(description: description()) }
    }
}
