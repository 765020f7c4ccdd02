public import GodwitProtocol

/// A text that both ends have read before, so that what resembles it costs little (DCP §13.3, COMP-02).
///
/// libbrotli 1.0 has no interface for dictionaries of one's own. A primer is therefore the beginning of a Brotli stream:
/// the primer's text, compressed with fixed parameters and flushed to a byte boundary. These bytes, the *prefix*, are
/// never sent. A sender compresses the text again and then its own bytes in the same stream, and sends only what follows
/// the prefix. A receiver feeds its decoder the prefix, drops what comes out, then feeds it what it received.
///
/// A primer is named by the SHA-256 of its prefix. Another version of libbrotli may compress the text to other bytes;
/// an encoder that finds this writes no primed streams (`canCompress` is false) but still reads them.
public struct BrotliPrimer: Sendable {
    /// Quality and window of the stream, which the prefix fixes. Among the qualities, 5 makes short inputs shortest.
    static let quality = 5
    static let window = 16
    /// Bytes of text that a primer may have.
    static let textMax = 32_768

    /// As in `dictionaries/`.
    public let name: String
    /// SHA-256 of the prefix, 32 bytes.
    public let digest: [UInt8]
    /// This machine's encoder gives the same prefix as the shipped one.
    public let canCompress: Bool

    let prefix: [UInt8]
    let text: [UInt8]

    /// - Parameters:
    ///   - prefix: the beginning of a Brotli stream up to a flush.
    ///   - digest: what SHA-256 of `prefix` must be.
    /// - Throws: `ProtocolError` 2000 if it is not, or if `prefix` is no beginning of a stream; 2001 beyond 32,768 bytes
    ///   of text.
    public init(name: String, prefix: [UInt8], digest: [UInt8]) throws(ProtocolError) {
        guard SHA256Digest.of(prefix) == digest else {
            throw .malformed("the primer \(name) is not the one that its digest names")
        }
        do {
            var decoder = try BrotliDecoder()
            text = try decoder.begin(prefix, limit: Self.textMax)
        } catch {
            throw error.asProtocolError(limit: Self.textMax)
        }
        self.name = name
        self.prefix = prefix
        self.digest = digest
        canCompress = Self.prefix(of: text) == prefix
    }

    /// Compresses `bytes` into what follows the prefix. Nil when this machine's encoder is not the primer's, or gives up.
    public func compress(_ bytes: [UInt8]) -> [UInt8]? {
        guard canCompress, var encoder = BrotliEncoder(quality: Self.quality, window: Self.window),
            encoder.flush(text) != nil
        else { return nil }
        return encoder.finish(bytes)
    }

    /// Decompresses what followed the prefix.
    ///
    /// - Throws: as `Brotli.decompress`.
    public func decompress(_ bytes: [UInt8], limit: Int) throws(ProtocolError) -> [UInt8] {
        do {
            var decoder = try BrotliDecoder()
            _ = try decoder.begin(prefix, limit: Self.textMax)
            return try decoder.finish(bytes, limit: limit)
        } catch {
            throw error.asProtocolError(limit: limit)
        }
    }

    /// The prefix that this machine's encoder makes of a primer's text. Nil when it gives up.
    public static func prefix(of text: [UInt8]) -> [UInt8]? {
        guard var encoder = BrotliEncoder(quality: quality, window: window) else { return nil }
        return encoder.flush(text)
    }
}
