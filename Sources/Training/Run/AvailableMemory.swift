internal import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// How much memory this process may have: the machine's, or less where a limit on its address space or a control group says so.
package struct AvailableMemory: Sendable, CustomStringConvertible {
    package let bytes: UInt64
    /// Whose limit it is.
    package let origin: String

    package static var ofThisProcess: AvailableMemory {
        var least = AvailableMemory(bytes: ProcessInfo.processInfo.physicalMemory, origin: "this machine")
        for limit in [addressSpace, controlGroup].compactMap(\.self) where limit.bytes < least.bytes { least = limit }
        return least
    }

    package var description: String { "\(gigabytes(Double(bytes))) of \(origin)" }

    /// `ulimit -v`; none is a number beyond any machine.
    private static var addressSpace: AvailableMemory? {
        var limit = rlimit()
        #if canImport(Glibc)
            let status = unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        #else
            let status = unsafe getrlimit(RLIMIT_AS, &limit)
        #endif
        guard status == 0 else { return nil }
        return AvailableMemory(bytes: UInt64(limit.rlim_cur), origin: "the limit on this process (ulimit -v)")
    }

    /// The least limit of the process's control group and of those above it (cgroups, version 2).
    private static var controlGroup: AvailableMemory? {
        guard let groups = try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8),
            let line = groups.split(separator: "\n").first(where: { $0.hasPrefix("0::/") })
        else { return nil }
        return controlGroup(at: String(line.dropFirst(3)), in: "/sys/fs/cgroup")
    }

    /// - Parameters:
    ///   - path: the group, from the root of the hierarchy.
    ///   - root: where the hierarchy is mounted.
    package static func controlGroup(at path: String, in root: String) -> AvailableMemory? {
        var names = path.split(separator: "/")
        var least: UInt64?
        while true {
            let file = ([root[...]] + names + ["memory.max"]).joined(separator: "/")
            if let text = try? String(contentsOfFile: file, encoding: .utf8),
                let limit = UInt64(text.trimmingCharacters(in: .whitespacesAndNewlines))
            {
                least = min(least ?? limit, limit)
            }
            guard names.popLast() != nil else { break }
        }
        return least.map { AvailableMemory(bytes: $0, origin: "this control group (memory.max)") }
    }
}

func gigabytes(_ bytes: Double) -> String { String(format: "%.1f GB", bytes / 1e9) }
