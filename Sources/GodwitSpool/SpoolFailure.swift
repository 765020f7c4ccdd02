import GRDB
import Glibc
import GodwitProtocol

/// A call to the system that failed.
struct SystemFailure: Error {
    let step: StaticString
    let number: Int32
}

/// Turns what SQLite and the system report into what callers of a spool may see.
enum SpoolFailure {
    static func translate(_ error: any Error) -> any Error {
        switch error {
        case let error as SystemFailure: translate(error)
        case let error as DatabaseError: translate(error)
        default: error
        }
    }

    private static func translate(_ failure: SystemFailure) -> any Error {
        switch failure.number {
        case ENOSPC, EDQUOT: diskFull
        default: writeFailed("\(failure.step): error \(failure.number) of the system")
        }
    }

    private static func translate(_ error: DatabaseError) -> any Error {
        // What was read is not what was sealed there.
        if error.extendedResultCode.rawValue == sealIsBroken { return damaged }
        return switch error.resultCode {
        case .SQLITE_FULL: diskFull
        case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_NOMEM:
            writeFailed("SQLite result \(error.extendedResultCode.rawValue)")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: damaged
        default: error
        }
    }

    /// SQLITE_IOERR_DATA: what comes from the disk is not what was put there.
    private static let sealIsBroken: Int32 = 10 | 32 << 8

    private static var damaged: SpoolError {
        SpoolError(
            .corrupt, "The spool's database is damaged.",
            hint: "Run `godwit spool verify`, copy the directory away and restore or re-create it.")
    }

    static var diskFull: ProtocolError {
        ProtocolError(
            .bandwidthExceeded, "The disk is full.", hint: "Free space on the disk that holds the spool.",
            details: ["limit": "disk"])
    }

    private static func writeFailed(_ what: String) -> ProtocolError {
        ProtocolError(
            .internalError, "The spool could not be read or written.",
            hint: "Check the disk and the rights on the spool's directory (\(what)).")
    }
}
