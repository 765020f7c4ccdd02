public import GodwitProtocol

extension HomeNode {
    public func admit(_ kind: RequestKind, from source: SourceAddress?) async throws {}

    public func login(_ step: String, _ data: JSONObject, from source: SourceAddress?) async throws -> JSONObject {
        guard let request = try AuthRequest(data.setting("type", .string(step))) else {
            throw ProtocolError.malformed("This step of the login is unknown.")
        }
        let session: Session
        switch request {
        case .challengeRequest(let user): return await authenticator.challenge(for: user).object.omitting(["type"])
        case .proof(let challenge, let signature, let publicKey, let device):
            // A socket remembers who asked; here the proof says it.
            let user = try ObjectReader(data, what: "auth frame").userID("user_id")
            session = try await authenticator.prove(
                user: user, challenge: challenge, signature: signature, publicKey: publicKey, device: device)
        case .register(let file, let challenge, let signature, let invite, let device):
            session = try await authenticator.register(
                file: file, challenge: challenge, signature: signature, invite: invite, device: device)
        case .refresh(let token): session = try await authenticator.refresh(token: token)
        case .token(let token): session = try await authenticator.resume(token: token)
        }
        return session.success.object.omitting(["type"])
    }
}
