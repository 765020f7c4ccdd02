public import GodwitProtocol

/// Where a peer listens: `http(s)://`, `ws(s)://` or `udp://`, host, port.
public struct Endpoint: Hashable, Sendable {
    public enum Scheme: String, Sendable, CaseIterable {
        case http, https, ws, wss, udp

        /// TLS below it.
        public var isSecure: Bool { self == .https || self == .wss }
        /// nil: it has to be written.
        var defaultPort: Int? {
            switch self {
            case .https, .wss: 443
            case .http, .ws: 80
            case .udp: nil
            }
        }
    }

    public let scheme: Scheme
    /// Name or address; an IPv6 address without its brackets.
    public let host: String
    public let port: Int
    /// Begins with `/`, or is empty.
    public let path: String

    /// Reads `scheme://host[:port][/path]`, or `udp://host:port`. Credentials, queries, fragments and white space are refused.
    public init(_ text: String) throws(ProtocolError) {
        let malformed = ProtocolError.malformed(
            "The address of a node is not one.", hint: "Write it as https://host:port.")
        guard let colon = text.firstIndex(of: ":"), let scheme = Scheme(rawValue: text[..<colon].lowercased()),
            text[colon...].hasPrefix("://"),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !Self.refused.contains($0) })
        else { throw malformed }
        let rest = text[text.index(colon, offsetBy: 3)...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let (host, written) = Self.split(rest[..<slash]), let port = written ?? scheme.defaultPort,
            scheme != .udp || slash == rest.endIndex
        else { throw malformed }
        self.scheme = scheme
        self.host = host
        self.port = port
        path = rest[slash...] == "/" ? "" : String(rest[slash...])
    }

    private static let refused = Set("@?#\\\"<>".utf8)

    private static func split(_ authority: Substring) -> (host: String, port: Int?)? {
        var host = authority
        var port: Int?
        if let close = authority.firstIndex(of: "]"), authority.first == "[" {
            host = authority[authority.index(after: authority.startIndex)..<close]
            let tail = authority[authority.index(after: close)...]
            guard host.contains(":"), tail.isEmpty || tail.first == ":" else { return nil }
            if !tail.isEmpty {
                guard let number = self.port(tail.dropFirst()) else { return nil }
                port = number
            }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            guard let number = self.port(authority[authority.index(after: colon)...]) else { return nil }
            port = number
        }
        guard !host.isEmpty, !host.contains("["), !host.contains("]") else { return nil }
        return (host.lowercased(), port)
    }

    private static func port(_ digits: Substring) -> Int? {
        guard (1...5).contains(digits.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), (1...65_535).contains(port)
        else { return nil }
        return port
    }

    /// This machine itself: clear text does not leave it.
    public var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// `host:port`, with brackets where the host is an IPv6 address.
    public var authority: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// As it was read, port always written.
    public var text: String { "\(scheme.rawValue)://\(authority)\(path)" }

    /// SEC-02: everything but loopback is TLS, unless the caller says otherwise.
    func requireSecure(unless allowClear: Bool) throws(ProtocolError) {
        guard scheme.isSecure || isLoopback || allowClear else {
            throw ProtocolError(
                .federationError, "The address is in clear text and not on this machine.",
                hint: "Use https:// or wss://, or allow clear text for this link in the configuration.")
        }
    }
}
