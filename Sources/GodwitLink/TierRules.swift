public import GodwitProtocol

/// What a tier allows: the one table of 004 §13.2 with the values of G-46, G-70, G-72, G-73 and G-96.
public struct TierRules: Sendable, Hashable {
    /// What voice is offered. Calls themselves are not signalled by the protocol (G-80).
    public enum Voice: Sendable, Hashable {
        case none
        /// Recorded messages only.
        case messages
        case lowQuality
        case highQuality
    }

    public let tier: Tier
    /// Longest text that goes over the link, in Unicode scalars; nil: no limit but the message's own. The client
    /// counts; a longer text waits for a better link or is split, it is not refused (G-72).
    public let textScalarsMax: Int?
    /// Largest sealed message that goes over the link; nil: no limit but the message's own.
    public let sealedMax: ByteCount?
    public let voice: Voice
    /// Bit rates of voice in bits per second; nil where there is no voice.
    public let voiceRate: ClosedRange<Int>?
    public let documents: Bool
    public let images: Bool
    public let thumbnails: Bool
    public let video: Bool
    /// Media is fetched only when the user asks for it.
    public let mediaOnDemand: Bool
    public let presence: Bool
    public let typing: Bool
    /// A session may stay open over the link; otherwise traffic goes in batches (G-46, NET-12).
    public let liveSession: Bool
    /// Metadata that a reader can do without is left out (NET-16), and signatures within a run are elided (D-5).
    public let reducedMetadata: Bool
    /// Brotli's quality, 0 to 11.
    public let compressionQuality: Int
    /// Dummy traffic may be turned on, and then only where it costs nothing (G-73).
    public let coverTraffic: Bool
    /// Functions may make requests to the outside (G-96).
    public let outsideRequests: Bool

    /// The row of a tier.
    public static func of(_ tier: Tier) -> TierRules {
        switch tier {
        case .ultraLow: ultraLow
        case .low: low
        case .medium: medium
        case .high: high
        }
    }

    /// Whether items of a class go over a link of this tier at all. What does not go waits for a better link.
    public func allows(_ priority: PriorityClass) -> Bool {
        switch priority {
        case .control, .revocation, .directText, .channelText: true
        case .voice: voice != .none
        case .document: documents
        case .image: images
        case .bulk: liveSession
        }
    }

    /// Whether one text goes: its length in Unicode scalars and its sealed size in bytes are both within the limits.
    public func allowsText(scalars: Int, sealed: ByteCount) -> Bool {
        scalars <= textScalarsMax ?? .max && sealed.bytes <= sealedMax?.bytes ?? .max
    }

    private static let ultraLow = TierRules(
        tier: .ultraLow, textScalarsMax: 140, sealedMax: ByteCount(1 << 10), voice: .none, voiceRate: nil,
        documents: false, images: false, thumbnails: false, video: false, mediaOnDemand: true, presence: false,
        typing: false, liveSession: false, reducedMetadata: true, compressionQuality: 11, coverTraffic: false,
        outsideRequests: false)

    private static let low = TierRules(
        tier: .low, textScalarsMax: 1_000, sealedMax: ByteCount(6 << 10), voice: .messages, voiceRate: 8_000...12_000,
        documents: true, images: false, thumbnails: false, video: false, mediaOnDemand: true, presence: false,
        typing: false, liveSession: false, reducedMetadata: true, compressionQuality: 11, coverTraffic: false,
        outsideRequests: false)

    private static let medium = TierRules(
        tier: .medium, textScalarsMax: nil, sealedMax: nil, voice: .lowQuality, voiceRate: 16_000...24_000,
        documents: true, images: true, thumbnails: true, video: true, mediaOnDemand: false, presence: true,
        typing: true, liveSession: true, reducedMetadata: false, compressionQuality: 9, coverTraffic: true,
        outsideRequests: true)

    private static let high = TierRules(
        tier: .high, textScalarsMax: nil, sealedMax: nil, voice: .highQuality, voiceRate: 32_000...64_000,
        documents: true, images: true, thumbnails: true, video: true, mediaOnDemand: false, presence: true,
        typing: true, liveSession: true, reducedMetadata: false, compressionQuality: 6, coverTraffic: true,
        outsideRequests: true)
}
