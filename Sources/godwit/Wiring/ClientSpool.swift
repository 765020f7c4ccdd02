import GodwitClient
import GodwitNode
import GodwitProtocol
import GodwitSpool

/// The spool commands in a home that holds a device and no node.
struct ClientSpool {
    let device: Device

    /// - Throws: `ProtocolError` 2000 for what only a node can do.
    func answer(_ request: JSONObject) async throws -> JSONValue {
        let fields = ObjectReader(request, what: "request")
        switch try fields.string("request") {
        case "spool_list":
            let destination = try fields.optionalString("destination").map { text in try Party(text) }
            let limit = Int(try fields.optionalInteger("limit", in: 1...10_000) ?? 100)
            return .array(
                try await device.spool.read { transaction in
                    try SpoolListing.list(for: destination, limit: limit, in: transaction)
                })
        case "spool_show":
            let name = try SpoolListing.itemID(fields.string("item"))
            return .object(try await device.spool.read { try SpoolListing.show(name, in: $0) })
        case "spool_verify": return .object(SpoolListing.object(try await device.spool.verify()))
        default:
            throw ProtocolError.malformed(
                "There is no node in this home.", hint: "Make one with `godwit node init`, or check --home.")
        }
    }
}
