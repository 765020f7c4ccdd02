import GodwitProtocol
import Testing

@testable import GodwitLink

@Suite struct CarrierChoiceTests {
    private static let dead = ProtocolError(.nodeUnreachable, "Nobody answers.")

    @Test(
        "ways are tried best first, those that failed after the others, the one that comes free first before the rest")
    func order() {
        var random = SeededGenerator(seed: 3)
        var choice = CarrierChoice(count: 3)
        #expect(choice.candidates(at: .zero) == [0, 1, 2])
        choice.failed(0, Self.dead, after: .seconds(30), at: .zero, using: &random)
        #expect(choice.candidates(at: .seconds(1)) == [1, 2, 0])
        choice.failed(1, Self.dead, after: .zero, at: .seconds(1), using: &random)
        #expect(choice.candidates(at: .seconds(2)) == [2, 1, 0])
        choice.failed(2, Self.dead, after: .seconds(60), at: .seconds(2), using: &random)
        #expect(choice.candidates(at: .seconds(3)) == [1, 0, 2])
        choice.reached(2)
        #expect(choice.candidates(at: .seconds(3)) == [2, 1, 0] && choice.lastUsed == 2)
        #expect(choice.candidates(at: .seconds(2_000)) == [0, 1, 2])
    }

    @Test("a pause is ten times what the failure took, doubles, and stays between 10 and 600 seconds")
    func pauses() {
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            var choice = CarrierChoice(count: 1)
            for expected in [10.0, 20, 40, 80, 160, 320, 600, 600] {
                choice.failed(0, Self.dead, after: .milliseconds(500), at: .zero, using: &random)
                let pause = choice.standings[0].heldUntil.inSeconds
                #expect(pause >= max(expected * 0.75, 10) && pause <= min(expected * 1.25, 600))
            }
            choice.reached(0)
            choice.failed(0, Self.dead, after: .seconds(30), at: .zero, using: &random)
            #expect((225...375).contains(choice.standings[0].heldUntil.inSeconds))
            choice.failed(0, Self.dead, after: .seconds(1 << 40), at: .zero, using: &random)
            #expect(choice.standings[0].heldUntil <= CarrierChoice.pauseMax)
        }
    }

    @Test("only 3000 means that a way is dead")
    func reasons() {
        let reasons = ErrorCode.allCases.filter { CarrierChoice.isUnreachable(ProtocolError($0, "x")) }
        #expect(reasons == [.nodeUnreachable])
    }

    @Test("thin links begin with lines and datagrams, broad ones with connections; the operator's order goes before")
    func ways() throws {
        let serial = try SerialEndpoint(device: "/dev/ttyS0")
        let endpoints = ["https://a:1", "udp://a:2", "wss://a:4", "https://b:3", "tcp://a:5"]
        func ordered(_ type: NetworkType, _ preference: [String] = []) -> [String] {
            CarrierWay.ordered(
                endpoints: endpoints, serial: serial, profile: .preset(type), preference: preference
            ).map(\.endpoint)
        }
        let line = "serial:///dev/ttyS0?baud=9600"
        for type in [NetworkType.satellite, .meshnet, .mobile] {
            #expect(ordered(type) == [line, "udp://a:2", "https://a:1", "https://b:3", "wss://a:4"])
        }
        #expect(ordered(.broadband) == ["wss://a:4", "https://a:1", "https://b:3", "udp://a:2", line])
        #expect(ordered(.satellite, ["https"]) == ["https://a:1", "https://b:3", line, "udp://a:2", "wss://a:4"])
        #expect(
            ordered(.broadband, ["https://b:3", "serial"])
                == ["https://b:3", line, "wss://a:4", "https://a:1", "udp://a:2"])
        #expect(ordered(.mobile, ["wss"]).first == "wss://a:4")
        #expect(throws: Never.self) {
            try CarrierWay.check(preference: ["serial", "udp://a:2", line], endpoints: endpoints, serial: serial)
        }
        #expect(throws: ProtocolError.self) {
            try CarrierWay.check(preference: ["pigeon"], endpoints: endpoints, serial: serial)
        }
        let many = Array(repeating: "udp", count: CarrierWay.preferenceMax)
        #expect(throws: Never.self) { try CarrierWay.check(preference: many, endpoints: [], serial: nil) }
        #expect(throws: ProtocolError.self) {
            try CarrierWay.check(preference: many + ["udp"], endpoints: [], serial: nil)
        }
    }
}

@Suite struct SerialEndpointTests {
    @Test("a line is written and read; size and rate have their usual values")
    func reads() throws {
        let line = try SerialEndpoint("serial:///dev/ttyUSB0?baud=19200&mtu=256")
        #expect(line.device == "/dev/ttyUSB0" && line.baud == 19_200 && line.mtu == 256)
        #expect(line.text == "serial:///dev/ttyUSB0?baud=19200&mtu=256")
        #expect(try SerialEndpoint("serial:///dev/ttyS0").text == "serial:///dev/ttyS0?baud=9600")
        #expect(try SerialEndpoint("serial:///dev/ttyS0?mtu=40&baud=300").mtu == 40)
        #expect(line.bitRate.bitsPerSecond == 15_360)
        for baud in SerialEndpoint.bauds {
            let line = try SerialEndpoint(device: "/dev/x", baud: baud)
            #expect(try SerialEndpoint(line.text) == line)
        }
    }

    @Test(
        "what is no line is refused",
        arguments: [
            "", "/dev/ttyS0", "serial://", "serial://dev/ttyS0", "serial:///", "serial:///dev/tty S0",
            "serial:///dev/ttyS0?baud=9601", "serial:///dev/ttyS0?baud=9600&baud=9600",
            "serial:///dev/ttyS0?speed=9600",
            "serial:///dev/ttyS0?mtu=39", "serial:///dev/ttyS0?mtu=4097", "serial:///dev/ttyS0?",
            "serial:///dev/a?baud=",
            "serial:///dev/a?baud=-300", "serial:///dev/a?baud=9600&", "serial:///dev/a#b", "udp://a:1",
        ])
    func refuses(text: String) {
        #expect(throws: ProtocolError.self) { try SerialEndpoint(text) }
    }

    @Test("a device's path has at most 255 bytes")
    func paths() throws {
        let path = "/" + String(repeating: "d", count: 254)
        #expect(try SerialEndpoint(device: path).device == path)
        #expect(throws: ProtocolError.self) { try SerialEndpoint(device: path + "d") }
    }
}
