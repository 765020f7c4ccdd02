import ArgumentParser
import GodwitCarrier
import GodwitLink
import GodwitNode
import GodwitProtocol
import Synchronization

extension LinkCommand {
    struct Broadcast: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send what waits for peers to a multicast group or an address that does not answer.",
            discussion: """
                Everything stays in custody until the peers' acknowledgements come back, over any link or by hand. \
                What is sent is not taken off a link's budget.
                """)

        @OptionGroup var home: HomeOptions
        @Option(help: "Group or address, udp://address:port.")
        var to: String
        @Option(help: "Node ids of the peers, with commas; all that something waits for, unless given.")
        var peers: String?
        @Option(help: "Parity symbols for each data symbol, 0 to 3: how much may be lost.")
        var redundancy = 0.3
        @Option(name: .customLong("repeat"), help: "How often everything is sent, 1 to 1000.")
        var rounds = 1
        @Option(name: .customLong("max-bytes"), help: "At most about so many bytes of frames, 512 to 16777216.")
        var maxBytes: Int64 = 1_048_576
        @Option(help: "Bits a second, IP and UDP headers counted; the slowest of the peers' profiles, unless given.")
        var rate: Int?
        @Option(help: "Network interface of a group.")
        var interface: String?
        @Option(help: "Networks that a datagram to a group may cross, 1 to 255.")
        var hops = 1

        func run() async throws {
            guard (512...16_777_216).contains(maxBytes) else {
                throw ProtocolError.malformed("The bytes are 512 to 16777216.", member: "max_bytes")
            }
            let chosen = try await choose()
            var configuration = BroadcastConfiguration(
                endpoint: try Endpoint(to),
                rate: BitRate(
                    bitsPerSecond: rate ?? chosen.map(\.profile.bandwidthUp.bitsPerSecond).min() ?? 1_000_000),
                mtu: chosen.map(\.profile.mtu).min() ?? ByteCount(1_500))
            configuration.redundancy = redundancy
            configuration.rounds = rounds
            configuration.interface = interface
            configuration.hops = hops
            let sender = try BroadcastSender(configuration)
            let (records, shares) = try await export(chosen)
            let shown = Shown(isOn: !home.json && Console.isTerminal)
            let done = try await sender.send(records) { shown.show($0) }
            shown.end()
            report(done, shares, rate: configuration.rate)
        }

        private struct Chosen {
            var id: String
            var profile: Profile
        }

        /// Named peers, or all that are not blocked.
        private func choose() async throws -> [Chosen] {
            let settings = try await NodeSettings.load(home)
            let profiles = try settings.nodeConfiguration()
            let known = (try await NodeControl.ask(["request": "peers"], home).array ?? []).compactMap(\.object)
            let named = peers?.split(separator: ",").map(String.init)
            if let stranger = named?.first(where: { id in !known.contains { $0["id"]?.string == id } }) {
                throw ProtocolError(
                    .nodeUnreachable, "The node is no peer of this node: \(stranger)",
                    hint: "`godwit peer list` shows the peers.")
            }
            return try known.filter { peer in
                named?.contains(peer["id"]?.string ?? "") ?? (peer["trust"]?.string != "blocked")
            }.map { peer in
                Chosen(
                    id: peer["id"]?.string ?? "", profile: try profiles.profile(peer["profile"]?.string ?? "broadband"))
            }
        }

        /// What goes to one peer.
        private struct Share {
            var id: String
            var frames: Int
            var bytes: Int
            var isLeft: Bool
        }

        /// Frames for all peers, each made durable by the node before it is handed out. A named peer gets its
        /// acknowledgements also where nothing waits for it.
        private func export(_ chosen: [Chosen]) async throws -> (records: [[UInt8]], shares: [Share]) {
            var records: [[UInt8]] = []
            var shares: [Share] = []
            var room = Int(maxBytes)
            for peer in chosen where room > 0 {
                let answer = try await NodeControl.ask(
                    ["request": "export", "to": .string(peer.id), "max_bytes": .integer(Int64(max(room, 512)))], home)
                let all = (answer.object?["records"]?.array ?? []).compactMap { $0.string.flatMap(Base64.decode) }
                // The first says what is acknowledged. Of frames as many go as there is room for, at least one.
                var share = Share(id: peer.id, frames: 0, bytes: 0, isLeft: answer.object?["left"]?.bool ?? false)
                guard let loose = all.first, all.count > 1 || peers != nil else { continue }
                records.append(loose)
                for record in all.dropFirst() {
                    guard share.frames == 0 || record.count <= room else {
                        share.isLeft = true
                        break
                    }
                    records.append(record)
                    room -= record.count
                    share.frames += 1
                    share.bytes += record.count
                }
                shares.append(share)
            }
            return (records, shares)
        }

        private func report(_ done: BroadcastProgress, _ shares: [Share], rate: BitRate) {
            let seconds = Double(done.bytes * 8) / Double(rate.bitsPerSecond)
            if home.json {
                return Console.json([
                    "to": .string(to), "objects": .integer(Int64(done.objects)), "rounds": .integer(Int64(rounds)),
                    "datagrams": .integer(Int64(done.sent)), "bytes": .integer(Int64(done.bytes)),
                    "rate": .integer(Int64(rate.bitsPerSecond)), "redundancy": .double(redundancy),
                    "peers": .array(
                        shares.map { share in
                            .object([
                                "node": .string(share.id), "frames": .integer(Int64(share.frames)),
                                "bytes": .integer(Int64(share.bytes)), "left": .bool(share.isLeft),
                            ])
                        }),
                ])
            }
            guard done.sent > 0 else { return Console.out("Nothing waits for the peers.") }
            for share in shares {
                Console.out(
                    "\(share.id): \(share.frames) frames, \(share.bytes) B" + (share.isLeft ? ", and more waits" : ""))
            }
            Console.out(
                "Sent \(done.sent) datagrams, \(done.bytes) B, about \(Int(seconds.rounded(.up))) s of link time. All of "
                    + "it stays in custody until the peers acknowledge it.")
        }
    }
}

/// Shows how far a broadcast has come, at most some times a second.
private final class Shown: Sendable {
    private let isOn: Bool
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init(isOn: Bool) { self.isOn = isOn }

    func show(_ progress: BroadcastProgress) {
        guard isOn else { return }
        let isDue = last.withLock { last in
            let now = ContinuousClock.now
            if let last, now - last < .milliseconds(250) { return false }
            last = now
            return true
        }
        guard isDue || progress.sent == progress.datagrams else { return }
        Console.raw(
            "\rround \(progress.round): \(progress.sent) of \(progress.datagrams) datagrams, \(progress.bytes) B ")
    }

    func end() { if isOn, last.withLock({ $0 != nil }) { Console.raw("\n") } }
}
