public import GodwitProtocol

/// How a clear content is packed: the first byte names the codec (D-9).
public enum ContentCodec: UInt8, Sendable, Hashable, CaseIterable {
    /// The bytes as they are.
    case none = 0
    /// One Brotli stream.
    case brotli = 1
    /// Brotli after the primer `phrases`.
    case brotliPhrases = 2

    /// The number kept for the phrase model.
    public static let phraseModelNumber: UInt8 = 3
    /// Bytes that a clear content may have when unpacked.
    public static let contentMax = 65_536

    /// Packs `content` with the codec that makes it shortest; of equals the lower number.
    ///
    /// - Parameter codecs: what the readers can unpack; `none` is always allowed.
    /// - Throws: `ProtocolError` 2001 beyond `contentMax` bytes.
    public static func pack(
        _ content: [UInt8], codecs: Set<ContentCodec> = Set(allCases)
    ) throws(ProtocolError) -> [UInt8] {
        guard content.count <= contentMax else {
            throw .tooLarge(
                "the content is too long to be packed", actual: content.count, firstRefused: contentMax + 1)
        }
        var best = [none.rawValue] + content
        for codec in allCases where codecs.contains(codec) {
            guard let packed = codec.compress(content), packed.count + 1 < best.count else { continue }
            best = [codec.rawValue] + packed
        }
        return best
    }

    /// The inverse of `pack`.
    ///
    /// - Parameter limit: bytes of output.
    /// - Throws: `ProtocolError` 2000 for a codec that is not known here or bytes that it cannot read, 2001 beyond
    ///   `limit`.
    public static func unpack(_ bytes: [UInt8], limit: Int = contentMax) throws(ProtocolError) -> [UInt8] {
        guard let first = bytes.first else { throw .malformed("the content has no codec byte") }
        guard let codec = ContentCodec(rawValue: first) else {
            throw ProtocolError(
                .invalidMessageFormat, "the content's codec \(first) is not known here",
                hint: first == phraseModelNumber
                    ? "Install the phrase model, or ask the author to send without it."
                    : "A newer version of Godwit may read it.",
                details: ["codec": .integer(Int64(first))])
        }
        return try codec.decompress(Array(bytes.dropFirst()), limit: limit)
    }

    private func compress(_ content: [UInt8]) -> [UInt8]? {
        switch self {
        case .none: content
        case .brotli: try? Brotli.compress(content, quality: 11)
        case .brotliPhrases: BrotliPrimer.phrases?.compress(content)
        }
    }

    private func decompress(_ packed: [UInt8], limit: Int) throws(ProtocolError) -> [UInt8] {
        switch self {
        case .none:
            guard packed.count <= limit else {
                throw .tooLarge("the content exceeds the limit", actual: packed.count, firstRefused: limit + 1)
            }
            return packed
        case .brotli:
            return try Brotli.decompress(packed, limit: limit)
        case .brotliPhrases:
            guard let primer = BrotliPrimer.phrases else {
                throw ProtocolError(.internalError, "the primer phrases is missing from this build")
            }
            return try primer.decompress(packed, limit: limit)
        }
    }
}
