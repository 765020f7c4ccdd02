import GodwitContact
import GodwitCrypto
import GodwitLink
package import GodwitNode
import GodwitProtocol
import GodwitSpool
import Logging

/// A box with a home node.
package struct SimulatedNode {
    let home: NodeHome
    let clock: VirtualClock
    let directory: String
    package private(set) var node: HomeNode
    /// Uptime at the last look for what is due.
    var keptHouse: Int64 = 0

    var id: NodeID { home.id }
    var spoolDirectory: String { directory + "/spool" }

    package init(_ name: String, in directory: String, _ clock: VirtualClock) async throws {
        self.directory = directory
        self.clock = clock
        home = try NodeHome.create(
            in: directory + "/home", name: name, endpoints: ["https://\(name).example"], at: clock.now())
        node = try await Self.open(home, directory + "/spool", clock)
    }

    private static func open(
        _ home: NodeHome, _ directory: String, _ clock: VirtualClock
    ) async throws -> HomeNode {
        var logger = Logger(label: "simulation")
        logger.logLevel = .critical
        // The disk of whoever runs the simulation sets no limit.
        return try await HomeNode(
            home: home, spoolDirectory: directory,
            configuration: NodeConfiguration(spool: SpoolConfiguration(disk: { _ in nil })), time: clock,
            logger: logger, carrier: nil)
    }

    /// What is due by uptime.
    mutating func keepHouse() async throws {
        let uptime = clock.uptime().milliseconds
        let elapsed = uptime - keptHouse
        keptHouse = uptime
        try await node.keepHouse(elapsed: max(0, elapsed))
    }

    /// Starts the box anew: in order, or from what was on its disk when the power failed.
    mutating func restart(crashed: Bool) async throws {
        let copy = directory + "/crashed"
        if crashed { try SimulatedDisk.copy(spoolDirectory, to: copy) }
        try await node.close()
        if crashed {
            try SimulatedDisk.remove(spoolDirectory)
            try SimulatedDisk.move(copy, to: spoolDirectory)
        }
        clock.turnOff()
        clock.turnOn()
        keptHouse = clock.uptime().milliseconds
        node = try await Self.open(home, spoolDirectory, clock)
    }
}
