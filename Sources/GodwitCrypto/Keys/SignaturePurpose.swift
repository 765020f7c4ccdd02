import GodwitProtocol

/// What a signature is for. Each purpose is a prefix of what is signed, so that a signature given for one never passes
/// for another (docs/protocol.md, section 3; gap G-26).
public enum SignaturePurpose: String, CaseIterable, Sendable, Hashable {
    case message
    case identity
    case identityFile = "identity-file"
    case auth
    case register
    case device
    case deviceList = "device-list"
    case preKey = "pre-key"
    case descriptor
    case invite
    case policy
    case route
    case reach
    case epoch
    case order
    case moved
    case receipt
    case command
    case update
    case deletion
    case erasure
    case reseal
    case userMoved = "user-moved"

    /// `"DCP1:" ‖ purpose ‖ 0x00`.
    var prefix: [UInt8] { Array("DCP1:".utf8) + Array(rawValue.utf8) + [0] }

    /// Members of a signed JSON object that the signature leaves out.
    public var unsignedMembers: Set<String> {
        switch self {
        case .identityFile: ["file_signature"]
        case .epoch: ["signature", "wraps", "side"]
        case .reseal: ["signature", "left"]
        case .route: RouteMessage.unsignedMembers
        case .identity, .auth, .register, .message: []
        default: ["signature"]
        }
    }
}
