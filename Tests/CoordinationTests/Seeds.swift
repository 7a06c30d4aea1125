import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// SplitMix64: equal seeds give equal trials.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mixed(state)
    }

    mutating func chance(_ probability: Double) -> Bool {
        Double.random(in: 0..<1, using: &self) < probability
    }
}

func mixed(_ value: UInt64) -> UInt64 {
    var word = value
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
}

/// The seeds of a randomised test: the one in `LOCKSTEP_TEST_SEED` alone, or as many as asked for.
func testSeeds(_ count: Int) -> [UInt64] {
    if let text = unsafe getenv("LOCKSTEP_TEST_SEED"), let seed = unsafe UInt64(String(cString: text)) {
        return [seed]
    }
    return (0..<UInt64(count)).map { mixed($0 &+ 0x10C5_7E90) }
}

/// The seeds of the simulation: as `testSeeds`, or as many as `LOCKSTEP_SIMULATE` says.
func simulationSeeds(_ count: Int) -> [UInt64] {
    let text = unsafe getenv("LOCKSTEP_SIMULATE").map { unsafe String(cString: $0) }
    return testSeeds(text.flatMap { Int($0) } ?? count)
}

/// Whether somebody has asked for another number of seeds, and wants to hear what they came to.
var isSimulatingMore: Bool { unsafe getenv("LOCKSTEP_SIMULATE") != nil }

/// Marks a failure with what replays it.
func replay(_ seed: UInt64) -> Comment {
    "replay with LOCKSTEP_TEST_SEED=\(seed)"
}
