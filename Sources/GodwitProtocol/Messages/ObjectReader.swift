/// Reads typed members out of a JSON object; every failure is a `ProtocolError` 2000 that names the member.
public struct ObjectReader: Sendable {
    public let object: JSONObject
    private let what: String

    /// - Parameter what: what the object is, for the message: "message", "identity file" …
    public init(_ object: JSONObject, what: String) {
        self.object = object
        self.what = what
    }

    private func missing(_ key: String, _ kind: String) -> ProtocolError {
        .malformed(
            object[key] == nil
                ? "A required member of the \(what) is missing." : "A member of the \(what) is no \(kind).",
            member: key)
    }

    public func string(_ key: String) throws(ProtocolError) -> String {
        guard let value = object[key]?.string else { throw missing(key, "string") }
        return value
    }

    /// Nil if absent or null.
    public func optionalString(_ key: String) throws(ProtocolError) -> String? {
        guard let value = object[key], !value.isNull else { return nil }
        guard let text = value.string else { throw missing(key, "string") }
        return text
    }

    public func integer(_ key: String, in range: ClosedRange<Int64>) throws(ProtocolError) -> Int64 {
        guard let value = object[key]?.integer else { throw missing(key, "integer") }
        guard range.contains(value) else {
            throw .malformed("A number of the \(what) is out of range.", member: key)
        }
        return value
    }

    public func optionalInteger(_ key: String, in range: ClosedRange<Int64>) throws(ProtocolError) -> Int64? {
        guard let value = object[key], !value.isNull else { return nil }
        return try integer(key, in: range)
    }

    public func bool(_ key: String) throws(ProtocolError) -> Bool {
        guard let value = object[key]?.bool else { throw missing(key, "boolean") }
        return value
    }

    public func array(_ key: String) throws(ProtocolError) -> [JSONValue] {
        guard let value = object[key]?.array else { throw missing(key, "list") }
        return value
    }

    public func value(_ key: String) throws(ProtocolError) -> JSONObject {
        guard let value = object[key]?.object else { throw missing(key, "object") }
        return value
    }

    public func object(_ key: String) throws(ProtocolError) -> ObjectReader {
        ObjectReader(try value(key), what: what)
    }

    public func optionalObject(_ key: String) throws(ProtocolError) -> ObjectReader? {
        guard let value = object[key], !value.isNull else { return nil }
        return try object(key)
    }

    public func base64(_ key: String) throws(ProtocolError) -> [UInt8] {
        guard let bytes = Base64.decode(try string(key)) else { throw missing(key, "padded base64") }
        return bytes
    }

    public func hash(_ key: String) throws(ProtocolError) -> MessageHash {
        guard let hash = MessageHash(try base64(key)) else { throw missing(key, "hash of 32 bytes") }
        return hash
    }

    /// The member must be there; null gives nil.
    public func optionalHash(_ key: String) throws(ProtocolError) -> MessageHash? {
        guard let value = object[key] else { throw missing(key, "hash") }
        return value.isNull ? nil : try hash(key)
    }

    /// Any ISO 8601 form; for what nothing is signed over, and for files that others have made.
    public func timestamp(_ key: String) throws(ProtocolError) -> Timestamp {
        guard let time = Timestamp(iso8601: try string(key)) else { throw missing(key, "ISO 8601 time in UTC") }
        return time
    }

    /// The raw bytes behind `prefix:` and base64.
    public func key(_ key: String, prefix: String, count: Int) throws(ProtocolError) -> [UInt8] {
        let text = try string(key)
        guard text.hasPrefix(prefix + ":"), let bytes = Base64.decode(String(text.dropFirst(prefix.count + 1))),
            bytes.count == count
        else { throw missing(key, "key or signature of the form \(prefix):base64") }
        return bytes
    }

    /// A time in the one form that is signed (decision D-21).
    public func canonicalTimestamp(_ key: String) throws(ProtocolError) -> Timestamp {
        let text = try string(key)
        guard let time = Timestamp(iso8601: text), time.description == text else {
            throw missing(key, "time of the form YYYY-MM-DDTHH:MM:SS.mmmZ")
        }
        return time
    }

    /// Refuses an object of another `type`.
    public func expect(type: String) throws(ProtocolError) {
        guard try string("type") == type else { throw missing("type", "\"\(type)\"") }
    }
}

// What refuses a name does not know where the name stood.
extension ObjectReader {
    private func name<Name>(
        _ key: String, _ make: (String) throws(ProtocolError) -> Name
    ) throws(ProtocolError) -> Name {
        let text = try string(key)
        do {
            return try make(text)
        } catch {
            var error = error
            error.details["member"] = .string(key)
            throw error
        }
    }

    public func userID(_ key: String) throws(ProtocolError) -> UserID {
        try name(key) { text throws(ProtocolError) in try UserID(text) }
    }
    public func username(_ key: String) throws(ProtocolError) -> Username {
        try name(key) { text throws(ProtocolError) in try Username(text) }
    }
    public func nodeID(_ key: String) throws(ProtocolError) -> NodeID {
        try name(key) { text throws(ProtocolError) in try NodeID(text) }
    }
    public func deviceID(_ key: String) throws(ProtocolError) -> DeviceID {
        try name(key) { text throws(ProtocolError) in try DeviceID(text) }
    }
    public func channelName(_ key: String) throws(ProtocolError) -> ChannelName {
        try name(key) { text throws(ProtocolError) in try ChannelName(text) }
    }
    public func address(_ key: String) throws(ProtocolError) -> Address {
        try name(key) { text throws(ProtocolError) in try Address(text) }
    }
    public func party(_ key: String) throws(ProtocolError) -> Party {
        try name(key) { text throws(ProtocolError) in try Party(text) }
    }
    public func ed25519Key(_ key: String) throws(ProtocolError) -> [UInt8] {
        try name(key) { text throws(ProtocolError) in try PublicKeyText.ed25519(text) }
    }

    /// Most phrase models that one list names.
    static var modelsMax: Int { 16 }

    /// Numbers of phrase models, each once; none if the member is not there (D-9).
    func models(_ key: String) throws(ProtocolError) -> Set<UInt8> {
        guard object[key] != nil else { return [] }
        var models: Set<UInt8> = []
        for number in try array(key) {
            guard let integer = number.integer, (1...127).contains(integer), models.insert(UInt8(integer)).inserted
            else { throw .malformed("Models are different numbers from 1 to 127.", member: key) }
        }
        guard models.count <= Self.modelsMax else {
            throw .malformed("At most 16 models are named.", member: key)
        }
        return models
    }
}
