public import GodwitProtocol

/// Signatures of the objects that keys and devices are known by.
public enum KeyChecks {
    /// - Throws: `ProtocolError` 1000.
    public static func verify(
        _ object: JSONObject, signedBy key: [UInt8], purpose: SignaturePurpose, member: String = "signature"
    ) throws(ProtocolError) {
        guard let text = object[member]?.string, let signature = try? Signature(text: text),
            let verifier = try? VerifyingKey(key),
            verifier.verify(
                object: object, signature: signature, purpose: purpose,
                omitting: purpose.unsignedMembers.union([member]))
        else {
            throw ProtocolError(
                .invalidCredentials, "The signature of \(named(purpose)) does not verify.",
                hint: "It was altered on the way, or signed by another key.",
                details: ["purpose": .string(purpose.rawValue)])
        }
    }

    private static func named(_ purpose: SignaturePurpose) -> String {
        switch purpose {
        case .device: "a device"
        case .deviceList: "a device list"
        case .preKey: "a pre-key"
        case .descriptor: "a node descriptor"
        case .order: "a change of membership"
        case .epoch: "an epoch"
        case .identity: "an identity"
        case .identityFile: "an identity file"
        case .userMoved: "the move of a user"
        default: "an object (\(purpose.rawValue))"
        }
    }

    /// A device list and each of its entries, all signed by the user.
    public static func verify(_ list: DeviceList, signedBy key: [UInt8]) throws(ProtocolError) {
        try verify(list.object, signedBy: key, purpose: .deviceList)
        for device in list.devices { try verify(device.object, signedBy: key, purpose: .device) }
    }

    /// A message under its author's device key: by its own signature, or by that of a later message of its chain.
    public static func verify(_ message: Message, signedBy key: [UInt8]) throws(ProtocolError) {
        guard let signature = try? Signature(message.proof.signature), let verifier = try? VerifyingKey(key),
            verifier.verify(message.proof.signed.bytes, signature: signature, purpose: .message)
        else {
            throw ProtocolError(
                .invalidCredentials, "The message's signature does not verify.",
                hint: "It was altered on the way, or is not by the device that it names.")
        }
    }

    /// An identity file: its identity section and, where present, the whole file.
    public static func verify(_ file: IdentityFile) throws(ProtocolError) {
        guard let text = file.object["signature"]?.string, let signature = try? Signature(text: text),
            let key = try? VerifyingKey(file.publicKey),
            key.verify(object: file.identity, signature: signature, purpose: .identity)
        else {
            throw ProtocolError(
                .invalidCredentials, "The identity section's signature does not verify.",
                hint: "The file was altered after it was signed.")
        }
        if file.object["file_signature"] != nil {
            try verify(file.object, signedBy: file.publicKey, purpose: .identityFile, member: "file_signature")
        }
    }
}
