import Foundation
import Testing

import Training

@Suite("The memory that a process may have") struct AvailableMemoryTests {
    @Test func `is the least that its control group and those above it may have`() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: root) }
        func limit(_ group: String, _ text: String) throws {
            let directory = root.appendingPathComponent(group)
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            try text.write(to: directory.appendingPathComponent("memory.max"), atomically: true, encoding: .utf8)
        }
        try limit("slice/service", "max\n")
        #expect(AvailableMemory.controlGroup(at: "/slice/service", in: root.path) == nil)
        try limit("slice", "3000000\n")
        #expect(AvailableMemory.controlGroup(at: "/slice/service", in: root.path)?.bytes == 3_000_000)
        try limit("slice/service", "2000000\n")
        #expect(AvailableMemory.controlGroup(at: "/slice/service", in: root.path)?.bytes == 2_000_000)
        #expect(AvailableMemory.controlGroup(at: "/", in: root.path) == nil)
    }
}
