import ArgumentParser
import Glibc
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import NIOCore

/// How failures reach people: one line what, one line what to do, and an honest exit code (sysexits.h). With `--json`
/// it is one error object on standard error.
enum Failure {
    static let failed: Int32 = 1
    static let badData: Int32 = 65
    static let unavailable: Int32 = 69
    static let outputFailed: Int32 = 74
    static let tryAgain: Int32 = 75
    static let refused: Int32 = 77

    static func exit(with error: any Error) -> Never {
        if let failure = error as? ProtocolError { exit(with: failure, code: code(of: failure.code)) }
        if let failure = error as? SpoolError {
            let known = ProtocolError(.internalError, failure.message, hint: failure.hint)
            exit(with: known, code: code(of: failure.code))
        }
        if let failure = error as? IOError, failure.errnoCode == EADDRINUSE {
            exit(
                with: ProtocolError(
                    .internalError, "Another program listens at the node's address.",
                    hint: "Stop it, or set another `listen` in node.yaml."), code: unavailable)
        }
        if let failure = error as? CryptoError {
            exit(with: ProtocolError(.invalidCredentials, "A key or a seal could not be used (\(failure.rawValue))."))
        }
        let code = Godwit.exitCode(for: error)
        if wantsJSON, !(error is ExitCode), !code.isSuccess {
            let isUsage = code == .validationFailure
            let failure = ProtocolError(
                isUsage ? .invalidMessageFormat : .internalError, Godwit.message(for: error),
                hint: isUsage ? "The command says with --help what it takes." : nil)
            Console.jsonNote(failure.object(at: Wiring.now))
            Glibc.exit(code.rawValue)
        }
        Godwit.exit(withError: error)
    }

    private static func exit(with failure: ProtocolError, code: Int32) -> Never {
        if wantsJSON {
            Console.jsonNote(failure.object(at: Wiring.now))
        } else {
            Console.note("godwit: \(failure.message) [\(failure.code.number) \(failure.code.name)]")
            if let hint = failure.hint { Console.note("  hint: \(hint)") }
        }
        Glibc.exit(code)
    }

    private static var wantsJSON: Bool { CommandLine.arguments.contains("--json") }

    private static func code(of code: SpoolError.Code) -> Int32 {
        switch code {
        case .locked: tryAgain
        case .sealed: refused
        default: failed
        }
    }

    static func code(of code: ErrorCode) -> Int32 {
        switch code {
        case .nodeUnreachable, .federationError: unavailable
        case .rateLimited, .bandwidthExceeded, .maintenanceMode: tryAgain
        case .invalidCredentials, .sessionExpired, .insufficientPermissions, .accountSuspended: refused
        case .invalidMessageFormat, .messageTooLarge, .channelNotFound, .userNotFound, .protocolVersionMismatch:
            badData
        default: failed
        }
    }
}
