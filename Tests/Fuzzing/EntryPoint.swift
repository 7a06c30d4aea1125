internal import Foundation

/// What libFuzzer calls with each input; nobody does in the test suite.
///
/// `LOCKSTEP_FUZZ_TARGET` names the target. A finding ends the process, so that libFuzzer keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
    do { try chosenTarget.run(bytes) } catch { fatalError("\(chosenTarget): \(error)") }
    return 0
}

private let chosenTarget: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["LOCKSTEP_FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
        fatalError("LOCKSTEP_FUZZ_TARGET '\(name)': expected one of \(names)")
    }
    return target
}()
