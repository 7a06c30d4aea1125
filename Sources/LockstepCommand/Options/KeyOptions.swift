import ArgumentParser
import Cluster
import Foundation

/// `--keys DIR`, or `LOCKSTEP_KEYS` where it is not given.
struct KeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Keys that `lockstep keys` made; needed on every tcp endpoint that other machines can reach, used on every one. Default: LOCKSTEP_KEYS.",
            valueName: "dir"), completion: .directory)
    var keys: String?

    private var path: String? {
        if let keys { return keys }
        let named = ProcessInfo.processInfo.environment["LOCKSTEP_KEYS"]
        return named?.isEmpty == false ? named : nil
    }

    func coordinatorKeys() throws -> CoordinatorKeys? {
        try path.map { try CoordinatorKeys(keyDirectory($0, "--keys")) }
    }

    func workerKeys() throws -> WorkerKeys? { try path.map { try WorkerKeys(keyDirectory($0, "--keys")) } }
}

/// A directory of keys by its whole path; no name is not the directory that this process happens to be in.
func keyDirectory(_ path: String, _ flag: String) throws -> String {
    guard !path.isEmpty else { throw UsageError("\(flag) '': expected a directory of keys") }
    // A slash at the end would follow a link.
    let whole = absolute(path)
    let end = whole.lastIndex { $0 != "/" } ?? whole.startIndex
    return String(whole[...end])
}
