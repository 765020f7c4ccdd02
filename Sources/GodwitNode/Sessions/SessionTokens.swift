import Crypto
import FoundationEssentials
import GodwitCrypto
import GodwitProtocol
import JWTKit

/// Claims of a session token (gap G-31).
struct SessionClaims: JWTPayload {
    var iss: IssuerClaim
    var sub: SubjectClaim
    var aud: AudienceClaim
    var jti: IDClaim
    var iat: IssuedAtClaim
    var exp: ExpirationClaim
    /// The device that the session is for, if any.
    var device: String?

    func verify(using algorithm: some JWTAlgorithm) throws {
        // The node judges time itself, by its own clock (decision D-16).
    }
}

/// Issues and reads session tokens: JWT with EdDSA under a key of their own, derived from the node's (RFC 8037, 8725).
struct SessionTokens: Sendable {
    /// Milliseconds: 8 hours (004 §5.3).
    static let lifetime: Int64 = 28_800_000

    private let keys: JWTKeyCollection
    private let node: NodeID
    /// `ed25519:` and base64: by this key others can verify tokens.
    let publicKey: String

    init(node: NodeID, signingKey: SigningKey) async throws {
        let seed = try KeyDerivation.hkdf(
            signingKey.seed, salt: [], info: Array("DCP1:session-tokens".utf8), count: 32)
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: Data(seed.copyBytes()))
        keys = await JWTKeyCollection().add(eddsa: EdDSA.PrivateKey(backing: key))
        self.node = node
        publicKey = PublicKeyText.text(ed25519: [UInt8](key.publicKey.rawRepresentation))
    }

    func issue(to user: UserID, device: DeviceID?, id: String, at now: Timestamp) async throws -> AuthSuccess {
        // Whole seconds: jwt-kit writes fractions otherwise.
        let issued = now.milliseconds / 1000
        let expires = issued + Self.lifetime / 1000
        let claims = SessionClaims(
            iss: IssuerClaim(value: node.text), sub: SubjectClaim(value: user.text),
            aud: AudienceClaim(value: [node.text]), jti: IDClaim(value: id),
            iat: IssuedAtClaim(value: Date(timeIntervalSince1970: Double(issued))),
            exp: ExpirationClaim(value: Date(timeIntervalSince1970: Double(expires))), device: device?.text)
        return AuthSuccess(
            token: try await keys.sign(claims), expires: Timestamp(milliseconds: expires * 1000), nodeInfo: [:])
    }

    /// The claims of a token of this node that has not expired.
    /// - Throws: `ProtocolError` 1000 or 1001.
    func read(_ token: String, at now: Timestamp) async throws -> OpenToken {
        guard token.utf8.count <= 4096, let claims = try? await keys.verify(token, as: SessionClaims.self),
            claims.iss.value == node.text, claims.aud.value == [node.text]
        else {
            throw ProtocolError(.invalidCredentials, "The session token is not valid here.", hint: "Log in again.")
        }
        guard claims.exp.value.timeIntervalSince1970 * 1000 > Double(now.milliseconds) else {
            throw ProtocolError(.sessionExpired, "The session has expired.", hint: "Log in again.")
        }
        return OpenToken(
            id: claims.jti.value, user: try UserID(claims.sub.value),
            device: try claims.device.map { text in try DeviceID(text) },
            expires: Timestamp(milliseconds: Int64(claims.exp.value.timeIntervalSince1970 * 1000)))
    }
}

/// What a valid token says.
struct OpenToken: Sendable, Hashable {
    var id: String
    var user: UserID
    var device: DeviceID?
    var expires: Timestamp
}
