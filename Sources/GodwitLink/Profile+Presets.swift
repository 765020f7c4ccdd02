import GodwitProtocol

extension Profile {
    /// The four profiles that stand as files in `profiles/`; a test holds them equal. A profile that leaves a key out
    /// gets it from the preset of its type.
    public static func preset(_ type: NetworkType) -> Profile {
        switch type {
        case .satellite: satellite
        case .meshnet: mesh
        case .mobile: mobile
        case .broadband: broadband
        }
    }

    /// A narrow satellite modem: slow, long, dear.
    public static let satellite = Profile(
        name: "satellite", type: .satellite, bandwidthDown: BitRate(bitsPerSecond: 9_600),
        bandwidthUp: BitRate(bitsPerSecond: 9_600), latency: .milliseconds(600), packetLoss: 0.01,
        costPerMegabyte: 4, reliability: .intermittent, mtu: ByteCount(1_500),
        weights: ClassWeights(
            revocation: 32, directText: 24, channelText: 16, voice: 4, document: 2, image: 0, bulk: 0),
        budget: .unlimited, contactPlan: .always, poll: PollPlan(min: .seconds(10), max: .seconds(300)),
        batchDelay: .milliseconds(500), frameSeconds: 5, tierUp: nil, tierDown: nil)

    /// A radio mesh: very slow, lossy, free of charge, small packets.
    public static let mesh = Profile(
        name: "mesh", type: .meshnet, bandwidthDown: BitRate(bitsPerSecond: 2_400),
        bandwidthUp: BitRate(bitsPerSecond: 2_400), latency: .milliseconds(200), packetLoss: 0.05,
        costPerMegabyte: 0, reliability: .unreliable, mtu: ByteCount(500),
        weights: ClassWeights(
            revocation: 32, directText: 24, channelText: 16, voice: 2, document: 1, image: 0, bulk: 0),
        budget: .unlimited, contactPlan: .always, poll: PollPlan(min: .seconds(15), max: .seconds(600)),
        batchDelay: .milliseconds(1_000), frameSeconds: 5, tierUp: nil, tierDown: nil)

    /// A telephone network at the edge of its reach: comes and goes.
    public static let mobile = Profile(
        name: "mobile", type: .mobile, bandwidthDown: BitRate(bitsPerSecond: 256_000),
        bandwidthUp: BitRate(bitsPerSecond: 64_000), latency: .milliseconds(150), packetLoss: 0.01,
        costPerMegabyte: 0.05, reliability: .intermittent, mtu: ByteCount(1_500),
        weights: ClassWeights(
            revocation: 32, directText: 24, channelText: 20, voice: 10, document: 6, image: 4, bulk: 1),
        budget: .unlimited, contactPlan: .always, poll: PollPlan(min: .seconds(5), max: .seconds(120)),
        batchDelay: .milliseconds(200), frameSeconds: 2, tierUp: nil, tierDown: nil)

    /// A fixed line.
    public static let broadband = Profile(
        name: "broadband", type: .broadband, bandwidthDown: BitRate(bitsPerSecond: 50_000_000),
        bandwidthUp: BitRate(bitsPerSecond: 10_000_000), latency: .milliseconds(20), packetLoss: 0,
        costPerMegabyte: 0, reliability: .stable, mtu: ByteCount(1_500),
        weights: ClassWeights(
            revocation: 32, directText: 24, channelText: 20, voice: 16, document: 12, image: 12, bulk: 4),
        budget: .unlimited, contactPlan: .always, poll: PollPlan(min: .seconds(1), max: .seconds(30)),
        batchDelay: .zero, frameSeconds: 5, tierUp: nil, tierDown: nil)
}
