import Configuration
import FoundationEssentials
import GodwitNode
import GodwitProtocol
import SystemPackage

/// `node.yaml`: how a node listens and stores. Defaults, then the file, then the environment (`GODWIT_…`), then flags.
struct NodeSettings: Sendable {
    /// Address to listen on, `host:port`.
    var listen = "127.0.0.1:7443"
    /// Address to hear datagrams at, `host:port`; empty: none.
    var listenUDP = ""
    /// Group or address to hear broadcasts at, `host:port`; empty: none.
    var listenBroadcast = ""
    /// Network interface on which a group is joined; empty: as the system's routes say.
    var broadcastInterface = ""
    /// Directory of the spool. In `node.yaml` a relative path counts from that file, else from the working directory.
    var spool: String
    /// `open`, `invite` or `closed`.
    var registration = "open"
    /// Invites that are good, comma separated.
    var invites = ""
    /// Directory of network profiles; relative as `spool`.
    var profiles: String
    /// Profile of the link over which devices come.
    var localProfile = "broadband"
    /// For how long messages are kept for history at most: `365d`, `12h`, `none`.
    var messageRetention = "365d"
    /// For how long messages to a user who has moved away are delivered to the old devices: `90d`, `12h`, `none`.
    var forwardMoved = "90d"
    /// Clear text beyond loopback.
    var allowClear = false
    /// TLS on the listener.
    var tls = true
    /// Origins of web pages that may open sockets and use the REST interface, comma separated; `*`: any.
    var origins = ""
    /// Lets others than this machine read `/metrics`.
    var metricsToken = ""
    var logLevel = "warning"
    /// `text` or `json`.
    var logFormat = "text"
    var limits = ProtectionLimits()

    /// What holds where nothing is set.
    init(_ home: HomeOptions) {
        spool = Self.defaultSpool(home)
        profiles = Self.defaultProfiles(home)
    }

    static let keys = [
        "listen", "listen_udp", "listen_broadcast", "broadcast_interface", "spool", "registration", "invites",
        "profiles", "local_profile", "message_retention", "forward_moved", "allowClear", "tls", "origins",
        "metrics_token", "log_level", "log_format", "limits",
    ]

    /// - Throws: `ProtocolError` 2000 for an unknown key or a value out of range.
    static func load(_ home: HomeOptions) async throws -> NodeSettings {
        let path = home.nodeDirectory + "/node.yaml"
        let environment = EnvironmentVariablesProvider().prefixKeys(with: "godwit")
        var providers: [any ConfigProvider] = [environment]
        var settings = NodeSettings(home)
        if Wiring.exists(path) {
            settings.limits = try limits(in: path)
            do {
                let file = try await FileProvider<YAMLSnapshot>(filePath: FilePath(path))
                providers.append(file)
                // Whoever starts the node from another directory must not get another, empty spool.
                let own = ConfigReader(provider: file)
                if let spool = own.string(forKey: "spool") {
                    settings.spool = Wiring.absolute(spool, in: home.nodeDirectory)
                }
                if let profiles = own.string(forKey: "profiles") {
                    settings.profiles = Wiring.absolute(profiles, in: home.nodeDirectory)
                }
            } catch {
                throw ProtocolError.malformed("\(path) cannot be read.", hint: "\(error)")
            }
        }
        let reader = ConfigReader(providers: providers)
        let outside = ConfigReader(provider: environment)
        settings.listen = reader.string(forKey: "listen", default: settings.listen)
        settings.listenUDP = reader.string(forKey: "listen_udp", default: settings.listenUDP)
        settings.listenBroadcast = reader.string(forKey: "listen_broadcast", default: settings.listenBroadcast)
        settings.broadcastInterface = reader.string(
            forKey: "broadcast_interface", default: settings.broadcastInterface)
        settings.spool = outside.string(forKey: "spool", default: settings.spool)
        settings.registration = reader.string(forKey: "registration", default: settings.registration)
        settings.invites = reader.string(forKey: "invites", default: settings.invites)
        settings.profiles = outside.string(forKey: "profiles", default: settings.profiles)
        settings.localProfile = reader.string(forKey: "local_profile", default: settings.localProfile)
        settings.messageRetention = reader.string(
            forKey: "message_retention", default: settings.messageRetention)
        _ = try Retention(settings.messageRetention)
        settings.forwardMoved = reader.string(forKey: "forward_moved", default: settings.forwardMoved)
        _ = try settings.forwarding()
        settings.allowClear = reader.bool(forKey: "allowClear", default: settings.allowClear)
        settings.tls = reader.bool(forKey: "tls", default: settings.tls)
        settings.origins = reader.string(forKey: "origins", default: settings.origins)
        settings.metricsToken = reader.string(forKey: "metrics_token", isSecret: true, default: settings.metricsToken)
        settings.logLevel = reader.string(forKey: "log_level", default: settings.logLevel)
        settings.logFormat = reader.string(forKey: "log_format", default: settings.logFormat)
        _ = try settings.log()
        _ = try settings.policy()
        _ = try settings.address()
        _ = try settings.datagramAddress()
        _ = try settings.broadcastAddress()
        return settings
    }

