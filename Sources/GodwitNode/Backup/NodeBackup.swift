import Crypto
import FoundationEssentials
import GodwitCrypto
public import GodwitProtocol
import GodwitSpool

/// A copy of a node in a directory: `manifest.json` names every other file with its SHA-256. Beside the store and the
/// node's own files it holds the keys, in the clear or sealed under a passphrase.
public struct NodeBackup: Sendable {
    public let directory: String

    /// What of the home is copied as it is. The keys stand apart.
    private static let plainFiles = ["node.json", "node.yaml", "tls/certificate.pem"]
    static let keyFiles = ["keys/signing.key", "keys/noise.key", "tls/key.pem"]
    static let sealedName = "keys.sealed"
    static let manifestName = "manifest.json"
    /// Bytes of a file that is read whole.
    private static let fileMax = 4_194_304

    public init(directory: String) { self.directory = directory }

    /// What of a home, or of a backup, is copied as it is: budgets stand in profiles.
    static func plainFiles(in directory: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory + "/profiles")) ?? []
        return plainFiles + names.filter { $0.hasSuffix(".yaml") }.sorted().map { "profiles/" + $0 }
    }

    // MARK: Writing

    /// Copies a node, which may go on meanwhile.
    /// - Throws: `ProtocolError` 2000 if the directory is there already.
    /// - Returns: {`files`, `bytes`}.
    func write(
        of home: NodeHome, spool: SQLiteSpool, passphrase: String?, at now: Timestamp
    ) async throws -> JSONObject {
        guard !NodeFiles.exists(directory) else {
            throw ProtocolError(
                .invalidMessageFormat, "The directory of the backup is there already.", hint: "Name another one.")
        }
        do {
            try NodeFiles.makeDirectory(directory)
            try await spool.backup(to: directory + "/spool")
            for name in Self.plainFiles(in: home.directory) where NodeFiles.exists(home.directory + "/" + name) {
                try copy(name, from: home.directory)
            }
            try writeKeys(of: home, passphrase)
            let manifest = try manifest(of: home, isSealed: passphrase != nil, at: now)
            // Last: a backup with this file is complete.
            try DurableFile.write(manifest.canonicalBytes(), to: path(Self.manifestName))
            let files = manifest["files"]?.object ?? [:]
            let bytes = files.members.reduce(0) { $0 + ($1.value.object?["size"]?.integer ?? 0) }
            return ["files": .integer(Int64(files.count)), "bytes": .integer(bytes)]
        } catch {
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
    }

    private func copy(_ name: String, from home: String) throws {
        if let slash = name.lastIndex(of: "/") { try NodeFiles.makeDirectory(path(String(name[..<slash]))) }
        try DurableFile.write(NodeFiles.read(home + "/" + name, max: Self.fileMax), to: path(name))
    }

    private func writeKeys(of home: NodeHome, _ passphrase: String?) throws {
        guard let passphrase else {
            for name in Self.keyFiles where NodeFiles.exists(home.directory + "/" + name) {
                try copy(name, from: home.directory)
            }
            return
        }
        var secrets: JSONObject = ["seed": .string(Base64.encode(home.signingKey.seed.copyBytes()))]
        for name in Self.keyFiles where NodeFiles.exists(home.directory + "/" + name) {
            secrets[name] = .string(Base64.encode(try NodeFiles.read(home.directory + "/" + name)))
        }
        let sealed = try PassphraseProtection.protect(
            secrets, passphrase: passphrase, kdf: .highSecurity(), fullID: home.id.text,
            publicKey: PublicKeyText.text(ed25519: home.descriptor.publicKey))
        try DurableFile.write(Array(sealed.utf8), to: path(Self.sealedName))
    }

    private func manifest(of home: NodeHome, isSealed: Bool, at now: Timestamp) throws -> JSONObject {
        var files = JSONObject()
        for name in try names() {
            let (digest, size) = try Self.digest(ofFile: path(name))
            files[name] = ["sha256": .string(Hex.encode(digest)), "size": .integer(size)]
        }
        return [
            "format": 1, "node": .string(home.id.text), "made": .string(now.description),
            "keys": .string(isSealed ? "sealed" : "clear"), "files": .object(files),
        ]
    }

    // MARK: Checking

    /// What is wrong with the backup, a line each. Changes nothing.
    public func verify() throws -> [String] {
        let manifest = try self.manifest()
        var problems = try problemsOfFiles(manifest)
        do {
            let descriptor = try descriptor()
            if descriptor.id.text != manifest["node"]?.string { problems.append("node.json: another node's") }
        } catch let error as ProtocolError {
            problems.append("node.json: \(error.message)")
        }
        if manifest["keys"]?.string == "clear", problems.isEmpty, !hasOwnKey(try descriptor()) {
            problems.append("keys/signing.key: not the key of the descriptor")
        }
        problems += try SQLiteSpool.problems(ofCopyIn: path("spool")) {
            NodeSchema.register(in: &$0, for: nil)
        }.map { "spool: " + $0 }
        return problems
    }

    private func manifest() throws -> JSONObject {
        guard NodeFiles.exists(path(Self.manifestName)) else {
            throw ProtocolError(
                .invalidMessageFormat, "There is no complete backup in this directory.", hint: "Check the path.")
        }
        let manifest = try JSONObject.parse(
            NodeFiles.read(path(Self.manifestName), max: 67_108_864), limits: JSONLimits(bytes: 67_108_864))
        guard manifest["format"]?.integer == 1 else {
            throw ProtocolError(
                .protocolVersionMismatch, "The backup is of a form that this version does not read.",
                hint: "Use the version that made it, or a later one.")
        }
        return manifest
    }

    private func problemsOfFiles(_ manifest: JSONObject) throws -> [String] {
        let files = manifest["files"]?.object ?? [:]
        let present = Set(try names())
        var problems = present.subtracting(files.keys).sorted().map { "\($0): does not belong to the backup" }
        for name in files.keys.sorted() {
            guard present.contains(name) else {
                problems.append("\(name): missing")
                continue
            }
            let digest = try Self.digest(ofFile: path(name)).digest
            if Hex.encode(digest) != files[name]?.object?["sha256"]?.string {
                problems.append("\(name): not what the manifest says")
            }
        }
        return problems
    }

    private func descriptor() throws -> NodeDescriptor {
        let descriptor = try NodeDescriptor(JSONObject.parse(NodeFiles.read(path("node.json"))))
        try KeyChecks.verify(descriptor.object, signedBy: descriptor.publicKey, purpose: .descriptor)
        return descriptor
    }

    private func hasOwnKey(_ descriptor: NodeDescriptor) -> Bool {
        guard let seed = try? NodeFiles.read(path("keys/signing.key"), max: 32),
            let key = try? SigningKey(seed: Secret(seed))
        else { return false }
        return key.publicKey.bytes == descriptor.publicKey
    }

    // MARK: Restoring

    /// Makes a node from the backup, for good: the old one must not run any more.
    ///
    /// What the copy cannot know is given up, so that nothing is used twice: incarnations of frames (D-8), sessions, and
    /// one-time pre-keys, which may have been given out since.
    ///
    /// - Parameter force: a node that is there already is put aside, under its name with `.old` and the time.
    /// - Throws: `ProtocolError` 2000 for a backup that is not sound, or a home that holds a node; 1000 for a wrong
    ///   passphrase. The home is as it was then.
    public func restore(
        into home: String, passphrase: String?, force: Bool, at now: Timestamp
    ) async throws -> NodeID {
        if let problem = try verify().first {
            throw ProtocolError(
                .invalidMessageFormat, "The backup is damaged: \(problem)", hint: "See `godwit node verify`.")
        }
        if NodeFiles.exists(home), !force {
            throw ProtocolError(
                .invalidMessageFormat, "There is a node in this home already.",
                hint: "Choose another --home, or put it aside with --force.")
        }
        let keys = try self.keys(passphrase)
        let part = home + ".restoring"
        if NodeFiles.exists(part) { try NodeFiles.remove(part) }
        do {
            try assemble(in: part, keys)
            try await Self.reset(NodeHome(directory: part), at: now)
            let aside = home + ".old-\(now.milliseconds)"
            let hadNode = NodeFiles.exists(home)
            if hadNode { try Self.move(home, to: aside) }
            do { try Self.move(part, to: home) } catch {
                if hadNode { try? Self.move(aside, to: home) }
                throw error
            }
        } catch {
            try? FileManager.default.removeItem(atPath: part)
            throw error
        }
        return try descriptor().id
    }

    /// Bytes of the key files by name.
    private func keys(_ passphrase: String?) throws -> [String: [UInt8]] {
        guard NodeFiles.exists(path(Self.sealedName)) else {
            return try Dictionary(
                uniqueKeysWithValues: Self.keyFiles.filter { NodeFiles.exists(path($0)) }.map { name in
                    (name, try NodeFiles.read(path(name)))
                })
        }
        guard let passphrase else {
            throw ProtocolError(
                .invalidCredentials, "The keys of this backup are sealed.", hint: "Give --passphrase-file.")
        }
        let descriptor = try descriptor()
        let secrets = try PassphraseProtection.unprotect(
            String(decoding: NodeFiles.read(path(Self.sealedName)), as: UTF8.self), passphrase: passphrase,
            fullID: descriptor.id.text, publicKey: PublicKeyText.text(ed25519: descriptor.publicKey))
        return Dictionary(
            uniqueKeysWithValues: Self.keyFiles.compactMap { name in
                secrets[name]?.string.flatMap(Base64.decode).map { (name, $0) }
            })
    }

    private func assemble(in part: String, _ keys: [String: [UInt8]]) throws {
        for folder in ["", "/keys", "/tls", "/spool", "/spool/blobs", "/profiles"] {
            try NodeFiles.makeDirectory(part + folder)
        }
        for name in Self.plainFiles(in: directory) where NodeFiles.exists(path(name)) {
            try DurableFile.write(NodeFiles.read(path(name), max: Self.fileMax), to: part + "/" + name)
        }
        // The store is in the home now, wherever it was.
        let settings = part + "/node.yaml"
        if NodeFiles.exists(settings) {
            let lines = String(decoding: try NodeFiles.read(settings), as: UTF8.self).split(
                separator: "\n", omittingEmptySubsequences: false)
            let kept = lines.filter { !$0.hasPrefix("spool:") }.joined(separator: "\n")
            try DurableFile.write(Array(("spool: \"spool\"\n" + kept).utf8), to: settings)
        }
        for (name, bytes) in keys { try DurableFile.write(bytes, to: part + "/" + name) }
        for name in try names() where name.hasPrefix("spool/") {
            do { try FileManager.default.copyItem(atPath: path(name), toPath: part + "/" + name) } catch {
                throw ProtocolError(
                    .bandwidthExceeded, "The store cannot be copied.", hint: "Check the room on the disk.")
            }
        }
    }

    private static func reset(_ home: NodeHome, at now: Timestamp) async throws {
        let context = NodeContext(id: home.id, signingKey: home.signingKey)
        let spool = try SQLiteSpool(directory: home.directory + "/spool") {
            NodeSchema.register(in: &$0, for: context)
        }
        try await spool.write { transaction in
            try transaction.forgetFrames()
            let node = NodeTransaction(transaction, context: context, now: now)
            try node.run("DELETE FROM node_session")
            try node.run("DELETE FROM node_one_time_key")
            try node.audit(.backup, subject: nil, "restored")
        }
        try await spool.close()
    }

    private static func move(_ one: String, to other: String) throws {
        do { try FileManager.default.moveItem(atPath: one, toPath: other) } catch {
            throw ProtocolError(.internalError, "The directory cannot be moved: \(one)", hint: "Check permissions.")
        }
    }

    // MARK: Files

    private func path(_ name: String) -> String { directory + "/" + name }

    /// All files but the manifest, below the directory.
    private func names() throws -> [String] {
        let all = try FileManager.default.subpathsOfDirectory(atPath: directory)
        return all.filter { name in
            var isDirectory = false
            return FileManager.default.fileExists(atPath: path(name), isDirectory: &isDirectory) && !isDirectory
                && name != Self.manifestName
        }.sorted()
    }

    /// In pieces: the store may be larger than the memory.
    private static func digest(ofFile path: String) throws -> (digest: [UInt8], size: Int64) {
        let reader = try PieceReader(path)
        var hash = SHA256()
        var size: Int64 = 0
        while let piece = try reader.next() {
            piece.withUnsafeBytes { hash.update(bufferPointer: $0) }
            size += Int64(piece.count)
        }
        return (Array(hash.finalize()), size)
    }
}
