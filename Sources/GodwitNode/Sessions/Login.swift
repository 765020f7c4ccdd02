import GodwitProtocol
import Synchronization

/// A step of the login with what goes beside it.
struct Login: Sendable {
    var request: AuthRequest
    /// Of a second factor.
    var password: String?
    /// The frame's type.
    var step: String

    /// - Throws: `ProtocolError` 2000. Nil if `object` is no `auth_*` frame.
    init?(_ object: JSONObject) throws(ProtocolError) {
        guard let request = try AuthRequest(object) else { return nil }
        self.request = request
        password = try ObjectReader(object, what: "auth frame").optionalString("one_time_password")
        step = object["type"]?.string ?? ""
    }

    init(token: String) {
        request = .token(token)
        step = "auth_token"
    }

    /// Whom it names itself.
    var user: UserID? {
        if case .register(let file, _, _, _, _) = request { file.userID } else { nil }
    }
}

/// Refused logins since the last look, counted by user and step: a flood of them costs the store one row a time.
final class RefusedLogins: Sendable {
    struct Key: Hashable, Sendable {
        var user: String?
        var step: String
    }

    /// Users told apart between two looks; all others are counted as one.
    static let keysMax = 256
    private let counts = Mutex<[Key: Int]>([:])

    func note(_ user: UserID?, _ step: String) {
        counts.withLock { counts in
            let key = Key(user: user?.text, step: step)
            let isKept = counts[key] != nil || counts.count < Self.keysMax
            counts[isKept ? key : Key(user: nil, step: "others"), default: 0] += 1
        }
    }

    func take() -> [Key: Int] {
        counts.withLock { counts in
            defer { counts = [:] }
            return counts
        }
    }
}
