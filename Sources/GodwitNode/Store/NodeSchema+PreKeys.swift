import GRDB

extension NodeSchema {
    /// A device's KEM pre-key, as it was signed.
    static func registerPreKeys(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("node pre-keys") { database in
            try database.execute(sql: "ALTER TABLE node_device ADD COLUMN kem_pre_key BLOB")
        }
    }
}
