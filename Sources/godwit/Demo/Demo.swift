import FoundationEssentials
import Glibc
import GodwitContact
import GodwitLink
import GodwitProtocol
import GodwitSpool

/// The main job, for real: two nodes, clients, a bad link between them.
actor Demo {
    private let options: DemoOptions
    private let corpus: DemoCorpus
    private let directory: String
    private let display: DemoDisplay
    private let relay = Relay()
    private let time = SystemTime()
    private var ledger: DemoLedger
    private var users: [String: Int] = [:]
    private var joined: [String: Set<Int>] = [:]
    private var registered: Set<Int> = []
    private var complaints: [String] = []
    private var latest = ""
    private var kills = 0
    private var started = Duration.zero
    private var latestCopy = Duration.zero

    init(options: DemoOptions, corpus: DemoCorpus, directory: String, display: DemoDisplay) {
        self.options = options
        var corpus = corpus
        if options.oneWay { corpus.addListener() }
        self.corpus = corpus
        self.directory = directory
        self.display = display
        ledger = DemoLedger(corpus)
    }

    /// Node of a person: even clients are at the first, odd ones at the second.
    private func site(_ person: Int) -> Int { client(person) % 2 }
    private func client(_ person: Int) -> Int {
        guard options.oneWay else { return person % options.clients }
        return person == corpus.listener ? 0 : 1 + person % (options.clients / 2) * 2
    }
    private var scheme: String { options.clear ? "http" : "https" }

    func run() async throws -> DemoResult {
        let (ports, port) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let relay = relay
        let relaying = Task {
            defer { port.finish() }
            try await relay.run { port.yield($0) }
        }
        defer { relaying.cancel() }
        var iterator = ports.makeAsyncIterator()
        guard let relayPort = await iterator.next() else {
            throw ProtocolError(.internalError, "The relay could not listen on loopback.")
        }
        if let path = options.capture { try relay.capture(to: path) }
        let nodes = try makeNodes(relayPort: relayPort)
        relay.aim(at: nodes[0].port)
        var clients: [ChildProcess] = []
        do {
            for node in nodes { try await node.start() }
            try await introduce(nodes)
            clients = try await startClients()
            try await enrol(nodes, clients)
            let result = try await converse(nodes, clients)
            await stop(nodes, clients)
            return result
        } catch {
            // In a task of its own: when this one was cancelled, the children still have to be waited for.
            let stopping = Task { await stop(nodes, clients) }
            await stopping.value
            throw error
        }
    }

    private func stop(_ nodes: [DemoNode], _ clients: [ChildProcess]) async {
        for client in clients { client.kill(SIGTERM) }
        for node in nodes { await node.stop(SIGTERM) }
        for client in clients { _ = await client.ended() }
    }

    // MARK: Preparation

    private func makeNodes(relayPort: Int) throws -> [DemoNode] {
        display.step("Making two nodes and \(corpus.people.count) identities in \(options.clients) client processes …")
        let profiles = directory + "/profiles"
        try Wiring.makeDirectory(profiles)
        try DurableFile.write(Array(linkProfile.utf8), to: profiles + "/link.yaml")
        let port = try FreePort.find()
        let called = options.isExternal ? port : relayPort
        var endpoints = ["\(scheme)://\(options.shoreAddress):\(called)"]
        if options.datagrams { endpoints.append("udp://\(options.shoreAddress):\(try FreePort.find())") }
        let shore = try DemoNode(
            directory: directory + "/shore", name: "Shore", endpoints: endpoints, address: options.shoreAddress,
            port: port,
            profiles: profiles, tls: !options.clear, namespace: options.shoreNamespace)
        let field = try DemoNode(
            directory: directory + "/field", name: "Field", endpoints: [], address: options.fieldAddress,
            port: try FreePort.find(), profiles: profiles, tls: !options.clear, namespace: options.fieldNamespace)
        return [shore, field]
    }

    private var linkProfile: String {
        """
        name: demo-link
        network_profile:
          type: satellite
          bandwidth_up: \(options.rate)
          bandwidth_down: \(options.rate)
          latency: \(options.rtt)
          packet_loss: \(options.loss)
        poll:
          min: 0.5
          max: 4

        """
    }

    /// - Parameter held: nobody calls.
    private func introduce(_ nodes: [DemoNode], held: Bool = false) async throws {
        for (own, other) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
            _ = try await own.require([
                "request": "add_peer", "descriptor": .object(other.descriptor.object),
                "profile": .string(options.profile ?? "demo-link"),
                "calls": .bool(own === nodes[1] && !held),
            ])
        }
    }

    private func startClients() async throws -> [ChildProcess] {
        var clients: [ChildProcess] = []
        for index in 0..<options.clients {
            let home = directory + "/client-\(index)"
            try Wiring.makeDirectory(home)
            let child = try await ChildProcess.start(
                ["demo-client", "--directory", home], log: directory + "/client-\(index).log",
                namespace: index % 2 == 0 ? options.shoreNamespace : options.fieldNamespace)
            clients.append(child)
            watchers.append(Task { await child.run { await self.heard($0) } })
        }
        return clients
    }
    private var watchers: [Task<Void, Never>] = []

    /// Accounts, keys, channels and epochs, over a link that is not slow yet.
    private func enrol(_ nodes: [DemoNode], _ clients: [ChildProcess]) async throws {
        for (index, person) in corpus.people.enumerated() {
            let node = nodes[site(index)]
            users[node.descriptor.id.text + "." + person.username.text] = index
            clients[client(index)].send([
                "do": "open", "person": .integer(Int64(index)), "username": .string(person.username.text),
                "nick": .string(person.nick), "node": .object(node.descriptor.object),
                "endpoint": .string("\(scheme)://\(node.address):\(node.port)"),
            ])
        }
        try await wait("identities registered", total: corpus.people.count) { self.registered.count }
        for channel in corpus.channels {
            let members = corpus.members(of: channel)
            let owner = members.first { site($0) == 0 && $0 != corpus.listener } ?? members[0]
            let node = nodes[site(owner)].descriptor.id
            let id = ChannelID(name: channel, node: node)
            channelIDs[channel] = id
            clients[client(owner)].send([
                "do": "create", "person": .integer(Int64(owner)), "channel": .string(channel.text),
            ])
            try await wait("\(channel) created", total: 1) { self.joined[id.text]?.count ?? 0 }
            for member in members where member != owner {
                clients[client(member)].send([
                    "do": "join", "person": .integer(Int64(member)), "channel": .string(id.text),
                ])
            }
            try await wait("members of \(channel) have its epoch", total: members.count) {
                self.joined[id.text]?.count ?? 0
            }
        }
        if options.oneWay { try await greet(clients) }
        // Let what enrolment left behind go its way before the link gets slow.
        try await settle(nodes)
    }
    private var channelIDs: [ChannelName: ChannelID] = [:]

    /// Everybody says something, so that the listener's node knows them and their keys before anything is counted.
    private func greet(_ clients: [ChildProcess]) async throws {
        guard let channel = corpus.channels.first, let id = channelIDs[channel] else { return }
        let (authors, begin) = (corpus.people.indices.filter { $0 != corpus.listener }, time.uptime())
        // Whoever has not heard of the listener's join yet speaks to the members before it, and once more.
        while greeted.count < authors.count, time.uptime() - begin < .seconds(enrolmentMax) {
            for author in authors where !greeted.contains(author) {
                clients[client(author)].send([
                    "do": "send", "person": .integer(Int64(author)),
                    "message": .integer(Int64(corpus.messages.count)), "to": .string(id.text),
                    "text": .string(Self.greeting),
                ])
            }
            let round = time.uptime()
            while greeted.count < authors.count, time.uptime() - round < Self.greetingRound {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        try await wait("authors known to the listener", total: authors.count) { greeted.count }
    }
    private static let greetingRound = Duration.seconds(45)
    private static let greeting = "Good morning from all of us here."
    private var greeted: Set<Int> = []

    private func settle(_ nodes: [DemoNode]) async throws {
        for _ in 0..<enrolmentMax * 10 {
            var waiting = 0
            for node in nodes {
                let status = await node.ask(["request": "status"])
                for queue in (status?.object?["queues"]?.array ?? []).compactMap(\.object) {
                    waiting += Int((queue["waiting"]?.integer ?? 0) + (queue["frames"]?.integer ?? 0))
                }
            }
            if waiting == 0 { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Seconds that one step of enrolment may take; over a link that something else emulates it is slow.
    private var enrolmentMax: Int { options.isExternal ? 900 : 120 }

    private func wait(_ what: String, total: Int, _ count: () -> Int) async throws {
        let begin = time.uptime()
        while count() < total {
            guard time.uptime() - begin < .seconds(enrolmentMax), complaints.isEmpty else {
                throw ProtocolError(
                    .internalError, "The demo's enrolment stopped: \(count()) of \(total) \(what).",
                    hint: complaints.first ?? "Run it again with --keep and look into the logs.")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        display.step("  \(total) \(what)")
    }

    // MARK: Conversation

    private func converse(_ nodes: [DemoNode], _ clients: [ChildProcess]) async throws -> DemoResult {
        if options.oneWay { try await introduce(nodes, held: true) }
        slowDown()
        before = await crossed(nodes)
        started = time.uptime()
        for message in corpus.messages {
            clients[client(message.author)].send([
                "do": "send", "person": .integer(Int64(message.author)), "message": .integer(Int64(message.index)),
                "to": .string(address(message.target, nodes)), "text": .string(message.text),
            ])
        }
        if options.oneWay { try await release(nodes) }
        let killer = Task { try await self.killAtRandom(nodes) }
        defer { killer.cancel() }
        while !ledger.isComplete || kills < options.kills, time.uptime() - started < .seconds(options.limit) {
            try await Task.sleep(for: .milliseconds(500))
            await showProgress(nodes)
        }
        let seconds = Double(((ledger.isComplete ? latestCopy : time.uptime()) - started).milliseconds) / 1000
        killer.cancel()
        _ = try? await killer.value
        if let emulator = options.emulator { kill(emulator, SIGUSR1) }
        // A duplicate would come late.
        try await Task.sleep(for: .seconds(3))
        let account = options.isExternal ? await crossed(nodes) : relay.account
        let busiest = max(account.up.charged, account.down.charged)
        return DemoResult(
            ledger: ledger, link: account, enrolment: relay.unshaped, jsonBytes: try await jsonBytes(nodes),
            seconds: seconds,
            limitSeconds: Double(busiest) * 8 / Double(options.rate) + Double(options.rtt) / 2000, kills: kills,
            complaints: complaints)
    }

    /// Opens the link when everything has been written and read in the field; the clock starts then.
    private func release(_ nodes: [DemoNode]) async throws {
        let total = ledger.expectedCopies - ledger.missing(for: corpus.listener)
        try await wait("copies read in the field", total: total) { ledger.delivered }
        if let emulator = options.emulator { kill(emulator, SIGUSR2) }
        started = time.uptime()
        // The link that starts now counts from nothing.
        before = Relay.Account()
        try await introduce(nodes)
    }

    /// What the field node's link has moved since enrolment, where something else than the relay is the link: HTTP bytes,
    /// without TLS and below.
    private func crossed(_ nodes: [DemoNode]) async -> Relay.Account {
        let link = await nodes[1].ask(["request": "links"])?.array?.first?.object
        var account = Relay.Account()
        account.up.charged = Int(link?["bytes_sent"]?.integer ?? 0) - before.up.charged
        account.down.charged = Int(link?["bytes_received"]?.integer ?? 0) - before.down.charged
        return account
    }
    private var before = Relay.Account()

    /// From here on the link is what it is to be.
    private func slowDown() {
        if options.isExternal {
            if let emulator = options.emulator { kill(emulator, SIGUSR2) }
            return display.step("\(corpus.messages.count) messages over the link between the namespaces.")
        }
        display.step(
            "Slowing the link to \(BitRate(bitsPerSecond: options.rate)), \(options.rtt) ms round trip, "
                + "\(options.loss * 100)% loss; \(corpus.messages.count) messages.")
        let parameters = LinkModel.Parameters(
            rate: BitRate(bitsPerSecond: options.rate), oneWayDelay: .milliseconds(options.rtt) / 2,
            packetLoss: options.loss, mtu: ByteCount(1500))
        relay.shape(
            up: LinkModel(parameters, seed: options.seed), down: LinkModel(parameters, seed: options.seed &+ 1))
        guard options.outage > 0 else { return }
        let relay = relay
        let length = Duration.seconds(options.outage)
        relay.whenSent(3000) { relay.cut(for: length) }
    }

    private func address(_ target: DemoMessage.Target, _ nodes: [DemoNode]) -> String {
        switch target {
        case .channel(let name): channelIDs[name]?.text ?? name.text
        case .person(let reader):
            "@" + nodes[site(reader)].descriptor.id.text + "." + corpus.people[reader].username.text
        }
    }

    /// Canonical JSON of the messages that crossed: those which a node's journal has from authors of the other.
    private func jsonBytes(_ nodes: [DemoNode]) async throws -> Int {
        var bytes = 0
        for node in nodes {
            guard let arrived = await node.ask(["request": "status"])?.object?["arrived_bytes"]?.integer else {
                throw ProtocolError(
                    .nodeUnreachable, "The node \(node.descriptor.name) does not say what has arrived.",
                    hint: "Run the demo again with --keep and look into the node's log.")
            }
            bytes += Int(arrived)
        }
        return bytes
    }

    private func killAtRandom(_ nodes: [DemoNode]) async throws {
        guard options.kills > 0 else { return }
        var random = SeededGenerator(seed: options.seed)
        while kills < options.kills, !Task.isCancelled {
            try await Task.sleep(for: .milliseconds(Int.random(in: 150...1200, using: &random)))
            let victim = nodes[Int.random(in: 0...1, using: &random)]
            await victim.stop(SIGKILL)
            kills += 1
            latest = "killed \(victim.descriptor.name) (\(kills) of \(options.kills))"
            try await victim.start()
        }
    }

    // MARK: What children say

    private func heard(_ event: JSONObject) {
        guard let person = event["person"]?.integer.map(Int.init), corpus.people.indices.contains(person) else {
            return
        }
        switch event["event"]?.string {
        case "registered": registered.insert(person)
        case "joined": joined[event["channel"]?.string ?? "", default: []].insert(person)
        case "accepted":
            if let message = event["message"]?.integer.map(Int.init), corpus.messages.indices.contains(message) {
                ledger.accept(message)
            }
        case "received": received(event, by: person)
        case "error":
            complaints.append("\(corpus.people[person].nick): \(event["message"]?.string ?? "")")
        default: break
        }
    }

    private func received(_ event: JSONObject, by reader: Int) {
        guard let author = users[event["author"]?.string ?? ""], let text = event["text"]?.string else { return }
        if options.oneWay, text == Self.greeting {
            if reader == corpus.listener { greeted.insert(author) }
            return
        }
        let channel = channelIDs.first { $0.value.text == event["conversation"]?.string }?.key
        let target = channel.map(DemoMessage.Target.channel) ?? .person(reader)
        guard let index = ledger.find(author: author, target: target, text: text, reader: reader) else {
            ledger.deliver(-1, to: reader, text: text)
            return
        }
        ledger.deliver(index, to: reader, text: text)
        latestCopy = time.uptime()
        latest = "\(corpus.people[author].nick) → \(corpus.people[reader].nick): \(text)"
    }

    private func showProgress(_ nodes: [DemoNode]) async {
        let up = await nodes[1].ask(["request": "links"])?.array?.first?.object
        let down = await nodes[0].ask(["request": "links"])?.array?.first?.object
        let account = relay.account
        let waiting = Self.waiting(up, "up") + Self.waiting(down, "down")
        let seconds = Double((time.uptime() - started).milliseconds) / 1000
        // What the queues take, or as it went so far: frames under way are in no queue.
        let queued = Double(max(Self.bytes(up), Self.bytes(down))) * 0.4 * 8 / Double(options.rate)
        let missing = Double(ledger.expectedCopies - ledger.delivered) / Double(max(1, ledger.delivered))
        let left = ledger.delivered == 0 ? queued : max(queued, seconds * missing)
        let phase = relay.isCut ? "outage" : up?["phase"]?.string?.replacing("_", with: " ") ?? "node away"
        display.show([
            "link \(phase), tier \(up?["tier"]?.object?["up"]?.integer ?? 0)   \(ByteCount(account.up.charged)) up  "
                + "\(ByteCount(account.down.charged)) down   losses \(account.up.losses + account.down.losses)",
            "queue " + (waiting.isEmpty ? "empty" : waiting.joined(separator: "   ")),
            "delivered \(ledger.complete) of \(corpus.messages.count) messages, \(ledger.delivered) of "
                + "\(ledger.expectedCopies) copies   \(DemoDisplay.tenths(seconds)) s, about "
                + "\(DemoDisplay.tenths(left)) s left",
            latest.replacing("\n", with: " "),
        ])
    }

    /// A direction's queue by class; empty: nothing waits.
    private static func waiting(_ link: JSONObject?, _ direction: String) -> [String] {
        let classes = (link?["queue"]?.array ?? []).compactMap(\.object).map { queue in
            "\(queue["class"]?.string ?? "") \(queue["count"]?.integer ?? 0)"
        }
        return classes.isEmpty ? [] : [direction + ": " + classes.joined(separator: "  ")]
    }

    private static func bytes(_ link: JSONObject?) -> Int {
        (link?["queue"]?.array ?? []).compactMap(\.object).reduce(0) { $0 + Int($1["bytes"]?.integer ?? 0) }
    }
}
