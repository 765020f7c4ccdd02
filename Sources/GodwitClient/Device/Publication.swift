public import GodwitProtocol

/// What a device publishes at its home node, so that others can write to it: `data` of the command `publish_keys`.
public struct Publication: Sendable, Hashable {
    public var deviceList: DeviceList
    public var signedPreKey: SignedPreKey
    /// Nil for a device whose entry names no KEM.
    public var kemPreKey: KEMPreKey?
    public var oneTimePreKeys: [OneTimePreKey]

    public init(
        deviceList: DeviceList, signedPreKey: SignedPreKey, kemPreKey: KEMPreKey?, oneTimePreKeys: [OneTimePreKey]
    ) {
        self.deviceList = deviceList
        self.signedPreKey = signedPreKey
        self.kemPreKey = kemPreKey
        self.oneTimePreKeys = oneTimePreKeys
    }

    public var object: JSONObject {
        var object: JSONObject = [
            "device_list": .object(deviceList.object), "signed_pre_key": .object(signedPreKey.object),
            "one_time_pre_keys": .array(oneTimePreKeys.map { .object($0.object) }),
        ]
        if let kemPreKey { object["kem_pre_key"] = .object(kemPreKey.object) }
        return object
    }
}
