public import GodwitProtocol
public import GodwitSpool

/// How spools show themselves to people and tools.
public enum SpoolListing {
    public static func object(_ item: SpoolItem) -> JSONObject {
        [
            "item": .string(Base32.encode(item.id.bytes.prefix(10))), "kind": .string("\(item.kind)"),
            "destination": .string(item.destination.text), "class": .string(item.priority.name),
            "bytes": .integer(Int64(item.body.count)), "created": .string(item.created.description),
            "age_ms": .integer(item.age), "lifetime_ms": .integer(item.lifetime), "state": .string(item.state.rawValue),
        ]
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

    /// Where the copies of an item are.
    public static func show(_ name: String, in transaction: some SpoolTransaction) throws -> JSONObject {
        let copies = try transaction.items(for: nil, limit: 100_000).filter {
            Base32.encode($0.id.bytes.prefix(10)) == name
        }
        guard let first = copies.first else {
            throw ProtocolError(
                .invalidMessageFormat, "No such item is in custody here.",
                hint: "It was handed over, has expired, or never came here.")
        }
        return [
            "item": .string(name), "kind": .string("\(first.kind)"),
            "copies": .array(copies.map { .object(object($0)) }),
        ]
    }

    public static func object(_ verification: SpoolVerification) -> JSONObject {
        ["sound": .bool(verification.isSound), "findings": .array(verification.problems.map { .string("\($0)") })]
    }
}
