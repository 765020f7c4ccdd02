import GodwitProtocol

/// An object that holds nothing but bytes: the key of an epoch for a joiner. It goes as those, for it is what a join costs.
///
/// Key id (10 bytes), device id (5), number of models (1) and the models, ascending, key (80).
enum EpochKeyRow {
    private static let deviceCount = 5
    /// Longest body that is looked at.
    private static let bodyMax = 512

    /// How the JCS form ends: of most objects no more is looked at.
    private static let ending = Array(#","type":"epoch_key"}"#.utf8)

    /// The bytes; nil for another object, and for one that would not come back as it is.
    static func bytes(of body: [UInt8]) -> [UInt8]? {
        guard body.count <= bodyMax, body.suffix(ending.count).elementsEqual(ending),
            let object = try? JSONObject.parse(body), let key = try? EpochKey(object),
            let device = Base32.decode(key.device.text), device.count == deviceCount
        else { return nil }
        let bytes = key.keyID + device + [UInt8(key.models.count)] + key.models.sorted() + key.key
        return key.object.canonicalBytes() == body ? bytes : nil
    }

    /// - Parameter take: the next so many bytes.
    /// - Returns: the body.
    /// - Throws: `ProtocolError` 2000 for models that are not ascending, and what `take` throws.
    static func body(
        _ take: (Int) throws(ProtocolError) -> [UInt8]
    ) throws(ProtocolError) -> [UInt8] {
        let keyID = try take(EpochKey.idCount)
        let device = try DeviceID(Base32.encode(try take(deviceCount)))
        let models = try take(Int(try take(1)[0]))
        let key = EpochKey(keyID: keyID, device: device, key: try take(EpochKey.keyCount), models: Set(models))
        // Read again, so that nothing comes out that could not have come as text.
        guard key.models.sorted() == models else { throw .malformed("models of the frame are out of order") }
        return try EpochKey(key.object).object.canonicalBytes()
    }
}
