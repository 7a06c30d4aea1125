/// The type of a tensor's elements, by the format's own names.
package enum TensorType: String, Sendable, Equatable, CaseIterable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case float8e5m2 = "F8_E5M2"
    case float8e4m3 = "F8_E4M3"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case float64 = "F64"
    case int64 = "I64"
    case uint64 = "U64"

    /// Bytes an element.
    package var width: Int {
        switch self {
        case .bool, .uint8, .int8, .float8e5m2, .float8e4m3: 1
        case .int16, .uint16, .float16, .bfloat16: 2
        case .int32, .uint32, .float32: 4
        case .float64, .int64, .uint64: 8
        }
    }

    /// Bytes of a tensor of this type; nil when they do not fit an `Int`.
    package func byteCount(shape: [Int]) -> Int? {
        var count = 1
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow else { return nil }
            count = product
        }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: width)
        return overflow ? nil : bytes
    }
}

/// A Swift number whose memory is what the format stores.
package protocol TensorElement: BitwiseCopyable, AdditiveArithmetic, Sendable {
    static var tensorType: TensorType { get }
}

#if _endian(big)
    #error("safetensors stores little-endian numbers; this reader takes them as they lie in memory")
#endif

extension Float: TensorElement { package static var tensorType: TensorType { .float32 } }
extension Double: TensorElement { package static var tensorType: TensorType { .float64 } }
extension Int64: TensorElement { package static var tensorType: TensorType { .int64 } }
extension Int32: TensorElement { package static var tensorType: TensorType { .int32 } }
extension UInt8: TensorElement { package static var tensorType: TensorType { .uint8 } }
