import GodwitLink
public import GodwitProtocol
import NIOCore

/// Where a broadcast goes and how.
public struct BroadcastConfiguration: Sendable {
    /// `udp://host:port`: a group or one address.
    public var endpoint: Endpoint
    /// 10 bit/s to 100 Gbit/s, IP and UDP headers counted.
    public var rate: BitRate
    /// Largest packet, IP and UDP headers counted; 128 to 65,535 bytes, of which 8,260 at most are used.
    public var mtu: ByteCount
    /// Parity symbols for each data symbol, 0 to 3.
    public var redundancy = 0.3
    /// How often everything is sent, 1 to 1,000.
    public var rounds = 1
    /// Network interface of a group; nil: as the system's routes say.
    public var interface: String?
    /// Routers that a datagram to a group may pass, the last network counted; 1 to 255.
    public var hops = 1

    public init(endpoint: Endpoint, rate: BitRate, mtu: ByteCount) {
        self.endpoint = endpoint
        self.rate = rate
        self.mtu = mtu
    }

    /// - Throws: `ProtocolError` 2000 naming the member that is out of its range.
    func validate() throws(ProtocolError) {
        guard endpoint.scheme == .udp else {
            throw .malformed("A broadcast needs a udp address.", member: "to", hint: "Write it as udp://group:port.")
        }
        guard (10...100_000_000_000).contains(rate.bitsPerSecond) else {
            throw .malformed("The rate is 10 to 100000000000 bit/s.", member: "rate")
        }
        guard (128...65_535).contains(mtu.bytes) else {
            throw .malformed("The largest packet has 128 to 65535 bytes.", member: "mtu")
        }
        guard redundancy >= 0, redundancy <= 3 else {
            throw .malformed("The redundancy is 0 to 3.", member: "redundancy")
        }
        guard (1...1_000).contains(rounds) else { throw .malformed("It is sent 1 to 1000 times.", member: "repeat") }
        guard (1...255).contains(hops) else { throw .malformed("Hops are 1 to 255.", member: "hops") }
    }
}

/// How far a broadcast has come.
public struct BroadcastProgress: Sendable, Hashable {
    public var objects: Int
    /// The round that runs, from 1.
    public var round = 1
    /// Datagrams of all rounds, and those that have gone.
    public var datagrams: Int
    public var sent = 0
    /// Bytes that have gone, IP and UDP headers counted.
    public var bytes = 0
}

/// Sends records to whoever hears, in datagrams that nobody answers (docs/protocol.md §8.4).
public struct BroadcastSender: Sendable {
    /// Link time that one object takes, about: parity symbols come behind it.
    static let objectTime = Duration.seconds(60)
    /// Bytes of an object on the slowest links.
    static let objectMin = 4_096

    private let configuration: BroadcastConfiguration

    /// - Throws: `ProtocolError` 2000 naming the member that is out of its range; nothing is sent yet.
    public init(_ configuration: BroadcastConfiguration) throws(ProtocolError) {
        try configuration.validate()
        self.configuration = configuration
    }

    /// Returns when the last datagram has gone.
    ///
    /// - Parameters:
    ///   - records: sealed frames, for one receiver or several.
    ///   - progress: called after each datagram.
    /// - Throws: `ProtocolError` 3000 when the network does not take datagrams, 2001 for a frame that fits no object,
    ///   `CancellationError`.
    public func send(
        _ records: [[UInt8]], progress: @Sendable (BroadcastProgress) -> Void = { _ in }
    ) async throws -> BroadcastProgress {
        let address = try await resolve()
        let header = DatagramSocket.header(of: address)
        let payload = min(configuration.mtu.bytes - header, BroadcastLayout.symbolMax + BroadcastDatagram.headerMax)
        let length = Double(configuration.rate.bitsPerSecond) / 8 * Self.objectTime.inSeconds
        let objects = try BroadcastObject.pack(
            records, payloadMax: payload, length: Int(max(Double(Self.objectMin), min(length, 1e9))),
            redundancy: configuration.redundancy)
        var state = BroadcastProgress(
            objects: objects.count, datagrams: objects.reduce(0) { $0 + $1.count } * configuration.rounds)
        let channel = try await BroadcastSocket.sending(
            to: address, on: configuration.interface, hops: configuration.hops)
        let link = DatagramLink(
            sendRate: configuration.rate.bitsPerSecond, receiveRate: configuration.rate.bitsPerSecond,
            roundTrip: .zero, payloadMax: payload, header: header)
        var pace = LinkPace(link)
        let start = ContinuousClock.now
        do {
            for round in 1...configuration.rounds {
                state.round = round
                for object in objects {
                    for number in 0..<object.count {
                        let datagram = object.datagram(number).encoded
                        let wait = pace.nextAt - (ContinuousClock.now - start)
                        if wait > .zero { try await Task.sleep(for: wait) }
                        try Task.checkCancellation()
                        _ = pace.charge(datagram.count, at: ContinuousClock.now - start)
                        try await send(datagram, to: address, channel)
                        state.sent += 1
                        state.bytes += datagram.count + header
                        progress(state)
                    }
                }
            }
        } catch {
            try? await channel.close()
            throw error
        }
        try? await channel.close()
        return state
    }

    private func resolve() async throws -> SocketAddress {
        do {
            return try await DatagramSocket.resolve(configuration.endpoint.host, port: configuration.endpoint.port)
        } catch {
            throw ProtocolError(
                .nodeUnreachable, "The address of the broadcast is not known.", hint: "Check the name and the resolver."
            )
        }
    }

    private func send(_ datagram: [UInt8], to address: SocketAddress, _ channel: any Channel) async throws {
        let buffer = channel.allocator.buffer(bytes: datagram)
        do {
            try await channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: buffer))
        } catch {
            throw ProtocolError(
                .nodeUnreachable, "The network takes no datagrams for the address of the broadcast.",
                hint: "A group may need --interface; what was to be sent stays in custody.")
        }
    }
}
