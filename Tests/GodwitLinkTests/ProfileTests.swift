import GodwitLink
import GodwitProtocol
import Testing

@Suite("Profiles (NET-01 to NET-03, NET-07, GW-07)")
struct ProfileTests {
    /// A profile with every key, as a file would have it.
    static let full = """
        name: harbour-2
        network_profile:
          type: mobile
          bandwidth_down: 1200000
          bandwidth_up: 256000
          latency: 150
          packet_loss: 0.01
          cost_per_mb: 0.05
          reliability: unreliable
        mtu: 576
        weights: {revocation: 9, direct: 8, channel: 7, voice: 6, document: 5, image: 4, bulk: 0}
        budget: {bytes_per_day: 1000, bytes_per_month: 20000, money_per_month: 2.5, currency: EUR, duty_cycle: 0.1,
                 urgent_reserve: 0.25}
        windows:
          - {days: [mon, fri], from: "06:00", to: "07:30"}
          - {from: "22:00", to: "01:00"}
        poll: {min: 0.5, max: 60}
        batch_delay: 250
        frame_seconds: 2.5
        tier: {up: 2}
        """

    private func failure(_ yaml: String) throws -> ProtocolError {
        let value = try YAMLProfile.value(yaml)
        return try #require(throws: ProtocolError.self) { _ = try Profile(value) }
    }

    @Test("the four shipped files are the presets", arguments: NetworkType.allCases)
    func shipped(_ type: NetworkType) throws {
        let preset = Profile.preset(type)
        let value = try YAMLProfile.shipped(preset.name)
        #expect(try Profile(value) == preset)
        // Every key of the policy is written out, so that the file explains itself.
        let keys = try #require(value.object).keys
        for key in ["name", "network_profile", "mtu", "weights", "frame_seconds", "batch_delay", "poll", "windows"] {
            #expect(keys.contains(key), "\(preset.name) leaves \(key) out")
        }
        #expect(value.object?["network_profile"]?.object?.count == 7)
        #expect(value.object?["weights"]?.object?.count == 7)
    }

    @Test("the file's measures are those of the targets: satellite, mesh, mobile")
    func measures() throws {
        let satellite = try Profile(YAMLProfile.shipped("satellite"))
        #expect(satellite.bandwidthUp.bitsPerSecond == 9_600 && satellite.bandwidthDown.bitsPerSecond == 9_600)
        #expect(satellite.latency == .milliseconds(600) && satellite.packetLoss == 0.01)
        let mesh = try Profile(YAMLProfile.shipped("mesh"))
        #expect(mesh.bandwidthUp.bitsPerSecond == 2_400 && mesh.mtu.bytes == 500 && mesh.packetLoss == 0.05)
        let mobile = try Profile(YAMLProfile.shipped("mobile"))
        #expect(mobile.bandwidthUp.bitsPerSecond == 64_000 && mobile.bandwidthDown.bitsPerSecond == 256_000)
        #expect(satellite.rulesUp.tier == .ultraLow && mobile.rulesUp.tier == .low && mobile.rulesDown.tier == .medium)
    }

