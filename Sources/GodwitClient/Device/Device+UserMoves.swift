import FoundationEssentials
import GRDB
public import GodwitCrypto
public import GodwitProtocol

/// This user, or another one, is called otherwise from now on (gap G-34).
extension Device {
    /// Signs that this user has moved to another home node, and queues the record for the one so far, which tells whoever
    /// knows the user. The new id should be registered by then.
    ///
    /// - Parameter key: the identity key, which moves along.
    /// - Throws: `ProtocolError` 1000 for another key, 2000 for an id at the same node, 3003 when the spool is full.
    @discardableResult
    public func move(to new: UserID, signedBy key: SigningKey) async throws -> UserMove {
        try await store.write { try $0.moveSelf(to: new, signedBy: key) }
    }

    /// Writes to somebody that this user was called otherwise before, with the record. It needs no word of the old home
    /// node.
    /// - Parameter move: of this user, who is its `to`.
    /// - Throws: as `send`.
    public func announce(_ move: UserMove, to reader: UserID) async throws {
        let content = Self.content("Moved here from \(move.userID).", .plain, mentions: [], replyTo: nil)
            .setting("moved", .object(move.object))
        try await store.write { _ = try $0.compose(content, to: .user(reader)) }
    }

    /// The record of this user's own move, made here or by another device; nil: there is none.
    public func ownMove() async throws -> UserMove? {
        try await store.read { try $0.userMove(of: $0.context.user) }
    }

    /// Where what is written to a user goes.
    public func currentID(of user: UserID) async throws -> UserID {
        try await store.write { try $0.current(user) }
    }

    /// Takes over what another device, of the same person, thinks of others: pinned and compared keys, names, blocks, and
    /// who has moved. What is known here already stays.
    public func takeOver(contactsOf other: Device) async throws {
        let book = try await other.store.read { try $0.contactBook() }
        try await store.write { try $0.take(book) }
    }
}

/// What one device hands to another one of the same person.
struct ContactBook: Sendable {
    struct Entry: Sendable {
        var user: UserID
        var publicKey: [UInt8]
        var list: DeviceList
        /// When the key was compared, in milliseconds.
        var verified: Int64?
    }

    var entries: [Entry] = []
    var aliases: [(name: String, target: MessageTarget)] = []
    var blocked: [UserID] = []
    var moves: [UserMove] = []
}

extension ClientTransaction {
    func contactBook() throws -> ContactBook {
        var book = ContactBook()
        book.entries = try rows(
            """
            SELECT c.user, c.public_key, c.list, v.at FROM client_contact c
            LEFT JOIN client_verified v ON v.user = c.user AND v.public_key = c.public_key ORDER BY c.user
            """
        ).map { row in
            try Self.stored {
                ContactBook.Entry(
                    user: try UserID(row["user"] as String), publicKey: row.blob("public_key"),
                    list: try DeviceList(JSONObject.parse(row.blob("list"))), verified: row["at"])
            }
        }.filter { $0.user != context.user }
        let addresses = try addressBook()
        book.aliases =
            addresses.users.map { ($0.key, .user($0.value)) } + addresses.channels.map { ($0.key, .channel($0.value)) }
        book.blocked = try contacts().filter(\.isBlocked).map(\.user)
        book.moves = try rows("SELECT record FROM client_user_move WHERE user <> ? ORDER BY at", [context.user.text])
            .map { row in try Self.stored { try UserMove(JSONObject.parse(row.blob("record"))) } }
        return book
    }

    func take(_ book: ContactBook) throws {
        for entry in book.entries where try entry.user != context.user && pinnedKey(of: entry.user) == nil {
            try introduce(entry.user, publicKey: entry.publicKey, list: entry.list)
            guard let verified = entry.verified else { continue }
            try run(
                "INSERT OR IGNORE INTO client_verified (user, public_key, at) VALUES (?, ?, ?)",
                [entry.user.text, Data(entry.publicKey), verified])
        }
        for (name, target) in book.aliases.sorted(by: { $0.name < $1.name }) where target != .user(context.user) {
            try setAlias(name, target)
        }
        for user in book.blocked where user != context.user { try setBlocked(user, true) }
        for move in book.moves where try pinnedKey(of: move.userID) == move.publicKey { try take(move) }
    }
}
