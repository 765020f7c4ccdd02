import Glibc
import GodwitProtocol
import NIOCore
import NIOPosix

/// Sockets for broadcasts: one that hears a group or a port, one that sends to them. A group may be tied to an interface,
/// also to one of which the system does not say that it takes groups, as it does not of loopback.
enum BroadcastSocket {
    /// Bytes of the largest datagram there is.
    private static let datagramMax = 65_536

    /// - Throws: `ProtocolError` 2000 for an interface that is not there, `IOError` where the port is taken.
    static func hearing(
        _ address: SocketAddress, on interface: String?, _ take: @escaping DatagramSocket.Taker
    ) async throws -> any Channel {
        let taker = TakerBox()
        taker.set(take) {}
        // Several programs of one machine may hear a group. A port belongs to one.
        let reuse: ChannelOptions.Types.SocketOption.Value = address.isMulticast ? 1 : 0
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_reuseaddr), value: reuse)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: datagramMax))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(taker: taker))
                }
            }
            .bind(to: address).get()
        guard address.isMulticast else { return channel }
        do {
            try await join(address, on: try index(of: interface), channel)
        } catch {
            try? await channel.close()
            throw (error as? ProtocolError)
                ?? ProtocolError.malformed(
                    "The group of broadcasts cannot be joined.", member: "listen_broadcast",
                    hint: "It may need an interface by name: broadcast_interface in node.yaml.")
        }
        return channel
    }

    /// - Throws: `ProtocolError` 2000 for an interface that is not there or where no group is sent to.
    static func sending(to address: SocketAddress, on interface: String?, hops: Int) async throws -> any Channel {
        guard address.isMulticast || interface == nil else {
            throw ProtocolError.malformed(
                "An interface is named for groups only.", member: "interface",
                hint: "The system's routes say where datagrams to one address go.")
        }
        let index = try index(of: interface)
        let any = try SocketAddress(ipAddress: address.protocol == .inet6 ? "::" : "0.0.0.0", port: 0)
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_broadcast), value: 1)
            .bind(to: any).get()
        guard address.isMulticast else { return channel }
        do {
            try await aim(at: address, index, hops: hops, channel)
        } catch {
            try? await channel.close()
            throw error
        }
        return channel
    }

    private static func index(of interface: String?) throws(ProtocolError) -> UInt32 {
        guard let interface else { return 0 }
        let index = if_nametoindex(interface)
        guard index > 0 else {
            throw .malformed(
                "There is no network interface of that name.", member: "interface", hint: "`ip link` lists them.")
        }
        return index
    }

    /// As C's `ip_mreqn` and `ipv6_mreq`, whose members are those of a module that is not ours to import.
    private struct GroupV4: Sendable {
        var group: UInt32 = 0
        var address: UInt32 = 0
        var index: Int32
    }
    private struct GroupV6: Sendable {
        var group: (UInt64, UInt64) = (0, 0)
        var index: UInt32
    }

    private static func join(_ group: SocketAddress, on index: UInt32, _ channel: any Channel) async throws {
        guard let options = channel as? any SocketOptionProvider, let text = group.ipAddress else { return }
        if group.protocol == .inet6 {
            var request = GroupV6(index: index)
            inet_pton(AF_INET6, text, &request.group)
            try await options.unsafeSetSocketOption(level: .ipv6, name: .ipv6_join_group, value: request).get()
        } else {
            var request = GroupV4(index: Int32(index))
            inet_pton(AF_INET, text, &request.group)
            try await options.unsafeSetSocketOption(
                level: .ip, name: NIOBSDSocket.Option(rawValue: IP_ADD_MEMBERSHIP), value: request
            ).get()
        }
    }

    private static func aim(
        at group: SocketAddress, _ index: UInt32, hops: Int, _ channel: any Channel
    ) async throws {
        guard let options = channel as? any SocketOptionProvider else { return }
        if group.protocol == .inet6 {
            try await options.setIPv6MulticastHops(CInt(clamping: hops)).get()
            if index > 0 { try await options.setIPv6MulticastIF(index).get() }
        } else {
            try await options.setIPMulticastTTL(CUnsignedChar(clamping: hops)).get()
            guard index > 0 else { return }
            try await options.unsafeSetSocketOption(
                level: .ip, name: .ip_multicast_if, value: GroupV4(index: Int32(index))
            ).get()
        }
    }
}
