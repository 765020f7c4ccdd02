public import GodwitBatch
public import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

extension Device {
    /// How much one exchange carries unless the caller knows the link better: frames of 16 KiB, 256 KiB in all.
    public static let usualLimits = OutletLimits(frame: .kibibytes(16), exchange: .kibibytes(256))
    /// Exchanges of one sync, unless said otherwise.
    public static let usualExchanges = 16

    /// One contact with the home node: hands over what waits, takes what is there for this device, decrypts it and
    /// answers. Call it again when `more` is set in the report.
    ///
    /// Each frame is committed as it comes: when the link breaks, what arrived until then stays.
    ///
    /// - Throws: what the carrier throws; 1000 when the node does not know this device. When the store fails besides, so
    ///   that it is not known what was handed over, the same error with `details.afterwards`, or `SyncFailure`.
    public func sync(
        over carrier: any Carrier, limits: OutletLimits = usualLimits, exchangesMax: Int = usualExchanges,
        progress: @escaping @Sendable (ContactReport) -> Void = { _ in }
    ) async throws -> ContactReport {
        try await prepareContact()
        let home = try homeKey
        let identity = ContactIdentity(party: party, noiseKey: store.context.noise)
        let caller = ContactCaller(
            intake: FrameIntake(
                spool: store.spool, receiver: DeviceReceiver(store: store), identity: identity,
                directory: HomeDirectory(home: home, own: identity.noiseKey.publicKey), partials: partials),
            outlet: outlet)
        let report: ContactReport
        do {
            report = try await caller.contact(
                with: home, over: carrier, limits: limits, exchangesMax: exchangesMax, progress: progress)
        } catch {
            // What was acknowledged before the link broke counts.
            await forgetUsedKeys()
            do {
                try await settle()
            } catch let settling {
                throw SyncFailure.joining(error, settling)
            }
            throw error
        }
        try await settle()
        await forgetUsedKeys()
        return report
    }

    /// Keys that were used are still readable in the write-ahead log until it is folded in (E2E-10). While somebody
    /// reads it stays, until the next contact.
    private func forgetUsedKeys() async { try? await store.spool.truncateLog() }

    /// What is due by time: items that have expired, joins to repeat, messages held back for too long.
    func prepareContact() async throws {
        try await store.write { transaction in
            try transaction.expire()
            try transaction.settleOutbox()
            try transaction.catchUp()
            try transaction.repeatJoins()
            try transaction.lookForHoles()
            try transaction.releaseOverdue()
            try transaction.forgetEpochs()
            try transaction.prefetch()
            _ = try transaction.indexBacklog()
            try transaction.noteContact()
        }
    }

    func settle() async throws { try await store.write { try $0.settleOutbox() } }

    var homeKey: PeerKey {
        get throws {
            PeerKey(
                party: store.context.homeParty, noiseKey: try AgreementPublicKey(store.context.home.noiseKey))
        }
    }
}

/// A device takes frames from its home node only.
struct HomeDirectory: PeerDirectory {
    let home: PeerKey
    let own: AgreementPublicKey

    func candidates(for hint: FrameHint) async throws -> [PeerKey] {
        FrameHint(sender: home.noiseKey, receiver: own) == hint ? [home] : []
    }
}
