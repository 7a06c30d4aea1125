import Coordination
import Testing

/// One field of one message, written otherwise.
private struct Mutation: CustomStringConvertible, Sendable {
    let name: String
    /// Whether the checksum is made to fit again, as somebody would who means it.
    let isSealed: Bool
    typealias Change = @Sendable (_ header: inout [UInt8], _ payload: inout [UInt8]) -> Void
    let change: Change

    var description: String { "\(name)\(isSealed ? "" : ", checksum as it was")" }

    static func put(_ value: UInt64, _ width: Int, at offset: Int) -> Change {
        { header, _ in
            for index in 0..<width { header[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
        }
    }

    static func add(_ value: UInt64, _ width: Int, at offset: Int) -> Change {
        { header, payload in
            var old: UInt64 = 0
            for index in (0..<width).reversed() { old = old << 8 | UInt64(header[offset + index]) }
            put(old &+ value, width, at: offset)(&header, &payload)
        }
    }

    /// The fields of the header: offset and width.
    private static let fields: [(name: String, offset: Int, width: Int)] = [
        ("magic", 0, 4), ("version", 4, 2), ("kind", 6, 2), ("run, low", 8, 8), ("run, high", 16, 8),
        ("incarnation", 24, 8), ("step", 32, 8), ("first shard", 40, 4), ("shard count", 44, 4), ("offset", 48, 8),
        ("total", 56, 8), ("length", 64, 4), ("reserved", 68, 4), ("checksum", 72, 8),
    ]

    static let all: [Mutation] = {
        var all: [Mutation] = []
        func each(_ name: String, _ change: @escaping Change) {
            all += [true, false].map { Mutation(name: name, isSealed: $0, change: change) }
        }
        for field in fields {
            each("\(field.name) + 1", add(1, field.width, at: field.offset))
            each("\(field.name) - 1", add(.max, field.width, at: field.offset))
            each(
                "\(field.name) with its top bit turned",
                add(1 << UInt64(8 * field.width - 1), field.width, at: field.offset))
            each("\(field.name) all ones", put(.max, field.width, at: field.offset))
            each("\(field.name) zero", put(0, field.width, at: field.offset))
        }
        for (name, value) in [("2^31", UInt64(1) << 31), ("2^32 - 1", UInt64(UInt32.max)), ("1 GiB", UInt64(1) << 30)] {
            each("length \(name)", put(value, 4, at: 64))
            each("total \(name)", put(value, 8, at: 56))
            each("shard count \(name)", put(value, 4, at: 44))
        }
        for kind: UInt64 in [1, 2, 3, 18, 19] { each("kind \(kind)", put(kind, 2, at: 6)) }
        each("a payload one byte longer") { _, payload in payload.append(0) }
        each("a payload one byte shorter") { _, payload in if !payload.isEmpty { payload.removeLast() } }
        each("no payload") { _, payload in payload = [] }
        each("a payload turned over") { _, payload in payload = payload.map { ~$0 } }
        each("half a header") { header, _ in header = Array(header.prefix(40)) }
        each("no header") { header, _ in header = [] }
        return all
    }()
}

@Suite struct MutationTests {
    /// Makes the checksum fit a changed header and payload, where there is a whole header.
    private func seal(_ header: inout [UInt8], _ payload: [UInt8]) {
        guard header.count == Header.byteCount else { return }
        for index in 72..<80 { header[index] = 0 }
        let sum = unsafe Header.checksum(payload.span.bytes, seed: Header.checksum(header.span.bytes))
        for index in 0..<8 { header[72 + index] = UInt8(truncatingIfNeeded: sum >> UInt64(8 * index)) }
    }

    private func mutated(_ sample: WireSamples.Frames, _ mutation: Mutation) -> WireSamples.Frames? {
        var changed = sample
        mutation.change(&changed.header, &changed.payload)
        if mutation.isSealed { seal(&changed.header, changed.payload) }
        return changed.header == sample.header && changed.payload == sample.payload ? nil : changed
    }

    @Test func `more than sixty changes of one field are tried on every kind of message`() {
        #expect(Mutation.all.count > 60)
        #expect(Set(WireSamples.all.map(\.receiver)).count == 2)
    }

    @Test func `a changed message is told from a good one, or is another good one`() throws {
        var codes: [DecodeError.Code: Int] = [:]
        for sample in WireSamples.all {
            for mutation in Mutation.all {
                guard let changed = mutated(sample, mutation) else { continue }
                do throws(DecodeError) {
                    let message = try changed.decoded()
                    // Only somebody who makes the checksum fit can change what a message says.
                    #expect(mutation.isSealed, "\(mutation) of \(message.header.kind)")
                } catch {
                    codes[error.code, default: 0] += 1
                }
            }
        }
        let never: [DecodeError.Code] = [.frames]
        for code in DecodeError.Code.allCases where !never.contains(code) { #expect(codes[code] != nil, "\(code)") }
    }

    /// Each change of each message of a worker's, from a worker that holds shards of a step: it may cost that worker its place, and
    /// never costs the step its end, or puts a shard into the tree twice.
    @Test func `no changed message keeps a step from its end`() throws {
        for sample in WireSamples.all where sample.receiver == .coordinator {
            for mutation in Mutation.all {
                guard let changed = mutated(sample, mutation) else { continue }
                var rig = CoordinatorRig()
                rig.machine = CoordinatorMachine(configured())
                for worker in ["good", "bad"] as [WorkerID] { _ = join(worker, &rig) }
                _ = rig.tell(.beginStep(41))
                var shell = Shell()
                do throws(DecodeError) {
                    let message = try changed.decoded()
                    shell.take(rig.tell(.received(message, from: "bad")), &rig)
                } catch { shell.take(rig.tell(.undecodable(error, from: "bad")), &rig) }
                let before = rig.machine.counters
                // The other one goes on and does whatever is there, as the bad one says nothing any more.
                for _ in 0..<40 where !shell.isReduced {
                    let ping = Message(.ping(status), run: WireSamples.run, incarnation: 7)
                    shell.take(rig.tell(.received(ping, from: "good"), after: .seconds(1)), &rig)
                    shell.take(rig.tell(.tick), &rig)
                    shell.answer("good", &rig)
                }
                #expect(shell.isReduced, "\(mutation) of \(sample.header[6])")
                #expect(shell.counted == 8, "\(mutation) of \(sample.header[6]): \(shell.counted)")
                #expect(before.conflicts == 0)
            }
        }
    }

    private let status = WorkerStatus(session: 1, wanted: 2, isComputing: false, progress: 0)

    private func configured() -> CoordinatorConfiguration {
        var configuration = CoordinatorRig.configuration(shards: 8)
        configuration.run = WireSamples.run
        configuration.incarnation = 7
        configuration.version = "0.1.0"
        return configuration
    }

    private func join(_ worker: WorkerID, _ rig: inout CoordinatorRig) -> [CoordinatorDirective] {
        let hello = Hello(
            session: 1, version: "0.1.0", fingerprint: CoordinatorRig.fingerprint, label: "\(worker)", threads: 1)
        return rig.tell(.received(Message(.hello(hello), run: .none, incarnation: 0), from: worker))
            + rig.tell(.received(Message(.pull(status), run: WireSamples.run, incarnation: 7), from: worker))
    }

    /// What a coordinator's shell does, as far as the tree goes.
    private struct Shell {
        var held: [(worker: WorkerID, range: ShardRange, step: UInt64)] = []
        var isReduced = false
        var counted = 0

        mutating func take(_ directives: [CoordinatorDirective], _ rig: inout CoordinatorRig) {
            for directive in directives {
                switch directive {
                case .assign(let range, let step, let worker): held.append((worker, range, step))
                case .fold(let step, let subtree, _):
                    counted += subtree.count
                    take(rig.tell(.folded(step: step, subtree: subtree)), &rig)
                case .computeLocally(let step, let range):
                    counted += range.count
                    take(rig.tell(.computedLocally(step: step, range: range)), &rig)
                case .computeOwn(let step, let subtree):
                    let assembly = CoordinatorRig.assembly(subtree.shards, step: step)
                    take(rig.tell(.computedOwn(step: step, subtree: subtree, assembly)), &rig)
                case .foldOwn(let step, let subtree):
                    counted += subtree.count
                    take(rig.tell(.folded(step: step, subtree: subtree)), &rig)
                case .stepReduced: isReduced = true
                default: break
                }
            }
        }

        mutating func answer(_ worker: WorkerID, _ rig: inout CoordinatorRig) {
            let own = held.filter { $0.worker == worker }
            held.removeAll { $0.worker == worker }
            for (_, range, step) in own {
                for subtree in range.subtrees {
                    for frame in CoordinatorRig.answer(subtree.shards, step: step, run: WireSamples.run, incarnation: 7)
                    {
                        take(rig.tell(.received(frame, from: worker)), &rig)
                    }
                }
                let pull = Message(
                    .pull(WorkerStatus(session: 1, wanted: 2, isComputing: false, progress: 0)), run: WireSamples.run,
                    incarnation: 7, step: step, shards: range)
                take(rig.tell(.received(pull, from: worker)), &rig)
            }
        }
    }
}
