import GodwitProtocol

/// Decides whether an item may be taken into custody (G-63).
struct Admission {
    let limits: SpoolConfiguration

    /// What the limits are compared with.
    struct Load {
        /// Bytes of bodies in the spool, and those that this item would add (0 if its body is there already).
        var spoolBytes: Int
        var addedBytes: Int
        /// Copies in custody for the item's destination.
        var destinationItems: Int
        /// Bytes in custody for the item's owner.
        var ownerBytes: Int
        var disk: DiskUsage?
    }

    /// - Throws: `ProtocolError` 2000 for times out of range, 2001 for a body over the limit.
    func validate(_ item: NewItem) throws(ProtocolError) {
        let times = 0...SpoolConfiguration.timeMax
        guard times.contains(item.lifetime) else {
            throw .malformed("An item's lifetime must be 0 to 100 years.", member: "lifetime")
        }
        guard times.contains(item.age) else {
            throw .malformed("An item's age must be 0 to 100 years.", member: "age")
        }
        guard item.body.count <= limits.bodyMax.bytes else {
            throw .tooLarge(
                "The item is too large for the spool.", actual: item.body.count, firstRefused: limits.bodyMax.bytes + 1)
        }
    }

    /// - Throws: `ProtocolError` 3003 that names the limit.
    func admit(_ item: NewItem, under load: Load) throws(ProtocolError) {
        let privileged = item.priority <= .revocation
        let size = item.body.count
        let bytes = Self.limit(limits.bytesMax.bytes, privileged)
        guard load.spoolBytes + load.addedBytes <= bytes else {
            throw Self.refusal(
                "The spool is full.", limit: "spool_bytes", bytes,
                hint: "Wait until waiting items are handed over, or raise the spool's size.")
        }
        let items = Self.limit(limits.itemsMaxPerDestination, privileged)
        guard load.destinationItems < items else {
            throw Self.refusal(
                "Too many items wait for this destination.", limit: "destination_items", items,
                hint: "Wait for a contact with it, or raise the number of items a destination may have.")
        }
        guard item.owner == nil || load.ownerBytes + size <= limits.bytesPerOwner.bytes else {
            throw Self.refusal(
                "The owner's quota is used up.", limit: "owner_bytes", limits.bytesPerOwner.bytes,
                hint: "Wait until the owner's items are handed over, or raise the quota of owners.")
        }
        try admit(size, to: load.disk, privileged)
    }

    private func admit(_ size: Int, to disk: DiskUsage?, _ privileged: Bool) throws(ProtocolError) {
        guard let disk, disk.total.bytes > 0 else { return }
        let percent = privileged ? (limits.diskPercentMax + 100) / 2 : limits.diskPercentMax
        let used = disk.total.bytes - disk.available.bytes + size
        // Divided first: a disk of many exabytes must not overflow.
        guard used <= disk.total.bytes / 100 * percent else {
            throw Self.refusal(
                "The disk is nearly full.", limit: "disk_percent", percent,
                hint: "Free space on the disk that holds the spool.")
        }
    }

    private static func limit(_ full: Int, _ privileged: Bool) -> Int { privileged ? full : full - full / 20 }

    private static func refusal(_ message: String, limit: String, _ value: Int, hint: String) -> ProtocolError {
        ProtocolError(
            .bandwidthExceeded, message, hint: hint,
            details: ["limit": .string(limit), "value": .integer(Int64(value))])
    }
}
