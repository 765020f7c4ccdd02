import CCurl
import GodwitProtocol

/// What a transfer that did not succeed means to whoever waits for it. Names neither addresses nor payloads.
enum CarrierFailure {
    /// nil for an answer with status 200.
    static func error(of outcome: CurlOutcome) -> ProtocolError? {
        if outcome.hasStalled {
            return unreachable("The link stalled.", "It is retried; records handed over stay valid.")
        }
        let code = CURLcode(rawValue: outcome.code)
        guard code == CURLE_OK else {
            var error = transport(code)
            error.sentNothing = beforeSending.contains(code)
            return error
        }
        return outcome.status == 200 ? nil : answered(outcome)
    }

    /// Failures before the first byte of a request.
    private static let beforeSending: [CURLcode] = [
        CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
        CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED,
        CURLE_SSL_CONNECT_ERROR,
    ]

    private static func answered(_ outcome: CurlOutcome) -> ProtocolError {
        if let object = try? JSONObject.parse(outcome.errorBody), let error = ProtocolError(object: object) {
            return error
        }
        let status: JSONObject = ["status": .integer(Int64(outcome.status))]
        return ProtocolError(
            (500...599).contains(outcome.status) ? .nodeUnreachable : .federationError,
            "What answered does not speak the batch protocol.",
            hint: "Check the address of the node, and whether something stands between.", details: status)
    }

    private static func transport(_ code: CURLcode) -> ProtocolError {
        switch code {
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            ProtocolError(
                .invalidCredentials, "The node showed a key that is not the pinned one. Nothing was sent.",
                hint: "Somebody may be standing between. If the node changed its certificate, compare the new pin by "
                    + "another way and enter it; it is not retried until then.",
                details: ["reason": "pin_mismatch"])
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE:
            ProtocolError(
                .invalidCredentials, "No trusted authority vouches for the node's certificate. Nothing was sent.",
                hint: "Enter the node's certificate pin.", details: ["reason": "certificate_untrusted"])
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            unreachable("The name of the node or proxy could not be resolved.", "Check the name and the resolver.")
        case CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED:
            unreachable("The node did not accept a connection.", "It may be off, or the link down.")
        case CURLE_OPERATION_TIMEDOUT:
            unreachable("The connection was not made in time.", "Raise the connect time-out if the link is that slow.")
        case CURLE_SSL_CONNECT_ERROR:
            unreachable("The TLS handshake failed.", "The node has to speak TLS 1.3.")
        case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING:
            unreachable("The connection broke.", "It is retried; records handed over stay valid.")
        case CURLE_OUT_OF_MEMORY:
            ProtocolError(.internalError, "No memory for an exchange.", hint: "Give the process more.")
        default:
            ProtocolError(
                .nodeUnreachable, "The exchange failed.", hint: "It is retried.",
                details: ["curl": .integer(Int64(code.rawValue))])
        }
    }

    private static func unreachable(_ message: String, _ hint: String) -> ProtocolError {
        ProtocolError(.nodeUnreachable, message, hint: hint)
    }
}