    @Test("every key is read")
    func everyKey() throws {
        let profile = try Profile(YAMLProfile.value(Self.full))
        #expect(profile.name == "harbour-2" && profile.type == .mobile && profile.reliability == .unreliable)
        #expect(profile.bandwidthDown.bitsPerSecond == 1_200_000 && profile.bandwidthUp.bitsPerSecond == 256_000)
        #expect(profile.latency == .milliseconds(150) && profile.packetLoss == 0.01 && profile.costPerMegabyte == 0.05)
        #expect(profile.mtu.bytes == 576 && profile.batchDelay == .milliseconds(250) && profile.frameSeconds == 2.5)
        #expect(PriorityClass.allCases.map { profile.weights[$0] } == [0, 9, 8, 7, 6, 5, 4, 0])
        #expect(
            profile.budget
                == Budget(
                    bytesPerDay: ByteCount(1_000), bytesPerMonth: ByteCount(20_000), moneyPerMonth: 2.5,
                    currency: "EUR", dutyCycle: 0.1, urgentReserve: 0.25))
        #expect(profile.poll == PollPlan(min: .milliseconds(500), max: .seconds(60)))
        #expect(profile.tierUp == .low && profile.tierDown == nil)
        #expect(profile.rulesUp.tier == .low)
        #expect(
            profile.contactPlan
                == ContactPlan(windows: [
                    .init(days: [.monday, .friday], from: 360, to: 450), .init(from: 1_320, to: 60),
                ]))
    }

    @Test("the sample of 004 §13.1 comes out as it went in")
    func sample() throws {
        let sample: JSONObject = [
            "type": "mobile", "bandwidth_down": 1_200_000, "bandwidth_up": 256_000, "latency": 150,
            "packet_loss": .double(0.01), "cost_per_mb": .double(0.05), "reliability": "intermittent",
        ]
        let profile = try Profile(["name": "sample", "network_profile": .object(sample)])
        #expect(profile.networkProfile == sample)
    }

    @Test("what is left out comes from the preset of the type")
    func defaults() throws {
        var expected = Profile.mesh
        expected.name = "x"
        #expect(try Profile(["name": "x", "network_profile": ["type": "meshnet"]]) == expected)
    }

    @Test("poll never and windows always are words")
    func words() throws {
        let value = try YAMLProfile.value("{name: x, network_profile: {type: mobile}, poll: never, windows: always}")
        let profile = try Profile(value)
        #expect(profile.poll == nil && profile.contactPlan.isAlways)
    }

    @Test("one tier stands for both directions")
    func tierForBoth() throws {
        let profile = try Profile(YAMLProfile.value("{name: x, network_profile: {type: broadband}, tier: 1}"))
        #expect(profile.tierUp == .ultraLow && profile.tierDown == .ultraLow && profile.rulesUp.textScalarsMax == 140)
    }

    @Test(
        "an unknown key is an error that names it and the key that was meant",
        arguments: [
            ("bandwith_up", "network_profile.bandwith_up", "network_profile.bandwidth_up"),
            ("Latency", "network_profile.Latency", "network_profile.latency"),
        ])
    func unknownKey(_ key: String, path: String, nearest: String) throws {
        let error = try failure("{name: x, network_profile: {type: mobile, \(key): 5}}")
        #expect(error.code == .invalidMessageFormat)
        #expect(error.details["key"] == .string(path) && error.details["nearest"] == .string(nearest))
        #expect(error.message.contains(path))
        #expect(try #require(error.hint).contains(nearest))
    }

    @Test("an unknown key unlike any other is answered with the known ones")
    func unlikeAny() throws {
        let error = try failure("{name: x, network_profile: {type: mobile}, qqqqqqqqqq: 5}")
        #expect(error.details["key"] == "qqqqqqqqqq" && error.details["nearest"] == nil)
        #expect(try #require(error.hint).contains("batch_delay"))
        let long = try failure("{name: x, network_profile: {type: mobile}, \(String(repeating: "y", count: 900)): 5}")
        #expect(long.message.utf8.count < 120)
    }

    @Test("unknown keys are found at every level", arguments: ["budget", "weights", "poll", "tier"])
    func everyLevel(_ level: String) throws {
        let error = try failure("{name: x, network_profile: {type: mobile}, \(level): {zzz: 1}}")
        #expect(error.details["key"] == .string("\(level).zzz"))
        let window = try failure(
            "{name: x, network_profile: {type: mobile}, windows: [{from: '01:00', to: '02:00', zzz: 1}]}")
        #expect(window.details["key"] == "windows[0].zzz")
    }

    @Test(
        "the largest request that leaves room for its parity is the largest, or a few bytes less",
        arguments: [0, 0.01, 0.3, 1])
    func parity(_ share: Double) {
        var profile = Profile.satellite
        profile.erasure = share
        for room in [0, 1, 1_499, 1_500, 3_000, 3_001, 100_000, 1 << 40] {
            let most = profile.withoutParity(ByteCount(room))
            #expect(profile.withParity(most) <= ByteCount(room))
            #expect(profile.withParity(most + ByteCount(3)) > ByteCount(room))
        }
        // A small request may go twice; of a long one the share does, and a datagram.
        #expect(profile.withParity(ByteCount(90)) == ByteCount(share == 0 ? 90 : 180))
        let long = 1_000_000 + Int(1_000_000 * share) + (share == 0 ? 0 : 1_500)
        #expect(profile.withParity(ByteCount(1_000_000)) == ByteCount(min(long, 2_000_000)))
    }

    @Test(
        "dummy messages are for links that cost nothing, have no budget, and carry 100 kbit/s both ways (SEC-14, G-73)")
    func cover() throws {
        func read(_ more: String, type: String = "broadband") throws -> Profile {
            try Profile(YAMLProfile.value("{name: x, network_profile: {type: \(type)}, cover: 30\(more)}"))
        }
        #expect(try read("").cover == .seconds(30))
        for type in NetworkType.allCases { #expect(Profile.preset(type).cover == nil) }
        for more in [
            ", budget: {bytes_per_month: 1000}", ", budget: {duty_cycle: 0.5}", ", min_batch: 1", ", tier: 2",
            ", tier: {up: 2}", ", tier: {down: 1}",
        ] {
            let error = try #require(throws: ProtocolError.self, "\(more)") { _ = try read(more) }
            #expect(error.details["key"] == "cover")
        }
        for type in ["satellite", "meshnet", "mobile"] {
            #expect(throws: ProtocolError.self) { _ = try read("", type: type) }
        }
        let rates = "{name: x, cover: 30, network_profile: {type: broadband, bandwidth_up: RATE}}"
        _ = try Profile(YAMLProfile.value(rates.replacing("RATE", with: "100000")))
        #expect(throws: ProtocolError.self) {
            _ = try Profile(YAMLProfile.value(rates.replacing("RATE", with: "99999")))
        }
        #expect(throws: ProtocolError.self) {
            _ = try Profile(
                YAMLProfile.value("{name: x, cover: 30, network_profile: {type: broadband, cost_per_mb: 0.01}}"))
        }
    }

    /// Key path, accepted extremes, refused neighbours.
    static let limits: [(String, accepted: [String], refused: [String])] = [
        ("network_profile.bandwidth_down", ["10", "100000000000"], ["9", "100000000001", "-1", "'10'", "10.5"]),
        ("network_profile.bandwidth_up", ["10", "100000000000"], ["9", "100000000001", "true"]),
        ("network_profile.latency", ["0", "600000"], ["-1", "600001"]),
        ("network_profile.packet_loss", ["0", "0.99"], ["-0.01", "0.991", "1", ".nan", ".inf"]),
        ("network_profile.cost_per_mb", ["0", "1000000"], ["-1", "1000001", ".nan"]),
        ("network_profile.reliability", ["stable", "unreliable"], ["good", "1", "STABLE"]),
        ("network_profile.type", ["meshnet", "satellite"], ["mesh", "null"]),
        (
            "name", ["a", "'\(String(repeating: "b", count: 32))'"],
            ["''", "'\(String(repeating: "b", count: 33))'", "A", "a_b", "5", "é"]
        ),
        ("mtu", ["64", "65535"], ["63", "65536"]),
        ("batch_delay", ["0", "60000"], ["-1", "60001"]),
        ("frame_seconds", ["0.5", "60"], ["0.49", "60.1"]),
        ("erasure", ["0", "0.01", "1"], ["-0.01", "0.009", "1.01", "true"]),
        ("weights.direct", ["0", "1000"], ["-1", "1001", "1.5"]),
        ("weights.control", [], ["1"]),
        ("budget.bytes_per_day", ["1", "1000000000000000"], ["0", "1000000000000001"]),
        ("budget.bytes_per_month", ["1", "1000000000000000"], ["0", "1000000000000001"]),
        ("budget.money_per_month", ["0", "1000000000"], ["-0.1", "1000000001"]),
        ("budget.duty_cycle", ["0.0001", "1"], ["0", "1.01"]),
        ("budget.urgent_reserve", ["0", "0.9"], ["-0.1", "0.91"]),
        ("budget.currency", ["EUR"], ["eur", "EURO", "EU", "5"]),
        ("tier", ["1", "4"], ["0", "5", "low"]),
        ("tier.up", ["1", "4"], ["0", "5"]),
        (
            "poll", ["never", "{min: 0.05, max: 0.05}", "{min: 1, max: 604800}"],
            ["always", "{min: 0.04, max: 1}", "{min: 1, max: 604801}", "{min: 2, max: 1}", "{min: 1}", "{max: 1}"]
        ),
        (
            "windows", ["always", "[{from: '00:00', to: '24:00'}]"],
            [
                "never", "[]", "{}", "[{from: '24:00', to: '01:00'}]", "[{from: '00:00', to: '24:01'}]",
                "[{from: '1:00', to: '02:00'}]", "[{from: '01:60', to: '02:00'}]", "[{from: 16:00, to: 17:00}]",
                "[{from: '01:00', to: '01:00'}]", "[{days: [], from: '01:00', to: '02:00'}]",
                "[{days: [mon, mon], from: '01:00', to: '02:00'}]", "[{days: [Monday], from: '01:00', to: '02:00'}]",
            ]
        ),
    ]

    @Test("each limit: the last accepted value passes, the first refused fails by name", arguments: limits)
    func limit(_ path: String, accepted: [String], refused: [String]) throws {
        for text in accepted {
            #expect(throws: Never.self, "\(path): \(text)") { _ = try Profile(try Self.changed(path, text)) }
        }
        for text in refused {
            let error = try #require(throws: ProtocolError.self, "\(path): \(text)") {
                _ = try Profile(try Self.changed(path, text))
            }
            #expect(try #require(error.details["key"]?.string).hasPrefix(path), "\(path): \(text)")
            #expect(error.code == .invalidMessageFormat)
        }
    }

    @Test("512 windows are accepted, 513 are not")
    func windowCount() throws {
        let window = "{from: '01:00', to: '02:00'}"
        func list(_ count: Int) -> String { "[" + Array(repeating: window, count: count).joined(separator: ", ") + "]" }
        #expect(throws: Never.self) { _ = try Profile(try Self.changed("windows", list(512))) }
        #expect(throws: ProtocolError.self) { _ = try Profile(try Self.changed("windows", list(513))) }
    }

    @Test("a missing name, profile or type is named", arguments: ["name", "network_profile", "network_profile.type"])
    func missing(_ path: String) throws {
        var object = try #require(try YAMLProfile.value(Self.full).object)
        if path == "network_profile.type" {
            object["network_profile"] = .object(try #require(object["network_profile"]?.object).omitting(["type"]))
        } else {
            object[path] = nil
        }
        let error = try #require(throws: ProtocolError.self) { _ = try Profile(.object(object)) }
        #expect(error.details["key"] == .string(path))
    }

    @Test("a profile that is no set of keys is refused", arguments: [JSONValue.null, "x", 5, [1]])
    func noObject(_ value: JSONValue) {
        #expect(throws: ProtocolError.self) { _ = try Profile(value) }
    }

    /// The full profile with the value at `path` replaced.
    private static func changed(_ path: String, _ text: String) throws -> JSONValue {
        var object = try #require(try YAMLProfile.value(full).object)
        let value = try #require(try YAMLProfile.value("{v: \(text)}").object?["v"])
        let parts = path.split(separator: ".").map(String.init)
        if parts.count == 2 {
            object[parts[0]] = .object((object[parts[0]]?.object ?? [:]).setting(parts[1], value))
        } else {
            object[path] = value
        }
        return .object(object)
    }
}
