/// A node as it describes itself (decision D-17). Signed by the node, purpose `descriptor`.
public struct NodeDescriptor: Hashable, Sendable {
    public let object: JSONObject
    public let id: NodeID
    /// Ed25519, 32 bytes.
    public let publicKey: [UInt8]
    /// X25519, 32 bytes: static key of frame seals.
    public let noiseKey: [UInt8]
    /// Base URLs, `https://host:port`, best first; `http://` on loopback only; `udp://host:port` for datagrams.
    public let endpoints: [String]
    /// SHA-256 of the certificate's SubjectPublicKeyInfo, 32 bytes each.
    public let pins: [[UInt8]]
    public let name: String
    public let sequence: Int64
    public let expires: Timestamp

    /// The version of this form.
    public static let version = "1.0"

    /// - Throws: `ProtocolError` 9002 for another version, else 2000 naming the member.
    public init(_ object: JSONObject) throws(ProtocolError) {
        let fields = ObjectReader(object, what: "node descriptor")
        try fields.expect(type: "descriptor")
        guard try fields.string("version") == Self.version else {
            throw ProtocolError(
                .protocolVersionMismatch, "The node descriptor is of another version.",
                hint: "This version reads node descriptors of version 1.0; update the older of both programs.",
                details: ["member": "version"])
        }
        id = try fields.nodeID("id")
        publicKey = try fields.key("public_key", prefix: "ed25519", count: 32)
        noiseKey = try fields.key("noise_key", prefix: "x25519", count: 32)
        name = try fields.string("name")
        sequence = try fields.integer("seq", in: 1...JSONValue.integerMax)
        expires = try fields.canonicalTimestamp("expires")
        endpoints = try Self.endpoints(fields)
        pins = try Self.pins(fields)
        _ = try fields.key("signature", prefix: "ed25519", count: 64)
        self.object = object
    }

    private static func endpoints(_ fields: ObjectReader) throws(ProtocolError) -> [String] {
        var endpoints: [String] = []
        for entry in try fields.array("endpoints") {
            guard let url = entry.string, url.utf8.count <= 2048,
                url.hasPrefix("https://") || url.hasPrefix("wss://") || isClearOnLoopback(url) || isForDatagrams(url)
            else {
                throw .malformed(
                    "An endpoint is an https or wss URL, an http or ws URL on loopback, or udp://host:port.",
                    member: "endpoints",
                    hint: "Clear text leaves no machine: use https://.")
            }
            endpoints.append(url)
        }
        guard endpoints.count <= 8 else { throw .malformed("At most 8 endpoints.", member: "endpoints") }
        return endpoints
    }

    /// `http://` or `ws://` and a host that is this machine: `localhost`, `127.x.x.x` or `[::1]`.
    private static func isClearOnLoopback(_ url: String) -> Bool {
        guard let scheme = ["http://", "ws://"].first(where: url.hasPrefix) else { return false }
        let authority = url.dropFirst(scheme.count).prefix { !"/?#\\".contains($0) }
        guard !authority.contains("@") else { return false }
        if authority == "[::1]" || authority.hasPrefix("[::1]:") { return true }
        let host = authority.prefix { $0 != ":" }.lowercased()
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return host == "localhost" || parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// `udp://`, a host, a port and nothing else. Frames are sealed, so no TLS is below them.
    private static func isForDatagrams(_ url: String) -> Bool {
        guard url.hasPrefix("udp://") else { return false }
        let authority = url.dropFirst(6)
        guard let colon = authority.lastIndex(of: ":"), colon > authority.startIndex,
            !authority.contains(where: { "/?#\\@ ".contains($0) })
        else { return false }
        let digits = authority[authority.index(after: colon)...]
        return (1...5).contains(digits.utf8.count) && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && (1...65_535).contains(Int(digits) ?? 0)
    }

    private static func pins(_ fields: ObjectReader) throws(ProtocolError) -> [[UInt8]] {
        var pins: [[UInt8]] = []
        for entry in try fields.array("pins") {
            guard let text = entry.string, text.hasPrefix("sha256:"),
                let pin = Base64.decode(String(text.dropFirst(7))), pin.count == 32
            else { throw .malformed("A pin is sha256: and the base64 of 32 bytes.", member: "pins") }
            pins.append(pin)
        }
        guard pins.count <= 4 else { throw .malformed("At most 4 pins.", member: "pins") }
        return pins
    }

    public static func unsigned(
        id: NodeID, publicKey: [UInt8], noiseKey: [UInt8], endpoints: [String], pins: [[UInt8]], name: String,
        sequence: Int64, expires: Timestamp
    ) -> JSONObject {
        [
            "type": "descriptor", "version": .string(version), "id": .string(id.text),
            "public_key": .string(PublicKeyText.text(ed25519: publicKey)),
            "noise_key": .string(PublicKeyText.text(x25519: noiseKey)),
            "endpoints": .array(endpoints.map { .string($0) }),
            "pins": .array(pins.map { .string("sha256:" + Base64.encode($0)) }), "name": .string(name),
            "seq": .integer(sequence), "expires": .string(expires.description),
        ]
    }
}
