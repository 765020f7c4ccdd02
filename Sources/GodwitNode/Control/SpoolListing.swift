public import GodwitProtocol
public import GodwitSpool

/// How spools show themselves to people and tools.
public enum SpoolListing {
    public static func object(_ item: ItemSummary) -> JSONObject {
        [
            "item": .string(Base32.encode(item.id.bytes.prefix(10))), "kind": .string("\(item.kind)"),
            "destination": .string(item.destination.text), "class": .string(item.priority.name),
            "bytes": .integer(Int64(item.size.bytes)), "created": .string(item.created.description),
            "age_ms": .integer(item.age), "lifetime_ms": .integer(item.lifetime), "state": .string(item.state.rawValue),
        ]
    }

    /// What is in custody for a destination, or for all.
    public static func list(
        for destination: Party?, limit: Int, in transaction: some SpoolTransaction
    ) throws -> [JSONValue] {
        try transaction.summaries(for: destination, limit: limit).map { .object(object($0)) }
    }

    /// The 16 characters of `item`, a message id, or 64 hexadecimal digits.
    public static func itemID(_ text: String) throws -> String {
        let name = text.hasPrefix("msg_") ? String(text.dropFirst(4)) : text
        if let bytes = Hex.decode(name), bytes.count == 32 { return Base32.encode(bytes.prefix(10)) }
        guard Base32.decode(name)?.count == 10 else {
            throw ProtocolError.malformed("This names no item.", member: "item", hint: "See `godwit spool list`.")
        }
        return name
    }

    static var unknownItem: ProtocolError {
        ProtocolError(
            .invalidMessageFormat, "No such item is known here.",
            hint: "It never came here, or left longer ago than duplicates are remembered. See `godwit spool list`.")
    }

    /// Where the copies of an item are: `copies` in custody, `gone` what was handed over or has expired.
    public static func show(_ name: String, in transaction: some SpoolTransaction) throws -> JSONObject {
        guard let prefix = Base32.decode(name), let id = try transaction.ids(beginning: prefix).first else {
            throw ProtocolError(
                .invalidMessageFormat, "No such item is known here.",
                hint: "It never came here, or left longer ago than duplicates are remembered.")
        }
        let gone = try transaction.custody(of: id).filter { $0.state == .forwarded || $0.state == .expired }
        return [
            "item": .string(name),
            "copies": .array(try transaction.summaries(of: id).map { .object(object($0)) }),
            "gone": .array(
                gone.map { ["destination": .string($0.destination.text), "state": .string($0.state.rawValue)] }),
        ]
    }

    public static func object(_ verification: SpoolVerification) -> JSONObject {
        ["sound": .bool(verification.isSound), "findings": .array(verification.problems.map { .string("\($0)") })]
    }
}
