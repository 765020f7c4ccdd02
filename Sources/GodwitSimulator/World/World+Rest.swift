import GodwitClient
import GodwitContact
import GodwitNode
import GodwitProtocol

/// The end: links hold, boxes are on, and everything that is on its way arrives.
extension World {
    /// Time after which nothing can be on its way any more: what waits for an answer asks at least once an hour, sponsors
    /// are given a day, and a reader waits a day for what is missing.
    private static let restTime: Int64 = 4 * WorldPlan.day
    private static let pause: Int64 = WorldPlan.hour

    func comeToRest() async throws {
        faults = .none
        for number in devices.indices where devices[number].darkUntil != nil && devices[number].isInUse {
            try await brighten(number)
        }
        let begin = time.milliseconds
        // What is on a stick arrives as well, and lost boxes are replaced.
        while let (_, event) = events.take() {
            switch event {
            case .arrival, .replacement: try await carryOut(event)
            default: continue
            }
        }
        var quiet = 0
        while time.milliseconds - begin < Self.restTime {
            time.advance(to: time.milliseconds + Self.pause)
            quiet = try await round() ? 0 : quiet + 1
        }
        if quiet == 0 { found(.restless, "something still moves after \(Self.restTime / WorldPlan.day) days of rest") }
    }

    /// - Returns: whether anything moved.
    private func round() async throws -> Bool {
        var moved = false
        for number in nodes.indices { try await nodes[number].keepHouse() }
        for _ in 0..<8 {
            var moves = false
            for number in devices.indices where devices[number].isInUse {
                let device = devices[number]
                let waits = await nodes[device.node].node.hasWaiting(for: device.party)
                guard device.isDirty || waits || time.milliseconds - device.lastContact >= 6 * WorldPlan.hour else {
                    continue
                }
                moves = moves || device.isDirty || waits
                try await contact(number)
            }
            for one in nodes.indices {
                for other in nodes.indices where other > one {
                    let forOther = await nodes[one].node.hasWaiting(for: .node(nodes[other].id))
                    let forOne = await nodes[other].node.hasWaiting(for: .node(nodes[one].id))
                    guard forOther || forOne || dirtyLinks.contains([one, other]) else { continue }
                    moves = true
                    try await contact(one, other)
                }
            }
            guard moves else { break }
            moved = true
        }
        for number in nodes.indices { try await observe(number) }
        return moved
    }
}
