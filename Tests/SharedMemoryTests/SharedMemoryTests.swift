import Cluster
import Coordination
import TensorCore
import Testing
import Training

private func worker(_ name: UInt8) -> WorkerID { WorkerID([name, 1, 2, 3]) }

private func values(_ block: Storage) -> [Float] { unsafe Array(block.floats) }

@Suite struct `Memory that a coordinator shares with its workers` {
    @Test func `shows a worker the parameters of each step, and the coordinator its answers`() throws {
        let memory = try SharedMemory(parameterCount: 1000, packedCount: 300, answerLimit: 1100)
        let end = try WorkerMemory(try memory.admit(worker(1)), worker: worker(1))
        for step in UInt64(5)..<9 {
            let (block, place) = memory.parameterPlace(of: step)
            block.values.assign((0..<1000).map { Float($0) + Float(step) })
            #expect(values(end.parameters.block(at: place, count: 1000)) == values(block.values))
            block.packed.assign((0..<300).map { Float($0) * Float(step) })
            #expect(end.packed(of: step, count: 300) == nil)
            memory.sign(step)
            #expect(end.packed(of: step, count: 300).map(values) == values(block.packed))
            #expect(end.packed(of: step - 1, count: 300) == nil && end.packed(of: step, count: 299) == nil)
            #expect(end.isPacked(step) && !end.isPacked(step + 1))
            end.answers.begin(step)
            let answer = try #require(end.answers.take(count: 1100))
            answer.block.assign((0..<1100).map { Float(step) - Float($0) })
            #expect(end.answers.place(of: answer.block.view(0..<77)) == answer.place)
            #expect(end.answers.place(of: answer.block.copy()) == nil)
            let seen = try #require(memory.answers(of: worker(1)))
            #expect(values(seen.block(at: answer.place, count: 1100)) == values(answer.block))
            memory.withdraw()
            #expect(!end.isPacked(step) && end.packed(of: step, count: 300) == nil)
        }
    }

    @Test func `keeps the parameters of the step before while the next ones are written`() throws {
        let memory = try SharedMemory(parameterCount: 3, packedCount: 0, answerLimit: 3)
        memory.parameterPlace(of: 1).block.values.assign([1, 2, 3])
        memory.parameterPlace(of: 2).block.values.assign([4, 5, 6])
        #expect(values(memory.parameterPlace(of: 1).block.values) == [1, 2, 3])
        #expect(values(memory.parameterPlace(of: 2).block.values) == [4, 5, 6])
    }

    @Test func `counts only once the worker has opened it, under its own name`() throws {
        let memory = try SharedMemory(parameterCount: 1, packedCount: 1, answerLimit: 1)
        let places = try memory.admit(worker(1))
        #expect(memory.answers(of: worker(1)) == nil)
        let stranger = try WorkerMemory(places, worker: worker(2))
        #expect(memory.answers(of: worker(1)) == nil)
        let own = try WorkerMemory(places, worker: worker(1))
        #expect(memory.answers(of: worker(1)) != nil && memory.answers(of: worker(2)) == nil)
        memory.forget(worker(1))
        #expect(memory.answers(of: worker(1)) == nil)
        withExtendedLifetime((stranger, own)) {}
    }

    @Test func `has no place twice in a step, and none past its end`() throws {
        let memory = try SharedMemory(parameterCount: 1, packedCount: 1, answerLimit: 2000)
        let end = try WorkerMemory(try memory.admit(worker(1)), worker: worker(1))
        end.answers.begin(1)
        var places: [Range<Int>] = []
        while let (block, place) = end.answers.take(count: 2000) {
            #expect(block.count == 2000)
            places.append(place..<place + 8000)
            #expect(places.count < 100)
        }
        #expect(places.count >= 4)
        #expect(zip(places, places.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
        // Not after the worker has started over either, but in the next step.
        end.answers.begin(1)
        #expect(end.answers.take(count: 2000) == nil)
        end.answers.begin(2)
        #expect(end.answers.take(count: 2000)?.place == places.first?.lowerBound)
        #expect(end.answers.take(count: 1 << 40) == nil)
    }

    @Test(arguments: ["", "x", "/etc/passwd,/etc/passwd", "/proc/self/fd/9999,/proc/self/fd/9998,/proc/self/fd/9997"])
    func `places that are none are refused in one line`(places: String) {
        #expect {
            _ = try WorkerMemory(places, worker: worker(1))
        } throws: { error in
            let line = "\(error)"
            return !line.isEmpty && !line.contains("\n")
        }
    }
}

@Suite struct `A frame whose payload lies in shared memory` {
    private let payload: [UInt8] = (0..<300).map { UInt8(truncatingIfNeeded: $0 * 7) }

