public import GodwitProtocol

/// How much a node bears, each kind for itself. The defaults suit a box of 512 MB with some thousand devices, many of
/// them behind one address; honest use stays far below them.
public struct ProtectionLimits: Sendable, Hashable {
    /// Steps of the login and public requests, of an address.
    public var login = RateLimit(burst: 300, perSecond: 10)
    /// Logins that were refused, of an address.
    public var refusedLogins = RateLimit(burst: 30, perSecond: 0.1)
    /// Requests with a session, of an address: a whole site may stand behind one.
    public var requests = RateLimit(burst: 3_000, perSecond: 200)
    /// Commands of a user, over all of his sockets and requests.
    public var commands = RateLimit(burst: 2_000, perSecond: 50)
    /// Messages of a user over sockets: they share commits, so many cost little.
    public var messages = RateLimit(burst: 20_000, perSecond: 1_000)
    /// One-time pre-keys that a user claims: whoever claims all of a stranger's makes his first messages weaker.
    public var claims = RateLimit(burst: 60, perSecond: 0.1)
    /// Lookups that a neighbour passes on in its frames, of all its users: whoever asks for many learns who exists.
    public var neighbourClaims = RateLimit(burst: 600, perSecond: 1)
    /// Requests of a user for messages that a device lacks, which come in frames: one that was away for months asks for
    /// some in each conversation.
    public var messageRequests = RateLimit(burst: 300, perSecond: 0.1)
    /// Those that a neighbour passes on, of all its users.
    public var neighbourMessageRequests = RateLimit(burst: 3_000, perSecond: 1)
    /// Wrong one-time passwords of a user, who has shown the identity's key already.
    public var passwords = RateLimit(burst: 5, perSecond: 1.0 / 60)
    /// Frames that no known key has sealed, of all who send them: each costs some key agreements.
    public var forgedFrames = RateLimit(burst: 5_000, perSecond: 1_000)

    public init() {}

    /// Names as `node.yaml` has them, each with its place.
    static let members: [(name: String, path: any WritableKeyPath<ProtectionLimits, RateLimit> & Sendable)] = [
        ("login", \.login), ("refused_logins", \.refusedLogins), ("requests", \.requests), ("commands", \.commands),
        ("messages", \.messages), ("claims", \.claims), ("neighbour_claims", \.neighbourClaims),
        ("message_requests", \.messageRequests), ("neighbour_message_requests", \.neighbourMessageRequests),
        ("passwords", \.passwords), ("forged_frames", \.forgedFrames),
    ]

    /// Reads `{name: {burst, per_minute}}`; what is not named keeps its default.
    /// - Throws: `ProtocolError` 2000 that names the member at fault.
    public init(_ object: JSONObject) throws(ProtocolError) {
        let known = Self.members.map(\.name)
        if let unknown = object.keys.sorted().first(where: { !known.contains($0) }) {
            throw .malformed(
                "There is no limit of that name.", member: unknown, hint: "Known: " + known.joined(separator: ", "))
        }
        for (name, path) in Self.members {
            guard let fields = object[name] else { continue }
            guard let fields = fields.object, let burst = fields["burst"]?.number,
                let rate = fields["per_minute"]?.number, burst >= 1, burst <= 1e9, rate > 0, rate <= 1e9
            else {
                throw .malformed("A limit has `burst` (1 or more) and `per_minute` (more than 0).", member: name)
            }
            self[keyPath: path] = RateLimit(burst: burst, perSecond: rate / 60)
        }
    }
}
