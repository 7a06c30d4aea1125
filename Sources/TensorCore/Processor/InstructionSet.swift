internal import CKernels

/// The instruction sets that kernels exist for. All of them give the same bits.
public enum InstructionSet: String, Sendable, CaseIterable {
    /// Plain C, on any processor.
    case portable
    /// x86-64 with AVX2 and FMA: 8 lanes.
    case avx2
    /// x86-64 with AVX-512: 16 lanes.
    case avx512
    /// x86-64 with AVX-512 and its instruction for products of bf16: 16 lanes.
    case avx512bf16
    /// Arm: 4 lanes.
    case neon

    var kernel: ck_isa {
        switch self {
        case .portable: CK_PORTABLE
        case .avx2: CK_AVX2
        case .avx512: CK_AVX512
        case .avx512bf16: CK_AVX512_BF16
        case .neon: CK_NEON
        }
    }

    private init(_ kernel: ck_isa) {
        self =
            switch kernel {
            case CK_AVX2: .avx2
            case CK_AVX512: .avx512
            case CK_AVX512_BF16: .avx512bf16
            case CK_NEON: .neon
            default: .portable
            }
    }

    /// The one in use; at first the fastest that the processor has.
    public static var active: InstructionSet { InstructionSet(ck_isa_active()) }

    /// Those that this processor and this build have.
    public static var available: [InstructionSet] { allCases.filter { ck_isa_available($0.kernel) != 0 } }

    /// Uses the instruction set of that name from now on.
    ///
    /// - Throws: `InstructionSetError` when there is none of that name, or the processor lacks it.
    public static func select(_ name: String) throws(InstructionSetError) {
        guard let wanted = InstructionSet(rawValue: name), ck_isa_select(wanted.kernel) == 0 else {
            throw InstructionSetError(name: name, available: available)
        }
    }
}

/// An instruction set that cannot be used here.
public struct InstructionSetError: Error, CustomStringConvertible {
    /// What was asked for.
    public let name: String
    /// What there is.
    public let available: [InstructionSet]

    public var description: String {
        "instruction set '\(name)' is not available; this processor and build have \(available.map(\.rawValue).joined(separator: ", "))"
    }
}

/// What every thread that computes calls first.
public enum FloatingPointEnvironment {
    /// Round to nearest, subnormal numbers kept, for the calling thread.
    public static func prepareThread() { ck_float_environment() }
}
