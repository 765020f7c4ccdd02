import GodwitProtocol

extension BrotliPrimer {
    /// For JSON protocol objects and the metadata of frames: the usual shapes and member names.
    /// Nil only if this build is damaged; then such streams are neither written nor read.
    public static let envelope = shipped("envelope", ShippedPrimers.envelope)

    /// For clear content: common phrases in several languages. Nil only if this build is damaged.
    public static let phrases = shipped("phrases", ShippedPrimers.phrases)

    private static func shipped(_ name: String, _ source: (prefix: String, digest: String)) -> BrotliPrimer? {
        guard let prefix = Base64.decode(source.prefix), let digest = Hex.decode(source.digest) else { return nil }
        return try? BrotliPrimer(name: name, prefix: prefix, digest: digest)
    }
}
