import GodwitProtocol
import Testing

/// Device entries, device lists, pre-keys and node descriptors (`docs/protocol.md` §6; D-2, D-17, G-14).
@Suite("Keys in objects")
struct KeyObjectTests {
    static let entryWrong: [WrongMember] =
        ["user_id", "device", "signing_key", "agreement_key", "noise_key", "created", "signature"]
        .flatMap { [WrongMember($0, nil), WrongMember($0, 1)] }
        + [
            WrongMember("device", Sample.device(2)), WrongMember("signing_key", Sample.x25519(1)),
            WrongMember("agreement_key", Sample.ed25519(1)), WrongMember("noise_key", "x25519:AAAA"),
            WrongMember("created", "2025-09-06T10:30:00Z"),
        ]

    @Test("a device entry is read; a member that is missing or wrong is named", arguments: entryWrong)
    func entries(wrong: WrongMember) throws {
        let entry = try DeviceEntry(Sample.deviceEntry(1))
        #expect(entry.party.text == Sample.party(Sample.alice, 1).string)
        #expect(entry.signingKey == Sample.bytes(1) && entry.noiseKey == Sample.bytes(2001))
        let error = refusal { () throws(ProtocolError) in try DeviceEntry(wrong.applied(to: Sample.deviceEntry(1))) }
        #expect(wrong.isNamed(by: error))
    }

    @Test("a device id is base32 of the first 5 bytes of a labelled SHA-256 of its signing key")
    func deviceIDs() {
        let digest = SHA256Digest.of(Array("DCP1:device-id".utf8) + [0] + Sample.bytes(1))
        #expect(DeviceEntry.id(of: Sample.bytes(1)).text == Base32.encode(digest[..<5]))
    }

    static let listWrong: [WrongMember] =
        ["user_id", "version", "issued", "signature", "devices"].flatMap {
            [WrongMember($0, nil), WrongMember($0, "x")]
        }
        + [
            WrongMember("version", 0), WrongMember("devices", []), WrongMember("devices", [1]),
            WrongMember("devices", [.object(Sample.deviceEntry(1)), .object(Sample.deviceEntry(1))]),
            WrongMember("devices", [.object(Sample.deviceEntry(1, user: Sample.bob))]),
        ]

    @Test("a device list has each device of its user once", arguments: listWrong)
    func lists(wrong: WrongMember) {
        let error = refusal { () throws(ProtocolError) in try DeviceList(wrong.applied(to: Sample.deviceList(2))) }
        #expect(wrong.isNamed(by: error))
    }

    @Test("16 devices are accepted, 17 are refused")
    func deviceLimit() throws {
        #expect(try DeviceList(Sample.deviceList(16)).devices.count == 16)
        #expect(refusal { () throws(ProtocolError) in try DeviceList(Sample.deviceList(17)) } != nil)
    }

    static let revokedWrong: [JSONValue] = [
        [], "x", [1], [.object(Sample.revoked(20)), .object(Sample.revoked(20))],
        [.object(Sample.revoked(1))], [.object(Sample.revoked(20).omitting(["signing_key"]))],
        [.object(Sample.revoked(20).setting("agreement_key", Sample.ed25519(20)))],
    ]

    @Test("a revoked device has its keys and is named once, beside those that are listed", arguments: revokedWrong)
    func revoked(wrong: JSONValue) throws {
        let list = try DeviceList(Sample.deviceList(2).setting("revoked", [.object(Sample.revoked(20))]))
        #expect(list.devices.count == 2 && list.revoked.map(\.device.text) == [Sample.device(20).string])
        #expect(list.revoked.map(\.agreementKey) == [Sample.bytes(1020)])
        let error = refusal { () throws(ProtocolError) in
            try DeviceList(Sample.deviceList(2).setting("revoked", wrong))
        }
        #expect(error?.code == .invalidMessageFormat)
    }

    @Test("16 revoked devices are accepted, 17 are refused; of more the newest are named")
    func revokedLimit() throws {
        func list(_ count: Int) throws(ProtocolError) -> DeviceList {
            try DeviceList(
                Sample.deviceList(16).setting(
                    "revoked", .array((20..<20 + count).map { .object(Sample.revoked($0)) })))
        }
        let full = try list(16)
        #expect(full.revoked.count == 16)
        #expect(refusal { () throws(ProtocolError) in try list(17) } != nil)
        let next = full.revoked(keeping: full.revoked, lacking: Array(full.devices.dropFirst(2)))
        #expect(next.map(\.device) == full.revoked.dropFirst(2).map(\.device) + full.devices.prefix(2).map(\.device))
        #expect(next.map(\.signingKey).suffix(2) == [Sample.bytes(1), Sample.bytes(2)])
        #expect(try next.map { try RevokedDevice($0.object) } == next)
        // One that is listed again is revoked no more.
        let back = full.revoked(keeping: next, lacking: full.devices)
        #expect(back == Array(next.prefix(14)))
    }

    @Test("pre-keys have ids from 1 to 2^32 − 1")
    func preKeys() throws {
        #expect(try SignedPreKey(Sample.preKey().setting("id", 4_294_967_295)).id == .max)
        let oneTime = OneTimePreKey(id: 7, key: Sample.bytes(7))
        #expect(try OneTimePreKey(oneTime.object) == oneTime)
        for key in ["user_id", "device", "id", "key", "created", "signature"] {
            for value: JSONValue? in [nil, 0, 4_294_967_296] {
                let wrong = WrongMember(key, value)
                let error = refusal { () throws(ProtocolError) in try SignedPreKey(wrong.applied(to: Sample.preKey())) }
                #expect(wrong.isNamed(by: error))
            }
        }
        for key in ["id", "key"] {
            let wrong = WrongMember(key, 0)
            let error = refusal { () throws(ProtocolError) in try OneTimePreKey(wrong.applied(to: oneTime.object)) }
            #expect(wrong.isNamed(by: error))
        }
    }

