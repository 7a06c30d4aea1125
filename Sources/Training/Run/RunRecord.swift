package import Sequences

/// What `run.json` holds: all that is needed to go on with a run, or to use it.
package struct RunRecord: Codable, Sendable, Equatable {
    /// Version of Lockstep that began the run.
    package var version: String
    /// 128 random bits.
    package var runID: String
    package var configuration: RunConfiguration
    package var vocabulary: Vocabulary
    /// SHA-256 of the data: a file's bytes, or the name and version of a generated set.
    package var dataSHA256: String
    /// Where the first parameters came from; nil when they follow from the seed.
    package var initialParameters: InitialParameters?

    private enum CodingKeys: String, CodingKey {
        case version, configuration, vocabulary
        case runID = "run"
        case dataSHA256 = "data_sha256"
        case initialParameters = "init_from"
    }

    package init(runID: String, configuration: RunConfiguration, source: any SequenceSource) {
        version = Release.version
        self.runID = runID
        self.configuration = configuration
        vocabulary = source.vocabulary
        dataSHA256 = Self.hash(of: source)
    }

    /// Opens the data that the run began with.
    ///
    /// - Parameter path: the run's directory, for the sentence.
    /// - Throws: `ConfigurationError` when the data has changed since.
    package func openSource(of path: String) throws -> any SequenceSource {
        let source = try configuration.makeSource()
        try configuration.requireFit(source)
        let hash = Self.hash(of: source)
        guard hash == dataSHA256 else {
            throw ConfigurationError(
                description:
                    "\(path): the data has changed: \(source.name) has SHA-256 \(hash), the run began with \(dataSHA256)"
            )
        }
        guard source.vocabulary == vocabulary else {
            throw ConfigurationError(
                description:
                    "\(path)/run.json: `vocabulary` is not that of \(source.name); expected it as the run began")
        }
        return source
    }

    package static func hash(of source: any SequenceSource) -> String {
        var hash = SHA256Hex()
        unsafe hash.absorb(source.identity.span.bytes)
        return hash.hexadecimal()
    }
}

/// The version of this build.
package enum Release {
    package static let version = "0.1.0"
}
