/// Where a run stands, for people.
package struct RunProgress: Sendable {
    package let step: UInt64
    package let steps: UInt64
    /// Mean of the recent steps, in nats a token.
    package let loss: Double
    /// The newest; nil before the first.
    package let validationLoss: Double?
    /// The newest score of a set that has one.
    package let score: Score?
    package let tokensPerSecond: Double
    /// nil until it can be told.
    package let timeLeft: Duration?
    /// Live workers; nil in a process that trains alone.
    package let workers: Int?
}

/// A share of right answers, and what was counted.
package struct Score: Sendable, Equatable, Codable {
    package let name: String
    /// 0 to 1.
    package let value: Double
}

/// Shows progress to somebody.
package protocol ProgressObserver: AnyObject {
    func progressed(_ progress: RunProgress)
    func note(_ sentence: String)
    func close()
}
