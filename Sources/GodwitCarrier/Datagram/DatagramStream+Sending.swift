import GodwitBatch
import GodwitLink
import GodwitProtocol

extension DatagramStream {
    /// The next datagram that goes out now, or nil.
    mutating func poll(at now: Duration) -> [UInt8]? {
        expire(at: now)
        if case .failed = state { return pollClose(at: now) }
        guard pace.nextAt <= now, room >= Datagram.Opening.payloads.lowerBound else { return nil }
        if mayCarryData(at: now) { return sendData(at: now) }
        if isProbeDue { return sendProbe(at: now) }
        if let acknowledgeAt, acknowledgeAt <= now { return sendAcknowledgement(at: now) }
        if isParityDue { return sendParity(at: now) }
        return nil
    }

    /// When to come back if nothing arrives and nothing is written; nil: not by itself.
    func wakeup(at now: Duration) -> Duration? {
        if case .failed = state { return isCloseDue ? max(now, pace.nextAt) : nil }
        var times: [Duration] = []
        if room >= Datagram.Opening.payloads.lowerBound {
            if mayCarryData(at: now) || isProbeDue || isParityDue { times.append(pace.nextAt) }
            if let acknowledgeAt { times.append(max(acknowledgeAt, pace.nextAt)) }
            if case .open = state, output.fresh > 0, holdUntil > now { times.append(max(holdUntil, pace.nextAt)) }
            // Whoever has more to write is asked for it in time.
            if !output.isFinished, pace.nextAt - Self.lead > now { times.append(pace.nextAt - Self.lead) }
        }
        if case .open = state {
            times.append(lastHeard + silenceMax)
            if let probeAt { times.append(probeAt) }
        }
        return times.min().map { max($0, now) }
    }

    /// How long before the link needs the next record it is asked for: about as long as making one takes.
    static var lead: Duration { .milliseconds(100) }

    /// What was written has left within `lead`, or is no full datagram and next to go: another record should be made now,
    /// and no earlier, so that it holds what has become urgent until then.
    func isHungry(at now: Duration) -> Bool {
        guard case .open = state, !output.isFinished, !output.hasLost, !output.isHeldByCredit, silentWaits < 2,
            sent.bytesInFlight < window
        else { return false }
        let wait = max(pace.nextAt - now, .zero)
        guard wait <= Self.lead else { return false }
        return output.unsent < link.payloadMax || wait + link.sendTime(output.unsent) <= Self.lead
    }

    /// A record is being made: what would leave as half a datagram waits for it a little.
    mutating func awaitRecord(at now: Duration) {
        holdUntil = max(holdUntil, max(pace.nextAt, now) + link.holdDelay)
    }

    /// Something would go out now if the pace let it.
    func isPressing(at now: Duration) -> Bool {
        if case .failed = state { return isCloseDue }
        return mayCarryData(at: now) || isProbeDue || isParityDue || acknowledgeAt.map { $0 <= now } ?? false
    }

    /// No acknowledgement has shown yet that the caller's address is the caller's.
    var isStranger: Bool { role == .answerer && !isPeerReached && !link.isLine }

    /// Bytes of the next datagram. An answerer whom no acknowledgement has shown that the caller's address is the
    /// caller's sends at most three times what came from there.
    var room: Int {
        guard isStranger else { return link.payloadMax }
        let heard = counts.received + counts.datagramsReceived * link.header
        let spent = counts.sent + counts.datagramsSent * link.header
        return min(link.payloadMax, 3 * heard - spent - link.header)
    }

    private var window: Int { isPeerReached ? link.window : min(link.firstWindow, link.window) }

    private func mayCarryData(at now: Duration) -> Bool {
        // After long silence probes find out first whether there is anybody.
        guard case .open = state, sent.bytesInFlight < window, silentWaits < 2 else { return false }
        if output.hasLost { return true }
        guard output.nextOffset != nil else { return false }
        return output.isFinished || output.fresh >= link.payloadMax || holdUntil <= now
    }
}

// MARK: - Time

extension DatagramStream {
    private mutating func expire(at now: Duration) {
        guard case .open = state else { return }
        if now >= lastHeard + silenceMax {
            end(.failed(Self.silent))
            return
        }
        guard let probeAt, now >= probeAt, !isProbeDue else { return }
        let held = sent.loseHeld()
        // What is small goes again at once; for more the probe finds out first whether it got lost.
        if !held.isEmpty {
            // Parity that could have brought it was lost, too.
            for entry in held { for places in entry.places { output.lose(places) } }
            counts.lost += held.count
        } else if silentWaits == 0, let last = sent.last, !last.places.isEmpty,
            link.sendTime(last.size) <= max(link.roundTrip / 2, .milliseconds(5)), let lost = sent.loseLast()
        {
            for places in lost.places { output.lose(places) }
            counts.lost += 1
        } else {
            isProbeDue = true
        }
        silentWaits += 1
    }

    /// When what is under way should have been acknowledged, or a wait for the peer becomes doubtful.
    private var probeAt: Duration? {
        guard case .open = state, !isProbeDue else { return nil }
        if sent.hasInFlight { return lastWanting + patience }
        if output.isHeldByCredit { return lastWanting + link.probeEvery }
        guard role == .caller, output.isAcknowledged || output.isEmptied else { return nil }
        // An answer that stands still is often one to a stranger whose acknowledgement got lost.
        let isStanding = parity.share > 0 && input.arrived > 0
        return max(lastHeard, lastWanting) + link.fullRoundTrip + (isStanding ? .seconds(1) : link.probeEvery * 2)
    }

