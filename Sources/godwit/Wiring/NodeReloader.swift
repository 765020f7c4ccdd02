import GodwitLink
import GodwitNode
import GodwitProtocol
import GodwitServer
import Logging
import ServiceLifecycle
import UnixSignals

/// Reads the settings again: on SIGHUP, or when the operator says so. All of it is taken, or nothing.
actor NodeReloader {
    private let home: HomeOptions
    private let node: HomeNode
    private let server: NodeServer
    private var settings: NodeSettings
    private var profiles: [String: Profile]

    init(
        home: HomeOptions, node: HomeNode, server: NodeServer, settings: NodeSettings, profiles: [String: Profile]
    ) {
        self.home = home
        self.node = node
        self.server = server
        self.settings = settings
        self.profiles = profiles
    }

    /// - Returns: names of the settings that are others now.
    /// - Throws: `ProtocolError` 2000 that names what cannot change while the node runs, or is wrong.
    func reload() async throws -> [String] {
        var next = try await NodeSettings.load(home)
        // Flags of the command line go before the file, as at the start.
        (next.listen, next.spool) = (settings.listen, settings.spool)
        let (changed, fixed) = settings.changes(to: next)
        guard fixed.isEmpty else {
            throw ProtocolError(
                .invalidMessageFormat, "This cannot change while the node runs: \(fixed.joined(separator: ", ")).",
                hint: "Restart the node.", details: ["member": .string(fixed[0])])
        }
        let configuration = try next.nodeConfiguration()
        let log = try next.log()
        try server.set(next.apiOrigins())
        try await node.reload(configuration)
        NodeLog.setting = log
        defer { (settings, profiles) = (next, configuration.profiles) }
        return changed + (profiles == configuration.profiles ? [] : ["profiles"])
    }

    /// An order that is not the node's own affair; nil for others.
    func answer(_ request: JSONObject) async -> JSONObject? {
        guard request["request"]?.string == "reload" else { return nil }
        do {
            return ["result": ["changed": .array(try await reload().map { .string($0) })]]
        } catch {
            let failure =
                error as? ProtocolError
                ?? ProtocolError(.internalError, "The settings could not be read again.", hint: "See the node's log.")
            return failure.object(at: Wiring.now)
        }
    }
}

/// Reloads at each SIGHUP.
struct ReloadService: Service {
    let reloader: NodeReloader
    let logger: Logger

    func run() async throws {
        try await untilShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) {
                do {
                    let changed = try await reloader.reload()
                    logger.notice(
                        "settings were read again", metadata: ["changed": "\(changed.joined(separator: ","))"])
                } catch {
                    let code = (error as? ProtocolError)?.code.name ?? "\(type(of: error))"
                    let member = (error as? ProtocolError)?.details["member"]?.string ?? "-"
                    logger.error("settings stay as they were", metadata: ["error": "\(code)", "member": "\(member)"])
                }
            }
        }
    }
}
