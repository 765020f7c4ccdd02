import SwiftProtobuf

/// Byte fields of the generated types, without naming their type: it is Foundation's, which this room does without.
enum WireBytes {
    static func make<Bytes: SwiftProtobufContiguousBytes>(_ bytes: [UInt8]) -> Bytes { Bytes(bytes) }

    static func array(_ bytes: some SwiftProtobufContiguousBytes) -> [UInt8] {
        bytes.withUnsafeBytes { Array($0) }
    }
}
