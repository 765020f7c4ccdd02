import GodwitContact
import GodwitProtocol

extension HomeNode {
    /// Erases an account by the operator's order.
    func eraseUser(_ request: ObjectReader) async throws -> JSONObject {
        let user = try request.userID("user_id")
        try await core.write { try $0.eraseAccount(user) }
        return ["user_id": .string(user.text)]
    }
}
