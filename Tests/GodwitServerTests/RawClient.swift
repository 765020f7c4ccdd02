import NIOCore
import NIOPosix

/// A TCP connection on which a test writes bytes as it likes.
struct RawClient {
    struct Ended: Error {}

    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    var pending: [UInt8] = []

    static func connected<Result: Sendable>(
        to port: Int, _ body: @Sendable (inout RawClient) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var client = RawClient(inbound: inbound.makeAsyncIterator(), outbound: outbound)
            return try await body(&client)
        }
    }

    func write(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }
    func write(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

    private mutating func more() async throws {
        guard let bytes = try await inbound.next() else { throw Ended() }
        pending += Array(bytes.readableBytesView)
    }

    mutating func read(_ count: Int) async throws -> [UInt8] {
        while pending.count < count { try await more() }
        defer { pending.removeFirst(count) }
        return Array(pending[..<count])
    }

    /// Everything until the server ends the connection.
    mutating func readToEnd() async throws -> [UInt8] {
        while true {
            do { try await more() } catch is Ended { break } catch is IOError { break }
        }
        defer { pending = [] }
        return pending
    }

    mutating func readHead() async throws -> String {
        while true {
            let text = String(decoding: pending, as: Unicode.ASCII.self)
            if let end = text.firstRange(of: "\r\n\r\n") {
                let count = text.unicodeScalars.distance(from: text.startIndex, to: end.upperBound)
                pending.removeFirst(count)
                return String(text[..<end.upperBound])
            }
            try await more()
        }
    }

    /// Head and body of one answer with a length.
    mutating func readAnswer() async throws -> (head: String, body: String) {
        let head = try await readHead()
        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        let length = line.flatMap { Int($0.split(separator: ":")[1].filter { $0 != " " }) } ?? 0
        return (head, String(decoding: try await read(length), as: UTF8.self))
    }

    // MARK: WebSocket

    static func handshake(_ extra: String = "Sec-WebSocket-Protocol: dcp-v1\r\n") -> String {
        // Key and answer are those of RFC 6455 §1.3.
        "GET /ws/v1 HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\(extra)\r\n"
    }

    mutating func upgrade(_ extra: String = "Sec-WebSocket-Protocol: dcp-v1\r\n") async throws -> String {
        try await write(Self.handshake(extra))
        return try await readHead()
    }

    static func frame(_ first: UInt8, _ payload: [UInt8], masked: Bool = true, length: Int? = nil) -> [UInt8] {
        let count = length ?? payload.count
        let bit: UInt8 = masked ? 0x80 : 0
        var bytes = [first]
        switch count {
        case ..<126: bytes.append(bit | UInt8(count))
        case ..<65_536: bytes += [bit | 126, UInt8(count >> 8), UInt8(count & 0xFF)]
        default: bytes += [bit | 127] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
        }
        guard masked else { return bytes + payload }
        let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
    }

    static func text(_ text: String) -> [UInt8] { frame(0x81, Array(text.utf8)) }

    struct Frame: Equatable {
        var first: UInt8
        var payload: [UInt8]
        var text: String { String(decoding: payload, as: UTF8.self) }
        var closeCode: UInt16? {
            first == 0x88 && payload.count >= 2 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : nil
        }
    }

    mutating func readFrame() async throws -> Frame {
        let start = try await read(2)
        var count = Int(start[1] & 0x7F)
        if count == 126 { count = try await read(2).reduce(0) { $0 << 8 | Int($1) } }
        if count == 127 { count = try await read(8).reduce(0) { $0 << 8 | Int($1) } }
        return Frame(first: start[0], payload: try await read(count))
    }
}
