public import GodwitProtocol

extension Profile {
    private static let keys = [
        "name", "network_profile", "mtu", "weights", "budget", "windows", "poll", "batch_delay", "frame_seconds",
        "tier", "min_batch", "max_wait", "wake_on_urgent", "measure", "erasure",
        "cover",
    ]
    private static let networkKeys = [
        "type", "bandwidth_down", "bandwidth_up", "latency", "packet_loss", "cost_per_mb", "reliability",
    ]
    private static let rates = 10...100_000_000_000

    /// Reads a profile as it stands in a file of `profiles/`, turned from YAML into JSON values by the caller.
    ///
    /// Only `name` and `network_profile.type` are required; what is left out comes from the preset of the type. The
    /// limits stand at the properties.
    /// - Throws: 2000 with `details.key` (the path of the key at fault) and, for an unknown key, `details.nearest` and
    ///   `details.known`. The caller adds the file's name.
    public init(_ value: JSONValue) throws(ProtocolError) {
        let top = try ProfileReader(value, at: "", knows: Self.keys)
        guard let name = try top.string("name") else { throw top.failure("name", "is missing.") }
        guard Self.isName(name) else { throw top.failure("name", "must be 1 to 32 characters of a-z, 0-9 and -.") }
        guard let network = top.value("network_profile") else { throw top.failure("network_profile", "is missing.") }
        let link = try ProfileReader(network, at: "network_profile", knows: Self.networkKeys)
        guard let type = try link.choice("type", NetworkType.self) else { throw link.failure("type", "is missing.") }
        self = .preset(type)
        self.name = name
        try readNetwork(link)
        try readPolicy(top)
        if let value = top.value("weights") { try readWeights(value) }
        if let value = top.value("budget") { try readBudget(value) }
        if let value = top.value("windows") { contactPlan = try ContactPlan(value, at: "windows") }
        try readBatching(top)
        if let value = top.value("poll") { poll = try PollPlan.read(value, at: "poll") }
        if let value = top.value("tier") { try readTier(value) }
        if let value = top.value("measure") {
            guard let measures = value.bool else { throw top.failure("measure", "must be true or false.") }
            self.measures = measures
        }
        if let seconds = try top.number("cover", in: 5...86_400) { try readCover(.seconds(seconds), top) }
    }

    /// Where bytes cost money, air or patience, none is spent on hiding others (G-73).
    private mutating func readCover(_ mean: Duration, _ top: ProfileReader) throws(ProtocolError) {
        guard costPerMegabyte == 0, budget.isUnlimited, minBatch == .zero else {
            throw top.failure("cover", "needs a link without cost_per_mb, budget and min_batch.")
        }
        guard Self.coveredFrom <= min(tierUp ?? Tier(rate: bandwidthUp), tierDown ?? Tier(rate: bandwidthDown)) else {
            throw top.failure("cover", "needs a link of 100 kbit/s or more in both directions.")
        }
        cover = mean
    }

    /// The least tier on which dummy messages go.
    public static let coveredFrom = Tier.medium

