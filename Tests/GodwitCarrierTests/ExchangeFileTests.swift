import FoundationEssentials
import Glibc
import GodwitBatch
import GodwitProtocol
import Synchronization
import Testing

@testable import GodwitCarrier

@Suite struct ExchangeFileTests {
    static let records: [[UInt8]] = [[1], Array(repeating: 7, count: 200), Array(repeating: 9, count: 65_600), [2, 3]]

    @Test("The bytes of a small file are these, checksum included")
    func example() throws {
        // The checksum was computed with sha256sum over the first twelve bytes.
        let bytes = try ExchangeFile.encode([Array("ab".utf8)])
        #expect(Array(bytes.prefix(12)) == Array("GODWIT1\n".utf8) + [2, 0x61, 0x62, 0])
        #expect(Hex.encode(bytes.suffix(8)) == Self.exampleChecksum)
        #expect(bytes.count == 20)
    }
    static let exampleChecksum = "df50109171e2fc1c"

    @Test("Records come back in order")
    func roundTrip() throws {
        for records in [[], Self.records] {
            let contents = try ExchangeFile.decode(try ExchangeFile.encode(records))
            #expect(contents == ExchangeFile.Contents(records: records, isComplete: true))
        }
    }

    @Test("A file cut at any byte yields its whole records and says that it was cut")
    func truncation() throws {
        let records: [[UInt8]] = [[1], Array(repeating: 7, count: 200), [2, 3]]
        let bytes = try ExchangeFile.encode(records)
        // End of each record within the file: magic 8, then length prefix and bytes.
        let ends = [8 + 2, 8 + 2 + 202, 8 + 2 + 202 + 3]
        for cut in 8..<bytes.count {
            let contents = try ExchangeFile.decode(Array(bytes[..<cut]))
            #expect(contents.records == Array(records.prefix(ends.count { $0 <= cut })))
            #expect(!contents.isComplete)
        }
        for cut in 0..<8 { #expect(throws: ProtocolError.self) { try ExchangeFile.decode(Array(bytes[..<cut])) } }
    }

    @Test("A changed bit anywhere after the magic is noticed: refused, or the file counts as incomplete")
    func corruption() throws {
        let bytes = try ExchangeFile.encode([[1], Array(repeating: 7, count: 50), [2, 3]])
        for index in 8..<bytes.count {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                let contents = try? ExchangeFile.decode(damaged)
                #expect(contents?.isComplete != true, "byte \(index), bit \(bit)")
            }
        }
    }

    @Test("Bytes after the end make a file incomplete")
    func trailing() throws {
        #expect(try !ExchangeFile.decode(try ExchangeFile.encode([[1]]) + [0]).isComplete)
    }

    @Test("A record of 65,600 bytes is written, one of 65,601 and an empty one are not")
    func limits() throws {
        _ = try ExchangeFile.encode([Array(repeating: 0, count: Exchange.recordMax)])
        #expect(throws: ProtocolError.self) {
            try ExchangeFile.encode([Array(repeating: 0, count: Exchange.recordMax + 1)])
        }
        #expect(throws: ProtocolError.self) { try ExchangeFile.encode([[]]) }
        let tooLong = Array("GODWIT1\n".utf8) + Varint.bytes(UInt64(Exchange.recordMax + 1))
        #expect(throws: ProtocolError.self) { try ExchangeFile.decode(tooLong) }
    }

    @Test("A file is written in one step: it replaces what was there and leaves nothing beside it")
    func disk() throws {
        let manager = FileManager.default
        let directory = manager.temporaryDirectory.appending(path: "godwit-\(UUID().uuidString)")
        try manager.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? manager.removeItem(at: directory) }
        let path = directory.appending(path: "out.godwit").path
        try ExchangeFile.write([[1]], to: path)
        try ExchangeFile.write(Self.records, to: path)
        #expect(try ExchangeFile.read(from: path) == ExchangeFile.Contents(records: Self.records, isComplete: true))
        #expect(try manager.contentsOfDirectory(atPath: directory.path) == ["out.godwit"])
        let mode = try manager.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test(
        "A medium that is full keeps the file that was there, and nothing of the new one",
        arguments: [ENOSPC, EDQUOT, EFBIG], [0, 1, 100])
    func full(_ number: Int32, _ room: Int) throws {
        let manager = FileManager.default
        let directory = manager.temporaryDirectory.appending(path: "godwit-\(UUID().uuidString)")
        try manager.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? manager.removeItem(at: directory) }
        let path = directory.appending(path: "out.godwit").path
        try ExchangeFile.write([[1]], to: path)
        let left = Mutex(room)
        let error = #expect(throws: ProtocolError.self) {
            try ExchangeFile.write(Self.records, to: path) { file, bytes, count in
                let part = min(count, left.withLock { $0 })
                left.withLock { $0 -= part }
                guard part == 0 else { return Glibc.write(file, bytes, part) }
                errno = number
                return -1
            }
        }
        #expect(error?.code == .bandwidthExceeded && error?.details["step"] == "write")
        #expect(try ExchangeFile.read(from: path).records == [[1]])
        #expect(try manager.contentsOfDirectory(atPath: directory.path) == ["out.godwit"])
    }

    @Test("A directory that is not there is reported with the step, and nothing is left")
    func diskFailure() {
        let error = #expect(throws: ProtocolError.self) { try ExchangeFile.write([[1]], to: "/nonexistent/godwit/x") }
        #expect(error?.code == .internalError)
        #expect(error?.details["step"] == "open")
        #expect(throws: ProtocolError.self) { try ExchangeFile.read(from: "/nonexistent/godwit/x") }
    }
}
