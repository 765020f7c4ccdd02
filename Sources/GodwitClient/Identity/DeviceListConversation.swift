public import GodwitCrypto
public import GodwitProtocol

/// The client's side of publishing another device list over WebSocket, without the socket: frames in, frames out.
///
/// Login with the identity key → the list that the node has → its successor and this device's keys. Where another device
/// was faster, the node refuses the list, and all goes on from the newer one.
public struct DeviceListConversation: Sendable {
    /// What to do after a frame.
    public enum Step: Sendable, Hashable {
        /// Send this frame and wait for the next.
        case send(JSONObject)
        /// Nothing to say: an event that does not belong here.
        case wait
        /// Sign the successor of this list, and send what `publish` gives.
        case sign(DeviceList)
        /// The node has the list.
        case done
    }

    private enum State: Sendable {
        case login, asking, signing, publishing, over
    }

    /// Lists that are tried where others are faster.
    static let attemptsMax = 4
    private static let (listID, publishID) = ("device-list", "publish-keys")

    private var login: LoginConversation
    private var state = State.login
    private var attempts = 0

    public init(identity: IdentityFile, key: SigningKey, device: DeviceID) {
        login = LoginConversation(identity: identity, key: key, device: device, purpose: .login, publication: nil)
    }

    /// The first frame.
    public mutating func start() -> JSONObject { login.start() }

    /// The successor, signed.
    public mutating func publish(_ publication: Publication) -> JSONObject {
        state = .publishing
        attempts += 1
        return SocketCommand("publish_keys", publication.object, requestID: Self.publishID).object
    }

    /// - Throws: the node's own error when it refuses; `ProtocolError` 2000 for a frame that has no place here. The
    ///   conversation is over then.
    public mutating func receive(_ frame: JSONObject) throws(ProtocolError) -> Step {
        do {
            return try step(frame)
        } catch {
            state = .over
            throw error
        }
    }

    private mutating func step(_ frame: JSONObject) throws(ProtocolError) -> Step {
        guard state != .login else {
            switch try login.receive(frame) {
            case .send(let next): return .send(next)
            case .wait: return .wait
            case .done: return ask()
            }
        }
        guard frame["event"] != nil else {
            throw .malformed("The node sent a frame that has no place here.", member: "type")
        }
        let event = try SocketEvent(frame)
        switch (event.data["request_id"]?.string, state) {
        case (Self.listID, .asking):
            try Self.check(event)
            state = .signing
            return .sign(try DeviceList(ObjectReader(event.data, what: "answer").value("device_list")))
        case (Self.publishID, .publishing):
            if event.name == "error", let error = ProtocolError(object: event.data),
                error.details["member"] == "version", attempts < Self.attemptsMax
            {
                return ask()
            }
            try Self.check(event)
            state = .over
            return .done
        default: return .wait
        }
    }

    private mutating func ask() -> Step {
        state = .asking
        return .send(SocketCommand("list_devices", [:], requestID: Self.listID).object)
    }

    private static func check(_ event: SocketEvent) throws(ProtocolError) {
        guard event.name != "ack" else { return }
        throw ProtocolError(object: event.data)
            ?? ProtocolError(.internalError, "The node did not answer as it should.", hint: "Try again later.")
    }
}
