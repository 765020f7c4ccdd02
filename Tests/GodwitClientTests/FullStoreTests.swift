import GodwitBatch
import GodwitProtocol
import GodwitSpool
import Synchronization
import Testing

@testable import GodwitClient

@Suite("A device whose disk is full (G-63)")
struct FullStoreTests {
    /// A disk that a test fills and empties.
    private final class Disk: Sendable {
        let isFull = Mutex(false)
        var usage: DiskUsage {
            DiskUsage(total: ByteCount(1 << 30), available: ByteCount(isFull.withLock { $0 } ? 0 : 1 << 30))
        }
        func set(full: Bool) { isFull.withLock { $0 = full } }
    }

    /// The device again, on a given disk.
    private func reopen(_ device: Device, in scratch: Scratch, time: ManualTime, _ disk: Disk) async throws -> Device {
        try await device.close()
        let spool = try SQLiteSpool(
            directory: scratch.path, configuration: SpoolConfiguration(disk: { _ in disk.usage }),
            migrations: ClientSchema.register)
        let context = try #require(try await DeviceContext.load(from: spool))
        return Device(DeviceStore(spool: spool, context: context, time: time))
    }

    @Test("a join that is due again does not stop the contact that makes room; it is asked again afterwards")
    func repeatedJoin() async throws {
        let hub = try Hub()
        let scratch = try Scratch()
        let disk = Disk()
        let olena = try await reopen(await hub.enrol("olena", in: scratch), in: scratch, time: hub.time, disk)
        try await olena.joinChannel(try hub.channelID("#flood-response"))
        #expect(try await olena.handOver().count == 1)
        hub.time.advance(60_000)
        disk.set(full: true)
        try await olena.prepareContact()
        #expect(try await olena.status().queued == 0)
        disk.set(full: false)
        try await olena.prepareContact()
        #expect(try await olena.status().queued == 1)
    }

    @Test("a sponsor takes its frames and its contacts go on; the epoch is started once there is room")
    func sponsorsDuty() async throws {
        let hub = try Hub()
        let scratches = [try Scratch(), try Scratch()]
        let disk = Disk()
        let ines = try await reopen(
            await hub.enrol("ines", in: scratches[0]), in: scratches[0], time: hub.time, disk)
        let olena = try await hub.enrol("olena", in: scratches[1])
        let id = try hub.channelID("#flood-response")
        try await ines.createChannel(id.name)
        try await hub.settle([ines])
        try await olena.joinChannel(id)
        try await hub.collect(from: olena)
        disk.set(full: true)
        try await ines.deliver(await hub.drain(ines.party))
        try await ines.prepareContact()
        #expect(try await ines.status().queued == 0)
        disk.set(full: false)
        try await hub.settle([ines, olena])
        try await ines.prepareContact()
        try await hub.settle([ines, olena])
        #expect(try await olena.channels().map(\.state) == [.member])
        #expect(try await ines.codes() == [])
    }
}
