public import GodwitProtocol

extension Device {
    /// Looks for words in all that this device shows, received and written. What was deleted is not found, of what was
    /// edited the last text. An old store is taken into the index first, in steps.
    ///
    /// - Parameters:
    ///   - conversation: nil for all.
    ///   - limit: most hits.
    /// - Returns: newest first, by the authors' clocks.
    public func search(
        _ query: SearchQuery, in conversation: Conversation? = nil, limit: Int = 20
    ) async throws -> [SearchHit] {
        while try await store.write({ try $0.indexBacklog() }) {}
        return try await store.write { try $0.search(query, in: conversation, limit: max(0, limit)) }
    }
}
