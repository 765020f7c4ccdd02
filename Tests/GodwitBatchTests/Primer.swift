import GodwitCompression

/// The primer of frames.
enum Primer {
    static func compress(_ bytes: [UInt8]) -> [UInt8]? { BrotliPrimer.envelope?.compress(bytes) }

    static func decompress(_ bytes: [UInt8]) throws -> [UInt8] {
        try BrotliPrimer.envelope?.decompress(bytes, limit: 2_000_000) ?? []
    }
}
