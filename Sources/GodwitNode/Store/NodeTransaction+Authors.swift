import GodwitProtocol
import GodwitSpool

/// What the node has to know of an author to take a message.
struct MessageAuthor {
    /// Ed25519, of the device that signed.
    var signingKey: [UInt8]
    /// The author's others, if the author is at home here; in order.
    var otherDevices: [DeviceID]
    /// Milliseconds for which the account keeps messages, if it is at home here and says so.
    var retention: Int64?
}

/// Where a message goes next.
struct Delivery {
    var targets: [Party]
    /// Milliseconds for which the reader's account keeps messages, if it is at home here and says so.
    var retention: Int64?
}

extension NodeTransaction {
    /// Asked for every message, so all in one look.
    ///
    /// - Throws: `AuthorUnknown` where the device is not listed, nor was it when this came to whoever it comes from.
    func author(of message: Message, from source: Party, _ arrival: Arrival) throws -> MessageAuthor {
        let statement = try spool.prepared(
            """
            SELECT d.device, CASE WHEN d.device = ?2 THEN d.signing_key END, u.is_local, u.retention
            FROM node_device d JOIN node_user u ON u.user = d.user WHERE d.user = ?1 ORDER BY d.device
            """)
        statement.bind(1, message.author.text)
        statement.bind(2, message.device.text)
        var key: [UInt8]?
        var author = MessageAuthor(signingKey: [], otherDevices: [])
        try statement.each { row in
            let isAtHome = row.integer(2) == 1
            if isAtHome, !row.isNull(3) { author.retention = row.integer(3) }
            if !row.isNull(1) {
                key = row.bytes(1)
            } else if isAtHome {
                author.otherDevices.append(try DeviceID(row.text(0)))
            }
        }
        author.signingKey = try key ?? struckKey(of: message, from: source, arrival)
        return author
    }

    private func struckKey(of message: Message, from source: Party, _ arrival: Arrival) throws -> [UInt8] {
        // It was judged here before it was held.
        if case .released = arrival, let key = try struckKey(of: message.author, message.device) { return key }
        return try authorKey(of: message.author, message.device, from: source, via: message.channelNode)
    }
}
