import GodwitProtocol

/// The text form of keys and signatures: a prefix and `b64` of the raw bytes (docs/protocol.md, section 2).
enum KeyText {
    static func write(_ prefix: String, _ bytes: [UInt8]) -> String {
        prefix + ":" + Base64.encode(bytes)
    }

    /// The bytes behind `prefix`, or nil if prefix or base64 do not fit. The text is not looked at beyond 256 bytes.
    static func read(_ prefix: String, _ text: String) -> [UInt8]? {
        guard text.utf8.count <= 256, text.hasPrefix(prefix + ":") else { return nil }
        return Base64.decode(String(text.dropFirst(prefix.count + 1)))
    }

    static func malformed(_ what: String, form: String) -> ProtocolError {
        ProtocolError(.invalidMessageFormat, "\(what) cannot be read.", hint: "Write it as \(form).")
    }
}
