import GRDB
import GodwitProtocol

extension SQLiteTransaction {
    public func enqueue(_ item: NewItem) throws -> EnqueueOutcome {
        let admission = Admission(limits: configuration)
        try admission.validate(item)
        let uptime = try uptime()
        let key = EraFilter.Key(item.id)
        let holding = try erasHolding(key, at: uptime)
        var destination = try find(item.destination)
        if let destination, try holding.contains(where: { try isKnown(item.id, for: destination, in: $0) }) {
            return .duplicate
        }
        var owner = try item.owner.flatMap(find)
        let digest = BlobStore.digest(of: item.body)
        let present = try presentBody(digest, of: item, in: holding)
        try admission.admit(
            item, under: try load(of: item, bodyPresent: present != nil, destination: destination, owner: owner))

        let body = try present ?? store(item.body, digest: digest)
        destination = try destination ?? place(item.destination)
        if let party = item.owner { owner = try owner ?? place(party) }
        let statement = try statement(.insertItem)
        let born = uptime - item.age
        let era = try takingEra(key, at: uptime)
        statement.bind(1, item.id.bytes)
        for (place, value) in [
            Int64(item.kind.rawValue), body, Int64(item.body.count), destination, Int64(item.priority.rawValue),
            item.created.milliseconds, item.lifetime, born, born + item.lifetime, owner, era,
        ].enumerated() {
            statement.bind(Int32(place) + 2, value)
        }
        try statement.run()
        let row = database.lastInsertedRowID
        return .accepted(row: row, after: destination.flatMap { memory.noteLast(row, for: $0) })
    }

    /// In custody for this destination, or handed over or expired within the duplicate-detection time.
    private func isKnown(_ id: ItemID, for destination: Int64, in era: (era: Int64, counts: Bool)) throws -> Bool {
        let statement = try statement(.mark)
        statement.bind(1, era.era)
        statement.bind(2, id.bytes)
        statement.bind(3, destination)
        return try statement.first { era.counts || $0.integer(0) == 0 } ?? false
    }

    /// The row of this body, if the spool holds it: for another destination of the same item, or in a file.
    private func presentBody(
        _ digest: [UInt8], of item: NewItem, in eras: [(era: Int64, counts: Bool)]
    ) throws -> Int64? {
        if item.body.count > SpoolConfiguration.blobThreshold {
            let statement = try statement(.fileBody)
            statement.bind(1, digest)
            return try statement.first { $0.integer(0) }
        }
        for (era, _) in eras {
            let statement = try statement(.heldBody)
            statement.bind(1, era)
            statement.bind(2, item.id.bytes)
            statement.bind(3, digest)
            if let row = try statement.first({ $0.integer(0) }) { return row }
        }
        return nil
    }

    private func load(
        of item: NewItem, bodyPresent: Bool, destination: Int64?, owner: Int64?
    ) throws -> Admission.Load {
        let statement = try statement(.load)
        statement.bind(1, destination)
        statement.bind(2, owner)
        let sums = try statement.first { ($0.integer(0), $0.integer(1), $0.integer(2)) } ?? (0, 0, 0)
        return Admission.Load(
            spoolBytes: Int(sums.0), addedBytes: bodyPresent ? 0 : item.body.count, destinationItems: Int(sums.1),
            ownerBytes: Int(sums.2),
            disk: memory.disk(adding: item.body.count) { configuration.disk(blobs.directory) })
    }

    /// Stores a body that is not there yet; its file, if it gets one, is durable before its row.
    private func store(_ body: [UInt8], digest: [UInt8]) throws -> Int64 {
        let inFile = body.count > SpoolConfiguration.blobThreshold
        if inFile {
            journal.created.append(digest)
            try blobs.publish(body, digest: digest)
        }
        let statement = try statement(.insertBody)
        statement.bind(1, digest)
        statement.bind(2, Int64(body.count))
        statement.bind(3, inFile ? nil : body)
        try statement.run()
        return database.lastInsertedRowID
    }
}
