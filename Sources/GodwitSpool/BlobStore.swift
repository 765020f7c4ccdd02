import Crypto
import Glibc
import GodwitProtocol

/// Bodies in files of their own, named by the SHA-256 of what they hold. In a sealed store the files are sealed, and the
/// name is one that only its key makes of that hash.
///
/// A file is durable before a row names it, and is removed only after the commit that dropped the last such row.
struct BlobStore: Sendable {
    let directory: String
    private let key: StoreKey?

    /// Makes the directory if it is missing.
    init(directory: String, key: StoreKey? = nil) throws(SystemFailure) {
        self.directory = directory
        self.key = key
        try SystemFile.makeDirectory(directory)
    }

    static func digest(of body: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        body.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize().withUnsafeBytes { Array($0) }
    }

    /// Writes a body under its digest: a temporary file, fsync, rename, fsync of the directory.
    func publish(_ body: [UInt8], digest: [UInt8]) throws(SystemFailure) {
        let target = path(name(of: digest))
        let temporary = path("tmp-" + name(of: digest))
        let content = key?.seal(body) ?? body
        do {
            let descriptor = try SystemFile.open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
            defer { close(descriptor) }
            try SystemFile.write(content, to: descriptor)
            _ = try SystemFile.retrying("fsync") { Int(fsync(descriptor)) }
            _ = try SystemFile.retrying("rename") { Int(rename(temporary, target)) }
        } catch {
            SystemFile.remove(temporary)
            throw error
        }
        try SystemFile.synchronize(directory: directory)
    }

    /// - Throws: `SpoolError` `.corrupt` if the file is missing or is not what its name says.
    func read(digest: [UInt8], size: Int) throws -> [UInt8] {
        let content: [UInt8]
        do {
            content = try SystemFile.read(path(name(of: digest)), limit: size + StoreKey.extra + 1)
        } catch  where error.number == ENOENT {
            throw Self.damaged("A body's file is missing.")
        }
        let body = opened(content)
        guard body.count == size, Self.digest(of: body) == digest else {
            throw Self.damaged("A body's file is not what its name says.")
        }
        return body
    }

    func remove(digest: [UInt8]) { SystemFile.remove(path(name(of: digest))) }

    /// Names of files that hold no body of `digests`.
    func strangers(besides digests: Set<[UInt8]>) throws(SystemFailure) -> [String] {
        let known = Set(digests.map { name(of: $0) })
        return try SystemFile.names(in: directory).filter { !known.contains($0) }
    }

    func remove(name: String) { SystemFile.remove(path(name)) }

    private func name(of digest: [UInt8]) -> String { Hex.encode(key?.name(of: digest) ?? digest) }

    /// What a file holds, in clear; nothing if its seal does not fit.
    private func opened(_ content: [UInt8]) -> [UInt8] {
        guard let key else { return content }
        return key.open(content) ?? []
    }

    private func path(_ name: String) -> String { directory + "/" + name }

    private static func damaged(_ message: String) -> SpoolError {
        SpoolError(.corrupt, message, hint: "Run `godwit spool verify`; the peer that sent it may have it still.")
    }
}
