import GRDB
import GRDBSQLite

/// A statement that runs without the cost of arguments in boxes. The one owner of its handle; used on the queue of its
/// connection only. What it reads is valid inside the closure that is handed over.
public final class WriterStatement {
    private let handle: OpaquePointer
    private let connection: OpaquePointer?
    /// Tells SQLite to copy what is bound before the call returns.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(_ sql: String, on database: Database) throws {
        connection = database.sqliteConnection
        var made: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &made, nil)
        guard code == SQLITE_OK, let made else { throw Self.failure(code, connection) }
        handle = made
    }

    deinit { sqlite3_finalize(handle) }

    // Numbers of arguments begin with 1, those of columns with 0. Binding fails only when memory does; the step tells.

    public func bind(_ argument: Int32, _ value: Int64) { sqlite3_bind_int64(handle, argument, value) }

    public func bind(_ argument: Int32, _ value: Int64?) {
        if let value { bind(argument, value) } else { sqlite3_bind_null(handle, argument) }
    }

    /// Nil is null.
    public func bind(_ argument: Int32, _ bytes: [UInt8]?) {
        guard let bytes else {
            sqlite3_bind_null(handle, argument)
            return
        }
        _ = bytes.withUnsafeBytes { buffer in
            // An address of nil would bind null where an empty body is meant.
            buffer.isEmpty
                ? sqlite3_bind_zeroblob(handle, argument, 0)
                : sqlite3_bind_blob64(handle, argument, buffer.baseAddress, UInt64(buffer.count), Self.copied)
        }
    }

    public func bind(_ argument: Int32, _ text: String) {
        var text = text
        _ = text.withUTF8 { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                sqlite3_bind_text(handle, argument, $0.baseAddress, Int32($0.count), Self.copied)
            }
        }
    }

    /// Nil is null.
    public func bind(_ argument: Int32, _ text: String?) {
        if let text { bind(argument, text) } else { sqlite3_bind_null(handle, argument) }
    }

    /// Runs to the end; rows are passed over.
    public func run() throws {
        try first { _ in }
    }

    /// Hands over the first row, if there is one; columns are valid inside `read` only.
    @discardableResult
    public func first<Value>(_ read: (WriterStatement) throws -> Value) throws -> Value? {
        defer { sqlite3_reset(handle) }
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return try read(self)
        case SQLITE_DONE: return nil
        case let code: throw Self.failure(code, connection)
        }
    }

    /// Hands over every row.
    public func each(_ read: (WriterStatement) throws -> Void) throws {
        defer { sqlite3_reset(handle) }
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: try read(self)
            case SQLITE_DONE: return
            case let code: throw Self.failure(code, connection)
            }
        }
    }

    public func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// 0 for null.
    public func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    /// Empty for null.
    public func text(_ column: Int32) -> String { String(decoding: text(at: column), as: UTF8.self) }

    /// Empty for null.
    public func bytes(_ column: Int32) -> [UInt8] { Array(blob(column)) }

    private func text(at column: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: sqlite3_column_text(handle, column), count: Int(sqlite3_column_bytes(handle, column)))
    }

    func blob(_ column: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: sqlite3_column_blob(handle, column), count: Int(sqlite3_column_bytes(handle, column)))
    }

    private static func failure(_ code: Int32, _ connection: OpaquePointer?) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: code), message: connection.map { String(cString: sqlite3_errmsg($0)) })
    }
}
