// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "lockstep",
    platforms: [.macOS(.v15)],
    targets: [
        // The ground: C kernels.
        .target(name: "CKernels"),

        // Numbers and data.
        .target(name: "Randomness"),
        .target(name: "TensorCore", dependencies: ["CKernels", "Randomness"]),
        .target(name: "Layers", dependencies: ["TensorCore", "Randomness"]),
        .target(name: "Optimizers", dependencies: ["TensorCore"]),
        .target(name: "Sequences", dependencies: ["Randomness"]),

        .testTarget(name: "RandomnessTests", dependencies: ["Randomness"]),
        .testTarget(name: "TensorCoreTests", dependencies: ["TensorCore", "Randomness"]),
        .testTarget(name: "SequencesTests", dependencies: ["Sequences", "Randomness"]),
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
