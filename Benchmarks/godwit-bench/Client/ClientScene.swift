import FoundationEssentials
import GodwitClient
import GodwitContact
import GodwitProtocol
import GodwitSimulator

/// A node and devices in this process, with stores on a disk and links that always hold.
final class ClientScene {
    let directory: String
    private let time = WorldTime()
    private let node: SimulatedNode
    private(set) var devices: [SimulatedDevice] = []

    init(in directory: String, devices count: Int) async throws {
        self.directory = directory
        let start = Timestamp(milliseconds: 1_773_466_632_000)
        node = try await SimulatedNode("bench", in: directory + "/node", VirtualClock(time, showing: start))
        for number in 0..<count {
            devices.append(
                try await SimulatedDevice.enrol(
                    "user-\(number)", user: number, node: 0, at: node, in: directory + "/device-\(number)",
                    VirtualClock(time, showing: start)))
        }
    }

    /// One contact of a device, until nothing is left.
    func sync(_ number: Int) async throws -> ContactReport {
        try await devices[number].device.sync(
            over: SimulatedLink(node.node.exchange, WireTap(watchingFor: []), fates: []), exchangesMax: 10_000)
    }

    /// Contacts of all devices until everybody has everything.
    func settle() async throws {
        for _ in 0..<4 { for number in devices.indices { _ = try await sync(number) } }
    }

    func close() async throws {
        try await node.node.close()
        for device in devices { try await device.device.close() }
    }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }
}