    /// A round trip, the peer's delay, the datagram that the peer may be sending; doubled with every silence, but never
    /// so long that the return of a link would be missed.
    private var patience: Duration {
        // The datagram that carries the acknowledgement, and where the peer is just sending, the one before it.
        let full = link.receiveTime(link.payloadMax)
        let isPeerSending = input.arrived > 0 && lastData + full * 2 > lastWanting
        let rides = input.isWhole ? link.receiveTime(16) : isPeerSending ? full * 2 : full
        let delay = lastAsked ? link.askedDelay : link.acknowledgementDelay
        let once = pace.roundTrip + delay + rides
        guard silentWaits > 0 else { return once }
        return max(once, min(once * (1 << min(silentWaits, 16)), link.probeEvery))
    }
}

// MARK: - What goes out

extension DatagramStream {
    var blank: Datagram { Datagram(id: id, isFromAnswerer: role == .answerer) }

    private mutating func sendData(at now: Duration) -> [UInt8]? {
        var datagram = blank
        datagram.number = sent.nextNumber
        var left = room - 5 - Datagram.varintSize(sent.nextNumber)
        addOpening(to: &datagram, left: &left)
        let most = left - parityRoom
        // At least an offset and some bytes have to fit beside it.
        if unacknowledged > 0 || creditRepeats > 0 { addAcknowledgement(to: &datagram, left: &left, spare: 9) }
        left = min(left, most)
        var places: [Range<Int>] = []
        while let offset = output.nextOffset, datagram.chunks.count < Datagram.chunksMax {
            // A further chunk costs the length of the one before it, and the first such the byte that counts them.
            var cost = Datagram.varintSize(offset)
            if let before = datagram.chunks.last {
                cost += Datagram.varintSize(before.bytes.count)
                if datagram.chunks.count == 1, datagram.credit == nil { cost += 1 }
                guard !before.bytes.isEmpty, left - cost >= 8 else { break }
            }
            let again = output.hasLost
            var size = left - cost
            if datagram.number == 0, let part = splitsAt, output.unsent > size { size = min(size, part) }
            guard size > 0, let cut = output.cut(room: size) else { break }
            left -= cost + cut.chunk.bytes.count
            if again { counts.repeated += cut.chunk.bytes.count }
            datagram.chunks.append(cut.chunk)
            datagram.ends = cut.ends
            places.append(cut.places)
            if cut.ends { break }
        }
        guard !datagram.chunks.isEmpty else { return nil }
        // The first one asks, too: what holds back the rest is lifted by its acknowledgement.
        let isLast =
            datagram.number == 0 || output.isFinished && output.nextOffset == nil || output.isHeldByCredit
            || sent.bytesInFlight + room >= window || isStranger
        datagram.asks = isLast || isProbeDue
        isProbeDue = false
        return emit(datagram, places: places, at: now)
    }

    /// On a slow link the rest of the first datagram would keep the answer waiting.
    private var splitsAt: Int? { link.sendTime(link.payloadMax) > link.roundTrip / 4 ? firstPart : nil }

    private mutating func sendProbe(at now: Duration) -> [UInt8] {
        var datagram = blank
        datagram.number = sent.nextNumber
        datagram.asks = true
        var left = room - 5 - Datagram.varintSize(sent.nextNumber)
        addOpening(to: &datagram, left: &left)
        addAcknowledgement(to: &datagram, left: &left, spare: 0)
        isProbeDue = false
        counts.probes += 1
        return emit(datagram, places: [], at: now)
    }

    private mutating func sendAcknowledgement(at now: Duration) -> [UInt8]? {
        var datagram = blank
        var left = room - 5
        addAcknowledgement(to: &datagram, left: &left, spare: 0)
        acknowledgeAt = nil
        guard datagram.acknowledgement != nil else { return nil }
        return emit(datagram, places: [], at: now)
    }

    mutating func addOpening(to datagram: inout Datagram, left: inout Int) {
        guard role == .caller, !sent.hasAcknowledged else { return }
        datagram.opening = link.opening
        left -= link.opening.size
    }

    mutating func addAcknowledgement(to datagram: inout Datagram, left: inout Int, spare: Int) {
        // An end that asks after long silence gets everything, as what was told before may be lost.
        let whole = isAsked || silentWaits > 0
        guard let acknowledgement = numbers.acknowledgement(whole: whole, room: left - spare) else { return }
        datagram.acknowledgement = acknowledgement
        left -= acknowledgement.size
        numbers.tell(acknowledgement)
        let tellsCredit = creditRepeats > 0 || (isAsked && creditTold > ReceiveBuffer.window && input.end == nil)
        if tellsCredit, left - spare >= 1 + Datagram.varintSize(creditTold) {
            datagram.credit = creditTold
            left -= 1 + Datagram.varintSize(creditTold)
            creditRepeats = max(creditRepeats - 1, 0)
        }
        unacknowledged = 0
        acknowledgeAt = nil
        isAsked = false
    }

    mutating func emit(
        _ datagram: Datagram, places: [Range<Int>], parityOf group: Int? = nil, at now: Duration
    ) -> [UInt8] {
        let bytes = datagram.encoded
        let left = pace.charge(bytes.count, at: now)
        counts.sent += bytes.count
        counts.datagramsSent += 1
        if datagram.number != nil {
            sent.add(sentAt: left, size: bytes.count, places: places, parityOf: group)
            lastWanting = left
            lastAsked = datagram.asks
        }
        return bytes
    }

    private mutating func pollClose(at now: Duration) -> [UInt8]? {
        guard isCloseDue, pace.nextAt <= now else { return nil }
        isCloseDue = false
        let close = DatagramClose(id: id, isFromAnswerer: role == .answerer, error: closeError)
        let bytes = close.encoded(limit: min(link.payloadMax, max(room, 36)))
        _ = pace.charge(bytes.count, at: now)
        counts.sent += bytes.count
        counts.datagramsSent += 1
        return bytes
    }
}
