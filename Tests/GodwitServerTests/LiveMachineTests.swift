import GodwitLink
import GodwitProtocol
import Testing

@testable import GodwitServer

/// Order of messages and announcements of live links (docs/protocol.md §8.6).
@Suite struct LiveMachineTests {
    private static func refusal(_ effect: LiveMachine.Effect) -> ErrorCode? {
        if case .refuse(let error) = effect { error.code } else { nil }
    }

    @Test("records, an end, then nothing before the answer's end; an exchange has at least one record")
    func order() {
        var machine = LiveMachine(bodyMax: 100)
        #expect(machine.receive([1]) == .record([1], isFirst: true))
        #expect(machine.receive([2, 3]) == .record([2, 3], isFirst: false))
        #expect(machine.receive([]) == .requestEnded)
        machine.ends()
        #expect(machine.answered(somethingWaits: true) == false)
        #expect(machine.receive([4]) == .record([4], isFirst: true))
        #expect(machine.receive([]) == .requestEnded)
        #expect(Self.refusal(machine.receive([5])) == .invalidMessageFormat, "a record after the end")
        #expect(Self.refusal(machine.receive([5])) == .invalidMessageFormat, "and all that follows")
        var other = LiveMachine(bodyMax: 100)
        #expect(Self.refusal(other.receive([])) == .invalidMessageFormat)
        var third = LiveMachine(bodyMax: 100)
        _ = third.receive([1])
        _ = third.receive([])
        #expect(Self.refusal(third.receive([])) == .invalidMessageFormat, "a second end")
    }

    @Test("the caller may begin anew as soon as it has the end of the answer, and is told nothing in between")
    func quickCaller() {
        var machine = LiveMachine(bodyMax: 100)
        #expect(machine.receive([1]) == .record([1], isFirst: true))
        machine.accepted()
        #expect(machine.receive([]) == .requestEnded)
        machine.ends()
        // The end is out, and what waits is still being looked for.
        let early = machine.noticed()
        #expect(!early)
        #expect(machine.receive([2]) == .record([2], isFirst: true))
        #expect(machine.answered(somethingWaits: true) == false)
        #expect(machine.receive([]) == .requestEnded)
        machine.ends()
        #expect(machine.answered(somethingWaits: true) == false)
        let told = machine.noticed()
        #expect(told)
    }

    @Test("a request has its limit at its edge, and the next one the whole of it again")
    func size() {
        var machine = LiveMachine(bodyMax: 10)
        for _ in 0..<2 {
            let first = [UInt8](repeating: 1, count: 6)
            #expect(machine.receive(first) == .record(first, isFirst: true))
            #expect(machine.receive([1, 1, 1, 1]) == .record([1, 1, 1, 1], isFirst: false))
            #expect(machine.receive([]) == .requestEnded)
            machine.ends()
            _ = machine.answered(somethingWaits: false)
        }
        _ = machine.receive([UInt8](repeating: 1, count: 10))
        #expect(Self.refusal(machine.receive([1])) == .messageTooLarge)
    }

    @Test("against a model: a caller is told between exchanges only, once until its next, and never as a stranger")
    func announcements() {
        for seed in 0..<60 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            var machine = LiveMachine(bodyMax: 1_000)
            // The model: where the exchange stands, whether the caller is known, and what it was told.
            var (stage, isKnown, isTold, isNew) = (0, false, false, false)
            for _ in 0..<200 {
                switch Int.random(in: 0..<5, using: &random) {
                case 0 where stage < 2:
                    #expect(machine.receive([9]) == .record([9], isFirst: stage == 0))
                    if stage == 0 { (isTold, isNew) = (false, false) }
                    stage = 1
                case 1 where stage == 1:
                    machine.accepted()
                    isKnown = true
                case 2 where stage == 1:
                    #expect(machine.receive([]) == .requestEnded)
                    stage = 2
                case 3 where stage == 2:
                    let waits = Bool.random(using: &random)
                    let tells = isKnown && isNew && waits
                    machine.ends()
                    #expect(machine.answered(somethingWaits: waits) == tells)
                    (stage, isNew) = (0, isNew && waits)
                    isTold = isTold || tells
                case 4:
                    isNew = true
                    let tells = stage == 0 && isKnown && !isTold
                    #expect(machine.noticed() == tells)
                    isTold = isTold || tells
                default: break
                }
            }
        }
    }

    @Test("places are limited, strangers apart, and come back")
    func places() {
        let places = LivePlaces(linksMax: 3, strangersMax: 2)
        #expect(places.enter() && places.enter() && !places.enter(), "two strangers")
        places.accept()
        #expect(places.enter() && !places.enter())
        places.accept()
        #expect(!places.enter(), "three links")
        places.leave(asStranger: false)
        #expect(places.enter())
        places.leave(asStranger: true)
        places.leave(asStranger: true)
        #expect(places.enter() && places.enter() && !places.enter())
    }
}
