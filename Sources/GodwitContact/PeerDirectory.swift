public import GodwitCrypto
public import GodwitProtocol

/// Who one is on a hop: the party and its static key for frame seals.
public struct ContactIdentity: Sendable {
    public var party: Party
    public var noiseKey: AgreementKey

    public init(party: Party, noiseKey: AgreementKey) {
        self.party = party
        self.noiseKey = noiseKey
    }
}

/// The other end of a hop.
public struct PeerKey: Sendable, Hashable {
    public var party: Party
    public var noiseKey: AgreementPublicKey

    public init(party: Party, noiseKey: AgreementPublicKey) {
        self.party = party
        self.noiseKey = noiseKey
    }
}

/// Finds the sender of a frame among all the keys that a party knows.
public protocol PeerDirectory: Sendable {
    /// Every known peer whose hint towards this party is the given one.
    func candidates(for hint: FrameHint) async throws -> [PeerKey]
}
