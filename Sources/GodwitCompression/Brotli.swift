public import GodwitProtocol

/// Brotli (RFC 7932) by libbrotli, on whole byte strings.
///
/// Decompress only what came out of a verified seal or tag: a decoder is a large parser, and strangers have no business
/// in it.
public enum Brotli {
    /// The window with which Godwit writes, as a power of two: 64 KiB is as long as any item.
    public static let standardWindow = 16

    /// Compresses `bytes` into one stream.
    ///
    /// - Parameters:
    ///   - quality: 0 (fast) to 11 (small).
    ///   - window: base-two logarithm of the window, 10 to 24.
    /// - Throws: `ProtocolError` 9000 for parameters out of range or when libbrotli gives up.
    public static func compress(
        _ bytes: [UInt8], quality: Int = 9, window: Int = standardWindow
    ) throws(ProtocolError) -> [UInt8] {
        if var encoder = BrotliEncoder(quality: quality, window: window), let output = encoder.finish(bytes) {
            return output
        }
        throw ProtocolError(.internalError, "the Brotli encoder failed")
    }

    /// Decompresses exactly one stream that fills `bytes`.
    ///
    /// - Parameter limit: bytes of output; memory stays near it whatever the stream claims.
    /// - Throws: `ProtocolError` 2000 for what is no whole Brotli stream; 2001 when the output exceeds `limit`.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(ProtocolError) -> [UInt8] {
        do {
            var decoder = try BrotliDecoder()
            return try decoder.finish(bytes, limit: limit)
        } catch {
            throw error.asProtocolError(limit: limit)
        }
    }
}

extension BrotliDecoder.Failure {
    func asProtocolError(limit: Int) -> ProtocolError {
        switch self {
        case .noMemory: ProtocolError(.internalError, "no memory for the Brotli decoder")
        case .corrupt: .malformed("the Brotli stream is corrupt")
        case .cutShort: .malformed("the Brotli stream ends too early")
        case .trailingBytes: .malformed("bytes follow the Brotli stream")
        case .tooLong: .tooLarge("the decompressed bytes exceed the limit", actual: limit + 1, firstRefused: limit + 1)
        }
    }
}
