import ArgumentParser
import Glibc
import GodwitBatch
import GodwitClient
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import NIOCore
import NIOPosix
import Synchronization

/// One client process of the demo: holds several identities, takes orders on standard input, reports on standard output.
struct DemoClientCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "demo-client", shouldDisplay: false)

    @Option var directory: String
    /// Milliseconds between looks for something new.
    @Option var pause: Int64 = 300

    func run() async throws {
        let client = DemoClient(directory: directory, pause: .milliseconds(pause))
        let channel = try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .takingOwnershipOfDescriptor(input: dup(STDIN_FILENO)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ByteToMessageHandler(LineDecoder(), maximumBufferSize: ControlServer.messageMax))
                    return try NIOAsyncChannel<ByteBuffer, Never>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await client.loop() }
                group.addTask {
                    for try await line in inbound {
                        try await client.order(
                            ObjectReader(JSONObject.parse(Array(line.readableBytesView)), what: "order"))
                    }
                }
                try await group.next()
                group.cancelAll()
            }
        }
    }
}

/// The identities of one process and what they do.
actor DemoClient {
    private struct Person {
        var index: Int
        var device: Device
        var carrier: any Carrier
        var shown: Int64 = 0
        var joined: Set<String> = []
    }
    private let directory: String
    private let pause: Duration
    private var people: [Int: Person] = [:]

    init(directory: String, pause: Duration) {
        self.directory = directory
        self.pause = pause
    }

    /// Calls the home node for everybody again and again.
    func loop() async throws {
        while !Task.isCancelled {
            for index in people.keys.sorted() { await visit(index) }
            try await Task.sleep(for: pause)
        }
    }

    func order(_ order: ObjectReader) async throws {
        let index = Int(try order.integer("person", in: 0...1_000_000))
        do {
            switch try order.string("do") {
            case "open": try await open(index, order)
            case "create": try await person(index).device.createChannel(ChannelName(order.string("channel")))
            case "join":
                let person = try person(index)
                try await person.device.joinChannel(
                    ChannelID(order.string("channel"), defaultNode: person.device.userID.node))
            case "send": try await send(index, order)
            default: throw ProtocolError.malformed("The order is unknown.")
            }
        } catch {
            report("error", index, ["message": .string("\(error)")])
        }
    }

    private func person(_ index: Int) throws -> Person {
        guard let person = people[index] else { throw ProtocolError.malformed("Nobody has that number.") }
        return person
    }

    private func open(_ index: Int, _ order: ObjectReader) async throws {
        let files = ClientFiles(directory: directory + "/\(index)")
        let node = try NodeDescriptor(order.value("node"))
        let passphrase = Base32.encode(SystemRandom().bytes(20))
        let file = try await files.create(
            username: Username(order.string("username")), displayName: try order.string("nick"), node: node,
            endpoint: try order.string("endpoint"), passphrase: passphrase, kdf: .standard())
        let device = try await files.device()
        let key = try IdentityBuilder.unlock(file, passphrase: passphrase)
        try await insist { try await Registration.run(files, device: device, identityKey: key, invite: nil) }
        people[index] = Person(index: index, device: device, carrier: try files.carrier())
        report("registered", index, ["user": .string(file.userID.text)])
    }

    /// Tries again what may succeed later: a busy machine is no reason to give up.
    private func insist(_ attempt: () async throws -> Void) async throws {
        for _ in 1..<5 {
            do {
                return try await attempt()
            } catch let error as ProtocolError where error.code.retry == .automatically {
                try await Task.sleep(for: .seconds(1))
            }
        }
        try await attempt()
    }

    private func send(_ index: Int, _ order: ObjectReader) async throws {
        let person = try person(index)
        let target = try MessageTarget(order.string("to"), defaultNode: person.device.userID.node)
        _ = try await person.device.send(text: order.string("text"), to: target)
        report("accepted", index, ["message": .integer(try order.integer("message", in: 0...1_000_000))])
    }

    /// One contact for one person, then what it brought.
    private func visit(_ index: Int) async {
        guard let person = people[index] else { return }
        do {
            _ = try await person.device.sync(over: person.carrier)
        } catch let error as ProtocolError where error.code.retry == .automatically || error.code.retry == .afterDelay {
            // The node is away; nothing is lost by asking later.
        } catch {
            report("error", index, ["message": .string("\(error)")])
        }
        do {
            try await show(index)
        } catch {
            report("error", index, ["message": .string("\(error)")])
        }
    }

    private func show(_ index: Int) async throws {
        guard var person = people[index] else { return }
        for channel in try await person.device.channels()
        where channel.state == .member && person.joined.insert(channel.id.text).inserted {
            report("joined", index, ["channel": .string(channel.id.text)])
        }
        for entry in try await person.device.inbox(after: person.shown, limit: 1000) {
            person.shown = entry.row
            report(
                "received", index,
                [
                    "author": .string(entry.author.text), "text": .string(entry.text),
                    "conversation": .string(entry.conversation.text), "id": .string(entry.hash.id.text),
                ])
        }
        people[index] = person
    }

    private func report(_ event: String, _ index: Int, _ fields: JSONObject) {
        Console.json(fields.setting("event", .string(event)).setting("person", .integer(Int64(index))))
    }
}