    private var header: Header {
        StreamFrames(
            .answer, run: RunID(low: 1, high: 2), incarnation: 3, step: 4, shards: ShardRange(0..<1), total: 300)[0]
    }

    @Test func `says where, and has the checksum of a frame that holds its payload`() throws {
        let frame = unsafe header.encoded(with: payload.span.bytes, lyingAt: 4096)
        #expect(try unsafe Header.sharedPlace(in: frame.span.bytes) == 4096..<4396)
        let head = Array(frame.prefix(Header.byteCount))
        let message = try unsafe Message(header: head.span.bytes, payload: payload.span.bytes, receiver: .coordinator)
        #expect(message.header.isShared)
        let plain = unsafe header.encoded(with: payload.span.bytes)
        let other = try unsafe Message(header: plain.span.bytes, payload: payload.span.bytes, receiver: .coordinator)
        #expect(!other.header.isShared)
        #expect(message.header.checksum == other.header.checksum)
        #expect(try unsafe Header.sharedPlace(in: (plain + payload).span.bytes) == nil)
    }

    @Test func `has the checksum of what lies there when it is an answer, so that two of them can be compared`() throws
    {
        let frame = unsafe header.encoded(with: payload.span.bytes, lyingAt: 0)
        let head = Array(frame.prefix(Header.byteCount))
        func checksum(_ payload: [UInt8]) throws -> UInt64 {
            try unsafe Message(header: head.span.bytes, payload: payload.span.bytes, receiver: .coordinator)
                .header.checksum
        }
        let own = try checksum(payload)
        for place in [0, 150, 299] {
            var other = payload
            other[place] ^= 1
            #expect(try checksum(other) != own)
        }
    }

    @Test func `is not read to verify it, and its header still is`() throws {
        let parameters = StreamFrames(.parameters, run: RunID(low: 1, high: 2), incarnation: 3, step: 4, total: 300)[0]
        let other = [UInt8](repeating: 0, count: 300)
        for (header, receiver) in [(parameters, Role.worker), (header, .coordinator)] {
            let frame = unsafe header.encoded(with: payload.span.bytes, lyingAt: 0)
            let head = Array(frame.prefix(Header.byteCount))
            _ = try unsafe Message(header: head.span.bytes, payload: other.span.bytes, receiver: receiver)
            for bit in 0..<8 * head.count {
                var changed = head
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(throws: DecodeError.self, "bit \(bit)") {
                    _ = try unsafe Message(header: changed.span.bytes, payload: payload.span.bytes, receiver: receiver)
                }
            }
        }
    }

    @Test func `is one for all parameters, and takes more than a frame that travels`() throws {
        let total = 3 * frameBytes + 4
        let frames = StreamFrames(
            .parameters, run: RunID(low: 1, high: 2), incarnation: 3, step: 4, total: total, framing: .inMemory)
        #expect(frames.count == 1)
        let payload = [UInt8](repeating: 7, count: total)
        let head = Array(unsafe frames[0].encoded(with: payload.span.bytes, lyingAt: 0).prefix(Header.byteCount))
        let message = try unsafe Message(header: head.span.bytes, payload: payload.span.bytes, receiver: .worker)
        #expect(message.header.isShared && Int(message.header.length) == total)
        var assembly = try StreamAssembly(total: UInt64(total), limit: UInt64(total), framing: .inMemory)
        #expect(try assembly.accept(message.header) == .new && assembly.isWhole)
        // Such a length is refused in a frame that carries its payload, and of anything but parameters.
        let carried = unsafe frames[0].encoded(with: payload.span.bytes)
        #expect(throws: DecodeError.self) {
            _ = try unsafe Message(header: carried.span.bytes, payload: payload.span.bytes, receiver: .worker)
        }
        let answer = StreamFrames(
            .answer, run: RunID(low: 1, high: 2), incarnation: 3, step: 4, shards: ShardRange(0..<1), total: total,
            framing: .inMemory)[0]
        let answerHead = Array(unsafe answer.encoded(with: payload.span.bytes, lyingAt: 0).prefix(Header.byteCount))
        #expect(throws: DecodeError.self) {
            _ = try unsafe Message(header: answerHead.span.bytes, payload: payload.span.bytes, receiver: .coordinator)
        }
    }

    @Test func `is refused when its place is beyond any memory`() throws {
        var frame = unsafe header.encoded(with: payload.span.bytes, lyingAt: 0)
        frame[frame.count - 1] = 0xFF
        #expect { _ = try unsafe Header.sharedPlace(in: frame.span.bytes) } throws: {
            ($0 as? DecodeError)?.code == .place
        }
    }
}
