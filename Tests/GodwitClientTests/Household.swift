import FoundationEssentials
import GRDB
import GodwitBatch
import GodwitCrypto
import GodwitProtocol
import Testing

@testable import GodwitClient

/// Amina with one device and Layla with several, at one home node.
struct Household {
    let hub: Hub
    let amina: Device
    /// Layla's devices, in the order of her list.
    let layla: [Device]
    private let scratches: [Scratch]

    init(devices: Int = 1) async throws {
        hub = try Hub()
        scratches = try (0...devices).map { _ in try Scratch() }
        amina = try await hub.enrol("amina", in: scratches[0])
        let key = try SigningKey.generate()
        var enrolled: [Device] = []
        for scratch in scratches.dropFirst() { enrolled.append(try await hub.enrol("layla", in: scratch, key: key)) }
        layla = enrolled
        guard devices > 1 else { return }
        var entries: [JSONValue] = []
        for device in layla {
            let own = try #require(await hub.publications[device.party]?.deviceList.devices.first)
            entries.append(.object(own.object))
        }
        let list = try DeviceList(
            key.signed(
                [
                    "user_id": .string(layla[0].userID.text), "version": 2,
                    "issued": .string(hub.time.now().description), "devices": .array(entries),
                ], purpose: .deviceList))
        await hub.list(list)
        for device in layla {
            try await device.store.write {
                try $0.introduce(list.userID, publicKey: key.publicKey.bytes, list: list)
            }
        }
    }

    var all: [Device] { [amina] + layla }

    /// Database files and write-ahead logs.
    var aminaStore: Scratch { scratches[0] }
    var laylaStore: Scratch { scratches[1] }

    /// What Amina sends goes to the hub and the answer to her lookup comes back; her messages are sealed then.
    func lookUp() async throws {
        try await hub.collect(from: amina)
        try await amina.deliver(await hub.drain(amina.party))
    }
}

extension Hub {
    /// All devices in the list have it as their user's newest.
    func list(_ list: DeviceList) {
        for entry in list.devices { publications[entry.party]?.deviceList = list }
    }

    /// Gives a device the entry that an earlier program would have signed, under an identity key of its own.
    func forgetKEM(of device: Device) async throws {
        guard let list = publications[device.party]?.deviceList, let entry = list.devices.first else { return }
        let key = try SigningKey.generate()
        let old = key.signed(entry.object.omitting(["kem", "signature"]), purpose: .device)
        let older = try DeviceList(key.signed(list.object.setting("devices", [.object(old)]), purpose: .deviceList))
        userKeys[device.userID] = key.publicKey.bytes
        publications[device.party]?.deviceList = older
        publications[device.party]?.kemPreKey = nil
        try await device.store.write { transaction in
            try transaction.run("UPDATE client_device SET kem = NULL")
            try transaction.run(
                "UPDATE client_contact SET public_key = ?, list = ?",
                [Data(key.publicKey.bytes), Data(older.object.canonicalBytes())])
        }
    }

    func edit(_ party: Party, _ change: @Sendable (inout Publication) -> Void) {
        if var publication = publications[party] {
            change(&publication)
            publications[party] = publication
        }
    }

    /// The messages that are on their way to a device, in order.
    func messages(to party: Party) throws -> [Message] {
        try (queues[party] ?? []).filter { $0.kind == .message }.map { try Message(parsing: $0.body) }
    }
}

extension Device {
    func session(with other: Device) async throws -> Session? {
        let (user, device) = (other.userID, other.deviceID)
        return try await store.write { try $0.sendingSession(with: user, device) }
    }

    func execute(_ sql: String) async throws { try await store.write { try $0.run(sql) } }
    func number(_ sql: String) async throws -> Int64? { try await store.read { try $0.integer(sql) } }
}