    static let descriptorWrong: [WrongMember] =
        ["type", "id", "public_key", "noise_key", "endpoints", "pins", "name", "seq", "expires", "signature"]
        .flatMap { [WrongMember($0, nil), WrongMember($0, 0)] }
        + [
            WrongMember("type", "epoch"), WrongMember("endpoints", ["ftp://x"]), WrongMember("endpoints", [1]),
            WrongMember("endpoints", [.string("https://" + String(repeating: "x", count: 2041))]),
            WrongMember("pins", ["sha256:AAAA"]), WrongMember("pins", [.string(Base64.encode(Sample.bytes(1)))]),
            WrongMember("expires", "2025-09-06T10:30:00Z"),
        ]

    @Test("a member of a node descriptor that is missing or wrong is named", arguments: descriptorWrong)
    func descriptors(wrong: WrongMember) {
        let error = refusal { () throws(ProtocolError) in try NodeDescriptor(wrong.applied(to: Sample.descriptor)) }
        #expect(wrong.isNamed(by: error))
    }

    @Test("an endpoint in clear text is accepted on loopback only (SEC-02)")
    func clearEndpoints() {
        func read(_ url: String) -> ProtocolError? {
            let object = Sample.descriptor.setting("endpoints", [.string(url)])
            return refusal { () throws(ProtocolError) in try NodeDescriptor(object) }
        }
        for host in ["127.0.0.1:8080", "127.255.0.9", "localhost", "LOCALHOST:1/x", "[::1]", "[::1]:8080"] {
            #expect(read("http://" + host) == nil, "\(host)")
            #expect(read("ws://" + host) == nil, "\(host)")
        }
        for host in [
            "chat.example.com", "10.0.0.1:8080", "127.0.0.1.example.com", "localhost.example.com", "1270.0.0.1",
            "127.1",
            "localhost@example.com", "127.0.0.1:1@example.com", "[::2]", "[::1].example.com", "", "127.0.0.256",
        ] {
            #expect(WrongMember("endpoints", nil).isNamed(by: read("http://" + host)), "\(host)")
            #expect(WrongMember("endpoints", nil).isNamed(by: read("ws://" + host)), "\(host)")
            #expect(read("wss://" + host) == nil, "TLS may go anywhere: \(host)")
        }
    }

    @Test("an endpoint for datagrams is a host and a port and nothing else")
    func datagramEndpoints() {
        func read(_ url: String) -> ProtocolError? {
            let object = Sample.descriptor.setting("endpoints", [.string(url)])
            return refusal { () throws(ProtocolError) in try NodeDescriptor(object) }
        }
        for authority in ["chat.example.com:7443", "[2001:db8::1]:1", "10.0.0.1:65535"] {
            #expect(read("udp://" + authority) == nil, "\(authority)")
        }
        for authority in [
            "", "chat.example.com", ":7443", "chat.example.com:", "chat.example.com:0", "chat.example.com:65536",
            "chat.example.com:7443/", "me@chat.example.com:7443", "chat.example.com:+1",
        ] {
            #expect(WrongMember("endpoints", nil).isNamed(by: read("udp://" + authority)), "\(authority)")
        }
    }

    @Test("a node descriptor of another version is refused with 9002, one without a version with 2000")
    func descriptorVersion() {
        func read(_ version: JSONValue?) -> ProtocolError? {
            let object = WrongMember("version", version).applied(to: Sample.descriptor)
            return refusal { () throws(ProtocolError) in try NodeDescriptor(object) }
        }
        #expect(read("1.0") == nil)
        for version in ["1.1", "2.0", "1", ""] as [JSONValue] {
            #expect(read(version)?.code == .protocolVersionMismatch)
            #expect(read(version)?.hint != nil)
        }
        #expect(read(nil)?.code == .invalidMessageFormat)
        #expect(read(1)?.code == .invalidMessageFormat)
    }

    @Test("a node descriptor is built as it is read; 8 endpoints and 4 pins are accepted, 9 and 5 are refused (D-17)")
    func descriptorLimits() throws {
        let node = try NodeDescriptor(Sample.descriptor)
        #expect(
            NodeDescriptor.unsigned(
                id: node.id, publicKey: node.publicKey, noiseKey: node.noiseKey, endpoints: node.endpoints,
                pins: node.pins,
                name: node.name, sequence: node.sequence, expires: node.expires)
                == Sample.descriptor.omitting(["signature"]))
        let url = JSONValue.string("https://" + String(repeating: "x", count: 2040))
        let pin = JSONValue.string("sha256:" + Base64.encode(Sample.bytes(3)))
        for (key, value, limit) in [("endpoints", url, 8), ("pins", pin, 4)] {
            for count in [0, limit] {
                let object = Sample.descriptor.setting(key, .array(Array(repeating: value, count: count)))
                #expect(refusal { () throws(ProtocolError) in try NodeDescriptor(object) } == nil)
            }
            let object = Sample.descriptor.setting(key, .array(Array(repeating: value, count: limit + 1)))
            let error = refusal { () throws(ProtocolError) in try NodeDescriptor(object) }
            #expect(WrongMember(key, nil).isNamed(by: error))
        }
    }
}
