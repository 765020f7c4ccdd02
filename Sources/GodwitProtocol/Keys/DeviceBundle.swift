/// What a session with one device begins with (docs/protocol.md §6.3).
public struct DeviceBundle: Hashable, Sendable {
    public var device: DeviceID
    public var signedPreKey: SignedPreKey
    /// Nil where none was left, or none was asked for.
    public var oneTimePreKey: OneTimePreKey?
    /// Nil for devices whose entry names no KEM.
    public var kemPreKey: KEMPreKey?

    public init(
        device: DeviceID, signedPreKey: SignedPreKey, oneTimePreKey: OneTimePreKey? = nil, kemPreKey: KEMPreKey? = nil
    ) {
        self.device = device
        self.signedPreKey = signedPreKey
        self.oneTimePreKey = oneTimePreKey
        self.kemPreKey = kemPreKey
    }

    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "bundle of keys")
        device = try fields.deviceID("device")
        signedPreKey = try SignedPreKey(fields.value("signed_pre_key"))
        oneTimePreKey = try fields.optionalObject("one_time_pre_key").map { reader throws(ProtocolError) in
            try OneTimePreKey(reader.object)
        }
        kemPreKey = try fields.optionalObject("kem_pre_key").map { reader throws(ProtocolError) in
            try KEMPreKey(reader.object)
        }
        guard signedPreKey.device == device, kemPreKey.map({ $0.device == device }) ?? true else {
            throw .malformed("The pre-keys of a bundle are its device's.", member: "device")
        }
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "device": .string(device.text), "signed_pre_key": .object(signedPreKey.object),
            "one_time_pre_key": oneTimePreKey.map { .object($0.object) } ?? .null,
        ]
        if let kemPreKey { object["kem_pre_key"] = .object(kemPreKey.object) }
        return object
    }
}

extension DeviceBundle {
    /// Member `bundles` of an answer: 1 to 16, each device once.
    static func list(_ fields: ObjectReader) throws(ProtocolError) -> [DeviceBundle] {
        let entries = try fields.array("bundles")
        guard (1...DeviceList.devicesMax).contains(entries.count) else {
            throw .malformed("There are bundles of 1 to 16 devices.", member: "bundles")
        }
        var bundles: [DeviceBundle] = []
        for entry in entries {
            guard let object = entry.object else { throw .malformed("A bundle is an object.", member: "bundles") }
            let bundle = try DeviceBundle(object)
            guard !bundles.contains(where: { $0.device == bundle.device }) else {
                throw .malformed("There is one bundle of each device.", member: "bundles")
            }
            bundles.append(bundle)
        }
        return bundles
    }
}
