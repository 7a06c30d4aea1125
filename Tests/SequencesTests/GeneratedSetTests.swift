import Sequences
import Testing

@Test func `hello is one sequence, in training and validation`() {
    let source = HelloString()
    let batch = source.batch(step: 0)
    #expect(source.vocabulary.decode(batch.inputs) == "hello")
    #expect(source.vocabulary.decode(batch.targets) == "ohlol")
    #expect(batch.steps == 5 && batch.rows == 1)
    #expect(source.batch(step: 1 << 40) == batch)
    #expect(Array(source.validation) == [batch])
}

@Test(arguments: GeneratedSet.allCases)
func `a set's batches have the shape and symbols that the set declares`(set: GeneratedSet) {
    let source = set.source(seed: 4, batchSize: 6)
    #expect(source.name == set.rawValue)
    #expect(source.identity == Array("\(set.rawValue)/1".utf8))
    for batch in [source.batch(step: 0), source.batch(step: .max)] + source.validation {
        #expect(batch.steps == source.sequenceLength)
        #expect(batch.rows <= source.batchSize)
        #expect(batch.startsStream)
        #expect(batch.inputs.allSatisfy { $0 >= 0 && $0 < source.vocabulary.count })
        #expect(batch.targets.allSatisfy { $0 >= -1 && $0 < source.vocabulary.count })
        #expect(batch.countedTargets > 0)
    }
    #expect(source.batch(step: 0).rows == source.batchSize)
}
