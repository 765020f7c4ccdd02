public import GodwitProtocol
import SwiftProtobuf

/// A clear content (DCP §6.2) in the compact form in which it is packed and encrypted (D-10).
///
/// The members of text contents have fields of their own; everything else travels as canonical JSON, so that no member is
/// lost.
public struct ClearContent: Hashable, Sendable {
    public enum Format: Int, Hashable, Sendable, CaseIterable {
        case plain = 0
        case markdown = 1
        var name: String { self == .plain ? "plain" : "markdown" }
    }

    /// Bytes of the compact form.
    public static let bytesMax = 65_536

    /// The content as a message shows it.
    public let object: JSONObject

    public init(_ object: JSONObject) { self.object = object }

    /// The compact form.
    /// - Throws: `ProtocolError` 2000 for a text with a noncharacter of Unicode, 2001 beyond `bytesMax`.
    public func encoded() throws(ProtocolError) -> [UInt8] {
        let wire = wire()
        try Self.checkTexts(of: wire)
        let bytes: [UInt8]
        do { bytes = try wire.serializedBytes() } catch {
            throw ProtocolError(.internalError, "the content could not be written")
        }
        guard bytes.count <= Self.bytesMax else {
            throw .tooLarge("the content is too large", actual: bytes.count, firstRefused: Self.bytesMax + 1)
        }
        return bytes
    }

    /// Reads the compact form.
    /// - Throws: `ProtocolError` 2000 or 2001.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        guard bytes.count <= Self.bytesMax else {
            throw .tooLarge("the content is too large", actual: bytes.count, firstRefused: Self.bytesMax + 1)
        }
        let wire: WireContent
        do { wire = try WireContent(serializedBytes: bytes) } catch {
            throw .malformed("the content is no protobuf message of its kind")
        }
        object = try Self.object(wire)
    }
}

extension ClearContent {
    private enum Absent {
        static let format: UInt32 = 1
        static let mentions: UInt32 = 2
        static let replyTo: UInt32 = 4
    }

    private func wire() -> WireContent {
        var wire = WireContent()
        var rest = object
        guard let text = object["text"]?.string else {
            wire.json = WireBytes.make(object.canonicalBytes())
            return wire
        }
        wire.text = text
        rest["text"] = nil
        if let format = Format.allCases.first(where: { object["format"] == .string($0.name) }) {
            wire.format = UInt32(format.rawValue)
            rest["format"] = nil
        } else {
            wire.absent |= Absent.format
        }
        if let mentions = object["mentions"]?.array, mentions.allSatisfy({ $0.string != nil }) {
            wire.mentions = mentions.compactMap(\.string)
            rest["mentions"] = nil
        } else {
            wire.absent |= Absent.mentions
        }
        if let reply = Self.replyBytes(object["reply_to"]) {
            wire.replyTo = WireBytes.make(reply)
            rest["reply_to"] = nil
        } else {
            wire.absent |= Absent.replyTo
        }
        if !rest.isEmpty { wire.json = WireBytes.make(rest.canonicalBytes()) }
        return wire
    }

    /// Empty for null; nil for what is no derived message id.
    private static func replyBytes(_ value: JSONValue?) -> [UInt8]? {
        guard let value else { return nil }
        if value.isNull { return [] }
        guard let text = value.string, text.hasPrefix("msg_"), let bytes = Base32.decode(String(text.dropFirst(4))),
            bytes.count == 10
        else { return nil }
        return bytes
    }

    /// Protocol Buffers let any Unicode through; what JSON does not carry could be stored but never read again.
    private static func checkTexts(of wire: WireContent) throws(ProtocolError) {
        guard JSONValue.canCarry(wire.text), wire.mentions.allSatisfy(JSONValue.canCarry) else {
            throw .malformed("a text of the content has a noncharacter of Unicode")
        }
    }

    private static func object(_ wire: WireContent) throws(ProtocolError) -> JSONObject {
        try checkTexts(of: wire)
        let json = WireBytes.array(wire.json)
        var object: JSONObject = json.isEmpty ? [:] : try JSONObject.parse(json, limits: JSONLimits(bytes: bytesMax))
        guard wire.hasText else {
            guard wire.format == 0, wire.mentions.isEmpty, WireBytes.array(wire.replyTo).isEmpty, wire.absent == 0
            else {
                throw .malformed("a content without text has none of a text's fields")
            }
            return object
        }
        object["text"] = .string(wire.text)
        if wire.absent & Absent.format == 0 {
            guard let format = Format(rawValue: Int(wire.format)) else {
                throw .malformed("the text's format is unknown")
            }
            object["format"] = .string(format.name)
        }
        if wire.absent & Absent.mentions == 0 {
            object["mentions"] = .array(wire.mentions.map { .string($0) })
        }
        if wire.absent & Absent.replyTo == 0 {
            let reply = WireBytes.array(wire.replyTo)
            guard reply.isEmpty || reply.count == 10 else { throw .malformed("reply_to has 10 bytes") }
            object["reply_to"] = reply.isEmpty ? .null : .string("msg_" + Base32.encode(reply))
        }
        return object
    }
}
