import Foundation
import Messaging
import Testing

@Suite struct KeyTests {
    @Test func `a new pair is found again from its secret key, and no two are alike`() throws {
        let (first, second) = (try CurvePair.generate(), try CurvePair.generate())
        #expect(CurvePair(secretText: first.secretText)?.publicKey == first.publicKey)
        #expect(first.publicKey != second.publicKey && first.secretText != second.secretText)
        #expect(first.publicKey.text.utf8.count == 40)
        #expect(!"\(first)".contains(first.secretText))
    }

    // The pair of the manual page of zmq_curve.
    @Test func `keys are libzmq's own text`() {
        let pair = CurvePair(secretText: "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs")
        #expect(pair?.publicKey.text == "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")
    }

    @Test(arguments: [
        "", "short", String(repeating: "a", count: 39), String(repeating: "a", count: 41),
        String(repeating: "\"", count: 40), String(repeating: "é", count: 20), String(repeating: "#", count: 40),
        String(repeating: "\0", count: 40),
    ])
    func `what is no key is told from one`(text: String) {
        #expect(CurvePublicKey(text) == nil)
        #expect(CurvePair(secretText: text) == nil)
    }

    /// A question as libzmq puts it, and what comes back.
    private func ask(_ frames: [[UInt8]], admitting key: CurvePublicKey?) throws -> [[UInt8]]? {
        let desk = try AdmissionDesk.opened()
        let asking = try Socket(.dealer, in: .shared)
        try asking.connect(Endpoint("inproc://zeromq.zap.01"))
        #expect(try asking.send(frames.map { .bytes($0) }, within: patience) == .sent)
        _ = try desk.answer(within: .seconds(1)) { $0 == key }
        guard case .message(let reply)? = try asking.receive(within: .milliseconds(50)) else { return nil }
        return reply.bytes
    }

    private func question(_ mechanism: String, _ credentials: [UInt8]?) -> [[UInt8]] {
        [
            [], Array("1.0".utf8), [7], Array("lockstep".utf8), Array("127.0.0.1".utf8), [],
            Array(mechanism.utf8),
        ] + (credentials.map { [$0] } ?? [])
    }

    @Test func `the desk admits whom it is told to, and gives the key as the user; no one else, whatever is asked`()
        throws
    {
        // The test vector of ZeroMQ's RFC 32.
        let key = try #require(CurvePublicKey("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"))
        let bytes: [UInt8] = [
            0xBB, 0x88, 0x47, 0x1D, 0x65, 0xE2, 0x65, 0x9B, 0x30, 0xC5, 0x5A, 0x53, 0x21, 0xCE, 0xBB, 0x5A,
            0xAB, 0x2B, 0x70, 0xA3, 0x98, 0x64, 0x5C, 0x26, 0xDC, 0xA2, 0xB2, 0xFC, 0xB4, 0x3F, 0xC5, 0x18,
        ]
        let admitted = try #require(try ask(question("CURVE", bytes), admitting: key))
        #expect(admitted[3] == Array("200".utf8) && admitted[5] == Array(key.text.utf8))
        #expect(admitted[2] == [7] && admitted[1] == Array("1.0".utf8))
        for refused in [
            try ask(question("CURVE", bytes), admitting: nil), try ask(question("NULL", nil), admitting: key),
            try ask(question("CURVE", Array(bytes.dropLast())), admitting: key),
            try ask(question("PLAIN", bytes), admitting: key), try ask(question("CURVE", nil), admitting: key),
        ] {
            let reply = try #require(refused)
            #expect(reply[3] == Array("400".utf8) && reply[5].isEmpty)
        }
        #expect(try ask([[], [1]], admitting: key) == nil)
        #expect(try ask([[9]], admitting: key) == nil)
        var newer = question("CURVE", bytes)
        newer[1] = Array("2.0".utf8)
        #expect(try ask(newer, admitting: key) == nil)
    }
}
