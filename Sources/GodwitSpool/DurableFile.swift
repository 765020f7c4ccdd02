import Glibc
public import GodwitProtocol

/// Small files that must survive a power cut: keys, identities, settings.
public enum DurableFile {
    /// Overwrites a file as well as it can be done, and removes it; its name is gone for good on return.
    /// - Throws: `ProtocolError` 9000 with a hint.
    public static func remove(_ path: String) throws(ProtocolError) {
        do {
            let descriptor = try SystemFile.open(path, O_RDWR)
            SystemFile.overwrite(descriptor)
            Glibc.close(descriptor)
            _ = try SystemFile.retrying("unlink") { Int(unlink(path)) }
            try SystemFile.synchronize(directory: directory(of: path))
        } catch {
            throw ProtocolError(.internalError, "The file cannot be removed: \(path)", hint: "Check permissions.")
        }
    }

    private static func directory(of path: String) -> String {
        let slash = path.lastIndex(of: "/")
        return slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// Writes beside, syncs, renames and syncs the directory: afterwards the file is whole, before it is the old one or
    /// absent. Readable by its owner only from the first byte on.
    /// - Throws: `ProtocolError` 9000 with a hint; the old file, if any, is as it was.
    public static func write(_ bytes: [UInt8], to path: String) throws(ProtocolError) {
        let part = path + ".part"
        do {
            let descriptor = try SystemFile.open(part, O_WRONLY | O_CREAT | O_TRUNC)
            do {
                try SystemFile.write(bytes, to: descriptor)
                _ = try SystemFile.retrying("sync file") { Int(fsync(descriptor)) }
            } catch {
                Glibc.close(descriptor)
                throw error
            }
            Glibc.close(descriptor)
            _ = try SystemFile.retrying("rename file") { Int(rename(part, path)) }
            try SystemFile.synchronize(directory: directory(of: path))
        } catch {
            SystemFile.remove(part)
            throw ProtocolError(
                .internalError, "The file cannot be written: \(path)", hint: "Check permissions and room on the disk.")
        }
    }
}
