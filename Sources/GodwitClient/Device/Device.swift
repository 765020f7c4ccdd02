public import GodwitCompression
public import GodwitContact
import GodwitCrypto
public import GodwitLink
public import GodwitProtocol
public import GodwitSpool

/// A device of a user: keeps its own spool, works offline, and syncs with its home node in bursts (D-11). All
/// end-to-end encryption happens here; the node sees ciphertext only.
///
/// Everything that a call did is durable when it returns. One process holds the directory at a time (D-6).
public final class Device: Sendable {
    /// One-time pre-keys that a new device makes.
    public static let oneTimePreKeyCount = 100

    let store: DeviceStore
    let outlet: FrameOutlet<SQLiteSpool>
    let partials = PartialShelf()

    /// Opens the store of an existing device and draws the nonce salt of this opening.
    ///
    /// Blocks for as long as the disk takes: call it at start, not from a busy task.
    ///
    /// - Parameters:
    ///   - key: what the store is sealed under; nil: it is plain.
    ///   - link: the link to the home node, whose tier says how contents are padded (D-9).
    ///   - models: the phrase models at hand.
    /// - Throws: `ProtocolError` 1000 if there is no device in the directory; what `SQLiteSpool` throws.
    public convenience init(
        directory: String, key: StoreKey? = nil, time: any TimeSource, link: Profile = .preset(.satellite),
        models: PhraseModelLibrary = .shared
    ) async throws {
        let store = try await Self.opening(directory, key) { spool in
            guard var context = try await DeviceContext.load(from: spool) else {
                throw ProtocolError(
                    .invalidCredentials, "There is no device in this directory.",
                    hint: "Enrol one with `godwit register`.")
            }
            context.padding = Padding(over: link)
            context.tier = Tier(over: link)
            context.models = models
            return DeviceStore(spool: spool, context: context, time: time)
        }
        self.init(store)
    }

    /// Opens the spool of a directory for `body`; where that fails it is closed at once, so that the next opening finds
    /// it free.
    static func opening<Value>(
        _ directory: String, _ key: StoreKey?, _ body: (SQLiteSpool) async throws -> Value
    ) async throws -> Value {
        let spool = try SQLiteSpool(directory: directory, key: key, migrations: ClientSchema.register)
        do {
            return try await body(spool)
        } catch {
            try? await spool.close()
            throw error
        }
    }

    init(_ store: DeviceStore) {
        self.store = store
        outlet = FrameOutlet(
            spool: store.spool,
            identity: ContactIdentity(party: store.context.party, noiseKey: store.context.noise),
            weights: ClassWeights(
                revocation: 1_000, directText: 800, channelText: 600, voice: 200, document: 80, image: 40, bulk: 10))
    }

    public var userID: UserID { store.context.user }
    public var deviceID: DeviceID { store.context.device }
    public var party: Party { store.context.party }
    /// As it was when the device was enrolled; its secrets are under the user's passphrase.
    public var identityFile: IdentityFile { store.context.identityFile }
    public var homeNode: NodeDescriptor { store.context.home }
    /// The device's spool, for tools that show what is in custody.
    public var spool: SQLiteSpool { store.spool }

    /// What to publish at the home node when registering.
    public func publication() async throws -> Publication {
        try await store.read { transaction in
            Publication(
                deviceList: try transaction.ownDeviceList(), signedPreKey: try transaction.currentPreKey(),
                kemPreKey: try transaction.currentKEMPreKey(), oneTimePreKeys: try transaction.oneTimePreKeys())
        }
    }

    // MARK: Channels

    /// Asks the home node to create a channel there. It can be written to at once; messages leave when its first epoch
    /// is there.
    ///
    /// - Throws: `ProtocolError` 1002 if this device knows the channel already; 3003 when the spool is full.
    public func createChannel(_ name: ChannelName) async throws {
        let id = ChannelID(name: name, node: store.context.home.id)
        try await store.write { try $0.enter(id, creating: true) }
    }

    /// Asks to join a channel of any node. Does nothing if that is under way or done.
    ///
    /// - Throws: `ProtocolError` 3003 when the spool is full.
    public func joinChannel(_ id: ChannelID) async throws {
        try await store.write { try $0.enter(id, creating: false) }
    }

    // MARK: Writing

    public enum TextFormat: String, Sendable, Hashable, CaseIterable {
        case plain, markdown
    }

    /// Writes a text. It is durable in the outbox when this returns, and encrypted and queued if its keys are there.
    ///
    /// - Throws: `ProtocolError` 2001 when the message would exceed 65,535 bytes (MSG-17), 2002 for a channel that was
    ///   not joined, 2003 for oneself, 3003 when the spool is full. Nothing is kept then.
    @discardableResult
    public func send(
        text: String, format: TextFormat = .plain, mentions: [UserID] = [], replyTo: MessageID? = nil,
        to target: MessageTarget
    ) async throws -> OutboxEntry {
        let content = Self.content(text, format, mentions: mentions, replyTo: replyTo)
        return try await store.write { transaction in
            let row = try transaction.compose(content, to: target)
            guard let entry = try transaction.outboxEntry(row) else {
                throw ProtocolError(.internalError, "The outbox lost an entry.")
            }
            return entry
        }
    }

    /// Closes the store. Nothing is lost without it.
    public func close() async throws { try await store.spool.close() }
}
