/// What a worker says of itself when it asks to take part.
package struct Hello: Hashable, Sendable {
    /// Counts the hellos of this worker from 1; a repeated one is told by it, and so is a reply to an earlier one.
    package var session: UInt64
    /// The program's version; the coordinator takes its own only.
    package var version: String
    /// The numerics self-test's hash, 32 bytes.
    package var fingerprint: [UInt8]
    /// Who this is, for people: host name and process id. Printable ASCII.
    package var label: String
    package var threads: UInt32

    package init(session: UInt64, version: String, fingerprint: [UInt8], label: String, threads: UInt32) {
        self.session = session
        self.version = version
        self.fingerprint = fingerprint
        self.label = label
        self.threads = threads
    }
}

/// What a worker needs to know of a run before its first range.
package struct Welcome: Hashable, Sendable {
    /// The hello this replies to.
    package var session: UInt64
    package var shards: UInt32
    /// Length of the parameter stream of every step.
    package var parameterBytes: UInt64
    /// The longest answer stream that is taken.
    package var answerLimit: UInt64
    /// The longest assignment stream that will be sent.
    package var assignmentLimit: UInt64
    /// Where pings go; empty for the endpoint the hello went to.
    package var controlEndpoint: String
    /// The model's description, which only trainer and worker understand.
    package var model: [UInt8]

    package init(
        session: UInt64, shards: UInt32, parameterBytes: UInt64, answerLimit: UInt64, assignmentLimit: UInt64,
        controlEndpoint: String, model: [UInt8]
    ) {
        self.session = session
        self.shards = shards
        self.parameterBytes = parameterBytes
        self.answerLimit = answerLimit
        self.assignmentLimit = assignmentLimit
        self.controlEndpoint = controlEndpoint
        self.model = model
    }
}

/// Why a worker may not take part, with a sentence for its last line.
package struct Refusal: Hashable, Sendable {
    package enum Code: UInt16, CaseIterable, Sendable {
        /// Another version of the program or of the protocol.
        case version = 1
        /// Its arithmetic gives other bits.
        case fingerprint = 2
        /// There are as many workers as the coordinator takes.
        case full = 3
        /// It sent something malformed.
        case malformed = 4
        /// Its key may not take part any more.
        case key = 5
        /// Its answers are not what others compute.
        case outvoted = 6
    }

    package var code: Code
    package var sentence: String

    package init(_ code: Code, _ sentence: String) {
        self.code = code
        self.sentence = sentence
    }
}

/// How a worker stands, in every pull and ping.
package struct WorkerStatus: Hashable, Sendable {
    /// The hello it was welcomed for.
    package var session: UInt64
    /// How many ranges it wants to have at hand, the one being computed included.
    package var wanted: UInt32
    package var isComputing: Bool
    /// Grows with every frame taken and every range computed.
    package var progress: UInt64

    package init(session: UInt64, wanted: UInt32, isComputing: Bool, progress: UInt64) {
        self.session = session
        self.wanted = wanted
        self.isComputing = isComputing
        self.progress = progress
    }
}

/// The longest sentence or endpoint in a message, in characters.
let sentenceLimit = 1024

extension Hello {
    static let fingerprintBytes = 32
    static let versionLimit = 64
    static let labelLimit = 256

    init(from reader: inout ByteReader) throws(DecodeError) {
        session = try reader.read()
        version = try reader.readText(limit: Hello.versionLimit)
        fingerprint = try reader.readBytes(limit: Hello.fingerprintBytes)
        guard fingerprint.count == Hello.fingerprintBytes else {
            throw DecodeError(.payload, wanted: UInt64(Hello.fingerprintBytes), got: UInt64(fingerprint.count))
        }
        label = try reader.readText(limit: Hello.labelLimit)
        threads = try reader.read()
    }

    func write(to writer: inout ByteWriter) {
        writer.write(session)
        writer.write(version, limit: Hello.versionLimit)
        writer.write(fingerprint)
        writer.write(label, limit: Hello.labelLimit)
        writer.write(threads)
    }
}

extension Welcome {
    init(from reader: inout ByteReader) throws(DecodeError) {
        session = try reader.read()
        shards = try reader.read()
        guard shards >= 1, shards <= UInt32(maximumShards), shards & (shards - 1) == 0 else {
            throw DecodeError(.payload, wanted: UInt64(maximumShards), got: UInt64(shards))
        }
        parameterBytes = try reader.read()
        answerLimit = try reader.read()
        assignmentLimit = try reader.read()
        for bytes in [parameterBytes, answerLimit, assignmentLimit] where bytes > maximumStreamBytes {
            throw DecodeError(.payload, wanted: maximumStreamBytes, got: bytes)
        }
        controlEndpoint = try reader.readText(limit: sentenceLimit)
        model = try reader.readBytes(limit: frameBytes)
    }

    func write(to writer: inout ByteWriter) {
        writer.write(session)
        writer.write(shards)
        writer.write(parameterBytes)
        writer.write(answerLimit)
        writer.write(assignmentLimit)
        writer.write(controlEndpoint, limit: sentenceLimit)
        writer.write(model)
    }
}

extension Refusal {
    init(from reader: inout ByteReader) throws(DecodeError) {
        let number: UInt16 = try reader.read()
        guard let code = Code(rawValue: number) else {
            throw DecodeError(.payload, wanted: UInt64(Code.outvoted.rawValue), got: UInt64(number))
        }
        self.init(code, try reader.readText(limit: sentenceLimit))
    }

    func write(to writer: inout ByteWriter) {
        writer.write(code.rawValue)
        writer.write(sentence, limit: sentenceLimit)
    }
}

extension WorkerStatus {
    init(from reader: inout ByteReader) throws(DecodeError) {
        session = try reader.read()
        wanted = try reader.read()
        let flag: UInt32 = try reader.read()
        guard flag <= 1 else { throw DecodeError(.payload, wanted: 1, got: UInt64(flag)) }
        isComputing = flag == 1
        progress = try reader.read()
    }

    func write(to writer: inout ByteWriter) {
        writer.write(session)
        writer.write(wanted)
        writer.write(UInt32(isComputing ? 1 : 0))
        writer.write(progress)
    }
}
