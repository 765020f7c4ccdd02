import FoundationEssentials
import Glibc
import GodwitProtocol

/// A directory that holds the disks of all boxes of a simulation, and goes with it.
public final class SimulatedDisk: Sendable {
    public let path: String

    /// In memory where the system has a place for that: a year is a hundred thousand commits.
    /// - Throws: what making the directory throws.
    public init() throws {
        let manager = FileManager.default
        let parent = manager.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/godwit-world-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ProtocolError(.internalError, "No temporary directory could be made for the simulation.")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// What would be on a store's disk if the power failed now. Every commit is synced, so that is what is in its files;
    /// nobody may be writing.
    static func copy(_ directory: String, to copy: String) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: copy + "/blobs", withIntermediateDirectories: true)
        for name in ["spool.sqlite", "spool.sqlite-wal"] where manager.fileExists(atPath: directory + "/" + name) {
            try manager.copyItem(atPath: directory + "/" + name, toPath: copy + "/" + name)
        }
        for name in try manager.contentsOfDirectory(atPath: directory + "/blobs") {
            try manager.copyItem(atPath: directory + "/blobs/" + name, toPath: copy + "/blobs/" + name)
        }
    }

    static func remove(_ directory: String) throws { try FileManager.default.removeItem(atPath: directory) }

    /// All bytes of a store's database, what lies in its log included.
    static func bytes(of directory: String) -> [UInt8] {
        ["spool.sqlite", "spool.sqlite-wal"].flatMap { name in
            FileManager.default.contents(atPath: directory + "/" + name).map { [UInt8]($0) } ?? []
        }
    }
}

extension SimulatedDisk {
    static func move(_ directory: String, to place: String) throws {
        try FileManager.default.moveItem(atPath: directory, toPath: place)
    }
}
