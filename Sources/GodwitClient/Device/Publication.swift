public import GodwitProtocol

/// What a device publishes at its home node, so that others can write to it: `data` of the command `publish_keys`.
public struct Publication: Sendable, Hashable {
    public var deviceList: DeviceList
    public var signedPreKey: SignedPreKey
    public var oneTimePreKeys: [OneTimePreKey]

    public init(deviceList: DeviceList, signedPreKey: SignedPreKey, oneTimePreKeys: [OneTimePreKey]) {
        self.deviceList = deviceList
        self.signedPreKey = signedPreKey
        self.oneTimePreKeys = oneTimePreKeys
    }

    public var object: JSONObject {
        [
            "device_list": .object(deviceList.object), "signed_pre_key": .object(signedPreKey.object),
            "one_time_pre_keys": .array(oneTimePreKeys.map { .object($0.object) }),
        ]
    }
}
