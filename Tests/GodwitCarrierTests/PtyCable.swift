import GodwitLink
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Two pseudo-terminals with a cable between them that garbles and loses bytes by a seed, and can be pulled out. The
/// devices keep their names over that, as those of a USB adapter under udev do.
final class PtyCable: Sendable {
    struct Failed: Error {}
    struct Noise: Sendable {
        /// Shares of the bytes.
        var flipped = 0.0
        var lost = 0.0
        var inserted = 0.0
        /// What comes back to its sender, as on a two-wire line.
        var echoes = false
    }
    private struct State {
        var random: SeededGenerator
        var noise: Noise
        var channels: [any Channel] = []
        var slaves: [CInt] = []
        var carried = 0
        var harmed = 0
    }

    let directory: String
    var left: String { directory + "/left" }
    var right: String { directory + "/right" }
    private let state: Mutex<State>

    init(seed: UInt64 = 1, noise: Noise = Noise()) async throws {
        var template = Array("/tmp/godwit-pty-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failed() }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        state = Mutex(State(random: SeededGenerator(seed: seed), noise: noise))
        try await plug()
    }

    deinit {
        for path in [left, right] { unlink(path) }
        rmdir(directory)
    }

    /// Bytes that went in, and events that harmed some.
    var carried: Int { state.withLock { $0.carried } }
    var harmed: Int { state.withLock { $0.harmed } }
    func set(_ noise: Noise) { state.withLock { $0.noise = noise } }

    func plug() async throws {
        let (first, second) = (try Self.pty(link: left), try Self.pty(link: right))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let ends = try await [open(first.master, on: loop), open(second.master, on: loop)]
        try await loop.submit { [self] in
            for (index, end) in ends.enumerated() {
                try end.pipeline.syncOperations.addHandler(
                    CableHandler(to: ends[1 - index]) { [self] in through($0) })
            }
        }.get()
        state.withLock { state in
            state.channels = ends
            state.slaves = [first.slave, second.slave]
        }
    }

    /// Both devices are gone with all that was under way.
    func unplug() async {
        for path in [left, right] { unlink(path) }
        let (channels, slaves) = state.withLock { state in
            defer { (state.channels, state.slaves) = ([], []) }
            return (state.channels, state.slaves)
        }
        for channel in channels { try? await channel.close() }
        for slave in slaves { close(slave) }
    }

    private func open(_ master: CInt, on loop: any EventLoop) async throws -> any Channel {
        try await NIOPipeBootstrap(group: loop).takingOwnershipOfDescriptor(inputOutput: master).get()
    }

    private static func pty(link: String) throws -> (master: CInt, slave: CInt) {
        var (master, slave): (CInt, CInt) = (-1, -1)
        var settings = termios()
        cfmakeraw(&settings)
        var name = [CChar](repeating: 0, count: 128)
        guard openpty(&master, &slave, &name, &settings, nil) == 0 else { throw Failed() }
        guard symlink(name, link) == 0 else { throw Failed() }
        return (master, slave)
    }

    /// What arrives of some bytes, and what of them comes back.
    private func through(_ bytes: [UInt8]) -> (on: [UInt8], back: [UInt8]) {
        state.withLock { state in
            var arrived: [UInt8] = []
            for byte in bytes {
                state.carried += 1
                let drawn = Double.random(in: 0..<1, using: &state.random)
                let noise = state.noise
                switch drawn {
                case ..<noise.lost: break
                case ..<(noise.lost + noise.flipped):
                    arrived.append(byte ^ (1 << UInt8.random(in: 0..<8, using: &state.random)))
                case ..<(noise.lost + noise.flipped + noise.inserted):
                    arrived += [byte, UInt8.random(in: .min ... .max, using: &state.random)]
                default:
                    arrived.append(byte)
                    continue
                }
                state.harmed += 1
            }
            return (arrived, state.noise.echoes ? bytes : [])
        }
    }
}

private final class CableHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let other: any Channel
    private let through: ([UInt8]) -> (on: [UInt8], back: [UInt8])

    init(to other: any Channel, through: @escaping ([UInt8]) -> (on: [UInt8], back: [UInt8])) {
        self.other = other
        self.through = through
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let (on, back) = through(Array(unwrapInboundIn(data).readableBytesView))
        other.writeAndFlush(ByteBuffer(bytes: on), promise: nil)
        if !back.isEmpty { context.channel.writeAndFlush(ByteBuffer(bytes: back), promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
