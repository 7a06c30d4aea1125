// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "lockstep",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Lockstep", targets: ["Lockstep"]),
        .executable(name: "lockstep", targets: ["LockstepCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
    ],
    targets: [
        // The ground: C kernels, libzmq.
        .target(name: "CKernels"),
        .target(name: "CSharedMemory"),
        .target(name: "CProcesses"),
        // No pkg-config: Debian's flags for libzmq name directories that packages may not pass on, and the default ones suffice.
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"]), .brew(["zeromq"])]),

        // Numbers and data.
        .target(name: "Randomness"),
        .target(name: "Tracing"),
        .target(name: "TensorCore", dependencies: ["CKernels", "Randomness", "Tracing"]),
        .target(name: "Layers", dependencies: ["TensorCore", "Randomness"]),
        .target(name: "Optimizers", dependencies: ["TensorCore"]),
        .target(name: "Sequences", dependencies: ["Randomness"]),
        .target(name: "Interchange"),

        // One process, then many.
        .target(
            name: "Training",
            dependencies: [
                "CProcesses", "TensorCore", "Layers", "Optimizers", "Sequences", "Interchange", "Randomness",
                "Coordination", "Tracing",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .target(name: "Messaging", dependencies: ["CZeroMQ"]),
        .target(name: "Coordination", dependencies: ["CKernels"]),
        .target(
            name: "Cluster",
            dependencies: [
                "CSharedMemory", "CProcesses", "Messaging", "Coordination", "Training", "TensorCore", "Optimizers",
                "Randomness", "Tracing",
                .product(name: "Subprocess", package: "swift-subprocess"),
            ]),

        // What people touch.
        .target(
            name: "Lockstep",
            dependencies: [
                "TensorCore", "Layers", "Optimizers", "Training", "Interchange", "Cluster", "Coordination", "Messaging",
            ]),
        .target(name: "Lessons", dependencies: ["Lockstep"]),
        .executableTarget(name: "ParityExample", dependencies: ["Lockstep"]),
        .executableTarget(
            name: "LockstepCommand",
            dependencies: [
                "Cluster", "Messaging", "Coordination", "Training", "Sequences", "TensorCore", "Optimizers", "Layers",
                "Interchange",
                "Lessons", "Tracing",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        .testTarget(name: "CKernelsTests", dependencies: ["CKernels"]),
        .testTarget(name: "RandomnessTests", dependencies: ["Randomness"]),
        .testTarget(name: "TracingTests", dependencies: ["Tracing"]),
        .testTarget(name: "TensorCoreTests", dependencies: ["TensorCore", "Randomness"]),
        .testTarget(name: "LayersTests", dependencies: ["Layers", "TensorCore"]),
        .testTarget(name: "OptimizersTests", dependencies: ["Optimizers", "TensorCore", "Interchange"]),
        .testTarget(name: "SequencesTests", dependencies: ["Sequences", "Randomness"]),
        .testTarget(name: "InterchangeTests", dependencies: ["Interchange"]),
        .testTarget(name: "MessagingTests", dependencies: ["Messaging", "TestSupport"]),
        .testTarget(name: "CoordinationTests", dependencies: ["Coordination"]),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "Training", "Interchange", "Layers", "Optimizers", "Sequences", "TensorCore", "Coordination",
                "Randomness", "TestSupport",
            ]),
        .testTarget(name: "LockstepTests", dependencies: ["Lockstep", "Interchange"]),
        .testTarget(
            name: "GoldenTests",
            dependencies: ["Lockstep", "Lessons", "Training", "Interchange", "Layers", "Optimizers", "TensorCore"],
            exclude: ["Embedded"]),
        .testTarget(name: "SharedMemoryTests", dependencies: ["Cluster", "Coordination", "TensorCore", "Training"]),
        .testTarget(
            name: "ClusterTests",
            dependencies: ["Cluster", "Coordination", "Messaging", "TestSupport", "TensorCore", "Training"]),
        // What several of them use: processes, and TCP connections that speak bytes.
        .target(name: "TestSupport", path: "Tests/Support"),

        // Readers of bytes that anybody may have written: `scripts/fuzz.sh` builds them for libFuzzer, the test suite runs the corpus.
        .target(
            name: "Fuzzing", dependencies: ["Coordination", "Interchange", "Sequences", "TensorCore", "Training"],
            path: "Tests/Fuzzing", exclude: ["Corpus"]),
        .testTarget(name: "FuzzingTests", dependencies: ["Fuzzing"]),
    ]
)

// One language for every Swift target: Swift 6, strict memory safety, imports that say what they bring.
for target in package.targets where target.type != .system {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .strictMemorySafety(),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ]
}
