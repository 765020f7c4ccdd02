import FoundationEssentials
import GodwitBatch
import GodwitCarrier
import GodwitClient
import GodwitContact
import GodwitCrypto
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// A client's home: `identity.json`, `node.json` (its home node's descriptor), `client.json` (settings), `device/`, and
/// `store.key` where the device's store is locked. Beside it `former/` has the homes of ids that the user had before
/// moving, see `MovingHome`.
struct ClientFiles {
    let directory: String

    init(_ home: HomeOptions) {
        MovingHome(home.home).finish()
        directory = home.clientDirectory
    }
    init(directory: String) { self.directory = directory }

    var identityPath: String { directory + "/identity.json" }
    var nodePath: String { directory + "/node.json" }
    var settingsPath: String { directory + "/client.json" }
    var devicePath: String { directory + "/device" }

    var exists: Bool { Wiring.exists(identityPath) }

    static let missing = ProtocolError(
        .invalidMessageFormat, "There is no identity in this home.",
        hint: "Make one with `godwit identity create`, or check --home.")

    func identity() throws -> IdentityFile {
        guard exists else { throw Self.missing }
        return try IdentityFile(parsing: Wiring.read(identityPath))
    }

    func node() throws -> NodeDescriptor { try NodeDescriptor(JSONObject.parse(Wiring.read(nodePath))) }

    /// Base URL at which this client calls its home node.
    func endpoint() throws -> String {
        if Wiring.exists(settingsPath), let url = try JSONObject.parse(Wiring.read(settingsPath))["endpoint"]?.string {
            return url
        }
        guard let url = try Carriers.split(node().endpoints).others.first else {
            throw ProtocolError(
                .nodeUnreachable, "The home node has no endpoint.",
                hint: "Give one with --endpoint at `identity create`.")
        }
        return url
    }

    func device() async throws -> Device {
        guard exists else { throw Self.missing }
        return try await Device(directory: devicePath, key: storeKey(), time: SystemTime())
    }

    /// Opens the device for one command and closes it, so that what was deleted leaves the disk.
    func withDevice<Value>(_ body: (Device) async throws -> Value) async throws -> Value {
        let device = try await device()
        do {
            let value = try await body(device)
            try await device.close()
            return value
        } catch {
            try? await device.close()
            throw error
        }
    }

    /// The carrier to the home node, over the local network.
    func carrier() throws -> any Carrier {
        try Carriers.batch(endpoint: endpoint(), pins: node().pins, profile: .preset(.broadband))
    }

    /// Makes identity and device.
    /// - Parameter isLocked: whether the device's store is under a passphrase of its own from the beginning.
    func create(
        username: Username, displayName: String?, node: NodeDescriptor, endpoint: String?, passphrase: String,
        kdf: PassphraseKDF, isLocked: Bool = false
    ) async throws -> IdentityFile {
        let url = try url(of: node, endpoint: endpoint)
        let (file, key) = try IdentityBuilder.create(
            username: username, node: node.id, endpoint: Self.socketURL(url), nodeName: node.name,
            displayName: displayName, passphrase: passphrase, kdf: kdf, created: Wiring.now)
        try prepare(for: node, endpoint: url)
        let device = try await Device.create(
            directory: devicePath, key: isLocked ? makeStoreKey() : nil, identity: file, identityKey: key, node: node,
            time: SystemTime())
        // Closed here and now: the lock must be free for whoever opens the device next.
        try await device.close()
        // Last: a home with this file is complete.
        try DurableFile.write(file.object.canonicalBytes(), to: identityPath)
        return file
    }

    /// Base URL of a home that is not there yet.
    /// - Throws: `ProtocolError` 2000.
    func url(of node: NodeDescriptor, endpoint: String?) throws -> String {
        guard !exists else {
            throw ProtocolError(
                .invalidMessageFormat, "There is an identity in this home already.", hint: "Choose another --home.")
        }
        guard let url = endpoint ?? Carriers.split(node.endpoints).others.first else {
            throw ProtocolError(
                .invalidMessageFormat, "The node's descriptor has no endpoint.", hint: "Give one with --endpoint.")
        }
        let scheme = try Endpoint(url).scheme
        guard scheme == .https || scheme == .http else {
            throw ProtocolError(
                .invalidMessageFormat, "The node's base URL is no http or https address.",
                hint: "Write it as https://host:port.")
        }
        return url
    }

    /// A directory with the home node's descriptor and address, and without a device.
    func prepare(for node: NodeDescriptor, endpoint: String?) throws {
        let url = try url(of: node, endpoint: endpoint)
        try Wiring.makeDirectory(directory)
        // Of a run that was cut off: nobody has seen its keys.
        for path in [devicePath, keyPath] where Wiring.exists(path) {
            try FileManager.default.removeItem(atPath: path)
        }
        try DurableFile.write(node.object.canonicalBytes(), to: nodePath)
        try DurableFile.write(
            (["endpoint": .string(url)] as JSONObject).canonicalBytes(), to: settingsPath)
    }

    /// `https://host` as `wss://host`.
    static func socketURL(_ url: String) -> String {
        url.hasPrefix("https://") ? "wss://" + url.dropFirst(8) : "ws://" + url.dropFirst(7)
    }
}

/// Where the passphrase of an identity comes from.
enum Passphrase {
    /// `--passphrase-file`, else GODWIT_PASSPHRASE, else the terminal.
    static func read(_ file: String?) throws -> String {
        if let file {
            let text = String(decoding: try Wiring.read(file, max: 4096), as: UTF8.self)
            return text.hasSuffix("\n") ? String(text.dropLast()) : text
        }
        if let text = environment("GODWIT_PASSPHRASE") { return text }
        guard Terminal.isThere, let text = Terminal.secret("Passphrase:") else {
            throw ProtocolError(
                .invalidCredentials, "A passphrase is needed.",
                hint: "Use --passphrase-file or the environment variable GODWIT_PASSPHRASE.")
        }
        return text
    }
    static func environment(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }
}
