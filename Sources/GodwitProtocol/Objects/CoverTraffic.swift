/// A dummy message between two nodes: its receiver drops it (004 §12.4; docs/protocol.md §7). Whoever watches the link sees
/// a frame like any other.
public struct CoverTraffic: Sendable, Hashable {
    public static let paddingMax = 2_048
    /// Random; 1 to 2,048 bytes.
    public var padding: [UInt8]

    public init(padding: [UInt8]) { self.padding = padding }

    init(_ object: JSONObject) throws(ProtocolError) {
        padding = try ObjectReader(object, what: "dummy message").base64("padding")
        guard (1...Self.paddingMax).contains(padding.count) else {
            throw .malformed("A dummy message has 1 to 2,048 bytes of padding.", member: "padding")
        }
    }

    public var object: JSONObject { ["type": "cover", "padding": .string(Base64.encode(padding))] }
}
