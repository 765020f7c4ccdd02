public import GodwitProtocol

/// How a clear content is packed: the first byte names the codec (D-9).
public enum ContentCodec: UInt8, Sendable, Hashable, CaseIterable {
    /// The bytes as they are.
    case none = 0
    /// One Brotli stream.
    case brotli = 1
    /// Brotli after the primer `phrases`.
    case brotliPhrases = 2
    /// A phrase model: its number follows. Some models have a short form instead, see `shortForms`.
    case phraseModel = 3

    /// The number of `phraseModel`.
    public static let phraseModelNumber: UInt8 = 3
    /// What everybody can read.
    public static let common: Set<ContentCodec> = [.none, .brotli, .brotliPhrases]
    /// First bytes of contents that these phrase models coded, by number: the model that comes with Godwit, and a site's
    /// own. The first byte is part of their code, which saves the codec byte and the number.
    public static let shortForms: [UInt8: ClosedRange<UInt8>] = [1: 16...207, 128: 208...239]
    /// Bytes that a clear content may have when unpacked.
    public static let contentMax = 65_536

    /// Packs `content` with the codec that makes it shortest; of equals the lower number.
    ///
    /// - Parameters:
    ///   - codecs: what the readers can unpack; `none` is always allowed. `phraseModel` takes effect with a `model`.
    ///   - model: the phrase model that all readers hold.
    ///   - quoted: the text of the message that this one answers, if every reader is known to have it.
    /// - Throws: `ProtocolError` 2001 beyond `contentMax` bytes.
    public static func pack(
        _ content: [UInt8], codecs: Set<ContentCodec> = common, model: PhraseModel? = nil,
        quoting quoted: [UInt8]? = nil
    ) throws(ProtocolError) -> [UInt8] {
        guard content.count <= contentMax else {
            throw .tooLarge(
                "the content is too long to be packed", actual: content.count, firstRefused: contentMax + 1)
        }
        var best = [none.rawValue] + content
        for codec in allCases where codecs.contains(codec) {
            let packed: [UInt8]? =
                switch codec {
                case .none: nil
                case .brotli: (try? Brotli.compress(content, quality: 11)).map { [codec.rawValue] + $0 }
                case .brotliPhrases: BrotliPrimer.phrases?.compress(content).map { [codec.rawValue] + $0 }
                case .phraseModel: model.flatMap { pack(content, model: $0, quoting: quoted) }
                }
            if let packed, packed.count < best.count { best = packed }
        }
        return best
    }

    /// The content coded by `model`, codec byte and model number included.
    private static func pack(_ content: [UInt8], model: PhraseModel, quoting quoted: [UInt8]?) -> [UInt8]? {
        let number = model.manifest.number
        if let first = shortForms[number] { return model.packContent(content, quoting: quoted, first: first) }
        return model.packContent(content, quoting: quoted).map { [phraseModelNumber, number] + $0 }
    }

    /// The inverse of `pack`.
    ///
    /// - Parameters:
    ///   - limit: bytes of output.
    ///   - models: the phrase models at hand.
    ///   - quoted: what the writer quoted, if it did.
    /// - Throws: `ProtocolError` 2000 for a codec or model that is not known here or bytes that it cannot read, 2001 beyond
    ///   `limit`.
    public static func unpack(
        _ bytes: [UInt8], limit: Int = contentMax, models: PhraseModelLibrary = .shared, quoting quoted: [UInt8]? = nil
    ) throws(ProtocolError) -> [UInt8] {
        guard let first = bytes.first else { throw .malformed("the content has no codec byte") }
        let packed = Array(bytes.dropFirst())
        switch ContentCodec(rawValue: first) {
        case .some(.none):
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
        case .phraseModel:
            guard let number = packed.first, shortForms[number] == nil, let model = models[number] else {
                throw unknown(first, model: packed.first)
            }
            return try model.unpackContent(Array(packed.dropFirst()), quoting: quoted, limit: limit)
        case nil:
            guard let (number, range) = shortForms.first(where: { $0.value.contains(first) }) else {
                throw unknown(first, model: nil)
            }
            guard let model = models[number] else { throw unknown(first, model: number) }
            return try model.unpackContent(bytes, quoting: quoted, first: range, limit: limit)
        }
    }

    private static func unknown(_ codec: UInt8, model: UInt8?) -> ProtocolError {
        var details: JSONObject = ["codec": .integer(Int64(codec))]
        if let model { details["model"] = .integer(Int64(model)) }
        let isModel = codec == phraseModelNumber || model != nil
        return ProtocolError(
            .invalidMessageFormat, "the content's codec \(codec) is not known here",
            hint: isModel
                ? "Install the phrase model, or ask the author to send without it."
                : "A newer version of Godwit may read it.",
            details: details)
    }
}
