import FoundationEssentials
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Tests/Vectors/qr.txt, made by make_qr.py beside it with the package qrcode.
@Suite("QR codes")
struct QRCodeTests {
    private struct Drawn {
        var version: Int
        var mask: Int
        var bytes: [UInt8]
        var digest: String
    }

    private static func drawn(file: String = #filePath) throws -> [Drawn] {
        let root = file.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let bytes = try #require(FileManager.default.contents(atPath: root + "/Tests/Vectors/qr.txt"))
        return try String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            let fields = line.split(separator: " ").map(String.init)
            try #require(fields.count == 4)
            return Drawn(
                version: try #require(Int(fields[0])), mask: try #require(Int(fields[1])),
                bytes: try #require(Hex.decode(fields[2])), digest: fields[3])
        }
    }

    private static func digest(_ code: QRCode) -> String {
        Hex.encode(SHA256Digest.of(code.modules.map { $0 ? UInt8(ascii: "1") : UInt8(ascii: "0") }))
    }

    @Test("every version with every mask is drawn as another implementation draws it, module by module")
    func vectors() throws {
        let drawn = try Self.drawn()
        #expect(drawn.count == 160)
        for one in drawn {
            let code = try QRCode(one.bytes, mask: one.mask)
            #expect(code.version == one.version && Self.digest(code) == one.digest, "\(one.version) \(one.mask)")
        }
    }

    @Test("the mask that is chosen is one of the eight")
    func masks() throws {
        for (place, one) in try Self.drawn().enumerated() where place % 8 == 0 {
            let code = try QRCode(one.bytes)
            #expect(try (0..<8).contains { try QRCode(one.bytes, mask: $0) == code }, "version \(one.version)")
        }
    }

    @Test("213 bytes fit, 214 are refused; a safety number fits into 24 lines of 80 columns")
    func sizes() throws {
        #expect(try QRCode(Array(repeating: 0, count: 213)).version == 10)
        #expect(throws: ProtocolError.self) { try QRCode(Array(repeating: 0, count: 214)) }
        let code = try QRCode(Array(repeating: 65, count: 79))
        #expect(code.version == 5 && code.lines.count <= 23)
        #expect(code.lines.allSatisfy { $0.count == code.size + 8 })
        #expect(code.lines[0].allSatisfy { $0 == "█" } && code.isDark(0, 0) && !code.isDark(-1, 0))
    }
}
