import ArgumentParser
import Glibc
import GodwitCrypto
import GodwitProtocol
import GodwitSpool

/// How failures reach people: one line what, one line what to do, and an honest exit code (sysexits.h). With `--json`
/// it is one error object on standard error.
enum Failure {
    static let failed: Int32 = 1
    static let badData: Int32 = 65
    static let unavailable: Int32 = 69
    static let tryAgain: Int32 = 75
    static let refused: Int32 = 77

    static func exit(with error: any Error) -> Never {
        if let failure = error as? ProtocolError {
            if wantsJSON {
                Console.jsonNote(failure.object(at: Wiring.now))
            } else {
                Console.note("godwit: \(failure.message) [\(failure.code.number) \(failure.code.name)]")
                if let hint = failure.hint { Console.note("  hint: \(hint)") }
            }
            Glibc.exit(code(of: failure.code))
        }
        if let failure = error as? SpoolError {
            exit(with: ProtocolError(.internalError, failure.message, hint: failure.hint))
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

    private static var wantsJSON: Bool { CommandLine.arguments.contains("--json") }

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