    /// The section `limits`, once all keys are known.
    private static func limits(in path: String) throws -> ProtectionLimits {
        let text = String(decoding: try Wiring.read(path, max: 65_536), as: UTF8.self)
        guard let object = try YAMLValue.json(text).object else {
            throw ProtocolError.malformed("\(path) is no list of settings.")
        }
        if let unknown = object.keys.sorted().first(where: { !keys.contains($0) }) {
            throw ProtocolError.malformed(
                "\(path) has an unknown key: \(unknown)", member: unknown,
                hint: "Known: " + keys.joined(separator: ", "))
        }
        guard let limits = object["limits"] else { return ProtectionLimits() }
        guard let limits = limits.object else {
            throw ProtocolError.malformed("limits is a list of names.", member: "limits")
        }
        return try ProtectionLimits(limits)
    }

    /// `spool/` where a checkout is the working directory, else in the home.
    static func defaultSpool(_ home: HomeOptions) -> String {
        Wiring.exists("spool/README.md") ? Wiring.absolute("spool") : home.nodeDirectory + "/spool"
    }

    /// `profiles/` where a checkout is the working directory, else in the home.
    static func defaultProfiles(_ home: HomeOptions) -> String {
        Wiring.exists("profiles/satellite.yaml") ? Wiring.absolute("profiles") : home.nodeDirectory + "/profiles"
    }

    func policy() throws -> RegistrationPolicy {
        switch registration {
        case "open": return .open
        case "closed": return .closed
        case "invite": return .invite(Set(invites.split(separator: ",").map(String.init)))
        default:
            throw ProtocolError.malformed("registration is open, invite or closed.", member: "registration")
        }
    }

    /// - Throws: `ProtocolError` 2000.
    func forwarding() throws(ProtocolError) -> Retention {
        do { return try Retention(forwardMoved) } catch {
            throw .malformed(
                "forward_moved is a number of days or hours, or none.", member: "forward_moved", hint: error.hint)
        }
    }

    func address() throws -> (host: String, port: Int) { try Self.address(listen, member: "listen") }

    /// nil: no datagrams.
    func datagramAddress() throws -> (host: String, port: Int)? {
        listenUDP.isEmpty ? nil : try Self.address(listenUDP, member: "listen_udp")
    }

    /// nil: broadcasts are not heard.
    func broadcastAddress() throws -> (host: String, port: Int)? {
        guard !listenBroadcast.isEmpty else {
            guard broadcastInterface.isEmpty else {
                throw ProtocolError.malformed(
                    "An interface for broadcasts is named, but no group.", member: "broadcast_interface",
                    hint: "Set listen_broadcast too.")
            }
            return nil
        }
        return try Self.address(listenBroadcast, member: "listen_broadcast")
    }

    private static func address(_ listen: String, member: String) throws -> (host: String, port: Int) {
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]),
            (0...65_535).contains(port), colon > listen.startIndex
        else {
            throw ProtocolError.malformed(
                "The address to listen on is host:port.", member: member, hint: "Example: 0.0.0.0:7443")
        }
        let host = listen[..<colon].filter { $0 != "[" && $0 != "]" }
        return (String(host), port)
    }

    func nodeConfiguration() throws -> NodeConfiguration {
        NodeConfiguration(
            registration: try policy(), profiles: try ProfileFiles.load(from: profiles),
            localProfile: localProfile, retention: try Retention(messageRetention), forwardsMoved: try forwarding(),
            origins: Set(origins.split(separator: ",").map { String($0.filter { $0 != " " }) }),
            limits: limits)
    }

    /// The file, with paths that count from where it stands.
    func yaml(for home: HomeOptions) -> String {
        let (spool, profiles) = (written(spool, home), written(profiles, home))
        return """
            # How this node runs. Flags and GODWIT_ variables go before what stands here.
            listen: "\(listen)"
            \(listenUDP.isEmpty ? "#listen_udp: \"0.0.0.0:7443\"   # datagrams, for thin and lossy links" : "listen_udp: \"\(listenUDP)\"")
            \(listenBroadcast.isEmpty ? "#listen_broadcast: \"239.192.74.43:7444\"   # a group whose broadcasts are heard" : "listen_broadcast: \"\(listenBroadcast)\"")
            \(broadcastInterface.isEmpty ? "#broadcast_interface: \"eth1\"   # where the group is joined" : "broadcast_interface: \"\(broadcastInterface)\"")
            spool: "\(spool)"
            registration: \(registration)
            profiles: "\(profiles)"
            message_retention: \(messageRetention)
            tls: \(tls)

            """
    }

    private func written(_ path: String, _ home: HomeOptions) -> String {
        let own = home.nodeDirectory + "/"
        return path.hasPrefix(own) ? String(path.dropFirst(own.count)) : Wiring.absolute(path)
    }
}
