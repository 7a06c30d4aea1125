import Dispatch
import Synchronization
import TensorCore
import Testing
import Training

@Suite struct `A computation of shards` {
    @Test func `that is given up is left alone, and adds nothing`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let trainer = Trainer(configuration, source: try configuration.makeSource())
        trainer.beginStep()
        let mayEnd = DispatchSemaphore(value: 0)
        let hasEnded = DispatchSemaphore(value: 0)
        let computation = trainer.computation(of: trainer.wholeStep, threads: 2)
        let slow = ShardComputation(parts: 1) { _ in
            mayEnd.wait()
            defer { hasEnded.signal() }
            return computation.answers()
        }
        var looks = 0
        let answers = slow.answers {
            looks += 1
            return looks == 3
        }
        #expect(answers == nil && looks == 3 && !trainer.isReduced)
        mayEnd.signal()
        hasEnded.wait()
        #expect(!trainer.isReduced)
    }

    @Test func `beside a thread that looks up gives the bits of any other`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let (alone, beside) = (
            Trainer(configuration, source: try configuration.makeSource()),
            Trainer(configuration, source: try configuration.makeSource())
        )
        for _ in 0..<3 {
            alone.beginStep()
            alone.compute(alone.wholeStep, threads: 1)
            beside.beginStep()
            beside.add(try #require(beside.computation(of: beside.wholeStep, threads: 3).answers { false }))
            #expect(alone.finishStep().checksums == beside.finishStep().checksums)
        }
    }
}
