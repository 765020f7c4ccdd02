import CCurl
import GodwitProtocol

/// The one owner of a curl easy handle and, through it, of a connection that is kept between exchanges.
///
/// `@unchecked Sendable`: curl allows a handle on any thread, one at a time. `HTTPBatchCarrier` gives it to one exchange
/// at a time, under its lock, and that exchange to one thread.
final class CurlHandle: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer
    private let headers: UnsafeMutablePointer<curl_slist>?
    /// The same, and that the body comes in chunks.
    private let chunkedHeaders: UnsafeMutablePointer<curl_slist>?

    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init(_ configuration: HTTPCarrierConfiguration) throws(ProtocolError) {
        guard Self.isReady, let raw = curl_easy_init() else { throw Self.failure }
        // An empty value takes out a header that curl would send of its own accord.
        let removed = ["Accept:", "Content-Type:", "Expect:", "User-Agent:"]
        self.raw = raw
        headers = Self.list(removed)
        chunkedHeaders = Self.list(removed + ["Transfer-Encoding: chunked"])
        guard configure(configuration) else { throw Self.failure }
    }

    deinit {
        curl_easy_cleanup(raw)
        curl_slist_free_all(headers)
        curl_slist_free_all(chunkedHeaders)
    }

    private static func list(_ headers: [String]) -> UnsafeMutablePointer<curl_slist>? {
        headers.reduce(nil) { curl_slist_append($0, $1) ?? $0 }
    }

    /// - Parameter size: bytes of the body; nil: it comes in chunks.
    func setBody(size: Int?) -> CURLcode {
        let code = godwit_curl_set_headers(raw, size == nil ? chunkedHeaders : headers)
        guard code == CURLE_OK else { return code }
        return godwit_curl_set_offset(raw, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(size ?? -1))
    }

    private static let failure = ProtocolError(
        .internalError, "The HTTP library refused its settings.",
        hint: "Godwit needs libcurl 7.85 or later built with OpenSSL; check interface and proxy of the link.")

    private func configure(_ configuration: HTTPCarrierConfiguration) -> Bool {
        setTransport(configuration) && setSecurity(configuration) && setLimits(configuration)
    }

    private func setTransport(_ configuration: HTTPCarrierConfiguration) -> Bool {
        set(CURLOPT_URL, configuration.exchangeURL)
            && set(CURLOPT_PROTOCOLS_STR, configuration.endpoint.scheme.rawValue)
            && set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
            && set(CURLOPT_POST, 1)
            && set(CURLOPT_FOLLOWLOCATION, 0)
            && set(CURLOPT_NOSIGNAL, 1)
            && set(CURLOPT_TCP_NODELAY, 1)
            && set(CURLOPT_TCP_KEEPALIVE, 1)
            // A kept connection may be old: the peer decides when it ends.
            && set(CURLOPT_MAXAGE_CONN, 86_400)
            && set(CURLOPT_MAXCONNECTS, 1)
            // An empty string keeps curl from reading proxies out of the environment.
            && set(CURLOPT_PROXY, configuration.proxy ?? "")
            && godwit_curl_set_headers(raw, headers) == CURLE_OK
            && godwit_curl_set_unsent_max(raw, CInt(configuration.unsentMax)) == CURLE_OK
            && (configuration.interface.map { set(CURLOPT_INTERFACE, $0) } ?? true)
    }

    private func setSecurity(_ configuration: HTTPCarrierConfiguration) -> Bool {
        guard configuration.endpoint.scheme.isSecure else { return true }
        let pinned = !configuration.pins.isEmpty
        return set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_3))
            && set(CURLOPT_SSL_ENABLE_ALPN, 0)
            // Resumption costs more bytes than it saves (a ticket of 200 B each way against 270 B of certificate).
            && set(CURLOPT_SSL_SESSIONID_CACHE, 0)
            && set(CURLOPT_SSL_VERIFYPEER, pinned ? 0 : 1)
            && set(CURLOPT_SSL_VERIFYHOST, pinned ? 0 : 2)
            && (!pinned
                || set(CURLOPT_PINNEDPUBLICKEY, configuration.pins.map(\.text).joined(separator: ";")))
    }

    private func setLimits(_ configuration: HTTPCarrierConfiguration) -> Bool {
        let sendMax = configuration.sendRate.map { max($0.bitsPerSecond / 8, 1) } ?? 0
        let receiveMax = configuration.receiveRate.map { max($0.bitsPerSecond / 8, 1) } ?? 0
        return set(CURLOPT_CONNECTTIMEOUT_MS, Int(configuration.connectTimeout.wholeMilliseconds))
            && godwit_curl_set_offset(raw, CURLOPT_MAX_SEND_SPEED_LARGE, curl_off_t(sendMax)) == CURLE_OK
            && godwit_curl_set_offset(raw, CURLOPT_MAX_RECV_SPEED_LARGE, curl_off_t(receiveMax)) == CURLE_OK
    }

    private func set(_ option: CURLoption, _ value: Int) -> Bool {
        godwit_curl_set_long(raw, option, value) == CURLE_OK
    }

    private func set(_ option: CURLoption, _ value: String) -> Bool {
        godwit_curl_set_string(raw, option, value) == CURLE_OK
    }

    func long(_ info: CURLINFO) -> Int {
        var value = 0
        return godwit_curl_get_long(raw, info, &value) == CURLE_OK ? value : 0
    }

    func offset(_ info: CURLINFO) -> Int64 {
        var value: curl_off_t = 0
        return godwit_curl_get_offset(raw, info, &value) == CURLE_OK ? Int64(value) : 0
    }
}

extension Duration {
    /// Rounded down; at least 1.
    var wholeMilliseconds: Int64 {
        max(components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000, 1)
    }
}
