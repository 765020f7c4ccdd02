import Crypto
import Glibc
import GodwitProtocol

/// Bodies in files of their own, named by the SHA-256 of what they hold.
///
/// A file is durable before a row names it, and is removed only after the commit that dropped the last such row.
struct BlobStore: Sendable {
    let directory: String

    /// Makes the directory if it is missing.
    init(directory: String) throws(SystemFailure) {
        self.directory = directory
        try SystemFile.makeDirectory(directory)
    }

    static func digest(of body: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        body.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize().withUnsafeBytes { Array($0) }
    }

    /// Writes a body under its digest: a temporary file, fsync, rename, fsync of the directory.
    func publish(_ body: [UInt8], digest: [UInt8]) throws(SystemFailure) {
        let temporary = path("tmp-" + Hex.encode(digest))
        do {
            let descriptor = try SystemFile.open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
            defer { close(descriptor) }
            try SystemFile.write(body, to: descriptor)
            _ = try SystemFile.retrying("fsync") { Int(fsync(descriptor)) }
            _ = try SystemFile.retrying("rename") { Int(rename(temporary, path(Hex.encode(digest)))) }
        } catch {
            SystemFile.remove(temporary)
            throw error
        }
        try SystemFile.synchronize(directory: directory)
    }

    /// - Throws: `SpoolError` `.corrupt` if the file is missing or is not what its name says.
    func read(digest: [UInt8], size: Int) throws -> [UInt8] {
        let body: [UInt8]
        do {
            body = try SystemFile.read(path(Hex.encode(digest)), limit: size + 1)
        } catch  where error.number == ENOENT {
            throw Self.damaged("A body's file is missing.")
        }
        guard body.count == size, Self.digest(of: body) == digest else {
            throw Self.damaged("A body's file is not what its name says.")
        }
        return body
    }

    func remove(digest: [UInt8]) { SystemFile.remove(path(Hex.encode(digest))) }

    /// Names of files that hold no body of `digests`.
    func strangers(besides digests: Set<[UInt8]>) throws(SystemFailure) -> [String] {
        try SystemFile.names(in: directory).filter { name in
            guard let digest = Hex.decode(name), name == Hex.encode(digest) else { return true }
            return !digests.contains(digest)
        }
    }

    func remove(name: String) { SystemFile.remove(path(name)) }

    private func path(_ name: String) -> String { directory + "/" + name }

    private static func damaged(_ message: String) -> SpoolError {
        SpoolError(.corrupt, message, hint: "Run `godwit spool verify`; the peer that sent it may have it still.")
    }
}
