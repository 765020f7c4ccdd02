import GodwitBatch
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A TCP server that reads one HTTP request after the other and answers with the bytes that the script says.
final class ScriptedServer: Sendable {
    enum Step: Sendable {
        case bytes([UInt8])
        case text(String)
        /// Waits until the test calls `release`.
        case hold
        /// Ends the connection.
        case cut
        /// Ends it when the next bytes come.
        case cutAtNext
    }

    let port: Int
    private let channel: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>
    private let script: @Sendable (_ request: Int) -> [Step]
    private let state = Mutex<(requests: [[UInt8]], connections: Int, begun: Int)>(([], 0, 0))
    private let gate = Gate()

    /// Head and body of each request so far.
    var requests: [[UInt8]] { state.withLock { $0.requests } }
    var connections: Int { state.withLock { $0.connections } }
    /// Bytes that came in all.
    var begun: Int { state.withLock { $0.begun } }
    func release() { gate.open() }

    init(certificate: TestCertificate? = nil, script: @escaping @Sendable (_ request: Int) -> [Step]) async throws {
        var tls: NIOSSLContext?
        if let certificate {
            tls = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: NIOSSLCertificate.fromPEMBytes(certificate.certificatePEM).map {
                        .certificate($0)
                    },
                    privateKey: .privateKey(NIOSSLPrivateKey(bytes: certificate.keyPEM, format: .pem))))
        }
        let context = tls
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        port = channel.channel.localAddress?.port ?? 0
        self.script = script
    }

    /// Serves while `body` runs.
    func serving<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                await self.accept()
                return nil
            }
            group.addTask { try await body() }
            defer {
                gate.open()
                group.cancelAll()
            }
            var result: Result?
            while result == nil, let next = try await group.next() { result = next }
            guard let result else { throw CancellationError() }
            return result
        }
    }

    private func accept() async {
        try? await channel.executeThenClose { inbound in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in inbound {
                    state.withLock { $0.connections += 1 }
                    group.addTask { await self.serve(connection) }
                }
            }
        }
    }

    private func serve(_ connection: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
        try? await connection.executeThenClose { inbound, outbound in
            var pending: [UInt8] = []
            var endsHere = false
            for try await bytes in inbound {
                pending += Array(bytes.readableBytesView)
                state.withLock { $0.begun += bytes.readableBytes }
                if endsHere { return }
                while let size = Self.requestSize(pending) {
                    let number = state.withLock { state in
                        state.requests.append(Array(pending[..<size]))
                        return state.requests.count - 1
                    }
                    pending.removeFirst(size)
                    for step in script(number) {
                        switch step {
                        case .bytes(let bytes): try await outbound.write(ByteBuffer(bytes: bytes))
                        case .text(let text): try await outbound.write(ByteBuffer(string: text))
                        case .hold: await gate.wait()
                        case .cut: return
                        case .cutAtNext: endsHere = true
                        }
                    }
                }
            }
        }
    }

    /// Bytes of the first request, if it is whole.
    private static func requestSize(_ bytes: [UInt8]) -> Int? {
        let text = String(decoding: bytes, as: Unicode.ASCII.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let head = text[..<end.lowerBound].lowercased()
        let start = text.utf8.distance(from: text.startIndex, to: end.upperBound)
        if head.contains("transfer-encoding: chunked") { return sizes(bytes[start...])?.end }
        let line = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        let length = line.flatMap { Int($0.split(separator: ":")[1].filter { $0 != " " }) } ?? 0
        return bytes.count >= start + length ? start + length : nil
    }

    /// Sizes of the chunks of a body up to its last, and where it ends; nil: it is not whole.
    private static func sizes(_ body: ArraySlice<UInt8>) -> (chunks: [Int], end: Int)? {
        var (position, chunks) = (body.startIndex, [Int]())
        while let end = body[position...].firstIndex(of: 13) {
            guard let size = Int(String(decoding: body[position..<end], as: UTF8.self), radix: 16) else { return nil }
            position = end + 2 + size + 2
            guard position <= body.endIndex else { return nil }
            if size == 0 { return (chunks, position) }
            chunks.append(size)
        }
        return nil
    }

    /// The body of a request in chunks.
    static func body(_ request: [UInt8]) -> [UInt8] {
        guard let end = request.firstRange(of: Array("\r\n\r\n".utf8)) else { return [] }
        var (position, body) = (end.upperBound, [UInt8]())
        for size in chunks(request) {
            guard let line = request[position...].firstIndex(of: 10) else { return [] }
            body += request[(line + 1)..<(line + 1 + size)]
            position = line + 1 + size + 2
        }
        return body
    }

    /// Sizes of the chunks of a request.
    static func chunks(_ request: [UInt8]) -> [Int] {
        guard let end = request.firstRange(of: Array("\r\n\r\n".utf8)) else { return [] }
        return sizes(request[end.upperBound...])?.chunks ?? []
    }

    static func records(_ records: [[UInt8]]) -> [UInt8] { records.flatMap { ExchangeWriter.frame($0) } }

    static func answer(_ body: [UInt8]) -> [Step] {
        [.text("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n"), .bytes(body)]
    }
}

/// Opens once; whoever waits before then is woken.
final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// Records in the order in which they were handed over.
final class Collected: Sendable {
    private let records = Mutex<[[UInt8]]>([])
    var all: [[UInt8]] { records.withLock { $0 } }
    func add(_ record: [UInt8]) { records.withLock { $0.append(record) } }
}
