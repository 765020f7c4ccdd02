import GRDB

/// How often this device calls. What others have sent cannot be late before there were contacts in which it could have
/// come, and whoever asks again too early costs all members of a channel a change.
extension ClientTransaction {
    /// Contacts for which is waited at least.
    private static let contactsWaited: Int64 = 3
    /// Distances between contacts that are remembered, and how many it takes to say anything.
    private static let gapsKept = 5
    private static let gapsNeeded = 3
    /// A third of the time for which is kept what waits for keys (`pendingTime`), in milliseconds.
    private static let patienceMax = pendingTime / 3

    /// Milliseconds of uptime to wait for something that others send: `least`, and longer where contacts are rare, but not
    /// until what waits for it has gone.
    func patience(_ least: Int64) throws -> Int64 {
        let known = try gaps().sorted()
        guard known.count >= Self.gapsNeeded else { return least }
        // The middle one: one dark month makes nobody rare.
        return max(least, min(known[known.count / 2] * Self.contactsWaited, Self.patienceMax))
    }

    /// A contact begins.
    func noteContact() throws {
        let age = try exactAge()
        let before = try integer("SELECT contacted FROM client_identity")
        let known = try before.map { try (gaps() + [max(0, age - $0)]).suffix(Self.gapsKept) } ?? []
        try run(
            "UPDATE client_identity SET contacted = ?, gaps = ?",
            [age, known.map(String.init).joined(separator: " ")])
    }

    /// Milliseconds between the last contacts, the newest last.
    private func gaps() throws -> [Int64] {
        let text: String = try row("SELECT gaps FROM client_identity")?["gaps"] ?? ""
        return text.split(separator: " ").compactMap { Int64($0) }
    }
}
