import GodwitCrypto
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

    var user: UserID { identityFile.userID }
    var party: Party { .device(user, device) }
    var homeParty: Party { .node(home.id) }
}
