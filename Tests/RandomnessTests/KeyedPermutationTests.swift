import Randomness
import Testing

private let philox = Philox(seed: 7, purpose: .order)

@Test(arguments: [1, 2, 3, 4, 5, 7, 8, 9, 13, 31, 32, 33, 127, 128, 129, 997, 1023, 1024, 1025, 65537])
func `every element is visited exactly once`(count: Int) {
    let permutation = KeyedPermutation(count: count, philox: philox, epoch: 3)
    var seen = [Bool](repeating: false, count: count)
    for index in 0..<count {
        let place = permutation[index]
        #expect(!seen[place], "count \(count): \(place) comes twice")
        seen[place] = true
    }
}

@Test func `an order is determined by key and epoch`() {
    func order(_ philox: Philox, _ epoch: UInt64) -> [Int] {
        let permutation = KeyedPermutation(count: 100, philox: philox, epoch: epoch)
        return (0..<100).map { permutation[$0] }
    }
    #expect(order(philox, 0) == order(philox, 0))
    #expect(order(philox, 0) != order(philox, 1))
    #expect(order(philox, 0) != order(philox, 1 << 32))
    #expect(order(philox, 0) != order(Philox(seed: 8, purpose: .order), 0))
    #expect(order(philox, 0) != Array(0..<100))
}

/// Chi-squared over (element, place) pairs; the bound is the mean plus six standard deviations.
@Test(arguments: [2, 3, 5, 8, 17])
func `over many epochs each element goes to each place equally often`(count: Int) {
    let epochs = 20_000
    var hits = [Int](repeating: 0, count: count * count)
    for epoch in 0..<epochs {
        let permutation = KeyedPermutation(count: count, philox: philox, epoch: UInt64(epoch))
        for index in 0..<count { hits[index * count + permutation[index]] += 1 }
    }
    let expected = Double(epochs) / Double(count)
    let chiSquared = hits.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    let freedom = Double((count - 1) * (count - 1))
    #expect(chiSquared < freedom + 6 * (2 * freedom).squareRoot() + 6, "count \(count): chi-squared \(chiSquared)")
}

@Test func `all orders of three elements occur equally often`() {
    var hits: [[Int]: Int] = [:]
    for epoch in 0..<12_000 {
        let permutation = KeyedPermutation(count: 3, philox: philox, epoch: UInt64(epoch))
        hits[(0..<3).map { permutation[$0] }, default: 0] += 1
    }
    #expect(hits.count == 6)
    // Six standard deviations of a binomial count of mean 2,000.
    for (order, count) in hits { #expect(abs(count - 2_000) < 245, "\(order) came \(count) times") }
}

@Test func `the largest count works`() {
    let permutation = KeyedPermutation(count: .max, philox: philox, epoch: 0)
    let places = [0, 1, Int.max / 2, Int.max - 1].map { permutation[$0] }
    #expect(Set(places).count == 4)
    #expect(places.allSatisfy { $0 >= 0 && $0 < Int.max })
}
