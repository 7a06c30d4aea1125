/// The sets that need no file.
package enum GeneratedSet: String, Codable, Sendable, CaseIterable {
    case addition, reber, hello

    /// - Parameter batchSize: B; `hello` has one row whatever is asked for.
    package func source(seed: UInt64, batchSize: Int) -> any SequenceSource {
        switch self {
        case .addition: AdditionSums(seed: seed, batchSize: batchSize)
        case .reber: ReberStrings(seed: seed, batchSize: batchSize)
        case .hello: HelloString()
        }
    }
}
