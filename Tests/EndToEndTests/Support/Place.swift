import Foundation
import Glibc
import Synchronization

/// Where the things are that the tests run.
enum Place {
    struct Missing: Error, CustomStringConvertible {
        var description: String
    }

    /// The checkout that these tests were built from.
    static let root = #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }

    static func godwit() throws -> String {
        let path = root + "/.build/debug/godwit"
        guard access(path, X_OK) == 0 else {
            throw Missing(description: "No executable at \(path). Run `swift build` first.")
        }
        return path
    }

    /// The Python of the cross checks: GODWIT_PYTHON, or what `make deps` made.
    static func python() throws -> String {
        let path = ProcessInfo.processInfo.environment["GODWIT_PYTHON"] ?? root + "/.build-python/bin/python"
        guard access(path, X_OK) == 0 else {
            throw Missing(description: "No Python at \(path). Run `make deps` first, or set GODWIT_PYTHON.")
        }
        return path
    }

    /// A port of loopback that nobody listens on, that no other test gets, and that the system gives to no connection: it
    /// takes those from 32,768 on.
    static func freePort() throws -> Int {
        for _ in 0..<100 {
            let port = nextPort.withLock { next in
                defer { next = next < 29_999 ? next + 1 : 10_000 }
                return next
            }
            if isFree(port) { return port }
        }
        throw Missing(description: "A hundred ports are taken.")
    }

    private static let nextPort = Mutex(Int.random(in: 10_000...29_999))

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(port).bigEndian
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// A directory that is gone when the test is over.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/godwit-e2e-" + UUID().uuidString.prefix(8).lowercased()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
    }

    func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
    }

    func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

    /// Changes a text file; fails if there is nothing to change.
    func edit(_ name: String, _ old: String, _ new: String, as copy: String? = nil) throws {
        let before = try text(name)
        let after = before.replacing(old, with: new)
        guard before != after else { throw Place.Missing(description: "\(name) has no \(old)") }
        try write(after, to: copy ?? name)
    }

    /// Paths of all files under a folder, relative to this directory.
    func files(under folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path + "/" + folder).map { folder + "/" + $0 }.filter {
            name in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: path + "/" + name, isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }
    }
}
