public import GodwitCrypto
public import GodwitProtocol
import GodwitSpool

/// A node's identity on disk: `node.json`, `keys/` and `tls/` in its home directory.
///
/// The keys lie in files that only their owner reads, for the node has to start without anybody there. Whoever takes
/// the box has the node's keys, never a message's text (`docs/threat-model.md`).
public struct NodeHome: Sendable {
    public let directory: String
    public let descriptor: NodeDescriptor
    public let signingKey: SigningKey
    public let noiseKey: AgreementKey
    public var certificatePath: String { directory + "/tls/certificate.pem" }
    public var keyPath: String { directory + "/tls/key.pem" }
    public var id: NodeID { descriptor.id }
    /// There while the node is being maintained, so that a restart does not end it.
    var maintenancePath: String { directory + "/maintenance" }

    /// Years that a descriptor holds; a node renews it when it changes.
    private static let descriptorLifetime: Int64 = 10 * 365 * 86_400_000

    /// Makes a new node. `endpoints` are base URLs at which it can be called, best first; may be empty.
    /// - Throws: `ProtocolError` if there is a node already, or the directory cannot be written.
    public static func create(
        in directory: String, name: String, endpoints: [String], at now: Timestamp
    ) throws -> NodeHome {
        guard !NodeFiles.exists(directory + "/node.json") else {
            throw ProtocolError(
                .invalidMessageFormat, "There is a node in this home already.", hint: "Choose another --home.")
        }
        for folder in ["", "/keys", "/tls"] { try NodeFiles.makeDirectory(directory + folder) }
        let signingKey = try SigningKey.generate()
        let noiseKey = try AgreementKey.generate()
        let id = try NodeIDDerivation.derive(from: signingKey.publicKey)
        let certificate = try SelfSignedCertificate.make(for: id)
        try DurableFile.write(Array(certificate.certificatePEM.utf8), to: directory + "/tls/certificate.pem")
        try DurableFile.write(Array(certificate.keyPEM.utf8), to: directory + "/tls/key.pem")
        try DurableFile.write(signingKey.seed.copyBytes(), to: directory + "/keys/signing.key")
        try DurableFile.write(noiseKey.secret.copyBytes(), to: directory + "/keys/noise.key")
        let unsigned = NodeDescriptor.unsigned(
            id: id, publicKey: signingKey.publicKey.bytes, noiseKey: noiseKey.publicKey.bytes, endpoints: endpoints,
            pins: [certificate.pin], name: name, sequence: 1,
            expires: now.adding(milliseconds: Self.descriptorLifetime))
        let descriptor = try NodeDescriptor(signingKey.signed(unsigned, purpose: .descriptor))
        // Last: a home with this file is complete.
        try DurableFile.write(descriptor.object.canonicalBytes(), to: directory + "/node.json")
        return try NodeHome(directory: directory)
    }

    /// Opens an existing home.
    public init(directory: String) throws {
        let object = try JSONObject.parse(NodeFiles.read(directory + "/node.json"))
        let descriptor = try NodeDescriptor(object)
        let signingKey = try SigningKey(seed: Secret(NodeFiles.read(directory + "/keys/signing.key", max: 32)))
        guard signingKey.publicKey.bytes == descriptor.publicKey else {
            throw ProtocolError(
                .internalError, "The node's key is not that of its descriptor.", hint: "Restore the home from a backup."
            )
        }
        self.directory = directory
        self.descriptor = descriptor
        self.signingKey = signingKey
        noiseKey = try AgreementKey(Secret(NodeFiles.read(directory + "/keys/noise.key", max: 32)))
    }

    /// The same node with other endpoints: the descriptor gets the next sequence number and is stored.
    public func publishing(endpoints: [String], at now: Timestamp) throws -> NodeHome {
        guard endpoints != descriptor.endpoints else { return self }
        let unsigned = NodeDescriptor.unsigned(
            id: id, publicKey: descriptor.publicKey, noiseKey: descriptor.noiseKey, endpoints: endpoints,
            pins: descriptor.pins, name: descriptor.name, sequence: descriptor.sequence + 1,
            expires: now.adding(milliseconds: Self.descriptorLifetime))
        try DurableFile.write(
            signingKey.signed(unsigned, purpose: .descriptor).canonicalBytes(), to: directory + "/node.json")
        return try NodeHome(directory: directory)
    }
}
