internal import Foundation
internal import Synchronization

/// How long this process has been there.
package enum ProcessAge {
    private static let isCountedFromParent = Atomic<Bool>(false)

    /// Counts from the start of the process that started this one: what somebody waits for began there.
    package static func countFromParent() { isCountedFromParent.store(true, ordering: .relaxed) }

    /// Milliseconds since the system started the process, at most one tick of its clock (10 ms) too many; nil where the system does not say.
    package static var milliseconds: Double? {
        #if os(Linux)
            let process = isCountedFromParent.load(ordering: .relaxed) ? "\(getppid())" : "self"
            // Fields are counted from behind the name, which may hold anything: the start in ticks since the machine's is the 22nd of all.
            guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let close = status.lastIndex(of: ")")
            else { return nil }
            let fields = status[status.index(after: close)...].split(separator: " ")
            guard fields.count > 19, let started = Double(fields[19]) else { return nil }
            var time = timespec()
            guard unsafe clock_gettime(CLOCK_BOOTTIME, &time) == 0 else { return nil }
            let now = Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
            return now - started * 1e3 / Double(sysconf(Int32(_SC_CLK_TCK)))
        #else
            return nil
        #endif
    }
}
