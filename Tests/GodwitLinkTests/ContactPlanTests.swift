import GodwitLink
import GodwitProtocol
import Testing

@Suite("Contact plans (G-81: contact windows)")
struct ContactPlanTests {
    /// 2026-11-16 was a Monday.
    static let monday = Timestamp(iso8601: "2026-11-16T00:00:00Z") ?? Timestamp(milliseconds: 0)

    static func at(_ text: String) throws -> Timestamp { try #require(Timestamp(iso8601: text)) }

    @Test("a window opens with its first millisecond and is closed with its last")
    func edges() throws {
        let plan = ContactPlan(windows: [.init(days: [.wednesday], from: 360, to: 450)])
        #expect(!plan.isOpen(at: try Self.at("2026-11-18T05:59:59.999Z")))
        #expect(plan.isOpen(at: try Self.at("2026-11-18T06:00:00Z")))
        #expect(plan.isOpen(at: try Self.at("2026-11-18T07:29:59.999Z")))
        #expect(!plan.isOpen(at: try Self.at("2026-11-18T07:30:00Z")))
        #expect(!plan.isOpen(at: try Self.at("2026-11-17T06:30:00Z")))
    }

    @Test("a window that crosses midnight on Sunday goes on into Monday")
    func acrossTheWeek() throws {
        let plan = ContactPlan(windows: [.init(days: [.sunday], from: 1_320, to: 120)])
        #expect(plan.isOpen(at: try Self.at("2026-11-22T23:00:00Z")))
        #expect(plan.isOpen(at: try Self.at("2026-11-23T01:59:00Z")))
        #expect(!plan.isOpen(at: try Self.at("2026-11-23T02:00:00Z")))
        #expect(plan.closes(after: try Self.at("2026-11-22T23:00:00Z")) == (try Self.at("2026-11-23T02:00:00Z")))
        #expect(plan.closes(after: try Self.at("2026-11-23T01:00:00Z")) == (try Self.at("2026-11-23T02:00:00Z")))
        #expect(plan.opens(after: try Self.at("2026-11-23T02:00:00Z")) == (try Self.at("2026-11-29T22:00:00Z")))
    }

    @Test("whole days, however written, are always")
    func always() {
        #expect(ContactPlan(windows: [.init(from: 0, to: 1_440)]).isAlways)
        #expect(ContactPlan(windows: [.init(from: 0, to: 720), .init(from: 720, to: 0)]).isAlways)
        #expect(ContactPlan.always.closes(after: Self.monday) == nil)
        #expect(ContactPlan.always.opens(after: Self.monday) == Self.monday)
    }

    @Test("a plan without windows is never open")
    func never() {
        let plan = ContactPlan(windows: [])
        #expect(!plan.isAlways && !plan.isOpen(at: Self.monday) && plan.opens(after: Self.monday) == nil)
    }

    @Test("days before 1970 have the right weekday too")
    func before1970() throws {
        // 1969-12-29 was a Monday.
        let plan = ContactPlan(windows: [.init(days: [.monday], from: 0, to: 60)])
        #expect(plan.isOpen(at: try Self.at("1969-12-29T00:30:00Z")))
        #expect(!plan.isOpen(at: try Self.at("1969-12-30T00:30:00Z")))
    }

    /// The plan again, the slow way: one flag for each minute of a week.
    private func model(_ windows: [ContactPlan.Window]) -> [Bool] {
        var open = [Bool](repeating: false, count: 10_080)
        for window in windows {
            for (index, day) in Weekday.allCases.enumerated() where window.days.contains(day) {
                var minute = window.from
                repeat {
                    open[(index * 1_440 + minute) % 10_080] = true
                    minute += 1
                } while minute % 1_440 != window.to % 1_440
            }
        }
        return open
    }

    @Test("random plans agree with a table of minutes", arguments: 1...25)
    func random(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let windows = (0..<Int.random(in: 1...5, using: &random)).map { _ in
            let from = Int.random(in: 0...1_439, using: &random)
            let to = (from + Int.random(in: 1...1_000, using: &random)) % 1_440
            return ContactPlan.Window(
                days: Set(Weekday.allCases.filter { _ in Bool.random(using: &random) }), from: from, to: to)
        }
        let open = model(windows)
        let plan = ContactPlan(windows: windows)
        guard open.contains(true), open.contains(false) else { return }
        for minute in stride(from: 0, to: 10_080, by: 7) {
            let now = Self.monday.adding(milliseconds: Int64(minute) * 60_000)
            #expect(plan.isOpen(at: now) == open[minute], "seed \(seed), minute \(minute)")
            // The next minute with the other state.
            let wait = (0...10_080).first { open[(minute + $0) % 10_080] != open[minute] } ?? 0
            let change = now.adding(milliseconds: Int64(wait) * 60_000)
            if open[minute] {
                #expect(plan.closes(after: now) == change && plan.opens(after: now) == now, "seed \(seed)")
            } else {
                #expect(plan.opens(after: now) == change && plan.closes(after: now) == nil, "seed \(seed)")
            }
        }
    }
}
