import GRDB
import Glibc

@testable import GodwitSpool

/// What the tests of sealed stores share.
enum Sealed {
    static func key(_ seed: UInt8 = 7) throws -> StoreKey {
        let bytes = (0..<32).map { seed &+ UInt8($0) }
        return try bytes.withUnsafeBytes { try StoreKey($0) }
    }

    /// An empty sealed database in a directory of its own, opened once by `body`.
    static func database<Value>(
        in directory: TemporaryDirectory, _ key: StoreKey, _ body: (DatabaseQueue) throws -> Value
    ) throws -> Value {
        let hold = try SQLiteSpool.unseal(directory.path, key)
        var configuration = Configuration()
        configuration.prepareDatabase(SQLiteSpool.prepareSealed)
        let queue = try DatabaseQueue(
            path: SQLiteSpool.databasePath(in: directory.path), configuration: configuration)
        let value: Value
        do {
            value = try body(queue)
        } catch {
            // What fails at the end of a damaged database must not hide why.
            try? queue.close()
            throw error
        }
        try queue.close()
        withExtendedLifetime(hold) {}
        return value
    }

    /// All rows of all tables of the tests, as text.
    static func rows(_ database: Database) throws -> [String] {
        let tables = try String.fetchAll(
            database, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'test%' ORDER BY name")
        return try tables.flatMap { table in
            try String.fetchAll(database, sql: "SELECT quote(id) || quote(a) || quote(b) FROM \(table) ORDER BY id")
        }
    }
}

extension TemporaryDirectory {
    /// Names of all files, those of bodies included.
    var names: [String] {
        get throws {
            let names = try SystemFile.names(in: path)
            guard names.contains("blobs") else { return names }
            return try names.filter { $0 != "blobs" } + blobNames.map { "blobs/" + $0 }
        }
    }

    /// Files that anybody but their owner may read or write.
    var openToOthers: [String] {
        get throws {
            try names.filter { name in
                var status = stat()
                return stat(path + "/" + name, &status) == 0 && status.st_mode & 0o077 != 0
            }
        }
    }

    /// All files of the directory, as a power cut at this moment would leave them.
    func snapshot() throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        try SystemFile.makeDirectory(copy.path + "/blobs")
        for name in try names where name != "lock" { try copy.write(try read(name), to: name) }
        return copy
    }
}
