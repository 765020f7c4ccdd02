import GodwitClient
import GodwitProtocol

/// Users with several devices; boxes that are lost, and those that take their place.
extension World {
    /// - Returns: the place of a new device of somebody who has one.
    func enrolFurther(_ user: Int) async throws -> Int {
        let clock = VirtualClock(time, showing: Self.start.adding(milliseconds: time.milliseconds))
        clock.set(drift: random.integer(-50...50))
        let first = devices[user]
        var device = try await first.further(
            at: nodes[first.node], in: disk.path + "/device-\(devices.count)", clock)
        device.enrolled = time.milliseconds
        devices.append(device)
        tally.devices = devices.count
        time.advance(to: time.milliseconds + 60_000)
        return devices.count - 1
    }

    /// Somebody loses a box, and what it had not handed over.
    func lose() {
        guard let number = someone() else { return }
        devices[number].lost = time.milliseconds
        tally.losses += 1
        events.put(
            .replacement(of: number), at: time.milliseconds + random.integer(WorldPlan.hour...plan.mending))
    }

    /// The user strikes a lost device from the list, on another one or on one that was enrolled for that.
    func replace(_ number: Int) async throws {
        let user = devices[number].user
        let others = devices.indices.filter { devices[$0].user == user && devices[$0].isAtHand }
        var other = others.isEmpty ? nil : others[pick(others.count)]
        if other == nil || random.chance(0.5) {
            let new = try await enrolFurther(user)
            events.put(.deviceContact(new), at: time.milliseconds + random.around(plan.deviceContacts))
            other = new
        }
        guard let other else { return }
        try await devices[other].remove(devices[number].device.deviceID, at: nodes[devices[other].node])
        devices[number].removed = time.milliseconds
        devices[other].isDirty = true
    }
}