    static func isName(_ name: String) -> Bool {
        (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
    }

    private mutating func readNetwork(_ link: ProfileReader) throws(ProtocolError) {
        if let rate = try link.integer("bandwidth_down", in: Self.rates) {
            bandwidthDown = BitRate(bitsPerSecond: rate)
        }
        if let rate = try link.integer("bandwidth_up", in: Self.rates) { bandwidthUp = BitRate(bitsPerSecond: rate) }
        if let time = try link.integer("latency", in: 0...600_000) { latency = .milliseconds(time) }
        packetLoss = try link.number("packet_loss", in: 0...Self.packetLossMax) ?? packetLoss
        costPerMegabyte = try link.number("cost_per_mb", in: 0...1_000_000) ?? costPerMegabyte
        reliability = try link.choice("reliability", Reliability.self) ?? reliability
    }

    private mutating func readPolicy(_ top: ProfileReader) throws(ProtocolError) {
        if let bytes = try top.integer("mtu", in: 64...65_535) { mtu = ByteCount(bytes) }
        if let time = try top.integer("batch_delay", in: 0...60_000) { batchDelay = .milliseconds(time) }
        frameSeconds = try top.number("frame_seconds", in: 0.5...60) ?? frameSeconds
        if let share = try top.number("erasure", in: 0...1) {
            guard share == 0 || share >= 0.01 else { throw top.failure("erasure", "must be 0, or 0.01 to 1.") }
            erasure = share
        }
    }

    private mutating func readBatching(_ top: ProfileReader) throws(ProtocolError) {
        if let bytes = try top.integer("min_batch", in: 0...1_000_000_000) { minBatch = ByteCount(bytes) }
        if let time = try top.number("max_wait", in: 1...2_592_000) { maxWait = .seconds(time) }
        wakeOnUrgent = try top.choice("wake_on_urgent", WakeRule.self) ?? wakeOnUrgent
        // A poll is a contact that takes along what waits: more often than this it would undo the wait.
        if minBatch > .zero, poll != nil { poll = PollPlan(min: maxWait, max: maxWait) }
    }

    private mutating func readWeights(_ value: JSONValue) throws(ProtocolError) {
        if value.object?["control"] != nil {
            throw ProtocolError(
                .invalidMessageFormat, "\"weights.control\" cannot be set.",
                hint: "Control traffic always goes first and has no weight; remove the key.",
                details: ["key": "weights.control"])
        }
        let classes = PriorityClass.allCases.filter { $0 != .control }
        let reader = try ProfileReader(value, at: "weights", knows: classes.map(\.name))
        for priority in classes {
            if let weight = try reader.integer(priority.name, in: 0...ClassWeights.max) { weights[priority] = weight }
        }
    }

    private mutating func readBudget(_ value: JSONValue) throws(ProtocolError) {
        let reader = try ProfileReader(
            value, at: "budget",
            knows: [
                "bytes_per_day", "bytes_per_month", "money_per_month", "currency", "duty_cycle", "urgent_reserve",
            ])
        let amounts = 1...1_000_000_000_000_000
        budget.bytesPerDay = try reader.integer("bytes_per_day", in: amounts).map(ByteCount.init(_:))
        budget.bytesPerMonth = try reader.integer("bytes_per_month", in: amounts).map(ByteCount.init(_:))
        budget.moneyPerMonth = try reader.number("money_per_month", in: 0...1_000_000_000)
        budget.dutyCycle = try reader.number("duty_cycle", in: 0.0001...1)
        budget.urgentReserve = try reader.number("urgent_reserve", in: 0...0.9) ?? budget.urgentReserve
        if let code = try reader.string("currency") {
            guard code.utf8.count == 3, code.utf8.allSatisfy({ (0x41...0x5a).contains($0) }) else {
                throw reader.failure("currency", "must be three capital letters (ISO 4217), such as EUR.")
            }
            budget.currency = code
        }
    }

    private mutating func readTier(_ value: JSONValue) throws(ProtocolError) {
        // One number stands for both directions; reading it as an object with both keeps one path for the checks.
        let both: JSONValue = value.object == nil ? .object(["up": value, "down": value]) : value
        let reader = try ProfileReader(both, at: "tier", knows: ["up", "down"])
        tierUp = try reader.integer("up", in: 1...4).flatMap(Tier.init(rawValue:))
        tierDown = try reader.integer("down", in: 1...4).flatMap(Tier.init(rawValue:))
    }
}

extension PollPlan {
    /// `never`, or {`min`, `max`} in seconds.
    static func read(_ value: JSONValue, at path: String) throws(ProtocolError) -> PollPlan? {
        if value == "never" { return nil }
        let reader = try ProfileReader(value, at: path, knows: ["min", "max"])
        guard let low = try reader.number("min", in: 0.05...604_800) else { throw reader.failure("min", "is missing.") }
        guard let high = try reader.number("max", in: low...604_800) else { throw reader.failure("max", "is missing.") }
        return PollPlan(min: .seconds(low), max: .seconds(high))
    }
}
