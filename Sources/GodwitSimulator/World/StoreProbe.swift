import FoundationEssentials
public import GRDB
import GodwitProtocol

/// Looks into a store's file beside its owner, without changing it.
public struct StoreProbe: Sendable {
    private let queue: DatabaseQueue

    /// - Parameter directory: of the spool.
    public init(_ directory: String) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        queue = try DatabaseQueue(path: directory + "/spool.sqlite", configuration: configuration)
    }

    public func rows(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> [Row] {
        try queue.read { try Row.fetchAll($0, sql: sql, arguments: arguments) }
    }

    /// The one number of a query; 0 where there is none.
    public func sum(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws -> Int {
        try queue.read { try Int.fetchOne($0, sql: sql, arguments: arguments) } ?? 0
    }

    /// Rows of every table.
    public func counts() throws -> [String: Int] {
        try queue.read { database in
            let tables = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            var counts: [String: Int] = [:]
            for table in tables {
                counts[table] = try Int.fetchOne(database, sql: "SELECT count(*) FROM \"\(table)\"") ?? 0
            }
            return counts
        }
    }

    public func close() throws { try queue.close() }
}

extension Row {
    /// A blob that the schema says is there.
    func bytes(_ column: String) -> [UInt8] { [UInt8](self[column] as Data) }
    func optionalBytes(_ column: String) -> [UInt8]? { (self[column] as Data?).map { [UInt8]($0) } }
}
