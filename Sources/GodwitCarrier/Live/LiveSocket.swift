import GodwitBatch
import GodwitProtocol
import NIOCore
import NIOWebSocket
import Synchronization

/// One open live link at its calling end, and the exchanges over it, one at a time.
final class LiveSocket: Sendable {
    /// What goes in one piece at most: about a packet.
    static let togetherMax = 1_200

    let channel: any Channel
    let meter: ByteMeter
    private let inbox: SocketInbox<LiveMessage>
    /// Grows with everything that shows that an exchange goes on.
    private let progress = Mutex(0)

    init(channel: any Channel, meter: ByteMeter, inbox: SocketInbox<LiveMessage>) {
        self.channel = channel
        self.meter = meter
        self.inbox = inbox
    }

    deinit { channel.close(promise: nil) }

    var isOpen: Bool { channel.isActive }

    /// One exchange. After one that throws the link cannot be used any more.
    func exchange(
        _ request: any RecordSource, stallTimeout: Duration,
        receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.send(request) }
                group.addTask { try await self.deliver(receive) }
                group.addTask { try await self.watch(stallTimeout) }
                // The watch ends by throwing only.
                for _ in 0..<2 { try await group.next() }
                group.cancelAll()
            }
        } catch {
            channel.close(promise: nil)
            throw error
        }
    }

    private static let broken = ProtocolError(
        .nodeUnreachable, "The connection broke.", hint: "It is retried; records handed over stay valid.")
    private static let stalled = ProtocolError(
        .nodeUnreachable, "The link stalled.", hint: "It is retried; records handed over stay valid.")

    // MARK: Out

    /// Small records at the beginning go together; each later one is asked for when those before it were handed to the
    /// system, which keeps little of them back.
    private func send(_ request: any RecordSource) async throws {
        var records = OutgoingRecords(request)
        var held: [[UInt8]] = []
        var size = 0
        while size < Self.togetherMax, let record = try await records.nextRecord() {
            held.append(record)
            size += record.count
        }
        if size < Self.togetherMax {
            _ = try await write(held + [[]])
            return
        }
        var isOpen = try await write(held)
        while isOpen, let record = try await records.nextRecord() { isOpen = try await write([record]) }
        if isOpen { _ = try await write([[]]) }
    }

    /// - Returns: false when the link is gone; why, whoever reads learns.
    private func write(_ messages: [[UInt8]]) async throws -> Bool {
        let channel = channel
        let isWritten = await withTaskCancellationHandler {
            for message in messages.dropLast() { channel.write(Self.frame(message), promise: nil) }
            guard let last = messages.last else { return true }
            do { try await channel.writeAndFlush(Self.frame(last)) } catch { return false }
            return true
        } onCancel: {
            channel.close(promise: nil)
        }
        progress.withLock { $0 += 1 }
        try Task.checkCancellation()
        return isWritten
    }

    private static func frame(_ message: [UInt8]) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: .binary, maskKey: .random(), data: ByteBuffer(bytes: message))
    }

    // MARK: In

    /// Ends with the answer.
    private func deliver(_ receive: @Sendable ([UInt8]) async throws -> Void) async throws {
        while true {
            let message: LiveMessage?
            do { message = try await inbox.next() } catch { throw Self.broken }
            try Task.checkCancellation()
            switch message {
            case nil: throw Self.broken
            case .error(let object):
                guard let object = try? JSONObject.parse(object), let error = ProtocolError(object: object) else {
                    throw Self.broken
                }
                throw error
            case .record(let record):
                guard !record.isEmpty else { return }
                try await receive(record)
                progress.withLock { $0 += 1 }
            }
        }
    }

    /// Throws when nothing has moved for long.
    private func watch(_ timeout: Duration) async throws {
        var last = (meter.now, progress.withLock { $0 })
        var since = ContinuousClock.now
        while true {
            try await Task.sleep(for: timeout / 8)
            let now = (meter.now, progress.withLock { $0 })
            if now != last {
                (last, since) = (now, .now)
            } else if .now - since >= timeout {
                throw Self.stalled
            }
        }
    }
}
