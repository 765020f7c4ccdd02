public import GodwitProtocol

extension HomeNode {
    public func admit(_ kind: RequestKind, from source: SourceAddress?) async throws {
        try core.gate.admit(kind, from: source)
    }

    public func login(_ step: String, _ data: JSONObject, from source: SourceAddress?) async throws -> JSONObject {
        guard let login = try Login(data.setting("type", .string(step))) else {
            throw ProtocolError.malformed("This step of the login is unknown.")
        }
        if case .challengeRequest(let user) = login.request {
            return await authenticator.challenge(for: user).object.omitting(["type"])
        }
        // A socket remembers who asked; here the proof says it.
        var user: UserID?
        if case .proof = login.request { user = try ObjectReader(data, what: "auth frame").userID("user_id") }
        let session = try await authenticator.open(login, for: user, from: source)
        return session.success.object.omitting(["type"])
    }
}
