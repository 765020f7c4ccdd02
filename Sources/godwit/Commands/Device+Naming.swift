import GodwitClient
import GodwitProtocol

/// What people type as names, aliases included.
extension Device {
    func target(named text: String) async throws -> MessageTarget { try await addressBook().target(text) }
    func channel(named text: String) async throws -> ChannelID { try await addressBook().channel(text) }
    func user(named text: String) async throws -> UserID { try await addressBook().user(text) }
}
