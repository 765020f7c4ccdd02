import GodwitLink
import GodwitProtocol
import Testing

@Suite("Several links")
struct LinkPathTests {
    private static func path(_ name: String, _ classes: Set<PriorityClass>?) throws -> LinkPath {
        name == LinkPath.mainName
            ? .main(profile: "satellite", ways: [], classes: classes)
            : try LinkPath(name: name, profile: "satellite", ways: [], classes: classes)
    }

    @Test("a link carries what it names; those that name nothing carry the rest")
    func carried() throws {
        let all = Set(PriorityClass.allCases)
        let (main, bike) = (try Self.path("main", nil), try Self.path("bike", [.image, .bulk]))
        #expect(LinkPath.carried(by: [main]) == ["main": all])
        let rest = all.subtracting([.image, .bulk])
        #expect(LinkPath.carried(by: [main, bike]) == ["main": rest, "bike": [.image, .bulk]])
        let second = try Self.path("wire", nil)
        #expect(LinkPath.carried(by: [main, bike, second])["wire"] == rest)
        #expect(throws: Never.self) { try LinkPath.check([main, bike, second]) }
        let named = try Self.path("main", [.control, .bulk])
        let error = #expect(throws: ProtocolError.self) { try LinkPath.check([named, bike]) }
        #expect(error?.message.contains("revocation,direct,channel,voice,document") == true)
    }

    @Test("lists of classes are read as they are written")
    func classes() throws {
        let all = Set(PriorityClass.allCases)
        #expect(try LinkPath.classes(LinkPath.text(all)) == all)
        #expect(try LinkPath.classes("bulk,direct") == [.directText, .bulk])
        for text in ["", ",", "bulk,", "bulk,bulk", "Bulk", "post"] {
            #expect(throws: ProtocolError.self, "\(text)") { try LinkPath.classes(text) }
        }
    }

    @Test("a link's own ways are tried in its order, and no others")
    func ways() throws {
        let endpoints = ["https://a.example", "udp://a.example:7300", "https://b.example"]
        let serial = try SerialEndpoint(device: "/dev/ttyUSB0")
        func named(_ names: String...) -> [String] {
            CarrierWay.named(names, endpoints: endpoints, serial: serial).map(\.endpoint)
        }
        #expect(named("udp", "https") == [endpoints[1], endpoints[0], endpoints[2]])
        #expect(named("https://b.example", "https") == [endpoints[2], endpoints[0]])
        #expect(named("udp://modem.example:9") == ["udp://modem.example:9"])
        #expect(named("serial") == [serial.text] && named("http").isEmpty)
    }
}
