import GodwitCompression
import GodwitCrypto
import GodwitLink
import GodwitProtocol

/// Who the device is, for everything that it does inside a transaction.
struct DeviceContext: Sendable {
    let identityFile: IdentityFile
    let device: DeviceID
    let signing: SigningKey
    let agreement: AgreementKey
    let noise: AgreementKey
    let home: NodeDescriptor
    /// Drawn when the store was opened (D-6).
    let salt: NonceSalt
    /// How contents are padded that go out over the link to the home node.
    var padding = Padding.steps
    /// Of the link to the home node.
    var tier = Tier.ultraLow
    /// The phrase models at hand.
    var models = PhraseModelLibrary.shared

    var user: UserID { identityFile.userID }
    var party: Party { .device(user, device) }
    var homeParty: Party { .node(home.id) }

    /// Authors of direct messages learn that they were read only if the user has said so: receipts cost bytes, and not
    /// everybody wants them.
    var tellsOfReading: Bool {
        identityFile.object["preferences"]?.object?["privacy"]?.object?["read_receipts"]?.bool ?? false
    }
}

extension Padding {
    /// D-9: steps at Tier 1, where bytes are dear; Padmé from Tier 2 up.
    init(over link: Profile) { self = Tier(over: link) == .ultraLow ? .steps : .padme }
}

extension Tier {
    /// Of what a device sends over its link.
    init(over link: Profile) { self = link.tierUp ?? Tier(rate: link.bandwidthUp) }
}
