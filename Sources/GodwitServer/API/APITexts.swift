import GodwitProtocol

/// The kinds of text of the API, each with the grammar of docs/protocol.md §2.
extension APIShape {
    static let userID = text(
        APIText(
            pattern: #"^[a-z0-9]{8}\.[a-z0-9]([a-z0-9-]{1,62})[a-z0-9]$"#, note: "user id",
            accepts: { (try? UserID($0)) != nil }))
    static let deviceID = text(
        APIText(pattern: "^[a-z0-9]{8}$", note: "device id", accepts: { (try? DeviceID($0)) != nil }))
    static let nodeID = text(
        APIText(pattern: "^[a-z0-9]{8}$", note: "node id", accepts: { (try? NodeID($0)) != nil }))
    /// In a path `#` may be missing, and `~` with base64url stands for the whole (gap G-37).
    static let address = text(
        APIText(
            pattern: "^#[a-z0-9_-]{1,60}(/[a-z0-9_-]{1,9}){0,4}$",
            note: "#channel, or @ and a user id",
            accepts: { (try? Address($0)) != nil }))
    static let channel = text(
        APIText(
            pattern: "^#[a-z0-9_-]{1,60}(/[a-z0-9_-]{1,9}){0,4}$", note: "channel name",
            accepts: { (try? ChannelName($0)) != nil }))
    static let messageID = text(
        APIText(
            pattern: "^msg_[a-z2-7]{16}$", note: "message id",
            accepts: { $0.hasPrefix("msg_") && $0.utf8.count == 20 && Base32.decode(String($0.dropFirst(4))) != nil }))
    static let time = text(
        APIText(
            pattern: #"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"#, note: "time in UTC",
            accepts: { Timestamp(iso8601: $0)?.description == $0 }))
    static let base64 = text(
        APIText(
            pattern: "^([A-Za-z0-9+/]{4}){1,21}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$", lengths: 4...88,
            note: "padded base64", accepts: { Base64.decode($0) != nil }))
    static let signature = text(
        APIText(
            pattern: "^ed25519:[A-Za-z0-9+/]{85}[AQgw]==$", note: "Ed25519 signature",
            accepts: { keyBytes($0, "ed25519:") == 64 }))
    static let publicKey = text(
        APIText(
            pattern: "^ed25519:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$", note: "Ed25519 public key",
            accepts: { keyBytes($0, "ed25519:") == 32 }))
    static let token = text(APIText(lengths: 1...4_096, note: "session token (JWT)"))
    static let otp = text(
        APIText(
            pattern: "^[0-9]{6,8}$|^[a-z2-7]{4}(-[a-z2-7]{4}){3}$", note: "one-time password, or a recovery code",
            accepts: { text in
                (6...8).contains(text.utf8.count) && text.utf8.allSatisfy { (48...57).contains($0) }
                    || text.utf8.count == 19
            }))

    static func anyText(_ lengths: ClosedRange<Int>, _ note: String? = nil) -> APIShape {
        text(APIText(lengths: lengths, note: note))
    }
    static func choice(_ choices: String...) -> APIShape { text(APIText(choices: choices)) }

    private static func keyBytes(_ text: String, _ prefix: String) -> Int? {
        text.hasPrefix(prefix) ? Base64.decode(String(text.dropFirst(prefix.count)))?.count : nil
    }
}
