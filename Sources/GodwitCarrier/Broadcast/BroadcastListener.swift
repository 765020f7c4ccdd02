public import GodwitBatch
import GodwitProtocol
public import Logging
import NIOCore

/// Where a node hears broadcasts.
public struct BroadcastListenerConfiguration: Sendable {
    /// A group, or an address of this machine.
    public var host: String
    /// 0 takes a free port.
    public var port: Int
    /// Network interface of a group; nil: as the system's routes say.
    public var interface: String?

    public init(host: String, port: Int, interface: String? = nil) {
        self.host = host
        self.port = port
        self.interface = interface
    }
}

/// Hears broadcasts and hands their records on, one after the other (docs/protocol.md §8.4). Nothing is ever sent.
public final class BroadcastListener: Sendable {
    /// Datagrams that wait while a record is made durable, each of at most `BroadcastDatagram.sizeMax` bytes. What comes
    /// beyond is lost, as datagrams are.
    static let queueMax = 512
    private static let reopening = Duration.seconds(1)

    private struct Heard: Sendable {
        var bytes: [UInt8]
        var source: String
    }

    private let configuration: BroadcastListenerConfiguration
    private let service: any BroadcastService
    private let logger: Logger
    private let onBound: @Sendable (_ port: Int) async -> Void

    /// - Parameter onBound: called once with the port that was taken.
    public init(
        configuration: BroadcastListenerConfiguration, service: any BroadcastService, logger: Logger,
        onBound: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.service = service
        self.logger = logger
        self.onBound = onBound
    }

    /// Hears until cancelled. A socket that the network took away is opened again.
    ///
    /// - Throws: when the port or the group cannot be had at the beginning.
    public func run() async throws {
        let address = try await DatagramSocket.resolve(configuration.host, port: configuration.port)
        var receiver = BroadcastReceiver()
        service.note(receiver.counts)
        var isFirst = true
        while !Task.isCancelled {
            let (datagrams, heard) = AsyncStream.makeStream(
                of: Heard.self, bufferingPolicy: .bufferingOldest(Self.queueMax))
            do {
                let channel = try await BroadcastSocket.hearing(address, on: configuration.interface) { bytes, from in
                    guard bytes.count <= BroadcastDatagram.sizeMax else { return }
                    heard.yield(Heard(bytes: bytes, source: from.ipAddress ?? ""))
                }
                channel.closeFuture.whenComplete { _ in heard.finish() }
                if isFirst { await onBound(channel.localAddress?.port ?? 0) }
                isFirst = false
                for await datagram in datagrams { await take(datagram, &receiver) }
                try? await channel.close()
            } catch {
                if isFirst { throw error }
                logger.warning(
                    "broadcasts cannot be heard; it is tried again", metadata: ["kind": "\(type(of: error))"])
            }
            try? await Task.sleep(for: Self.reopening)
        }
    }

    private let start = ContinuousClock.now

    private func take(_ heard: Heard, _ receiver: inout BroadcastReceiver) async {
        for found in receiver.take(heard.bytes, from: heard.source, at: ContinuousClock.now - start) {
            switch await service.take(found.bytes) {
            case .taken: receiver.prove(found)
            case .later: receiver.forget(found)
            case .repeated, .forOthers, .refused: break
            }
        }
        service.note(receiver.counts)
    }
}
