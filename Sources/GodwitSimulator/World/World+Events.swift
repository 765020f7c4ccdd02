import GodwitBatch
import GodwitClient
import GodwitContact
import GodwitNode
import GodwitProtocol

/// What happens in the world.
extension World {
    func carryOut(_ event: Event) async throws {
        let now = time.milliseconds
        switch event {
        case .write: try await write()
        case .deviceContact(let number):
            guard devices[number].isInUse else { return }
            try await visit(number)
            events.put(event, at: now + random.around(plan.deviceContacts))
        case .nodeContact(let one, let other):
            try await contactIfWorthwhile(one, other)
            events.put(event, at: now + random.around(plan.nodeContacts))
        case .housekeeping(let number):
            try await nodes[number].keepHouse()
            try await observe(number)
            events.put(event, at: now + random.around(plan.housekeeping))
        case .change: try await change()
        case .darkness: darken()
        case .restart: try await restart()
        case .clockJump: jump()
        case .stick: try await send(stickFrom: pick(nodes.count), to: pick(nodes.count))
        case .theft: try await theft()
        case .copyCard: try copyCard()
        case .useCard: try await useCard()
        case .loss: lose()
        case .replacement(let number): try await replace(number)
        case .arrival(let records, let place): try await arrive(records, at: place)
        }
    }

    func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    /// Somebody whose box is on.
    func someone() -> Int? {
        let awake = devices.indices.filter { devices[$0].isAtHand }
        return awake.isEmpty ? nil : awake[pick(awake.count)]
    }

    // MARK: Writing

    private func write() async throws {
        guard let author = someone() else { return }
        let device = devices[author].device
        var target: MessageTarget?
        if random.chance(plan.direct) {
            let reader = pick(devices.count)
            if devices[reader].user != devices[author].user { target = .user(devices[reader].device.userID) }
        } else {
            let mine = try await device.channels().filter { $0.state == .member || $0.state == .joining }
            if !mine.isEmpty { target = .channel(mine[pick(mine.count)].id) }
        }
        guard let target else { return }
        let text = "\(mark) \(tally.written) " + String(repeating: "word ", count: pick(12))
        let entry = try await device.send(text: text, to: target)
        tally.written += 1
        devices[author].isDirty = true
        model.wrote(
            WorldModel.Written(
                device: author, author: device.userID, conversation: entry.conversation, text: text, row: entry.row,
                at: time.milliseconds))
    }

    // MARK: Contacts

    /// A device looks whether there is anything to carry, and calls if there is.
    private func visit(_ number: Int) async throws {
        let now = time.milliseconds
        if let until = devices[number].darkUntil {
            guard until <= now else { return }
            try await brighten(number)
        }
        let device = devices[number]
        let waits = await nodes[device.node].node.hasWaiting(for: device.party)
        guard device.isDirty || waits || now - device.lastContact >= plan.idle else { return }
        try await contact(number)
    }

    func contact(_ number: Int) async throws {
        let node = nodes[devices[number].node]
        let fates = (0..<4).map { _ in faults.draw(using: &random) }
        tally.contacts += 1
        let isWatched = plan.thefts + plan.copies > 0
        if isWatched { try thief.watch(number, devices[number].party, at: node.spoolDirectory) }
        let states = isWatched ? try Thief.states(in: devices[number].directory) : []
        do {
            try await devices[number].sync(
                over: SimulatedLink(node.node.exchange, tap, fates: fates), at: time.milliseconds)
        } catch let error as ProtocolError where Self.isOfLink(error, fates) {
            tally.broken += 1
        } catch let error as ProtocolError where error.isOfCopy && copied.contains(number) {
            tally.broken += 1
        } catch {
            found(.failed, "device \(number) could not sync: \(error)")
        }
        if isWatched { try thief.noteUsed(number, states, devices[number].directory) }
        try observeEpochs(of: devices[number])
    }

    private func contactIfWorthwhile(_ one: Int, _ other: Int) async throws {
        let forOther = await nodes[one].node.hasWaiting(for: .node(nodes[other].id))
        let forOne = await nodes[other].node.hasWaiting(for: .node(nodes[one].id))
        guard forOther || forOne || dirtyLinks.contains([one, other]) else { return }
        try await contact(one, other)
    }

    func contact(_ one: Int, _ other: Int) async throws {
        let fates = (0..<6).map { _ in faults.draw(using: &random) }
        tally.contacts += 1
        dirtyLinks.insert([one, other])
        do {
            let report = try await nodes[one].node.contact(
                nodes[other].id, over: SimulatedLink(nodes[other].node.exchange, tap, fates: fates), exchangesMax: 64)
            if !report.more { dirtyLinks.remove([one, other]) }
        } catch let error as ProtocolError where Self.isOfLink(error, fates) {
            tally.broken += 1
        } catch {
            found(.failed, "nodes \(one) and \(other) could not talk: \(error)")
        }
    }

    /// A failure that was drawn.
    private static func isOfLink(_ error: ProtocolError, _ fates: [LinkFaults.Fate]) -> Bool {
        let isAltered = fates.contains { if case .altered = $0 { true } else { false } }
        return error.code == .nodeUnreachable || isAltered && error.code == .invalidCredentials
    }

    // MARK: Sticks

    private func send(stickFrom one: Int, to other: Int) async throws {
        guard one != other else { return }
        let answer = await nodes[one].node.control([
            "request": "export", "to": .string(nodes[other].id.text), "max_bytes": .integer(1 << 20),
        ])
        guard let records = answer["result"]?.object?["records"]?.array else {
            return found(.failed, "no stick could be filled: \(answer)")
        }
        tally.sticks += 1
        dirtyLinks.insert([min(one, other), max(one, other)])
        // Some sticks come twice, late, or in another order than they left, and some never.
        for _ in 0..<[0, 1, 1, 1, 2][pick(5)] {
            var records = records
            if random.chance(0.3) { records.shuffle(using: &random) }
            events.put(.arrival(records, at: other), at: time.milliseconds + random.integer(1...10 * WorldPlan.day))
        }
    }

    private func arrive(_ records: [JSONValue], at place: Int) async throws {
        let answer = await nodes[place].node.control(["request": "import", "records": .array(records)])
        if answer["result"] == nil { found(.failed, "a stick could not be read: \(answer)") }
    }

    // MARK: Boxes

    private func darken() {
        guard let number = someone() else { return }
        devices[number].darkUntil = time.milliseconds + random.integer(WorldPlan.hour...plan.darkFor)
        devices[number].clock.turnOff()
    }

    func brighten(_ number: Int) async throws {
        devices[number].darkUntil = nil
        devices[number].clock.turnOn()
        try await devices[number].restart(crashed: false)
    }

    private func restart() async throws {
        tally.restarts += 1
        let crashed = random.chance(0.7)
        if random.chance(0.3) {
            try await nodes[pick(nodes.count)].restart(crashed: crashed)
        } else if let number = someone() {
            try await devices[number].restart(crashed: crashed)
        }
    }

    private func jump() {
        let years = random.integer(-20...20) * 365 * WorldPlan.day
        let jump = random.chance(0.5) ? years : random.integer(-WorldPlan.day...WorldPlan.day)
        if random.chance(0.2) {
            nodes[pick(nodes.count)].clock.jump(by: jump)
        } else {
            devices[pick(devices.count)].clock.jump(by: jump)
        }
    }
}
